//! Tests of a policy (language specification, section 10): from what was written to requests that can be decided and
//! expectations that can be judged.
//!
//! In: a parsed set, its compiled tree, the catalog. Out: [`Tests`], findings R911 to R916, and findings about names. Must not
//! know: how a chain is walked, how results are shown. Nothing here reads a clock: a test says `given now`, or the day is the one
//! that dates are judged on.

mod decided;
mod expect;
mod given;
mod hangs;
mod input;
mod property;
mod read;
mod refused;
mod table;
mod twins;
mod values;

use std::sync::Arc;

use super::checked::{ColumnId, RuleId, SnapshotId, TierId};
use super::diagnostic::Diagnostic;
use super::explain::Asked;
use super::source::Span;
use crate::failure::Failure;
use crate::names::ProviderName;
use crate::units::{Millis, Usd};

pub use self::decided::{Decided, Missing, Otherwise, Prover, Question, Unproven, decided, says};
pub use self::hangs::{Lacks, lacking};
pub use self::input::Input;
pub use self::property::{Claim, Held, PropertyTest, prove};
pub use self::read::{Against, read, unreadable};
pub use self::table::MAX_COMBINATIONS;
pub use self::values::Said;

/// Tests of one set, in page order.
#[derive(Debug, Default)]
pub struct Tests {
    /// One for each test without a table, and one for each row of a table.
    pub cases: Vec<Case>,
    /// What is said of all requests.
    pub properties: Vec<PropertyTest>,
}

/// One request, what is given around it, and what is expected of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// The test's name.
    pub name: Arc<str>,
    /// Row of its table, from 1.
    pub row: Option<usize>,
    /// The test's name, or the row.
    pub span: Span,
    /// What was said about the request and the readings, as pairs of the language of `explain`.
    pub inputs: Vec<Input>,
    /// Inputs for which everything must hold whatever their value (`*`).
    pub any: Vec<Input>,
    /// The request, understood; `None` when it cannot be.
    pub asked: Option<Asked>,
    /// What the providers do.
    pub weather: Vec<Spell>,
    /// What must hold.
    pub expects: Vec<Expectation>,
    /// What keeps it from being run. Such a test is failed.
    pub faults: Vec<Diagnostic>,
    /// Who decides, when it can be run.
    pub rule: Option<RuleId>,
}

/// What one provider or snapshot does for as long as the test lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spell {
    /// Who.
    pub who: Who,
    /// What.
    pub does: Does,
}

/// Of whom a `given` speaks. What is said of a snapshot wins over what is said of its provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Every snapshot of it.
    Provider(ProviderName),
    /// This one.
    Snapshot(SnapshotId),
}

/// How attempts go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Does {
    /// One failure for each attempt; the last repeats. `down` is `network`, `slow` is `timeout`.
    Fails(Vec<Failure>),
    /// An answer that breaks off behind so many tokens.
    Cuts(u64),
}

/// One `expect`, or one output cell of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// The statement, or the cell.
    pub span: Span,
    /// What.
    pub what: Expect,
}

/// The forms of section 10.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// `rule N`, `otherwise`
    Rule(RuleId),
    /// `reject 421`
    Reject(u16),
    /// `tier T`: the promise.
    Tier(TierId),
    /// `not tier T`: neither the promise nor any hop.
    NotTier(TierId),
    /// `snapshot M`: the first hop.
    Snapshot(SnapshotId),
    /// `chain [..]`: all hops, then the word of the first degrade step.
    Chain(Vec<SnapshotId>, Option<&'static str>),
    /// `skips M`: it stands in the rule's chain, and this request does not get it.
    Skips(SnapshotId),
    /// `served by M`
    Served(SnapshotId),
    /// `degrade queue N`
    Degrade(Step),
    /// `cut`
    Cut,
    /// `cache exact`, `cache semantic`, `cache none`
    Cache(&'static str),
    /// `reads [..]`: these readings and classifiers, and no others.
    Reads(Vec<ColumnId>),
    /// `cost <= $X`
    Cost(Usd),
    /// `time <= D`
    Time(Millis),
}

/// A step of the degraded path, as far as a test names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// `template`, `cached`, `queue` or `error`.
    pub word: &'static str,
    /// The template's or the queue's name, or the status of an error; `None` for any.
    pub name: Option<Arc<str>>,
}

impl Expect {
    /// The first words of the form, as results name it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Rule(_) => "rule",
            Self::Reject(_) => "reject",
            Self::Tier(_) => "tier",
            Self::NotTier(_) => "not tier",
            Self::Snapshot(_) => "snapshot",
            Self::Chain(..) => "chain",
            Self::Skips(_) => "skips",
            Self::Served(_) => "served by",
            Self::Degrade(_) => "degrade",
            Self::Cut => "cut",
            Self::Cache(_) => "cache",
            Self::Reads(_) => "reads",
            Self::Cost(_) => "cost",
            Self::Time(_) => "time",
        }
    }

    /// Whether the rule that decides settles it, so that the chain need not be planned.
    pub const fn of_the_rule(&self) -> bool {
        matches!(self, Self::Rule(_) | Self::Reject(_) | Self::Reads(_))
    }

    /// Whether the chain must be walked.
    pub const fn of_the_walk(&self) -> bool {
        matches!(self, Self::Served(_) | Self::Degrade(_) | Self::Cut | Self::Time(_))
    }
}
