//! One pass over JSON without a tree: strict, bounded, and every value knows where it stands.
//!
//! In: bytes. Out: spans, borrowed strings, numbers, or an error with its place. Must not know: any provider's fields.
//!
//! Why not serde_json: a body must be forwarded byte for byte with one value replaced, and read the way the strictest reader
//! down the road reads it. That takes byte positions, duplicate keys and a nesting limit, which serde_json's visitors do not
//! give for values they skip. Speed is the same: a megabyte of prompt costs a fraction of a millisecond.

use std::borrow::Cow;
use std::fmt;

/// Containers inside each other, the outermost included. Deep enough for any schema seen in practice; serde_json and most
/// provider front ends stop at the same depth.
pub const MAX_NESTING: u32 = 128;

/// A half-open range of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The bytes it covers; nothing when it does not fit, which cannot happen for the text it was made from.
    pub fn of(self, text: &[u8]) -> &[u8] {
        text.get(self.start..self.end).unwrap_or_default()
    }

    /// How many bytes.
    pub const fn len(self) -> usize {
        self.end - self.start
    }

    /// Covers nothing.
    pub const fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// What a value is, from its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `{`
    Object,
    /// `[`
    Array,
    /// `"`
    String,
    /// `-` or a digit
    Number,
    /// `true` or `false`
    Bool,
    /// `null`
    Null,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Object => "an object",
            Self::Array => "an array",
            Self::String => "a string",
            Self::Number => "a number",
            Self::Bool => "a boolean",
            Self::Null => "null",
        })
    }
}

/// Why bytes are not JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The text ends inside a value.
    Truncated,
    /// A byte that cannot stand here.
    Unexpected(u8),
    /// `01`, `1.`, `+1`, `NaN`.
    Number,
    /// `\x`, `\u12`.
    Escape,
    /// A raw byte below 0x20 inside a string.
    Control,
    /// Not UTF-8.
    Utf8,
    /// More than [`MAX_NESTING`].
    Nesting,
    /// Something follows the value.
    Trailing,
}

/// Not JSON, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonError {
    /// Offset of the offending byte.
    pub at: usize,
    /// What is wrong with it.
    pub reason: Reason,
}

impl JsonError {
    /// `expected a value, found "x" at line 3, column 14`.
    pub fn describe(self, text: &[u8]) -> String {
        let (line, column) = position(text, self.at);
        let what = match self.reason {
            Reason::Truncated => "the text ends before the value does".to_owned(),
            Reason::Unexpected(byte) => format!("unexpected {}", shown(byte)),
            Reason::Number => "a number is not written as JSON writes numbers".to_owned(),
            Reason::Escape => "an escape in a string is not valid".to_owned(),
            Reason::Control => "a string holds a raw control character; write it as an escape".to_owned(),
            Reason::Utf8 => "a string is not valid UTF-8".to_owned(),
            Reason::Nesting => format!("values are nested more than {MAX_NESTING} deep"),
            Reason::Trailing => "something follows the end of the value".to_owned(),
        };
        format!("{what} (line {line}, column {column})")
    }
}

fn shown(byte: u8) -> String {
    match byte {
        b'"' => "'\"'".to_owned(),
        0x21..=0x7e => format!("\"{}\"", char::from(byte)),
        _ => format!("byte 0x{byte:02x}"),
    }
}

/// Line and column, both from 1; a column counts characters.
fn position(text: &[u8], at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |newline| newline + 1);
    let line = 1 + before.iter().filter(|b| **b == b'\n').count();
    let characters = before[line_start..].iter().filter(|b| **b & 0xc0 != 0x80).count();
    (line, 1 + characters)
}

/// A string in the text, quotes excluded.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// As written.
    pub raw: &'a str,
    /// Where `raw` begins.
    pub start: usize,
    /// Holds at least one backslash.
    pub escaped: bool,
}

impl<'a> Text<'a> {
    /// What the string means.
    pub fn decode(self) -> Cow<'a, str> {
        if self.escaped { Cow::Owned(unescape(self.raw)) } else { Cow::Borrowed(self.raw) }
    }

    /// Where it stands, quotes included.
    pub const fn quoted(self) -> Span {
        Span { start: self.start - 1, end: self.start + self.raw.len() + 1 }
    }

    /// Where it stands, quotes excluded.
    pub const fn inner(self) -> Span {
        Span { start: self.start, end: self.start + self.raw.len() }
    }
}

/// Where a string stands, quotes excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage {
    /// What is between the quotes, as written.
    pub span: Span,
    /// Holds at least one backslash.
    pub escaped: bool,
}

/// What the inside of a JSON string means. A surrogate without its partner, which JSON can write and Unicode cannot hold,
/// becomes U+FFFD.
pub fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(backslash) = rest.find('\\') {
        out.push_str(&rest[..backslash]);
        let mut tail = rest[backslash + 1..].chars();
        match tail.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('u') => {
                let (character, after) = unicode_escape(tail.as_str());
                out.push(character);
                rest = after;
                continue;
            }
            Some(literal) => out.push(literal),
            None => {}
        }
        rest = tail.as_str();
    }
    out.push_str(rest);
    out
}

/// The character of `XXXX` or `XXXX\uXXXX` at the front, and what follows.
fn unicode_escape(text: &str) -> (char, &str) {
    let unit = |text: &str| text.get(..4).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    let Some(first) = unit(text) else { return (char::REPLACEMENT_CHARACTER, text) };
    let rest = &text[4..];
    if (0xd800..0xdc00).contains(&first)
        && let Some(second) = rest.strip_prefix("\\u").and_then(unit)
        && (0xdc00..0xe000).contains(&second)
    {
        let joined = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return (char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER), &rest[6..]);
    }
    (char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), rest)
}

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

/// From `at`, the first byte that is a quote, a backslash or a control character; the text's length if none is.
fn plain_end(text: &[u8], mut at: usize) -> usize {
    while let Some(eight) = text.get(at..).and_then(<[u8]>::first_chunk) {
        let found = special(u64::from_le_bytes(*eight));
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(rest.len())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &[u8]) -> std::result::Result<Span, JsonError> {
        let mut cursor = Cursor::new(text)?;
        let span = cursor.skip()?;
        cursor.finish()?;
        Ok(span)
    }

    #[test]
    fn what_is_json_and_what_is_not_agrees_with_serde_json() {
        let texts = [
            "{}",
            "[]",
            " [ 1 , 2 ] ",
            "{\"a\":{\"b\":[{}]}}",
            "null",
            "true",
            "-0.5e+10",
            "\"\\u00e9\\n\"",
            "",
            "{",
            "[1,]",
            "{\"a\"}",
            "{\"a\":1,}",
            "{a:1}",
            "01",
            "1.",
            "-",
            "+1",
            "1e",
            "NaN",
            "tru",
            "truex",
            "nul",
            "\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\n\"",
            "[1 2]",
            "{} {}",
            "[}",
            "{]",
            "\"a\" x",
            "0x1",
            "1a",
            "[[[]]]",
            "{\"\":0}",
            "\u{feff}{}",
            "{\"a\":1 \"b\":2}",
            "[,]",
            "\"\u{7f}\"",
            "\"ö😀\"",
            "-a",
            "0",
            "-01",
            "[0.1, 1E9]",
            "\"unterminated \\",
        ];
        for text in texts {
            let ours = whole(text.as_bytes()).is_ok();
            let theirs = serde_json::from_str::<serde_json::Value>(text).is_ok();
            assert_eq!(ours, theirs, "{text}");
        }
    }

    #[test]
    fn every_prefix_of_a_value_is_truncated_and_nothing_else() {
        let text =
            br#"{"a": [1.5e3, "x\u00e9\n", true, null, {"k": -7}], "a long key that passes the wide loop": "v"}"#;
        for end in 0..text.len() {
            assert_eq!(whole(&text[..end]).unwrap_err(), JsonError { at: end, reason: Reason::Truncated }, "{end}");
        }
        assert!(whole(text).is_ok());
    }

    #[test]
    fn nesting_is_allowed_to_the_limit_and_not_one_deeper() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let nested = |depth: usize| format!("{}0{}", open.repeat(depth), close.repeat(depth));
            assert!(whole(nested(MAX_NESTING as usize).as_bytes()).is_ok());
            let error = whole(nested(MAX_NESTING as usize + 1).as_bytes()).unwrap_err();
            assert_eq!(error.reason, Reason::Nesting);
        }
    }

    #[test]
    fn special_bytes_are_found_at_every_place_and_nothing_else_is() {
        for place in 0..20 {
            for byte in 0..=255u8 {
                let mut text = *b"aZ~ 0/!#[]^_`{}\x7f\xc3\xa9\xff\x80";
                text[place] = byte;
                let wanted = if byte == b'"' || byte == b'\\' || byte < 0x20 { place } else { text.len() };
                assert_eq!(plain_end(&text, 0), wanted, "{byte} at {place}");
            }
        }
    }

    #[test]
    fn invalid_utf8_is_found_in_keys_and_values() {
        for text in [&b"[\"ab\xff\"]"[..], b"{\"\xc3\":1}", b"\"a long string so that the wide loop runs \xf0\x28\""] {
            assert_eq!(whole(text).unwrap_err().reason, Reason::Utf8);
        }
    }

    #[test]
    fn errors_say_line_and_column() {
        let text = "{\n  \"ü\": x\n}".as_bytes();
        assert_eq!(whole(text).unwrap_err().describe(text), "unexpected \"x\" (line 2, column 8)");
    }

    #[test]
    fn unescape_agrees_with_serde_json() {
        for raw in [r"a\nb\t\r\b\f\/\\", r#"\"q\""#, r"\u00e9\u4e2d", r"\ud83d\ude00!", "plain", ""] {
            let theirs: String = serde_json::from_str(&format!("\"{raw}\"")).unwrap();
            assert_eq!(unescape(raw), theirs);
        }
        assert_eq!(unescape(r"\ud83dx"), "\u{fffd}x");
        assert_eq!(unescape(r"\ude00\ud83d"), "\u{fffd}\u{fffd}");
    }
}
