//! A response body that plays its steps.
//!
//! In: steps, the ticket of the request, the connection it may have to break. Out: frames for hyper. Must not know: why
//! the steps are what they are.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Bytes, Frame, SizeHint};
use tokio::time::Sleep;

use super::script::{Step, Steps};
use super::seen::{End, Ticket};
use super::socket::Control;

/// Wait before a connection is broken, so that what was written before is on the wire and not swept away by the reset.
const FLUSH: Duration = Duration::from_millis(5);

/// See the module.
pub struct Body {
    steps: Steps,
    /// Bytes still to come, if the head announced a length.
    left: Option<u64>,
    wait: Option<Pin<Box<Sleep>>>,
    /// What to do once the wait is over, if it is not the next step.
    breaking: Option<Step>,
    ticket: Ticket,
    control: Arc<Control>,
}

impl Body {
    /// A body of known length (in bytes) or a chunked one.
    pub fn new(steps: Steps, length: Option<u64>, ticket: Ticket, control: Arc<Control>) -> Self {
        let mut body = Self { steps, left: length, wait: None, breaking: None, ticket, control };
        if length == Some(0) {
            body.ticket.end(End::Complete);
        }
        body
    }

    fn send(&mut self, bytes: Bytes, events: u64) -> Frame<Bytes> {
        self.ticket.sent(bytes.len() as u64, events);
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(bytes.len() as u64);
            // hyper asks no further once the announced length is there.
            if *left == 0 {
                self.ticket.end(End::Complete);
            }
        }
        Frame::data(bytes)
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        loop {
            if let Some(wait) = &mut self.wait {
                ready!(wait.as_mut().poll(cx));
                self.wait = None;
            }
            if let Some(step) = self.breaking.take() {
                self.control.reset_on_close(step == Step::Reset);
                self.ticket.end(End::Broken);
                return Poll::Ready(Some(Err(io::Error::other("broken off by a simulated fault"))));
            }
            match self.steps.next() {
                Some(Step::Send(bytes, events)) if !bytes.is_empty() => {
                    return Poll::Ready(Some(Ok(self.send(bytes, events))));
                }
                Some(Step::Send(..)) => {}
                Some(Step::Wait(time)) => self.wait = Some(Box::pin(tokio::time::sleep(time))),
                // hyper watches the connection and drops this body when the client leaves.
                Some(Step::Hang) => {
                    self.steps = Box::new(std::iter::repeat(Step::Wait(super::fault::MAX_WAIT)));
                }
                Some(step @ (Step::Reset | Step::Close)) => {
                    self.breaking = Some(step);
                    self.wait = Some(Box::pin(tokio::time::sleep(FLUSH)));
                }
                None => {
                    self.ticket.end(End::Complete);
                    return Poll::Ready(None);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
