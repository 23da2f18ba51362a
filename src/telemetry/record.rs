//! One request, from admission to its last byte.
//!
//! In: borrowed pieces of an exchange that ended. Out: one value, which metrics count and [`log_line`](super::log_line) writes.

use crate::failure::Failure;
use crate::policy::plan::DropReason;
use crate::policy::readings::Named;
use crate::units::{Millis, Usd};
use crate::usage::Usage;

/// The line of one request.
#[derive(Debug)]
pub struct Record<'a> {
    /// When it was admitted.
    pub time: jiff::Timestamp,
    /// As the caller sees it in `x-wayside-request-id`.
    pub request_id: &'a str,
    /// How it ended.
    pub outcome: Outcome,
    /// The HTTP status the caller got; 0 when the caller left before one was sent.
    pub status: u16,
    /// Why it was refused or failed, in the words of `x-wayside-reason`.
    pub reason: Option<&'a str>,
    /// What was decided on.
    pub request: Facts<'a>,
    /// What memory and the clock said.
    pub readings: Option<Named<'a>>,
    /// The policy's name.
    pub policy: &'a str,
    /// The policy's content hash.
    pub policy_hash: &'a str,
    /// Where the clock of the readings stands: a changed policy may have another.
    pub timezone: Option<&'a str>,
    /// The rule that decided; absent when the request was refused before.
    pub rule: Option<&'a str>,
    /// The tier the rule promises.
    pub tier: Option<&'a str>,
    /// The chain as planned.
    pub chain: &'a [HopRecord<'a>],
    /// Hops that were left out, and why.
    pub dropped: &'a [(&'a str, DropReason)],
    /// What was tried, in order.
    pub attempts: &'a [AttemptRecord<'a>],
    /// The snapshot that answered.
    pub snapshot: Option<&'a str>,
    /// Its position in the chain, from 1.
    pub hop: Option<u8>,
    /// The model the answer itself names.
    pub served_model: Option<&'a str>,
    /// The answer names another model than the pin.
    pub drift: bool,
    /// The degrade step that answered: `template sorry`.
    pub degraded: Option<&'a str>,
    /// The ticket that the caller was given; `wayside queue show` has it.
    pub ticket: Option<&'a str>,
    /// What the rule's cache had: `hit`, `miss`, or `stale` where nothing else answered.
    pub cache: Option<&'a str>,
    /// Since that answer was complete.
    pub cache_age_ms: Option<Millis>,
    /// Tokens used, every attempt included.
    pub usage: Usage,
    /// What they cost; absent when a price is unknown.
    pub cost_usd: Option<Usd>,
    /// From admission to the first content event; streams only.
    pub first_token_ms: Option<Millis>,
    /// From admission to the last byte.
    pub total_ms: Millis,
    /// Bytes of the request body.
    pub request_bytes: u64,
    /// Bytes of the answer sent.
    pub answer_bytes: u64,
}

impl<'a> Record<'a> {
    /// Of a request for which nothing was done yet.
    pub fn bare(
        (time, request_id): (jiff::Timestamp, &'a str),
        (outcome, status): (Outcome, u16),
        request: Facts<'a>,
        (policy, policy_hash): (&'a str, &'a str),
    ) -> Self {
        Self {
            time,
            request_id,
            outcome,
            status,
            reason: None,
            request,
            readings: None,
            policy,
            policy_hash,
            timezone: None,
            rule: None,
            tier: None,
            chain: &[],
            dropped: &[],
            attempts: &[],
            snapshot: None,
            hop: None,
            served_model: None,
            drift: false,
            degraded: None,
            ticket: None,
            cache: None,
            cache_age_ms: None,
            usage: Usage::default(),
            cost_usd: None,
            first_token_ms: None,
            total_ms: Millis(0),
            request_bytes: 0,
            answer_bytes: 0,
        }
    }
}

/// The facts of the request, as `explain` takes them.
#[derive(Debug, Default)]
pub struct Facts<'a> {
    /// API endpoint.
    pub endpoint: &'static str,
    /// Tenant; absent when none was named.
    pub tenant: Option<&'a str>,
    /// The label for metrics: the tenant if it has a row, else `other`.
    pub tenant_label: &'a str,
    /// Plan.
    pub plan: Option<&'a str>,
    /// Residency.
    pub residency: Option<&'a str>,
    /// Feature.
    pub feature: Option<&'a str>,
    /// User.
    pub user: Option<&'a str>,
    /// Where this sidecar runs.
    pub region: Option<&'a str>,
    /// The model the caller asked for.
    pub requested_model: &'a str,
    /// Least and most that `prompt_tokens` can be; equal when it was counted.
    pub prompt_tokens: (u64, u64),
    /// As sent by the caller; 0 when not given.
    pub max_tokens: u64,
    /// Streaming.
    pub streaming: bool,
    /// Tools.
    pub tools: bool,
    /// A schema demanded.
    pub json_schema: bool,
    /// Parts of the prompt: `text+image`.
    pub modality: &'a str,
    /// `interactive` or `batch`.
    pub priority: &'static str,
    /// Declared attributes: name and value.
    pub attributes: &'a [(&'a str, &'a str)],
}

/// A planned hop.
#[derive(Clone, Debug)]
pub struct HopRecord<'a> {
    /// Position, from 1.
    pub hop: u8,
    /// Which snapshot.
    pub snapshot: &'a str,
    /// Its tier.
    pub tier: Option<&'a str>,
}

/// One attempt.
#[derive(Clone, Debug)]
pub struct AttemptRecord<'a> {
    /// Position of the hop, from 1.
    pub hop: u8,
    /// Which snapshot.
    pub snapshot: &'a str,
    /// Which try on this hop, from 1.
    pub attempt: u32,
    /// It was started beside a slow one (`hedge after`).
    pub hedge: bool,
    /// It was the one attempt that an open breaker let through, to find out whether it can close.
    pub probe: bool,
    /// `None` when it answered, or when nobody waited for its end.
    pub failure: Option<Failure>,
    /// Nobody waited for its end: the caller left, the attempt beside it was quicker, or it was to take up a broken answer and said
    /// something else.
    pub canceled: bool,
    /// The upstream's status, if it sent one.
    pub status: Option<u16>,
    /// From admission.
    pub started_ms: Millis,
    /// Until it failed or answered.
    pub duration_ms: Millis,
    /// Its tokens; absent where nothing was answered that could be billed for. A call that was given up may be: what is known of
    /// it is estimated.
    pub usage: Option<Usage>,
    /// What they cost; absent where the price is unknown, too.
    pub cost_usd: Option<Usd>,
}

impl AttemptRecord<'_> {
    /// Which kind of attempt, as metrics label it: the first word that is true of it.
    pub const fn kind(&self) -> &'static str {
        match (self.probe, self.hedge, self.attempt) {
            (true, ..) => "probe",
            (_, true, _) => "hedge",
            (_, _, 0 | 1) => "first",
            _ => "retry",
        }
    }

    /// How it ended, as metrics label it.
    pub const fn result(&self) -> &'static str {
        match self.failure {
            Some(failure) => failure.word(),
            None if self.canceled => "canceled",
            None => "ok",
        }
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A hop answered.
    Answered,
    /// A degrade step answered.
    Degraded,
    /// A rule said no.
    Rejected,
    /// The request was refused before any rule.
    Refused,
    /// No hop and no degrade step answered.
    Failed,
    /// A released stream broke; the caller was told.
    Cut,
    /// The caller left.
    ClientGone,
}

impl Outcome {
    /// As metrics label it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Degraded => "degraded",
            Self::Rejected => "rejected",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Cut => "cut",
            Self::ClientGone => "client_gone",
        }
    }
}
