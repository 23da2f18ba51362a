//! Tickets that go to a stream of a real Redis server, and to this disk while it takes none.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::client::{Connection, chat, post};
use super::delivering::{counted, on_disk, rig};
use super::queueing::{self, given_before_kill_9};
use super::rig::write_config;

struct Redis {
    child: Child,
    address: SocketAddr,
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Redis {
    async fn new(more: &[&str]) -> Self {
        for _ in 0..5 {
            // It cannot say which port it took, so it is given one that was free a moment ago.
            let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            if let Some(redis) = Self::at(free, more).await {
                return redis;
            }
        }
        panic!("redis-server does not start");
    }

    async fn at(address: SocketAddr, more: &[&str]) -> Option<Self> {
        let port = address.port().to_string();
        let child = Command::new("redis-server")
            .args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", "/tmp"])
            .args(more)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed; run `sh tests/setup tests`");
        let mut redis = Self { child, address };
        while redis.child.try_wait().unwrap().is_none() {
            if redis.ask("PING").await.is_some_and(|pong| pong.contains("PONG") || pong.contains("NOAUTH")) {
                return Some(redis);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        None
    }

    /// What it says to an inline command; the connection is closed behind it, so that the answer has an end.
    async fn ask(&self, command: &str) -> Option<String> {
        let mut wire = TcpStream::connect(self.address).await.ok()?;
        wire.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).await.ok()?;
        let mut text = String::new();
        wire.read_to_string(&mut text).await.ok()?;
        Some(text)
    }
}

fn streams(address: SocketAddr, more: &str) -> String {
    format!("queues: {{desk: {{redis: 'redis://{address}/0', {more}}}}}\n")
}

/// The ticket of a request that no model answered.
async fn ticket(address: SocketAddr, text: &str) -> String {
    let answer = post(address, &chat("m", text), &[("x-wayside-tenant", "acme")]).await;
    assert_eq!((answer.status, answer.header("x-wayside-degraded")), (202, "queue desk"), "{}", answer.text());
    answer.header("x-wayside-ticket").to_owned()
}

#[tokio::test]
async fn a_stream_takes_tickets_to_its_limit_and_this_disk_the_next() {
    let redis = Redis::new(&[]).await;
    let rig = rig(&streams(redis.address, "stream: tickets, entries: 2")).await;
    let (one, two) = (ticket(rig.address, "where is \"it\"?").await, ticket(rig.address, "two").await);
    assert!(on_disk(&rig).is_empty());
    let entries = redis.ask("XRANGE tickets - +").await.unwrap();
    let about = format!("{{\"schema\":1,\"ticket\":\"{one}\",\"queue\":\"desk\",");
    let body = chat("m", "where is \"it\"?");
    for part in [&format!("ticket\r\n$32\r\n{one}\r\n"), &"queue\r\n$4\r\ndesk\r\n".to_owned(), &two, &about, &body] {
        assert!(entries.contains(part.as_str()), "{part}\n--- in\n{entries}");
    }
    assert!(entries.contains("\"tenant\":\"acme\"") && entries.contains(&format!("\"body_bytes\":{}", body.len())));

    let three = ticket(rig.address, "three").await;
    assert_eq!(on_disk(&rig), [three.as_str()]);
    assert!(redis.ask("XLEN tickets").await.unwrap().starts_with(":2"), "nothing that was promised makes room");
    let wanted = "wayside_ticket_deliveries_total{queue=\"desk\",result=\"delivered\"} 2\n\
                  wayside_ticket_deliveries_total{queue=\"desk\",result=\"full\"} 1\n\
                  wayside_tickets_total{queue=\"desk\",result=\"delivered\"} 2\n\
                  wayside_tickets_total{queue=\"desk\",result=\"kept\"} 1";
    assert_eq!(counted(&rig).await, wanted);

    // Whoever works the stream makes room, and what waits here moves up.
    assert!(redis.ask("XTRIM tickets MAXLEN 0").await.unwrap().starts_with(":2"));
    moved_up(&rig).await;
    let entries = redis.ask("XRANGE tickets - +").await.unwrap();
    assert!(entries.contains(&three) && entries.contains(&chat("m", "three")), "{entries}");
    assert!(counted(&rig).await.contains("wayside_tickets_total{queue=\"desk\",result=\"delivered_later\"} 1"));
}

/// Tries what waits again, until nothing does.
async fn moved_up(rig: &super::rig::Rig) {
    let begun = Instant::now();
    rig.sidecar.as_ref().unwrap().reload().unwrap();
    while !on_disk(rig).is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?} wait", on_disk(rig));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The gauge follows behind the last of them.
    while !Connection::open(rig.admin).await.get("/metrics").await.text().contains("wayside_tickets_waiting 0") {
        assert!(begun.elapsed() < Duration::from_secs(20), "the gauge stands still");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_server_that_goes_and_comes_back_loses_nothing() {
    let redis = Redis::new(&[]).await;
    let address = redis.address;
    let rig = rig(&streams(address, "timeout: 5s")).await;
    ticket(rig.address, "before").await;
    drop(redis);
    let meanwhile = [ticket(rig.address, "one").await, ticket(rig.address, "two").await];
    assert_eq!(on_disk(&rig), meanwhile);
    assert!(counted(&rig).await.contains("deliveries_total{queue=\"desk\",result=\"network\"} 2"));
    let redis = Redis::at(address, &[]).await.expect("its port is still free");
    // The open connection is dead, and is replaced.
    let after = ticket(rig.address, "after").await;
    moved_up(&rig).await;
    let entries = redis.ask("XRANGE wayside:tickets - +").await.unwrap();
    let place = |text: &str| entries.find(text).unwrap_or_else(|| panic!("{text}\n--- in\n{entries}"));
    assert!(place(&after) < place(&meanwhile[0]) && place(&meanwhile[0]) < place(&meanwhile[1]));
}

#[tokio::test]
async fn a_server_that_says_nothing_or_says_no_costs_its_time_and_no_ticket() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let guarded = Redis::new(&["--requirepass", "pa55word"]).await;
    for (address, word) in [(silent.local_addr().unwrap(), "timeout"), (guarded.address, "refused")] {
        let rig = rig(&streams(address, "timeout: 300ms")).await;
        let begun = Instant::now();
        let kept = ticket(rig.address, "x").await;
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        assert_eq!(on_disk(&rig), [kept]);
        let counted = counted(&rig).await;
        assert!(counted.contains(&format!("deliveries_total{{queue=\"desk\",result=\"{word}\"}} 1")), "{counted}");
    }
    let rig = rig(&format!("queues: {{desk: {{redis: 'redis://:pa55word@{}'}}}}\n", guarded.address)).await;
    ticket(rig.address, "x").await;
    assert!(on_disk(&rig).is_empty());
    let status = Connection::open(rig.admin).await.get("/status").await.text();
    assert!(!status.contains("pa55word") && !rig.lines.text().contains("pa55word"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_that_was_given_is_in_the_stream_after_kill_9() {
    let redis = Redis::new(&[]).await;
    let options = wayside::simulate::Options { faults: "- {fault: 503}".to_owned(), ..Default::default() };
    let simulator = wayside::simulate::start(options).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("policy.route"), queueing::policy()).unwrap();
    write_config(directory.path(), &simulator, &streams(redis.address, "timeout: 30s"));
    let (child, address) = queueing::serve(directory.path());
    let given = given_before_kill_9(child, address).await;
    let entries = redis.ask("XRANGE wayside:tickets - +").await.unwrap();
    let spool = directory.path().join("spool");
    for (ticket, text) in &given {
        let there = entries.contains(ticket.as_str()) && entries.contains(text.as_str());
        assert!(there || wayside::spool::take(&spool, ticket).is_ok(), "{ticket}: {text}");
    }
}
