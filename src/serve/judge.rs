//! What an answer says about itself, held against the pin.
//!
//! In: whole answers and stream events. Out: the model that answered, usage, what the caller gets, and failures in the words of
//! section 5.3. Must not know: sockets, time.

use bytes::Bytes;

use crate::dialect::chat::output::Output;
use crate::dialect::chat::stream;
use crate::dialect::follow::Follow;
use crate::dialect::sse::Event;
use crate::dialect::upstream_error::UpstreamError;
use crate::dialect::whole::{Summary, Whole};
use crate::failure::Failure;
use crate::usage::Usage;

/// Follows one answer.
pub struct Watch {
    pin: Box<str>,
    said: Said,
    released: bool,
}

enum Said {
    Whole(Box<Summary>),
    Stream(Box<Follow>),
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
    /// For a stream that must come from `pin`.
    pub fn stream(pin: &str, follow: Follow) -> Self {
        Self { pin: pin.into(), said: Said::Stream(Box::new(follow)), released: false }
    }

    /// For a whole answer that must come from `pin`, and what is wrong with it.
    pub fn whole(pin: &str, whole: &Whole<'_>) -> (Self, Option<UpstreamError>) {
        let (summary, error) = whole.summary();
        let watch = Self { pin: pin.into(), said: Said::Whole(Box::new(summary)), released: false };
        let gone = watch.drifted().then(gone);
        (watch, error.or(gone))
    }

    /// One event of a stream, and what the caller gets of it.
    pub fn event(&mut self, event: Event) -> (Verdict, Bytes) {
        let Said::Stream(follow) = &mut self.said else { return (Verdict::Drop, Bytes::new()) };
        let heard = follow.event(event);
        let verdict = match heard.verdict {
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
            return (Verdict::Failed(gone()), Bytes::new());
        }
        (verdict, heard.bytes)
    }

    /// From here on the caller has seen a part of it.
    pub fn release(&mut self) {
        self.released = true;
        if let Said::Stream(follow) = &mut self.said {
            follow.put_off_the_end();
        }
    }

    /// The terminal event was seen. One that declines as well is not [`Verdict::Done`].
    pub fn ended(&self) -> bool {
        matches!(&self.said, Said::Stream(follow) if follow.ended())
    }

    /// The body ended: whether the answer is whole.
    pub fn end(&self) -> Result<(), UpstreamError> {
        match &self.said {
            Said::Stream(follow) if !follow.complete() => {
                Err(UpstreamError::bare(Failure::Network, "the stream ended without a finish reason for every choice"))
            }
            _ => Ok(()),
        }
    }

    /// What ends a complete stream for its caller.
    pub fn closing(&mut self) -> Bytes {
        match &mut self.said {
            Said::Stream(follow) => follow.closing(),
            Said::Whole(_) => Bytes::new(),
        }
    }

    /// What a stream said so far, where it is put together.
    pub fn output(&self) -> Option<&Output> {
        match &self.said {
            Said::Stream(follow) => follow.output(),
            Said::Whole(_) => None,
        }
    }

    /// What a stream said is not needed any more; here it is.
    pub fn take_output(&mut self) -> Option<Output> {
        match &mut self.said {
            Said::Stream(follow) => follow.take_output(),
            Said::Whole(_) => None,
        }
    }

    /// Whether the same answer may be given twice.
    pub fn repeatable(&self) -> bool {
        let whole = match &self.said {
            Said::Whole(summary) => summary.repeatable,
            Said::Stream(follow) => follow.repeatable(),
        };
        whole && !self.drifted()
    }

    /// A whole answer that calls a tool.
    pub fn calls(&self) -> bool {
        matches!(&self.said, Said::Whole(summary) if summary.calls)
    }

    /// Another model than the pin answered. A server that names none is believed, and so is one where nothing says what its pin
    /// is called.
    pub fn drifted(&self) -> bool {
        !self.pin.is_empty() && self.model().is_some_and(|model| !same(&self.pin, model))
    }

    /// The model the answer names.
    pub fn model(&self) -> Option<&str> {
        match &self.said {
            Said::Whole(summary) => summary.model.as_deref(),
            Said::Stream(follow) => follow.model(),
        }
    }

    /// What the provider counted.
    pub fn usage(&self) -> Option<Usage> {
        match &self.said {
            Said::Whole(summary) => summary.usage,
            Said::Stream(follow) => follow.usage(),
        }
    }

    /// Tokens of content so far, by length.
    pub fn content_tokens(&self) -> u64 {
        match &self.said {
            Said::Whole(summary) => summary.content_tokens,
            Said::Stream(follow) => follow.content_tokens(),
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
