//! Comments to a caller whose stream is held whole.
//!
//! In: how long a caller may hear nothing. Out: comment lines. Must not know: hops, events.
//!
//! The first comment brings the head with it: from then on the status is 200, and what goes wrong is told by an event. The official
//! clients pass over comments (openai Python 3.54.0, Node 7.57.0).

use std::time::Duration;

use bytes::Bytes;
use pingora::http::ResponseHeader;
use pingora::protocols::http::ServerSession;
use tokio::time::{Instant, sleep_until};

use crate::dialect::Dialect;

/// What a caller's clients pass over in the middle of a stream; `None` where they pass over nothing: Google's clients take every
/// line for a part of an answer.
const fn comment(dialect: Dialect) -> Option<&'static [u8]> {
    match dialect {
        Dialect::Chat | Dialect::Responses => Some(b": keep-alive\n\n"),
        Dialect::Messages => Some(b"event: ping\ndata: {\"type\": \"ping\"}\n\n"),
        Dialect::Gemini | Dialect::Converse | Dialect::Embeddings => None,
    }
}

/// For one held stream.
pub struct KeepAlive {
    every: Duration,
    next: Instant,
    head: Option<Box<ResponseHeader>>,
    comment: &'static [u8],
}

impl KeepAlive {
    /// A comment whenever nothing was heard for `every`; `head` goes in front of the first. `None` where the caller's clients
    /// would stumble over it.
    pub fn new(dialect: Dialect, every: Duration, head: ResponseHeader) -> Option<Self> {
        let comment = comment(dialect)?;
        Some(Self { every, next: Instant::now() + every, head: Some(Box::new(head)), comment })
    }

    /// Sends one. An error means that the caller is gone.
    pub async fn send(&mut self, session: &mut ServerSession) -> pingora::Result<()> {
        self.next = Instant::now() + self.every;
        if let Some(head) = self.head.take() {
            session.write_response_header(head).await?;
        }
        session.write_response_body(Bytes::from_static(self.comment), false).await
    }
}

/// Completes when a comment is due; never without one.
pub async fn due(keep_alive: Option<&KeepAlive>) {
    match keep_alive {
        Some(keep_alive) => sleep_until(keep_alive.next).await,
        None => std::future::pending().await,
    }
}

/// Sends what is due, and says whether the caller is still there.
pub async fn send(keep_alive: &mut Option<KeepAlive>, session: &mut ServerSession) -> bool {
    match keep_alive {
        Some(keep_alive) => keep_alive.send(session).await.is_ok(),
        None => true,
    }
}
