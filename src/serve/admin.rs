//! The operators' listener: health, readiness, metrics, status, reload.
//!
//! In: requests from loopback. Out: small documents. Must not know: callers' requests.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Method};
use pingora::protocols::http::ServerSession;
use serde::Serialize;

use super::app::{Desk, Ended, Patience};
use super::reply::{self, Headers, Problem};
use super::sidecar::Sidecar;
use super::tally::{Kind, Tally};
use super::turn;
use crate::policy::check::live::Stands;

/// Bytes of a head.
const HEAD: usize = 16 << 10;
const PATIENCE: Patience = Patience {
    head: HEAD,
    read: Duration::from_secs(5),
    write: Duration::from_secs(30),
    idle: Duration::from_secs(75),
};
/// What is there, for a 404.
const PATHS: &str = "GET /healthz, GET /readyz, GET /metrics, GET /status, POST /reload";

/// Answers operators.
pub struct Admin {
    /// What is asked about.
    pub sidecar: Arc<Sidecar>,
    /// What is in work on this listener, apart from callers.
    pub tally: Arc<Tally>,
}

#[async_trait]
impl Desk for Admin {
    async fn answer(&self, session: &mut ServerSession) -> Ended {
        let Some(_counted) = self.tally.enter(Kind::Exchange) else {
            return reply::problem(session, &turn::line_is_full()).await;
        };
        let head = session.req_header();
        let path = head.uri.path().to_owned();
        let reads = matches!(head.method, Method::GET | Method::HEAD);
        match (&*path, reads, head.method == Method::POST) {
            ("/healthz", true, _) => text(session, 200, "ok\n".into()).await,
            ("/readyz", true, _) if self.sidecar.tally.is_draining() => text(session, 503, "draining\n".into()).await,
            ("/readyz", true, _) => text(session, 200, "ready\n".into()).await,
            ("/metrics", true, _) => text(session, 200, self.sidecar.telemetry.page().into()).await,
            ("/status", true, _) => document(session, 200, &self.status()).await,
            ("/reload", _, true) => self.reload(session).await,
            ("/healthz" | "/readyz" | "/metrics" | "/status" | "/reload", ..) => {
                let message = format!("Wrong method for {path}. This listener serves {PATHS}.");
                reply::problem(session, &Problem::caller(405, "method_not_allowed", message).unread()).await
            }
            _ => {
                let message = format!("Nothing at {path}. This listener serves {PATHS}.");
                reply::problem(session, &Problem::caller(404, "not_found", message).unread()).await
            }
        }
    }

    fn patience(&self) -> Patience {
        PATIENCE
    }
}

impl Admin {
    async fn reload(&self, session: &mut ServerSession) -> Ended {
        match self.sidecar.reload("asked by POST /reload").await {
            Ok(_) => document(session, 200, &self.status()).await,
            Err(rejected) => {
                document(session, 422, &Refused { result: "rejected", errors: rejected.to_string() }).await
            }
        }
    }

    fn status(&self) -> Status {
        let sidecar = &self.sidecar;
        let now = sidecar.in_force();
        Status {
            version: env!("CARGO_PKG_VERSION"),
            policy: now.policy.checked().name.to_string(),
            policy_hash: now.policy.hash().to_string(),
            policy_file: now.config.policy.display().to_string(),
            loaded_at: now.loaded_at.to_string(),
            last_reload: sidecar.last_reload(),
            needs_restart: sidecar.needs_restart(),
            rules: now.policy.checked().rules.len(),
            snapshots: now.policy.checked().snapshots.iter().map(|snapshot| snapshot.model.to_string()).collect(),
            // A policy with rollouts is not loaded yet (R990), so there is none to report.
            rollouts: Vec::new(),
            providers: now.config.providers.keys().map(ToString::to_string).collect(),
            left_alone: now.left_alone(sidecar.uptime()),
            draining: sidecar.tally.is_draining(),
            connections: sidecar.tally.now(Kind::Connection),
            in_flight: sidecar.tally.now(Kind::Exchange),
            waiting: sidecar.tally.now(Kind::Waiting),
            uptime_s: sidecar.started.elapsed().as_secs(),
        }
    }
}

/// `GET /status`
#[derive(Serialize)]
struct Status {
    version: &'static str,
    policy: String,
    policy_hash: String,
    policy_file: String,
    loaded_at: String,
    last_reload: Option<super::sidecar::LastReload>,
    needs_restart: Vec<&'static str>,
    rules: usize,
    snapshots: Vec<String>,
    /// Where rollouts stand; `check --live` reads them.
    rollouts: Vec<Stands>,
    providers: Vec<String>,
    /// Snapshots whose breaker is open or that asked for a pause.
    left_alone: std::collections::BTreeMap<Box<str>, super::health::Shut>,
    draining: bool,
    connections: usize,
    in_flight: usize,
    /// Requests that wait for a place.
    waiting: usize,
    uptime_s: u64,
}

#[derive(Serialize)]
struct Refused {
    result: &'static str,
    errors: String,
}

async fn document(session: &mut ServerSession, status: u16, document: &impl Serialize) -> Ended {
    let mut body = serde_json::to_vec_pretty(document).unwrap_or_default();
    body.push(b'\n');
    reply::json(session, status, Headers::new(), body.into()).await
}

async fn text(session: &mut ServerSession, status: u16, body: Bytes) -> Ended {
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    reply::whole(session, status, kind, Headers::new(), body).await
}
