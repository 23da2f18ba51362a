//! The cloud that hosts a row's models and asks for each maker's in that maker's own words.
//!
//! In: a row of `providers:`. Out: a [`Cloud`], and what is spoken there with a model. Must not know: bodies, sockets.
//!
//! On such a cloud Claude takes a Messages body without `model`, with the version in the body, at a path of the cloud's own; other
//! makers' models of the same row are spoken with as the cloud does it.

use super::auth::Auth;
use super::base_url::BaseUrl;
use super::meant::Reader;
use super::provider::Provider;
use crate::names::{Dialect, nearest};

/// Who hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    /// Amazon Bedrock's own API: `/model/{id}/invoke`.
    Bedrock,
    /// Vertex AI: `/publishers/anthropic/models/{id}:rawPredict`.
    Vertex,
}

/// What a host of Bedrock's own API is called, whatever its region.
const BEDROCK_HOST: &str = "bedrock-runtime";
/// What Bedrock's own API is signed for.
const BEDROCK_SERVICE: &str = "bedrock";
/// Where Vertex keeps the models of one maker.
const PUBLISHERS: &str = "/publishers/";

impl Cloud {
    const ALL: [Self; 2] = [Self::Bedrock, Self::Vertex];

    /// As configuration writes it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Bedrock => "bedrock",
            Self::Vertex => "vertex",
        }
    }

    /// The version that stands in the body of a request for Claude (providers' documentation, 2026-11-22).
    pub const fn anthropic_version(self) -> &'static str {
        match self {
            Self::Bedrock => "bedrock-2023-05-31",
            Self::Vertex => "vertex-2023-10-16",
        }
    }
}

impl Provider {
    /// What is spoken with a model.
    pub fn speaks(&self, model: &str) -> Dialect {
        match self.cloud {
            // Ids are `maker.model`, those of profiles behind a region; an ARN may say nothing of its model.
            Some(Cloud::Bedrock) if self.dialect == Dialect::Messages => {
                let id = model.rsplit('/').next().unwrap_or(model);
                if id.contains("anthropic.") || !id.contains('.') { Dialect::Messages } else { Dialect::Converse }
            }
            Some(Cloud::Vertex) if model.starts_with("claude") => Dialect::Messages,
            Some(Cloud::Vertex) if model.starts_with("gemini") => Dialect::Gemini,
            _ => self.dialect,
        }
    }

    /// The cloud that a model is asked through in its maker's own words.
    pub fn hosts(&self, dialect: Dialect) -> Option<Cloud> {
        self.cloud.filter(|_| dialect == Dialect::Messages)
    }
}

impl Reader<'_> {
    /// `cloud:`, or what the rest of the row says about it.
    pub(super) fn cloud(
        &mut self,
        at: &str,
        written: Option<&str>,
        (dialect, auth): (Dialect, &Auth),
        base_url: Option<&BaseUrl>,
    ) -> Option<Cloud> {
        let takes = |cloud| match cloud {
            Cloud::Bedrock => dialect == Dialect::Messages,
            Cloud::Vertex => matches!(dialect, Dialect::Messages | Dialect::Gemini),
        };
        let Some(written) = written else {
            let found = match auth {
                Auth::ServiceAccount(_) => Cloud::Vertex,
                Auth::SigV4(keys) if &*keys.service == BEDROCK_SERVICE => Cloud::Bedrock,
                // Signed for another service of Amazon's, which speaks Messages as Anthropic does.
                Auth::SigV4(_) => return None,
                _ if base_url.is_some_and(|url| url.host.contains(BEDROCK_HOST)) => Cloud::Bedrock,
                _ => return None,
            };
            return takes(found).then_some(found);
        };
        let words = Cloud::ALL.map(Cloud::word);
        let Some(cloud) = Cloud::ALL.into_iter().find(|cloud| cloud.word() == written) else {
            let meant = nearest(written, words).first().map_or("bedrock", |meant| meant);
            self.errors.push(format!("{at}.cloud: unknown cloud `{written}`; write `{meant}`"));
            return None;
        };
        if !takes(cloud) {
            let spoken = dialect.word();
            self.errors.push(format!(
                "{at}.cloud: `{written}` is asked for Claude with `dialect: messages`, and this row has `{spoken}`; write \
                 `dialect: messages`, or leave `cloud` out"
            ));
            return None;
        }
        Some(cloud)
    }
}

/// Where the models of all makers are, of a URL that names one maker.
pub(super) fn of_all_makers(url: &mut BaseUrl) {
    if let Some((front, _)) = url.path.split_once(PUBLISHERS) {
        url.path = front.to_owned();
    }
}

#[cfg(test)]
mod tests {
    use super::super::auth::tests::config;
    use super::*;

    fn provider(row: &str) -> std::sync::Arc<Provider> {
        config(row, &[]).unwrap().providers["cloud"].clone()
    }

    const SIGNED: &str = "dialect: messages, auth: {kind: sigv4, region: eu-central-1, access_key: a, secret_key: b}";

    #[test]
    fn a_row_says_which_cloud_it_is() {
        let key = "dialect: messages, key: k, ";
        for (row, cloud) in [
            (SIGNED.to_owned(), Some(Cloud::Bedrock)),
            (SIGNED.replace("dialect: messages, ", "dialect: converse, "), None),
            (SIGNED.replace("kind: sigv4", "service: bedrock-mantle, kind: sigv4"), None),
            (format!("{key}base_url: 'https://bedrock-runtime.eu-central-1.amazonaws.com'"), Some(Cloud::Bedrock)),
            (format!("{key}base_url: 'https://bedrock-mantle.eu-central-1.api.aws/anthropic/v1'"), None),
            (format!("{key}base_url: 'http://127.0.0.1:1/x', cloud: bedrock"), Some(Cloud::Bedrock)),
            (format!("{key}base_url: 'http://127.0.0.1:1/x', cloud: vertex"), Some(Cloud::Vertex)),
            (format!("{key}base_url: 'https://api.anthropic.com/v1'"), None),
        ] {
            assert_eq!(provider(&row).cloud, cloud, "{row}");
        }
        for (row, wanted) in [
            (
                "dialect: messages, base_url: 'http://h', cloud: bedrok",
                "cloud.cloud: unknown cloud `bedrok`; write `bedrock`",
            ),
            (
                "base_url: 'http://h', cloud: vertex",
                "and this row has `chat`; write `dialect: messages`, or leave `cloud` out",
            ),
        ] {
            let error = config(row, &[]).unwrap_err();
            assert!(error.contains(wanted), "{error}");
        }
    }

    #[test]
    fn a_key_of_a_cloud_is_a_bearer_token() {
        let row = "dialect: messages, key: k, base_url: 'https://bedrock-runtime.eu-central-1.amazonaws.com'";
        assert_eq!(provider(row).key_header(), ("authorization", "Bearer "));
    }

    #[test]
    fn each_makers_models_are_asked_in_its_own_words() {
        let bedrock = provider(SIGNED);
        let path = |provider: &Provider, model: &str| {
            let dialect = provider.speaks(model);
            (dialect, provider.own_path(dialect, model, true))
        };
        let of = |dialect, path: &str| (dialect, Some(path.to_owned()));
        let model = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0";
        let there = "/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke-with-response-stream";
        assert_eq!(path(&bedrock, model), of(Dialect::Messages, there));
        let profile = "arn:aws:bedrock:eu-central-1:1:application-inference-profile/x1";
        assert_eq!(bedrock.speaks(profile), Dialect::Messages);
        assert_eq!(path(&bedrock, "amazon.nova-pro-v1:0"), (Dialect::Converse, None));
        let nova = "arn:aws:bedrock:eu-central-1::foundation-model/amazon.nova-pro-v1:0";
        assert_eq!(bedrock.speaks(nova), Dialect::Converse);
        assert_eq!(bedrock.own_path(Dialect::Messages, "anthropic.x", false).unwrap(), "/model/anthropic.x/invoke");

        for url in ["http://h/v1/projects/p/locations/l", "http://h/v1/projects/p/locations/l/publishers/google"] {
            let vertex = provider(&format!("dialect: gemini, cloud: vertex, key: k, base_url: '{url}'"));
            assert_eq!(vertex.base_url.path, "/v1/projects/p/locations/l");
            let claude = "/publishers/anthropic/models/claude-haiku-4-5@20251001:streamRawPredict";
            assert_eq!(path(&vertex, "claude-haiku-4-5@20251001"), of(Dialect::Messages, claude));
            let gemini = "/publishers/google/models/gemini-3-pro:streamGenerateContent?alt=sse";
            assert_eq!(path(&vertex, "gemini-3-pro"), of(Dialect::Gemini, gemini));
        }
    }
}
