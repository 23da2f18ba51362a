//! Official SDKs, unmodified, against the real binary with the simulator behind it.
//!
//! `sh tests/setup tests` installs them once into `target/sdk`; the tests themselves never leave loopback.

#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

use std::path::{Path, PathBuf};
use std::process::Command;

mod support;

use support::Sidecar;

fn installed(path: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/sdk").join(path);
    assert!(path.exists(), "{} is missing: run `sh tests/setup tests`", path.display());
    path
}

/// The sidecar of `tests/sdk`, and a command that knows where it is.
fn run(mut command: Command) {
    let sidecar = Sidecar::start(include_str!("sdk/policy.route"), include_str!("sdk/faults.yaml"));
    command.env("WAYSIDE_URL", sidecar.url()).env("SIMULATOR_URL", sidecar.simulator_url());
    // A proxy of the machine would take loopback requests elsewhere.
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        command.env_remove(name);
    }
    let output = command.output().unwrap();
    let shown = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&shown), end_of(&sidecar.log()));
}

/// Enough of a long log to see what went wrong last.
fn end_of(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

#[test]
fn the_openai_sdk_for_python_runs_unchanged() {
    let mut command = Command::new(installed("python/bin/python"));
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk/test_openai.py"));
    run(command);
}

#[test]
fn the_openai_sdk_for_node_runs_unchanged() {
    let mut command = Command::new("node");
    command.args(["--test", "tests/sdk/openai.test.mjs"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    command.env("SDK_PACKAGES", installed("node"));
    run(command);
}
