//! Streams that break after their first words, and are taken up by the next hop.

use super::client::{Answer, Connection, chat_stream, post, request};
use super::rig::{POLICY, Rig, Setup};
use super::scripted::{End, Script, delta, event, says, upstream};

const FIRST: &str = "claude-sonnet-5";
const SECOND: &str = "gpt-5.4-2026-03-05";
const WORDS: [&str; 5] = ["Once ", "upon ", "a ☃ ", "time", "."];

/// The first hop gives `first`, the second `second`.
async fn rig(first: Vec<Script>, second: Vec<Script>) -> Rig {
    let policy = POLICY
        .replace("  degrade template sorry", "  on cut resume\n  degrade template sorry")
        .replace("idle 1s", "idle 500ms");
    let first = format!("base_url: 'http://{}/v1'", upstream(first).await);
    let second = format!("http://{}/v1", upstream(second).await);
    Rig::with(Setup { policy: &policy, anthropic: Some(&first), openai_url: Some(&second), ..Setup::default() }).await
}

fn cut_after(words: usize, end: End) -> Script {
    Script::stream(&says(FIRST, &WORDS)[..=words]).end(end)
}

fn resumed(answer: &Answer) {
    assert_eq!((answer.status, answer.header("x-wayside-hop"), answer.clean), (200, "1", true), "{}", answer.text());
    assert_eq!(answer.streamed(), WORDS.concat(), "{}", answer.text());
    assert_eq!(answer.events().last().unwrap(), "[DONE]");
    assert!(!answer.text().contains("error"), "{}", answer.text());
}

fn stays_cut(answer: &Answer, seen: &str) {
    assert!(!answer.clean && !answer.text().contains("[DONE]"), "{}", answer.text());
    assert_eq!(answer.streamed(), seen, "{}", answer.text());
    assert!(answer.events().last().unwrap().contains("stream_cut"), "{}", answer.text());
}

#[tokio::test]
async fn the_next_hop_goes_on_where_the_first_broke_off() {
    // The second one's words end elsewhere than the first one's.
    let seconds = [
        &WORDS[..],
        &["Once upon a ☃ time", "."],
        &["On", "ce up", "on a ☃", " ti", "me", "."],
        &["Once upon a ☃ time."],
    ];
    for end in [End::Cut, End::Clean, End::Hang] {
        for second in seconds {
            let firsts: Vec<_> = (1..=WORDS.len()).map(|words| cut_after(words, end)).collect();
            let rig = rig(firsts, vec![Script::stream(&says(SECOND, second))]).await;
            for words in 1..=WORDS.len() {
                let answer = post(rig.address, &chat_stream("gpt-4o", "x"), &[]).await;
                resumed(&answer);
                let line = &rig.lines.wait(words).await[words - 1];
                assert_eq!((&line["outcome"], &line["hop"]), (&"answered".into(), &2.into()), "{line}");
                assert_eq!(line["attempts"].as_array().unwrap().len(), 2, "{line}");
            }
        }
    }
}

#[tokio::test]
async fn another_answer_leaves_the_stream_cut() {
    for second in [&["Once ", "upon ", "another ", "time."][..], &["Once"], &["Twice upon a ☃ time."], &[]] {
        let rig = rig(vec![cut_after(3, End::Cut)], vec![Script::stream(&says(SECOND, second))]).await;
        stays_cut(&post(rig.address, &chat_stream("gpt-4o", "x"), &[]).await, "Once upon a ☃ ");
        let line = &rig.lines.wait(1).await[0];
        assert_eq!((&line["outcome"], &line["reason"]), (&"cut".into(), &"network".into()), "{line}");
    }
}

#[tokio::test]
async fn a_second_break_leaves_it_cut_and_nothing_is_said_twice() {
    let second = Script::stream(&says(SECOND, &WORDS)[..=4]).end(End::Cut);
    let rig = rig(vec![cut_after(2, End::Cut)], vec![second]).await;
    stays_cut(&post(rig.address, &chat_stream("gpt-4o", "x"), &[]).await, "Once upon a ☃ time");
}

#[tokio::test]
async fn tool_calls_and_thinking_are_never_taken_up() {
    let call = r#"{"tool_calls":[{"index":0,"id":"1","type":"function","function":{"name":"f","arguments":"{"}}]}"#;
    for begun in [call, r#"{"reasoning_content":"Let me think."}"#] {
        let first = vec![delta(FIRST, r#"{"role":"assistant","content":""}"#, "null"), delta(FIRST, begun, "null")];
        let second = [first.clone(), vec![delta(SECOND, "{}", "\"stop\""), event("[DONE]")]].concat();
        let rig = rig(vec![Script::stream(&first).end(End::Cut)], vec![Script::stream(&second)]).await;
        stays_cut(&post(rig.address, &chat_stream("gpt-4o", "x"), &[]).await, "");
        assert_eq!(rig.lines.wait(1).await[0]["attempts"].as_array().unwrap().len(), 1, "the second is not asked");
    }
}

#[tokio::test]
async fn a_caller_who_leaves_while_the_next_hop_is_asked_ends_it() {
    let hangs = Script { body: Vec::new(), ..Script::stream(&[]) }.end(End::Hang);
    let rig = rig(vec![cut_after(2, End::Cut)], vec![hangs]).await;
    let mut connection = Connection::open(rig.address).await;
    connection.send(&request("POST", "/v1/chat/completions", &chat_stream("gpt-4o", "x"), &[])).await;
    connection.until("upon").await;
    drop(connection);
    assert_eq!(rig.lines.wait(1).await[0]["outcome"], "client_gone");
}
