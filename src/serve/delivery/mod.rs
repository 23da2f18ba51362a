//! Tickets on their way to where people already work: a webhook, a Redis stream.
//!
//! In: a ticket and its body. Out: whether somebody else has it now; if not, it waits on this disk. Must not know: requests,
//! callers.

mod redis_stream;
mod webhook;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Semaphore;

use super::ask::aside;
use crate::config::{Delivery, Sink};
use crate::spool::{MAX_HEAD, Ticket};
use crate::units::Millis;
use crate::upstream::{Pools, Upstream};
use redis_stream::RedisStream;
use webhook::Webhook;

/// The sum of a larger body is taken aside: other requests of the same thread should not wait for it.
const LONG_SUM: usize = 256 << 10;
/// Deliveries of one queue under way. One ticket more goes to this disk at once: where a service is slow, no more callers than
/// these wait for it, and it gets no more at a time.
const UNDER_WAY: usize = 64;

/// One place that takes tickets.
pub struct Deliverer {
    /// What it was made from.
    pub settings: Delivery,
    to: To,
    under_way: Semaphore,
}

enum To {
    Webhook(Webhook),
    Stream(RedisStream),
}

/// Why a ticket was not delivered, as far as anybody here knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undelivered {
    /// [`UNDER_WAY`] others are.
    Busy,
    /// What is known about the request is longer than [`MAX_HEAD`].
    TooLong,
    /// No answer came in this time.
    Late(Millis),
    /// An answer that is no 2xx.
    Status(u16),
    /// The stream has as many entries as `entries` of its queue allows.
    Full(u64),
    /// The server says no.
    Refused(String),
    /// No connection, or it broke.
    Network(String),
}

impl Undelivered {
    /// As metrics label it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::TooLong => "too_long",
            Self::Late(_) => "timeout",
            Self::Status(_) => "status",
            Self::Full(_) => "full",
            Self::Refused(_) => "refused",
            Self::Network(_) => "network",
        }
    }
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => write!(f, "{UNDER_WAY} deliveries are under way"),
            Self::TooLong => write!(f, "what is known about the request is longer than {MAX_HEAD} bytes"),
            Self::Late(limit) => write!(f, "no answer within {limit}"),
            Self::Status(status) => write!(f, "it answered with status {status}"),
            Self::Full(entries) => write!(f, "the stream has {entries} entries, as many as `entries` allows"),
            Self::Refused(why) | Self::Network(why) => f.write_str(why),
        }
    }
}

impl Deliverer {
    /// Prepares it. Nothing is connected yet.
    ///
    /// # Errors
    /// What is wrong with its configuration.
    pub fn new(settings: &Delivery, pools: &Pools) -> Result<Self, String> {
        let to = match &settings.sink {
            Sink::Webhook { service, query } => To::Webhook(Webhook::new(service, query.as_ref(), pools)?),
            Sink::Stream { server, stream, entries } => To::Stream(RedisStream::new(server, stream, *entries)?),
        };
        Ok(Self { settings: settings.clone(), to, under_way: Semaphore::new(UNDER_WAY) })
    }

    /// The host to look up now and then.
    pub const fn upstream(&self) -> Option<&Arc<Upstream>> {
        match &self.to {
            To::Webhook(webhook) => Some(&webhook.upstream),
            // Looked up with every connection, which lives for as long as the server does.
            To::Stream(_) => None,
        }
    }

    /// Hands a ticket over within the configured time.
    ///
    /// # Errors
    /// Why nobody may have it. Somebody may all the same, and then sees its name twice.
    pub async fn deliver(&self, ticket: &Ticket, body: &Bytes) -> Result<(), Undelivered> {
        let _place = self.under_way.try_acquire().map_err(|_| Undelivered::Busy)?;
        let head = aside(body.len() >= LONG_SUM, || ticket.head(body)).ok_or(Undelivered::TooLong)?;
        match &self.to {
            To::Webhook(webhook) => webhook.post(head, body, self.settings.timeout).await,
            To::Stream(stream) => stream.add(ticket, head, body, self.settings.timeout).await,
        }
    }
}
