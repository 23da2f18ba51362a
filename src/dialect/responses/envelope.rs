//! The response object, as a whole answer is one and the first and last events of a stream hold one.
//!
//! In: who answers, how it ended, what was said. Out: JSON. Must not know: where an answer comes from.
//!
//! The API repeats much of a request in its answer, and its clients demand some of it: what the caller asked for, or what the API
//! says when nothing was.

use super::echo::{repeat, repeat_with};
use crate::dialect::canonical::{Echo, Finish};
use crate::json::write::{Array, Object, escape, object, on_one_line};
use crate::json::{Quoted, Raw};
use crate::usage::Usage;

/// Who answers.
#[derive(Clone, Debug)]
pub(super) struct Head<'a> {
    pub id: &'a str,
    pub model: &'a str,
    /// Seconds since 1970.
    pub created: u64,
    /// What the request said.
    pub echo: &'a Echo,
}

/// How far a response is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    InProgress,
    Completed,
    /// With its reason.
    Incomplete(&'static str),
    Failed,
}

impl Status {
    /// By its end. A model that declined without a word was filtered, as far as this API can say it.
    pub fn of(finish: Option<Finish>, declined_in_words: bool) -> Self {
        match finish {
            Some(Finish::Stop | Finish::Calls) => Self::Completed,
            Some(Finish::Refused) if declined_in_words => Self::Completed,
            Some(Finish::Length) => Self::Incomplete("max_output_tokens"),
            Some(Finish::Filtered | Finish::Refused) => Self::Incomplete("content_filter"),
            Some(Finish::Error) | None => Self::Failed,
        }
    }

    pub const fn word(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete(_) => "incomplete",
            Self::Failed => "failed",
        }
    }

    /// Of an item that ends with the response.
    pub const fn of_item(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete(_) | Self::Failed => "incomplete",
        }
    }
}

/// One output item.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item<'a> {
    /// What the model says.
    Message(Vec<Said<'a>>),
    /// What it calls.
    Call { id: Quoted<'a>, name: Quoted<'a>, arguments: Quoted<'a> },
}

/// A part of a message.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Said<'a> {
    pub refusal: bool,
    pub text: Quoted<'a>,
    pub logprobs: Option<Raw<'a>>,
}

impl Item<'_> {
    const fn prefix(&self) -> &'static str {
        match self {
            Self::Message(_) => "msg_",
            Self::Call { .. } => "fc_",
        }
    }

    /// Its id, the same wherever it is named.
    pub fn write_id(&self, o: &mut Object<'_>, name: &str, head: &Head<'_>, place: usize) {
        let out = o.member(name);
        out.push(b'"');
        out.extend_from_slice(self.prefix().as_bytes());
        escape(out, head.id);
        out.push(b'_');
        out.extend_from_slice(itoa::Buffer::new().format(place).as_bytes());
        out.push(b'"');
    }

    pub fn write(&self, out: &mut Vec<u8>, head: &Head<'_>, place: usize, status: &str) {
        object(out, |o| {
            self.write_id(o, "id", head, place);
            match self {
                Self::Message(parts) => {
                    o.text("type", "message");
                    o.text("status", status);
                    o.text("role", "assistant");
                    o.array("content", |list| parts.iter().for_each(|part| part.write(list.item())));
                }
                Self::Call { id, name, arguments } => {
                    o.text("type", "function_call");
                    o.text("status", status);
                    o.quoted("call_id", id);
                    o.quoted("name", name);
                    o.quoted("arguments", arguments);
                }
            }
        });
    }
}

impl Said<'_> {
    pub fn write(&self, out: &mut Vec<u8>) {
        object(out, |o| {
            if self.refusal {
                o.text("type", "refusal");
                o.quoted("refusal", &self.text);
            } else {
                o.text("type", "output_text");
                o.quoted("text", &self.text);
                o.array("annotations", |_| {});
                write_logprobs(o, self.logprobs.as_ref());
            }
        });
    }
}

/// How likely the tokens of a text were.
pub(super) fn write_logprobs(o: &mut Object<'_>, logprobs: Option<&Raw<'_>>) {
    match logprobs {
        Some(logprobs) => on_one_line(o.member("logprobs"), logprobs.0.as_bytes()),
        None => o.array("logprobs", |_| {}),
    }
}

/// Writes the object.
pub(super) fn response(
    out: &mut Vec<u8>,
    head: &Head<'_>,
    status: Status,
    usage: Option<Usage>,
    output: impl FnOnce(&mut Array<'_>),
) {
    object(out, |o| {
        o.text("id", &format!("resp_{}", head.id));
        o.text("object", "response");
        o.number("created_at", head.created);
        o.text("status", status.word());
        o.boolean("background", false);
        if status == Status::Failed {
            o.object("error", |o| {
                o.text("code", "server_error");
                o.text("message", "The model failed to answer.");
            });
        } else {
            o.null("error");
        }
        match status {
            Status::Incomplete(reason) => o.object("incomplete_details", |o| o.text("reason", reason)),
            _ => o.null("incomplete_details"),
        }
        asked(o, head.echo, &[("instructions", "null"), ("max_output_tokens", "null"), ("max_tool_calls", "")]);
        o.text("model", head.model);
        o.array("output", output);
        asked(o, head.echo, &[("parallel_tool_calls", "true")]);
        o.null("previous_response_id");
        asked(o, head.echo, &[("prompt_cache_key", "")]);
        repeat_with(o, head.echo, "reasoning", &[("effort", "null"), ("summary", "null")]);
        asked(o, head.echo, &[("safety_identifier", "")]);
        // Nothing is kept, whatever was asked for.
        o.boolean("store", false);
        asked(o, head.echo, &[("temperature", "null")]);
        repeat_with(o, head.echo, "text", &[("format", r#"{"type":"text"}"#)]);
        asked(o, head.echo, &[("tool_choice", r#""auto""#), ("tools", "[]"), ("top_logprobs", ""), ("top_p", "null")]);
        asked(o, head.echo, &[("truncation", r#""disabled""#)]);
        match usage {
            Some(usage) => o.object("usage", |o| write_usage(o, usage)),
            None => o.null("usage"),
        }
        asked(o, head.echo, &[("user", "null"), ("metadata", "{}")]);
    });
}

/// Members as they were asked for, else as the API has them; those that it leaves out then have nothing here.
fn asked(o: &mut Object<'_>, echo: &Echo, members: &[(&str, &str)]) {
    for (name, usual) in members {
        if !repeat(o, echo, name) && !usual.is_empty() {
            o.raw(name, &Raw((*usual).into()));
        }
    }
}

fn write_usage(o: &mut Object<'_>, usage: Usage) {
    o.number("input_tokens", usage.input());
    o.object("input_tokens_details", |o| {
        o.number("cached_tokens", usage.cache_read);
        o.number("cache_write_tokens", usage.cache_write);
    });
    o.number("output_tokens", usage.output);
    o.object("output_tokens_details", |o| o.number("reasoning_tokens", usage.reasoning));
    o.number("total_tokens", usage.total());
}
