//! Rows with `*`: what must hold for every value of an input.
//!
//! In: a case with `*`. Out: checks. Must not know: how results are shown. Who decides is proven with the analysis. What hangs on
//! the chain is planned once for each value that planning can tell apart, which proves it as well; where planning can tell too
//! many apart, the row fails with that reason and is not sampled.

use super::judge::{Check, Seen, Shown, expected, rejects, rule_name};
use crate::policy::explain::{Asked, Asker};
use crate::policy::test::{Case, Expect, Expectation, MAX_COMBINATIONS, Prover, Question, Said};
use crate::policy::tree::Tree;

/// Judges every expectation of a case for every value of its `*` inputs.
pub(super) fn judge(tree: &Tree, case: &Case, asked: &Asked, mut prover: Option<&mut Prover<'_>>) -> Vec<Check> {
    let mut checks = Vec::with_capacity(case.expects.len());
    for one in &case.expects {
        let check = match (&one.what, prover.as_deref_mut()) {
            (_, None) => unproven(tree, one, "the policy is too wide for the analysis"),
            (Expect::Rule(rule), Some(prover)) => {
                let question = Question { asked, inputs: &case.inputs, any: &case.any };
                match prover.otherwise(&question, Some(*rule)) {
                    Ok(None) => holds(tree, one),
                    Ok(Some(other)) => {
                        let values: Vec<String> =
                            other.values.iter().map(|(name, value)| format!("{name} {value}")).collect();
                        fails(tree, one, &rule_name(tree.checked(), other.rule), &values.join(", "))
                    }
                    Err(_) => unproven(tree, one, "the analysis ran out of fuel"),
                }
            }
            (_, Some(prover)) => each(tree, case, one, prover),
        };
        checks.push(check);
    }
    checks
}

/// Judges an expectation for each combination of values that planning can tell apart.
fn each(tree: &Tree, case: &Case, one: &Expectation, prover: &Prover<'_>) -> Check {
    let mut values: Vec<Vec<Said>> = Vec::new();
    for input in &case.any {
        match prover.values(&input.name) {
            // A bound on cost hangs on every token.
            Some(list) if input.name != "prompt_tokens" || !matches!(one.what, Expect::Cost(_)) => values.push(list),
            Some(_) => return unproven(tree, one, "the cost grows with every token of `prompt_tokens`"),
            None => {
                let why = format!("`{}` has too many values that a chain can hang on", input.name);
                return unproven(tree, one, &why);
            }
        }
    }
    let combinations = values.iter().map(Vec::len).try_fold(1usize, usize::checked_mul);
    let Some(combinations) = combinations.filter(|count| *count <= MAX_COMBINATIONS) else {
        return unproven(tree, one, &format!("more than {MAX_COMBINATIONS} combinations of values"));
    };
    let catalog = prover.catalog();
    let (Some(asked), Ok(asker)) = (&case.asked, Asker::new(tree, catalog)) else {
        return unproven(tree, one, "the request cannot be asked");
    };
    for number in 0..combinations {
        let mut rest = number;
        let mut pairs: Vec<(String, String)> =
            case.inputs.iter().map(|input| (input.name.clone(), input.value.clone())).collect();
        let mut said = Vec::new();
        for list in &values {
            let value = &list[rest % list.len()];
            rest /= list.len();
            said.extend(value.iter().map(|(name, value)| format!("{name} {value}")));
            pairs.extend(value.iter().cloned());
        }
        // What contradicts the facts is no request.
        let Ok(one_asked) = asker.ask(asked.readings.today, &pairs) else { continue };
        let seen = Seen::new(tree, &one_asked, &case.weather, one.what.of_the_walk());
        if matches!(one.what, Expect::Reject(status) if rejects(tree.checked(), seen.explanation.rule) == Some(status))
        {
            continue;
        }
        let check = seen.check(one);
        if !check.holds {
            return fails(tree, one, &check.actual.to_string(), &said.join(", "));
        }
    }
    holds(tree, one)
}

fn holds(tree: &Tree, one: &Expectation) -> Check {
    let expected = expected(tree.checked(), tree, &one.what);
    Check { word: one.what.word(), actual: expected.clone(), expected, holds: true }
}

fn fails(tree: &Tree, one: &Expectation, actual: &str, with: &str) -> Check {
    let expected = expected(tree.checked(), tree, &one.what);
    let actual = if with.is_empty() { actual.to_owned() } else { format!("{actual}, with {with}") };
    Check { word: one.what.word(), expected, actual: Shown::One(actual), holds: false }
}

fn unproven(tree: &Tree, one: &Expectation, why: &str) -> Check {
    let expected = expected(tree.checked(), tree, &one.what);
    Check { word: one.what.word(), expected, actual: Shown::One(format!("not proven: {why}")), holds: false }
}
