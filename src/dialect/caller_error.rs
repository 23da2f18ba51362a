//! What is wrong with a request, or with its answer, for the caller's eyes.
//!
//! In: a status and words. Out: [`CallerError`], and its envelope or event in the caller's dialect. Must not know: what went
//! wrong.

use std::borrow::Cow;

use super::bad_body::BadBody;
use super::{Dialect, chat, gemini, messages, responses};
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

    /// With the status by which callers of a dialect know the same thing.
    #[must_use]
    pub fn told_in(mut self, dialect: Dialect) -> Self {
        if dialect == Dialect::Messages {
            self.status = messages::error::status(&self);
        }
        self
    }

    /// The envelope, as the caller's clients expect it.
    pub fn body(&self, dialect: Dialect) -> String {
        match dialect {
            // Other callers' envelopes stand beside this one as their dialects are served.
            Dialect::Responses => responses::error::body(self),
            Dialect::Messages => messages::error::body(self),
            Dialect::Gemini => gemini::error::body(self),
            Dialect::Chat | Dialect::Converse | Dialect::Embeddings => chat::error::body(self),
        }
    }

    /// The event that ends a broken stream: nothing may follow.
    pub fn event(&self, dialect: Dialect) -> String {
        match dialect {
            Dialect::Responses => responses::error::event(self),
            Dialect::Messages => messages::error::event(self),
            Dialect::Gemini => gemini::error::event(self),
            Dialect::Chat | Dialect::Converse | Dialect::Embeddings => chat::error::event(self),
        }
    }
}

impl From<BadBody> for CallerError {
    fn from(bad: BadBody) -> Self {
        Self { param: bad.param.map(Into::into), ..Self::new(400, bad.message).code(bad.code) }
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
    fn an_exhausted_chain_stops_the_clients_own_retries() {
        let error = CallerError::exhausted(Some(Failure::RateLimit));
        assert_eq!((error.status, error.code.as_deref(), error.should_retry), (503, Some("rate_limit"), Some(false)));
        assert_eq!(CallerError::exhausted(None).should_retry, Some(false));
    }
}
