//! What each event of a Responses stream says.
//!
//! In: the name and the data of one event after the other. Out: deltas. Must not know: framing, who listens.

use smallvec::SmallVec;

use super::answer::Response;
use crate::dialect::canonical::Delta;
use crate::dialect::upstream_error::UpstreamError;
use crate::failure::Failure;
use crate::json::{Cursor, JsonError, Kind, Quoted, Raw, Text};

/// Calls that are told apart in one stream. One that makes more is lost: nobody asks for so many.
pub const MAX_CALLS: usize = 1024;

/// Follows one stream.
#[derive(Debug, Default)]
pub struct Reader {
    started: bool,
    /// By the order they began: their place in the output, and whether arguments came.
    calls: SmallVec<[(u64, bool); 4]>,
    /// Something was said since the last part began.
    said: bool,
    /// Anything was said at all.
    any: bool,
    refused: bool,
}

/// One event, before it is known what it is.
#[derive(Default)]
struct Event<'a> {
    kind: Option<Text<'a>>,
    delta: Option<Text<'a>>,
    /// What a `done` event repeats as a whole.
    whole: Option<Text<'a>>,
    place: u64,
    logprobs: Option<Raw<'a>>,
    item: Option<Raw<'a>>,
    response: Option<Raw<'a>>,
    failed: bool,
}

type Sink<'s> = &'s mut dyn FnMut(Delta<'_>);

impl Reader {
    /// Reads one event.
    ///
    /// # Errors
    /// When the data is no JSON object.
    pub fn event(&mut self, name: Option<&[u8]>, data: &[u8], sink: Sink<'_>) -> Result<(), JsonError> {
        if data.trim_ascii() == b"[DONE]" {
            return Ok(());
        }
        let mut event = Event::default();
        let mut cursor = Cursor::new(data)?;
        cursor.members(|cursor, key| event.member(cursor, key.raw))?;
        cursor.finish()?;
        let kind = event.kind.map(Text::decode);
        let kind = kind.as_deref().or_else(|| name.and_then(|name| std::str::from_utf8(name).ok())).unwrap_or_default();
        if kind == "error" || kind.is_empty() && event.failed {
            sink(Delta::Failed(Box::new(UpstreamError::in_band(data))));
            return Ok(());
        }
        self.sort(kind, &event, sink)
    }

    fn sort(&mut self, kind: &str, event: &Event<'_>, sink: Sink<'_>) -> Result<(), JsonError> {
        match kind {
            "response.created" | "response.queued" | "response.in_progress" => return self.start(event, sink),
            "response.content_part.added" => self.said = false,
            "response.output_item.added" => {
                self.said = false;
                self.item(event, sink)?;
            }
            "response.output_item.done" => self.item(event, sink)?,
            "response.output_text.delta" => {
                likely(event, sink);
                self.say(event.delta, sink, Delta::Text);
            }
            "response.refusal.delta" => {
                self.refused = true;
                self.say(event.delta, sink, Delta::Refusal);
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                if let Some(text) = event.delta {
                    sink(Delta::Thinking(text.into()));
                }
            }
            // Some servers leave the deltas out.
            "response.output_text.done" if !self.said => {
                likely(event, sink);
                self.say(event.whole, sink, Delta::Text);
            }
            "response.refusal.done" if !self.said => {
                self.refused = true;
                self.say(event.whole, sink, Delta::Refusal);
            }
            "response.function_call_arguments.delta" => self.arguments(event.place, event.delta, true, sink),
            "response.function_call_arguments.done" => self.arguments(event.place, event.whole, false, sink),
            "response.completed" | "response.incomplete" | "response.failed" => self.end(event, sink)?,
            _ => {}
        }
        Ok(())
    }

    fn start(&mut self, event: &Event<'_>, sink: Sink<'_>) -> Result<(), JsonError> {
        if std::mem::replace(&mut self.started, true) {
            return Ok(());
        }
        let mut response = Response::default();
        if let Some(raw) = &event.response {
            response.read(&mut Cursor::new(raw.0.as_bytes())?, false)?;
        }
        sink(Delta::Start { id: response.id, model: response.model });
        Ok(())
    }

    fn say<'a>(&mut self, text: Option<Text<'a>>, sink: Sink<'_>, delta: impl FnOnce(Quoted<'a>) -> Delta<'a>) {
        if let Some(text) = text.filter(|text| !text.raw.is_empty()) {
            self.said = true;
            self.any = true;
            sink(delta(text.into()));
        }
    }

    /// An item begins or ends. Only calls are of interest: the texts of a message come in events of their own.
    fn item(&mut self, event: &Event<'_>, sink: Sink<'_>) -> Result<(), JsonError> {
        let Some(raw) = &event.item else { return Ok(()) };
        let (mut call, mut id, mut name, mut arguments) = (false, Quoted::default(), Quoted::default(), None);
        Cursor::new(raw.0.as_bytes())?.members(|cursor, key| {
            match (key.raw, cursor.kind()?) {
                ("type", Kind::String) => call = cursor.string()?.decode() == "function_call",
                ("call_id", Kind::String) => id = cursor.string()?.into(),
                ("name", Kind::String) => name = cursor.string()?.into(),
                ("arguments", Kind::String) => arguments = Some(cursor.string()?),
                _ => drop(cursor.skip()?),
            }
            Ok::<(), JsonError>(())
        })?;
        if !call {
            return Ok(());
        }
        if self.number(event.place).is_none() {
            if self.calls.len() == MAX_CALLS {
                let message = format!("the answer makes more than {MAX_CALLS} calls");
                sink(Delta::Failed(Box::new(UpstreamError::bare(Failure::ServerError, &message))));
                return Ok(());
            }
            let index = self.calls.len() as u32;
            self.calls.push((event.place, false));
            self.any = true;
            sink(Delta::Call { index, id, name });
        }
        self.arguments(event.place, arguments, false, sink);
        Ok(())
    }

    fn number(&self, place: u64) -> Option<usize> {
        self.calls.iter().position(|(known, _)| *known == place)
    }

    /// More of a call's arguments, or all of them: those count where nothing came before.
    fn arguments(&mut self, place: u64, text: Option<Text<'_>>, more: bool, sink: Sink<'_>) {
        let (Some(index), Some(text)) = (self.number(place), text.filter(|text| !text.raw.is_empty())) else { return };
        let Some((_, came)) = self.calls.get_mut(index) else { return };
        if more || !*came {
            *came = true;
            sink(Delta::Arguments { index: index as u32, piece: text.into() });
        }
    }

    fn end(&mut self, event: &Event<'_>, sink: Sink<'_>) -> Result<(), JsonError> {
        let mut response = Response::default();
        if let Some(raw) = &event.response {
            response.read(&mut Cursor::new(raw.0.as_bytes())?, false)?;
        }
        if let Some(usage) = response.usage {
            sink(Delta::Usage(usage));
        }
        if let Some(error) = response.failure() {
            sink(Delta::Failed(Box::new(error)));
            return Ok(());
        }
        if let Some(reason) = response.finish(!self.calls.is_empty(), self.refused, self.any) {
            sink(Delta::Finish { reason, stop_sequence: None });
        }
        sink(Delta::End);
        Ok(())
    }
}

/// How likely the tokens of its text were.
fn likely(event: &Event<'_>, sink: Sink<'_>) {
    if let Some(logprobs) = &event.logprobs {
        sink(Delta::Logprobs(logprobs.clone()));
    }
}

impl<'a> Event<'a> {
    fn member(&mut self, cursor: &mut Cursor<'a>, key: &str) -> Result<(), JsonError> {
        match (key, cursor.kind()?) {
            ("type", Kind::String) => self.kind = Some(cursor.string()?),
            ("delta", Kind::String) => self.delta = Some(cursor.string()?),
            ("text" | "refusal" | "arguments", Kind::String) => self.whole = Some(cursor.string()?),
            ("output_index", Kind::Number) => self.place = cursor.unsigned_or_skip()?.unwrap_or(0),
            ("logprobs", Kind::Array) => self.logprobs = Some(cursor.raw()?).filter(|raw| raw.0.len() > 2),
            ("item", Kind::Object) => self.item = Some(cursor.raw()?),
            ("response", Kind::Object) => self.response = Some(cursor.raw()?),
            ("error", Kind::Object | Kind::String) => {
                cursor.skip()?;
                self.failed = true;
            }
            _ => drop(cursor.skip()?),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(events: &[&str]) -> Vec<String> {
        let mut reader = Reader::default();
        let mut seen = Vec::new();
        for data in events {
            reader.event(None, data.as_bytes(), &mut |delta| seen.push(format!("{delta:?}"))).unwrap();
        }
        seen
    }

    #[test]
    fn servers_that_leave_the_deltas_out_are_understood() {
        let seen = read(&[
            r#"{"type":"response.created","response":{"id":"r","model":"m"}}"#,
            r#"{"type":"response.in_progress","response":{"id":"r","model":"m"}}"#,
            r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"message","content":[]}}"#,
            r#"{"type":"response.content_part.added","output_index":0,"part":{"type":"output_text","text":""}}"#,
            r#"{"type":"response.output_text.done","output_index":0,"text":"all"}"#,
            r#"{"type":"response.output_item.done","output_index":1,"item":{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}}"#,
            r#"{"type":"response.completed","response":{"status":"completed","usage":{"input_tokens":1,"output_tokens":2}}}"#,
        ]);
        let kinds: Vec<_> = seen.iter().map(|delta| delta.split([' ', '(']).next().unwrap()).collect();
        assert_eq!(kinds, ["Start", "Text", "Call", "Arguments", "Usage", "Finish", "End"]);
        assert!(seen[5].contains("Calls"), "{}", seen[5]);
    }

    #[test]
    fn nothing_is_said_twice() {
        let seen = read(&[
            r#"{"type":"response.content_part.added","part":{}}"#,
            r#"{"delta":"a","type":"response.output_text.delta"}"#,
            r#"{"type":"response.output_text.done","text":"a"}"#,
            r#"{"type":"response.output_item.added","output_index":3,"item":{"type":"function_call","call_id":"c","name":"f","arguments":""}}"#,
            r#"{"type":"response.function_call_arguments.delta","output_index":3,"delta":"{}"}"#,
            r#"{"type":"response.function_call_arguments.done","output_index":3,"arguments":"{}"}"#,
            r#"{"type":"response.output_item.done","output_index":3,"item":{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}}"#,
        ]);
        assert_eq!(seen.len(), 3, "{seen:?}");
    }

    #[test]
    fn every_way_to_fail_is_a_failure() {
        for (data, failure) in [
            (
                r#"{"type":"error","code":"server_error","message":"x","param":null,"sequence_number":3}"#,
                Failure::ServerError,
            ),
            (r#"{"type":"error","error":{"type":"overloaded","code":"overloaded","message":"x"}}"#, Failure::Overload),
            (
                r#"{"type":"response.failed","response":{"error":{"code":"rate_limit_exceeded","message":"x"}}}"#,
                Failure::RateLimit,
            ),
            (r#"{"error":{"message":"x","code":"insufficient_quota"}}"#, Failure::QuotaExhausted),
        ] {
            let mut seen = None;
            Reader::default().event(None, data.as_bytes(), &mut |delta| seen = Some(format!("{delta:?}"))).unwrap();
            assert!(seen.as_ref().unwrap().contains(&format!("{failure:?}")), "{data}: {seen:?}");
        }
        for data in ["", "[1]", "{\"type\":", "{} {}"] {
            assert!(Reader::default().event(None, data.as_bytes(), &mut |_| {}).is_err(), "{data}");
        }
        assert!(Reader::default().event(None, b"[DONE]", &mut |_| panic!("no delta")).is_ok());
    }

    #[test]
    fn calls_are_told_apart_to_the_limit() {
        let item = |place: usize| {
            format!(
                r#"{{"type":"response.output_item.added","output_index":{place},"item":{{"type":"function_call","call_id":"c","name":"f"}}}}"#
            )
        };
        let mut reader = Reader::default();
        let mut failed = 0;
        for place in 0..=MAX_CALLS {
            assert_eq!(failed, 0);
            reader
                .event(None, item(place).as_bytes(), &mut |delta| {
                    failed += usize::from(matches!(delta, Delta::Failed(_)))
                })
                .unwrap();
        }
        assert_eq!(failed, 1);
    }
}
