//! Budgets: what they cover, what they can hold, and what changes when they are spent (R601 to R604, R606 to R609).
//!
//! In: budgets, and what requests of each rule reach. Out: findings. Must not know: what was spent.

use jiff::civil::Date;

use super::super::atom_set::AtomSet;
use super::super::atoms::Mentions;
use super::super::boxes::AtomBox;
use super::super::checked::{Amount, Budget, BudgetId, Checked, ColumnId, Cond, Outcome, RuleId, Subject, Values};
use super::super::diagnostic::{Diagnostic, R601, R602, R603, R604, R606, R607, R608, R609};
use super::super::eligible;
use super::super::source::Span;
use super::bills::Bill;
use super::bounded::{self, Features};
use super::calls::{Call, Via, calls};
use super::find::{Found, find};
use super::limits::chain_of;
use super::witness::Claim;
use super::{Proof, Stop, both};
use crate::units::{Tokens, Usd};

/// Positions in a budget's column.
const OK: u32 = 0;
const WARN: u32 = 1;
const SPENT: u32 = 2;

impl Proof<'_> {
    pub(super) fn budgets(&mut self, findings: &mut Vec<Diagnostic>) -> Result<(), Stop> {
        let checked = self.checked;
        for (at, budget) in checked.moving.budgets.iter().enumerate() {
            let id = BudgetId(at as u16);
            findings.extend(never_warns(checked, id, budget));
            findings.extend(self.spent_changes_nothing(id, budget)?);
            let Some(areas) = self.covered(id) else { continue };
            findings.extend(never_read(checked, id, budget));
            findings.extend(self.counts(budget, &areas)?);
            findings.extend(self.below_one(budget, &areas)?);
            findings.extend(self.overlap(id, budget, &areas)?);
        }
        self.partly_budgeted(findings)
    }

    /// The requests a budget counts; `None` where it counts only what names it.
    fn covered(&self, id: BudgetId) -> Option<Vec<AtomBox>> {
        let budget = &self.checked.moving.budgets[id.index()];
        if budget.covers.is_none() && is_named(self.checked, id) {
            return None;
        }
        Some(self.boxes_of_clause(budget.covers.as_ref()))
    }

    /// R602 and R603.
    fn counts(&mut self, budget: &Budget, areas: &[AtomBox]) -> Result<Option<Diagnostic>, Stop> {
        let checked = self.checked;
        let place = budget.covers.as_ref().map_or(budget.span, |covers| covers.span);
        let mut free: Option<Span> = None;
        for rule in self.rules() {
            let Some(chain) = chain_of(&checked.rules[rule.index()].outcome) else { continue };
            for called in self.calls_of(chain).iter().filter(|called| called.call.via != Via::Shadow) {
                let inside = both(areas, &called.among);
                if self.left_in(rule, &inside, &called.dropped)?.is_none() {
                    continue;
                }
                let facts = checked.snapshots[called.call.snapshot.index()].facts.as_deref();
                let price = facts.and_then(|entry| entry.price.as_ref());
                let costs = price.is_none_or(|price| price.input > 0.0 || price.output > 0.0);
                if costs || !matches!(budget.limit.node.amount, Amount::Usd(_)) {
                    return Ok(None);
                }
                free.get_or_insert(called.call.span);
            }
        }
        let name = &budget.name;
        Ok(Some(match free {
            Some(hop) => {
                let title = format!("budget `{name}` can never be spent: all it covers is free of charge");
                let found = Diagnostic::new(&R602, budget.limit.span, title).here("above anything that can be spent");
                found.label(hop, "costs nothing").help("count `tokens` or `requests` instead, or delete the budget")
            }
            None => {
                let title = format!("budget `{name}` covers no request that calls a model");
                let found = Diagnostic::new(&R603, place, title).here("nothing to count");
                found.help("write the `covers` that was meant, or delete the budget")
            }
        }))
    }

    /// R607: a reservation that can never fit.
    fn below_one(&mut self, budget: &Budget, areas: &[AtomBox]) -> Result<Option<Diagnostic>, Stop> {
        let checked = self.checked;
        for rule in self.rules() {
            let Some(chain) = chain_of(&checked.rules[rule.index()].outcome) else { continue };
            let reaches = self.calls_of(chain);
            let calls: Vec<Call<'_>> = reaches.iter().map(|called| called.call.clone()).collect();
            for (at, called) in reaches.iter().enumerate().filter(|(_, called)| called.call.via != Via::Shadow) {
                let bill = Bill::new(checked, chain, &calls, at, self.today);
                for (first, features) in over(checked, &bill, budget.limit.node.amount) {
                    let Some(area) = bounded::area(self, Some(first), features.as_deref(), None) else { continue };
                    let inside = both(&both(areas, &called.among), &[area]);
                    let Some(left) = self.left_in(rule, &inside, &called.dropped)? else { continue };
                    let claim = Claim { decided: Some(rule), inside: &inside, outside: &called.dropped };
                    let witness = self.witness(&left, &claim)?;
                    let title = format!("budget `{}` is smaller than one request it covers", budget.name);
                    let found = Diagnostic::new(&R607, budget.limit.span, title).here("never fits such a request");
                    let needs = format!("{} can need more for one answer", called.call.shown(checked));
                    let found = found.label(called.call.span, needs).witness(witness);
                    return Ok(Some(
                        found.help("raise the limit, or keep such requests from the hop with a rule above"),
                    ));
                }
            }
        }
        Ok(None)
    }

    /// R606: the later of two budgets that count the same request in the same unit.
    fn overlap(&mut self, id: BudgetId, budget: &Budget, areas: &[AtomBox]) -> Result<Option<Diagnostic>, Stop> {
        let checked = self.checked;
        let kind = |budget: &Budget| std::mem::discriminant(&budget.limit.node.amount);
        for earlier in (0..id.0).map(BudgetId) {
            let other = &checked.moving.budgets[earlier.index()];
            if kind(other) != kind(budget) {
                continue;
            }
            let Some(theirs) = self.covered(earlier) else { continue };
            let shared = both(areas, &theirs);
            for rule in self.rules().filter(|rule| chain_of(&checked.rules[rule.index()].outcome).is_some()) {
                let Some(left) = self.left_in(rule, &shared, &[])? else { continue };
                let claim = Claim { decided: Some(rule), inside: &shared, outside: &[] };
                let witness = self.witness(&left, &claim)?;
                let title = format!("one request is charged to budget `{}` and to `{}`", other.name, budget.name);
                let place = budget.covers.as_ref().map_or(budget.span, |covers| covers.span);
                let found = Diagnostic::new(&R606, place, title).here("covers such a request");
                let place = other.covers.as_ref().map_or(other.span, |covers| covers.span);
                let found = found.label(place, "and so does this").witness(witness);
                return Ok(Some(found.help("leave one of the two out of the other's `covers`, or allow it")));
            }
        }
        Ok(None)
    }

    /// R608: a plan whose requests are counted in one place and not in another.
    fn partly_budgeted(&mut self, findings: &mut Vec<Diagnostic>) -> Result<(), Stop> {
        let checked = self.checked;
        let Some(column) = self.space.find(Subject::Plan) else { return Ok(()) };
        let ids = (0..checked.moving.budgets.len() as u16).map(BudgetId);
        let all: Vec<(BudgetId, Vec<AtomBox>)> = ids.filter_map(|id| Some((id, self.covered(id)?))).collect();
        let cover: Vec<AtomBox> = all.iter().flat_map(|(_, areas)| areas.clone()).collect();
        for at in 0..checked.plans.len() as u32 {
            let set = self.space.set(column, &Values::Enum(vec![at]));
            let Some(plan) = AtomBox::only(&self.space, column, set) else { continue };
            // Only a budget that speaks of plans says that they are meant to be counted.
            let speaks = |areas: &[AtomBox]| {
                areas.iter().any(|one| {
                    one.get(column).is_some_and(|set| set.len() < self.space.count(column)) && one.meets(&plan)
                })
            };
            let Some((id, _)) = all.iter().find(|(_, areas)| speaks(areas)) else { continue };
            let budget = &checked.moving.budgets[id.index()];
            for rule in self.rules().filter(|rule| chain_of(&checked.rules[rule.index()].outcome).is_some()) {
                let inside = [plan.clone()];
                let Some(left) = self.left_in(rule, &inside, &cover)? else { continue };
                let claim = Claim { decided: Some(rule), inside: &inside, outside: &cover };
                let witness = self.witness(&left, &claim)?;
                let name = &checked.plans[at as usize];
                let title = format!("some requests of plan `{name}` are counted by no budget");
                let place = budget.covers.as_ref().map_or(budget.span, |covers| covers.span);
                let found = Diagnostic::new(&R608, place, title).here(format!("counts others of plan `{name}`"));
                let found = found.label(checked.rules[rule.index()].span, "decides such a request").witness(witness);
                findings.push(found.help("widen `covers`, or declare a budget for the rest"));
                break;
            }
        }
        Ok(())
    }

    /// R609: where a request lands when the budget is spent is no cheaper.
    fn spent_changes_nothing(&mut self, id: BudgetId, budget: &Budget) -> Result<Option<Diagnostic>, Stop> {
        let checked = self.checked;
        let Some(column) = self.space.find(Subject::Budget(id.0)) else { return Ok(None) };
        let state = |proof: &Self, at: u32| proof.space.set(column, &Values::Enum(vec![at]));
        let (ok, spent) = (state(self, OK), state(self, SPENT));
        for before in self.rules() {
            for after in self.rules().filter(|after| *after != before) {
                let Some(left) = self.moves(column, (before, &ok), (after, &spent))? else { continue };
                let prompt = self.largest_prompt(&left);
                let (was, is) = (self.first_cost(before, prompt), self.first_cost(after, prompt));
                let (Some(was), Some(is)) = (was, is) else { continue };
                if was == Usd::default() || is < was {
                    continue;
                }
                let Some(area) = left.with(&self.space, column, spent.clone()) else { continue };
                let claim = Claim { decided: Some(after), inside: std::slice::from_ref(&area), outside: &[] };
                let witness = self.witness(&area, &claim)?;
                let (old, new) = (&checked.rules[before.index()], &checked.rules[after.index()]);
                let title = format!("with budget `{}` spent, requests of `{}` cost no less", budget.name, old.name);
                let found = Diagnostic::new(&R609, new.span, title).here(format!("gets them then, at up to ${is}"));
                let found = found.label(old.span, format!("has them before, at up to ${was}")).witness(witness);
                return Ok(Some(
                    found.help("give them a cheaper tier, a `degrade` line or a `reject` when it is spent"),
                ));
            }
        }
        Ok(None)
    }

    /// Requests that one rule decides while a column has one value, and another rule when it has the other.
    fn moves(
        &mut self,
        column: ColumnId,
        (before, ok): (RuleId, &AtomSet),
        (after, spent): (RuleId, &AtomSet),
    ) -> Result<Option<AtomBox>, Stop> {
        let at = |area: &AtomBox, state: &AtomSet| {
            area.get(column).is_none_or(|set| set.meets(state)).then(|| area.without(column))
        };
        let limited = |proof: &Self, rule| proof.areas(rule).iter().any(|area| area.get(column).is_some());
        if !limited(self, before) && !limited(self, after) {
            return Ok(None);
        }
        let seen = |proof: &Self, rule: RuleId, state: &AtomSet| -> Vec<AtomBox> {
            proof.areas(rule).iter().filter_map(|area| at(area, state)).collect()
        };
        let parts = both(&seen(self, before, ok), &seen(self, after, spent));
        if parts.is_empty() {
            return Ok(None);
        }
        let mut cover: Vec<AtomBox> = self.boxes.invalid.iter().map(|one| one.area.clone()).collect();
        let above = |rule: RuleId| (0..rule.0).map(RuleId);
        cover.extend(above(before).flat_map(|rule| seen(self, rule, ok)).collect::<Vec<_>>());
        cover.extend(above(after).flat_map(|rule| seen(self, rule, spent)).collect::<Vec<_>>());
        let cover: Vec<&AtomBox> = cover.iter().collect();
        for part in &parts {
            let mut fuel = self.fuel;
            let found = find(&self.space, part, &cover, &mut fuel);
            self.fuel = fuel;
            match found {
                Found::Witness(left) => return Ok(Some(left)),
                Found::Covered(_) => {}
                Found::OutOfFuel => return Err(Stop::OutOfFuel),
            }
        }
        Ok(None)
    }

    fn largest_prompt(&self, area: &AtomBox) -> Tokens {
        let column = self.space.find(Subject::PromptTokens);
        let last = column.and_then(|id| {
            let atom = area.get(id)?.iter().last()?;
            self.space.atoms(id).bounds(atom)
        });
        Tokens(last.map_or(self.checked.max_prompt.0, |(_, to)| to))
    }

    /// What the first hop of a rule can cost at most; nothing for a rule without hops, `None` where nobody knows.
    fn first_cost(&self, rule: RuleId, prompt: Tokens) -> Option<Usd> {
        let Some(chain) = chain_of(&self.checked.rules[rule.index()].outcome) else { return Some(Usd::default()) };
        let calls = calls(self.checked, chain);
        let call = calls.iter().find(|call| call.via == Via::Chain)?;
        let entry = self.checked.snapshots[call.snapshot.index()].facts.as_deref()?;
        let own = eligible::largest_prompt(Some(entry), call.hop.options.max_output).unwrap_or(prompt);
        let answer = eligible::longest_answer(entry, call.hop.options.max_output)?;
        entry.worst_cost(prompt.min(own), answer, self.today)
    }
}

/// Whether a shadow, a rollout, a classifier or a judge is charged to a budget.
fn is_named(checked: &Checked, id: BudgetId) -> bool {
    let moving = &checked.moving;
    let shadows = checked.rules.iter().filter_map(|rule| match &rule.outcome {
        Outcome::Chain(chain) => chain.extras.shadow.as_ref()?.budget.as_ref(),
        Outcome::Reject { .. } => None,
    });
    let rollouts = moving.rollouts.iter().filter_map(|one| one.shadow.as_ref()?.budget.as_ref());
    let classifiers = moving.classifiers.iter().filter_map(|one| one.budget.as_ref());
    let judges = moving.judges.iter().filter_map(|one| one.budget.as_ref());
    shadows.chain(rollouts).chain(classifiers).chain(judges).any(|named| named.node == id)
}

/// R601
fn never_read(checked: &Checked, id: BudgetId, budget: &Budget) -> Option<Diagnostic> {
    if checked.columns.iter().any(|column| column.subject == Subject::Budget(id.0)) {
        return None;
    }
    let title = format!("no rule reads budget `{}`", budget.name);
    let found = Diagnostic::new(&R601, budget.span, title).here("once it is spent, what it covers is answered 429");
    Some(found.help(format!("to decide otherwise, test `budget {} is spent` in a rule", budget.name)))
}

/// R604
fn never_warns(checked: &Checked, id: BudgetId, budget: &Budget) -> Option<Diagnostic> {
    fn warned(checked: &Checked, cond: &Cond, id: BudgetId) -> Option<Span> {
        match cond {
            Cond::True => None,
            Cond::Any(parts) | Cond::All(parts) => parts.iter().find_map(|part| warned(checked, part, id)),
            Cond::Not(inner) => warned(checked, inner, id),
            Cond::Test { column, values, span } => {
                let own = checked.column(*column).is_some_and(|one| one.subject == Subject::Budget(id.0));
                (own && *values == Values::Enum(vec![WARN])).then_some(*span)
            }
        }
    }
    if budget.warn.is_some() {
        return None;
    }
    let span = checked.rules.iter().find_map(|rule| warned(checked, &rule.when, id))?;
    let title = format!("budget `{}` never warns", budget.name);
    let found = Diagnostic::new(&R604, span, title).here("never holds").label(budget.span, "has no `warn at`");
    Some(found.help("add `warn at 80%` to the budget"))
}

/// The smallest prompts whose answer alone is more than a limit, by what the features make of it. Nothing where that is unknown.
fn over(checked: &Checked, bill: &Bill<'_>, limit: Amount) -> Vec<(Tokens, Features)> {
    match limit {
        Amount::Usd(most) => bounded::over_cost(checked, bill, most).unwrap_or_default(),
        Amount::Tokens(most) => bounded::over_tokens(checked, bill, most),
        Amount::Requests(0) => vec![(Tokens(0), None)],
        Amount::Requests(_) => Vec::new(),
    }
}

/// Columns that these findings look at.
pub(super) fn subjects(checked: &Checked) -> Vec<Subject> {
    if checked.moving.budgets.is_empty() {
        return Vec::new();
    }
    let mut wanted = vec![Subject::PromptTokens, Subject::Feature];
    wanted.extend((!checked.plans.is_empty()).then_some(Subject::Plan));
    wanted
}

/// Cuts columns where a request alone is more than a budget, and where plans differ.
pub(super) fn mention(checked: &Checked, today: Date, mentions: &mut Mentions) {
    let budgets = &checked.moving.budgets;
    for chain in checked.rules.iter().filter_map(|rule| chain_of(&rule.outcome)).filter(|_| !budgets.is_empty()) {
        let calls = calls(checked, chain);
        for (at, budget) in (0..calls.len()).flat_map(|at| budgets.iter().map(move |budget| (at, budget))) {
            let bill = Bill::new(checked, chain, &calls, at, today);
            for (first, features) in over(checked, &bill, budget.limit.node.amount) {
                let tests = bounded::tests(checked, Some(first), features.as_deref(), None);
                tests.iter().for_each(|(id, values)| mentions.add(*id, values));
            }
        }
    }
    let plan = checked.columns.iter().position(|column| column.subject == Subject::Plan);
    if let (false, Some(plan)) = (budgets.is_empty(), plan) {
        (0..checked.plans.len() as u32).for_each(|at| mentions.add(ColumnId(plan as u16), &Values::Enum(vec![at])));
    }
}
