//! Whether the tests would notice if a condition were wrong.
//!
//! In: a policy and its cases. Out: for each test of each rule, turned around, whether some case fails; for those that none
//! catches, a request that would be decided otherwise. Must not know: how it is shown.

use std::sync::Arc;

use super::judge::judge;
use crate::catalog::Catalog;
use crate::policy::checked::{Checked, Cond, RuleId};
use crate::policy::diagnostic::Witness;
use crate::policy::diff::{DiffError, diff};
use crate::policy::prove::Options;
use crate::policy::source::Span;
use crate::policy::test::{Case, PropertyTest, Prover, prove};
use crate::policy::tree::Tree;

/// Mutants of one policy. A policy with more tests than this is told so.
pub const MAX_MUTANTS: usize = 2000;

/// What became of the mutants of one policy.
#[derive(Clone, Debug, Default)]
pub struct Mutation {
    /// Made, without those that decide like the original.
    pub tried: usize,
    /// Caught by some test.
    pub caught: usize,
    /// Caught by none.
    pub survived: Vec<Survivor>,
    /// Tests of rules beyond [`MAX_MUTANTS`].
    pub left_out: usize,
}

/// A wrong condition that no test notices.
#[derive(Clone, Debug)]
pub struct Survivor {
    /// The rule.
    pub rule: RuleId,
    /// The test that was turned around.
    pub span: Span,
    /// A request that tells the two apart.
    pub witness: Witness,
    /// Who decides it.
    pub was: String,
    /// Who would decide it.
    pub now: String,
}

/// Turns every test of every rule around, one at a time, and runs the cases.
///
/// # Errors
/// When the analysis runs out of fuel or contradicts itself, with a sentence.
pub fn mutate(
    tree: &Tree,
    catalog: &Arc<Catalog>,
    cases: &[&Case],
    properties: &[PropertyTest],
    options: Options,
) -> Result<Mutation, String> {
    let checked = tree.checked();
    let mut mutation = Mutation::default();
    let (places, left_out) = limited(places(checked));
    mutation.left_out = left_out;
    for (rule, leaf, span) in places {
        let mut mutant = Checked::clone(checked);
        let mut at = leaf;
        flip(&mut mutant.rules[rule.index()].when, &mut at);
        // What is too wide turned around cannot be judged.
        let Ok(other) = Tree::compile(Arc::new(mutant)) else { continue };
        if is_caught(&other, catalog, cases, rule, options) || breaks(&other, properties, options) {
            mutation.tried += 1;
            mutation.caught += 1;
            continue;
        }
        let found = diff(checked, other.checked(), options).map_err(|error| match error {
            DiffError::Findings(list) => list.first().map_or_else(String::new, |one| one.message.clone()),
            DiffError::Wrong(error) => error.to_string(),
        })?;
        let Some(group) = found.groups.into_iter().next() else { continue };
        mutation.tried += 1;
        mutation.survived.push(Survivor { rule, span, witness: group.witness, was: group.was, now: group.now });
    }
    Ok(mutation)
}

/// As many as are tried, and how many are not.
fn limited<T>(mut places: Vec<T>) -> (Vec<T>, usize) {
    let left_out = places.len().saturating_sub(MAX_MUTANTS);
    places.truncate(MAX_MUTANTS);
    (places, left_out)
}

/// Whether some case fails on the mutant. Those that the changed rule decides are the likeliest, and come first.
fn is_caught(other: &Tree, catalog: &Arc<Catalog>, cases: &[&Case], rule: RuleId, options: Options) -> bool {
    let mut prover: Option<Option<Prover<'_>>> = None;
    let near = cases.iter().filter(|case| case.rule == Some(rule));
    let far = cases.iter().filter(|case| case.rule != Some(rule));
    near.chain(far).any(|case| {
        let prover = match case.any.is_empty() {
            true => None,
            false => prover.get_or_insert_with(|| Prover::new(other, catalog, options)).as_mut(),
        };
        judge(other, case, prover).iter().any(|check| !check.holds)
    })
}

/// Whether some property does not hold of the mutant.
fn breaks(other: &Tree, properties: &[PropertyTest], options: Options) -> bool {
    let proven = if properties.is_empty() { Ok(Vec::new()) } else { prove(other, properties, options) };
    proven.is_ok_and(|all| all.iter().flatten().any(|held| held.broken.is_some()))
}

/// Every test of every rule: the rule, the number of the test in its condition, and its place.
fn places(checked: &Checked) -> Vec<(RuleId, usize, Span)> {
    let mut places = Vec::new();
    for (at, rule) in checked.rules.iter().enumerate() {
        let mut spans = Vec::new();
        leaves(&rule.when, &mut spans);
        places.extend(spans.into_iter().enumerate().map(|(leaf, span)| (RuleId(at as u32), leaf, span)));
    }
    places
}

fn leaves(cond: &Cond, spans: &mut Vec<Span>) {
    match cond {
        Cond::True => {}
        Cond::Any(parts) | Cond::All(parts) => parts.iter().for_each(|part| leaves(part, spans)),
        Cond::Not(inner) => leaves(inner, spans),
        Cond::Test { span, .. } => spans.push(*span),
    }
}

/// Turns the test with a number around.
fn flip(cond: &mut Cond, at: &mut usize) -> bool {
    match cond {
        Cond::True => false,
        Cond::Any(parts) | Cond::All(parts) => parts.iter_mut().any(|part| flip(part, at)),
        Cond::Not(inner) => flip(inner, at),
        Cond::Test { .. } if *at == 0 => {
            let test = std::mem::replace(cond, Cond::True);
            *cond = Cond::Not(Box::new(test));
            true
        }
        Cond::Test { .. } => {
            *at -= 1;
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_thousand_mutants_are_tried_and_one_more_is_counted() {
        let tried = |count: usize| {
            let (places, left_out) = limited(vec![(); count]);
            (places.len(), left_out)
        };
        assert_eq!(tried(MAX_MUTANTS), (MAX_MUTANTS, 0));
        assert_eq!(tried(MAX_MUTANTS + 1), (MAX_MUTANTS, 1));
    }
}
