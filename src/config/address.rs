//! Where a provider is asked that does not keep its dialect's own paths.
//!
//! In: a provider, a model. Out: the path behind its base URL. Must not know: sockets, bodies.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::auth::Auth;
use super::cloud::Cloud;
use super::meant::Reader;
use super::provider::Provider;
use super::raw::RawProvider;
use crate::names::Dialect;

/// What a path segment may hold as it is (RFC 3986, section 2.3), and the `@` in front of a version.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');

/// Longest `api_version`.
const MAX_VERSION: usize = 32;

impl Provider {
    /// The path of a call, where it is not the dialect's: a deployment on Azure, a maker's model on a cloud.
    pub fn own_path(&self, dialect: Dialect, model: &str, stream: bool) -> Option<String> {
        let model = utf8_percent_encode(model, SEGMENT);
        if let Some(version) = &self.api_version {
            let method = match dialect {
                Dialect::Responses => return Some(format!("/responses?api-version={version}")),
                Dialect::Chat => "chat/completions",
                Dialect::Embeddings => "embeddings",
                Dialect::Messages | Dialect::Gemini | Dialect::Converse => return None,
            };
            return Some(format!("/deployments/{model}/{method}?api-version={version}"));
        }
        match (self.cloud?, dialect) {
            (Cloud::Bedrock, Dialect::Messages) => {
                let method = if stream { "invoke-with-response-stream" } else { "invoke" };
                Some(format!("/model/{model}/{method}"))
            }
            (Cloud::Vertex, Dialect::Messages) => {
                let method = if stream { "streamRawPredict" } else { "rawPredict" };
                Some(format!("/publishers/anthropic/models/{model}:{method}"))
            }
            (Cloud::Vertex, Dialect::Gemini) => {
                let method = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
                Some(format!("/publishers/google/models/{model}:{method}"))
            }
            _ => None,
        }
    }
}

impl Reader<'_> {
    /// Says what is wrong with a `key` beside `auth`.
    pub(super) fn key_fits(&mut self, at: &str, raw: &RawProvider, auth: &Auth, known: bool) {
        let Some(kind) = raw.auth.as_ref().and_then(|auth| auth.kind.as_deref()) else { return };
        if !auth.takes_key() && raw.key.is_some() {
            self.errors.push(format!("{at}.key: of no use beside `auth: {{kind: {kind}}}`; leave it out"));
        } else if auth.takes_key() && raw.key.is_none() && !known {
            self.errors.push(format!(
                "{at}.key: `auth: {{kind: {kind}}}` needs a key; write `key: \"${{VARIABLE}}\"` or `key: file:/path`"
            ));
        }
    }

    /// `api_version`, which goes into a query as it is.
    pub(super) fn api_version(&mut self, at: &str, written: Option<&str>) -> Option<Box<str>> {
        let written = written?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if written.is_empty() || written.len() > MAX_VERSION || !written.bytes().all(plain) {
            self.errors.push(format!("{at}.api_version: `{written}` is no version; write `2024-10-21`"));
            return None;
        }
        Some(written.into())
    }
}
