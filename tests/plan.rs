//! From a decided rule to the hops that may be tried.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

mod policies;

use policies::{Policy, compile};
use wayside::policy::checked::SnapshotId;
use wayside::policy::explain::explain;
use wayside::policy::facts::PromptSize;
use wayside::policy::plan::{Action, DropReason, Run, plan};

const POLICY: &str = r#"
route 1
policy p { timezone "UTC", deadline 50s, max_prompt 900k, endpoints [chat, embeddings] }
plans [free, pro]
residency eu = [eu-west]
feature brief { max_output 100, deadline 20s }
feature own { max_output 4k }
tenant bank { plan pro, approved [openai, mistral] }
template sorry "Please try again."

tier mid {
  anthropic/claude-sonnet-5
  openai/gpt-5.4-2026-03-05
  mistral/mistral-medium-2604
}
tier small {
  openai/gpt-5.4-mini-2026-03-17
  anthropic/claude-haiku-5-5
  mistral/mistral-small-2603
}

rule own {
  when feature is own
  tier            as requested
  fallback lower  tier small
  degrade         template sorry
}

rule refuse {
  when max_tokens > 50k
  reject          400
}

rule paying {
  when plan is pro
  tier            mid
  snapshot        anthropic/claude-sonnet-5, timeout 12s, max_output 2k
  fallback peer   openai/gpt-5.4-2026-03-05, retry 2 on [server_error] backoff 1s
  fallback lower  tier small
  degrade         template sorry
}

rule cheap {
  when max_tokens in 1..10
  tier            small, cheapest
  degrade         template sorry
}

otherwise {
  tier            small, in [eu-west, us-east]
  degrade         template sorry
}
"#;

const OVERLAY: &str = "
schema: 1
models:
  - {provider: openai, id: gpt-5.4-mini-2026-03-17, regions: [us-east]}
  - {provider: anthropic, id: claude-haiku-5-5, regions: [eu-west, us-east]}
  - {provider: mistral, id: mistral-small-2603, regions: [eu-west], capabilities: {tools: false}}
  - {provider: openai, id: gpt-5.4-2026-03-05, capabilities: {vision: false, json_schema: false}}
  - {provider: mistral, id: mistral-medium-2604, retires_on: 2026-12-31}
";

fn run(policy: &Policy, request: &str, usable: &dyn Fn(&str) -> Option<DropReason>) -> Run {
    let asked = policy.ask(request).unwrap();
    let rule = explain(&policy.tree, &asked).rule.unwrap();
    let usable = |id: SnapshotId| usable(&policy.tree.checked().snapshots[id.index()].model.id);
    let mut prompt = asked.prompt_tokens;
    match plan(&policy.tree, rule, &asked.facts, &mut prompt, &asked.readings, &usable).action {
        Action::Run(run) => run,
        Action::Reject { status, message } => panic!("rejected with {status} {message}"),
    }
}

/// `1 claude-sonnet-5, 2 gpt-5.4 | mistral-medium: retired`
fn shown(policy: &Policy, run: &Run) -> String {
    let name = |id: SnapshotId| policy.tree.checked().snapshots[id.index()].model.id.to_string();
    let hops: Vec<String> = run.hops.iter().map(|hop| format!("{} {}", hop.position, name(hop.snapshot))).collect();
    let dropped = run
        .dropped
        .iter()
        .map(|one| format!("{} {}", one.snapshot.map_or("requested".to_owned(), name), one.reason.word()));
    let dropped: Vec<String> = dropped.collect();
    format!("{} | {}", hops.join(", "), dropped.join(", "))
}

#[test]
fn a_chain_keeps_what_a_request_can_use_and_says_why_the_rest_is_out() {
    let policy = compile(POLICY, OVERLAY);
    let sonnet = "1 claude-sonnet-5";
    let small = "3 gpt-5.4-mini-2026-03-17, 4 claude-haiku-5-5, 5 mistral-small-2603";
    for (request, expected) in [
        ("plan=pro", format!("{sonnet}, 2 gpt-5.4-2026-03-05, {small} | ")),
        ("plan=pro tools=yes", format!("{sonnet}, 2 gpt-5.4-2026-03-05, 3 gpt-5.4-mini-2026-03-17, 4 claude-haiku-5-5 | mistral-small-2603 tools")),
        ("plan=pro modality=text+image", format!("{sonnet}, {small} | gpt-5.4-2026-03-05 modality")),
        ("plan=pro json_schema=yes", format!("{sonnet}, {small} | gpt-5.4-2026-03-05 json_schema")),
        ("plan=pro prompt_tokens=300k", format!("{sonnet}, 2 gpt-5.4-2026-03-05, 4 claude-haiku-5-5 | gpt-5.4-mini-2026-03-17 too_small, mistral-small-2603 too_small")),
        ("tenant=bank", "2 gpt-5.4-2026-03-05, 3 gpt-5.4-mini-2026-03-17, 5 mistral-small-2603 | claude-sonnet-5 not_approved, claude-haiku-5-5 not_approved".to_owned()),
        ("plan=pro residency=eu", "5 mistral-small-2603 | claude-sonnet-5 outside_region, gpt-5.4-2026-03-05 outside_region, gpt-5.4-mini-2026-03-17 outside_region, claude-haiku-5-5 outside_region".to_owned()),
        ("plan=pro endpoint=embeddings", " | claude-sonnet-5 endpoint, gpt-5.4-2026-03-05 endpoint, gpt-5.4-mini-2026-03-17 endpoint, claude-haiku-5-5 endpoint, mistral-small-2603 endpoint".to_owned()),
        ("plan=free", "1 gpt-5.4-mini-2026-03-17, 2 claude-haiku-5-5, 3 mistral-small-2603 | ".to_owned()),
        ("feature=own model=gpt-5.4 now=2026-12-31T12:00", "1 gpt-5.4-2026-03-05, 2 claude-sonnet-5, 4 gpt-5.4-mini-2026-03-17, 5 claude-haiku-5-5, 6 mistral-small-2603 | mistral-medium-2604 retired".to_owned()),
        ("feature=own model=gpt-5.4-mini-2026-03-17", "1 gpt-5.4-mini-2026-03-17, 2 claude-haiku-5-5, 3 mistral-small-2603 | ".to_owned()),
        ("feature=own model=nobodys-model", " | requested not_requested, gpt-5.4-mini-2026-03-17 not_requested, claude-haiku-5-5 not_requested, mistral-small-2603 not_requested".to_owned()),
    ] {
        assert_eq!(shown(&policy, &run(&policy, request, &|_| None)), expected, "{request}");
    }
}

#[test]
fn what_a_guarantee_forbids_is_dropped_for_the_requests_it_speaks_of() {
    let guarantee = "\nguarantee payers_stay_off_mistral {\n  for plan is pro and prompt_tokens >= 10k\n  never provider mistral\n}\n";
    let policy = compile(&format!("{POLICY}{guarantee}"), OVERLAY);
    let chain = "1 claude-sonnet-5, 2 gpt-5.4-2026-03-05, 3 gpt-5.4-mini-2026-03-17, 4 claude-haiku-5-5";
    let of = |request: &str| shown(&policy, &run(&policy, request, &|_| None));
    assert_eq!(of("plan=pro prompt_tokens=10k"), format!("{chain} | mistral-small-2603 forbidden"));
    assert_eq!(of("plan=pro prompt_tokens=9999"), format!("{chain}, 5 mistral-small-2603 | "));
}

#[test]
fn a_cheapest_tier_is_ordered_by_what_this_request_costs() {
    let policy = compile(POLICY, OVERLAY);
    let order = |request: &str| shown(&policy, &run(&policy, request, &|_| None));
    assert_eq!(
        order("plan=free max_tokens=1"),
        "1 claude-haiku-5-5, 2 mistral-small-2603, 3 gpt-5.4-mini-2026-03-17 | "
    );
    // As a batch the second costs half, and less than the first.
    assert_eq!(
        order("plan=free max_tokens=1 priority=batch"),
        "1 mistral-small-2603, 2 claude-haiku-5-5, 3 gpt-5.4-mini-2026-03-17 | "
    );
}

#[test]
fn breakers_take_hops_out_but_never_the_last_one() {
    let policy = compile(POLICY, OVERLAY);
    let cooling = |list: &'static [&'static str]| move |id: &str| list.contains(&id).then_some(DropReason::CoolingDown);
    let some = run(&policy, "plan=free", &cooling(&["gpt-5.4-mini-2026-03-17"]));
    assert_eq!(
        shown(&policy, &some),
        "2 claude-haiku-5-5, 3 mistral-small-2603 | gpt-5.4-mini-2026-03-17 cooling_down"
    );
    let all = run(&policy, "plan=free", &|_| Some(DropReason::CoolingDown));
    assert_eq!(
        shown(&policy, &all),
        "3 mistral-small-2603 | gpt-5.4-mini-2026-03-17 cooling_down, claude-haiku-5-5 cooling_down"
    );
    let tools = run(&policy, "plan=free tools=yes", &|_| Some(DropReason::CoolingDown));
    assert_eq!(
        shown(&policy, &tools),
        "2 claude-haiku-5-5 | gpt-5.4-mini-2026-03-17 cooling_down, mistral-small-2603 tools"
    );
    let none = run(&policy, "plan=free", &|_| Some(DropReason::NotConfigured));
    assert!(none.hops.is_empty() && none.dropped.len() == 3);
}

#[test]
fn only_the_first_usable_hop_retries_when_nobody_says_otherwise() {
    let policy = compile(POLICY, OVERLAY);
    let counts = |run: &Run| run.hops.iter().map(|hop| hop.retry.count).collect::<Vec<_>>();
    assert_eq!(counts(&run(&policy, "plan=pro", &|_| None)), [1, 2, 0, 0, 0]);
    assert_eq!(counts(&run(&policy, "plan=free", &|_| None)), [1, 0, 0]);
    let without_first = run(&policy, "plan=free", &|id| id.starts_with("gpt").then_some(DropReason::CoolingDown));
    assert_eq!(counts(&without_first), [1, 0]);
}

#[test]
fn limits_follow_the_kind_of_answer_and_the_feature() {
    let policy = compile(POLICY, OVERLAY);
    let plain = run(&policy, "plan=pro", &|_| None);
    let stream = run(&policy, "plan=pro streaming=yes", &|_| None);
    let seconds = |run: &Run| run.hops.iter().take(2).map(|hop| hop.timeout.0 / 1000).collect::<Vec<_>>();
    assert_eq!(seconds(&plain), [12, 10]);
    assert_eq!(seconds(&stream), [12, 30]);
    assert_eq!(plain.deadline.0, 50_000);
    let brief = run(&policy, "plan=pro feature=brief", &|_| None);
    assert_eq!(brief.deadline.0, 20_000);
    let caps = |run: &Run| run.hops.iter().take(2).map(|hop| hop.max_output.map(|cap| cap.0)).collect::<Vec<_>>();
    assert_eq!(caps(&plain), [Some(2000), None]);
    assert_eq!(caps(&brief), [Some(100), Some(100)]);
}

#[test]
fn a_rule_that_rejects_without_a_word_still_says_something() {
    let policy = compile(POLICY, OVERLAY);
    let asked = policy.ask("plan=free max_tokens=60k").unwrap();
    let explanation = explain(&policy.tree, &asked);
    let Action::Reject { status, message } = &explanation.plan.as_ref().unwrap().action else { panic!("not rejected") };
    assert_eq!((*status, message.is_empty()), (400, false));
}

/// Refuses to be counted.
struct Uncounted;

impl PromptSize for Uncounted {
    fn exceeds(&mut self, tokens: u64) -> bool {
        assert!(tokens > 100_000, "asked for {tokens} tokens");
        false
    }
}

#[test]
fn a_prompt_is_measured_only_against_windows() {
    let policy = compile(POLICY, OVERLAY);
    let asked = policy.ask("plan=pro").unwrap();
    let rule = explain(&policy.tree, &asked).rule.unwrap();
    let planned = plan(&policy.tree, rule, &asked.facts, &mut Uncounted, &asked.readings, &|_| None);
    assert!(matches!(planned.action, Action::Run(run) if run.hops.len() == 5));
}
