//! Tests of metrics: `p95 of M > 9s`, `errors of azure > 2%`, and in a rollout `score < 95%` (sections 4.3, 4.4).
//!
//! In: a metric and a relation. Out: a test of its column; a comparison never holds of an unknown value, negated or not. Must not
//! know: samples.

use super::super::ast::{self, Name, Relation, RelationKind, Value, ValueKind};
use super::super::checked::{
    Clause, Cond, Hop, Metric, MetricId, MetricOf, Observed, Outcome, SnapshotId, Subject, Target, UNKNOWN, Values,
};
use super::super::diagnostic::{Diagnostic, R106, R110, R112, R113};
use super::super::source::Span;
use super::Resolver;
use super::classifiers::is_word;
use super::names::unknown;
use super::sets::{half_open, joined};
use super::values::{kind, members};

impl<'a> Resolver<'a> {
    /// A condition that may look at metrics alone; R110 for anything else in it.
    pub(super) fn put_measured(&mut self, slot: &mut Option<Clause>, key: &'a Name, cond: &'a ast::Cond, owner: &str) {
        let read = self.clause(cond, owner);
        if let Some(read) = &read {
            let mut foreign: Vec<(Span, String)> = Vec::new();
            self.unmeasured(read, &mut foreign);
            for (span, name) in foreign {
                let message = format!("`{}` looks at metrics, and `{name}` is none", key.node);
                let help = "write it like `p95 of PROVIDER/ID > 9s` or `errors of PROVIDER/ID > 2%`";
                self.desk.report(Diagnostic::new(&R110, span, message).help(help));
            }
        }
        self.put(slot, &format!("`{}`", key.node), key.span.to(cond.span), read);
    }

    fn unmeasured(&self, cond: &Cond, into: &mut Vec<(Span, String)>) {
        match cond {
            Cond::True => {}
            Cond::Any(parts) | Cond::All(parts) => parts.iter().for_each(|part| self.unmeasured(part, into)),
            Cond::Not(part) => self.unmeasured(part, into),
            Cond::Test { column, span, .. } => {
                let row = &self.out.columns[column.index()];
                if !matches!(row.subject, Subject::Metric(_)) {
                    into.push((*span, row.name.to_string()));
                }
            }
        }
    }

    /// `p95 of M > 9s`
    pub(super) fn metric(
        &mut self,
        metric: &'a Name,
        of: Option<&'a Value>,
        relation: Option<&'a Relation>,
        span: Span,
    ) -> Option<Cond> {
        let observed = if metric.node == "p95" { Observed::P95 } else { Observed::Errors };
        let of = match of {
            Some(value) => self.metric_of(value, observed)?,
            None => match self.measured_of {
                Some(rollout) => MetricOf::Rollout(rollout),
                None => {
                    let message = format!("`{}` does not say of what", metric.node);
                    let help = format!("write `{} of PROVIDER/ID` or `{} of PROVIDER`", metric.node, metric.node);
                    self.desk.report(Diagnostic::new(&R110, metric.span, message).help(help));
                    return None;
                }
            },
        };
        self.measured(observed, of, relation, span)
    }

    /// The same for what a rollout measures of itself: `score`.
    pub(super) fn measured(
        &mut self,
        observed: Observed,
        of: MetricOf,
        relation: Option<&'a Relation>,
        span: Span,
    ) -> Option<Cond> {
        let word = observed.word();
        let Some(relation) = relation else {
            let example = if observed == Observed::P95 { "> 9s" } else { "> 2%" };
            let message = format!("`{word}` is a number, so it needs a relation");
            self.desk
                .report(Diagnostic::new(&R110, span, message).help(format!("write it like `{word} .. {example}`")));
            return None;
        };
        let values = self.metric_values(observed, relation)?;
        let at = self.metric_row(Metric { observed, of });
        let column = self.column(Subject::Metric(at.0));
        Some(Cond::Test { column, values, span })
    }

    /// A metric for each snapshot that a `hedge after p95` may wait for.
    pub(super) fn hedged_by_p95(&mut self) {
        let mut waits: Vec<SnapshotId> = Vec::new();
        for rule in &self.out.rules {
            let Outcome::Chain(chain) = &rule.outcome else { continue };
            let by_p95 = |hop: &&Hop| hop.options.hedge.is_some_and(|hedge| hedge.after.is_none());
            for hop in chain.hops.iter().filter(by_p95) {
                match hop.target {
                    Target::Snapshot(id) => waits.push(id),
                    Target::Requested => waits.extend(self.out.tiers.iter().flat_map(|tier| &tier.members)),
                }
            }
        }
        let rollouts = self.out.moving.rollouts.iter();
        waits.extend(
            rollouts.filter(|one| waits.contains(&one.replace.node)).map(|one| one.with.node).collect::<Vec<_>>(),
        );
        for id in waits {
            self.metric_row(Metric { observed: Observed::P95, of: MetricOf::Snapshot(id) });
        }
    }

    fn metric_row(&mut self, metric: Metric) -> MetricId {
        let metrics = &mut self.out.moving.metrics;
        let at = metrics.iter().position(|known| *known == metric).unwrap_or_else(|| {
            metrics.push(metric);
            metrics.len() - 1
        });
        MetricId(at as u16)
    }

    /// A snapshot or a provider; R106.
    fn metric_of(&mut self, value: &'a Value, observed: Observed) -> Option<MetricOf> {
        match &value.kind {
            ValueKind::Model(model) => Some(MetricOf::Snapshot(self.snapshot(model))),
            ValueKind::Word(word) => {
                if self.knows_provider(word) {
                    return Some(MetricOf::Provider(word.as_str().into()));
                }
                let known = self.ctx.catalog.providers();
                let known: Vec<&str> = known.into_iter().chain(self.ctx.providers.iter().map(String::as_str)).collect();
                let message = format!("there is no provider `{word}`");
                self.desk.report(unknown(&R106, "provider", message, word, value.span, &known));
                None
            }
            other => {
                let message = format!("`{} of` takes a snapshot or a provider, not {}", observed.word(), kind(other));
                self.desk.report(Diagnostic::new(&R110, value.span, message));
                None
            }
        }
    }

    fn metric_values(&mut self, observed: Observed, relation: &'a Relation) -> Option<Values> {
        let all = (0, observed.most() + 1);
        let (chosen, negated) = match &relation.kind {
            RelationKind::Compare { op, value } => {
                let number = self.measure(observed, value)?;
                let (lo, hi) = half_open(*op, number);
                (vec![(lo, hi)], false)
            }
            RelationKind::Is { negated, value } if is_word(value, "unknown") => {
                let unknown = (UNKNOWN, UNKNOWN + 1);
                return Some(Values::Ranges(vec![if *negated { all } else { unknown }]));
            }
            RelationKind::Is { negated, value } => {
                let number = self.measure(observed, value)?;
                (vec![(number, number + 1)], *negated)
            }
            RelationKind::In { negated, set } => {
                let ranges: Vec<Option<(u64, u64)>> =
                    members(set).iter().map(|value| self.measured_range(observed, value)).collect();
                (ranges.into_iter().collect::<Option<Vec<_>>>()?, *negated)
            }
            RelationKind::Has(_) | RelationKind::Like(_) => {
                let message = format!("`{}` is a number, and is compared with numbers", observed.word());
                self.desk.report(Diagnostic::new(&R110, relation.span, message).help("write it like `> 9s`"));
                return None;
            }
        };
        let chosen = joined(chosen);
        // What a comparison with an unknown value says is no, whichever way it is put.
        let chosen = if negated { rest_of(&chosen, all) } else { chosen };
        let inside: Vec<(u64, u64)> =
            chosen.into_iter().map(|(lo, hi)| (lo.max(all.0), hi.min(all.1))).filter(|(lo, hi)| lo < hi).collect();
        if inside.is_empty() {
            let text = self.desk.text(relation.span);
            let most = super::super::shown::measured(observed, observed.most());
            let message = format!("`{} {text}` can never be", observed.word());
            let finding = Diagnostic::new(&R112, relation.span, message);
            self.desk
                .report(finding.help(format!("`{}` runs from 0 to {most}; write a number inside", observed.word())));
            return None;
        }
        Some(Values::Ranges(inside))
    }

    fn measured_range(&mut self, observed: Observed, value: &'a Value) -> Option<(u64, u64)> {
        let ValueKind::Range(low, high) = &value.kind else {
            let number = self.measure(observed, value)?;
            return Some((number, number + 1));
        };
        let (lo, hi) = (self.measure(observed, low)?, self.measure(observed, high)?);
        if lo >= hi {
            let message = format!("`{}` holds nothing", self.desk.text(value.span));
            let help = "a range includes its left end and not its right, and the left is the smaller";
            self.desk.report(Diagnostic::new(&R113, value.span, message).help(help));
            return None;
        }
        Some((lo, hi))
    }

    /// A number in the metric's own unit.
    fn measure(&mut self, observed: Observed, value: &'a Value) -> Option<u64> {
        let what = format!("`{}`", observed.word());
        match observed {
            Observed::P95 => self.desk.duration(value, &what).map(|time| time.0),
            Observed::Errors | Observed::Score => self.desk.ten_thousandths(value, &what, observed.most(), &["%"]),
        }
    }

    /// `score < 95%` inside `halt when`; elsewhere `score` is a name like any other.
    pub(super) fn score(&mut self, word: &str, relation: Option<&'a Relation>, span: Span) -> Option<Option<Cond>> {
        let rollout = self.measured_of.filter(|_| word == "score")?;
        Some(self.measured(Observed::Score, MetricOf::Rollout(rollout), relation, span))
    }
}

/// What of `all` is not in sorted, disjoint ranges.
fn rest_of(ranges: &[(u64, u64)], all: (u64, u64)) -> Vec<(u64, u64)> {
    let mut rest = Vec::new();
    let mut from = all.0;
    for (lo, hi) in ranges {
        rest.push((from, *lo));
        from = from.max(*hi);
    }
    rest.push((from, all.1));
    rest.retain(|(lo, hi)| lo < hi);
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_chosen_leaves_the_unknown_value_out() {
        assert_eq!(rest_of(&[(5, 7), (9, 10)], (0, 12)), [(0, 5), (7, 9), (10, 12)]);
        assert_eq!(rest_of(&[(0, 12)], (0, 12)), []);
    }
}
