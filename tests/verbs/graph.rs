//! `wayside graph`: every notation is held to a file, and read as a parser of it would.
//!
//! A file of `tests/corpus/graph` is a case: its first line are the arguments, the rest is what comes out.
//! `WAYSIDE_BLESS=1 cargo test --test verbs graph` writes the expectations anew; read the difference.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::cases;
use crate::place::{Ran, TODAY, run_in};

const GRAPH: [&str; 3] = ["graph", "--today", TODAY];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

#[test]
fn every_case_of_the_corpus_comes_out_as_written() {
    let corpus = root().join("tests/corpus/graph");
    cases::hold(&corpus, 8, |_, words| cases::printed(&corpus, &GRAPH, words));
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
                let Ran { code, out, err } = run_in(dir, &[&GRAPH, &*args].concat());
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
