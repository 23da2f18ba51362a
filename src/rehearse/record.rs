//! Logged decisions as tests: `wayside test --record`.
//!
//! In: lines of a request log, the policy they are asked of. Out: the text of a file of tests that passes, one test for each
//! decision in the order of the log, and why other lines gave none. Must not know: files.
//!
//! A statement says as little as decides alike, and nothing that a caller wrote freely: a tenant is named where its plan and its
//! residency do not say enough, and a user, a text or a model that the policy does not name is one that it cannot tell apart.

mod statement;

use std::sync::Arc;

use rustc_hash::FxHashMap;

use self::statement::{Goal, Teller};
use super::judge::step_word;
use crate::catalog::Catalog;
use crate::policy::admit::{Defaults, Door};
use crate::policy::checked::Checked;
use crate::policy::format::format;
use crate::policy::plan::{Action, Plan};
use crate::policy::prove::Options;
use crate::policy::replay::{Line, Replay};
use crate::policy::tree::Tree;

/// Tests that one run records: more than anybody reads.
pub const MAX_TESTS: usize = 200;

/// Makes tests of lines, one line after the other.
pub struct Recorder<'a> {
    tree: &'a Tree,
    door: Door,
    teller: Teller<'a>,
    tests: Vec<Recorded>,
    /// By decision; `None` where its first request could not be stated.
    known: FxHashMap<String, Option<usize>>,
    /// Requests that gave no test.
    pub left: Left,
}

/// A test, and how many requests were decided so.
struct Recorded {
    rule: String,
    requests: u64,
    body: String,
}

/// Requests that gave no test, by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// This policy does not admit them.
    pub refused: Skipped,
    /// This policy decides them otherwise than they were decided.
    pub changed: Skipped,
    /// What decided them cannot be said in a test.
    pub untold: Skipped,
    /// Of decisions beyond [`MAX_TESTS`].
    pub beyond: Skipped,
}

/// How many, and the first of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// How many requests.
    pub requests: u64,
    /// Line of the first, and why.
    pub first: Option<(u64, String)>,
}

impl Skipped {
    fn add(&mut self, line: u64, why: impl FnOnce() -> String) {
        self.requests += 1;
        self.first.get_or_insert_with(|| (line, why()));
    }
}

impl<'a> Recorder<'a> {
    /// For one policy.
    ///
    /// # Errors
    /// A sentence, when the policy is too wide to prove that a test says enough; `check` reports it.
    pub fn new(tree: &'a Tree, catalog: &'a Arc<Catalog>, options: Options) -> Result<Self, String> {
        let door = Door::new(Arc::clone(tree.checked()), Arc::clone(catalog), Defaults::default());
        let door = door.map_err(|refusal| refusal.to_string())?;
        let teller = Teller::new(tree, catalog, options)?;
        Ok(Self { tree, door, teller, tests: Vec::new(), known: FxHashMap::default(), left: Left::default() })
    }

    /// Tests so far, and the requests behind them.
    pub fn count(&self) -> (usize, u64) {
        (self.tests.len(), self.tests.iter().map(|one| one.requests).sum())
    }

    /// Looks at one line.
    pub fn add(&mut self, number: u64, line: &Line) {
        let replay = match line.admit(&self.door) {
            Ok(replay) => replay,
            Err(why) => return self.left.refused.add(number, || why.to_string()),
        };
        let plan = replay.plan(self.tree);
        if let Some(one) = line.differences(self.tree.checked(), plan.as_ref()).first() {
            return self.left.changed.add(number, || format!("{} was {}, and is {} now", one.what, one.was, one.now));
        }
        let Some(plan) = plan else { return self.left.changed.add(number, || "no rule decides it now".to_owned()) };
        // What only the running proxy knew cannot be given, so nothing can be said about the chain.
        let goal = Goal::of(&plan, replay.unusable.is_empty());
        let expects = expectations(self.tree.checked(), &plan, goal.chain.is_some());
        match self.known.get(&expects).copied() {
            Some(Some(at)) => self.tests[at].requests += 1,
            Some(None) => self.left.untold.add(number, String::new),
            None if self.tests.len() == MAX_TESTS => self.left.beyond.add(number, String::new),
            None => self.record(number, &replay, &plan, &goal, expects),
        }
    }

    fn record(&mut self, number: u64, replay: &Replay, plan: &Plan, goal: &Goal, expects: String) {
        let checked = self.tree.checked();
        let rule = checked.rules[plan.rule.index()].name.to_string();
        let whole = self.teller.statement(replay, goal).map(|said| (said, expects.clone()));
        // An order or a stage that no test can give: who decides can still be said.
        let stated = whole.or_else(|| {
            let said = self.teller.statement(replay, &Goal::of(plan, false))?;
            Some((said, expectations(checked, plan, false)))
        });
        let Some((said, said_of)) = stated else {
            self.known.insert(expects, None);
            return self.left.untold.add(number, || format!("its request to {rule} cannot be said in a test"));
        };
        // What only the proxy knew may be all that tells it from a decision that is recorded.
        let same = |one: &Recorded| one.rule == rule && one.body.starts_with(&*said);
        let weak = goal.chain.is_none().then(|| self.tests.iter().position(same)).flatten();
        let at = match self.known.get(&said_of).copied().flatten().or(weak) {
            Some(at) => {
                self.tests[at].requests += 1;
                at
            }
            None => {
                self.tests.push(Recorded { rule, requests: 1, body: format!("{said}{said_of}") });
                self.known.insert(said_of, Some(self.tests.len() - 1));
                self.tests.len() - 1
            }
        };
        self.known.insert(expects, Some(at));
    }

    /// The tests as a file beside the policy, which is called `policy` there.
    ///
    /// # Errors
    /// A sentence, when that is no text of tests: a defect of wayside.
    pub fn text(&self, policy: &str) -> Result<String, String> {
        let about = "# Decisions of a request log, one test each, with the number of requests that were decided so.";
        let mut text = format!("route 1\n\nuse \"{policy}\"\n\n{about}\n");
        let mut used: FxHashMap<&str, usize> = FxHashMap::default();
        for one in &self.tests {
            let nth = used.entry(&one.rule).or_insert(0);
            *nth += 1;
            let name = if *nth == 1 { one.rule.clone() } else { format!("{}, {nth}", one.rule) };
            let requests = if one.requests == 1 { "request" } else { "requests" };
            text += &format!("\n# {} {requests}\ntest \"{name}\" {{\n{}}}\n", one.requests, one.body);
        }
        format(&text).map_err(|error| format!("the recorded tests cannot be laid out: {error:?}"))
    }
}

/// The `expect` statements of a decision: who decides, and with `chain` what is tried.
fn expectations(checked: &Checked, plan: &Plan, chain: bool) -> String {
    let rule = &checked.rules[plan.rule.index()].name;
    let mut text = match &**rule {
        "otherwise" => "  expect otherwise\n".to_owned(),
        name => format!("  expect rule {name}\n"),
    };
    match &plan.action {
        Action::Reject { status, .. } => text += &format!("  expect reject {status}\n"),
        Action::Run(run) if chain => {
            if let Some(tier) = plan.tier {
                text += &format!("  expect tier {}\n", checked.tiers[tier.index()].name);
            }
            let hops = run.hops.iter().map(|hop| checked.snapshots[hop.snapshot.index()].model.to_string());
            let ends = run.degrade.first().map(|step| step_word(step).to_owned());
            let all: Vec<String> = hops.chain(ends).collect();
            text += &format!("  expect chain [{}]\n", all.join(", "));
        }
        Action::Run(_) => {}
    }
    text
}
