//! A whole answer: what it says about itself, and what the caller gets of it.
//!
//! In: the body of a 2xx, in the upstream's dialect. Out: a [`Summary`], and the body in the caller's dialect. Must not know:
//! pins, what happens next.

use bytes::Bytes;

use super::Dialect;
use super::canonical::{Completion, Reply};
use super::chat::answer::{Answer, estimated_tokens};
use super::chat::output::Output;
use super::embeddings::gemini::Answered;
use super::embeddings::request::Ask;
use super::upstream_error::UpstreamError;
use super::{embeddings, translate};
use crate::failure::Failure;
use crate::usage::Usage;

/// What an answer says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The model that answered, as it names itself.
    pub model: Option<Box<str>>,
    /// What it used, if the provider says.
    pub usage: Option<Usage>,
    /// It may be given twice.
    pub repeatable: bool,
    /// It calls a tool.
    pub calls: bool,
    /// By length.
    pub content_tokens: u64,
}

/// A whole answer, read.
pub struct Whole<'a> {
    body: &'a Bytes,
    read: Result<Read<'a>, UpstreamError>,
    caller: Dialect,
}

enum Read<'a> {
    /// Chat Completions on both sides: judged without being taken apart.
    Chat(Answer),
    /// The same dialect on both sides.
    Same(Completion<'a>),
    /// To be translated.
    Other(Completion<'a>),
    /// Vectors, as they came.
    Vectors(embeddings::answer::Answer),
    /// Vectors that were written anew.
    Rewritten(Answered),
}

/// What is known of vectors that were asked for.
#[derive(Clone, Copy, Debug)]
pub struct Vectors<'a> {
    /// The request.
    pub ask: &'a Ask,
    /// The model that was asked.
    pub model: &'a str,
}

impl<'a> Whole<'a> {
    /// Reads it.
    pub fn read(upstream: Dialect, caller: Dialect, body: &'a Bytes, vectors: Option<Vectors<'_>>) -> Self {
        let read = match (upstream, caller) {
            (Dialect::Embeddings, _) => embeddings::answer::read(body).map(Read::Vectors),
            (_, Dialect::Embeddings) => match vectors {
                Some(Vectors { ask, model }) => {
                    let texts = ask.scan.text.iter().map(|passage| passage.span.len() as u64).sum();
                    embeddings::gemini::answer(body, ask, model, estimated_tokens(texts)).map(Read::Rewritten)
                }
                None => Err(UpstreamError::bare(Failure::ServerError, "vectors that nobody asked for")),
            },
            (Dialect::Chat, Dialect::Chat) => Answer::read(body).map(Read::Chat),
            (upstream, caller) if upstream == caller => translate::read(upstream, body).map(Read::Same),
            _ => translate::read(upstream, body).map(Read::Other),
        };
        Self { body, read, caller }
    }

    /// What it says about itself, and what is wrong with it.
    pub fn summary(&self) -> (Summary, Option<UpstreamError>) {
        match &self.read {
            Err(error) => (Summary::default(), Some(error.clone())),
            Ok(Read::Chat(answer)) => {
                let summary = Summary {
                    model: answer.model.clone(),
                    usage: answer.usage,
                    repeatable: answer.repeatable(),
                    calls: answer.calls,
                    content_tokens: estimated_tokens(answer.content_bytes),
                };
                (summary, answer.failure())
            }
            Ok(Read::Vectors(answer)) => {
                let (model, usage) = (answer.model.clone(), answer.usage);
                (Summary { model, usage, repeatable: true, ..Summary::default() }, None)
            }
            Ok(Read::Rewritten(answered)) => {
                (Summary { usage: Some(answered.usage), repeatable: true, ..Summary::default() }, None)
            }
            Ok(Read::Same(completion) | Read::Other(completion)) => {
                let failure = completion.failure();
                let summary = Summary {
                    model: completion.model.as_ref().map(|model| model.decode().into()),
                    usage: completion.usage,
                    repeatable: failure.is_none() && !completion.calls(),
                    calls: completion.calls(),
                    content_tokens: estimated_tokens(completion.content_bytes()),
                };
                (summary, failure)
            }
        }
    }

    /// What it says, put together.
    pub fn output(&self) -> Output {
        match &self.read {
            Ok(Read::Chat(_)) => Output::of_answer(self.body),
            Ok(Read::Same(completion) | Read::Other(completion)) => Output::of_completion(completion),
            Ok(Read::Vectors(_) | Read::Rewritten(_)) | Err(_) => Output::default(),
        }
    }

    /// The body for the caller: as it came, or in the caller's dialect. `None` for what is no answer in the first place.
    pub fn for_caller(&self, reply: &Reply<'_>) -> Option<Bytes> {
        match &self.read {
            Ok(Read::Chat(_) | Read::Same(_) | Read::Vectors(_)) => Some(self.body.clone()),
            Ok(Read::Rewritten(answered)) => Some(Bytes::copy_from_slice(&answered.body)),
            Ok(Read::Other(completion)) => Some(translate::write(self.caller, completion, reply).into()),
            Err(_) => None,
        }
    }
}
