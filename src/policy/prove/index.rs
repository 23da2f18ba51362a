//! Which boxes of a list meet a given box, a word at a time.
//!
//! In: boxes in page order. Out: positions. Must not know: rules. A scan box by box would make the analysis of a thousand rules
//! a million comparisons.

use super::super::atom_set::AtomId;
use super::super::atoms::Space;
use super::super::boxes::AtomBox;

/// For each atom of each column a bit row: the boxes that admit it.
#[derive(Debug)]
pub struct Index {
    words: usize,
    /// By column, then atom, then word.
    rows: Vec<Vec<u64>>,
}

impl Index {
    /// Over boxes, whose positions are the answers of [`Self::meeting`].
    pub fn new<'a>(space: &Space, areas: impl ExactSizeIterator<Item = &'a AtomBox>) -> Self {
        let words = areas.len().div_ceil(64);
        // First the boxes that do limit a column, then everywhere else all ones: most boxes limit few columns.
        let mut limited = vec![vec![0u64; words]; space.columns().len()];
        let mut rows: Vec<Vec<u64>> = space.ids().map(|id| vec![0u64; words * space.count(id)]).collect();
        for (at, area) in areas.enumerate() {
            let bit = 1 << (at % 64);
            for (column, set) in area.sets() {
                limited[column.index()][at / 64] |= bit;
                set.iter().for_each(|atom| rows[column.index()][atom.index() * words + at / 64] |= bit);
            }
        }
        for (table, limited) in rows.iter_mut().zip(&limited) {
            for row in table.chunks_mut(words.max(1)) {
                row.iter_mut().zip(limited).for_each(|(word, limited)| *word |= !limited);
            }
        }
        Self { words, rows }
    }

    /// The boxes before `end` that share a request with `area`, ascending.
    pub fn meeting(&self, area: &AtomBox, end: usize) -> Vec<usize> {
        let mut found = Vec::new();
        for word in 0..self.words.min(end.div_ceil(64)) {
            let mut left = if end >= (word + 1) * 64 { u64::MAX } else { (1 << (end % 64)) - 1 };
            for (column, set) in area.sets() {
                let any = |atom: AtomId| self.rows[column.index()][atom.index() * self.words + word];
                left &= set.iter().fold(0, |all, atom| all | any(atom));
                if left == 0 {
                    break;
                }
            }
            while left != 0 {
                found.push(word * 64 + left.trailing_zeros() as usize);
                left &= left - 1;
            }
        }
        found
    }
}
