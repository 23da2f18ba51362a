//! Google's dialect of the simulator.

use serde_json::{Value, json};

use crate::client::*;

const TEXT: &str = "/candidates/0/content/parts/0/text";

fn google(sim: &Sim, method: &str, body: &Value) -> Reply {
    let headers = [("x-goog-api-key", "k")];
    ask(sim.handle.addr, "POST", &format!("/google/v1beta/models/{method}"), &headers, body.to_string().as_bytes())
}

fn hello_gemini() -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": "Hello there, how are you?"}]}]})
}

#[test]
fn a_gemini_answers_the_same_streamed_or_not() {
    let sim = simulator();
    let whole = google(&sim, "gemini-x:generateContent", &hello_gemini());
    let body = whole.json();
    assert_eq!((whole.status, whole.header("content-type")), (200, Some("application/json")));
    assert_eq!((&body["modelVersion"], &body["candidates"][0]["finishReason"]), (&json!("gemini-x"), &json!("STOP")));

    let streamed = google(&sim, "gemini-x:streamGenerateContent?alt=sse", &hello_gemini());
    assert!(streamed.header("content-type").unwrap().starts_with("text/event-stream"));
    assert!(streamed.events().iter().all(|event| event.starts_with("data: {")), "nothing but data");
    assert_eq!(streamed.joined(TEXT), body.pointer(TEXT).unwrap().as_str().unwrap());
    let last: Value = serde_json::from_str(streamed.data().last().unwrap()).unwrap();
    assert_eq!(
        (&last["candidates"][0]["finishReason"], &last["usageMetadata"]),
        (&json!("STOP"), &body["usageMetadata"])
    );

    let listed = google(&sim, "gemini-x:streamGenerateContent", &hello_gemini()).json();
    assert_eq!(listed.as_array().unwrap().len(), streamed.data().len());
}

#[test]
fn a_gemini_calls_keeps_to_schemas_and_counts() {
    let sim = simulator();
    let schema = json!({"type": "OBJECT", "required": ["city"], "properties": {"city": {"type": "STRING"}}});
    let mut body = hello_gemini();
    body["tools"] = json!([{"functionDeclarations": [{"name": "get_weather", "parameters": schema}]}]);
    body["toolConfig"] = json!({"functionCallingConfig": {"mode": "ANY"}});
    let whole = google(&sim, "m:generateContent", &body).json();
    let call = whole.pointer("/candidates/0/content/parts/0").unwrap();
    assert!(call["functionCall"]["args"]["city"].is_string() && call["thoughtSignature"].is_string());
    let streamed = google(&sim, "m:streamGenerateContent?alt=sse", &body);
    assert_eq!(streamed.joined("/candidates/0/content/parts/0/functionCall/name"), "get_weather");

    let mut body = hello_gemini();
    body["generationConfig"] = json!({"responseMimeType": "application/json", "response_schema": schema});
    let text = google(&sim, "m:generateContent", &body).json();
    let text: Value = serde_json::from_str(text.pointer(TEXT).unwrap().as_str().unwrap()).unwrap();
    assert!(text["city"].is_string());

    let mut body = hello_gemini();
    body["generationConfig"] = json!({"maxOutputTokens": 3, "candidateCount": 2});
    let capped = google(&sim, "m:generateContent", &body).json();
    assert_eq!(capped["usageMetadata"]["candidatesTokenCount"], 6);
    assert_eq!(capped["candidates"][1]["finishReason"], "MAX_TOKENS");

    assert_eq!(google(&sim, "m:countTokens", &hello_gemini()).json()["totalTokens"], 7);
    let text = json!({"content": {"parts": [{"text": "x"}]}, "outputDimensionality": 4});
    let several = google(&sim, "m:batchEmbedContents", &json!({"requests": [text, text]})).json();
    assert_eq!(several["embeddings"][0]["values"].as_array().unwrap().len(), 4);
    let one = google(&sim, "m:embedContent", &text).json();
    assert_eq!(one["embedding"], several["embeddings"][1]);
}

#[test]
fn a_gemini_fails_in_its_own_words() {
    let sim = simulator();
    for (fault, status, word) in [
        ("503", 503, "UNAVAILABLE"),
        ("rate-limit", 429, "RESOURCE_EXHAUSTED"),
        ("model-not-found", 404, "NOT_FOUND"),
        ("400", 400, "INVALID_ARGUMENT"),
    ] {
        let reply = google(&sim, &format!("m!{fault}:generateContent"), &hello_gemini());
        let error = &reply.json()["error"];
        assert_eq!((reply.status, &error["code"], &error["status"]), (status, &json!(status), &json!(word)), "{fault}");
    }
    let blocked = google(&sim, "m!content-filter:generateContent", &hello_gemini());
    assert_eq!((blocked.status, blocked.json()["promptFeedback"]["blockReason"].is_string()), (200, true));
    assert!(blocked.json()["candidates"].is_null());
    let broken = google(&sim, "m!error-event=3:streamGenerateContent?alt=sse", &hello_gemini());
    let last: Value = serde_json::from_str(broken.data().last().unwrap()).unwrap();
    assert_eq!((broken.data().len(), &last["error"]["status"]), (4, &json!("INTERNAL")));
    assert!(!google(&sim, "m!cut=3:streamGenerateContent?alt=sse", &hello_gemini()).whole);
    assert_eq!(google(&sim, "m:generateContent", &json!({})).json()["error"]["status"], "INVALID_ARGUMENT");
    let models = |path: &str| ask(sim.handle.addr, "GET", path, &[("x-goog-api-key", "k")], b"").json();
    assert!(models("/google/v1beta/models")["models"][0]["name"].as_str().unwrap().starts_with("models/"));
    assert_eq!(models("/google/v1/models/gemini-x")["name"], "models/gemini-x");
}
