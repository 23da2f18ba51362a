//! The Anthropic Messages dialect.
//!
//! In: request bodies, upstream bodies and stream events. Out: the facts inside them; a conversation, an answer, a stream in
//! nobody's words, and each of them written in this dialect. Must not know: sockets, policies.
//!
//! Shapes are those of anthropic 2.14.0 (Python), versions 2023-06-01 and 2026-10-21 of the API, read on 2026-11-26.

pub mod answer;
mod block;
pub mod chunk;
mod counts;
pub mod error;
mod fields;
pub mod hosted;
mod ids;
pub mod read;
pub mod reader;
pub mod request;
mod think;
mod turns;
pub mod write;
pub mod writer;
