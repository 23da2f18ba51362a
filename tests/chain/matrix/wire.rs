//! The files of `wire/`: what each dialect's providers send, from names to bytes.
//!
//! Frames are put together here by hand, so that what reads them is not its own witness.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use wayside::dialect::Dialect;

/// Upstream dialects, and their files.
pub const DIALECTS: [(Dialect, &str, &str, &str); 5] = [
    (Dialect::Chat, "chat", "Chat Completions", include_str!("../wire/chat.yaml")),
    (Dialect::Messages, "messages", "Messages", include_str!("../wire/messages.yaml")),
    (Dialect::Responses, "responses", "Responses", include_str!("../wire/responses.yaml")),
    (Dialect::Gemini, "gemini", "Gemini", include_str!("../wire/gemini.yaml")),
    (Dialect::Converse, "converse", "Converse", include_str!("../wire/converse.yaml")),
];

/// What one dialect's providers send.
pub struct Provider {
    pub dialect: Dialect,
    /// As the files name it.
    pub key: &'static str,
    /// As people do.
    pub title: &'static str,
    pub file: File,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The piece behind which a clean end of the body is a whole answer.
    pub whole_from: String,
    /// The piece behind which nothing is waited for.
    pub last: Option<String>,
    pieces: BTreeMap<String, Vec<Event>>,
    documents: BTreeMap<String, Value>,
    pub errors: BTreeMap<String, Vec<Shape>>,
}

/// One event: its name, and its data as a tree or as they stand.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Event {
    name: Option<String>,
    data: Option<Value>,
    text: Option<String>,
    /// A bit of it is wrong.
    #[serde(default)]
    damaged: bool,
}

/// An HTTP error as the provider words it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// For people.
    pub says: String,
    pub status: u16,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    body: Value,
}

impl Shape {
    pub fn body(&self) -> String {
        text(&self.body)
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// All of them.
pub fn providers() -> Vec<Provider> {
    let read = |(dialect, key, title, text): (Dialect, &'static str, &'static str, &str)| {
        let file = serde_yaml::from_str(text).unwrap_or_else(|error| panic!("wire/{key}.yaml: {error}"));
        Provider { dialect, key, title, file }
    };
    DIALECTS.map(read).into_iter().collect()
}

impl Provider {
    /// A whole answer.
    pub fn document(&self, name: &str) -> String {
        let document = self.file.documents.get(name);
        document.unwrap_or_else(|| panic!("wire/{}.yaml: no document is called {name}", self.key)).to_string()
    }

    /// What arrives at once, one after the other. `word*3` stands for three.
    pub fn pieces(&self, names: &[String]) -> Vec<Vec<u8>> {
        let many = |name: &String| {
            let (name, times) = name.split_once('*').unwrap_or((name, "1"));
            vec![self.piece(name); times.parse().unwrap()]
        };
        names.iter().flat_map(many).collect()
    }

    fn piece(&self, name: &str) -> Vec<u8> {
        let piece = self.file.pieces.get(name);
        let events = piece.unwrap_or_else(|| panic!("wire/{}.yaml: no piece is called {name}", self.key));
        events.iter().flat_map(|event| self.event(event)).collect()
    }

    fn event(&self, event: &Event) -> Vec<u8> {
        let data = event.text.clone().unwrap_or_else(|| event.data.as_ref().unwrap().to_string());
        let name = event.name.as_deref();
        let mut bytes = match (self.dialect, name) {
            (Dialect::Converse, _) => frame(name.unwrap(), &data),
            (_, Some(name)) => format!("event: {name}\ndata: {data}\n\n").into_bytes(),
            (_, None) => format!("data: {data}\n\n").into_bytes(),
        };
        if event.damaged {
            let at = bytes.len() / 2;
            bytes[at] ^= 1;
        }
        bytes
    }
}

/// A frame of Amazon's event stream: lengths, their checksum, headers, payload, a checksum of all of it; big endian.
fn frame(name: &str, payload: &str) -> Vec<u8> {
    let (kind, key) =
        if name.ends_with("Exception") { ("exception", ":exception-type") } else { ("event", ":event-type") };
    let mut headers = Vec::new();
    for (name, value) in [(key, name), (":content-type", "application/json"), (":message-type", kind)] {
        headers.push(u8::try_from(name.len()).unwrap());
        headers.extend(name.as_bytes());
        headers.push(7);
        headers.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        headers.extend(value.as_bytes());
    }
    let length = |bytes: usize| u32::try_from(bytes).unwrap().to_be_bytes();
    let mut frame = [length(12 + headers.len() + payload.len() + 4), length(headers.len())].concat();
    frame.extend(crc32(&frame).to_be_bytes());
    frame.extend(headers);
    frame.extend(payload.as_bytes());
    frame.extend(crc32(&frame).to_be_bytes());
    frame
}

fn crc32(bytes: &[u8]) -> u32 {
    let bit = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc: u32, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| bit(crc)))
}
