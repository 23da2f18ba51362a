//! What OpenAI's strict mode takes of schemas that were strict elsewhere.
//!
//! In: a conversation. Out: what `strict` says of its functions and of its format, here and in Responses; what had to be said otherwise
//! is noted. Must not know: how any of it is written.
//!
//! Anthropic's API holds a model to schemas that OpenAI's refuses in strict mode: there every object must be closed
//! (`additionalProperties: false`) and require all it has, and some keywords are not taken (OpenAI, structured outputs, supported
//! schemas, read 2026-11-26). Such a schema is sent without strict mode, in which the model follows it without being held to it.
//! Who speaks one of OpenAI's own dialects meant its rules, so what they say passes as it is.

use std::borrow::Cow;

use crate::dialect::Dialect;
use crate::dialect::canonical::{Conversation, Field, Format, Notes};
use crate::json::{Cursor, JsonError, Kind, Raw};

/// Objects in objects that strict mode takes.
pub const MAX_DEPTH: usize = 10;
/// Properties that it takes in one schema.
pub const MAX_PROPERTIES: usize = 5_000;
/// Keywords that it does not take.
const REFUSED: [&str; 8] = ["allOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas"];

/// What `strict` says.
#[derive(Debug, Default)]
pub(in crate::dialect) struct Strict {
    /// Of each function.
    pub tools: Vec<Option<bool>>,
    /// Of the format.
    pub format: Option<bool>,
}

impl Strict {
    /// As this API takes it.
    pub fn of(conversation: &Conversation<'_>, notes: &mut Notes) -> Self {
        let meant = matches!(conversation.from, Dialect::Chat | Dialect::Responses);
        let mut told = |strict: Option<bool>, schema: Option<&Raw<'_>>, param: &dyn Fn() -> String| {
            if meant || strict != Some(true) || schema.is_some_and(takes) {
                return strict;
            }
            notes.adapted.push(format!("{} true->false", param()).into());
            Some(false)
        };
        let place = Field::Tools.of(conversation.from);
        let tools = conversation.tools.iter().enumerate();
        let tools =
            tools.map(|(at, tool)| told(tool.strict, tool.schema.as_ref(), &|| format!("{place}[{at}].strict")));
        let tools = tools.collect();
        let format = match &conversation.format {
            Some(Format::Schema { schema, strict, .. }) => {
                told(*strict, Some(schema), &|| format!("{} strict", Field::Format.of(conversation.from)))
            }
            _ => None,
        };
        Self { tools, format }
    }
}

/// Whether strict mode takes it.
pub(in crate::dialect) fn takes(schema: &Raw<'_>) -> bool {
    let mut count = 0;
    let read = Cursor::new(schema.0.as_bytes()).and_then(|mut cursor| {
        let taken = part(&mut cursor, 0, &mut count)?;
        cursor.finish()?;
        Ok(taken)
    });
    matches!(read, Ok(Part { taken: true, object: true })) && count <= MAX_PROPERTIES
}

/// A schema in a schema.
#[derive(Clone, Copy)]
struct Part {
    taken: bool,
    object: bool,
}

/// Takes the next value, which lies in so many objects.
fn part(cursor: &mut Cursor<'_>, depth: usize, count: &mut usize) -> Result<Part, JsonError> {
    if cursor.kind()? != Kind::Object {
        cursor.skip()?;
        return Ok(Part { taken: false, object: false });
    }
    let (mut taken, mut object, mut closed) = (true, false, false);
    let (mut properties, mut required): (Vec<Cow<'_, str>>, Vec<Cow<'_, str>>) = (Vec::new(), Vec::new());
    cursor.members(|cursor, key| {
        match (&*key.decode(), cursor.kind()?) {
            ("type", Kind::String) => object |= cursor.string()?.decode() == "object",
            ("type", Kind::Array) => cursor.items(|cursor| {
                object |= cursor.string_or_skip()?.is_some_and(|word| word.decode() == "object");
                Ok::<(), JsonError>(())
            })?,
            ("additionalProperties", Kind::Bool) => closed = !cursor.boolean()?,
            ("required", Kind::Array) => cursor.items(|cursor| {
                required.extend(cursor.string_or_skip()?.map(|name| name.decode()));
                Ok::<(), JsonError>(())
            })?,
            ("properties", Kind::Object) => {
                object = true;
                cursor.members(|cursor, key| {
                    properties.push(key.decode());
                    taken &= part(cursor, depth + 1, count)?.taken;
                    Ok::<(), JsonError>(())
                })?;
            }
            ("$defs" | "definitions", Kind::Object) => cursor.members(|cursor, _| {
                taken &= part(cursor, depth + 1, count)?.taken;
                Ok::<(), JsonError>(())
            })?,
            ("items", _) => taken &= part(cursor, depth, count)?.taken,
            // At the top it must be one object.
            ("anyOf", Kind::Array) => {
                taken &= depth > 0;
                cursor.items(|cursor| {
                    taken &= part(cursor, depth, count)?.taken;
                    Ok::<(), JsonError>(())
                })?;
            }
            (word, _) => {
                taken &= !REFUSED.contains(&word);
                cursor.skip()?;
            }
        }
        Ok::<(), JsonError>(())
    })?;
    *count += properties.len();
    if object {
        required.sort_unstable();
        taken &= closed && depth < MAX_DEPTH && required.len() >= properties.len();
        taken &= properties.iter().all(|name| required.binary_search(name).is_ok());
    }
    Ok(Part { taken, object })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::canonical::Tool;
    use crate::json::Quoted;

    fn taken(schema: &str) -> bool {
        takes(&Raw(schema.into()))
    }

    const CLOSED: &str =
        r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}"#;

    #[test]
    fn an_object_must_be_closed_and_require_all_it_has() {
        assert!(taken(CLOSED));
        assert!(taken(r#"{"type":"object","properties":{},"required":[],"additionalProperties":false}"#));
        assert!(taken(
            &CLOSED.replace(r#"{"type":"string"}"#, r##"{"anyOf":[{"type":["string","null"]},{"$ref":"#"}]}"##)
        ));
        for (from, to) in [
            (r#","additionalProperties":false"#, ""),
            ("false}", "true}"),
            ("false}", "{}}"),
            (r#"["a"]"#, "[]"),
            (r#"["a"]"#, r#"["b"]"#),
            (r#"{"type":"string"}"#, "true"),
            (r#"{"type":"string"}"#, r#"{"type":"object"}"#),
            (r#"{"type":"string"}"#, r#"{"type":"array","items":{"type":"object","properties":{}}}"#),
            (r#"{"type":"string"}"#, r#"{"oneOf":[]}"#),
            (r#"{"type":"string"}"#, r#"{"anyOf":[{"type":["object","null"]}]}"#),
            (r#""required""#, r#""$defs":{"x":{"type":"object"}},"required""#),
            (r#""required""#, r#""anyOf":[],"required""#),
        ] {
            let odd = CLOSED.replacen(from, to, 1);
            assert!(odd != CLOSED && !taken(&odd), "{odd}");
        }
        for odd in ["", "[]", "true", "{}", r#"{"type":"string"}"#, r#"{"type":"array","items":{}}"#] {
            assert!(!taken(odd), "{odd}");
        }
    }

    #[test]
    fn so_deep_and_so_many_and_no_more() {
        let nested = |depth: usize| {
            (1..depth).fold(CLOSED.to_owned(), |inner, _| CLOSED.replacen(r#"{"type":"string"}"#, &inner, 1))
        };
        assert!(taken(&nested(MAX_DEPTH)) && !taken(&nested(MAX_DEPTH + 1)));
        let wide = |count: usize| {
            let names: Vec<String> = (0..count).map(|at| format!("\"p{at}\"")).collect();
            let properties: Vec<String> = names.iter().map(|name| format!("{name}:{{}}")).collect();
            format!(
                r#"{{"type":"object","properties":{{{}}},"required":[{}],"additionalProperties":false}}"#,
                properties.join(","),
                names.join(",")
            )
        };
        assert!(taken(&wide(MAX_PROPERTIES)) && !taken(&wide(MAX_PROPERTIES + 1)));
    }

    #[test]
    fn what_was_strict_elsewhere_is_strict_where_it_can_be() {
        let told = |from, schema: &'static str| {
            let mut conversation = Conversation::empty(from);
            let schema = || Raw(schema.into());
            let tool =
                |strict| Tool { name: Quoted::of("f"), description: None, schema: Some(schema()), strict, cache: None };
            conversation.tools = vec![tool(None), tool(Some(true)), tool(Some(false))];
            conversation.format =
                Some(Format::Schema { name: None, description: None, schema: schema(), strict: Some(true) });
            let mut notes = Notes::default();
            let strict = Strict::of(&conversation, &mut notes);
            (strict.tools, strict.format, notes.adapted.join(", "))
        };
        let as_said = (vec![None, Some(true), Some(false)], Some(true), String::new());
        assert_eq!(told(Dialect::Messages, CLOSED), as_said);
        let open = r#"{"type":"object"}"#;
        assert_eq!(told(Dialect::Chat, open), as_said);
        assert_eq!(
            told(Dialect::Messages, open),
            (
                vec![None, Some(false), Some(false)],
                Some(false),
                "tools[1].strict true->false, output_config.format strict true->false".to_owned()
            )
        );
    }
}
