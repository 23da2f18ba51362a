//! A rollout from one snapshot to its successor, as text for a policy.
//!
//! In: the catalog, a snapshot, perhaps the successor. Out: the rollout, and what changes with it. Must not know: policies.

use std::fmt::Write as _;

use jiff::civil::Date;

use crate::catalog::{Catalog, Entry, Kind, Life, Pin, Resolved, Verdict};
use crate::units::Tokens;

/// A rollout and the facts behind it.
pub struct Rollout {
    pub old: String,
    pub new: String,
    pub facts: Vec<String>,
    pub text: String,
}

/// Why there is none.
pub enum Problem {
    /// No such model.
    Unknown(String),
    /// In words.
    Other(String),
}

/// Writes the rollout from `model` to `with`, or to what the catalog suggests.
pub fn rollout(catalog: &Catalog, model: &str, with: Option<&str>, today: Date) -> Result<Rollout, Problem> {
    let named = |name: &str| {
        let written = name.split_once('/').and_then(|(provider, id)| catalog.get(provider, id));
        written.or(match catalog.resolve(name) {
            Resolved::Known(entry) => Some(entry),
            Resolved::Unknown => None,
        })
    };
    let old = named(model).ok_or_else(|| Problem::Unknown(model.to_owned()))?;
    let new = match with {
        Some(with) => named(with).ok_or_else(|| Problem::Unknown(with.to_owned()))?,
        None => suggested(catalog, old, today).ok_or_else(|| {
            let provider = &old.provider;
            Problem::Other(format!(
                "nobody names a successor of {}; choose one with `--with`: `wayside catalog show {provider}`",
                old.name()
            ))
        })?,
    };
    if !matches!(catalog.verdict(&new.provider, &new.written_id(), today), Verdict::Pinned { .. }) {
        return Err(Problem::Other(format!(
            "{} is no snapshot in service; verify it: `wayside catalog verify {0}`",
            new.name()
        )));
    }
    if old.name() == new.name() {
        return Err(Problem::Other(format!("{} cannot replace itself", old.name())));
    }
    let facts = compare(old, new);
    Ok(Rollout { old: old.name(), new: new.name(), text: text(old, new, &facts), facts })
}

/// The provider's own suggestion, else the newest snapshot in service of the same tier at the same provider.
fn suggested<'c>(catalog: &'c Catalog, old: &Entry, today: Date) -> Option<&'c Entry> {
    let told = old.replacement.as_deref().or(old.rerouted_to.as_deref());
    let told = told.and_then(|id| catalog.get(&old.provider, id)).and_then(|entry| match entry.kind {
        Kind::Snapshot => Some(entry),
        Kind::Alias => entry.points_to.as_deref().and_then(|id| catalog.get(&old.provider, id)),
    });
    let usable = |entry: &&Entry| {
        entry.kind == Kind::Snapshot && entry.life(today) == Life::Serving && !entry.unverified && entry.id != old.id
    };
    told.filter(usable).or_else(|| {
        let alike = |entry: &&Entry| {
            let same = entry.tier == old.tier && entry.mode == old.mode && entry.pin != Pin::UndatedUnconfirmed;
            same && entry.released > old.released && entry.days_left(today).is_none()
        };
        catalog.of_provider(&old.provider).filter(usable).filter(alike).max_by_key(|entry| entry.released)
    })
}

/// What changes for callers and bills.
fn compare(old: &Entry, new: &Entry) -> Vec<String> {
    let mut facts = Vec::new();
    if let Some(day) = old.retires_on {
        facts.push(format!("{} ends on {day}", old.name()));
    }
    facts.push(match new.retires_on {
        Some(day) => format!("{} ends on {day}", new.name()),
        None => format!("no end of {} is announced", new.name()),
    });
    match (&old.price, &new.price) {
        (Some(before), Some(after)) if (before.input, before.output) == (after.input, after.output) => {
            facts.push(format!("the price stays at ${} in, ${} out per million tokens", after.input, after.output));
        }
        (Some(before), Some(after)) => facts.push(format!(
            "the price goes from ${} in, ${} out to ${} in, ${} out per million tokens",
            before.input, before.output, after.input, after.output
        )),
        (_, None) => facts.push(format!("the price of {} is not known", new.name())),
        (None, Some(after)) => {
            facts.push(format!("the new price is ${} in, ${} out per million tokens", after.input, after.output))
        }
    }
    if let (Some(before), Some(after)) = (old.max_input, new.max_input)
        && before != after
    {
        facts.push(format!("the prompt window goes from {} to {}", Tokens(before), Tokens(after)));
    }
    for (what, before, after) in [
        ("images", old.capabilities.vision, new.capabilities.vision),
        ("tools", old.capabilities.tools, new.capabilities.tools),
        ("JSON schemas", old.capabilities.json_schema, new.capabilities.json_schema),
        (
            "sampling parameters",
            old.capabilities.sampling_params.or(Some(true)),
            new.capabilities.sampling_params.or(Some(true)),
        ),
    ] {
        if before == Some(true) && after != Some(true) {
            facts.push(format!("{} does not take {what}, or nobody says so", new.name()));
        }
    }
    facts
}

fn text(old: &Entry, new: &Entry, facts: &[String]) -> String {
    let mut text = String::new();
    for fact in facts {
        let _ = writeln!(text, "# {fact}");
    }
    if new.pin == Pin::UndatedUnconfirmed {
        let _ = writeln!(text, "# the policy header needs: accept_undated [{}]", new.name());
    }
    let word = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '_' };
    let name: String = new.id.chars().map(word).collect();
    let _ = write!(
        text,
        "# in the tier of the old snapshot: candidate {new}\n\
         rollout to_{name} {{\n  replace {old}\n  with {new}\n  by tenant\n  stages [1%, 10%, 50%, 100%]\n  hold 2d\n  \
         halt when errors > 2%\n}}\n",
        old = old.name(),
        new = new.name(),
    );
    text
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn written(model: &str, with: Option<&str>) -> Result<Rollout, String> {
        rollout(&Catalog::embedded(), model, with, date(2026, 11, 23)).map_err(|problem| match problem {
            Problem::Unknown(name) => format!("unknown {name}"),
            Problem::Other(text) => text,
        })
    }

    #[test]
    fn a_rollout_names_both_snapshots_and_what_changes() {
        let rollout = written("anthropic/claude-sonnet-4-5-20250929", None).ok().unwrap();
        assert!(rollout.text.contains("  replace anthropic/claude-sonnet-4-5-20250929\n"), "{}", rollout.text);
        assert!(rollout.text.contains(&format!("  with {}\n", rollout.new)));
        assert!(rollout.facts[0].ends_with("ends on 2026-11-30"));
        assert!(rollout.facts.iter().any(|fact| fact.contains("the price")));
    }

    #[test]
    fn a_successor_can_be_chosen_and_must_be_in_service() {
        let chosen = written("openai/gpt-5-2025-08-07", Some("openai/gpt-5.4-2026-03-05")).ok().unwrap();
        assert_eq!(chosen.new, "openai/gpt-5.4-2026-03-05");
        let problem = |model, with| written(model, with).err().unwrap();
        assert!(problem("openai/gpt-5-2025-08-07", Some("openai/gpt-4-0613")).contains("no snapshot in service"));
        assert!(problem("openai/gpt-5-2025-08-07", Some("openai/gpt-5-2025-08-07")).contains("replace itself"));
        assert!(problem("openai/nothing", None).contains("unknown openai/nothing"));
    }
}
