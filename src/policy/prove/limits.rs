//! What the hops of chains cannot serve, as areas of requests.
//!
//! In: chains and the facts of their snapshots. Out: for each hop the reasons and areas for which planning would drop it, and
//! the columns those areas need, whether or not a condition looks at them. Must not know: findings. The questions are those of
//! [`eligible`], which planning asks too.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::super::atom_set::AtomSet;
use super::super::atoms::{Mentions, Space};
use super::super::boxes::AtomBox;
use super::super::checked::{
    Chain, Checked, Class, Column, ColumnId, Domain, Endpoint, Hop, Implication, Modality, Outcome, Stakes, Subject,
    Target, Values,
};
use super::super::eligible;
use super::super::facts::Priority;
use super::{bounded, budgets, rollouts, staffing, streams};
use crate::units::Tokens;

/// A reason for which planning drops a hop, and for which requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Prompts above `largest`; only with these features (the last is `none`), when caps differ between features.
    Prompt { largest: Tokens, features: Option<Vec<usize>> },
    /// Requests to this endpoint.
    Endpoint(Endpoint),
    /// Requests that stream.
    Streaming,
    /// Requests that offer tools.
    Tools,
    /// Requests that demand a schema.
    JsonSchema,
    /// Prompts with this content.
    Content(Modality),
    /// Requests of this residency: an index.
    Residency(usize),
    /// Requests of tenants that did not approve the provider: indexes.
    Tenants(Vec<usize>),
    /// Every request whose client names no model of this policy.
    NothingRequested,
}

impl Limit {
    /// Why, after the model's name: `takes no images`.
    pub fn why(&self, checked: &Checked) -> String {
        match self {
            Self::Prompt { largest, .. } => format!("takes prompts up to {largest} tokens"),
            Self::Endpoint(endpoint) => format!("does not serve {}", endpoint.word()),
            Self::Streaming => "does not stream".to_owned(),
            Self::Tools => "calls no tools".to_owned(),
            Self::JsonSchema => "follows no schema".to_owned(),
            Self::Content(content) => format!("takes no {} input", content.word()),
            Self::Residency(at) => format!("can run outside `{}`", checked.residencies[*at].name),
            Self::Tenants(list) => match list.first() {
                Some(first) => format!("is not approved by tenant `{}`", checked.tenants[*first].name),
                None => "is not approved".to_owned(),
            },
            Self::NothingRequested => "names no model of this policy".to_owned(),
        }
    }

    fn subjects(&self) -> Vec<Subject> {
        match self {
            Self::Prompt { features: Some(_), .. } => vec![Subject::PromptTokens, Subject::Feature],
            Self::Prompt { features: None, .. } => vec![Subject::PromptTokens],
            Self::Endpoint(_) => vec![Subject::Endpoint],
            Self::Streaming => vec![Subject::Streaming],
            Self::Tools => vec![Subject::Tools],
            Self::JsonSchema => vec![Subject::JsonSchema],
            Self::Content(content) => vec![Subject::Modality(*content)],
            Self::Residency(_) => vec![Subject::Residency],
            Self::Tenants(_) => vec![Subject::Tenant],
            Self::NothingRequested => vec![Subject::RequestedTier],
        }
    }

    /// The tests whose conjunction is the area, on columns that are there.
    fn tests(&self, checked: &Checked, columns: &[Column]) -> Vec<(ColumnId, Values)> {
        let named = |subject: Subject, names: Vec<&str>| {
            let (id, column) = find(columns, subject)?;
            let Domain::Enum { values, .. } = &column.domain else { return None };
            let place = |name: &&str| values.iter().position(|one| **one == **name).map(|at| at as u32);
            let mut places: Vec<u32> = names.iter().filter_map(place).collect();
            places.sort_unstable();
            Some((id, Values::Enum(places)))
        };
        let yes = |subject: Subject| find(columns, subject).map(|(id, _)| (id, Values::Bool(true)));
        match self {
            Self::Prompt { largest, features } => {
                let above = find(columns, Subject::PromptTokens)
                    .map(|(id, _)| (id, Values::Ranges(vec![(largest.0 + 1, u64::MAX)])));
                let named_features = features.as_ref().and_then(|list| {
                    let name = |at: &usize| checked.features.get(*at).map_or("none", |one| &*one.name);
                    named(Subject::Feature, list.iter().map(name).collect())
                });
                above.into_iter().chain(named_features).collect()
            }
            Self::Endpoint(endpoint) => named(Subject::Endpoint, vec![endpoint.word()]).into_iter().collect(),
            Self::Streaming => yes(Subject::Streaming).into_iter().collect(),
            Self::Tools => yes(Subject::Tools).into_iter().collect(),
            Self::JsonSchema => yes(Subject::JsonSchema).into_iter().collect(),
            Self::Content(content) => yes(Subject::Modality(*content)).into_iter().collect(),
            Self::Residency(at) => {
                named(Subject::Residency, vec![&checked.residencies[*at].name]).into_iter().collect()
            }
            Self::Tenants(list) => {
                let names = list.iter().map(|at| &*checked.tenants[*at].name).collect();
                named(Subject::Tenant, names).into_iter().collect()
            }
            Self::NothingRequested => named(Subject::RequestedTier, vec!["none"]).into_iter().collect(),
        }
    }

    /// The area, in a space that was built with [`mention`]. `None` when it is empty.
    pub fn area(&self, checked: &Checked, space: &Space) -> Option<AtomBox> {
        self.tests(checked, space.columns()).into_iter().try_fold(AtomBox::everything(), |area, (column, values)| {
            let set: AtomSet = space.set(column, &values);
            area.and(&AtomBox::only(space, column, set)?)
        })
    }
}

/// What the limits of a hop depend on. A policy of thousands of hops has a few of these.
pub type Kind = (Target, Vec<Arc<str>>, Option<Tokens>);

/// See [`Kind`].
pub fn kind(hop: &Hop) -> Kind {
    (hop.target, hop.options.regions.clone(), hop.options.max_output)
}

/// One hop of each kind.
fn kinds(checked: &Checked) -> Vec<&Hop> {
    let chains = checked.rules.iter().filter_map(|rule| chain_of(&rule.outcome));
    let mut seen = FxHashSet::default();
    chains.flat_map(|chain| &chain.hops).filter(|hop| seen.insert(kind(hop))).collect()
}

pub(super) fn find(columns: &[Column], subject: Subject) -> Option<(ColumnId, &Column)> {
    let found = columns.iter().enumerate().find(|(_, column)| column.subject == subject);
    found.map(|(at, column)| (ColumnId(at as u16), column))
}

/// Why planning would drop a hop, for each reason that some admitted request can give.
pub fn of_hop(checked: &Checked, hop: &Hop) -> Vec<Limit> {
    let Target::Snapshot(id) = hop.target else { return vec![Limit::NothingRequested] };
    let snapshot = &checked.snapshots[id.index()];
    let entry = snapshot.facts.as_deref();
    let mut limits = windows(checked, hop);
    let foreign = checked.endpoints.iter().filter(|endpoint| !eligible::serves(entry, **endpoint));
    limits.extend(foreign.map(|endpoint| Limit::Endpoint(*endpoint)));
    for (can, limit) in [
        (eligible::streams(entry), Limit::Streaming),
        (eligible::calls_tools(entry), Limit::Tools),
        (eligible::follows_schema(entry), Limit::JsonSchema),
        (eligible::takes(entry, Modality::Image), Limit::Content(Modality::Image)),
    ] {
        limits.extend((!can).then_some(limit));
    }
    // Unknown counts as missing for these, so they are asked about only where the policy shows that it gets them.
    for content in [Modality::Audio, Modality::Video, Modality::File] {
        let seen = find(&checked.columns, Subject::Modality(content)).is_some();
        limits.extend((seen && !eligible::takes(entry, content)).then_some(Limit::Content(content)));
    }
    let regions = checked.residencies.iter().enumerate();
    let outside = regions.filter(|(_, one)| !eligible::in_region(entry, &hop.options.regions, &one.regions));
    limits.extend(outside.map(|(at, _)| Limit::Residency(at)));
    let provider = &snapshot.model.provider;
    let refuses = |at: &usize| !eligible::approved(checked.tenants[*at].approved.as_deref(), provider);
    let refusing: Vec<usize> = (0..checked.tenants.len()).filter(refuses).collect();
    limits.extend((!refusing.is_empty()).then_some(Limit::Tenants(refusing)));
    limits
}

/// The largest prompt by feature, where features cap the answer differently. The caller's own `max_tokens` is not asked about:
/// a caller who wants more than the policy keeps room for is refused by the provider, not by the policy.
fn windows(checked: &Checked, hop: &Hop) -> Vec<Limit> {
    let Target::Snapshot(id) = hop.target else { return Vec::new() };
    let entry = checked.snapshots[id.index()].facts.as_deref();
    let mut by_size: BTreeMap<Tokens, Vec<usize>> = BTreeMap::new();
    // Without caps of their own all features are as `none`, the place after the last.
    let alike = checked.features.iter().all(|feature| feature.max_output.is_none());
    let first = if alike { checked.features.len() } else { 0 };
    for at in first..=checked.features.len() {
        let cap = eligible::policy_cap(&hop.options, checked.features.get(at));
        if let Some(largest) = eligible::largest_prompt(entry, cap) {
            by_size.entry(largest).or_default().push(at);
        }
    }
    let all = by_size.len() == 1;
    let small = by_size.into_iter().filter(|(largest, _)| *largest < checked.max_prompt);
    small.map(|(largest, features)| Limit::Prompt { largest, features: (!all).then_some(features) }).collect()
}

/// The chain of a rule, if it has hops.
pub fn chain_of(outcome: &Outcome) -> Option<&Chain> {
    match outcome {
        Outcome::Chain(chain) if !chain.hops.is_empty() => Some(chain),
        _ => None,
    }
}

/// Whether some feature has high stakes, and no column says so yet.
fn stakes_matter(checked: &Checked) -> bool {
    checked.features.iter().any(|feature| feature.stakes == Stakes::High)
}

/// The policy with columns for everything that its chains depend on, and the facts that tie them to the others.
pub fn extended(checked: &Checked) -> Checked {
    let mut wide = checked.widened();
    let old = wide.columns.len();
    let limits = kinds(checked).into_iter().flat_map(|hop| of_hop(checked, hop));
    let mut wanted: Vec<Subject> = limits.flat_map(|limit| limit.subjects()).collect();
    if stakes_matter(checked) {
        wanted.push(Subject::Stakes);
    }
    wanted.extend(bounded::subjects(checked));
    wanted.extend(budgets::subjects(checked));
    wanted.extend(rollouts::subjects(checked));
    wanted.extend(staffing::subjects(checked));
    wanted.extend(streams::subjects(checked));
    for subject in wanted {
        if find(&wide.columns, subject).is_none()
            && let Some(column) = column_for(checked, subject)
        {
            wide.columns.push(column);
        }
    }
    for (left, right) in
        [(Subject::Tenant, Subject::Plan), (Subject::Tenant, Subject::Residency), (Subject::Feature, Subject::Stakes)]
    {
        let (Some((from, _)), Some((to, _))) = (find(&wide.columns, left), find(&wide.columns, right)) else {
            continue;
        };
        if from.index() >= old || to.index() >= old {
            wide.implications.extend(facts_between(checked, &wide.columns, (from, left), (to, right)));
        }
    }
    wide
}

/// A column that no condition tests.
fn column_for(checked: &Checked, subject: Subject) -> Option<Column> {
    let list = |names: Vec<Arc<str>>, open| Domain::Enum { values: names, open };
    let words = |words: &[&str]| words.iter().map(|word| Arc::from(*word)).collect::<Vec<_>>();
    let with_none = |names: Vec<Arc<str>>| [vec![Arc::from("none")], names].concat();
    let (name, domain) = match subject {
        Subject::PromptTokens => ("prompt_tokens", Domain::Number { lo: 0, hi: checked.max_prompt.0 }),
        Subject::Feature => {
            ("feature", list(with_none(checked.features.iter().map(|one| one.name.clone()).collect()), false))
        }
        Subject::RequestedTier => {
            ("requested_tier", list(with_none(checked.tiers.iter().map(|one| one.name.clone()).collect()), false))
        }
        Subject::Endpoint => {
            ("endpoint", list(checked.endpoints.iter().map(|one| Arc::from(one.word())).collect(), false))
        }
        Subject::Residency => {
            ("residency", list(checked.residencies.iter().map(|one| one.name.clone()).collect(), false))
        }
        Subject::Tenant => ("tenant", list(checked.tenants.iter().map(|one| one.name.clone()).collect(), true)),
        Subject::Stakes => ("stakes", list(words(&["low", "normal", "high"]), false)),
        Subject::Plan => ("plan", list(checked.plans.clone(), false)),
        Subject::Clock => {
            return Some(Column { name: "time".into(), subject, domain: Domain::Clock, class: Class::Reading });
        }
        Subject::Priority => ("priority", list(words(&Priority::ALL.map(Priority::word)), false)),
        Subject::Streaming => ("streaming", Domain::Bool),
        Subject::Tools => ("tools", Domain::Bool),
        Subject::JsonSchema => ("json_schema", Domain::Bool),
        Subject::Modality(Modality::Image) => ("modality has image", Domain::Bool),
        _ => return None,
    };
    Some(Column { name: name.into(), subject, domain, class: Class::Free })
}

fn facts_between(
    checked: &Checked,
    columns: &[Column],
    (from, left): (ColumnId, Subject),
    (to, right): (ColumnId, Subject),
) -> Vec<Implication> {
    let place = |id: ColumnId, name: &str| match &columns[id.index()].domain {
        Domain::Enum { values, .. } => values.iter().position(|one| **one == *name).map(|at| at as u32),
        _ => None,
    };
    let pairs: Vec<(&str, &str, String)> = match (left, right) {
        (Subject::Tenant, Subject::Plan) => {
            let with_plan =
                checked.tenants.iter().filter_map(|one| Some((one, &checked.plans[usize::from(one.plan?)])));
            with_plan
                .map(|(one, plan)| (&*one.name, &**plan, format!("tenant {} is on plan {plan}", one.name)))
                .collect()
        }
        (Subject::Tenant, Subject::Residency) => {
            let of = |one: &super::super::checked::Tenant| Some(&checked.residencies[usize::from(one.residency?)].name);
            let with_place = checked.tenants.iter().filter_map(|one| Some((one, of(one)?)));
            with_place
                .map(|(one, place)| (&*one.name, &**place, format!("tenant {} has residency {place}", one.name)))
                .collect()
        }
        (Subject::Feature, Subject::Stakes) => {
            let declared = checked.features.iter().map(|one| (&*one.name, one.stakes));
            let all = declared.chain([("none", Stakes::Normal)]);
            all.map(|(name, stakes)| (name, stakes.word(), format!("feature {name} has {} stakes", stakes.word())))
                .collect()
        }
        _ => Vec::new(),
    };
    let fact = |(left, right, because): (&str, &str, String)| {
        Some(Implication {
            if_column: from,
            if_values: Values::Enum(vec![place(from, left)?]),
            then_column: to,
            then_values: Values::Enum(vec![place(to, right)?]),
            because,
        })
    };
    pairs.into_iter().filter_map(fact).collect()
}

/// Cuts columns at everything that limits, and conditions of moving parts, name.
pub fn mention(checked: &Checked, mentions: &mut Mentions) {
    checked.moving.conditions().for_each(|clause| mentions.add_cond(&clause.node));
    let limits = kinds(checked).into_iter().flat_map(|hop| of_hop(checked, hop));
    for (column, values) in limits.flat_map(|limit| limit.tests(checked, &checked.columns)) {
        mentions.add(column, &values);
    }
    if let Some((column, values)) = high_stakes(checked) {
        mentions.add(column, &values);
    }
}

/// The test for requests of high stakes; `None` where no feature has them.
pub fn high_stakes(checked: &Checked) -> Option<(ColumnId, Values)> {
    if !stakes_matter(checked) {
        return None;
    }
    let (id, column) = find(&checked.columns, Subject::Stakes)?;
    let Domain::Enum { values, .. } = &column.domain else { return None };
    let high = values.iter().position(|one| **one == *Stakes::High.word())?;
    Some((id, Values::Enum(vec![high as u32])))
}
