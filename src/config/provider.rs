//! Whom this sidecar may call, and how.
//!
//! In: rows of `providers:`, the environment. Out: [`Provider`]s, those included that need only the key that is there. Must not
//! know: policies, sockets.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::auth::{Auth, Meant};
use super::base_url::BaseUrl;
use super::cloud::{self, Cloud};
use super::known::{self, ProviderKind};
use super::meant::{Config, Reader};
use super::pem::{ClientCertificate, Pem};
use super::raw::RawProvider;
use super::secret::Secret;
use super::tunnel::Tunnel;
use crate::names::{Dialect, ProviderName, nearest};
use crate::units::Millis;

/// Providers that need nothing but a key: name, base URL of the API in their usual dialect, variable of the key. From the providers' own
/// documentation, read 2026-11-22.
const KNOWN_PROVIDERS: [(&str, &str, &str); 8] = [
    ("openai", "https://api.openai.com/v1", "OPENAI_API_KEY"),
    ("anthropic", "https://api.anthropic.com/v1", "ANTHROPIC_API_KEY"),
    ("google", "https://generativelanguage.googleapis.com/v1beta", "GEMINI_API_KEY"),
    ("mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    ("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    ("deepseek", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    ("xai", "https://api.x.ai/v1", "XAI_API_KEY"),
    ("cohere", "https://api.cohere.ai/compatibility/v1", "COHERE_API_KEY"),
];

/// Known providers that are asked with the old name: Mistral refuses the new one with 422 (mistralai/platform-docs-public,
/// issue 7, read 2026-11-25), DeepSeek and Cohere document the old one.
const ONLY_MAX_TOKENS: [&str; 3] = ["mistral", "deepseek", "cohere"];

/// Unless a row says otherwise.
const CONNECT_TIMEOUT: Millis = Millis::secs(5);

/// Written in place of a key.
const CALLER_KEY: &str = "caller";

/// Whom to call, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// As policies write it.
    pub name: ProviderName,
    /// Hosted by somebody, or by us.
    pub kind: ProviderKind,
    /// What its API is spoken in.
    pub dialect: Dialect,
    /// Where its API begins.
    pub base_url: BaseUrl,
    /// How it is shown who calls.
    pub auth: Auth,
    /// The cloud that hosts its models, where each maker's are asked in its own words.
    pub cloud: Option<Cloud>,
    /// Of an Azure resource whose models are deployments in the path.
    pub api_version: Option<Box<str>>,
    /// Sent as its dialect wants it ([`Provider::key_header`]); a provider inside the pod may need none.
    pub key: Option<Secret>,
    /// `key: caller`: each caller's own key is used, and this sidecar has none.
    pub caller_key: bool,
    /// Sent with every request.
    pub headers: Vec<(String, Secret)>,
    /// Certificate authorities to trust instead of the system's.
    pub authorities: Option<Pem>,
    /// Shown to a server that asks who calls.
    pub client_certificate: Option<ClientCertificate>,
    /// The proxy that leads there; without one, calls go straight.
    pub tunnel: Option<Tunnel>,
    /// TCP, the way through a proxy and TLS together.
    pub connect_timeout: Millis,
    /// Providers with the same word fail together.
    pub shares_fate: Option<Arc<str>>,
    /// The field that caps an answer where the caller gave none and the policy does.
    pub output_cap: OutputCap,
}

/// The two names of one field of Chat Completions. OpenAI's reasoning models refuse the old one; many compatible servers know
/// no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputCap {
    /// `max_completion_tokens`
    MaxCompletionTokens,
    /// `max_tokens`
    MaxTokens,
}

impl Config {
    /// Some provider is called with its caller's key.
    pub fn takes_caller_keys(&self) -> bool {
        self.providers.values().any(|provider| provider.caller_key)
    }
}

impl Provider {
    /// One of Chat Completions, hosted by somebody, of which nothing is said but its name and address.
    pub fn at(name: &str, base_url: BaseUrl) -> Self {
        let kind = ProviderKind::Hosted;
        Self {
            name: name.into(),
            kind,
            dialect: Dialect::Chat,
            base_url,
            auth: Auth::Usual,
            cloud: None,
            api_version: None,
            key: None,
            caller_key: false,
            headers: Vec::new(),
            authorities: None,
            client_certificate: None,
            tunnel: None,
            connect_timeout: CONNECT_TIMEOUT,
            shares_fate: None,
            output_cap: OutputCap::usual(name, kind),
        }
    }

    /// The header that carries the key, and what stands in front of the key there.
    pub fn key_header(&self) -> (&str, &'static str) {
        match (&self.auth, self.dialect) {
            (Auth::Header(name), _) => (name, ""),
            (Auth::Usual, _) if self.cloud.is_some() => ("authorization", "Bearer "),
            (Auth::Usual, Dialect::Messages) => ("x-api-key", ""),
            (Auth::Usual, Dialect::Gemini) => ("x-goog-api-key", ""),
            _ => ("authorization", "Bearer "),
        }
    }
}

impl OutputCap {
    const ALL: [Self; 2] = [Self::MaxCompletionTokens, Self::MaxTokens];

    /// As it stands in a body.
    pub const fn word(self) -> &'static str {
        match self {
            Self::MaxCompletionTokens => "max_completion_tokens",
            Self::MaxTokens => "max_tokens",
        }
    }

    /// What a provider takes when nothing is said: the new name where somebody else runs the service, unless it is known to
    /// take the old one alone; the old name where we run a server ourselves, since all of them know it.
    fn usual(name: &str, kind: ProviderKind) -> Self {
        match kind {
            ProviderKind::Hosted if !ONLY_MAX_TOKENS.contains(&name) => Self::MaxCompletionTokens,
            ProviderKind::Hosted | ProviderKind::SelfHosted => Self::MaxTokens,
        }
    }
}

impl Reader<'_> {
    pub(super) fn providers(&mut self, rows: &BTreeMap<String, RawProvider>) -> BTreeMap<ProviderName, Arc<Provider>> {
        let none = RawProvider::default();
        let mut providers = BTreeMap::new();
        for (name, base_url, variable) in KNOWN_PROVIDERS {
            // Not written, but the key is there: usable, as every SDK would have it.
            if !rows.contains_key(name) && self.environment.variable(variable).is_some() {
                let provider = self.provider(name, &none, Some((base_url, variable)));
                providers.extend(provider.map(|provider| (name.into(), Arc::new(provider))));
            }
        }
        for (name, row) in rows {
            let known = KNOWN_PROVIDERS.iter().find(|known| known.0 == name).map(|known| (known.1, known.2));
            let provider = self.provider(name, row, known);
            providers.extend(provider.map(|provider| (name.as_str().into(), Arc::new(provider))));
        }
        providers
    }

    fn provider(&mut self, name: &str, raw: &RawProvider, usual: Option<(&str, &str)>) -> Option<Provider> {
        let at = format!("providers.{name}");
        let kind = known::kind(&at, raw, self.errors);
        let dialect = known::dialect(&at, name, raw, self.errors);
        let Meant { auth, base_url: own } = self.auth(&at, raw.auth.as_ref())?;
        let Some(url) = raw.base_url.as_deref().or(own.as_deref()).or(usual.map(|usual| usual.0)) else {
            self.errors.push(format!("{at}: no `base_url`; write `base_url: https://host/v1`"));
            return None;
        };
        let filled = self.filled(&format!("{at}.base_url"), url)?;
        let base_url = BaseUrl::parse(&filled, url);
        let mut base_url = base_url.map_err(|error| self.errors.push(format!("{at}.base_url: {error}"))).ok();
        let cloud = self.cloud(&at, raw.cloud.as_deref(), (dialect, &auth), base_url.as_ref());
        if let (Some(Cloud::Vertex), Some(url)) = (cloud, &mut base_url) {
            cloud::of_all_makers(url);
        }
        let caller_key = raw.key.as_deref() == Some(CALLER_KEY);
        let key = match (&raw.key, usual) {
            _ if caller_key => None,
            (Some(written), _) => self.secret(&format!("{at}.key"), written),
            (None, Some((_, variable))) => self.environment.variable(variable).map(|key| Secret::new(&key)),
            (None, None) => None,
        };
        self.key_fits(&at, raw, &auth, key.is_some());
        let key = key.filter(|_| auth.takes_key());
        let api_version = self.api_version(&at, raw.api_version.as_deref());
        let headers = raw.headers.iter().filter_map(|(header, value)| {
            let value = self.secret(&format!("{at}.headers.{header}"), value)?;
            Some((header.to_ascii_lowercase(), value))
        });
        let headers = headers.collect();
        let authorities = self.authorities(&at, raw.ca_file.as_deref());
        let client_certificate = self.client_certificate(&at, raw, base_url.as_ref());
        let tunnel = raw.proxy.as_ref().and_then(|proxy| self.tunnel(&format!("{at}.proxy"), proxy));
        let connect_timeout =
            self.time(&format!("{at}.connect_timeout"), raw.connect_timeout.as_deref(), CONNECT_TIMEOUT);
        let output_cap = self.output_cap(&at, raw.output_cap.as_deref(), OutputCap::usual(name, kind));
        Some(Provider {
            name: name.into(),
            kind,
            dialect,
            base_url: base_url?,
            auth,
            cloud,
            api_version,
            key,
            caller_key,
            headers,
            authorities,
            client_certificate,
            tunnel,
            connect_timeout,
            shares_fate: raw.shares_fate.as_deref().map(Into::into),
            output_cap,
        })
    }

    fn tunnel(&mut self, key: &str, written: &str) -> Option<Tunnel> {
        let url = self.secret(key, written)?;
        Tunnel::parse(url.expose()).map_err(|error| self.errors.push(format!("{key}: {error}"))).ok()
    }

    fn output_cap(&mut self, at: &str, written: Option<&str>, usual: OutputCap) -> OutputCap {
        let Some(written) = written else { return usual };
        OutputCap::ALL.into_iter().find(|cap| cap.word() == written).unwrap_or_else(|| {
            let words = OutputCap::ALL.map(OutputCap::word);
            let meant = nearest(written, words).first().map_or(usual.word(), |meant| meant);
            self.errors.push(format!("{at}.output_cap: unknown field `{written}`; write `{meant}`"));
            usual
        })
    }
}
