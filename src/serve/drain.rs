//! The end of a process: no request that was accepted is lost.
//!
//! In: a signal, or a caller of [`super::Running::stop`]. Out: how it went. Must not know: what requests do.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::sidecar::Sidecar;
use super::tally::Kind;

/// Listeners take in whoever is already connected before they end (see `listen`); nobody is counted before that.
const SETTLE: Duration = Duration::from_millis(50);
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
        tokio::time::sleep(SETTLE).await;
        // A connection without a request ends by itself; one with a request ends with it.
        let _ = tokio::time::timeout(LAST_CALL, tally.none(Kind::Connection)).await;
        // Who waits is served like everybody else.
        tally.none(Kind::Waiting).await;
        tally.none(Kind::Exchange).await;
    };
    tokio::select! {
        biased;
        () = finished => {}
        () = tokio::time::sleep(limit) => tracing::warn!("the time to finish is up"),
        () = hurry => tracing::warn!("told twice to end"),
    }
    match tally.now(Kind::Exchange) + tally.now(Kind::Waiting) {
        0 => Drained::Clean,
        left => Drained::Cut(left),
    }
}

/// What operators and orchestrators say to a process.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

/// What was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// SIGTERM or SIGINT.
    End,
    /// SIGHUP.
    Reload,
}

impl Signals {
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    pub(super) async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::End,
            _ = self.interrupt.recv() => Told::End,
            _ = self.hangup.recv() => Told::Reload,
        }
    }
}
