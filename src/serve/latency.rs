//! How long snapshots take: what `hedge after p95` waits for (section 4.4).
//!
//! In: attempts that were answered or timed out, with the time since the process started. Out: the 95th percentile of the last five
//! minutes, if there were enough. Must not know: hops.
//!
//! Only snapshots that a policy asks about are measured.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use super::sidecar::InForce;
use crate::policy::checked::{Metric, MetricId, MetricOf, Observed};
use crate::policy::readings::Standing;
use crate::units::Millis;

/// Attempts older than this do not count.
const WINDOW: Millis = Millis::secs(300);
/// With fewer, nobody knows.
const LEAST: usize = 30;
/// With more in the window, the latest count: ten thousand bytes a snapshot tell a percentile well enough.
const MOST: usize = 1280;
/// A percentile is computed anew after so long.
const REFRESH: Millis = Millis(1000);

/// How long the last attempts at one snapshot took.
#[derive(Debug, Default)]
pub struct Latencies {
    /// When it ended, in seconds, and milliseconds; the oldest first.
    last: VecDeque<(u32, u32)>,
}

impl Latencies {
    /// One more.
    pub fn took(&mut self, took: Millis, now: Millis) {
        if self.last.len() == MOST {
            self.last.pop_front();
        }
        self.last.push_back((seconds(now), u32::try_from(took.0).unwrap_or(u32::MAX)));
    }

    /// What nineteen of twenty do not exceed.
    pub fn p95(&self, now: Millis) -> Option<Millis> {
        let oldest = seconds(now - WINDOW);
        let lately = self.last.iter().filter(|(ended, _)| *ended >= oldest || now < WINDOW);
        let mut all: Vec<u32> = lately.map(|(_, took)| *took).collect();
        if all.len() < LEAST {
            return None;
        }
        let at = (all.len() * 95).div_ceil(100) - 1;
        let (_, p95, _) = all.select_nth_unstable(at);
        Some(Millis(u64::from(*p95)))
    }
}

fn seconds(now: Millis) -> u32 {
    u32::try_from(now.0 / 1000).unwrap_or(u32::MAX)
}

/// What was measured, as readings: computed by the first request that asks in a while, shared by the others.
#[derive(Default)]
pub struct Measured {
    last: Mutex<Option<(Millis, Arc<Standing>)>>,
}

impl Measured {
    /// For a policy in force; `None` when it asks about nothing.
    pub fn standing(&self, now: &InForce, uptime: Millis) -> Option<Arc<Standing>> {
        let metrics = &now.policy.checked().moving.metrics;
        if metrics.is_empty() {
            return None;
        }
        let mut last = self.last.lock();
        if let Some((at, standing)) = &*last
            && uptime < *at + REFRESH
        {
            return Some(Arc::clone(standing));
        }
        let mut standing = Standing::default();
        for (at, metric) in metrics.iter().enumerate() {
            if let Metric { observed: Observed::P95, of: MetricOf::Snapshot(id) } = metric {
                let p95 = now.health(*id).p95(uptime).map(|p95| p95.0);
                standing.set_metric(MetricId(at as u16), p95);
            }
        }
        let standing = Arc::new(standing);
        *last = Some((uptime, Arc::clone(&standing)));
        Some(standing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(took: impl IntoIterator<Item = u64>, at: u64) -> Latencies {
        let mut latencies = Latencies::default();
        took.into_iter().for_each(|took| latencies.took(Millis(took), Millis(at)));
        latencies
    }

    #[test]
    fn thirty_are_enough_and_one_less_is_not() {
        assert_eq!(of(1..=29, 0).p95(Millis(0)), None);
        assert_eq!(of(1..=30, 0).p95(Millis(0)), Some(Millis(29)));
        assert_eq!(of((1..=100).rev(), 0).p95(Millis(0)), Some(Millis(95)));
    }

    #[test]
    fn what_is_five_minutes_old_counts_and_what_is_older_does_not() {
        let latencies = of(1..=30, 10_000);
        assert_eq!(latencies.p95(Millis(310_000)), Some(Millis(29)));
        assert_eq!(latencies.p95(Millis(311_000)), None);
    }

    #[test]
    fn the_latest_are_kept_and_no_more_than_the_most() {
        let mut latencies = of(std::iter::repeat_n(1, MOST), 0);
        assert_eq!(latencies.last.len(), MOST);
        std::iter::repeat_n(9, MOST / 10).for_each(|took| latencies.took(Millis(took), Millis(0)));
        assert_eq!((latencies.last.len(), latencies.p95(Millis(0))), (MOST, Some(Millis(9))));
    }
}
