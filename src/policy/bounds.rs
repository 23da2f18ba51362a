//! What a planned chain can take at most: time and money (section 5.5, clarification 16.7).
//!
//! In: a planned hop, the request. Out: bounds. Must not know: how they are printed.

use super::checked::{Checked, Hold, Retry};
use super::eligible;
use super::facts::Facts;
use super::plan::{PlannedHop, Run};
use crate::units::{Millis, Tokens, Usd};
use jiff::civil::Date;

/// Longest wait between two attempts on one hop.
const MAX_BACKOFF: Millis = Millis::secs(30);

/// The most time one attempt at a hop can take before it is released or has failed.
pub fn limit(hop: &PlannedHop, hold: Hold, streaming: bool) -> Millis {
    if streaming && hold == Hold::FirstToken { hop.first_token.min(hop.timeout) } else { hop.timeout }
}

/// Waits between the attempts of a retry, with the least lucky jitter.
pub fn backoffs(retry: Retry) -> Millis {
    let nth = |n: u32| Millis(retry.backoff.0.saturating_mul(1u64.checked_shl(n).unwrap_or(u64::MAX))).min(MAX_BACKOFF);
    // From the eighth on every wait is the longest one, whatever the base: no need to count to a million.
    let head: u64 = (0..retry.count.min(64)).map(|n| nth(n).0).sum();
    Millis(head) + Millis(u64::from(retry.count.saturating_sub(64)).saturating_mul(MAX_BACKOFF.0))
}

/// The most time every hop can take, in order: its attempts and the waits between them.
pub fn worst_times(run: &Run, streaming: bool) -> impl Iterator<Item = Millis> + '_ {
    run.hops.iter().map(move |hop| {
        let limit = limit(hop, run.hold, streaming);
        Millis(limit.0.saturating_mul(u64::from(hop.retry.count) + 1)) + backoffs(hop.retry)
    })
}

/// The most time the chain would take if nothing bounded the whole.
pub fn worst_time(run: &Run, streaming: bool) -> Millis {
    worst_times(run, streaming).fold(Millis(0), |sum, one| sum + one)
}

/// The most one answer of a hop can cost.
pub fn worst_cost(checked: &Checked, hop: &PlannedHop, facts: &Facts, prompt: Tokens, today: Date) -> Option<Usd> {
    let entry = checked.snapshots[hop.snapshot.index()].facts.as_deref()?;
    let answer = eligible::longest_answer(entry, eligible::cap(hop.max_output, facts.max_tokens))?;
    entry.worst_cost(prompt, answer, today)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::FailureSet;

    #[test]
    fn waits_double_up_to_the_longest_and_never_overflow() {
        let retry = |count, backoff| Retry { count, on: FailureSet::RETRIES, backoff: Millis(backoff) };
        assert_eq!(backoffs(Retry::DEFAULT), Millis(250));
        assert_eq!(backoffs(retry(3, 1000)), Millis::secs(7));
        assert_eq!(backoffs(retry(2, 20_000)), Millis::secs(50));
        assert_eq!(backoffs(Retry::NONE), Millis(0));
        assert!(backoffs(retry(u32::MAX, u64::MAX)) > Millis::secs(30));
    }
}
