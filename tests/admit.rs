//! Which requests are let in, and what the others are told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

mod policies;

use std::borrow::Cow;
use std::sync::Arc;

use policies::compile;
use wayside::policy::admit::{Claims, Defaults, Door, Reason};
use wayside::policy::checked::{Attribute, Endpoint};
use wayside::policy::facts::{Facts, Priority};

const POLICY: &str = r#"
route 1
policy p { timezone "UTC", max_prompt 100k }
plans [free, pro, enterprise]
residency eu = [eu-west]
feature agent_reply { }
feature summarize { }
tenant acme { plan enterprise }
tenant nordbank { plan enterprise, residency eu }
attribute channel is one of [chat, email], from header "x-channel", default chat
attribute seats is number 1..500, from header "x-seats", from metadata "seats"
attribute beta is yes or no, default no
attribute note is text, default ""
template sorry "Please try again."
tier mid { openai/gpt-5.4-2026-03-05, mistral/mistral-small-2603 }
tier small { anthropic/claude-haiku-5-5 }

rule one {
  when plan is pro or residency is eu or channel is email or seats > 10 or beta or note is "x" or feature is summarize or tenant is acme
  tier            mid
  degrade         template sorry
}

otherwise {
  tier            small
  degrade         template sorry
}
"#;

const OVERLAY: &str = "
schema: 1
models:
  - {provider: mistral, id: mistral-small-2603, regions: [eu-west]}
";

/// What a test says about a request: a name, or `attribute:name`, and a value.
fn admitted(said: &[(&str, &str)], prompt: u64, defaults: Defaults<'_>) -> Result<Facts, (Reason, String)> {
    let policy = compile(POLICY, OVERLAY);
    let door = Door::new(Arc::clone(policy.tree.checked()), Arc::clone(&policy.catalog), defaults).unwrap();
    let get = |key: &str| said.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
    let attribute = |one: &Attribute| match get(&one.name) {
        None if &*one.name == "seats" => Some(Cow::Borrowed("3")),
        other => other.map(Cow::Borrowed),
    };
    let claims = Claims {
        endpoint: if get("endpoint").is_some() { Endpoint::Embeddings } else { Endpoint::Chat },
        tenant: get("tenant"),
        plan: get("plan"),
        residency: get("residency"),
        feature: get("feature"),
        priority: get("priority"),
        requested_model: get("model").unwrap_or_default(),
        attributes: &attribute,
        ..Claims::new()
    };
    door.admit(&claims, &mut { prompt }).map_err(|refusal| (refusal.reason, refusal.message))
}

const FREE: Defaults<'static> = Defaults { plan: Some("free"), residency: None, feature: None };

#[test]
fn what_is_wrong_with_a_request_is_said_with_the_way_out() {
    for (said, reason, status, message) in [
        (
            &[("endpoint", "embeddings")][..],
            Reason::UnknownEndpoint,
            404,
            "it serves `chat`, `responses` and `messages`",
        ),
        (
            &[("plan", "por")],
            Reason::UnknownPlan,
            400,
            "plan `por` is not declared; the nearest is `pro`, of `free`, `pro` and `enterprise`",
        ),
        (&[("residency", "mars")], Reason::UnknownResidency, 400, "it is one of `anywhere` and `eu`"),
        (&[("feature", "sumarize")], Reason::UnknownFeature, 400, "the nearest is `summarize`"),
        (&[("priority", "urgent")], Reason::InvalidAttribute, 400, "it is one of `interactive` and `batch`"),
        (
            &[("channel", "emial")],
            Reason::InvalidAttribute,
            400,
            "attribute `channel` cannot be `emial`; the nearest is `email`",
        ),
        (&[("seats", "500")], Reason::InvalidAttribute, 400, "it is a whole number, 1 or more and below 500"),
        (&[("seats", "many")], Reason::InvalidAttribute, 400, "cannot be `many`"),
        (&[("seats", "")], Reason::MissingAttribute, 400, "it is read from header `x-seats`, then metadata `seats`"),
        (&[("beta", "maybe")], Reason::InvalidAttribute, 400, "it is `yes` or `no`"),
        (
            &[("tenant", "acme"), ("plan", "free")],
            Reason::Contradiction,
            409,
            "tenant `acme` is declared with plan `enterprise`",
        ),
        (&[("tenant", "nordbank"), ("residency", "anywhere")], Reason::Contradiction, 409, "with residency `eu`"),
    ] {
        let (found, text) = admitted(said, 10, FREE).unwrap_err();
        assert_eq!((found, found.status()), (reason, status), "{said:?}: {text}");
        assert!(text.contains(message), "{said:?}: {text}");
    }
}

#[test]
fn a_tenant_row_speaks_where_the_request_is_silent() {
    let facts = admitted(&[("tenant", "nordbank")], 10, FREE).unwrap();
    assert_eq!((facts.plan, facts.residency, facts.tenant.is_some()), (Some(2), 1, true));
    let agreeing = admitted(&[("tenant", "nordbank"), ("plan", "enterprise"), ("residency", "eu")], 10, FREE).unwrap();
    assert_eq!(agreeing, facts);
    let stranger = admitted(&[("tenant", "nobody"), ("residency", "eu")], 10, FREE).unwrap();
    assert_eq!((stranger.plan, stranger.residency, stranger.tenant), (Some(0), 1, None));
}

#[test]
fn a_request_without_a_plan_needs_a_default_one() {
    let none = Defaults::default();
    assert_eq!(admitted(&[], 10, none).unwrap_err().0, Reason::MissingPlan);
    assert_eq!(admitted(&[], 10, FREE).unwrap().plan, Some(0));
    assert_eq!(admitted(&[("plan", "pro")], 10, none).unwrap().plan, Some(1));
    assert_eq!(admitted(&[("tenant", "acme")], 10, none).unwrap().plan, Some(2));
}

#[test]
fn a_default_that_is_not_declared_is_refused_before_any_request() {
    let policy = compile(POLICY, OVERLAY);
    let door = |defaults| Door::new(Arc::clone(policy.tree.checked()), Arc::clone(&policy.catalog), defaults);
    for defaults in [
        Defaults { plan: Some("gold"), ..FREE },
        Defaults { residency: Some("us"), ..FREE },
        Defaults { feature: Some("sing"), ..FREE },
    ] {
        assert!(door(defaults).unwrap_err().message.contains("is not declared"));
    }
}

#[test]
fn a_prompt_at_the_limit_is_let_in_and_one_more_token_is_not() {
    assert!(admitted(&[], 100_000, FREE).is_ok());
    let (reason, message) = admitted(&[], 100_001, FREE).unwrap_err();
    assert_eq!((reason, reason.status()), (Reason::PromptTooLong, 413));
    assert!(message.contains("100k"), "{message}");
}

#[test]
fn what_the_client_asks_for_is_resolved_to_a_snapshot_and_its_tier() {
    let policy = compile(POLICY, OVERLAY);
    for (model, snapshot, tier) in [
        ("gpt-5.4", Some("openai/gpt-5.4-2026-03-05"), Some("mid")),
        ("gpt-5.4-2026-03-05", Some("openai/gpt-5.4-2026-03-05"), Some("mid")),
        ("openai/gpt-5.4", Some("openai/gpt-5.4-2026-03-05"), Some("mid")),
        ("claude-haiku-5-5", Some("anthropic/claude-haiku-5-5"), Some("small")),
        ("claude-opus-5", Some("anthropic/claude-opus-5"), None),
        ("nobodys-model", None, None),
        ("", None, None),
    ] {
        let facts = admitted(&[("model", model)], 10, FREE).unwrap();
        assert_eq!(facts.requested_snapshot.map(|one| one.to_string()).as_deref(), snapshot, "{model}");
        let name = facts.requested_tier.map(|id| &*policy.tree.checked().tiers[id.index()].name);
        assert_eq!(name, tier, "{model}");
        assert_eq!(&*facts.requested_model, model);
    }
}

#[test]
fn silence_is_what_the_policy_says_it_is() {
    let facts = admitted(&[], 10, FREE).unwrap();
    assert_eq!((facts.feature, facts.priority, facts.residency), (None, Priority::Interactive, 0));
    let default = Defaults { feature: Some("summarize"), ..FREE };
    assert_eq!(admitted(&[], 10, default).unwrap().feature, Some(1));
    assert_eq!(admitted(&[("feature", "none")], 10, default).unwrap().feature, None);
    assert_eq!(admitted(&[("feature", "  ")], 10, default).unwrap().feature, Some(1));
}

#[test]
fn a_hostile_value_is_repeated_short_and_harmless() {
    let long = "x\n".repeat(100_000);
    let (_, message) = admitted(&[("feature", &long)], 10, FREE).unwrap_err();
    assert!(message.len() < 400 && !message.contains('\n'), "{}", message.len());
}
