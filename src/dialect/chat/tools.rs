//! The functions of a Chat Completions request, and which of them must be called.
//!
//! In: `tools`, `tool_choice`, and their older forms `functions`, `function_call`. Out: tools of a conversation. Must not know:
//! targets.

use super::read::{object, string};
use super::request::{Step, Stop, flag};
use crate::dialect::bad_body::BadBody;
use crate::dialect::canonical::{Conversation, Fate, Tool, ToolChoice, ToolMode};
use crate::json::{Cursor, Kind, Quoted};

/// `tools`
pub(super) fn list<'a>(cursor: &mut Cursor<'a>, kind: Kind, conversation: &mut Conversation<'a>) -> Step {
    items(cursor, kind, "tools", |cursor, param| {
        let mut tool = None;
        let mut refused = false;
        cursor.members::<Stop>(|cursor, key| {
            let name = key.decode();
            match (&*name, cursor.kind()?) {
                ("type", Kind::String) => {
                    // `custom` and the tools of single servers.
                    if cursor.string()?.decode() != "function" {
                        conversation.extra(param.to_owned(), Fate::Refused);
                        refused = true;
                    }
                }
                ("function", kind) => tool = Some(function(cursor, kind, &format!("{param}.function"), conversation)?),
                (_, Kind::Null) => drop(cursor.skip()?),
                _ => {
                    cursor.skip()?;
                    if !refused {
                        conversation.extra(format!("{param}.{name}"), Fate::Refused);
                    }
                }
            }
            Ok(())
        })?;
        match tool {
            Some(tool) => conversation.tools.push(tool),
            None if refused => {}
            None => return Err(BadBody::missing(&format!("{param}.function")).into()),
        }
        Ok(())
    })
}

/// `functions`
pub(super) fn functions<'a>(cursor: &mut Cursor<'a>, kind: Kind, conversation: &mut Conversation<'a>) -> Step {
    items(cursor, kind, "functions", |cursor, param| {
        let kind = cursor.kind()?;
        let tool = function(cursor, kind, param, conversation)?;
        conversation.tools.push(tool);
        Ok(())
    })
}

fn items<'a>(
    cursor: &mut Cursor<'a>,
    kind: Kind,
    name: &str,
    mut read: impl FnMut(&mut Cursor<'a>, &str) -> Step,
) -> Step {
    if kind != Kind::Array {
        return Err(BadBody::wrong_type(name, "an array", kind).into());
    }
    let mut at = 0;
    cursor.items(|cursor| {
        let param = format!("{name}[{at}]");
        let kind = cursor.kind()?;
        object(kind, &param)?;
        at += 1;
        read(cursor, &param)
    })
}

fn function<'a>(
    cursor: &mut Cursor<'a>,
    kind: Kind,
    param: &str,
    conversation: &mut Conversation<'a>,
) -> Result<Tool<'a>, Stop> {
    object(kind, param)?;
    let mut tool = Tool { name: Quoted::default(), description: None, schema: None, strict: None, cache: None };
    cursor.members::<Stop>(|cursor, key| {
        let name = key.decode();
        let at = || format!("{param}.{name}");
        match (&*name, cursor.kind()?) {
            (_, Kind::Null) => drop(cursor.skip()?),
            ("name", kind) => tool.name = string(cursor, kind, &at())?,
            ("description", kind) => tool.description = Some(string(cursor, kind, &at())?),
            ("parameters", kind) => {
                object(kind, &at())?;
                tool.schema = Some(cursor.raw()?);
            }
            ("strict", kind) => tool.strict = Some(flag(cursor, kind, &at())?),
            _ => {
                cursor.skip()?;
                conversation.extra(at(), Fate::Refused);
            }
        }
        Ok(())
    })?;
    if tool.name.is_empty() {
        return Err(BadBody::missing(&format!("{param}.name")).into());
    }
    Ok(tool)
}

/// `tool_choice`
pub(super) fn choice<'a>(cursor: &mut Cursor<'a>, kind: Kind, conversation: &mut Conversation<'a>) -> Step {
    let choice = match kind {
        Kind::String => mode(&cursor.string()?.decode()).map(|mode| ToolChoice { mode, only: Vec::new() }),
        Kind::Object => {
            let mut chosen = Chosen::default();
            chosen.read(cursor)?;
            chosen.complete()
        }
        found => return Err(BadBody::wrong_type("tool_choice", "a string or an object", found).into()),
    };
    match choice {
        Some(choice) => conversation.tool_choice = Some(choice),
        None => conversation.extra("tool_choice", Fate::Refused),
    }
    Ok(())
}

/// `function_call`: a word, or `{"name":…}`.
pub(super) fn legacy_choice<'a>(cursor: &mut Cursor<'a>, kind: Kind, conversation: &mut Conversation<'a>) -> Step {
    if kind == Kind::String {
        return choice(cursor, kind, conversation);
    }
    object(kind, "function_call")?;
    let name = name(cursor)?.ok_or_else(|| BadBody::missing("function_call.name"))?;
    conversation.tool_choice = Some(ToolChoice { mode: ToolMode::Required, only: vec![name] });
    Ok(())
}

fn mode(word: &str) -> Option<ToolMode> {
    match word {
        "auto" => Some(ToolMode::Auto),
        // `any` is Mistral's word.
        "required" | "any" => Some(ToolMode::Required),
        "none" => Some(ToolMode::None),
        _ => None,
    }
}

/// What stands in a `tool_choice` object or inside its `allowed_tools`.
#[derive(Default)]
struct Chosen<'a> {
    word: Option<String>,
    function: Option<Quoted<'a>>,
    mode: Option<ToolMode>,
    only: Vec<Quoted<'a>>,
    /// One of them is no function.
    foreign: bool,
}

impl<'a> Chosen<'a> {
    fn read(&mut self, cursor: &mut Cursor<'a>) -> Step {
        cursor.members(|cursor, key| {
            match (&*key.decode(), cursor.kind()?) {
                ("type", Kind::String) => self.word = Some(cursor.string()?.decode().into_owned()),
                ("function", Kind::Object) => self.function = name(cursor)?,
                ("allowed_tools", Kind::Object) => self.allowed(cursor)?,
                _ => drop(cursor.skip()?),
            }
            Ok(())
        })
    }

    fn allowed(&mut self, cursor: &mut Cursor<'a>) -> Step {
        cursor.members(|cursor, key| {
            match (&*key.decode(), cursor.kind()?) {
                ("mode", Kind::String) => self.mode = mode(&cursor.string()?.decode()),
                ("tools", Kind::Array) => cursor.items(|cursor| {
                    let mut one = Self::default();
                    match cursor.kind()? {
                        Kind::Object => one.read(cursor)?,
                        _ => drop(cursor.skip()?),
                    }
                    self.foreign |= one.function.is_none();
                    self.only.extend(one.function);
                    Ok::<(), Stop>(())
                })?,
                _ => drop(cursor.skip()?),
            }
            Ok(())
        })
    }

    fn complete(self) -> Option<ToolChoice<'a>> {
        match self.word.as_deref() {
            Some("function") | None => Some(ToolChoice {
                mode: ToolMode::Required,
                only: vec![self.function.filter(|name| !name.is_empty())?],
            }),
            Some("allowed_tools") if !self.only.is_empty() && !self.foreign => {
                Some(ToolChoice { mode: self.mode?, only: self.only })
            }
            Some(_) => None,
        }
    }
}

/// The `name` in an object.
fn name<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Quoted<'a>>, Stop> {
    let mut name = None;
    cursor.members::<Stop>(|cursor, key| {
        match (&*key.decode(), cursor.kind()?) {
            ("name", Kind::String) => name = Some(cursor.string()?.into()),
            _ => drop(cursor.skip()?),
        }
        Ok(())
    })?;
    Ok(name)
}
