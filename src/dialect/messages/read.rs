//! A Messages request, read whole to be written in another dialect.
//!
//! In: a body. Out: [`Conversation`]: every field is understood, or is an extra with its fate (dialects.md, section 7).
//! Must not know: who will answer.

use std::borrow::Cow;

use super::block::{Blocks, Place, cache_mark};
use super::fields::{NEEDS, Step, Stop, count, expect, flag, number, object, odd_word, text, type_ahead, whole};
use crate::dialect::Dialect;
use crate::dialect::bad_body::BadBody;
use crate::dialect::canonical::{
    CacheMark, Conversation, Effort, Fate, Format, Role, Thinking, Tool, ToolChoice, ToolMode, Turn,
};
use crate::json::{Cursor, Kind, Text};

/// Reads everything that a request says.
///
/// # Errors
/// [`BadBody`] where a field is not what this dialect says it is.
pub fn conversation(body: &[u8]) -> Result<Conversation<'_>, BadBody> {
    let mut said = Conversation::empty(Dialect::Messages);
    said.include_usage = true;
    let mut reader = Reader { said, thinking: None, effort: None, cache: None, messages: false };
    whole(body, NEEDS, |cursor| cursor.members(|cursor, key| reader.member(cursor, key)))?;
    reader.complete()
}

struct Reader<'a> {
    said: Conversation<'a>,
    /// `thinking`, without `output_config.effort`.
    thinking: Option<Thinking>,
    effort: Option<Effort>,
    /// At the top level: the last block carries it.
    cache: Option<CacheMark>,
    messages: bool,
}

impl<'a> Reader<'a> {
    fn complete(mut self) -> Result<Conversation<'a>, BadBody> {
        if !self.messages {
            return Err(BadBody::missing("messages"));
        }
        self.said.thinking = match (self.thinking, self.effort) {
            (off @ Some(Thinking::Effort(_)), _) => off,
            (_, Some(effort)) => Some(Thinking::Effort(effort)),
            (thinking, None) => thinking,
        };
        if self.cache.is_some()
            && let Some(last) = self.said.turns.last_mut().and_then(|turn| turn.blocks.last_mut())
        {
            last.cache = last.cache.or(self.cache);
        }
        Ok(self.said)
    }

    fn extra(&mut self, param: impl Into<Cow<'a, str>>, fate: Fate) {
        self.said.extra(param, fate);
    }

    fn member(&mut self, cursor: &mut Cursor<'a>, key: Text<'a>) -> Step {
        let name = key.decode();
        // A `null` says nothing.
        if cursor.kind()? == Kind::Null {
            return Ok(cursor.skip().map(drop)?);
        }
        match &*name {
            "model" => self.said.model = text(cursor, "model")?,
            "messages" => self.messages(cursor)?,
            "system" => {
                let read = Blocks::read(cursor, Place::SYSTEM, &mut self.said)?;
                self.said.system.splice(0..0, read);
            }
            "max_tokens" => {
                let most = count(cursor, "max_tokens")?;
                self.said.max_output = Some(most);
                // Nothing is to be answered: the prompt is to be put into the provider's cache.
                if most == 0 {
                    self.extra("max_tokens", Fate::Refused);
                }
            }
            "temperature" => self.said.sampling.temperature = Some(number(cursor, "temperature")?),
            "top_p" => self.said.sampling.top_p = Some(number(cursor, "top_p")?),
            "top_k" => self.said.sampling.top_k = Some(number(cursor, "top_k")?),
            "stop_sequences" => self.stop(cursor)?,
            "stream" => self.said.stream = flag(cursor, "stream")?,
            "metadata" => self.metadata(cursor)?,
            "tools" => self.tools(cursor)?,
            "tool_choice" => self.tool_choice(cursor)?,
            "output_config" => self.output_config(cursor)?,
            "thinking" => self.thinking(cursor)?,
            "cache_control" => self.cache = cache_mark(cursor, "cache_control")?,
            "service_tier" => self.unless(cursor, "service_tier", "auto")?,
            "speed" => self.unless(cursor, "speed", "standard")?,
            _ => {
                cursor.skip()?;
                let fate = if name == "diagnostics" { Fate::Dropped } else { Fate::Refused };
                self.extra(name, fate);
            }
        }
        Ok(())
    }

    /// A wish about price and speed; the usual one need not be told.
    fn unless(&mut self, cursor: &mut Cursor<'a>, param: &'static str, usual: &str) -> Step {
        if text(cursor, param)?.written() != usual {
            self.extra(param, Fate::Dropped);
        }
        Ok(())
    }

    fn messages(&mut self, cursor: &mut Cursor<'a>) -> Step {
        self.messages = true;
        expect(cursor, Kind::Array, "messages", "an array of messages")?;
        let mut at = 0;
        cursor.items(|cursor| {
            self.message(cursor, at)?;
            at += 1;
            Ok(())
        })
    }

    fn message(&mut self, cursor: &mut Cursor<'a>, at: usize) -> Step {
        expect(cursor, Kind::Object, format_args!("messages[{at}]"), "an object")?;
        let (mut role, mut blocks) = (None, None);
        let said = &mut self.said;
        cursor.members(|cursor, key| {
            match (&*key.decode(), cursor.kind()?) {
                ("role", _) => role = Some(text(cursor, format_args!("messages[{at}].role"))?),
                ("content", _) => blocks = Some(Blocks::read(cursor, Place::message(at), said)?),
                (_, Kind::Null) => drop(cursor.skip()?),
                (name, _) => {
                    cursor.skip()?;
                    said.extra(format!("messages[{at}].{name}"), Fate::Refused);
                }
            }
            Ok::<(), Stop>(())
        })?;
        let missing = |name: &str| BadBody::missing(&format!("messages[{at}].{name}"));
        let blocks = blocks.ok_or_else(|| missing("content"))?;
        let role = match &*role.ok_or_else(|| missing("role"))?.decode() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" if self.said.turns.is_empty() => {
                self.said.system.extend(blocks);
                return Ok(());
            }
            "system" => Role::System,
            _ => return Err(odd_word(format_args!("messages[{at}].role"), "'user', 'assistant' or 'system'")),
        };
        self.said.turns.push(Turn { role, blocks, at });
        Ok(())
    }

    fn stop(&mut self, cursor: &mut Cursor<'a>) -> Step {
        expect(cursor, Kind::Array, "stop_sequences", "an array of strings")?;
        cursor.items(|cursor| {
            self.said.stop.push(text(cursor, format_args!("stop_sequences[{}]", self.said.stop.len()))?);
            Ok(())
        })
    }

    fn metadata(&mut self, cursor: &mut Cursor<'a>) -> Step {
        expect(cursor, Kind::Object, "metadata", "an object")?;
        cursor.members(|cursor, key| {
            match (&*key.decode(), cursor.kind()?) {
                (_, Kind::Null) => drop(cursor.skip()?),
                ("user_id", _) => self.said.user = Some(text(cursor, "metadata.user_id")?),
                (name, _) => {
                    cursor.skip()?;
                    self.extra(format!("metadata.{name}"), Fate::Refused);
                }
            }
            Ok(())
        })
    }

    fn tools(&mut self, cursor: &mut Cursor<'a>) -> Step {
        expect(cursor, Kind::Array, "tools", "an array")?;
        let mut at = 0;
        cursor.items(|cursor| {
            expect(cursor, Kind::Object, format_args!("tools[{at}]"), "an object")?;
            if matches!(&*type_ahead(cursor)?, "" | "custom") {
                self.tool(cursor, at)?;
            } else {
                // One that the provider runs, or knows by heart.
                cursor.skip()?;
                self.extra(format!("tools[{at}]"), Fate::Refused);
            }
            at += 1;
            Ok(())
        })
    }

    fn tool(&mut self, cursor: &mut Cursor<'a>, at: usize) -> Step {
        let (mut name, mut description, mut schema, mut strict, mut cache) = (None, None, None, None, None);
        cursor.members(|cursor, key| {
            let key = key.decode();
            let param = format_args!("tools[{at}].{key}").to_string();
            match (&*key, cursor.kind()?) {
                ("type", _) | (_, Kind::Null) => drop(cursor.skip()?),
                ("name", _) => name = Some(text(cursor, param)?),
                ("description", _) => description = Some(text(cursor, param)?),
                ("input_schema", _) => schema = Some(object(cursor, param)?),
                ("strict", _) => strict = Some(flag(cursor, param)?),
                ("cache_control", _) => cache = cache_mark(cursor, param)?,
                // How arguments are streamed changes nothing about them.
                ("eager_input_streaming", _) => drop(cursor.skip()?),
                ("input_examples", _) => {
                    cursor.skip()?;
                    self.extra(param, Fate::Dropped);
                }
                ("defer_loading", _) => {
                    if flag(cursor, &param)? {
                        self.extra(param, Fate::Refused);
                    }
                }
                ("allowed_callers", _) => {
                    if cursor.raw()?.0 != "[\"direct\"]" {
                        self.extra(param, Fate::Refused);
                    }
                }
                _ => {
                    cursor.skip()?;
                    self.extra(param, Fate::Refused);
                }
            }
            Ok::<(), Stop>(())
        })?;
        let name = name.ok_or_else(|| BadBody::missing(&format!("tools[{at}].name")))?;
        self.said.tools.push(Tool { name, description, schema, strict, cache });
        Ok(())
    }

    fn tool_choice(&mut self, cursor: &mut Cursor<'a>) -> Step {
        expect(cursor, Kind::Object, "tool_choice", "an object")?;
        let kind = type_ahead(cursor)?;
        let mut name = None;
        cursor.members(|cursor, key| {
            match (&*key.decode(), cursor.kind()?) {
                ("type", _) | (_, Kind::Null) => drop(cursor.skip()?),
                ("name", _) => name = Some(text(cursor, "tool_choice.name")?),
                ("disable_parallel_tool_use", _) => {
                    self.said.one_call = flag(cursor, "tool_choice.disable_parallel_tool_use")?;
                }
                (name, _) => {
                    cursor.skip()?;
                    self.extra(format!("tool_choice.{name}"), Fate::Refused);
                }
            }
            Ok::<(), Stop>(())
        })?;
        let (mode, only) = match (&*kind, name) {
            ("auto", _) => (ToolMode::Auto, Vec::new()),
            ("any", _) => (ToolMode::Required, Vec::new()),
            ("none", _) => (ToolMode::None, Vec::new()),
            ("tool", Some(name)) => (ToolMode::Required, vec![name]),
            ("tool", None) => return Err(BadBody::missing("tool_choice.name").into()),
            _ => return Err(odd_word("tool_choice.type", "'auto', 'any', 'tool' or 'none'")),
        };
        self.said.tool_choice = Some(ToolChoice { mode, only });
        Ok(())
    }

    fn output_config(&mut self, cursor: &mut Cursor<'a>) -> Step {
        expect(cursor, Kind::Object, "output_config", "an object")?;
        cursor.members(|cursor, key| {
            match (&*key.decode(), cursor.kind()?) {
                (_, Kind::Null) => drop(cursor.skip()?),
                ("effort", _) => {
                    let effort = Effort::from_word(&text(cursor, "output_config.effort")?.decode());
                    let known = effort.filter(|effort| *effort >= Effort::Low);
                    let known = known
                        .ok_or_else(|| odd_word("output_config.effort", "'low', 'medium', 'high', 'xhigh' or 'max'"))?;
                    self.effort = Some(known);
                }
                ("format", _) => self.format(cursor)?,
                (name, _) => {
                    cursor.skip()?;
                    self.extra(format!("output_config.{name}"), Fate::Refused);
                }
            }
            Ok(())
        })
    }

    fn format(&mut self, cursor: &mut Cursor<'a>) -> Step {
        expect(cursor, Kind::Object, "output_config.format", "an object")?;
        if type_ahead(cursor)? != "json_schema" {
            return Err(odd_word("output_config.format.type", "'json_schema'"));
        }
        let mut schema = None;
        cursor.members(|cursor, key| {
            match (&*key.decode(), cursor.kind()?) {
                ("type", _) | (_, Kind::Null) => drop(cursor.skip()?),
                ("schema", _) => schema = Some(object(cursor, "output_config.format.schema")?),
                (name, _) => {
                    cursor.skip()?;
                    self.extra(format!("output_config.format.{name}"), Fate::Refused);
                }
            }
            Ok::<(), Stop>(())
        })?;
        let schema = schema.ok_or_else(|| BadBody::missing("output_config.format.schema"))?;
        // This dialect always enforces it.
        self.said.format = Some(Format::Schema { name: None, description: None, schema, strict: Some(true) });
        Ok(())
    }

    fn thinking(&mut self, cursor: &mut Cursor<'a>) -> Step {
        expect(cursor, Kind::Object, "thinking", "an object")?;
        let kind = type_ahead(cursor)?;
        let mut budget = None;
        cursor.members(|cursor, key| {
            match (&*key.decode(), cursor.kind()?) {
                // Whether thinking is shown makes no difference where it is not passed on.
                ("type" | "display", _) | (_, Kind::Null) => drop(cursor.skip()?),
                ("budget_tokens", _) => budget = Some(count(cursor, "thinking.budget_tokens")?),
                (name, _) => {
                    cursor.skip()?;
                    self.extra(format!("thinking.{name}"), Fate::Refused);
                }
            }
            Ok::<(), Stop>(())
        })?;
        self.thinking = match (&*kind, budget) {
            ("adaptive", _) => Some(Thinking::Adaptive),
            ("disabled", _) => Some(Thinking::Effort(Effort::None)),
            ("enabled", Some(budget)) => Some(Thinking::Budget(budget)),
            ("enabled", None) => return Err(BadBody::missing("thinking.budget_tokens").into()),
            ("between_tools", _) => {
                self.extra("thinking.type", Fate::Dropped);
                None
            }
            _ => {
                return Err(odd_word("thinking.type", "'adaptive', 'enabled', 'disabled' or 'between_tools'"));
            }
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::canonical::{Block, Extra, Media, MediaKind, Part, Sampling, Source, ToolCall, ToolResult};
    use crate::json::{Quoted, Raw};

    fn with(member: &str) -> String {
        format!(r#"{{"model":"m","max_tokens":1,"messages":[{{"role":"user","content":"x"}}],{member}}}"#)
    }

    fn saying(blocks: &str) -> String {
        format!(r#"{{"model":"m","max_tokens":1,"messages":[{{"role":"user","content":[{blocks}]}}]}}"#)
    }

    fn text(text: &str) -> Block<'_> {
        Part::Text(Quoted::of(text)).into()
    }

    #[test]
    fn every_field_is_understood() {
        let body = r#"{"model":"claude-sonnet-4-5","max_tokens":300,"temperature":0.50,"top_p":0.9,"top_k":5,
            "stop_sequences":["END","\n\n"],"stream":true,"metadata":{"user_id":"u-1"},
            "system":[{"type":"text","text":"One.","cache_control":{"type":"ephemeral","ttl":"1h"}},{"type":"text","text":"Two."}],
            "messages":[{"role":"system","content":"Three."},{"content":"Hi \"you\"","role":"user"},
              {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"c2ln"},{"type":"redacted_thinking","data":"AA"},
                {"type":"text","text":"Let me see.","citations":null},
                {"id":"toolu_1","input":{"city": "Köln"},"name":"weather","type":"tool_use","caller":{"type":"direct"}}]},
              {"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"rain","is_error":true},
                {"type":"image","source":{"type":"url","url":"https://example.com/a.png"}}]},
              {"role":"system","content":"Later."}],
            "tools":[{"name":"weather","description":"d","input_schema":{"type":"object"},"strict":true,"type":"custom",
                "cache_control":{"type":"ephemeral"}}],
            "tool_choice":{"type":"tool","name":"weather","disable_parallel_tool_use":true},
            "output_config":{"effort":"high","format":{"type":"json_schema","schema":{"type":"object"}}},
            "thinking":{"type":"adaptive","display":"omitted"},"service_tier":"auto","speed":"standard","container":null}"#;
        let said = conversation(body.as_bytes()).unwrap();
        assert_eq!(said.extras, []);
        assert_eq!((&*said.model.decode(), said.max_output, said.stream), ("claude-sonnet-4-5", Some(300), true));
        let raw = |text: &'static str| Some(Raw(text.into()));
        let sampling = Sampling { temperature: raw("0.50"), top_p: raw("0.9"), top_k: raw("5"), ..Sampling::default() };
        assert_eq!(said.sampling, sampling);
        assert_eq!(said.stop, [Quoted::of("END"), Quoted::of("\n\n")]);
        let kept = Block { cache: Some(CacheMark::Hour), ..text("One.") };
        assert_eq!(said.system, [kept, text("Two."), text("Three.")]);
        let call = ToolCall {
            id: Quoted::of("toolu_1"),
            name: Quoted::of("weather"),
            arguments: Raw("{\"city\": \"Köln\"}".into()),
        };
        let result = ToolResult {
            id: Quoted::of("toolu_1"),
            name: None,
            parts: vec![Part::Text(Quoted::of("rain"))],
            json: None,
            error: true,
        };
        let image = Media {
            kind: MediaKind::Image,
            source: Source::Url(Quoted::of("https://example.com/a.png")),
            name: None,
            detail: None,
        };
        let turn = |role, at, blocks| Turn { role, at, blocks };
        assert_eq!(
            said.turns,
            [
                turn(Role::User, 1, vec![text("Hi \"you\"")]),
                turn(
                    Role::Assistant,
                    2,
                    vec![
                        Part::Thinking(Quoted::of("hm")).into(),
                        Part::Thinking(Quoted::default()).into(),
                        text("Let me see."),
                        Part::Call(call).into(),
                    ]
                ),
                turn(Role::User, 3, vec![Part::Result(result).into(), Part::Media(image).into()]),
                turn(Role::System, 4, vec![text("Later.")]),
            ]
        );
        assert_eq!(said.tools.len(), 1);
        assert_eq!((said.tools[0].strict, said.tools[0].cache), (Some(true), Some(CacheMark::Short)));
        let choice = ToolChoice { mode: ToolMode::Required, only: vec![Quoted::of("weather")] };
        assert_eq!((said.tool_choice, said.one_call), (Some(choice), true));
        assert_eq!(said.thinking, Some(Thinking::Effort(Effort::High)));
        assert!(matches!(said.format, Some(Format::Schema { name: None, strict: Some(true), .. })));
        assert_eq!(said.user, Some(Quoted::of("u-1")));
    }

    #[test]
    fn what_only_this_dialect_can_say_has_a_fate() {
        use Fate::{Dropped, Refused};
        let document = |member: &str| {
            saying(&format!(
                r#"{{"type":"document","source":{{"type":"text","media_type":"text/plain","data":"x"}},{member}}}"#
            ))
        };
        let cases = [
            (with(r#""service_tier":"standard_only""#), "service_tier", Dropped),
            (with(r#""speed":"fast""#), "speed", Dropped),
            (with(r#""inference_geo":"us""#), "inference_geo", Refused),
            (with(r#""container":"c""#), "container", Refused),
            (with(r#""mcp_servers":[]"#), "mcp_servers", Refused),
            (with(r#""context_management":{}"#), "context_management", Refused),
            (with(r#""some_new_field":1"#), "some_new_field", Refused),
            (with(r#""diagnostics":{"previous_message_id":"m"}"#), "diagnostics", Dropped),
            (with(r#""metadata":{"team":"a"}"#), "metadata.team", Refused),
            (with(r#""max_tokens":0"#), "max_tokens", Refused),
            (with(r#""thinking":{"type":"between_tools"}"#), "thinking.type", Dropped),
            (with(r#""output_config":{"task_budget":{}}"#), "output_config.task_budget", Refused),
            (with(r#""tools":[{"type":"web_search_20260209","name":"web_search"}]"#), "tools[0]", Refused),
            (with(r#""tools":[{"name":"f","defer_loading":true}]"#), "tools[0].defer_loading", Refused),
            (with(r#""tools":[{"name":"f","input_examples":[{}]}]"#), "tools[0].input_examples", Dropped),
            (
                with(r#""tools":[{"name":"f","allowed_callers":["code_execution_20260120"]}]"#),
                "tools[0].allowed_callers",
                Refused,
            ),
            (
                saying(r#"{"type":"search_result","source":"s","title":"t","content":[]}"#),
                "messages[0].content[0]",
                Refused,
            ),
            (
                saying(r#"{"type":"text","text":"x"},{"type":"server_tool_use","id":"s"}"#),
                "messages[0].content[1]",
                Refused,
            ),
            (saying(r#"{"type":"text","text":"x","citations":[{}]}"#), "messages[0].content[0].citations", Dropped),
            (saying(r#"{"type":"text","text":"x","new":1}"#), "messages[0].content[0].new", Refused),
            (
                saying(
                    r#"{"type":"tool_result","tool_use_id":"t","content":[{"type":"tool_reference","tool_name":"f"}]}"#,
                ),
                "messages[0].content[0].content[0]",
                Refused,
            ),
            (document(r#""citations":{"enabled":true}"#), "messages[0].content[0].citations", Refused),
            (document(r#""context":"c""#), "messages[0].content[0].context", Dropped),
            (
                saying(r#"{"type":"document","source":{"type":"content","content":[]}}"#),
                "messages[0].content[0].source",
                Refused,
            ),
        ];
        for (body, param, fate) in cases {
            let said = conversation(body.as_bytes()).unwrap();
            assert_eq!(said.extras, [Extra { param: param.into(), fate }], "{body}");
        }
        for body in [
            document(r#""citations":{"enabled":false}"#),
            with(
                r#""tools":[{"name":"f","defer_loading":false,"allowed_callers":["direct"],"eager_input_streaming":true}]"#,
            ),
            with(r#""mcp_servers":null,"thinking":null,"tools":null,"output_config":{"effort":null}"#),
        ] {
            assert_eq!(conversation(body.as_bytes()).unwrap().extras, [], "{body}");
        }
    }

    #[test]
    fn thinking_and_effort_are_one() {
        let thinking = |members: &str| conversation(with(members).as_bytes()).unwrap().thinking;
        assert_eq!(thinking(r#""thinking":{"type":"adaptive"}"#), Some(Thinking::Adaptive));
        assert_eq!(thinking(r#""thinking":{"type":"enabled","budget_tokens":2048}"#), Some(Thinking::Budget(2048)));
        let off = Some(Thinking::Effort(Effort::None));
        assert_eq!(thinking(r#""thinking":{"type":"disabled"},"output_config":{"effort":"low"}"#), off);
        let max = Some(Thinking::Effort(Effort::Max));
        assert_eq!(thinking(r#""output_config":{"effort":"max"},"thinking":{"type":"adaptive"}"#), max);
        assert_eq!(thinking(r#""thinking":null"#), None);
    }

    #[test]
    fn a_mark_for_the_whole_request_stands_at_its_end() {
        let body = with(r#""cache_control":{"type":"ephemeral"}"#);
        let said = conversation(body.as_bytes()).unwrap();
        assert_eq!(said.turns[0].blocks[0].cache, Some(CacheMark::Short));
    }

    #[test]
    fn what_is_no_request_says_where() {
        let cases = [
            (with(r#""thinking":{"type":"enabled"}"#), "thinking.budget_tokens"),
            (with(r#""thinking":{"type":"often"}"#), "thinking.type"),
            (with(r#""output_config":{"effort":"minimal"}"#), "output_config.effort"),
            (with(r#""output_config":{"format":{"type":"json"}}"#), "output_config.format.type"),
            (with(r#""tool_choice":{"type":"tool"}"#), "tool_choice.name"),
            (with(r#""tool_choice":"any""#), "tool_choice"),
            (with(r#""tools":[{"input_schema":{}}]"#), "tools[0].name"),
            (with(r#""stop_sequences":["a",1]"#), "stop_sequences[1]"),
            (with(r#""temperature":"1""#), "temperature"),
            (saying(r#"{"text":"x"}"#), "messages[0].content[0].type"),
            (saying(r#"{"type":"tool_use","id":"t","name":"f","input":"{}"}"#), "messages[0].content[0].input"),
            (saying(r#"{"type":"tool_result","content":"x"}"#), "messages[0].content[0].tool_use_id"),
            (
                saying(r#"{"type":"image","source":{"type":"base64","data":"AA"}}"#),
                "messages[0].content[0].source.media_type",
            ),
            (saying(r#"{"type":"image"}"#), "messages[0].content[0].source"),
            (r#"{"model":"m","messages":[{"role":"tool","content":"x"}]}"#.to_owned(), "messages[0].role"),
            (r#"{"model":"m","messages":[{"role":"user"}]}"#.to_owned(), "messages[0].content"),
            (r#"{"model":"m"}"#.to_owned(), "messages"),
        ];
        for (body, param) in cases {
            assert_eq!(conversation(body.as_bytes()).unwrap_err().param.as_deref(), Some(param), "{body}");
        }
    }
}
