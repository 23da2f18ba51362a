//! Which hop answers, and what the caller is told about it.

use super::client::{chat, post};
use super::rig::{KEY, Rig};

#[tokio::test]
async fn the_first_hop_answers_a_healthy_request() {
    let rig = Rig::new().await;
    let answer = post(rig.address, &chat("gpt-4o", "hello"), &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("x-wayside-rule"), "otherwise");
    assert_eq!(answer.header("x-wayside-tier"), "mid");
    assert_eq!(answer.header("x-wayside-snapshot"), "anthropic/claude-sonnet-5");
    assert_eq!(answer.header("x-wayside-hop"), "1");
    assert_eq!(answer.header("content-type"), "application/json");
    assert!(answer.header("x-request-id").starts_with("req_"));
    assert_eq!(answer.json()["model"], "claude-sonnet-5");
    let seen = rig.simulator.seen();
    assert_eq!((seen.total, &*seen.requests[0].model), (1, "claude-sonnet-5"));
}

#[tokio::test]
async fn a_failing_first_hop_is_answered_by_the_second() {
    let rig = Rig::with_faults("- {provider: anthropic, fault: 503}").await;
    let answer = post(rig.address, &chat("gpt-4o", "hello"), &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(
        (answer.header("x-wayside-hop"), answer.header("x-wayside-snapshot")),
        ("2", "openai/gpt-5.4-2026-03-05")
    );
    let line = &rig.lines.wait(1).await[0];
    assert_eq!(line["attempts"][0]["failure"], "overload");
    assert_eq!(line["attempts"][0]["status"], 503);
    assert_eq!((&line["hop"], &line["outcome"]), (&2.into(), &"answered".into()));
}

#[tokio::test]
async fn a_server_error_is_tried_once_more_on_the_same_hop() {
    let rig = Rig::with_faults("- {provider: anthropic, fault: 500, first: 1}").await;
    let answer = post(rig.address, &chat("gpt-4o", "hello"), &[]).await;
    assert_eq!((answer.status, answer.header("x-wayside-hop")), (200, "1"));
    assert_eq!(rig.simulator.seen().counts["anthropic"]["claude-sonnet-5"].requests, 2);
}

#[tokio::test]
async fn every_hard_failure_moves_on() {
    for fault in [
        "refused",
        "reset",
        "hangup",
        "garbage",
        "429",
        "quota",
        "auth",
        "404",
        "truncated",
        "not-json",
        "empty-body",
        "wrong-model",
    ] {
        let rig = Rig::with_faults(&format!("- {{provider: anthropic, fault: {fault}}}")).await;
        let answer = post(rig.address, &chat("gpt-4o", "hello"), &[]).await;
        assert_eq!((answer.status, answer.header("x-wayside-hop")), (200, "2"), "{fault}: {}", answer.text());
    }
}

#[tokio::test]
async fn silence_is_a_timeout_and_moves_on() {
    let policy = super::rig::POLICY.replace("timeout 5s, first_token 2s", "timeout 300ms");
    let setup =
        super::rig::Setup { policy: &policy, faults: "- {provider: anthropic, fault: silence}", ..Default::default() };
    let rig = Rig::with(setup).await;
    let answer = post(rig.address, &chat("gpt-4o", "hello"), &[]).await;
    assert_eq!((answer.status, answer.header("x-wayside-hop")), (200, "2"), "{}", answer.text());
    assert_eq!(rig.lines.wait(1).await[0]["attempts"][0]["failure"], "timeout");
}

#[tokio::test]
async fn when_nothing_answers_the_template_does() {
    let rig = Rig::with_faults("- {fault: 503}").await;
    let answer = post(rig.address, &chat("gpt-4o", "hello"), &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("x-wayside-degraded"), "template sorry");
    assert_eq!(answer.json()["choices"][0]["message"]["content"], "Please try again later.");
    assert_eq!(rig.lines.wait(1).await[0]["outcome"], "degraded");
}

#[tokio::test]
async fn an_error_step_has_its_own_status_and_stops_retries_of_the_client() {
    let rig = Rig::with_faults("- {fault: 503}").await;
    let answer = post(rig.address, &chat("gpt-4o", "hello"), &[("x-wayside-feature", "tags")]).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["error"]["message"], "no tags today");
    assert_eq!((answer.header("x-wayside-degraded"), answer.header("x-should-retry")), ("error", "false"));
}

#[tokio::test]
async fn the_callers_own_mistake_is_returned_in_the_providers_words() {
    let rig = Rig::with_faults("- {provider: anthropic, fault: bad-request}").await;
    let answer = post(rig.address, &chat("gpt-4o", "hello"), &[]).await;
    assert_eq!((answer.status, answer.header("x-wayside-reason")), (400, "bad_request"), "{}", answer.text());
    assert_eq!(rig.simulator.seen().total, 1);
}

#[tokio::test]
async fn a_rule_that_rejects_answers_itself() {
    let rig = Rig::new().await;
    let answer = post(rig.address, &chat("gpt-4o", "hello"), &[("x-wayside-user", "blocked")]).await;
    assert_eq!((answer.status, answer.code()), (403, "rejected_by_policy".to_owned()));
    assert_eq!(answer.header("x-wayside-rule"), "blocked");
    assert_eq!(rig.simulator.seen().total, 0);
}

#[tokio::test]
async fn a_shorter_deadline_of_the_caller_holds() {
    let rig = Rig::with_faults("- {provider: anthropic, fault: silence}").await;
    let begun = std::time::Instant::now();
    let answer = post(rig.address, &chat("gpt-4o", "hello"), &[("x-wayside-deadline-ms", "1500")]).await;
    assert!(begun.elapsed().as_millis() < 1900, "{:?}", begun.elapsed());
    assert_eq!(answer.header("x-wayside-degraded"), "template sorry", "{}", answer.text());
}

#[tokio::test]
async fn nothing_of_the_callers_head_and_no_key_goes_where_it_does_not_belong() {
    let rig = Rig::with_faults("- {provider: anthropic, fault: auth}").await;
    let headers = [
        ("authorization", "Bearer caller-key"),
        ("cookie", "a=b"),
        ("x-stainless-lang", "python"),
        ("accept-encoding", "gzip"),
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
    ];
    let answer = post(rig.address, &chat("gpt-4o", "hello"), &headers[..4]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    for seen in rig.simulator.seen().requests {
        let names: Vec<&str> = seen.headers.keys().map(String::as_str).collect();
        assert_eq!(names, ["accept", "authorization", "content-length", "content-type", "host", "user-agent"]);
        assert!(seen.headers["host"].starts_with("127.0.0.1"));
        assert!(!seen.headers["authorization"].contains("caller"));
    }
    let mut admin = super::client::Connection::open(rig.admin).await;
    let pages =
        [admin.get("/metrics").await.text(), admin.get("/status").await.text(), rig.lines.text(), answer.text()];
    for page in pages {
        assert!(!page.contains(KEY) && !page.contains("caller-key"), "{page}");
    }
}

#[tokio::test]
async fn a_cap_of_the_policy_has_the_name_that_the_provider_knows() {
    for (openai, name) in [("", "max_completion_tokens"), ("output_cap: max_tokens, ", "max_tokens")] {
        let rig = Rig::with(super::rig::Setup { openai, ..Default::default() }).await;
        let body = chat("gpt-4o", "hello");
        assert_eq!(post(rig.address, &body, &[("x-wayside-feature", "tags")]).await.status, 200);
        let expected = body.replace("gpt-4o", "gpt-5.4-2026-03-05").replacen('{', &format!("{{\"{name}\":50,"), 1);
        assert_eq!(rig.simulator.seen().requests[0].body_sha256, sha256(&expected));
    }
}

fn sha256(text: &str) -> String {
    <sha2::Sha256 as sha2::Digest>::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn the_body_goes_through_with_only_its_model_replaced() {
    let rig = Rig::new().await;
    let body = r#" { "messages" : [{"role":"user","content":"h\u00e9llo"}],"x_unknown":[1,2,{"a":null}], "model":"any", "seed":7 } "#;
    assert_eq!(post(rig.address, body, &[]).await.status, 200);
    let expected = body.replace("\"any\"", "\"claude-sonnet-5\"");
    let seen = &rig.simulator.seen().requests[0];
    assert_eq!((seen.body_bytes, &seen.body_sha256), (expected.len() as u64, &sha256(&expected)));
}
