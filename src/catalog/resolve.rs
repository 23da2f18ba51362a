//! From what a client sent in `model` to a pinned snapshot.
//!
//! In: `gpt-5.4`, `openai/gpt-5.4`, `models/gemini-3.8-flash`, a dated id. Out: the snapshot's row, or unknown. Must not know:
//! policies, HTTP. It runs on the request path: no allocation, two binary searches.

use super::entry::{Entry, Kind, Status};
use super::{Catalog, ProviderKind};

/// What a client's model name stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Resolved<'c> {
    /// This snapshot, whatever its state today.
    Known(&'c Entry),
    /// Nothing the catalog knows. The policy may still name it: an id with a date can be pinned without a row.
    Unknown,
}

/// How many aliases may stand behind each other. The longest chain in the catalog is two.
const MAX_ALIASES: usize = 4;

/// Where one id exists at several providers, the one who made the model is meant.
const MAKERS_FIRST: [&str; 11] =
    ["openai", "anthropic", "google", "mistral", "cohere", "xai", "deepseek", "azure", "bedrock", "vertex", "groq"];

impl Catalog {
    /// The pinned snapshot behind what a client asked for.
    pub fn resolve(&self, requested: &str) -> Resolved<'_> {
        let named = requested.split_once('/').and_then(|(provider, id)| self.get(provider, id));
        let found = named.or_else(|| self.first_with_id(requested)).or_else(|| {
            // Google's own clients write the resource name.
            let id = requested.strip_prefix("models/").or_else(|| {
                let (_, id) = requested.strip_prefix("publishers/")?.split_once("/models/")?;
                Some(id)
            })?;
            self.first_with_id(id)
        });
        match found.filter(|entry| !entry.unverified).and_then(|entry| self.follow(entry)) {
            Some(snapshot) => Resolved::Known(snapshot),
            None => Resolved::Unknown,
        }
    }

    /// The snapshot behind a row: itself, or what its aliases and reroutes lead to.
    pub(super) fn follow<'c>(&'c self, entry: &'c Entry) -> Option<&'c Entry> {
        let mut at = entry;
        for _ in 0..MAX_ALIASES {
            let next = match (at.kind, at.status) {
                (_, Status::Rerouted) => at.rerouted_to.as_deref()?,
                (Kind::Snapshot, _) => return Some(at),
                (Kind::Alias, _) => at.points_to.as_deref()?,
            };
            at = self.get(&at.provider, next)?;
        }
        None
    }

    fn first_with_id(&self, id: &str) -> Option<&Entry> {
        let rank = |entry: &&Entry| {
            MAKERS_FIRST.iter().position(|maker| *maker == entry.provider).unwrap_or(MAKERS_FIRST.len())
        };
        let first = self.with_id(id).min_by_key(rank)?;
        if first.revision.is_none() {
            return Some(first);
        }
        // A self-hosted model without its revision is clear as long as there is one.
        let mut revisions = self.with_id(id).filter(|entry| entry.provider == first.provider);
        (revisions.next().is_some() && revisions.next().is_none()).then_some(first)
    }

    /// Rows with exactly this id, at every provider; for a self-hosted model with or without its revision.
    pub(super) fn with_id(&self, id: &str) -> impl Iterator<Item = &Entry> {
        let revised = id.rsplit_once('@').into_iter().flat_map(move |(bare, _)| {
            let hosted = |entry: &&Entry| self.provider_kind(&entry.provider) == Some(ProviderKind::SelfHosted);
            self.overlaid_with_id(bare).filter(hosted).filter(move |entry| entry.written_id() == id)
        });
        let from = self.base_by_id.partition_point(|at| *self.base[usize::from(*at)].id < *id);
        let base = self.base_by_id[from..].iter().map(|at| &self.base[usize::from(*at)]);
        let base = base.take_while(move |entry| entry.id == id).filter(|entry| !self.is_overlaid(entry));
        self.overlaid_with_id(id).chain(base).chain(revised)
    }

    fn overlaid_with_id(&self, id: &str) -> impl Iterator<Item = &Entry> {
        let from = self.over_by_id.partition_point(|at| *self.over[*at as usize].id < *id);
        self.over_by_id[from..].iter().map(|at| &self.over[*at as usize]).take_while(move |entry| entry.id == id)
    }
}

/// Drops later copies of a row.
pub(super) fn keep_first(rows: &mut Vec<&Entry>) {
    let mut seen: Vec<(&str, &str)> = Vec::new();
    rows.retain(|entry| {
        let key = (&*entry.provider, &*entry.id);
        let new = !seen.contains(&key);
        seen.push(key);
        new
    });
}
