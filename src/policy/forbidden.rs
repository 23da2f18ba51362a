//! What guarantees forbid of a single hop (section 6.8; section 5.2, step 7).
//!
//! In: a clause, a snapshot, the regions its hop may run in; or a request and a hop. Out: why it is forbidden. Must not know: chains,
//! findings. Analysis and planning ask the same, so that what is proven is what is enforced.

use std::sync::Arc;

use super::checked::{Checked, Held, SnapshotId};
use super::eligible;
use super::facts::PromptSize;
use super::holds::Seen;

/// Whether some guarantee that speaks of this request forbids a hop. By construction that happens only where facts changed after
/// the policy was proven.
pub fn is_forbidden(seen: &Seen<'_>, id: SnapshotId, regions: &[Arc<str>], prompt: &mut dyn PromptSize) -> bool {
    seen.checked.moving.guarantees.iter().any(|guarantee| {
        guarantee.clauses.iter().any(|clause| forbids(seen.checked, &clause.node, id, regions).is_some())
            && guarantee.over.as_ref().is_none_or(|over| seen.holds(&over.node, prompt))
    })
}

/// Why a clause about single hops forbids a snapshot, after its name; `None` where it does not, and for every other clause.
pub fn forbids(checked: &Checked, held: &Held, id: SnapshotId, regions: &[Arc<str>]) -> Option<String> {
    let snapshot = &checked.snapshots[id.index()];
    let facts = snapshot.facts.as_deref();
    match held {
        Held::HopsInRegion(wanted) if !eligible::in_region(facts, regions, wanted) => {
            Some(match facts.and_then(|entry| entry.regions.as_ref()) {
                None => "has no stated region".to_owned(),
                Some(stated) => format!("can run in {}", stated.join(", ")),
            })
        }
        Held::HopsHaveZeroRetention if !eligible::keeps_nothing(facts) => {
            Some(match facts.and_then(|entry| entry.retention.as_ref()) {
                None => "has no stated retention".to_owned(),
                Some(stated) => format!("has retention {stated}"),
            })
        }
        Held::NeverTier(tiers) => {
            let tier = tiers.iter().find(|tier| checked.tiers[tier.index()].has(id))?;
            Some(format!("is in tier `{}`", checked.tiers[tier.index()].name))
        }
        Held::NeverSnapshot(list) if list.contains(&id) => Some("can be reached".to_owned()),
        Held::NeverProvider(list) if list.contains(&snapshot.model.provider) => {
            Some(format!("is at `{}`", snapshot.model.provider))
        }
        _ => None,
    }
}
