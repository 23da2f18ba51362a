//! A simulator of its own for each test, and a client that sees what the wire does: how a connection ends, and how much came.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};
use wayside::simulate::seen::Report;
use wayside::simulate::{Handle, Options, start};

/// Longer than anything healthy takes, short enough for a test of silence.
pub const PATIENCE: Duration = Duration::from_millis(300);

pub struct Sim {
    pub runtime: tokio::runtime::Runtime,
    pub handle: Handle,
}

pub fn simulator() -> Sim {
    simulator_with(Options::default())
}

pub fn simulator_with(options: Options) -> Sim {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let handle = runtime.block_on(start(options)).unwrap();
    Sim { runtime, handle }
}

/// How the connection ended.
#[derive(Debug, PartialEq)]
pub enum Ended {
    /// FIN.
    Closed,
    /// RST.
    Reset,
    /// Nothing for the length of the patience.
    Silent,
}

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    /// Without chunk framing.
    pub body: String,
    /// Whether all of the body came: to its announced length, or to the last chunk.
    pub whole: bool,
    pub ended: Ended,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(each, _)| each.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub fn events(&self) -> Vec<&str> {
        self.body.split("\n\n").filter(|event| !event.is_empty()).collect()
    }

    pub fn data(&self) -> Vec<&str> {
        self.events().into_iter().filter_map(|event| event.split_once("data: ")).map(|(_, data)| data).collect()
    }

    /// What a JSON pointer finds in each event, joined.
    pub fn joined(&self, pointer: &str) -> String {
        let events = self.data().into_iter().filter_map(|data| serde_json::from_str::<Value>(data).ok());
        events.filter_map(|event| event.pointer(pointer)?.as_str().map(str::to_owned)).collect()
    }
}

pub fn ask(addr: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let mut stream = TcpStream::connect(addr).unwrap();
    let length = body.len();
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    read(stream)
}

pub fn read(mut stream: TcpStream) -> Reply {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut raw, mut buffer) = (Vec::new(), vec![0; 65536]);
    let ended = loop {
        match stream.read(&mut buffer) {
            Ok(0) => break Ended::Closed,
            Ok(read) => raw.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break Ended::Reset,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break Ended::Silent,
            Err(error) => panic!("{error}"),
        }
    };
    let text = String::from_utf8(raw).unwrap();
    let Some((head, rest)) = text.split_once("\r\n\r\n").filter(|(head, _)| head.starts_with("HTTP/1.1 ")) else {
        return Reply { status: 0, head: String::new(), body: text, whole: false, ended };
    };
    let mut reply =
        Reply { status: head[9..12].parse().unwrap(), head: head.to_owned(), body: String::new(), whole: false, ended };
    (reply.body, reply.whole) = match reply.header("content-length") {
        Some(length) => (rest.to_owned(), length == rest.len().to_string()),
        None => dechunk(rest),
    };
    reply
}

pub fn dechunk(mut rest: &str) -> (String, bool) {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return (body, true);
        }
        body.push_str(&after[..size.min(after.len())]);
        rest = after.get(size + 2..).unwrap_or("");
    }
    (body, false)
}

pub fn chat(sim: &Sim, body: &Value) -> Reply {
    ask(sim.handle.addr, "POST", "/openai/v1/chat/completions", &[], body.to_string().as_bytes())
}

pub fn hello(fault: &str, stream: bool) -> Value {
    let model = if fault.is_empty() { "gpt-x".to_owned() } else { format!("gpt-x!{fault}") };
    json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": "Hello there, how are you?"}]})
}

pub fn messages_at(sim: &Sim, path: &str, version: &str, body: &Value) -> Reply {
    let headers = [("anthropic-version", version), ("x-api-key", "k")];
    ask(sim.handle.addr, "POST", path, &headers, body.to_string().as_bytes())
}

pub fn message(sim: &Sim, body: &Value) -> Reply {
    messages_at(sim, "/anthropic/v1/messages", "2023-06-01", body)
}

pub fn hello_claude(fault: &str, stream: bool) -> Value {
    let mut body = hello(fault, stream);
    body["max_tokens"] = json!(1000);
    body
}

pub fn seen(sim: &Sim) -> Report {
    sim.runtime.block_on(sim.handle.settled(Duration::from_secs(2)))
}

pub const CONTENT: &str = "/choices/0/delta/content";
