//! What one run of `check` reads, and what it finds there.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::baseline::Baseline;
use super::{Args, live, traffic};
use crate::catalog::Catalog;
use crate::files::{self, Disk};
use crate::policy::ast::{File, ItemKind};
use crate::policy::check::style;
use crate::policy::checked::Checked;
use crate::policy::diagnostic::{Diagnostic, Level, R412};
use crate::policy::lexer::MAX_FILE_BYTES;
use crate::policy::prove::Options;
use crate::policy::render::json::Head;
use crate::policy::resolve::{self, Files, Loaded};
use crate::policy::source::Sources;
use crate::policy::syntax;
use crate::policy::tree::Tree;
use crate::workspace::{Findings, Verdict, Workspace};

/// Texts that stand in for those on the disk, by path.
pub type Texts = BTreeMap<String, String>;

/// Files to look at, and their settings.
pub struct Run<'a> {
    /// What was asked for.
    pub args: &'a Args,
    files: Vec<PathBuf>,
    /// By directory.
    workspaces: BTreeMap<PathBuf, Workspace>,
    baseline: Option<Baseline>,
}

/// What was found.
#[derive(Default)]
pub struct State {
    found: Findings,
    /// Files with rules, and files that no such file uses.
    pub sets: Vec<Set>,
    /// One for each policy.
    pub heads: Vec<Head>,
    /// What kept the program from doing all of its job.
    pub faults: Vec<String>,
}

/// One file with what it uses.
pub struct Set {
    /// As messages show it.
    pub path: String,
    /// Files that were read for it.
    pub files: Vec<Arc<str>>,
    /// When it can be compiled.
    pub checked: Option<Arc<Checked>>,
    /// With the facts behind it.
    pub compiled: Option<(Tree, Arc<Catalog>)>,
    /// One tree for each file.
    pub trees: Vec<File>,
    /// The texts it was read from.
    pub sources: Sources,
    /// What stands.
    pub findings: Vec<Diagnostic>,
}

/// The findings of a run after everything that takes some away.
pub struct Judged {
    /// In page order.
    pub findings: Vec<Diagnostic>,
    /// How many were allowed, or are in the baseline.
    pub suppressed: usize,
    /// The texts they are about.
    pub sources: Sources,
    /// What the baseline records and nothing gives.
    pub stale: Vec<String>,
}

/// The disk, with texts that nobody has written yet.
struct Edited<'a> {
    disk: &'a Disk,
    texts: &'a Texts,
}

impl Files for Edited<'_> {
    fn read(&self, path: &str) -> Result<String, String> {
        self.texts.get(path).map_or_else(|| self.disk.read(path), |text| Ok(text.clone()))
    }

    fn glob(&self, pattern: &str) -> Vec<String> {
        self.disk.glob(pattern)
    }
}

impl<'a> Run<'a> {
    /// Finds the files, and reads what stands around them.
    pub fn new(args: &'a Args) -> Result<Self, String> {
        let mut found: Vec<PathBuf> = Vec::new();
        for path in args.paths.iter().map(|path| files::from_here(path)) {
            if path.is_dir() {
                let under = files::policies_under(&path);
                if under.is_empty() {
                    return Err(format!("`{}` has no .route file in it", files::shown(&path)));
                }
                found.extend(under);
            } else {
                readable(&path)?;
                found.push(path);
            }
        }
        found.sort();
        found.dedup();
        let mut workspaces = BTreeMap::new();
        for file in &found {
            let dir = files::directory(file).to_owned();
            if let Entry::Vacant(free) = workspaces.entry(dir) {
                free.insert(Workspace::open(file, &args.reading.how())?);
            }
        }
        let baseline = args.baseline.as_deref().map(Baseline::read).transpose()?;
        Ok(Self { args, files: found, workspaces, baseline })
    }

    /// The workspace of one of the files.
    pub fn workspace(&self, file: &Path) -> Result<&Workspace, String> {
        let near = self.workspaces.get(files::directory(file)).or_else(|| self.workspaces.values().next());
        near.ok_or_else(|| format!("`{}` is in no workspace", files::shown(file)))
    }

    /// The same with what recorded traffic and a running proxy say.
    pub fn look(&self, texts: &Texts) -> Result<State, String> {
        let mut state = self.read(texts)?;
        if let Some(log) = &self.args.traffic {
            traffic::count(&mut state, log)?;
        }
        if let Some(url) = &self.args.live {
            live::compare(&mut state, url)?;
        }
        Ok(state)
    }

    /// How much is proven.
    pub fn options(&self, file: &Path) -> Result<Options, String> {
        let fuel = self.args.reading.fuel.unwrap_or(self.workspace(file)?.settings.fuel);
        Ok(Options { fuel, today: Some(self.args.reading.today()) })
    }

    /// Checks everything as if `texts` were on the disk.
    pub fn read(&self, texts: &Texts) -> Result<State, String> {
        let mut state = State::default();
        let mut left = Vec::new();
        for path in &self.files {
            // A file that cannot be read begins a set, so that somebody says why.
            let text =
                texts.get(&files::shown(path)).cloned().map_or_else(|| files::read(path, MAX_FILE_BYTES + 1), Ok);
            match text {
                Ok(text) if !is_test(path) && !has_rules(&text) => left.push(path),
                _ => self.judge(path, texts, &mut state)?,
            }
        }
        for path in left {
            let shown = files::shown(path);
            if state.found.has(&shown) {
                continue;
            }
            // It may have rules in what it uses; then it begins a set of its own.
            let loaded = resolve::load(&shown, &Edited { disk: self.workspace(path)?.disk(), texts });
            match loaded.files.iter().any(rules_in) {
                true => self.judge(path, texts, &mut state)?,
                false => state.keep(shown, loaded),
            }
        }
        Ok(state)
    }

    fn judge(&self, path: &Path, texts: &Texts, state: &mut State) -> Result<(), String> {
        let workspace = self.workspace(path)?;
        let files = Edited { disk: workspace.disk(), texts };
        state.add(workspace.check_over(path, &files::shown(path), &files, true), self.head());
        Ok(())
    }

    fn head(&self) -> Head {
        let today = Some(self.args.reading.today().to_string());
        Head { command: "check".to_owned(), policy: None, policy_hash: None, catalog: None, today }
    }

    /// What is to be said about a state.
    pub fn judged(&self, state: &State) -> Judged {
        let (mut select, mut allow) = (self.args.select.clone(), self.args.allow.clone());
        for workspace in self.workspaces.values() {
            select.extend(workspace.settings.select.iter().cloned());
            allow.extend(workspace.settings.allow.iter().cloned());
        }
        if self.args.traffic.is_some() {
            // Who hands over a log asks for what it says.
            select.push(R412.code.to_owned());
        }
        let (findings, suppressed, sources) = state.found.judged(&select, &allow);
        let Some(baseline) = &self.baseline else { return Judged { findings, suppressed, sources, stale: Vec::new() } };
        let before = findings.len();
        let (findings, stale) = baseline.apply(findings, &sources);
        Judged { suppressed: suppressed + before - findings.len(), findings, sources, stale }
    }

    /// Whether a finding fails the run.
    pub fn fails(&self, finding: &Diagnostic) -> bool {
        let deny = self.args.deny_warnings || self.workspaces.values().any(|one| one.settings.deny_warnings);
        finding.level == Level::Error || (deny && finding.level == Level::Warning)
    }

    /// How many findings are printed for people.
    pub fn most(&self) -> usize {
        self.workspaces.values().map(|one| one.settings.max_findings).max().unwrap_or(usize::MAX)
    }
}

impl State {
    /// More findings of one of the sets, by position.
    pub fn found(&mut self, set: usize, findings: Vec<Diagnostic>) {
        self.found.also(&self.sets[set].sources, findings);
    }

    fn add(&mut self, verdict: Verdict, head: Head) {
        let compiled = verdict.tree.is_some();
        let policy = verdict.name.map(|name| name.to_string());
        // Tests are read with the policy they use, which is counted once.
        if !is_test(Path::new(&verdict.path)) || !self.heads.iter().any(|head| head.policy == policy) {
            self.heads.push(Head {
                policy,
                policy_hash: verdict.tree.as_ref().map(|tree| tree.hash().to_string()),
                catalog: Some(verdict.catalog.as_of().to_string()),
                ..head
            });
        }
        self.faults.extend(verdict.fault.map(|fault| format!("{}: {fault}", verdict.path)));
        self.found.add(&verdict.sources, verdict.everything);
        self.sets.push(Set {
            path: verdict.path,
            files: verdict.sources.files().map(|(_, file)| file.path.clone()).collect(),
            checked: verdict.checked.filter(|_| compiled),
            compiled: verdict.tree.map(|tree| (tree, verdict.catalog)),
            trees: verdict.files,
            sources: verdict.sources,
            findings: verdict.findings,
        });
    }

    /// Files without rules that no set read: what was wrong with reading them and what they use is said.
    fn keep(&mut self, path: String, loaded: Loaded) {
        let Loaded { sources, mut findings, .. } = loaded;
        findings.extend(sources.files().filter_map(|(id, file)| style::layout(id, file)));
        self.found.add(&sources, findings.clone());
        self.sets.push(Set {
            path,
            files: sources.files().map(|(_, file)| file.path.clone()).collect(),
            checked: None,
            compiled: None,
            trees: Vec::new(),
            sources,
            findings,
        });
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
            // A file that is there is meant.
            let near = near.filter(|_| !path.exists());
            let near = near.map(|near| format!("; the nearest is `{near}`")).unwrap_or_default();
            Err(format!("`{shown}` cannot be read: {reason}{near}"))
        }
    }
}

/// Tests are read by `wayside test`.
fn is_test(path: &Path) -> bool {
    path.to_string_lossy().ends_with(".test.route")
}

/// Whether a text is the beginning of a set.
fn has_rules(text: &str) -> bool {
    let mut sources = Sources::default();
    let id = sources.add("", "");
    rules_in(&syntax::parse(id, text, &mut Vec::new()))
}

fn rules_in(tree: &File) -> bool {
    tree.items.iter().any(|item| matches!(item.kind, ItemKind::Rule { .. } | ItemKind::Otherwise { .. }))
}
