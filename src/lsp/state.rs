//! Everything the server knows: open documents, which policies they take part in, and what was found about those.
//!
//! In: opens, changes, closes. Out: sets, fresh when asked for. Must not know: messages. A change is read at once, names and
//! all; what must hold for every possible request is proven when the author rests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use gen_lsp_types::{Position, Uri};

use super::buffers::{Buffers, relative};
use super::carry::{self, Proven};
use super::discover::{self, Index};
use super::documents::Documents;
use super::set::{Asked, Set};
use super::uri;
use crate::catalog::Catalog;
use crate::files::{self, Disk};
use crate::policy::diagnostic::Diagnostic;
use crate::policy::lexer::MAX_FILE_BYTES;
use crate::policy::prove;
use crate::policy::resolve;
use crate::policy::source::FileId;
use crate::workspace::{How, Workspace};

/// Policies that are kept checked at once. Editing a file that more of them use re-checks the first of these.
pub const MAX_POLICIES: usize = 64;

/// A place in an open document.
pub struct Spot {
    /// The set it is looked at in.
    pub set: Rc<Set>,
    /// Its file there.
    pub file: FileId,
    /// The byte.
    pub offset: u32,
}

/// A policy that some open document takes part in.
#[derive(Default)]
struct Held {
    set: Option<Rc<Set>>,
    /// What the exact analysis said last.
    proven: Option<Proven>,
    /// An edit came since it was read.
    stale: bool,
    /// The exact analysis was asked since it was read; a fault in it must not make it run for ever.
    asked: bool,
}

impl Held {
    /// Whether it waits for the exact analysis.
    fn is_open(&self) -> bool {
        !self.asked && self.set.as_ref().is_none_or(|set| !set.exact)
    }
}

/// All of it.
pub struct State {
    /// What is open.
    pub documents: Documents,
    /// Which files use which.
    pub index: Index,
    /// The day, above all.
    pub how: How,
    workspaces: BTreeMap<PathBuf, Rc<Workspace>>,
    policies: BTreeMap<PathBuf, Held>,
    /// Open documents that no policy uses.
    loose: BTreeMap<PathBuf, Rc<Set>>,
    /// Something was read or proven since [`Self::changed`] was asked.
    changed: bool,
    /// What the author should be told, once.
    notes: Vec<String>,
    said: BTreeSet<String>,
}

impl State {
    /// Nothing is open.
    pub fn new(how: How) -> Self {
        Self {
            documents: Documents::default(),
            index: Index::default(),
            how,
            workspaces: BTreeMap::new(),
            policies: BTreeMap::new(),
            loose: BTreeMap::new(),
            changed: false,
            notes: Vec::new(),
            said: BTreeSet::new(),
        }
    }

    /// What the author should be told and was not yet.
    pub fn notes(&mut self) -> Vec<String> {
        let fresh = |note: &String| self.said.insert(note.clone());
        std::mem::take(&mut self.notes).into_iter().filter(fresh).collect()
    }

    /// Remembers something to tell.
    pub fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    /// Looks through a folder for files that use each other.
    pub fn cover(&mut self, folder: &Path) {
        if !self.index.cover(folder) {
            let folder = files::shown(folder);
            self.note(format!(
                "`{folder}` has more policies than are looked at; some that use an open file may not be checked"
            ));
        }
    }

    /// An open document, a saved file, or one that is gone: reads what it uses again, and everything that uses it.
    pub fn touched(&mut self, path: &Path) {
        if path.is_absolute() {
            match self.documents.get(path) {
                Some(document) => self.index.update(path, Some(&document.text)),
                None => self.index.update(path, files::read(path, MAX_FILE_BYTES).ok().as_deref()),
            }
        }
        for (root, held) in &mut self.policies {
            held.stale |= root == path || held.set.as_ref().is_some_and(|set| set.file(path).is_some());
        }
        self.loose.retain(|root, set| root != path && set.file(path).is_none());
        self.choose();
    }

    /// Settings, catalogs or files that are no policies changed: everything is read again.
    pub fn forget(&mut self) {
        self.workspaces.clear();
        self.loose.clear();
        self.policies.values_mut().for_each(|held| held.stale = true);
    }

    /// Decides which policies are kept: those that an open document takes part in.
    fn choose(&mut self) {
        let mut wanted = BTreeSet::new();
        let mut cut = false;
        for path in self.documents.keys() {
            // A test is a set of its own: what it asks is judged with the policy it uses.
            let test = discover::is_test(path).then(|| path.clone());
            for policy in self.index.policies(path).into_iter().chain(test) {
                cut |= wanted.len() >= MAX_POLICIES && !wanted.contains(&policy);
                if wanted.len() < MAX_POLICIES {
                    wanted.insert(policy);
                }
            }
        }
        if cut {
            self.note(format!("more than {MAX_POLICIES} policies use the open files; only so many are checked here"));
        }
        self.policies.retain(|path, _| wanted.contains(path));
        for policy in wanted {
            self.policies.entry(policy).or_insert_with(|| Held { stale: true, ..Held::default() });
        }
        let open: BTreeSet<&PathBuf> = self.documents.keys().collect();
        self.loose.retain(|path, _| open.contains(path));
    }

    /// Whether anything was read or proven since this was asked last.
    pub fn changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Reads everything that an edit touched: parsing, names, facts, chains, time.
    pub fn read(&mut self) {
        let stale: Vec<PathBuf> =
            self.policies.iter().filter(|(_, held)| held.stale).map(|(path, _)| path.clone()).collect();
        self.changed |= !stale.is_empty();
        for path in stale {
            if let Some(held) = self.policies.get_mut(&path) {
                held.stale = false;
                held.asked = false;
            }
            let set = self.check(&path, false);
            if let Some(held) = self.policies.get_mut(&path) {
                held.set = Some(Rc::new(set));
            }
        }
        let kept = self.policies.values().filter_map(|held| held.set.as_ref());
        let read: BTreeSet<PathBuf> =
            kept.flat_map(|set| set.sources.files().map(|(id, _)| set.path(id)).collect::<Vec<_>>()).collect();
        let missing: Vec<PathBuf> = self.documents.keys().filter(|path| !read.contains(*path)).cloned().collect();
        self.loose.retain(|path, _| missing.contains(path));
        for path in missing {
            if !self.loose.contains_key(&path) {
                let set = self.load(&path);
                self.loose.insert(path, Rc::new(set));
                self.changed = true;
            }
        }
    }

    /// Proves one policy that is not proven yet.
    pub fn prove(&mut self) {
        let open = self.policies.iter().find(|(_, held)| held.is_open());
        if let Some(path) = open.map(|(path, _)| path.clone()) {
            self.prove_one(&path);
        }
    }

    /// Whether something is not proven yet.
    pub fn is_open(&self) -> bool {
        self.policies.values().any(Held::is_open)
    }

    fn prove_one(&mut self, path: &Path) {
        if let Some(held) = self.policies.get_mut(path) {
            held.asked = true;
        }
        let set = self.check(path, true);
        self.changed = true;
        let Some(held) = self.policies.get_mut(path) else { return };
        let before = held.set.as_ref().filter(|before| !before.exact).map(|before| before.findings.as_slice());
        held.proven = Some(Proven::of(&set, before.unwrap_or_default()));
        held.set = Some(Rc::new(set));
        held.stale = false;
    }

    /// Every set, policies first.
    pub fn sets(&self) -> impl Iterator<Item = &Rc<Set>> {
        self.policies.values().filter_map(|held| held.set.as_ref()).chain(self.loose.values())
    }

    /// Findings of a set with what was proven before the edits since.
    pub fn findings(&self, set: &Set) -> Vec<Diagnostic> {
        let mut findings = set.findings.clone();
        let held = self.policies.get(&set.root).filter(|_| !set.exact);
        if let Some(proven) = held.and_then(|held| held.proven.as_ref()) {
            findings.extend(carry::carried(proven, set));
        }
        findings
    }

    /// How many policies beside those that are kept read a file.
    pub fn others(&self, path: &Path) -> usize {
        self.index.policies(path).iter().filter(|policy| !self.policies.contains_key(*policy)).count()
    }

    /// The set to look at an open document in: the policy it begins, else the first that uses it, else itself.
    pub fn set_of(&self, path: &Path) -> Option<&Rc<Set>> {
        let own = self.policies.get(path).and_then(|held| held.set.as_ref());
        own.or_else(|| self.sets().find(|set| set.file(path).is_some()))
    }

    /// A place in an open document.
    ///
    /// # Errors
    /// When the document is not open.
    pub fn spot(&self, uri: &Uri, position: Position) -> Result<Spot, String> {
        let (set, file) = self.document(uri)?;
        let offset = set.lines(file).offset(set.text(file), position, self.documents.encoding) as u32;
        Ok(Spot { set, file, offset })
    }

    /// An open document in its set.
    ///
    /// # Errors
    /// When the document is not open.
    pub fn document(&self, uri: &Uri) -> Result<(Rc<Set>, FileId), String> {
        let key = uri::key(&uri.0);
        let open = self.documents.get(&key).ok_or_else(|| format!("`{}` is not open", uri.0))?;
        if open.too_large {
            return Err(format!("`{}` has more than {MAX_FILE_BYTES} bytes", uri.0));
        }
        let set = self.set_of(&key).ok_or_else(|| format!("`{}` could not be read", uri.0))?;
        let file = set.file(&key).ok_or_else(|| format!("`{}` could not be read", uri.0))?;
        Ok((Rc::clone(set), file))
    }

    /// The same, proven.
    ///
    /// # Errors
    /// When the document is not open.
    pub fn proven(&mut self, uri: &Uri) -> Result<(Rc<Set>, FileId), String> {
        let (set, _) = self.document(uri)?;
        if !set.exact && set.checked.is_some() {
            let root = set.root.clone();
            self.prove_one(&root);
        }
        self.document(uri)
    }

    /// Settings of a project, without which defaults are used. Read once.
    pub fn workspace(&mut self, path: &Path) -> Option<Rc<Workspace>> {
        let dir = files::directory(path).to_owned();
        if let Some(known) = self.workspaces.get(&dir) {
            return Some(Rc::clone(known));
        }
        let opened = Workspace::open(path, &self.how).or_else(|error| {
            self.note(format!("{error}\nDefaults are used until that is cured."));
            Workspace::without_settings(path, &self.how)
        });
        match opened {
            Ok(workspace) => {
                let workspace = Rc::new(workspace);
                self.workspaces.insert(dir, Rc::clone(&workspace));
                Some(workspace)
            }
            Err(error) => {
                self.note(error);
                None
            }
        }
    }

    /// A file as the beginning of a set, whether or not it is kept.
    pub fn read_alone(&mut self, path: &Path) -> Option<Rc<Set>> {
        let held = self.policies.get(path).and_then(|held| held.set.clone());
        held.or_else(|| self.loose.get(path).cloned()).or_else(|| Some(Rc::new(self.load(path))))
    }

    fn check(&mut self, path: &Path, exact: bool) -> Set {
        let Some(workspace) = self.workspace(path) else { return self.load(path) };
        self.check_with(&workspace, path, exact, &BTreeMap::new())
    }

    /// Reads a set as it would be with other texts.
    pub fn check_with(
        &self,
        workspace: &Workspace,
        path: &Path,
        exact: bool,
        edited: &BTreeMap<PathBuf, String>,
    ) -> Set {
        let disk = workspace.disk();
        let files = Buffers::new(disk, &self.documents, edited);
        let verdict = workspace.check_over(path, &relative(disk.root(), path), &files, exact);
        Set {
            root: path.to_owned(),
            home: disk.root().to_owned(),
            sources: verdict.sources,
            files: verdict.files,
            findings: verdict.everything,
            catalog: verdict.catalog,
            checked: verdict.checked,
            tree: verdict.tree,
            exact,
            prove: prove::Options { fuel: self.how.fuel.unwrap_or(workspace.settings.fuel), today: None },
            asked: Asked::default(),
        }
    }

    /// Reads a file that no policy uses, or something that is no file: parsing, and what it uses.
    fn load(&mut self, path: &Path) -> Set {
        let workspace = if path.is_absolute() { self.workspace(path) } else { None };
        match workspace {
            Some(workspace) => {
                let catalog = workspace.facts(path);
                let nothing = BTreeMap::new();
                let files = Buffers::new(workspace.disk(), &self.documents, &nothing);
                loaded(path, workspace.disk(), &files, catalog)
            }
            None => {
                let text = self.documents.get(path).map(|document| document.text.to_string()).unwrap_or_default();
                let alone = Alone { text };
                loose(path, Path::new(""), &path.to_string_lossy(), &alone, Arc::new(Catalog::embedded()))
            }
        }
    }
}

fn loaded(path: &Path, disk: &Disk, files: &dyn resolve::Files, catalog: Arc<Catalog>) -> Set {
    loose(path, disk.root(), &relative(disk.root(), path), files, catalog)
}

fn loose(path: &Path, home: &Path, shown: &str, files: &dyn resolve::Files, catalog: Arc<Catalog>) -> Set {
    let loaded = resolve::load(shown, files);
    // What is wrong with the files it uses is said where they are checked.
    let own = |finding: &Diagnostic| finding.span.file == FileId(0);
    Set {
        root: path.to_owned(),
        home: home.to_owned(),
        findings: loaded.findings.iter().filter(|finding| own(finding)).cloned().collect(),
        sources: loaded.sources,
        files: loaded.files,
        catalog,
        checked: None,
        tree: None,
        exact: true,
        prove: prove::Options::default(),
        asked: Asked::default(),
    }
}

/// A document that is no file: it can use nothing.
struct Alone {
    text: String,
}

impl resolve::Files for Alone {
    fn read(&self, path: &str) -> Result<String, String> {
        if path.contains(':') { Ok(self.text.clone()) } else { Err("this document is not saved yet".to_owned()) }
    }

    fn glob(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that so many policies use, open.
    fn used_by(policies: usize) -> State {
        let mut state = State::new(How { today: jiff::civil::date(2026, 11, 22), catalog: None, fuel: None });
        for at in 0..policies {
            let text = "use \"models.route\"\nrule x { when streaming }\n";
            state.index.update(Path::new(&format!("/w/{at:03}.route")), Some(text));
        }
        state.documents.open(Uri("file:///w/models.route".to_owned()), 1, "route 1\n");
        state.touched(Path::new("/w/models.route"));
        state
    }

    #[test]
    fn so_many_policies_are_kept_and_no_more() {
        let mut state = used_by(MAX_POLICIES);
        assert_eq!((state.policies.len(), state.notes()), (MAX_POLICIES, Vec::new()));
        let mut state = used_by(MAX_POLICIES + 1);
        assert_eq!(state.policies.len(), MAX_POLICIES);
        let notes = state.notes();
        assert_eq!(notes, ["more than 64 policies use the open files; only so many are checked here"]);
        state.touched(Path::new("/w/models.route"));
        assert!(state.notes().is_empty(), "the same is said once");
        assert_eq!(state.others(Path::new("/w/models.route")), 1);
    }
}
