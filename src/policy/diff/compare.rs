//! The comparison itself: for which pairs of rules is there a request that the old one decided and the new one decides?
//!
//! In: two policies over the same columns. Out: groups, each with a request that was verified on both sides, and where nothing
//! changed. Must not know: how anything is printed.

use rustc_hash::FxHashMap;

use super::super::atom_set::AtomId;
use super::super::atoms::{Mentions, Space};
use super::super::boxes::{AtomBox, TooManyBoxes, boxes_of};
use super::super::checked::{Checked, ColumnId, Cond, Outcome, Rule, RuleId};
use super::super::diagnostic::{Diagnostic, R411};
use super::super::prove::find::{Cover, Found, Fuel, find_in};
use super::super::prove::index::{Index, Mask};
use super::super::prove::witness::Claim;
use super::super::prove::{Options, Proof};
use super::contexts::Context;
use super::flags::{self, Flag, Of, Raised};
use super::joint::{self, Joint};
use super::{DiffError, Does, Group, changes, unchanged};

/// Every pair of rules that some request tells apart, and conditions under which no decision changed.
pub fn compare<'a>(joint: &'a Joint, options: Options) -> Result<(Vec<Group>, Vec<String>), DiffError> {
    let (old, new) = (&joint.old, &joint.new);
    let mut mentions = Mentions::of(old);
    mentions.add_all_of(new);
    let conds: Vec<(&Context, Cond)> =
        joint.contexts.iter().filter_map(|one| Some((one, one.cond(&new.columns, new.place)?))).collect();
    conds.iter().for_each(|(_, cond)| mentions.add_cond(cond));
    let space =
        Space::build(new.columns.clone(), &mentions).map_err(|wide| DiffError::Findings(vec![wide.finding(new)]))?;
    let before = Proof::over(old, space.clone(), options).map_err(DiffError::Findings)?;
    let after = Proof::over(new, space.clone(), options).map_err(DiffError::Findings)?;
    let areas: Vec<AtomBox> = [
        after.boxes.invalid.iter().map(|one| one.area.clone()).collect::<Vec<_>>(),
        before.boxes.rows.iter().map(|row| row.area.clone()).collect(),
        after.boxes.rows.iter().map(|row| row.area.clone()).collect(),
    ]
    .concat();
    let index = Index::new(&space, &areas.iter().collect::<Vec<_>>());
    let fuel = Fuel::new(options.fuel);
    let sides = (Side::new(old, new), Side::new(new, old));
    let areas_of = |(context, cond): (&'a Context, Cond)| match boxes_of(&space, &cond) {
        Ok(areas) => Ok((context, areas)),
        Err(wide) => Err(DiffError::Findings(vec![too_wide(new, context, &wide)])),
    };
    let contexts = conds.into_iter().map(areas_of).collect::<Result<Vec<_>, _>>()?;
    let mut comparison =
        Comparison { options, contexts, space, before, after, sides, areas, index, fuel, changed: Vec::new() };
    let groups = comparison.groups()?;
    // What is said beyond the groups has fuel of its own: without it less is said, and nothing wrong.
    comparison.fuel = Fuel::new(options.fuel);
    let unchanged = unchanged::conditions(&mut comparison);
    Ok((groups, unchanged))
}

/// R411: the conditions of a rollout on both sides, together, are too wide.
fn too_wide(checked: &Checked, context: &Context, wide: &TooManyBoxes) -> Diagnostic {
    let message =
        format!("{}: its conditions come apart into {} alternatives", context.words(&checked.columns), wide.boxes);
    Diagnostic::new(&R411, checked.place, message).help("split its `where` into several rollouts")
}

/// One of the two policies, rule by rule.
pub struct Side<'a> {
    checked: &'a Checked,
    does: Vec<Does>,
    /// Their [`Does::key`].
    keys: Vec<String>,
    /// The same rule on the other side: equal name and equal condition.
    mate: Vec<Option<usize>>,
}

impl<'a> Side<'a> {
    fn new(checked: &'a Checked, other: &Checked) -> Self {
        let places: FxHashMap<&str, usize> =
            other.rules.iter().enumerate().map(|(at, rule)| (&*rule.name, at)).collect();
        let same = |rule: &Rule| {
            let at = *places.get(&*rule.name)?;
            (bare(&rule.when) == bare(&other.rules[at].when)).then_some(at)
        };
        let does: Vec<Does> = checked.rules.iter().map(|rule| Does::of(checked, &rule.outcome)).collect();
        Self {
            keys: does.iter().map(Does::key).collect(),
            does,
            mate: checked.rules.iter().map(same).collect(),
            checked,
        }
    }

    fn name(&self, rule: usize) -> &str {
        &self.checked.rules[rule].name
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

/// A pair of rules with a changed decision, and every area in which both match.
pub struct Changed {
    pub was: usize,
    pub now: usize,
    pub parts: Vec<AtomBox>,
    /// A request of the group.
    pub point: Vec<AtomId>,
}

/// Both policies as boxes.
pub struct Comparison<'a> {
    options: Options,
    pub space: Space,
    before: Proof<'a>,
    after: Proof<'a>,
    sides: (Side<'a>, Side<'a>),
    /// Impossible boxes, boxes of the old rules, boxes of the new rules.
    areas: Vec<AtomBox>,
    index: Index,
    fuel: Fuel,
    /// Facts on which chains hang, with their requests.
    contexts: Vec<(&'a Context, Vec<AtomBox>)>,
    pub changed: Vec<Changed>,
}

/// How the requests of a group differ: what they got and what they get, in words where the rules alone do not show it.
struct Case {
    was: Outcome,
    now: Outcome,
    words: Option<String>,
}

impl Comparison<'_> {
    fn groups(&mut self) -> Result<Vec<Group>, DiffError> {
        let mut groups = Vec::new();
        for now in 0..self.sides.1.does.len() {
            for was in self.old_rules_meeting(now) {
                let parts = self.parts(was, now);
                if self.may_differ(was, now) {
                    let [old, new] = [&self.sides.0, &self.sides.1].map(|side| side.checked);
                    let outcome = |checked: &Checked, rule: usize| checked.rules[rule].outcome.clone();
                    let case = Case { was: outcome(old, was), now: outcome(new, now), words: None };
                    if let Some(left) = self.first_left(&parts, was, now)? {
                        groups.push(self.group(was, now, parts, &[case], &left, &[])?);
                    }
                } else {
                    groups.extend(self.by_facts(was, now, &parts)?);
                }
            }
        }
        Ok(groups)
    }

    /// Two rules that do the same may do something else for requests about which the policies state different facts.
    fn by_facts(&mut self, was: usize, now: usize, parts: &[AtomBox]) -> Result<Option<Group>, DiffError> {
        let (mut cases, mut inside, mut areas): (Vec<Case>, _, _) = (Vec::new(), Vec::new(), Vec::new());
        let mut found = None;
        for (context, own) in self.contexts.clone() {
            let (old, new) = (self.sides.0.checked, self.sides.1.checked);
            let (before, before_also) = context.applied(old, &old.rules[was].outcome, 0);
            let (after, after_also) = context.applied(new, &new.rules[now].outcome, 1);
            let same = Does::of(old, &before).key() == Does::of(new, &after).key();
            if same && before_also == after_also {
                continue;
            }
            let here: Vec<AtomBox> =
                parts.iter().flat_map(|part| own.iter().filter_map(|area| part.and(area))).collect();
            let Some(left) = self.first_left(&here, was, now)? else { continue };
            if found.is_none() {
                found = Some(left);
                areas = own;
            }
            inside.extend(here);
            cases.push(Case { was: before, now: after, words: Some(context.words(&new.columns)) });
        }
        found.map(|left| self.group(was, now, inside, &cases, &left, &areas)).transpose()
    }

    fn first_left(&mut self, parts: &[AtomBox], was: usize, now: usize) -> Result<Option<AtomBox>, DiffError> {
        for part in parts {
            if let Some(left) = self.left_of(part, was, now)? {
                return Ok(Some(left));
            }
        }
        Ok(None)
    }

    /// Old rules that share a request with a new one, in page order.
    fn old_rules_meeting(&self, now: usize) -> Vec<usize> {
        let impossible = self.after.boxes.invalid.len();
        let old_rows = self.index.before(impossible + self.before.boxes.rows.len());
        let mut rules: Vec<usize> = Vec::new();
        for row in self.after.boxes.rule(RuleId(now as u32)) {
            let met = self.index.meeting(&row.area, &old_rows);
            let rows = met.into_iter().filter_map(|at| at.checked_sub(impossible));
            rules.extend(rows.map(|at| self.before.boxes.rows[at].rule.index()));
        }
        rules.sort_unstable();
        rules.dedup();
        rules
    }

    /// Where both rules match.
    fn parts(&self, was: usize, now: usize) -> Vec<AtomBox> {
        let old = self.before.boxes.rule(RuleId(was as u32));
        let new = self.after.boxes.rule(RuleId(now as u32));
        new.iter().flat_map(|new| old.iter().filter_map(|old| old.area.and(&new.area))).collect()
    }

    /// Rules that stand on both sides in the same order cannot trade requests with each other.
    fn may_differ(&self, was: usize, now: usize) -> bool {
        let (old, new) = &self.sides;
        let matches = |side: &Side<'_>, rule: usize| side.name(rule) != joint::NO_RULE;
        if old.keys[was] == new.keys[now] && matches(old, was) == matches(new, now) {
            return false;
        }
        match (old.mate[was], new.mate[now]) {
            (Some(was_now), Some(now_was)) => was_now == now || (was < now_was) != (was_now < now),
            _ => true,
        }
    }

    /// What no request is in, and what rules above take on either side.
    fn taken(&self, was: usize, now: usize) -> Mask {
        let impossible = self.after.boxes.invalid.len();
        let old_end = impossible + self.before.boxes.range(RuleId(was as u32)).start;
        let new_start = impossible + self.before.boxes.rows.len();
        let new_end = new_start + self.after.boxes.range(RuleId(now as u32)).start;
        let (old, start, end) = (self.index.before(old_end), self.index.before(new_start), self.index.before(new_end));
        old.iter().zip(start).zip(end).map(|((old, start), end)| old | (end & !start)).collect()
    }

    /// A request of `part` that no rule above takes on either side.
    fn left_of(&mut self, part: &AtomBox, was: usize, now: usize) -> Result<Option<AtomBox>, DiffError> {
        let among = self.taken(was, now);
        let areas = &self.areas;
        let cover = Cover { index: &self.index, among, boxed: &|at| &areas[at], more: &[], end: areas.len() };
        match find_in(&self.space, part, cover, &mut self.fuel) {
            Found::Witness(left) => Ok(Some(left)),
            Found::Covered(_) => Ok(None),
            Found::OutOfFuel => Err(DiffError::Findings(vec![self.after.incomplete(self.options.fuel)])),
        }
    }

    /// Whether no decision changed for any request of an area; `None` when fuel ran out, or no request is in it.
    pub fn is_unchanged(&mut self, area: &AtomBox) -> Option<bool> {
        let impossible = self.index.before(self.after.boxes.invalid.len());
        let areas = &self.areas;
        let cover =
            Cover { index: &self.index, among: impossible, boxed: &|at| &areas[at], more: &[], end: areas.len() };
        let any = find_in(&self.space, area, cover, &mut self.fuel);
        if !matches!(any, Found::Witness(_)) {
            return None;
        }
        for at in 0..self.changed.len() {
            let Changed { was, now, .. } = self.changed[at];
            let parts: Vec<AtomBox> = self.changed[at].parts.iter().filter_map(|part| part.and(area)).collect();
            for part in &parts {
                if self.left_of(part, was, now).ok()?.is_some() {
                    return Some(false);
                }
            }
        }
        Some(true)
    }

    /// `cases` are what the requests in `parts` got and get, `left` is one of them for the first case, and `inside` is what more
    /// is claimed of it.
    fn group(
        &mut self,
        was: usize,
        now: usize,
        parts: Vec<AtomBox>,
        cases: &[Case],
        left: &AtomBox,
        inside: &[AtomBox],
    ) -> Result<Group, DiffError> {
        let claim = |rule: usize, inside| Claim { decided: Some(RuleId(rule as u32)), inside, outside: &[] };
        let point: Vec<AtomId> = self.after.point(left);
        self.before.verify(&point, &claim(was, &[])).map_err(DiffError::Wrong)?;
        self.after.verify(&point, &claim(now, inside)).map_err(DiffError::Wrong)?;
        let before = &mut self.before;
        let kept = self.after.fewest_facts(&point, |after, area| {
            after.holds_everywhere(area, &claim(now, inside)) && before.holds_everywhere(area, &claim(was, &[]))
        });
        let budgets = self.bypassed(was, now, &parts);
        let (old, new) = (self.sides.0.checked, self.sides.1.checked);
        let mut flags: Vec<Raised> = Vec::new();
        let mut changes: Vec<String> = Vec::new();
        for case in cases {
            let (before, after) = (Of { checked: old, outcome: &case.was }, Of { checked: new, outcome: &case.now });
            let fresh = flags::flags(before, after).into_iter().filter(|raised| !flags.contains(raised));
            flags.extend(fresh.collect::<Vec<_>>());
            match &case.words {
                Some(words) if changes.contains(words) => {}
                Some(words) => changes.push(words.clone()),
                None => changes.extend(changes::changes(before, after)),
            }
        }
        flags.extend((!budgets.is_empty()).then(|| Raised::new(Flag::BudgetBypassed, budgets.join(", "))));
        flags.sort_by_key(|raised| Flag::ALL.iter().position(|flag| *flag == raised.flag));
        let does = |checked: &Checked, case: Option<&Case>, get: fn(&Case) -> &Outcome, known: &Does| {
            case.map_or_else(|| known.clone(), |case| Does::of(checked, get(case)))
        };
        let group = Group {
            was: self.sides.0.name(was).to_owned(),
            now: self.sides.1.name(now).to_owned(),
            flags,
            condition: parts.first().map_or_else(String::new, |part| self.condition(part)),
            witness: self.after.words(&kept, &point),
            was_outcome: does(old, cases.first(), |case| &case.was, &self.sides.0.does[was]),
            now_outcome: does(new, cases.first(), |case| &case.now, &self.sides.1.does[now]),
            changes,
            partial: !inside.is_empty(),
            replayed: None,
        };
        self.changed.push(Changed { was, now, parts, point });
        Ok(group)
    }

    /// Budgets whose state decided for some request of the group, and decides for none of them any more. Without fuel to
    /// prove it nothing is claimed.
    fn bypassed(&mut self, was: usize, now: usize, parts: &[AtomBox]) -> Vec<String> {
        let budgets = self.space.ids().filter(|id| joint::is_budget(self.space.column(*id))).collect::<Vec<_>>();
        let mut names = Vec::new();
        for column in budgets {
            if self.turns_on(true, was, now, parts, column) && !self.turns_on(false, was, now, parts, column) {
                names.push(self.space.column(column).name.to_string());
            }
        }
        names
    }

    /// Whether another value of a column would give some request of the group to another rule of one side: its own rule tests
    /// the column there, or one above would match but for it.
    fn turns_on(&mut self, old: bool, was: usize, now: usize, parts: &[AtomBox], column: ColumnId) -> bool {
        let (proof, rule) = if old { (&self.before, was) } else { (&self.after, now) };
        let tests = |area: &AtomBox| area.get(column).is_some();
        let own = proof.boxes.rule(RuleId(rule as u32)).iter().map(|row| row.area.clone()).filter(tests);
        let end = proof.boxes.range(RuleId(rule as u32)).start;
        let above = proof.boxes.rows[..end].iter().map(|row| row.area.clone()).filter(tests);
        let others: Vec<AtomBox> = own.chain(above.map(|area| area.without(column))).collect();
        for part in parts.iter().flat_map(|part| others.iter().filter_map(|other| part.and(other))).collect::<Vec<_>>()
        {
            if matches!(self.left_of(&part, was, now), Ok(Some(_))) {
                return true;
            }
        }
        false
    }

    fn condition(&self, part: &AtomBox) -> String {
        let each = part.sets().iter().map(|(column, set)| self.space.test(*column, set));
        let words = each.collect::<Vec<_>>().join(" and ");
        if words.is_empty() { "always".to_owned() } else { words }
    }
}
