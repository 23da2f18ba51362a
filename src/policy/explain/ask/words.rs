//! What a request can say: the names of its inputs and readings, each with an example of how it is written.
//!
//! In: a policy. Out: the one thing a typed name means, or what is nearest to it. Must not know: what the values mean.

use rustc_hash::FxHashMap;

use super::super::super::checked::{Attribute, AttributeDomain, Checked, Endpoint, MetricId, MetricOf, Observed, Tier};
use super::super::super::facts::Priority;
use crate::names::nearest;

/// The inputs of every policy, each with a value it can have.
const BUILT_IN: [(&str, &str); 18] = [
    ("endpoint", Endpoint::Chat.word()),
    ("tenant", "other"),
    ("user", "u_17"),
    ("plan", "pro"),
    ("residency", "anywhere"),
    ("feature", "none"),
    ("region", "eu-west"),
    ("requested_model", "gpt-5.4"),
    ("prompt_tokens", "2k"),
    ("max_tokens", "500"),
    ("streaming", "yes"),
    ("tools", "yes"),
    ("json_schema", "yes"),
    ("modality", "[text,image]"),
    ("priority", Priority::Batch.word()),
    ("now", "2026-11-23T22:00"),
    ("time", "22:00"),
    ("day", "mon"),
];
/// What a message lists, at most.
const SHOWN: usize = 40;

/// The number that rollouts without `by` go by.
pub const DRAW: &str = "draw";
/// Before the name of a tier whose order is given.
pub const FASTEST: &str = "fastest ";

/// Something a request can say.
#[derive(Clone, Debug)]
pub struct Word {
    /// Its one name: `plan`, `budget pro_money`, `p95 of anthropic/claude-sonnet-5`.
    pub name: String,
    /// Without its kind.
    short: Option<String>,
    /// Something else is called so, too, without its kind.
    shared: bool,
    /// A value it can have.
    value: String,
}

/// All that requests of one policy can say.
#[derive(Clone, Debug)]
pub struct Words(Vec<Word>);

/// What a typed name means.
pub enum Meant<'a> {
    /// This.
    One(&'a Word),
    /// Several things.
    Several(Vec<&'a Word>),
    /// Nothing; the nearest.
    Nothing(Option<&'a Word>),
}

impl Word {
    /// As people write it.
    pub fn typed(&self) -> &str {
        self.short.as_deref().filter(|_| !self.shared).unwrap_or(&self.name)
    }

    /// `plan=pro`; in quotes where a shell would take it apart.
    pub fn example(&self) -> String {
        self.with(&self.value)
    }

    /// The same with another value.
    pub fn with(&self, value: &str) -> String {
        let pair = format!("{}={value}", self.typed());
        if pair.contains([' ', '[']) { format!("'{pair}'") } else { pair }
    }
}

impl Words {
    /// What requests of a policy can say.
    pub fn of(checked: &Checked) -> Self {
        let word = |name: String, value: String| Word { name, short: None, shared: false, value };
        let mut words: Vec<Word> =
            BUILT_IN.iter().map(|(name, value)| word((*name).to_owned(), built_in(checked, name, value))).collect();
        words.extend(checked.attributes.iter().map(|one| word(one.name.to_string(), attribute(one))));
        let moving = &checked.moving;
        let mut named = |kind: &str, name: &str, value: String| {
            words.push(Word { name: format!("{kind} {name}"), short: Some(name.to_owned()), shared: false, value });
        };
        moving.budgets.iter().for_each(|one| named("budget", &one.name, "spent".to_owned()));
        moving.switches.iter().for_each(|one| named("switch", &one.name, on(!one.default)));
        moving.signals.iter().for_each(|one| named("signal", &one.name, on(true)));
        for one in &moving.classifiers {
            named("classifier", &one.name, one.labels.first().map_or_else(|| "unsure".to_owned(), ToString::to_string));
        }
        for one in &moving.rollouts {
            named(
                "rollout",
                &one.name,
                one.stages.first().map_or_else(|| "10%".to_owned(), |one| one.node.to_string()),
            );
        }
        for (at, metric) in moving.metrics.iter().enumerate() {
            // What a rollout measures is read by its halt alone, and that is no part of a decision.
            if matches!(metric.of, MetricOf::Rollout(_)) {
                continue;
            }
            let value = if metric.observed == Observed::P95 { "9s" } else { "2%" };
            words.push(word(checked.metric_name(MetricId(at as u16)), value.to_owned()));
        }
        words.extend(checked.tiers.iter().map(|one| word(fastest(one), members(checked, one))));
        if !moving.rollouts.is_empty() {
            words.push(word(DRAW.to_owned(), "4200".to_owned()));
        }
        let mut count: FxHashMap<String, usize> = FxHashMap::default();
        for word in &words {
            *count.entry(word.short.as_ref().unwrap_or(&word.name).clone()).or_default() += 1;
        }
        for word in &mut words {
            word.shared = word.short.as_ref().is_some_and(|short| count.get(short).is_some_and(|count| *count > 1));
        }
        Self(words)
    }

    /// What a typed name means. `model` is what people type first.
    pub fn meant(&self, typed: &str) -> Meant<'_> {
        let key = typed.split_whitespace().collect::<Vec<_>>().join(" ");
        let key = if key == "model" { "requested_model" } else { &key };
        if let Some(found) = self.0.iter().find(|word| word.name == key) {
            return Meant::One(found);
        }
        let short: Vec<&Word> = self.0.iter().filter(|word| word.short.as_deref() == Some(key)).collect();
        match short.as_slice() {
            [one] => Meant::One(one),
            [] => Meant::Nothing(self.nearest(key)),
            _ => Meant::Several(short),
        }
    }

    fn nearest(&self, key: &str) -> Option<&Word> {
        // A kind alone: any of its names shows how one is written.
        let kind = format!("{key} ");
        if let Some(first) = self.0.iter().find(|word| word.name.starts_with(&kind)) {
            return Some(first);
        }
        let names = self.0.iter().flat_map(|word| [Some(&*word.name), word.short.as_deref()]).flatten();
        let near = *nearest(key, names).first()?;
        self.0.iter().find(|word| word.name == near || word.short.as_deref() == Some(near))
    }

    /// By its one name.
    pub fn named(&self, name: &str) -> Option<&Word> {
        self.0.iter().find(|word| word.name == name)
    }

    /// All of them, for a message.
    pub fn list(&self) -> String {
        let shown: Vec<&str> = self.0.iter().take(SHOWN).map(Word::typed).collect();
        let rest = self.0.len().saturating_sub(SHOWN);
        if rest == 0 { shown.join(", ") } else { format!("{} and {rest} more", shown.join(", ")) }
    }
}

/// `fastest mid`: the observed order of a tier.
pub fn fastest(tier: &Tier) -> String {
    format!("{FASTEST}{}", tier.name)
}

/// The members of a tier from the last to the first: an order that is not the declared one.
fn members(checked: &Checked, tier: &Tier) -> String {
    let names = tier.members.iter().rev().map(|id| checked.snapshots[id.index()].model.to_string());
    format!("[{}]", names.collect::<Vec<_>>().join(","))
}

fn on(on: bool) -> String {
    if on { "on" } else { "off" }.to_owned()
}

/// The policy's own first value, where it has some.
fn built_in(checked: &Checked, name: &str, value: &str) -> String {
    let own = match name {
        "tenant" => checked.tenants.first().map(|one| &*one.name),
        "plan" => checked.plans.first().map(|one| &**one),
        "feature" => checked.features.first().map(|one| &*one.name),
        "residency" => checked.residencies.last().map(|one| &*one.name),
        "endpoint" => checked.endpoints.first().map(|one| one.word()),
        _ => None,
    };
    let requested = || Some(checked.snapshots.first()?.model.to_string());
    match name {
        "requested_model" => requested().unwrap_or_else(|| value.to_owned()),
        _ => own.unwrap_or(value).to_owned(),
    }
}

/// A value of an attribute's domain; one beside the default, where there are several.
fn attribute(attribute: &Attribute) -> String {
    match &attribute.domain {
        AttributeDomain::OneOf(list) => list.last().map(ToString::to_string).unwrap_or_default(),
        AttributeDomain::Number { lo, .. } => lo.to_string(),
        AttributeDomain::YesOrNo => "yes".to_owned(),
        AttributeDomain::Text => "text".to_owned(),
    }
}
