//! A complete Responses answer.
//!
//! In: the body of a 2xx; or an answer in nobody's words. Out: the other of the two. Must not know: streams, what happens next.

use super::envelope::{self, Head, Item, Said, Status};
use super::input::object;
use crate::dialect::canonical::{Completion, Echo, Finish, Part, Reply, ToolCall};
use crate::dialect::upstream_error::UpstreamError;
use crate::failure::Failure;
use crate::json::{Cursor, JsonError, Kind, Quoted, Raw, Text};
use crate::usage::{Service, Usage};

/// Reads a whole body.
///
/// # Errors
/// A body that is no JSON is [`Failure::Network`]; a failed response and an error under status 200 are what they say; a call whose
/// arguments are no JSON object is [`Failure::InvalidOutput`].
pub fn read(body: &[u8]) -> Result<Completion<'_>, UpstreamError> {
    let mut response = Response::default();
    let outcome = Cursor::new(body).and_then(|mut cursor| {
        response.read(&mut cursor, true)?;
        cursor.finish()
    });
    if let Err(error) = outcome {
        return Err(UpstreamError::no_json(error, body));
    }
    if let Some(error) = response.failure() {
        return Err(error);
    }
    // A call that the cap cut off cannot be made.
    let cut = response.finish(false, false, true) == Some(Finish::Length);
    if let Some(name) = response.broken_call.as_ref().filter(|_| !cut) {
        let message = format!("the arguments of the call of `{}` are no JSON object", name.decode());
        return Err(UpstreamError::bare(Failure::InvalidOutput, &message));
    }
    let calls = response.parts.iter().any(|part| matches!(part, Part::Call(_)));
    let refused = response.parts.iter().any(|part| matches!(part, Part::Refusal(_)));
    let finish = response.finish(calls, refused, !response.parts.is_empty());
    let Response { id, model, parts, logprobs, usage, .. } = response;
    Ok(Completion { id, model, parts, logprobs, finish, stop_sequence: None, usage })
}

/// A response object, as an answer or inside an event.
#[derive(Debug, Default)]
pub(super) struct Response<'a> {
    pub id: Option<Quoted<'a>>,
    pub model: Option<Quoted<'a>>,
    pub usage: Option<Usage>,
    status: Option<Text<'a>>,
    reason: Option<Text<'a>>,
    service: Service,
    error: Option<Raw<'a>>,
    parts: Vec<Part<'a>>,
    /// Of all texts.
    logprobs: Option<Raw<'a>>,
    /// The function of a call whose arguments are no object.
    broken_call: Option<Quoted<'a>>,
}

impl<'a> Response<'a> {
    /// Takes one; what it says only `with_output`.
    pub fn read(&mut self, cursor: &mut Cursor<'a>, with_output: bool) -> Result<(), JsonError> {
        cursor.members(|cursor, key| {
            match (key.raw, cursor.kind()?) {
                ("id", Kind::String) => self.id = Some(cursor.string()?.into()),
                ("model", Kind::String) => self.model = Some(cursor.string()?.into()),
                ("status", Kind::String) => self.status = Some(cursor.string()?),
                ("service_tier", Kind::String) => self.service = Service::from_word(&cursor.string()?.decode()),
                ("error", Kind::Object | Kind::String) => self.error = Some(cursor.raw()?),
                ("usage", Kind::Object) => self.usage = usage(cursor)?,
                ("incomplete_details", Kind::Object) => cursor.members(|cursor, key| {
                    match (key.raw, cursor.kind()?) {
                        ("reason", Kind::String) => self.reason = Some(cursor.string()?),
                        _ => drop(cursor.skip()?),
                    }
                    Ok::<(), JsonError>(())
                })?,
                ("output", Kind::Array) if with_output => cursor.items(|cursor| self.item(cursor))?,
                _ => drop(cursor.skip()?),
            }
            Ok::<(), JsonError>(())
        })?;
        if let Some(usage) = &mut self.usage {
            usage.service = self.service;
        }
        Ok(())
    }

    /// The error in place of an answer.
    pub fn failure(&self) -> Option<UpstreamError> {
        let error = self.error.as_ref()?;
        Some(UpstreamError::in_band(format!("{{\"error\":{}}}", error.0).as_bytes()))
    }

    /// Why it ended.
    pub fn finish(&self, calls: bool, refused: bool, said: bool) -> Option<Finish> {
        let reason = self.reason.map(Text::decode);
        match (self.status.map(Text::decode).as_deref(), reason.as_deref()) {
            (Some("queued" | "in_progress"), _) => None,
            (Some("failed" | "cancelled"), _) => Some(Finish::Error),
            (Some("incomplete"), Some("max_output_tokens")) => Some(Finish::Length),
            (Some("incomplete"), Some("content_filter")) => Some(Finish::Filtered),
            // Nobody else has a word for the other reasons.
            (Some("incomplete"), _) if !said => Some(Finish::Error),
            _ if refused => Some(Finish::Refused),
            _ if calls => Some(Finish::Calls),
            _ => Some(Finish::Stop),
        }
    }

    fn item(&mut self, cursor: &mut Cursor<'a>) -> Result<(), JsonError> {
        let (mut kind, mut call_id, mut name, mut arguments) = (None, None, None, None);
        let mut parts = Vec::new();
        cursor.members(|cursor, key| {
            match (key.raw, cursor.kind()?) {
                ("type", Kind::String) => kind = Some(cursor.string()?),
                ("call_id", Kind::String) => call_id = Some(cursor.string()?),
                ("name", Kind::String) => name = Some(cursor.string()?),
                ("arguments", Kind::String) => arguments = Some(cursor.string()?),
                ("content" | "summary", Kind::Array) => {
                    cursor.items(|cursor| content(cursor, &mut parts, &mut self.logprobs))?
                }
                _ => drop(cursor.skip()?),
            }
            Ok::<(), JsonError>(())
        })?;
        self.parts.append(&mut parts);
        if kind.is_some_and(|kind| kind.decode() == "function_call") {
            let name = name.map(Quoted::from).unwrap_or_default();
            let arguments = match arguments.filter(|text| !text.raw.trim().is_empty()) {
                None => Some(Raw("{}".into())),
                Some(text) => object(text),
            };
            match arguments {
                Some(arguments) => {
                    let id = call_id.map(Quoted::from).unwrap_or_default();
                    self.parts.push(Part::Call(ToolCall { id, name, arguments }));
                }
                None => self.broken_call = Some(name),
            }
        }
        Ok(())
    }
}

fn content<'a>(
    cursor: &mut Cursor<'a>,
    parts: &mut Vec<Part<'a>>,
    logprobs: &mut Option<Raw<'a>>,
) -> Result<(), JsonError> {
    let (mut kind, mut text) = (None, None);
    cursor.members(|cursor, key| {
        match (key.raw, cursor.kind()?) {
            ("type", Kind::String) => kind = Some(cursor.string()?),
            ("text" | "refusal", Kind::String) => text = Some(cursor.string()?),
            ("logprobs", Kind::Array) => join(logprobs, cursor.raw()?),
            _ => drop(cursor.skip()?),
        }
        Ok::<(), JsonError>(())
    })?;
    let (Some(kind), Some(text)) = (kind, text) else { return Ok(()) };
    match &*kind.decode() {
        "output_text" => parts.push(Part::Text(text.into())),
        "refusal" => parts.push(Part::Refusal(text.into())),
        "summary_text" | "reasoning_text" => parts.push(Part::Thinking(text.into())),
        _ => {}
    }
    Ok(())
}

/// Adds the entries of an array to those of another.
pub(super) fn join<'a>(entries: &mut Option<Raw<'a>>, more: Raw<'a>) {
    let inside = |raw: &Raw<'_>| raw.0.trim_start_matches('[').trim_end_matches(']').trim().to_owned();
    if inside(&more).is_empty() {
        return;
    }
    *entries = Some(match entries.take() {
        None => more,
        Some(before) => Raw(format!("[{},{}]", inside(&before), inside(&more)).into()),
    });
}

/// A `usage` object; `None` when it names neither prompt nor answer.
fn usage(cursor: &mut Cursor<'_>) -> Result<Option<Usage>, JsonError> {
    let (mut input, mut output) = (None, None);
    let (mut read, mut written, mut reasoning) = (0, 0, 0);
    cursor.members(|cursor, key| {
        match (key.raw, cursor.kind()?) {
            ("input_tokens", Kind::Number) => input = cursor.unsigned_or_skip()?,
            ("output_tokens", Kind::Number) => output = cursor.unsigned_or_skip()?,
            ("input_tokens_details" | "output_tokens_details", Kind::Object) => cursor.members(|cursor, key| {
                let count = match key.raw {
                    "cached_tokens" => &mut read,
                    "cache_write_tokens" => &mut written,
                    "reasoning_tokens" => &mut reasoning,
                    _ => return cursor.skip().map(drop),
                };
                *count = cursor.unsigned_or_skip()?.unwrap_or(0);
                Ok(())
            })?,
            _ => drop(cursor.skip()?),
        }
        Ok::<(), JsonError>(())
    })?;
    let known = input.is_some() || output.is_some();
    let usage = Usage::from_totals(input.unwrap_or(0), read, written, output.unwrap_or(0), reasoning);
    Ok(known.then_some(Usage { estimated: input.is_none() || output.is_none(), ..usage }))
}

/// Of a request of which nothing is known.
static NOTHING: Echo = Echo::nothing();

/// Writes an answer. Thinking is left out.
pub fn write(completion: &Completion<'_>, reply: &Reply<'_>) -> Vec<u8> {
    let head = Head { id: reply.id, model: reply.model, created: reply.created, echo: reply.echo.unwrap_or(&NOTHING) };
    let mut items = items(completion, reply.id);
    let declined = completion.parts.iter().any(|part| matches!(part, Part::Refusal(_)));
    let status = Status::of(completion.finish, declined);
    if items.is_empty() && status == Status::Completed {
        // Clients look for a message where an answer is complete.
        items.push(Item::Message(vec![Said { refusal: false, text: Quoted::default(), logprobs: None }]));
    }
    let mut out = Vec::with_capacity(1024 + completion.content_bytes() as usize);
    envelope::response(&mut out, &head, status, completion.usage, |list| {
        let last = items.len().saturating_sub(1);
        for (place, item) in items.iter().enumerate() {
            let status = if place == last { status } else { Status::Completed };
            item.write(list.item(), &head, place, status.of_item());
        }
    });
    out
}

/// Parts as items: what is said without a call in between is one message, and neighbors of a kind are one text.
fn items<'a>(completion: &'a Completion<'_>, id: &str) -> Vec<Item<'a>> {
    let mut items: Vec<Item<'a>> = Vec::new();
    // Of one text: no other dialect says which of several they belong to.
    let mut logprobs = completion.logprobs.as_ref();
    for part in &completion.parts {
        let (refusal, text) = match part {
            Part::Text(text) => (false, text),
            Part::Refusal(text) => (true, text),
            Part::Call(call) => {
                let place = items.len();
                items.push(Item::Call {
                    id: call_id(&call.id, id, place),
                    name: call.name.clone(),
                    arguments: Quoted::of(&call.arguments.0),
                });
                continue;
            }
            Part::Thinking(_) | Part::Media(_) | Part::Result(_) => continue,
        };
        if text.is_empty() {
            continue;
        }
        let logprobs = logprobs.take_if(|_| !refusal).cloned();
        let said = Said { refusal, text: text.clone(), logprobs };
        match items.last_mut() {
            Some(Item::Message(parts)) => match parts.last_mut().filter(|last| last.refusal == refusal) {
                Some(last) => last.text.push(text),
                None => parts.push(said),
            },
            _ => items.push(Item::Message(vec![said])),
        }
    }
    items
}

/// The provider's own id of a call; made up where it gives none.
pub(super) fn call_id<'a>(id: &Quoted<'a>, reply: &str, place: usize) -> Quoted<'a> {
    if !id.is_empty() {
        return id.clone();
    }
    Quoted::of(&format!("call_{reply}_{place}")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(body: &str) -> Option<Failure> {
        match read(body.as_bytes()) {
            Ok(completion) => completion.failure().map(|error| error.failure),
            Err(error) => Some(error.failure),
        }
    }

    #[test]
    fn what_is_no_success_has_its_word() {
        let response =
            |status: &str, rest: &str| format!(r#"{{"id":"r","object":"response","status":"{status}",{rest}}}"#);
        let text = r#""output":[{"type":"message","content":[{"type":"output_text","text":"hi"}]}]"#;
        let details = |reason: &str| format!(r#""incomplete_details":{{"reason":"{reason}"}},{text}"#);
        let cases = [
            (response("completed", text), None),
            (response("completed", r#""output":[]"#), None),
            (response("incomplete", &details("max_output_tokens")), None),
            (response("incomplete", &details("steered")), None),
            (response("incomplete", &details("content_filter")), Some(Failure::ContentFilter)),
            (response("in_progress", text), Some(Failure::ServerError)),
            (
                response("failed", r#""error":{"code":"server_error","message":"x"},"output":[]"#),
                Some(Failure::ServerError),
            ),
            (response("failed", r#""error":{"code":"rate_limit_exceeded","message":"x"}"#), Some(Failure::RateLimit)),
            (
                response("completed", r#""output":[{"type":"message","content":[{"type":"refusal","refusal":"no"}]}]"#),
                Some(Failure::Refusal),
            ),
            (
                response(
                    "completed",
                    r#""output":[{"type":"function_call","call_id":"c","name":"f","arguments":"{\"a\":"}]"#,
                ),
                Some(Failure::InvalidOutput),
            ),
            (
                r#"{"error":{"message":"x","type":"invalid_request_error","code":null}}"#.into(),
                Some(Failure::BadRequest),
            ),
            ("{\"output\":[".into(), Some(Failure::Network)),
            ("<html>".into(), Some(Failure::Network)),
        ];
        for (body, wanted) in cases {
            assert_eq!(failure(&body), wanted, "{body}");
        }
    }

    #[test]
    fn an_answer_is_read_back_as_it_was_written() {
        let body = br#"{"id":"resp_1","model":"m","status":"completed","service_tier":"priority","output":[
            {"type":"reasoning","summary":[{"type":"summary_text","text":"hm"}]},
            {"type":"message","content":[{"type":"output_text","text":"a\n"},{"type":"output_text","text":"b"}]},
            {"type":"function_call","call_id":"c1","name":"f","arguments":"{ \"x\": 1 }"},
            {"type":"function_call","call_id":"","name":"g","arguments":""}],
            "usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":4,"cache_write_tokens":1},"output_tokens":7,
                "output_tokens_details":{"reasoning_tokens":2},"total_tokens":17}}"#;
        let first = read(body).unwrap();
        let usage = Usage { service: Service::Priority, ..Usage::from_totals(10, 4, 1, 7, 2) };
        assert_eq!(first.usage, Some(usage));
        let reply = Reply { id: "x", model: "other", created: 5, include_usage: true, echo: None };
        let written = write(&first, &reply);
        let second = read(&written).unwrap();
        assert_eq!(second.parts[0], Part::Text(Quoted::of("a\nb")));
        let Part::Call(call) = &second.parts[1] else { panic!("{second:?}") };
        assert_eq!((&*call.id.decode(), &*call.arguments.0), ("c1", "{ \"x\": 1 }"));
        let Part::Call(call) = &second.parts[2] else { panic!("{second:?}") };
        assert_eq!((&*call.id.decode(), &*call.arguments.0), ("call_x_2", "{}"));
        let told = Some(Usage::from_totals(10, 4, 1, 7, 2));
        assert_eq!((second.usage, second.finish), (told, first.finish));
        assert_eq!((&*second.id.unwrap().decode(), &*second.model.unwrap().decode()), ("resp_x", "other"));
    }

    #[test]
    fn an_empty_answer_still_has_a_message() {
        let reply = Reply { id: "x", model: "m", created: 5, include_usage: true, echo: None };
        let empty = |finish| write(&Completion { finish: Some(finish), ..Completion::default() }, &reply);
        let text = |body: Vec<u8>| serde_json::from_slice::<serde_json::Value>(&body).unwrap();
        assert_eq!(text(empty(Finish::Stop))["output"][0]["content"][0]["text"], "");
        let cut = text(empty(Finish::Length));
        assert_eq!((cut["output"].as_array().unwrap().len(), &cut["status"]), (0, &"incomplete".into()));
        let declined = text(empty(Finish::Refused));
        assert_eq!(declined["incomplete_details"]["reason"], "content_filter");
    }
}
