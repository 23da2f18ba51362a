//! Errors as a Chat Completions caller expects them.
//!
//! In: a [`CallerError`]. Out: the error envelope, or the event that ends a broken stream. Must not know: what went wrong.
//!
//! The official clients choose the exception class by status alone (400, 401, 403, 404, 409, 422, 429, 500 and above) and show
//! `message`; `type`, `param` and `code` are attributes of the exception. They try again on 408, 409, 429 and 5xx unless
//! `x-should-retry: false` says otherwise (openai Python 3.54.0, Node 7.57.0).

use serde::Serialize;

use crate::dialect::caller_error::CallerError;

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

/// The envelope.
pub fn body(error: &CallerError) -> String {
    let error = Inner {
        message: &error.message,
        r#type: kind(error.status),
        param: error.param.as_deref(),
        code: error.code.as_deref(),
    };
    // INVARIANT: strings and options of strings always serialize.
    serde_json::to_string(&Envelope { error }).unwrap_or_default()
}

/// The event that ends a broken stream: no `[DONE]` may follow.
pub fn event(error: &CallerError) -> String {
    format!("data: {}\n\n", body(error))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Failure;

    #[test]
    fn the_envelope_has_all_four_fields() {
        let error = CallerError::new(400, "say \"what\"").param("model").code("x");
        assert_eq!(
            body(&error),
            r#"{"error":{"message":"say \"what\"","type":"invalid_request_error","param":"model","code":"x"}}"#
        );
        let plain = CallerError::new(500, "no");
        assert_eq!(body(&plain), r#"{"error":{"message":"no","type":"server_error","param":null,"code":null}}"#);
    }

    #[test]
    fn a_cut_is_an_event_and_not_an_end() {
        let event = event(&CallerError::cut(Failure::Network));
        assert!(event.starts_with("data: {\"error\":{") && event.ends_with("}}\n\n"), "{event}");
        assert!(!event.contains("[DONE]"));
    }
}
