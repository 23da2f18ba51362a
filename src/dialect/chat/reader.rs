//! A Chat Completions stream, in nobody's words.
//!
//! In: the data of one event after the other. Out: deltas. Must not know: framing, when events arrived.
//!
//! Of several answers the first one counts. A call is known by its index; a server that gives all calls the same index is known by
//! their ids.

use super::answer::{truthy, usage};
use super::completion::logprobs;
use super::output::MAX_CALLS;
use super::said::{Fragment, Said, finish};
use crate::dialect::canonical::{Delta, Finish};
use crate::dialect::upstream_error::UpstreamError;
use crate::failure::Failure;
use crate::json::{Cursor, JsonError, Kind, Raw, Text};
use crate::usage::Usage;

/// Follows one stream.
#[derive(Debug, Default)]
pub struct Reader {
    started: bool,
    finished: bool,
    refused: bool,
    /// In the order they began. At most [`MAX_CALLS`].
    calls: Vec<Begun>,
}

/// A call that began.
#[derive(Debug)]
struct Begun {
    index: u64,
    id: Box<str>,
}

/// What one event holds; its members come in any order.
#[derive(Default)]
struct Chunk<'a> {
    id: Option<Text<'a>>,
    model: Option<Text<'a>>,
    said: Said<'a>,
    word: Option<Text<'a>>,
    logprobs: Option<Raw<'a>>,
    usage: Option<Usage>,
    answers: bool,
    failed: bool,
}

impl Reader {
    /// Takes the data of one event.
    ///
    /// # Errors
    /// Data that is not JSON.
    pub fn event(
        &mut self,
        _name: Option<&[u8]>,
        data: &[u8],
        sink: &mut dyn FnMut(Delta<'_>),
    ) -> Result<(), JsonError> {
        if data.trim_ascii() == b"[DONE]" {
            sink(Delta::End);
            return Ok(());
        }
        let mut chunk = Chunk::default();
        let mut cursor = Cursor::new(data)?;
        cursor.members(|cursor, key| chunk.member(cursor, key.raw))?;
        cursor.finish()?;
        if chunk.failed {
            sink(Delta::Failed(Box::new(UpstreamError::in_band(data))));
            return Ok(());
        }
        // An event without answers may come before the first: Azure's, about the prompt, names neither id nor model.
        if !self.started && (chunk.answers || chunk.usage.is_some()) {
            self.started = true;
            sink(Delta::Start { id: chunk.id.map(Into::into), model: chunk.model.map(Into::into) });
        }
        self.said(chunk, sink);
        Ok(())
    }

    fn said(&mut self, chunk: Chunk<'_>, sink: &mut dyn FnMut(Delta<'_>)) {
        let Chunk { said, word, usage, logprobs, .. } = chunk;
        if !self.finished {
            said.thinking.into_iter().for_each(|text| sink(Delta::Thinking(text.into())));
            if let Some(logprobs) = logprobs {
                sink(Delta::Logprobs(logprobs));
            }
            said.text.into_iter().for_each(|text| sink(Delta::Text(text.into())));
            if let Some(text) = said.refusal {
                self.refused = true;
                sink(Delta::Refusal(text.into()));
            }
            let mut lost = said.too_many;
            for (position, fragment) in said.calls.into_iter().enumerate() {
                lost |= !self.call(position, fragment, sink);
            }
            if lost {
                return failed(Failure::InvalidOutput, "the answer calls too many functions at once", sink);
            }
        }
        if let Some(usage) = usage {
            sink(Delta::Usage(usage));
        }
        let Some(reason) = word.and_then(|word| finish(&word.decode(), !self.calls.is_empty(), self.refused)) else {
            return;
        };
        if reason == Finish::Error {
            return failed(Failure::ServerError, "finish_reason error", sink);
        }
        if !self.finished {
            self.finished = true;
            sink(Delta::Finish { reason, stop_sequence: None });
        }
    }

    /// `false` when there are too many.
    fn call(&mut self, position: usize, fragment: Fragment<'_>, sink: &mut dyn FnMut(Delta<'_>)) -> bool {
        let wanted = fragment.index.unwrap_or(position as u64);
        let same = |call: &Begun| {
            call.index == wanted && (fragment.id.is_empty() || call.id.is_empty() || *call.id == *fragment.id.written())
        };
        let number = match self.calls.iter().rposition(same) {
            Some(number) => number,
            None if self.calls.len() == MAX_CALLS => return false,
            None => {
                self.calls.push(Begun { index: wanted, id: fragment.id.written().into() });
                let number = self.calls.len() - 1;
                sink(Delta::Call { index: number as u32, id: fragment.id, name: fragment.name });
                number
            }
        };
        if !fragment.arguments.is_empty() {
            sink(Delta::Arguments { index: number as u32, piece: fragment.arguments });
        }
        true
    }
}

fn failed(failure: Failure, words: &str, sink: &mut dyn FnMut(Delta<'_>)) {
    sink(Delta::Failed(Box::new(UpstreamError::bare(failure, words))));
}

impl<'a> Chunk<'a> {
    fn member(&mut self, cursor: &mut Cursor<'a>, key: &str) -> Result<(), JsonError> {
        let kind = cursor.kind()?;
        match (key, kind) {
            ("choices", Kind::Array) => cursor.items(|cursor| match cursor.kind()? {
                Kind::Object => self.choice(cursor),
                _ => cursor.skip().map(|_| ()),
            })?,
            ("id", Kind::String) => self.id = Some(cursor.string()?),
            ("model", Kind::String) => self.model = Some(cursor.string()?),
            ("usage", Kind::Object) => self.usage = usage(cursor)?,
            ("object", Kind::String) => self.failed |= cursor.string()?.raw == "error",
            ("error", _) => self.failed |= truthy(cursor, kind)?,
            _ => drop(cursor.skip()?),
        }
        Ok(())
    }

    fn choice(&mut self, cursor: &mut Cursor<'a>) -> Result<(), JsonError> {
        let (mut index, mut said, mut word, mut likely) = (0, None, None, None);
        cursor.members(|cursor, key| {
            match (key.raw, cursor.kind()?) {
                ("index", Kind::Number) => index = cursor.unsigned_or_skip()?.unwrap_or(0),
                ("delta" | "message", Kind::Object) => said = Some(Said::read(cursor)?),
                ("finish_reason", Kind::String) => word = Some(cursor.string()?),
                ("logprobs", Kind::Object) => likely = logprobs(cursor)?,
                _ => drop(cursor.skip()?),
            }
            Ok::<(), JsonError>(())
        })?;
        self.answers = true;
        if index == 0 {
            self.said = said.unwrap_or_default();
            self.word = word;
            self.logprobs = likely;
        }
        Ok(())
    }
}
