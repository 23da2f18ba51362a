//! From a decision to the hops that may really be tried: expand, order, filter (steps 5 to 7 of section 5.2).
//!
//! In: a decided rule, the admitted facts, the readings. Out: a [`Plan`] that the chain walks. Must not know: sockets, HTTP.
//! `serve`, `explain` and `test` call the same function.

use serde::Serialize;

use super::ast::OnCut;
use super::checked::{Claim, Degrade, Hold, Retry, RuleId, SnapshotId, TierId};
use crate::failure::FailureSet;
use crate::units::{Millis, Tokens};

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
    /// Failures that move on.
    pub on: FailureSet,
    /// The least cap that policy puts on the answer; sent upstream when it is below the caller's own.
    pub max_output: Option<Tokens>,
    /// The window, for "to a hop with a larger window only".
    pub max_input: Tokens,
}

/// A hop that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dropped {
    /// Which snapshot.
    pub snapshot: SnapshotId,
    /// Why.
    pub reason: DropReason,
}

/// Why a hop cannot serve a request (section 5.2, step 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
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
    /// Its breaker is open or it is cooling down.
    CoolingDown,
    /// Not configured in this sidecar.
    NotConfigured,
}
