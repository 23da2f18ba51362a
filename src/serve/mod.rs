//! The proxy: sockets on one side, providers on the other, a policy decision between them.
//!
//! In: a configuration and a policy. Out: a running sidecar. Must not know: how a policy is written.
//!
//! pingora is named here and in [`crate::upstream`] alone.
//!
//! ```text
//! listen -> app -> intake -> exchange -> attempt -> relay -> reply
//!                               |           |
//!                            sidecar     upstream         admin, reload and drain stand beside
//! ```

mod admin;
mod answer;
mod app;
mod ask;
mod attempt;
mod cached;
mod caller;
mod count;
mod degrade;
mod delivery;
mod drain;
mod entrance;
mod events;
mod exchange;
mod front;
mod health;
mod intake;
mod judge;
mod keep_alive;
mod latency;
mod leave;
mod listen;
mod models;
mod places;
mod policy;
mod prepare;
mod queue;
mod race;
mod relay;
mod reload;
mod reply;
mod request_id;
mod resume;
mod schema;
mod settle;
mod sidecar;
mod silence;
mod tally;
mod turn;
mod walk;

use std::net::SocketAddr;
use std::sync::{Arc, mpsc};

use tokio::runtime::Runtime;
use tokio::sync::watch;

pub use drain::{Drained, Signals};
pub use listen::Address;
pub use sidecar::{Origin, Rejected, Reloaded, default_config, read_config};

use admin::Admin;
use app::{Desk, Door};
use drain::Told;
use front::Front;
use listen::Bound;
use sidecar::Sidecar;
use tally::{Most, Shown, Tally};

use crate::config::{Config, Listen, RequestLog};
use crate::telemetry::{Sink, Telemetry};

/// Connections to the admin listener; beyond that somebody forgot to close them.
const ADMIN_CONNECTIONS: usize = 64;
/// Requests in work on the admin listener.
const ADMIN_REQUESTS: usize = 64;

/// What to serve.
pub struct Options {
    /// As meant.
    pub config: Config,
    /// Where it came from.
    pub origin: Origin,
    /// Where request lines go instead of where the configuration says; for tests and the demo.
    pub sink: Option<Sink>,
    /// Whether to reload when a file changes.
    pub watch: bool,
}

/// A sidecar that answers requests until it is stopped.
pub struct Running {
    /// Where callers connect.
    pub addresses: Vec<Address>,
    /// Where operators connect.
    pub admin: Option<SocketAddr>,
    sidecar: Arc<Sidecar>,
    stop: watch::Sender<bool>,
    admin_stop: watch::Sender<bool>,
    runtime: Option<Runtime>,
}

/// Loads, binds and starts. Returns when every listener accepts connections.
pub fn start(options: Options) -> Result<Running, Rejected> {
    let Options { config, origin, sink, watch: watched } = options;
    let sink = sink.unwrap_or_else(|| match &config.request_log {
        RequestLog::Off => Sink::Off,
        RequestLog::Stdout => Sink::Stdout,
        RequestLog::File(path) => Sink::File(path.clone()),
    });
    let telemetry = Telemetry::new(sink).map_err(|error| Rejected(format!("log.requests: {error}")))?;
    let sockets = config.listen.iter().map(listen::bind).collect::<Result<Vec<_>, _>>().map_err(Rejected)?;
    let admin = config.admin.map(|at| listen::bind(&Listen::Tcp(at))).transpose().map_err(Rejected)?;
    let threads = config.limits.threads;
    let sidecar = Sidecar::new(config, origin, telemetry)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("wayside")
        .enable_all()
        .build()
        .map_err(|error| Rejected(format!("no runtime: {error}")))?;

    let addresses = sockets.iter().map(|bound| bound.address.clone()).collect();
    let admin_address = admin.as_ref().and_then(|bound| match bound.address {
        Address::Tcp(address) => Some(address),
        Address::Unix(_) => None,
    });
    let (stop, told) = watch::channel(false);
    let (admin_stop, admin_told) = watch::channel(false);
    let _inside = runtime.enter();
    sidecar.keep_resolved(&sidecar.in_force());
    sidecar.keep_swept();
    sidecar.keep_delivering();
    let tally = Arc::clone(&sidecar.tally);
    serve(Front { sidecar: Arc::clone(&sidecar) }, tally, sockets, told);
    if let Some(bound) = admin {
        let tally = Arc::new(Tally::new(Shown::default()));
        tally.limit(Most { connections: ADMIN_CONNECTIONS, exchanges: ADMIN_REQUESTS, waiting: 0, bytes: 0 });
        let admin = Admin { sidecar: Arc::clone(&sidecar), tally: Arc::clone(&tally) };
        serve(admin, tally, vec![bound], admin_told);
    }
    if watched && let Some(watch) = reload::Watch::begin(&sidecar) {
        runtime.spawn(watch.reload(Arc::clone(&sidecar)));
    }
    drop(_inside);
    Ok(Running { addresses, admin: admin_address, sidecar, stop, admin_stop, runtime: Some(runtime) })
}

/// Loads and prepares everything, and starts nothing.
pub fn check(config: Config) -> Result<(), Rejected> {
    Sidecar::try_out(config)
}

fn serve<D: Desk>(desk: D, tally: Arc<Tally>, sockets: Vec<Bound>, told: watch::Receiver<bool>) {
    let desk = Arc::new(desk);
    let door = move || Door::new(Arc::clone(&desk), Arc::clone(&tally));
    tokio::spawn(listen::accept(door, sockets, told));
}

impl Running {
    /// The first TCP address.
    pub fn address(&self) -> Option<SocketAddr> {
        self.addresses.iter().find_map(|address| match address {
            Address::Tcp(address) => Some(*address),
            Address::Unix(_) => None,
        })
    }

    /// The policy in force: its name and content hash.
    pub fn policy(&self) -> (String, String) {
        let now = self.sidecar.in_force();
        (now.policy.checked().name.to_string(), now.policy.hash().to_string())
    }

    /// Reads configuration and policy again.
    pub fn reload(&self) -> Result<Reloaded, Rejected> {
        let sidecar = Arc::clone(&self.sidecar);
        let reloaded = self.inside(async move { sidecar.reload("asked by the program").await });
        reloaded.unwrap_or_else(|| Err(Rejected("the sidecar has stopped".to_owned())))
    }

    /// Stops accepting and waits for the requests in work, for at most the configured time.
    pub fn stop(self) -> Drained {
        let (sidecar, stop) = (Arc::clone(&self.sidecar), self.stop.clone());
        let limit = sidecar.in_force().config.limits.drain.duration();
        let drained = self.inside(async move { drain::drain(&sidecar, &stop, limit, std::future::pending()).await });
        drained.unwrap_or(Drained::Clean)
    }

    /// From here on the signals of [`Running::until`] no longer end the process by themselves.
    pub fn listen_for_signals(&self) -> std::io::Result<Signals> {
        self.inside(async { Signals::listen() }).unwrap_or_else(|| Err(std::io::ErrorKind::Other.into()))
    }

    /// Serves until SIGTERM or SIGINT, then drains; the next of them ends at once. SIGHUP reads everything again.
    pub fn until(self, mut signals: Signals) -> Drained {
        let (sidecar, stop) = (Arc::clone(&self.sidecar), self.stop.clone());
        let drained = self.inside(async move {
            while signals.next().await == Told::Reload {
                // Said aloud inside.
                let _ = sidecar.reload("SIGHUP").await;
            }
            let limit = sidecar.in_force().config.limits.drain.duration();
            let hurry = async move { while signals.next().await == Told::Reload {} };
            drain::drain(&sidecar, &stop, limit, hurry).await
        });
        drained.unwrap_or(Drained::Clean)
    }

    /// Both in one, for programs that have nothing to say in between.
    pub fn until_told(self) -> std::io::Result<Drained> {
        let signals = self.listen_for_signals()?;
        Ok(self.until(signals))
    }

    /// Runs on the sidecar's own runtime and waits here, which may be a thread of another runtime. `None` only if it panicked.
    fn inside<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (done, wait) = mpsc::sync_channel(1);
        self.runtime.as_ref()?.spawn(async move {
            // The receiver below waits for as long as this runs.
            let _ = done.send(work.await);
        });
        wait.recv().ok()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Receivers that are gone have nothing left to stop.
        let _ = self.stop.send(true);
        let _ = self.admin_stop.send(true);
        if let Some(runtime) = self.runtime.take() {
            // Waiting here could be inside another runtime, where that is forbidden.
            runtime.shutdown_background();
        }
        self.sidecar.telemetry.flush();
    }
}
