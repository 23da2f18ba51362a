//! What the analysis says of chains, on made-up models.

use std::sync::Arc;

use wayside::catalog::{Capabilities, Catalog, Entry};
use wayside::failure::FailureSet;
use wayside::names::ModelRef;
use wayside::policy::ast::Intent;
use wayside::policy::checked::*;
use wayside::policy::diagnostic::{Diagnostic, Level};
use wayside::policy::prove::{Options, prove};
use wayside::units::{Millis, Tokens};

use crate::generate::*;

/// A model that can do everything, with a window of `input` tokens after its margin.
fn entry(input: u64) -> Entry {
    let any = Catalog::embedded().entries().next().unwrap().clone();
    let all = Capabilities {
        vision: Some(true),
        tools: Some(true),
        json_schema: Some(true),
        streaming: Some(true),
        ..Capabilities::default()
    };
    Entry {
        mode: Some("chat".into()),
        context_window: None,
        max_input: Some(input),
        max_output: Some(8_000),
        capabilities: all,
        regions: None,
        tokens_margin: Some(0.0),
        ..any
    }
}

/// Two tiers, `mid` above `small`; the snapshots are in `mid`, but the last, which is in `small`.
fn policy(entries: Vec<Entry>, rules: Vec<Rule>) -> Checked {
    let last = entries.len() - 1;
    let tier_of = |at: usize| TierId(u16::from(at == last && last > 0));
    let snapshots = entries.into_iter().enumerate().map(|(at, entry)| Snapshot {
        model: ModelRef::new(&format!("maker{at}"), "model-1"),
        facts: Some(Arc::new(entry)),
        tier: Some(tier_of(at)),
        span: span(at),
    });
    let snapshots: Vec<Snapshot> = snapshots.collect();
    let tier = |name: &str, id: u16| Tier {
        name: name.into(),
        specialized: false,
        members: (0..=last as u16).map(SnapshotId).filter(|at| tier_of(at.index()) == TierId(id)).collect(),
        candidates: vec![],
        span: span(0),
    };
    Checked {
        columns: columns(1, 3),
        plans: names("plan", 3),
        tiers: vec![tier("mid", 0), tier("small", 1)],
        snapshots,
        templates: vec![Template { name: "sorry".into(), text: "sorry".into() }],
        rules,
        ..blank()
    }
}

fn hop(snapshot: u16, claim: Claim) -> Hop {
    let options = HopOptions {
        timeout: Millis::secs(10),
        stream_timeout: Millis::secs(30),
        first_token: Millis::secs(10),
        idle: Millis::secs(10),
        stream_limit: Millis::secs(600),
        retry: None,
        on: FailureSet::EMPTY,
        regions: vec![],
        max_output: None,
        hedge: None,
    };
    let place = span(500 + usize::from(snapshot));
    Hop {
        claim,
        origin: Origin::Written,
        target: Target::Snapshot(SnapshotId(snapshot)),
        options,
        origins: HopOrigins::default(),
        span: place,
    }
}

fn first(snapshot: u16) -> Hop {
    hop(snapshot, Claim::Promised)
}

fn from_tier(snapshot: u16) -> Hop {
    Hop { origin: Origin::Tier(TierId(0)), ..first(snapshot) }
}

fn sorry() -> Vec<Degrade> {
    vec![Degrade::Template(TemplateId(0))]
}

fn answers(at: usize, name: &str, when: Cond, hops: Vec<Hop>, degrade: Vec<Degrade>) -> Rule {
    rule_with(at, name, when, Outcome::Chain(chain(Promise::Tier(TierId(0)), hops, degrade)))
}

fn findings(checked: &Checked) -> Vec<Diagnostic> {
    prove(checked, Options::default()).unwrap()
}

fn shown(found: &[Diagnostic]) -> Vec<String> {
    let one = |found: &Diagnostic| {
        let witness = found.witness.as_ref().map(|one| one.request.iter().chain(&one.readings));
        let words: Vec<String> = witness.into_iter().flatten().map(|(name, value)| format!("{name} {value}")).collect();
        format!("{} {}: {}", found.code.code, found.level.word(), words.join(", ")).trim_end().to_owned()
    };
    found.iter().map(one).collect()
}

#[test]
fn a_chain_that_serves_everything_is_clean() {
    let checked = policy(vec![entry(180_000)], vec![answers(0, "otherwise", Cond::True, vec![first(0)], sorry())]);
    assert_eq!(shown(&findings(&checked)), [""; 0]);
}

#[test]
fn a_written_hop_with_a_small_window_states_the_threshold() {
    let hops = vec![first(0), hop(1, Claim::Fallback(Intent::Peer))];
    let entries = vec![entry(100_000), entry(200_000)];
    let checked = policy(entries, vec![answers(0, "otherwise", Cond::True, hops, sorry())]);
    let found = findings(&checked);
    assert_eq!(shown(&found), ["R311 warning: prompt_tokens 110k"]);
    assert_eq!(found[0].here, "takes prompts up to 100k tokens");
    assert_eq!(found[0].notes, ["prompts above 100,000 tokens go past this hop"]);
    assert_eq!(found[0].span, span(500));
}

#[test]
fn a_window_is_asked_about_only_for_prompts_the_rule_gets() {
    let small = vec![first(0), hop(1, Claim::Fallback(Intent::Peer))];
    let mut checked = policy(vec![entry(100_000), entry(200_000)], vec![]);
    checked.columns = columns(3, 3);
    let long = test(2, Values::Ranges(vec![(100_001, 180_001)]));
    checked.rules =
        vec![answers(0, "long", long, vec![first(1)], sorry()), answers(1, "otherwise", Cond::True, small, sorry())];
    assert_eq!(shown(&findings(&checked)), [""; 0]);
}

#[test]
fn members_of_a_tier_are_dropped_without_comment_until_none_is_left() {
    let rules = |degrade| vec![answers(0, "otherwise", Cond::True, vec![from_tier(0), from_tier(1)], degrade)];
    let checked = policy(vec![entry(100_000), entry(200_000)], rules(sorry()));
    assert_eq!(shown(&findings(&checked)), [""; 0]);
    let checked = policy(vec![entry(100_000), entry(120_000)], rules(sorry()));
    assert_eq!(shown(&findings(&checked)), ["R312 warning: prompt_tokens 130k"]);
    let checked = policy(vec![entry(100_000), entry(120_000)], rules(vec![]));
    let found = findings(&checked);
    assert_eq!(found[0].level, Level::Error, "no degrade: the request ends in an error");
    assert_eq!(found[0].notes.len(), 2, "a reason for each hop");
}

#[test]
fn a_feature_that_caps_its_answer_leaves_more_room_for_the_prompt() {
    let shared = Entry { context_window: Some(100_000), max_input: Some(100_000), ..entry(100_000) };
    let mut checked = policy(vec![shared], vec![answers(0, "otherwise", Cond::True, vec![first(0)], vec![])]);
    checked.max_prompt = Tokens(99_500);
    checked.features = vec![Feature {
        name: "short".into(),
        stakes: Stakes::Normal,
        max_output: Some(Tokens(100)),
        deadline: None,
        span: span(0),
    }];
    let found = findings(&checked);
    assert_eq!(shown(&found), ["R311 warning: prompt_tokens 99k", "R312 error: prompt_tokens 99k"]);
}

#[test]
fn a_first_hop_without_a_capability_is_an_error_and_a_later_one_a_warning() {
    let mute =
        Entry { capabilities: Capabilities { streaming: Some(false), ..entry(1).capabilities }, ..entry(200_000) };
    let plain = Entry { capabilities: Capabilities { tools: Some(false), ..entry(1).capabilities }, ..entry(200_000) };
    let hops = vec![first(0), hop(1, Claim::Fallback(Intent::Peer)), hop(2, Claim::Fallback(Intent::Lower))];
    let entries = vec![mute, plain, entry(200_000)];
    let checked = policy(entries, vec![answers(0, "otherwise", Cond::True, hops, sorry())]);
    assert_eq!(shown(&findings(&checked)), ["R209 error: streaming yes", "R209 warning: tools yes"]);
}

#[test]
fn a_hop_that_serves_nothing_the_rule_gets_is_never_tried() {
    let plain = Entry { capabilities: Capabilities { tools: Some(false), ..entry(1).capabilities }, ..entry(200_000) };
    let mut checked = policy(vec![entry(200_000), plain], vec![]);
    checked.columns.push(column("tools", Subject::Tools, Domain::Bool, Class::Free));
    let hops = vec![first(0), hop(1, Claim::Fallback(Intent::Lower))];
    checked.rules = vec![
        answers(0, "tools", test(1, Values::Bool(true)), hops, sorry()),
        answers(1, "otherwise", Cond::True, vec![first(0)], sorry()),
    ];
    assert_eq!(shown(&findings(&checked)), ["R313 warning:"]);
}

fn refunds() -> Feature {
    Feature { name: "refunds".into(), stakes: Stakes::High, max_output: None, deadline: None, span: span(0) }
}

#[test]
fn high_stakes_end_with_a_person_and_keep_their_tier() {
    let queue = || vec![Degrade::Queue { name: "desk".into(), within: None }];
    let lower = || vec![first(0), hop(1, Claim::Fallback(Intent::Lower))];
    let with = |hops, degrade| {
        let mut checked =
            policy(vec![entry(200_000), entry(200_000)], vec![answers(0, "otherwise", Cond::True, hops, degrade)]);
        checked.features = vec![refunds()];
        shown(&findings(&checked))
    };
    assert_eq!(with(vec![first(0)], queue()), [""; 0]);
    assert_eq!(with(vec![first(0)], sorry()), ["R310 error: feature refunds"]);
    assert_eq!(with(lower(), queue()), ["R314 error: feature refunds"]);
}

#[test]
fn residency_and_approval_are_asked_of_written_hops() {
    let here = Entry { regions: Some(vec!["eu-west".into()]), ..entry(200_000) };
    let hops = vec![first(0), hop(1, Claim::Fallback(Intent::Peer)), hop(2, Claim::Fallback(Intent::Lower))];
    let entries = vec![here.clone(), entry(200_000), here];
    let mut checked = policy(entries, vec![answers(0, "otherwise", Cond::True, hops, sorry())]);
    checked.residencies.push(Residency { name: "eu".into(), regions: vec!["eu-west".into()] });
    checked.tenants = vec![
        Tenant { name: "fixly".into(), plan: None, residency: Some(0), approved: None },
        Tenant {
            name: "acme".into(),
            plan: None,
            residency: None,
            approved: Some(vec!["maker0".into(), "maker1".into()]),
        },
    ];
    assert_eq!(shown(&findings(&checked)), ["R803 error: residency eu", "R805 error: tenant acme"]);
}
