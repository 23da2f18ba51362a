//! How a body goes out, step by step: events, waits, and the ways to break off.
//!
//! In: the events (or the whole body) of a healthy answer, and the fault. Out: an iterator of steps. Time and sockets are
//! only named here, never touched, so every fault can be tested without either. Must not know: dialects, HTTP.

use std::collections::VecDeque;
use std::time::Duration;

use hyper::body::Bytes;

use super::fault::{Fault, Shape, Trouble};
use super::text::floor_boundary;

/// One thing the body does next. After the last step the HTTP body ends cleanly.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Bytes, which are so many events.
    Send(Bytes, u64),
    /// Nothing for a while.
    Wait(Duration),
    /// Nothing ever again; the connection stays open.
    Hang,
    /// RST.
    Reset,
    /// FIN in the middle of the body.
    Close,
}

/// Steps of one body.
pub type Steps = Box<dyn Iterator<Item = Step> + Send + Sync>;

/// Healthy events of one stream.
pub type Events = Box<dyn Iterator<Item = Event> + Send + Sync>;

/// One server-sent event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// For the `event:` line.
    pub name: Option<&'static str>,
    /// For the `data:` line.
    pub data: String,
    /// What it means for faults.
    pub role: Role,
}

/// What an event means for faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Carries what the model says; waits and counts of content apply.
    Content,
    /// Says that the stream is whole.
    Terminal,
    /// Everything else.
    Frame,
}

impl Event {
    /// On the wire, as a server-sent event.
    pub fn sse(&self) -> Bytes {
        let mut text = String::with_capacity(self.data.len() + 48);
        if let Some(name) = self.name {
            text.push_str("event: ");
            text.push_str(name);
            text.push('\n');
        }
        text.push_str("data: ");
        text.push_str(&self.data);
        text.push_str("\n\n");
        Bytes::from(text)
    }

    /// The first half of the data: no JSON any more.
    fn broken(mut self) -> Self {
        self.data = half(&self.data).to_owned();
        self
    }
}

/// The first half of a text, at least one character short of all of it.
fn half(text: &str) -> &str {
    text.get(..floor_boundary(text, text.len() / 2)).unwrap_or("")
}

/// How an event is written.
pub type Frame = fn(&Event) -> Bytes;

/// The steps of a stream. `error` is the dialect's in-band error event, for the fault that wants one.
pub fn stream(events: Events, fault: &Fault, error: Event, frame: Frame) -> Steps {
    let Fault { trouble, shape, .. } = fault.clone();
    match trouble {
        Some(Trouble::EmptyBody) => Box::new(std::iter::empty()),
        _ => Box::new(Stream {
            events,
            trouble,
            shape,
            error,
            frame,
            sent: 0,
            spoken: false,
            queue: VecDeque::new(),
            over: false,
        }),
    }
}

struct Stream {
    events: Events,
    trouble: Option<Trouble>,
    shape: Shape,
    error: Event,
    frame: Frame,
    /// Events so far.
    sent: u64,
    /// Whether content was sent.
    spoken: bool,
    queue: VecDeque<Step>,
    over: bool,
}

impl Stream {
    /// Steps of the trouble if it is due before the next event.
    fn trouble_due(&mut self) {
        let sent = self.sent;
        let due = |after: &u64| *after == sent;
        match &self.trouble {
            Some(Trouble::Stall(after)) if due(after) => self.end_with(Some(Step::Hang)),
            Some(Trouble::Cut(after)) if due(after) => self.end_with(Some(Step::Reset)),
            Some(Trouble::Close(after)) if due(after) => self.end_with(Some(Step::Close)),
            Some(Trouble::End(after)) if due(after) => self.end_with(None),
            Some(Trouble::ErrorEvent { after, .. }) if due(after) => self.end_with(Some(self.step(&self.error))),
            _ => {}
        }
    }

    fn step(&self, event: &Event) -> Step {
        Step::Send((self.frame)(event), 1)
    }

    fn end_with(&mut self, step: Option<Step>) {
        self.over = true;
        self.queue.extend(step);
    }

    fn event(&mut self) -> Option<()> {
        let mut event = self.events.next()?;
        if event.role == Role::Terminal && self.trouble == Some(Trouble::NoDone) {
            event = self.events.next()?;
        }
        if event.role == Role::Content {
            let wait = if self.spoken { self.shape.delay } else { self.shape.slow_first_token };
            self.queue.extend(wait.map(Step::Wait));
            self.spoken = true;
            if self.trouble == Some(Trouble::Truncated) {
                let bytes = (self.frame)(&event);
                self.end_with(Some(Step::Send(bytes.slice(..bytes.len() / 2), 0)));
                return Some(());
            }
        }
        if let Some(Trouble::Malformed { after, repeat }) = self.trouble
            && after == self.sent
        {
            // A broken copy of what follows, so that the stream without it is whole.
            let broken = self.step(&event.clone().broken());
            self.queue.extend((0..repeat).map(|_| broken.clone()));
        }
        self.sent += 1;
        let step = self.step(&event);
        self.queue.push_back(step);
        Some(())
    }
}

impl Iterator for Stream {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        if self.queue.is_empty() && !self.over {
            self.trouble_due();
        }
        if self.queue.is_empty() && !self.over {
            self.event()?;
        }
        self.queue.pop_front()
    }
}

/// The steps of a body that is one piece, and the length its head announces.
pub fn whole(body: String, trouble: Option<&Trouble>) -> (u64, Steps) {
    let length = body.len() as u64;
    let front = half(&body).len();
    let bytes = Bytes::from(body);
    let first = Step::Send(bytes.slice(..front), 0);
    let broken_off = |last: Step| -> (u64, Steps) { (length, Box::new([first.clone(), last].into_iter())) };
    match trouble {
        Some(Trouble::EmptyBody) => (0, Box::new(std::iter::empty())),
        Some(Trouble::Truncated | Trouble::Malformed { .. } | Trouble::End(_)) => {
            (front as u64, Box::new(std::iter::once(first)))
        }
        Some(Trouble::Stall(_)) => broken_off(Step::Hang),
        Some(Trouble::Cut(_)) => broken_off(Step::Reset),
        Some(Trouble::Close(_)) => broken_off(Step::Close),
        _ => (length, Box::new(std::iter::once(Step::Send(bytes, 0)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(data: &str, role: Role) -> Event {
        Event { name: None, data: data.to_owned(), role }
    }

    /// A stream of one frame, three content events and a terminal one, as text.
    fn played(fault: &str) -> Vec<String> {
        let events = [
            event("{role}", Role::Frame),
            event("{one}", Role::Content),
            event("{two}", Role::Content),
            event("{three}", Role::Content),
            event("[DONE]", Role::Terminal),
        ];
        let steps = stream(
            Box::new(events.into_iter()),
            &Fault::parse(fault).unwrap(),
            event("{error}", Role::Frame),
            Event::sse,
        );
        let shown = |step| match step {
            Step::Send(bytes, _) => String::from_utf8_lossy(&bytes).trim().replace("data: ", ""),
            other => format!("{other:?}"),
        };
        steps.map(shown).collect()
    }

    #[test]
    fn a_stream_is_played_as_the_fault_says() {
        assert_eq!(played(""), ["{role}", "{one}", "{two}", "{three}", "[DONE]"]);
        assert_eq!(played("stall=2"), ["{role}", "{one}", "Hang"]);
        assert_eq!(played("cut=0"), ["Reset"]);
        assert_eq!(played("close=1"), ["{role}", "Close"]);
        assert_eq!(played("end=2"), ["{role}", "{one}"]);
        assert_eq!(played("no-done"), ["{role}", "{one}", "{two}", "{three}"]);
        assert_eq!(played("error-event=1"), ["{role}", "{error}"]);
        assert_eq!(played("malformed=1;repeat=2"), ["{role}", "{o", "{o", "{one}", "{two}", "{three}", "[DONE]"]);
        assert_eq!(played("truncated"), ["{role}", "data:"]);
        assert!(played("empty-body").is_empty());
        assert_eq!(played("cut=99"), played(""));
        assert_eq!(played("cut=5").last().unwrap(), "Reset");
    }

    #[test]
    fn waits_stand_before_content_only() {
        assert_eq!(
            played("slow-first-token=1s;delay=2ms"),
            ["{role}", "Wait(1s)", "{one}", "Wait(2ms)", "{two}", "Wait(2ms)", "{three}", "[DONE]"]
        );
    }

    #[test]
    fn whole_bodies_break_in_the_middle() {
        let steps = |fault: &str| {
            let (length, steps) = whole("{\"a\":1}".into(), Fault::parse(fault).unwrap().trouble.as_ref());
            (length, steps.collect::<Vec<_>>())
        };
        assert_eq!(steps("").0, 7);
        assert_eq!(steps("cut=1"), (7, vec![Step::Send("{\"a".into(), 0), Step::Reset]));
        assert_eq!(steps("truncated"), (3, vec![Step::Send("{\"a".into(), 0)]));
        assert_eq!(steps("empty-body"), (0, vec![]));
    }
}
