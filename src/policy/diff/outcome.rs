//! What a rule does, by names, so that rules of two policies can be compared and told apart in words.
//!
//! In: an outcome and its policy. Out: a value that is equal exactly when two rules do the same, and what changed between two.
//! Must not know: conditions.

use serde::Serialize;

use super::super::ast::Intent;
use super::super::checked::{
    Chain, Checked, Claim, Degrade, Extras, HopOptions, Outcome, Partition, Promise, SnapshotId, Target,
};
use super::changes;
use crate::units::Millis;

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
    facts: Option<String>,
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
        let hops = steps.chain.iter().map(|step| (&step.snapshot, &step.tier, step.claim, &step.options, &step.facts));
        let ends = steps.degrade.iter().map(|end| (end.kind, &end.content));
        let (hops, ends) = (hops.collect::<Vec<_>>(), ends.collect::<Vec<_>>());
        format!("{:?} {} {hops:?} {ends:?} {:?}", steps.tier, steps.manner, steps.deadline_ms)
    }

    /// In one line: `mid (anthropic, openai) then small (azure) → template sorry`.
    pub fn line(&self) -> String {
        let (tries, ends) = self.halves();
        if tries.is_empty() { ends } else { format!("{tries} → {ends}") }
    }

    /// What is tried, and what the caller gets when nothing delivered. Either may be empty.
    pub fn halves(&self) -> (String, String) {
        let steps = match self {
            Self::Reject { status, .. } => return (String::new(), format!("reject {status}")),
            Self::Chain(steps) => steps,
        };
        let mut tiers: Vec<(String, Vec<String>)> = Vec::new();
        for step in &steps.chain {
            let tier = step.tier.clone().unwrap_or_else(|| "requested".to_owned());
            let who = step.provider.clone().unwrap_or_else(|| "as asked".to_owned());
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
        (shown.join(" then "), ends)
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
            facts: None,
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
    Step {
        snapshot: snapshot.model.to_string(),
        tier: tier.map(|tier| tier.name.to_string()),
        claim,
        provider: Some(snapshot.model.provider.to_string()),
        facts: snapshot.facts.as_deref().map(changes::facts),
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
