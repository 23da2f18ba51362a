//! Leaving alone a snapshot that does not work (section 5.8).
//!
//! In: how attempts ended, with the time since the process started. Out: whether another may start. Must not know: chains, clocks,
//! who shares it.
//!
//! ```text
//! closed --- over half of enough attempts failed, or the account or the model is gone ---> open
//!   ^                                                                                      |   ^
//!   |                                                                            its pause |   | the probe failed:
//!   '------ the probe was answered ------ probing <------ an attempt starts ----- is over -'   | twice the pause
//!                                            '-------------------------------------------------'
//! ```
//!
//! The first probe that fails leaves the pause as it is, and each one behind it doubles it. So the end of an outage of a minute, which
//! is what most are, is noticed within one pause, and one of hours is asked about every five minutes.

use serde::Serialize;

use crate::config::{BreakerSettings, MAX_WINDOW};
use crate::failure::{Failure, FailureSet};
use crate::units::Millis;

/// Failures that say something about the provider's health.
const SICK: FailureSet =
    FailureSet::EMPTY.with(Failure::ServerError).with(Failure::Timeout).with(Failure::Network).with(Failure::Overload);
/// Failures that the next attempt meets as surely.
const GONE: FailureSet = FailureSet::EMPTY.with(Failure::Auth).with(Failure::QuotaExhausted).with(Failure::ModelGone);

/// How an attempt ended, as far as its provider's health goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was answered; for a stream, its first content was here.
    Answered,
    /// It failed.
    Failed(Failure),
    /// Nobody waited for it any more.
    Canceled,
}

/// The leave to start one attempt; what became of it is told with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass(Kind);

impl Pass {
    /// It finds out whether the breaker can close.
    pub fn is_probe(self) -> bool {
        self.0 == Kind::Probe
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Usual,
    Probe,
    /// Nothing else could be tried.
    Forced,
}

/// A breaker turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Turned {
    /// For so long.
    Opened(Millis),
    /// It works again.
    Closed,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    Open {
        until: Millis,
        pause: Pause,
    },
    Probing {
        pause: Pause,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pause {
    length: Millis,
    /// A probe has failed since it opened.
    probed: bool,
}

/// The breaker of one snapshot.
#[derive(Debug, Default)]
pub struct Breaker {
    state: State,
    window: Window,
}

impl Breaker {
    /// Before this time no attempt starts; [`Millis::MAX`] while a probe is on its way.
    pub fn shut_until(&self) -> Millis {
        match self.state {
            State::Closed => Millis(0),
            State::Open { until, .. } => until,
            State::Probing { .. } => Millis::MAX,
        }
    }

    /// It has its say: open, or on probe.
    pub fn is_open(&self) -> bool {
        self.state != State::Closed
    }

    /// An attempt is to start. `forced`: there is nothing else to try.
    pub fn begin(&mut self, now: Millis, forced: bool) -> Option<Pass> {
        match self.state {
            State::Closed => Some(Pass(Kind::Usual)),
            State::Open { until, pause } if until <= now => {
                self.state = State::Probing { pause };
                Some(Pass(Kind::Probe))
            }
            State::Open { .. } | State::Probing { .. } => forced.then_some(Pass(Kind::Forced)),
        }
    }

    /// It ended, or a stream's answer began.
    pub fn end(&mut self, Pass(kind): Pass, ended: Ended, now: Millis, settings: &BreakerSettings) -> Option<Turned> {
        match (self.state, kind, ended) {
            (State::Closed, _, Ended::Canceled) => None,
            (State::Closed, _, Ended::Answered) => {
                self.window.count(now, 1, 0);
                None
            }
            (State::Closed, _, Ended::Failed(failure)) => {
                self.window.count(now, 1, u32::from(SICK.contains(failure)));
                self.judge(failure, now, settings)
            }
            // Who began before the breaker opened tells nothing about the time after.
            (State::Open { .. } | State::Probing { .. }, Kind::Usual, _) => None,
            (_, Kind::Probe | Kind::Forced, Ended::Answered) => Some(self.close()),
            (State::Probing { pause }, Kind::Probe, Ended::Failed(failure)) if tells(failure) => {
                let Pause { length, probed } = pause;
                let length = if probed { Millis(length.0 * 2).min(settings.longest_pause) } else { length };
                Some(self.open(Pause { length, probed: true }, now))
            }
            // An answer all the same, if only one that says no.
            (State::Probing { .. }, Kind::Probe, Ended::Failed(_)) => Some(self.close()),
            (State::Probing { pause }, Kind::Probe, Ended::Canceled) => {
                self.state = State::Open { until: now, pause };
                None
            }
            (State::Open { .. } | State::Probing { .. }, Kind::Forced, _) | (State::Open { .. }, Kind::Probe, _) => {
                None
            }
        }
    }

    /// A stream whose answer had begun broke off. As an attempt it was counted before.
    pub fn cut(&mut self, failure: Failure, now: Millis, settings: &BreakerSettings) -> Option<Turned> {
        if self.state != State::Closed {
            return None;
        }
        self.window.count(now, 0, u32::from(SICK.contains(failure)));
        self.judge(failure, now, settings)
    }

    fn judge(&mut self, failure: Failure, now: Millis, settings: &BreakerSettings) -> Option<Turned> {
        let (ended, failed) = self.window.sums(now, settings.window);
        let sick = ended >= settings.attempts && failed * 100 > ended * settings.percent;
        let pause = Pause { length: settings.pause, probed: false };
        (sick || GONE.contains(failure)).then(|| self.open(pause, now))
    }

    fn open(&mut self, pause: Pause, now: Millis) -> Turned {
        self.state = State::Open { until: now + pause.length, pause };
        self.window = Window::default();
        Turned::Opened(pause.length)
    }

    fn close(&mut self) -> Turned {
        *self = Self::default();
        Turned::Closed
    }
}

/// Whether a probe that failed like this found the provider as sick as before.
fn tells(failure: Failure) -> bool {
    SICK.contains(failure) || GONE.contains(failure) || failure == Failure::RateLimit
}

const SLOTS: usize = (MAX_WINDOW.0 / SLOT.0) as usize + 1;
const SLOT: Millis = Millis::secs(1);

/// What ended in each of the last seconds. Made with the first count, so that a healthy start costs nothing.
#[derive(Debug, Default)]
struct Window {
    slots: Option<Box<[Slot; SLOTS]>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    second: u64,
    ended: u32,
    failed: u32,
}

impl Window {
    fn count(&mut self, now: Millis, ended: u32, failed: u32) {
        let second = now.0 / SLOT.0;
        let slots = self.slots.get_or_insert_with(|| Box::new([Slot::default(); SLOTS]));
        let slot = &mut slots[(second % SLOTS as u64) as usize];
        if slot.second != second {
            *slot = Slot { second, ..Slot::default() };
        }
        slot.ended = slot.ended.saturating_add(ended);
        slot.failed = slot.failed.saturating_add(failed);
    }

    fn sums(&self, now: Millis, window: Millis) -> (u32, u32) {
        let second = now.0 / SLOT.0;
        let oldest = (second + 1).saturating_sub(window.0.div_ceil(SLOT.0));
        let lately = self.slots.iter().flat_map(|slots| slots.iter());
        let lately = lately.filter(|slot| (oldest..=second).contains(&slot.second));
        lately.fold((0_u32, 0_u32), |(ended, failed), slot| {
            (ended.saturating_add(slot.ended), failed.saturating_add(slot.failed))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: BreakerSettings = BreakerSettings {
        window: Millis::secs(30),
        attempts: 20,
        percent: 50,
        pause: Millis::secs(30),
        longest_pause: Millis::secs(300),
    };

    fn at(breaker: &mut Breaker, now: u64, ended: Ended) -> Option<Turned> {
        let pass = breaker.begin(Millis(now), false)?;
        breaker.end(pass, ended, Millis(now), &SETTINGS)
    }

    const FAILED: Ended = Ended::Failed(Failure::ServerError);

    #[test]
    fn over_half_of_twenty_within_the_window_open_it_and_half_of_them_do_not() {
        let mut breaker = Breaker::default();
        for n in 0..10 {
            assert_eq!(at(&mut breaker, n, Ended::Answered), None);
            assert_eq!(at(&mut breaker, n, FAILED), None);
        }
        assert_eq!(breaker.shut_until(), Millis(0), "ten of twenty are not over half");
        assert_eq!(at(&mut breaker, 11, FAILED), Some(Turned::Opened(Millis::secs(30))));
        assert_eq!(breaker.shut_until(), Millis(30_011));
        assert_eq!(breaker.begin(Millis(30_010), false), None);
    }

    #[test]
    fn nineteen_failures_are_too_few_and_old_ones_do_not_count() {
        let mut breaker = Breaker::default();
        for n in 0..19 {
            assert_eq!(at(&mut breaker, n, FAILED), None, "{n}");
        }
        assert_eq!(at(&mut breaker, 30_000, FAILED), None, "the nineteen are out of the window");
        for n in 0..18 {
            assert_eq!(at(&mut breaker, 30_000 + n, FAILED), None, "{n}");
        }
        assert_eq!(at(&mut breaker, 30_100, FAILED), Some(Turned::Opened(Millis::secs(30))));
    }

    #[test]
    fn what_is_gone_opens_it_at_once_and_what_the_caller_did_never_does() {
        for failure in Failure::ALL {
            let mut breaker = Breaker::default();
            let turned = at(&mut breaker, 0, Ended::Failed(failure));
            assert_eq!(turned.is_some(), GONE.contains(failure), "{failure}");
            if !SICK.contains(failure) && turned.is_none() {
                for n in 0..100 {
                    assert_eq!(at(&mut breaker, n, Ended::Failed(failure)), None, "{failure}");
                }
            }
        }
    }

    #[test]
    fn one_probe_at_a_time_keeps_the_pause_once_then_doubles_it_or_closes() {
        let mut breaker = Breaker::default();
        let mut now = 0;
        assert_eq!(at(&mut breaker, now, Ended::Failed(Failure::Auth)), Some(Turned::Opened(Millis::secs(30))));
        for (pause, next) in [(30, 30), (30, 60), (60, 120), (120, 240), (240, 300), (300, 300)] {
            now += pause * 1000;
            assert_eq!(breaker.begin(Millis(now - 1), false), None);
            let probe = breaker.begin(Millis(now), false).unwrap();
            assert_eq!(breaker.begin(Millis(now), false), None, "a second one waits for the first");
            let next = Turned::Opened(Millis::secs(next));
            assert_eq!(breaker.end(probe, FAILED, Millis(now), &SETTINGS), Some(next));
        }
        now += 300_000;
        assert_eq!(at(&mut breaker, now, Ended::Answered), Some(Turned::Closed));
        assert_eq!(breaker.begin(Millis(now), false), Some(Pass(Kind::Usual)));
    }

    #[test]
    fn a_probe_that_nobody_waits_for_leaves_its_place_to_the_next() {
        let mut breaker = Breaker::default();
        at(&mut breaker, 0, Ended::Failed(Failure::Auth));
        let probe = breaker.begin(Millis(30_000), false).unwrap();
        assert_eq!(breaker.end(probe, Ended::Canceled, Millis(30_500), &SETTINGS), None);
        assert_eq!(breaker.begin(Millis(30_500), false), Some(Pass(Kind::Probe)));
    }

    #[test]
    fn attempts_from_before_it_opened_change_nothing_and_a_forced_answer_closes_it() {
        let mut breaker = Breaker::default();
        let early = breaker.begin(Millis(0), false).unwrap();
        at(&mut breaker, 1, Ended::Failed(Failure::Auth));
        assert_eq!(breaker.end(early, Ended::Answered, Millis(2), &SETTINGS), None);
        let forced = breaker.begin(Millis(3), true).unwrap();
        assert_eq!(breaker.end(forced, FAILED, Millis(4), &SETTINGS), None);
        assert_eq!(breaker.shut_until(), Millis(30_001), "its pause is as it was");
        let forced = breaker.begin(Millis(5), true).unwrap();
        assert_eq!(breaker.end(forced, Ended::Answered, Millis(6), &SETTINGS), Some(Turned::Closed));
    }

    #[test]
    fn a_stream_that_breaks_after_its_answer_began_is_one_failed_attempt() {
        let mut breaker = Breaker::default();
        let mut turned = None;
        for n in 0..20 {
            assert_eq!(turned, None, "{n}");
            at(&mut breaker, n, Ended::Answered);
            turned = breaker.cut(Failure::Network, Millis(n), &SETTINGS);
        }
        assert_eq!(turned, Some(Turned::Opened(Millis::secs(30))));
    }

    proptest::proptest! {
        /// Whatever happens in whatever order, at most one probe runs, a pause is within its bounds, and once nobody fails
        /// any more the breaker closes within the longest pause.
        #[test]
        fn probes_are_rare_and_recovery_is_certain(steps in proptest::collection::vec((0_u64..40_000, 0_usize..13, proptest::bool::ANY), 1..200)) {
            let (mut breaker, mut now) = (Breaker::default(), 0);
            let mut probe: Option<Pass> = None;
            for (wait, failure, answer) in steps {
                now += wait;
                let ended = if answer { Ended::Answered } else { Ended::Failed(Failure::ALL[failure]) };
                if let Some(pass) = breaker.begin(Millis(now), false) {
                    if pass.0 == Kind::Probe {
                        proptest::prop_assert!(probe.is_none());
                        probe = Some(pass);
                        continue;
                    }
                    breaker.end(pass, ended, Millis(now), &SETTINGS);
                } else if let Some(pass) = probe.take() {
                    breaker.end(pass, ended, Millis(now), &SETTINGS);
                }
                if let State::Open { until, pause } = breaker.state {
                    proptest::prop_assert!((SETTINGS.pause..=SETTINGS.longest_pause).contains(&pause.length));
                    proptest::prop_assert!(until.0 <= now + pause.length.0);
                }
            }
            if let Some(pass) = probe.take() {
                breaker.end(pass, Ended::Canceled, Millis(now), &SETTINGS);
            }
            at(&mut breaker, now + SETTINGS.longest_pause.0, Ended::Answered);
            proptest::prop_assert_eq!(breaker.shut_until(), Millis(0));
        }
    }
}
