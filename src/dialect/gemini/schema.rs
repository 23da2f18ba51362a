//! Google's `Schema`, an early subset of OpenAPI, as JSON Schema.
//!
//! In: `responseSchema` and `parameters` as written. Out: the same demand in the words every other provider knows. Must not
//! know: what is demanded.
//!
//! What differs: types in capitals, `nullable` beside the type, the order of properties in a field of its own, lengths as strings
//! (protobuf's way with 64-bit numbers), and names in either spelling.

use super::proto::camel;
use crate::json::{Cursor, JsonError, Kind, Quoted, Raw, Text, write};

/// The same demand as JSON Schema. What is no object stays as it is.
///
/// # Errors
/// When it is not JSON, which whoever read the body has excluded.
pub(super) fn json_schema(google: &Raw<'_>) -> Result<Raw<'static>, JsonError> {
    let mut out = Vec::with_capacity(google.0.len());
    schema(&mut Cursor::new(google.0.as_bytes())?, &mut out)?;
    // INVARIANT: pieces of a text and ASCII.
    Ok(Raw(String::from_utf8(out).unwrap_or_default().into()))
}

/// What can only be written when the whole object is read.
#[derive(Default)]
struct Late {
    kind: Option<String>,
    nullable: bool,
    words: Option<Vec<u8>>,
    any_of: Option<Vec<u8>>,
}

fn schema(cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<(), JsonError> {
    if cursor.kind()? != Kind::Object {
        return raw(cursor, out);
    }
    let mut late = Late::default();
    let mut outcome = Ok(());
    write::object(out, |o| {
        outcome = cursor.members(|cursor, key| member(cursor, key, o, &mut late));
        late.write(o);
    });
    outcome
}

fn member(cursor: &mut Cursor<'_>, key: Text<'_>, o: &mut write::Object<'_>, late: &mut Late) -> Result<(), JsonError> {
    let decoded = key.decode();
    let name = &*camel(&decoded);
    match (name, cursor.kind()?) {
        // The order of properties is a hint.
        (_, Kind::Null) | ("propertyOrdering", _) => drop(cursor.skip()?),
        ("type", Kind::String) => late.kind = Some(cursor.string()?.decode().to_ascii_lowercase()),
        ("nullable", Kind::Bool) => late.nullable = cursor.boolean()?,
        ("enum", Kind::Array) => late.words = Some(list(cursor, raw)?),
        ("anyOf", Kind::Array) => late.any_of = Some(list(cursor, schema)?),
        ("prefixItems", Kind::Array) => bracketed(o.member(name), &list(cursor, schema)?),
        ("items" | "additionalProperties", _) => schema(cursor, o.member(name))?,
        ("properties", Kind::Object) => named(cursor, o.member(name))?,
        ("defs" | "$defs", Kind::Object) => named(cursor, o.member("$defs"))?,
        ("ref" | "$ref", Kind::String) => o.quoted("$ref", &Quoted::from(cursor.string()?)),
        ("format", Kind::String) => {
            let format = cursor.string()?;
            // Not one of JSON Schema's; the words say it already.
            if format.raw != "enum" {
                o.quoted(name, &format.into());
            }
        }
        ("minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties" | "maxProperties", Kind::String) => {
            if let Ok(number) = cursor.string()?.raw.parse() {
                o.number(name, number);
            }
        }
        ("example", _) => bracketed(o.member("examples"), cursor.raw()?.0.as_bytes()),
        (_, _) => raw(cursor, o.member(key.raw))?,
    }
    Ok(())
}

impl Late {
    fn write(self, o: &mut write::Object<'_>) {
        let kind = self.kind.filter(|kind| kind != "type_unspecified");
        let null = |list: Option<Vec<u8>>, null: &[u8]| {
            list.map(|mut list| {
                if self.nullable {
                    list.extend_from_slice(if list.is_empty() { b"" } else { b"," });
                    list.extend_from_slice(null);
                }
                list
            })
        };
        if let Some(words) = null(self.words, b"null") {
            bracketed(o.member("enum"), &words);
        }
        if let Some(any_of) = null(self.any_of, b"{\"type\":\"null\"}") {
            bracketed(o.member("anyOf"), &any_of);
        }
        match kind {
            Some(kind) if self.nullable && kind != "null" => o.array("type", |list| {
                list.text(&kind);
                list.text("null");
            }),
            Some(kind) => o.text("type", &kind),
            None => {}
        }
    }
}

/// Properties keep their names, whatever these look like.
fn named(cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<(), JsonError> {
    let mut outcome = Ok(());
    write::object(out, |o| {
        outcome = cursor.members(|cursor, key| schema(cursor, o.member(key.raw)));
    });
    outcome
}

/// The items of a list, without its brackets.
fn list<'a>(
    cursor: &mut Cursor<'a>,
    write: fn(&mut Cursor<'a>, &mut Vec<u8>) -> Result<(), JsonError>,
) -> Result<Vec<u8>, JsonError> {
    let mut out = Vec::new();
    cursor.items::<JsonError>(|cursor| {
        if !out.is_empty() {
            out.push(b',');
        }
        write(cursor, &mut out)
    })?;
    Ok(out)
}

fn bracketed(out: &mut Vec<u8>, items: &[u8]) {
    out.push(b'[');
    out.extend_from_slice(items);
    out.push(b']');
}

fn raw(cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<(), JsonError> {
    out.extend_from_slice(cursor.raw()?.0.as_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(google: &str) -> String {
        json_schema(&Raw(google.into())).unwrap().0.into_owned()
    }

    #[test]
    fn googles_words_become_everybodys() {
        for (google, everybody) in [
            (r#"{"type":"STRING"}"#, r#"{"type":"string"}"#),
            (
                r#"{"type":"OBJECT","properties":{"min_items":{"type":"INTEGER","title":"n"}},"property_ordering":["min_items"],"required":["min_items"]}"#,
                r#"{"properties":{"min_items":{"title":"n","type":"integer"}},"required":["min_items"],"type":"object"}"#,
            ),
            (
                r#"{"nullable":true,"type":"ARRAY","min_items":"1","maxItems":3,"items":{"type":"NUMBER"}}"#,
                r#"{"minItems":1,"maxItems":3,"items":{"type":"number"},"type":["array","null"]}"#,
            ),
            (
                r#"{"type":"STRING","format":"enum","enum":["a","b"],"nullable":true}"#,
                r#"{"enum":["a","b",null],"type":["string","null"]}"#,
            ),
            (
                r#"{"any_of":[{"type":"STRING"},{"type":"NULL"}],"example":1,"description":"d \"q\""}"#,
                r#"{"examples":[1],"description":"d \"q\"","anyOf":[{"type":"string"},{"type":"null"}]}"#,
            ),
            (r#"{"anyOf":[{}],"nullable":true}"#, r#"{"anyOf":[{},{"type":"null"}]}"#),
            (
                r#"{"defs":{"A":{"type":"OBJECT"}},"ref":"/$defs/A","title":null}"#,
                r#"{"$defs":{"A":{"type":"object"}},"$ref":"/$defs/A"}"#,
            ),
            ("true", "true"),
        ] {
            assert_eq!(converted(google), everybody, "{google}");
        }
    }

    #[test]
    fn what_is_json_schema_already_means_the_same() {
        let schema = r#"{"properties":{"type":{"type":"string"},"nullable":{"type":["integer","null"]}},"additionalProperties":false,"pattern":"\\d","type":"object"}"#;
        assert_eq!(converted(schema), schema);
    }
}
