//! One line of the request log, as it was written.
//!
//! In: text. Out: a [`Line`], or why it is none. Must not know: policies. Fields that are not known here are skipped, because
//! the shape grows; the proxy writes it in `telemetry`.

use std::fmt;

use serde::Deserialize;

use super::super::readings::ByName;
use crate::failure::Failure;

/// Version of the shape.
pub const SCHEMA: u64 = 1;
/// Bytes of a line. What callers may say of themselves is limited far below; an escaped line of it all still fits.
pub const MAX_LINE: usize = 1024 * 1024;
/// Bytes of a line that a message repeats.
const SHOWN: usize = 60;

/// One request as logged.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Line {
    schema: u64,
    /// When it was admitted, RFC 3339.
    pub time: String,
    /// As the caller saw it.
    pub request_id: String,
    /// How it ended: `answered`, `degraded`, …
    pub outcome: String,
    /// What the caller got; 0 for nothing.
    pub status: u16,
    /// Why it was refused or failed.
    pub reason: Option<String>,
    /// What was decided on.
    pub request: Request,
    /// What memory and the clock said; only where there was a decision.
    pub readings: Option<Logged>,
    /// The policy's name.
    pub policy: String,
    /// The policy's content hash.
    pub policy_hash: String,
    /// Where the clock of the readings stands; the policy's own when the line does not say.
    pub timezone: Option<String>,
    /// The rule that decided.
    pub rule: Option<String>,
    /// The tier it promised.
    pub tier: Option<String>,
    /// The chain as planned.
    #[serde(default)]
    pub chain: Vec<Hop>,
    /// Hops that were left out, each with its reason.
    #[serde(default)]
    pub dropped: Vec<(String, String)>,
    /// What was tried.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
    /// The snapshot that answered.
    pub snapshot: Option<String>,
    /// Its position in the chain, from 1.
    pub hop: Option<u8>,
    /// The degrade step that answered: `template sorry`.
    pub degraded: Option<String>,
    /// What it cost, in dollars.
    pub cost_usd: Option<String>,
}

/// The facts of a request, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Request {
    /// API endpoint.
    pub endpoint: String,
    /// Tenant, with or without a row.
    pub tenant: Option<String>,
    /// Plan.
    pub plan: Option<String>,
    /// Residency.
    pub residency: Option<String>,
    /// Feature.
    pub feature: Option<String>,
    /// User.
    pub user: Option<String>,
    /// Where the sidecar ran.
    pub region: Option<String>,
    /// The model the caller asked for.
    pub requested_model: String,
    /// Least and most that `prompt_tokens` can be.
    pub prompt_tokens: (u64, u64),
    /// The caller's own cap; 0 when not given.
    pub max_tokens: u64,
    /// Streaming.
    pub streaming: bool,
    /// Tools.
    pub tools: bool,
    /// A schema demanded.
    pub json_schema: bool,
    /// `text+image`
    pub modality: String,
    /// `interactive` or `batch`.
    pub priority: String,
    /// Declared attributes: name and value.
    pub attributes: Vec<(String, String)>,
}

/// The readings of a decision.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Logged {
    /// Monday 00:00 is 0.
    pub minute_of_week: u16,
    /// `2026-11-23`
    pub today: String,
    /// What else was read, by name.
    #[serde(flatten)]
    pub others: ByName,
}

/// A planned hop.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Hop {
    /// Position, from 1.
    pub hop: u8,
    /// Which snapshot.
    pub snapshot: String,
    /// Its tier.
    pub tier: Option<String>,
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Attempt {
    /// Position of the hop, from 1.
    pub hop: u8,
    /// Which snapshot.
    pub snapshot: String,
    /// How it failed; `None` when it answered, or when the caller left.
    pub failure: Option<Failure>,
}

/// Why a text is no line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadLine {
    /// More than [`MAX_LINE`] bytes.
    TooLong,
    /// Not JSON, or only the beginning of it.
    NotJson {
        /// How it begins.
        begins: String,
        /// What the parser says.
        why: String,
    },
    /// JSON of another kind.
    OtherJson {
        /// What is missing or wrong.
        why: String,
    },
    /// Of a version that came later.
    Schema(u64),
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "it has more than {MAX_LINE} bytes, and no line of a request log has"),
            Self::NotJson { begins, why } if begins.is_empty() => write!(f, "it is empty: {why}"),
            Self::NotJson { begins, why } => {
                write!(f, "it begins with `{begins}` and is no JSON object on one line: {why}")
            }
            Self::OtherJson { why } => {
                write!(f, "it is JSON, but no request as `wayside serve` logs it: {why}")
            }
            Self::Schema(schema) => {
                write!(f, "it has schema {schema}, and this version of wayside reads schema {SCHEMA}")
            }
        }
    }
}

impl std::error::Error for BadLine {}

impl Line {
    /// Reads a line.
    ///
    /// # Errors
    /// [`BadLine`], which says what it is instead.
    pub fn parse(text: &str) -> Result<Self, BadLine> {
        let text = text.trim();
        if text.len() > MAX_LINE {
            return Err(BadLine::TooLong);
        }
        let error = match serde_json::from_str::<Self>(text) {
            Ok(line) if line.schema == SCHEMA => return Ok(line),
            Ok(line) => return Err(BadLine::Schema(line.schema)),
            Err(error) => error,
        };
        if let Ok(value) = serde_json::from_str::<serde_json::Value>(text) {
            // A later version may have changed what a field means; its number is the better answer.
            let schema = value.get("schema").filter(|_| value.get("request_id").is_some());
            let schema = schema.and_then(serde_json::Value::as_u64).filter(|schema| *schema != SCHEMA);
            return Err(schema.map_or_else(|| BadLine::OtherJson { why: why(&error) }, BadLine::Schema));
        }
        let end = (0..=SHOWN.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let visible = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
        Err(BadLine::NotJson { begins: text[..end].chars().map(visible).collect(), why: why(&error) })
    }
}

/// The parser's words without its line number, which is always 1.
fn why(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.split_once(" at line ") {
        Some((what, _)) => format!("{what} (column {})", error.column()),
        None => text,
    }
}
