//! Questions about many boxes at once, a word at a time.
//!
//! In: boxes in page order, and one box to compare them with. Out: which of them meet it, contain it, or stick out of it least.
//! Must not know: rules. A scan box by box would make the analysis of a thousand rules a million comparisons.

use super::super::atom_set::AtomSet;
use super::super::atoms::Space;
use super::super::boxes::AtomBox;
use super::super::checked::ColumnId;

/// Bits of a count of columns.
const PLANES: usize = 16;

/// For each atom of each column a bit row: the boxes that admit it.
#[derive(Clone, Debug)]
pub struct Index {
    len: usize,
    words: usize,
    /// Tables of the columns that some box limits.
    tables: Vec<Table>,
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
    /// It meets these, and sticks out of `nearest` on the fewest columns; of several, the first.
    Across { nearest: usize, live: Mask },
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
        Self { len: areas.len(), words, tables, rows }
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
        let limits = self.limits(area);
        let mut found = Vec::new();
        for (word, among) in among.iter().enumerate() {
            let mut left = self.meeting_word(&limits, word, *among);
            while left != 0 {
                found.push(word * 64 + left.trailing_zeros() as usize);
                left &= left - 1;
            }
        }
        found
    }

    /// How a box stands to the boxes of a mask.
    pub fn relation(&self, area: &AtomBox, among: &[u64]) -> Relation {
        let limits = self.limits(area);
        let mut live = vec![0; self.words];
        let mut nearest: Option<(usize, usize)> = None;
        for (word, among) in among.iter().enumerate() {
            let here = self.meeting_word(&limits, word, *among);
            if here == 0 {
                continue;
            }
            let (count, bit) = self.fewest_escapes(&limits, word, here);
            let at = word * 64 + bit;
            if count == 0 {
                return Relation::Inside(at);
            }
            if nearest.is_none_or(|(fewest, _)| count < fewest) {
                nearest = Some((count, at));
            }
            live[word] = here;
        }
        match nearest {
            None => Relation::Outside,
            Some((_, nearest)) => Relation::Across { nearest, live },
        }
    }

    /// The box's own limits, by table.
    fn limits<'a>(&'a self, area: &'a AtomBox) -> Vec<(&'a Table, Option<&'a AtomSet>)> {
        self.tables.iter().map(|table| (table, area.get(table.column))).collect()
    }

    fn meeting_word(&self, limits: &[(&Table, Option<&AtomSet>)], word: usize, among: u64) -> u64 {
        let mut left = among;
        for (table, set) in limits {
            if left == 0 {
                break;
            }
            if let Some(set) = set {
                left &= set.iter().fold(0, |any, atom| any | self.rows[table.base + atom.index() * self.words + word]);
            }
        }
        left
    }

    /// Of the boxes of one word the first with the fewest columns on which the box is not inside; counted for all at once, one
    /// binary digit of the count to a plane.
    fn fewest_escapes(&self, limits: &[(&Table, Option<&AtomSet>)], word: usize, here: u64) -> (usize, usize) {
        let mut planes = [0u64; PLANES];
        let mut used = 0;
        for (table, set) in limits {
            let inside = match set {
                None => table.free[word],
                Some(set) => {
                    set.iter().fold(here, |all, atom| all & self.rows[table.base + atom.index() * self.words + word])
                }
            };
            let mut carry = here & !inside;
            let mut plane = 0;
            while carry != 0 && plane < PLANES {
                (planes[plane], carry) = (planes[plane] ^ carry, planes[plane] & carry);
                plane += 1;
            }
            used = used.max(plane);
        }
        let (mut left, mut count) = (here, 0);
        for plane in (0..used).rev() {
            let without = left & !planes[plane];
            if without == 0 {
                count |= 1 << plane;
            } else {
                left = without;
            }
        }
        (count, left.trailing_zeros() as usize)
    }
}
