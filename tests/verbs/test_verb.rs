//! `wayside test`: every form of `expect` passes where it should and fails where it should.
//!
//! `tests/corpus/test` holds files of tests. Those whose name begins with `wrong:` must fail, all others must pass.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cases;
use crate::place::run_in;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/test")
}

/// Names and statuses of a run, from its JSON.
fn statuses(out: &str) -> Vec<(String, Option<u64>, bool)> {
    let document: serde_json::Value = serde_json::from_str(out).unwrap();
    let tests = document["tests"].as_array().unwrap().iter();
    let one = |test: &serde_json::Value| {
        let passed = match test["status"].as_str().unwrap() {
            "passed" => true,
            "failed" => false,
            other => panic!("a third status: {other}"),
        };
        (test["name"].as_str().unwrap().to_owned(), test["row"].as_u64(), passed)
    };
    tests.map(one).collect()
}

fn files() -> Vec<String> {
    let names = fs::read_dir(corpus()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".test.route")).collect();
    names.sort();
    names
}

#[test]
fn every_file_gives_the_same_bytes_twice_and_the_format_never_changes_the_code() {
    let files = files();
    assert!(!files.is_empty(), "no files");
    for file in files {
        let ran = run_in(&corpus(), &["test", &file]);
        assert_eq!(ran.err, "", "{file}");
        for format in ["json", "junit"] {
            assert_eq!(run_in(&corpus(), &["test", "--format", format, &file]).code, ran.code, "{file} {format}");
        }
        assert_eq!(run_in(&corpus(), &["test", &file]).out, ran.out, "{file}: twice the same bytes");
    }
}

/// `golden/NAME.txt`: arguments in the first line, below it what is printed and the exit code. `WAYSIDE_BLESS=1` writes them anew.
#[test]
fn what_is_printed_is_as_written() {
    cases::hold(&corpus().join("golden"), 6, |_, words| cases::printed(&corpus(), &[], words));
}

#[test]
fn what_must_fail_fails_and_what_must_pass_passes() {
    for file in files() {
        let ran = run_in(&corpus(), &["test", "--format", "json", &file]);
        let tests = statuses(&ran.out);
        let wrong: Vec<_> = tests.iter().filter(|(name, _, passed)| name.starts_with("wrong:") == *passed).collect();
        assert!(wrong.is_empty(), "{file}: {wrong:?}");
        let fails = tests.iter().any(|(.., passed)| !passed);
        assert_eq!(ran.code, i32::from(fails), "{file}");
    }
}

#[test]
fn every_form_of_expect_has_a_case_that_holds_and_one_that_does_not() {
    let ran = run_in(&corpus(), &["test", "--format", "json", "forms.test.route"]);
    let document: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let forms = [
        "rule",
        "reject",
        "tier",
        "not_tier",
        "snapshot",
        "chain",
        "skips",
        "served_by",
        "degrade",
        "cut",
        "cache",
        "reads",
        "cost",
        "time",
    ];
    for form in forms {
        for status in ["passed", "failed"] {
            let has = document["tests"].as_array().unwrap().iter().any(|test| {
                test["status"] == status && test["expected"].as_object().is_some_and(|said| said.contains_key(form))
            });
            assert!(has, "no test of `{form}` that {status}");
        }
    }
}

#[test]
fn a_failed_test_says_what_is_so_and_why() {
    let ran = run_in(&corpus(), &["test", "--format", "json", "forms.test.route"]);
    let document: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let tests = document["tests"].as_array().unwrap();
    for test in tests {
        let failed = test["status"] == "failed";
        assert_eq!(test["explain"].is_object(), failed, "{test:#}");
        assert_eq!(test["span"]["file"], "forms.test.route");
    }
    let total = tests.len() as u64;
    assert_eq!(document["summary"]["total"], total);
    let failed = document["summary"]["failed"].as_u64().unwrap();
    assert_eq!(document["summary"]["passed"], total - failed);
}

#[test]
fn the_tests_of_a_support_desk_its_european_side_and_its_nights_pass() {
    let ran = run_in(&corpus().join("examples"), &["test"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    assert!(ran.out.contains("23 tests: 23 passed, 0 failed"), "{}", ran.out);
}

#[test]
fn the_shipped_tests_pass_the_gate_that_the_shipped_jobs_have() {
    let args = ["test", "--coverage", "--fail-under", "90", "policies"];
    let ran = run_in(Path::new(env!("CARGO_MANIFEST_DIR")), &args);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    assert!(ran.out.contains(" passed, 0 failed"), "{}", ran.out);
    // Every rule of every one, and no policy below the gate.
    for line in ran.out.lines().filter(|line| line.starts_with("  rules ")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[1], words[3], "{line}");
    }
    let totals = ran.out.lines().filter_map(|line| line.trim().strip_prefix("total"));
    let totals: Vec<f64> = totals.map(|total| total.trim().trim_end_matches('%').parse().unwrap()).collect();
    assert!(totals.len() >= 6 && totals.iter().all(|total| *total >= 90.0), "{totals:?}");
}

#[test]
fn what_cannot_be_done_answers_2_and_what_is_empty_answers_as_asked() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("wayside.yaml"), "").unwrap();
    let ran = run_in(place.path(), &["test"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "no tests\n"));
    assert_eq!(run_in(place.path(), &["test", "--fail-on-empty"]).code, 1);
    let ran = run_in(place.path(), &["test", "nowhere.test.route"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("`nowhere.test.route` cannot be read"), "{}", ran.err);
    for format in ["json", "junit"] {
        let ran = run_in(place.path(), &["test", "--format", format]);
        assert_eq!(ran.code, 0);
        assert!(ran.out.starts_with(if format == "json" { "{" } else { "<?xml" }), "{}", ran.out);
    }
}

#[test]
fn a_policy_that_decides_nothing_fails_all_its_tests() {
    let place = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(place.path().join(name), text).unwrap();
    write("wayside.yaml", "");
    write("p.route", "route 1\ntier mid { openai/gpt-5.4 }\nrule r { tier mid }\n");
    write("p.test.route", "route 1\nuse \"p.route\"\ntest \"one\" {\n  request { plan pro }\n  expect rule r\n}\n");
    let ran = run_in(place.path(), &["test"]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("error[R201]") && ran.out.contains("1 test: 0 passed, 1 failed"), "{}", ran.out);
}

#[test]
fn a_row_that_cannot_be_read_is_a_failure() {
    let place = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(place.path().join(name), text).unwrap();
    write("wayside.yaml", "");
    write(
        "p.route",
        "route 1\ntier mid { openai/gpt-5.4-2026-03-05, anthropic/claude-sonnet-5 }\notherwise { tier mid }\n",
    );
    let rows = "  table prompt_tokens -> rule {\n    2k -> otherwise\n    4k -> otherwise more\n  }\n";
    write("p.test.route", &format!("route 1\nuse \"p.route\"\ntest \"rows\" {{\n{rows}}}\n"));
    let ran = run_in(place.path(), &["test"]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("2 tests: 1 passed, 1 failed"), "{}", ran.out);
    assert!(ran.out.contains("this row has 2 cells right of `->`"), "{}", ran.out);
}
