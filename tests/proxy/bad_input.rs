//! What a caller can send that is wrong: each gets a clear answer in its own dialect, and nobody waits for ever.

use std::time::Duration;

use super::client::{Connection, chat, chat_stream, post, request};
use super::rig::{Rig, Setup};

#[tokio::test]
async fn a_bad_body_says_what_is_wrong_and_never_reaches_a_provider() {
    let rig = Rig::new().await;
    let deep = format!("{{\"model\":\"m\",\"messages\":{}1{}}}", "[".repeat(500), "]".repeat(500));
    let cases: [(&str, &str, &str); 12] = [
        ("", "empty_body", "empty"),
        ("   ", "empty_body", "empty"),
        ("{\"model\":\"m\",\"messages\":[{\"role\"", "invalid_json", "cut off"),
        ("hello", "invalid_json", "not valid JSON"),
        ("[]", "invalid_type", "JSON object"),
        ("{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", "missing_required_parameter", "'model'"),
        ("{\"model\":\"m\"}", "missing_required_parameter", "'messages'"),
        ("{\"model\":7,\"messages\":[]}", "invalid_type", "'model'"),
        ("{\"model\":\"m\",\"messages\":\"hi\"}", "invalid_type", "'messages'"),
        (
            "{\"model\":\"m\",\"stream\":\"yes\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
            "invalid_type",
            "'stream'",
        ),
        (
            "{\"model\":\"a\",\"model\":\"b\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
            "duplicate_parameter",
            "twice",
        ),
        (&deep, "", ""),
    ];
    let mut connection = Connection::open(rig.address).await;
    for (body, code, words) in cases {
        let answer = connection.post(body, &[]).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
        assert_eq!(answer.json()["error"]["type"], "invalid_request_error");
        assert!(answer.header("x-request-id").starts_with("req_"));
        if !code.is_empty() {
            assert_eq!((answer.code().as_str(), answer.header("x-wayside-reason")), (code, code), "{body}");
        }
        assert!(answer.json()["error"]["message"].as_str().unwrap().contains(words), "{body}: {}", answer.text());
    }
    let garbage = format!("{} trailing", chat("m", "x"));
    assert_eq!(connection.post(&garbage, &[]).await.code(), "invalid_json");
    assert_eq!(connection.post(&chat("m", "x"), &[]).await.status, 200, "the connection is still good");
    assert_eq!(rig.simulator.seen().total, 1);
}

#[tokio::test]
async fn a_wrong_path_or_method_says_what_is_served() {
    let rig = Rig::new().await;
    for (method, path, status, words) in [
        ("POST", "/v1/chat/completion", 404, "did you mean /v1/chat/completions"),
        ("POST", "/v1/response", 404, "did you mean /v1/responses"),
        ("GET", "/v1/responses/resp_1", 404, "keeps none"),
        ("GET", "/", 404, "serves /v1/chat/completions, /v1/responses"),
        ("GET", "/v1/chat/completions", 405, "POST"),
        ("DELETE", "/v1/models", 405, "GET"),
        ("GET", "/v1/models/nobody", 404, "GET /v1/models"),
    ] {
        let mut connection = Connection::open(rig.address).await;
        connection.send(&request(method, path, "", &[])).await;
        let answer = connection.answer().await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert!(answer.text().contains(words), "{method} {path}: {}", answer.text());
        assert!(answer.header("x-request-id").starts_with("req_"), "{method} {path}");
    }
    let mut connection = Connection::open(rig.address).await;
    connection.send(&request("GET", "/v1/chat/completions", "", &[])).await;
    assert_eq!(connection.answer().await.header("allow"), "POST");
}

#[tokio::test]
async fn models_are_listed_by_the_names_a_request_can_use() {
    let rig = Rig::new().await;
    let mut connection = Connection::open(rig.address).await;
    let answer = connection.get("/v1/models").await;
    assert!(answer.header("x-request-id").starts_with("req_"));
    let list = answer.json();
    assert_eq!((&list["object"], &list["data"][0]["id"]), (&"list".into(), &"anthropic/claude-sonnet-5".into()));
    let one = connection.get("/v1/models/openai/gpt-5.4-2026-03-05").await.json();
    assert_eq!((&one["id"], &one["owned_by"]), (&"openai/gpt-5.4-2026-03-05".into(), &"openai".into()));
}

#[tokio::test]
async fn an_unknown_feature_or_plan_is_refused_with_the_nearest_name() {
    let rig = Rig::new().await;
    for (header, value, code, words) in [
        ("x-wayside-feature", "replay", "unknown_feature", "reply"),
        ("x-wayside-plan", "fre", "unknown_plan", "free"),
        ("x-wayside-priority", "urgent", "invalid_attribute", "interactive"),
        ("x-wayside-deadline-ms", "soon", "invalid_header", "milliseconds"),
        ("x-wayside-deadline-ms", "0", "invalid_header", "milliseconds"),
    ] {
        let answer = post(rig.address, &chat("m", "x"), &[(header, value)]).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, code), "{header}: {value}");
        assert!(answer.text().contains(words), "{}", answer.text());
    }
}

#[tokio::test]
async fn conflicting_headers_are_refused() {
    let rig = Rig::new().await;
    let twice = [("x-wayside-feature", "reply"), ("x-wayside-feature", "tags")];
    let answer = post(rig.address, &chat("m", "x"), &twice).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "invalid_header"));
    assert!(answer.text().contains("x-wayside-feature"), "{}", answer.text());
    for bad in [
        "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}",
        "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nhost: b\r\ncontent-length: 2\r\n\r\n{}",
        "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: +2\r\n\r\n{}",
        "POST /v1/chat/completions HTTP/1.1\r\nhost : a\r\ncontent-length: 2\r\n\r\n{}",
        "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n",
        "this is not HTTP at all\r\n\r\n",
    ] {
        let mut connection = Connection::open(rig.address).await;
        connection.send(bad.as_bytes()).await;
        let answer = connection.answer().await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "bad_request_head"), "{bad}");
        assert!(answer.header("x-request-id").starts_with("req_"), "{bad}");
        assert!(connection.is_closed().await, "{bad}");
    }
}

#[tokio::test]
async fn a_head_is_taken_to_its_limit_and_refused_beyond() {
    let rig = Rig::with(Setup { config: "limits: {head: 2000}", ..Setup::default() }).await;
    let body = chat("m", "x");
    let bare = request("POST", "/v1/chat/completions", &body, &[("x-fill", "")]).len() - body.len();
    let fits = "f".repeat(2000 - bare);
    assert_eq!(post(rig.address, &body, &[("x-fill", &fits)]).await.status, 200);
    let answer = post(rig.address, &body, &[("x-fill", &format!("{fits}f"))]).await;
    assert_eq!((answer.status, answer.code().as_str()), (431, "head_too_large"));
}

#[tokio::test]
async fn a_body_is_taken_to_its_limit_and_refused_beyond_before_it_is_sent() {
    let rig = Rig::with(Setup { config: "limits: {body: 1000}", ..Setup::default() }).await;
    let fill = 1000 - chat("m", "").len();
    assert_eq!(post(rig.address, &chat("m", &"f".repeat(fill)), &[]).await.status, 200);
    let answer = post(rig.address, &chat("m", &"f".repeat(fill + 1)), &[]).await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "body_too_large"));
    // Declared and not yet sent: answered all the same.
    let mut connection = Connection::open(rig.address).await;
    connection.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 100000000\r\n\r\n").await;
    assert_eq!(connection.answer().await.status, 413);
    // Undeclared.
    let mut connection = Connection::open(rig.address).await;
    connection.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n").await;
    for _ in 0..11 {
        connection.send(format!("64\r\n{}\r\n", " ".repeat(100)).as_bytes()).await;
    }
    assert_eq!(connection.answer().await.status, 413);
}

#[tokio::test]
async fn a_chunked_body_is_read_and_a_broken_one_refused() {
    let rig = Rig::new().await;
    let body = chat("m", "x");
    let (one, two) = body.split_at(10);
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut connection = Connection::open(rig.address).await;
    let whole = format!("{head}{:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n", one.len(), two.len());
    connection.send(whole.as_bytes()).await;
    assert_eq!(connection.answer().await.status, 200);
    connection.send(format!("{head}zz\r\nhello\r\n").as_bytes()).await;
    let answer = connection.answer().await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "bad_request_body"));
}

#[tokio::test]
async fn a_caller_that_expects_continue_gets_it() {
    let rig = Rig::new().await;
    let body = chat("m", "x");
    let mut connection = Connection::open(rig.address).await;
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    connection.send(head.as_bytes()).await;
    connection.until("100 Continue").await;
    connection.send(body.as_bytes()).await;
    assert_eq!(connection.answer().await.status, 200);
}

#[tokio::test]
async fn drops_of_a_request_do_not_add_up_beyond_the_limit() {
    let config = "limits: {read_timeout: 500ms, keepalive: 1s}";
    let rig = Rig::with(Setup { config, ..Setup::default() }).await;
    // A body that comes in drops.
    let mut connection = Connection::open(rig.address).await;
    connection.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n").await;
    let begun = std::time::Instant::now();
    for _ in 0..8 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        connection.send(b" ").await;
    }
    let answer = connection.answer().await;
    assert_eq!((answer.status, answer.code().as_str()), (408, "body_too_slow"));
    assert!(begun.elapsed() < Duration::from_secs(3));
    // A head that comes in drops, and a connection that says nothing.
    for drops in ["GET /v1/models HTTP/1.1\r\nx-slow: ", ""] {
        let mut connection = Connection::open(rig.address).await;
        connection.send(drops.as_bytes()).await;
        let begun = std::time::Instant::now();
        assert!(connection.is_closed().await, "{drops:?}");
        assert!(begun.elapsed() < Duration::from_secs(3), "{drops:?}");
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_also_after_it_has_served() {
    let rig = Rig::with(Setup { config: "limits: {read_timeout: 500ms, keepalive: 1s}", ..Setup::default() }).await;
    let mut connection = Connection::open(rig.address).await;
    assert_eq!(connection.post(&chat("m", "x"), &[]).await.status, 200);
    let begun = std::time::Instant::now();
    assert!(connection.is_closed().await);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn requests_sent_ahead_are_answered_one_after_the_other() {
    let rig = Rig::new().await;
    let mut connection = Connection::open(rig.address).await;
    let mut both = request("POST", "/v1/chat/completions", &chat("m", "one"), &[]);
    both.extend(request("POST", "/v1/chat/completions", &chat_stream("m", "two"), &[]));
    both.extend(request("GET", "/v1/models", "", &[]));
    connection.send(&both).await;
    assert_eq!(connection.answer().await.status, 200);
    assert!(connection.answer().await.clean);
    assert_eq!(connection.answer().await.json()["object"], "list");
}

#[tokio::test]
async fn too_many_requests_or_connections_are_told_to_come_back() {
    let config = "limits: {concurrent: 2, waiting: 0, connections: 4}";
    let rig = Rig::with(Setup { config, faults: "- {fault: silence}", ..Setup::default() }).await;
    let mut busy = Vec::new();
    for _ in 0..2 {
        let mut connection = Connection::open(rig.address).await;
        connection.send(&request("POST", "/v1/chat/completions", &chat("m", "x"), &[])).await;
        busy.push(connection);
    }
    while rig.simulator.seen().total < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let answer = post(rig.address, &chat("m", "x"), &[]).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "too_many_requests_in_work"));
    assert_eq!((answer.header("retry-after"), answer.header("x-should-retry")), ("1", "true"));
    for _ in 0..2 {
        busy.push(Connection::open(rig.address).await);
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut one_more = Connection::open(rig.address).await;
    let answer = one_more.answer().await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "too_many_connections"));
}
