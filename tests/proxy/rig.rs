//! A simulator and a sidecar that calls it.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use wayside::serve::{Options, Origin, Running, read_config, start};
use wayside::simulate::{self, Handle};
use wayside::telemetry::Sink;

/// A key that must never be seen again.
pub const KEY: &str = "sk-secret-3f81";

/// First `anthropic`, then `openai`, then a template.
pub const POLICY: &str = r#"route 1
policy proxy { deadline 20s, max_prompt 8M }
defaults { timeout 5s, first_token 2s, idle 1s }
plans [free, pro]
feature reply {}
feature tags { max_output 50 }
tier mid {
  anthropic/claude-sonnet-5
  openai/gpt-5.4-2026-03-05
}
template sorry "Please try again later."

rule blocked {
  because "Tests want a rule that rejects."
  when user is "blocked"
  reject 403 "not for you"
}
rule alone {
  because "Tests want a chain that ends."
  when feature is tags
  tier mid
  snapshot openai/gpt-5.4-2026-03-05
  degrade error 503 "no tags today"
}
otherwise {
  tier mid
  snapshot anthropic/claude-sonnet-5
  fallback peer openai/gpt-5.4-2026-03-05
  degrade template sorry
}
"#;

/// Request lines, as they were written.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    /// The lines so far, once there are `count`.
    pub async fn wait(&self, count: usize) -> Vec<serde_json::Value> {
        for _ in 0..500 {
            let text = self.text();
            if text.lines().count() >= count {
                return text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{count} lines were expected, and there are only: {}", self.text());
    }
}

/// Both, and the files behind them.
pub struct Rig {
    pub simulator: Handle,
    pub sidecar: Option<Running>,
    pub address: SocketAddr,
    pub admin: SocketAddr,
    pub lines: Lines,
    pub directory: tempfile::TempDir,
}

/// What differs from one test to the next.
pub struct Setup<'a> {
    pub policy: &'a str,
    /// Where callers connect.
    pub listen: &'a str,
    /// More keys of `wayside.yaml`.
    pub config: &'a str,
    pub faults: &'a str,
    /// Where `anthropic` is, if not at the simulator.
    pub anthropic: Option<&'a str>,
    /// More keys of `anthropic`; what it speaks is among them.
    pub anthropic_keys: &'a str,
    /// More keys of `openai`.
    pub openai: &'a str,
    /// Where `openai` is, if not at the simulator.
    pub openai_url: Option<&'a str>,
}

impl Default for Setup<'_> {
    fn default() -> Self {
        Self {
            policy: POLICY,
            listen: "127.0.0.1:0",
            config: "",
            faults: "",
            anthropic: None,
            anthropic_keys: "dialect: chat, ",
            openai: "",
            openai_url: None,
        }
    }
}

impl Rig {
    pub async fn new() -> Self {
        Self::with(Setup::default()).await
    }

    pub async fn with_faults(faults: &str) -> Self {
        Self::with(Setup { faults, ..Setup::default() }).await
    }

    pub async fn with(setup: Setup<'_>) -> Self {
        let options = simulate::Options { faults: setup.faults.to_owned(), ..simulate::Options::default() };
        let simulator = simulate::start(options).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("policy.route"), setup.policy).unwrap();
        let config = write_config(directory.path(), &simulator, setup.config);
        let mut text = std::fs::read_to_string(&config).unwrap();
        text = text.replace("listen: 127.0.0.1:0", &format!("listen: {}", setup.listen));
        text = text.replace("dialect: chat, ", setup.anthropic_keys);
        if let Some(there) = setup.anthropic {
            text = text.replace(&format!("base_url: '{}'", simulator.base_url("anthropic")), there);
        }
        let openai = format!("'{}', ", simulator.base_url("openai"));
        text = text.replace(&openai, &format!("{openai}{}", setup.openai));
        if let Some(url) = setup.openai_url {
            text = text.replace(&simulator.base_url("openai"), url);
        }
        std::fs::write(&config, text).unwrap();
        let lines = Lines::default();
        let options = Options {
            config: read_config(&config).unwrap(),
            origin: Origin { config: Some(config), policy: None },
            sink: Some(Sink::Writer(Box::new(lines.clone()))),
            watch: true,
        };
        let sidecar = start(options).unwrap_or_else(|error| panic!("{error}"));
        let (address, admin) = (sidecar.address().unwrap(), sidecar.admin.unwrap());
        Self { simulator, sidecar: Some(sidecar), address, admin, lines, directory }
    }

    pub fn policy_path(&self) -> PathBuf {
        self.directory.path().join("policy.route")
    }
}

pub fn write_config(directory: &Path, simulator: &Handle, more: &str) -> PathBuf {
    let path = directory.join("wayside.yaml");
    let text = format!(
        "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\nproviders:\n  anthropic: {{dialect: chat, base_url: '{}', key: {KEY}}}\n  openai: {{base_url: \
         '{}', key: {KEY}}}\nidentity: {{default_plan: free}}\n{more}",
        simulator.base_url("anthropic"),
        simulator.base_url("openai"),
    );
    std::fs::write(&path, text).unwrap();
    path
}
