//! The one query of the analysis (language specification, section 9.6): is a box covered by others, and if not, where not.
//!
//! In: a box, a cover, fuel. Out: a witness box outside the cover, or which boxes of the cover were needed. Must not know:
//! rules, requests.
//!
//! Covering a box is co-NP-hard, so the search runs on fuel and says when it gave up. Taking the box that sticks out least is
//! unit propagation and keeps real policies at a few steps a rule.

use std::rc::Rc;

use smallvec::SmallVec;

use super::super::atoms::Space;
use super::super::boxes::AtomBox;
use super::super::checked::ColumnId;
use super::index::{Index, Mask, Relation, Work};

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

/// What boxes are searched: some that were indexed, and a few more behind them.
pub(in crate::policy) struct Cover<'c> {
    /// Over the boxes that were indexed.
    pub index: &'c Index,
    /// Which of those.
    pub among: Mask,
    /// The box behind a position of the index.
    pub boxed: &'c dyn Fn(usize) -> &'c AtomBox,
    /// Boxes that are asked about once: an index of them would cost more than the question. Their positions follow `end`.
    pub more: &'c [&'c AtomBox],
    /// Where positions of `more` begin.
    pub end: usize,
}

/// The part of a cover that can still meet a piece.
struct Live {
    among: Mask,
    more: Vec<usize>,
}

/// A piece of the question.
struct Open {
    area: AtomBox,
    /// Columns whose limits the cover does not know yet.
    cut: Columns,
    cover: Rc<Live>,
}

type Columns = SmallVec<[ColumnId; 8]>;

/// A point of `area` that lies in no box of `cover`.
pub fn find(space: &Space, area: &AtomBox, cover: &[&AtomBox], fuel: &mut Fuel) -> Found {
    let index = Index::new(space, cover);
    let among = index.before(cover.len());
    let cover = Cover { index: &index, among, boxed: &|at| cover[at], more: &[], end: cover.len() };
    find_in(space, area, cover, fuel)
}

/// The same with boxes that were indexed before.
pub(in crate::policy) fn find_in(space: &Space, area: &AtomBox, cover: Cover<'_>, fuel: &mut Fuel) -> Found {
    let Cover { index, among, boxed, more, end } = cover;
    let (mut used, mut work) = (Vec::new(), Work::default());
    let cut = area.sets().iter().map(|(column, _)| *column).collect();
    // A stack of its own: a cover of thousands of boxes may nest as deep.
    let mut stack =
        vec![Open { area: area.clone(), cut, cover: Rc::new(Live { among, more: (0..more.len()).collect() }) }];
    while let Some(open) = stack.pop() {
        if !fuel.burn() {
            return Found::OutOfFuel;
        }
        let relation = index.relation(&open.area, &open.cut, &open.cover.among, &mut work);
        let (nearest, live) = match beside(&open, relation, more) {
            Step::Outside => return Found::Witness(open.area),
            Step::Inside(at) => {
                used.push(at.position(end));
                continue;
            }
            Step::Across(nearest, live) => (nearest, live),
        };
        used.push(nearest.position(end));
        let one = match nearest {
            Place::Indexed(at) => boxed(at),
            Place::More(at) => more[at],
        };
        let rest = Rc::new(live);
        let pieces = pieces(space, &open.area, one);
        stack.extend(pieces.into_iter().rev().map(|(area, cut)| Open { area, cut, cover: rest.clone() }));
    }
    used.sort_unstable();
    used.dedup();
    Found::Covered(used)
}

/// A box of a cover.
#[derive(Clone, Copy)]
enum Place {
    Indexed(usize),
    More(usize),
}

impl Place {
    fn position(self, end: usize) -> usize {
        match self {
            Self::Indexed(at) => at,
            Self::More(at) => end + at,
        }
    }
}

enum Step {
    Outside,
    Inside(Place),
    /// Without the nearest.
    Across(Place, Live),
}

/// What the index said, with the boxes beside it taken into account. Of boxes as near, those of the index come first.
fn beside(open: &Open, relation: Relation, more: &[&AtomBox]) -> Step {
    let (mut best, mut among) = match relation {
        Relation::Inside(at) => return Step::Inside(Place::Indexed(at)),
        Relation::Outside => (None, Mask::new()),
        Relation::Across { nearest, escapes, live } => (Some((escapes, Place::Indexed(nearest))), live),
    };
    let mut left = Vec::with_capacity(open.cover.more.len());
    for at in open.cover.more.iter().copied().filter(|at| open.area.meets(more[*at])) {
        let escapes = escapes(&open.area, more[at]).count();
        if escapes == 0 {
            return Step::Inside(Place::More(at));
        }
        if best.is_none_or(|(fewest, _)| escapes < fewest) {
            best = Some((escapes, Place::More(at)));
        }
        left.push(at);
    }
    let Some((_, nearest)) = best else { return Step::Outside };
    match nearest {
        Place::Indexed(at) => among[at / 64] &= !(1 << (at % 64)),
        Place::More(gone) => left.retain(|at| *at != gone),
    }
    Step::Across(nearest, Live { among, more: left })
}

/// Columns on which `area` is not inside `one`.
fn escapes(area: &AtomBox, one: &AtomBox) -> impl Iterator<Item = ColumnId> {
    let outside = |(column, set): &&(ColumnId, _)| area.get(*column).is_none_or(|mine| !mine.within(set));
    one.sets().iter().filter(outside).map(|(column, _)| *column)
}

/// `area` without `one`, as disjoint boxes, each with the columns in which it is less than `area`; the widest escape first, so that a
/// witness is found in the largest piece.
fn pieces(space: &Space, area: &AtomBox, one: &AtomBox) -> Vec<(AtomBox, Columns)> {
    let mut columns: Vec<_> = escapes(area, one)
        .filter_map(|column| {
            let theirs = one.get(column)?;
            let full = || super::super::atom_set::AtomSet::full(space.count(column));
            let mine = area.get(column).cloned().unwrap_or_else(full);
            Some((column, mine.minus(theirs), mine.and(theirs)))
        })
        .collect();
    columns.sort_by_key(|(column, outside, _)| (std::cmp::Reverse(outside.len()), *column));
    let (mut inner, mut cut) = (area.clone(), Columns::new());
    let mut pieces = Vec::with_capacity(columns.len());
    for (column, outside, inside) in columns {
        cut.push(column);
        pieces.extend(inner.with(space, column, outside).map(|piece| (piece, cut.clone())));
        match inner.with(space, column, inside) {
            Some(next) => inner = next,
            None => break,
        }
    }
    pieces
}
