//! `tools` and `toolConfig`: what the model may call, and whether it must.
//!
//! In: a caller's objects. Out: their counterparts in a [`Conversation`]; what has none becomes an extra. Must not know: targets.

use super::proto::{self, Step};
use super::schema::json_schema;
use crate::dialect::bad_body::BadBody;
use crate::dialect::canonical::{Conversation, Fate, Tool, ToolChoice, ToolMode};
use crate::json::{Cursor, Quoted};

/// Reads `tools`. Only functions are known elsewhere; what Google itself runs is not.
pub(super) fn tools<'a>(cursor: &mut Cursor<'a>, param: &str, conversation: &mut Conversation<'a>) -> Step {
    proto::each(cursor, |cursor, at| {
        let param = format!("{param}[{at}]");
        proto::members(cursor, &param, |cursor, name, _, key| {
            let param = format!("{param}.{}", key.decode());
            if name == "functionDeclarations" {
                return proto::each(cursor, |cursor, at| function(cursor, &format!("{param}[{at}]"), conversation));
            }
            // `{}` switches a tool on, so an empty object says something here.
            cursor.skip()?;
            conversation.extra(param, Fate::Refused);
            Ok(())
        })
    })
}

fn function<'a>(cursor: &mut Cursor<'a>, param: &str, conversation: &mut Conversation<'a>) -> Step {
    let mut tool = Tool { name: Quoted::default(), description: None, schema: None, strict: None, cache: None };
    let mut google = None;
    proto::members(cursor, param, |cursor, name, _, key| {
        let param = format!("{param}.{}", key.decode());
        match name {
            "name" => tool.name = proto::text(cursor, &param)?,
            "description" => tool.description = Some(proto::text(cursor, &param)?),
            "parameters" => google = Some(cursor.raw()?),
            "parametersJsonSchema" => tool.schema = Some(cursor.raw()?),
            // The official client derives them from a function's return type; no other API takes them.
            "response" | "responseJsonSchema" => drop(cursor.skip()?),
            "behavior" if matches!(&*proto::word(cursor, &param)?, "BLOCKING" | "UNSPECIFIED") => {}
            "behavior" => conversation.extra(param, Fate::Refused),
            _ if proto::says_something(cursor)? => conversation.extra(param, Fate::Refused),
            _ => {}
        }
        Ok(())
    })?;
    if tool.name.is_empty() {
        return Err(BadBody::missing(&format!("{param}.name")).into());
    }
    if let (None, Some(google)) = (&tool.schema, google) {
        tool.schema = Some(json_schema(&google)?);
    }
    conversation.tools.push(tool);
    Ok(())
}

/// Reads `toolConfig`.
pub(super) fn config<'a>(cursor: &mut Cursor<'a>, param: &str, conversation: &mut Conversation<'a>) -> Step {
    proto::members(cursor, param, |cursor, name, _, key| {
        let param = format!("{param}.{}", key.decode());
        match name {
            "functionCallingConfig" => calling(cursor, &param, conversation)?,
            _ if proto::says_something(cursor)? => conversation.extra(param, Fate::Refused),
            _ => {}
        }
        Ok(())
    })
}

fn calling<'a>(cursor: &mut Cursor<'a>, param: &str, conversation: &mut Conversation<'a>) -> Step {
    let mut mode = None;
    let mut only = Vec::new();
    proto::members(cursor, param, |cursor, name, _, key| {
        let param = format!("{param}.{}", key.decode());
        match name {
            "mode" => mode = tool_mode(&proto::word(cursor, &param)?, &param)?,
            "allowedFunctionNames" => proto::each(cursor, |cursor, _| {
                only.push(proto::text(cursor, &param)?);
                Ok(())
            })?,
            _ if proto::says_something(cursor)? => {
                // Whole calls are what everybody else sends; a caller that takes pieces takes them, too.
                let fate = if name == "streamFunctionCallArguments" { Fate::Dropped } else { Fate::Refused };
                conversation.extra(param, fate);
            }
            _ => {}
        }
        Ok(())
    })?;
    if mode.is_some() || !only.is_empty() {
        conversation.tool_choice = Some(ToolChoice { mode: mode.unwrap_or(ToolMode::Auto), only });
    }
    Ok(())
}

fn tool_mode(word: &str, param: &str) -> Result<Option<ToolMode>, BadBody> {
    match word {
        "MODE_UNSPECIFIED" => Ok(None),
        // Calls that conform are what other providers promise, or are held against the schema on their way back.
        "AUTO" | "VALIDATED" => Ok(Some(ToolMode::Auto)),
        "ANY" => Ok(Some(ToolMode::Required)),
        "NONE" => Ok(Some(ToolMode::None)),
        _ => {
            let message =
                format!("Invalid value for '{param}': expected AUTO, ANY, VALIDATED or NONE, but got '{word}'.");
            Err(BadBody::at(param, "invalid_value", message))
        }
    }
}
