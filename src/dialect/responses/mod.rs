//! OpenAI Responses: `POST /v1/responses`, whole and streamed, as OpenAI and compatible servers speak it.
//!
//! In: bytes. Out: what [`super`] promises. Must not know: sockets, policies. Field names and shapes: OpenAI API reference and
//! the types of the `openai` Python package 3.54.0, 2026-11-22.
//!
//! Only what is said in one request is translated. What refers to state at the provider (`previous_response_id`, `conversation`,
//! `prompt`, `background`, items by id) binds a request to its provider: [`super::scan::Scan::bound`].

pub mod answer;
pub mod echo;
mod envelope;
pub mod error;
mod input;
mod items;
mod media;
mod options;
pub mod read;
pub mod reader;
pub mod request;
pub mod write;
pub mod writer;

/// What no request can do without.
const NEEDS: &str = "\"model\" and \"input\"";
