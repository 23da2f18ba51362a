//! Which decisions an edit changes (language specification, section 9.7).
//!
//! In: two policies. Out: every pair "was rule i, now rule j" with a request that shows it; none exactly when the two decide
//! alike. Must not know: files, git, terminals.
//!
//! Outcomes are compared by content, so renaming a rule, reordering disjoint ones and formatting come out empty.

mod joint;
mod outcome;
mod render;

use rustc_hash::FxHashMap;

pub use self::outcome::Does;
use super::atom_set::AtomId;
use super::atoms::{Mentions, Space};
use super::boxes::AtomBox;
use super::checked::{Checked, ColumnId, Cond, RuleId};
use super::diagnostic::{Diagnostic, Witness};
use super::fingerprint;
use super::prove::find::{Cover, Found, Fuel, find_in};
use super::prove::index::Index;
use super::prove::witness::Claim;
use super::prove::{Options, Proof, ProveError};

/// What changed between two policies.
#[derive(Clone, Debug)]
pub struct Diff {
    /// The policy's name, as the new one has it.
    pub policy: String,
    /// Hash of the old policy.
    pub old_hash: String,
    /// Hash of the new policy.
    pub new_hash: String,
    /// Changed decisions, in the order of the new rules.
    pub groups: Vec<Group>,
    /// What one of the two refuses before any rule.
    pub notes: Vec<String>,
    /// Rules with a new name.
    pub added: Vec<String>,
    /// Rules whose name is gone.
    pub removed: Vec<String>,
    /// Rules that decided something and now decide nothing.
    pub now_dead: Vec<String>,
}

/// All requests that one rule decided and another decides now.
#[derive(Clone, Debug)]
pub struct Group {
    /// The old rule.
    pub was: String,
    /// The new rule.
    pub now: String,
    /// Words for `--fail-on`; `cost-up` carries its percent: `cost-up=40%`.
    pub flags: Vec<String>,
    /// Where, as far as the two rules say it themselves.
    pub condition: String,
    /// One of the requests.
    pub witness: Witness,
    /// What it got.
    pub was_outcome: Does,
    /// What it gets.
    pub now_outcome: Does,
}

/// Why two policies could not be compared.
#[derive(Debug)]
pub enum DiffError {
    /// R411, or R410 when fuel ran out: the two may differ in more than what was found.
    Findings(Vec<Diagnostic>),
    /// A fault of the comparison.
    Wrong(ProveError),
}

impl Diff {
    /// Whether the two decide alike, for every request that both admit, and admit the same.
    pub fn is_equal(&self) -> bool {
        self.groups.is_empty() && self.notes.is_empty()
    }

    /// Whether a word of `--fail-on` applies: a flag, `cost-up=N%` for N or more, or `dead-rule`.
    pub fn has(&self, word: &str) -> bool {
        let percent = |text: &str| text.strip_prefix("cost-up=")?.trim_end_matches('%').parse::<u64>().ok();
        if word == "dead-rule" {
            return !self.now_dead.is_empty();
        }
        let applies = |flag: &String| match (percent(word), percent(flag)) {
            (Some(limit), Some(is)) => is >= limit,
            (None, Some(_)) => word == "cost-up",
            _ => flag == word,
        };
        self.groups.iter().flat_map(|group| &group.flags).any(applies)
    }
}

/// Compares two policies.
///
/// # Errors
/// When a condition is too wide, fuel runs out, or a witness is wrong.
pub fn diff(old: &Checked, new: &Checked, options: Options) -> Result<Diff, DiffError> {
    let joint = joint::join(old, new);
    let mut mentions = Mentions::of(&joint.old);
    mentions.add_all_of(&joint.new);
    let space = Space::build(joint.new.columns.clone(), &mentions)
        .map_err(|wide| DiffError::Findings(vec![wide.finding(new)]))?;
    let before = Proof::over(&joint.old, space.clone(), options).map_err(DiffError::Findings)?;
    let after = Proof::over(&joint.new, space.clone(), options).map_err(DiffError::Findings)?;
    let sides = (Side::new(&joint.old, &joint.new), Side::new(&joint.new, &joint.old));
    let areas: Vec<AtomBox> = [
        after.boxes.invalid.iter().map(|one| one.area.clone()).collect::<Vec<_>>(),
        before.boxes.rows.iter().map(|row| row.area.clone()).collect(),
        after.boxes.rows.iter().map(|row| row.area.clone()).collect(),
    ]
    .concat();
    let index = Index::new(&space, &areas.iter().collect::<Vec<_>>());
    let fuel = Fuel::new(options.fuel);
    let ordered = new.tiers.iter().filter(|tier| !tier.specialized);
    let tiers = ordered.map(|tier| tier.name.to_string()).collect();
    let mut comparison = Comparison { space, before, after, sides, areas, index, fuel, tiers };
    let groups = comparison.groups()?;
    let dead = |one: &Checked| dead_rules(one, options).map_err(DiffError::Wrong);
    let (was_dead, is_dead) = (dead(old)?, dead(new)?);
    let names = |checked: &Checked| checked.rules.iter().map(|rule| rule.name.to_string()).collect::<Vec<_>>();
    let (was, is) = (names(old), names(new));
    Ok(Diff {
        policy: new.name.to_string(),
        old_hash: fingerprint::of(old).to_string(),
        new_hash: fingerprint::of(new).to_string(),
        groups,
        notes: joint.notes,
        added: is.iter().filter(|name| !was.contains(name)).cloned().collect(),
        removed: was.iter().filter(|name| !is.contains(name)).cloned().collect(),
        now_dead: is_dead.into_iter().filter(|name| was.contains(name) && !was_dead.contains(name)).collect(),
    })
}

fn dead_rules(checked: &Checked, options: Options) -> Result<Vec<String>, ProveError> {
    let found = super::prove::prove(checked, options)?;
    let dead = found.iter().filter(|one| matches!(one.code.code, "R401" | "R402" | "R405"));
    let named = dead.filter_map(|one| {
        let inside = |rule: &&super::checked::Rule| rule.span == one.span || rule.when_span == Some(one.span);
        checked.rules.iter().find(inside).map(|rule| rule.name.to_string())
    });
    Ok(named.collect())
}

/// One of the two policies, rule by rule.
struct Side {
    does: Vec<Does>,
    /// Their [`Does::key`].
    keys: Vec<String>,
    /// The same rule on the other side: equal name and equal condition.
    mate: Vec<Option<usize>>,
    names: Vec<String>,
}

impl Side {
    fn new(own: &Checked, other: &Checked) -> Self {
        let places: FxHashMap<&str, usize> =
            other.rules.iter().enumerate().map(|(at, rule)| (&*rule.name, at)).collect();
        let same = |rule: &super::checked::Rule| {
            let at = *places.get(&*rule.name)?;
            (bare(&rule.when) == bare(&other.rules[at].when)).then_some(at)
        };
        let does: Vec<Does> = own.rules.iter().map(|rule| Does::of(own, &rule.outcome)).collect();
        Self {
            keys: does.iter().map(Does::key).collect(),
            does,
            mate: own.rules.iter().map(same).collect(),
            names: own.rules.iter().map(|rule| rule.name.to_string()).collect(),
        }
    }
}

/// A condition as text without places.
fn bare(cond: &Cond) -> String {
    let all = |parts: &[Cond]| parts.iter().map(bare).collect::<Vec<_>>().join(",");
    match cond {
        Cond::True => "true".to_owned(),
        Cond::Any(parts) => format!("any({})", all(parts)),
        Cond::All(parts) => format!("all({})", all(parts)),
        Cond::Not(inner) => format!("not({})", bare(inner)),
        Cond::Test { column, values, span: _ } => format!("{column:?}{values:?}"),
    }
}

struct Comparison<'a> {
    space: Space,
    before: Proof<'a>,
    after: Proof<'a>,
    sides: (Side, Side),
    /// Impossible boxes, boxes of the old rules, boxes of the new rules.
    areas: Vec<AtomBox>,
    index: Index,
    fuel: Fuel,
    /// Ordered tiers of the new policy.
    tiers: Vec<String>,
}

impl Comparison<'_> {
    fn groups(&mut self) -> Result<Vec<Group>, DiffError> {
        let mut groups = Vec::new();
        let after_rows = self.after.boxes.invalid.len() + self.before.boxes.rows.len();
        for now in 0..self.sides.1.does.len() {
            let mut found: Vec<usize> = Vec::new();
            for row in self.after.boxes.range(RuleId(now as u32)) {
                let area = self.areas[after_rows + row].clone();
                for (was, part) in self.old_rows_meeting(&area) {
                    if found.contains(&was) || !self.may_differ(was, now) {
                        continue;
                    }
                    if let Some(left) = self.left_of(&part, was, now)? {
                        found.push(was);
                        groups.push(self.group(was, now, &part, &left)?);
                    }
                }
            }
        }
        Ok(groups)
    }

    fn old_rows_meeting(&self, area: &AtomBox) -> Vec<(usize, AtomBox)> {
        let impossible = self.after.boxes.invalid.len();
        let end = impossible + self.before.boxes.rows.len();
        let rows = self.index.meeting(area, &self.index.before(end)).into_iter().filter(|at| *at >= impossible);
        let part = |at: usize| Some((self.before.boxes.rows[at - impossible].rule.index(), self.areas[at].and(area)?));
        rows.filter_map(part).collect()
    }

    /// Rules that stand on both sides in the same order cannot trade requests with each other.
    fn may_differ(&self, was: usize, now: usize) -> bool {
        let (old, new) = &self.sides;
        let matches = |side: &Side, rule: usize| side.names[rule] != joint::NO_RULE;
        if old.keys[was] == new.keys[now] && matches(old, was) == matches(new, now) {
            return false;
        }
        match (old.mate[was], new.mate[now]) {
            (Some(was_now), Some(now_was)) => was_now == now || (was < now_was) != (was_now < now),
            _ => true,
        }
    }

    /// A request of `part` that no rule above takes on either side.
    fn left_of(&mut self, part: &AtomBox, was: usize, now: usize) -> Result<Option<AtomBox>, DiffError> {
        let impossible = self.after.boxes.invalid.len();
        let old_end = impossible + self.before.boxes.range(RuleId(was as u32)).start;
        let new_start = impossible + self.before.boxes.rows.len();
        let new_end = new_start + self.after.boxes.range(RuleId(now as u32)).start;
        let (old, mut among) = (self.index.before(old_end), self.index.before(new_end));
        for (at, (word, old)) in among.iter_mut().zip(old).enumerate() {
            let after = (0..64).filter(|bit| at * 64 + bit >= new_start).fold(0u64, |mask, bit| mask | 1 << bit);
            *word = *word & after | old;
        }
        let areas = &self.areas;
        let cover = Cover { index: &self.index, among, boxed: &|at| &areas[at], more: &[], end: areas.len() };
        match find_in(&self.space, part, cover, &mut self.fuel) {
            Found::Witness(left) => Ok(Some(left)),
            Found::Covered(_) => Ok(None),
            Found::OutOfFuel => Err(DiffError::Findings(vec![self.after.incomplete(self.fuel.left())])),
        }
    }

    fn group(&mut self, was: usize, now: usize, part: &AtomBox, left: &AtomBox) -> Result<Group, DiffError> {
        let claim = |rule: usize| Claim { decided: Some(RuleId(rule as u32)), inside: &[], outside: &[] };
        let point: Vec<AtomId> = self.after.point(left);
        self.before.verify(&point, &claim(was)).map_err(DiffError::Wrong)?;
        self.after.verify(&point, &claim(now)).map_err(DiffError::Wrong)?;
        let before = &mut self.before;
        let kept = self.after.fewest_facts(&point, |after, area| {
            after.holds_everywhere(area, &claim(now)) && before.holds_everywhere(area, &claim(was))
        });
        let (old, new) = &self.sides;
        let (was_outcome, now_outcome) = (old.does[was].clone(), new.does[now].clone());
        let rank = |name: &str| self.tiers.iter().position(|tier| tier == name);
        let mut flags = outcome::flags(&was_outcome, &now_outcome, &rank);
        if self.mentions_budget(true, was) && !self.mentions_budget(false, now) {
            flags.push("budget-bypassed".to_owned());
        }
        Ok(Group {
            was: old.names[was].clone(),
            now: new.names[now].clone(),
            flags,
            condition: self.condition(part),
            witness: self.after.words(&kept, &point),
            was_outcome,
            now_outcome,
        })
    }

    fn mentions_budget(&self, old: bool, rule: usize) -> bool {
        let proof = if old { &self.before } else { &self.after };
        let rows = proof.boxes.rule(RuleId(rule as u32));
        let budget = |column: &ColumnId| joint::is_budget(self.space.column(*column));
        rows.iter().any(|row| row.area.sets().iter().any(|(column, _)| budget(column)))
    }

    fn condition(&self, part: &AtomBox) -> String {
        let each = part
            .sets()
            .iter()
            .map(|(column, set)| format!("{} is {}", self.space.column(*column).name, self.space.shown(*column, set)));
        let words = each.collect::<Vec<_>>().join(" and ");
        if words.is_empty() { "always".to_owned() } else { words }
    }
}
