//! What all requests of the process know about a snapshot: whether it asked for a pause, whether its breaker is open.
//!
//! In: how attempts ended, with the time since the process started. Out: whether a snapshot is to be left alone. Must not know:
//! chains, clocks, providers.
//!
//! A [`Health`] outlives policies and configurations: a reload must not send everybody back to a provider that is down.
//!
//! There is one for each snapshot and region (language specification, section 5.8). A row of `providers:` has one address, and so one
//! region: a provider that is called in two regions is two rows, whose snapshots a policy names apart. A row that moves to another
//! address is somewhere else, too: what the old place did is not held against the new one.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use serde::Serialize;

use super::latency::Latencies;
use crate::chain::breaker::{Breaker, Ended, Pass, Turned};
use crate::chain::cooldown::Cooldown;
use crate::config::BreakerSettings;
use crate::failure::Failure;
use crate::names::ModelRef;
use crate::units::Millis;

/// A snapshot, and where it is called.
type Called = (ModelRef, Box<str>);

/// Every snapshot that a policy in force names, where it is called, and those that are still worth remembering.
#[derive(Debug, Default)]
pub struct Healths {
    known: Mutex<HashMap<Called, Arc<Health>>>,
}

/// One snapshot's at one place.
#[derive(Debug, Default)]
pub struct Health {
    inner: Mutex<Inner>,
    /// The later end of its pauses. Whoever plans a chain looks at this and takes no lock.
    shut_until: AtomicU64,
}

#[derive(Debug, Default)]
struct Inner {
    breaker: Breaker,
    cooldown: Cooldown,
    latencies: Latencies,
}

impl Inner {
    /// The end of its pause, as far as that is not the breaker's to say.
    fn rests_until(&self) -> Millis {
        if self.breaker.is_open() { self.cooldown.asked_until() } else { self.cooldown.until() }
    }
}

/// Why a snapshot is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shut {
    /// It asked for a pause.
    CoolingDown,
    /// Its breaker is open.
    BreakerOpen,
}

impl Healths {
    /// Of one snapshot, at the address where its provider is called.
    pub fn of(&self, snapshot: &ModelRef, place: &str) -> Arc<Health> {
        Arc::clone(self.known.lock().entry((snapshot.clone(), place.into())).or_default())
    }

    /// Forgets snapshots that no policy in force names and that are not being left alone.
    pub fn forget_unused(&self, now: Millis) {
        self.known.lock().retain(|_, health| Arc::strong_count(health) > 1 || health.shut(now).is_some());
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.known.lock().len()
    }
}

impl Health {
    /// Whether the snapshot is to be left alone at `now`, and why.
    pub fn shut(&self, now: Millis) -> Option<Shut> {
        if self.shut_until.load(Ordering::Relaxed) <= now.0 {
            return None;
        }
        let inner = self.inner.lock();
        if now < inner.breaker.shut_until() {
            Some(Shut::BreakerOpen)
        } else {
            (now < inner.rests_until()).then_some(Shut::CoolingDown)
        }
    }

    /// Whether its breaker is open or probed.
    pub fn is_open(&self) -> bool {
        self.inner.lock().breaker.shut_until() > Millis(0)
    }

    /// An attempt is to start: `None` when its breaker is open. `forced`: there is nothing else to try.
    pub fn begin(&self, now: Millis, forced: bool) -> Option<Pass> {
        self.change(|inner| inner.breaker.begin(now, forced))
    }

    /// How long it takes, nineteen times of twenty; `None` while nobody knows.
    pub fn p95(&self, now: Millis) -> Option<Millis> {
        self.inner.lock().latencies.p95(now)
    }

    /// It was answered; for a stream, its first content is here. `took` is how long that was, where it is measured.
    pub fn answered(
        &self,
        pass: Pass,
        took: Option<Millis>,
        now: Millis,
        settings: &BreakerSettings,
    ) -> Option<Turned> {
        self.change(|inner| {
            took.into_iter().for_each(|took| inner.latencies.took(took, now));
            inner.cooldown.succeeded();
            let turned = inner.breaker.end(pass, Ended::Answered, now, settings);
            if turned == Some(Turned::Closed) {
                inner.cooldown.well();
            }
            turned
        })
    }

    /// It failed; `retry_after` is what the upstream asked to wait, `took` how long it was waited for, where that is measured.
    pub fn failed(
        &self,
        pass: Pass,
        (failure, retry_after): (Failure, Option<Millis>),
        took: Option<Millis>,
        now: Millis,
        settings: &BreakerSettings,
    ) -> Option<Turned> {
        self.change(|inner| {
            // A timeout counts as its limit; other failures say nothing about how long an answer takes.
            let took = took.filter(|_| failure == Failure::Timeout);
            took.into_iter().for_each(|took| inner.latencies.took(took, now));
            inner.cooldown.failed(failure, retry_after, now);
            inner.breaker.end(pass, Ended::Failed(failure), now, settings)
        })
    }

    /// Nobody waits for it any more.
    pub fn canceled(&self, pass: Pass, now: Millis, settings: &BreakerSettings) {
        self.change(|inner| inner.breaker.end(pass, Ended::Canceled, now, settings));
    }

    /// A stream whose answer had begun broke off.
    pub fn cut(&self, failure: Failure, now: Millis, settings: &BreakerSettings) -> Option<Turned> {
        self.change(|inner| inner.breaker.cut(failure, now, settings))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        let mut inner = self.inner.lock();
        let told = change(&mut inner);
        let until = inner.breaker.shut_until().max(inner.rests_until());
        self.shut_until.store(until.0, Ordering::Relaxed);
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1000);

    fn settings() -> BreakerSettings {
        BreakerSettings::default()
    }

    #[test]
    fn a_pause_and_an_open_breaker_shut_for_their_own_time() {
        let health = Health::default();
        assert_eq!(health.shut(NOW), None);
        let pass = health.begin(NOW, false).unwrap();
        assert_eq!(health.failed(pass, (Failure::RateLimit, Some(Millis::secs(50))), None, NOW, &settings()), None);
        assert_eq!(health.shut(NOW), Some(Shut::CoolingDown));
        let pass = health.begin(NOW, false).unwrap();
        assert!(health.failed(pass, (Failure::Auth, None), None, NOW, &settings()).is_some());
        assert_eq!(health.shut(NOW), Some(Shut::BreakerOpen));
        assert_eq!(health.shut(NOW + Millis::secs(30)), Some(Shut::CoolingDown));
        assert_eq!(health.shut(NOW + Millis::secs(50)), None);
    }

    proptest::proptest! {
        /// However a provider says that it is overloaded, and however short the breaker's pauses are: once the breaker is open,
        /// only what was asked for by Retry-After outlasts it, and a probe that is answered ends every pause that was not.
        #[test]
        fn a_guessed_pause_never_outlasts_an_open_breaker(
            pause in 1_u64..40_000, attempts in 1_u32..20,
            steps in proptest::collection::vec((0_u64..20_000, proptest::option::weighted(0.2, 0_u64..70_000), 0_u8..8), 1..200)
        ) {
            let pause = Millis(pause);
            let settings = BreakerSettings { pause, longest_pause: pause, attempts, ..settings() };
            let (health, mut now, mut asked) = (Health::default(), NOW, Millis(0));
            for (wait, retry_after, kind) in steps {
                now += Millis(wait);
                if let Some(shut) = health.shut(now) {
                    let breaker = health.inner.lock().breaker.shut_until();
                    let open = health.inner.lock().breaker.is_open();
                    proptest::prop_assert!(!open || now < breaker.max(asked), "{shut:?} for longer than was asked");
                    continue;
                }
                let Some(pass) = health.begin(now, false) else { continue };
                if kind == 0 {
                    let turned = health.answered(pass, None, now, &settings);
                    proptest::prop_assert!(turned.is_none() || health.shut(now).is_none(), "it was found well");
                } else {
                    let failure = if kind == 1 { Failure::RateLimit } else { Failure::Overload };
                    let retry_after = retry_after.map(Millis);
                    let turned = health.failed(pass, (failure, retry_after), None, now, &settings);
                    asked = asked.max(retry_after.map_or(Millis(0), |asked| now + asked.min(Millis::secs(60))));
                    if let Some(Turned::Opened(pause)) = turned {
                        let end = (now + pause).max(asked);
                        proptest::prop_assert_eq!(health.shut(end), None, "the probe is due");
                    }
                }
            }
        }
    }

    #[test]
    fn the_last_word_of_a_replaced_policy_is_kept_as_long_as_it_matters() {
        let healths = Healths::default();
        let (used, sick, left) = (ModelRef::new("a", "used"), ModelRef::new("a", "sick"), ModelRef::new("a", "left"));
        let held = healths.of(&used, "here");
        let pass = healths.of(&sick, "here").begin(NOW, false).unwrap();
        healths.of(&sick, "here").failed(pass, (Failure::Auth, None), None, NOW, &settings());
        healths.of(&left, "here");
        assert_eq!(healths.len(), 3);
        healths.forget_unused(NOW);
        assert_eq!(healths.len(), 2);
        assert_eq!(healths.of(&sick, "here").shut(NOW), Some(Shut::BreakerOpen));
        healths.forget_unused(NOW + Millis::secs(30));
        assert_eq!(healths.len(), 1);
        assert!(Arc::ptr_eq(&held, &healths.of(&used, "here")));
    }

    #[test]
    fn a_region_that_is_down_says_nothing_about_another() {
        let healths = Healths::default();
        let (snapshot, eu, us) = (ModelRef::new("a", "one"), "https://eu.example/v1", "https://us.example/v1");
        let (held, there) = (healths.of(&snapshot, eu), healths.of(&snapshot, us));
        assert!(!Arc::ptr_eq(&held, &there) && Arc::ptr_eq(&held, &healths.of(&snapshot, eu)));
    }
}
