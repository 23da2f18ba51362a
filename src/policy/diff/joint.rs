//! Two policies over one set of columns, so that one request can be asked of both.
//!
//! In: two [`Checked`]. Out: the same rules over joint columns, and what the two do not have in common. Must not know: boxes.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::super::checked::{
    Beside, Checked, Column, ColumnId, Cond, Domain, Implication, Outcome, Rule, Subject, Values,
};

use super::contexts::{self, Context};
use super::facts;

/// The name of the rule that stands for "no rule matches".
pub const NO_RULE: &str = "no rule";

/// Both policies over the same columns.
pub struct Joint {
    /// The old one, with the facts of the new one.
    pub old: Checked,
    /// The new one.
    pub new: Checked,
    /// What only one of them admits, or reads in another way: such requests are not the same request on both sides.
    pub notes: Vec<String>,
    /// Facts on which chains hang and which differ.
    pub contexts: Vec<Context>,
}

/// Where a policy's columns and listed values are in the joint ones.
struct Map {
    column: Vec<ColumnId>,
    value: Vec<Vec<u32>>,
}

/// Joins two policies.
pub fn join(old: &Checked, new: &Checked) -> Joint {
    let (was, now) = (old, new);
    // Conditions of rollouts look at columns that no rule looks at; without a rollout that differs nobody asks.
    let rollouts = contexts::rollouts_differ(old, new);
    let (old, new) = (&looked_at(old, rollouts), &looked_at(new, rollouts));
    let mut columns: Vec<Column> = Vec::new();
    let left = add(&mut columns, old);
    let right = add(&mut columns, new);
    let mut contexts = contexts::contexts(old, new);
    facts::columns_for(old, new, &contexts, &mut columns);
    let mut adopted = new.clone();
    adopt(old, &mut adopted, &mut columns, &left, &right);
    let mut joint_old = over(old, &columns, &left);
    let mut joint_new = over(&adopted, &columns, &right);
    facts::settle(&mut joint_old, &mut joint_new);
    contexts.extend(contexts::rollouts(was, now, &joint_old, &joint_new));
    for one in [&mut joint_old, &mut joint_new] {
        let complete = one.rules.last().is_some_and(|rule| matches!(rule.when, Cond::True));
        if !complete {
            one.rules.push(no_rule(one));
        }
    }
    Joint { old: joint_old, new: joint_new, notes: refused(old, new), contexts }
}

/// A policy with the columns that are asked about.
fn looked_at(checked: &Checked, rollouts: bool) -> Checked {
    let mut one = if rollouts { checked.widened() } else { checked.clone() };
    if !rollouts {
        one.moving.rollouts.iter_mut().for_each(|rollout| rollout.within = None);
    }
    one
}

/// Columns that only the old policy has point into its tables; what is asked about them stands in the new ones from here on.
fn adopt(old: &Checked, new: &mut Checked, columns: &mut [Column], left: &Map, right: &Map) {
    for at in left.column.iter().filter(|at| !right.column.contains(at)) {
        let column = &mut columns[at.index()];
        match column.subject {
            Subject::Attribute(from) => {
                column.subject = Subject::Attribute(new.attributes.len() as u16);
                new.attributes.push(old.attributes[usize::from(from)].clone());
            }
            Subject::Switch(from) => {
                column.subject = Subject::Switch(new.moving.switches.len() as u16);
                new.moving.switches.push(old.moving.switches[usize::from(from)].clone());
            }
            _ => {}
        }
    }
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
    for within in joint.moving.rollouts.iter_mut().filter_map(|rollout| rollout.within.as_mut()) {
        within.node = cond(&within.node, map);
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
    let places = |checked: &Checked| checked.residencies.iter().map(|one| one.name.clone()).collect::<Vec<_>>();
    let (was, is) = (places(old), places(new));
    lists("residency", was.iter().map(|one| &**one).collect(), is.iter().map(|one| &**one).collect());
    for one in &old.attributes {
        let other = new.attributes.iter().find(|other| other.name == one.name);
        let Some(other) = other else {
            notes.push(format!("attribute `{}` is gone", one.name));
            continue;
        };
        if format!("{:?}", other.domain) != format!("{:?}", one.domain) {
            notes.push(format!("attribute `{}` takes other values", one.name));
        } else if other.default != one.default {
            notes.push(format!("attribute `{}` has another default", one.name));
        }
        if other.sources != one.sources {
            notes.push(format!("attribute `{}` is looked for elsewhere", one.name));
        }
    }
    let fresh = new.attributes.iter().filter(|one| !old.attributes.iter().any(|other| other.name == one.name));
    notes.extend(fresh.map(|one| format!("attribute `{}` is new", one.name)));
    let clock = |checked: &Checked| checked.columns.iter().any(|column| column.subject == Subject::Clock);
    if old.timezone.iana_name() != new.timezone.iana_name() && (clock(old) || clock(new)) {
        let name = |checked: &Checked| checked.timezone.iana_name().unwrap_or("unknown").to_owned();
        notes.push(format!("the timezone was {} and is {}", name(old), name(new)));
    }
    if old.max_prompt != new.max_prompt {
        notes.push(format!("max_prompt was {} and is {}", old.max_prompt, new.max_prompt));
    }
    notes
}

/// Whether a column is about budgets.
pub fn is_budget(column: &Column) -> bool {
    matches!(column.subject, Subject::Budget(_))
}
