//! A released stream on its way to the caller.
//!
//! In: a [`Live`] stream and the caller's connection. Out: its events in order, each as soon as it is here, and how it ended.
//! Must not know: hops, policies.
//!
//! Events that are ready together are written together; none waits for another. Nothing is read from the upstream while the
//! caller does not take what was written, so a slow reader costs one batch of memory. A stream that breaks ends with an error
//! event and an unclean end: whoever reads it can tell half an answer from a whole one.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use pingora::http::ResponseHeader;
use pingora::protocols::http::ServerSession;
use tokio::time::Instant;

use super::attempt::{Live, MAX_HELD};
use super::caller::client_gone;
use super::entrance;
use super::events::{Events, Next};
use super::judge::{Verdict, Watch};
use super::silence::Silence;
use crate::dialect::caller_error::CallerError;
use crate::failure::Failure;

/// Events that are ready are joined up to this size.
const BATCH: usize = 16 << 10;
/// HTTP/2 throws away what was not sent yet when a stream is reset; the error event gets this long.
const H2_FLUSH: Duration = Duration::from_millis(20);
/// After its last event, a stream's body should end at once; otherwise the connection is given up.
const TAIL: Duration = Duration::from_millis(50);

/// How long a released stream may take.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Between events.
    pub idle: Duration,
    /// In total.
    pub until: Instant,
}

/// How a released stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relayed {
    /// With its terminal event.
    Whole,
    /// Broken. The caller was told by an event, unless another hop may take the stream up: then [`broken`] is still to come.
    Cut(Failure),
    /// The caller left, or takes nothing any more.
    ClientGone,
}

/// What went over the wire.
pub struct Sent {
    /// How it ended.
    pub how: Relayed,
    /// Bytes of events.
    pub bytes: u64,
    /// What the stream said about itself.
    pub watch: Watch,
    /// Everything that was sent, if that was asked for and is no larger.
    pub kept: Option<Vec<u8>>,
}

/// Writes the head, if it is not out yet, and every event; keeps a copy of up to `keep` bytes.
pub async fn relay(
    session: &mut ServerSession,
    head: Option<ResponseHeader>,
    live: Live,
    timing: Timing,
    keep: Option<u64>,
) -> Sent {
    let kept = keep.map(|limit| (Vec::new(), limit));
    let (silence, batch) = (Silence::new(timing.idle, timing.until), Batch::default());
    let mut relay = Relay { events: live.events, watch: live.watch, silence, batch, bytes: 0, kept };
    let begun = match head {
        Some(head) => session.write_response_header(Box::new(head)).await,
        None => Ok(()),
    };
    let how = match begun {
        Ok(()) => relay.run(session, live.held, live.complete).await,
        Err(_) => Relayed::ClientGone,
    };
    let Relay { events, watch, bytes, kept, .. } = relay;
    if how == Relayed::Whole {
        // The last event is there; what is left is the end of the body.
        tail(events).await;
    }
    Sent { how, bytes, watch, kept: kept.map(|(kept, _)| kept) }
}

/// Tells the caller that the answer is not whole.
pub async fn broken(session: &mut ServerSession, failure: Failure) {
    fail(session, &CallerError::cut(failure)).await;
}

/// Tells the caller of a stream that has begun what is wrong. Nothing may follow.
pub async fn fail(session: &mut ServerSession, error: &CallerError) {
    if session.write_response_body(error.event(entrance::dialect(session)).into(), false).await.is_ok()
        && session.is_http2()
    {
        tokio::time::sleep(H2_FLUSH).await;
    }
}

struct Relay {
    events: Events,
    watch: Watch,
    silence: Silence,
    batch: Batch,
    bytes: u64,
    kept: Option<(Vec<u8>, u64)>,
}

/// Whether the stream goes on.
enum Flow {
    On,
    End(Result<(), Failure>),
}

impl Relay {
    async fn run(&mut self, session: &mut ServerSession, held: Vec<Bytes>, complete: bool) -> Relayed {
        held.into_iter().for_each(|event| self.batch.add(event));
        let mut flow = if complete { Flow::End(Ok(())) } else { Flow::On };
        loop {
            while matches!(flow, Flow::On) && self.batch.len() < BATCH {
                let Some(next) = self.events.ready() else { break };
                flow = self.take(next);
            }
            if let Flow::End(ended) = flow {
                return self.end(session, ended).await;
            }
            if self.write(session).await.is_err() {
                return Relayed::ClientGone;
            }
            flow = match self.wait(session).await {
                Ok(next) => self.take(next),
                Err(Relayed::Cut(failure)) => Flow::End(Err(failure)),
                Err(gone) => return gone,
            };
        }
    }

    async fn wait(&mut self, session: &mut ServerSession) -> Result<Next, Relayed> {
        // The time that the caller took for what was written is nobody's silence.
        self.silence.heard();
        tokio::select! {
            biased;
            next = self.events.next() => Ok(next),
            () = client_gone(session) => Err(Relayed::ClientGone),
            () = self.silence.over() => Err(Relayed::Cut(Failure::Timeout)),
        }
    }

    fn take(&mut self, next: Next) -> Flow {
        match next {
            Next::Broken(_) => Flow::End(Err(Failure::Network)),
            Next::End => Flow::End(self.watch.end().map_err(|error| error.failure)),
            Next::Event(event) => match self.watch.event(event) {
                (Verdict::Content | Verdict::Declined(_) | Verdict::Quiet, bytes) => {
                    if self.watch.output().is_some_and(|output| output.len() > MAX_HELD) {
                        self.watch.take_output();
                    }
                    self.batch.add(bytes);
                    if self.watch.ended() {
                        Flow::End(self.watch.end().map_err(|error| error.failure))
                    } else {
                        Flow::On
                    }
                }
                (Verdict::Drop, _) => Flow::On,
                (Verdict::Done, _) => Flow::End(Ok(())),
                (Verdict::Failed(error), _) => Flow::End(Err(error.failure)),
            },
        }
    }

    async fn write(&mut self, session: &mut ServerSession) -> pingora::Result<()> {
        let batch = self.batch.take();
        if batch.is_empty() {
            return Ok(());
        }
        self.sent(&batch);
        session.write_response_body(batch, false).await
    }

    fn sent(&mut self, batch: &Bytes) {
        self.bytes += batch.len() as u64;
        if let Some((kept, limit)) = &mut self.kept {
            if self.bytes > *limit {
                self.kept = None;
            } else {
                kept.extend_from_slice(batch);
            }
        }
    }

    async fn end(&mut self, session: &mut ServerSession, ended: Result<(), Failure>) -> Relayed {
        match ended {
            Ok(()) => self.batch.add(self.watch.closing()),
            Err(_) if self.watch.output().is_some() => {}
            Err(failure) => self.batch.add(CallerError::cut(failure).event(entrance::dialect(session)).into()),
        }
        let whole = ended.is_ok();
        let batch = self.batch.take();
        self.sent(&batch);
        if (whole || !batch.is_empty()) && session.write_response_body(batch, whole).await.is_err() {
            return Relayed::ClientGone;
        }
        if !whole && session.is_http2() {
            tokio::time::sleep(H2_FLUSH).await;
        }
        ended.map_or_else(Relayed::Cut, |()| Relayed::Whole)
    }
}

/// Reads to the end of the body, so that the connection can be used again.
async fn tail(mut events: Events) {
    let ended = async { while !matches!(events.next().await, Next::End | Next::Broken(_)) {} };
    if tokio::time::timeout(TAIL, ended).await.is_ok() {
        events.finish().await;
    }
}

/// Events that are written together. The first one is not copied, and most batches have only one.
#[derive(Default)]
struct Batch {
    first: Bytes,
    joined: BytesMut,
}

impl Batch {
    fn add(&mut self, event: Bytes) {
        if event.is_empty() {
            return;
        }
        if self.len() == 0 {
            self.first = event;
            return;
        }
        if self.joined.is_empty() {
            self.joined.reserve(self.first.len() + event.len());
            self.joined.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.joined.extend_from_slice(&event);
    }

    fn len(&self) -> usize {
        self.first.len() + self.joined.len()
    }

    fn take(&mut self) -> Bytes {
        if self.joined.is_empty() { std::mem::take(&mut self.first) } else { self.joined.split().freeze() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_keeps_order_and_does_not_copy_a_single_event() {
        let mut batch = Batch::default();
        let one = Bytes::from_static(b"one");
        batch.add(one.clone());
        assert_eq!(batch.take().as_ptr(), one.as_ptr());
        for event in ["a", "b", "c"] {
            batch.add(event.into());
        }
        assert_eq!((batch.len(), batch.take()), (3, Bytes::from_static(b"abc")));
        assert!(batch.take().is_empty());
    }
}
