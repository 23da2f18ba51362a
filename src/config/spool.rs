//! Where tickets wait for a person, and how many may: the `spool:` section.
//!
//! In: the section as typed. Out: [`SpoolSettings`]. Must not know: tickets.

use std::path::PathBuf;

use super::raw::{RawSpool, Size};
use crate::units::{Bytes, Millis};

/// Where tickets wait when nothing is said, beside the file.
pub const DEFAULT_DIRECTORY: &str = "spool";
/// Tickets that may wait when nothing is said.
pub const DEFAULT_TICKETS: u64 = 10_000;
/// Bytes of them together.
pub const DEFAULT_BYTES: u64 = 1 << 30;
/// How long the oldest may wait before no more are taken: thirty days.
pub const DEFAULT_AGE: Millis = Millis(30 * 86_400_000);

/// The most `tickets` that may be asked for: all of them are counted, some times a second while tickets come.
pub const MAX_TICKETS: u64 = 100_000;

/// The `spool:` section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolSettings {
    /// One file for each ticket.
    pub directory: PathBuf,
    /// How many may wait.
    pub tickets: u64,
    /// Bytes of all files together.
    pub bytes: u64,
    /// How long the oldest may wait before no more are taken.
    pub age: Millis,
}

impl Default for SpoolSettings {
    fn default() -> Self {
        Self { directory: DEFAULT_DIRECTORY.into(), tickets: DEFAULT_TICKETS, bytes: DEFAULT_BYTES, age: DEFAULT_AGE }
    }
}

/// The section as meant, the directory as it is written; what means nothing goes to `errors`.
pub(super) fn meant(raw: &RawSpool, errors: &mut Vec<String>) -> SpoolSettings {
    let default = SpoolSettings::default();
    let mut wrong = |key: &str, what: String| errors.push(format!("spool.{key}: {what}"));
    if raw.directory.as_deref() == Some("") {
        wrong("directory", format!("an empty name; write `{DEFAULT_DIRECTORY}`, or a path"));
    }
    let tickets = raw.tickets.unwrap_or(default.tickets);
    if tickets == 0 || tickets > MAX_TICKETS {
        wrong("tickets", format!("{tickets} is not 1 to {MAX_TICKETS}; the default is {DEFAULT_TICKETS}"));
    }
    let bytes = match &raw.bytes {
        None => Ok(Bytes(default.bytes)),
        Some(Size::Bytes(bytes)) => Ok(Bytes(*bytes)),
        Some(Size::Text(text)) => text.parse(),
    };
    let Bytes(bytes) = bytes.unwrap_or_else(|error| {
        wrong("bytes", error);
        Bytes(default.bytes)
    });
    if bytes == 0 {
        wrong("bytes", "0 would take no ticket; write a size like `1GiB`".to_owned());
    }
    let age = raw.age.as_deref().map_or(Ok(default.age), str::parse).unwrap_or_else(|error: String| {
        wrong("age", error);
        default.age
    });
    let directory = raw.directory.as_ref().map_or(default.directory, PathBuf::from);
    SpoolSettings { directory, tickets, bytes, age }
}

#[cfg(test)]
mod tests {
    use super::super::check::project;
    use super::*;

    #[test]
    fn a_section_is_read_and_an_absent_one_is_all_defaults() {
        let text = "spool: {directory: /var/lib/wayside, tickets: 7, bytes: 64KiB, age: 14d}\n";
        let wanted = SpoolSettings {
            directory: "/var/lib/wayside".into(),
            tickets: 7,
            bytes: 64 << 10,
            age: Millis(14 * 86_400_000),
        };
        assert_eq!(project(text).unwrap().spool, wanted);
        assert_eq!(project("").unwrap().spool, SpoolSettings::default());
    }

    #[test]
    fn every_value_out_of_its_bounds_is_said_at_once() {
        let text = "spool: {directory: '', tickets: 0, bytes: 3MB, age: 5}\n";
        let errors = project(text).unwrap_err().to_string();
        for key in ["directory", "tickets", "bytes", "age"] {
            assert!(errors.contains(&format!("spool.{key}: ")), "{key}\n{errors}");
        }
        for (at_limit, beyond) in [("tickets: 100000", "tickets: 100001"), ("bytes: 1", "bytes: 0")] {
            assert!(project(&format!("spool: {{{at_limit}}}")).is_ok(), "{at_limit}");
            assert!(project(&format!("spool: {{{beyond}}}")).is_err(), "{beyond}");
        }
        let unknown = project("spool: {tickts: 1}\n").unwrap_err().to_string();
        assert!(unknown.contains("unknown key `spool.tickts`; did you mean `tickets`?"), "{unknown}");
    }
}
