//! Requests whose chain another fact changes, although the rules say the same: a tenant's providers, a feature's limits, a
//! residency's regions, the tier of a requested model, a rollout.
//!
//! In: two policies. Out: each such fact with the requests it is about, and what an outcome is for them. Must not know: boxes.

use rustc_hash::FxHashMap;

use super::super::checked::{
    Chain, Checked, Column, ColumnId, Cond, Domain, Hop, Outcome, Rollout, SnapshotId, Subject, Target, Tenant, Values,
};
use super::super::declared::{self, Change, Reworded};
use super::super::eligible;
use super::super::plan::asked_for;
use super::super::source::Span;
use crate::names::{ModelRef, ProviderName};

/// Names of tenants that are listed; the rest is counted.
const SHOWN_NAMES: usize = 5;

/// Something that changes what a chain does for some requests.
#[derive(Clone, Debug)]
pub struct Context {
    /// Whose chain.
    pub place: Place,
    /// In words: `max_output 800 → 400`.
    what: String,
    kind: Kind,
}

/// The requests that a fact is about.
#[derive(Clone, Debug)]
pub enum Place {
    /// Those with one of these values, which differ in the same way.
    Named {
        /// `tenant`, `feature`, `residency` or `requested_model`.
        subject: Subject,
        /// The values.
        names: Vec<String>,
    },
    /// Those for which this holds, over the joint columns.
    Where(Cond),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Approved,
    Feature,
    Regions,
    Requested,
    /// By position on each side; `None` where it does not act on these requests.
    Rollout([Option<usize>; 2]),
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
    requested(old, new, &mut list);
    list
}

/// Tiers are what a chain of `requested` expands to.
fn requested(old: &Checked, new: &Checked, list: &mut Vec<Context>) {
    let mut models: Vec<&ModelRef> = Vec::new();
    for one in new.snapshots.iter().chain(&old.snapshots).filter(|one| one.tier.is_some()) {
        if !models.contains(&&one.model) {
            models.push(&one.model);
        }
    }
    for model in models {
        let (was, now) = (tier_with(old, model), tier_with(new, model));
        let behind = |tier: &Option<(String, Vec<String>)>| {
            let (name, members) = tier.clone()?;
            let name_of = model.to_string();
            Some((
                name,
                members.contains(&name_of),
                members.into_iter().filter(|one| *one != name_of).collect::<Vec<_>>(),
            ))
        };
        if behind(&was) == behind(&now) {
            continue;
        }
        let what = match (&was, &now) {
            (Some((old_name, old)), Some((new_name, new))) if old_name == new_name => {
                format!("tier {new_name} [{}] → [{}]", old.join(", "), new.join(", "))
            }
            _ => {
                let name =
                    |tier: &Option<(String, Vec<String>)>| tier.as_ref().map_or("no tier", |one| &one.0).to_owned();
                format!("tier {} → {}", name(&was), name(&now))
            }
        };
        add_context(list, Subject::RequestedSnapshot, &model.to_string(), what, Kind::Requested);
    }
}

/// The ordered tier of a model, by name, with the members of its chain.
fn tier_with(checked: &Checked, model: &ModelRef) -> Option<(String, Vec<String>)> {
    let tier = &checked.tiers[checked.snapshots.iter().find(|one| one.model == *model)?.tier?.index()];
    let members = tier.members.iter().map(|id| checked.snapshots[id.index()].model.to_string());
    Some((tier.name.to_string(), members.collect()))
}

/// Clauses of a rollout on which the chain of a request hangs.
const OF_CHAINS: [&str; 6] = ["after", "replace", "with", "where", "by", "stages"];

/// Whether some rollout acts on chains in another way.
pub fn rollouts_differ(old: &Checked, new: &Checked) -> bool {
    !changed_rollouts(old, new).is_empty()
}

/// Names of rollouts that act on chains in another way, with the clauses that differ; none where one side does not have it.
fn changed_rollouts(old: &Checked, new: &Checked) -> Vec<(String, Vec<Reworded>)> {
    let changes = declared::differences(old, new).into_iter().filter_map(|change| match change {
        Change::Added(part) | Change::Removed(part) if part.kind == "rollout" => {
            Some((part.name.to_string(), Vec::new()))
        }
        Change::Changed { kind: "rollout", name, clauses } => {
            let acts: Vec<Reworded> = clauses.into_iter().filter(|one| OF_CHAINS.contains(&one.clause)).collect();
            (!acts.is_empty()).then(|| (name.to_string(), acts))
        }
        _ => None,
    });
    changes.collect()
}

/// Rollouts that act on chains in another way, over joint columns: where both act, where only the old one, where only the new one.
pub fn rollouts(old: &Checked, new: &Checked, joint_old: &Checked, joint_new: &Checked) -> Vec<Context> {
    let mut list = Vec::new();
    for (name, clauses) in changed_rollouts(old, new) {
        let find = |checked: &Checked| checked.moving.rollouts.iter().position(|one| *one.name == *name);
        let at = [find(joint_old), find(joint_new)];
        let within = |checked: &Checked, at: Option<usize>| match at.map(|at| &checked.moving.rollouts[at].within) {
            None => Cond::Not(Box::new(Cond::True)),
            Some(None) => Cond::True,
            Some(Some(within)) => within.node.clone(),
        };
        let (was, now) = (within(joint_old, at[0]), within(joint_new, at[1]));
        let not = |cond: &Cond| Cond::Not(Box::new(cond.clone()));
        let said = |one: &Reworded| {
            let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
            format!("{} {} → {}", one.clause, text(&one.was), text(&one.now))
        };
        let clauses: Vec<String> = clauses.iter().map(said).collect();
        let what = match at {
            [None, _] => format!("rollout {name} is new{}", puts(joint_new, at[1])),
            [_, None] => format!("rollout {name} is gone{}", puts(joint_old, at[0])),
            _ => format!("rollout {name}: {}", clauses.join(", ")),
        };
        let areas = [
            (vec![was.clone(), now.clone()], at),
            (vec![was.clone(), not(&now)], [at[0], None]),
            (vec![not(&was), now], [None, at[1]]),
        ];
        list.extend(areas.into_iter().map(|(all, at)| Context {
            place: Place::Where(Cond::All(all)),
            what: what.clone(),
            kind: Kind::Rollout(at),
        }));
    }
    list
}

/// `, which puts M in front of N`
fn puts(checked: &Checked, at: Option<usize>) -> String {
    let Some(rollout) = at.map(|at| &checked.moving.rollouts[at]) else { return String::new() };
    let model = |id: SnapshotId| &checked.snapshots[id.index()].model;
    format!(", with {} in front of {}", model(rollout.with.node), model(rollout.replace.node))
}

/// A chain on which a rollout acts; `None` where it does not.
fn rewritten(chain: &Chain, rollout: &Rollout) -> Option<Chain> {
    let is = |hop: &Hop, id: SnapshotId| hop.target == Target::Snapshot(id);
    let place = chain.hops.iter().position(|hop| is(hop, rollout.replace.node))?;
    if chain.hops[..place].iter().any(|hop| is(hop, rollout.with.node)) {
        return None;
    }
    let mut chain = chain.clone();
    let new = Hop { target: Target::Snapshot(rollout.with.node), ..chain.hops[place].clone() };
    chain.hops.retain(|hop| !is(hop, rollout.with.node));
    chain.hops.insert(place, new);
    Some(chain)
}

fn add_context(list: &mut Vec<Context>, subject: Subject, name: &str, what: String, kind: Kind) {
    let groups = matches!(kind, Kind::Approved | Kind::Requested);
    let known = list.iter_mut().filter(|one| groups && one.what == what).find_map(|one| match &mut one.place {
        Place::Named { subject: own, names } if *own == subject => Some(names),
        _ => None,
    });
    match known {
        Some(names) => names.push(name.to_owned()),
        None => list.push(Context { place: Place::Named { subject, names: vec![name.to_owned()] }, what, kind }),
    }
}

pub(super) fn both<'a, T>(old: &'a [T], new: &'a [T], name: fn(&T) -> &std::sync::Arc<str>) -> Vec<(&'a T, &'a T)> {
    let known: FxHashMap<&str, &T> = old.iter().map(|one| (&**name(one), one)).collect();
    new.iter().filter_map(|one| Some((*known.get(&**name(one))?, one))).collect()
}

fn approved(tenant: &Tenant) -> String {
    tenant.approved.as_ref().map_or_else(|| "all".to_owned(), |list| format!("[{}]", list.join(", ")))
}

impl Context {
    /// As a person says it: `feature reply: max_output 800 → 400`.
    pub fn words(&self, columns: &[Column]) -> String {
        let Place::Named { subject, names } = &self.place else { return self.what.clone() };
        let column = columns.iter().find(|column| column.subject == *subject);
        let shown = names.iter().take(SHOWN_NAMES).map(String::as_str).collect::<Vec<_>>().join(", ");
        let rest = names.len().saturating_sub(SHOWN_NAMES);
        let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        format!("{} {shown}{rest}: {}", column.map_or("", |column| &*column.name), self.what)
    }

    /// The condition for its requests; `None` where no column tells them apart.
    pub fn cond(&self, columns: &[Column], span: Span) -> Option<Cond> {
        let (subject, names) = match &self.place {
            Place::Where(cond) => return Some(cond.clone()),
            Place::Named { subject, names } => (subject, names),
        };
        let at = columns.iter().position(|column| column.subject == *subject)?;
        let Domain::Enum { values, .. } = &columns[at].domain else { return None };
        let place = |name: &String| values.iter().position(|one| **one == **name).map(|at| at as u32);
        let mut list: Vec<u32> = names.iter().filter_map(place).collect();
        list.sort_unstable();
        (!list.is_empty()).then_some(Cond::Test { column: ColumnId(at as u16), values: Values::Enum(list), span })
    }

    /// What an outcome is for these requests, on the old side (0) or the new one (1): hops that may not run are gone, limits are
    /// the feature's, `requested` is what they ask for. With it, what else tells it apart from the other side's.
    pub fn applied(&self, checked: &Checked, outcome: &Outcome, side: usize) -> (Outcome, String) {
        let Outcome::Chain(chain) = outcome else { return (outcome.clone(), String::new()) };
        if let Kind::Rollout(at) = self.kind {
            let rollout = at[side].map(|at| &checked.moving.rollouts[at]);
            let acts = rollout.and_then(|rollout| Some((rewritten(chain, rollout)?, rollout)));
            return match acts {
                Some((chain, rollout)) => (Outcome::Chain(chain), steps(checked, rollout)),
                None => (outcome.clone(), String::new()),
            };
        }
        let name = match &self.place {
            Place::Named { names, .. } => names.first(),
            Place::Where(_) => None,
        };
        let chain = name.map_or_else(|| chain.clone(), |name| self.of_named(checked, chain, name));
        (Outcome::Chain(chain), String::new())
    }

    fn of_named(&self, checked: &Checked, chain: &Chain, name: &str) -> Chain {
        let mut chain = chain.clone();
        match self.kind {
            Kind::Approved => {
                let tenant = checked.tenants.iter().find(|one| *one.name == *name);
                let list: Option<&[ProviderName]> = tenant.and_then(|one| one.approved.as_deref());
                chain.hops.retain(|hop| match hop.target {
                    Target::Snapshot(id) => eligible::approved(list, &checked.snapshots[id.index()].model.provider),
                    Target::Requested => true,
                });
            }
            Kind::Feature => {
                let feature = checked.features.iter().find(|one| *one.name == *name);
                if let Some(feature) = feature.filter(|_| !chain.hops.is_empty()) {
                    chain.deadline = feature.deadline.map_or(chain.deadline, |own| own.min(chain.deadline));
                    for hop in &mut chain.hops {
                        hop.options.max_output = eligible::policy_cap(&hop.options, Some(feature));
                    }
                }
            }
            Kind::Regions => {
                let residency = checked.residencies.iter().find(|one| *one.name == *name);
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
            Kind::Requested => {
                if chain.hops.iter().any(|hop| hop.target == Target::Requested) {
                    chain.hops = asked_for(checked, &chain, ModelRef::parse(name));
                }
            }
            Kind::Rollout(_) => {}
        }
        chain
    }
}

/// What of a rollout decides whom it takes in, and when.
fn steps(checked: &Checked, rollout: &Rollout) -> String {
    let part = declared::parts(checked).into_iter().find(|part| part.kind == "rollout" && part.name == rollout.name);
    let says = part.map(|part| part.says).unwrap_or_default();
    let acts = says.into_iter().filter(|(clause, _)| matches!(*clause, "after" | "by" | "stages"));
    acts.map(|(clause, text)| format!("{clause} {text}\n")).collect::<String>()
}
