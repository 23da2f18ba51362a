//! One message of a Chat Completions request.
//!
//! In: an item of `messages`. Out: a turn of the conversation, or instructions. Must not know: content parts, targets.

use std::borrow::Cow;
use std::collections::HashMap;

use super::parts::content;
use super::read::{object, string};
use super::request::{Step, Stop};
use crate::dialect::bad_body::BadBody;
use crate::dialect::canonical::{Block, Conversation, Fate, Part, Role, ToolCall, ToolResult, Turn};
use crate::json::{Cursor, Kind, Quoted, Raw, Text};

/// Calls of the history so far, to which results belong.
#[derive(Default)]
pub(super) struct Calls<'a> {
    /// The function of each id.
    names: HashMap<String, Quoted<'a>>,
    /// The id that stands for the last `function_call`, which has none.
    legacy: Option<Quoted<'a>>,
}

/// What stands in a message, before its role says which of it counts.
#[derive(Default)]
struct Message<'a> {
    role: Option<Text<'a>>,
    content: Vec<Block<'a>>,
    refusal: Option<Quoted<'a>>,
    thinking: Option<Quoted<'a>>,
    calls: Vec<ToolCall<'a>>,
    name: Option<Quoted<'a>>,
    answers: Option<Quoted<'a>>,
}

/// Takes one message.
pub(super) fn read<'a>(
    cursor: &mut Cursor<'a>,
    at: usize,
    conversation: &mut Conversation<'a>,
    calls: &mut Calls<'a>,
) -> Step {
    let kind = cursor.kind()?;
    if kind != Kind::Object {
        return Err(BadBody::wrong_type(format_args!("messages[{at}]"), "an object", kind).into());
    }
    let mut message = Message::default();
    cursor.members(|cursor, key| message.member(cursor, &key.decode(), at, conversation))?;
    message.complete(at, conversation, calls)
}

impl<'a> Message<'a> {
    fn member(&mut self, cursor: &mut Cursor<'a>, name: &str, at: usize, conversation: &mut Conversation<'a>) -> Step {
        let param = || format!("messages[{at}].{name}");
        match (name, cursor.kind()?) {
            ("content", _) => self.content = content(cursor, &param(), conversation)?,
            (_, Kind::Null) => drop(cursor.skip()?),
            ("role", Kind::String) => self.role = Some(cursor.string()?),
            ("refusal", kind) => self.refusal = Some(string(cursor, kind, &param())?).filter(|text| !text.is_empty()),
            // Servers of open models take thinking back under these names.
            ("reasoning_content" | "reasoning", Kind::String) => self.thinking = Some(cursor.string()?.into()),
            ("tool_calls", Kind::Array) => self.calls(cursor, at, conversation)?,
            ("function_call", kind) => {
                object(kind, &param())?;
                let id = Quoted::of(&format!("call_{at}")).into_owned();
                let call = function(cursor, id, &param, conversation)?;
                self.calls.push(call);
            }
            ("name", kind) => self.name = Some(string(cursor, kind, &param())?),
            ("tool_call_id", kind) => self.answers = Some(string(cursor, kind, &param())?),
            // Web pages that an answer cites, sent back; and the object that OpenAI's SDK read out of the content.
            ("annotations" | "parsed", _) => drop(cursor.skip()?),
            ("role", kind) => return Err(BadBody::wrong_type(param(), "a string", kind).into()),
            ("tool_calls", kind) => return Err(BadBody::wrong_type(param(), "an array", kind).into()),
            _ => {
                cursor.skip()?;
                conversation.extra(param(), Fate::Refused);
            }
        }
        Ok(())
    }

    fn calls(&mut self, cursor: &mut Cursor<'a>, at: usize, conversation: &mut Conversation<'a>) -> Step {
        let mut position = 0;
        cursor.items(|cursor| {
            let param = || format!("messages[{at}].tool_calls[{position}]");
            let kind = cursor.kind()?;
            object(kind, &param())?;
            self.calls.extend(call(cursor, &param, conversation)?);
            position += 1;
            Ok::<(), Stop>(())
        })
    }

    fn complete(self, at: usize, conversation: &mut Conversation<'a>, calls: &mut Calls<'a>) -> Step {
        let param = |member: &str| format!("messages[{at}].{member}");
        let Some(role) = self.role else {
            return Err(BadBody::missing(&param("role")).into());
        };
        let role = role.decode();
        if self.name.is_some() && role != "function" {
            conversation.extra(param("name"), Fate::Dropped);
        }
        let turn = |role, blocks| Turn { role, blocks, at };
        match &*role {
            "system" | "developer" => {
                if self.content.iter().any(|block| !matches!(block.part, Part::Text(_))) {
                    conversation.extra(param("content"), Fate::Refused);
                }
                if conversation.turns.is_empty() {
                    conversation.system.extend(self.content);
                } else {
                    conversation.turns.push(turn(Role::System, self.content));
                }
            }
            "user" => conversation.turns.push(turn(Role::User, self.content)),
            "assistant" => {
                let blocks = self.assistant(at, calls);
                conversation.turns.push(turn(Role::Assistant, blocks));
            }
            "tool" | "function" => {
                let result = self.result(at, role == "function", calls)?;
                conversation.turns.push(turn(Role::User, vec![Part::Result(result).into()]));
            }
            _ => {
                let param = param("role");
                let message = format!(
                    "Invalid value for '{param}': expected 'system', 'developer', 'user', 'assistant' or 'tool'."
                );
                return Err(BadBody::at(param, "invalid_value", message).into());
            }
        }
        Ok(())
    }

    /// In the order in which a model says it.
    fn assistant(self, at: usize, calls: &mut Calls<'a>) -> Vec<Block<'a>> {
        let mut blocks = Vec::with_capacity(self.content.len() + self.calls.len());
        blocks.extend(self.thinking.map(|text| Part::Thinking(text).into()));
        blocks.extend(self.content);
        blocks.extend(self.refusal.map(|text| Part::Refusal(text).into()));
        for call in self.calls {
            calls.names.insert(call.id.decode().into_owned(), call.name.clone());
            if call.id.written() == format!("call_{at}") {
                calls.legacy = Some(call.id.clone());
            }
            blocks.push(Part::Call(call).into());
        }
        blocks
    }

    fn result(self, at: usize, legacy: bool, calls: &Calls<'a>) -> Result<ToolResult<'a>, BadBody> {
        let member = if legacy { "name" } else { "tool_call_id" };
        let param = format!("messages[{at}].{member}");
        let id = if legacy { calls.legacy.clone() } else { self.answers };
        let Some(id) = id.filter(|_| !legacy || self.name.is_some()) else {
            return Err(BadBody::missing(&param));
        };
        let Some(name) = calls.names.get(&*id.decode()).cloned() else {
            let message = format!(
                "'{param}' answers no call: no assistant message before it calls '{}'. Send the message that does, too.",
                id.decode()
            );
            return Err(BadBody::at(param, "invalid_value", message));
        };
        let parts = self.content.into_iter().map(|block| block.part).collect();
        Ok(ToolResult { id, name: Some(name), parts, json: None, error: false })
    }
}

/// An item of `tool_calls`; `None` for one that is no function.
fn call<'a>(
    cursor: &mut Cursor<'a>,
    param: &dyn Fn() -> String,
    conversation: &mut Conversation<'a>,
) -> Result<Option<ToolCall<'a>>, Stop> {
    let (mut id, mut inner) = (Quoted::default(), None);
    cursor.members::<Stop>(|cursor, key| {
        let name = key.decode();
        match (&*name, cursor.kind()?) {
            ("id", Kind::String) => id = cursor.string()?.into(),
            ("function", Kind::Object) => inner = Some(function(cursor, Quoted::default(), param, conversation)?),
            // Some clients send the number of a streamed call back.
            ("type" | "index", _) | (_, Kind::Null) => drop(cursor.skip()?),
            _ => {
                cursor.skip()?;
                conversation.extra(format!("{}.{name}", param()), Fate::Refused);
            }
        }
        Ok(())
    })?;
    if inner.is_none() && conversation.extras.iter().all(|extra| extra.fate != Fate::Refused) {
        return Err(BadBody::missing(&format!("{}.function", param())).into());
    }
    Ok(inner.map(|call| ToolCall { id, ..call }))
}

fn function<'a>(
    cursor: &mut Cursor<'a>,
    id: Quoted<'a>,
    param: &dyn Fn() -> String,
    conversation: &mut Conversation<'a>,
) -> Result<ToolCall<'a>, Stop> {
    let mut call = ToolCall { id, name: Quoted::default(), arguments: Raw("{}".into()) };
    cursor.members::<Stop>(|cursor, key| {
        let name = key.decode();
        let at = || format!("{}.function.{name}", param());
        match (&*name, cursor.kind()?) {
            (_, Kind::Null) => drop(cursor.skip()?),
            ("name", kind) => call.name = string(cursor, kind, &at())?,
            ("arguments", Kind::String) => {
                call.arguments = object_in(cursor.string()?.into()).ok_or_else(|| {
                    let message = format!(
                        "'{}' is not a JSON object in a string, so only the model that wrote it could read it. Send \
                         '{{}}' or the object that was meant.",
                        at()
                    );
                    BadBody::at(at(), "invalid_value", message)
                })?;
            }
            ("arguments", kind) => return Err(BadBody::wrong_type(at(), "a string", kind).into()),
            // The same again: what OpenAI's SDK read out of them, sent back with an answer of `parse` or `stream`.
            ("parsed_arguments", _) => drop(cursor.skip()?),
            _ => {
                cursor.skip()?;
                conversation.extra(at(), Fate::Refused);
            }
        }
        Ok(())
    })?;
    if call.name.is_empty() {
        return Err(BadBody::missing(&format!("{}.function.name", param())).into());
    }
    Ok(call)
}

/// The JSON object in a string; nothing at all is an empty one.
pub(super) fn object_in(text: Quoted<'_>) -> Option<Raw<'_>> {
    let json = text.into_text();
    let json = match json {
        Cow::Borrowed(json) => Cow::Borrowed(json.trim_ascii()),
        Cow::Owned(json) if json.trim_ascii().len() == json.len() => Cow::Owned(json),
        Cow::Owned(json) => Cow::Owned(json.trim_ascii().to_owned()),
    };
    if json.is_empty() {
        return Some(Raw("{}".into()));
    }
    let whole = Cursor::new(json.as_bytes()).and_then(|mut cursor| {
        let kind = cursor.kind()?;
        cursor.skip()?;
        cursor.finish()?;
        Ok(kind == Kind::Object)
    });
    (whole == Ok(true)).then_some(Raw(json))
}
