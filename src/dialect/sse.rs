//! Server-sent events out of bytes that arrive in any pieces.
//!
//! In: chunks of a response body. Out: complete events, each with its own bytes for passing on and its joined data for looking
//! at. Must not know: what the data means.
//!
//! Lines end with LF or CRLF. A lone CR, which the standard also allows and no provider sends, ends no line. An event inside one
//! chunk is a slice of it; only an event that was split is put together in a buffer of its own.

use bytes::Bytes;
use memchr::memchr;

use super::chunks::Unread;
use super::room::Room;

/// Largest event, in bytes as it came. As much as a held stream may keep: an event above that could not be held anyway.
pub const MAX_EVENT: usize = 4 * 1024 * 1024;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// The event in progress is larger than the limit. The stream is of no further use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge {
    /// The limit, in bytes.
    pub limit: usize,
}

/// One event, or a block of comments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its bytes, the blank line that ends it included.
    pub raw: Bytes,
    name: Option<(usize, usize)>,
    data: Data,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Data {
    None,
    Line(usize, usize),
    Joined(Vec<u8>),
}

impl Event {
    /// What its last `event:` line says.
    pub fn name(&self) -> Option<&[u8]> {
        self.name.and_then(|(start, end)| self.raw.get(start..end))
    }

    /// Its `data:` lines, joined by newlines; `None` for comments and the like.
    pub fn data(&self) -> Option<&[u8]> {
        match &self.data {
            Data::None => None,
            Data::Line(start, end) => self.raw.get(*start..*end),
            Data::Joined(data) => Some(data),
        }
    }

    /// One that came in another framing.
    pub fn of(name: &[u8], data: &[u8]) -> Self {
        Self::framed(name, data, &mut Room::default())
    }

    /// The same, one of many.
    pub fn framed(name: &[u8], data: &[u8], room: &mut Room) -> Self {
        Self::parse(room.join(&[b"event: ", name, b"\ndata: ", data, b"\n\n"]))
    }

    fn parse(raw: Bytes) -> Self {
        let mut event = Self { raw: Bytes::new(), name: None, data: Data::None };
        let mut at = 0;
        while at < raw.len() {
            let end = memchr(b'\n', &raw[at..]).map_or(raw.len(), |newline| at + newline);
            let line = raw[at..end].strip_suffix(b"\r").unwrap_or(&raw[at..end]);
            event.line(&raw, at, line);
            at = end + 1;
        }
        event.raw = raw;
        event
    }

    fn line(&mut self, raw: &Bytes, start: usize, line: &[u8]) {
        let colon = memchr(b':', line).unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        let end = start + line.len();
        let place = (end - value.len(), end);
        match &line[..colon] {
            b"event" => self.name = Some(place),
            b"data" => match &mut self.data {
                Data::None => self.data = Data::Line(place.0, place.1),
                Data::Line(start, end) => {
                    self.data = Data::Joined([&raw[*start..*end], b"\n", value].concat());
                }
                Data::Joined(joined) => {
                    joined.push(b'\n');
                    joined.extend_from_slice(value);
                }
            },
            _ => {}
        }
    }
}

/// Cuts a body into events.
#[derive(Debug)]
pub struct Framer {
    limit: usize,
    unread: Unread,
    line_start: usize,
    scanned: usize,
    begun: bool,
}

impl Default for Framer {
    fn default() -> Self {
        Self::with_limit(MAX_EVENT)
    }
}

impl Framer {
    /// With another limit than [`MAX_EVENT`].
    pub fn with_limit(limit: usize) -> Self {
        Self { limit, unread: Unread::default(), line_start: 0, scanned: 0, begun: false }
    }

    /// Takes what arrived. Take all events before the next push, else the chunk is copied.
    pub fn push(&mut self, chunk: Bytes) {
        self.unread.push(chunk);
    }

    /// The next complete event.
    ///
    /// # Errors
    /// [`TooLarge`] when an event is larger than the limit, complete or not.
    pub fn next_event(&mut self) -> Result<Option<Event>, TooLarge> {
        if !self.begun && !self.skip_bom() {
            self.unread.keep();
            return Ok(None);
        }
        let end = self.find_end();
        let size = end.unwrap_or_else(|| self.unread.bytes().len());
        if size > self.limit {
            return Err(TooLarge { limit: self.limit });
        }
        let Some(end) = end else {
            self.unread.keep();
            return Ok(None);
        };
        (self.line_start, self.scanned) = (0, 0);
        Ok(Some(Event::parse(self.unread.take(end))))
    }

    /// After a clean end of the body: an event whose blank line is missing, given one. Clients would lose it otherwise.
    pub fn finish(&mut self) -> Option<Event> {
        let mut rest = self.unread.rest();
        (self.line_start, self.scanned) = (0, 0);
        if rest.iter().all(u8::is_ascii_whitespace) {
            return None;
        }
        rest.extend_from_slice(if rest.ends_with(b"\n") { b"\n" } else { b"\n\n" });
        Some(Event::parse(rest.freeze()))
    }

    /// Bytes of an event that is not complete.
    pub fn pending(&self) -> usize {
        self.unread.bytes().len()
    }

    /// Past the byte-order mark; `false` while it cannot be told yet.
    fn skip_bom(&mut self) -> bool {
        let bytes = self.unread.bytes();
        if bytes.len() < BOM.len() && BOM.starts_with(bytes) {
            return false;
        }
        if bytes.starts_with(BOM) {
            self.unread.skip(BOM.len());
        }
        self.begun = true;
        true
    }

    fn find_end(&mut self) -> Option<usize> {
        let (mut line_start, mut scanned) = (self.line_start, self.scanned);
        let bytes = self.unread.bytes();
        let mut end = None;
        while let Some(newline) = memchr(b'\n', &bytes[scanned..]) {
            let at = scanned + newline;
            let blank = matches!(&bytes[line_start..at], b"" | b"\r");
            (line_start, scanned) = (at + 1, at + 1);
            if blank {
                end = Some(at + 1);
                break;
            }
        }
        if end.is_none() {
            scanned = bytes.len();
        }
        (self.line_start, self.scanned) = (line_start, scanned);
        end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = concat!(
        "\u{feff}: hello\n\n",
        "data: {\"a\":1}\n\n",
        "event: ping\r\ndata: {}\r\n\r\n",
        "event:named\nid: 7\ndata:one\ndata: two\ndata\nretry: 5\n\n",
        "\n",
        "data:  two spaces\n\n",
        "event: lonely\n\n",
        "data: [DONE]\n\n",
        "data: no blank line",
    );

    type Seen = (Option<String>, Option<String>);

    fn expected() -> Vec<Seen> {
        let some = |text: &str| Some(text.to_owned());
        vec![
            (None, None),
            (None, some("{\"a\":1}")),
            (some("ping"), some("{}")),
            (some("named"), some("one\ntwo\n")),
            (None, None),
            (None, some(" two spaces")),
            (some("lonely"), None),
            (None, some("[DONE]")),
            (None, some("no blank line")),
        ]
    }

    fn run(pieces: &[&[u8]]) -> (Vec<Seen>, Vec<u8>) {
        let text = |bytes: Option<&[u8]>| bytes.map(|b| String::from_utf8(b.to_vec()).unwrap());
        let mut framer = Framer::default();
        let (mut seen, mut raw) = (Vec::new(), Vec::new());
        let mut take = |event: Event| {
            seen.push((text(event.name()), text(event.data())));
            raw.extend_from_slice(&event.raw);
        };
        for piece in pieces {
            framer.push(Bytes::copy_from_slice(piece));
            while let Some(event) = framer.next_event().unwrap() {
                take(event);
            }
        }
        framer.finish().into_iter().for_each(take);
        (seen, raw)
    }

    #[test]
    fn events_are_the_same_at_every_chunking() {
        let stream = STREAM.as_bytes();
        let (seen, raw) = run(&[stream]);
        assert_eq!(seen, expected());
        assert_eq!(raw, [&stream[3..], b"\n\n"].concat(), "every byte but the mark is passed on");
        assert_eq!(run(&stream.chunks(1).collect::<Vec<_>>()), (seen.clone(), raw.clone()));
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..500 {
            let mut pieces = Vec::new();
            let mut rest = stream;
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(random.usize(1..=rest.len().min(40)));
                pieces.push(piece);
                rest = after;
            }
            assert_eq!(run(&pieces), (seen.clone(), raw.clone()));
        }
    }

    #[test]
    fn an_event_is_allowed_to_the_limit_and_not_one_byte_larger() {
        let event = b"data: 12345\n\n";
        for (limit, fits) in [(event.len(), true), (event.len() - 1, false)] {
            for size in [1, event.len()] {
                let mut framer = Framer::with_limit(limit);
                let mut outcome = Ok(None);
                for piece in event.chunks(size) {
                    framer.push(Bytes::copy_from_slice(piece));
                    outcome = framer.next_event();
                    if outcome.is_err() {
                        break;
                    }
                }
                assert_eq!(matches!(outcome, Ok(Some(_))), fits, "limit {limit}, pieces of {size}");
            }
        }
    }

    #[test]
    fn an_endless_line_is_refused_before_it_ends() {
        let mut framer = Framer::with_limit(1000);
        framer.push(Bytes::from(vec![b'x'; 1001]));
        assert_eq!(framer.next_event(), Err(TooLarge { limit: 1000 }));
    }

    #[test]
    fn an_event_inside_one_chunk_is_not_copied() {
        let chunk = Bytes::from_static(b"data: a\n\ndata: b\n\n");
        let mut framer = Framer::default();
        framer.push(chunk.clone());
        let event = framer.next_event().unwrap().unwrap();
        assert_eq!(event.raw.as_ptr(), chunk.as_ptr());
    }

    #[test]
    fn after_the_end_of_a_body_there_is_nothing_more_and_no_panic() {
        for half in ["data: {\"a\":1}\n", "data: {\"a\"", "\n \n "] {
            let mut framer = Framer::default();
            framer.push(half.into());
            while framer.next_event().unwrap().is_some() {}
            assert_eq!(framer.finish().is_some(), half.contains("data"), "{half:?}");
            assert!(framer.next_event().unwrap().is_none(), "{half:?}");
            assert_eq!(framer.pending(), 0, "{half:?}");
        }
    }
}
