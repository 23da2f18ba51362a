//! The findings of several sets as one list.
//!
//! In: findings of each set, with its own sources. Out: one list over one set of sources, judged by settings. Must not know: how
//! they are printed. A file that several policies use is read for each of them; what is wrong with it is said once.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::means;
use crate::policy::diagnostic::{CODES, Diagnostic, Level, in_page_order};
use crate::policy::source::{FileId, Sources, Span};
use crate::policy::suppress;

/// Everything found so far.
#[derive(Debug, Default)]
pub struct Findings {
    sources: Sources,
    ids: BTreeMap<Arc<str>, FileId>,
    /// Sets that read each file.
    readers: BTreeMap<FileId, usize>,
    list: Vec<Diagnostic>,
}

impl Findings {
    /// Whether some set read this file.
    pub fn has(&self, path: &str) -> bool {
        self.ids.contains_key(path)
    }

    /// Takes the findings of one set.
    pub fn add(&mut self, sources: &Sources, findings: Vec<Diagnostic>) {
        for (_, file) in sources.files() {
            let id = self.id(&file.path, &file.text);
            *self.readers.entry(id).or_default() += 1;
        }
        self.also(sources, findings);
    }

    /// Takes more findings of a set that was added.
    pub fn also(&mut self, sources: &Sources, findings: Vec<Diagnostic>) {
        let place: BTreeMap<FileId, FileId> =
            sources.files().map(|(id, file)| (id, self.id(&file.path, &file.text))).collect();
        let moved = |span: Span| Span { file: place.get(&span.file).copied().unwrap_or(span.file), ..span };
        for mut finding in findings {
            finding.span = moved(finding.span);
            finding.labels.iter_mut().for_each(|label| label.span = moved(label.span));
            for edit in finding.fixes.iter_mut().flat_map(|fix| &mut fix.edits) {
                edit.span = moved(edit.span);
            }
            self.list.push(finding);
        }
    }

    /// The file of a path in the one list.
    fn id(&mut self, path: &Arc<str>, text: &str) -> FileId {
        match self.ids.get(path) {
            Some(known) => *known,
            None => {
                let id = self.sources.add(path, text);
                self.ids.insert(path.clone(), id);
                id
            }
        }
    }

    /// What is to be shown, in page order, how many were suppressed, and the sources behind it.
    pub fn judged(&self, select: &[String], allow: &[String]) -> (Vec<Diagnostic>, usize, Sources) {
        let chosen = |finding: &Diagnostic| {
            finding.level != Level::Pedantic || select.iter().any(|name| means(name, finding.code))
        };
        let said = self.said();
        let mut list: Vec<Diagnostic> = Vec::with_capacity(self.list.len());
        // What is said twice stands at one place: only those findings are compared.
        let mut at: BTreeMap<(&str, Span), Vec<usize>> = BTreeMap::new();
        for finding in self.list.iter().filter(|finding| chosen(finding) && !self.used_elsewhere(finding, &said)) {
            let alike = at.entry((finding.code.code, finding.span)).or_default();
            if alike.iter().all(|known| list[*known] != *finding) {
                alike.push(list.len());
                list.push(finding.clone());
            }
        }
        let allowed: Vec<String> = CODES
            .iter()
            .filter(|code| allow.iter().any(|name| means(name, code)))
            .map(|code| code.code.to_owned())
            .collect();
        let (mut list, suppressed) = suppress::apply(list, &self.sources, &allowed);
        in_page_order(&mut list, &self.sources);
        (list, suppressed, self.sources.clone())
    }

    /// How often a name is said to be unused, by its place.
    fn said(&self) -> BTreeMap<Span, usize> {
        let mut said = BTreeMap::new();
        for finding in self.list.iter().filter(|finding| matches!(finding.code.code, "R109" | "R913")) {
            *said.entry(finding.span).or_default() += 1;
        }
        said
    }

    /// A name of a shared file is unused only when no policy of this run uses it; likewise a rule and its tests.
    fn used_elsewhere(&self, finding: &Diagnostic, said: &BTreeMap<Span, usize>) -> bool {
        let sets = self.readers.get(&finding.span.file).copied().unwrap_or(0);
        matches!(finding.code.code, "R109" | "R913") && said.get(&finding.span).is_some_and(|said| *said < sets)
    }
}
