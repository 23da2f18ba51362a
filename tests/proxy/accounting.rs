//! Every attempt is in the books: how it ended, how long it took, what it used.

use super::client::{Connection, chat, chat_stream, post};
use super::rig::{POLICY, Rig, Setup};
use super::scripted::{End, Script, says, upstream};

async fn line(rig: &Rig, number: usize) -> serde_json::Value {
    rig.lines.wait(number).await[number - 1].clone()
}

fn tokens(attempt: &serde_json::Value) -> Option<(u64, u64)> {
    let usage = attempt["usage"].as_object()?;
    Some((usage["input_uncached"].as_u64()?, usage["output"].as_u64()?))
}

/// The sum over the attempts is the request's.
fn adds_up(line: &serde_json::Value) {
    let attempts = line["attempts"].as_array().unwrap();
    let sum = attempts.iter().filter_map(tokens).fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
    assert_eq!(tokens(line), Some(sum), "{line}");
    let cost = |one: &serde_json::Value| one["cost_usd"].as_str().map_or(0.0, |text| text.parse::<f64>().unwrap());
    let costs: f64 = attempts.iter().map(cost).sum();
    assert!((cost(line) - costs).abs() < 1e-9, "{line}");
}

#[tokio::test]
async fn a_refusal_that_moves_on_was_billed_and_an_error_was_not() {
    let policy = POLICY.replace(
        "  snapshot anthropic/claude-sonnet-5\n",
        "  snapshot anthropic/claude-sonnet-5, on [default, refusal], retry 0\n",
    );
    for (fault, failure, billed) in [
        ("refusal", "refusal", true),
        ("wrong-model", "model_gone", true),
        ("500", "server_error", false),
        ("429", "rate_limit", false),
        ("refused", "network", false),
        ("silence", "timeout", true),
    ] {
        let faults = format!("- {{provider: anthropic, fault: {fault}}}");
        let rig = Rig::with(Setup { policy: &policy, faults: &faults, ..Setup::default() }).await;
        let answer = post(rig.address, &chat("m", "x"), &[]).await;
        assert_eq!((answer.status, answer.header("x-wayside-hop")), (200, "2"), "{fault}: {}", answer.text());
        let line = line(&rig, 1).await;
        let [first, second] = &line["attempts"].as_array().unwrap()[..] else { panic!("{line}") };
        assert_eq!(first["failure"], failure, "{line}");
        assert_eq!(first["usage"].is_object(), billed, "{fault}: {line}");
        assert!(second["usage"]["output"].as_u64().unwrap() > 0 && second["failure"].is_null(), "{line}");
        adds_up(&line);
        let page = Connection::open(rig.admin).await.get("/metrics").await.text();
        let counted =
            format!("wayside_attempt_seconds_count{{result=\"{failure}\",snapshot=\"anthropic/claude-sonnet-5\"}} 1");
        assert!(page.contains(&counted), "{counted}\n{page}");
        let tokens = "wayside_tokens_total{kind=\"input\",snapshot=\"anthropic/claude-sonnet-5\"}";
        assert_eq!(page.contains(tokens), billed, "{fault}\n{page}");
    }
}

#[tokio::test]
async fn both_parts_of_a_resumed_stream_are_paid_for() {
    let policy = POLICY.replace("  degrade template sorry", "  on cut resume\n  degrade template sorry");
    let words = ["Once ", "upon ", "a ", "time", "."];
    let first = upstream(vec![Script::stream(&says("claude-sonnet-5", &words)[..=3]).end(End::Cut)]).await;
    let second = upstream(vec![Script::stream(&says("gpt-5.4-2026-03-05", &words))]).await;
    let (first, second) = (format!("base_url: 'http://{first}/v1'"), format!("http://{second}/v1"));
    let setup = Setup { policy: &policy, anthropic: Some(&first), openai_url: Some(&second), ..Setup::default() };
    let rig = Rig::with(setup).await;
    let answer = post(rig.address, &chat_stream("m", "x"), &[]).await;
    assert_eq!(answer.streamed(), words.concat(), "{}", answer.text());
    let line = line(&rig, 1).await;
    let [cut, rest] = &line["attempts"].as_array().unwrap()[..] else { panic!("{line}") };
    assert_eq!((&cut["failure"], &cut["usage"]["estimated"]), (&"network".into(), &true.into()), "{line}");
    assert!(tokens(cut).unwrap().1 > 0 && rest["usage"].is_object(), "{line}");
    adds_up(&line);
}

#[tokio::test]
async fn retries_and_probes_are_marked() {
    let config = "breakers: {window: 10s, attempts: 5, percent: 50, pause: 300ms, longest_pause: 1s}";
    let setup = Setup { config, faults: "- {provider: anthropic, fault: 500}", ..Setup::default() };
    let rig = Rig::with(setup).await;
    let mut number = 0;
    let probe = loop {
        assert_eq!(post(rig.address, &chat("m", "x"), &[]).await.status, 200);
        number += 1;
        let line = line(&rig, number).await;
        let first = line["attempts"][0].clone();
        if number == 1 {
            assert_eq!(
                (&line["attempts"][1]["attempt"], &line["attempts"][1]["hop"]),
                (&2.into(), &1.into()),
                "{line}"
            );
        }
        if first["probe"] == true {
            break first;
        }
        assert!(number < 1000, "no probe: {line}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert_eq!((&probe["failure"], &probe["snapshot"]), (&"server_error".into(), &"anthropic/claude-sonnet-5".into()));
    let page = Connection::open(rig.admin).await.get("/metrics").await.text();
    for kind in ["first", "retry", "probe"] {
        let labels = format!("kind=\"{kind}\",result=\"server_error\",snapshot=\"anthropic/claude-sonnet-5\"");
        assert!(page.contains(&format!("wayside_attempts_total{{{labels}}}")), "{labels}\n{page}");
    }
}
