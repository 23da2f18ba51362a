//! OpenAI embeddings: `POST /v1/embeddings`, and the same asked of Gemini.
//!
//! In: bytes. Out: what a decision and a splice need of a request, what an answer used, and both in Gemini's words. Must not know:
//! sockets, policies; that vectors of different models are not comparable is theirs to mind. Field names and shapes: OpenAI API
//! reference and the types of the `openai` Python package 3.54.0, 2026-11-22. Errors have the envelope of Chat Completions.

pub mod answer;
pub mod gemini;
pub mod request;

use crate::dialect::bad_body::BadBody;
use crate::dialect::canonical::UNSUPPORTED;

/// Behind the base URL of a provider who speaks OpenAI's APIs.
pub const PATH: &str = "/embeddings";

/// A provider speaks neither this nor anything that it is translated to.
pub fn not_spoken(model: &str) -> BadBody {
    let message =
        format!("'input' cannot be sent on: the provider of '{model}' has no API for embeddings that is spoken here.");
    BadBody::at("input", UNSUPPORTED, message)
}
