//! What differs between two outcomes beyond tiers, providers and the last resort, in words.
//!
//! In: two outcomes, each with its policy. Out: short phrases, `hold 200 tokens → first_token`. Must not know: conditions, layout.

use std::fmt::Display;

use super::super::ast::{OnCut, Order};
use super::super::checked::{
    Chain, Checked, Claim, Degrade, Extras, Hold, Hop, HopOptions, Outcome, Partition, Retry, Similarity, Target,
};
use super::flags::Of;
use crate::catalog::Entry;
use crate::failure::{Failure, FailureSet};
use crate::units::Millis;

/// A fact of a row, and how two of them are compared: as text.
type Fact = (&'static str, fn(&Entry) -> String);

/// Facts of a row that are named one by one.
const FACTS: &[Fact] = &[
    ("price", |entry| format!("{:?} {:?} {:?}", entry.price, entry.price_changes, entry.price_peaks)),
    ("max_input", |entry| format!("{:?} {:?} {:?}", entry.max_input, entry.context_window, entry.tokens_margin)),
    ("max_output", |entry| format!("{:?}", entry.max_output)),
    ("capabilities", |entry| format!("{:?} {:?} {:?}", entry.capabilities, entry.mode, entry.endpoints)),
    ("regions", |entry| format!("{:?}", entry.regions)),
    ("retention", |entry| format!("{:?}", entry.retention)),
    ("dates", |entry| {
        format!("{:?} {:?} {:?} {:?}", entry.released, entry.retires_on, entry.rerouted_on, entry.status)
    }),
];

/// The facts of a row on which a decision, a chain or a bill can hang, as text.
pub fn facts(entry: &Entry) -> String {
    FACTS.iter().map(|(word, show)| format!("{word} {}\n", show(entry))).collect()
}

/// Differences, in the order in which a rule says such things. Of hops only when both chains call the same snapshots.
pub fn changes(was: Of<'_>, now: Of<'_>) -> Vec<String> {
    let mut list = Vec::new();
    match (was.outcome, now.outcome) {
        (Outcome::Reject { message: old, .. }, Outcome::Reject { message: new, .. }) => {
            between(&mut list, "message", quoted(old.as_deref()), quoted(new.as_deref()));
        }
        (Outcome::Chain(old), Outcome::Chain(new)) => {
            if targets(was.checked, old) == targets(now.checked, new) {
                hops(&mut list, (was.checked, old), (now.checked, new));
            }
            chain(&mut list, old, new);
            extras(&mut list, (was.checked, &old.extras), (now.checked, &new.extras));
            ends(&mut list, (was.checked, old), (now.checked, new));
        }
        _ => {}
    }
    list
}

/// What several hops have in common is said once.
fn hops(list: &mut Vec<String>, (was, old): (&Checked, &Chain), (now, new): (&Checked, &Chain)) {
    let mut said: Vec<(String, Vec<String>)> = Vec::new();
    for (old, new) in old.hops.iter().zip(&new.hops) {
        let mut own = Vec::new();
        hop(&mut own, (was, old), (now, new));
        for change in own {
            match said.iter_mut().find(|(known, _)| *known == change) {
                Some((_, names)) => names.push(name(now, new)),
                None => said.push((change, vec![name(now, new)])),
            }
        }
    }
    for (change, names) in said {
        let every = names.len() == new.hops.len() && names.len() > 1;
        list.push(format!("{}: {change}", if every { "every hop".to_owned() } else { names.join(", ") }));
    }
}

fn between(list: &mut Vec<String>, what: &str, old: impl Display, new: impl Display) {
    let (old, new) = (old.to_string(), new.to_string());
    if old != new {
        list.push(format!("{what} {old} → {new}"));
    }
}

fn quoted(text: Option<&str>) -> String {
    text.map_or_else(|| "none".to_owned(), |text| format!("{text:?}"))
}

fn targets(checked: &Checked, chain: &Chain) -> Vec<String> {
    chain.hops.iter().map(|hop| name(checked, hop)).collect()
}

fn name(checked: &Checked, hop: &Hop) -> String {
    match hop.target {
        Target::Snapshot(id) => checked.snapshots[id.index()].model.to_string(),
        Target::Requested => "requested".to_owned(),
    }
}

fn hop(list: &mut Vec<String>, (was, old): (&Checked, &Hop), (now, new): (&Checked, &Hop)) {
    let claim = |hop: &Hop| match hop.claim {
        Claim::Promised => "promised",
        Claim::Fallback(intent) => intent.word(),
    };
    between(list, "claim", claim(old), claim(new));
    options(list, &old.options, &new.options);
    let entry = |checked: &Checked, hop: &Hop| match hop.target {
        Target::Snapshot(id) => checked.snapshots[id.index()].facts.clone(),
        Target::Requested => None,
    };
    match (entry(was, old), entry(now, new)) {
        (Some(old), Some(new)) => {
            let changed: Vec<&str> =
                FACTS.iter().filter(|(_, show)| show(&old) != show(&new)).map(|(word, _)| *word).collect();
            if !changed.is_empty() {
                list.push(format!("other facts in the catalog ({})", changed.join(", ")));
            }
        }
        (None, Some(_)) => list.push("facts are known now".to_owned()),
        (Some(_), None) => list.push("facts are unknown now".to_owned()),
        (None, None) => {}
    }
}

fn options(list: &mut Vec<String>, old: &HopOptions, new: &HopOptions) {
    let mut say = |what: &str, old: String, new: String| between(list, what, old, new);
    let timeout = |options: &HopOptions| match (options.timeout, options.stream_timeout) {
        (all, streams) if all == streams => all.to_string(),
        (all, streams) => format!("{all}, of streams {streams}"),
    };
    say("timeout", timeout(old), timeout(new));
    // What is inherited is lowered to the timeout without a word.
    if new.first_token != old.first_token.min(new.timeout) && old.first_token != new.first_token.min(old.timeout) {
        say("first_token", old.first_token.to_string(), new.first_token.to_string());
    }
    say("idle", old.idle.to_string(), new.idle.to_string());
    say("stream_limit", old.stream_limit.to_string(), new.stream_limit.to_string());
    say("retry", retry(old.retry), retry(new.retry));
    say("on", failures(old.on), failures(new.on));
    let places = |options: &HopOptions| match &options.regions[..] {
        [] => "anywhere".to_owned(),
        some => some.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    say("in", places(old), places(new));
    let cap = |options: &HopOptions| options.max_output.map_or_else(|| "none".to_owned(), |most| most.to_string());
    say("max_output", cap(old), cap(new));
    let hedge = |options: &HopOptions| {
        options.hedge.map_or_else(
            || "none".to_owned(),
            |hedge| {
                let after = hedge.after.map_or_else(|| "p95".to_owned(), |after| after.to_string());
                format!("after {after} up to {}", hedge.legs)
            },
        )
    };
    say("hedge", hedge(old), hedge(new));
}

fn retry(retry: Option<Retry>) -> String {
    match retry {
        None => "by default".to_owned(),
        Some(Retry { count: 0, .. }) => "0".to_owned(),
        Some(retry) => format!("{} on [{}] backoff {}", retry.count, failures(retry.on), retry.backoff),
    }
}

fn failures(set: FailureSet) -> String {
    set.iter().map(Failure::word).collect::<Vec<_>>().join(", ")
}

fn chain(list: &mut Vec<String>, old: &Chain, new: &Chain) {
    let order = |chain: &Chain| match chain.order {
        Order::InOrder => "in order",
        Order::Cheapest => "cheapest",
        Order::Fastest => "fastest",
    };
    between(list, "tier", order(old), order(new));
    let hold = |chain: &Chain| match chain.hold {
        Hold::FirstToken => "first_token".to_owned(),
        Hold::Tokens(count) => format!("{count} tokens"),
        Hold::Complete => "complete".to_owned(),
    };
    between(list, "hold", hold(old), hold(new));
    let cut = |chain: &Chain| match chain.on_cut {
        OnCut::Error => "error",
        OnCut::Resume => "resume",
    };
    between(list, "on cut", cut(old), cut(new));
    between(list, "deadline", old.deadline, new.deadline);
}

/// Guards, cache and shadow.
fn extras(list: &mut Vec<String>, (was, old): (&Checked, &Extras), (now, new): (&Checked, &Extras)) {
    between(list, "guard", guards(was, old), guards(now, new));
    between(list, "cache", cache(was, old), cache(now, new));
    between(list, "shadow", shadow(was, old), shadow(now, new));
}

fn guards(checked: &Checked, extras: &Extras) -> String {
    let names: Vec<&str> = extras.guards.iter().map(|one| &*checked.moving.guards[one.node.index()].name).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn cache(checked: &Checked, extras: &Extras) -> String {
    let Some(cache) = &extras.cache else { return "none".to_owned() };
    let similarity = match cache.similarity {
        Similarity::Exact => "exact".to_owned(),
        Similarity::Semantic(share) => format!("semantic {share}"),
    };
    let part = |part: &Partition| match part {
        Partition::Tenant => "tenant",
        Partition::User => "user",
        Partition::Plan => "plan",
        Partition::Feature => "feature",
        Partition::Residency => "residency",
        Partition::Attribute(at) => &checked.attributes[usize::from(*at)].name,
    };
    let per: Vec<&str> = cache.per.iter().map(part).collect();
    format!("{similarity} for {} per [{}]", cache.fresh, per.join(", "))
}

fn shadow(checked: &Checked, extras: &Extras) -> String {
    let Some(shadow) = &extras.shadow else { return "none".to_owned() };
    let mut text = format!("{} to {}", shadow.share, checked.snapshots[shadow.snapshot.node.index()].model);
    let keep = shadow.keep.map(|time| format!(", keep {time}"));
    let budget = shadow.budget.map(|id| format!(", budget {}", checked.moving.budgets[id.node.index()].name));
    let judge = shadow.scored_by.map(|id| format!(", scored by {}", checked.moving.judges[id.node.index()].name));
    text.extend([keep, budget, judge].into_iter().flatten());
    text
}

/// What a caller gets of a template is its text; what a name hides is said here.
fn ends(list: &mut Vec<String>, (was, old): (&Checked, &Chain), (now, new): (&Checked, &Chain)) {
    for (old, new) in old.degrade.iter().zip(&new.degrade) {
        match (old, new) {
            (Degrade::Template(a), Degrade::Template(b)) => {
                let (a, b) = (&was.templates[a.index()], &now.templates[b.index()]);
                if a.name == b.name && a.text != b.text {
                    list.push(format!("text of template {}", b.name));
                }
            }
            (Degrade::Error { message: a, .. }, Degrade::Error { message: b, .. }) => {
                between(list, "error", quoted(a.as_deref()), quoted(b.as_deref()));
            }
            (Degrade::Queue { name: a, within: old }, Degrade::Queue { name: b, within: new }) if a == b => {
                let within =
                    |time: &Option<Millis>| time.map_or_else(|| "at any time".to_owned(), |time| time.to_string());
                between(list, &format!("queue {b} within"), within(old), within(new));
            }
            _ => {}
        }
    }
}
