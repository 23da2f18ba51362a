//! `wayside diff`

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::ValueEnum;

use super::reading::Reading;
use super::traffic::Traffic;
use super::{BROKEN, CLEAN, FINDINGS, screen};
use crate::files::{self, history::Revision};
use crate::policy::admit::{Defaults, Door};
use crate::policy::checked::Checked;
use crate::policy::diagnostic::{Diagnostic, Level};
use crate::policy::diff::{Decides, Diff, DiffError, Names, Wanted, diff, document};
use crate::policy::explain::pages;
use crate::policy::prove::Options;
use crate::policy::render;
use crate::policy::source::Sources;
use crate::policy::tree::Tree;
use crate::workspace::{How, Verdict, Workspace, is_settled};

/// Say which decisions an edit changes, each with a request that shows it.
///
/// Exact in both directions: every changed decision is in one of the groups, and no group means that the two policies decide
/// alike. Outcomes are compared by content, so edits of tiers, tenants and catalogs show, and renames and layout do not.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wayside diff old.route new.route                    two files
  wayside diff main HEAD support.route                one file in two git revisions, with all that it uses
  wayside diff main . support.route                   a revision, and the files as they are now
  wayside diff main HEAD support.route --format markdown
                                                      for a comment on a pull request
  wayside diff main . support.route --fail-on downgrade,loses-person,cost-up=20%
                                                      fail only for these

Flags: downgrade upgrade rejected admitted loses-person new-provider leaves-region loses-fallback budget-bypassed
cost-up[=N%] slower cache-lost dead-rule

Exit codes: 0 nothing changed, or none of the named flags; 1 decisions differ; 2 could not do the job.")]
pub struct Args {
    /// A policy file; before POLICY a git revision or a directory
    #[arg(value_name = "OLD")]
    old: String,

    /// Likewise
    #[arg(value_name = "NEW")]
    new: String,

    /// The policy file in both revisions
    #[arg(value_name = "POLICY")]
    policy: Option<PathBuf>,

    /// How the differences are printed; the exit code is the same for all
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    /// Fail only when one of these flags is raised: downgrade,new-provider,cost-up=20%
    #[arg(long, value_name = "FLAG", value_delimiter = ',')]
    fail_on: Vec<String>,

    /// Also name what changed and is no part of a decision: reasons, tags, owners
    #[arg(long)]
    all: bool,

    /// Count which recorded requests would change: the request log of a proxy, or `-`
    #[arg(long, value_name = "LOG")]
    traffic: Option<PathBuf>,

    #[command(flatten)]
    reading: Reading,
}

/// How differences are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a terminal
    Text,
    /// For a comment on a pull request
    Markdown,
    /// One document
    Json,
}

/// One of the two policies, read and judged.
struct Side {
    /// `main 9f31c2a`, or a path.
    label: String,
    verdict: Verdict,
    fuel: u64,
}

/// Compares and prints.
pub fn run(args: &Args) -> ExitCode {
    let wanted: Result<Vec<Wanted>, String> = args.fail_on.iter().map(|word| word.parse()).collect();
    let wanted = match wanted {
        Ok(wanted) => wanted,
        Err(error) => return screen::broken(&format!("--fail-on: {error}")),
    };
    match compared(args) {
        Err(code) => code,
        Ok((found, names)) => {
            let text = match args.format {
                Format::Text => Ok(found.text(&names, args.all)),
                Format::Markdown => Ok(found.markdown(&names, args.all)),
                Format::Json => document(&found, &names, &args.reading.today().to_string()),
            };
            let fails =
                if wanted.is_empty() { !found.is_equal() } else { wanted.iter().any(|wanted| found.has(*wanted)) };
            match text {
                Ok(text) => screen::show(&text, if fails { FINDINGS } else { CLEAN }),
                Err(error) => screen::broken(&error.to_string()),
            }
        }
    }
}

fn compared(args: &Args) -> Result<(Diff, Names), ExitCode> {
    let how = args.reading.how();
    let side = |name: &str| side(name, args.policy.as_deref(), &how).map_err(|error| screen::broken(&error));
    let (old, new) = (side(&args.old)?, side(&args.new)?);
    // Both are looked at before anything is given up, so that one run shows all that is in the way.
    let policies = [&old, &new].map(|side| meaning(&side.label, "compared", &side.verdict));
    let [Some(was), Some(now)] = policies else { return Err(ExitCode::from(BROKEN)) };
    let mut found =
        diff(&was, &now, Options { fuel: new.fuel, today: Some(how.today) }).map_err(|error| given_up(&error, &new))?;
    found.resolve((&was, &old.verdict.catalog), (&now, &new.verdict.catalog));
    found.quote(&now, &new.verdict.sources);
    if let Some(log) = &args.traffic {
        replay(log, &mut found, (&old, &was), (&new, &now)).map_err(|error| screen::broken(&error))?;
    }
    let policy = args.policy.as_deref().map(files::shown);
    Ok((found, Names { policy, old: old.label, new: new.label }))
}

/// Reads one side: a file, or a policy in a directory or a revision.
fn side(name: &str, policy: Option<&Path>, how: &How) -> Result<Side, String> {
    let Some(policy) = policy else {
        let path = Path::new(name);
        return on_disk(path, files::shown(path), how).map_err(|error| {
            let behind = "name the policy behind revisions and directories: `wayside diff OLD NEW POLICY`";
            if path.is_file() { error } else { format!("{error}; {behind}") }
        });
    };
    let dir = Path::new(name);
    let is_written_as_dir = name.starts_with(['.', '/']) && dir.is_dir();
    if is_written_as_dir {
        return on_disk(&dir.join(policy), name.to_owned(), how);
    }
    match Revision::open(name, policy) {
        Ok(revision) => in_history(revision, policy, how),
        Err(_) if dir.is_dir() => on_disk(&dir.join(policy), name.to_owned(), how),
        Err(error) => Err(error),
    }
}

fn on_disk(path: &Path, label: String, how: &How) -> Result<Side, String> {
    files::read(path, crate::policy::lexer::MAX_FILE_BYTES + 1)
        .map_err(|error| format!("`{}` cannot be read: {error}", files::shown(path)))?;
    let workspace = Workspace::open(path, how)?;
    Ok(judged(&workspace, path, label, how))
}

fn in_history(revision: Revision, policy: &Path, how: &How) -> Result<Side, String> {
    use crate::policy::resolve::Files;
    let label = revision.label();
    revision
        .read(&policy.to_string_lossy())
        .map_err(|error| format!("`{}` cannot be read in {label}: {error}", files::shown(policy)))?;
    let workspace = Workspace::of_revision(revision, how)?;
    Ok(judged(&workspace, policy, label, how))
}

fn judged(workspace: &Workspace, path: &Path, label: String, how: &How) -> Side {
    let fuel = how.fuel.unwrap_or(workspace.settings.fuel);
    Side { label, verdict: workspace.check(path), fuel }
}

/// The policy of a side, as far as it says one thing; else its findings go where errors go. `verb` is what is done with it.
pub(super) fn meaning(label: &str, verb: &str, verdict: &Verdict) -> Option<Arc<Checked>> {
    if let Some(fault) = &verdict.fault {
        screen::broken(fault);
        return None;
    }
    let errors = || verdict.findings.iter().filter(|finding| finding.level == Level::Error);
    match verdict.means() {
        Some(checked) => {
            let mut codes: Vec<&str> = errors().map(|finding| finding.code.code).collect();
            codes.sort_unstable();
            codes.dedup();
            if !codes.is_empty() {
                let codes = codes.join(", ");
                screen::aside(&format!("wayside: `{label}` is {verb}, and `wayside check` rejects it ({codes})"));
            }
            Some(Arc::clone(checked))
        }
        None => {
            let broken: Vec<Diagnostic> = errors().filter(|finding| !is_settled(finding.code.code)).cloned().collect();
            show(&broken, &verdict.sources);
            let noun = if broken.len() == 1 { "error" } else { "errors" };
            screen::aside(&format!(
                "wayside: `{label}` has {} {noun}, so nobody can say what it decides",
                broken.len()
            ));
            None
        }
    }
}

/// Asks both policies about every request of a log.
fn replay(
    log: &Path,
    found: &mut Diff,
    old: (&Side, &Arc<Checked>),
    new: (&Side, &Arc<Checked>),
) -> Result<(), String> {
    let ready = |(side, checked): (&Side, &Arc<Checked>)| {
        let tree = Tree::compile(Arc::clone(checked)).map_err(|_| format!("`{}` cannot be compiled", side.label))?;
        let door = Door::new(Arc::clone(checked), Arc::clone(&side.verdict.catalog), Defaults::default());
        Ok::<_, String>((tree, door.map_err(|error| error.to_string())?))
    };
    let ((old_tree, old_door), (new_tree, new_door)) = (ready(old)?, ready(new)?);
    let old = Decides { tree: &old_tree, door: &old_door };
    let new = Decides { tree: &new_tree, door: &new_door };
    let mut traffic = Traffic::open(log)?;
    for (number, line) in traffic.by_ref() {
        found.count(number, &line, old, new);
    }
    if let Some(note) = traffic.note()? {
        screen::aside(&format!("wayside: {note}"));
    }
    Ok(())
}

fn given_up(error: &DiffError, new: &Side) -> ExitCode {
    match error {
        DiffError::Wrong(fault) => screen::broken(&fault.to_string()),
        DiffError::Findings(findings) => {
            show(findings, &new.verdict.sources);
            screen::broken("the two could not be compared to the end, so nothing is said about them")
        }
    }
}

/// Findings where errors go.
pub(super) fn show(findings: &[Diagnostic], sources: &Sources) {
    let mut text = String::new();
    let has_page = |code: &crate::policy::diagnostic::Code| pages::page(code.code).is_some();
    if render::human::human(findings, sources, true, &has_page, &mut text).is_ok() {
        screen::aside(text.trim_end());
    }
}
