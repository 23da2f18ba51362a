//! The hash of a policy: what log lines, caches and accepted-before lists know it by.
//!
//! In: a [`Checked`]. Out: `sha256:…` over everything a decision and its chain can depend on. Must not know: places in files.
//!
//! The text that is hashed is canonical: fields in a fixed order, each with its length, no spans, no reasons, no owners. Facts
//! of the catalog are part of it, because a new price or window changes what a chain does.

use std::fmt::{Debug, Write as _};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::checked::{Chain, Checked, Cond, Extras, Outcome, Rule};
use super::declared;

/// Changes whenever the canonical text does.
const FORMAT: &str = "wayside policy 2";

/// The hash of a policy.
pub fn of(checked: &Checked) -> Arc<str> {
    let mut text = Canon::default();
    text.say("format", FORMAT);
    text.show("policy", &(&checked.name, checked.timezone.iana_name(), checked.deadline, checked.max_prompt));
    text.show("endpoints", &(&checked.endpoints, &checked.plans));
    for feature in &checked.features {
        text.show("feature", &(&feature.name, feature.stakes, feature.max_output, feature.deadline));
    }
    text.show("people", &(&checked.tenants, &checked.residencies));
    for one in &checked.attributes {
        text.show("attribute", &(&one.name, &one.domain, &one.sources, &one.default));
    }
    for one in &checked.columns {
        text.show("column", &(&one.name, one.subject, &one.domain, one.class));
    }
    for one in &checked.implications {
        text.show("fact", &(one.if_column, &one.if_values, one.then_column, &one.then_values));
    }
    for one in &checked.snapshots {
        text.show("snapshot", &(&one.model, &one.facts, one.tier));
    }
    for one in &checked.tiers {
        text.show("tier", &(&one.name, one.specialized, &one.members, &one.candidates));
    }
    for one in &checked.templates {
        text.show("template", &(&one.name, &one.text));
    }
    for part in declared::parts(checked) {
        text.show(part.kind, &part.name);
        part.says.iter().for_each(|(clause, said)| text.say(clause, said));
    }
    for one in &checked.rules {
        text.rule(one);
    }
    let digest = Sha256::digest(text.0.as_bytes());
    let mut hash = String::with_capacity(7 + 64);
    hash.push_str("sha256:");
    for byte in digest {
        let _ = write!(hash, "{byte:02x}");
    }
    hash.into()
}

/// An outcome as canonical text: two rules with the same text do the same.
pub fn outcome(outcome: &Outcome) -> String {
    let mut text = Canon::default();
    text.outcome(outcome);
    text.0
}

#[derive(Default)]
struct Canon(String);

impl Canon {
    fn say(&mut self, key: &str, value: &str) {
        let _ = writeln!(self.0, "{key} {} {value}", value.len());
    }

    /// Only for types without spans: their derived form names every field.
    fn show(&mut self, key: &str, value: &dyn Debug) {
        self.say(key, &format!("{value:?}"));
    }

    fn rule(&mut self, rule: &Rule) {
        self.show("rule", &(&rule.name, &rule.tags));
        self.cond(&rule.when);
        self.outcome(&rule.outcome);
    }

    fn cond(&mut self, cond: &Cond) {
        match cond {
            Cond::True => self.say("true", ""),
            Cond::Any(parts) | Cond::All(parts) => {
                let word = if matches!(cond, Cond::Any(_)) { "any" } else { "all" };
                self.show(word, &parts.len());
                parts.iter().for_each(|part| self.cond(part));
            }
            Cond::Not(inner) => {
                self.say("not", "");
                self.cond(inner);
            }
            Cond::Test { column, values, span: _ } => self.show("test", &(column, values)),
        }
    }

    fn outcome(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Reject { status, message } => self.show("reject", &(status, message)),
            Outcome::Chain(chain) => self.chain(chain),
        }
    }

    fn extras(&mut self, extras: &Extras) {
        let guards: Vec<_> = extras.guards.iter().map(|one| one.node).collect();
        let cache = extras.cache.as_ref().map(|one| (one.similarity, one.fresh, &one.per));
        let shadow = extras.shadow.as_ref().map(|one| {
            let (budget, judge) = (one.budget.map(|budget| budget.node), one.scored_by.map(|judge| judge.node));
            (one.share, one.snapshot.node, one.keep, budget, judge)
        });
        self.show("extras", &(guards, cache, shadow));
    }

    fn chain(&mut self, chain: &Chain) {
        self.show("chain", &(chain.promise, chain.order, &chain.degrade, chain.hold, chain.on_cut, chain.deadline));
        self.extras(&chain.extras);
        for hop in &chain.hops {
            self.show("hop", &(hop.claim, hop.origin, hop.target, &hop.options));
        }
    }
}
