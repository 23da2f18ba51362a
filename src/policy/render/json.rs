//! Findings as JSON (section 8.2). Changes to these shapes are additive.
//!
//! In: findings, what was checked. Out: documents to serialize. Must not know: where they are written.

use super::Summary;
use super::fingerprints::fingerprints;
use crate::policy::diagnostic::{Diagnostic, Edit, Fix, Witness};
use crate::policy::source::{Sources, Span};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// Version of every document's shape.
const SCHEMA: u32 = 1;

/// The version of this tool, as every document carries it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A document: every one begins alike, whatever it is about.
#[derive(Debug, serde::Serialize)]
pub struct Document<Body> {
    schema: u32,
    tool: &'static str,
    version: &'static str,
    #[serde(flatten)]
    head: Head,
    #[serde(flatten)]
    body: Body,
}

impl<Body: Serialize> Document<Body> {
    /// With what it is about, and what it says.
    pub const fn new(head: Head, body: Body) -> Self {
        Self { schema: SCHEMA, tool: "wayside", version: VERSION, head, body }
    }

    /// As text, ending in a newline.
    ///
    /// # Errors
    /// None that can happen for plain data.
    pub fn pretty(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

/// What a document is about.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Head {
    /// The verb: `check`.
    pub command: String,
    /// The policy's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// `sha256:…`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_hash: Option<String>,
    /// The day the catalog is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catalog: Option<String>,
    /// The day dates were judged by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub today: Option<String>,
}

impl Head {
    /// Of a verb.
    pub fn of(command: &str) -> Self {
        Self { command: command.to_owned(), ..Self::default() }
    }

    /// Of a verb about one policy.
    pub fn of_policy(command: &str, policy: &str, hash: &str) -> Self {
        Self { policy: Some(policy.to_owned()), policy_hash: Some(hash.to_owned()), ..Self::of(command) }
    }
}

/// What `check` says.
#[derive(Debug, serde::Serialize)]
pub struct Checked {
    summary: Summary,
    findings: Vec<Finding>,
}

/// One finding.
#[derive(Debug, serde::Serialize)]
pub struct Finding {
    code: &'static str,
    name: &'static str,
    level: &'static str,
    message: String,
    span: Place,
    here: String,
    labels: Vec<LabelAt>,
    notes: Vec<String>,
    help: Option<String>,
    witness: Option<Example>,
    fixes: Vec<Remedy>,
    /// Stays the same while the statement does, wherever it moves.
    pub fingerprint: String,
    docs: String,
}

/// A span, with lines and columns from 1 in Unicode scalar values.
#[derive(Debug, serde::Serialize)]
pub struct Place {
    file: String,
    byte: [u32; 2],
    line: u32,
    column: u32,
    end_line: u32,
    end_column: u32,
}

#[derive(Debug, serde::Serialize)]
struct LabelAt {
    span: Place,
    text: String,
}

/// A witness as documents write it.
#[derive(Debug, serde::Serialize)]
pub struct Example {
    request: Pairs,
    readings: Pairs,
}

#[derive(Debug, serde::Serialize)]
struct Remedy {
    safe: bool,
    title: String,
    edits: Vec<Change>,
}

#[derive(Debug, serde::Serialize)]
struct Change {
    file: String,
    byte: [u32; 2],
    text: String,
}

/// Names and values in the order they were found, as an object.
#[derive(Debug)]
struct Pairs(Vec<(String, String)>);

impl Serialize for Pairs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            match whole_number(value) {
                Some(number) => map.serialize_entry(name, &number)?,
                None => map.serialize_entry(name, value)?,
            }
        }
        map.end()
    }
}

/// `2k` is 2000 in a document.
fn whole_number(text: &str) -> Option<u64> {
    let (digits, factor) = match text.as_bytes().last()? {
        b'k' => (&text[..text.len() - 1], 1_000),
        b'M' => (&text[..text.len() - 1], 1_000_000),
        _ => (text, 1),
    };
    let plain =
        digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_') && digits.as_bytes().first()?.is_ascii_digit();
    plain.then(|| digits.replace('_', "").parse::<u64>().ok()?.checked_mul(factor)).flatten()
}

/// A whole document.
pub fn document(head: Head, findings: &[Diagnostic], suppressed: usize, sources: &Sources) -> Document<Checked> {
    let summary = Summary::of(findings, suppressed);
    Document::new(head, Checked { summary, findings: self::findings(findings, sources) })
}

/// The findings alone, for documents of other shapes.
pub fn findings(findings: &[Diagnostic], sources: &Sources) -> Vec<Finding> {
    let prints = fingerprints(findings, sources);
    findings.iter().zip(prints).map(|(finding, fingerprint)| one(finding, fingerprint, sources)).collect()
}

fn one(finding: &Diagnostic, fingerprint: String, sources: &Sources) -> Finding {
    Finding {
        code: finding.code.code,
        name: finding.code.name,
        level: finding.level.word(),
        message: finding.message.clone(),
        span: place(finding.span, sources),
        here: finding.here.clone(),
        labels: finding
            .labels
            .iter()
            .map(|label| LabelAt { span: place(label.span, sources), text: label.text.clone() })
            .collect(),
        notes: finding.notes.clone(),
        help: finding.help.clone(),
        witness: finding.witness.as_deref().map(example),
        fixes: finding.fixes.iter().map(|fix| remedy(fix, sources)).collect(),
        fingerprint,
        docs: format!("wayside explain {}", finding.code.code),
    }
}

/// A span as documents write it.
pub fn place(span: Span, sources: &Sources) -> Place {
    let file = sources.file(span.file);
    let (from, to) = (file.place(span.lo), file.place(span.hi));
    Place {
        file: file.path.to_string(),
        byte: [span.lo, span.hi],
        line: from.line,
        column: from.column,
        end_line: to.line,
        end_column: to.column,
    }
}

/// A witness, with numbers as numbers.
pub fn example(witness: &Witness) -> Example {
    Example { request: Pairs(witness.request.clone()), readings: Pairs(witness.readings.clone()) }
}

fn remedy(fix: &Fix, sources: &Sources) -> Remedy {
    let change = |edit: &Edit| Change {
        file: sources.file(edit.span.file).path.to_string(),
        byte: [edit.span.lo, edit.span.hi],
        text: edit.text.clone(),
    };
    Remedy { safe: fix.safe, title: fix.title.clone(), edits: fix.edits.iter().map(change).collect() }
}
