//! Facts that the two policies state differently: rows of tenants, features, residencies, tiers that clients ask for.
//!
//! In: two policies and the columns they share. Out: facts both agree on; for the others, conditions in which each side already
//! has its own fact put in, and areas of requests whose chain depends on one. Must not know: boxes.
//!
//! A tenant or a feature that only one side knows is compared as that side knows it.

use rustc_hash::FxHashMap;

use super::super::checked::{
    Chain, Checked, Column, ColumnId, Cond, Domain, Hop, Implication, Outcome, Stakes, Subject, Target, Tenant, Values,
};
use super::super::eligible;
use crate::names::ProviderName;

/// Names of tenants that are listed; the rest is counted.
const SHOWN_NAMES: usize = 5;

/// Something that changes what a chain does for the requests with one value in one column.
#[derive(Clone, Debug)]
pub struct Context {
    /// `tenant`, `feature` or `residency`.
    pub subject: Subject,
    /// Which ones: they differ in the same way.
    pub names: Vec<String>,
    /// In words: `max_output 800 → 400`.
    pub what: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Approved,
    Feature,
    Regions,
}

/// Every such thing that differs.
pub fn contexts(old: &Checked, new: &Checked) -> Vec<Context> {
    let mut list = Vec::new();
    for (was, now) in both(&old.tenants, &new.tenants, |one| &one.name) {
        if was.approved != now.approved {
            let what = format!("approved {} → {}", approved(was), approved(now));
            add_context(&mut list, Subject::Tenant, &now.name, what, Kind::Approved);
        }
    }
    for (was, now) in both(&old.features, &new.features, |one| &one.name) {
        let mut parts = Vec::new();
        let mut part = |word: &str, was: Option<String>, now: Option<String>| {
            let said = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
            if was != now {
                parts.push(format!("{word} {} → {}", said(was), said(now)));
            }
        };
        part("max_output", was.max_output.map(|one| one.to_string()), now.max_output.map(|one| one.to_string()));
        part("deadline", was.deadline.map(|one| one.to_string()), now.deadline.map(|one| one.to_string()));
        if !parts.is_empty() {
            add_context(&mut list, Subject::Feature, &now.name, parts.join(", "), Kind::Feature);
        }
    }
    for (was, now) in both(&old.residencies, &new.residencies, |one| &one.name) {
        if was.regions != now.regions {
            let regions = |list: &[std::sync::Arc<str>]| list.join(", ");
            let what = format!("regions {} → {}", regions(&was.regions), regions(&now.regions));
            add_context(&mut list, Subject::Residency, &now.name, what, Kind::Regions);
        }
    }
    list
}

fn add_context(list: &mut Vec<Context>, subject: Subject, name: &str, what: String, kind: Kind) {
    let known = list.iter_mut().find(|one| one.subject == subject && one.what == what && kind == Kind::Approved);
    match known {
        Some(known) => known.names.push(name.to_owned()),
        None => list.push(Context { subject, names: vec![name.to_owned()], what, kind }),
    }
}

fn both<'a, T>(old: &'a [T], new: &'a [T], name: fn(&T) -> &std::sync::Arc<str>) -> Vec<(&'a T, &'a T)> {
    let known: FxHashMap<&str, &T> = old.iter().map(|one| (&**name(one), one)).collect();
    new.iter().filter_map(|one| Some((*known.get(&**name(one))?, one))).collect()
}

fn approved(tenant: &Tenant) -> String {
    tenant.approved.as_ref().map_or_else(|| "all".to_owned(), |list| format!("[{}]", list.join(", ")))
}

impl Context {
    /// As a person says it: `feature reply: max_output 800 → 400`.
    pub fn words(&self, columns: &[Column]) -> String {
        let column = columns.iter().find(|column| column.subject == self.subject);
        let shown = self.names.iter().take(SHOWN_NAMES).map(String::as_str).collect::<Vec<_>>().join(", ");
        let rest = self.names.len().saturating_sub(SHOWN_NAMES);
        let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        format!("{} {shown}{rest}: {}", column.map_or("", |column| &*column.name), self.what)
    }

    /// The test for its requests.
    pub fn test(&self, columns: &[Column]) -> Option<(ColumnId, Values)> {
        let at = columns.iter().position(|column| column.subject == self.subject)?;
        let Domain::Enum { values, .. } = &columns[at].domain else { return None };
        let place = |name: &String| values.iter().position(|one| **one == **name).map(|at| at as u32);
        let mut list: Vec<u32> = self.names.iter().filter_map(place).collect();
        list.sort_unstable();
        (!list.is_empty()).then_some((ColumnId(at as u16), Values::Enum(list)))
    }

    /// What an outcome is for the requests of this context: hops that may not run are gone, limits are the feature's.
    pub fn applied(&self, checked: &Checked, outcome: &Outcome) -> Outcome {
        let (Outcome::Chain(chain), Some(name)) = (outcome, self.names.first()) else { return outcome.clone() };
        let mut chain: Chain = chain.clone();
        match self.kind {
            Kind::Approved => {
                let tenant = checked.tenants.iter().find(|one| *one.name == **name);
                let list: Option<&[ProviderName]> = tenant.and_then(|one| one.approved.as_deref());
                chain.hops.retain(|hop| match hop.target {
                    Target::Snapshot(id) => eligible::approved(list, &checked.snapshots[id.index()].model.provider),
                    Target::Requested => true,
                });
            }
            Kind::Feature => {
                let Some(feature) = checked.features.iter().find(|one| *one.name == **name) else {
                    return Outcome::Chain(chain);
                };
                if chain.hops.is_empty() {
                    return Outcome::Chain(chain);
                }
                chain.deadline = feature.deadline.map_or(chain.deadline, |own| own.min(chain.deadline));
                for hop in &mut chain.hops {
                    hop.options.max_output = eligible::policy_cap(&hop.options, Some(feature));
                }
            }
            Kind::Regions => {
                let residency = checked.residencies.iter().find(|one| *one.name == **name);
                let regions = residency.map_or(&[][..], |one| &one.regions);
                let stays = |hop: &Hop| match hop.target {
                    Target::Snapshot(id) => {
                        let entry = checked.snapshots[id.index()].facts.as_deref();
                        eligible::in_region(entry, &hop.options.regions, regions)
                    }
                    Target::Requested => true,
                };
                chain.hops.retain(stays);
            }
        }
        Outcome::Chain(chain)
    }
}

/// Columns that facts which differ need, although no condition looks at them.
pub fn columns_for(old: &Checked, new: &Checked, contexts: &[Context], columns: &mut Vec<Column>) {
    let has = |columns: &[Column], subject: Subject| columns.iter().any(|column| column.subject == subject);
    let mut tenants: Vec<&str> = contexts
        .iter()
        .filter(|one| one.subject == Subject::Tenant)
        .flat_map(|one| one.names.iter().map(String::as_str))
        .collect();
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
    if contexts.iter().any(|one| one.subject == Subject::Feature) {
        let all: Vec<&str> =
            ["none"].into_iter().chain(new.features.iter().chain(&old.features).map(|one| &*one.name)).collect();
        add(columns, "feature", Subject::Feature, &all, false);
    }
    if contexts.iter().any(|one| one.subject == Subject::Residency) {
        let all: Vec<&str> = new.residencies.iter().chain(&old.residencies).map(|one| &*one.name).collect();
        add(columns, "residency", Subject::Residency, &all, false);
    }
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
    let looked_up =
        |one: &Implication| matches!(new.columns[one.if_column.index()].subject, Subject::Tenant | Subject::Feature);
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
    for (left, right) in
        [(Subject::Tenant, Subject::Plan), (Subject::Tenant, Subject::Residency), (Subject::Feature, Subject::Stakes)]
    {
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
        _ => None,
    }
}
