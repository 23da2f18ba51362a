//! Questions about many boxes at once, a word at a time.
//!
//! In: boxes in page order, and one box to compare them with. Out: which of them meet it, contain it, or stick out of it least.
//! Must not know: rules. A scan box by box would make the analysis of a thousand rules a million comparisons.

use std::ops::Range;

use smallvec::SmallVec;

use super::super::atom_set::{AtomId, AtomSet};
use super::super::atoms::Space;
use super::super::boxes::AtomBox;
use super::super::checked::ColumnId;

/// How far escapes are counted for all boxes at once. The nearest box sticks out in one or two columns, except of a box that is
/// hardly limited itself.
const COUNTED: usize = 3;

/// For each atom of each column a bit row: the boxes that admit it.
#[derive(Clone, Debug)]
pub struct Index {
    len: usize,
    words: usize,
    /// Tables of the columns that some box limits.
    tables: Vec<Table>,
    /// By column: its table, or past the end.
    place: Vec<usize>,
    /// By table, then atom, then word.
    rows: Vec<u64>,
}

#[derive(Clone, Debug)]
struct Table {
    column: ColumnId,
    base: usize,
    /// Boxes that do not limit the column.
    free: Vec<u64>,
}

/// Boxes by bit.
pub type Mask = Vec<u64>;

/// What a box is to the boxes of a mask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Relation {
    /// It meets none.
    Outside,
    /// It lies inside this one.
    Inside(usize),
    /// It meets these, and sticks out of `nearest` on the fewest columns, so many; of several, the first.
    Across { nearest: usize, escapes: usize, live: Mask },
}

impl Index {
    /// Over boxes, whose positions are the answers.
    pub fn new(space: &Space, areas: &[&AtomBox]) -> Self {
        let words = areas.len().div_ceil(64);
        let mut place = vec![usize::MAX; space.columns().len()];
        let mut tables: Vec<Table> = Vec::new();
        let mut rows = Vec::new();
        for (at, area) in areas.iter().enumerate() {
            let (word, bit) = (at / 64, 1 << (at % 64));
            for (column, set) in area.sets() {
                let slot = &mut place[column.index()];
                if *slot == usize::MAX {
                    *slot = tables.len();
                    tables.push(Table { column: *column, base: rows.len(), free: vec![u64::MAX; words] });
                    rows.resize(rows.len() + words * space.count(*column), 0);
                }
                let table = &mut tables[*slot];
                table.free[word] &= !bit;
                set.iter().for_each(|atom| rows[table.base + atom.index() * words + word] |= bit);
            }
        }
        for table in &tables {
            let end = table.base + words * space.count(table.column);
            for row in rows[table.base..end].chunks_mut(words.max(1)) {
                row.iter_mut().zip(&table.free).for_each(|(word, free)| *word |= free);
            }
        }
        Self { len: areas.len(), words, tables, place, rows }
    }

    /// The boxes before `end`.
    pub fn before(&self, end: usize) -> Mask {
        let end = end.min(self.len);
        (0..self.words)
            .map(|word| match end.saturating_sub(word * 64) {
                0 => 0,
                here if here >= 64 => u64::MAX,
                here => (1 << here) - 1,
            })
            .collect()
    }

    /// The boxes of a mask that share a request with `area`, ascending.
    pub fn meeting(&self, area: &AtomBox, among: &[u64]) -> Vec<usize> {
        let mut live = among.to_vec();
        let Some(range) = self.keep_meeting(area, &mut live) else { return Vec::new() };
        let mut found = Vec::new();
        for word in range {
            let mut left = live[word];
            while left != 0 {
                found.push(word * 64 + left.trailing_zeros() as usize);
                left &= left - 1;
            }
        }
        found
    }

    /// How a box stands to the boxes of a mask. `limited` are the columns whose limits the mask does not know yet: where a box is a
    /// piece of another, and the mask holds what meets that one, those that were cut.
    pub fn relation(&self, area: &AtomBox, limited: &[ColumnId], among: &[u64], work: &mut Work) -> Relation {
        let mut live = among.to_vec();
        let Some(range) = self.keep(area, limited, &mut live, work) else { return Relation::Outside };
        let (escapes, nearest) = self.fewest_escapes(area, &live, range, work);
        match escapes {
            0 => Relation::Inside(nearest),
            _ => Relation::Across { nearest, escapes, live },
        }
    }

    /// Takes the boxes that share nothing with `area` out of a mask. Answers which words still have any.
    fn keep_meeting(&self, area: &AtomBox, live: &mut [u64]) -> Option<Range<usize>> {
        let limited: SmallVec<[ColumnId; 16]> = area.sets().iter().map(|(column, _)| *column).collect();
        self.keep(area, &limited, live, &mut Work::default())
    }

    fn keep(&self, area: &AtomBox, limited: &[ColumnId], live: &mut [u64], work: &mut Work) -> Option<Range<usize>> {
        let mut range = occupied(live, 0..live.len())?;
        for column in limited {
            let (Some(table), Some(set)) = (self.table(*column), area.get(*column)) else { continue };
            let any = work.row.cleared(range.len());
            for atom in set.iter() {
                any.iter_mut().zip(self.row(table, atom, &range)).for_each(|(any, row)| *any |= row);
            }
            live[range.clone()].iter_mut().zip(any).for_each(|(live, any)| *live &= *any);
            range = occupied(live, range)?;
        }
        Some(range)
    }

    fn table(&self, column: ColumnId) -> Option<&Table> {
        self.place.get(column.index()).and_then(|at| self.tables.get(*at))
    }

    fn row(&self, table: &Table, atom: AtomId, range: &Range<usize>) -> &[u64] {
        let start = table.base + atom.index() * self.words;
        &self.rows[start + range.start..start + range.end]
    }

    /// Of the boxes of some words, the first with the fewest columns on which `area` is not inside: how many, and which. Counted for
    /// all boxes at once, each count as far as [`COUNTED`].
    fn fewest_escapes(&self, area: &AtomBox, live: &[u64], range: Range<usize>, work: &mut Work) -> (usize, usize) {
        let live = &live[range.clone()];
        let mut sets: SmallVec<[Option<&AtomSet>; 64]> = SmallVec::from_elem(None, self.tables.len());
        for (column, set) in area.sets() {
            if let Some(slot) = self.place.get(column.index()).and_then(|at| sets.get_mut(*at)) {
                *slot = Some(set);
            }
        }
        // At least one, at least two, at least three.
        let [one, two, three] = work.counts.each_mut().map(|count| count.cleared(live.len()));
        for (table, set) in self.tables.iter().zip(&sets) {
            let inside = self.inside(table, *set, &range, &mut work.row);
            for at in 0..live.len() {
                let escapes = live[at] & !inside[at];
                three[at] |= two[at] & escapes;
                two[at] |= one[at] & escapes;
                one[at] |= escapes;
            }
        }
        for (count, more) in [&*one, &*two, &*three].into_iter().enumerate() {
            if let Some(at) = first(live, more) {
                return (count, range.start * 64 + at);
            }
        }
        self.fewest_of_many(&sets, live, range, work)
    }

    /// The same where every box has at least [`COUNTED`]: one box after the other.
    fn fewest_of_many(
        &self,
        sets: &[Option<&AtomSet>],
        live: &[u64],
        range: Range<usize>,
        work: &mut Work,
    ) -> (usize, usize) {
        let mut counts = vec![0usize; live.len() * 64];
        for (table, set) in self.tables.iter().zip(sets) {
            let inside = self.inside(table, *set, &range, &mut work.row);
            for (at, (live, inside)) in live.iter().zip(inside).enumerate() {
                let mut escapes = live & !inside;
                while escapes != 0 {
                    counts[at * 64 + escapes.trailing_zeros() as usize] += 1;
                    escapes &= escapes - 1;
                }
            }
        }
        let met = counts.iter().enumerate().filter(|(at, _)| live[at / 64] >> (at % 64) & 1 == 1);
        let fewest = met.min_by_key(|(_, count)| **count);
        fewest.map_or((0, 0), |(at, count)| (*count, range.start * 64 + at))
    }

    /// The boxes that hold every atom `area` has in a column.
    fn inside<'a>(
        &'a self,
        table: &'a Table,
        set: Option<&AtomSet>,
        range: &Range<usize>,
        row: &'a mut Words,
    ) -> &'a [u64] {
        let Some(set) = set else { return &table.free[range.clone()] };
        let mut atoms = set.iter();
        let Some(first) = atoms.next() else { return &table.free[range.clone()] };
        let all = row.cleared(range.len());
        all.copy_from_slice(self.row(table, first, range));
        for atom in atoms {
            all.iter_mut().zip(self.row(table, atom, range)).for_each(|(all, row)| *all &= row);
        }
        all
    }
}

/// Room for rows that are made on the way, kept from step to step.
#[derive(Debug, Default)]
pub struct Work {
    row: Words,
    counts: [Words; COUNTED],
}

#[derive(Debug, Default)]
struct Words(Vec<u64>);

impl Words {
    fn cleared(&mut self, len: usize) -> &mut [u64] {
        self.0.clear();
        self.0.resize(len, 0);
        &mut self.0
    }
}

/// The first bit that is in `live` and not in `not`.
fn first(live: &[u64], not: &[u64]) -> Option<usize> {
    let (at, word) = live.iter().zip(not).map(|(live, not)| live & !not).enumerate().find(|(_, word)| *word != 0)?;
    Some(at * 64 + word.trailing_zeros() as usize)
}

/// From the first to the last word of a range that is not zero.
fn occupied(words: &[u64], range: Range<usize>) -> Option<Range<usize>> {
    let first = words[range.clone()].iter().position(|word| *word != 0)?;
    let last = words[range.clone()].iter().rposition(|word| *word != 0)?;
    Some(range.start + first..range.start + last + 1)
}
