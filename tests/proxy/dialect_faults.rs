//! Faults of `tests/chain/matrix.yaml` over real sockets, from providers of each dialect but Chat Completions (whose are in `faults`):
//! what each upstream saw, who answered, and how long it took.
//!
//! The first hop speaks the dialect, the second one Chat Completions, and so does the caller.

use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use wayside::simulate::seen::Seen;

use super::client::{chat, chat_stream, post};
use super::rig::{KEY, POLICY, Rig, Setup};

/// A provider's dialect.
struct Tongue {
    name: &'static str,
    /// Without and with a stream.
    endpoints: [&'static str; 2],
    /// The header with the key, and what stands in front of it there.
    key: (&'static str, &'static str),
    /// A stream's events before its first word; Gemini has none.
    opening: &'static str,
}

const BEARER: (&str, &str) = ("authorization", "Bearer ");
const MESSAGES: Tongue = Tongue { name: "messages", endpoints: ["messages"; 2], key: ("x-api-key", ""), opening: "1" };
const RESPONSES: Tongue = Tongue { name: "responses", endpoints: ["responses"; 2], key: BEARER, opening: "1" };
const CONVERSE: Tongue = Tongue { name: "converse", endpoints: ["converse"; 2], key: BEARER, opening: "1" };
const GEMINI: Tongue = Tongue {
    name: "gemini",
    endpoints: ["generate_content", "stream_generate_content"],
    key: ("x-goog-api-key", ""),
    opening: "0",
};

/// For which requests a row is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Both,
    Stream,
}
use Kind::{Both, Stream};

/// A fault of the first hop, as the simulator takes it (`N` events are those before the first word); what the upstreams see (`1` is the first hop) and how each attempt failed; who
/// answered.
struct Row {
    kind: Kind,
    fault: &'static str,
    seen: &'static str,
    failures: &'static str,
    answer: &'static str,
    /// The dialects that have it; empty for all.
    only: &'static [&'static str],
}

const fn row(kind: Kind, fault: &'static str, seen: &'static str, failures: &'static str, answer: &'static str) -> Row {
    Row { kind, fault, seen, failures, answer, only: &[] }
}

const fn only(only: &'static [&'static str], row: Row) -> Row {
    Row { only, ..row }
}

const ROWS: [Row; 33] = [
    row(Both, "reset", "112", "network network", "2"),
    row(Both, "garbage", "112", "network network", "2"),
    row(Both, "silence", "12", "timeout", "2"),
    row(Both, "server-error", "112", "server_error server_error", "2"),
    row(Both, "overloaded", "12", "overload", "2"),
    row(Both, "overloaded;retry-after=1", "12", "overload", "2"),
    row(Both, "rate-limit", "12", "rate_limit", "2"),
    row(Both, "timeout", "12", "timeout", "2"),
    row(Both, "quota", "12", "quota_exhausted", "2"),
    row(Both, "auth", "12", "auth", "2"),
    row(Both, "forbidden", "12", "auth", "2"),
    row(Both, "model-not-found", "12", "model_gone", "2"),
    row(Both, "context-length", "1", "context_length", "template"),
    row(Both, "bad-request", "1", "bad_request", "said"),
    only(&["messages", "responses", "gemini"], row(Both, "wrong-model", "12", "model_gone", "2")),
    only(&["messages", "responses"], row(Both, "refusal", "1", "", "1")),
    only(&["responses", "gemini", "converse"], row(Both, "filtered", "1", "", "1")),
    row(Stream, "slow-first-token=5s", "12", "timeout", "2"),
    row(Stream, "stall=N", "12", "timeout", "2"),
    row(Stream, "cut=N", "112", "network network", "2"),
    row(Stream, "close=N", "112", "network network", "2"),
    row(Stream, "end=N", "112", "network network", "2"),
    row(Stream, "malformed=N;repeat=3", "112", "network network", "2"),
    row(Stream, "malformed=N", "1", "", "1"),
    row(Stream, "error-event=N", "112", "server_error server_error", "2"),
    row(Stream, "error-event=N;as=overloaded", "12", "overload", "2"),
    row(Stream, "error-event=N;as=rate-limit", "12", "rate_limit", "2"),
    row(Stream, "cut=8;events=20", "1", "network", "cut"),
    row(Stream, "error-event=8;as=overloaded;events=20", "1", "overload", "cut"),
    row(Stream, "stall=8;events=20", "1", "timeout", "cut"),
    // What ends a stream: Messages and Responses have an event for it, Converse a count behind it, Gemini the reason alone.
    only(&["messages", "responses"], row(Stream, "no-done;events=3", "1", "network", "cut")),
    only(&["converse"], row(Stream, "no-done;events=3", "1", "", "1")),
    only(&["gemini"], row(Stream, "no-done;events=3", "1", "network", "cut")),
];

/// Faults that leave a stream alone, and their outcome there.
const DECLINED: [&str; 2] = ["refusal", "filtered"];

fn policy() -> String {
    POLICY.replace("timeout 5s, first_token 2s, idle 1s", "timeout 1s, first_token 800ms, idle 500ms")
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the upstreams saw, attempt by attempt: the right endpoint of the right dialect with its own key, and a retry the same bytes.
fn saw(tongue: &Tongue, requests: &[Seen], stream: bool, place: &str) -> String {
    let mut hops = String::new();
    for seen in requests {
        let first = seen.provider == "anthropic";
        hops.push(if first { '1' } else { '2' });
        let endpoint = if first { tongue.endpoints[usize::from(stream)] } else { "chat" };
        let model = if first { "claude-sonnet-5" } else { "gpt-5.4-2026-03-05" };
        assert_eq!((seen.endpoint, &*seen.model, seen.stream), (endpoint, model, stream), "{place}: {seen:?}");
        let (header, front) = if first { tongue.key } else { ("authorization", "Bearer ") };
        let key = format!("sha256:{}", hash(format!("{front}{KEY}").as_bytes()));
        assert_eq!(seen.headers.get(header), Some(&key), "{place}: {:?}", seen.headers);
        assert!(!seen.body_sha256.is_empty(), "{place}: {seen:?}");
    }
    for (one, other) in requests.iter().zip(requests.iter().skip(1)) {
        let same = one.provider == other.provider;
        assert_eq!(one.body_sha256 == other.body_sha256, same, "{place}: a retry is the same request, and no other is");
    }
    hops
}

async fn holds(tongue: &Tongue, row: &Row, stream: bool) {
    let Row { seen, failures, answer, .. } = row;
    let fault = row.fault.replace('N', tongue.opening);
    let place = format!("{} {fault}, stream {stream}", tongue.name);
    let (keys, faults) =
        (format!("dialect: {}, ", tongue.name), format!("- {{provider: anthropic, fault: '{fault}'}}"));
    let (policy, anthropic_keys) = (policy(), &*keys);
    let rig = Rig::with(Setup { policy: &policy, faults: &faults, anthropic_keys, ..Setup::default() }).await;
    let request = if stream { chat_stream("gpt-4o", "x") } else { chat("gpt-4o", "x") };
    let begun = Instant::now();
    let got = post(rig.address, &request, &[]).await;
    let took = begun.elapsed();
    let line = &rig.lines.wait(1).await[0];
    let tried = line["attempts"].as_array().unwrap();
    let words: Vec<&str> = tried.iter().filter_map(|one| one["failure"].as_str()).collect();
    let declined = !stream && DECLINED.contains(&&*fault);
    if !declined {
        assert_eq!(&words.join(" "), failures, "{place}: {line}");
    }
    let report = rig.simulator.settled(Duration::from_secs(3)).await;
    assert_eq!(&saw(tongue, &report.requests, stream, &place), seen, "{place}: {line}");
    let (status, hop) = (got.status, got.header("x-wayside-hop"));
    match *answer {
        "said" => assert_eq!((status, got.header("x-should-retry")), (400, "false"), "{place}: {}", got.text()),
        "template" => assert_eq!(got.header("x-wayside-degraded"), "template sorry", "{place}: {}", got.text()),
        "cut" => {
            assert_eq!((status, hop, got.clean), (200, "1", false), "{place}: {}", got.text());
            assert!(got.events().pop().unwrap().contains("\"code\":\"stream_cut\""), "{place}: {}", got.text());
            assert!(!got.text().contains("[DONE]"), "{place}: {}", got.text());
        }
        answers => {
            assert_eq!((status, hop, got.clean), (200, answers, true), "{place}: {}", got.text());
            assert!(!stream || got.events().last().unwrap() == "[DONE]", "{place}: {}", got.text());
        }
    }
    // One attempt at its limit, a backoff, and a busy machine.
    assert!(took < Duration::from_millis(4000), "{place}: {took:?}");
}

async fn all(tongue: Tongue) {
    for row in ROWS.iter().filter(|row| row.only.is_empty() || row.only.contains(&tongue.name)) {
        if row.kind == Both {
            holds(&tongue, row, false).await;
        }
        holds(&tongue, row, true).await;
    }
}

#[tokio::test]
async fn faults_of_messages_end_as_the_matrix_says() {
    all(MESSAGES).await;
}

#[tokio::test]
async fn faults_of_responses_end_as_the_matrix_says() {
    all(RESPONSES).await;
}

#[tokio::test]
async fn faults_of_gemini_end_as_the_matrix_says() {
    all(GEMINI).await;
}

#[tokio::test]
async fn faults_of_converse_end_as_the_matrix_says() {
    all(CONVERSE).await;
}
