//! Whether an id may stand in a policy: pinned, moving, ended or unknown.
//!
//! In: an id as written, the catalog, a day. Out: a verdict with what to write instead. Must not know: diagnostics. The catalog
//! is asked first; the id rules answer for ids it lacks, and never vouch for one that carries neither date nor revision.

use std::borrow::Cow;
use std::cmp::Reverse;

use jiff::civil::Date;

use super::entry::{Entry, Kind, Life, Pin};
use super::id_rules::{self, ProviderKind, Shape};
use super::{Catalog, resolve};
use crate::names;

/// Ids that share no more than this many characters have nothing to do with each other.
const SHORTEST_BEGINNING: usize = 3;

/// The answer about one id.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict<'c> {
    /// One fixed model, in service or announced. Without an entry the id's own date or revision is all that is known.
    Pinned {
        /// How far it is fixed; [`Pin::UndatedUnconfirmed`] needs the author's consent.
        pin: Pin,
        /// Its facts.
        entry: Option<Cow<'c, Entry>>,
    },
    /// A name that moves.
    Moving {
        /// The id itself says so (`-latest`), catalog or not.
        by_name: bool,
        /// Snapshots in service to write instead, the current target first, then newest first.
        candidates: Vec<&'c Entry>,
    },
    /// Ended, on the day given by `retires_on` if that is known.
    Retired(Cow<'c, Entry>),
    /// The name answers with another model: `rerouted_to`.
    Rerouted(Cow<'c, Entry>),
    /// A self-hosted model without `@revision`, or with a revision that is a moving tag.
    NoRevision {
        /// The tag, if one is written.
        tag: Option<String>,
        /// Revisions of this model that the overlay knows.
        known: Vec<&'c Entry>,
    },
    /// Neither the catalog nor the id rules know it.
    Unknown {
        /// Rows that may be meant, pinned and in service, nearest first, at most three.
        nearest: Vec<&'c Entry>,
    },
    /// Neither the catalog nor the configuration has this provider.
    UnknownProvider {
        /// Providers that may be meant.
        nearest: Vec<&'c str>,
    },
}

impl Catalog {
    /// The verdict on `provider/id` on the day `today`.
    pub fn verdict(&self, provider: &str, id: &str, today: Date) -> Verdict<'_> {
        let Some(kind) = self.provider_kind(provider) else {
            return Verdict::UnknownProvider { nearest: names::nearest(provider, self.providers()) };
        };
        if kind == ProviderKind::SelfHosted
            && let Some(verdict) = self.judge_revision(provider, id)
        {
            return verdict;
        }
        if let Some(entry) = self.facts(provider, id).filter(|entry| !entry.unverified) {
            return match (entry.life(today), entry.kind) {
                (Life::Rerouted, _) => Verdict::Rerouted(entry),
                (Life::Retired, _) => Verdict::Retired(entry),
                (_, Kind::Snapshot) => Verdict::Pinned { pin: entry.pin, entry: Some(entry) },
                (_, Kind::Alias) => {
                    let by_name = self.shape(provider, id).is_some_and(|shape| shape.moving_word);
                    Verdict::Moving { by_name, candidates: self.candidates(provider, id, today) }
                }
            };
        }
        self.judge_shape(provider, id, today)
    }

    /// For ids without a row. An id that carries a date or a revision is pinned by that alone; one that carries neither could
    /// as well be a slip of the pen, and the rules must not vouch for it.
    fn judge_shape(&self, provider: &str, id: &str, today: Date) -> Verdict<'_> {
        let known_wrong = self.get(provider, id).is_some();
        match self.shape(provider, id) {
            Some(Shape { pin: pin @ (Pin::Dated | Pin::Numbered), .. }) if !known_wrong => {
                Verdict::Pinned { pin, entry: None }
            }
            Some(Shape { kind: Kind::Alias, moving_word, .. }) => {
                let candidates = self.candidates(provider, id, today);
                if moving_word || !candidates.is_empty() {
                    Verdict::Moving { by_name: moving_word, candidates }
                } else {
                    Verdict::Unknown { nearest: self.nearest(provider, id, today) }
                }
            }
            _ => Verdict::Unknown { nearest: self.nearest(provider, id, today) },
        }
    }

    /// What is wrong with the revision of a self-hosted id, if anything is.
    fn judge_revision(&self, provider: &str, id: &str) -> Option<Verdict<'_>> {
        let (bare, tag) = match id.rsplit_once('@') {
            None => (id, None),
            Some((bare, tag)) if id_rules::is_moving_tag(tag) => (bare, Some(tag.to_owned())),
            Some(_) => return None,
        };
        let known = self.starting_with(provider, bare).filter(|entry| entry.id == bare && entry.revision.is_some());
        Some(Verdict::NoRevision { tag, known: known.collect() })
    }

    /// Kind and pin of an id: its row's, else what its spelling says.
    pub fn classify(&self, provider: &str, id: &str) -> Option<(Kind, Pin)> {
        match self.get(provider, id) {
            Some(entry) => Some((entry.kind, entry.pin)),
            None => self.by_rules(provider, id),
        }
    }

    /// Kind and pin by spelling alone; the ids beside it count, its own row does not.
    pub fn by_rules(&self, provider: &str, id: &str) -> Option<(Kind, Pin)> {
        self.shape(provider, id).map(|shape| (shape.kind, shape.pin))
    }

    /// What the id rules say, with this catalog's rows as the ids beside it.
    pub(super) fn shape(&self, provider: &str, id: &str) -> Option<Shape> {
        let sibling = |test: &dyn Fn(&str) -> bool| {
            let start = format!("{id}-");
            self.starting_with(provider, &start).any(|entry| !entry.unverified && test(&entry.id[start.len()..]))
        };
        id_rules::shape(self.provider_kind(provider)?, id, &sibling)
    }

    /// The facts of an id: its row; for an OpenAI fine-tune its base's row; for a Bedrock inference profile the row of the model
    /// behind it. The last two run elsewhere at another price, so those fields are unknown.
    pub fn facts(&self, provider: &str, id: &str) -> Option<Cow<'_, Entry>> {
        if let Some(entry) = self.get(provider, id) {
            return Some(Cow::Borrowed(entry));
        }
        let behind = match self.provider_kind(provider)? {
            ProviderKind::OpenAi => id.strip_prefix("ft:")?.split(':').next()?,
            ProviderKind::Bedrock => id_rules::without_profile(id)?,
            _ => return None,
        };
        let entry = self.get(provider, behind).filter(|entry| entry.kind == Kind::Snapshot)?.clone();
        Some(Cow::Owned(Entry { id: id.to_owned().into(), price: None, regions: None, retention: None, ..entry }))
    }

    /// The same weights at other providers, whatever their state; regional variants of one id are left out.
    pub fn same_model<'c>(&'c self, entry: &Entry) -> impl Iterator<Item = &'c Entry> {
        let model = id_rules::model_behind(&entry.id).into_owned();
        let provider = entry.provider.clone();
        let others = self.entries().filter(move |other| other.kind == Kind::Snapshot && other.provider != provider);
        others.filter(move |other| {
            !other.unverified
                && id_rules::without_profile(&other.id).is_none()
                && id_rules::model_behind(&other.id) == model
        })
    }

    /// Snapshots in service that an alias can stand for: the current target first, then its family, newest first.
    fn candidates(&self, provider: &str, id: &str, today: Date) -> Vec<&Entry> {
        let serves =
            |entry: &&Entry| entry.kind == Kind::Snapshot && !entry.unverified && entry.life(today) == Life::Serving;
        let alias = self.get(provider, id);
        let target = alias.and_then(|alias| self.follow(alias)).filter(serves);
        let family = alias.and_then(|alias| alias.family.as_deref()).unwrap_or_else(|| {
            let bare = id
                .strip_suffix("-latest")
                .or_else(|| id.strip_suffix("-nightly"))
                .or_else(|| id.strip_suffix("@default"));
            bare.unwrap_or(id)
        });
        let same = |entry: &&Entry| {
            target.is_none_or(|target| target.id != entry.id) && entry.family.as_deref() == Some(family)
        };
        let mut rest: Vec<&Entry> = self.of_provider(provider).filter(serves).filter(same).collect();
        rest.sort_by_key(|entry| Reverse((entry.released, entry.id.clone())));
        target.into_iter().chain(rest).collect()
    }

    /// What may have been meant: what it continues and the provider's ids nearest in spelling, as pinned snapshots in service;
    /// else the same id at another provider; else what begins alike.
    fn nearest(&self, provider: &str, id: &str, today: Date) -> Vec<&Entry> {
        let usable = |entry: &Entry| entry.life(today) == Life::Serving && !entry.unverified;
        let pinned = |entry| self.follow(entry).filter(|entry| usable(entry));
        let ids = self.of_provider(provider).filter(|entry| usable(entry)).map(|entry| &*entry.id);
        let close = names::nearest(id, ids)
            .into_iter()
            .filter_map(|id| self.starting_with(provider, id).find(|it| it.id == id));
        let mut found: Vec<&Entry> =
            self.behind(provider, id).and_then(pinned).into_iter().chain(close.filter_map(pinned)).collect();
        if found.is_empty() {
            found.extend(self.with_id(id).filter_map(pinned));
        }
        if found.is_empty() {
            found.extend(self.beginning_like(provider, id).into_iter().filter_map(pinned));
        }
        resolve::keep_first(&mut found);
        found.truncate(3);
        found
    }

    /// The id that `id` continues with a date nobody knows.
    fn behind(&self, provider: &str, id: &str) -> Option<&Entry> {
        let bare = id.trim_end_matches(|last: char| last.is_ascii_digit() || last == '-');
        let ends = id[bare.len()..].rmatch_indices('-').map(|(at, _)| &id[..bare.len() + at]);
        ends.into_iter().find_map(|start| self.get(provider, start))
    }

    /// The rows of a provider that share the longest beginning with `id`, if it is at least half of it.
    fn beginning_like(&self, provider: &str, id: &str) -> Vec<&Entry> {
        let shared = |entry: &Entry| entry.id.bytes().zip(id.bytes()).take_while(|(a, b)| a == b).count();
        let most = self.of_provider(provider).map(shared).max().unwrap_or(0);
        if most * 2 < id.len() || most <= SHORTEST_BEGINNING {
            return Vec::new();
        }
        self.of_provider(provider).filter(|entry| shared(entry) == most).collect()
    }
}
