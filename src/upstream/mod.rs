//! Bytes to a provider and back, on pooled connections.
//!
//! In: a [`Provider`](crate::config::Provider) and a request body. Out: an [`Answer`] whose body is read piece by piece, or a
//! [`CallError`] that says how far the call got. Must not know: policies, chains, what a body means.
//!
//! pingora is named here and in [`crate::serve`] alone.

mod attempt;
mod connector;
mod grant;
mod identity;
mod idle;
mod peers;
pub mod sigv4;
mod tokens;
mod tunnel;
mod wire;

pub use attempt::{Answer, CallError, Reached};
pub use connector::Pools;
pub use peers::{Call, Upstream};
