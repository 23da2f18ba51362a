//! Names that mean something, as types.
//!
//! In: strings somebody wrote. Out: cheap-to-clone newtypes. Must not know: anything else.

mod carry;

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

pub use carry::{Control, GeminiGeneration, Lost, Modality, Place};

/// A provider as policies and configuration name it: `openai`, `bedrock`, `vllm`.
pub type ProviderName = Arc<str>;

/// A language that a provider's API is spoken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// OpenAI Chat Completions, and every server compatible with it.
    Chat,
    /// OpenAI Responses.
    Responses,
    /// Anthropic Messages.
    Messages,
    /// Google's generateContent.
    Gemini,
    /// Bedrock's Converse. Written and read back, never taken from a caller.
    Converse,
    /// OpenAI's embeddings: what callers of that endpoint speak, and every provider of [`Self::Chat`] and [`Self::Responses`] there.
    Embeddings,
}

impl Dialect {
    /// What a provider may be said to speak, in the order the documentation lists it.
    pub const ALL: [Self; 5] = [Self::Chat, Self::Responses, Self::Messages, Self::Gemini, Self::Converse];
    /// What a caller may speak who wants a conversation.
    pub const CALLERS: [Self; 4] = [Self::Chat, Self::Responses, Self::Messages, Self::Gemini];

    /// As configuration, logs and metrics write it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::Gemini => "gemini",
            Self::Converse => "converse",
            Self::Embeddings => "embeddings",
        }
    }

    /// What a provider speaks that policies call by its own name.
    pub fn usual(provider: &str) -> Self {
        match provider {
            "anthropic" => Self::Messages,
            "google" | "vertex" => Self::Gemini,
            "bedrock" => Self::Converse,
            _ => Self::Chat,
        }
    }

    /// The dialect meant by `word`.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.word() == word)
    }
}

/// One model id at one provider. The id is byte for byte what the provider's API takes, so everything after the
/// first `/` belongs to it, further slashes and `@` included (language specification, section 2.1).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelRef {
    /// The name before the first `/`.
    pub provider: ProviderName,
    /// The rest, as the provider's API takes it.
    pub id: Arc<str>,
}

impl ModelRef {
    /// Joins a provider and an id without checking either.
    pub fn new(provider: &str, id: &str) -> Self {
        Self { provider: provider.into(), id: id.into() }
    }

    /// Splits `provider/id` at the first slash; `None` when one side is empty.
    pub fn parse(text: &str) -> Option<Self> {
        let (provider, id) = text.split_once('/')?;
        (!provider.is_empty() && !id.is_empty()).then(|| Self::new(provider, id))
    }
}

impl fmt::Display for ModelRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.id)
    }
}

impl fmt::Debug for ModelRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for ModelRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The names in `known` that are close enough to `name` to be what was meant, nearest first, at most three.
///
/// "Close" is a Damerau-Levenshtein distance of at most a third of the name's length, and never more than three.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let limit = (name.chars().count() / 3).clamp(1, 3);
    let mut close: Vec<(usize, &str)> = known
        .into_iter()
        .filter(|candidate| candidate.len().abs_diff(name.len()) <= limit)
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    close.sort();
    close.dedup();
    close.into_iter().take(3).map(|(_, candidate)| candidate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_id_keeps_every_slash_but_the_first() {
        let model = ModelRef::parse("groq/openai/gpt-oss-120b").unwrap();
        assert_eq!((&*model.provider, &*model.id), ("groq", "openai/gpt-oss-120b"));
        assert_eq!(model.to_string(), "groq/openai/gpt-oss-120b");
        assert!(ModelRef::parse("gpt-5").is_none());
        assert!(ModelRef::parse("openai/").is_none());
    }

    #[test]
    fn nearest_offers_what_was_meant_and_nothing_far() {
        assert_eq!(nearest("wehn", ["when", "tier", "deadline"]), ["when"]);
        assert!(nearest("zebra", ["when", "tier"]).is_empty());
    }
}
