//! What each event of a Chat Completions stream means, and whether the stream came to its end.
//!
//! In: the data of one event after the other. Out: a [`Verdict`] for each, and what the stream said in total. Must not know:
//! framing, when events arrived, whether the stream was released.

use super::answer::{Content, Finish, estimated_tokens, truthy, usage};
use crate::dialect::upstream_error::UpstreamError;
use crate::failure::Failure;
use crate::json::{Cursor, JsonError, Kind};
use crate::usage::{Service, Usage};

/// So many events in a row that are not JSON are a broken stream (section 5.3).
pub const MALFORMED_IN_A_ROW: u32 = 3;
/// Choices that are told apart; the API allows 128. Events of further ones are passed on, and count as one choice.
pub const MAX_CHOICES: u32 = 128;

/// What one event means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A role, an empty delta, filter annotations, usage: nothing of the answer yet. Passed on, releases nothing.
    Quiet,
    /// Part of the answer.
    Content,
    /// A choice ended without further content. Releases, too: an empty answer is an answer.
    Finish,
    /// `[DONE]`.
    Done,
    /// Not JSON. To be dropped, counted and logged.
    Malformed,
    /// A refusal or a filter: an answer, unless it comes before release and the hop's `on` names it.
    Declined(Failure),
    /// The stream is lost: an error in place of an answer, or the third malformed event in a row.
    Failed(Box<UpstreamError>),
}

/// Follows one stream.
#[derive(Clone, Debug)]
pub struct StreamJudge {
    expected: u32,
    seen: u128,
    finished: u128,
    done: bool,
    malformed: u32,
    malformed_in_a_row: u32,
    content_bytes: u64,
    once: bool,
    id: Option<Box<str>>,
    model: Option<Box<str>>,
    usage: Option<Usage>,
    service: Service,
}

/// What an event holds, before it is judged.
#[derive(Default)]
struct Chunk {
    failed: bool,
    content: bool,
    refused: bool,
    finish: Option<Finish>,
}

impl StreamJudge {
    /// For a request that asked for this many choices (`n`, 1 when not given).
    pub fn new(choices: u64) -> Self {
        Self {
            expected: u32::try_from(choices).unwrap_or(MAX_CHOICES).clamp(1, MAX_CHOICES),
            seen: 0,
            finished: 0,
            done: false,
            malformed: 0,
            malformed_in_a_row: 0,
            content_bytes: 0,
            once: false,
            id: None,
            model: None,
            usage: None,
            service: Service::Standard,
        }
    }

    /// Judges the data of an event. Events without data are not for here: comments are keep-alives, and a bare `event:` line
    /// must not reach a caller, whose client would try to read its data.
    pub fn event(&mut self, data: &[u8]) -> Verdict {
        if data.trim_ascii() == b"[DONE]" {
            self.done = true;
            return Verdict::Done;
        }
        let mut chunk = Chunk::default();
        let before = (self.seen, self.finished, self.content_bytes, self.once, self.usage, self.service);
        let outcome = Cursor::new(data).and_then(|mut cursor| {
            cursor.members(|cursor, key| self.member(cursor, key.raw, &mut chunk))?;
            cursor.finish()
        });
        if outcome.is_err() {
            // Half an event says nothing, not even that the answer ended.
            (self.seen, self.finished, self.content_bytes, self.once, self.usage, self.service) = before;
            return self.malformed();
        }
        self.malformed_in_a_row = 0;
        if chunk.failed {
            return Verdict::Failed(Box::new(UpstreamError::in_band(data)));
        }
        match chunk.finish {
            Some(Finish::Error) => {
                Verdict::Failed(Box::new(UpstreamError::bare(Failure::ServerError, "finish_reason error")))
            }
            Some(Finish::ContentFilter) => Verdict::Declined(Failure::ContentFilter),
            _ if chunk.refused => Verdict::Declined(Failure::Refusal),
            _ if chunk.content => Verdict::Content,
            Some(_) => Verdict::Finish,
            None => Verdict::Quiet,
        }
    }

    /// Whether the answer is whole, given that the body ended cleanly: every choice has a finish reason. A missing
    /// `[DONE]` is no break, provided that all choices asked for were seen; after `[DONE]`, those that were seen count.
    pub const fn complete(&self) -> bool {
        let all_seen = self.finished.count_ones() >= self.expected;
        self.finished != 0 && self.seen == self.finished && (self.done || all_seen)
    }

    /// Whether the same answer may be given twice: it is whole, no choice was refused or filtered, and none calls a tool, which
    /// is something to do and not to read.
    pub const fn repeatable(&self) -> bool {
        self.complete() && !self.once
    }

    /// `[DONE]` was seen.
    pub const fn done(&self) -> bool {
        self.done
    }

    /// The provider's id.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The model that answers, as it names itself.
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// From the last event that had any.
    pub fn usage(&self) -> Option<Usage> {
        self.usage.map(|usage| Usage { service: self.service, ..usage })
    }

    /// Tokens of content so far, by length: for `hold N tokens`, and for accounts where `usage` is missing.
    pub const fn content_tokens(&self) -> u64 {
        estimated_tokens(self.content_bytes)
    }

    /// Events that were not JSON.
    pub const fn malformed_events(&self) -> u32 {
        self.malformed
    }

    fn malformed(&mut self) -> Verdict {
        self.malformed += 1;
        self.malformed_in_a_row += 1;
        if self.malformed_in_a_row < MALFORMED_IN_A_ROW {
            return Verdict::Malformed;
        }
        Verdict::Failed(Box::new(UpstreamError::bare(Failure::Network, "three events in a row are not JSON")))
    }

    fn member(&mut self, cursor: &mut Cursor<'_>, key: &str, chunk: &mut Chunk) -> Result<(), JsonError> {
        let kind = cursor.kind()?;
        match (key, kind) {
            ("choices", Kind::Array) => cursor.items(|cursor| self.choice(cursor, chunk))?,
            ("id", Kind::String) if self.id.is_none() => self.id = non_empty(&cursor.string()?.decode()),
            ("model", Kind::String) if self.model.is_none() => self.model = non_empty(&cursor.string()?.decode()),
            ("usage", Kind::Object) => {
                let usage = usage(cursor)?;
                self.usage = usage.or(self.usage);
            }
            ("service_tier", Kind::String) => self.service = Service::from_word(cursor.string()?.raw),
            ("object", Kind::String) => chunk.failed |= cursor.string()?.raw == "error",
            ("error", _) => chunk.failed |= truthy(cursor, kind)?,
            _ => drop(cursor.skip()?),
        }
        Ok(())
    }

    fn choice(&mut self, cursor: &mut Cursor<'_>, chunk: &mut Chunk) -> Result<(), JsonError> {
        let mut index = 0;
        let mut finish = None;
        cursor.members(|cursor, key| {
            match (key.raw, cursor.kind()?) {
                ("index", Kind::Number) => index = cursor.unsigned_or_skip()?.unwrap_or(0),
                ("delta" | "message", Kind::Object) => {
                    let content = Content::read(cursor)?;
                    chunk.content |= content.any;
                    chunk.refused |= content.refused;
                    self.once |= content.refused;
                    self.content_bytes += content.bytes;
                }
                ("finish_reason", Kind::String) => {
                    let word = cursor.string()?;
                    // Some servers send "" where others send null.
                    finish = (!word.raw.is_empty()).then(|| Finish::from_word(&word.decode()));
                }
                _ => drop(cursor.skip()?),
            }
            Ok::<(), JsonError>(())
        })?;
        let bit = 1 << index.min(u64::from(MAX_CHOICES - 1));
        self.seen |= bit;
        self.once |= matches!(finish, Some(Finish::ContentFilter | Finish::ToolCalls));
        if finish.is_some() {
            self.finished |= bit;
            chunk.finish = finish;
        }
        Ok(())
    }
}

fn non_empty(text: &str) -> Option<Box<str>> {
    (!text.is_empty()).then(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(delta: &str, finish: &str) -> String {
        format!(
            r#"{{"id":"c","model":"m-1","choices":[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish}}}]}}"#
        )
    }

    fn one(data: &str) -> Verdict {
        StreamJudge::new(1).event(data.as_bytes())
    }

    #[test]
    fn every_kind_of_event_is_told_apart() {
        let quiet = [
            chunk(r#"{"role":"assistant","content":""}"#, "null"),
            chunk(r#"{"role":"assistant","content":null,"tool_calls":[]}"#, "null"),
            chunk("{}", "null"),
            chunk("{}", "\"\""),
            r#"{"choices":[],"prompt_filter_results":[{"prompt_index":0}]}"#.into(),
            r#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#.into(),
            r#"{"error":null,"choices":[]}"#.into(),
            "{}".into(),
        ];
        for data in quiet {
            assert_eq!(one(&data), Verdict::Quiet, "{data}");
        }
        let content = [
            r#"{"content":"Hi"}"#,
            r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":""}}]}"#,
            r#"{"function_call":{"name":"f"}}"#,
            r#"{"reasoning_content":"hm"}"#,
            r#"{"audio":{"data":"AA"}}"#,
        ];
        for delta in content {
            assert_eq!(one(&chunk(delta, "null")), Verdict::Content, "{delta}");
        }
        assert_eq!(one(&chunk(r#"{"content":"Hi"}"#, "\"stop\"")), Verdict::Content);
        assert_eq!(one(&chunk("{}", "\"length\"")), Verdict::Finish);
        assert_eq!(one("[DONE]"), Verdict::Done);
        assert_eq!(one(&chunk(r#"{"refusal":"I"}"#, "null")), Verdict::Declined(Failure::Refusal));
        assert_eq!(one(&chunk("{}", "\"content_filter\"")), Verdict::Declined(Failure::ContentFilter));
        for (data, failure) in [
            (r#"{"error":{"message":"x","type":"overloaded_error"}}"#.to_owned(), Failure::Overload),
            (r#"{"object":"error","message":"x","code":500}"#.to_owned(), Failure::ServerError),
            (chunk("{}", "\"error\""), Failure::ServerError),
        ] {
            assert!(matches!(one(&data), Verdict::Failed(error) if error.failure == failure), "{data}");
        }
    }

    #[test]
    fn two_malformed_events_are_dropped_and_the_third_in_a_row_is_the_end() {
        let mut judge = StreamJudge::new(1);
        let good = chunk(r#"{"content":"a"}"#, "null");
        for data in ["", "{\"choices\":[", &good, "nonsense", "[1]"] {
            let verdict = judge.event(data.as_bytes());
            assert_eq!(verdict, if data == good { Verdict::Content } else { Verdict::Malformed }, "{data}");
        }
        assert!(matches!(judge.event(b"{} {}"), Verdict::Failed(error) if error.failure == Failure::Network));
        assert_eq!(judge.malformed_events(), 5);
    }

    #[test]
    fn half_an_event_says_nothing() {
        let whole =
            r#"{"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}"#;
        for end in 1..whole.len() {
            let mut judge = StreamJudge::new(1);
            judge.event(&whole.as_bytes()[..end]);
            assert!(!judge.complete() && judge.usage().is_none() && judge.content_tokens() == 0, "{}", &whole[..end]);
        }
    }

    fn run(choices: u64, events: &[(u64, bool)], done: bool) -> bool {
        let mut judge = StreamJudge::new(choices);
        for (index, finish) in events {
            let finish = if *finish { "\"stop\"" } else { "null" };
            let data =
                format!(r#"{{"choices":[{{"index":{index},"delta":{{"content":"x"}},"finish_reason":{finish}}}]}}"#);
            judge.event(data.as_bytes());
        }
        if done {
            judge.event(b"[DONE]");
        }
        judge.complete()
    }

    #[test]
    fn a_stream_is_complete_when_every_choice_has_its_finish_reason() {
        assert!(!run(1, &[], false));
        assert!(!run(1, &[], true), "[DONE] alone is no answer");
        assert!(!run(1, &[(0, false)], false));
        assert!(!run(1, &[(0, false)], true));
        assert!(run(1, &[(0, false), (0, true)], false), "a missing [DONE] is no break");
        assert!(run(1, &[(0, true)], true));
        assert!(!run(2, &[(0, true), (1, false)], true));
        assert!(!run(2, &[(0, true)], false), "the second choice may have been cut before it began");
        assert!(run(2, &[(0, true)], true), "a server may give fewer than were asked for");
        assert!(run(2, &[(0, false), (1, true), (0, true)], false));
        assert!(run(128, &(0..128).map(|n| (n, true)).collect::<Vec<_>>(), false));
    }

    #[test]
    fn the_stream_says_who_answered_and_what_it_used() {
        let mut judge = StreamJudge::new(1);
        judge.event(chunk(r#"{"content":"12345678"}"#, "null").as_bytes());
        judge.event(br#"{"choices":[],"usage":null,"model":"other"}"#);
        assert_eq!(
            (judge.id(), judge.model(), judge.usage(), judge.content_tokens()),
            (Some("c"), Some("m-1"), None, 2)
        );
        judge.event(br#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}"#);
        assert_eq!(judge.usage(), Some(Usage::from_totals(5, 0, 0, 2, 0)));
    }
}
