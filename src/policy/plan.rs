//! From a decision to the hops that may really be tried: expand, order, rewrite, filter (steps 5 to 7 of section 5.2).
//!
//! In: a decided rule, the admitted facts, the readings. Out: a [`Plan`] that the chain walks. Must not know: sockets, HTTP.
//! `serve`, `explain` and `test` call the same function.

mod expand;
mod rollouts;

use self::expand::Candidate;
use super::ast::OnCut;
use super::checked::{
    Chain, Checked, Claim, Degrade, Hedge, Hold, Outcome, Retry, RolloutId, RuleId, SnapshotId, TierId,
};
use super::eligible;
use super::facts::{Facts, PromptSize};
use super::forbidden::is_forbidden;
use super::holds::Seen;
use super::readings::Readings;
use super::tree::Tree;
use crate::failure::FailureSet;
use crate::units::{Millis, Tokens};

pub(in crate::policy) use expand::asked_for;
pub use rollouts::{Stance, asks, bucket, stance};

/// What to do with one request.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The rule that decided.
    pub rule: RuleId,
    /// The tier promised to this request.
    pub tier: Option<TierId>,
    /// What happens.
    pub action: Action,
}

/// What a plan does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Refuse now.
    Reject { status: u16, message: String },
    /// Try the hops, then degrade; without usable hops, degrade at once.
    Run(Run),
}

/// A chain for one request.
#[derive(Clone, Debug)]
pub struct Run {
    /// Usable hops, first choice first.
    pub hops: Vec<PlannedHop>,
    /// Hops left out, and why.
    pub dropped: Vec<Dropped>,
    /// What the caller gets when no hop delivered; tried in order.
    pub degrade: Vec<Degrade>,
    /// How much of a stream is held back.
    pub hold: Hold,
    /// What happens when a released stream breaks.
    pub on_cut: OnCut,
    /// From admission.
    pub deadline: Millis,
    /// Rollouts that put their snapshot in front of another, usable or not, in the order of the chain.
    pub rollouts: Vec<RolloutId>,
}

/// A hop with its limits for this request.
#[derive(Clone, Debug)]
pub struct PlannedHop {
    /// Position in the rule's chain, from 1; positions of dropped hops are not used again.
    pub position: u8,
    /// Which snapshot.
    pub snapshot: SnapshotId,
    /// Its tier.
    pub tier: Option<TierId>,
    /// What the author said about it.
    pub claim: Claim,
    /// Came out of a tier, not written by name.
    pub expanded: bool,
    /// The rollout that put it in front of the snapshot it replaces; its answers are what the rollout measures.
    pub rollout: Option<RolloutId>,
    /// One attempt: until complete; for a stream, until released.
    pub timeout: Millis,
    /// For streams: until the first content event.
    pub first_token: Millis,
    /// For streams: between events.
    pub idle: Millis,
    /// For streams: in total after release.
    pub stream_limit: Millis,
    /// Attempts again on this hop. The default of 5.4 is already resolved: one on the first hop, none later.
    pub retry: Retry,
    /// Legs beside a slow attempt.
    pub hedge: Option<Hedge>,
    /// Since the start of an attempt, when the first of them starts; `None` for never, and while the p95 it goes by is unknown.
    pub hedge_after: Option<Millis>,
    /// Failures that move on.
    pub on: FailureSet,
    /// The least cap that policy puts on the answer; sent upstream when it is below the caller's own.
    pub max_output: Option<Tokens>,
    /// The window, for "to a hop with a larger window only".
    pub max_input: Tokens,
}

/// A hop that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Which snapshot; `None` for `requested`, when the client's model is none of this policy's.
    pub snapshot: Option<SnapshotId>,
    /// Why.
    pub reason: DropReason,
}

/// Why a hop cannot serve a request (section 5.2, step 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DropReason {
    /// A guarantee forbids it. Proven not to happen, so it means that facts changed after loading.
    Forbidden,
    /// The tenant has not approved the provider.
    NotApproved,
    /// Outside the request's residency, or the hop's `in`.
    OutsideRegion,
    /// The model does not serve this endpoint.
    Endpoint,
    /// No images, audio, video or files.
    Modality,
    /// No tools.
    Tools,
    /// No schema-conforming output.
    JsonSchema,
    /// No streaming.
    Streaming,
    /// The window is too small.
    TooSmall,
    /// Ended, not yet begun, or answers with another model, today.
    Retired,
    /// `requested` is in another tier, or unknown.
    NotRequested,
    /// It asked for a pause.
    CoolingDown,
    /// Its breaker is open.
    BreakerOpen,
    /// Not configured in this sidecar.
    NotConfigured,
}

impl DropReason {
    /// It is only left alone for a while.
    pub const fn rests(self) -> bool {
        matches!(self, Self::CoolingDown | Self::BreakerOpen)
    }

    /// As logs and JSON write it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Forbidden => "forbidden",
            Self::NotApproved => "not_approved",
            Self::OutsideRegion => "outside_region",
            Self::Endpoint => "endpoint",
            Self::Modality => "modality",
            Self::Tools => "tools",
            Self::JsonSchema => "json_schema",
            Self::Streaming => "streaming",
            Self::TooSmall => "too_small",
            Self::Retired => "retired",
            Self::NotRequested => "not_requested",
            Self::CoolingDown => "cooling_down",
            Self::BreakerOpen => "breaker_open",
            Self::NotConfigured => "not_configured",
        }
    }
}

/// What the rule that decided means for this request. `usable` says what only a running proxy knows: that a snapshot has no
/// upstream here ([`DropReason::NotConfigured`]), or is avoided for now ([`DropReason::CoolingDown`],
/// [`DropReason::BreakerOpen`]).
pub fn plan(
    tree: &Tree,
    rule: RuleId,
    facts: &Facts,
    prompt: &mut dyn PromptSize,
    readings: &Readings,
    usable: &dyn Fn(SnapshotId) -> Option<DropReason>,
) -> Plan {
    of_rule(tree.checked(), rule, facts, prompt, readings, usable)
}

/// The same for a policy that is not compiled.
pub fn of_rule(
    checked: &Checked,
    rule: RuleId,
    facts: &Facts,
    prompt: &mut dyn PromptSize,
    readings: &Readings,
    usable: &dyn Fn(SnapshotId) -> Option<DropReason>,
) -> Plan {
    match &checked.rules[rule.index()].outcome {
        Outcome::Reject { status, message } => {
            let message = message.as_deref().unwrap_or(REJECTED).to_owned();
            Plan { rule, tier: None, action: Action::Reject { status: *status, message } }
        }
        Outcome::Chain(chain) => {
            let tier = expand::promised(chain, facts);
            let run = run(checked, chain, facts, prompt, readings, usable);
            Plan { rule, tier, action: Action::Run(run) }
        }
    }
}

/// What a rule that rejects without a word says.
const REJECTED: &str = "this policy does not serve requests like this one";

fn run(
    checked: &Checked,
    chain: &Chain,
    facts: &Facts,
    prompt: &mut dyn PromptSize,
    readings: &Readings,
    usable: &dyn Fn(SnapshotId) -> Option<DropReason>,
) -> Run {
    let candidates = expand::candidates(checked, chain, facts, prompt, readings);
    let feature = facts.feature.and_then(|at| checked.features.get(usize::from(at)));
    let mut hops = Vec::with_capacity(candidates.len());
    let mut dropped = Vec::new();
    // The last hop that only its breaker keeps out, and where its drop is recorded.
    let mut avoided: Option<(PlannedHop, Option<Retry>, usize)> = None;
    for (at, candidate) in candidates.iter().enumerate() {
        let Some(snapshot) = candidate.snapshot else {
            dropped.push(Dropped { snapshot: None, reason: DropReason::NotRequested });
            continue;
        };
        let reason = unfit(checked, candidate, snapshot, facts, prompt, readings).or_else(|| usable(snapshot));
        let hop = planned(checked, candidate, snapshot, facts, readings, at);
        // The retry belongs to the new snapshot, if that one can be tried at all.
        let tried =
            candidate.replaced && hops.last().is_some_and(|(before, _): &(PlannedHop, _)| before.rollout.is_some());
        let retry = if tried { Some(Retry::NONE) } else { candidate.hop.options.retry };
        match reason {
            None => hops.push((hop, retry)),
            Some(reason) => {
                if matches!(reason, DropReason::CoolingDown | DropReason::BreakerOpen) {
                    avoided = Some((hop, retry, dropped.len()));
                }
                dropped.push(Dropped { snapshot: Some(snapshot), reason });
            }
        }
    }
    if hops.is_empty()
        && let Some((hop, retry, record)) = avoided
    {
        hops.push((hop, retry));
        dropped.remove(record);
    }
    // Section 5.4: who says nothing gets one retry on the first hop and none later.
    let unsaid = |at: usize| if at == 0 { Retry::DEFAULT } else { Retry::NONE };
    let hops = hops.into_iter().enumerate();
    let hops = hops.map(|(at, (hop, written))| PlannedHop { retry: written.unwrap_or(unsaid(at)), ..hop }).collect();
    let deadline = feature.and_then(|feature| feature.deadline).map_or(chain.deadline, |own| own.min(chain.deadline));
    let rollouts = candidates.iter().filter_map(|one| one.rollout).collect();
    Run { hops, dropped, degrade: chain.degrade.clone(), hold: chain.hold, on_cut: chain.on_cut, deadline, rollouts }
}

/// Why a hop cannot serve this request whatever the weather, in the order of section 5.2.
fn unfit(
    checked: &Checked,
    candidate: &Candidate<'_>,
    snapshot: SnapshotId,
    facts: &Facts,
    prompt: &mut dyn PromptSize,
    readings: &Readings,
) -> Option<DropReason> {
    if candidate.off_claim {
        return Some(DropReason::NotRequested);
    }
    let model = &checked.snapshots[snapshot.index()];
    let entry = model.facts.as_deref();
    let list =
        facts.tenant.and_then(|id| checked.tenants.get(id.index())).and_then(|tenant| tenant.approved.as_deref());
    let residency = checked.residencies.get(usize::from(facts.residency)).map_or(&[][..], |one| &one.regions);
    let options = &candidate.hop.options;
    let seen = Seen { checked, facts, readings };
    if is_forbidden(&seen, snapshot, &options.regions, prompt) {
        return Some(DropReason::Forbidden);
    }
    let reasons = [
        (DropReason::NotApproved, eligible::approved(list, &model.model.provider)),
        (DropReason::OutsideRegion, eligible::in_region(entry, &options.regions, residency)),
        (DropReason::Endpoint, eligible::serves(entry, facts.endpoint)),
        (DropReason::Modality, facts.modality.iter().all(|content| eligible::takes(entry, content))),
        (DropReason::Tools, !facts.tools || eligible::calls_tools(entry)),
        (DropReason::JsonSchema, !facts.json_schema || eligible::follows_schema(entry)),
        (DropReason::Streaming, !facts.streaming || eligible::streams(entry)),
        (DropReason::Retired, eligible::in_service(entry, readings.today)),
    ];
    if let Some((reason, _)) = reasons.into_iter().find(|(_, fits)| !fits) {
        return Some(reason);
    }
    // Last, because it is the only one that may have to count tokens.
    let feature = facts.feature.and_then(|at| checked.features.get(usize::from(at)));
    let cap = eligible::cap(eligible::policy_cap(options, feature), facts.max_tokens);
    let largest = eligible::largest_prompt(entry, cap)?;
    prompt.exceeds(largest.0).then_some(DropReason::TooSmall)
}

fn planned(
    checked: &Checked,
    candidate: &Candidate<'_>,
    snapshot: SnapshotId,
    facts: &Facts,
    readings: &Readings,
    at: usize,
) -> PlannedHop {
    let options = &candidate.hop.options;
    let entry = checked.snapshots[snapshot.index()].facts.as_deref();
    let feature = facts.feature.and_then(|at| checked.features.get(usize::from(at)));
    let timeout = if facts.streaming { options.stream_timeout } else { options.timeout };
    let window = entry.and_then(|entry| entry.max_input.or(entry.context_window));
    PlannedHop {
        position: u8::try_from(at + 1).unwrap_or(u8::MAX),
        snapshot,
        tier: candidate.tier,
        claim: candidate.hop.claim,
        expanded: candidate.expanded,
        rollout: candidate.rollout,
        timeout,
        first_token: options.first_token.min(timeout),
        idle: options.idle,
        stream_limit: options.stream_limit,
        retry: Retry::NONE,
        hedge: options.hedge,
        hedge_after: options.hedge.and_then(|hedge| hedge.after.or_else(|| readings.p95(checked, snapshot))),
        on: options.on,
        max_output: eligible::policy_cap(options, feature),
        max_input: Tokens(window.unwrap_or(u64::MAX)),
    }
}
