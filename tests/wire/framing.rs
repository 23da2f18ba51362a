//! What a provider's stream is on the wire, and the framers that take it apart.
//!
//! A transcript has a stream as text, an event and its data in two lines. Where the provider sends Amazon's frames, they are made of
//! these here, by Amazon's own crate: Converse has an event in each, and Bedrock's own API a `chunk` around an event of Messages; what
//! is named after an exception is one.

#[cfg(feature = "serve")]
pub use with::{framer, wire};
#[cfg(not(feature = "serve"))]
pub use without::{framer, wire};

/// Amazon's frames are not compiled in: the text stands for them, an exception still for the event that is made of one.
#[cfg(not(feature = "serve"))]
mod without {
    use bytes::Bytes;
    use wayside::dialect::Dialect;
    use wayside::dialect::messages::chunk;
    use wayside::dialect::room::Room;
    use wayside::dialect::sse::{self, Event};

    pub struct Framer {
        lines: sse::Framer,
        chunks: bool,
    }

    impl Framer {
        pub fn push(&mut self, piece: Bytes) {
            self.lines.push(piece);
        }

        pub fn next_event(&mut self) -> Result<Option<Event>, String> {
            let event = self.lines.next_event().map_err(|too_large| format!("{too_large:?}"))?;
            Ok(event.map(|event| self.meant(event)))
        }

        pub fn finish(&mut self) -> Result<Option<Event>, String> {
            let event = self.lines.finish();
            Ok(event.map(|event| self.meant(event)))
        }

        fn meant(&self, event: Event) -> Event {
            match (event.name(), event.data()) {
                (Some(name), Some(data)) if self.chunks && name.ends_with(b"Exception") => {
                    chunk::event(name, data, &mut Room::default()).unwrap()
                }
                _ => event,
            }
        }
    }

    pub fn framer(dialect: Dialect, frames: bool) -> Framer {
        Framer { lines: sse::Framer::default(), chunks: frames && dialect == Dialect::Messages }
    }

    pub fn wire(text: &[u8], _: Dialect) -> Vec<u8> {
        text.to_vec()
    }
}

#[cfg(feature = "serve")]
mod with {
    use aws_smithy_eventstream::frame::write_message_to;
    use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use bytes::Bytes;
    use wayside::dialect::event_stream::MEDIA_TYPE;
    use wayside::dialect::framing::Framer;
    use wayside::dialect::{Dialect, sse};

    pub fn framer(dialect: Dialect, frames: bool) -> Framer {
        Framer::of(if frames { MEDIA_TYPE } else { "text/event-stream; charset=utf-8" }, dialect).unwrap()
    }

    /// The frames that a text stands for.
    pub fn wire(text: &[u8], dialect: Dialect) -> Vec<u8> {
        let mut framer = sse::Framer::default();
        framer.push(Bytes::copy_from_slice(text));
        let mut out = Vec::new();
        let mut add = |event: &sse::Event| {
            let (Some(name), Some(data)) = (event.name(), event.data()) else { return };
            frame(std::str::from_utf8(name).unwrap(), data, dialect, &mut out);
        };
        while let Some(event) = framer.next_event().unwrap() {
            add(&event);
        }
        framer.finish().iter().for_each(add);
        out
    }

    fn frame(name: &str, data: &[u8], dialect: Dialect, out: &mut Vec<u8>) {
        let exception = name.ends_with("Exception");
        let (kind, key) = if exception { ("exception", ":exception-type") } else { ("event", ":event-type") };
        let (name, payload) = match dialect {
            Dialect::Messages if !exception => {
                ("chunk", format!(r#"{{"bytes":"{}","p":"abcdefgh"}}"#, STANDARD.encode(data)).into_bytes())
            }
            _ => (name, data.to_vec()),
        };
        let text = |key: &'static str, value: &str| Header::new(key, HeaderValue::String(value.to_owned().into()));
        let message = Message::new(Bytes::from(payload))
            .add_header(text(key, name))
            .add_header(text(":content-type", "application/json"))
            .add_header(text(":message-type", kind));
        write_message_to(&message, out).unwrap();
    }
}
