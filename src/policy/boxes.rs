//! Conditions as unions of boxes (language specification, section 9.2).
//!
//! In: conditions over columns and the atoms of those columns. Out: for each rule a short list of boxes, and the boxes that
//! no request can be in. Must not know: outcomes, requests.

use std::ops::Range;
use std::sync::Arc;

use smallvec::SmallVec;

use super::atom_set::{AtomId, AtomSet};
use super::atoms::{Space, merged_implications};
use super::checked::{Checked, ColumnId, Cond, RuleId};
use super::diagnostic::{Diagnostic, R411};
use super::source::Span;

/// Most boxes a rule may have; above it is R411.
pub const MAX_BOXES: usize = 256;

/// Most pairs of boxes that one `and` may make before they are joined: building stays quick on conditions nobody can read.
pub const MAX_PAIRS: usize = 16 * MAX_BOXES;

/// A condition is not a short union of boxes: more than [`MAX_BOXES`], or more than [`MAX_PAIRS`] on the way there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyBoxes {
    /// How many there were when counting stopped.
    pub boxes: usize,
}

/// A set of atoms for each of some columns, and everything for all others: a rectangle of requests. Sets are never empty and
/// never full, and stand in the order of columns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AtomBox {
    sets: SmallVec<[(ColumnId, AtomSet); 4]>,
}

impl AtomBox {
    /// Every request.
    pub fn everything() -> Self {
        Self::default()
    }

    /// One column inside a set; `None` when the set is empty.
    pub fn only(space: &Space, column: ColumnId, set: AtomSet) -> Option<Self> {
        if set.is_empty() {
            return None;
        }
        let mut sets = SmallVec::new();
        if set.len() < space.count(column) {
            sets.push((column, set));
        }
        Some(Self { sets })
    }

    /// One atom in some columns, anything in the others.
    pub fn of_atoms(space: &Space, mut atom: impl FnMut(ColumnId) -> Option<AtomId>) -> Self {
        let one = |column: ColumnId| {
            let count = space.count(column);
            Some((column, AtomSet::one(atom(column).filter(|_| count > 1)?, count)))
        };
        Self { sets: space.ids().filter_map(one).collect() }
    }

    /// The columns it limits, with their sets.
    pub fn sets(&self) -> &[(ColumnId, AtomSet)] {
        &self.sets
    }

    /// The limit on a column, if there is one.
    pub fn get(&self, column: ColumnId) -> Option<&AtomSet> {
        self.sets.iter().find(|(id, _)| *id == column).map(|(_, set)| set)
    }

    /// Whether an atom of a column is inside.
    pub fn admits(&self, column: ColumnId, atom: AtomId) -> bool {
        self.get(column).is_none_or(|set| set.has(atom))
    }

    /// Whether a request, given as its atom in each column, is inside.
    pub fn holds(&self, mut atom: impl FnMut(ColumnId) -> AtomId) -> bool {
        self.sets.iter().all(|(column, set)| set.has(atom(*column)))
    }

    /// Whether the two share a request.
    pub fn meets(&self, other: &Self) -> bool {
        let mut rest = other.sets.iter().peekable();
        for (column, set) in &self.sets {
            while rest.next_if(|(id, _)| id < column).is_some() {}
            if let Some((_, theirs)) = rest.next_if(|(id, _)| id == column)
                && !set.meets(theirs)
            {
                return false;
            }
        }
        true
    }

    /// Whether every request in `self` is in `other`.
    pub fn within(&self, other: &Self) -> bool {
        let mut mine = self.sets.iter().peekable();
        for (column, set) in &other.sets {
            while mine.next_if(|(id, _)| id < column).is_some() {}
            match mine.next_if(|(id, _)| id == column) {
                Some((_, inside)) if inside.within(set) => {}
                _ => return false,
            }
        }
        true
    }

    /// What both share; `None` when that is nothing.
    pub fn and(&self, other: &Self) -> Option<Self> {
        let mut sets = SmallVec::with_capacity(self.sets.len() + other.sets.len());
        let (mut mine, mut theirs) = (self.sets.iter().peekable(), other.sets.iter().peekable());
        loop {
            let next = match (mine.peek(), theirs.peek()) {
                (Some((a, left)), Some((b, right))) if a == b => {
                    let both = left.and(right);
                    if both.is_empty() {
                        return None;
                    }
                    let column = *a;
                    mine.next();
                    theirs.next();
                    Some((column, both))
                }
                (Some((a, _)), Some((b, _))) if a < b => mine.next().cloned(),
                (_, Some(_)) => theirs.next().cloned(),
                (Some(_), None) => mine.next().cloned(),
                (None, None) => return Some(Self { sets }),
            };
            sets.extend(next);
        }
    }

    /// The same with another limit on one column; `None` when that limit is empty.
    pub fn with(&self, space: &Space, column: ColumnId, set: AtomSet) -> Option<Self> {
        if set.is_empty() {
            return None;
        }
        let at = self.sets.partition_point(|(id, _)| *id < column);
        let behind = at + usize::from(self.sets.get(at).is_some_and(|(id, _)| *id == column));
        let mut sets = SmallVec::with_capacity(self.sets.len() + 1);
        sets.extend(self.sets[..at].iter().cloned());
        sets.extend((set.len() < space.count(column)).then_some((column, set)));
        sets.extend(self.sets[behind..].iter().cloned());
        Some(Self { sets })
    }

    /// The same without a limit on one column.
    #[must_use]
    pub fn without(&self, column: ColumnId) -> Self {
        Self { sets: self.sets.iter().filter(|(id, _)| *id != column).cloned().collect() }
    }

    /// The union of the two, if that is a box: they differ in one column.
    fn join(&self, other: &Self, space: &Space) -> Option<Self> {
        if self.sets.len() != other.sets.len() {
            return None;
        }
        let mut differs = None;
        for ((a, left), (b, right)) in self.sets.iter().zip(&other.sets) {
            if a != b {
                return None;
            }
            if left != right && differs.replace((*a, left.or(right))).is_some() {
                return None;
            }
        }
        differs.and_then(|(column, union)| self.with(space, column, union))
    }
}

/// A union of boxes without boxes inside others, and with neighbors joined.
#[derive(Clone, Debug, Default)]
struct Union {
    boxes: Vec<AtomBox>,
}

impl Union {
    fn add(&mut self, space: &Space, mut new: AtomBox) {
        loop {
            if self.boxes.iter().any(|old| new.within(old)) {
                return;
            }
            self.boxes.retain(|old| !old.within(&new));
            let neighbor = self.boxes.iter().enumerate().find_map(|(at, old)| Some((at, old.join(&new, space)?)));
            let Some((at, joined)) = neighbor else { break };
            self.boxes.remove(at);
            new = joined;
        }
        self.boxes.push(new);
    }
}

/// The boxes of a condition.
///
/// # Errors
/// When they are too many.
pub fn boxes_of(space: &Space, cond: &Cond) -> Result<Vec<AtomBox>, TooManyBoxes> {
    let boxes = normalize(space, cond, false)?;
    if boxes.len() > MAX_BOXES { Err(TooManyBoxes { boxes: boxes.len() }) } else { Ok(boxes) }
}

fn normalize(space: &Space, cond: &Cond, negated: bool) -> Result<Vec<AtomBox>, TooManyBoxes> {
    match cond {
        Cond::True => Ok(if negated { Vec::new() } else { vec![AtomBox::everything()] }),
        Cond::Not(inner) => normalize(space, inner, !negated),
        Cond::Test { column, values, .. } => {
            let set = space.set(*column, values);
            let set = if negated { set.complement(space.count(*column)) } else { set };
            Ok(AtomBox::only(space, *column, set).into_iter().collect())
        }
        Cond::Any(parts) if negated => all_of(space, parts, true),
        Cond::All(parts) if !negated => all_of(space, parts, false),
        Cond::Any(parts) | Cond::All(parts) => {
            let mut union = Union::default();
            for part in parts {
                for one in normalize(space, part, negated)? {
                    union.add(space, one);
                }
                if union.boxes.len() > MAX_PAIRS {
                    return Err(TooManyBoxes { boxes: union.boxes.len() });
                }
            }
            Ok(union.boxes)
        }
    }
}

/// The product of the parts' unions, smallest first so that few boxes meet many.
fn all_of(space: &Space, parts: &[Cond], negated: bool) -> Result<Vec<AtomBox>, TooManyBoxes> {
    let mut unions = parts.iter().map(|part| normalize(space, part, negated)).collect::<Result<Vec<_>, _>>()?;
    unions.sort_by_key(Vec::len);
    let mut product = vec![AtomBox::everything()];
    for union in unions {
        let pairs = product.len() * union.len();
        if pairs > MAX_PAIRS {
            return Err(TooManyBoxes { boxes: pairs });
        }
        let mut next = Union::default();
        for (left, right) in product.iter().flat_map(|left| union.iter().map(move |right| (left, right))) {
            if let Some(both) = left.and(right) {
                next.add(space, both);
            }
        }
        product = next.boxes;
    }
    Ok(product)
}

/// All boxes of a policy.
#[derive(Clone, Debug)]
pub struct Boxes {
    /// Boxes in the order of their rules.
    pub rows: Vec<Row>,
    of_rule: Vec<Range<usize>>,
    /// What no admitted request can be in, and why.
    pub invalid: Vec<Impossible>,
}

/// A box of a rule.
#[derive(Clone, Debug)]
pub struct Row {
    /// Whose.
    pub rule: RuleId,
    /// Where.
    pub area: AtomBox,
}

/// A box that facts rule out.
#[derive(Clone, Debug)]
pub struct Impossible {
    /// Where.
    pub area: AtomBox,
    /// The facts as a person says them.
    pub because: Arc<[String]>,
}

/// A rule whose condition is too wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooWide {
    /// Which.
    pub rule: RuleId,
    /// How wide.
    pub boxes: TooManyBoxes,
}

impl Boxes {
    /// The boxes of every rule, and a finding for each rule that has too many; such a rule has none here.
    pub fn of(checked: &Checked, space: &Space) -> (Self, Vec<TooWide>) {
        let mut rows = Vec::new();
        let mut of_rule = Vec::with_capacity(checked.rules.len());
        let mut too_wide = Vec::new();
        for (at, rule) in checked.rules.iter().enumerate() {
            let id = RuleId(at as u32);
            let start = rows.len();
            match boxes_of(space, &rule.when) {
                Ok(boxes) => rows.extend(boxes.into_iter().map(|area| Row { rule: id, area })),
                Err(boxes) => too_wide.push(TooWide { rule: id, boxes }),
            }
            of_rule.push(start..rows.len());
        }
        (Self { rows, of_rule, invalid: impossible(checked, space) }, too_wide)
    }

    /// The positions of a rule's boxes in [`Self::rows`].
    pub fn range(&self, rule: RuleId) -> Range<usize> {
        self.of_rule.get(rule.index()).cloned().unwrap_or(0..0)
    }

    /// The boxes of a rule.
    pub fn rule(&self, rule: RuleId) -> &[Row] {
        &self.rows[self.range(rule)]
    }
}

/// `tenant acme` implies `plan enterprise`: so nothing is in {tenant: acme, plan: not enterprise}.
fn impossible(checked: &Checked, space: &Space) -> Vec<Impossible> {
    let ruled_out = merged_implications(checked).into_iter().filter_map(|fact| {
        let left = AtomBox::only(space, fact.if_column, space.set(fact.if_column, &fact.if_values))?;
        let wrong = space.set(fact.then_column, &fact.then_values).complement(space.count(fact.then_column));
        let area = left.and(&AtomBox::only(space, fact.then_column, wrong)?)?;
        let because = fact.from.iter().map(|at| checked.implications[*at].because.clone()).collect();
        Some(Impossible { area, because })
    });
    ruled_out.collect()
}

impl TooWide {
    /// R411.
    pub fn finding(&self, checked: &Checked) -> Diagnostic {
        let rule = &checked.rules[self.rule.index()];
        let widest = widest_or(&rule.when);
        let place = widest.or(rule.when_span).unwrap_or(rule.span);
        let found =
            Diagnostic::new(&R411, place, format!("the condition of rule `{}` is too wide to analyze", rule.name))
                .here(format!("becomes {} combinations; {MAX_BOXES} is the limit", self.boxes.boxes))
                .label(rule.span, "in this rule");
        found.help(format!("split the `or` of `{}`: write its alternatives as rules of their own", rule.name))
    }
}

/// Where the `or` with the most alternatives stands.
fn widest_or(cond: &Cond) -> Option<Span> {
    fn walk(cond: &Cond, best: &mut (usize, Option<Span>)) {
        match cond {
            Cond::True | Cond::Test { .. } => {}
            Cond::Not(inner) => walk(inner, best),
            Cond::All(parts) => parts.iter().for_each(|part| walk(part, best)),
            Cond::Any(parts) => {
                if parts.len() > best.0 {
                    let (first, last) = (parts.first().and_then(place), parts.last().and_then(place));
                    let whole = first.zip(last).filter(|(a, b)| a.file == b.file && a.lo < b.hi).map(|(a, b)| a.to(b));
                    *best = (parts.len(), whole.or(first));
                }
                parts.iter().for_each(|part| walk(part, best));
            }
        }
    }
    let mut best = (1, None);
    walk(cond, &mut best);
    best.1
}

/// Where a condition begins, as far as it is known.
fn place(cond: &Cond) -> Option<Span> {
    match cond {
        Cond::True => None,
        Cond::Test { span, .. } => Some(*span),
        Cond::Not(inner) => place(inner),
        Cond::All(parts) | Cond::Any(parts) => parts.iter().find_map(place),
    }
}
