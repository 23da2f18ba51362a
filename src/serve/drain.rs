//! The end of a process: no request that was accepted is lost.
//!
//! In: a signal, or a caller of [`super::Running::stop`]. Out: how it went. Must not know: what requests do.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::sidecar::Sidecar;
use super::tally::Kind;

/// Idle connections are given this long to send a request that is already on its way (see `app`), and a little more.
const LAST_CALL: Duration = Duration::from_millis(400);

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Every request got its whole answer.
    Clean,
    /// So many were still in work when the time was up, or when a second signal came.
    Cut(usize),
}

/// Stops accepting, then waits for the requests in work, for at most `limit` or until `hurry` completes.
pub async fn drain(
    sidecar: &Sidecar,
    stop: &watch::Sender<bool>,
    limit: Duration,
    hurry: impl Future<Output = ()>,
) -> Drained {
    let tally = &sidecar.tally;
    tally.drain();
    // Nobody listening any more would mean that accepting has already ended.
    let _ = stop.send(true);
    tracing::info!(in_flight = tally.now(Kind::Exchange), "draining");
    let finished = async {
        // A connection without a request ends by itself; one with a request ends with it.
        let _ = tokio::time::timeout(LAST_CALL, tally.none(Kind::Connection)).await;
        tally.none(Kind::Exchange).await;
    };
    tokio::select! {
        biased;
        () = finished => {}
        () = tokio::time::sleep(limit) => tracing::warn!("the time to finish is up"),
        () = hurry => tracing::warn!("told twice to end"),
    }
    match tally.now(Kind::Exchange) {
        0 => Drained::Clean,
        left => Drained::Cut(left),
    }
}

/// Signals that end a process.
pub struct Ending {
    terminate: Signal,
    interrupt: Signal,
}

impl Ending {
    /// From here on SIGTERM and SIGINT no longer end the process at once.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// The next of them.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
