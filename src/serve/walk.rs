//! The chain of one request, walked in real time: step 12 of section 5.2.
//!
//! In: a plan, an admitted request. Out: something to give the caller, or the word that nothing could be had. Must not know:
//! how it is written to the caller.

use std::time::Instant;

use pingora::protocols::http::ServerSession;
use smallvec::SmallVec;

use super::ask::{self, Told};
use super::attempt::{Live, Said, StreamLimits, Tried, Try, Whole, attempt, client_gone};
use super::cached::Keeps;
use super::health::Health;
use super::keep_alive::{self, KeepAlive};
use super::prepare::{Prepared, prepare};
use super::request_id::RequestId;
use super::schema::Shape;
use super::sidecar::{InForce, Sidecar};
use crate::chain::breaker::{Pass, Turned};
use crate::chain::{Chain, SkipReason, Start, Step};
use crate::dialect::Dialect;
use crate::dialect::bad_body::BadBody;
use crate::dialect::canonical::{Notes, Reply};
use crate::dialect::upstream_error::UpstreamError;
use crate::dialect::whole::Vectors;
use crate::failure::Failure;
use crate::policy::ast::OnCut;
use crate::policy::plan::PlannedHop;
use crate::units::Millis;

/// Translating a body of this size takes about a millisecond; other requests of the same thread should not wait for more.
const LONG_TRANSLATION: usize = 256 << 10;

/// What the walk brought.
pub enum Found {
    /// A complete answer of a hop.
    Whole(Whole, PlannedHop),
    /// A stream of a hop, ready to be released.
    Live(Live, PlannedHop, Start),
    /// What the provider said, which is an answer and no reason to go on.
    Said(Said, PlannedHop, Failure),
    /// No hop was asked, because none can carry what the caller wants.
    Refused(BadBody),
    /// Nothing.
    Nothing(Option<Failure>),
    /// The caller left.
    ClientGone,
}

/// One walk.
pub struct Walk<'a> {
    /// Shared with other requests.
    pub sidecar: &'a Sidecar,
    /// What this request is served under.
    pub now: &'a InForce,
    /// By which its caller knows it.
    pub request_id: RequestId,
    /// When it was admitted.
    pub admitted: Instant,
    /// How the rule's cache knows the request; `None` without one.
    pub keeps: Option<Keeps>,
    /// What to do next.
    pub chain: Chain,
    /// The upstream's status of each attempt, in order.
    pub statuses: SmallVec<[Option<u16>; 4]>,
    /// For a caller who sees nothing of a stream before its end.
    pub alive: Option<KeepAlive>,
    /// What the caller has seen of a stream that broke off.
    pub seen: Option<String>,
    /// Why the first hop that cannot carry this request was passed over.
    pub refused: Option<BadBody>,
    /// What the attempt in flight, or the one that answered, was not told.
    pub notes: Notes,
}

impl<'a> Walk<'a> {
    /// One that begins.
    pub fn new(
        (sidecar, now): (&'a Sidecar, &'a InForce),
        request_id: RequestId,
        admitted: Instant,
        keeps: Option<Keeps>,
        chain: Chain,
    ) -> Self {
        let (statuses, notes) = Default::default();
        Self {
            sidecar,
            now,
            request_id,
            admitted,
            keeps,
            chain,
            statuses,
            alive: None,
            seen: None,
            refused: None,
            notes,
        }
    }
}

impl Walk<'_> {
    /// Since admission.
    pub fn elapsed(&self) -> Millis {
        Millis(self.admitted.elapsed().as_millis() as u64)
    }

    /// Tries hops until one delivers.
    pub async fn walk(&mut self, session: &mut ServerSession, told: &Told) -> Found {
        let mut said = None;
        loop {
            let elapsed = self.elapsed();
            match self.chain.next(elapsed) {
                Step::Wait { until } => {
                    let wake = tokio::time::Instant::from_std(self.admitted + until.duration());
                    tokio::select! {
                        biased;
                        () = tokio::time::sleep_until(wake) => {}
                        () = client_gone(session) => return self.gone(),
                        () = keep_alive::due(self.alive.as_ref()) => {
                            if !keep_alive::send(&mut self.alive, session).await {
                                return self.gone();
                            }
                        }
                    }
                }
                Step::Return { failure } => {
                    return match said.take() {
                        Some((said, hop)) => Found::Said(said, hop, failure),
                        None => Found::Nothing(Some(failure)),
                    };
                }
                Step::Degrade { last } => {
                    let untried = self.chain.record().attempts.is_empty();
                    return match self.refused.take().filter(|_| untried) {
                        Some(refused) => Found::Refused(refused),
                        None => Found::Nothing(last),
                    };
                }
                Step::Attempt(start) => {
                    if self.statuses.is_empty() {
                        self.sidecar.telemetry.metrics.overhead.observe(self.admitted.elapsed().as_secs_f64());
                    }
                    let Some(hop) = self.chain.run().hops.get(start.hop).cloned() else { return Found::Nothing(None) };
                    let Some(leave) = Leave::of(self, &hop) else {
                        self.chain.pass_over(SkipReason::BreakerOpen);
                        continue;
                    };
                    let prepared = match self.prepare(told, &hop) {
                        Ok(prepared) => prepared,
                        Err(refused) => {
                            self.refused.get_or_insert(refused);
                            self.chain.pass_over(SkipReason::CannotCarry);
                            continue;
                        }
                    };
                    match self.try_hop(session, told, &hop, start, &prepared).await {
                        Tried::Whole(whole) => {
                            leave.answered();
                            self.statuses.push(Some(200));
                            return Found::Whole(whole, hop);
                        }
                        Tried::Live(live) => {
                            leave.answered();
                            self.statuses.push(Some(200));
                            return Found::Live(live, hop, start);
                        }
                        Tried::Failed(error, words) => {
                            leave.failed(&error);
                            self.failed(&hop, &error);
                            said = words.map(|words| (words, hop));
                        }
                        Tried::Diverged => {
                            leave.answered();
                            self.statuses.push(Some(200));
                            let elapsed = self.elapsed();
                            self.chain.diverged(elapsed);
                        }
                        Tried::ClientGone => return self.gone(),
                    }
                }
            }
        }
    }

    /// Looks for a hop that repeats what the caller has seen of a stream that broke off, and goes on with it.
    pub async fn resume(&mut self, session: &mut ServerSession, told: &Told, seen: String) -> Found {
        self.seen = Some(seen);
        self.walk(session, told).await
    }

    fn prepare(&self, told: &Told, hop: &PlannedHop) -> Result<Option<Prepared>, BadBody> {
        let Some(upstream) = self.now.upstream(hop.snapshot) else { return Ok(None) };
        ask::aside(told.body.len() >= LONG_TRANSLATION, || prepare(self.now, told, hop, upstream)).map(Some)
    }

    async fn try_hop(
        &mut self,
        session: &mut ServerSession,
        told: &Told,
        hop: &PlannedHop,
        start: Start,
        prepared: &Option<Prepared>,
    ) -> Tried {
        let (Some(upstream), Some(prepared)) = (self.now.upstream(hop.snapshot), prepared) else {
            let error = UpstreamError::bare(Failure::Network, "no upstream is configured for this provider");
            return Tried::Failed(error, None);
        };
        let pin = self.now.upstream_id(hop.snapshot);
        let caller = told.entrance.dialect;
        // Only what was said in one dialect can be held against what is said in the same.
        let (chat, plain) = (prepared.dialect == Dialect::Chat, caller == Dialect::Chat);
        if self.seen.is_some() && !(chat && plain) {
            return Tried::Diverged;
        }
        let begun = tokio::time::Instant::now();
        let limits = start.limits;
        let stream = limits.first_token.map(|first_token| StreamLimits {
            first_token: begun + first_token.duration(),
            idle: limits.idle.unwrap_or(hop.idle).duration(),
            hold: self.chain.run().hold,
        });
        let until = begun + limits.attempt.duration();
        let choices = told.scan.choices;
        let demand = &told.scan.demand;
        let shape = (demand.any() && hop.on.contains(Failure::InvalidOutput)).then_some(Shape {
            schemas: &self.sidecar.schemas,
            body: &told.body,
            demand,
        });
        let kept = chat && plain && self.chain.run().on_cut == OnCut::Resume;
        let (after, on) = (self.seen.as_deref(), hop.on);
        self.notes = prepared.notes.clone();
        let call = prepared.call();
        let created = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0);
        let request_id = self.request_id;
        let reply = Reply { id: request_id.as_str(), model: pin, created, include_usage: told.scan.include_usage };
        let vectors = told.vectors.as_deref().map(|ask| Vectors { ask, model: pin });
        let dialect = prepared.dialect;
        let hop = Try {
            upstream,
            call,
            caller,
            dialect,
            vectors,
            reply,
            pin,
            choices,
            on,
            shape,
            kept,
            after,
            stream,
            until,
        };
        attempt(session, &hop, &mut self.alive).await
    }

    /// A stream that the caller saw the beginning of broke off, or turned out to be another model's.
    pub fn cut(&self, hop: &PlannedHop, failure: Failure) {
        let (sidecar, health) = (self.sidecar, self.now.health(hop.snapshot));
        let turned = health.cut(failure, sidecar.uptime(), &self.now.config.breakers);
        sidecar.turned(self.now.snapshot_text(hop.snapshot), turned);
    }

    fn failed(&mut self, hop: &PlannedHop, error: &UpstreamError) {
        self.statuses.push(error.status);
        let snapshot = self.now.model(hop.snapshot);
        tracing::debug!(snapshot = %snapshot, failure = error.failure.word(), status = error.status, "{}", error.message);
        let elapsed = self.elapsed();
        self.chain.failed(elapsed, error.failure, error.retry_after);
    }

    fn gone(&mut self) -> Found {
        let elapsed = self.elapsed();
        self.chain.canceled(elapsed);
        Found::ClientGone
    }
}

/// Leave to try a snapshot. Dropped before anything is told about the attempt, nobody waited for it any more.
struct Leave<'a> {
    sidecar: &'a Sidecar,
    now: &'a InForce,
    health: &'a Health,
    snapshot: &'a str,
    pass: Option<Pass>,
}

impl<'a> Leave<'a> {
    /// `None` when its breaker is open, unless nothing else is left to try.
    fn of(walk: &Walk<'a>, hop: &PlannedHop) -> Option<Self> {
        let (sidecar, now) = (walk.sidecar, walk.now);
        let health = &**now.health(hop.snapshot);
        let pass = health.begin(sidecar.uptime(), walk.chain.is_last_chance())?;
        Some(Self { sidecar, now, health, snapshot: now.snapshot_text(hop.snapshot), pass: Some(pass) })
    }

    fn answered(mut self) {
        self.end(|health, pass, leave| health.answered(pass, leave.sidecar.uptime(), &leave.now.config.breakers));
    }

    fn failed(mut self, error: &UpstreamError) {
        self.end(|health, pass, leave| {
            let (uptime, settings) = (leave.sidecar.uptime(), &leave.now.config.breakers);
            health.failed(pass, error.failure, error.retry_after, uptime, settings)
        });
    }

    fn end(&mut self, end: impl FnOnce(&Health, Pass, &Self) -> Option<Turned>) {
        if let Some(pass) = self.pass.take() {
            let turned = end(self.health, pass, self);
            self.sidecar.turned(self.snapshot, turned);
        }
    }
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if let Some(pass) = self.pass.take() {
            self.health.canceled(pass, self.sidecar.uptime(), &self.now.config.breakers);
        }
    }
}
