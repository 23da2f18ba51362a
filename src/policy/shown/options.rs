//! What a rule says about its hops and around its chain, as a policy writes it.
//!
//! In: effective options. Out: `2 on [network, overload] backoff 250ms`, `exact for 7d per [tenant]`. Must not know: who inherits
//! what.

use std::sync::Arc;

use super::super::ast::{OnCut, Order};
use super::super::checked::{Checked, Extras, Hedge, Hold, Partition, Retry, Similarity};
use crate::failure::{Failure, FailureSet};

/// What stands where nothing does.
const NONE: &str = "none";

/// `in order`, `cheapest`, `fastest`
pub const fn order(order: Order) -> &'static str {
    match order {
        Order::InOrder => "in order",
        Order::Cheapest => "cheapest",
        Order::Fastest => "fastest",
    }
}

/// `first_token`, `200 tokens`, `complete`
pub fn hold(hold: Hold) -> String {
    match hold {
        Hold::FirstToken => "first_token".to_owned(),
        Hold::Tokens(count) => format!("{count} tokens"),
        Hold::Complete => "complete".to_owned(),
    }
}

/// `error`, `resume`
pub const fn on_cut(mode: OnCut) -> &'static str {
    match mode {
        OnCut::Error => "error",
        OnCut::Resume => "resume",
    }
}

/// `2 on [network, overload] backoff 250ms`, `0`
pub fn retry(retry: Retry) -> String {
    match retry.count {
        0 => "0".to_owned(),
        count => format!("{count} on [{}] backoff {}", failures(retry.on), retry.backoff),
    }
}

/// `network, timeout`
pub fn failures(set: FailureSet) -> String {
    set.iter().map(Failure::word).collect::<Vec<_>>().join(", ")
}

/// `eu-west, eu-central`, `anywhere`
pub fn regions(regions: &[Arc<str>]) -> String {
    if regions.is_empty() { "anywhere".to_owned() } else { regions.join(", ") }
}

/// `after p95 up to 1`, `none`
pub fn hedge(hedge: Option<Hedge>) -> String {
    let Some(hedge) = hedge else { return NONE.to_owned() };
    let after = hedge.after.map_or_else(|| "p95".to_owned(), |after| after.to_string());
    format!("after {after} up to {}", hedge.legs)
}

/// `pii, secrets`, `none`
pub fn guards(checked: &Checked, extras: &Extras) -> String {
    let names: Vec<&str> = extras.guards.iter().map(|one| &*checked.moving.guards[one.node.index()].name).collect();
    if names.is_empty() { NONE.to_owned() } else { names.join(", ") }
}

/// `exact for 7d per [tenant]`, `none`
pub fn cache(checked: &Checked, extras: &Extras) -> String {
    let Some(cache) = &extras.cache else { return NONE.to_owned() };
    let similarity = match cache.similarity {
        Similarity::Exact => "exact".to_owned(),
        Similarity::Semantic(share) => format!("semantic {share}"),
    };
    let per: Vec<&str> = cache.per.iter().map(|part| partition(checked, *part)).collect();
    format!("{similarity} for {} per [{}]", cache.fresh, per.join(", "))
}

/// What a cache is divided by, as a policy writes it.
pub fn partition(checked: &Checked, part: Partition) -> &str {
    match part {
        Partition::Tenant => "tenant",
        Partition::User => "user",
        Partition::Plan => "plan",
        Partition::Feature => "feature",
        Partition::Residency => "residency",
        Partition::Attribute(at) => &checked.attributes[usize::from(at)].name,
    }
}

/// `2% to M, keep 14d, budget lab`, `none`
pub fn shadow(checked: &Checked, extras: &Extras) -> String {
    let Some(shadow) = &extras.shadow else { return NONE.to_owned() };
    let mut text = format!("{} to {}", shadow.share, checked.snapshots[shadow.snapshot.node.index()].model);
    let keep = shadow.keep.map(|time| format!(", keep {time}"));
    let budget = shadow.budget.map(|id| format!(", budget {}", checked.moving.budgets[id.node.index()].name));
    let judge = shadow.scored_by.map(|id| format!(", scored by {}", checked.moving.judges[id.node.index()].name));
    text.extend([keep, budget, judge].into_iter().flatten());
    text
}
