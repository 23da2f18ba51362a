//! The readings a request says: budgets, switches, signals, classifiers, metrics, orders of tiers, stages of rollouts.
//!
//! In: pairs. Out: [`Readings`]; whatever nobody says is as it stands when nothing has happened. Must not know: facts.

use super::super::super::checked::{
    BudgetId, Checked, ClassifierId, Metric, MetricId, Observed, RolloutId, SnapshotId, Tier, TierId, UNKNOWN,
};
use super::super::super::readings::{BudgetState, Readings};
use super::super::super::shown::measured;
use super::words::{DRAW, fastest};
use super::{Reader, Wrong, count};
use crate::units::{Millis, Share};

/// What a metric without enough samples is.
const NO_SAMPLES: &str = "unknown";
/// What a classifier says that is in doubt, or was not asked.
const UNSURE: &str = "unsure";

impl Reader<'_> {
    /// Everything that moves, whether or not a rule looks at it: the conditions of rollouts and guarantees do.
    pub(super) fn moving(&mut self, readings: &mut Readings) {
        let checked = self.checked;
        let moving = &checked.moving;
        for (at, one) in moving.budgets.iter().enumerate() {
            let states = BudgetState::ALL.map(BudgetState::word);
            if let Some(state) = self.one_of(&format!("budget {}", one.name), &states) {
                readings.set_budget(BudgetId(at as u16), BudgetState::ALL[state]);
            }
        }
        for (at, one) in moving.classifiers.iter().enumerate() {
            let labels: Vec<&str> = one.labels.iter().map(|label| &**label).chain([UNSURE]).collect();
            if let Some(label) = self.one_of(&format!("classifier {}", one.name), &labels) {
                let label = (label < one.labels.len()).then_some(label as u16);
                readings.set_label(ClassifierId(at as u16), label);
            }
        }
        for (at, one) in moving.switches.iter().enumerate() {
            if let Some(on) = self.on(&format!("switch {}", one.name)) {
                readings.standing_mut().set_switch(at as u16, on);
            }
        }
        for (at, one) in moving.signals.iter().enumerate() {
            if let Some(on) = self.on(&format!("signal {}", one.name)) {
                readings.standing_mut().set_signal(at as u16, on);
            }
        }
        for (at, metric) in moving.metrics.iter().enumerate() {
            let id = MetricId(at as u16);
            if let Some(value) = self.measured(metric, &checked.metric_name(id)) {
                readings.standing_mut().set_metric(id, value);
            }
        }
        for (at, tier) in checked.tiers.iter().enumerate() {
            if let Some(members) = self.fastest(checked, tier) {
                readings.standing_mut().set_fastest(TierId(at as u16), members);
            }
        }
        for (at, one) in moving.rollouts.iter().enumerate() {
            if let Some(stage) = self.share(&format!("rollout {}", one.name)) {
                readings.standing_mut().set_stage(RolloutId(at as u16), stage);
            }
        }
        self.draw(readings);
    }

    /// The position of the word that is given.
    fn one_of(&mut self, name: &str, words: &[&str]) -> Option<usize> {
        let text = self.get(name)?;
        let found = words.iter().position(|word| *word == text);
        if found.is_none() {
            self.wrong(name, text, words);
        }
        found
    }

    fn on(&mut self, name: &str) -> Option<bool> {
        let text = self.get(name)?;
        match text {
            "yes" | "true" => Some(true),
            "no" | "false" => Some(false),
            _ => self.one_of(name, &["off", "on"]).map(|at| at == 1),
        }
    }

    fn share(&mut self, name: &str) -> Option<Share> {
        let text = self.get(name)?;
        let share = text.parse().ok();
        if share.is_none() {
            let message = format!("`{}` is a share up to 100%, like 25%, not `{text}`", self.typed(name));
            self.wrong_pair(name, Wrong::Form, message);
        }
        share
    }

    /// The value of a metric in its own unit; `Some(None)` when it is said to be unknown.
    fn measured(&mut self, metric: &Metric, name: &str) -> Option<Option<u64>> {
        let text = self.get(name)?;
        if text == NO_SAMPLES {
            return Some(None);
        }
        let (value, form) = match metric.observed {
            Observed::P95 => (text.parse::<Millis>().ok().map(|time| time.0), "a time with its unit, like 9s or 250ms"),
            Observed::Errors | Observed::Score => {
                (text.parse::<Share>().ok().map(|part| part.0.into()), "a share, like 2%")
            }
        };
        let most = metric.observed.most();
        let message = match value {
            Some(value) if value <= most => return Some(Some(value)),
            Some(_) => format!("`{name}` is at most {}, not `{text}`", measured(metric.observed, most)),
            None => format!("`{name}` is {form}, or {}, not `{text}`", measured(metric.observed, UNKNOWN)),
        };
        self.wrong_pair(name, Wrong::Form, message);
        None
    }

    /// Members of a tier from the fastest; those that are left out come last, as declared.
    fn fastest(&mut self, checked: &Checked, tier: &Tier) -> Option<Vec<SnapshotId>> {
        let name = fastest(tier);
        let Some(text) = self.get(&name) else {
            self.assume(&name, "as declared");
            return None;
        };
        let known: Vec<String> =
            tier.members.iter().map(|id| checked.snapshots[id.index()].model.to_string()).collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let mut members = Vec::new();
        for word in super::list(text) {
            match known.iter().position(|one| *one == word).map(|at| tier.members[at]) {
                Some(id) if members.contains(&id) => {
                    self.wrong_pair(&name, Wrong::Twice, format!("`{name}` has `{word}` twice"));
                }
                Some(id) => members.push(id),
                None => self.wrong(&name, word, &known),
            }
        }
        Some(members)
    }

    fn draw(&mut self, readings: &mut Readings) {
        let Some(text) = self.get(DRAW) else {
            let drawn = self.checked.moving.rollouts.iter().any(|one| one.by.is_none());
            if drawn {
                self.assume(DRAW, "0, which is in every stage");
            }
            return;
        };
        match count(text).and_then(|draw| u16::try_from(draw).ok()).filter(|draw| *draw < Share::WHOLE.0) {
            Some(draw) => readings.draw = draw,
            None => {
                let message = format!("`{DRAW}` is a number below 10,000, drawn for each request, not `{text}`");
                self.wrong_pair(DRAW, Wrong::Form, message);
            }
        }
    }
}
