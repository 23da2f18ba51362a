//! Errors as a Messages caller expects them.
//!
//! In: a [`CallerError`]. Out: the error envelope, or the event that ends a broken stream. Must not know: what went wrong.
//!
//! The official clients choose the exception class by the status and `error.details.error_code`, then by the status alone, and
//! show `error.type`, `error.message` and `error_code` as attributes; a code they do not know counts as none. They try again on
//! 408, 409, 429 and 5xx unless `x-should-retry: false` says otherwise (anthropic Python 2.14.0).

use serde::Serialize;

use crate::dialect::caller_error::CallerError;

#[derive(Serialize)]
struct Envelope<'a> {
    r#type: &'static str,
    error: Inner<'a>,
}

#[derive(Serialize)]
struct Inner<'a> {
    r#type: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details<'a>>,
}

#[derive(Serialize)]
struct Details<'a> {
    error_code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<&'a str>,
}

/// The envelope.
pub fn body(error: &CallerError) -> String {
    let details = error.code.as_deref().map(|error_code| Details { error_code, param: error.param.as_deref() });
    let error = Inner { r#type: kind(error.status), message: &error.message, details };
    // INVARIANT: strings and options of strings always serialize.
    serde_json::to_string(&Envelope { r#type: "error", error }).unwrap_or_default()
}

/// The event that ends a broken stream: no `message_stop` may follow.
pub fn event(error: &CallerError) -> String {
    format!("event: error\ndata: {}\n\n", body(error))
}

/// The status that a caller of this dialect knows for the same thing: it tells an overload by 529.
pub fn status(error: &CallerError) -> u16 {
    if error.status == 503 && error.code.as_deref() == Some("overload") { 529 } else { error.status }
}

/// The `type` of an error.
const fn kind(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        408 | 504 => "timeout_error",
        409 => "conflict_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;
    use crate::failure::Failure;

    #[test]
    fn the_envelope_says_what_kind_of_error_it_is() {
        let error = CallerError::new(400, "say \"what\"").param("model").code("x");
        assert_eq!(
            body(&error),
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"say \"what\"","details":{"error_code":"x","param":"model"}}}"#
        );
        assert_eq!(
            body(&CallerError::new(500, "no")),
            r#"{"type":"error","error":{"type":"api_error","message":"no"}}"#
        );
    }

    #[test]
    fn an_overload_has_a_status_of_its_own() {
        let overload = CallerError::exhausted(Some(Failure::Overload));
        assert_eq!((status(&overload), status(&CallerError::exhausted(Some(Failure::Auth)))), (529, 503));
        let told = |dialect| CallerError::exhausted(Some(Failure::Overload)).told_in(dialect);
        assert_eq!((told(Dialect::Messages).status, told(Dialect::Chat).status), (529, 503));
        assert!(body(&told(Dialect::Messages)).contains(r#""type":"overloaded_error""#));
    }

    #[test]
    fn a_cut_is_an_event_and_not_an_end() {
        let event = event(&CallerError::cut(Failure::Network));
        assert!(
            event.starts_with("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\","),
            "{event}"
        );
        assert!(event.ends_with("}}}\n\n") && event.matches('\n').count() == 3, "{event}");
    }
}
