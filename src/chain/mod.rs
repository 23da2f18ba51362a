//! From a plan to the next thing to do. A state machine without I/O: told what happened and when, it says what to do.
//!
//! In: a [`Run`], failures, releases, and the time since admission. Out: a [`Step`], and the record of what was tried. Must not
//! know: sockets, clocks, HTTP, dialects. `serve` drives it with real time, tests of policies with a virtual clock.
//!
//! ```text
//! next -> Attempt -> failed ------> next      delivered -> released -> (answer flows) -> completed
//!           |   `-> Await -> hedge             (others are canceled)       |
//!           `-> delivered                                                  `-> cut -> next (resume) or over
//!                                                                                     resumed -> diverged -> over
//! ```

pub mod breaker;
pub mod cooldown;
pub mod degrade;
mod hedge;
mod jitter;
mod record;
mod retry;

use smallvec::SmallVec;

use crate::failure::{Failure, FailureSet};
use crate::policy::ast::OnCut;
use crate::policy::checked::Hold;
use crate::policy::plan::{PlannedHop, Run};
use crate::units::{Millis, Tokens};

pub use record::{Attempt, Outcome, Record, SkipReason, Skipped};

/// Kept of the deadline for the degrade step (section 5.5).
pub const DEGRADE_RESERVE: Millis = Millis(200);

/// What goes back to the caller as the provider said it, unless `on` names it: the first two are answers, the last is the
/// caller's mistake on every model.
const ANSWERS: FailureSet =
    FailureSet::EMPTY.with(Failure::ContentFilter).with(Failure::Refusal).with(Failure::BadRequest);

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Start this attempt now. Said once.
    Attempt(Start),
    /// Wait for what is in flight.
    Await {
        /// Since admission, when [`Chain::hedge`] is to be asked for an attempt beside it; `None` for never.
        hedge: Option<Millis>,
    },
    /// Do nothing before this time, then ask again.
    Wait {
        /// Since admission.
        until: Millis,
    },
    /// Give the caller what the attempt that ended like this got, as the provider said it.
    Return {
        /// A refusal, a filter, or the caller's own mistake.
        failure: Failure,
        /// Who said it: an index into [`Run::hops`].
        hop: usize,
    },
    /// No hop delivered.
    Degrade {
        /// How the last attempt failed; `None` when none could be started.
        last: Option<Failure>,
    },
}

/// One attempt to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Index into [`Run::hops`].
    pub hop: usize,
    /// Which try on this hop, from 1.
    pub number: u32,
    /// How long it may take.
    pub limits: Limits,
}

/// Limits of one attempt, each from its own start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Until complete; for a stream, until released. Never past the deadline.
    pub attempt: Millis,
    /// Streams: until the first content event.
    pub first_token: Option<Millis>,
    /// Streams: between events, before and after release.
    pub idle: Option<Millis>,
    /// Streams: in total after release.
    pub stream_limit: Option<Millis>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The next hop is to be looked at.
    Next,
    /// A retry is due.
    Again { hop: usize, number: u32, until: Millis },
    /// An attempt is in flight, or its answer flows.
    Running,
    /// Nothing more will be tried.
    Over(Step),
    /// An answer was given.
    Done,
}

/// An attempt in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Leg {
    hop: usize,
    number: u32,
    started: Millis,
    /// Its row of the record.
    row: usize,
}

/// The chain of one request.
#[derive(Clone, Debug)]
pub struct Chain {
    run: Run,
    streaming: bool,
    deadline: Millis,
    state: State,
    /// The hop that comes next; all before it were tried or passed over.
    ahead: usize,
    /// Hops whose breaker was open when they were due as a hedge, and whose own turn is still to come.
    deferred: SmallVec<[usize; 2]>,
    /// In flight, in the order of the chain. More than one only while a hop is hedged.
    legs: SmallVec<[Leg; 1]>,
    /// How many were started beside the first of them.
    beside: u8,
    /// The first failure that does not move on, and of which hop, while others are in flight.
    stop: Option<(usize, Failure)>,
    /// The caller has seen a part of an answer that broke off.
    resuming: bool,
    /// A prompt that was too long for this window is not sent to one that is no larger.
    too_small: Option<Tokens>,
    /// The extra retry of the last usable hop (section 5.4) was used.
    last_resort_used: bool,
    last: Option<Failure>,
    jitter: jitter::Jitter,
    record: Record,
}

impl Chain {
    /// For a planned run. A caller may shorten the deadline, never lengthen it. `seed` makes backoffs repeatable.
    pub fn new(run: Run, streaming: bool, caller_deadline: Option<Millis>, seed: u64) -> Self {
        Self {
            deadline: caller_deadline.unwrap_or(Millis::MAX).min(run.deadline),
            run,
            streaming,
            state: State::Next,
            ahead: 0,
            deferred: SmallVec::new(),
            legs: SmallVec::new(),
            beside: 0,
            stop: None,
            resuming: false,
            too_small: None,
            last_resort_used: false,
            last: None,
            jitter: jitter::Jitter::new(seed),
            record: Record::default(),
        }
    }

    /// The same without luck: every backoff is as long as it can be. For bounds, and for tests of policies.
    pub fn unlucky(run: Run, streaming: bool) -> Self {
        Self { jitter: jitter::Jitter::Longest, ..Self::new(run, streaming, None, 0) }
    }

    /// What the chain walks.
    pub const fn run(&self) -> &Run {
        &self.run
    }

    /// The answer is to be a stream.
    pub const fn is_streaming(&self) -> bool {
        self.streaming
    }

    /// From admission; no attempt starts and no unreleased attempt runs past it.
    pub const fn deadline(&self) -> Millis {
        self.deadline
    }

    /// What was tried and what was passed over.
    pub const fn record(&self) -> &Record {
        &self.record
    }

    /// What to do at `now` (since admission).
    pub fn next(&mut self, now: Millis) -> Step {
        loop {
            match self.state {
                State::Running => return Step::Await { hedge: self.hedge_at() },
                State::Over(step) => return step,
                State::Done => return Step::Degrade { last: None },
                State::Again { until, .. } if now < until => return Step::Wait { until },
                State::Again { hop, number, .. } => {
                    if let Some(start) = self.start(hop, number, now) {
                        return Step::Attempt(start);
                    }
                    self.state = State::Next;
                }
                State::Next => match self.start_next(now) {
                    Some(start) => return Step::Attempt(start),
                    None => self.state = State::Over(Step::Degrade { last: self.last }),
                },
            }
        }
    }

    /// The hop whose turn it is, in the order of the chain; those that cannot start are passed over.
    fn start_next(&mut self, now: Millis) -> Option<Start> {
        while !self.deferred.is_empty() {
            let hop = self.deferred.remove(0);
            if let Some(start) = self.start(hop, 1, now) {
                return Some(start);
            }
        }
        self.start_ahead(now)
    }

    /// The next hop that can start; those that cannot are passed over.
    fn start_ahead(&mut self, now: Millis) -> Option<Start> {
        while self.ahead < self.run.hops.len() {
            let hop = self.ahead;
            self.ahead += 1;
            if let Some(start) = self.start(hop, 1, now) {
                return Some(start);
            }
        }
        None
    }

    fn start(&mut self, hop: usize, number: u32, now: Millis) -> Option<Start> {
        let planned = self.run.hops.get(hop)?;
        if let Some(reason) = self.refusal_to_start(planned, now) {
            self.record.skip(planned, reason);
            return None;
        }
        let beside = !self.legs.is_empty();
        let limits = self.limits(planned, now);
        let row = self.record.start(planned, number, now, beside);
        if !beside && number == 1 {
            self.beside = 0;
        }
        self.legs.push(Leg { hop, number, started: now, row });
        self.state = State::Running;
        Some(Start { hop, number, limits })
    }

    /// The attempt that was asked for last is not started, for a reason that only a running proxy knows.
    pub fn pass_over(&mut self, reason: SkipReason) {
        let Some(leg) = self.legs.pop() else { return };
        let Some(hop) = self.run.hops.get(leg.hop) else { return };
        self.record.unstart(hop, reason);
        if self.legs.is_empty() {
            self.state = State::Next;
        } else if reason == SkipReason::CoolingDown {
            // It stays the chain's next hop, and nothing more is started beside this one.
            (self.ahead, self.beside) = (leg.hop, u8::MAX);
        } else {
            self.beside = self.beside.saturating_sub(1);
            if reason == SkipReason::BreakerOpen {
                // By the time its own turn comes, it may let a probe through.
                self.deferred.push(leg.hop);
            }
        }
    }

    /// Nothing was tried before the attempt in flight, and nothing can be tried after it.
    pub fn is_last_chance(&self) -> bool {
        !self.legs.is_empty() && self.ahead >= self.run.hops.len() && self.record.attempts.len() <= 1
    }

    /// The attempt at this hop ([`Start::hop`]) failed before its answer was released. `retry_after` is what the upstream asked to
    /// wait.
    pub fn failed(&mut self, now: Millis, hop: usize, failure: Failure, retry_after: Option<Millis>) {
        let Some(at) = self.legs.iter().position(|leg| leg.hop == hop) else { return };
        let Some(planned) = self.run.hops.get(hop) else { return };
        let leg = self.legs.remove(at);
        self.record.end(leg.row, now, Outcome::Failed(failure));
        self.last = Some(failure);
        if failure == Failure::ContextLength {
            self.too_small = self.too_small.max(Some(planned.max_input));
        }
        let moves_on = planned.on.contains(failure) && failure != Failure::BadRequest;
        if !self.legs.is_empty() {
            self.left_behind(now, (at, hop), failure, moves_on);
            return;
        }
        let stop = self.stop.take();
        let again = if stop.is_none() { self.retry(leg, now, failure, retry_after) } else { None };
        self.state = match (again, stop) {
            (Some(until), _) => State::Again { hop, number: leg.number + 1, until },
            (None, None) if moves_on => State::Next,
            (None, stop) => State::Over(ended(stop.unwrap_or((hop, failure)))),
        };
    }

    /// The first byte of the answer goes to the caller: from now on only [`Self::completed`] or [`Self::cut`] can follow.
    pub fn released(&mut self, now: Millis) {
        if let [leg] = self.legs[..] {
            self.record.release(leg.row, now);
        }
    }

    /// The answer is whole.
    pub fn completed(&mut self, now: Millis) {
        if !self.legs.is_empty() {
            self.land(now, Outcome::Completed);
            self.state = State::Done;
        }
    }

    /// The caller left; whatever is in flight is canceled.
    pub fn canceled(&mut self, now: Millis) {
        self.land(now, Outcome::Canceled);
        self.state = State::Done;
    }

    /// A released stream broke. `true` when the next hop may try to resume it (`on cut resume`): ask [`Self::next`];
    /// anything but an attempt then means the same as `false`, that the caller gets an error event.
    pub fn cut(&mut self, now: Millis, failure: Failure) -> bool {
        if self.legs.is_empty() {
            return false;
        }
        self.land(now, Outcome::Cut(failure));
        self.last = Some(failure);
        let resumes = self.run.on_cut == OnCut::Resume;
        self.resuming = resumes;
        self.state = if resumes { State::Next } else { State::Over(Step::Degrade { last: Some(failure) }) };
        resumes
    }

    /// The attempt in flight, which was to take up a stream that broke, says something else than the caller has seen: the stream
    /// stays cut.
    pub fn diverged(&mut self, now: Millis) {
        if !self.legs.is_empty() {
            self.land(now, Outcome::Diverged);
            self.state = State::Over(Step::Degrade { last: self.last });
        }
    }

    /// Everything in flight ends like this.
    fn land(&mut self, now: Millis, outcome: Outcome) {
        for leg in std::mem::take(&mut self.legs) {
            self.record.end(leg.row, now, outcome);
        }
    }

    /// Time for another attempt and its fallback answer.
    fn left(&self, now: Millis) -> Millis {
        self.deadline - now - DEGRADE_RESERVE
    }

    /// With less than this left, starting the hop makes no sense.
    fn least_start(&self, hop: &PlannedHop) -> Millis {
        if self.streaming && self.run.hold == Hold::FirstToken { hop.first_token } else { Millis(hop.timeout.0 / 4) }
    }

    fn refusal_to_start(&self, hop: &PlannedHop, now: Millis) -> Option<SkipReason> {
        let left = self.left(now);
        if self.too_small.is_some_and(|window| hop.max_input <= window) {
            return Some(SkipReason::WindowNotLarger);
        }
        (left < self.least_start(hop) || left == Millis(0)).then_some(SkipReason::Deadline)
    }

    fn limits(&self, hop: &PlannedHop, now: Millis) -> Limits {
        let attempt = hop.timeout.min(self.left(now));
        let stream = |limit: Millis| self.streaming.then_some(limit);
        Limits {
            attempt,
            first_token: stream(hop.first_token.min(attempt)),
            idle: stream(hop.idle),
            stream_limit: stream(hop.stream_limit),
        }
    }
}

/// Where a failure leads that is neither retried nor moves on.
const fn ended((hop, failure): (usize, Failure)) -> Step {
    if ANSWERS.contains(failure) { Step::Return { failure, hop } } else { Step::Degrade { last: Some(failure) } }
}
