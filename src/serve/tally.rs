//! How much is in work, with a limit on each kind.
//!
//! In: arrivals, and the bytes they bring. Out: guards that count down when dropped, or a refusal. Must not know: what the work
//! is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use tokio::sync::Notify;

use super::places::Places;
use crate::telemetry::Gauge;

/// Connections and exchanges of one process.
pub struct Tally {
    connections: Count,
    exchanges: Count,
    waiting: Count,
    /// For exchanges: their limit is kept here.
    places: Places,
    bytes: AtomicU64,
    most_bytes: AtomicU64,
    draining: AtomicBool,
    quiet: Notify,
}

struct Count {
    now: AtomicUsize,
    limit: AtomicUsize,
    shown: Option<Gauge>,
}

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An open connection from a caller.
    Connection,
    /// A request in work.
    Exchange,
    /// A request that waits for a place among those.
    Waiting,
}

/// Gauges that follow.
#[derive(Default)]
pub struct Shown {
    /// Open connections.
    pub connections: Option<Gauge>,
    /// Requests in work.
    pub exchanges: Option<Gauge>,
    /// Requests that wait.
    pub waiting: Option<Gauge>,
}

/// How many of each, and bytes of bodies.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    /// Open connections.
    pub connections: usize,
    /// Requests in work.
    pub exchanges: usize,
    /// Requests that wait.
    pub waiting: usize,
    /// Of all bodies together.
    pub bytes: u64,
}

/// One of them; dropping it counts down.
pub struct Entry {
    tally: Arc<Tally>,
    kind: Kind,
}

/// Bytes of one request's body; dropping it gives their room back.
pub struct Held {
    tally: Arc<Tally>,
    bytes: u64,
}

impl Tally {
    /// Nothing in work; the gauges follow, where there are any.
    pub fn new(shown: Shown) -> Self {
        let count = |shown| Count { now: AtomicUsize::new(0), limit: AtomicUsize::new(usize::MAX), shown };
        Self {
            connections: count(shown.connections),
            exchanges: count(shown.exchanges),
            waiting: count(shown.waiting),
            places: Places::new(),
            bytes: AtomicU64::new(0),
            most_bytes: AtomicU64::new(u64::MAX),
            draining: AtomicBool::new(false),
            quiet: Notify::new(),
        }
    }

    /// New limits, as configuration says them; what is over a lower one stays. One call at a time.
    pub fn limit(&self, most: Most) {
        self.connections.limit.store(most.connections, Ordering::Relaxed);
        self.places.resize(most.exchanges);
        self.waiting.limit.store(most.waiting, Ordering::Relaxed);
        self.most_bytes.store(most.bytes, Ordering::Relaxed);
    }

    /// No bytes yet.
    pub fn hold(self: &Arc<Self>) -> Held {
        Held { tally: Arc::clone(self), bytes: 0 }
    }

    /// Counts one more, unless that is one too many, or somebody waits for it.
    pub fn enter(self: &Arc<Self>, kind: Kind) -> Option<Entry> {
        let count = self.count(kind);
        let fits = match kind {
            Kind::Exchange => self.places.take(),
            Kind::Connection | Kind::Waiting => {
                count.now.fetch_add(1, Ordering::AcqRel) < count.limit.load(Ordering::Relaxed)
            }
        };
        match kind {
            Kind::Exchange if fits => {
                count.now.fetch_add(1, Ordering::AcqRel);
            }
            Kind::Connection | Kind::Waiting if !fits => {
                count.now.fetch_sub(1, Ordering::AcqRel);
            }
            _ => {}
        }
        fits.then(|| self.counted(kind))
    }

    /// Waits for a place among the exchanges, behind all who wait already.
    pub async fn enter_in_turn(self: &Arc<Self>) -> Entry {
        self.places.take_in_turn().await;
        self.exchanges.now.fetch_add(1, Ordering::AcqRel);
        self.counted(Kind::Exchange)
    }

    fn counted(self: &Arc<Self>, kind: Kind) -> Entry {
        self.count(kind).shown.iter().for_each(Gauge::inc);
        Entry { tally: Arc::clone(self), kind }
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
            Kind::Waiting => &self.waiting,
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let count = self.tally.count(self.kind);
        count.shown.iter().for_each(Gauge::dec);
        if self.kind == Kind::Exchange {
            self.tally.places.give_back();
        }
        if count.now.fetch_sub(1, Ordering::AcqRel) == 1 && self.tally.is_draining() {
            self.tally.quiet.notify_waiters();
        }
    }
}

impl Held {
    /// Takes room for more, unless there is none: then nothing changes.
    #[must_use]
    pub fn grow(&mut self, by: usize) -> bool {
        let by = by as u64;
        let before = self.tally.bytes.fetch_add(by, Ordering::AcqRel);
        let fits = before.saturating_add(by) <= self.tally.most_bytes.load(Ordering::Relaxed);
        if fits {
            self.bytes += by;
        } else {
            self.tally.bytes.fetch_sub(by, Ordering::AcqRel);
        }
        fits
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.tally.bytes.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally() -> Arc<Tally> {
        Arc::new(Tally::new(Shown::default()))
    }

    fn most(connections: usize, exchanges: usize, waiting: usize, bytes: u64) -> Most {
        Most { connections, exchanges, waiting, bytes }
    }

    #[test]
    fn the_limit_is_let_in_and_one_more_is_not() {
        let tally = tally();
        tally.limit(most(1, 2, 1, u64::MAX));
        let one = tally.enter(Kind::Exchange).unwrap();
        let _two = tally.enter(Kind::Exchange).unwrap();
        assert!(tally.enter(Kind::Exchange).is_none());
        drop(one);
        assert!(tally.enter(Kind::Exchange).is_some());
        assert_eq!(tally.now(Kind::Exchange), 1);
        for kind in [Kind::Connection, Kind::Waiting] {
            let _one = tally.enter(kind).unwrap();
            assert!(tally.enter(kind).is_none());
            assert_eq!(tally.now(kind), 1);
        }
    }

    #[tokio::test]
    async fn a_place_that_is_waited_for_is_nobody_elses() {
        let tally = tally();
        tally.limit(most(9, 1, 9, 0));
        let one = tally.enter(Kind::Exchange).unwrap();
        let theirs = Arc::clone(&tally);
        let waiting = tokio::spawn(async move { theirs.enter_in_turn().await });
        tokio::task::yield_now().await;
        drop(one);
        assert!(tally.enter(Kind::Exchange).is_none());
        let two = waiting.await.unwrap();
        assert_eq!(tally.now(Kind::Exchange), 1);
        drop(two);
        assert!(tally.enter(Kind::Exchange).is_some());
    }

    #[test]
    fn all_bodies_together_take_their_room_and_not_a_byte_more() {
        let tally = tally();
        tally.limit(most(9, 9, 9, 100));
        let (mut one, mut two) = (tally.hold(), tally.hold());
        assert!(one.grow(60) && two.grow(40) && !two.grow(1) && !one.grow(1));
        drop(one);
        assert!(two.grow(60) && !two.grow(1));
        drop(two);
        assert!(tally.hold().grow(100) && !tally.hold().grow(101));
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
