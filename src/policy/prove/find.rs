//! The one query of the analysis (language specification, section 9.6): is a box covered by others, and if not, where not.
//!
//! In: a box, a cover, fuel. Out: a witness box outside the cover, or which boxes of the cover were needed. Must not know:
//! rules, requests.
//!
//! Covering a box is co-NP-hard, so the search runs on fuel and says when it gave up. Taking the box that sticks out least is
//! unit propagation and keeps real policies at a few steps a rule.

use std::rc::Rc;

use super::super::atoms::Space;
use super::super::boxes::AtomBox;
use super::super::checked::ColumnId;
use super::index::{Index, Mask, Relation};

/// Steps of one analysis when nobody says otherwise. A structured policy of a thousand rules takes a few thousand.
pub const DEFAULT_FUEL: u64 = 2_000_000;

/// Steps left.
#[derive(Clone, Copy, Debug)]
pub struct Fuel(u64);

impl Fuel {
    /// So many.
    pub const fn new(steps: u64) -> Self {
        Self(steps)
    }

    /// What is left.
    pub const fn left(self) -> u64 {
        self.0
    }

    fn burn(&mut self) -> bool {
        self.0 = self.0.saturating_sub(1);
        self.0 > 0
    }
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Every request in this box is outside the cover.
    Witness(AtomBox),
    /// Every request is inside; these boxes of the cover say so, by position, ascending.
    Covered(Vec<usize>),
    /// Unknown.
    OutOfFuel,
}

/// A piece of the question, and the part of the cover that can still meet it.
struct Open {
    area: AtomBox,
    cover: Rc<Mask>,
}

/// A point of `area` that lies in no box of `cover`.
pub fn find(space: &Space, area: &AtomBox, cover: &[&AtomBox], fuel: &mut Fuel) -> Found {
    let index = Index::new(space, cover);
    find_indexed(space, area, &index, index.before(cover.len()), &|at| cover[at], fuel)
}

/// The same with boxes that were indexed before; `among` says which of them are the cover.
pub(in crate::policy) fn find_indexed<'b>(
    space: &Space,
    area: &AtomBox,
    index: &Index,
    among: Mask,
    boxed: &dyn Fn(usize) -> &'b AtomBox,
    fuel: &mut Fuel,
) -> Found {
    let mut used = Vec::new();
    // A stack of its own: a cover of thousands of boxes may nest as deep.
    let mut stack = vec![Open { area: area.clone(), cover: Rc::new(among) }];
    while let Some(open) = stack.pop() {
        if !fuel.burn() {
            return Found::OutOfFuel;
        }
        match index.relation(&open.area, &open.cover) {
            Relation::Outside => return Found::Witness(open.area),
            Relation::Inside(by) => used.push(by),
            Relation::Across { nearest, mut live } => {
                used.push(nearest);
                live[nearest / 64] &= !(1 << (nearest % 64));
                let rest = Rc::new(live);
                let pieces = pieces(space, &open.area, boxed(nearest));
                stack.extend(pieces.into_iter().rev().map(|area| Open { area, cover: rest.clone() }));
            }
        }
    }
    used.sort_unstable();
    used.dedup();
    Found::Covered(used)
}

/// Columns on which `area` is not inside `one`.
fn escapes(area: &AtomBox, one: &AtomBox) -> impl Iterator<Item = ColumnId> {
    let outside = |(column, set): &&(ColumnId, _)| area.get(*column).is_none_or(|mine| !mine.within(set));
    one.sets().iter().filter(outside).map(|(column, _)| *column)
}

/// `area` without `one`, as disjoint boxes; the widest escape first, so that a witness is found in the largest piece.
fn pieces(space: &Space, area: &AtomBox, one: &AtomBox) -> Vec<AtomBox> {
    let mut columns: Vec<_> = escapes(area, one)
        .filter_map(|column| {
            let theirs = one.get(column)?;
            let full = || super::super::atom_set::AtomSet::full(space.count(column));
            let mine = area.get(column).cloned().unwrap_or_else(full);
            Some((column, mine.minus(theirs), mine.and(theirs)))
        })
        .collect();
    columns.sort_by_key(|(column, outside, _)| (std::cmp::Reverse(outside.len()), *column));
    let mut inner = area.clone();
    let mut pieces = Vec::with_capacity(columns.len());
    for (column, outside, inside) in columns {
        pieces.extend(inner.with(space, column, outside));
        match inner.with(space, column, inside) {
            Some(next) => inner = next,
            None => break,
        }
    }
    pieces
}
