//! Facts about models: which ids are pinned, what they cost, how large they are, when they end.
//!
//! In: the catalog compiled into the binary, and an overlay. Out: entries by `(provider, id)` and the verdict on an id. Must
//! not know: policies, HTTP.

mod embedded;
mod entry;
pub mod fields;
mod id_rules;
mod overlay;
mod pins;
pub mod price;
mod resolve;
#[allow(dead_code, reason = "the shape of the file; some fields are there for people")]
mod row;
pub mod window;

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::civil::Date;

pub use entry::{
    Capabilities, Efforts, Entry, Kind, Life, List, Pin, Price, PriceBand, PriceChange, PricePeak, Status, Text,
};
pub use id_rules::ProviderKind;
pub use overlay::{MAX_OVERLAY_BYTES, MAX_OVERLAY_NESTING, Overlay, OverlayError};
pub use pins::Verdict;
pub use resolve::Resolved;

/// What is known about models: the rows inside the binary, with an overlay's rows in front of them.
#[derive(Clone, Debug)]
pub struct Catalog {
    as_of: Date,
    base: &'static [Entry],
    base_by_id: &'static [u16],
    /// Sorted by provider, id, revision; each replaces the row of the same key in `base`.
    over: Vec<Entry>,
    /// Positions in `over`, sorted by id.
    over_by_id: Vec<u32>,
    /// Providers whose name does not say what they are.
    kinds: BTreeMap<String, ProviderKind>,
}

impl Catalog {
    /// The catalog inside the binary. Costs nothing: no parsing, no allocation.
    pub fn embedded() -> Self {
        Self {
            as_of: embedded::AS_OF,
            base: &embedded::ENTRIES,
            base_by_id: &embedded::BY_ID,
            over: Vec::new(),
            over_by_id: Vec::new(),
            kinds: BTreeMap::new(),
        }
    }

    /// The day its facts were collected.
    pub const fn as_of(&self) -> Date {
        self.as_of
    }

    /// Whether an overlay states facts of its own.
    pub fn has_overlay(&self) -> bool {
        !self.over.is_empty()
    }

    /// Says what a provider of the runtime configuration is; its own name need not.
    #[must_use]
    pub fn with_provider(mut self, name: &str, kind: ProviderKind) -> Self {
        self.kinds.insert(name.to_owned(), kind);
        self
    }

    /// What a provider is: as configured, else by its name, else self-hosted if the overlay gives it revisions, else
    /// [`ProviderKind::Other`] if the catalog has rows for it. `None`: nobody knows it.
    pub fn provider_kind(&self, provider: &str) -> Option<ProviderKind> {
        if let Some(kind) = self.kinds.get(provider).copied().or_else(|| ProviderKind::of_name(provider)) {
            return Some(kind);
        }
        let from = self.over.partition_point(|entry| *entry.provider < *provider);
        let rows = self.over[from..].iter().take_while(|entry| entry.provider == provider);
        rows.map(|entry| if entry.revision.is_some() { ProviderKind::SelfHosted } else { ProviderKind::Other })
            .max_by_key(|kind| *kind == ProviderKind::SelfHosted)
    }

    /// The row of an id as a policy writes it: exact, for a self-hosted model with `@revision`.
    pub fn get(&self, provider: &str, id: &str) -> Option<&Entry> {
        let (id, revision) = self.split_revision(provider, id);
        let order =
            |entry: &Entry| (&*entry.provider, &*entry.id, entry.revision.as_deref()).cmp(&(provider, id, revision));
        if let Ok(at) = self.over.binary_search_by(order) {
            return Some(&self.over[at]);
        }
        let at = self.base.binary_search_by(order).ok()?;
        Some(&self.base[at])
    }

    /// Whether the overlay has a row in front of this one of the built-in catalog.
    fn is_overlaid(&self, entry: &Entry) -> bool {
        let key = (&entry.provider, &entry.id, &entry.revision);
        self.over.binary_search_by(|mine| (&mine.provider, &mine.id, &mine.revision).cmp(&key)).is_ok()
    }

    /// An id and its revision, which only self-hosted models have.
    fn split_revision<'i>(&self, provider: &str, id: &'i str) -> (&'i str, Option<&'i str>) {
        match id.rsplit_once('@') {
            Some((bare, revision)) if self.provider_kind(provider) == Some(ProviderKind::SelfHosted) => {
                (bare, Some(revision))
            }
            _ => (id, None),
        }
    }

    /// Every row, sorted by provider, id and revision.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        let mut over = self.over.iter().peekable();
        let mut base = self.base.iter().peekable();
        std::iter::from_fn(move || match (over.peek(), base.peek()) {
            (Some(mine), Some(theirs)) => {
                let order =
                    (&mine.provider, &mine.id, &mine.revision).cmp(&(&theirs.provider, &theirs.id, &theirs.revision));
                if order.is_eq() {
                    base.next();
                }
                if order.is_le() { over.next() } else { base.next() }
            }
            (Some(_), None) => over.next(),
            (None, _) => base.next(),
        })
    }

    /// The rows of one provider.
    pub fn of_provider<'c>(&'c self, provider: &str) -> impl Iterator<Item = &'c Entry> {
        self.starting_with(provider, "")
    }

    /// The rows of one provider whose id starts with `start`, by id.
    fn starting_with<'c>(&'c self, provider: &str, start: &str) -> impl Iterator<Item = &'c Entry> {
        let range = |rows: &'c [Entry]| {
            // Bytes, because a cut at this length need not be a boundary of characters.
            let order = |entry: &Entry| {
                let head = &entry.id.as_bytes()[..entry.id.len().min(start.len())];
                (entry.provider.as_bytes(), head).cmp(&(provider.as_bytes(), start.as_bytes()))
            };
            let from = rows.partition_point(|entry| order(entry).is_lt());
            let to = rows.partition_point(|entry| order(entry).is_le());
            &rows[from..to]
        };
        let (over, base) = (range(&self.over), range(self.base));
        over.iter().chain(base.iter().filter(|entry| !self.is_overlaid(entry)))
    }

    /// Every provider that has rows or is configured, sorted.
    pub fn providers(&self) -> Vec<&str> {
        let rows = self.entries().map(|entry| &*entry.provider);
        let mut names: Vec<&str> = rows.chain(self.kinds.keys().map(String::as_str)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Every region that some row states, sorted.
    pub fn regions(&self) -> Vec<&str> {
        let stated = self.over.iter().flat_map(|entry| entry.regions.iter().flatten());
        let mut names: Vec<&str> = stated.map(Cow::as_ref).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}
