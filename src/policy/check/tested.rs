//! The tests of a set: read, not run.
//!
//! In: a set and what was found out about its policy. Out: its tests with the tree they are decided by, findings R911 to R916.
//! Must not know: results.

use std::sync::Arc;

use super::super::ast::ItemKind;
use super::super::checked::Checked;
use super::super::diagnostic::{Diagnostic, Level, R913, R990};
use super::super::prove::Options;
use super::super::resolve::Loaded;
use super::super::source::FileId;
use super::super::suppress;
use super::super::test::{self, Against, Tests};
use super::super::tree::Tree;
use super::Settings;
use crate::catalog::Catalog;

/// Tests, and the policy they are about.
#[derive(Debug)]
pub struct Tested {
    /// The policy.
    pub tree: Arc<Tree>,
    /// Its tests.
    pub tests: Tests,
}

/// Reads the tests of the set's first file. Nothing when it has none, or when its policy decides nothing: what was found before
/// anything was proven, the first `settled` findings, says so. A rule that can go wrong can be tested.
pub(super) fn read(
    loaded: &Loaded,
    checked: &Arc<Checked>,
    catalog: &Catalog,
    settings: &Settings,
    settled: usize,
    findings: &mut Vec<Diagnostic>,
) -> Option<Tested> {
    let first = loaded.files.first()?;
    if !settings.exact {
        return None;
    }
    let is_test =
        |kind: &ItemKind| matches!(kind, ItemKind::Test { .. } | ItemKind::Property { .. } | ItemKind::Given(_));
    if !first.items.iter().any(|item| is_test(&item.kind)) {
        return None;
    }
    // A slip in a file of tests says nothing about the policy.
    let apart =
        |kind: &ItemKind| is_test(kind) || matches!(kind, ItemKind::Version(_) | ItemKind::Use(_) | ItemKind::Bad);
    let only_tests = first.items.iter().all(|item| apart(&item.kind));
    let (stand, _) = suppress::apply(findings[..settled].to_vec(), &loaded.sources, &settings.allow);
    let blocks = |finding: &&Diagnostic| {
        let of_tests = only_tests && finding.span.file == FileId(0);
        finding.level == Level::Error && *finding.code != R990 && !of_tests
    };
    if stand.iter().any(|finding| blocks(&finding)) {
        return None;
    }
    let tree = Arc::new(Tree::compile(Arc::clone(checked)).ok()?);
    let catalog = Arc::new(catalog.clone());
    let options = Options { today: Some(settings.today), ..settings.prove };
    let against = Against { tree: &tree, catalog: &catalog, today: settings.today, options };
    let tests = test::read(loaded, &against, findings);
    Some(Tested { tree, tests })
}

/// R913 for rules that no test of the set reaches.
pub(super) fn untested(checked: &Checked, tested: Option<&Tested>) -> Vec<Diagnostic> {
    let cases = tested.map(|tested| tested.tests.cases.as_slice()).unwrap_or_default();
    let rules = checked.rules.iter().enumerate();
    let reached = |at: usize| cases.iter().any(|case| case.rule.is_some_and(|rule| rule.index() == at));
    rules
        .filter(|(at, _)| !reached(*at))
        .map(|(_, rule)| {
            let message = format!("no test of this run reaches rule `{}`", rule.name);
            let help = "write a test with a request that it decides; `wayside explain` shows which rule a request gets";
            Diagnostic::new(&R913, rule.span, message).help(help)
        })
        .collect()
}
