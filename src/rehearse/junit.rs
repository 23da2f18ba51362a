//! Results as a JUnit report: a suite for each file, a case for each test.
//!
//! In: the results of files. Out: one document. Must not know: exit codes.

use std::fmt;

use super::human::{explained, title};
use super::{FileRun, Ran};
use crate::policy::render::xml::Document;
use crate::policy::source::Sources;

/// Writes the report; without a suite where nothing was run.
///
/// # Errors
/// When the document cannot be written.
pub fn junit(files: &[FileRun<'_>], out: &mut dyn fmt::Write) -> fmt::Result {
    let counts = |list: &[Ran]| (list.len(), list.iter().filter(|ran| !ran.passed()).count());
    let (tests, failures) = files.iter().map(|file| counts(file.ran)).fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
    let mut document = Document::new().map_err(|_| fmt::Error)?;
    let whole = [("name", "wayside test"), ("tests", &*tests.to_string()), ("failures", &*failures.to_string())];
    let written = document.element("testsuites", &whole, |document| {
        for file in files.iter().filter(|file| !file.ran.is_empty()) {
            let (tests, failures) = counts(file.ran);
            let suite = [("name", file.path), ("tests", &*tests.to_string()), ("failures", &*failures.to_string())];
            document.element("testsuite", &suite, |document| {
                file.ran.iter().try_for_each(|ran| case(ran, file.path, file.sources, document))
            })?;
        }
        Ok(())
    });
    written.map_err(|_| fmt::Error)?;
    document.finish(out)
}

fn case(ran: &Ran, path: &str, sources: &Sources, document: &mut Document) -> std::io::Result<()> {
    let line = sources.file(ran.span.file).place(ran.span.lo).line.to_string();
    let name = title(ran, sources);
    let attributes = [("name", &*name), ("classname", path), ("file", path), ("line", &*line)];
    if ran.passed() {
        return document.empty("testcase", &attributes);
    }
    let (text, mut message) = (explained(ran), String::new());
    if let Some(fault) = ran.faults.first() {
        message = format!("could not run: {}", fault.message);
    } else if let Some(check) = ran.checks.iter().find(|check| !check.holds) {
        message = format!("expected {} {}, actual {}", check.word, check.expected, check.actual);
    }
    document.element("testcase", &attributes, |document| document.text("failure", &[("message", &message)], &text))
}
