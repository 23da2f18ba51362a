//! Functions, the choice among them, the shape of the answer and how much to think.
//!
//! In: the values of `tools`, `tool_choice`, `text` and `reasoning`. Out: their meaning, and what only this API can say. Must not
//! know: the conversation.

use crate::dialect::bad_body::BadBody;
use crate::dialect::canonical::{Conversation, Effort, Fate, Format, Thinking, Tool, ToolChoice, ToolMode};
use crate::dialect::pass::{Step, expect, skip, string};
use crate::json::{Cursor, Kind, Quoted, Raw, Text};

/// Takes `tools`.
pub(super) fn tools<'a>(
    cursor: &mut Cursor<'a>,
    kind: Kind,
    conversation: &mut Conversation<'a>,
) -> Step<Vec<Tool<'a>>> {
    expect(kind, Kind::Array, "tools")?;
    let mut tools = Vec::new();
    let mut at = 0;
    cursor.items(|cursor| {
        expect(cursor.kind()?, Kind::Object, &format!("tools[{at}]"))?;
        tools.extend(tool(cursor, at, conversation)?);
        at += 1;
        Step::Ok(())
    })?;
    Ok(tools)
}

/// One function; `None` for a built-in tool, which no other provider has.
fn tool<'a>(cursor: &mut Cursor<'a>, at: usize, conversation: &mut Conversation<'a>) -> Step<Option<Tool<'a>>> {
    let mut tool = Tool { name: Quoted::default(), description: None, schema: None, strict: None, cache: None };
    let (mut function, mut unknown) = (false, Vec::new());
    cursor.members(|cursor, key| {
        match (&*key.decode(), cursor.kind()?) {
            ("type", Kind::String) => function = cursor.string()?.decode() == "function",
            ("name", Kind::String) => tool.name = cursor.string()?.into(),
            ("description", Kind::String) => tool.description = Some(cursor.string()?.into()),
            ("parameters", Kind::Object) => tool.schema = Some(cursor.raw()?),
            ("strict", Kind::Bool) => tool.strict = Some(cursor.boolean()?),
            (_, Kind::Null) => skip(cursor)?,
            _ => {
                skip(cursor)?;
                unknown.push(key);
            }
        }
        Step::Ok(())
    })?;
    if !function {
        conversation.extra(format!("tools[{at}]"), Fate::Refused);
        return Ok(None);
    }
    for key in unknown {
        conversation.extra(format!("tools[{at}].{}", key.decode()), Fate::Refused);
    }
    if tool.name.is_empty() {
        return Err(BadBody::missing(&format!("tools[{at}].name")).into());
    }
    Ok(Some(tool))
}

/// Takes `tool_choice`. `None` for a choice of built-in tools.
pub(super) fn tool_choice<'a>(
    cursor: &mut Cursor<'a>,
    kind: Kind,
    conversation: &mut Conversation<'a>,
) -> Step<Option<ToolChoice<'a>>> {
    if kind == Kind::String {
        let word = cursor.string()?;
        return match mode(word) {
            Some(mode) => Ok(Some(ToolChoice { mode, only: Vec::new() })),
            None => {
                let message = "'tool_choice' must be auto, required, none or an object that names functions.";
                Err(BadBody::at("tool_choice", "invalid_value", message).into())
            }
        };
    }
    expect(kind, Kind::Object, "tool_choice")?;
    let mut picked = Picked::default();
    cursor.members(|cursor, key| {
        match (&*key.decode(), cursor.kind()?) {
            ("type", Kind::String) => picked.kind = Some(cursor.string()?),
            ("name", Kind::String) => picked.name = Some(cursor.string()?),
            ("mode", Kind::String) => picked.mode = mode(cursor.string()?),
            ("tools", Kind::Array) => cursor.items(|cursor| picked.allow(cursor))?,
            _ => skip(cursor)?,
        }
        Step::Ok(())
    })?;
    match (picked.kind.map(Text::decode).as_deref(), picked.name) {
        (Some("function"), Some(name)) => Ok(Some(ToolChoice { mode: ToolMode::Required, only: vec![name.into()] })),
        (Some("function"), None) => Err(BadBody::missing("tool_choice.name").into()),
        (Some("allowed_tools"), _) if !picked.foreign => {
            Ok(Some(ToolChoice { mode: picked.mode.unwrap_or(ToolMode::Auto), only: picked.only }))
        }
        _ => {
            conversation.extra("tool_choice", Fate::Refused);
            Ok(None)
        }
    }
}

#[derive(Default)]
struct Picked<'a> {
    kind: Option<Text<'a>>,
    name: Option<Text<'a>>,
    mode: Option<ToolMode>,
    only: Vec<Quoted<'a>>,
    /// A tool that is no function is among them.
    foreign: bool,
}

impl<'a> Picked<'a> {
    fn allow(&mut self, cursor: &mut Cursor<'a>) -> Step {
        expect(cursor.kind()?, Kind::Object, "tool_choice.tools")?;
        let (mut function, mut name) = (false, None);
        cursor.members(|cursor, key| {
            match (key.raw, cursor.kind()?) {
                ("type", Kind::String) => function = cursor.string()?.decode() == "function",
                ("name", Kind::String) => name = Some(cursor.string()?),
                _ => skip(cursor)?,
            }
            Step::Ok(())
        })?;
        match name.filter(|_| function) {
            Some(name) => self.only.push(name.into()),
            None => self.foreign = true,
        }
        Ok(())
    }
}

fn mode(word: Text<'_>) -> Option<ToolMode> {
    match &*word.decode() {
        "auto" => Some(ToolMode::Auto),
        "required" => Some(ToolMode::Required),
        "none" => Some(ToolMode::None),
        _ => None,
    }
}

/// Takes `text`.
pub(super) fn text<'a>(
    cursor: &mut Cursor<'a>,
    kind: Kind,
    conversation: &mut Conversation<'a>,
) -> Step<Option<Format<'a>>> {
    expect(kind, Kind::Object, "text")?;
    let mut wanted = None;
    cursor.members(|cursor, key| {
        match (&*key.decode(), cursor.kind()?) {
            ("format", Kind::Object) => wanted = format(cursor, conversation)?,
            ("verbosity", Kind::String) => conversation.verbosity = Some(cursor.string()?.into()),
            (_, Kind::Null) => skip(cursor)?,
            (name, _) => {
                skip(cursor)?;
                conversation.extra(format!("text.{name}"), Fate::Refused);
            }
        }
        Step::Ok(())
    })?;
    Ok(wanted)
}

fn format<'a>(cursor: &mut Cursor<'a>, conversation: &mut Conversation<'a>) -> Step<Option<Format<'a>>> {
    let (mut kind, mut name, mut description, mut schema, mut strict) = (None, None, None, None::<Raw<'a>>, None);
    cursor.members(|cursor, key| {
        match (&*key.decode(), cursor.kind()?) {
            ("type", Kind::String) => kind = Some(cursor.string()?),
            ("name", Kind::String) => name = Some(cursor.string()?.into()),
            ("description", Kind::String) => description = Some(cursor.string()?.into()),
            ("schema", Kind::Object) => schema = Some(cursor.raw()?),
            ("strict", Kind::Bool) => strict = Some(cursor.boolean()?),
            _ => skip(cursor)?,
        }
        Step::Ok(())
    })?;
    match (kind.map(Text::decode).as_deref(), schema) {
        (Some("text"), _) => Ok(Some(Format::Text)),
        (Some("json_object"), _) => Ok(Some(Format::JsonObject)),
        (Some("json_schema"), Some(schema)) => Ok(Some(Format::Schema { name, description, schema, strict })),
        (Some("json_schema"), None) => Err(BadBody::missing("text.format.schema").into()),
        _ => {
            conversation.extra("text.format", Fate::Refused);
            Ok(None)
        }
    }
}

/// Takes `reasoning`.
pub(super) fn reasoning<'a>(
    cursor: &mut Cursor<'a>,
    kind: Kind,
    conversation: &mut Conversation<'a>,
) -> Step<Option<Thinking>> {
    expect(kind, Kind::Object, "reasoning")?;
    let mut thinking = None;
    cursor.members(|cursor, key| {
        match (&*key.decode(), cursor.kind()?) {
            (_, Kind::Null) => skip(cursor)?,
            ("effort", kind) => {
                let word = string(cursor, kind, "reasoning.effort")?.decode();
                let effort = Effort::from_word(&word).ok_or_else(|| {
                    let words = Effort::ALL.map(Effort::word).join(", ");
                    let message = format!("'reasoning.effort' must be one of {words}.");
                    BadBody::at("reasoning.effort", "invalid_value", message)
                })?;
                thinking = Some(Thinking::Effort(effort));
            }
            // What a model does when nothing is said.
            (name @ ("mode" | "context"), Kind::String) => {
                if !matches!(&*cursor.string()?.decode(), "standard" | "auto") {
                    conversation.extra(format!("reasoning.{name}"), Fate::Dropped);
                }
            }
            (name @ ("summary" | "generate_summary"), _) => {
                skip(cursor)?;
                conversation.extra(format!("reasoning.{name}"), Fate::Dropped);
            }
            (name, _) => {
                skip(cursor)?;
                conversation.extra(format!("reasoning.{name}"), Fate::Refused);
            }
        }
        Step::Ok(())
    })?;
    Ok(thinking)
}
