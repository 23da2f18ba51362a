//! Two limits on a stream: how long nothing may come, and how long all of it may take.
//!
//! In: a gap, an end, and the word that something came. Out: which limit was passed. Must not know: what came.
//!
//! A stream has a hundred events, and a timer for each gap would be set and taken back a hundred times. Here one timer is set to
//! the nearest limit, and looks again when it fires.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// The limits of one stream.
pub struct Silence {
    timer: Pin<Box<Sleep>>,
    gap: Duration,
    heard: Instant,
    until: Instant,
}

impl Silence {
    /// From now on, no silence longer than `gap`, and nothing after `until`.
    pub fn new(gap: Duration, until: Instant) -> Self {
        let heard = Instant::now();
        Self { timer: Box::pin(sleep_until((heard + gap).min(until))), gap, heard, until }
    }

    /// Something came.
    pub fn heard(&mut self) {
        self.heard = Instant::now();
    }

    /// Another end, no earlier than the one before.
    pub fn extend(&mut self, until: Instant) {
        self.until = until;
    }

    /// Completes when a limit is passed. Dropping the future changes nothing.
    pub async fn over(&mut self) {
        loop {
            let limit = (self.heard + self.gap).min(self.until);
            if limit <= Instant::now() {
                return;
            }
            if self.timer.deadline() < limit && self.timer.is_elapsed() {
                self.timer.as_mut().reset(limit);
            }
            self.timer.as_mut().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: Duration = Duration::from_secs(10);

    /// Milliseconds until a limit is passed, when something comes at each of these times.
    async fn passed(until: u64, heard: &[u64]) -> u128 {
        let begun = Instant::now();
        let mut silence = Silence::new(GAP, begun + Duration::from_millis(until));
        for at in heard {
            let at = begun + Duration::from_millis(*at);
            tokio::select! {
                biased;
                () = silence.over() => return begun.elapsed().as_millis(),
                () = sleep_until(at) => silence.heard(),
            }
        }
        silence.over().await;
        begun.elapsed().as_millis()
    }

    #[tokio::test(start_paused = true)]
    async fn the_nearer_limit_ends_the_wait() {
        assert_eq!(passed(60_000, &[]).await, 10_000);
        assert_eq!(passed(60_000, &[9_000, 18_000]).await, 28_000);
        assert_eq!(passed(60_000, &[9_000, 20_000]).await, 19_000);
        let often: Vec<u64> = (1..100).map(|n| n * 1000).collect();
        assert_eq!(passed(25_000, &often).await, 25_000);
        assert_eq!(passed(3_000, &[]).await, 3_000);
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_can_be_moved_on() {
        let begun = Instant::now();
        let mut silence = Silence::new(GAP, begun + Duration::from_secs(1));
        silence.extend(begun + Duration::from_secs(30));
        silence.over().await;
        assert_eq!(begun.elapsed(), GAP);
    }
}
