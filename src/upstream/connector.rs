//! Pools of connections, one for each set of trusted certificate authorities.
//!
//! In: CA files. Out: pingora connectors. Must not know: providers.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Instant;

use parking_lot::Mutex;
use pingora::connectors::ConnectorOptions;
use pingora::connectors::http::Connector;

use super::idle::{Idle, SWEEP_EVERY};

/// Holds no certificate: upstreams without TLS need no trust store, and the system's costs time and memory to load.
const NO_AUTHORITIES: &str = "/dev/null";

/// Every pool of this process. It outlives configurations, so that a reload keeps warm connections.
pub struct Pools {
    /// Idle connections kept, for each pool.
    idle: usize,
    open: Mutex<HashMap<Trust, Pool>>,
}

/// Connections that trust the same authorities.
#[derive(Clone)]
pub(super) struct Pool {
    /// Opens connections, and shares those of HTTP/2.
    pub connector: Arc<Connector>,
    /// Those of HTTP/1 that wait for their next call.
    pub idle: Arc<Idle>,
    /// Part of the reuse key of every connection: pingora's own leaves the trust store out.
    pub key: u64,
}

/// Whom a pool trusts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Trust {
    /// Nobody is asked: no TLS.
    Nobody,
    /// The system's store.
    System,
    /// This PEM file with this content, so that a changed file makes a new pool.
    File(String, Vec<u8>),
}

impl Trust {
    /// What a provider with this setting needs.
    pub fn of(tls: bool, ca_file: Option<&Path>) -> Result<Self, String> {
        match (tls, ca_file) {
            (false, _) => Ok(Self::Nobody),
            (true, None) => Ok(Self::System),
            (true, Some(path)) => {
                let content =
                    std::fs::read(path).map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
                if memchr::memmem::find(&content, b"-----BEGIN CERTIFICATE-----").is_none() {
                    return Err(format!("`{}` holds no PEM certificate", path.display()));
                }
                let path = path.to_str().ok_or_else(|| format!("`{}` is not UTF-8", path.display()))?;
                Ok(Self::File(path.to_owned(), content))
            }
        }
    }
}

impl Pools {
    /// Pools that keep up to `idle` connections each.
    pub fn new(idle: usize) -> Self {
        Self { idle, open: Mutex::default() }
    }

    /// The pool with this trust, made on first use.
    pub(super) fn trusting(&self, trust: Trust) -> Result<Pool, String> {
        let mut open = self.open.lock();
        if let Some(pool) = open.get(&trust) {
            return Ok(pool.clone());
        }
        let mut options = ConnectorOptions::new(self.idle);
        options.ca_file = match &trust {
            Trust::Nobody => Some(NO_AUTHORITIES.to_owned()),
            Trust::System => None,
            Trust::File(path, _) => Some(path.clone()),
        };
        // pingora unwraps inside when a certificate cannot be read; a bad file must not end the process on a reload.
        let connector = catch_unwind(AssertUnwindSafe(|| Connector::new(Some(options))))
            .map_err(|_| format!("the certificate authorities of {trust:?} cannot be loaded"))?;
        let mut hasher = DefaultHasher::new();
        trust.hash(&mut hasher);
        let idle = Arc::new(Idle::new(self.idle));
        let pool = Pool { connector: Arc::new(connector), idle, key: hasher.finish() };
        open.insert(trust, pool.clone());
        Ok(pool)
    }

    /// Lets go of idle connections that have ended, for as long as anybody holds the pools.
    pub async fn keep_swept(pools: Weak<Self>) {
        loop {
            tokio::time::sleep(SWEEP_EVERY).await;
            let Some(pools) = pools.upgrade() else { return };
            let idle: Vec<_> = pools.open.lock().values().map(|pool| Arc::clone(&pool.idle)).collect();
            idle.iter().for_each(|idle| idle.sweep(Instant::now()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstreams_of_one_trust_share_a_pool() {
        let pools = Pools::new(8);
        let one = pools.trusting(Trust::Nobody).unwrap();
        let two = pools.trusting(Trust::of(false, Some(Path::new("/nowhere"))).unwrap()).unwrap();
        assert!(Arc::ptr_eq(&one.connector, &two.connector));
    }

    #[test]
    fn a_bad_authority_file_is_an_error_and_no_panic() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca.pem");
        assert!(Trust::of(true, Some(&path)).unwrap_err().contains("cannot read"));
        std::fs::write(&path, "hello").unwrap();
        assert!(Trust::of(true, Some(&path)).unwrap_err().contains("no PEM certificate"));
        std::fs::write(&path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        let trust = Trust::of(true, Some(&path)).unwrap();
        assert!(Pools::new(8).trusting(trust).is_err());
    }
}
