//! Instructions and messages.
//!
//! In: a conversation's blocks and turns. Out: `system` and `messages`: roles that alternate, results before everything else, no
//! empty text. Must not know: tools, settings.

use super::ids::fitting;
use super::media::{self, Names};
use super::tools::cache_point;
use crate::dialect::bad_body::BadBody;
use crate::dialect::canonical::{
    Block, CacheMark, Conversation, Field, Ids, Notes, Part, Role, Target, ToolCall, ToolResult, Turn,
};
use crate::json::write::{self, Array, Object};
use crate::json::{Cursor, Kind, Quoted, Raw};

/// What has been said, on its way into Converse.
pub(super) struct Turns<'w, 's> {
    conversation: &'s Conversation<'s>,
    target: &'w Target<'w>,
    notes: &'w mut Notes,
    ids: Ids<'s>,
    names: Names,
    thoughts: bool,
}

/// Neighbors of one role are one message here.
struct Message<'s> {
    role: Role,
    at: usize,
    turns: Vec<&'s Turn<'s>>,
}

impl<'w, 's> Turns<'w, 's> {
    pub(super) fn of(conversation: &'s Conversation<'s>, target: &'w Target<'w>, notes: &'w mut Notes) -> Self {
        Self { conversation, target, notes, ids: Ids::default(), names: Names::default(), thoughts: false }
    }

    /// Writes `system` and `messages`.
    ///
    /// # Errors
    /// The refusal of what the target cannot carry.
    pub(super) fn write(mut self, o: &mut Object<'_>) -> Result<(), BadBody> {
        if self.conversation.system.iter().any(|block| text_of(&block.part).is_some()) {
            o.array("system", |list| self.system(list));
        }
        let messages = self.messages()?;
        let mut outcome = Ok(());
        o.array("messages", |list| outcome = messages.iter().try_for_each(|message| self.message(list, message)));
        if self.thoughts {
            self.notes.dropped.push("reasoning".into());
        }
        outcome
    }

    /// Texts between two marks are one, with blank lines where one ends.
    fn system(&self, list: &mut Array<'_>) {
        let mut open: Option<Quoted<'_>> = None;
        for block in &self.conversation.system {
            if let Some(text) = text_of(&block.part) {
                match &mut open {
                    None => open = Some(text.clone()),
                    Some(open) => {
                        open.push(&Quoted::of("\n\n"));
                        open.push(text);
                    }
                }
            }
            if let Some(mark) = self.mark(block)
                && let Some(text) = open.take()
            {
                list.object(|o| o.quoted("text", &text));
                list.object(|o| cache_point(o, mark));
            }
        }
        if let Some(text) = open {
            list.object(|o| o.quoted("text", &text));
        }
    }

    fn messages(&mut self) -> Result<Vec<Message<'s>>, BadBody> {
        let mut messages: Vec<Message<'s>> = Vec::with_capacity(self.conversation.turns.len());
        for turn in &self.conversation.turns {
            if turn.role == Role::System && self.target.able.mid_conversation_system != Some(true) {
                let why = "takes instructions only before the first message";
                return Err(self.conversation.refuse_in_turn(turn.at, self.target, why));
            }
            let thoughts = turn.blocks.iter().filter(|block| matches!(block.part, Part::Thinking(_))).count();
            self.thoughts |= thoughts > 0;
            if thoughts > 0 && thoughts == turn.blocks.len() {
                continue;
            }
            match messages.last_mut() {
                Some(last) if last.role == turn.role => last.turns.push(turn),
                _ => messages.push(Message { role: turn.role, at: turn.at, turns: vec![turn] }),
            }
        }
        if let Some(last) = messages.last()
            && last.role == Role::Assistant
            && self.target.able.assistant_prefill == Some(false)
        {
            let why = "does not go on with a message that was begun for it";
            return Err(self.conversation.refuse_in_turn(last.at, self.target, why));
        }
        match messages.first() {
            Some(first) if first.role == Role::User => Ok(messages),
            Some(first) => {
                let why = "must be spoken to before it speaks";
                Err(self.conversation.refuse_in_turn(first.at, self.target, why))
            }
            None => Err(self.conversation.refuse(Field::Turns, self.target, "must be asked something")),
        }
    }

    fn message(&mut self, list: &mut Array<'_>, message: &Message<'s>) -> Result<(), BadBody> {
        let blocks = || message.turns.iter().flat_map(|turn| turn.blocks.iter().map(move |block| (turn.at, block)));
        if !blocks().any(|(_, block)| says_something(&block.part)) {
            return Err(self.conversation.refuse_in_turn(message.at, self.target, "takes no empty messages"));
        }
        let mut outcome = Ok(());
        list.object(|o| {
            o.text(
                "role",
                match message.role {
                    Role::System => "system",
                    Role::User => "user",
                    Role::Assistant => "assistant",
                },
            );
            o.array("content", |list| {
                for results in [true, false] {
                    for (at, block) in blocks().filter(|(_, block)| matches!(block.part, Part::Result(_)) == results) {
                        outcome = self.block(list, at, block);
                        if outcome.is_err() {
                            return;
                        }
                    }
                }
            });
        });
        outcome
    }

    fn block(&mut self, list: &mut Array<'_>, at: usize, block: &'s Block<'s>) -> Result<(), BadBody> {
        if !says_something(&block.part) {
            return Ok(());
        }
        self.part(list, at, &block.part)?;
        if let Some(mark) = self.mark(block) {
            list.object(|o| cache_point(o, mark));
        }
        Ok(())
    }

    fn part(&mut self, list: &mut Array<'_>, at: usize, part: &'s Part<'s>) -> Result<(), BadBody> {
        let mut outcome = Ok(false);
        match part {
            Part::Text(text) | Part::Refusal(text) => list.object(|o| o.quoted("text", text)),
            Part::Thinking(_) => {}
            Part::Call(call) => list.object(|o| o.object("toolUse", |o| self.call(o, call))),
            Part::Result(result) => {
                let mut inside = Ok(());
                list.object(|o| o.object("toolResult", |o| inside = self.result(o, at, result)));
                return inside;
            }
            Part::Media(media) => {
                list.object(|o| outcome = media::write(o, media, self.target, &mut self.names));
            }
        }
        let renamed = outcome.map_err(|why| self.conversation.refuse_in_turn(at, self.target, why))?;
        if renamed {
            let turns = Field::Turns.of(self.conversation.from);
            self.notes.adapted.push(format!("{turns}[{at}] document name").into());
        }
        Ok(())
    }

    fn call(&mut self, o: &mut Object<'_>, call: &'s ToolCall<'s>) {
        o.text("toolUseId", &fitting(self.ids.call(call).decode()));
        o.quoted("name", &call.name);
        o.raw("input", &call.arguments);
    }

    fn result(&mut self, o: &mut Object<'_>, at: usize, result: &'s ToolResult<'s>) -> Result<(), BadBody> {
        o.text("toolUseId", &fitting(self.ids.result(result).decode()));
        let mut outcome = Ok(());
        o.array("content", |list| {
            if let Some(json) = &result.json {
                list.object(|o| value(o, json));
            }
            outcome =
                result.parts.iter().filter(|part| says_something(part)).try_for_each(|part| self.part(list, at, part));
        });
        if result.error {
            o.text("status", "error");
        }
        outcome
    }

    fn mark(&self, block: &Block<'_>) -> Option<CacheMark> {
        block.cache.filter(|_| self.target.able.prompt_caching == Some(true))
    }
}

/// `json` takes objects alone; every other value is a text.
fn value(o: &mut Object<'_>, json: &Raw<'_>) {
    let kind = Cursor::new(json.0.as_bytes()).and_then(|mut cursor| cursor.kind());
    match kind {
        Ok(Kind::Object) => o.raw("json", json),
        Ok(Kind::String) => o.raw("text", json),
        _ => write::text(o.member("text"), &json.0),
    }
}

fn text_of<'p, 's>(part: &'p Part<'s>) -> Option<&'p Quoted<'s>> {
    match part {
        Part::Text(text) if !text.is_empty() => Some(text),
        _ => None,
    }
}

fn says_something(part: &Part<'_>) -> bool {
    match part {
        Part::Text(text) | Part::Refusal(text) => !text.is_empty(),
        Part::Thinking(_) => false,
        Part::Media(_) | Part::Call(_) | Part::Result(_) => true,
    }
}
