//! A Chat Completions stream, as its callers expect it.
//!
//! In: deltas. Out: events. Must not know: whose deltas they are.

use super::completion::{id, tokens, write_logprobs};
use super::said::word;
use crate::dialect::canonical::{Delta, Reply};
use crate::json::Raw;
use crate::json::write::{self, Object};
use crate::usage::Usage;

/// Writes one stream.
#[derive(Debug)]
pub struct Writer {
    /// Everything before `choices`, which all events share.
    head: Vec<u8>,
    reply_id: Box<str>,
    include_usage: bool,
    started: bool,
    refused: bool,
    /// Of the text that comes next.
    logprobs: Option<Raw<'static>>,
    usage: Option<Usage>,
}

impl Writer {
    /// For one answer.
    pub fn new(reply: &Reply<'_>) -> Self {
        let mut head = Vec::with_capacity(160);
        head.extend_from_slice(b"data: ");
        write::object(&mut head, |out| {
            out.text("id", &format!("chatcmpl-{}", reply.id));
            out.text("object", "chat.completion.chunk");
            out.number("created", reply.created);
            out.text("model", reply.model);
        });
        // The object stays open for what differs.
        head.pop();
        Self {
            head,
            reply_id: reply.id.into(),
            include_usage: reply.include_usage,
            started: false,
            refused: false,
            logprobs: None,
            usage: None,
        }
    }

    /// Appends the events that a delta makes.
    pub fn write(&mut self, delta: &Delta<'_>, out: &mut Vec<u8>) {
        if !self.started && !matches!(delta, Delta::Usage(_) | Delta::Failed(_)) {
            self.started = true;
            self.chunk(out, None, |delta| {
                delta.text("role", "assistant");
                delta.text("content", "");
                delta.null("refusal");
            });
        }
        match delta {
            Delta::Start { .. } | Delta::Thinking(_) | Delta::Failed(_) => {}
            Delta::Text(text) | Delta::Refusal(text) if text.is_empty() => {}
            Delta::Text(text) => {
                let logprobs = self.logprobs.take();
                self.likely(out, None, logprobs.as_ref(), |delta| delta.quoted("content", text));
            }
            Delta::Logprobs(raw) => self.logprobs = Some(raw.clone().into_owned()),
            Delta::Refusal(text) => {
                self.refused = true;
                self.chunk(out, None, |delta| delta.quoted("refusal", text));
            }
            Delta::Call { index, id: own, name } => self.chunk(out, None, |delta| {
                call(delta, *index, |call| {
                    id(call, own, &self.reply_id, *index);
                    call.text("type", "function");
                    call.object("function", |function| {
                        function.quoted("name", name);
                        function.text("arguments", "");
                    });
                });
            }),
            Delta::Arguments { index, piece } => self.chunk(out, None, |delta| {
                call(delta, *index, |call| call.object("function", |function| function.quoted("arguments", piece)));
            }),
            Delta::Usage(usage) => self.usage = Some(*usage),
            Delta::Finish { reason, .. } => self.chunk(out, Some(word(Some(*reason), self.refused)), |_| {}),
            Delta::End => self.end(out),
        }
    }

    /// One event with one choice.
    fn chunk(&self, out: &mut Vec<u8>, finish: Option<&str>, delta: impl FnOnce(&mut Object<'_>)) {
        self.likely(out, finish, None, delta);
    }

    /// The same with how likely its tokens were.
    fn likely(
        &self,
        out: &mut Vec<u8>,
        finish: Option<&str>,
        logprobs: Option<&Raw<'_>>,
        delta: impl FnOnce(&mut Object<'_>),
    ) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b",\"choices\":[");
        write::object(out, |choice| {
            choice.number("index", 0);
            choice.object("delta", delta);
            write_logprobs(choice, logprobs);
            match finish {
                Some(word) => choice.text("finish_reason", word),
                None => choice.null("finish_reason"),
            }
        });
        out.extend_from_slice(if self.include_usage { b"],\"usage\":null}\n\n" } else { b"]}\n\n" });
    }

    /// What was used may come after the reason, so it is said here.
    fn end(&mut self, out: &mut Vec<u8>) {
        if let Some(usage) = self.usage.filter(|_| self.include_usage) {
            out.extend_from_slice(&self.head);
            out.extend_from_slice(b",\"choices\":[],\"usage\":");
            write::object(out, |out| tokens(out, &usage));
            out.extend_from_slice(b"}\n\n");
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}

fn call(delta: &mut Object<'_>, index: u32, write: impl FnOnce(&mut Object<'_>)) {
    delta.array("tool_calls", |list| {
        list.object(|call| {
            call.number("index", u64::from(index));
            write(call);
        });
    });
}

#[cfg(test)]
mod tests {
    use super::super::reader::Reader;
    use super::*;
    use crate::dialect::canonical::Finish;
    use crate::json::Quoted;

    fn deltas(events: &[&str]) -> Vec<String> {
        let mut reader = Reader::default();
        let mut seen = Vec::new();
        for data in events {
            reader.event(None, data.as_bytes(), &mut |delta| seen.push(format!("{delta:?}"))).unwrap();
        }
        seen
    }

    fn chunk(delta: &str, finish: &str) -> String {
        format!(r#"{{"choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}],"id":"c","model":"m"}}"#)
    }

    #[test]
    fn calls_are_told_apart_by_index_and_by_id() {
        let call = |index: u32, id: &str, arguments: &str| {
            let id = if id.is_empty() { String::new() } else { format!(r#""id":"{id}","#) };
            chunk(
                &format!(
                    r#"{{"tool_calls":[{{"index":{index},{id}"function":{{"name":"f","arguments":"{arguments}"}}}}]}}"#
                ),
                "null",
            )
        };
        let begun = |events: &[String]| {
            let events: Vec<_> = events.iter().map(String::as_str).collect();
            deltas(&events).iter().filter(|delta| delta.starts_with("Call")).count()
        };
        assert_eq!(begun(&[call(0, "a", ""), call(0, "", "x"), call(1, "b", ""), call(0, "", "y")]), 2);
        assert_eq!(begun(&[call(0, "a", "x"), call(0, "b", "y"), call(0, "c", "z")]), 3, "one index for all");
        assert_eq!(begun(&[call(0, "a", "x"), call(0, "a", "y")]), 1, "the id repeated");
        assert_eq!(begun(&[call(3, "", "x"), call(7, "", "y")]), 2, "indexes with holes");
    }

    #[test]
    fn as_many_calls_as_the_limit_and_not_one_more() {
        let calls = |count: usize| {
            let items: Vec<_> = (0..count).map(|at| format!(r#"{{"index":{at},"function":{{"name":"f"}}}}"#)).collect();
            chunk(&format!(r#"{{"tool_calls":[{}]}}"#, items.join(",")), "null")
        };
        let failed = |events: &[&str]| deltas(events).iter().any(|delta| delta.starts_with("Failed"));
        let most = super::super::output::MAX_CALLS;
        assert!(!failed(&[&calls(most)]));
        assert!(failed(&[&calls(most + 1)]));
        let further = chunk(r#"{"tool_calls":[{"index":999,"function":{"name":"f"}}]}"#, "null");
        assert!(failed(&[&calls(most), &further]));
    }

    #[test]
    fn an_error_is_the_end_and_what_is_no_json_is_an_error_of_its_own() {
        assert!(deltas(&[r#"{"error":{"message":"x","code":429}}"#])[0].contains("RateLimit"));
        assert!(deltas(&[&chunk("{}", "\"error\"")])[1].contains("ServerError"));
        assert!(Reader::default().event(None, b"{", &mut |_| {}).is_err());
        assert_eq!(deltas(&["[DONE]"]), ["End"]);
    }

    #[test]
    fn an_event_about_the_prompt_is_not_the_start() {
        let about = r#"{"choices":[],"id":"","model":"","prompt_filter_results":[]}"#;
        let seen = deltas(&[about, &chunk(r#"{"role":"assistant","content":""}"#, "null")]);
        assert_eq!(seen, [format!("{:?}", Delta::Start { id: Some(Quoted::of("c")), model: Some(Quoted::of("m")) })]);
    }

    #[test]
    fn usage_is_said_to_those_who_ask() {
        let run = |include_usage| {
            let mut writer = Writer::new(&Reply { id: "7", model: "m", created: 1, include_usage, echo: None });
            let mut out = Vec::new();
            let usage = Usage::from_totals(5, 1, 0, 2, 0);
            let finish = Delta::Finish { reason: Finish::Stop, stop_sequence: None };
            for delta in [
                Delta::Start { id: None, model: None },
                Delta::Text(Quoted::of("é")),
                finish,
                Delta::Usage(usage),
                Delta::End,
            ] {
                writer.write(&delta, &mut out);
            }
            String::from_utf8(out).unwrap()
        };
        let head = r#"data: {"id":"chatcmpl-7","object":"chat.completion.chunk","created":1,"model":"m","choices":["#;
        let plain = run(false);
        let lines: Vec<_> = plain.split("\n\n").map(|event| event.strip_prefix(head).unwrap_or(event)).collect();
        assert_eq!(
            lines,
            [
                r#"{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}]}"#,
                r#"{"index":0,"delta":{"content":"é"},"logprobs":null,"finish_reason":null}]}"#,
                r#"{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]}"#,
                "data: [DONE]",
                ""
            ]
        );
        let told = run(true);
        assert_eq!(told.matches(r#""usage":null"#).count(), 3);
        assert!(told.ends_with(
            "\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2,\"total_tokens\":7,\"prompt_tokens_details\":{\"cached_tokens\":1,\"cache_write_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":0}}}\n\ndata: [DONE]\n\n"
        ));
    }
}
