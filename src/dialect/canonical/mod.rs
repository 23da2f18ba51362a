//! One conversation in nobody's words: what every dialect is translated from and to.
//!
//! In: a dialect's own reader. Out: a dialect's own writer. Must not know: any provider's field names, except to name a field to
//! the caller who wrote it ([`Field`]).
//!
//! Text stays as it was written ([`Quoted`], [`Raw`]): from JSON to JSON nothing is unescaped and escaped again, and most of a
//! large body is copied once.

mod completion;
mod delta;
mod echo;
mod field;
mod ids;
mod notes;
pub mod open_calls;
mod part;

pub use completion::{Completion, Finish, Reply};
pub use delta::{Delta, Judge};
pub use echo::{Echo, MAX_ECHO};
pub use field::Field;
pub use ids::Ids;
pub use notes::{Notes, Once, UNSUPPORTED, Written};
pub use part::{Block, Media, MediaKind, Part, Source, ToolCall, ToolResult};

use std::borrow::Cow;
use std::collections::HashSet;

use super::Dialect;
use crate::catalog::Capabilities;
use crate::json::{Quoted, Raw};

/// A request.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversation<'a> {
    /// The dialect it came in: its field names are the ones the caller knows.
    pub from: Dialect,
    /// The model that was asked for.
    pub model: Quoted<'a>,
    /// Instructions that stand before everything; text only.
    pub system: Vec<Block<'a>>,
    /// What was said, in order. Neighbors may have the same role.
    pub turns: Vec<Turn<'a>>,
    /// Functions that may be called.
    pub tools: Vec<Tool<'a>>,
    /// Whether one must be.
    pub tool_choice: Option<ToolChoice<'a>>,
    /// At most one call at a time.
    pub one_call: bool,
    /// The shape of the answer; `None` when nothing is said about it.
    pub format: Option<Format<'a>>,
    /// Most tokens of the answer.
    pub max_output: Option<u64>,
    /// Numbers as written.
    pub sampling: Sampling<'a>,
    /// Texts that end the answer.
    pub stop: Vec<Quoted<'a>>,
    /// Answers asked for; 1 when nothing is said.
    pub choices: u64,
    /// How much to think; `None` leaves it to the model.
    pub thinking: Option<Thinking>,
    /// How many words to make of an answer: `low`, `medium` or `high`.
    pub verbosity: Option<Quoted<'a>>,
    /// Say how likely each token of the answer was.
    pub logprobs: Option<Logprobs<'a>>,
    /// The end user, pseudonymous.
    pub user: Option<Quoted<'a>>,
    /// The answer is to be a stream.
    pub stream: bool,
    /// The stream is to say what it used. Dialects whose streams always do set it.
    pub include_usage: bool,
    /// What only the caller's dialect can say.
    pub extras: Vec<Extra<'a>>,
}

/// Extras of one fate that are kept; headers show the first ones, and a refusal names one.
pub const MAX_EXTRAS: usize = 64;

impl<'a> Conversation<'a> {
    /// Of which nothing is known yet.
    pub fn empty(from: Dialect) -> Self {
        Self {
            from,
            model: Quoted::default(),
            system: Vec::new(),
            turns: Vec::new(),
            tools: Vec::new(),
            tool_choice: None,
            one_call: false,
            format: None,
            max_output: None,
            sampling: Sampling::default(),
            stop: Vec::new(),
            choices: 1,
            thinking: None,
            verbosity: None,
            logprobs: None,
            user: None,
            stream: false,
            include_usage: false,
            extras: Vec::new(),
        }
    }

    /// Keeps a field that only the caller's dialect has; those beyond [`MAX_EXTRAS`] of a fate share the fate of the others.
    pub fn extra(&mut self, param: impl Into<Cow<'a, str>>, fate: Fate) {
        if self.extras.iter().filter(|extra| extra.fate == fate).count() < MAX_EXTRAS {
            self.extras.push(Extra { param: param.into(), fate });
        }
    }
}

/// What one side said.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn<'a> {
    /// Who.
    pub role: Role,
    /// What, in order.
    pub blocks: Vec<Block<'a>>,
    /// Its place in the caller's list, to name it.
    pub at: usize,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Instructions in the middle of a conversation; those before it are [`Conversation::system`].
    System,
    /// The caller's side, results of tools included.
    User,
    /// The model.
    Assistant,
}

/// A function that the model may call.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool<'a> {
    /// As it is called.
    pub name: Quoted<'a>,
    /// For the model.
    pub description: Option<Quoted<'a>>,
    /// JSON Schema of its arguments; `None` takes none.
    pub schema: Option<Raw<'a>>,
    /// Arguments must conform.
    pub strict: Option<bool>,
    /// The prompt up to here is worth keeping.
    pub cache: Option<CacheMark>,
}

/// Which functions may or must be called.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolChoice<'a> {
    /// Whether one must be called.
    pub mode: ToolMode,
    /// Only these; empty means all.
    pub only: Vec<Quoted<'a>>,
}

impl ToolChoice<'_> {
    /// What they are called.
    pub fn names(&self) -> HashSet<Cow<'_, str>> {
        self.only.iter().map(Quoted::decode).collect()
    }
}

/// Whether a function must be called. A single named one is `Required` with one name in [`ToolChoice::only`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolMode {
    /// As the model likes.
    Auto,
    /// At least one.
    Required,
    /// None.
    None,
}

/// The shape of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Format<'a> {
    /// Any text.
    Text,
    /// Some JSON object.
    JsonObject,
    /// JSON that conforms to a schema.
    Schema {
        /// Of the schema.
        name: Option<Quoted<'a>>,
        /// For the model.
        description: Option<Quoted<'a>>,
        /// JSON Schema.
        schema: Raw<'a>,
        /// The provider must enforce it.
        strict: Option<bool>,
    },
}

/// How the next token is drawn; numbers as the caller wrote them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampling<'a> {
    /// Never rescaled between ranges.
    pub temperature: Option<Raw<'a>>,
    /// 0 to 1.
    pub top_p: Option<Raw<'a>>,
    /// A whole number.
    pub top_k: Option<Raw<'a>>,
    /// -2 to 2.
    pub frequency_penalty: Option<Raw<'a>>,
    /// -2 to 2.
    pub presence_penalty: Option<Raw<'a>>,
    /// A whole number.
    pub seed: Option<Raw<'a>>,
}

/// How likely tokens were is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logprobs<'a> {
    /// As the caller asked.
    pub param: Cow<'a, str>,
    /// So many of the likeliest tokens at each place, too.
    pub top: Option<u64>,
}

/// How much a model thinks before it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thinking {
    /// By a word.
    Effort(Effort),
    /// By tokens.
    Budget(u64),
    /// As much as the model finds right.
    Adaptive,
}

/// Words for the amount of thinking, ascending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// Not at all.
    None,
    /// `minimal`
    Minimal,
    /// `low`
    Low,
    /// `medium`
    Medium,
    /// `high`
    High,
    /// `xhigh`
    XHigh,
    /// `max`
    Max,
}

impl Effort {
    /// Ascending.
    pub const ALL: [Self; 7] = [Self::None, Self::Minimal, Self::Low, Self::Medium, Self::High, Self::XHigh, Self::Max];

    /// As Chat Completions, Responses and Messages write it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::XHigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// The effort meant by `word`.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|effort| effort.word() == word)
    }
}

/// The prompt up to a place is worth keeping for reuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheMark {
    /// For the provider's usual time, minutes.
    Short,
    /// For an hour.
    Hour,
}

/// A field without a counterpart in any other dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extra<'a> {
    /// As the caller wrote it, with its place: `logit_bias`, `messages[2].name`.
    pub param: Cow<'a, str>,
    /// What becomes of it in another dialect.
    pub fate: Fate,
}

/// What becomes of a field that a target cannot carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Left out without a word: it is a hint that changes neither the answer nor who may see it.
    Silent,
    /// Left out and named where `translation: lenient` is configured; refused otherwise.
    Dropped,
    /// Refused always: without it the request means something else.
    Refused,
}

/// Whom a conversation is written for.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The id that the provider knows.
    pub model: &'a str,
    /// The policy's cap on the answer, in tokens.
    pub max_output: Option<u64>,
    /// The catalog's.
    pub model_max_output: Option<u64>,
    /// What the model can do.
    pub able: Capabilities,
    /// The field of Chat Completions that caps an answer.
    pub output_cap: &'a str,
    /// What cannot be carried is left out and named, where leaving it out is harmless enough.
    pub lenient: bool,
}

/// The cap of an answer whose caller gave none, in a dialect that demands one (dialects.md calls it a configured default; the
/// model's own maximum is less where it is smaller).
pub const DEFAULT_MAX_OUTPUT: u64 = 8192;

impl Target<'_> {
    /// The cap to write, where any is known: the least of what the caller and the policy say.
    pub fn cap(&self, asked: Option<u64>) -> Option<u64> {
        match (asked, self.max_output) {
            (Some(asked), Some(policy)) => Some(asked.min(policy)),
            (asked, policy) => asked.or(policy),
        }
    }

    /// The cap to write where the dialect demands one.
    pub fn cap_or_default(&self, asked: Option<u64>) -> u64 {
        let usual = self.model_max_output.map_or(DEFAULT_MAX_OUTPUT, |most| most.min(DEFAULT_MAX_OUTPUT));
        self.cap(asked).unwrap_or(usual)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extras_beyond_the_limit_share_the_fate_of_the_others() {
        let mut conversation = Conversation::empty(Dialect::Chat);
        for at in 0..=MAX_EXTRAS {
            conversation.extra(format!("messages[{at}].name"), Fate::Dropped);
        }
        assert_eq!(conversation.extras.len(), MAX_EXTRAS);
        conversation.extra("brand_new", Fate::Refused);
        assert_eq!(conversation.extras.len(), MAX_EXTRAS + 1);
    }
}
