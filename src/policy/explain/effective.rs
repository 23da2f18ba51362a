//! Every option that holds for a rule, with the place it comes from: `wayside explain --effective`.
//!
//! In: a policy, the name of a rule or none. Out: [`Effective`], as text and as JSON. Must not know: requests; what only one
//! request changes (its feature, its own `max_tokens`) is listed apart.

mod human;
mod json;

use serde_json::{Value, json};

use super::super::ast::Intent;
use super::super::checked::{
    Chain, Checked, Claim, Feature, Hop, HopOptions, Origin, Outcome, Retry, Rule, Scope, Target, WrittenAt,
};
use super::super::eligible;
use super::super::shown::options as written;
use super::super::tree::Tree;
use crate::catalog::Entry;
use crate::failure::{Failure, FailureSet};
use crate::names::nearest;
use crate::units::Tokens;

/// The key of guards, of which a rule may have several.
const GUARD: &str = "guard";
/// The word for the retries and the failures that move on when nothing is written.
const DEFAULT: &str = "default";
/// Rules that a message about an unknown one lists, at most.
const SHOWN_RULES: usize = 12;

/// The options of some rules.
#[derive(Debug)]
pub struct Effective<'a> {
    tree: &'a Tree,
    rules: Vec<&'a Rule>,
}

/// One option in force.
#[derive(Debug)]
struct Setting {
    /// As a policy writes it; two of one name that stand together are one line for people.
    name: &'static str,
    /// As documents write it.
    key: &'static str,
    /// For people.
    text: String,
    /// For programs.
    value: Value,
    from: From,
}

/// Where an option in force comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    /// It is written.
    Written(WrittenAt),
    /// It is written further out, or built in (`None`), and a nearer `timeout` has lowered it.
    Lowered { by: WrittenAt, from: Option<WrittenAt> },
    /// Nobody said anything.
    BuiltIn,
    /// Nobody said anything, or more than the model can: its own limit.
    Catalog,
}

impl From {
    fn of(written: Option<WrittenAt>) -> Self {
        written.map_or(Self::BuiltIn, Self::Written)
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Written(at) | Self::Lowered { by: at, .. } => at.scope.word(),
            Self::BuiltIn => "built in",
            Self::Catalog => "catalog",
        }
    }

    const fn place(self) -> Option<WrittenAt> {
        match self {
            Self::Written(at) | Self::Lowered { by: at, .. } => Some(at),
            Self::BuiltIn | Self::Catalog => None,
        }
    }
}

/// The options in force for a rule, or for all of them.
///
/// # Errors
/// There is no such rule; the message names the nearest.
pub fn effective<'a>(tree: &'a Tree, rule: Option<&str>) -> Result<Effective<'a>, String> {
    let checked = tree.checked();
    let Some(name) = rule else { return Ok(Effective { tree, rules: checked.rules.iter().collect() }) };
    if let Some(found) = checked.rules.iter().find(|one| *one.name == *name) {
        return Ok(Effective { tree, rules: vec![found] });
    }
    let known: Vec<&str> = checked.rules.iter().map(|one| &*one.name).collect();
    let instead = match nearest(name, known.iter().copied()).first() {
        Some(near) => format!("the nearest is `{near}`: `--effective {near}`"),
        None if known.len() > SHOWN_RULES => {
            let rest = known.len() - SHOWN_RULES;
            format!("it has {} and {rest} more; `--effective` alone shows all", known[..SHOWN_RULES].join(", "))
        }
        None => format!("it has {}", known.join(", ")),
    };
    Err(format!("policy `{}` has no rule `{name}`; {instead}", checked.name))
}

/// A rule's options around its hops.
fn of_chain(checked: &Checked, chain: &Chain) -> Vec<Setting> {
    let mut list = Vec::new();
    let mut put = |name, key, text: String, value, from| list.push(Setting { name, key, text, value, from });
    let (origins, extras) = (&chain.origins, &chain.extras);
    put("deadline", "deadline_ms", chain.deadline.to_string(), json!(chain.deadline.0), From::of(origins.deadline));
    let hold = written::hold(chain.hold);
    put("hold", "hold", hold.clone(), json!(hold), From::of(origins.hold));
    let cut = written::on_cut(chain.on_cut);
    put("on cut", "on_cut", cut.to_owned(), json!(cut), From::of(origins.on_cut));
    let by_rule = |span| From::Written(WrittenAt { scope: Scope::Rule, span });
    let cache = extras.cache.as_ref().map(|cache| cache.span).or(extras.no_cache);
    let cache = cache.map_or(From::BuiltIn, by_rule);
    put("cache", "cache", written::cache(checked, extras), super::json::cache(checked, extras), cache);
    if extras.guards.is_empty() {
        put("guard", GUARD, "none".to_owned(), Value::Null, From::BuiltIn);
    }
    for guard in &extras.guards {
        let name = &checked.moving.guards[guard.node.index()].name;
        put("guard", GUARD, name.to_string(), json!(&**name), by_rule(guard.span));
    }
    let shadow = extras.shadow.as_ref().map_or(From::BuiltIn, |shadow| by_rule(shadow.span));
    put("shadow", "shadow", written::shadow(checked, extras), super::json::shadow(checked, extras), shadow);
    list
}

/// The options of one hop.
fn of_hop(checked: &Checked, hop: &Hop) -> Vec<Setting> {
    let mut list = Vec::new();
    let mut put = |name, key, text: String, value, from| list.push(Setting { name, key, text, value, from });
    let (options, origins) = (&hop.options, &hop.origins);
    let (timeout, streams) = (options.timeout, options.stream_timeout);
    let text = if timeout == streams { timeout.to_string() } else { format!("{timeout}, of streams {streams}") };
    put("timeout", "timeout_ms", text, json!(timeout.0), From::of(origins.timeout));
    put("timeout", "stream_timeout_ms", String::new(), json!(streams.0), From::of(origins.timeout));
    let first = match origins.timeout {
        Some(by) if origins.first_token_lowered => From::Lowered { by, from: origins.first_token },
        _ => From::of(origins.first_token),
    };
    put("first_token", "first_token_ms", options.first_token.to_string(), json!(options.first_token.0), first);
    put("idle", "idle_ms", options.idle.to_string(), json!(options.idle.0), From::of(origins.idle));
    let limit = options.stream_limit;
    put("stream_limit", "stream_limit_ms", limit.to_string(), json!(limit.0), From::of(origins.stream_limit));
    let (text, value) = retry(options.retry);
    put("retry", "retry", text, value, From::of(origins.retry));
    put("on", "on", on(options.on), json!(options.on), From::of(origins.on));
    let regions: Vec<&str> = options.regions.iter().map(|one| &**one).collect();
    put("in", "regions", written::regions(&options.regions), json!(regions), From::of(origins.regions));
    let (most, from) = max_output(entry(checked, hop), options, origins.max_output);
    let text = most.map_or_else(|| "no limit is known".to_owned(), |most| most.to_string());
    put("max_output", "max_output", text, json!(most), from);
    put(
        "hedge",
        "hedge",
        written::hedge(options.hedge),
        options.hedge.map_or(Value::Null, super::json::hedge),
        From::of(origins.hedge),
    );
    list
}

fn entry<'a>(checked: &'a Checked, hop: &Hop) -> Option<&'a Entry> {
    match hop.target {
        Target::Snapshot(id) => checked.snapshots[id.index()].facts.as_deref(),
        Target::Requested => None,
    }
}

/// The lesser of what is written and what the model can.
fn max_output(entry: Option<&Entry>, options: &HopOptions, at: Option<WrittenAt>) -> (Option<Tokens>, From) {
    let most = entry.and_then(|entry| eligible::longest_answer(entry, options.max_output)).or(options.max_output);
    let from = if most == options.max_output { From::of(at) } else { From::Catalog };
    (most, from)
}

/// `default` inside the list stands for the words of section 5.3 that move on.
fn on(set: FailureSet) -> String {
    if set.union(FailureSet::MOVES_ON) != set {
        return format!("[{}]", written::failures(set));
    }
    let more = set.iter().filter(|one| !FailureSet::MOVES_ON.contains(*one));
    let words: Vec<&str> = [DEFAULT].into_iter().chain(more.map(Failure::word)).collect();
    format!("[{}]", words.join(", "))
}

/// `only_first`: the default of section 5.4 goes to whichever hop is tried first.
fn retry(retry: Option<Retry>) -> (String, Value) {
    let said = retry.unwrap_or(Retry::DEFAULT);
    let value = json!({
        "count": said.count, "on": said.on, "backoff_ms": said.backoff.0, "only_first": retry.is_none(),
    });
    (retry.map_or_else(|| DEFAULT.to_owned(), written::retry), value)
}

/// The words before a hop: `snapshot`, `fallback peer`, or `tier` for members of the promised tier.
const fn claim(hop: &Hop) -> &'static str {
    match (hop.claim, hop.origin) {
        (Claim::Promised, Origin::Written) => "snapshot",
        (Claim::Promised, Origin::Tier(_)) => "tier",
        (Claim::Fallback(Intent::Peer), _) => "fallback peer",
        (Claim::Fallback(Intent::Lower), _) => "fallback lower",
        (Claim::Fallback(Intent::Higher), _) => "fallback higher",
    }
}

fn target(checked: &Checked, hop: &Hop) -> String {
    match hop.target {
        Target::Snapshot(id) => checked.snapshots[id.index()].model.to_string(),
        Target::Requested => "requested".to_owned(),
    }
}

impl<'a> Effective<'a> {
    /// Features that lower what a rule says, for their own requests.
    fn features(&self) -> impl Iterator<Item = &'a Feature> {
        let features = self.tree.checked().features.iter();
        features.filter(|one| one.max_output.is_some() || one.deadline.is_some())
    }
}

fn chain(rule: &Rule) -> Option<&Chain> {
    match &rule.outcome {
        Outcome::Chain(chain) => Some(chain),
        Outcome::Reject { .. } => None,
    }
}
