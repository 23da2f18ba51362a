//! `wayside explain`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;

use super::reading::Reading;
use super::{BROKEN, CLEAN, screen};
use crate::files;
use crate::policy::diagnostic::{CODES, Level};
use crate::policy::explain::{ask, explain, pages};
use crate::policy::render;
use crate::workspace::{Verdict, Workspace};

/// Say which rule one request gets, its chain with its bounds, and why the rules above did not match. Or what a finding means.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wayside explain support.route tenant=acme prompt_tokens=2k streaming=yes
  wayside explain support.route plan=free modality=text+image now=2026-11-23T22:00
  wayside explain support.route plan=pro economy_mode=on        a switch, budget, signal or classifier by its name
  wayside explain --format json support.route plan=pro
  wayside explain R401                                          the page of a finding

A request has: endpoint tenant user plan residency feature region requested_model prompt_tokens max_tokens
streaming tools json_schema modality priority, and the policy's attributes. The clock is `now`, or `time` and `day`.
What is not given is assumed, and said.")]
pub struct Args {
    /// A policy file, or the code or name of a finding
    #[arg(value_name = "POLICY|CODE")]
    subject: PathBuf,

    /// The request, as key=value
    #[arg(value_name = "KEY=VALUE")]
    request: Vec<String>,

    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,

    #[command(flatten)]
    reading: Reading,
}

/// How an explanation is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a person
    Human,
    /// One document
    Json,
}

/// Explains.
pub fn run(args: &Args) -> ExitCode {
    let subject = args.subject.to_string_lossy();
    if !args.subject.exists()
        && let Some(code) = CODES.iter().find(|code| code.code.eq_ignore_ascii_case(&subject) || code.name == subject)
    {
        return page(code.code, code.name);
    }
    match explained(args) {
        Ok(text) => screen::show(&text, CLEAN),
        Err(code) => code,
    }
}

fn page(code: &str, name: &str) -> ExitCode {
    match pages::page(code) {
        Some(text) => screen::show(text, CLEAN),
        None => {
            let known: Vec<&str> = pages::codes().collect();
            screen::broken(&format!("{code} ({name}) has no page yet; there are pages for {}", known.join(", ")))
        }
    }
}

fn explained(args: &Args) -> Result<String, ExitCode> {
    let broken = |message: String| screen::broken(&message);
    let looks_like_code = args.subject.to_string_lossy();
    if !args.subject.exists() && looks_like_code.starts_with('R') && looks_like_code.len() == 4 {
        return Err(broken(format!("`{looks_like_code}` is neither a file nor a finding")));
    }
    let pairs = pairs(&args.request).map_err(broken)?;
    let path = &args.subject;
    files::read(path, crate::policy::lexer::MAX_FILE_BYTES + 1)
        .map_err(|error| broken(format!("`{}` cannot be read: {error}", files::shown(path))))?;
    let workspace = Workspace::open(path, &args.reading.how()).map_err(broken)?;
    let verdict = workspace.check(path);
    let Some(tree) = verdict.decides() else { return Err(rejected(path, &verdict)) };
    let asked =
        ask(&tree, &verdict.catalog, workspace.today(), &pairs).map_err(|errors| broken(errors.join("\nwayside: ")))?;
    let explanation = explain(&tree, &asked);
    match args.format {
        Format::Human => Ok(explanation.human(&verdict.sources)),
        Format::Json => explanation.json(&verdict.sources).map_err(|error| broken(error.to_string())),
    }
}

fn pairs(request: &[String]) -> Result<Vec<(String, String)>, String> {
    let split = |text: &String| {
        let (key, value) =
            text.split_once('=').ok_or_else(|| format!("`{text}` is not key=value; write it like `plan=pro`"))?;
        Ok((key.trim().to_owned(), value.trim().to_owned()))
    };
    request.iter().map(split).collect()
}

/// A policy that `serve` would not load decides nothing.
fn rejected(path: &Path, verdict: &Verdict) -> ExitCode {
    if let Some(fault) = &verdict.fault {
        return screen::broken(fault);
    }
    let errors: Vec<_> = verdict.findings.iter().filter(|finding| finding.level == Level::Error).cloned().collect();
    let mut text = String::new();
    let written =
        render::human::human(&errors, &verdict.sources, true, &|code| pages::page(code.code).is_some(), &mut text);
    screen::aside(text.trim_end());
    let noun = if errors.len() == 1 { "error" } else { "errors" };
    screen::aside(&format!("wayside: `{}` has {} {noun}, so it decides nothing", files::shown(path), errors.len()));
    if let Err(error) = written {
        return screen::broken(&error.to_string());
    }
    ExitCode::from(BROKEN)
}
