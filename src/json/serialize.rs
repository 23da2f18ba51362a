//! Types whose shape is declared once, with serde, on their way out.
//!
//! In: anything that serializes. Out: the bytes that serde_json would write. Must not know: any type's fields.
//!
//! Why not `serde_json::to_writer`: it looks through the name of every field for characters to escape and hands over every quote
//! and comma by itself, which made the log line a fifth of a request's instructions.

use std::fmt::{self, Write as _};

use serde::{Serialize, ser};

use super::write::{escape, text};

/// Appends `value` to `out`.
///
/// # Errors
/// A map has keys that are no strings, or a type refuses to be serialized. What was written before stays.
pub fn serialize(out: &mut Vec<u8>, value: &impl Serialize) -> fmt::Result {
    value.serialize(Value(out))
}

/// The place of one value.
struct Value<'o>(&'o mut Vec<u8>);

/// An object or an array that was begun.
struct Parts<'o> {
    out: &'o mut Vec<u8>,
    empty: bool,
    end: &'static [u8],
}

impl<'o> Value<'o> {
    fn parts(self, begin: &[u8], end: &'static [u8]) -> Parts<'o> {
        self.0.extend_from_slice(begin);
        Parts { out: self.0, empty: true, end }
    }

    /// A value inside an object of one member, which is how serde's data model writes a variant.
    fn variant(self, name: &str) -> Self {
        self.0.push(b'{');
        text(self.0, name);
        self.0.push(b':');
        self
    }

    fn whole(self, number: impl itoa::Integer) -> fmt::Result {
        self.0.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        Ok(())
    }

    fn word(self, word: &[u8]) -> fmt::Result {
        self.0.extend_from_slice(word);
        Ok(())
    }
}

impl Parts<'_> {
    fn separate(&mut self) {
        if !std::mem::replace(&mut self.empty, false) {
            self.out.push(b',');
        }
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> fmt::Result {
        self.separate();
        value.serialize(Value(self.out))
    }

    /// A field of a struct: its name is an identifier, or what an attribute says, and needs no escapes.
    #[inline]
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> fmt::Result {
        debug_assert!(super::cursor::plain_end(name.as_bytes(), 0) == name.len(), "{name:?}");
        self.out.reserve(name.len() + 4);
        self.separate();
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        value.serialize(Value(self.out))
    }

    fn finish(self) -> fmt::Result {
        self.out.extend_from_slice(self.end);
        Ok(())
    }
}

impl<'o> ser::Serializer for Value<'o> {
    type Ok = ();
    type Error = fmt::Error;
    type SerializeSeq = Parts<'o>;
    type SerializeTuple = Parts<'o>;
    type SerializeTupleStruct = Parts<'o>;
    type SerializeTupleVariant = Parts<'o>;
    type SerializeMap = Parts<'o>;
    type SerializeStruct = Parts<'o>;
    type SerializeStructVariant = Parts<'o>;

    fn serialize_bool(self, v: bool) -> fmt::Result {
        self.word(if v { b"true" } else { b"false" })
    }
    fn serialize_i8(self, v: i8) -> fmt::Result {
        self.whole(v)
    }
    fn serialize_i16(self, v: i16) -> fmt::Result {
        self.whole(v)
    }
    fn serialize_i32(self, v: i32) -> fmt::Result {
        self.whole(v)
    }
    fn serialize_i64(self, v: i64) -> fmt::Result {
        self.whole(v)
    }
    fn serialize_u8(self, v: u8) -> fmt::Result {
        self.whole(v)
    }
    fn serialize_u16(self, v: u16) -> fmt::Result {
        self.whole(v)
    }
    fn serialize_u32(self, v: u32) -> fmt::Result {
        self.whole(v)
    }
    fn serialize_u64(self, v: u64) -> fmt::Result {
        self.whole(v)
    }
    fn serialize_f32(self, v: f32) -> fmt::Result {
        serde_json::to_writer(self.0, &v).map_err(|_| fmt::Error)
    }
    fn serialize_f64(self, v: f64) -> fmt::Result {
        serde_json::to_writer(self.0, &v).map_err(|_| fmt::Error)
    }
    fn serialize_char(self, v: char) -> fmt::Result {
        self.serialize_str(v.encode_utf8(&mut [0; 4]))
    }
    fn serialize_str(self, v: &str) -> fmt::Result {
        text(self.0, v);
        Ok(())
    }
    fn serialize_bytes(self, v: &[u8]) -> fmt::Result {
        v.serialize(self)
    }
    fn serialize_none(self) -> fmt::Result {
        self.word(b"null")
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> fmt::Result {
        value.serialize(self)
    }
    fn serialize_unit(self) -> fmt::Result {
        self.word(b"null")
    }
    fn serialize_unit_struct(self, _: &'static str) -> fmt::Result {
        self.word(b"null")
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> fmt::Result {
        self.serialize_str(variant)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> fmt::Result {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> fmt::Result {
        let inside = self.variant(variant);
        value.serialize(Value(&mut *inside.0))?;
        inside.word(b"}")
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Parts<'o>, fmt::Error> {
        Ok(self.parts(b"[", b"]"))
    }
    fn serialize_tuple(self, _: usize) -> Result<Parts<'o>, fmt::Error> {
        Ok(self.parts(b"[", b"]"))
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts<'o>, fmt::Error> {
        Ok(self.parts(b"[", b"]"))
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts<'o>, fmt::Error> {
        Ok(self.variant(variant).parts(b"[", b"]}"))
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Parts<'o>, fmt::Error> {
        Ok(self.parts(b"{", b"}"))
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts<'o>, fmt::Error> {
        Ok(self.parts(b"{", b"}"))
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts<'o>, fmt::Error> {
        Ok(self.variant(variant).parts(b"{", b"}}"))
    }
    /// Without a string of its own.
    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> fmt::Result {
        struct Inside<'o>(&'o mut Vec<u8>);
        impl fmt::Write for Inside<'_> {
            fn write_str(&mut self, piece: &str) -> fmt::Result {
                escape(self.0, piece);
                Ok(())
            }
        }
        self.0.push(b'"');
        write!(Inside(&mut *self.0), "{value}")?;
        self.0.push(b'"');
        Ok(())
    }
}

impl ser::SerializeSeq for Parts<'_> {
    type Ok = ();
    type Error = fmt::Error;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> fmt::Result {
        self.item(value)
    }
    fn end(self) -> fmt::Result {
        self.finish()
    }
}

impl ser::SerializeTuple for Parts<'_> {
    type Ok = ();
    type Error = fmt::Error;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> fmt::Result {
        self.item(value)
    }
    fn end(self) -> fmt::Result {
        self.finish()
    }
}

impl ser::SerializeTupleStruct for Parts<'_> {
    type Ok = ();
    type Error = fmt::Error;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> fmt::Result {
        self.item(value)
    }
    fn end(self) -> fmt::Result {
        self.finish()
    }
}

impl ser::SerializeTupleVariant for Parts<'_> {
    type Ok = ();
    type Error = fmt::Error;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> fmt::Result {
        self.item(value)
    }
    fn end(self) -> fmt::Result {
        self.finish()
    }
}

impl ser::SerializeMap for Parts<'_> {
    type Ok = ();
    type Error = fmt::Error;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> fmt::Result {
        self.separate();
        let begin = self.out.len();
        key.serialize(Value(self.out))?;
        self.out.push(b':');
        if self.out.get(begin) == Some(&b'"') { Ok(()) } else { Err(fmt::Error) }
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> fmt::Result {
        value.serialize(Value(self.out))
    }
    fn end(self) -> fmt::Result {
        self.finish()
    }
}

impl ser::SerializeStruct for Parts<'_> {
    type Ok = ();
    type Error = fmt::Error;
    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> fmt::Result {
        self.field(name, value)
    }
    fn end(self) -> fmt::Result {
        self.finish()
    }
}

impl ser::SerializeStructVariant for Parts<'_> {
    type Ok = ();
    type Error = fmt::Error;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> fmt::Result {
        self.field(name, value)
    }
    fn end(self) -> fmt::Result {
        self.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Serialize)]
    enum Variant {
        Unit,
        Newtype(u8),
        Tuple(i8, f64),
        Struct { name: &'static str, none: Option<()> },
    }

    #[derive(Serialize)]
    struct Everything {
        numbers: (u8, u16, u32, u64, i8, i16, i32, i64),
        floats: [f64; 4],
        single: f32,
        letters: Vec<char>,
        text: String,
        variants: [Variant; 4],
        unit: (),
        yes: bool,
        maybe: Option<u8>,
        no: Option<u8>,
        #[serde(rename = "type")]
        named: BTreeMap<String, Vec<u8>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        absent: Option<u8>,
        displayed: serde_json::Value,
    }

    #[test]
    fn it_writes_what_serde_json_writes() {
        let odd = "a\"b\\c\n\r\t\u{1}\u{1f}é😀\u{7f}\u{8}\u{c}/\u{2028}";
        let everything = Everything {
            numbers: (u8::MAX, 0, u32::MAX, u64::MAX, i8::MIN, -1, i32::MIN, i64::MIN),
            floats: [0.1, 1e300, -0.0, f64::NAN],
            single: 0.1,
            letters: vec!['a', '"', '😀'],
            text: odd.to_owned(),
            variants: [
                Variant::Unit,
                Variant::Newtype(1),
                Variant::Tuple(-1, 2.0),
                Variant::Struct { name: "n", none: None },
            ],
            unit: (),
            yes: true,
            maybe: Some(1),
            no: None,
            named: [(odd.to_owned(), vec![]), ("b".to_owned(), vec![1, 2])].into(),
            absent: None,
            displayed: serde_json::json!({"a": [1, {"b": null}], "c": odd, "": {}}),
        };
        let mut out = Vec::new();
        serialize(&mut out, &everything).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), serde_json::to_string(&everything).unwrap());
    }

    #[test]
    fn a_displayed_value_is_escaped() {
        struct Shown;
        impl Serialize for Shown {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&format_args!("{}{}", "a\"", 'b'))
            }
        }
        let mut out = Vec::new();
        serialize(&mut out, &Shown).unwrap();
        assert_eq!(out, br#""a\"b""#);
    }

    #[test]
    fn a_key_that_is_no_string_is_an_error() {
        assert!(serialize(&mut Vec::new(), &BTreeMap::from([(1, 2)])).is_err());
    }
}
