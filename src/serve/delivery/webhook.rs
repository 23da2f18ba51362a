//! Tickets as HTTP requests.
//!
//! In: a ticket's first line and its body. Out: a POST, and whether a 2xx came back. Must not know: queues.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use super::Undelivered;
use crate::config::{Provider, Secret};
use crate::units::Millis;
use crate::upstream::{Answer, Call, Pools, Upstream};

/// Bytes of an answer that are read so that its connection can be used again.
const MAX_ANSWER: usize = 64 << 10;

/// A service that takes tickets.
pub struct Webhook {
    /// Where it is.
    pub upstream: Arc<Upstream>,
}

impl Webhook {
    /// Prepares it.
    pub fn new(provider: &Arc<Provider>, query: Option<&Secret>, pools: &Pools) -> Result<Self, String> {
        let query = query.map(|query| format!("?{}", query.expose())).unwrap_or_default();
        Ok(Self { upstream: Arc::new(Upstream::posting(Arc::clone(provider), pools, &query)?) })
    }

    /// Posts `{…the ticket…,"body":…}`; every 2xx takes it. Redirections are not followed: a ticket goes where it was sent.
    pub async fn post(&self, mut head: Vec<u8>, body: &Bytes, limit: Millis) -> Result<(), Undelivered> {
        const END: &[u8] = b"}\n";
        // INVARIANT: the head is an object with members, and the body was read as JSON to its end when it was admitted.
        head.truncate(head.len().saturating_sub(END.len()));
        head.extend_from_slice(b",\"body\":");
        let document = [head.into(), body.clone(), Bytes::from_static(b"}")];
        let until = Instant::now() + limit.duration();
        let called = timeout_at(until, self.upstream.call(&Call::of(&document))).await;
        let answer = called.map_err(|_| Undelivered::Late(limit))?;
        let answer = answer.map_err(|error| Undelivered::Network(error.reason))?;
        let status = answer.status();
        // The status says enough, whatever becomes of the rest.
        let _ = timeout_at(until, read_out(answer)).await;
        if (200..300).contains(&status) { Ok(()) } else { Err(Undelivered::Status(status)) }
    }
}

/// Reads an answer to its end for the sake of its connection, which closes if that is far away.
async fn read_out(mut answer: Answer) {
    let mut left = MAX_ANSWER;
    while let Ok(piece) = answer.read().await {
        let Some(piece) = piece else { return answer.finish().await };
        if piece.len() > left {
            return;
        }
        left -= piece.len();
    }
}
