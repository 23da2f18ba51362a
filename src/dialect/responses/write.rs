//! A conversation as a Responses request.
//!
//! In: [`Conversation`] and whom it is written for. Out: a body, and what it does not say any more; or a refusal that names the
//! field. Must not know: who asked, except by the names of their fields.
//!
//! Nothing is kept at the provider (`"store": false`): the caller's own dialect has no way to ask for it back.

use super::items;
use crate::dialect::Dialect;
use crate::dialect::bad_body::BadBody;
use crate::dialect::canonical::{
    Conversation, Field, Format, Logprobs, Notes, Sampling, Target, Tool, ToolChoice, ToolMode, Written,
};
use crate::dialect::chat::fit;
use crate::dialect::chat::strict::Strict;
use crate::json::write::{Object, escape, object};
use crate::json::{Quoted, Raw};

/// What stands for the name of a schema whose caller gave none: the API demands one.
const SCHEMA_NAME: &str = "answer";

/// Writes it.
///
/// # Errors
/// The refusal of what this API, or the model, cannot be told.
pub fn request(conversation: &Conversation<'_>, target: &Target<'_>) -> Result<Written, BadBody> {
    let mut notes = Notes::default();
    conversation.leave_out_extras(Dialect::Responses, target, &mut notes)?;
    if conversation.choices > 1 {
        return Err(conversation.refuse(Field::Choices, target, "gives one answer at a time"));
    }
    if !conversation.stop.is_empty() {
        return Err(conversation.refuse(Field::Stop, target, "takes no texts that end an answer"));
    }
    let strict = Strict::of(conversation, &mut notes);
    let mut writer = Writer { conversation, target, notes, strict };
    let sampling = writer.sampling()?;
    let effort = fit::effort(conversation, target, &mut writer.notes)?;
    let cap = fit::cap(conversation, target, &mut writer.notes);
    let choice = writer.choice()?;
    writer.able()?;
    let mut input = Vec::new();
    items::write_input(conversation, target, &mut writer.notes, &mut input)?;
    let mut body = Vec::with_capacity(input.len() + 512);
    object(&mut body, |o| {
        o.text("model", target.model);
        writer.instructions(o);
        o.member("input").extend_from_slice(&input);
        writer.tools(o);
        if let Some(choice) = choice {
            write_choice(o, choice);
        }
        if conversation.one_call {
            o.boolean("parallel_tool_calls", false);
        }
        writer.text(o);
        if let Some(Logprobs { top, .. }) = &conversation.logprobs {
            o.array("include", |list| list.text("message.output_text.logprobs"));
            if let Some(top) = top {
                o.number("top_logprobs", *top);
            }
        }
        if let Some(effort) = effort {
            o.object("reasoning", |o| o.text("effort", effort.word()));
        }
        if let Some(cap) = cap {
            o.number("max_output_tokens", cap);
        }
        for (name, number) in sampling {
            o.raw(name, number);
        }
        if let Some(user) = &conversation.user {
            o.quoted("safety_identifier", user);
        }
        o.boolean("store", false);
        if conversation.stream {
            o.boolean("stream", true);
        }
    });
    Ok(Written { body, notes: writer.notes })
}

struct Writer<'c> {
    conversation: &'c Conversation<'c>,
    target: &'c Target<'c>,
    notes: Notes,
    strict: Strict,
}

type Numbers<'c> = Vec<(&'static str, &'c Raw<'c>)>;

impl<'c> Writer<'c> {
    /// What the catalog says that the model cannot do.
    fn able(&self) -> Result<(), BadBody> {
        let (conversation, target) = (self.conversation, self.target);
        if target.able.tools == Some(false) && !conversation.tools.is_empty() {
            return Err(conversation.refuse(Field::Tools, target, "calls no functions"));
        }
        let schema = matches!(conversation.format, Some(Format::Schema { .. }));
        if target.able.json_schema == Some(false) && schema {
            return Err(conversation.refuse(Field::Format, target, "does not hold its answer to a schema"));
        }
        Ok(())
    }

    fn sampling(&mut self) -> Result<Numbers<'c>, BadBody> {
        let Sampling { temperature, top_p, top_k, frequency_penalty, presence_penalty, seed } =
            &self.conversation.sampling;
        let absent = [
            (Field::TopK, top_k),
            (Field::FrequencyPenalty, frequency_penalty),
            (Field::PresencePenalty, presence_penalty),
            (Field::Seed, seed),
        ];
        for (field, number) in absent {
            // Zero penalty is none.
            let given = number.as_ref().filter(|number| field == Field::Seed || number.0.parse() != Ok(0.0));
            if given.is_some() {
                self.drop_or_refuse(field, "has no such setting in this API")?;
            }
        }
        let mut numbers = Vec::new();
        for (field, name, number) in [(Field::Temperature, "temperature", temperature), (Field::TopP, "top_p", top_p)] {
            let Some(number) = number else { continue };
            if self.target.able.sampling_params != Some(false) {
                numbers.push((name, number));
            } else if number.0.parse() != Ok(1.0) {
                self.drop_or_refuse(field, "takes only the default of 1")?;
            }
        }
        Ok(numbers)
    }

    fn drop_or_refuse(&mut self, field: Field, why: &str) -> Result<(), BadBody> {
        self.conversation.drop_or_refuse(field, self.target, &mut self.notes, why)
    }

    fn choice(&mut self) -> Result<Option<&'c ToolChoice<'c>>, BadBody> {
        let forced = fit::forced(self.conversation, self.target, &mut self.notes)?;
        let choice = self.conversation.tool_choice.as_ref();
        Ok(choice.filter(|choice| choice.mode != ToolMode::Required || forced))
    }

    /// A blank line between instructions that stood apart.
    fn instructions(&self, o: &mut Object<'_>) {
        if self.conversation.system.is_empty() {
            return;
        }
        let out = o.member("instructions");
        out.push(b'"');
        let mut first = true;
        for text in items::texts(&self.conversation.system).filter(|text| !text.is_empty()) {
            if !first {
                out.extend_from_slice(b"\\n\\n");
            }
            first = false;
            out.extend_from_slice(text.written().as_bytes());
        }
        out.push(b'"');
    }

    fn tools(&self, o: &mut Object<'_>) {
        if self.conversation.tools.is_empty() {
            return;
        }
        o.array("tools", |list| {
            let tools = self.conversation.tools.iter().zip(&self.strict.tools);
            for (Tool { name, description, schema, .. }, strict) in tools {
                list.object(|o| {
                    o.text("type", "function");
                    o.quoted("name", name);
                    if let Some(description) = description {
                        o.quoted("description", description);
                    }
                    match schema {
                        Some(schema) => o.raw("parameters", schema),
                        None => o.raw("parameters", &Raw(r#"{"type":"object","properties":{}}"#.into())),
                    }
                    // Here a function is strict unless it says otherwise; in other dialects it is the other way round.
                    o.boolean("strict", strict.unwrap_or(false));
                });
            }
        });
    }

    fn text(&self, o: &mut Object<'_>) {
        let Conversation { format, verbosity, .. } = self.conversation;
        if format.is_none() && verbosity.is_none() {
            return;
        }
        o.object("text", |o| {
            if let Some(format) = format {
                self.format(o, format);
            }
            if let Some(verbosity) = verbosity {
                o.quoted("verbosity", verbosity);
            }
        });
    }

    fn format(&self, o: &mut Object<'_>, format: &Format<'_>) {
        o.object("format", |o| match format {
            Format::Text => o.text("type", "text"),
            Format::JsonObject => o.text("type", "json_object"),
            Format::Schema { name, description, schema, .. } => {
                o.text("type", "json_schema");
                o.quoted("name", name.as_ref().unwrap_or(&Quoted::of(SCHEMA_NAME)));
                if let Some(description) = description {
                    o.quoted("description", description);
                }
                o.raw("schema", schema);
                if let Some(strict) = self.strict.format {
                    o.boolean("strict", strict);
                }
            }
        });
    }
}

fn write_choice(o: &mut Object<'_>, choice: &ToolChoice<'_>) {
    let mode = match choice.mode {
        ToolMode::Auto => "auto",
        ToolMode::Required => "required",
        ToolMode::None => "none",
    };
    match &choice.only[..] {
        [] => o.text("tool_choice", mode),
        _ if choice.mode == ToolMode::None => o.text("tool_choice", mode),
        [name] if choice.mode == ToolMode::Required => o.object("tool_choice", |o| {
            o.text("type", "function");
            o.quoted("name", name);
        }),
        several => o.object("tool_choice", |o| {
            o.text("type", "allowed_tools");
            o.text("mode", mode);
            o.array("tools", |list| {
                for name in several {
                    list.object(|o| {
                        o.text("type", "function");
                        o.quoted("name", name);
                    });
                }
            });
        }),
    }
}

/// JSON text as the inside of a JSON string.
pub(super) fn write_json_text(out: &mut Vec<u8>, json: &Raw<'_>) {
    out.push(b'"');
    escape(out, &json.0);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Capabilities;
    use crate::dialect::canonical::{Block, Part, Role, ToolCall, ToolResult, Turn};
    use crate::dialect::responses::read::conversation;

    fn target(lenient: bool) -> Target<'static> {
        Target {
            model: "gpt-5.4",
            max_output: None,
            model_max_output: None,
            able: Capabilities::NONE,
            output_cap: "max_completion_tokens",
            lenient,
        }
    }

    fn written(conversation: &Conversation<'_>) -> serde_json::Value {
        serde_json::from_slice(&request(conversation, &target(false)).unwrap().body).unwrap()
    }

    #[test]
    fn there_and_back_is_the_same() {
        let body = br#"{"model":"gpt-5.4","instructions":"A\n\nB","input":[
            {"role":"user","content":"q \u00e9"},
            {"role":"user","content":[{"type":"input_text","text":"look"},
                {"type":"input_image","image_url":"data:image/png;base64,AA==","detail":"low"},
                {"type":"input_image","image_url":"https://x/y.png","detail":"auto"},
                {"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,AAAA"}]},
            {"role":"assistant","content":"t"},
            {"type":"function_call","call_id":"c1","name":"f","arguments":"{ \"a\": 1 }"},
            {"type":"function_call_output","call_id":"c1","output":"1"}],
            "tools":[{"type":"function","name":"f","description":"d","parameters":{"type":"object"},"strict":true}],
            "tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"}]},
            "parallel_tool_calls":false,"text":{"format":{"type":"json_schema","name":"n","schema":{},"strict":true}},
            "reasoning":{"effort":"low"},"max_output_tokens":100,"temperature":0.70,"top_p":1,"safety_identifier":"u",
            "store":false,"stream":true}"#;
        let first = conversation(body).unwrap();
        let again = request(&first, &target(false)).unwrap().body;
        let value = |body: &[u8]| serde_json::from_slice::<serde_json::Value>(body).unwrap();
        assert_eq!(value(&again), value(body));
        assert_eq!(conversation(&again).unwrap(), first);
    }

    #[test]
    fn what_this_api_cannot_be_told_is_refused_by_its_callers_name() {
        let with = |change: fn(&mut Conversation<'_>)| {
            let mut conversation = Conversation::empty(Dialect::Chat);
            change(&mut conversation);
            let strict = request(&conversation, &target(false)).unwrap_err().param.unwrap();
            (strict, request(&conversation, &target(true)).map(|written| written.notes.dropped.concat()).ok())
        };
        assert_eq!(with(|c| c.stop.push(Quoted::of("x"))), ("stop".into(), None));
        assert_eq!(with(|c| c.choices = 2), ("n".into(), None));
        assert_eq!(with(|c| c.sampling.seed = Some(Raw("7".into()))), ("seed".into(), Some("seed".into())));
        let begun = |from| {
            let mut conversation = Conversation::empty(from);
            let blocks = vec![Part::Text(Quoted::of("I")).into()];
            conversation.turns.push(Turn { role: Role::Assistant, blocks, at: 4 });
            let strict = request(&conversation, &target(false)).err().and_then(|bad| bad.param);
            (strict, request(&conversation, &target(true)).unwrap().notes.adapted.concat())
        };
        let wanted = (Some("messages[4]".to_owned()), "messages[4] prefill->history".to_owned());
        assert_eq!(begun(Dialect::Messages), wanted);
        assert_eq!(begun(Dialect::Chat), (None, String::new()));
    }

    fn history(id: &'static str, name: Option<&'static str>, times: usize) -> Conversation<'static> {
        let mut conversation = Conversation::empty(Dialect::Gemini);
        for at in 0..times {
            let call = ToolCall { id: Quoted::of(id), name: Quoted::of("f"), arguments: Raw("{}".into()) };
            let result = ToolResult {
                id: Quoted::of(id),
                name: name.map(Quoted::of),
                parts: Vec::new(),
                json: Some(Raw("{\"a\": \"b\"}".into())),
                error: false,
            };
            let turn = |role, part| Turn { role, blocks: vec![Block::from(part)], at: 2 * at };
            conversation.turns.push(turn(Role::Assistant, Part::Call(call)));
            conversation.turns.push(turn(Role::User, Part::Result(result)));
        }
        conversation
    }

    #[test]
    fn calls_without_ids_get_some_that_pair() {
        let value = written(&history("", Some("f"), 2));
        let ids: Vec<_> = (0..4).map(|at| value["input"][at]["call_id"].as_str().unwrap()).collect();
        assert_eq!(ids, ["call_1", "call_1", "call_2", "call_2"]);
        assert_eq!(value["input"][1]["output"], "{\"a\": \"b\"}");
    }

    #[test]
    fn ids_are_shortened_where_they_are_too_long() {
        let long: &'static str = Box::leak("i".repeat(items::MAX_CALL_ID + 1).into_boxed_str());
        let exact = &long[1..];
        assert_eq!(written(&history(exact, None, 1))["input"][0]["call_id"], exact);
        let value = written(&history(long, None, 1));
        let id = value["input"][0]["call_id"].as_str().unwrap();
        assert!(id.starts_with("call_") && id.len() <= items::MAX_CALL_ID, "{id}");
        assert_eq!(value["input"][1]["call_id"], id);
    }

    #[test]
    fn results_and_calls_must_pair() {
        let mut lonely = history("a", None, 1);
        lonely.turns.remove(0);
        assert_eq!(request(&lonely, &target(true)).unwrap_err().param.as_deref(), Some("contents[0]"));
        let mut open = history("a", None, 1);
        open.turns.pop();
        assert_eq!(request(&open, &target(true)).unwrap_err().param.as_deref(), Some("contents[0]"));
    }
}
