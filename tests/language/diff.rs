//! A diff is empty exactly when no request tells two policies apart.

use std::collections::BTreeSet;

use proptest::prelude::*;
use wayside::policy::checked::*;
use wayside::policy::diff::{Diff, Names, diff};
use wayside::policy::prove::Options;

use crate::generate::*;
use crate::policies;

fn policy(rules: Vec<Rule>) -> Checked {
    Checked { columns: columns(4, 3), plans: names("plan", 3), rules, ..blank() }
}

fn between(old: Vec<Rule>, new: Vec<Rule>) -> Diff {
    diff(&policy(old), &policy(new), Options::default()).unwrap()
}

fn named() -> Names {
    Names { policy: Some("p.route".to_owned()), old: "old".to_owned(), new: "new".to_owned() }
}

fn pairs(diff: &Diff) -> Vec<(String, String)> {
    diff.groups.iter().map(|group| (group.was.clone(), group.now.clone())).collect()
}

fn plan(values: &[u32]) -> Cond {
    test(0, Values::Enum(values.to_vec()))
}

fn prompt(from: u64, to: u64) -> Cond {
    test(2, Values::Ranges(vec![(from, to)]))
}

/// Outcome number `what`, whatever the rule's name.
fn does(at: usize, name: &str, when: Cond, what: u16) -> Rule {
    rule_with(at, name, when, Outcome::Reject { status: what, message: None })
}

#[test]
fn renames_and_reorders_of_disjoint_rules_change_nothing() {
    let old =
        vec![does(0, "free", plan(&[0]), 401), does(1, "pro", plan(&[1]), 402), does(2, "otherwise", Cond::True, 403)];
    let new =
        vec![does(0, "paid", plan(&[1]), 402), does(1, "free", plan(&[0]), 401), does(2, "otherwise", Cond::True, 403)];
    let diff = between(old, new);
    assert!(diff.is_equal(), "{}", diff.text(&named(), false));
    assert_eq!((diff.added, diff.removed), (vec!["paid".to_owned()], vec!["pro".to_owned()]));
}

#[test]
fn a_new_rule_on_top_shows_whom_it_takes_requests_from() {
    let old = || {
        vec![does(0, "free", plan(&[0]), 401), does(1, "pro", plan(&[1]), 402), does(2, "otherwise", Cond::True, 403)]
    };
    let mut new = old();
    new.insert(0, does(7, "long", prompt(100_000, 180_001), 404));
    let diff = between(old(), new);
    let names = |was: &str| (was.to_owned(), "long".to_owned());
    assert_eq!(pairs(&diff), [names("free"), names("pro"), names("otherwise")]);
    assert_eq!(
        diff.groups[0].witness.request,
        [("plan".into(), "plan_0".into()), ("prompt_tokens".into(), "100k".into())]
    );
    assert!(diff.text(&named(), false).contains("free → long"), "{}", diff.text(&named(), false));
    let markdown = diff.markdown(&named(), false);
    assert!(markdown.contains("| ~ | `free` | `long` |  | `plan plan_0, prompt_tokens 100k` |"), "{markdown}");
    let json: serde_json::Value =
        serde_json::from_str(&wayside::policy::diff::document(&diff, &named(), "2026-11-22").unwrap()).unwrap();
    assert_eq!(json["groups"][2]["was"], "otherwise");
}

#[test]
fn a_lost_otherwise_is_a_change_to_no_rule() {
    let free = || does(0, "free", plan(&[0]), 401);
    let diff = between(vec![free(), does(1, "otherwise", Cond::True, 503)], vec![free()]);
    assert_eq!(pairs(&diff), [("otherwise".to_owned(), "no rule".to_owned())]);
}

#[test]
fn a_rule_that_died_is_named() {
    let old = vec![does(0, "free", plan(&[0]), 401), does(1, "all", plan(&[0, 1, 2]), 402)];
    let new = vec![does(1, "all", plan(&[0, 1, 2]), 402), does(0, "free", plan(&[0]), 401)];
    let diff = between(old, new);
    assert_eq!(pairs(&diff), [("free".to_owned(), "all".to_owned())]);
    assert_eq!(diff.now_dead, ["free"]);
    assert!(diff.has("dead-rule".parse().unwrap()));
}

#[test]
fn ten_names_that_stand_for_another_snapshot_are_listed_and_the_rest_is_counted() {
    let text =
        "route 1\ntier mid { openai/gpt-5.4-2026-03-05, anthropic/claude-sonnet-5 }\notherwise { tier as requested }\n";
    let overlay = |aliases: usize| {
        let row = |at: usize| {
            format!("  - {{ provider: openai, id: house-{at:02}, kind: alias, points_to: gpt-5.4-2026-03-05 }}\n")
        };
        format!("schema: 1\nas_of: 2026-11-22\nmodels:\n{}", (0..aliases).map(row).collect::<String>())
    };
    let old = policies::compile(text, "");
    for (aliases, last) in
        [(10, "`openai/house-09` stood for nothing and stands for openai/gpt-5.4-2026-03-05"), (11, "and 1 more")]
    {
        let new = policies::compile(text, &overlay(aliases));
        let (was, now) = (old.tree.checked(), new.tree.checked());
        let mut found = diff(was, now, Options::default()).unwrap();
        found.resolve((was, &old.catalog), (now, &new.catalog));
        assert_eq!((found.notes.len(), found.notes.last().unwrap().as_str()), (aliases, last));
        assert!(!found.is_equal());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn groups_are_the_pairs_that_some_request_tells_apart(rules in 1usize..8, seed: u64) {
        let mut dice = Dice(seed);
        let columns = vec![
            column("plan", Subject::Plan, Domain::Enum { values: names("plan", 3), open: false }, Class::Free),
            column("prompt_tokens", Subject::PromptTokens, Domain::Number { lo: 0, hi: 20 }, Class::Free),
            column("spend", Subject::Budget(0), Domain::Enum { values: names("state", 3), open: false }, Class::Reading),
        ];
        let one = |dice: &mut Dice, at: usize| {
            let parts = (0..1 + dice.below(2)).map(|_| { let at = dice.below(3); random_test(dice, &columns, at) }).collect();
            does(at, &format!("rule_{at}"), Cond::All(parts), 400 + dice.below(3) as u16)
        };
        let old: Vec<Rule> = (0..rules).map(|at| one(&mut dice, at)).collect();
        let mut new = old.clone();
        for _ in 0..1 + dice.below(3) {
            let at = dice.below(new.len());
            match dice.below(4) {
                0 => { new.swap(0, at); }
                1 => { let name = new[at].name.clone(); new[at] = one(&mut dice, at); new[at].name = name; }
                2 => new.insert(at, one(&mut dice, 50 + at)),
                _ if new.len() > 1 => { new.remove(at); }
                _ => {}
            }
        }
        let mut seen = BTreeSet::new();
        new.retain(|rule| seen.insert(rule.name.clone()));
        let policy = |rules: &[Rule]| Checked { columns: columns.clone(), rules: rules.to_vec(), ..blank() };
        let (a, b) = (policy(&old), policy(&new));
        let mut expected = BTreeSet::new();
        for plan in 0..3 { for prompt in 0..=20 { for state in 0..3 {
            let point = [Value::Position(plan), Value::Number(prompt), Value::Position(state)];
            let decide = |checked: &Checked| first_rule(checked, &point).map(|id| checked.rules[id.index()].clone());
            let (was, now) = (decide(&a), decide(&b));
            let outcome = |rule: &Option<Rule>| rule.as_ref().map(|rule| format!("{:?}", rule.outcome));
            if outcome(&was) != outcome(&now) {
                let name = |rule: Option<Rule>| rule.map_or("no rule".to_owned(), |rule| rule.name.to_string());
                expected.insert((name(was), name(now)));
            }
        }}}
        let found = diff(&a, &b, Options::default()).unwrap();
        // A pair has one group, so no request is in two of them.
        prop_assert_eq!(pairs(&found).len(), expected.len());
        prop_assert_eq!(pairs(&found).into_iter().collect::<BTreeSet<_>>(), expected);
        for group in &found.groups {
            // What a witness leaves out may be anything.
            let said = |name: &str| {
                let all = group.witness.request.iter().chain(&group.witness.readings);
                all.clone().find(|(key, _)| key == name).map(|(_, value)| value.clone())
            };
            for plan in 0..3 { for prompt in 0..=20 { for state in 0..3 {
                let fits = [
                    ("plan", format!("plan_{plan}")), ("prompt_tokens", prompt.to_string()), ("spend", format!("state_{state}")),
                ];
                if fits.iter().any(|(name, value)| said(name).is_some_and(|said| said != *value)) {
                    continue;
                }
                let point = [Value::Position(plan), Value::Number(prompt), Value::Position(state)];
                let name = |checked: &Checked| {
                    let rule = first_rule(checked, &point);
                    rule.map_or("no rule".to_owned(), |id| checked.rules[id.index()].name.to_string())
                };
                prop_assert_eq!((name(&a), name(&b)), (group.was.clone(), group.now.clone()));
            }}}
        }
    }
}
