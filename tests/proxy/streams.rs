//! Streams: held, released, relayed, broken, left.

use std::time::Duration;

use super::client::{Connection, chat_stream, post, request};
use super::rig::{POLICY, Rig, Setup};

fn stream() -> String {
    chat_stream("gpt-4o", "tell me something")
}

#[tokio::test]
async fn a_stream_arrives_event_by_event_and_ends_cleanly() {
    let rig = Rig::with_faults("- {fault: events=200}").await;
    let answer = post(rig.address, &stream(), &[]).await;
    assert_eq!((answer.status, answer.clean), (200, true));
    assert_eq!(answer.header("content-type"), "text/event-stream; charset=utf-8");
    assert_eq!(answer.header("x-wayside-hop"), "1");
    let events = answer.events();
    assert!(events.len() >= 202, "{}", events.len());
    assert_eq!(events.last().unwrap(), "[DONE]");
    let line = &rig.lines.wait(1).await[0];
    assert_eq!((&line["outcome"], &line["drift"]), (&"answered".into(), &false.into()));
    assert!(line["first_token_ms"].is_number());
}

#[tokio::test]
async fn no_event_waits_for_the_next_one() {
    let rig = Rig::with_faults("- {fault: events=3;delay=400ms}").await;
    let mut connection = Connection::open(rig.address).await;
    connection.send(&request("POST", "/v1/chat/completions", &stream(), &[])).await;
    let begun = std::time::Instant::now();
    connection.until("\"content\":").await;
    assert!(begun.elapsed() < Duration::from_millis(350), "{:?}", begun.elapsed());
    assert!(connection.answer().await.clean);
    assert!(begun.elapsed() > Duration::from_millis(700));
}

#[tokio::test]
async fn whatever_breaks_before_the_first_word_is_rescued() {
    for fault in [
        "error-event=0",
        "error-event=1",
        "cut=1",
        "close=1",
        "end=1",
        "stall=1",
        "503",
        "malformed=1;repeat=3",
        "wrong-model",
        "slow-first-token=5s",
    ] {
        let policy = POLICY.replace("first_token 2s, idle 1s", "first_token 600ms, idle 400ms");
        let faults = format!("- {{provider: anthropic, fault: '{fault}'}}");
        let rig = Rig::with(Setup { policy: &policy, faults: &faults, ..Setup::default() }).await;
        let answer = post(rig.address, &stream(), &[]).await;
        assert_eq!(
            (answer.status, answer.header("x-wayside-hop"), answer.clean),
            (200, "2", true),
            "{fault}: {}",
            answer.text()
        );
        assert!(!answer.text().contains("error"), "{fault}: {}", answer.text());
        assert_eq!(answer.events().last().unwrap(), "[DONE]");
    }
}

#[tokio::test]
async fn whatever_breaks_after_the_first_word_ends_with_an_error_and_not_cleanly() {
    for fault in ["cut=5", "close=5", "end=5", "stall=5", "error-event=5", "malformed=5;repeat=3"] {
        let policy = POLICY.replace("idle 1s", "idle 300ms");
        let faults = format!("- {{provider: anthropic, fault: '{fault};events=20'}}");
        let rig = Rig::with(Setup { policy: &policy, faults: &faults, ..Setup::default() }).await;
        let answer = post(rig.address, &stream(), &[]).await;
        assert_eq!((answer.status, answer.header("x-wayside-hop")), (200, "1"), "{fault}");
        assert!(!answer.clean, "{fault}: a cut stream ended cleanly: {}", answer.text());
        assert!(!answer.text().contains("[DONE]"), "{fault}: {}", answer.text());
        let last = answer.events().pop().unwrap();
        assert!(last.contains("\"code\":\"stream_cut\""), "{fault}: {last}");
        assert_eq!(rig.lines.wait(1).await[0]["outcome"], "cut", "{fault}");
    }
}

#[tokio::test]
async fn a_missing_done_is_added_and_a_single_bad_event_is_left_out() {
    for fault in ["no-done", "malformed=4"] {
        let rig = Rig::with_faults(&format!("- {{fault: {fault}}}")).await;
        let answer = post(rig.address, &stream(), &[]).await;
        assert!(answer.clean, "{fault}");
        let events = answer.events();
        assert_eq!(events.iter().filter(|data| *data == "[DONE]").count(), 1, "{fault}");
        assert_eq!(events.last().unwrap(), "[DONE]", "{fault}");
        assert!(events.iter().all(|data| data == "[DONE]" || serde_json::from_str::<serde_json::Value>(data).is_ok()));
    }
}

#[tokio::test]
async fn a_refusal_or_a_filter_in_a_stream_is_an_answer() {
    for fault in ["refusal", "filtered"] {
        let rig = Rig::with_faults(&format!("- {{provider: anthropic, fault: {fault}}}")).await;
        let answer = post(rig.address, &stream(), &[]).await;
        assert_eq!((answer.header("x-wayside-hop"), answer.clean), ("1", true), "{fault}: {}", answer.text());
    }
}

#[tokio::test]
async fn when_no_hop_streams_the_template_does() {
    let rig = Rig::with_faults("- {fault: 503}").await;
    let answer = post(rig.address, &stream(), &[]).await;
    assert_eq!((answer.status, answer.clean), (200, true));
    assert_eq!(answer.streamed(), "Please try again later.");
    assert_eq!(answer.events().last().unwrap(), "[DONE]");
}

#[tokio::test]
async fn a_caller_who_leaves_cancels_the_upstream() {
    for fault in ["silence", "events=500;delay=50ms"] {
        let rig = Rig::with_faults(&format!("- {{fault: {fault}}}")).await;
        let mut connection = Connection::open(rig.address).await;
        connection.send(&request("POST", "/v1/chat/completions", &stream(), &[])).await;
        if fault != "silence" {
            connection.until("data:").await;
        } else {
            while rig.simulator.seen().total == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        drop(connection);
        let report = rig.simulator.settled(Duration::from_secs(3)).await;
        assert_eq!((report.in_flight, report.total), (0, 1), "{fault}");
        assert!(report.requests[0].client_gone, "{fault}");
        assert_eq!(rig.lines.wait(1).await[0]["outcome"], "client_gone", "{fault}");
    }
}

#[tokio::test]
async fn a_released_stream_is_cut_at_its_limit_and_not_at_the_attempts() {
    let policy = POLICY.replace("timeout 5s, first_token 2s, idle 1s", "timeout 300ms, stream_limit 1s");
    let faults = "- {provider: anthropic, fault: events=100;delay=50ms}";
    let rig = Rig::with(Setup { policy: &policy, faults, ..Setup::default() }).await;
    let begun = std::time::Instant::now();
    let answer = post(rig.address, &stream(), &[]).await;
    assert!(!answer.clean && answer.events().len() > 10, "{}", answer.text());
    let took = begun.elapsed();
    assert!(took > Duration::from_millis(900) && took < Duration::from_millis(1600), "{took:?}");
}

#[tokio::test]
async fn a_slow_reader_slows_the_upstream_and_does_not_grow_memory() {
    // The simulator composes all of it before it begins.
    let policy = POLICY.replace("timeout 5s, first_token 2s", "timeout 15s, first_token 15s").replace("20s", "60s");
    let rig = Rig::with(Setup { policy: &policy, faults: "- {fault: 'bytes=40000000'}", ..Setup::default() }).await;
    let mut connection = Connection::open(rig.address).await;
    connection.send(&request("POST", "/v1/chat/completions", &stream(), &[])).await;
    connection.until("data:").await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    let report = rig.simulator.seen();
    assert_eq!(report.in_flight, 1, "the upstream has sent everything, so somebody holds it");
    // Socket buffers on both sides, and one batch.
    assert!(report.requests[0].bytes < 20_000_000, "{} bytes were taken ahead of the reader", report.requests[0].bytes);
}
