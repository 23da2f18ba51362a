//! Rollouts on a chain: the new snapshot goes in front of the one it replaces (sections 5.2 step 6, 6.1).
//!
//! In: candidates, first choice first. Out: the same with new snapshots put in. Must not know: whether any of them can be used,
//! or why a stage is what it is.

use sha2::{Digest, Sha256};

use super::super::checked::{
    AttributeDomain, AttributeValue, Checked, ClassifierId, Outcome, Rollout, RolloutId, RuleId, Sticky, Target,
};
use super::super::facts::{Facts, PromptSize};
use super::super::holds::{Answer, Seen};
use super::super::readings::Readings;
use super::expand::Candidate;
use crate::units::Share;

/// Puts the new snapshot of every rollout that acts on this request in front of the old one, with the old one's options. Rollouts
/// act in the order of declaration, so one may replace what another has put in. The first of two that replace one snapshot wins.
pub(super) fn rewrite<'a>(seen: &Seen<'_>, list: &mut Vec<Candidate<'a>>, prompt: &mut dyn PromptSize) {
    for (at, rollout) in seen.checked.moving.rollouts.iter().enumerate() {
        let id = RolloutId(at as u16);
        let Some(place) = list.iter().position(|one| one.snapshot == Some(rollout.replace.node)) else { continue };
        if list[place].replaced || list[..place].iter().any(|one| one.snapshot == Some(rollout.with.node)) {
            continue;
        }
        if stance(seen, id, prompt) != Stance::In {
            continue;
        }
        // Further down it would be tried a second time.
        list.retain(|one| one.snapshot != Some(rollout.with.node));
        let old = &mut list[place];
        old.replaced = true;
        let new = Candidate { snapshot: Some(rollout.with.node), rollout: Some(id), replaced: false, ..old.clone() };
        list.insert(place, new);
    }
}

/// Where a request with the old snapshot on its chain stands in a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stance {
    /// It gets the new snapshot.
    In,
    /// Nobody does: the stage is 0%.
    Idle,
    /// Nobody does until another rollout stands at its last stage.
    Waiting(RolloutId),
    /// Its own place, [`bucket`], is above the stage.
    Above,
    /// It is not what `where` asks for.
    Outside,
}

/// Where a request stands in a rollout, whatever other rollouts do.
pub fn stance(seen: &Seen<'_>, id: RolloutId, prompt: &mut dyn PromptSize) -> Stance {
    let Some(rollout) = seen.checked.moving.rollouts.get(id.index()) else { return Stance::Idle };
    let stage = seen.readings.stage(id);
    match rollout.after {
        _ if stage == Share(0) => Stance::Idle,
        Some(after) if !is_done(seen, after.node) => Stance::Waiting(after.node),
        _ if bucket(seen.checked, rollout, seen.facts, seen.readings) >= stage.0 => Stance::Above,
        _ if rollout.within.as_ref().is_none_or(|within| seen.holds(&within.node, prompt)) => Stance::In,
        _ => Stance::Outside,
    }
}

/// Whether a rollout stands at its last stage.
fn is_done(seen: &Seen<'_>, id: RolloutId) -> bool {
    let last = seen.checked.moving.rollouts.get(id.index()).and_then(|one| one.stages.last());
    last.is_some_and(|last| seen.readings.stage(id) >= last.node)
}

/// Whether the stage takes this request in, and what the rollout waits for is done.
fn stands(seen: &Seen<'_>, id: RolloutId, rollout: &Rollout) -> bool {
    let stage = seen.readings.stage(id);
    stage > Share(0)
        && rollout.after.is_none_or(|after| is_done(seen, after.node))
        && bucket(seen.checked, rollout, seen.facts, seen.readings) < stage.0
}

/// Where a request stands in a rollout, 0 to 9,999: it gets the new snapshot when its stage is above that.
///
/// It is the first eight bytes, as a big-endian number modulo 10,000, of SHA-256 over the rollout's name, a zero byte, and what
/// `by` names: the tenant (`other` without a row); the tenant, a zero byte and the user; or the attribute's value as a policy
/// writes it. Whoever is in a stage is in every later one. Without `by` it is [`Readings::draw`].
pub fn bucket(checked: &Checked, rollout: &Rollout, facts: &Facts, readings: &Readings) -> u16 {
    let Some(by) = &rollout.by else { return readings.draw };
    let mut hash = Sha256::new();
    hash.update(rollout.name.as_bytes());
    hash.update([0]);
    let tenant = facts.tenant.and_then(|id| checked.tenants.get(id.index())).map_or("other", |one| &one.name);
    match by.node {
        Sticky::Tenant => hash.update(tenant),
        Sticky::User => {
            hash.update(tenant);
            hash.update([0]);
            hash.update(facts.user.as_bytes());
        }
        Sticky::Attribute(at) => hash.update(attribute(checked, facts, at)),
    }
    let digest = hash.finalize();
    let number = digest.iter().take(8).fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    (number % u64::from(Share::WHOLE.0)) as u16
}

fn attribute(checked: &Checked, facts: &Facts, at: u16) -> String {
    let at = usize::from(at);
    let domain = checked.attributes.get(at).map(|one| &one.domain);
    match (facts.attributes.get(at), domain) {
        (Some(AttributeValue::OneOf(value)), Some(AttributeDomain::OneOf(names))) => {
            names.get(*value as usize).map(ToString::to_string).unwrap_or_default()
        }
        (Some(AttributeValue::Number(value)), _) => value.to_string(),
        (Some(AttributeValue::YesOrNo(value)), _) => if *value { "yes" } else { "no" }.to_owned(),
        (Some(AttributeValue::Text(value)), _) => value.to_string(),
        _ => String::new(),
    }
}

/// A classifier that must be asked before the chain of a rule is settled: a rollout that could act on it hangs on the label.
/// `asked` says which have been. `None` when nothing is left to ask, as for every policy without rollouts.
pub fn asks(
    checked: &Checked,
    rule: RuleId,
    facts: &Facts,
    prompt: &mut dyn PromptSize,
    readings: &Readings,
    asked: &dyn Fn(ClassifierId) -> bool,
) -> Option<ClassifierId> {
    let Outcome::Chain(chain) = &checked.rules[rule.index()].outcome else { return None };
    let seen = Seen { checked, facts, readings };
    let requested = chain.hops.iter().any(|hop| hop.target == Target::Requested);
    checked.moving.rollouts.iter().enumerate().find_map(|(at, rollout)| {
        let named = chain.hops.iter().any(|hop| hop.target == Target::Snapshot(rollout.replace.node));
        if !(named || requested) || !stands(&seen, RolloutId(at as u16), rollout) {
            return None;
        }
        match seen.answer(&rollout.within.as_ref()?.node, prompt, asked) {
            Answer::Asks(classifier) => Some(classifier),
            Answer::Yes | Answer::No => None,
        }
    })
}
