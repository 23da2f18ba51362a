//! A slow hop has the next one started beside it: whoever is quicker answers, the other is canceled, and both are in the books.

use std::time::{Duration, Instant};

use super::client::{Answer, Connection, chat, chat_stream, post, request};
use super::rig::{POLICY, Rig, Setup};

/// When the second leg starts.
const AFTER: &str = "200ms";

fn policy(hedge: &str) -> String {
    let plain = "  snapshot anthropic/claude-sonnet-5\n";
    POLICY.replace(plain, &format!("  snapshot anthropic/claude-sonnet-5, hedge after {hedge} up to 1\n"))
}

async fn rig(faults: &str) -> Rig {
    Rig::with(Setup { policy: &policy(AFTER), faults, ..Setup::default() }).await
}

fn of_hop(answer: &Answer, hop: &str) {
    assert_eq!((answer.status, answer.header("x-wayside-hop")), (200, hop), "{}", answer.text());
    assert_eq!(answer.header("x-wayside-degraded"), "", "{}", answer.text());
}

/// What the providers saw, once nothing is in flight: for each request its provider and whether the caller left it.
async fn seen(rig: &Rig) -> Vec<(String, bool)> {
    for _ in 0..500 {
        let report = rig.simulator.seen();
        if report.in_flight == 0 {
            return report.requests.into_iter().map(|one| (one.provider, one.client_gone)).collect();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("a call is still in flight");
}

fn pairs(list: &[(&str, bool)]) -> Vec<(String, bool)> {
    list.iter().map(|(name, gone)| ((*name).to_owned(), *gone)).collect()
}

#[tokio::test]
async fn a_slow_first_word_is_overtaken_and_its_connection_closed() {
    for (fault, body) in [("slow-first-token=10s", chat_stream("m", "x")), ("silence", chat("m", "x"))] {
        let rig = rig(&format!("- {{provider: anthropic, fault: {fault}}}")).await;
        let begun = Instant::now();
        let answer = post(rig.address, &body, &[]).await;
        of_hop(&answer, "2");
        let took = begun.elapsed();
        assert!((Duration::from_millis(200)..Duration::from_millis(1500)).contains(&took), "{took:?}");
        assert!(answer.clean);
        assert_eq!(seen(&rig).await, pairs(&[("anthropic", true), ("openai", false)]));

        let line = &rig.lines.wait(1).await[0];
        assert_eq!((&line["outcome"], &line["snapshot"]), (&"answered".into(), &"openai/gpt-5.4-2026-03-05".into()));
        let [lost, won] = &line["attempts"].as_array().unwrap()[..] else { panic!("{line}") };
        assert_eq!((&lost["canceled"], &lost["failure"]), (&true.into(), &serde_json::Value::Null), "{line}");
        assert!(lost["hedge"].is_null() && lost["duration_ms"].as_u64().unwrap() >= 200, "{line}");
        assert_eq!((&won["hedge"], &won["status"]), (&true.into(), &200.into()), "{line}");
        assert!(won["started_ms"].as_u64().unwrap() >= 200 && won["canceled"].is_null(), "{line}");
        // Both are paid for: what the loser used nobody counted.
        assert_eq!((&lost["usage"]["estimated"], &lost["usage"]["output"]), (&true.into(), &0.into()), "{line}");
        let input = |usage: &serde_json::Value| usage["input_uncached"].as_u64().unwrap();
        assert!(input(&lost["usage"]) > 0, "{line}");
        assert_eq!(input(&line["usage"]), input(&lost["usage"]) + input(&won["usage"]), "{line}");
        let cost = |one: &serde_json::Value| one["cost_usd"].as_str().unwrap().parse::<f64>().unwrap();
        assert!((cost(line) - cost(lost) - cost(won)).abs() < 1e-9 && cost(lost) > 0.0, "{line}");

        let page = Connection::open(rig.admin).await.get("/metrics").await.text();
        for (kind, result, snapshot) in
            [("first", "canceled", "anthropic/claude-sonnet-5"), ("hedge", "ok", "openai/gpt-5.4-2026-03-05")]
        {
            let labels = format!("kind=\"{kind}\",result=\"{result}\",snapshot=\"{snapshot}\"");
            assert!(page.contains(&format!("wayside_attempts_total{{{labels}}} 1")), "{labels}\n{page}");
        }
    }
}

#[tokio::test]
async fn the_first_may_win_after_all_and_a_quick_one_is_never_hedged() {
    let faults = "- {provider: anthropic, fault: slow-head=500ms}\n- {provider: openai, fault: silence}";
    for body in [chat("m", "x"), chat_stream("m", "x")] {
        let rig = rig(faults).await;
        of_hop(&post(rig.address, &body, &[]).await, "1");
        assert_eq!(seen(&rig).await, pairs(&[("anthropic", false), ("openai", true)]));
        let line = &rig.lines.wait(1).await[0];
        assert_eq!((&line["attempts"][1]["hedge"], &line["attempts"][1]["canceled"]), (&true.into(), &true.into()));
        rig.simulator.set_faults("").unwrap();
        of_hop(&post(rig.address, &body, &[]).await, "1");
        assert_eq!(rig.simulator.seen().total, 3);
    }
}

#[tokio::test]
async fn a_leg_that_fails_leaves_it_to_the_other() {
    let faults = "- {provider: anthropic, fault: slow-head=600ms}\n- {provider: openai, fault: 503}";
    let late = rig(faults).await;
    of_hop(&post(late.address, &chat("m", "x"), &[]).await, "1");
    let line = &late.lines.wait(1).await[0];
    assert_eq!((&line["attempts"][1]["failure"], &line["attempts"][1]["status"]), (&"overload".into(), &503.into()));
    assert!(line["attempts"][1]["usage"].is_null() && line["attempts"][0]["usage"].is_object(), "{line}");

    let faults = "- {provider: anthropic, fault: silence}\n- {provider: openai, fault: slow-head=2500ms}";
    let first = rig(faults).await;
    let answer = post(first.address, &chat_stream("m", "x"), &[]).await;
    assert_eq!(answer.header("x-wayside-degraded"), "template sorry", "{}", answer.text());
    let line = &first.lines.wait(1).await[0];
    let failures: Vec<_> = line["attempts"].as_array().unwrap().iter().map(|one| one["failure"].clone()).collect();
    assert_eq!(failures, ["timeout", "timeout"], "each had two seconds to its first word: {line}");
}

#[tokio::test]
async fn an_answer_that_says_no_is_the_answer() {
    let faults = "- {provider: anthropic, fault: silence}\n- {provider: openai, fault: refusal}";
    let rig = rig(faults).await;
    let answer = post(rig.address, &chat("m", "x"), &[]).await;
    assert_eq!((answer.status, answer.header("x-wayside-reason")), (200, "refusal"), "{}", answer.text());
    assert_eq!(answer.header("x-wayside-hop"), "2");
    assert_eq!(seen(&rig).await[0], ("anthropic".to_owned(), true));
}

#[tokio::test]
async fn the_callers_mistake_is_told_when_nobody_else_answers() {
    let faults = "- {provider: anthropic, fault: slow-head=600ms}\n- {provider: openai, fault: bad-request}";
    let one = rig(faults).await;
    of_hop(&post(one.address, &chat("m", "x"), &[]).await, "1");
    let faults = "- {provider: anthropic, fault: 503;slow-head=600ms}\n- {provider: openai, fault: bad-request}";
    let none = rig(faults).await;
    let answer = post(none.address, &chat("m", "x"), &[]).await;
    assert_eq!((answer.status, answer.header("x-wayside-hop")), (400, "2"), "{}", answer.text());
}

#[tokio::test]
async fn a_caller_who_leaves_cancels_both() {
    let rig = rig("- {fault: silence}").await;
    let mut connection = Connection::open(rig.address).await;
    connection.send(&request("POST", "/v1/chat/completions", &chat("m", "x"), &[])).await;
    while rig.simulator.seen().total < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(connection);
    let line = &rig.lines.wait(1).await[0];
    assert_eq!(line["outcome"], "client_gone");
    for attempt in line["attempts"].as_array().unwrap() {
        assert_eq!((&attempt["canceled"], &attempt["usage"]["estimated"]), (&true.into(), &true.into()), "{line}");
    }
    assert_eq!(seen(&rig).await, pairs(&[("anthropic", true), ("openai", true)]));
}

#[tokio::test]
async fn a_snapshot_that_asked_for_a_pause_meanwhile_is_no_leg() {
    let policy = policy("600ms").replace("timeout 5s, first_token 2s", "timeout 1500ms");
    let faults = "- {provider: anthropic, fault: silence}\n- {provider: openai, fault: 429;retry-after=30, first: 1}";
    let rig = Rig::with(Setup { policy: &policy, faults, ..Setup::default() }).await;
    let address = rig.address;
    let slow = tokio::spawn(async move { post(address, &chat("m", "x"), &[]).await });
    while rig.simulator.seen().total < 1 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Another request is told that the second hop's snapshot wants a pause.
    assert_eq!(post(rig.address, &chat("m", "y"), &[("x-wayside-feature", "tags")]).await.status, 503);
    of_hop(&slow.await.unwrap(), "2");
    let lines = rig.lines.wait(2).await;
    let line = lines.iter().find(|line| line["hop"] == 2).unwrap();
    let [first, second] = &line["attempts"].as_array().unwrap()[..] else { panic!("{line}") };
    assert_eq!((&first["failure"], &second["hedge"]), (&"timeout".into(), &serde_json::Value::Null), "{line}");
}

#[tokio::test]
async fn a_p95_is_waited_for_once_it_is_known() {
    let rig = Rig::with(Setup { policy: &policy("p95"), faults: "", ..Setup::default() }).await;
    rig.simulator.set_faults("- {provider: anthropic, fault: slow-head=100ms}").unwrap();
    of_hop(&post(rig.address, &chat("m", "x"), &[]).await, "1");
    assert!(rig.lines.wait(1).await[0]["readings"]["metrics"].is_null(), "one sample is too few");
    let mut count = 1;
    loop {
        // Whoever is slower than a p95 that is known already is hedged, so either hop may answer.
        assert_eq!(post(rig.address, &chat("m", "x"), &[]).await.status, 200);
        count += 1;
        let line = &rig.lines.wait(count).await[count - 1];
        if let Some(p95) = line["readings"]["metrics"]["p95 of anthropic/claude-sonnet-5"].as_u64() {
            assert!(count > 30 && (100..2000).contains(&p95), "{p95} after {count}");
            break;
        }
        assert!(count < 300, "no p95 after {count} answers");
    }
    rig.simulator.set_faults("- {provider: anthropic, fault: silence}").unwrap();
    of_hop(&post(rig.address, &chat("m", "x"), &[]).await, "2");
    let line = &rig.lines.wait(count + 1).await[count];
    assert_eq!(line["attempts"][1]["hedge"], true, "{line}");
}
