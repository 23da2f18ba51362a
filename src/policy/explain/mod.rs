//! Why one request goes where it goes: the decision with its chain, its bounds, and the rules above it that did not match.
//!
//! In: a compiled policy and a request as a person types it. Out: an [`Explanation`], as text and as JSON. Must not know: files,
//! terminals. It is the trace of the same functions that `serve` calls, never a retelling.

mod ask;
mod detail;
mod effective;
mod human;
mod json;
mod logged;
pub mod pages;
mod rollouts;

use self::ask::words;
pub use self::ask::{Asked, Asker, Mistake, Wrong, ask};
pub use self::effective::{Effective, effective};
pub use self::human::{dollars, seconds};
pub use self::logged::Compared;
use super::ast::{OnCut, Order};
use super::atom_set::AtomSet;
use super::bounds::Extra;
pub use super::bounds::{worst_time, worst_times};
use super::checked::{Chain, Checked, ColumnId, Outcome, Rule, RuleId, Similarity, Subject};
use super::decide::{Fetch, PassedOver, Tap, decide, passed_over};
use super::plan::{Action, Plan, PlannedHop, Run, plan};
use super::request::Values;
use super::tree::Tree;
use crate::units::{Tokens, Usd};

/// One decision and its reasons.
#[derive(Debug)]
pub struct Explanation<'a> {
    tree: &'a Tree,
    asked: &'a Asked,
    /// The rule that decided; `None` when nothing matched.
    pub rule: Option<RuleId>,
    /// What it means for this request.
    pub plan: Option<Plan>,
    /// Readings the decision asked for, in that order, with their values.
    pub reads: Vec<Read>,
    /// Rules above the one that decided, in page order.
    pub passed: Vec<PassedOver>,
    /// The decision of then, when this one replays a line of a log.
    pub logged: Option<Compared>,
}

/// A reading that was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// Which column.
    pub column: ColumnId,
    /// Its value as a person writes it.
    pub value: String,
}

impl Asked {
    /// Its readings, for a decision.
    pub fn fetch<'a>(&'a self, tree: &'a Tree) -> impl Fetch + 'a {
        tree.fetch(&self.readings)
    }
}

/// Decides and plans one request and writes down why.
pub fn explain<'a>(tree: &'a Tree, asked: &'a Asked) -> Explanation<'a> {
    let mut prompt = asked.prompt_tokens;
    let request = tree.request(&asked.facts, &mut prompt);
    let mut tap = Tap::new(asked.fetch(tree));
    let rule = decide(tree, &request, &mut tap);
    let values = Values { facts: &asked.facts, prompt_tokens: Some(prompt), readings: Some(&asked.readings) };
    let space = tree.space();
    let used: Vec<ColumnId> = tap.reads().collect();
    let reads = used.into_iter().map(|column| {
        let value = values.show(tree, column);
        let value = value.unwrap_or_else(|| space.shown(column, &AtomSet::one(tap.atom(column), space.count(column))));
        Read { column, value }
    });
    let reads = reads.collect();
    let passed = passed_over(tree, &request, &mut tap, &values, rule);
    let unusable = |id| asked.unusable.iter().find(|(one, _)| *one == id).map(|(_, reason)| *reason);
    let plan = rule.map(|rule| plan(tree, rule, &asked.facts, &mut prompt, &asked.readings, &unusable));
    Explanation { tree, asked, rule, plan, reads, passed, logged: None }
}

impl Explanation<'_> {
    fn checked(&self) -> &Checked {
        self.tree.checked()
    }

    fn rule(&self) -> Option<&Rule> {
        self.rule.map(|id| &self.checked().rules[id.index()])
    }

    /// What had to be chosen and may have mattered: the clock when it was read, an order when the chain has it, a draw when it let a
    /// rollout in.
    fn assumed(&self) -> impl Iterator<Item = &(String, String)> {
        let checked = self.checked();
        let clock = self.reads.iter().any(|read| self.tree.space().column(read.column).subject == Subject::Clock);
        let tier = self.plan.as_ref().and_then(|plan| plan.tier);
        let ordered = tier.filter(|_| self.chain().is_some_and(|chain| chain.order == Order::Fastest));
        let ordered = ordered.map(|tier| words::fastest(&checked.tiers[tier.index()]));
        let acting = self.planned().map_or(&[][..], |run| &run.rollouts);
        let drawn = acting.iter().any(|id| checked.moving.rollouts[id.index()].by.is_none());
        self.asked.assumed.iter().filter(move |(key, _)| match key.as_str() {
            "time" | "day" => clock,
            words::DRAW => drawn,
            key if key.starts_with(words::FASTEST) => ordered.as_deref() == Some(key),
            _ => true,
        })
    }

    fn planned(&self) -> Option<&Run> {
        match &self.plan.as_ref()?.action {
            Action::Run(run) => Some(run),
            Action::Reject { .. } => None,
        }
    }

    /// The most one answer of a hop can cost.
    fn hop_cost(&self, hop: &PlannedHop) -> Option<Usd> {
        let (prompt, today) = (Tokens(self.asked.prompt_tokens), self.asked.readings.today);
        super::bounds::worst_cost(self.checked(), hop, &self.asked.facts, prompt, today)
    }

    /// The most that one answered request can cost: the dearest hop that can answer, with what may be billed besides. Nothing where
    /// no hop is tried; `None` where no bound is known.
    pub fn worst_cost(&self) -> Option<Usd> {
        let Some(run) = self.planned() else { return Some(Usd::default()) };
        let mut each = (0..run.hops.len()).map(|at| self.bill(run, at));
        each.try_fold(Usd::default(), |most, cost| Some(most.max(cost?)))
    }

    /// What may be billed besides the answer of a hop. An answer that is no stream cannot break when it has begun.
    fn extra(&self, run: &Run, at: usize) -> Extra {
        let hop = &run.hops[at];
        let resumes = self.asked.facts.streaming && run.on_cut == OnCut::Resume;
        Extra::of(hop.hedge, Some(hop.retry), resumes, run.hops.len() - at - 1)
    }

    /// The most that a request answered by a hop can cost in all.
    fn bill(&self, run: &Run, at: usize) -> Option<Usd> {
        let behind = run.hops[at + 1..].iter().map(|hop| self.hop_cost(hop).ok_or(()));
        self.extra(run, at).bill(self.hop_cost(&run.hops[at])?, behind).ok()
    }

    /// The kind of cache its rule writes: `exact`, `semantic` or `none`.
    pub fn cache(&self) -> &'static str {
        match self.chain().and_then(|chain| chain.extras.cache.as_ref()).map(|cache| cache.similarity) {
            None => "none",
            Some(Similarity::Exact) => "exact",
            Some(_) => "semantic",
        }
    }

    fn chain(&self) -> Option<&Chain> {
        match &self.rule()?.outcome {
            Outcome::Chain(chain) => Some(chain),
            Outcome::Reject { .. } => None,
        }
    }
}
