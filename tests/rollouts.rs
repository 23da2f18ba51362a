//! Rollouts and the fastest order: what a chain becomes under readings.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

mod policies;

use policies::{Policy, compile};
use wayside::policy::checked::{ClassifierId, RolloutId, SnapshotId, TierId};
use wayside::policy::decide::{AtomCond, Fetch, decide};
use wayside::policy::explain::{Asked, explain};
use wayside::policy::holds::{Answer, Seen};
use wayside::policy::plan::{Action, DropReason, Run, asks, bucket, plan};
use wayside::policy::readings::Readings;
use wayside::units::Share;

const POLICY: &str = r#"
route 1
policy p { max_prompt 100k }
plans [free, pro]
tenant acme { plan pro }
tenant bank { plan pro }
attribute channel is one of [chat, email], from header "x-channel", default chat
template sorry "Please try again."
classifier intent { labels [refund, other], webhook w, reads last_message }

tier mid {
  anthropic/claude-sonnet-5
  openai/gpt-5.4-2026-03-05
  candidate mistral/mistral-medium-2604
}
tier small {
  openai/gpt-5.4-mini-2026-03-17
  anthropic/claude-haiku-5-5
  mistral/mistral-small-2603
}

rollout next {
  replace anthropic/claude-sonnet-5
  with mistral/mistral-medium-2604
  where plan is pro and not (channel is email and intent is refund)
  by tenant
  stages [10%, 50%, 100%]
  hold 2d
  halt when errors > 2%
}

rollout then {
  after next
  replace openai/gpt-5.4-2026-03-05
  with anthropic/claude-haiku-5-5
  stages [100%]
  hold 2d
}

rule paying {
  when plan is pro
  tier            mid
  snapshot        anthropic/claude-sonnet-5, timeout 12s, retry 2 on [server_error] backoff 1s
  fallback peer   openai/gpt-5.4-2026-03-05
  degrade         template sorry
}

otherwise {
  tier            small, fastest
  degrade         template sorry
}
"#;

fn asked(policy: &Policy, request: &str, change: impl FnOnce(&mut Readings)) -> Asked {
    let mut asked = policy.ask(request).unwrap();
    change(&mut asked.readings);
    asked
}

fn run(policy: &Policy, asked: &Asked, usable: &dyn Fn(&str) -> Option<DropReason>) -> Run {
    let rule = explain(&policy.tree, asked).rule.unwrap();
    let usable = |id: SnapshotId| usable(&policy.tree.checked().snapshots[id.index()].model.id);
    let mut prompt = asked.prompt_tokens;
    match plan(&policy.tree, rule, &asked.facts, &mut prompt, &asked.readings, &usable).action {
        Action::Run(run) => run,
        Action::Reject { status, message } => panic!("rejected with {status} {message}"),
    }
}

/// `mistral-medium-2604 x3, claude-sonnet-5 x1`: how often each is tried at most.
fn tried(policy: &Policy, run: &Run) -> String {
    let name = |id: SnapshotId| policy.tree.checked().snapshots[id.index()].model.id.to_string();
    let hops: Vec<String> =
        run.hops.iter().map(|hop| format!("{} x{}", name(hop.snapshot), hop.retry.count + 1)).collect();
    hops.join(", ")
}

fn stage(rollout: u16, percent: u16) -> impl FnOnce(&mut Readings) {
    move |readings| readings.standing_mut().set_stage(RolloutId(rollout), Share(percent * 100))
}

const OLD: &str = "claude-sonnet-5 x3, gpt-5.4-2026-03-05 x1";
const NEW: &str = "mistral-medium-2604 x3, claude-sonnet-5 x1, gpt-5.4-2026-03-05 x1";

#[test]
fn the_new_snapshot_goes_in_front_with_the_hops_options_and_its_retry() {
    let policy = compile(POLICY, "");
    let chain = |request: &str, change: &dyn Fn(&mut Readings)| {
        let asked = asked(&policy, request, change);
        let run = run(&policy, &asked, &|_| None);
        (tried(&policy, &run), run)
    };
    assert_eq!(chain("tenant=acme", &|_| {}).0, OLD, "nothing has happened");
    let (new, run) = chain("tenant=acme", &|readings| stage(0, 100)(readings));
    assert_eq!(new, NEW);
    assert_eq!(run.rollouts, [RolloutId(0)]);
    assert_eq!((run.hops[0].rollout, run.hops[1].rollout), (Some(RolloutId(0)), None));
    assert_eq!((run.hops[0].timeout, run.hops[0].tier), (run.hops[1].timeout, run.hops[1].tier));
}

#[test]
fn a_new_snapshot_that_cannot_be_used_leaves_the_old_one_its_retry() {
    let policy = compile(POLICY, "");
    let asked = asked(&policy, "tenant=acme", stage(0, 100));
    let out = run(&policy, &asked, &|id| id.starts_with("mistral-medium").then_some(DropReason::CoolingDown));
    assert_eq!(tried(&policy, &out), OLD);
    assert_eq!(out.rollouts, [RolloutId(0)]);
}

#[test]
fn the_bucket_of_a_tenant_is_what_the_documentation_says() {
    let policy = compile(POLICY, "");
    let checked = policy.tree.checked();
    let rollout = &checked.moving.rollouts[0];
    for (tenant, expected) in [("acme", 5122), ("bank", 6347)] {
        let asked = asked(&policy, &format!("tenant={tenant}"), |_| {});
        assert_eq!(bucket(checked, rollout, &asked.facts, &asked.readings), expected, "{tenant}");
        // The stage is a share of the buckets: whoever is in it stays in it.
        for (percent, inside) in [(0, false), (expected / 100, false), (expected / 100 + 1, true), (100, true)] {
            let asked = self::asked(&policy, &format!("tenant={tenant}"), stage(0, percent));
            let out = run(&policy, &asked, &|_| None);
            assert_eq!(tried(&policy, &out), if inside { NEW } else { OLD }, "{tenant} at {percent}%");
        }
    }
}

#[test]
fn a_rollout_waits_until_the_one_before_stands_at_its_last_stage() {
    let policy = compile(POLICY, "");
    let at = |first: u16| {
        let asked = asked(&policy, "tenant=acme", |readings| {
            stage(0, first)(readings);
            stage(1, 100)(readings);
        });
        tried(&policy, &run(&policy, &asked, &|_| None))
    };
    assert_eq!(at(0), OLD);
    assert!(!at(50).contains("haiku"));
    assert_eq!(at(100), "mistral-medium-2604 x3, claude-sonnet-5 x1, claude-haiku-5-5 x1, gpt-5.4-2026-03-05 x1");
}

#[test]
fn a_rollout_without_by_goes_by_the_draw() {
    let policy = compile(POLICY, "");
    let checked = policy.tree.checked();
    let drawn = |draw: u16| {
        let asked = asked(&policy, "tenant=acme", |readings| readings.draw = draw);
        bucket(checked, &checked.moving.rollouts[1], &asked.facts, &asked.readings)
    };
    assert_eq!((drawn(0), drawn(9_999)), (0, 9_999));
}

#[test]
fn a_rollout_that_hangs_on_a_label_asks_for_it_and_for_nothing_else() {
    let policy = compile(POLICY, "");
    let checked = policy.tree.checked();
    let wants = |request: &str, percent: u16, asked_for: bool| {
        let asked = asked(&policy, request, stage(0, percent));
        let rule = explain(&policy.tree, &asked).rule.unwrap();
        asks(checked, rule, &asked.facts, &mut { asked.prompt_tokens }, &asked.readings, &|_| asked_for)
    };
    assert_eq!(wants("tenant=acme channel=email", 100, false), Some(ClassifierId(0)));
    assert_eq!(wants("tenant=acme channel=email", 100, true), None);
    assert_eq!(wants("tenant=acme channel=chat", 100, false), None, "the channel settles it");
    assert_eq!(wants("tenant=acme channel=email", 0, false), None, "no stage, no question");
    assert_eq!(wants("plan=free channel=email", 100, false), None, "not its snapshot");
    let labeled = |label: Option<u16>| {
        let asked = asked(&policy, "tenant=acme channel=email", |readings| {
            stage(0, 100)(readings);
            readings.set_label(ClassifierId(0), label);
        });
        tried(&policy, &run(&policy, &asked, &|_| None))
    };
    assert_eq!((labeled(Some(0)).as_str(), labeled(Some(1)).as_str(), labeled(None).as_str()), (OLD, NEW, NEW));
}

#[test]
fn the_fastest_order_comes_from_the_readings_and_is_the_declared_one_without() {
    let policy = compile(POLICY, "");
    let small = policy.tree.checked().tiers[1].members.clone();
    let order = |members: Vec<SnapshotId>| {
        let asked = asked(&policy, "plan=free", |readings| {
            readings.standing_mut().set_fastest(TierId(1), members);
        });
        tried(&policy, &run(&policy, &asked, &|_| None))
    };
    let declared = "gpt-5.4-mini-2026-03-17 x2, claude-haiku-5-5 x1, mistral-small-2603 x1";
    assert_eq!(order(Vec::new()), declared);
    assert_eq!(
        order(vec![small[2], small[1]]),
        "mistral-small-2603 x2, claude-haiku-5-5 x1, gpt-5.4-mini-2026-03-17 x1"
    );
}

/// Answers nothing but what the readings say.
struct Said<'a>(&'a Policy, &'a Readings);

impl Fetch for Said<'_> {
    fn atom(&mut self, column: wayside::policy::checked::ColumnId) -> wayside::policy::atom_set::AtomId {
        self.0.tree.fetch(self.1).atom(column)
    }
}

#[test]
fn a_condition_holds_for_facts_exactly_when_it_holds_for_their_atoms() {
    let conditions = [
        "plan is pro and channel is not email",
        "tenant is acme or tenant is other",
        "prompt_tokens in 2k..4k or prompt_tokens >= 90k",
        "streaming or (tools and not json_schema)",
        "modality has image or endpoint is responses",
        "requested_model is \"gpt-5.4\" or requested_tier is mid",
        "requested_model is anthropic/claude-sonnet-5 or user like \"bot-*\"",
        "time in 22:00..06:00 or day is mon",
        "intent is unsure and plan is free",
        "stakes is high or residency is anywhere and max_tokens < 5k",
    ];
    let requests = [
        "tenant=acme channel=email",
        "plan=free prompt_tokens=2k",
        "plan=free prompt_tokens=4k streaming=yes",
        "tenant=bank prompt_tokens=95k tools=yes json_schema=yes",
        "plan=free tools=yes modality=text+image",
        "plan=pro model=gpt-5.4 max_tokens=6k",
        "plan=pro model=claude-sonnet-5 endpoint=responses user=bot-7",
        "plan=free now=2026-11-22T23:30",
        "plan=free time=05:59 day=mon user=amy",
    ];
    for condition in conditions {
        let text = POLICY.replace("when plan is pro\n", &format!("when {condition}\n"));
        let policy = compile(&text, "");
        let checked = policy.tree.checked();
        let rule = &checked.rules[0].when;
        let atoms = AtomCond::of(policy.tree.space(), rule);
        let mut held = 0;
        for request in requests {
            let asked = policy.ask(request).unwrap();
            let facts = policy.tree.request(&asked.facts, &mut { asked.prompt_tokens });
            let mut fetch = Said(&policy, &asked.readings);
            let decided = decide(&policy.tree, &facts, &mut fetch).unwrap().0 == 0;
            let mut atom = |column| match policy.tree.space().column(column).class {
                wayside::policy::checked::Class::Free => facts.atom(column),
                _ => policy.tree.fetch(&asked.readings).atom(column),
            };
            assert_eq!(atoms.holds(&mut atom), decided);
            let seen = Seen { checked, facts: &asked.facts, readings: &asked.readings };
            assert_eq!(seen.holds(rule, &mut { asked.prompt_tokens }), decided, "{condition} for {request}");
            let answer = seen.answer(rule, &mut { asked.prompt_tokens }, &|_| true);
            assert_eq!(answer, if decided { Answer::Yes } else { Answer::No }, "{condition} for {request}");
            held += usize::from(decided);
        }
        assert!(held > 0 && held < requests.len(), "{condition} tells nothing apart: {held}");
    }
}
