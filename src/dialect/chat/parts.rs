//! What a message of a Chat Completions request is made of.
//!
//! In: the value of `content`. Out: blocks. Must not know: who speaks.

use std::borrow::Cow;

use super::read::{object, string};
use super::request::{Step, Stop};
use crate::dialect::bad_body::BadBody;
use crate::dialect::canonical::{Block, CacheMark, Conversation, Fate, Media, MediaKind, Part, Source};
use crate::json::{Cursor, Kind, Quoted, Text};

/// Takes a string, a list of parts, or nothing.
pub(super) fn content<'a>(
    cursor: &mut Cursor<'a>,
    param: &str,
    conversation: &mut Conversation<'a>,
) -> Result<Vec<Block<'a>>, Stop> {
    let mut blocks = Vec::new();
    match cursor.kind()? {
        Kind::Null => drop(cursor.skip()?),
        Kind::String => blocks.push(Part::Text(cursor.string()?.into()).into()),
        Kind::Array => {
            let mut at = 0;
            cursor.items(|cursor| {
                // INVARIANT: the name is only made when something has to be said about the part.
                let place = || format!("{param}[{at}]");
                blocks.extend(part(cursor, &place, conversation)?);
                at += 1;
                Ok::<(), Stop>(())
            })?;
        }
        found => return Err(BadBody::wrong_type(param, "a string or an array of content parts", found).into()),
    }
    Ok(blocks)
}

/// What stands in a part, before its type says which of it counts.
#[derive(Default)]
struct Found<'a> {
    word: Option<Text<'a>>,
    text: Option<Quoted<'a>>,
    media: Option<Media<'a>>,
    cache: Option<CacheMark>,
}

fn part<'a>(
    cursor: &mut Cursor<'a>,
    place: &dyn Fn() -> String,
    conversation: &mut Conversation<'a>,
) -> Result<Option<Block<'a>>, Stop> {
    match cursor.kind()? {
        Kind::String => return Ok(Some(Part::Text(cursor.string()?.into()).into())),
        Kind::Object => {}
        found => return Err(BadBody::wrong_type(place(), "an object", found).into()),
    }
    let mut found = Found::default();
    cursor.members::<Stop>(|cursor, key| {
        let name = key.decode();
        let at = || format!("{}.{name}", place());
        match (&*name, cursor.kind()?) {
            (_, Kind::Null) => drop(cursor.skip()?),
            ("type", Kind::String) => found.word = Some(cursor.string()?),
            ("text" | "refusal", Kind::String) => found.text = Some(cursor.string()?.into()),
            ("image_url", kind) => found.media = Some(located(cursor, kind, MediaKind::Image, &at)?),
            ("video_url", kind) => found.media = Some(located(cursor, kind, MediaKind::Video, &at)?),
            ("audio_url", kind) => found.media = Some(located(cursor, kind, MediaKind::Audio, &at)?),
            ("input_audio", kind) => found.media = Some(audio(cursor, kind, &at)?),
            ("file", kind) => found.media = Some(file(cursor, kind, &at)?),
            ("prompt_cache_breakpoint", _) => {
                cursor.skip()?;
                found.cache = Some(CacheMark::Short);
            }
            ("type" | "text" | "refusal", kind) => return Err(BadBody::wrong_type(at(), "a string", kind).into()),
            _ => {
                cursor.skip()?;
                conversation.extra(at(), Fate::Refused);
            }
        }
        Ok(())
    })?;
    found.complete(place, conversation)
}

impl<'a> Found<'a> {
    fn complete(
        self,
        place: &dyn Fn() -> String,
        conversation: &mut Conversation<'a>,
    ) -> Result<Option<Block<'a>>, Stop> {
        let word = self.word.map(Text::decode).unwrap_or_default();
        let missing = |member: &str| BadBody::missing(&format!("{}.{member}", place()));
        let part = match &*word {
            "" => return Err(missing("type").into()),
            "text" => Part::Text(self.text.ok_or_else(|| missing("text"))?),
            "refusal" => Part::Refusal(self.text.ok_or_else(|| missing("refusal"))?),
            "image_url" | "input_audio" | "file" | "video_url" | "audio_url" => {
                Part::Media(self.media.ok_or_else(|| missing(&word))?)
            }
            _ => {
                conversation.extra(place(), Fate::Refused);
                return Ok(None);
            }
        };
        Ok(Some(Block { part, cache: self.cache }))
    }
}

/// `{"url":…,"detail":…}`, or the URL alone, as some servers take it.
fn located<'a>(
    cursor: &mut Cursor<'a>,
    kind: Kind,
    media: MediaKind,
    at: &dyn Fn() -> String,
) -> Result<Media<'a>, Stop> {
    let (mut url, mut detail) = (None, None);
    if kind == Kind::String {
        url = Some(cursor.string()?);
    } else {
        object(kind, &at())?;
        cursor.members::<Stop>(|cursor, key| {
            match (&*key.decode(), cursor.kind()?) {
                ("url", Kind::String) => url = Some(cursor.string()?),
                ("detail", Kind::String) => detail = Some(cursor.string()?.into()),
                _ => drop(cursor.skip()?),
            }
            Ok(())
        })?;
    }
    let url = url.ok_or_else(|| BadBody::missing(&format!("{}.url", at())))?;
    Ok(Media { kind: media, source: source(url, at)?, name: None, detail })
}

fn audio<'a>(cursor: &mut Cursor<'a>, kind: Kind, at: &dyn Fn() -> String) -> Result<Media<'a>, Stop> {
    object(kind, &at())?;
    let (mut data, mut format) = (None, None);
    members(cursor, at, |name, value| match name {
        "data" => data = Some(value),
        "format" => format = Some(value),
        _ => {}
    })?;
    let data = data.ok_or_else(|| BadBody::missing(&format!("{}.data", at())))?;
    let format = format.ok_or_else(|| BadBody::missing(&format!("{}.format", at())))?;
    let mime = match &*format.decode() {
        "mp3" => Cow::Borrowed("audio/mpeg"),
        "wav" => Cow::Borrowed("audio/wav"),
        other => Cow::Owned(format!("audio/{}", other.to_ascii_lowercase())),
    };
    let source = Source::Inline { mime, data: data.into() };
    Ok(Media { kind: MediaKind::Audio, source, name: None, detail: None })
}

fn file<'a>(cursor: &mut Cursor<'a>, kind: Kind, at: &dyn Fn() -> String) -> Result<Media<'a>, Stop> {
    object(kind, &at())?;
    let (mut data, mut id, mut name) = (None, None, None);
    members(cursor, at, |member, value| match member {
        "file_data" => data = Some(value),
        "file_id" => id = Some(value),
        "filename" => name = Some(Quoted::from(value)),
        _ => {}
    })?;
    let source = match (data, id) {
        (Some(data), _) => source(data, at)?,
        (None, Some(id)) => Source::File(id.into()),
        (None, None) => return Err(BadBody::missing(&format!("{}.file_data", at())).into()),
    };
    Ok(Media { kind: MediaKind::Document, source, name, detail: None })
}

/// Members that are strings or `null`.
fn members<'a>(cursor: &mut Cursor<'a>, at: &dyn Fn() -> String, mut take: impl FnMut(&str, Text<'a>)) -> Step {
    cursor.members(|cursor, key| {
        let name = key.decode();
        match cursor.kind()? {
            Kind::Null => drop(cursor.skip()?),
            Kind::String => take(&name, cursor.string()?),
            kind => drop(string(cursor, kind, &format!("{}.{name}", at()))?),
        }
        Ok(())
    })
}

/// A URL, or what a `data:` URL holds.
fn source<'a>(url: Text<'a>, at: &dyn Fn() -> String) -> Result<Source<'a>, BadBody> {
    if !url.raw.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:")) {
        return Ok(Source::Url(url.into()));
    }
    let inline = url.raw.split_once(',').and_then(|(head, data)| {
        // `\/` is how some libraries write `/`.
        let head = Text { raw: head.get(5..)?, ..url }.decode();
        let (mime, parameters) = head.split_once(';')?;
        let base64 = parameters.rsplit(';').next()?.trim().eq_ignore_ascii_case("base64");
        let mime: Cow<'a, str> = Cow::Owned(mime.trim().to_ascii_lowercase());
        let data = Text { raw: data, ..url }.into();
        (base64 && mime.contains('/')).then_some(Source::Inline { mime, data })
    });
    inline.ok_or_else(|| {
        let param = at();
        let message = format!(
            "'{param}' holds a 'data:' URL of a kind that is not read. Write 'data:TYPE;base64,DATA', as in \
             'data:image/png;base64,iVBORw0KGgo='."
        );
        BadBody::at(param, "invalid_value", message)
    })
}
