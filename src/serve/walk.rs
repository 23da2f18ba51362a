//! The chain of one request, walked in real time: step 12 of section 5.2.
//!
//! In: a plan, an admitted request. Out: something to give the caller, or the word that nothing could be had. Must not know:
//! how it is written to the caller.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use pingora::protocols::http::ServerSession;
use smallvec::SmallVec;

use super::ask::Told;
use super::attempt::{Failed, Live, Said, Spent, StreamLimits, Tried, Try, Whole, attempt};
use super::cached::Keeps;
use super::caller::Caller;
use super::judge::Watch;
use super::keep_alive::KeepAlive;
use super::leave::Leave;
use super::prepare::{Prepared, prepare};
use super::race::race;
use super::request_id::RequestId;
use super::schema::Shape;
use super::sidecar::{InForce, Sidecar};
use crate::chain::{Chain, SkipReason, Start, Step};
use crate::dialect::bad_body::BadBody;
use crate::dialect::canonical::{Notes, Reply};
use crate::dialect::messages::hosted::own_name;
use crate::dialect::upstream_error::UpstreamError;
use crate::dialect::whole::Vectors;
use crate::dialect::{Dialect, translate};
use crate::failure::Failure;
use crate::names::ProviderName;
use crate::policy::ast::OnCut;
use crate::policy::checked::Hold;
use crate::policy::plan::PlannedHop;
use crate::units::Millis;

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
    /// What each attempt came to, in the order of the chain's record.
    pub bills: SmallVec<[Bill; 4]>,
    /// The attempt whose answer the caller gets, and whose tokens are not known yet: its row of both.
    pub delivering: Option<usize>,
    /// For a caller who sees nothing of a stream before its end.
    pub alive: Option<KeepAlive>,
    /// What the caller has seen of a stream that broke off.
    pub seen: Option<String>,
    /// Why the first hop that cannot carry this request was passed over.
    pub refused: Option<BadBody>,
    /// What the attempt in flight, or the one that answered, was not told.
    pub notes: Notes,
    /// What the attempt before sent, and to which hop: a retry sends the same.
    sent: Option<(usize, Box<Prepared>)>,
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
        let (bills, notes) = Default::default();
        Self {
            sidecar,
            now,
            request_id,
            admitted,
            keeps,
            chain,
            bills,
            delivering: None,
            alive: None,
            seen: None,
            refused: None,
            notes,
            sent: None,
        }
    }
}

/// What is known of an attempt besides how it ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bill {
    /// The upstream's status.
    pub status: Option<u16>,
    /// It found out whether a breaker could close.
    pub probe: bool,
    /// Its tokens.
    pub spent: Spent,
}

/// An attempt that was begun.
pub struct Leg<'a> {
    /// What to do.
    pub start: Start,
    /// Where.
    pub hop: PlannedHop,
    /// What is sent; `None` where nothing is configured to send it to.
    pub prepared: Option<Box<Prepared>>,
    /// Its row of [`Walk::bills`].
    pub row: usize,
    notes: Notes,
    leave: Leave<'a>,
    begun: Instant,
}

/// What the provider of an attempt that failed said, and where that was, as the chain knows it.
pub type Words = (usize, Said, PlannedHop);

/// What every attempt of a request needs.
pub struct Errand<'t> {
    /// Shared with other requests.
    pub sidecar: &'t Sidecar,
    /// What this request is served under.
    pub now: &'t InForce,
    /// By which its caller knows it.
    pub request_id: RequestId,
    /// What the caller sent.
    pub told: &'t Told,
    /// How much of a stream is held back.
    pub hold: Hold,
    /// What happens when a released stream breaks.
    pub on_cut: OnCut,
    /// What the caller has seen of a stream that broke off.
    pub seen: Option<&'t str>,
    /// Tokens of content so far.
    pub progress: &'t AtomicU64,
}

impl<'a> Walk<'a> {
    /// Since admission.
    pub fn elapsed(&self) -> Millis {
        Millis(self.admitted.elapsed().as_millis() as u64)
    }

    /// Tries hops until one delivers.
    pub async fn walk(&mut self, session: &mut ServerSession, told: &Told) -> Found {
        let mut words: Vec<Words> = Vec::new();
        loop {
            let elapsed = self.elapsed();
            match self.chain.next(elapsed) {
                Step::Wait { until } => {
                    let wake = tokio::time::Instant::from_std(self.admitted + until.duration());
                    let mut caller = Caller::Here { session, alive: &mut self.alive };
                    let turn = tokio::select! {
                        biased;
                        () = tokio::time::sleep_until(wake) => continue,
                        turn = caller.turns() => turn,
                    };
                    if !caller.answered(turn).await {
                        return self.gone();
                    }
                }
                Step::Return { failure, hop } => {
                    let said = words.into_iter().find(|one| one.0 == hop);
                    return match said {
                        Some((_, said, hop)) => Found::Said(said, hop, failure),
                        None => Found::Nothing(Some(failure)),
                    };
                }
                Step::Degrade { last } => return self.nothing(last),
                // Attempts are awaited where they are begun.
                Step::Await { .. } => return Found::Nothing(None),
                Step::Attempt(start) => {
                    if self.bills.is_empty() {
                        self.sidecar.telemetry.metrics.overhead.observe(self.admitted.elapsed().as_secs_f64());
                    }
                    words.clear();
                    let Some(leg) = self.begin(told, start, Leave::of) else { continue };
                    if self.chain.hedge_at().is_some() {
                        if let Some(found) = Box::pin(race(self, session, told, leg, &mut words)).await {
                            return found;
                        }
                        continue;
                    }
                    let progress = AtomicU64::new(0);
                    let run = self.chain.run();
                    let errand = Errand {
                        sidecar: self.sidecar,
                        now: self.now,
                        request_id: self.request_id,
                        told,
                        hold: run.hold,
                        on_cut: run.on_cut,
                        seen: self.seen.as_deref(),
                        progress: &progress,
                    };
                    let mut caller = Caller::Here { session, alive: &mut self.alive };
                    let tried = try_hop(&errand, &mut caller, (&leg.hop, start), leg.prepared.as_deref()).await;
                    if matches!(tried, Tried::ClientGone) {
                        self.spent(leg.row, Spent::Begun(progress.load(Ordering::Relaxed)));
                    }
                    if let Some(found) = self.land(leg, tried, &mut words) {
                        return found;
                    }
                }
            }
        }
    }

    /// No hop is left. Who could carry the request may only be left alone for a while: then the caller has made no mistake.
    fn nothing(&mut self, last: Option<Failure>) -> Found {
        let untried = self.chain.record().attempts.is_empty();
        let rests = self.chain.run().dropped.iter().any(|one| one.reason.rests());
        match self.refused.take().filter(|_| untried && !rests) {
            Some(refused) => Found::Refused(refused),
            None => Found::Nothing(last),
        }
    }

    /// Begins an attempt, if there is leave to, and its hop can carry what the caller asks for.
    pub(super) fn begin(
        &mut self,
        told: &Told,
        start: Start,
        leave: impl FnOnce(&Self, &PlannedHop) -> Result<Leave<'a>, SkipReason>,
    ) -> Option<Leg<'a>> {
        let hop = self.chain.run().hops.get(start.hop)?.clone();
        let sent = self.sent.take().filter(|(other, _)| *other == start.hop);
        let ready = leave(self, &hop).and_then(|leave| {
            let prepared = match sent {
                Some((_, prepared)) => Some(prepared),
                None => self.prepare(told, &hop).map_err(|refused| {
                    self.refused.get_or_insert(refused);
                    SkipReason::CannotCarry
                })?,
            };
            Ok((leave, prepared))
        });
        match ready {
            Ok((leave, prepared)) => {
                self.bills.push(Bill { probe: leave.is_probe(), ..Bill::default() });
                let (row, begun) = (self.bills.len() - 1, Instant::now());
                let notes = prepared.as_ref().map(|prepared| prepared.notes.clone()).unwrap_or_default();
                Some(Leg { start, hop, prepared, row, notes, leave, begun })
            }
            Err(reason) => {
                self.chain.pass_over(reason);
                None
            }
        }
    }

    /// What an attempt that ended brings; nothing where the chain goes on.
    pub(super) fn land(&mut self, leg: Leg<'a>, tried: Tried, words: &mut Vec<Words>) -> Option<Found> {
        let Leg { start, hop, prepared, row, notes, leave, begun } = leg;
        self.notes = notes;
        let elapsed = self.elapsed();
        match tried {
            Tried::Whole(whole) => {
                leave.answered(since(begun, Instant::now()));
                self.delivered(start, row, elapsed);
                Some(Found::Whole(whole, hop))
            }
            Tried::Live(live) => {
                leave.answered(since(begun, live.first_content.into_std()));
                self.delivered(start, row, elapsed);
                Some(Found::Live(live, hop, start))
            }
            Tried::Failed(Failed { error, said, spent }) => {
                leave.failed(&error, since(begun, Instant::now()));
                let snapshot = self.now.model(hop.snapshot);
                tracing::debug!(snapshot = %snapshot, failure = error.failure.word(), status = error.status, "{}", error.message);
                self.bills[row].status = error.status;
                self.spent(row, spent);
                self.chain.failed(elapsed, start.hop, error.failure, error.retry_after);
                self.sent = prepared.map(|prepared| (start.hop, prepared));
                words.extend(said.map(|said| (start.hop, said, hop)));
                None
            }
            Tried::Diverged(spent) => {
                leave.answered(since(begun, Instant::now()));
                self.bills[row].status = Some(200);
                self.spent(row, spent);
                self.chain.diverged(elapsed);
                None
            }
            Tried::ClientGone => Some(self.gone()),
        }
    }

    fn delivered(&mut self, start: Start, row: usize, elapsed: Millis) {
        self.bills[row].status = Some(200);
        self.delivering = Some(row);
        self.chain.delivered(elapsed, start.hop);
    }

    /// What an attempt may be billed for.
    pub fn spent(&mut self, row: usize, spent: Spent) {
        self.bills[row].spent = spent;
    }

    /// The answer that the caller gets, or the part of it that came.
    pub fn paid(&mut self, watch: &Watch) {
        if let Some(row) = self.delivering.take() {
            self.spent(row, Spent::of(watch));
        }
    }

    /// Looks for a hop that repeats what the caller has seen of a stream that broke off, and goes on with it.
    pub async fn resume(&mut self, session: &mut ServerSession, told: &Told, seen: String) -> Found {
        self.seen = Some(seen);
        self.walk(session, told).await
    }

    fn prepare(&self, told: &Told, hop: &PlannedHop) -> Result<Option<Box<Prepared>>, BadBody> {
        let Some(upstream) = self.now.upstream(hop.snapshot) else { return Ok(None) };
        let provider = &upstream.provider;
        let speaks = provider.speaks(self.now.upstream_id(hop.snapshot));
        let bound = told.scan.bound && speaks == told.entrance.dialect;
        if bound && self.keeper(told).as_ref() != Some(&provider.name) {
            return Err(BadBody::kept_elsewhere());
        }
        prepare(self.now, told, hop, upstream).map(Some)
    }

    /// The provider that keeps what a request refers to: the first of the chain that speaks as the caller does. `None` where that one
    /// may be left alone for a while.
    fn keeper(&self, told: &Told) -> Option<ProviderName> {
        let run = self.chain.run();
        let speaks = |snapshot| {
            let provider = &self.now.upstream(snapshot)?.provider;
            let same = provider.speaks(self.now.upstream_id(snapshot)) == told.entrance.dialect;
            same.then(|| provider.name.clone())
        };
        let mut hops = run.hops.iter().enumerate();
        let (at, position, keeper) = hops.find_map(|(at, hop)| Some((at, hop.position, speaks(hop.snapshot)?)))?;
        let resting = run.dropped.iter().filter(|one| one.reason.rests()).filter_map(|one| speaks(one.snapshot?));
        let first = usize::from(position) == at + 1 || resting.into_iter().all(|other| other == keeper);
        first.then_some(keeper)
    }

    /// A stream that the caller saw the beginning of broke off, or turned out to be another model's.
    pub fn cut(&self, hop: &PlannedHop, failure: Failure) {
        let (sidecar, health) = (self.sidecar, self.now.health(hop.snapshot));
        let turned = health.cut(failure, sidecar.uptime(), &self.now.config.breakers);
        sidecar.turned(self.now.snapshot_text(hop.snapshot), turned);
    }

    pub(super) fn gone(&mut self) -> Found {
        let elapsed = self.elapsed();
        self.chain.canceled(elapsed);
        Found::ClientGone
    }
}

/// One try of one hop.
pub(super) async fn try_hop(
    errand: &Errand<'_>,
    waits: &mut Caller<'_>,
    (hop, start): (&PlannedHop, Start),
    prepared: Option<&Prepared>,
) -> Tried {
    let (now, told) = (errand.now, errand.told);
    let (Some(upstream), Some(prepared)) = (now.upstream(hop.snapshot), prepared) else {
        let error = UpstreamError::bare(Failure::Network, "no upstream is configured for this provider");
        return Tried::Failed(error.into());
    };
    let model = now.upstream_id(hop.snapshot);
    let hosted = upstream.provider.hosts(prepared.dialect).map(|_| own_name(model).unwrap_or_default());
    let pin = hosted.as_deref().unwrap_or(model);
    let caller = told.entrance.dialect;
    // Only what was said in one dialect can be held against what is said in the same.
    let (chat, plain) = (prepared.dialect == Dialect::Chat, caller == Dialect::Chat);
    if errand.seen.is_some() && !(chat && plain) {
        return Tried::Diverged(Spent::Nothing);
    }
    let begun = tokio::time::Instant::now();
    let limits = start.limits;
    let stream = limits.first_token.map(|first_token| StreamLimits {
        first_token: begun + first_token.duration(),
        idle: limits.idle.unwrap_or(hop.idle).duration(),
        hold: errand.hold,
    });
    let until = begun + limits.attempt.duration();
    let choices = told.scan.choices;
    let demand = &told.scan.demand;
    let shape = (demand.any() && hop.on.contains(Failure::InvalidOutput)).then_some(Shape {
        schemas: &errand.sidecar.schemas,
        body: &told.body,
        demand,
    });
    let kept = chat && plain && errand.on_cut == OnCut::Resume;
    let (after, on, progress) = (errand.seen, hop.on, errand.progress);
    let call = prepared.call();
    let translated = prepared.dialect != caller;
    let created = if translated { u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0) } else { 0 };
    let echo = translated.then(|| translate::echo(caller, &told.body)).flatten();
    let (id, include_usage) = (errand.request_id.as_str(), told.scan.include_usage);
    let reply = Reply { id, model, created, include_usage, echo: echo.as_ref() };
    let vectors = told.vectors.as_deref().map(|ask| Vectors { ask, model });
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
        progress,
    };
    attempt(waits, &hop).await
}

fn since(begun: Instant, end: Instant) -> Millis {
    Millis(end.saturating_duration_since(begun).as_millis() as u64)
}
