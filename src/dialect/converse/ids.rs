//! Ids of calls as Converse takes them: 1 to 64 letters, digits, `_`, `.`, `:` and `-`.
//!
//! In: the ids of a history, which other providers made, or left out. Out: ids that fit, each call and its result with the same
//! one, and the same in the next request of the conversation. Must not know: what is called.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use crate::dialect::canonical::{ToolCall, ToolResult};

/// Longest id.
const MAX_ID: usize = 64;

/// The ids of one history.
#[derive(Default)]
pub(super) struct Ids<'a> {
    /// Calls without an id so far.
    unnamed: u32,
    /// Those whose result is still to come: what was called, and which of the unnamed it was.
    open: Vec<(&'a str, u32)>,
}

impl<'a> Ids<'a> {
    /// Of a call.
    pub(super) fn call(&mut self, call: &'a ToolCall<'_>) -> Cow<'a, str> {
        if !call.id.is_empty() {
            return fitting(call.id.decode());
        }
        let number = self.unnamed;
        self.unnamed += 1;
        self.open.push((call.name.written(), number));
        Cow::Owned(format!("call_{number}"))
    }

    /// Of the call that a result answers; without an id, the first open one of the same function.
    pub(super) fn result(&mut self, result: &'a ToolResult<'_>) -> Cow<'a, str> {
        if !result.id.is_empty() {
            return fitting(result.id.decode());
        }
        let name = result.name.as_ref().map(|name| name.written());
        let place = self.open.iter().position(|(open, _)| name.is_none_or(|name| name == *open));
        let number = place.map_or(0, |place| self.open.remove(place).1);
        Cow::Owned(format!("call_{number}"))
    }
}

/// The id itself where it fits; else a digest of it, which is the same wherever it stands.
fn fitting(id: Cow<'_, str>) -> Cow<'_, str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-');
    if id.len() <= MAX_ID && id.bytes().all(allowed) {
        return id;
    }
    let digest = Sha256::digest(id.as_bytes());
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    Cow::Owned(format!("call_{hex}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::json::{Quoted, Raw};

    fn call(id: &'static str, name: &'static str) -> ToolCall<'static> {
        ToolCall { id: Quoted::of(id), name: Quoted::of(name), arguments: Raw("{}".into()) }
    }

    fn result(id: &'static str, name: &'static str) -> ToolResult<'static> {
        let name = (!name.is_empty()).then(|| Quoted::of(name));
        ToolResult { id: Quoted::of(id), name, parts: Vec::new(), json: None, error: false }
    }

    #[test]
    fn an_id_stays_as_it_is_to_the_limit_and_is_replaced_alike_beyond() {
        let fitting = |id: &str| super::fitting(id.into()).into_owned();
        let fits = "a".repeat(MAX_ID);
        assert_eq!(fitting(&fits), fits);
        let long = "a".repeat(MAX_ID + 1);
        for odd in [long.as_str(), "call|1", "ü"] {
            let replaced = fitting(odd);
            assert!(replaced.starts_with("call_") && replaced.len() <= MAX_ID, "{replaced}");
            assert_eq!(fitting(odd), replaced);
        }
        assert_ne!(fitting("call|1"), fitting("call|2"));
    }

    #[test]
    fn calls_without_ids_meet_their_results_by_name_and_order() {
        let (first, other, second) = (call("", "f"), call("", "g"), call("", "f"));
        let (to_other, to_first, to_second) = (result("", "g"), result("", "f"), result("", ""));
        let mut ids = Ids::default();
        let calls = [ids.call(&first), ids.call(&other), ids.call(&second)];
        assert_eq!(calls, ["call_0", "call_1", "call_2"]);
        assert_eq!(
            [ids.result(&to_other), ids.result(&to_first), ids.result(&to_second)],
            ["call_1", "call_0", "call_2"]
        );
    }
}
