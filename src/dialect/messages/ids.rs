//! Names of calls, in the letters this dialect takes.
//!
//! In: ids of any provider. Out: ids of this one, the same for the same. Must not know: messages.

use std::borrow::Cow;
use std::hash::Hasher;

use rustc_hash::FxHasher;

use crate::json::Quoted;

/// Longest id that goes through as it is. The provider names no limit; its own have 30 letters.
pub(super) const MAX_ID: usize = 128;

/// `^[a-zA-Z0-9_-]+$` is what the provider takes. Another id is replaced by one that is made from it, so that the same
/// conversation is always written in the same way and the provider's cache finds it again.
pub(super) fn taken<'i>(id: &'i Quoted<'_>) -> Cow<'i, str> {
    let id = id.written();
    if is_word(id, MAX_ID) {
        return Cow::Borrowed(id);
    }
    let half = |seed: u8| {
        let mut hasher = FxHasher::default();
        hasher.write_u8(seed);
        hasher.write(id.as_bytes());
        hasher.finish()
    };
    Cow::Owned(format!("toolu_{:016x}{:016x}", half(1), half(2)))
}

/// Letters, digits, `_` and `-`, at least one and at most `most`.
pub(super) fn is_word(text: &str, most: usize) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    !text.is_empty() && text.len() <= most && text.bytes().all(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_other_letters_or_of_more_is_replaced_by_the_same_one_each_time() {
        let longest = "x".repeat(MAX_ID);
        for id in ["call_0-9aZ", &longest] {
            assert_eq!(taken(&Quoted::of(id)), id);
        }
        let longer = "x".repeat(MAX_ID + 1);
        let odd = ["call.1", "call:1", "", "ü", &longer];
        let written: Vec<String> = odd.iter().map(|id| taken(&Quoted::of(id)).into_owned()).collect();
        for (at, id) in written.iter().enumerate() {
            assert!(is_word(id, MAX_ID), "{id}");
            assert_eq!(*id, taken(&Quoted::of(odd[at])), "twice the same");
            assert!(!written[..at].contains(id), "{id} twice");
        }
    }
}
