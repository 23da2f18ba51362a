//! One line a finding: `support_desk.route:18:3: error[R319] …`.
//!
//! In: findings. Out: lines that editors and `grep` know. Must not know: labels, notes, fixes.

use std::fmt;

use crate::policy::diagnostic::Diagnostic;
use crate::policy::source::Sources;

/// Writes one line for each finding.
pub fn short(findings: &[Diagnostic], sources: &Sources, out: &mut dyn fmt::Write) -> fmt::Result {
    for finding in findings {
        let at = sources.file(finding.span.file).place(finding.span.lo);
        let (path, level, code) = (super::path(finding, sources), finding.level.word(), finding.code.code);
        writeln!(out, "{path}:{}:{}: {level}[{code}] {}", at.line, at.column, finding.message)?;
    }
    Ok(())
}
