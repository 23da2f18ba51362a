//! Findings as a GitLab code quality report.
//!
//! In: findings. Out: one list, as GitLab documents it (Code Quality, "Import code quality results", read 2026-11-25). Must not
//! know: jobs, artifacts.

use serde::Serialize;

use super::fingerprints::fingerprints;
use crate::policy::diagnostic::{Diagnostic, Level};
use crate::policy::source::Sources;

/// One entry of the list.
#[derive(Debug, Serialize)]
pub struct Issue {
    description: String,
    check_name: &'static str,
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Debug, Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Debug, Serialize)]
struct Lines {
    begin: u32,
    end: u32,
}

/// The whole report; an empty list when clean.
pub fn issues(findings: &[Diagnostic], sources: &Sources) -> Vec<Issue> {
    let one = |(finding, fingerprint): (&Diagnostic, String)| {
        let file = sources.file(finding.span.file);
        Issue {
            description: format!("{}: {}", finding.code.code, finding.message),
            check_name: finding.code.name,
            fingerprint,
            severity: severity(finding.level),
            location: Location {
                path: file.path.to_string(),
                lines: Lines { begin: file.place(finding.span.lo).line, end: file.place(finding.span.hi).line },
            },
        }
    };
    findings.iter().zip(fingerprints(findings, sources)).map(one).collect()
}

/// Of `info`, `minor`, `major`, `critical` and `blocker`, what a policy finding can mean: an error keeps a policy from being served.
const fn severity(level: Level) -> &'static str {
    match level {
        Level::Error => "critical",
        Level::Warning => "major",
        Level::Info => "minor",
        Level::Pedantic => "info",
    }
}
