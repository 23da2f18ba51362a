//! Findings as a JUnit report: a suite for each file with findings, a case for each finding.
//!
//! In: findings in page order, and which of them fail the run. Out: one document. Must not know: exit codes.

use std::fmt;

use super::xml::Document;
use crate::policy::diagnostic::Diagnostic;
use crate::policy::source::Sources;

/// Writes the report; without a suite when clean. A finding that does not fail the run is a case that passed and has something
/// to say.
pub fn junit(
    findings: &[Diagnostic],
    sources: &Sources,
    fails: &dyn Fn(&Diagnostic) -> bool,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    let counts =
        |list: &[Diagnostic]| (list.len().to_string(), list.iter().filter(|one| fails(one)).count().to_string());
    let (tests, failures) = counts(findings);
    let mut document = Document::new().map_err(|_| fmt::Error)?;
    let whole = [("name", "wayside check"), ("tests", &*tests), ("failures", &*failures)];
    let written = document.element("testsuites", &whole, |document| {
        for list in findings.chunk_by(|a, b| a.span.file == b.span.file) {
            let (tests, failures) = counts(list);
            let path = super::path(&list[0], sources);
            document.element(
                "testsuite",
                &[("name", path), ("tests", &tests), ("failures", &failures)],
                |document| list.iter().try_for_each(|finding| case(finding, path, sources, fails(finding), document)),
            )?;
        }
        Ok(())
    });
    written.map_err(|_| fmt::Error)?;
    document.finish(out)
}

fn case(
    finding: &Diagnostic,
    path: &str,
    sources: &Sources,
    fails: bool,
    document: &mut Document,
) -> std::io::Result<()> {
    let at = sources.file(finding.span.file).place(finding.span.lo);
    let line = at.line.to_string();
    let name = format!("{} {} at {}:{}", finding.code.code, finding.code.name, at.line, at.column);
    let text = format!("{path}:{}:{}: {}\n", at.line, at.column, super::story(finding));
    let attributes = [("name", &*name), ("classname", path), ("file", path), ("line", &*line)];
    document.element("testcase", &attributes, |document| match fails {
        true => document.text("failure", &[("type", finding.level.word()), ("message", &finding.message)], &text),
        false => document.text("system-out", &[], &format!("{}: {text}", finding.level.word())),
    })
}
