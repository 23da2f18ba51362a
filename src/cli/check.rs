//! `wayside check`

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;

use super::reading::Reading;
use super::{BROKEN, CLEAN, FINDINGS, screen};
use crate::files;
use crate::policy::ast::ItemKind;
use crate::policy::diagnostic::{Diagnostic, Level};
use crate::policy::explain::pages;
use crate::policy::render::{self, Summary};
use crate::policy::source::Sources;
use crate::policy::syntax;
use crate::workspace::{Findings, Verdict, Workspace, known_codes};

/// Say what is wrong with policies, and prove what must hold for every possible request.
///
/// Reads every file that has rules, and what it uses. Deterministic, and without a network: the same files and the same day
/// give the same bytes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wayside check                                  every policy under the current directory
  wayside check policies/support.route           one policy, and the files it uses
  wayside check --format json policies/          for a program
  wayside check --deny-warnings --today 2026-12-24
                                                 what a build on that day would say

Exit codes: 0 nothing that fails, 1 findings, 2 could not do the job.
Settings of a project stand under `check:` in a `wayside.yaml` above the policy.")]
pub struct Args {
    /// Policy files, or directories to search for them
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,

    /// How findings are printed; the exit code is the same for all
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,

    /// Warnings fail, too
    #[arg(long)]
    deny_warnings: bool,

    /// Turn on pedantic findings, by code, name or family: R905, R4
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    select: Vec<String>,

    /// Leave findings out, by code or name: same-provider-fallback
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    allow: Vec<String>,

    /// Answer 0 whatever is found; for steps that only upload findings
    #[arg(long)]
    exit_zero: bool,

    #[command(flatten)]
    reading: Reading,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The source, marked where it is wrong
    Human,
    /// One line each
    Short,
    /// Sentences without drawings, for screen readers
    Plain,
    /// One document
    Json,
}

/// Checks and prints.
pub fn run(args: &Args) -> ExitCode {
    for (flag, names) in [("--select", &args.select), ("--allow", &args.allow)] {
        if let Err(error) = known_codes(names) {
            return screen::broken(&format!("{flag}: {error}"));
        }
    }
    match Run::new(args).and_then(|mut run| {
        run.sets()?;
        run.rest()?;
        Ok(run)
    }) {
        Ok(run) => run.finish(),
        Err(error) => screen::broken(&error),
    }
}

struct Run<'a> {
    args: &'a Args,
    /// Files to look at, and whether each was named by hand.
    files: Vec<(PathBuf, bool)>,
    /// Settings by directory.
    workspaces: BTreeMap<PathBuf, Workspace>,
    found: Findings,
    heads: Vec<render::json::Head>,
    faults: Vec<String>,
}

impl<'a> Run<'a> {
    fn new(args: &'a Args) -> Result<Self, String> {
        let mut files: Vec<(PathBuf, bool)> = Vec::new();
        for path in &args.paths {
            if path.is_dir() {
                let under = files::policies_under(path);
                if under.is_empty() {
                    return Err(format!("`{}` has no .route file in it", files::shown(path)));
                }
                files.extend(under.into_iter().map(|path| (path, false)));
            } else {
                readable(path)?;
                files.push((path.clone(), true));
            }
        }
        files.sort();
        files.dedup_by(|later, first| {
            let same = later.0 == first.0;
            first.1 |= same && later.1;
            same
        });
        Ok(Self { args, files, workspaces: BTreeMap::new(), found: Findings::default(), heads: vec![], faults: vec![] })
    }

    fn workspace(&mut self, file: &Path) -> Result<&Workspace, String> {
        let dir = files::directory(file).to_owned();
        if !self.workspaces.contains_key(&dir) {
            let opened = Workspace::open(file, &self.args.reading.how())?;
            self.workspaces.insert(dir.clone(), opened);
        }
        self.workspaces.get(&dir).ok_or_else(|| files::shown(&dir))
    }

    /// Every file with rules, with what it uses.
    fn sets(&mut self) -> Result<(), String> {
        let roots: Vec<PathBuf> = self
            .files
            .iter()
            .filter(|(path, _)| !is_test(path) && has_rules(path))
            .map(|(path, _)| path.clone())
            .collect();
        for path in roots {
            let verdict = self.workspace(&path)?.check(&path);
            self.add(verdict);
        }
        Ok(())
    }

    fn add(&mut self, verdict: Verdict) {
        self.heads.push(render::json::Head {
            command: "check".to_owned(),
            policy: verdict.name.map(|name| name.to_string()),
            policy_hash: verdict.tree.map(|tree| tree.hash().to_string()),
            catalog: Some(verdict.catalog.as_of().to_string()),
            today: Some(self.args.reading.today().to_string()),
        });
        self.faults.extend(verdict.fault.map(|fault| format!("{}: {fault}", verdict.path)));
        self.found.add(&verdict.sources, verdict.everything);
    }

    /// Files without rules that no set read, and tests: they are parsed, so that a slip in them is seen.
    fn rest(&mut self) -> Result<(), String> {
        let left: Vec<PathBuf> = self
            .files
            .iter()
            .map(|(path, _)| path.clone())
            .filter(|path| !self.found.has(&files::shown(path)))
            .collect();
        for path in left {
            let text = files::read(&path, crate::policy::lexer::MAX_FILE_BYTES + 1)
                .map_err(|error| format!("`{}` cannot be read: {error}", files::shown(&path)))?;
            self.workspace(&path)?;
            let mut sources = Sources::default();
            let mut findings = Vec::new();
            let id = sources.add(&files::shown(&path), &text);
            syntax::parse(id, &text, &mut findings);
            self.found.add(&sources, findings);
        }
        Ok(())
    }

    fn finish(self) -> ExitCode {
        let (mut select, mut allow) = (self.args.select.clone(), self.args.allow.clone());
        let (mut deny, mut most) = (self.args.deny_warnings, 0);
        for workspace in self.workspaces.values() {
            select.extend(workspace.settings.select.iter().cloned());
            allow.extend(workspace.settings.allow.iter().cloned());
            deny |= workspace.settings.deny_warnings;
            most = most.max(workspace.settings.max_findings);
        }
        let policies = self.heads.len();
        let (findings, suppressed, sources) = self.found.judged(&select, &allow);
        let summary = Summary::of(&findings, suppressed);
        let shown =
            if self.args.format == Format::Json { &findings[..] } else { &findings[..findings.len().min(most)] };
        let mut text = String::new();
        let written = print(self.args.format, shown, &sources, &self.heads, suppressed, &mut text);
        if matches!(self.args.format, Format::Human | Format::Plain) {
            if findings.len() > shown.len() {
                let _ = writeln!(text, "and {} more\n", findings.len() - shown.len());
            }
            let noun = if policies == 1 { "policy" } else { "policies" };
            let _ = writeln!(text, "{policies} {noun} checked: {}", summary.sentence());
        }
        self.faults.iter().for_each(|fault| screen::aside(&format!("wayside: {fault}")));
        if let Err(error) = written {
            return screen::broken(&error);
        }
        let fails = findings.iter().any(|one| one.level == Level::Error || (deny && one.level == Level::Warning));
        let code = match (self.faults.is_empty(), fails && !self.args.exit_zero) {
            (false, _) => BROKEN,
            (true, true) => FINDINGS,
            (true, false) => CLEAN,
        };
        screen::show(&text, code)
    }
}

fn print(
    format: Format,
    findings: &[Diagnostic],
    sources: &Sources,
    heads: &[render::json::Head],
    suppressed: usize,
    text: &mut String,
) -> Result<(), String> {
    let has_page = |code: &crate::policy::diagnostic::Code| pages::page(code.code).is_some();
    let written = match format {
        // The stream takes the colors out again where nobody can see them.
        Format::Human => render::human::human(findings, sources, true, &has_page, text),
        Format::Short => render::short::short(findings, sources, text),
        Format::Plain => render::plain::plain(findings, sources, &has_page, text).and_then(|()| match findings {
            [] => Ok(()),
            _ => writeln!(text),
        }),
        Format::Json => {
            let document = render::json::document(head(heads), findings, suppressed, sources);
            let json = serde_json::to_string_pretty(&document).map_err(|error| error.to_string())?;
            writeln!(text, "{json}")
        }
    };
    written.map_err(|error| error.to_string())
}

/// Of several policies the document names none.
fn head(heads: &[render::json::Head]) -> render::json::Head {
    match heads {
        [one] => one.clone(),
        _ => render::json::Head {
            command: "check".to_owned(),
            policy: None,
            policy_hash: None,
            catalog: None,
            today: heads.first().and_then(|head| head.today.clone()),
        },
    }
}

fn readable(path: &Path) -> Result<(), String> {
    match files::read(path, crate::policy::lexer::MAX_FILE_BYTES + 1) {
        Ok(_) => Ok(()),
        Err(reason) => {
            let shown = files::shown(path);
            let beside = files::policies_under(files::directory(path));
            let names: Vec<String> = beside.iter().map(|path| files::shown(path)).collect();
            let near = crate::names::nearest(&shown, names.iter().map(String::as_str)).first().copied();
            let near = near.map(|near| format!("; the nearest is `{near}`")).unwrap_or_default();
            Err(format!("`{shown}` cannot be read: {reason}{near}"))
        }
    }
}

/// Tests are read by `wayside test`.
fn is_test(path: &Path) -> bool {
    path.to_string_lossy().ends_with(".test.route")
}

/// Whether a file is the beginning of a set. A file that cannot be read is, so that somebody says so.
fn has_rules(path: &Path) -> bool {
    let Ok(text) = files::read(path, crate::policy::lexer::MAX_FILE_BYTES + 1) else { return true };
    let mut sources = Sources::default();
    let id = sources.add("", "");
    let tree = syntax::parse(id, &text, &mut Vec::new());
    tree.items.iter().any(|item| matches!(item.kind, ItemKind::Rule { .. } | ItemKind::Otherwise { .. }))
}
