//! A caller: one HTTP request at a time, whole or as a stream.
//!
//! In: an address and a request. Out: an [`Answer`] with its times. Must not know: policies.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// Longer than any scene may take.
const PATIENCE: Duration = Duration::from_secs(40);
/// The largest answer that is read.
const MAX_ANSWER: usize = 8 << 20;

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// All of them.
    pub headers: HeaderMap,
    /// What the model (or the template, or the error) says.
    pub text: String,
    /// Events of a stream; 0 for a whole answer.
    pub events: usize,
    /// Whether it came to its proper end.
    pub complete: bool,
    /// Until the first word, for a stream.
    pub first_word: Option<Duration>,
    /// Until the end.
    pub took: Duration,
}

impl Answer {
    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Sends a Chat Completions request and reads the answer.
///
/// # Errors
/// If there is no HTTP answer at all, or none in time.
pub async fn chat(addr: SocketAddr, headers: &[(&'static str, &str)], body: String) -> io::Result<Answer> {
    match tokio::time::timeout(PATIENCE, send(addr, headers, body)).await {
        Ok(answer) => answer,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} s", PATIENCE.as_secs()))),
    }
}

async fn send(addr: SocketAddr, headers: &[(&'static str, &str)], body: String) -> io::Result<Answer> {
    let begun = Instant::now();
    let stream = TcpStream::connect(addr).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // Ends when the sender is dropped; an error shows itself in the answer.
    tokio::spawn(connection);
    let mut request = Request::post("/v1/chat/completions")
        .header("host", addr.to_string())
        .header("content-type", "application/json")
        .header("authorization", "Bearer any-key-will-do");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body))).map_err(io::Error::other)?;
    let response = sender.send_request(request).await.map_err(io::Error::other)?;
    let (head, mut incoming) = response.into_parts();
    let (mut raw, mut first_word, mut broken) = (Vec::new(), None, false);
    while let Some(frame) = incoming.frame().await {
        match frame.map(hyper::body::Frame::into_data) {
            Ok(Ok(data)) if raw.len() + data.len() <= MAX_ANSWER => {
                first_word = first_word.or_else(|| (!data.is_empty()).then(|| begun.elapsed()));
                raw.extend_from_slice(&data);
            }
            Ok(Err(_trailers)) => {}
            Ok(Ok(_)) | Err(_) => {
                broken = true;
                break;
            }
        }
    }
    let streamed =
        head.headers.get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    let body = String::from_utf8_lossy(&raw);
    let (text, events, ended) = if streamed { of_stream(&body) } else { (of_whole(&body), 0, true) };
    Ok(Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        text,
        events,
        complete: ended && !broken,
        first_word: first_word.filter(|_| streamed),
        took: begun.elapsed(),
    })
}

/// The content of a whole answer, or the message of an error.
fn of_whole(body: &str) -> String {
    let Ok(value) = serde_json::from_str::<Value>(body) else { return body.to_owned() };
    let said = value.pointer("/choices/0/message/content").or_else(|| value.pointer("/error/message"));
    said.and_then(Value::as_str).unwrap_or(body).to_owned()
}

/// The content of a stream, how many events it has, and whether its last word was said.
fn of_stream(body: &str) -> (String, usize, bool) {
    let events: Vec<_> = body.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim).collect();
    let content = |event: &&str| {
        let chunk: Value = serde_json::from_str(event).ok()?;
        chunk.pointer("/choices/0/delta/content")?.as_str().map(str::to_owned)
    };
    (events.iter().filter_map(content).collect(), events.len(), events.last() == Some(&"[DONE]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_whole_streamed_and_as_errors() {
        assert_eq!(of_whole(r#"{"choices":[{"message":{"content":"hi"}}]}"#), "hi");
        assert_eq!(of_whole(r#"{"error":{"message":"no"}}"#), "no");
        assert_eq!(of_whole("<html>"), "<html>");
        let stream = "data: {\"choices\":[{\"delta\":{\"content\":\"h\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"i\"}}]}\n\n";
        assert_eq!(of_stream(stream), ("hi".to_owned(), 2, false));
        assert_eq!(of_stream(&format!("{stream}data: [DONE]\n\n")), ("hi".to_owned(), 3, true));
    }
}
