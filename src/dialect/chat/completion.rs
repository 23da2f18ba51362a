//! A complete Chat Completions answer, in nobody's words and back.
//!
//! In: the body of a 200, or a [`Completion`]. Out: the other. Must not know: what happens next, who asked.

use super::answer::{truthy, usage};
use super::history::joined;
use super::said::{Fragment, Said, finish, word};
use super::turn::object_in;
use crate::dialect::canonical::{Completion, Finish, Part, Reply, ToolCall};
use crate::dialect::upstream_error::UpstreamError;
use crate::failure::Failure;
use crate::json::write::{self, Object, on_one_line};
use crate::json::{Cursor, JsonError, Kind, Quoted, Raw, Text};
use crate::usage::Usage;

/// Reads a whole body. Of several answers the first one counts.
///
/// # Errors
/// A body that is no JSON is [`Failure::Network`]: it broke off, or something else than the provider answered. An error under
/// status 200 is what it says. Arguments that are no JSON object are [`Failure::InvalidOutput`].
pub fn read(body: &[u8]) -> Result<Completion<'_>, UpstreamError> {
    let mut found = Found::default();
    let outcome = Cursor::new(body).and_then(|mut cursor| {
        cursor.members(|cursor, key| found.member(cursor, key.raw))?;
        cursor.finish()
    });
    if let Err(error) = outcome {
        let message = format!("status 200, but the body is no JSON object: {}", error.describe(body));
        return Err(UpstreamError::bare(Failure::Network, &message));
    }
    if found.failed {
        return Err(UpstreamError::in_band(body));
    }
    found.complete()
}

#[derive(Default)]
struct Found<'a> {
    id: Option<Text<'a>>,
    model: Option<Text<'a>>,
    usage: Option<Usage>,
    said: Option<Said<'a>>,
    word: Option<Text<'a>>,
    logprobs: Option<Raw<'a>>,
    choices: usize,
    failed: bool,
}

impl<'a> Found<'a> {
    fn member(&mut self, cursor: &mut Cursor<'a>, key: &str) -> Result<(), JsonError> {
        let kind = cursor.kind()?;
        match (key, kind) {
            ("id", Kind::String) => self.id = Some(cursor.string()?),
            ("model", Kind::String) => self.model = Some(cursor.string()?),
            ("usage", Kind::Object) => self.usage = usage(cursor)?,
            ("object", Kind::String) => self.failed |= cursor.string()?.raw == "error",
            ("error", _) => self.failed |= truthy(cursor, kind)?,
            ("choices", Kind::Array) => cursor.items(|cursor| {
                self.choices += 1;
                if self.choices > 1 || cursor.kind()? != Kind::Object {
                    return cursor.skip().map(|_| ());
                }
                cursor.members(|cursor, key| {
                    match (key.raw, cursor.kind()?) {
                        ("message", Kind::Object) => self.said = Some(Said::read(cursor)?),
                        ("finish_reason", Kind::String) => self.word = Some(cursor.string()?),
                        ("logprobs", Kind::Object) => self.logprobs = logprobs(cursor)?,
                        _ => drop(cursor.skip()?),
                    }
                    Ok::<(), JsonError>(())
                })
            })?,
            _ => drop(cursor.skip()?),
        }
        Ok(())
    }

    fn complete(self) -> Result<Completion<'a>, UpstreamError> {
        let said = self.said.unwrap_or_default();
        if said.too_many {
            return Err(UpstreamError::bare(Failure::InvalidOutput, "the answer calls too many functions at once"));
        }
        let end = self.word.and_then(|word| finish(&word.decode(), !said.calls.is_empty(), said.refusal.is_some()));
        let mut parts: Vec<Part<'a>> = Vec::with_capacity(2 + said.calls.len());
        parts.extend(all(&said.thinking).map(Part::Thinking));
        parts.extend(all(&said.text).map(Part::Text));
        parts.extend(said.refusal.map(|text| Part::Refusal(text.into())));
        for fragment in said.calls {
            // A call that the cap cut off cannot be made.
            match call(fragment) {
                Ok(call) => parts.push(Part::Call(call)),
                Err(_) if end == Some(Finish::Length) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Completion {
            id: self.id.map(Into::into),
            model: self.model.map(Into::into),
            parts,
            logprobs: self.logprobs,
            finish: end,
            stop_sequence: None,
            usage: self.usage,
        })
    }
}

/// What stands in `logprobs` of a choice about its text.
pub(super) fn logprobs<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Raw<'a>>, JsonError> {
    let mut found = None;
    cursor.members(|cursor, key| {
        match (key.raw, cursor.kind()?) {
            ("content", Kind::Array) => found = Some(cursor.raw()?).filter(|raw| raw.0.len() > 2),
            _ => drop(cursor.skip()?),
        }
        Ok::<(), JsonError>(())
    })?;
    Ok(found)
}

/// Writes it.
pub(super) fn write_logprobs(choice: &mut Object<'_>, logprobs: Option<&Raw<'_>>) {
    match logprobs {
        Some(logprobs) => choice.object("logprobs", |out| {
            on_one_line(out.member("content"), logprobs.0.as_bytes());
            out.null("refusal");
        }),
        None => choice.null("logprobs"),
    }
}

/// Texts as one, if there are any.
fn all<'a>(texts: &[Text<'a>]) -> Option<Quoted<'a>> {
    let (first, more) = texts.split_first()?;
    let mut joined = Quoted::from(*first);
    more.iter().for_each(|text| joined.push(&(*text).into()));
    Some(joined)
}

fn call(fragment: Fragment<'_>) -> Result<ToolCall<'_>, UpstreamError> {
    let Fragment { id, name, arguments, .. } = fragment;
    match object_in(arguments) {
        Some(arguments) => Ok(ToolCall { id, name, arguments }),
        None => {
            let message = format!("the arguments of the call of '{}' are no JSON object", name.decode());
            Err(UpstreamError::bare(Failure::InvalidOutput, &message))
        }
    }
}

/// Writes the answer.
pub fn write(completion: &Completion<'_>, reply: &Reply<'_>) -> Vec<u8> {
    let mut body = Vec::with_capacity(1024);
    write::object(&mut body, |out| {
        out.text("id", &format!("chatcmpl-{}", reply.id));
        out.text("object", "chat.completion");
        out.number("created", reply.created);
        out.text("model", reply.model);
        out.array("choices", |list| {
            list.object(|choice| {
                choice.number("index", 0);
                let refusal = completion.parts.iter().any(|part| matches!(part, Part::Refusal(_)));
                choice.object("message", |out| message(out, completion, reply));
                write_logprobs(choice, completion.logprobs.as_ref());
                choice.text("finish_reason", word(completion.finish, refusal));
            });
        });
        if let Some(usage) = &completion.usage {
            out.object("usage", |out| tokens(out, usage));
        }
    });
    body
}

fn message(out: &mut Object<'_>, completion: &Completion<'_>, reply: &Reply<'_>) {
    let mut texts = completion.parts.iter().filter_map(|part| match part {
        Part::Text(text) if !text.is_empty() => Some(text),
        _ => None,
    });
    let mut refusals = completion.parts.iter().filter_map(|part| match part {
        Part::Refusal(text) => Some(text),
        _ => None,
    });
    out.text("role", "assistant");
    let refusal = refusals.next();
    if texts.clone().next().is_none() && (refusal.is_some() || completion.calls()) {
        out.null("content");
    } else {
        joined(out.member("content"), &mut texts, "");
    }
    match refusal {
        Some(refusal) => out.quoted("refusal", refusal),
        None => out.null("refusal"),
    }
    if !completion.calls() {
        return;
    }
    out.array("tool_calls", |list| {
        let mut index = 0;
        for part in &completion.parts {
            let Part::Call(call) = part else { continue };
            list.object(|out| {
                id(out, &call.id, reply.id, index);
                out.text("type", "function");
                out.object("function", |out| {
                    out.quoted("name", &call.name);
                    out.text("arguments", &call.arguments.0);
                });
            });
            index += 1;
        }
    });
}

/// A call's own id, or one that no other answer has.
pub(super) fn id(out: &mut Object<'_>, own: &Quoted<'_>, reply: &str, index: u32) {
    if own.is_empty() {
        out.text("id", &format!("call_{reply}_{index}"));
    } else {
        out.quoted("id", own);
    }
}

/// The members of `usage`.
pub(super) fn tokens(out: &mut Object<'_>, usage: &Usage) {
    out.number("prompt_tokens", usage.input());
    out.number("completion_tokens", usage.output);
    out.number("total_tokens", usage.total());
    out.object("prompt_tokens_details", |out| {
        out.number("cached_tokens", usage.cache_read);
        out.number("cache_write_tokens", usage.cache_write);
    });
    out.object("completion_tokens_details", |out| out.number("reasoning_tokens", usage.reasoning));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(message: &str, finish: &str) -> String {
        format!(r#"{{"id":"c","model":"m","choices":[{{"index":0,"message":{message},"finish_reason":"{finish}"}}]}}"#)
    }

    #[test]
    fn what_an_answer_says_is_read_in_order() {
        let body = answer(
            r#"{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"h"},{"type":"text","text":"m"}]},
                {"type":"text","text":"a"}],"tool_calls":[{"id":"1","function":{"name":"f","arguments":""}},
                {"id":"2","function":{"name":"g","arguments":{"x":1}}}]}"#,
            "stop",
        );
        let completion = read(body.as_bytes()).unwrap();
        let call = |id, name, arguments: &'static str| {
            Part::Call(ToolCall { id: Quoted::of(id), name: Quoted::of(name), arguments: Raw(arguments.into()) })
        };
        assert_eq!(
            completion.parts,
            [
                Part::Thinking(Quoted::of("hm")),
                Part::Text(Quoted::of("a")),
                call("1", "f", "{}"),
                call("2", "g", r#"{"x":1}"#)
            ]
        );
        assert_eq!(completion.finish, Some(Finish::Calls));
    }

    #[test]
    fn a_refusal_is_one_whatever_the_reason_says() {
        for word in ["stop", "content_filter"] {
            let body = answer(r#"{"content":null,"refusal":"I can't"}"#, word);
            assert_eq!(read(body.as_bytes()).unwrap().failure().unwrap().failure, Failure::Refusal, "{word}");
        }
        let filtered = answer(r#"{"content":""}"#, "content_filter");
        assert_eq!(read(filtered.as_bytes()).unwrap().finish, Some(Finish::Filtered));
    }

    #[test]
    fn a_call_that_nobody_can_make_is_no_answer_unless_the_cap_cut_it() {
        let message = r#"{"content":"a","tool_calls":[{"id":"1","function":{"name":"f","arguments":"{\"x\":"}}]}"#;
        let failure = |word: &str| read(answer(message, word).as_bytes()).map(|_| ()).map_err(|error| error.failure);
        assert_eq!(failure("tool_calls"), Err(Failure::InvalidOutput));
        let body = answer(message, "length");
        let cut = read(body.as_bytes()).unwrap();
        assert_eq!((cut.parts.len(), cut.finish), (1, Some(Finish::Length)));
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        let failure = |body: &str| read(body.as_bytes()).map(|_| ()).map_err(|error| error.failure);
        assert_eq!(failure("<html>"), Err(Failure::Network));
        assert_eq!(failure(r#"{"error":{"message":"x","code":429}}"#), Err(Failure::RateLimit));
        assert_eq!(read(br#"{"choices":[]}"#).unwrap().failure().unwrap().failure, Failure::ServerError);
    }

    #[test]
    fn an_answer_of_calls_alone_has_no_content_and_calls_have_ids() {
        let body =
            answer(r#"{"content":"","tool_calls":[{"function":{"name":"f","arguments":"{\"x\":\"ü\\n\"}"}}]}"#, "stop");
        let reply = Reply { id: "7", model: "m", created: 1, include_usage: false, echo: None };
        let written = String::from_utf8(write(&read(body.as_bytes()).unwrap(), &reply)).unwrap();
        assert_eq!(
            written,
            r#"{"id":"chatcmpl-7","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":null,"refusal":null,"tool_calls":[{"id":"call_7_0","type":"function","function":{"name":"f","arguments":"{\"x\":\"ü\\n\"}"}}]},"logprobs":null,"finish_reason":"tool_calls"}]}"#
        );
    }
}
