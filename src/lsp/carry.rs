//! What was proven before an edit, until it is proven again.
//!
//! In: the last exact findings, and the set after an edit. Out: those findings at their new places. Must not know: documents.
//! Without it a dead rule would lose its gray at every keystroke and get it back a moment later.

use std::path::PathBuf;
use std::sync::Arc;

use super::set::Set;
use crate::policy::diagnostic::Diagnostic;
use crate::policy::source::{FileId, Span};

/// Findings that only the exact analysis gives, and the texts they are about.
pub struct Proven {
    findings: Vec<Diagnostic>,
    files: Vec<(PathBuf, Arc<str>)>,
}

impl Proven {
    /// Of an exact reading: what the quick reading before it did not say.
    pub fn of(set: &Set, quick: &[Diagnostic]) -> Self {
        let findings = set.findings.iter().filter(|finding| !quick.contains(finding)).cloned().collect();
        let files = set.sources.files().map(|(id, file)| (set.path(id), file.text.clone())).collect();
        Self { findings, files }
    }
}

/// The findings whose every place survived the edit.
pub fn carried(proven: &Proven, set: &Set) -> Vec<Diagnostic> {
    let moves: Vec<Option<Move>> = proven.files.iter().map(|(path, before)| Move::between(before, path, set)).collect();
    let moved = |span: Span| moves.get(usize::from(span.file.0))?.as_ref()?.span(span);
    let one = |finding: &Diagnostic| {
        let mut finding = finding.clone();
        finding.span = moved(finding.span)?;
        for label in &mut finding.labels {
            label.span = moved(label.span)?;
        }
        for edit in finding.fixes.iter_mut().flat_map(|fix| &mut fix.edits) {
            edit.span = moved(edit.span)?;
        }
        Some(finding)
    };
    proven.findings.iter().filter_map(one).filter(|finding| !set.findings.contains(finding)).collect()
}

/// How places of a text before an edit are found after it.
struct Move {
    file: FileId,
    /// Bytes alike at the beginning.
    head: usize,
    /// Where, before, the bytes alike at the end begin.
    tail: usize,
    before: usize,
    after: usize,
}

impl Move {
    fn between(before: &str, path: &std::path::Path, set: &Set) -> Option<Self> {
        let file = set.file(path)?;
        let after = set.text(file);
        let most = before.len().min(after.len());
        let head = before.bytes().zip(after.bytes()).take_while(|(a, b)| a == b).count();
        let back = before.bytes().rev().zip(after.bytes().rev()).take(most - head).take_while(|(a, b)| a == b).count();
        Some(Self { file, head, tail: before.len() - back, before: before.len(), after: after.len() })
    }

    fn span(&self, span: Span) -> Option<Span> {
        let (lo, hi) = (span.lo as usize, span.hi as usize);
        if hi <= self.head {
            return Some(Span { file: self.file, ..span });
        }
        let place = |at: usize| (at + self.after).checked_sub(self.before).map(|at| at as u32);
        // An edit inside a place only makes it longer or shorter when the place is around all of it.
        match (lo >= self.tail, lo <= self.head && hi >= self.tail) {
            (true, _) => Some(Span { file: self.file, lo: place(lo)?, hi: place(hi)? }),
            (false, true) => Some(Span { file: self.file, lo: span.lo, hi: place(hi)? }),
            (false, false) => None,
        }
    }
}
