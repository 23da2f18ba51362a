//! A complete answer of Converse, without a tree.
//!
//! In: the body of a 2xx. Out: a [`Completion`], or why it is none. Must not know: what happens next.

use crate::dialect::canonical::{Completion, Finish, Part, ToolCall};
use crate::dialect::upstream_error::UpstreamError;
use crate::failure::Failure;
use crate::json::{Cursor, JsonError, Kind, Quoted, Raw};
use crate::usage::Usage;

/// Reads a whole body. Converse names neither the answer nor the model.
///
/// # Errors
/// A body that is no JSON object is [`Failure::Network`]: it broke off, or something else than the provider answered. One with
/// an error in place of an answer is that error.
pub fn read(body: &[u8]) -> Result<Completion<'_>, UpstreamError> {
    let mut answer = Completion::default();
    let mut said = Said::default();
    let outcome = Cursor::new(body).and_then(|mut cursor| {
        cursor.members(|cursor, key| member(cursor, key.raw, &mut answer, &mut said))?;
        cursor.finish()
    });
    if let Err(error) = outcome {
        let message = format!("status 200, but the body is no JSON object: {}", error.describe(body));
        return Err(UpstreamError::bare(Failure::Network, &message));
    }
    if said.error && !said.output {
        return Err(UpstreamError::in_band(body));
    }
    Ok(answer)
}

/// What stood at the top.
#[derive(Default)]
struct Said {
    output: bool,
    error: bool,
}

fn member<'a>(
    cursor: &mut Cursor<'a>,
    key: &str,
    answer: &mut Completion<'a>,
    said: &mut Said,
) -> Result<(), JsonError> {
    match (key, cursor.kind()?) {
        ("output", Kind::Object) => {
            said.output = true;
            in_object(cursor, "message", |cursor| {
                in_array(cursor, "content", |cursor| block(cursor, &mut answer.parts))
            })?;
        }
        ("stopReason", Kind::String) => answer.finish = Some(finish(&cursor.string()?.decode())),
        ("usage", Kind::Object) => answer.usage = usage(cursor)?,
        ("message" | "Message" | "error", Kind::String | Kind::Object) => {
            said.error = true;
            cursor.skip()?;
        }
        _ => drop(cursor.skip()?),
    }
    Ok(())
}

fn block<'a>(cursor: &mut Cursor<'a>, parts: &mut Vec<Part<'a>>) -> Result<(), JsonError> {
    cursor.members(|cursor, key| {
        match (key.raw, cursor.kind()?) {
            ("text", Kind::String) => parts.push(Part::Text(cursor.string()?.into())),
            ("toolUse", Kind::Object) => parts.extend(call(cursor)?),
            ("reasoningContent", Kind::Object) => in_object(cursor, "reasoningText", |cursor| {
                in_string(cursor, "text", |text| parts.push(Part::Thinking(text)))
            })?,
            ("citationsContent", Kind::Object) => {
                in_array(cursor, "content", |cursor| in_string(cursor, "text", |text| parts.push(Part::Text(text))))?;
            }
            _ => drop(cursor.skip()?),
        }
        Ok(())
    })
}

/// A call of one of the caller's functions; `None` for one that the provider answers itself.
fn call<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Part<'a>>, JsonError> {
    let mut call =
        ToolCall { id: Quoted::default(), name: Quoted::default(), arguments: Raw(std::borrow::Cow::Borrowed("{}")) };
    let mut own = true;
    cursor.members(|cursor, key| {
        match (key.raw, cursor.kind()?) {
            ("toolUseId", Kind::String) => call.id = cursor.string()?.into(),
            ("name", Kind::String) => call.name = cursor.string()?.into(),
            ("input", Kind::Object) => call.arguments = cursor.raw()?,
            ("type", Kind::String) => own = cursor.string()?.raw != "server_tool_use",
            _ => drop(cursor.skip()?),
        }
        Ok::<(), JsonError>(())
    })?;
    Ok(own.then_some(Part::Call(call)))
}

/// Visits the object under `name` in the object that is next; everything else in it is skipped.
fn in_object<'a>(
    cursor: &mut Cursor<'a>,
    name: &str,
    mut visit: impl FnMut(&mut Cursor<'a>) -> Result<(), JsonError>,
) -> Result<(), JsonError> {
    cursor.members(|cursor, key| {
        if key.raw == name && cursor.kind()? == Kind::Object { visit(cursor) } else { cursor.skip().map(|_| ()) }
    })
}

/// Visits the objects of the array under `name`.
fn in_array<'a>(
    cursor: &mut Cursor<'a>,
    name: &str,
    mut visit: impl FnMut(&mut Cursor<'a>) -> Result<(), JsonError>,
) -> Result<(), JsonError> {
    cursor.members(|cursor, key| {
        if key.raw != name || cursor.kind()? != Kind::Array {
            return cursor.skip().map(|_| ());
        }
        cursor.items(|cursor| if cursor.kind()? == Kind::Object { visit(cursor) } else { cursor.skip().map(|_| ()) })
    })
}

/// Takes the string under `name`.
pub(super) fn in_string<'a>(
    cursor: &mut Cursor<'a>,
    name: &str,
    mut take: impl FnMut(Quoted<'a>),
) -> Result<(), JsonError> {
    cursor.members(|cursor, key| {
        if key.raw != name || cursor.kind()? != Kind::String {
            return cursor.skip().map(|_| ());
        }
        take(cursor.string()?.into());
        Ok(())
    })
}

/// Why an answer ended. A word this version does not know is an end all the same.
pub(super) fn finish(word: &str) -> Finish {
    match word {
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "tool_use" => Finish::Calls,
        "content_filtered" | "guardrail_intervened" => Finish::Filtered,
        "refusal" => Finish::Refused,
        "malformed_model_output" | "malformed_tool_use" => Finish::Error,
        _ => Finish::Stop,
    }
}

/// A `usage` object; `None` when it names neither prompt nor answer. `inputTokens` leaves out what the cache gave and took.
pub(super) fn usage(cursor: &mut Cursor<'_>) -> Result<Option<Usage>, JsonError> {
    let (mut input, mut output) = (None, None);
    let mut usage = Usage::default();
    cursor.members(|cursor, key| {
        match key.raw {
            "inputTokens" => input = cursor.unsigned_or_skip()?,
            "outputTokens" => output = cursor.unsigned_or_skip()?,
            "cacheReadInputTokens" => usage.cache_read = cursor.unsigned_or_skip()?.unwrap_or(0),
            "cacheWriteInputTokens" => usage.cache_write = cursor.unsigned_or_skip()?.unwrap_or(0),
            "cacheDetails" if cursor.kind()? == Kind::Array => {
                cursor.items(|cursor| {
                    usage.cache_write_hour += kept_for_an_hour(cursor)?;
                    Ok::<(), JsonError>(())
                })?;
            }
            _ => drop(cursor.skip()?),
        }
        Ok::<(), JsonError>(())
    })?;
    usage.input_uncached = input.unwrap_or(0);
    usage.output = output.unwrap_or(0);
    usage.estimated = input.is_none() || output.is_none();
    Ok((input.is_some() || output.is_some()).then_some(usage))
}

/// What one entry of `cacheDetails` says was written for an hour.
fn kept_for_an_hour(cursor: &mut Cursor<'_>) -> Result<u64, JsonError> {
    if cursor.kind()? != Kind::Object {
        return cursor.skip().map(|_| 0);
    }
    let (mut hour, mut tokens) = (false, 0);
    cursor.members(|cursor, key| {
        match (key.raw, cursor.kind()?) {
            ("ttl", Kind::String) => hour = cursor.string()?.raw == "1h",
            ("inputTokens", Kind::Number) => tokens = cursor.unsigned_or_skip()?.unwrap_or(0),
            _ => drop(cursor.skip()?),
        }
        Ok::<(), JsonError>(())
    })?;
    Ok(if hour { tokens } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_in_order() {
        let body = r#"{"metrics":{"latencyMs":551},"output":{"message":{"role":"assistant","content":[
            {"reasoningContent":{"reasoningText":{"text":"hm\n","signature":"s"}}},{"text":"caf\u00e9"},
            {"toolUse":{"toolUseId":"tooluse_1","name":"f","input":{"a": 1}}},
            {"toolUse":{"toolUseId":"srv","name":"web","input":{},"type":"server_tool_use"}},
            {"citationsContent":{"content":[{"text":"cited"}],"citations":[]}}]}},
            "stopReason":"tool_use","usage":{"inputTokens":10,"outputTokens":5,"totalTokens":135,
            "cacheReadInputTokens":100,"cacheWriteInputTokens":20,"cacheDetails":[]}}"#;
        let answer = read(body.as_bytes()).unwrap();
        let Part::Thinking(thought) = &answer.parts[0] else { panic!("{:?}", answer.parts) };
        assert_eq!(thought.written(), r"hm\n");
        assert!(matches!(&answer.parts[1], Part::Text(text) if text.decode() == "café"));
        let Part::Call(call) = &answer.parts[2] else { panic!("{:?}", answer.parts) };
        assert_eq!((call.id.written(), call.name.written(), &*call.arguments.0), ("tooluse_1", "f", r#"{"a": 1}"#));
        assert!(matches!(&answer.parts[3..], [Part::Text(text)] if text.written() == "cited"));
        let usage = answer.usage.unwrap();
        assert_eq!((usage.input(), usage.cache_read, usage.cache_write, usage.output), (130, 100, 20, 5));
        assert_eq!((answer.finish, answer.failure()), (Some(Finish::Calls), None));
    }

    #[test]
    fn what_is_no_answer_has_its_word() {
        let failure =
            |body: &str| read(body.as_bytes()).map_or_else(|e| Some(e.failure), |a| a.failure().map(|e| e.failure));
        let ended =
            |word: &str| format!(r#"{{"output":{{"message":{{"content":[{{"text":"x"}}]}}}},"stopReason":"{word}"}}"#);
        for (word, wanted) in [
            ("end_turn", None),
            ("stop_sequence", None),
            ("a_new_word", None),
            ("max_tokens", None),
            ("content_filtered", Some(Failure::ContentFilter)),
            ("guardrail_intervened", Some(Failure::ContentFilter)),
            ("malformed_tool_use", Some(Failure::ServerError)),
        ] {
            assert_eq!(failure(&ended(word)), wanted, "{word}");
        }
        for (body, wanted) in [
            ("", Failure::Network),
            ("<html>", Failure::Network),
            (r#"{"output":{"message":{"content":[{"text":"cut"#, Failure::Network),
            ("[]", Failure::Network),
            ("{}", Failure::ServerError),
            (r#"{"output":null,"stopReason":null}"#, Failure::ServerError),
            (r#"{"message":"Input is too long for requested model."}"#, Failure::ContextLength),
        ] {
            assert_eq!(failure(body), Some(wanted), "{body}");
        }
    }
}
