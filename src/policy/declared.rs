//! What moves beside the rules, by names and in words, so that two policies can be compared.
//!
//! In: a policy. Out: its budgets, switches, signals, classifiers, judges, guards, rollouts, drills, guarantees and queues, clause
//! by clause; what differs between two. Must not know: places in files, decisions (those are compared by outcome).

use std::fmt::Write as _;
use std::sync::Arc;

use serde::Serialize;

use super::atoms::WEEK;
use super::checked::{
    Amount, Asked, BudgetId, Checked, Clause, Cond, Domain, Each, GuardId, GuardStep, Held, JudgeId, Observed,
    Pretended, Read, Seen, SnapshotId, Step, Sticky, Subject, TextPattern, UNKNOWN, Values, Who,
};
use super::shown::{measured, minute_of_week};
use super::source::Spanned;
use crate::units::{Millis, Share, Usd};

/// One declaration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// `budget`, `rollout` and the like.
    pub kind: &'static str,
    /// Its name.
    pub name: Arc<str>,
    /// What it says, by the word of each clause, in a fixed order. Owners are left out: they change nothing.
    pub says: Vec<(&'static str, String)>,
}

/// How a declaration differs between two policies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// Only the new policy has it.
    Added(Part),
    /// Only the old policy has it.
    Removed(Part),
    /// Both have it and it says something else.
    Changed { kind: &'static str, name: Arc<str>, clauses: Vec<Reworded> },
}

/// One clause that differs; `None` where it is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reworded {
    /// Its word.
    pub clause: &'static str,
    /// In the old policy.
    pub was: Option<String>,
    /// In the new policy.
    pub now: Option<String>,
}

/// What of two policies' moving parts differs, in the order of the new policy, then what is gone. Declarations are the same when
/// kind and name are.
pub fn differences(was: &Checked, now: &Checked) -> Vec<Change> {
    let (old, new) = (parts(was), parts(now));
    let same =
        |list: &[Part], part: &Part| list.iter().position(|other| other.kind == part.kind && other.name == part.name);
    let mut changes = Vec::new();
    for part in &new {
        let Some(before) = same(&old, part).map(|at| &old[at]) else {
            changes.push(Change::Added(part.clone()));
            continue;
        };
        let clauses = reworded(before, part);
        if !clauses.is_empty() {
            changes.push(Change::Changed { kind: part.kind, name: part.name.clone(), clauses });
        }
    }
    changes.extend(old.iter().filter(|part| same(&new, part).is_none()).cloned().map(Change::Removed));
    changes
}

fn reworded(was: &Part, now: &Part) -> Vec<Reworded> {
    let said = |part: &Part, clause: &str| -> Vec<String> {
        part.says.iter().filter(|(word, _)| *word == clause).map(|(_, text)| text.clone()).collect()
    };
    let mut words: Vec<&'static str> = now.says.iter().chain(&was.says).map(|(word, _)| *word).collect();
    let mut seen = Vec::new();
    words.retain(|word| {
        !seen.contains(word) && {
            seen.push(*word);
            true
        }
    });
    let mut clauses = Vec::new();
    for clause in words {
        let (before, after) = (said(was, clause), said(now, clause));
        if before != after {
            let text = |list: Vec<String>| (!list.is_empty()).then(|| list.join("; "));
            clauses.push(Reworded { clause, was: text(before), now: text(after) });
        }
    }
    clauses
}

/// Every moving part of a policy, in the order of its tables.
pub fn parts(checked: &Checked) -> Vec<Part> {
    let by_names = Names { checked };
    let moving = &checked.moving;
    let count = |list: usize| 0..list;
    let mut parts = Vec::new();
    parts.extend(count(moving.budgets.len()).map(|at| by_names.budget(at)));
    parts.extend(count(moving.switches.len()).map(|at| by_names.switch(at)));
    parts.extend(count(moving.signals.len()).map(|at| by_names.signal(at)));
    parts.extend(count(moving.classifiers.len()).map(|at| by_names.classifier(at)));
    parts.extend(count(moving.judges.len()).map(|at| by_names.judge(at)));
    parts.extend(count(moving.guards.len()).map(|at| by_names.guard(at)));
    parts.extend(count(moving.rollouts.len()).map(|at| by_names.rollout(at)));
    parts.extend(count(moving.drills.len()).map(|at| by_names.drill(at)));
    parts.extend(count(moving.guarantees.len()).map(|at| by_names.guarantee(at)));
    parts.extend(count(checked.queues.len()).map(|at| by_names.queue(at)));
    parts
}

/// Looks names up.
struct Names<'a> {
    checked: &'a Checked,
}

/// Clauses as they are collected.
#[derive(Default)]
struct Says(Vec<(&'static str, String)>);

impl Says {
    fn say(&mut self, clause: &'static str, text: impl Into<String>) {
        self.0.push((clause, text.into()));
    }

    fn maybe(&mut self, clause: &'static str, text: Option<String>) {
        self.0.extend(text.map(|text| (clause, text)));
    }
}

/// A duration without rounding: what is compared must differ wherever it differs.
fn time(time: Millis) -> String {
    let shown = time.to_string();
    if shown.parse() == Ok(time) { shown } else { format!("{}ms", time.0) }
}

/// An amount of money without rounding.
fn money(amount: Usd) -> String {
    const MICRO: u64 = 1_000_000;
    if amount.0.is_multiple_of(MICRO) { format!("${amount}") } else { format!("${}e-12", amount.0) }
}

fn shares(share: Option<&Spanned<Share>>) -> Option<String> {
    share.map(|share| share.node.to_string())
}

impl Names<'_> {
    fn snapshot(&self, id: SnapshotId) -> String {
        self.checked.snapshots[id.index()].model.to_string()
    }

    fn budget_name(&self, budget: Option<Spanned<BudgetId>>) -> Option<String> {
        budget.map(|id| self.checked.moving.budgets[id.node.index()].name.to_string())
    }

    fn judge_name(&self, judge: Option<Spanned<JudgeId>>) -> Option<String> {
        judge.map(|id| self.checked.moving.judges[id.node.index()].name.to_string())
    }

    fn guard_name(&self, id: GuardId) -> String {
        self.checked.moving.guards[id.index()].name.to_string()
    }

    fn attribute(&self, at: u16) -> String {
        self.checked.attributes[usize::from(at)].name.to_string()
    }

    fn cond(&self, clause: Option<&Clause>) -> Option<String> {
        clause.map(|clause| condition(self.checked, &clause.node))
    }

    fn budget(&self, at: usize) -> Part {
        let one = &self.checked.moving.budgets[at];
        let mut says = Says::default();
        says.maybe("covers", self.cond(one.covers.as_ref()));
        let amount = match one.limit.node.amount {
            Amount::Usd(amount) => money(amount),
            Amount::Tokens(tokens) => format!("{tokens} tokens"),
            Amount::Requests(count) => format!("{count} requests"),
        };
        says.say("limit", format!("{amount} per {}", one.limit.node.period.word()));
        says.maybe(
            "each",
            one.each.map(|each| match each.node {
                Each::Tenant => "tenant".to_owned(),
                Each::User => "user".to_owned(),
                Each::Feature => "feature".to_owned(),
                Each::Attribute(at) => self.attribute(at),
            }),
        );
        says.maybe("warn at", shares(one.warn.as_ref()));
        says.maybe("carry", shares(one.carry.as_ref()));
        Part { kind: "budget", name: one.name.clone(), says: says.0 }
    }

    fn switch(&self, at: usize) -> Part {
        let one = &self.checked.moving.switches[at];
        let says = vec![("default", if one.default { "on" } else { "off" }.to_owned())];
        Part { kind: "switch", name: one.name.clone(), says }
    }

    fn signal(&self, at: usize) -> Part {
        let one = &self.checked.moving.signals[at];
        let mut says = Says::default();
        says.maybe("on when", self.cond(one.on.as_ref()));
        says.say("on after", time(one.on_after));
        says.maybe("off when", self.cond(one.off.as_ref()));
        says.say("off after", time(one.off_after));
        says.maybe("probe", shares(one.probe.as_ref()));
        Part { kind: "signal", name: one.name.clone(), says: says.0 }
    }

    fn asked(&self, says: &mut Says, asked: Option<&Spanned<Asked>>) {
        match asked.map(|asked| &asked.node) {
            Some(Asked::Snapshot(id)) => says.say("snapshot", self.snapshot(*id)),
            Some(Asked::Webhook(name)) => says.say("webhook", name.to_string()),
            None => {}
        }
    }

    fn classifier(&self, at: usize) -> Part {
        let one = &self.checked.moving.classifiers[at];
        let mut says = Says::default();
        says.say("labels", one.labels.join(", "));
        self.asked(&mut says, one.asked.as_ref());
        says.say("timeout", time(one.timeout.node));
        says.maybe("floor", shares(one.floor.as_ref()));
        for Read { seen, up_to, .. } in &one.reads {
            let what = match seen {
                Seen::LastMessage => "last_message".to_owned(),
                Seen::System => "system".to_owned(),
                Seen::Metadata(key) => format!("metadata.{key}"),
            };
            says.say("reads", up_to.map_or(what.clone(), |most| format!("{what} up to {most}")));
        }
        says.maybe("cache for", one.cache.map(|fresh| time(fresh.node)));
        says.maybe("budget", self.budget_name(one.budget));
        says.maybe("guard", one.guard.map(|id| self.guard_name(id.node)));
        Part { kind: "classifier", name: one.name.clone(), says: says.0 }
    }

    fn judge(&self, at: usize) -> Part {
        let one = &self.checked.moving.judges[at];
        let mut says = Says::default();
        self.asked(&mut says, one.asked.as_ref());
        says.maybe("rubric", one.rubric.as_ref().map(|text| text.node.to_string()));
        says.say("sample", one.sample.node.to_string());
        says.say("timeout", time(one.timeout.node));
        says.maybe("budget", self.budget_name(one.budget));
        Part { kind: "judge", name: one.name.clone(), says: says.0 }
    }

    fn guard(&self, at: usize) -> Part {
        let one = &self.checked.moving.guards[at];
        let mut says = Says::default();
        for GuardStep { step, side, .. } in &one.steps {
            let side = format!("{side:?}").to_lowercase();
            let kinds = |list: &[super::checked::SensitiveKind]| {
                list.iter().map(|kind| kind.word().to_owned()).collect::<Vec<_>>().join(", ")
            };
            match step {
                Step::Redact(list) => says.say("redact", format!("[{}] in {side}", kinds(list))),
                Step::Block(list) => says.say("block", format!("[{}] in {side}", kinds(list))),
                Step::Webhook { name, timeout, on_failure } => {
                    let failure = format!("{on_failure:?}").to_lowercase();
                    let timeout = time(*timeout);
                    says.say("webhook", format!("{name} in {side}, timeout {timeout}, on failure {failure}"));
                }
            }
        }
        Part { kind: "guard", name: one.name.clone(), says: says.0 }
    }

    fn rollout(&self, at: usize) -> Part {
        let one = &self.checked.moving.rollouts[at];
        let mut says = Says::default();
        says.maybe("after", one.after.map(|id| self.checked.moving.rollouts[id.node.index()].name.to_string()));
        says.say("replace", self.snapshot(one.replace.node));
        says.say("with", self.snapshot(one.with.node));
        says.maybe("where", self.cond(one.within.as_ref()));
        says.maybe(
            "by",
            one.by.map(|by| match by.node {
                Sticky::Tenant => "tenant".to_owned(),
                Sticky::User => "user".to_owned(),
                Sticky::Attribute(at) => self.attribute(at),
            }),
        );
        if let Some(shadow) = &one.shadow {
            let budget = self.budget_name(shadow.budget).map(|name| format!(", budget {name}")).unwrap_or_default();
            says.say("shadow first", format!("{} for {}{budget}", shadow.share, time(shadow.lasts)));
        }
        says.maybe("scored by", self.judge_name(one.scored_by));
        let stages: Vec<String> = one.stages.iter().map(|stage| stage.node.to_string()).collect();
        says.say("stages", stages.join(", "));
        says.say("hold", time(one.hold.node));
        says.maybe("halt when", self.cond(one.halt.as_ref()));
        Part { kind: "rollout", name: one.name.clone(), says: says.0 }
    }

    fn drill(&self, at: usize) -> Part {
        let one = &self.checked.moving.drills[at];
        let mut says = Says::default();
        for pretend in &one.pretend {
            let who = match &pretend.who {
                Who::Provider(name) => name.to_string(),
                Who::Snapshot(id) => self.snapshot(*id),
            };
            let what = match pretend.what {
                Pretended::Down => "down".to_owned(),
                Pretended::Gives(failure) => format!("gives {}", failure.word()),
            };
            says.say("pretend", format!("{who} {what}"));
        }
        says.maybe("where", self.cond(one.within.as_ref()));
        says.say("share", one.share.node.to_string());
        says.maybe(
            "every",
            one.schedule.map(|every| {
                let minute = u64::from(every.minute);
                let at = every.day.map_or_else(
                    || super::shown::time_of(minute),
                    |day| minute_of_week(u64::from(day) * 1440 + minute),
                );
                format!("{} at {at} for {}", time(every.every), time(every.lasts))
            }),
        );
        says.maybe("expect", one.expect.map(|expect| format!("served >= {}", expect.served.node)));
        Part { kind: "drill", name: one.name.clone(), says: says.0 }
    }

    fn guarantee(&self, at: usize) -> Part {
        let one = &self.checked.moving.guarantees[at];
        let mut says = Says::default();
        says.maybe("for", self.cond(one.over.as_ref()));
        for clause in &one.clauses {
            says.say("holds", self.held(&clause.node));
        }
        Part { kind: "guarantee", name: one.name.clone(), says: says.0 }
    }

    /// A clause of a guarantee as a policy writes it.
    fn held(&self, held: &Held) -> String {
        let list = |names: Vec<String>| format!("[{}]", names.join(", "));
        let texts = |names: &[Arc<str>]| list(names.iter().map(ToString::to_string).collect());
        match held {
            Held::HopsInRegion(regions) => format!("every hop in region {}", texts(regions)),
            Held::HopsHaveZeroRetention => "every hop has retention zero".to_owned(),
            Held::NeverTier(tiers) => {
                let name = |id: &super::checked::TierId| self.checked.tiers[id.index()].name.to_string();
                format!("never tier {}", list(tiers.iter().map(name).collect()))
            }
            Held::NeverSnapshot(ids) => {
                format!("never snapshot {}", list(ids.iter().map(|id| self.snapshot(*id)).collect()))
            }
            Held::NeverProvider(names) => format!("never provider {}", texts(names)),
            Held::Providers { at_least } => format!("providers >= {at_least}"),
            Held::EndsIn(endings) => {
                format!("ends in {}", list(endings.iter().map(|ending| ending.word().to_owned()).collect()))
            }
            Held::WorstCost(most) => format!("worst_cost <= {}", money(*most)),
            Held::WorstTime(most) => format!("worst_time <= {}", time(*most)),
            Held::NeverCached => "never cached".to_owned(),
            Held::Guarded(id) => format!("guard {}", self.guard_name(*id)),
            Held::SameFamily => "same family".to_owned(),
        }
    }

    fn queue(&self, at: usize) -> Part {
        let one = &self.checked.queues[at];
        if one.staffed == [(0, WEEK)] {
            return Part { kind: "queue", name: one.name.clone(), says: vec![("staffed", "always".to_owned())] };
        }
        let times = one.staffed.iter().map(|(from, to)| format!("{}..{}", minute_of_week(*from), minute_of_week(*to)));
        Part { kind: "queue", name: one.name.clone(), says: vec![("staffed", times.collect::<Vec<_>>().join(", "))] }
    }
}

/// A clause of a guarantee as a policy writes it: `never tier [small]`.
pub fn held(checked: &Checked, held: &Held) -> String {
    Names { checked }.held(held)
}

/// A condition in the words of a policy, with its defines written out: `plan is free and not (feature is refund)`.
pub fn condition(checked: &Checked, cond: &Cond) -> String {
    let mut text = String::new();
    write_cond(checked, cond, false, &mut text);
    text
}

fn write_cond(checked: &Checked, cond: &Cond, inside: bool, text: &mut String) {
    let mut joined = |parts: &[Cond], word: &str| {
        let open = inside && parts.len() > 1;
        text.push_str(if open { "(" } else { "" });
        for (at, part) in parts.iter().enumerate() {
            text.push_str(if at > 0 { word } else { "" });
            write_cond(checked, part, true, text);
        }
        text.push_str(if open { ")" } else { "" });
    };
    match cond {
        Cond::True => text.push_str("always"),
        Cond::Any(parts) if parts.is_empty() => text.push_str("never"),
        Cond::Any(parts) => joined(parts, " or "),
        Cond::All(parts) => joined(parts, " and "),
        Cond::Not(part) => {
            text.push_str("not ");
            write_cond(checked, part, true, text);
        }
        Cond::Test { column, values, .. } => match checked.column(*column) {
            Some(column) => write_test(checked, column, values, text),
            None => text.push('?'),
        },
    }
}

fn write_test(checked: &Checked, column: &super::checked::Column, values: &Values, text: &mut String) {
    let word = match column.subject {
        Subject::Budget(_) => format!("budget {}", column.name),
        _ => column.name.to_string(),
    };
    let list = |names: Vec<String>| match names.as_slice() {
        [one] => format!("{word} is {one}"),
        many => format!("{word} in [{}]", many.join(", ")),
    };
    let said = match values {
        Values::Bool(true) => word.clone(),
        Values::Bool(false) => format!("not {word}"),
        Values::Enum(set) => {
            let Domain::Enum { values, .. } = &column.domain else { return };
            list(set.iter().filter_map(|at| values.get(*at as usize)).map(ToString::to_string).collect())
        }
        Values::Ranges(ranges) => {
            let ranges: Vec<String> = ranges.iter().map(|range| range_words(checked, column, *range)).collect();
            format!("{word} is {}", ranges.join(" or "))
        }
        Values::Text(patterns) => {
            let shown = |one: &TextPattern| format!("\"{}{}\"", one.text, if one.prefix { "*" } else { "" });
            list(patterns.iter().map(shown).collect())
        }
    };
    let _ = write!(text, "{said}");
}

fn range_words(checked: &Checked, column: &super::checked::Column, (from, to): (u64, u64)) -> String {
    let observed = match column.subject {
        Subject::Metric(at) => checked.moving.metrics.get(usize::from(at)).map(|metric| metric.observed),
        _ => None,
    };
    let shown = |value: u64| match (&column.domain, observed) {
        (Domain::Clock, _) => minute_of_week(value),
        (_, Some(Observed::P95)) => time(Millis(value)),
        (_, Some(observed)) => measured(observed, value),
        _ => value.to_string(),
    };
    match observed.map_or(u64::MAX, Observed::most) {
        _ if from == UNKNOWN => "unknown".to_owned(),
        most if to > most => format!("{} or more", shown(from)),
        _ => format!("{}..{}", shown(from), shown(to)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, says: &[(&'static str, &str)]) -> Part {
        Part {
            kind: "budget",
            name: name.into(),
            says: says.iter().map(|(word, text)| (*word, (*text).into())).collect(),
        }
    }

    #[test]
    fn what_is_compared_is_never_rounded() {
        assert_eq!(
            (time(Millis(1_500)), time(Millis(1_234)), time(Millis::secs(60))),
            ("1500ms".into(), "1234ms".into(), "1m".into())
        );
        assert_eq!((money(Usd(20_000_000_000)), money(Usd(1))), ("$0.02".into(), "$1e-12".into()));
    }

    #[test]
    fn a_clause_that_is_gone_and_one_that_is_new_are_told_apart() {
        let was = part("day", &[("limit", "$5.00 per day"), ("carry", "10%")]);
        let now = part("day", &[("limit", "$6.00 per day"), ("warn at", "80%")]);
        let told = reworded(&was, &now);
        let told: Vec<(&str, Option<&str>, Option<&str>)> =
            told.iter().map(|one| (one.clause, one.was.as_deref(), one.now.as_deref())).collect();
        assert_eq!(
            told,
            [
                ("limit", Some("$5.00 per day"), Some("$6.00 per day")),
                ("warn at", None, Some("80%")),
                ("carry", Some("10%"), None)
            ]
        );
        assert_eq!(reworded(&was, &was), []);
    }
}
