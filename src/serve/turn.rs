//! A request's way to a place among those in work: at once, or after a wait in line.
//!
//! In: a [`Tally`] with places and a line before them. Out: a place, or what to tell the caller. Must not know: what a request asks
//! for.
//!
//! Who waits has its body read meanwhile, as far as the room for bodies goes: only then can the end of its connection be seen.

use std::sync::Arc;
use std::time::Duration;

use pingora::protocols::http::ServerSession;

use super::caller::client_gone;
use super::intake::NoBody;
use super::reply::Problem;
use super::tally::{Entry, Kind, Tally};

/// One request's. Dropping it leaves the place or the line.
pub struct Turn {
    tally: Arc<Tally>,
    entry: Entry,
    waits: bool,
}

impl Turn {
    /// A place if one is free, else a stand in the line if that is not full.
    pub fn take(tally: &Arc<Tally>) -> Option<Self> {
        let of = |entry, waits| Self { tally: Arc::clone(tally), entry, waits };
        match tally.enter(Kind::Exchange) {
            Some(place) => Some(of(place, false)),
            None => tally.enter(Kind::Waiting).map(|stand| of(stand, true)),
        }
    }

    /// Completes when this has a place: for most, at once. The request's body must have been read to its end.
    pub async fn come(&mut self, session: &mut ServerSession, patience: Duration) -> Result<(), NoBody> {
        if !self.waits {
            return Ok(());
        }
        let place = tokio::select! {
            biased;
            place = self.tally.enter_in_turn() => place,
            () = client_gone(session) => return Err(NoBody::ClientGone),
            () = tokio::time::sleep(patience) => return Err(NoBody::Problem(waited_too_long())),
        };
        // The stand goes after the place has come, so that whoever looks sees one of them.
        (self.entry, self.waits) = (place, false);
        Ok(())
    }
}

/// There is no place and no stand in the line.
pub fn line_is_full() -> Problem {
    Problem::busy("too_many_requests_in_work", "This sidecar has too many requests in work; try again.").unread()
}

fn waited_too_long() -> Problem {
    Problem::busy(
        "waited_too_long",
        "This sidecar has too many requests in work, and none of them ended in time (`limits.wait_timeout` in wayside.yaml); try \
         again.",
    )
}
