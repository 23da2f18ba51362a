//! What a message is made of.
//!
//! In: nothing. Out: types. Must not know: any provider's fields.

use std::borrow::Cow;

use super::CacheMark;
use crate::json::{Quoted, Raw};

/// A part and what was said about keeping it.
#[derive(Clone, Debug, PartialEq)]
pub struct Block<'a> {
    /// What it is.
    pub part: Part<'a>,
    /// The prompt up to and including it is worth keeping.
    pub cache: Option<CacheMark>,
}

impl<'a> From<Part<'a>> for Block<'a> {
    fn from(part: Part<'a>) -> Self {
        Self { part, cache: None }
    }
}

/// A part of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Part<'a> {
    /// Words.
    Text(Quoted<'a>),
    /// Something to look at, listen to or read.
    Media(Media<'a>),
    /// The model calls a function.
    Call(ToolCall<'a>),
    /// What a function returned.
    Result(ToolResult<'a>),
    /// The model declined, in these words.
    Refusal(Quoted<'a>),
    /// The model's thinking. Signed by one provider for one model, so it never goes to another: writers leave it out.
    Thinking(Quoted<'a>),
}

/// Something that is no text.
#[derive(Clone, Debug, PartialEq)]
pub struct Media<'a> {
    /// Of which kind.
    pub kind: MediaKind,
    /// Where it is.
    pub source: Source<'a>,
    /// A file's name.
    pub name: Option<Quoted<'a>>,
    /// How closely to look at an image; costs tokens, changes no meaning.
    pub detail: Option<Quoted<'a>>,
}

/// Kinds of media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    /// A picture.
    Image,
    /// Sound.
    Audio,
    /// Moving pictures.
    Video,
    /// A PDF or other file to read.
    Document,
}

/// Where media are.
#[derive(Clone, Debug, PartialEq)]
pub enum Source<'a> {
    /// In the request.
    Inline {
        /// `image/png`; lower case, without parameters.
        mime: Cow<'a, str>,
        /// Base64, without a `data:` prefix.
        data: Quoted<'a>,
    },
    /// Somewhere that the provider can read.
    Url(Quoted<'a>),
    /// Uploaded to the provider before; means nothing to another one.
    File(Quoted<'a>),
    /// A document that is plain text.
    Text(Quoted<'a>),
}

/// A call of a function.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolCall<'a> {
    /// Pairs it with its result. Empty where the provider gives none.
    pub id: Quoted<'a>,
    /// The function.
    pub name: Quoted<'a>,
    /// A JSON object, decoded from the string some dialects put it in. The reader has seen that it is one.
    pub arguments: Raw<'a>,
}

/// What a function returned.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolResult<'a> {
    /// Of the call it answers.
    pub id: Quoted<'a>,
    /// The function, where the dialect says; [`super::Conversation`] holds the call otherwise.
    pub name: Option<Quoted<'a>>,
    /// Text and media.
    pub parts: Vec<Part<'a>>,
    /// A JSON value in place of parts, where the dialect takes one.
    pub json: Option<Raw<'a>>,
    /// It failed.
    pub error: bool,
}
