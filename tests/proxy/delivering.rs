//! Tickets that go to a webhook, and to this disk when it fails.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wayside::config::SpoolSettings;
use wayside::spool;

use super::client::{Connection, chat, post};
use super::rig::{KEY, POLICY, Rig, Setup};

pub async fn rig(config: &str) -> Rig {
    let policy = POLICY.replace("degrade template sorry", "degrade queue desk") + "queue desk { staffed always }\n";
    Rig::with(Setup { policy: &policy, config, faults: "- {fault: 503}", ..Default::default() }).await
}

pub fn on_disk(rig: &Rig) -> Vec<String> {
    let names = spool::names(&rig.directory.path().join("spool")).unwrap();
    names.iter().map(ToString::to_string).collect()
}

/// Lines about tickets, of those that are counted.
pub async fn counted(rig: &Rig) -> String {
    let page = Connection::open(rig.admin).await.get("/metrics").await.text();
    page.lines().filter(|line| line.starts_with("wayside_ticket") && line.contains('{')).collect::<Vec<_>>().join("\n")
}

/// What a service saw.
#[derive(Clone, Default)]
struct Seen {
    /// Requests as they came.
    heard: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Seen {
    fn take(&self) -> String {
        self.heard.lock().unwrap().pop().unwrap()
    }
}

/// A service that answers every request with `answer`, or never when there is none.
async fn desk(answer: Option<String>) -> (SocketAddr, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, seen) = (listener.local_addr().unwrap(), Seen::default());
    let theirs = seen.clone();
    tokio::spawn(async move {
        while let Ok((mut wire, _)) = listener.accept().await {
            theirs.connections.fetch_add(1, Ordering::Relaxed);
            let (heard, answer) = (Arc::clone(&theirs.heard), answer.clone());
            tokio::spawn(async move {
                let mut bytes = Vec::new();
                while wire.read_buf(&mut bytes).await.is_ok_and(|read| read > 0) {
                    let Some(text) = whole(&bytes) else { continue };
                    heard.lock().unwrap().push(text);
                    bytes.clear();
                    // Whoever has heard enough hangs up.
                    if let Some(answer) = &answer
                        && wire.write_all(answer.as_bytes()).await.is_err()
                    {
                        return;
                    }
                }
            });
        }
    });
    (address, seen)
}

/// A request, once all of it is here.
fn whole(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let head = head.to_ascii_lowercase();
    let length: usize = head.split("content-length: ").nth(1)?.lines().next()?.parse().unwrap();
    (body.len() >= length).then_some(text)
}

fn says(status: &str, length: usize, body: &str) -> Option<String> {
    Some(format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}"))
}

fn delivers(address: SocketAddr, timeout: &str) -> String {
    format!("queues: {{desk: {{webhook: 'http://{address}', timeout: {timeout}}}}}\n")
}

#[tokio::test]
async fn a_webhook_gets_the_ticket_with_its_request() {
    let (address, seen) = desk(says("201 Created", 2, "ok")).await;
    let rig = rig(&format!(
        "queues: {{desk: {{webhook: 'http://{address}/in/?key=qu3ry', headers: {{X-Token: s3cret}}}}}}\n"
    ))
    .await;
    let body = chat("m", "where is \"it\"?");
    for _ in 0..2 {
        let answer = post(rig.address, &body, &[("x-wayside-tenant", "acme")]).await;
        assert_eq!((answer.status, answer.header("x-wayside-degraded")), (202, "queue desk"), "{}", answer.text());
        let text = seen.take();
        let (head, document) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("POST /in/?key=qu3ry HTTP/1.1") && head.contains("s3cret") && !head.contains(KEY),
            "{head}"
        );
        let document: serde_json::Value = serde_json::from_str(document).unwrap();
        assert_eq!(document["ticket"], answer.header("x-wayside-ticket"));
        assert_eq!((&document["queue"], &document["tenant"]), (&"desk".into(), &"acme".into()));
        assert_eq!(document["body_bytes"], body.len());
        assert_eq!(document["body"], serde_json::from_str::<serde_json::Value>(&body).unwrap());
    }
    assert!(on_disk(&rig).is_empty());
    assert_eq!(
        counted(&rig).await,
        "wayside_ticket_deliveries_total{queue=\"desk\",result=\"delivered\"} 2\n\
         wayside_tickets_total{queue=\"desk\",result=\"delivered\"} 2"
    );
    let status = Connection::open(rig.admin).await.get("/status").await.text();
    for secret in ["s3cret", "qu3ry"] {
        assert!(!rig.lines.text().contains(secret) && !status.contains(secret));
    }
}

#[tokio::test]
async fn a_webhook_that_refuses_is_silent_or_is_not_there_leaves_the_ticket_on_disk() {
    let (refusing, _) = desk(says("500 Oops", 0, "")).await;
    let (elsewhere, never_asked) = desk(says("200 OK", 0, "")).await;
    let moved = format!("HTTP/1.1 308 Moved\r\nlocation: http://{elsewhere}/\r\ncontent-length: 0\r\n\r\n");
    let (moved, _) = desk(Some(moved)).await;
    let (silent, _) = desk(None).await;
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    for (address, word) in [(refusing, "status"), (moved, "status"), (silent, "timeout"), (nobody, "network")] {
        let timeout = if word == "timeout" { "200ms" } else { "20s" };
        let rig = rig(&delivers(address, timeout)).await;
        let answer = post(rig.address, &chat("m", "x"), &[]).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        assert_eq!(on_disk(&rig), [answer.header("x-wayside-ticket")]);
        let wanted = format!(
            "wayside_ticket_deliveries_total{{queue=\"desk\",result=\"{word}\"}} 1\n\
             wayside_tickets_total{{queue=\"desk\",result=\"kept\"}} 1"
        );
        assert_eq!(counted(&rig).await, wanted);
    }
    assert_eq!(never_asked.connections.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_2xx_takes_the_ticket_whatever_comes_behind_it() {
    let limit = 64 << 10;
    // An answer that is read to its end leaves the connection for the next ticket.
    for (length, sent, connections) in [(limit, limit, 1), (limit + 1, limit + 1, 2), (2, 0, 2)] {
        let (address, seen) = desk(says("200 OK", length, &"x".repeat(sent))).await;
        let rig = rig(&delivers(address, "500ms")).await;
        for _ in 0..2 {
            assert_eq!(post(rig.address, &chat("m", "x"), &[]).await.status, 202);
        }
        assert!(on_disk(&rig).is_empty());
        assert!(counted(&rig).await.contains("deliveries_total{queue=\"desk\",result=\"delivered\"} 2"));
        assert_eq!(seen.connections.load(Ordering::Relaxed), connections, "{sent} of {length}");
    }
}

#[tokio::test]
async fn a_slow_webhook_holds_so_many_callers_and_not_one_more() {
    const UNDER_WAY: usize = 64;
    let (address, seen) = desk(None).await;
    let rig = rig(&delivers(address, "30s")).await;
    let waiting: Vec<_> = (0..UNDER_WAY)
        .map(|_| {
            let address = rig.address;
            tokio::spawn(async move { post(address, &chat("m", "x"), &[]).await })
        })
        .collect();
    let begun = std::time::Instant::now();
    while seen.heard.lock().unwrap().len() < UNDER_WAY {
        assert!(begun.elapsed() < Duration::from_secs(25), "{} came", seen.heard.lock().unwrap().len());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(on_disk(&rig).is_empty());
    let answer = post(rig.address, &chat("m", "x"), &[]).await;
    assert_eq!(on_disk(&rig), [answer.header("x-wayside-ticket")]);
    assert!(counted(&rig).await.contains("deliveries_total{queue=\"desk\",result=\"busy\"} 1"));
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_reload_takes_a_new_key_and_says_what_is_wrong_with_a_queue() {
    let (address, seen) = desk(says("204 No Content", 0, "")).await;
    let directory = tempfile::tempdir().unwrap();
    let token = directory.path().join("token");
    std::fs::write(&token, "first\n").unwrap();
    let row = format!("webhook: 'http://{address}', headers: {{authorization: 'file:{}'}}", token.display());
    let rig = rig(&format!("queues: {{desk: {{{row}}}}}\n")).await;
    for key in ["first", "second"] {
        std::fs::write(&token, key).unwrap();
        rig.sidecar.as_ref().unwrap().reload().unwrap();
        assert_eq!(post(rig.address, &chat("m", "x"), &[]).await.status, 202);
        let text = seen.take();
        assert!(text.to_ascii_lowercase().contains(&format!("authorization: {key}\r\n")), "{text}");
    }
    let config = rig.directory.path().join("wayside.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(
        &config,
        text.replace("webhook: 'http:", "webhook: 'https:").replace("desk: {", "desk: {ca_file: token, "),
    )
    .unwrap();
    let wrong = rig.sidecar.as_ref().unwrap().reload().unwrap_err().to_string();
    assert!(wrong.contains("queues.desk.ca_file: cannot read `"), "{wrong}");
}

#[tokio::test]
async fn what_waits_is_sent_again_so_many_at_once_and_not_one_more() {
    const AGAIN: usize = 256;
    let directory = tempfile::tempdir().unwrap();
    let now = jiff::Timestamp::now().as_millisecond() as u64;
    let ticket = |queue: &str, at: u64| -> spool::Ticket {
        let ticket = serde_json::json!({
            "schema": 1, "ticket": spool::TicketId::new(now + at, at), "queue": queue, "received": "2026-11-26T00:00:00.000Z",
            "request_id": "req_1", "endpoint": "chat", "policy": "proxy", "policy_hash": "sha256:1", "rule": "otherwise",
        });
        serde_json::from_value(ticket).unwrap()
    };
    // The oldest is of a queue that goes nowhere else, and not in the way.
    let tickets: Vec<_> = (0..AGAIN as u64 + 2).map(|at| ticket(if at == 0 { "other" } else { "desk" }, at)).collect();
    let settings = SpoolSettings { directory: directory.path().to_owned(), ..SpoolSettings::default() };
    let batch: Vec<(&spool::Ticket, &[u8])> = tickets.iter().map(|ticket| (ticket, &b"{}"[..])).collect();
    assert!(spool::Shelf::open(&settings, now).unwrap().keep(&batch).iter().all(Result::is_ok));

    let (address, seen) = desk(says("204 No Content", 0, "")).await;
    let place = format!("spool: {{directory: '{}'}}\n", directory.path().display());
    let rig = rig(&(delivers(address, "20s") + &place)).await;
    let left = || spool::names(directory.path()).unwrap().len();
    // Once at the start, and once more when that is asked for.
    for (most, sent) in [(2, AGAIN), (1, AGAIN + 1)] {
        if most == 1 {
            rig.sidecar.as_ref().unwrap().reload().unwrap();
        }
        let begun = std::time::Instant::now();
        while left() > most {
            assert!(begun.elapsed() < Duration::from_secs(30), "{} are left", left());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!((left(), seen.heard.lock().unwrap().len()), (most, sent));
    }
    let wanted = format!("tickets_total{{queue=\"desk\",result=\"delivered_later\"}} {}", AGAIN + 1);
    assert!(counted(&rig).await.contains(&wanted));
}
