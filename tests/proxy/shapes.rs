//! Answers that do not have the shape their caller demanded.

use serde_json::{Value, json};

use super::client::{Answer, post};
use super::rig::{POLICY, Rig, Setup};
use super::scripted::{Script, says, upstream};

const MODEL: &str = "claude-sonnet-5";

/// Asks for an object with a number.
fn with_schema(stream: bool) -> String {
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": false});
    request(
        stream,
        json!({"response_format": {"type": "json_schema", "json_schema": {"name": "number", "schema": schema}}}),
    )
}

/// Makes the simulator call a tool.
fn with_tool(stream: bool) -> String {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": false});
    let function = json!({"name": "weather", "parameters": schema});
    request(stream, json!({"tools": [{"type": "function", "function": function}], "tool_choice": "required"}))
}

fn request(stream: bool, more: Value) -> String {
    let mut body = json!({"model": "gpt-4o", "stream": stream, "messages": [{"role": "user", "content": "now"}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body.to_string()
}

fn held() -> String {
    POLICY.replace("  degrade template sorry", "  hold complete\n  degrade template sorry")
}

async fn rig(policy: &str, fault: &str) -> Rig {
    let faults = format!("- {{provider: anthropic, fault: '{fault}'}}");
    Rig::with(Setup { policy, faults: &faults, ..Setup::default() }).await
}

fn hop(answer: &Answer) -> &str {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.header("x-wayside-hop")
}

#[tokio::test]
async fn another_shape_than_the_demanded_one_moves_on() {
    for (request, fault) in
        [(with_schema(false), "bad-schema"), (with_schema(false), "bad-schema=text"), (with_tool(false), "bad-schema")]
    {
        let rig = rig(POLICY, fault).await;
        let answer = post(rig.address, &request, &[]).await;
        assert_eq!(hop(&answer), "2", "{fault}: {}", answer.text());
        let line = &rig.lines.wait(1).await[0];
        let attempts = line["attempts"].as_array().unwrap();
        let failures: Vec<_> = attempts.iter().map(|one| one["failure"].clone()).collect();
        assert_eq!(failures, [json!("invalid_output"), Value::Null], "never tried again on the same hop: {line}");
        assert_eq!(attempts[0]["status"], 200);
    }
}

#[tokio::test]
async fn the_demanded_shape_is_an_answer() {
    for request in [with_schema(false), with_tool(false), with_schema(true), with_tool(true)] {
        for policy in [POLICY.to_owned(), held()] {
            let rig = rig(&policy, "none").await;
            let answer = post(rig.address, &request, &[]).await;
            assert_eq!((hop(&answer), answer.clean), ("1", true), "{request}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn a_stream_is_judged_only_while_all_of_it_is_held() {
    for request in [with_schema(true), with_tool(true)] {
        let rig_of_first_words = rig(POLICY, "bad-schema").await;
        assert_eq!(hop(&post(rig_of_first_words.address, &request, &[]).await), "1", "released at the first word");
        let rig = rig(&held(), "bad-schema").await;
        let answer = post(rig.address, &request, &[]).await;
        assert_eq!((hop(&answer), answer.clean), ("2", true), "{}", answer.text());
        assert!(!answer.text().contains("unexpected"), "nothing of the first answer: {}", answer.text());
    }
}

#[tokio::test]
async fn where_the_policy_does_not_move_on_for_it_nothing_is_checked() {
    let policy = POLICY.replace("defaults {", "defaults { on [server_error],");
    let rig = rig(&policy, "bad-schema").await;
    assert_eq!(hop(&post(rig.address, &with_schema(false), &[]).await), "1");
}

#[tokio::test]
async fn a_schema_that_does_not_compile_is_the_providers_to_judge() {
    let schema = json!({"type": "nonsense"});
    let more = json!({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}});
    let rig = rig(POLICY, "bad-schema=text").await;
    assert_eq!(hop(&post(rig.address, &request(false, more), &[]).await), "1");
}

/// Each definition leads to the next one twice, or once where `levels` are many.
fn leading_on(levels: usize) -> Value {
    let next = |n: usize| json!({"$ref": format!("#/$defs/a{}", n + 1)});
    let branches = |n: usize| if levels > 100 { vec![next(n)] } else { vec![next(n), next(n)] };
    let step = |n: usize| (format!("a{n}"), json!({"anyOf": branches(n)}));
    let last = (format!("a{levels}"), json!({"type": "string"}));
    let all: serde_json::Map<String, Value> = (0..levels).map(step).chain([last]).collect();
    json!({"$defs": all, "$ref": "#/$defs/a0"})
}

#[tokio::test]
async fn a_schema_that_would_take_all_time_or_all_of_the_stack_takes_neither() {
    let rig = rig(POLICY, "bad-schema").await;
    // So deep the simulator does not follow either, and the degrade step stands in.
    for (levels, expected) in [(3, "2"), (40, "1"), (5000, "")] {
        let more = json!({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": leading_on(levels)}}});
        assert_eq!(hop(&post(rig.address, &request(false, more), &[]).await), expected, "{levels}");
    }
    assert_eq!(
        hop(&post(rig.address, &request(false, json!({})), &[]).await),
        "1",
        "and the next request finds it there"
    );
}

#[tokio::test]
async fn a_model_that_breaks_schemas_is_not_left_alone() {
    let rig = rig(POLICY, "bad-schema").await;
    for _ in 0..25 {
        assert_eq!(hop(&post(rig.address, &with_schema(false), &[]).await), "2");
    }
    assert_eq!(rig.simulator.seen().total, 50, "the breaker of the first one stays closed");
}

#[tokio::test]
async fn when_every_answer_has_another_shape_the_degrade_step_stands_in() {
    let rig = Rig::with_faults("- {fault: bad-schema}").await;
    let answer = post(rig.address, &with_schema(false), &[]).await;
    assert_eq!((answer.status, answer.header("x-wayside-degraded")), (200, "template sorry"));
    assert_eq!(rig.lines.wait(1).await[0]["reason"], "invalid_output");
}

#[tokio::test]
async fn a_held_stream_over_the_limit_is_released_unless_a_schema_waits_for_its_end() {
    // Events of about 100 kB: 4 MB are passed long before the end.
    let words: Vec<String> = (0..60).map(|_| "x".repeat(100_000)).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let large = upstream(vec![Script::stream(&says(MODEL, &words))]).await;
    let there = format!("base_url: 'http://{large}/v1'");
    let policy = held();
    let rig = Rig::with(Setup { policy: &policy, anthropic: Some(&there), ..Setup::default() }).await;
    let plain = post(rig.address, &request(true, json!({})), &[]).await;
    assert_eq!((hop(&plain), plain.clean, plain.streamed().len()), ("1", true, 6_000_000));
    let demanded = post(rig.address, &with_schema(true), &[]).await;
    assert_eq!((hop(&demanded), demanded.clean), ("2", true));
    assert_eq!(rig.lines.wait(2).await[1]["attempts"][0]["failure"], "invalid_output");
}
