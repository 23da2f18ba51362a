//! Attempts beside each other (section 5.7): the first that has something for the caller wins, the others are canceled.
//!
//! In: an attempt whose hop is hedged. Out: what was found, or the word that the chain goes on. Must not know: when another attempt
//! is due, what a failure leads to; those are the chain's.
//!
//! Everything here is on the heap and made for a hop that is hedged; a request without one comes by none of it. Dropping an
//! attempt closes its connection, or resets its stream of a shared one.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use pingora::protocols::http::ServerSession;

use super::ask::Told;
use super::attempt::{Spent, Tried};
use super::caller::{Caller, Turn};
use super::leave::Leave;
use super::walk::{Errand, Found, Leg, Walk, Words, try_hop};

type Trying<'t> = Pin<Box<dyn Future<Output = Tried> + Send + 't>>;

/// An attempt in flight.
struct Flight<'a, 't> {
    leg: Leg<'a>,
    trying: Trying<'t>,
    /// Tokens of content so far.
    progress: Arc<AtomicU64>,
}

/// What happens next.
enum Event {
    /// This one ended.
    Ended(usize, Tried),
    /// The caller needs something.
    Turn(Turn),
    /// Another is due.
    Due,
}

/// Runs an attempt and those beside it until one delivers, or none is left.
pub async fn race<'a: 't, 't>(
    walk: &mut Walk<'a>,
    session: &mut ServerSession,
    told: &'t Told,
    first: Leg<'a>,
    words: &mut Vec<Words>,
) -> Option<Found> {
    let mut flights = vec![Flight::begin(walk, told, first)];
    loop {
        let due = walk.chain.hedge_at().map(|due| tokio::time::Instant::from_std(walk.admitted + due.duration()));
        let mut caller = Caller::Here { session, alive: &mut walk.alive };
        let event = tokio::select! {
            biased;
            (at, tried) = first_of(&mut flights) => Event::Ended(at, tried),
            turn = caller.turns() => Event::Turn(turn),
            () = sleep_until(due) => Event::Due,
        };
        match event {
            Event::Ended(at, tried) => {
                let Flight { leg, .. } = flights.remove(at);
                let found = walk.land(leg, tried, words);
                if found.is_some() || walk.chain.in_flight() == 0 {
                    flights.into_iter().for_each(|flight| flight.give_up(walk));
                    return found;
                }
            }
            Event::Turn(turn) => {
                if !caller.answered(turn).await {
                    flights.into_iter().for_each(|flight| flight.give_up(walk));
                    return Some(walk.gone());
                }
            }
            Event::Due => flights.extend(beside(walk, told).map(|leg| Flight::begin(walk, told, leg))),
        }
    }
}

/// The next hop that may be tried beside those in flight.
fn beside<'a>(walk: &mut Walk<'a>, told: &Told) -> Option<Leg<'a>> {
    loop {
        let elapsed = walk.elapsed();
        let start = walk.chain.hedge(elapsed)?;
        if let Some(leg) = walk.begin(told, start, Leave::beside) {
            return Some(leg);
        }
    }
}

impl<'a: 't, 't> Flight<'a, 't> {
    fn begin(walk: &Walk<'a>, told: &'t Told, mut leg: Leg<'a>) -> Self {
        let progress = Arc::new(AtomicU64::new(0));
        let (shared, hop, start) = (Arc::clone(&progress), leg.hop.clone(), leg.start);
        let (sidecar, now, run) = (walk.sidecar, walk.now, walk.chain.run());
        let (request_id, prepared) = (walk.request_id, leg.prepared.take());
        let (hold, on_cut) = (run.hold, run.on_cut);
        let trying = Box::pin(async move {
            // What takes up a broken answer is never hedged, so nothing was seen of another.
            let errand = Errand { sidecar, now, request_id, told, hold, on_cut, seen: None, progress: &shared };
            try_hop(&errand, &mut Caller::Elsewhere, (&hop, start), prepared.as_deref()).await
        });
        Self { leg, trying, progress }
    }

    /// Nobody waits for it any more; what it has used is paid for.
    fn give_up(self, walk: &mut Walk<'_>) {
        walk.spent(self.leg.row, Spent::Begun(self.progress.load(Ordering::Relaxed)));
    }
}

async fn first_of(flights: &mut [Flight<'_, '_>]) -> (usize, Tried) {
    std::future::poll_fn(|context| {
        for (at, flight) in flights.iter_mut().enumerate() {
            if let Poll::Ready(tried) = flight.trying.as_mut().poll(context) {
                return Poll::Ready((at, tried));
            }
        }
        Poll::Pending
    })
    .await
}

async fn sleep_until(due: Option<tokio::time::Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
