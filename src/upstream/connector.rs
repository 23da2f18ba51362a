//! Pools of connections, one for each set of trusted certificate authorities and each client certificate.
//!
//! In: what a provider says about TLS. Out: pingora connectors. Must not know: what is sent.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::Instant;

use parking_lot::Mutex;
use pingora::connectors::ConnectorOptions;
use pingora::connectors::http::Connector;

use super::idle::{Idle, SWEEP_EVERY};
use crate::config::{ClientCertificate, Pem, Provider};

/// Holds no certificate: upstreams without TLS need no trust store, and the system's costs time and memory to load.
const NO_AUTHORITIES: &str = "/dev/null";

/// Every pool of this process. It outlives configurations, so that a reload keeps warm connections.
pub struct Pools {
    /// Idle connections kept, for each pool.
    idle: usize,
    open: Mutex<HashMap<Security, Pool>>,
}

/// Connections that trust the same authorities and were opened as the same client.
#[derive(Clone)]
pub(super) struct Pool {
    /// Opens connections, and shares those of HTTP/2.
    pub connector: Arc<Connector>,
    /// Those of HTTP/1 that wait for their next call.
    pub idle: Arc<Idle>,
    /// Part of the reuse key of every connection: pingora's own leaves the trust store and the connector's certificate out.
    pub key: u64,
}

/// Whom a pool trusts, and as whom it calls. Files are here with their content, so that a changed file makes a new pool.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Security {
    /// Nobody is asked, and nobody asks: no TLS.
    Open,
    /// TLS.
    Tls {
        /// Trusted instead of the system's authorities.
        authorities: Option<Pem>,
        /// Shown to a server that asks.
        client: Option<ClientCertificate>,
    },
}

impl Security {
    /// What a provider needs.
    pub fn of(provider: &Provider) -> Self {
        if !provider.base_url.tls {
            return Self::Open;
        }
        Self::Tls { authorities: provider.authorities.clone(), client: provider.client_certificate.clone() }
    }

    fn options(&self, idle: usize) -> Result<ConnectorOptions, String> {
        let mut options = ConnectorOptions::new(idle);
        match self {
            Self::Open => options.ca_file = Some(NO_AUTHORITIES.to_owned()),
            Self::Tls { authorities, client } => {
                options.ca_file = authorities.as_ref().map(path).transpose()?;
                let files =
                    |client: &ClientCertificate| Ok::<_, String>((path(&client.certificate)?, path(&client.key)?));
                options.cert_key_file = client.as_ref().map(files).transpose()?;
            }
        }
        Ok(options)
    }
}

fn path(pem: &Pem) -> Result<String, String> {
    pem.path().to_str().map(str::to_owned).ok_or_else(|| format!("`{}` is not UTF-8", pem.path().display()))
}

impl Pools {
    /// Pools that keep up to `idle` connections each.
    pub fn new(idle: usize) -> Self {
        Self { idle, open: Mutex::default() }
    }

    /// The pool of this kind, made on first use.
    pub(super) fn with(&self, security: Security) -> Result<Pool, String> {
        let mut open = self.open.lock();
        if let Some(pool) = open.get(&security) {
            return Ok(pool.clone());
        }
        let options = security.options(self.idle)?;
        // pingora unwraps inside when a certificate cannot be read; a bad file must not end the process on a reload.
        let connector = catch_unwind(AssertUnwindSafe(|| Connector::new(Some(options))))
            .map_err(|_| format!("the certificates cannot be used, or the key is another one's: {security:?}"))?;
        let mut hasher = DefaultHasher::new();
        security.hash(&mut hasher);
        let idle = Arc::new(Idle::new(self.idle));
        let pool = Pool { connector: Arc::new(connector), idle, key: hasher.finish() };
        open.insert(security, pool.clone());
        Ok(pool)
    }

    /// Forgets pools that no upstream uses any more: their certificates were replaced.
    fn forget_unused(&self) {
        self.open.lock().retain(|_, pool| Arc::strong_count(&pool.connector) > 1);
    }

    /// Lets go of idle connections that have ended, and of pools that nobody uses, for as long as anybody holds the pools.
    pub async fn keep_swept(pools: Weak<Self>) {
        loop {
            tokio::time::sleep(SWEEP_EVERY).await;
            let Some(pools) = pools.upgrade() else { return };
            pools.forget_unused();
            let idle: Vec<_> = pools.open.lock().values().map(|pool| Arc::clone(&pool.idle)).collect();
            idle.iter().for_each(|idle| idle.sweep(Instant::now()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusting(text: &str) -> (tempfile::NamedTempFile, Security) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let authorities = Some(Pem::new(file.path().to_owned(), text));
        (file, Security::Tls { authorities, client: None })
    }

    #[test]
    fn upstreams_of_one_trust_share_a_pool_which_is_forgotten_with_them() {
        let pools = Pools::new(8);
        let (one, two) = (pools.with(Security::Open).unwrap(), pools.with(Security::Open).unwrap());
        assert!(Arc::ptr_eq(&one.connector, &two.connector));
        let (_file, other) = trusting("");
        assert_ne!(pools.with(other).unwrap().key, one.key);
        pools.forget_unused();
        assert_eq!(pools.open.lock().len(), 1);
        drop((one, two));
        pools.forget_unused();
        assert!(pools.open.lock().is_empty());
    }

    #[test]
    fn a_bad_authority_file_is_an_error_and_no_panic() {
        let (file, bad) = trusting("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        let error = Pools::new(8).with(bad).err().unwrap();
        assert!(error.contains(file.path().to_str().unwrap()), "{error}");
    }
}
