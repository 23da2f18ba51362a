//! What one run of `check` reads and finds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::Args;
use super::print::{GITHUB_SUMMARY, Report};
use crate::cli::{BROKEN, CLEAN, FINDINGS, screen};
use crate::files;
use crate::policy::ast::ItemKind;
use crate::policy::diagnostic::{Diagnostic, Level};
use crate::policy::lexer::MAX_FILE_BYTES;
use crate::policy::render::json::Head;
use crate::policy::source::Sources;
use crate::policy::syntax;
use crate::workspace::{Findings, Verdict, Workspace};

/// Files, their settings and what was found in them.
pub struct Run<'a> {
    args: &'a Args,
    /// Files to look at, and whether each was named by hand.
    files: Vec<(PathBuf, bool)>,
    /// Settings by directory.
    workspaces: BTreeMap<PathBuf, Workspace>,
    found: Findings,
    heads: Vec<Head>,
    faults: Vec<String>,
}

impl<'a> Run<'a> {
    /// Finds the files.
    pub fn new(args: &'a Args) -> Result<Self, String> {
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
    pub fn sets(&mut self) -> Result<(), String> {
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
        self.heads.push(Head {
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
    pub fn rest(&mut self) -> Result<(), String> {
        let left: Vec<PathBuf> = self
            .files
            .iter()
            .map(|(path, _)| path.clone())
            .filter(|path| !self.found.has(&files::shown(path)))
            .collect();
        for path in left {
            let text = files::read(&path, MAX_FILE_BYTES + 1)
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

    /// Judges, prints, and answers with the exit code.
    pub fn finish(self) -> ExitCode {
        let (mut select, mut allow) = (self.args.select.clone(), self.args.allow.clone());
        let (mut deny, mut most) = (self.args.deny_warnings, 0);
        for workspace in self.workspaces.values() {
            select.extend(workspace.settings.select.iter().cloned());
            allow.extend(workspace.settings.allow.iter().cloned());
            deny |= workspace.settings.deny_warnings;
            most = most.max(workspace.settings.max_findings);
        }
        let (findings, suppressed, sources) = self.found.judged(&select, &allow);
        let fails = |one: &Diagnostic| one.level == Level::Error || (deny && one.level == Level::Warning);
        let report = Report {
            findings: &findings,
            sources: &sources,
            heads: &self.heads,
            suppressed,
            most,
            fails: &fails,
            faults: &self.faults,
        };
        self.faults.iter().for_each(|fault| screen::aside(&format!("wayside: {fault}")));
        let format = self.args.format;
        let summary = std::env::var_os(GITHUB_SUMMARY).filter(|path| !path.is_empty()).map(PathBuf::from);
        let text = match format.summarize(&report, summary.as_deref()).and_then(|()| format.print(&report)) {
            Ok(text) => text,
            Err(error) => return screen::broken(&error),
        };
        let code = match (self.faults.is_empty(), findings.iter().any(fails) && !self.args.exit_zero) {
            (false, _) => BROKEN,
            (true, true) => FINDINGS,
            (true, false) => CLEAN,
        };
        screen::show(&text, code)
    }
}

fn readable(path: &Path) -> Result<(), String> {
    match files::read(path, MAX_FILE_BYTES + 1) {
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
    let Ok(text) = files::read(path, MAX_FILE_BYTES + 1) else { return true };
    let mut sources = Sources::default();
    let id = sources.add("", "");
    let tree = syntax::parse(id, &text, &mut Vec::new());
    tree.items.iter().any(|item| matches!(item.kind, ItemKind::Rule { .. } | ItemKind::Otherwise { .. }))
}
