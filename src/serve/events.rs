//! Events out of an upstream's body, as they arrive.
//!
//! In: an [`Answer`] whose body is a stream of events. Out: one event after the other. Must not know: what events mean, time.

use bytes::Bytes;

use crate::dialect::Dialect;
use crate::dialect::framing::Framer;
use crate::dialect::sse::Event;
use crate::upstream::{Answer, CallError};

/// An upstream's stream.
pub struct Events {
    answer: Answer,
    framer: Framer,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// More may come.
    Open,
    /// The body ended; what is in the framer is all there is.
    Clean,
    /// Nothing is left.
    Drained,
}

/// What comes next.
#[derive(Debug)]
pub enum Next {
    /// An event.
    Event(Event),
    /// The body ended as it should.
    End,
    /// It broke off, or an event was larger than the limit.
    Broken(String),
}

impl Events {
    /// Out of the body of `answer`, if it is a stream in this dialect.
    pub fn of(answer: Answer, dialect: Dialect) -> Result<Self, Answer> {
        let media_type = answer.header("content-type").unwrap_or_default();
        let Some(framer) = Framer::of(media_type, dialect) else { return Err(answer) };
        Ok(Self { answer, framer, end: End::Open })
    }

    /// What they come out of.
    pub const fn answer(&self) -> &Answer {
        &self.answer
    }

    /// Waits for the next event. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Next {
        loop {
            if let Some(next) = self.framed() {
                return next;
            }
            let read = self.answer.read().await;
            if let Some(broken) = self.take(read) {
                return broken;
            }
        }
    }

    /// The next event, if it is already here.
    pub fn ready(&mut self) -> Option<Next> {
        loop {
            if let Some(next) = self.framed() {
                return Some(next);
            }
            let read = self.answer.ready()?;
            if let Some(broken) = self.take(read) {
                return Some(broken);
            }
        }
    }

    fn framed(&mut self) -> Option<Next> {
        match self.framer.next_event() {
            Err(broken) => return Some(Next::Broken(broken)),
            Ok(Some(event)) => return Some(Next::Event(event)),
            Ok(None) => {}
        }
        match self.end {
            End::Open => None,
            End::Clean => {
                self.end = End::Drained;
                Some(match self.framer.finish() {
                    Ok(last) => last.map_or(Next::End, Next::Event),
                    Err(broken) => Next::Broken(broken),
                })
            }
            End::Drained => Some(Next::End),
        }
    }

    fn take(&mut self, read: Result<Option<Bytes>, CallError>) -> Option<Next> {
        match read {
            Ok(Some(piece)) => self.framer.push(piece),
            Ok(None) => self.end = End::Clean,
            Err(error) => return Some(Next::Broken(error.reason)),
        }
        None
    }

    /// Gives the connection back if the body is at its end; cancels the call otherwise.
    pub async fn finish(self) {
        self.answer.finish().await;
    }
}
