//! Guarantees: what must hold of every request of an area (section 6.8).
//!
//! In: [`super::super::resolve`] builds them. Out: analysis proves them, planning filters with them. Must not know: how either is
//! done. A property of a test is made of the same clauses.

use std::sync::Arc;

use super::{Clause, GuardId, SnapshotId, TierId};
use crate::names::ProviderName;
use crate::policy::source::{Span, Spanned};
use crate::units::{Millis, Usd};

/// A declared guarantee.
#[derive(Clone, Debug)]
pub struct Guarantee {
    /// Its name.
    pub name: Arc<str>,
    /// The name, where it is declared.
    pub span: Span,
    /// The whole declaration.
    pub whole: Span,
    /// For which requests; every one without it.
    pub over: Option<Clause>,
    /// What holds of each of them, with each clause's place.
    pub clauses: Vec<Spanned<Held>>,
}

/// A clause of a guarantee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// `every hop in region [..]`
    HopsInRegion(Vec<Arc<str>>),
    /// `every hop has retention zero`
    HopsHaveZeroRetention,
    /// `never tier [..]`
    NeverTier(Vec<TierId>),
    /// `never snapshot M`
    NeverSnapshot(Vec<SnapshotId>),
    /// `never provider P`
    NeverProvider(Vec<ProviderName>),
    /// `providers >= N`: hops of at least that many, each able to serve the request.
    Providers { at_least: u64 },
    /// `ends in queue`; a `reject` satisfies every ending.
    EndsIn(Vec<Ending>),
    /// `worst_cost <= $X`
    WorstCost(Usd),
    /// `worst_time <= D`
    WorstTime(Millis),
    /// `never cached`
    NeverCached,
    /// `guard NAME`
    Guarded(GuardId),
    /// `same family`
    SameFamily,
}

/// How a chain that delivered nothing ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// `queue`
    Queue,
    /// `template`
    Template,
    /// `cached`
    Cached,
    /// `reject`
    Reject,
}

impl Ending {
    /// Every ending.
    pub const ALL: [Self; 4] = [Self::Queue, Self::Template, Self::Cached, Self::Reject];

    /// As a policy writes it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Template => "template",
            Self::Cached => "cached",
            Self::Reject => "reject",
        }
    }
}
