//! Requests beyond `limits.concurrent`: a line, first come, first served, that nobody stands in for long.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use wayside::serve::Drained;

use super::client::{Answer, Connection, chat, post, request};
use super::rig::{POLICY, Rig, Setup};

/// A provider that notes what it is asked, and answers as often as it is let.
struct Gate {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    answers: Arc<Semaphore>,
}

impl Gate {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let gate = Self { address, asked: Arc::default(), answers: Arc::new(Semaphore::new(0)) };
        let (asked, answers) = (Arc::clone(&gate.asked), Arc::clone(&gate.answers));
        tokio::spawn(async move {
            while let Ok((mut wire, _)) = listener.accept().await {
                let (asked, answers) = (Arc::clone(&asked), Arc::clone(&answers));
                tokio::spawn(async move {
                    let mut bytes = vec![0; 16 << 10];
                    while let Ok(read @ 1..) = wire.read(&mut bytes).await {
                        // Requests here are short, and come in one piece.
                        let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
                        asked.lock().unwrap().push(text);
                        answers.acquire().await.unwrap().forget();
                        let body = r#"{"id":"c","model":"claude-sonnet-5","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}"#;
                        let head = format!(
                            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                            body.len()
                        );
                        if wire.write_all([&head, body].concat().as_bytes()).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        gate
    }

    fn open(&self, answers: usize) {
        self.answers.add_permits(answers);
    }

    /// Waits until it was asked so often; whether one of the questions holds each of `texts`, in this order from the first.
    async fn asked(&self, count: usize) -> Vec<String> {
        let begun = Instant::now();
        loop {
            let asked = self.asked.lock().unwrap().clone();
            if asked.len() >= count {
                return asked;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "asked only {} times", asked.len());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn rig(gate: &Gate, limits: &str) -> Rig {
    let (policy, anthropic) = (
        POLICY.replace("timeout 5s", "timeout 60s").replace("20s", "180s"),
        format!("base_url: 'http://{}/v1'", gate.address),
    );
    let config = format!("limits: {{{limits}}}");
    Rig::with(Setup { policy: &policy, anthropic: Some(&anthropic), config: &config, ..Setup::default() }).await
}

fn asks(rig: &Rig, text: &str) -> JoinHandle<Answer> {
    let (address, body) = (rig.address, chat("m", text));
    tokio::spawn(async move { post(address, &body, &[]).await })
}

/// Waits until so many are in work, and so many in the line.
async fn stand(rig: &Rig, in_work: u64, waiting: u64) {
    let (mut admin, begun) = (Connection::open(rig.admin).await, Instant::now());
    loop {
        let status = admin.get("/status").await.json();
        if (&status["in_flight"], &status["waiting"]) == (&in_work.into(), &waiting.into()) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{in_work} and {waiting}: {status}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn is_busy(answer: &Answer, reason: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (503, reason), "{}", answer.text());
    assert_eq!((answer.header("retry-after"), answer.header("x-should-retry")), ("1", "true"));
    assert_eq!(answer.header("x-wayside-reason"), reason);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_line_is_served_in_order_and_one_more_is_told_at_once() {
    let gate = Gate::new().await;
    let rig = rig(&gate, "concurrent: 2, waiting: 2, wait_timeout: 60s").await;
    let mut answers = Vec::new();
    for (at, (in_work, waiting)) in [(1, 0), (2, 0), (2, 1), (2, 2)].into_iter().enumerate() {
        answers.push(asks(&rig, &format!("number {at}")));
        stand(&rig, in_work, waiting).await;
    }
    let begun = Instant::now();
    is_busy(&post(rig.address, &chat("m", "one more"), &[]).await, "too_many_requests_in_work");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    let page = Connection::open(rig.admin).await.get("/metrics").await.text();
    for line in [
        "wayside_requests_waiting 2",
        "wayside_requests_in_flight 2",
        "wayside_refused_total{reason=\"too_many_requests_in_work\"} 1",
    ] {
        assert!(page.contains(line), "{line}\n--- in\n{page}");
    }
    gate.open(1);
    stand(&rig, 2, 1).await;
    assert!(gate.asked(3).await[2].contains("number 2"));
    gate.open(3);
    for answer in answers {
        assert_eq!(answer.await.unwrap().status, 200);
    }
    let asked = gate.asked(4).await;
    assert!(asked.len() == 4 && asked[3].contains("number 3"), "{asked:?}");
    stand(&rig, 0, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_too_long_is_told_so_and_keeps_the_connection() {
    let gate = Gate::new().await;
    for (limit, deadline) in [("200ms", "60000"), ("60s", "200")] {
        let rig = rig(&gate, &format!("concurrent: 1, waiting: 1, wait_timeout: {limit}")).await;
        let first = asks(&rig, "first");
        stand(&rig, 1, 0).await;
        let mut connection = Connection::open(rig.address).await;
        let begun = Instant::now();
        let answer = connection.post(&chat("m", "second"), &[("x-wayside-deadline-ms", deadline)]).await;
        is_busy(&answer, "waited_too_long");
        let waited = begun.elapsed();
        assert!((Duration::from_millis(190)..Duration::from_secs(10)).contains(&waited), "{waited:?}");
        gate.open(2);
        assert_eq!(first.await.unwrap().status, 200);
        assert_eq!(connection.post(&chat("m", "again"), &[]).await.status, 200);
        let lines = rig.lines.wait(3).await;
        assert!(lines.iter().any(|line| line["reason"] == "waited_too_long" && line["status"] == 503), "{lines:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_the_line_leaves_it_to_the_next() {
    use http_body_util::Full;
    let gate = Gate::new().await;
    let rig = rig(&gate, "concurrent: 1, waiting: 1, wait_timeout: 60s").await;
    let first = asks(&rig, "first");
    stand(&rig, 1, 0).await;

    let mut connection = Connection::open(rig.address).await;
    connection.send(&request("POST", "/v1/chat/completions", &chat("m", "leaves"), &[])).await;
    stand(&rig, 1, 1).await;
    drop(connection);
    stand(&rig, 1, 0).await;

    let stream = tokio::net::TcpStream::connect(rig.address).await.unwrap();
    let executor = hyper_util::rt::TokioExecutor::new();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut client, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    let ask = |text: &str| {
        let body = Full::new(bytes::Bytes::from(chat("m", text)));
        hyper::Request::post(format!("http://{}/v1/chat/completions", rig.address)).body(body).unwrap()
    };
    let leaves = tokio::spawn(client.send_request(ask("leaves, too")));
    stand(&rig, 1, 1).await;
    leaves.abort();
    stand(&rig, 1, 0).await;

    let last = tokio::spawn(client.send_request(ask("last")));
    stand(&rig, 1, 1).await;
    gate.open(2);
    assert_eq!((first.await.unwrap().status, last.await.unwrap().unwrap().status().as_u16()), (200, 200));
    let asked = gate.asked(2).await;
    assert!(asked.len() == 2 && asked[1].contains("last"), "{asked:?}");
    let lines = rig.lines.wait(4).await;
    assert_eq!(lines.iter().filter(|line| line["outcome"] == "client_gone").count(), 2, "{lines:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_process_waits_for_the_line() {
    let gate = Gate::new().await;
    let mut rig = rig(&gate, "concurrent: 1, waiting: 1, wait_timeout: 60s").await;
    let answers = [asks(&rig, "first"), asks(&rig, "second")];
    stand(&rig, 1, 1).await;
    let sidecar = rig.sidecar.take().unwrap();
    let stopped = tokio::task::spawn_blocking(move || sidecar.stop());
    while tokio::net::TcpStream::connect(rig.address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    gate.open(2);
    for answer in answers {
        assert_eq!(answer.await.unwrap().status, 200);
    }
    assert_eq!(stopped.await.unwrap(), Drained::Clean);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_with_more_places_lets_the_line_in() {
    let gate = Gate::new().await;
    let rig = rig(&gate, "concurrent: 1, waiting: 2, wait_timeout: 60s").await;
    let mut answers = vec![asks(&rig, "first")];
    stand(&rig, 1, 0).await;
    answers.extend([asks(&rig, "second"), asks(&rig, "third")]);
    stand(&rig, 1, 2).await;
    let config = rig.directory.path().join("wayside.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("concurrent: 1", "concurrent: 3")).unwrap();
    rig.sidecar.as_ref().unwrap().reload().unwrap();
    stand(&rig, 3, 0).await;
    gate.open(3);
    for answer in answers {
        assert_eq!(answer.await.unwrap().status, 200);
    }
}
