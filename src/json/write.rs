//! JSON on its way out, member by member, without a tree.
//!
//! In: names, text, values as they were written elsewhere. Out: bytes. Must not know: any provider's fields.

use super::cursor::{is_plain, plain_end};
use super::{Quoted, Raw};

/// Bytes of a text that is looked at as a whole: most are names and words, and of a long one, what is plain is copied as it is found.
const SHORT: usize = 128;

/// An object that is being written.
pub struct Object<'o> {
    out: &'o mut Vec<u8>,
    empty: bool,
}

/// An array that is being written.
pub struct Array<'o> {
    out: &'o mut Vec<u8>,
    empty: bool,
}

/// Writes one object.
pub fn object(out: &mut Vec<u8>, write: impl FnOnce(&mut Object<'_>)) {
    out.push(b'{');
    write(&mut Object { out, empty: true });
    out.push(b'}');
}

/// Writes one array.
pub fn array(out: &mut Vec<u8>, write: impl FnOnce(&mut Array<'_>)) {
    out.push(b'[');
    write(&mut Array { out, empty: true });
    out.push(b']');
}

/// Writes text as a JSON string.
pub fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    escape(out, text);
    out.push(b'"');
}

/// Writes text as the inside of a JSON string.
pub fn escape(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    if bytes.len() <= SHORT && is_plain(bytes) {
        return out.extend_from_slice(bytes);
    }
    let mut from = 0;
    loop {
        let to = plain_end(bytes, from);
        out.extend_from_slice(bytes.get(from..to).unwrap_or_default());
        let Some(special) = bytes.get(to) else { return };
        match special {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            control => {
                let digit = |nibble: u8| b"0123456789abcdef".get(usize::from(nibble)).copied().unwrap_or(b'0');
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(control >> 4), digit(control & 15)]);
            }
        }
        from = to + 1;
    }
}

/// Writes a whole number.
pub fn number(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Writes `true` or `false`.
pub fn boolean(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

/// Writes a value as it was written elsewhere. In JSON, a line's end is only space; in an event, it ends the event.
pub fn on_one_line(out: &mut Vec<u8>, value: &[u8]) {
    out.extend(value.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }));
}

/// Behind the part before, if there is one.
fn separate<'o>(out: &'o mut Vec<u8>, empty: &mut bool) -> &'o mut Vec<u8> {
    if !std::mem::replace(empty, false) {
        out.push(b',');
    }
    out
}

impl Object<'_> {
    /// Begins a member; whoever calls this writes its value. `name` must need no escapes.
    pub fn member(&mut self, name: &str) -> &mut Vec<u8> {
        let out = self.place();
        out.push(b'"');
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        out
    }

    /// The place of the next member, name included.
    fn place(&mut self) -> &mut Vec<u8> {
        separate(self.out, &mut self.empty)
    }

    /// Begins a member whose name may be any text.
    pub fn named(&mut self, name: &str) -> &mut Vec<u8> {
        let out = self.place();
        text(out, name);
        out.push(b':');
        out
    }

    /// A string.
    pub fn text(&mut self, name: &str, value: &str) {
        text(self.member(name), value);
    }

    /// A string, as it was written elsewhere.
    pub fn quoted(&mut self, name: &str, value: &Quoted<'_>) {
        value.write(self.member(name));
    }

    /// Any value, as it was written elsewhere.
    pub fn raw(&mut self, name: &str, value: &Raw<'_>) {
        self.member(name).extend_from_slice(value.0.as_bytes());
    }

    /// A whole number.
    pub fn number(&mut self, name: &str, value: u64) {
        number(self.member(name), value);
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, name: &str, value: bool) {
        boolean(self.member(name), value);
    }

    /// `null`.
    pub fn null(&mut self, name: &str) {
        self.member(name).extend_from_slice(b"null");
    }

    /// An object inside.
    pub fn object(&mut self, name: &str, write: impl FnOnce(&mut Object<'_>)) {
        object(self.member(name), write);
    }

    /// An array inside.
    pub fn array(&mut self, name: &str, write: impl FnOnce(&mut Array<'_>)) {
        array(self.member(name), write);
    }
}

impl Array<'_> {
    /// Begins an item; whoever calls this writes its value.
    pub fn item(&mut self) -> &mut Vec<u8> {
        separate(self.out, &mut self.empty)
    }

    /// A string.
    pub fn text(&mut self, value: &str) {
        text(self.item(), value);
    }

    /// A string, as it was written elsewhere.
    pub fn quoted(&mut self, value: &Quoted<'_>) {
        value.write(self.item());
    }

    /// Any value, as it was written elsewhere.
    pub fn raw(&mut self, value: &Raw<'_>) {
        self.item().extend_from_slice(value.0.as_bytes());
    }

    /// An object inside.
    pub fn object(&mut self, write: impl FnOnce(&mut Object<'_>)) {
        object(self.item(), write);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut out = Vec::new();
        let odd = "a\"b\\c\n\r\t\u{1}\u{1f}é😀\u{7f}";
        object(&mut out, |o| {
            o.text("text", odd);
            o.quoted("quoted", &Quoted::of(odd));
            o.raw("raw", &Raw("{\"k\": [1.50]}".into()));
            o.number("number", u64::MAX);
            o.boolean("yes", true);
            o.null("none");
            o.named("odd \"").push(b'1');
            o.object("inside", |_| {});
            o.array("list", |list| {
                list.text("x");
                list.object(|o| o.number("n", 1));
            });
        });
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!((value["text"].as_str(), value["quoted"].as_str()), (Some(odd), Some(odd)));
        assert!(std::str::from_utf8(&out).unwrap().ends_with(
            r#""raw":{"k": [1.50]},"number":18446744073709551615,"yes":true,"none":null,"odd \"":1,"inside":{},"list":["x",{"n":1}]}"#
        ));
    }
}
