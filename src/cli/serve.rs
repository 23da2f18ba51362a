//! `wayside serve`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{CLEAN, FINDINGS, screen};
use crate::config::{Config, Listen};
use crate::serve::{self, Drained, Options, Origin, Rejected, Running};

/// The file that is read when `--config` is not given, if it is there.
const DEFAULT_CONFIG: &str = "wayside.yaml";

/// Run the proxy.
///
/// Point an OpenAI client's base URL at it, for example `OPENAI_BASE_URL=http://127.0.0.1:8787/v1`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// The policy's root file; stands in for `policy` in the configuration
    policy: Option<PathBuf>,
    /// The configuration; `wayside.yaml` in this directory, if there is one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where callers connect, `127.0.0.1:8787` or `unix:/path`; stands in for `listen`. May be repeated
    #[arg(long, value_name = "ADDR", value_parser = listen)]
    listen: Vec<Listen>,
    /// Where operators connect, or `off`; stands in for `admin`
    #[arg(long, value_name = "ADDR", value_parser = admin)]
    admin: Option<Admin>,
    /// Read and check everything, start nothing
    #[arg(long)]
    check_only: bool,
}

#[derive(Clone, Debug)]
enum Admin {
    Off,
    At(std::net::SocketAddr),
}

const AFTER_HELP: &str = "\
Signals: TERM or INT finishes the requests in work and ends (a second one ends at once); HUP reads everything again.
Files are watched: a changed policy or configuration is taken up, and a wrong one is reported and left alone.

Exit codes: 0 ended as told, 1 the policy or the configuration is wrong, or requests were cut, 2 could not start.";

fn listen(text: &str) -> Result<Listen, String> {
    match text.strip_prefix("unix:") {
        Some(path) => Ok(Listen::Unix(path.into())),
        None => {
            let wrong = || format!("`{text}` is not an address; write `127.0.0.1:8787` or `unix:/run/wayside.sock`");
            text.parse().map(Listen::Tcp).map_err(|_| wrong())
        }
    }
}

fn admin(text: &str) -> Result<Admin, String> {
    if text == "off" {
        return Ok(Admin::Off);
    }
    text.parse().map(Admin::At).map_err(|_| format!("`{text}` is not an address; write `127.0.0.1:8788` or `off`"))
}

/// Runs it.
pub fn run(args: Args) -> ExitCode {
    let (config, origin) = match configuration(&args) {
        Ok(read) => read,
        Err(Rejected(errors)) => return screen::findings(&errors),
    };
    if args.check_only {
        return match serve::check(config) {
            Ok(()) => ExitCode::from(CLEAN),
            Err(Rejected(errors)) => screen::findings(&errors),
        };
    }
    log_to_stderr(&config.log_level);
    match serve::start(Options { config, origin, sink: None, watch: true }) {
        Ok(running) => until_told(running),
        Err(Rejected(errors)) => screen::findings(&errors),
    }
}

fn configuration(args: &Args) -> Result<(Config, Origin), Rejected> {
    let default = Path::new(DEFAULT_CONFIG);
    let path = args.config.clone().or_else(|| default.exists().then(|| default.to_owned()));
    let mut config = match &path {
        Some(path) => serve::read_config(path)?,
        None => serve::default_config()?,
    };
    if let Some(policy) = &args.policy {
        config.policy.clone_from(policy);
    }
    if !args.listen.is_empty() {
        config.listen.clone_from(&args.listen);
    }
    match args.admin {
        Some(Admin::Off) => config.admin = None,
        Some(Admin::At(address)) => config.admin = Some(address),
        None => {}
    }
    Ok((config, Origin { config: path, policy: args.policy.clone() }))
}

fn until_told(running: Running) -> ExitCode {
    let signals = match running.listen_for_signals() {
        Ok(signals) => signals,
        Err(error) => return screen::broken(&format!("signals cannot be listened for: {error}")),
    };
    for address in &running.addresses {
        screen::aside(&format!("serving {address}/v1"));
    }
    if let Some(admin) = running.admin {
        screen::aside(&format!("admin   http://{admin} (/status, /metrics, /healthz, /readyz, POST /reload)"));
    }
    let (policy, hash) = running.policy();
    screen::aside(&format!("policy  {policy} {hash}"));
    match running.until(signals) {
        Drained::Clean => ExitCode::from(CLEAN),
        Drained::Cut(left) => {
            screen::aside(&format!("ended with {left} requests in work"));
            ExitCode::from(FINDINGS)
        }
    }
}

/// The operational log; request lines have their own place. pingora's own log comes along.
fn log_to_stderr(level: &str) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("WAYSIDE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(format!("{level},pingora_core=error")));
    // Only a second call could fail.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(screen::stderr_has_color())
        .with_writer(std::io::stderr)
        .try_init();
}
