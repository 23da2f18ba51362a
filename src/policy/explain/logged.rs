//! A decision beside the one that was logged.
//!
//! In: an explanation of a replayed request, its line. Out: whether the two are the same, as text and as JSON. Must not know:
//! files, terminals.

use std::fmt::Write;

use serde_json::{Value, json};

use super::super::replay::{Difference, Line, Replay};
use super::super::shown::grouped;
use super::super::tree::Tree;
use super::human::WORD_COLUMN;
use super::{Asked, Explanation};

/// Digits of a hash that people compare.
const HASH_DIGITS: usize = "sha256:".len() + 12;

/// What was logged, and what is different now.
#[derive(Clone, Debug)]
pub struct Compared {
    request_id: String,
    time: String,
    outcome: String,
    status: u16,
    policy_hash: String,
    same_policy: bool,
    /// Nothing when the decision is the same.
    pub differences: Vec<Difference>,
}

impl Asked {
    /// A logged request, to be explained.
    pub fn replayed(tree: &Tree, replay: &Replay) -> Self {
        let (least, most) = replay.prompt.bounds();
        let tokens = replay.prompt.likely();
        let mut assumed = Vec::new();
        if replay.guesses(tree) {
            let value = format!("{} (the line says {} to {})", grouped(tokens), grouped(least), grouped(most));
            assumed.push(("prompt_tokens".to_owned(), value));
        }
        Self {
            facts: replay.facts.clone(),
            prompt_tokens: tokens,
            readings: replay.readings.clone(),
            unusable: replay.unusable.clone(),
            assumed,
        }
    }
}

impl Explanation<'_> {
    /// Puts the logged decision beside this one.
    pub fn compare(&mut self, line: &Line) {
        self.logged = Some(Compared {
            request_id: line.request_id.clone(),
            time: line.time.clone(),
            outcome: line.outcome.clone(),
            status: line.status,
            policy_hash: line.policy_hash.clone(),
            same_policy: line.policy_hash == **self.tree.hash(),
            differences: line.differences(self.checked(), self.plan.as_ref()),
        });
    }
}

impl Compared {
    pub(super) fn human(&self, hash: &str, text: &mut String) {
        let mut line = |word: &str, said: String| {
            let _ = writeln!(text, "  {word:<WORD_COLUMN$}{}", shown(&said));
        };
        line("request", format!("{} at {}", self.request_id, self.time));
        line("ended", format!("{} {}", self.outcome, self.status));
        line(
            "policy",
            match self.same_policy {
                true => format!("the same, {}", short(hash)),
                false => format!("{} then, {} now", short(&self.policy_hash), short(hash)),
            },
        );
        if self.differences.is_empty() {
            line("decision", "the same".to_owned());
        } else if self.same_policy {
            line(
                "decision",
                "another, under the same policy: by another version of wayside or of the catalog".to_owned(),
            );
        } else {
            line("decision", "another".to_owned());
        }
        for one in &self.differences {
            line(one.what, format!("{} then", one.was));
            line("", format!("{} now", one.now));
        }
    }

    pub(super) fn json(&self) -> Value {
        let differences = self.differences.iter();
        let differences: Vec<Value> =
            differences.map(|one| json!({"what": one.what, "was": one.was, "now": one.now})).collect();
        json!({
            "request_id": self.request_id,
            "time": self.time,
            "outcome": self.outcome,
            "status": self.status,
            "policy_hash": self.policy_hash,
            "same_policy": self.same_policy,
            "same": self.differences.is_empty(),
            "differences": differences,
        })
    }
}

fn short(hash: &str) -> &str {
    hash.get(..HASH_DIGITS).unwrap_or(hash)
}

/// A line of a log may have been written by anybody.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
