//! `contents` for a Gemini model: turns that alternate, results before words.
//!
//! In: the turns of a [`Conversation`]. Out: Google's contents, written; or a refusal that names the turn. Must not know: the rest
//! of the request.

use super::compact::compact;
use super::parts::{FILES, mime_of_name};
use crate::dialect::bad_body::BadBody;
use crate::dialect::canonical::{
    Block, Conversation, Media, MediaKind, Notes, Part, Role, Source, Target, ToolCall, ToolResult, Turn,
};
use crate::json::{Quoted, Raw, write};
use crate::names::GeminiGeneration as Generation;

/// What Google publishes for calls of another model, or of none, whose signature cannot be given back (Gemini API, "Thought
/// signatures", 2026). Without it, models since Gemini 3 refuse the history.
const FOREIGN_SIGNATURE: &str = "skip_thought_signature_validator";

/// What a block says in words.
pub(super) fn words<'b, 'a>(block: &'b Block<'a>) -> Option<&'b Quoted<'a>> {
    match &block.part {
        Part::Text(text) | Part::Refusal(text) => Some(text),
        Part::Media(_) | Part::Call(_) | Part::Result(_) | Part::Thinking(_) => None,
    }
}

/// Writes the turns.
pub(super) struct Contents<'c, 'a> {
    conversation: &'c Conversation<'a>,
    target: &'c Target<'c>,
    generation: Generation,
    notes: &'c mut Notes,
    /// Calls of the model's last turn without a result so far, and the turn.
    open: Vec<(&'c ToolCall<'a>, usize)>,
}

type Turns<'c, 'a> = [&'c Turn<'a>];

impl<'c, 'a> Contents<'c, 'a> {
    pub(super) fn new(
        conversation: &'c Conversation<'a>,
        target: &'c Target<'c>,
        generation: Generation,
        notes: &'c mut Notes,
    ) -> Self {
        Self { conversation, target, generation, notes, open: Vec::new() }
    }

    /// Writes all of them. Neighbors of one role become one content, as older models demand.
    pub(super) fn write(mut self, list: &mut write::Array<'_>) -> Result<(), BadBody> {
        let turns = self.worth_writing()?;
        for group in turns.chunk_by(|one, next| one.role == next.role) {
            self.before(group)?;
            let mut outcome = Ok(());
            list.object(|o| {
                o.array("parts", |list| outcome = self.parts(group, list));
                o.text("role", if role_of(group) == Role::Assistant { "model" } else { "user" });
            });
            outcome?;
            if let (Role::User, Some((_, at))) = (role_of(group), self.open.first()) {
                return Err(self.refuse(*at, "needs a result for every function call right after it"));
            }
        }
        match turns.last() {
            Some(last) if last.role == Role::Assistant => self.prefill(last.at),
            _ => Ok(()),
        }
    }

    fn refuse(&self, at: usize, why: &str) -> BadBody {
        self.conversation.refuse_in_turn(at, self.target, why)
    }

    /// The conversation ends with the model's own words.
    fn prefill(&mut self, at: usize) -> Result<(), BadBody> {
        if self.target.able.assistant_prefill == Some(true) {
            return Ok(());
        }
        self.conversation.prefill_as_history(at, self.target, self.notes)
    }

    /// Turns with something to write. What the model did not say says nothing; what the caller did not say is a mistake.
    fn worth_writing(&mut self) -> Result<Vec<&'c Turn<'a>>, BadBody> {
        let turns = &self.conversation.turns;
        let thinks = |turn: &Turn<'_>| turn.blocks.iter().any(|block| matches!(block.part, Part::Thinking(_)));
        if turns.iter().any(thinks) {
            self.notes.dropped.push("reasoning".into());
        }
        let mut worth = Vec::with_capacity(turns.len());
        for turn in turns {
            if turn.blocks.iter().any(is_written) {
                worth.push(turn);
            } else if turn.role == Role::User {
                return Err(self.refuse(turn.at, "takes no empty messages"));
            }
        }
        Ok(worth)
    }

    fn before(&mut self, group: &Turns<'c, 'a>) -> Result<(), BadBody> {
        match (role_of(group), group.first()) {
            (Role::System, Some(turn)) => Err(self.refuse(turn.at, "takes instructions only before the conversation")),
            _ => Ok(()),
        }
    }

    fn parts(&mut self, group: &Turns<'c, 'a>, list: &mut write::Array<'_>) -> Result<(), BadBody> {
        let blocks = || group.iter().flat_map(|turn| turn.blocks.iter().map(|block| (turn.at, block)));
        for (at, block) in blocks() {
            if let Part::Result(result) = &block.part {
                self.result(result, at, list)?;
            }
        }
        let mut signed = !self.generation.signs();
        for (at, block) in blocks().filter(|(_, block)| is_written(block)) {
            match &block.part {
                Part::Text(text) | Part::Refusal(text) => list.object(|o| o.quoted("text", text)),
                Part::Media(media) => self.media(media, at, list)?,
                Part::Call(call) => {
                    let signature = !std::mem::replace(&mut signed, true);
                    self.open.push((call, at));
                    list.object(|o| function_call(o, call, signature));
                }
                Part::Result(_) | Part::Thinking(_) => {}
            }
        }
        Ok(())
    }

    fn result(&mut self, result: &'c ToolResult<'a>, at: usize, list: &mut write::Array<'_>) -> Result<(), BadBody> {
        let Some(place) = self.open.iter().position(|(call, _)| call.id == result.id) else {
            return Err(self.refuse(at, "takes a result only right after the function call with its id"));
        };
        let (call, _) = self.open.remove(place);
        let media: Vec<&Media<'a>> = result.parts.iter().filter_map(as_media).collect();
        if !media.is_empty() && !self.generation.signs() {
            return Err(self.refuse(at, "takes no media in what a function returned"));
        }
        let mut outcome = Ok(());
        list.object(|o| {
            o.object("functionResponse", |o| {
                if !call.id.is_empty() {
                    o.quoted("id", &call.id);
                }
                o.quoted("name", &call.name);
                response(o, result);
                if !media.is_empty() {
                    o.array("parts", |list| {
                        outcome = media.iter().try_for_each(|media| self.media(media, at, list));
                    });
                }
            });
        });
        outcome
    }

    fn media(&self, media: &Media<'a>, at: usize, list: &mut write::Array<'_>) -> Result<(), BadBody> {
        let able = &self.target.able;
        let (takes, what) = match media.kind {
            MediaKind::Image => (able.vision, "images"),
            MediaKind::Audio => (able.audio_input, "audio"),
            MediaKind::Video => (able.video_input, "video"),
            MediaKind::Document => (able.pdf, "documents"),
        };
        if takes == Some(false) && !matches!(media.source, Source::Text(_)) {
            return Err(self.refuse(at, &format!("takes no {what}")));
        }
        match &media.source {
            Source::Inline { mime, data } => list.object(|o| {
                o.object("inlineData", |o| {
                    o.text("mimeType", mime);
                    o.quoted("data", data);
                });
            }),
            Source::Url(url) if google_reads(&url.decode()) => list.object(|o| {
                o.object("fileData", |o| {
                    if let Some(mime) = mime_of_name(&url.decode()) {
                        o.text("mimeType", mime);
                    }
                    o.quoted("fileUri", url);
                });
            }),
            Source::Url(_) => return Err(self.refuse(at, &format!("takes {what} inside the request, not by URL"))),
            Source::File(_) => return Err(self.refuse(at, "knows no files that were uploaded to another provider")),
            Source::Text(text) => list.object(|o| o.quoted("text", text)),
        }
        Ok(())
    }
}

/// All of a group have the same.
fn role_of(group: &Turns<'_, '_>) -> Role {
    group.first().map_or(Role::User, |turn| turn.role)
}

/// Empty texts are refused, thinking stays with the model that did it.
fn is_written(block: &Block<'_>) -> bool {
    match &block.part {
        Part::Text(text) | Part::Refusal(text) => !text.is_empty(),
        Part::Thinking(_) => false,
        Part::Media(_) | Part::Call(_) | Part::Result(_) => true,
    }
}

fn as_media<'p, 'a>(part: &'p Part<'a>) -> Option<&'p Media<'a>> {
    match part {
        Part::Media(media) => Some(media),
        _ => None,
    }
}

/// What Google fetches itself: its own files and buckets, and videos of its own platform.
fn google_reads(url: &str) -> bool {
    ["gs://", FILES, "https://www.youtube.com/", "https://youtu.be/"].iter().any(|known| url.starts_with(known))
}

fn function_call(o: &mut write::Object<'_>, call: &ToolCall<'_>, signature: bool) {
    o.object("functionCall", |o| {
        if !call.id.is_empty() {
            o.quoted("id", &call.id);
        }
        o.quoted("name", &call.name);
        o.raw("args", &call.arguments);
    });
    if signature {
        o.text("thoughtSignature", FOREIGN_SIGNATURE);
    }
}

/// Google takes an object: what is none stands under `result`, what failed under `error`.
fn response(o: &mut write::Object<'_>, result: &ToolResult<'_>) {
    match &result.json {
        Some(json) if json.0.trim_start().starts_with('{') && !result.error => o.raw("response", json),
        json => o.object("response", |o| {
            let out = o.member(if result.error { "error" } else { "result" });
            match json {
                Some(json) => out.extend_from_slice(compact(Raw((&*json.0).into())).0.as_bytes()),
                None => joined(out, &result.parts),
            }
        }),
    }
}

/// Texts as one, a blank line between them.
fn joined(out: &mut Vec<u8>, parts: &[Part<'_>]) {
    let mut first = true;
    out.push(b'"');
    for part in parts {
        let (Part::Text(text) | Part::Refusal(text)) = part else { continue };
        if !std::mem::take(&mut first) {
            out.extend_from_slice(b"\\n\\n");
        }
        out.extend_from_slice(text.written().as_bytes());
    }
    out.push(b'"');
}
