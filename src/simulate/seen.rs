//! What arrived, for tests that ask what a provider saw.
//!
//! In: the stages of each request as they happen. Out: a bounded report. Credentials are kept as hashes only. Must not
//! know: dialects, faults.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use hyper::HeaderMap;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::text::floor_boundary;

/// Requests remembered in full; older ones are forgotten but stay counted.
pub const MAX_REQUESTS: usize = 10_000;
/// Pairs of provider and model counted apart; further ones are counted as `other`.
pub const MAX_COUNTED: usize = 1000;
/// Headers remembered of one request.
const MAX_HEADERS: usize = 64;
/// Bytes remembered of any one text.
const MAX_TEXT: usize = 512;
/// Headers that hold secrets.
const SECRET: [&str; 7] = [
    "authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "x-amz-security-token",
    "cookie",
    "proxy-authorization",
];

/// One request. Times are milliseconds since the simulator started.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Seen {
    /// From 1, over all providers.
    pub number: u64,
    /// Named by the path or the port.
    pub provider: String,
    /// `chat`, `messages`, `count_tokens`, `converse`, `embeddings`, `models` or `unknown`.
    pub endpoint: &'static str,
    /// HTTP method.
    pub method: String,
    /// As asked, query included.
    pub path: String,
    /// As the body names it.
    pub model: String,
    /// Whether events were asked for.
    pub stream: bool,
    /// All headers; secrets as `sha256:` and 64 hexadecimal digits of the value.
    pub headers: BTreeMap<String, String>,
    /// Length of the body.
    pub body_bytes: u64,
    /// SHA-256 of the body in hexadecimal; empty until the body was read.
    pub body_sha256: String,
    /// The fault that hit it, as asked for.
    pub fault: Option<String>,
    /// The status that was sent.
    pub status: Option<u16>,
    /// When the head had arrived.
    pub at_ms: u64,
    /// When the first byte of the response body was handed over.
    pub first_byte_ms: Option<u64>,
    /// When the answer ended, by whomever.
    pub end_ms: Option<u64>,
    /// Events handed over.
    pub events: u64,
    /// Bytes of body handed over (the last ones may never have left when a connection broke).
    pub bytes: u64,
    /// Whether the answer was sent to its end, errors included.
    pub complete: bool,
    /// Whether the client went away before that.
    pub client_gone: bool,
}

/// Requests of one provider and model.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Count {
    /// All.
    pub requests: u64,
    /// Sent to the end.
    pub complete: u64,
    /// Left by the client before.
    pub client_gone: u64,
}

/// Everything that arrived.
pub struct Log {
    started: Instant,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    total: u64,
    in_flight: u64,
    requests: VecDeque<Seen>,
    counts: BTreeMap<(String, String), Count>,
}

/// What `GET /simulate/seen` answers.
#[derive(Serialize)]
pub struct Report {
    /// Requests since the start or the last clearing.
    pub total: u64,
    /// Not ended yet.
    pub in_flight: u64,
    /// Counted but no longer listed.
    pub forgotten: u64,
    /// By provider, then model.
    pub counts: BTreeMap<String, BTreeMap<String, Count>>,
    /// Oldest first.
    pub requests: Vec<Seen>,
}

impl Log {
    /// An empty log.
    pub fn new(started: Instant) -> Arc<Self> {
        Arc::new(Self { started, inner: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Notes a request whose head has arrived.
    pub fn arrive(self: &Arc<Self>, mut seen: Seen, headers: &HeaderMap) -> Ticket {
        seen.at_ms = self.now();
        seen.headers = headers.iter().take(MAX_HEADERS).map(remembered).collect();
        shorten(&mut seen.path);
        let mut inner = self.lock();
        inner.total += 1;
        inner.in_flight += 1;
        seen.number = inner.total;
        let number = seen.number;
        if inner.requests.len() >= MAX_REQUESTS {
            inner.requests.pop_front();
        }
        inner.requests.push_back(seen);
        drop(inner);
        Ticket { log: Arc::clone(self), number, ended: false }
    }

    /// Forgets everything that has ended. Numbers go on.
    pub fn clear(&self) {
        let mut inner = self.lock();
        inner.requests.retain(|seen| seen.end_ms.is_none());
        inner.counts.clear();
    }

    /// All requests for which `wanted` holds, at most the `last` ones.
    pub fn report(&self, last: usize, wanted: impl Fn(&Seen) -> bool) -> Report {
        let inner = self.lock();
        let mut counts: BTreeMap<String, BTreeMap<String, Count>> = BTreeMap::new();
        for ((provider, model), count) in &inner.counts {
            counts.entry(provider.clone()).or_default().insert(model.clone(), count.clone());
        }
        let mut requests: Vec<_> =
            inner.requests.iter().rev().filter(|seen| wanted(seen)).take(last).cloned().collect();
        requests.reverse();
        let total: u64 = inner.counts.values().map(|count| count.requests).sum();
        Report {
            total: total + inner.in_flight,
            in_flight: inner.in_flight,
            forgotten: (total + inner.in_flight).saturating_sub(inner.requests.len() as u64),
            counts,
            requests,
        }
    }
}

/// The right to report on one request. Dropping it before the end means that the client went away.
pub struct Ticket {
    log: Arc<Log>,
    number: u64,
    ended: bool,
}

/// How a request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The answer was sent.
    Complete,
    /// A fault broke it off.
    Broken,
    /// The client went away.
    ClientGone,
}

impl Ticket {
    /// The request's number.
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Changes the record, unless it has been forgotten.
    pub fn note(&self, change: impl FnOnce(&mut Seen)) {
        let mut inner = self.log.lock();
        let found = inner.requests.binary_search_by_key(&self.number, |seen| seen.number).ok();
        if let Some(seen) = found.and_then(|index| inner.requests.get_mut(index)) {
            change(seen);
            shorten(&mut seen.model);
            seen.fault.iter_mut().for_each(shorten);
        }
    }

    /// Notes bytes handed over.
    pub fn sent(&self, bytes: u64, events: u64) {
        let now = self.log.now();
        self.note(|seen| {
            seen.first_byte_ms.get_or_insert(now);
            seen.bytes += bytes;
            seen.events += events;
        });
    }

    /// Notes the end. Only the first one counts.
    pub fn end(&mut self, end: End) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let now = self.log.now();
        let mut key = ("other".to_owned(), "other".to_owned());
        self.note(|seen| {
            seen.end_ms = Some(now);
            seen.complete = end == End::Complete;
            seen.client_gone = end == End::ClientGone;
            key = (seen.provider.clone(), seen.model.clone());
        });
        let mut inner = self.log.lock();
        inner.in_flight = inner.in_flight.saturating_sub(1);
        if inner.counts.len() >= MAX_COUNTED && !inner.counts.contains_key(&key) {
            key = ("other".to_owned(), "other".to_owned());
        }
        let count = inner.counts.entry(key).or_default();
        count.requests += 1;
        count.complete += u64::from(end == End::Complete);
        count.client_gone += u64::from(end == End::ClientGone);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.end(End::ClientGone);
    }
}

fn remembered((name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)) -> (String, String) {
    let name = name.as_str();
    if SECRET.contains(&name) {
        return (name.to_owned(), format!("sha256:{}", hex_sha256(value.as_bytes())));
    }
    let mut value = String::from_utf8_lossy(value.as_bytes()).into_owned();
    shorten(&mut value);
    (name.to_owned(), value)
}

/// SHA-256 in lower-case hexadecimal.
pub fn hex_sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn shorten(text: &mut String) {
    if text.len() > MAX_TEXT {
        text.truncate(floor_boundary(text, MAX_TEXT));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrive(log: &Arc<Log>, model: &str) -> Ticket {
        let seen = Seen { provider: "p".into(), model: model.into(), ..Seen::default() };
        log.arrive(seen, &HeaderMap::new())
    }

    #[test]
    fn only_the_newest_are_listed_and_all_are_counted() {
        let log = Log::new(Instant::now());
        for _ in 0..MAX_REQUESTS {
            arrive(&log, "m").end(End::Complete);
        }
        assert_eq!(log.report(usize::MAX, |_| true).forgotten, 0);
        arrive(&log, "m").end(End::Complete);
        let report = log.report(usize::MAX, |_| true);
        assert_eq!((report.total, report.forgotten, report.requests.len()), (MAX_REQUESTS as u64 + 1, 1, MAX_REQUESTS));
        assert_eq!(report.requests[0].number, 2);
    }

    #[test]
    fn models_are_counted_apart_up_to_a_limit() {
        let log = Log::new(Instant::now());
        for model in 0..=MAX_COUNTED {
            arrive(&log, &model.to_string()).end(End::Complete);
        }
        let report = log.report(0, |_| true);
        assert_eq!(report.counts["p"].len(), MAX_COUNTED);
        assert_eq!(report.counts["other"]["other"].requests, 1);
    }

    #[test]
    fn a_dropped_ticket_is_a_client_gone() {
        let log = Log::new(Instant::now());
        let ticket = arrive(&log, "m");
        assert_eq!(log.report(1, |_| true).in_flight, 1);
        drop(ticket);
        let report = log.report(1, |_| true);
        assert!(report.requests[0].client_gone && report.in_flight == 0);
        log.clear();
        assert_eq!(log.report(1, |_| true).total, 0);
    }

    #[test]
    fn secrets_are_kept_as_hashes() {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", "Bearer key".parse().unwrap());
        headers.insert("x-a", "b".repeat(MAX_TEXT + 1).parse().unwrap());
        headers.insert("x-b", "b".repeat(MAX_TEXT).parse().unwrap());
        let log = Log::new(Instant::now());
        let _ticket = log.arrive(Seen::default(), &headers);
        let seen = log.report(1, |_| true).requests.remove(0);
        assert_eq!(seen.headers["authorization"], format!("sha256:{}", hex_sha256(b"Bearer key")));
        assert_eq!([seen.headers["x-a"].len(), seen.headers["x-b"].len()], [MAX_TEXT, MAX_TEXT]);
    }

    #[test]
    fn headers_are_remembered_up_to_a_limit() {
        let log = Log::new(Instant::now());
        for sent in [MAX_HEADERS, MAX_HEADERS + 1] {
            let name = |at: usize| format!("x-{at}").parse::<hyper::header::HeaderName>().unwrap();
            let headers = (0..sent).map(|at| (name(at), "v".parse().unwrap())).collect();
            let _ticket = log.arrive(Seen::default(), &headers);
            assert_eq!(log.report(1, |_| true).requests[0].headers.len(), MAX_HEADERS);
        }
    }
}
