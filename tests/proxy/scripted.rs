//! An upstream that says exactly what it is told, in pieces of exactly the size it is told.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// One answer with status 200.
#[derive(Clone)]
pub struct Script {
    pub content_type: &'static str,
    pub body: Vec<u8>,
    /// Bytes of each chunk.
    pub piece: usize,
    pub end: End,
}

/// What follows the last piece.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The body ends as it should.
    Clean,
    /// The connection is closed in the middle of the body.
    Cut,
    /// Nothing, for ever.
    Hang,
}

impl Script {
    pub fn stream(events: &[String]) -> Self {
        Self { content_type: "text/event-stream", body: events.concat().into(), piece: usize::MAX, end: End::Clean }
    }

    pub fn pieces(self, piece: usize) -> Self {
        Self { piece, ..self }
    }

    pub fn end(self, end: End) -> Self {
        Self { end, ..self }
    }
}

/// The data of one event.
pub fn event(data: &str) -> String {
    format!("data: {data}\n\n")
}

/// An event of one choice.
pub fn delta(model: &str, delta: &str, finish: &str) -> String {
    event(&format!(
        r#"{{"id":"c-{model}","object":"chat.completion.chunk","created":1,"model":"{model}","choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]}}"#
    ))
}

/// A whole stream that says these words.
pub fn says(model: &str, words: &[&str]) -> Vec<String> {
    let content = |word: &&str| delta(model, &serde_json::json!({"content": word}).to_string(), "null");
    let mut events = vec![delta(model, r#"{"role":"assistant","content":""}"#, "null")];
    events.extend(words.iter().map(content));
    events.push(delta(model, "{}", "\"stop\""));
    events.push(event("[DONE]"));
    events
}

/// Listens, and gives every request the next script; the last one is given again and again.
pub async fn upstream(scripts: Vec<Script>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let left = Arc::new(Mutex::new(scripts));
    tokio::spawn(async move {
        while let Ok((wire, _)) = listener.accept().await {
            tokio::spawn(talk(wire, Arc::clone(&left)));
        }
    });
    address
}

async fn talk(mut wire: TcpStream, left: Arc<Mutex<Vec<Script>>>) -> Option<()> {
    wire.set_nodelay(true).ok()?;
    while take_request(&mut wire).await.is_some() {
        let script = {
            let mut left = left.lock().unwrap();
            if left.len() > 1 { left.remove(0) } else { left.first()?.clone() }
        };
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: {}\r\ntransfer-encoding: chunked\r\n\r\n", script.content_type);
        wire.write_all(head.as_bytes()).await.ok()?;
        for piece in script.body.chunks(script.piece) {
            let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
            wire.write_all(&chunk).await.ok()?;
            wire.flush().await.ok()?;
        }
        match script.end {
            End::Clean => wire.write_all(b"0\r\n\r\n").await.ok()?,
            End::Cut => return None,
            End::Hang => std::future::pending().await,
        }
    }
    Some(())
}

/// Reads one request to its last byte.
async fn take_request(wire: &mut TcpStream) -> Option<()> {
    let mut read = Vec::new();
    let end = loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if wire.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok())?;
    while read.len() < end + length {
        if wire.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    }
    Some(())
}
