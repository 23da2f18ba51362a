//! The shape of one catalog row in YAML, shared by the build script (which compiles `models.yaml`) and the overlay.
//!
//! In: YAML values. Out: rows whose fields have the right type, each `None` when not stated. Must not know: `Entry`, jiff, this
//! crate (the build script includes this file).
//!
//! `kind`: one fixed model, or a name that moves. `pin`: how far the id is fixed. `status` is as of the catalog's date; a future
//! `retires_on` alone does not make a row deprecated. `context_window` counts prompt plus answer where the provider defines it so;
//! `max_input` is what a prompt may use. Prices are US dollars per million tokens, standard tier; `long_context` bands apply to the
//! whole request once the prompt is larger than `above`; no price means none is known, not that it is free. An absent capability is
//! unknown, not false. `earliest_retirement` is a "not before" date. `unverified`: one third-party table lists the id and the
//! provider's naming rules speak against it.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, de};

/// One model id at one provider.
#[derive(Clone, Debug, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a row, such as `{provider: openai, id: gpt-5.4-2026-03-05, regions: [eu-west]}`"
)]
pub struct Row {
    pub provider: String,
    pub id: String,
    pub revision: Option<String>,
    pub kind: Option<KindWord>,
    pub pin: Option<PinWord>,
    pub status: Option<StatusWord>,
    pub points_to: Option<String>,
    pub family: Option<String>,
    pub tier: Option<TierWord>,
    pub mode: Option<ModeWord>,
    pub endpoints: Option<Vec<String>>,
    pub context_window: Option<Count>,
    pub max_input: Option<Count>,
    pub max_output: Option<Count>,
    pub capabilities: Option<CapabilityRow>,
    pub price: Option<PriceRow>,
    pub price_changes: Option<Vec<PriceChangeRow>>,
    pub price_peak_utc: Option<Vec<PricePeakRow>>,
    pub released: Option<Day>,
    pub deprecated_on: Option<Day>,
    pub retires_on: Option<Day>,
    pub earliest_retirement: Option<Day>,
    pub rerouted_on: Option<Day>,
    pub replacement: Option<String>,
    pub rerouted_to: Option<String>,
    pub vector_size: Option<Count>,
    pub azure_model: Option<String>,
    pub azure_version: Option<String>,
    pub azure_versions: Option<Vec<String>>,
    pub inference_profile: Option<String>,
    pub note: Option<String>,
    pub unverified: Option<bool>,
    pub regions: Option<Vec<String>>,
    pub retention: Option<String>,
    pub tokens_margin: Option<Share>,
    pub reasoning_efforts: Option<Vec<String>>,
    pub effort_flags: Option<BTreeMap<String, bool>>,
    // Kept in the file for people; nothing decides by them.
    pub sources: Option<BTreeMap<String, Vec<String>>>,
    pub price_disagrees: Option<BTreeMap<String, PriceRow>>,
    pub prompt_cache_min_tokens: Option<Count>,
}

/// Words for how much to think, ascending. A row that lists `reasoning_efforts` takes no others; `effort_flags` speak of single ones.
pub const EFFORTS: [&str; 7] = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];

impl Row {
    /// The words it takes and those it refuses, one bit for each of [`EFFORTS`]; `None` when it states nothing.
    pub fn efforts(&self) -> Option<(u8, u8)> {
        if self.reasoning_efforts.is_none() && self.effort_flags.is_none() {
            return None;
        }
        let (mut taken, mut refused) = (0, 0);
        for (at, word) in EFFORTS.into_iter().enumerate() {
            let listed = self.reasoning_efforts.as_ref().map(|list| list.iter().any(|listed| listed == word));
            match self.effort_flags.as_ref().and_then(|flags| flags.get(word).copied()).or(listed) {
                Some(true) => taken |= 1 << at,
                Some(false) => refused |= 1 << at,
                None => {}
            }
        }
        Some((taken, refused))
    }
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
        pub enum $name { $(#[serde(rename = $word)] $variant),* }
        impl $name {
            /// As the file writes it.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }
    )*};
}

words! {
    /// `kind`
    KindWord { Snapshot = "snapshot", Alias = "alias" }
    /// `pin`
    PinWord {
        Dated = "dated", Numbered = "numbered", UndatedDocumented = "undated_documented",
        UndatedUnconfirmed = "undated_unconfirmed", Moving = "moving",
    }
    /// `status`
    StatusWord {
        Active = "active", Deprecated = "deprecated", Rerouted = "rerouted", Retired = "retired", NeverServed = "never_served",
    }
    /// `tier`: a suggestion
    TierWord { Frontier = "frontier", Mid = "mid", Small = "small", Specialized = "specialized" }
    /// `mode`
    ModeWord { Chat = "chat", Responses = "responses", Completion = "completion", Embedding = "embedding" }
}

/// What a model can do.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "abilities, such as `{tools: true, vision: false}`")]
pub struct CapabilityRow {
    pub vision: Option<bool>,
    pub pdf: Option<bool>,
    pub audio_in: Option<bool>,
    pub audio_out: Option<bool>,
    pub video_in: Option<bool>,
    pub tools: Option<bool>,
    pub parallel_tools: Option<bool>,
    pub tool_choice: Option<bool>,
    pub forced_tool_choice: Option<bool>,
    pub json_schema: Option<bool>,
    pub streaming: Option<bool>,
    pub sampling_params: Option<bool>,
    pub reasoning: Option<bool>,
    pub batch: Option<bool>,
    pub prompt_caching: Option<bool>,
    pub adaptive_thinking: Option<bool>,
    pub thinking_always_on: Option<bool>,
    pub assistant_prefill: Option<bool>,
    pub computer_use: Option<bool>,
    pub embeddings: Option<bool>,
    pub mid_conversation_system: Option<bool>,
    pub system_messages: Option<bool>,
    pub web_search: Option<bool>,
}

/// US dollars per million tokens.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "dollars per million tokens, such as `{input: 0.15, output: 0.6}`")]
pub struct PriceRow {
    pub input: Option<Dollars>,
    pub output: Option<Dollars>,
    pub cached_input: Option<Dollars>,
    pub cache_write: Option<Dollars>,
    pub cache_write_1h: Option<Dollars>,
    pub cache_write_12h: Option<Dollars>,
    pub batch_input: Option<Dollars>,
    pub batch_output: Option<Dollars>,
    pub flex_input: Option<Dollars>,
    pub flex_output: Option<Dollars>,
    pub priority_input: Option<Dollars>,
    pub priority_output: Option<Dollars>,
    pub long_context: Option<Vec<PriceBandRow>>,
}

/// A dearer band.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a price band, such as `{above: 200000, input: 6, output: 22.5}`")]
pub struct PriceBandRow {
    pub above: Count,
    pub input: Dollars,
    pub output: Dollars,
    pub cached_input: Option<Dollars>,
    pub cache_write: Option<Dollars>,
    pub cache_write_1h: Option<Dollars>,
}

/// An announced later price.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a later price, such as `{from: 2027-01-01, input: 1.5, output: 7.5}`")]
pub struct PriceChangeRow {
    pub from: Day,
    pub input: Dollars,
    pub output: Dollars,
    pub cached_input: Option<Dollars>,
}

/// A dearer part of every day.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a daily window, such as `{utc: 00:30-16:30, input: 0.3, output: 1.2}`")]
pub struct PricePeakRow {
    pub utc: Minutes,
    pub input: Dollars,
    pub output: Dollars,
    pub cached_input: Option<Dollars>,
}

/// A whole number, 0 or larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count(pub u64);

/// A finite amount of money, 0 or larger.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dollars(pub f64);

/// 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share(pub f64);

/// A calendar day that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day {
    pub year: i16,
    pub month: i8,
    pub day: i8,
}

impl Day {
    /// From `2026-11-30`.
    pub fn parse(text: &str) -> Option<Self> {
        let (year, rest) = text.split_once('-')?;
        let (month, day) = rest.split_once('-')?;
        if (year.len(), month.len(), day.len()) != (4, 2, 2) {
            return None;
        }
        let (year, month, day) = (year.parse::<i16>().ok()?, month.parse::<i8>().ok()?, day.parse::<i8>().ok()?);
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let last = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        ((1..=last).contains(&day) && year > 0).then_some(Self { year, month, day })
    }
}

/// Minutes of a day, `from..to`, from `00:30-16:30`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Minutes {
    pub from: u16,
    pub to: u16,
}

impl Minutes {
    /// From `00:30-16:30`; a right end of `24:00` is allowed.
    pub fn parse(text: &str) -> Option<Self> {
        let minute = |clock: &str| {
            let (hour, minute) = clock.split_once(':')?;
            let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
            (minute < 60 && hour * 60 + minute <= 24 * 60).then_some(hour * 60 + minute)
        };
        let (from, to) = text.split_once('-')?;
        let (from, to) = (minute(from)?, minute(to)?);
        (from < to).then_some(Self { from, to })
    }
}

/// Reads numbers and says in words what was expected.
struct NumberVisitor {
    expected: &'static str,
    most: f64,
}

impl Visitor<'_> for NumberVisitor {
    type Value = f64;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<f64, E> {
        self.visit_f64(value as f64)
    }
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<f64, E> {
        self.visit_f64(value as f64)
    }
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<f64, E> {
        if value.is_finite() && (0.0..=self.most).contains(&value) {
            Ok(value)
        } else {
            Err(E::invalid_value(de::Unexpected::Float(value), &self))
        }
    }
}

/// The dearest price a row may state; beyond it, the unit is wrong.
pub const MAX_DOLLARS: f64 = 1_000_000.0;

impl<'de> Deserialize<'de> for Dollars {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let visitor = NumberVisitor { expected: "dollars per million tokens, such as 0.15", most: MAX_DOLLARS };
        from.deserialize_any(visitor).map(Self)
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(NumberVisitor { expected: "a share from 0 to 1, such as 0.1", most: 1.0 }).map(Self)
    }
}

struct CountVisitor;

impl Visitor<'_> for CountVisitor {
    type Value = Count;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number, such as 128000")
    }
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Count, E> {
        if value <= MAX_COUNT {
            Ok(Count(value))
        } else {
            Err(E::invalid_value(de::Unexpected::Unsigned(value), &self))
        }
    }
}

/// The most tokens a row may state: a window a thousand times the largest known.
pub const MAX_COUNT: u64 = 1 << 31;

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(CountVisitor)
    }
}

/// Reads text of one form and says in words what was expected.
struct FormVisitor<T> {
    expected: &'static str,
    parse: fn(&str) -> Option<T>,
}

impl<T> Visitor<'_> for FormVisitor<T> {
    type Value = T;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(FormVisitor { expected: "a day, such as 2026-11-30", parse: Self::parse })
    }
}

impl<'de> Deserialize<'de> for Minutes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(FormVisitor { expected: "a part of a day, such as 00:30-16:30", parse: Self::parse })
    }
}
