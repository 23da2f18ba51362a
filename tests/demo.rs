//! `wayside demo`, as a newcomer runs it.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn demo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wayside"));
    command.arg("demo").args(arguments);
    command
}

fn once(arguments: &[&str]) -> (Output, String) {
    let output = demo(arguments).arg("--once").output().unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    (output, text)
}

#[test]
fn every_request_goes_as_the_policy_says() {
    let (output, text) = once(&[]);
    assert_eq!(output.status.code(), Some(0), "{text}");
    for shown in [
        "✗ anthropic/claude-sonnet-5",
        "overload (503)",
        "✓ openai/gpt-5.4-2026-03-05",
        "✓ template untagged",
        "rejects  413",
        "events, the first after",
        "Paying customers keep the promised tier",
        "All 7 requests went as the policy says: 4 by the first choice, 1 by a fallback, 1 by a template, 1 refused by a rule.",
    ] {
        assert!(text.contains(shown), "`{shown}` is missing in\n{text}");
    }
    assert!(text.matches(" ms · $0.").count() >= 5, "times and costs:\n{text}");
    assert!(!text.contains('\x1b'), "colors only on a terminal");
    let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(widest <= 120, "{widest} columns");
}

#[test]
fn a_provider_that_fails_throughout_is_survived() {
    let (output, text) = once(&["--fail", "anthropic"]);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("1 by the first choice, 4 by a fallback"), "{text}");
    let (output, text) = once(&["--fail", "anthropic", "--fail", "openai"]);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("6 by a template, 1 refused"), "{text}");
}

#[test]
fn a_provider_nobody_knows_is_named_with_those_there_are() {
    let (output, _) = once(&["--fail", "opnai"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("`opnai`") && said.contains("anthropic, openai, mistral"), "{said}");
}

#[test]
fn it_stays_up_for_visitors_and_leaves_nothing_behind() {
    let mut child = demo(&[]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut said = String::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    while !said.contains("Ctrl-C") {
        assert!(lines.read_line(&mut said).unwrap() > 0, "it ended:\n{said}");
    }
    let proxy = said.split("curl -i http://").nth(1).unwrap().split('/').next().unwrap();
    let mut stream = TcpStream::connect(proxy).unwrap();
    let body = r#"{"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}"#;
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-wayside-tenant: acme\r\nconnection: close\r\n";
    write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("x-wayside-rule: paying"), "{answer}");

    let policy = said.split("policy   ").nth(1).unwrap().split("  ").next().unwrap();
    let policy = Path::new(policy).to_owned();
    assert!(policy.exists(), "{}", policy.display());
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(!policy.parent().unwrap().exists());
}
