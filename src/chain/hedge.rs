//! A further attempt beside one that is slow (section 5.7).
//!
//! In: attempts in flight, the time. Out: when another is due, and which; who is left when one fails or delivers. Must not know:
//! how a hop's p95 is measured.
//!
//! The first attempt in flight is the one that is hedged; those beside it do not hedge themselves, so no more than its `up to`
//! run beside it. When it fails, the next in flight is the chain's hop, with a hedge of its own.

use super::{ANSWERS, Chain, Outcome, Start, State, Step};
use crate::failure::Failure;
use crate::units::Millis;

impl Chain {
    /// Since admission, when an attempt beside those in flight is due; `None` when none will be.
    pub fn hedge_at(&self) -> Option<Millis> {
        let (first, newest) = (self.legs.first()?, self.legs.last()?);
        let hop = self.run.hops.get(first.hop)?;
        let (hedge, after) = (hop.hedge?, hop.hedge_after?);
        let may = self.beside < hedge.legs && self.ahead < self.run.hops.len();
        (may && !self.resuming && self.stop.is_none()).then(|| newest.started + after)
    }

    /// How many attempts are in flight, or flow to the caller.
    pub fn in_flight(&self) -> usize {
        self.legs.len()
    }

    /// The attempt to start beside those in flight, if one is due at `now`.
    pub fn hedge(&mut self, now: Millis) -> Option<Start> {
        self.hedge_at().filter(|due| *due <= now)?;
        let start = self.start_ahead(now)?;
        self.beside += 1;
        Some(start)
    }

    /// The attempt at this hop has something for the caller: whatever runs beside it is canceled.
    pub fn delivered(&mut self, now: Millis, hop: usize) {
        let Some(won) = self.legs.iter().find(|leg| leg.hop == hop).copied() else { return };
        for lost in self.legs.iter().filter(|leg| leg.hop != hop) {
            self.record.end(lost.row, now, Outcome::Canceled);
        }
        self.legs.clear();
        self.legs.push(won);
    }

    /// One of several failed; `at` is its place among them, `hop` its hop. An answer that says no ends the chain, since it was quicker than the
    /// others. Anything else leaves it to them: what would have ended the chain does so when the last of them has failed, too.
    pub(super) fn left_behind(&mut self, now: Millis, (at, hop): (usize, usize), failure: Failure, moves_on: bool) {
        let is_answer = ANSWERS.contains(failure) && failure != Failure::BadRequest;
        if is_answer && !moves_on {
            self.land(now, Outcome::Canceled);
            self.state = State::Over(Step::Return { failure, hop });
            return;
        }
        if !moves_on {
            self.stop.get_or_insert((hop, failure));
        }
        if at == 0 {
            self.beside = u8::try_from(self.legs.len() - 1).unwrap_or(u8::MAX);
        }
    }
}
