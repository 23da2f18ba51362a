//! The tree decides as the linear walk does, and both as the condition reads on values.

use std::sync::Arc;

use proptest::prelude::*;
use wayside::policy::checked::*;
use wayside::policy::decide::{Tap, decide, decide_linear};
use wayside::policy::tree::{MAX_INNER, Tree};

use crate::generate::*;

fn agree(checked: Checked, seed: u64, requests: usize) -> Result<(), TestCaseError> {
    let tree = Tree::compile(Arc::new(checked)).map_err(|wide| TestCaseError::reject(wide[0].message.clone()))?;
    prop_assert!(tree.size().inner <= MAX_INNER);
    let mut rng = Dice(seed);
    for _ in 0..requests {
        let columns = &tree.checked().columns;
        let point: Vec<Value> = columns.iter().map(|column| random_value(&mut rng, &column.domain)).collect();
        let wanted = first_rule(tree.checked(), &point);
        let (request, fixed) = as_request(&tree, &point);
        prop_assert_eq!(decide_linear(&tree, &request, &mut fixed.clone()), wanted, "linear at {:?}", point);
        let flat = tree.boxes().rows.iter().find(|row| row.area.holds(|column| fixed.atoms[column.index()]));
        prop_assert_eq!(flat.map(|row| row.rule), wanted, "boxes at {:?}", point);
        prop_assert_eq!(decide(&tree, &request, &mut fixed.clone()), wanted, "tree at {:?}", point);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn tree_boxes_and_linear_walk_decide_alike_on_random_policies(
        rules in 1usize..220, columns in 2usize..28, scale in 2usize..8, seed: u64,
    ) {
        agree(random(rules, columns, scale, seed), seed ^ 1, 100)?;
    }

    #[test]
    fn tree_boxes_and_linear_walk_decide_alike_on_narrow_rules(rules in 1usize..600, columns in 3usize..28, seed: u64) {
        agree(narrow(rules, columns, 4, seed), seed ^ 1, 60)?;
    }

    #[test]
    fn tree_boxes_and_linear_walk_decide_alike_on_structured_policies(rules in 1usize..400, seed: u64) {
        agree(structured(rules, seed), seed ^ 1, 100)?;
    }
}

#[test]
fn compiling_twice_gives_the_same_tree() {
    let compile = || Tree::compile(Arc::new(structured(300, 7))).unwrap();
    let (one, two) = (compile(), compile());
    assert_eq!(one.hash(), two.hash());
    assert_eq!(format!("{one:?}"), format!("{two:?}"));
}

#[test]
fn the_hash_ignores_places_and_reasons_and_sees_values() {
    let hash = |checked: Checked| Tree::compile(Arc::new(checked)).unwrap().hash().clone();
    let before = hash(structured(20, 7));
    let mut moved = structured(20, 7);
    for rule in &mut moved.rules {
        rule.span = span(5000);
        rule.because = Some("other words".into());
    }
    assert_eq!(hash(moved), before);
    let mut changed = structured(20, 7);
    changed.rules[3].outcome = Outcome::Reject { status: 418, message: None };
    assert_ne!(hash(changed), before);
}

#[test]
fn a_paid_input_is_asked_for_only_while_the_first_candidate_needs_it() {
    let mut checked = blank();
    checked.columns = columns(9, 3);
    let (plan, intent) = (0, 8);
    let wants_intent = Cond::All(vec![test(plan, Values::Enum(vec![0])), test(intent, Values::Enum(vec![1]))]);
    checked.rules = vec![rule(0, "asks", wants_intent), otherwise(1)];
    let tree = Tree::compile(Arc::new(checked)).unwrap();
    let reads = |plan: usize, intent: usize| {
        let columns = tree.checked().columns.iter();
        let mut point: Vec<Value> = columns.map(|column| random_value(&mut Dice(1), &column.domain)).collect();
        point[0] = Value::Position(plan);
        point[8] = Value::Position(intent);
        let (request, fixed) = as_request(&tree, &point);
        let mut tap = Tap::new(fixed);
        let rule = decide(&tree, &request, &mut tap).unwrap();
        (rule, tap.reads().count())
    };
    assert_eq!(reads(1, 1), (RuleId(1), 0));
    assert_eq!(reads(0, 1), (RuleId(0), 1));
    assert_eq!(reads(0, 0), (RuleId(1), 1));
}

#[test]
fn nothing_matches_where_no_rule_does() {
    let mut checked = blank();
    checked.columns = columns(1, 2);
    checked.rules = vec![rule(0, "first", test(0, Values::Enum(vec![0])))];
    let tree = Tree::compile(Arc::new(checked)).unwrap();
    let (request, mut fixed) = as_request(&tree, &[Value::Position(1)]);
    assert_eq!(decide(&tree, &request, &mut fixed), None);
}
