//! Findings as a Checkstyle report, which most build servers read.
//!
//! In: findings in page order. Out: one document, a `file` for each file with findings. Must not know: build servers.

use std::fmt;

use super::xml::Document;
use crate::policy::diagnostic::{Diagnostic, Level};
use crate::policy::source::Sources;

/// Of the report's shape, as Checkstyle itself writes it.
const VERSION: &str = "4.3";

/// Writes the report; without a `file` when clean.
pub fn checkstyle(findings: &[Diagnostic], sources: &Sources, out: &mut dyn fmt::Write) -> fmt::Result {
    let mut document = Document::new().map_err(|_| fmt::Error)?;
    let files = findings.chunk_by(|a, b| a.span.file == b.span.file);
    let written = document.element("checkstyle", &[("version", VERSION)], |document| {
        for list in files {
            let path = super::path(&list[0], sources);
            document.element("file", &[("name", path)], |document| {
                for finding in list {
                    let at = sources.file(finding.span.file).place(finding.span.lo);
                    document.empty(
                        "error",
                        &[
                            ("line", &at.line.to_string()),
                            ("column", &at.column.to_string()),
                            ("severity", severity(finding.level)),
                            ("message", &finding.message),
                            ("source", &format!("wayside.{}.{}", finding.code.code, finding.code.name)),
                        ],
                    )?;
                }
                Ok(())
            })?;
        }
        Ok(())
    });
    written.map_err(|_| fmt::Error)?;
    document.finish(out)
}

const fn severity(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Info | Level::Pedantic => "info",
    }
}
