//! `wayside test --record`: a request log becomes tests that pass, say no more than decisions hang on, and fail after an edit.
//!
//! `tests/corpus/record` holds a policy, a log and what is recorded. `WAYSIDE_BLESS=1` writes the expectations anew.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use wayside::policy::checked::{Checked, SnapshotId};
use wayside::policy::explain::explain;
use wayside::policy::plan::Action;
use wayside::policy::prove::Options;
use wayside::policy::replay::Line;
use wayside::rehearse::record::{MAX_TESTS, Recorder};

use crate::place::{self, Place, contains};
use crate::policies::{self, Policy, compile};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/record")
}

fn desk() -> Place {
    let place = Place::new();
    for name in ["desk.route", "log.jsonl"] {
        place.file(name, fs::read(corpus().join(name)).unwrap());
    }
    place
}

const RECORD: [&str; 4] = ["test", "desk.route", "--record", "log.jsonl"];

#[test]
fn a_log_becomes_tests_and_says_what_gave_none() {
    let ran = desk().run(&RECORD);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for (name, now) in [("desk.test.route", &ran.out), ("stderr.txt", &ran.err)] {
        let path = corpus().join(name);
        if std::env::var_os("WAYSIDE_BLESS").is_some() {
            fs::write(&path, now).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap_or_default(), *now, "{name}");
    }
    assert_eq!(desk().run(&RECORD).out, ran.out, "twice the same bytes");
}

#[test]
fn nothing_that_a_caller_wrote_freely_is_recorded() {
    let ran = desk().run(&RECORD);
    let log = fs::read_to_string(corpus().join("log.jsonl")).unwrap();
    for secret in ["hush", "alice", "my secret note"] {
        assert!(log.contains(secret), "the log has no {secret}");
        assert!(!ran.out.contains(secret) && !ran.err.contains(secret), "{secret}:\n{}{}", ran.out, ran.err);
    }
}

#[test]
fn recorded_tests_pass_and_an_edit_of_the_policy_makes_them_fail() {
    let place = desk();
    place.file("desk.test.route", place.run(&RECORD).out);
    let laid_out = place.run(&["fmt", "--check", "desk.test.route"]);
    assert_eq!(laid_out.code, 0, "{}{}", laid_out.out, laid_out.err);
    let ran = place.run(&["test", "desk.test.route"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    assert!(ran.out.contains(" passed, 0 failed"), "{}", ran.out);
    let found = place.check(&["desk.test.route"]);
    assert_eq!(found.code, 0, "{}", found.out);

    let text = place.text("desk.route");
    for (was, now, fails) in [
        ("when plan is pro", "when plan is free", "FAIL  paying"),
        ("seats >= 10", "seats >= 100", "FAIL  by_mail"),
        ("when prompt_tokens >= 4k", "when prompt_tokens >= 64k", "FAIL  long"),
        ("22:00..06:00", "01:00..06:00", "FAIL  night"),
    ] {
        assert!(text.contains(was), "{was}");
        place.file("desk.route", text.replace(was, now));
        let ran = place.run(&["test", "desk.test.route"]);
        assert_eq!(ran.code, 1, "{}", ran.out);
        contains(&ran.out, fails);
    }
}

#[test]
fn what_cannot_be_recorded_answers_2_and_says_why() {
    let place = desk();
    place.file("empty.jsonl", "");
    place.file("other.jsonl", "{\"a\":1}\n");
    place.file("refused.jsonl", place.text("log.jsonl").lines().find(|line| line.contains("\"refused\"")).unwrap());
    place.file("broken.route", "route 1\nrule r { tier nowhere }\n");
    for (args, says) in [
        (["desk.route", "empty.jsonl"], "`empty.jsonl` is empty"),
        (["desk.route", "other.jsonl"], "`other.jsonl` is no request log; line 1: it is JSON, but no request"),
        (["desk.route", "refused.jsonl"], "no request of `refused.jsonl` gives a test"),
        (["desk.route", "nowhere.jsonl"], "`nowhere.jsonl` cannot be read: no such file"),
        (["broken.route", "log.jsonl"], "so nobody can say what it decides"),
        (["nowhere.route", "log.jsonl"], "`nowhere.route` cannot be read: no such file"),
        ([".", "log.jsonl"], "`--record` takes one policy"),
    ] {
        let ran = place.run(&["test", args[0], "--record", args[1]]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}: {}", ran.err);
        contains(&ran.err, says);
    }
}

/// Everything that a decision can read.
const MOVING: &str = r#"route 1
policy desk { timezone "UTC", max_prompt 100k }
plans [free, pro]
budget pro_tokens { covers plan is pro, limit 5M tokens per day, warn at 80% }
switch economy { default off }
signal slow { on when p95 of anthropic > 9s, off when p95 of anthropic < 4s }
classifier intent { labels [refund, how_to], snapshot openai/gpt-5.4-mini-2026-03-17, timeout 300ms, reads last_message }
tier mid { anthropic/claude-sonnet-5, openai/gpt-5.4-2026-03-05, candidate anthropic/claude-sonnet-5-5 }
tier small { openai/gpt-5.4-mini-2026-03-17, mistral/mistral-small-2603 }
rollout next {
  replace anthropic/claude-sonnet-5
  with anthropic/claude-sonnet-5-5
  by user
  stages [1%, 10%, 50%, 100%]
  hold 2d
  halt when errors > 2%
}
template sorry "Please try again later."
rule saving { when economy, tier small, degrade template sorry }
rule slow_now { when slow, tier small, degrade template sorry }
rule failing { when errors of openai > 5%, tier small, degrade template sorry }
rule refunds { when intent is refund, tier mid, degrade template sorry }
rule spent { when plan is pro and budget pro_tokens is spent, tier small, degrade template sorry }
rule asked { when requested_tier is small, tier small, fastest, degrade template sorry }
otherwise { tier mid, degrade template sorry }
"#;

/// A request as the proxy logs it.
fn logged(policy: &Policy, request: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut asked = policy.ask(request).unwrap_or_else(|errors| panic!("{request}: {errors:?}"));
    if request.contains("requested_model=mistral/") {
        // A reading that no test can give: the second member answers sooner.
        let tier = policy.tree.checked().tiers.iter().position(|tier| &*tier.name == "small").unwrap();
        let members: Vec<SnapshotId> = policy.tree.checked().tiers[tier].members.iter().rev().copied().collect();
        asked.readings.standing_mut().set_fastest(wayside::policy::checked::TierId(tier as u16), members);
    }
    if request.contains("user=in_or_out_") {
        asked.readings.standing_mut().set_stage(wayside::policy::checked::RolloutId(0), wayside::units::Share(5000));
    }
    let explained = explain(&policy.tree, &asked);
    let plan = explained.plan.as_ref().unwrap();
    let checked: &Checked = policy.tree.checked();
    let model = |id: SnapshotId| checked.snapshots[id.index()].model.to_string();
    let Action::Run(run) = &plan.action else { panic!("{request} is refused") };
    let tier = |id: Option<wayside::policy::checked::TierId>| id.map(|id| checked.tiers[id.index()].name.to_string());
    let chain: Vec<Value> = run
        .hops
        .iter()
        .map(|hop| json!({"hop": hop.position, "snapshot": model(hop.snapshot), "tier": tier(hop.tier)}))
        .collect();
    let facts = &asked.facts;
    let mut readings = Vec::new();
    asked.readings.named(checked).write(&mut readings);
    let readings: Value = serde_json::from_slice(&readings).unwrap();
    let mut line = json!({
        "schema": 1, "time": "2026-11-23T11:00:00.000Z", "request_id": "req_1", "outcome": "answered", "status": 200,
        "request": {
            "endpoint": "chat", "tenant": "hush", "plan": facts.plan.map(|at| checked.plans[usize::from(at)].to_string()),
            "user": &*facts.user, "requested_model": &*facts.requested_model,
            "prompt_tokens": [asked.prompt_tokens, asked.prompt_tokens], "modality": "text", "priority": "interactive",
        },
        "readings": readings, "policy": "desk", "policy_hash": &**policy.tree.hash(),
        "timezone": "UTC", "rule": checked.rules[plan.rule.index()].name.to_string(), "tier": tier(plan.tier),
        "chain": chain,
    });
    change(&mut line);
    line.to_string()
}

fn recorded(policy: &Policy, lines: &[String]) -> (String, wayside::rehearse::record::Left) {
    let options = Options { today: Some(policies::TODAY), ..Options::default() };
    let mut recorder = Recorder::new(&policy.tree, &policy.catalog, options).unwrap();
    for (at, line) in lines.iter().enumerate() {
        recorder.add(at as u64 + 1, &Line::parse(line).unwrap());
    }
    (recorder.text("desk.route").unwrap(), recorder.left)
}

#[test]
fn readings_are_given_as_far_as_a_decision_hangs_on_them() {
    let policy = compile(MOVING, "");
    let given = |request: &str| {
        let (text, left) = recorded(&policy, &[logged(&policy, request, |_| {})]);
        assert_eq!(left, wayside::rehearse::record::Left::default(), "{request}");
        let place = Place::new();
        place.file("desk.route", MOVING);
        place.file("desk.test.route", &text);
        let ran = place.run(&["test", "desk.test.route", "--today", place::TODAY]);
        assert_eq!(ran.code, 0, "{text}\n{}", ran.out);
        contains(&ran.out, "1 test: 1 passed, 0 failed");
        text
    };
    contains(&given("plan=pro economy=on user=alice"), "given economy is on");
    contains(&given("plan=pro slow=on"), "given slow is on");
    contains(&given("plan=free intent=refund"), "intent refund");
    contains(&given("plan=pro pro_tokens=spent"), "given budget pro_tokens is spent");
    // Who is taken in by a stage of 50% hangs on the user, who is not named.
    let taken_in: Vec<bool> = (0..8)
        .map(|n| {
            let text = given(&format!("plan=free user=in_or_out_{n}"));
            assert!(!text.contains("in_or_out"), "{text}");
            let taken_in = text.contains("given rollout next at 100%");
            assert_eq!(text.contains("given rollout next at 0%"), !taken_in, "{text}");
            assert_eq!(text.contains("anthropic/claude-sonnet-5-5"), taken_in, "{text}");
            taken_in
        })
        .collect();
    assert!(taken_in.contains(&true) && taken_in.contains(&false), "{taken_in:?}");
    let order = given("plan=free requested_model=mistral/mistral-small-2603");
    contains(&order, "expect rule asked\n}");
}

#[test]
fn two_hundred_decisions_are_recorded_and_one_more_is_counted() {
    let rule = |n: usize| format!("rule r{n} {{ when user is \"u{n}\", tier mid, degrade template sorry }}\n");
    let rules: String = (0..=MAX_TESTS).map(rule).collect();
    let head = "route 1\ntier mid { anthropic/claude-sonnet-5, openai/gpt-5.4-2026-03-05 }\n";
    let policy = compile(
        &format!("{head}template sorry \"Later.\"\n{rules}otherwise {{ tier mid, degrade template sorry }}\n"),
        "",
    );
    let lines = |count: usize| -> Vec<String> {
        (0..count)
            .map(|n| logged(&policy, &format!("user=u{n}"), |line| line["request"]["plan"] = Value::Null))
            .collect()
    };
    let (text, left) = recorded(&policy, &lines(MAX_TESTS));
    assert_eq!((text.matches("\ntest ").count(), left.beyond.requests), (MAX_TESTS, 0));
    let (text, left) = recorded(&policy, &lines(MAX_TESTS + 1));
    assert_eq!((text.matches("\ntest ").count(), left.beyond.requests), (MAX_TESTS, 1));
    assert_eq!(left.beyond.first.map(|first| first.0), Some(MAX_TESTS as u64 + 1));
}
