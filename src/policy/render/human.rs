//! Findings for people: the source, marked where it is wrong (section 7.2).
//!
//! In: findings. Out: text drawn by annotate-snippets, with or without colors. Must not know: whether it is a terminal.

use std::fmt;

use annotate_snippets::renderer::DEFAULT_LINE_NUM_STYLE;
use annotate_snippets::{AnnotationKind, Element, Group, Level as Severity, Renderer, Snippet};
use anstyle::Style;

use super::HasPage;
use crate::policy::diagnostic::{Diagnostic, Level};
use crate::policy::source::{FileId, Sources, Span};

/// Columns a line may take before annotate-snippets cuts it.
const WIDTH: usize = 140;

/// Writes every finding, and an empty line behind each.
pub fn human(
    findings: &[Diagnostic],
    sources: &Sources,
    color: bool,
    has_page: HasPage<'_>,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() }.term_width(WIDTH);
    for finding in findings {
        writeln!(out, "{}", renderer.render(&report(finding, sources)))?;
        if has_page(finding.code) {
            let mark = if color { DEFAULT_LINE_NUM_STYLE } else { Style::new() };
            let margin = " ".repeat(margin(finding, sources));
            writeln!(out, "{margin} {mark}={mark:#} more: wayside explain {}", finding.code.code)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// How wide the column of line numbers is.
fn margin(finding: &Diagnostic, sources: &Sources) -> usize {
    let spans = finding.labels.iter().map(|label| label.span).chain([finding.span]);
    let last = spans.map(|span| sources.file(span.file).place(span.lo).line).max().unwrap_or(1);
    last.to_string().len()
}

fn report<'a>(finding: &'a Diagnostic, sources: &'a Sources) -> Vec<Group<'a>> {
    let mut main = severity(finding.level)
        .primary_title(&*finding.message)
        .id(finding.code.code)
        .elements(snippets(finding, sources));
    let bare = |text: String| Severity::NOTE.no_name().message(text);
    if let Some(witness) = &finding.witness {
        main = main.element(bare(format!("for example: {}", super::witness_words(witness))));
    }
    for note in &finding.notes {
        // A sentence about the example stands beside it; everything else is a note of its own.
        main =
            main.element(if finding.witness.is_some() { bare(note.clone()) } else { Severity::NOTE.message(&**note) });
    }
    match &finding.help {
        Some(help) => vec![main, Group::with_title(Severity::HELP.secondary_title(&**help))],
        None => vec![main],
    }
}

fn severity(level: Level) -> Severity<'static> {
    match level {
        Level::Error => Severity::ERROR,
        Level::Warning => Severity::WARNING,
        Level::Info => Severity::NOTE,
        Level::Pedantic => Severity::INFO.with_name("pedantic"),
    }
}

/// One snippet a file, the finding's own first.
fn snippets<'a>(finding: &'a Diagnostic, sources: &'a Sources) -> Vec<Element<'a>> {
    let mut files: Vec<FileId> = vec![finding.span.file];
    for label in &finding.labels {
        if !files.contains(&label.span.file) {
            files.push(label.span.file);
        }
    }
    files.into_iter().map(|file| snippet(finding, file, sources).into()).collect()
}

/// The lines of one file from the first mark to the last. Cutting the file there keeps the cost of a finding independent of
/// the length of its file.
fn snippet<'a>(
    finding: &'a Diagnostic,
    file: FileId,
    sources: &'a Sources,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let source = sources.file(file);
    let text: &'a str = &source.text;
    let mut marks: Vec<(AnnotationKind, Span, &'a str)> = vec![];
    if finding.span.file == file {
        marks.push((AnnotationKind::Primary, finding.span, &finding.here));
    }
    marks.extend(
        finding
            .labels
            .iter()
            .filter(|label| label.span.file == file)
            .map(|label| (AnnotationKind::Context, label.span, &*label.text)),
    );
    let lowest = marks.iter().map(|(_, span, _)| span.lo as usize).min().unwrap_or(0).min(text.len());
    let highest = marks.iter().map(|(_, span, _)| span.hi as usize).max().unwrap_or(0).clamp(lowest, text.len());
    let from = text[..lowest].rfind('\n').map_or(0, |at| at + 1);
    let to = text[highest..].find('\n').map_or(text.len(), |at| highest + at);
    let annotations = marks.into_iter().map(|(kind, span, label)| {
        let (lo, hi) = (span.lo as usize - from, first_line_end(text, span) - from);
        let annotation = kind.span(lo..hi.max(lo));
        if label.is_empty() { annotation } else { annotation.label(label) }
    });
    Snippet::source(&text[from..to])
        .line_start(source.place(from as u32).line as usize)
        .path(&*source.path)
        .annotations(annotations)
}

/// A mark over several lines is drawn under its first: the reader needs where it begins, not its shape.
fn first_line_end(text: &str, span: Span) -> usize {
    let (lo, hi) = (span.lo as usize, span.hi as usize);
    let line = text.get(lo..hi).and_then(|marked| marked.find('\n')).map_or(hi, |at| lo + at);
    line - usize::from(text[lo..line].ends_with('\r'))
}
