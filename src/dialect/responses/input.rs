//! What was said, out of `input`.
//!
//! In: items. Out: turns, and what only this API can say. Must not know: the other fields of a request.

use super::media;
use crate::dialect::bad_body::BadBody;
use crate::dialect::canonical::{
    Block, CacheMark, Conversation, Fate, Media, MediaKind, Part, Role, Source, ToolCall, ToolResult, Turn,
};
use crate::dialect::pass::{Step, Stop, skip};
use crate::json::{Cursor, Kind, Quoted, Raw, Text};

/// Whom items are added to.
pub(super) struct Input<'c, 'a> {
    pub conversation: &'c mut Conversation<'a>,
}

/// One item, before it is known what it is.
#[derive(Default)]
struct Item<'a> {
    kind: Option<Text<'a>>,
    role: Option<Text<'a>>,
    content: Vec<Block<'a>>,
    call_id: Option<Text<'a>>,
    name: Option<Text<'a>>,
    arguments: Option<Text<'a>>,
    output: Vec<Block<'a>>,
    /// Fields that are not understood.
    unknown: Vec<Text<'a>>,
}

/// One content part, likewise.
#[derive(Default)]
struct Fields<'a> {
    kind: Option<Text<'a>>,
    text: Option<Text<'a>>,
    url: Option<Text<'a>>,
    file_id: Option<Text<'a>>,
    file_data: Option<Text<'a>>,
    filename: Option<Text<'a>>,
    detail: Option<Text<'a>>,
    audio: Option<(Option<Text<'a>>, Option<Text<'a>>)>,
    cache: Option<CacheMark>,
}

impl<'a> Input<'_, 'a> {
    /// Takes the value of `input`.
    pub fn read(&mut self, cursor: &mut Cursor<'a>, kind: Kind) -> Step {
        match kind {
            Kind::String => {
                let blocks = vec![Part::Text(cursor.string()?.into()).into()];
                self.conversation.turns.push(Turn { role: Role::User, blocks, at: 0 });
                Ok(())
            }
            Kind::Array => {
                let mut at = 0;
                cursor.items(|cursor| {
                    let kind = cursor.kind()?;
                    if kind != Kind::Object {
                        return Err(BadBody::wrong_type(format_args!("input[{at}]"), "an object", kind).into());
                    }
                    self.item(cursor, at)?;
                    at += 1;
                    Ok(())
                })
            }
            _ => Err(BadBody::wrong_type("input", "a string or an array of items", kind).into()),
        }
    }

    fn item(&mut self, cursor: &mut Cursor<'a>, at: usize) -> Step {
        let mut item = Item::default();
        cursor.members(|cursor, key| {
            match (&*key.decode(), cursor.kind()?) {
                ("type", Kind::String) => item.kind = Some(cursor.string()?),
                ("role", Kind::String) => item.role = Some(cursor.string()?),
                ("call_id", Kind::String) => item.call_id = Some(cursor.string()?),
                ("name", Kind::String) => item.name = Some(cursor.string()?),
                ("arguments", Kind::String) => item.arguments = Some(cursor.string()?),
                ("content", kind) => item.content = self.blocks(cursor, kind, at, "content")?,
                ("output", kind) => item.output = self.blocks(cursor, kind, at, "output")?,
                // The provider's own notes about an item that it gave before; `phase` sorts the answers of one model.
                ("id" | "status" | "phase" | "encrypted_content" | "summary", _) | (_, Kind::Null) => skip(cursor)?,
                // What OpenAI's SDK for Node.js read out of the arguments, sent back with a call.
                ("parsed_arguments", _) => skip(cursor)?,
                _ => {
                    skip(cursor)?;
                    item.unknown.push(key);
                }
            }
            Step::Ok(())
        })?;
        self.sort(item, at)
    }

    /// Puts an item where it belongs.
    fn sort(&mut self, item: Item<'a>, at: usize) -> Step {
        let kind = item.kind.map(Text::decode);
        let role = item.role.map(Text::decode);
        let kind = kind.as_deref().or(role.is_some().then_some("message"));
        let unknown = item.unknown.iter().map(|key| format!("input[{at}].{}", key.decode()));
        match kind {
            Some("message") => {
                unknown.for_each(|param| self.conversation.extra(param, Fate::Refused));
                let role = match role.as_deref() {
                    Some("user") => Role::User,
                    Some("assistant") => Role::Assistant,
                    Some("system" | "developer") => Role::System,
                    Some(_) => {
                        let param = format!("input[{at}].role");
                        let message = format!("'{param}' must be user, assistant, system or developer.");
                        return Err(BadBody::at(param, "invalid_value", message).into());
                    }
                    None => return Err(BadBody::missing(&format!("input[{at}].role")).into()),
                };
                self.message(role, item.content, at)
            }
            Some("function_call") => {
                unknown.for_each(|param| self.conversation.extra(param, Fate::Refused));
                let call = ToolCall {
                    id: required(item.call_id, at, "call_id")?.into(),
                    name: required(item.name, at, "name")?.into(),
                    arguments: arguments(item.arguments, at)?,
                };
                self.join(Role::Assistant, Part::Call(call), at)
            }
            Some("function_call_output") => {
                unknown.for_each(|param| self.conversation.extra(param, Fate::Refused));
                let result = ToolResult {
                    id: required(item.call_id, at, "call_id")?.into(),
                    name: item.name.map(Quoted::from),
                    parts: item.output.into_iter().map(|block| block.part).collect(),
                    json: None,
                    error: false,
                };
                self.join(Role::User, Part::Result(result), at)
            }
            Some("reasoning") => self.join(Role::Assistant, Part::Thinking(Quoted::default()), at),
            // Built-in tools, references, compaction: nobody else can do anything with them.
            _ => {
                self.conversation.extra(format!("input[{at}]"), Fate::Refused);
                Ok(())
            }
        }
    }

    fn message(&mut self, role: Role, blocks: Vec<Block<'a>>, at: usize) -> Step {
        if role == Role::System {
            let text = |block: &Block<'_>| matches!(block.part, Part::Text(_));
            if let Some(place) = blocks.iter().position(|block| !text(block)) {
                self.conversation.extra(format!("input[{at}].content[{place}]"), Fate::Refused);
            }
            if self.conversation.turns.is_empty() {
                self.conversation.system.extend(blocks);
                return Ok(());
            }
        }
        self.conversation.turns.push(Turn { role, blocks, at });
        Ok(())
    }

    /// Calls belong to what the model said before them, and results stand together: other dialects say so with one message, this
    /// one with an item each.
    fn join(&mut self, role: Role, part: Part<'a>, at: usize) -> Step {
        let results = |turn: &Turn<'_>| turn.blocks.first().is_none_or(|block| matches!(block.part, Part::Result(_)));
        match self.conversation.turns.last_mut() {
            Some(turn) if turn.role == role && (role == Role::Assistant || results(turn)) => {
                turn.blocks.push(part.into());
            }
            _ => self.conversation.turns.push(Turn { role, blocks: vec![part.into()], at }),
        }
        Ok(())
    }

    fn blocks(&mut self, cursor: &mut Cursor<'a>, kind: Kind, at: usize, field: &str) -> Step<Vec<Block<'a>>> {
        let mut blocks = Vec::new();
        match kind {
            Kind::String => blocks.push(Part::Text(cursor.string()?.into()).into()),
            Kind::Null => skip(cursor)?,
            Kind::Array => {
                let mut place = 0;
                cursor.items(|cursor| {
                    let param = || format!("input[{at}].{field}[{place}]");
                    let kind = cursor.kind()?;
                    if kind != Kind::Object {
                        return Err(BadBody::wrong_type(param(), "an object", kind).into());
                    }
                    blocks.extend(self.part(cursor, &param)?);
                    place += 1;
                    Step::Ok(())
                })?;
            }
            _ => {
                let wanted = "a string or an array of content parts";
                return Err(BadBody::wrong_type(format_args!("input[{at}].{field}"), wanted, kind).into());
            }
        }
        Ok(blocks)
    }

    fn part(&mut self, cursor: &mut Cursor<'a>, param: &dyn Fn() -> String) -> Step<Option<Block<'a>>> {
        let mut fields = Fields::default();
        cursor.members(|cursor, key| {
            match (&*key.decode(), cursor.kind()?) {
                ("type", Kind::String) => fields.kind = Some(cursor.string()?),
                ("text" | "refusal", Kind::String) => fields.text = Some(cursor.string()?),
                ("image_url" | "file_url", Kind::String) => fields.url = Some(cursor.string()?),
                ("file_id", Kind::String) => fields.file_id = Some(cursor.string()?),
                ("file_data", Kind::String) => fields.file_data = Some(cursor.string()?),
                ("filename", Kind::String) => fields.filename = Some(cursor.string()?),
                ("detail", Kind::String) => fields.detail = Some(cursor.string()?),
                ("input_audio", Kind::Object) => fields.audio = Some(audio(cursor)?),
                ("prompt_cache_breakpoint", Kind::Object) => {
                    skip(cursor)?;
                    fields.cache = Some(CacheMark::Short);
                }
                // What the provider said about a text of its own; and what OpenAI's SDK for Node.js read out of it.
                ("annotations" | "logprobs" | "parsed", _) | (_, Kind::Null) => skip(cursor)?,
                (name, _) => {
                    skip(cursor)?;
                    self.conversation.extra(format!("{}.{name}", param()), Fate::Refused);
                }
            }
            Step::Ok(())
        })?;
        let cache = fields.cache;
        let part = fields.part(param)?;
        if part.is_none() {
            self.conversation.extra(param(), Fate::Refused);
        }
        Ok(part.map(|part| Block { part, cache }))
    }
}

impl<'a> Fields<'a> {
    /// `None` for a part that nobody else knows.
    fn part(self, param: &dyn Fn() -> String) -> Step<Option<Part<'a>>> {
        let missing = |field: &str| Stop::Bad(BadBody::missing(&format!("{}.{field}", param())));
        let text = || self.text.map(Quoted::from).ok_or_else(|| missing("text"));
        let kind = self.kind.ok_or_else(|| missing("type"))?;
        let (kind, source) = match &*kind.decode() {
            "input_text" | "output_text" => return text().map(Part::Text).map(Some),
            "refusal" => return text().map(Part::Refusal).map(Some),
            "reasoning_text" => return text().map(Part::Thinking).map(Some),
            "input_image" => (MediaKind::Image, self.url.map(media::of_url)),
            "input_file" => {
                (MediaKind::Document, self.file_data.map(media::of_file).or_else(|| self.url.map(media::of_url)))
            }
            "input_audio" => {
                let Some((Some(data), format)) = self.audio else { return Err(missing("input_audio.data")) };
                let format = format.map(Text::decode);
                (MediaKind::Audio, Some(media::of_audio(data, format.as_deref().unwrap_or("wav"))))
            }
            _ => return Ok(None),
        };
        let source = source.or_else(|| self.file_id.map(|id| Source::File(id.into())));
        let name = self.filename.map(Quoted::from);
        let detail = self.detail.map(Quoted::from);
        match source {
            Some(source) => Ok(Some(Part::Media(Media { kind, source, name, detail }))),
            None => Err(missing(if kind == MediaKind::Image { "image_url" } else { "file_data" })),
        }
    }
}

fn audio<'a>(cursor: &mut Cursor<'a>) -> Step<(Option<Text<'a>>, Option<Text<'a>>)> {
    let (mut data, mut format) = (None, None);
    cursor.members(|cursor, key| {
        match (key.raw, cursor.kind()?) {
            ("data", Kind::String) => data = Some(cursor.string()?),
            ("format", Kind::String) => format = Some(cursor.string()?),
            _ => skip(cursor)?,
        }
        Step::Ok(())
    })?;
    Ok((data, format))
}

fn required<'a>(text: Option<Text<'a>>, at: usize, field: &str) -> Step<Text<'a>> {
    text.ok_or_else(|| BadBody::missing(&format!("input[{at}].{field}")).into())
}

/// A call's arguments: a JSON object inside a string; an empty string calls without any.
fn arguments(text: Option<Text<'_>>, at: usize) -> Step<Raw<'_>> {
    let Some(text) = text.filter(|text| !text.raw.trim().is_empty()) else { return Ok(Raw("{}".into())) };
    object(text).ok_or_else(|| {
        let param = format!("input[{at}].arguments");
        let message =
            format!("'{param}' must be a JSON object inside a string, such as \"{{\\\"city\\\":\\\"Paris\\\"}}\".");
        BadBody::at(param, "invalid_value", message).into()
    })
}

/// The object inside a string.
pub(super) fn object(text: Text<'_>) -> Option<Raw<'_>> {
    let inside = text.decode();
    let read = Cursor::new(inside.as_bytes()).and_then(|mut cursor| {
        let kind = cursor.kind()?;
        cursor.skip()?;
        cursor.finish()?;
        Ok(kind)
    });
    (read == Ok(Kind::Object)).then_some(Raw(inside))
}
