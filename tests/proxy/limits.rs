//! What a sidecar holds in memory, at each limit and one byte beyond.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::client::{Connection, chat, chat_stream, post, request};
use super::rig::{POLICY, Rig, Setup};

/// The limits that `serve/attempt.rs` has.
const MAX_ANSWER: usize = 64 << 20;
const MAX_HELD: usize = 4 << 20;

/// A provider that answers every request with these bytes and hangs up.
async fn answering(bytes: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let bytes = Arc::new(bytes);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let bytes = Arc::clone(&bytes);
            tokio::spawn(async move {
                // These requests are small, and their length does not matter.
                let _ = stream.read(&mut [0; 16 << 10]).await;
                // Whoever finds it too large hangs up.
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
                let _ = stream.read(&mut [0; 1]).await;
            });
        }
    });
    address
}

/// A first hop of this address, a second that answers.
async fn beside(address: SocketAddr, policy: &str) -> Rig {
    let anthropic = format!("base_url: 'http://{address}/v1'");
    Rig::with(Setup { policy, anthropic: Some(&anthropic), ..Setup::default() }).await
}

/// A whole answer whose body has `size` bytes.
fn whole(size: usize) -> Vec<u8> {
    let front =
        r#"{"id":"c","model":"claude-sonnet-5","choices":[{"index":0,"message":{"role":"assistant","content":""#;
    let back = r#""},"finish_reason":"stop"}]}"#;
    let content = "x".repeat(size - front.len() - back.len());
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {size}\r\n\r\n");
    [&head, front, &content, back].concat().into_bytes()
}

/// A stream of `size` bytes of events, then an error in place of the rest.
fn stream(size: usize) -> Vec<u8> {
    let event = |content: &str| {
        let choice = serde_json::json!({"index": 0, "delta": {"content": content}, "finish_reason": null});
        let chunk = serde_json::json!({"id": "c", "model": "claude-sonnet-5", "choices": [choice]});
        format!("data: {chunk}\n\n")
    };
    let bare = event("").len();
    let mut bytes = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n".to_vec();
    let head = bytes.len();
    while bytes.len() - head < size {
        let left = size - (bytes.len() - head);
        let next = if left <= 64 << 10 { left } else { 32 << 10 };
        bytes.extend_from_slice(event(&"x".repeat(next - bare)).as_bytes());
    }
    assert_eq!(bytes.len() - head, size);
    bytes.extend_from_slice(b"data: {\"error\":{\"message\":\"broken\",\"type\":\"server_error\"}}\n\n");
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_taken_to_its_limit_and_not_a_byte_beyond() {
    let policy = POLICY.replace("timeout 5s", "timeout 60s").replace("deadline 20s", "deadline 180s");
    for (size, hop) in [(MAX_ANSWER, "1"), (MAX_ANSWER + 1, "2")] {
        let rig = beside(answering(whole(size)).await, &policy).await;
        let answer = post(rig.address, &chat("m", "x"), &[]).await;
        assert_eq!((answer.status, answer.header("x-wayside-hop")), (200, hop), "{size}");
        assert_eq!(answer.body.len() == size, hop == "1");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_is_held_to_its_limit_and_released_beyond() {
    let policy = POLICY
        .replace(
            "  fallback peer openai/gpt-5.4-2026-03-05\n",
            "  fallback peer openai/gpt-5.4-2026-03-05\n  hold complete\n",
        )
        .replace("timeout 5s, first_token 2s", "timeout 60s, first_token 60s")
        .replace("deadline 20s", "deadline 180s");
    assert!(policy.contains("hold complete"));
    for (size, hop) in [(MAX_HELD, "2"), (MAX_HELD + 1, "1")] {
        let rig = beside(answering(stream(size)).await, &policy).await;
        let answer = post(rig.address, &chat_stream("m", "x"), &[]).await;
        // What is still held can be rescued; what was released ends with an error.
        assert_eq!((answer.header("x-wayside-hop"), answer.clean), (hop, hop == "2"), "{size}");
    }
}

#[tokio::test]
async fn an_error_is_read_to_its_limit_and_not_a_byte_beyond() {
    const MAX_ERROR_BODY: usize = 64 << 10;
    // Where the word that tells one failure from another ends.
    for (end, failure) in [(MAX_ERROR_BODY, "quota_exhausted"), (MAX_ERROR_BODY + 1, "rate_limit")] {
        let (front, back) = (r#"{"error":{"message":""#, r#"","code":"insufficient_quota""#);
        let body = format!("{front}{}{back}}}}}", "x".repeat(end - front.len() - back.len()));
        let head = format!("HTTP/1.1 429 Too Many Requests\r\ncontent-length: {}\r\n\r\n", body.len());
        let rig = beside(answering((head + &body).into_bytes()).await, POLICY).await;
        assert_eq!(post(rig.address, &chat("m", "x"), &[]).await.header("x-wayside-hop"), "2");
        assert_eq!(rig.lines.wait(1).await[0]["attempts"][0]["failure"], failure, "{end}");
    }
}

#[tokio::test]
async fn all_bodies_together_are_taken_to_their_limit_and_not_a_byte_beyond() {
    let config = "limits: {body: 1000, bodies: 1000}";
    let faults = "- {provider: anthropic, fault: silence, first: 1}";
    let rig = Rig::with(Setup { config, faults, ..Setup::default() }).await;
    let sized = |size: usize| chat("m", &"x".repeat(size - chat("m", "").len()));
    let mut waiting = Connection::open(rig.address).await;
    waiting.send(&request("POST", "/v1/chat/completions", &sized(600), &[])).await;
    while rig.simulator.seen().total == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(post(rig.address, &sized(400), &[]).await.status, 200);
    let answer = post(rig.address, &sized(401), &[]).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "too_many_bytes_in_work"), "{}", answer.text());
    assert_eq!((answer.header("retry-after"), answer.header("x-should-retry")), ("1", "true"));
    assert_eq!(answer.header("x-wayside-reason"), "too_many_bytes_in_work");
    assert!(answer.header("x-request-id").starts_with("req_"));
    drop(waiting);
    rig.lines.wait(3).await;
    assert_eq!(post(rig.address, &sized(1000), &[]).await.status, 200);
}

/// An HTTP/2 client of its own connection.
async fn h2(address: SocketAddr) -> hyper::client::conn::http2::SendRequest<http_body_util::Full<bytes::Bytes>> {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let executor = hyper_util::rt::TokioExecutor::new();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (client, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test]
async fn a_head_over_http2_is_taken_to_its_limit_and_not_a_byte_beyond() {
    const HEAD: usize = 4096;
    let rig = Rig::with(Setup { config: "limits: {head: 4096}", ..Setup::default() }).await;
    let mut client = h2(rig.address).await;
    // Measured as HTTP/1 would write it: `name: value` and the end of the line.
    let fill = HEAD - "x-fill: \r\n".len();
    for (fill, status) in [(fill, 200), (fill + 1, 431), (1, 200)] {
        let url = format!("http://{}/v1/models", rig.address);
        let request = hyper::Request::get(url).header("x-fill", "f".repeat(fill));
        let answer = client.send_request(request.body(http_body_util::Full::default()).unwrap()).await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{fill}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_have_so_many_requests_in_work_and_not_one_more() {
    const REQUESTS: usize = 64;
    let rig = Rig::new().await;
    // A configuration that is still being written: whoever reads it waits for its end.
    let config = rig.directory.path().join("wayside.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::remove_file(&config).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&config).status().unwrap().success());
    let writing = std::fs::OpenOptions::new().read(true).write(true).open(&config).unwrap();
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(h2(rig.admin).await);
    }
    let ask = |path: &str, method: &str| {
        let url = format!("http://{}{path}", rig.admin);
        hyper::Request::builder().method(method).uri(url).body(http_body_util::Full::default()).unwrap()
    };
    // All hold their places until the file ends, so whichever comes last is the one too many: nothing else takes a place meanwhile.
    let mut reloads = tokio::task::JoinSet::new();
    for at in 0..=REQUESTS {
        reloads.spawn(clients[at % 4].send_request(ask("/reload", "POST")));
    }
    let first = tokio::time::timeout(Duration::from_secs(20), reloads.join_next()).await.expect("all are served");
    let too_many = first.unwrap().unwrap().unwrap();
    let probe = clients[0].send_request(ask("/healthz", "GET")).await.unwrap();
    for refused in [too_many, probe] {
        assert_eq!(refused.status().as_u16(), 503);
        assert_eq!(refused.headers()["x-wayside-reason"], "too_many_requests_in_work");
    }
    assert!(reloads.try_join_next().is_none(), "none of the others is one too many");
    let whole = rig.directory.path().join("whole");
    std::fs::write(&whole, text).unwrap();
    std::fs::rename(whole, &config).unwrap();
    drop(writing);
    assert_eq!(reloads.len(), REQUESTS);
    for reload in reloads.join_all().await {
        assert!([200, 422].contains(&reload.unwrap().status().as_u16()));
    }
    assert_eq!(clients[0].send_request(ask("/healthz", "GET")).await.unwrap().status().as_u16(), 200);
}

#[tokio::test]
async fn operators_have_limits_of_their_own() {
    const HEAD: usize = 16 << 10;
    const CONNECTIONS: usize = 64;
    let rig = Rig::new().await;
    let bare = request("GET", "/healthz", "", &[("x-fill", "")]).len();
    for (size, status) in [(HEAD, 200), (HEAD + 1, 431)] {
        let mut connection = Connection::open(rig.admin).await;
        connection.send(&request("GET", "/healthz", "", &[("x-fill", &"f".repeat(size - bare))])).await;
        assert_eq!(connection.answer().await.status, status, "{size}");
        drop(connection);
    }
    // Those two are let go first.
    let mut open = Vec::new();
    while open.len() < CONNECTIONS {
        let mut connection = Connection::open(rig.admin).await;
        let answer = connection.get("/healthz").await;
        if answer.status == 200 {
            open.push(connection);
        }
    }
    let mut one_more = Connection::open(rig.admin).await;
    assert_eq!(one_more.answer().await.code(), "too_many_connections");
    assert_eq!(open[0].get("/healthz").await.text(), "ok\n");
    assert_eq!(post(rig.address, &chat("m", "x"), &[]).await.status, 200, "callers are counted apart");
}
