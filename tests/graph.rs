//! `wayside graph`: every notation is held to a file, and read as a parser of it would.
//!
//! A file of `tests/corpus/graph` is a case: its first line are the arguments, the rest is what comes out.
//! `WAYSIDE_BLESS=1 cargo test --test graph` writes the expectations anew; read the difference.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Every test judges dates on this day, so that none of them ages.
const TODAY: &str = "2026-11-22";

fn graph(dir: &Path, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wayside"));
    let ran = command.args(["graph", "--today", TODAY]).args(args).current_dir(dir).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (ran.status.code().unwrap_or(-1), text(ran.stdout), text(ran.stderr))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// Hashes change with every fact of the catalog.
fn without_hash(text: &str) -> String {
    match text.split_once("sha256:") {
        None => text.to_owned(),
        Some((before, after)) => {
            format!("{before}sha256:...{}", after.trim_start_matches(|c: char| c.is_ascii_hexdigit()))
        }
    }
}

#[test]
fn every_case_of_the_corpus_comes_out_as_written() {
    let corpus = root().join("tests/corpus/graph");
    let mut cases: Vec<PathBuf> = fs::read_dir(&corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.extension().is_some_and(|end| end == "txt"));
    cases.sort();
    assert!(cases.len() >= 8, "{}", cases.len());
    let mut wrong = Vec::new();
    for case in cases {
        let text = fs::read_to_string(&case).unwrap();
        let (arguments, expected) = text.split_once('\n').unwrap();
        let (code, out, err) = graph(&corpus, &arguments.split_whitespace().collect::<Vec<_>>());
        let actual = without_hash(&format!("{out}{err}exit code {code}\n"));
        if std::env::var_os("WAYSIDE_BLESS").is_some() {
            fs::write(&case, format!("{arguments}\n{actual}")).unwrap();
        } else if actual != expected {
            wrong.push(format!("{}\n--- expected\n{expected}--- actual\n{actual}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Text outside of quoted strings, which end where they begin.
fn outside_quotes(text: &str) -> String {
    let (mut out, mut inside, mut escaped) = (String::new(), false, false);
    for letter in text.chars() {
        match (inside, letter) {
            (true, _) if escaped => escaped = false,
            (true, '\\') => escaped = true,
            (_, '"') => inside = !inside,
            (true, '\n') => panic!("a string goes over the end of its line:\n{text}"),
            (true, _) => {}
            (false, other) => out.push(other),
        }
    }
    assert!(!inside, "a string is open at the end:\n{text}");
    out
}

#[test]
fn every_arrow_of_a_shipped_policy_leads_between_boxes_that_are_there() {
    let policies = root().join("policies");
    let corpus = root().join("tests/corpus/diff/support_desk");
    for (dir, policy) in [(&policies, "support.route"), (&policies, "demo.route"), (&corpus, "support_desk.route")] {
        for reduced in [false, true] {
            let with = |format| {
                let mut args = vec!["--format", format, policy];
                args.extend(reduced.then_some("--reduced"));
                let (code, out, err) = graph(dir, &args);
                assert_eq!(code, 0, "{policy}: {err}");
                out
            };
            let dot = outside_quotes(&with("dot"));
            assert!(dot.starts_with("digraph ") && dot.trim_end().ends_with('}'), "{dot}");
            assert_eq!(dot.matches('{').count(), dot.matches('}').count(), "{dot}");
            let lines = || dot.lines().map(str::trim);
            let declared: BTreeSet<&str> = lines()
                .filter(|line| line.starts_with(['n', 't']))
                .filter_map(|line| line.split_once(" [label="))
                .map(|(name, _)| name)
                .filter(|name| !name.contains("->"))
                .collect();
            let mut arrows = 0;
            for (from, rest) in lines().filter_map(|line| line.split_once(" -> ")) {
                let to = rest.split([' ', ';']).next().unwrap();
                assert!(declared.contains(from) && declared.contains(to), "{policy}: {from} -> {to}");
                arrows += 1;
            }
            assert!(arrows > 3, "{policy}: {dot}");
            let mermaid = with("mermaid");
            let boxes: BTreeSet<&str> = mermaid
                .lines()
                .filter(|line| !line.contains("->"))
                .filter_map(|line| line.trim().split(['[', '(', '{']).next())
                .collect();
            for line in mermaid.lines().map(str::trim).filter(|line| line.contains("->")) {
                let (from, to) = (line.split(' ').next().unwrap(), line.rsplit(' ').next().unwrap());
                assert!(boxes.contains(from) && boxes.contains(to), "{policy}: {line}");
                assert!(line.matches('"').count() % 2 == 0, "{line}");
            }
            let json: serde_json::Value = serde_json::from_str(&with("json")).unwrap();
            assert_eq!(json["command"], "graph");
        }
    }
}
