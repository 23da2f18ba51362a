//! Readings by the names a policy gives them, as a line of the request log carries them.
//!
//! In: [`Readings`] and their policy; or names and values of a line, and any policy. Out: JSON; [`Readings`]. Must not know: the
//! rest of the line. Positions mean something in one policy only; names mean the same in the next version of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::fmt::temporal::DateTimePrinter;
use serde::Deserialize;

use super::{BudgetState, Readings, Standing};
use crate::json::write::{self, Object};
use crate::policy::checked::{BudgetId, Checked, ClassifierId, MetricId, RolloutId, SnapshotId, TierId};
use crate::units::Share;

static DAY: DateTimePrinter = DateTimePrinter::new();

/// Readings and the policy they are of, to be written by name.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    readings: &'a Readings,
    checked: &'a Checked,
}

impl Readings {
    /// These readings by the names of their policy.
    pub const fn named<'a>(&'a self, checked: &'a Checked) -> Named<'a> {
        Named { readings: self, checked }
    }
}

impl Named<'_> {
    /// Appends them as an object.
    pub fn write(&self, out: &mut Vec<u8>) {
        let Self { readings, checked } = self;
        let moving = &checked.moving;
        write::object(out, |o| {
            o.number("minute_of_week", readings.minute_of_week.into());
            let today = o.member("today");
            today.push(b'"');
            // Writing to memory cannot fail.
            let _ = DAY.print_date(&readings.today, &mut *today);
            today.push(b'"');
            let state = |o: &mut Object<'_>, name: &str, state: BudgetState| write::text(o.named(name), state.word());
            table(o, "budgets", (&readings.budgets, &moving.budgets), |one| &one.name, |state| Some(*state), state);
            let rows = readings.labels.iter().zip(&moving.classifiers);
            let labels = rows.filter_map(|(said, one)| Some((&*one.name, one.labels.get(usize::from((*said)?))?)));
            entries(o, "labels", labels, |o, name, label| write::text(o.named(name), label));
            if readings.draw != 0 {
                o.number("draw", readings.draw.into());
            }
            if let Some(standing) = &readings.standing {
                self.standing(standing, o);
            }
        });
    }

    fn standing(&self, standing: &Standing, o: &mut Object<'_>) {
        let checked = self.checked;
        let moving = &checked.moving;
        let boolean = |o: &mut Object<'_>, name: &str, on: bool| write::boolean(o.named(name), on);
        table(o, "switches", (&standing.switches, &moving.switches), |one| &one.name, |on| *on, boolean);
        table(o, "signals", (&standing.signals, &moving.signals), |one| &one.name, |on| Some(*on), boolean);
        let measured = standing.metrics.iter().enumerate().filter_map(|(at, value)| {
            moving.metrics.get(at)?;
            Some((checked.metric_name(MetricId(at as u16)), (*value)?))
        });
        entries(o, "metrics", measured, |o, name, value| write::number(o.named(name), value));
        let order = |members: &Vec<SnapshotId>| {
            let known = members.iter().filter_map(|id| checked.snapshots.get(id.index()));
            Some(known.map(|one| one.model.to_string()).collect::<Vec<_>>()).filter(|names| !names.is_empty())
        };
        table(
            o,
            "fastest",
            (&standing.fastest, &checked.tiers),
            |one| &one.name,
            order,
            |o, name, names| {
                write::array(o.named(name), |list| names.iter().for_each(|model| list.text(model)));
            },
        );
        let stage = |stage: &Share| (*stage > Share(0)).then(|| stage.to_string());
        let text = |o: &mut Object<'_>, name: &str, stage: String| write::text(o.named(name), &stage);
        table(o, "stages", (&standing.stages, &moving.rollouts), |one| &one.name, stage, text);
    }
}

/// A table of readings beside the declarations they are of; nothing when no row says anything.
fn table<Row, Decl, Value>(
    o: &mut Object<'_>,
    key: &str,
    (rows, declared): (&[Row], &[Decl]),
    name: impl Fn(&Decl) -> &str,
    value: impl Fn(&Row) -> Option<Value>,
    write: impl Fn(&mut Object<'_>, &str, Value),
) {
    let said = declared.iter().zip(rows).filter_map(|(one, row)| Some((name(one), value(row)?)));
    entries(o, key, said, write);
}

fn entries<Name: AsRef<str>, Value>(
    o: &mut Object<'_>,
    key: &str,
    said: impl Iterator<Item = (Name, Value)>,
    write: impl Fn(&mut Object<'_>, &str, Value),
) {
    let mut said = said.peekable();
    if said.peek().is_some() {
        o.object(key, |inside| said.for_each(|(name, value)| write(inside, name.as_ref(), value)));
    }
}

/// Readings of a line, but for the clock. What is not there is as it is when nothing has happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ByName {
    /// Budgets: `ok`, `warn` or `spent`.
    pub budgets: BTreeMap<String, String>,
    /// What classifiers said.
    pub labels: BTreeMap<String, String>,
    /// What rollouts without `by` went by.
    pub draw: u16,
    /// Switches that were flipped.
    pub switches: BTreeMap<String, bool>,
    /// Signals.
    pub signals: BTreeMap<String, bool>,
    /// Metrics, in their own units: `p95 of M` in milliseconds, shares in ten-thousandths.
    pub metrics: BTreeMap<String, u64>,
    /// Members of tiers from the fastest.
    pub fastest: BTreeMap<String, Vec<String>>,
    /// Stages of rollouts: `25%`.
    pub stages: BTreeMap<String, String>,
}

/// A value that this policy does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strange {
    /// The table.
    pub field: &'static str,
    /// What stands there.
    pub value: String,
    /// What could stand there.
    pub known: Vec<String>,
}

impl ByName {
    /// Puts them into the readings of a policy, which need not be the one that was logged: names it does not have mean nothing to
    /// it.
    ///
    /// # Errors
    /// [`Strange`], for a value that the policy's own part of that name does not have.
    pub fn fill(&self, readings: &mut Readings, checked: &Checked) -> Result<(), Strange> {
        let moving = &checked.moving;
        readings.draw = self.draw;
        for (at, one) in moving.budgets.iter().enumerate() {
            let Some(word) = self.budgets.get(&*one.name) else { continue };
            let state = BudgetState::ALL.into_iter().find(|state| state.word() == word);
            let known = || BudgetState::ALL.map(BudgetState::word).map(str::to_owned).to_vec();
            readings.set_budget(BudgetId(at as u16), state.ok_or_else(|| strange("budgets", word, known()))?);
        }
        for (at, one) in moving.classifiers.iter().enumerate() {
            let Some(word) = self.labels.get(&*one.name) else { continue };
            let label = one.labels.iter().position(|label| **label == **word);
            let known = || one.labels.iter().map(ToString::to_string).collect();
            let label = label.ok_or_else(|| strange("labels", word, known()))?;
            readings.set_label(ClassifierId(at as u16), Some(label as u16));
        }
        let mut standing = Standing::default();
        self.stand(&mut standing, checked)?;
        if standing != Standing::default() {
            readings.standing = Some(Arc::new(standing));
        }
        Ok(())
    }

    fn stand(&self, standing: &mut Standing, checked: &Checked) -> Result<(), Strange> {
        let moving = &checked.moving;
        for (at, one) in moving.switches.iter().enumerate() {
            self.switches.get(&*one.name).into_iter().for_each(|on| standing.set_switch(at as u16, *on));
        }
        for (at, one) in moving.signals.iter().enumerate() {
            self.signals.get(&*one.name).into_iter().for_each(|on| standing.set_signal(at as u16, *on));
        }
        for id in (0..moving.metrics.len()).map(|at| MetricId(at as u16)) {
            let value = self.metrics.get(&checked.metric_name(id));
            value.into_iter().for_each(|value| standing.set_metric(id, Some(*value)));
        }
        for (at, tier) in checked.tiers.iter().enumerate() {
            let Some(names) = self.fastest.get(&*tier.name) else { continue };
            let place = |name: &String| checked.snapshots.iter().position(|one| one.model.to_string() == *name);
            let members = names.iter().filter_map(place).map(|at| SnapshotId(at as u16)).collect();
            standing.set_fastest(TierId(at as u16), members);
        }
        for (at, one) in moving.rollouts.iter().enumerate() {
            let Some(text) = self.stages.get(&*one.name) else { continue };
            let known = || one.stages.iter().map(|stage| stage.node.to_string()).collect();
            let stage = text.parse().map_err(|_| strange("stages", text, known()))?;
            standing.set_stage(RolloutId(at as u16), stage);
        }
        Ok(())
    }
}

fn strange(field: &'static str, value: &str, known: Vec<String>) -> Strange {
    Strange { field, value: value.to_owned(), known }
}
