//! The reader itself.
//!
//! In: bytes. Out: one value after the other. Must not know: what the values are for.

use std::ops::ControlFlow;

use super::{JsonError, Kind, MAX_NESTING, Passage, Raw, Reason, Span, Text};

/// A reader at a place in the text.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth: u32,
}

type Result<T> = std::result::Result<T, JsonError>;

impl<'a> Cursor<'a> {
    /// At the beginning.
    ///
    /// # Errors
    /// When the bytes are not UTF-8. One that ends inside a character is [`Reason::Truncated`].
    pub fn new(bytes: &'a [u8]) -> Result<Self> {
        let text = std::str::from_utf8(bytes).map_err(|error| match error.error_len() {
            Some(_) => JsonError { at: error.valid_up_to(), reason: Reason::Utf8 },
            None => JsonError { at: bytes.len(), reason: Reason::Truncated },
        })?;
        Ok(Self { text, bytes, at: 0, depth: 0 })
    }

    /// Where the next value, or what stands in its place, begins.
    pub fn offset(&mut self) -> usize {
        self.space();
        self.at
    }

    /// Where the last value taken ended.
    pub const fn taken(&self) -> usize {
        self.at
    }

    /// Takes `true` or `false`; an error for anything else.
    pub fn boolean(&mut self) -> Result<bool> {
        if self.kind()? != Kind::Bool {
            return Err(self.here());
        }
        let word = self.word()?;
        Ok(word.of(self.bytes) == b"true")
    }

    /// What the next value is.
    pub fn kind(&mut self) -> Result<Kind> {
        self.space();
        match self.bytes.get(self.at) {
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'"') => Ok(Kind::String),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(b't' | b'f') => Ok(Kind::Bool),
            Some(b'n') => Ok(Kind::Null),
            _ => Err(self.here()),
        }
    }

    /// Takes a string.
    pub fn string(&mut self) -> Result<Text<'a>> {
        self.space();
        self.expect(b'"')?;
        let start = self.at;
        let (end, escaped) = self.string_end()?;
        self.at = end + 1;
        // INVARIANT: quotes are characters of their own, so the slice begins and ends between characters.
        let raw = self.text.get(start..end).unwrap_or_default();
        Ok(Text { raw, start, escaped })
    }

    /// Takes a string that may be long and says only where it stands.
    pub fn passage(&mut self) -> Result<Passage> {
        self.space();
        self.expect(b'"')?;
        let start = self.at;
        let (end, escaped) = self.string_end()?;
        self.at = end + 1;
        Ok(Passage { span: Span { start, end }, escaped })
    }

    /// Takes a string, `None` for anything else, which is skipped.
    pub fn string_or_skip(&mut self) -> Result<Option<Text<'a>>> {
        if self.kind()? == Kind::String {
            return self.string().map(Some);
        }
        self.skip().map(|_| None)
    }

    /// Takes a whole number that fits, `None` for anything else, which is skipped.
    pub fn unsigned_or_skip(&mut self) -> Result<Option<u64>> {
        let span = self.skip()?;
        Ok(self.text.get(span.start..span.end).and_then(|digits| digits.parse().ok()))
    }

    /// Takes any value, as it is written.
    pub fn raw(&mut self) -> Result<Raw<'a>> {
        let span = self.skip()?;
        // INVARIANT: a value begins and ends with ASCII.
        Ok(Raw(self.text.get(span.start..span.end).unwrap_or_default().into()))
    }

    /// Takes any value and says where it stands.
    pub fn skip(&mut self) -> Result<Span> {
        self.space();
        let start = self.at;
        let outside = self.depth;
        // INVARIANT: bit d is set when the container at depth d is an object; MAX_NESTING bits are enough.
        let mut objects = 0u128;
        loop {
            let opened = match self.kind()? {
                Kind::Object => {
                    self.open()?;
                    objects |= 1 << (self.depth - 1);
                    !self.closes(b'}')
                }
                Kind::Array => {
                    self.open()?;
                    objects &= !(1 << (self.depth - 1));
                    !self.closes(b']')
                }
                Kind::String => self.skip_string().map(|()| false)?,
                Kind::Number => self.number().map(|_| false)?,
                Kind::Bool | Kind::Null => self.word().map(|_| false)?,
            };
            if opened {
                if objects >> (self.depth - 1) & 1 == 1 {
                    self.skip_key()?;
                }
                continue;
            }
            loop {
                if self.depth == outside {
                    return Ok(Span { start, end: self.at });
                }
                let object = objects >> (self.depth - 1) & 1 == 1;
                if self.closes(if object { b'}' } else { b']' }) {
                    continue;
                }
                self.expect(b',')?;
                if object {
                    self.skip_key()?;
                }
                break;
            }
        }
    }

    /// Takes an object, calling `visit` at each value; `visit` must take exactly that value.
    pub fn members<E: From<JsonError>>(
        &mut self,
        mut visit: impl FnMut(&mut Self, Text<'a>) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        if self.kind()? != Kind::Object {
            return Err(self.here().into());
        }
        self.open()?;
        let mut closed = self.closes(b'}');
        while !closed {
            let key = self.string()?;
            self.space();
            self.expect(b':')?;
            visit(self, key)?;
            closed = self.closes(b'}');
            if !closed {
                self.expect(b',')?;
            }
        }
        Ok(())
    }

    /// Takes an array, calling `visit` at each value; `visit` must take exactly that value.
    pub fn items<E: From<JsonError>>(
        &mut self,
        mut visit: impl FnMut(&mut Self) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        if self.kind()? != Kind::Array {
            return Err(self.here().into());
        }
        self.open()?;
        let mut closed = self.closes(b']');
        while !closed {
            visit(self)?;
            closed = self.closes(b']');
            if !closed {
                self.expect(b',')?;
            }
        }
        Ok(())
    }

    /// Nothing but space may follow.
    pub fn finish(&mut self) -> Result<()> {
        self.space();
        if self.at < self.bytes.len() {
            return Err(JsonError { at: self.at, reason: Reason::Trailing });
        }
        Ok(())
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    fn here(&self) -> JsonError {
        let reason = self.bytes.get(self.at).map_or(Reason::Truncated, |byte| Reason::Unexpected(*byte));
        JsonError { at: self.at, reason }
    }

    fn expect(&mut self, byte: u8) -> Result<()> {
        if self.bytes.get(self.at) != Some(&byte) {
            return Err(self.here());
        }
        self.at += 1;
        Ok(())
    }

    fn open(&mut self) -> Result<()> {
        if self.depth == MAX_NESTING {
            return Err(JsonError { at: self.at, reason: Reason::Nesting });
        }
        self.depth += 1;
        self.at += 1;
        Ok(())
    }

    /// Takes the closing bracket, if it is there.
    fn closes(&mut self, bracket: u8) -> bool {
        self.space();
        let closes = self.bytes.get(self.at) == Some(&bracket);
        if closes {
            self.at += 1;
            self.depth -= 1;
        }
        closes
    }

    fn skip_key(&mut self) -> Result<()> {
        self.skip_string()?;
        self.space();
        self.expect(b':')
    }

    fn skip_string(&mut self) -> Result<()> {
        self.passage().map(|_| ())
    }

    /// From inside a string: where its closing quote is, and whether it has escapes.
    fn string_end(&self) -> Result<(usize, bool)> {
        let mut at = self.at;
        let mut escaped = false;
        loop {
            at = plain_end(self.bytes, at);
            match self.bytes.get(at) {
                Some(b'"') => return Ok((at, escaped)),
                Some(b'\\') => {
                    escaped = true;
                    at = self.escape_end(at + 1)?;
                }
                Some(_) => return Err(JsonError { at, reason: Reason::Control }),
                None => return Err(JsonError { at, reason: Reason::Truncated }),
            }
        }
    }

    fn escape_end(&self, at: usize) -> Result<usize> {
        match self.bytes.get(at) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 1),
            Some(b'u') => {
                for digit in at + 1..at + 5 {
                    match self.bytes.get(digit) {
                        Some(byte) if byte.is_ascii_hexdigit() => {}
                        Some(_) => return Err(JsonError { at: digit, reason: Reason::Escape }),
                        None => return Err(JsonError { at: digit, reason: Reason::Truncated }),
                    }
                }
                Ok(at + 5)
            }
            Some(_) => Err(JsonError { at, reason: Reason::Escape }),
            None => Err(JsonError { at, reason: Reason::Truncated }),
        }
    }

    fn number(&mut self) -> Result<Span> {
        let start = self.at;
        self.take(b"-");
        let leading_zero = self.take(b"0");
        if !leading_zero {
            self.digits(start)?;
        }
        if self.take(b".") {
            self.digits(start)?;
        }
        if self.take(b"eE") {
            self.take(b"+-");
            self.digits(start)?;
        }
        if let Some(b'0'..=b'9' | b'.' | b'+' | b'-' | b'a'..=b'z' | b'A'..=b'Z') = self.bytes.get(self.at) {
            return Err(JsonError { at: start, reason: Reason::Number });
        }
        Ok(Span { start, end: self.at })
    }

    fn take(&mut self, any_of: &[u8]) -> bool {
        let taken = self.bytes.get(self.at).is_some_and(|byte| any_of.contains(byte));
        self.at += usize::from(taken);
        taken
    }

    fn digits(&mut self, start: usize) -> Result<()> {
        let count = self.bytes.get(self.at..).unwrap_or_default().iter().take_while(|b| b.is_ascii_digit()).count();
        self.at += count;
        match (count, self.bytes.get(self.at)) {
            (0, None) => Err(JsonError { at: self.at, reason: Reason::Truncated }),
            (0, Some(_)) => Err(JsonError { at: start, reason: Reason::Number }),
            _ => Ok(()),
        }
    }

    fn word(&mut self) -> Result<Span> {
        let start = self.at;
        let word: &[u8] = match self.bytes.get(start) {
            Some(b't') => b"true",
            Some(b'f') => b"false",
            _ => b"null",
        };
        for byte in word {
            self.expect(*byte)?;
        }
        Ok(Span { start, end: self.at })
    }
}

/// Bytes of a block that is looked at as a whole; compilers make a few vector instructions of it.
const BLOCK: usize = 64;

/// From `at`, the first byte that is a quote, a backslash or a control character; the text's length if none is.
pub(super) fn plain_end(text: &[u8], at: usize) -> usize {
    // Most strings are names and words, and end within the first eight bytes or soon after.
    let at = match in_eights(text, at, 2) {
        ControlFlow::Break(end) => return end,
        ControlFlow::Continue(at) => at,
    };
    let special_byte = |byte: u8| u8::from(byte < 0x20) | u8::from(byte == b'"') | u8::from(byte == b'\\');
    let blocks = text.get(at..).unwrap_or_default().as_chunks::<BLOCK>().0;
    let plain = |block: &&[u8; BLOCK]| block.iter().fold(0, |any, byte| any | special_byte(*byte)) == 0;
    let at = at + BLOCK * blocks.iter().take_while(plain).count();
    let at = match in_eights(text, at, usize::MAX) {
        ControlFlow::Break(end) => return end,
        ControlFlow::Continue(at) => at,
    };
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(rest.len())
}

/// Nothing in it needs an escape. For whole strings that are short: eight bytes at once, the last eight of them together with some
/// that were looked at before.
pub(super) fn is_plain(text: &[u8]) -> bool {
    let Some(last) = text.last_chunk::<8>() else {
        return text.iter().all(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20));
    };
    let any = text.as_chunks::<8>().0.iter().fold(0, |any, eight| any | special(u64::from_le_bytes(*eight)));
    any | special(u64::from_le_bytes(*last)) == 0
}

/// The first special byte in the next `most` times eight bytes, or how far there is none.
fn in_eights(text: &[u8], mut at: usize, most: usize) -> ControlFlow<usize, usize> {
    for eight in text.get(at..).unwrap_or_default().as_chunks::<8>().0.iter().take(most) {
        let found = special(u64::from_le_bytes(*eight));
        if found != 0 {
            return ControlFlow::Break(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    ControlFlow::Continue(at)
}

/// Eight bytes at once: the lowest bit that is set is the high bit of the first special byte.
///
/// Subtracting from all bytes sets a byte's high bit where it was smaller (or zero, after the exclusive or). A borrow can
/// set further bits only above a byte that is special itself, so the lowest one is right. Bytes of 0x80 and more, which
/// belong to other characters, are masked out.
const fn special(eight: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let control = eight.wrapping_sub(ONES * 0x20);
    let quote = (eight ^ (ONES * b'"' as u64)).wrapping_sub(ONES);
    let backslash = (eight ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    (control | quote | backslash) & !eight & HIGH
}
