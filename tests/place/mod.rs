//! A workspace on disk, and the real binary run in it.
#![allow(dead_code, reason = "every test file uses a part of it")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// Every test judges dates on this day, so that none of them ages.
pub const TODAY: &str = "2026-11-22";

/// Every format of `check`.
pub const FORMATS: [&str; 9] = ["human", "short", "plain", "json", "sarif", "github", "gitlab", "junit", "checkstyle"];

pub const GOOD: &str = r#"route 1

tier mid { openai/gpt-5.4-2026-03-05, anthropic/claude-sonnet-5 }

template sorry "Please try again in a few minutes."

otherwise {
  tier            mid
  degrade         template sorry
}
"#;

/// A workspace of its own.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.file("wayside.yaml", "");
        place
    }

    pub fn with(policy: &str) -> Self {
        let place = Self::new();
        place.file("p.route", policy);
        place
    }

    pub fn dir(&self) -> &Path {
        self.0.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        run_in(self.0.path(), args)
    }

    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// `check` with a fixed day.
    pub fn check(&self, args: &[&str]) -> Ran {
        self.run(&[&["check", "--today", TODAY], args].concat())
    }
}

/// What a command did.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

pub fn run_in(dir: &Path, args: &[&str]) -> Ran {
    ran(command(dir, args).stdin(Stdio::null()).output().unwrap())
}

/// With something on standard input.
pub fn run_with(dir: &Path, args: &[&str], input: &str) -> Ran {
    let mut child = command(dir, args).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    ran(child.wait_with_output().unwrap())
}

fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wayside"));
    command.args(args).env_remove("GITHUB_STEP_SUMMARY").current_dir(dir);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn ran(output: Output) -> Ran {
    let Output { status, stdout, stderr } = output;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: status.code().unwrap_or(-1), out: text(stdout), err: text(stderr) }
}

#[track_caller]
pub fn contains(text: &str, part: &str) {
    assert!(text.contains(part), "no {part:?} in:\n{text}");
}
