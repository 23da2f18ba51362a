//! A conversation as a Chat Completions request.
//!
//! In: a conversation and its target. Out: a body and what it does not say. Must not know: who asked.

use super::fit::{Fit, fit};
use super::history;
use crate::dialect::bad_body::BadBody;
use crate::dialect::canonical::{Conversation, Format, Logprobs, Notes, Target, Tool, ToolChoice, ToolMode, Written};
use crate::json::Raw;
use crate::json::write::{self, Object};

/// The name of a schema that has none; the API wants one.
const UNNAMED: &str = "answer";
/// Room for everything but text.
const USUAL_BODY: usize = 4 * 1024;

/// Writes the request.
///
/// # Errors
/// [`BadBody`] for what the target cannot be asked for, with the field as its caller wrote it.
pub fn request(conversation: &Conversation<'_>, target: &Target<'_>) -> Result<Written, BadBody> {
    let mut notes = Notes::default();
    let fit = fit(conversation, target, &mut notes)?;
    let mut body = Vec::with_capacity(USUAL_BODY);
    write::object(&mut body, |out| {
        out.text("model", target.model);
        out.array("messages", |list| history::messages(list, conversation));
        tools(out, conversation, &fit);
        if let Some(format) = &conversation.format {
            shape(out, format, fit.strict.format);
        }
        if let Some(cap) = fit.cap {
            out.number(target.output_cap, cap);
        }
        sampling(out, conversation, &fit);
        match conversation.stop.as_slice() {
            [] => {}
            [one] => out.quoted("stop", one),
            several => out.array("stop", |list| several.iter().for_each(|stop| list.quoted(stop))),
        }
        if conversation.choices > 1 {
            out.number("n", conversation.choices);
        }
        if let Some(effort) = fit.effort {
            out.text("reasoning_effort", effort.word());
        }
        if let Some(verbosity) = &conversation.verbosity {
            out.quoted("verbosity", verbosity);
        }
        if let Some(Logprobs { top, .. }) = &conversation.logprobs {
            out.boolean("logprobs", true);
            if let Some(top) = top {
                out.number("top_logprobs", *top);
            }
        }
        if let Some(user) = &conversation.user {
            out.quoted("user", user);
        }
        if conversation.stream {
            out.boolean("stream", true);
            // Always: the account needs it, whoever asked.
            out.object("stream_options", |options| options.boolean("include_usage", true));
        }
    });
    Ok(Written { body, notes })
}

fn tools(out: &mut Object<'_>, conversation: &Conversation<'_>, fit: &Fit) {
    if conversation.tools.is_empty() {
        return;
    }
    out.array("tools", |list| {
        for (tool, strict) in conversation.tools.iter().zip(&fit.strict.tools) {
            list.object(|out| {
                out.text("type", "function");
                out.object("function", |out| function(out, tool, *strict));
            });
        }
    });
    if let Some(choice) = &conversation.tool_choice {
        chosen(out, choice, fit);
    }
    if conversation.one_call {
        out.boolean("parallel_tool_calls", false);
    }
}

fn function(out: &mut Object<'_>, tool: &Tool<'_>, strict: Option<bool>) {
    out.quoted("name", &tool.name);
    if let Some(description) = &tool.description {
        out.quoted("description", description);
    }
    if let Some(schema) = &tool.schema {
        out.raw("parameters", schema);
    }
    if let Some(strict) = strict {
        out.boolean("strict", strict);
    }
}

fn chosen(out: &mut Object<'_>, choice: &ToolChoice<'_>, fit: &Fit) {
    let word = match choice.mode {
        ToolMode::Auto => "auto",
        ToolMode::Required if fit.forced => "required",
        ToolMode::Required => "auto",
        ToolMode::None => "none",
    };
    match (choice.only.as_slice(), word) {
        ([], word) => out.text("tool_choice", word),
        ([one], "required") => out.object("tool_choice", |out| {
            out.text("type", "function");
            out.object("function", |out| out.quoted("name", one));
        }),
        (_, "none") => out.text("tool_choice", "none"),
        (several, mode) => out.object("tool_choice", |out| {
            out.text("type", "allowed_tools");
            out.object("allowed_tools", |out| {
                out.text("mode", mode);
                out.array("tools", |list| {
                    for name in several {
                        list.object(|out| {
                            out.text("type", "function");
                            out.object("function", |out| out.quoted("name", name));
                        });
                    }
                });
            });
        }),
    }
}

fn shape(out: &mut Object<'_>, format: &Format<'_>, strict: Option<bool>) {
    match format {
        // What a model does anyway.
        Format::Text => {}
        Format::JsonObject => out.object("response_format", |out| out.text("type", "json_object")),
        Format::Schema { name, description, schema, .. } => out.object("response_format", |out| {
            out.text("type", "json_schema");
            out.object("json_schema", |out| {
                match name {
                    Some(name) => out.quoted("name", name),
                    None => out.text("name", UNNAMED),
                }
                if let Some(description) = description {
                    out.quoted("description", description);
                }
                out.raw("schema", schema);
                if let Some(strict) = strict {
                    out.boolean("strict", strict);
                }
            });
        }),
    }
}

fn sampling(out: &mut Object<'_>, conversation: &Conversation<'_>, fit: &Fit) {
    let sampling = &conversation.sampling;
    let drawn: [(&str, &Option<Raw<'_>>); 4] = [
        ("temperature", &sampling.temperature),
        ("top_p", &sampling.top_p),
        ("frequency_penalty", &sampling.frequency_penalty),
        ("presence_penalty", &sampling.presence_penalty),
    ];
    for (name, value) in drawn.into_iter().filter(|_| fit.sampling) {
        if let Some(value) = value {
            out.raw(name, value);
        }
    }
    if let Some(seed) = &sampling.seed {
        out.raw("seed", seed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Capabilities;
    use crate::dialect::Dialect;
    use crate::dialect::canonical::{
        Block, Media, MediaKind, Part, Role, Source, Thinking, ToolCall, ToolResult, Turn,
    };
    use crate::json::Quoted;

    const TARGET: Target<'_> = Target {
        model: "m",
        max_output: None,
        model_max_output: Some(100),
        able: Capabilities::NONE,
        output_cap: "max_completion_tokens",
        lenient: false,
    };

    fn said(from: Dialect, turns: Vec<(Role, Vec<Part<'static>>)>) -> Conversation<'static> {
        let blocks = |parts: Vec<Part<'static>>| parts.into_iter().map(Block::from).collect();
        let turn = |(at, (role, parts))| Turn { role, blocks: blocks(parts), at };
        Conversation { turns: turns.into_iter().enumerate().map(turn).collect(), ..Conversation::empty(from) }
    }

    fn text(words: &'static str) -> Part<'static> {
        Part::Text(Quoted::of(words))
    }

    fn call(id: &'static str, name: &'static str) -> Part<'static> {
        Part::Call(ToolCall { id: Quoted::of(id), name: Quoted::of(name), arguments: Raw("{\"a\": 1}".into()) })
    }

    fn result(id: &'static str, name: Option<&'static str>, parts: Vec<Part<'static>>) -> Part<'static> {
        let name = name.map(Quoted::of);
        Part::Result(ToolResult { id: Quoted::of(id), name, parts, json: None, error: false })
    }

    fn messages(conversation: &Conversation<'_>, target: &Target<'_>) -> String {
        let body = String::from_utf8(request(conversation, target).unwrap().body).unwrap();
        let value: serde_json::Value = serde_json::from_str(&body).unwrap();
        value["messages"].to_string()
    }

    #[test]
    fn results_come_first_and_calls_without_ids_get_the_same_ones() {
        let conversation = said(
            Dialect::Gemini,
            vec![
                (Role::Assistant, vec![text("a"), call("", "f"), call("", "g"), text("b")]),
                (
                    Role::User,
                    vec![
                        text("and?"),
                        result("", Some("g"), vec![text("1"), text("2")]),
                        result("", Some("f"), vec![]),
                    ],
                ),
            ],
        );
        assert_eq!(
            messages(&conversation, &TARGET),
            r#"[{"content":"ab","role":"assistant","tool_calls":[{"function":{"arguments":"{\"a\": 1}","name":"f"},"id":"call_1","type":"function"},{"function":{"arguments":"{\"a\": 1}","name":"g"},"id":"call_2","type":"function"}]},{"content":"1\n\n2","role":"tool","tool_call_id":"call_2"},{"content":"","role":"tool","tool_call_id":"call_1"},{"content":"and?","role":"user"}]"#
        );
    }

    #[test]
    fn an_image_that_a_tool_returned_moves_only_where_that_is_allowed() {
        let image = Media {
            kind: MediaKind::Image,
            source: Source::Inline { mime: "image/png".into(), data: Quoted::of("AA==") },
            name: None,
            detail: None,
        };
        let parts = vec![result("a", None, vec![text("see"), Part::Media(image)])];
        let conversation = said(Dialect::Messages, vec![(Role::Assistant, vec![call("a", "f")]), (Role::User, parts)]);
        assert_eq!(request(&conversation, &TARGET).unwrap_err().param.as_deref(), Some("messages[1]"));
        let lenient = Target { lenient: true, ..TARGET };
        assert!(messages(&conversation, &lenient).ends_with(
            r#"{"content":"see","role":"tool","tool_call_id":"a"},{"content":[{"image_url":{"url":"data:image/png;base64,AA=="},"type":"image_url"}],"role":"user"}]"#
        ));
        assert_eq!(request(&conversation, &lenient).unwrap().notes.adapted, ["media of tool results->user message"]);
    }

    #[test]
    fn an_answer_that_has_begun_is_not_taken_for_history_unasked() {
        let turns = || vec![(Role::User, vec![text("x")]), (Role::Assistant, vec![text("{")])];
        assert!(request(&said(Dialect::Messages, turns()), &TARGET).is_err());
        assert!(request(&said(Dialect::Responses, turns()), &TARGET).is_ok());
        let lenient = Target { lenient: true, ..TARGET };
        let written = request(&said(Dialect::Messages, turns()), &lenient).unwrap();
        assert_eq!(written.notes.adapted, ["messages[1] prefill->history"]);
    }

    #[test]
    fn numbers_fit_the_model_and_what_changed_is_said() {
        let mut conversation =
            said(Dialect::Messages, vec![(Role::User, vec![Part::Thinking(Quoted::of("hm")), text("x")])]);
        conversation.max_output = Some(101);
        conversation.thinking = Some(Thinking::Budget(super::super::fit::LOW_BUDGET + 1));
        let written = request(&conversation, &TARGET).unwrap();
        assert_eq!(written.notes.adapted, ["max_tokens 101->100", "thinking 2049->medium"]);
        assert_eq!(written.notes.dropped, ["reasoning"]);
        conversation.max_output = Some(100);
        conversation.thinking = Some(Thinking::Budget(super::super::fit::LOW_BUDGET));
        let written = request(&conversation, &TARGET).unwrap();
        assert_eq!(written.notes.adapted, ["thinking 2048->low"]);
        assert!(
            String::from_utf8(written.body)
                .unwrap()
                .contains(r#""max_completion_tokens":100,"reasoning_effort":"low""#)
        );
    }

    #[test]
    fn a_model_that_draws_in_one_way_takes_the_usual_numbers_only() {
        let able = Capabilities { sampling_params: Some(false), ..Capabilities::NONE };
        let target = Target { able, ..TARGET };
        let mut conversation = said(Dialect::Messages, vec![(Role::User, vec![text("x")])]);
        conversation.sampling.temperature = Some(Raw("1.0".into()));
        assert!(!String::from_utf8(request(&conversation, &target).unwrap().body).unwrap().contains("temperature"));
        conversation.sampling.temperature = Some(Raw("0.5".into()));
        assert_eq!(request(&conversation, &target).unwrap_err().param.as_deref(), Some("temperature"));
        let lenient = Target { lenient: true, ..target };
        assert_eq!(request(&conversation, &lenient).unwrap().notes.dropped, ["temperature"]);
    }

    #[test]
    fn so_many_stop_texts_fit_and_not_one_more() {
        let mut conversation = said(Dialect::Messages, vec![(Role::User, vec![text("x")])]);
        conversation.stop = vec![Quoted::of("s"); super::super::fit::MAX_STOP];
        assert!(request(&conversation, &TARGET).is_ok());
        conversation.stop.push(Quoted::of("s"));
        assert_eq!(request(&conversation, &TARGET).unwrap_err().param.as_deref(), Some("stop_sequences"));
    }
}
