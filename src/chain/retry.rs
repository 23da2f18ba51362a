//! Whether the same hop is tried again, and when (section 5.4).
//!
//! In: the attempt that failed, the time, what the upstream asked to wait. Out: when to try again, or `None` to move on. Must not
//! know: what comes after.

use super::{Chain, Leg};
use crate::failure::{Failure, FailureSet};
use crate::policy::plan::PlannedHop;
use crate::units::Millis;

/// Backoffs grow to this and no further.
pub const MAX_BACKOFF: Millis = Millis::secs(30);

/// The upstream is fine and asks for patience: worth one more try where there is nowhere else to go.
const ASKS_TO_WAIT: FailureSet = FailureSet::EMPTY.with(Failure::RateLimit).with(Failure::Overload);

impl Chain {
    /// Since admission, when the next attempt on the same hop is due.
    pub(super) fn retry(
        &mut self,
        leg: Leg,
        now: Millis,
        failure: Failure,
        retry_after: Option<Millis>,
    ) -> Option<Millis> {
        let hop = self.run.hops.get(leg.hop)?;
        if leg.number > allowed(hop, failure) {
            return self.last_resort(leg, now, failure, retry_after);
        }
        let (base, least_start) = (hop.retry.backoff, self.least_start(hop));
        let wait = retry_after.unwrap_or_else(|| self.jitter.of(backoff(base, leg.number)));
        self.in_time(now, wait, least_start)
    }

    /// On the last usable hop, what asks to wait gets one retry where the policy says nothing about retrying it.
    fn last_resort(&mut self, leg: Leg, now: Millis, failure: Failure, retry_after: Option<Millis>) -> Option<Millis> {
        let hop = self.run.hops.get(leg.hop)?;
        if self.last_resort_used
            || allowed(hop, failure) > 0
            || !ASKS_TO_WAIT.contains(failure)
            || hop.on.contains(failure) && self.another_usable(now)
        {
            return None;
        }
        let until = self.in_time(now, retry_after?, self.least_start(hop))?;
        self.last_resort_used = true;
        Some(until)
    }

    fn another_usable(&self, now: Millis) -> bool {
        let deferred = self.deferred.iter().filter_map(|hop| self.run.hops.get(*hop));
        let mut later = deferred.chain(self.run.hops.iter().skip(self.ahead));
        later.any(|later| self.refusal_to_start(later, now).is_none())
    }

    fn in_time(&self, now: Millis, wait: Millis, least_start: Millis) -> Option<Millis> {
        let left = self.left(now);
        (wait + least_start <= left && wait < left).then(|| now + wait)
    }
}

/// Retries the policy itself allows on this failure.
fn allowed(hop: &PlannedHop, failure: Failure) -> u32 {
    if failure != Failure::BadRequest && hop.retry.on.contains(failure) { hop.retry.count } else { 0 }
}

/// `base × 2^(n-1)`, capped, before the `n`th retry.
fn backoff(base: Millis, retry: u32) -> Millis {
    let doubled = base.0.saturating_mul(1u64.checked_shl(retry.saturating_sub(1)).unwrap_or(u64::MAX));
    Millis(doubled).min(MAX_BACKOFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoffs_double_to_thirty_seconds() {
        let steps: Vec<u64> = (1..=9).map(|retry| backoff(Millis(250), retry).0).collect();
        assert_eq!(steps, [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        assert_eq!(backoff(Millis(250), 200), MAX_BACKOFF);
        assert_eq!(backoff(Millis(0), 3), Millis(0));
    }
}
