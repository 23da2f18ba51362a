//! From a plan to the next thing to do. A state machine without I/O: told what happened and when, it says what to do.
//!
//! In: a [`Run`], failures, releases, and the time since admission. Out: a [`Step`], and the record of what was tried. Must not
//! know: sockets, clocks, HTTP, dialects. `serve` drives it with real time, tests of policies with a virtual clock.
//!
//! ```text
//! next -> Attempt -> failed ---> next      released -> (answer flows) -> completed
//!           |                               |
//!           `-> completed                   `-> cut -> next (resume) or over      resumed -> diverged -> over
//! ```

pub mod breaker;
pub mod cooldown;
pub mod degrade;
mod jitter;
mod record;
mod retry;

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
    /// Start this attempt now.
    Attempt(Start),
    /// Do nothing before this time, then ask again.
    Wait {
        /// Since admission.
        until: Millis,
    },
    /// Give the caller what the last attempt got, as the provider said it.
    Return {
        /// A refusal, a filter, or the caller's own mistake.
        failure: Failure,
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
    /// To be looked at: this hop, and the number its next attempt would have.
    At { hop: usize, number: u32 },
    /// A retry is due.
    Waiting { hop: usize, number: u32, until: Millis },
    /// An attempt is in flight, or its answer flows.
    Running(Start),
    /// Nothing more will be tried.
    Over(Step),
    /// An answer was given.
    Done,
}

/// The chain of one request.
#[derive(Clone, Debug)]
pub struct Chain {
    run: Run,
    streaming: bool,
    deadline: Millis,
    state: State,
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
            state: State::At { hop: 0, number: 1 },
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

    /// What to do at `now` (since admission). Asking again without telling what happened gives the same answer.
    pub fn next(&mut self, now: Millis) -> Step {
        loop {
            match self.state {
                State::Running(start) => return Step::Attempt(start),
                State::Over(step) => return step,
                State::Done => return Step::Degrade { last: None },
                State::Waiting { until, .. } if now < until => return Step::Wait { until },
                State::Waiting { hop, number, .. } => self.state = State::At { hop, number },
                State::At { hop, number } => match self.run.hops.get(hop) {
                    None => self.state = State::Over(Step::Degrade { last: self.last }),
                    Some(planned) => match self.refusal_to_start(planned, now) {
                        Some(reason) => {
                            self.record.skip(planned, reason);
                            self.state = State::At { hop: hop + 1, number: 1 };
                        }
                        None => {
                            let start = Start { hop, number, limits: self.limits(planned, now) };
                            self.record.start(planned, number, now);
                            self.state = State::Running(start);
                        }
                    },
                },
            }
        }
    }

    /// The attempt that [`Self::next`] asked for is not started, for a reason that only a running proxy knows.
    pub fn pass_over(&mut self, reason: SkipReason) {
        let State::Running(start) = self.state else { return };
        let Some(hop) = self.run.hops.get(start.hop) else { return };
        self.record.unstart(hop, reason);
        self.state = State::At { hop: start.hop + 1, number: 1 };
    }

    /// Nothing was tried before the attempt in flight, and nothing can be tried after it.
    pub fn is_last_chance(&self) -> bool {
        let State::Running(start) = self.state else { return false };
        start.hop + 1 >= self.run.hops.len() && self.record.attempts.len() <= 1
    }

    /// The attempt in flight failed before its answer was released. `retry_after` is what the upstream asked to wait.
    pub fn failed(&mut self, now: Millis, failure: Failure, retry_after: Option<Millis>) {
        let State::Running(start) = self.state else { return };
        let Some(hop) = self.run.hops.get(start.hop) else { return };
        self.record.end(now, Outcome::Failed(failure));
        self.last = Some(failure);
        if failure == Failure::ContextLength {
            self.too_small = self.too_small.max(Some(hop.max_input));
        }
        self.state = match self.retry(start, now, failure, retry_after) {
            Some(until) => State::Waiting { hop: start.hop, number: start.number + 1, until },
            None => self.after(start.hop, failure),
        };
    }

    /// Where a failure that is not retried leads.
    fn after(&self, hop: usize, failure: Failure) -> State {
        let on = self.run.hops.get(hop).map_or(FailureSet::EMPTY, |hop| hop.on);
        if on.contains(failure) && failure != Failure::BadRequest {
            State::At { hop: hop + 1, number: 1 }
        } else if ANSWERS.contains(failure) {
            State::Over(Step::Return { failure })
        } else {
            State::Over(Step::Degrade { last: Some(failure) })
        }
    }

    /// The first byte of the answer goes to the caller: from now on only [`Self::completed`] or [`Self::cut`] can follow.
    pub fn released(&mut self, now: Millis) {
        if let State::Running(_) = self.state {
            self.record.release(now);
        }
    }

    /// The answer is whole.
    pub fn completed(&mut self, now: Millis) {
        if let State::Running(_) = self.state {
            self.record.end(now, Outcome::Completed);
            self.state = State::Done;
        }
    }

    /// The caller left; whatever is in flight is canceled.
    pub fn canceled(&mut self, now: Millis) {
        if let State::Running(_) = self.state {
            self.record.end(now, Outcome::Canceled);
        }
        self.state = State::Done;
    }

    /// A released stream broke. `true` when the next hop may try to resume it (`on cut resume`): ask [`Self::next`];
    /// anything but an attempt then means the same as `false`, that the caller gets an error event.
    pub fn cut(&mut self, now: Millis, failure: Failure) -> bool {
        let State::Running(start) = self.state else { return false };
        self.record.end(now, Outcome::Cut(failure));
        self.last = Some(failure);
        let resumes = self.run.on_cut == OnCut::Resume;
        self.state = if resumes {
            State::At { hop: start.hop + 1, number: 1 }
        } else {
            State::Over(Step::Degrade { last: Some(failure) })
        };
        resumes
    }

    /// The attempt in flight, which was to take up a stream that broke, says something else than the caller has seen: the stream
    /// stays cut.
    pub fn diverged(&mut self, now: Millis) {
        if let State::Running(_) = self.state {
            self.record.end(now, Outcome::Diverged);
            self.state = State::Over(Step::Degrade { last: self.last });
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
