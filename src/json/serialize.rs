//! Types whose shape is declared once, with serde, on their way out.
//!
//! In: anything that serializes. Out: the bytes that serde_json would write. Must not know: any type's fields.
//!
//! Why not `serde_json::to_writer`: it looks through the name of every field for characters to escape and hands over every quote
//! and comma by itself, which made the log line a fifth of a request's instructions.

use std::fmt::{self, Write as _};

use serde::{Serialize, ser};

use super::write::{Array, Object, escape, text};

/// Appends `value` to `out`.
///
/// # Errors
/// A map has keys that are no strings, or a type refuses to be serialized. What was written before stays.
pub fn serialize(out: &mut Vec<u8>, value: &impl Serialize) -> fmt::Result {
    value.serialize(Value(out))
}

/// The place of one value.
struct Value<'o>(&'o mut Vec<u8>);

/// An array that was begun, and what ends it.
struct Items<'o>(Array<'o>, &'static [u8]);

/// An object that was begun, and what ends it.
struct Members<'o>(Object<'o>, &'static [u8]);

impl<'o> Value<'o> {
    fn items(self, end: &'static [u8]) -> Items<'o> {
        self.0.push(b'[');
        Items(Array { out: self.0, empty: true }, end)
    }

    fn members(self, end: &'static [u8]) -> Members<'o> {
        self.0.push(b'{');
        Members(Object { out: self.0, empty: true }, end)
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

macro_rules! numbers {
    ($($name:ident: $kind:ty),+ $(,)?) => {
        $(fn $name(self, v: $kind) -> fmt::Result {
            self.whole(v)
        })+
    };
}

impl<'o> ser::Serializer for Value<'o> {
    type Ok = ();
    type Error = fmt::Error;
    type SerializeSeq = Items<'o>;
    type SerializeTuple = Items<'o>;
    type SerializeTupleStruct = Items<'o>;
    type SerializeTupleVariant = Items<'o>;
    type SerializeMap = Members<'o>;
    type SerializeStruct = Members<'o>;
    type SerializeStructVariant = Members<'o>;

    fn serialize_bool(self, v: bool) -> fmt::Result {
        self.word(if v { b"true" } else { b"false" })
    }
    numbers! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
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
    fn serialize_seq(self, _: Option<usize>) -> Result<Items<'o>, fmt::Error> {
        Ok(self.items(b"]"))
    }
    fn serialize_tuple(self, _: usize) -> Result<Items<'o>, fmt::Error> {
        Ok(self.items(b"]"))
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Items<'o>, fmt::Error> {
        Ok(self.items(b"]"))
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items<'o>, fmt::Error> {
        Ok(self.variant(variant).items(b"]}"))
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Members<'o>, fmt::Error> {
        Ok(self.members(b"}"))
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Members<'o>, fmt::Error> {
        Ok(self.members(b"}"))
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Members<'o>, fmt::Error> {
        Ok(self.variant(variant).members(b"}}"))
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

/// serde has a trait for each kind of array, and they differ in names alone.
macro_rules! items {
    ($($kind:ident: $part:ident),+) => {
        $(impl ser::$kind for Items<'_> {
            type Ok = ();
            type Error = fmt::Error;
            fn $part<T: Serialize + ?Sized>(&mut self, value: &T) -> fmt::Result {
                value.serialize(Value(self.0.item()))
            }
            fn end(self) -> fmt::Result {
                Value(self.0.out).word(self.1)
            }
        })+
    };
}

items!(
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field
);

/// The name of a field is an identifier, or what an attribute says, and needs no escapes.
macro_rules! fields {
    ($($kind:ident),+) => {
        $(impl ser::$kind for Members<'_> {
            type Ok = ();
            type Error = fmt::Error;
            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> fmt::Result {
                debug_assert!(super::cursor::plain_end(name.as_bytes(), 0) == name.len(), "{name:?}");
                value.serialize(Value(self.0.member(name)))
            }
            fn end(self) -> fmt::Result {
                Value(self.0.out).word(self.1)
            }
        })+
    };
}

fields!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Members<'_> {
    type Ok = ();
    type Error = fmt::Error;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> fmt::Result {
        let out = self.0.place();
        let begin = out.len();
        key.serialize(Value(&mut *out))?;
        out.push(b':');
        if out.get(begin) == Some(&b'"') { Ok(()) } else { Err(fmt::Error) }
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> fmt::Result {
        value.serialize(Value(&mut *self.0.out))
    }
    fn end(self) -> fmt::Result {
        Value(self.0.out).word(self.1)
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
