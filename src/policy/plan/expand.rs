//! The chain of a rule as one request sees it: `requested` resolved, tiers in order (section 5.2, step 5).
//!
//! In: a checked chain, the facts. Out: candidates, first choice first. Must not know: whether any of them can be used.

use super::super::ast::{Intent, Order};
use super::super::checked::{Chain, Checked, Claim, Hop, Origin, Promise, RolloutId, SnapshotId, Target, TierId};
use super::super::eligible;
use super::super::facts::{Facts, Priority, PromptSize};
use super::super::holds::Seen;
use super::super::readings::Readings;
use super::rollouts;
use crate::catalog::price::Terms;
use crate::names::ModelRef;
use crate::units::{Tokens, Usd};

/// An entry of a chain before anybody asked whether it can be used.
#[derive(Clone)]
pub(super) struct Candidate<'a> {
    /// Which snapshot; `None` for `requested`, when the client's model is none of this policy's.
    pub snapshot: Option<SnapshotId>,
    /// Its tier.
    pub tier: Option<TierId>,
    /// The hop it comes from.
    pub hop: &'a Hop,
    /// Came out of a tier, not written by name.
    pub expanded: bool,
    /// The claim does not hold for what this request asked for.
    pub off_claim: bool,
    /// The rollout that put it in front of what it replaces.
    pub rollout: Option<RolloutId>,
    /// A rollout has put another in front of it.
    pub replaced: bool,
}

/// The tier promised to this request.
pub(super) fn promised(chain: &Chain, facts: &Facts) -> Option<TierId> {
    match chain.promise {
        Promise::Nothing => None,
        Promise::Tier(tier) => Some(tier),
        Promise::AsRequested => facts.requested_tier,
    }
}

/// Every entry, in the order in which they would be tried.
pub(super) fn candidates<'a>(
    checked: &Checked,
    chain: &'a Chain,
    facts: &Facts,
    prompt: &mut dyn PromptSize,
    readings: &Readings,
) -> Vec<Candidate<'a>> {
    let mut list = expanded(checked, chain, facts);
    match chain.order {
        Order::InOrder => {}
        Order::Cheapest => cheapest_first(checked, &mut list, facts, prompt, readings),
        Order::Fastest => fastest_first(&mut list, readings),
    }
    rollouts::rewrite(&Seen { checked, facts, readings }, &mut list, prompt);
    list
}

/// The hops of a chain, as declared, for who asks for a model: `requested` stands for what it asks for. Entries that cannot be
/// true of it are left out.
pub(in crate::policy) fn asked_for(checked: &Checked, chain: &Chain, model: Option<ModelRef>) -> Vec<Hop> {
    let row = checked.snapshots.iter().find(|one| Some(&one.model) == model.as_ref());
    let requested_tier = row.and_then(|row| row.tier);
    let facts = Facts { requested_snapshot: model, requested_tier, ..Facts::default() };
    let entries = expanded(checked, chain, &facts).into_iter().filter(|one| !one.off_claim);
    let hop = |one: Candidate<'_>| Some(Hop { target: Target::Snapshot(one.snapshot?), ..one.hop.clone() });
    entries.filter_map(hop).collect()
}

/// Every entry as declared.
fn expanded<'a>(checked: &Checked, chain: &'a Chain, facts: &Facts) -> Vec<Candidate<'a>> {
    let promise = promised(chain, facts);
    let mut list: Vec<Candidate<'a>> = Vec::with_capacity(chain.hops.len());
    for hop in &chain.hops {
        match hop.target {
            Target::Snapshot(snapshot) => list.push(written(checked, chain, hop, snapshot, promise)),
            Target::Requested => requested(checked, chain, hop, facts, &mut list),
        }
    }
    // Statically R301; only `requested` can name a snapshot that stands in the chain already.
    let mut seen = Vec::with_capacity(list.len());
    list.retain(|one| {
        one.snapshot.is_none_or(|id| {
            !seen.contains(&id) && {
                seen.push(id);
                true
            }
        })
    });
    list
}

fn written<'a>(
    checked: &Checked,
    chain: &Chain,
    hop: &'a Hop,
    snapshot: SnapshotId,
    promise: Option<TierId>,
) -> Candidate<'a> {
    let own = checked.snapshots[snapshot.index()].tier;
    let tier = match (hop.origin, hop.claim) {
        (Origin::Tier(tier), _) => Some(tier),
        (Origin::Written, Claim::Promised) => promise,
        (Origin::Written, Claim::Fallback(_)) => own,
    };
    // Under a fixed promise claims were proven once and for all.
    let off_claim = chain.promise == Promise::AsRequested && !claim_holds(checked, hop.claim, promise, tier);
    let expanded = matches!(hop.origin, Origin::Tier(_));
    Candidate { snapshot: Some(snapshot), tier, hop, expanded, off_claim, rollout: None, replaced: false }
}

/// Whether `lower`, `higher` or `peer` is true of a hop in tier `of`, seen from the tier asked for. Without a tier asked for,
/// nothing can be claimed.
fn claim_holds(checked: &Checked, claim: Claim, asked: Option<TierId>, of: Option<TierId>) -> bool {
    let (Some(asked), Some(of)) = (asked, of) else { return false };
    let outside = |tier: TierId| checked.tiers[tier.index()].specialized;
    match claim {
        Claim::Promised | Claim::Fallback(Intent::Peer) => asked == of,
        Claim::Fallback(_) if outside(asked) || outside(of) => false,
        Claim::Fallback(Intent::Lower) => of > asked,
        Claim::Fallback(Intent::Higher) => of < asked,
    }
}

/// What the client asked for; under `tier as requested` also the rest of its tier.
fn requested<'a>(checked: &Checked, chain: &Chain, hop: &'a Hop, facts: &Facts, list: &mut Vec<Candidate<'a>>) {
    let asked = facts.requested_snapshot.as_ref();
    let named = asked.and_then(|model| checked.snapshots.iter().position(|one| one.model == *model));
    let snapshot = named.map(|at| SnapshotId(at as u16));
    let tier = facts.requested_tier;
    let off_claim = match chain.promise {
        Promise::Tier(promise) => !member(checked, promise, snapshot),
        Promise::AsRequested | Promise::Nothing => snapshot.is_none() || tier.is_none(),
    };
    list.push(Candidate { snapshot, tier, hop, expanded: false, off_claim, rollout: None, replaced: false });
    let Some(tier) = tier.filter(|_| chain.promise == Promise::AsRequested && hop.claim == Claim::Promised) else {
        return;
    };
    let rest = checked.tiers[tier.index()].members.iter().filter(|one| Some(**one) != snapshot);
    list.extend(rest.map(|one| Candidate {
        snapshot: Some(*one),
        tier: Some(tier),
        hop,
        expanded: true,
        off_claim: false,
        rollout: None,
        replaced: false,
    }));
}

fn member(checked: &Checked, tier: TierId, snapshot: Option<SnapshotId>) -> bool {
    let tier = &checked.tiers[tier.index()];
    snapshot.is_some_and(|id| tier.members.contains(&id) || tier.candidates.contains(&id))
}

/// Sorts the promised tier's own members by what this request is expected to cost (section 3.4). Unpriced last; ties as declared.
fn cheapest_first(
    checked: &Checked,
    list: &mut [Candidate<'_>],
    facts: &Facts,
    prompt: &mut dyn PromptSize,
    readings: &Readings,
) {
    let starts = starts(list);
    if starts < 2 {
        return;
    }
    let tokens = Tokens(prompt.count(checked.max_prompt.0));
    let cost = |one: &Candidate<'_>| -> Usd {
        let entry = one.snapshot.and_then(|id| checked.snapshots[id.index()].facts.as_deref());
        let feature = facts.feature.and_then(|at| checked.features.get(usize::from(at)));
        let cap = eligible::cap(eligible::policy_cap(&one.hop.options, feature), facts.max_tokens);
        let expected = entry.and_then(|entry| {
            let batch = facts.priority == Priority::Batch && entry.capabilities.batch == Some(true);
            let answer = eligible::longest_answer(entry, cap)?;
            entry.expected_cost(tokens, answer, Terms { batch, ..terms(checked, readings) })
        });
        expected.unwrap_or(Usd::MAX)
    };
    list[..starts].sort_by_cached_key(cost);
}

/// How many of the first candidates are the promised tier's own members.
fn starts(list: &[Candidate<'_>]) -> usize {
    list.iter().take_while(|one| one.expanded && one.hop.claim == Claim::Promised).count()
}

/// Sorts the promised tier's own members as the readings have them, from the fastest. Those that nobody measured come last, as
/// declared.
fn fastest_first(list: &mut [Candidate<'_>], readings: &Readings) {
    let starts = starts(list);
    let Some(tier) = list.first().and_then(|one| one.tier) else { return };
    let order = readings.fastest(tier);
    list[..starts].sort_by_key(|one| order.iter().position(|id| Some(*id) == one.snapshot).unwrap_or(order.len()));
}

/// The moment of the readings, in UTC, as prices count it.
fn terms(checked: &Checked, readings: &Readings) -> Terms {
    let minute = i64::from(readings.minute_of_week % 1440);
    let local = readings.today.at((minute / 60) as i8, (minute % 60) as i8, 0, 0);
    let utc =
        checked.timezone.to_timestamp(local).map(|moment| jiff::tz::TimeZone::UTC.to_datetime(moment)).unwrap_or(local);
    Terms { day: utc.date(), minute: utc.hour() as u16 * 60 + utc.minute() as u16, batch: false }
}
