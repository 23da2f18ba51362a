//! Strings in JSON: where they stand and what they mean.
//!
//! In: what is between two quotes. Out: text. Must not know: how it was found.

use std::borrow::Cow;

use super::Span;

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

/// The inside of a JSON string, as it is written: what one provider wrote goes to another without being taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quoted<'a>(Cow<'a, str>);

impl<'a> Quoted<'a> {
    /// As it would be written.
    pub fn of(text: &'a str) -> Self {
        if super::cursor::plain_end(text.as_bytes(), 0) == text.len() {
            return Self(Cow::Borrowed(text));
        }
        let mut out = Vec::with_capacity(text.len() + text.len() / 8);
        super::write::escape(&mut out, text);
        // INVARIANT: escaping replaces ASCII by ASCII.
        Self(Cow::Owned(String::from_utf8(out).unwrap_or_default()))
    }

    /// What it means.
    pub fn decode(&self) -> Cow<'_, str> {
        if self.0.contains('\\') { Cow::Owned(unescape(&self.0)) } else { Cow::Borrowed(&self.0) }
    }

    /// What it means, for as long as what it came from.
    pub fn into_text(self) -> Cow<'a, str> {
        if self.0.contains('\\') { Cow::Owned(unescape(&self.0)) } else { self.0 }
    }

    /// As it is written, without its quotes.
    pub fn written(&self) -> &str {
        &self.0
    }

    /// No text at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One text after the other.
    pub fn push(&mut self, more: &Quoted<'_>) {
        self.0.to_mut().push_str(&more.0);
    }

    /// Kept for longer than what it came from.
    pub fn into_owned(self) -> Quoted<'static> {
        Quoted(Cow::Owned(self.0.into_owned()))
    }

    /// With its quotes.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(b'"');
        out.extend_from_slice(self.0.as_bytes());
        out.push(b'"');
    }
}

impl<'a> From<Text<'a>> for Quoted<'a> {
    fn from(text: Text<'a>) -> Self {
        Self(Cow::Borrowed(text.raw))
    }
}

/// A JSON value, as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Raw<'a>(pub Cow<'a, str>);

impl Raw<'_> {
    /// Independent of the body it was read from.
    pub fn into_owned(self) -> Raw<'static> {
        Raw(Cow::Owned(self.0.into_owned()))
    }
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

/// The character of the four digits at the front, or of two such units of a surrogate pair, and what follows.
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
