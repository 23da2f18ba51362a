//! What a complete Chat Completions answer says, without a tree.
//!
//! In: the body of a 200. Out: [`Answer`]: who answered, what it used, how it ended. Must not know: what happens next.

use smallvec::SmallVec;

use crate::dialect::canonical;
use crate::dialect::upstream_error::UpstreamError;
use crate::failure::Failure;
use crate::json::{Cursor, JsonError, Kind};
use crate::usage::{Service, Usage};

/// Why a choice ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// `stop`
    Stop,
    /// `length`
    Length,
    /// `tool_calls`, `function_call`
    ToolCalls,
    /// `content_filter`
    ContentFilter,
    /// `error`: some servers end a choice with it.
    Error,
    /// A word this version does not know; an end all the same.
    Other,
}

impl Finish {
    /// The nearest word for an end in nobody's words.
    pub const fn of(reason: canonical::Finish) -> Self {
        match reason {
            canonical::Finish::Stop => Self::Stop,
            canonical::Finish::Length => Self::Length,
            canonical::Finish::Calls => Self::ToolCalls,
            canonical::Finish::Filtered | canonical::Finish::Refused => Self::ContentFilter,
            canonical::Finish::Error => Self::Error,
        }
    }

    pub(super) fn from_word(word: &str) -> Self {
        match word {
            "stop" => Self::Stop,
            "length" | "model_length" => Self::Length,
            "tool_calls" | "function_call" => Self::ToolCalls,
            "content_filter" => Self::ContentFilter,
            "error" => Self::Error,
            _ => Self::Other,
        }
    }
}

/// What an answer says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The provider's id.
    pub id: Option<Box<str>>,
    /// The model that answered, as it names itself.
    pub model: Option<Box<str>>,
    /// What it used, if the provider says.
    pub usage: Option<Usage>,
    /// How each choice ended; `None` for one that did not.
    pub choices: SmallVec<[Option<Finish>; 1]>,
    /// A choice has a refusal in place of content.
    pub refused: bool,
    /// A choice calls a tool.
    pub calls: bool,
    /// Bytes of content, for an estimate of the tokens where `usage` is missing.
    pub content_bytes: u64,
    /// How it was served; [`Self::usage`] says so, too.
    pub service: Service,
    /// The body is an error under status 200.
    pub error: Option<Box<UpstreamError>>,
}

impl Answer {
    /// Reads a whole body.
    ///
    /// # Errors
    /// A body that is no JSON is [`Failure::Network`]: it broke off, or something else than the provider answered.
    pub fn read(body: &[u8]) -> Result<Self, UpstreamError> {
        let mut answer = Self::default();
        let mut failed = false;
        let outcome = Cursor::new(body).and_then(|mut cursor| {
            cursor.members(|cursor, key| answer.member(cursor, key.raw, &mut failed))?;
            cursor.finish()
        });
        if let Err(error) = outcome {
            let message = format!("status 200, but the body is no JSON object: {}", error.describe(body));
            return Err(UpstreamError::bare(Failure::Network, &message));
        }
        if let Some(usage) = &mut answer.usage {
            usage.service = answer.service;
        }
        if failed {
            answer.error = Some(Box::new(UpstreamError::in_band(body)));
        }
        Ok(answer)
    }

    /// Why this is no success, if it is none. A filter or a refusal counts when it took every choice.
    pub fn failure(&self) -> Option<UpstreamError> {
        if let Some(error) = &self.error {
            return Some((**error).clone());
        }
        let all = |wanted: Finish| self.choices.iter().all(|finish| *finish == Some(wanted));
        if self.choices.is_empty() {
            Some(UpstreamError::bare(Failure::ServerError, "status 200 without choices"))
        } else if all(Finish::ContentFilter) {
            Some(UpstreamError::bare(Failure::ContentFilter, "finish_reason content_filter"))
        } else if all(Finish::Error) {
            Some(UpstreamError::bare(Failure::ServerError, "finish_reason error"))
        } else if self.choices.contains(&None) {
            Some(UpstreamError::bare(Failure::ServerError, "a choice without a finish_reason"))
        } else if self.refused && self.content_bytes == 0 {
            Some(UpstreamError::bare(Failure::Refusal, "the message is a refusal"))
        } else {
            None
        }
    }

    /// Whether the same answer may be given twice: no choice was refused or filtered, and none calls a tool, which is something
    /// to do and not to read.
    pub fn repeatable(&self) -> bool {
        let told = |finish: &Option<Finish>| matches!(finish, Some(Finish::Stop | Finish::Length | Finish::Other));
        self.error.is_none() && !self.refused && !self.choices.is_empty() && self.choices.iter().all(told)
    }

    fn member(&mut self, cursor: &mut Cursor<'_>, key: &str, failed: &mut bool) -> Result<(), JsonError> {
        let kind = cursor.kind()?;
        match (key, kind) {
            ("id", Kind::String) => self.id = Some(cursor.string()?.decode().into()),
            ("model", Kind::String) => self.model = Some(cursor.string()?.decode().into()),
            ("usage", Kind::Object) => self.usage = usage(cursor)?,
            ("service_tier", Kind::String) => self.service = Service::from_word(cursor.string()?.raw),
            ("object", Kind::String) => *failed |= cursor.string()?.raw == "error",
            ("error", _) => *failed |= truthy(cursor, kind)?,
            ("choices", Kind::Array) => cursor.items(|cursor| self.choice(cursor))?,
            _ => drop(cursor.skip()?),
        }
        Ok(())
    }

    fn choice(&mut self, cursor: &mut Cursor<'_>) -> Result<(), JsonError> {
        let mut finish = None;
        cursor.members(|cursor, key| {
            match (key.raw, cursor.kind()?) {
                ("finish_reason", Kind::String) => finish = Some(Finish::from_word(&cursor.string()?.decode())),
                ("message", Kind::Object) => {
                    let content = Content::read(cursor)?;
                    self.refused |= content.refused;
                    self.calls |= content.calls;
                    self.content_bytes += content.bytes;
                }
                _ => drop(cursor.skip()?),
            }
            Ok::<(), JsonError>(())
        })?;
        self.choices.push(finish);
        Ok(())
    }
}

/// What a message or a delta carries.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Content {
    /// Bytes of text, thinking and calls, as written.
    pub bytes: u64,
    /// Anything beyond a role.
    pub any: bool,
    /// A refusal.
    pub refused: bool,
    /// A call.
    pub calls: bool,
}

impl Content {
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Self, JsonError> {
        let mut content = Self::default();
        cursor.members(|cursor, key| content.member(cursor, key.raw))?;
        Ok(content)
    }

    fn member(&mut self, cursor: &mut Cursor<'_>, key: &str) -> Result<(), JsonError> {
        match (key, cursor.kind()?) {
            // Servers of open models put thinking into fields of their own; it is part of the answer.
            ("content" | "reasoning_content" | "reasoning", Kind::String) => {
                let bytes = cursor.passage()?.span.len() as u64;
                self.bytes += bytes;
                self.any |= bytes > 0;
            }
            ("refusal", Kind::String) => self.refused |= !cursor.passage()?.span.is_empty(),
            ("content" | "tool_calls" | "function_call" | "audio", Kind::Array | Kind::Object) => {
                // An empty container is as good as none.
                let bytes = cursor.skip()?.len() as u64;
                if bytes > 2 {
                    self.bytes += bytes;
                    self.any = true;
                    self.calls |= matches!(key, "tool_calls" | "function_call");
                }
            }
            _ => drop(cursor.skip()?),
        }
        Ok(())
    }
}

/// Takes a value; `null`, `false`, `{}` and `""` are no error, as the official clients see it.
pub(super) fn truthy(cursor: &mut Cursor<'_>, kind: Kind) -> Result<bool, JsonError> {
    match kind {
        Kind::Null => cursor.skip().map(|_| false),
        Kind::Bool => cursor.boolean(),
        _ => cursor.skip().map(|span| span.len() > 2),
    }
}

/// A `usage` object; `None` when it names neither prompt nor answer.
pub(super) fn usage(cursor: &mut Cursor<'_>) -> Result<Option<Usage>, JsonError> {
    let (mut prompt, mut completion) = (None, None);
    let (mut read, mut written, mut reasoning) = (0, 0, 0);
    cursor.members(|cursor, key| {
        match (key.raw, cursor.kind()?) {
            ("prompt_tokens", Kind::Number) => prompt = cursor.unsigned_or_skip()?,
            ("completion_tokens", Kind::Number) => completion = cursor.unsigned_or_skip()?,
            ("prompt_tokens_details", Kind::Object) => cursor.members(|cursor, key| {
                match key.raw {
                    "cached_tokens" => read = cursor.unsigned_or_skip()?.unwrap_or(0),
                    "cache_write_tokens" => written = cursor.unsigned_or_skip()?.unwrap_or(0),
                    _ => drop(cursor.skip()?),
                }
                Ok::<(), JsonError>(())
            })?,
            ("completion_tokens_details", Kind::Object) => cursor.members(|cursor, key| {
                match key.raw {
                    "reasoning_tokens" => reasoning = cursor.unsigned_or_skip()?.unwrap_or(0),
                    _ => drop(cursor.skip()?),
                }
                Ok::<(), JsonError>(())
            })?,
            _ => drop(cursor.skip()?),
        }
        Ok::<(), JsonError>(())
    })?;
    let known = prompt.is_some() || completion.is_some();
    let usage = Usage::from_totals(prompt.unwrap_or(0), read, written, completion.unwrap_or(0), reasoning);
    Ok(known.then_some(Usage { estimated: prompt.is_none() || completion.is_none(), ..usage }))
}

/// Tokens of an answer by its length: four bytes each, as English text averages (o200k, measured 4.7 with markup less).
pub const fn estimated_tokens(content_bytes: u64) -> u64 {
    content_bytes.div_ceil(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Answer {
        Answer::read(body.as_bytes()).unwrap()
    }

    fn failure(body: &str) -> Option<Failure> {
        read(body).failure().map(|error| error.failure)
    }

    #[test]
    fn an_answer_says_who_answered_and_what_it_used() {
        let answer = read(
            r#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-5.4-2026-03-05","choices":[
                {"index":0,"message":{"role":"assistant","content":"hello","refusal":null},"logprobs":null,"finish_reason":"stop"}],
                "usage":{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120,
                    "prompt_tokens_details":{"cached_tokens":64,"cache_write_tokens":6,"audio_tokens":0},
                    "completion_tokens_details":{"reasoning_tokens":8,"audio_tokens":0}},"service_tier":"default"}"#,
        );
        assert_eq!((answer.id.as_deref(), answer.model.as_deref()), (Some("chatcmpl-1"), Some("gpt-5.4-2026-03-05")));
        assert_eq!(answer.usage, Some(Usage::from_totals(100, 64, 6, 20, 8)));
        assert_eq!((&answer.choices[..], answer.content_bytes), (&[Some(Finish::Stop)][..], 5));
        assert_eq!(answer.failure(), None);
    }

    #[test]
    fn what_is_no_success_has_its_word() {
        let message = |message: &str, finish: &str| {
            format!(r#"{{"choices":[{{"message":{message},"finish_reason":"{finish}"}}]}}"#)
        };
        let cases = [
            (message(r#"{"content":"hi"}"#, "stop"), None),
            (message(r#"{"content":""}"#, "stop"), None),
            (message(r#"{"content":null,"tool_calls":[{"id":"a"}]}"#, "tool_calls"), None),
            (message(r#"{"content":"ha"}"#, "a_new_word"), None),
            (message(r#"{"content":null,"refusal":"I can't"}"#, "stop"), Some(Failure::Refusal)),
            (message(r#"{"content":""}"#, "content_filter"), Some(Failure::ContentFilter)),
            (message(r#"{"content":""}"#, "error"), Some(Failure::ServerError)),
            (r#"{"choices":[]}"#.to_owned(), Some(Failure::ServerError)),
            (r#"{"choices":[{"message":{"content":"hi"},"finish_reason":null}]}"#.to_owned(), Some(Failure::ServerError)),
            ("{}".to_owned(), Some(Failure::ServerError)),
            (r#"{"error":{"message":"x","code":429}}"#.to_owned(), Some(Failure::RateLimit)),
            (r#"{"object":"error","message":"x","code":400}"#.to_owned(), Some(Failure::BadRequest)),
            (r#"{"error":null,"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}"#.to_owned(), None),
            (
                r#"{"choices":[{"message":{},"finish_reason":"content_filter"},{"message":{"content":"b"},"finish_reason":"stop"}]}"#
                    .to_owned(),
                None,
            ),
        ];
        for (body, wanted) in cases {
            assert_eq!(failure(&body), wanted, "{body}");
        }
    }

    #[test]
    fn a_broken_body_is_a_network_failure() {
        for body in ["", "<html>", "[]", r#"{"choices":[{"message":{"content":"he"#, "{} {}"] {
            assert_eq!(Answer::read(body.as_bytes()).unwrap_err().failure, Failure::Network, "{body}");
        }
    }

    #[test]
    fn usage_without_a_side_is_an_estimate() {
        let answer = read(r#"{"choices":[],"usage":{"prompt_tokens":7}}"#);
        assert!(answer.usage.unwrap().estimated);
        assert_eq!(read(r#"{"choices":[],"usage":{}}"#).usage, None);
        assert_eq!(read(r#"{"choices":[],"usage":null}"#).usage, None);
    }
}
