//! What one GenerateContentResponse says: a whole answer, or an event of a stream, which has the same shape.
//!
//! In: a document. Out: [`Chunk`], and the pieces of its first candidate. Must not know: what came before.

use std::borrow::Cow;

use super::compact::compact;
use crate::dialect::canonical::{Finish, Media, Source};
use crate::json::{Cursor, JsonError, Kind, Quoted, Raw};
use crate::usage::Usage;

/// Everything but the candidates, whose reading waits until it is known who answers.
#[derive(Default)]
pub(super) struct Chunk<'a> {
    pub id: Option<Quoted<'a>>,
    pub model: Option<Quoted<'a>>,
    pub usage: Option<Usage>,
    /// The prompt was taken by a filter, so there are no candidates.
    pub blocked: bool,
    /// An error in place of an answer.
    pub failed: bool,
    candidates: Option<Cursor<'a>>,
}

/// What a part holds.
pub(super) enum Piece<'a> {
    Text(Quoted<'a>),
    Thinking(Quoted<'a>),
    Call { id: Quoted<'a>, name: Quoted<'a>, arguments: Raw<'a> },
    Media(Media<'a>),
}

impl<'a> Chunk<'a> {
    pub(super) fn read(json: &'a [u8]) -> Result<Self, JsonError> {
        let mut chunk = Self::default();
        let mut cursor = Cursor::new(json)?;
        // A stream's error may come as a list of one.
        match cursor.kind()? {
            Kind::Array => cursor.items(|cursor| chunk.document(cursor))?,
            _ => chunk.document(&mut cursor)?,
        }
        cursor.finish()?;
        Ok(chunk)
    }

    fn document(&mut self, cursor: &mut Cursor<'a>) -> Result<(), JsonError> {
        cursor.members(|cursor, key| {
            match (key.raw, cursor.kind()?) {
                ("candidates", Kind::Array) => {
                    let here = cursor.clone();
                    // Two bytes are the brackets of none.
                    if cursor.skip()?.len() > 2 {
                        self.candidates = Some(here);
                    }
                }
                ("usageMetadata", Kind::Object) => self.usage = usage(cursor)?,
                ("responseId", Kind::String) => self.id = Some(cursor.string()?.into()),
                ("modelVersion", Kind::String) => self.model = Some(cursor.string()?.into()),
                ("promptFeedback", Kind::Object) => self.blocked |= blocked(cursor)?,
                ("error", Kind::Object | Kind::String) => self.failed |= cursor.skip()?.len() > 2,
                _ => drop(cursor.skip()?),
            }
            Ok(())
        })
    }

    pub(super) const fn has_candidates(&self) -> bool {
        self.candidates.is_some()
    }

    /// Hands over the pieces of the first candidate, and returns the word for why it ended. Further candidates, which nobody
    /// asks for across dialects, are left out.
    pub(super) fn content(
        &self,
        mut piece: impl FnMut(Piece<'a>) -> Result<(), JsonError>,
    ) -> Result<Option<Cow<'a, str>>, JsonError> {
        let Some(mut cursor) = self.candidates.clone() else { return Ok(None) };
        let (mut first, mut finish) = (true, None);
        cursor.items::<JsonError>(|cursor| {
            if !std::mem::take(&mut first) || cursor.kind()? != Kind::Object {
                return cursor.skip().map(|_| ());
            }
            cursor.members(|cursor, key| {
                match (key.raw, cursor.kind()?) {
                    ("content", Kind::Object) => content(cursor, &mut piece)?,
                    ("finishReason", Kind::String) => finish = Some(cursor.string()?.decode()),
                    _ => drop(cursor.skip()?),
                }
                Ok::<(), JsonError>(())
            })
        })?;
        Ok(finish.filter(|word| !matches!(&**word, "" | "FINISH_REASON_UNSPECIFIED")))
    }
}

fn content<'a>(
    cursor: &mut Cursor<'a>,
    piece: &mut impl FnMut(Piece<'a>) -> Result<(), JsonError>,
) -> Result<(), JsonError> {
    cursor.members(|cursor, key| {
        if key.raw != "parts" || cursor.kind()? != Kind::Array {
            return cursor.skip().map(|_| ());
        }
        cursor.items(|cursor| match cursor.kind()? {
            Kind::Object => part(cursor, piece),
            _ => cursor.skip().map(|_| ()),
        })
    })
}

fn part<'a>(
    cursor: &mut Cursor<'a>,
    piece: &mut impl FnMut(Piece<'a>) -> Result<(), JsonError>,
) -> Result<(), JsonError> {
    let (mut text, mut thought) = (None, false);
    cursor.members(|cursor, key| {
        match (key.raw, cursor.kind()?) {
            ("text", Kind::String) => text = Some(Quoted::from(cursor.string()?)),
            ("thought", Kind::Bool) => thought = cursor.boolean()?,
            ("functionCall", Kind::Object) => return piece(call(cursor)?),
            ("inlineData", Kind::Object) => {
                if let Some(media) = media(cursor)? {
                    return piece(Piece::Media(media));
                }
            }
            _ => drop(cursor.skip()?),
        }
        Ok(())
    })?;
    match text.filter(|text| !text.is_empty()) {
        Some(text) if thought => piece(Piece::Thinking(text)),
        Some(text) => piece(Piece::Text(text)),
        None => Ok(()),
    }
}

fn call<'a>(cursor: &mut Cursor<'a>) -> Result<Piece<'a>, JsonError> {
    let (mut id, mut name, mut arguments) = (Quoted::default(), Quoted::default(), Raw("{}".into()));
    cursor.members::<JsonError>(|cursor, key| {
        match (key.raw, cursor.kind()?) {
            ("id", Kind::String) => id = cursor.string()?.into(),
            ("name", Kind::String) => name = cursor.string()?.into(),
            ("args", Kind::Object) => arguments = compact(cursor.raw()?),
            _ => drop(cursor.skip()?),
        }
        Ok(())
    })?;
    Ok(Piece::Call { id, name, arguments })
}

fn media<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Media<'a>>, JsonError> {
    let (mut mime, mut data) = (None, None);
    cursor.members::<JsonError>(|cursor, key| {
        match (key.raw, cursor.kind()?) {
            ("mimeType", Kind::String) => mime = Some(cursor.string()?.decode()),
            ("data", Kind::String) => data = Some(Quoted::from(cursor.string()?)),
            _ => drop(cursor.skip()?),
        }
        Ok(())
    })?;
    let (Some(mime), Some(data)) = (mime, data) else { return Ok(None) };
    let kind = super::parts::kind_of(&mime);
    Ok(Some(Media { kind, source: Source::Inline { mime, data }, name: None, detail: None }))
}

fn blocked(cursor: &mut Cursor<'_>) -> Result<bool, JsonError> {
    let mut blocked = false;
    cursor.members::<JsonError>(|cursor, key| {
        match (key.raw, cursor.kind()?) {
            ("blockReason", Kind::String) => {
                blocked = !matches!(cursor.string()?.raw, "" | "BLOCKED_REASON_UNSPECIFIED");
            }
            _ => drop(cursor.skip()?),
        }
        Ok(())
    })?;
    Ok(blocked)
}

/// A `usageMetadata` object; `None` when it names neither prompt nor answer. A count of 0 is left out of it.
///
/// The prompt includes what was cached and not what tools fetched for it; the answer does not include its thoughts.
fn usage(cursor: &mut Cursor<'_>) -> Result<Option<Usage>, JsonError> {
    let (mut prompt, mut answer, mut fetched, mut cached, mut thoughts) = (None, None, 0, 0, 0);
    cursor.members::<JsonError>(|cursor, key| {
        match key.raw {
            "promptTokenCount" => prompt = cursor.unsigned_or_skip()?,
            "toolUsePromptTokenCount" => fetched = cursor.unsigned_or_skip()?.unwrap_or(0),
            "cachedContentTokenCount" => cached = cursor.unsigned_or_skip()?.unwrap_or(0),
            "candidatesTokenCount" => answer = cursor.unsigned_or_skip()?,
            "thoughtsTokenCount" => thoughts = cursor.unsigned_or_skip()?.unwrap_or(0),
            _ => drop(cursor.skip()?),
        }
        Ok(())
    })?;
    if prompt.is_none() && answer.is_none() {
        return Ok(None);
    }
    let input = prompt.unwrap_or(0).saturating_add(fetched);
    let output = answer.unwrap_or(0).saturating_add(thoughts);
    Ok(Some(Usage { estimated: prompt.is_none(), ..Usage::from_totals(input, cached, 0, output, thoughts) }))
}

/// What a word means. Google has none for calls: they end with `STOP`. Where a model failed after it had said something, what it
/// said stands.
pub(super) fn finish(word: &str, calls: bool, content: bool) -> Finish {
    match word {
        "STOP" if calls => Finish::Calls,
        "STOP" => Finish::Stop,
        "MAX_TOKENS" | "CONTINUATION" => Finish::Length,
        "SAFETY" | "RECITATION" | "LANGUAGE" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "ESCALATION"
        | "MODEL_ARMOR" => Finish::Filtered,
        word if word.starts_with("IMAGE_") || word == "NO_IMAGE" => Finish::Filtered,
        "MALFORMED_FUNCTION_CALL"
        | "UNEXPECTED_TOOL_CALL"
        | "TOO_MANY_TOOL_CALLS"
        | "MISSING_THOUGHT_SIGNATURE"
        | "MALFORMED_RESPONSE" => Finish::Error,
        _ if calls => Finish::Calls,
        _ if content => Finish::Stop,
        _ => Finish::Error,
    }
}

/// An id for a call of a model that gives none: the same for the same answer, another for every other call.
pub(super) fn invented_id(answer: Option<&Quoted<'_>>, place: u32, name: &Quoted<'_>, arguments: &Raw<'_>) -> String {
    let answer = answer.map_or("", Quoted::written);
    let place = place.to_le_bytes();
    let parts = [answer.as_bytes(), &place, name.written().as_bytes(), b"\0", arguments.0.as_bytes()];
    // FNV-1a: stable between releases, which the standard library's hash is not.
    let hash = parts
        .into_iter()
        .flatten()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("call_{hash:016x}")
}
