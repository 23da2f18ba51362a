//! `wayside diff` as people and builds meet it: formats, exit codes, git revisions, bad input.
//!
//! A file of `tests/corpus/diff` is a case: its first line are the arguments, the rest is what comes out.
//! `WAYSIDE_BLESS=1 cargo test --test verbs diff_verb` writes the expectations anew; read the difference.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::cases;
use crate::place::{Ran, TODAY, contains, run_in};

const DIFF: [&str; 3] = ["diff", "--today", TODAY];

fn diff_in(dir: &Path, args: &[&str]) -> Ran {
    run_in(dir, &[&DIFF, args].concat())
}

#[test]
fn every_case_of_the_corpus_comes_out_as_written() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/diff");
    cases::hold(&corpus, 14, |_, words| cases::printed(&corpus, &DIFF, words));
}

#[test]
fn the_edit_of_the_specification_has_its_six_groups_and_their_flags() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/diff/support_desk");
    let ran = diff_in(&corpus, &["--format", "json", "support_desk.route", "chat_fast.route"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let found: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let groups = found["groups"].as_array().unwrap();
    let of = |was: &str| groups.iter().find(|group| group["was"] == was && group["now"] == "chat_fast").unwrap();
    assert_eq!(groups.len(), 6);
    for (was, flags) in [
        ("enterprise", &["downgrade", "loses-person"][..]),
        ("slow_sonnet", &["downgrade", "dead-rule"]),
        ("pro", &["downgrade"]),
        ("pro_over_quota", &["budget-bypassed"]),
        ("incident_economy", &["loses-fallback"]),
        ("tags", &["cost-up=725%"]),
    ] {
        let raised: Vec<&str> =
            of(was)["flags"].as_array().unwrap().iter().map(|flag| flag.as_str().unwrap()).collect();
        assert!(flags.iter().all(|flag| raised.contains(flag)), "{was}: {raised:?}");
    }
    assert_eq!(found["rules"], serde_json::json!({"added": ["chat_fast"], "removed": [], "now_dead": ["slow_sonnet"]}));
    let details = of("incident_economy")["details"].to_string();
    contains(&details, "LOSES FALLBACKS (azure, mistral, vllm)");
}

#[test]
fn recorded_requests_are_counted_by_group() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/diff/edits");
    let ran = diff_in(&corpus, &["--format", "json", "--traffic", "log.jsonl", "before.route", "refuses.route"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let found: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let groups = found["groups"].as_array().unwrap();
    let seen = |was: &str| groups.iter().find(|group| group["was"] == was).unwrap()["replayed"].as_u64();
    assert_eq!((seen("long"), seen("otherwise")), (Some(1), Some(2)));
    let traffic = &found["traffic"];
    assert_eq!((&traffic["requests"], &traffic["changed"], &traffic["left_out"]), (&4.into(), &3.into(), &1.into()));
    contains(&traffic["first_left_out"].to_string(), "line 5: ");
    contains(&ran.err, "1 line is no request and left out; line 6: ");
}

const POLICY: &str = r#"route 1
use "parts/tiers.route"

template sorry from "parts/sorry.txt"

otherwise {
  tier            mid
  degrade         template sorry
}
"#;
const TIERS: &str = "route 1\ntier mid { openai/gpt-5.4-2026-03-05, anthropic/claude-sonnet-5 }\n";

/// A repository with one commit on `main`: a policy, and what it uses.
struct Repository(TempDir);

impl Repository {
    fn new() -> Self {
        let new = Self(tempfile::tempdir().unwrap());
        new.git(&["init", "-q", "-b", "main"]);
        new.file("desk/p.route", POLICY);
        new.file("desk/parts/tiers.route", TIERS);
        new.file("desk/parts/sorry.txt", "Please try again.");
        new.commit();
        new
    }

    fn git(&self, args: &[&str]) {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"];
        let mut git = Command::new("git");
        git.args(identity).args(args).current_dir(self.0.path()).env("GIT_CONFIG_GLOBAL", "/dev/null");
        let ran = git.output().unwrap();
        assert!(ran.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&ran.stderr));
    }

    fn commit(&self) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "x"]);
    }

    fn file(&self, name: &str, content: &str) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn diff(&self, args: &[&str]) -> Ran {
        diff_in(self.0.path(), args)
    }
}

#[test]
fn everything_a_policy_uses_is_read_from_its_own_revision() {
    let repository = Repository::new();
    repository.file("desk/parts/tiers.route", &TIERS.replace(", anthropic/claude-sonnet-5", ""));
    repository.file("desk/parts/sorry.txt", "Later.");
    repository.commit();
    repository.git(&["rm", "-q", "-r", "desk"]);
    let ran = repository.diff(&["main~1", "HEAD", "desk/p.route"]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    contains(&ran.out, "desk/p.route  main~1 ");
    contains(&ran.out, " otherwise → otherwise");
    contains(&ran.out, "LOSES FALLBACKS (anthropic)");
    contains(&ran.out, "text of template sorry");
    // The same from inside, although the directory is gone from the disk; and a revision with itself.
    fs::create_dir_all(repository.0.path().join("desk")).unwrap();
    let inside = diff_in(&repository.0.path().join("desk"), &["main~1", "HEAD", "p.route"]);
    assert_eq!((inside.code, inside.out.lines().count()), (1, ran.out.lines().count()), "{}", inside.err);
    let same = repository.diff(&["HEAD", "HEAD", "desk/p.route"]);
    assert_eq!(same.code, 0, "{}", same.out);
    contains(&same.out, "no decision changed");
}

#[test]
fn a_revision_is_compared_with_the_files_of_today() {
    let repository = Repository::new();
    repository.file(
        "desk/catalog.yaml",
        "schema: 1\nmodels:\n  - {provider: openai, id: gpt-5.4-2026-03-05, price: {input: 9, output: 90}}\n",
    );
    let ran = repository.diff(&["main", ".", "desk/p.route"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    contains(&ran.out, "COST UP");
    contains(&ran.out, "openai/gpt-5.4-2026-03-05: other facts in the catalog (price)");
}

#[test]
fn settings_and_links_are_those_of_the_revision() {
    let repository = Repository::new();
    repository.file("outside.txt", "secret");
    repository.file("desk/wayside.yaml", "check:\n  fuel: 1\n");
    std::os::unix::fs::symlink("p.route", repository.0.path().join("desk/link.route")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", repository.0.path().join("desk/parts/out.txt")).unwrap();
    repository.commit();
    let fuel = repository.diff(&["HEAD", "HEAD", "desk/link.route"]);
    assert_eq!(fuel.code, 2, "{}", fuel.out);
    contains(&fuel.err, "R410");
    repository.file("desk/wayside.yaml", "");
    for (file, says) in
        [("../outside.txt", "it is outside the workspace"), ("parts/out.txt", "it is a link out of the repository")]
    {
        repository.file("desk/p.route", &POLICY.replace("parts/sorry.txt", file));
        repository.commit();
        let ran = repository.diff(&["HEAD", "HEAD", "desk/p.route"]);
        assert_eq!(ran.code, 2, "{file}: {}", ran.out);
        contains(&ran.err, says);
    }
}

#[test]
fn what_cannot_be_compared_is_said() {
    let repository = Repository::new();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("p.route"), "route 1\n").unwrap();
    for (dir, args, says) in [
        (
            repository.0.path(),
            &["mian", "HEAD", "desk/p.route"][..],
            "`mian` is no revision of this repository; the nearest is `main`",
        ),
        (repository.0.path(), &["main", "0123456", "desk/p.route"], "write a branch, a tag, `HEAD~1` or a commit"),
        (repository.0.path(), &["main", "HEAD", "desk/q.route"], "`desk/q.route` cannot be read in main "),
        (repository.0.path(), &["main", "HEAD", "../p.route"], "is in no git repository"),
        (repository.0.path(), &["--", "--output=x", "HEAD", "desk/p.route"], "`--output=x` is no revision"),
        (repository.0.path(), &["main", "HEAD"], "name the policy behind revisions and directories"),
        (repository.0.path(), &["main", "HEAD", "desk"], "it is a directory"),
        (outside.path(), &["main", "HEAD", "p.route"], "is in no git repository"),
        (outside.path(), &["p.route", "p.route", "--fail-on", "downgrad"], "the nearest is `downgrade`"),
    ] {
        let ran = diff_in(dir, args);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}: {}", ran.err);
        contains(&ran.err, says);
    }
    assert!(!repository.0.path().join("x").exists());
}

#[test]
fn without_git_the_reason_is_said() {
    let repository = Repository::new();
    let ran = Command::new(env!("CARGO_BIN_EXE_wayside"))
        .args(["diff", "main", "HEAD", "desk/p.route"])
        .current_dir(repository.0.path())
        .env("PATH", "")
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(2));
    contains(&String::from_utf8_lossy(&ran.stderr), "revisions are read with `git`, which cannot be started");
}
