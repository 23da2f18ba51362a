//! Findings as SARIF 2.1.0, for code scanning services.
//!
//! In: findings. Out: one log with one run, which declares every rule, fired or not. Must not know: which service reads it.
//!
//! Fields are those of the OASIS standard (SARIF 2.1.0 with errata 01); columns count Unicode scalar values.

use std::collections::BTreeMap;

use serde::Serialize;

use super::json::{Example, example};
use super::{PageOf, fingerprints::fingerprints};
use crate::policy::diagnostic::{CODES, Code, Diagnostic, Edit, Fix, Level};
use crate::policy::source::{Sources, Span};

/// Where the schema of the format is published.
const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// The name of our fingerprint, with its version.
const FINGERPRINT: &str = "waysideFinding/v1";

/// A whole log.
#[derive(Debug, Serialize)]
pub struct Log {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    invocations: [Invocation; 1],
    column_kind: &'static str,
    results: Vec<Finding>,
}

#[derive(Debug, Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    semantic_version: &'static str,
    rules: Vec<Rule>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: &'static str,
    name: &'static str,
    short_description: Text,
    help: Text,
    default_configuration: Configuration,
}

#[derive(Debug, Serialize)]
struct Configuration {
    enabled: bool,
    level: &'static str,
}

#[derive(Debug, Serialize)]
struct Text {
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    markdown: Option<&'static str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_execution_notifications: Vec<Notification>,
}

#[derive(Debug, Serialize)]
struct Notification {
    level: &'static str,
    message: Text,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    rule_id: &'static str,
    rule_index: usize,
    level: &'static str,
    message: Text,
    locations: [Location; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Location>,
    partial_fingerprints: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fixes: Vec<Remedy>,
    #[serde(skip_serializing_if = "Properties::is_empty")]
    properties: Properties,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<usize>,
    physical_location: Physical,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Text>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Artifact,
    region: Region,
}

#[derive(Debug, Serialize)]
struct Artifact {
    uri: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u32,
    start_column: u32,
    end_line: u32,
    end_column: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Remedy {
    description: Text,
    artifact_changes: Vec<ArtifactChange>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactChange {
    artifact_location: Artifact,
    replacements: Vec<Replacement>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Replacement {
    deleted_region: Region,
    inserted_content: Text,
}

#[derive(Debug, Serialize)]
struct Properties {
    #[serde(skip_serializing_if = "Option::is_none")]
    witness: Option<Example>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

impl Properties {
    fn is_empty(&self) -> bool {
        self.witness.is_none() && self.notes.is_empty() && self.help.is_none()
    }
}

/// A log of one run. `faults` are what kept the tool from doing all of its job.
pub fn log(findings: &[Diagnostic], sources: &Sources, page: PageOf<'_>, faults: &[String]) -> Log {
    let fired = |code: &Code| findings.iter().any(|finding| finding.code == code);
    let rules = CODES.iter().map(|code| rule(code, page(code).filter(|_| fired(code)))).collect();
    let results = findings.iter().zip(fingerprints(findings, sources));
    let notify = |fault: &String| Notification { level: "error", message: text(fault.clone()) };
    Log {
        schema: SCHEMA,
        version: "2.1.0",
        runs: [Run {
            tool: Tool { driver: Driver { name: "wayside", semantic_version: env!("CARGO_PKG_VERSION"), rules } },
            invocations: [Invocation {
                execution_successful: faults.is_empty(),
                tool_execution_notifications: faults.iter().map(notify).collect(),
            }],
            column_kind: "unicodeCodePoints",
            results: results.map(|(finding, print)| one(finding, print, sources)).collect(),
        }],
    }
}

/// Pages of rules that did not fire are left out: a document would be all pages.
fn rule(code: &'static Code, page: Option<&'static str>) -> Rule {
    Rule {
        id: code.code,
        name: code.name,
        short_description: text(code.name.replace('-', " ")),
        help: Text { text: format!("wayside explain {}", code.code), markdown: page },
        default_configuration: Configuration { enabled: code.level != Level::Pedantic, level: level(code.level) },
    }
}

fn one(finding: &Diagnostic, fingerprint: String, sources: &Sources) -> Finding {
    let related = |(at, label): (usize, &crate::policy::diagnostic::Label)| Location {
        id: Some(at + 1),
        message: Some(text(label.text.clone())),
        ..location(label.span, sources)
    };
    Finding {
        rule_id: finding.code.code,
        rule_index: CODES.iter().position(|code| *code == finding.code).unwrap_or_default(),
        level: level(finding.level),
        message: text(super::story(finding)),
        locations: [location(finding.span, sources)],
        related_locations: finding.labels.iter().enumerate().map(related).collect(),
        partial_fingerprints: BTreeMap::from([(FINGERPRINT, fingerprint)]),
        fixes: finding.fixes.iter().map(|fix| remedy(fix, sources)).collect(),
        properties: Properties {
            witness: finding.witness.as_deref().map(example),
            notes: finding.notes.clone(),
            help: finding.help.clone(),
        },
    }
}

const fn level(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Info | Level::Pedantic => "note",
    }
}

const fn text(text: String) -> Text {
    Text { text, markdown: None }
}

fn location(span: Span, sources: &Sources) -> Location {
    let file = sources.file(span.file);
    let (from, to) = (file.place(span.lo), file.place(span.hi));
    let region = Region { start_line: from.line, start_column: from.column, end_line: to.line, end_column: to.column };
    let physical_location = Physical { artifact_location: Artifact { uri: uri(&file.path) }, region };
    Location { id: None, physical_location, message: None }
}

fn remedy(fix: &Fix, sources: &Sources) -> Remedy {
    let mut files: Vec<(String, Vec<Replacement>)> = Vec::new();
    for Edit { span, text: inserted } in &fix.edits {
        let Physical { artifact_location: Artifact { uri }, region } = location(*span, sources).physical_location;
        let replacement = Replacement { deleted_region: region, inserted_content: text(inserted.clone()) };
        match files.iter_mut().find(|(known, _)| *known == uri) {
            Some((_, replacements)) => replacements.push(replacement),
            None => files.push((uri, vec![replacement])),
        }
    }
    let change = |(uri, replacements)| ArtifactChange { artifact_location: Artifact { uri }, replacements };
    Remedy { description: text(fix.title.clone()), artifact_changes: files.into_iter().map(change).collect() }
}

/// A path as a relative reference of RFC 3986: what is not unreserved, `/` or harmless in a path is percent-encoded.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    // A first segment with a colon would read as a scheme.
    if path.split('/').next().is_some_and(|first| first.contains(':')) {
        uri.push_str("./");
    }
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z'
            | b'a'..=b'z'
            | b'0'..=b'9'
            | b'-'
            | b'.'
            | b'_'
            | b'~'
            | b'/'
            | b'@'
            | b'+'
            | b','
            | b'='
            | b':' => {
                uri.push(byte.into());
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_relative_reference() {
        assert_eq!(uri("policies/größe 1.route"), "policies/gr%C3%B6%C3%9Fe%201.route");
        assert_eq!(uri("a:b.route"), "./a:b.route");
        assert_eq!(uri("../100%.route"), "../100%25.route");
    }
}
