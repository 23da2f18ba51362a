//! Every row of `chat_failures.yaml`: what an upstream answered, and the word for it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

use std::collections::BTreeMap;

use wayside::dialect::upstream_error::{MAX_MESSAGE, UpstreamError};
use wayside::failure::Failure;
use wayside::units::Millis;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    status: Option<u16>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: serde_json::Value,
    is: Failure,
    retry_after_ms: Option<u64>,
}

fn now() -> jiff::Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

#[test]
fn every_answer_has_its_word() {
    let cases: Vec<Case> = serde_yaml::from_str(include_str!("chat_failures.yaml")).unwrap();
    for case in cases {
        let body = match &case.body {
            serde_json::Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        let headers: Vec<(&str, &str)> = case.headers.iter().map(|(k, v)| (&**k, &**v)).collect();
        let error = match case.status {
            Some(status) => UpstreamError::from_response(status, &headers[..], body.as_bytes(), now()),
            None => UpstreamError::in_band(body.as_bytes()),
        };
        assert_eq!((error.failure, error.status), (case.is, case.status), "{}: {error:?}", case.name);
        assert_eq!(error.retry_after, case.retry_after_ms.map(Millis), "{}", case.name);
    }
}

#[test]
fn a_long_message_is_cut_at_a_character() {
    let message = |length: usize| {
        let body = serde_json::json!({"error": {"message": "ü".repeat(length)}}).to_string();
        UpstreamError::in_band(body.as_bytes()).message.len()
    };
    assert_eq!(message(MAX_MESSAGE / 2), MAX_MESSAGE);
    assert_eq!(message(MAX_MESSAGE / 2 + 1), MAX_MESSAGE);
}
