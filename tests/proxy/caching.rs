//! Answers that are given again: while they are fresh, when nothing else answers, and never to somebody else.

use super::client::{Answer, Connection, chat, chat_stream, post};
use super::rig::{POLICY, Rig, Setup};

/// `otherwise` keeps answers for a time, and gives them again for another one when nothing else answers.
fn policy(fresh: &str, up_to: &str) -> String {
    let steps =
        format!("cache exact for {fresh} per [tenant]\n  degrade cached up to {up_to}\n  degrade template sorry");
    POLICY.replace("degrade template sorry", &steps)
}

async fn rig(fresh: &str, up_to: &str, faults: &str) -> Rig {
    let policy = policy(fresh, up_to);
    Rig::with(Setup { policy: &policy, faults, ..Default::default() }).await
}

async fn ask(rig: &Rig, body: &str, tenant: &str) -> Answer {
    post(rig.address, body, &[("x-wayside-tenant", tenant)]).await
}

/// From here on no provider answers, and each takes a moment to say so.
fn fail_all(rig: &Rig) {
    rig.simulator.set_faults("- {fault: 503;slow-head=10ms}").unwrap();
}

/// Asks until the answer is no longer fresh.
async fn ask_stale(rig: &Rig, body: &str) -> Answer {
    loop {
        let answer = ask(rig, body, "acme").await;
        if !answer.header("x-wayside-degraded").is_empty() {
            return answer;
        }
    }
}

#[tokio::test]
async fn a_fresh_answer_is_given_again_without_a_provider() {
    let rig = rig("1h", "1h", "").await;
    for (stream, lines) in [(false, 1), (true, 3)] {
        let body = if stream { chat_stream("gpt-4o", "hello") } else { chat("gpt-4o", "hello") };
        let first = ask(&rig, &body, "acme").await;
        // The line is written when everything about a request is done.
        rig.lines.wait(lines).await;
        let before = rig.simulator.seen().total;
        let spaced = body.replacen(':', " :  ", 1);
        let second = ask(&rig, &spaced, "acme").await;
        assert_eq!((second.status, second.clean, second.text()), (200, true, first.text()));
        assert_eq!((second.header("age"), second.header("x-wayside-degraded")), ("0", ""));
        assert_eq!(second.header("x-wayside-snapshot"), first.header("x-wayside-snapshot"));
        assert_eq!((second.header("content-type"), second.header("x-wayside-hop")), (first.header("content-type"), ""));
        assert_eq!(rig.simulator.seen().total, before);
    }
    let lines = rig.lines.wait(4).await;
    assert_eq!((&lines[0]["cache"], &lines[1]["cache"]), (&"miss".into(), &"hit".into()));
    assert_eq!((&lines[1]["outcome"], &lines[1]["attempts"]), (&"answered".into(), &serde_json::json!([])));
    let page = Connection::open(rig.admin).await.get("/metrics").await.text();
    for line in ["result=\"hit\",rule=\"otherwise\"} 2", "result=\"miss\",rule=\"otherwise\"} 2"] {
        assert!(page.contains(line), "{line}\n--- in\n{page}");
    }
}

#[tokio::test]
async fn nobody_gets_the_answer_of_somebody_else_or_to_something_else() {
    let rig = rig("1h", "1h", "").await;
    ask(&rig, &chat("gpt-4o", "hello"), "acme").await;
    for (body, tenant) in [
        (chat("gpt-4o", "hello"), "other_one"),
        (chat("gpt-4o", "hello "), "acme"),
        (chat("gpt-5", "hello"), "acme"),
        (chat_stream("gpt-4o", "hello"), "acme"),
    ] {
        let answer = ask(&rig, &body, tenant).await;
        assert_eq!((answer.status, answer.header("age")), (200, ""), "{body}");
    }
    // `user` is what a rule looks at, so it is part of what makes a request the same.
    let headers = [("x-wayside-tenant", "acme"), ("x-wayside-user", "jo")];
    assert_eq!(post(rig.address, &chat("gpt-4o", "hello"), &headers).await.header("age"), "");
    assert_eq!(ask(&rig, &chat("gpt-4o", "hello"), "acme").await.header("age"), "0");
}

#[tokio::test]
async fn when_nothing_answers_an_old_answer_does() {
    for stream in [false, true] {
        let rig = rig("1ms", "1h", "").await;
        let body = if stream { chat_stream("gpt-4o", "hello") } else { chat("gpt-4o", "hello") };
        let first = ask(&rig, &body, "acme").await;
        rig.lines.wait(1).await;
        fail_all(&rig);
        let second = ask_stale(&rig, &body).await;
        assert_eq!((second.status, second.header("x-wayside-degraded")), (200, "cached"), "{}", second.text());
        assert_eq!((second.text(), second.header("age")), (first.text(), "0"));
        assert_eq!(second.header("x-wayside-snapshot"), "anthropic/claude-sonnet-5");
        let never_asked = ask(&rig, &chat("gpt-4o", "something new"), "acme").await;
        assert_eq!(never_asked.header("x-wayside-degraded"), "template sorry");
        let lines = rig.lines.wait(3).await;
        let line = lines.iter().find(|line| line["degraded"] == "cached").unwrap();
        assert_eq!((&line["outcome"], &line["cache"]), (&"degraded".into(), &"stale".into()));
        assert!(line["cache_age_ms"].is_u64() && line["attempts"].as_array().unwrap().len() >= 2, "{line}");
        let page = Connection::open(rig.admin).await.get("/metrics").await.text();
        assert!(page.contains("wayside_degraded_total{rule=\"otherwise\",step=\"cached\"} 1"), "{page}");
    }
}

#[tokio::test]
async fn an_answer_older_than_the_step_allows_is_not_given() {
    let rig = rig("1ms", "1ms", "").await;
    let body = chat("gpt-4o", "hello");
    assert_eq!(ask(&rig, &body, "acme").await.status, 200);
    fail_all(&rig);
    let answer = ask_stale(&rig, &body).await;
    assert_eq!((answer.status, answer.header("x-wayside-degraded")), (200, "template sorry"), "{}", answer.text());
}

/// The chain of now could not have given it, so neither its guarantees nor anybody's approval was held against who did.
#[tokio::test]
async fn an_old_answer_of_somebody_whom_the_chain_has_no_more_is_not_given() {
    let rig = rig("1ms", "1h", "").await;
    let body = chat("gpt-4o", "hello");
    assert_eq!(ask(&rig, &body, "acme").await.header("x-wayside-snapshot"), "anthropic/claude-sonnet-5");
    rig.lines.wait(1).await;
    let path = rig.directory.path().join("wayside.yaml");
    let whole = std::fs::read_to_string(&path).unwrap();
    let without: String = whole.split_inclusive('\n').filter(|line| !line.contains("  anthropic:")).collect();
    fail_all(&rig);
    for (config, step) in [(&without, "template sorry"), (&whole, "cached")] {
        std::fs::write(&path, config).unwrap();
        rig.sidecar.as_ref().unwrap().reload().unwrap();
        let answer = ask_stale(&rig, &body).await;
        assert_eq!(answer.header("x-wayside-degraded"), step, "{}", answer.text());
    }
}

#[tokio::test]
async fn what_was_refused_cut_or_asks_for_an_action_is_not_kept() {
    for (fault, body) in [
        ("refusal", chat("gpt-4o", "hello")),
        ("refusal", chat_stream("gpt-4o", "hello")),
        ("cut=3", chat_stream("gpt-4o", "hello")),
        ("none", with_tool(&chat("gpt-4o", "use the tool"))),
        ("none", with_tool(&chat_stream("gpt-4o", "use the tool"))),
    ] {
        let rig = rig("1h", "1h", &format!("- {{fault: {fault}}}")).await;
        let first = ask(&rig, &body, "acme").await;
        assert_eq!(first.status, 200, "{fault}: {}", first.text());
        rig.lines.wait(1).await;
        let second = ask(&rig, &body, "acme").await;
        assert_eq!((second.header("age"), second.header("x-wayside-degraded")), ("", ""), "{fault}: {}", first.text());
    }
}

fn with_tool(body: &str) -> String {
    let tool = r#"{"tools":[{"type":"function","function":{"name":"refund","parameters":{"type":"object"}}}],"#;
    body.replacen('{', tool, 1)
}

#[tokio::test]
async fn a_reload_that_changes_the_policy_forgets_its_answers() {
    let rig = rig("1h", "1h", "").await;
    let body = chat("gpt-4o", "hello");
    ask(&rig, &body, "acme").await;
    std::fs::write(rig.policy_path(), policy("2h", "1h")).unwrap();
    // Whoever is first, the watcher or this.
    rig.sidecar.as_ref().unwrap().reload().unwrap();
    assert_eq!(ask(&rig, &body, "acme").await.header("age"), "");
    assert_eq!(ask(&rig, &body, "acme").await.header("age"), "0");
}
