//! The real binary on port 0: a simulator, and a sidecar whose providers are all simulated.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Providers that the sidecar of a test knows; each is a path of one simulator.
const PROVIDERS: [&str; 7] = ["openai", "anthropic", "mistral", "google", "xai", "cohere", "bedrock"];
/// How long a process may take to say where it listens.
const START: Duration = Duration::from_secs(20);

/// A process that ends with this value, and everything it printed.
pub struct Process {
    child: Child,
    printed: Arc<Mutex<String>>,
    /// The first address it named.
    pub url: String,
}

impl Process {
    /// Starts `wayside` and waits for the first `http://127.0.0.1:PORT` on either stream.
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let printed = Arc::new(Mutex::new(String::new()));
        let (found, url) = channel();
        read(child.stdout.take().unwrap(), Arc::clone(&printed), found.clone());
        read(child.stderr.take().unwrap(), Arc::clone(&printed), found);
        let Ok(url) = url.recv_timeout(START) else {
            let _ = child.kill();
            panic!("no address from {command:?}:\n{}", printed.lock().unwrap());
        };
        Self { child, printed, url }
    }

    /// Both streams so far.
    pub fn printed(&self) -> String {
        self.printed.lock().unwrap().clone()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(stream: impl Read + Send + 'static, printed: Arc<Mutex<String>>, found: Sender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if let Some(at) = line.find("http://127.0.0.1:") {
                let port = line[at + 17..].chars().take_while(char::is_ascii_digit).collect::<String>();
                let _ = found.send(format!("http://127.0.0.1:{port}"));
            }
            let mut printed = printed.lock().unwrap();
            printed.push_str(&line);
            printed.push('\n');
        }
    });
}

/// A sidecar and the simulator behind it.
pub struct Sidecar {
    simulator: Process,
    sidecar: Process,
    _files: tempfile::TempDir,
}

impl Sidecar {
    /// With a policy, a faults file, providers that speak another dialect than usual, and more lines of `wayside.yaml`.
    pub fn start(policy: &str, faults: &str, dialects: &[(&str, &str)], more: &str) -> Self {
        let files = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = files.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let mut simulate = wayside();
        simulate.args(["simulate", "--listen", "127.0.0.1:0", "--faults"]).arg(write("faults.yaml", faults));
        let simulator = Process::start(simulate);
        let mut config = "listen: 127.0.0.1:0\nadmin: \"off\"\npolicy: policy.route\nproviders:\n".to_owned();
        for provider in PROVIDERS {
            let other = dialects.iter().find(|(name, _)| *name == provider);
            let dialect = other.map(|(_, dialect)| format!(", dialect: {dialect}")).unwrap_or_default();
            let url = &simulator.url;
            config += &format!("  {provider}: {{base_url: \"{url}/{provider}/v1\", key: sk-sidecar{dialect}}}\n");
        }
        config += more;
        write("policy.route", policy);
        let mut serve = wayside();
        serve.arg("serve").arg("--config").arg(write("wayside.yaml", &config));
        let sidecar = Process::start(serve);
        Self { simulator, sidecar, _files: files }
    }

    /// Where callers connect, without `/v1`.
    pub fn url(&self) -> &str {
        &self.sidecar.url
    }

    /// Where the simulator is asked what it saw.
    pub fn simulator_url(&self) -> &str {
        &self.simulator.url
    }

    /// What both printed.
    pub fn log(&self) -> String {
        format!("--- sidecar\n{}--- simulator\n{}", self.sidecar.printed(), self.simulator.printed())
    }
}

fn wayside() -> Command {
    Command::new(Path::new(env!("CARGO_BIN_EXE_wayside")))
}
