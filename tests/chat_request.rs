//! What a Chat Completions body says, which bodies are refused and with which words, and the splice.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

use wayside::dialect::bad_body::BadBody;
use wayside::dialect::chat::request::scan;
use wayside::dialect::scan::{
    MAX_METADATA, MAX_METADATA_TEXT, MAX_MODEL_NAME, MAX_TEXTS, MAX_USER, Modalities, Scan, Wants,
};

const ALL: Wants = Wants { metadata: true };

fn read(body: &str) -> Scan {
    scan(body.as_bytes(), ALL).unwrap_or_else(|bad| panic!("{body}: {bad:?}"))
}

fn refused(body: &[u8]) -> BadBody {
    scan(body, ALL).expect_err(&String::from_utf8_lossy(body))
}

/// The passages of a scan, decoded.
fn texts(body: &str) -> Vec<String> {
    let raw = |span: wayside::json::Span| std::str::from_utf8(span.of(body.as_bytes())).unwrap().to_owned();
    let decode = wayside::json::unescape;
    read(body).text.iter().map(|p| if p.escaped { decode(&raw(p.span)) } else { raw(p.span) }).collect()
}

#[test]
fn a_small_request_is_read_whole() {
    let scan = read(r#"{"model":"gpt-5.4","messages":[{"role":"user","content":"hi"}]}"#);
    assert_eq!((&*scan.model, scan.stream, scan.messages, scan.choices), ("gpt-5.4", false, 1, 1));
    assert_eq!((scan.tools, scan.json_schema, scan.max_output, scan.user), (false, false, None, None));
    assert_eq!(scan.modalities, Modalities { text: true, ..Modalities::default() });
}

#[test]
fn every_field_a_decision_needs_is_found_in_any_order() {
    let body = r#"{
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "name": "kim", "content": [
                {"text": "what\nis this?", "type": "text"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}},
                {"type": "file", "file": {"file_id": "f"}}]},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{\"q\":1}"}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "42"}],
        "metadata": {"channel": "web", "n": 7, "team": "\u0061"},
        "user": "u-1", "n": 2, "stream": true, "stream_options": {"include_usage": true},
        "tools": [{"type": "function", "function": {"name": "look"}}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {}}},
        "max_tokens": 900, "max_completion_tokens": 700, "mod\u0065l": "a/b@\u0063"
    }"#;
    let scan = read(body);
    assert_eq!((&*scan.model, scan.messages, scan.choices), ("a/b@c", 4, 2));
    assert_eq!((scan.stream, scan.include_usage, scan.tools, scan.json_schema), (true, true, true, true));
    assert_eq!(scan.modalities, Modalities { text: true, image: true, audio: true, video: false, file: true });
    assert_eq!((scan.max_output, scan.user.as_deref()), (Some(700), Some("u-1")));
    assert_eq!(scan.metadata, [("channel".into(), "web".into()), ("team".into(), "a".into())]);
    assert_eq!(
        texts(body),
        [
            "be brief",
            "kim",
            "what\nis this?",
            "look",
            "{\"q\":1}",
            "42",
            "[{\"type\": \"function\", \"function\": {\"name\": \"look\"}}]",
            "{\"name\": \"s\", \"schema\": {}}"
        ]
    );
}

#[test]
fn null_means_not_given() {
    let scan = read(
        r#"{"model":"m","messages":[{"role":"user","content":null}],"stream":null,"stream_options":null,"tools":null,
            "functions":null,"response_format":null,"max_tokens":null,"n":null,"user":null,"metadata":null}"#,
    );
    assert_eq!(
        (scan.stream, scan.tools, scan.json_schema, scan.max_output, scan.choices),
        (false, false, false, None, 1)
    );
}

#[test]
fn empty_tools_and_plain_json_are_no_demand() {
    let scan = read(r#"{"model":"m","messages":[{}],"tools":[],"response_format":{"type":"json_object"}}"#);
    assert_eq!((scan.tools, scan.json_schema), (false, false));
}

#[test]
fn metadata_is_read_only_when_wanted() {
    let body = br#"{"model":"m","messages":[{}],"metadata":{"a":"b"}}"#;
    assert!(scan(body, Wants::default()).unwrap().metadata.is_empty());
    assert_eq!(scan(body, ALL).unwrap().metadata.len(), 1);
}

/// body, param, code, a part of the message
const REFUSED: [(&str, Option<&str>, &str, &str); 31] = [
    ("", None, "empty_body", "empty"),
    (" \n", None, "empty_body", "empty"),
    ("hello", None, "invalid_json", "unexpected \"h\" (line 1, column 1)"),
    ("{\"model\":\"m\",\n \"messages\": [x]}", None, "invalid_json", "(line 2, column 15)"),
    ("{\"model\":\"m\",\"messages\":[{\"role\":\"us", None, "invalid_json", "cut off"),
    ("{\"model\":\"m\",\"messages\":[{}]} trailing", None, "invalid_json", "goes on after"),
    ("{\"model\":\"m\",\"messages\":[{}]}{}", None, "invalid_json", "goes on after"),
    ("[]", None, "invalid_type", "must be a JSON object, but it is an array"),
    ("\"text\"", None, "invalid_type", "a string"),
    ("null", None, "invalid_type", "null"),
    ("{}", Some("model"), "missing_required_parameter", "'model'"),
    ("{\"messages\":[{}]}", Some("model"), "missing_required_parameter", "'model'"),
    ("{\"model\":\"m\"}", Some("messages"), "missing_required_parameter", "'messages'"),
    ("{\"model\":null,\"messages\":[{}]}", Some("model"), "invalid_type", "expected a string, but got null"),
    ("{\"model\":7,\"messages\":[{}]}", Some("model"), "invalid_type", "a number"),
    ("{\"model\":\" \",\"messages\":[{}]}", Some("model"), "missing_required_parameter", "empty"),
    ("{\"model\":\"a\\nb\",\"messages\":[{}]}", Some("model"), "invalid_value", "printable"),
    ("{\"model\":\"m\",\"messages\":[]}", Some("messages"), "empty_array", "at least one"),
    ("{\"model\":\"m\",\"messages\":null}", Some("messages"), "invalid_type", "null"),
    ("{\"model\":\"m\",\"messages\":{}}", Some("messages"), "invalid_type", "an object"),
    ("{\"model\":\"m\",\"messages\":[{},3]}", Some("messages[1]"), "invalid_type", "a number"),
    ("{\"model\":\"m\",\"messages\":[{\"content\":3}]}", Some("messages[0].content"), "invalid_type", "a number"),
    ("{\"model\":\"m\",\"messages\":[{\"content\":[3]}]}", Some("messages[0].content"), "invalid_type", "a number"),
    ("{\"model\":\"m\",\"messages\":[{}],\"stream\":\"yes\"}", Some("stream"), "invalid_type", "a boolean"),
    ("{\"model\":\"m\",\"messages\":[{}],\"max_tokens\":-1}", Some("max_tokens"), "invalid_value", "whole number"),
    ("{\"model\":\"m\",\"messages\":[{}],\"max_tokens\":1.5}", Some("max_tokens"), "invalid_value", "whole number"),
    ("{\"model\":\"m\",\"messages\":[{}],\"max_tokens\":\"9\"}", Some("max_tokens"), "invalid_type", "a string"),
    ("{\"model\":\"m\",\"messages\":[{}],\"tools\":{}}", Some("tools"), "invalid_type", "an array"),
    ("{\"model\":\"m\",\"model\":\"n\",\"messages\":[{}]}", Some("model"), "duplicate_parameter", "twice"),
    (
        "{\"model\":\"m\",\"messages\":[{}],\"stream\":true,\"str\\u0065am\":false}",
        Some("stream"),
        "duplicate_parameter",
        "t",
    ),
    ("{\"model\":\"m\",\"messages\":[{}],\"messages\":[{}]}", Some("messages"), "duplicate_parameter", "twice"),
];

#[test]
fn bad_bodies_are_refused_with_place_and_reason() {
    for (body, param, code, part) in REFUSED {
        let bad = refused(body.as_bytes());
        assert_eq!((bad.param.as_deref(), bad.code), (param, code), "{body}: {}", bad.message);
        assert!(bad.message.contains(part), "{body}: {}", bad.message);
    }
    let bad = refused(b"{\"model\":\"m\",\"messages\":[{\"content\":\"\xff\"}]}");
    assert!(bad.message.contains("UTF-8"), "{}", bad.message);
    let deep = format!("{{\"model\":\"m\",\"messages\":[{{}}],\"x\":{}{}}}", "[".repeat(128), "]".repeat(128));
    assert_eq!(refused(deep.as_bytes()).code, "too_deeply_nested");
}

#[test]
fn a_body_cut_anywhere_is_refused_and_never_panics() {
    let body =
        r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"\u00e9 ü"}]}],"stream":true}"#;
    for end in 0..body.len() {
        scan(&body.as_bytes()[..end], ALL).unwrap_err();
    }
    read(body);
}

#[test]
fn names_and_metadata_are_bounded() {
    let named = |length: usize| format!(r#"{{"model":"{}","messages":[{{}}]}}"#, "m".repeat(length));
    assert_eq!(read(&named(MAX_MODEL_NAME)).model.len(), MAX_MODEL_NAME);
    assert_eq!(refused(named(MAX_MODEL_NAME + 1).as_bytes()).param.as_deref(), Some("model"));
    let pairs = |count: usize| (0..count).map(|n| format!("\"k{n}\":\"v\"")).collect::<Vec<_>>().join(",");
    let body = |count| format!(r#"{{"model":"m","messages":[{{}}],"metadata":{{{}}}}}"#, pairs(count));
    assert_eq!(read(&body(MAX_METADATA)).metadata.len(), MAX_METADATA);
    assert_eq!(refused(body(MAX_METADATA + 1).as_bytes()).param.as_deref(), Some("metadata"));
}

#[test]
fn users_metadata_and_the_number_of_texts_are_bounded() {
    let user = |length: usize| format!(r#"{{"model":"m","messages":[{{}}],"user":"{}"}}"#, "u".repeat(length));
    assert_eq!(read(&user(MAX_USER)).user.unwrap().len(), MAX_USER);
    assert_eq!(refused(user(MAX_USER + 1).as_bytes()).param.as_deref(), Some("user"));
    let pair = |key: usize, value: usize| {
        let (key, value) = ("ü".repeat(key), "ü".repeat(value));
        format!(r#"{{"model":"m","messages":[{{}}],"metadata":{{"{key}":"{value}"}}}}"#)
    };
    let (key, value) = MAX_METADATA_TEXT;
    assert_eq!(read(&pair(key, value)).metadata.len(), 1);
    assert_eq!(refused(pair(key + 1, value).as_bytes()).param.as_deref(), Some("metadata"));
    assert_eq!(refused(pair(key, value + 1).as_bytes()).param.as_deref(), Some("metadata"));
    let many = |count: usize| {
        let messages = vec![r#"{"content":"a"}"#; count].join(",");
        format!(r#"{{"model":"m","messages":[{messages}]}}"#)
    };
    assert_eq!(read(&many(MAX_TEXTS)).text.len(), MAX_TEXTS);
    assert_eq!(refused(many(MAX_TEXTS + 1).as_bytes()).code, "too_many_messages");
}

#[cfg(feature = "serve")]
mod splice {
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;
    use wayside::dialect::splice::{Change, splice};

    fn spliced(body: &str, model: &str, max_output: Option<u64>) -> String {
        let bytes = Bytes::copy_from_slice(body.as_bytes());
        let change = Change { model, max_output, cap: "max_completion_tokens" };
        let spliced = splice(&bytes, &read(body), change);
        assert_eq!(spliced.len(), spliced.clone().into_bytes().len());
        String::from_utf8(spliced.into_bytes().to_vec()).unwrap()
    }

    #[test]
    fn only_the_model_changes() {
        let body = "{ \"messages\" : [{\"content\":\"say \\\"model\\\"\"}],\t\"model\" :\"old\", \"x\":1.0e2}\n";
        assert_eq!(spliced(body, "new\"one", None), body.replace("\"old\"", "\"new\\\"one\""));
        assert_eq!(spliced(body, "old", None), body);
    }

    #[test]
    fn an_unchanged_body_is_not_copied() {
        let body = Bytes::from_static(b"{\"model\":\"m\",\"messages\":[{}]}");
        let same =
            splice(&body, &scan(&body, ALL).unwrap(), Change { model: "m", max_output: None, cap: "x" }).into_bytes();
        assert_eq!(same.as_ptr(), body.as_ptr());
    }

    #[test]
    fn the_cap_is_lowered_under_the_name_the_caller_used() {
        let with = |cap: &str| format!("{{{cap}\"model\":\"m\",\"messages\":[{{}}]}}");
        let cases = [
            ("\"max_tokens\":900,", Some(100), "\"max_tokens\":100,"),
            ("\"max_tokens\":50,", Some(100), "\"max_tokens\":50,"),
            ("\"max_completion_tokens\": 900 ,", Some(100), "\"max_completion_tokens\": 100 ,"),
            (
                "\"max_tokens\":900,\"max_completion_tokens\":50,",
                Some(100),
                "\"max_tokens\":100,\"max_completion_tokens\":50,",
            ),
            ("\"max_tokens\":null,", Some(100), "\"max_tokens\":100,"),
            (
                "\"max_tokens\":null,\"max_completion_tokens\":null,",
                Some(9),
                "\"max_tokens\":9,\"max_completion_tokens\":null,",
            ),
            ("", Some(100), "\"max_completion_tokens\":100,"),
            ("\"max_tokens\":900,", None, "\"max_tokens\":900,"),
        ];
        for (given, cap, wanted) in cases {
            assert_eq!(spliced(&with(given), "m", cap), with(wanted), "{given}");
        }
    }

    proptest! {
        /// Any JSON in the other fields survives byte for byte, and the spliced body says what was asked.
        #[test]
        fn a_spliced_body_says_the_new_model_and_nothing_else_new(
            text in ".{0,60}", model in "[a-z/@:.-]{1,30}", extra in "x_[a-z]{1,8}", cap in proptest::option::of(0u64..10_000)
        ) {
            let body = serde_json::json!({"model": "old", extra: [text.clone(), {"model": text.clone()}],
                "messages": [{"role": "user", "content": text}]}).to_string();
            let new = spliced(&body, &model, cap);
            let mut wanted: serde_json::Value = serde_json::from_str(&body).unwrap();
            wanted["model"] = model.clone().into();
            if let Some(cap) = cap { wanted["max_completion_tokens"] = cap.into(); }
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&new).unwrap(), wanted);
        }

        #[test]
        fn no_bytes_make_the_scan_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            drop(scan(&body, ALL));
        }
    }
}
