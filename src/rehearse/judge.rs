//! One test's expectations held against what really happens.
//!
//! In: a case, its policy. Out: for each expectation what was expected and what is so. Must not know: how results are shown. The
//! decision, the plan and the walk are those that `serve` makes.

use super::any;
use super::walk::{Ending, Goes, Walked, walk};
use crate::chain::degrade::{StandIn, stand_ins};
use crate::failure::Failure;
use crate::policy::checked::{Checked, ColumnId, Degrade, Outcome, RuleId, SnapshotId};
use crate::policy::explain::{Asked, Explanation, explain};
use crate::policy::plan::{Action, Run};
use crate::policy::test::{Case, Does, Expect, Expectation, Prover, Spell, Step, Who};
use crate::policy::tree::Tree;
use crate::units::Millis;

/// An expectation and what is so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// `rule`, `served by`.
    pub word: &'static str,
    /// What the test says.
    pub expected: Shown,
    /// What is so.
    pub actual: Shown,
    /// Whether they agree.
    pub holds: bool,
}

/// A value in the words of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// One.
    One(String),
    /// A list.
    Many(Vec<String>),
}

impl From<String> for Shown {
    fn from(text: String) -> Self {
        Self::One(text)
    }
}

impl From<&str> for Shown {
    fn from(text: &str) -> Self {
        Self::One(text.to_owned())
    }
}

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::One(text) => f.write_str(text),
            Self::Many(list) => write!(f, "[{}]", list.join(", ")),
        }
    }
}

/// What one request gets.
pub struct Seen<'a> {
    tree: &'a Tree,
    /// The decision and the plan.
    pub explanation: Explanation<'a>,
    /// The chain, walked.
    pub walked: Option<Walked>,
    /// The chain, walked with every provider down; only where the test gives no failures.
    worst: Option<Walked>,
}

impl<'a> Seen<'a> {
    /// Decides, plans and, if some expectation asks for it, walks.
    pub fn new(tree: &'a Tree, asked: &'a Asked, weather: &[Spell], walks: bool) -> Self {
        let explanation = explain(tree, asked);
        let mut seen = Self { tree, explanation, walked: None, worst: None };
        if walks && let Some(run) = seen.run().cloned() {
            let streaming = asked.facts.streaming;
            seen.walked = Some(walk(run.clone(), streaming, Skies::over(tree.checked(), weather)));
            if weather.is_empty() {
                seen.worst = Some(walk(run, streaming, |_| Goes::Fails(Failure::Network)));
            }
        }
        seen
    }

    fn checked(&self) -> &'a Checked {
        self.tree.checked()
    }

    /// The planned chain; `None` for a rejection and where no rule matches.
    pub fn run(&self) -> Option<&Run> {
        match self.explanation.plan.as_ref().map(|plan| &plan.action) {
            Some(Action::Run(run)) => Some(run),
            _ => None,
        }
    }

    /// What is so, for one expectation.
    pub fn check(&self, expectation: &Expectation) -> Check {
        let what = &expectation.what;
        let expected = expected(self.checked(), self.tree, what);
        let (actual, holds) = self.actual(what, &expected);
        Check { word: what.word(), expected, actual, holds }
    }

    fn actual(&self, what: &Expect, expected: &Shown) -> (Shown, bool) {
        let same = |actual: Shown| {
            let holds = actual == *expected;
            (actual, holds)
        };
        match what {
            Expect::Rule(_) => same(rule_name(self.checked(), self.explanation.rule).into()),
            Expect::Reads(_) => {
                let mut columns: Vec<ColumnId> = self.explanation.reads.iter().map(|read| read.column).collect();
                columns.sort_unstable();
                same(names(self.tree, &columns))
            }
            Expect::Reject(_) => same(self.rejection()),
            Expect::Tier(_) => same(self.tier()),
            Expect::Cost(most) => match self.explanation.worst_cost() {
                Some(cost) => (format!("${cost}").into(), cost <= *most),
                None => ("no bound is known".into(), false),
            },
            _ => match self.run() {
                Some(run) => self.of_run(what, run, expected),
                None => (self.rejection(), false),
            },
        }
    }

    /// Expectations about a chain.
    fn of_run(&self, what: &Expect, run: &Run, expected: &Shown) -> (Shown, bool) {
        let checked = self.checked();
        let same = |actual: Shown| {
            let holds = actual == *expected;
            (actual, holds)
        };
        match what {
            Expect::NotTier(tier) => {
                let promised = self.explanation.plan.as_ref().and_then(|plan| plan.tier) == Some(*tier);
                let inside = |id: SnapshotId| checked.tiers[tier.index()].has(id);
                let hops: Vec<String> = run
                    .hops
                    .iter()
                    .filter(|hop| inside(hop.snapshot))
                    .map(|hop| model(checked, hop.snapshot))
                    .collect();
                let holds = hops.is_empty() && !promised;
                (if hops.is_empty() { self.tier() } else { Shown::Many(hops) }, holds)
            }
            Expect::Snapshot(_) => {
                same(run.hops.first().map_or_else(|| "no usable hop".into(), |hop| model(checked, hop.snapshot).into()))
            }
            Expect::Chain(..) => {
                let hops = run.hops.iter().map(|hop| model(checked, hop.snapshot));
                same(Shown::Many(hops.chain(run.degrade.first().map(|step| step_word(step).to_owned())).collect()))
            }
            Expect::Skips(snapshot) => self.skips(run, *snapshot),
            Expect::Time(most) => match &self.walked {
                Some(walked) if walked.ending != Ending::Endless => (self.time(walked), walked.elapsed <= *most),
                _ => (self.ending(run, self.walked.as_ref()), false),
            },
            // Where nothing is given to fail, it is what the caller gets when everything does.
            Expect::Degrade(step) => {
                let walked = self.worst.as_ref().or(self.walked.as_ref());
                (self.ending(run, walked), self.degrades_to(run, step, walked))
            }
            Expect::Cache(_) => same(self.explanation.cache().into()),
            _ => same(self.ending(run, self.walked.as_ref())),
        }
    }

    fn rejection(&self) -> Shown {
        match self.explanation.plan.as_ref().map(|plan| &plan.action) {
            Some(Action::Reject { status, .. }) => format!("reject {status}").into(),
            Some(Action::Run(_)) => {
                format!("a chain, from rule {}", rule_name(self.checked(), self.explanation.rule)).into()
            }
            None => "no rule".into(),
        }
    }

    fn tier(&self) -> Shown {
        let tier = self.explanation.plan.as_ref().and_then(|plan| plan.tier);
        match (tier, self.run()) {
            (Some(tier), _) => (*self.checked().tiers[tier.index()].name).into(),
            (None, Some(_)) => "no tier".into(),
            (None, None) => self.rejection(),
        }
    }

    fn skips(&self, run: &Run, snapshot: SnapshotId) -> (Shown, bool) {
        if let Some(dropped) = run.dropped.iter().find(|one| one.snapshot == Some(snapshot)) {
            return (format!("skipped: {}", dropped.reason.word()).into(), true);
        }
        if self.walked.as_ref().is_some_and(|walked| walked.skipped.contains(&snapshot)) {
            return ("skipped while walking".into(), true);
        }
        match run.hops.iter().position(|hop| hop.snapshot == snapshot) {
            Some(at) => (format!("hop {} of the chain", at + 1).into(), false),
            None => ("not in the chain of this rule".into(), false),
        }
    }

    /// The end of the walk, as `served by`, `degrade` and `cut` name it.
    fn ending(&self, run: &Run, walked: Option<&Walked>) -> Shown {
        let checked = self.checked();
        match walked.map(|walked| walked.ending) {
            Some(Ending::Served(id)) => model(checked, id).into(),
            Some(Ending::Cut(_)) => "cut".into(),
            Some(Ending::Returned(id, failure)) => format!("the {failure} of {}", model(checked, id)).into(),
            Some(Ending::Degraded(last)) => match carried_out(run) {
                Some(step) => format!("degrade {}", step_name(checked, step)).into(),
                None => last.map_or_else(|| "503, no usable hop".to_owned(), |last| format!("503 after {last}")).into(),
            },
            Some(Ending::Endless) => format!("more than {} attempts", super::walk::MAX_ATTEMPTS).into(),
            None => "not walked".into(),
        }
    }

    /// A `cached` step may miss, so it and the step behind it can both be what the caller gets.
    fn degrades_to(&self, run: &Run, step: &Step, walked: Option<&Walked>) -> bool {
        let checked = self.checked();
        let degraded = matches!(walked.map(|walked| walked.ending), Some(Ending::Degraded(_)));
        degraded
            && possible(run).any(|one| {
                let (word, name) = (step_word(one), step_name(checked, one));
                let name = name.strip_prefix(word).map_or("", str::trim);
                word == step.word && step.name.as_ref().is_none_or(|wanted| **wanted == *name)
            })
    }

    /// When the caller has an answer at the latest, with the attempts behind it.
    fn time(&self, walked: &Walked) -> Shown {
        let parts: Vec<String> = walked
            .attempts
            .iter()
            .filter(|attempt| attempt.duration(walked.elapsed) > Millis(0))
            .map(|attempt| {
                let took = attempt.duration(walked.elapsed);
                let beside = if attempt.hedge { format!(" from {}", attempt.started) } else { String::new() };
                format!("{took} {}{beside}", model(self.checked(), attempt.snapshot))
            })
            .collect();
        let text = if parts.is_empty() {
            walked.elapsed.to_string()
        } else {
            format!("{} ({})", walked.elapsed, parts.join(", "))
        };
        text.into()
    }

    /// Degrade steps that the walk came to.
    pub fn degrade_steps(&self) -> usize {
        match (self.worst.as_ref().or(self.walked.as_ref()), self.run()) {
            (Some(Walked { ending: Ending::Degraded(_), .. }), Some(run)) => possible(run).count(),
            _ => 0,
        }
    }
}

/// The steps that can be what the caller gets: up to the first that cannot miss.
fn possible(run: &Run) -> impl Iterator<Item = &Degrade> {
    let mut sure = false;
    run.degrade.iter().take_while(move |step| !std::mem::replace(&mut sure, !matches!(step, Degrade::Cached { .. })))
}

/// The step that is carried out when nothing is in the cache.
fn carried_out(run: &Run) -> Option<&Degrade> {
    let steps = stand_ins(&run.degrade, None).zip(&run.degrade);
    steps.filter(|(stand_in, _)| !matches!(stand_in, StandIn::Cached { .. })).map(|(_, step)| step).next()
}

/// What providers do, attempt by attempt.
struct Skies;

impl Skies {
    /// Answers how the next attempt at a snapshot goes. Failures of a provider are counted over all its snapshots.
    fn over(checked: &Checked, weather: &[Spell]) -> impl FnMut(SnapshotId) -> Goes {
        let mut used = vec![0usize; weather.len()];
        move |snapshot| {
            let provider = &checked.snapshots[snapshot.index()].model.provider;
            let own = weather.iter().position(|spell| spell.who == Who::Snapshot(snapshot));
            let of_provider = || weather.iter().position(|spell| spell.who == Who::Provider(provider.clone()));
            let Some(at) = own.or_else(of_provider) else { return Goes::Well };
            match &weather[at].does {
                Does::Cuts(tokens) => Goes::Cuts(*tokens),
                Does::Fails(list) => {
                    let failure = list.get(used[at]).or(list.last());
                    used[at] += 1;
                    failure.map_or(Goes::Well, |failure| Goes::Fails(*failure))
                }
            }
        }
    }
}

/// Judges one case. The analysis is needed for `*` alone.
pub fn judge(tree: &Tree, case: &Case, prover: Option<&mut Prover<'_>>) -> Vec<Check> {
    let Some(asked) = &case.asked else { return Vec::new() };
    if !case.any.is_empty() {
        return any::judge(tree, case, asked, prover);
    }
    let walks = case.expects.iter().any(|one| one.what.of_the_walk() || matches!(one.what, Expect::Skips(_)));
    let seen = Seen::new(tree, asked, &case.weather, walks);
    case.expects.iter().map(|one| seen.check(one)).collect()
}

/// A rule's name, or that there is none.
pub(super) fn rule_name(checked: &Checked, rule: Option<RuleId>) -> String {
    rule.map_or_else(|| "no rule".to_owned(), |id| checked.rules[id.index()].name.to_string())
}

/// The model behind a snapshot.
pub(super) fn model(checked: &Checked, id: SnapshotId) -> String {
    checked.snapshots[id.index()].model.to_string()
}

fn names(tree: &Tree, columns: &[ColumnId]) -> Shown {
    Shown::Many(columns.iter().map(|id| tree.space().column(*id).name.to_string()).collect())
}

/// What a test says, in the words that [`Seen::check`] compares with.
pub(super) fn expected(checked: &Checked, tree: &Tree, what: &Expect) -> Shown {
    match what {
        Expect::Rule(rule) => rule_name(checked, Some(*rule)).into(),
        Expect::Reject(status) => format!("reject {status}").into(),
        Expect::Tier(tier) | Expect::NotTier(tier) => (*checked.tiers[tier.index()].name).into(),
        Expect::Snapshot(id) | Expect::Skips(id) | Expect::Served(id) => model(checked, *id).into(),
        Expect::Chain(hops, ends) => {
            let hops = hops.iter().map(|id| model(checked, *id));
            Shown::Many(hops.chain(ends.map(str::to_owned)).collect())
        }
        Expect::Degrade(step) => {
            let name = step.name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
            format!("degrade {}{name}", step.word).into()
        }
        Expect::Cut => "cut".into(),
        Expect::Cache(kind) => (*kind).into(),
        Expect::Reads(columns) => names(tree, columns),
        Expect::Cost(most) => format!("at most ${most}").into(),
        Expect::Time(most) => format!("at most {most}").into(),
    }
}

pub(super) const fn step_word(step: &Degrade) -> &'static str {
    match step {
        Degrade::Template(_) => "template",
        Degrade::Cached { .. } => "cached",
        Degrade::Queue { .. } => "queue",
        Degrade::Error { .. } => "error",
    }
}

pub(super) fn step_name(checked: &Checked, step: &Degrade) -> String {
    match step {
        Degrade::Template(id) => format!("template {}", checked.templates[id.index()].name),
        Degrade::Cached { .. } => "cached".to_owned(),
        Degrade::Queue { name, .. } => format!("queue {name}"),
        Degrade::Error { status, .. } => format!("error {status}"),
    }
}

/// The outcome of a rule that rejects.
pub(super) fn rejects(checked: &Checked, rule: Option<RuleId>) -> Option<u16> {
    match rule.map(|id| &checked.rules[id.index()].outcome) {
        Some(Outcome::Reject { status, .. }) => Some(*status),
        _ => None,
    }
}
