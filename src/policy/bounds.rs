//! What a planned chain can take at most: time and money (section 5.5, clarification 16.7).
//!
//! In: a planned hop, the request. Out: bounds. Must not know: how they are printed.

use super::checked::{Checked, Hedge, Hold, HopOptions, Retry};
use super::eligible;
use super::facts::Facts;
use super::plan::{PlannedHop, Run};
use crate::failure::Failure;
use crate::units::{Millis, Tokens, Usd};
use jiff::civil::Date;

/// Longest wait between two attempts on one hop.
const MAX_BACKOFF: Millis = Millis::secs(30);

/// The most time one attempt can take before it is released or has failed: for a stream that is released at its first word, which
/// alone has a `first_token`, until that word.
pub fn until_release(timeout: Millis, first_token: Option<Millis>, hold: Hold) -> Millis {
    match (hold, first_token) {
        (Hold::FirstToken, Some(first_token)) => first_token.min(timeout),
        _ => timeout,
    }
}

/// The same for a hop as it is written.
pub fn limit_of(options: &HopOptions, hold: Hold, streaming: bool) -> Millis {
    let timeout = if streaming { options.stream_timeout } else { options.timeout };
    until_release(timeout, streaming.then_some(options.first_token), hold)
}

/// The same for a hop that is planned.
pub fn limit(hop: &PlannedHop, hold: Hold, streaming: bool) -> Millis {
    until_release(hop.timeout, streaming.then_some(hop.first_token), hold)
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

/// What one answered request can be billed for besides the answer of its hop (clarification 16.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extra {
    /// Legs of a hedge that may run beside it.
    pub legs: usize,
    /// A call of the same hop that timed out may still run to its end.
    pub again: bool,
    /// A later hop may go on with a stream that broke.
    pub resumed: bool,
}

impl Extra {
    /// Of a hop with these options and so many hops behind it.
    pub fn of(hedge: Option<Hedge>, retry: Option<Retry>, resumes: bool, behind: usize) -> Self {
        Self {
            legs: hedge.map_or(0, |hedge| usize::from(hedge.legs)).min(behind),
            again: retry.is_some_and(|retry| retry.count > 0 && retry.on.contains(Failure::Timeout)),
            resumed: resumes && behind > 0,
        }
    }

    /// Whether one answer is all that is billed.
    pub const fn is_nothing(self) -> bool {
        self.legs == 0 && !self.again && !self.resumed
    }

    /// The most that all of it can cost: the hop's own answer, and those of the hops behind it, of which the dearest count. These
    /// are asked for only where one of them can be billed.
    pub fn bill<E>(self, own: Usd, behind: impl IntoIterator<Item = Result<Usd, E>>) -> Result<Usd, E> {
        let mut later: Vec<Usd> = Vec::new();
        if self.legs > 0 || self.resumed {
            later = behind.into_iter().collect::<Result<_, E>>()?;
            later.sort_unstable_by(|a, b| b.cmp(a));
        }
        let legs = later.iter().take(self.legs);
        let again = self.again.then_some(&own);
        let resumed = later.first().filter(|_| self.resumed);
        Ok(legs.chain(again).chain(resumed).fold(own, |sum, one| sum + *one))
    }
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
    fn an_attempt_ends_at_its_first_word_only_where_a_stream_is_released_by_it() {
        let (timeout, first) = (Millis::secs(30), Some(Millis::secs(10)));
        assert_eq!(until_release(timeout, first, Hold::FirstToken), Millis::secs(10));
        assert_eq!(until_release(Millis::secs(5), first, Hold::FirstToken), Millis::secs(5));
        assert_eq!(until_release(timeout, None, Hold::FirstToken), timeout);
        assert_eq!(until_release(timeout, first, Hold::Tokens(200)), timeout);
        assert_eq!(until_release(timeout, first, Hold::Complete), timeout);
    }

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
