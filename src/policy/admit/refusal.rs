//! Why a request is not admitted, in words its sender can act on.
//!
//! In: a value somebody sent. Out: a closed reason and a message that names the value, the valid ones and the nearest. Must not
//! know: HTTP bodies.

use std::fmt;

use super::super::checked::{Attribute, AttributeDomain, AttributeSource};
use crate::names;
use crate::units::Tokens;

/// Characters of a sent value that a message repeats: enough to recognize it, too few to fill a log.
pub const MAX_SHOWN_VALUE: usize = 64;
/// Valid names that a message lists; the rest is counted.
pub const MAX_SHOWN_NAMES: usize = 8;

/// A refusal before any rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which kind.
    pub reason: Reason,
    /// The input that is wrong: `plan`, or an attribute's name.
    pub about: String,
    /// One or two sentences.
    pub message: String,
}

/// The kinds of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The policy does not serve this endpoint.
    UnknownEndpoint,
    /// The feature is not declared.
    UnknownFeature,
    /// The plan is not declared.
    UnknownPlan,
    /// Rules look at the plan, and nobody said which.
    MissingPlan,
    /// The residency is not declared.
    UnknownResidency,
    /// A value outside its domain.
    InvalidAttribute,
    /// No value, and no default.
    MissingAttribute,
    /// Longer than the policy's `max_prompt`.
    PromptTooLong,
    /// What the request says is not what the tenant's row says.
    Contradiction,
}

impl Reason {
    /// For error bodies, logs and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::UnknownEndpoint => "unknown_endpoint",
            Self::UnknownFeature => "unknown_feature",
            Self::UnknownPlan => "unknown_plan",
            Self::MissingPlan => "missing_plan",
            Self::UnknownResidency => "unknown_residency",
            Self::InvalidAttribute => "invalid_attribute",
            Self::MissingAttribute => "missing_attribute",
            Self::PromptTooLong => "prompt_too_long",
            Self::Contradiction => "contradiction",
        }
    }

    /// The HTTP status of section 5.2.
    pub const fn status(self) -> u16 {
        match self {
            Self::UnknownEndpoint => 404,
            Self::PromptTooLong => 413,
            Self::Contradiction => 409,
            _ => 400,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

impl Refusal {
    pub(super) fn endpoint<'a>(asked: &str, served: impl Iterator<Item = &'a str>) -> Self {
        let served = listed(&served.collect::<Vec<_>>());
        Self::new(
            Reason::UnknownEndpoint,
            "endpoint",
            format!("this policy does not serve the endpoint `{asked}`; it serves {served}"),
        )
    }

    /// A name that is not declared.
    pub(super) fn unknown(reason: Reason, what: &str, name: &str, known: &[&str]) -> Self {
        Self::new(reason, what, format!("{what} {} is not declared; {}", shown(name), instead(name, known)))
    }

    /// A value outside a built-in list.
    pub(super) fn value(what: &str, value: &str, known: &[&str]) -> Self {
        let message = format!("{what} cannot be {}; {}", shown(value), instead(value, known));
        Self::new(Reason::InvalidAttribute, what, message)
    }

    pub(super) fn no_plan(known: &[&str]) -> Self {
        let message =
            format!("the request names no plan, and no default plan is configured; the plans are {}", listed(known));
        Self::new(Reason::MissingPlan, "plan", message)
    }

    pub(super) fn attribute(attribute: &Attribute, value: &str) -> Self {
        let wants = match &attribute.domain {
            AttributeDomain::OneOf(values) => instead(value, &values.iter().map(|one| &**one).collect::<Vec<_>>()),
            AttributeDomain::Number { lo, hi } => format!("it is a whole number, {lo} or more and below {hi}"),
            AttributeDomain::YesOrNo => "it is `yes` or `no`".to_owned(),
            AttributeDomain::Text => "it is text".to_owned(),
        };
        let message = format!("attribute `{}` cannot be {}; {wants}", attribute.name, shown(value));
        Self::new(Reason::InvalidAttribute, &attribute.name, message)
    }

    pub(super) fn missing(attribute: &Attribute) -> Self {
        let places: Vec<String> = attribute.sources.iter().map(place).collect();
        let from =
            if places.is_empty() { String::new() } else { format!("; it is read from {}", places.join(", then ")) };
        let message = format!("attribute `{}` is missing and has no default{from}", attribute.name);
        Self::new(Reason::MissingAttribute, &attribute.name, message)
    }

    /// A prompt that is longer than the policy takes.
    pub(in crate::policy) fn prompt(limit: Tokens) -> Self {
        let message = format!("the prompt has more than {limit} tokens, the most this policy takes");
        Self::new(Reason::PromptTooLong, "prompt_tokens", message)
    }

    pub(super) fn contradiction(what: &str, tenant: &str, stated: &str, claimed: &str) -> Self {
        let message = format!(
            "the request says {what} `{claimed}`, but tenant `{tenant}` is declared with {what} `{stated}`; leave the {what} out or correct it"
        );
        Self::new(Reason::Contradiction, what, message)
    }

    fn new(reason: Reason, about: &str, message: String) -> Self {
        Self { reason, about: about.to_owned(), message }
    }
}

fn place(source: &AttributeSource) -> String {
    match source {
        AttributeSource::Header(name) => format!("header `{name}`"),
        AttributeSource::Metadata(key) => format!("metadata `{key}`"),
        AttributeSource::Claim(name) => format!("claim `{name}`"),
    }
}

/// A value that came from outside: cut, with control characters made visible.
fn shown(value: &str) -> String {
    let mut text: String = value.chars().take(MAX_SHOWN_VALUE).flat_map(char::escape_debug).collect();
    if value.chars().nth(MAX_SHOWN_VALUE).is_some() {
        text.push('…');
    }
    format!("`{text}`")
}

/// What could have been written: the nearest name, if there is one, and what there is.
fn instead(value: &str, known: &[&str]) -> String {
    // Nobody misspells a name by more than its own length; comparing longer texts is work for nothing.
    let near =
        if value.len() <= 4 * MAX_SHOWN_VALUE { names::nearest(value, known.iter().copied()) } else { Vec::new() };
    match near.first() {
        Some(nearest) => format!("the nearest is `{nearest}`, of {}", listed(known)),
        None => format!("it is one of {}", listed(known)),
    }
}

fn listed(names: &[&str]) -> String {
    let mut shown: Vec<String> = names.iter().take(MAX_SHOWN_NAMES).map(|name| format!("`{name}`")).collect();
    if names.len() > MAX_SHOWN_NAMES {
        shown.push(format!("{} more", names.len() - MAX_SHOWN_NAMES));
    }
    match shown.split_last() {
        None => "none".to_owned(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_cut_at_the_limit() {
        let at = "x".repeat(MAX_SHOWN_VALUE);
        assert_eq!(shown(&at), format!("`{at}`"));
        assert_eq!(shown(&format!("{at}x")), format!("`{at}…`"));
        assert_eq!(shown("a\r\nb"), "`a\\r\\nb`");
    }

    #[test]
    fn a_long_list_is_cut_at_the_limit() {
        let names: Vec<String> = (0..=MAX_SHOWN_NAMES).map(|at| format!("n{at}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert!(!listed(&names[..MAX_SHOWN_NAMES]).contains("more"));
        assert!(listed(&names).ends_with("and 1 more"));
    }
}
