//! A chain walked on a virtual clock, with providers that do as they are told.
//!
//! In: a planned run, and how each attempt goes. Out: what the caller gets, when, and what was tried. Must not know: policies'
//! text, sockets, real time. What to do next is asked of [`Chain`], as `serve` asks it.
//!
//! Bounds hold: an answer takes as long as its attempt may, a slow provider its whole limit, a wait its longest. Every other
//! failure comes at once.

use crate::chain::{Attempt, Chain, Start, Step};
use crate::failure::Failure;
use crate::policy::bounds;
use crate::policy::checked::{Hold, SnapshotId};
use crate::policy::plan::Run;
use crate::units::Millis;

/// Attempts of one walk: more than any policy can ask for. Each may fail at once, and on a virtual clock nothing else would end a
/// chain that goes on.
pub const MAX_ATTEMPTS: usize = 10_000;

/// How one attempt goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goes {
    /// A whole answer.
    Well,
    /// This failure.
    Fails(Failure),
    /// An answer that breaks off behind so many tokens.
    Cuts(u64),
}

/// What the caller gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The answer of this snapshot.
    Served(SnapshotId),
    /// A released stream of this snapshot that broke.
    Cut(SnapshotId),
    /// What this snapshot's provider said: a refusal, a filter's verdict, the caller's own mistake.
    Returned(SnapshotId, Failure),
    /// No hop delivered; the first degrade step that can be carried out.
    Degraded(Option<Failure>),
    /// More than [`MAX_ATTEMPTS`].
    Endless,
}

/// One walk.
#[derive(Clone, Debug)]
pub struct Walked {
    /// How it ended.
    pub ending: Ending,
    /// When, since admission.
    pub elapsed: Millis,
    /// What was tried, in order.
    pub attempts: Vec<Attempt>,
    /// Hops that were passed over while walking.
    pub skipped: Vec<SnapshotId>,
}

/// Walks a run from its first hop to an answer.
pub fn walk(run: Run, streaming: bool, mut goes: impl FnMut(SnapshotId) -> Goes) -> Walked {
    let hold = run.hold;
    let mut chain = Chain::unlucky(run, streaming);
    let mut now = Millis(0);
    let mut broken = None;
    let ending = loop {
        if chain.record().attempts.len() > MAX_ATTEMPTS {
            break Ending::Endless;
        }
        match chain.next(now) {
            Step::Wait { until } => now = until,
            // A released stream that nothing resumed.
            Step::Return { .. } | Step::Degrade { .. } if broken.is_some() => {
                break broken.map_or(Ending::Degraded(None), Ending::Cut);
            }
            Step::Return { failure } => {
                let last = chain.record().attempts.last().map(|attempt| attempt.snapshot);
                break last.map_or(Ending::Degraded(Some(failure)), |last| Ending::Returned(last, failure));
            }
            Step::Degrade { last } => break Ending::Degraded(last),
            Step::Attempt(start) => {
                let Some(snapshot) = chain.run().hops.get(start.hop).map(|hop| hop.snapshot) else {
                    break Ending::Degraded(None);
                };
                match goes(snapshot) {
                    Goes::Well => {
                        now += until_release(start, hold);
                        chain.released(now);
                        chain.completed(now);
                        break Ending::Served(snapshot);
                    }
                    Goes::Fails(failure) => {
                        if failure == Failure::Timeout {
                            now += until_release(start, hold);
                        }
                        chain.failed(now, failure, None);
                    }
                    Goes::Cuts(tokens) if streaming && released(hold, tokens) => {
                        now += until_release(start, hold);
                        chain.released(now);
                        broken = Some(snapshot);
                        if !chain.cut(now, Failure::Network) {
                            break Ending::Cut(snapshot);
                        }
                    }
                    Goes::Cuts(_) => chain.failed(now, Failure::Network, None),
                }
            }
        }
    };
    let record = chain.record();
    Walked {
        ending,
        elapsed: now,
        attempts: record.attempts.to_vec(),
        skipped: record.skipped.iter().map(|skipped| skipped.snapshot).collect(),
    }
}

/// The longest an attempt can take until it delivers or is given up.
fn until_release(start: Start, hold: Hold) -> Millis {
    bounds::until_release(start.limits.attempt, start.limits.first_token, hold)
}

/// Whether a stream of so many tokens was released before it broke.
const fn released(hold: Hold, tokens: u64) -> bool {
    match hold {
        Hold::FirstToken => tokens > 0,
        Hold::Tokens(wanted) => tokens > 0 && tokens >= wanted,
        Hold::Complete => false,
    }
}
