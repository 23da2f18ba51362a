//! What a test says to be decided as a logged request was.
//!
//! In: a replayed request, and what must come of it. Out: `given` and `request` statements. Must not know: logs, expectations.

use std::fmt::Write as _;
use std::sync::Arc;

use jiff::civil::Date;

use crate::catalog::Catalog;
use crate::policy::atoms::Atoms;
use crate::policy::checked::{
    AttributeDomain, AttributeValue, BudgetId, Checked, ClassifierId, ColumnId, MetricId, Modality, Observed,
    RolloutId, RuleId, SnapshotId, Subject, TierId, UNKNOWN,
};
use crate::policy::explain::{Asked, Asker};
use crate::policy::facts::{Facts, Priority};
use crate::policy::plan::{Action, Plan, bucket, plan};
use crate::policy::prove::Options;
use crate::policy::replay::Replay;
use crate::policy::shown::{measured, time_of};
use crate::policy::test::{Input, Prover, Question, decided, lacking};
use crate::policy::tree::Tree;
use crate::units::{Share, Tokens};

/// What must come of a request.
pub(super) struct Goal {
    rule: RuleId,
    /// The tier and the hops, where they must be the same.
    pub chain: Option<(Option<TierId>, Vec<SnapshotId>)>,
}

impl Goal {
    pub fn of(plan: &Plan, chain: bool) -> Self {
        Self { rule: plan.rule, chain: chain.then(|| (plan.tier, hops(plan))) }
    }
}

fn hops(plan: &Plan) -> Vec<SnapshotId> {
    match &plan.action {
        Action::Run(run) => run.hops.iter().map(|hop| hop.snapshot).collect(),
        Action::Reject { .. } => Vec::new(),
    }
}

/// Name and value of an input, as `explain` takes them.
type Pair = (String, String);

/// How a request is told. The first that decides alike is taken.
#[derive(Clone, Copy)]
struct Manner {
    /// Whether a tenant is named; else its plan and its residency are.
    tenant: bool,
    /// Whether a requested model is written as what it resolves to; else as a text that the policy's tests cannot tell from it.
    resolved: bool,
    /// Whether a stage is given as it was; else as 100% for whom it takes in, and 0% for whom it does not.
    staged: bool,
}

impl Manner {
    fn all() -> impl Iterator<Item = Self> {
        (0..8).map(|bits| Self { tenant: bits & 4 != 0, resolved: bits & 2 == 0, staged: bits & 1 != 0 })
    }
}

/// States requests of one policy.
pub(super) struct Teller<'a> {
    tree: &'a Tree,
    asker: Asker<'a>,
    prover: Prover<'a>,
    today: Date,
}

impl<'a> Teller<'a> {
    pub fn new(tree: &'a Tree, catalog: &'a Arc<Catalog>, options: Options) -> Result<Self, String> {
        let asker = Asker::new(tree, catalog).map_err(|refusal| refusal.to_string())?;
        let prover = Prover::new(tree, catalog, options).ok_or("the policy is too wide to be analyzed")?;
        Ok(Self { tree, asker, prover, today: options.today.unwrap_or(Date::MIN) })
    }

    /// The statements, ready to stand in a test; `None` when no statement gives the same.
    pub fn statement(&mut self, replay: &Replay, goal: &Goal) -> Option<String> {
        let mut pairs = Manner::all().find_map(|manner| {
            let pairs = self.pairs(replay, manner);
            self.gives(&pairs, goal).then_some(pairs)
        })?;
        for at in (0..pairs.len()).rev() {
            let mut fewer = pairs.clone();
            fewer.remove(at);
            if self.gives(&fewer, goal) {
                pairs = fewer;
            }
        }
        for at in 0..pairs.len() {
            let number = pairs[at].1.parse::<u64>();
            for round in number.into_iter().flat_map(rounder) {
                let mut rounded = pairs.clone();
                rounded[at].1 = round.to_string();
                if self.gives(&rounded, goal) {
                    pairs = rounded;
                    break;
                }
            }
        }
        Some(written(self.tree.checked(), &pairs))
    }

    /// Whether a test that says this and no more says enough, and gets that.
    fn gives(&mut self, pairs: &[Pair], goal: &Goal) -> bool {
        let Ok(asked) = self.asker.ask(self.today, pairs) else { return false };
        let decision = decided(self.tree, &asked);
        if decision.rule != Some(goal.rule) {
            return false;
        }
        let inputs: Vec<Input> = pairs.iter().map(|(name, value)| Input::said(name, value)).collect();
        if let Some(chain) = &goal.chain
            && (!self.plans(&asked, goal.rule, chain) || !lacking(self.tree, &asked, goal.rule, &inputs).is_empty())
        {
            return false;
        }
        let question = Question { asked: &asked, inputs: &inputs, any: &[] };
        !self.prover.impossible(&question)
            && self.prover.missing(&question, decision.rule, &decision.reads).is_ok_and(|missing| missing.is_empty())
    }

    fn plans(&self, asked: &Asked, rule: RuleId, chain: &(Option<TierId>, Vec<SnapshotId>)) -> bool {
        let mut prompt = asked.prompt_tokens;
        let plan = plan(self.tree, rule, &asked.facts, &mut prompt, &asked.readings, &|_| None);
        plan.tier == chain.0 && hops(&plan) == chain.1
    }

    fn pairs(&self, replay: &Replay, manner: Manner) -> Vec<Pair> {
        let checked = self.tree.checked();
        let mut pairs = Vec::new();
        self.readings(checked, replay, manner, &mut pairs);
        self.identity(checked, &replay.facts, manner, &mut pairs);
        let prompt = replay.prompt.likely().min(checked.max_prompt.0);
        pairs.push(("prompt_tokens".to_owned(), prompt.to_string()));
        self.form(checked, &replay.facts, manner, &mut pairs);
        pairs
    }

    /// Who asks.
    fn identity(&self, checked: &Checked, facts: &Facts, manner: Manner, pairs: &mut Vec<Pair>) {
        let mut say = |name: &str, value: &str| pairs.push((name.to_owned(), value.to_owned()));
        let row = facts.tenant.and_then(|id| checked.tenants.get(id.index())).filter(|_| manner.tenant);
        if let Some(row) = row {
            say("tenant", &row.name);
        }
        if let Some(plan) = facts.plan.filter(|_| row.is_none_or(|row| row.plan.is_none())) {
            say("plan", &checked.plans[usize::from(plan)]);
        }
        if row.is_none_or(|row| row.residency.is_none())
            && let Some(residency) = checked.residencies.get(usize::from(facts.residency))
        {
            say("residency", &residency.name);
        }
        if let Some(feature) = facts.feature.and_then(|at| checked.features.get(usize::from(at))) {
            say("feature", &feature.name);
        }
        if let Some(user) = self.alike(self.tree.space().find(Subject::User), &facts.user) {
            say("user", &user);
        }
        if self.tree.space().find(Subject::Region).is_some() && !facts.region.is_empty() {
            say("region", &facts.region);
        }
    }

    /// What is asked.
    fn form(&self, checked: &Checked, facts: &Facts, manner: Manner, pairs: &mut Vec<Pair>) {
        let mut say = |name: &str, value: String| pairs.push((name.to_owned(), value));
        say("endpoint", facts.endpoint.word().to_owned());
        let resolved = facts.requested_snapshot.as_ref().map(ToString::to_string).filter(|_| manner.resolved);
        let alike = || self.alike(self.tree.space().find(Subject::RequestedModel), &facts.requested_model);
        if let Some(model) = resolved.or_else(alike) {
            say("requested_model", model);
        }
        if facts.max_tokens > 0 {
            say("max_tokens", facts.max_tokens.to_string());
        }
        for (name, holds) in
            [("streaming", facts.streaming), ("tools", facts.tools), ("json_schema", facts.json_schema)]
        {
            if holds {
                say(name, "yes".to_owned());
            }
        }
        let members: Vec<&str> = facts.modality.iter().map(Modality::word).collect();
        if members != ["text"] {
            say("modality", format!("[{}]", members.join(", ")));
        }
        if facts.priority != Priority::Interactive {
            say("priority", facts.priority.word().to_owned());
        }
        for (at, (attribute, value)) in checked.attributes.iter().zip(&facts.attributes).enumerate() {
            let value = match (value, &attribute.domain) {
                (AttributeValue::OneOf(value), AttributeDomain::OneOf(names)) => {
                    names.get(*value as usize).map(ToString::to_string)
                }
                (AttributeValue::Number(value), _) => Some(value.to_string()),
                (AttributeValue::YesOrNo(value), _) => Some(if *value { "yes" } else { "no" }.to_owned()),
                (AttributeValue::Text(value), _) => {
                    self.alike(self.tree.space().find(Subject::Attribute(at as u16)), value)
                }
                (AttributeValue::OneOf(_), _) => None,
            };
            if let Some(value) = value {
                say(&attribute.name, value);
            }
        }
    }

    /// What memory and the clock said.
    fn readings(&self, checked: &Checked, replay: &Replay, manner: Manner, pairs: &mut Vec<Pair>) {
        let readings = &replay.readings;
        let moving = &checked.moving;
        let mut say = |name: &str, value: String| pairs.push((name.to_owned(), value));
        let on = |on: bool| if on { "on" } else { "off" }.to_owned();
        say("now", format!("{}T{}", readings.today, time_of(readings.minute_of_week.into())));
        for (at, one) in moving.budgets.iter().enumerate() {
            say(&one.name, readings.budget(BudgetId(at as u16)).word().to_owned());
        }
        for (at, one) in moving.switches.iter().enumerate() {
            say(&one.name, on(readings.switch(checked, at as u16)));
        }
        for (at, one) in moving.signals.iter().enumerate() {
            say(&one.name, on(readings.signal(at as u16)));
        }
        for column in self.tree.space().columns() {
            let Subject::Metric(at) = column.subject else { continue };
            if let Some(metric) = moving.metrics.get(usize::from(at)) {
                say(&column.name, exact(metric.observed, readings.metric(MetricId(at))));
            }
        }
        for (at, one) in moving.classifiers.iter().enumerate() {
            let label = readings.label(ClassifierId(at as u16)).and_then(|label| one.labels.get(usize::from(label)));
            say(&one.name, label.map_or_else(|| "unsure".to_owned(), ToString::to_string));
        }
        for (at, one) in moving.rollouts.iter().enumerate() {
            let stage = match (readings.stage(RolloutId(at as u16)), manner.staged) {
                (stage, true) => stage,
                (stage, false) if bucket(checked, one, &replay.facts, readings) < stage.0 => Share::WHOLE,
                (_, false) => Share(0),
            };
            say(&format!("rollout {}", one.name), stage.to_string());
        }
    }

    /// A text that no condition can tell from what a caller wrote; `None` where no condition looks.
    fn alike(&self, column: Option<ColumnId>, text: &str) -> Option<String> {
        let atoms = self.tree.space().atoms(column?);
        let Atoms::Text(texts) = atoms else { return None };
        texts.example(atoms.of_text(text)).filter(|text| !text.is_empty())
    }
}

/// A metric's value without rounding.
fn exact(observed: Observed, value: u64) -> String {
    match observed {
        Observed::P95 if value != UNKNOWN => format!("{value}ms"),
        _ => measured(observed, value),
    }
}

/// Rounder numbers that are not larger, roundest first.
fn rounder(number: u64) -> impl Iterator<Item = u64> {
    let digits = number.checked_ilog10().unwrap_or(0);
    (0..2).filter_map(move |kept| digits.checked_sub(kept).filter(|cut| *cut > 0)).map(move |cut| {
        let unit = 10u64.pow(cut);
        number / unit * unit
    })
}

/// As statements of a test.
fn written(checked: &Checked, pairs: &[Pair]) -> String {
    let moving = &checked.moving;
    let mut text = String::new();
    let mut settings = Vec::new();
    for (name, value) in pairs {
        let is = |one: &Arc<str>| **one == **name;
        let given = if name == "now" {
            format!("now {}", value.replace('T', " "))
        } else if moving.budgets.iter().any(|one| is(&one.name)) {
            format!("budget {name} is {value}")
        } else if name.starts_with("rollout ") {
            format!("{name} at {value}")
        } else if moving.switches.iter().map(|one| &one.name).any(is)
            || moving.signals.iter().map(|one| &one.name).any(is)
            || name.contains(" of ")
        {
            format!("{name} is {value}")
        } else {
            settings.push(format!("{name} {}", setting(name, value)));
            continue;
        };
        let _ = writeln!(text, "  given {given}");
    }
    match settings.iter().map(|one| one.len() + 2).sum::<usize>() {
        0 => {}
        // The room that a line of a test has for what stands between the braces.
        width if width <= 80 => {
            let _ = writeln!(text, "  request {{ {} }}", settings.join(", "));
        }
        _ => {
            let lines: Vec<String> = settings.iter().map(|one| format!("    {one}\n")).collect();
            let _ = writeln!(text, "  request {{\n{}  }}", lines.concat());
        }
    }
    text
}

/// A value as a setting takes it: a word, a number, a model or a list as it is, and any other text in quotes.
fn setting(name: &str, value: &str) -> String {
    if matches!(name, "prompt_tokens" | "max_tokens")
        && let Ok(number) = value.parse::<u64>()
    {
        return Tokens(number).to_string();
    }
    let is_word = value.starts_with(|c: char| c.is_ascii_alphabetic())
        && value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    let is_number = !value.is_empty() && value.chars().all(|c| c.is_ascii_digit());
    let is_model = name == "requested_model" && crate::names::ModelRef::parse(value).is_some();
    if is_word || is_number || is_model || name == "modality" {
        return value.to_owned();
    }
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_get_rounder_and_never_larger() {
        assert_eq!(rounder(12_345).collect::<Vec<_>>(), [10_000, 12_000]);
        assert_eq!(rounder(42).collect::<Vec<_>>(), [40]);
        assert_eq!(rounder(7).count() + rounder(0).count(), 0);
        assert_eq!(rounder(u64::MAX).next(), Some(10_000_000_000_000_000_000));
    }

    #[test]
    fn what_is_no_word_stands_in_quotes() {
        assert_eq!(setting("tenant", "acme"), "acme");
        assert_eq!(setting("tenant", "Acme \"North\" GmbH"), r#""Acme \"North\" GmbH""#);
        assert_eq!(setting("requested_model", "openai/gpt-5.4-2026-03-05"), "openai/gpt-5.4-2026-03-05");
        assert_eq!(setting("user", "openai/gpt"), "\"openai/gpt\"");
        assert_eq!(setting("prompt_tokens", "8000"), "8k");
    }
}
