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

/// A policy of `tests/sdk` and the faults behind it.
type Scene = (&'static str, &'static str);

const OPENAI: Scene = (include_str!("sdk/policy.route"), include_str!("sdk/faults.yaml"));
const GOOGLE: Scene = (include_str!("sdk/gemini.route"), include_str!("sdk/gemini.yaml"));
const ANTHROPIC: Scene = (include_str!("sdk/messages.route"), include_str!("sdk/messages.yaml"));
/// An upstream of every dialect; the scripts say what fails.
const MATRIX: Scene = (include_str!("sdk/matrix.route"), "");
/// Bedrock speaks its own dialect without being told.
const DIALECTS: &[(&str, &str)] = &[("xai", "responses")];

/// The sidecar of a scene, and a command that knows where it is.
fn run(scene: Scene, command: Command) {
    run_with(scene, &[], "", command);
}

/// Failures that are asked for open no breaker; what opens one at once does, and the next success closes it.
const NO_BREAKER: &str = "breakers: {attempts: 100000}\n";

/// The same with an upstream of every dialect.
fn run_matrix(command: Command) {
    run_with(MATRIX, DIALECTS, NO_BREAKER, command);
}

/// With providers that speak another dialect than usual, and more lines of configuration.
fn run_with((policy, faults): Scene, dialects: &[(&str, &str)], more: &str, mut command: Command) {
    let sidecar = Sidecar::start(policy, faults, dialects, more);
    command.env("WAYSIDE_URL", sidecar.url()).env("SIMULATOR_URL", sidecar.simulator_url());
    // A proxy of the machine would take loopback requests elsewhere.
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        command.env_remove(name);
    }
    succeeds(command, || end_of(&sidecar.log()));
}

fn succeeds(mut command: Command, why: impl Fn() -> String) {
    let output = command.output().unwrap();
    let shown = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&shown), why());
}

/// Enough of a long log to see what went wrong last.
fn end_of(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

fn python(script: &str) -> Command {
    let mut command = Command::new(installed("python/bin/python"));
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk").join(script));
    // Some scripts import others, and nothing is left behind in the source tree.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

fn node(script: &str) -> Command {
    let mut command = Command::new("node");
    command.args(["--test", &format!("tests/sdk/{script}")]).current_dir(env!("CARGO_MANIFEST_DIR"));
    command.env("SDK_PACKAGES", installed("node"));
    command
}

#[test]
fn the_openai_sdk_for_python_runs_unchanged() {
    run(OPENAI, python("test_openai.py"));
}

#[test]
fn the_openai_sdk_for_node_runs_unchanged() {
    run(OPENAI, node("openai.test.mjs"));
}

/// Translated to Chat Completions, and as it came.
const OF_RESPONSES: [&[(&str, &str)]; 2] = [&[], &[("openai", "responses")]];

#[test]
fn callers_of_responses_in_python_run_unchanged() {
    for dialects in OF_RESPONSES {
        run_with(OPENAI, dialects, "", python("test_openai_responses.py"));
    }
}

#[test]
fn callers_of_responses_in_node_run_unchanged() {
    for dialects in OF_RESPONSES {
        run_with(OPENAI, dialects, "", node("openai_responses.test.mjs"));
    }
}

#[test]
fn callers_of_embeddings_run_unchanged() {
    run(OPENAI, python("test_openai_embeddings.py"));
    run(OPENAI, node("openai_embeddings.test.mjs"));
}

#[test]
fn the_anthropic_sdk_for_python_runs_unchanged() {
    run(ANTHROPIC, python("test_anthropic.py"));
}

#[test]
fn the_anthropic_sdk_for_node_runs_unchanged() {
    run(ANTHROPIC, node("anthropic.test.mjs"));
}

#[test]
fn the_google_sdk_for_python_runs_unchanged() {
    run(GOOGLE, python("test_google_genai.py"));
}

#[test]
fn every_upstream_serves_the_openai_sdk_for_python() {
    run_matrix(python("matrix_openai.py"));
}

#[test]
fn every_upstream_serves_the_openai_sdk_for_node() {
    run_matrix(node("matrix_openai.test.mjs"));
}

#[test]
fn every_upstream_serves_the_anthropic_sdk_for_python() {
    run_matrix(python("matrix_anthropic.py"));
}

#[test]
fn every_upstream_serves_the_anthropic_sdk_for_node() {
    run_matrix(node("matrix_anthropic.test.mjs"));
}

#[test]
fn every_upstream_serves_the_google_sdk_for_python() {
    run_matrix(python("matrix_google.py"));
}

#[test]
fn every_upstream_serves_the_google_sdk_for_node() {
    run_matrix(node("matrix_google.test.mjs"));
}

/// Room for one request, and none to wait.
const NO_ROOM: &str = "limits: {concurrent: 1, waiting: 0}\n";

#[test]
fn a_client_without_a_place_comes_again() {
    run_with(MATRIX, DIALECTS, NO_ROOM, python("test_busy.py"));
    run_with(MATRIX, DIALECTS, NO_ROOM, node("busy.test.mjs"));
}

#[test]
fn langchain_crosses_dialects() {
    run_matrix(python("test_langchain.py"));
}

#[test]
fn the_vercel_ai_sdk_crosses_dialects() {
    run_matrix(node("vercel.test.mjs"));
}

#[test]
fn curl_crosses_dialects_with_the_demos_policy() {
    let sidecar = Sidecar::start(include_str!("../policies/demo.route"), "", &[], "");
    let mut command = Command::new("sh");
    command.args(["examples/crossing.sh", sidecar.url()]).current_dir(env!("CARGO_MANIFEST_DIR"));
    command.env("no_proxy", "127.0.0.1");
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", end_of(&sidecar.log()));
    let (chat, messages) = said.split_once("# An Anthropic body").unwrap();
    assert!(chat.contains("\"chat.completion.chunk\"") && chat.contains("\"model\":\"claude-sonnet-5\""), "{chat}");
    assert!(chat.ends_with("data: [DONE]\n\n") && chat.matches("data: ").count() > 5, "{chat}");
    assert!(messages.contains("event: message_start") && messages.contains("\"model\":\"gpt-5.4-mini-"), "{messages}");
    assert!(messages.contains("event: message_stop") && messages.matches("text_delta").count() > 5, "{messages}");
}

#[test]
fn what_is_written_has_the_types_of_the_sdks() {
    for script in ["shapes_openai.py", "shapes_anthropic.py", "shapes_google.py"] {
        succeeds(python(script), String::new);
    }
}
