//! The messages of a conversation, as Chat Completions writes them.
//!
//! In: turns that fit the target. Out: the items of `messages`. Must not know: which target.
//!
//! Text that is all a message holds is written as one string, blocks a blank line apart: servers of open models take a list of
//! parts only where there is something beside text.

use crate::dialect::canonical::{Block, Conversation, Ids, Media, MediaKind, Part, Role, Source, ToolResult, Turn};
use crate::json::Quoted;
use crate::json::write::{self, Array, Object};

/// Between texts that were apart, inside a JSON string.
const BLANK_LINE: &str = "\\n\\n";
/// The name of a document that has none; the API wants one.
const UNNAMED: &str = "document.pdf";

/// Writes all of them.
pub(super) fn messages<'a>(list: &mut Array<'_>, conversation: &Conversation<'a>) {
    if !conversation.system.is_empty() {
        list.object(|message| {
            message.text("role", "system");
            joined(message.member("content"), texts(&conversation.system), BLANK_LINE);
        });
    }
    let mut ids = Ids::default();
    for turn in &conversation.turns {
        match turn.role {
            Role::System => list.object(|message| {
                message.text("role", "system");
                joined(message.member("content"), texts(&turn.blocks), BLANK_LINE);
            }),
            Role::User => user(list, turn, &mut ids),
            Role::Assistant => assistant(list, turn, &mut ids),
        }
    }
}

/// Results first, each a message of its own: they must follow the calls they answer.
fn user<'a>(list: &mut Array<'_>, turn: &Turn<'a>, ids: &mut Ids<'a>) {
    let mut content: Vec<&Part<'a>> = Vec::new();
    let mut results = false;
    for block in &turn.blocks {
        if let Part::Result(result) = &block.part {
            results = true;
            let id = ids.result(result);
            list.object(|message| {
                message.text("role", "tool");
                message.quoted("tool_call_id", &id);
                answered(message, result);
            });
            let is_moved =
                |part: &&Part<'_>| matches!(part, Part::Media(media) if !matches!(media.source, Source::Text(_)));
            content.extend(result.parts.iter().filter(is_moved));
        }
    }
    let said = |part: &&Part<'_>| match part {
        Part::Text(text) | Part::Refusal(text) => !text.is_empty(),
        Part::Media(_) => true,
        Part::Call(_) | Part::Result(_) | Part::Thinking(_) => false,
    };
    content.extend(turn.blocks.iter().map(|block| &block.part).filter(said));
    if content.is_empty() && results {
        return;
    }
    list.object(|message| {
        message.text("role", "user");
        if content.iter().all(|part| text(part).is_some()) {
            joined(message.member("content"), content.iter().filter_map(|part| text(part)), BLANK_LINE);
        } else {
            message.array("content", |parts| content.iter().for_each(|part| parts.object(|out| one(out, part))));
        }
    });
}

fn answered(message: &mut Object<'_>, result: &ToolResult<'_>) {
    if let Some(json) = &result.json {
        return message.text("content", &json.0);
    }
    let texts = result.parts.iter().filter_map(text).filter(|text| !text.is_empty());
    if result.error && texts.clone().next().is_none() {
        return message.text("content", "error");
    }
    joined(message.member("content"), texts, BLANK_LINE);
}

/// A turn of nothing but thinking is left out with it.
fn assistant<'a>(list: &mut Array<'_>, turn: &Turn<'a>, ids: &mut Ids<'a>) {
    let said = |block: &Block<'_>| !matches!(block.part, Part::Thinking(_));
    if !turn.blocks.is_empty() && !turn.blocks.iter().any(said) {
        return;
    }
    let calls: Vec<_> = turn.blocks.iter().filter_map(|block| call(&block.part)).collect();
    let refusal = turn.blocks.iter().find_map(|block| match &block.part {
        Part::Refusal(text) => Some(text),
        _ => None,
    });
    let is_text = |block: &&Block<'_>| matches!(&block.part, Part::Text(text) if !text.is_empty());
    let mut words = turn.blocks.iter().filter(is_text).filter_map(|block| text(&block.part)).peekable();
    list.object(|message| {
        message.text("role", "assistant");
        if words.peek().is_none() && (!calls.is_empty() || refusal.is_some()) {
            message.null("content");
        } else {
            // A model's blocks are pieces of one text.
            joined(message.member("content"), words, "");
        }
        if let Some(refusal) = refusal {
            message.quoted("refusal", refusal);
        }
        if !calls.is_empty() {
            message.array("tool_calls", |list| {
                for call in calls {
                    let id = ids.call(call);
                    list.object(|out| {
                        out.quoted("id", &id);
                        out.text("type", "function");
                        out.object("function", |out| {
                            out.quoted("name", &call.name);
                            out.text("arguments", &call.arguments.0);
                        });
                    });
                }
            });
        }
    });
}

fn call<'t, 'a>(part: &'t Part<'a>) -> Option<&'t crate::dialect::canonical::ToolCall<'a>> {
    match part {
        Part::Call(call) => Some(call),
        _ => None,
    }
}

/// The words in a part, a document that is plain text included.
fn text<'t, 'a>(part: &'t Part<'a>) -> Option<&'t Quoted<'a>> {
    match part {
        Part::Text(text) | Part::Refusal(text) => Some(text),
        Part::Media(Media { source: Source::Text(text), .. }) => Some(text),
        _ => None,
    }
}

fn texts<'t, 'a>(blocks: &'t [Block<'a>]) -> impl Iterator<Item = &'t Quoted<'a>> {
    blocks.iter().filter_map(|block| text(&block.part)).filter(|text| !text.is_empty())
}

/// Writes texts as one JSON string.
pub(super) fn joined<'t>(out: &mut Vec<u8>, texts: impl Iterator<Item = &'t Quoted<'t>>, between: &str) {
    out.push(b'"');
    for (at, text) in texts.enumerate() {
        if at > 0 {
            out.extend_from_slice(between.as_bytes());
        }
        out.extend_from_slice(text.written().as_bytes());
    }
    out.push(b'"');
}

fn one(out: &mut Object<'_>, part: &Part<'_>) {
    if let Some(text) = text(part) {
        out.text("type", "text");
        return out.quoted("text", text);
    }
    let Part::Media(media) = part else { return };
    match (media.kind, &media.source) {
        (MediaKind::Audio, Source::Inline { mime, data }) => {
            out.text("type", "input_audio");
            out.object("input_audio", |audio| {
                audio.quoted("data", data);
                audio.text("format", sound(mime).unwrap_or("wav"));
            });
        }
        (MediaKind::Document, source) => {
            out.text("type", "file");
            out.object("file", |file| {
                match source {
                    Source::File(id) => return file.quoted("file_id", id),
                    source => url(file.member("file_data"), source),
                }
                match &media.name {
                    Some(name) => file.quoted("filename", name),
                    None => file.text("filename", UNNAMED),
                }
            });
        }
        (_, source) => {
            out.text("type", "image_url");
            out.object("image_url", |image| {
                url(image.member("url"), source);
                if let Some(detail) = &media.detail {
                    image.quoted("detail", detail);
                }
            });
        }
    }
}

/// A URL; what is in the request becomes a `data:` URL.
fn url(out: &mut Vec<u8>, source: &Source<'_>) {
    match source {
        Source::Inline { mime, data } => {
            out.extend_from_slice(b"\"data:");
            write::escape(out, mime);
            out.extend_from_slice(b";base64,");
            out.extend_from_slice(data.written().as_bytes());
            out.push(b'"');
        }
        Source::Url(text) | Source::File(text) | Source::Text(text) => text.write(out),
    }
}

/// The API's word for a kind of sound.
pub(super) fn sound(mime: &str) -> Option<&'static str> {
    match mime {
        "audio/wav" | "audio/x-wav" | "audio/wave" | "audio/vnd.wave" => Some("wav"),
        "audio/mpeg" | "audio/mp3" => Some("mp3"),
        _ => None,
    }
}
