//! The list of models.
//!
//! In: the dialect. Out: a short list in its shape; any single model exists. Must not know: the catalog of the proxy.

use serde_json::{Value, json};

use super::error::Dialect;

const OPENAI: [&str; 4] =
    ["gpt-5.4-2026-03-05", "gpt-5.4-mini-2026-03-17", "text-embedding-3-small", "text-embedding-3-large"];
const ANTHROPIC: [&str; 3] = ["claude-opus-4-5-20251101", "claude-sonnet-4-5-20250929", "claude-haiku-4-5-20251001"];
const GOOGLE: [&str; 3] = ["gemini-3.8-flash", "gemini-3.5-flash-lite", "gemini-embedding-001"];
/// 2026-01-15, when every simulated model was made.
const CREATED: u64 = 1_768_435_200;

/// Models that the list names; requests may name any other.
pub fn list(dialect: Dialect) -> Value {
    match dialect {
        Dialect::OpenAi | Dialect::Responses | Dialect::Bedrock => {
            json!({"object": "list", "data": OPENAI.map(|id| one(dialect, id))})
        }
        Dialect::Anthropic => json!({
            "data": ANTHROPIC.map(|id| one(dialect, id)), "has_more": false, "first_id": ANTHROPIC[0], "last_id": ANTHROPIC[2],
        }),
        Dialect::Google => json!({"models": GOOGLE.map(|id| one(dialect, id))}),
    }
}

/// One model, whatever its name.
pub fn one(dialect: Dialect, id: &str) -> Value {
    match dialect {
        Dialect::OpenAi | Dialect::Responses | Dialect::Bedrock => {
            json!({"id": id, "object": "model", "created": CREATED, "owned_by": "simulated"})
        }
        Dialect::Anthropic => json!({
            "type": "model", "id": id, "display_name": id, "created_at": "2026-01-15T00:00:00Z",
        }),
        Dialect::Google => {
            let methods = if id.contains("embedding") {
                json!(["embedContent", "countTokens"])
            } else {
                json!(["generateContent", "countTokens"])
            };
            json!({
                "name": format!("models/{id}"), "displayName": id, "version": "simulated", "inputTokenLimit": 1_048_576,
                "outputTokenLimit": 65_536, "supportedGenerationMethods": methods,
            })
        }
    }
}
