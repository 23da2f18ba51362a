//! Findings as sentences, without drawings: for screen readers and plain logs.
//!
//! In: findings. Out: one paragraph each. Must not know: columns on a screen, colors.

use std::fmt;

use super::HasPage;
use crate::policy::diagnostic::Diagnostic;
use crate::policy::source::{Sources, Span};

/// Writes one paragraph for each finding, and an empty line between two.
pub fn plain(
    findings: &[Diagnostic],
    sources: &Sources,
    has_page: HasPage<'_>,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    for (at, finding) in findings.iter().enumerate() {
        if at > 0 {
            writeln!(out)?;
        }
        writeln!(out, "{} {}, {}: {}", finding.level.word(), finding.code.code, finding.code.name, finding.message)?;
        write!(out, "at: {}", place(finding.span, sources))?;
        if !finding.here.is_empty() {
            write!(out, ": {}", finding.here)?;
        }
        writeln!(out)?;
        for label in &finding.labels {
            writeln!(out, "see: {}: {}", place(label.span, sources), label.text)?;
        }
        if let Some(witness) = &finding.witness {
            writeln!(out, "for example: {}", super::witness_words(witness))?;
        }
        for note in &finding.notes {
            writeln!(out, "note: {note}")?;
        }
        if let Some(help) = &finding.help {
            writeln!(out, "help: {help}")?;
        }
        if has_page(finding.code) {
            writeln!(out, "more: wayside explain {}", finding.code.code)?;
        }
    }
    Ok(())
}

fn place(span: Span, sources: &Sources) -> String {
    let file = sources.file(span.file);
    let at = file.place(span.lo);
    format!("{} line {} column {}", file.path, at.line, at.column)
}
