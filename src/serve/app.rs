//! A caller's connection: how long it may be silent, how large a head may be, when it ends.
//!
//! In: accepted connections. Out: sessions whose head was read, one after the other, to a [`Desk`]. Must not know: what a
//! request asks for.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pingora::apps::{HttpPersistentSettings, HttpServerApp, HttpServerOptions, ReusedHttpStream, ServerApp};
use pingora::protocols::Stream;
use pingora::protocols::http::ServerSession;
use pingora::server::ShutdownWatch;
use tokio::io::AsyncWriteExt;

use super::reply::{self, Problem};
use super::tally::{Kind, Tally};

/// Every HTTP/2 connection begins with these bytes (RFC 9113, section 3.4).
const H2_PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How much of them tells HTTP/2 from every HTTP/1 method.
const H2_HINT: usize = 3;
/// A connection that is idle when the process is told to end may still have a request on its way.
const LINGER: Duration = Duration::from_millis(250);
/// What a caller gets when there are too many connections; there is no request to answer in its dialect yet.
const TOO_MANY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nx-should-retry: true\r\n\
    x-wayside-reason: too_many_connections\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: 126\r\n\r\n\
    {\"error\":{\"message\":\"Too many connections to this sidecar.\",\"type\":\"server_error\",\"param\":null,\"code\":\"too_many_connections\"}}";

/// Answers requests.
#[async_trait]
pub trait Desk: Send + Sync + 'static {
    /// Answers the request whose head `session` has read.
    async fn answer(&self, session: &mut ServerSession) -> Ended;
    /// How long this listener waits for callers.
    fn patience(&self) -> Patience;
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Request and answer are complete; the connection can be used again.
    Whole,
    /// Something is missing, and the caller must be able to see that: no clean end.
    Broken,
}

/// How long, and how much, a listener waits for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Bytes of a head.
    pub head: usize,
    /// For a whole head once it began.
    pub read: Duration,
    /// For a caller to take a byte.
    pub write: Duration,
    /// For the next request on a connection.
    pub idle: Duration,
}

/// The way in: counts connections and tells HTTP/2 from HTTP/1.
pub struct Door<D> {
    h1: Arc<Counter<D>>,
    h2: Arc<Counter<D>>,
    tally: Arc<Tally>,
}

/// Takes requests from one connection to the desk.
struct Counter<D> {
    desk: Arc<D>,
    tally: Arc<Tally>,
    options: HttpServerOptions,
}

impl<D: Desk> Door<D> {
    /// A way in to `desk`.
    pub fn new(desk: Arc<D>, tally: Arc<Tally>) -> Self {
        let counter = |h2c| {
            let mut options = HttpServerOptions::default();
            options.h2c = h2c;
            options.h2_idle_timeout = Some(desk.patience().idle);
            Arc::new(Counter { desk: Arc::clone(&desk), tally: Arc::clone(&tally), options })
        };
        Self { h1: counter(false), h2: counter(true), tally: Arc::clone(&tally) }
    }
}

#[async_trait]
impl<D: Desk> ServerApp for Door<D> {
    async fn process_new(self: &Arc<Self>, mut stream: Stream, shutdown: &ShutdownWatch) -> Option<Stream> {
        let Some(_counted) = self.tally.enter(Kind::Connection) else {
            let refused = async {
                stream.write_all(TOO_MANY).await?;
                stream.flush().await?;
                AsyncWriteExt::shutdown(&mut stream).await?;
                Ok::<_, std::io::Error>(())
            };
            let _ = tokio::time::timeout(LINGER, refused).await;
            return None;
        };
        let mut first = [0; H2_PREFACE.len()];
        let patience = self.h1.desk.patience();
        // pingora would wait for the preface without a limit.
        let hint = tokio::time::timeout(patience.idle, stream.try_peek(&mut first[..H2_HINT]));
        let hint = until_draining(shutdown, hint).await?.ok()?.ok()?;
        if !hint || first[..H2_HINT] != H2_PREFACE[..H2_HINT] {
            return self.h1.process_new(stream, shutdown).await;
        }
        tokio::time::timeout(patience.read, stream.try_peek(&mut first)).await.ok()?.ok()?;
        self.h2.process_new(stream, shutdown).await
    }
}

#[async_trait]
impl<D: Desk> HttpServerApp for Counter<D> {
    async fn process_new_http(
        self: &Arc<Self>,
        mut session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        let patience = self.desk.patience();
        // One limit over the silence before a head and the head itself, so that drops of a byte do not add up.
        let head = tokio::time::timeout(patience.idle + patience.read, session.read_request());
        let head = until_draining(shutdown, head).await?.ok()?;
        let ended = match head {
            Ok(false) => return None,
            Ok(true) => {
                // pingora takes the limit away when it reads a head.
                let idle = if self.tally.is_draining() { None } else { Some(patience.idle.as_secs().max(1)) };
                session.set_keepalive(idle);
                session.set_read_timeout(Some(patience.read));
                session.set_write_timeout(Some(patience.write));
                // What is rare is on the heap here and below: the future of every request is moved there, and is as large as its
                // largest part.
                if head_size(&session) > patience.head {
                    Box::pin(reply::problem(&mut session, &Problem::head_too_large(patience.head))).await
                } else {
                    self.desk.answer(&mut session).await
                }
            }
            Err(error) => {
                tracing::debug!("a head that cannot be read: {error}");
                Box::pin(reply::unreadable(&mut session)).await
            }
        };
        if ended == Ended::Broken {
            session.shutdown().await;
            return None;
        }
        if self.tally.is_draining() {
            session.set_keepalive(None);
        }
        // Taken before `finish`, which consumes the session.
        let settings = HttpPersistentSettings::for_session(&session);
        let reusable = session.finish().await.ok()??;
        Some(ReusedHttpStream::from_reusable_stream(reusable, settings))
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        Some(&self.options)
    }
}

/// Bytes of the head as the caller sent it; HTTP/2 has its own limit in pingora and is measured unpacked.
fn head_size(session: &ServerSession) -> usize {
    match session.as_http1() {
        Some(h1) => h1.get_headers_raw_bytes().len(),
        None => session.req_header().headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum(),
    }
}

/// Waits for `event`; once the process drains, only a little longer.
async fn until_draining<T>(shutdown: &ShutdownWatch, event: impl Future<Output = T>) -> Option<T> {
    let mut shutdown = shutdown.clone();
    tokio::pin!(event);
    let told = async {
        // An error means that the sender is gone, which is as good as being told.
        let _ = shutdown.wait_for(|told| *told).await;
        tokio::time::sleep(LINGER).await;
    };
    tokio::select! {
        biased;
        happened = &mut event => Some(happened),
        () = told => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_of_a_connection_has_the_length_it_says() {
        let text = std::str::from_utf8(TOO_MANY).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{}", body.len());
        assert!(serde_json::from_str::<serde_json::Value>(body).is_ok());
    }
}
