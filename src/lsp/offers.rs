//! What may be typed at a place, by the grammar of section 3.
//!
//! In: a [`Context`]. Out: kinds of names and words, without looking any of them up. Must not know: sets, editors.

use super::context::{Context, Place};
use super::symbols::Kind;
use crate::policy::syntax::statements::{self, known};

/// Something that may be typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer<'t> {
    /// One of these words; a keyword of the language.
    Words(&'static [&'static str]),
    /// First words of statements there.
    Statements(statements::Place<'t>),
    /// A declared name.
    Names(Kind),
    /// A pinned snapshot.
    Models,
    /// What a condition looks at.
    Subjects,
    /// A value of a subject.
    Values(&'t str),
    /// A word for a failure.
    Failures,
    /// A region.
    Regions,
    /// A provider.
    Providers,
    /// A file beside this one.
    Files,
    /// A code that can be allowed.
    Codes,
}

const RELATIONS: &[&str] = &["is", "is not", "in", "not in", "has", "like", "<", "<=", ">", ">="];
const NEXT_TEST: &[&str] = &["and", "or"];
const INTENTS: &[&str] = &["peer", "lower", "higher"];
const DEGRADES: &[&str] = &["template", "cached up to", "queue", "error"];

/// Everything that may be typed there.
pub fn offers<'t>(context: &Context<'t>) -> Vec<Offer<'t>> {
    match context.place {
        Place::Comment => return vec![Offer::Codes],
        Place::Text if context.words == ["use"] => return vec![Offer::Files],
        Place::Text => return Vec::new(),
        Place::Code => {}
    }
    match context.block() {
        None => top(&context.words),
        Some("tier") => match context.words.as_slice() {
            [] => vec![Offer::Models, Offer::Statements(statements::Place::Tier)],
            ["candidate"] => vec![Offer::Models],
            _ => Vec::new(),
        },
        Some("rule" | "ladder" | "otherwise") => rule(&context.words),
        Some("request") => match context.words.as_slice() {
            [] => vec![Offer::Subjects],
            [subject] => vec![Offer::Values(subject)],
            _ => Vec::new(),
        },
        Some("test") => test(&context.words),
        Some(kind) => block(kind, &context.words),
    }
}

fn top<'t>(words: &[&'t str]) -> Vec<Offer<'t>> {
    match words {
        [] => vec![Offer::Statements(statements::Place::File)],
        ["define", _] => vec![Offer::Words(&["as"])],
        ["define", _, "as", rest @ ..] => condition(rest),
        ["group", _, "=", "[", ..] => {
            vec![Offer::Names(Kind::Tenant), Offer::Names(Kind::Feature), Offer::Names(Kind::Plan)]
        }
        ["residency", _, "=", "[", ..] => vec![Offer::Regions],
        ["attribute", _] => vec![Offer::Words(&["is one of", "number", "yes or no", "text"])],
        ["attribute", .., ","] => vec![Offer::Words(&["from header", "from metadata", "from claim", "default"])],
        ["given", rest @ ..] => given(rest),
        _ => Vec::new(),
    }
}

fn given<'t>(words: &[&'t str]) -> Vec<Offer<'t>> {
    match words {
        [] => vec![
            Offer::Words(&["now", "budget", "rollout"]),
            Offer::Names(Kind::Subject),
            Offer::Providers,
            Offer::Models,
        ],
        ["budget"] => vec![Offer::Names(Kind::Budget)],
        ["budget", name, "is"] => vec![Offer::Values(name), Offer::Words(&["ok", "warn", "spent"])],
        ["rollout"] => vec![Offer::Names(Kind::Rollout)],
        [.., "is"] => vec![Offer::Words(&["on", "off", "down", "slow"])],
        [_, "gives"] | [_, "gives", "[", ..] => vec![Offer::Failures],
        [_] => vec![Offer::Words(&["is", "gives", "cuts after"])],
        _ => Vec::new(),
    }
}

fn test<'t>(words: &[&'t str]) -> Vec<Offer<'t>> {
    match words {
        [] => vec![Offer::Statements(statements::Place::Test)],
        ["given", rest @ ..] => given(rest),
        ["expect"] => vec![Offer::Words(&[
            "rule",
            "otherwise",
            "reject",
            "tier",
            "not tier",
            "snapshot",
            "chain",
            "served by",
            "degrade",
            "cut",
            "cache exact",
            "skips",
            "reads",
            "cost <=",
            "time <=",
        ])],
        ["expect", .., "rule"] => vec![Offer::Names(Kind::Rule)],
        ["expect", .., "tier"] => vec![Offer::Names(Kind::Tier)],
        ["expect", .., "snapshot" | "by" | "skips"] => vec![Offer::Models],
        ["expect", "chain", "[", ..] => vec![Offer::Models, Offer::Words(&["template", "queue", "cached", "error"])],
        ["expect", "degrade"] => vec![Offer::Words(&["template", "queue", "cached", "error"])],
        ["expect", "degrade", "template"] => vec![Offer::Names(Kind::Template)],
        ["expect", "degrade", "queue"] => vec![Offer::Names(Kind::Queue)],
        ["expect", "reads", "[", ..] => vec![Offer::Subjects, Offer::Names(Kind::Budget)],
        ["table", ..] => vec![Offer::Subjects, Offer::Words(&["rule", "tier", "snapshot"])],
        _ => Vec::new(),
    }
}

fn rule<'t>(words: &[&'t str]) -> Vec<Offer<'t>> {
    if let Some(options) = options(words) {
        return options;
    }
    match words {
        [] => vec![Offer::Statements(statements::Place::Rule)],
        ["when", rest @ ..] => condition(rest),
        ["tier"] => vec![Offer::Names(Kind::Tier), Offer::Words(&["as requested"])],
        ["snapshot"] => vec![Offer::Models, Offer::Words(&["requested"])],
        ["fallback"] => vec![Offer::Words(INTENTS)],
        ["fallback", "peer"] => vec![Offer::Models],
        ["fallback", _] => vec![Offer::Models, Offer::Words(&["tier"])],
        ["fallback", _, "tier"] => vec![Offer::Names(Kind::Tier)],
        ["ladder"] => vec![Offer::Names(Kind::Ladder)],
        ["guard"] | ["guard", "[", ..] => vec![Offer::Names(Kind::Guard)],
        ["degrade"] => vec![Offer::Words(DEGRADES)],
        ["degrade", "template"] => vec![Offer::Names(Kind::Template)],
        ["degrade", "queue"] => vec![Offer::Names(Kind::Queue)],
        ["degrade", "queue", _] => vec![Offer::Words(&["within"])],
        ["hold"] => vec![Offer::Words(&["first_token", "complete"])],
        ["on"] => vec![Offer::Words(&["cut error", "cut resume"])],
        ["on", "cut"] => vec![Offer::Words(&["error", "resume"])],
        ["no"] => vec![Offer::Words(&["cache"])],
        ["cache"] => vec![Offer::Words(&["exact for", "semantic"])],
        ["cache", .., "per", "["] | ["cache", .., ","] => vec![Offer::Subjects],
        ["shadow", _] => vec![Offer::Words(&["to"])],
        ["shadow", _, "to"] => vec![Offer::Models],
        ["shadow", .., "budget"] => vec![Offer::Names(Kind::Budget)],
        ["shadow", .., "by"] => vec![Offer::Names(Kind::Judge)],
        ["shadow", .., ","] => vec![Offer::Words(&["keep", "budget", "scored by"])],
        ["in"] | ["in", "[", ..] => vec![Offer::Regions],
        _ => Vec::new(),
    }
}

/// Behind the comma of a hop.
fn options<'t>(words: &[&'t str]) -> Option<Vec<Offer<'t>>> {
    let first = *words.first()?;
    if !matches!(first, "tier" | "snapshot" | "fallback") {
        return None;
    }
    let mut depth = 0_usize;
    let mut comma = None;
    for (at, word) in words.iter().enumerate() {
        match *word {
            "[" => depth += 1,
            "]" => depth = depth.saturating_sub(1),
            "," if depth == 0 => comma = Some(at),
            _ => {}
        }
    }
    let place = if first == "tier" { statements::Place::Promise } else { statements::Place::Hop };
    let option = &words[comma? + 1..];
    Some(match option {
        [] => vec![Offer::Statements(place)],
        ["on"] | ["retry", _, "on"] => vec![Offer::Words(&["["])],
        ["on", "[", ..] => vec![Offer::Failures, Offer::Words(&["default"])],
        ["retry", _] => vec![Offer::Words(&["on", "backoff"])],
        ["retry", _, "on", "[", rest @ ..] if !rest.contains(&"]") => vec![Offer::Failures],
        ["retry", .., "]"] => vec![Offer::Words(&["backoff"])],
        ["in"] | ["in", "[", ..] => vec![Offer::Regions],
        ["hedge"] => vec![Offer::Words(&["after p95 up to 1"])],
        _ => Vec::new(),
    })
}

fn block<'t>(kind: &'t str, words: &[&'t str]) -> Vec<Offer<'t>> {
    match words {
        [] => match known(statements::Place::Block(kind)) {
            [] => Vec::new(),
            _ => vec![Offer::Statements(statements::Place::Block(kind))],
        },
        ["covers" | "where" | "for", rest @ ..] if kind != "feature" => condition(rest),
        ["on" | "off" | "halt", "when", rest @ ..] => condition(rest),
        ["on" | "off"] if kind == "signal" => vec![Offer::Words(&["when", "after"])],
        ["on", "[", ..] => vec![Offer::Failures, Offer::Words(&["default"])],
        ["retry", _, "on", "[", ..] => vec![Offer::Failures],
        ["stakes"] => vec![Offer::Values("stakes")],
        ["endpoints", "[", ..] => vec![Offer::Values("endpoint")],
        ["default"] if kind == "switch" => vec![Offer::Words(&["on", "off"])],
        ["hold"] => vec![Offer::Words(&["first_token", "complete"])],
        ["approved", "[", ..] => vec![Offer::Providers],
        ["accept_undated", "[", ..] => vec![Offer::Models],
        ["each"] => vec![Offer::Words(&["tenant", "user", "feature"])],
        ["snapshot" | "replace" | "with"] => vec![Offer::Models],
        ["never"] => vec![Offer::Words(&["tier", "snapshot", "provider", "cached"])],
        ["never", "snapshot"] => vec![Offer::Models],
        ["never", "provider"] => vec![Offer::Providers],
        ["ends"] => vec![Offer::Words(&["in queue", "in template", "in cached", "in reject"])],
        [.., "tier"] | [.., "tier", "["] => vec![Offer::Names(Kind::Tier)],
        [.., "plan"] => vec![Offer::Names(Kind::Plan)],
        [.., "residency"] => vec![Offer::Values("residency")],
        [.., "budget"] => vec![Offer::Names(Kind::Budget)],
        [.., "guard"] => vec![Offer::Names(Kind::Guard)],
        [.., "by"] => vec![Offer::Names(Kind::Judge), Offer::Subjects],
        ["after"] => vec![Offer::Names(Kind::Rollout)],
        _ => Vec::new(),
    }
}

/// Inside a condition.
fn condition<'t>(words: &[&'t str]) -> Vec<Offer<'t>> {
    let list = words.iter().rposition(|word| *word == "[").filter(|at| !words[*at..].contains(&"]"));
    if let Some(open) = list {
        return vec![Offer::Values(subject_before(&words[..open]))];
    }
    match words {
        [] | [.., "and" | "or" | "not" | "("] if !matches!(words, [.., "is", "not"]) => {
            vec![Offer::Subjects, Offer::Words(&["not", "budget"])]
        }
        [.., "budget"] => vec![Offer::Names(Kind::Budget)],
        [.., "is"] | [.., "is", "not"] | [.., "has"] => vec![Offer::Values(subject_before(words))],
        [.., "in"] => vec![Offer::Names(Kind::Group), Offer::Values(subject_before(words)), Offer::Words(&["["])],
        [.., "<" | "<=" | ">" | ">=" | "like"] => Vec::new(),
        // A word behind nothing or behind a connective is a subject, which stands alone or with a relation.
        [_] | [.., "and" | "or" | "not" | "(" | "budget", _] => vec![Offer::Words(RELATIONS), Offer::Words(NEXT_TEST)],
        _ => vec![Offer::Words(NEXT_TEST)],
    }
}

/// The subject in front of a relation.
fn subject_before<'t>(words: &[&'t str]) -> &'t str {
    let relation = ["is", "not", "in", "has", "["];
    words.iter().rev().find(|word| !relation.contains(word)).copied().unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(marked: &str) -> Vec<String> {
        let offset = marked.find('|').unwrap();
        let text = marked.replacen('|', "", 1);
        let context = Context::at(&text, offset as u32);
        offers(&context).iter().map(|offer| format!("{offer:?}")).collect()
    }

    #[test]
    fn a_place_offers_what_the_grammar_takes_there() {
        for (marked, wanted) in [
            ("|", "Statements(File)"),
            ("tier mid {\n  |", "Models"),
            ("rule a {\n  |", "Statements(Rule)"),
            ("rule a {\n  tier |", "Names(Tier)"),
            ("rule a {\n  tier mid, |", "Statements(Promise)"),
            ("rule a {\n  snapshot |", "Models"),
            ("rule a {\n  snapshot a/b, |", "Statements(Hop)"),
            ("rule a {\n  snapshot a/b, timeout 5s, |", "Statements(Hop)"),
            ("rule a {\n  snapshot a/b, on [default, |", "Failures"),
            ("rule a {\n  snapshot a/b, retry 1 on [|", "Failures"),
            ("rule a {\n  fallback |", "Words([\"peer\", \"lower\", \"higher\"])"),
            ("rule a {\n  fallback lower tier |", "Names(Tier)"),
            ("rule a {\n  degrade template |", "Names(Template)"),
            ("rule a {\n  degrade queue |", "Names(Queue)"),
            ("rule a {\n  ladder |", "Names(Ladder)"),
            ("rule a {\n  when |", "Subjects"),
            ("rule a {\n  when not |", "Subjects"),
            ("rule a {\n  when plan is |", "Values(\"plan\")"),
            ("rule a {\n  when plan is not |", "Values(\"plan\")"),
            ("rule a {\n  when plan in [free, |", "Values(\"plan\")"),
            ("rule a {\n  when tenant in |", "Names(Group)"),
            ("rule a {\n  when plan is free and budget |", "Names(Budget)"),
            ("rule a {\n  when plan is free and budget b is |", "Values(\"b\")"),
            ("define x as |", "Subjects"),
            ("budget b {\n  covers plan is |", "Values(\"plan\")"),
            ("tenant t { plan |", "Names(Plan)"),
            ("signal s {\n  on when |", "Subjects"),
            ("guarantee g { never tier [|", "Names(Tier)"),
            ("rollout r {\n  replace |", "Models"),
            ("test \"x\" {\n  expect rule |", "Names(Rule)"),
            ("test \"x\" {\n  request { plan |", "Values(\"plan\")"),
            ("use \"|", "Files"),
            ("# allow |", "Codes"),
        ] {
            assert!(at(marked).iter().any(|offer| offer == wanted), "{marked}: {:?}", at(marked));
        }
        assert_eq!(at("rule a {\n  because \"|"), Vec::<String>::new());
    }
}
