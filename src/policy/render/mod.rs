//! Findings as text: for people, for screen readers, for tools.
//!
//! In: [`Diagnostic`]s and the [`Sources`] they point into. Out: strings and serializable documents. Must not know: files,
//! terminals (colors are the caller's decision), exit codes. The format decides what is printed, never what is returned.

pub mod checkstyle;
pub mod fingerprints;
pub mod github;
pub mod gitlab;
pub mod human;
pub mod json;
pub mod junit;
pub mod plain;
pub mod sarif;
pub mod short;
pub mod xml;

use std::fmt::Write as _;

use super::diagnostic::{Code, Diagnostic, Level, Witness};
use super::source::Sources;

/// Whether a code has a page, so that a message may point at `wayside explain`.
pub type HasPage<'a> = &'a dyn Fn(&Code) -> bool;

/// The page of a code, if it has one.
pub type PageOf<'a> = &'a dyn Fn(&Code) -> Option<&'static str>;

/// How many findings there are of each level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// Errors.
    pub error: usize,
    /// Warnings.
    pub warning: usize,
    /// Notes.
    pub info: usize,
    /// Pedantic findings that were selected.
    pub pedantic: usize,
    /// Findings an `allow` took away.
    pub suppressed: usize,
}

impl Summary {
    /// Counts.
    pub fn of(findings: &[Diagnostic], suppressed: usize) -> Self {
        let count = |level| findings.iter().filter(|finding| finding.level == level).count();
        Self {
            error: count(Level::Error),
            warning: count(Level::Warning),
            info: count(Level::Info),
            pedantic: count(Level::Pedantic),
            suppressed,
        }
    }

    /// `2 errors, 1 warning (1 suppressed)`, or `no findings`.
    pub fn sentence(&self) -> String {
        let parts = [
            (self.error, "error"),
            (self.warning, "warning"),
            (self.info, "note"),
            (self.pedantic, "pedantic finding"),
        ];
        let parts: Vec<String> =
            parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| counted(*count, what)).collect();
        let mut sentence = if parts.is_empty() { "no findings".to_owned() } else { parts.join(", ") };
        if self.suppressed > 0 {
            let _ = write!(sentence, " ({} suppressed)", self.suppressed);
        }
        sentence
    }
}

/// `1 error`, `2 errors`
pub fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// `plan pro, prompt_tokens 2k, sonnet_slow on`
pub fn witness_words(witness: &Witness) -> String {
    let words = witness.request.iter().chain(&witness.readings).map(|(name, value)| format!("{name} {value}"));
    words.collect::<Vec<_>>().join(", ")
}

/// The path of the file a finding is in.
fn path<'s>(finding: &Diagnostic, sources: &'s Sources) -> &'s str {
    &sources.file(finding.span.file).path
}

/// Everything a finding says, without places: a line for the title, one for each fact, one for what to do.
fn story(finding: &Diagnostic) -> String {
    let mut story = finding.message.clone();
    let mut say = |before: &str, text: &str| {
        // Writing to a string cannot fail.
        let _ = write!(story, "\n{before}{text}");
    };
    if !finding.here.is_empty() {
        say("", &finding.here);
    }
    if let Some(witness) = &finding.witness {
        say("for example: ", &witness_words(witness));
    }
    finding.notes.iter().for_each(|note| say("note: ", note));
    if let Some(help) = &finding.help {
        say("help: ", help);
    }
    story
}
