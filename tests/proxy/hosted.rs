//! Claude at a cloud that hosts it: Bedrock's own API and Vertex AI.

use serde_json::{Value, json};

use super::client::{Answer, Connection, request};
use super::rig::{KEY, Rig, Setup};

const POLICY: &str = r#"route 1
policy clouds { deadline 20s }
defaults { timeout 5s, first_token 2s, idle 1s }
feature reply {}
feature amazon {}
feature google {}
tier mid {
  anthropic/claude-sonnet-5
  openai/gpt-5.4-2026-03-05
  bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0
  bedrock/amazon.nova-pro-v1:0
  vertex/claude-haiku-4-5@20251001
}
template sorry "Please try again later."
rule google {
  because "Tests want a chain that ends at one provider."
  when feature is google
  tier mid
  snapshot vertex/claude-haiku-4-5@20251001
  degrade template sorry
}
rule amazon {
  because "Tests want a model of another maker."
  when feature is amazon
  tier mid
  snapshot bedrock/amazon.nova-pro-v1:0
  degrade template sorry
}
otherwise {
  tier mid
  snapshot bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0
  degrade template sorry
}
"#;

const GOOGLE: (&str, &str) = ("x-wayside-feature", "google");
const AMAZON: (&str, &str) = ("x-wayside-feature", "amazon");
const SIGNED: &str = "auth: {kind: sigv4, region: eu-central-1, access_key: AKID, secret_key: s3cret}";

/// A sidecar that knows both clouds.
async fn rig(faults: &str, shows: &str) -> Rig {
    let rig = Rig::with(Setup { faults, ..Setup::default() }).await;
    let place = rig.directory.path().join("wayside.yaml");
    let (bedrock, vertex) = (rig.simulator.base_url("bedrock"), rig.simulator.base_url("vertex"));
    let bedrock = bedrock.trim_end_matches("/v1");
    let rows = format!(
        "providers:\n  bedrock: {{dialect: messages, cloud: bedrock, base_url: '{bedrock}', {shows}}}\n  vertex: {{cloud: vertex, \
         base_url: '{vertex}/projects/p/locations/global', key: {KEY}}}\n",
    );
    let text = std::fs::read_to_string(&place).unwrap().replace("providers:\n", &rows);
    std::fs::write(&place, text).unwrap();
    std::fs::write(rig.policy_path(), POLICY).unwrap();
    rig.sidecar.as_ref().unwrap().reload().unwrap_or_else(|error| panic!("{error}"));
    rig
}

async fn ask(rig: &Rig, path: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
    let mut connection = Connection::open(rig.address).await;
    connection.send(&request("POST", path, &body.to_string(), headers)).await;
    connection.answer().await
}

fn messages(stream: bool) -> Value {
    let said = json!([{"role": "user", "content": "a boat"}]);
    json!({"model": "x", "max_tokens": 500, "stream": stream, "messages": said})
}

fn chat(stream: bool) -> Value {
    json!({"model": "x", "stream": stream, "messages": [{"role": "user", "content": "a boat"}]})
}

/// What the deltas of a stream say.
fn said(answer: &Answer) -> String {
    let events =
        answer.text().lines().filter_map(|line| line.strip_prefix("data: ").map(str::to_owned)).collect::<Vec<_>>();
    let events = events.iter().filter_map(|event| serde_json::from_str::<Value>(event).ok());
    let text = |event: &Value| {
        let text = event.pointer("/delta/text").or_else(|| event.pointer("/choices/0/delta/content"))?;
        text.as_str().map(str::to_owned)
    };
    events.filter_map(|event| text(&event)).collect()
}

#[tokio::test]
async fn claude_answers_through_bedrocks_own_api_and_through_vertex() {
    for (shows, feature, model, endpoint) in [
        (SIGNED, None, "claude-sonnet-4-5-20250929", "invoke"),
        ("key: bedrock-api-key", None, "claude-sonnet-4-5-20250929", "invoke"),
        (SIGNED, Some(GOOGLE), "claude-haiku-4-5-20251001", "raw_predict"),
    ] {
        let rig = rig("", shows).await;
        let headers: Vec<_> = feature.into_iter().chain([("anthropic-beta", "one-1,two-2")]).collect();
        let answer = ask(&rig, "/v1/messages", &messages(false), &headers).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["model"], model, "{}", answer.text());
        let whole = answer.json()["content"][0]["text"].as_str().unwrap().to_owned();

        let answer = ask(&rig, "/v1/messages", &messages(true), &headers).await;
        assert!(answer.clean && answer.header("content-type").starts_with("text/event-stream"), "{}", answer.text());
        assert!(answer.text().starts_with("event: message_start\ndata: {"), "{}", answer.text());
        assert!(
            answer.text().ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"),
            "{}",
            answer.text()
        );
        assert_eq!(said(&answer), whole);

        let answer = ask(&rig, "/v1/chat/completions", &chat(false), &headers).await;
        assert_eq!(answer.json()["choices"][0]["message"]["content"], *whole, "{}", answer.text());
        let answer = ask(&rig, "/v1/chat/completions", &chat(true), &headers).await;
        assert!(answer.clean && answer.text().ends_with("data: [DONE]\n\n"), "{}", answer.text());
        assert_eq!(said(&answer), whole);

        let seen = rig.simulator.seen().requests;
        assert!(seen.iter().all(|one| one.endpoint == endpoint), "{seen:?}");
        // What the clouds take in the body is in no header.
        assert!(seen.iter().all(|one| !one.headers.contains_key("anthropic-version")), "{seen:?}");
        assert_eq!(seen[0].headers.contains_key("anthropic-beta"), endpoint == "raw_predict");
        for line in rig.lines.wait(4).await {
            assert!(line["usage"]["output"].as_u64() > Some(5), "{line}");
        }
    }
}

#[tokio::test]
async fn other_makers_models_of_the_same_row_are_asked_through_converse() {
    let rig = rig("", SIGNED).await;
    for stream in [false, true] {
        let answer = ask(&rig, "/v1/messages", &messages(stream), &[AMAZON]).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.text().contains("amazon.nova-pro-v1:0"), "{}", answer.text());
    }
    assert!(rig.simulator.seen().requests.iter().all(|one| one.endpoint == "converse"));
}

#[tokio::test]
async fn an_error_of_the_cloud_is_told_in_the_callers_words() {
    let rig = rig("- {provider: bedrock, fault: bad-request}", SIGNED).await;
    for stream in [false, true] {
        let answer = ask(&rig, "/v1/messages", &messages(stream), &[]).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
        let error = answer.json();
        assert_eq!((&error["type"], &error["error"]["type"]), (&json!("error"), &json!("invalid_request_error")));
    }
}

#[tokio::test]
async fn an_exception_in_the_frames_is_a_failure_before_release_and_an_error_after_it() {
    for (fault, failure) in [
        ("error-event=1;as=rate-limit", "rate_limit"),
        ("error-event=1;as=overloaded", "overload"),
        ("error-event=1", "server_error"),
        ("cut=1", "network"),
        ("wrong-model", "model_gone"),
    ] {
        let rig = rig(&format!("- {{provider: bedrock, fault: '{fault}'}}"), SIGNED).await;
        let answer = ask(&rig, "/v1/messages", &messages(true), &[]).await;
        assert_eq!(answer.header("x-wayside-degraded"), "template sorry", "{fault}: {}", answer.text());
        let line = &rig.lines.wait(1).await[0];
        assert!(line.to_string().contains(&format!("\"{failure}\"")), "{fault}: {line}");
    }
    for fault in ["error-event=6;as=rate-limit", "cut=6", "end=6"] {
        let rig = rig(&format!("- {{provider: bedrock, fault: '{fault}'}}"), SIGNED).await;
        let answer = ask(&rig, "/v1/messages", &messages(true), &[]).await;
        assert!(!answer.clean && !answer.text().contains("message_stop"), "{fault}: {}", answer.text());
        assert!(answer.text().contains("event: error\ndata: {\"type\":\"error\""), "{fault}: {}", answer.text());
    }
}
