//! The catalog inside the binary, its id rules, overlays, and what clients ask for.

use std::collections::BTreeSet;

use jiff::civil::{Date, date};
use serde::Deserialize;
use wayside::catalog::window::{DEFAULT_ROOM, fits, largest_prompt, room};
use wayside::catalog::{
    Catalog, Entry, Kind, Life, MAX_OVERLAY_BYTES, MAX_OVERLAY_NESTING, Overlay, Pin, ProviderKind, Resolved, Verdict,
};
use wayside::units::Tokens;

const TODAY: Date = date(2026, 11, 23);

#[derive(Deserialize)]
struct Cases {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    provider: String,
    id: String,
    kind: String,
    pin: String,
    strict: String,
}

#[derive(Deserialize)]
struct Exceptions {
    exceptions: Vec<Exception>,
}

#[derive(Deserialize)]
struct Exception {
    provider: String,
    id: String,
    rules: String,
}

fn words(kind: Kind, pin: Pin) -> (&'static str, &'static str) {
    let pin = match pin {
        Pin::Dated => "dated",
        Pin::Numbered => "numbered",
        Pin::UndatedDocumented => "undated_documented",
        Pin::UndatedUnconfirmed => "undated_unconfirmed",
        Pin::Moving => "moving",
    };
    (if kind == Kind::Snapshot { "snapshot" } else { "alias" }, pin)
}

fn model(name: &str) -> Entry {
    let (provider, id) = name.split_once('/').unwrap();
    Catalog::embedded().get(provider, id).unwrap().clone()
}

#[test]
fn the_embedded_catalog_is_complete_and_sorted() {
    let catalog = Catalog::embedded();
    let names: Vec<_> = catalog.entries().map(|entry| (entry.provider.clone(), entry.id.clone())).collect();
    assert_eq!(names.len(), 486);
    assert!(names.windows(2).all(|pair| pair[0] < pair[1]));
    assert_eq!(catalog.as_of(), date(2026, 11, 22));
    for entry in catalog.entries() {
        assert_eq!(catalog.get(&entry.provider, &entry.id), Some(entry));
    }
    assert_eq!(catalog.get("openai", "gpt-5.4-2026-03-0"), None);
    assert_eq!(catalog.get("", ""), None);
    assert_eq!(catalog.providers().len(), 11);
}

#[test]
fn every_row_is_an_alias_exactly_when_it_moves_and_targets_exist() {
    let catalog = Catalog::embedded();
    for entry in catalog.entries() {
        assert_eq!(entry.kind == Kind::Alias, entry.pin == Pin::Moving, "{}", entry.name());
        if let Some(target) = &entry.points_to {
            assert!(catalog.get(&entry.provider, target).is_some(), "{} points to {target}", entry.name());
        }
    }
}

#[test]
fn pin_cases_are_judged_as_documented() {
    let cases: Cases = serde_yaml::from_str(include_str!("../catalog/pin_cases.yaml")).unwrap();
    let catalog = Catalog::embedded();
    assert!(cases.cases.len() > 50);
    for case in &cases.cases {
        let name = format!("{}/{}", case.provider, case.id);
        let (kind, pin) = catalog.classify(&case.provider, &case.id).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(words(kind, pin), (case.kind.as_str(), case.pin.as_str()), "{name}");
        // A policy of a day on which nothing had ended yet, so that the pin alone decides; a reroute has no way back.
        let verdict = catalog.verdict(&case.provider, &case.id, TODAY);
        let said = match &verdict {
            Verdict::Pinned { pin: Pin::UndatedUnconfirmed, .. } => "confirm",
            Verdict::Pinned { .. } => "accept",
            Verdict::Retired(entry) if entry.pin == Pin::UndatedUnconfirmed => "confirm",
            Verdict::Retired(entry) if entry.kind == Kind::Snapshot => "accept",
            _ => "reject",
        };
        assert_eq!(said, case.strict, "{name}: {verdict:?}");
    }
}

#[test]
fn every_row_agrees_with_the_id_rules_or_is_a_documented_exception() {
    let known: Exceptions = serde_yaml::from_str(include_str!("../catalog/pin_exceptions.yaml")).unwrap();
    let catalog = Catalog::embedded();
    let (mut seen, mut strangers) = (BTreeSet::new(), Vec::new());
    for entry in catalog.entries() {
        let rules = catalog.by_rules(&entry.provider, &entry.id).map_or("unknown", |(kind, pin)| words(kind, pin).1);
        let own = words(entry.kind, entry.pin).1;
        let exception = known.exceptions.iter().find(|it| (&*it.provider, &*it.id) == (&entry.provider, &entry.id));
        match exception {
            Some(exception) => {
                assert_ne!(rules, own, "{} is no exception any more", entry.name());
                assert_eq!(rules, exception.rules, "{}", entry.name());
                seen.insert(entry.name());
            }
            None if rules != own => {
                strangers.push(format!("- {{provider: {}, id: {}, rules: {rules}}} # {own}", entry.provider, entry.id))
            }
            None => {}
        }
    }
    assert!(strangers.is_empty(), "{}", strangers.join("\n"));
    assert_eq!(seen.len(), known.exceptions.len());
}

fn moving(catalog: &Catalog, provider: &str, id: &str) -> (bool, Vec<String>) {
    match catalog.verdict(provider, id, TODAY) {
        Verdict::Moving { by_name, candidates } => {
            (by_name, candidates.iter().map(|entry| entry.id.to_string()).collect())
        }
        other => panic!("{provider}/{id}: {other:?}"),
    }
}

#[test]
fn an_alias_offers_its_current_target_first() {
    let catalog = Catalog::embedded();
    assert_eq!(moving(&catalog, "openai", "gpt-5.4"), (false, vec!["gpt-5.4-2026-03-05".into()]));
    let (_, offered) = moving(&catalog, "openai", "gpt-4o");
    assert_eq!(offered, ["gpt-4o-2024-08-06", "gpt-4o-2024-11-20"]);
    assert_eq!(moving(&catalog, "google", "gemini-flash-latest"), (true, vec!["gemini-3.8-flash".into()]));
    assert!(moving(&catalog, "anthropic", "claude-opus-5-latest").0);
    assert_eq!(moving(&catalog, "openai", "gpt-5.6").1, ["gpt-5.6-sol"]);
}

#[test]
fn an_unknown_id_is_never_guessed_and_offers_what_is_near() {
    let catalog = Catalog::embedded();
    let near = |provider: &str, id: &str| match catalog.verdict(provider, id, TODAY) {
        Verdict::Unknown { nearest } => nearest.iter().map(|entry| entry.name()).collect::<Vec<_>>(),
        other => panic!("{provider}/{id}: {other:?}"),
    };
    assert_eq!(near("openai", "gpt-5.4-mni")[0], "openai/gpt-5.4-mini-2026-03-17");
    assert_eq!(near("anthropic", "claude-sonet-5")[0], "anthropic/claude-sonnet-5");
    assert_eq!(near("openai", "claude-sonnet-5")[0], "anthropic/claude-sonnet-5");
    assert!(near("google", "gemini-9.9-flahs").iter().all(|name| name.starts_with("google/gemini-")));
    assert!(near("openai", "zzzzzzzzzzzzzzzz").is_empty());
    assert!(near("openai", "ü").is_empty());
    assert!(near("openai", "").is_empty());
    // Listed in one third-party table, against the provider's own naming.
    assert!(near("anthropic", "claude-opus-4-6-20260205").contains(&"anthropic/claude-opus-4-6".to_owned()));
    assert!(
        matches!(catalog.verdict("opnai", "x", TODAY), Verdict::UnknownProvider { nearest } if nearest == ["openai"])
    );
}

#[test]
fn an_id_with_a_date_is_pinned_without_a_row_and_an_impossible_date_is_not() {
    let catalog = Catalog::embedded();
    let verdict = |provider: &str, id: &str| catalog.verdict(provider, id, TODAY);
    assert_eq!(verdict("openai", "gpt-7-2027-01-31"), Verdict::Pinned { pin: Pin::Dated, entry: None });
    assert!(matches!(verdict("openai", "gpt-7-2027-02-30"), Verdict::Unknown { .. }));
    assert!(matches!(verdict("mistral", "mistral-large-2613"), Verdict::Unknown { .. }));
    assert!(matches!(verdict("azure", "my-deployment"), Verdict::Unknown { .. }));
    assert!(matches!(verdict("bedrock", "arn:aws:bedrock:eu-west-1:1:prompt/X"), Verdict::Unknown { .. }));
}

#[test]
fn the_day_decides_what_has_ended() {
    let catalog = Catalog::embedded();
    let verdict = |id: &str, day| catalog.verdict("openai", id, day);
    assert!(matches!(verdict("gpt-5-2025-08-07", date(2026, 12, 10)), Verdict::Pinned { .. }));
    assert!(matches!(verdict("gpt-5-2025-08-07", date(2026, 12, 11)), Verdict::Retired(_)));
    assert!(matches!(verdict("gpt-4-0613", date(2026, 10, 22)), Verdict::Pinned { .. }));
    let rerouted = |day| catalog.verdict("google", "gemini-2.5-flash", day);
    assert!(matches!(rerouted(date(2026, 11, 30)), Verdict::Pinned { .. }));
    assert!(matches!(rerouted(date(2026, 12, 1)), Verdict::Rerouted(_)));
    assert_eq!(model("openai/gpt-5.1-mini").life(TODAY), Life::NotYet);
    assert_eq!(model("openai/gpt-5-2025-08-07").days_left(TODAY), Some(18));
}

#[test]
fn fine_tunes_and_inference_profiles_have_the_facts_of_what_is_behind_them() {
    let catalog = Catalog::embedded();
    let facts = |provider: &str, id: &str| catalog.facts(provider, id).unwrap().into_owned();
    let tuned = facts("openai", "ft:gpt-4o-2024-08-06:acme::a1b2");
    assert_eq!((tuned.retires_on, tuned.price), (Some(date(2027, 1, 14)), None));
    assert_eq!(
        facts("bedrock", "eu.anthropic.claude-sonnet-5-5").max_input,
        model("bedrock/anthropic.claude-sonnet-5-5").max_input
    );
    assert!(catalog.facts("openai", "ft:gpt-4o:acme::a1b2").is_none());
}

const HOSTED: &str = "schema: 1\nmodels:\n  - {provider: vllm, id: llama, revision: sha-1, max_input: 8192}\n";

#[test]
fn a_self_hosted_model_needs_a_revision_that_stays() {
    let catalog = Catalog::embedded().with_overlay(&Overlay::parse(HOSTED).unwrap()).unwrap();
    assert_eq!(catalog.provider_kind("vllm"), Some(ProviderKind::SelfHosted));
    assert_eq!(catalog.get("vllm", "llama@sha-1").unwrap().max_input, Some(8192));
    let verdict = |id: &str| catalog.verdict("vllm", id, TODAY);
    assert!(matches!(verdict("llama@sha-1"), Verdict::Pinned { pin: Pin::Numbered, entry: Some(_) }));
    assert!(matches!(verdict("llama@sha-2"), Verdict::Pinned { pin: Pin::Numbered, entry: None }));
    assert!(matches!(verdict("llama"), Verdict::NoRevision { tag: None, known } if known.len() == 1));
    assert!(matches!(verdict("llama@main"), Verdict::NoRevision { tag: Some(tag), .. } if tag == "main"));
    assert!(matches!(verdict("llama@"), Verdict::NoRevision { .. }));
    assert!(matches!(catalog.resolve("llama"), Resolved::Known(_)));
    assert!(matches!(catalog.resolve("vllm/llama@sha-1"), Resolved::Known(_)));
    assert!(matches!(catalog.resolve("llama@sha-1"), Resolved::Known(_)));
    let configured = Catalog::embedded().with_provider("tgi", ProviderKind::SelfHosted);
    assert!(matches!(configured.verdict("tgi", "m@sha-1", TODAY), Verdict::Pinned { entry: None, .. }));
}

fn resolved(requested: &str) -> Option<String> {
    match Catalog::embedded().resolve(requested) {
        Resolved::Known(entry) => Some(entry.name()),
        Resolved::Unknown => None,
    }
}

#[test]
fn what_a_client_asks_for_leads_to_a_pinned_snapshot() {
    for (requested, snapshot) in [
        ("gpt-5.4", "openai/gpt-5.4-2026-03-05"),
        ("openai/gpt-5.4", "openai/gpt-5.4-2026-03-05"),
        ("gpt-5.4-2026-03-05", "openai/gpt-5.4-2026-03-05"),
        ("azure/gpt-5.4-2026-03-05", "azure/gpt-5.4-2026-03-05"),
        ("claude-sonnet-4-5", "anthropic/claude-sonnet-4-5-20250929"),
        ("claude-sonnet-5", "anthropic/claude-sonnet-5"),
        ("gpt-5.6", "openai/gpt-5.6-sol"),
        ("gemini-flash-latest", "google/gemini-3.8-flash"),
        ("models/gemini-3.8-flash", "google/gemini-3.8-flash"),
        ("publishers/google/models/gemini-3.8-flash", "google/gemini-3.8-flash"),
        ("mistral-large-4", "mistral/mistral-large-4-0"),
        ("gemini-3.7-flash", "google/gemini-3.8-flash"),
        ("openai/gpt-oss-120b", "groq/openai/gpt-oss-120b"),
        ("anthropic.claude-opus-4-7", "bedrock/anthropic.claude-opus-4-7"),
        ("gpt-4", "openai/gpt-4-0613"),
    ] {
        assert_eq!(resolved(requested).as_deref(), Some(snapshot), "{requested}");
    }
    for requested in [
        "",
        "/",
        "gpt",
        "gpt-5.4-",
        "openai/",
        "chat-latest",
        "deepseek-v4-flash",
        "claude-opus-4-6-20260205",
        "models/",
    ] {
        assert_eq!(resolved(requested), None, "{requested}");
    }
}

#[test]
fn fits_and_largest_prompt_are_each_others_inverse() {
    for entry in Catalog::embedded().entries() {
        for cap in [None, Some(Tokens(1)), Some(Tokens(4000)), Some(Tokens(1 << 40))] {
            let room = room(entry, cap);
            let Some(largest) = largest_prompt(entry, room) else { continue };
            assert!(fits(entry, largest, room), "{} {largest}", entry.name());
            assert!(!fits(entry, Tokens(largest.0 + 1), room), "{} {largest}", entry.name());
        }
    }
}

#[test]
fn the_window_rule_is_exact_at_its_edges() {
    let base = Entry {
        max_input: Some(1100),
        context_window: None,
        max_output: Some(500),
        ..model("openai/gpt-5.4-2026-03-05")
    };
    assert!(fits(&base, Tokens(1000), Tokens(500)) && !fits(&base, Tokens(1001), Tokens(500)));
    let shared = Entry { context_window: Some(1600), ..base.clone() };
    assert!(fits(&shared, Tokens(1000), Tokens(500)) && !fits(&shared, Tokens(1000), Tokens(501)));
    let apart = Entry { context_window: Some(1601), ..base.clone() };
    assert!(fits(&apart, Tokens(1000), Tokens(501)));
    let exact = Entry { tokens_margin: Some(0.0), ..base.clone() };
    assert!(fits(&exact, Tokens(1100), Tokens(500)) && !fits(&exact, Tokens(1101), Tokens(500)));
    assert_eq!(room(&base, None), Tokens(500));
    assert_eq!(room(&model("openai/gpt-5.4-2026-03-05"), None), DEFAULT_ROOM);
    assert_eq!(room(&model("openai/text-embedding-3-small"), None), Tokens(0));
    let unknown = Entry { max_input: None, context_window: None, ..base };
    assert!(fits(&unknown, Tokens(u64::MAX), Tokens(1)) && largest_prompt(&unknown, Tokens(1)).is_none());
}

fn overlay_error(text: &str) -> String {
    match Overlay::parse(text).and_then(|overlay| Catalog::embedded().with_overlay(&overlay)) {
        Ok(_) => panic!("accepted: {text}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn an_overlay_adds_facts_field_by_field() {
    let text = include_str!("../catalog/overlay.yaml");
    let catalog = Catalog::embedded().with_overlay(&Overlay::parse(text).unwrap()).unwrap();
    let azure = catalog.get("azure", "gpt-5.4-2026-03-05").unwrap();
    assert_eq!(azure.regions.as_ref().unwrap(), &["eu-central", "eu-west"]);
    assert_eq!(azure.price, model("azure/gpt-5.4-2026-03-05").price);
    assert_eq!(azure.retention.as_deref(), Some("zero"));
    let hosted = catalog.get("vllm", "llama-3.3-70b@sha-9f31c2a").unwrap();
    assert_eq!((hosted.kind, hosted.pin, hosted.capabilities.tools), (Kind::Snapshot, Pin::Numbered, Some(true)));
    assert_eq!(catalog.regions(), ["eu-central", "eu-north", "eu-west", "us-east"]);
    assert_eq!(catalog.entries().count(), 487);
    assert!(catalog.providers().contains(&"vllm"));
    let half = "schema: 1\nmodels:\n- {provider: openai, id: gpt-5.4-2026-03-05, price: {output: 99}}\n";
    let catalog = catalog.with_overlay(&Overlay::parse(half).unwrap()).unwrap();
    let price = catalog.get("openai", "gpt-5.4-2026-03-05").unwrap().price.clone().unwrap();
    assert_eq!((price.input, price.output), (2.5, 99.0));
    assert!(catalog.get("vllm", "llama-3.3-70b@sha-9f31c2a").is_some(), "a second overlay keeps the first");
}

#[test]
fn what_is_known_about_thinking_is_told_word_by_word() {
    let able = |name: &str| model(name).capabilities;
    let opus = able("anthropic/claude-opus-4-6");
    assert_eq!(
        (opus.adaptive_thinking, opus.thinking_always_on, opus.assistant_prefill),
        (Some(true), None, Some(false))
    );
    assert_eq!(["max", "xhigh", "high", "huge"].map(|word| opus.efforts.takes(word)), [Some(true), None, None, None]);
    let fable = able("anthropic/claude-fable-5-2");
    assert_eq!(
        ["none", "minimal", "low", "max"].map(|word| fable.efforts.takes(word)),
        [Some(false), Some(false), Some(true), Some(true)]
    );
    let text = "schema: 1\nmodels:\n\
        - {provider: anthropic, id: claude-fable-5-2, effort_flags: {max: false}}\n\
        - {provider: anthropic, id: claude-opus-4-6, reasoning_efforts: [low]}\n";
    let catalog = Catalog::embedded().with_overlay(&Overlay::parse(text).unwrap()).unwrap();
    let efforts = |id: &str| catalog.get("anthropic", id).unwrap().capabilities.efforts;
    assert_eq!(["low", "max"].map(|word| efforts("claude-fable-5-2").takes(word)), [Some(true), Some(false)]);
    assert_eq!(["low", "max"].map(|word| efforts("claude-opus-4-6").takes(word)), [Some(true), Some(false)]);
}

#[test]
fn an_overlay_confirms_an_unverified_row() {
    let text = "schema: 1\nmodels:\n- {provider: anthropic, id: claude-opus-4-6-20260205, unverified: false}\n";
    let catalog = Catalog::embedded().with_overlay(&Overlay::parse(text).unwrap()).unwrap();
    assert!(matches!(
        catalog.verdict("anthropic", "claude-opus-4-6-20260205", TODAY),
        Verdict::Pinned { entry: Some(_), .. }
    ));
}

#[test]
fn an_overlay_with_a_mistake_says_which_row_and_what_is_expected() {
    let row = |fields: &str| {
        overlay_error(&format!("schema: 1\nmodels:\n- {{provider: openai, id: gpt-5.4-2026-03-05, {fields}}}\n"))
    };
    let expect = |said: String, words: &[&str]| {
        for word in words {
            assert!(said.contains(word), "`{said}` does not say `{word}`");
        }
    };
    expect(row("max_input: many"), &["openai/gpt-5.4-2026-03-05", "max_input", "a whole number", "line 3"]);
    expect(row("max_input: -1"), &["max_input", "a whole number"]);
    expect(row("max_imput: 1"), &["openai/gpt-5.4-2026-03-05", "max_imput", "did you mean `max_input`?"]);
    expect(row("price: {input: cheap}"), &["price.input", "dollars per million tokens"]);
    expect(row("price: {input: .nan}"), &["price.input", "dollars per million tokens"]);
    expect(row("retires_on: 2026-02-30"), &["retires_on", "a day, such as 2026-11-30"]);
    expect(row("kind: shapshot"), &["kind", "shapshot", "snapshot"]);
    expect(row("tokens_margin: 1.5"), &["tokens_margin", "a share from 0 to 1"]);
    expect(row("capabilities: {tools: maybe}"), &["capabilities.tools", "a boolean"]);
    expect(row("pin: moving"), &["openai/gpt-5.4-2026-03-05", "belong together"]);
    expect(overlay_error("schema: 2\nmodels: []\n"), &["schema", "1"]);
    expect(overlay_error("models: []\n"), &["schema"]);
    expect(overlay_error(""), &["schema"]);
    expect(overlay_error("[1, 2"), &["line"]);
    expect(overlay_error("[1, 2]"), &["expected `schema: 1` and a list `models:`"]);
    expect(row("price: cheap"), &["price", "dollars per million tokens, such as `{input: 0.15, output: 0.6}`"]);
    expect(overlay_error("schema: 1\nmodels: [gpt]\n"), &["row 1", "a row, such as `{provider: openai"]);
    expect(overlay_error("schema: 1\nmodels:\n- {provider: openai}\n"), &["row 1", "id"]);
    expect(overlay_error("schema: 1\nmodels:\n- {provider: host, id: m}\n"), &["host/m", "kind"]);
    expect(overlay_error("schema: 1\nmodels:\n- {provider: host, id: m, revision: main}\n"), &["host/m@main", "moves"]);
    let twice = "schema: 1\nmodels:\n- {provider: openai, id: a-2026-01-01}\n- {provider: openai, id: a-2026-01-01}\n";
    expect(overlay_error(twice), &["openai/a-2026-01-01", "twice"]);
}

#[test]
fn an_overlay_has_a_largest_size() {
    let text = |size: usize| format!("schema: 1\n#{}", "x".repeat(size - 11));
    let limit = MAX_OVERLAY_BYTES;
    assert!(Overlay::parse(&text(limit)).is_ok());
    assert!(Overlay::parse(&text(limit + 1)).is_err());
    let nested = |depth: usize| overlay_error(&format!("schema: 1\nmodels: {}", "[".repeat(depth)));
    assert!(!nested(MAX_OVERLAY_NESTING).contains("brackets are open"));
    assert!(nested(MAX_OVERLAY_NESTING + 1).contains("brackets are open here; a row needs three (line 2, column 1)"));
}

/// Ids as people mistype them, ids of every provider cut and joined, and anything at all.
fn any_id() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let known: Vec<String> = Catalog::embedded().entries().map(|entry| entry.id.to_string()).collect();
    let cut = |(id, from, to): (String, usize, usize)| {
        let chars: Vec<char> = id.chars().collect();
        let (from, to) = (from % (chars.len() + 1), to % (chars.len() + 1));
        chars[from.min(to)..from.max(to)].iter().collect::<String>()
    };
    let piece = (proptest::sample::select(known), any::<usize>(), any::<usize>()).prop_map(cut);
    prop_oneof![
        "\\PC{0,40}",
        "[a-z0-9.:@/ü-]{0,30}",
        piece.clone(),
        (piece.clone(), "[-@:./]", piece).prop_map(|(a, joint, b)| format!("{a}{joint}{b}")),
    ]
}

proptest::proptest! {
    #[test]
    fn no_id_breaks_a_judgment_and_what_resolves_is_a_snapshot(id in any_id()) {
        let catalog = Catalog::embedded().with_overlay(&Overlay::parse(HOSTED).unwrap()).unwrap();
        for provider in catalog.providers() {
            catalog.facts(provider, &id);
            match catalog.verdict(provider, &id, TODAY) {
                Verdict::Pinned { pin, entry } => {
                    assert_ne!(pin, Pin::Moving);
                    assert!(entry.is_some() || matches!(pin, Pin::Dated | Pin::Numbered), "{provider}/{id}");
                }
                Verdict::Moving { candidates, .. } => assert!(candidates.iter().all(|entry| entry.kind == Kind::Snapshot)),
                Verdict::Unknown { nearest } => assert!(nearest.iter().all(|entry| entry.life(TODAY) == Life::Serving)),
                _ => {}
            }
        }
        if let Resolved::Known(entry) = catalog.resolve(&id) {
            assert_eq!(entry.kind, Kind::Snapshot);
        }
    }

    #[test]
    fn no_text_breaks_the_overlay(text in "\\PC{0,200}", at in 0usize..2000, with in "\\PC{0,4}") {
        let _ = Overlay::parse(&text);
        let mut whole: Vec<char> = include_str!("../catalog/overlay.yaml").chars().collect();
        let at = at % whole.len();
        whole.splice(at..(at + 1).min(whole.len()), with.chars());
        if let Ok(overlay) = Overlay::parse(&whole.into_iter().collect::<String>()) {
            let _ = Catalog::embedded().with_overlay(&overlay);
        }
    }
}

#[test]
fn an_overlay_that_grows_or_nests_without_end_is_an_error() {
    let mut laughs = String::from("a: &a [x, x, x, x, x, x, x, x, x, x]\n");
    for (last, next) in ["a", "b", "c", "d", "e", "f", "g"].iter().zip(["b", "c", "d", "e", "f", "g", "h"]) {
        laughs.push_str(&format!("{next}: &{next} [{}]\n", vec![format!("*{last}"); 10].join(", ")));
    }
    overlay_error(&laughs);
    overlay_error(&format!("schema: 1\nmodels: {laughs}"));
    overlay_error(&"[".repeat(100_000));
    overlay_error(&format!("schema: 1\nmodels: {}", "[{a: ".repeat(10_000)));
}
