//! A hop's answer on its way to the caller, with the headers that say where it came from.
//!
//! In: what the walk found. Out: bytes to the caller, and how that ended. Must not know: how the hop was chosen.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use pingora::http::ResponseHeader;
use pingora::protocols::http::ServerSession;
use tokio::time::Instant;

use super::app::Ended;
use super::attempt::{Live, Said, Whole};
use super::cached::{self, Again};
use super::relay::{Relayed, Timing, relay};
use super::reply::{self, Headers};
use super::settle::{Asked, CacheUse, Ending, Settlement};
use super::walk::Walk;
use crate::chain::Start;
use crate::failure::Failure;
use crate::policy::plan::PlannedHop;
use crate::telemetry::Outcome;

const SNAPSHOT: HeaderName = HeaderName::from_static("x-wayside-snapshot");
const HOP: HeaderName = HeaderName::from_static("x-wayside-hop");
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");

/// A complete answer, byte for byte.
pub async fn whole(
    session: &mut ServerSession,
    settlement: &Settlement<'_>,
    walk: &mut Walk<'_>,
    whole: Whole,
    hop: PlannedHop,
) -> Ending {
    let headers = from_hop(settlement, &hop);
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

/// A stream, event by event.
pub async fn stream(
    session: &mut ServerSession,
    settlement: &Settlement<'_>,
    walk: &mut Walk<'_>,
    live: Live,
    hop: PlannedHop,
    start: Start,
) -> Ending {
    let Some(head) = stream_head(session, 200, from_hop(settlement, &hop)) else { return Ending::of(Ended::Broken) };
    let released = Instant::now();
    let limits = start.limits;
    let timing = Timing {
        idle: limits.idle.unwrap_or(hop.idle).duration(),
        until: released + limits.stream_limit.unwrap_or(hop.stream_limit).duration(),
    };
    let first_content = live.first_content.duration_since(Instant::from_std(walk.admitted));
    let elapsed = walk.elapsed();
    walk.chain.released(elapsed);
    let keep = walk.keeps.map(|_| settlement.now.config.cache.entry);
    let mut sent = relay(session, head, live, timing, keep).await;
    let elapsed = walk.elapsed();
    let (outcome, ended, failure) = match sent.how {
        Relayed::Whole => {
            walk.chain.completed(elapsed);
            if sent.watch.drifted() {
                walk.cut(&hop, Failure::ModelGone);
            }
            if let Some(events) = sent.kept.take() {
                cached::keep(walk, &hop, &sent.watch, || events.into());
            }
            (Outcome::Answered, Ended::Whole, None)
        }
        Relayed::Cut(failure) => {
            // Resuming on the next hop is not part of this version; the caller has been told that the answer is cut.
            walk.chain.cut(elapsed, failure);
            walk.cut(&hop, failure);
            (Outcome::Cut, Ended::Broken, Some(failure))
        }
        Relayed::ClientGone => {
            walk.chain.canceled(elapsed);
            (Outcome::ClientGone, Ended::Broken, None)
        }
    };
    Ending {
        outcome,
        status: 200,
        reason: failure.map(Failure::word),
        bytes: sent.bytes,
        watch: Some(sent.watch),
        hop: Some(hop),
        first_token: Some(crate::units::Millis(first_content.as_millis() as u64)),
        degraded: None,
        ticket: None,
        cache: None,
        ended,
    }
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
    let _ = walk;
    let mut headers = from_hop(settlement, &hop);
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

fn from_hop(settlement: &Settlement<'_>, hop: &PlannedHop) -> Headers {
    let mut headers = settlement.headers(hop.tier);
    if settlement.now.config.answer_headers {
        headers.extend(settlement.now.snapshot_name(hop.snapshot).map(|name| (SNAPSHOT, name)));
        headers.push((HOP, HeaderValue::from(u16::from(hop.position))));
    }
    headers
}

/// The head of a stream in the version the caller speaks: pingora passes it on as it is given.
pub fn stream_head(session: &ServerSession, status: u16, headers: Headers) -> Option<ResponseHeader> {
    let mut head = ResponseHeader::build_no_case(status, Some(headers.len() + 4)).ok()?;
    head.insert_header(http::header::CONTENT_TYPE, EVENT_STREAM).ok()?;
    head.insert_header(http::header::CACHE_CONTROL, NO_CACHE).ok()?;
    for (name, value) in headers {
        head.insert_header(name, value).ok()?;
    }
    if !session.is_http2() && session.req_header().version == http::Version::HTTP_11 {
        head.insert_header(http::header::TRANSFER_ENCODING, "chunked").ok()?;
    }
    Some(head)
}

/// Events that are already here, as one stream.
pub async fn fixed_stream(session: &mut ServerSession, status: u16, headers: Headers, events: Bytes) -> Ended {
    let Some(head) = stream_head(session, status, headers) else { return Ended::Broken };
    let written = async {
        session.write_response_header(Box::new(head)).await?;
        session.write_response_body(events, true).await
    };
    if written.await.is_ok() { Ended::Whole } else { Ended::Broken }
}
