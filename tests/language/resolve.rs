//! From text to a checked policy: what names, units, inheritance and expansion come to mean.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use wayside::catalog::Catalog;
use wayside::failure::{Failure, FailureSet};
use wayside::policy::ast::{Intent, OnCut, Order};
use wayside::policy::check::time::worst_time;
use wayside::policy::check::{Settings, check};
use wayside::policy::checked::{
    Chain, Checked, Claim, Class, Cond, Domain, Hold, HopOptions, Origin, Outcome, Promise, Retry, Subject, Target,
    Values,
};
use wayside::policy::diagnostic::{Diagnostic, Level};
use wayside::policy::resolve::{
    Context, Files, MAX_CONDITION_TESTS, MAX_DECLARATIONS, MAX_DEFINE_DEPTH, MAX_FILES, load, resolve,
};
use wayside::units::{Millis, Tokens};

const TIERS: &str = "route 1
tier mid {
  anthropic/claude-sonnet-5
  openai/gpt-5.4-2026-03-05
  candidate mistral/mistral-medium-2604
}
tier small {
  openai/gpt-5.4-mini-2026-03-17
  mistral/mistral-small-2603
}
template sorry \"Sorry.\"
";

const OTHERWISE: &str = "otherwise {
  tier mid
  degrade template sorry
}
";

struct Memory(BTreeMap<String, String>);

impl Files for Memory {
    fn read(&self, path: &str) -> Result<String, String> {
        self.0.get(path).cloned().ok_or_else(|| "no such file".to_owned())
    }

    fn glob(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}

fn of_files(files: &[(&str, &str)]) -> (Checked, Vec<Diagnostic>) {
    let memory = Memory(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect());
    let loaded = load(files[0].0, &memory);
    let catalog = Catalog::embedded();
    let ctx = Context { catalog: &catalog, files: &memory, today: "2026-11-22".parse().unwrap(), providers: &[] };
    let mut findings = loaded.findings.clone();
    let checked = resolve(&loaded, &ctx, &mut findings);
    (checked, findings)
}

fn of(text: &str) -> (Checked, Vec<Diagnostic>) {
    of_files(&[("policies/desk.route", &format!("{TIERS}{text}"))])
}

/// A policy without errors.
fn clean(text: &str) -> Checked {
    let (checked, findings) = of(text);
    let errors: Vec<&Diagnostic> = findings.iter().filter(|finding| finding.level == Level::Error).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    checked
}

/// A policy whose first rule has this condition.
fn with_condition(declarations: &str, condition: &str) -> Checked {
    clean(&format!(
        "{declarations}\nrule one {{\n  when {condition}\n  tier small\n  degrade template sorry\n}}\n{OTHERWISE}"
    ))
}

fn chain(checked: &Checked, rule: usize) -> &Chain {
    match &checked.rules[rule].outcome {
        Outcome::Chain(chain) => chain,
        Outcome::Reject { .. } => panic!("a chain is expected"),
    }
}

/// The only test of a condition.
fn test(checked: &Checked) -> (Subject, &Values) {
    match &checked.rules[0].when {
        Cond::Test { column, values, .. } => (checked.columns[column.index()].subject, values),
        other => panic!("one test is expected, not {other:?}"),
    }
}

fn codes(findings: &[Diagnostic]) -> Vec<&'static str> {
    findings.iter().filter(|finding| finding.level == Level::Error).map(|finding| finding.code.code).collect()
}

fn because(checked: &Checked) -> Vec<&str> {
    checked.implications.iter().map(|implication| implication.because.as_str()).collect()
}

fn becauses(declarations: &str, condition: &str) -> Vec<String> {
    because(&with_condition(declarations, condition)).into_iter().map(str::to_owned).collect()
}

#[test]
fn a_policy_without_a_header_has_the_defaults_of_the_language() {
    let checked = clean(OTHERWISE);
    assert_eq!((&*checked.name, checked.deadline), ("desk", Millis::secs(60)));
    assert_eq!(
        checked.endpoints.iter().map(|endpoint| endpoint.word()).collect::<Vec<_>>(),
        ["chat", "responses", "messages"]
    );
    // The largest member: a window of 1,000,000 with a margin of a tenth, less the room for an answer.
    assert_eq!(checked.max_prompt, Tokens(908_160));
    assert!(checked.columns.is_empty() && checked.unsupported.is_empty());
    let chain = chain(&checked, 0);
    assert_eq!((chain.hold, chain.on_cut, chain.deadline), (Hold::FirstToken, OnCut::Error, Millis::secs(60)));
    assert_eq!(chain.order, Order::InOrder);
}

#[test]
fn a_tier_alone_is_its_members_without_candidates() {
    let checked = clean(OTHERWISE);
    let chain = chain(&checked, 0);
    assert!(matches!(chain.promise, Promise::Tier(tier) if &*checked.tiers[tier.index()].name == "mid"));
    let names: Vec<String> = chain
        .hops
        .iter()
        .map(|hop| match (hop.target, hop.origin, hop.claim) {
            (Target::Snapshot(id), Origin::Tier(_), Claim::Promised) => checked.snapshots[id.index()].model.to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(names, ["anthropic/claude-sonnet-5", "openai/gpt-5.4-2026-03-05"]);
    assert_eq!(
        chain.hops[0].options,
        HopOptions {
            timeout: Millis::secs(10),
            stream_timeout: Millis::secs(30),
            first_token: Millis::secs(10),
            idle: Millis::secs(10),
            stream_limit: Millis::secs(600),
            retry: None,
            on: FailureSet::MOVES_ON,
            regions: Vec::new(),
            max_output: None,
            hedge: None,
        }
    );
}

#[test]
fn the_nearest_option_wins_hop_then_tier_line_then_rule_then_defaults() {
    let checked = clean(
        "defaults {
  timeout 20s
  first_token 9s
  idle 8s
  retry 0
  max_output 1k
  hold complete
  on cut error
}
otherwise {
  tier            mid, timeout 15s, max_output 2k
  snapshot        anthropic/claude-sonnet-5, timeout 6s, retry 2 on [overload] backoff 1s, on [default, refusal]
  fallback peer   openai/gpt-5.4-2026-03-05
  fallback lower  tier small, max_output 300
  degrade         template sorry
  timeout 18s
  deadline 50s
}
",
    );
    let chain = chain(&checked, 0);
    let options: Vec<(u64, u64, u64, u64)> = chain
        .hops
        .iter()
        .map(|hop| &hop.options)
        .map(|o| (o.timeout.0 / 1000, o.first_token.0 / 1000, o.idle.0 / 1000, o.max_output.unwrap().0))
        .collect();
    // An inherited `first_token` is lowered to a nearer `timeout`.
    assert_eq!(options, [(6, 6, 8, 2000), (15, 9, 8, 2000), (15, 9, 8, 300), (15, 9, 8, 300)]);
    let first = &chain.hops[0].options;
    assert_eq!(first.stream_timeout, Millis::secs(6));
    let overload = FailureSet::EMPTY.with(Failure::Overload);
    assert_eq!(first.retry, Some(Retry { count: 2, on: overload, backoff: Millis::secs(1) }));
    assert_eq!(first.on, FailureSet::MOVES_ON.with(Failure::Refusal));
    assert_eq!(chain.hops[1].options.retry, Some(Retry::NONE));
    assert_eq!(chain.hops[1].claim, Claim::Fallback(Intent::Peer));
    assert_eq!((chain.hold, chain.deadline), (Hold::Complete, Millis::secs(50)));
}

#[test]
fn a_ladder_brings_its_tier_and_hops_and_the_rule_its_own_limits() {
    let checked = clean(
        "ladder reply {
  tier            mid
  snapshot        anthropic/claude-sonnet-5, timeout 12s
  fallback lower  mistral/mistral-small-2603
}
otherwise {
  ladder          reply
  degrade         template sorry
  timeout 7s
}
",
    );
    let chain = chain(&checked, 0);
    let timeouts: Vec<u64> = chain.hops.iter().map(|hop| hop.options.timeout.0 / 1000).collect();
    assert_eq!(timeouts, [12, 7]);
    assert_eq!(chain.degrade.len(), 1);
    // 12 twice, the default retry's wait, and 7.
    assert_eq!(worst_time(chain), Millis(31_250));
}

#[test]
fn a_range_of_tokens_is_half_open_and_a_comparison_is_a_range() {
    let header = "policy desk { max_prompt 180k }";
    let ranges = |condition: &str| match test(&with_condition(header, condition)) {
        (Subject::PromptTokens, Values::Ranges(ranges)) => ranges.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(ranges("prompt_tokens in 4k..16k"), [(4000, 16_000)]);
    assert_eq!(ranges("prompt_tokens >= 100k"), [(100_000, 180_001)]);
    assert_eq!(ranges("prompt_tokens > 100k"), [(100_001, 180_001)]);
    assert_eq!(ranges("prompt_tokens < 100k"), [(0, 100_000)]);
    assert_eq!(ranges("prompt_tokens <= 100k"), [(0, 100_001)]);
    // The largest prompt is admitted.
    assert_eq!(ranges("prompt_tokens is 180k"), [(180_000, 180_001)]);
}

#[test]
fn time_and_day_are_one_column_and_a_night_wraps_the_week() {
    let checked = with_condition("", "time in 22:00..06:00 and not day in weekend");
    assert_eq!(checked.columns.len(), 1);
    assert_eq!((checked.columns[0].class, &*checked.columns[0].name), (Class::Reading, "time"));
    let Cond::All(parts) = &checked.rules[0].when else { panic!() };
    let Cond::Test { values: Values::Ranges(nights), .. } = &parts[0] else { panic!() };
    assert_eq!((nights.len(), nights[0], nights[7]), (8, (0, 360), (9960, 10_080)));
    let Cond::Not(weekend) = &parts[1] else { panic!() };
    assert!(matches!(&**weekend, Cond::Test { values: Values::Ranges(days), .. } if *days == [(7200, 10_080)]));
}

#[test]
fn each_member_of_a_set_is_a_column_of_its_own() {
    let checked = with_condition("", "modality has image or modality has audio");
    let names: Vec<&str> = checked.columns.iter().map(|column| &*column.name).collect();
    assert_eq!(names, ["modality has image", "modality has audio"]);
}

#[test]
fn a_define_is_written_out_and_an_unused_one_is_no_column() {
    let checked =
        with_condition("define long as prompt_tokens >= 100k\ndefine spoken as modality has audio", "not long");
    assert_eq!(checked.columns.len(), 1);
    assert!(matches!(&checked.rules[0].when, Cond::Not(inner) if matches!(**inner, Cond::Test { .. })));
}

#[test]
fn a_tenant_implies_what_its_row_says_once_a_condition_names_it() {
    let people = "plans [free, pro]\ntenant acme { plan pro }\ntenant harbor { plan free }\ntenant quill { }";
    let condition = "tenant in [acme, quill] and plan is pro";
    assert_eq!(becauses(people, condition), ["tenant acme is on plan pro"]);
    // Nothing to imply where nothing looks at plans.
    assert!(becauses(people, "tenant is acme").is_empty());
}

#[test]
fn other_is_whoever_has_no_row() {
    let checked = with_condition("tenant acme { }\ntenant quill { }", "tenant in [other, quill]");
    let Cond::Not(rest) = &checked.rules[0].when else { panic!("{:?}", checked.rules[0].when) };
    assert!(matches!(&**rest, Cond::Test { values: Values::Enum(named), .. } if *named == [0]));
}

#[test]
fn stakes_bring_features_with_them() {
    let features = "feature refund { stakes high }\nfeature tag { stakes low }";
    assert_eq!(
        becauses(features, "stakes is high"),
        ["without a feature, stakes are normal", "feature refund has stakes high", "feature tag has stakes low"]
    );
}

#[test]
fn a_requested_model_is_a_text_and_the_snapshot_behind_it() {
    let condition =
        "requested_model is \"gpt-5.4\" or requested_model is anthropic/claude-sonnet-5 or requested_tier is mid";
    let checked = with_condition("", condition);
    let subjects: Vec<Subject> = checked.columns.iter().map(|column| column.subject).collect();
    assert_eq!(subjects, [Subject::RequestedModel, Subject::RequestedSnapshot, Subject::RequestedTier]);
    assert_eq!(
        because(&checked),
        [
            "`gpt-5.4` is openai/gpt-5.4-2026-03-05",
            "`gpt-5.4` is in tier mid",
            "anthropic/claude-sonnet-5 is in tier mid",
            "openai/gpt-5.4-2026-03-05 is in tier mid",
        ]
    );
    assert!(matches!(&checked.columns[1].domain, Domain::Enum { values, open: true } if values.len() == 2));
}

#[test]
fn budgets_switches_and_classifiers_are_columns_with_a_price() {
    let checked = with_condition(
        "budget day { limit $5 per day }\nswitch slow { default on }\nclassifier intent {\n  labels [refund, other]\n  snapshot openai/gpt-5.4-mini-2026-03-17\n  reads last_message\n}",
        "budget day is spent and slow and intent in [refund, unsure]",
    );
    let columns: Vec<(&str, Class)> = checked.columns.iter().map(|column| (&*column.name, column.class)).collect();
    assert_eq!(columns, [("day", Class::Reading), ("slow", Class::Reading), ("intent", Class::Paid)]);
    assert!(checked.moving.switches[0].default);
    // They are understood, and `serve` must still refuse them.
    let names: Vec<&str> = checked.unsupported.iter().map(|(what, _)| what.as_str()).collect();
    assert_eq!(names, ["budget `day`", "switch `slow`", "classifier `intent`"]);
}

#[test]
fn rules_of_a_used_file_stand_where_the_use_stands() {
    let (checked, _) = of_files(&[
        (
            "p/desk.route",
            "route 1\nuse \"../shared/tiers.route\"\nrule first {\n  reject 403\n}\nuse \"more.route\"\notherwise {\n  reject 404\n}\n",
        ),
        ("p/more.route", "route 1\nuse \"../shared/tiers.route\"\nrule second {\n  reject 405\n}\n"),
        ("shared/tiers.route", TIERS),
    ]);
    let names: Vec<&str> = checked.rules.iter().map(|rule| &*rule.name).collect();
    assert_eq!(names, ["first", "second", "otherwise"]);
    assert_eq!(checked.tiers.len(), 2);
}

#[test]
fn one_wrong_name_is_one_finding_wherever_it_stands() {
    let (_, findings) = of("ladder reply {
  tier            mid
  snapshot        anthropic/claude-sonnet-5, on [defualt]
  fallback lower  tier smal
}
rule one {
  when streaming
  ladder reply
  degrade template sorry
}
otherwise {
  ladder reply
  degrade template sorry
}
");
    assert_eq!(codes(&findings), ["R333", "R107"]);
}

#[test]
fn defines_may_stand_in_each_other_up_to_the_limit() {
    let nested = |depth: usize| {
        let mut text = String::from("define d1 as streaming\n");
        for at in 2..=depth {
            writeln!(text, "define d{at} as d{}", at - 1).unwrap();
        }
        write!(text, "rule one {{\n  when d{depth}\n  reject 403\n}}\n{OTHERWISE}").unwrap();
        codes(&of(&text).1)
    };
    assert!(nested(MAX_DEFINE_DEPTH).is_empty());
    assert_eq!(nested(MAX_DEFINE_DEPTH + 1), ["R007"]);
}

#[test]
fn defines_that_double_stop_at_the_limit_of_tests() {
    let wide = |tests: usize| {
        let parts = vec!["streaming"; tests].join(" or ");
        codes(&of(&format!("define wide as {parts}\nrule one {{\n  when wide\n  reject 403\n}}\n{OTHERWISE}")).1)
    };
    assert!(wide(MAX_CONDITION_TESTS).is_empty());
    assert_eq!(wide(MAX_CONDITION_TESTS + 1), ["R411"]);
    let mut doubling = String::from("define d1 as streaming or tools\n");
    for at in 2..60 {
        writeln!(doubling, "define d{at} as d{} or d{}", at - 1, at - 1).unwrap();
    }
    let (_, findings) = of(&format!("{doubling}rule one {{\n  when d59\n  reject 403\n}}\n{OTHERWISE}"));
    assert_eq!(codes(&findings), ["R411"]);
}

#[test]
fn a_set_has_files_and_declarations_up_to_their_limits() {
    let files = |count: usize| {
        let uses: String = (1..count).map(|at| format!("use \"f{at}.route\"\n")).collect();
        let mut memory = Memory(BTreeMap::from([("f0.route".to_owned(), format!("route 1\n{uses}"))]));
        memory.0.extend((1..count).map(|at| (format!("f{at}.route"), "route 1\n".to_owned())));
        codes(&load("f0.route", &memory).findings)
    };
    assert!(files(MAX_FILES).is_empty());
    assert_eq!(files(MAX_FILES + 1), ["R010"]);
    let templates = |count: usize| {
        let text: String = (1..count).map(|at| format!("template t{at} \"x\"\n")).collect();
        codes(&of(&format!("{text}{OTHERWISE}")).1)
    };
    assert!(templates(MAX_DECLARATIONS).is_empty());
    assert_eq!(templates(MAX_DECLARATIONS + 1), ["R007"]);
}

#[test]
fn every_error_at_once_and_none_twice() {
    let (_, findings) = of("plans [free, free]
tenant acme { plan gold, residency eu }
group many = [acme, nobody]
attribute channel is one of [], from header \"Cookie\"
rule one {
  when tenant in many and plan is gold and feature is search
  tier            mid
  snapshot        openai/gpt-5.4
  degrade         queue desk within 5k
}
otherwise {
  because \"Nothing.\"
}
");
    let found = codes(&findings);
    let wanted =
        ["R108", "R104", "R107", "R107", "R112", "R119", "R104", "R102", "R201", "R323", "R116", "R111", "R318"];
    for code in wanted {
        assert!(found.contains(&code), "{code} is missing in {found:?}");
    }
    assert_eq!(found.len(), wanted.len(), "{found:?}");
}

#[test]
fn an_allow_takes_a_finding_away_but_never_what_is_not_carried_out() {
    let text = format!(
        "{TIERS}otherwise {{
  tier mid
  # allow single-provider: one contract until March
  snapshot anthropic/claude-sonnet-5
  degrade template sorry
  # allow not-supported-yet: we like it
  cache semantic 0.97 for 1h per [tenant]
}}
"
    );
    let memory = Memory(BTreeMap::from([("desk.route".to_owned(), text)]));
    let report = check("desk.route", &memory, &Catalog::embedded(), &Settings::on("2026-11-22".parse().unwrap()));
    let has = |findings: &[Diagnostic], code| findings.iter().any(|finding| finding.code.code == code);
    assert!(!has(&report.findings, "R308") && has(&report.everything, "R308"));
    assert_eq!(report.suppressed, 1);
    // What `serve` does not carry out is language all the same, and no finding of `check`.
    assert!(!has(&report.everything, "R990") && has(&report.findings, "R902") && report.compiled.is_some());
    assert_eq!(report.checked.unsupported.len(), 1);
}
