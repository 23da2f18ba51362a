//! A part of a content: words, media, a call, a result.
//!
//! In: a caller's object. Out: [`Part`]s; what no other dialect has becomes an extra. Must not know: who speaks, which call a
//! result answers.

use super::compact::compact;
use super::proto::{self, Step};
use crate::dialect::bad_body::BadBody;
use crate::dialect::canonical::{
    Conversation, Extra, Fate, MAX_EXTRAS, Media, MediaKind, Part, Source, ToolCall, ToolResult,
};
use crate::json::{Cursor, JsonError, Kind, Quoted, Raw};

/// Where the Files API keeps what was uploaded.
pub(super) const FILES: &str = "https://generativelanguage.googleapis.com/";

/// What was read so far.
#[derive(Default)]
pub(super) struct Read<'a> {
    pub parts: Vec<Part<'a>>,
    pub extras: Vec<Extra<'a>>,
}

impl<'a> Read<'a> {
    /// The request means something else without this field.
    pub(super) fn refuse(&mut self, param: String) {
        self.extra(param, Fate::Refused);
    }

    fn extra(&mut self, param: String, fate: Fate) {
        if self.extras.iter().filter(|extra| extra.fate == fate).count() < MAX_EXTRAS {
            self.extras.push(Extra { param: param.into(), fate });
        }
    }

    /// Gives what has no counterpart elsewhere to the conversation.
    pub(super) fn hand_over(&mut self, conversation: &mut Conversation<'a>) {
        self.extras.drain(..).for_each(|extra| conversation.extra(extra.param, extra.fate));
    }
}

/// Reads one part. A signature is bound to the model that gave it: all that is told of it is that thinking was left out.
pub(super) fn part<'a>(cursor: &mut Cursor<'a>, param: &str, read: &mut Read<'a>) -> Step {
    let (mut text, mut thought, mut signed) = (None, false, false);
    let mut rest = Read::default();
    proto::members(cursor, param, |cursor, name, kind, key| {
        let param = format!("{param}.{}", key.decode());
        match name {
            "text" => text = Some(proto::text(cursor, &param)?),
            "thought" if kind == Kind::Bool => thought = cursor.boolean()?,
            "thoughtSignature" => signed |= proto::says_something(cursor)?,
            "inlineData" => inline(cursor, &param, &mut rest)?,
            "fileData" => file(cursor, &param, &mut rest)?,
            "functionCall" => call(cursor, &param, &mut rest)?,
            "functionResponse" => result(cursor, &param, &mut rest)?,
            // Costs tokens, changes no meaning.
            "mediaResolution" => drop(cursor.skip()?),
            _ if proto::says_something(cursor)? => {
                let fate = if name == "partMetadata" { Fate::Dropped } else { Fate::Refused };
                rest.extra(param, fate);
            }
            _ => {}
        }
        Ok(())
    })?;
    if thought {
        read.parts.push(Part::Thinking(text.take().unwrap_or_default()));
    } else if signed {
        read.parts.push(Part::Thinking(Quoted::default()));
    }
    read.parts.extend(text.filter(|text| !text.is_empty()).map(Part::Text));
    read.parts.append(&mut rest.parts);
    rest.extras.drain(..).for_each(|extra| read.extra(extra.param.into_owned(), extra.fate));
    Ok(())
}

fn inline<'a>(cursor: &mut Cursor<'a>, param: &str, read: &mut Read<'a>) -> Step {
    let (mut mime, mut data, mut name) = (None, None, None);
    proto::members(cursor, param, |cursor, field, _, key| {
        let param = format!("{param}.{}", key.decode());
        match field {
            "mimeType" => mime = Some(proto::text(cursor, &param)?),
            "data" => data = Some(proto::text(cursor, &param)?),
            "displayName" => name = Some(proto::text(cursor, &param)?),
            _ if proto::says_something(cursor)? => read.refuse(param),
            _ => {}
        }
        Ok(())
    })?;
    let mime = mime.ok_or_else(|| BadBody::missing(&format!("{param}.mimeType")))?;
    let data = data.ok_or_else(|| BadBody::missing(&format!("{param}.data")))?;
    let mime = plain_mime(&mime.decode());
    let media = Media {
        kind: kind_of(&mime),
        source: Source::Inline { mime: mime.into(), data: standard_base64(data) },
        name,
        detail: None,
    };
    read.parts.push(Part::Media(media));
    Ok(())
}

fn file<'a>(cursor: &mut Cursor<'a>, param: &str, read: &mut Read<'a>) -> Step {
    let (mut mime, mut uri, mut name) = (None, None, None);
    proto::members(cursor, param, |cursor, field, _, key| {
        let param = format!("{param}.{}", key.decode());
        match field {
            "mimeType" => mime = Some(proto::text(cursor, &param)?),
            "fileUri" => uri = Some(proto::text(cursor, &param)?),
            "displayName" => name = Some(proto::text(cursor, &param)?),
            _ if proto::says_something(cursor)? => read.refuse(param),
            _ => {}
        }
        Ok(())
    })?;
    let uri = uri.ok_or_else(|| BadBody::missing(&format!("{param}.fileUri")))?;
    let mime = mime.map(|mime| plain_mime(&mime.decode()));
    let kind = mime.as_deref().or_else(|| mime_of_name(&uri.decode())).map_or(MediaKind::Document, kind_of);
    let source = if is_googles(&uri.decode()) { Source::File(uri) } else { Source::Url(uri) };
    read.parts.push(Part::Media(Media { kind, source, name, detail: None }));
    Ok(())
}

/// Only Google can read it: a file of its Files API or a bucket.
pub(super) fn is_googles(uri: &str) -> bool {
    !uri.starts_with("https://") && !uri.starts_with("http://") || uri.starts_with(FILES)
}

fn call<'a>(cursor: &mut Cursor<'a>, param: &str, read: &mut Read<'a>) -> Step {
    let mut call = ToolCall { id: Quoted::default(), name: Quoted::default(), arguments: Raw("{}".into()) };
    proto::members(cursor, param, |cursor, name, kind, key| {
        let param = format!("{param}.{}", key.decode());
        match name {
            "id" => call.id = proto::text(cursor, &param)?,
            "name" => call.name = proto::text(cursor, &param)?,
            "args" if kind == Kind::Object => call.arguments = compact(cursor.raw()?),
            "args" => return Err(BadBody::wrong_type(param, "an object", kind).into()),
            _ if proto::says_something(cursor)? => read.refuse(param),
            _ => {}
        }
        Ok(())
    })?;
    if call.name.is_empty() {
        return Err(BadBody::missing(&format!("{param}.name")).into());
    }
    read.parts.push(Part::Call(call));
    Ok(())
}

fn result<'a>(cursor: &mut Cursor<'a>, param: &str, read: &mut Read<'a>) -> Step {
    let mut result = ToolResult { id: Quoted::default(), name: None, parts: Vec::new(), json: None, error: false };
    let mut media = Read::default();
    proto::members(cursor, param, |cursor, name, kind, key| {
        let param = format!("{param}.{}", key.decode());
        match name {
            "id" => result.id = proto::text(cursor, &param)?,
            "name" => result.name = Some(proto::text(cursor, &param)?),
            "response" if kind == Kind::Object => response(cursor, &mut result)?,
            "response" => return Err(BadBody::wrong_type(param, "an object", kind).into()),
            "parts" => proto::each(cursor, |cursor, at| part(cursor, &format!("{param}[{at}]"), &mut media))?,
            _ if proto::says_something(cursor)? => media.refuse(param),
            _ => {}
        }
        Ok(())
    })?;
    if result.name.as_ref().is_none_or(Quoted::is_empty) && result.id.is_empty() {
        return Err(BadBody::missing(&format!("{param}.name")).into());
    }
    if !media.parts.is_empty() {
        if let Some(json) = result.json.take() {
            result.parts.push(Part::Text(Quoted::of(&json.0).into_owned()));
        }
        result.parts.append(&mut media.parts);
    }
    media.extras.drain(..).for_each(|extra| read.extra(extra.param.into_owned(), extra.fate));
    read.parts.push(Part::Result(result));
    Ok(())
}

/// What a function returned stands under `result` or `output` alone, what it failed with under `error` alone; anything else is
/// what it returned, whole (FunctionResponse in the API reference).
fn response<'a>(cursor: &mut Cursor<'a>, result: &mut ToolResult<'a>) -> Result<(), JsonError> {
    let whole = cursor.clone().raw()?;
    let (mut members, mut inner) = (0, None);
    cursor.members::<JsonError>(|cursor, key| {
        members += 1;
        let value = match cursor.kind()? {
            Kind::String => Value::Text(cursor.string()?.into()),
            _ => Value::Json(compact(cursor.raw()?)),
        };
        let word = key.decode();
        if matches!(&*word, "result" | "output" | "error") {
            inner = Some((word == "error", value));
        }
        Ok(())
    })?;
    match inner.filter(|_| members == 1) {
        Some((error, value)) => {
            result.error = error;
            match value {
                Value::Text(text) => result.parts.push(Part::Text(text)),
                Value::Json(json) => result.json = Some(json),
            }
        }
        None => result.json = Some(compact(whole)),
    }
    Ok(())
}

enum Value<'a> {
    Text(Quoted<'a>),
    Json(Raw<'a>),
}

/// Lower case, without parameters.
fn plain_mime(mime: &str) -> String {
    mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

pub(super) fn kind_of(mime: &str) -> MediaKind {
    match mime.split('/').next() {
        Some("image") => MediaKind::Image,
        Some("audio") => MediaKind::Audio,
        Some("video") => MediaKind::Video,
        _ => MediaKind::Document,
    }
}

/// By the end of a name, where nothing else says it.
pub(super) fn mime_of_name(name: &str) -> Option<&'static str> {
    let name = name.split(['?', '#']).next().unwrap_or_default();
    let (_, end) = name.rsplit_once('.')?;
    Some(match &*end.to_ascii_lowercase() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "mp3" => "audio/mp3",
        "wav" => "audio/wav",
        "mp4" => "video/mp4",
        "mov" => "video/mov",
        "webm" => "video/webm",
        "pdf" => "application/pdf",
        _ => return None,
    })
}

/// The alphabet everybody else takes. The official clients write `-` and `_`, which Google reads as well.
fn standard_base64(data: Quoted<'_>) -> Quoted<'_> {
    let written = data.written();
    let padded = written.len().is_multiple_of(4);
    if padded && !written.contains(['-', '_']) {
        return data;
    }
    let mut standard = written.replace('-', "+").replace('_', "/");
    while !standard.len().is_multiple_of(4) {
        standard.push('=');
    }
    Quoted::of(&standard).into_owned()
}
