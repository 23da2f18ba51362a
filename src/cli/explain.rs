//! `wayside explain`

mod page;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use super::screen::Format;

use super::reading::Reading;
use super::{BROKEN, CLEAN, FINDINGS, screen};
use crate::catalog::Catalog;
use crate::files::{self, lines::Lines};
use crate::policy::admit::{Defaults, Door};
use crate::policy::diagnostic::Level;
use crate::policy::explain::{Asked, ask, effective, explain, pages};
use crate::policy::render;
use crate::policy::replay::{Line, MAX_LINE};
use crate::policy::source::Sources;
use crate::policy::tree::Tree;
use crate::workspace::{Verdict, Workspace};

/// Say which rule one request gets, its chain with its bounds, and why the rules above did not match. Or which options hold for a
/// rule, or what a finding means.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wayside explain support.route tenant=acme prompt_tokens=2k streaming=yes
  wayside explain support.route plan=free modality=text+image now=2026-11-23T22:00
  wayside explain support.route plan=pro economy_mode=on        a switch, budget, signal or classifier by its name
  wayside explain --format json support.route plan=pro
  grep req_1f0c log.jsonl | wayside explain support.route --replay -
                                                                a logged request again: is the decision the same?
  wayside explain support.route --effective refunds             every option of a rule, and where it is written
  wayside explain R401                                          the page of a finding; a name does, too
  wayside explain codes                                         every finding on a line

A request has: endpoint tenant user plan residency feature region requested_model prompt_tokens max_tokens
streaming tools json_schema modality priority, and the policy's attributes. The clock is `now`, or `time` and `day`.
Readings are said by name, or with their kind before it: `budget B=spent`, `switch S=on`, `signal S=on`, `classifier C=LABEL`,
`rollout R=25%`, `p95 of M=9s`, `errors of M=2%`, `fastest TIER=[M,M]`, and `draw=4200` for rollouts without `by`.
A name with a space in it, or a list, is quoted: 'errors of openai=6%'. What is not given is assumed, and said.

Exit codes: 0 explained, 1 the decision is not the one that was logged, 2 could not do the job.")]
pub struct Args {
    /// A policy file, the code or name of a finding, or `codes` for a list of all findings
    #[arg(value_name = "POLICY|CODE", required_unless_present_any = ["list", "effective"])]
    subject: Option<PathBuf>,

    /// The request, as key=value
    #[arg(value_name = "KEY=VALUE")]
    request: Vec<String>,

    /// Decide a logged request again: a line of the request log, a file with one line, or - for standard input
    #[arg(long, value_name = "LOGLINE", conflicts_with = "request")]
    replay: Option<String>,

    /// Print every option that holds for a rule, inherited or not, and where it is written; without a name, for all rules
    #[arg(long, value_name = "RULE", num_args = 0..=1, conflicts_with_all = ["request", "replay", "list"])]
    effective: Option<Option<PathBuf>>,

    /// List every finding with what it says
    #[arg(long)]
    list: bool,

    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,

    #[command(flatten)]
    reading: Reading,
}

/// Explains.
pub fn run(args: &Args) -> ExitCode {
    // Without a subject there is `--list` or `--effective`: clap holds that.
    let (path, effective) = named(args);
    let subject = path.to_string_lossy();
    if args.list || (subject == "codes" && !path.exists()) {
        return page::list(args.format);
    }
    if effective.is_none()
        && !path.exists()
        && let Some(code) = page::find(&subject)
    {
        return page::show(code, args.format);
    }
    match explained(args, &path, effective.as_ref()) {
        Ok((text, code)) => screen::show(&text, code),
        Err(code) => code,
    }
}

/// The policy or code, and the rule of `--effective`. What follows `--effective` is the policy when there is none before it.
fn named(args: &Args) -> (PathBuf, Option<Option<String>>) {
    let Some(rule) = &args.effective else { return (args.subject.clone().unwrap_or_default(), None) };
    match (&args.subject, rule) {
        (Some(path), rule) => (path.clone(), Some(rule.as_ref().map(|rule| rule.to_string_lossy().into_owned()))),
        (None, policy) => (policy.clone().unwrap_or_default(), Some(None)),
    }
}

/// The page, and the code it ends with.
fn explained(args: &Args, path: &Path, of_rule: Option<&Option<String>>) -> Result<(String, u8), ExitCode> {
    let broken = |message: String| screen::broken(&message);
    if of_rule.is_some() && args.subject.is_none() && !path.exists() {
        let flag = format!("--effective {}", path.display());
        let flag = flag.trim_end();
        return Err(broken(format!("`{flag}` names no policy file; write `wayside explain POLICY {flag}`")));
    }
    if !path.exists()
        && let Some(nothing) = page::nothing(&path.to_string_lossy())
    {
        return Err(broken(nothing));
    }
    let pairs = pairs(&args.request).map_err(broken)?;
    let line = args.replay.as_deref().map(logged).transpose().map_err(broken)?;
    files::read(path, crate::policy::lexer::MAX_FILE_BYTES + 1)
        .map_err(|error| broken(format!("`{}` cannot be read: {error}", files::shown(path))))?;
    let workspace = Workspace::open(path, &args.reading.how()).map_err(broken)?;
    let verdict = workspace.check(path);
    let Some(tree) = verdict.decides() else { return Err(rejected(path, &verdict)) };
    if let Some(rule) = of_rule {
        return options(&tree, rule.as_deref(), args.format, &verdict.sources).map_err(broken);
    }
    let asked = match &line {
        Some(line) => replayed(line, &tree, &verdict.catalog).map_err(broken)?,
        None => ask(&tree, &verdict.catalog, workspace.today(), &pairs)
            .map_err(|errors| broken(errors.join("\nwayside: ")))?,
    };
    let mut explanation = explain(&tree, &asked);
    line.iter().for_each(|line| explanation.compare(line));
    let differs = explanation.logged.as_ref().is_some_and(|logged| !logged.differences.is_empty());
    let text = match args.format {
        Format::Human => explanation.human(&verdict.sources),
        Format::Json => explanation.json(&verdict.sources).map_err(|error| broken(error.to_string()))?,
    };
    Ok((text, if differs { FINDINGS } else { CLEAN }))
}

/// Every option in force.
fn options(tree: &Tree, rule: Option<&str>, format: Format, sources: &Sources) -> Result<(String, u8), String> {
    let options = effective(tree, rule)?;
    let text = match format {
        Format::Human => options.human(sources),
        Format::Json => options.json(sources).map_err(|error| error.to_string())?,
    };
    Ok((text, CLEAN))
}

/// The one request of `--replay`.
fn logged(source: &str) -> Result<Line, String> {
    let parse = |text: &str| Line::parse(text).map_err(|bad| bad.to_string());
    if source.trim_start().starts_with('{') {
        return parse(source).map_err(|why| format!("`--replay` is given a text that cannot be replayed: {why}"));
    }
    let path = Path::new(source);
    let shown = if source == "-" { "standard input".to_owned() } else { format!("`{}`", files::shown(path)) };
    let lines = Lines::open(path, MAX_LINE).map_err(|error| format!("{shown} cannot be read: {error}"))?;
    // Whoever gives a whole log has to be told so, and not to wait for its end.
    let first: Vec<_> = lines.take(2).collect();
    match first.as_slice() {
        [] => Err(format!("{shown} is empty; it takes one line of the request log")),
        [(number, line)] => line
            .as_deref()
            .map_err(String::clone)
            .and_then(parse)
            .map_err(|why| format!("{shown}, line {number}, cannot be replayed: {why}")),
        _ => Err(format!(
            "{shown} has more than one line; choose one: `grep req_1f0c log.jsonl | wayside explain POLICY --replay -`"
        )),
    }
}

fn replayed(line: &Line, tree: &Tree, catalog: &Arc<Catalog>) -> Result<Asked, String> {
    let cannot = |error: &dyn std::fmt::Display| format!("{} cannot be decided again: {error}", line.request_id);
    let door =
        Door::new(tree.checked().clone(), catalog.clone(), Defaults::default()).map_err(|error| cannot(&error))?;
    let replay = line.admit(&door).map_err(|error| cannot(&error))?;
    Ok(Asked::replayed(tree, &replay))
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
