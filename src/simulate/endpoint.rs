//! Which provider and which of its endpoints a path means.
//!
//! In: a path. Out: provider and endpoint. `/v1` (Google: `/v1beta`) may be missing or doubled; one segment in front names the provider.
//! Must not know: bodies.

use percent_encoding::percent_decode_str;

use super::gemini::{self, Method};
use super::hosted::{self, Cloud};

/// The provider of paths that name none.
pub const DEFAULT_PROVIDER: &str = "default";
/// Longest provider name.
const MAX_NAME: usize = 64;

/// What the simulator speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// OpenAI Chat Completions.
    Chat,
    /// OpenAI Responses.
    Responses,
    /// Anthropic Messages.
    Messages,
    /// Anthropic token counting.
    CountTokens,
    /// OpenAI embeddings.
    Embeddings,
    /// Google's generateContent and what goes with it; the model is in the path.
    Gemini(String, Method),
    /// Bedrock's Converse.
    Converse {
        /// From the path, decoded.
        model: String,
        /// ConverseStream.
        stream: bool,
    },
    /// Messages, where a cloud hosts the model.
    Hosted {
        /// Whose.
        cloud: Cloud,
        /// From the path, decoded.
        model: String,
        /// As a stream.
        stream: bool,
    },
    /// The list of models, in every dialect.
    Models,
    /// One model.
    Model(String),
}

impl Endpoint {
    /// Its name in reports.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::CountTokens => "count_tokens",
            Self::Converse { .. } => "converse",
            Self::Hosted { cloud: Cloud::Bedrock, .. } => "invoke",
            Self::Hosted { cloud: Cloud::Vertex, .. } => "raw_predict",
            Self::Embeddings => "embeddings",
            Self::Gemini(_, Method::Generate) => "generate_content",
            Self::Gemini(_, Method::Stream) => "stream_generate_content",
            Self::Gemini(_, Method::CountTokens) => "count_tokens",
            Self::Gemini(_, Method::EmbedContent | Method::BatchEmbedContents) => "embeddings",
            Self::Models | Self::Model(_) => "models",
        }
    }

    /// The only method it takes.
    pub const fn method(&self) -> hyper::Method {
        match self {
            Self::Models | Self::Model(_) => hyper::Method::GET,
            _ => hyper::Method::POST,
        }
    }
}

/// Provider (if the path names one) and endpoint.
pub fn of_path(path: &str) -> Option<(Option<&str>, Endpoint)> {
    let mut segments: Vec<&str> = path.trim_matches('/').split('/').filter(|segment| !segment.is_empty()).collect();
    let is_start = |segment: &str| {
        matches!(
            segment,
            "v1" | "v1beta" | "chat" | "responses" | "messages" | "embeddings" | "models" | "model" | "projects"
        )
    };
    let provider = match segments.first() {
        Some(first) if !is_start(first) => Some(segments.remove(0)),
        _ => None,
    };
    if provider.is_some_and(|name| !is_name(name)) {
        return None;
    }
    let rest = segments
        .iter()
        .position(|segment| !matches!(*segment, "v1" | "v1beta"))
        .map(|start| segments.split_off(start))?;
    let endpoint = match rest.as_slice() {
        ["chat", "completions"] => Endpoint::Chat,
        ["responses"] => Endpoint::Responses,
        ["messages"] => Endpoint::Messages,
        ["messages", "count_tokens"] => Endpoint::CountTokens,
        ["embeddings"] => Endpoint::Embeddings,
        ["model", model, method @ ("converse" | "converse-stream")] => {
            let model = percent_decode_str(model).decode_utf8().ok()?.into_owned();
            Endpoint::Converse { model, stream: *method == "converse-stream" }
        }
        ["model", model, method] => {
            let cloud = Cloud::Bedrock;
            let (model, stream) = hosted::asked(cloud, model, method)?;
            Endpoint::Hosted { cloud, model, stream }
        }
        // `projects/P/locations/L/publishers/anthropic/models/{model}:{method}`
        ["projects", _, "locations", _, "publishers", "anthropic", "models", id] => {
            let (cloud, (model, method)) = (Cloud::Vertex, id.rsplit_once(':')?);
            let (model, stream) = hosted::asked(cloud, model, method)?;
            Endpoint::Hosted { cloud, model, stream }
        }
        ["projects", _, "locations", _, "publishers", "google", "models", id] => {
            let (model, method) = gemini::asked(id)?;
            Endpoint::Gemini(model, method)
        }
        ["models"] => Endpoint::Models,
        ["models", id @ ..] => {
            let id = id.join("/");
            match gemini::asked(&id) {
                Some((model, method)) => Endpoint::Gemini(model, method),
                None => Endpoint::Model(id),
            }
        }
        _ => return None,
    };
    Some((provider, endpoint))
}

/// Whether a provider may be called this: lower case letters, digits, `-` and `_`.
pub fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    !name.is_empty() && name.len() <= MAX_NAME && name.bytes().all(allowed) && name != "simulate"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_forgiven_their_versions() {
        for path in ["/v1/chat/completions", "/chat/completions", "/v1/v1/chat/completions/", "//v1//chat/completions"]
        {
            assert_eq!(of_path(path), Some((None, Endpoint::Chat)), "{path}");
        }
        assert_eq!(of_path("/openai/v1/responses"), Some((Some("openai"), Endpoint::Responses)));
        assert_eq!(of_path("/anthropic/v1/messages"), Some((Some("anthropic"), Endpoint::Messages)));
        assert_eq!(of_path("/anthropic/messages/count_tokens"), Some((Some("anthropic"), Endpoint::CountTokens)));
        let model = "anthropic.claude-v1:0".to_owned();
        assert_eq!(
            of_path("/bedrock/model/anthropic.claude-v1%3A0/converse-stream"),
            Some((Some("bedrock"), Endpoint::Converse { model: model.clone(), stream: true }))
        );
        let whole = Endpoint::Converse { model, stream: false };
        assert_eq!(of_path("/model/anthropic.claude-v1:0/converse"), Some((None, whole)));
        let hosted = |cloud, model: &str, stream| Endpoint::Hosted { cloud, model: model.into(), stream };
        let invoked = hosted(Cloud::Bedrock, "anthropic.claude-v1:0", true);
        let path = "/bedrock/model/anthropic.claude-v1%3A0/invoke-with-response-stream";
        assert_eq!(of_path(path), Some((Some("bedrock"), invoked)));
        let vertex = "/vertex/v1/projects/p/locations/l/publishers";
        let claude = format!("{vertex}/anthropic/models/claude-haiku-4-5@20251001:rawPredict");
        let predicted = hosted(Cloud::Vertex, "claude-haiku-4-5@20251001", false);
        assert_eq!(of_path(&claude), Some((Some("vertex"), predicted)));
        let gemini = format!("{vertex}/google/models/gemini-3-pro:generateContent");
        let generated = Endpoint::Gemini("gemini-3-pro".into(), Method::Generate);
        assert_eq!(of_path(&gemini), Some((Some("vertex"), generated)));
        assert_eq!(of_path("/openai/v1/models/ft:gpt/x"), Some((Some("openai"), Endpoint::Model("ft:gpt/x".into()))));
    }

    #[test]
    fn googles_paths_hold_model_and_method() {
        let stream = Endpoint::Gemini("gemini-3.8-flash".into(), Method::Stream);
        for path in
            ["/v1beta/models/gemini-3.8-flash:streamGenerateContent", "/models/gemini-3.8-flash:streamGenerateContent"]
        {
            assert_eq!(of_path(path), Some((None, stream.clone())), "{path}");
        }
        let path = "/google/v1/v1beta/models/gemini-3.8-flash:streamGenerateContent";
        assert_eq!(of_path(path), Some((Some("google"), stream)));
        assert_eq!(of_path("/google/v1beta/models"), Some((Some("google"), Endpoint::Models)));
    }

    #[test]
    fn other_paths_are_nothing() {
        for path in
            ["/", "/v1", "/v1/chat", "/v1/responses/resp_1", "/Open AI/v1/models", "/a/b/v1/models", "/openai/v1"]
        {
            assert_eq!(of_path(path), None, "{path}");
        }
        assert!(is_name(&"a".repeat(MAX_NAME)));
        assert!(!is_name(&"a".repeat(MAX_NAME + 1)));
    }
}
