//! By what a finding is known from one run to the next.
//!
//! In: findings. Out: one fingerprint each, for baselines and for services that keep a list of alerts. Must not know: documents.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::policy::diagnostic::Diagnostic;
use crate::policy::outline::Outline;
use crate::policy::source::{FileId, Sources};

/// Hex digits of a fingerprint: enough that two findings of one project never share one by chance.
const DIGITS: usize = 32;

/// One fingerprint a finding, over its code, the first words of its declaration and its statement without layout. A finding that
/// only moved, within its file or into another, keeps its fingerprint; one whose statement changed gets another.
///
/// What stands outside every declaration is known by the name of its file. Several findings that would share a fingerprint are
/// numbered in page order, so that each has its own.
pub fn fingerprints(findings: &[Diagnostic], sources: &Sources) -> Vec<String> {
    let mut seen: BTreeMap<[String; 3], usize> = BTreeMap::new();
    let keys = keys(findings, sources).into_iter();
    let numbered = keys.map(|key| {
        let before = seen.entry(key.clone()).or_default();
        *before += 1;
        print(&key, *before)
    });
    numbered.collect()
}

/// Likewise without numbers: findings that look alike have the same, whichever files a run reads.
pub fn unnumbered(findings: &[Diagnostic], sources: &Sources) -> Vec<String> {
    keys(findings, sources).iter().map(|key| print(key, 1)).collect()
}

/// Code, declaration, statement.
fn keys(findings: &[Diagnostic], sources: &Sources) -> Vec<[String; 3]> {
    let mut outlines: BTreeMap<FileId, Outline> = BTreeMap::new();
    let key = |finding: &Diagnostic| {
        let file = sources.file(finding.span.file);
        let outline = outlines.entry(finding.span.file).or_insert_with(|| Outline::of(finding.span.file, file));
        let title = outline.declaration_at(finding.span.lo).map(|line| outline.title(line, &file.text));
        let statement = outline.line_at(finding.span.lo).map(|line| outline.normalized(line, &file.text));
        let title = title.unwrap_or_else(|| file.path.rsplit('/').next().unwrap_or(&file.path).to_owned());
        [finding.code.code.to_owned(), title, statement.unwrap_or_default()]
    };
    findings.iter().map(key).collect()
}

fn print(key: &[String; 3], nth: usize) -> String {
    let mut hash = Sha256::new();
    for part in key {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    if nth > 1 {
        hash.update(nth.to_string().as_bytes());
    }
    hash.finalize().iter().take(DIGITS / 2).map(|byte| format!("{byte:02x}")).collect()
}
