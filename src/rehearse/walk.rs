//! A chain walked on a virtual clock, with providers that do as they are told.
//!
//! In: a planned run, and how each attempt goes. Out: what the caller gets, when, and what was tried. Must not know: policies'
//! text, sockets, real time. What to do next is asked of [`Chain`], as `serve` asks it.
//!
//! Bounds hold: an answer takes as long as its attempt may, a slow provider its whole limit, a wait its longest. Every other
//! failure comes at once. A provider that goes well is quick enough that nothing is started beside it; what hedges is a slow one.

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
pub fn walk(run: Run, streaming: bool, goes: impl FnMut(SnapshotId) -> Goes) -> Walked {
    let chain = Chain::unlucky(run, streaming);
    let mut walk = Walk { chain, goes, now: Millis(0), flying: Vec::new(), broken: None };
    let ending = walk.walk_out();
    let record = walk.chain.record();
    Walked {
        ending,
        elapsed: walk.now,
        attempts: record.attempts.to_vec(),
        skipped: record.skipped.iter().map(|skipped| skipped.snapshot).collect(),
    }
}

struct Walk<F> {
    chain: Chain,
    goes: F,
    now: Millis,
    flying: Vec<Flight>,
    /// Whose released stream broke.
    broken: Option<SnapshotId>,
}

/// An attempt in flight, and what is known to become of it.
#[derive(Clone, Copy)]
struct Flight {
    hop: usize,
    snapshot: SnapshotId,
    ends: Millis,
    how: How,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Whole,
    /// Released, then broken.
    Cut,
    Failed(Failure),
}

impl<F: FnMut(SnapshotId) -> Goes> Walk<F> {
    fn walk_out(&mut self) -> Ending {
        loop {
            if self.chain.record().attempts.len() > MAX_ATTEMPTS {
                return Ending::Endless;
            }
            match self.chain.next(self.now) {
                Step::Wait { until } => self.now = until,
                // A released stream that nothing resumed.
                Step::Return { .. } | Step::Degrade { .. } if self.broken.is_some() => {
                    return self.broken.map_or(Ending::Degraded(None), Ending::Cut);
                }
                Step::Return { failure, hop } => {
                    let said = self.chain.run().hops.get(hop).map(|hop| hop.snapshot);
                    return said.map_or(Ending::Degraded(Some(failure)), |said| Ending::Returned(said, failure));
                }
                Step::Degrade { last } => return Ending::Degraded(last),
                Step::Attempt(start) => self.launch(start),
                Step::Await { hedge } => {
                    if let Some(ending) = self.await_one(hedge) {
                        return ending;
                    }
                }
            }
        }
    }

    fn launch(&mut self, start: Start) {
        let Some(snapshot) = self.chain.run().hops.get(start.hop).map(|hop| hop.snapshot) else { return };
        let (run, limits) = (self.chain.run(), start.limits);
        let limit = bounds::until_release(limits.attempt, limits.first_token, run.hold);
        let streaming = self.chain.is_streaming();
        let (took, how) = match (self.goes)(snapshot) {
            Goes::Well => (limit, How::Whole),
            Goes::Fails(Failure::Timeout) => (limit, How::Failed(Failure::Timeout)),
            Goes::Fails(failure) => (Millis(0), How::Failed(failure)),
            Goes::Cuts(tokens) if streaming && released(self.chain.run().hold, tokens) => (limit, How::Cut),
            Goes::Cuts(_) => (Millis(0), How::Failed(Failure::Network)),
        };
        self.flying.push(Flight { hop: start.hop, snapshot, ends: self.now + took, how });
    }

    /// Until the first attempt in flight ends, or one is to be started beside them.
    fn await_one(&mut self, hedge: Option<Millis>) -> Option<Ending> {
        let first = self.flying.iter().enumerate().min_by_key(|(_, flight)| flight.ends).map(|(at, _)| at);
        let Some(first) = first else { return Some(Ending::Degraded(None)) };
        let well = self.flying.iter().any(|flight| !matches!(flight.how, How::Failed(_)));
        if let Some(due) = hedge.filter(|due| !well && *due < self.flying[first].ends) {
            self.now = self.now.max(due);
            if let Some(start) = self.chain.hedge(self.now) {
                self.launch(start);
            }
            return None;
        }
        let Flight { hop, snapshot, ends, how } = self.flying.remove(first);
        self.now = self.now.max(ends);
        if let How::Failed(failure) = how {
            self.chain.failed(self.now, hop, failure, None);
            return None;
        }
        self.flying.clear();
        self.chain.delivered(self.now, hop);
        self.chain.released(self.now);
        if how == How::Whole {
            self.chain.completed(self.now);
            return Some(Ending::Served(snapshot));
        }
        self.broken = Some(snapshot);
        (!self.chain.cut(self.now, Failure::Network)).then_some(Ending::Cut(snapshot))
    }
}

/// Whether a stream of so many tokens was released before it broke.
const fn released(hold: Hold, tokens: u64) -> bool {
    match hold {
        Hold::FirstToken => tokens > 0,
        Hold::Tokens(wanted) => tokens > 0 && tokens >= wanted,
        Hold::Complete => false,
    }
}
