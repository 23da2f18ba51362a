//! One catalog row as the program uses it.
//!
//! In: [`super::embedded`] and [`super::overlay`] build it. Out: everything that asks for a fact. Must not know: YAML, policies.

use std::borrow::Cow;

use jiff::civil::Date;

use super::row::EFFORTS;

/// Text that is compiled in, or came from an overlay.
pub type Text = Cow<'static, str>;
/// A list that is compiled in, or came from an overlay.
pub type List<T> = Cow<'static, [T]>;

/// One row: a model id at a provider. A field that is `None` is unknown, which is not permission.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// `openai`
    pub provider: Text,
    /// Byte for byte as the API takes it, without `@revision` for self-hosted models.
    pub id: Text,
    /// Of a self-hosted model.
    pub revision: Option<Text>,
    /// One fixed model, or a name that moves.
    pub kind: Kind,
    /// How far the id is fixed.
    pub pin: Pin,
    /// As of the catalog's date.
    pub status: Status,
    /// The last known target of an alias.
    pub points_to: Option<Text>,
    /// Models that share one design; embedding models of one family share a vector space.
    pub family: Option<Text>,
    /// The catalog's suggestion, never used for decisions.
    pub tier: Option<Text>,
    /// `chat`, `embedding`, …
    pub mode: Option<Text>,
    /// Endpoints the provider offers it on.
    pub endpoints: List<Text>,
    /// Prompt plus output, where they share one window.
    pub context_window: Option<u64>,
    /// What a prompt may use.
    pub max_input: Option<u64>,
    /// What an answer may use.
    pub max_output: Option<u64>,
    /// What it can do.
    pub capabilities: Capabilities,
    /// USD per million tokens.
    pub price: Option<Price>,
    /// Announced later prices, by day.
    pub price_changes: List<PriceChange>,
    /// Dearer parts of every day.
    pub price_peaks: List<PricePeak>,
    /// First day.
    pub released: Option<Date>,
    /// Notice given.
    pub deprecated_on: Option<Date>,
    /// The day it ends: from this day on it is not served.
    pub retires_on: Option<Date>,
    /// Not before.
    pub earliest_retirement: Option<Date>,
    /// From this day on the name answers with another model.
    pub rerouted_on: Option<Date>,
    /// The provider's suggestion.
    pub replacement: Option<Text>,
    /// Which model answers instead.
    pub rerouted_to: Option<Text>,
    /// Of an embedding model.
    pub vector_size: Option<u64>,
    /// Of an Azure entry: the model behind it.
    pub azure_model: Option<Text>,
    /// Of an Azure entry: the version of that model.
    pub azure_version: Option<Text>,
    /// Of an OpenAI entry without a dated id: the versions Azure gives the same model.
    pub azure_versions: List<Text>,
    /// What a reader of this row should know.
    pub note: Option<Text>,
    /// Where it runs; from the overlay. `None` is unstated.
    pub regions: Option<Vec<Text>>,
    /// What the provider keeps; from the overlay: `zero` or a duration.
    pub retention: Option<Text>,
    /// Share by which this model's tokenizer may count more than ours; from the overlay, else 0.10.
    pub tokens_margin: Option<f64>,
    /// One third-party table lists it and the provider's naming speaks against it: counts as unknown.
    pub unverified: bool,
}

/// Whether an id is one fixed model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One fixed model.
    Snapshot,
    /// A name that moves.
    Alias,
}

/// How far an id is fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pin {
    /// The id carries a date.
    Dated,
    /// The id carries a revision.
    Numbered,
    /// No date, but the provider documents the id as one fixed model.
    UndatedDocumented,
    /// One build is known and nobody promises that it stays.
    UndatedUnconfirmed,
    /// An alias.
    Moving,
}

/// Where an id is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// In service.
    Active,
    /// Notice given.
    Deprecated,
    /// The name still answers, with another model.
    Rerouted,
    /// Ended.
    Retired,
    /// Announced, never there.
    NeverServed,
}

/// What a model can do; `None` is unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Images in.
    pub vision: Option<bool>,
    /// PDF files in.
    pub pdf: Option<bool>,
    /// Audio in.
    pub audio_input: Option<bool>,
    /// Video in.
    pub video_input: Option<bool>,
    /// Function tools.
    pub tools: Option<bool>,
    /// Several tool calls in one answer.
    pub parallel_tools: Option<bool>,
    /// Schema-conforming output.
    pub json_schema: Option<bool>,
    /// Streaming.
    pub streaming: Option<bool>,
    /// `temperature` and the like.
    pub sampling_params: Option<bool>,
    /// A named or required tool.
    pub forced_tool_choice: Option<bool>,
    /// Thinks before it answers.
    pub reasoning: Option<bool>,
    /// Takes calls as a batch.
    pub batch: Option<bool>,
    /// Keeps prompts for reuse.
    pub prompt_caching: Option<bool>,
    /// Decides itself how much to think.
    pub adaptive_thinking: Option<bool>,
    /// Thinking cannot be turned off.
    pub thinking_always_on: Option<bool>,
    /// Goes on with a message that the caller began in its name.
    pub assistant_prefill: Option<bool>,
    /// Instructions in the middle of a conversation.
    pub mid_conversation_system: Option<bool>,
    /// The words it takes for how much to think.
    pub efforts: Efforts,
}

/// Words for how much to think, and which of them a model takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Efforts {
    /// One bit for each word of [`EFFORTS`].
    pub(super) taken: u8,
    /// The same, for those it refuses.
    pub(super) refused: u8,
}

impl Efforts {
    /// All unknown.
    pub const NONE: Self = Self { taken: 0, refused: 0 };

    /// Whether it takes this one; `None` is unknown.
    pub fn takes(self, word: &str) -> Option<bool> {
        let bit = 1 << EFFORTS.iter().position(|known| *known == word)?;
        (self.taken & bit != 0).then_some(true).or((self.refused & bit != 0).then_some(false))
    }
}

impl Capabilities {
    /// All unknown.
    pub const NONE: Self = Self {
        vision: None,
        pdf: None,
        audio_input: None,
        video_input: None,
        tools: None,
        parallel_tools: None,
        json_schema: None,
        streaming: None,
        sampling_params: None,
        forced_tool_choice: None,
        reasoning: None,
        batch: None,
        prompt_caching: None,
        adaptive_thinking: None,
        thinking_always_on: None,
        assistant_prefill: None,
        mid_conversation_system: None,
        efforts: Efforts::NONE,
    };
}

/// USD per million tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Price {
    /// Prompt.
    pub input: f64,
    /// Answer.
    pub output: f64,
    /// Prompt read from the provider's cache.
    pub cached_input: Option<f64>,
    /// Prompt written to the provider's cache.
    pub cache_write: Option<f64>,
    /// The same, kept for an hour.
    pub cache_write_1h: Option<f64>,
    /// Prompt, as a batch.
    pub batch_input: Option<f64>,
    /// Answer, as a batch.
    pub batch_output: Option<f64>,
    /// Prompt, served sooner than others.
    pub priority_input: Option<f64>,
    /// Answer, served sooner than others.
    pub priority_output: Option<f64>,
    /// Dearer bands; each applies to the whole request once the prompt is larger than `above`. Ascending.
    pub long_context: List<PriceBand>,
}

/// A price for long prompts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PriceBand {
    /// Tokens of prompt.
    pub above: u64,
    /// Prompt.
    pub input: f64,
    /// Answer.
    pub output: f64,
    /// Prompt read from the provider's cache.
    pub cached_input: Option<f64>,
    /// Prompt written to the provider's cache.
    pub cache_write: Option<f64>,
}

/// An announced later price; bands and batch prices stay as they are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PriceChange {
    /// First day.
    pub from: Date,
    /// Prompt.
    pub input: f64,
    /// Answer.
    pub output: f64,
    /// Prompt read from the provider's cache.
    pub cached_input: Option<f64>,
}

/// A dearer part of every day, UTC.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PricePeak {
    /// First minute of the day.
    pub from: u16,
    /// One past the last minute.
    pub to: u16,
    /// Prompt.
    pub input: f64,
    /// Answer.
    pub output: f64,
    /// Prompt read from the provider's cache.
    pub cached_input: Option<f64>,
}

/// Where a model is in its life on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Announced for later, or never served.
    NotYet,
    /// Serves.
    Serving,
    /// The name answers with another model.
    Rerouted,
    /// Ended.
    Retired,
}

impl Entry {
    /// Where the model is in its life on `today`. Dates decide; without one, the status the catalog gives.
    pub fn life(&self, today: Date) -> Life {
        let over = |day: Option<Date>, status| day.map_or(self.status == status, |day| day <= today);
        if over(self.rerouted_on, Status::Rerouted) {
            return Life::Rerouted;
        }
        if over(self.retires_on, Status::Retired) {
            return Life::Retired;
        }
        if self.status == Status::NeverServed || self.released.is_some_and(|day| day > today) {
            return Life::NotYet;
        }
        Life::Serving
    }

    /// Days until it ends; `None` when no end is known or it is past.
    pub fn days_left(&self, today: Date) -> Option<i32> {
        let end = [self.retires_on, self.rerouted_on].into_iter().flatten().min()?;
        let days = (end - today).get_days();
        (days > 0).then_some(days)
    }

    /// The id as a policy writes it, with `@revision` for a self-hosted model.
    pub fn written_id(&self) -> Text {
        match &self.revision {
            None => self.id.clone(),
            Some(revision) => Cow::Owned(format!("{}@{revision}", self.id)),
        }
    }

    /// `provider/id` as a policy writes it.
    pub fn name(&self) -> String {
        format!("{}/{}", self.provider, self.written_id())
    }
}
