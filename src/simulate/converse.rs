//! Bedrock's Converse and ConverseStream.
//!
//! In: a request body, its credentials; an answer in neutral words. Out: what is asked; the response body or its events, and
//! their frames. Shapes follow botocore's model of the service (November 2026). Must not know: faults that break the stream.

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use hyper::HeaderMap;
use hyper::body::Bytes;
use hyper::header::AUTHORIZATION;
use serde_json::{Map, Value, json};

use super::ask::{Answer, Ask, Choice, Finish, Format, REFUSAL, Says, THOUGHT, Tool, ToolChoice, Usage, prompt_tokens};
use super::chat::Stamp;
use super::error::Complaint;
use super::fields;
use super::script::{Event, Events, Role};
use super::text::{Pieces, Size};

/// The media type of a stream.
pub const MEDIA_TYPE: &str = "application/vnd.amazon.eventstream";
/// What proves, to the provider, that a thought is its own.
const SIGNATURE: &str = "c2ltdWxhdGVk";

/// Fields that the service knows; it refuses others.
const FIELDS: [&str; 15] = [
    "messages",
    "system",
    "inferenceConfig",
    "toolConfig",
    "outputConfig",
    "additionalModelRequestFields",
    "additionalModelResponseFieldPaths",
    "guardrailConfig",
    "requestMetadata",
    "performanceConfig",
    "serviceTier",
    "promptVariables",
    "projectIdentifier",
    // Of the path; they are put here before a body is read.
    "model",
    "stream",
];

/// Reads a request, to whose body the model and `stream` of its path were added.
///
/// # Errors
/// In the provider's terms.
pub fn read(body: &Map<String, Value>) -> Result<Ask, Complaint> {
    if let Some(odd) = body.keys().find(|key| !FIELDS.contains(&key.as_str())) {
        return Err(Complaint::invalid(odd, format!("extraneous key [{odd}] is not permitted")));
    }
    let mut ask = Ask {
        model: fields::required_text(body, "model")?,
        stream: fields::flag(body, "stream")?,
        n: 1,
        prompt: text_of(body.get("system")),
        ..Ask::default()
    };
    messages(body, &mut ask)?;
    tools(body, &mut ask)?;
    if let Some(config) = body.get("inferenceConfig").and_then(Value::as_object) {
        ask.cap = fields::count(config, "maxTokens", 1, u64::MAX)?;
    }
    if let Some(schema) =
        body.get("outputConfig").and_then(|config| config.pointer("/textFormat/structure/jsonSchema/schema"))
    {
        let schema = schema.as_str().and_then(|text| serde_json::from_str(text).ok());
        let wrong = || Complaint::invalid("outputConfig", "the schema must be JSON in a string");
        ask.format = Format::Schema(schema.ok_or_else(wrong)?);
    }
    let thinking = body.get("additionalModelRequestFields").and_then(|fields| fields.pointer("/thinking/type"));
    ask.thinks = thinking.is_some_and(|kind| kind == "enabled" || kind == "adaptive");
    // Instructions are found in the cache, everything else is put there.
    let marked = |name: &str| body.get(name).is_some_and(|value| value.to_string().contains("\"cachePoint\":{"));
    if marked("system") {
        ask.cache_read = prompt_tokens(&text_of(body.get("system")));
    }
    if marked("messages") || marked("toolConfig") {
        ask.cache_write = prompt_tokens(&ask.prompt).saturating_sub(ask.cache_read);
    }
    Ok(ask)
}

fn messages(body: &Map<String, Value>, ask: &mut Ask) -> Result<(), Complaint> {
    let wrong = |message: String| Complaint::invalid("messages", message);
    let listed = body.get("messages").and_then(Value::as_array).filter(|listed| !listed.is_empty());
    let listed = listed.ok_or_else(|| wrong("A conversation must start with a user message.".to_owned()))?;
    let mut last = "assistant";
    for (index, message) in listed.iter().enumerate() {
        let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
        if !matches!(role, "user" | "assistant") || role == last {
            return Err(wrong(format!("messages.{index}: roles must alternate between \"user\" and \"assistant\"")));
        }
        last = role;
        let content = message.get("content").and_then(Value::as_array).filter(|content| !content.is_empty());
        let content = content.ok_or_else(|| wrong(format!("messages.{index}.content: must not be empty")))?;
        if content.iter().any(|block| block.get("text").is_some_and(|text| text == "")) {
            return Err(wrong(format!("messages.{index}.content: text content blocks must be non-empty")));
        }
        let text = text_of(message.get("content"));
        if role == "user" {
            let answered = content.iter().any(|block| block.get("toolResult").is_some());
            ask.last_user = if answered { String::new() } else { text.to_lowercase() };
        }
        let calls = |block: &Value| block.get("toolUse").is_some() || block.get("toolResult").is_some();
        if content.iter().any(calls) && body.get("toolConfig").is_none() {
            let message = "The toolConfig field must be defined when using toolUse and toolResult content blocks.";
            return Err(wrong(message.to_owned()));
        }
        ask.prompt.push_str(&text);
        ask.prompt.push('\n');
    }
    Ok(())
}

/// The text of the text blocks.
fn text_of(content: Option<&Value>) -> String {
    let blocks = content.and_then(Value::as_array).into_iter().flatten();
    blocks.filter_map(|block| block.get("text")?.as_str()).collect()
}

fn tools(body: &Map<String, Value>, ask: &mut Ask) -> Result<(), Complaint> {
    let Some(config) = body.get("toolConfig") else { return Ok(()) };
    let specs = config.get("tools").and_then(Value::as_array).into_iter().flatten();
    for (index, spec) in specs.filter_map(|tool| tool.get("toolSpec")).enumerate() {
        let wrong = |what: &str| Complaint::invalid("toolConfig", format!("toolConfig.tools.{index}.toolSpec.{what}"));
        let name = spec.get("name").and_then(Value::as_str).ok_or_else(|| wrong("name: is missing"))?;
        let schema = spec.pointer("/inputSchema/json").ok_or_else(|| wrong("inputSchema: is missing"))?;
        ask.tools.push(Tool { name: name.to_owned(), parameters: schema.clone() });
    }
    let choice = config.get("toolChoice");
    let named = choice.and_then(|choice| choice.pointer("/tool/name")).and_then(Value::as_str);
    ask.choice = match (named, choice) {
        (Some(name), _) => ToolChoice::Named(name.to_owned()),
        (None, Some(choice)) if choice.get("any").is_some() => ToolChoice::Any,
        _ => ToolChoice::Auto,
    };
    Ok(())
}

/// Whether a request shows who sends it, in a form the service takes. Nothing is verified: there is no account.
///
/// # Errors
/// As the service refuses it.
pub fn authorize(headers: &HeaderMap) -> Result<(), Complaint> {
    let refused = |kind, message: &str| {
        Err(Complaint { status: 403, kind, code: None, param: None, message: message.to_owned() })
    };
    let Some(shown) = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()) else {
        return refused("MissingAuthenticationTokenException", "Missing Authentication Token");
    };
    if shown.strip_prefix("Bearer ").is_some_and(|key| !key.trim().is_empty()) {
        return Ok(());
    }
    if is_signature(shown) && headers.contains_key("x-amz-date") {
        return Ok(());
    }
    refused(
        "IncompleteSignatureException",
        "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature'",
    )
}

fn is_signature(shown: &str) -> bool {
    let Some(parts) = shown.strip_prefix("AWS4-HMAC-SHA256 ") else { return false };
    let part = |name: &str| parts.split(", ").find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    let scope = part("Credential").is_some_and(|scope| {
        let scope: Vec<_> = scope.split('/').collect();
        scope.len() == 5 && scope.iter().all(|word| !word.is_empty()) && scope.ends_with(&["aws4_request"])
    });
    let signed = part("SignedHeaders").is_some_and(|names| {
        let has = |wanted: &str| names.split(';').any(|name| name == wanted);
        has("host") && has("x-amz-date")
    });
    let hex = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    scope && signed && part("Signature").is_some_and(hex)
}

const fn stop_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "end_turn",
        Finish::Length => "max_tokens",
        Finish::Calls => "tool_use",
        Finish::Filtered | Finish::Refusal => "content_filtered",
    }
}

fn usage_json(usage: Usage) -> Value {
    let Usage { cache_read, cache_write, .. } = usage;
    json!({
        "inputTokens": usage.input.saturating_sub(cache_read + cache_write), "outputTokens": usage.output,
        "totalTokens": usage.input + usage.output,
        "cacheReadInputTokens": cache_read, "cacheWriteInputTokens": cache_write,
    })
}

/// The one answer there is; this dialect has no `n`.
fn only(answer: Answer) -> (Choice, Usage) {
    let usage = answer.usage;
    let nothing = || Choice { says: Says::Refusal, finish: Finish::Refusal };
    (answer.choices.into_iter().next().unwrap_or_else(nothing), usage)
}

fn call_id(stamp: &Stamp, at: usize) -> String {
    format!("tooluse_sim{:012x}{at:02x}", stamp.number)
}

/// The response body.
pub fn whole(stamp: &Stamp, answer: Answer) -> Value {
    let (choice, usage) = only(answer);
    let thought = json!({"reasoningContent": {"reasoningText": {"text": THOUGHT, "signature": SIGNATURE}}});
    let thought = (usage.thought > 0).then_some(thought);
    let said: Vec<Value> = match choice.says {
        Says::Text(pieces) => vec![json!({"text": pieces.collect::<String>()})],
        Says::Refusal => vec![json!({"text": REFUSAL})],
        Says::Calls(calls) => {
            let calls = calls.into_iter().enumerate();
            let block = |(at, call): (usize, super::ask::Call)| json!({"toolUse": {"toolUseId": call_id(stamp, at), "name": call.name, "input": call.arguments}});
            calls.map(block).collect()
        }
    };
    let content: Vec<Value> = thought.into_iter().chain(said).collect();
    json!({
        "output": {"message": {"role": "assistant", "content": content}}, "stopReason": stop_reason(choice.finish),
        "usage": usage_json(usage), "metrics": {"latencyMs": 1},
    })
}

/// The response as events, `messageStart` to `metadata`.
pub fn events(stamp: Stamp, answer: Answer) -> Events {
    let (choice, usage) = only(answer);
    let start = event("messageStart", json!({"role": "assistant"}), Role::Frame);
    let ending = [
        event("messageStop", json!({"stopReason": stop_reason(choice.finish)}), Role::Frame),
        event("metadata", json!({"usage": usage_json(usage), "metrics": {"latencyMs": 1}}), Role::Terminal),
    ];
    let thinks = usage.thought > 0;
    let thought = thinks.then(thought).into_iter().flatten();
    Box::new(std::iter::once(start).chain(thought).chain(blocks(stamp, choice.says, usize::from(thinks))).chain(ending))
}

fn thought() -> impl Iterator<Item = Event> {
    let reasoning = |part: Value| delta(0, &json!({"reasoningContent": part}));
    [reasoning(json!({"text": THOUGHT})), reasoning(json!({"signature": SIGNATURE})), stop(0)].into_iter()
}

fn blocks(stamp: Stamp, says: Says, first: usize) -> Events {
    match says {
        Says::Text(pieces) => Box::new(text_block(first, pieces)),
        Says::Refusal => Box::new(text_block(first, Pieces::literal(REFUSAL.to_owned(), Size::default()))),
        Says::Calls(calls) => Box::new(calls.into_iter().enumerate().flat_map(move |(at, call)| {
            let start = json!({"toolUse": {"toolUseId": call_id(&stamp, at), "name": call.name}});
            let at = first + at;
            let start = json!({"contentBlockIndex": at, "start": start});
            let pieces = Pieces::literal(call.arguments.to_string(), Size::default());
            let deltas = pieces.map(move |piece| delta(at, &json!({"toolUse": {"input": piece}})));
            std::iter::once(event("contentBlockStart", start, Role::Frame)).chain(deltas).chain([stop(at)])
        })),
    }
}

/// A text block has no start of its own.
fn text_block(at: usize, pieces: Pieces) -> impl Iterator<Item = Event> {
    pieces.map(move |piece| delta(at, &json!({"text": piece}))).chain([stop(at)])
}

fn delta(at: usize, delta: &Value) -> Event {
    event("contentBlockDelta", json!({"contentBlockIndex": at, "delta": delta}), Role::Content)
}

fn stop(at: usize) -> Event {
    event("contentBlockStop", json!({"contentBlockIndex": at}), Role::Frame)
}

fn event(name: &'static str, data: Value, role: Role) -> Event {
    Event { name: Some(name), data: data.to_string(), role }
}

/// The exception that a stream is ended with.
pub fn exception(complaint: &Complaint) -> Event {
    let name = match complaint.kind {
        "ThrottlingException" => "throttlingException",
        "ServiceUnavailableException" => "serviceUnavailableException",
        "ValidationException" => "validationException",
        "ModelTimeoutException" => "modelTimeoutException",
        "ModelErrorException" => "modelStreamErrorException",
        _ => "internalServerException",
    };
    event(name, json!({"message": complaint.message}), Role::Frame)
}

/// On the wire. Frames cannot be too long here: the largest event is far below what one holds.
pub fn frame(event: &Event) -> Bytes {
    let name = event.name.unwrap_or("chunk");
    let (kind, key) = match name.ends_with("Exception") {
        true => ("exception", ":exception-type"),
        false => ("event", ":event-type"),
    };
    let text = |name: &'static str, value: &'static str| Header::new(name, HeaderValue::String(value.into()));
    let message = Message::new(Bytes::copy_from_slice(event.data.as_bytes()))
        .add_header(text(key, name))
        .add_header(text(":content-type", "application/json"))
        .add_header(text(":message-type", kind));
    let mut out = Vec::new();
    write_message_to(&message, &mut out).map_or_else(|_| Bytes::new(), |()| out.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_looked_at() {
        let shown = |authorization: &str, dated: bool| {
            let mut headers = HeaderMap::new();
            if !authorization.is_empty() {
                headers.insert(AUTHORIZATION, authorization.parse().unwrap());
            }
            if dated {
                headers.insert("x-amz-date", "20150830T123600Z".parse().unwrap());
            }
            authorize(&headers).err().map(|complaint| complaint.kind)
        };
        let hex = "5f".repeat(32);
        let scope = "AKID/20150830/us-east-1/bedrock/aws4_request";
        let good = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature={hex}");
        assert_eq!((shown("Bearer key", false), shown(&good, true)), (None, None));
        assert_eq!(shown("", true), Some("MissingAuthenticationTokenException"));
        let incomplete = Some("IncompleteSignatureException");
        for bad in [
            "Bearer  ".to_owned(),
            "Basic x".to_owned(),
            good.replace("Signature=5f", "Signature=5g"),
            good.replace("x-amz-date", "date"),
            good.replace("/aws4_request", ""),
        ] {
            assert_eq!(shown(&bad, true), incomplete, "{bad}");
        }
        assert_eq!(shown(&good, false), incomplete);
    }

    #[test]
    fn what_the_service_refuses_is_refused() {
        let refused = |body: Value| {
            let mut body = body.as_object().unwrap().clone();
            body.insert("model".to_owned(), json!("m"));
            read(&body).err().map(|complaint| complaint.message)
        };
        let user = json!({"role": "user", "content": [{"text": "hi"}]});
        assert_eq!(refused(json!({"messages": [user]})), None);
        for (body, wanted) in [
            (json!({"messages": [user], "max_tokens": 1}), "extraneous key [max_tokens]"),
            (json!({"messages": []}), "must start with a user message"),
            (json!({"messages": [user, user]}), "roles must alternate"),
            (json!({"messages": [{"role": "user", "content": [{"text": ""}]}]}), "must be non-empty"),
            (
                json!({"messages": [{"role": "user", "content": [{"toolResult": {}}]}]}),
                "toolConfig field must be defined",
            ),
        ] {
            let message = refused(body).unwrap();
            assert!(message.contains(wanted), "{message}");
        }
    }
}
