//! Two policies over one set of columns, so that one request can be asked of both.
//!
//! In: two [`Checked`]. Out: the same rules over joint columns, and what the two do not have in common. Must not know: boxes.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::super::checked::{
    Beside, Checked, Column, ColumnId, Cond, Domain, Implication, Outcome, Rule, Subject, Values,
};

/// The name of the rule that stands for "no rule matches".
pub const NO_RULE: &str = "no rule";

/// Both policies over the same columns.
pub struct Joint {
    /// The old one, with the facts of the new one.
    pub old: Checked,
    /// The new one.
    pub new: Checked,
    /// What only one of them admits: such requests were, or will be, refused before any rule.
    pub notes: Vec<String>,
}

/// Where a policy's columns and listed values are in the joint ones.
struct Map {
    column: Vec<ColumnId>,
    value: Vec<Vec<u32>>,
}

/// Joins two policies.
pub fn join(old: &Checked, new: &Checked) -> Joint {
    let mut columns: Vec<Column> = Vec::new();
    let left = add(&mut columns, old);
    let right = add(&mut columns, new);
    let mut notes = refused(old, new);
    let mut joint_old = over(old, &columns, &left);
    let mut joint_new = over(new, &columns, &right);
    notes.extend(changed_tenants(old, new));
    // A request is judged under the facts of today's rows; what they change is noted above.
    joint_old.implications = joint_new.implications.clone();
    for one in [&mut joint_old, &mut joint_new] {
        let complete = one.rules.last().is_some_and(|rule| matches!(rule.when, Cond::True));
        if !complete {
            one.rules.push(no_rule(one));
        }
    }
    Joint { old: joint_old, new: joint_new, notes }
}

fn no_rule(checked: &Checked) -> Rule {
    Rule {
        name: NO_RULE.into(),
        span: checked.place,
        whole: checked.place,
        because: None,
        when: Cond::True,
        when_span: None,
        outcome: Outcome::Reject { status: 503, message: None },
        tags: Vec::new(),
    }
}

/// Columns are the same when their names and kinds are; lists become unions, ranges become what covers both.
fn add(columns: &mut Vec<Column>, checked: &Checked) -> Map {
    let mut map = Map { column: Vec::new(), value: Vec::new() };
    for column in &checked.columns {
        let same = |other: &Column| {
            other.name == column.name
                && other.class == column.class
                && std::mem::discriminant(&other.domain) == std::mem::discriminant(&column.domain)
        };
        let at = columns.iter().position(same).unwrap_or_else(|| {
            columns.push(column.clone());
            columns.len() - 1
        });
        map.column.push(ColumnId(at as u16));
        map.value.push(widen(&mut columns[at].domain, &column.domain));
        // A newer declaration of an attribute is the one whose index is good.
        columns[at].subject = column.subject;
    }
    map
}

fn widen(joint: &mut Domain, own: &Domain) -> Vec<u32> {
    match (joint, own) {
        (Domain::Enum { values, open }, Domain::Enum { values: mine, open: also_open }) => {
            *open |= also_open;
            let place = |name: &Arc<str>| {
                let at = values.iter().position(|one| one == name).unwrap_or_else(|| {
                    values.push(name.clone());
                    values.len() - 1
                });
                at as u32
            };
            mine.iter().map(place).collect()
        }
        (Domain::Number { lo, hi }, Domain::Number { lo: low, hi: high }) => {
            (*lo, *hi) = ((*lo).min(*low), (*hi).max(*high));
            Vec::new()
        }
        _ => Vec::new(),
    }
}

fn over(checked: &Checked, columns: &[Column], map: &Map) -> Checked {
    let mut joint = checked.clone();
    joint.columns = columns.to_vec();
    // Rules are compared, and they look at no other columns.
    joint.beside = Beside::default();
    for rule in &mut joint.rules {
        rule.when = cond(&rule.when, map);
    }
    let moved = |one: &Implication| Implication {
        if_column: map.column[one.if_column.index()],
        if_values: values(&one.if_values, one.if_column, map),
        then_column: map.column[one.then_column.index()],
        then_values: values(&one.then_values, one.then_column, map),
        because: one.because.clone(),
    };
    joint.implications = checked.implications.iter().map(moved).collect();
    joint
}

fn cond(old: &Cond, map: &Map) -> Cond {
    let all = |parts: &[Cond]| parts.iter().map(|part| cond(part, map)).collect();
    match old {
        Cond::True => Cond::True,
        Cond::Any(parts) => Cond::Any(all(parts)),
        Cond::All(parts) => Cond::All(all(parts)),
        Cond::Not(inner) => Cond::Not(Box::new(cond(inner, map))),
        Cond::Test { column, values: set, span } => {
            Cond::Test { column: map.column[column.index()], values: values(set, *column, map), span: *span }
        }
    }
}

fn values(old: &Values, column: ColumnId, map: &Map) -> Values {
    match old {
        Values::Enum(list) => {
            let mut moved: Vec<u32> = list.iter().map(|at| map.value[column.index()][*at as usize]).collect();
            moved.sort_unstable();
            Values::Enum(moved)
        }
        other => other.clone(),
    }
}

/// Requests that one side refuses before any rule.
fn refused(old: &Checked, new: &Checked) -> Vec<String> {
    let mut notes = Vec::new();
    let mut lists = |what: &str, old: Vec<&str>, new: Vec<&str>| {
        let (was, is): (FxHashSet<&str>, FxHashSet<&str>) =
            (old.iter().copied().collect(), new.iter().copied().collect());
        notes.extend(new.iter().filter(|name| !was.contains(*name)).map(|name| format!("{what} `{name}` is new")));
        notes.extend(old.iter().filter(|name| !is.contains(*name)).map(|name| format!("{what} `{name}` is gone")));
    };
    lists("plan", old.plans.iter().map(|one| &**one).collect(), new.plans.iter().map(|one| &**one).collect());
    let features = |checked: &Checked| checked.features.iter().map(|one| one.name.clone()).collect::<Vec<_>>();
    let (was, is) = (features(old), features(new));
    lists("feature", was.iter().map(|one| &**one).collect(), is.iter().map(|one| &**one).collect());
    let words = |checked: &Checked| checked.endpoints.iter().map(|one| one.word()).collect::<Vec<_>>();
    lists("endpoint", words(old), words(new));
    for one in &old.attributes {
        let other = new.attributes.iter().find(|other| other.name == one.name);
        if other.is_some_and(|other| format!("{:?}", other.domain) != format!("{:?}", one.domain)) {
            notes.push(format!("attribute `{}` takes other values", one.name));
        }
    }
    if old.max_prompt != new.max_prompt {
        notes.push(format!("max_prompt was {} and is {}", old.max_prompt, new.max_prompt));
    }
    notes
}

fn changed_tenants(old: &Checked, new: &Checked) -> Vec<String> {
    let row = |checked: &Checked, at: usize| {
        let one = &checked.tenants[at];
        let plan = one.plan.and_then(|plan| checked.plans.get(usize::from(plan)).cloned());
        let residency =
            one.residency.and_then(|at| checked.residencies.get(usize::from(at))).map(|one| one.name.clone());
        (plan, residency, one.approved.clone())
    };
    let changed = old.tenants.iter().enumerate().filter_map(|(at, one)| {
        let other = new.tenants.iter().position(|other| other.name == one.name)?;
        (row(old, at) != row(new, other)).then(|| format!("the facts of tenant `{}` changed", one.name))
    });
    changed.collect()
}

/// Whether a column is about budgets.
pub fn is_budget(column: &Column) -> bool {
    matches!(column.subject, Subject::Budget(_))
}
