//! `wayside.yaml` as meant: every default filled in, every secret read.
//!
//! In: [`super::raw`], the environment, secret files. Out: [`Config`]. Must not know: policies, sockets.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::raw::{OneOrMany, Raw, RawIdentity, RawLimits, RawProvider, Size};
use super::secret::Secret;
use super::{ConfigErrors, check};
use crate::names::{ProviderName, nearest};
use crate::units::{Bytes, Millis};

/// Where callers are expected when nothing is said.
const DEFAULT_LISTEN: &str = "127.0.0.1:8787";
/// Where operators are expected when nothing is said.
const DEFAULT_ADMIN: &str = "127.0.0.1:8788";
/// The policy that is served when neither the command nor the file names one.
const DEFAULT_POLICY: &str = "policy.route";

/// Providers that need nothing but a key: name, OpenAI-compatible base URL, variable of the key. From the providers' own
/// documentation, read 2026-11-22.
const KNOWN_PROVIDERS: [(&str, &str, &str); 8] = [
    ("openai", "https://api.openai.com/v1", "OPENAI_API_KEY"),
    ("anthropic", "https://api.anthropic.com/v1", "ANTHROPIC_API_KEY"),
    ("google", "https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY"),
    ("mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    ("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    ("deepseek", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    ("xai", "https://api.x.ai/v1", "XAI_API_KEY"),
    ("cohere", "https://api.cohere.ai/compatibility/v1", "COHERE_API_KEY"),
];

/// What a configuration may ask of the process it runs in.
pub trait Environment {
    /// A variable of the environment.
    fn variable(&self, name: &str) -> Option<String>;
    /// A secret file's text, or why it cannot be had.
    fn file(&self, path: &Path) -> Result<String, String>;
}

/// The runtime configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where callers connect; at least one.
    pub listen: Vec<Listen>,
    /// Where operators connect; `None` turns the listener off.
    pub admin: Option<SocketAddr>,
    /// The policy's root file.
    pub policy: PathBuf,
    /// An overlay on the catalog; `None` takes the `catalog.yaml` beside the policy, if there is one.
    pub catalog: Option<PathBuf>,
    /// Where this sidecar runs.
    pub region: Option<Arc<str>>,
    /// Who the caller is.
    pub identity: Identity,
    /// Whom this sidecar may call.
    pub providers: BTreeMap<ProviderName, Arc<Provider>>,
    /// Bounds.
    pub limits: Limits,
    /// Whether answers carry `x-wayside-*`.
    pub answer_headers: bool,
    /// Where the line of each request goes.
    pub request_log: RequestLog,
    /// The operational log's filter, in `tracing` syntax.
    pub log_level: String,
    /// Secret and CA files this was built from; a change of one is a change of the configuration.
    pub files: Vec<PathBuf>,
}

/// One place to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// `127.0.0.1:8787`; port 0 takes any.
    Tcp(SocketAddr),
    /// `unix:/run/wayside.sock`, made with mode 0600.
    Unix(PathBuf),
}

/// Header names (lower case) and what holds when they are absent.
#[derive(Clone, Debug)]
pub struct Identity {
    /// `x-wayside-tenant`
    pub tenant_header: Arc<str>,
    /// `x-wayside-user`
    pub user_header: Arc<str>,
    /// `x-wayside-plan`
    pub plan_header: Arc<str>,
    /// `x-wayside-residency`
    pub residency_header: Arc<str>,
    /// `x-wayside-feature`
    pub feature_header: Arc<str>,
    /// `x-wayside-priority`
    pub priority_header: Arc<str>,
    /// For callers that state none and have no tenant row.
    pub default_plan: Option<Arc<str>>,
    /// Likewise.
    pub default_residency: Option<Arc<str>>,
    /// Likewise.
    pub default_feature: Option<Arc<str>>,
}

/// Whom to call, and how.
#[derive(Clone, Debug)]
pub struct Provider {
    /// As policies write it.
    pub name: ProviderName,
    /// Hosted by somebody, or by us.
    pub kind: ProviderKind,
    /// Where its OpenAI-compatible API begins.
    pub base_url: BaseUrl,
    /// Sent as `Authorization: Bearer`; a provider inside the pod may need none.
    pub key: Option<Secret>,
    /// Sent with every request.
    pub headers: Vec<(String, Secret)>,
    /// A PEM file of certificate authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// TCP and TLS together.
    pub connect_timeout: Millis,
    /// Providers with the same word fail together.
    pub shares_fate: Option<Arc<str>>,
}

/// Whether ids carry a revision (language specification, section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderKind {
    /// Somebody else's service.
    Hosted,
    /// Our own weights; `@revision` is required.
    SelfHosted,
}

/// `https://host:port/path`, taken apart once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    /// Whether to speak TLS.
    pub tls: bool,
    /// Name or address, without brackets.
    pub host: String,
    /// Written or implied.
    pub port: u16,
    /// Begins with `/` or is empty; never ends with `/`.
    pub path: String,
}

/// Bounds on what one caller, and all of them together, can make this process hold.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a request head.
    pub head: u64,
    /// Bytes of a request body.
    pub body: u64,
    /// Open connections from callers.
    pub connections: usize,
    /// Requests in work; more are answered 503 at once.
    pub concurrent: usize,
    /// From the first byte of a request to the last of its body.
    pub read_timeout: Millis,
    /// How long a caller may not take a byte.
    pub write_timeout: Millis,
    /// How long an idle connection from a caller is kept.
    pub keepalive: Millis,
    /// How long requests in work may take to finish after SIGTERM.
    pub drain: Millis,
    /// Idle connections kept to all upstreams together.
    pub pool: usize,
    /// Worker threads.
    pub threads: usize,
}

/// Where the line of each request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestLog {
    /// Nowhere.
    Off,
    /// Standard output.
    Stdout,
    /// Appended to a file.
    File(PathBuf),
}

impl Config {
    /// Reads a whole `wayside.yaml`. Relative paths are taken from `base`, the directory of the file.
    pub fn read(text: &str, base: &Path, environment: &dyn Environment) -> Result<Self, ConfigErrors> {
        let raw = check::parse(text)?;
        let mut errors = Vec::new();
        let config = Self::mean(raw, base, environment, &mut errors);
        if errors.is_empty() { Ok(config) } else { Err(ConfigErrors(errors)) }
    }

    fn mean(raw: Raw, base: &Path, environment: &dyn Environment, errors: &mut Vec<String>) -> Self {
        let mut reader = Reader { base, environment, errors, files: Vec::new() };
        if let Err(error) = check::meant(&raw.check) {
            reader.errors.extend(error.0);
        }
        let listen = match raw.listen {
            None => vec![DEFAULT_LISTEN.to_owned()],
            Some(OneOrMany::One(one)) => vec![one],
            Some(OneOrMany::Many(many)) => many,
        };
        if listen.is_empty() {
            reader.errors.push("listen: an empty list; write at least one address".to_owned());
        }
        let listen = listen.iter().filter_map(|text| reader.listen(text)).collect();
        let admin = raw.admin.as_deref().unwrap_or(DEFAULT_ADMIN);
        let admin = if admin == "off" { None } else { reader.socket("admin", admin) };
        let providers = reader.providers(&raw.providers);
        let limits = reader.limits(&raw.limits);
        let request_log = match raw.log.requests.as_deref() {
            None | Some("stdout") => RequestLog::Stdout,
            Some("off") => RequestLog::Off,
            Some(path) => RequestLog::File(base.join(path)),
        };
        Self {
            listen,
            admin,
            policy: base.join(raw.policy.as_deref().unwrap_or(DEFAULT_POLICY)),
            catalog: raw.catalog.map(|path| base.join(path)),
            region: raw.region.map(Into::into),
            identity: Identity::meant(raw.identity),
            providers,
            limits,
            answer_headers: raw.answer_headers.unwrap_or(true),
            request_log,
            log_level: raw.log.level.unwrap_or_else(|| "info".to_owned()),
            files: reader.files,
        }
    }
}

impl Identity {
    fn meant(raw: RawIdentity) -> Self {
        let header = |written: Option<String>, default: &str| -> Arc<str> {
            written.map_or_else(|| default.into(), |name| name.to_ascii_lowercase().into())
        };
        Self {
            tenant_header: header(raw.tenant_header, "x-wayside-tenant"),
            user_header: header(raw.user_header, "x-wayside-user"),
            plan_header: header(raw.plan_header, "x-wayside-plan"),
            residency_header: header(raw.residency_header, "x-wayside-residency"),
            feature_header: header(raw.feature_header, "x-wayside-feature"),
            priority_header: header(raw.priority_header, "x-wayside-priority"),
            default_plan: raw.default_plan.map(Into::into),
            default_residency: raw.default_residency.map(Into::into),
            default_feature: raw.default_feature.map(Into::into),
        }
    }
}

/// Turns words into types and remembers what was wrong and which files were read.
struct Reader<'a> {
    base: &'a Path,
    environment: &'a dyn Environment,
    errors: &'a mut Vec<String>,
    files: Vec<PathBuf>,
}

impl Reader<'_> {
    fn listen(&mut self, text: &str) -> Option<Listen> {
        match text.strip_prefix("unix:") {
            Some(path) => Some(Listen::Unix(self.base.join(path))),
            None => self.socket("listen", text).map(Listen::Tcp),
        }
    }

    fn socket(&mut self, key: &str, text: &str) -> Option<SocketAddr> {
        let text = text.replace("localhost:", "127.0.0.1:");
        let parsed = text.parse().ok();
        if parsed.is_none() {
            let unix = if key == "listen" { " or `unix:/run/wayside.sock`" } else { " or `off`" };
            self.errors.push(format!("{key}: `{text}` is not an address; write `127.0.0.1:8787`{unix}"));
        }
        parsed
    }

    fn providers(&mut self, rows: &BTreeMap<String, RawProvider>) -> BTreeMap<ProviderName, Arc<Provider>> {
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

    fn provider(&mut self, name: &str, raw: &RawProvider, known: Option<(&str, &str)>) -> Option<Provider> {
        let at = format!("providers.{name}");
        let kind = match raw.kind.as_deref() {
            None | Some("hosted") => ProviderKind::Hosted,
            Some("self_hosted") => ProviderKind::SelfHosted,
            Some(other) => {
                let meant = nearest(other, ["hosted", "self_hosted"]).first().map_or("hosted", |meant| meant);
                self.errors.push(format!("{at}.kind: unknown kind `{other}`; write `{meant}`"));
                ProviderKind::Hosted
            }
        };
        let Some(url) = raw.base_url.as_deref().or(known.map(|known| known.0)) else {
            self.errors.push(format!("{at}: no `base_url`; write `base_url: https://host/v1`"));
            return None;
        };
        let url = self.filled(&format!("{at}.base_url"), url)?;
        let base_url = BaseUrl::parse(&url).map_err(|error| self.errors.push(format!("{at}.base_url: {error}"))).ok();
        let key = match (&raw.key, known) {
            (Some(written), _) => self.secret(&format!("{at}.key"), written),
            (None, Some((_, variable))) => self.environment.variable(variable).map(|key| Secret::new(&key)),
            (None, None) => None,
        };
        let headers = raw.headers.iter().filter_map(|(header, value)| {
            let value = self.secret(&format!("{at}.headers.{header}"), value)?;
            Some((header.to_ascii_lowercase(), value))
        });
        let headers = headers.collect();
        let ca_file = raw.ca_file.as_ref().map(|path| self.base.join(path));
        self.files.extend(ca_file.clone());
        let connect_timeout =
            self.time(&format!("{at}.connect_timeout"), raw.connect_timeout.as_deref(), Millis::secs(5));
        Some(Provider {
            name: name.into(),
            kind,
            base_url: base_url?,
            key,
            headers,
            ca_file,
            connect_timeout,
            shares_fate: raw.shares_fate.as_deref().map(Into::into),
        })
    }

    fn limits(&mut self, raw: &RawLimits) -> Limits {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(4);
        let concurrent = raw.concurrent.unwrap_or(1024);
        for (key, value) in [("concurrent", raw.concurrent), ("connections", raw.connections), ("threads", raw.threads)]
        {
            if value == Some(0) {
                self.errors.push(format!("limits.{key}: 0 would serve nobody; write at least 1"));
            }
        }
        Limits {
            head: self.size("limits.head", raw.head.as_ref(), 64 << 10),
            body: self.size("limits.body", raw.body.as_ref(), 32 << 20),
            connections: raw.connections.unwrap_or(4096),
            concurrent,
            read_timeout: self.time("limits.read_timeout", raw.read_timeout.as_deref(), Millis::secs(30)),
            write_timeout: self.time("limits.write_timeout", raw.write_timeout.as_deref(), Millis::secs(60)),
            keepalive: self.time("limits.keepalive", raw.keepalive.as_deref(), Millis::secs(75)),
            drain: self.time("limits.drain", raw.drain.as_deref(), Millis::secs(25)),
            pool: raw.pool.unwrap_or(256),
            threads: raw.threads.unwrap_or(threads),
        }
    }

    fn time(&mut self, key: &str, text: Option<&str>, default: Millis) -> Millis {
        let Some(text) = text else { return default };
        text.parse().unwrap_or_else(|error| {
            self.errors.push(format!("{key}: {error}"));
            default
        })
    }

    fn size(&mut self, key: &str, size: Option<&Size>, default: u64) -> u64 {
        let parsed = match size {
            None => return default,
            Some(Size::Bytes(bytes)) => Ok(Bytes(*bytes)),
            Some(Size::Text(text)) => text.parse(),
        };
        parsed.map_or_else(
            |error| {
                self.errors.push(format!("{key}: {error}"));
                default
            },
            |Bytes(bytes)| bytes,
        )
    }

    /// `file:/path`, or text with `${VARIABLE}` in it.
    fn secret(&mut self, key: &str, written: &str) -> Option<Secret> {
        let Some(path) = written.strip_prefix("file:") else {
            return self.filled(key, written).map(|text| Secret::new(&text));
        };
        let path = self.base.join(path);
        let read = self.environment.file(&path);
        self.files.push(path.clone());
        match read {
            Ok(text) => Some(Secret::new(&text)),
            Err(error) => {
                self.errors.push(format!("{key}: cannot read `{}`: {error}", path.display()));
                None
            }
        }
    }

    /// Puts variables in. What is wrong is said without any value, since a value may be a key.
    fn filled(&mut self, key: &str, written: &str) -> Option<String> {
        let mut filled = String::new();
        let mut rest = written;
        while let Some((before, after)) = rest.split_once("${") {
            filled.push_str(before);
            let Some((name, behind)) = after.split_once('}') else {
                self.errors.push(format!("{key}: `${{` without `}}`"));
                return None;
            };
            let Some(value) = self.environment.variable(name) else {
                self.errors.push(format!("{key}: the environment variable `{name}` is not set"));
                return None;
            };
            filled.push_str(&value);
            rest = behind;
        }
        filled.push_str(rest);
        Some(filled)
    }
}

impl BaseUrl {
    /// From `http://` or `https://`, a host, and perhaps a port and a path.
    pub fn parse(text: &str) -> Result<Self, String> {
        // A URL with `@` may hold a password, and what is wrong with it is said without it.
        let shown = text.rsplit('@').next().unwrap_or(text);
        let wrong = |what: &str| format!("`{shown}` {what}; write `https://host/v1`");
        let uri: http::Uri = text.parse().map_err(|_| wrong("is not a URL"))?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong("does not begin with http:// or https://")),
        };
        if uri.query().is_some() || uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(wrong("carries a query or a password"));
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| wrong("names no host"))?;
        Ok(Self {
            tls,
            host: host.trim_matches(['[', ']']).to_owned(),
            port: uri.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            path: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    /// The `Host` header: the port only where it is not the scheme's own.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == if self.tls { 443 } else { 80 } { host } else { format!("{host}:{}", self.port) }
    }
}

impl std::fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}{}", if self.tls { "https" } else { "http" }, self.authority(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fake;

    impl Environment for Fake {
        fn variable(&self, name: &str) -> Option<String> {
            (name == "OPENAI_API_KEY").then(|| "sk-from-env".to_owned())
        }
        fn file(&self, path: &Path) -> Result<String, String> {
            if path.ends_with("key") { Ok("sk-from-file\n".to_owned()) } else { Err("not found".to_owned()) }
        }
    }

    fn read(text: &str) -> Result<Config, String> {
        Config::read(text, Path::new("/etc/wayside"), &Fake).map_err(|errors| errors.to_string())
    }

    #[test]
    fn an_empty_file_listens_on_loopback_and_takes_the_keys_it_finds() {
        let config = read("").unwrap();
        assert_eq!(config.listen, [Listen::Tcp("127.0.0.1:8787".parse().unwrap())]);
        assert_eq!(config.policy, Path::new("/etc/wayside/policy.route"));
        let openai = &config.providers["openai"];
        assert_eq!(openai.base_url.to_string(), "https://api.openai.com/v1");
        assert_eq!(openai.key.as_ref().unwrap().expose(), "sk-from-env");
        assert!(!config.providers.contains_key("mistral"));
    }

    #[test]
    fn secrets_come_from_variables_and_files_and_never_print() {
        let text = "providers:\n  lab:\n    base_url: http://[::1]:8000/v1/\n    key: file:key\n    headers: {X-Team: '${OPENAI_API_KEY}'}\n";
        let config = read(text).unwrap();
        let lab = &config.providers["lab"];
        assert_eq!(lab.key.as_ref().unwrap().expose(), "sk-from-file");
        assert_eq!(lab.headers[0].0, "x-team");
        assert_eq!((lab.base_url.authority(), &*lab.base_url.path), ("[::1]:8000".to_owned(), "/v1"));
        assert_eq!(config.files, [Path::new("/etc/wayside/key")]);
        assert!(!format!("{config:?}").contains("sk-"));
    }

    #[test]
    fn everything_wrong_is_said_at_once_and_says_what_to_write() {
        let text = "listen: nowhere\nadmin: 8788\nlimits: {body: 3MB, drain: 5, concurrent: 0}\nproviders:\n  a: {}\n  b: {base_url: ftp://x, key: '${NOPE}', kind: selfhosted}\n  c: {base_url: 'http://u:secret@h', key: file:gone}\n";
        let errors = read(text).unwrap_err();
        for part in [
            "listen: `nowhere` is not an address; write `127.0.0.1:8787` or `unix:/run/wayside.sock`",
            "admin: `8788` is not an address; write `127.0.0.1:8787` or `off`",
            "limits.body: `3MB` is not a size",
            "limits.drain: `5` is not a duration",
            "limits.concurrent: 0 would serve nobody",
            "providers.a: no `base_url`",
            "providers.b.base_url: `ftp://x` does not begin with http",
            "providers.b.key: the environment variable `NOPE` is not set",
            "providers.b.kind: unknown kind `selfhosted`; write `self_hosted`",
            "providers.c.key: cannot read",
        ] {
            assert!(errors.contains(part), "{part}\n--- in\n{errors}");
        }
        assert!(!errors.contains("secret"), "{errors}");
    }
}
