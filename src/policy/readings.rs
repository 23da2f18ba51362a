//! What memory and the clock say, copied once per decision.
//!
//! In: whoever runs a decision fills it: `serve` from its state, `explain` and `test` from what was given. Out: reading columns
//! and the log line. Must not know: where the values come from.

mod named;

use std::sync::Arc;

use smallvec::SmallVec;

use super::checked::{BudgetId, Checked, ClassifierId, MetricId, RolloutId, SnapshotId, TierId, UNKNOWN};
use crate::units::{Millis, Share};

pub use named::{ByName, Named, Strange};

/// One consistent set of readings (language specification, section 4.3). What is not set is as it stands when nothing has
/// happened: a budget is `ok`, a switch at its default, a signal off, a classifier `unsure`, a metric unknown, a tier in declared
/// order, a rollout at 0%. Positions are those of the policy's tables; a log line has names instead ([`Named`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readings {
    /// Minute of the week in the policy's timezone; Monday 00:00 is 0.
    pub minute_of_week: u16,
    /// The day, for retirement dates.
    pub today: jiff::civil::Date,
    /// Budgets as this request finds them: the counters of its own tenant, user or feature.
    pub budgets: SmallVec<[BudgetState; 8]>,
    /// What classifiers said about this request: a position among the labels; `None` is `unsure`, or not asked yet.
    pub labels: SmallVec<[Option<u16>; 4]>,
    /// A number below 10,000, drawn for this request alone: what rollouts without `by` go by. 0 when nobody drew.
    pub draw: u16,
    /// What is alike for every request of the moment. `None` when nothing has happened.
    pub standing: Option<Arc<Standing>>,
}

/// What stands for all requests until somebody changes it: made once by who changes it, shared by every request after.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Switches by position; `None` is the declared default.
    pub switches: Vec<Option<bool>>,
    /// Signals by position.
    pub signals: Vec<bool>,
    /// Metrics by position, in their own units; `None` is unknown.
    pub metrics: Vec<Option<u64>>,
    /// For each tier by position, its members from the fastest; empty is the declared order. Members that are missing come last,
    /// in declared order.
    pub fastest: Vec<Vec<SnapshotId>>,
    /// For each rollout by position, which part of its requests gets the new snapshot.
    pub stages: Vec<Share>,
}

/// How a budget stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BudgetState {
    /// Below `warn at`, or without one, below the limit.
    #[default]
    Ok,
    /// At `warn at` or above, and below the limit.
    Warn,
    /// At the limit, or the next call does not fit.
    Spent,
}

impl BudgetState {
    /// Every state, in the order of a budget's column.
    pub const ALL: [Self; 3] = [Self::Ok, Self::Warn, Self::Spent];

    /// As a policy writes it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Spent => "spent",
        }
    }
}

impl Readings {
    /// At a moment, in a policy's timezone.
    pub fn at(now: jiff::Timestamp, timezone: &jiff::tz::TimeZone) -> Self {
        let civil = timezone.to_datetime(now);
        Self::civil(civil)
    }

    /// At a wall-clock time of the policy's timezone.
    pub fn civil(now: jiff::civil::DateTime) -> Self {
        let day = now.date().weekday().to_monday_zero_offset() as u16;
        let minute = day * 1440 + now.hour() as u16 * 60 + now.minute() as u16;
        Self {
            minute_of_week: minute,
            today: now.date(),
            budgets: SmallVec::new(),
            labels: SmallVec::new(),
            draw: 0,
            standing: None,
        }
    }

    /// How a budget stands.
    pub fn budget(&self, budget: BudgetId) -> BudgetState {
        self.budgets.get(budget.index()).copied().unwrap_or_default()
    }

    /// What a classifier said: a position among its labels; `None` is `unsure`.
    pub fn label(&self, classifier: ClassifierId) -> Option<u16> {
        self.labels.get(classifier.index()).copied().flatten()
    }

    /// Where a switch stands: a position in [`super::checked::Moving::switches`].
    pub fn switch(&self, checked: &Checked, switch: u16) -> bool {
        let at = usize::from(switch);
        let flipped = self.standing.as_ref().and_then(|all| all.switches.get(at).copied().flatten());
        flipped.unwrap_or_else(|| checked.moving.switches.get(at).is_some_and(|one| one.default))
    }

    /// Whether a signal is on: a position in [`super::checked::Moving::signals`].
    pub fn signal(&self, signal: u16) -> bool {
        self.standing.as_ref().and_then(|all| all.signals.get(usize::from(signal)).copied()).unwrap_or(false)
    }

    /// A metric in its own unit, [`UNKNOWN`] without enough samples.
    pub fn metric(&self, metric: MetricId) -> u64 {
        self.standing.as_ref().and_then(|all| all.metrics.get(metric.index()).copied().flatten()).unwrap_or(UNKNOWN)
    }

    /// How long a snapshot takes at most, nineteen times of twenty; `None` without enough samples. A policy that hedges by it
    /// has a metric for it.
    pub fn p95(&self, checked: &Checked, snapshot: SnapshotId) -> Option<Millis> {
        let known = &self.standing.as_ref()?.metrics;
        let at = checked.moving.p95_of(snapshot)?;
        known.get(at.index()).copied().flatten().map(Millis)
    }

    /// The members of a tier from the fastest; empty for the declared order.
    pub fn fastest(&self, tier: TierId) -> &[SnapshotId] {
        self.standing.as_ref().and_then(|all| all.fastest.get(tier.index())).map_or(&[], Vec::as_slice)
    }

    /// Which part of a rollout's requests gets the new snapshot.
    pub fn stage(&self, rollout: RolloutId) -> Share {
        self.standing.as_ref().and_then(|all| all.stages.get(rollout.index()).copied()).unwrap_or_default()
    }

    /// Sets a budget's state.
    pub fn set_budget(&mut self, budget: BudgetId, state: BudgetState) {
        put(&mut self.budgets, budget.index(), state);
    }

    /// Sets what a classifier said.
    pub fn set_label(&mut self, classifier: ClassifierId, label: Option<u16>) {
        put(&mut self.labels, classifier.index(), label);
    }

    /// What stands for all requests, to be changed: a copy, where others look at it too.
    pub fn standing_mut(&mut self) -> &mut Standing {
        Arc::make_mut(self.standing.get_or_insert_default())
    }
}

impl Standing {
    /// Sets where a switch stands.
    pub fn set_switch(&mut self, switch: u16, on: bool) {
        put(&mut self.switches, switch.into(), Some(on));
    }

    /// Sets whether a signal is on.
    pub fn set_signal(&mut self, signal: u16, on: bool) {
        put(&mut self.signals, signal.into(), on);
    }

    /// Sets a metric.
    pub fn set_metric(&mut self, metric: MetricId, value: Option<u64>) {
        put(&mut self.metrics, metric.index(), value);
    }

    /// Sets the members of a tier from the fastest.
    pub fn set_fastest(&mut self, tier: TierId, members: Vec<SnapshotId>) {
        put(&mut self.fastest, tier.index(), members);
    }

    /// Sets the stage of a rollout.
    pub fn set_stage(&mut self, rollout: RolloutId, stage: Share) {
        put(&mut self.stages, rollout.index(), stage);
    }
}

/// A table whose missing rows are as they are when nothing has happened.
trait Table<T> {
    fn grow(&mut self, length: usize);
    fn rows(&mut self) -> &mut [T];
}

impl<T: Default + Clone> Table<T> for Vec<T> {
    fn grow(&mut self, length: usize) {
        self.resize(length.max(self.len()), T::default());
    }
    fn rows(&mut self) -> &mut [T] {
        self
    }
}

impl<T: Default + Clone, const N: usize> Table<T> for SmallVec<[T; N]>
where
    [T; N]: smallvec::Array<Item = T>,
{
    fn grow(&mut self, length: usize) {
        self.resize(length.max(self.len()), T::default());
    }
    fn rows(&mut self) -> &mut [T] {
        self
    }
}

fn put<T>(table: &mut impl Table<T>, at: usize, value: T) {
    table.grow(at + 1);
    table.rows()[at] = value;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_week_begins_on_monday_at_midnight() {
        let at = |text: &str| Readings::civil(text.parse().unwrap()).minute_of_week;
        assert_eq!(at("2026-11-23T00:00:00"), 0);
        assert_eq!(at("2026-11-29T23:59:59"), 10_079);
    }

    #[test]
    fn what_nobody_set_reads_as_if_nothing_had_happened() {
        let mut readings = Readings::civil("2026-11-23T10:00:00".parse().unwrap());
        assert_eq!(readings.budget(BudgetId(3)), BudgetState::Ok);
        assert_eq!((readings.label(ClassifierId(0)), readings.signal(1)), (None, false));
        assert_eq!((readings.metric(MetricId(0)), readings.stage(RolloutId(2))), (UNKNOWN, Share(0)));
        readings.set_budget(BudgetId(1), BudgetState::Spent);
        readings.standing_mut().set_stage(RolloutId(1), Share(1000));
        readings.standing_mut().set_metric(MetricId(0), Some(9_100));
        assert_eq!((readings.budget(BudgetId(1)), readings.stage(RolloutId(1))), (BudgetState::Spent, Share(1000)));
    }
}
