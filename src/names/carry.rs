//! What a dialect's API has a place for, of a request that came in another one.
//!
//! In: dialects, a kind of content or a control. Out: how much of it can be sent on. Must not know: policies, how anything is written. One
//! table for who writes requests and for who judges policies: `dialect::translate` holds its readers and writers to it.

use serde::Serialize;

use super::Dialect;

/// Kinds of content in a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Modality {
    /// `text`
    Text,
    /// `image`
    Image,
    /// `audio`
    Audio,
    /// `video`
    Video,
    /// `file`
    File,
}

impl Modality {
    /// Every member.
    pub const ALL: [Self; 5] = [Self::Text, Self::Image, Self::Audio, Self::Video, Self::File];

    /// As a policy writes it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Image => "image",
            Self::Audio => "audio",
            Self::Video => "video",
            Self::File => "file",
        }
    }
}

/// How content may stand in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Not at all.
    Nowhere,
    /// Inside the request, and not as the address of something on the web.
    Inside,
    /// Either way.
    Anywhere,
}

/// What is lost between two dialects, whatever is configured: a request with it is never sent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// All of it.
    All,
    /// What is not inside the request.
    ByUrl,
}

/// What callers of Messages may send besides contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// The beginning of the answer, as the last message.
    BegunAnswer,
    /// Marks of what is kept in a cache.
    CacheMarks,
}

impl Control {
    /// Every member.
    pub const ALL: [Self; 2] = [Self::BegunAnswer, Self::CacheMarks];
}

impl Dialect {
    /// Whether a model of a provider of this dialect is told it. `able` is what its facts say: that it goes on with an answer that
    /// was begun, or takes marks.
    pub fn tells(self, control: Control, able: Option<bool>) -> bool {
        match (self, control) {
            (Self::Messages | Self::Converse, Control::BegunAnswer) => able != Some(false),
            (Self::Gemini, Control::BegunAnswer) | (Self::Converse, Control::CacheMarks) => able == Some(true),
            (Self::Messages, Control::CacheMarks) => true,
            (Self::Chat | Self::Responses | Self::Embeddings, _) | (Self::Gemini, Control::CacheMarks) => false,
        }
    }

    /// How callers of this dialect send it.
    pub const fn sent(self, content: Modality) -> Place {
        use Modality::{Audio, File, Image, Text, Video};
        match (self, content) {
            (_, Text) => Place::Inside,
            (Self::Gemini, _) => Place::Anywhere,
            (Self::Chat | Self::Responses | Self::Messages, Image) => Place::Anywhere,
            (Self::Responses | Self::Messages, File) | (Self::Chat, Video) => Place::Anywhere,
            (Self::Chat | Self::Responses, Audio) | (Self::Chat, File) => Place::Inside,
            (Self::Responses | Self::Messages, Video) | (Self::Messages, Audio) => Place::Nowhere,
            // Never taken from a caller, and no prompts.
            (Self::Converse | Self::Embeddings, _) => Place::Nowhere,
        }
    }

    /// How its providers take it from a caller of another dialect.
    pub const fn taken(self, content: Modality) -> Place {
        use Modality::{Audio, File, Image, Text, Video};
        match (self, content) {
            (Self::Chat | Self::Responses | Self::Messages, Image) => Place::Anywhere,
            (Self::Responses | Self::Messages, File) => Place::Anywhere,
            (_, Text) | (Self::Gemini | Self::Converse, _) | (Self::Chat, Audio | File) => Place::Inside,
            (Self::Chat, Video) | (Self::Responses | Self::Messages, Audio | Video) | (Self::Embeddings, _) => {
                Place::Nowhere
            }
        }
    }

    /// What a caller of this dialect may send that a provider of `other` is never told.
    pub fn lost(self, other: Self, content: Modality) -> Option<Lost> {
        match (self.sent(content), other.taken(content)) {
            _ if self == other => None,
            (Place::Nowhere, _) => None,
            (_, Place::Nowhere) => Some(Lost::All),
            (Place::Anywhere, Place::Inside) => Some(Lost::ByUrl),
            _ => None,
        }
    }

    /// Whether a model of a provider of this dialect may be offered functions and held to a schema in one request.
    pub fn takes_tools_beside_schema(self, model: &str) -> bool {
        self != Self::Gemini || GeminiGeneration::of(model).signs()
    }
}

/// The generation of a Gemini model, from the number behind its family's name. A name without one moves, so it is a current model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GeminiGeneration(u32);

impl GeminiGeneration {
    /// Of an id.
    pub fn of(model: &str) -> Self {
        let number = model.split_once("gemini-").and_then(|(_, rest)| {
            let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
            digits.parse().ok()
        });
        Self(number.unwrap_or(u32::MAX))
    }

    /// It wants its signatures back with calls, takes levels of thinking, media in results, and functions beside a schema.
    pub const fn signs(self) -> bool {
        self.0 >= 3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_generation() {
        for (model, signs) in [
            ("gemini-2.5-flash", false),
            ("gemini-1.5-pro", false),
            ("models/gemini-2.0-flash-lite", false),
            ("gemini-3.8-flash", true),
            ("gemini-10-pro", true),
            ("gemini-flash-latest", true),
            ("something-else", true),
        ] {
            assert_eq!(GeminiGeneration::of(model).signs(), signs, "{model}");
        }
    }

    #[test]
    fn nothing_is_lost_where_both_speak_the_same() {
        for dialect in Dialect::ALL {
            assert!(Modality::ALL.iter().all(|content| dialect.lost(dialect, *content).is_none()));
        }
        assert_eq!(Dialect::Chat.lost(Dialect::Gemini, Modality::Image), Some(Lost::ByUrl));
        assert_eq!(Dialect::Chat.lost(Dialect::Messages, Modality::Audio), Some(Lost::All));
        assert_eq!(Dialect::Messages.lost(Dialect::Responses, Modality::Audio), None);
    }
}
