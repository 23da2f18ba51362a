//! What a request says, as far as a decision and a splice need it, whatever its dialect.
//!
//! In: what a dialect's own scanner found. Out: [`Scan`]. Must not know: any provider's fields.

use smallvec::SmallVec;

use super::bad_body::BadBody;
use super::canonical::UNSUPPORTED;
use super::chat::demand::Demand;
use super::pass::{Step, expect, skip, string};
use crate::json::{Cursor, Kind, Passage, Span};

/// Largest model name, in bytes. Longer than any id in the catalog, short enough for a log line.
pub const MAX_MODEL_NAME: usize = 256;
/// Longest `user`, in bytes: four times what the API allows, short enough for a log line.
pub const MAX_USER: usize = 512;
/// Largest `metadata`: as many pairs as the API allows.
pub const MAX_METADATA: usize = 16;
/// Longest key and value of `metadata`, in characters, as the API allows.
pub const MAX_METADATA_TEXT: (usize, usize) = (64, 512);
/// Texts in one prompt: messages, parts, names, calls. Many times what any provider takes; bounds what a body of nothing but
/// tiny messages costs in memory.
pub const MAX_TEXTS: usize = 65_536;

/// What to look for beyond the fields that are always read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// The string values of `metadata`, for attributes that come from there.
    pub metadata: bool,
}

/// Kinds of content in a prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Modalities {
    /// Text parts.
    pub text: bool,
    /// `image_url`
    pub image: bool,
    /// `input_audio`
    pub audio: bool,
    /// `video_url`, an extension of several servers
    pub video: bool,
    /// `file`
    pub file: bool,
}

/// What a request says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// The model asked for.
    pub model: Box<str>,
    /// The answer is to be a stream.
    pub stream: bool,
    /// The stream is to end with a usage event.
    pub include_usage: bool,
    /// Tools or functions are offered.
    pub tools: bool,
    /// The answer must conform to a schema.
    pub json_schema: bool,
    /// Where the schemas stand that its answer is held against.
    pub demand: Demand,
    /// Kinds of content in the messages.
    pub modalities: Modalities,
    /// The least output cap given, in tokens.
    pub max_output: Option<u64>,
    /// Answers asked for; 1 when not given.
    pub choices: u64,
    /// The end user, as the caller names them.
    pub user: Option<Box<str>>,
    /// It refers to state that its provider keeps, so no other one can answer it.
    pub bound: bool,
    /// String values of `metadata`, if wanted.
    pub metadata: Vec<(Box<str>, Box<str>)>,
    /// How many messages.
    pub messages: u64,
    /// The prompt's text, in order: messages, names, calls and, as written, tool and schema definitions.
    pub text: SmallVec<[Passage; 8]>,
    /// Nothing where the model is named outside the body.
    pub(in crate::dialect) model_value: Span,
    pub(in crate::dialect) caps: SmallVec<[Cap; 2]>,
    /// Where a cap on the answer could be put in.
    pub(in crate::dialect) first_member: usize,
    /// What stands before and after it there.
    pub(in crate::dialect) cap_frame: (&'static str, &'static str),
}

/// An output cap in the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dialect) struct Cap {
    pub(in crate::dialect) value: Option<u64>,
    pub(in crate::dialect) span: Span,
}

impl Scan {
    /// Of a body of which nothing is known yet.
    pub(in crate::dialect) fn empty() -> Self {
        Self {
            model: "".into(),
            stream: false,
            include_usage: false,
            tools: false,
            json_schema: false,
            demand: Demand::default(),
            modalities: Modalities::default(),
            max_output: None,
            choices: 1,
            user: None,
            bound: false,
            metadata: Vec::new(),
            messages: 0,
            text: SmallVec::new(),
            model_value: Span { start: 0, end: 0 },
            caps: SmallVec::new(),
            first_member: 0,
            cap_frame: ("", ","),
        }
    }

    /// Everything was taken.
    pub(in crate::dialect) fn complete(self, messages: &str) -> Result<Self, BadBody> {
        let lacking = if self.model.is_empty() { Some("model") } else { (self.messages == 0).then_some(messages) };
        lacking.map_or(Ok(self), |field| Err(BadBody::missing(field)))
    }

    /// Takes `model`.
    pub(in crate::dialect) fn take_model(&mut self, cursor: &mut Cursor<'_>, kind: Kind) -> Step {
        let text = string(cursor, kind, "model")?;
        (self.model, self.model_value) = (model_name(&text.decode())?, text.quoted());
        Ok(())
    }

    /// Takes a string that is part of the prompt.
    pub(in crate::dialect) fn take_text(&mut self, cursor: &mut Cursor<'_>) -> Step {
        Ok(add_text(&mut self.text, cursor.passage()?)?)
    }

    /// Definitions and arguments reach the model in a form that is not documented; their JSON is the nearest thing there is.
    pub(in crate::dialect) fn as_written(&mut self, span: Span) -> Step {
        Ok(add_text(&mut self.text, Passage { span, escaped: false })?)
    }

    /// Takes a list of tools. Returns where it stands, unless it is empty.
    pub(in crate::dialect) fn take_tools(
        &mut self,
        cursor: &mut Cursor<'_>,
        kind: Kind,
        name: &str,
    ) -> Step<Option<Span>> {
        if kind != Kind::Array {
            return Err(BadBody::wrong_type(name, "an array", kind).into());
        }
        let start = cursor.offset();
        let mut any = false;
        cursor.items(|cursor| {
            any = true;
            skip(cursor)
        })?;
        if !any {
            return Ok(None);
        }
        self.tools = true;
        let span = Span { start, end: cursor.taken() };
        self.as_written(span)?;
        Ok(Some(span))
    }

    /// Takes a cap on the answer, which may be `null`; of several the least counts.
    pub(in crate::dialect) fn take_cap<'a>(
        &mut self,
        cursor: &mut Cursor<'a>,
        kind: Kind,
        number: impl FnOnce(&mut Cursor<'a>) -> Step<u64>,
    ) -> Step {
        let start = cursor.offset();
        let value = match kind {
            Kind::Null => skip(cursor).map(|()| None)?,
            _ => Some(number(cursor)?),
        };
        self.caps.push(Cap { value, span: Span { start, end: cursor.taken() } });
        self.max_output = self.caps.iter().filter_map(|cap| cap.value).min();
        Ok(())
    }

    /// The end user, whom `param` names.
    pub(in crate::dialect) fn name_user(&mut self, user: &str, param: &str) -> Result<(), BadBody> {
        if user.len() > MAX_USER {
            let message = format!("'{param}' must be at most {MAX_USER} bytes long.");
            return Err(BadBody::at(param, "invalid_value", message));
        }
        self.user = Some(user.into());
        Ok(())
    }

    /// Takes `metadata`, if wanted.
    pub(in crate::dialect) fn take_metadata(&mut self, cursor: &mut Cursor<'_>, kind: Kind, wants: Wants) -> Step {
        if !wants.metadata {
            return skip(cursor);
        }
        expect(kind, Kind::Object, "metadata")?;
        cursor.members(|cursor, key| {
            let Some(value) = cursor.string_or_skip()? else { return Ok(()) };
            Step::Ok(add_metadata(&mut self.metadata, &key.decode(), &value.decode())?)
        })
    }
}

/// The model asked for, which must be a name.
fn model_name(name: &str) -> Result<Box<str>, BadBody> {
    if name.trim().is_empty() {
        return Err(BadBody::at("model", "missing_required_parameter", "'model' is empty. Name a model."));
    }
    if name.len() > MAX_MODEL_NAME || name.chars().any(char::is_control) {
        let message = format!("'model' must be at most {MAX_MODEL_NAME} bytes of printable text.");
        return Err(BadBody::at("model", "invalid_value", message));
    }
    Ok(name.into())
}

/// Adds a pair of `metadata`.
pub(in crate::dialect) fn add_metadata(
    metadata: &mut Vec<(Box<str>, Box<str>)>,
    name: &str,
    value: &str,
) -> Result<(), BadBody> {
    let longest = MAX_METADATA_TEXT;
    if name.chars().nth(longest.0).is_some() || value.chars().nth(longest.1).is_some() {
        let (key, value) = longest;
        let message = format!("'metadata' takes keys of at most {key} characters and values of at most {value}.");
        return Err(BadBody::at("metadata", "invalid_value", message));
    }
    if metadata.iter().any(|(known, _)| **known == *name) {
        let message = format!("'metadata.{name}' stands in the request body twice. Leave one of them out.");
        return Err(BadBody::at(format!("metadata.{name}"), "duplicate_parameter", message));
    }
    if metadata.len() == MAX_METADATA {
        let message = format!("'metadata' has more than {MAX_METADATA} pairs.");
        return Err(BadBody::at("metadata", "invalid_value", message));
    }
    metadata.push((name.into(), value.into()));
    Ok(())
}

impl BadBody {
    /// For a provider other than the one that keeps what the request refers to.
    pub fn kept_elsewhere() -> Self {
        let message =
            "The request refers to what one provider keeps, so no other can answer it. Send the whole conversation.";
        Self::new(UNSUPPORTED, message)
    }
}

/// Adds a text of the prompt; an empty one is none.
pub(in crate::dialect) fn add_text(text: &mut SmallVec<[Passage; 8]>, passage: Passage) -> Result<(), BadBody> {
    if passage.span.is_empty() {
        return Ok(());
    }
    if text.len() == MAX_TEXTS {
        let message = format!("The prompt has more than {MAX_TEXTS} messages and parts.");
        return Err(BadBody::at("messages", "too_many_messages", message));
    }
    text.push(passage);
    Ok(())
}
