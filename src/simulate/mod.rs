//! Local providers with faults on demand.
//!
//! In: HTTP requests in the dialects of OpenAI (Chat Completions, Responses, embeddings, models), Anthropic (Messages, token
//! counting, models), Google (generateContent, token counting, embeddings, models) and Amazon Bedrock (Converse). Out: deterministic answers, or whatever
//! trouble was asked for; and a report of what arrived. Must not
//! know: the proxy.
//!
//! One listener serves any number of providers by path (`http://ADDR/anthropic/v1/messages`); without a provider in the
//! path it is `default`. Further ports can belong to one provider each; only those can really refuse connections.
//!
//! A fault is asked for, in this order of precedence, by
//! 1. the header `x-simulate: 503;retry-after=2`,
//! 2. the model's name: `gpt-5.4-2026-03-05!503;retry-after=2`,
//! 3. a rule of the faults file (or of `PUT /simulate/faults`): `- {provider: openai, fault: 503, first: 3}`.
//!
//! [`fault::WORDS`] lists all words; [`script`] says what each does to a stream. Counts of events include the opening
//! ones. `GET /simulate/seen` reports what arrived.

mod admin;
pub mod ask;
mod body;
mod chat;
mod converse;
mod embeddings;
pub mod endpoint;
mod error;
mod exchange;
pub mod fault;
mod fields;
mod gemini;
mod hosted;
mod messages;
mod models;
mod responses;
pub mod rules;
mod schema;
mod script;
pub mod seen;
mod server;
mod socket;
mod text;
mod turns;
mod when;
mod words;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;

pub use admin::MAX_FAULTS;
pub use chat::MAX_N;
pub use exchange::{FAULT_HEADER, MAX_BODY};
pub use words::WordError;

use rules::{Rules, Wishes};
use seen::{Log, Report};
use server::Port;

/// Where the simulator listens and what goes wrong from the start.
#[derive(Clone, Debug)]
pub struct Options {
    /// Serves all providers, by path. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Ports that belong to one provider each.
    pub ports: Vec<(String, SocketAddr)>,
    /// Text of a faults file; empty for none.
    pub faults: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ports: Vec::new(), faults: String::new() }
    }
}

/// Why the simulator cannot start.
#[derive(Debug)]
pub enum StartError {
    /// The faults cannot be read.
    Faults(WordError),
    /// A provider's name has other characters than lower-case letters, digits, `-` and `_`.
    Provider(String),
    /// An address cannot be bound.
    Bind(SocketAddr, io::Error),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Faults(error) => write!(f, "the faults cannot be read: {error}"),
            Self::Provider(name) => {
                write!(f, "`{name}` cannot name a provider; use lower-case letters, digits, `-` and `_`")
            }
            Self::Bind(addr, error) => write!(f, "cannot listen on {addr}: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// What all connections share.
struct State {
    seen: Arc<Log>,
    wishes: Wishes,
    rules: watch::Sender<Arc<Rules>>,
}

impl State {
    fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.borrow())
    }

    fn set_rules(&self, rules: Rules) {
        self.rules.send_replace(Arc::new(rules));
    }

    fn watch_rules(&self) -> watch::Receiver<Arc<Rules>> {
        self.rules.subscribe()
    }
}

/// A running simulator. Dropping it stops it.
pub struct Handle {
    /// Where all providers are served, by path.
    pub addr: SocketAddr,
    /// Where single providers are served.
    pub ports: BTreeMap<String, SocketAddr>,
    state: Arc<State>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// Starts the simulator on the current tokio runtime; it listens when this returns.
///
/// # Errors
/// See [`StartError`].
pub async fn start(options: Options) -> Result<Handle, StartError> {
    let now = Instant::now();
    let rules = Rules::parse(&options.faults, now).map_err(StartError::Faults)?;
    let state =
        Arc::new(State { seen: Log::new(now), wishes: Wishes::default(), rules: watch::Sender::new(Arc::new(rules)) });
    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    let mut open = |addr, provider: Option<&str>| {
        let port = Port::bind(addr, provider).map_err(|error| StartError::Bind(addr, error))?;
        let bound = port.addr();
        tasks.spawn(port.serve(Arc::clone(&state), stopped.clone()));
        Ok(bound)
    };
    let addr = open(options.listen, None)?;
    let mut ports = BTreeMap::new();
    for (provider, addr) in options.ports {
        if !endpoint::is_name(&provider) {
            return Err(StartError::Provider(provider));
        }
        let bound = open(addr, Some(&provider))?;
        ports.insert(provider, bound);
    }
    Ok(Handle { addr, ports, state, stop, tasks })
}

impl Handle {
    /// The base URL for OpenAI clients of a provider, `/v1` included.
    pub fn base_url(&self, provider: &str) -> String {
        format!("http://{}/{provider}/v1", self.addr)
    }

    /// Replaces the faults in force; the same text as a faults file.
    ///
    /// # Errors
    /// If the text cannot be read; then nothing changes.
    pub fn set_faults(&self, text: &str) -> Result<(), WordError> {
        self.state.set_rules(Rules::parse(text, Instant::now())?);
        Ok(())
    }

    /// What arrived so far.
    pub fn seen(&self) -> Report {
        self.state.seen.report(usize::MAX, |_| true)
    }

    /// Forgets what arrived and has ended.
    pub fn clear_seen(&self) {
        self.state.seen.clear();
    }

    /// What arrived, once no request is under way any more or `limit` has passed.
    pub async fn settled(&self, limit: Duration) -> Report {
        const LOOK: Duration = Duration::from_millis(2);
        let end = Instant::now() + limit;
        loop {
            let report = self.seen();
            if report.in_flight == 0 || Instant::now() >= end {
                return report;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Stops listening and drops all connections.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }
}
