//! `wayside.yaml`: what this sidecar listens on, whom it may call and with which keys.
//!
//! In: YAML text and the environment. Out: [`Config`], in which every default is filled in and every secret is read; the
//! part that the language tools read too is [`check::Project`]. Must not know: policies, sockets.
//!
//! Two types: [`raw`] is what was typed, `Config` is what it means.

#[cfg(feature = "serve")]
mod address;
#[cfg(feature = "serve")]
mod auth;
mod base_url;
mod breakers;
mod cache;
pub mod check;
#[cfg(feature = "serve")]
mod cloud;
mod delivery;
#[cfg(feature = "serve")]
mod key_file;
mod keys;
mod known;
mod limits;
#[cfg(feature = "serve")]
mod meant;
#[cfg(feature = "serve")]
mod pem;
#[cfg(feature = "serve")]
mod provider;
mod raw;
mod secret;
mod spool;
#[cfg(feature = "serve")]
mod translation;
#[cfg(feature = "serve")]
mod tunnel;

#[cfg(feature = "serve")]
pub use auth::{Auth, Entra, SigV4};
#[cfg(feature = "serve")]
pub use cloud::Cloud;
#[cfg(feature = "serve")]
pub use delivery::{Delivery, Sink};
#[cfg(feature = "serve")]
pub use key_file::ServiceAccount;
#[cfg(feature = "serve")]
pub use meant::{Config, Environment, Fixed, Identity, Listen, RequestLog};
#[cfg(feature = "serve")]
pub use pem::{ClientCertificate, Pem};
#[cfg(feature = "serve")]
pub use provider::{OutputCap, Provider};
#[cfg(feature = "serve")]
pub use tunnel::Tunnel;

pub use base_url::BaseUrl;
pub use breakers::{BreakerSettings, MAX_WINDOW};
pub use cache::CacheSettings;
pub use known::{Known, ProviderKind, shared_fates};
pub use limits::Limits;
pub use secret::Secret;
pub use spool::SpoolSettings;

/// What is wrong with a configuration, one line each, in page order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<String>);

impl std::fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for ConfigErrors {}

impl From<String> for ConfigErrors {
    fn from(error: String) -> Self {
        Self(vec![error])
    }
}
