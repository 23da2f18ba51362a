//! Which fault hits which request: the request's own wish first, then the rules of the faults file.
//!
//! In: YAML or JSON rules; provider, model and wish of a request; the time. Out: the fault that applies. Must not know:
//! what faults do.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::fault::{Fault, Trouble};
use super::words::WordError;

/// Most rules in one faults file.
pub const MAX_RULES: usize = 1000;
/// Wishes with a count (`!503;first=2` on a model) that are remembered; past it counting starts over.
pub const MAX_WISHES: usize = 10_000;
/// Stands between a model's name and the fault asked for, as in `gpt-5.4-2026-03-05!503`.
pub const MODEL_MARK: char = '!';

/// One rule as written.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    fault: Scalar,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<Scalar>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Scalar>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Scalar>,
    #[serde(skip_serializing_if = "Option::is_none")]
    share: Option<Scalar>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Scalar>,
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    lasting: Option<Scalar>,
}

/// YAML reads `503` as a number and `10s` as text; both are meant as written.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged)]
enum Scalar {
    Whole(u64),
    Real(f64),
    Text(String),
}

impl std::fmt::Display for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole(number) => number.fmt(f),
            Self::Real(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl RawRule {
    /// The rule as one fault text.
    fn text(&self) -> String {
        let mut text = self.fault.to_string();
        let conditions = [
            ("first", &self.first),
            ("from", &self.from),
            ("to", &self.to),
            ("share", &self.share),
            ("after", &self.after),
            ("for", &self.lasting),
        ];
        for (name, value) in conditions {
            if let Some(value) = value {
                text.push_str(&format!(";{name}={value}"));
            }
        }
        text
    }
}

/// A file is a list of rules, or `faults:` with that list.
#[derive(Deserialize)]
#[serde(untagged)]
enum RawFile {
    List(Vec<serde_yaml::Value>),
    Keyed { faults: Vec<serde_yaml::Value> },
}

/// One rule that can be asked.
struct Rule {
    provider: Option<String>,
    model: Option<String>,
    fault: Fault,
    matched: AtomicU64,
}

impl Rule {
    fn matches(&self, provider: &str, model: &str) -> bool {
        let model_matches = |pattern: &String| match pattern.strip_suffix('*') {
            Some(prefix) => model.starts_with(prefix),
            None => model == pattern,
        };
        self.provider.as_deref().is_none_or(|wanted| wanted == provider)
            && self.model.as_ref().is_none_or(model_matches)
    }
}

/// The rules in force. Counting and time begin when they are read.
pub struct Rules {
    rules: Vec<Rule>,
    raw: Vec<RawRule>,
    since: Instant,
}

impl Rules {
    /// No rules.
    pub fn none(now: Instant) -> Self {
        Self { rules: Vec::new(), raw: Vec::new(), since: now }
    }

    /// Reads a faults file (YAML; JSON is YAML).
    ///
    /// # Errors
    /// A sentence that names the rule by its number.
    pub fn parse(text: &str, now: Instant) -> Result<Self, WordError> {
        if text.trim().is_empty() {
            return Ok(Self::none(now));
        }
        let wrong = "faults are a list of rules such as `- {provider: openai, fault: 503, first: 3}`";
        let file: serde_yaml::Value = serde_yaml::from_str(text).map_err(|error| WordError(error.to_string()))?;
        let entries = match serde_yaml::from_value(file).map_err(|_| WordError(wrong.to_owned()))? {
            RawFile::List(list) | RawFile::Keyed { faults: list } => list,
        };
        if entries.len() > MAX_RULES {
            return Err(WordError(format!("{} rules are more than the {MAX_RULES} allowed", entries.len())));
        }
        let mut rules = Self::none(now);
        for (index, entry) in entries.into_iter().enumerate() {
            let named = |error: String| WordError(format!("rule {}: {error}", index + 1));
            let raw: RawRule = serde_yaml::from_value(entry).map_err(|error| named(error.to_string()))?;
            let fault = Fault::parse(&raw.text()).map_err(|error| named(error.0))?;
            if fault.trouble == Some(Trouble::Refused) && raw.model.is_some() {
                return Err(named("a port is closed for every model; leave `model` out".to_owned()));
            }
            let (provider, model) = (raw.provider.clone(), raw.model.clone());
            rules.rules.push(Rule { provider, model, fault, matched: AtomicU64::new(0) });
            rules.raw.push(raw);
        }
        Ok(rules)
    }

    /// The rules as they were written, for `GET /simulate/faults`.
    pub fn written(&self) -> impl Serialize + '_ {
        &self.raw
    }

    /// The first rule that hits this request. Every rule that matches provider and model counts it.
    pub fn hit(&self, provider: &str, model: &str, now: Instant) -> Option<Fault> {
        let elapsed = now.saturating_duration_since(self.since);
        let mut found = None;
        for rule in self.rules.iter().filter(|rule| rule.matches(provider, model)) {
            let number = rule.matched.fetch_add(1, Ordering::Relaxed) + 1;
            if found.is_none() && rule.fault.when.holds(number, elapsed) {
                found = Some(rule.fault.clone());
            }
        }
        found
    }

    /// Whether the provider's own port is closed now, and how long until that may change.
    pub fn port_closed(&self, provider: &str, now: Instant) -> (bool, Option<Duration>) {
        let elapsed = now.saturating_duration_since(self.since);
        let of_port = |rule: &&Rule| rule.fault.trouble == Some(Trouble::Refused) && rule.matches(provider, "");
        let closed = self.rules.iter().filter(of_port).any(|rule| rule.fault.when.holds(1, elapsed));
        let changes = self.rules.iter().filter(of_port).filter_map(|rule| rule.fault.when.next_change(elapsed)).min();
        (closed, changes.map(|at| at - elapsed))
    }
}

/// Counts for faults that a request itself asks for.
#[derive(Default)]
pub struct Wishes {
    /// By hash of who wishes: names and faults can be as long as a body.
    seen: Mutex<HashMap<String, (u64, Instant)>>,
}

impl Wishes {
    /// The wish, if it applies to this request. `key` names who wishes (provider, model and the text).
    pub fn grant(&self, key: &str, wish: Fault, now: Instant) -> Fault {
        if wish.when == super::when::When::default() {
            return wish;
        }
        let key = super::seen::hex_sha256(key.as_bytes());
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MAX_WISHES && !seen.contains_key(&key) {
            seen.clear();
        }
        let (number, since) = seen.entry(key).or_insert((0, now));
        *number += 1;
        if wish.when.holds(*number, now.saturating_duration_since(*since)) { wish } else { Fault::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Rules {
        Rules::parse(text, Instant::now()).unwrap()
    }

    #[test]
    fn the_first_rule_that_hits_wins_and_all_that_match_count() {
        let rules = rules("[{provider: openai, fault: 503, first: 1}, {model: 'gpt-*', fault: reset, from: 3}]");
        let now = Instant::now();
        let hits: Vec<_> = (0..3).map(|_| rules.hit("openai", "gpt-5", now).and_then(|fault| fault.trouble)).collect();
        assert!(matches!(hits[0], Some(Trouble::Error(_))));
        assert_eq!(hits[1], None);
        assert_eq!(hits[2], Some(Trouble::Reset));
        assert!(rules.hit("mistral", "claude", now).is_none());
    }

    #[test]
    fn a_wish_with_a_count_is_granted_that_often() {
        let wishes = Wishes::default();
        let wish = || Fault::parse("503;first=2").unwrap();
        let now = Instant::now();
        let granted: Vec<_> = (0..3).map(|_| wishes.grant("a", wish(), now).trouble.is_some()).collect();
        assert_eq!(granted, [true, true, false]);
        assert!(wishes.grant("b", wish(), now).trouble.is_some());
    }

    #[test]
    fn wishes_are_forgotten_only_past_the_limit() {
        let wishes = Wishes::default();
        let now = Instant::now();
        let granted =
            |key: usize| wishes.grant(&key.to_string(), Fault::parse("503;first=1").unwrap(), now).trouble.is_some();
        assert!((0..MAX_WISHES).all(granted));
        assert!(!granted(0));
        assert!(granted(MAX_WISHES));
        assert!(granted(0));
    }

    #[test]
    fn a_port_is_closed_for_its_time() {
        let now = Instant::now();
        let rules = Rules::parse("- {provider: openai, fault: refused, for: 2s}", now).unwrap();
        assert_eq!(rules.port_closed("openai", now), (true, Some(Duration::from_secs(2))));
        assert_eq!(rules.port_closed("openai", now + Duration::from_secs(2)), (false, None));
        assert_eq!(rules.port_closed("anthropic", now), (false, None));
    }

    #[test]
    fn bad_rules_are_named_by_number() {
        for (text, says) in [
            ("- {fault: 503}\n- {fault: sielnce}", "rule 2: unknown fault"),
            ("- {fault: 503, modle: x}", "rule 1: unknown field `modle`"),
            ("- {provider: openai}", "rule 1: missing field `fault`"),
            ("- {model: x, fault: refused}", "leave `model` out"),
            ("fault: 503", "a list of rules"),
            ("- [", ""),
        ] {
            let error = Rules::parse(text, Instant::now()).err().unwrap().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
        assert!(Rules::parse("", Instant::now()).is_ok());
    }

    #[test]
    fn rules_are_limited() {
        let text = |count: usize| "- {fault: 503}\n".repeat(count);
        assert!(Rules::parse(&text(MAX_RULES), Instant::now()).is_ok());
        assert!(Rules::parse(&text(MAX_RULES + 1), Instant::now()).is_err());
    }
}
