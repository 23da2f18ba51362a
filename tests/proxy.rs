//! The proxy in process, against the simulator, over real sockets.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

#[path = "proxy/client.rs"]
mod client;
#[path = "proxy/rig.rs"]
mod rig;
#[path = "proxy/scripted.rs"]
mod scripted;

#[path = "proxy/accounting.rs"]
mod accounting;
#[path = "proxy/bad_input.rs"]
mod bad_input;
#[path = "proxy/binary.rs"]
mod binary;
#[path = "proxy/caching.rs"]
mod caching;
#[path = "proxy/delivering.rs"]
mod delivering;
#[path = "proxy/dialect_faults.rs"]
mod dialect_faults;
#[path = "proxy/dialects.rs"]
mod dialects;
#[path = "proxy/falling_back.rs"]
mod falling_back;
#[path = "proxy/faults.rs"]
mod faults;
#[path = "proxy/hedging.rs"]
mod hedging;
#[path = "proxy/holding.rs"]
mod holding;
#[path = "proxy/hosted.rs"]
mod hosted;
#[path = "proxy/lifecycle.rs"]
mod lifecycle;
#[path = "proxy/limits.rs"]
mod limits;
#[path = "proxy/load.rs"]
mod load;
#[path = "proxy/outage.rs"]
mod outage;
#[path = "proxy/patience.rs"]
mod patience;
#[path = "proxy/queueing.rs"]
mod queueing;
#[path = "proxy/redis.rs"]
mod redis;
#[path = "proxy/replaying.rs"]
mod replaying;
#[path = "proxy/resuming.rs"]
mod resuming;
#[path = "proxy/shapes.rs"]
mod shapes;
#[path = "proxy/streams.rs"]
mod streams;
#[path = "proxy/waiting.rs"]
mod waiting;
