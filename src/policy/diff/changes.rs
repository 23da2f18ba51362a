//! What differs between two outcomes beyond tiers, providers and the last resort, in words.
//!
//! In: two outcomes, each with its policy. Out: short phrases, `hold 200 tokens → first_token`. Must not know: conditions, layout.

use std::fmt::Display;

use super::super::checked::{Chain, Checked, Claim, Degrade, Extras, Hop, HopOptions, Outcome, Target};
use super::super::shown::options as written;
use super::flags::Of;
use crate::catalog::Entry;
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
    let retry = |options: &HopOptions| options.retry.map_or_else(|| "by default".to_owned(), written::retry);
    say("retry", retry(old), retry(new));
    say("on", written::failures(old.on), written::failures(new.on));
    say("in", written::regions(&old.regions), written::regions(&new.regions));
    let cap = |options: &HopOptions| options.max_output.map_or_else(|| "none".to_owned(), |most| most.to_string());
    say("max_output", cap(old), cap(new));
    say("hedge", written::hedge(old.hedge), written::hedge(new.hedge));
}

fn chain(list: &mut Vec<String>, old: &Chain, new: &Chain) {
    between(list, "tier", written::order(old.order), written::order(new.order));
    between(list, "hold", written::hold(old.hold), written::hold(new.hold));
    between(list, "on cut", written::on_cut(old.on_cut), written::on_cut(new.on_cut));
    between(list, "deadline", old.deadline, new.deadline);
}

/// Guards, cache and shadow.
fn extras(list: &mut Vec<String>, (was, old): (&Checked, &Extras), (now, new): (&Checked, &Extras)) {
    between(list, "guard", written::guards(was, old), written::guards(now, new));
    between(list, "cache", written::cache(was, old), written::cache(now, new));
    between(list, "shadow", written::shadow(was, old), written::shadow(now, new));
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
