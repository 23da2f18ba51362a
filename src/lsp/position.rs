//! Byte offsets and what an editor calls a position.
//!
//! In: a text, offsets or positions. Out: the other. Must not know: documents. An editor counts UTF-16 units unless both sides
//! agreed on bytes, and takes `\n`, `\r\n` and a lone `\r` for a line end, whatever policies think of the last.

use gen_lsp_types::{Position, Range};

/// What `character` counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Bytes.
    Utf8,
    /// UTF-16 units: what every editor understands.
    #[default]
    Utf16,
}

/// Where the lines of a text begin.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    starts: Vec<u32>,
}

impl Lines {
    /// Of a text.
    pub fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let ends = |at: usize| bytes[at] == b'\n' || (bytes[at] == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
        let starts = (0..bytes.len()).filter(|at| ends(*at)).map(|at| at as u32 + 1);
        Self { starts: std::iter::once(0).chain(starts).collect() }
    }

    /// The bytes of a line, without its end.
    fn line(&self, text: &str, line: usize) -> Option<(usize, usize)> {
        let start = *self.starts.get(line)? as usize;
        let next = self.starts.get(line + 1).map_or(text.len(), |next| *next as usize);
        let content = text.get(start..next)?.trim_end_matches(['\r', '\n']);
        Some((start, start + content.len()))
    }

    /// The byte at a position. Past the end of a line is its end, past the last line is the end of the text, inside a character
    /// is its beginning.
    pub fn offset(&self, text: &str, position: Position, encoding: Encoding) -> usize {
        let Some((start, end)) = self.line(text, position.line as usize) else { return text.len() };
        let mut left = position.character as usize;
        for (at, char) in text[start..end].char_indices() {
            let width = match encoding {
                Encoding::Utf8 => char.len_utf8(),
                Encoding::Utf16 => char.len_utf16(),
            };
            if left < width {
                return start + at;
            }
            left -= width;
        }
        end
    }

    /// The position of a byte.
    pub fn position(&self, text: &str, offset: usize, encoding: Encoding) -> Position {
        let offset = offset.min(text.len());
        let line = self.starts.partition_point(|start| *start as usize <= offset).max(1) - 1;
        let start = self.starts.get(line).map_or(0, |start| *start as usize);
        let before = text.get(start..offset).unwrap_or("");
        let character = match encoding {
            Encoding::Utf8 => before.len(),
            Encoding::Utf16 => before.encode_utf16().count(),
        };
        Position { line: line as u32, character: character as u32 }
    }

    /// The range of bytes `lo..hi`.
    pub fn range(&self, text: &str, lo: usize, hi: usize, encoding: Encoding) -> Range {
        Range { start: self.position(text, lo, encoding), end: self.position(text, hi, encoding) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "aä𝄞b\r\nc\rd\n";

    fn at(line: u32, character: u32) -> Position {
        Position { line, character }
    }

    #[test]
    fn both_encodings_find_every_character_and_back() {
        let lines = Lines::of(TEXT);
        for (offset, utf8, utf16) in [
            (0, at(0, 0), at(0, 0)),
            (1, at(0, 1), at(0, 1)),
            (3, at(0, 3), at(0, 2)),
            (7, at(0, 7), at(0, 4)),
            (8, at(0, 8), at(0, 5)),
            (10, at(1, 0), at(1, 0)),
            (12, at(2, 0), at(2, 0)),
            (14, at(3, 0), at(3, 0)),
        ] {
            for (encoding, position) in [(Encoding::Utf8, utf8), (Encoding::Utf16, utf16)] {
                assert_eq!(lines.position(TEXT, offset, encoding), position, "{offset} {encoding:?}");
                assert_eq!(lines.offset(TEXT, position, encoding), offset, "{position:?} {encoding:?}");
            }
        }
    }

    #[test]
    fn positions_that_are_nowhere_are_taken_back_to_the_text() {
        let lines = Lines::of(TEXT);
        assert_eq!(lines.offset(TEXT, at(0, 99), Encoding::Utf16), 8, "before the line end, not in it");
        assert_eq!(lines.offset(TEXT, at(0, 3), Encoding::Utf16), 3, "between the halves of a pair");
        assert_eq!(lines.offset(TEXT, at(0, 2), Encoding::Utf8), 1, "inside a character");
        assert_eq!(lines.offset(TEXT, at(9, 0), Encoding::Utf8), TEXT.len());
        assert_eq!(lines.offset(TEXT, at(u32::MAX, u32::MAX), Encoding::Utf8), TEXT.len());
        assert_eq!(lines.position(TEXT, 999, Encoding::Utf16), at(3, 0));
        assert_eq!(lines.offset("", at(0, 5), Encoding::Utf16), 0);
    }
}
