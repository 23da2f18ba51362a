//! What a response repeats of its request.
//!
//! In: a body; then an object that is being written. Out: the members that are repeated, or what the API says when nothing was asked
//! for. Must not know: who answers.

use bytes::Bytes;

use crate::dialect::canonical::Echo;
use crate::json::write::{Object, on_one_line};
use crate::json::{Cursor, JsonError, Kind, Raw};

/// Members that are repeated.
const REPEATED: [&str; 16] = [
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "parallel_tool_calls",
    "prompt_cache_key",
    "reasoning",
    "safety_identifier",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
    "metadata",
];

/// Finds them in a request that was read before.
pub fn of(body: &Bytes) -> Echo {
    let mut echo = Echo::nothing();
    let read = Cursor::new(body).and_then(|mut cursor| {
        cursor.members(|cursor, key| {
            let kind = cursor.kind()?;
            let span = cursor.skip()?;
            let name = key.decode();
            if let Some(name) = REPEATED.into_iter().find(|known| **known == *name).filter(|_| kind != Kind::Null) {
                echo.keep(name, body.slice(span.start..span.end));
            }
            Ok::<(), JsonError>(())
        })
    });
    // Nothing is repeated of what is no request.
    read.map_or_else(|_| Echo::nothing(), |()| echo)
}

/// Writes a member as it was asked for, on one line; `false` where nothing was.
pub(super) fn repeat(o: &mut Object<'_>, echo: &Echo, name: &str) -> bool {
    let Some(value) = echo.get(name) else { return false };
    on_one_line(o.member(name), value);
    true
}

/// Writes an object as it was asked for, and `others` of it in the API's usual way where nothing was said about them.
pub(super) fn repeat_with(o: &mut Object<'_>, echo: &Echo, name: &str, others: &[(&str, &str)]) {
    o.object(name, |o| {
        let mut said = Vec::new();
        if let Some(mut cursor) = echo.get(name).and_then(|value| Cursor::new(value).ok()) {
            // What is no object was refused before.
            let _ = cursor.members(|cursor, key| {
                let value = cursor.raw()?;
                on_one_line(o.member(key.raw), value.0.as_bytes());
                said.push(key.raw);
                Ok::<(), JsonError>(())
            });
        }
        for (name, usual) in others.iter().filter(|(name, _)| !said.contains(name)) {
            o.raw(name, &Raw((*usual).into()));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::write::object;

    #[test]
    fn what_was_asked_for_is_repeated_on_one_line() {
        let body = "{\"model\":\"m\",\"tools\":[\n{\"a\":1}\r\n],\"user\":null,\"t\\u0065mperature\":0.50,\"text\":{\"verbosity\":\"low\"}}";
        let body = Bytes::from_static(body.as_bytes());
        let echo = of(&body);
        let mut out = Vec::new();
        object(&mut out, |o| {
            assert!(repeat(o, &echo, "tools") && repeat(o, &echo, "temperature"));
            assert!(!repeat(o, &echo, "user") && !repeat(o, &echo, "model"));
            repeat_with(o, &echo, "text", &[("format", r#"{"type":"text"}"#), ("verbosity", "null")]);
            repeat_with(o, &echo, "reasoning", &[("effort", "null")]);
        });
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"tools":[ {"a":1}  ],"temperature":0.50,"text":{"verbosity":"low","format":{"type":"text"}},"reasoning":{"effort":null}}"#
        );
        assert_eq!(of(&Bytes::from_static(b"{\"tools\":[]")), Echo::nothing());
    }
}
