//! An outage of a minute on a virtual clock, with the breaker's usual settings: who is asked meanwhile, and when it is over.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

use wayside::chain::breaker::{Breaker, Ended};
use wayside::config::BreakerSettings;
use wayside::failure::Failure;
use wayside::units::Millis;

/// Twenty requests a second.
const EVERY: usize = 50;
const MINUTE: u64 = 60_000;

/// What a provider saw of an outage, in milliseconds and attempts.
struct Seen {
    /// From its beginning until it was left alone.
    opened_after: u64,
    /// While it was left alone.
    probes: usize,
    /// From its end until it was used again.
    back_after: u64,
}

/// Requests came for `before` milliseconds and were answered; then nothing is for a minute. What fails at once is retried once.
fn outage(begins: u64, before: u64) -> Seen {
    let (mut breaker, settings) = (Breaker::default(), BreakerSettings::default());
    let down = begins..begins + MINUTE;
    let (mut opened_after, mut probes) = (None, 0);
    for at in (begins - before..begins + 10 * MINUTE).step_by(EVERY) {
        for attempt in [at, at + 100] {
            let now = Millis(attempt);
            let left_alone = breaker.shut_until() > Millis(0);
            if now < breaker.shut_until() {
                break;
            }
            let Some(pass) = breaker.begin(now, false) else { break };
            if down.contains(&attempt) {
                probes += usize::from(left_alone);
                breaker.end(pass, Ended::Failed(Failure::ServerError), now, &settings);
                if breaker.shut_until() > Millis(0) {
                    opened_after.get_or_insert(attempt - down.start);
                }
                continue;
            }
            breaker.end(pass, Ended::Answered, now, &settings);
            if attempt >= down.end {
                let opened_after = opened_after.expect("it was left alone");
                return Seen { opened_after, probes, back_after: attempt - down.end };
            }
            break;
        }
    }
    panic!("never used again");
}

#[test]
fn a_minute_of_outage_sees_a_handful_of_probes_and_is_over_within_thirty_seconds() {
    // The more went well before, the longer it takes until over half of the last thirty seconds did not.
    for (before, opens_within) in [(0, 1_000), (1_000, 2_000), (5_000, 5_000), (30_000, 15_000), (300_000, 15_000)] {
        for begins in (600_000..601_000).step_by(37) {
            let seen = outage(begins, before);
            assert!(seen.opened_after <= opens_within, "open after {} ms", seen.opened_after);
            assert!((1..=3).contains(&seen.probes), "{} probes", seen.probes);
            assert!(seen.back_after <= 30_000, "back after {} ms, with {before} ms before it", seen.back_after);
        }
    }
}
