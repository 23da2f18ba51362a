//! Claude at a cloud that hosts it: Bedrock's own API and Vertex AI.
//!
//! In: a request's head and body; events of Messages. Out: what is asked; frames around events. Shapes follow botocore's model of
//! `bedrock-runtime` and Vertex AI's API for partner models (November 2026). Must not know: faults that break the stream.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use hyper::body::Bytes;
use hyper::header::AUTHORIZATION;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::ask::Ask;
use super::error::Complaint;
use super::script::{Event, Role};
use super::{converse, messages};

/// Who hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    /// `/model/{id}/invoke`
    Bedrock,
    /// `/publishers/anthropic/models/{id}:rawPredict`
    Vertex,
}

/// The model and whether a stream is wanted, by what stands behind `/model/` or behind `models/`.
pub fn asked(cloud: Cloud, model: &str, method: &str) -> Option<(String, bool)> {
    let stream = match (cloud, method) {
        (Cloud::Bedrock, "invoke") | (Cloud::Vertex, "rawPredict") => false,
        (Cloud::Bedrock, "invoke-with-response-stream") | (Cloud::Vertex, "streamRawPredict") => true,
        _ => return None,
    };
    let model = percent_decode_str(model).decode_utf8().ok()?.into_owned();
    (!model.is_empty()).then_some((model, stream))
}

/// What a body may not say, since its path does.
pub const fn in_path(cloud: Cloud) -> &'static [&'static str] {
    match cloud {
        Cloud::Bedrock => &["model", "stream"],
        Cloud::Vertex => &["model"],
    }
}

/// Reads a request, to whose body what its path says was added.
///
/// # Errors
/// In the provider's terms.
pub fn read(cloud: Cloud, body: &Map<String, Value>, headers: &HeaderMap) -> Result<Ask, Complaint> {
    let version = match cloud {
        Cloud::Bedrock => {
            converse::authorize(headers)?;
            "bedrock-2023-05-31"
        }
        Cloud::Vertex => {
            if !headers.contains_key(AUTHORIZATION) {
                let refused = Complaint::invalid("", "Request is missing required authentication credential.");
                return Err(Complaint { status: 401, kind: "authentication_error", ..refused });
            }
            "vertex-2023-10-16"
        }
    };
    if body.get("anthropic_version").and_then(Value::as_str) != Some(version) {
        return Err(Complaint::invalid("anthropic_version", format!("anthropic_version: must be \"{version}\"")));
    }
    let betas = body.get("anthropic_beta");
    if betas.is_some_and(|betas| !betas.as_array().is_some_and(|betas| betas.iter().all(Value::is_string))) {
        return Err(Complaint::invalid("anthropic_beta", "anthropic_beta: Input should be a valid list"));
    }
    messages::said(body, "2023-06-01", false)
}

/// What an answer calls a model.
pub fn own_name(model: &str) -> String {
    let name = model.split_once("anthropic.").map_or(model, |(_, name)| name).replace('@', "-");
    let name = name.split(':').next().unwrap_or_default();
    name.strip_suffix("-v1").unwrap_or(name).to_owned()
}

/// An event of Messages on Bedrock's wire; an exception is one of the cloud's own.
pub fn frame(event: &Event) -> Bytes {
    if event.name.is_some_and(|name| name.ends_with("Exception")) {
        return converse::frame(event);
    }
    let data = json!({"bytes": STANDARD.encode(&event.data), "p": "abcdefgh"}).to_string();
    converse::frame(&Event { name: Some("chunk"), data, role: Role::Content })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_clouds_refuse_is_refused() {
        let refused = |cloud, body: Value, authorization: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, authorization.parse().unwrap());
            read(cloud, body.as_object().unwrap(), &headers).err().map(|complaint| complaint.message)
        };
        let body = |version: &str, betas: Value| {
            json!({"model": "m", "anthropic_version": version, "max_tokens": 1, "anthropic_beta": betas,
                "messages": [{"role": "user", "content": "hi"}]})
        };
        let bedrock = "bedrock-2023-05-31";
        assert_eq!(refused(Cloud::Bedrock, body(bedrock, json!(["a"])), "Bearer k"), None);
        for (cloud, body, authorization, wanted) in [
            (Cloud::Bedrock, body("vertex-2023-10-16", json!([])), "Bearer k", "must be \"bedrock-2023-05-31\""),
            (Cloud::Vertex, body(bedrock, json!([])), "Bearer k", "must be \"vertex-2023-10-16\""),
            (Cloud::Bedrock, body(bedrock, json!("a")), "Bearer k", "should be a valid list"),
            (Cloud::Bedrock, body(bedrock, json!([])), "Basic k", "Authorization header requires"),
        ] {
            let message = refused(cloud, body, authorization).unwrap();
            assert!(message.contains(wanted), "{message}");
        }
    }

    #[test]
    fn answers_have_the_models_own_name() {
        assert_eq!(own_name("eu.anthropic.claude-sonnet-4-5-20250929-v1:0"), "claude-sonnet-4-5-20250929");
        assert_eq!(own_name("claude-haiku-4-5@20251001"), "claude-haiku-4-5-20251001");
    }
}
