//! Requests for embeddings that Gemini answers, held against transcripts: `tests/embeddings/gemini/<case>/`.
//!
//! A case is what the official SDK sends (`request.json`) and what Gemini answers (`upstream_response.json`). Everything else is
//! written by `WAYSIDE_BLESS=1 cargo test --test embeddings`; read the difference.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use wayside::dialect::Dialect;
use wayside::dialect::caller_error::CallerError;
use wayside::dialect::embeddings::{gemini, request};

/// The model that answers.
const MODEL: &str = "gemini-embedding-001";
/// Our own count of every prompt, for answers that name none.
const COUNTED: u64 = 7;

fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/embeddings/gemini");
    let mut cases: Vec<_> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

/// What a case comes to: a file's name and its value.
fn made(case: &Path) -> Vec<(&'static str, Value)> {
    let value = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
    let body = fs::read(case.join("request.json")).unwrap();
    let ask = request::scan(&body).unwrap();
    let sent = match gemini::request(&body, &ask, MODEL) {
        Ok(sent) => value(&sent),
        Err(bad) => {
            let error = CallerError::from(bad);
            let refused = json!({"status": error.status, "body": value(error.body(Dialect::Chat).as_bytes())});
            return vec![("refused.json", refused)];
        }
    };
    let answer = fs::read(case.join("upstream_response.json")).unwrap();
    let mut made = vec![("upstream_request.json", sent)];
    match gemini::answer(&answer, &ask, MODEL, COUNTED) {
        Ok(answered) => {
            made.push(("client_response.json", value(&answered.body)));
            made.push(("usage.json", serde_json::to_value(answered.usage).unwrap()));
        }
        Err(error) => made.push(("failure.json", json!({"failure": error.failure, "message": error.message}))),
    }
    made
}

#[test]
fn every_case_comes_to_what_its_files_say() {
    let cases = cases();
    assert!(!cases.is_empty());
    for case in cases {
        for (file, made) in made(&case) {
            let path = case.join(file);
            if std::env::var_os("WAYSIDE_BLESS").is_some() {
                fs::write(&path, format!("{made:#}\n")).unwrap();
            }
            let there =
                fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; it would be\n{made:#}", path.display()));
            assert_eq!(serde_json::from_slice::<Value>(&there).unwrap(), made, "{}", path.display());
        }
    }
}
