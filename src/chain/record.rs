//! What a chain tried, for the log line and the metrics.
//!
//! In: starts, ends and skips. Out: rows in order. Must not know: who reads them.

use smallvec::SmallVec;

use crate::failure::Failure;
use crate::policy::checked::SnapshotId;
use crate::policy::plan::PlannedHop;
use crate::units::Millis;

/// Everything that was tried and passed over.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// In the order they were started.
    pub attempts: SmallVec<[Attempt; 4]>,
    /// In the order they were passed over.
    pub skipped: SmallVec<[Skipped; 2]>,
}

/// One attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Position of its hop in the rule's chain, from 1.
    pub position: u8,
    /// Which snapshot.
    pub snapshot: SnapshotId,
    /// Which try on this hop, from 1.
    pub number: u32,
    /// Started beside a slow attempt (section 5.7).
    pub hedge: bool,
    /// Since admission.
    pub started: Millis,
    /// Since admission; when its first byte went to the caller.
    pub released: Option<Millis>,
    /// Since admission; `None` while it runs.
    pub ended: Option<Millis>,
    /// How it ended; `None` while it runs.
    pub outcome: Option<Outcome>,
}

impl Attempt {
    /// From start to end; until `now` while it runs.
    pub fn duration(&self, now: Millis) -> Millis {
        self.ended.unwrap_or(now) - self.started
    }

    /// The failure, before or after release.
    pub const fn failure(&self) -> Option<Failure> {
        match self.outcome {
            Some(Outcome::Failed(failure) | Outcome::Cut(failure)) => Some(failure),
            _ => None,
        }
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The answer is whole.
    Completed,
    /// It failed before release.
    Failed(Failure),
    /// It broke after release.
    Cut(Failure),
    /// Nobody waited for it any more: the caller left, or the attempt beside it was quicker.
    Canceled,
    /// It was to take up a broken answer, and says something else.
    Diverged,
}

/// A hop that was not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Position of the hop in the rule's chain, from 1.
    pub position: u8,
    /// Which snapshot.
    pub snapshot: SnapshotId,
    /// Why.
    pub reason: SkipReason,
}

/// Why a usable hop was not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SkipReason {
    /// Too little time was left.
    Deadline,
    /// An earlier hop found the prompt too long, and this window is no larger.
    WindowNotLarger,
    /// Its breaker opened after the chain was planned, or another request probes it.
    BreakerOpen,
    /// Its dialect, or its model, has no place for something that the caller asks for.
    CannotCarry,
    /// It asked for a pause after the chain was planned, and would only have been a hedge.
    CoolingDown,
}

impl SkipReason {
    /// As logs write it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::WindowNotLarger => "window_not_larger",
            Self::BreakerOpen => "breaker_open",
            Self::CannotCarry => "cannot_carry",
            Self::CoolingDown => "cooling_down",
        }
    }
}

impl Record {
    /// Answers with its row.
    pub(super) fn start(&mut self, hop: &PlannedHop, number: u32, now: Millis, hedge: bool) -> usize {
        self.attempts.push(Attempt {
            position: hop.position,
            snapshot: hop.snapshot,
            number,
            hedge,
            started: now,
            released: None,
            ended: None,
            outcome: None,
        });
        self.attempts.len() - 1
    }

    /// Once for a reason, however often the hop was due.
    pub(super) fn skip(&mut self, hop: &PlannedHop, reason: SkipReason) {
        let skipped = Skipped { position: hop.position, snapshot: hop.snapshot, reason };
        if !self.skipped.contains(&skipped) {
            self.skipped.push(skipped);
        }
    }

    /// The last start did not happen.
    pub(super) fn unstart(&mut self, hop: &PlannedHop, reason: SkipReason) {
        self.attempts.pop();
        self.skip(hop, reason);
    }

    pub(super) fn release(&mut self, row: usize, now: Millis) {
        if let Some(attempt) = self.attempts.get_mut(row) {
            attempt.released.get_or_insert(now);
        }
    }

    pub(super) fn end(&mut self, row: usize, now: Millis, outcome: Outcome) {
        if let Some(attempt) = self.attempts.get_mut(row) {
            attempt.ended = Some(now);
            attempt.outcome = Some(outcome);
        }
    }
}
