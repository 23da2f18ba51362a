//! What clients ask for and two catalogs resolve differently.
//!
//! In: two policies, each with its catalog. Out: notes. Must not know: boxes: the same request stands for two snapshots, so no
//! group can show it.

use super::super::checked::{Checked, Outcome, Promise, Subject, Target};
use super::Diff;
use crate::catalog::{Catalog, Kind, Resolved};
use crate::names::ModelRef;

/// Aliases that are named; the rest is counted.
const MAX_SHOWN: usize = 10;

/// A policy, and the facts it is decided with.
pub type Resolves<'a> = (&'a Checked, &'a Catalog);

impl Diff {
    /// Notes the names that stand for another snapshot now, where one of the two policies knows the snapshot and looks at it.
    pub fn resolve(&mut self, old: Resolves<'_>, new: Resolves<'_>) {
        if !looks(old.0) && !looks(new.0) {
            return;
        }
        let mut names: Vec<String> = [old.1, new.1]
            .into_iter()
            .flat_map(Catalog::entries)
            .filter(|entry| entry.kind == Kind::Alias)
            .map(|entry| format!("{}/{}", entry.provider, entry.id))
            .collect();
        names.sort_unstable();
        names.dedup();
        let moved = names.iter().filter_map(|name| {
            let (was, now) = (behind(old.1, name), behind(new.1, name));
            let known = |checked: &Checked, model: &Option<ModelRef>| {
                model.as_ref().is_some_and(|model| checked.snapshots.iter().any(|one| one.model == *model))
            };
            let matters = was != now && (known(old.0, &was) || known(new.0, &now));
            let said = |model: Option<ModelRef>| model.map_or_else(|| "nothing".to_owned(), |model| model.to_string());
            matters.then(|| format!("`{name}` stood for {} and stands for {}", said(was), said(now)))
        });
        let moved: Vec<String> = moved.collect();
        let more = moved.len().saturating_sub(MAX_SHOWN);
        self.notes.extend(moved.into_iter().take(MAX_SHOWN));
        if more > 0 {
            self.notes.push(format!("and {more} more"));
        }
    }
}

fn behind(catalog: &Catalog, name: &str) -> Option<ModelRef> {
    match catalog.resolve(name) {
        Resolved::Known(entry) => Some(ModelRef::new(&entry.provider, &entry.written_id())),
        Resolved::Unknown => None,
    }
}

/// Whether a decision or a chain hangs on the model that a client asks for.
fn looks(checked: &Checked) -> bool {
    let column = |subject: Subject| matches!(subject, Subject::RequestedSnapshot | Subject::RequestedTier);
    checked.columns.iter().any(|one| column(one.subject))
        || checked.rules.iter().any(|rule| match &rule.outcome {
            Outcome::Chain(chain) => {
                chain.promise == Promise::AsRequested || chain.hops.iter().any(|hop| hop.target == Target::Requested)
            }
            Outcome::Reject { .. } => false,
        })
}
