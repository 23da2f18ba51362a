//! How much is in work, with a limit on each kind.
//!
//! In: arrivals. Out: guards that count down when dropped, or a refusal. Must not know: what the work is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

use crate::telemetry::Gauge;

/// Connections and exchanges of one process.
pub struct Tally {
    connections: Count,
    exchanges: Count,
    draining: AtomicBool,
    quiet: Notify,
}

struct Count {
    now: AtomicUsize,
    limit: AtomicUsize,
    shown: Option<Gauge>,
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An open connection from a caller.
    Connection,
    /// A request in work.
    Exchange,
}

/// One of them; dropping it counts down.
pub struct Entry {
    tally: Arc<Tally>,
    kind: Kind,
}

impl Tally {
    /// Nothing in work; the gauges follow, where there are any.
    pub fn new(connections: Option<Gauge>, exchanges: Option<Gauge>) -> Self {
        let count = |shown| Count { now: AtomicUsize::new(0), limit: AtomicUsize::new(usize::MAX), shown };
        Self {
            connections: count(connections),
            exchanges: count(exchanges),
            draining: AtomicBool::new(false),
            quiet: Notify::new(),
        }
    }

    /// New limits, as configuration says them; what is over a lower one stays.
    pub fn limit(&self, connections: usize, exchanges: usize) {
        self.connections.limit.store(connections, Ordering::Relaxed);
        self.exchanges.limit.store(exchanges, Ordering::Relaxed);
    }

    /// Counts one more, unless that is one too many.
    pub fn enter(self: &Arc<Self>, kind: Kind) -> Option<Entry> {
        let count = self.count(kind);
        if count.now.fetch_add(1, Ordering::AcqRel) >= count.limit.load(Ordering::Relaxed) {
            count.now.fetch_sub(1, Ordering::AcqRel);
            return None;
        }
        count.shown.iter().for_each(Gauge::inc);
        Some(Entry { tally: Arc::clone(self), kind })
    }

    /// How many there are.
    pub fn now(&self, kind: Kind) -> usize {
        self.count(kind).now.load(Ordering::Acquire)
    }

    /// From here on connections are told to close.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Whether the process is on its way out.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Waits until nothing of this kind is left.
    pub async fn none(&self, kind: Kind) {
        loop {
            let quiet = self.quiet.notified();
            if self.now(kind) == 0 {
                return;
            }
            quiet.await;
        }
    }

    fn count(&self, kind: Kind) -> &Count {
        match kind {
            Kind::Connection => &self.connections,
            Kind::Exchange => &self.exchanges,
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let count = self.tally.count(self.kind);
        count.shown.iter().for_each(Gauge::dec);
        if count.now.fetch_sub(1, Ordering::AcqRel) == 1 && self.tally.is_draining() {
            self.tally.quiet.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally() -> Arc<Tally> {
        Arc::new(Tally::new(None, None))
    }

    #[test]
    fn the_limit_is_let_in_and_one_more_is_not() {
        let tally = tally();
        tally.limit(9, 2);
        let one = tally.enter(Kind::Exchange).unwrap();
        let _two = tally.enter(Kind::Exchange).unwrap();
        assert!(tally.enter(Kind::Exchange).is_none());
        drop(one);
        assert!(tally.enter(Kind::Exchange).is_some());
        assert!(tally.enter(Kind::Connection).is_some());
    }

    #[tokio::test]
    async fn draining_waits_for_the_last_one() {
        let tally = tally();
        let entry = tally.enter(Kind::Exchange).unwrap();
        tally.drain();
        let theirs = Arc::clone(&tally);
        let waiting = tokio::spawn(async move { theirs.none(Kind::Exchange).await });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(entry);
        waiting.await.unwrap();
    }
}
