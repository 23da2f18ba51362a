//! Wayside: a sidecar proxy that makes every LLM call a policy decision.

pub mod catalog;
pub mod cli;
pub mod config;
pub mod failure;
pub mod names;
pub mod policy;
#[cfg(feature = "serve")]
pub mod telemetry;
pub mod units;
pub mod usage;
