//! Signals and raw metrics: R821 to R824 (sections 3.5, 4.3, 4.4).
//!
//! In: conditions over metrics, signals, what requests reach. Out: findings. Must not know: what was measured.

use super::super::atom_set::AtomSet;
use super::super::atoms::{Mentions, Space};
use super::super::boxes::{AtomBox, boxes_of};
use super::super::checked::{
    Checked, ColumnId, Cond, Domain, Metric, MetricOf, Observed, Outcome, Rule, RuleId, Signal, SnapshotId, Subject,
    UNKNOWN, Values,
};
use super::super::diagnostic::{Diagnostic, Edit, Fix, R821, R822, R823, R824};
use super::super::fingerprint;
use super::super::shown::measured;
use super::super::source::Span;
use super::calls::Via;
use super::witness::Claim;
use super::{Proof, Stop};

impl Proof<'_> {
    pub(super) fn signals(&mut self, findings: &mut Vec<Diagnostic>) -> Result<(), Stop> {
        let checked = self.checked;
        for (at, signal) in checked.moving.signals.iter().enumerate() {
            findings.extend(flaps(checked, signal));
            findings.extend(self.starves(at as u16, signal)?);
        }
        for rule in self.rules() {
            self.at = Some(rule);
            raw_metrics(checked, rule, findings);
            if self.dead.binary_search(&rule).is_err() {
                findings.extend(self.unknown_reading(rule)?);
            }
        }
        Ok(())
    }

    /// R823: while the signal is on, no request still reaches what it watches, so it could only ever turn off by becoming unknown.
    fn starves(&mut self, at: u16, signal: &Signal) -> Result<Option<Diagnostic>, Stop> {
        if signal.probe.is_some() {
            return Ok(None);
        }
        let Some(column) = self.space.find(Subject::Signal(at)) else { return Ok(None) };
        let checked = self.checked;
        let on = self.space.set(column, &Values::Bool(true));
        let Some(on) = AtomBox::only(&self.space, column, on) else { return Ok(None) };
        for metric in watched(checked, signal) {
            let measures = |id: SnapshotId| match &metric.of {
                MetricOf::Snapshot(one) => *one == id,
                MetricOf::Provider(name) => checked.snapshots[id.index()].model.provider == *name,
                MetricOf::Rollout(_) => true,
            };
            if self.still_measured(&on, &measures)? {
                continue;
            }
            let of = shown(checked, metric);
            let title = format!("while signal `{}` is on, nothing measures {of}", signal.name);
            let found = Diagnostic::new(&R823, signal.span, title).here("could turn off only by forgetting");
            let found = found.note("its rules send every request away, and then there is nothing to compare with");
            return Ok(Some(found.help("add `probe 1%`, or leave some requests where they were")));
        }
        Ok(None)
    }

    fn still_measured(&mut self, on: &AtomBox, measures: &dyn Fn(SnapshotId) -> bool) -> Result<bool, Stop> {
        let checked = self.checked;
        for rule in self.rules() {
            let Outcome::Chain(chain) = &checked.rules[rule.index()].outcome else { continue };
            for called in self.calls_of(chain) {
                // Later hops are only tried when others fail, which measures them at the worst moment; they count all the same.
                if called.call.via == Via::Shadow || !measures(called.call.snapshot) {
                    continue;
                }
                let inside: Vec<AtomBox> = called.among.iter().filter_map(|one| one.and(on)).collect();
                let own = self.areas(rule);
                let parts: Vec<AtomBox> =
                    own.iter().flat_map(|one| inside.iter().filter_map(|other| one.and(other))).collect();
                let except: Vec<&AtomBox> = called.dropped.iter().collect();
                if self.first_left(&parts, self.above(rule), &except)?.is_some() {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// R824: with the metric unknown such a request goes elsewhere, and no rule says so on purpose.
    fn unknown_reading(&mut self, rule: RuleId) -> Result<Option<Diagnostic>, Stop> {
        let checked = self.checked;
        for (column, span) in metric_tests(checked, &checked.rules[rule.index()].when) {
            if self.says_unknown(column) {
                continue;
            }
            let Some(unknown) = self.unknown(column) else { continue };
            for own in self.areas(rule) {
                let Some(set) = own.get(column).cloned() else { continue };
                // The same requests, had there been too few samples.
                let Some(without) = own.without(column).with(&self.space, column, unknown.clone()) else { continue };
                if set.meets(&unknown) {
                    continue;
                }
                if let Some(found) = self.lands_elsewhere(rule, column, span, &own, &without)? {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }

    fn lands_elsewhere(
        &mut self,
        rule: RuleId,
        column: ColumnId,
        span: Span,
        own: &AtomBox,
        without: &AtomBox,
    ) -> Result<Option<Diagnostic>, Stop> {
        let checked = self.checked;
        if self.first_left(std::slice::from_ref(own), self.above(rule), &[])?.is_none() {
            return Ok(None);
        }
        let outcome = fingerprint::outcome(&checked.rules[rule.index()].outcome);
        for later in self.rules().filter(|one| *one > rule) {
            if fingerprint::outcome(&checked.rules[later.index()].outcome) == outcome {
                continue;
            }
            let parts: Vec<AtomBox> = self.areas(later).iter().filter_map(|area| area.and(without)).collect();
            let Some(left) = self.first_left(&parts, self.above(later), &[])? else { continue };
            let claim = Claim { decided: Some(later), inside: std::slice::from_ref(without), outside: &[] };
            let witness = self.witness(&left, &claim)?;
            let name = &self.space.column(column).name;
            let here = &checked.rules[rule.index()].name;
            let other = &checked.rules[later.index()].name;
            let title = format!("rule `{here}` hangs on `{name}`, which is unknown below 30 samples");
            let found = Diagnostic::new(&R824, span, title).here(format!("while unknown, `{other}` decides instead"));
            let found = found.label(checked.rules[later.index()].span, "gets such requests").witness(witness);
            return Ok(Some(found.help(format!("say what to do with `{name} is unknown`, or test a signal instead"))));
        }
        Ok(None)
    }

    fn unknown(&self, column: ColumnId) -> Option<AtomSet> {
        let set = self.space.set(column, &Values::Ranges(vec![(UNKNOWN, UNKNOWN + 1)]));
        (!set.is_empty()).then_some(set)
    }

    /// Whether some rule says what happens while a metric is unknown.
    fn says_unknown(&self, column: ColumnId) -> bool {
        fn names(cond: &Cond, column: ColumnId) -> bool {
            match cond {
                Cond::True => false,
                Cond::Any(parts) | Cond::All(parts) => parts.iter().any(|part| names(part, column)),
                Cond::Not(inner) => names(inner, column),
                Cond::Test { column: own, values: Values::Ranges(ranges), .. } => {
                    *own == column && ranges.iter().any(|(from, _)| *from == UNKNOWN)
                }
                Cond::Test { .. } => false,
            }
        }
        self.checked.rules.iter().any(|rule| names(&rule.when, column))
    }
}

/// R821.
fn raw_metrics(checked: &Checked, rule: RuleId, findings: &mut Vec<Diagnostic>) {
    let one = &checked.rules[rule.index()];
    let mut said: Vec<Span> = Vec::new();
    for (column, span) in metric_tests(checked, &one.when) {
        if said.contains(&span) {
            continue;
        }
        said.push(span);
        let Some(name) = checked.column(column).map(|column| column.name.clone()) else { continue };
        let title = format!("rule `{}` steers by the raw metric `{name}`", one.name);
        let found = Diagnostic::new(&R821, span, title).here("flaps, and starves itself");
        let found = found.note("once its traffic leaves, the metric becomes unknown, and the traffic returns");
        let help = format!("declare `signal NAME {{ on when {name} > .., off when {name} < .. }}` and test `NAME`");
        findings.push(match in_place(checked, one, &one.when, column, span) {
            Some(fix) => Diagnostic { fixes: vec![fix.clone()], ..found.help(fix.title) },
            None => found.help(help),
        });
    }
}

/// A signal behind the rule that goes on where the rule's own test would, and off at two thirds of that. What the rule decides
/// while the signal holds its state is another thing, so the fix is not safe. Nothing for a test of low or unknown values.
fn in_place(checked: &Checked, rule: &Rule, cond: &Cond, column: ColumnId, span: Span) -> Option<Fix> {
    let Subject::Metric(at) = checked.column(column)?.subject else { return None };
    let metric = checked.moving.metrics.get(usize::from(at))?;
    let from = from_where(cond, span, metric.observed.most())?;
    let of = match &metric.of {
        MetricOf::Snapshot(id) => checked.snapshots[id.index()].model.provider.clone(),
        MetricOf::Provider(name) => name.clone(),
        MetricOf::Rollout(_) => return None,
    };
    let word = if metric.observed == Observed::P95 { "slow" } else { "failing" };
    let signals = &checked.moving.signals;
    let names = (1..).map(|n| if n == 1 { format!("{word}_{of}") } else { format!("{word}_{of}_{n}") });
    let name = names.take(signals.len() + 1).find(|name| !signals.iter().any(|one| *one.name == **name))?;
    let shown = |value: u64| match metric.observed {
        Observed::P95 if value.is_multiple_of(1000) => format!("{}s", value / 1000),
        Observed::P95 => format!("{value}ms"),
        Observed::Errors | Observed::Score => measured(metric.observed, value),
    };
    let metric_name = &checked.column(column)?.name;
    // Half-open: more than 9s begins a millisecond later.
    let (op, on) = if (from - 1).is_multiple_of(100) { (">", from - 1) } else { (">=", from) };
    let off = match on * 2 / 3 {
        low if low >= 1000 => low / 1000 * 1000,
        low => low,
    };
    if off == 0 {
        return None;
    }
    let (on, off) = (shown(on), shown(off));
    let text = format!("\n\nsignal {name} {{\n  on when {metric_name} {op} {on}\n  off when {metric_name} < {off}\n}}");
    let behind = Span { lo: rule.whole.hi, ..rule.whole };
    let edits = vec![Edit { span, text: name.clone() }, Edit { span: behind, text }];
    let title = format!(
        "declare `signal {name} {{ on when {metric_name} {op} {on}, off when {metric_name} < {off} }}` and test `{name}`"
    );
    Some(Fix { safe: false, title, edits })
}

/// Where a test of high values begins, by its place.
fn from_where(cond: &Cond, place: Span, most: u64) -> Option<u64> {
    match cond {
        Cond::True => None,
        Cond::Any(parts) | Cond::All(parts) => parts.iter().find_map(|part| from_where(part, place, most)),
        Cond::Not(inner) => from_where(inner, place, most),
        Cond::Test { values: Values::Ranges(ranges), span, .. } if *span == place => match ranges.as_slice() {
            [(from, to)] if *from > 0 && *from <= most && *to > most && *to <= UNKNOWN => Some(*from),
            _ => None,
        },
        Cond::Test { .. } => None,
    }
}

/// The tests of a condition that look at a metric.
fn metric_tests(checked: &Checked, cond: &Cond) -> Vec<(ColumnId, Span)> {
    match cond {
        Cond::True => Vec::new(),
        Cond::Any(parts) | Cond::All(parts) => parts.iter().flat_map(|part| metric_tests(checked, part)).collect(),
        Cond::Not(inner) => metric_tests(checked, inner),
        Cond::Test { column, span, .. } => {
            let metric = checked.column(*column).is_some_and(|one| matches!(one.subject, Subject::Metric(_)));
            if metric { vec![(*column, *span)] } else { Vec::new() }
        }
    }
}

/// Metrics that turn a signal on.
fn watched<'a>(checked: &'a Checked, signal: &Signal) -> Vec<&'a Metric> {
    let tests = signal.on.iter().flat_map(|on| metric_tests(checked, &on.node));
    let metric = |(column, _): (ColumnId, Span)| match checked.column(column)?.subject {
        Subject::Metric(at) => checked.moving.metrics.get(usize::from(at)),
        _ => None,
    };
    tests.filter_map(metric).collect()
}

fn shown(checked: &Checked, metric: &Metric) -> String {
    let word = metric.observed.word();
    match &metric.of {
        MetricOf::Snapshot(id) => format!("`{word}` of {}", checked.snapshots[id.index()].model),
        MetricOf::Provider(name) => format!("`{word}` of {name}"),
        MetricOf::Rollout(id) => format!("`{word}` of rollout `{}`", checked.moving.rollouts[id.index()].name),
    }
}

/// R822: some measurement turns the signal on and off at once, or nothing lies between the two.
fn flaps(checked: &Checked, signal: &Signal) -> Option<Diagnostic> {
    let (on, off) = (signal.on.as_ref()?, signal.off.as_ref()?);
    let mut columns = checked.columns.clone();
    columns.extend(checked.beside.columns.iter().cloned());
    let mut mentions = Mentions::default();
    mentions.add_cond(&on.node);
    mentions.add_cond(&off.node);
    let space = Space::build(columns, &mentions).ok()?;
    let (turns_on, turns_off) = (boxes_of(&space, &on.node).ok()?, boxes_of(&space, &off.node).ok()?);
    let title = |how: &str| format!("the thresholds of signal `{}` {how}", signal.name);
    let crossing = turns_on.iter().find_map(|one| turns_off.iter().find_map(|other| one.and(other)));
    let found = match crossing {
        Some(_) => Diagnostic::new(&R822, off.span, title("cross")).here("holds together with `on when`"),
        None if touch(&space, &turns_on, &turns_off) => {
            Diagnostic::new(&R822, off.span, title("meet")).here("begins where `on when` ends")
        }
        None => return None,
    };
    let found = found.label(on.span, "turns it on");
    Some(found.help("leave a distance between the two, like `on when .. > 9s` and `off when .. < 7s`"))
}

/// Whether what turns a signal on and what turns it off are neighbors: at most one value of the only metric lies between.
fn touch(space: &Space, on: &[AtomBox], off: &[AtomBox]) -> bool {
    let only = |areas: &[AtomBox]| {
        let mut columns = areas.iter().flat_map(|area| area.sets().iter().map(|(column, _)| *column));
        let first = columns.next()?;
        columns.all(|column| column == first).then_some(first)
    };
    let (Some(column), Some(same)) = (only(on), only(off)) else { return false };
    if column != same || !matches!(space.column(column).domain, Domain::Metric(_)) {
        return false;
    }
    let values = |areas: &[AtomBox]| {
        let sets = areas.iter().filter_map(|area| area.get(column).cloned());
        sets.fold(AtomSet::empty(space.count(column)), |all, set| all.or(&set))
    };
    let (on, off) = (values(on), values(off));
    let bounds = |atom| space.atoms(column).bounds(atom);
    let near = |(low, high): (u64, u64), (from, to): (u64, u64)| {
        from.checked_sub(high).or(low.checked_sub(to)).is_some_and(|distance| distance <= 2)
    };
    let pairs = on.iter().flat_map(|one| off.iter().map(move |other| (one, other)));
    pairs.filter_map(|(one, other)| Some(near(bounds(one)?, bounds(other)?))).any(|touching| touching)
}
