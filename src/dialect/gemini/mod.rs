//! Google's generateContent: `POST /v1beta/models/{model}:generateContent` and `:streamGenerateContent?alt=sse`.
//!
//! In: bytes. Out: what [`super`] promises. Must not know: sockets, policies. Field names and shapes: the Gemini API reference
//! and the types of the `google-genai` Python package 3.6.1, 2026-11-26.
//!
//! Two things set it apart. The model and the method stand in the path ([`path`], [`upstream_path`]), so what reads a body is
//! told both. And a stream may hold nothing but `data: {…}` lines and blank ones: the official Python client raises at a
//! comment, an `event:` line and `[DONE]` alike, so nothing keeps a silent stream alive.

mod address;
pub mod answer;
mod chunk;
mod compact;
mod contents;
pub mod error;
mod fields;
mod parts;
mod proto;
pub mod read;
pub mod reader;
pub mod request;
mod schema;
mod tools;
mod turns;
pub mod write;
pub mod writer;

pub use address::{Asked, Method, events, path, path_of, upstream_path};

/// The field that caps an answer; it stands inside `generationConfig`.
pub const OUTPUT_CAP: &str = "maxOutputTokens";
