//! Tests of a policy, run: decided, planned and walked by the functions that `serve` calls, on a virtual clock.
//!
//! In: [`Tests`] and the tree they are about. Out: [`Ran`]s, coverage, mutants, and all of it as text, JSON and JUnit. Must not
//! know: files, terminals, networks, real time. The same input gives the same bytes.

mod any;
pub mod coverage;
mod human;
mod json;
mod judge;
mod junit;
pub mod mutate;
pub mod record;
pub mod walk;

use std::sync::Arc;

use self::coverage::Coverage;
pub use self::human::{coverage as coverage_lines, lines, mutants as mutant_lines, percent};
pub use self::json::json;
pub use self::judge::{Check, Seen, Shown};
pub use self::junit::junit;
use crate::policy::diagnostic::Diagnostic;
use crate::policy::explain::explain;
use crate::policy::prove::Options;
use crate::policy::source::{Sources, Span};
use crate::policy::test::{self, Case, Held, Prover, Tests};
use crate::policy::tree::Tree;

/// One file of tests that was run.
pub struct FileRun<'a> {
    /// As messages show it.
    pub path: &'a str,
    /// The texts behind it.
    pub sources: &'a Sources,
    /// Its tests.
    pub ran: &'a [Ran],
    /// What is wrong with it or with its policy.
    pub findings: &'a [Diagnostic],
}

/// What was found out about a policy by the tests of all its files.
pub struct PolicyRun<'a> {
    /// Its name.
    pub name: &'a str,
    /// The policy.
    pub tree: &'a Tree,
    /// The texts behind it.
    pub sources: &'a Sources,
    /// What its tests reach, if that was asked.
    pub coverage: Option<Coverage>,
    /// Whether its tests notice wrong conditions, if that was asked.
    pub mutation: Option<mutate::Mutation>,
}

/// One test that was run. There are two ways to end: what could not be run has failed.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The test's name.
    pub name: Arc<str>,
    /// Row of its table, from 1.
    pub row: Option<usize>,
    /// The test's name, or the row.
    pub span: Span,
    /// Each expectation.
    pub checks: Vec<Check>,
    /// What kept it from being run.
    pub faults: Vec<Diagnostic>,
    /// Of a failed test, why its request gets what it gets.
    pub explained: Option<Explained>,
}

/// An explanation, written down.
#[derive(Clone, Debug)]
pub struct Explained {
    /// For a person.
    pub human: String,
    /// For a program.
    pub json: Option<Box<serde_json::value::RawValue>>,
}

impl Ran {
    fn of(case: &Case, checks: Vec<Check>) -> Self {
        let name = Arc::clone(&case.name);
        Self { name, row: case.row, span: case.span, checks, faults: case.faults.clone(), explained: None }
    }

    /// Whether everything holds.
    pub fn passed(&self) -> bool {
        self.faults.is_empty() && !self.checks.is_empty() && self.checks.iter().all(|check| check.holds)
    }
}

/// Runs every test.
pub fn run<'a>(
    tree: &'a Tree,
    tests: &Tests,
    prover: &mut dyn FnMut() -> Option<Prover<'a>>,
    sources: &Sources,
) -> Vec<Ran> {
    let mut ready: Option<Option<Prover<'a>>> = None;
    tests
        .cases
        .iter()
        .map(|case| {
            let proves = !case.any.is_empty() && case.faults.is_empty();
            let prover = if proves { ready.get_or_insert_with(&mut *prover).as_mut() } else { None };
            ran(tree, case, prover, sources)
        })
        .collect()
}

/// Proves every property.
pub fn prove(tree: &Tree, tests: &Tests, options: Options, sources: &Sources) -> Vec<Ran> {
    if tests.properties.is_empty() {
        return Vec::new();
    }
    let proven = test::prove(tree, &tests.properties, options);
    let mut results = Vec::with_capacity(tests.properties.len());
    for (at, property) in tests.properties.iter().enumerate() {
        let checks = match &proven {
            Ok(all) => all[at].iter().map(|held| held_check(held, sources)).collect(),
            Err(why) => {
                vec![Check { word: "holds", expected: "proven".into(), actual: why.clone().into(), holds: false }]
            }
        };
        let faults = property.faults.clone();
        let checks = if faults.is_empty() { checks } else { Vec::new() };
        results.push(Ran {
            name: Arc::clone(&property.name),
            row: None,
            span: property.span,
            checks,
            faults,
            explained: None,
        });
    }
    results
}

fn held_check(held: &Held, sources: &Sources) -> Check {
    let words: Vec<&str> = sources.text(held.span).split_whitespace().collect();
    let expected = words.join(" ");
    let actual = held.broken.clone().unwrap_or_else(|| expected.clone());
    Check { word: "holds", expected: expected.into(), actual: actual.into(), holds: held.broken.is_none() }
}

/// Tests of a policy that decides nothing: all failed.
pub fn unrun(tests: &Tests) -> Vec<Ran> {
    tests.cases.iter().map(|case| Ran::of(case, Vec::new())).collect()
}

fn ran(tree: &Tree, case: &Case, prover: Option<&mut Prover<'_>>, sources: &Sources) -> Ran {
    let checks = if case.faults.is_empty() { judge::judge(tree, case, prover) } else { Vec::new() };
    let mut ran = Ran::of(case, checks);
    if let (false, true, Some(asked)) = (ran.passed(), ran.faults.is_empty(), &case.asked) {
        let explanation = explain(tree, asked);
        let json = explanation.json(sources).ok().and_then(|text| serde_json::value::RawValue::from_string(text).ok());
        ran.explained = Some(Explained { human: explanation.human(sources), json });
    }
    ran
}
