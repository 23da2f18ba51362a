//! Results as a program reads them (section 8.2).
//!
//! In: the results of files, of policies. Out: one document. Must not know: layout. Changes are additive.

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use super::coverage::{Coverage, Part};
use super::judge::{Check, Shown, rule_name};
use super::{FileRun, PolicyRun, Ran};
use crate::policy::render::json::{Document, Finding, Head, Place, findings, place};
use crate::policy::source::Sources;

#[derive(Serialize)]
struct Body<'a> {
    summary: Summary,
    #[serde(skip_serializing_if = "Option::is_none")]
    coverage: Option<Covered>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mutants: Option<Mutants<'a>>,
    tests: Vec<Test<'a>>,
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct Summary {
    passed: usize,
    failed: usize,
    total: usize,
}

#[derive(Serialize)]
struct Covered {
    rules: [usize; 2],
    hops: [usize; 2],
    degrade: [usize; 2],
    boundaries: [usize; 2],
    total: f64,
    missing: Vec<String>,
}

#[derive(Serialize)]
struct Mutants<'a> {
    tried: usize,
    caught: usize,
    survived: Vec<Survivor<'a>>,
}

#[derive(Serialize)]
struct Survivor<'a> {
    rule: String,
    test: &'a str,
    span: Place,
    witness: String,
    was: &'a str,
    now: &'a str,
}

#[derive(Serialize)]
struct Test<'a> {
    name: &'a str,
    row: Option<usize>,
    span: Place,
    status: &'static str,
    expected: Said<'a>,
    actual: Said<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    faults: Vec<Finding>,
    explain: Option<&'a serde_json::value::RawValue>,
}

/// One entry for each form; a form that is expected more than once has a list.
struct Said<'a> {
    checks: &'a [Check],
    value: fn(&Check) -> &Shown,
}

impl Serialize for Said<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (at, check) in self.checks.iter().enumerate() {
            if self.checks[..at].iter().any(|earlier| earlier.word == check.word) {
                continue;
            }
            let all: Vec<&Shown> =
                self.checks.iter().filter(|one| one.word == check.word).map(|one| (self.value)(one)).collect();
            let key = check.word.replace(' ', "_");
            match all.as_slice() {
                [one] => map.serialize_entry(&key, one)?,
                many => map.serialize_entry(&key, many)?,
            }
        }
        map.end()
    }
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::One(text) => serializer.serialize_str(text),
            Self::Many(list) => serializer.collect_seq(list),
        }
    }
}

/// One document over everything that was run, ending in a newline.
///
/// # Errors
/// None that can happen: every part is plain data.
pub fn json(files: &[FileRun<'_>], policies: &[PolicyRun<'_>]) -> Result<String, serde_json::Error> {
    let ran = || files.iter().flat_map(|file| file.ran);
    let failed = ran().filter(|ran| !ran.passed()).count();
    let total = ran().count();
    let coverage = policies.iter().filter_map(|one| one.coverage.as_ref());
    let body = Body {
        summary: Summary { passed: total - failed, failed, total },
        coverage: coverage.cloned().reduce(Coverage::and).map(covered),
        mutants: mutants(policies),
        tests: files.iter().flat_map(|file| file.ran.iter().map(|ran| test(ran, file.sources))).collect(),
        findings: files.iter().flat_map(|file| findings(file.findings, file.sources)).collect(),
    };
    Document::new(Head::of("test"), body).pretty()
}

fn test<'a>(ran: &'a Ran, sources: &Sources) -> Test<'a> {
    Test {
        name: &ran.name,
        row: ran.row,
        span: place(ran.span, sources),
        status: if ran.passed() { "passed" } else { "failed" },
        expected: Said { checks: &ran.checks, value: |check| &check.expected },
        actual: Said { checks: &ran.checks, value: |check| &check.actual },
        faults: findings(&ran.faults, sources),
        explain: ran.explained.as_ref().and_then(|explained| explained.json.as_deref()),
    }
}

fn covered(coverage: Coverage) -> Covered {
    let pair = |part: Part| [part.reached, part.total];
    Covered {
        rules: pair(coverage.rules),
        hops: pair(coverage.hops),
        degrade: pair(coverage.degrade),
        boundaries: pair(coverage.boundaries),
        // Three digits behind the point say all that a share of some dozens can.
        total: (coverage.total() * 1000.0).floor() / 1000.0,
        missing: coverage.missing.concat(),
    }
}

fn mutants<'a>(policies: &'a [PolicyRun<'_>]) -> Option<Mutants<'a>> {
    let all: Vec<_> = policies.iter().filter_map(|one| Some((one, one.mutation.as_ref()?))).collect();
    if all.is_empty() {
        return None;
    }
    let survived = all.iter().flat_map(|(policy, mutation)| {
        mutation.survived.iter().map(|one| Survivor {
            rule: rule_name(policy.tree.checked(), Some(one.rule)),
            test: policy.sources.text(one.span),
            span: place(one.span, policy.sources),
            witness: crate::policy::render::witness_words(&one.witness),
            was: &one.was,
            now: &one.now,
        })
    });
    Some(Mutants {
        tried: all.iter().map(|(_, mutation)| mutation.tried).sum(),
        caught: all.iter().map(|(_, mutation)| mutation.caught).sum(),
        survived: survived.collect(),
    })
}
