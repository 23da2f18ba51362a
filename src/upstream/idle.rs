//! HTTP/1 connections that wait for their next call.
//!
//! In: connections whose last answer was read to its end. Out: one that is still open, the one that was used last first. Must not
//! know: HTTP, who is at the other end.
//!
//! pingora's pool gives every idle connection a task that waits for its end, and taking the connection out means to wake that
//! task and to wait until it lets go. Here nobody waits: a connection is looked at when it is taken, and now and then by
//! [`Idle::sweep`].

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use parking_lot::Mutex;
use pingora::protocols::Stream;
use tokio::io::AsyncReadExt;

/// How long an idle connection is kept; shorter than the idle limits of the large providers' load balancers.
pub(super) const KEPT: Duration = Duration::from_secs(50);
/// How often connections that ended meanwhile are let go.
pub(super) const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// Connections of one pool, by the key of whom they lead to; the longest idle first.
pub(super) struct Idle {
    limit: usize,
    waiting: Mutex<VecDeque<Waiting>>,
}

struct Waiting {
    key: u64,
    stream: Stream,
    since: Instant,
}

impl Idle {
    /// Keeps up to `limit` connections, whomever they lead to.
    pub fn new(limit: usize) -> Self {
        Self { limit, waiting: Mutex::default() }
    }

    /// A connection that is open, as far as one can know.
    pub fn take(&self, key: u64) -> Option<Stream> {
        loop {
            let mut found = {
                let mut waiting = self.waiting.lock();
                let at = waiting.iter().rposition(|one| one.key == key)?;
                waiting.remove(at)?
            };
            if found.is_open(Instant::now()) {
                return Some(found.stream);
            }
        }
    }

    /// Keeps a connection for its next call; in a full pool, in the place of the longest idle one.
    pub fn keep(&self, key: u64, stream: Stream) {
        let one = Waiting { key, stream, since: Instant::now() };
        let mut waiting = self.waiting.lock();
        let closes = if waiting.len() >= self.limit { waiting.pop_front() } else { None };
        if self.limit > 0 {
            waiting.push_back(one);
        }
        drop(waiting);
        // Closing is a system call, and nobody should wait for it under the lock.
        drop(closes);
    }

    /// Lets go of connections that have ended or have waited too long.
    pub fn sweep(&self, now: Instant) {
        let mut ended = Vec::new();
        let mut waiting = self.waiting.lock();
        for mut one in std::mem::take(&mut *waiting) {
            if one.is_open(now) {
                waiting.push_back(one);
            } else {
                ended.push(one);
            }
        }
        drop(waiting);
        drop(ended);
    }

    /// How many connections wait.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.waiting.lock().len()
    }
}

impl Waiting {
    /// Whatever can be read from an idle connection is its end, or nothing that was asked for.
    fn is_open(&mut self, now: Instant) -> bool {
        let mut first = [0; 1];
        // Outside tokio's budget, whose end would look like an open connection.
        now.saturating_duration_since(self.since) <= KEPT
            && tokio::task::unconstrained(self.stream.read(&mut first)).now_or_never().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::DuplexStream;

    /// One end is kept in the pool, the other by the test.
    fn pair() -> (Stream, DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(64);
        (Box::new(ours), theirs)
    }

    #[tokio::test]
    async fn the_connection_that_was_used_last_is_taken_first_and_only_by_its_key() {
        let idle = Idle::new(4);
        let (one, mut far_one) = pair();
        let (two, mut far_two) = pair();
        idle.keep(1, one);
        idle.keep(1, two);
        assert!(idle.take(2).is_none());
        let mut seen = [0; 1];
        for far in [&mut far_two, &mut far_one] {
            let mut stream = idle.take(1).unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut stream, b"x").await.unwrap();
            far.read_exact(&mut seen).await.unwrap();
        }
        assert!(idle.take(1).is_none());
    }

    #[tokio::test]
    async fn an_ended_connection_and_one_that_speaks_unasked_are_not_taken() {
        let idle = Idle::new(4);
        let (ended, far) = pair();
        idle.keep(1, ended);
        drop(far);
        let (chatty, mut far) = pair();
        tokio::io::AsyncWriteExt::write_all(&mut far, b"HTTP/1.1 408 Request Timeout").await.unwrap();
        idle.keep(1, chatty);
        assert!(idle.take(1).is_none());
        assert_eq!(idle.len(), 0);
    }

    #[tokio::test]
    async fn a_sweep_lets_go_of_what_ended_or_waited_too_long() {
        let idle = Idle::new(4);
        let (open, _far) = pair();
        let (ended, far) = pair();
        idle.keep(1, open);
        idle.keep(1, ended);
        drop(far);
        idle.sweep(Instant::now());
        assert_eq!(idle.len(), 1);
        idle.sweep(Instant::now() + KEPT + Duration::from_millis(1));
        assert_eq!(idle.len(), 0);
    }

    #[tokio::test]
    async fn the_limit_is_kept_by_closing_the_longest_idle() {
        let idle = Idle::new(2);
        let mut fars = Vec::new();
        for key in [1, 2, 3] {
            let (near, far) = pair();
            idle.keep(key, near);
            fars.push(far);
        }
        assert_eq!(idle.len(), 2);
        assert!(idle.take(1).is_none() && idle.take(2).is_some() && idle.take(3).is_some());
        let none = Idle::new(0);
        none.keep(1, pair().0);
        assert_eq!(none.len(), 0);
    }
}
