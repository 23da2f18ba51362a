//! Errors as a Chat Completions caller expects them.
//!
//! In: a status and words. Out: the error envelope, or the event that ends a broken stream. Must not know: what went wrong.
//!
//! The official clients choose the exception class by status alone (400, 401, 403, 404, 409, 422, 429, 500 and above) and show
//! `message`; `type`, `param` and `code` are attributes of the exception. They try again on 408, 409, 429 and 5xx unless
//! `x-should-retry: false` says otherwise (openai Python 3.54.0, Node 7.57.0).

use std::borrow::Cow;

use serde::Serialize;

use super::request::BadBody;
use crate::failure::Failure;

/// Tells the official clients whether to try again, whatever the status.
pub const SHOULD_RETRY: &str = "x-should-retry";

/// An error for a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerError {
    /// HTTP status.
    pub status: u16,
    /// For people.
    pub message: Cow<'static, str>,
    /// The field of the request at fault.
    pub param: Option<Cow<'static, str>>,
    /// A stable word for programs.
    pub code: Option<Cow<'static, str>>,
    /// What `x-should-retry` says; `None` leaves it to the client's own rules.
    pub should_retry: Option<bool>,
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: Inner<'a>,
}

#[derive(Serialize)]
struct Inner<'a> {
    message: &'a str,
    r#type: &'static str,
    param: Option<&'a str>,
    code: Option<&'a str>,
}

impl CallerError {
    /// With the status's own code and no field.
    pub fn new(status: u16, message: impl Into<Cow<'static, str>>) -> Self {
        let should_retry = matches!(status, 408 | 409).then_some(false);
        Self { status, message: message.into(), param: None, code: default_code(status).map(Into::into), should_retry }
    }

    /// Names the field at fault.
    #[must_use]
    pub fn param(mut self, param: impl Into<Cow<'static, str>>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// With another code.
    #[must_use]
    pub fn code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// With `x-should-retry`.
    #[must_use]
    pub fn should_retry(mut self, retry: bool) -> Self {
        self.should_retry = Some(retry);
        self
    }

    /// No hop delivered and nothing stands in (section 5.2, step 13). The chain has done the trying, so the client must
    /// not multiply it. The provider's own words stay in the log: they can name accounts and parts of keys.
    pub fn exhausted(last: Option<Failure>) -> Self {
        let error = match last {
            Some(last) => {
                Self::new(503, format!("No model could answer this request; the last attempt failed with {last}."))
                    .code(last.word())
            }
            None => Self::new(503, "No model is available for this request.").code("no_usable_model"),
        };
        error.should_retry(false)
    }

    /// A released stream broke (section 5.6). Sent as an event, after status 200.
    pub fn cut(failure: Failure) -> Self {
        Self::new(502, format!("The answer broke off ({failure}); what was sent so far is incomplete."))
            .code("stream_cut")
    }

    /// The envelope.
    pub fn body(&self) -> String {
        let error = Inner {
            message: &self.message,
            r#type: kind(self.status),
            param: self.param.as_deref(),
            code: self.code.as_deref(),
        };
        // INVARIANT: strings and options of strings always serialize.
        serde_json::to_string(&Envelope { error }).unwrap_or_default()
    }

    /// The event that ends a broken stream: no `[DONE]` may follow.
    pub fn event(&self) -> String {
        format!("data: {}\n\n", self.body())
    }
}

impl From<BadBody> for CallerError {
    fn from(bad: BadBody) -> Self {
        Self { param: bad.param.map(Into::into), ..Self::new(400, bad.message).code(bad.code) }
    }
}

/// The `type` of an error.
const fn kind(status: u16) -> &'static str {
    match status {
        403 => "permission_error",
        408 | 504 => "timeout_error",
        409 => "conflict_error",
        429 => "rate_limit_error",
        503 => "service_unavailable_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    }
}

const fn default_code(status: u16) -> Option<&'static str> {
    match status {
        401 => Some("invalid_api_key"),
        404 => Some("not_found"),
        405 => Some("method_not_allowed"),
        413 => Some("request_too_large"),
        429 => Some("rate_limit_exceeded"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_envelope_has_all_four_fields() {
        let error = CallerError::new(400, "say \"what\"").param("model").code("x");
        assert_eq!(
            error.body(),
            r#"{"error":{"message":"say \"what\"","type":"invalid_request_error","param":"model","code":"x"}}"#
        );
        let plain = CallerError::new(500, "no");
        assert_eq!(plain.body(), r#"{"error":{"message":"no","type":"server_error","param":null,"code":null}}"#);
    }

    #[test]
    fn a_cut_is_an_event_and_not_an_end() {
        let event = CallerError::cut(Failure::Network).event();
        assert!(event.starts_with("data: {\"error\":{") && event.ends_with("}}\n\n"), "{event}");
        assert!(!event.contains("[DONE]"));
    }

    #[test]
    fn an_exhausted_chain_stops_the_clients_own_retries() {
        let error = CallerError::exhausted(Some(Failure::RateLimit));
        assert_eq!((error.status, error.code.as_deref(), error.should_retry), (503, Some("rate_limit"), Some(false)));
        assert_eq!(CallerError::exhausted(None).should_retry, Some(false));
    }
}
