//! What the analysis says is so, and what is so it says.

use std::collections::BTreeSet;

use proptest::prelude::*;
use wayside::policy::atom_set::{AtomId, AtomSet};
use wayside::policy::atoms::{MAX_ATOMS, Mentions, Space};
use wayside::policy::boxes::{AtomBox, MAX_BOXES, boxes_of};
use wayside::policy::checked::*;
use wayside::policy::diagnostic::{Diagnostic, Level};
use wayside::policy::prove::find::{Found, Fuel, find};
use wayside::policy::prove::{Options, prove};

use crate::generate::*;

fn findings(checked: &Checked) -> Vec<Diagnostic> {
    prove(checked, Options::default()).unwrap()
}

fn codes(found: &[Diagnostic]) -> Vec<&'static str> {
    found.iter().map(|one| one.code.code).collect()
}

fn request(found: &Diagnostic) -> String {
    let witness = found.witness.as_ref().unwrap();
    let words = witness.request.iter().chain(&witness.readings).map(|(name, value)| format!("{name} {value}"));
    words.collect::<Vec<_>>().join(", ")
}

/// For each text and prefix that `random_test` asks for: itself, and one that only begins like it.
const TEXTS: [&str; 14] =
    ["", "a", "ax", "ab", "abx", "abc", "abcx", "b", "bx", "bot-", "bot-x", "bot-7", "bot-7x", "c"];

/// Every combination of one value for each column: all listed values, and numbers and texts around every edge.
fn every_point(checked: &Checked) -> Vec<Vec<Value>> {
    let mut points = vec![vec![]];
    let space = Space::of(checked).unwrap();
    for id in space.ids() {
        let values: Vec<Value> = match &space.column(id).domain {
            Domain::Enum { values, open } => (0..values.len() + usize::from(*open)).map(Value::Position).collect(),
            Domain::Bool => vec![Value::Bool(false), Value::Bool(true)],
            Domain::Text => TEXTS.map(|text| Value::Text(text.into())).into(),
            _ => (0..space.count(id) as u16)
                .map(|at| Value::Number(space.atoms(id).bounds(AtomId(at)).unwrap().1))
                .collect(),
        };
        let longer = |point: &Vec<Value>| {
            values.iter().map(|value| [&point[..], std::slice::from_ref(value)].concat()).collect::<Vec<_>>()
        };
        points = points.iter().flat_map(longer).collect();
    }
    points.retain(|point| possible(checked, point));
    points
}

fn small_columns(rng: &mut Dice) -> Vec<Column> {
    let list = |prefix: &str, values: usize, open| Domain::Enum { values: names(prefix, values), open };
    let mut columns = vec![
        column("plan", Subject::Plan, list("plan", 3, false), Class::Free),
        column("tenant", Subject::Tenant, list("tenant", 3, true), Class::Free),
        column("prompt_tokens", Subject::PromptTokens, Domain::Number { lo: 0, hi: 100 }, Class::Free),
        column("spend", Subject::Budget(0), list("state", 3, false), Class::Reading),
        column("user", Subject::User, Domain::Text, Class::Free),
    ];
    if rng.chance(50) {
        columns.truncate(4);
    }
    columns
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn dead_rules_and_gaps_are_those_of_a_walk_over_all_requests(rules in 1usize..9, seed: u64) {
        let mut rng = Dice(seed);
        let mut checked = random(0, 2, 2, seed);
        checked.columns = small_columns(&mut rng);
        for at in 0..rules {
            let count = checked.columns.len();
            let parts = (0..1 + rng.below(3)).map(|_| { let at = rng.below(count); random_test(&mut rng, &checked.columns, at) });
            let parts: Vec<Cond> = parts.collect();
            let when = if rng.chance(30) { Cond::Any(parts) } else { Cond::All(parts) };
            let outcome = Outcome::Reject { status: 400 + at as u16 % 3, message: None };
            checked.rules.push(rule_with(at, &format!("rule_{at}"), when, outcome));
        }
        for tenant in 0..2 {
            checked.implications.push(Implication {
                if_column: ColumnId(1), if_values: Values::Enum(vec![tenant]),
                then_column: ColumnId(0), then_values: Values::Enum(vec![rng.below(3) as u32]),
                because: "a fact".into(),
            });
        }
        if rng.chance(30) { checked.rules.push(otherwise(rules)); }

        let mut reached = BTreeSet::new();
        let mut wanted = BTreeSet::new();
        let points = every_point(&checked);
        for point in &points {
            reached.insert(first_rule(&checked, point).map(|id| id.index()));
            wanted.extend((0..checked.rules.len()).filter(|at| holds(&checked.rules[*at].when, point)));
        }
        let mut expected: Vec<(&str, String)> = vec![];
        for (at, rule) in checked.rules.iter().enumerate().filter(|(at, _)| !reached.contains(&Some(*at))) {
            let code = if &*rule.name == "otherwise" { "R405" } else if wanted.contains(&at) { "R401" } else { "R402" };
            expected.push((code, rule.name.to_string()));
        }
        if reached.contains(&None) { expected.push(("R404", String::new())); }
        let found = findings(&checked);
        let matching = ["R401", "R402", "R404", "R405"];
        let said: Vec<(&str, String)> = found.iter().filter(|one| matching.contains(&one.code.code)).map(|one| {
            let rule = checked.rules.iter().find(|rule| rule.span == one.span && one.code.code != "R404");
            (one.code.code, rule.map_or(String::new(), |rule| rule.name.to_string()))
        }).collect();
        prop_assert_eq!(said, expected);

        let gets = |rules: &[Rule], point: &[Value]| {
            let decides = rules.iter().find(|rule| holds(&rule.when, point));
            decides.map(|rule| format!("{:?}", rule.outcome))
        };
        for (at, rule) in checked.rules.iter().enumerate().filter(|(at, rule)| {
            reached.contains(&Some(*at)) && &*rule.name != "otherwise"
        }) {
            let mut fewer = checked.rules.clone();
            fewer.remove(at);
            let changes = points.iter().any(|point| gets(&checked.rules, point) != gets(&fewer, point));
            let said = found.iter().any(|one| one.code.code == "R403" && one.span == rule.span);
            prop_assert_eq!(said, !changes, "{} changes nothing: {}", rule.name, !changes);
        }
    }

    #[test]
    fn find_answers_as_a_walk_over_all_atoms(seed: u64, boxes in 0usize..12) {
        let mut rng = Dice(seed);
        let counts = [3usize, 2, 4, 2];
        let lists = counts.iter().enumerate().map(|(at, count)| column(
            &format!("c{at}"), Subject::Attribute(at as u16),
            Domain::Enum { values: names("v", *count), open: false }, Class::Free));
        let columns: Vec<Column> = lists.collect();
        let mut mentions = Mentions::default();
        for (at, count) in counts.iter().enumerate() {
            (0..*count as u32).for_each(|value| mentions.add(ColumnId(at as u16), &Values::Enum(vec![value])));
        }
        let space = Space::build(columns, &mentions).unwrap();
        let random_box = |rng: &mut Dice, odds: u64| space.ids().fold(AtomBox::everything(), |area, id| {
            let mut set = AtomSet::empty(space.count(id));
            (0..space.count(id)).filter(|_| rng.chance(60)).for_each(|at| set.insert(AtomId(at as u16)));
            if rng.chance(odds) { area.with(&space, id, set).unwrap_or(area) } else { area }
        });
        let area = random_box(&mut rng, 30);
        let cover: Vec<AtomBox> = (0..boxes).map(|_| random_box(&mut rng, 50)).collect();
        let mut points = vec![vec![]];
        for id in space.ids() {
            let longer = |point: &Vec<AtomId>| (0..space.count(id)).map(|at| [&point[..], &[AtomId(at as u16)]].concat()).collect::<Vec<_>>();
            points = points.iter().flat_map(longer).collect();
        }
        let inside = |area: &AtomBox, point: &[AtomId]| area.holds(|id| point[id.index()]);
        let covered = |by: &[&AtomBox]| points.iter().filter(|point| inside(&area, point)).all(|point| by.iter().any(|one| inside(one, point)));
        let all: Vec<&AtomBox> = cover.iter().collect();
        match find(&space, &area, &all, &mut Fuel::new(100_000)) {
            Found::Witness(left) => {
                prop_assert!(left.within(&area));
                prop_assert!(!points.iter().any(|point| inside(&left, point) && all.iter().any(|one| inside(one, point))));
            }
            Found::Covered(used) => {
                prop_assert!(covered(&all));
                let used: Vec<&AtomBox> = used.into_iter().map(|at| all[at]).collect();
                prop_assert!(covered(&used), "the boxes named as needed are enough");
            }
            Found::OutOfFuel => prop_assert!(false, "a small question has an answer"),
        }
    }
}

/// plan, feature, prompt_tokens, tenant, time and so on.
fn policy(rules: Vec<Rule>) -> Checked {
    Checked { columns: columns(10, 3), plans: names("plan", 3), rules, ..blank() }
}

fn plan(values: &[u32]) -> Cond {
    test(0, Values::Enum(values.to_vec()))
}

fn prompt(from: u64, to: u64) -> Cond {
    test(2, Values::Ranges(vec![(from, to)]))
}

#[test]
fn a_dead_rule_names_who_takes_its_requests_and_shows_one() {
    let wants = Cond::All(vec![plan(&[1]), prompt(100_000, 180_001)]);
    let checked =
        policy(vec![rule(0, "free", plan(&[0])), rule(1, "pro", plan(&[1])), rule(2, "long_pro", wants), otherwise(3)]);
    let found = findings(&checked);
    assert_eq!(codes(&found), ["R401"]);
    assert_eq!(found[0].message, "rule `long_pro` can never match");
    assert_eq!(found[0].labels.len(), 1, "only the rule that is needed to take everything");
    assert_eq!(found[0].labels[0].span, checked.rules[1].span);
    assert_eq!(request(&found[0]), "plan plan_1, prompt_tokens 100k");
    assert_eq!(found[0].notes, ["it gets a rejection with 401 from `pro` instead of a rejection with 402"]);
    assert_eq!(found[0].help.as_deref(), Some("move `long_pro` above `pro`, or delete it"));
}

#[test]
fn a_rule_taken_by_several_names_each() {
    let checked = policy(vec![
        rule(0, "short", prompt(0, 60_000)),
        rule(1, "long", prompt(60_000, 180_001)),
        rule(2, "pro", plan(&[1])),
    ]);
    let found = findings(&checked);
    assert_eq!(codes(&found), ["R401"]);
    assert_eq!(found[0].labels.len(), 2);
}

#[test]
fn a_condition_against_a_fact_says_which_fact() {
    let both = Cond::All(vec![test(3, Values::Enum(vec![0])), plan(&[0])]);
    let mut checked = policy(vec![rule(0, "acme_free", both), otherwise(1)]);
    checked.implications.push(Implication {
        if_column: ColumnId(3),
        if_values: Values::Enum(vec![0]),
        then_column: ColumnId(0),
        then_values: Values::Enum(vec![2]),
        because: "tenant tenant_0 is on plan plan_2".into(),
    });
    let found = findings(&checked);
    assert_eq!(codes(&found), ["R402"]);
    assert_eq!(found[0].notes, ["tenant tenant_0 is on plan plan_2"]);
    let alone = Cond::All(vec![plan(&[0]), plan(&[1])]);
    let found = findings(&policy(vec![rule(0, "both", alone), otherwise(1)]));
    assert_eq!((codes(&found), &*found[0].here), (vec!["R402"], "contradicts itself"));
}

#[test]
fn a_gap_shows_the_request_and_stands_at_the_header_or_the_last_rule() {
    let rules = || vec![rule(0, "free", plan(&[0])), rule(1, "short", prompt(0, 60_000))];
    let checked = policy(rules());
    let found = findings(&checked);
    assert_eq!(codes(&found), ["R404"]);
    assert_eq!(found[0].span, checked.place);
    assert_eq!(request(&found[0]), "plan plan_1, prompt_tokens 60k");
    let mut headless = policy(rules());
    headless.place.lo = 0;
    headless.place.hi = 0;
    assert_eq!(findings(&headless)[0].span, headless.rules[1].span);
}

#[test]
fn otherwise_under_rules_that_cover_everything_is_a_note() {
    let found = findings(&policy(vec![rule(0, "a", plan(&[0])), rule(1, "b", plan(&[1, 2])), otherwise(2)]));
    assert_eq!(codes(&found), ["R405"]);
    assert_eq!(found[0].level, Level::Info);
}

#[test]
fn out_of_fuel_is_an_error_that_names_the_rule() {
    let rules = vec![rule(0, "a", plan(&[0])), rule(1, "b", plan(&[1])), otherwise(2)];
    let found = prove(&policy(rules), Options { fuel: 2, today: None }).unwrap();
    assert_eq!(codes(&found), ["R410"]);
    assert!(found[0].message.contains("`b`"), "{}", found[0].message);
}

/// `count` boxes that cannot be joined: pairs of a feature and a size of its own.
fn wide(count: usize) -> (Checked, Cond) {
    let mut checked = policy(vec![]);
    checked.columns[1].domain = Domain::Enum { values: names("feature", count + 1), open: false };
    let pair =
        |at: usize| Cond::All(vec![test(1, Values::Enum(vec![at as u32])), prompt(at as u64 * 10, at as u64 * 10 + 5)]);
    (checked, Cond::Any((0..count).map(pair).collect()))
}

#[test]
fn a_rule_has_at_most_256_boxes() {
    let (mut checked, cond) = wide(MAX_BOXES);
    checked.rules = vec![rule(0, "wide", cond), otherwise(1)];
    assert_eq!(codes(&findings(&checked)), Vec::<&str>::new());
    let (mut checked, cond) = wide(MAX_BOXES + 1);
    checked.rules = vec![rule(0, "wide", cond), otherwise(1)];
    let found = findings(&checked);
    assert_eq!(codes(&found), ["R411"]);
    assert!(found[0].here.contains("257"), "{}", found[0].here);
}

#[test]
fn a_product_nobody_can_read_stops_early() {
    let (mut checked, cond) = wide(80);
    checked.columns[7].domain = Domain::Enum { values: names("state", 90), open: false };
    let other = (0..80)
        .map(|at| Cond::All(vec![test(7, Values::Enum(vec![at])), test(4, Values::Ranges(vec![(at.into(), 5000)]))]));
    let both = Cond::All(vec![cond, Cond::Any(other.collect())]);
    let mut mentions = Mentions::default();
    mentions.add_cond(&both);
    let space = Space::build(checked.columns.clone(), &mentions).unwrap();
    assert!(boxes_of(&space, &both).is_err());
}

#[test]
fn a_column_has_at_most_4096_atoms() {
    let build = |cuts: u64| {
        let mut mentions = Mentions::default();
        mentions.add(ColumnId(0), &Values::Ranges((1..=cuts).map(|at| (at, at + 1)).collect()));
        let number = column("n", Subject::Attribute(0), Domain::Number { lo: 0, hi: 1_000_000 }, Class::Free);
        Space::build(vec![number], &mentions).map(|space| space.count(ColumnId(0)))
    };
    assert_eq!(build(MAX_ATOMS as u64 - 2), Ok(MAX_ATOMS));
    assert_eq!(build(MAX_ATOMS as u64 - 1).unwrap_err().atoms, MAX_ATOMS + 1);
}

#[test]
fn a_thousand_tenants_on_three_plans_are_few_atoms() {
    let mut checked = policy(vec![rule(0, "one", test(3, Values::Enum(vec![7]))), otherwise(1)]);
    checked.columns[3].domain = Domain::Enum { values: names("tenant", 1000), open: true };
    checked.implications = (0..1000)
        .map(|at| Implication {
            if_column: ColumnId(3),
            if_values: Values::Enum(vec![at]),
            then_column: ColumnId(0),
            then_values: Values::Enum(vec![at % 3]),
            because: String::new(),
        })
        .collect();
    let space = Space::of(&checked).unwrap();
    assert_eq!(space.count(ColumnId(3)), 5, "three plans, the tenant that a rule names, and everyone else");
    assert_eq!(space.count(ColumnId(0)), 3);
}

#[test]
fn a_witness_in_time_is_a_time_and_a_day() {
    let found = findings(&policy(vec![rule(0, "weekdays", test(4, Values::Ranges(vec![(0, 5 * 1440)])))]));
    assert_eq!(request(&found[0]), "time 10:00, day sat");
}

fn any(parts: Vec<Cond>) -> Cond {
    Cond::Any(parts)
}

fn all(parts: Vec<Cond>) -> Cond {
    Cond::All(parts)
}

fn not(cond: Cond) -> Cond {
    Cond::Not(Box::new(cond))
}

#[test]
fn a_rule_that_the_rules_below_repeat_is_redundant() {
    let same = |at: usize, name: &str, when| rule_with(at, name, when, Outcome::Reject { status: 404, message: None });
    let long = || prompt(100_000, 180_001);
    let found = findings(&policy(vec![
        same(0, "long_free", all(vec![plan(&[0]), long()])),
        rule(1, "pro", plan(&[1])),
        same(2, "otherwise", Cond::True),
    ]));
    assert_eq!(codes(&found), ["R403"]);
    assert!(found[0].fixes[0].safe);
    let found =
        findings(&policy(vec![same(0, "long", long()), rule(1, "pro", plan(&[1])), same(2, "otherwise", Cond::True)]));
    assert_eq!(codes(&found), [""; 0], "a long prompt on the pro plan would get something else");
    let found = findings(&policy(vec![same(0, "free", plan(&[0])), same(1, "pro", plan(&[1, 2]))]));
    assert_eq!(codes(&found), [""; 0], "without the first, some requests would match nothing");
}

#[test]
fn a_value_or_branch_that_never_matters_is_named() {
    let found = findings(&policy(vec![rule(0, "free", plan(&[0])), rule(1, "paid", plan(&[0, 1])), otherwise(2)]));
    assert_eq!(codes(&found), ["R406"]);
    assert_eq!(found[0].message, "`plan_0` can never matter in rule `paid`");
    let branches = any(vec![prompt(0, 1000), prompt(0, 500)]);
    let found = findings(&policy(vec![rule(0, "short", branches), otherwise(1)]));
    assert_eq!(codes(&found), ["R406"]);
    let twice = any(vec![plan(&[0]), plan(&[0])]);
    assert_eq!(
        codes(&findings(&policy(vec![rule(0, "twice", twice), otherwise(1)]))),
        ["R406"],
        "one of two is enough"
    );
}

#[test]
fn a_test_that_the_rest_implies_is_named_and_an_intent_is_not() {
    let rest = all(vec![prompt(0, 1000), prompt(0, 5000)]);
    let found = findings(&policy(vec![rule(0, "short", rest), otherwise(1)]));
    assert_eq!(codes(&found), ["R407"]);
    let repeats = all(vec![not(plan(&[0])), prompt(0, 1000)]);
    let found = findings(&policy(vec![rule(0, "free", plan(&[0])), rule(1, "short", repeats), otherwise(2)]));
    assert_eq!(codes(&found), ["R407"]);
    let intent = all(vec![plan(&[2]), prompt(0, 1000)]);
    let found = findings(&policy(vec![
        rule(0, "free", plan(&[0])),
        rule(1, "pro", plan(&[1])),
        rule(2, "enterprise", intent),
        otherwise(3),
    ]));
    assert_eq!(codes(&found), [""; 0], "the last of the plans says whom it is for");
}

#[test]
fn two_ranges_that_leave_exactly_one_value_are_shown_it() {
    let found = findings(&policy(vec![
        rule(0, "short", prompt(0, 4000)),
        rule(1, "long", prompt(4001, 180_001)),
        otherwise(2),
    ]));
    assert_eq!(codes(&found), ["R408"]);
    assert_eq!(request(&found[0]), "prompt_tokens 4k");
    let found = findings(&policy(vec![
        rule(0, "short", prompt(0, 4000)),
        rule(1, "exactly", prompt(4000, 4001)),
        rule(2, "long", prompt(4001, 180_001)),
    ]));
    assert_eq!(codes(&found), [""; 0]);
}
