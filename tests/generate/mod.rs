//! Policies made up from a seed, without the parser: what properties and benchmarks run on.

#![allow(dead_code, reason = "each test and benchmark uses a part")]

pub mod one;
pub mod text;

use std::sync::Arc;

use wayside::policy::ast::{OnCut, Order};
use wayside::policy::atom_set::AtomId;
use wayside::policy::atoms::Atoms;
use wayside::policy::checked::*;
use wayside::policy::decide::{Fetch, Request};
use wayside::policy::source::{FileId, Span};
use wayside::policy::tree::Tree;
use wayside::units::{Millis, Tokens};

/// SplitMix64: small, seeded, the same everywhere.
#[derive(Clone, Copy, Debug)]
pub struct Dice(pub u64);

/// Where choices come from.
pub trait Draw {
    fn next(&mut self) -> u64;

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }
}

impl Draw for Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// Choices from bytes somebody else made up; zero when they are used up. A fuzzer learns from these what each byte does.
#[derive(Clone, Copy, Debug)]
pub struct Bytes<'b>(pub &'b [u8]);

impl Draw for Bytes<'_> {
    fn next(&mut self) -> u64 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        u64::from(*first)
    }
}

pub fn span(at: usize) -> Span {
    Span { file: FileId(0), lo: at as u32 * 100 + 1, hi: at as u32 * 100 + 10 }
}

pub fn blank() -> Checked {
    Checked {
        name: "generated".into(),
        owner: None,
        timezone: jiff::tz::TimeZone::UTC,
        deadline: Millis::secs(60),
        max_prompt: Tokens(180_000),
        endpoints: vec![Endpoint::Chat],
        plans: vec![],
        features: vec![],
        tenants: vec![],
        residencies: vec![Residency { name: "anywhere".into(), regions: vec![] }],
        attributes: vec![],
        columns: vec![],
        implications: vec![],
        beside: Beside::default(),
        snapshots: vec![],
        tiers: vec![],
        templates: vec![],
        queues: vec![],
        rules: vec![],
        moving: Moving::default(),
        properties: vec![],
        unsupported: vec![],
        place: span(0),
    }
}

/// A rule that answers with a status of its own, so that no two outcomes are alike.
pub fn rule(at: usize, name: &str, when: Cond) -> Rule {
    rule_with(at, name, when, Outcome::Reject { status: 400 + at as u16 % 100, message: Some(name.into()) })
}

pub fn rule_with(at: usize, name: &str, when: Cond, outcome: Outcome) -> Rule {
    Rule {
        name: name.into(),
        span: span(at + 1),
        whole: span(at + 1),
        because: None,
        when_span: (!matches!(when, Cond::True)).then(|| span(at + 1)),
        when,
        outcome,
        tags: vec![],
    }
}

pub fn otherwise(at: usize) -> Rule {
    rule(at, "otherwise", Cond::True)
}

pub fn chain(promise: Promise, hops: Vec<Hop>, degrade: Vec<Degrade>) -> Chain {
    Chain {
        promise,
        order: Order::InOrder,
        hops,
        degrade,
        hold: Hold::FirstToken,
        on_cut: OnCut::Error,
        deadline: Millis::secs(60),
        origins: ChainOrigins::default(),
        extras: Extras::default(),
    }
}

pub fn names(prefix: &str, count: usize) -> Vec<Arc<str>> {
    (0..count).map(|at| format!("{prefix}_{at}").into()).collect()
}

pub fn column(name: &str, subject: Subject, domain: Domain, class: Class) -> Column {
    Column { name: name.into(), subject, domain, class }
}

pub fn test(column: usize, values: Values) -> Cond {
    Cond::Test { column: ColumnId(column as u16), values, span: span(900) }
}

/// Columns of every kind and class. `scale` is how many values the lists have.
pub fn columns(count: usize, scale: usize) -> Vec<Column> {
    let list = |prefix: &str, values: usize, open| Domain::Enum { values: names(prefix, values), open };
    let mut columns = vec![
        column("plan", Subject::Plan, list("plan", scale.clamp(2, 4), false), Class::Free),
        column("feature", Subject::Feature, list("feature", scale * 3, false), Class::Free),
        column("prompt_tokens", Subject::PromptTokens, Domain::Number { lo: 0, hi: 180_000 }, Class::Free),
        column("tenant", Subject::Tenant, list("tenant", scale * 4, true), Class::Free),
        column("time", Subject::Clock, Domain::Clock, Class::Reading),
        column("user", Subject::User, Domain::Text, Class::Free),
        column("streaming", Subject::Streaming, Domain::Bool, Class::Free),
        column("spend", Subject::Budget(0), list("state", 3, false), Class::Reading),
        column("intent", Subject::Classifier(0), list("intent", scale.max(2), false), Class::Paid),
        column("economy", Subject::Switch(0), Domain::Bool, Class::Reading),
        column("errors of azure", Subject::Metric(0), Domain::Metric(Observed::Errors), Class::Reading),
    ];
    for at in columns.len()..count {
        let domain = match at % 4 {
            0 => Domain::Bool,
            1 => Domain::Number { lo: 0, hi: 99 },
            _ => list("value", scale + at % 3, false),
        };
        columns.push(column(&format!("attribute_{at}"), Subject::Attribute(at as u16), domain, Class::Free));
    }
    columns.truncate(count);
    columns
}

/// A test of one column that some values pass and some do not.
pub fn random_test(rng: &mut impl Draw, columns: &[Column], at: usize) -> Cond {
    let values = match &columns[at].domain {
        Domain::Enum { values, .. } => {
            let some = 1 + rng.below((values.len() / 2).max(1));
            let mut chosen: Vec<u32> = (0..some).map(|_| rng.below(values.len()) as u32).collect();
            chosen.sort_unstable();
            chosen.dedup();
            Values::Enum(chosen)
        }
        Domain::Number { lo, hi } => {
            let steps = (hi - lo) / 10;
            let (a, b) = (lo + steps * rng.below(11) as u64, lo + steps * rng.below(11) as u64);
            Values::Ranges(vec![(a.min(b), a.max(b) + u64::from(rng.chance(50)))])
        }
        Domain::Metric(observed) => Values::Ranges(vec![match rng.below(4) {
            0 => (UNKNOWN, UNKNOWN + 1),
            at => (at as u64 * 100, observed.most() + 1),
        }]),
        Domain::Clock => {
            let start = rng.below(7) as u64 * 1440 + 540;
            Values::Ranges(vec![(start, start + 480)])
        }
        Domain::Bool => Values::Bool(rng.chance(50)),
        Domain::Text => {
            let text = ["a", "ab", "abc", "b", "bot-", "bot-7"][rng.below(6)];
            Values::Text(vec![TextPattern { text: text.into(), prefix: rng.chance(50) }])
        }
    };
    let cond = test(at, values);
    if rng.chance(20) { Cond::Not(Box::new(cond)) } else { cond }
}

/// Rules that test two to five random columns, now and then with alternatives.
pub fn random(rules: usize, columns_count: usize, scale: usize, seed: u64) -> Checked {
    let mut rng = Dice(seed);
    let mut checked = blank();
    checked.columns = columns(columns_count, scale);
    for at in 0..rules {
        let mut parts: Vec<Cond> = (0..2 + rng.below(4))
            .map(|_| {
                let column = rng.below(columns_count);
                random_test(&mut rng, &checked.columns, column)
            })
            .collect();
        let when = match rng.below(10) {
            0 => {
                let last = parts.pop().unwrap_or(Cond::True);
                Cond::Any(vec![Cond::All(parts), last])
            }
            1 => Cond::Not(Box::new(Cond::Any(parts))),
            _ => Cond::All(parts),
        };
        checked.rules.push(rule(at, &format!("rule_{at}"), when));
    }
    with_facts(&mut checked, &mut rng);
    checked
}

/// A policy of a few columns that bytes spell out: each rule one byte for its shape and a few for each test.
pub fn spelled(bytes: &mut Bytes<'_>) -> Checked {
    let mut checked = blank();
    checked.columns = columns(2 + bytes.below(14), 2 + bytes.below(4));
    for at in 0..1 + bytes.below(24) {
        let parts = |bytes: &mut Bytes<'_>| -> Vec<Cond> {
            (0..1 + bytes.below(3))
                .map(|_| {
                    let column = bytes.below(checked.columns.len());
                    random_test(bytes, &checked.columns, column)
                })
                .collect()
        };
        let when = match bytes.below(6) {
            0 => Cond::True,
            1 => Cond::Any(vec![Cond::All(parts(bytes)), Cond::All(parts(bytes))]),
            2 => Cond::Not(Box::new(Cond::All(vec![Cond::Any(parts(bytes)), Cond::Any(parts(bytes))]))),
            3 => Cond::Any(parts(bytes)),
            _ => Cond::All(parts(bytes)),
        };
        let status = 400 + bytes.below(3) as u16;
        checked.rules.push(rule_with(at, &format!("rule_{at}"), when, Outcome::Reject { status, message: None }));
    }
    checked
}

/// Rules that all ask for two to five things at once, so that requests travel far down the page.
pub fn narrow(rules: usize, columns_count: usize, scale: usize, seed: u64) -> Checked {
    let mut dice = Dice(seed);
    let mut checked = blank();
    checked.columns = columns(columns_count, scale);
    for at in 0..rules {
        let mut chosen: Vec<usize> = (0..2 + dice.below(4)).map(|_| dice.below(columns_count)).collect();
        chosen.sort_unstable();
        chosen.dedup();
        let parts = chosen.into_iter().map(|at| test(at, one_value(&mut dice, &checked.columns[at].domain)));
        checked.rules.push(rule(at, &format!("rule_{at}"), Cond::All(parts.collect())));
    }
    with_facts(&mut checked, &mut dice);
    checked
}

fn one_value(dice: &mut Dice, domain: &Domain) -> Values {
    match domain {
        Domain::Enum { values, .. } => Values::Enum(vec![dice.below(values.len()) as u32]),
        Domain::Number { lo, hi } => {
            let step = (hi - lo) / 10;
            let from = lo + step * dice.below(10) as u64;
            Values::Ranges(vec![(from, from + step)])
        }
        Domain::Metric(_) => Values::Ranges(vec![(0, 200)]),
        Domain::Clock => {
            let start = dice.below(7) as u64 * 1440 + 540;
            Values::Ranges(vec![(start, start + 480)])
        }
        Domain::Bool => Values::Bool(dice.chance(50)),
        Domain::Text => {
            let text = ["a", "ab", "abc", "b", "bot-", "bot-7"][dice.below(6)];
            Values::Text(vec![TextPattern { text: text.into(), prefix: dice.chance(50) }])
        }
    }
}

/// Some tenants have a plan, if the policy looks at both.
fn with_facts(checked: &mut Checked, rng: &mut Dice) {
    let find = |wanted| checked.columns.iter().position(|one| one.subject == wanted);
    let (Some(tenant), Some(plan)) = (find(Subject::Tenant), find(Subject::Plan)) else { return };
    let Domain::Enum { values, .. } = &checked.columns[tenant].domain else { return };
    for at in (0..values.len()).filter(|at| at % 2 == 0) {
        checked.implications.push(Implication {
            if_column: ColumnId(tenant as u16),
            if_values: Values::Enum(vec![at as u32]),
            then_column: ColumnId(plan as u16),
            then_values: Values::Enum(vec![rng.below(2) as u32]),
            because: format!("tenant tenant_{at} has a plan"),
        });
    }
}

/// Rules as people write them: blocks by feature, then by plan, sizes and hours inside, a few by tenant.
pub fn structured(rules: usize, seed: u64) -> Checked {
    let mut rng = Dice(seed);
    let mut checked = blank();
    checked.columns = columns(28, 12);
    let features = (rules / 8).max(4);
    checked.columns[1].domain = Domain::Enum { values: names("feature", features), open: false };
    let plans = 4;
    for at in 0..rules {
        let feature = test(1, Values::Enum(vec![(at / 8 % features) as u32]));
        let plan = test(0, Values::Enum(vec![rng.below(plans) as u32]));
        let mut parts = vec![feature];
        match at % 8 {
            0 => parts.extend([test(3, Values::Enum(vec![rng.below(40) as u32])), plan]),
            1 => parts.extend([plan, test(9, Values::Bool(true))]),
            2 => parts.extend([plan, test(2, Values::Ranges(vec![(60_000, 180_001)]))]),
            3 => parts.extend([test(0, Values::Enum(vec![0])), test(7, Values::Enum(vec![2]))]),
            4 => parts.push(test(8, Values::Enum(vec![rng.below(12) as u32]))),
            5 => parts.push(random_test(&mut rng, &checked.columns, 4)),
            6 => parts.extend([test(0, Values::Enum(vec![1, 2])), test(6, Values::Bool(true))]),
            _ => parts.push(test(10 + at % 18, first_half(&checked.columns[10 + at % 18].domain))),
        }
        checked.rules.push(rule(at, &format!("rule_{at}"), Cond::All(parts)));
    }
    checked.rules.push(otherwise(rules));
    with_facts(&mut checked, &mut rng);
    checked
}

fn first_half(domain: &Domain) -> Values {
    match domain {
        Domain::Enum { values, .. } => Values::Enum((0..values.len() as u32 / 2).collect()),
        Domain::Number { hi, .. } => Values::Ranges(vec![(0, hi / 2)]),
        Domain::Metric(_) => Values::Ranges(vec![(200, 10_001)]),
        Domain::Clock => Values::Ranges(vec![(0, 5000)]),
        Domain::Bool => Values::Bool(true),
        Domain::Text => Values::Text(vec![TextPattern { text: "a".into(), prefix: true }]),
    }
}

/// A value of one column, as a request or a reading has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Position in the list; past its end is `other`.
    Position(usize),
    Number(u64),
    Bool(bool),
    Text(String),
}

pub fn random_value(rng: &mut impl Draw, domain: &Domain) -> Value {
    match domain {
        Domain::Enum { values, open } => Value::Position(rng.below(values.len() + usize::from(*open))),
        Domain::Number { lo, hi } if rng.chance(50) => Value::Number(lo + (hi - lo) / 10 * rng.below(11) as u64),
        Domain::Number { lo, hi } => Value::Number(lo + rng.next() % (hi - lo + 1)),
        Domain::Metric(_) if rng.chance(30) => Value::Number(UNKNOWN),
        Domain::Metric(observed) => Value::Number(rng.next() % (observed.most() + 1)),
        Domain::Clock => Value::Number(rng.next() % 10_080),
        Domain::Bool => Value::Bool(rng.chance(50)),
        Domain::Text => {
            let texts = ["", "a", "ab", "abc", "abcd", "b", "bo", "bot-", "bot-7", "bot-77", "c"];
            Value::Text(texts[rng.below(texts.len())].into())
        }
    }
}

/// What a test means, on values: independent of atoms.
pub fn passes(values: &Values, value: &Value) -> bool {
    match (values, value) {
        (Values::Enum(set), Value::Position(at)) => set.contains(&(*at as u32)),
        (Values::Ranges(ranges), Value::Number(n)) => ranges.iter().any(|(from, to)| from <= n && n < to),
        (Values::Bool(wanted), Value::Bool(is)) => wanted == is,
        (Values::Text(patterns), Value::Text(text)) => patterns.iter().any(|pattern| match pattern.prefix {
            true => text.starts_with(&*pattern.text),
            false => **text == *pattern.text,
        }),
        _ => false,
    }
}

/// What a condition means, on values.
pub fn holds(cond: &Cond, point: &[Value]) -> bool {
    match cond {
        Cond::True => true,
        Cond::Any(parts) => parts.iter().any(|part| holds(part, point)),
        Cond::All(parts) => parts.iter().all(|part| holds(part, point)),
        Cond::Not(inner) => !holds(inner, point),
        Cond::Test { column, values, .. } => passes(values, &point[column.index()]),
    }
}

/// The first rule that holds, on values.
pub fn first_rule(checked: &Checked, point: &[Value]) -> Option<RuleId> {
    checked.rules.iter().position(|rule| holds(&rule.when, point)).map(|at| RuleId(at as u32))
}

pub fn possible(checked: &Checked, point: &[Value]) -> bool {
    checked.implications.iter().all(|fact| {
        !passes(&fact.if_values, &point[fact.if_column.index()])
            || passes(&fact.then_values, &point[fact.then_column.index()])
    })
}

pub fn atom(atoms: &Atoms, value: &Value) -> AtomId {
    match value {
        Value::Position(at) => atoms.of_position(*at),
        Value::Number(n) => atoms.of_number(*n),
        Value::Bool(yes) => AtomId(u16::from(*yes)),
        Value::Text(text) => atoms.of_text(text),
    }
}

/// A request and its readings, as atoms; counts how often it is asked.
#[derive(Clone, Debug)]
pub struct Fixed {
    pub atoms: Vec<AtomId>,
    pub asked: usize,
}

impl Fetch for Fixed {
    fn atom(&mut self, column: ColumnId) -> AtomId {
        self.asked += 1;
        self.atoms[column.index()]
    }
}

pub fn as_request(tree: &Tree, point: &[Value]) -> (Request, Fixed) {
    let space = tree.space();
    let atoms: Vec<AtomId> = space.ids().map(|id| atom(space.atoms(id), &point[id.index()])).collect();
    let free = |id: ColumnId| space.column(id).class == Class::Free;
    let request = space.ids().map(|id| if free(id) { atoms[id.index()] } else { AtomId(0) }).collect();
    (Request { atoms: request }, Fixed { atoms, asked: 0 })
}
