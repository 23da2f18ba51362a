//! Tickets as entries of a Redis stream.
//!
//! In: a ticket, its first line and its body. Out: one entry, or why there is none. Must not know: queues.
//!
//! An entry has the fields `ticket`, `queue`, `about` (what is known about the request, as JSON) and `body` (as the caller sent
//! it). It is never trimmed away: `XADD` with `MAXLEN` would delete the oldest ticket, which somebody was promised. A stream that is
//! full takes no more instead, and whoever works it deletes what is done (`XDEL`). How durable an entry is, is up to the server:
//! with `appendfsync always` it is on a disk before its caller hears of it.

use std::sync::Arc;

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, RedisError};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use super::{UNDER_WAY, Undelivered};
use crate::config::Secret;
use crate::spool::Ticket;
use crate::units::Millis;

/// Both at once, so that all sidecars of a server together keep to the limit. Nothing is answered when the stream is full.
const ADD: &str = "if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[1]) then return false end \
    return redis.call('XADD', KEYS[1], '*', 'ticket', ARGV[2], 'queue', ARGV[3], 'about', ARGV[4], 'body', ARGV[5])";

/// A stream on a server.
pub struct RedisStream {
    client: Client,
    stream: Box<str>,
    entries: u64,
    /// One for all tickets, made with the first of them and given up when it breaks.
    open: Mutex<Option<Arc<MultiplexedConnection>>>,
}

impl RedisStream {
    /// Prepares it.
    pub fn new(server: &Secret, stream: &str, entries: u64) -> Result<Self, String> {
        // Said without the URL: it may hold a password.
        let client = Client::open(server.expose()).map_err(|_| "`redis` is not the URL of a server".to_owned())?;
        Ok(Self { client, stream: stream.into(), entries, open: Mutex::default() })
    }

    /// Appends one entry. A connection that turns out to be dead is replaced once, because it may have been idle for long.
    pub async fn add(
        &self,
        ticket: &Ticket,
        mut head: Vec<u8>,
        body: &Bytes,
        limit: Millis,
    ) -> Result<(), Undelivered> {
        let until = Instant::now() + limit.duration();
        head.truncate(head.trim_ascii_end().len());
        let mut entry = redis::cmd("EVAL");
        entry.arg(ADD).arg(1).arg(&*self.stream).arg(self.entries);
        entry.arg(ticket.ticket.as_str()).arg(&ticket.queue).arg(head).arg(&body[..]);
        let (connection, fresh) = self.connected(until, limit).await?;
        match self.send(&entry, connection, until, limit).await {
            Err(Undelivered::Network(_)) if !fresh => {
                let (connection, _) = self.connected(until, limit).await?;
                self.send(&entry, connection, until, limit).await
            }
            sent => sent,
        }
    }

    /// The open connection, or a new one. Only one is made at a time: the others wait for it.
    async fn connected(
        &self,
        until: Instant,
        limit: Millis,
    ) -> Result<(Arc<MultiplexedConnection>, bool), Undelivered> {
        let connected = async {
            let mut open = self.open.lock().await;
            if let Some(open) = &*open {
                return Ok((Arc::clone(open), false));
            }
            // The limit is the one around all of this.
            let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
            let config = config.set_pipeline_buffer_size(UNDER_WAY);
            let made = self.client.get_multiplexed_async_connection_with_config(&config).await.map_err(why)?;
            Ok((Arc::clone(open.insert(Arc::new(made))), true))
        };
        timeout_at(until, connected).await.unwrap_or(Err(Undelivered::Late(limit)))
    }

    async fn send(
        &self,
        entry: &Cmd,
        connection: Arc<MultiplexedConnection>,
        until: Instant,
        limit: Millis,
    ) -> Result<(), Undelivered> {
        // Clones share one connection, and whatever runs on it still ends there when this one gives it up.
        let mut shared = MultiplexedConnection::clone(&connection);
        let sent = match timeout_at(until, entry.query_async::<Option<String>>(&mut shared)).await {
            Ok(Ok(Some(_))) => return Ok(()),
            Ok(Ok(None)) => return Err(Undelivered::Full(self.entries)),
            Ok(Err(error)) => why(error),
            Err(_) => Undelivered::Late(limit),
        };
        if !matches!(sent, Undelivered::Refused(_)) {
            let mut open = self.open.lock().await;
            if open.as_ref().is_some_and(|open| Arc::ptr_eq(open, &connection)) {
                *open = None;
            }
        }
        Err(sent)
    }
}

fn why(error: RedisError) -> Undelivered {
    if error.is_io_error() || error.is_unrecoverable_error() {
        Undelivered::Network(error.to_string())
    } else {
        Undelivered::Refused(error.to_string())
    }
}
