//! `contents`: what was said, and which result answers which call.
//!
//! In: a caller's list. Out: turns whose calls and results have ids. Must not know: targets.
//!
//! Models before Gemini 3 give calls no ids, and results name the function instead. Such a call gets the id `call_N`, N counting
//! from 0 through the conversation: the same history gives the same ids, however long it grows, so prompts that providers keep
//! stay the same. A result answers the earliest unanswered call of its name in the model's last turn.

use std::mem;

use super::parts::{self, Read};
use super::proto::{self, Step, Stop};
use crate::dialect::bad_body::BadBody;
use crate::dialect::canonical::{Block, Conversation, Part, Role, ToolCall, ToolResult, Turn, open_calls};
use crate::json::{Cursor, Kind, Quoted};

/// Reads one content after the other.
#[derive(Default)]
pub(super) struct Turns<'a> {
    /// What was read.
    pub turns: Vec<Turn<'a>>,
    /// Calls without a result so far.
    open: Vec<Open<'a>>,
    invented: usize,
}

struct Open<'a> {
    id: Quoted<'a>,
    name: Quoted<'a>,
    invented: bool,
}

impl<'a> Turns<'a> {
    /// Takes `contents[at]`.
    pub(super) fn content(&mut self, cursor: &mut Cursor<'a>, at: usize, conversation: &mut Conversation<'a>) -> Step {
        let param = format!("contents[{at}]");
        let mut role = Role::User;
        let mut read = Read::default();
        proto::members(cursor, &param, |cursor, name, kind, key| {
            let param = format!("{param}.{}", key.decode());
            match name {
                "role" => role = role_of(cursor, kind, &param)?,
                "parts" => {
                    proto::each(cursor, |cursor, at| parts::part(cursor, &format!("{param}[{at}]"), &mut read))?;
                }
                _ if proto::says_something(cursor)? => read.refuse(param),
                _ => {}
            }
            Ok(())
        })?;
        read.hand_over(conversation);
        let mut blocks = mem::take(&mut read.parts);
        if role == Role::Assistant && self.turns.last().is_none_or(|turn| turn.role != Role::Assistant) {
            self.open.clear();
        }
        for part in &mut blocks {
            match part {
                Part::Call(call) => self.called(call, &param)?,
                Part::Result(result) => self.answered(result, &param)?,
                _ => {}
            }
        }
        self.turns.push(Turn { role, blocks: blocks.into_iter().map(Block::from).collect(), at });
        Ok(())
    }

    fn called(&mut self, call: &mut ToolCall<'a>, param: &str) -> Result<(), BadBody> {
        if self.open.len() == open_calls::MAX_OPEN_CALLS {
            return Err(open_calls::too_many(param.to_owned()));
        }
        let invented = call.id.is_empty();
        if invented {
            call.id = Quoted::of(&format!("call_{}", self.invented)).into_owned();
            self.invented += 1;
        }
        self.open.push(Open { id: call.id.clone(), name: call.name.clone(), invented });
        Ok(())
    }

    fn answered(&mut self, result: &mut ToolResult<'a>, param: &str) -> Result<(), BadBody> {
        let bare = result.id.is_empty();
        let by_id = self.open.iter().position(|call| !bare && call.id == result.id);
        let by_name = || {
            let named = |call: &Open<'_>| (bare || call.invented) && result.name.as_ref() == Some(&call.name);
            self.open.iter().position(named)
        };
        match by_id.or_else(by_name) {
            Some(place) => {
                let call = self.open.remove(place);
                result.id = call.id;
                result.name = Some(call.name);
                Ok(())
            }
            // A writer knows whether the call is further up.
            None if !bare => Ok(()),
            None => {
                let name = result.name.as_ref().map(Quoted::decode).unwrap_or_default();
                let message = format!(
                    "'{param}' holds a functionResponse named '{name}', but the model's last turn has no unanswered \
                     functionCall of that name. Send the functionCall before its functionResponse."
                );
                Err(BadBody::at(param, "invalid_value", message))
            }
        }
    }
}

fn role_of(cursor: &mut Cursor<'_>, kind: Kind, param: &str) -> Result<Role, Stop> {
    if kind != Kind::String {
        return Err(BadBody::wrong_type(param, "a string", kind).into());
    }
    match &*cursor.string()?.decode() {
        // `function` is the older role of results.
        "user" | "function" | "" => Ok(Role::User),
        "model" => Ok(Role::Assistant),
        other => {
            let message = format!("Invalid value for '{param}': expected 'user' or 'model', but got '{other}'.");
            Err(BadBody::at(param, "invalid_value", message).into())
        }
    }
}
