//! Ids for calls that have none.
//!
//! In: calls and results of a history, in order. Out: an id for each, the same every time the same history is sent. Must not know:
//! any provider's alphabet.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, VecDeque};

use super::{ToolCall, ToolResult};
use crate::json::Quoted;

/// Follows one history.
#[derive(Debug, Default)]
pub struct Ids<'a> {
    calls: usize,
    /// Calls without an id whose results are still to come.
    open: BTreeSet<usize>,
    /// The same by function, oldest first; those that are not open any more are skipped.
    named: HashMap<Cow<'a, str>, VecDeque<usize>>,
}

impl<'a> Ids<'a> {
    /// The call's own id, or one made from its place in the history.
    pub fn call(&mut self, call: &ToolCall<'a>) -> Quoted<'a> {
        self.calls += 1;
        if !call.id.is_empty() {
            return call.id.clone();
        }
        self.open.insert(self.calls);
        self.named.entry(call.name.clone().into_text()).or_default().push_back(self.calls);
        made(self.calls)
    }

    /// The id of the call that a result answers: its own, or that of the oldest open call of its function.
    pub fn result(&mut self, result: &ToolResult<'a>) -> Quoted<'a> {
        if !result.id.is_empty() {
            return result.id.clone();
        }
        let number = match &result.name {
            None => self.open.pop_first(),
            Some(name) => {
                let queue = self.named.get_mut(&*name.decode());
                queue.and_then(|queue| std::iter::from_fn(|| queue.pop_front()).find(|number| self.open.remove(number)))
            }
        };
        number.map(made).unwrap_or_default()
    }
}

fn made(number: usize) -> Quoted<'static> {
    Quoted::of(&format!("call_{number}")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Raw;

    #[test]
    fn a_result_answers_the_oldest_open_call_of_its_function() {
        let mut ids = Ids::default();
        let call = |id, name| ToolCall { id: Quoted::of(id), name: Quoted::of(name), arguments: Raw("{}".into()) };
        let result = |id, name: Option<&'static str>| ToolResult {
            id: Quoted::of(id),
            name: name.map(Quoted::of),
            parts: vec![],
            json: None,
            error: false,
        };
        let made: Vec<_> =
            [call("", "f"), call("own", "f"), call("", "g"), call("", "f")].iter().map(|call| ids.call(call)).collect();
        assert_eq!(made, ["call_1", "own", "call_3", "call_4"].map(Quoted::of));
        let answers = [("own", Some("f")), ("", Some("g")), ("", None), ("", Some("f")), ("", Some("f")), ("", None)];
        let answered: Vec<_> = answers.map(|(id, name)| ids.result(&result(id, name))).to_vec();
        assert_eq!(answered, ["own", "call_3", "call_1", "call_4", "", ""].map(Quoted::of));
    }
}
