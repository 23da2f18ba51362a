//! What reaches a rule: a request, the largest prompt, the features.

use jiff::civil::date;
use wayside::catalog::Catalog;
use wayside::policy::check::{Settings, check};
use wayside::policy::checked::RuleId;
use wayside::policy::prove::{Options, Reach, reach};

use crate::generate::one::One;

const POLICY: &str = r#"route 1
policy p { max_prompt 100k }
plans [free, pro]
feature reply { max_output 1k }
feature tag { max_output 50 }
tier mid { openai/gpt-5.4-2026-03-05, anthropic/claude-sonnet-5 }
template sorry "Sorry."
rule long {
  when prompt_tokens >= 64k
  tier mid
  degrade template sorry
}
rule tags {
  when feature is tag and plan is free
  tier mid
  degrade template sorry
}
rule pro {
  when plan is pro
  tier mid
  degrade template sorry
}
rule dead {
  when plan is pro and streaming
  tier mid
  degrade template sorry
}
otherwise {
  tier mid
  degrade template sorry
}
"#;

fn reached(rule: &str, options: Options) -> Option<Reach> {
    let report = check("one.route", &One(POLICY.to_owned()), &Catalog::embedded(), &Settings::on(date(2026, 11, 22)));
    let at = report.checked.rules.iter().position(|one| &*one.name == rule).unwrap();
    reach(&report.checked, &[RuleId(at as u32)], options).pop().unwrap()
}

fn words(reach: &Reach) -> String {
    let words: Vec<String> = reach.witness.request.iter().map(|(name, value)| format!("{name} {value}")).collect();
    words.join(", ")
}

#[test]
fn a_rule_is_reached_by_what_the_rules_above_leave() {
    let (reply, tag, none) = (Some(0), Some(1), None);
    for (rule, request, prompt, features) in [
        ("long", "prompt_tokens 64k", 100_000, vec![none, reply, tag]),
        ("tags", "prompt_tokens 2k, feature tag, plan free", 63_999, vec![tag]),
        ("pro", "prompt_tokens 2k, plan pro", 63_999, vec![none, reply, tag]),
        ("otherwise", "prompt_tokens 2k, plan free", 63_999, vec![none, reply]),
    ] {
        let reach = reached(rule, Options::default()).unwrap();
        assert_eq!(
            (words(&reach).as_str(), reach.most_prompt.0, reach.features.clone()),
            (request, prompt, features),
            "{rule}"
        );
    }
}

#[test]
fn what_nothing_reaches_or_nobody_can_tell_has_no_witness() {
    assert_eq!(reached("dead", Options::default()), None);
    assert_eq!(reached("otherwise", Options { fuel: 1, today: None }), None);
}
