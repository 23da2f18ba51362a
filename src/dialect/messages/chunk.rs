//! Events of Messages in the frames of Bedrock's own API.
//!
//! In: the name and the payload of a frame. Out: the event inside, as Anthropic's own API sends it. Must not know: how frames are
//! told apart, what events mean.
//!
//! A frame `chunk` holds `{"bytes": base64}`, and in it the data of one event; an exception is an error in place of the rest
//! (botocore 1.44.8, `ResponseStream` of `bedrock-runtime`, read 2026-11-26).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;

use super::fields::type_ahead;
use crate::dialect::converse;
use crate::dialect::room::Room;
use crate::dialect::sse::Event;
use crate::json::write::object;
use crate::json::{Cursor, Kind, Quoted};

/// The event in a frame; `None` in a frame of a kind that this version does not know. What cannot be taken out of a `chunk` is an
/// event without data, which no reader takes. It is put together in `room`.
pub fn event(name: &[u8], payload: &[u8], room: &mut Room) -> Option<Event> {
    if converse::reader::is_exception(name) {
        return Some(Event::framed(b"error", &error(name, payload), room));
    }
    if name != b"chunk" {
        return None;
    }
    let mut data = inside(payload, room).unwrap_or_default();
    // An event's data is one line; in JSON a line's end is only space.
    data.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
    let kind = Cursor::new(&data).ok().and_then(|cursor| type_ahead(&cursor).ok());
    let kind = kind.filter(|kind| kind.bytes().all(|byte| byte.is_ascii_graphic())).unwrap_or_default();
    Some(Event::framed(kind.as_bytes(), &data, room))
}

fn inside(payload: &[u8], room: &mut Room) -> Option<BytesMut> {
    let mut found = None;
    let mut cursor = Cursor::new(payload).ok()?;
    let read = cursor.members(|cursor, key| {
        match (key.raw, cursor.kind()?) {
            ("bytes", Kind::String) => found = Some(cursor.string()?),
            _ => drop(cursor.skip()?),
        }
        Ok::<(), crate::json::JsonError>(())
    });
    let text = read.ok().and(found)?.decode();
    room.fill(base64::decoded_len_estimate(text.len()), |out| STANDARD.decode_slice(&*text, out).ok())
}

/// An exception in the words of the dialect: the kind of error for programs, the exception's own name as its code.
fn error(name: &[u8], payload: &[u8]) -> Vec<u8> {
    let name = String::from_utf8_lossy(name);
    let kind = match &*name.to_ascii_lowercase() {
        "throttlingexception" => "rate_limit_error",
        "serviceunavailableexception" | "modelnotreadyexception" => "overloaded_error",
        "validationexception" => "invalid_request_error",
        "modeltimeoutexception" => "timeout_error",
        "accessdeniedexception" => "permission_error",
        "resourcenotfoundexception" => "not_found_error",
        _ => "api_error",
    };
    let mut message = Quoted::default();
    let read = Cursor::new(payload).and_then(|mut cursor| {
        cursor.members(|cursor, key| {
            match (key.raw, cursor.kind()?) {
                ("message" | "Message", Kind::String) => message = cursor.string()?.into(),
                _ => drop(cursor.skip()?),
            }
            Ok(())
        })
    });
    let mut out = Vec::with_capacity(payload.len() + 96);
    object(&mut out, |o| {
        o.text("type", "error");
        o.object("error", |o| {
            o.text("type", kind);
            match read {
                Ok(()) => o.quoted("message", &message),
                Err(_) => o.text("message", &String::from_utf8_lossy(payload)),
            }
            o.object("details", |o| o.text("error_code", &name));
        });
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::upstream_error::UpstreamError;
    use crate::failure::Failure;

    fn chunk(data: &str) -> String {
        let payload = format!(r#"{{"p":"abcd","bytes":"{}"}}"#, STANDARD.encode(data));
        let event = event(b"chunk", payload.as_bytes(), &mut Room::default()).unwrap();
        String::from_utf8(event.raw.to_vec()).unwrap()
    }

    #[test]
    fn an_event_is_what_anthropics_own_api_would_have_sent() {
        let stop = r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":1}}"#;
        assert_eq!(chunk(stop), format!("event: message_stop\ndata: {stop}\n\n"));
        let late = "{\"index\":0,\r\n \"type\":\"content_block_stop\"}";
        assert_eq!(
            chunk(late),
            "event: content_block_stop\ndata: {\"index\":0,   \"type\":\"content_block_stop\"}\n\n"
        );
        assert_eq!(chunk(r#"{"type":"a\nb"}"#), "event: \ndata: {\"type\":\"a\\nb\"}\n\n");
    }

    #[test]
    fn what_is_no_chunk_is_no_event() {
        assert!(event(b"chunks", b"{}", &mut Room::default()).is_none());
        for payload in ["", "{}", "[]", r#"{"bytes":7}"#, r#"{"bytes":"%"}"#] {
            assert_eq!(
                event(b"chunk", payload.as_bytes(), &mut Room::default()).unwrap().data(),
                Some(&b""[..]),
                "{payload}"
            );
        }
    }

    #[test]
    fn an_exception_is_an_error_of_the_same_meaning() {
        let failure = |name: &str, payload: &str| {
            let event = event(name.as_bytes(), payload.as_bytes(), &mut Room::default()).unwrap();
            assert_eq!(event.name(), Some(&b"error"[..]));
            let error = UpstreamError::in_band(event.data().unwrap());
            (error.failure, error.message.to_string())
        };
        for (name, payload, wanted) in [
            ("throttlingException", r#"{"message":"slow \"down\""}"#, (Failure::RateLimit, "slow \"down\"")),
            ("serviceUnavailableException", r#"{"message":"x"}"#, (Failure::Overload, "x")),
            ("modelStreamErrorException", r#"{"message":"x","originalStatusCode":500}"#, (Failure::ServerError, "x")),
            ("internalServerException", "gone", (Failure::ServerError, "gone")),
            ("modelTimeoutException", "{}", (Failure::Timeout, "")),
            (
                "validationException",
                r#"{"message":"prompt is too long: 3 tokens > 2 maximum"}"#,
                (Failure::ContextLength, "prompt is too long: 3 tokens > 2 maximum"),
            ),
        ] {
            let (failed, message) = failure(name, payload);
            assert_eq!((failed, &*message), wanted, "{name}");
        }
    }
}
