//! Content blocks of a request.
//!
//! In: a cursor at a message's content. Out: blocks in nobody's words, and what only this dialect can say. Must not know: who
//! speaks.

use std::fmt;

use super::fields::{Step, Stop, expect, flag, object, odd_word, text, type_ahead};
use crate::dialect::bad_body::BadBody;
use crate::dialect::canonical::{
    Block, CacheMark, Conversation, Fate, Media, MediaKind, Part, Source, ToolCall, ToolResult,
};
use crate::json::{Cursor, Kind, Quoted};

/// Where something stands, for its sender: `messages[2].content[0]`, `system[1]`.
#[derive(Clone, Copy)]
pub(super) struct Place {
    message: Option<usize>,
    block: Option<usize>,
    inner: Option<usize>,
}

impl Place {
    pub(super) const SYSTEM: Self = Self { message: None, block: None, inner: None };

    pub(super) const fn message(at: usize) -> Self {
        Self { message: Some(at), ..Self::SYSTEM }
    }

    const fn item(self, at: usize) -> Self {
        if self.block.is_none() { Self { block: Some(at), ..self } } else { Self { inner: Some(at), ..self } }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message {
            Some(at) => write!(f, "messages[{at}].content")?,
            None => f.write_str("system")?,
        }
        self.block.map_or(Ok(()), |at| write!(f, "[{at}]"))?;
        self.inner.map_or(Ok(()), |at| write!(f, ".content[{at}]"))
    }
}

/// Collects blocks.
pub(super) struct Blocks<'a, 'x> {
    pub(super) blocks: Vec<Block<'a>>,
    said: &'x mut Conversation<'a>,
}

impl<'a, 'x> Blocks<'a, 'x> {
    /// A text, or a list of blocks.
    pub(super) fn read(cursor: &mut Cursor<'a>, place: Place, said: &'x mut Conversation<'a>) -> Step<Vec<Block<'a>>> {
        let mut into = Self { blocks: Vec::new(), said };
        match cursor.kind()? {
            Kind::String => into.blocks.push(Part::Text(cursor.string()?.into()).into()),
            Kind::Array => {
                let mut at = 0;
                cursor.items(|cursor| {
                    let place = place.item(at);
                    at += 1;
                    expect(cursor, Kind::Object, place, "an object")?;
                    into.block(cursor, place)
                })?;
            }
            found => return Err(BadBody::wrong_type(place, "a string or an array of content blocks", found).into()),
        }
        Ok(into.blocks)
    }

    fn extra(&mut self, param: impl fmt::Display, fate: Fate) {
        self.said.extra(param.to_string(), fate);
    }

    fn block(&mut self, cursor: &mut Cursor<'a>, place: Place) -> Step {
        let kind = type_ahead(cursor)?;
        let system = place.message.is_none();
        let inner = place.inner.is_some();
        match &*kind {
            "text" => self.text(cursor, place),
            "image" if !system => self.image(cursor, place),
            "document" if !system => self.document(cursor, place),
            "tool_use" if !system && !inner => self.call(cursor, place),
            "tool_result" if !system && !inner => self.result(cursor, place),
            "thinking" | "redacted_thinking" if !system && !inner => self.thinking(cursor, place),
            "" => Err(BadBody::missing(&format!("{place}.type")).into()),
            // Server tools, search results, containers, and what is newer than this.
            _ => {
                cursor.skip()?;
                self.extra(place, Fate::Refused);
                Ok(())
            }
        }
    }

    /// The members of a block beside those that every block has. A `null` says nothing.
    fn members(
        &mut self,
        cursor: &mut Cursor<'a>,
        place: Place,
        mut read: impl FnMut(&mut Self, &mut Cursor<'a>, &str) -> Step<bool>,
    ) -> Step<Option<CacheMark>> {
        let mut mark = None;
        cursor.members(|cursor, key| {
            let name = key.decode();
            match (&*name, cursor.kind()?) {
                ("type", _) | (_, Kind::Null) => drop(cursor.skip()?),
                ("cache_control", _) => mark = cache_mark(cursor, format_args!("{place}.cache_control"))?,
                (name, _) => {
                    if !read(self, cursor, name)? {
                        cursor.skip()?;
                        self.extra(format_args!("{place}.{name}"), Fate::Refused);
                    }
                }
            }
            Ok::<(), Stop>(())
        })?;
        Ok(mark)
    }

    fn text(&mut self, cursor: &mut Cursor<'a>, place: Place) -> Step {
        let mut said = None;
        let cache = self.members(cursor, place, |blocks, cursor, name| {
            match name {
                "text" => said = Some(text(cursor, format_args!("{place}.text"))?),
                // What an earlier answer was founded on; the words stay what they are.
                "citations" => {
                    if cursor.skip()?.len() > 2 {
                        blocks.extra(format_args!("{place}.citations"), Fate::Dropped);
                    }
                }
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        let said = said.ok_or_else(|| BadBody::missing(&format!("{place}.text")))?;
        self.blocks.push(Block { part: Part::Text(said), cache });
        Ok(())
    }

    fn thinking(&mut self, cursor: &mut Cursor<'a>, place: Place) -> Step {
        let mut thought = Quoted::default();
        let cache = self.members(cursor, place, |_, cursor, name| {
            match name {
                "thinking" => thought = text(cursor, format_args!("{place}.thinking"))?,
                "signature" | "data" => drop(cursor.skip()?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        self.blocks.push(Block { part: Part::Thinking(thought), cache });
        Ok(())
    }

    fn image(&mut self, cursor: &mut Cursor<'a>, place: Place) -> Step {
        let mut source = None;
        let cache = self.members(cursor, place, |blocks, cursor, name| {
            if name == "source" {
                source = Some(blocks.source(cursor, place)?);
            }
            Ok(name == "source")
        })?;
        self.media(MediaKind::Image, source, None, cache, place)
    }

    fn document(&mut self, cursor: &mut Cursor<'a>, place: Place) -> Step {
        let (mut source, mut title) = (None, None);
        let cache = self.members(cursor, place, |blocks, cursor, name| {
            match name {
                "source" => source = Some(blocks.source(cursor, place)?),
                "title" => title = Some(text(cursor, format_args!("{place}.title"))?),
                "context" => {
                    cursor.skip()?;
                    blocks.extra(format_args!("{place}.context"), Fate::Dropped);
                }
                "citations" => {
                    let mut enabled = false;
                    cursor.members(|cursor, key| {
                        match key.raw {
                            "enabled" => enabled = flag(cursor, format_args!("{place}.citations.enabled"))?,
                            _ => drop(cursor.skip()?),
                        }
                        Ok::<(), Stop>(())
                    })?;
                    if enabled {
                        blocks.extra(format_args!("{place}.citations"), Fate::Refused);
                    }
                }
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        self.media(MediaKind::Document, source, title, cache, place)
    }

    fn media(
        &mut self,
        kind: MediaKind,
        source: Option<Option<Source<'a>>>,
        name: Option<Quoted<'a>>,
        cache: Option<CacheMark>,
        place: Place,
    ) -> Step {
        match source {
            None => Err(BadBody::missing(&format!("{place}.source")).into()),
            Some(None) => {
                self.extra(format_args!("{place}.source"), Fate::Refused);
                Ok(())
            }
            Some(Some(source)) => {
                let media = Media { kind, source, name, detail: None };
                self.blocks.push(Block { part: Part::Media(media), cache });
                Ok(())
            }
        }
    }

    /// `None` is a source that no other dialect has.
    fn source(&mut self, cursor: &mut Cursor<'a>, place: Place) -> Step<Option<Source<'a>>> {
        expect(cursor, Kind::Object, format_args!("{place}.source"), "an object")?;
        let kind = type_ahead(cursor)?;
        let (mut mime, mut value) = (None, None);
        let wanted = match &*kind {
            "base64" | "text" => "data",
            "url" => "url",
            "file" => "file_id",
            "content" => "content",
            _ => return Ok(cursor.skip().map(|_| None)?),
        };
        cursor.members(|cursor, key| {
            match (&*key.decode(), cursor.kind()?) {
                ("type", _) | (_, Kind::Null) => drop(cursor.skip()?),
                ("media_type", _) => mime = Some(text(cursor, format_args!("{place}.source.media_type"))?),
                // A document that is made of blocks is one of this provider's; a mere text is not.
                ("content", Kind::Array) => drop(cursor.skip()?),
                (name, _) if name == wanted => {
                    value = Some(text(cursor, format_args!("{place}.source.{name}"))?);
                }
                (name, _) => {
                    cursor.skip()?;
                    self.extra(format_args!("{place}.source.{name}"), Fate::Refused);
                }
            }
            Ok::<(), Stop>(())
        })?;
        let Some(value) = value else {
            if wanted == "content" {
                return Ok(None);
            }
            return Err(BadBody::missing(&format!("{place}.source.{wanted}")).into());
        };
        Ok(Some(match &*kind {
            "base64" => {
                let mime = mime.ok_or_else(|| BadBody::missing(&format!("{place}.source.media_type")))?;
                Source::Inline { mime: mime.decode().to_ascii_lowercase().into(), data: value }
            }
            "url" => Source::Url(value),
            "file" => Source::File(value),
            _ => Source::Text(value),
        }))
    }

    fn call(&mut self, cursor: &mut Cursor<'a>, place: Place) -> Step {
        let (mut id, mut function, mut input) = (None, None, None);
        let cache = self.members(cursor, place, |blocks, cursor, name| {
            match name {
                "id" => id = Some(text(cursor, format_args!("{place}.id"))?),
                "name" => function = Some(text(cursor, format_args!("{place}.name"))?),
                "input" => input = Some(object(cursor, format_args!("{place}.input"))?),
                "caller" => {
                    let direct = type_ahead(cursor)? == "direct";
                    cursor.skip()?;
                    if !direct {
                        blocks.extra(format_args!("{place}.caller"), Fate::Refused);
                    }
                }
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        let missing = |name: &str| BadBody::missing(&format!("{place}.{name}"));
        let call = ToolCall {
            id: id.ok_or_else(|| missing("id"))?,
            name: function.ok_or_else(|| missing("name"))?,
            arguments: input.ok_or_else(|| missing("input"))?,
        };
        self.blocks.push(Block { part: Part::Call(call), cache });
        Ok(())
    }

    fn result(&mut self, cursor: &mut Cursor<'a>, place: Place) -> Step {
        let (mut id, mut parts, mut error) = (None, Vec::new(), false);
        let cache = self.members(cursor, place, |blocks, cursor, name| {
            match name {
                "tool_use_id" => id = Some(text(cursor, format_args!("{place}.tool_use_id"))?),
                "is_error" => error = flag(cursor, format_args!("{place}.is_error"))?,
                "content" => {
                    let read = Blocks::read(cursor, place, blocks.said)?;
                    parts = read.into_iter().map(|block| block.part).collect();
                }
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        let id = id.ok_or_else(|| BadBody::missing(&format!("{place}.tool_use_id")))?;
        let result = ToolResult { id, name: None, parts, json: None, error };
        self.blocks.push(Block { part: Part::Result(result), cache });
        Ok(())
    }
}

/// `{"type": "ephemeral", "ttl": "1h"}`
pub(super) fn cache_mark(cursor: &mut Cursor<'_>, param: impl fmt::Display) -> Step<Option<CacheMark>> {
    expect(cursor, Kind::Object, &param, "an object")?;
    let mut mark = CacheMark::Short;
    cursor.members(|cursor, key| {
        if key.raw == "ttl" && cursor.kind()? == Kind::String {
            mark = match &*cursor.string()?.decode() {
                "5m" => CacheMark::Short,
                "1h" => CacheMark::Hour,
                _ => return Err(odd_word(format_args!("{param}.ttl"), "'5m' or '1h'")),
            };
            return Ok(());
        }
        Ok(cursor.skip().map(drop)?)
    })?;
    Ok(Some(mark))
}
