//! Every fuzz target in one program, which is built once; `FUZZ` says which one runs.
#![no_main]

use std::process::exit;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

// The frames belong to the proxy half, which takes minutes to build. Their room stands on nothing of it.
#[path = "../../src/dialect/chunks.rs"]
#[allow(dead_code, reason = "lines of text use the rest")]
mod chunks;
#[path = "../../src/dialect/event_stream.rs"]
#[allow(dead_code, reason = "the proxy uses the rest")]
mod event_stream;

#[path = "bodies/frames.rs"]
mod frames;
#[path = "bodies/policy.rs"]
mod policy;
#[path = "bodies/stream.rs"]
mod stream;
#[path = "bodies/wire.rs"]
mod wire;

static BODY: OnceLock<fn(&[u8])> = OnceLock::new();

fuzz_target!(init: choose(), |bytes: &[u8]| {
    if let Some(body) = BODY.get() {
        body(bytes);
    }
});

/// The body that `FUZZ` names; `list` prints all names.
fn choose() {
    let targets = || policy::TARGETS.iter().chain(&wire::TARGETS).chain(&frames::TARGETS);
    let names: Vec<&str> = targets().map(|(name, _)| *name).collect();
    let wanted = std::env::var("FUZZ").unwrap_or_default();
    if wanted == "list" {
        println!("{}", names.join("\n"));
        exit(0);
    }
    match targets().find(|(name, _)| *name == wanted) {
        Some((_, body)) => drop(BODY.set(*body)),
        None => {
            eprintln!("FUZZ names no target; write one of {}", names.join(", "));
            exit(2);
        }
    }
}
