//! The processes that are compared.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::LONG_PROMPT;
use crate::load::{Scenario, Shape};

/// Two chains: one that answers at once, one whose first hop is down.
const POLICY: &str = include_str!("policy.route");
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

/// Who is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The upstream itself.
    Direct,
    /// A bare pingora copy loop.
    CopyLoop,
    /// Wayside with nothing a policy or a configuration can leave out: no log, no headers, the plainest chain.
    Bare,
    /// As it is by default.
    Wayside,
    /// With all of it: breakers that open, retries, held and resumed streams, a queue behind every chain, a line before the places
    /// for requests in work, and the log.
    Everything,
    /// With a limit in the middle of what a long prompt can be, so that its tokens are counted.
    Counting,
    /// Another build of it, to see in one run what a change does.
    Beside,
    /// nginx as a reverse proxy without logs, if it is installed. The fallback row is the same to it: first a server that
    /// answers 503, then one that does not.
    Nginx,
}

/// Somebody who answers chat requests.
pub struct Contender {
    pub address: SocketAddr,
    /// Processes whose time counts.
    pub pids: Vec<u32>,
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

/// All threads of a process that runs already.
fn move_to(core: &str, pid: u32) {
    let moved = Command::new("taskset").args(["-a", "-c", "-p", core, &pid.to_string()]).stdout(Stdio::null()).status();
    assert!(moved.expect("taskset, from util-linux").success());
}

pub fn upstream() -> Upstream {
    let mut command = pinned(LOAD_CORE, &std::env::current_exe().unwrap());
    command.arg("upstream");
    let (process, address) = start(command);
    // The load comes from this process.
    move_to(LOAD_CORE, std::process::id());
    Upstream { address, _process: process }
}

impl Kind {
    pub const ALL: [Self; 8] = [
        Self::Direct,
        Self::CopyLoop,
        Self::Bare,
        Self::Wayside,
        Self::Everything,
        Self::Counting,
        Self::Beside,
        Self::Nginx,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::CopyLoop => "pingora copy loop",
            Self::Bare => "wayside, nothing on",
            Self::Wayside => "wayside",
            Self::Everything => "wayside, everything on",
            Self::Counting => "wayside, counting tokens",
            Self::Beside => "wayside, the other build",
            Self::Nginx => "nginx",
        }
    }

    pub fn can(self, scenario: &Scenario) -> bool {
        match scenario.shape {
            _ if self == Self::Counting => scenario.shape == (Shape::Chat { bytes: LONG_PROMPT }),
            Shape::Fallback => !matches!(self, Self::Direct | Self::CopyLoop),
            _ => true,
        }
    }

    /// A new process of it; `None` where it is not installed.
    pub fn begin(self, upstream: &Upstream, beside: Option<&Path>) -> Option<Contender> {
        let of = |policy: &str, config: &str| Contender::of(serve(BINARY.as_ref(), upstream, (policy, config)));
        match self {
            Self::Direct => {
                Some(Contender { address: upstream.address, pids: Vec::new(), _process: None, _files: None })
            }
            Self::CopyLoop => {
                let mut command = pinned(CONTENDER_CORE, &std::env::current_exe().unwrap());
                command.arg("copy-loop").arg(upstream.address.port().to_string());
                let (process, address) = start(command);
                Some(Contender { address, pids: vec![process.0.id()], _process: Some(process), _files: None })
            }
            Self::Bare => {
                let off = "answer_headers: false\nlog: {requests: \"off\",";
                Some(of(POLICY, &CONFIG.replace("log: {requests: requests.log,", off)))
            }
            Self::Wayside => Some(of(POLICY, CONFIG)),
            Self::Everything => {
                let policy = POLICY.replace("  degrade         template sorry\n", EVERYTHING);
                assert_eq!(policy.matches(EVERYTHING).count(), 2);
                let policy = policy.replace("retry 0", "timeout 20s") + "queue desk { staffed always }\n";
                let config = CONFIG.replace("breakers: {attempts: 4000000000}", "breakers: {attempts: 20}");
                let limits = "limits: {threads: 1, concurrent: 64, waiting: 64}";
                Some(of(&policy, &config.replace("limits: {threads: 1}", limits)))
            }
            Self::Counting => {
                Some(of(&POLICY.replace("timezone \"UTC\"", "timezone \"UTC\", max_prompt 400k"), CONFIG))
            }
            Self::Beside => Some(Contender::of(serve(beside?, upstream, (POLICY, CONFIG)))),
            Self::Nginx => nginx(upstream),
        }
    }
}

impl Contender {
    fn of((process, address, files): (Process, SocketAddr, tempfile::TempDir)) -> Self {
        Self { address, pids: vec![process.0.id()], _process: Some(process), _files: Some(files) }
    }

    /// To where upstream and load are.
    pub fn join_the_load(&self) {
        self.pids.iter().for_each(|pid| move_to(LOAD_CORE, *pid));
    }
}

fn nginx(upstream: &Upstream) -> Option<Contender> {
    let program = ["/usr/sbin/nginx", "/usr/bin/nginx"].map(PathBuf::from).into_iter().find(|path| path.exists())?;
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
    Some(Contender { address, pids, _process: Some(process), _files: Some(files) })
}

/// The release binary with the policy and configuration of this folder, its request log on, written to a file.
pub fn wayside(upstream: &Upstream) -> (Process, SocketAddr, tempfile::TempDir) {
    serve(BINARY.as_ref(), upstream, (POLICY, CONFIG))
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
