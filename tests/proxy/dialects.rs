//! Callers and providers who speak different languages.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::client::{Answer, Connection, request};
use super::rig::{KEY, Rig, Setup};

const POLICY: &str = r#"route 1
policy tongues { deadline 20s }
defaults { timeout 5s, first_token 2s, idle 1s }
feature reply {}
feature alone {}
tier mid {
  anthropic/claude-sonnet-5
  openai/gpt-5.4-2026-03-05
}
template sorry "Please try again later."
rule alone {
  because "Tests want a chain that ends at one provider."
  when feature is alone
  tier mid
  snapshot anthropic/claude-sonnet-5
  degrade template sorry
}
otherwise {
  tier mid
  snapshot anthropic/claude-sonnet-5
  fallback peer openai/gpt-5.4-2026-03-05
  degrade template sorry
}
"#;

const VECTORS: &str = r#"route 1
policy vectors { deadline 20s, max_prompt 8k, endpoints [embeddings] }
defaults { timeout 5s }
tier vectors specialized { openai/text-embedding-ada-002-v2 }
otherwise {
  tier vectors
  snapshot openai/text-embedding-ada-002-v2
  degrade error 503 "none today"
}
"#;

const WHO: &str = "anthropic/claude-sonnet-5";
const ALONE: (&str, &str) = ("x-wayside-feature", "alone");

/// A sidecar whose first provider speaks `dialect`.
async fn rig(dialect: &str, faults: &str, config: &str) -> Rig {
    let anthropic_keys = &*format!("dialect: {dialect}, ");
    Rig::with(Setup { policy: POLICY, faults, config, anthropic_keys, ..Setup::default() }).await
}

async fn ask(rig: &Rig, path: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
    let mut connection = Connection::open(rig.address).await;
    connection.send(&request("POST", path, &body.to_string(), headers)).await;
    connection.answer().await
}

/// A caller's dialect: where it posts, what it says, and where the text of an answer stands.
struct Caller {
    path: fn(bool) -> &'static str,
    body: fn(&str, bool) -> Value,
    text: fn(&Value) -> String,
    piece: fn(&Value) -> Option<String>,
    /// What the last event of a whole stream holds.
    last: &'static str,
}

fn of(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
}

const CALLERS: [(&str, Caller); 4] = [
    (
        "chat",
        Caller {
            path: |_| "/v1/chat/completions",
            body: |text, stream| json!({"model": WHO, "stream": stream, "messages": [{"role": "user", "content": text}]}),
            text: |answer| of(answer, "/choices/0/message/content").unwrap(),
            piece: |event| of(event, "/choices/0/delta/content"),
            last: "[DONE]",
        },
    ),
    (
        "messages",
        Caller {
            path: |_| "/v1/messages",
            body: |text, stream| {
                let messages = json!([{"role": "user", "content": text}]);
                json!({"model": WHO, "max_tokens": 500, "stream": stream, "messages": messages})
            },
            text: |answer| of(answer, "/content/0/text").unwrap(),
            piece: |event| of(event, "/delta/text"),
            last: "message_stop",
        },
    ),
    (
        "responses",
        Caller {
            path: |_| "/v1/responses",
            body: |text, stream| json!({"model": WHO, "stream": stream, "input": text}),
            text: |answer| of(answer, "/output/0/content/0/text").unwrap(),
            piece: |event| (event["type"] == "response.output_text.delta").then(|| of(event, "/delta")).flatten(),
            last: "response.completed",
        },
    ),
    (
        "gemini",
        Caller {
            path: |stream| {
                if stream {
                    "/v1beta/models/anthropic%2Fclaude-sonnet-5:streamGenerateContent?alt=sse"
                } else {
                    "/v1beta/models/anthropic%2Fclaude-sonnet-5:generateContent"
                }
            },
            body: |text, _| json!({"contents": [{"role": "user", "parts": [{"text": text}]}]}),
            text: |answer| of(answer, "/candidates/0/content/parts/0/text").unwrap(),
            piece: |event| of(event, "/candidates/0/content/parts/0/text"),
            last: "finishReason",
        },
    ),
];

/// The data of every event, whatever stands beside it.
fn data(answer: &Answer) -> Vec<String> {
    answer.text().lines().filter_map(|line| line.strip_prefix("data: ").map(str::to_owned)).collect()
}

#[tokio::test]
async fn whoever_asks_is_answered_whoever_answers() {
    for upstream in ["chat", "messages"] {
        let rig = rig(upstream, "", "").await;
        for (name, caller) in &CALLERS {
            let answer = ask(&rig, (caller.path)(false), &(caller.body)("a boat", false), &[]).await;
            assert_eq!(answer.status, 200, "{name} to {upstream}: {}", answer.text());
            assert_eq!(answer.header("x-wayside-snapshot"), WHO, "{name} to {upstream}");
            let whole = (caller.text)(&answer.json());
            assert!(whole.split(' ').count() > 5, "{name} to {upstream}: {whole}");

            let answer = ask(&rig, (caller.path)(true), &(caller.body)("a boat", true), &[]).await;
            assert_eq!(answer.status, 200, "{name} to {upstream}: {}", answer.text());
            assert!(answer.clean && answer.header("content-type").starts_with("text/event-stream"), "{name}");
            let events = data(&answer);
            let parsed = events.iter().filter_map(|event| serde_json::from_str(event).ok());
            let streamed: String = parsed.filter_map(|event| (caller.piece)(&event)).collect();
            assert_eq!(streamed, whole, "{name} to {upstream}: {}", answer.text());
            assert!(events.last().unwrap().contains(caller.last), "{name} to {upstream}: {}", answer.text());
        }
        for line in rig.lines.wait(8).await {
            assert!(line["usage"]["output"].as_u64() > Some(5), "{line}");
        }
    }
}

#[tokio::test]
async fn claude_fails_and_gpt_picks_it_up() {
    for fault in ["503", "cut=0", "refused"] {
        let rig = rig("messages", &format!("- {{provider: anthropic, fault: {fault}}}"), "").await;
        for (name, caller) in &CALLERS {
            for stream in [false, true] {
                let answer = ask(&rig, (caller.path)(stream), &(caller.body)("a boat", stream), &[]).await;
                assert_eq!(answer.status, 200, "{name} {fault}: {}", answer.text());
                assert_eq!(answer.header("x-wayside-hop"), "2", "{name} {fault} {stream}");
                assert!(answer.clean && answer.text().contains("gpt-5.4-2026-03-05"), "{name}: {}", answer.text());
            }
        }
    }
}

#[tokio::test]
async fn a_tool_is_called_across_dialects() {
    let tools = json!([{"type": "function", "function": {"name": "get_weather", "description": "now",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}]);
    let rig = rig("messages", "", "").await;
    for stream in [false, true] {
        let mut body = (CALLERS[0].1.body)("use get_weather", stream);
        body["tools"] = tools.clone();
        let answer = ask(&rig, "/v1/chat/completions", &body, &[ALONE]).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.text().contains("\"get_weather\""), "{}", answer.text());
        assert!(answer.text().contains("\"finish_reason\":\"tool_calls\""), "{}", answer.text());
    }
}

#[tokio::test]
async fn what_no_hop_can_carry_is_refused_by_name_and_what_one_can_goes_there() {
    let mut body = (CALLERS[0].1.body)("a boat", false);
    body["logit_bias"] = json!({"50256": -100});
    let strict = rig("messages", "", "").await;
    let answer = ask(&strict, "/v1/chat/completions", &body, &[ALONE]).await;
    assert_eq!((answer.status, &*answer.code()), (400, "unsupported_by_target"), "{}", answer.text());
    assert_eq!(answer.json()["error"]["param"], "logit_bias");
    assert_eq!(answer.header("x-should-retry"), "false");
    let answer = ask(&strict, "/v1/chat/completions", &body, &[]).await;
    assert_eq!((answer.status, answer.header("x-wayside-hop")), (200, "2"), "{}", answer.text());

    let lenient = rig("messages", "", "translation: lenient\n").await;
    let answer = ask(&lenient, "/v1/chat/completions", &body, &[ALONE]).await;
    assert_eq!((answer.status, answer.header("x-wayside-dropped")), (200, "logit_bias"), "{}", answer.text());
}

#[tokio::test]
async fn a_stream_that_breaks_ends_with_an_error_in_the_callers_dialect() {
    for upstream in ["chat", "messages"] {
        let rig = rig(upstream, "- {provider: anthropic, fault: cut=6}", "").await;
        for (name, caller) in &CALLERS {
            let answer = ask(&rig, (caller.path)(true), &(caller.body)("a boat", true), &[ALONE]).await;
            let last = data(&answer).pop().unwrap();
            assert!(last.contains("error") && !last.contains(caller.last), "{name} to {upstream}: {}", answer.text());
            assert!(!answer.clean, "{name} to {upstream}");
        }
    }
}

#[tokio::test]
async fn errors_and_templates_are_in_the_callers_dialect() {
    let rig = rig("messages", "- {fault: 503}", "").await;
    for (name, caller) in &CALLERS {
        for stream in [false, true] {
            let answer = ask(&rig, (caller.path)(stream), &(caller.body)("a boat", stream), &[ALONE]).await;
            assert_eq!((answer.status, answer.header("x-wayside-degraded")), (200, "template sorry"), "{name}");
            assert!(answer.text().contains("Please try again later."), "{name}: {}", answer.text());
        }
        let answer = ask(&rig, (caller.path)(false), &json!({"model": 1}), &[]).await;
        assert_eq!(answer.status, 400, "{name}: {}", answer.text());
        let shape = match *name {
            "messages" => answer.json()["type"] == "error" && answer.json()["error"]["type"] == "invalid_request_error",
            "gemini" => answer.json()["error"]["status"] == "INVALID_ARGUMENT",
            _ => answer.json()["error"]["type"] == "invalid_request_error",
        };
        assert!(shape, "{name}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_prompt_is_counted_and_models_are_listed_as_anthropics_clients_expect() {
    let rig = rig("messages", "", "").await;
    let body = json!({"model": WHO, "messages": [{"role": "user", "content": "one two three"}]});
    let answer = ask(&rig, "/v1/messages/count_tokens", &body, &[("anthropic-version", "2023-06-01")]).await;
    assert_eq!((answer.status, answer.json()["input_tokens"].as_u64()), (200, Some(9)), "{}", answer.text());
    assert!(answer.header("request-id").starts_with("req_"));
    let mut connection = Connection::open(rig.address).await;
    connection.send(&request("GET", "/v1/models", "", &[("anthropic-version", "2023-06-01")])).await;
    let list = connection.answer().await.json();
    assert_eq!((&list["data"][0]["type"], &list["data"][0]["id"]), (&json!("model"), &json!(WHO)));
    assert_eq!(rig.simulator.seen().total, 0);
}

#[tokio::test]
async fn vectors_come_from_providers_of_openais_api_and_from_no_other() {
    let rig = Rig::with(Setup { policy: VECTORS, ..Setup::default() }).await;
    let body =
        json!({"model": "openai/text-embedding-ada-002-v2", "input": ["one", "two"], "encoding_format": "float"});
    let answer = ask(&rig, "/v1/embeddings", &body, &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let list = answer.json();
    assert_eq!((list["data"].as_array().unwrap().len(), &list["object"]), (2, &json!("list")));
    assert_eq!(answer.header("x-wayside-snapshot"), "openai/text-embedding-ada-002-v2");
    let line = &rig.lines.wait(1).await[0];
    assert_eq!(
        (&line["request"]["endpoint"], line["usage"]["input_uncached"].as_u64() > Some(0)),
        (&json!("embeddings"), true),
        "{line}"
    );

    let answer = ask(&rig, "/v1/embeddings", &json!({"model": "m", "input": 7}), &[]).await;
    assert_eq!((answer.status, answer.json()["error"]["param"].as_str()), (400, Some("input")), "{}", answer.text());
}

#[tokio::test]
async fn what_one_provider_keeps_is_asked_of_no_other() {
    let faults = "- {provider: anthropic, fault: 503}";
    let setup = Setup { policy: POLICY, faults, anthropic_keys: "dialect: responses, ", ..Setup::default() };
    let rig = Rig::with(Setup { openai: "dialect: responses, ", ..setup }).await;
    let whole = json!({"model": WHO, "input": "a boat"});
    assert_eq!(ask(&rig, "/v1/responses", &whole, &[]).await.header("x-wayside-hop"), "2");
    let bound = json!({"model": WHO, "input": "a boat", "previous_response_id": "resp_1"});
    let before = rig.simulator.seen().counts["openai"]["gpt-5.4-2026-03-05"].requests;
    let answer = ask(&rig, "/v1/responses", &bound, &[]).await;
    assert_eq!(answer.header("x-wayside-degraded"), "template sorry", "{}", answer.text());
    assert_eq!(rig.simulator.seen().counts["openai"]["gpt-5.4-2026-03-05"].requests, before);
}

#[tokio::test]
async fn a_callers_own_key_goes_where_a_row_says_so_and_to_no_other_dialect() {
    let faults = "- {provider: anthropic, fault: 503}";
    let setup = Setup { policy: POLICY, faults, anthropic_keys: "dialect: messages, ", ..Setup::default() };
    let rig = Rig::with(setup).await;
    let place = rig.directory.path().join("wayside.yaml");
    let text = std::fs::read_to_string(&place).unwrap().replace(&format!("key: {KEY}"), "key: caller");
    std::fs::write(&place, text).unwrap();
    assert!(rig.sidecar.as_ref().unwrap().reload().is_ok());
    let body = (CALLERS[1].1.body)("a boat", false);
    ask(&rig, "/v1/messages", &body, &[("x-api-key", "sk-ant-mine")]).await;
    let seen = rig.simulator.seen().requests;
    let of = |provider: &str| seen.iter().find(|one| one.provider == provider).unwrap();
    let hash = |text: &str| format!("sha256:{}", hex(&Sha256::digest(text)));
    assert_eq!(of("anthropic").headers["x-api-key"], hash("sk-ant-mine"));
    assert!(!of("openai").headers.contains_key("authorization"), "{:?}", of("openai").headers);
    assert!(!rig.lines.text().contains("sk-ant-mine"));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn an_endpoint_that_the_policy_does_not_serve_is_not_there() {
    let rig = Rig::new().await;
    let answer = ask(&rig, "/v1/embeddings", &json!({"model": "m", "input": "x"}), &[]).await;
    assert_eq!(answer.status, 404, "{}", answer.text());
}

#[tokio::test]
async fn a_provider_names_the_request_and_its_limits_to_whoever_knows_them() {
    for upstream in ["chat", "messages", "gemini"] {
        let rig = rig(upstream, "", "").await;
        for (name, caller) in &CALLERS {
            for stream in [false, true] {
                let answer = ask(&rig, (caller.path)(stream), &(caller.body)("a boat", stream), &[]).await;
                let place = format!("{name} to {upstream}, {stream}: {:?}", answer.headers);
                assert_eq!(answer.status, 200, "{place}");
                let id = answer.header(if *name == "messages" { "request-id" } else { "x-request-id" });
                let own = answer.header("x-wayside-request-id");
                assert!(own.starts_with("req_") && !own.starts_with("req_sim"), "{place}");
                assert_eq!(id.starts_with("req_sim"), upstream != "gemini", "{place}");
                let limits = ["x-ratelimit-limit-requests", "anthropic-ratelimit-requests-limit"];
                let limits = limits.map(|limit| answer.header(limit));
                let said = match upstream {
                    "chat" => "10000",
                    "messages" => "4000",
                    _ => "",
                };
                let wanted = match *name {
                    "messages" => ["", said],
                    "gemini" => ["", ""],
                    _ => [said, ""],
                };
                assert_eq!(limits, wanted, "{place}");
            }
        }
        let lines = rig.lines.wait(8).await;
        assert!(lines.iter().all(|line| !line["request_id"].as_str().unwrap().starts_with("req_sim")), "{lines:?}");
    }
    let rig = rig("messages", "- {fault: bad-request}", "").await;
    let answer = ask(&rig, "/v1/chat/completions", &(CALLERS[0].1.body)("a boat", false), &[]).await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(answer.header("x-request-id").starts_with("req_sim"), "{:?}", answer.headers);
}

#[tokio::test]
async fn a_response_repeats_what_was_asked_for_whoever_answers() {
    let rig = rig("messages", "", "").await;
    let body = json!({"model": WHO, "input": "a boat", "instructions": "Be\nbrief.", "max_output_tokens": 300,
        "metadata": {"ticket": "4711"}, "tool_choice": "none",
        "tools": [{"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}]});
    let repeated = |response: &Value| {
        for field in ["instructions", "max_output_tokens", "metadata", "tool_choice", "tools"] {
            assert_eq!(response[field], body[field], "{response}");
        }
    };
    let whole = ask(&rig, "/v1/responses", &body, &[ALONE]).await;
    assert_eq!(whole.status, 200, "{}", whole.text());
    repeated(&whole.json());
    let mut streamed = body.clone();
    streamed["stream"] = json!(true);
    let pretty = serde_json::to_string_pretty(&streamed).unwrap();
    let mut connection = Connection::open(rig.address).await;
    connection.send(&request("POST", "/v1/responses", &pretty, &[ALONE])).await;
    let answer = connection.answer().await;
    let responses: Vec<Value> = data(&answer).iter().filter_map(|event| serde_json::from_str(event).ok()).collect();
    let responses: Vec<&Value> = responses.iter().filter_map(|event| event.get("response")).collect();
    assert_eq!(responses.len(), 3, "{}", answer.text());
    responses.into_iter().for_each(repeated);
}
