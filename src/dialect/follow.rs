//! A stream as it is followed: what each event means, and what the caller gets of it.
//!
//! In: one event after the other, in the upstream's dialect. Out: a [`Verdict`] for each, with the bytes that go to a caller who
//! may speak another one; what the stream said in total. Must not know: sockets, pins, when a stream is released.

use bytes::Bytes;

use super::Dialect;
use super::canonical::{Delta, Finish, Judge, Reply};
use super::chat::answer::estimated_tokens;
use super::chat::output::Output;
use super::chat::stream::{MALFORMED_IN_A_ROW, StreamJudge, Verdict};
use super::room::Room;
use super::sse::{Event, MAX_EVENT};
use super::translate::{StreamReader, StreamWriter};
use super::upstream_error::UpstreamError;
use crate::failure::Failure;
use crate::usage::Usage;

/// Follows one stream.
pub struct Follow {
    side: Side,
    /// What it says, where that must be known.
    output: Option<Output>,
    /// Callers of the same dialect wait for the reason for the end, too.
    waits: bool,
    /// The reason for the end and what follows it, for the caller: a stream that breaks before its terminal event must not look whole.
    ending: Vec<u8>,
}

/// Most bytes of what follows the reason for the end, that reason included.
pub const MAX_ENDING: usize = MAX_EVENT;

/// Some servers write it in their own way, or with spaces.
const DONE: &[u8] = b"data: [DONE]\n\n";

enum Side {
    /// Chat Completions on both sides: judged without being taken apart.
    Chat(Box<StreamJudge>),
    Other(Box<Other>),
}

struct Other {
    reader: StreamReader,
    judge: Judge,
    /// `None` where both sides speak the same.
    translation: Option<Translation>,
    malformed_in_a_row: u32,
}

/// What a caller of another dialect gets.
struct Translation {
    writer: StreamWriter,
    /// Of one event; used again for the next.
    written: Vec<u8>,
    /// What leaves.
    room: Room,
}

/// One event, understood.
pub struct Heard {
    /// What it means.
    pub verdict: Verdict,
    /// What the caller gets of it; nothing where it is part of [`Follow::closing`].
    pub bytes: Bytes,
}

impl Follow {
    /// A stream in `upstream`'s dialect for a caller who asked for `choices` answers in `reply`'s.
    pub fn new(upstream: Dialect, caller: Dialect, choices: u64, reply: &Reply<'_>) -> Self {
        let side = if upstream == Dialect::Chat && caller == Dialect::Chat {
            Side::Chat(Box::new(StreamJudge::new(choices)))
        } else {
            let translation = (upstream != caller).then(|| Translation {
                writer: StreamWriter::new(caller, reply),
                written: Vec::new(),
                room: Room::default(),
            });
            let reader = StreamReader::new(upstream);
            Side::Other(Box::new(Other { reader, judge: Judge::default(), translation, malformed_in_a_row: 0 }))
        };
        Self { side, output: None, waits: false, ending: Vec::new() }
    }

    /// From here on, what it says is put together.
    pub fn put_together(&mut self) {
        self.output.get_or_insert_default();
    }

    /// What was said so far, where it is put together.
    pub const fn output(&self) -> Option<&Output> {
        self.output.as_ref()
    }

    /// It need not be known any more.
    pub fn take_output(&mut self) -> Option<Output> {
        self.output.take()
    }

    /// Takes an event.
    pub fn event(&mut self, event: Event) -> Heard {
        let Some(data) = event.data() else { return Heard { verdict: Verdict::Malformed, bytes: Bytes::new() } };
        match &mut self.side {
            Side::Chat(judge) => {
                let verdict = judge.event(data);
                if let (Some(output), Verdict::Content | Verdict::Quiet | Verdict::Finish | Verdict::Declined(_)) =
                    (&mut self.output, &verdict)
                {
                    output.event(data);
                }
                if self.waits && judge.complete() && !judge.done() {
                    return put_off(&mut self.ending, verdict, &event.raw);
                }
                Heard { verdict, bytes: event.raw }
            }
            Side::Other(other) => {
                let over = other.judge.ended();
                let verdict = other.event(event.name(), data, self.output.as_mut());
                if !over && (other.judge.complete() || other.judge.ended()) {
                    let bytes = other.translation.as_ref().map_or(&event.raw[..], |translation| &translation.written);
                    return put_off(&mut self.ending, verdict, bytes);
                }
                Heard { verdict, bytes: other.translation.as_mut().map_or(event.raw, Translation::leave) }
            }
        }
    }

    /// From here on the reason for the end waits for the end. Before, each event is what came, and can be held against what
    /// another hop said.
    pub const fn put_off_the_end(&mut self) {
        self.waits = true;
    }

    /// What ends the stream for the caller, given that it is complete; to be asked once. A terminal event that the provider left out is
    /// supplied; between Gemini and Gemini there is none.
    pub fn closing(&mut self) -> Bytes {
        match &mut self.side {
            Side::Chat(_) if self.ending.is_empty() => return Bytes::from_static(DONE),
            Side::Chat(_) => self.ending.extend_from_slice(DONE),
            Side::Other(other) => {
                if let (false, Some(translation)) = (other.judge.ended(), &mut other.translation) {
                    translation.writer.write(&Delta::End, &mut self.ending);
                }
            }
        }
        std::mem::take(&mut self.ending).into()
    }

    /// Whether the answer is whole, given that the body ended cleanly.
    pub fn complete(&self) -> bool {
        match &self.side {
            Side::Chat(judge) => judge.complete(),
            Side::Other(other) => other.complete(),
        }
    }

    /// The terminal event was seen, and nothing of the answer can follow.
    pub fn ended(&self) -> bool {
        match &self.side {
            Side::Chat(judge) => judge.done(),
            Side::Other(other) => other.judge.ended(),
        }
    }

    /// Whether the same answer may be given twice.
    pub fn repeatable(&self) -> bool {
        match &self.side {
            Side::Chat(judge) => judge.repeatable(),
            Side::Other(other) => other.complete() && other.judge.repeatable(),
        }
    }

    /// The model that answers, as it names itself.
    pub fn model(&self) -> Option<&str> {
        match &self.side {
            Side::Chat(judge) => judge.model(),
            Side::Other(other) => other.judge.model(),
        }
    }

    /// What the provider counted.
    pub fn usage(&self) -> Option<Usage> {
        match &self.side {
            Side::Chat(judge) => judge.usage(),
            Side::Other(other) => other.judge.usage(),
        }
    }

    /// Tokens of content so far, by length.
    pub fn content_tokens(&self) -> u64 {
        match &self.side {
            Side::Chat(judge) => judge.content_tokens(),
            Side::Other(other) => estimated_tokens(other.judge.content_bytes()),
        }
    }
}

impl Other {
    /// Messages end with their terminal event (language specification, section 5.3); where a Responses stream has none, there is no
    /// reason for the end, either. Elsewhere the reason is enough.
    fn complete(&self) -> bool {
        let ended = !matches!(self.reader, StreamReader::Messages(_)) || self.judge.ended();
        ended && self.judge.complete()
    }

    fn event(&mut self, name: Option<&[u8]>, data: &[u8], mut output: Option<&mut Output>) -> Verdict {
        let (judge, mut translation) = (&mut self.judge, self.translation.as_mut());
        if let Some(translation) = &mut translation {
            translation.written.clear();
        }
        let mut verdict = Verdict::Quiet;
        let read = self.reader.event(name, data, &mut |delta| {
            judge.take(&delta);
            if let Some(output) = &mut output {
                output.delta(&delta);
            }
            if let Some(Translation { writer, written, .. }) = &mut translation {
                writer.write(&delta, written);
            }
            weigh(&mut verdict, delta);
        });
        if read.is_err() {
            self.malformed_in_a_row += 1;
            if self.malformed_in_a_row < MALFORMED_IN_A_ROW {
                return Verdict::Malformed;
            }
            let error = UpstreamError::bare(Failure::Network, "three events in a row are not JSON");
            return Verdict::Failed(Box::new(error));
        }
        self.malformed_in_a_row = 0;
        verdict
    }
}

impl Translation {
    fn leave(&mut self) -> Bytes {
        self.room.join(&[&self.written])
    }
}

/// Keeps what the caller gets with [`Follow::closing`].
fn put_off(ending: &mut Vec<u8>, verdict: Verdict, bytes: &[u8]) -> Heard {
    if ending.len() + bytes.len() > MAX_ENDING {
        let why = format!("more than {MAX_ENDING} bytes follow the end of the answer");
        let error = UpstreamError::bare(Failure::Network, &why);
        return Heard { verdict: Verdict::Failed(Box::new(error)), bytes: Bytes::new() };
    }
    ending.extend_from_slice(bytes);
    Heard { verdict, bytes: Bytes::new() }
}

/// What an event means is what the weightiest of its deltas means.
fn weigh(verdict: &mut Verdict, delta: Delta<'_>) {
    let more = match delta {
        Delta::Start { .. } | Delta::Usage(_) | Delta::Logprobs(_) => Verdict::Quiet,
        Delta::Text(text) | Delta::Thinking(text) if text.is_empty() => Verdict::Quiet,
        Delta::Text(_) | Delta::Thinking(_) | Delta::Call { .. } | Delta::Arguments { .. } => Verdict::Content,
        Delta::Refusal(_) => Verdict::Declined(Failure::Refusal),
        Delta::Finish { reason, .. } => match reason {
            Finish::Stop | Finish::Length | Finish::Calls => Verdict::Finish,
            Finish::Filtered => Verdict::Declined(Failure::ContentFilter),
            Finish::Refused => Verdict::Declined(Failure::Refusal),
            Finish::Error => Verdict::Failed(Box::new(UpstreamError::bare(Failure::ServerError, "the model failed"))),
        },
        Delta::End => Verdict::Done,
        Delta::Failed(error) => Verdict::Failed(error),
    };
    if weight(&more) > weight(verdict) {
        *verdict = more;
    }
}

const fn weight(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Quiet | Verdict::Malformed => 0,
        Verdict::Finish => 1,
        Verdict::Content => 2,
        Verdict::Done => 3,
        Verdict::Declined(_) => 4,
        Verdict::Failed(_) => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPLY: Reply<'_> = Reply { id: "1", model: "m", created: 1, include_usage: true, echo: None };

    fn gemini() -> Follow {
        let mut follow = Follow::new(Dialect::Gemini, Dialect::Gemini, 1, &REPLY);
        let said = br#"{"candidates":[{"content":{"parts":[{"text":"hi"}]}}]}"#;
        assert!(!follow.event(Event::of(b"", said)).bytes.is_empty());
        follow
    }

    #[test]
    fn the_reason_for_the_end_waits_for_the_end() {
        let mut follow = gemini();
        let finish = Event::of(b"", br#"{"candidates":[{"finishReason":"STOP"}]}"#);
        let heard = follow.event(finish.clone());
        assert!(matches!(heard.verdict, Verdict::Finish) && heard.bytes.is_empty());
        assert!(follow.complete());
        assert_eq!(follow.closing(), finish.raw);
    }

    #[test]
    fn callers_of_the_same_dialect_wait_for_it_where_they_are_to() {
        let finish = Event::of(b"", br#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#);
        for waits in [false, true] {
            let mut follow = Follow::new(Dialect::Chat, Dialect::Chat, 1, &REPLY);
            if waits {
                follow.put_off_the_end();
            }
            assert_eq!(follow.event(finish.clone()).bytes.is_empty(), waits);
            let before = if waits { &finish.raw[..] } else { b"" };
            assert_eq!(follow.closing(), [before, DONE].concat());
        }
    }

    #[test]
    fn what_follows_the_reason_is_kept_to_the_limit_and_not_one_byte_larger() {
        for (over, fits) in [(0, true), (1, false)] {
            let mut follow = gemini();
            let finish = Event::of(b"", br#"{"candidates":[{"finishReason":"STOP"}]}"#);
            let room = MAX_ENDING - finish.raw.len();
            follow.event(finish);
            let frame = Event::of(b"", br#"{"x":""}"#).raw.len();
            let more = format!(r#"{{"x":"{}"}}"#, "x".repeat(room + over - frame));
            let heard = follow.event(Event::of(b"", more.as_bytes()));
            assert_eq!(!matches!(heard.verdict, Verdict::Failed(_)), fits, "{over} over");
        }
    }
}
