//! Calls that wait for their results.
//!
//! In: what was said. Out: whether so many may wait at once. Must not know: targets.
//!
//! A result is looked for among the calls that wait, so how many there are bounds what a conversation costs. Models make a handful at
//! once.

use super::{Conversation, Field, Part};
use crate::dialect::bad_body::BadBody;

/// Calls of functions whose results are still to come, at any place of a conversation.
pub const MAX_OPEN_CALLS: usize = 1024;

impl Conversation<'_> {
    /// Counts those that wait.
    ///
    /// # Errors
    /// Names the turn with the one too many.
    pub fn check_open_calls(&self) -> Result<(), BadBody> {
        let mut open = 0_usize;
        for turn in &self.turns {
            for block in &turn.blocks {
                match block.part {
                    Part::Call(_) if open == MAX_OPEN_CALLS => {
                        return Err(too_many(format!("{}[{}]", Field::Turns.of(self.from), turn.at)));
                    }
                    Part::Call(_) => open += 1,
                    Part::Result(_) => open = open.saturating_sub(1),
                    Part::Text(_) | Part::Refusal(_) | Part::Media(_) | Part::Thinking(_) => {}
                }
            }
        }
        Ok(())
    }
}

/// One call more than may wait.
pub fn too_many(param: String) -> BadBody {
    let message = format!(
        "'{param}' calls a function while {MAX_OPEN_CALLS} calls have no result yet, which is the most that may wait at once. Send \
         the results of earlier calls first."
    );
    BadBody::at(param, "too_many_open_calls", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::{Dialect, translate};

    fn said(calls: usize, results: usize) -> Result<(), BadBody> {
        let call = |at| format!(r#"{{"type":"function_call","call_id":"c{at}","name":"f","arguments":"{{}}"}}"#);
        let result = |at| format!(r#"{{"type":"function_call_output","call_id":"c{at}","output":"x"}}"#);
        let items: Vec<String> = (0..calls).map(call).chain((0..results).map(result)).chain([call(calls)]).collect();
        let body = format!(r#"{{"model":"m","input":[{}]}}"#, items.join(","));
        translate::conversation(Dialect::Responses, body.as_bytes(), None).map(drop)
    }

    #[test]
    fn so_many_calls_may_wait_and_not_one_more() {
        assert_eq!(said(MAX_OPEN_CALLS - 1, 0), Ok(()));
        let bad = said(MAX_OPEN_CALLS, 0).unwrap_err();
        assert_eq!((bad.param.as_deref(), bad.code), (Some("input[0]"), "too_many_open_calls"));
        assert_eq!(said(MAX_OPEN_CALLS, 1), Ok(()));
    }

    #[test]
    fn the_same_holds_where_names_stand_for_ids() {
        let part = |at| format!(r#"{{"functionCall":{{"name":"f{at}"}}}}"#);
        let of = |calls| {
            let parts: Vec<String> = (0..calls).map(part).collect();
            let body = format!(r#"{{"contents":[{{"role":"model","parts":[{}]}}]}}"#, parts.join(","));
            translate::conversation(Dialect::Gemini, body.as_bytes(), Some(("m", false))).map(drop)
        };
        assert_eq!(of(MAX_OPEN_CALLS), Ok(()));
        assert_eq!(of(MAX_OPEN_CALLS + 1).unwrap_err().code, "too_many_open_calls");
    }
}
