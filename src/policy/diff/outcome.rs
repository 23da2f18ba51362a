//! What a rule does, by names, so that rules of two policies can be compared and told apart in words.
//!
//! In: an outcome and its policy. Out: a value that is equal exactly when two rules do the same, and what changed between two.
//! Must not know: conditions.

use serde::Serialize;

use super::super::ast::Intent;
use super::super::checked::{
    Chain, Checked, Claim, Degrade, Extras, HopOptions, Outcome, Partition, Promise, SnapshotId, Target,
};
use crate::catalog::Price;
use crate::units::{Millis, Usd};

/// Share of more time at worst that counts as slower, in percent.
const SLOWER_PERCENT: u64 = 10;

/// Tokens of prompt by which prices are compared.
const USUAL_PROMPT: u64 = 2000;

/// Tokens of answer by which prices are compared.
const USUAL_ANSWER: u64 = 400;

/// An outcome by names.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Does {
    /// Refuses.
    Reject { status: u16, message: Option<String> },
    /// Tries hops, then degrades.
    Chain(Box<Steps>),
}

/// A chain by names.
#[derive(Clone, Debug, Serialize)]
pub struct Steps {
    /// The tier promised.
    pub tier: Option<String>,
    /// How the tier is ordered, how much is held, what a cut does, and what surrounds the chain.
    #[serde(skip)]
    pub manner: String,
    /// Hops in order.
    pub chain: Vec<Step>,
    /// Degrade steps in order.
    pub degrade: Vec<End>,
    /// Bounds the chain.
    pub deadline_ms: Millis,
}

/// A hop by names.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// `provider/id`, or `requested`.
    pub snapshot: String,
    /// Its tier.
    pub tier: Option<String>,
    /// What the author said.
    pub claim: &'static str,
    #[serde(skip)]
    options: HopOptions,
    #[serde(skip)]
    provider: Option<String>,
    #[serde(skip)]
    regions: Option<Vec<String>>,
    #[serde(skip)]
    usual_cost: Option<Usd>,
}

/// A degrade step by names.
#[derive(Clone, Debug, Serialize)]
pub struct End {
    /// `template`, `cached`, `queue`, `error`.
    pub kind: &'static str,
    /// Which one.
    pub name: Option<String>,
    /// What the caller sees of it: a template's text, not its name.
    #[serde(skip)]
    content: String,
}

impl Does {
    /// An outcome of a policy.
    pub fn of(checked: &Checked, outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Reject { status, message } => {
                Self::Reject { status: *status, message: message.as_deref().map(str::to_owned) }
            }
            Outcome::Chain(chain) => Self::Chain(Box::new(steps(checked, chain))),
        }
    }

    /// Equal for two outcomes exactly when no request could tell them apart.
    pub fn key(&self) -> String {
        let steps = match self {
            Self::Reject { status, message } => return format!("reject {status} {message:?}"),
            Self::Chain(steps) => steps,
        };
        let hops =
            steps.chain.iter().map(|step| (&step.snapshot, &step.tier, step.claim, &step.options, &step.regions));
        let ends = steps.degrade.iter().map(|end| (end.kind, &end.content));
        let (hops, ends) = (hops.collect::<Vec<_>>(), ends.collect::<Vec<_>>());
        format!("{:?} {} {hops:?} {ends:?} {:?}", steps.tier, steps.manner, steps.deadline_ms)
    }

    /// In one line: `mid (anthropic, openai) then small → template sorry`.
    pub fn line(&self) -> String {
        let steps = match self {
            Self::Reject { status, .. } => return format!("reject {status}"),
            Self::Chain(steps) => steps,
        };
        let mut tiers: Vec<(String, Vec<String>)> = Vec::new();
        for step in &steps.chain {
            let tier = step.tier.clone().unwrap_or_else(|| "requested".to_owned());
            let who = step.provider.clone().unwrap_or_else(|| "requested".to_owned());
            match tiers.last_mut() {
                Some((last, providers)) if *last == tier => {
                    if !providers.contains(&who) {
                        providers.push(who);
                    }
                }
                _ => tiers.push((tier, vec![who])),
            }
        }
        let shown: Vec<String> = tiers.iter().map(|(tier, who)| format!("{tier} ({})", who.join(", "))).collect();
        let ends: Vec<String> = steps.degrade.iter().map(End::words).collect();
        let ends = if ends.is_empty() { "the last failure".to_owned() } else { ends.join(", ") };
        if shown.is_empty() { ends } else { format!("{} → {ends}", shown.join(" then ")) }
    }
}

impl End {
    fn words(&self) -> String {
        self.name.as_ref().map_or_else(|| self.kind.to_owned(), |name| format!("{} {name}", self.kind))
    }
}

fn steps(checked: &Checked, chain: &Chain) -> Steps {
    let tier = match chain.promise {
        Promise::Nothing => None,
        Promise::AsRequested => Some("as requested".to_owned()),
        Promise::Tier(id) => Some(checked.tiers[id.index()].name.to_string()),
    };
    let claim = |claim: Claim| match claim {
        Claim::Promised => "snapshot",
        Claim::Fallback(Intent::Peer) => "peer",
        Claim::Fallback(Intent::Lower) => "lower",
        Claim::Fallback(Intent::Higher) => "higher",
    };
    let hops = chain.hops.iter().map(|hop| match hop.target {
        Target::Requested => Step {
            snapshot: "requested".to_owned(),
            tier: None,
            claim: claim(hop.claim),
            options: hop.options.clone(),
            provider: None,
            regions: None,
            usual_cost: None,
        },
        Target::Snapshot(id) => named(checked, id, claim(hop.claim), hop.options.clone()),
    });
    Steps {
        tier,
        manner: format!("{:?} {:?} {:?} {}", chain.order, chain.hold, chain.on_cut, around(checked, &chain.extras)),
        chain: hops.collect(),
        degrade: chain.degrade.iter().map(|step| end(checked, step)).collect(),
        deadline_ms: chain.deadline,
    }
}

/// Guards, cache and shadow by names, without places.
fn around(checked: &Checked, extras: &Extras) -> String {
    let moving = &checked.moving;
    let guards: Vec<_> = extras.guards.iter().map(|one| &moving.guards[one.node.index()].name).collect();
    let cache = extras.cache.as_ref().map(|one| {
        let part = |part: &Partition| match part {
            Partition::Attribute(at) => checked.attributes[usize::from(*at)].name.to_string(),
            built_in => format!("{built_in:?}"),
        };
        (one.similarity, one.fresh, one.per.iter().map(part).collect::<Vec<_>>())
    });
    let shadow = extras.shadow.as_ref().map(|one| {
        let budget = one.budget.map(|id| &moving.budgets[id.node.index()].name);
        let judge = one.scored_by.map(|id| &moving.judges[id.node.index()].name);
        (one.share, &checked.snapshots[one.snapshot.node.index()].model, one.keep, budget, judge)
    });
    format!("{guards:?} {cache:?} {shadow:?}")
}

fn named(checked: &Checked, id: SnapshotId, claim: &'static str, options: HopOptions) -> Step {
    let snapshot = &checked.snapshots[id.index()];
    let tier = snapshot.tier.map(|tier| &checked.tiers[tier.index()]);
    let facts = snapshot.facts.as_deref();
    let stated = facts.and_then(|entry| entry.regions.as_ref());
    Step {
        snapshot: snapshot.model.to_string(),
        tier: tier.map(|tier| tier.name.to_string()),
        claim,
        provider: Some(snapshot.model.provider.to_string()),
        regions: stated.map(|list| {
            let kept =
                |region: &String| options.regions.is_empty() || options.regions.iter().any(|one| **one == **region);
            list.iter().map(ToString::to_string).filter(kept).collect()
        }),
        usual_cost: facts.and_then(|entry| entry.price.as_ref()).map(usual_cost),
        options,
    }
}

fn end(checked: &Checked, step: &Degrade) -> End {
    match step {
        Degrade::Template(id) => {
            let template = &checked.templates[id.index()];
            End { kind: "template", name: Some(template.name.to_string()), content: template.text.to_string() }
        }
        Degrade::Cached { up_to } => {
            let name = format!("up to {up_to}");
            End { kind: "cached", content: name.clone(), name: Some(name) }
        }
        Degrade::Queue { name, within } => {
            End { kind: "queue", name: Some(name.to_string()), content: format!("{name} {within:?}") }
        }
        Degrade::Error { status, message } => {
            End { kind: "error", name: Some(status.to_string()), content: format!("{status} {message:?}") }
        }
    }
}

/// Flags of `--fail-on`, and what they say to people. `rank` is a tier's place in the new order, best first.
pub fn flags(was: &Does, now: &Does, rank: &dyn Fn(&str) -> Option<usize>) -> Vec<String> {
    let (Does::Chain(was), Does::Chain(now)) = (was, now) else {
        return match (was, now) {
            (Does::Chain(_), Does::Reject { .. }) => vec!["rejected".to_owned()],
            (Does::Reject { .. }, Does::Chain(_)) => vec!["admitted".to_owned()],
            _ => Vec::new(),
        };
    };
    let mut flags = Vec::new();
    let mut flag = |holds: bool, name: &str| flags.extend(holds.then(|| name.to_owned()));
    let first = |steps: &Steps| {
        let own = steps.chain.first().and_then(|step| step.tier.as_deref());
        own.or(steps.tier.as_deref()).and_then(rank)
    };
    if let (Some(before), Some(after)) = (first(was), first(now)) {
        flag(after > before, "downgrade");
        flag(after < before, "upgrade");
    }
    let providers = |steps: &Steps| steps.chain.iter().filter_map(|step| step.provider.clone()).collect::<Vec<_>>();
    let (before, after) = (providers(was), providers(now));
    flag(after.iter().any(|one| !before.contains(one)), "new-provider");
    let stays = |steps: &Steps| {
        let regions = steps.chain.iter().map(|step| step.regions.clone());
        regions.collect::<Option<Vec<_>>>().map(|all| all.concat())
    };
    if let Some(before) = stays(was).filter(|all| !all.is_empty()) {
        // A region nobody stated may be any.
        flag(stays(now).is_none_or(|all| all.iter().any(|one| !before.contains(one))), "leaves-region");
    }
    let person = |steps: &Steps| steps.degrade.iter().any(|step| step.kind == "queue");
    flag(person(was) && !person(now), "loses-person");
    flag(now.chain.len() < was.chain.len() && !now.chain.is_empty(), "loses-fallback");
    let dearest = |steps: &Steps| steps.chain.first().and_then(|step| step.usual_cost);
    if let (Some(before), Some(after)) = (dearest(was), dearest(now)) {
        let percent = after.0.saturating_sub(before.0).saturating_mul(100) / before.0.max(1);
        flag(percent > 0, &format!("cost-up={percent}%"));
    }
    let worst = |steps: &Steps| {
        let sum: u64 = steps.chain.iter().map(|step| step.options.timeout.0).sum();
        sum.min(steps.deadline_ms.0)
    };
    flag(worst(now) * 100 > worst(was) * (100 + SLOWER_PERCENT), "slower");
    flags
}

/// What a usual request costs.
fn usual_cost(price: &Price) -> Usd {
    Usd::per_token(price.input).times(USUAL_PROMPT) + Usd::per_token(price.output).times(USUAL_ANSWER)
}
