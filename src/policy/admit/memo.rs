//! What the models mean that callers name: most name the same few, again and again.
//!
//! In: a name, and how to find out. Out: the same as the last time. Must not know: catalogs.

use std::sync::{PoisonError, RwLock};

use rustc_hash::FxHashMap;

use super::TierId;
use crate::names::ModelRef;

/// The pinned snapshot behind the model a client names, and its tier.
pub(super) type Requested = (Option<ModelRef>, Option<TierId>);

/// Names that are remembered; one more, and all are forgotten.
const MAX_NAMES: usize = 256;
/// Bytes of such a name.
const LONGEST: usize = 128;

/// Names and what they mean under one policy.
#[derive(Debug, Default)]
pub(super) struct Memo(RwLock<FxHashMap<Box<str>, Requested>>);

impl Memo {
    /// What `name` means; found out where that is not known.
    pub(super) fn of(&self, name: &str, find: impl FnOnce() -> Requested) -> Requested {
        if name.len() > LONGEST {
            return find();
        }
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        known.unwrap_or_else(|| {
            let found = find();
            let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= MAX_NAMES {
                known.clear();
            }
            known.insert(name.into(), found.clone());
            found
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tier(number: usize) -> Requested {
        (None, Some(TierId(number as u16)))
    }

    #[test]
    fn a_name_is_looked_up_once() {
        let memo = Memo::default();
        assert_eq!(memo.of("a", || tier(1)), tier(1));
        assert_eq!(memo.of("a", || panic!("known")), tier(1));
        assert_eq!(memo.of("b", || tier(2)), tier(2));
    }

    #[test]
    fn callers_cannot_fill_the_memory_with_names() {
        let memo = Memo::default();
        for number in 0..3 * MAX_NAMES {
            assert_eq!(memo.of(&number.to_string(), || tier(number)), tier(number));
            assert!(memo.0.read().unwrap().len() <= MAX_NAMES);
        }
        let long = "x".repeat(LONGEST + 1);
        let before = memo.0.read().unwrap().len();
        assert_eq!((memo.of(&long, || tier(7)), memo.of(&long, || tier(8))), (tier(7), tier(8)));
        assert_eq!(memo.0.read().unwrap().len(), before);
    }
}
