//! Taking an event of a stream and translating it uses memory again: a counting allocator watches it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

mod counting;
#[path = "wire/framing.rs"]
mod framing;

use std::hint::black_box;

use bytes::Bytes;
use counting::allocations;
use wayside::dialect::Dialect;
use wayside::dialect::canonical::{Delta, Reply};
use wayside::dialect::follow::Follow;
use wayside::dialect::translate::StreamWriter;
use wayside::json::Quoted;

const REPLY: Reply<'_> = Reply { id: "1", model: "a-model", created: 1, include_usage: true, echo: None };
/// Events that are watched.
const WATCHED: usize = 1000;
/// Before them: what grows once has grown.
const BEFORE: usize = 50;
/// In all: a caller of Responses gets the whole text once more at the end, so it is kept, in memory that doubles.
const GROWTH: u64 = 20;

/// In all, of events in frames: they are cut off the same memory as what is taken apart to make them, so that now and then one of
/// the two is still needed when it is full.
#[cfg(feature = "serve")]
const NOW_AND_THEN: u64 = 50;

/// A stream of text, or of one call's arguments, that has not ended.
fn stream(upstream: Dialect, piece: &Delta<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    if upstream == Dialect::Converse {
        for _ in 0..BEFORE + WATCHED {
            let event =
                "event: contentBlockDelta\ndata: {\"contentBlockIndex\":0,\"delta\":{\"text\":\" token\\n\"}}\n\n";
            out.extend_from_slice(event.as_bytes());
        }
        return out;
    }
    let mut writer = StreamWriter::new(upstream, &REPLY);
    writer.write(&Delta::Start { id: None, model: None }, &mut out);
    if matches!(piece, Delta::Arguments { .. }) {
        writer.write(&Delta::Call { index: 0, id: Quoted::of("call_1"), name: Quoted::of("f") }, &mut out);
    }
    for _ in 0..BEFORE + WATCHED {
        writer.write(piece, &mut out);
    }
    out
}

fn text() -> Delta<'static> {
    Delta::Text(Quoted::of(" token\n").into_owned())
}

/// How often one thousand events allocate, from the body of the upstream to the bytes for the caller.
fn counted(upstream: Dialect, caller: Dialect, piece: &Delta<'_>, frames: bool) -> u64 {
    let body = stream(upstream, piece);
    let body = if frames { framing::wire(&body, upstream) } else { body };
    let mut framer = framing::framer(upstream, frames);
    framer.push(Bytes::from(body));
    let mut follow = Follow::new(upstream, caller, 1, &REPLY);
    follow.put_off_the_end();
    let mut sent = 0;
    let mut take = |events: usize| {
        for _ in 0..events {
            let event = framer.next_event().unwrap().unwrap();
            sent += black_box(follow.event(event)).bytes.len();
        }
    };
    take(BEFORE);
    let count = allocations(|| take(WATCHED));
    while framer.next_event().unwrap().is_some() {}
    assert_eq!(framer.finish().unwrap(), None);
    // Google's API has a call in one event, which is still to come.
    let late = caller == Dialect::Gemini && matches!(piece, Delta::Arguments { .. });
    assert!(late || sent > WATCHED * 7, "{upstream:?} {caller:?}: {sent}");
    count
}

#[test]
fn events_of_every_pair_use_the_memory_of_those_before() {
    for upstream in Dialect::ALL.into_iter().filter(|one| *one != Dialect::Converse) {
        for caller in Dialect::CALLERS {
            let count = counted(upstream, caller, &text(), false);
            let growth = if caller == Dialect::Responses && upstream != caller { GROWTH } else { 0 };
            assert!(count <= growth, "{upstream:?} for {caller:?}: {count}");
        }
    }
}

#[test]
fn so_do_the_pieces_of_a_call() {
    let piece = Delta::Arguments { index: 0, piece: Quoted::of("[\"\", ") };
    for upstream in [Dialect::Chat, Dialect::Responses, Dialect::Messages] {
        for caller in Dialect::CALLERS {
            let count = counted(upstream, caller, &piece, false);
            let kept = upstream != caller && matches!(caller, Dialect::Responses | Dialect::Gemini);
            assert!(count <= if kept { GROWTH } else { 0 }, "{upstream:?} for {caller:?}: {count}");
        }
    }
}

/// Amazon's crate puts the headers of each frame into a list of its own; nothing else allocates.
#[cfg(feature = "serve")]
#[test]
fn events_in_frames_allocate_what_amazons_crate_allocates() {
    for upstream in [Dialect::Converse, Dialect::Messages] {
        let body = Bytes::from(framing::wire(&stream(upstream, &text()), upstream));
        let mut framer = wayside::dialect::event_stream::Framer::default();
        framer.push(body);
        let frames = allocations(|| {
            for _ in 0..WATCHED {
                black_box(framer.next_event().unwrap().unwrap());
            }
        });
        for caller in Dialect::CALLERS {
            let count = counted(upstream, caller, &text(), true);
            assert!(
                count <= frames + GROWTH + NOW_AND_THEN,
                "{upstream:?} for {caller:?}: {count}, the frames alone {frames}"
            );
        }
    }
}
