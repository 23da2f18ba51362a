//! What counts as the same request: byte for byte, once canonical.
//!
//! In: named parts, a body that is JSON. Out: a [`Key`]. Must not know: which parts belong to a key.

use memchr::memchr2;
use sha2::{Digest, Sha256};

/// A request, for a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key([u8; 32]);

/// Collects what makes a request the same as another.
pub struct KeyBuilder(Sha256);

impl KeyBuilder {
    /// With nothing yet.
    #[expect(clippy::new_without_default, reason = "a key of nothing means nothing")]
    pub fn new() -> Self {
        Self(Sha256::new())
    }

    /// One more part. Lengths go in, too, so that no two lists of parts read the same.
    #[must_use]
    pub fn part(mut self, name: &str, value: &str) -> Self {
        for text in [name, value] {
            self.0.update((text.len() as u64).to_le_bytes());
            self.0.update(text.as_bytes());
        }
        self
    }

    /// The body last. White space between its values does not count; everything else does.
    pub fn body(mut self, body: &[u8]) -> Key {
        significant(body, |bytes| self.0.update(bytes));
        Key(self.0.finalize().into())
    }
}

/// The runs of a JSON text that are no white space between values.
fn significant<'b>(body: &'b [u8], mut take: impl FnMut(&'b [u8])) {
    let (mut from, mut at) = (0, 0);
    while let Some(byte) = body.get(at) {
        match byte {
            b'"' => at = after_string(body, at + 1),
            b' ' | b'\t' | b'\n' | b'\r' => {
                take(&body[from..at]);
                at += 1;
                from = at;
            }
            _ => at += 1,
        }
    }
    take(&body[from..]);
}

/// The place behind the string whose first byte is at `at`.
fn after_string(body: &[u8], mut at: usize) -> usize {
    while let Some(found) = body.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found;
        if body[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    body.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(body: &str) -> String {
        let mut text = Vec::new();
        significant(body.as_bytes(), |bytes| text.extend_from_slice(bytes));
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn white_space_counts_inside_strings_alone() {
        assert_eq!(canonical(" { \"a b\" :\n[1, \"c \\\" d\\\\\" ,\ttrue] }\r\n"), r#"{"a b":[1,"c \" d\\",true]}"#);
        for odd in ["", " ", "\"", "\"\\", "\"a\\\"", "{\"a", "\\"] {
            assert_eq!(canonical(odd), odd.trim_start(), "{odd:?}");
        }
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let key = |parts: &[(&str, &str)], body: &str| {
            parts.iter().fold(KeyBuilder::new(), |key, (name, value)| key.part(name, value)).body(body.as_bytes())
        };
        let all = [
            key(&[("a", "b")], "{}"),
            key(&[("ab", "")], "{}"),
            key(&[("a", "b"), ("c", "d")], "{}"),
            key(&[("a", "bc"), ("", "d")], "{}"),
            key(&[("a", "b")], "[]"),
            key(&[], "{}"),
        ];
        let different: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
        assert_eq!(key(&[("a", "b")], "{ }\n"), all[0]);
    }
}
