//! Whether a snapshot can serve a request at all, by its facts alone (section 5.2, step 7; clarifications 16.3 to 16.5).
//!
//! In: a catalog row, one property of a request. Out: yes or no. Must not know: chains, rules. Analysis and runtime call these
//! functions and no other, so that what is proven is what happens.

use std::sync::Arc;

use jiff::civil::Date;

use super::checked::{Endpoint, Feature, HopOptions, Modality};
use crate::catalog::{Entry, Life, window};
use crate::names::ProviderName;
use crate::units::Tokens;

/// Whether a tenant that approves only some providers lets this one see its requests.
pub fn approved(list: Option<&[ProviderName]>, provider: &str) -> bool {
    list.is_none_or(|list| list.iter().any(|one| **one == *provider))
}

/// Whether calls stay where they must: the regions a hop may run in (what the row states, narrowed by the hop's `in`) must not
/// be empty, and all of them must satisfy the residency. A row that states no region satisfies neither.
pub fn in_region(entry: Option<&Entry>, hop: &[Arc<str>], residency: &[Arc<str>]) -> bool {
    if hop.is_empty() && residency.is_empty() {
        return true;
    }
    let Some(stated) = entry.and_then(|entry| entry.regions.as_ref()) else { return false };
    let among = |list: &[Arc<str>], region: &str| list.is_empty() || list.iter().any(|one| **one == *region);
    let mut possible = stated.iter().filter(|region| among(hop, region)).peekable();
    possible.peek().is_some() && possible.all(|region| among(residency, region))
}

/// Whether the model answers on this endpoint, by translation if need be.
pub fn serves(entry: Option<&Entry>, endpoint: Endpoint) -> bool {
    match entry.and_then(|entry| entry.mode.as_deref()) {
        Some("embedding") => endpoint == Endpoint::Embeddings,
        Some("chat" | "responses") | None => endpoint != Endpoint::Embeddings,
        Some(_) => false,
    }
}

/// Whether a prompt with this kind of content can be sent. Where the row does not say, images are tried; audio, video and files
/// are not.
pub fn takes(entry: Option<&Entry>, content: Modality) -> bool {
    let can = entry.map(|entry| entry.capabilities).unwrap_or_default();
    match content {
        Modality::Text => true,
        Modality::Image => can.vision != Some(false),
        Modality::Audio => can.audio_input == Some(true),
        Modality::Video => can.video_input == Some(true),
        Modality::File => can.pdf == Some(true),
    }
}

/// Whether tools may be offered; unknown is tried.
pub fn calls_tools(entry: Option<&Entry>) -> bool {
    entry.is_none_or(|entry| entry.capabilities.tools != Some(false))
}

/// Whether a schema may be demanded; unknown is tried.
pub fn follows_schema(entry: Option<&Entry>) -> bool {
    entry.is_none_or(|entry| entry.capabilities.json_schema != Some(false))
}

/// Whether a stream may be asked for; unknown is tried.
pub fn streams(entry: Option<&Entry>) -> bool {
    entry.is_none_or(|entry| entry.capabilities.streaming != Some(false))
}

/// Whether nothing of a call is kept by the provider; a row that states no retention does not promise it.
pub fn keeps_nothing(entry: Option<&Entry>) -> bool {
    entry.and_then(|entry| entry.retention.as_deref()) == Some("zero")
}

/// Whether it serves on that day, as itself.
pub fn in_service(entry: Option<&Entry>, today: Date) -> bool {
    entry.is_none_or(|entry| entry.life(today) == Life::Serving)
}

/// The cap that policy puts on an answer: the nearest written of hop, rule and defaults, lowered by the feature's.
pub fn policy_cap(options: &HopOptions, feature: Option<&Feature>) -> Option<Tokens> {
    least(options.max_output, feature.and_then(|feature| feature.max_output))
}

/// The cap with the caller's own `max_tokens`, where 0 is none.
pub fn cap(policy: Option<Tokens>, max_tokens: u64) -> Option<Tokens> {
    least(policy, (max_tokens > 0).then_some(Tokens(max_tokens)))
}

fn least(one: Option<Tokens>, other: Option<Tokens>) -> Option<Tokens> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        _ => one.or(other),
    }
}

/// The largest prompt that leaves room for an answer of `cap`; `None` when none is known.
pub fn largest_prompt(entry: Option<&Entry>, cap: Option<Tokens>) -> Option<Tokens> {
    entry.and_then(|entry| window::largest_prompt(entry, window::room(entry, cap)))
}

/// The longest answer that can come: the cap or the model's own limit. `None` when neither is known.
pub fn longest_answer(entry: &Entry, cap: Option<Tokens>) -> Option<Tokens> {
    if entry.mode.as_deref() == Some("embedding") {
        return Some(Tokens(0));
    }
    least(cap, entry.max_output.map(Tokens))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    fn entry(provider: &str, id: &str) -> Entry {
        Catalog::embedded().get(provider, id).unwrap().clone()
    }

    fn names(list: &[&str]) -> Vec<Arc<str>> {
        list.iter().map(|one| Arc::from(*one)).collect()
    }

    #[test]
    fn every_region_a_hop_may_run_in_must_satisfy_the_residency() {
        let eu = names(&["eu-west", "eu-central"]);
        let mixed =
            Entry { regions: Some(vec!["us-east".into(), "eu-west".into()]), ..entry("openai", "gpt-5.4-2026-03-05") };
        let unstated = Entry { regions: None, ..mixed.clone() };
        for (entry, hop, residency, fits) in [
            (Some(&mixed), &[][..], &[][..], true),
            (Some(&mixed), &[], &eu, false),
            (Some(&mixed), &eu, &eu, true),
            (Some(&mixed), &eu, &[], true),
            (Some(&mixed), &names(&["ap-south"]), &[], false),
            (Some(&unstated), &[], &eu, false),
            (Some(&unstated), &eu, &[], false),
            (None, &[], &[], true),
        ] {
            assert_eq!(in_region(entry, hop, residency), fits, "{hop:?} {residency:?}");
        }
    }

    #[test]
    fn an_embedding_model_serves_embeddings_alone_and_a_chat_model_everything_else() {
        let chat = entry("openai", "gpt-5.4-2026-03-05");
        for endpoint in Endpoint::ALL {
            let embeds = endpoint == Endpoint::Embeddings;
            assert_eq!(serves(Some(&chat), endpoint), !embeds);
            assert_eq!(serves(Some(&Entry { mode: Some("embedding".into()), ..chat.clone() }), endpoint), embeds);
        }
    }

    #[test]
    fn unknown_means_try_for_images_and_no_for_files() {
        for (content, tried) in
            [(Modality::Text, true), (Modality::Image, true), (Modality::Audio, false), (Modality::File, false)]
        {
            assert_eq!(takes(None, content), tried, "{content:?}");
        }
        let mut blind = entry("openai", "gpt-5.4-2026-03-05");
        blind.capabilities.vision = Some(false);
        assert!(!takes(Some(&blind), Modality::Image));
    }

    #[test]
    fn caps_only_ever_lower_each_other() {
        assert_eq!(cap(None, 0), None);
        assert_eq!(cap(Some(Tokens(500)), 0), Some(Tokens(500)));
        assert_eq!(cap(Some(Tokens(500)), 200), Some(Tokens(200)));
        assert_eq!(cap(Some(Tokens(500)), 9000), Some(Tokens(500)));
    }
}
