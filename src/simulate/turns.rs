//! What Anthropic refuses about the order and the content of messages.
//!
//! In: the messages of a request. Out: nothing, or the complaint. Must not know: what is answered.

use serde_json::Value;

use super::error::Complaint;

/// Checks all messages.
///
/// # Errors
/// The first thing that the provider would refuse.
pub fn check(messages: &[Value]) -> Result<(), Complaint> {
    let mut called: Vec<&str> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let answered = ids(message, "tool_result", "tool_use_id");
        if let Some(open) = called.iter().find(|id| !answered.contains(id)) {
            let message = format!("messages.{at}: the call `{open}` of the message before has no tool_result here");
            return Err(Complaint::invalid("messages", message));
        }
        if let Some(stray) = answered.iter().find(|id| !called.contains(id)) {
            let message = format!("messages.{at}: the tool_result of `{stray}` has no tool_use in the message before");
            return Err(Complaint::invalid("messages", message));
        }
        let empty =
            |block: &Value| block["type"] == "text" && block["text"].as_str().is_none_or(|t| t.trim().is_empty());
        let blocks = message["content"].as_array();
        if message["content"] == "" || blocks.is_some_and(|blocks| blocks.is_empty() || blocks.iter().any(empty)) {
            return Err(Complaint::invalid("messages", format!("messages.{at}.content: text must not be empty")));
        }
        called = ids(message, "tool_use", "id");
        let odd =
            |id: &&&str| !id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')) || id.is_empty();
        if let Some(odd) = called.iter().find(odd) {
            let message = format!("messages.{at}: `{odd}` must be letters, digits, `_` and `-`");
            return Err(Complaint::invalid("messages", message));
        }
    }
    match called.first() {
        Some(open) => Err(Complaint::invalid("messages", format!("messages: the call `{open}` has no tool_result"))),
        None => Ok(()),
    }
}

fn ids<'m>(message: &'m Value, kind: &str, field: &str) -> Vec<&'m str> {
    let blocks = message["content"].as_array().into_iter().flatten();
    blocks.filter(|block| block["type"] == kind).map(|block| block[field].as_str().unwrap_or_default()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn calls_and_results_stand_side_by_side() {
        let call = |id: &str| json!({"role": "assistant", "content": [{"type": "tool_use", "id": id}]});
        let result = |id: &str| json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id}]});
        let text = |text: &str| json!({"role": "user", "content": [{"type": "text", "text": text}]});
        assert_eq!(check(&[text("x"), call("a"), result("a"), text("y")]), Ok(()));
        for messages in [
            vec![call("a")],
            vec![call("a"), text("x")],
            vec![call("a"), result("b")],
            vec![text("x"), result("a")],
            vec![call("a.b"), result("a.b")],
            vec![text(" ")],
            vec![json!({"role": "user", "content": ""})],
            vec![json!({"role": "user", "content": []})],
        ] {
            assert!(check(&messages).is_err(), "{messages:?}");
        }
    }
}
