//! Why a hop was left out, with the number or name that decided.
//!
//! In: a drop and the facts behind it. Out: a short sentence. Must not know: how a chain is planned.

use super::super::checked::{Chain, Checked, SnapshotId, Target};
use super::super::eligible;
use super::super::facts::Facts;
use super::super::plan::{DropReason, Dropped};
use super::super::shown::grouped;
use crate::catalog::Entry;

/// The sentence behind a reason.
pub fn detail(checked: &Checked, chain: &Chain, dropped: &Dropped, facts: &Facts) -> String {
    let entry = dropped.snapshot.and_then(|id| checked.snapshots[id.index()].facts.as_deref());
    match dropped.reason {
        DropReason::Forbidden => "a guarantee forbids it".to_owned(),
        DropReason::NotApproved => not_approved(checked, facts),
        DropReason::OutsideRegion => regions(entry),
        DropReason::Endpoint => format!("does not serve {}", facts.endpoint.word()),
        DropReason::Modality => {
            let missing: Vec<&str> =
                facts.modality.iter().filter(|one| !eligible::takes(entry, *one)).map(|one| one.word()).collect();
            format!("takes no {}", missing.join(", no "))
        }
        DropReason::Tools => "does not call tools".to_owned(),
        DropReason::JsonSchema => "does not follow schemas".to_owned(),
        DropReason::Streaming => "does not stream".to_owned(),
        DropReason::TooSmall => dropped.snapshot.map_or_else(String::new, |id| too_small(checked, chain, id, facts)),
        DropReason::Retired => retired(entry),
        DropReason::NotRequested => not_requested(checked, dropped, facts),
        DropReason::CoolingDown => "asked for a pause".to_owned(),
        DropReason::BreakerOpen => "failed too often lately".to_owned(),
        DropReason::NotConfigured => "no upstream is configured".to_owned(),
    }
}

fn not_requested(checked: &Checked, dropped: &Dropped, facts: &Facts) -> String {
    let asked = match (&facts.requested_snapshot, facts.requested_model.is_empty()) {
        (_, true) => "the client named no model".to_owned(),
        (Some(model), false) => format!("the client asked for {model}"),
        (None, false) => "nobody knows the model the client asked for".to_owned(),
    };
    match (facts.requested_tier, dropped.snapshot) {
        (Some(tier), _) => format!("{asked}, in tier {}", checked.tiers[tier.index()].name),
        (None, Some(_)) => format!("{asked}, so no direction from it is true"),
        (None, None) => asked,
    }
}

fn not_approved(checked: &Checked, facts: &Facts) -> String {
    let tenant = facts.tenant.and_then(|id| checked.tenants.get(id.index()));
    let list = tenant.and_then(|tenant| tenant.approved.as_deref()).unwrap_or_default();
    let list: Vec<&str> = list.iter().map(|one| &**one).collect();
    format!("{} approves {}", tenant.map_or("the tenant", |tenant| &tenant.name), list.join(", "))
}

fn regions(entry: Option<&Entry>) -> String {
    match entry.and_then(|entry| entry.regions.as_ref()) {
        Some(regions) => format!("runs in {}", regions.join(", ")),
        None => "nobody states where it runs".to_owned(),
    }
}

fn too_small(checked: &Checked, chain: &Chain, snapshot: SnapshotId, facts: &Facts) -> String {
    let entry = checked.snapshots[snapshot.index()].facts.as_deref();
    let feature = facts.feature.and_then(|at| checked.features.get(usize::from(at)));
    let hop = chain.hops.iter().find(|hop| hop.target == Target::Snapshot(snapshot)).or(chain.hops.first());
    let cap = hop.and_then(|hop| eligible::policy_cap(&hop.options, feature));
    match eligible::largest_prompt(entry, eligible::cap(cap, facts.max_tokens)) {
        Some(most) => format!("takes prompts up to {} tokens", grouped(most.0)),
        None => "its window is too small".to_owned(),
    }
}

fn retired(entry: Option<&Entry>) -> String {
    let Some(entry) = entry else { return "not in service".to_owned() };
    match (&entry.rerouted_to, entry.retires_on, entry.released) {
        (Some(other), ..) => format!("answers with {other}"),
        (None, Some(day), _) => format!("ended {day}"),
        (None, None, Some(day)) => format!("begins {day}"),
        (None, None, None) => "not in service".to_owned(),
    }
}
