//! What the caller gets when no hop delivered (section 5.2, step 13).
//!
//! In: the degrade steps of a run. Out: one after the other, and at the end the last failure. Must not know: templates' text,
//! caches, queues.

use std::sync::Arc;

use crate::failure::Failure;
use crate::policy::checked::{Degrade, TemplateId};
use crate::units::Millis;

/// The status when nothing stands in.
pub const EXHAUSTED: u16 = 503;

/// One way to answer without a hop. The first that can be carried out is the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StandIn<'a> {
    /// A fixed answer.
    Template(TemplateId),
    /// The last answer to the same request, if there is one this fresh; a miss falls to the next.
    Cached {
        /// Not older than this.
        up_to: Millis,
    },
    /// A ticket for a person; if the queue cannot take it, it falls to the next.
    Queue {
        /// Which queue.
        name: &'a Arc<str>,
        /// How soon a person is expected to answer.
        within: Option<Millis>,
    },
    /// An error of the author's choice.
    Error {
        /// HTTP status.
        status: u16,
        /// For the caller.
        message: Option<&'a str>,
    },
    /// Nothing was declared, or nothing could be carried out: [`EXHAUSTED`] with the last failure.
    Exhausted(Option<Failure>),
}

impl StandIn<'_> {
    /// As `x-wayside-degraded` and logs name the step; `None` for an error that stands for nothing.
    pub const fn word(&self) -> Option<&'static str> {
        match self {
            Self::Template(_) => Some("template"),
            Self::Cached { .. } => Some("cached"),
            Self::Queue { .. } => Some("queue"),
            Self::Error { .. } => Some("error"),
            Self::Exhausted(_) => None,
        }
    }
}

/// The steps in order. Ends with an answer that can always be given.
pub fn stand_ins(steps: &[Degrade], last: Option<Failure>) -> impl Iterator<Item = StandIn<'_>> {
    let declared = steps.iter().map(|step| match step {
        Degrade::Template(template) => StandIn::Template(*template),
        Degrade::Cached { up_to } => StandIn::Cached { up_to: *up_to },
        Degrade::Queue { name, within } => StandIn::Queue { name, within: *within },
        Degrade::Error { status, message } => StandIn::Error { status: *status, message: message.as_deref() },
    });
    declared.chain([StandIn::Exhausted(last)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_come_in_order_and_end_with_the_last_failure() {
        let steps = [Degrade::Cached { up_to: Millis(5) }, Degrade::Error { status: 502, message: Some("no".into()) }];
        let all: Vec<_> = stand_ins(&steps, Some(Failure::Timeout)).collect();
        assert_eq!(all[0], StandIn::Cached { up_to: Millis(5) });
        assert_eq!(all[1], StandIn::Error { status: 502, message: Some("no") });
        assert_eq!(all[2], StandIn::Exhausted(Some(Failure::Timeout)));
        assert_eq!(stand_ins(&[], None).collect::<Vec<_>>(), [StandIn::Exhausted(None)]);
    }
}
