//! Everything that moves beside the rules, the columns only it looks at, and the smallest of it: switches, signals, metrics,
//! queues (sections 3.5, 4.3, 4.4, 6.6).
//!
//! In: [`super::super::resolve`] builds it. Out: conditions point into its tables. Must not know: states; those are readings.

use std::sync::Arc;

use super::{
    Budget, Checked, Classifier, Column, ColumnId, Cond, Drill, Guarantee, Guard, Implication, Judge, MetricId,
    Rollout, RolloutId, SnapshotId,
};
use crate::names::ProviderName;
use crate::policy::source::{Span, Spanned};
use crate::units::{Millis, Share};

/// What moves beside the rules, each in the order of declaration.
#[derive(Clone, Debug, Default)]
pub struct Moving {
    /// Declared budgets.
    pub budgets: Vec<Budget>,
    /// Declared switches.
    pub switches: Vec<Switch>,
    /// Declared signals.
    pub signals: Vec<Signal>,
    /// Declared classifiers.
    pub classifiers: Vec<Classifier>,
    /// Metrics that some condition looks at, or a `hedge after p95`.
    pub metrics: Vec<Metric>,
    /// Declared judges.
    pub judges: Vec<Judge>,
    /// Declared guards.
    pub guards: Vec<Guard>,
    /// Declared rollouts.
    pub rollouts: Vec<Rollout>,
    /// Declared drills.
    pub drills: Vec<Drill>,
    /// Declared guarantees.
    pub guarantees: Vec<Guarantee>,
}

impl Moving {
    /// Every condition of a moving part, in the order of [`Moving`]'s tables.
    pub fn conditions(&self) -> impl Iterator<Item = &Clause> {
        let budgets = self.budgets.iter().filter_map(|one| one.covers.as_ref());
        let signals = self.signals.iter().flat_map(|one| [&one.on, &one.off]).flatten();
        let rollouts = self.rollouts.iter().flat_map(|one| [&one.within, &one.halt]).flatten();
        let drills = self.drills.iter().filter_map(|one| one.within.as_ref());
        let guarantees = self.guarantees.iter().filter_map(|one| one.over.as_ref());
        budgets.chain(signals).chain(rollouts).chain(drills).chain(guarantees)
    }

    /// The metric of how long a snapshot takes.
    pub fn p95_of(&self, snapshot: SnapshotId) -> Option<MetricId> {
        let wanted = Metric { observed: Observed::P95, of: MetricOf::Snapshot(snapshot) };
        self.metrics.iter().position(|known| *known == wanted).map(|at| MetricId(at as u16))
    }
}

/// A condition of a moving part, with the place of the whole clause. Its columns are those of [`Checked::columns`], then those of
/// [`Beside::columns`]: column `n` is `columns[n]`, or `beside.columns[n - columns.len()]`.
pub type Clause = Spanned<Cond>;

/// What conditions of moving parts look at and no rule does.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// Their ids follow those of [`Checked::columns`].
    pub columns: Vec<Column>,
    /// Facts that hold between all columns, without those of [`Checked::implications`].
    pub implications: Vec<Implication>,
}

impl Checked {
    /// A column by id, of rules or of moving parts.
    pub fn column(&self, id: ColumnId) -> Option<&Column> {
        let beside = id.index().checked_sub(self.columns.len());
        beside.map_or_else(|| self.columns.get(id.index()), |at| self.beside.columns.get(at))
    }

    /// The policy with the columns of moving parts among its own, so that their conditions can be asked about. For analysis: a
    /// tree of it would read more than any rule needs.
    #[must_use]
    pub fn widened(&self) -> Self {
        let mut wide = self.clone();
        let Beside { columns, implications } = std::mem::take(&mut wide.beside);
        wide.columns.extend(columns);
        wide.implications.extend(implications);
        wide
    }

    /// A metric as conditions, witnesses and log lines write it: `p95 of anthropic/claude-sonnet-5`.
    pub fn metric_name(&self, id: MetricId) -> String {
        let Metric { observed, of } = &self.moving.metrics[id.index()];
        let word = observed.word();
        match of {
            MetricOf::Snapshot(id) => format!("{word} of {}", self.snapshots[id.index()].model),
            MetricOf::Provider(name) => format!("{word} of {name}"),
            MetricOf::Rollout(id) => format!("{word} of rollout {}", self.moving.rollouts[id.index()].name),
        }
    }

    /// A queue by name.
    pub fn queue(&self, name: &str) -> Option<&Queue> {
        self.queues.iter().find(|queue| *queue.name == *name)
    }
}

/// A switch.
#[derive(Clone, Debug)]
pub struct Switch {
    /// Its name.
    pub name: Arc<str>,
    /// Where it stands until somebody flips it.
    pub default: bool,
    /// Who may be asked about it.
    pub owner: Option<Arc<str>>,
    /// The name, where it is declared.
    pub span: Span,
    /// The whole declaration.
    pub whole: Span,
}

/// A boolean with hysteresis over metrics.
#[derive(Clone, Debug)]
pub struct Signal {
    /// Its name.
    pub name: Arc<str>,
    /// The name, where it is declared.
    pub span: Span,
    /// The whole declaration.
    pub whole: Span,
    /// What turns it on; `None` after a finding.
    pub on: Option<Clause>,
    /// For how long that must hold.
    pub on_after: Millis,
    /// What turns it off; `None` after a finding.
    pub off: Option<Clause>,
    /// For how long that must hold.
    pub off_after: Millis,
    /// The part of the avoided traffic that still goes to what it watches.
    pub probe: Option<Spanned<Share>>,
}

impl Signal {
    /// `on after`, where nothing is written.
    pub const ON_AFTER: Millis = Millis::secs(60);
    /// `off after`, where nothing is written.
    pub const OFF_AFTER: Millis = Millis::secs(300);
}

/// The value of a metric that has too few samples.
pub const UNKNOWN: u64 = Metric::MOST + 1;

/// Something measured, that conditions compare with numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metric {
    /// What is measured.
    pub observed: Observed,
    /// Of what.
    pub of: MetricOf,
}

impl Metric {
    /// More than any metric measures: a percentile is at most the longest duration, ten years.
    pub const MOST: u64 = 3650 * 86_400_000;
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Observed {
    /// `p95`: milliseconds to the first content event of streams, to the complete answer otherwise.
    P95,
    /// `errors`: the failed part of all attempts, in ten-thousandths.
    Errors,
    /// `score`: what judges and people think of a rollout's answers, in ten-thousandths of the old snapshot's.
    Score,
}

impl Observed {
    /// As a policy writes it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::P95 => "p95",
            Self::Errors => "errors",
            Self::Score => "score",
        }
    }

    /// What its numbers count.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::P95 => "milliseconds",
            Self::Errors | Self::Score => "ten-thousandths",
        }
    }

    /// The largest value it can have.
    pub const fn most(self) -> u64 {
        match self {
            Self::P95 => Metric::MOST,
            Self::Errors => 10_000,
            // The new answers can be better than the old ones: twice as good at most, since a pair's best score is 1 of 0.5.
            Self::Score => 20_000,
        }
    }
}

/// What is measured of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetricOf {
    /// One snapshot.
    Snapshot(SnapshotId),
    /// All snapshots of a provider.
    Provider(ProviderName),
    /// Answers of a rollout's new snapshot that it put in front.
    Rollout(RolloutId),
}

/// A place where people pick work up.
#[derive(Clone, Debug)]
pub struct Queue {
    /// Its name.
    pub name: Arc<str>,
    /// The name, where it is declared.
    pub span: Span,
    /// Minutes of the week at which somebody is there, in the policy's timezone: half-open, sorted, disjoint.
    pub staffed: Vec<(u64, u64)>,
    /// The `staffed` statement; `None` without one: then somebody is always there.
    pub staffed_span: Option<Span>,
}
