//! Rows of `tests/chain/matrix.yaml` over real sockets: what each upstream saw, who answered, and how long it took.

use std::time::{Duration, Instant};

use super::client::{Answer, chat, chat_stream, post};
use super::rig::{POLICY, Rig, Setup};

/// A fault of the first hop, as the simulator takes it; for both kinds of requests; the attempts (`1` is the first hop) and how
/// each failed; who answered.
type Row = (&'static str, &'static str, &'static str, &'static str);

const ROWS: [Row; 22] = [
    // fault, attempts, failures, answer
    ("refused", "112", "network network", "2"),
    ("reset", "112", "network network", "2"),
    ("hangup", "112", "network network", "2"),
    ("garbage", "112", "network network", "2"),
    ("silence", "12", "timeout", "2"),
    ("slow-head=5s", "12", "timeout", "2"),
    ("500", "112", "server_error server_error", "2"),
    ("502", "112", "server_error server_error", "2"),
    ("503", "12", "overload", "2"),
    ("503;retry-after=1", "12", "overload", "2"),
    ("529", "12", "overload", "2"),
    ("504", "12", "timeout", "2"),
    ("429", "12", "rate_limit", "2"),
    ("429;retry-after=1", "12", "rate_limit", "2"),
    ("429;retry-after-date=2", "12", "rate_limit", "2"),
    ("429;retry-after-ms=300", "12", "rate_limit", "2"),
    ("quota", "12", "quota_exhausted", "2"),
    ("402", "12", "quota_exhausted", "2"),
    ("auth", "12", "auth", "2"),
    ("404", "12", "model_gone", "2"),
    ("wrong-model", "12", "model_gone", "2"),
    ("bad-request", "1", "bad_request", "said"),
];

/// The same for streams alone.
const STREAMS: [Row; 10] = [
    ("slow-first-token=5s", "12", "timeout", "2"),
    ("stall=1", "12", "timeout", "2"),
    ("cut=1", "112", "network network", "2"),
    ("close=1", "112", "network network", "2"),
    ("end=1", "112", "network network", "2"),
    ("malformed=1;repeat=3", "112", "network network", "2"),
    ("error-event=1", "112", "server_error server_error", "2"),
    ("error-event=1;as=overloaded", "12", "overload", "2"),
    ("malformed=1", "1", "", "1"),
    ("no-done", "1", "", "1"),
];

fn policy() -> String {
    POLICY.replace("timeout 5s, first_token 2s, idle 1s", "timeout 1s, first_token 800ms, idle 500ms")
}

fn request(stream: bool) -> String {
    if stream { chat_stream("gpt-4o", "x") } else { chat("gpt-4o", "x") }
}

async fn rig(faults: &str) -> Rig {
    Rig::with(Setup { policy: &policy(), faults, ..Setup::default() }).await
}

async fn holds((fault, attempts, failures, answers): Row, stream: bool) {
    let rig = rig(&format!("- {{provider: anthropic, fault: '{fault}'}}")).await;
    let begun = Instant::now();
    let answer = post(rig.address, &request(stream), &[]).await;
    let took = begun.elapsed();
    let line = &rig.lines.wait(1).await[0];
    let tried = line["attempts"].as_array().unwrap();
    let hops: String = tried.iter().map(|one| one["hop"].to_string()).collect();
    let words: Vec<&str> = tried.iter().filter_map(|one| one["failure"].as_str()).collect();
    assert_eq!((&*hops, &*words.join(" ")), (attempts, failures), "{fault}, stream {stream}: {line}");
    if answers == "said" {
        assert_eq!((answer.status, answer.header("x-should-retry")), (400, "false"), "{fault}: {}", answer.text());
    } else {
        assert_eq!(
            (answer.status, answer.header("x-wayside-hop"), answer.clean),
            (200, answers, true),
            "{fault}, {stream}"
        );
    }
    // One attempt at its limit, a backoff, and a busy machine.
    assert!(took < Duration::from_millis(4000), "{fault}, stream {stream}: {took:?}");
    let second = attempts.matches('2').count() as u64;
    let report = rig.simulator.seen();
    let seen = |provider: &str| {
        report.counts.get(provider).map_or(0, |models| models.values().map(|one| one.requests).sum::<u64>())
    };
    assert_eq!(seen("openai"), second, "{fault}, stream {stream}");
}

#[tokio::test]
async fn every_fault_of_the_first_hop_ends_as_the_matrix_says() {
    for row in ROWS {
        holds(row, false).await;
        holds(row, true).await;
    }
}

#[tokio::test]
async fn every_fault_of_a_stream_ends_as_the_matrix_says() {
    for row in STREAMS {
        holds(row, true).await;
    }
}

#[tokio::test]
async fn alone_a_busy_provider_is_waited_for_in_every_form_of_retry_after() {
    let alone = POLICY.replace("  fallback peer openai/gpt-5.4-2026-03-05\n", "");
    for (wait, least) in [("retry-after=1", 1000), ("retry-after-date=2", 1000), ("retry-after-ms=700", 700)] {
        for status in ["429", "503"] {
            let faults = format!("- {{provider: anthropic, fault: '{status};{wait}', first: 1}}");
            let rig = Rig::with(Setup { policy: &alone, faults: &faults, ..Setup::default() }).await;
            let begun = Instant::now();
            let answer = post(rig.address, &chat("gpt-4o", "x"), &[]).await;
            assert_eq!((answer.status, answer.header("x-wayside-hop")), (200, "1"), "{wait}: {}", answer.text());
            let took = begun.elapsed().as_millis();
            assert!((least..least + 3000).contains(&took), "{status};{wait}: {took} ms");
        }
    }
}

#[tokio::test]
async fn a_prompt_that_is_too_long_goes_to_a_larger_window_alone() {
    // `gpt-5.4-mini` has the smaller window of the two that follow.
    let windows = POLICY.replace(
        "  anthropic/claude-sonnet-5\n  openai/gpt-5.4-2026-03-05\n",
        "  openai/gpt-5.4-mini-2026-03-17\n  openai/gpt-5.4-2026-03-05\n  anthropic/claude-sonnet-5\n",
    );
    let windows = windows
        .replace("  snapshot anthropic/claude-sonnet-5\n", "  snapshot openai/gpt-5.4-mini-2026-03-17\n")
        .replace("max_prompt 8M", "max_prompt 100k");
    let faults = "- {model: gpt-5.4-mini-2026-03-17, fault: context-length}";
    let rig = Rig::with(Setup { policy: &windows, faults, ..Setup::default() }).await;
    let answer = post(rig.address, &chat("gpt-4o", "x"), &[]).await;
    assert_eq!((answer.status, answer.header("x-wayside-hop")), (200, "2"), "{}", answer.text());
    assert_eq!(rig.lines.wait(1).await[0]["attempts"][0]["failure"], "context_length");
    // The other way round nothing larger follows.
    let rig = self::rig("- {provider: anthropic, fault: context-length}").await;
    let answer = post(rig.address, &chat("gpt-4o", "x"), &[]).await;
    assert_eq!(answer.header("x-wayside-degraded"), "template sorry", "{}", answer.text());
}

#[tokio::test]
async fn a_filter_and_a_refusal_move_on_only_where_they_are_named() {
    for (fault, status) in [("filtered", 200), ("refusal", 200), ("content-filter", 400)] {
        for stream in [false, true] {
            let faults = format!("- {{provider: anthropic, fault: {fault}}}");
            let rig = self::rig(&faults).await;
            let answer = post(rig.address, &request(stream), &[]).await;
            assert_eq!((answer.status, answer.header("x-wayside-hop")), (status, "1"), "{fault}: {}", answer.text());
            let named = policy().replace("defaults {", "defaults { on [default, refusal, content_filter],");
            let rig = Rig::with(Setup { policy: &named, faults: &faults, ..Setup::default() }).await;
            let answer = post(rig.address, &request(stream), &[]).await;
            // A filter's verdict in a stream comes after its first words, and is seen too late.
            let late = stream && fault == "filtered";
            let hop = if late { "1" } else { "2" };
            assert_eq!((answer.status, answer.header("x-wayside-hop")), (200, hop), "{fault}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn a_provider_that_comes_back_is_tried_again_by_one_probe() {
    let config = "breakers: {attempts: 3, pause: 1s, longest_pause: 1s}\n";
    let faults = "- {provider: anthropic, fault: 500, first: 3}";
    let rig = Rig::with(Setup { policy: &policy(), faults, config, ..Setup::default() }).await;
    let hop = |answer: &Answer| answer.header("x-wayside-hop").to_owned();
    // Two failures of the first request and one of the second open the breaker.
    let begun = Instant::now();
    let mut hops = Vec::new();
    while begun.elapsed() < Duration::from_secs(15) {
        hops.push(hop(&post(rig.address, &chat("gpt-4o", "x"), &[]).await));
        if hops.last().unwrap() == "1" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(hops.last().unwrap(), "1", "it answers again");
    assert!(hops.iter().filter(|hop| *hop == "2").count() >= 3, "{hops:?}");
    let seen = rig.simulator.seen();
    assert_eq!(seen.counts["anthropic"]["claude-sonnet-5"].requests, 4, "three failures, and the probe");
}

#[tokio::test]
async fn every_503_of_a_chain_stops_the_clients_own_retries() {
    for fault in ["503", "429", "500", "auth", "silence"] {
        let policy = POLICY.replace("timeout 5s, first_token 2s", "timeout 400ms");
        let faults = format!("- {{fault: {fault}}}");
        let rig = Rig::with(Setup { policy: &policy, faults: &faults, ..Setup::default() }).await;
        for stream in [false, true] {
            let answer = post(rig.address, &request(stream), &[("x-wayside-feature", "tags")]).await;
            assert_eq!((answer.status, answer.header("x-should-retry")), (503, "false"), "{fault}: {}", answer.text());
            assert_eq!(answer.header("retry-after"), "", "{fault}");
        }
    }
}
