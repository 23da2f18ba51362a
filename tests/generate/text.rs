//! The same kinds of policies as text, for what reads files.

use std::fmt::Write as _;

use super::{Dice, Draw as _};

/// Rules of 330 bytes with a reason, a condition and a whole chain: 5,000 of them are a file of 1.7 MB.
pub fn long_rules(rules: usize) -> String {
    let mut text = String::from("route 1\n");
    for _ in 0..rules {
        write!(
            text,
            "rule r {{
  because \"When sonnet is slow, chat users feel it; email does not, so they may wait.\"
  when channel is chat
    and plan in [pro, enterprise] and prompt_tokens < 16k
  tier            mid
  snapshot        openai/gpt-5.4-2026-03-05, hedge after p95 up to 1
  fallback peer   bedrock/anthropic.claude-sonnet-5-5
  degrade         template reply_sorry
}}

"
        )
        .ok();
    }
    text
}

/// What conditions may look at, and what rules may answer with.
fn declarations(features: usize, attributes: usize) -> String {
    let mut text = String::from(
        "route 1
policy generated {
  owner \"platform@example.com\"
  timezone \"UTC\"
  deadline 60s
  max_prompt 180k
}
plans [plan_0, plan_1, plan_2, plan_3]
attribute urgent is yes or no, from header \"x-urgent\", default no
template sorry \"Please try again in a few minutes.\"
tier mid {
  anthropic/claude-sonnet-5
  openai/gpt-5.4-2026-03-05
  mistral/mistral-medium-2604
}
tier small {
  anthropic/claude-haiku-5-5
  openai/gpt-5.4-mini-2026-03-17
}
",
    );
    for at in 0..features {
        writeln!(text, "feature feature_{at} {{ max_output 1k }}").ok();
    }
    for at in 0..TENANTS {
        writeln!(text, "tenant tenant_{at} {{ plan plan_{} }}", at % 4).ok();
    }
    for at in 0..attributes {
        let kind = match at % 3 {
            0 => "one of [a, b, c, d, e, f, g, h]",
            1 => "number 0..100",
            _ => "yes or no",
        };
        let default = ["a", "0", "no"][at % 3];
        writeln!(text, "attribute attribute_{at} is {kind}, from header \"x-attribute-{at}\", default {default}").ok();
    }
    text
}

const TENANTS: usize = 40;

/// How a rule ends: a chain of three hops, a tier, or a refusal.
fn outcome(dice: &mut Dice, at: usize) -> String {
    match dice.below(4) {
        0 => format!("  reject          {} \"rule {at} says no\"\n", 400 + at % 100),
        1 => format!("  tier            small, timeout {}s\n  degrade         template sorry\n", 2 + at % 9),
        _ => format!(
            "  tier            mid\n  snapshot        openai/gpt-5.4-2026-03-05, timeout {}s\n  fallback peer   anthropic/claude-sonnet-5, \
             timeout 9s\n  fallback lower  openai/gpt-5.4-mini-2026-03-17, timeout 5s\n  degrade         template sorry\n",
            2 + at % 9
        ),
    }
}

const LAST: &str = "otherwise {\n  tier            mid\n  degrade         template sorry\n}\n";

/// Rules as people write them: blocks by feature, then by plan, sizes and hours inside, a few by tenant.
pub fn structured(rules: usize, seed: u64) -> String {
    let mut dice = Dice(seed);
    let features = (rules / 8).max(4);
    let mut text = declarations(features, 18);
    for at in 0..rules {
        let (feature, plan) = (at / 8 % features, dice.below(4));
        let also = match at % 8 {
            0 => format!("tenant is tenant_{}", dice.below(TENANTS)),
            1 => format!("plan is plan_{plan} and urgent"),
            2 => format!("plan is plan_{plan} and prompt_tokens >= 60k"),
            3 => format!("plan is plan_{plan} and tools"),
            4 => format!("attribute_0 is {}", char::from(b'a' + dice.below(8) as u8)),
            5 => format!("time in {:02}:00..{:02}:00", dice.below(12), 12 + dice.below(12)),
            6 => "plan in [plan_1, plan_2] and streaming".to_owned(),
            _ => test(&mut dice, at % 18),
        };
        write!(
            text,
            "rule rule_{at} {{\n  when feature is feature_{feature} and {also}\n{}}}\n",
            outcome(&mut dice, at)
        )
        .ok();
    }
    text.push_str(LAST);
    text
}

/// Rules that test two to five random columns.
pub fn random(rules: usize, seed: u64) -> String {
    let mut dice = Dice(seed);
    let mut text = declarations(24, 18);
    for at in 0..rules {
        let mut columns: Vec<usize> = (0..2 + dice.below(4)).map(|_| dice.below(28)).collect();
        columns.sort_unstable();
        columns.dedup();
        let tests: Vec<String> = columns.into_iter().map(|column| test(&mut dice, column)).collect();
        write!(text, "rule rule_{at} {{\n  when {}\n{}}}\n", tests.join(" and "), outcome(&mut dice, at)).ok();
    }
    text.push_str(LAST);
    text
}

/// A test of one of 28 columns: 18 attributes, then what every request has.
fn test(dice: &mut Dice, column: usize) -> String {
    match (column, column % 3) {
        (0..18, 0) => format!("attribute_{column} is {}", char::from(b'a' + dice.below(8) as u8)),
        (0..18, 1) => format!("attribute_{column} in {0}..{1}", dice.below(5) * 10, 50 + dice.below(5) * 10),
        (0..18, _) => format!("{}attribute_{column}", if dice.chance(50) { "" } else { "not " }),
        (18 | 19, _) => format!("plan is plan_{}", dice.below(4)),
        (20, _) => format!("feature is feature_{}", dice.below(24)),
        (21, _) => format!("prompt_tokens >= {}k", 1 + dice.below(100)),
        (22, _) => format!("tenant is tenant_{}", dice.below(TENANTS)),
        (23, _) => format!("time in {:02}:00..{:02}:00", dice.below(12), 12 + dice.below(12)),
        (24, _) => format!("user like \"{}*\"", ["a", "ab", "abc", "b", "bot-", "bot-7"][dice.below(6)]),
        (25, _) => "streaming".to_owned(),
        (26, _) => "tools".to_owned(),
        _ => "urgent".to_owned(),
    }
}
