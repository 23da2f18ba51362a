//! Amazon's event-stream frames out of bytes that arrive in any pieces.
//!
//! In: chunks of a response body of type `application/vnd.amazon.eventstream`. Out: complete events, each with its name and its
//! payload. Must not know: what the payload means.
//!
//! Checksums, headers and types are read by Amazon's own crate; this room finds where a frame ends, bounds it, and says what it
//! is called.

use std::fmt;

use aws_smithy_eventstream::frame::read_message_from;
use aws_smithy_types::event_stream::Message;
use bytes::Bytes;

use super::chunks::Unread;

/// The media type of such a body.
pub const MEDIA_TYPE: &str = "application/vnd.amazon.eventstream";
/// Largest frame, in bytes: as much as a held stream may keep. The format allows 16 MiB and more.
pub const MAX_FRAME: usize = 4 * 1024 * 1024;

/// Lengths and their checksum, which every frame begins with.
const PRELUDE: usize = 12;
/// A frame without headers and payload.
const EMPTY: usize = PRELUDE + 4;

/// Why a stream is of no further use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// A frame says that it is larger than the limit.
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// A checksum or a length is wrong.
    Damaged(String),
    /// The body ended inside a frame.
    Cut,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { limit } => write!(f, "an event of more than {limit} bytes"),
            Self::Damaged(reason) => write!(f, "a damaged frame: {reason}"),
            Self::Cut => f.write_str("the body ended inside a frame"),
        }
    }
}

/// One event.
#[derive(Clone, Debug)]
pub struct Event {
    message: Message,
    name: Option<usize>,
}

impl Event {
    /// Its `:event-type` or `:exception-type`; the `:error-code` of a frame that reports an error without a type.
    pub fn name(&self) -> Option<&[u8]> {
        let header = self.message.headers().get(self.name?)?;
        header.value().as_string().ok().map(|name| name.as_str().as_bytes())
    }

    /// Its payload: JSON.
    pub fn data(&self) -> &Bytes {
        self.message.payload()
    }

    fn of(message: Message) -> Self {
        let named = |word: &str| message.headers().iter().position(|header| header.name().as_str() == word);
        let name = [":event-type", ":exception-type", ":error-code"].into_iter().find_map(named);
        Self { message, name }
    }
}

/// Cuts a body into events.
#[derive(Debug)]
pub struct Framer {
    limit: usize,
    unread: Unread,
}

impl Default for Framer {
    fn default() -> Self {
        Self::with_limit(MAX_FRAME)
    }
}

impl Framer {
    /// With another limit than [`MAX_FRAME`].
    pub fn with_limit(limit: usize) -> Self {
        Self { limit, unread: Unread::default() }
    }

    /// Takes what arrived. Take all events before the next push, else the chunk is copied.
    pub fn push(&mut self, chunk: Bytes) {
        self.unread.push(chunk);
    }

    /// The next complete event.
    ///
    /// # Errors
    /// [`Broken`]: nothing that follows can be told from noise.
    pub fn next_event(&mut self) -> Result<Option<Event>, Broken> {
        let Some(length) = self.unread.bytes().first_chunk().map(|length| u32::from_be_bytes(*length) as usize) else {
            self.unread.keep();
            return Ok(None);
        };
        if length > self.limit {
            return Err(Broken::TooLarge { limit: self.limit });
        }
        if length < EMPTY {
            return Err(Broken::Damaged(format!(
                "it says that it has {length} bytes, and none has fewer than {EMPTY}"
            )));
        }
        if self.unread.bytes().len() < length {
            self.unread.keep();
            return Ok(None);
        }
        let message =
            read_message_from(self.unread.take(length)).map_err(|error| Broken::Damaged(error.to_string()))?;
        Ok(Some(Event::of(message)))
    }

    /// After a clean end of the body.
    ///
    /// # Errors
    /// [`Broken::Cut`] when it ended inside a frame.
    pub fn finish(&self) -> Result<(), Broken> {
        if self.pending() > 0 { Err(Broken::Cut) } else { Ok(()) }
    }

    /// Bytes of an event that is not complete.
    pub fn pending(&self) -> usize {
        self.unread.bytes().len()
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_eventstream::frame::write_message_to;
    use aws_smithy_types::event_stream::{Header, HeaderValue};
    use bytes::BytesMut;

    use super::*;

    fn frame(name: &str, exception: bool, payload: &[u8]) -> Bytes {
        let (kind, key) = if exception { ("exception", ":exception-type") } else { ("event", ":event-type") };
        let text = |name: &'static str, value: &str| Header::new(name, HeaderValue::String(value.to_owned().into()));
        let message = Message::new(Bytes::copy_from_slice(payload))
            .add_header(text(key, name))
            .add_header(text(":content-type", "application/json"))
            .add_header(text(":message-type", kind));
        let mut out = BytesMut::new();
        write_message_to(&message, &mut out).unwrap();
        out.freeze()
    }

    fn stream() -> Vec<u8> {
        let events = [
            ("messageStart", false, r#"{"role":"assistant"}"#),
            ("contentBlockDelta", false, r#"{"contentBlockIndex":0,"delta":{"text":"grün 😀"}}"#),
            ("nothing", false, ""),
            ("throttlingException", true, r#"{"message":"slow down"}"#),
        ];
        events.iter().flat_map(|(name, exception, data)| frame(name, *exception, data.as_bytes())).collect()
    }

    fn run(pieces: &[&[u8]]) -> Result<Vec<(String, String)>, Broken> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let mut framer = Framer::default();
        let mut seen = Vec::new();
        for piece in pieces {
            framer.push(Bytes::copy_from_slice(piece));
            while let Some(event) = framer.next_event()? {
                seen.push((text(event.name().unwrap_or(b"?")), text(event.data())));
            }
        }
        framer.finish()?;
        Ok(seen)
    }

    /// A frame made by other means, its checksums by zlib, so that the crate is not its own witness.
    const ELSEWHERE: &str = concat!(
        "000000590000003076f8427f0b3a6576656e742d7479706507000b6d65737361676553746f700d3a6d6573736167652d",
        "747970650700056576656e747b2273746f70526561736f6e223a22656e645f7475726e227d46f749bc",
    );

    #[test]
    fn a_frame_written_elsewhere_is_read() {
        let byte = |at: usize| u8::from_str_radix(&ELSEWHERE[at..at + 2], 16).unwrap();
        let bytes: Vec<u8> = (0..ELSEWHERE.len()).step_by(2).map(byte).collect();
        assert_eq!(run(&[&bytes]).unwrap(), [("messageStop".to_owned(), r#"{"stopReason":"end_turn"}"#.to_owned())]);
    }

    #[test]
    fn events_are_the_same_at_every_chunking() {
        let stream = stream();
        let whole = run(&[&stream]).unwrap();
        assert_eq!(
            whole.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            ["messageStart", "contentBlockDelta", "nothing", "throttlingException"]
        );
        assert_eq!(whole[1].1, r#"{"contentBlockIndex":0,"delta":{"text":"grün 😀"}}"#);
        assert_eq!(run(&stream.chunks(1).collect::<Vec<_>>()).unwrap(), whole);
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..200 {
            let mut pieces = Vec::new();
            let mut rest = &stream[..];
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(random.usize(1..=rest.len().min(60)));
                pieces.push(piece);
                rest = after;
            }
            assert_eq!(run(&pieces).unwrap(), whole);
        }
    }

    #[test]
    fn every_byte_counts() {
        let good = frame("messageStop", false, br#"{"stopReason":"end_turn"}"#);
        for at in 0..good.len() {
            let mut bad = good.to_vec();
            bad[at] ^= 1;
            assert!(run(&[&bad]).is_err(), "byte {at}");
        }
        for end in 1..good.len() {
            assert_eq!(run(&[&good[..end]]), Err(Broken::Cut), "{end}");
        }
        assert_eq!(run(&[]), Ok(Vec::new()));
    }

    #[test]
    fn a_frame_is_allowed_to_the_limit_and_not_one_byte_larger() {
        let frame = frame("e", false, b"{}");
        for (limit, fits) in [(frame.len(), true), (frame.len() - 1, false)] {
            for size in [1, frame.len()] {
                let mut framer = Framer::with_limit(limit);
                let mut outcome = Ok(None);
                for piece in frame.chunks(size) {
                    framer.push(Bytes::copy_from_slice(piece));
                    outcome = framer.next_event();
                    if outcome.is_err() {
                        break;
                    }
                }
                assert_eq!(matches!(outcome, Ok(Some(_))), fits, "limit {limit}, pieces of {size}");
                assert_eq!(outcome.err(), (!fits).then_some(Broken::TooLarge { limit }));
            }
        }
    }

    #[test]
    fn a_length_that_no_frame_has_is_damage() {
        let framer = |length: u32| {
            let mut framer = Framer::default();
            framer.push(Bytes::copy_from_slice(&length.to_be_bytes()));
            framer.next_event().map(|_| ())
        };
        assert!(matches!(framer(15), Err(Broken::Damaged(_))));
        assert_eq!(framer(16), Ok(()));
        assert!(matches!(framer(u32::MAX), Err(Broken::TooLarge { .. })));
    }

    fn crc32(bytes: &[u8]) -> [u8; 4] {
        let bit = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        let crc = bytes.iter().fold(!0, |crc: u32, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| bit(crc)));
        (!crc).to_be_bytes()
    }

    /// Noise between checksums that fit, so that it is looked at.
    #[test]
    fn noise_never_panics() {
        let mut random = fastrand::Rng::with_seed(11);
        for _ in 0..1000 {
            let noise: Vec<u8> = (0..random.usize(0..120)).map(|_| random.u8(0..24)).collect();
            let length = u32::try_from(noise.len() + EMPTY).unwrap();
            let headers = random.u32(0..=length);
            let mut bytes = [length.to_be_bytes(), headers.to_be_bytes()].concat();
            bytes.extend(crc32(&bytes));
            bytes.extend(&noise);
            bytes.extend(crc32(&bytes));
            let _ = run(&[&bytes]);
        }
    }
}
