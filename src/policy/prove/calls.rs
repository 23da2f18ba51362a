//! What the requests of a rule can reach: hops, what rollouts put in front of them, and copies for shadows.
//!
//! In: a chain, the moving parts. Out: snapshots, each with the requests that can reach it and those for which planning drops it.
//! Must not know: findings.

use super::super::ast::Intent;
use super::super::boxes::{AtomBox, boxes_of};
use super::super::checked::{
    Chain, Checked, Claim, Clause, Hop, Promise, RolloutId, SnapshotId, Subject, Target, TierId, Values,
};
use super::super::source::Span;
use super::{Proof, limits};

/// A snapshot that a chain can lead to.
#[derive(Clone, Debug)]
pub(super) struct Call<'a> {
    /// Which.
    pub snapshot: SnapshotId,
    /// The hop that leads to it; for a shadow the chain's first, of which it copies the request.
    pub hop: &'a Hop,
    /// How.
    pub via: Via,
    /// Where that is written.
    pub span: Span,
    /// The client must have named a model of this tier.
    pub asked: Option<TierId>,
}

/// How a request comes to a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Via {
    /// A hop names it, or a tier does.
    Chain,
    /// A rollout puts it in front of the snapshot it replaces.
    Rollout(RolloutId),
    /// A copy, after the answer went out.
    Shadow,
}

impl Call<'_> {
    /// Its name, and how a request gets there where no hop says so.
    pub fn shown(&self, checked: &Checked) -> String {
        let model = &checked.snapshots[self.snapshot.index()].model;
        match self.via {
            Via::Chain => model.to_string(),
            Via::Rollout(id) => format!("{model} (rollout `{}`)", checked.moving.rollouts[id.index()].name),
            Via::Shadow => format!("{model} (shadow)"),
        }
    }
}

/// Everything that a chain can lead to, in the order in which it would be tried; shadows last.
pub(super) fn calls<'a>(checked: &Checked, chain: &'a Chain) -> Vec<Call<'a>> {
    let mut all = Vec::new();
    for hop in &chain.hops {
        let own = |snapshot, asked| Call { snapshot, hop, via: Via::Chain, span: hop.span, asked };
        let line: Vec<Call<'a>> = match hop.target {
            Target::Snapshot(id) => vec![own(id, None)],
            Target::Requested => requested(checked, chain).map(|(tier, id)| own(id, Some(tier))).collect(),
        };
        for call in line {
            all.extend(rolled(checked, &call));
            all.push(call);
        }
    }
    if let (Some(shadow), Some(hop)) = (&chain.extras.shadow, chain.hops.first()) {
        let (snapshot, span) = (shadow.snapshot.node, shadow.snapshot.span);
        all.push(Call { snapshot, hop, via: Via::Shadow, span, asked: None });
    }
    all
}

/// What `requested` can stand for, and under `as requested` the rest of its tier.
fn requested<'c>(checked: &'c Checked, chain: &Chain) -> impl Iterator<Item = (TierId, SnapshotId)> + use<'c> {
    let promise = chain.promise;
    let tiers = checked.tiers.iter().enumerate().map(|(at, tier)| (TierId(at as u16), tier));
    let open = tiers.filter(move |(id, tier)| match promise {
        Promise::Tier(promised) => promised == *id,
        _ => !tier.specialized,
    });
    open.flat_map(|(id, tier)| tier.members.iter().chain(&tier.candidates).map(move |snapshot| (id, *snapshot)))
}

/// What rollouts put in front of a snapshot.
fn rolled<'a>(checked: &Checked, call: &Call<'a>) -> Vec<Call<'a>> {
    let rollouts = checked.moving.rollouts.iter().enumerate();
    let touching = rollouts.filter(|(_, rollout)| rollout.replace.node == call.snapshot);
    touching
        .map(|(at, rollout)| Call {
            snapshot: rollout.with.node,
            via: Via::Rollout(RolloutId(at as u16)),
            ..call.clone()
        })
        .collect()
}

/// A call, and which requests of the rule come to it.
pub(super) struct Called<'a> {
    /// Where they come to.
    pub call: Call<'a>,
    /// Only requests in one of these.
    pub among: Vec<AtomBox>,
    /// Planning drops it for requests in one of these.
    pub dropped: Vec<AtomBox>,
}

impl Proof<'_> {
    /// Everything that requests of a chain can reach.
    pub(super) fn calls_of<'a>(&self, chain: &'a Chain) -> Vec<Called<'a>> {
        calls(self.checked, chain).into_iter().map(|call| self.who_comes(chain, call)).collect()
    }

    fn who_comes<'a>(&self, chain: &Chain, call: Call<'a>) -> Called<'a> {
        let asked = match (call.asked, chain.promise, call.via) {
            (Some(tier), ..) => self.asks_for(&[tier]).into_iter().collect(),
            // Under `as requested` a hop whose claim is not true of the tier asked for is dropped (clarification 16.10).
            (None, Promise::AsRequested, Via::Chain | Via::Rollout(_)) => self.where_true(&call),
            _ => vec![AtomBox::everything()],
        };
        let among = match call.via {
            Via::Rollout(id) => {
                let within = self.checked.moving.rollouts[id.index()].within.as_ref();
                let inside = self.boxes_of_clause(within);
                asked.iter().flat_map(|one| inside.iter().filter_map(|other| one.and(other))).collect()
            }
            Via::Chain | Via::Shadow => asked,
        };
        let stand_in = Hop { target: Target::Snapshot(call.snapshot), ..call.hop.clone() };
        let limits = limits::of_hop(self.checked, &stand_in).into_iter();
        let dropped = limits.filter_map(|limit| limit.area(self.checked, &self.space)).collect();
        Called { call, among, dropped }
    }

    /// The boxes of a moving part's condition; everything without one. A condition too wide to be boxes has R411 already.
    pub(super) fn boxes_of_clause(&self, clause: Option<&Clause>) -> Vec<AtomBox> {
        match clause {
            None => vec![AtomBox::everything()],
            Some(clause) => boxes_of(&self.space, &clause.node).unwrap_or_default(),
        }
    }

    fn where_true(&self, call: &Call<'_>) -> Vec<AtomBox> {
        let Target::Snapshot(named) = call.hop.target else { return Vec::new() };
        let Some(own) = self.checked.snapshots[named.index()].tier else { return Vec::new() };
        let tiers = (0..self.checked.tiers.len() as u16).map(TierId);
        let ordered = tiers.filter(|id| !self.checked.tiers[id.index()].specialized);
        let fits = |asked: &TierId| match call.hop.claim {
            Claim::Promised | Claim::Fallback(Intent::Peer) => *asked == own,
            Claim::Fallback(Intent::Lower) => own > *asked,
            Claim::Fallback(Intent::Higher) => own < *asked,
        };
        let asked: Vec<TierId> = ordered.filter(fits).collect();
        self.asks_for(&asked).into_iter().collect()
    }

    /// Requests whose client names a model of one of these tiers.
    pub(super) fn asks_for(&self, tiers: &[TierId]) -> Option<AtomBox> {
        let column = self.space.find(Subject::RequestedTier)?;
        // The domain's first value is `none`.
        let values = Values::Enum(tiers.iter().map(|id| u32::from(id.0) + 1).collect());
        AtomBox::only(&self.space, column, self.space.set(column, &values))
    }
}
