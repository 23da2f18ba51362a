//! One pass over JSON without a tree: strict, bounded, and every value knows where it stands. And JSON on its way out.
//!
//! In: bytes; names and values. Out: spans, borrowed strings, numbers, or an error with its place; bytes. Must not know: any
//! provider's fields.
//!
//! Why not serde_json: a body must be forwarded byte for byte with one value replaced, and read the way the strictest reader
//! down the road reads it. That takes byte positions, duplicate keys and a nesting limit, which serde_json's visitors do not
//! give for values they skip. Speed is the same: a megabyte of prompt costs a fraction of a millisecond.

mod cursor;
mod error;
mod text;
pub mod write;

use std::fmt;

pub use cursor::Cursor;
pub use error::{JsonError, MAX_NESTING, Reason};
pub use text::{Passage, Quoted, Raw, Text, unescape};

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
        for length in [3, 8, 20, 100, 200] {
            let plain: Vec<u8> = b"aZ~ 0/!#[]^_`{}\x7f\xc3\xa9\xff\x80".iter().copied().cycle().take(length).collect();
            for (place, byte) in (0..length).flat_map(|place| (0..=255u8).map(move |byte| (place, byte))) {
                let mut text = plain.clone();
                text[place] = byte;
                let wanted = if byte == b'"' || byte == b'\\' || byte < 0x20 { place } else { text.len() };
                assert_eq!(cursor::is_plain(&text), wanted == text.len(), "{byte} at {place}");
                for from in [0, place.min(3), place] {
                    assert_eq!(cursor::plain_end(&text, from), wanted, "{byte} at {place}, looked for from {from}");
                }
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
