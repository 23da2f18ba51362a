//! A hop's answer on its way to the caller, with the headers that say where it came from.
//!
//! In: what the walk found. Out: bytes to the caller, and how that ended. Must not know: how the hop was chosen.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue};
use pingora::http::ResponseHeader;
use pingora::protocols::http::ServerSession;
use tokio::time::Instant;

use super::app::Ended;
use super::attempt::{Live, Said, Whole};
use super::cached::{self, Again};
use super::keep_alive::KeepAlive;
use super::relay::{self, Relayed, Sent, Timing, relay};
use super::reply::{self, Headers};
use super::resume;
use super::settle::{Asked, CacheUse, Ending, Settlement};
use super::walk::{Found, Walk};
use crate::chain::Start;
use crate::dialect::Dialect;
use crate::dialect::caller_error::CallerError;
use crate::dialect::carried::Carried;
use crate::failure::Failure;
use crate::policy::checked::Hold;
use crate::policy::plan::PlannedHop;
use crate::telemetry::Outcome;

const SNAPSHOT: HeaderName = HeaderName::from_static("x-wayside-snapshot");
const HOP: HeaderName = HeaderName::from_static("x-wayside-hop");
const DROPPED: HeaderName = HeaderName::from_static("x-wayside-dropped");
const ADAPTED: HeaderName = HeaderName::from_static("x-wayside-adapted");
/// Bytes of each of these two.
const MAX_NOTES: usize = 1024;
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");
const CHUNKED: HeaderValue = HeaderValue::from_static("chunked");

/// A complete answer, byte for byte.
pub async fn whole(
    session: &mut ServerSession,
    settlement: &Settlement<'_>,
    walk: &mut Walk<'_>,
    whole: Whole,
    hop: PlannedHop,
) -> Ending {
    let headers = from_hop(settlement, walk, &hop, &whole.carried);
    let bytes = whole.body.len() as u64;
    cached::keep(walk, &hop, &whole.watch, || Bytes::copy_from_slice(&whole.body));
    let ended = reply::whole(session, 200, JSON, headers, whole.body).await;
    let elapsed = walk.elapsed();
    if ended == Ended::Broken {
        walk.chain.canceled(elapsed);
        return Ending { watch: Some(whole.watch), hop: Some(hop), ..Ending::client_gone() };
    }
    walk.chain.completed(elapsed);
    Ending {
        outcome: Outcome::Answered,
        status: 200,
        bytes,
        watch: Some(whole.watch),
        hop: Some(hop),
        ..Ending::of(ended)
    }
}

/// A stream, event by event; where it breaks, another hop may take it up.
pub async fn stream(
    session: &mut ServerSession,
    settlement: &Settlement<'_>,
    walk: &mut Walk<'_>,
    asked: &Asked<'_>,
    mut part: (Live, PlannedHop, Start),
) -> Ending {
    // A caller who was kept waiting with comments has a head already.
    let mut head = None;
    if reply::begun(session).is_none() {
        head = Some(stream_head(session, 200, from_hop(settlement, walk, &part.1, &part.0.carried)));
    }
    let first_content = part.0.first_content.duration_since(Instant::from_std(walk.admitted));
    let mut keep = walk.keeps.map(|_| settlement.now.config.cache.entry);
    let mut bytes = 0;
    loop {
        let (live, hop, start) = part;
        let timing = timing(&hop, &start);
        let elapsed = walk.elapsed();
        walk.chain.released(elapsed);
        let mut sent = relay(session, head.take(), live, timing, keep.take()).await;
        bytes += sent.bytes;
        let (outcome, ended, failure) = match sent.how {
            Relayed::Whole => {
                whole_stream(walk, &hop, &mut sent);
                (Outcome::Answered, Ended::Whole, None)
            }
            // As large as a whole walk, and rare.
            Relayed::Cut(failure) => match Box::pin(take_up(session, walk, asked, &hop, &sent, failure)).await {
                Found::Live(live, hop, start) => {
                    part = (live, hop, start);
                    continue;
                }
                Found::ClientGone => (Outcome::ClientGone, Ended::Broken, None),
                _ => (Outcome::Cut, Ended::Broken, Some(failure)),
            },
            Relayed::ClientGone => {
                let elapsed = walk.elapsed();
                walk.chain.canceled(elapsed);
                (Outcome::ClientGone, Ended::Broken, None)
            }
        };
        return Ending {
            outcome,
            status: 200,
            reason: failure.map(Failure::word),
            bytes,
            watch: Some(sent.watch),
            hop: Some(hop),
            first_token: Some(crate::units::Millis(first_content.as_millis() as u64)),
            degraded: None,
            ticket: None,
            cache: None,
            ended,
        };
    }
}

fn timing(hop: &PlannedHop, start: &Start) -> Timing {
    let limits = start.limits;
    Timing {
        idle: limits.idle.unwrap_or(hop.idle).duration(),
        until: Instant::now() + limits.stream_limit.unwrap_or(hop.stream_limit).duration(),
    }
}

fn whole_stream(walk: &mut Walk<'_>, hop: &PlannedHop, sent: &mut Sent) {
    let elapsed = walk.elapsed();
    walk.chain.completed(elapsed);
    if sent.watch.drifted() {
        walk.cut(hop, Failure::ModelGone);
    }
    if let Some(events) = sent.kept.take() {
        cached::keep(walk, hop, &sent.watch, || events.into());
    }
}

/// The rest of a stream that broke; where nobody has it, the caller is told.
async fn take_up(
    session: &mut ServerSession,
    walk: &mut Walk<'_>,
    asked: &Asked<'_>,
    hop: &PlannedHop,
    sent: &Sent,
    failure: Failure,
) -> Found {
    let elapsed = walk.elapsed();
    walk.cut(hop, failure);
    walk.paid(&sent.watch);
    let resumes = walk.chain.cut(elapsed, failure);
    let Some(output) = sent.watch.output() else { return Found::Nothing(Some(failure)) };
    let found = match resume::text(output) {
        Some(seen) if resumes => walk.resume(session, asked.told, seen.to_owned()).await,
        _ => Found::Nothing(Some(failure)),
    };
    if !matches!(found, Found::Live(..) | Found::ClientGone) {
        relay::broken(session, failure).await;
    }
    found
}

/// A filter's verdict, a refusal, or the caller's own mistake, in the provider's words.
pub async fn said(
    session: &mut ServerSession,
    settlement: &Settlement<'_>,
    walk: &Walk<'_>,
    said: Said,
    hop: PlannedHop,
    failure: Failure,
) -> Ending {
    if reply::begun(session).is_some() {
        return too_late(session, said, hop, failure).await;
    }
    let mut headers = from_hop(settlement, walk, &hop, &said.carried);
    headers.push((reply::REASON, HeaderValue::from_static(failure.word())));
    headers.push((reply::SHOULD_RETRY, HeaderValue::from_static("false")));
    let bytes = said.body.len() as u64;
    let ended = reply::whole(session, said.status, JSON, headers, said.body).await;
    let outcome = if said.status < 300 { Outcome::Answered } else { Outcome::Failed };
    Ending {
        outcome,
        status: said.status,
        reason: Some(failure.word()),
        bytes,
        watch: said.watch,
        hop: Some(hop),
        ..Ending::of(ended)
    }
}

/// The same for a caller whose stream has begun, if only with comments.
async fn too_late(session: &mut ServerSession, said: Said, hop: PlannedHop, failure: Failure) -> Ending {
    let message = format!("The provider declined this request ({failure}).");
    let problem: reply::Problem = CallerError::new(400, message).code(failure.word()).into();
    let ended = reply::problem_with(session, &problem, Headers::new()).await;
    let reason = Some(failure.word());
    Ending { outcome: Outcome::Failed, status: 200, reason, watch: said.watch, hop: Some(hop), ..Ending::of(ended) }
}

/// What was answered before, as it was: a document, or the events of a stream.
pub async fn again(
    session: &mut ServerSession,
    settlement: &Settlement<'_>,
    asked: &Asked<'_>,
    again: Again,
) -> Ending {
    let headers = from_before(settlement, &again);
    let (bytes, ended) = before(session, asked, headers, &again).await;
    let cache = Some(CacheUse { result: "hit", age: Some(again.age) });
    Ending { outcome: Outcome::Answered, status: 200, bytes, cache, ..Ending::of(ended) }
}

/// Writes it; answers how many bytes that were.
pub async fn before(session: &mut ServerSession, asked: &Asked<'_>, headers: Headers, again: &Again) -> (u64, Ended) {
    let body = again.entry.body.clone();
    let bytes = body.len() as u64;
    let ended = if asked.told.scan.stream {
        fixed_stream(session, 200, headers, body).await
    } else {
        reply::whole(session, 200, JSON, headers, body).await
    };
    (bytes, ended)
}

/// Who answered then, and how long ago that was (RFC 9111, section 5.1).
pub fn from_before(settlement: &Settlement<'_>, again: &Again) -> Headers {
    let mut headers = settlement.headers(None);
    headers.push((http::header::AGE, HeaderValue::from(again.age.0 / 1000)));
    if settlement.now.config.answer_headers {
        headers.extend(HeaderValue::from_str(&again.entry.snapshot).ok().map(|name| (SNAPSHOT, name)));
    }
    headers
}

/// For a stream that its caller sees nothing of before its end. A hop that falls silent is given up after `idle`, and the next one
/// then has half as long again to answer under a head that names it: with the first comment goes one that names none.
pub fn keep_alive(
    session: &ServerSession,
    settlement: &Settlement<'_>,
    walk: &Walk<'_>,
    dialect: Dialect,
) -> Option<KeepAlive> {
    let run = walk.chain.run();
    if run.hold != Hold::Complete || !walk.chain.is_streaming() {
        return None;
    }
    let every = run.hops.first()?.idle.duration() * 3 / 2;
    KeepAlive::new(dialect, every, stream_head(session, 200, settlement.headers(None)))
}

fn from_hop(settlement: &Settlement<'_>, walk: &Walk<'_>, hop: &PlannedHop, carried: &Carried) -> Headers {
    let mut headers = settlement.headers(hop.tier);
    // The provider's name for the request, in place of ours, which has a header of its own.
    let theirs = carried.request_id.as_deref().and_then(|id| HeaderValue::from_str(id).ok());
    if let (Some(theirs), Some((_, id))) = (theirs, headers.iter_mut().find(|(name, _)| *name == reply::REQUEST_ID)) {
        *id = theirs;
    }
    headers.extend(carried.limits.iter().filter_map(|(name, value)| {
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value).ok()?))
    }));
    headers.extend(listed(DROPPED, &walk.notes.dropped));
    headers.extend(listed(ADAPTED, &walk.notes.adapted));
    if settlement.now.config.answer_headers {
        headers.extend(settlement.now.snapshot_name(hop.snapshot).map(|name| (SNAPSHOT, name)));
        headers.push((HOP, HeaderValue::from(u16::from(hop.position))));
    }
    headers
}

/// What a hop in another dialect was not told, as one header. Of a long list, as much as fits is named.
fn listed(name: HeaderName, notes: &[Cow<'static, str>]) -> Option<(HeaderName, HeaderValue)> {
    notes.first()?;
    let mut text = String::new();
    for note in notes {
        if text.len() + note.len() >= MAX_NOTES {
            break;
        }
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.extend(note.chars().filter(|c| c.is_ascii_graphic() || *c == ' '));
    }
    HeaderValue::from_str(&text).ok().map(|value| (name, value))
}

/// The head of a stream in the version the caller speaks: pingora passes it on as it is given.
pub fn stream_head(session: &ServerSession, status: u16, mut headers: Headers) -> ResponseHeader {
    headers.extend(reply::also_named(session, &headers));
    if !session.is_http2() && session.req_header().version == http::Version::HTTP_11 {
        headers.push((TRANSFER_ENCODING, CHUNKED));
    }
    reply::head(status, [(CONTENT_TYPE, EVENT_STREAM), (CACHE_CONTROL, NO_CACHE)], headers)
}

/// Events that are already here, as one stream.
pub async fn fixed_stream(session: &mut ServerSession, status: u16, headers: Headers, events: Bytes) -> Ended {
    let begun = reply::begun(session).is_some();
    let head = stream_head(session, status, headers);
    let written = async {
        if !begun {
            session.write_response_header(Box::new(head)).await?;
        }
        session.write_response_body(events, true).await
    };
    if written.await.is_ok() { Ended::Whole } else { Ended::Broken }
}
