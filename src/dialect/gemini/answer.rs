//! A complete answer, both ways.
//!
//! In: the body of a 200, or a [`Completion`]. Out: the other. Must not know: requests, what happens next.

use super::chunk::{Chunk, Piece, finish, invented_id};
use crate::dialect::canonical::{Completion, Finish, Part, Reply, Source, ToolCall};
use crate::dialect::upstream_error::UpstreamError;
use crate::failure::Failure;
use crate::json::{Quoted, write};
use crate::usage::Usage;

/// Reads a whole body.
///
/// # Errors
/// An error in place of an answer, by its words. A body that is no JSON is [`Failure::Network`]: it broke off, or something else
/// than the provider answered.
pub fn read(body: &[u8]) -> Result<Completion<'_>, UpstreamError> {
    let broken = |error: crate::json::JsonError| {
        let message = format!("status 200, but the body is no JSON object: {}", error.describe(body));
        UpstreamError::bare(Failure::Network, &message)
    };
    let chunk = Chunk::read(body).map_err(broken)?;
    if chunk.failed {
        return Err(UpstreamError::in_band(body));
    }
    if !chunk.has_candidates() && !chunk.blocked {
        return Err(UpstreamError::bare(Failure::ServerError, "status 200 without candidates"));
    }
    let mut parts = Vec::new();
    let mut calls = 0;
    let word = chunk.content(|piece| {
        parts.push(match piece {
            Piece::Text(text) => Part::Text(text),
            Piece::Thinking(text) => Part::Thinking(text),
            Piece::Media(media) => Part::Media(media),
            Piece::Call { mut id, name, arguments } => {
                if id.is_empty() {
                    id = Quoted::of(&invented_id(chunk.id.as_ref(), calls, &name, &arguments)).into_owned();
                }
                calls += 1;
                Part::Call(ToolCall { id, name, arguments })
            }
        });
        Ok(())
    });
    let word = word.map_err(broken)?;
    let content = parts.iter().any(|part| !matches!(part, Part::Thinking(_)));
    let ended = word.map(|word| finish(&word, calls > 0, content));
    Ok(Completion {
        logprobs: None,
        id: chunk.id,
        model: chunk.model,
        parts,
        finish: ended.or_else(|| chunk.blocked.then_some(Finish::Filtered)),
        stop_sequence: None,
        usage: chunk.usage,
    })
}

/// Writes a whole body.
pub fn write(completion: &Completion<'_>, reply: &Reply<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(512 + completion.content_bytes() as usize);
    write::object(&mut out, |o| {
        o.array("candidates", |list| {
            list.object(|o| {
                o.object("content", |o| {
                    o.array("parts", |list| parts(list, &completion.parts));
                    o.text("role", "model");
                });
                if let Some(word) = completion_word(completion) {
                    o.text("finishReason", word);
                }
                o.number("index", 0);
            });
        });
        if let Some(usage) = completion.usage {
            usage_metadata(o, usage);
        }
        who(o, reply);
    });
    out
}

fn parts(list: &mut write::Array<'_>, parts: &[Part<'_>]) {
    let mut any = false;
    for part in parts {
        match part {
            Part::Text(text) | Part::Refusal(text) => list.object(|o| o.quoted("text", text)),
            Part::Call(call) => list.object(|o| {
                o.object("functionCall", |o| {
                    if !call.id.is_empty() {
                        o.quoted("id", &call.id);
                    }
                    o.quoted("name", &call.name);
                    o.raw("args", &call.arguments);
                });
            }),
            Part::Media(media) => {
                let Source::Inline { mime, data } = &media.source else { continue };
                list.object(|o| {
                    o.object("inlineData", |o| {
                        o.text("mimeType", mime);
                        o.quoted("data", data);
                    });
                });
            }
            // Signed for one model, and a result is no part of an answer.
            Part::Thinking(_) | Part::Result(_) => continue,
        }
        any = true;
    }
    if !any {
        // Clients take an answer without parts for one that never was.
        list.object(|o| o.text("text", ""));
    }
}

fn completion_word(completion: &Completion<'_>) -> Option<&'static str> {
    let refused = completion.parts.iter().any(|part| matches!(part, Part::Refusal(_)));
    completion.finish.map(|finish| word(finish, refused))
}

/// Google's word for an end. It has none for a refusal, which is a matter of safety where the clients look for it.
pub(super) const fn word(finish: Finish, refused: bool) -> &'static str {
    match finish {
        Finish::Filtered | Finish::Refused => "SAFETY",
        Finish::Stop if refused => "SAFETY",
        Finish::Stop | Finish::Calls => "STOP",
        Finish::Length => "MAX_TOKENS",
        Finish::Error => "OTHER",
    }
}

/// The prompt with what was cached, the answer without its thoughts.
pub(super) fn usage_metadata(o: &mut write::Object<'_>, usage: Usage) {
    o.object("usageMetadata", |o| {
        o.number("promptTokenCount", usage.input());
        if usage.cache_read > 0 {
            o.number("cachedContentTokenCount", usage.cache_read);
        }
        o.number("candidatesTokenCount", usage.output.saturating_sub(usage.reasoning));
        if usage.reasoning > 0 {
            o.number("thoughtsTokenCount", usage.reasoning);
        }
        o.number("totalTokenCount", usage.total());
    });
}

/// Who answered.
pub(super) fn who(o: &mut write::Object<'_>, reply: &Reply<'_>) {
    o.text("modelVersion", reply.model);
    o.text("responseId", reply.id);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(body: &str) -> Option<Failure> {
        match read(body.as_bytes()) {
            Ok(completion) => completion.failure().map(|error| error.failure),
            Err(error) => Some(error.failure),
        }
    }

    #[test]
    fn every_end_has_its_word() {
        let said = |word: &str, part: &str| {
            format!(r#"{{"candidates":[{{"content":{{"parts":[{part}],"role":"model"}},"finishReason":"{word}"}}]}}"#)
        };
        let text = r#"{"text":"hi"}"#;
        for (body, wanted) in [
            (said("STOP", text), None),
            (said("STOP", ""), None),
            (said("MAX_TOKENS", text), None),
            (said("CONTINUATION", text), None),
            (said("SAFETY", ""), Some(Failure::ContentFilter)),
            (said("RECITATION", text), Some(Failure::ContentFilter)),
            (said("IMAGE_SAFETY", ""), Some(Failure::ContentFilter)),
            (said("MALFORMED_FUNCTION_CALL", ""), Some(Failure::ServerError)),
            (said("OTHER", ""), Some(Failure::ServerError)),
            (said("OTHER", text), None),
            (said("A_NEW_WORD", text), None),
            (said("", text), Some(Failure::ServerError)),
            (r#"{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{}}"#.into(), Some(Failure::ContentFilter)),
            (r#"{"candidates":[],"promptFeedback":{}}"#.into(), Some(Failure::ServerError)),
            ("{}".into(), Some(Failure::ServerError)),
            (r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"x"}}"#.into(), Some(Failure::RateLimit)),
            (r#"[{"error":{"code":503,"status":"UNAVAILABLE","message":"x"}}]"#.into(), Some(Failure::Overload)),
            ("".into(), Some(Failure::Network)),
            (r#"{"candidates":[{"content":{"parts":[{"te"#.into(), Some(Failure::Network)),
            ("{} {}".into(), Some(Failure::Network)),
            ("<html>".into(), Some(Failure::Network)),
        ] {
            assert_eq!(failure(&body), wanted, "{body}");
        }
    }

    #[test]
    fn calls_without_ids_get_different_ones_that_stay() {
        let body = r#"{"responseId":"r1","candidates":[{"content":{"parts":[
            {"functionCall":{"name":"f","args":{ "a" : 1 }}},{"functionCall":{"name":"f","args":{"a":1}}},
            {"functionCall":{"id":"x","name":"g"},"thoughtSignature":"AA=="}]},"finishReason":"STOP"}]}"#;
        let ids = |body: &str| {
            let completion = read(body.as_bytes()).unwrap();
            assert_eq!(completion.finish, Some(Finish::Calls));
            let call = |part: &Part<'_>| match part {
                Part::Call(call) => (call.id.decode().into_owned(), call.arguments.0.clone().into_owned()),
                part => panic!("{part:?}"),
            };
            completion.parts.iter().map(call).collect::<Vec<_>>()
        };
        let first = ids(body);
        assert_eq!(first, ids(body));
        assert_ne!(first[0].0, first[1].0);
        assert_ne!(first[0].0, ids(&body.replace("r1", "r2"))[0].0);
        assert_eq!(first[0].1, r#"{"a":1}"#);
        assert_eq!(first[2], ("x".to_owned(), "{}".to_owned()));
    }

    #[test]
    fn usage_is_counted_once() {
        let body = r#"{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":100,"cachedContentTokenCount":60,
            "toolUsePromptTokenCount":5,"candidatesTokenCount":7,"thoughtsTokenCount":3,"totalTokenCount":115}}"#;
        let usage = read(body.as_bytes()).unwrap().usage.unwrap();
        assert_eq!((usage.input_uncached, usage.cache_read, usage.output, usage.reasoning), (45, 60, 10, 3));
        assert!(!usage.estimated);
        let mut out = Vec::new();
        write::object(&mut out, |o| usage_metadata(o, usage));
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"usageMetadata":{"promptTokenCount":105,"cachedContentTokenCount":60,"candidatesTokenCount":7,"thoughtsTokenCount":3,"totalTokenCount":115}}"#
        );
    }
}
