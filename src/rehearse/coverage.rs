//! How much of a policy its tests reach.
//!
//! In: a tree and the cases that were run on it. Out: rules, hops, degrade steps and boundaries, reached and in all. Must not
//! know: whether tests passed, how it is shown.
//!
//! A rule is reached when it decides a test. A hop is reached when a test's walk attempts it, or when a test expects it as the
//! first: that it stands in a list is not enough. A boundary is an end of a range in a condition, and has two sides.

use std::collections::BTreeSet;

use super::judge::{Seen, model};
use crate::policy::checked::{Checked, ColumnId, Domain, Outcome, RuleId, SnapshotId, Subject, Target};
use crate::policy::shown::{day_of, grouped, time_of};
use crate::policy::test::{Case, Expect, says};
use crate::policy::tree::Tree;

/// Names that a list of what is missing shows; the rest is counted.
pub const MAX_SHOWN: usize = 8;
const DAY: u64 = 24 * 60;

/// Reached, and in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Reached by some test.
    pub reached: usize,
    /// In the policy.
    pub total: usize,
}

/// The coverage of one policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Rules that decide a test.
    pub rules: Part,
    /// Hops that some test had to reach.
    pub hops: Part,
    /// Degrade steps that some test ended in.
    pub degrade: Part,
    /// Sides of range ends.
    pub boundaries: Part,
    /// What is not reached, in the words of the policy: rules, hops, degrade steps, boundaries.
    pub missing: [Vec<String>; 4],
}

impl Coverage {
    /// Everything reached over everything there is, 0 to 1. A policy without anything to reach is covered.
    pub fn total(&self) -> f64 {
        let parts = [self.rules, self.hops, self.degrade, self.boundaries];
        let (reached, total) = parts.iter().fold((0, 0), |(a, b), part| (a + part.reached, b + part.total));
        if total == 0 { 1.0 } else { reached as f64 / total as f64 }
    }

    /// Whether so many percent are reached.
    pub fn is_at_least(&self, percent: u8) -> bool {
        self.total() * 100.0 >= f64::from(percent)
    }
}

/// A side of a range end: the column, the end, and whether the side is the one that begins there.
type Side = (ColumnId, u64, bool);

/// What tests reached so far.
#[derive(Clone, Debug, Default)]
pub struct Reached {
    rules: BTreeSet<RuleId>,
    hops: BTreeSet<(RuleId, usize)>,
    degrade: BTreeSet<(RuleId, usize)>,
    sides: BTreeSet<Side>,
}

impl Reached {
    /// Adds what one case reaches.
    pub fn add(&mut self, tree: &Tree, case: &Case) {
        let (Some(asked), Some(rule), true) = (&case.asked, case.rule, case.faults.is_empty()) else { return };
        self.rules.insert(rule);
        self.sides(tree, case);
        let walks = case.expects.iter().any(|one| one.what.of_the_walk());
        let first = case.expects.iter().any(|one| matches!(one.what, Expect::Snapshot(_)));
        let Outcome::Chain(chain) = &tree.checked().rules[rule.index()].outcome else { return };
        if !walks && !first {
            return;
        }
        let seen = Seen::new(tree, asked, &case.weather, walks);
        let attempted = seen.walked.iter().flat_map(|walked| walked.attempts.iter().map(|attempt| attempt.snapshot));
        let first = seen.run().and_then(|run| run.hops.first()).map(|hop| hop.snapshot).filter(|_| first);
        let reached: Vec<SnapshotId> = attempted.chain(first).collect();
        for snapshot in reached {
            let named = chain.hops.iter().position(|hop| hop.target == Target::Snapshot(snapshot));
            let at = named.or_else(|| chain.hops.iter().position(|hop| hop.target == Target::Requested));
            self.hops.extend(at.map(|at| (rule, at)));
        }
        if case.expects.iter().any(|one| matches!(one.what, Expect::Degrade(_))) {
            self.degrade.extend((0..seen.degrade_steps()).map(|at| (rule, at)));
        }
    }

    fn sides(&mut self, tree: &Tree, case: &Case) {
        let Some(asked) = &case.asked else { return };
        let space = tree.space();
        let mut prompt = asked.prompt_tokens;
        let request = tree.request(&asked.facts, &mut prompt);
        for id in space.ids().filter(|id| is_ordered(&space.column(*id).domain)) {
            let column = space.column(id);
            let cuts = space.atoms(id).cuts();
            if says(&case.any, column) {
                self.sides.extend(ends(tree, id));
                continue;
            }
            if !says(&case.inputs, column) {
                continue;
            }
            let atom = match column.subject {
                Subject::Clock => space.atoms(id).of_number(asked.readings.minute_of_week.into()),
                _ => request.atom(id),
            };
            let at = atom.index();
            let below = at.checked_sub(1).and_then(|at| cuts.get(at)).map(|cut| (id, end(column.subject, *cut), true));
            let above = cuts.get(at).map(|cut| (id, end(column.subject, *cut), false));
            self.sides.extend(below.into_iter().chain(above));
        }
    }

    /// The coverage of the policy.
    pub fn coverage(&self, tree: &Tree) -> Coverage {
        let checked = tree.checked();
        let mut coverage = Coverage::default();
        for (at, rule) in checked.rules.iter().enumerate() {
            let id = RuleId(at as u32);
            count(&mut coverage.rules, &mut coverage.missing[0], self.rules.contains(&id), || rule.name.to_string());
            let Outcome::Chain(chain) = &rule.outcome else { continue };
            for (place, hop) in chain.hops.iter().enumerate() {
                let reached = self.hops.contains(&(id, place));
                count(&mut coverage.hops, &mut coverage.missing[1], reached, || {
                    format!("{} of {}", target(checked, hop.target), rule.name)
                });
            }
            for place in 0..chain.degrade.len() {
                let reached = self.degrade.contains(&(id, place));
                count(&mut coverage.degrade, &mut coverage.missing[2], reached, || {
                    format!("{} of {}", super::judge::step_name(checked, &chain.degrade[place]), rule.name)
                });
            }
        }
        let space = tree.space();
        for id in space.ids().filter(|id| is_ordered(&space.column(*id).domain)) {
            for side in ends(tree, id) {
                let reached = self.sides.contains(&side);
                count(&mut coverage.boundaries, &mut coverage.missing[3], reached, || shown(tree, side));
            }
        }
        coverage
    }
}

fn count(part: &mut Part, missing: &mut Vec<String>, reached: bool, name: impl FnOnce() -> String) {
    part.total += 1;
    if reached {
        part.reached += 1;
    } else {
        missing.push(name());
    }
}

const fn is_ordered(domain: &Domain) -> bool {
    matches!(domain, Domain::Number { .. } | Domain::Clock)
}

/// An hour that a condition names ends on every day at once; midnight is the end of one day.
fn end(subject: Subject, cut: u64) -> u64 {
    match subject {
        Subject::Clock if !cut.is_multiple_of(DAY) => cut % DAY,
        Subject::Clock => DAY + cut,
        _ => cut,
    }
}

/// Both sides of every range end of a column.
fn ends(tree: &Tree, id: ColumnId) -> BTreeSet<Side> {
    let subject = tree.space().column(id).subject;
    let cuts = tree.space().atoms(id).cuts().iter();
    cuts.flat_map(|cut| [false, true].map(|begins| (id, end(subject, *cut), begins))).collect()
}

fn shown(tree: &Tree, (id, end, begins): Side) -> String {
    let column = tree.space().column(id);
    let side = if begins { "from" } else { "below" };
    match column.subject {
        Subject::Clock if end >= DAY => format!("{side} {} 00:00", day_of(end - DAY)),
        Subject::Clock => format!("{side} {}", time_of(end)),
        _ => format!("{} {side} {}", column.name, grouped(end)),
    }
}

fn target(checked: &Checked, target: Target) -> String {
    match target {
        Target::Snapshot(id) => model(checked, id),
        Target::Requested => "requested".to_owned(),
    }
}

impl Coverage {
    /// Two policies together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let sum = |a: Part, b: Part| Part { reached: a.reached + b.reached, total: a.total + b.total };
        let [a, b, c, d] = self.missing;
        let [e, f, g, h] = other.missing;
        Self {
            rules: sum(self.rules, other.rules),
            hops: sum(self.hops, other.hops),
            degrade: sum(self.degrade, other.degrade),
            boundaries: sum(self.boundaries, other.boundaries),
            missing: [[a, e].concat(), [b, f].concat(), [c, g].concat(), [d, h].concat()],
        }
    }
}
