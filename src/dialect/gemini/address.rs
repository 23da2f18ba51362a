//! Where a request goes: the model and the method stand in the path.
//!
//! In: a caller's path and query, or a model to ask. Out: [`Asked`], or a path. Must not know: bodies, hosts.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::dialect::bad_body::BadBody;

/// What is asked of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// An answer as one document.
    Generate,
    /// An answer as a stream.
    Stream,
    /// How long a prompt is.
    CountTokens,
    /// One vector.
    EmbedContent,
    /// Several vectors; the official clients send a single text this way, too.
    BatchEmbedContents,
}

impl Method {
    const ALL: [(&'static str, Self); 5] = [
        ("generateContent", Self::Generate),
        ("streamGenerateContent", Self::Stream),
        ("countTokens", Self::CountTokens),
        ("embedContent", Self::EmbedContent),
        ("batchEmbedContents", Self::BatchEmbedContents),
    ];

    /// As it stands behind the model's colon.
    pub fn word(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, method)| *method == self).map_or("", |(word, _)| word)
    }
}

/// A path, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked<'a> {
    /// Decoded; may hold slashes and colons.
    pub model: Cow<'a, str>,
    /// What is asked of it.
    pub method: Method,
}

/// `/v1beta/models/{model}:{method}`. The version may be missing or stand there twice, as base URLs of callers have it.
pub fn path(path: &str) -> Option<Asked<'_>> {
    let mut rest = path.strip_prefix('/')?;
    while let Some((first, after)) = rest.split_once('/')
        && is_version(first)
    {
        rest = after;
    }
    let (model, word) = rest.strip_prefix("models/")?.rsplit_once(':')?;
    let (_, method) = Method::ALL.into_iter().find(|(known, _)| *known == word)?;
    let model = percent_decode_str(model).decode_utf8().ok()?;
    (!model.is_empty()).then_some(Asked { model, method })
}

/// `v1`, `v1beta`, `v1alpha`.
fn is_version(segment: &str) -> bool {
    segment.strip_prefix('v').is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
}

/// Whether the query of a stream asks for events, which is the only form served.
///
/// # Errors
/// Otherwise Google answers with one JSON array, which no official client asks for.
pub fn events(query: Option<&str>) -> Result<(), BadBody> {
    let alt = |pair: &str| matches!(pair, "alt=sse" | "$alt=sse" | "%24alt=sse");
    if query.is_some_and(|query| query.split('&').any(alt)) {
        return Ok(());
    }
    let message = "Streams are sent as server-sent events only. Add '?alt=sse' to the URL of streamGenerateContent.";
    Err(BadBody::at("alt", "unsupported_parameter", message))
}

/// What a path segment needs no escapes for.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');

/// Where a model is asked, behind a base URL that ends with the version.
pub fn upstream_path(model: &str, stream: bool) -> String {
    if stream { path_of(model, Method::Stream) + "?alt=sse" } else { path_of(model, Method::Generate) }
}

/// The path of one method.
pub fn path_of(model: &str, method: Method) -> String {
    format!("/models/{}:{}", utf8_percent_encode(model, SEGMENT), method.word())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_model_and_a_method() {
        for (text, model, method) in [
            ("/v1beta/models/gemini-3.8-flash:generateContent", "gemini-3.8-flash", Method::Generate),
            ("/v1/models/gemini-3.8-flash:streamGenerateContent", "gemini-3.8-flash", Method::Stream),
            ("/models/m:countTokens", "m", Method::CountTokens),
            ("/v1/v1beta/models/m:embedContent", "m", Method::EmbedContent),
            ("/v1beta/v1beta/models/m:batchEmbedContents", "m", Method::BatchEmbedContents),
            ("/v1/models/openai/gpt-5.4:generateContent", "openai/gpt-5.4", Method::Generate),
            ("/v1/models/ollama%2Fqwen3:8b:generateContent", "ollama/qwen3:8b", Method::Generate),
            ("/v1beta/models/%C3%BC:generateContent", "\u{fc}", Method::Generate),
        ] {
            assert_eq!(path(text), Some(Asked { model: model.into(), method }), "{text}");
        }
        for text in [
            "",
            "/",
            "/v1beta/models",
            "/v1beta/models/m",
            "/v1beta/models/:generateContent",
            "/v1beta/models/m:predict",
            "/v1beta/models/%FF:generateContent",
            "/v1beta/tunedModels/m:generateContent",
            "/v1/chat/completions",
        ] {
            assert_eq!(path(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for model in ["gemini-3.8-flash", "a/b", "qwen3:8b", "a b%\u{fc}?#"] {
            let (whole, stream) = (upstream_path(model, false), upstream_path(model, true));
            assert_eq!(path(&whole).unwrap().model, model);
            let (stream, query) = stream.split_once('?').unwrap();
            assert_eq!(path(stream), Some(Asked { model: model.into(), method: Method::Stream }));
            assert_eq!(events(Some(query)), Ok(()));
        }
        assert_eq!(upstream_path("m-1.5", true), "/models/m-1.5:streamGenerateContent?alt=sse");
    }

    #[test]
    fn a_stream_without_events_is_refused_with_what_to_write() {
        for query in [None, Some(""), Some("alt=json"), Some("key=alt=sse")] {
            assert!(events(query).unwrap_err().message.contains("'?alt=sse'"), "{query:?}");
        }
        assert_eq!(events(Some("key=k&%24alt=sse")), Ok(()));
    }
}
