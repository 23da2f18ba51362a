//! A stream as a Responses caller reads it.
//!
//! In: deltas. Out: events in the API's order, numbered. Must not know: who answers, when events leave.
//!
//! The API repeats every text whole: when it is done, when its item is done, and in the last event. So the writer keeps what was
//! said, up to [`MAX_KEPT`]; everything else about a stream is of constant size.
//!
//! An item is done before the next one begins, except for a call whose arguments are not a complete object yet: a provider may
//! go on with it later.

use super::answer::{call_id, join};
use super::envelope::{self, Head, Item, Said, Status, write_logprobs};
use super::error;
use crate::dialect::caller_error::CallerError;
use crate::dialect::canonical::{Delta, Echo, Finish, Reply};
use crate::failure::Failure;
use crate::json::write::{Object, object};
use crate::json::{Cursor, Kind, Quoted, Raw};
use crate::usage::Usage;

/// Most of an answer, in bytes: as much as one event of a provider may hold, and several times what models give. A longer answer
/// ends with an error event, since its last events would not be true.
pub const MAX_KEPT: usize = 4 * 1024 * 1024;
/// What an item counts beyond its text, so that a stream of nothing but tiny items is bounded, too.
const ITEM_BYTES: usize = 256;

/// Writes one stream.
#[derive(Debug)]
pub struct Writer {
    id: Box<str>,
    model: Box<str>,
    created: u64,
    echo: Echo,
    /// Of the next event.
    number: u64,
    started: bool,
    over: bool,
    items: Vec<Shown>,
    /// Place of the message that is open.
    message: Option<usize>,
    /// Places of calls, by their numbers.
    calls: Vec<(u32, usize)>,
    kept: usize,
    /// Of the text that comes next.
    logprobs: Option<Raw<'static>>,
    usage: Option<Usage>,
    finish: Option<Finish>,
}

#[derive(Debug)]
struct Shown {
    item: Item<'static>,
    /// In progress until it is done.
    status: Status,
}

impl Writer {
    /// For an answer that begins.
    pub fn new(reply: &Reply<'_>) -> Self {
        Self {
            id: reply.id.into(),
            model: reply.model.into(),
            created: reply.created,
            echo: reply.echo.cloned().unwrap_or_default(),
            number: 0,
            started: false,
            over: false,
            items: Vec::new(),
            message: None,
            calls: Vec::new(),
            kept: 0,
            logprobs: None,
            usage: None,
            finish: None,
        }
    }

    /// Appends the events that say this.
    pub fn write(&mut self, delta: &Delta<'_>, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        self.start(out);
        match delta {
            Delta::Start { .. } | Delta::Thinking(_) => {}
            Delta::Logprobs(raw) => self.logprobs = Some(raw.clone().into_owned()),
            Delta::Text(text) => self.say(false, text, out),
            Delta::Refusal(text) => self.say(true, text, out),
            Delta::Call { index, id, name } => self.call(*index, id, name, out),
            Delta::Arguments { index, piece } => self.arguments(*index, piece, out),
            Delta::Usage(usage) => self.usage = Some(*usage),
            Delta::Finish { reason, .. } => self.finish = Some(*reason),
            Delta::End => self.end(out),
            Delta::Failed(error) => self.fail(&CallerError::cut(error.failure), out),
        }
    }

    /// Ends the stream with an error in place of the rest.
    pub fn fail(&mut self, error: &CallerError, out: &mut Vec<u8>) {
        out.extend_from_slice(error::event_at(error, self.number).as_bytes());
        self.over = true;
    }

    fn head(&self) -> Head<'_> {
        Head { id: &self.id, model: &self.model, created: self.created, echo: &self.echo }
    }

    fn start(&mut self, out: &mut Vec<u8>) {
        if self.started {
            return;
        }
        self.started = true;
        for name in ["response.created", "response.in_progress"] {
            self.event(out, name, |writer, o| writer.response(o, Status::InProgress));
        }
    }

    fn say(&mut self, refusal: bool, text: &Quoted<'_>, out: &mut Vec<u8>) {
        let logprobs = self.logprobs.take_if(|_| !refusal);
        let size = text.written().len() + logprobs.as_ref().map_or(0, |raw| raw.0.len());
        if text.is_empty() || !self.keep(size, out) {
            return;
        }
        let place = match self.message {
            Some(place) => place,
            None => {
                self.settle_last_call(out);
                let place = self.open(Item::Message(Vec::new()), out);
                self.message = Some(place);
                place
            }
        };
        let Some(Shown { item: Item::Message(parts), .. }) = self.items.get_mut(place) else { return };
        if parts.last().is_none_or(|part| part.refusal != refusal) {
            self.part_done(place, out);
            self.part_added(place, refusal, out);
        }
        let Some(Shown { item: Item::Message(parts), .. }) = self.items.get_mut(place) else { return };
        let at = parts.len().saturating_sub(1);
        if let Some(part) = parts.last_mut() {
            part.text.push(text);
            if let Some(more) = &logprobs {
                join(&mut part.logprobs, more.clone());
            }
        }
        let name = if refusal { "response.refusal.delta" } else { "response.output_text.delta" };
        self.event(out, name, |writer, o| {
            writer.place(o, place, Some(at));
            o.quoted("delta", text);
            if !refusal {
                write_logprobs(o, logprobs.as_ref());
            }
        });
    }

    fn call(&mut self, index: u32, id: &Quoted<'_>, name: &Quoted<'_>, out: &mut Vec<u8>) {
        if !self.keep(id.written().len() + name.written().len(), out) {
            return;
        }
        self.message_done(Status::Completed, out);
        self.settle_last_call(out);
        let id = call_id(id, &self.id, self.items.len()).into_owned();
        let item = Item::Call { id, name: name.clone().into_owned(), arguments: Quoted::default() };
        let place = self.open(item, out);
        self.calls.push((index, place));
    }

    fn arguments(&mut self, index: u32, piece: &Quoted<'_>, out: &mut Vec<u8>) {
        let Some((_, place)) = self.calls.iter().rev().find(|(known, _)| *known == index) else { return };
        let place = *place;
        match self.items.get_mut(place) {
            Some(Shown { item: Item::Call { arguments, .. }, status: Status::InProgress }) => arguments.push(piece),
            // Behind a complete object there is nothing but space.
            _ => return,
        }
        if piece.is_empty() || !self.keep(piece.written().len(), out) {
            return;
        }
        self.event(out, "response.function_call_arguments.delta", |writer, o| {
            writer.place(o, place, None);
            o.quoted("delta", piece);
        });
    }

    /// Counts what is kept; `false` ends the stream.
    fn keep(&mut self, bytes: usize, out: &mut Vec<u8>) -> bool {
        self.kept += bytes;
        if self.kept <= MAX_KEPT {
            return true;
        }
        let message = format!("The answer is longer than {MAX_KEPT} bytes; what was sent so far is incomplete.");
        self.fail(&CallerError::new(502, message).code("answer_too_long"), out);
        false
    }

    fn open(&mut self, item: Item<'static>, out: &mut Vec<u8>) -> usize {
        self.kept += ITEM_BYTES;
        let place = self.items.len();
        self.items.push(Shown { item, status: Status::InProgress });
        self.item_event("response.output_item.added", place, out);
        place
    }

    fn item_event(&mut self, name: &str, place: usize, out: &mut Vec<u8>) {
        self.event(out, name, |writer, o| {
            o.number("output_index", place as u64);
            if let Some(shown) = writer.items.get(place) {
                shown.item.write(o.member("item"), &writer.head(), place, shown.status.of_item());
            }
        });
    }

    fn part_added(&mut self, place: usize, refusal: bool, out: &mut Vec<u8>) {
        let said = Said { refusal, text: Quoted::default(), logprobs: None };
        let Some(Shown { item: Item::Message(parts), .. }) = self.items.get_mut(place) else { return };
        let at = parts.len();
        parts.push(said.clone());
        self.event(out, "response.content_part.added", |writer, o| {
            writer.place(o, place, Some(at));
            said.write(o.member("part"));
        });
    }

    fn part_done(&mut self, place: usize, out: &mut Vec<u8>) {
        let Some(Shown { item: Item::Message(parts), .. }) = self.items.get(place) else { return };
        let Some(at) = parts.len().checked_sub(1) else { return };
        let refusal = parts.last().is_some_and(|part| part.refusal);
        let (name, field) =
            if refusal { ("response.refusal.done", "refusal") } else { ("response.output_text.done", "text") };
        self.event(out, name, |writer, o| {
            writer.place(o, place, Some(at));
            if let Some(part) = writer.part(place) {
                o.quoted(field, &part.text);
            }
            if !refusal {
                write_logprobs(o, writer.part(place).and_then(|part| part.logprobs.as_ref()));
            }
        });
        self.event(out, "response.content_part.done", |writer, o| {
            writer.place(o, place, Some(at));
            if let Some(part) = writer.part(place) {
                part.write(o.member("part"));
            }
        });
    }

    /// The last part of the message at a place.
    fn part(&self, place: usize) -> Option<&Said<'static>> {
        match self.items.get(place) {
            Some(Shown { item: Item::Message(parts), .. }) => parts.last(),
            _ => None,
        }
    }

    fn message_done(&mut self, status: Status, out: &mut Vec<u8>) {
        let Some(place) = self.message.take() else { return };
        self.part_done(place, out);
        self.done(place, status, out);
    }

    fn done(&mut self, place: usize, status: Status, out: &mut Vec<u8>) {
        if let Some(shown) = self.items.get_mut(place) {
            shown.status = status;
        }
        self.item_event("response.output_item.done", place, out);
    }

    /// Closes the call that began last, if its arguments are whole.
    fn settle_last_call(&mut self, out: &mut Vec<u8>) {
        let Some((_, place)) = self.calls.last().copied() else { return };
        if let Some(Shown { item: Item::Call { arguments, .. }, status: Status::InProgress }) = self.items.get(place)
            && is_object(arguments)
        {
            self.call_done(place, Status::Completed, out);
        }
    }

    fn call_done(&mut self, place: usize, status: Status, out: &mut Vec<u8>) {
        let Some(Shown { item: Item::Call { arguments, .. }, .. }) = self.items.get_mut(place) else { return };
        // A call without arguments must still be JSON for its caller.
        if arguments.is_empty() && status == Status::Completed {
            let none = Quoted::of("{}");
            arguments.push(&none);
            self.event(out, "response.function_call_arguments.delta", |writer, o| {
                writer.place(o, place, None);
                o.quoted("delta", &none);
            });
        }
        self.event(out, "response.function_call_arguments.done", |writer, o| {
            writer.place(o, place, None);
            if let Some(Shown { item: Item::Call { name, arguments, .. }, .. }) = writer.items.get(place) {
                o.quoted("name", name);
                o.quoted("arguments", arguments);
            }
        });
        self.done(place, status, out);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if self.finish.is_none() {
            return self.fail(&CallerError::cut(Failure::Network), out);
        }
        let declined = self.items.iter().any(|shown| match &shown.item {
            Item::Message(parts) => parts.iter().any(|part| part.refusal),
            Item::Call { .. } => false,
        });
        let status = Status::of(self.finish, declined);
        if self.items.is_empty() && status == Status::Completed {
            // Clients look for a message where an answer is complete.
            let place = self.open(Item::Message(Vec::new()), out);
            self.part_added(place, false, out);
            self.message = Some(place);
        }
        for place in 0..self.items.len() {
            if self.message == Some(place) {
                self.message_done(status, out);
            } else if self.items.get(place).is_some_and(|shown| shown.status == Status::InProgress) {
                self.call_done(place, status, out);
            }
        }
        let name = match status {
            Status::Incomplete(_) => "response.incomplete",
            Status::Failed => "response.failed",
            Status::Completed | Status::InProgress => "response.completed",
        };
        self.event(out, name, |writer, o| writer.response(o, status));
        self.over = true;
    }

    fn response(&self, o: &mut Object<'_>, status: Status) {
        let usage = self.usage.filter(|_| status != Status::InProgress);
        envelope::response(o.member("response"), &self.head(), status, usage, |list| {
            for (place, shown) in self.items.iter().enumerate() {
                shown.item.write(list.item(), &self.head(), place, shown.status.of_item());
            }
        });
    }

    /// Where something stands in the output.
    fn place(&self, o: &mut Object<'_>, place: usize, part: Option<usize>) {
        if let Some(shown) = self.items.get(place) {
            shown.item.write_id(o, "item_id", &self.head(), place);
        }
        o.number("output_index", place as u64);
        if let Some(part) = part {
            o.number("content_index", part as u64);
        }
    }

    fn event(&mut self, out: &mut Vec<u8>, name: &str, write: impl FnOnce(&Self, &mut Object<'_>)) {
        for text in ["event: ", name, "\ndata: "] {
            out.extend_from_slice(text.as_bytes());
        }
        object(out, |o| {
            o.text("type", name);
            o.number("sequence_number", self.number);
            write(self, o);
        });
        out.extend_from_slice(b"\n\n");
        self.number += 1;
    }
}

fn is_object(arguments: &Quoted<'_>) -> bool {
    let text = arguments.decode();
    let read = Cursor::new(text.as_bytes()).and_then(|mut cursor| {
        let kind = cursor.kind()?;
        cursor.skip()?;
        cursor.finish()?;
        Ok(kind)
    });
    read == Ok(Kind::Object)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(deltas: &[Delta<'_>]) -> Vec<serde_json::Value> {
        let mut writer = Writer::new(&Reply { id: "1", model: "m", created: 9, include_usage: true, echo: None });
        let mut out = Vec::new();
        deltas.iter().for_each(|delta| writer.write(delta, &mut out));
        let text = String::from_utf8(out).unwrap();
        let event = |event: &str| {
            let (name, data) = event.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
            let data: serde_json::Value = serde_json::from_str(data).unwrap();
            assert_eq!(data["type"], name);
            data
        };
        let events: Vec<_> = text.strip_suffix("\n\n").unwrap().split("\n\n").map(event).collect();
        for (number, event) in events.iter().enumerate() {
            assert_eq!(event["sequence_number"], number);
        }
        events
    }

    fn kinds(events: &[serde_json::Value]) -> Vec<String> {
        let short = |event: &serde_json::Value| {
            let place = event.get("output_index").map(|place| format!("{place} ")).unwrap_or_default();
            place + event["type"].as_str().unwrap().trim_start_matches("response.")
        };
        events.iter().map(short).collect()
    }

    fn call(index: u32) -> Delta<'static> {
        Delta::Call { index, id: Quoted::default(), name: Quoted::of("f") }
    }

    fn piece(index: u32, piece: &'static str) -> Delta<'static> {
        Delta::Arguments { index, piece: Quoted::of(piece).into_owned() }
    }

    fn finish(reason: Finish) -> Delta<'static> {
        Delta::Finish { reason, stop_sequence: None }
    }

    #[test]
    fn items_are_done_one_after_the_other() {
        let events = events(&[
            Delta::Start { id: None, model: None },
            Delta::Text(Quoted::of("a")),
            Delta::Text(Quoted::of("")),
            Delta::Text(Quoted::of("b")),
            call(0),
            piece(0, "{\"x\":"),
            piece(0, "1}"),
            call(1),
            Delta::Usage(Usage::from_totals(3, 0, 0, 2, 0)),
            finish(Finish::Calls),
            Delta::End,
        ]);
        assert_eq!(
            kinds(&events),
            [
                "created",
                "in_progress",
                "0 output_item.added",
                "0 content_part.added",
                "0 output_text.delta",
                "0 output_text.delta",
                "0 output_text.done",
                "0 content_part.done",
                "0 output_item.done",
                "1 output_item.added",
                "1 function_call_arguments.delta",
                "1 function_call_arguments.delta",
                "1 function_call_arguments.done",
                "1 output_item.done",
                "2 output_item.added",
                "2 function_call_arguments.delta",
                "2 function_call_arguments.done",
                "2 output_item.done",
                "completed",
            ]
        );
        let last = &events.last().unwrap()["response"];
        assert_eq!(last["output"][0]["content"][0]["text"], "ab");
        assert_eq!(
            (&last["output"][1]["arguments"], &last["output"][2]["arguments"]),
            (&"{\"x\":1}".into(), &"{}".into())
        );
        assert_eq!((&last["output"][2]["call_id"], &last["usage"]["total_tokens"]), (&"call_1_2".into(), &5.into()));
        assert_eq!(last["output"][0]["id"], events[4]["item_id"]);
    }

    #[test]
    fn calls_that_alternate_stay_open_side_by_side() {
        let events = events(&[
            call(0),
            call(1),
            piece(0, "{\"a\":1"),
            piece(1, "{}"),
            piece(0, "}"),
            finish(Finish::Calls),
            Delta::End,
        ]);
        let last = &events.last().unwrap()["response"]["output"];
        assert_eq!((&last[0]["arguments"], &last[1]["arguments"]), (&"{\"a\":1}".into(), &"{}".into()));
    }

    #[test]
    fn what_came_of_an_answer_is_in_its_last_event() {
        let end = |reason| {
            let events = events(&[Delta::Text(Quoted::of("a")), finish(reason), Delta::End]);
            let last = events.last().unwrap().clone();
            (last["type"].as_str().unwrap().to_owned(), last["response"]["output"][0]["status"].clone())
        };
        assert_eq!(end(Finish::Stop), ("response.completed".into(), "completed".into()));
        assert_eq!(end(Finish::Length), ("response.incomplete".into(), "incomplete".into()));
        assert_eq!(end(Finish::Filtered), ("response.incomplete".into(), "incomplete".into()));
        assert_eq!(end(Finish::Error), ("response.failed".into(), "incomplete".into()));
        let declined = events(&[Delta::Refusal(Quoted::of("no")), finish(Finish::Refused), Delta::End]);
        assert_eq!(declined.last().unwrap()["response"]["output"][0]["content"][0]["refusal"], "no");
        assert_eq!(kinds(&events(&[Delta::End])).last().unwrap(), "error");
        let empty = events(&[finish(Finish::Stop), Delta::End]);
        assert_eq!(empty.last().unwrap()["response"]["output"][0]["content"][0]["text"], "");
    }

    #[test]
    fn an_answer_is_kept_to_the_limit_and_not_one_byte_longer() {
        let room = MAX_KEPT - ITEM_BYTES - 1;
        for (bytes, last) in [(room, "completed"), (room + 1, "error")] {
            let text = "x".repeat(bytes);
            let events = events(&[
                Delta::Text(Quoted::of("y")),
                Delta::Text(Quoted::of(&text)),
                finish(Finish::Stop),
                Delta::End,
                Delta::End,
            ]);
            assert_eq!(kinds(&events).last().unwrap(), last);
        }
    }
}
