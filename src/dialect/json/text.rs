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
