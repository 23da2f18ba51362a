//! Hops that do not go well together: embedding spaces, peers of nothing, hedges, fallbacks that cost many times the first
//! hop (R324, R326, R328 to R330, R605).
//!
//! In: a [`Checked`], the day. Out: findings. Must not know: requests. A hedge that breaks a guarantee is proven, not judged here.

use jiff::civil::Date;

use super::super::ast::Intent;
use super::super::checked::{Chain, Checked, Claim, Hop, Origin, Outcome, Promise, Rule, SnapshotId, Target, Tier};
use super::super::diagnostic::{Diagnostic, Level, R324, R326, R328, R329, R330, R605};
use super::super::eligible;
use super::super::source::Span;
use crate::catalog::Entry;
use crate::units::{Tokens, Usd};

/// Both legs of a hedge against the first alone, above which R330 says so.
const DEAR_HEDGE: u64 = 3;

/// A fallback against the first hop, from which R605 says so.
const DEAR_FALLBACK: u64 = 5;

/// All findings about hops that stand beside each other.
pub fn check(checked: &Checked, today: Date, findings: &mut Vec<Diagnostic>) {
    for tier in &checked.tiers {
        findings.extend(tier_space(checked, tier));
    }
    let mut said: Vec<(&str, Span)> = Vec::new();
    for rule in &checked.rules {
        let Outcome::Chain(chain) = &rule.outcome else { continue };
        let own = chain_space(checked, rule, chain).into_iter().chain(peers_of_nothing(checked, rule, chain));
        let own = own.chain(hedges(checked, rule, chain, today)).chain(costly(checked, rule, chain, today));
        // A ladder's line is judged for each rule that uses it.
        for finding in own {
            if !said.contains(&(finding.code.code, finding.span)) {
                said.push((finding.code.code, finding.span));
                findings.push(finding);
            }
        }
    }
}

fn entry(checked: &Checked, id: SnapshotId) -> Option<&Entry> {
    checked.snapshots[id.index()].facts.as_deref()
}

fn model(checked: &Checked, id: SnapshotId) -> String {
    checked.snapshots[id.index()].model.to_string()
}

/// The vector space of an embedding model: its family and how long its vectors are. A model without a family is alone in its space.
fn space(entry: &Entry) -> Option<(String, Option<u64>)> {
    let embeds = entry.mode.as_deref() == Some("embedding");
    let family = entry.family.as_ref().unwrap_or(&entry.id);
    embeds.then(|| (family.to_string(), entry.vector_size))
}

/// The first of some snapshots that is of another space than the first embedding model among them.
fn stranger(checked: &Checked, all: impl Iterator<Item = SnapshotId>) -> Option<(SnapshotId, SnapshotId)> {
    let mut first: Option<SnapshotId> = None;
    for id in all {
        let Some(own) = entry(checked, id).and_then(space) else { continue };
        match first {
            None => first = Some(id),
            Some(one) if entry(checked, one).and_then(space) != Some(own) => return Some((one, id)),
            Some(_) => {}
        }
    }
    None
}

/// R324 for a tier.
fn tier_space(checked: &Checked, tier: &Tier) -> Option<Diagnostic> {
    let (one, other) = stranger(checked, tier.members.iter().chain(&tier.candidates).copied())?;
    let title = format!("tier `{}` mixes two embedding spaces", tier.name);
    Some(mixed(checked, Diagnostic::new(&R324, tier.span, title), one, other).help("make a tier for each family"))
}

/// R324 for a chain.
fn chain_space(checked: &Checked, rule: &Rule, chain: &Chain) -> Option<Diagnostic> {
    let mut ids = chain.hops.iter().filter_map(|hop| match hop.target {
        Target::Snapshot(id) => Some((hop, id)),
        Target::Requested => None,
    });
    let (one, other) = stranger(checked, ids.clone().map(|(_, id)| id))?;
    let place = ids.find(|(_, id)| *id == other).map_or(rule.span, |(hop, _)| hop.span);
    // A tier that mixes spaces has the finding itself.
    if chain.hops.iter().any(|hop| matches!(hop.origin, Origin::Tier(_)) && hop.span == place)
        && checked.tiers.iter().any(|tier| tier.has(one) && tier.has(other))
    {
        return None;
    }
    let title = format!("the chain of `{}` changes the embedding space", rule.name);
    let found = mixed(checked, Diagnostic::new(&R324, place, title), one, other);
    Some(found.help("name only models of one family, or end with `degrade error 503 \"..\"`"))
}

fn mixed(checked: &Checked, found: Diagnostic, one: SnapshotId, other: SnapshotId) -> Diagnostic {
    let name = |id| {
        let (family, size) = entry(checked, id).and_then(space).unwrap_or_default();
        let size = size.map(|size| format!(", {size} numbers")).unwrap_or_default();
        format!("{} is of {family}{size}", model(checked, id))
    };
    found.here(name(other)).note(name(one)).note("vectors of two families cannot be compared")
}

/// R326: a peer is in the tier asked for, and no snapshot is in every tier.
fn peers_of_nothing(checked: &Checked, rule: &Rule, chain: &Chain) -> Vec<Diagnostic> {
    let ordered = checked.tiers.iter().filter(|tier| !tier.specialized).count();
    if chain.promise != Promise::AsRequested || ordered < 2 {
        return Vec::new();
    }
    let peers = chain.hops.iter().filter(|hop| hop.claim == Claim::Fallback(Intent::Peer));
    let finding = |hop: &Hop| {
        let Target::Snapshot(id) = hop.target else { return None };
        let own = checked.home(id).map(|tier| &checked.tiers[tier.index()].name)?;
        let title = format!("`fallback peer` cannot be true for every tier that `{}` may be asked for", rule.name);
        let found =
            Diagnostic::new(&R326, hop.span, title).here(format!("{} is in tier `{own}` alone", model(checked, id)));
        let found = found.note("`tier as requested` goes on with the rest of the tier asked for by itself");
        Some(found.help("delete the hop, or write `fallback lower tier NAME`"))
    };
    peers.filter_map(finding).collect()
}

/// R328, R329 and R330, once for each `hedge` that is written.
fn hedges(checked: &Checked, rule: &Rule, chain: &Chain, today: Date) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    let mut seen: Vec<Span> = Vec::new();
    for (at, hop) in chain.hops.iter().enumerate() {
        if hop.options.hedge.is_none() || seen.contains(&hop.span) {
            continue;
        }
        seen.push(hop.span);
        match chain.hops.get(at + 1) {
            // Options of a `tier` line are every hop's; the last has nothing behind it, and that is nobody's mistake.
            None if at > 0 && chain.hops[at - 1].options.hedge == hop.options.hedge => {}
            None => findings.push(alone(rule, hop)),
            Some(next) => {
                findings.extend(crosses(checked, chain, hop, next));
                findings.extend(dear(checked, chain, at, today));
            }
        }
    }
    findings
}

fn alone(rule: &Rule, hop: &Hop) -> Diagnostic {
    let title = format!("a hedge of `{}` has no hop to start beside it", rule.name);
    let found = Diagnostic::new(&R328, hop.span, title).here("the last hop of the chain");
    found.help("add a `fallback peer` behind it, or delete `hedge`")
}

fn crosses(checked: &Checked, chain: &Chain, hop: &Hop, next: &Hop) -> Option<Diagnostic> {
    let word = match (hop.claim, next.claim) {
        (Claim::Fallback(own), Claim::Fallback(next)) if own == next => return None,
        (_, Claim::Fallback(word @ (Intent::Lower | Intent::Higher))) => word,
        _ => return None,
    };
    let Target::Snapshot(id) = next.target else { return None };
    let Promise::Tier(promised) = chain.promise else { return None };
    let promised = &checked.tiers[promised.index()].name;
    let title = format!("the hedge leg is {} than tier `{promised}`", word.word());
    let found = Diagnostic::new(&R329, hop.span, title).here("hedged with the next hop");
    let found = found.label(next.span, format!("{} answers whenever it is quicker", model(checked, id)));
    Some(found.help("put a `fallback peer` behind the hedged hop"))
}

/// R330: the legs together, at the largest prompt that all of them take.
fn dear(checked: &Checked, chain: &Chain, at: usize, today: Date) -> Option<Diagnostic> {
    let hop = &chain.hops[at];
    let legs = usize::from(hop.options.hedge?.legs);
    let beside: Vec<&Hop> = chain.hops[at + 1..].iter().take(legs).collect();
    let prompt = beside.iter().fold(largest(checked, hop), |least, leg| least.min(largest(checked, leg)));
    let own = cost(checked, hop, prompt, today)?;
    let sum = beside.iter().try_fold(own, |sum, leg| Some(sum + cost(checked, leg, prompt, today)?))?;
    if own == Usd::default() || sum.0 < own.0.saturating_mul(DEAR_HEDGE) {
        return None;
    }
    let title = format!("a hedged request can cost ${sum}, and ${own} without the hedge");
    let found = Diagnostic::new(&R330, hop.span, title).here(format!("for {prompt} tokens"));
    let found = found.note("both legs are paid for; what failed attempts used comes on top, in the ledger");
    Some(found.help("hedge with a cheaper hop, or delete `hedge`"))
}

/// R605: a written fallback against the first hop, at the largest prompt that both take.
fn costly(checked: &Checked, rule: &Rule, chain: &Chain, today: Date) -> Vec<Diagnostic> {
    let Some(first) = chain.hops.first() else { return Vec::new() };
    let written = chain.hops[1..].iter().filter(|hop| hop.origin == Origin::Written);
    let finding = |hop: &Hop| {
        let Claim::Fallback(intent) = hop.claim else { return None };
        let prompt = largest(checked, first).min(largest(checked, hop));
        let (own, other) = (cost(checked, first, prompt, today)?, cost(checked, hop, prompt, today)?);
        if own == Usd::default() || other.0 < own.0.saturating_mul(DEAR_FALLBACK) {
            return None;
        }
        let times = other.0 / own.0;
        let Target::Snapshot(id) = hop.target else { return None };
        let title = format!("a fallback of `{}` can cost {times} times the first hop", rule.name);
        let level = if intent == Intent::Higher { Level::Info } else { Level::Warning };
        let found = Diagnostic::new(&R605, hop.span, title).level(level);
        let found = found.here(format!("{} up to ${other}", model(checked, id)));
        let found = found.label(first.span, format!("up to ${own} for the same {prompt} tokens"));
        Some(found.help("name a cheaper fallback, or cap the answer with `max_output`"))
    };
    written.filter_map(finding).collect()
}

fn hop_entry<'a>(checked: &'a Checked, hop: &Hop) -> Option<&'a Entry> {
    match hop.target {
        Target::Snapshot(id) => entry(checked, id),
        Target::Requested => None,
    }
}

/// The largest prompt that the policy admits and the hop takes.
fn largest(checked: &Checked, hop: &Hop) -> Tokens {
    let own = eligible::largest_prompt(hop_entry(checked, hop), hop.options.max_output);
    own.map_or(checked.max_prompt, |own| own.min(checked.max_prompt))
}

/// The most that one answer of a hop can cost, features left out.
fn cost(checked: &Checked, hop: &Hop, prompt: Tokens, today: Date) -> Option<Usd> {
    let entry = hop_entry(checked, hop)?;
    entry.worst_cost(prompt, eligible::longest_answer(entry, hop.options.max_output)?, today)
}
