//! Errors as a Responses caller expects them.
//!
//! In: a [`CallerError`]. Out: the error envelope, or the event that ends a broken stream. Must not know: what went wrong.
//!
//! The envelope and the exception classes are those of Chat Completions. A broken stream ends with an `error` event, which says
//! the same twice: in fields of its own, as the API's types have them, and inside `error`, at which the official clients raise an
//! exception (openai Python 3.54.0, Node 7.57.0). Without it they hand the event on, and a caller who reads only deltas would
//! take half an answer for a whole one.

use crate::dialect::caller_error::CallerError;
use crate::dialect::chat;
use crate::json::Raw;
use crate::json::write::object;

/// The number of an error event whose place in the stream is not known: behind every other, and still a signed 32-bit number.
pub const AFTER_ALL: u64 = i32::MAX as u64;

/// The envelope.
pub fn body(error: &CallerError) -> String {
    chat::error::body(error)
}

/// The event that ends a broken stream; nothing may follow.
pub fn event(error: &CallerError) -> String {
    event_at(error, AFTER_ALL)
}

/// The same with its place in the stream.
pub fn event_at(error: &CallerError, sequence_number: u64) -> String {
    let envelope = body(error);
    let inner = envelope.strip_prefix("{\"error\":").and_then(|text| text.strip_suffix('}')).unwrap_or("null");
    let mut out = b"event: error\ndata: ".to_vec();
    object(&mut out, |o| {
        o.text("type", "error");
        o.number("sequence_number", sequence_number);
        match &error.code {
            Some(code) => o.text("code", code),
            None => o.null("code"),
        }
        o.text("message", &error.message);
        match &error.param {
            Some(param) => o.text("param", param),
            None => o.null("param"),
        }
        o.raw("error", &Raw(inner.into()));
    });
    out.extend_from_slice(b"\n\n");
    // INVARIANT: only strings were written.
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Failure;

    #[test]
    fn a_cut_is_one_event_that_types_and_exceptions_understand() {
        let event = event_at(&CallerError::cut(Failure::Network), 7);
        let data = event.strip_prefix("event: error\ndata: ").unwrap().strip_suffix("\n\n").unwrap();
        let data: serde_json::Value = serde_json::from_str(data).unwrap();
        assert_eq!(
            (&data["type"], &data["code"], &data["sequence_number"]),
            (&"error".into(), &"stream_cut".into(), &7.into())
        );
        assert_eq!(data["error"]["message"], data["message"]);
        assert_eq!(data["error"]["type"], "server_error");
    }
}
