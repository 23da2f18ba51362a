//! The verbs of the language half, as people and builds meet them: the real binary in workspaces of its own.
//!
//! One file alone: `cargo test --test verbs cli_check`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

#[path = "../place/mod.rs"]
mod place;
#[path = "../policies/mod.rs"]
mod policies;

mod cases;
mod cli;
mod cli_check;
mod diff_verb;
mod graph;
mod observed;
mod record;
mod test_verb;
