//! Ids of calls as Converse takes them: 1 to 64 letters, digits, `_`, `.`, `:` and `-`.
//!
//! In: an id that another provider made. Out: one that fits, the same wherever the id stands and in every later request of the
//! conversation. Must not know: what is called.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

/// Longest id.
const MAX_ID: usize = 64;

/// The id itself where it fits; else a digest of it.
pub(super) fn fitting(id: Cow<'_, str>) -> Cow<'_, str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-');
    if (1..=MAX_ID).contains(&id.len()) && id.bytes().all(allowed) {
        return id;
    }
    let digest = Sha256::digest(id.as_bytes());
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    Cow::Owned(format!("call_{hex}"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_id_stays_as_it_is_to_the_limit_and_is_replaced_alike_beyond() {
        let fitting = |id: &str| super::fitting(id.into()).into_owned();
        let fits = "a".repeat(super::MAX_ID);
        assert_eq!(fitting(&fits), fits);
        let long = "a".repeat(super::MAX_ID + 1);
        for odd in [long.as_str(), "call|1", "ü", ""] {
            let replaced = fitting(odd);
            assert!(replaced.starts_with("call_") && replaced.len() <= super::MAX_ID, "{replaced}");
            assert_eq!(fitting(odd), replaced);
        }
        assert_ne!(fitting("call|1"), fitting("call|2"));
    }
}
