//! Findings as workflow commands of GitHub Actions, and as the table of a step's summary.
//!
//! In: findings. Out: lines for standard output; Markdown. Must not know: where the summary is written.

use std::fmt::{self, Write as _};

use crate::policy::diagnostic::{Diagnostic, Level};
use crate::policy::source::Sources;

/// Annotations of one level that GitHub shows for one step; later ones are dropped there without a word.
pub const MAX_ANNOTATIONS: usize = 10;
/// Rows of the table. A step's summary may have 1 MiB, and one that is larger is dropped as a whole.
pub const MAX_ROWS: usize = 1_000;
/// Characters of a cell: rows × cells × bytes stay below that limit.
pub const MAX_CELL: usize = 200;

/// Errors first, then warnings, then notices, as many of each as GitHub shows, and one notice that counts the rest.
pub fn commands(findings: &[Diagnostic], sources: &Sources, out: &mut dyn fmt::Write) -> fmt::Result {
    let of = |word: &str| findings.iter().filter(|finding| command(finding.level) == word).collect::<Vec<_>>();
    let (errors, warnings, notices) = (of("error"), of("warning"), of("notice"));
    let over = |list: &[&Diagnostic]| list.len().saturating_sub(MAX_ANNOTATIONS);
    // The notice that counts the rest takes the place of one.
    let left_out = over(&errors) + over(&warnings) + over(&notices) > 0;
    let room = MAX_ANNOTATIONS - usize::from(left_out);
    let mut shown = 0;
    for (list, most) in [(errors, MAX_ANNOTATIONS), (warnings, MAX_ANNOTATIONS), (notices, room)] {
        for finding in list.iter().take(most) {
            annotation(finding, sources, out)?;
            shown += 1;
        }
    }
    if shown < findings.len() {
        writeln!(out, "::notice title=wayside check::and {} more", findings.len() - shown)?;
    }
    Ok(())
}

fn annotation(finding: &Diagnostic, sources: &Sources, out: &mut dyn fmt::Write) -> fmt::Result {
    let file = sources.file(finding.span.file);
    let (from, to) = (file.place(finding.span.lo), file.place(finding.span.hi));
    write!(out, "::{} file={},line={}", command(finding.level), property(&file.path), from.line)?;
    // Columns mean something only on one line.
    match from.line == to.line {
        true => write!(out, ",col={},endColumn={}", from.column, to.column)?,
        false => write!(out, ",endLine={}", to.line)?,
    }
    let title = format!("{} {}", finding.code.code, finding.code.name);
    writeln!(out, ",title={}::{}", property(&title), data(&super::story(finding)))
}

/// The whole list as Markdown; one sentence when clean.
pub fn summary(findings: &[Diagnostic], sources: &Sources, sentence: &str) -> String {
    let mut text = format!("### wayside check: {sentence}\n\n");
    if !findings.is_empty() {
        text.push_str("| level | finding | where | what |\n|---|---|---|---|\n");
    }
    for finding in findings.iter().take(MAX_ROWS) {
        let file = sources.file(finding.span.file);
        let (level, code, name) = (finding.level.word(), finding.code.code, finding.code.name);
        let place = format!("{}:{}", file.path, file.place(finding.span.lo).line);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {level} | {code} {name} | {} | {} |", cell(&place), cell(&finding.message));
    }
    if findings.len() > MAX_ROWS {
        let _ = writeln!(text, "\nand {} more", findings.len() - MAX_ROWS);
    }
    text.push('\n');
    text
}

const fn command(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Info | Level::Pedantic => "notice",
    }
}

/// What follows `::`, as the runner unescapes it.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Text that stays inside its cell, whatever it quotes.
fn cell(text: &str) -> String {
    let short: String = text.chars().take(MAX_CELL).collect();
    let short = short.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;").replace(['\n', '\r'], " ");
    if text.chars().nth(MAX_CELL).is_some() { format!("{short}…") } else { short }
}
