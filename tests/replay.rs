//! A logged line is decided again: by the policy of then as it was, by another by name, or with a clear word why not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

mod policies;

use policies::{Policy, compile};
use serde_json::{Value, json};
use wayside::policy::admit::{Defaults, Door};
use wayside::policy::checked::{BudgetId, ClassifierId, MetricId, RolloutId, SnapshotId, TierId};
use wayside::policy::plan::DropReason;
use wayside::policy::readings::{BudgetState, Readings};
use wayside::policy::replay::{BadLine, Cannot, Line, MAX_LINE, Replay};
use wayside::units::Share;

const POLICY: &str = r#"route 1
policy desk { timezone "Europe/Berlin", max_prompt 100k }
plans [free, pro]
feature reply {}
tenant acme { plan pro }
attribute channel is one of [chat, email] from header "x-channel", default chat
attribute seats is number 1..1000 from header "x-seats", default 1
tier mid { anthropic/claude-sonnet-5, openai/gpt-5.4-2026-03-05 }
tier small { openai/gpt-5.4-mini-2026-03-17, mistral/mistral-small-2603 }
template sorry "Please try again later."
rule night {
  when time in 22:00..06:00
  tier small
  snapshot openai/gpt-5.4-mini-2026-03-17
  degrade template sorry
}
rule long {
  when prompt_tokens >= 4k
  tier mid
  degrade template sorry
}
rule email {
  when channel is email and seats >= 10
  reject 403 "not by mail"
}
otherwise {
  tier mid
  snapshot anthropic/claude-sonnet-5
  fallback peer openai/gpt-5.4-2026-03-05
  degrade template sorry
}
"#;

/// A line as the proxy writes it: Monday noon in Berlin, answered by the second hop.
fn line() -> Value {
    json!({
        "schema": 1, "time": "2026-11-23T11:00:00.000Z", "request_id": "req_1f0c", "outcome": "answered", "status": 200,
        "request": {
            "endpoint": "chat", "tenant": "acme", "plan": "pro", "residency": "anywhere", "feature": "reply",
            "requested_model": "gpt-4o", "prompt_tokens": [12, 40], "max_tokens": 0, "streaming": true, "tools": false,
            "json_schema": false, "modality": "text", "priority": "interactive",
            "attributes": [["channel", "chat"], ["seats", "12"]],
        },
        "readings": {"minute_of_week": 720, "today": "2026-11-23"},
        "policy": "desk", "policy_hash": "sha256:00", "timezone": "Europe/Berlin", "rule": "otherwise", "tier": "mid",
        "chain": [{"hop": 2, "snapshot": "openai/gpt-5.4-2026-03-05", "tier": "mid"}],
        "dropped": [["anthropic/claude-sonnet-5", "cooling_down"]],
        "attempts": [{"hop": 2, "snapshot": "openai/gpt-5.4-2026-03-05", "attempt": 1, "failure": null, "started_ms": 1, "duration_ms": 9}],
        "snapshot": "openai/gpt-5.4-2026-03-05", "hop": 2, "drift": false, "total_ms": 10, "a_field_of_tomorrow": {},
    })
}

fn changed(change: impl FnOnce(&mut Value)) -> Line {
    let mut value = line();
    change(&mut value);
    Line::parse(&value.to_string()).unwrap()
}

fn admit(policy: &Policy, line: &Line) -> Result<Replay, Cannot> {
    let door = Door::new(policy.tree.checked().clone(), policy.catalog.clone(), Defaults::default()).unwrap();
    line.admit(&door)
}

fn rule(policy: &Policy, line: &Line) -> String {
    let plan = admit(policy, line).unwrap().plan(&policy.tree).unwrap();
    policy.tree.checked().rules[plan.rule.index()].name.to_string()
}

fn refused(policy: &Policy, line: &Line) -> String {
    admit(policy, line).unwrap_err().to_string()
}

#[test]
fn a_logged_decision_is_made_again_as_it_was() {
    let policy = compile(POLICY, "");
    let line = changed(|_| {});
    let replay = admit(&policy, &line).unwrap();
    assert_eq!(replay.unusable.iter().map(|(_, reason)| *reason).collect::<Vec<_>>(), [DropReason::CoolingDown]);
    let plan = replay.plan(&policy.tree).unwrap();
    assert_eq!(line.differences(policy.tree.checked(), Some(&plan)), []);
    assert!(!replay.guesses(&policy.tree), "4k is above anything this prompt can be");
}

#[test]
fn what_decided_then_decides_now() {
    let policy = compile(POLICY, "");
    assert_eq!(rule(&policy, &changed(|line| line["readings"]["minute_of_week"] = json!(1350))), "night");
    assert_eq!(rule(&policy, &changed(|line| line["request"]["prompt_tokens"] = json!([4000, 9000]))), "long");
    let email = |seats: &'static str| {
        changed(|line| line["request"]["attributes"] = json!([["channel", "email"], ["seats", seats]]))
    };
    assert_eq!(rule(&policy, &email("10")), "email");
    assert_eq!(rule(&policy, &email("9")), "otherwise");
}

#[test]
fn differences_name_what_was_and_what_is() {
    let policy = compile(POLICY, "");
    let line = changed(|line| {
        line["rule"] = json!("night");
        line["dropped"] = json!([]);
    });
    let plan = admit(&policy, &line).unwrap().plan(&policy.tree);
    let differences = line.differences(policy.tree.checked(), plan.as_ref());
    let of = |what: &str| differences.iter().find(|one| one.what == what).unwrap();
    assert_eq!((&*of("rule").was, &*of("rule").now), ("night", "otherwise"));
    assert_eq!(of("chain").now, "anthropic/claude-sonnet-5 (mid), openai/gpt-5.4-2026-03-05 (mid)");
    assert_eq!(differences.len(), 2);
}

#[test]
fn a_changed_policy_is_asked_by_name() {
    let line = changed(|_| {});
    // Tables in another order, another timezone, one tier more: every index is another one.
    let later = POLICY
        .replace("[free, pro]", "[trial, free, pro]")
        .replace("Europe/Berlin", "Asia/Tokyo")
        .replace("feature reply {}", "feature other_one {}\nfeature reply {}")
        .replace("tenant acme { plan pro }", "tenant zeta { plan free }\ntenant acme { plan trial }");
    let policy = compile(&later, "");
    let replay = admit(&policy, &line).unwrap();
    let checked = policy.tree.checked();
    assert_eq!(&*checked.features[usize::from(replay.facts.feature.unwrap())].name, "reply");
    assert_eq!(replay.readings.minute_of_week, 20 * 60, "noon in Berlin is 20:00 in Tokyo");
    // The row moved the tenant to another plan, and that is no contradiction to what was logged.
    assert_eq!(&*checked.plans[usize::from(replay.facts.plan.unwrap())], "trial");
    assert_eq!(rule(&policy, &changed(|line| line["readings"]["minute_of_week"] = json!(14 * 60))), "night");
}

#[test]
fn a_size_that_nobody_counted_is_assumed_and_said() {
    let policy = compile(&POLICY.replace("prompt_tokens >= 4k", "prompt_tokens >= 15"), "");
    let unsure = admit(&policy, &changed(|_| {})).unwrap();
    assert!(unsure.guesses(&policy.tree));
    assert_eq!(unsure.prompt.likely(), 12);
    let counted = admit(&policy, &changed(|line| line["request"]["prompt_tokens"] = json!([15, 15]))).unwrap();
    assert!(!counted.guesses(&policy.tree));
}

#[test]
fn what_the_policy_does_not_have_is_named() {
    let policy = compile(POLICY, "");
    let with = |field: &'static str, value: Value| refused(&policy, &changed(|line| line["request"][field] = value));
    assert!(with("feature", json!("reply2")).contains("feature `reply2` is not declared; the nearest is `reply`"));
    assert!(with("residency", json!("us")).contains("residency `us` is not declared"));
    assert!(with("endpoint", json!("chats")).contains("its `endpoint` is `chats`; the nearest is `chat`"));
    assert!(with("endpoint", json!("embeddings")).contains("this policy does not serve the endpoint `embeddings`"));
    assert!(with("modality", json!("text+smell")).contains("`modality` is `smell`"));
    assert!(with("attributes", json!([["channel", "fax"]])).contains("attribute `channel` cannot be `fax`"));
    assert!(with("prompt_tokens", json!([100_001, 100_001])).contains("413"));
    // A plan that only the line names; `acme` has a row, and the row wins.
    let unknown = changed(|line| {
        line["request"]["tenant"] = json!("nobody");
        line["request"]["plan"] = json!("por");
    });
    assert!(refused(&policy, &unknown).contains("plan `por` is not declared; the nearest is `pro`"));
}

#[test]
fn a_request_that_no_rule_decided_is_not_decided_again() {
    let policy = compile(POLICY, "");
    let line = changed(|line| {
        line["rule"] = Value::Null;
        line["readings"] = Value::Null;
        line["request"] = json!({"endpoint": "", "prompt_tokens": [0, 0]});
        (line["status"], line["reason"]) = (json!(400), json!("missing_attribute"));
    });
    assert_eq!(
        refused(&policy, &line),
        "the request was refused with 400 `missing_attribute` before any rule was asked"
    );
    let gone = changed(|line| (line["status"], line["rule"]) = (json!(0), Value::Null));
    assert_eq!(refused(&policy, &gone), "the caller left before any rule was asked");
}

#[test]
fn a_clock_that_contradicts_itself_is_refused() {
    let policy = compile(POLICY, "");
    let with = |field: &'static str, value: Value| refused(&policy, &changed(|line| line["readings"][field] = value));
    assert!(with("today", json!("2026-11-24")).contains("another weekday than 2026-11-24"));
    assert!(with("today", json!("soon")).contains("it is a day, like"));
    assert!(with("minute_of_week", json!(60_000)).contains("another weekday"));
    let elsewhere = changed(|line| line["timezone"] = json!("Mars/Olympus"));
    assert!(refused(&policy, &elsewhere).contains("it is a name like Europe/Berlin"));
}

#[test]
fn what_is_no_line_says_what_it_is_instead() {
    let bad = |text: &str| Line::parse(text).unwrap_err().to_string();
    assert!(bad("").contains("it is empty"));
    assert!(bad("127.0.0.1 - - GET /").contains("it begins with `127.0.0.1 - - GET /`"));
    assert!(bad("{}").contains("it is JSON, but no request"));
    assert!(bad("[1]").contains("it is JSON, but no request"));
    let whole = line().to_string();
    assert!(bad(&whole[..whole.len() / 2]).contains("no JSON object on one line"));
    let mut lacking = line();
    lacking.as_object_mut().unwrap().remove("policy_hash");
    assert!(bad(&lacking.to_string()).contains("missing field `policy_hash`"));
    let mut later = line();
    (later["schema"], later["request"]) = (json!(2), json!("moved"));
    assert_eq!(Line::parse(&later.to_string()).unwrap_err(), BadLine::Schema(2));
    assert!(bad(&"[".repeat(100_000)).contains("no JSON object on one line"));
}

#[test]
fn a_line_is_read_up_to_the_limit() {
    let mut value = line();
    value["pad"] = json!("");
    let room = MAX_LINE - value.to_string().len();
    value["pad"] = json!("x".repeat(room));
    assert!(Line::parse(&value.to_string()).is_ok());
    value["pad"] = json!("x".repeat(room + 1));
    assert_eq!(Line::parse(&value.to_string()).unwrap_err(), BadLine::TooLong);
}

/// [`POLICY`] with something that moves, and a rule for each of it.
fn moving(switches: &str, tiers: &str) -> Policy {
    let parts = format!(
        "{switches}
budget money {{ limit $5 per day, warn at 80% }}
classifier intent {{ labels [refund, chat], snapshot openai/gpt-5.4-mini-2026-03-17, timeout 300ms }}
signal slow {{ on when p95 of anthropic/claude-sonnet-5 > 9s, off when p95 of anthropic/claude-sonnet-5 < 5s, probe 1% }}
rollout next {{ replace anthropic/claude-sonnet-5, with mistral/mistral-medium-2604, by tenant, stages [10%, 100%], hold 1d }}
rule poor {{ when budget money is spent, tier small, degrade template sorry }}
rule refund {{ when intent is refund, tier small, degrade template sorry }}
rule cheap {{ when economy, tier small, degrade template sorry }}
rule slowed {{ when slow, tier small, degrade template sorry }}
rule failing {{ when errors of mistral >= 5%, tier small, degrade template sorry }}
rule long {{"
    );
    let text = POLICY.replace("rule long {", &parts);
    let tier = "tier mid { anthropic/claude-sonnet-5, openai/gpt-5.4-2026-03-05";
    compile(&text.replace(tier, &format!("{tiers}{tier}, mistral/mistral-medium-2604")), "")
}

#[test]
fn readings_are_those_of_their_names_in_any_policy() {
    let policy = moving("switch economy { default off }", "");
    // Another switch, and another tier, before those that were logged.
    let other = moving(
        "switch before { default off }\nswitch economy { default off }",
        "tier big { anthropic/claude-opus-5 }\n",
    );
    for (table, rule_then) in [
        (json!({}), "otherwise"),
        (json!({"budgets": {"money": "spent"}}), "poor"),
        (json!({"labels": {"intent": "refund"}}), "refund"),
        (json!({"switches": {"economy": true, "gone": true}}), "cheap"),
        (json!({"signals": {"slow": true}}), "slowed"),
        (json!({"metrics": {"errors of mistral": 500}}), "failing"),
        (json!({"metrics": {"errors of mistral": 499}}), "otherwise"),
    ] {
        let line = changed(|line| {
            for (key, value) in table.as_object().unwrap() {
                line["readings"][key] = value.clone();
            }
        });
        assert_eq!(
            (rule(&policy, &line), rule(&other, &line)),
            (rule_then.to_owned(), rule_then.to_owned()),
            "{table}"
        );
    }
    let staged = changed(|line| line["readings"]["stages"] = json!({"next": "100%"}));
    let plan = admit(&other, &staged).unwrap().plan(&other.tree).unwrap();
    let wayside::policy::plan::Action::Run(run) = plan.action else { panic!("it has a chain") };
    assert_eq!(run.rollouts.len(), 1);
}

#[test]
fn a_reading_that_the_policy_cannot_have_is_named() {
    let policy = moving("switch economy { default off }", "");
    let with = |table: &'static str, value: Value| refused(&policy, &changed(|line| line["readings"][table] = value));
    assert_eq!(with("budgets", json!({"money": "spend"})), "its `budgets` is `spend`; the nearest is `spent`");
    assert_eq!(with("labels", json!({"intent": "sale"})), "its `labels` is `sale`; it is one of refund, chat");
    assert_eq!(with("stages", json!({"next": "110%"})), "its `stages` is `110%`; the nearest is `10%`");
}

#[test]
fn what_was_logged_is_read_back() {
    let policy = moving("switch economy { default off }", "");
    let checked = policy.tree.checked();
    let mut readings = Readings::civil("2026-11-23T12:00:00".parse().unwrap());
    readings.set_budget(BudgetId(0), BudgetState::Warn);
    readings.set_label(ClassifierId(0), Some(1));
    readings.draw = 4_200;
    let standing = readings.standing_mut();
    standing.set_switch(0, true);
    standing.set_signal(0, true);
    standing.set_metric(MetricId(0), Some(9_130));
    standing.set_fastest(TierId(1), vec![SnapshotId(4), SnapshotId(3)]);
    standing.set_stage(RolloutId(0), Share(1_250));
    let logged = |readings: &Readings| -> Value {
        let mut written = Vec::new();
        readings.named(checked).write(&mut written);
        serde_json::from_slice(&written).unwrap()
    };
    let full = logged(&readings);
    assert_eq!(
        full,
        json!({
            "minute_of_week": 720, "today": "2026-11-23", "budgets": {"money": "warn"}, "labels": {"intent": "chat"},
            "draw": 4200, "switches": {"economy": true}, "signals": {"slow": true}, "metrics": {"errors of mistral": 9130},
            "fastest": {"small": ["mistral/mistral-small-2603", "openai/gpt-5.4-mini-2026-03-17"]},
            "stages": {"next": "12.5%"},
        })
    );
    let line = changed(|line| line["readings"] = full);
    assert_eq!(admit(&policy, &line).unwrap().readings, readings);
    let quiet = Readings::civil("2026-11-23T12:00:00".parse().unwrap());
    assert_eq!(logged(&quiet), json!({"minute_of_week": 720, "today": "2026-11-23"}));
}
