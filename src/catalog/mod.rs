//! Facts about models: which ids are pinned, what they cost, how large they are, when they end.
//!
//! In: the catalog compiled into the binary, and an overlay. Out: entries by `(provider, id)` and the verdict on an id. Must
//! not know: policies, HTTP.

use std::borrow::Cow;

use jiff::civil::Date;

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
    /// First day.
    pub released: Option<Date>,
    /// Notice given.
    pub deprecated_on: Option<Date>,
    /// Last day announced.
    pub retires_on: Option<Date>,
    /// Not before.
    pub earliest_retirement: Option<Date>,
    /// The provider's suggestion.
    pub replacement: Option<Text>,
    /// Which model answers instead.
    pub rerouted_to: Option<Text>,
    /// Of an embedding model.
    pub vector_size: Option<u64>,
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
    /// Prompt, as a batch.
    pub batch_input: Option<f64>,
    /// Answer, as a batch.
    pub batch_output: Option<f64>,
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
}
