//! A Responses request in nobody's words.
//!
//! In: a body. Out: [`Conversation`]; what no other dialect can say is an extra with its fate (dialects.md, section 7). Must not
//! know: who will answer.

use super::input::Input;
use super::options;
use crate::dialect::Dialect;
use crate::dialect::bad_body::BadBody;
use crate::dialect::canonical::{Conversation, Fate, Logprobs, Part};
use crate::dialect::pass::{self, Step, expect, flag, number, skip, string};
use crate::json::{Cursor, Kind, Quoted, Raw};

/// Fields that are understood.
const FIELDS: [&str; 34] = [
    "model",
    "input",
    "instructions",
    "stream",
    "stream_options",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "text",
    "reasoning",
    "max_output_tokens",
    "temperature",
    "top_p",
    "user",
    "safety_identifier",
    "store",
    "background",
    "background_options",
    "previous_response_id",
    "conversation",
    "prompt",
    "context_management",
    "include",
    "truncation",
    "service_tier",
    "top_logprobs",
    "max_tool_calls",
    "metadata",
    "moderation",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "access_programs",
    "image",
];

/// Reads a request whole.
///
/// # Errors
/// [`BadBody`] for a field of the wrong type, with the field.
pub fn conversation(body: &[u8]) -> Result<Conversation<'_>, BadBody> {
    let mut reader = Reader {
        conversation: Conversation { include_usage: true, ..Conversation::empty(Dialect::Responses) },
        instructions: None,
    };
    pass::members(body, super::NEEDS, &FIELDS, |cursor, key, kind| reader.member(cursor, &key.decode(), kind))?;
    let Reader { mut conversation, instructions } = reader;
    if conversation.model.is_empty() {
        return Err(BadBody::missing("model"));
    }
    if let Some(text) = instructions.filter(|text| !text.is_empty()) {
        conversation.system.insert(0, Part::Text(text).into());
    }
    Ok(conversation)
}

struct Reader<'a> {
    conversation: Conversation<'a>,
    instructions: Option<Quoted<'a>>,
}

impl<'a> Reader<'a> {
    fn member(&mut self, cursor: &mut Cursor<'a>, name: &str, kind: Kind) -> Step {
        if kind == Kind::Null {
            return skip(cursor);
        }
        let conversation = &mut self.conversation;
        match name {
            "model" => conversation.model = string(cursor, kind, name)?.into(),
            "input" => Input { conversation }.read(cursor, kind)?,
            "instructions" => self.instructions = Some(string(cursor, kind, name)?.into()),
            "stream" => conversation.stream = flag(cursor, kind, name)?,
            "tools" => conversation.tools = options::tools(cursor, kind, conversation)?,
            "tool_choice" => conversation.tool_choice = options::tool_choice(cursor, kind, conversation)?,
            "parallel_tool_calls" => conversation.one_call = !flag(cursor, kind, name)?,
            "text" => conversation.format = options::text(cursor, kind, conversation)?,
            "reasoning" => conversation.thinking = options::reasoning(cursor, kind, conversation)?,
            "max_output_tokens" => conversation.max_output = Some(number(cursor, kind, name)?),
            "temperature" => conversation.sampling.temperature = Some(decimal(cursor, kind, name)?),
            "top_p" => conversation.sampling.top_p = Some(decimal(cursor, kind, name)?),
            "safety_identifier" => conversation.user = Some(string(cursor, kind, name)?.into()),
            "top_logprobs" => {
                let top = Some(number(cursor, kind, name)?).filter(|top| *top > 0);
                if top.is_some() {
                    conversation.logprobs = Some(Logprobs { param: "top_logprobs".into(), top });
                }
            }
            "user" => {
                let user = string(cursor, kind, name)?.into();
                // The newer field says the same, and counts.
                conversation.user.get_or_insert(user);
            }
            _ => self.only_here(cursor, name, kind)?,
        }
        Ok(())
    }

    /// What no other dialect can say.
    fn only_here(&mut self, cursor: &mut Cursor<'a>, name: &str, kind: Kind) -> Step {
        let word = |cursor: &mut Cursor<'a>| Step::Ok(cursor.string_or_skip()?.map(|text| text.decode()));
        let fate = match name {
            "include" => return self.include(cursor, kind),
            "store" | "background" => flag(cursor, kind, name)?.then_some(Fate::Refused),
            // The usual ones change nothing.
            "truncation" => (word(cursor)?.as_deref() != Some("disabled")).then_some(Fate::Dropped),
            "service_tier" => (!matches!(word(cursor)?.as_deref(), Some("auto" | "default"))).then_some(Fate::Dropped),
            // Hints to the provider's cache and lists, and a limit for tools that nobody else has.
            "prompt_cache_key"
            | "prompt_cache_options"
            | "prompt_cache_retention"
            | "metadata"
            | "stream_options"
            | "max_tool_calls" => {
                skip(cursor)?;
                Some(Fate::Silent)
            }
            _ => {
                skip(cursor)?;
                Some(Fate::Refused)
            }
        };
        if let Some(fate) = fate {
            self.conversation.extra(name.to_owned(), fate);
        }
        Ok(())
    }

    /// Most of what can be included belongs to built-in tools.
    fn include(&mut self, cursor: &mut Cursor<'a>, kind: Kind) -> Step {
        expect(kind, Kind::Array, "include")?;
        let mut at = 0;
        cursor.items(|cursor| {
            let word = cursor.string_or_skip()?.map(|text| text.decode());
            let fate = match word.as_deref() {
                // Thinking that this provider could go on with; another one has none to give.
                Some("reasoning.encrypted_content") => Fate::Silent,
                Some("message.output_text.logprobs") => {
                    let param = format!("include[{at}]").into();
                    self.conversation.logprobs.get_or_insert(Logprobs { param, top: None });
                    at += 1;
                    return Ok(());
                }
                _ => Fate::Refused,
            };
            self.conversation.extra(format!("include[{at}]"), fate);
            at += 1;
            Step::Ok(())
        })
    }
}

fn decimal<'a>(cursor: &mut Cursor<'a>, kind: Kind, name: &str) -> Step<Raw<'a>> {
    expect(kind, Kind::Number, name)?;
    Ok(cursor.raw()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::canonical::{Role, ToolMode};

    fn fates(body: &str) -> Vec<(String, Fate)> {
        let conversation = conversation(body.as_bytes()).unwrap();
        conversation.extras.into_iter().map(|extra| (extra.param.into_owned(), extra.fate)).collect()
    }

    #[test]
    fn every_field_has_its_fate() {
        let of = |field: &str| fates(&format!(r#"{{"model":"m","input":"x",{field}}}"#)).pop().map(|(_, fate)| fate);
        for (field, fate) in [
            (r#""store":false"#, None),
            (r#""store":true"#, Some(Fate::Refused)),
            (r#""background":true"#, Some(Fate::Refused)),
            (r#""background":false"#, None),
            (r#""previous_response_id":"r""#, Some(Fate::Refused)),
            (r#""previous_response_id":null"#, None),
            (r#""conversation":"c""#, Some(Fate::Refused)),
            (r#""prompt":{"id":"p"}"#, Some(Fate::Refused)),
            (r#""include":["reasoning.encrypted_content"]"#, Some(Fate::Silent)),
            (r#""include":["message.output_text.logprobs"]"#, None),
            (r#""include":["web_search_call.results"]"#, Some(Fate::Refused)),
            (r#""truncation":"disabled""#, None),
            (r#""truncation":"auto""#, Some(Fate::Dropped)),
            (r#""service_tier":"auto""#, None),
            (r#""service_tier":"flex""#, Some(Fate::Dropped)),
            (r#""top_logprobs":0"#, None),
            (r#""top_logprobs":3"#, None),
            (r#""metadata":{"a":"b"}"#, Some(Fate::Silent)),
            (r#""prompt_cache_key":"k""#, Some(Fate::Silent)),
            (r#""text":{"verbosity":"low"}"#, None),
            (r#""reasoning":{"effort":"low","summary":"auto"}"#, Some(Fate::Dropped)),
            (r#""tools":[{"type":"web_search"}]"#, Some(Fate::Refused)),
            (r#""tool_choice":{"type":"mcp","server_label":"s"}"#, Some(Fate::Refused)),
            (r#""something_new":1"#, Some(Fate::Refused)),
        ] {
            assert_eq!(of(field), fate, "{field}");
        }
    }

    #[test]
    fn items_of_built_in_tools_are_named_by_their_place() {
        let body = r#"{"model":"m","input":[{"role":"user","content":"x"},{"type":"web_search_call","id":"w"},
            {"id":"msg_1","type":"item_reference"},{"role":"user","content":[{"type":"input_text","text":"a","new":1},{"type":"holo"}]}]}"#;
        let names: Vec<_> = fates(body).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["input[1]", "input[2]", "input[3].content[0].new", "input[3].content[1]"]);
    }

    #[test]
    fn calls_and_results_are_gathered_into_turns() {
        let body = br#"{"model":"m","input":[{"role":"developer","content":"B"},{"role":"user","content":"q"},
            {"type":"reasoning","id":"rs","summary":[],"encrypted_content":"xx"},
            {"type":"message","role":"assistant","id":"msg","status":"completed","phase":"commentary","content":[{"type":"output_text","text":"t","annotations":[]}]},
            {"type":"function_call","id":"fc","call_id":"c1","name":"f","arguments":"{\"a\":1}"},
            {"type":"function_call","call_id":"c2","name":"g","arguments":""},
            {"type":"function_call_output","call_id":"c1","output":"1"},
            {"type":"function_call_output","call_id":"c2","output":[{"type":"input_text","text":"2"}]},
            {"role":"user","content":"go on"}],"instructions":"A","tool_choice":"required","parallel_tool_calls":false}"#;
        let conversation = conversation(body).unwrap();
        let roles: Vec<_> = conversation.turns.iter().map(|turn| (turn.role, turn.blocks.len(), turn.at)).collect();
        let wanted = [
            (Role::User, 1, 1),
            (Role::Assistant, 1, 2),
            (Role::Assistant, 3, 3),
            (Role::User, 2, 6),
            (Role::User, 1, 8),
        ];
        assert_eq!(roles, wanted);
        assert_eq!(conversation.system.len(), 2);
        assert!(conversation.one_call && conversation.tool_choice.unwrap().mode == ToolMode::Required);
        assert_eq!(conversation.extras, []);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (fields, param) in [
            (r#""input":[{"type":"function_call","name":"f","arguments":"{}"}]"#, "input[0].call_id"),
            (r#""input":[{"type":"function_call","call_id":"c","name":"f","arguments":"[1]"}]"#, "input[0].arguments"),
            (r#""input":[{"role":"robot","content":"x"}]"#, "input[0].role"),
            (r#""input":[{"role":"user","content":[{"text":"x"}]}]"#, "input[0].content[0].type"),
            (r#""input":[{"role":"user","content":[{"type":"input_image"}]}]"#, "input[0].content[0].image_url"),
            (r#""input":"x","reasoning":{"effort":"huge"}"#, "reasoning.effort"),
            (r#""input":"x","temperature":"hot""#, "temperature"),
            (r#""input":"x","tools":[{"type":"function"}]"#, "tools[0].name"),
            (r#""input":"x","tool_choice":"perhaps""#, "tool_choice"),
            (r#""input":"x","text":{"format":{"type":"json_schema","name":"n"}}"#, "text.format.schema"),
        ] {
            let bad = conversation(format!(r#"{{"model":"m",{fields}}}"#).as_bytes()).unwrap_err();
            assert_eq!(bad.param.as_deref(), Some(param), "{fields}");
        }
    }
}
