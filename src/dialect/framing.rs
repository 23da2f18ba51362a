//! Events out of a body in any of the framings that providers have.
//!
//! In: chunks of a body, in any pieces. Out: one event after the other, each as lines say it. Must not know: what events mean, time.

use bytes::Bytes;

use super::room::Room;
use super::sse::{self, Event};
use super::{Dialect, event_stream, messages};

/// How events are told apart in bytes.
pub enum Framer {
    /// As lines of text.
    Lines(sse::Framer),
    /// As frames, each of which is an event, and where events are put together.
    Frames(event_stream::Framer, Room),
    /// The same, where an event of Messages is in each frame.
    Chunks(event_stream::Framer, Room),
}

impl Framer {
    /// For a body of this media type in this dialect; `None` for one that is no stream.
    pub fn of(media_type: &str, dialect: Dialect) -> Option<Self> {
        let is = |wanted: &str| media_type.get(..wanted.len()).is_some_and(|given| given.eq_ignore_ascii_case(wanted));
        match dialect {
            Dialect::Converse => {
                is(event_stream::MEDIA_TYPE).then(|| Self::Frames(Default::default(), Room::default()))
            }
            Dialect::Messages if is(event_stream::MEDIA_TYPE) => {
                Some(Self::Chunks(Default::default(), Room::default()))
            }
            _ => is("text/event-stream").then(|| Self::Lines(Default::default())),
        }
    }

    /// Takes what arrived.
    pub fn push(&mut self, piece: Bytes) {
        match self {
            Self::Lines(framer) => framer.push(piece),
            Self::Frames(framer, _) | Self::Chunks(framer, _) => framer.push(piece),
        }
    }

    /// The next complete event.
    ///
    /// # Errors
    /// Why nothing that follows can be read.
    pub fn next_event(&mut self) -> Result<Option<Event>, String> {
        match self {
            Self::Lines(framer) => {
                framer.next_event().map_err(|too_large| format!("an event of more than {} bytes", too_large.limit))
            }
            Self::Frames(framer, room) => {
                let frame = framer.next_event().map_err(|broken| broken.to_string())?;
                Ok(frame.map(|frame| Event::framed(frame.name().unwrap_or_default(), frame.data(), room)))
            }
            Self::Chunks(framer, room) => loop {
                let Some(frame) = framer.next_event().map_err(|broken| broken.to_string())? else { return Ok(None) };
                if let Some(event) = messages::chunk::event(frame.name().unwrap_or_default(), frame.data(), room) {
                    return Ok(Some(event));
                }
            },
        }
    }

    /// After a clean end of the body: the event that nothing ended, if there is one.
    ///
    /// # Errors
    /// The body ended in the middle of a frame.
    pub fn finish(&mut self) -> Result<Option<Event>, String> {
        match self {
            Self::Lines(framer) => Ok(framer.finish()),
            Self::Frames(framer, _) | Self::Chunks(framer, _) => {
                framer.finish().map(|()| None).map_err(|broken| broken.to_string())
            }
        }
    }
}
