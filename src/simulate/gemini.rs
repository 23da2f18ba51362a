//! Google's generateContent, token counting and embeddings.
//!
//! In: what a path names; a request body; an answer in neutral words. Out: what is asked; the response body or its events. Shapes
//! follow the provider's API reference and its Python client (November 2026). Must not know: faults that break the stream.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::ask::{Answer, Ask, Call, Choice, Finish, Format, Says, Tool, ToolChoice, Usage, prompt_tokens};
use super::chat::Stamp;
use super::embeddings::{MAX_DIMENSIONS, vector};
use super::error::Complaint;
use super::fields;
use super::script::{Event, Events, Role};

/// Most answers for one prompt, as at the provider.
pub const MAX_CANDIDATES: u64 = 8;
/// Most texts in one request for embeddings, as at the provider.
pub const MAX_TEXTS: usize = 100;
/// Length of a vector that nobody sized.
const USUAL_DIMENSIONS: u64 = 3072;
/// What comes with the first call of an answer and belongs to no other model.
const SIGNATURE: &str = "c2ltdWxhdGVkIHNpZ25hdHVyZQ==";

/// What is asked of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words are their own description")]
pub enum Method {
    Generate,
    Stream,
    CountTokens,
    EmbedContent,
    BatchEmbedContents,
}

/// The model and the method of `{model}:{method}`, what stands behind `models/`.
pub fn asked(segment: &str) -> Option<(String, Method)> {
    let (model, method) = segment.rsplit_once(':')?;
    let method = match method {
        "generateContent" => Method::Generate,
        "streamGenerateContent" => Method::Stream,
        "countTokens" => Method::CountTokens,
        "embedContent" => Method::EmbedContent,
        "batchEmbedContents" => Method::BatchEmbedContents,
        _ => return None,
    };
    let model = percent_decode_str(model).decode_utf8().ok()?;
    (!model.is_empty()).then(|| (model.into_owned(), method))
}

/// A field under either of its names: `generationConfig`, `generation_config`.
fn field<'a>(object: &'a Map<String, Value>, camel: &str) -> Option<&'a Value> {
    let snake = || {
        let mut name = String::with_capacity(camel.len() + 4);
        for letter in camel.chars() {
            if letter.is_ascii_uppercase() {
                name.push('_');
            }
            name.push(letter.to_ascii_lowercase());
        }
        object.get(&name)
    };
    object.get(camel).or_else(snake).filter(|value| !value.is_null())
}

fn field_of<'a>(value: Option<&'a Value>, camel: &str) -> Option<&'a Value> {
    value.and_then(Value::as_object).and_then(|object| field(object, camel))
}

/// The items of a list; one value in its place is a list of it.
fn each(value: Option<&Value>) -> &[Value] {
    match value {
        Some(Value::Array(items)) => items,
        Some(one) => std::slice::from_ref(one),
        None => &[],
    }
}

/// Reads a request for an answer, or for the size of its prompt.
///
/// # Errors
/// In the provider's terms, with the field that is wrong.
pub fn read(body: &Map<String, Value>, model: &str) -> Result<Ask, Complaint> {
    let inner = field(body, "generateContentRequest").and_then(Value::as_object).unwrap_or(body);
    let mut ask = Ask { model: model.to_owned(), n: 1, include_usage: true, ..Ask::default() };
    ask.prompt = text_of(field(inner, "systemInstruction"));
    let contents = each(field(inner, "contents"));
    if contents.is_empty() {
        return Err(Complaint::invalid("contents", "* GenerateContentRequest.contents: contents is not specified"));
    }
    for content in contents {
        let role = content.get("role").and_then(Value::as_str).unwrap_or("user");
        if !matches!(role, "user" | "model" | "function") {
            return Err(Complaint::invalid("contents", "Please use a valid role: user, model."));
        }
        let text = text_of(Some(content));
        let answers = each(field_of(Some(content), "parts"))
            .iter()
            .any(|part| field_of(Some(part), "functionResponse").is_some());
        if role != "model" {
            ask.last_user = if answers { String::new() } else { text.to_lowercase() };
        }
        ask.prompt.push_str(&text);
        ask.prompt.push('\n');
    }
    config(field(inner, "generationConfig"), &mut ask)?;
    tools(inner, &mut ask)?;
    Ok(ask)
}

/// The texts of a content's parts.
fn text_of(content: Option<&Value>) -> String {
    each(field_of(content, "parts")).iter().filter_map(|part| part.get("text")?.as_str()).collect()
}

fn config(config: Option<&Value>, ask: &mut Ask) -> Result<(), Complaint> {
    let Some(config) = config.and_then(Value::as_object) else { return Ok(()) };
    let count = |camel: &str, most| {
        let value = field(config, camel).map(|value| (camel.to_owned(), value.clone()));
        fields::count(&Map::from_iter(value), camel, 1, most)
    };
    ask.cap = count("maxOutputTokens", u64::MAX)?;
    ask.n = count("candidateCount", MAX_CANDIDATES)?.unwrap_or(1);
    let json = field(config, "responseMimeType") == Some(&json!("application/json"));
    let schema = field(config, "responseJsonSchema").cloned();
    ask.format = match schema.or_else(|| field(config, "responseSchema").map(lowered)) {
        Some(schema) => Format::Schema(schema),
        None if json => Format::Json,
        None => Format::Prose,
    };
    Ok(())
}

/// Google's types in capitals, as JSON Schema writes them.
fn lowered(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| match value {
                Value::String(kind) if name == "type" => (name.clone(), json!(kind.to_lowercase())),
                _ => (name.clone(), lowered(value)),
            };
            Value::Object(members.iter().map(member).collect())
        }
        Value::Array(items) => items.iter().map(lowered).collect(),
        other => other.clone(),
    }
}

fn tools(body: &Map<String, Value>, ask: &mut Ask) -> Result<(), Complaint> {
    let declared =
        each(field(body, "tools")).iter().flat_map(|tool| each(field_of(Some(tool), "functionDeclarations")));
    for function in declared {
        let name = function.get("name").and_then(Value::as_str);
        let name = name.ok_or_else(|| Complaint::invalid("tools", "function_declarations: name is not specified"))?;
        let schema = field_of(Some(function), "parametersJsonSchema").cloned();
        let schema = schema.or_else(|| function.get("parameters").map(lowered));
        let parameters = schema.unwrap_or_else(|| json!({"type": "object"}));
        ask.tools.push(Tool { name: name.to_owned(), parameters });
    }
    let calling = field_of(field(body, "toolConfig"), "functionCallingConfig");
    let only = each(field_of(calling, "allowedFunctionNames")).first().and_then(Value::as_str);
    ask.choice = match (field_of(calling, "mode").and_then(Value::as_str), only) {
        (None | Some("AUTO" | "VALIDATED" | "MODE_UNSPECIFIED"), _) => ToolChoice::Auto,
        (Some("NONE"), _) => ToolChoice::None,
        (Some("ANY"), None) => ToolChoice::Any,
        (Some("ANY"), Some(name)) => ToolChoice::Named(name.to_owned()),
        (Some(_), _) => return Err(Complaint::invalid("toolConfig", "mode: must be AUTO, ANY, VALIDATED or NONE")),
    };
    Ok(())
}

/// The answer of `countTokens`.
pub fn counted(ask: &Ask) -> Value {
    let tokens = prompt_tokens(&ask.prompt);
    json!({"totalTokens": tokens, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens}]})
}

const fn finish_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::Calls => "STOP",
        Finish::Length => "MAX_TOKENS",
        Finish::Filtered => "SAFETY",
        Finish::Refusal => "PROHIBITED_CONTENT",
    }
}

fn usage_json(usage: Usage) -> Value {
    json!({
        "promptTokenCount": usage.input, "candidatesTokenCount": usage.output,
        "totalTokenCount": usage.input + usage.output,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": usage.input}],
    })
}

impl Stamp {
    fn response(&self, mut members: Map<String, Value>, usage: Usage) -> Value {
        members.insert("usageMetadata".to_owned(), usage_json(usage));
        members.insert("modelVersion".to_owned(), json!(self.model));
        members.insert("responseId".to_owned(), json!(format!("sim{:012x}", self.number)));
        Value::Object(members)
    }

    fn candidate(&self, index: usize, parts: &Value, finish: Option<Finish>, usage: Usage) -> Value {
        let mut candidate = json!({"content": {"parts": parts, "role": "model"}, "index": index});
        if let Some(finish) = finish {
            candidate["finishReason"] = json!(finish_reason(finish));
        }
        self.response(Map::from_iter([("candidates".to_owned(), json!([candidate]))]), usage)
    }

    fn calls(&self, index: usize, calls: Vec<Call>) -> Value {
        let part = |(at, call): (usize, Call)| {
            let id = format!("sim{:012x}{index:02x}{at:02x}", self.number);
            let mut part = json!({"functionCall": {"id": id, "name": call.name, "args": call.arguments}});
            if at == 0 {
                part["thoughtSignature"] = json!(SIGNATURE);
            }
            part
        };
        calls.into_iter().enumerate().map(part).collect()
    }

    /// What is said where a filter took the prompt.
    fn blocked(&self, usage: Usage) -> Value {
        let feedback = json!({"blockReason": "PROHIBITED_CONTENT"});
        self.response(Map::from_iter([("promptFeedback".to_owned(), feedback)]), Usage { output: 0, ..usage })
    }
}

/// The response body; `blocked` when a filter took the prompt.
pub fn whole(stamp: &Stamp, answer: Answer, blocked: bool) -> Value {
    let usage = answer.usage;
    if blocked {
        return stamp.blocked(usage);
    }
    let candidate = |(index, choice): (usize, Choice)| {
        let parts = match choice.says {
            Says::Text(pieces) => json!([{"text": pieces.collect::<String>()}]),
            Says::Refusal => json!([]),
            Says::Calls(calls) => stamp.calls(index, calls),
        };
        let mut whole = stamp.candidate(index, &parts, Some(choice.finish), usage);
        whole["candidates"][0].take()
    };
    let candidates: Vec<Value> = answer.choices.into_iter().enumerate().map(candidate).collect();
    stamp.response(Map::from_iter([("candidates".to_owned(), json!(candidates))]), usage)
}

/// The response as events: every piece a response of its own, the last of each candidate with the reason.
pub fn events(stamp: Stamp, answer: Answer, blocked: bool) -> Events {
    let usage = answer.usage;
    if blocked {
        return Box::new(std::iter::once(event(&stamp.blocked(usage), Role::Terminal)));
    }
    let candidates = answer.choices.into_iter().enumerate();
    Box::new(candidates.flat_map(move |(index, choice)| candidate_events(stamp.clone(), index, choice, usage)))
}

fn candidate_events(stamp: Stamp, index: usize, choice: Choice, usage: Usage) -> Events {
    let finish = Some(choice.finish);
    let last = |stamp: &Stamp, parts: Value| event(&stamp.candidate(index, &parts, finish, usage), Role::Terminal);
    match choice.says {
        Says::Refusal => Box::new(std::iter::once(last(&stamp, json!([])))),
        Says::Calls(calls) => {
            let called = stamp.candidate(index, &stamp.calls(index, calls), None, usage);
            Box::new([event(&called, Role::Content), last(&stamp, json!([{"text": ""}]))].into_iter())
        }
        Says::Text(pieces) => {
            let end = last(&stamp, json!([{"text": ""}]));
            let mut spoken = 0;
            let said = pieces.map(move |piece| {
                spoken += 1;
                let so_far = Usage { output: spoken, ..usage };
                event(&stamp.candidate(index, &json!([{"text": piece}]), None, so_far), Role::Content)
            });
            Box::new(said.chain([end]))
        }
    }
}

fn event(response: &Value, role: Role) -> Event {
    Event { name: None, data: response.to_string(), role }
}

/// A stream that nobody asked to have as events: one list.
pub fn as_list(events: Events) -> Value {
    events.filter_map(|event| serde_json::from_str::<Value>(&event.data).ok()).collect()
}

/// Vectors for one text or for several.
///
/// # Errors
/// In the provider's terms.
pub fn embedded(body: &Map<String, Value>, several: bool) -> Result<Value, Complaint> {
    let mut tokens = 0;
    let mut one = |request: &Map<String, Value>| {
        let text = text_of(field(request, "content"));
        let size = field(request, "outputDimensionality").map(|size| ("outputDimensionality".to_owned(), size.clone()));
        let size = fields::count(&Map::from_iter(size), "outputDimensionality", 1, MAX_DIMENSIONS)?;
        if text.is_empty() {
            return Err(Complaint::invalid("content", "* EmbedContentRequest.content: content is not specified"));
        }
        tokens += prompt_tokens(&text);
        Ok(json!({"values": vector(text.as_bytes(), size.unwrap_or(USUAL_DIMENSIONS))}))
    };
    let (name, value) = if several {
        let requests = each(body.get("requests"));
        if requests.is_empty() || requests.len() > MAX_TEXTS {
            let message =
                format!("* BatchEmbedContentsRequest.requests: 1 to {MAX_TEXTS} requests can be in one batch");
            return Err(Complaint::invalid("requests", message));
        }
        let read = |request: &Value| one(request.as_object().unwrap_or(&Map::new()));
        ("embeddings", requests.iter().map(read).collect::<Result<Value, _>>()?)
    } else {
        ("embedding", one(body)?)
    };
    Ok(json!({name: value, "usageMetadata": {"promptTokenCount": tokens, "totalTokenCount": tokens}}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(body: Value) -> Result<Ask, Complaint> {
        read(body.as_object().unwrap(), "m")
    }

    #[test]
    fn a_path_names_a_model_and_a_method() {
        assert_eq!(asked("m:generateContent"), Some(("m".into(), Method::Generate)));
        assert_eq!(asked("a%2Fb:1%21503:streamGenerateContent"), Some(("a/b:1!503".into(), Method::Stream)));
        for segment in ["m", "m:predict", ":generateContent", "%ff:countTokens"] {
            assert_eq!(asked(segment), None, "{segment}");
        }
    }

    #[test]
    fn both_spellings_are_read() {
        let read = ask(json!({
            "system_instruction": {"parts": {"text": "be"}}, "contents": {"parts": [{"text": "USE it"}]},
            "generation_config": {"max_output_tokens": 3, "response_schema": {"type": "OBJECT"}},
            "tools": [{"function_declarations": [{"name": "it", "parameters_json_schema": {"type": "object"}}]}],
            "tool_config": {"function_calling_config": {"mode": "ANY", "allowed_function_names": ["it"]}},
        }))
        .unwrap();
        assert_eq!((&*read.prompt, &*read.last_user, read.cap), ("beUSE it\n", "use it", Some(3)));
        assert!(matches!(read.format, Format::Schema(schema) if schema == json!({"type": "object"})));
        assert_eq!((read.tools.len(), read.choice), (1, ToolChoice::Named("it".into())));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for body in [
            json!({}),
            json!({"contents": []}),
            json!({"contents": [{"role": "assistant", "parts": []}]}),
            json!({"contents": {}, "generationConfig": {"maxOutputTokens": 0}}),
            json!({"contents": {}, "generationConfig": {"candidateCount": MAX_CANDIDATES + 1}}),
            json!({"contents": {}, "toolConfig": {"functionCallingConfig": {"mode": "SOME"}}}),
        ] {
            assert!(ask(body.clone()).is_err(), "{body}");
        }
        assert!(ask(json!({"contents": {}, "generationConfig": {"candidateCount": MAX_CANDIDATES}})).is_ok());
    }

    #[test]
    fn a_batch_is_as_large_as_the_limit_and_not_larger() {
        let request = json!({"content": {"parts": [{"text": "x"}]}, "outputDimensionality": 2});
        let batch = |count| embedded(json!({"requests": vec![request.clone(); count]}).as_object().unwrap(), true);
        assert_eq!(batch(MAX_TEXTS).unwrap()["embeddings"].as_array().unwrap().len(), MAX_TEXTS);
        assert!(batch(MAX_TEXTS + 1).is_err() && batch(0).is_err());
    }
}
