//! A provider's stream, event by event.
//!
//! In: the data of one event after the other. Out: [`Delta`]s. Must not know: framing, time.
//!
//! Every event is a GenerateContentResponse with what is new, a call always whole. Nothing marks the end but the reason for it, so
//! there is no [`Delta::End`] here: whoever follows the stream says it when the body has ended.

use super::chunk::{Chunk, Piece, finish, invented_id};
use crate::dialect::canonical::{Delta, Finish};
use crate::dialect::upstream_error::UpstreamError;
use crate::json::{JsonError, Quoted};

/// Reads one stream.
#[derive(Debug, Default)]
pub struct Reader {
    started: bool,
    content: bool,
    calls: u32,
}

impl Reader {
    /// Takes the data of an event. Its name means nothing here.
    ///
    /// # Errors
    /// When it is not JSON.
    pub fn event(
        &mut self,
        _name: Option<&[u8]>,
        data: &[u8],
        sink: &mut dyn FnMut(Delta<'_>),
    ) -> Result<(), JsonError> {
        let chunk = Chunk::read(data)?;
        if chunk.failed {
            sink(Delta::Failed(Box::new(UpstreamError::in_band(data))));
            return Ok(());
        }
        if !self.started {
            self.started = true;
            sink(Delta::Start { id: chunk.id.clone(), model: chunk.model.clone() });
        }
        let word = chunk.content(|piece| {
            self.piece(piece, chunk.id.as_ref(), sink);
            Ok(())
        })?;
        if let Some(usage) = chunk.usage {
            sink(Delta::Usage(usage));
        }
        let ended = word.map(|word| finish(&word, self.calls > 0, self.content));
        if let Some(reason) = ended.or_else(|| chunk.blocked.then_some(Finish::Filtered)) {
            sink(Delta::Finish { reason, stop_sequence: None });
        }
        Ok(())
    }

    fn piece(&mut self, piece: Piece<'_>, answer: Option<&Quoted<'_>>, sink: &mut dyn FnMut(Delta<'_>)) {
        match piece {
            Piece::Text(text) => {
                self.content = true;
                sink(Delta::Text(text));
            }
            Piece::Thinking(text) => sink(Delta::Thinking(text)),
            Piece::Call { id, name, arguments } => {
                let index = self.calls;
                self.calls += 1;
                if id.is_empty() {
                    let invented = invented_id(answer, index, &name, &arguments);
                    sink(Delta::Call { index, id: Quoted::of(&invented), name });
                } else {
                    sink(Delta::Call { index, id, name });
                }
                sink(Delta::Arguments { index, piece: Quoted::of(&arguments.0) });
            }
            // No stream of another dialect has a place for it.
            Piece::Media(_) => self.content = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(events: &[&str]) -> Vec<String> {
        let mut reader = Reader::default();
        let mut seen = Vec::new();
        for data in events {
            reader
                .event(None, data.as_bytes(), &mut |delta| {
                    seen.push(match delta {
                        Delta::Start { id, model } => {
                            format!("start {} {}", id.unwrap_or_default().decode(), model.unwrap_or_default().decode())
                        }
                        Delta::Text(text) => format!("text {}", text.decode()),
                        Delta::Thinking(text) => format!("thinking {}", text.decode()),
                        Delta::Call { index, id, name } => format!("call {index} {} {}", id.decode(), name.decode()),
                        Delta::Arguments { index, piece } => format!("arguments {index} {}", piece.decode()),
                        Delta::Usage(usage) => format!("usage {} {}", usage.input(), usage.output),
                        Delta::Finish { reason, .. } => format!("finish {reason:?}"),
                        Delta::Failed(error) => format!("failed {}", error.failure),
                        Delta::End | Delta::Refusal(_) | Delta::Logprobs(_) => unreachable!(),
                    });
                })
                .unwrap();
        }
        seen
    }

    #[test]
    fn thinking_text_and_calls_come_in_their_order() {
        let seen = read(&[
            r#"{"candidates":[{"content":{"parts":[{"text":"hm","thought":true}],"role":"model"},"index":0}],"modelVersion":"m-1","responseId":"r"}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"I "},{"text":"look"}]}}],"usageMetadata":{"promptTokenCount":4}}"#,
            r#"{"candidates":[{"content":{"parts":[{"functionCall":{"id":"a","name":"f","args":{"x": "\n"}},"thoughtSignature":"AA"}]}}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"functionCall":{"id":"b","name":"g"}},{"text":"","thoughtSignature":"AA"}]},"finishReason":"STOP"},
                {"content":{"parts":[{"text":"another candidate"}]}}],"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":9}}"#,
        ]);
        assert_eq!(
            seen,
            [
                "start r m-1",
                "thinking hm",
                "text I ",
                "text look",
                "usage 4 0",
                "call 0 a f",
                "arguments 0 {\"x\":\"\\n\"}",
                "call 1 b g",
                "arguments 1 {}",
                "usage 4 9",
                "finish Calls",
            ]
        );
    }

    #[test]
    fn a_blocked_prompt_and_an_error_end_it() {
        let blocked =
            r#"{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":4}}"#;
        assert_eq!(read(&[blocked]), ["start  ", "usage 4 0", "finish Filtered"]);
        for error in [
            r#"{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}"#,
            r#"[{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}]"#,
        ] {
            assert_eq!(read(&[error]), ["failed overload"]);
        }
    }

    #[test]
    fn no_json_is_an_error_and_odd_json_is_nothing() {
        let mut reader = Reader::default();
        for data in ["", "{", "[DONE]", "x", "{} {}", "1"] {
            assert!(reader.event(None, data.as_bytes(), &mut |_| panic!("{data}")).is_err(), "{data}");
        }
        for data in [
            r#"{"candidates":[1,null,"x"]}"#,
            r#"{"candidates":{"content":1}}"#,
            r#"{"candidates":[{"content":{"parts":[1,{"functionCall":[]},{"inlineData":{}}]}}]}"#,
            r#"{"candidates":[{"content":{"parts":{}},"finishReason":7}],"usageMetadata":[],"error":null}"#,
        ] {
            let seen = read(&[data]);
            assert_eq!(seen, ["start  "], "{data}");
        }
    }
}
