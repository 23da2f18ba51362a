//! The pause that a snapshot asked for (section 5.4).
//!
//! In: failures and successes, with the time since the process started. Out: how long to leave it alone. Must not know: chains,
//! clocks, who shares it.

use crate::failure::Failure;
use crate::units::Millis;

/// No Retry-After cools longer than this for others.
pub const LONGEST_ASKED: Millis = Millis::secs(60);
/// Without Retry-After: the first pause …
pub const FIRST_PAUSE: Millis = Millis::secs(1);
/// … doubling to this.
pub const LONGEST_PAUSE: Millis = Millis::secs(30);

/// The pause of one snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cooldown {
    /// The end of the pause that it asked for.
    asked: Millis,
    /// The end of one that it did not ask for by name.
    guessed: Millis,
    /// Pauses without Retry-After since the last success.
    doubled: u32,
}

impl Cooldown {
    /// The end of the pause; long past when there is none.
    pub fn until(&self) -> Millis {
        self.asked.max(self.guessed)
    }

    /// The end of what it asked for by Retry-After. While its breaker is open this alone counts: how long to leave it alone is
    /// the breaker's to say, and a longer guess would put off the probe that finds it well.
    pub const fn asked_until(&self) -> Millis {
        self.asked
    }

    /// It was found well: what was only guessed is over.
    pub fn well(&mut self) {
        self.guessed = Millis(0);
    }

    /// An attempt failed. Only `rate_limit` and `overload` ask for a pause. Attempts that were already under way when one
    /// began do not double it.
    pub fn failed(&mut self, failure: Failure, retry_after: Option<Millis>, now: Millis) {
        if !matches!(failure, Failure::RateLimit | Failure::Overload) {
            return;
        }
        if let Some(asked) = retry_after {
            self.asked = self.asked.max(now + asked.min(LONGEST_ASKED));
        } else if now >= self.until() {
            let pause = FIRST_PAUSE.0.checked_shl(self.doubled).unwrap_or(u64::MAX);
            self.guessed = now + Millis(pause).min(LONGEST_PAUSE);
            // More than enough to reach the longest, and no shift is ever too far.
            self.doubled = (self.doubled + 1).min(16);
        }
    }

    /// An attempt was answered: the next pause begins anew at the shortest. One that is still running goes on, since the
    /// answer may belong to an attempt from before it.
    pub fn succeeded(&mut self) {
        self.doubled = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_cools_for_others_but_at_most_a_minute() {
        let mut cooldown = Cooldown::default();
        cooldown.failed(Failure::RateLimit, Some(Millis::secs(7)), Millis(1000));
        assert_eq!(cooldown.until(), Millis(8000));
        cooldown.failed(Failure::RateLimit, Some(Millis::secs(61)), Millis(1000));
        assert_eq!(cooldown.until(), Millis(61_000));
        cooldown.failed(Failure::RateLimit, Some(Millis::secs(1)), Millis(1000));
        assert_eq!(cooldown.until(), Millis(61_000), "a shorter wish does not end a longer pause");
    }

    #[test]
    fn without_retry_after_pauses_double_to_thirty_seconds_until_a_success() {
        let (mut cooldown, mut now) = (Cooldown::default(), 0);
        for wanted in [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000] {
            cooldown.failed(Failure::Overload, None, Millis(now));
            assert_eq!(cooldown.until(), Millis(now + wanted));
            now += wanted;
        }
        cooldown.succeeded();
        cooldown.failed(Failure::Overload, None, Millis(now));
        assert_eq!(cooldown.until(), Millis(now + 1000));
    }

    #[test]
    fn many_failures_at_once_are_one_pause() {
        let mut cooldown = Cooldown::default();
        for _ in 0..50 {
            cooldown.failed(Failure::RateLimit, None, Millis(0));
        }
        assert_eq!(cooldown.until(), Millis(1000));
    }

    #[test]
    fn an_answer_does_not_end_a_pause_that_began_after_it_was_asked() {
        let mut cooldown = Cooldown::default();
        cooldown.failed(Failure::RateLimit, Some(Millis(500)), Millis(0));
        cooldown.succeeded();
        assert_eq!(cooldown.until(), Millis(500));
    }

    #[test]
    fn other_failures_cool_nothing() {
        for failure in Failure::ALL {
            let mut cooldown = Cooldown::default();
            cooldown.failed(failure, Some(Millis::secs(7)), Millis(0));
            let cools = matches!(failure, Failure::RateLimit | Failure::Overload);
            assert_eq!(cooldown != Cooldown::default(), cools, "{failure}");
        }
    }
}
