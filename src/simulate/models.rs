//! The list of models.
//!
//! In: the dialect. Out: a short list in its shape; any single model exists. Must not know: the catalog of the proxy.

use serde_json::{Value, json};

use super::error::Dialect;

const OPENAI: [&str; 4] =
    ["gpt-5.4-2026-03-05", "gpt-5.4-mini-2026-03-17", "text-embedding-3-small", "text-embedding-3-large"];
const ANTHROPIC: [&str; 3] = ["claude-opus-4-5-20251101", "claude-sonnet-4-5-20250929", "claude-haiku-4-5-20251001"];
/// 2026-01-15, when every simulated model was made.
const CREATED: u64 = 1_768_435_200;

/// Models that the list names; requests may name any other.
pub fn list(dialect: Dialect) -> Value {
    match dialect {
        Dialect::OpenAi | Dialect::Responses => json!({"object": "list", "data": OPENAI.map(|id| one(dialect, id))}),
        Dialect::Anthropic => json!({
            "data": ANTHROPIC.map(|id| one(dialect, id)), "has_more": false, "first_id": ANTHROPIC[0], "last_id": ANTHROPIC[2],
        }),
    }
}

/// One model, whatever its name.
pub fn one(dialect: Dialect, id: &str) -> Value {
    match dialect {
        Dialect::OpenAi | Dialect::Responses => {
            json!({"id": id, "object": "model", "created": CREATED, "owned_by": "simulated"})
        }
        Dialect::Anthropic => json!({
            "type": "model", "id": id, "display_name": id, "created_at": "2026-01-15T00:00:00Z",
        }),
    }
}
