//! A stream through the readers of the proxy, in any pieces.

use bytes::Bytes;

use wayside::dialect::canonical::Reply;
use wayside::dialect::chat::output::Output;
use wayside::dialect::chat::stream::Verdict;
use wayside::dialect::follow::Follow;
use wayside::dialect::framing::Framer;
use wayside::dialect::sse::Event;
use wayside::dialect::upstream_error::UpstreamError;
use wayside::dialect::{Dialect, event_stream};
use wayside::failure::Failure;

use super::PIN;

/// What stands around an answer in another dialect.
pub const REPLY: Reply<'_> = Reply { id: "matrix", model: PIN, created: 1, include_usage: false, echo: None };

/// What was heard by the end of one event.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// With the piece that ended it.
    pub piece: usize,
    pub verdict: Verdict,
    /// Content so far.
    pub tokens: u64,
    /// Bytes of text so far.
    pub text: usize,
    /// Another model answers.
    pub drifted: bool,
    /// The answer is whole, if the body ends cleanly here.
    pub complete: bool,
    /// The terminal event has come.
    pub ended: bool,
}

/// A stream to its end, or to where it is of no further use.
pub struct Heard {
    pub told: Vec<Told>,
    /// A clean end of the body is a whole answer.
    pub complete: bool,
    /// What it said.
    pub output: Output,
    /// What went to the caller.
    pub sent: Vec<u8>,
    /// What ends it for the caller, if it is whole.
    pub closing: Bytes,
}

fn framer(dialect: Dialect) -> Framer {
    let media_type = if dialect == Dialect::Converse { event_stream::MEDIA_TYPE } else { "text/event-stream" };
    Framer::of(media_type, dialect).unwrap()
}

/// Who follows a stream.
struct Ear {
    framer: Framer,
    follow: Follow,
    told: Vec<Told>,
    sent: Vec<u8>,
    over: bool,
}

impl Ear {
    /// Takes what is complete, up to the end or to what is of no further use.
    fn drain(&mut self, piece: usize) {
        while !self.over {
            match self.framer.next_event() {
                Ok(None) => return,
                Ok(Some(event)) => self.event(event, piece),
                Err(_) => self.broken(piece),
            }
        }
    }

    fn event(&mut self, event: Event, piece: usize) {
        let heard = self.follow.event(event);
        // What is not JSON is not passed on, and what ends a stream is its closing.
        if !matches!(heard.verdict, Verdict::Malformed | Verdict::Failed(_) | Verdict::Done) {
            self.sent.extend_from_slice(&heard.bytes);
        }
        self.tell(heard.verdict, piece);
    }

    fn broken(&mut self, piece: usize) {
        self.tell(Verdict::Failed(Box::new(UpstreamError::bare(Failure::Network, ""))), piece);
    }

    fn tell(&mut self, verdict: Verdict, piece: usize) {
        let follow = &self.follow;
        let text = follow.output().and_then(|output| output.choices.first()).map_or(0, |choice| choice.text.len());
        let ended = follow.ended();
        self.over = ended || matches!(verdict, Verdict::Failed(_));
        let drifted = follow.model().is_some_and(|model| model != PIN);
        let (tokens, complete) = (follow.content_tokens(), follow.complete());
        self.told.push(Told { piece, verdict, tokens, text, drifted, complete, ended });
    }
}

/// Follows a stream that arrives in these chunks, each of them with the piece that it belongs to. `clean`: its body then ends.
pub fn hear<'c>(
    (upstream, caller): (Dialect, Dialect),
    chunks: impl IntoIterator<Item = (usize, &'c [u8])>,
    clean: bool,
) -> Heard {
    let (framer, mut follow) = (framer(upstream), Follow::new(upstream, caller, 1, &REPLY));
    follow.put_together();
    // What a caller sees who sees it from the beginning.
    follow.put_off_the_end();
    let mut ear = Ear { framer, follow, told: Vec::new(), sent: Vec::new(), over: false };
    let mut last = 0;
    for (piece, chunk) in chunks {
        last = piece;
        ear.framer.push(Bytes::copy_from_slice(chunk));
        ear.drain(piece);
    }
    if clean && !ear.over {
        match ear.framer.finish() {
            Ok(None) => {}
            Ok(Some(event)) => ear.event(event, last),
            Err(_) => ear.broken(last),
        }
    }
    let Ear { mut follow, told, sent, .. } = ear;
    let failed = told.last().is_some_and(|told| matches!(told.verdict, Verdict::Failed(_)));
    let complete = !failed && follow.complete();
    let closing = if complete { follow.closing() } else { Bytes::new() };
    Heard { complete, closing, output: follow.take_output().unwrap_or_default(), told, sent }
}

/// The pieces as they are.
pub fn as_sent(pieces: &[Vec<u8>]) -> impl Iterator<Item = (usize, &[u8])> {
    pieces.iter().enumerate().map(|(at, piece)| (at, &**piece))
}

/// Seeded ways to cut a stream.
const SPLITS: u64 = 32;
/// Longest chunk of such a cut.
const LONGEST: usize = 80;

/// Holds a stream to saying the same in all chunkings: as it was sent, at once, byte by byte, and at seeded splits.
pub fn every_chunking(name: &str, tongues: (Dialect, Dialect), pieces: &[Vec<u8>], clean: bool) -> Heard {
    let sent = hear(tongues, as_sent(pieces), clean);
    let body = pieces.concat();
    let check = |how: &str, chunks: Vec<&[u8]>| {
        let other = hear(tongues, chunks.into_iter().map(|chunk| (0, chunk)), clean);
        let bare = |told: &[Told]| told.iter().map(|told| Told { piece: 0, ..told.clone() }).collect::<Vec<_>>();
        assert_eq!(bare(&other.told), bare(&sent.told), "{name}, {tongues:?}, {how}");
        assert_eq!((&other.sent, &other.closing), (&sent.sent, &sent.closing), "{name}, {tongues:?}, {how}");
        assert_eq!((&other.output, other.complete), (&sent.output, sent.complete), "{name}, {tongues:?}, {how}");
    };
    check("at once", vec![&body]);
    check("byte by byte", body.chunks(1).collect());
    for seed in 0..SPLITS {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut chunks, mut rest) = (Vec::new(), &body[..]);
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(random.usize(1..=rest.len().min(LONGEST)));
            chunks.push(chunk);
            rest = after;
        }
        check(&format!("seed {seed}"), chunks);
    }
    sent
}
