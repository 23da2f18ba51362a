//! `wayside.yaml` as meant: every default filled in, every secret read.
//!
//! In: [`super::raw`], the environment, secret files. Out: [`Config`]. Must not know: policies, sockets.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::HeaderName;

use super::breakers::{self, BreakerSettings};
use super::cache::{self, CacheSettings};
use super::delivery::Delivery;
use super::limits::{self, Limits};
use super::provider::Provider;
use super::raw::{OneOrMany, Raw, RawIdentity};
use super::secret::Secret;
use super::spool::{self, SpoolSettings};
use super::{ConfigErrors, Known, check, translation};
use crate::names::ProviderName;
use crate::units::Millis;

/// Where callers are expected when nothing is said.
const DEFAULT_LISTEN: &str = "127.0.0.1:8787";
/// Where operators are expected when nothing is said.
const DEFAULT_ADMIN: &str = "127.0.0.1:8788";
/// The policy that is served when neither the command nor the file names one.
const DEFAULT_POLICY: &str = "policy.route";

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
    /// When snapshots that fail are left alone.
    pub breakers: BreakerSettings,
    /// Whether answers carry `x-wayside-*`.
    pub answer_headers: bool,
    /// What another dialect cannot carry may be left out, where that is harmless enough.
    pub lenient: bool,
    /// Where the line of each request goes.
    pub request_log: RequestLog,
    /// The operational log's filter, in `tracing` syntax.
    pub log_level: String,
    /// Queues whose tickets go somewhere else than to this disk.
    pub queues: BTreeMap<String, Delivery>,
    /// Where requests wait for a person.
    pub spool: SpoolSettings,
    /// How much memory kept answers may take.
    pub cache: CacheSettings,
    /// How policies are judged; what a project allows, `serve` allows too.
    pub check: check::Settings,
    /// Files with secrets and certificates that this was built from; a change of one is a change of the configuration.
    pub files: Vec<PathBuf>,
    /// What was read about that which only a start can change, whatever the command line put in its place.
    pub fixed: Fixed,
}

/// Settings that a running sidecar cannot take up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fixed {
    listen: Vec<Listen>,
    admin: Option<SocketAddr>,
    threads: usize,
    pool: usize,
    request_log: RequestLog,
    log_level: String,
}

impl Fixed {
    /// The keys whose change since `start` waits for a restart.
    pub fn changed(&self, start: &Self) -> Vec<&'static str> {
        let keys = [
            ("listen", self.listen != start.listen),
            ("admin", self.admin != start.admin),
            ("limits.threads", self.threads != start.threads),
            ("limits.pool", self.pool != start.pool),
            ("log.requests", self.request_log != start.request_log),
            ("log.level", self.log_level != start.log_level),
        ];
        keys.into_iter().filter(|(_, changed)| *changed).map(|(key, _)| key).collect()
    }
}

/// One place to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// `127.0.0.1:8787`; port 0 takes any.
    Tcp(SocketAddr),
    /// `unix:/run/wayside.sock`, made with mode 0600.
    Unix(PathBuf),
}

/// Header names and what holds when they are absent.
#[derive(Clone, Debug)]
pub struct Identity {
    /// `x-wayside-tenant`
    pub tenant_header: HeaderName,
    /// `x-wayside-user`
    pub user_header: HeaderName,
    /// `x-wayside-plan`
    pub plan_header: HeaderName,
    /// `x-wayside-residency`
    pub residency_header: HeaderName,
    /// `x-wayside-feature`
    pub feature_header: HeaderName,
    /// `x-wayside-priority`
    pub priority_header: HeaderName,
    /// For callers that state none and have no tenant row.
    pub default_plan: Option<Arc<str>>,
    /// Likewise.
    pub default_residency: Option<Arc<str>>,
    /// Likewise.
    pub default_feature: Option<Arc<str>>,
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
    /// Keys that something else stands in for, as the command line may: what the file says about them changes nothing.
    pub fn overridden(&self) -> Vec<&'static str> {
        let keys = [("listen", self.listen != self.fixed.listen), ("admin", self.admin != self.fixed.admin)];
        keys.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
    }

    /// Reads a whole `wayside.yaml`. Relative paths are taken from `base`, the directory of the file.
    pub fn read(text: &str, base: &Path, environment: &dyn Environment) -> Result<Self, ConfigErrors> {
        let raw = check::parse(text)?;
        let mut errors = Vec::new();
        let config = Self::mean(raw, base, environment, &mut errors);
        if errors.is_empty() { Ok(config) } else { Err(ConfigErrors(errors)) }
    }

    /// Its providers as policies are judged by them.
    pub fn known_providers(&self) -> Vec<Known> {
        let known = |provider: &Arc<Provider>| Known {
            name: provider.name.to_string(),
            kind: provider.kind,
            dialect: provider.dialect,
            shares_fate: provider.shares_fate.as_deref().map(ToOwned::to_owned),
        };
        self.providers.values().map(known).collect()
    }

    fn mean(raw: Raw, base: &Path, environment: &dyn Environment, errors: &mut Vec<String>) -> Self {
        let mut reader = Reader { base, environment, errors, files: Vec::new() };
        let check = check::meant(&raw.check, reader.errors);
        let mut spool = spool::meant(&raw.spool, reader.errors);
        spool.directory = base.join(spool.directory);
        let cache = cache::meant(&raw.cache, reader.errors);
        let listen = match raw.listen {
            None => vec![DEFAULT_LISTEN.to_owned()],
            Some(OneOrMany::One(one)) => vec![one],
            Some(OneOrMany::Many(many)) => many,
        };
        if listen.is_empty() {
            reader.errors.push("listen: an empty list; write at least one address".to_owned());
        }
        let listen: Vec<Listen> = listen.iter().filter_map(|text| reader.listen(text)).collect();
        let admin = raw.admin.as_deref().unwrap_or(DEFAULT_ADMIN);
        let admin = if admin == "off" { None } else { reader.socket("admin", admin) };
        let providers = reader.providers(&raw.providers);
        let queues = reader.deliveries(&raw.queues);
        let limits = limits::meant(&raw.limits, reader.errors);
        let breakers = breakers::meant(&raw.breakers, reader.errors);
        let identity = Identity::meant(raw.identity, reader.errors);
        let request_log = match raw.log.requests.as_deref() {
            None | Some("stdout") => RequestLog::Stdout,
            Some("off") => RequestLog::Off,
            Some(path) => RequestLog::File(base.join(path)),
        };
        let log_level = raw.log.level.unwrap_or_else(|| "info".to_owned());
        let fixed = Fixed {
            listen: listen.clone(),
            admin,
            threads: limits.threads,
            pool: limits.pool,
            request_log: request_log.clone(),
            log_level: log_level.clone(),
        };
        Self {
            listen,
            admin,
            policy: base.join(raw.policy.as_deref().unwrap_or(DEFAULT_POLICY)),
            catalog: raw.catalog.map(|path| base.join(path)),
            region: raw.region.map(Into::into),
            identity,
            providers,
            limits,
            breakers,
            answer_headers: raw.answer_headers.unwrap_or(true),
            lenient: translation::lenient(raw.translation.as_deref(), reader.errors),
            request_log,
            log_level,
            queues,
            spool,
            cache,
            check,
            files: reader.files,
            fixed,
        }
    }
}

impl Identity {
    fn meant(raw: RawIdentity, errors: &mut Vec<String>) -> Self {
        let mut header = |word: &str, written: Option<String>| {
            let default = format!("x-wayside-{word}");
            let name = written.as_deref().unwrap_or(&default);
            HeaderName::from_bytes(name.as_bytes()).unwrap_or_else(|_| {
                errors.push(format!(
                    "identity.{word}_header: `{name}` is no name of a header; write one like `{default}`"
                ));
                // For the type alone: a file with an error is refused.
                HeaderName::from_static("x-wayside")
            })
        };
        Self {
            tenant_header: header("tenant", raw.tenant_header),
            user_header: header("user", raw.user_header),
            plan_header: header("plan", raw.plan_header),
            residency_header: header("residency", raw.residency_header),
            feature_header: header("feature", raw.feature_header),
            priority_header: header("priority", raw.priority_header),
            default_plan: raw.default_plan.map(Into::into),
            default_residency: raw.default_residency.map(Into::into),
            default_feature: raw.default_feature.map(Into::into),
        }
    }
}

/// Turns words into types and remembers what was wrong and which files were read.
pub(super) struct Reader<'a> {
    pub base: &'a Path,
    pub environment: &'a dyn Environment,
    pub errors: &'a mut Vec<String>,
    pub files: Vec<PathBuf>,
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

    pub(super) fn time(&mut self, key: &str, text: Option<&str>, default: Millis) -> Millis {
        let Some(text) = text else { return default };
        text.parse().unwrap_or_else(|error| {
            self.errors.push(format!("{key}: {error}"));
            default
        })
    }

    /// `file:/path`, or text with `${VARIABLE}` in it.
    pub(super) fn secret(&mut self, key: &str, written: &str) -> Option<Secret> {
        let Some(path) = written.strip_prefix("file:") else {
            return self.filled(key, written).map(|text| Secret::new(&text));
        };
        self.read(key, path).map(|(_, text)| Secret::new(&text))
    }

    /// A file whose change is a change of the configuration.
    pub(super) fn read(&mut self, key: &str, path: &str) -> Option<(PathBuf, String)> {
        let path = self.base.join(path);
        self.files.push(path.clone());
        match self.environment.file(&path) {
            Ok(text) => Some((path, text)),
            Err(error) => {
                self.errors.push(format!("{key}: cannot read `{}`: {error}", path.display()));
                None
            }
        }
    }

    /// Puts variables in. What is wrong is said without any value, since a value may be a key.
    pub(super) fn filled(&mut self, key: &str, written: &str) -> Option<String> {
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
    fn the_field_of_an_output_cap_is_what_the_provider_knows() {
        let text = "providers:\n  openai: {key: a}\n  mistral: {key: a}\n  azure: {base_url: 'http://a/v1'}\n  vllm: {base_url: 'http://a', kind: self_hosted}\n  old: {base_url: 'http://a', output_cap: max_tokens}\n  new: {base_url: 'http://a', kind: self_hosted, output_cap: max_completion_tokens}\n";
        let config = read(text).unwrap();
        let of = |name: &str| config.providers[name].output_cap.word();
        let new = ["openai", "azure", "new"].map(of);
        assert_eq!(new, ["max_completion_tokens"; 3]);
        assert_eq!(["mistral", "vllm", "old"].map(of), ["max_tokens"; 3]);
    }

    #[test]
    fn what_the_command_line_stands_in_for_is_known() {
        let mut config = read("listen: 127.0.0.1:1").unwrap();
        assert!(config.overridden().is_empty());
        config.listen = vec![Listen::Tcp("127.0.0.1:2".parse().unwrap())];
        config.admin = None;
        assert_eq!(config.overridden(), ["listen", "admin"]);
    }

    #[test]
    fn everything_wrong_is_said_at_once_and_says_what_to_write() {
        let text = "listen: nowhere\nadmin: 8788\nidentity: {tenant_header: X Tenant}\nlimits: {body: 3MB, drain: 5, concurrent: 0}\nproviders:\n  a: {}\n  b: {base_url: ftp://x, key: '${NOPE}', kind: selfhosted, output_cap: max_token}\n  c: {base_url: 'http://u:secret@h', key: file:gone}\n";
        let errors = read(text).unwrap_err();
        for part in [
            "listen: `nowhere` is not an address; write `127.0.0.1:8787` or `unix:/run/wayside.sock`",
            "admin: `8788` is not an address; write `127.0.0.1:8787` or `off`",
            "identity.tenant_header: `X Tenant` is no name of a header; write one like `x-wayside-tenant`",
            "limits.body: `3MB` is not a size",
            "limits.drain: `5` is not a duration",
            "limits.concurrent: 0 would serve nobody",
            "providers.a: no `base_url`",
            "providers.b.base_url: `ftp://x` does not begin with http",
            "providers.b.key: the environment variable `NOPE` is not set",
            "providers.b.output_cap: unknown field `max_token`; write `max_tokens`",
            "providers.b.kind: unknown kind `selfhosted`; write `self_hosted`",
            "providers.c.key: cannot read",
        ] {
            assert!(errors.contains(part), "{part}\n--- in\n{errors}");
        }
        assert!(!errors.contains("secret"), "{errors}");
    }
}
