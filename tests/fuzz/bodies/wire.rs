//! What each fuzz target holds of bytes that callers and providers send: run by `tests/fuzz`, and by
//! `tests/dialect_properties.rs` on damaged transcripts and hostile bodies.

use bytes::Bytes;
use serde::de::IgnoredAny;
use wayside::catalog::Capabilities;
use wayside::dialect::caller_error::CallerError;
use wayside::dialect::canonical::{Conversation, Reply, Target};
use wayside::dialect::scan::{MAX_MODEL_NAME, MAX_TEXTS, Wants};
use wayside::dialect::sse::{Framer, TooLarge};
use wayside::dialect::upstream_error::{MAX_MESSAGE, UpstreamError};
use wayside::dialect::whole::{Vectors, Whole};
use wayside::dialect::{Dialect, embeddings, translate};
use wayside::failure::Failure;

use super::stream::{Stream, split};

/// The model of every target and every reply.
pub const MODEL: &str = "a-model";
/// What an answer is written with.
pub const REPLY: Reply<'_> =
    Reply { id: "0123", model: MODEL, created: 1_790_000_000, include_usage: true, echo: None };
/// Bytes that are written for each byte that was read, at most: a call of a few bytes has a frame of its own in every dialect.
const MOST: usize = 64;
/// The same for what has no content: a head and an end.
const FRAME: usize = 16 * 1024;
const NO_HEADERS: &[(&str, &str)] = &[];
/// Largest event in the narrow of two framers.
const NARROW: usize = 64;

type Named = (&'static str, fn(&[u8]));

/// Each target's name and what it runs on an input.
pub const TARGETS: [Named; 4] = [("sse", sse), ("requests", requests), ("answers", answers), ("streams", streams)];

/// Any bytes as a body of events: the same events however they are cut, and no byte lost or made up.
pub fn sse(bytes: &[u8]) {
    for limit in [usize::MAX, NARROW] {
        let whole = events(limit, &[bytes]);
        assert_eq!(events(limit, &split(bytes, seed(bytes))), whole, "in pieces");
        assert_eq!(events(limit, &bytes.chunks(1).collect::<Vec<_>>()), whole, "byte by byte");
        if whole.1.is_none() {
            let body = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            let raw = whole.0.concat();
            // What is left out at the end is blank, and what is put there is the end of a line.
            let kept = raw.strip_prefix(body).or_else(|| body.strip_prefix(&raw[..]));
            assert!(kept.is_some_and(|rest| rest.iter().all(u8::is_ascii_whitespace)), "{raw:?}");
        }
    }
}

/// The bytes of every event, and what ended the reading.
fn events(limit: usize, pieces: &[&[u8]]) -> (Vec<Vec<u8>>, Option<TooLarge>) {
    let mut framer = Framer::with_limit(limit);
    let mut found = Vec::new();
    for piece in pieces {
        framer.push(Bytes::copy_from_slice(piece));
        loop {
            match framer.next_event() {
                Ok(Some(event)) => {
                    let raw = event.raw.len();
                    assert!(raw > 0 && raw <= limit);
                    assert!(
                        event.data().unwrap_or_default().len() <= raw && event.name().unwrap_or_default().len() < raw
                    );
                    found.push(event.raw.to_vec());
                }
                Ok(None) => break,
                Err(large) => return (found, Some(large)),
            }
        }
        assert!(framer.pending() <= limit);
    }
    found.extend(framer.finish().map(|event| event.raw.to_vec()));
    assert_eq!(framer.pending(), 0);
    (found, None)
}

/// Any bytes as the body of a request in every dialect: what is found lies in it, and what another dialect makes of it is JSON of
/// about its size. Who refuses more says no more.
pub fn requests(bytes: &[u8]) {
    for caller in Dialect::CALLERS {
        let in_path = (caller == Dialect::Gemini).then_some((MODEL, seed(bytes).is_multiple_of(2)));
        match translate::scan(caller, bytes, in_path, Wants { metadata: true }) {
            Ok(scan) => {
                assert!(scan.model.len() <= MAX_MODEL_NAME && scan.text.len() <= MAX_TEXTS);
                let inside = |passage: &wayside::json::Passage| {
                    passage.span.start <= passage.span.end && passage.span.end <= bytes.len()
                };
                assert!(scan.text.iter().all(inside));
            }
            Err(bad) => is_error(&CallerError::from(bad), caller),
        }
        match translate::conversation(caller, bytes, in_path) {
            Ok(said) => {
                Dialect::ALL.into_iter().filter(|to| *to != caller).for_each(|to| carried(&said, to, bytes.len()))
            }
            Err(bad) => is_error(&CallerError::from(bad), caller),
        }
    }
    match embeddings::request::scan(bytes) {
        Ok(ask) => match embeddings::gemini::request(bytes, &ask, MODEL) {
            Ok(body) => is_json(&body, bytes.len()),
            Err(bad) => is_error(&CallerError::from(bad), Dialect::Embeddings),
        },
        Err(bad) => is_error(&CallerError::from(bad), Dialect::Embeddings),
    }
}

/// A conversation in another dialect, strict and lenient.
fn carried(said: &Conversation<'_>, to: Dialect, read: usize) {
    let written = |lenient| {
        let able = Capabilities::NONE;
        let output_cap = "max_completion_tokens";
        let target = Target { model: MODEL, max_output: None, model_max_output: None, able, output_cap, lenient };
        translate::request(to, said, &target)
    };
    match (written(false), written(true)) {
        (Ok(strict), Ok(lenient)) => {
            assert_eq!(strict, lenient, "nothing had to be left out");
            is_json(&strict.body, read);
        }
        (Err(strict), Ok(lenient)) => {
            is_error(&CallerError::from(strict), said.from);
            is_json(&lenient.body, read);
        }
        (Err(strict), Err(lenient)) => {
            is_error(&CallerError::from(strict), said.from);
            is_error(&CallerError::from(lenient), said.from);
        }
        (Ok(_), Err(lenient)) => panic!("refused where more is allowed: {lenient:?}"),
    }
}

/// Any bytes as a whole answer of every provider, for every caller: what is written is JSON of about its size that can be read
/// again, and the same as a stream. Also as an error, and as vectors.
pub fn answers(bytes: &[u8]) {
    let body = Bytes::copy_from_slice(bytes);
    for upstream in Dialect::ALL {
        for caller in Dialect::CALLERS {
            let whole = Whole::read(upstream, caller, &body, None);
            let (_, failed) = whole.summary();
            bounded(whole.output().len(), bytes.len());
            let Some(written) = whole.for_caller(&REPLY) else { continue };
            if upstream != caller {
                is_json(&written, bytes.len());
                if failed.is_none() {
                    let back = translate::read(caller, &written);
                    // Readers of some dialects allow fewer calls in one answer than others.
                    let few = matches!(&back, Err(error) if error.failure == Failure::InvalidOutput);
                    assert!(
                        few || back.is_ok(),
                        "{upstream:?} for {caller:?}: {back:?}\n{}",
                        String::from_utf8_lossy(&written)
                    );
                }
            }
        }
        if let Ok(answer) = translate::read(upstream, bytes) {
            Dialect::CALLERS
                .into_iter()
                .for_each(|caller| are_events(&translate::stream(caller, &answer, &REPLY), bytes.len()));
        }
    }
    let now = jiff::Timestamp::UNIX_EPOCH;
    for status in [400, 404, 429, 503] {
        let error = UpstreamError::from_response(status, NO_HEADERS, bytes, now);
        assert!(error.message.len() <= MAX_MESSAGE);
        Dialect::CALLERS.into_iter().for_each(|caller| is_error(&error.for_caller(status), caller));
    }
    if let Ok(ask) = embeddings::request::scan(br#"{"model":"m","input":["a","b"]}"#) {
        let vectors = Some(Vectors { ask: &ask, model: MODEL });
        for upstream in [Dialect::Gemini, Dialect::Embeddings] {
            let whole = Whole::read(upstream, Dialect::Embeddings, &body, vectors);
            let written = whole.for_caller(&REPLY).filter(|_| upstream == Dialect::Gemini);
            written.into_iter().for_each(|written| is_json(&written, bytes.len()));
        }
    }
}

/// Any bytes as a stream of every provider, for every caller: the same however it is cut, and what is written are events of JSON
/// of about its size.
pub fn streams(bytes: &[u8]) {
    let pieces = split(bytes, seed(bytes));
    for upstream in Dialect::ALL {
        for caller in Dialect::CALLERS {
            let whole = Stream::run(upstream, caller, &REPLY, &[bytes]);
            assert_eq!(Stream::run(upstream, caller, &REPLY, &pieces), whole, "{upstream:?} for {caller:?}");
            if upstream != caller {
                are_events(&whole.out, bytes.len());
            }
        }
    }
}

/// Seeds what is drawn for an input; a changed input draws anew.
fn seed(bytes: &[u8]) -> u64 {
    bytes.iter().fold(bytes.len() as u64, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn bounded(written: usize, read: usize) {
    assert!(written <= FRAME + MOST * read, "{written} bytes for {read}");
}

/// However deep it is: what is nested as far as a reader goes stands in something when it is written.
fn is_json(written: &[u8], read: usize) {
    bounded(written.len(), read);
    let json = std::str::from_utf8(written).unwrap();
    let parsed = serde_json::from_str::<IgnoredAny>(json);
    assert!(parsed.is_ok(), "{parsed:?}\n{json}");
}

fn are_events(written: &[u8], read: usize) {
    bounded(written.len(), read);
    let mut framer = Framer::default();
    framer.push(Bytes::copy_from_slice(written));
    while let Some(event) = framer.next_event().unwrap() {
        match event.data() {
            Some(b"[DONE]") => {}
            data => is_json(data.unwrap(), read),
        }
    }
    assert_eq!(framer.pending(), 0, "{}", String::from_utf8_lossy(written));
}

fn is_error(error: &CallerError, caller: Dialect) {
    let body = error.body(caller);
    is_json(body.as_bytes(), error.message.len() + error.param.as_deref().unwrap_or_default().len());
}
