//! What rollouts do with one explained request.
//!
//! In: an [`Explanation`]. Out: for each rollout whose old snapshot is on the chain, where the request stands in it. Must not know:
//! layout.

use super::super::checked::{Rollout, RolloutId};
use super::super::holds::Seen;
use super::super::plan::{Stance, bucket, stance};
use super::Explanation;
use crate::units::Share;

/// A rollout that could act on this request.
pub(super) struct Met<'a> {
    pub rollout: &'a Rollout,
    pub stage: Share,
    /// Where the request stands, 0 to 9,999.
    pub bucket: u16,
    /// Whether it puts its new snapshot on this chain.
    pub acts: bool,
    pub why: Why<'a>,
}

/// Why a rollout acts, or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why<'a> {
    Acts,
    Idle,
    WaitsFor(&'a str),
    Above,
    Outside,
    /// Another has replaced the old snapshot already, or the new one stands further up.
    BehindAnother,
}

impl Why<'_> {
    /// As documents write it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Acts => "acts",
            Self::Idle => "stage_is_0",
            Self::WaitsFor(_) => "waits_for_another",
            Self::Above => "above_the_stage",
            Self::Outside => "outside_where",
            Self::BehindAnother => "behind_another",
        }
    }
}

impl Explanation<'_> {
    /// Rollouts whose old snapshot is on the chain, in the order of declaration.
    pub(super) fn rollouts(&self) -> Vec<Met<'_>> {
        let (checked, asked) = (self.checked(), self.asked);
        let Some(run) = self.planned() else { return Vec::new() };
        let dropped = run.dropped.iter().filter_map(|one| one.snapshot);
        let chain: Vec<_> = run.hops.iter().map(|hop| hop.snapshot).chain(dropped).collect();
        let seen = Seen { checked, facts: &asked.facts, readings: &asked.readings };
        let all = checked.moving.rollouts.iter().enumerate().filter(|(_, one)| chain.contains(&one.replace.node));
        let met = all.map(|(at, rollout)| {
            let id = RolloutId(at as u16);
            let acts = run.rollouts.contains(&id);
            let why = match stance(&seen, id, &mut asked.prompt_tokens.clone()) {
                _ if acts => Why::Acts,
                Stance::In => Why::BehindAnother,
                Stance::Idle => Why::Idle,
                Stance::Waiting(on) => Why::WaitsFor(&checked.moving.rollouts[on.index()].name),
                Stance::Above => Why::Above,
                Stance::Outside => Why::Outside,
            };
            let bucket = bucket(checked, rollout, &asked.facts, &asked.readings);
            Met { rollout, stage: asked.readings.stage(id), bucket, acts, why }
        });
        met.collect()
    }
}
