//! One set as last read: texts, trees, findings, and what can be asked about it.
//!
//! In: what the checker answered. Out: places, names, what reaches a rule. Must not know: messages, the editor.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gen_lsp_types::Range;

use super::buffers::{absolute, relative};
use super::position::{Encoding, Lines};
use super::symbols::Symbols;
use crate::catalog::Catalog;
use crate::policy::ast::{self, Item};
use crate::policy::checked::{Checked, RuleId};
use crate::policy::diagnostic::Diagnostic;
use crate::policy::prove::{self, Reach};
use crate::policy::source::{FileId, Sources, Span};
use crate::policy::tree::Tree;

/// A policy with what it uses, or a file that no policy uses.
pub struct Set {
    /// The file it begins with.
    pub root: PathBuf,
    /// The workspace; paths in `sources` are relative to it.
    pub home: PathBuf,
    /// Texts.
    pub sources: Sources,
    /// One tree for each source.
    pub files: Vec<ast::File>,
    /// Every finding, allowed or not.
    pub findings: Vec<Diagnostic>,
    /// Facts with the overlay.
    pub catalog: Arc<Catalog>,
    /// What was meant; `None` for a file that no policy uses.
    pub checked: Option<Arc<Checked>>,
    /// Compiled; only after the exact analysis found nothing that forbids it.
    pub tree: Option<Tree>,
    /// Whether the exact analysis has been asked.
    pub exact: bool,
    /// Steps of the analysis.
    pub prove: prove::Options,
    /// What was asked before.
    pub asked: Asked,
}

/// Answers that are made once for each reading of a set.
#[derive(Default)]
pub struct Asked {
    symbols: OnceCell<Symbols>,
    lines: RefCell<BTreeMap<FileId, Arc<Lines>>>,
    reach: RefCell<BTreeMap<RuleId, Option<Reach>>>,
}

impl Set {
    /// Where a file of the set is.
    pub fn path(&self, file: FileId) -> PathBuf {
        absolute(&self.home, &self.sources.file(file).path)
    }

    /// The file at a path, if the set has it.
    pub fn file(&self, path: &Path) -> Option<FileId> {
        let shown = relative(&self.home, path);
        self.sources.files().find(|(_, file)| *file.path == *shown).map(|(id, _)| id)
    }

    /// The names of the set.
    pub fn symbols(&self) -> &Symbols {
        self.asked.symbols.get_or_init(|| Symbols::of(&self.files))
    }

    /// The text of a file.
    pub fn text(&self, file: FileId) -> &str {
        &self.sources.file(file).text
    }

    /// The lines of a file.
    pub fn lines(&self, file: FileId) -> Arc<Lines> {
        let mut known = self.asked.lines.borrow_mut();
        Arc::clone(known.entry(file).or_insert_with(|| Arc::new(Lines::of(self.text(file)))))
    }

    /// A span as an editor counts.
    pub fn range(&self, span: Span, encoding: Encoding) -> Range {
        self.lines(span.file).range(self.text(span.file), span.lo as usize, span.hi as usize, encoding)
    }

    /// The declaration a place is in.
    pub fn item(&self, file: FileId, offset: u32) -> Option<&Item> {
        let items = &self.files.get(usize::from(file.0))?.items;
        items.iter().find(|item| item.span.lo <= offset && offset <= item.span.hi)
    }

    /// The rule whose name or text a place is in.
    pub fn rule(&self, file: FileId, offset: u32) -> Option<RuleId> {
        let inside = |span: Span| span.file == file && span.lo <= offset && offset <= span.hi;
        self.checked.as_ref()?.rules.iter().position(|rule| inside(rule.whole)).map(|at| RuleId(at as u32))
    }

    /// What reaches a rule. `None`: nothing, or the analysis cannot say; `check` says which.
    pub fn reach(&self, rule: RuleId) -> Option<Reach> {
        self.reaches(&[rule]).pop().flatten()
    }

    /// What reaches each of some rules.
    pub fn reaches(&self, rules: &[RuleId]) -> Vec<Option<Reach>> {
        let Some(checked) = self.checked.as_ref().filter(|_| self.conditions_stand()) else {
            return vec![None; rules.len()];
        };
        let mut known = self.asked.reach.borrow_mut();
        let missing: Vec<RuleId> = rules.iter().copied().filter(|rule| !known.contains_key(rule)).collect();
        if !missing.is_empty() {
            let found = prove::reach(checked, &missing, self.prove);
            known.extend(missing.into_iter().zip(found));
        }
        rules.iter().map(|rule| known.get(rule).cloned().flatten()).collect()
    }

    /// Of rules that lost a condition to a misspelled name, nothing true can be said.
    fn conditions_stand(&self) -> bool {
        crate::policy::check::conditions_stand(&self.findings)
    }
}
