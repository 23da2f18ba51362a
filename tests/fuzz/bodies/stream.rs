//! One stream, read in pieces: what a caller gets of it.
//!
//! In: the bytes of an upstream's stream, cut anywhere. Out: [`Stream`]. Shared by the transcripts and the fuzz bodies, which both
//! hold that the cuts change nothing.

use bytes::Bytes;
use wayside::dialect::Dialect;
use wayside::dialect::caller_error::CallerError;
use wayside::dialect::canonical::Reply;
use wayside::dialect::chat::stream::Verdict;
use wayside::dialect::follow::Follow;
use wayside::dialect::sse::{Event, Framer};
use wayside::failure::Failure;
use wayside::usage::Usage;

/// Longest piece of a split: some are longer than an event and some shorter than a character.
const MAX_PIECE: usize = 200;

/// What came of one reading of a stream.
#[derive(Debug, Default, PartialEq)]
pub struct Stream {
    pub out: Vec<u8>,
    pub usage: Option<Usage>,
    pub malformed: u32,
}

impl Stream {
    /// Reads what `upstream` sends as lines for a caller of another dialect, or of the same.
    #[allow(dead_code, reason = "the transcripts know other framings, too")]
    pub fn run(upstream: Dialect, caller: Dialect, reply: &Reply<'_>, pieces: &[&[u8]]) -> Self {
        let mut framer = Framer::default();
        let mut events = Vec::new();
        for piece in pieces {
            framer.push(Bytes::copy_from_slice(piece));
            while let Some(event) = framer.next_event().unwrap() {
                events.push(event);
            }
        }
        events.extend(framer.finish());
        Self::follow(upstream, caller, reply, events)
    }

    /// The same of events that were told apart already.
    pub fn follow(upstream: Dialect, caller: Dialect, reply: &Reply<'_>, events: Vec<Event>) -> Self {
        let mut follow = Follow::new(upstream, caller, 1, reply);
        let mut stream = Self::default();
        let mut broken = None;
        for event in events.into_iter().filter(|event| event.data().is_some()) {
            let heard = follow.event(event);
            match heard.verdict {
                Verdict::Malformed => stream.malformed += 1,
                Verdict::Failed(error) => {
                    broken = Some(error.failure);
                    break;
                }
                _ => stream.out.extend_from_slice(&heard.bytes),
            }
        }
        match broken.or_else(|| (!follow.complete()).then_some(Failure::Network)) {
            Some(failure) => stream.out.extend_from_slice(CallerError::cut(failure).event(caller).as_bytes()),
            None => stream.out.extend_from_slice(&follow.closing()),
        }
        stream.usage = follow.usage();
        stream
    }
}

/// The same bytes in pieces, which differ from seed to seed.
pub fn split(body: &[u8], seed: u64) -> Vec<&[u8]> {
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut pieces, mut rest) = (Vec::new(), body);
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(random.usize(1..=rest.len().min(MAX_PIECE)));
        pieces.push(piece);
        rest = after;
    }
    pieces
}
