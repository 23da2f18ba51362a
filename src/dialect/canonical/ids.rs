//! Ids for calls that have none.
//!
//! In: calls and results of a history, in order. Out: an id for each, the same every time the same history is sent. Must not know:
//! any provider's alphabet.

use super::{ToolCall, ToolResult};
use crate::dialect::json::Quoted;

/// Follows one history.
#[derive(Debug, Default)]
pub struct Ids<'a> {
    calls: usize,
    /// Calls without an id whose results are still to come.
    open: Vec<(usize, Quoted<'a>)>,
}

impl<'a> Ids<'a> {
    /// The call's own id, or one made from its place in the history.
    pub fn call(&mut self, call: &ToolCall<'a>) -> Quoted<'a> {
        self.calls += 1;
        if !call.id.is_empty() {
            return call.id.clone();
        }
        self.open.push((self.calls, call.name.clone()));
        made(self.calls)
    }

    /// The id of the call that a result answers: its own, or that of the oldest open call of its function.
    pub fn result(&mut self, result: &ToolResult<'a>) -> Quoted<'a> {
        if !result.id.is_empty() {
            return result.id.clone();
        }
        let named = |(_, name): &(usize, Quoted<'a>)| result.name.as_ref().is_none_or(|wanted| wanted == name);
        match self.open.iter().position(named) {
            Some(at) => made(self.open.remove(at).0),
            None => Quoted::default(),
        }
    }
}

fn made(number: usize) -> Quoted<'static> {
    Quoted::of(&format!("call_{number}")).into_owned()
}
