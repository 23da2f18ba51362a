//! Simulated providers, a sidecar and a small policy, shown request by request.
//!
//! In: which providers are to fail. Out: a [`Stage`] that plays [`SCENES`] and says for each what the policy promised and what
//! came of it. Must not know: terminals.

mod client;
mod expect;
mod lines;
mod page;
mod scenes;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::Runtime;

pub use client::Answer;
pub use expect::{Expected, Hop};
pub use page::{farewell, opening, scene, verdict};
pub use scenes::{SCENES, Scene};

use crate::catalog::Catalog;
use crate::policy::check::{self, Settings};
use crate::policy::readings::Readings;
use crate::policy::resolve::Files;
use crate::policy::source::{FileId, Sources};
use crate::policy::tree::Tree;
use crate::serve::{self, Running};
use crate::simulate::{self, Handle};
use crate::telemetry::Sink;
use lines::Lines;

/// The policy that is shown.
pub const POLICY: &str = include_str!("../../policies/demo.route");
/// Its name on disk.
const POLICY_FILE: &str = "demo.route";
/// Providers that the demo simulates: those its policy names.
pub const PROVIDERS: [&str; 3] = ["anthropic", "openai", "mistral"];
/// How fast simulated providers answer: slow enough to see a stream, fast enough not to wait for.
const PACE: &str = "slow-head=40ms;delay=6ms";
/// How long the log line of an answered request may take.
const LINE_PATIENCE: Duration = Duration::from_secs(2);

/// Everything the demo needs, running.
pub struct Stage {
    runtime: Runtime,
    simulator: Handle,
    sidecar: Running,
    /// Where callers connect.
    pub proxy: SocketAddr,
    /// Where operators connect.
    pub admin: Option<SocketAddr>,
    /// Files the sidecar reads; gone when the demo ends.
    pub files: TempFiles,
    policy: Policy,
    lines: Lines,
    /// Providers that fail throughout.
    fail: Vec<String>,
}

/// The policy, compiled a second time: by us, to say beforehand what should happen.
struct Policy {
    tree: Tree,
    catalog: Arc<Catalog>,
    sources: Sources,
}

/// One scene and what came of it.
#[derive(Debug)]
pub struct Played {
    /// What was asked.
    pub scene: Scene,
    /// What should happen.
    pub expected: Expected,
    /// What happened.
    pub answer: Answer,
    /// The sidecar's own record of it.
    pub record: Option<Value>,
    /// What differs; empty when all went as the policy says.
    pub differences: Vec<String>,
}

impl Stage {
    /// Starts simulator and sidecar on free ports. `watch` takes up a changed policy file.
    ///
    /// # Errors
    /// A sentence.
    pub fn start(fail: Vec<String>, watch: bool) -> Result<Self, String> {
        if let Some(unknown) = fail.iter().find(|name| !PROVIDERS.contains(&name.as_str())) {
            return Err(format!("the demo has no provider `{unknown}`; it has {}", PROVIDERS.join(", ")));
        }
        let policy = Policy::compile()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| format!("no runtime: {error}"))?;
        let simulator =
            runtime.block_on(simulate::start(simulate::Options::default())).map_err(|error| error.to_string())?;
        let files = TempFiles::write(&simulator)?;
        let config = files.dir.join("wayside.yaml");
        let lines = Lines::default();
        let options = serve::Options {
            config: serve::read_config(&config).map_err(|rejected| rejected.to_string())?,
            origin: serve::Origin { config: Some(config), policy: None },
            sink: Some(Sink::Writer(Box::new(lines.clone()))),
            watch,
        };
        let sidecar = serve::start(options).map_err(|rejected| rejected.to_string())?;
        let proxy = sidecar.address().ok_or("the sidecar has no address")?;
        let admin = sidecar.admin;
        Ok(Self { runtime, simulator, sidecar, proxy, admin, files, policy, lines, fail })
    }

    /// Where the simulator is.
    pub const fn simulator(&self) -> SocketAddr {
        self.simulator.addr
    }

    /// The policy's name and content hash.
    pub fn policy_name(&self) -> (String, String) {
        self.sidecar.policy()
    }

    /// Asks one scene's request and compares what came of it with what the policy says.
    ///
    /// # Errors
    /// If there was nothing to compare: no answer, or a scene that is none of the policy's.
    pub fn play(&self, scene: &Scene) -> Result<Played, String> {
        let down: Vec<String> = scene.down.iter().map(|name| (*name).to_owned()).chain(self.fail.clone()).collect();
        let expected = self.policy.expect(scene, &down)?;
        self.break_providers(&down)?;
        self.simulator.clear_seen();
        let mut headers = Vec::new();
        headers.extend(scene.tenant.map(|tenant| ("x-wayside-tenant", tenant)));
        headers.extend(scene.feature.map(|feature| ("x-wayside-feature", feature)));
        let answer = self
            .runtime
            .block_on(client::chat(self.proxy, &headers, scene.body()))
            .map_err(|error| format!("{}: the sidecar did not answer: {error}", scene.title))?;
        let record = answer.header("x-wayside-request-id").and_then(|id| self.lines.of(id, LINE_PATIENCE));
        let mut calls: BTreeMap<String, u64> = BTreeMap::new();
        let seen = self.runtime.block_on(self.simulator.settled(LINE_PATIENCE));
        for request in &seen.requests {
            *calls.entry(format!("{}/{}", request.provider, request.model)).or_default() += 1;
        }
        let mut differences = expected.differences(&answer, &calls);
        if record.is_none() {
            differences.push("the request has no line in the log".to_owned());
        }
        Ok(Played { scene: *scene, expected, answer, record, differences })
    }

    /// Makes exactly these providers fail.
    fn break_providers(&self, down: &[String]) -> Result<(), String> {
        let mut rules: Vec<_> = down.iter().map(|name| serde_json::json!({"provider": name, "fault": 503})).collect();
        rules.push(serde_json::json!({"fault": PACE}));
        self.simulator.set_faults(&Value::from(rules).to_string()).map_err(|error| error.to_string())
    }

    /// Everything healthy again, but what is to fail throughout; for visitors.
    ///
    /// # Errors
    /// Never, unless the faults of this module are wrong.
    pub fn mend(&self) -> Result<(), String> {
        self.break_providers(&self.fail)
    }

    /// Waits for Ctrl-C or SIGTERM, then ends requests in work.
    ///
    /// # Errors
    /// If signals cannot be listened for.
    pub fn until_told(self) -> Result<(), String> {
        self.sidecar.until_told().map_err(|error| format!("signals cannot be listened for: {error}"))?;
        self.runtime.block_on(self.simulator.shutdown());
        Ok(())
    }
}

/// The day in the policy's timezone.
fn today() -> jiff::civil::Date {
    Readings::at(jiff::Timestamp::now(), &jiff::tz::TimeZone::UTC).today
}

/// The embedded policy as the only file there is.
struct OneFile;

impl Files for OneFile {
    fn read(&self, path: &str) -> Result<String, String> {
        if path == POLICY_FILE { Ok(POLICY.to_owned()) } else { Err("no such file".to_owned()) }
    }

    fn glob(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}

impl Policy {
    fn compile() -> Result<Self, String> {
        let catalog = Arc::new(Catalog::embedded());
        let settings = Settings::on(today());
        let report = check::check(POLICY_FILE, &OneFile, &catalog, &settings);
        match report.compiled {
            Some(tree) => Ok(Self { tree, catalog, sources: report.sources }),
            None => {
                let errors: Vec<_> = report.findings.iter().map(|finding| finding.message.clone()).collect();
                Err(format!("the demo's own policy does not check: {}", errors.join("; ")))
            }
        }
    }

    fn expect(&self, scene: &Scene, down: &[String]) -> Result<Expected, String> {
        let line_of = |offset| self.sources.file(FileId(0)).place(offset).line;
        expect::expect(&self.tree, &self.catalog, today(), scene, line_of, down)
    }
}

/// A directory of our own, removed at the end.
pub struct TempFiles {
    /// Where it is.
    pub dir: PathBuf,
}

impl TempFiles {
    fn write(simulator: &Handle) -> Result<Self, String> {
        let cannot = |path: &Path, error: std::io::Error| format!("cannot write {}: {error}", path.display());
        let files = Self { dir: new_dir().map_err(|error| cannot(&std::env::temp_dir(), error))? };
        let mut config = format!("listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\npolicy: {POLICY_FILE}\n");
        config += &format!("identity:\n  default_plan: {}\nproviders:\n", scenes::DEFAULT_PLAN);
        for provider in PROVIDERS {
            config += &format!("  {provider}: {{base_url: \"{}\", key: simulated}}\n", simulator.base_url(provider));
        }
        for (name, text) in [(POLICY_FILE, POLICY), ("wayside.yaml", &config)] {
            let path = files.dir.join(name);
            std::fs::write(&path, text).map_err(|error| cannot(&path, error))?;
        }
        Ok(files)
    }

    /// The policy in force; a changed one is taken up.
    pub fn policy(&self) -> PathBuf {
        self.dir.join(POLICY_FILE)
    }
}

/// A directory that was not there before: somebody else's could hold somebody else's policy.
fn new_dir() -> std::io::Result<PathBuf> {
    const TRIES: u32 = 100;
    let mut tried = 0;
    loop {
        let dir = std::env::temp_dir().join(format!("wayside-demo-{}-{tried}", std::process::id()));
        match std::fs::create_dir(&dir) {
            Ok(()) => return Ok(dir),
            // Left behind by a demo that was killed; process ids come again.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && tried < TRIES => tried += 1,
            Err(error) => return Err(error),
        }
    }
}

impl Drop for TempFiles {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's own cleaning.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
