//! Sets of atoms of one column.
//!
//! In: atom positions. Out: set algebra for boxes and leaf rows. Must not know: what an atom stands for.

use smallvec::SmallVec;

/// A piece of a column's domain that no test of the policy tells apart: its position in that column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AtomId(pub u16);

impl AtomId {
    /// As a position in its column.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A bitset over the atoms of one column. Sets of one column have the same number of words, so that words can be compared
/// pairwise; bits past the last atom are always zero.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AtomSet {
    words: SmallVec<[u64; 2]>,
}

impl AtomSet {
    /// No atom, in a column of `len` atoms.
    pub fn empty(len: usize) -> Self {
        Self { words: SmallVec::from_elem(0, len.div_ceil(64).max(1)) }
    }

    /// Every atom of a column of `len` atoms.
    pub fn full(len: usize) -> Self {
        let mut set = Self::empty(len);
        for (at, word) in set.words.iter_mut().enumerate() {
            let here = len.saturating_sub(at * 64).min(64);
            *word = if here == 64 { u64::MAX } else { (1 << here) - 1 };
        }
        set
    }

    /// One atom.
    pub fn one(atom: AtomId, len: usize) -> Self {
        let mut set = Self::empty(len);
        set.insert(atom);
        set
    }

    /// Adds an atom of this column.
    pub fn insert(&mut self, atom: AtomId) {
        if let Some(word) = self.words.get_mut(atom.index() / 64) {
            *word |= 1 << (atom.index() % 64);
        }
    }

    /// Takes an atom out.
    pub fn remove(&mut self, atom: AtomId) {
        if let Some(word) = self.words.get_mut(atom.index() / 64) {
            *word &= !(1 << (atom.index() % 64));
        }
    }

    /// Whether an atom is in it.
    pub fn has(&self, atom: AtomId) -> bool {
        self.words.get(atom.index() / 64).is_some_and(|word| word >> (atom.index() % 64) & 1 == 1)
    }

    /// Nothing in it.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The first atom.
    pub fn first(&self) -> Option<AtomId> {
        self.iter().next()
    }

    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = AtomId> + '_ {
        self.words.iter().enumerate().flat_map(|(at, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = rest.trailing_zeros();
                rest &= rest.checked_sub(1)?;
                Some(AtomId((at * 64) as u16 + bit as u16))
            })
        })
    }

    /// Whether the two share an atom.
    pub fn meets(&self, other: &Self) -> bool {
        self.words.iter().zip(&other.words).any(|(a, b)| a & b != 0)
    }

    /// Whether every atom of `self` is in `other`.
    pub fn within(&self, other: &Self) -> bool {
        self.words.iter().zip(&other.words).all(|(a, b)| a & !b == 0)
    }

    /// What both have.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self { words: self.words.iter().zip(&other.words).map(|(a, b)| a & b).collect() }
    }

    /// What either has.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self { words: self.words.iter().zip(&other.words).map(|(a, b)| a | b).collect() }
    }

    /// What `self` has and `other` has not.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        Self { words: self.words.iter().zip(&other.words).map(|(a, b)| a & !b).collect() }
    }

    /// Every atom of a column of `len` atoms that `self` has not.
    #[must_use]
    pub fn complement(&self, len: usize) -> Self {
        Self::full(len).minus(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complement_never_leaves_the_column() {
        for len in [1, 2, 63, 64, 65, 200] {
            let mut set = AtomSet::empty(len);
            set.insert(AtomId(0));
            let rest = set.complement(len);
            assert_eq!(rest.len(), len - 1);
            assert!(!rest.meets(&set));
            assert_eq!(rest.or(&set), AtomSet::full(len));
            assert_eq!(rest.iter().count(), len - 1);
        }
    }
}
