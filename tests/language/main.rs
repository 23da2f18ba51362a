//! The language as a library: text, trees, proofs, reports. One program, because linking takes longer than most of its tests.
//!
//! One file alone: `cargo test --test language prove_chains`.
#![allow(clippy::duplicate_mod, reason = "the bodies of the fuzz targets bring their own generators")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

#[path = "../evidence/mod.rs"]
mod evidence;
#[path = "../generate/mod.rs"]
mod generate;
#[path = "../policies/mod.rs"]
mod policies;

mod catalog;
mod ci;
mod decide;
mod diff;
mod format;
mod fuzzing;
mod model_literals;
mod moving;
mod pages;
mod print_parse;
mod prove;
mod prove_chains;
mod reach;
mod render;
mod render_reports;
mod resolve;
mod resolve_properties;
mod shipped_policies;
mod syntax;
mod syntax_properties;
mod test_star;
mod witnesses;
