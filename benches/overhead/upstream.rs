//! A provider that costs as little as possible: fixed answers, no parsing beyond the head.
//!
//! Paths that begin with `/down` answer 503 and ask for no pause, so that the next request is sent there again; a body with `"stream":true` is answered with 101 events.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Bytes of one event, about what providers send for a token.
const EVENT_BYTES: usize = 177;

pub fn run() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            tokio::spawn(serve(stream));
        }
    });
}

async fn serve(mut stream: TcpStream) {
    let whole = whole_answer();
    let events = events();
    let down = r#"{"error":{"message":"unavailable","type":"server_error","param":null,"code":null}}"#;
    let down = answer("503 Service Unavailable\r\nretry-after: 0", down);
    let mut seen: Vec<u8> = Vec::with_capacity(1 << 20);
    loop {
        let end = loop {
            if let Some(end) = complete(&seen) {
                break end;
            }
            match stream.read_buf(&mut seen).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        };
        let streamed = seen[..end.min(4096)].windows(13).any(|window| window == b"\"stream\":true");
        let sent = if seen.starts_with(b"POST /down") {
            stream.write_all(down.as_bytes()).await
        } else if streamed {
            send_events(&mut stream, &events).await
        } else {
            stream.write_all(whole.as_bytes()).await
        };
        if sent.is_err() {
            return;
        }
        seen.drain(..end);
    }
}

/// One write for each event, as a provider would.
async fn send_events(stream: &mut TcpStream, events: &[String]) -> std::io::Result<()> {
    stream
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        .await?;
    for event in events {
        stream.write_all(event.as_bytes()).await?;
    }
    stream.write_all(b"0\r\n\r\n").await
}

/// The length of the first complete request.
fn complete(seen: &[u8]) -> Option<usize> {
    let head = seen.windows(4).take(8192).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&seen[..head]).ok()?.to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok())?;
    (seen.len() >= head + length).then_some(head + length)
}

fn whole_answer() -> String {
    let content = "word ".repeat(140);
    let body = format!(
        r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-5.4-2026-03-05","choices":[{{"index":0,"message":{{"role":"assistant","content":"{content}","refusal":null}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":500,"completion_tokens":140,"total_tokens":640}}}}"#
    );
    answer("200 OK", &body)
}

fn answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
}

fn events() -> Vec<String> {
    let chunk = |delta: &str, finish: &str| {
        let data = format!(
            r#"{{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-5.4-2026-03-05","choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]}}"#
        );
        let event = format!("data: {data}\n\n");
        assert!(event.len() <= EVENT_BYTES, "{}", event.len());
        event
    };
    let mut events = vec![chunk(r#"{"role":"assistant"}"#, "null")];
    events.extend((0..98).map(|_| chunk(r#"{"content":"word "}"#, "null")));
    events.push(chunk("{}", "\"stop\""));
    events.push("data: [DONE]\n\n".to_owned());
    events.iter().map(|event| format!("{:x}\r\n{event}\r\n", event.len())).collect()
}
