//! Anthropic Messages and token counting.
//!
//! In: a request's head and body; an answer in neutral words. Out: what is asked; the response body or its events. Shapes follow the
//! provider's API reference (November 2026, versions 2023-06-01 and 2026-10-21). Must not know: faults that break the
//! stream.

use hyper::HeaderMap;
use serde_json::{Map, Value, json};

use super::ask::{Answer, Ask, Choice, Finish, Format, REFUSAL, Says, THOUGHT, Tool, ToolChoice, Usage, prompt_tokens};
use super::chat::Stamp;
use super::error::Complaint;
use super::fields::{self, text_of};
use super::script::{Event, Events, Role};
use super::text::{Pieces, Size};
use super::turns;

/// The versions there are.
const VERSIONS: [&str; 3] = ["2023-01-01", "2023-06-01", NO_SAMPLING_SINCE];
/// The version from which sampling parameters are refused.
const NO_SAMPLING_SINCE: &str = "2026-10-21";

/// Least tokens of thinking that may be asked for.
const MIN_BUDGET: u64 = 1024;
/// What proves, to the provider, that a thought is its own.
const SIGNATURE: &str = "c2ltdWxhdGVkLXNpZ25hdHVyZQ==";

/// The version that a request is written in. Any credential does, in either of its headers.
fn version(headers: &HeaderMap) -> Result<&str, Complaint> {
    if !headers.contains_key("x-api-key") && !headers.contains_key("authorization") {
        return Err(Complaint {
            kind: "authentication_error",
            status: 401,
            ..Complaint::invalid("", "x-api-key: header is required, or a token in authorization")
        });
    }
    let version = headers.get("anthropic-version").and_then(|value| value.to_str().ok());
    let version = version.ok_or_else(|| Complaint::invalid("", "anthropic-version: header is required"))?;
    if VERSIONS.contains(&version) {
        return Ok(version);
    }
    Err(Complaint::invalid("", format!("anthropic-version: \"{version}\" is not a version; use one of {VERSIONS:?}")))
}

/// Reads a request for a message, or (`counting`) for its size.
///
/// # Errors
/// In the provider's terms.
pub fn read(body: &Map<String, Value>, headers: &HeaderMap, counting: bool) -> Result<Ask, Complaint> {
    said(body, version(headers)?, counting)
}

/// Likewise, where the version is known.
///
/// # Errors
/// In the provider's terms.
pub fn said(body: &Map<String, Value>, version: &str, counting: bool) -> Result<Ask, Complaint> {
    let mut ask = Ask { model: fields::required_text(body, "model")?, n: 1, ..Ask::default() };
    if version >= NO_SAMPLING_SINCE
        && let Some(name) = ["temperature", "top_p", "top_k"].into_iter().find(|name| body.contains_key(*name))
    {
        return Err(Complaint::invalid(name, format!("{name}: not supported by version {version}")));
    }
    if !counting {
        ask.stream = fields::flag(body, "stream")?;
        let cap = fields::count(body, "max_tokens", 0, u64::MAX)?;
        ask.cap = Some(cap.ok_or_else(|| Complaint::invalid("max_tokens", "max_tokens: Field required"))?);
    }
    ask.prompt = text_of(body.get("system"));
    let instructions = prompt_tokens(&ask.prompt);
    messages(body, &mut ask)?;
    // What comes before the conversation was asked before; the conversation itself is new.
    let marked = |name: &str| body.get(name).is_some_and(|value| value.to_string().contains("\"cache_control\":{"));
    if marked("system") || marked("tools") {
        ask.cache_read = instructions;
    }
    if marked("messages") {
        ask.cache_write = prompt_tokens(&ask.prompt).saturating_sub(ask.cache_read);
    }
    tools(body, &mut ask)?;
    thinking(body, &mut ask)?;
    if let Some(schema) = body.get("output_config").and_then(|config| config.pointer("/format/schema")) {
        ask.format = Format::Schema(schema.clone());
    }
    Ok(ask)
}

fn messages(body: &Map<String, Value>, ask: &mut Ask) -> Result<(), Complaint> {
    let listed = match body.get("messages") {
        Some(Value::Array(listed)) if !listed.is_empty() => listed,
        Some(Value::Array(_)) => {
            return Err(Complaint::invalid("messages", "messages: at least one message is required"));
        }
        Some(_) => return Err(Complaint::invalid("messages", "messages: Input should be a valid list")),
        None => return Err(Complaint::invalid("messages", "messages: Field required")),
    };
    for (index, message) in listed.iter().enumerate() {
        let role = message.get("role").and_then(Value::as_str);
        if !matches!(role, Some("user" | "assistant" | "system")) {
            let message = format!("messages.{index}.role: Input should be 'user' or 'assistant'");
            return Err(Complaint::invalid("messages", message));
        }
        let content = message.get("content");
        let text = text_of(content);
        let is_result = |block: &Value| block.get("type") == Some(&json!("tool_result"));
        if role == Some("user") {
            let answered = content.and_then(Value::as_array).is_some_and(|blocks| blocks.iter().any(is_result));
            ask.last_user = if answered { String::new() } else { text.to_lowercase() };
        }
        ask.prompt.push_str(&text);
        ask.prompt.push('\n');
    }
    turns::check(listed)
}

fn thinking(body: &Map<String, Value>, ask: &mut Ask) -> Result<(), Complaint> {
    let Some(thinking) = body.get("thinking").filter(|thinking| !thinking.is_null()) else { return Ok(()) };
    let budget = thinking.get("budget_tokens").and_then(Value::as_u64);
    match thinking.get("type").and_then(Value::as_str) {
        Some("disabled" | "between_tools") => {}
        Some("adaptive") => ask.thinks = true,
        Some("enabled")
            if budget.is_some_and(|tokens| tokens >= MIN_BUDGET && ask.cap.is_none_or(|cap| tokens < cap)) =>
        {
            ask.thinks = true;
        }
        Some("enabled") => {
            let message = format!("thinking.budget_tokens: must be at least {MIN_BUDGET} and less than max_tokens");
            return Err(Complaint::invalid("thinking", message));
        }
        _ => {
            let message = "thinking.type: must be adaptive, enabled, disabled or between_tools";
            return Err(Complaint::invalid("thinking", message));
        }
    }
    if ask.thinks && matches!(ask.choice, ToolChoice::Any | ToolChoice::Named(_)) && budget.is_some() {
        return Err(Complaint::invalid(
            "tool_choice",
            "tool_choice: a call cannot be forced while thinking is enabled",
        ));
    }
    Ok(())
}

fn tools(body: &Map<String, Value>, ask: &mut Ask) -> Result<(), Complaint> {
    for (index, tool) in body.get("tools").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let name = tool.get("name").and_then(Value::as_str);
        let name = name.ok_or_else(|| Complaint::invalid("tools", format!("tools.{index}.name: Field required")))?;
        let parameters = tool.get("input_schema").cloned().unwrap_or_else(|| json!({"type": "object"}));
        ask.tools.push(Tool { name: name.to_owned(), parameters });
    }
    let Some(choice) = body.get("tool_choice").filter(|choice| !choice.is_null()) else { return Ok(()) };
    ask.one_call = choice.get("disable_parallel_tool_use") == Some(&json!(true));
    let name = choice.get("name").and_then(Value::as_str);
    ask.choice = match (choice.get("type").and_then(Value::as_str), name) {
        (Some("auto"), _) => ToolChoice::Auto,
        (Some("none"), _) => ToolChoice::None,
        (Some("any"), _) => ToolChoice::Any,
        (Some("tool"), Some(name)) => ToolChoice::Named(name.to_owned()),
        _ => {
            return Err(Complaint::invalid(
                "tool_choice",
                "tool_choice.type: must be auto, any, tool (with a name) or none",
            ));
        }
    };
    Ok(())
}

/// The answer of `count_tokens`.
pub fn counted(ask: &Ask) -> Value {
    json!({"input_tokens": prompt_tokens(&ask.prompt)})
}

const fn stop_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "end_turn",
        Finish::Length => "max_tokens",
        Finish::Calls => "tool_use",
        Finish::Filtered | Finish::Refusal => "refusal",
    }
}

fn stop_details(finish: Finish) -> Value {
    match finish {
        Finish::Filtered | Finish::Refusal => json!({"type": "refusal", "category": null, "explanation": REFUSAL}),
        _ => Value::Null,
    }
}

fn usage_json(usage: Usage) -> Value {
    let Usage { cache_read, cache_write, .. } = usage;
    json!({
        "input_tokens": usage.input.saturating_sub(cache_read + cache_write),
        "cache_creation_input_tokens": cache_write, "cache_read_input_tokens": cache_read,
        "output_tokens": usage.output, "output_tokens_details": {"thinking_tokens": usage.thought},
        "service_tier": "standard",
    })
}

impl Stamp {
    fn message(&self, content: Value, finish: Option<Finish>, usage: Usage) -> Value {
        json!({
            "id": format!("msg_sim{:012x}", self.number), "type": "message", "role": "assistant", "model": self.model,
            "content": content, "stop_reason": finish.map(stop_reason), "stop_sequence": null,
            "stop_details": finish.map_or(Value::Null, stop_details), "usage": usage_json(usage),
        })
    }

    fn tool_use(&self, at: usize, name: &str, input: Value) -> Value {
        json!({"type": "tool_use", "id": format!("toolu_sim{:012x}{at:02x}", self.number), "name": name, "input": input})
    }
}

/// The one answer there is; this dialect has no `n`.
fn only(answer: Answer) -> (Choice, Usage) {
    let usage = answer.usage;
    let nothing = || Choice { says: Says::Refusal, finish: Finish::Refusal };
    (answer.choices.into_iter().next().unwrap_or_else(nothing), usage)
}

/// The response body.
pub fn whole(stamp: &Stamp, answer: Answer) -> Value {
    let (choice, usage) = only(answer);
    let mut content = Vec::new();
    if usage.thought > 0 {
        content.push(json!({"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE}));
    }
    match choice.says {
        Says::Text(pieces) => content.push(json!({"type": "text", "text": pieces.collect::<String>()})),
        Says::Refusal => {}
        Says::Calls(calls) => {
            let calls = calls.into_iter().enumerate();
            content.extend(calls.map(|(at, call)| stamp.tool_use(at, &call.name, call.arguments)));
        }
    }
    stamp.message(Value::Array(content), Some(choice.finish), usage)
}

/// The response as events, `message_start` to `message_stop`, with a `ping` after the first block has opened.
pub fn events(stamp: Stamp, answer: Answer) -> Events {
    let (choice, usage) = only(answer);
    let opening = stamp.message(json!([]), None, Usage { output: 0, thought: 0, ..usage });
    let start = event("message_start", json!({"type": "message_start", "message": opening}), Role::Frame);
    let finish = choice.finish;
    let delta =
        json!({"stop_reason": stop_reason(finish), "stop_sequence": null, "stop_details": stop_details(finish)});
    let delta = json!({"type": "message_delta", "delta": delta, "usage": usage_json(usage)});
    let ending = [
        event("message_delta", delta, Role::Frame),
        event("message_stop", json!({"type": "message_stop"}), Role::Terminal),
    ];
    let thought = (usage.thought > 0).then(thought).into_iter().flatten();
    let first = usize::from(usage.thought > 0);
    Box::new(std::iter::once(start).chain(thought).chain(blocks(stamp, choice.says, first)).chain(ending))
}

fn thought() -> impl Iterator<Item = Event> {
    let pieces = Pieces::literal(THOUGHT.to_owned(), Size::default());
    let deltas = pieces.map(|piece| json!({"type": "thinking_delta", "thinking": piece}));
    let signed = std::iter::once(json!({"type": "signature_delta", "signature": SIGNATURE}));
    block(0, json!({"type": "thinking", "thinking": "", "signature": ""}), Box::new(deltas.chain(signed)))
}

/// The content blocks from number `first` on, one strictly after another.
fn blocks(stamp: Stamp, says: Says, first: usize) -> Events {
    match says {
        Says::Refusal => Box::new(std::iter::empty()),
        Says::Text(pieces) => {
            let deltas = pieces.map(|piece| json!({"type": "text_delta", "text": piece}));
            Box::new(block(first, json!({"type": "text", "text": ""}), Box::new(deltas)))
        }
        Says::Calls(calls) => Box::new(calls.into_iter().enumerate().flat_map(move |(at, call)| {
            let fragments = Pieces::literal(call.arguments.to_string(), Size::default());
            let fragments = std::iter::once(String::new()).chain(fragments);
            let deltas = fragments.map(|piece| json!({"type": "input_json_delta", "partial_json": piece}));
            block(first + at, stamp.tool_use(at, &call.name, json!({})), Box::new(deltas))
        })),
    }
}

fn block(
    index: usize,
    opened: Value,
    deltas: Box<dyn Iterator<Item = Value> + Send + Sync>,
) -> impl Iterator<Item = Event> {
    let start = json!({"type": "content_block_start", "index": index, "content_block": opened});
    let start = event("content_block_start", start, Role::Frame);
    let ping = (index == 0).then(|| event("ping", json!({"type": "ping"}), Role::Frame));
    let deltas = deltas.map(move |delta| {
        let delta = json!({"type": "content_block_delta", "index": index, "delta": delta});
        event("content_block_delta", delta, Role::Content)
    });
    let stop = event("content_block_stop", json!({"type": "content_block_stop", "index": index}), Role::Frame);
    std::iter::once(start).chain(ping).chain(deltas).chain([stop])
}

fn event(name: &'static str, data: Value, role: Role) -> Event {
    Event { name: Some(name), data: data.to_string(), role }
}
