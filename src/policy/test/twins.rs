//! Tests that say the same twice: R915.
//!
//! In: the cases of a set. Out: a finding for each repetition. Must not know: results.

use rustc_hash::FxHashMap;

use super::super::diagnostic::{Diagnostic, R915};
use super::super::resolve::Desk;
use super::super::source::Span;
use super::Case;

/// Reports tests of one name, and requests that are asked twice with the same expectations.
pub(super) fn report(cases: &[Case], desk: &mut Desk<'_>) {
    let mut names: FxHashMap<&str, Span> = FxHashMap::default();
    let mut seen: FxHashMap<String, &Case> = FxHashMap::default();
    for case in cases.iter().filter(|case| case.asked.is_some()) {
        if case.row.is_none()
            && let Some(first) = names.insert(&case.name, case.span)
        {
            let message = format!("two tests are called `{}`", case.name);
            let finding = Diagnostic::new(&R915, case.span, message).label(first, "the first");
            desk.report(finding.help("give one of them a name that says how they differ"));
            continue;
        }
        if let Some(first) = seen.insert(says(case), case) {
            let message = match (case.row, first.row) {
                (Some(row), Some(earlier)) if case.name == first.name => {
                    format!("row {row} asks what row {earlier} has asked, and expects the same")
                }
                _ => format!("this asks what `{}` has asked, and expects the same", first.name),
            };
            let finding = Diagnostic::new(&R915, case.span, message).label(first.span, "asked here");
            desk.report(finding.help("delete one of the two"));
        }
    }
}

/// Everything a case says, in one order.
fn says(case: &Case) -> String {
    let pairs = |list: &[super::Input]| {
        let mut pairs: Vec<String> = list.iter().map(|one| format!("{}={}", one.name, one.value)).collect();
        pairs.sort_unstable();
        pairs.join("\n")
    };
    let mut weather: Vec<String> = case.weather.iter().map(|spell| format!("{spell:?}")).collect();
    weather.sort_unstable();
    let mut expects: Vec<String> = case.expects.iter().map(|one| format!("{:?}", one.what)).collect();
    expects.sort_unstable();
    format!("{}\n--\n{}\n--\n{weather:?}\n{expects:?}", pairs(&case.inputs), pairs(&case.any))
}
