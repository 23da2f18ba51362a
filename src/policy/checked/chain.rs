//! What a rule does: hops with nothing left to inherit, and what the caller gets when none delivered.
//!
//! In: [`super::super::resolve`] builds it. Out: planning, checks and `explain` read it. Must not know: conditions.

use std::sync::Arc;

use super::super::ast::{Intent, OnCut, Order};
use super::super::source::{Span, Spanned};
use super::origins::{ChainOrigins, HopOrigins};
use super::{Cache, GuardId, Shadow, SnapshotId, TemplateId, TierId};
use crate::failure::FailureSet;
use crate::units::{Millis, Tokens};

/// A chain, with tiers and ladders expanded and every inherited value filled in.
#[derive(Clone, Debug)]
pub struct Chain {
    /// The tier promised.
    pub promise: Promise,
    /// Order inside the tier, where the tier is the start of the chain.
    pub order: Order,
    /// Hops in declared order. Hops of an expanded tier stand together and share [`Origin::Tier`].
    pub hops: Vec<Hop>,
    /// What the caller gets when no hop delivered.
    pub degrade: Vec<Degrade>,
    /// How much of a stream is held back.
    pub hold: Hold,
    /// What happens when a released stream breaks.
    pub on_cut: OnCut,
    /// From admission; the least of header and rule (a feature's own is applied when planning).
    pub deadline: Millis,
    /// Where the three above are written.
    pub origins: ChainOrigins,
    /// Cache, guards and shadow.
    pub extras: Extras,
}

/// What a rule adds around its chain.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    /// Guards of requests and answers, in the order written.
    pub guards: Vec<Spanned<GuardId>>,
    /// Where answers are kept; `None` where the rule says nothing, or `no cache`.
    pub cache: Option<Cache>,
    /// `no cache`, where it is written.
    pub no_cache: Option<Span>,
    /// A sampled copy after the answer went out.
    pub shadow: Option<Shadow>,
}

/// The tier a rule promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// No hops, no promise.
    Nothing,
    /// A tier.
    Tier(TierId),
    /// The tier of the model the client asked for. The chain then begins with one hop to [`Target::Requested`], which stands for
    /// that snapshot and the rest of its tier in declared order.
    AsRequested,
}

/// One entry of a chain.
#[derive(Clone, Debug)]
pub struct Hop {
    /// What the author said about it.
    pub claim: Claim,
    /// Written, or out of a tier.
    pub origin: Origin,
    /// Which snapshot.
    pub target: Target,
    /// Effective options.
    pub options: HopOptions,
    /// Where each option is written.
    pub origins: HopOrigins,
    /// The statement that made it.
    pub span: Span,
}

/// What the author said about a hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Claim {
    /// The first choice, or the promised tier's own members.
    Promised,
    /// A `fallback`.
    Fallback(Intent),
}

/// Where a hop comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Written by name: must be usable for every request of the rule.
    Written,
    /// From expanding a tier: dropped without comment where unusable.
    Tier(TierId),
}

/// Which snapshot a hop calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// This one.
    Snapshot(SnapshotId),
    /// What the client asked for, resolved.
    Requested,
}

/// The options of a hop with nothing left to inherit (sections 3.3, 5.4, 5.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HopOptions {
    /// One attempt, not streaming.
    pub timeout: Millis,
    /// One attempt until released, streaming.
    pub stream_timeout: Millis,
    /// Until the first content event of a stream.
    pub first_token: Millis,
    /// Between events of a stream.
    pub idle: Millis,
    /// A released stream, in total.
    pub stream_limit: Millis,
    /// `None`: the default of 5.4, which retries on the chain's first hop only.
    pub retry: Option<Retry>,
    /// Failures that move to the next hop.
    pub on: FailureSet,
    /// Only these regions; empty means any.
    pub regions: Vec<Arc<str>>,
    /// The nearest written cap on the answer.
    pub max_output: Option<Tokens>,
    /// A second leg beside a slow attempt.
    pub hedge: Option<Hedge>,
}

/// `hedge after p95 up to 1`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hedge {
    /// When the second leg starts; `None` is the observed p95 of the snapshot.
    pub after: Option<Millis>,
    /// Extra legs, 1 or 2.
    pub legs: u8,
}

/// Attempts again on the same hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How many beyond the first.
    pub count: u32,
    /// On which failures.
    pub on: FailureSet,
    /// The base of the backoff.
    pub backoff: Millis,
}

impl Retry {
    /// What section 5.4 gives the first hop of a chain that says nothing.
    pub const DEFAULT: Self = Self { count: 1, on: FailureSet::RETRIES, backoff: Millis(250) };
    /// No retry.
    pub const NONE: Self = Self { count: 0, on: FailureSet::EMPTY, backoff: Millis(0) };
}

/// A step of the degraded path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Degrade {
    /// A fixed answer.
    Template(TemplateId),
    /// The last answer to the same request.
    Cached { up_to: Millis },
    /// A person.
    Queue { name: Arc<str>, within: Option<Millis> },
    /// An error of the author's choice.
    Error { status: u16, message: Option<Arc<str>> },
}

/// How much of a stream is held back before it is released (section 5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Until the first content event.
    FirstToken,
    /// Until that many tokens.
    Tokens(u64),
    /// Until the end.
    Complete,
}
