//! JSON on one line.
//!
//! In: a value as a provider laid it out. Out: the same value without space between its tokens. Must not know: what it is for.
//!
//! Google's documents are indented, and an event of a stream must not hold a line break.

use std::borrow::Cow;

use crate::json::Raw;

/// The same value without space outside its strings.
pub(super) fn compact(raw: Raw<'_>) -> Raw<'_> {
    let mut out = Vec::new();
    if !write(raw.0.as_bytes(), &mut out) {
        return raw;
    }
    // INVARIANT: only ASCII is left out.
    Raw(Cow::Owned(String::from_utf8(out).unwrap_or_default()))
}

/// Writes it and tells whether anything was left out. Nothing is written otherwise.
fn write(json: &[u8], out: &mut Vec<u8>) -> bool {
    let (mut inside, mut escaped) = (false, false);
    let mut from = 0;
    let mut spaced = false;
    for (at, byte) in json.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = inside,
            b'"' => inside = !inside,
            b' ' | b'\n' | b'\r' | b'\t' if !inside => {
                spaced = true;
                out.extend_from_slice(json.get(from..at).unwrap_or_default());
                from = at + 1;
            }
            _ => {}
        }
    }
    if spaced {
        out.extend_from_slice(json.get(from..).unwrap_or_default());
    }
    spaced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_between_tokens_goes_and_space_inside_strings_stays() {
        for (laid_out, one_line) in [
            ("{\n  \"a b\": [1, 2],\r\n\t\"c\": \"d \\\" e\\\\\" }", "{\"a b\":[1,2],\"c\":\"d \\\" e\\\\\"}"),
            ("{}", "{}"),
            (" 1 ", "1"),
            ("\" \"", "\" \""),
        ] {
            assert_eq!(compact(Raw(laid_out.into())).0, one_line);
        }
        assert!(matches!(compact(Raw("{\"a\":1}".into())).0, Cow::Borrowed(_)));
    }
}
