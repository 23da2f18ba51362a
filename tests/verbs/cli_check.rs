//! `wayside check` as builds meet it: formats, fixes, baselines, settings of a project, bad input.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use crate::place::{self, FORMATS, GOOD, Place, TODAY, contains};

/// `first` and `second` are redundant one by one, and not together.
const REDUNDANT: &str = r#"route 1

plans [free, pro]

tier mid { openai/gpt-5.4-2026-03-05, anthropic/claude-sonnet-5 }

template sorry "Please try again in a few minutes."
template later "Please try again tomorrow."

rule first {
  when plan is pro and (streaming or tools)
  tier            mid
  degrade         template sorry
}

rule second {
  when plan is pro and (streaming or json_schema)
  tier            mid
  degrade         template sorry
}

rule third {
  when streaming
  tier            mid
  degrade         template later
}

otherwise {
  tier            mid
  degrade         template sorry
}
"#;

fn alias() -> String {
    GOOD.replace("gpt-5.4-2026-03-05", "gpt-5.4")
}

/// In the one layout, and with a chain that says its direction.
const DIRECTED: &str = r#"route 1

policy example { max_prompt 100k }

tier mid { openai/gpt-5.4-2026-03-05, anthropic/claude-sonnet-5 }

template sorry "Please try again in a few minutes."

otherwise {
  tier            mid
  snapshot        openai/gpt-5.4-2026-03-05
  fallback peer   anthropic/claude-sonnet-5
  degrade         template sorry
}
"#;

/// R319, which has a safe fix.
fn undirected() -> String {
    DIRECTED.replace("fallback peer   ", "fallback ")
}

fn lonely() -> String {
    GOOD.replace(", anthropic/claude-sonnet-5", "")
}

#[test]
fn the_format_decides_what_is_printed_and_never_what_is_returned() {
    let place = Place::new();
    place.file("good.route", GOOD);
    place.file("alias.route", alias());
    place.file("lonely.route", lonely());
    place.file("stale.json", r#"{"schema":1,"tool":"wayside","findings":[{"fingerprint":"0","code":"R308","file":"good.route","message":"x"}]}"#);
    for format in FORMATS {
        for (args, code) in [
            (&["good.route"][..], 0),
            (&["alias.route"], 1),
            (&["alias.route", "--exit-zero"], 0),
            (&["lonely.route"], 0),
            (&["lonely.route", "--deny-warnings"], 1),
            (&["good.route", "--baseline", "stale.json"], 1),
            (&["none.route"], 2),
        ] {
            let ran = place.check(&[&["--format", format], args].concat());
            assert_eq!(ran.code, code, "{format} {args:?}: {}{}", ran.out, ran.err);
        }
    }
}

#[test]
fn json_documents_carry_what_section_8_2_names() {
    let place = Place::with(REDUNDANT);
    let ran = place.check(&["--format", "json", "p.route"]);
    let document: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    for key in
        ["schema", "tool", "version", "command", "policy", "policy_hash", "catalog", "today", "summary", "findings"]
    {
        assert!(!document[key].is_null(), "{key}");
    }
    for key in ["error", "warning", "info", "pedantic", "suppressed"] {
        assert!(document["summary"][key].is_u64(), "{key}");
    }
    let finding = &document["findings"][0];
    for key in ["code", "name", "level", "message", "fingerprint", "docs"] {
        assert!(finding[key].is_string(), "{key}");
    }
    assert!(finding["labels"].is_array() && finding["notes"].is_array());
    assert_eq!(finding["docs"], format!("wayside explain {}", finding["code"].as_str().unwrap()));
    let fix = &finding["fixes"][0];
    assert!(fix["safe"].is_boolean() && fix["title"].is_string());
    assert!(
        fix["edits"][0]["file"].is_string()
            && fix["edits"][0]["byte"][1].is_u64()
            && fix["edits"][0]["text"].is_string()
    );
    for key in ["file", "byte", "line", "column", "end_line", "end_column"] {
        assert!(!finding["span"][key].is_null(), "{key}");
    }
    place.file(
        "p.route",
        GOOD.replace("otherwise", "rule all {\n  tier mid\n}\nrule dead {\n  when streaming\n  tier mid\n}\notherwise"),
    );
    let ran = place.check(&["--format", "json", "p.route"]);
    let document: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let dead = document["findings"].as_array().unwrap().iter().find(|one| one["code"] == "R401").unwrap();
    assert!(dead["witness"]["request"].is_object() && dead["witness"]["readings"].is_object(), "{dead}");
}

#[test]
fn the_table_goes_to_the_summary_of_the_step() {
    let place = Place::with(&alias());
    let run = |summary: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wayside"));
        command.args(["check", "--today", TODAY, "--format", "github", "p.route"]);
        command.current_dir(place.dir()).env("GITHUB_STEP_SUMMARY", summary).output().unwrap()
    };
    place.file("summary.md", "# before\n");
    let ran = run("summary.md");
    assert_eq!(ran.status.code(), Some(1));
    contains(&String::from_utf8(ran.stdout).unwrap(), "::error file=p.route,line=3,col=12,endColumn=26,title=R201");
    let summary = place.text("summary.md");
    assert!(summary.starts_with("# before\n"), "{summary}");
    contains(&summary, "### wayside check: 1 policy checked: 1 error");
    contains(&summary, "| error | R201 unpinned-model | p.route:3 |");
    let lost = run("no/such/directory/summary.md");
    assert_eq!(lost.status.code(), Some(2));
    contains(&String::from_utf8(lost.stderr).unwrap(), "GITHUB_STEP_SUMMARY");
}

#[test]
fn safe_fixes_are_made_until_there_are_no_more() {
    let place = Place::with(&undirected().replace("  tier            mid", "   tier mid"));
    let ran = place.check(&["--fix", "p.route"]);
    assert_eq!(place.text("p.route"), DIRECTED, "{}", ran.err);
    assert_eq!((ran.code, ran.out.as_str()), (0, "1 policy checked: no findings\n"));
    // The layout is laid out, the direction is said, and the line that grew is laid out again.
    assert_eq!(ran.err, "fixed 3 findings in 1 file\n");
    let again = place.check(&["--fix", "p.route"]);
    assert_eq!((again.code, again.err.as_str()), (0, "fixed 0 findings in 0 files\n"));
    assert_eq!(fs::read_dir(place.dir()).unwrap().count(), 2, "something was left behind");
}

#[test]
fn diff_shows_what_fix_would_write_and_writes_nothing() {
    let place = Place::with(&undirected());
    let ran = place.check(&["--diff", "p.route"]);
    assert_eq!(ran.code, 1, "the exit code is that of the files as they are");
    let lines: Vec<&str> = ran.out.lines().filter(|line| line.starts_with(['-', '+', '@'])).collect();
    let hunk = ["-  fallback anthropic/claude-sonnet-5", "+  fallback peer   anthropic/claude-sonnet-5"];
    assert_eq!(lines, [&["--- a/p.route", "+++ b/p.route", "@@ -9,6 +9,6 @@"][..], &hunk].concat());
    assert_eq!(place.text("p.route"), undirected());
    assert_eq!(place.check(&["--diff", "--fix", "p.route"]).out, ran.out);
    assert_eq!(place.text("p.route"), undirected());
}

#[test]
fn what_a_condition_does_not_need_is_taken_out() {
    let policy = |when: &str| {
        let rules = format!(
            "plans [free, pro, team]\n\ndefine large as prompt_tokens >= 50k\n\nrule unpaid {{\n  when plan is free\n  \
             tier            small\n  degrade         template sorry\n}}\n\nrule some {{\n  when {when}\n  \
             tier            small, timeout 5s\n  degrade         template sorry\n}}\n\notherwise"
        );
        let small = "tier small { openai/gpt-5.4-mini-2026-03-17, mistral/mistral-small-2603 }\n\ntemplate sorry";
        GOOD.replacen("template sorry", small, 1).replacen("otherwise", &rules, 1)
    };
    for (written, fixed) in [
        // A value of a list, wherever it stands; the test of it alone is marked.
        ("plan in [free, pro] and large", "plan in [pro] and large"),
        ("plan in [pro, free] and large", "plan in [pro] and large"),
        // A branch of an `or`.
        ("large and (tools or plan is free)", "large and (tools)"),
        ("large and (plan is free and streaming or tools)", "large and (tools)"),
        // An operand of an `and`: the first, the last, one with parentheses of its own.
        ("prompt_tokens >= 10k and large and tools", "large and tools"),
        ("tools and large and prompt_tokens >= 10k", "tools and large"),
        ("large and not (plan is free or plan is free and streaming) and tools", "large and tools"),
        // Over several lines.
        ("large\n    and prompt_tokens >= 10k\n    and tools", "large\n    and tools"),
    ] {
        let place = Place::with(&policy(written));
        let before = place.check(&["--select", "R4", "p.route"]).out;
        assert!(before.contains("R406") || before.contains("R407"), "{written}: {before}");
        let ran = place.check(&["--fix", "p.route"]);
        assert_eq!(place.text("p.route"), policy(fixed), "{written}: {}{}", ran.out, ran.err);
    }
    // What stands in a `define`, or beside a comment, is for people.
    let place = Place::with(&policy("tools and (plan is free or large)\n    # paid\n    and prompt_tokens >= 0"));
    place.check(&["--fix", "p.route"]);
    contains(&place.text("p.route"), "# paid");
}

#[test]
fn a_fix_that_would_change_a_decision_is_withheld() {
    let place = Place::with(REDUNDANT);
    contains(&place.check(&["p.route"]).out, "1 policy checked: 2 warnings");
    let ran = place.check(&["--fix", "p.route"]);
    // The other rule, and the empty line it leaves.
    contains(&ran.err, "fixed 2 findings in 1 file");
    contains(&ran.err, "withheld: p.route: R403");
    contains(&ran.err, "some requests would go from `first` to `third`");
    let text = place.text("p.route");
    assert!(!text.contains("rule first") && text.contains("rule second"), "{text}");
    assert_eq!((ran.code, ran.out.as_str()), (0, "1 policy checked: no findings\n"));
}

#[test]
fn a_fix_that_would_bring_an_error_is_withheld() {
    // With its name spelled right, the second rule is dead.
    let text = GOOD.replace("otherwise", "plans [free, pro]\n\nrule pros {\n  when plan is pro\n  tier            mid\n  degrade         template sorry\n}\n\nrule dead {\n  when plan is prp\n  tier            mid\n  degrade         template sorry\n}\n\notherwise");
    let place = Place::with(&text);
    let ran = place.check(&["--fix", "p.route"]);
    assert_eq!(ran.code, 1);
    contains(&ran.err, "withheld: p.route: R104");
    contains(&ran.err, "it would bring R401");
    assert_eq!(place.text("p.route"), text);
}

#[test]
fn an_alias_is_pinned_to_what_it_stands_for_and_a_moving_name_without_one_is_not() {
    let place = Place::with(&alias());
    assert_eq!(place.check(&["--fix", "p.route"]).code, 0);
    assert_eq!(place.text("p.route"), GOOD);
    let gone = GOOD.replace("gpt-5.4-2026-03-05", "gpt-4-0314");
    let place = Place::with(&gone);
    assert_eq!(place.check(&["--fix", "p.route"]).code, 1);
    assert_eq!(place.text("p.route"), gone);
}

#[test]
fn unsafe_fixes_are_made_only_when_asked_for() {
    let place = Place::with(&GOOD.replace("sorry", "SoSorry"));
    let safe = place.check(&["--select", "R906", "--fix", "p.route"]);
    contains(&safe.err, "fixed 0 findings");
    let ran = place.check(&["--select", "R906", "--fix", "--unsafe-fixes", "p.route"]);
    assert_eq!(ran.err, "fixed 1 finding in 1 file\n");
    assert_eq!(place.text("p.route"), GOOD.replace("sorry", "so_sorry"));
    let alone = place.check(&["--unsafe-fixes", "p.route"]);
    assert_eq!(alone.code, 2);
    contains(&alone.err, "add `--fix` to make them, or `--diff` to see them");
}

#[test]
fn what_several_policies_use_is_fixed_once_and_for_all_of_them() {
    let place = Place::new();
    place.file("tiers.route", "route 1\ntier  mid { openai/gpt-5.4-2026-03-05, anthropic/claude-sonnet-5 }\n");
    let tiers = "tier mid { openai/gpt-5.4-2026-03-05, anthropic/claude-sonnet-5 }\n";
    for name in ["a.route", "b.route"] {
        place.file(name, GOOD.replace(tiers, "use \"tiers.route\"\n"));
    }
    place.file("a.test.route", "route 1\nuse   \"a.route\"\n");
    let ran = place.check(&["--fix", "."]);
    assert_eq!((ran.code, ran.err.as_str()), (0, "fixed 2 findings in 2 files\n"), "{}", ran.out);
    assert!(place.text("tiers.route").ends_with(tiers));
    assert_eq!(place.run(&["fmt", "--check", "."]).code, 0);
}

#[test]
fn nothing_is_written_through_a_link_out_of_the_workspace() {
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().join("p.route");
    fs::write(&target, undirected()).unwrap();
    let place = Place::new();
    symlink(&target, place.path("link.route")).unwrap();
    let ran = place.check(&["--fix", "link.route"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    contains(&ran.out, "outside the workspace");
    assert_eq!(fs::read_to_string(&target).unwrap(), undirected());
}

#[test]
fn a_baseline_ignores_what_was_there_and_misses_what_is_gone() {
    let place = Place::with(&lonely());
    let check = |args: &[&str]| place.check(&[&["--deny-warnings"], args].concat());
    assert_eq!(check(&["p.route"]).code, 1);
    let written = check(&["--write-baseline", "known.json", "p.route"]);
    assert_eq!((written.code, written.out.as_str()), (0, ""));
    assert_eq!(written.err, "1 finding recorded in `known.json`\n");
    let known = check(&["--baseline", "known.json", "p.route"]);
    assert_eq!(known.code, 0, "{}{}", known.out, known.err);
    contains(&known.out, "no findings (1 suppressed)");

    place.file("p.route", format!("# moved\n\n{}", lonely().replace("route 1\n", "route 1\n\n# and more\n")));
    assert_eq!(
        check(&["--baseline", "known.json", "--allow", "R901,R005", "p.route"]).code,
        0,
        "moved lines are no news"
    );

    place.file(
        "p.route",
        lonely().replace("otherwise {", "rule new {\n  when streaming\n  tier            mid\n}\n\notherwise {"),
    );
    let new = check(&["--baseline", "known.json", "--format", "short", "p.route"]);
    assert_eq!(new.code, 1);
    assert!(!new.out.contains("`otherwise`") && new.out.contains("`new`"), "{}", new.out);

    place.file("p.route", GOOD);
    let gone = check(&["--baseline", "known.json", "p.route"]);
    assert_eq!((gone.code, gone.out.as_str()), (1, "1 policy checked: no findings\n"));
    contains(&gone.err, "`known.json` records R308 in `p.route`, which no longer fires");
    contains(&gone.err, "write it anew with `wayside check --write-baseline known.json`");
    // Another file says nothing about this one.
    place.file("q.route", GOOD);
    assert_eq!(check(&["--baseline", "known.json", "q.route"]).code, 0);
    fs::remove_file(place.path("p.route")).unwrap();
    assert_eq!(check(&["--baseline", "known.json", "q.route"]).code, 1, "a finding of a deleted file is gone too");
    // Seen from elsewhere it is the same file.
    place.file("p.route", lonely());
    fs::create_dir(place.path("sub")).unwrap();
    let args = ["check", "--today", TODAY, "--deny-warnings", "--baseline", "../known.json", "../p.route"];
    let elsewhere = place::run_in(&place.path("sub"), &args);
    assert_eq!(elsewhere.code, 0, "{}{}", elsewhere.out, elsewhere.err);
}

#[test]
fn a_baseline_that_cannot_be_used_is_said() {
    let place = Place::with(GOOD);
    for (text, says) in [
        ("", "is no baseline: EOF"),
        ("{}", "missing field `schema`"),
        (r#"{"schema":2,"tool":"wayside","findings":[]}"#, "is no baseline of schema 1"),
    ] {
        place.file("known.json", text);
        let ran = place.check(&["--baseline", "known.json", "p.route"]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{text}");
        contains(&ran.err, says);
        contains(&ran.err, "--write-baseline known.json");
    }
    let none = place.check(&["--baseline", "none.json", "p.route"]);
    assert_eq!(none.code, 2);
    contains(&none.err, "the baseline `none.json` cannot be read: no such file");
    assert_eq!(place.check(&["--write-baseline", "no/such/known.json", "p.route"]).code, 2);
}

#[test]
fn providers_of_the_runtime_configuration_are_what_they_are_for_serve() {
    let policy = "tier mid { lab/llama-3.3-70b, anthropic/claude-sonnet-5 }";
    let place = Place::with(&GOOD.replace("tier mid { openai/gpt-5.4-2026-03-05, anthropic/claude-sonnet-5 }", policy));
    contains(&place.check(&["p.route"]).out, "error[R106]");
    place.file(
        "wayside.yaml",
        "providers: {lab: {kind: self_hosted, base_url: 'http://127.0.0.1:1/v1', key: '${UNSET}'}}\n",
    );
    let hosted = place.check(&["p.route"]).out;
    contains(&hosted, "error[R219]");
    assert!(!hosted.contains("R106"), "{hosted}");
    place.file("wayside.yaml", "providers: {lab: {kind: selfhosted}}\n");
    let wrong = place.check(&["p.route"]);
    assert_eq!(wrong.code, 2);
    contains(&wrong.err, "providers.lab.kind: unknown kind `selfhosted`; write `self_hosted`");

    place.file("p.route", GOOD.replace("  tier            mid\n", "  tier            mid\n  snapshot        openai/gpt-5.4-2026-03-05\n  fallback peer   anthropic/claude-sonnet-5\n"));
    place.file("wayside.yaml", "providers: {openai: {shares_fate: a}, anthropic: {shares_fate: b}}\n");
    assert!(!place.check(&["p.route"]).out.contains("R303"));
    place.file("wayside.yaml", "providers: {openai: {shares_fate: a}, anthropic: {shares_fate: a}}\n");
    contains(&place.check(&["p.route"]).out, "warning[R303]");

    let pictures = "rule pictures {\n  when modality has image\n  tier            mid\n  snapshot        openai/gpt-5.4-2026-03-05\n  fallback peer   anthropic/claude-sonnet-5\n  degrade         template sorry\n}\n\notherwise {";
    place.file("p.route", GOOD.replace("otherwise {", pictures));
    assert!(!place.check(&["p.route"]).out.contains("R334"));
    place.file("wayside.yaml", "providers: {anthropic: {dialect: converse}}\n");
    contains(
        &place.check(&["p.route"]).out,
        "warning[R334]: anthropic/claude-sonnet-5 is never sent the images by URL",
    );
    place.file("p.route", GOOD);

    place.file(
        "facts/own.yaml",
        "schema: 1\nmodels:\n  - {provider: openai, id: gpt-5.4-2026-03-05, retires_on: 2026-12-01}\n",
    );
    place.file("wayside.yaml", "catalog: facts/own.yaml\n");
    contains(&place.check(&["p.route"]).out, "warning[R203]: openai/gpt-5.4-2026-03-05 retires in 9 days");
}

#[test]
fn every_key_of_the_project_settings_does_what_it_says() {
    let place = Place::with(&lonely().replace("gpt-5.4-2026-03-05", "gpt-5-2025-08-07"));
    let with = |check: &str| {
        place.file("wayside.yaml", format!("check: {{{check}}}\n"));
        place.check(&["p.route"])
    };
    let plain = with("");
    assert_eq!(plain.code, 0);
    assert_eq!(with("deny_warnings: true").code, 1);
    contains(&with("allow: [single-provider, R2]").out, "suppressed)");
    assert!(!with("retire_window: 0d").out.contains("R203"));
    contains(&with("retire_window: 1000d").out, "warning[R203]");
    contains(&with("fuel: 1").out, "error[R410]");
    contains(&with("max_findings: 1, retire_window: 1000d").out, "and 2 more");
    place.file(
        "p.route",
        GOOD.replace("otherwise", "rule bare {\n  when streaming\n  tier            mid\n}\n\notherwise"),
    );
    assert!(!with("").out.contains("R905"));
    contains(&with("select: [R905]").out, "pedantic[R905]");
    for (check, says) in [
        ("fuel: 0", "check.fuel: 0 is not 1 to 1000000000"),
        ("coverage: 101", "check.coverage: 101 is more than 100 percent"),
        ("max_findings: 0", "check.max_findings: 0 would print nothing"),
        ("retire_window: 36h", "`36h` is not 0d to 3650d in whole days; write `90d`"),
        ("retire_window: soon", "check.retire_window: `soon` is not a duration"),
        ("max_finding: 3", "unknown key `check.max_finding`; did you mean `max_findings`?"),
        ("select: [R0412]", "`R0412` is no finding; the nearest is `R012`"),
        ("deny_warnings: 3", "deny_warnings"),
    ] {
        let ran = with(check);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{check}: {}", ran.err);
        contains(&ran.err, "wayside.yaml");
        contains(&ran.err, says);
    }
}

/// A row of the table of bad input: what a file is called and holds, the exit code, and what is said about it.
struct Bad {
    name: &'static str,
    bytes: Vec<u8>,
    code: i32,
    says: &'static str,
}

fn bad(name: &'static str, bytes: impl Into<Vec<u8>>, code: i32, says: &'static str) -> Bad {
    Bad { name, bytes: bytes.into(), code, says }
}

#[test]
fn bad_input_is_refused_with_a_place_and_nothing_is_written() {
    const LIMIT: usize = 4 << 20;
    let filled = |size: usize| {
        let mut text = GOOD.as_bytes().to_vec();
        text.extend(b"# ");
        text.resize(size - 1, b'x');
        text.push(b'\n');
        text
    };
    let rows = [
        bad("at_limit.route", filled(LIMIT), 0, ""),
        bad(
            "beyond_limit.route",
            filled(LIMIT + 1),
            1,
            "beyond_limit.route:1:1: error[R007] the file has 4194305 bytes, and a policy file at most 4194304",
        ),
        bad("far_beyond.route", filled(LIMIT + 2), 2, "`far_beyond.route` cannot be read: it has more than 4 MB\n"),
        bad("binary.route", b"\x7fELF\x02\x01\x00\xff\xfe".to_vec(), 2, "it is not UTF-8 text (byte 7 is 0xff)"),
        bad("nul.route", b"route 1\n\0\n".to_vec(), 1, "nul.route:2:1: error"),
        bad(
            "deep.route",
            format!("route 1\nrule a {{\n  when {}\n}}\n", "(".repeat(100_000)),
            1,
            "deep.route:3:71: error[R007] nested deeper than 64 levels",
        ),
        bad(
            "nested.route",
            format!("route 1\nrule a {{\n  when {}streaming{}\n  tier mid\n}}\n", "(".repeat(65), ")".repeat(65)),
            1,
            "error[R007]",
        ),
        bad("open.route", b"route 1\nrule a {\n  tier mid\nrule b {\n}\n".to_vec(), 1, "open.route:2:8: error[R003]"),
        bad("quote.route", b"route 1\ntemplate a \"never ends\n".to_vec(), 1, "quote.route:2:12: error[R004]"),
        bad("bidi.route", "route 1\nplans [fr\u{202e}ee]\n".as_bytes().to_vec(), 1, "bidi.route:2:10: error[R008]"),
        bad(
            "zero_width.route",
            "route 1\nplans [fr\u{200b}ee]\n".as_bytes().to_vec(),
            1,
            "zero_width.route:2:10: error[R008]",
        ),
        bad("crlf.route", GOOD.replace('\n', "\r\n").into_bytes(), 0, "crlf.route:1:1: warning[R901]"),
        bad("bom.route", format!("\u{feff}{GOOD}").into_bytes(), 0, ""),
        bad("empty.route", Vec::new(), 0, "empty.route:1:1: warning[R005]"),
        bad("newer.route", b"route 2\n".to_vec(), 1, "newer.route:1:7: error[R006]"),
        bad(
            "self.route",
            b"route 1\nuse \"self.route\"\n\notherwise {\n  reject 403 \"no\"\n}\n".to_vec(),
            1,
            "self.route:2:5: error[R011]",
        ),
        bad(
            "absent.route",
            b"route 1\nuse \"gone.route\"\n\notherwise {\n  reject 403 \"no\"\n}\n".to_vec(),
            1,
            "absent.route:2:5: error[R010]",
        ),
        bad(
            "climbs.route",
            b"route 1\nuse \"../../../../etc/passwd\"\n\notherwise {\n  reject 403 \"no\"\n}\n".to_vec(),
            1,
            "climbs.route:2:5: error[R010]",
        ),
    ];
    for Bad { name, bytes, code, says } in rows {
        let place = Place::new();
        place.file(name, &bytes);
        // Megabytes are read once.
        let extras = [&["--diff"][..], &["--format", "sarif"]];
        for extra in extras.iter().filter(|_| bytes.len() < LIMIT) {
            let ran = place.check(&[extra, &[name][..]].concat());
            assert_eq!(ran.code, code, "{name} {extra:?}: {}{}", ran.out, ran.err);
            assert!(!ran.err.contains("panicked"), "{name}: {}", ran.err);
            assert_eq!(fs::read(place.path(name)).unwrap(), bytes, "{name}");
        }
        let ran = place.check(&["--format", "short", name]);
        assert_eq!(ran.code, code, "{name}: {}{}", ran.out, ran.err);
        contains(if code == 2 { &ran.err } else { &ran.out }, says);
    }
}

#[test]
fn an_overlay_with_wrong_types_is_refused_at_its_line_in_every_format() {
    let place = Place::with(GOOD);
    for (overlay, line) in [
        ("schema: 1\nmodels:\n  - provider: openai\n    id: [1]\n", 4),
        ("schema: 1\nmodels: many\n", 2),
        ("schema: one\n", 1),
        ("- a list\n", 1),
        ("schema: 1\nmodels:\n  - {provider: openai, id: gpt-5.4-2026-03-05, retires_on: soon}\n", 3),
        ("schema: 1\nmodel: []\n", 2),
    ] {
        place.file("catalog.yaml", overlay);
        let ran = place.check(&["--format", "short", "p.route"]);
        assert_eq!(ran.code, 1, "{overlay}: {}", ran.err);
        contains(&ran.out, &format!("catalog.yaml:{line}:1: error[R121]"));
        for format in FORMATS {
            assert_eq!(place.check(&["--format", format, "--fix", "p.route"]).code, 1, "{format}");
        }
        assert_eq!(place.text("catalog.yaml"), overlay);
    }
}
