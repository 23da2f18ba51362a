//! What recorded traffic and a running proxy say, added to what `check` finds in the text.

use std::sync::Arc;

use wayside::catalog::Catalog;
use wayside::policy::check::Report;
use wayside::policy::check::live::{Running, finished};
use wayside::policy::check::traffic::Counted;
use wayside::policy::diagnostic::{Diagnostic, Level, in_page_order};
use wayside::policy::replay::Line;
use wayside::policy::suppress;

/// The findings of a report with those of a request log and of the answer to `GET /status`, where there is one. `code` is wanted
/// although it may be pedantic.
pub fn findings(
    report: &Report,
    catalog: &Catalog,
    code: &str,
    log: Option<&str>,
    status: Option<&str>,
) -> Vec<Diagnostic> {
    if log.is_none() && status.is_none() {
        return report.findings.clone();
    }
    let mut all: Vec<Diagnostic> = report.everything.clone();
    all.retain(|finding| finding.level != Level::Pedantic || finding.code.code == code);
    if let (Some(log), Some(tree)) = (log, &report.compiled) {
        let mut counted = Counted::new(tree, Arc::new(catalog.clone())).unwrap();
        for (at, line) in log.lines().enumerate() {
            counted.add(at as u64 + 1, &Line::parse(line).unwrap());
        }
        assert_eq!(counted.first_left_out, None, "{code}");
        all.extend(counted.findings());
    }
    if let Some(status) = status {
        let running: Running = serde_json::from_str(status).unwrap();
        all.extend(finished(&report.checked, &report.files, &report.sources, &running));
    }
    let (mut left, _) = suppress::apply(all, &report.sources, &[]);
    in_page_order(&mut left, &report.sources);
    left
}
