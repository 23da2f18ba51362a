//! Snapshots that asked for a pause, shared by all requests of the process (section 5.4).
//!
//! In: failures and successes by snapshot, with the time since the process started. Out: whether a snapshot is cooling down.
//! Must not know: chains, clocks.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustc_hash::FxBuildHasher;

use crate::failure::Failure;
use crate::names::ModelRef;
use crate::units::Millis;

/// No Retry-After cools longer than this for others.
pub const LONGEST_ASKED: Millis = Millis::secs(60);
/// Without Retry-After: the first pause …
pub const FIRST_PAUSE: Millis = Millis::secs(1);
/// … doubling to this.
pub const LONGEST_PAUSE: Millis = Millis::secs(30);
/// Snapshots remembered. A policy names tens; more can only be leftovers of replaced policies.
pub const MAX_SNAPSHOTS: usize = 1024;

#[derive(Clone, Copy, Debug)]
struct Pause {
    until: Millis,
    /// The next pause without Retry-After.
    next: Millis,
}

/// Pauses by snapshot.
#[derive(Debug, Default)]
pub struct Cooldowns {
    pauses: Mutex<HashMap<ModelRef, Pause, FxBuildHasher>>,
    /// The latest end of any pause: nothing is locked or looked up after it.
    latest: AtomicU64,
}

impl Cooldowns {
    /// Whether the snapshot is to be left alone at `now`.
    pub fn is_cooling(&self, snapshot: &ModelRef, now: Millis) -> bool {
        now.0 < self.latest.load(Ordering::Relaxed)
            && self.pauses().get(snapshot).is_some_and(|pause| now < pause.until)
    }

    /// An attempt failed. Only `rate_limit` and `overload` ask for a pause. Attempts that were already under way when one
    /// began do not double it.
    pub fn failed(&self, snapshot: &ModelRef, failure: Failure, retry_after: Option<Millis>, now: Millis) {
        if !matches!(failure, Failure::RateLimit | Failure::Overload) {
            return;
        }
        let mut pauses = self.pauses();
        if pauses.len() >= MAX_SNAPSHOTS && !pauses.contains_key(snapshot) {
            make_room(&mut pauses, now);
        }
        let pause = pauses.entry(snapshot.clone()).or_insert(Pause { until: Millis(0), next: FIRST_PAUSE });
        if let Some(asked) = retry_after {
            pause.until = pause.until.max(now + asked.min(LONGEST_ASKED));
        } else if now >= pause.until {
            pause.until = now + pause.next;
            pause.next = Millis(pause.next.0 * 2).min(LONGEST_PAUSE);
        }
        self.latest.fetch_max(pause.until.0, Ordering::Relaxed);
    }

    /// An attempt was answered: the next pause begins anew at the shortest. One that is still running goes on, since the
    /// answer may belong to an attempt from before it.
    pub fn succeeded(&self, snapshot: &ModelRef, now: Millis) {
        if self.latest.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut pauses = self.pauses();
        match pauses.get_mut(snapshot) {
            Some(pause) if now < pause.until => pause.next = FIRST_PAUSE,
            Some(_) => drop(pauses.remove(snapshot)),
            None => {}
        }
    }

    /// How many snapshots are remembered.
    pub fn len(&self) -> usize {
        self.pauses().len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A panic while the lock was held leaves no half-written pause, so a poisoned lock is still good.
    fn pauses(&self) -> MutexGuard<'_, HashMap<ModelRef, Pause, FxBuildHasher>> {
        self.pauses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets what is over, or, if nothing is, what is over soonest.
fn make_room(pauses: &mut HashMap<ModelRef, Pause, FxBuildHasher>, now: Millis) {
    pauses.retain(|_, pause| now < pause.until);
    if pauses.len() < MAX_SNAPSHOTS {
        return;
    }
    let soonest = pauses.iter().min_by_key(|(_, pause)| pause.until).map(|(snapshot, _)| snapshot.clone());
    if let Some(snapshot) = soonest {
        pauses.remove(&snapshot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(name: &str) -> ModelRef {
        ModelRef::new("openai", name)
    }

    /// Milliseconds from `now` until the snapshot is free again.
    fn pause(cooldowns: &Cooldowns, snapshot: &ModelRef, now: u64) -> u64 {
        (0..100_000).find(|wait| !cooldowns.is_cooling(snapshot, Millis(now + wait))).unwrap()
    }

    #[test]
    fn retry_after_cools_for_others_but_at_most_a_minute() {
        let (cooldowns, m) = (Cooldowns::default(), model("m"));
        cooldowns.failed(&m, Failure::RateLimit, Some(Millis::secs(7)), Millis(1000));
        assert_eq!(pause(&cooldowns, &m, 1000), 7000);
        cooldowns.failed(&m, Failure::RateLimit, Some(Millis::secs(61)), Millis(1000));
        assert_eq!(pause(&cooldowns, &m, 1000), 60_000);
        assert!(!cooldowns.is_cooling(&model("other"), Millis(1000)));
    }

    #[test]
    fn without_retry_after_pauses_double_to_thirty_seconds_until_a_success() {
        let (cooldowns, m) = (Cooldowns::default(), model("m"));
        let mut now = 0;
        for wanted in [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000] {
            cooldowns.failed(&m, Failure::Overload, None, Millis(now));
            assert_eq!(pause(&cooldowns, &m, now), wanted);
            now += wanted;
        }
        cooldowns.succeeded(&m, Millis(now));
        cooldowns.failed(&m, Failure::Overload, None, Millis(now));
        assert_eq!(pause(&cooldowns, &m, now), 1000);
    }

    #[test]
    fn many_failures_at_once_are_one_pause() {
        let (cooldowns, m) = (Cooldowns::default(), model("m"));
        for _ in 0..50 {
            cooldowns.failed(&m, Failure::RateLimit, None, Millis(0));
        }
        assert_eq!(pause(&cooldowns, &m, 0), 1000);
    }

    #[test]
    fn an_answer_does_not_end_a_pause_that_began_after_it_was_asked() {
        let (cooldowns, m) = (Cooldowns::default(), model("m"));
        cooldowns.failed(&m, Failure::RateLimit, Some(Millis(500)), Millis(0));
        cooldowns.succeeded(&m, Millis(1));
        assert!(cooldowns.is_cooling(&m, Millis(499)));
        cooldowns.succeeded(&m, Millis(500));
        assert!(cooldowns.is_empty());
    }

    #[test]
    fn other_failures_cool_nothing() {
        let (cooldowns, m) = (Cooldowns::default(), model("m"));
        cooldowns.failed(&m, Failure::ServerError, Some(Millis::secs(7)), Millis(0));
        assert!(!cooldowns.is_cooling(&m, Millis(0)) && cooldowns.is_empty());
    }

    #[test]
    fn snapshots_are_remembered_to_the_limit_and_not_one_more() {
        let cooldowns = Cooldowns::default();
        for n in 0..=MAX_SNAPSHOTS {
            let asked = Some(Millis(1000 + n as u64));
            cooldowns.failed(&model(&n.to_string()), Failure::RateLimit, asked, Millis(0));
        }
        assert_eq!(cooldowns.len(), MAX_SNAPSHOTS);
        assert!(!cooldowns.is_cooling(&model("0"), Millis(0)), "what is over soonest is forgotten");
        assert!(cooldowns.is_cooling(&model("1"), Millis(0)));
        cooldowns.failed(&model("late"), Failure::RateLimit, Some(Millis(9)), Millis::secs(50));
        assert_eq!(cooldowns.len(), 1, "what is over is forgotten first");
    }
}
