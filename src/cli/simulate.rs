//! `wayside simulate`

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::simulate::{Handle, Options, start};

use super::{CLEAN, screen};

/// Run local providers with faults on demand.
///
/// They speak OpenAI Chat Completions, Responses, embeddings and models, Anthropic Messages, and Google's generateContent, well
/// enough for the official SDKs. Answers are the same for the same prompt.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8500")]
    listen: SocketAddr,
    /// A port of its own for one provider; only such a port can refuse connections. May be repeated
    #[arg(long = "provider", value_name = "NAME=ADDR", value_parser = provider)]
    providers: Vec<(String, SocketAddr)>,
    /// Rules that say which requests fail how (YAML or JSON)
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
A fault is asked for by the model's name, by a header, or by a rule of the faults file:
  model:  gpt-5.4-2026-03-05!503;retry-after=2
  header: x-simulate: stall=3
  rule:   - {provider: openai, model: gpt-*, fault: 503, first: 3}

GET /simulate on the running simulator lists all faults.";

fn provider(text: &str) -> Result<(String, SocketAddr), String> {
    let (name, addr) = text.split_once('=').ok_or("write NAME=ADDR, as in openai=127.0.0.1:8501")?;
    let addr = addr.parse().map_err(|_| format!("`{addr}` is not an address such as 127.0.0.1:8501"))?;
    Ok((name.to_owned(), addr))
}

/// Runs it.
pub fn run(args: Args) -> ExitCode {
    let faults = match args.faults.as_ref().map(|path| (path, std::fs::read_to_string(path))) {
        None => String::new(),
        Some((_, Ok(text))) => text,
        Some((path, Err(error))) => return screen::broken(&format!("cannot read {}: {error}", path.display())),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return screen::broken(&format!("cannot start: {error}")),
    };
    runtime.block_on(async {
        let handle = match start(Options { listen: args.listen, ports: args.providers, faults }).await {
            Ok(handle) => handle,
            Err(error) => return screen::broken(&error.to_string()),
        };
        screen::show(&banner(&handle), CLEAN);
        if let Err(error) = stopped().await {
            return screen::broken(&format!("cannot wait for signals: {error}"));
        }
        handle.shutdown().await;
        ExitCode::from(CLEAN)
    })
}

/// Ctrl-C or SIGTERM.
pub(super) async fn stopped() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut term = signal(SignalKind::terminate())?;
        tokio::select! {
            done = tokio::signal::ctrl_c() => done,
            _ = term.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

fn banner(handle: &Handle) -> String {
    let url = format!("http://{}", handle.addr);
    let mut text = format!(
        "\
wayside simulate: local providers, no keys needed

  OpenAI dialect      {url}/openai/v1
  Anthropic dialect   {url}/anthropic        (the SDK adds /v1)
  Google dialect      {url}/google           (the SDK adds /v1)
  any other name      {url}/NAME/v1
  what arrived        {url}/simulate/seen
  faults in force     {url}/simulate/faults  (GET, PUT, DELETE)
  all faults          {url}/simulate
"
    );
    for (provider, addr) in &handle.ports {
        text += &format!("  {provider:<19} http://{addr}/v1\n");
    }
    text += &format!(
        r#"
Try:
  curl {url}/openai/v1/chat/completions -d '{{"model":"gpt-5.4-2026-03-05","messages":[{{"role":"user","content":"Hi"}}]}}'
  curl -i {url}/openai/v1/chat/completions -d '{{"model":"gpt-5.4-2026-03-05!503;retry-after=2","messages":[{{"role":"user","content":"Hi"}}]}}'
  python -c 'from openai import OpenAI; print(OpenAI(base_url="{url}/openai/v1", api_key="any").models.list())'
  curl -X PUT {url}/simulate/faults -d '[{{"provider": "openai", "fault": 503, "first": 3}}]'

Ctrl-C ends it.
"#
    );
    text
}
