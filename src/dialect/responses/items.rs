//! What was said, as the items of `input`.
//!
//! In: turns. Out: items in order, or a refusal that names the turn. Must not know: the other fields of a request.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::media::{FILE_NAME, write_data_url};
use super::write::write_json_text;
use crate::dialect::bad_body::BadBody;
use crate::dialect::canonical::{
    Block, Conversation, Ids, Media, MediaKind, Notes, Once, Part, Role, Source, Target, ToolResult, Turn,
};
use crate::json::Quoted;
use crate::json::write::{Array, Object, array, object};

/// Longest `call_id`, in bytes, as the API allows.
pub const MAX_CALL_ID: usize = 64;

/// Writes the list.
pub(super) fn write_input(
    conversation: &Conversation<'_>,
    target: &Target<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), BadBody> {
    conversation.begun_as_history(target, notes)?;
    let mut items = Items { conversation, target, ids: Ids::default(), waiting: Vec::new(), once: Once::default() };
    // INVARIANT: of a list that cannot be finished nothing is sent.
    let mut outcome = Ok(());
    array(out, |list| outcome = conversation.turns.iter().try_for_each(|turn| items.turn(list, turn)));
    outcome?;
    if let Some((_, at)) = items.waiting.first() {
        return Err(items.refuse(*at, "wants the result of every call"));
    }
    items.once.note(notes);
    Ok(())
}

/// The texts among blocks.
pub(super) fn texts<'b>(blocks: &'b [Block<'_>]) -> impl Iterator<Item = &'b Quoted<'b>> {
    blocks.iter().filter_map(|block| match &block.part {
        Part::Text(text) | Part::Refusal(text) => Some(text),
        _ => None,
    })
}

struct Items<'c> {
    conversation: &'c Conversation<'c>,
    target: &'c Target<'c>,
    ids: Ids<'c>,
    /// Calls that no result answered yet, and their turns.
    waiting: Vec<(Quoted<'c>, usize)>,
    once: Once,
}

impl<'c> Items<'c> {
    fn refuse(&self, at: usize, why: &str) -> BadBody {
        self.conversation.refuse_in_turn(at, self.target, why)
    }

    fn turn(&mut self, list: &mut Array<'_>, turn: &'c Turn<'c>) -> Result<(), BadBody> {
        match turn.role {
            Role::Assistant => {
                self.assistant(list, turn);
                Ok(())
            }
            Role::User => self.user(list, turn),
            Role::System => {
                message(list, "system", &turn.blocks);
                Ok(())
            }
        }
    }

    /// Texts between two calls are one message.
    fn assistant(&mut self, list: &mut Array<'_>, turn: &'c Turn<'c>) {
        let mut from = 0;
        for (place, block) in turn.blocks.iter().enumerate() {
            match &block.part {
                Part::Call(call) => {
                    said(list, &turn.blocks[from..place]);
                    from = place + 1;
                    let id = self.ids.call(call);
                    list.object(|o| {
                        o.text("type", "function_call");
                        o.quoted("call_id", &short(&id));
                        o.quoted("name", &call.name);
                        write_json_text(o.member("arguments"), &call.arguments);
                    });
                    self.waiting.push((id, turn.at));
                }
                Part::Thinking(_) => self.once.thinking = true,
                Part::Text(_) | Part::Refusal(_) | Part::Media(_) | Part::Result(_) => {}
            }
        }
        said(list, &turn.blocks[from..]);
    }

    fn user(&mut self, list: &mut Array<'_>, turn: &'c Turn<'c>) -> Result<(), BadBody> {
        for block in &turn.blocks {
            if let Part::Result(result) = &block.part {
                self.result(list, result, turn.at)?;
            }
        }
        let rest = || turn.blocks.iter().map(|block| &block.part).filter(|part| !matches!(part, Part::Result(_)));
        let mut texts = rest().filter(|part| matches!(part, Part::Text(_)));
        match (texts.next(), texts.next(), rest().count()) {
            (_, _, 0) => Ok(()),
            (Some(Part::Text(text)), None, 1) => {
                list.object(|o| {
                    o.text("role", "user");
                    o.quoted("content", text);
                });
                Ok(())
            }
            _ => {
                let mut outcome = Ok(());
                list.object(|o| {
                    o.text("role", "user");
                    o.array("content", |list| outcome = rest().try_for_each(|part| self.part(list, part, turn.at)));
                });
                outcome
            }
        }
    }

    fn result(&mut self, list: &mut Array<'_>, result: &'c ToolResult<'c>, at: usize) -> Result<(), BadBody> {
        let id = self.ids.result(result);
        let Some(place) = self.waiting.iter().position(|(known, _)| *known == id || known.decode() == id.decode())
        else {
            return Err(self.refuse(at, "is told results only of calls that stand before them"));
        };
        self.waiting.remove(place);
        self.once.errors |= result.error;
        let mut outcome = Ok(());
        list.object(|o| {
            o.text("type", "function_call_output");
            o.quoted("call_id", &short(&id));
            outcome = self.output(o, result, at);
        });
        outcome
    }

    fn output(&mut self, o: &mut Object<'_>, result: &'c ToolResult<'c>, at: usize) -> Result<(), BadBody> {
        match (&result.json, &result.parts[..]) {
            (Some(json), _) => write_json_text(o.member("output"), json),
            (None, []) => o.text("output", ""),
            (None, [Part::Text(text)]) => o.quoted("output", text),
            (None, parts) => {
                let mut outcome = Ok(());
                o.array("output", |list| outcome = parts.iter().try_for_each(|part| self.part(list, part, at)));
                return outcome;
            }
        }
        Ok(())
    }

    fn part(&mut self, list: &mut Array<'_>, part: &Part<'_>, at: usize) -> Result<(), BadBody> {
        match part {
            Part::Text(text) | Part::Refusal(text) => input_text(list, text),
            Part::Media(media) => return self.media(list, media, at),
            Part::Thinking(_) => self.once.thinking = true,
            Part::Call(_) | Part::Result(_) => return Err(self.refuse(at, "takes calls only from the assistant")),
        }
        Ok(())
    }

    fn media(&mut self, list: &mut Array<'_>, media: &Media<'_>, at: usize) -> Result<(), BadBody> {
        let able = self.target.able;
        let why = match (media.kind, &media.source) {
            (_, Source::File(_)) => "cannot open files that were uploaded to another provider",
            (MediaKind::Image, _) if able.vision == Some(false) => "takes no images",
            (MediaKind::Document, Source::Inline { .. } | Source::Url(_)) if able.pdf == Some(false) => {
                "takes no files"
            }
            (MediaKind::Audio, _) => "takes no audio in this API",
            (MediaKind::Video, _) => "takes no video",
            (_, Source::Text(text)) => {
                self.once.documents = true;
                input_text(list, text);
                return Ok(());
            }
            (MediaKind::Image, source) => {
                list.object(|o| {
                    o.text("type", "input_image");
                    write_source(o, "image_url", source);
                    o.text("detail", &media.detail.as_ref().map_or("auto".into(), Quoted::decode));
                });
                return Ok(());
            }
            (MediaKind::Document, source) => {
                list.object(|o| {
                    o.text("type", "input_file");
                    if let Source::Inline { mime, data } = source {
                        file_name(o, media.name.as_ref(), mime);
                        write_data_url(o.member("file_data"), mime, data);
                    } else {
                        write_source(o, "file_url", source);
                    }
                });
                return Ok(());
            }
        };
        Err(self.refuse(at, why))
    }
}

/// An id that this API takes: the caller's own where it does.
fn short<'i>(id: &Quoted<'i>) -> Quoted<'i> {
    let whole = id.decode();
    if whole.len() <= MAX_CALL_ID {
        return id.clone();
    }
    let mut short = "call_".to_owned();
    for byte in Sha256::digest(whole.as_bytes()).iter().take(16) {
        // Writing to a string cannot fail.
        let _ = write!(short, "{byte:02x}");
    }
    Quoted::of(&short).into_owned()
}

fn file_name(o: &mut Object<'_>, name: Option<&Quoted<'_>>, mime: &str) {
    match name {
        Some(name) => o.quoted("filename", name),
        None => {
            let kind = mime.rsplit_once('/').map_or("pdf", |(_, kind)| kind);
            let kind = if kind == "plain" { "txt" } else { kind };
            o.text("filename", &format!("{FILE_NAME}.{kind}"));
        }
    }
}

fn write_source(o: &mut Object<'_>, name: &str, source: &Source<'_>) {
    match source {
        Source::Inline { mime, data } => write_data_url(o.member(name), mime, data),
        Source::Url(text) | Source::File(text) | Source::Text(text) => o.quoted(name, text),
    }
}

fn input_text(list: &mut Array<'_>, text: &Quoted<'_>) {
    list.object(|o| {
        o.text("type", "input_text");
        o.quoted("text", text);
    });
}

/// What the model said, as one text; nothing where it said nothing.
fn said(list: &mut Array<'_>, blocks: &[Block<'_>]) {
    if texts(blocks).any(|text| !text.is_empty()) {
        message(list, "assistant", blocks);
    }
}

fn message(list: &mut Array<'_>, role: &str, blocks: &[Block<'_>]) {
    object(list.item(), |o| {
        o.text("role", role);
        let out = o.member("content");
        out.push(b'"');
        texts(blocks).for_each(|text| out.extend_from_slice(text.written().as_bytes()));
        out.push(b'"');
    });
}
