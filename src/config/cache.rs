//! How much memory kept answers may take: the `cache:` section.
//!
//! In: the section as typed. Out: [`CacheSettings`]. Must not know: answers.

use super::raw::{RawCache, Size};
use crate::units::Bytes;

/// Bytes of all kept answers together when nothing is said.
pub const DEFAULT_BYTES: u64 = 64 << 20;
/// Kept answers when nothing is said.
pub const DEFAULT_ENTRIES: u64 = 100_000;
/// Bytes of one kept answer when nothing is said.
pub const DEFAULT_ENTRY: u64 = 1 << 20;

/// The `cache:` section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheSettings {
    /// Bytes of all kept answers together.
    pub bytes: u64,
    /// How many are kept.
    pub entries: u64,
    /// Bytes of one; a larger answer is not kept.
    pub entry: u64,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self { bytes: DEFAULT_BYTES, entries: DEFAULT_ENTRIES, entry: DEFAULT_ENTRY }
    }
}

/// The section as meant; what means nothing goes to `errors`.
pub(super) fn meant(raw: &RawCache, errors: &mut Vec<String>) -> CacheSettings {
    let default = CacheSettings::default();
    let mut size = |key: &str, size: &Option<Size>, default: u64| {
        let parsed = match size {
            None => return default,
            Some(Size::Bytes(bytes)) => Ok(Bytes(*bytes)),
            Some(Size::Text(text)) => text.parse(),
        };
        match parsed {
            Ok(Bytes(0)) => errors.push(format!("cache.{key}: 0 would keep nothing; write a size like `64MiB`")),
            Ok(Bytes(bytes)) => return bytes,
            Err(error) => errors.push(format!("cache.{key}: {error}")),
        }
        default
    };
    let bytes = size("bytes", &raw.bytes, default.bytes);
    let entry = size("entry", &raw.entry, default.entry);
    let entries = raw.entries.unwrap_or(default.entries);
    if entries == 0 {
        errors.push(format!("cache.entries: 0 would keep nothing; the default is {DEFAULT_ENTRIES}"));
    }
    CacheSettings { bytes, entries, entry }
}

#[cfg(test)]
mod tests {
    use super::super::check::project;

    #[test]
    fn every_value_that_keeps_nothing_is_said_at_once() {
        assert!(project("cache: {bytes: 1, entries: 1, entry: 64KiB}\n").is_ok());
        let errors = project("cache: {bytes: 0, entries: 0, entry: 1MB}\n").unwrap_err().to_string();
        for key in ["bytes", "entries", "entry"] {
            assert!(errors.contains(&format!("cache.{key}: ")), "{key}\n{errors}");
        }
    }
}
