//! A stream for a Messages caller.
//!
//! In: deltas. Out: whole events, `message_start` to `message_stop`. Must not know: where the deltas come from.
//!
//! Blocks stand strictly one after another (dialects.md, section 4). Other dialects may tell several calls at once: those behind
//! the open one are kept until its arguments are whole.

use super::answer::{call_id, head, stopped, write_usage};
use super::error;
use crate::dialect::caller_error::CallerError;
use crate::dialect::canonical::{Delta, Finish, Reply};
use crate::failure::Failure;
use crate::json::Quoted;
use crate::json::write::{Object, object};
use crate::usage::Usage;

/// Bytes of calls that are kept behind an open one: many times what a model writes into its calls.
pub const MAX_KEPT: usize = 1 << 20;
/// Bytes of a refusal's explanation; more of it is left out.
pub const MAX_EXPLANATION: usize = 64 * 1024;

/// Writes one stream.
#[derive(Clone, Debug)]
pub struct Writer {
    id: Box<str>,
    model: Box<str>,
    begun: bool,
    over: bool,
    /// Blocks that were closed.
    closed: u64,
    open: Open,
    kept: Vec<Kept>,
    kept_bytes: usize,
    usage: Usage,
    finish: Option<Finish>,
    sequence: Option<Quoted<'static>>,
    explanation: Quoted<'static>,
    called: bool,
}

/// The block that is being written.
#[derive(Clone, Debug, Default)]
enum Open {
    #[default]
    None,
    Text,
    Call {
        index: u32,
        arguments: Arguments,
    },
}

/// A call that waits for the open one.
#[derive(Clone, Debug)]
struct Kept {
    index: u32,
    id: Quoted<'static>,
    name: Quoted<'static>,
    arguments: Quoted<'static>,
}

impl Writer {
    /// Of which nothing is written yet.
    pub fn new(reply: &Reply<'_>) -> Self {
        Self {
            id: reply.id.into(),
            model: reply.model.into(),
            begun: false,
            over: false,
            closed: 0,
            open: Open::None,
            kept: Vec::new(),
            kept_bytes: 0,
            usage: Usage::default(),
            finish: None,
            sequence: None,
            explanation: Quoted::default(),
            called: false,
        }
    }

    /// Appends the events of one delta. The end is written at [`Delta::End`], when everything that is counted is known.
    pub fn write(&mut self, delta: &Delta<'_>, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match delta {
            Delta::Text(text) if !text.is_empty() => self.text(text, out),
            Delta::Call { index, id, name } => self.call(*index, id, name, out),
            Delta::Arguments { index, piece } if !piece.is_empty() => self.arguments(*index, piece, out),
            Delta::Refusal(words) => {
                if self.explanation.written().len() + words.written().len() <= MAX_EXPLANATION {
                    self.explanation.push(words);
                }
            }
            Delta::Usage(usage) => self.usage = *usage,
            Delta::Finish { reason, stop_sequence } => {
                self.finish = Some(*reason);
                self.sequence = stop_sequence.clone().map(Quoted::into_owned);
            }
            Delta::End => self.end(out),
            // Whoever judges the stream says so; nothing may follow.
            Delta::Failed(_) => self.over = true,
            // The first event waits for the prompt's size. Thinking is signed by the provider it came from.
            Delta::Start { .. }
            | Delta::Thinking(_)
            | Delta::Logprobs(_)
            | Delta::Text(_)
            | Delta::Arguments { .. } => {}
        }
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let reply = Reply { id: &self.id, model: &self.model, created: 0, include_usage: true, echo: None };
        event(out, "message_start", |o| {
            o.object("message", |o| {
                head(o, &reply);
                o.array("content", |_| {});
                stopped(o, None, None, None);
                o.object("usage", |o| write_usage(o, Usage { output: 0, reasoning: 0, ..self.usage }));
            });
        });
    }

    fn text(&mut self, text: &Quoted<'_>, out: &mut Vec<u8>) {
        if !matches!(self.open, Open::Text) {
            self.begin(out);
            self.close_all(out);
            let at = self.closed;
            event(out, "content_block_start", |o| {
                o.number("index", at);
                o.object("content_block", |o| {
                    o.text("type", "text");
                    o.text("text", "");
                });
            });
            self.open = Open::Text;
        }
        delta(out, self.closed, "text_delta", "text", text);
    }

    fn call(&mut self, index: u32, id: &Quoted<'_>, name: &Quoted<'_>, out: &mut Vec<u8>) {
        self.begin(out);
        self.called = true;
        if !self.kept.is_empty() || matches!(&self.open, Open::Call { arguments, .. } if !arguments.whole) {
            let (id, name) = (id.clone().into_owned(), name.clone().into_owned());
            if self.keep(id.written().len() + name.written().len() + size_of::<Kept>(), out) {
                self.kept.push(Kept { index, id, name, arguments: Quoted::default() });
            }
            return;
        }
        self.close(out);
        self.open_call(index, id, name, out);
    }

    fn open_call(&mut self, index: u32, id: &Quoted<'_>, name: &Quoted<'_>, out: &mut Vec<u8>) {
        let (at, reply) = (self.closed, &self.id);
        event(out, "content_block_start", |o| {
            o.number("index", at);
            o.object("content_block", |o| {
                o.text("type", "tool_use");
                call_id(o, id, reply, at as usize);
                o.quoted("name", name);
                o.object("input", |_| {});
            });
        });
        self.open = Open::Call { index, arguments: Arguments::default() };
    }

    fn arguments(&mut self, of: u32, piece: &Quoted<'_>, out: &mut Vec<u8>) {
        if let Open::Call { index, arguments } = &mut self.open
            && *index == of
        {
            arguments.take(piece.written());
            let whole = arguments.whole;
            delta(out, self.closed, "input_json_delta", "partial_json", piece);
            if whole {
                self.next(out);
            }
        } else if self.kept.iter().any(|kept| kept.index == of)
            && self.keep(piece.written().len(), out)
            && let Some(kept) = self.kept.iter_mut().find(|kept| kept.index == of)
        {
            kept.arguments.push(piece);
        }
    }

    /// Room for so many bytes more; without it, the stream is lost.
    fn keep(&mut self, bytes: usize, out: &mut Vec<u8>) -> bool {
        self.kept_bytes += bytes;
        if self.kept_bytes > MAX_KEPT {
            out.extend_from_slice(error::event(&CallerError::cut(Failure::ServerError)).as_bytes());
            self.over = true;
        }
        !self.over
    }

    /// The open call is whole: those that waited for it follow, as far as they are whole.
    fn next(&mut self, out: &mut Vec<u8>) {
        while !self.kept.is_empty() && matches!(&self.open, Open::Call { arguments, .. } if arguments.whole) {
            self.close(out);
            self.open_kept(out);
        }
    }

    /// Writes the first of those that wait, without closing it.
    fn open_kept(&mut self, out: &mut Vec<u8>) {
        let kept = self.kept.remove(0);
        if self.kept.is_empty() {
            self.kept_bytes = 0;
        }
        self.open_call(kept.index, &kept.id, &kept.name, out);
        if kept.arguments.is_empty() {
            return;
        }
        if let Open::Call { arguments, .. } = &mut self.open {
            arguments.take(kept.arguments.written());
        }
        delta(out, self.closed, "input_json_delta", "partial_json", &kept.arguments);
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if matches!(self.open, Open::None) {
            return;
        }
        let at = self.closed;
        event(out, "content_block_stop", |o| o.number("index", at));
        self.open = Open::None;
        self.closed += 1;
    }

    fn close_all(&mut self, out: &mut Vec<u8>) {
        self.close(out);
        while !self.kept.is_empty() {
            self.open_kept(out);
            self.close(out);
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.begin(out);
        self.close_all(out);
        let refused = !self.explanation.is_empty();
        let finish = match self.finish.unwrap_or(Finish::Stop) {
            Finish::Stop if refused => Finish::Refused,
            Finish::Stop if self.called => Finish::Calls,
            other => other,
        };
        event(out, "message_delta", |o| {
            o.object("delta", |o| {
                stopped(o, Some(finish), self.sequence.as_ref(), Some(&self.explanation).filter(|_| refused));
            });
            o.object("usage", |o| write_usage(o, self.usage));
        });
        event(out, "message_stop", |_| {});
        self.over = true;
    }
}

fn event(out: &mut Vec<u8>, name: &str, write: impl FnOnce(&mut Object<'_>)) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    object(out, |o| {
        o.text("type", name);
        write(o);
    });
    out.extend_from_slice(b"\n\n");
}

fn delta(out: &mut Vec<u8>, block: u64, kind: &str, field: &str, piece: &Quoted<'_>) {
    event(out, "content_block_delta", |o| {
        o.number("index", block);
        o.object("delta", |o| {
            o.text("type", kind);
            o.quoted(field, piece);
        });
    });
}

/// Whether the pieces of a call's arguments, put together, are a whole JSON object.
#[derive(Clone, Debug, Default)]
struct Arguments {
    depth: u32,
    in_string: bool,
    after_backslash: bool,
    whole: bool,
}

impl Arguments {
    /// A piece, as the inside of a JSON string: every escape of it is one character of the arguments.
    fn take(&mut self, piece: &str) {
        let mut bytes = piece.as_bytes();
        while let [first, rest @ ..] = bytes {
            bytes = rest;
            let mut byte = *first;
            if byte == b'\\' {
                let Some((escape, after)) = bytes.split_first() else { return };
                bytes = after;
                byte = *escape;
                if byte == b'u' {
                    let digits = bytes.get(..4).and_then(|hex| std::str::from_utf8(hex).ok());
                    bytes = bytes.get(4..).unwrap_or_default();
                    // What is no ASCII decides nothing here.
                    byte = digits.and_then(|hex| u8::from_str_radix(hex, 16).ok()).unwrap_or(b'?');
                } else if byte != b'"' && byte != b'\\' {
                    byte = b' ';
                }
            }
            self.byte(byte);
        }
    }

    fn byte(&mut self, byte: u8) {
        if self.in_string {
            match byte {
                _ if self.after_backslash => self.after_backslash = false,
                b'\\' => self.after_backslash = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                self.whole |= self.depth == 0;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::upstream_error::UpstreamError;

    fn new() -> Writer {
        Writer::new(&Reply { id: "0a1b", model: "gpt-5.4", created: 0, include_usage: true, echo: None })
    }

    /// The events, each as its name and what stands behind `type`.
    fn written(deltas: &[Delta<'_>]) -> Vec<String> {
        let (mut writer, mut out) = (new(), Vec::new());
        deltas.iter().for_each(|delta| writer.write(delta, &mut out));
        let text = String::from_utf8(out).unwrap();
        let events = text.split_terminator("\n\n").map(|event| {
            let (name, data) = event.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
            let json: serde_json::Value = serde_json::from_str(data).unwrap();
            assert_eq!(json["type"], name);
            data.replacen(&format!(r#"{{"type":"{name}""#), name, 1).trim_end_matches('}').to_owned()
        });
        events.collect()
    }

    fn call(index: u32) -> Delta<'static> {
        Delta::Call { index, id: Quoted::of(["a", "b", "c"][index as usize]), name: Quoted::of("f") }
    }

    fn piece(index: u32, piece: &str) -> Delta<'_> {
        Delta::Arguments { index, piece: Quoted::of(piece) }
    }

    const START: Delta<'static> = Delta::Start { id: None, model: None };
    const DONE: Delta<'static> = Delta::Finish { reason: Finish::Stop, stop_sequence: None };

    #[test]
    fn a_text_is_one_block() {
        let usage = Usage::from_totals(10, 3, 0, 5, 0);
        let text = |text| Delta::Text(Quoted::of(text));
        assert_eq!(
            written(&[
                START,
                Delta::Usage(usage),
                text(""),
                text("Hi \""),
                text("ö"),
                DONE,
                Delta::Usage(usage),
                Delta::End
            ]),
            [
                r#"message_start,"message":{"id":"msg_0a1b","type":"message","role":"assistant","model":"gpt-5.4","content":[],"stop_reason":null,"stop_sequence":null,"stop_details":null,"usage":{"input_tokens":7,"cache_creation_input_tokens":0,"cache_read_input_tokens":3,"output_tokens":0"#,
                r#"content_block_start,"index":0,"content_block":{"type":"text","text":"""#,
                r#"content_block_delta,"index":0,"delta":{"type":"text_delta","text":"Hi \"""#,
                r#"content_block_delta,"index":0,"delta":{"type":"text_delta","text":"ö""#,
                r#"content_block_stop,"index":0"#,
                r#"message_delta,"delta":{"stop_reason":"end_turn","stop_sequence":null,"stop_details":null},"usage":{"input_tokens":7,"cache_creation_input_tokens":0,"cache_read_input_tokens":3,"output_tokens":5"#,
                "message_stop",
            ]
        );
    }

    /// Starts, pieces and stops of blocks, in short, and why it ended.
    fn blocks(deltas: &[Delta<'_>]) -> String {
        let (mut writer, mut out) = (new(), Vec::new());
        [&[START], deltas, &[DONE, Delta::End]].concat().iter().for_each(|delta| writer.write(delta, &mut out));
        let text = String::from_utf8(out).unwrap();
        let short = |data: &str| {
            let event: serde_json::Value = serde_json::from_str(data).unwrap();
            let index = &event["index"];
            Some(match event["type"].as_str()? {
                "content_block_start" if event["content_block"]["type"] == "text" => format!("t{index}"),
                "content_block_start" => format!("+{index}"),
                "content_block_stop" => format!("-{index}"),
                "content_block_delta" => {
                    let delta = &event["delta"];
                    delta["partial_json"].as_str().or(delta["text"].as_str())?.to_owned()
                }
                "message_delta" => event["delta"]["stop_reason"].as_str()?.to_owned(),
                "error" => "error".to_owned(),
                _ => return None,
            })
        };
        let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
        data.filter_map(short).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn calls_stand_one_after_another() {
        let text = Delta::Text(Quoted::of("Hi"));
        let one_by_one = [text, call(0), piece(0, "{'x':"), piece(0, "1}"), call(1), piece(1, "{}")];
        assert_eq!(blocks(&one_by_one), "t0 Hi -0 +1 {'x': 1} -1 +2 {} -2 tool_use");
    }

    #[test]
    fn calls_that_alternate_are_put_in_order() {
        let mixed =
            [call(0), call(1), piece(0, "{1"), piece(1, "{2"), call(2), piece(1, "2}"), piece(0, "1}"), piece(2, "{}")];
        assert_eq!(blocks(&mixed), "+0 {1 1} -0 +1 {22} -1 +2 {} -2 tool_use");
        let left = [call(0), call(1), piece(1, "{"), call(2)];
        assert_eq!(blocks(&left), "+0 -0 +1 { -1 +2 -2 tool_use", "whatever is kept is written at the end");
        let then_text = [call(0), call(1), Delta::Text(Quoted::of("so"))];
        assert_eq!(blocks(&then_text), "+0 -0 +1 -1 t2 so -2 tool_use");
    }

    #[test]
    fn the_end_of_arguments_is_seen_in_any_pieces() {
        for (text, whole) in [
            (r#"{}"#, true),
            (r#" { "a" : [ { } , "}" ] } "#, true),
            (r#"{"a":"\"}"}"#, true),
            (r#"{"a":"\\"}"#, true),
            (r#"{"a":"\\\"}"#, false),
            (r#"{"a":"}"#, false),
            (r#"{"a":{}"#, false),
            (r#"{"ü":"\u007d"#, false),
            ("", false),
        ] {
            let written = Quoted::of(text).written().to_owned();
            let mut at_once = Arguments::default();
            at_once.take(&written);
            assert_eq!(at_once.whole, whole, "{text}");
            let mut by_character = Arguments::default();
            text.chars().for_each(|c| by_character.take(Quoted::of(&c.to_string()).written()));
            assert_eq!(by_character.whole, whole, "{text}");
            // Every character may be written as an escape.
            let mut escaped = Arguments::default();
            text.chars().for_each(|c| escaped.take(&format!("\\u{:04x}", c as u32)));
            assert_eq!(escaped.whole, whole, "{text}");
        }
    }

    #[test]
    fn what_is_kept_has_a_limit() {
        let filler = "x".repeat(MAX_KEPT - size_of::<Kept>() - 2);
        let full = [call(0), call(1), piece(1, &filler)];
        assert!(blocks(&full).contains(&filler));
        assert_eq!(blocks(&[&full[..], &[piece(1, "y"), call(2)]].concat()), "+0 error");
        let words = |length| written(&[Delta::Refusal(Quoted::of(&"r".repeat(length))), DONE, Delta::End]);
        assert!(words(MAX_EXPLANATION)[1].contains(r#""explanation":"rr"#));
        assert!(!words(MAX_EXPLANATION + 1)[1].contains(r#""explanation":"rr"#));
    }

    #[test]
    fn a_refusal_is_explained_at_the_end() {
        let events =
            written(&[START, Delta::Refusal(Quoted::of("I ")), Delta::Refusal(Quoted::of("won't")), DONE, Delta::End]);
        assert_eq!(events.len(), 3);
        let end = r#"message_delta,"delta":{"stop_reason":"refusal","stop_sequence":null,"stop_details":{"type":"refusal","category":null,"explanation":"I won't"}}"#;
        assert!(events[1].starts_with(end), "{}", events[1]);
    }

    #[test]
    fn after_an_error_nothing_follows() {
        let failed = Delta::Failed(Box::new(UpstreamError::bare(Failure::Overload, "x")));
        let events =
            written(&[START, Delta::Text(Quoted::of("Hi")), failed, Delta::Text(Quoted::of("!")), DONE, Delta::End]);
        assert_eq!(events.len(), 3, "the event of the error is written by whoever judges the stream");
    }

    #[test]
    fn an_answer_of_nothing_is_a_message() {
        let events = written(&[START, Delta::Thinking(Quoted::of("hm")), DONE, Delta::End]);
        assert_eq!(
            events.iter().map(|event| event.split(',').next().unwrap()).collect::<Vec<_>>(),
            ["message_start", "message_delta", "message_stop"]
        );
    }
}
