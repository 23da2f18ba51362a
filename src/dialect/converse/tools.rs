//! Functions that may be called.
//!
//! In: a conversation's tools and the choice among them. Out: `toolConfig`, or the word that there is none. Must not know:
//! messages, but for whether they hold calls.

use crate::dialect::bad_body::BadBody;
use crate::dialect::canonical::{
    CacheMark, Conversation, Field, Notes, Part, Target, Tool, ToolChoice, ToolMode, UNSUPPORTED,
};
use crate::json::Quoted;
use crate::json::write::{Array, Object};

/// Longest name of a function.
const MAX_NAME: usize = 64;
/// The schema of a function that takes nothing.
const NO_ARGUMENTS: &[u8] = br#"{"type":"object","properties":{}}"#;

/// What is offered, decided before a byte is written.
pub(super) struct Tools<'s> {
    offered: Vec<&'s Tool<'s>>,
    choice: Option<Choice<'s>>,
    caches: bool,
}

enum Choice<'s> {
    Auto,
    Any,
    One(&'s Quoted<'s>),
}

impl<'s> Tools<'s> {
    /// Of a conversation.
    ///
    /// # Errors
    /// The refusal of what the target cannot carry.
    pub(super) fn of(
        conversation: &'s Conversation<'s>,
        target: &Target<'_>,
        notes: &mut Notes,
    ) -> Result<Self, BadBody> {
        let none = Self { offered: Vec::new(), choice: None, caches: target.able.prompt_caching == Some(true) };
        let history = has_calls(conversation);
        if conversation.tools.is_empty() {
            return if history { Err(undefined(conversation, target)) } else { Ok(none) };
        }
        if target.able.tools == Some(false) {
            return Err(conversation.refuse(Field::Tools, target, "calls no functions"));
        }
        if let Some(tool) = conversation.tools.iter().find(|tool| !is_name(&tool.name.decode())) {
            let why = format!(
                "takes names of 1 to {MAX_NAME} letters, digits, '_' and '-', and not '{}'",
                tool.name.decode().chars().take(MAX_NAME).collect::<String>()
            );
            return Err(conversation.refuse(Field::Tools, target, &why));
        }
        let mut mode = conversation.tool_choice.as_ref().map(|choice| choice.mode);
        if mode == Some(ToolMode::None) {
            if !history {
                return Ok(none);
            }
            let why = "must be offered the functions that its history calls, and then may call them";
            conversation.drop_or_refuse(Field::ToolChoice, target, notes, why)?;
            mode = None;
        }
        if mode == Some(ToolMode::Required) && target.able.forced_tool_choice == Some(false) {
            conversation.drop_or_refuse(Field::ToolChoice, target, notes, "cannot be made to call a function")?;
            mode = Some(ToolMode::Auto);
        }
        if conversation.one_call {
            conversation.drop_or_refuse(Field::OneCall, target, notes, "may call several functions at once")?;
        }
        let only = conversation.tool_choice.as_ref().map_or(&[][..], |choice| &choice.only);
        let names = conversation.tool_choice.as_ref().map(ToolChoice::names).unwrap_or_default();
        let wanted = |tool: &&Tool<'_>| names.is_empty() || names.contains(&tool.name.decode());
        let offered: Vec<_> = conversation.tools.iter().filter(wanted).collect();
        let choice = match (mode, only) {
            (None | Some(ToolMode::None), _) => None,
            (Some(ToolMode::Auto), _) => Some(Choice::Auto),
            (Some(ToolMode::Required), [one]) => Some(Choice::One(one)),
            (Some(ToolMode::Required), _) => Some(Choice::Any),
        };
        if offered.is_empty() {
            return Err(conversation.refuse(Field::ToolChoice, target, "is not offered the function that it names"));
        }
        Ok(Self { offered, choice, ..none })
    }

    /// Writes the member, if there is anything to offer.
    pub(super) fn write(&self, o: &mut Object<'_>) {
        if self.offered.is_empty() {
            return;
        }
        o.object("toolConfig", |o| {
            o.array("tools", |list| self.offered.iter().for_each(|tool| self.tool(list, tool)));
            match &self.choice {
                None => {}
                Some(Choice::Auto) => o.object("toolChoice", |o| o.object("auto", |_| {})),
                Some(Choice::Any) => o.object("toolChoice", |o| o.object("any", |_| {})),
                Some(Choice::One(name)) => {
                    o.object("toolChoice", |o| o.object("tool", |o| o.quoted("name", name)));
                }
            }
        });
    }

    fn tool(&self, list: &mut Array<'_>, tool: &Tool<'_>) {
        list.object(|o| {
            o.object("toolSpec", |o| {
                o.quoted("name", &tool.name);
                if let Some(description) = tool.description.as_ref().filter(|text| !text.is_empty()) {
                    o.quoted("description", description);
                }
                o.object("inputSchema", |o| match &tool.schema {
                    Some(schema) => o.raw("json", schema),
                    None => o.member("json").extend_from_slice(NO_ARGUMENTS),
                });
                if let Some(strict) = tool.strict {
                    o.boolean("strict", strict);
                }
            });
        });
        if self.caches
            && let Some(mark) = tool.cache
        {
            list.object(|o| cache_point(o, mark));
        }
    }
}

/// The prompt up to here is worth keeping.
pub(super) fn cache_point(o: &mut Object<'_>, mark: CacheMark) {
    o.object("cachePoint", |o| {
        o.text("type", "default");
        if mark == CacheMark::Hour {
            o.text("ttl", "1h");
        }
    });
}

fn has_calls(conversation: &Conversation<'_>) -> bool {
    let mut blocks = conversation.turns.iter().flat_map(|turn| &turn.blocks);
    blocks.any(|block| matches!(block.part, Part::Call(_) | Part::Result(_)))
}

fn undefined(conversation: &Conversation<'_>, target: &Target<'_>) -> BadBody {
    let (param, model) = (Field::Tools.of(conversation.from), target.model);
    let message = format!(
        "'{param}' is missing: the model '{model}', which would answer, must be told the functions that the messages call. \
         Send their definitions again."
    );
    BadBody::at(param, UNSUPPORTED, message)
}

fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_to_the_limit_and_not_with_odd_characters() {
        assert!(is_name(&"n".repeat(MAX_NAME)) && is_name("get_weather-2"));
        assert!(!is_name(&"n".repeat(MAX_NAME + 1)) && !is_name("") && !is_name("a.b"));
    }
}
