//! Somebody who calls again and again, and looks closely at every answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;

use super::process::Place;

/// No request may take longer: far beyond the policy's deadline and a whole stream, on a machine that has much else to do.
const HANG: Duration = Duration::from_secs(60);
/// Between two requests of a caller.
const PAUSE: Duration = Duration::from_millis(100);
/// Every so many requests, some callers leave in the middle of the answer.
const LEAVES_EVERY: usize = 5;

/// How requests ended.
#[derive(Debug, Default)]
pub struct Counts {
    /// A model's whole answer.
    pub answered: AtomicUsize,
    /// The policy's own, and said to be.
    pub degraded: AtomicUsize,
    /// An error with a message and a code.
    pub errors: AtomicUsize,
    /// A stream that broke after its first words, and said so.
    pub cut: AtomicUsize,
    /// The caller left.
    pub left: AtomicUsize,
    /// Never sent, or refused by a GOAWAY that says so: the sidecar closed the connection before; asked again.
    pub unasked: AtomicUsize,
    /// A connection that had served before was closed under the request, as HTTP allows; asked again.
    pub closed_under: AtomicUsize,
    /// A new connection was closed before a byte came back; asked again.
    pub turned_away: AtomicUsize,
}

/// How a caller connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Tcp,
    Unix,
    Http2,
}

impl Way {
    pub fn of(number: usize) -> Self {
        match number % 6 {
            0 => Self::Unix,
            1 => Self::Http2,
            _ => Self::Tcp,
        }
    }
}

type Body = Full<Bytes>;

enum Line {
    H1(http1::SendRequest<Body>),
    H2(http2::SendRequest<Body>),
}

impl Line {
    /// `None` where nobody listens any more.
    async fn open(way: Way, place: &Place) -> Option<Self> {
        if way == Way::Unix {
            return Self::h1(UnixStream::connect(&place.unix).await.ok()?).await;
        }
        let stream = TcpStream::connect(place.tcp).await.ok()?;
        // A free port of one's own host may lead back to oneself.
        if stream.local_addr().ok()? == stream.peer_addr().ok()? {
            return None;
        }
        if way == Way::Tcp {
            return Self::h1(stream).await;
        }
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.ok()?;
        tokio::spawn(connection);
        Some(Self::H2(sender))
    }

    async fn h1(stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static) -> Option<Self> {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
        tokio::spawn(connection);
        Some(Self::H1(sender))
    }

    async fn send(&mut self, request: Request<Body>) -> hyper::Result<Response<Incoming>> {
        match self {
            Self::H1(sender) => sender.send_request(request).await,
            Self::H2(sender) => sender.send_request(request).await,
        }
    }

    /// Whether it can take another request.
    async fn is_ready(&mut self) -> bool {
        match self {
            Self::H1(sender) => sender.ready().await.is_ok(),
            Self::H2(sender) => sender.ready().await.is_ok(),
        }
    }
}

/// Calls until `stop`.
pub async fn call_until(
    stop: Arc<AtomicBool>,
    number: usize,
    way: Way,
    mut place: watch::Receiver<Place>,
    counts: Arc<Counts>,
) {
    let mut kept: Option<Line> = None;
    let mut turn = 0;
    while !stop.load(Ordering::Relaxed) {
        let here = place.borrow_and_update().clone();
        // Whoever keeps a connection looks whether it is still there.
        let is_there = match &mut kept {
            Some(line) => line.is_ready().await,
            None => false,
        };
        let idle = kept.take().filter(|_| is_there);
        let reused = idle.is_some();
        let line = match idle {
            Some(line) => Some(line),
            None => Line::open(way, &here).await,
        };
        let Some(mut line) = line else {
            tokio::time::timeout(HANG, place.changed()).await.expect("a sidecar that listens").unwrap();
            continue;
        };
        turn += 1;
        let stream = turn % 2 == 0;
        let text = format!("caller {number}, turn {turn}");
        let sent = tokio::time::timeout(HANG, line.send(request(number + turn, stream, &text)));
        let answer = match sent.await.unwrap_or_else(|_| panic!("{text} ({way:?}): no head within {HANG:?}")) {
            Ok(answer) => answer,
            Err(error) => {
                // Shown only when the test fails.
                println!("{text} ({way:?}): {error:?}");
                let which = match reused {
                    _ if is_unasked(&error) => &counts.unasked,
                    true => &counts.closed_under,
                    false => &counts.turned_away,
                };
                which.fetch_add(1, Ordering::Relaxed);
                continue;
            }
        };
        let leaves = stream && number % 10 == 9 && turn % LEAVES_EVERY == 0;
        let (head, mut body) = answer.into_parts();
        if leaves {
            let _ = tokio::time::timeout(HANG, body.frame()).await.expect("the first words");
            counts.left.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        let (bytes, clean) = tokio::time::timeout(HANG, whole(body))
            .await
            .unwrap_or_else(|_| panic!("{text} ({way:?}): no end within {HANG:?}"));
        let ended = judge(&counts, stream, head.status, &head.headers, &bytes, clean);
        let ended = ended.unwrap_or_else(|why| {
            panic!("{text} ({way:?}): {why}\n{head:?}\nclean: {clean}\n{}", String::from_utf8_lossy(&bytes))
        });
        ended.fetch_add(1, Ordering::Relaxed);
        kept = clean.then_some(line);
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether the client's own HTTP library knows that nobody has read the request.
fn is_unasked(error: &hyper::Error) -> bool {
    let refused = std::error::Error::source(error).and_then(|source| source.downcast_ref::<h2::Error>());
    let is_refused = refused
        .is_some_and(|error| error.is_go_away() && error.is_remote() && error.reason() == Some(h2::Reason::NO_ERROR));
    error.is_canceled() || is_refused
}

fn request(turn: usize, stream: bool, text: &str) -> Request<Body> {
    let feature = ["reply", "tags", "careful"][turn % 3];
    let message = serde_json::json!([{"role": "user", "content": text}]);
    let body = serde_json::json!({"model": "m", "stream": stream, "messages": message}).to_string();
    let request = Request::post("http://sidecar/v1/chat/completions").header("host", "sidecar");
    request.header("x-wayside-feature", feature).body(Full::new(Bytes::from(body))).unwrap()
}

/// The body, and whether it came to the end that HTTP promised.
async fn whole(mut body: Incoming) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    loop {
        match body.frame().await {
            None => return (bytes, true),
            Some(Err(_)) => return (bytes, false),
            Some(Ok(frame)) => bytes.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data)),
        }
    }
}

/// What an answer is, or what is wrong with it.
fn judge<'a>(
    counts: &'a Counts,
    stream: bool,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    clean: bool,
) -> Result<&'a AtomicUsize, &'static str> {
    let good = if headers.contains_key("x-wayside-degraded") { &counts.degraded } else { &counts.answered };
    if status != StatusCode::OK || !stream {
        let body: Value = serde_json::from_slice(body).map_err(|_| "not JSON")?;
        let said = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
        return match (clean, status) {
            (false, _) => Err("an answer that is not whole"),
            (true, StatusCode::OK) if said("/choices/0/message/content") && said("/choices/0/finish_reason") => {
                Ok(good)
            }
            (true, StatusCode::OK) => Err("half an answer that looks whole"),
            (true, _) if said("/error/message") && said("/error/type") => Ok(&counts.errors),
            (true, _) => Err("an error that says nothing"),
        };
    }
    let text = std::str::from_utf8(body).map_err(|_| "not UTF-8")?;
    let events: Vec<&str> = text.split("\n\n").filter_map(|event| event.trim().strip_prefix("data: ")).collect();
    let parsed: Vec<Value> = events.iter().filter_map(|event| serde_json::from_str(event).ok()).collect();
    let finished = parsed.iter().any(|event| event.pointer("/choices/0/finish_reason").is_some_and(Value::is_string));
    let failed = parsed.iter().any(|event| event.get("error").is_some());
    match (events.last() == Some(&"[DONE]"), clean) {
        (true, true) if finished && !failed => Ok(good),
        (false, false) if failed && !finished => Ok(&counts.cut),
        _ if !failed && !finished => Err("a stream that was cut and does not say so"),
        _ => Err("a stream that ends in two ways"),
    }
}
