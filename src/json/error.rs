//! Why bytes are not JSON, and where.
//!
//! In: an offset and a reason. Out: words with line and column. Must not know: who reads them.

/// Containers inside each other, the outermost included. Deep enough for any schema seen in practice; serde_json and most
/// provider front ends stop at the same depth.
pub const MAX_NESTING: u32 = 128;

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
