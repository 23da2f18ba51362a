//! The binary as people and builds meet it: exit codes, streams, formats, bad input.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::cases;
use crate::place::{FORMATS, GOOD, Place, TODAY, contains, run_in, run_with};

#[test]
fn a_clean_policy_answers_0_and_says_so() {
    let ran = Place::with(GOOD).check(&["p.route"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(ran.out, "1 policy checked: no findings\n");
}

#[test]
fn an_alias_answers_1_with_r201_and_offers_the_snapshot() {
    let place = Place::with(&GOOD.replace("gpt-5.4-2026-03-05", "gpt-5.4"));
    let ran = place.check(&["p.route"]);
    assert_eq!(ran.code, 1);
    contains(&ran.out, "error[R201]: openai/gpt-5.4 is an alias");
    contains(&ran.out, "help: write `openai/gpt-5.4-2026-03-05`");
    contains(&ran.out, "p.route:3:12");
    contains(&ran.out, "1 policy checked: 1 error");
    assert!(!ran.out.contains('\u{1b}'), "colors in a pipe");
}

#[test]
fn every_format_gives_the_same_exit_code() {
    let bad = Place::with(&GOOD.replace("gpt-5.4-2026-03-05", "gpt-5.4"));
    let good = Place::with(GOOD);
    for format in FORMATS {
        assert_eq!(good.check(&["--format", format, "p.route"]).code, 0, "{format}");
        let ran = bad.check(&["--format", format, "p.route"]);
        assert_eq!(ran.code, 1, "{format}");
        contains(&ran.out, "R201");
    }
    assert_eq!(good.check(&["--format", "short", "p.route"]).out, "");
}

#[test]
fn json_says_what_where_and_how_to_cure_it() {
    let place = Place::with(&GOOD.replace("gpt-5.4-2026-03-05", "gpt-5.4"));
    let ran = place.check(&["--format", "json", "p.route"]);
    let document: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(
        (&document["schema"], &document["tool"], &document["command"]),
        (&1.into(), &"wayside".into(), &"check".into())
    );
    assert_eq!(document["policy"], "p");
    assert_eq!(document["today"], TODAY);
    assert_eq!(document["summary"]["error"], 1);
    let finding = &document["findings"][0];
    assert_eq!((&finding["code"], &finding["level"]), (&"R201".into(), &"error".into()));
    assert_eq!(
        (&finding["span"]["file"], &finding["span"]["line"], &finding["span"]["column"]),
        (&"p.route".into(), &3.into(), &12.into())
    );
    assert_eq!(finding["fixes"][0]["edits"][0]["text"], "openai/gpt-5.4-2026-03-05");

    let clean = Place::with(GOOD).check(&["--format", "json", "p.route"]);
    let document: serde_json::Value = serde_json::from_str(&clean.out).unwrap();
    assert_eq!(document["findings"], serde_json::json!([]));
    assert!(document["policy_hash"].as_str().unwrap().starts_with("sha256:"));
}

#[test]
fn a_warning_fails_only_where_warnings_are_denied() {
    let place = Place::with(&GOOD.replace(", anthropic/claude-sonnet-5", ""));
    assert_eq!(place.check(&["p.route"]).code, 0);
    contains(&place.check(&["p.route"]).out, "warning[R308]");
    assert_eq!(place.check(&["--deny-warnings", "p.route"]).code, 1);
    assert_eq!(place.check(&["--deny-warnings", "--exit-zero", "p.route"]).code, 0);
    assert_eq!(place.check(&["--deny-warnings", "--allow", "single-provider", "p.route"]).code, 0);
    place.file("wayside.yaml", "check:\n  deny_warnings: true\n");
    assert_eq!(place.check(&["p.route"]).code, 1);
    place.file("wayside.yaml", "check:\n  deny_warnings: true\n  allow: [R308]\n");
    let allowed = place.check(&["p.route"]);
    assert_eq!(allowed.code, 0);
    contains(&allowed.out, "(1 suppressed)");
}

#[test]
fn the_day_decides_about_retirements() {
    let place = Place::with(&GOOD.replace("claude-sonnet-5", "claude-sonnet-4-5-20250929"));
    let on = |day: &str| place.run(&["check", "--today", day, "p.route"]);
    assert!(!on("2026-08-01").out.contains("R203"));
    contains(&on("2026-11-01").out, "warning[R203]");
    contains(&on("2026-11-25").out, "error[R203]");
    contains(&on("2026-12-01").out, "error[R204]");
}

#[test]
fn what_cannot_be_done_answers_2_on_stderr() {
    let place = Place::with(GOOD);
    place.file("policies/support.route", GOOD);
    place.file("empty/readme.txt", "");
    for (args, says) in [
        (&["check", "missing.route"][..], "`missing.route` cannot be read: no such file"),
        (&["check", "policies/suport.route"], "the nearest is `policies/support.route`"),
        (&["check", "empty"], "`empty` has no .route file in it"),
        (&["check", "--allow", "single-provder", "p.route"], "the nearest is `single-provider`"),
        (&["check", "--select", "R9999", "p.route"], "is no finding"),
        (&["check", "--today", "yesterday", "p.route"], "invalid value 'yesterday'"),
        (&["check", "--format", "xml", "p.route"], "possible values"),
        (&["chekc"], "similar subcommand exists: 'check'"),
        (&["explain", "R9"], "`R9` is neither a file nor a finding; the nearest is R009"),
        (&["explain", "R999"], "neither a file nor a finding"),
        (&["explain", "p.route", "plan"], "`plan` is not key=value"),
        (&["explain", "p.route", "prompt_tokns=2k"], "the nearest is `prompt_tokens`"),
        (&["explain", "p.route", "prompt_tokens=lots"], "is a number, like 250, 2k or 1M"),
        (&["explain", "p.route", "streaming="], "`streaming` has no value"),
        (&["explain", "p.route", "streaming=yes", "streaming=no"], "`streaming` is given twice"),
        (&["explain", "p.route", "stakes=high"], "`stakes` follows from `feature`"),
        (&["explain", "p.route", "endpoint=embeddings"], "404 unknown_endpoint"),
    ] {
        let ran = place.run(args);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}: {}", ran.err);
        contains(&ran.err, says);
    }
}

#[test]
fn wrong_settings_are_named_and_nothing_is_checked() {
    let place = Place::with(GOOD);
    for (yaml, says) in [
        ("check:\n  deny_warning: true\n", "deny_warnings"),
        ("check:\n  fuel: lots\n", "line 2"),
        ("check:\n  allow: [single-provder]\n", "the nearest is `single-provider`"),
        ("check: [\n", "line"),
    ] {
        place.file("wayside.yaml", yaml);
        let ran = place.check(&["p.route"]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{yaml:?}");
        contains(&ran.err, "wayside.yaml");
        contains(&ran.err, says);
    }
}

#[test]
fn a_directory_gives_every_policy_in_it_and_says_shared_findings_once() {
    let place = Place::new();
    place.file("tiers.route", "route 1\ntier mid { openai/gpt-5.4, anthropic/claude-sonnet-5 }\n");
    for name in ["a.route", "b/b.route"] {
        let used = if name.contains('/') { "../tiers.route" } else { "tiers.route" };
        let tiers = "tier mid { openai/gpt-5.4-2026-03-05, anthropic/claude-sonnet-5 }\n";
        place.file(name, GOOD.replace(tiers, &format!("use \"{used}\"\n")));
    }
    place.file("b/b.test.route", "route 1\nuse \"b.route\"\n");
    place.file(".hidden/c.route", "nonsense");
    let ran = place.check(&["--format", "short", "."]);
    assert_eq!(ran.code, 1);
    assert_eq!(ran.out.lines().count(), 1, "{}", ran.out);
    contains(&ran.out, "tiers.route:2:12: error[R201]");
    contains(&place.check(&["."]).out, "2 policies checked: 1 error");
}

#[test]
fn a_used_file_that_is_not_there_or_uses_itself_is_a_finding_with_a_place() {
    let place = Place::with(&GOOD.replace("route 1\n", "route 1\nuse \"tires.route\"\n"));
    place.file("tiers.route", "route 1\n");
    let missing = place.check(&["p.route"]);
    assert_eq!(missing.code, 1);
    contains(&missing.out, "error[R010]");
    contains(&missing.out, "p.route:2:5");
    contains(&missing.out, "`tiers.route`");

    place.file("p.route", GOOD.replace("route 1\n", "route 1\nuse \"q.route\"\n"));
    place.file("q.route", "route 1\nuse \"p.route\"\n");
    let ring = place.check(&["p.route"]);
    assert_eq!(ring.code, 1);
    contains(&ring.out, "error[R011]");
    contains(&ring.out, "p.route -> q.route -> p.route");
}

#[test]
fn a_file_that_only_uses_others_is_judged_with_them() {
    let place = Place::with("route 1\nuse \"rules.route\"\n");
    place.file("rules.route", GOOD.replace("gpt-5.4-2026-03-05", "gpt-5.4"));
    let ran = place.check(&["p.route"]);
    assert_eq!(ran.code, 1);
    contains(&ran.out, "error[R201]");
    contains(&ran.out, "1 policy checked: 1 error");
    // What is wrong with reading is said where nothing has rules.
    for (text, says) in
        [("route 1\nuse \"nowhere.route\"\n", "error[R010]"), ("route 1\nuse \"p.route\"\n", "error[R011]")]
    {
        let place = Place::with(text);
        let ran = place.check(&["p.route"]);
        assert_eq!(ran.code, 1, "{text}: {}", ran.out);
        contains(&ran.out, says);
        contains(&ran.out, "p.route:2:5");
    }
}

#[test]
fn a_file_that_is_there_is_not_offered_in_its_own_place() {
    let outside = tempfile::tempdir().unwrap();
    let place = Place::with(&GOOD.replace("route 1\n", "route 1\nuse \"link.route\"\n"));
    symlink(outside.path(), place.path("link.route")).unwrap();
    let ran = place.check(&["p.route"]);
    contains(&ran.out, "error[R010]");
    assert!(!ran.out.contains("nearest"), "{}", ran.out);
}

#[test]
fn a_link_out_of_the_workspace_is_not_followed() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret.route"), "plans [secret_plan]\n").unwrap();
    let place = Place::with(&GOOD.replace("route 1\n", "route 1\nuse \"link.route\"\n"));
    symlink(outside.path().join("secret.route"), place.path("link.route")).unwrap();
    let ran = place.check(&["p.route"]);
    assert_eq!(ran.code, 1);
    contains(&ran.out, "error[R010]");
    contains(&ran.out, "outside the workspace");
    assert!(!ran.out.contains("secret_plan"));
}

#[test]
fn strange_bytes_are_findings_or_refused_and_never_a_crash() {
    let place = Place::new();
    let long_line = format!("route 1\n# {}\n{}", "x".repeat(1 << 20), &GOOD[8..]);
    for (name, bytes, code) in [
        ("binary.route", b"\x7fELF\x02\x01\x00\xff\xfe".to_vec(), 2),
        ("nul.route", b"route 1\n\0\0\0\n".to_vec(), 1),
        ("empty.route", Vec::new(), 0),
        ("deep.route", format!("route 1\nrule a {{ when {} }}\n", "(".repeat(100_000)).into_bytes(), 1),
        ("open.route", b"route 1\nrule a {\n".to_vec(), 1),
        ("bom.route", format!("\u{feff}{GOOD}").into_bytes(), 0),
        ("crlf.route", GOOD.replace('\n', "\r\n").into_bytes(), 0),
        ("long_line.route", long_line.into_bytes(), 0),
        ("too_large.route", vec![b'#'; (4 << 20) + 2], 2),
    ] {
        place.file(name, &bytes);
        let ran = place.check(&["--format", "short", name]);
        assert_eq!(ran.code, code, "{name}: {}{}", ran.out, ran.err);
        assert!(!ran.err.contains("panicked"), "{name}: {}", ran.err);
        match code {
            1 => contains(&ran.out, &format!("{name}:")),
            2 => contains(&ran.err, &format!("`{name}` cannot be read")),
            _ => {}
        }
    }
}

#[test]
fn an_overlay_is_picked_up_and_a_wrong_one_is_r121_with_its_line() {
    let place = Place::with(GOOD);
    place.file(
        "catalog.yaml",
        "schema: 1\nmodels:\n  - {provider: openai, id: gpt-5.4-2026-03-05, retires_on: 2026-12-01}\n",
    );
    contains(&place.check(&["p.route"]).out, "warning[R203]: openai/gpt-5.4-2026-03-05 retires in 9 days");
    place.file(
        "catalog.yaml",
        "schema: 1\nmodels:\n  - provider: openai\n    id: gpt-5.4-2026-03-05\n    max_input: plenty\n",
    );
    let ran = place.check(&["p.route"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    contains(&ran.out, "error[R121]");
    contains(&ran.out, "catalog.yaml:5");
    contains(&ran.out, "max_input");
    place.file("other.yaml", "schema: 1\n");
    assert_eq!(place.check(&["--catalog", "other.yaml", "p.route"]).code, 0);
    let missing = place.check(&["--catalog", "none.yaml", "p.route"]);
    assert_eq!(missing.code, 1);
    contains(&missing.out, "cannot be read: no such file");
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let root = env!("CARGO_MANIFEST_DIR");
    let some = ["policies/starter.route", "tests/corpus/codes/R109", "tests/corpus/codes/R401"];
    let all = ["policies", "tests/corpus"];
    for (format, paths) in FORMATS.map(|format| (format, &some[..])).into_iter().chain([("human", &all[..])]) {
        let args = [&["check", "--today", TODAY, "--format", format], paths].concat();
        let (one, two) = (run_in(Path::new(root), &args), run_in(Path::new(root), &args));
        assert_eq!((one.code, &one.out, &one.err), (two.code, &two.out, &two.err), "{format}");
    }
    let args = ["explain", "--today", TODAY, "--format", "json", "policies/support.route", "tenant=acme"];
    assert_eq!(run_in(Path::new(root), &args).out, run_in(Path::new(root), &args).out);
}

#[test]
fn a_reader_that_leaves_early_is_no_crash() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_wayside"))
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()), (Some(0), ""));
}

#[test]
fn colors_are_for_terminals_and_for_those_who_ask() {
    let place = Place::with(&GOOD.replace("gpt-5.4-2026-03-05", "gpt-5.4"));
    let colored = |key: &str, value: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wayside"));
        let command = command.args(["check", "p.route"]).current_dir(place.dir()).env(key, value);
        String::from_utf8(command.output().unwrap().stdout).unwrap().contains('\u{1b}')
    };
    assert!(!colored("NO_COLOR", "1"));
    assert!(colored("CLICOLOR_FORCE", "1"));
}

#[test]
fn help_and_version_go_to_stdout() {
    let place = Place::new();
    for (args, says) in [
        (&["--version"][..], concat!("wayside ", env!("CARGO_PKG_VERSION"))),
        (&["--help"], "wayside explain R401"),
        (&["check", "--help"], "--deny-warnings"),
        (&["explain", "--help"], "prompt_tokens=2k"),
        (&["completions", "zsh"], "#compdef wayside"),
        (&["explain", "R401"], "# R401 unreachable-rule"),
        (&["explain", "unreachable-rule"], "# R401 unreachable-rule"),
    ] {
        let ran = place.run(args);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{args:?}");
        contains(&ran.out, says);
    }
}

/// The cases of `tests/corpus/explain`: a policy, and files whose first line is the request and whose rest is what is printed.
#[test]
fn explanations_read_as_they_did() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/explain");
    cases::hold(&corpus, 8, |case, words| {
        let json: &[&str] = if case.extension().is_some_and(|end| end == "json") { &["--format", "json"] } else { &[] };
        let ran = run_in(&corpus, &[&["explain", "--today", TODAY], json, words].concat());
        format!("{}{}", ran.out, ran.err)
    });
}

#[test]
fn an_allow_counts_over_all_policies_of_a_run() {
    let place = Place::new();
    place.file("tiers.route", "route 1\n# allow unused-name: the night policy will use it\ntier late { mistral/mistral-small-2603 }\ntier mid { openai/gpt-5.4-2026-03-05, anthropic/claude-sonnet-5 }\n");
    let tiers = "tier mid { openai/gpt-5.4-2026-03-05, anthropic/claude-sonnet-5 }\n";
    let user = GOOD.replace(tiers, "use \"tiers.route\"\n");
    place.file("a.route", &user);
    place.file("b.route", user.replace("tier            mid", "tier            late"));
    let check = |path: &str| place.check(&["--format", "short", "--allow", "single-provider,chain-can-be-empty", path]);
    let alone = check("a.route");
    assert_eq!((alone.code, alone.out.as_str()), (0, ""), "{}", alone.err);
    // Together the name is used, and the comment is what nobody needs.
    let together = check(".");
    assert_eq!(together.out.lines().count(), 1, "{}", together.out);
    contains(&together.out, "tiers.route:2:9: warning[R902]");
}

#[test]
fn fmt_writes_the_one_layout_and_check_only_says_where() {
    let untidy = GOOD.replace("  tier            mid", "     tier mid");
    let place = Place::with(&untidy);
    place.file("broken.route", "route 1\nrule a {\n");
    let check = place.run(&["fmt", "--check", "p.route"]);
    assert_eq!((check.code, check.out.as_str()), (1, "p.route\n"));
    assert_eq!(fs::read_to_string(place.path("p.route")).unwrap(), untidy);
    let all = place.run(&["fmt", "."]);
    assert_eq!((all.code, all.out.as_str()), (2, "p.route\n"));
    contains(&all.err, "`broken.route` does not parse, and is left alone");
    contains(&fs::read_to_string(place.path("p.route")).unwrap(), "\n  tier            mid\n");
    assert_eq!(fs::read_to_string(place.path("broken.route")).unwrap(), "route 1\nrule a {\n");
    assert_eq!(place.run(&["fmt", "--check", "p.route"]).code, 0);
    assert_eq!(fs::read_dir(place.dir()).unwrap().count(), 3, "something was left behind");
}

#[test]
fn fmt_shows_what_it_would_change_and_changes_nothing() {
    let untidy = GOOD.replace("  tier            mid", "     tier mid");
    let place = Place::with(&untidy);
    let diff = place.run(&["fmt", "--diff", "."]);
    assert_eq!((diff.code, diff.err.as_str()), (1, ""));
    assert!(diff.out.starts_with("--- a/p.route\n+++ b/p.route\n@@ -5,6 +5,6 @@\n"), "{}", diff.out);
    contains(&diff.out, "\n-     tier mid\n+  tier            mid\n");
    assert_eq!(place.run(&["fmt", "--diff", "--check", "."]).out, diff.out);
    assert_eq!(place.text("p.route"), untidy);
    place.file("p.route", GOOD);
    let clean = place.run(&["fmt", "--diff", "."]);
    assert_eq!((clean.code, clean.out.as_str()), (0, ""));
    for (flags, out, code) in [(&[][..], GOOD, 0), (&["--check"], "p.route\n", 1), (&["--diff"], diff.out.as_str(), 1)]
    {
        let args = [&["fmt", "--stdin-filename", "p.route"], flags].concat();
        let ran = run_with(place.dir(), &args, &untidy);
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (code, out, ""), "{flags:?}");
    }
}

/// A line of the request log, decided by `otherwise` of [`GOOD`].
const LINE: &str = r#"{"schema":1,"time":"2026-11-23T11:00:00.000Z","request_id":"req_1f0c","outcome":"answered","status":200,"request":{"endpoint":"chat","residency":"anywhere","requested_model":"gpt-4o","prompt_tokens":[12,40],"max_tokens":0,"streaming":false,"tools":false,"json_schema":false,"modality":"text","priority":"interactive"},"readings":{"minute_of_week":720,"today":"2026-11-23"},"policy":"p","policy_hash":"sha256:00","timezone":"UTC","rule":"otherwise","tier":"mid","chain":[{"hop":1,"snapshot":"openai/gpt-5.4-2026-03-05","tier":"mid"},{"hop":2,"snapshot":"anthropic/claude-sonnet-5","tier":"mid"}],"dropped":[],"attempts":[],"drift":false,"total_ms":10}"#;

#[test]
fn a_logged_request_is_decided_again_and_compared() {
    let place = Place::with(GOOD);
    let replay = |line: &str| place.run(&["explain", "--today", TODAY, "p.route", "--replay", line]);
    let same = replay(LINE);
    assert_eq!(same.code, 0, "{}", same.err);
    contains(&same.out, "decision        the same");
    contains(&same.out, "request         req_1f0c at 2026-11-23T11:00:00.000Z");
    contains(&same.out, "sha256:00 then, sha256:");
    let other = replay(&LINE.replace("\"rule\":\"otherwise\"", "\"rule\":\"evening\""));
    assert_eq!(other.code, 1);
    contains(&other.out, "rule            evening then\n                  otherwise now");
    let json = place.run(&["explain", "--today", TODAY, "--format", "json", "p.route", "--replay", LINE]);
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((&json["logged"]["same"], &json["logged"]["same_policy"]), (&true.into(), &false.into()));
}

#[test]
fn a_replay_takes_exactly_one_line() {
    let place = Place::with(GOOD);
    place.file("one.jsonl", format!("\n{LINE}\n"));
    place.file("two.jsonl", format!("{LINE}\n{LINE}\n"));
    place.file("empty.jsonl", "");
    place.file("torn.jsonl", &LINE[..200]);
    let replay = |line: &str| place.run(&["explain", "--today", TODAY, "p.route", "--replay", line]);
    assert_eq!(replay("one.jsonl").code, 0);
    for (line, why) in [
        ("two.jsonl", "`two.jsonl` has more than one line; choose one: `grep"),
        ("empty.jsonl", "`empty.jsonl` is empty"),
        ("torn.jsonl", "`torn.jsonl`, line 1, cannot be replayed: it begins with `{\"schema\":1"),
        ("missing.jsonl", "`missing.jsonl` cannot be read: no such file"),
        (".", "it is a directory"),
        ("-", "standard input is empty"),
        ("{\"schema\":1}", "is JSON, but no request as `wayside serve` logs it"),
    ] {
        let ran = replay(line);
        assert_eq!((ran.code, &*ran.out), (2, ""), "{line}");
        contains(&ran.err, why);
    }
    let both = place.run(&["explain", "p.route", "plan=pro", "--replay", LINE]);
    assert_eq!(both.code, 2);
    contains(&both.err, "cannot be used with");
}

#[test]
fn findings_are_explained_by_code_by_name_and_all_together() {
    let place = Place::new();
    for subject in ["R303", "r303", "same-provider-fallback"] {
        let page = place.run(&["explain", subject]);
        assert_eq!(page.code, 0, "{}", page.err);
        assert!(
            page.out.starts_with("# R303 same-provider-fallback\n"),
            "piped, a page is plain Markdown:\n{}",
            page.out
        );
    }
    let json = place.run(&["explain", "R303", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((&json["code"], &json["level"]), (&"R303".into(), &"warning".into()));
    assert!(json["wrong"][0]["policy"].as_str().unwrap().starts_with("route 1\n"));
    for (subject, nearest) in [("same-provider-falback", "R303 (same-provider-fallback)"), ("R399", "R3")] {
        let ran = place.run(&["explain", subject]);
        assert_eq!((ran.code, &*ran.out), (2, ""));
        contains(&ran.err, nearest);
    }
    for args in [["explain", "codes"], ["explain", "--list"]] {
        let list = place.run(&args);
        assert_eq!(
            (list.code, list.out.lines().count()),
            (0, wayside::policy::diagnostic::CODES.len()),
            "{}",
            list.err
        );
        contains(&list.out, "R401 unreachable-rule");
    }
}
