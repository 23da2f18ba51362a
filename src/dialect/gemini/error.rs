//! Errors as a Gemini caller expects them.
//!
//! In: a [`CallerError`]. Out: the error envelope, or the event that ends a broken stream. Must not know: what went wrong.
//!
//! The official clients choose the exception class by the status of the response (4xx or 5xx), take `status` and `message` from
//! the envelope, and raise at an event of a stream that holds one (google-genai Python 3.6.1). They try again only where their
//! user says so.

use crate::dialect::caller_error::CallerError;
use crate::json::write;

/// Who gives the reason, as Google's error model asks.
const DOMAIN: &str = "wayside";

/// The envelope. What Google has no field for, the stable code and the field at fault, stands where its services put such
/// things: in an `ErrorInfo`.
pub fn body(error: &CallerError) -> String {
    let mut out = Vec::new();
    write::object(&mut out, |o| {
        o.object("error", |o| {
            o.number("code", u64::from(error.status));
            o.text("message", &error.message);
            o.text("status", status(error.status));
            if let Some(code) = &error.code {
                o.array("details", |list| {
                    list.object(|o| {
                        o.text("@type", "type.googleapis.com/google.rpc.ErrorInfo");
                        o.text("reason", &code.to_ascii_uppercase());
                        o.text("domain", DOMAIN);
                        if let Some(param) = &error.param {
                            o.object("metadata", |o| o.text("field", param));
                        }
                    });
                });
            }
        });
    });
    // INVARIANT: what is written from strings is UTF-8.
    String::from_utf8(out).unwrap_or_default()
}

/// The event that ends a broken stream: nothing may follow.
pub fn event(error: &CallerError) -> String {
    format!("data: {}\n\n", body(error))
}

/// Google's word for a status.
const fn status(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        402 | 429 => "RESOURCE_EXHAUSTED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        408 | 504 => "DEADLINE_EXCEEDED",
        409 => "ABORTED",
        499 => "CANCELLED",
        501 => "UNIMPLEMENTED",
        502 | 503 | 529 => "UNAVAILABLE",
        500.. => "INTERNAL",
        _ => "INVALID_ARGUMENT",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::upstream_error::UpstreamError;
    use crate::failure::Failure;

    #[test]
    fn the_envelope_is_googles() {
        let error = CallerError { code: None, ..CallerError::new(404, "say \"what\"") };
        assert_eq!(body(&error), r#"{"error":{"code":404,"message":"say \"what\"","status":"NOT_FOUND"}}"#);
        let named = CallerError::new(400, "no").param("contents").code("unsupported_by_target");
        assert!(
            body(&named).ends_with(
                r#""reason":"UNSUPPORTED_BY_TARGET","domain":"wayside","metadata":{"field":"contents"}}]}}"#
            )
        );
    }

    #[test]
    fn a_cut_is_an_event_and_not_an_end() {
        let event = event(&CallerError::cut(Failure::Network));
        assert!(event.starts_with("data: {\"error\":{\"code\":502,") && event.ends_with("}\n\n"), "{event}");
        assert_eq!(event.lines().count(), 2);
    }

    #[test]
    fn what_is_written_is_understood_by_the_next_proxy() {
        for (status, failure) in
            [(429, Failure::RateLimit), (503, Failure::Overload), (504, Failure::Timeout), (401, Failure::Auth)]
        {
            let body = body(&CallerError::new(status, "x"));
            assert_eq!(UpstreamError::in_band(body.as_bytes()).failure, failure, "{status}");
        }
    }
}
