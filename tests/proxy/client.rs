//! A client that hides nothing: what was sent, what came back, and whether it ended as HTTP says it should.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

pub const PATIENCE: Duration = Duration::from_secs(20);

pub trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// A connection with what was read of the next answer.
pub struct Connection {
    pub wire: Box<dyn Wire>,
    buffer: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
    /// The body came to the end that its head promised.
    pub clean: bool,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.text()))
    }

    /// `error.code`
    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The data of every event.
    pub fn events(&self) -> Vec<String> {
        self.text().split("\n\n").filter_map(|event| event.trim().strip_prefix("data: ").map(str::to_owned)).collect()
    }

    /// The content of every chunk, joined.
    pub fn streamed(&self) -> String {
        let chunks = self.events().into_iter().filter_map(|data| serde_json::from_str::<serde_json::Value>(&data).ok());
        chunks.filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned)).collect()
    }
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap())
    }

    pub fn over(wire: impl Wire + 'static) -> Self {
        Self { wire: Box::new(wire), buffer: Vec::new() }
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.wire.write_all(bytes).await.unwrap();
    }

    pub async fn post(&mut self, body: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(&request("POST", "/v1/chat/completions", body, headers)).await;
        self.answer().await
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(&request("GET", path, "", &[])).await;
        self.answer().await
    }

    /// Reads more; 0 at the end of the connection.
    async fn more(&mut self) -> usize {
        let read = tokio::time::timeout(PATIENCE, self.wire.read_buf(&mut self.buffer)).await;
        read.expect("the proxy answers in time").unwrap_or(0)
    }

    /// Reads until `wanted` is among what has arrived.
    pub async fn until(&mut self, wanted: &str) {
        while !String::from_utf8_lossy(&self.buffer).contains(wanted) {
            assert_ne!(self.more().await, 0, "{wanted} never came: {}", String::from_utf8_lossy(&self.buffer));
        }
    }

    /// The next answer, interim ones left out.
    pub async fn answer(&mut self) -> Answer {
        loop {
            let answer = self.any_answer().await;
            if answer.status >= 200 {
                return answer;
            }
        }
    }

    async fn any_answer(&mut self) -> Answer {
        let end = loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            assert_ne!(self.more().await, 0, "no head: {}", String::from_utf8_lossy(&self.buffer));
        };
        let head = String::from_utf8(self.buffer.drain(..end).collect()).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: HashMap<String, String> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut answer = Answer { status, headers, body: Vec::new(), clean: true };
        if status < 200 {
            return answer;
        }
        if let Ok(length) = answer.header("content-length").parse::<usize>() {
            while self.buffer.len() < length && self.more().await > 0 {}
            answer.clean = self.buffer.len() >= length;
            let rest = self.buffer.split_off(length.min(self.buffer.len()));
            answer.body = std::mem::replace(&mut self.buffer, rest);
        } else if answer.header("transfer-encoding") == "chunked" {
            answer.clean = self.chunks(&mut answer.body).await;
        } else {
            while self.more().await > 0 {}
            answer.body = std::mem::take(&mut self.buffer);
        }
        answer
    }

    async fn chunks(&mut self, body: &mut Vec<u8>) -> bool {
        loop {
            let line = loop {
                if let Some(end) = self.buffer.windows(2).position(|window| window == b"\r\n") {
                    break end;
                }
                if self.more().await == 0 {
                    return false;
                }
            };
            let size = usize::from_str_radix(std::str::from_utf8(&self.buffer[..line]).unwrap(), 16).unwrap();
            while self.buffer.len() < line + 2 + size + 2 {
                if self.more().await == 0 {
                    body.extend_from_slice(&self.buffer[(line + 2).min(self.buffer.len())..]);
                    return false;
                }
            }
            body.extend_from_slice(&self.buffer[line + 2..line + 2 + size]);
            self.buffer.drain(..line + 2 + size + 2);
            if size == 0 {
                return true;
            }
        }
    }

    /// Whether the proxy has closed the connection, after everything it still sent.
    pub async fn is_closed(&mut self) -> bool {
        loop {
            match tokio::time::timeout(Duration::from_secs(5), self.wire.read_buf(&mut self.buffer)).await {
                Err(_) => return false,
                Ok(Ok(0) | Err(_)) => return true,
                Ok(Ok(_)) => {}
            }
        }
    }
}

/// A request on the wire.
pub fn request(method: &str, path: &str, body: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: proxy\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.push_str(body);
    text.into_bytes()
}

/// One request on a connection of its own.
pub async fn post(address: SocketAddr, body: &str, headers: &[(&str, &str)]) -> Answer {
    Connection::open(address).await.post(body, headers).await
}

/// A chat request.
pub fn chat(model: &str, text: &str) -> String {
    serde_json::json!({"model": model, "messages": [{"role": "user", "content": text}]}).to_string()
}

/// A chat request for a stream.
pub fn chat_stream(model: &str, text: &str) -> String {
    let message = serde_json::json!([{"role": "user", "content": text}]);
    serde_json::json!({"model": model, "stream": true, "messages": message}).to_string()
}
