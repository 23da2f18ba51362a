//! A stream for a caller, event by event.
//!
//! In: [`Delta`]s. Out: whole events, `data: {…}` and a blank line each, and nothing else ever (the official Python client raises
//! at anything else). Must not know: framing of what came in, time.
//!
//! A call goes out whole when the answer has ended, because its arguments are a JSON value here and not a text in pieces. The
//! reason for the end goes out with [`Delta::End`], because the last usage belongs into the same event and other dialects say it
//! later.

use std::borrow::Cow;
use std::mem;

use super::answer::{usage_metadata, who, word};
use super::compact::compact;
use crate::dialect::canonical::{Delta, Finish, Reply};
use crate::json::{Cursor, Kind, Quoted, Raw, unescape, write};
use crate::usage::Usage;

/// Calls of one answer that are kept; as many as other parts of the proxy look at.
pub const MAX_CALLS: usize = 128;
/// Arguments of all calls of one answer that are kept, in bytes: twice what the longest answers of today hold.
pub const MAX_ARGUMENTS: usize = 1024 * 1024;

/// Writes one stream.
#[derive(Debug)]
pub struct Writer {
    /// What stands behind the candidates of every event: who answered.
    tail: Box<str>,
    calls: Vec<Call>,
    /// Bytes in `calls`.
    kept: usize,
    /// A call was too much to keep, or was none in the end.
    malformed: bool,
    refused: bool,
    usage: Option<Usage>,
    finish: Option<Finish>,
}

#[derive(Debug)]
struct Call {
    index: u32,
    id: Quoted<'static>,
    name: Quoted<'static>,
    /// The inside of a JSON string.
    arguments: String,
}

const HEAD: &str = "data: {\"candidates\":[{\"content\":{\"parts\":[";

impl Writer {
    /// For one answer.
    pub fn new(reply: &Reply<'_>) -> Self {
        let mut tail = Vec::new();
        write::object(&mut tail, |o| who(o, reply));
        let tail = String::from_utf8(tail).unwrap_or_default();
        Self {
            // Without its opening brace: it goes on after the candidates.
            tail: tail.get(1..).unwrap_or_default().into(),
            calls: Vec::new(),
            kept: 0,
            malformed: false,
            refused: false,
            usage: None,
            finish: None,
        }
    }

    /// Appends what a delta becomes.
    pub fn write(&mut self, delta: &Delta<'_>, out: &mut Vec<u8>) {
        match delta {
            Delta::Text(text) => self.text(text, out),
            Delta::Refusal(text) => {
                self.refused = true;
                self.text(text, out);
            }
            Delta::Call { index, id, name } => self.call(*index, id, name),
            Delta::Arguments { index, piece } => self.arguments(*index, piece),
            Delta::Usage(usage) => self.usage = Some(*usage),
            Delta::Finish { reason, .. } => self.finish = Some(*reason),
            Delta::End => self.end(out),
            // Thinking is signed for one model. An error has an event of its own.
            Delta::Start { .. } | Delta::Thinking(_) | Delta::Logprobs(_) | Delta::Failed(_) => {}
        }
    }

    fn text(&self, text: &Quoted<'_>, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        out.extend_from_slice(HEAD.as_bytes());
        out.extend_from_slice(b"{\"text\":\"");
        out.extend_from_slice(one_line(text.written()).as_bytes());
        out.extend_from_slice(b"\"}],\"role\":\"model\"},\"index\":0}],");
        out.extend_from_slice(self.tail.as_bytes());
        out.extend_from_slice(b"\n\n");
    }

    fn call(&mut self, index: u32, id: &Quoted<'_>, name: &Quoted<'_>) {
        self.kept += id.written().len() + name.written().len();
        if self.calls.len() == MAX_CALLS || self.kept > MAX_ARGUMENTS {
            self.malformed = true;
            return;
        }
        let (id, name) = (id.clone().into_owned(), name.clone().into_owned());
        self.calls.push(Call { index, id, name, arguments: String::new() });
    }

    fn arguments(&mut self, index: u32, piece: &Quoted<'_>) {
        self.kept += piece.written().len();
        if self.kept > MAX_ARGUMENTS {
            self.malformed = true;
        } else if let Some(call) = self.calls.iter_mut().rev().find(|call| call.index == index) {
            call.arguments.push_str(piece.written());
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        let Some(finish) = self.finish.take() else { return };
        let calls = mem::take(&mut self.calls);
        let whole: Vec<(&Call, Raw<'_>)> =
            calls.iter().filter_map(|call| Some((call, arguments(&call.arguments)?))).collect();
        // An answer that was cut at its cap may well end inside a call.
        let malformed = (self.malformed || whole.len() < calls.len()) && matches!(finish, Finish::Stop | Finish::Calls);
        out.extend_from_slice(HEAD.as_bytes());
        if whole.is_empty() || malformed {
            out.extend_from_slice(b"{\"text\":\"\"}");
        } else {
            for (place, (call, arguments)) in whole.iter().enumerate() {
                out.extend_from_slice(if place == 0 { b"" } else { b"," });
                part(call, arguments, out);
            }
        }
        out.extend_from_slice(b"],\"role\":\"model\"},\"finishReason\":\"");
        let word = if malformed { "MALFORMED_FUNCTION_CALL" } else { word(finish, self.refused) };
        out.extend_from_slice(word.as_bytes());
        out.extend_from_slice(b"\",\"index\":0}],");
        if let Some(usage) = self.usage {
            let mut counts = Vec::new();
            write::object(&mut counts, |o| usage_metadata(o, usage));
            out.extend_from_slice(counts.get(1..counts.len() - 1).unwrap_or_default());
            out.push(b',');
        }
        out.extend_from_slice(self.tail.as_bytes());
        out.extend_from_slice(b"\n\n");
    }
}

fn part(call: &Call, arguments: &Raw<'_>, out: &mut Vec<u8>) {
    write::object(out, |o| {
        o.object("functionCall", |o| {
            if !call.id.is_empty() {
                o.quoted("id", &call.id);
            }
            o.quoted("name", &call.name);
            o.member("args").extend_from_slice(one_line(&arguments.0).as_bytes());
        });
    });
}

/// The object that the pieces of a JSON text make; none at all makes an empty one.
fn arguments(written: &str) -> Option<Raw<'static>> {
    let text = unescape(written);
    if text.trim().is_empty() {
        return Some(Raw("{}".into()));
    }
    let mut cursor = Cursor::new(text.as_bytes()).ok()?;
    if cursor.kind().ok()? != Kind::Object {
        return None;
    }
    let raw = cursor.raw().ok()?;
    cursor.finish().ok()?;
    Some(Raw(compact(raw).0.into_owned().into()))
}

/// What older clients, which split lines as Python does, take for the end of one.
const LINE_ENDS: [char; 3] = ['\u{85}', '\u{2028}', '\u{2029}'];

/// The same JSON without characters that end a line.
fn one_line(json: &str) -> Cow<'_, str> {
    if !json.contains(LINE_ENDS) {
        return Cow::Borrowed(json);
    }
    let escaped = json.replace('\u{85}', "\\u0085").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPLY: Reply<'static> = Reply { id: "r", model: "m", created: 0, include_usage: true, echo: None };

    fn written(deltas: &[Delta<'_>]) -> String {
        let mut writer = Writer::new(&REPLY);
        let mut out = Vec::new();
        for delta in deltas {
            writer.write(delta, &mut out);
        }
        String::from_utf8(out).unwrap()
    }

    fn call(index: u32, id: &'static str, name: &'static str) -> Delta<'static> {
        Delta::Call { index, id: Quoted::of(id), name: Quoted::of(name) }
    }

    fn piece(index: u32, text: &'static str) -> Delta<'static> {
        Delta::Arguments { index, piece: Quoted::of(text) }
    }

    fn finish(reason: Finish) -> Delta<'static> {
        Delta::Finish { reason, stop_sequence: None }
    }

    #[test]
    fn text_goes_out_at_once_and_the_end_with_its_usage() {
        let usage = Usage::from_totals(5, 2, 0, 3, 1);
        let out = written(&[
            Delta::Start { id: None, model: None },
            Delta::Text(Quoted::of("a\n\u{2028}b")),
            Delta::Thinking(Quoted::of("hm")),
            Delta::Text(Quoted::of("")),
            finish(Finish::Length),
            Delta::Usage(usage),
            Delta::End,
        ]);
        assert_eq!(
            out,
            concat!(
                r#"data: {"candidates":[{"content":{"parts":[{"text":"a\n\u2028b"}],"role":"model"},"index":0}],"modelVersion":"m","responseId":"r"}"#,
                "\n\n",
                r#"data: {"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"MAX_TOKENS","index":0}],"usageMetadata":{"promptTokenCount":5,"cachedContentTokenCount":2,"candidatesTokenCount":2,"thoughtsTokenCount":1,"totalTokenCount":8},"modelVersion":"m","responseId":"r"}"#,
                "\n\n"
            )
        );
    }

    #[test]
    fn calls_in_pieces_go_out_whole() {
        let out = written(&[
            call(0, "a", "f"),
            piece(0, "{\"x\":\n"),
            call(1, "", "g"),
            piece(1, ""),
            piece(0, " \"\u{2029}\"}"),
            finish(Finish::Calls),
            Delta::End,
        ]);
        assert!(out.contains(
            r#""parts":[{"functionCall":{"id":"a","name":"f","args":{"x":"\u2029"}}},{"functionCall":{"name":"g","args":{}}}],"role":"model"},"finishReason":"STOP""#
        ), "{out}");
        assert_eq!(out.lines().count(), 2);
    }

    #[test]
    fn a_call_that_is_none_is_not_sent() {
        for pieces in ["{\"x\":", "[1]", "{} {}"] {
            for (reason, word) in [(Finish::Calls, "MALFORMED_FUNCTION_CALL"), (Finish::Length, "MAX_TOKENS")] {
                let out = written(&[call(0, "a", "f"), piece(0, pieces), finish(reason), Delta::End]);
                assert!(
                    !out.contains("functionCall") && out.contains(&format!("\"finishReason\":\"{word}\"")),
                    "{out}"
                );
            }
        }
    }

    #[test]
    fn calls_and_arguments_are_kept_to_their_limits() {
        let ended = |calls: usize, bytes: usize| {
            let mut deltas: Vec<Delta<'_>> = (0..calls).map(|index| call(index as u32, "", "f")).collect();
            let padding = format!("{{\"a\":\"{}\"}}", "x".repeat(bytes));
            deltas.push(Delta::Arguments { index: 0, piece: Quoted::of(&padding) });
            deltas.extend([finish(Finish::Calls), Delta::End]);
            written(&deltas).contains("MALFORMED_FUNCTION_CALL")
        };
        assert!(!ended(MAX_CALLS, 0));
        assert!(ended(MAX_CALLS + 1, 0));
        // The name, and the escaped quotes and braces around the padding.
        let around = 1 + r#"{\"a\":\"\"}"#.len();
        assert!(!ended(1, MAX_ARGUMENTS - around));
        assert!(ended(1, MAX_ARGUMENTS - around + 1));
    }

    #[test]
    fn a_stream_that_did_not_end_says_no_end() {
        assert_eq!(written(&[Delta::End]), "");
        let refused = written(&[Delta::Refusal(Quoted::of("no")), finish(Finish::Stop), Delta::End]);
        assert!(refused.contains("\"finishReason\":\"SAFETY\""));
    }
}
