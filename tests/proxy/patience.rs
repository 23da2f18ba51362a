//! Callers that are slow on purpose, in every way they can connect.

use std::time::Duration;

use tokio::net::UnixStream;

use super::client::{Connection, chat_stream, request};
use super::rig::{POLICY, Rig, Setup};

/// What an HTTP/2 client says first: its preface and empty settings.
const H2_HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";
/// A head that has begun and does not end: `:method POST` in a header block to be continued.
const H2_OPEN_HEAD: &[u8] = b"\x00\x00\x01\x01\x00\x00\x00\x00\x01\x83";

#[tokio::test]
async fn an_http2_connection_that_brings_no_request_is_closed() {
    let config = "limits: {read_timeout: 500ms, keepalive: 1s}";
    let rig = Rig::with(Setup { config, ..Setup::default() }).await;
    let open_head = [H2_HELLO, H2_OPEN_HEAD].concat();
    for said in [&H2_HELLO[..10], H2_HELLO, &open_head] {
        let mut connection = Connection::open(rig.address).await;
        connection.send(said).await;
        let begun = std::time::Instant::now();
        assert!(connection.is_closed().await, "{:?}", String::from_utf8_lossy(said));
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    }
}

/// A sidecar whose provider streams without end, for callers who may not read for half a second.
async fn endless() -> Rig {
    let policy = POLICY.replace("timeout 5s, first_token 2s", "timeout 15s, first_token 15s").replace("20s", "60s");
    let (config, faults) = ("limits: {write_timeout: 500ms}", "- {fault: 'bytes=40000000'}");
    let listen = "[127.0.0.1:0, 'unix:way.sock']";
    Rig::with(Setup { policy: &policy, listen, config, faults, ..Setup::default() }).await
}

#[tokio::test]
async fn who_stops_reading_is_let_go_and_so_is_the_upstream() {
    let rig = endless().await;
    let unix = UnixStream::connect(rig.directory.path().join("way.sock")).await.unwrap();
    let connections = [Connection::open(rig.address).await, Connection::over(unix)];
    let count = connections.len();
    let mut stuck = Vec::new();
    for mut connection in connections {
        connection.send(&request("POST", "/v1/chat/completions", &chat_stream("m", "x"), &[])).await;
        connection.until("data:").await;
        stuck.push(connection);
    }
    let report = rig.simulator.settled(Duration::from_secs(15)).await;
    assert_eq!((report.in_flight, report.total), (0, count as u64));
    let lines = rig.lines.wait(count).await;
    assert!(lines.iter().all(|line| line["outcome"] == "client_gone"), "{lines:?}");
}

#[tokio::test]
async fn a_reader_over_http2_that_takes_nothing_is_let_go() {
    use http_body_util::{BodyExt, Full};
    let rig = endless().await;
    let stream = tokio::net::TcpStream::connect(rig.address).await.unwrap();
    let executor = hyper_util::rt::TokioExecutor::new();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut client, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    let body = Full::new(bytes::Bytes::from(chat_stream("m", "x")));
    let request = hyper::Request::post(format!("http://{}/v1/chat/completions", rig.address)).body(body).unwrap();
    let mut answer = client.send_request(request).await.unwrap();
    // The first frame is here, and its window is never given back.
    let _frame = answer.body_mut().frame().await.unwrap().unwrap();
    let report = rig.simulator.settled(Duration::from_secs(15)).await;
    assert_eq!((report.in_flight, report.total), (0, 1));
    assert_eq!(rig.lines.wait(1).await[0]["outcome"], "client_gone");
}
