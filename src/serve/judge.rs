//! What an answer says about itself, held against the pin.
//!
//! In: whole answers and stream events. Out: the model that answered, usage, and failures in the words of section 5.3. Must not
//! know: sockets, time.

use crate::dialect::chat::answer::{self, Answer};
use crate::dialect::chat::stream::{self, StreamJudge};
use crate::dialect::sse::Event;
use crate::dialect::upstream_error::UpstreamError;
use crate::failure::Failure;
use crate::usage::Usage;

/// Follows one answer.
pub struct Watch {
    pin: Box<str>,
    said: Said,
    released: bool,
}

enum Said {
    Whole(Box<Answer>),
    Stream(Box<StreamJudge>),
}

/// What one event means for the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A part of the answer; it releases a held stream.
    Content,
    /// A refusal or a filter's verdict: an answer, unless the policy moves on for it.
    Declined(Failure),
    /// Passed on, and nothing of the answer yet.
    Quiet,
    /// Not passed on: comments, events without data, what is not JSON.
    Drop,
    /// The last event.
    Done,
    /// A failure.
    Failed(UpstreamError),
}

impl Watch {
    /// For a stream of `choices` answers that must come from `pin`.
    pub fn stream(pin: &str, choices: u64) -> Self {
        Self { pin: pin.into(), said: Said::Stream(Box::new(StreamJudge::new(choices))), released: false }
    }

    /// For a whole answer that must come from `pin`, and what is wrong with it.
    pub fn whole(pin: &str, body: &[u8]) -> (Self, Option<UpstreamError>) {
        let (answer, error) = match Answer::read(body) {
            Ok(answer) => {
                let error = answer.failure();
                (answer, error)
            }
            Err(error) => (Answer::default(), Some(error)),
        };
        let watch = Self { pin: pin.into(), said: Said::Whole(Box::new(answer)), released: false };
        let gone = watch.drifted().then(gone);
        (watch, error.or(gone))
    }

    /// One event of a stream.
    pub fn event(&mut self, event: &Event) -> Verdict {
        let Said::Stream(judge) = &mut self.said else { return Verdict::Drop };
        let Some(data) = event.data() else { return Verdict::Drop };
        let verdict = match judge.event(data) {
            stream::Verdict::Quiet => Verdict::Quiet,
            stream::Verdict::Content | stream::Verdict::Finish => Verdict::Content,
            stream::Verdict::Declined(failure) => Verdict::Declined(failure),
            stream::Verdict::Malformed => Verdict::Drop,
            stream::Verdict::Failed(error) => Verdict::Failed(*error),
            stream::Verdict::Done => match self.end() {
                Ok(()) => Verdict::Done,
                Err(error) => Verdict::Failed(error),
            },
        };
        // Before release a wrong model is a failure like any other; after it, the record says so.
        if !self.released
            && matches!(verdict, Verdict::Content | Verdict::Quiet | Verdict::Declined(_))
            && self.drifted()
        {
            return Verdict::Failed(gone());
        }
        verdict
    }

    /// From here on the caller has seen a part of it.
    pub fn release(&mut self) {
        self.released = true;
    }

    /// The body ended: whether the answer is whole.
    pub fn end(&self) -> Result<(), UpstreamError> {
        match &self.said {
            Said::Stream(judge) if !judge.complete() => {
                Err(UpstreamError::bare(Failure::Network, "the stream ended without a finish reason for every choice"))
            }
            _ => Ok(()),
        }
    }

    /// Whether the same answer may be given twice.
    pub fn repeatable(&self) -> bool {
        let whole = match &self.said {
            Said::Whole(answer) => answer.repeatable(),
            Said::Stream(judge) => judge.repeatable(),
        };
        whole && !self.drifted()
    }

    /// A whole answer that calls a tool.
    pub fn calls(&self) -> bool {
        matches!(&self.said, Said::Whole(answer) if answer.calls)
    }

    /// Another model than the pin answered. A server that names none is believed.
    pub fn drifted(&self) -> bool {
        self.model().is_some_and(|model| !same(&self.pin, model))
    }

    /// The model the answer names.
    pub fn model(&self) -> Option<&str> {
        match &self.said {
            Said::Whole(answer) => answer.model.as_deref(),
            Said::Stream(judge) => judge.model(),
        }
    }

    /// What the provider counted.
    pub fn usage(&self) -> Option<Usage> {
        match &self.said {
            Said::Whole(answer) => answer.usage,
            Said::Stream(judge) => judge.usage(),
        }
    }

    /// Tokens of content so far, by length.
    pub fn content_tokens(&self) -> u64 {
        match &self.said {
            Said::Whole(answer) => answer::estimated_tokens(answer.content_bytes),
            Said::Stream(judge) => judge.content_tokens(),
        }
    }
}

/// Whether an answer's model field names the pin. Some servers put a collection in front of the id (`models/…`), or leave
/// out the part that the id has in front (`openai/gpt-oss-120b`).
fn same(pin: &str, served: &str) -> bool {
    let tail = |long: &str, short: &str| long.strip_suffix(short).is_some_and(|front| front.ends_with('/'));
    pin.eq_ignore_ascii_case(served) || tail(served, pin) || tail(pin, served)
}

fn gone() -> UpstreamError {
    UpstreamError::bare(Failure::ModelGone, "the answer names another model than the one that was asked for")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_is_not_its_snapshot_and_a_collection_is_no_other_model() {
        assert!(same("gpt-5.4-2026-03-05", "gpt-5.4-2026-03-05"));
        assert!(same("gemini-2.5-pro", "models/gemini-2.5-pro"));
        assert!(same("openai/gpt-oss-120b", "gpt-oss-120b"));
        assert!(!same("gpt-5.4-2026-03-05", "gpt-5.4"));
        assert!(!same("gpt-5.4", "gpt-5.4-2026-03-05"));
        assert!(!same("b", "ab"));
    }
}
