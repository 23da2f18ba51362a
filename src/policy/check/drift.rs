//! Where a policy and its catalog have come apart: R212, R221, R223.
//!
//! In: a [`Checked`], the catalog, the day. Out: findings. Must not know: requests. A price that will break a guarantee is proven,
//! not judged here.

use jiff::civil::Date;

use super::super::checked::{Checked, SnapshotId, TierId};
use super::super::diagnostic::{Diagnostic, R212, R221, R223};
use crate::catalog::{Catalog, Entry, Kind};
use crate::units::Usd;

/// What the catalog suggests, best first; a policy that uses these words means the same by them.
const SUGGESTED: [&str; 3] = ["frontier", "mid", "small"];

/// Steps between a tier and the catalog's suggestion at which R221 says so.
const FAR: usize = 2;

/// All findings about a catalog that has moved on. `window` is in days.
pub fn check(checked: &Checked, catalog: &Catalog, today: Date, window: i32, findings: &mut Vec<Diagnostic>) {
    findings.extend(aliases(checked, catalog));
    for (at, snapshot) in checked.snapshots.iter().enumerate() {
        let Some(entry) = snapshot.facts.as_deref() else { continue };
        findings.extend(far_from_suggestion(checked, SnapshotId(at as u16), entry));
        let ahead = |from: Date| from > today && (from - today).get_days() <= window;
        for change in entry.price_changes.iter().filter(|change| ahead(change.from)) {
            let Some(price) = &entry.price else { continue };
            let title = format!("the price of {} changes on {}", snapshot.model, change.from);
            let rate = |input: f64, output: f64| {
                let million = |dollars: f64| Usd::from_dollars(dollars);
                format!("${} in and ${} out for a million tokens", million(input), million(output))
            };
            let found = Diagnostic::new(&R223, snapshot.span, title);
            let found = found.note(format!("until then {}", rate(price.input, price.output)));
            findings.push(found.note(format!("from then on {}", rate(change.input, change.output))));
        }
    }
}

/// R212: clients that ask for an alias get another snapshot than with the built-in catalog, in a lower tier.
fn aliases(checked: &Checked, catalog: &Catalog) -> Vec<Diagnostic> {
    if !catalog.has_overlay() {
        return Vec::new();
    }
    let before = Catalog::embedded();
    let tier = |entry: &Entry| -> Option<TierId> {
        let id = entry.points_to.as_deref()?;
        let snapshot =
            checked.snapshots.iter().find(|one| *one.model.provider == *entry.provider && *one.model.id == *id);
        snapshot?.tier
    };
    let lowered = |entry: &Entry| {
        let old = before.get(&entry.provider, &entry.id).filter(|old| old.points_to != entry.points_to)?;
        let (was, is) = (tier(old)?, tier(entry)?);
        (is > was).then(|| {
            let name = |id: TierId| &checked.tiers[id.index()].name;
            let title =
                format!("clients that ask for `{}` now get tier `{}` instead of `{}`", entry.id, name(is), name(was));
            let found = Diagnostic::new(&R212, checked.tiers[is.index()].span, title);
            let target = |entry: &Entry| entry.points_to.as_deref().unwrap_or("nothing").to_owned();
            let found = found.here(format!("has {}", target(entry)));
            let found = found.label(checked.tiers[was.index()].span, format!("has {}", target(old)));
            found.help(format!("let clients name {}, or correct `points_to` in the overlay", target(old)))
        })
    };
    catalog.entries().filter(|entry| entry.kind == Kind::Alias).filter_map(lowered).collect()
}

/// R221: only where the policy's own tiers go by the catalog's words, so that they can be compared.
fn far_from_suggestion(checked: &Checked, id: SnapshotId, entry: &Entry) -> Option<Diagnostic> {
    let rank = |name: &str| SUGGESTED.iter().position(|word| *word == name);
    let snapshot = &checked.snapshots[id.index()];
    let tier = &checked.tiers[snapshot.tier?.index()];
    let (own, suggested) = (rank(&tier.name)?, rank(entry.tier.as_deref()?)?);
    if own.abs_diff(suggested) < FAR {
        return None;
    }
    let title =
        format!("{} is in tier `{}`; the catalog suggests `{}`", snapshot.model, tier.name, SUGGESTED[suggested]);
    let found = Diagnostic::new(&R221, snapshot.span, title).here("two steps away");
    Some(found.help("the company decides which work a model may do; an eval in the tier says why"))
}
