//! Metrics that rules look at, as given: `p95 of openai/gpt-5.4-2026-03-05` with `9s`, `errors of openai` with `2%`.
//!
//! In: pairs whose name is that of a metric column. Out: readings and states. Must not know: where metrics are measured.

use super::super::super::checked::{MetricId, Observed, Subject, UNKNOWN};
use super::super::super::readings::Readings;
use super::super::super::shown::measured;
use super::super::super::tree::Tree;
use super::{Reader, State, Wrong};
use crate::units::{Millis, Share};

/// The metrics that rules look at, as they are written.
pub(super) fn names(tree: &Tree) -> impl Iterator<Item = &str> {
    let columns = tree.space().columns().iter();
    columns.filter(|one| matches!(one.subject, Subject::Metric(_))).map(|one| &*one.name)
}

impl Reader<'_> {
    /// The metrics that were given; the others are unknown, as when nothing has been measured.
    pub(super) fn metrics(&mut self, readings: &mut Readings) -> Vec<State> {
        let space = self.tree.space();
        let mut states = Vec::new();
        for id in space.ids() {
            let column = space.column(id);
            let Subject::Metric(at) = column.subject else { continue };
            let Some(metric) = self.checked.moving.metrics.get(usize::from(at)) else { continue };
            let Some(text) = self.get(&column.name) else { continue };
            match value(metric.observed, text) {
                Some(value) => {
                    let known = (value != UNKNOWN).then_some(value);
                    readings.standing_mut().set_metric(MetricId(at), known);
                    let value_shown = measured(metric.observed, value);
                    states.push(State { column: id, atom: space.atoms(id).of_number(value), value: value_shown });
                }
                None => {
                    let form = match metric.observed {
                        Observed::P95 => "a duration, like 3s",
                        Observed::Errors | Observed::Score => "a share, like 2%",
                    };
                    let message = format!("`{}` is {form}, or unknown, not `{text}`", column.name);
                    self.wrong_pair(&column.name, Wrong::Form, message);
                }
            }
        }
        states
    }
}

/// In the metric's own unit; nothing for what it cannot be.
fn value(observed: Observed, text: &str) -> Option<u64> {
    if text == "unknown" {
        return Some(UNKNOWN);
    }
    let number = match observed {
        Observed::P95 => text.parse::<Millis>().ok()?.0,
        Observed::Errors | Observed::Score => u64::from(text.parse::<Share>().ok()?.0),
    };
    (number <= observed.most()).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::checked::Metric;

    #[test]
    fn a_metric_is_read_up_to_the_most_it_can_be_and_not_beyond() {
        let most = format!("{}ms", Metric::MOST);
        let beyond = format!("{}ms", Metric::MOST + 1);
        for (observed, text, read) in [
            (Observed::P95, "3s", Some(3000)),
            (Observed::P95, "unknown", Some(UNKNOWN)),
            (Observed::P95, &most, Some(Metric::MOST)),
            (Observed::P95, &beyond, None),
            (Observed::P95, "3", None),
            (Observed::Errors, "2%", Some(200)),
            (Observed::Errors, "100%", Some(10_000)),
            (Observed::Errors, "101%", None),
            (Observed::Errors, "3s", None),
        ] {
            assert_eq!(value(observed, text), read, "{text}");
        }
    }
}
