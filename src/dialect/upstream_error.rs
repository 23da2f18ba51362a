//! What an upstream's error answer means, in the words of section 5.3 of the language specification.
//!
//! In: status, headers and body of an answer that is no success, or an error inside a stream or a 200. Out:
//! [`UpstreamError`]. Must not know: what happens next.
//!
//! Shapes that are understood: `{"error":{message,type,param,code}}` (OpenAI, Azure, vLLM, most others), `{"error":"text"}`
//! (Ollama), `{"object":"error",message,type,code}` (Mistral, older vLLM), `{"detail":…}` (FastAPI), Google's
//! `[{"error":{code,message,status,details}}]`, `{message}` with `x-amzn-errortype` (Bedrock), and text. Seen in the providers' documentation on 2026-11-22; one case for
//! each in `tests/chat_failures.yaml`, where a new one is a new row.

use jiff::Timestamp;

use crate::dialect::Headers;
use crate::dialect::caller_error::CallerError;
use crate::failure::Failure;
use crate::json::{Cursor, JsonError, Kind};
use crate::units::Millis;

/// How much of a provider's message is kept for the log, in bytes.
pub const MAX_MESSAGE: usize = 512;
/// How much of an error body is worth reading, in bytes.
pub const MAX_ERROR_BODY: usize = 64 * 1024;

/// An attempt's failure as the upstream told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamError {
    /// The word.
    pub failure: Failure,
    /// HTTP status; `None` for an error inside a stream.
    pub status: Option<u16>,
    /// The provider's own code or type, for the log.
    pub code: Option<Box<str>>,
    /// `code` is one word by which the provider's clients tell its errors apart: no type, no status, no words of several.
    pub is_code: bool,
    /// The provider's message, shortened, for the log. May name accounts: never for callers or metrics.
    pub message: Box<str>,
    /// How long it asks to wait.
    pub retry_after: Option<Millis>,
}

impl UpstreamError {
    /// A failure that no upstream put into words.
    pub fn bare(failure: Failure, message: &str) -> Self {
        Self { failure, status: None, code: None, is_code: false, message: shortened(message), retry_after: None }
    }

    /// A success whose body is no JSON object: it broke off, or something else than the provider answered.
    pub fn no_json(error: JsonError, body: &[u8]) -> Self {
        let message = format!("status 200, but the body is no JSON object: {}", error.describe(body));
        Self::bare(Failure::Network, &message)
    }

    /// From an answer whose status is no success. `body` may be cut at [`MAX_ERROR_BODY`].
    pub fn from_response(status: u16, headers: &(impl Headers + ?Sized), body: &[u8], now: Timestamp) -> Self {
        let mut fields = Fields::read(body);
        if let Some(kind) = headers.get("x-amzn-errortype") {
            join(&mut fields.kind, &kind.split(':').next().unwrap_or_default().to_ascii_lowercase());
        }
        let failure = fields.judge(Some(status));
        let retry_after = retry_after(headers, now).or(fields.retry_delay);
        Self { status: Some(status), retry_after, ..fields.into_error(failure) }
    }

    /// From an error inside a stream or inside a 200: `value` is the whole event or body.
    pub fn in_band(value: &[u8]) -> Self {
        let fields = Fields::read(value);
        let failure = fields.judge(fields.status());
        Self { retry_after: fields.retry_delay, ..fields.into_error(failure) }
    }
}

impl UpstreamError {
    /// The same for a caller of another dialect: the mistake is the caller's own, in the provider's words.
    pub fn for_caller(&self, status: u16) -> CallerError {
        let own = self.code.as_deref().filter(|_| self.is_code);
        let code = own.unwrap_or(self.failure.word()).to_owned();
        CallerError::new(status, self.message.to_string()).code(code).should_retry(false)
    }
}

/// What a waiting header asks for: `retry-after-ms` (milliseconds), else `retry-after` (seconds, or a date). Nonsense is
/// no header.
pub fn retry_after(headers: &(impl Headers + ?Sized), now: Timestamp) -> Option<Millis> {
    let milliseconds = |text: &str, scale: f64| {
        let value = text.trim().parse::<f64>().ok()?;
        (value.is_finite() && value >= 0.0).then(|| Millis((value * scale).ceil() as u64))
    };
    if let Some(wait) = headers.get("retry-after-ms").and_then(|text| milliseconds(text, 1.0)) {
        return Some(wait);
    }
    let text = headers.get("retry-after")?;
    milliseconds(text, 1000.0).or_else(|| {
        let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()?;
        let wait = at.as_millisecond().saturating_sub(now.as_millisecond());
        Some(Millis(u64::try_from(wait).unwrap_or(0)))
    })
}

/// What the bodies of different servers have in common. Lower case, except for the message.
#[derive(Debug, Default)]
struct Fields {
    message: String,
    code: String,
    kind: String,
    param: Option<String>,
    /// Azure's `innererror.content_filter_result`, OpenRouter's `metadata.flagged_input`.
    filtered: bool,
    /// Google's `RetryInfo`.
    retry_delay: Option<Millis>,
}

impl Fields {
    fn read(body: &[u8]) -> Self {
        let mut fields = Self::default();
        let outcome = Cursor::new(body).and_then(|mut cursor| fields.value(&mut cursor));
        if outcome.is_err() && fields.message.is_empty() {
            fields.message = String::from_utf8_lossy(body.get(..MAX_ERROR_BODY).unwrap_or(body)).into_owned();
        }
        fields
    }

    fn value(&mut self, cursor: &mut Cursor<'_>) -> Result<(), JsonError> {
        match cursor.kind()? {
            Kind::Array => cursor.items(|cursor| self.value(cursor)),
            Kind::Object => cursor.members(|cursor, key| {
                let kind = cursor.kind()?;
                match (&*key.decode(), kind) {
                    ("error", Kind::Object | Kind::Array) => self.value(cursor),
                    ("error" | "message" | "detail" | "msg", Kind::String) => {
                        let text = cursor.string()?.decode();
                        join(&mut self.message, &text);
                        Ok(())
                    }
                    ("detail", Kind::Object | Kind::Array) => self.value(cursor),
                    ("code", Kind::String) => {
                        join(&mut self.code, &cursor.string()?.decode().to_ascii_lowercase());
                        Ok(())
                    }
                    ("code", Kind::Number) => {
                        let number = cursor.unsigned_or_skip()?;
                        join(&mut self.code, &number.map(|n| n.to_string()).unwrap_or_default());
                        Ok(())
                    }
                    ("type" | "status", Kind::String) => {
                        join(&mut self.kind, &cursor.string()?.decode().to_ascii_lowercase());
                        Ok(())
                    }
                    ("param", Kind::String) => {
                        self.param = Some(cursor.string()?.decode().into_owned());
                        Ok(())
                    }
                    ("innererror" | "metadata", Kind::Object) => self.inner(cursor),
                    ("details", Kind::Object) => self.value(cursor),
                    ("error_code", Kind::String) => {
                        join(&mut self.code, &cursor.string()?.decode().to_ascii_lowercase());
                        Ok(())
                    }
                    ("details", Kind::Array) => cursor.items(|cursor| self.details(cursor)),
                    _ => cursor.skip().map(|_| ()),
                }
            }),
            _ => cursor.skip().map(|_| ()),
        }
    }

    fn inner(&mut self, cursor: &mut Cursor<'_>) -> Result<(), JsonError> {
        cursor.members(|cursor, key| match &*key.decode() {
            "code" => {
                if let Some(code) = cursor.string_or_skip()? {
                    self.filtered |= code.decode() == "ResponsibleAIPolicyViolation";
                }
                Ok(())
            }
            "content_filter_result" | "content_filter_results" | "flagged_input" => {
                self.filtered = true;
                cursor.skip().map(|_| ())
            }
            _ => cursor.skip().map(|_| ()),
        })
    }

    fn details(&mut self, cursor: &mut Cursor<'_>) -> Result<(), JsonError> {
        if cursor.kind()? != Kind::Object {
            return cursor.skip().map(|_| ());
        }
        cursor.members(|cursor, key| {
            let value = cursor.string_or_skip()?;
            if let Some(value) = value
                && key.raw == "retryDelay"
                && let Some(seconds) = value.raw.strip_suffix('s').and_then(|text| text.parse::<f64>().ok())
                && seconds >= 0.0
            {
                self.retry_delay = Some(Millis((seconds * 1000.0).ceil() as u64));
            }
            Ok(())
        })
    }

    /// Servers that pass on another's error say its status as a number.
    fn status(&self) -> Option<u16> {
        self.code.split(' ').find_map(|word| word.parse().ok()).filter(|status| (400..600).contains(status))
    }

    fn says(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.code.contains(word) || self.kind.contains(word))
    }

    fn tells(&self, phrases: &[&str]) -> bool {
        let message = self.message.to_ascii_lowercase();
        phrases.iter().any(|phrase| message.contains(phrase))
    }

    /// The rows of section 5.3, from the top. Without a status, only words count.
    fn judge(&self, status: Option<u16>) -> Failure {
        let is = |wanted: &[u16]| status.is_some_and(|status| wanted.contains(&status));
        let client = status.is_none_or(|status| (400..500).contains(&status));
        let rejected = status.is_none() || is(&[400, 413, 422]);
        let late = status.is_none() && self.says(&["timeout", "deadline_exceeded"]);
        let rows: [(bool, Failure); 14] = [
            // 499 is Google's word for a call that it gave up.
            (is(&[408, 499, 504]) || late, Failure::Timeout),
            (is(&[402]) || client && (self.says(QUOTA_CODES) || self.tells(QUOTA_PHRASES)), Failure::QuotaExhausted),
            (self.says(&["modelnotready"]), Failure::Overload),
            (is(&[429]) || client && self.says(RATE_CODES), Failure::RateLimit),
            (is(&[503, 529]) || status.is_none() && self.overloaded(), Failure::Overload),
            (status.is_some_and(|status| !(400..500).contains(&status)), Failure::ServerError),
            // A model's own failure, which Bedrock passes on with a status of 424.
            (self.says(&["modelerrorexception"]), Failure::ServerError),
            (rejected && (self.says(LENGTH_CODES) || self.tells(LENGTH_PHRASES)), Failure::ContextLength),
            (
                client && (self.filtered || self.says(FILTER_CODES) || self.tells(FILTER_PHRASES)),
                Failure::ContentFilter,
            ),
            (rejected && self.says(OUTPUT_CODES), Failure::InvalidOutput),
            (is(&[401, 403]) || client && (self.says(AUTH_CODES) || self.tells(AUTH_PHRASES)), Failure::Auth),
            (is(&[404, 410]) && self.param.as_deref().is_none_or(|param| param == "model"), Failure::ModelGone),
            (rejected && (self.says(MODEL_CODES) || self.tells(MODEL_PHRASES)), Failure::ModelGone),
            (
                status.is_some() || self.says(&["invalid_request", "invalid_argument", "validation"]),
                Failure::BadRequest,
            ),
        ];
        rows.into_iter().find(|(fits, _)| *fits).map_or(Failure::ServerError, |(_, failure)| failure)
    }

    fn overloaded(&self) -> bool {
        self.says(&["overloaded", "unavailable", "slow_down"]) || self.tells(&["overloaded"])
    }

    fn into_error(self, failure: Failure) -> UpstreamError {
        let is_code = !self.code.is_empty() && !self.code.contains(' ') && self.code.parse::<u16>().is_err();
        let code = if self.code.is_empty() { self.kind } else { self.code };
        UpstreamError {
            failure,
            status: None,
            is_code,
            code: (!code.is_empty()).then(|| shortened(&code)),
            message: shortened(&self.message),
            retry_after: None,
        }
    }
}

/// In `code` or `type`. "Exceeded your current quota" is not here: some providers say it of ordinary rate limits.
const QUOTA_CODES: &[&str] =
    &["insufficient_quota", "billing", "credit", "spend_limit", "insufficient_balance", "servicequotaexceeded"];
const QUOTA_PHRASES: &[&str] = &[
    "credit balance",
    "insufficient credit",
    "insufficient balance",
    "out of credits",
    "specified api usage limits",
    "enable billing on your project",
];
const RATE_CODES: &[&str] = &["rate_limit", "throttl", "too_many_requests", "resource_exhausted"];
const LENGTH_CODES: &[&str] = &["context_length_exceeded", "context_window_exceeded", "string_above_max_length"];
/// Providers change their messages; these are the parts that stayed (providers' documentation, 2026-11-22).
const LENGTH_PHRASES: &[&str] = &[
    "maximum context length",
    "context length exceeded",
    "exceeds the context window",
    "exceed the configured limit",
    "prompt is too long",
    "exceed context limit",
    "exceeds the maximum number of tokens",
    "input is too long for requested model",
    "too many input tokens",
    "exceed model maximum",
    "too large for model with",
    "maximum input length is",
    "longer than the maximum model length",
    "exceeds the available context size",
    "`max_new_tokens` must be <=",
    "too many tokens",
];
const FILTER_CODES: &[&str] =
    &["content_filter", "content_policy_violation", "invalid_prompt", "moderation_blocked", "data_inspection_failed"];
const FILTER_PHRASES: &[&str] = &["violates usage guidelines", "blocked by content filtering policy"];
/// Servers that hold answers against schemas themselves, and have nothing to give when one fails.
const OUTPUT_CODES: &[&str] = &["json_validate_failed", "tool_use_failed"];
const AUTH_CODES: &[&str] = &["invalid_api_key", "authentication", "unauthenticated", "permission"];
const AUTH_PHRASES: &[&str] = &["api key not valid", "api key expired"];
const MODEL_CODES: &[&str] = &[
    "model_not_found",
    "invalid_model",
    "unknown_model",
    "model_decommissioned",
    "model_not_available",
    "deploymentnotfound",
];
const MODEL_PHRASES: &[&str] = &[
    "invalid model",
    "unknown model",
    "not a valid model",
    "model not found",
    "model does not exist",
    "model identifier is invalid",
];

fn join(text: &mut String, more: &str) {
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(more);
}

fn shortened(text: &str) -> Box<str> {
    let end = (0..=MAX_MESSAGE.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text[..end].into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_for_the_caller_and_a_type_for_the_log() {
        let bare: [(&str, &str); 0] = [];
        let code = |body: &str| {
            let error = UpstreamError::from_response(400, &bare[..], body.as_bytes(), Timestamp::UNIX_EPOCH);
            error.for_caller(400).code.unwrap().into_owned()
        };
        let openai = r#"{"error": {"message": "no", "type": "invalid_request_error", "code": "unsupported_value"}}"#;
        let anthropic = r#"{"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}"#;
        let detailed =
            r#"{"type": "error", "error": {"type": "x", "message": "no", "details": {"error_code": "odd_tool"}}}"#;
        let google = r#"{"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT"}}"#;
        assert_eq!([openai, detailed].map(code), ["unsupported_value", "odd_tool"]);
        assert_eq!([anthropic, google, "no"].map(code), ["bad_request"; 3]);
    }
}
