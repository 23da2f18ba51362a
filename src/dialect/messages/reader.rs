//! The events of a Messages stream, in nobody's words.
//!
//! In: the data of one event after the other. Out: deltas. Must not know: framing, time.

use smallvec::SmallVec;

use super::answer::{BlockRead, Stopped};
use super::counts::Counts;
use crate::dialect::canonical::Delta;
use crate::dialect::upstream_error::UpstreamError;
use crate::json::{Cursor, JsonError, Kind, Quoted};

/// Blocks that may be open at once. The provider opens one after the other; what is beyond this is not read.
pub const MAX_OPEN: usize = 16;

/// Follows one stream.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    counts: Counts,
    /// Calls that are being told.
    open: SmallVec<[Open; 1]>,
    calls: u32,
    said: bool,
}

/// A call that is being told.
#[derive(Clone, Copy, Debug)]
struct Open {
    block: u64,
    call: u32,
    /// Some of its arguments have come.
    begun: bool,
}

/// What an event holds, whatever its type, which may stand behind the rest.
#[derive(Default)]
struct Event<'a> {
    kind: Quoted<'a>,
    index: u64,
    failed: bool,
    id: Option<Quoted<'a>>,
    model: Option<Quoted<'a>>,
    block: BlockRead<'a>,
    delta: DeltaRead<'a>,
}

#[derive(Default)]
struct DeltaRead<'a> {
    kind: Quoted<'a>,
    text: Quoted<'a>,
    thinking: Quoted<'a>,
    json: Quoted<'a>,
    stopped: Stopped<'a>,
}

impl Reader {
    /// Takes one event. Its `type` says the same as its name, which some servers leave out.
    ///
    /// # Errors
    /// Data that is not JSON, of which nothing was taken.
    pub fn event(
        &mut self,
        _name: Option<&[u8]>,
        data: &[u8],
        sink: &mut dyn FnMut(Delta<'_>),
    ) -> Result<(), JsonError> {
        let mut event = Event::default();
        let mut counts = self.counts;
        let mut cursor = Cursor::new(data)?;
        cursor.members(|cursor, key| event.member(cursor, key.raw, &mut counts))?;
        cursor.finish()?;
        let kind = event.kind.decode();
        if event.failed || kind == "error" {
            sink(Delta::Failed(Box::new(UpstreamError::in_band(data))));
            return Ok(());
        }
        self.counts = counts;
        match &*kind {
            "message_start" => {
                sink(Delta::Start { id: event.id, model: event.model });
                self.usage(sink);
            }
            "content_block_start" => self.opened(event.index, event.block, sink),
            "content_block_delta" => self.more(event.index, event.delta, sink),
            "content_block_stop" => self.closed(event.index, sink),
            "message_delta" => {
                self.usage(sink);
                self.stopped(event.delta.stopped, sink);
            }
            "message_stop" => sink(Delta::End),
            // `ping`, and what is newer than this.
            _ => {}
        }
        Ok(())
    }

    fn usage(&self, sink: &mut dyn FnMut(Delta<'_>)) {
        if let Some(usage) = self.counts.usage() {
            sink(Delta::Usage(usage));
        }
    }

    fn opened(&mut self, block: u64, read: BlockRead<'_>, sink: &mut dyn FnMut(Delta<'_>)) {
        match read.kind.as_ref().map(|kind| kind.decode()).as_deref() {
            Some("text") => self.text(read.text, sink),
            Some("thinking") if !read.thinking.is_empty() => sink(Delta::Thinking(read.thinking)),
            Some("tool_use") if self.open.len() < MAX_OPEN => {
                let call = self.calls;
                self.calls += 1;
                self.said = true;
                sink(Delta::Call { index: call, id: read.id, name: read.name });
                // Some servers give the arguments at once.
                let whole = read.input.filter(|input| input.0.len() > 2);
                if let Some(input) = &whole {
                    sink(Delta::Arguments { index: call, piece: Quoted::of(&input.0) });
                }
                self.open.push(Open { block, call, begun: whole.is_some() });
            }
            _ => {}
        }
    }

    fn text(&mut self, text: Quoted<'_>, sink: &mut dyn FnMut(Delta<'_>)) {
        if !text.is_empty() {
            self.said = true;
            sink(Delta::Text(text));
        }
    }

    fn more(&mut self, block: u64, delta: DeltaRead<'_>, sink: &mut dyn FnMut(Delta<'_>)) {
        match delta.kind.written() {
            "text_delta" => self.text(delta.text, sink),
            "thinking_delta" if !delta.thinking.is_empty() => sink(Delta::Thinking(delta.thinking)),
            "input_json_delta" if !delta.json.is_empty() => {
                // Without its call, it belongs to a tool of the provider.
                if let Some(open) = self.open.iter_mut().find(|open| open.block == block) {
                    open.begun = true;
                    sink(Delta::Arguments { index: open.call, piece: delta.json });
                }
            }
            // Signatures, citations.
            _ => {}
        }
    }

    fn closed(&mut self, block: u64, sink: &mut dyn FnMut(Delta<'_>)) {
        if let Some(at) = self.open.iter().position(|open| open.block == block) {
            let open = self.open.remove(at);
            if !open.begun {
                sink(Delta::Arguments { index: open.call, piece: Quoted::of("{}") });
            }
        }
    }

    fn stopped(&self, stopped: Stopped<'_>, sink: &mut dyn FnMut(Delta<'_>)) {
        let Some(reason) = stopped.finish(self.said) else { return };
        if let Some(words) = stopped.explanation.filter(|_| reason == crate::dialect::canonical::Finish::Refused) {
            sink(Delta::Refusal(words));
        }
        sink(Delta::Finish { reason, stop_sequence: stopped.sequence });
    }
}

impl<'a> Event<'a> {
    fn member(&mut self, cursor: &mut Cursor<'a>, name: &str, counts: &mut Counts) -> Result<(), JsonError> {
        match (name, cursor.kind()?) {
            ("type", Kind::String) => self.kind = cursor.string()?.into(),
            ("index", Kind::Number) => self.index = cursor.unsigned_or_skip()?.unwrap_or(0),
            ("error", Kind::Object) => self.failed |= cursor.skip()?.len() > 2,
            ("content_block", Kind::Object) => self.block = BlockRead::read(cursor)?,
            ("delta", Kind::Object) => cursor.members(|cursor, key| self.delta.member(cursor, key.raw))?,
            ("usage", Kind::Object) => counts.read(cursor)?,
            ("message", Kind::Object) => cursor.members(|cursor, key| {
                match (key.raw, cursor.kind()?) {
                    ("id", Kind::String) => self.id = Some(cursor.string()?.into()),
                    ("model", Kind::String) => self.model = Some(cursor.string()?.into()),
                    ("usage", Kind::Object) => counts.read(cursor)?,
                    _ => drop(cursor.skip()?),
                }
                Ok::<(), JsonError>(())
            })?,
            _ => drop(cursor.skip()?),
        }
        Ok(())
    }
}

impl<'a> DeltaRead<'a> {
    fn member(&mut self, cursor: &mut Cursor<'a>, name: &str) -> Result<(), JsonError> {
        match (name, cursor.kind()?) {
            ("type", Kind::String) => self.kind = cursor.string()?.into(),
            ("text", Kind::String) => self.text = cursor.string()?.into(),
            ("thinking", Kind::String) => self.thinking = cursor.string()?.into(),
            ("partial_json", Kind::String) => self.json = cursor.string()?.into(),
            _ => self.stopped.member(cursor, name)?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::canonical::Finish;
    use crate::failure::Failure;
    use crate::usage::Usage;

    fn told(events: &[&str]) -> Vec<Delta<'static>> {
        let mut reader = Reader::default();
        let mut deltas = Vec::new();
        for data in events {
            reader.event(None, data.as_bytes(), &mut |delta| deltas.push(kept(delta))).unwrap();
        }
        deltas
    }

    fn kept(delta: Delta<'_>) -> Delta<'static> {
        let own = Quoted::into_owned;
        match delta {
            Delta::Start { id, model } => Delta::Start { id: id.map(own), model: model.map(own) },
            Delta::Logprobs(raw) => Delta::Logprobs(raw.into_owned()),
            Delta::Text(text) => Delta::Text(text.into_owned()),
            Delta::Thinking(text) => Delta::Thinking(text.into_owned()),
            Delta::Refusal(text) => Delta::Refusal(text.into_owned()),
            Delta::Call { index, id, name } => Delta::Call { index, id: id.into_owned(), name: name.into_owned() },
            Delta::Arguments { index, piece } => Delta::Arguments { index, piece: piece.into_owned() },
            Delta::Usage(usage) => Delta::Usage(usage),
            Delta::Finish { reason, stop_sequence } => Delta::Finish { reason, stop_sequence: stop_sequence.map(own) },
            Delta::End => Delta::End,
            Delta::Failed(error) => Delta::Failed(error),
        }
    }

    #[test]
    fn a_stream_is_told_in_order() {
        let q = Quoted::of;
        let deltas = told(&[
            r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-5","content":[],"stop_reason":null,"usage":{"input_tokens":10,"cache_read_input_tokens":5,"cache_creation_input_tokens":0,"output_tokens":1}}}"#,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
            r#"{"type": "ping"}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2ln"}}"#,
            r#"{"type":"content_block_stop","index":0}"#,
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#,
            r#"{"index":1,"delta":{"text":"Hi \"","type":"text_delta"},"type":"content_block_delta"}"#,
            r#"{"type":"content_block_stop","index":1}"#,
            r#"{"type":"content_block_start","index":2,"content_block":{"type":"server_tool_use","id":"srv","name":"web_search","input":{}}}"#,
            r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"q\":1}"}}"#,
            r#"{"type":"content_block_stop","index":2}"#,
            r#"{"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"toolu_1","name":"f","input":{}}}"#,
            r#"{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":""}}"#,
            r#"{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{\"x\""}}"#,
            r#"{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":": 1}"}}"#,
            r#"{"type":"content_block_stop","index":3}"#,
            r#"{"type":"content_block_start","index":4,"content_block":{"type":"tool_use","id":"toolu_2","name":"g","input":{}}}"#,
            r#"{"type":"content_block_stop","index":4}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":9,"output_tokens_details":{"thinking_tokens":2}}}"#,
            r#"{"type":"message_stop"}"#,
        ]);
        let usage = |output, reasoning| {
            Delta::Usage(Usage { input_uncached: 10, cache_read: 5, output, reasoning, ..Usage::default() })
        };
        assert_eq!(
            deltas,
            [
                Delta::Start { id: Some(q("msg_1")), model: Some(q("claude-sonnet-5")) },
                usage(1, 0),
                Delta::Thinking(q("hm")),
                Delta::Text(q("Hi \"")),
                Delta::Call { index: 0, id: q("toolu_1"), name: q("f") },
                Delta::Arguments { index: 0, piece: q("{\"x\"") },
                Delta::Arguments { index: 0, piece: q(": 1}") },
                Delta::Call { index: 1, id: q("toolu_2"), name: q("g") },
                Delta::Arguments { index: 1, piece: q("{}") },
                usage(9, 2),
                Delta::Finish { reason: Finish::Calls, stop_sequence: None },
                Delta::End,
            ]
        );
    }

    #[test]
    fn a_refusal_is_told_in_its_own_words() {
        let deltas = told(&[
            r#"{"type":"message_delta","delta":{"stop_reason":"refusal","stop_details":{"type":"refusal","explanation":"no"}},"usage":{"output_tokens":1}}"#,
        ]);
        let end = Delta::Finish { reason: Finish::Refused, stop_sequence: None };
        assert_eq!(deltas[1..], [Delta::Refusal(Quoted::of("no")), end]);
    }

    #[test]
    fn an_error_in_the_stream_is_a_failure() {
        for (data, failure) in [
            (r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#, Failure::Overload),
            (
                r#"{"type":"error","error":{"type":"api_error","message":"Internal server error"}}"#,
                Failure::ServerError,
            ),
            (r#"{"error":{"message":"slow down","type":"rate_limit_error"}}"#, Failure::RateLimit),
        ] {
            let deltas = told(&[data]);
            assert!(matches!(&deltas[..], [Delta::Failed(error)] if error.failure == failure), "{deltas:?}");
        }
    }

    #[test]
    fn what_is_no_json_takes_nothing_and_what_is_odd_breaks_nothing() {
        let mut reader = Reader::default();
        for data in ["", "{", "[1]", "{} {}", "nonsense"] {
            assert!(reader.event(None, data.as_bytes(), &mut |_| panic!("{data}")).is_err());
        }
        for data in [
            "{}",
            r#"{"type":7}"#,
            r#"{"type":"content_block_delta","index":-1,"delta":[]}"#,
            r#"{"type":"content_block_start","content_block":null}"#,
            r#"{"type":"content_block_stop","index":99}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":null},"usage":null}"#,
            r#"{"type":"a_new_event","error":null}"#,
        ] {
            assert_eq!(told(&[data]), [], "{data}");
        }
    }

    #[test]
    fn so_many_blocks_may_be_open_and_not_one_more() {
        let start = |at: usize| {
            format!(
                r#"{{"type":"content_block_start","index":{at},"content_block":{{"type":"tool_use","id":"t","name":"f"}}}}"#
            )
        };
        let events: Vec<String> = (0..=MAX_OPEN).map(start).collect();
        let events: Vec<&str> = events.iter().map(|event| &**event).collect();
        assert_eq!(told(&events).len(), MAX_OPEN);
    }
}
