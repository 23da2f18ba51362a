//! How a provider is shown who calls: the `auth:` of a row of `providers:`, for those that a key alone does not satisfy.
//!
//! In: the section as typed, the environment, key files. Out: an [`Auth`]. Must not know: signatures, tokens, sockets.
//!
//! Each kind takes the keys of one row of [`KINDS`]; what is not written is looked for in the variable that the provider's own
//! tools read.

use super::base_url::BaseUrl;
use super::key_file::ServiceAccount;
use super::meant::Reader;
use super::raw::RawAuth;
use super::secret::Secret;
use crate::names::nearest;

/// How a provider is shown who calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    /// With the row's `key`, as the dialect sends it.
    #[default]
    Usual,
    /// With the row's `key`, in this header.
    Header(Box<str>),
    /// With the row's `key`, as a bearer token.
    Bearer,
    /// With an AWS signature of each request.
    SigV4(SigV4),
    /// With tokens that Google gives a service account.
    ServiceAccount(ServiceAccount),
    /// With tokens that Entra gives an application.
    Entra(Entra),
}

/// Keys of AWS, and what they sign for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigV4 {
    /// `eu-central-1`
    pub region: Box<str>,
    /// `bedrock`
    pub service: Box<str>,
    /// Names the secret key.
    pub access_key: Secret,
    /// Signs.
    pub secret_key: Secret,
    /// Of temporary keys.
    pub session_token: Option<Secret>,
}

/// An application in Entra.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entra {
    /// Names the application.
    pub client_id: Box<str>,
    /// Its password.
    pub client_secret: Secret,
    /// Gives tokens.
    pub token_url: BaseUrl,
    /// What a token is good for.
    pub scope: Box<str>,
}

/// A key of `auth:`.
struct Key {
    name: &'static str,
    /// What stands in for it, or how it is written.
    or: Or,
}

enum Or {
    /// A variable of the environment; else it is missing.
    Variable(&'static str),
    /// The same for a key that may be absent.
    VariableOrNothing(&'static str),
    /// Missing; so it is written.
    Written(&'static str),
    Nothing,
}

const fn key(name: &'static str, or: Or) -> Key {
    Key { name, or }
}

const KINDS: [(&str, &[Key]); 5] = [
    ("header", &[key("name", Or::Written("api-key"))]),
    ("bearer", &[]),
    (
        "sigv4",
        &[
            key("region", Or::Variable("AWS_REGION")),
            key("access_key", Or::Variable("AWS_ACCESS_KEY_ID")),
            key("secret_key", Or::Variable("AWS_SECRET_ACCESS_KEY")),
            key("session_token", Or::VariableOrNothing("AWS_SESSION_TOKEN")),
            key("service", Or::Nothing),
        ],
    ),
    (
        "service_account",
        &[
            key("file", Or::Variable("GOOGLE_APPLICATION_CREDENTIALS")),
            key("project", Or::Nothing),
            key("location", Or::Nothing),
            key("scope", Or::Nothing),
        ],
    ),
    (
        "entra",
        &[
            key("tenant", Or::Variable("AZURE_TENANT_ID")),
            key("client_id", Or::Variable("AZURE_CLIENT_ID")),
            key("client_secret", Or::Variable("AZURE_CLIENT_SECRET")),
            key("scope", Or::Nothing),
            key("token_url", Or::Nothing),
        ],
    ),
];

const VERTEX_SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const AZURE_SCOPE: &str = "https://cognitiveservices.azure.com/.default";

/// What a row's `auth:` means.
pub(super) struct Meant {
    pub auth: Auth,
    /// Where its API begins, where the section says that too.
    pub base_url: Option<String>,
}

impl Auth {
    /// The row's `key` is what is shown.
    pub const fn takes_key(&self) -> bool {
        matches!(self, Self::Usual | Self::Header(_) | Self::Bearer)
    }
}

impl RawAuth {
    /// What is written, by the names of [`KINDS`].
    fn written(&self) -> [(&'static str, Option<&str>); 14] {
        [
            ("name", self.name.as_deref()),
            ("region", self.region.as_deref()),
            ("service", self.service.as_deref()),
            ("access_key", self.access_key.as_deref()),
            ("secret_key", self.secret_key.as_deref()),
            ("session_token", self.session_token.as_deref()),
            ("file", self.file.as_deref()),
            ("project", self.project.as_deref()),
            ("location", self.location.as_deref()),
            ("scope", self.scope.as_deref()),
            ("tenant", self.tenant.as_deref()),
            ("client_id", self.client_id.as_deref()),
            ("client_secret", self.client_secret.as_deref()),
            ("token_url", self.token_url.as_deref()),
        ]
    }
}

/// The keys of one section.
struct Section<'s> {
    at: String,
    kind: &'static str,
    keys: &'static [Key],
    raw: &'s RawAuth,
}

impl Reader<'_> {
    /// `auth:`; `None` after an error.
    pub(super) fn auth(&mut self, at: &str, raw: Option<&RawAuth>) -> Option<Meant> {
        let Some(raw) = raw else { return Some(Meant { auth: Auth::Usual, base_url: None }) };
        let at = format!("{at}.auth");
        let words = KINDS.map(|(kind, _)| kind);
        let Some(written) = raw.kind.as_deref() else {
            self.errors.push(format!("{at}: no `kind`; write one of {}", words.join(", ")));
            return None;
        };
        let Some((kind, keys)) = KINDS.into_iter().find(|(kind, _)| *kind == written) else {
            let meant = nearest(written, words).first().map_or("header", |meant| meant);
            self.errors.push(format!("{at}.kind: unknown kind `{written}`; write `{meant}`"));
            return None;
        };
        let section = Section { at, kind, keys, raw };
        let errors = self.errors.len();
        self.useless(&section);
        let meant = match kind {
            "header" => self
                .text(&section, "name")
                .map(|name| Meant { auth: Auth::Header(name.to_ascii_lowercase().into()), base_url: None }),
            "bearer" => Some(Meant { auth: Auth::Bearer, base_url: None }),
            "sigv4" => self.sigv4(&section),
            "service_account" => self.service_account(&section),
            _ => self.entra(&section),
        };
        meant.filter(|_| self.errors.len() == errors)
    }

    fn useless(&mut self, section: &Section<'_>) {
        for (name, value) in section.raw.written() {
            if value.is_some() && !section.keys.iter().any(|key| key.name == name) {
                self.errors
                    .push(format!("{}.{name}: of no use with `kind: {}`; leave it out", section.at, section.kind));
            }
        }
    }

    /// A key's value, or that of its variable; an error when it must be there.
    fn value(&mut self, section: &Section<'_>, name: &str) -> Option<Secret> {
        let Section { at, kind, keys, raw } = section;
        let written = raw.written().into_iter().find(|(known, _)| *known == name).and_then(|(_, value)| value);
        if let Some(written) = written {
            return self.secret(&format!("{at}.{name}"), written);
        }
        let or = keys.iter().find(|key| key.name == name).map_or(&Or::Nothing, |key| &key.or);
        match or {
            Or::Variable(variable) | Or::VariableOrNothing(variable) => {
                let found = self.environment.variable(variable).filter(|value| !value.is_empty());
                if found.is_none() && matches!(or, Or::Variable(_)) {
                    self.errors.push(format!(
                        "{at}: `kind: {kind}` needs `{name}`; write `{name}: \"${{{variable}}}\"` and set the variable"
                    ));
                }
                found.map(|value| Secret::new(&value))
            }
            Or::Written(example) => {
                self.errors.push(format!("{at}: `kind: {kind}` needs `{name}`; write `{name}: {example}`"));
                None
            }
            Or::Nothing => None,
        }
    }

    /// The same for what is no secret.
    fn text(&mut self, section: &Section<'_>, name: &str) -> Option<Box<str>> {
        self.value(section, name).map(|value| value.expose().into())
    }

    fn sigv4(&mut self, section: &Section<'_>) -> Option<Meant> {
        let region = self.text(section, "region");
        let service = self.text(section, "service").unwrap_or_else(|| "bedrock".into());
        let (access_key, secret_key) = (self.value(section, "access_key"), self.value(section, "secret_key"));
        // Variables belong together: a token of the environment is no part of keys that are written.
        let own = section.raw.access_key.is_some() && section.raw.session_token.is_none();
        let session_token = if own { None } else { self.value(section, "session_token") };
        let region = region?;
        let base_url = Some(format!("https://bedrock-runtime.{region}.amazonaws.com"));
        let keys = SigV4 { region, service, access_key: access_key?, secret_key: secret_key?, session_token };
        Some(Meant { auth: Auth::SigV4(keys), base_url })
    }

    fn service_account(&mut self, section: &Section<'_>) -> Option<Meant> {
        let path = self.text(section, "file");
        let project = self.text(section, "project");
        let location = self.text(section, "location");
        let scope = self.text(section, "scope").unwrap_or_else(|| VERTEX_SCOPE.into());
        let at = format!("{}.file", section.at);
        let (path, text) = self.read(&at, &path?)?;
        let shown = path.display().to_string();
        let (account, file_project) = self.key_file(&at, &shown, &text, scope)?;
        let project = project.map(String::from).or(file_project);
        let base_url = location.zip(project).map(|(location, project)| vertex(&location, &project));
        Some(Meant { auth: Auth::ServiceAccount(account), base_url })
    }

    fn entra(&mut self, section: &Section<'_>) -> Option<Meant> {
        let tenant = self.text(section, "tenant");
        let client_id = self.text(section, "client_id");
        let client_secret = self.value(section, "client_secret");
        let scope = self.text(section, "scope").unwrap_or_else(|| AZURE_SCOPE.into());
        let token_url = self.text(section, "token_url");
        let tenant = tenant?;
        let url = token_url
            .map_or_else(|| format!("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"), String::from);
        let token_url = self.url(&format!("{}.token_url", section.at), &url)?;
        let entra = Entra { client_id: client_id?, client_secret: client_secret?, token_url, scope };
        Some(Meant { auth: Auth::Entra(entra), base_url: None })
    }

    pub(super) fn url(&mut self, key: &str, url: &str) -> Option<BaseUrl> {
        BaseUrl::parse(url, url).map_err(|error| self.errors.push(format!("{key}: {error}"))).ok()
    }
}

/// Where models are (Vertex AI, locations of the API, read 2026-11-22).
fn vertex(location: &str, project: &str) -> String {
    let host = match location {
        "global" => "aiplatform.googleapis.com".to_owned(),
        region => format!("{region}-aiplatform.googleapis.com"),
    };
    format!("https://{host}/v1/projects/{project}/locations/{location}")
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Cloud, Config, Environment};

    struct Fake(&'static [(&'static str, &'static str)]);

    impl Environment for Fake {
        fn variable(&self, name: &str) -> Option<String> {
            self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        }
        fn file(&self, path: &Path) -> Result<String, String> {
            let text = match path.file_name().and_then(|name| name.to_str()) {
                Some("sa.json") => {
                    r#"{"type":"service_account","project_id":"lab","private_key_id":"k1","client_email":"w@lab.example",
                       "private_key":"-----BEGIN PRIVATE KEY-----\ns3cret\n-----END PRIVATE KEY-----\n",
                       "token_uri":"https://oauth2.googleapis.com/token"}"#
                }
                Some("empty.json") => "{}",
                Some("key.pem") => "-----BEGIN PRIVATE KEY-----\ns3cret",
                Some("secret") => "s3cret\n",
                _ => return Err("not found".to_owned()),
            };
            Ok(text.to_owned())
        }
    }

    pub fn config(row: &str, environment: &'static [(&'static str, &'static str)]) -> Result<Config, String> {
        let text = format!("providers: {{cloud: {{{row}}}}}\n");
        Config::read(&text, Path::new("/etc"), &Fake(environment)).map_err(|errors| errors.to_string())
    }

    #[test]
    fn keys_of_aws_are_written_or_those_of_its_tools() {
        const VARIABLES: &[(&str, &str)] = &[
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "AKID"),
            ("AWS_SECRET_ACCESS_KEY", "s3cret"),
            ("AWS_SESSION_TOKEN", "t0ken"),
        ];
        let provider = |row| config(row, VARIABLES).unwrap().providers["cloud"].clone();
        let usual = provider("dialect: converse, auth: {kind: sigv4}");
        assert_eq!(usual.base_url.to_string(), "https://bedrock-runtime.eu-central-1.amazonaws.com");
        let Auth::SigV4(keys) = &usual.auth else { panic!("{usual:?}") };
        assert_eq!((&*keys.service, keys.access_key.expose(), keys.secret_key.expose()), ("bedrock", "AKID", "s3cret"));
        assert_eq!(keys.session_token.as_ref().map(Secret::expose), Some("t0ken"));
        assert!(!format!("{usual:?}").contains("s3cret"));
        let own = provider("auth: {kind: sigv4, region: us-east-1, access_key: A, secret_key: 'file:secret'}");
        let Auth::SigV4(keys) = &own.auth else { panic!("{own:?}") };
        assert_eq!((&*keys.region, keys.secret_key.expose(), &keys.session_token), ("us-east-1", "s3cret", &None));
        let files = config("auth: {kind: sigv4, secret_key: 'file:secret'}", VARIABLES).unwrap().files;
        assert_eq!(files, [Path::new("/etc/secret")], "a changed key is a changed configuration");
    }

    #[test]
    fn a_service_account_says_where_its_models_are() {
        let provider = |row| config(row, &[]).unwrap().providers["cloud"].clone();
        let gemini = provider("dialect: gemini, auth: {kind: service_account, file: sa.json, location: europe-west4}");
        assert_eq!(
            gemini.base_url.to_string(),
            "https://europe-west4-aiplatform.googleapis.com/v1/projects/lab/locations/europe-west4"
        );
        let Auth::ServiceAccount(account) = &gemini.auth else { panic!("{gemini:?}") };
        assert_eq!((&*account.email, account.key_id.as_deref()), ("w@lab.example", Some("k1")));
        assert_eq!(account.token_url.to_string(), "https://oauth2.googleapis.com/token");
        assert!(!format!("{gemini:?}").contains("s3cret"));
        let claude =
            provider("dialect: messages, auth: {kind: service_account, file: sa.json, project: p, location: global}");
        assert_eq!(claude.base_url.to_string(), "https://aiplatform.googleapis.com/v1/projects/p/locations/global");
        let path =
            |provider: &crate::config::Provider, stream| provider.own_path(provider.dialect, "m@1", stream).unwrap();
        assert_eq!(path(&gemini, false), "/publishers/google/models/m@1:generateContent");
        assert_eq!(path(&gemini, true), "/publishers/google/models/m@1:streamGenerateContent?alt=sse");
        assert_eq!(path(&claude, false), "/publishers/anthropic/models/m@1:rawPredict");
        assert_eq!(path(&claude, true), "/publishers/anthropic/models/m@1:streamRawPredict");
        assert_eq!(gemini.cloud, Some(Cloud::Vertex));
    }

    #[test]
    fn an_application_of_entra_has_a_tenant() {
        let row = "base_url: 'https://r.openai.azure.com/openai/v1', \
                   auth: {kind: entra, tenant: t, client_id: c, client_secret: 'file:secret'}";
        let provider = config(row, &[]).unwrap().providers["cloud"].clone();
        let Auth::Entra(entra) = &provider.auth else { panic!("{provider:?}") };
        assert_eq!(entra.token_url.to_string(), "https://login.microsoftonline.com/t/oauth2/v2.0/token");
        assert_eq!((&*entra.scope, entra.client_secret.expose()), (AZURE_SCOPE, "s3cret"));
        assert_eq!(entra.client_id.as_ref(), "c");
    }

    #[test]
    fn what_is_wrong_says_what_to_write() {
        for (row, wanted) in [
            ("auth: {}", "cloud.auth: no `kind`; write one of header, bearer, sigv4, service_account, entra"),
            ("auth: {kind: sigv}", "cloud.auth.kind: unknown kind `sigv`; write `sigv4`"),
            ("auth: {kind: sigv4, regoin: x}", "unknown key `providers.cloud.auth.regoin`; did you mean `region`?"),
            (
                "auth: {kind: sigv4, region: r, secret_key: x}",
                "cloud.auth: `kind: sigv4` needs `access_key`; write `access_key: \"${AWS_ACCESS_KEY_ID}\"` and set the variable",
            ),
            ("auth: {kind: header}", "cloud.auth: `kind: header` needs `name`; write `name: api-key`"),
            ("auth: {kind: bearer, region: x}", "cloud.auth.region: of no use with `kind: bearer`; leave it out"),
            ("auth: {kind: service_account, file: gone}", "cloud.auth.file: cannot read `/etc/gone`: not found"),
            ("auth: {kind: service_account, file: key.pem}", "cloud.auth.file: `/etc/key.pem` is no JSON object"),
            ("auth: {kind: service_account, file: empty.json}", "`/etc/empty.json` has no `private_key`"),
            ("auth: {kind: header, name: api-key}", "cloud.key: `auth: {kind: header}` needs a key"),
            (
                "key: s3cret, auth: {kind: sigv4, region: r, access_key: a, secret_key: b}",
                "cloud.key: of no use beside `auth: {kind: sigv4}`; leave it out",
            ),
            (
                "auth: {kind: entra, tenant: t, client_id: c, client_secret: s, token_url: nowhere}",
                "cloud.auth.token_url: `nowhere` does not begin with http",
            ),
            ("api_version: '2024&x=1'", "cloud.api_version: `2024&x=1` is no version; write `2024-10-21`"),
        ] {
            let row = format!("base_url: 'https://h/v1', {row}");
            let error = config(&row, &[]).unwrap_err();
            assert!(error.contains(wanted) && !error.contains("s3cret"), "{wanted}\n--- in\n{error}");
        }
        let error = config("auth: {kind: service_account, file: sa.json}", &[]).unwrap_err();
        assert!(error.contains("cloud: no `base_url`"), "{error}");
    }

    #[test]
    fn a_key_goes_into_the_header_that_is_named() {
        let header = |row: &str| {
            let row = format!("base_url: 'https://h/openai', key: k, {row}");
            let provider = config(&row, &[]).unwrap().providers["cloud"].clone();
            let (name, front) = provider.key_header();
            (name.to_owned(), front.to_owned(), provider.own_path(provider.dialect, "gpt 5", false))
        };
        let of =
            |name: &str, front: &str, path: Option<&str>| (name.to_owned(), front.to_owned(), path.map(str::to_owned));
        assert_eq!(header("auth: {kind: header, name: API-Key}"), of("api-key", "", None));
        assert_eq!(header("dialect: messages, auth: {kind: bearer}"), of("authorization", "Bearer ", None));
        assert_eq!(
            header("auth: {kind: header, name: api-key}, api_version: 2024-10-21"),
            of("api-key", "", Some("/deployments/gpt%205/chat/completions?api-version=2024-10-21"))
        );
    }
}
