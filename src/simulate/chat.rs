//! OpenAI Chat Completions.
//!
//! In: a request body; an answer in neutral words. Out: what is asked; the response body or its events. Shapes follow the
//! provider's API reference (November 2026). Must not know: faults that break the stream.

use serde_json::{Map, Value, json};

use super::ask::{Answer, Ask, Call, Choice, Finish, Format, REFUSAL, Says, Tool, ToolChoice, Usage};
use super::error::Complaint;
use super::fields::{self, text_of};
use super::script::{Event, Events, Role};
use super::text::{Pieces, Size};

/// Most answers for one prompt, as at the provider.
pub const MAX_N: u64 = 128;

/// What one response says about itself, the same in each of its chunks.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// Makes every id in the response; the number of the request.
    pub number: u64,
    /// The model that answers.
    pub model: String,
    /// Seconds since 1970.
    pub created: u64,
}

/// Reads a request.
///
/// # Errors
/// In the provider's terms, with the parameter that is wrong.
pub fn read(body: &Map<String, Value>) -> Result<Ask, Complaint> {
    let messages = match body.get("messages") {
        Some(Value::Array(messages)) if !messages.is_empty() => messages,
        Some(Value::Array(_)) => return Err(Complaint::invalid("messages", "`messages` must not be empty")),
        Some(_) => return Err(Complaint::invalid("messages", "`messages` must be a list")),
        None => return Err(Complaint::invalid("messages", "`messages` is missing")),
    };
    let mut ask = Ask {
        model: fields::required_text(body, "model")?,
        stream: fields::flag(body, "stream")?,
        n: fields::count(body, "n", 1, MAX_N)?.unwrap_or(1),
        include_usage: body.get("stream_options").and_then(|options| options.get("include_usage"))
            == Some(&json!(true)),
        one_call: body.get("parallel_tool_calls") == Some(&json!(false)),
        ..Ask::default()
    };
    let old_cap = fields::count(body, "max_tokens", 1, u64::MAX)?;
    ask.cap = fields::count(body, "max_completion_tokens", 1, u64::MAX)?.or(old_cap);
    for (index, message) in messages.iter().enumerate() {
        let at = || format!("messages[{index}].role");
        let role = message.get("role").and_then(Value::as_str);
        let known = ["system", "developer", "user", "assistant", "tool", "function"];
        let role = role.filter(|role| known.contains(role));
        let role =
            role.ok_or_else(|| Complaint::invalid(&at(), format!("`{}` must be one of {}", at(), known.join(", "))))?;
        let text = text_of(message.get("content"));
        match role {
            "user" => ask.last_user = text.to_lowercase(),
            "tool" => ask.last_user.clear(),
            _ => {}
        }
        ask.prompt.push_str(&text);
        ask.prompt.push('\n');
    }
    ask.tools = tools(body)?;
    ask.choice = tool_choice(body)?;
    ask.format = format(body)?;
    Ok(ask)
}

fn tools(body: &Map<String, Value>) -> Result<Vec<Tool>, Complaint> {
    let listed = match body.get("tools") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(listed)) => listed,
        Some(_) => return Err(Complaint::invalid("tools", "`tools` must be a list")),
    };
    let read = |(index, tool): (usize, &Value)| {
        let function = tool.get("function");
        let name = function.and_then(|function| function.get("name")).and_then(Value::as_str);
        let param = format!("tools[{index}].function.name");
        let name = name.ok_or_else(|| Complaint::invalid(&param, format!("`{param}` is missing")))?;
        let parameters = function.and_then(|function| function.get("parameters")).cloned();
        Ok(Tool { name: name.to_owned(), parameters: parameters.unwrap_or_else(|| json!({"type": "object"})) })
    };
    listed.iter().enumerate().map(read).collect()
}

fn tool_choice(body: &Map<String, Value>) -> Result<ToolChoice, Complaint> {
    let wrong = || Complaint::invalid("tool_choice", "`tool_choice` must be none, auto, required, or name a function");
    match body.get("tool_choice") {
        None | Some(Value::Null) => Ok(ToolChoice::Auto),
        Some(Value::String(word)) => match word.as_str() {
            "auto" => Ok(ToolChoice::Auto),
            "none" => Ok(ToolChoice::None),
            "required" => Ok(ToolChoice::Any),
            _ => Err(wrong()),
        },
        Some(choice) if choice.get("type") == Some(&json!("allowed_tools")) => {
            let mode = choice.pointer("/allowed_tools/mode");
            Ok(if mode == Some(&json!("required")) { ToolChoice::Any } else { ToolChoice::Auto })
        }
        Some(choice) => {
            let name = choice.pointer("/function/name").and_then(Value::as_str);
            name.map(|name| ToolChoice::Named(name.to_owned())).ok_or_else(wrong)
        }
    }
}

fn format(body: &Map<String, Value>) -> Result<Format, Complaint> {
    let Some(format) = body.get("response_format").filter(|format| !format.is_null()) else { return Ok(Format::Prose) };
    match format.get("type").and_then(Value::as_str) {
        Some("text") => Ok(Format::Prose),
        Some("json_object") => Ok(Format::Json),
        Some("json_schema") => match format.pointer("/json_schema/schema") {
            Some(schema) => Ok(Format::Schema(schema.clone())),
            None => Err(Complaint::invalid("response_format.json_schema.schema", "the schema is missing")),
        },
        _ => Err(Complaint::invalid("response_format.type", "it must be text, json_object or json_schema")),
    }
}

const fn finish_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::Refusal => "stop",
        Finish::Length => "length",
        Finish::Calls => "tool_calls",
        Finish::Filtered => "content_filter",
    }
}

fn usage_json(usage: Usage) -> Value {
    json!({
        "prompt_tokens": usage.input, "completion_tokens": usage.output, "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
        },
    })
}

impl Stamp {
    fn id(&self) -> String {
        format!("chatcmpl-sim{:012x}", self.number)
    }

    fn call_id(&self, choice: usize, call: usize) -> String {
        format!("call_sim{:012x}{choice:02x}{call:02x}", self.number)
    }
}

/// The response body.
pub fn whole(stamp: &Stamp, answer: Answer) -> Value {
    let usage = usage_json(answer.usage);
    let choices: Vec<_> =
        answer.choices.into_iter().enumerate().map(|(index, choice)| whole_choice(stamp, index, choice)).collect();
    json!({
        "id": stamp.id(), "object": "chat.completion", "created": stamp.created, "model": stamp.model,
        "choices": choices, "usage": usage, "service_tier": "default", "system_fingerprint": "fp_simulated",
    })
}

fn whole_choice(stamp: &Stamp, index: usize, choice: Choice) -> Value {
    let mut message = json!({"role": "assistant", "content": null, "refusal": null, "annotations": []});
    match choice.says {
        Says::Text(pieces) => message["content"] = json!(pieces.collect::<String>()),
        Says::Refusal => message["refusal"] = json!(REFUSAL),
        Says::Calls(calls) => {
            let call = |(at, call): (usize, Call)| {
                let function = json!({"name": call.name, "arguments": call.arguments.to_string()});
                json!({"id": stamp.call_id(index, at), "type": "function", "function": function})
            };
            message["tool_calls"] = calls.into_iter().enumerate().map(call).collect();
        }
    }
    json!({"index": index, "message": message, "logprobs": null, "finish_reason": finish_reason(choice.finish)})
}

/// The response as events: a role chunk per choice, the choices' deltas in turn, a finish chunk per choice, the usage if
/// wanted, `[DONE]`.
pub fn events(stamp: Stamp, answer: Answer, include_usage: bool) -> Events {
    let Answer { choices, usage } = answer;
    let chunks = Chunks::new(stamp, include_usage);
    let role = json!({"role": "assistant", "content": "", "refusal": null});
    let opening: Vec<_> = (0..choices.len()).map(|index| chunks.delta(index, &role, None, Role::Frame)).collect();
    let mut ending: Vec<_> = (choices.iter().enumerate())
        .map(|(index, choice)| chunks.delta(index, &json!({}), Some(choice.finish), Role::Frame))
        .collect();
    if include_usage {
        ending.push(chunks.event("[]", &usage_json(usage), Role::Frame));
    }
    ending.push(Event { name: None, data: "[DONE]".to_owned(), role: Role::Terminal });
    let spoken: Vec<_> =
        choices.into_iter().enumerate().map(|(index, choice)| deltas(&chunks.stamp, index, choice.says)).collect();
    let contents = in_turn(spoken).map(move |(index, delta)| chunks.delta(index, &delta, None, Role::Content));
    Box::new(opening.into_iter().chain(contents).chain(ending))
}

/// What all chunks of one stream share. Long streams are mostly this, so it is written once and not built again for each.
struct Chunks {
    stamp: Stamp,
    /// Up to the value of `choices`.
    head: String,
    include_usage: bool,
}

impl Chunks {
    fn new(stamp: Stamp, include_usage: bool) -> Self {
        let (id, created, model) = (stamp.id(), stamp.created, json!(stamp.model));
        let head = format!(
            r#"{{"id":"{id}","object":"chat.completion.chunk","created":{created},"model":{model},"service_tier":"default","system_fingerprint":"fp_simulated","choices":"#
        );
        Self { stamp, head, include_usage }
    }

    fn delta(&self, index: usize, delta: &Value, finish: Option<Finish>, role: Role) -> Event {
        let finish = json!(finish.map(finish_reason));
        let choice = format!(r#"[{{"index":{index},"delta":{delta},"logprobs":null,"finish_reason":{finish}}}]"#);
        self.event(&choice, &Value::Null, role)
    }

    fn event(&self, choices: &str, usage: &Value, role: Role) -> Event {
        let usage = if self.include_usage { format!(r#","usage":{usage}"#) } else { String::new() };
        Event { name: None, data: format!("{}{choices}{usage}}}", self.head), role }
    }
}

type Deltas = Box<dyn Iterator<Item = Value> + Send + Sync>;

/// What one choice says, as deltas.
fn deltas(stamp: &Stamp, choice: usize, says: Says) -> Deltas {
    match says {
        Says::Text(pieces) => Box::new(pieces.map(|piece| json!({"content": piece}))),
        Says::Refusal => {
            let pieces = Pieces::literal(REFUSAL.to_owned(), Size::default());
            Box::new(pieces.map(|piece| json!({"refusal": piece})))
        }
        Says::Calls(calls) => {
            let ids: Vec<_> = (0..calls.len()).map(|at| stamp.call_id(choice, at)).collect();
            Box::new(calls.into_iter().zip(ids).enumerate().flat_map(|(at, (call, id))| call_deltas(at, call, id)))
        }
    }
}

/// Name and id first, then the arguments in fragments.
fn call_deltas(at: usize, call: Call, id: String) -> impl Iterator<Item = Value> {
    let head = json!({"index": at, "id": id, "type": "function", "function": {"name": call.name, "arguments": ""}});
    let fragments = Pieces::literal(call.arguments.to_string(), Size::default());
    let fragments = fragments.map(move |piece| json!({"index": at, "function": {"arguments": piece}}));
    std::iter::once(head).chain(fragments).map(|call| json!({"tool_calls": [call]}))
}

/// One item of each in turn until all are used up.
fn in_turn(mut sources: Vec<Deltas>) -> impl Iterator<Item = (usize, Value)> {
    let mut turn = 0;
    std::iter::from_fn(move || {
        for _ in 0..sources.len() {
            let index = turn % sources.len();
            turn += 1;
            if let Some(item) = sources.get_mut(index).and_then(Iterator::next) {
                return Some((index, item));
            }
        }
        None
    })
}
