//! An answer in nobody's words.
//!
//! In: a dialect's own reader. Out: a dialect's own writer. Must not know: any provider's fields.

use super::{Delta, Echo, Part};
use crate::dialect::upstream_error::UpstreamError;
use crate::failure::Failure;
use crate::json::{Quoted, Raw};
use crate::usage::Usage;

/// A complete answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Completion<'a> {
    /// The provider's id.
    pub id: Option<Quoted<'a>>,
    /// The model that answered, as it names itself.
    pub model: Option<Quoted<'a>>,
    /// Text, calls, refusals and thinking, in order.
    pub parts: Vec<Part<'a>>,
    /// How likely the tokens of its text were: an array, as OpenAI's APIs have it.
    pub logprobs: Option<Raw<'a>>,
    /// Why it ended; `None` when it did not.
    pub finish: Option<Finish>,
    /// The text that ended it, where the provider says.
    pub stop_sequence: Option<Quoted<'a>>,
    /// What it used, if the provider says.
    pub usage: Option<Usage>,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The model was done, or met a text that ends it.
    Stop,
    /// The cap or the window is used up.
    Length,
    /// The model calls functions.
    Calls,
    /// The provider's filter cut it.
    Filtered,
    /// The model declined.
    Refused,
    /// The model failed.
    Error,
}

impl Completion<'_> {
    /// What is wrong with it, in the words of section 5.3 of the language specification.
    pub fn failure(&self) -> Option<UpstreamError> {
        let bare = |failure, words| Some(UpstreamError::bare(failure, words));
        match self.finish {
            None => bare(Failure::ServerError, "the answer does not say why it ended"),
            Some(Finish::Error) => bare(Failure::ServerError, "the model failed"),
            Some(Finish::Filtered) => bare(Failure::ContentFilter, "the provider's filter took the answer"),
            Some(Finish::Refused) => bare(Failure::Refusal, "the model declined"),
            Some(_) if self.parts.iter().any(|part| matches!(part, Part::Refusal(_))) => {
                bare(Failure::Refusal, "the message is a refusal")
            }
            Some(Finish::Stop | Finish::Length | Finish::Calls) => None,
        }
    }

    /// As the pieces of a stream, in the order a stream has them.
    pub fn deltas(&self, mut sink: impl FnMut(Delta<'_>)) {
        sink(Delta::Start { id: self.id.clone(), model: self.model.clone() });
        let mut index = 0;
        if let Some(logprobs) = &self.logprobs {
            sink(Delta::Logprobs(logprobs.clone()));
        }
        for part in &self.parts {
            match part {
                Part::Text(text) => sink(Delta::Text(text.clone())),
                Part::Thinking(text) => sink(Delta::Thinking(text.clone())),
                Part::Refusal(text) => sink(Delta::Refusal(text.clone())),
                Part::Call(call) => {
                    sink(Delta::Call { index, id: call.id.clone(), name: call.name.clone() });
                    sink(Delta::Arguments { index, piece: Quoted::of(&call.arguments.0) });
                    index += 1;
                }
                Part::Media(_) | Part::Result(_) => {}
            }
        }
        if let Some(usage) = self.usage {
            sink(Delta::Usage(usage));
        }
        if let Some(reason) = self.finish {
            sink(Delta::Finish { reason, stop_sequence: self.stop_sequence.clone() });
        }
        sink(Delta::End);
    }

    /// It calls a function.
    pub fn calls(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Call(_)))
    }

    /// Bytes of content, for an estimate of the tokens where `usage` is missing.
    pub fn content_bytes(&self) -> u64 {
        let bytes = |part: &Part<'_>| match part {
            Part::Text(text) | Part::Refusal(text) | Part::Thinking(text) => text.written().len(),
            Part::Call(call) => call.name.written().len() + call.arguments.0.len(),
            Part::Media(_) | Part::Result(_) => 0,
        };
        self.parts.iter().map(bytes).sum::<usize>() as u64
    }
}

/// What a writer puts around an answer.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// Unique; a writer puts its dialect's prefix in front.
    pub id: &'a str,
    /// The model that answered.
    pub model: &'a str,
    /// Seconds since 1970.
    pub created: u64,
    /// The stream is to say what it used, where the dialect leaves that to the caller.
    pub include_usage: bool,
    /// What the request said, where the dialect repeats it.
    pub echo: Option<&'a Echo>,
}
