//! Facts that the two policies state differently: rows of tenants, features, residencies, tiers that clients ask for.
//!
//! In: two policies and the columns they share. Out: facts both agree on; for the others, conditions in which each side already
//! has its own fact put in. Must not know: boxes, chains.
//!
//! A tenant or a feature that only one side knows is compared as that side knows it.

use rustc_hash::FxHashMap;

use super::super::checked::{Checked, Column, ColumnId, Cond, Domain, Implication, Stakes, Subject, Tenant, Values};
use super::contexts::{Context, Place, both};

/// Columns that facts which differ need, although no condition looks at them.
pub fn columns_for(old: &Checked, new: &Checked, contexts: &[Context], columns: &mut Vec<Column>) {
    let has = |columns: &[Column], subject: Subject| columns.iter().any(|column| column.subject == subject);
    let mut tenants = names(contexts, Subject::Tenant);
    for (was, now) in both(&old.tenants, &new.tenants, |one| &one.name) {
        let plan = has(columns, Subject::Plan) && plan_of(old, was) != plan_of(new, now);
        let residency = has(columns, Subject::Residency) && residency_of(old, was) != residency_of(new, now);
        if plan || residency {
            tenants.push(&now.name);
        }
    }
    if !tenants.is_empty() {
        add(columns, "tenant", Subject::Tenant, &tenants, true);
    }
    let snapshots = names(contexts, Subject::RequestedSnapshot);
    if !snapshots.is_empty() {
        add(columns, "requested_model", Subject::RequestedSnapshot, &snapshots, true);
    }
    if !names(contexts, Subject::Feature).is_empty() {
        let all: Vec<&str> =
            ["none"].into_iter().chain(new.features.iter().chain(&old.features).map(|one| &*one.name)).collect();
        add(columns, "feature", Subject::Feature, &all, false);
    }
    if !names(contexts, Subject::Residency).is_empty() {
        let all: Vec<&str> = new.residencies.iter().chain(&old.residencies).map(|one| &*one.name).collect();
        add(columns, "residency", Subject::Residency, &all, false);
    }
}

fn names(contexts: &[Context], subject: Subject) -> Vec<&str> {
    let of = contexts.iter().filter_map(|one| match &one.place {
        Place::Named { subject: own, names } if *own == subject => Some(names.iter().map(String::as_str)),
        _ => None,
    });
    of.flatten().collect()
}

/// A column with at least these values.
fn add(columns: &mut Vec<Column>, name: &str, subject: Subject, values: &[&str], open: bool) {
    let at = columns.iter().position(|column| column.subject == subject).unwrap_or_else(|| {
        let domain = Domain::Enum { values: Vec::new(), open };
        columns.push(Column { name: name.into(), subject, domain, class: super::super::checked::Class::Free });
        columns.len() - 1
    });
    if let Domain::Enum { values: known, .. } = &mut columns[at].domain {
        for value in values {
            if !known.iter().any(|one| **one == **value) {
                known.push((*value).into());
            }
        }
    }
}

fn plan_of<'a>(checked: &'a Checked, tenant: &Tenant) -> Option<&'a str> {
    checked.plans.get(usize::from(tenant.plan?)).map(|one| &**one)
}

fn residency_of<'a>(checked: &'a Checked, tenant: &Tenant) -> Option<&'a str> {
    checked.residencies.get(usize::from(tenant.residency?)).map(|one| &*one.name)
}

/// One fact as each side has it: with this value left, that value right.
struct Fact {
    left: (ColumnId, Values),
    right: ColumnId,
    /// As the old policy has it, then the new one; `None` where it says nothing.
    is: [Option<Values>; 2],
    because: String,
}

/// Puts into both policies the facts they agree on, and into their conditions those they do not.
pub fn settle(old: &mut Checked, new: &mut Checked) {
    let facts = facts(old, new);
    let (same, moved): (Vec<Fact>, Vec<Fact>) = facts.into_iter().partition(|fact| fact.is[0] == fact.is[1]);
    let implications: Vec<Implication> = same
        .into_iter()
        .filter_map(|fact| {
            let [Some(then_values), _] = fact.is else { return None };
            let (if_column, if_values) = fact.left;
            Some(Implication { if_column, if_values, then_column: fact.right, then_values, because: fact.because })
        })
        .collect();
    for (side, checked) in [&mut *old, &mut *new].into_iter().enumerate() {
        checked.implications.clone_from(&implications);
        if moved.iter().any(|fact| fact.is[side].is_some()) {
            for rule in &mut checked.rules {
                rule.when = put(&rule.when, &moved, side);
            }
            for within in checked.moving.rollouts.iter_mut().filter_map(|one| one.within.as_mut()) {
                within.node = put(&within.node, &moved, side);
            }
        }
    }
}

/// A condition in which the facts of one side stand for what the request says.
fn put(cond: &Cond, moved: &[Fact], side: usize) -> Cond {
    let all = |parts: &[Cond]| parts.iter().map(|part| put(part, moved, side)).collect();
    match cond {
        Cond::True => Cond::True,
        Cond::Any(parts) => Cond::Any(all(parts)),
        Cond::All(parts) => Cond::All(all(parts)),
        Cond::Not(inner) => Cond::Not(Box::new(put(inner, moved, side))),
        Cond::Test { column, values, span } => {
            let about = moved.iter().filter(|fact| fact.right == *column);
            let mut columns: Vec<ColumnId> = about.clone().map(|fact| fact.left.0).collect();
            columns.sort_unstable();
            columns.dedup();
            columns.into_iter().fold(cond.clone(), |rest, left| {
                let mine = about.clone().filter(|fact| fact.left.0 == left && fact.is[side].is_some());
                let fixed = joined(mine.clone());
                let yes = joined(mine.filter(|fact| fact.is[side].as_ref().is_some_and(|is| within(is, values))));
                let test = |values: Values| Cond::Test { column: left, values, span: *span };
                match (fixed, yes) {
                    (None, _) => rest,
                    (Some(fixed), None) => Cond::All(vec![Cond::Not(Box::new(test(fixed))), rest]),
                    (Some(fixed), Some(yes)) => {
                        Cond::Any(vec![Cond::All(vec![Cond::Not(Box::new(test(fixed))), rest]), test(yes)])
                    }
                }
            })
        }
    }
}

/// All left sides together.
fn joined<'a>(facts: impl Iterator<Item = &'a Fact>) -> Option<Values> {
    let mut list = Vec::new();
    let mut texts = Vec::new();
    for fact in facts {
        match &fact.left.1 {
            Values::Enum(values) => list.extend(values),
            Values::Text(patterns) => texts.extend(patterns.iter().cloned()),
            Values::Ranges(_) | Values::Bool(_) => {}
        }
    }
    list.sort_unstable();
    list.dedup();
    match (list.is_empty(), texts.is_empty()) {
        (false, _) => Some(Values::Enum(list)),
        (true, false) => Some(Values::Text(texts)),
        (true, true) => None,
    }
}

/// Whether a fact satisfies a test. Facts name one value of a list.
fn within(is: &Values, values: &Values) -> bool {
    match (is, values) {
        (Values::Enum(is), Values::Enum(values)) => is.iter().all(|one| values.contains(one)),
        _ => false,
    }
}

/// Every fact that one of the two states, over their joint columns. Tenants and features are looked up on both sides, whether or
/// not a rule of that side looks at them.
fn facts(old: &Checked, new: &Checked) -> Vec<Fact> {
    let mut facts: Vec<Fact> = Vec::new();
    let column =
        |subject: Subject| new.columns.iter().position(|one| one.subject == subject).map(|at| ColumnId(at as u16));
    let looked_up = |one: &Implication| {
        matches!(
            new.columns[one.if_column.index()].subject,
            Subject::Tenant | Subject::Feature | Subject::RequestedSnapshot
        )
    };
    for (side, checked) in [old, new].into_iter().enumerate() {
        for one in checked.implications.iter().filter(|one| !looked_up(one)) {
            let left = (one.if_column, one.if_values.clone());
            let known = facts.iter().position(|fact| fact.left == left && fact.right == one.then_column);
            let at = known.unwrap_or_else(|| {
                // What only one side asks about is the same on both: it comes from the catalog.
                let is = [Some(one.then_values.clone()), Some(one.then_values.clone())];
                facts.push(Fact { left, right: one.then_column, is, because: one.because.clone() });
                facts.len() - 1
            });
            facts[at].is[side] = Some(one.then_values.clone());
        }
    }
    let rows =
        [old, new].map(|checked| checked.tenants.iter().map(|one| (&*one.name, one)).collect::<FxHashMap<_, _>>());
    for (left, right) in [
        (Subject::Tenant, Subject::Plan),
        (Subject::Tenant, Subject::Residency),
        (Subject::Feature, Subject::Stakes),
        (Subject::RequestedSnapshot, Subject::RequestedTier),
    ] {
        let (Some(from), Some(to)) = (column(left), column(right)) else { continue };
        let Domain::Enum { values, .. } = &new.columns[from.index()].domain else { continue };
        for (at, name) in values.iter().enumerate() {
            let place = |word: Option<&str>| match (&new.columns[to.index()].domain, word) {
                (Domain::Enum { values, .. }, Some(word)) => {
                    values.iter().position(|one| **one == *word).map(|at| Values::Enum(vec![at as u32]))
                }
                _ => None,
            };
            let said =
                [(old, &rows[0]), (new, &rows[1])].map(|(checked, rows)| stated(checked, rows, left, right, name));
            // Who knows nothing of it takes the word of who does.
            let said = match said {
                [None, Some(only)] | [Some(only), None] => [only, only],
                [Some(was), Some(now)] => [was, now],
                [None, None] => continue,
            };
            let left = (from, Values::Enum(vec![at as u32]));
            let word = said[1].or(said[0]).unwrap_or_default();
            let because =
                format!("{} {name} has {} {word}", new.columns[from.index()].name, new.columns[to.index()].name);
            facts.push(Fact { left, right: to, is: said.map(place), because });
        }
    }
    facts
}

/// What a side says of a tenant or a feature: `None` when it does not know it, `Some(None)` when it leaves it open.
fn stated<'a>(
    checked: &'a Checked,
    rows: &FxHashMap<&str, &Tenant>,
    left: Subject,
    right: Subject,
    name: &str,
) -> Option<Option<&'a str>> {
    match (left, right) {
        (Subject::Tenant, _) => {
            let tenant = rows.get(name)?;
            Some(if right == Subject::Plan { plan_of(checked, tenant) } else { residency_of(checked, tenant) })
        }
        (Subject::Feature, _) if name == "none" => Some(Some(Stakes::Normal.word())),
        (Subject::Feature, _) => Some(Some(checked.features.iter().find(|one| *one.name == *name)?.stakes.word())),
        (Subject::RequestedSnapshot, _) => Some(Some(tier_of(checked, name).unwrap_or("none"))),
        _ => None,
    }
}

fn tier_of<'a>(checked: &'a Checked, model: &str) -> Option<&'a str> {
    let row = checked.snapshots.iter().find(|one| one.model.to_string() == model)?;
    row.tier.map(|tier| &*checked.tiers[tier.index()].name)
}
