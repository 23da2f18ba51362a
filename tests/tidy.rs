//! House rules that a machine can hold: which way rooms depend, where an external crate may be named, how long functions and
//! files get, words that must not land. The tables below are the rules; change one only together with `src/lib.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Rooms from the bottom up, and the rooms each may name.
const MAY_USE: &[(&str, &[&str])] = &[
    ("names", &[]),
    ("units", &[]),
    ("failure", &[]),
    ("usage", &[]),
    ("json", &[]),
    ("catalog", &["names", "units", "usage"]),
    ("policy", &["names", "units", "failure", "usage", "json", "catalog"]),
    ("files", &["names", "policy"]),
    ("config", &["names", "units"]),
    ("spool", &["units", "config"]),
    ("workspace", &["names", "catalog", "policy", "files", "config"]),
    ("lsp", &["names", "units", "failure", "catalog", "policy", "files", "config", "workspace"]),
    ("dialect", &["names", "units", "failure", "usage", "json", "catalog", "policy"]),
    ("facts", &["names", "units", "json", "policy", "dialect", "config"]),
    ("cache", &["units", "config"]),
    ("chain", &["names", "units", "failure", "policy", "config"]),
    ("rehearse", &["names", "units", "failure", "catalog", "policy", "chain"]),
    ("upstream", &["names", "units", "failure", "config"]),
    ("telemetry", &["names", "units", "failure", "usage", "json", "policy"]),
    (
        "serve",
        &[
            "names",
            "units",
            "failure",
            "usage",
            "json",
            "catalog",
            "policy",
            "files",
            "config",
            "spool",
            "workspace",
            "dialect",
            "facts",
            "cache",
            "chain",
            "upstream",
            "telemetry",
        ],
    ),
    ("simulate", &["names", "units", "failure"]),
    ("demo", &["names", "units", "catalog", "policy", "config", "serve", "simulate", "telemetry", "usage"]),
    ("cli", &["*"]),
    ("main", &["*"]),
    ("lib", &["*"]),
];

/// Crates that one place owns.
const OWNED: &[(&str, &[&str])] = &[
    ("pest", &["policy/syntax"]),
    ("pest_derive", &["policy/syntax"]),
    ("annotate_snippets", &["policy/render"]),
    ("quick_xml", &["policy/render/xml"]),
    ("pingora", &["serve", "upstream"]),
    ("bpe_openai", &["facts/tokens"]),
    ("jsonschema", &["serve/schema"]),
    ("lru", &["cache", "serve/schema"]),
    ("prometheus", &["telemetry"]),
    ("redis", &["serve/delivery/redis_stream"]),
    ("notify", &["serve/reload"]),
    ("hyper", &["simulate", "demo"]),
    ("hyper_util", &["simulate", "demo"]),
    ("lsp_server", &["lsp"]),
    ("gen_lsp_types", &["lsp"]),
    (
        "percent_encoding",
        &[
            "lsp/uri",
            "config/tunnel",
            "config/address",
            "dialect/gemini/address",
            "dialect/converse/mod",
            "upstream/grant",
            "serve/schema/compile",
            "simulate/endpoint",
            "simulate/gemini",
            "simulate/hosted",
        ],
    ),
    ("aws_smithy_eventstream", &["dialect/event_stream", "simulate/converse"]),
    ("aws_sigv4", &["upstream/sigv4"]),
    ("ring", &["upstream/grant"]),
    ("ureq", &["cli/check/live"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("tokio", &["serve", "upstream", "simulate", "demo", "cli"]),
];

/// Lines of a function before it needs a reason.
const FUNCTION_LINES: usize = 70;
/// What the reason looks like, in a comment above the function.
const FUNCTION_REASON: &str = "Longer than a screen:";
/// Lines of a file, tests left out.
const FILE_LINES: usize = 600;

/// Words that must not land. Each is written in two parts, so that this file is clean.
const FORBIDDEN: &[(&str, &str)] = &[
    ("todo", "!("),
    ("unimplemented", "!("),
    ("dbg", "!("),
    ("FIX", "ME"),
    ("TO", "DO"),
    ("XX", "X"),
    ("/wo", "rk/"),
    ("/ho", "me/"),
];

fn sources(root: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut todo = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(root)];
    while let Some(dir) = todo.pop() {
        let Ok(entries) = fs::read_dir(&dir) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.push((path.clone(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// `src/policy/syntax/mod.rs` is `policy/syntax/mod`.
fn room_path(path: &Path) -> String {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    path.strip_prefix(src).unwrap().with_extension("").to_str().unwrap().to_owned()
}

/// Code without comments and without the unit tests at the end.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let end = text.lines().position(|line| line == "#[cfg(test)]").unwrap_or(usize::MAX);
    text.lines().take(end).enumerate().map(|(at, line)| (at + 1, line.split("//").next().unwrap_or("")))
}

fn fail_if_any(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}\n  {}", found.join("\n  "));
}

#[test]
fn every_file_of_a_test_program_is_a_part_of_it() {
    let files: BTreeMap<PathBuf, String> = sources("tests").into_iter().collect();
    let mut left_out = Vec::new();
    for (main, text) in files.iter().filter(|(path, _)| path.ends_with("main.rs")) {
        let folder = main.parent().unwrap();
        for path in files.keys().filter(|path| path.parent() == Some(folder) && *path != main) {
            let name = path.file_stem().unwrap().to_str().unwrap();
            if !text.contains(&format!("\nmod {name};\n")) {
                left_out.push(path.display().to_string());
            }
        }
    }
    fail_if_any("no `mod` in the `main.rs` beside it, so its tests never run:", &left_out);
}

#[test]
fn rooms_depend_downward_only() {
    let rules: BTreeMap<_, _> = MAY_USE.iter().copied().collect();
    let mut wrong = Vec::new();
    for (path, text) in sources("src") {
        let here = room_path(&path);
        let room = here.split('/').next().unwrap();
        if here == "catalog/build" {
            continue; // a program of its own, run by cargo
        }
        let Some(allowed) = rules.get(room) else {
            wrong.push(format!("{here}: room `{room}` is not in the table of tests/tidy.rs"));
            continue;
        };
        for (line, code) in code(&text) {
            for (_, after) in code.match_indices("crate::").map(|(at, _)| code.split_at(at + 7)) {
                let used: String = after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let fine = used == room || allowed.contains(&"*") || allowed.contains(&used.as_str());
                if rules.contains_key(used.as_str()) && !fine {
                    wrong.push(format!("{here}:{line}: `{room}` names `{used}`"));
                }
            }
        }
    }
    fail_if_any("dependencies point the wrong way:", &wrong);
}

#[test]
fn every_external_crate_has_one_home() {
    let mut wrong = Vec::new();
    for (path, text) in sources("src") {
        let here = room_path(&path);
        for (line, code) in code(&text) {
            for (name, homes) in OWNED {
                let named = code
                    .match_indices(&format!("{name}::"))
                    .any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'));
                if named && !homes.iter().any(|home| here.starts_with(home)) {
                    wrong.push(format!("{here}:{line}: `{name}` belongs to {}", homes.join(", ")));
                }
            }
        }
    }
    fail_if_any("external crates outside their rooms:", &wrong);
}

#[test]
fn functions_fit_a_screen() {
    let mut wrong = Vec::new();
    for (path, text) in sources("src") {
        let here = room_path(&path);
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let body = line.trim_start();
            let indent = line.len() - body.len();
            let words = body.split("fn ").next().unwrap_or(body);
            let starts = body.contains("fn ")
                && words.split_whitespace().all(|word| {
                    word.starts_with("pub") || matches!(word, "async" | "const" | "unsafe" | "crate)" | "super)")
                });
            if !starts || body.ends_with(';') {
                continue;
            }
            let close = format!("{}}}", " ".repeat(indent));
            let Some(length) = lines[at..].iter().position(|line| **line == close) else { continue };
            let reasoned = lines[..at].iter().rev().take(12).any(|line| line.contains(FUNCTION_REASON));
            if length >= FUNCTION_LINES && !reasoned {
                wrong.push(format!("{here}:{}: {} lines: {}", at + 1, length + 1, body));
            }
        }
    }
    fail_if_any(&format!("functions over {FUNCTION_LINES} lines without `// {FUNCTION_REASON} why`:"), &wrong);
}

#[test]
fn files_hold_one_concept() {
    let mut wrong = Vec::new();
    for (path, text) in sources("src") {
        let lines = code(&text).count();
        if lines > FILE_LINES {
            wrong.push(format!("{}: {lines} lines", room_path(&path)));
        }
        let name = path.file_stem().unwrap().to_str().unwrap();
        if matches!(name, "utils" | "util" | "common" | "helpers" | "helper" | "misc" | "manager") {
            wrong.push(format!("{}: `{name}` is not a concept", room_path(&path)));
        }
    }
    fail_if_any(&format!("files over {FILE_LINES} lines, tests left out:"), &wrong);
}

#[test]
fn every_module_says_what_comes_in_and_goes_out() {
    let mut wrong = Vec::new();
    for (path, text) in sources("src") {
        let header: String = text.lines().take_while(|line| line.starts_with("//!")).collect();
        let here = room_path(&path);
        // A verb's own `--help` says what comes in and goes out.
        let says = if here.starts_with("cli/") { !header.is_empty() } else { header.contains("In:") };
        if !matches!(here.as_str(), "lib" | "main") && !says {
            wrong.push(here);
        }
    }
    fail_if_any("modules without a header that says In, Out and what they must not know:", &wrong);
}

#[test]
fn nothing_unfinished_lands() {
    let mut wrong = Vec::new();
    for (path, text) in ["src", "tests", "benches", "examples"].into_iter().flat_map(sources) {
        for (at, line) in text.lines().enumerate() {
            for (first, second) in FORBIDDEN {
                let word = format!("{first}{second}");
                let found = match word.chars().all(char::is_alphabetic) {
                    true => line.split(|c: char| !c.is_alphanumeric()).any(|token| token == word),
                    false => line.contains(&word),
                };
                if found {
                    wrong.push(format!("{}:{}: {}", path.display(), at + 1, line.trim()));
                }
            }
            if line.trim().starts_with("#[ignore") {
                wrong.push(format!("{}:{}: a test that never runs", path.display(), at + 1));
            }
        }
    }
    fail_if_any("words that must not land:", &wrong);
}

#[test]
fn every_dependency_says_why() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let mut wrong = Vec::new();
    let mut inside = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line.contains("dependencies");
        } else if inside && line.contains('=') && !line.starts_with('#') && !line.contains(" # ") {
            wrong.push(line.to_owned());
        }
    }
    fail_if_any("dependencies without a reason on their line:", &wrong);
}
