//! A request for a Gemini model, from anybody's conversation.
//!
//! In: a [`Conversation`] and a [`Target`]. Out: a body, and notes on what it says otherwise; or a refusal that names the field in
//! the caller's words. Must not know: paths (the model stands there), what comes back.

use super::contents::Contents;
use crate::dialect::Dialect;
use crate::dialect::bad_body::BadBody;
use crate::dialect::canonical::{
    Conversation, Effort, Field, Format, Notes, Target, Thinking, Tool, ToolChoice, ToolMode, Written,
};
use crate::json::{Raw, write};
use crate::names::GeminiGeneration as Generation;

/// Texts that end an answer, as many as the API takes.
pub const MAX_STOP: usize = 5;

/// Writes the whole request.
///
/// # Errors
/// The first field that the target cannot carry.
pub fn request(conversation: &Conversation<'_>, target: &Target<'_>) -> Result<Written, BadBody> {
    let mut notes = Notes::default();
    conversation.leave_out_extras(Dialect::Gemini, target, &mut notes)?;
    let generation = Generation::of(target.model);
    let mut asking = Asking { conversation, target, generation, notes };
    asking.refuse_what_is_impossible()?;
    let choice = asking.tool_choice()?;
    let sampling = asking.sampling()?;
    let thinking = asking.thinking()?;
    let cap = asking.cap();
    let mut notes = asking.notes;
    let mut outcome = Ok(());
    let mut body = Vec::with_capacity(4096);
    write::object(&mut body, |o| {
        o.array("contents", |list| {
            outcome = Contents::new(conversation, target, generation, &mut notes).write(list);
        });
        system(o, conversation);
        tools(o, conversation, choice);
        generation_config(o, conversation, cap, &sampling, thinking);
    });
    outcome.map(|()| Written { body, notes })
}

struct Asking<'c, 'a> {
    conversation: &'c Conversation<'a>,
    target: &'c Target<'c>,
    generation: Generation,
    notes: Notes,
}

/// Which functions may be called: Google's mode and the names it holds for.
type Choice<'c> = (&'static str, Option<&'c ToolChoice<'c>>);

/// How much to think, in the words of either generation.
#[derive(Clone, Copy)]
enum Amount {
    Level(&'static str),
    Budget(i64),
}

impl<'c, 'a> Asking<'c, 'a> {
    fn refuse(&self, field: Field, why: &str) -> BadBody {
        self.conversation.refuse(field, self.target, why)
    }

    fn drop_or_refuse(&mut self, field: Field, why: &str) -> Result<(), BadBody> {
        self.conversation.drop_or_refuse(field, self.target, &mut self.notes, why)
    }

    fn refuse_what_is_impossible(&mut self) -> Result<(), BadBody> {
        let Conversation { choices, tools, format, stop, .. } = self.conversation;
        let able = &self.target.able;
        let shaped = matches!(format, Some(Format::JsonObject | Format::Schema { .. }));
        if *choices > 1 {
            return Err(self.refuse(Field::Choices, "is asked for one answer at a time"));
        }
        if !tools.is_empty() && able.tools == Some(false) {
            return Err(self.refuse(Field::Tools, "calls no functions"));
        }
        if matches!(format, Some(Format::Schema { .. })) && able.json_schema == Some(false) {
            return Err(self.refuse(Field::Format, "cannot be held to a schema"));
        }
        if shaped && !tools.is_empty() && !self.generation.signs() {
            return Err(self.refuse(Field::Format, "takes no functions beside a shape of its answer"));
        }
        if stop.len() > MAX_STOP {
            return Err(self.refuse(Field::Stop, &format!("takes at most {MAX_STOP} texts that end an answer")));
        }
        if self.conversation.one_call && !tools.is_empty() {
            self.drop_or_refuse(Field::OneCall, "may always call several functions at once")?;
        }
        Ok(())
    }

    /// `None` says nothing, which is as the model likes.
    fn tool_choice(&mut self) -> Result<Option<Choice<'c>>, BadBody> {
        let conversation: &'c Conversation<'a> = self.conversation;
        if conversation.tools.is_empty() {
            return Ok(None);
        }
        let strict = conversation.tools.iter().any(|tool| tool.strict == Some(true));
        let asked = conversation.tool_choice.as_ref();
        let named = asked.filter(|choice| !choice.only.is_empty());
        let mode = asked.map_or(ToolMode::Auto, |choice| choice.mode);
        let forced = mode == ToolMode::Required && self.target.able.forced_tool_choice == Some(false);
        if forced && !self.target.lenient {
            return Err(self.refuse(Field::ToolChoice, "cannot be made to call a function"));
        }
        if forced {
            let name = Field::ToolChoice.of(conversation.from);
            self.notes.adapted.push(format!("{name} required->auto").into());
        }
        Ok(match mode {
            ToolMode::Required if !forced => Some(("ANY", named)),
            ToolMode::None => Some(("NONE", None)),
            // Constrained decoding, without having to call: what others mean by a strict function.
            _ if strict && self.generation.signs() || named.is_some() => Some(("VALIDATED", named)),
            _ => {
                if strict {
                    let name = Field::Tools.of(conversation.from);
                    self.notes.adapted.push(format!("{name}.strict true->none").into());
                }
                asked.map(|_| ("AUTO", None))
            }
        })
    }

    fn cap(&mut self) -> Option<u64> {
        let cap = self.target.cap(self.conversation.max_output)?;
        let most = self.target.model_max_output.unwrap_or(u64::MAX);
        if cap > most {
            let name = Field::MaxOutput.of(self.conversation.from);
            self.notes.adapted.push(format!("{name} {cap}->{most}").into());
        }
        Some(cap.min(most))
    }

    /// Names and values to write.
    fn sampling(&mut self) -> Result<Vec<(&'static str, &'c Raw<'a>)>, BadBody> {
        let conversation: &'c Conversation<'a> = self.conversation;
        let sampling = &conversation.sampling;
        let fixed = self.target.able.sampling_params == Some(false);
        let mut written = Vec::new();
        for (field, name, value) in [
            (Field::Temperature, "temperature", &sampling.temperature),
            (Field::TopP, "topP", &sampling.top_p),
            (Field::TopK, "topK", &sampling.top_k),
            (Field::PresencePenalty, "presencePenalty", &sampling.presence_penalty),
            (Field::FrequencyPenalty, "frequencyPenalty", &sampling.frequency_penalty),
            (Field::Seed, "seed", &sampling.seed),
        ] {
            let Some(value) = value else { continue };
            let usual = matches!(field, Field::Temperature | Field::TopP) && matches!(&*value.0, "1" | "1.0");
            let drawn = matches!(field, Field::Temperature | Field::TopP | Field::TopK);
            if !fixed || !drawn {
                written.push((name, value));
            } else if !usual {
                self.drop_or_refuse(field, "takes no sampling parameters")?;
            }
        }
        Ok(written)
    }

    /// Levels since Gemini 3, tokens before, by the table that Google publishes for its OpenAI-compatible API. A budget is taken
    /// by both.
    fn thinking(&mut self) -> Result<Option<Amount>, BadBody> {
        let Some(thinking) = self.conversation.thinking else { return Ok(None) };
        if self.target.able.reasoning == Some(false) {
            if thinking != Thinking::Effort(Effort::None) {
                self.drop_or_refuse(Field::Thinking, "does not think")?;
            }
            return Ok(None);
        }
        let effort = match (thinking, self.generation.signs()) {
            (Thinking::Adaptive, true) => return Ok(None),
            (Thinking::Adaptive, false) => return Ok(Some(Amount::Budget(-1))),
            (Thinking::Budget(tokens), _) => {
                return Ok(Some(Amount::Budget(i64::try_from(tokens).unwrap_or(i64::MAX))));
            }
            (Thinking::Effort(effort), true) => {
                let (level, exact) = level(effort);
                if !exact {
                    self.adapted_effort(effort, level);
                }
                return Ok(Some(Amount::Level(level)));
            }
            (Thinking::Effort(effort), false) => effort,
        };
        let tokens = match effort {
            Effort::None => 0,
            Effort::Minimal | Effort::Low => 1024,
            Effort::Medium => 8192,
            Effort::High | Effort::XHigh | Effort::Max => 24_576,
        };
        if effort != Effort::None {
            self.adapted_effort(effort, &format!("{tokens} tokens"));
        }
        Ok(Some(Amount::Budget(tokens)))
    }

    fn adapted_effort(&mut self, effort: Effort, to: &str) {
        let name = Field::Thinking.of(self.conversation.from);
        self.notes.adapted.push(format!("{name} {}->{to}", effort.word()).into());
    }
}

/// Google's level, and whether it says the same.
const fn level(effort: Effort) -> (&'static str, bool) {
    match effort {
        Effort::None => ("MINIMAL", false),
        Effort::Minimal => ("MINIMAL", true),
        Effort::Low => ("LOW", true),
        Effort::Medium => ("MEDIUM", true),
        Effort::High => ("HIGH", true),
        Effort::XHigh => ("XHIGH", true),
        Effort::Max => ("XHIGH", false),
    }
}

/// One text, a blank line between what were several.
fn system(o: &mut write::Object<'_>, conversation: &Conversation<'_>) {
    let texts = || conversation.system.iter().filter_map(super::contents::words).filter(|text| !text.is_empty());
    if texts().next().is_none() {
        return;
    }
    o.object("systemInstruction", |o| {
        o.array("parts", |list| {
            list.object(|o| {
                let out = o.member("text");
                out.push(b'"');
                for (place, text) in texts().enumerate() {
                    out.extend_from_slice(if place == 0 { b"" } else { b"\\n\\n" });
                    out.extend_from_slice(text.written().as_bytes());
                }
                out.push(b'"');
            });
        });
    });
}

fn tools(o: &mut write::Object<'_>, conversation: &Conversation<'_>, choice: Option<Choice<'_>>) {
    if conversation.tools.is_empty() {
        return;
    }
    o.array("tools", |list| {
        list.object(|o| {
            o.array("functionDeclarations", |list| {
                for tool in &conversation.tools {
                    list.object(|o| function(o, tool));
                }
            });
        });
    });
    let Some((mode, named)) = choice else { return };
    o.object("toolConfig", |o| {
        o.object("functionCallingConfig", |o| {
            o.text("mode", mode);
            if let Some(choice) = named {
                o.array("allowedFunctionNames", |list| choice.only.iter().for_each(|name| list.quoted(name)));
            }
        });
    });
}

fn function(o: &mut write::Object<'_>, tool: &Tool<'_>) {
    o.quoted("name", &tool.name);
    if let Some(description) = &tool.description {
        o.quoted("description", description);
    }
    if let Some(schema) = &tool.schema {
        o.raw("parametersJsonSchema", schema);
    }
}

fn generation_config(
    o: &mut write::Object<'_>,
    conversation: &Conversation<'_>,
    cap: Option<u64>,
    sampling: &[(&str, &Raw<'_>)],
    thinking: Option<Amount>,
) {
    let stop = &conversation.stop;
    let shape = conversation.format.as_ref().filter(|format| **format != Format::Text);
    if cap.is_none() && stop.is_empty() && shape.is_none() && sampling.is_empty() && thinking.is_none() {
        return;
    }
    o.object("generationConfig", |o| {
        if let Some(cap) = cap {
            o.number(super::OUTPUT_CAP, cap);
        }
        for (name, value) in sampling {
            o.raw(name, value);
        }
        if !stop.is_empty() {
            o.array("stopSequences", |list| stop.iter().for_each(|text| list.quoted(text)));
        }
        if let Some(shape) = shape {
            o.text("responseMimeType", "application/json");
            if let Format::Schema { schema, .. } = shape {
                o.raw("responseJsonSchema", schema);
            }
        }
        if let Some(amount) = thinking {
            o.object("thinkingConfig", |o| match amount {
                Amount::Level(level) => o.text("thinkingLevel", level),
                Amount::Budget(tokens) => o.raw("thinkingBudget", &Raw(tokens.to_string().into())),
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Capabilities;
    use crate::dialect::canonical::{
        Block, Extra, Fate, Media, MediaKind, Part, Role, Source, ToolCall, ToolResult, Turn,
    };
    use crate::json::Quoted;

    const NEW: Target<'static> = Target {
        model: "gemini-3.8-flash",
        max_output: None,
        model_max_output: None,
        able: Capabilities::NONE,
        output_cap: "max_tokens",
        lenient: false,
    };
    const OLD: Target<'static> = Target { model: "gemini-2.5-flash", ..NEW };

    fn turn(at: usize, role: Role, parts: Vec<Part<'static>>) -> Turn<'static> {
        Turn { role, blocks: parts.into_iter().map(Block::from).collect(), at }
    }

    fn text(words: &'static str) -> Part<'static> {
        Part::Text(Quoted::of(words))
    }

    fn call(id: &'static str) -> Part<'static> {
        Part::Call(ToolCall { id: Quoted::of(id), name: Quoted::of("f"), arguments: Raw("{}".into()) })
    }

    fn result(id: &'static str, parts: Vec<Part<'static>>, json: Option<&'static str>, error: bool) -> Part<'static> {
        Part::Result(ToolResult {
            id: Quoted::of(id),
            name: None,
            parts,
            json: json.map(|json| Raw(json.into())),
            error,
        })
    }

    fn talk(turns: Vec<Turn<'static>>) -> Conversation<'static> {
        Conversation { turns, ..Conversation::empty(Dialect::Chat) }
    }

    fn hi() -> Conversation<'static> {
        talk(vec![turn(0, Role::User, vec![text("hi")])])
    }

    fn written(conversation: &Conversation<'_>, target: &Target<'_>) -> String {
        String::from_utf8(request(conversation, target).unwrap().body).unwrap()
    }

    fn refused(conversation: &Conversation<'_>, target: &Target<'_>) -> String {
        request(conversation, target).unwrap_err().message
    }

    #[test]
    fn neighbors_become_one_content_and_results_come_first() {
        let conversation = talk(vec![
            turn(0, Role::User, vec![text("a")]),
            turn(1, Role::User, vec![text("b")]),
            turn(2, Role::Assistant, vec![Part::Thinking(Quoted::of("hm")), text("")]),
            turn(3, Role::User, vec![text("c")]),
            turn(4, Role::Assistant, vec![call("x"), call("y")]),
            turn(5, Role::User, vec![text("d"), result("y", vec![text("1"), text("2")], None, false)]),
            turn(6, Role::User, vec![result("x", vec![], Some(r#"{"k": 1}"#), false)]),
        ]);
        let out = request(&conversation, &NEW).unwrap();
        assert_eq!(out.notes.dropped, ["reasoning"]);
        assert_eq!(
            String::from_utf8(out.body).unwrap(),
            concat!(
                r#"{"contents":[{"parts":[{"text":"a"},{"text":"b"},{"text":"c"}],"role":"user"},"#,
                r#"{"parts":[{"functionCall":{"id":"x","name":"f","args":{}},"thoughtSignature":"skip_thought_signature_validator"},"#,
                r#"{"functionCall":{"id":"y","name":"f","args":{}}}],"role":"model"},"#,
                r#"{"parts":[{"functionResponse":{"id":"y","name":"f","response":{"result":"1\n\n2"}}},"#,
                r#"{"functionResponse":{"id":"x","name":"f","response":{"k": 1}}},{"text":"d"}],"role":"user"}]}"#
            )
        );
        assert!(!written(&conversation, &OLD).contains("thoughtSignature"));
    }

    #[test]
    fn failures_and_values_are_wrapped() {
        for (part, wanted) in [
            (result("x", vec![text("no")], None, true), r#""response":{"error":"no"}"#),
            (result("x", vec![], Some("{\"a\":1}"), true), r#""response":{"error":{"a":1}}"#),
            (result("x", vec![], Some("[1, 2]"), false), r#""response":{"result":[1,2]}"#),
            (result("x", vec![], None, false), r#""response":{"result":""}"#),
        ] {
            let conversation = talk(vec![
                turn(0, Role::User, vec![text("a")]),
                turn(1, Role::Assistant, vec![call("x")]),
                turn(2, Role::User, vec![part]),
            ]);
            assert!(written(&conversation, &NEW).contains(wanted), "{wanted}");
        }
    }

    #[test]
    fn histories_that_google_refuses_are_refused_with_their_place() {
        let user = || turn(0, Role::User, vec![text("a")]);
        let url = |url| {
            Part::Media(Media {
                kind: MediaKind::Image,
                source: Source::Url(Quoted::of(url)),
                name: None,
                detail: None,
            })
        };
        for (turns, wanted) in [
            (vec![user(), turn(1, Role::Assistant, vec![text("b")])], "'messages[1]'"),
            (vec![user(), turn(1, Role::System, vec![text("b")])], "instructions only before"),
            (vec![user(), turn(1, Role::User, vec![text("")])], "no empty messages"),
            (
                vec![user(), turn(1, Role::User, vec![result("x", vec![], None, false)])],
                "right after the function call",
            ),
            (
                vec![
                    user(),
                    turn(1, Role::Assistant, vec![call("x"), call("y")]),
                    turn(2, Role::User, vec![result("x", vec![], None, false)]),
                ],
                "needs a result for every function call",
            ),
            (vec![turn(0, Role::User, vec![url("https://example.org/a.png")])], "not by URL"),
        ] {
            let message = refused(&talk(turns), &NEW);
            assert!(message.contains(wanted), "{message}");
        }
        let tube = talk(vec![turn(0, Role::User, vec![url("https://youtu.be/x")])]);
        assert!(written(&tube, &NEW).contains(r#"{"fileData":{"fileUri":"https://youtu.be/x"}}"#));
    }

    #[test]
    fn the_amount_of_thinking_is_said_in_each_generations_words() {
        for (thinking, target, wanted, note) in [
            (Thinking::Effort(Effort::Low), &NEW, r#""thinkingLevel":"LOW""#, None),
            (
                Thinking::Effort(Effort::None),
                &NEW,
                r#""thinkingLevel":"MINIMAL""#,
                Some("reasoning_effort none->MINIMAL"),
            ),
            (Thinking::Effort(Effort::Max), &NEW, r#""thinkingLevel":"XHIGH""#, Some("reasoning_effort max->XHIGH")),
            (Thinking::Effort(Effort::None), &OLD, r#""thinkingBudget":0"#, None),
            (
                Thinking::Effort(Effort::Medium),
                &OLD,
                r#""thinkingBudget":8192"#,
                Some("reasoning_effort medium->8192 tokens"),
            ),
            (Thinking::Budget(77), &NEW, r#""thinkingBudget":77"#, None),
            (Thinking::Adaptive, &OLD, r#""thinkingBudget":-1"#, None),
        ] {
            let conversation = Conversation { thinking: Some(thinking), ..hi() };
            let out = request(&conversation, target).unwrap();
            assert!(String::from_utf8(out.body).unwrap().contains(wanted), "{wanted}");
            assert_eq!(out.notes.adapted.first().map(|note| &**note), note);
        }
        let adaptive = Conversation { thinking: Some(Thinking::Adaptive), ..hi() };
        assert!(!written(&adaptive, &NEW).contains("thinking"));
    }

    #[test]
    fn functions_are_chosen_in_googles_modes() {
        let tool = |strict| Tool { name: Quoted::of("f"), description: None, schema: None, strict, cache: None };
        let only = || vec![Quoted::of("f")];
        for (choice, strict, wanted) in [
            (None, None, ""),
            (None, Some(true), r#""toolConfig":{"functionCallingConfig":{"mode":"VALIDATED"}}"#),
            (Some((ToolMode::Auto, vec![])), None, r#"{"mode":"AUTO"}"#),
            (Some((ToolMode::Auto, only())), None, r#"{"mode":"VALIDATED","allowedFunctionNames":["f"]}"#),
            (Some((ToolMode::Required, vec![])), Some(true), r#"{"mode":"ANY"}"#),
            (Some((ToolMode::Required, only())), None, r#"{"mode":"ANY","allowedFunctionNames":["f"]}"#),
            (Some((ToolMode::None, vec![])), None, r#"{"mode":"NONE"}"#),
        ] {
            let tool_choice = choice.map(|(mode, only)| ToolChoice { mode, only });
            let conversation = Conversation { tools: vec![tool(strict)], tool_choice, ..hi() };
            let out = written(&conversation, &NEW);
            assert!(out.contains(wanted) && out.contains("toolConfig") != wanted.is_empty(), "{out}");
        }
        let strict = Conversation { tools: vec![tool(Some(true))], ..hi() };
        assert_eq!(request(&strict, &OLD).unwrap().notes.adapted, ["tools.strict true->none"]);
        let unforced = Capabilities { forced_tool_choice: Some(false), ..Capabilities::NONE };
        let forced = ToolChoice { mode: ToolMode::Required, only: vec![] };
        let conversation = Conversation { tools: vec![tool(None)], tool_choice: Some(forced), ..hi() };
        assert!(refused(&conversation, &Target { able: unforced, ..NEW }).contains("'tool_choice'"));
        let lenient = request(&conversation, &Target { able: unforced, lenient: true, ..NEW }).unwrap();
        assert_eq!(lenient.notes.adapted, ["tool_choice required->auto"]);
    }

    #[test]
    fn what_cannot_be_said_is_refused_or_left_out() {
        let fixed = Capabilities { sampling_params: Some(false), ..Capabilities::NONE };
        let fixed = Target { able: fixed, ..NEW };
        let drawn = |temperature: &'static str| {
            let mut conversation = hi();
            conversation.sampling.temperature = Some(Raw(temperature.into()));
            conversation
        };
        assert!(written(&drawn("0.30"), &NEW).contains(r#""temperature":0.30"#));
        assert!(!written(&drawn("1"), &fixed).contains("temperature"));
        assert!(refused(&drawn("0.3"), &fixed).contains("'temperature'"));
        let lenient = request(&drawn("0.3"), &Target { lenient: true, ..fixed }).unwrap();
        assert_eq!(lenient.notes.dropped, ["temperature"]);
        assert!(refused(&Conversation { choices: 2, ..hi() }, &NEW).contains("'n'"));
        let stop = |count| Conversation { stop: vec![Quoted::of("x"); count], ..hi() };
        assert!(request(&stop(MAX_STOP), &NEW).is_ok());
        assert!(refused(&stop(MAX_STOP + 1), &NEW).contains("'stop'"));
        let extra = |fate| Conversation { extras: vec![Extra { param: "logit_bias".into(), fate }], ..hi() };
        assert!(refused(&extra(Fate::Refused), &Target { lenient: true, ..NEW }).contains("'logit_bias'"));
        assert!(request(&extra(Fate::Silent), &NEW).is_ok());
        let capped = Conversation { max_output: Some(9), ..hi() };
        assert!(written(&capped, &Target { max_output: Some(5), ..NEW }).contains(r#"{"maxOutputTokens":5}"#));
    }
}
