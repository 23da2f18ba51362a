//! How much of a stream is held back, over sockets, however its bytes arrive.

use super::client::{chat_stream, post};
use super::rig::{POLICY, Rig, Setup};
use super::scripted::{End, Script, delta, event, says, upstream};

const MODEL: &str = "claude-sonnet-5";
const WORDS: [&str; 6] = ["one ", "two ", "three ", "four ", "five ", "six ☃"];

fn policy(hold: &str) -> String {
    POLICY.replace("  degrade template sorry", &format!("  hold {hold}\n  degrade template sorry"))
}

/// Sizes of pieces: single bytes, places in the middle of names, numbers and characters, all at once.
const PIECES: [usize; 8] = [1, 2, 3, 7, 64, 181, 1024, usize::MAX];

#[tokio::test]
async fn a_healthy_stream_is_the_same_at_every_hold_and_every_chunking() {
    let whole = says(MODEL, &WORDS);
    let mut no_done = whole.clone();
    no_done.pop();
    for hold in ["first_token", "3 tokens", "1000 tokens", "complete"] {
        let mut scripts: Vec<_> = PIECES.iter().map(|piece| Script::stream(&whole).pieces(*piece)).collect();
        scripts.extend(PIECES.iter().map(|piece| Script::stream(&no_done).pieces(*piece)));
        let count = scripts.len();
        let there = format!("base_url: 'http://{}/v1'", upstream(scripts).await);
        let policy = policy(hold);
        let rig = Rig::with(Setup { policy: &policy, anthropic: Some(&there), ..Setup::default() }).await;
        for at in 0..count {
            let answer = post(rig.address, &chat_stream("gpt-4o", "x"), &[]).await;
            assert_eq!((answer.status, answer.header("x-wayside-hop"), answer.clean), (200, "1", true), "{hold} {at}");
            assert_eq!(answer.text(), whole.concat(), "{hold} {at}");
        }
    }
}

/// What breaks after two words of six: rescued by whoever holds more than two.
#[tokio::test]
async fn what_breaks_while_it_is_held_is_rescued_at_every_chunking() {
    let front = says(MODEL, &WORDS)[..3].to_vec();
    let with = |last: String| [front.clone(), vec![last]].concat();
    let broken = [
        Script::stream(&front).end(End::Cut),
        Script::stream(&front),
        Script::stream(&front).end(End::Hang),
        Script::stream(&with(event(r#"{"error":{"message":"The server had an error","type":"server_error"}}"#))),
        Script::stream(&[front.clone(), vec![event("{"), event("{"), event("{")]].concat()),
        Script::stream(&with(event("[DONE]"))),
    ];
    for (hold, hop) in [("1 tokens", "1"), ("50 tokens", "2"), ("complete", "2")] {
        let scripts: Vec<_> =
            PIECES.iter().flat_map(|piece| broken.iter().map(move |script| script.clone().pieces(*piece))).collect();
        let count = scripts.len();
        let there = format!("base_url: 'http://{}/v1'", upstream(scripts).await);
        // No retry on the same hop, and no breaker: every script is played once.
        let policy = policy(hold).replace("first_token 2s, idle 1s", "first_token 2s, idle 300ms, retry 0");
        let config = "breakers: {attempts: 1000}\n";
        let rig = Rig::with(Setup { policy: &policy, config, anthropic: Some(&there), ..Setup::default() }).await;
        for at in 0..count {
            let answer = post(rig.address, &chat_stream("gpt-4o", "x"), &[]).await;
            // On a busy machine a comment may have gone out before the second hop answers, with a head that names no hop.
            let answered = rig.lines.wait(at + 1).await[at]["hop"].to_string();
            assert_eq!((answer.status, &*answered), (200, hop), "{hold} {at}: {}", answer.text());
            assert_eq!(answer.clean, hop == "2", "{hold} {at}: {}", answer.text());
            assert_eq!(answer.text().contains("one "), hop == "1", "{hold} {at}: {}", answer.text());
        }
    }
}

/// Some servers say the last word and the reason for the end in one event.
#[tokio::test]
async fn a_reason_for_the_end_is_not_said_before_the_end_however_early_it_comes() {
    let both = vec![delta(MODEL, r#"{"role":"assistant","content":"one"}"#, "\"stop\"")];
    let whole = [both.clone(), vec![event("[DONE]")]].concat();
    for hold in ["first_token", "1 tokens"] {
        let scripts = vec![Script::stream(&whole), Script::stream(&both), Script::stream(&both).end(End::Cut)];
        let there = format!("base_url: 'http://{}/v1'", upstream(scripts).await);
        let policy = policy(hold).replace("first_token 2s, idle 1s", "first_token 2s, idle 1s, retry 0");
        let rig = Rig::with(Setup { policy: &policy, anthropic: Some(&there), ..Setup::default() }).await;
        for script in ["whole", "without [DONE]"] {
            let answer = post(rig.address, &chat_stream("gpt-4o", "x"), &[]).await;
            assert_eq!((answer.text(), answer.clean), (whole.concat(), true), "{hold}: {script}");
        }
        let answer = post(rig.address, &chat_stream("gpt-4o", "x"), &[]).await;
        assert!(!answer.clean && !answer.text().contains("\"stop\""), "{hold}: {}", answer.text());
        assert!(answer.events().last().unwrap().contains("stream_cut"), "{hold}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_late_refusal_moves_on_where_it_is_named_and_still_held() {
    let refusal = [
        &says(MODEL, &["I think "])[..2],
        &[delta(MODEL, r#"{"refusal":"I cannot help with that."}"#, "null"), delta(MODEL, "{}", "\"stop\"")],
        &[event("[DONE]")],
    ]
    .concat();
    for (hold, hop) in [("first_token", "1"), ("50 tokens", "2"), ("complete", "2")] {
        let there = format!("base_url: 'http://{}/v1'", upstream(vec![Script::stream(&refusal)]).await);
        let policy = policy(hold).replace("defaults {", "defaults { on [default, refusal],");
        let rig = Rig::with(Setup { policy: &policy, anthropic: Some(&there), ..Setup::default() }).await;
        let answer = post(rig.address, &chat_stream("gpt-4o", "x"), &[]).await;
        assert_eq!((answer.status, answer.header("x-wayside-hop"), answer.clean), (200, hop, true), "{hold}");
    }
}

/// Comments come whenever one and a half `idle` of the chain's first hop have passed.
#[tokio::test]
async fn a_caller_of_a_held_stream_hears_comments_meanwhile() {
    let policy = policy("complete").replace("idle 1s", "idle 400ms");
    let slow = "- {provider: anthropic, fault: 'events=8;delay=150ms'}";
    let rig = Rig::with(Setup { policy: &policy, faults: slow, ..Setup::default() }).await;
    let answer = post(rig.address, &chat_stream("gpt-4o", "x"), &[]).await;
    assert_eq!((answer.status, answer.clean), (200, true), "{}", answer.text());
    assert_eq!(answer.header("content-type"), "text/event-stream; charset=utf-8");
    let text = answer.text();
    let comments = text.matches(": keep-alive\n\n").count();
    assert!((1..=8).contains(&comments), "{text}");
    assert!(text.find("keep-alive") < text.find("data:"), "nothing of the answer before its end: {text}");
    assert!(text.rfind("keep-alive") < text.find("data:"), "and then all of it at once: {text}");
    assert_eq!(answer.events().last().unwrap(), "[DONE]");
}

#[tokio::test]
async fn what_fails_after_a_comment_is_told_in_the_stream() {
    // A second of silence before the head, and then nothing that helps.
    let policy = policy("complete").replace("idle 1s", "idle 400ms");
    for (degrade, says) in [("template sorry", "Please try again later."), ("error 503 \"not today\"", "not today")] {
        let policy = policy.replace("degrade template sorry", &format!("degrade {degrade}"));
        let faults = "- {fault: '503;slow-head=1s'}";
        let rig = Rig::with(Setup { policy: &policy, faults, ..Setup::default() }).await;
        let answer = post(rig.address, &chat_stream("gpt-4o", "x"), &[]).await;
        assert_eq!((answer.status, answer.clean), (200, degrade.starts_with("template")), "{}", answer.text());
        assert!(answer.text().starts_with(": keep-alive\n\n"), "{}", answer.text());
        assert!(answer.text().contains(says), "{}", answer.text());
        assert_eq!(answer.text().contains("[DONE]"), answer.clean, "{}", answer.text());
        assert_eq!(rig.lines.wait(1).await[0]["status"], 200);
    }
    let faults = "- {fault: 'bad-request;slow-head=1s'}";
    let rig = Rig::with(Setup { policy: &policy, faults, ..Setup::default() }).await;
    let answer = post(rig.address, &chat_stream("gpt-4o", "x"), &[]).await;
    assert!(answer.events().last().unwrap().contains("\"code\":\"bad_request\""), "{}", answer.text());
    assert!(!answer.clean, "{}", answer.text());
}

#[tokio::test]
async fn four_megabytes_are_held_and_not_one_byte_more() {
    const MAX_HELD: usize = 4 << 20;
    let of = |size: usize| {
        let mut events = vec![delta(MODEL, r#"{"role":"assistant","content":""}"#, "null")];
        let word = |length: usize| delta(MODEL, &format!(r#"{{"content":"{}"}}"#, "x".repeat(length)), "null");
        let frame = word(0).len();
        let mut left = size - events[0].len();
        while left > 0 {
            let event = if left > 2 * 100_000 { 100_000 } else { left };
            events.push(word(event - frame));
            left -= event;
        }
        Script::stream(&events).end(End::Hang)
    };
    assert_eq!(of(MAX_HELD).body.len(), MAX_HELD);
    let policy = policy("complete").replace("idle 1s", "idle 600ms");
    for (size, hop) in [(MAX_HELD, "2"), (MAX_HELD + 1, "1")] {
        let there = format!("base_url: 'http://{}/v1'", upstream(vec![of(size)]).await);
        let rig = Rig::with(Setup { policy: &policy, anthropic: Some(&there), ..Setup::default() }).await;
        let answer = post(rig.address, &chat_stream("gpt-4o", "x"), &[]).await;
        assert_eq!((answer.status, answer.clean), (200, hop == "2"), "{size}");
        assert_eq!(rig.lines.wait(1).await[0]["hop"].to_string(), hop, "{size}");
    }
}
