//! `wayside fmt`

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::unified::unified;
use super::{BROKEN, CLEAN, FINDINGS, screen};
use crate::files;
use crate::policy::format::{FormatError, format};
use crate::policy::lexer::MAX_FILE_BYTES;
use crate::policy::render::short;
use crate::policy::source::Sources;

/// Lay out policies in the one style; there are no options. A file that does not parse is left alone.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wayside fmt                                    every .route file under the current directory
  wayside fmt --check policies/                  say which files would change, and change none
  wayside fmt --diff policies/                   show what would change, and change nothing
  wayside fmt --stdin-filename a.route < a.route for editors: reads stdin, writes stdout

Exit codes: 0 done, 1 with --check or --diff: something would change, 2 a file does not parse or cannot be written.")]
pub struct Args {
    /// Policy files, or directories to search for them
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,

    /// Only say which files would change
    #[arg(long)]
    check: bool,

    /// Print what would change as a unified diff, and write nothing
    #[arg(long)]
    diff: bool,

    /// Read stdin and write stdout; the name is for messages
    #[arg(long, value_name = "FILE", conflicts_with = "paths")]
    stdin_filename: Option<String>,
}

/// Formats.
pub fn run(args: &Args) -> ExitCode {
    match &args.stdin_filename {
        Some(name) => stdin(name, args),
        None => paths(args),
    }
}

impl Args {
    /// Whether files are only looked at.
    fn looks_only(&self) -> bool {
        self.check || self.diff
    }

    /// What is said of a file that would change.
    fn said(&self, name: &str, text: &str, formatted: &str) -> String {
        match self.diff {
            true => unified(name, text, formatted),
            false => format!("{name}\n"),
        }
    }
}

fn stdin(name: &str, args: &Args) -> ExitCode {
    let mut text = String::new();
    // One more byte than a policy may have, so that a larger one is seen as such.
    if let Err(error) = io::stdin().lock().take(MAX_FILE_BYTES as u64 + 1).read_to_string(&mut text) {
        return screen::broken(&format!("`{name}` cannot be read: {error}"));
    }
    match format(&text) {
        Ok(formatted) if !args.looks_only() => screen::show(&formatted, CLEAN),
        Ok(formatted) if formatted == text => ExitCode::from(CLEAN),
        Ok(formatted) => screen::show(&args.said(name, &text, &formatted), FINDINGS),
        Err(error) => screen::broken(&reason(name, &text, error)),
    }
}

fn paths(args: &Args) -> ExitCode {
    let mut changed = String::new();
    let mut failed = false;
    let mut fail = |message: String| {
        failed = true;
        screen::aside(&format!("wayside: {message}"));
    };
    for path in &args.paths {
        let list = if path.is_dir() { files::policies_under(path) } else { vec![path.clone()] };
        if list.is_empty() {
            fail(format!("`{}` has no .route file in it", files::shown(path)));
        }
        for file in list {
            match one(&file, args) {
                Ok(said) => changed.push_str(&said),
                Err(message) => fail(message),
            }
        }
    }
    let code = match (failed, args.looks_only() && !changed.is_empty()) {
        (true, _) => BROKEN,
        (false, true) => FINDINGS,
        (false, false) => CLEAN,
    };
    screen::show(&changed, code)
}

/// What is said of a file: nothing where it is laid out already.
fn one(path: &Path, args: &Args) -> Result<String, String> {
    let shown = files::shown(path);
    let text = files::read(path, MAX_FILE_BYTES).map_err(|error| format!("`{shown}` cannot be read: {error}"))?;
    let formatted = format(&text).map_err(|error| reason(&shown, &text, error))?;
    if formatted == text {
        return Ok(String::new());
    }
    if !args.looks_only() {
        files::replace(path, &formatted).map_err(|error| format!("`{shown}` cannot be written: {error}"))?;
    }
    Ok(args.said(&shown, &text, &formatted))
}

fn reason(name: &str, text: &str, error: FormatError) -> String {
    match error {
        FormatError::Defect(what) => format!("`{name}` is left alone, because of a defect of wayside: {what}"),
        FormatError::DoesNotParse(findings) => {
            let mut sources = Sources::default();
            sources.add(name, text);
            let mut lines = String::new();
            let _ = short::short(&findings, &sources, &mut lines);
            format!("`{name}` does not parse, and is left alone\n{}", lines.trim_end())
        }
    }
}
