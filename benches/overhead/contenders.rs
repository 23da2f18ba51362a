//! The processes that are compared.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::LONG_PROMPT;
use crate::load::{Scenario, Shape};

/// Two chains: one that answers at once, one whose first hop is down.
pub const POLICY: &str = include_str!("policy.route");
const CONFIG: &str = include_str!("wayside.yaml");
const BINARY: &str = env!("CARGO_BIN_EXE_wayside");
/// What a rule may have behind its hops.
const EVERYTHING: &str = "  hold            20 tokens
  on cut          resume
  degrade         queue desk within 4h
  degrade         template sorry
";

/// The core that contenders run on; load and upstream take the other.
const CONTENDER_CORE: &str = "0";
const LOAD_CORE: &str = "1";

/// A process that ends with this value.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Somebody who answers chat requests.
pub struct Contender {
    pub name: &'static str,
    pub address: SocketAddr,
    /// Processes whose time counts.
    pub pids: Vec<u32>,
    counts: bool,
    falls_back: bool,
    _process: Option<Process>,
    _files: Option<tempfile::TempDir>,
}

/// The provider.
pub struct Upstream {
    pub address: SocketAddr,
    _process: Process,
}

/// A command on one core.
fn pinned(core: &str, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.arg("-c").arg(core).arg(program);
    command
}

/// Starts a process that prints its address as the first line.
fn start(mut command: Command) -> (Process, SocketAddr) {
    let mut child = command.stdout(Stdio::piped()).spawn().expect("taskset, from util-linux");
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().parse().unwrap_or_else(|_| panic!("an address, not {line:?}"));
    (Process(child), address)
}

pub fn upstream() -> Upstream {
    let mut command = pinned(LOAD_CORE, &std::env::current_exe().unwrap());
    command.arg("upstream");
    let (process, address) = start(command);
    // The load comes from this process.
    let own = std::process::id().to_string();
    Command::new("taskset").args(["-a", "-c", "-p", LOAD_CORE, &own]).stdout(Stdio::null()).status().unwrap();
    Upstream { address, _process: process }
}

impl Contender {
    pub fn can(&self, scenario: &Scenario) -> bool {
        match scenario.shape {
            _ if self.counts => scenario.shape == (Shape::Chat { bytes: LONG_PROMPT }),
            Shape::Fallback => self.falls_back,
            _ => true,
        }
    }

    pub fn direct(upstream: &Upstream) -> Self {
        Self {
            name: "direct",
            address: upstream.address,
            pids: Vec::new(),
            counts: false,
            falls_back: false,
            _process: None,
            _files: None,
        }
    }

    pub fn copy_loop(upstream: &Upstream) -> Self {
        let mut command = pinned(CONTENDER_CORE, &std::env::current_exe().unwrap());
        command.arg("copy-loop").arg(upstream.address.port().to_string());
        let (process, address) = start(command);
        Self {
            name: "pingora copy loop",
            address,
            pids: vec![process.0.id()],
            counts: false,
            falls_back: false,
            _process: Some(process),
            _files: None,
        }
    }

    pub fn wayside(upstream: &Upstream) -> Self {
        Self::of("wayside", wayside(upstream, POLICY), false)
    }

    /// With nothing a policy or a configuration can leave out: no log, no headers, the plainest chain.
    pub fn bare(upstream: &Upstream) -> Self {
        let config = CONFIG.replace("log: {requests: requests.log,", "answer_headers: false\nlog: {requests: \"off\",");
        Self::of("wayside, nothing on", serve(BINARY.as_ref(), upstream, (POLICY, &config)), false)
    }

    /// With all of it: breakers that open, retries, held and resumed streams, a queue behind every chain, a line before the places
    /// for requests in work, and the log.
    pub fn everything(upstream: &Upstream) -> Self {
        let policy = POLICY.replace("  degrade         template sorry\n", EVERYTHING).replace("retry 0", "timeout 20s")
            + "queue desk { staffed always }\n";
        assert_eq!(policy.matches(EVERYTHING).count(), 2);
        let config = CONFIG.replace("breakers: {attempts: 4000000000}", "breakers: {attempts: 20}");
        let config = config.replace("limits: {threads: 1}", "limits: {threads: 1, concurrent: 64, waiting: 64}");
        Self::of("wayside, everything on", serve(BINARY.as_ref(), upstream, (&policy, &config)), false)
    }

    /// Another build of it, to see in one run what a change does.
    pub fn beside(upstream: &Upstream, binary: &Path) -> Self {
        Self::of("wayside, the other build", serve(binary, upstream, (POLICY, CONFIG)), false)
    }

    /// With a limit in the middle of what a long prompt can be, so that its tokens are counted.
    pub fn counting(upstream: &Upstream) -> Self {
        let policy = POLICY.replace("timezone \"UTC\"", "timezone \"UTC\", max_prompt 400k");
        Self::of("wayside, counting tokens", wayside(upstream, &policy), true)
    }

    fn of(
        name: &'static str,
        (process, address, files): (Process, SocketAddr, tempfile::TempDir),
        counts: bool,
    ) -> Self {
        Self {
            name,
            address,
            pids: vec![process.0.id()],
            counts,
            falls_back: true,
            _process: Some(process),
            _files: Some(files),
        }
    }

    /// nginx as a reverse proxy without logs, if it is installed. The fallback row is the same to it: first a server that
    /// answers 503, then one that does not.
    pub fn nginx(upstream: &Upstream) -> Option<Self> {
        let program =
            ["/usr/sbin/nginx", "/usr/bin/nginx"].map(PathBuf::from).into_iter().find(|path| path.exists())?;
        let files = tempfile::tempdir().unwrap();
        let address = free_address();
        let config = format!(
            "daemon off; master_process off; pid {dir}/pid; error_log /dev/null; events {{ worker_connections 1024; }}\n\
             http {{ access_log off; client_max_body_size 64m; client_body_buffer_size 2m; client_body_temp_path {dir}/body;\n\
             proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;\n\
             keepalive_requests 1000000000;\n\
             upstream up {{ server {up}; keepalive 64; keepalive_requests 1000000000; }}\n\
             map $http_x_wayside_feature $first {{ fallback /down; default \"\"; }}\n\
             proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_buffering off;\n\
             server {{ listen {address}; location / {{ proxy_pass http://up$first$request_uri;\n\
             proxy_intercept_errors on; error_page 503 = @next; }} location @next {{ proxy_pass http://up; }} }} }}\n",
            dir = files.path().display(),
            up = upstream.address,
        );
        let path = files.path().join("nginx.conf");
        std::fs::write(&path, config).unwrap();
        let mut command = pinned(CONTENDER_CORE, &program);
        command.arg("-c").arg(&path).arg("-p").arg(files.path()).stderr(Stdio::null());
        let process = Process(command.spawn().unwrap());
        wait_for(address);
        let master = process.0.id();
        let pids = std::iter::once(master).chain(children(master)).collect();
        let files = Some(files);
        Some(Self {
            name: "nginx",
            address,
            pids,
            counts: false,
            falls_back: true,
            _process: Some(process),
            _files: files,
        })
    }
}

/// The release binary with the policy and configuration of this folder, its request log on, written to a file.
pub fn wayside(upstream: &Upstream, policy: &str) -> (Process, SocketAddr, tempfile::TempDir) {
    serve(BINARY.as_ref(), upstream, (policy, CONFIG))
}

fn serve(
    binary: &Path,
    upstream: &Upstream,
    (policy, config): (&str, &str),
) -> (Process, SocketAddr, tempfile::TempDir) {
    let files = tempfile::tempdir().unwrap();
    let address = free_address();
    let config = config.replace("ADDRESS", &address.to_string()).replace("UPSTREAM", &upstream.address.to_string());
    std::fs::write(files.path().join("wayside.yaml"), config).unwrap();
    std::fs::write(files.path().join("policy.route"), policy).unwrap();
    let mut command = pinned(CONTENDER_CORE, binary);
    command.arg("serve").arg("--config").arg(files.path().join("wayside.yaml"));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let process = Process(command.spawn().expect("taskset, from util-linux"));
    wait_for(address);
    (process, address, files)
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Until somebody listens.
fn wait_for(address: SocketAddr) {
    let since = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(since.elapsed() < Duration::from_secs(10), "nobody listens on {address}");
        std::thread::sleep(Duration::from_micros(200));
    }
}

fn children(parent: u32) -> Vec<u32> {
    std::thread::sleep(Duration::from_millis(100));
    let path = format!("/proc/{parent}/task/{parent}/children");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}
