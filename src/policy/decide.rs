//! Which rule decides a request (language specification, sections 5.1 and 9.4).
//!
//! In: a [`Tree`], the atoms of the free columns, and a way to ask for readings. Out: the rule, and why earlier rules did not
//! decide. Must not know: where facts come from. Nothing here allocates, locks or parses, except for explanations.

use smallvec::SmallVec;

use super::atom_set::{AtomId, AtomSet};
use super::atoms::Space;
use super::checked::{Class, ColumnId, Cond, RuleId};
use super::readings::Readings;
use super::request::Values;
use super::tree::Tree;

/// Columns of a request that stay on the stack. A policy that looks at more things pays one allocation a request.
pub const INLINE_COLUMNS: usize = 64;

/// The atoms of a request's free columns, by column; made by [`Tree::request`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// One for each column of the tree; columns that are not free have any atom.
    pub atoms: SmallVec<[AtomId; INLINE_COLUMNS]>,
}

impl Request {
    /// The atom in a free column.
    pub fn atom(&self, column: ColumnId) -> AtomId {
        self.atoms[column.index()]
    }
}

/// Readings and paid inputs, asked for one at a time and only while the outcome depends on them.
pub trait Fetch {
    /// The atom of a column that is not free. Asked again for the same column, it answers the same.
    fn atom(&mut self, column: ColumnId) -> AtomId;
}

/// Reading columns answered from one copy of the readings.
#[derive(Clone, Copy, Debug)]
pub struct FromReadings<'a> {
    tree: &'a Tree,
    readings: &'a Readings,
}

impl Fetch for FromReadings<'_> {
    fn atom(&mut self, column: ColumnId) -> AtomId {
        self.tree.reading(column, self.readings)
    }
}

/// Remembers what was asked for, in the order it was first asked: the readings a decision used.
#[derive(Debug)]
pub struct Tap<F> {
    inner: F,
    seen: SmallVec<[(ColumnId, AtomId); 8]>,
}

impl<F: Fetch> Tap<F> {
    /// Around another.
    pub fn new(inner: F) -> Self {
        Self { inner, seen: SmallVec::new() }
    }

    /// What was asked for.
    pub fn reads(&self) -> impl Iterator<Item = ColumnId> + '_ {
        self.seen.iter().map(|(column, _)| *column)
    }
}

impl<F: Fetch> Fetch for Tap<F> {
    fn atom(&mut self, column: ColumnId) -> AtomId {
        if let Some((_, atom)) = self.seen.iter().find(|(id, _)| *id == column) {
            return *atom;
        }
        let atom = self.inner.atom(column);
        self.seen.push((column, atom));
        atom
    }
}

impl Tree {
    /// Answers reading columns from a copy of the readings.
    pub const fn fetch<'a>(&'a self, readings: &'a Readings) -> FromReadings<'a> {
        FromReadings { tree: self, readings }
    }
}

/// The first rule in page order whose condition holds; `None` when none does. Equal to [`decide_linear`] for every request.
pub fn decide(tree: &Tree, request: &Request, fetch: &mut impl Fetch) -> Option<RuleId> {
    let leaf = tree.leaf(|column| request.atom(column));
    for word in 0..leaf.words {
        let mut left = leaf.all[word];
        for column in &leaf.free {
            left &= leaf.rows[column.base as usize + request.atom(column.column).index() * leaf.words + word];
            if left == 0 {
                break;
            }
        }
        let mut done = 0u64;
        while left != 0 {
            // The lowest survivor is the first match so far; it is the answer once every column it tests has been applied.
            let first = word * 64 + left.trailing_zeros() as usize;
            let open = leaf.needs.get(first).map_or(0, |needs| needs & !done);
            if open == 0 {
                return Some(leaf.rules[first]);
            }
            let cheapest = open.trailing_zeros();
            done |= 1 << cheapest;
            let column = leaf.late[cheapest as usize];
            left &= leaf.rows[column.base as usize + fetch.atom(column.column).index() * leaf.words + word];
        }
    }
    None
}

/// A condition over atoms.
#[derive(Clone, Debug)]
pub enum AtomCond {
    /// Always.
    True,
    /// At least one.
    Any(Box<[Self]>),
    /// Every one.
    All(Box<[Self]>),
    /// Not.
    Not(Box<Self>),
    /// One column, one set.
    In(ColumnId, AtomSet),
}

impl AtomCond {
    /// A condition with its values replaced by atoms.
    pub fn of(space: &Space, cond: &Cond) -> Self {
        let all = |parts: &[Cond]| parts.iter().map(|part| Self::of(space, part)).collect();
        match cond {
            Cond::True => Self::True,
            Cond::Any(parts) => Self::Any(all(parts)),
            Cond::All(parts) => Self::All(all(parts)),
            Cond::Not(inner) => Self::Not(Box::new(Self::of(space, inner))),
            Cond::Test { column, values, .. } => Self::In(*column, space.set(*column, values)),
        }
    }

    /// Whether it holds for a request, given as its atom in each column.
    pub fn holds(&self, atom: &mut impl FnMut(ColumnId) -> AtomId) -> bool {
        match self {
            Self::True => true,
            Self::Any(parts) => parts.iter().any(|part| part.holds(atom)),
            Self::All(parts) => parts.iter().all(|part| part.holds(atom)),
            Self::Not(inner) => !inner.holds(atom),
            Self::In(column, set) => set.has(atom(*column)),
        }
    }
}

/// The definition of the language: walk the rules in page order. Slower than [`decide`], and asks for more.
pub fn decide_linear(tree: &Tree, request: &Request, fetch: &mut impl Fetch) -> Option<RuleId> {
    let mut atom = |column: ColumnId| match tree.space().column(column).class {
        Class::Free => request.atom(column),
        _ => fetch.atom(column),
    };
    first_holding(tree.linear(), &mut atom)
}

/// The first condition that holds for a request, given as its atom in each column.
pub(super) fn first_holding(conds: &[AtomCond], mut atom: impl FnMut(ColumnId) -> AtomId) -> Option<RuleId> {
    conds.iter().position(|cond| cond.holds(&mut atom)).map(|at| RuleId(at as u32))
}

/// A rule above the deciding one, and the test that kept it from deciding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// Which rule.
    pub rule: RuleId,
    /// What it looked at.
    pub column: ColumnId,
    /// What the request has there: `chat`, `2,000`.
    pub is: String,
    /// What the rule asks for: `embeddings`, `100,000 or more`.
    pub wants: String,
}

/// For each rule above `decided` (all, for `None`): the first column that ruled it out, in the order in which a decision looks
/// at columns. Of a rule with alternatives it is the one that came furthest. Asks `fetch` for nothing the decision did not need.
pub fn passed_over(
    tree: &Tree,
    request: &Request,
    fetch: &mut impl Fetch,
    values: &Values<'_>,
    decided: Option<RuleId>,
) -> Vec<PassedOver> {
    let space = tree.space();
    let end = decided.map_or(tree.linear().len(), RuleId::index);
    let mut passed = Vec::new();
    for rule in (0..end as u32).map(RuleId) {
        let mut furthest: Option<((Class, usize), ColumnId, &AtomSet)> = None;
        for row in tree.boxes().rule(rule) {
            let mut order: SmallVec<[_; 8]> = row.area.sets().iter().collect();
            order.sort_by_key(|(column, _)| (space.column(*column).class, *column));
            let mut atom = |column: ColumnId| match space.column(column).class {
                Class::Free => request.atom(column),
                _ => fetch.atom(column),
            };
            let cleared = order.iter().enumerate().find(|(_, (column, set))| !set.has(atom(*column)));
            let Some((at, (column, set))) = cleared else { continue };
            let reached = (space.column(*column).class, at);
            if furthest.as_ref().is_none_or(|(best, ..)| reached > *best) {
                furthest = Some((reached, *column, set));
            }
        }
        if let Some((_, column, wanted)) = furthest {
            let atom = match space.column(column).class {
                Class::Free => request.atom(column),
                _ => fetch.atom(column),
            };
            let is = values
                .show(tree, column)
                .unwrap_or_else(|| space.shown(column, &AtomSet::one(atom, space.count(column))));
            passed.push(PassedOver { rule, column, is, wants: space.shown(column, wanted) });
        }
    }
    passed
}
