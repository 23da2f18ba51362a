//! How much to think, asked of models of which the catalog knows some words.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

use wayside::catalog::Catalog;
use wayside::dialect::Dialect;
use wayside::dialect::canonical::{Conversation, Effort, Target, Thinking};
use wayside::dialect::translate;

/// What a model of Chat Completions is asked for, and what is said of it.
fn asked(thinking: Thinking) -> (Option<String>, Vec<String>) {
    let catalog = Catalog::embedded();
    let target = Target {
        model: "gpt-5-2025-08-07",
        max_output: None,
        model_max_output: None,
        able: catalog.get("openai", "gpt-5-2025-08-07").unwrap().capabilities,
        output_cap: "max_completion_tokens",
        lenient: false,
    };
    let mut said = Conversation::empty(Dialect::Responses);
    said.thinking = Some(thinking);
    let written = translate::request(Dialect::Chat, &said, &target).unwrap();
    let body: serde_json::Value = serde_json::from_slice(&written.body).unwrap();
    let adapted = written.notes.adapted.into_iter().map(Into::into).collect();
    (body["reasoning_effort"].as_str().map(Into::into), adapted)
}

#[test]
fn a_word_that_a_model_refuses_becomes_the_nearest_it_takes() {
    for (effort, written) in [
        (Effort::None, "minimal"),
        (Effort::Minimal, "minimal"),
        (Effort::Medium, "medium"),
        (Effort::XHigh, "high"),
        (Effort::Max, "high"),
    ] {
        let (word, adapted) = asked(Thinking::Effort(effort));
        assert_eq!(word.as_deref(), Some(written));
        let changed = (effort.word() != written).then(|| format!("reasoning.effort {}->{written}", effort.word()));
        assert_eq!(adapted, changed.into_iter().collect::<Vec<_>>());
    }
    let (word, adapted) = asked(Thinking::Budget(0));
    assert_eq!((word.as_deref(), &adapted[..]), (Some("minimal"), &["reasoning.effort 0->minimal".to_owned()][..]));
    assert_eq!(asked(Thinking::Adaptive), (None, vec![]));
}
