//! OpenAI Chat Completions: `POST /v1/chat/completions`, whole and streamed, as OpenAI and every compatible server speak it.
//!
//! In: bytes. Out: what [`super`] promises. Must not know: sockets, policies. Field names and shapes: OpenAI API reference and
//! the types of the `openai` Python package 3.54.0, 2026-11-22.

pub mod answer;
pub mod completion;
pub mod demand;
pub mod error;
pub mod fit;
mod history;
pub mod output;
mod parts;
pub mod read;
pub mod reader;
pub mod request;
mod said;
pub mod stream;
pub mod strict;
mod tools;
mod turn;
pub mod write;
pub mod writer;
