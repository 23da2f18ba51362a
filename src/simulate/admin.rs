//! The simulator's own interface: what arrived, and which faults are in force.
//!
//! In: requests under `/simulate`. Out: JSON. Must not know: dialects.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Response, StatusCode};
use serde_json::{Value, json};

use super::State;
use super::body::Body;
use super::fault::WORDS;
use super::rules::Rules;
use super::script::whole;
use super::seen::{Log, Seen};
use super::socket::Control;

/// Longest faults file.
pub const MAX_FAULTS: usize = 1 << 20;
/// Requests listed when the question does not say how many.
const LISTED: usize = 1000;

/// What comes after `/simulate`, if the path is one of ours.
pub fn path(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("/simulate")?;
    (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_matches('/'))
}

/// Answers a request about the simulator itself.
///
/// # Errors
/// When the client breaks off.
pub async fn answer(
    state: &Arc<State>,
    rest: &str,
    head: &Parts,
    incoming: Incoming,
    control: Arc<Control>,
) -> io::Result<Response<Body>> {
    let is = |method: &Method| head.method == *method;
    let (status, value) = match rest {
        "" if is(&Method::GET) => (StatusCode::OK, help()),
        "seen" if is(&Method::GET) => (StatusCode::OK, seen(state, head.uri.query().unwrap_or(""))),
        "seen" if is(&Method::DELETE) => {
            state.seen.clear();
            (StatusCode::OK, json!({"cleared": true}))
        }
        "faults" if is(&Method::GET) => (StatusCode::OK, json!({"faults": state.rules().written()})),
        "faults" if is(&Method::DELETE) => {
            state.set_rules(Rules::none(Instant::now()));
            (StatusCode::OK, json!({"faults": []}))
        }
        "faults" if is(&Method::PUT) => set_faults(state, incoming).await,
        "" | "seen" | "faults" => (StatusCode::METHOD_NOT_ALLOWED, json!({"error": "see GET /simulate"})),
        _ => (StatusCode::NOT_FOUND, json!({"error": "not here; see GET /simulate"})),
    };
    let (length, steps) = whole(format!("{value:#}\n"), None);
    // Questions about the log are not themselves logged; they get a ticket of a log nobody reads.
    let ticket = Log::new(Instant::now()).arrive(Seen::default(), &HeaderMap::new());
    let mut response = Response::new(Body::new(steps, Some(length), ticket, control));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, PUT, DELETE"));
    }
    Ok(response)
}

fn help() -> Value {
    let words: serde_json::Map<_, _> = WORDS.iter().map(|(word, text)| ((*word).to_owned(), json!(text))).collect();
    json!({
        "endpoints": {
            "POST /PROVIDER/v1/chat/completions, /messages, /messages/count_tokens, /embeddings; GET /models":
                "simulated providers; without /PROVIDER the provider is `default`",
            "GET /simulate/seen?provider=&model=&last=": "what arrived, oldest first",
            "DELETE /simulate/seen": "forget what has ended",
            "GET, PUT, DELETE /simulate/faults": "rules in force; PUT takes a faults file (YAML or JSON)",
        },
        "ask for a fault by": [
            "model name: gpt-5.4-2026-03-05!503;retry-after=2", "header: x-simulate: stall=3",
            "rule: - {provider: openai, model: gpt-*, fault: 503, first: 3}",
        ],
        "words": words,
    })
}

fn seen(state: &State, query: &str) -> Value {
    let get = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let (provider, model) = (get("provider"), get("model"));
    let last = get("last").and_then(|last| last.parse().ok()).unwrap_or(LISTED);
    let is = |wanted: Option<&str>, value: &str| wanted.is_none_or(|wanted| wanted == value);
    let report = state.seen.report(last, |seen| is(provider, &seen.provider) && is(model, &seen.model));
    serde_json::to_value(report).unwrap_or(Value::Null)
}

async fn set_faults(state: &State, incoming: Incoming) -> (StatusCode, Value) {
    let wrong = |error: String| (StatusCode::BAD_REQUEST, json!({"error": error}));
    let body = match Limited::new(incoming, MAX_FAULTS).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) => return wrong(format!("the faults cannot be read: {error}")),
    };
    let text = String::from_utf8_lossy(&body);
    match Rules::parse(&text, Instant::now()) {
        Ok(rules) => {
            state.set_rules(rules);
            (StatusCode::OK, json!({"faults": state.rules().written()}))
        }
        Err(error) => wrong(error.0),
    }
}
