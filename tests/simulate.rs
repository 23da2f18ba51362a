//! The simulator over real sockets: every dialect, every fault, every bad input.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

#[path = "simulate/client.rs"]
mod client;
#[path = "simulate/gemini.rs"]
mod gemini;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use client::*;
use serde_json::{Value, json};
use wayside::simulate::{MAX_BODY, MAX_FAULTS, MAX_N, Options, start};

#[test]
fn a_chat_answers_the_same_streamed_or_not() {
    let sim = simulator();
    let whole = chat(&sim, &hello("", false));
    let body = whole.json();
    assert_eq!((whole.status, whole.whole), (200, true));
    assert_eq!(whole.header("content-type"), Some("application/json"));
    assert!(whole.header("x-request-id").unwrap().starts_with("req_"));
    assert_eq!(body["model"], "gpt-x");
    assert_eq!(body["choices"][0]["finish_reason"], "stop");

    let mut request = hello("", true);
    request["stream_options"] = json!({"include_usage": true});
    let streamed = chat(&sim, &request);
    assert!(streamed.header("content-type").unwrap().starts_with("text/event-stream"));
    let data = streamed.data();
    assert_eq!(*data.last().unwrap(), "[DONE]");
    let usage: Value = serde_json::from_str(data[data.len() - 2]).unwrap();
    assert_eq!((&usage["usage"], &usage["choices"]), (&body["usage"], &json!([])));
    assert_eq!(streamed.joined(CONTENT), body["choices"][0]["message"]["content"].as_str().unwrap());
    assert_eq!(usage["usage"]["completion_tokens"].as_u64().unwrap() as usize, data.len() - 4);
    assert_eq!(chat(&sim, &hello("", true)).data().len(), data.len() - 1);
}

#[test]
fn a_cap_ends_the_answer_with_length() {
    let sim = simulator();
    for name in ["max_tokens", "max_completion_tokens"] {
        let mut body = hello("", false);
        body[name] = json!(3);
        body["n"] = json!(2);
        let reply = chat(&sim, &body).json();
        assert_eq!(reply["usage"]["completion_tokens"], 6);
        assert_eq!(reply["choices"][1]["finish_reason"], "length");
        assert_ne!(reply["choices"][0]["message"], reply["choices"][1]["message"]);
    }
    let mut body = hello_claude("", false);
    body["max_tokens"] = json!(3);
    assert_eq!(message(&sim, &body).json()["stop_reason"], "max_tokens");
}

#[test]
fn tools_are_called_whole_and_in_fragments() {
    let sim = simulator();
    let parameters = json!({"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}});
    let mut body = hello("", false);
    body["tools"] = json!([{"type": "function", "function": {"name": "get_weather", "parameters": parameters}}]);
    assert!(chat(&sim, &body).json()["choices"][0]["message"]["tool_calls"].is_null());
    body["tool_choice"] = json!("required");
    let whole = chat(&sim, &body).json();
    assert_eq!(whole["choices"][0]["finish_reason"], "tool_calls");
    let function = &whole["choices"][0]["message"]["tool_calls"][0]["function"];
    let arguments: Value = serde_json::from_str(function["arguments"].as_str().unwrap()).unwrap();
    assert!(arguments["city"].is_string());

    body["stream"] = json!(true);
    let streamed = chat(&sim, &body);
    assert_eq!(streamed.joined("/choices/0/delta/tool_calls/0/function/name"), "get_weather");
    let joined = streamed.joined("/choices/0/delta/tool_calls/0/function/arguments");
    assert_eq!(joined, function["arguments"].as_str().unwrap());

    let mut body = hello_claude("", true);
    body["tools"] = json!([{"name": "get_weather", "input_schema": parameters}]);
    body["tool_choice"] = json!({"type": "tool", "name": "get_weather"});
    let streamed = message(&sim, &body);
    assert_eq!(streamed.joined("/delta/stop_reason"), "tool_use");
    let input: Value = serde_json::from_str(&streamed.joined("/delta/partial_json")).unwrap();
    assert!(input["city"].is_string());
}

#[test]
fn demanded_json_conforms_unless_told_otherwise() {
    let sim = simulator();
    let answer = |fault: &str| {
        let mut body = hello(fault, false);
        let schema = json!({"type": "object", "required": ["age"], "properties": {"age": {"type": "integer"}}});
        body["response_format"] = json!({"type": "json_schema", "json_schema": {"name": "x", "schema": schema}});
        chat(&sim, &body).json()["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
    };
    assert!(serde_json::from_str::<Value>(&answer("")).unwrap()["age"].is_i64());
    assert!(serde_json::from_str::<Value>(&answer("bad-schema")).unwrap()["age"].is_null());
    assert!(serde_json::from_str::<Value>(&answer("bad-schema=text")).is_err());
}

#[test]
fn messages_speak_their_own_dialect() {
    let sim = simulator();
    let whole = message(&sim, &hello_claude("", false));
    assert!(whole.header("request-id").is_some());
    let body = whole.json();
    assert_eq!((&body["type"], &body["stop_reason"]), (&json!("message"), &json!("end_turn")));
    let streamed = message(&sim, &hello_claude("", true));
    let names: Vec<_> = streamed.events().iter().map(|event| event.lines().next().unwrap()[7..].to_owned()).collect();
    assert_eq!(names[..3], ["message_start", "content_block_start", "ping"]);
    assert_eq!(names[names.len() - 3..], ["content_block_stop", "message_delta", "message_stop"]);
    assert_eq!(streamed.joined("/delta/text"), body["content"][0]["text"].as_str().unwrap());
    let count = messages_at(&sim, "/v1/messages/count_tokens", "2023-06-01", &hello("", false));
    assert_eq!(count.json()["input_tokens"], body["usage"]["input_tokens"]);

    let hello = hello_claude("", false).to_string();
    let with = |headers: &[(&str, &str)]| ask(sim.handle.addr, "POST", "/v1/messages", headers, hello.as_bytes());
    for (headers, status, kind) in [
        (&[("x-api-key", "k")][..], 400, "invalid_request_error"),
        (&[("x-api-key", "k"), ("anthropic-version", "2024-01-01")], 400, "invalid_request_error"),
        (&[("anthropic-version", "2023-06-01")], 401, "authentication_error"),
    ] {
        let refused = with(headers);
        assert_eq!((refused.status, &refused.json()["error"]["type"]), (status, &json!(kind)), "{headers:?}");
    }
    assert_eq!(with(&[("authorization", "Bearer k"), ("anthropic-version", "2026-10-21")]).status, 200);
    let mut sampled = hello_claude("", false);
    sampled["temperature"] = json!(0.5);
    assert_eq!(messages_at(&sim, "/v1/messages", "2026-10-21", &sampled).status, 400);
    assert_eq!(message(&sim, &sampled).status, 200);
}

#[test]
fn a_message_is_thought_about_and_counted_with_its_cache() {
    let sim = simulator();
    let mut asked = hello_claude("", false);
    asked["max_tokens"] = json!(4096);
    let plain = message(&sim, &asked).json();
    asked["thinking"] = json!({"type": "enabled", "budget_tokens": 1024});
    asked["system"] = json!([{"type": "text", "text": "Be brief, please.", "cache_control": {"type": "ephemeral"}}]);
    let whole = message(&sim, &asked).json();
    assert_eq!((&whole["content"][0]["type"], &whole["content"][1]["type"]), (&json!("thinking"), &json!("text")));
    let thought = whole["usage"]["output_tokens_details"]["thinking_tokens"].as_u64().unwrap();
    assert!(thought > 0 && whole["usage"]["output_tokens"].as_u64().unwrap() > thought);
    let figure = |answer: &Value, name: &str| answer["usage"][name].as_u64().unwrap();
    assert_eq!(figure(&whole, "cache_read_input_tokens"), "Be brief, please.".len().div_ceil(4) as u64);
    assert_eq!((figure(&plain, "cache_read_input_tokens"), figure(&whole, "cache_creation_input_tokens")), (0, 0));
    asked["stream"] = json!(true);
    let streamed = message(&sim, &asked);
    assert_eq!(streamed.joined("/delta/thinking"), whole["content"][0]["thinking"].as_str().unwrap());
    assert_eq!(streamed.joined("/delta/signature"), whole["content"][0]["signature"].as_str().unwrap());
    assert_eq!(streamed.joined("/delta/text"), whole["content"][1]["text"].as_str().unwrap());
    for wrong in [
        json!({"type": "enabled", "budget_tokens": 1023}),
        json!({"type": "enabled", "budget_tokens": 4096}),
        json!({"type": "often"}),
    ] {
        asked["thinking"] = wrong;
        assert_eq!(message(&sim, &asked).status, 400, "{asked}");
    }
}

#[test]
fn responses_are_told_in_events_of_their_own() {
    let sim = simulator();
    let post = |fault: &str, body: Value| {
        let headers: &[(&str, &str)] = if fault.is_empty() { &[] } else { &[("x-simulate", fault)] };
        ask(sim.handle.addr, "POST", "/openai/v1/responses", headers, body.to_string().as_bytes())
    };
    let hello = |stream: bool| json!({"model": "gpt-5.4", "input": "Hi", "stream": stream, "temperature": 0.5});
    let whole = post("", hello(false)).json();
    assert_eq!(
        (&whole["object"], &whole["status"], &whole["temperature"]),
        (&json!("response"), &json!("completed"), &json!(0.5))
    );
    let text = whole["output"][0]["content"][0]["text"].as_str().unwrap();
    let streamed = post("", hello(true));
    let names: Vec<_> = streamed.events().iter().map(|event| event.lines().next().unwrap()[7..].to_owned()).collect();
    assert_eq!(names[..3], ["response.created", "response.in_progress", "response.output_item.added"]);
    assert_eq!(
        names[names.len() - 3..],
        ["response.content_part.done", "response.output_item.done", "response.completed"]
    );
    assert_eq!(streamed.joined("/delta"), text);
    let failed = post("error-event=4", hello(true));
    let last = failed.events().last().unwrap().to_string();
    assert!(last.starts_with("event: error\n") && last.contains("\"sequence_number\":4"), "{last}");
    assert_eq!(post("refusal", hello(false)).json()["output"][0]["content"][0]["type"], "refusal");
    let mut called = hello(false);
    called["tools"] = json!([{"type": "function", "name": "get_time", "parameters": {"type": "object"}}]);
    called["tool_choice"] = json!("required");
    assert_eq!(post("", called).json()["output"][0]["name"], "get_time");
    let mut bound = hello(false);
    bound["previous_response_id"] = json!("resp_1");
    assert_eq!(post("", bound).json()["error"]["param"], "previous_response_id");
}

#[test]
fn embeddings_and_models_answer() {
    let sim = simulator();
    let body =
        json!({"model": "text-embedding-3-small", "input": ["a", "b"], "dimensions": 16, "encoding_format": "base64"});
    let reply = ask(sim.handle.addr, "POST", "/openai/v1/embeddings", &[], body.to_string().as_bytes()).json();
    assert_eq!(reply["data"][1]["embedding"].as_str().unwrap().len(), 88);
    let get = |path: &str, headers: &[(&str, &str)]| ask(sim.handle.addr, "GET", path, headers, b"").json();
    assert_eq!(get("/v1/models", &[])["object"], "list");
    assert_eq!(get("/v1/models", &[("anthropic-version", "2023-06-01")])["data"][0]["type"], "model");
    assert_eq!(get("/models/gpt-y", &[])["id"], "gpt-y");
}

#[test]
fn errors_wear_the_envelope_of_their_provider() {
    let sim = simulator();
    for (fault, status, code, kind) in [
        ("rate-limit", 429, "rate_limit_exceeded", "rate_limit_error"),
        ("quota", 429, "insufficient_quota", "billing_error"),
        ("overloaded", 503, "slow_down", "overloaded_error"),
        ("auth", 401, "invalid_api_key", "authentication_error"),
        ("model-not-found", 404, "model_not_found", "not_found_error"),
        ("context-length", 400, "context_length_exceeded", "invalid_request_error"),
        ("content-filter", 400, "content_policy_violation", "invalid_request_error"),
    ] {
        let reply = chat(&sim, &hello(fault, true));
        assert_eq!((reply.status, reply.json()["error"]["code"].as_str()), (status, Some(code)), "{fault}");
        let reply = message(&sim, &hello_claude(fault, true)).json();
        assert_eq!((&reply["type"], &reply["error"]["type"]), (&json!("error"), &json!(kind)), "{fault}");
    }
    assert_eq!(message(&sim, &hello_claude("overloaded", false)).status, 529);
    assert_eq!(message(&sim, &hello_claude("quota", false)).status, 402);
    assert_eq!(chat(&sim, &hello("418", false)).status, 418);
}

#[test]
fn an_error_says_how_long_to_wait() {
    let sim = simulator();
    let header = |fault: &str, name: &str| chat(&sim, &hello(fault, false)).header(name).map(str::to_owned);
    assert_eq!(header("429", "retry-after"), None);
    assert_eq!(header("429;retry-after=2", "retry-after").as_deref(), Some("2"));
    assert_eq!(header("503;retry-after-ms=150", "retry-after-ms").as_deref(), Some("150"));
    assert!(header("503;retry-after-date=60", "retry-after").unwrap().ends_with(" GMT"));
}

#[test]
fn connections_break_before_the_head() {
    let sim = simulator();
    let end = |fault: &str| {
        let reply = chat(&sim, &hello(fault, false));
        (reply.status, reply.ended)
    };
    assert_eq!(end("reset"), (0, Ended::Reset));
    assert_eq!(end("refused"), (0, Ended::Reset));
    assert_eq!(end("hangup"), (0, Ended::Closed));
    assert_eq!(end("silence"), (0, Ended::Silent));
    let garbage = chat(&sim, &hello("garbage", false));
    assert!(garbage.status == 0 && garbage.body.contains("not HTTP"), "{garbage:?}");
    let seen = seen(&sim);
    let ends: Vec<_> = seen.requests.iter().map(|seen| (seen.complete, seen.client_gone)).collect();
    assert_eq!(ends[..4], [(false, false), (false, false), (false, false), (false, true)]);
}

#[test]
fn streams_break_after_the_events_asked_for() {
    let sim = simulator();
    let play = |fault: &str| {
        let reply = chat(&sim, &hello(fault, true));
        assert_eq!(reply.status, 200, "{fault}");
        (reply.events().len(), reply.whole, reply.ended)
    };
    assert_eq!(play("stall=3"), (3, false, Ended::Silent));
    assert_eq!(play("cut=3"), (3, false, Ended::Reset));
    assert_eq!(play("cut=0"), (0, false, Ended::Reset));
    assert_eq!(play("close=3"), (3, false, Ended::Closed));
    assert_eq!(play("end=3"), (3, true, Ended::Closed));
    assert_eq!(play("empty-body"), (0, true, Ended::Closed));
    let whole = play("").0;
    assert_eq!(play("no-done"), (whole - 1, true, Ended::Closed));
    assert_eq!(play("malformed=2;repeat=3"), (whole + 3, true, Ended::Closed));
    assert_eq!(play("truncated"), (2, true, Ended::Closed));
    let seen = seen(&sim);
    assert_eq!((seen.requests[0].events, seen.requests[0].client_gone), (3, true));
    assert_eq!((seen.requests[1].events, seen.requests[1].client_gone, seen.requests[1].complete), (3, false, false));
    assert_eq!(seen.requests[6].events as usize, whole);
}

#[test]
fn streams_carry_error_events() {
    let sim = simulator();
    let reply = chat(&sim, &hello("error-event=2;as=overloaded", true));
    let last: Value = serde_json::from_str(reply.data().last().unwrap()).unwrap();
    assert!(last["error"]["message"].as_str().unwrap().contains("overloaded"));
    let reply = message(&sim, &hello_claude("error-event=4;as=overloaded", true));
    assert!(reply.events().last().unwrap().starts_with("event: error\n"));
    assert!(reply.body.contains("overloaded_error"));
    assert_eq!(chat(&sim, &hello("error-event=2", false)).status, 500);
    assert!(!message(&sim, &hello_claude("no-done", true)).body.contains("message_stop"));
}

#[test]
fn whole_answers_break_too() {
    let sim = simulator();
    let play = |fault: &str| chat(&sim, &hello(fault, false));
    let (cut, closed) = (play("cut=1"), play("close=1"));
    assert_eq!((cut.ended, cut.whole, cut.body.is_empty()), (Ended::Reset, false, false));
    assert_eq!((closed.ended, closed.whole, closed.body.is_empty()), (Ended::Closed, false, false));
    assert_eq!(play("stall=1").ended, Ended::Silent);
    let truncated = play("truncated");
    assert!(truncated.whole && serde_json::from_str::<Value>(&truncated.body).is_err());
    let empty = play("empty-body");
    assert_eq!((empty.status, empty.body.as_str(), empty.whole), (200, "", true));
    assert!(play("not-json").header("content-type").unwrap().starts_with("text/html"));
}

#[test]
fn answers_decline_are_filtered_and_lie_about_their_model() {
    let sim = simulator();
    let refusal = chat(&sim, &hello("refusal", false)).json();
    let said = &refusal["choices"][0]["message"];
    assert!(said["refusal"].is_string() && said["content"].is_null());
    assert_eq!(
        chat(&sim, &hello("refusal", true)).joined("/choices/0/delta/refusal"),
        said["refusal"].as_str().unwrap()
    );
    assert_eq!(message(&sim, &hello_claude("refusal", false)).json()["stop_reason"], "refusal");
    assert_eq!(message(&sim, &hello_claude("refusal", true)).joined("/delta/stop_reason"), "refusal");
    assert_eq!(chat(&sim, &hello("filtered", false)).json()["choices"][0]["finish_reason"], "content_filter");
    assert_eq!(chat(&sim, &hello("wrong-model", false)).json()["model"], "gpt-x-rerouted");
    assert_eq!(message(&sim, &hello_claude("wrong-model=c", false)).json()["model"], "c");
}

#[test]
fn answers_come_in_any_size_and_pace() {
    let sim = simulator();
    assert_eq!(chat(&sim, &hello("events=200", true)).events().len(), 203);
    assert_eq!(chat(&sim, &hello("events=0", true)).events().len(), 3);
    let big = chat(&sim, &hello("bytes=1000000", false));
    assert!(big.whole && big.body.len() > 1_000_000);
    let huge = chat(&sim, &hello("huge-event=200000;events=1", true));
    assert!(huge.events()[1].len() > 200_000);
    for (fault, least) in [("slow-head=60ms", 60), ("slow-first-token=60ms", 60), ("delay=20ms;events=4", 60)] {
        let begin = Instant::now();
        assert!(chat(&sim, &hello(fault, true)).whole);
        assert!(begin.elapsed() >= Duration::from_millis(least), "{fault}");
    }
}

#[test]
fn faults_come_by_header_by_file_and_at_run_time() {
    let faults = "- {provider: openai, fault: 503, first: 2}".to_owned();
    let sim = simulator_with(Options { faults, ..Options::default() });
    let status = |headers: &[(&str, &str)]| {
        let body = hello("", false).to_string();
        ask(sim.handle.addr, "POST", "/openai/v1/chat/completions", headers, body.as_bytes()).status
    };
    assert_eq!(status(&[("x-simulate", "none")]), 200);
    assert_eq!([status(&[]), status(&[]), status(&[])], [503, 503, 200]);
    assert_eq!(status(&[("x-simulate", "429;retry-after=2")]), 429);
    assert_eq!(status(&[("x-simulate", "sielnce")]), 400);
    let admin = |method: &str, body: &str| ask(sim.handle.addr, method, "/simulate/faults", &[], body.as_bytes());
    assert_eq!(admin("PUT", "- {model: 'gpt-*', fault: 500}").json()["faults"][0]["fault"], 500);
    assert_eq!(status(&[]), 500);
    let bad = admin("PUT", "- {fault: sielnce}");
    assert_eq!(bad.status, 400);
    assert!(bad.body.contains("did you mean"));
    assert_eq!(status(&[]), 500);
    assert_eq!(admin("DELETE", "").status, 200);
    assert_eq!(status(&[]), 200);
}

#[test]
fn a_model_is_down_and_then_healthy() {
    let sim = simulator();
    let statuses: Vec<_> = (0..3).map(|_| chat(&sim, &hello("503;first=2", false)).status).collect();
    assert_eq!(statuses, [503, 503, 200]);
}

#[test]
fn a_port_refuses_connections_and_comes_back() {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let sim = simulator_with(Options { ports: vec![("openai".into(), any)], ..Options::default() });
    let port = sim.handle.ports["openai"];
    let body = hello("", false).to_string();
    assert_eq!(ask(port, "POST", "/v1/chat/completions", &[], body.as_bytes()).status, 200);
    assert_eq!(seen(&sim).requests[0].provider, "openai");
    let refused = || TcpStream::connect(port).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused);
    let wait_until = |wanted: bool| {
        let begin = Instant::now();
        while refused() != wanted {
            assert!(begin.elapsed() < Duration::from_secs(2), "the port should be closed: {wanted}");
            std::thread::sleep(Duration::from_millis(2));
        }
    };
    sim.handle.set_faults("- {provider: openai, fault: refused}").unwrap();
    wait_until(true);
    sim.handle.set_faults("").unwrap();
    wait_until(false);
    sim.handle.set_faults("- {provider: openai, fault: refused, for: 50ms}").unwrap();
    wait_until(true);
    wait_until(false);
    assert_eq!(ask(port, "POST", "/v1/chat/completions", &[], body.as_bytes()).status, 200);
}

#[test]
fn the_report_says_what_arrived() {
    let sim = simulator();
    let body = hello("", false).to_string();
    let headers = [("authorization", "Bearer sk-secret"), ("x-tag", "7")];
    ask(sim.handle.addr, "POST", "/v1/chat/completions?x=1", &headers, body.as_bytes());
    let report = ask(sim.handle.addr, "GET", "/simulate/seen?provider=default&last=5", &[], b"");
    assert!(!report.body.contains("sk-secret"));
    let report = report.json();
    assert_eq!(report["counts"]["default"]["gpt-x"]["complete"], 1);
    let seen = &report["requests"][0];
    assert_eq!((&seen["path"], &seen["headers"]["x-tag"]), (&json!("/v1/chat/completions?x=1"), &json!("7")));
    assert_eq!(seen["headers"]["authorization"].as_str().unwrap().len(), "sha256:".len() + 64);
    assert_eq!((&seen["body_bytes"], &seen["status"]), (&json!(body.len()), &json!(200)));
    assert_eq!(seen["body_sha256"], wayside::simulate::seen::hex_sha256(body.as_bytes()));
    assert_eq!((&seen["complete"], &seen["client_gone"]), (&json!(true), &json!(false)));
    assert_eq!(ask(sim.handle.addr, "DELETE", "/simulate/seen", &[], b"").status, 200);
    assert_eq!(sim.handle.seen().total, 0);
}

#[test]
fn a_client_that_leaves_is_noticed() {
    let sim = simulator();
    let mut stream = TcpStream::connect(sim.handle.addr).unwrap();
    let body = hello("delay=10ms;events=100000", true).to_string();
    let length = body.len();
    let request = format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).unwrap();
    stream.read_exact(&mut [0; 200]).unwrap();
    drop(stream);
    let report = seen(&sim);
    assert!(report.in_flight == 0 && report.requests[0].client_gone && report.requests[0].events < 1000);
}

#[test]
fn bad_input_gets_a_clear_answer() {
    let sim = simulator();
    for (path, body, status, says) in [
        ("/v1/chat/completions", "", 400, "not valid JSON"),
        ("/v1/chat/completions", "[]", 400, "must be a JSON object"),
        ("/v1/chat/completions", "{}", 400, "`messages` is missing"),
        ("/v1/chat/completions", r#"{"messages":[{"role":"user"}]}"#, 400, "`model` is missing"),
        ("/v1/chat/completions", r#"{"model":"x","messages":[]}"#, 400, "must not be empty"),
        ("/v1/chat/completions", r#"{"model":"x","messages":[7]}"#, 400, "messages[0].role"),
        ("/v1/chat/completions", r#"{"model":"x","stream":1,"messages":[{"role":"user"}]}"#, 400, "`stream`"),
        ("/v1/chat/completions", r#"{"model":"x","n":0,"messages":[{"role":"user"}]}"#, 400, "`n`"),
        ("/v1/chat/completions", r#"{"model":"x","tools":3,"messages":[{"role":"user"}]}"#, 400, "`tools`"),
        ("/v1/chat/completions", r#"{"model":"x!foo","messages":[{"role":"user"}]}"#, 400, "unknown fault"),
        ("/v1/messages", r#"{"model":"x","messages":[{"role":"user"}]}"#, 400, "max_tokens: Field required"),
        ("/v1/messages", r#"{"model":"x","max_tokens":1}"#, 400, "messages: Field required"),
        ("/v1/embeddings", r#"{"model":"x"}"#, 400, "`input`"),
        ("/v1/nothing", "{}", 404, "Unknown request URL"),
        ("/Bad-Name/v1/embeddings", "{}", 404, "Unknown request URL"),
        ("/v1/models", "", 405, "use GET"),
    ] {
        let reply = messages_at_raw(&sim, path, body);
        let value = reply.json();
        let error = value["error"]["message"].as_str().unwrap();
        assert!(reply.status == status && error.contains(says), "{path} {body}: {} {error}", reply.status);
    }
    let status = |method: &str, path: &str| ask(sim.handle.addr, method, path, &[], b"").status;
    assert_eq!(status("GET", "/v1/chat/completions"), 405);
    assert_eq!(status("GET", "/simulate"), 200);
    assert_eq!(status("GET", "/simulate/nothing"), 404);
    assert_eq!(status("POST", "/simulate/seen"), 405);
}

fn messages_at_raw(sim: &Sim, path: &str, body: &str) -> Reply {
    let headers = [("anthropic-version", "2023-06-01"), ("authorization", "Bearer k")];
    ask(sim.handle.addr, "POST", path, &headers, body.as_bytes())
}

#[test]
fn limits_hold_at_the_limit_and_break_one_above() {
    let sim = simulator();
    let announce = |length: usize| {
        let mut stream = TcpStream::connect(sim.handle.addr).unwrap();
        write!(stream, "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n").unwrap();
        read(stream)
    };
    assert_eq!(announce(MAX_BODY).ended, Ended::Silent);
    let above = announce(MAX_BODY + 1);
    assert_eq!((above.status, above.json()["error"]["code"].as_str()), (413, Some("request_too_large")));

    let faults = |length: usize| {
        let rule = "- {fault: 503}";
        let text = format!("{rule}{}", " ".repeat(length - rule.len()));
        ask(sim.handle.addr, "PUT", "/simulate/faults", &[], text.as_bytes()).status
    };
    assert_eq!([faults(MAX_FAULTS), faults(MAX_FAULTS + 1)], [200, 400]);
    sim.handle.set_faults("").unwrap();

    let answers = |n: u64| {
        let mut body = hello("events=1", false);
        body["n"] = json!(n);
        chat(&sim, &body).status
    };
    assert_eq!([answers(MAX_N), answers(MAX_N + 1)], [200, 400]);
}

#[test]
fn connections_are_kept_for_the_next_request() {
    let sim = simulator();
    let mut stream = TcpStream::connect(sim.handle.addr).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    for streamed in [false, true, false] {
        let body = hello("events=1", streamed).to_string();
        let length = body.len();
        let request =
            format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).unwrap();
        let (mut got, mut byte) = (Vec::new(), [0]);
        let end: &[u8] = if streamed { b"\r\n0\r\n\r\n" } else { b"\"fp_simulated\"" };
        while !got.ends_with(end) {
            stream.read_exact(&mut byte).unwrap();
            got.push(byte[0]);
        }
        if !streamed {
            let rest = String::from_utf8(got).unwrap();
            let (head, body) = rest.split_once("\r\n\r\n").unwrap();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            let left = length.parse::<usize>().unwrap() - body.len();
            stream.read_exact(&mut vec![0; left]).unwrap();
        }
    }
    stream.shutdown(Shutdown::Both).unwrap();
    assert!(seen(&sim).requests.iter().all(|seen| seen.complete));
}

#[test]
fn a_second_simulator_on_the_same_port_says_so() {
    let sim = simulator();
    let taken = Options { listen: sim.handle.addr, ..Options::default() };
    let error = sim.runtime.block_on(start(taken)).err().unwrap().to_string();
    assert!(error.contains("cannot listen on 127.0.0.1:"), "{error}");
    let named = Options { ports: vec![("Open AI".into(), sim.handle.addr)], ..Options::default() };
    assert!(sim.runtime.block_on(start(named)).is_err());
    let Sim { runtime, handle } = sim;
    let addr = handle.addr;
    runtime.block_on(handle.shutdown());
    assert!(TcpStream::connect(addr).is_err());
}
