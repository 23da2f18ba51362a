//! What the proxy decided is decided again from its log, and comes out the same.

use std::sync::Arc;

use wayside::catalog::Catalog;
use wayside::policy::admit::{Defaults, Door};
use wayside::policy::check::{Settings, check};
use wayside::policy::readings::Readings;
use wayside::policy::replay::Line;
use wayside::policy::resolve::Files;

use super::client::{chat, chat_stream, post};
use super::rig::{Rig, Setup};

const POLICY: &str = r#"route 1
policy replayed { timezone "Asia/Tokyo", deadline 20s, max_prompt 2k }
plans [free, pro]
feature tags { max_output 50 }
tenant acme { plan pro }
attribute channel is one of [chat, email] from header "x-channel", default chat
tier mid { anthropic/claude-sonnet-5, openai/gpt-5.4-2026-03-05, mistral/mistral-small-2603 }
template sorry "Please try again later."
rule no_mail { when channel is email, reject 403 "not by mail" }
rule long {
  when prompt_tokens >= 20
  tier mid, cheapest
  degrade template sorry
}
rule tags {
  when feature is tags and time in 00:00..12:00
  tier mid
  degrade template sorry
}
rule pro { when plan is pro, tier mid, degrade template sorry }
otherwise {
  tier mid
  snapshot anthropic/claude-sonnet-5
  fallback peer openai/gpt-5.4-2026-03-05
  degrade template sorry
}
"#;

struct One;

impl Files for One {
    fn read(&self, _: &str) -> Result<String, String> {
        Ok(POLICY.to_owned())
    }
    fn glob(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}

/// Requests that every rule decides, one after the other; the first hop fails, so it cools down for those that follow. `mistral`
/// has no upstream here.
#[tokio::test]
async fn every_logged_decision_is_made_again_offline() {
    let faults = "- {provider: anthropic, fault: 429}";
    let rig = Rig::with(Setup { policy: POLICY, faults, ..Setup::default() }).await;
    let words =
        "A prompt of many words takes more than twenty tokens, so it is decided by another rule than a short one is.";
    let bodies = [chat("gpt-4o", "hello"), chat_stream("claude-sonnet-5", words), chat("openai/gpt-5.4", words)];
    let callers: [&[(&str, &str)]; 5] = [
        &[],
        &[("x-wayside-tenant", "acme")],
        &[("x-wayside-tenant", "nobody"), ("x-wayside-plan", "pro")],
        &[("x-wayside-feature", "tags"), ("x-wayside-user", "kim")],
        &[("x-channel", "email")],
    ];
    let mut sent = 0;
    for (body, headers) in bodies.iter().flat_map(|body| callers.iter().map(move |headers| (body, headers))) {
        post(rig.address, body, headers).await;
        sent += 1;
    }
    // One that no rule sees: it must not be taken for a decision.
    assert_eq!(post(rig.address, &chat("m", "x"), &[("x-channel", "fax")]).await.status, 400);
    rig.lines.wait(sent + 1).await;

    let catalog = Arc::new(Catalog::embedded());
    let today = Readings::at(jiff::Timestamp::now(), &jiff::tz::TimeZone::UTC).today;
    let tree = check("policy.route", &One, &catalog, &Settings::on(today)).compiled.unwrap();
    let door = Door::new(tree.checked().clone(), catalog, Defaults::default()).unwrap();
    let text = rig.lines.text();
    let mut rules = std::collections::BTreeSet::new();
    let (mut cooled, mut refused) = (0, 0);
    for line in text.lines() {
        let line = Line::parse(line).unwrap_or_else(|bad| panic!("{bad}\n{line}"));
        if line.rule.is_none() {
            assert!(line.admit(&door).unwrap_err().to_string().contains("400 `invalid_attribute` before any rule"));
            refused += 1;
            continue;
        }
        let replay = line.admit(&door).unwrap();
        let differences = line.differences(tree.checked(), replay.plan(&tree).as_ref());
        assert!(differences.is_empty() && !replay.guesses(&tree), "{differences:?}\n{line:?}");
        assert_eq!(line.policy_hash, **tree.hash());
        cooled += line.dropped.iter().filter(|(_, reason)| reason == "cooling_down").count();
        rules.extend(line.rule);
    }
    assert_eq!(refused, 1);
    assert!(cooled > 0 && rules.len() >= 4, "{cooled} {rules:?}");
}
