//! One call: a head and a body out, a head and a body back.
//!
//! In: an [`Upstream`] and a [`Call`]. Out: an [`Answer`] or a [`CallError`]. Must not know: what either body means, deadlines (the
//! caller drops the future), retries (but for the one race that is nobody's fault).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderName, HeaderValue};
use pingora::http::ResponseHeader;
use pingora::protocols::Stream;
use pingora::protocols::http::client::HttpSession;
use pingora::protocols::http::v1::client::HttpSession as Http1Session;

use super::identity::Identity;
use super::idle::KEPT;
use super::peers::{Call, Place, Upstream};
use super::wire::{self, Sent};

/// A large body is sent in pieces of this size, with a look for an early answer before each.
const PIECE: usize = 128 << 10;
/// How long one write may wait. The attempt's own limit is usually nearer; this one guards against a missing one.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Interim answers (1xx) read before the real one.
const MAX_INTERIM: usize = 16;
/// Times a call begins again because a pooled connection turned out to be closed.
const MAX_STALE: usize = 2;
/// Addresses tried in one call.
const MAX_CONNECTS: usize = 3;
/// Wrappers looked into for the reason of a failure.
const MAX_CAUSES: usize = 8;

/// How far a failed call got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// Nobody was asked: there is nothing to show who calls.
    Credentials,
    /// No connection.
    Nothing,
    /// Connected, but no answer's head.
    Connection,
    /// The head of an answer.
    Head,
}

/// No whole answer: refused, reset, unreachable, malformed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError {
    /// How far it got.
    pub reached: Reached,
    /// For people; holds no key and no body.
    pub reason: String,
}

/// A call that was answered, at least in part. Dropping it cancels the rest.
pub struct Answer {
    session: Option<Box<HttpSession>>,
    upstream: Arc<Upstream>,
    place: Arc<Place>,
    /// The whole request was sent and the whole answer was read, so that the connection can serve again.
    clean: Clean,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clean {
    /// The body of the request was cut short by an early answer.
    Never,
    /// Once the answer's body is at its end.
    AtEnd,
    /// Now.
    Now,
}

impl Upstream {
    /// Sends one request and waits for the head of the answer.
    pub async fn call(self: &Arc<Self>, call: &Call<'_>) -> Result<Answer, CallError> {
        let (mut call, headers) = (*call, self.shown(call).await?);
        if !headers.is_empty() {
            call.headers = &headers;
        }
        self.carry(&call).await
    }

    /// The call's headers with those that show who sends it; none where those stand in the head of every call.
    async fn shown(&self, call: &Call<'_>) -> Result<Vec<(HeaderName, HeaderValue)>, CallError> {
        if matches!(self.identity, Identity::Fixed) {
            return Ok(Vec::new());
        }
        let shown = Box::pin(self.identity.headers(self, call)).await;
        let shown = shown.map_err(|reason| CallError { reached: Reached::Credentials, reason })?;
        Ok(call.headers.iter().cloned().chain(shown).collect())
    }

    async fn carry(self: &Arc<Self>, call: &Call<'_>) -> Result<Answer, CallError> {
        let mut stale = 0;
        loop {
            // Connections that wait often end together; after a few of them, only a new one can tell.
            let waiting = if stale < MAX_STALE { self.waiting() } else { None };
            let (line, place) = match waiting {
                Some(waiting) => waiting,
                // Opening a connection takes a large future, and most calls need none.
                None => Box::pin(self.connect()).await?,
            };
            let reused = line.reused;
            match self.exchange(line.wire, place, call).await {
                // The server closed an idle connection while we were writing to it: the normal race of keep-alive.
                Err(Broken { before_answer: true, .. }) if reused && stale < MAX_STALE => stale += 1,
                Err(Broken { reason, .. }) => return Err(CallError { reached: Reached::Connection, reason }),
                Ok(answer) => return Ok(answer),
            }
        }
    }

    /// An idle HTTP/1 connection to the address whose turn it is.
    fn waiting(&self) -> Option<(Line, Arc<Place>)> {
        let place = self.place()?;
        let stream = self.pool.idle.take(place.key)?;
        Some((Line { wire: Wire::H1(stream), reused: true }, place))
    }

    async fn connect(&self) -> Result<(Line, Arc<Place>), CallError> {
        let nothing = |reason| CallError { reached: Reached::Nothing, reason };
        if self.addresses() == 0 {
            let limit = self.provider.connect_timeout.duration();
            let resolved = tokio::time::timeout(limit, self.resolve()).await;
            resolved.map_err(|_| nothing("no answer from DNS".to_owned()))?.map_err(nothing)?;
        }
        let mut last = "no address".to_owned();
        for _ in 0..self.addresses().min(MAX_CONNECTS) {
            let Some(place) = self.place() else { break };
            match self.pool.connector.get_http_session(&place.peer).await {
                Ok((HttpSession::H1(h1), reused)) => {
                    return Ok((Line { wire: Wire::H1(h1.into_inner()), reused }, place));
                }
                Ok((session, reused)) => return Ok((Line { wire: Wire::Other(Box::new(session)), reused }, place)),
                Err(error) => {
                    self.rotate();
                    last = said(&error);
                }
            }
        }
        Err(nothing(last))
    }

    async fn exchange(self: &Arc<Self>, wire: Wire, place: Arc<Place>, call: &Call<'_>) -> Result<Answer, Broken> {
        let length = call.body.iter().map(Bytes::len).sum();
        let peer = &place.peer;
        let (sent, mut session) = match wire {
            Wire::H1(mut stream) if length <= PIECE || !peer.is_tls() => {
                let sent = wire::send(&mut stream, &self.wire(call, length), call.body).await;
                (sent, Box::new(HttpSession::H1(Http1Session::new_with_options(stream, peer))))
            }
            Wire::H1(stream) => {
                let mut session = Box::new(HttpSession::H1(Http1Session::new_with_options(stream, peer)));
                (Box::pin(self.send_by_pieces(&mut session, length, call)).await, session)
            }
            Wire::Other(mut session) => (Box::pin(self.send_by_pieces(&mut session, length, call)).await, session),
        };
        // A provider may answer 413 or 429 and close before it has read everything: look for a head even after a failed write.
        let read = read_head(&mut session).await;
        let clean = if matches!(sent, Ok(Sent::Whole)) { Clean::AtEnd } else { Clean::Never };
        if read.is_ok() && session.response_header().is_some() {
            return Ok(Answer { session: Some(session), upstream: self.clone(), place, clean });
        }
        let error = sent.err().or(read.err());
        let reason = error.map_or_else(|| "no answer".to_owned(), |error| said(&error));
        let before_answer = session.response_header().is_none();
        drop(Abandoned { session: Some(session), upstream: self.clone(), place });
        Err(Broken { before_answer, reason })
    }

    /// Through pingora: HTTP/2, and bodies so large that an answer can overtake them where [`wire`] cannot look for one.
    async fn send_by_pieces(&self, session: &mut HttpSession, length: usize, call: &Call<'_>) -> pingora::Result<Sent> {
        session.set_write_timeout(Some(WRITE_TIMEOUT));
        session.write_request_header(Box::new(self.head(call, length)?)).await?;
        for (at, part) in call.body.iter().enumerate() {
            let mut rest = part.clone();
            while rest.len() > PIECE {
                session.write_request_body(rest.split_to(PIECE), false).await?;
                // Reading a head is safe to begin and give up: what was read is kept for the next time.
                if let Some(read) = read_head(session).now_or_never() {
                    return read.map(|()| Sent::Overtaken);
                }
            }
            session.write_request_body(rest, at + 1 == call.body.len()).await?;
        }
        session.finish_request_body().await?;
        Ok(Sent::Whole)
    }
}

/// A connection, and whether it has served before.
struct Line {
    wire: Wire,
    reused: bool,
}

enum Wire {
    H1(Stream),
    /// HTTP/2: a stream of a shared connection.
    Other(Box<HttpSession>),
}

struct Broken {
    before_answer: bool,
    reason: String,
}

/// Reads a final head, unless it was read before; HTTP/1 delivers interim ones first.
async fn read_head(session: &mut HttpSession) -> pingora::Result<()> {
    if session.response_header().is_some_and(|head| !head.status.is_informational()) {
        return Ok(());
    }
    for _ in 0..=MAX_INTERIM {
        session.read_response_header().await?;
        let interim = session.response_header().is_some_and(|head| head.status.is_informational());
        if !interim {
            return Ok(());
        }
    }
    pingora::Error::e_explain(pingora::ErrorType::InvalidHTTPHeader, "interim answers without end")
}

impl Answer {
    /// HTTP status.
    pub fn status(&self) -> u16 {
        self.head().map_or(0, |head| head.status.as_u16())
    }

    /// A header's first value, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head()?.headers.get(name)?.to_str().ok()
    }

    /// All of them.
    pub fn headers(&self) -> Option<&http::HeaderMap> {
        self.head().map(|head| &head.headers)
    }

    // INVARIANT: the session is there, and has read a head, until `finish` consumes the answer.
    fn head(&self) -> Option<&ResponseHeader> {
        self.session.as_ref()?.response_header()
    }

    /// The next piece of the body, `None` at its end.
    pub async fn read(&mut self) -> Result<Option<Bytes>, CallError> {
        let Some(session) = self.session.as_mut() else { return Ok(None) };
        let read = session.read_response_body().await;
        self.seen(read)
    }

    /// The next piece, if it is already here.
    pub fn ready(&mut self) -> Option<Result<Option<Bytes>, CallError>> {
        let read = {
            let session = self.session.as_mut()?;
            // Outside tokio's budget: a yield in the middle of a batch would only make two writes of one.
            tokio::task::unconstrained(session.read_response_body()).now_or_never()?
        };
        Some(self.seen(read))
    }

    fn seen(&mut self, read: pingora::Result<Option<Bytes>>) -> Result<Option<Bytes>, CallError> {
        match read {
            Ok(None) => {
                if self.clean == Clean::AtEnd {
                    self.clean = Clean::Now;
                }
                Ok(None)
            }
            Ok(piece) => Ok(piece),
            Err(error) => {
                self.clean = Clean::Never;
                Err(CallError { reached: Reached::Head, reason: said(&error) })
            }
        }
    }

    /// Gives the connection back when the whole answer was read; cancels the call otherwise.
    pub async fn finish(mut self) {
        if self.clean != Clean::Now {
            return;
        }
        let pool = &self.upstream.pool;
        match self.session.take().map(|session| *session) {
            Some(HttpSession::H1(mut h1)) => {
                h1.respect_keepalive();
                if let Some(stream) = h1.reuse().await {
                    pool.idle.keep(self.place.key, stream);
                }
            }
            Some(other) => pool.connector.release_http_session(other, &self.place.peer, Some(KEPT)).await,
            None => {}
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            let (upstream, place) = (self.upstream.clone(), self.place.clone());
            drop(Abandoned { session: Some(session), upstream, place });
        }
    }
}

/// A call that nobody waits for any more. On HTTP/1 the socket closes with it; on HTTP/2 only the stream is reset, and the
/// connection must be told so or the pool loses it.
struct Abandoned {
    session: Option<Box<HttpSession>>,
    upstream: Arc<Upstream>,
    place: Arc<Place>,
}

impl Drop for Abandoned {
    fn drop(&mut self) {
        let Some(mut session) = self.session.take() else { return };
        if matches!(*session, HttpSession::H2(_)) {
            // Neither of these waits for anything on HTTP/2.
            let _ = session.shutdown().now_or_never();
            let connector = &self.upstream.pool.connector;
            let release = connector.release_http_session(*session, &self.place.peer, Some(KEPT));
            let _ = release.now_or_never();
        }
    }
}

/// What pingora says, in one line and without the bytes it may quote.
fn said(error: &pingora::Error) -> String {
    let kind = error.etype().as_str();
    match innermost(error.root_cause()) {
        Some(io) => format!("{kind}: {io}"),
        None => kind.to_owned(),
    }
}

/// The operating system's own word, out of whatever wraps it.
fn innermost<'e>(root: &'e (dyn std::error::Error + 'static)) -> Option<&'e std::io::Error> {
    let (mut cause, mut found) = (Some(root), None);
    for _ in 0..MAX_CAUSES {
        let Some(this) = cause else { break };
        let io = this.downcast_ref::<std::io::Error>();
        found = io.or(found);
        // An error that was made from another one counts that one's source as its own, and would pass it over.
        let wrapped = io.and_then(std::io::Error::get_ref);
        cause = wrapped.map_or_else(|| this.source(), |inner| Some(inner));
    }
    found
}

#[cfg(test)]
mod tests {
    use std::io;

    use pingora::ErrorType::ConnectRefused;

    use super::*;

    #[derive(Debug)]
    struct Wrapper(io::Error);

    impl std::fmt::Display for Wrapper {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("could not connect")
        }
    }

    impl std::error::Error for Wrapper {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn a_refused_connection_is_said_in_the_systems_words_however_it_is_wrapped() {
        let refused = || io::Error::from_raw_os_error(111);
        let wanted = format!("ConnectRefused: {}", refused());
        let wrapped = || Wrapper(refused());
        let twice = || io::Error::other(Wrapper(io::Error::other(wrapped())));
        for error in [
            pingora::Error::because(ConnectRefused, "to somewhere", refused()),
            pingora::Error::because(ConnectRefused, "to somewhere", wrapped()),
            pingora::Error::because(ConnectRefused, "to somewhere", twice()),
            pingora::Error::because(
                ConnectRefused,
                "outside",
                pingora::Error::because(ConnectRefused, "inside", twice()),
            ),
        ] {
            assert_eq!(said(&error), wanted);
        }
        assert_eq!(said(&pingora::Error::new(ConnectRefused)), "ConnectRefused");
    }
}
