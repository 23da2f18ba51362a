//! Whole answers to a caller: errors, templates, documents.
//!
//! In: a status and a body, or a [`Problem`]. Out: bytes on the caller's connection. Must not know: why.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use pingora::http::ResponseHeader;
use pingora::protocols::http::ServerSession;

use super::app::Ended;
use super::request_id::RequestId;
use super::{entrance, relay};
use crate::dialect::Dialect;
use crate::dialect::caller_error::{CallerError, SHOULD_RETRY as SHOULD_RETRY_NAME};

/// How long a body that nobody reads may keep coming before the connection is cut. Cutting at once would make the kernel
/// reset the connection, and the caller would lose the answer that says why.
const LINGER: std::time::Duration = std::time::Duration::from_secs(2);
/// Bytes of such a body that are thrown away.
const LINGER_BYTES: usize = 8 << 20;
/// Headers that pingora adds to a head: `date`, `connection`, and room for one more.
const ADDED: usize = 3;

/// `x-wayside-reason`
pub const REASON: HeaderName = HeaderName::from_static("x-wayside-reason");
/// `x-should-retry`: stops the official SDKs from retrying, or makes them.
pub const SHOULD_RETRY: HeaderName = HeaderName::from_static(SHOULD_RETRY_NAME);
/// `x-wayside-request-id`: the name that the log has for a request.
pub const OWN_REQUEST_ID: HeaderName = HeaderName::from_static("x-wayside-request-id");
/// `x-request-id`: the provider's name for it where one answered, else the same.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const NAMED_BY_ANTHROPIC: HeaderName = HeaderName::from_static("request-id");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An error that Wayside itself has to tell a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// In the caller's dialect.
    pub error: CallerError,
    /// For `retry-after`, in seconds: a local shortage, soon over.
    pub retry_after: Option<u8>,
    /// More of the caller's body may be on its way: the connection cannot be kept.
    pub unread: bool,
}

impl From<CallerError> for Problem {
    fn from(error: CallerError) -> Self {
        Self { error, retry_after: None, unread: false }
    }
}

impl Problem {
    /// A problem with the request that a repetition would not cure.
    pub fn caller(status: u16, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        CallerError::new(status, message).code(code).into()
    }

    /// A moment's shortage here: the caller should try again, soon.
    pub fn busy(code: &'static str, message: &'static str) -> Self {
        let error = CallerError::new(503, message).code(code).should_retry(true);
        Self { error, retry_after: Some(1), unread: false }
    }

    /// The body was not read to its end.
    #[must_use]
    pub fn unread(mut self) -> Self {
        self.unread = true;
        self
    }

    /// The head is over its limit.
    pub fn head_too_large(limit: usize) -> Self {
        let message = format!("The request's head is larger than {limit} bytes; send fewer or shorter headers.");
        Self::caller(431, "head_too_large", message).unread()
    }

    /// The head is no HTTP.
    pub fn bad_head() -> Self {
        let message = "The request's head is not valid HTTP. Look for conflicting lengths, a second Host header, or control \
                       characters.";
        Self::caller(400, "bad_request_head", message).unread()
    }

    /// For `x-wayside-reason`, metrics and the log.
    pub fn reason(&self) -> &str {
        self.error.code.as_deref().unwrap_or("error")
    }
}

/// Headers beyond the fixed ones.
pub type Headers = smallvec::SmallVec<[(HeaderName, HeaderValue); 8]>;

/// The status that has gone out, if any has. `100 Continue` is none: the answer is still to come.
pub fn begun(session: &ServerSession) -> Option<u16> {
    let status = session.response_written()?.status;
    (!status.is_informational()).then(|| status.as_u16())
}

/// For answers that are no exchange: only a name to ask about.
pub fn named() -> Headers {
    naming(RequestId::new()).collect()
}

/// What tells a caller the name of a request.
pub fn naming(id: RequestId) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    let id = id.header();
    let own = id.clone().map(|id| (OWN_REQUEST_ID, id));
    id.map(|id| (REQUEST_ID, id)).into_iter().chain(own)
}

/// Writes an error to a head that could not be read.
pub async fn unreadable(session: &mut ServerSession) -> Ended {
    session.set_keepalive(None);
    let problem = Problem::bad_head();
    let ended = write(
        session,
        problem.error.status,
        JSON,
        dress(&problem, named()),
        problem.error.body(Dialect::Chat).into(),
        false,
    );
    let ended = ended.await;
    if ended == Ended::Whole {
        linger(session).await;
    }
    ended
}

/// Writes an error that came before any exchange.
pub async fn problem(session: &mut ServerSession, problem: &Problem) -> Ended {
    problem_with(session, problem, named()).await
}

/// Writes an error with more headers.
pub async fn problem_with(session: &mut ServerSession, problem: &Problem, headers: Headers) -> Ended {
    if begun(session).is_some() {
        // A stream has begun: its end must not look clean.
        relay::fail(session, &problem.error).await;
        return Ended::Broken;
    }
    if problem.unread {
        session.set_keepalive(None);
    }
    let headers = dress(problem, headers);
    let ended =
        whole(session, problem.error.status, JSON, headers, problem.error.body(entrance::dialect(session)).into())
            .await;
    if problem.unread && ended == Ended::Whole {
        linger(session).await;
    }
    ended
}

/// What a problem says by headers.
fn dress(problem: &Problem, mut headers: Headers) -> Headers {
    if let Ok(reason) = HeaderValue::from_str(problem.reason()) {
        headers.push((REASON, reason));
    }
    if let Some(retry) = problem.error.should_retry {
        headers.push((SHOULD_RETRY, HeaderValue::from_static(if retry { "true" } else { "false" })));
    }
    if let Some(seconds) = problem.retry_after {
        headers.push((http::header::RETRY_AFTER, HeaderValue::from(u16::from(seconds))));
    }
    headers
}

/// Writes a JSON document.
pub async fn json(session: &mut ServerSession, status: u16, headers: Headers, body: Bytes) -> Ended {
    whole(session, status, JSON, headers, body).await
}

/// Writes one whole answer.
pub async fn whole(
    session: &mut ServerSession,
    status: u16,
    content_type: HeaderValue,
    headers: Headers,
    body: Bytes,
) -> Ended {
    let bodiless = session.req_header().method == http::Method::HEAD;
    let mut headers = headers;
    headers.extend(also_named(session, &headers));
    write(session, status, content_type, headers, body, bodiless).await
}

async fn write(
    session: &mut ServerSession,
    status: u16,
    content_type: HeaderValue,
    headers: Headers,
    body: Bytes,
    bodiless: bool,
) -> Ended {
    let written: pingora::Result<()> = async {
        let fixed = [(CONTENT_TYPE, content_type), (CONTENT_LENGTH, HeaderValue::from(body.len()))];
        session.write_response_header(Box::new(head(status, fixed, headers))).await?;
        if !bodiless {
            session.write_response_body(body, true).await?;
        }
        Ok(())
    }
    .await;
    if written.is_ok() { Ended::Whole } else { Ended::Broken }
}

/// The head of an answer. Names go in as they are: pingora's own way in takes each apart to keep its case, and puts it together again.
pub fn head<const N: usize>(status: u16, fixed: [(HeaderName, HeaderValue); N], headers: Headers) -> ResponseHeader {
    let mut map = HeaderMap::with_capacity(N + headers.len() + ADDED);
    for (name, value) in fixed.into_iter().chain(headers) {
        map.insert(name, value);
    }
    let (mut parts, ()) = Response::new(()).into_parts();
    // INVARIANT: Wayside's own statuses and those of an upstream's answer have three digits.
    parts.status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    parts.headers = map;
    parts.into()
}

/// Anthropic's clients look for the request's name under a name of their own.
pub fn also_named(session: &ServerSession, headers: &Headers) -> Option<(HeaderName, HeaderValue)> {
    let (_, id) = headers.iter().find(|(name, _)| *name == REQUEST_ID)?;
    (entrance::dialect(session) == Dialect::Messages).then(|| (NAMED_BY_ANTHROPIC, id.clone()))
}

/// Reads and throws away what a caller still sends, within limits.
async fn linger(session: &mut ServerSession) {
    let drained = async {
        let mut left = LINGER_BYTES;
        while let Ok(Some(piece)) = session.read_request_body().await {
            left = left.saturating_sub(piece.len());
            if left == 0 {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(LINGER, drained).await;
}
