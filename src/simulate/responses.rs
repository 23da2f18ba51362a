//! OpenAI Responses.
//!
//! In: a request body; an answer in neutral words. Out: what is asked; the response body or its events. Shapes follow the
//! provider's API reference (November 2026). Nothing is stored: what refers to earlier responses is refused. Must not know: faults
//! that break the stream.

use serde_json::{Map, Value, json};

use super::ask::{Answer, Ask, Call, Choice, Finish, Format, REFUSAL, Says, Tool, ToolChoice, Usage};
use super::chat::Stamp;
use super::error::Complaint;
use super::fields::{self, text_of};
use super::script::{Event, Events, Role};
use super::text::{Pieces, Size};

/// Fields of a request that the response repeats, and what it says where they are absent.
const REPEATED: [(&str, &str); 16] = [
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("previous_response_id", "null"),
    ("reasoning", r#"{"effort":null,"summary":null}"#),
    ("service_tier", r#""default""#),
    ("store", "true"),
    ("temperature", "1.0"),
    ("text", r#"{"format":{"type":"text"},"verbosity":"medium"}"#),
    ("tool_choice", r#""auto""#),
    ("tools", "[]"),
    ("top_p", "1.0"),
    ("truncation", r#""disabled""#),
    ("user", "null"),
    ("background", "false"),
];

/// Reads a request.
///
/// # Errors
/// In the provider's terms, with the parameter that is wrong.
pub fn read(body: &Map<String, Value>) -> Result<Ask, Complaint> {
    for field in ["previous_response_id", "conversation", "prompt"] {
        if body.get(field).is_some_and(|value| !value.is_null()) {
            return Err(Complaint::invalid(field, format!("`{field}` refers to nothing: nothing is stored here")));
        }
    }
    let mut ask = Ask {
        model: fields::required_text(body, "model")?,
        stream: fields::flag(body, "stream")?,
        n: 1,
        include_usage: true,
        one_call: body.get("parallel_tool_calls") == Some(&json!(false)),
        cap: fields::count(body, "max_output_tokens", 1, u64::MAX)?,
        tools: tools(body)?,
        choice: tool_choice(body)?,
        format: format(body)?,
        ..Ask::default()
    };
    if let Some(text) = body.get("instructions").and_then(Value::as_str) {
        add(&mut ask, text);
    }
    match body.get("input") {
        Some(Value::String(text)) => {
            ask.last_user = text.to_lowercase();
            add(&mut ask, text);
        }
        Some(Value::Array(items)) if !items.is_empty() => {
            items.iter().enumerate().try_for_each(|(index, item)| read_item(&mut ask, index, item))?;
        }
        Some(_) => return Err(Complaint::invalid("input", "`input` must be a string or a list of items")),
        None => return Err(Complaint::invalid("input", "`input` is missing")),
    }
    Ok(ask)
}

fn add(ask: &mut Ask, text: &str) {
    ask.prompt.push_str(text);
    ask.prompt.push('\n');
}

fn read_item(ask: &mut Ask, index: usize, item: &Value) -> Result<(), Complaint> {
    let field = |name: &str| item.get(name).and_then(Value::as_str);
    let role = field("role");
    match field("type").or(role.map(|_| "message")) {
        Some("message") => {
            let at = format!("input[{index}].role");
            let text = text_of(item.get("content"));
            match role {
                Some("user") => ask.last_user = text.to_lowercase(),
                Some("assistant" | "system" | "developer") => {}
                _ => {
                    return Err(Complaint::invalid(
                        &at,
                        format!("`{at}` must be user, assistant, system or developer"),
                    ));
                }
            }
            add(ask, &text);
        }
        Some("function_call") => add(ask, field("arguments").unwrap_or_default()),
        Some("function_call_output") => {
            ask.last_user.clear();
            add(ask, &text_of(item.get("output")));
        }
        Some("reasoning") => {}
        _ => {
            let at = format!("input[{index}]");
            return Err(Complaint::invalid(&at, format!("`{at}` is of a type that is not simulated")));
        }
    }
    Ok(())
}

fn tools(body: &Map<String, Value>) -> Result<Vec<Tool>, Complaint> {
    let listed = match body.get("tools") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(listed)) => listed,
        Some(_) => return Err(Complaint::invalid("tools", "`tools` must be a list")),
    };
    let read = |(index, tool): (usize, &Value)| {
        let param = format!("tools[{index}].name");
        let name = tool.get("name").and_then(Value::as_str);
        let name = name.ok_or_else(|| Complaint::invalid(&param, format!("`{param}` is missing")))?;
        let parameters = tool.get("parameters").filter(|parameters| parameters.is_object()).cloned();
        Ok(Tool { name: name.to_owned(), parameters: parameters.unwrap_or_else(|| json!({"type": "object"})) })
    };
    let is_function = |tool: &&Value| tool.get("type") == Some(&json!("function"));
    listed.iter().filter(is_function).enumerate().map(read).collect()
}

fn tool_choice(body: &Map<String, Value>) -> Result<ToolChoice, Complaint> {
    let wrong = || Complaint::invalid("tool_choice", "`tool_choice` must be none, auto, required, or name a function");
    let Some(choice) = body.get("tool_choice").filter(|choice| !choice.is_null()) else { return Ok(ToolChoice::Auto) };
    let kind = choice.get("type").and_then(Value::as_str);
    match choice.as_str().or(kind) {
        Some("auto") => Ok(ToolChoice::Auto),
        Some("none") => Ok(ToolChoice::None),
        Some("required") => Ok(ToolChoice::Any),
        Some("allowed_tools") if choice.get("mode") == Some(&json!("required")) => Ok(ToolChoice::Any),
        Some("allowed_tools") => Ok(ToolChoice::Auto),
        Some("function") => {
            let name = choice.get("name").and_then(Value::as_str);
            name.map(|name| ToolChoice::Named(name.to_owned())).ok_or_else(wrong)
        }
        _ => Err(wrong()),
    }
}

fn format(body: &Map<String, Value>) -> Result<Format, Complaint> {
    let Some(format) = body.get("text").and_then(|text| text.get("format")) else { return Ok(Format::Prose) };
    match format.get("type").and_then(Value::as_str) {
        Some("text") => Ok(Format::Prose),
        Some("json_object") => Ok(Format::Json),
        Some("json_schema") => match format.get("schema") {
            Some(schema) => Ok(Format::Schema(schema.clone())),
            None => Err(Complaint::invalid("text.format.schema", "the schema is missing")),
        },
        _ => Err(Complaint::invalid("text.format.type", "it must be text, json_object or json_schema")),
    }
}

fn usage_json(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.input, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": usage.output, "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.input + usage.output,
    })
}

/// What the response object holds beside its output.
struct Frame {
    stamp: Stamp,
    repeated: Map<String, Value>,
}

impl Frame {
    fn new(stamp: Stamp, body: &Map<String, Value>) -> Self {
        let value = |(name, usual): (&str, &str)| {
            let given = body.get(name).filter(|value| !value.is_null()).cloned();
            let usual = || serde_json::from_str(usual).unwrap_or_default();
            (name.to_owned(), given.unwrap_or_else(usual))
        };
        Self { stamp, repeated: REPEATED.into_iter().map(value).collect() }
    }

    fn item_id(&self, prefix: &str, place: usize) -> String {
        format!("{prefix}_sim{:012x}{place:02x}", self.stamp.number)
    }

    /// The object. `finish` is `None` while it is under way.
    fn response(&self, finish: Option<Finish>, output: &[Value], usage: Option<Usage>) -> Value {
        let (status, reason) = match finish {
            None => ("in_progress", None),
            Some(Finish::Length) => ("incomplete", Some("max_output_tokens")),
            Some(Finish::Filtered) => ("incomplete", Some("content_filter")),
            Some(Finish::Stop | Finish::Calls | Finish::Refusal) => ("completed", None),
        };
        let mut response = json!({
            "id": format!("resp_sim{:012x}", self.stamp.number), "object": "response", "created_at": self.stamp.created,
            "status": status, "error": null, "incomplete_details": reason.map(|reason| json!({"reason": reason})),
            "model": self.stamp.model, "output": output, "usage": usage.map(usage_json),
        });
        if let Value::Object(object) = &mut response {
            object.extend(self.repeated.clone());
        }
        response
    }

    /// What is said as output items: one message, or the calls.
    fn items(&self, choice: &Choice, status: &str) -> Vec<Value> {
        match &choice.says {
            Says::Text(pieces) => vec![self.message(status, &[text_part(&pieces.clone().collect::<String>())])],
            Says::Refusal => vec![self.message(status, &[json!({"type": "refusal", "refusal": REFUSAL})])],
            Says::Calls(calls) => {
                let call =
                    |(place, call): (usize, &Call)| self.call(status, place, &call.name, &call.arguments.to_string());
                calls.iter().enumerate().map(call).collect()
            }
        }
    }

    fn message(&self, status: &str, content: &[Value]) -> Value {
        json!({
            "id": self.item_id("msg", 0), "type": "message", "status": status, "role": "assistant", "content": content,
        })
    }

    fn call(&self, status: &str, place: usize, name: &str, arguments: &str) -> Value {
        json!({
            "id": self.item_id("fc", place), "type": "function_call", "status": status,
            "call_id": self.item_id("call", place), "name": name, "arguments": arguments,
        })
    }
}

fn text_part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

const fn item_status(finish: Finish) -> &'static str {
    match finish {
        Finish::Length | Finish::Filtered => "incomplete",
        Finish::Stop | Finish::Calls | Finish::Refusal => "completed",
    }
}

/// The response body.
pub fn whole(stamp: Stamp, body: &Map<String, Value>, answer: Answer) -> Value {
    let frame = Frame::new(stamp, body);
    let Answer { choices, usage } = answer;
    let Some(choice) = choices.into_iter().next() else { return frame.response(Some(Finish::Stop), &[], Some(usage)) };
    let output = frame.items(&choice, item_status(choice.finish));
    frame.response(Some(choice.finish), &output, Some(usage))
}

/// An event before it is numbered.
type Unnumbered = (&'static str, Value, Role);

/// The response as events: two opening ones, those of each item, and the whole response.
pub fn events(stamp: Stamp, body: &Map<String, Value>, answer: Answer) -> Events {
    let frame = Frame::new(stamp, body);
    let Answer { choices, usage } = answer;
    let begun = frame.response(None, &[], None);
    let opening =
        ["response.created", "response.in_progress"].map(|name| (name, json!({"response": begun}), Role::Frame));
    let Some(choice) = choices.into_iter().next() else { return numbered(opening.into_iter()) };
    let name = match choice.finish {
        Finish::Length | Finish::Filtered => "response.incomplete",
        Finish::Stop | Finish::Calls | Finish::Refusal => "response.completed",
    };
    let items = frame.items(&choice, item_status(choice.finish));
    let last = (name, json!({"response": frame.response(Some(choice.finish), &items, Some(usage))}), Role::Terminal);
    let spoken: Box<dyn Iterator<Item = Unnumbered> + Send + Sync> = match choice.says {
        Says::Text(pieces) => Box::new(message(items, "output_text", "text", pieces)),
        Says::Refusal => {
            let pieces = Pieces::literal(REFUSAL.to_owned(), Size::default());
            Box::new(message(items, "refusal", "refusal", pieces))
        }
        Says::Calls(_) => Box::new(items.into_iter().enumerate().flat_map(|(place, item)| call(place, item))),
    };
    numbered(opening.into_iter().chain(spoken).chain([last]))
}

fn numbered(events: impl Iterator<Item = Unnumbered> + Send + Sync + 'static) -> Events {
    Box::new(events.enumerate().map(|(number, (name, mut data, role))| {
        data["type"] = name.into();
        data["sequence_number"] = number.into();
        Event { name: Some(name), data: data.to_string(), role }
    }))
}

/// The same with other values of two members.
fn with(item: &Value, members: [(&str, Value); 2]) -> Value {
    let mut item = item.clone();
    members.into_iter().for_each(|(name, value)| item[name] = value);
    item
}

/// A message of one part. `kind` and `field` say which.
fn message(
    items: Vec<Value>,
    kind: &'static str,
    field: &'static str,
    pieces: Pieces,
) -> impl Iterator<Item = Unnumbered> {
    let item = items.into_iter().next().unwrap_or_default();
    let (id, part) = (item["id"].clone(), item["content"][0].clone());
    let (delta, done) = match kind {
        "refusal" => ("response.refusal.delta", "response.refusal.done"),
        _ => ("response.output_text.delta", "response.output_text.done"),
    };
    let place = move |more: &[(&str, Value)]| {
        let mut data = json!({"item_id": id, "output_index": 0, "content_index": 0});
        more.iter().for_each(|(name, value)| data[*name] = value.clone());
        if kind == "output_text" && more.iter().any(|(name, _)| *name != "part") {
            data["logprobs"] = json!([]);
        }
        data
    };
    let added = with(&item, [("status", "in_progress".into()), ("content", json!([]))]);
    let empty = with(&part, [(field, "".into()), ("type", part["type"].clone())]);
    let opening = [
        ("response.output_item.added", json!({"output_index": 0, "item": added}), Role::Frame),
        ("response.content_part.added", place(&[("part", empty)]), Role::Frame),
    ];
    let ending = [
        (done, place(&[(field, part[field].clone())]), Role::Frame),
        ("response.content_part.done", place(&[("part", part)]), Role::Frame),
        ("response.output_item.done", json!({"output_index": 0, "item": item}), Role::Frame),
    ];
    let deltas = pieces.map(move |piece| (delta, place(&[("delta", piece.into())]), Role::Content));
    opening.into_iter().chain(deltas).chain(ending)
}

fn call(place: usize, item: Value) -> impl Iterator<Item = Unnumbered> {
    let arguments = item["arguments"].as_str().unwrap_or_default().to_owned();
    let at = json!({"item_id": item["id"], "output_index": place});
    let added = with(&item, [("status", "in_progress".into()), ("arguments", "".into())]);
    let done = with(&at, [("arguments", arguments.clone().into()), ("name", item["name"].clone())]);
    let ending = [
        ("response.function_call_arguments.done", done, Role::Frame),
        ("response.output_item.done", json!({"output_index": place, "item": item}), Role::Frame),
    ];
    let deltas = Pieces::literal(arguments, Size::default()).map(move |piece| {
        let delta = with(&at, [("delta", piece.into()), ("output_index", place.into())]);
        ("response.function_call_arguments.delta", delta, Role::Content)
    });
    let opening = ("response.output_item.added", json!({"output_index": place, "item": added}), Role::Frame);
    std::iter::once(opening).chain(deltas).chain(ending)
}
