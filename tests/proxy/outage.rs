//! A provider that is down: it is left alone, nobody waits for it, and it is used again when it is back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;

use super::client::{Connection, chat, chat_stream, post};
use super::rig::{KEY, Rig, Setup};

const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const BREAKERS: &str = "breakers: {window: 10s, attempts: 5, percent: 50, pause: 500ms, longest_pause: 1s}";
/// Callers that ask all the time.
const CALLERS: usize = 8;

/// What the providers of a rig were asked so far.
fn asked(rig: &Rig, provider: &str) -> usize {
    rig.simulator.seen().requests.iter().filter(|seen| seen.provider == provider).count()
}

/// Whether the breaker of the first hop is open.
async fn is_left_alone(rig: &Rig) -> bool {
    let status = Connection::open(rig.admin).await.get("/status").await.json();
    status["left_alone"]["anthropic/claude-sonnet-5"] == "breaker_open"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_is_probed_and_not_hammered_and_its_end_is_noticed_within_a_pause() {
    let rig = Rig::with(Setup { config: BREAKERS, faults: "- {provider: anthropic, fault: 500}", ..Setup::default() });
    let rig = rig.await;
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (address, stop, answered) = (rig.address, Arc::clone(&stop), Arc::clone(&answered));
            tokio::spawn(async move {
                let mut connection = Connection::open(address).await;
                while !stop.load(Ordering::Relaxed) {
                    let answer = connection.post(&chat("m", "x"), &[]).await;
                    assert_eq!((answer.status, answer.header("x-wayside-degraded")), (200, ""), "{}", answer.text());
                    answered.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            })
        })
        .collect();
    while !is_left_alone(&rig).await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Whoever had begun before it opened may still ask once more.
    tokio::time::sleep(PAUSE / 2).await;
    let (begun, before, calls) = (Instant::now(), asked(&rig, "anthropic"), answered.load(Ordering::Relaxed));
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (probes, pauses) = (asked(&rig, "anthropic") - before, begun.elapsed().as_millis() / PAUSE.as_millis());
    let calls = answered.load(Ordering::Relaxed) - calls;
    assert!(before <= 5 + 2 * CALLERS, "{before} before it opened");
    assert!((1..=pauses as usize + 1).contains(&probes), "{probes} probes in {pauses} pauses");
    assert!(calls > 4 * probes, "only {calls} calls, for {probes} probes");

    rig.simulator.set_faults("").unwrap();
    let (begun, before) = (Instant::now(), asked(&rig, "anthropic"));
    while asked(&rig, "anthropic") < before + 2 * CALLERS {
        // Twice the pause for a machine that has much else to do.
        assert!(begun.elapsed() < 2 * LONGEST_PAUSE + Duration::from_secs(3), "traffic is not back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }
    assert!(!is_left_alone(&rig).await);
}

#[tokio::test]
async fn a_provider_where_nobody_listens_costs_no_time() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let anthropic = format!("base_url: 'http://{gone}/v1'");
    let rig = Rig::with(Setup { anthropic: Some(&anthropic), ..Setup::default() }).await;
    for body in [chat("m", "x"), chat_stream("m", "x")] {
        let begun = Instant::now();
        let answer = post(rig.address, &body, &[]).await;
        assert_eq!((answer.status, answer.header("x-wayside-hop"), answer.clean), (200, "2", true));
        // One retry within 250 ms; the limits of an attempt are 2 s and 5 s.
        assert!(begun.elapsed() < Duration::from_millis(1500), "{:?}", begun.elapsed());
    }
    let lines = rig.lines.wait(2).await;
    for line in lines {
        assert_eq!(line["attempts"][0]["failure"], "network", "{line}");
    }
}

#[tokio::test]
async fn a_proxy_on_the_way_out_that_refuses_is_a_network_failure_and_keeps_its_password() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = proxy.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = proxy.accept().await {
            let mut head = vec![0; 4096];
            let read = stream.read(&mut head).await.unwrap();
            assert!(head[..read].starts_with(b"CONNECT provider.invalid:443 HTTP/1.1\r\n"));
            counted.fetch_add(1, Ordering::Relaxed);
            stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await.unwrap();
        }
    });
    let anthropic = format!("base_url: 'https://provider.invalid/v1', proxy: 'http://ada:lovelace@{address}'");
    let rig = Rig::with(Setup { anthropic: Some(&anthropic), ..Setup::default() }).await;
    let answer = post(rig.address, &chat("m", "x"), &[]).await;
    assert_eq!((answer.status, answer.header("x-wayside-hop")), (200, "2"), "{}", answer.text());
    let line = &rig.lines.wait(1).await[0];
    assert_eq!(line["attempts"][0]["failure"], "network", "{line}");
    let status = Connection::open(rig.admin).await.get("/status").await.text();
    for text in [&line.to_string(), &status] {
        assert!(!text.contains("lovelace") && !text.contains(KEY), "{text}");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_provider_that_moves_to_another_region_is_not_blamed_for_the_one_it_left() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let anthropic = format!("base_url: 'http://{gone}/v1'");
    let config = "breakers: {attempts: 2, pause: 60s, longest_pause: 300s}";
    let rig = Rig::with(Setup { anthropic: Some(&anthropic), config, ..Setup::default() }).await;
    while !is_left_alone(&rig).await {
        assert_eq!(post(rig.address, &chat("m", "x"), &[]).await.header("x-wayside-hop"), "2");
    }
    let gauge = |value: u8| format!("wayside_breaker_open{{snapshot=\"anthropic/claude-sonnet-5\"}} {value}");
    assert!(Connection::open(rig.admin).await.get("/metrics").await.text().contains(&gauge(1)));
    let file = rig.directory.path().join("wayside.yaml");
    let (there, text) = (rig.simulator.base_url("anthropic"), std::fs::read_to_string(&file).unwrap());
    let moved = text.replace(&format!("http://{gone}/v1"), &there);
    for (text, hop, open) in [(&moved, "1", 0), (&text, "2", 1)] {
        std::fs::write(&file, text).unwrap();
        rig.sidecar.as_ref().unwrap().reload().unwrap();
        assert_eq!(post(rig.address, &chat("m", "x"), &[]).await.header("x-wayside-hop"), hop);
        let page = Connection::open(rig.admin).await.get("/metrics").await.text();
        assert!(page.contains(&gauge(open)), "{page}");
    }
}
