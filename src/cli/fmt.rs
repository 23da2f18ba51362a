//! `wayside fmt`

use std::fmt::Write as _;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

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
  wayside fmt --stdin-filename a.route < a.route for editors: reads stdin, writes stdout

Exit codes: 0 done, 1 with --check: something would change, 2 a file does not parse or cannot be written.")]
pub struct Args {
    /// Policy files, or directories to search for them
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,

    /// Only say which files would change
    #[arg(long)]
    check: bool,

    /// Read stdin and write stdout; the name is for messages
    #[arg(long, value_name = "FILE", conflicts_with_all = ["paths", "check"])]
    stdin_filename: Option<String>,
}

/// Formats.
pub fn run(args: &Args) -> ExitCode {
    match &args.stdin_filename {
        Some(name) => stdin(name),
        None => paths(args),
    }
}

fn stdin(name: &str) -> ExitCode {
    let mut text = String::new();
    // One more byte than a policy may have, so that a larger one is seen as such.
    if let Err(error) = io::stdin().lock().take(MAX_FILE_BYTES as u64 + 1).read_to_string(&mut text) {
        return screen::broken(&format!("`{name}` cannot be read: {error}"));
    }
    match format(&text) {
        Ok(formatted) => screen::show(&formatted, CLEAN),
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
            match one(&file, !args.check) {
                Ok(false) => {}
                Ok(true) => {
                    let _ = writeln!(changed, "{}", files::shown(&file));
                }
                Err(message) => fail(message),
            }
        }
    }
    let code = match (failed, args.check && !changed.is_empty()) {
        (true, _) => BROKEN,
        (false, true) => FINDINGS,
        (false, false) => CLEAN,
    };
    screen::show(&changed, code)
}

/// Whether a file is not laid out, or was not until now.
fn one(path: &Path, write: bool) -> Result<bool, String> {
    let shown = files::shown(path);
    let text = files::read(path, MAX_FILE_BYTES).map_err(|error| format!("`{shown}` cannot be read: {error}"))?;
    let formatted = format(&text).map_err(|error| reason(&shown, &text, error))?;
    if formatted == text {
        return Ok(false);
    }
    if write {
        files::replace(path, &formatted).map_err(|error| format!("`{shown}` cannot be written: {error}"))?;
    }
    Ok(true)
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
