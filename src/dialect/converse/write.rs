//! A request for Converse.
//!
//! In: a [`Conversation`], for whom it is. Out: its body, and what it could not carry. Must not know: how it is sent; whether the
//! answer is a stream is in the path.

use super::settings::Settings;
use super::tools::Tools;
use super::turns::Turns;
use crate::dialect::Dialect;
use crate::dialect::bad_body::BadBody;
use crate::dialect::canonical::{Conversation, Field, Notes, Target, Written};
use crate::json::write;

/// What a body has beside its texts, about.
const FRAME: usize = 1024;

/// Writes the body.
///
/// # Errors
/// The refusal of what the target cannot carry.
pub fn request(conversation: &Conversation<'_>, target: &Target<'_>) -> Result<Written, BadBody> {
    let mut notes = Notes::default();
    conversation.leave_out_extras(Dialect::Converse, target, &mut notes)?;
    if conversation.choices > 1 {
        return Err(conversation.refuse(Field::Choices, target, "gives one answer to a request"));
    }
    let settings = Settings::of(conversation, target, &mut notes)?;
    let tools = Tools::of(conversation, target, &mut notes)?;
    let mut body = Vec::with_capacity(FRAME);
    let mut outcome = Ok(());
    write::object(&mut body, |o| {
        outcome = Turns::of(conversation, target, &mut notes).write(o);
        settings.write(o);
        tools.write(o);
    });
    outcome.map(|()| Written { body, notes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Capabilities;
    use crate::dialect::canonical::{
        Block, CacheMark, Effort, Format, Media, MediaKind, Part, Role, Source, Thinking, Tool, ToolCall, ToolChoice,
        ToolMode, ToolResult, Turn,
    };
    use crate::json::{Quoted, Raw};
    use serde_json::{Value, json};

    const CLAUDE: &str = "anthropic.claude-haiku-5-5";

    fn target(model: &str) -> Target<'_> {
        let able = Capabilities { prompt_caching: Some(true), ..Capabilities::NONE };
        Target { model, max_output: None, model_max_output: None, able, output_cap: "max_tokens", lenient: false }
    }

    fn turn(role: Role, at: usize, parts: Vec<Part<'static>>) -> Turn<'static> {
        Turn { role, at, blocks: parts.into_iter().map(Block::from).collect() }
    }

    fn text(text: &'static str) -> Part<'static> {
        Part::Text(Quoted::of(text))
    }

    fn call(id: &'static str) -> Part<'static> {
        Part::Call(ToolCall { id: Quoted::of(id), name: Quoted::of("f"), arguments: Raw("{\"a\": 1}".into()) })
    }

    fn result(id: &'static str, json: Option<&'static str>, error: bool) -> Part<'static> {
        let json = json.map(|json| Raw(json.into()));
        Part::Result(ToolResult { id: Quoted::of(id), name: None, parts: vec![text("r")], json, error })
    }

    fn tool(name: &'static str) -> Tool<'static> {
        Tool { name: Quoted::of(name), description: None, schema: None, strict: None, cache: None }
    }

    fn asked() -> Conversation<'static> {
        let mut conversation = Conversation::empty(Dialect::Chat);
        conversation.turns = vec![turn(Role::User, 0, vec![text("hi")])];
        conversation
    }

    fn body(conversation: &Conversation<'_>, target: &Target<'_>) -> Value {
        serde_json::from_slice(&request(conversation, target).unwrap().body).unwrap()
    }

    fn refusal(conversation: &Conversation<'_>, target: &Target<'_>) -> (String, String) {
        let bad = request(conversation, target).unwrap_err();
        (bad.param.unwrap_or_default(), bad.message)
    }

    #[test]
    fn roles_alternate_results_come_first_and_nothing_is_empty() {
        let mut conversation = asked();
        conversation.system = vec![text("one").into(), text("").into(), text("two").into()];
        conversation.tools = vec![tool("f")];
        conversation.turns = vec![
            turn(Role::User, 1, vec![text(""), text("a")]),
            turn(Role::User, 2, vec![text("b")]),
            turn(Role::Assistant, 3, vec![Part::Thinking(Quoted::of("hm")), call("1"), call("2|2")]),
            turn(Role::User, 4, vec![text("and"), result("1", Some("[1]"), false)]),
            turn(Role::User, 5, vec![result("2|2", Some("{\"x\":1}"), true)]),
            turn(Role::Assistant, 6, vec![Part::Thinking(Quoted::of("hm"))]),
            turn(Role::User, 7, vec![text("c")]),
        ];
        let written = request(&conversation, &target(CLAUDE)).unwrap();
        assert_eq!(written.notes.dropped, ["reasoning"]);
        let body: Value = serde_json::from_slice(&written.body).unwrap();
        assert_eq!(body["system"], json!([{"text": "one\n\ntwo"}]));
        let replaced = body["messages"][1]["content"][1]["toolUse"]["toolUseId"].as_str().unwrap();
        assert!(replaced.starts_with("call_"));
        assert_eq!(
            body["messages"],
            json!([
                {"role": "user", "content": [{"text": "a"}, {"text": "b"}]},
                {"role": "assistant", "content": [
                    {"toolUse": {"toolUseId": "1", "name": "f", "input": {"a": 1}}},
                    {"toolUse": {"toolUseId": replaced, "name": "f", "input": {"a": 1}}},
                ]},
                {"role": "user", "content": [
                    {"toolResult": {"toolUseId": "1", "content": [{"text": "[1]"}, {"text": "r"}]}},
                    {"toolResult": {"toolUseId": replaced, "content": [{"json": {"x": 1}}, {"text": "r"}], "status": "error"}},
                    {"text": "and"}, {"text": "c"},
                ]},
            ])
        );
        assert_eq!(body["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"]["json"]["type"], "object");
    }

    #[test]
    fn what_the_first_and_the_last_may_be() {
        let mut conversation = asked();
        conversation.turns.insert(0, turn(Role::Assistant, 0, vec![text("hello")]));
        assert!(refusal(&conversation, &target(CLAUDE)).1.contains("must be spoken to before it speaks"));
        let mut conversation = asked();
        conversation.turns.push(turn(Role::Assistant, 1, vec![text("{")]));
        assert!(request(&conversation, &target(CLAUDE)).is_ok());
        let mut modern = target(CLAUDE);
        modern.able.assistant_prefill = Some(false);
        assert_eq!(refusal(&conversation, &modern).0, "messages[1]");
        let mut conversation = asked();
        conversation.turns.push(turn(Role::System, 1, vec![text("now in French")]));
        assert_eq!(refusal(&conversation, &modern).0, "messages[1]");
        modern.able.mid_conversation_system = Some(true);
        assert_eq!(body(&conversation, &modern)["messages"][1]["role"], "system");
        conversation.turns = vec![turn(Role::User, 0, vec![text("")])];
        assert!(refusal(&conversation, &modern).1.contains("takes no empty messages"));
    }

    #[test]
    fn settings_go_where_they_belong() {
        let mut conversation = asked();
        conversation.max_output = Some(100);
        conversation.sampling.temperature = Some(Raw("0.70".into()));
        conversation.sampling.top_k = Some(Raw("40".into()));
        conversation.stop = vec![Quoted::of("\nEND")];
        conversation.user = Some(Quoted::of("u-1"));
        conversation.thinking = Some(Thinking::Budget(2048));
        conversation.format = Some(Format::Schema {
            name: Some(Quoted::of("n")),
            description: None,
            schema: Raw(r#"{"type":"object"}"#.into()),
            strict: Some(true),
        });
        let written = request(&conversation, &target(CLAUDE)).unwrap().body;
        assert_eq!(
            String::from_utf8(written).unwrap(),
            concat!(
                r#"{"messages":[{"role":"user","content":[{"text":"hi"}]}],"#,
                r#""inferenceConfig":{"maxTokens":100,"temperature":0.70,"stopSequences":["\nEND"]},"#,
                r#""outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"#,
                r#""schema":"{\"type\":\"object\"}","name":"n"}}}},"#,
                r#""additionalModelRequestFields":{"top_k":40,"thinking":{"type":"enabled","budget_tokens":2048}},"#,
                r#""requestMetadata":{"user":"u-1"}}"#
            )
        );
    }

    #[test]
    fn what_cannot_be_carried_is_refused_or_named() {
        type Change = fn(&mut Conversation<'static>);
        let cases: [(Change, &str); 9] = [
            (|c| c.choices = 2, "n"),
            (|c| c.sampling.seed = Some(Raw("1".into())), "seed"),
            (|c| c.sampling.presence_penalty = Some(Raw("0.5".into())), "presence_penalty"),
            (|c| c.sampling.temperature = Some(Raw("1.4".into())), "temperature"),
            (|c| c.format = Some(Format::JsonObject), "response_format"),
            (|c| c.tools = vec![tool("a.b")], "tools"),
            (|c| c.turns.push(turn(Role::Assistant, 1, vec![call("1")])), "tools"),
            (|c| c.thinking = Some(Thinking::Effort(Effort::High)), "reasoning_effort"),
            (
                |c| {
                    c.tools = vec![tool("f")];
                    c.one_call = true;
                },
                "parallel_tool_calls",
            ),
        ];
        for (change, param) in cases {
            let mut conversation = asked();
            change(&mut conversation);
            let (at, message) = refusal(&conversation, &target(CLAUDE));
            assert!(at == param && message.contains(CLAUDE), "{param}: {at} {message}");
        }
        let mut conversation = asked();
        conversation.sampling.seed = Some(Raw("1".into()));
        conversation.sampling.temperature = Some(Raw("1.4".into()));
        conversation.sampling.frequency_penalty = Some(Raw("0".into()));
        let lenient = Target { lenient: true, ..target("amazon.nova-pro-v1:0") };
        let written = request(&conversation, &lenient).unwrap();
        assert_eq!(
            (&*written.notes.dropped, &*written.notes.adapted),
            (&["seed".into()][..], &["temperature 1.4->1".into()][..])
        );
    }

    #[test]
    fn thinking_is_told_as_the_model_takes_it() {
        let written = |thinking, able: fn(&mut Capabilities), model| {
            let mut conversation = asked();
            conversation.thinking = Some(thinking);
            let mut target = Target { lenient: true, ..target(model) };
            able(&mut target.able);
            let written = request(&conversation, &target).unwrap();
            let body: Value = serde_json::from_slice(&written.body).unwrap();
            let thinking = body["additionalModelRequestFields"]["thinking"]["type"].clone();
            (
                thinking,
                body["outputConfig"]["effort"].clone(),
                [written.notes.dropped, written.notes.adapted].concat().join(" "),
            )
        };
        let adaptive: fn(&mut Capabilities) = |able| able.adaptive_thinking = Some(true);
        let always: fn(&mut Capabilities) = |able| able.thinking_always_on = Some(true);
        let is = |thinking: Value, effort: Value, note: &str| (thinking, effort, note.to_owned());
        let effort = Thinking::Effort;
        let left_out = "reasoning_effort";
        assert_eq!(written(effort(Effort::High), adaptive, CLAUDE), is(Value::Null, json!("high"), ""));
        assert_eq!(written(effort(Effort::High), |_| {}, CLAUDE), is(Value::Null, Value::Null, left_out));
        assert_eq!(
            written(effort(Effort::High), |_| {}, "openai.gpt-oss-120b-1:0"),
            is(Value::Null, json!("high"), "")
        );
        assert_eq!(written(effort(Effort::None), |_| {}, CLAUDE), is(json!("disabled"), Value::Null, ""));
        assert_eq!(
            written(effort(Effort::None), always, CLAUDE),
            is(Value::Null, json!("low"), "reasoning_effort none->low")
        );
        assert_eq!(
            written(effort(Effort::Minimal), adaptive, CLAUDE),
            is(Value::Null, json!("low"), "reasoning_effort minimal->low")
        );
        assert_eq!(written(Thinking::Adaptive, adaptive, CLAUDE), is(json!("adaptive"), Value::Null, ""));
        assert_eq!(written(Thinking::Budget(2000), adaptive, CLAUDE), is(Value::Null, Value::Null, left_out));
        assert_eq!(written(Thinking::Budget(2000), |_| {}, CLAUDE), is(json!("enabled"), Value::Null, ""));
    }

    #[test]
    fn tools_are_offered_as_the_caller_chose() {
        let chosen = |mode, only: &[&'static str], history: bool, lenient: bool| {
            let mut conversation = asked();
            conversation.tools = vec![tool("f"), tool("g")];
            let only = only.iter().map(|name| Quoted::of(name)).collect();
            conversation.tool_choice = Some(ToolChoice { mode, only });
            if history {
                conversation.turns.push(turn(Role::Assistant, 1, vec![call("1")]));
            }
            let target = Target { lenient, ..target(CLAUDE) };
            request(&conversation, &target).map(|written| {
                let body: Value = serde_json::from_slice(&written.body).unwrap();
                let offered = body["toolConfig"]["tools"].as_array().map_or(0, Vec::len);
                (offered, body["toolConfig"]["toolChoice"].clone(), written.notes.dropped.len())
            })
        };
        assert_eq!(chosen(ToolMode::Auto, &[], false, false).unwrap(), (2, json!({"auto": {}}), 0));
        assert_eq!(chosen(ToolMode::Required, &[], false, false).unwrap(), (2, json!({"any": {}}), 0));
        assert_eq!(chosen(ToolMode::Required, &["g"], false, false).unwrap(), (1, json!({"tool": {"name": "g"}}), 0));
        assert_eq!(chosen(ToolMode::Auto, &["g"], false, false).unwrap(), (1, json!({"auto": {}}), 0));
        assert_eq!(chosen(ToolMode::None, &[], false, false).unwrap(), (0, Value::Null, 0));
        assert!(chosen(ToolMode::None, &[], true, false).is_err());
        assert_eq!(chosen(ToolMode::None, &[], true, true).unwrap(), (2, Value::Null, 1));
        assert!(chosen(ToolMode::Required, &["h"], false, false).is_err());
    }

    #[test]
    fn media_and_marks_stand_where_they_stood() {
        let media = |kind, source, name| Part::Media(Media { kind, source, name, detail: None });
        let inline = |mime: &'static str| Source::Inline { mime: mime.into(), data: Quoted::of("QUJD") };
        let mut conversation = asked();
        conversation.system = vec![Block { part: text("s"), cache: Some(CacheMark::Hour) }];
        conversation.turns[0].blocks.extend([
            Block::from(media(MediaKind::Image, inline("image/jpeg"), None)),
            Block {
                part: media(MediaKind::Document, inline("application/pdf"), Some(Quoted::of("q3.pdf"))),
                cache: Some(CacheMark::Short),
            },
            media(MediaKind::Document, Source::Text(Quoted::of("plain")), None).into(),
            media(MediaKind::Image, Source::Url(Quoted::of("s3://bucket/a.png")), None).into(),
        ]);
        let written = request(&conversation, &target(CLAUDE)).unwrap();
        assert_eq!(written.notes.adapted, ["messages[0] document name"]);
        let written: Value = serde_json::from_slice(&written.body).unwrap();
        assert_eq!(written["system"], json!([{"text": "s"}, {"cachePoint": {"type": "default", "ttl": "1h"}}]));
        assert_eq!(
            written["messages"][0]["content"],
            json!([
                {"text": "hi"},
                {"image": {"format": "jpeg", "source": {"bytes": "QUJD"}}},
                {"document": {"format": "pdf", "name": "q3 pdf", "source": {"bytes": "QUJD"}}},
                {"cachePoint": {"type": "default"}},
                {"document": {"format": "txt", "name": "document", "source": {"text": "plain"}}},
                {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://bucket/a.png"}}}},
            ])
        );
        for source in [
            inline("image/tiff"),
            Source::Url(Quoted::of("https://example.com/a.png")),
            Source::File(Quoted::of("file-1")),
        ] {
            let mut conversation = asked();
            conversation.turns[0].blocks.push(media(MediaKind::Image, source, None).into());
            assert_eq!(refusal(&conversation, &target(CLAUDE)).0, "messages[0]");
        }
    }
}
