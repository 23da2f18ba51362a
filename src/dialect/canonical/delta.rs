//! A stream in nobody's words, and what it says in total.
//!
//! In: a dialect's stream reader. Out: a dialect's stream writer; a judgment. Must not know: framing, time.
//!
//! One event of a provider is any number of deltas, in this order of the stream: `Start`, then content, then `Finish`, then `End`.
//! `Usage` is cumulative and may come anywhere after `Start`; the last one counts.

use super::Finish;
use crate::dialect::upstream_error::UpstreamError;
use crate::json::{Quoted, Raw};
use crate::usage::Usage;

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Delta<'a> {
    /// The first: who answers.
    Start {
        /// The provider's id.
        id: Option<Quoted<'a>>,
        /// The model, as it names itself.
        model: Option<Quoted<'a>>,
    },
    /// How likely the tokens of the text that comes next were: an array, as OpenAI's APIs have it.
    Logprobs(Raw<'a>),
    /// More text.
    Text(Quoted<'a>),
    /// More thinking.
    Thinking(Quoted<'a>),
    /// More of a refusal.
    Refusal(Quoted<'a>),
    /// A call begins. Calls are numbered from 0 in the order they begin.
    Call {
        /// Its number.
        index: u32,
        /// Pairs it with its result; empty where the provider gives none.
        id: Quoted<'a>,
        /// The function.
        name: Quoted<'a>,
    },
    /// More of a call's arguments: a piece of JSON text, as the inside of a JSON string. Pieces of different calls may alternate.
    Arguments {
        /// Of this call.
        index: u32,
        /// The piece.
        piece: Quoted<'a>,
    },
    /// What was used so far.
    Usage(Usage),
    /// Why the answer ended.
    Finish {
        /// The reason.
        reason: Finish,
        /// The text that ended it, where the provider says.
        stop_sequence: Option<Quoted<'a>>,
    },
    /// The provider's terminal event.
    End,
    /// An error in place of an answer.
    Failed(Box<UpstreamError>),
}

/// What the deltas of one stream say in total.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judge {
    id: Option<Box<str>>,
    model: Option<Box<str>>,
    usage: Option<Usage>,
    finish: Option<Finish>,
    content_bytes: u64,
    once: bool,
    ended: bool,
}

impl Judge {
    /// Takes one.
    pub fn take(&mut self, delta: &Delta<'_>) {
        match delta {
            Delta::Start { id, model } => {
                let some = |text: &Option<Quoted<'_>>| {
                    text.as_ref().filter(|text| !text.is_empty()).map(|text| text.decode().into())
                };
                self.id = self.id.take().or_else(|| some(id));
                self.model = self.model.take().or_else(|| some(model));
            }
            Delta::Text(text) | Delta::Thinking(text) => self.content_bytes += text.written().len() as u64,
            Delta::Refusal(text) => {
                self.content_bytes += text.written().len() as u64;
                self.once = true;
            }
            Delta::Call { name, .. } => {
                self.content_bytes += name.written().len() as u64;
                self.once = true;
            }
            Delta::Arguments { piece, .. } => self.content_bytes += piece.written().len() as u64,
            Delta::Usage(usage) => self.usage = Some(*usage),
            Delta::Finish { reason, .. } => {
                self.finish = Some(*reason);
                self.once |= matches!(reason, Finish::Filtered | Finish::Refused | Finish::Error | Finish::Calls);
            }
            Delta::End => self.ended = true,
            Delta::Failed(_) | Delta::Logprobs(_) => {}
        }
    }

    /// The answer is whole: it says why it ended.
    pub const fn complete(&self) -> bool {
        self.finish.is_some()
    }

    /// Whether the same answer may be given twice: it is whole, was not declined and calls nothing.
    pub const fn repeatable(&self) -> bool {
        self.complete() && !self.once
    }

    /// The terminal event was seen.
    pub const fn ended(&self) -> bool {
        self.ended
    }

    /// The provider's id.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The model that answers, as it names itself.
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// The last that was said about it.
    pub const fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// Bytes of content so far.
    pub const fn content_bytes(&self) -> u64 {
        self.content_bytes
    }
}
