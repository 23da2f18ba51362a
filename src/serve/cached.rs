//! Answers that are given again: step 10 of section 5.2, and `degrade cached` of step 13.
//!
//! In: an admitted request, complete answers. Out: an answer that was given before, and its age. Must not know: how it is written
//! to the caller.
//!
//! A request is the same when its body, whom it is for and every fact that a condition of the policy looks at are the same. Only a
//! rule with a `cache` keeps answers; without one, and without `degrade cached`, nothing is computed here.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use super::ask;
use super::judge::Watch;
use super::settle::Asked;
use super::sidecar::InForce;
use super::walk::Walk;
use crate::cache::{Entry, Key, KeyBuilder, Store};
use crate::config::Config;
use crate::policy::checked::{Cache, Chain, Checked, Class, Degrade, Outcome, Partition, RuleId, Similarity, Subject};
use crate::policy::plan::PlannedHop;
use crate::units::Millis;

/// Hashing a body of this size takes about half a millisecond; other requests of the same thread should not wait for more.
const LONG_HASH: usize = 256 << 10;

/// What the policy in force keeps.
#[derive(Default)]
pub struct Answers {
    /// `None` when no rule keeps anything.
    store: Option<Arc<Store>>,
    /// What the keys of its caches are divided by, each list once.
    divisions: Vec<Vec<Partition>>,
    /// The longest `degrade cached up to`.
    useful: Millis,
}

/// How a rule's cache knows a request.
#[derive(Clone, Copy, Debug)]
pub struct Keeps {
    key: Key,
    fresh: Millis,
    rule: RuleId,
}

/// An answer that was given before.
pub struct Again {
    /// As it was given.
    pub entry: Entry,
    /// Since it was complete.
    pub age: Millis,
}

impl Answers {
    /// For a policy; what was kept under the same bounds stays.
    pub fn open(config: &Config, checked: &Checked, before: Option<&Self>) -> Self {
        let mut divisions: Vec<Vec<Partition>> = Vec::new();
        let mut useful = Millis(0);
        for rule in &checked.rules {
            let Outcome::Chain(chain) = &rule.outcome else { continue };
            if let Some(cache) = exact(chain)
                && !divisions.contains(&cache.per)
            {
                divisions.push(cache.per.clone());
            }
            let stale = chain.degrade.iter().filter_map(|step| match step {
                Degrade::Cached { up_to } => Some(*up_to),
                _ => None,
            });
            useful = stale.fold(useful, Millis::max);
        }
        if divisions.is_empty() {
            return Self::default();
        }
        let kept = before.and_then(|before| before.store.as_ref()).filter(|store| *store.settings() == config.cache);
        let store = kept.map_or_else(|| Arc::new(Store::new(&config.cache)), Arc::clone);
        Self { store: Some(store), divisions, useful }
    }
}

/// How the rule that decided knows this request, if it keeps answers.
pub fn keeps(now: &InForce, rule: RuleId, asked: &Asked<'_>) -> Option<Keeps> {
    now.answers.store.as_ref()?;
    let Outcome::Chain(chain) = &now.policy.checked().rules[rule.index()].outcome else { return None };
    let cache = exact(chain)?;
    Some(Keeps { key: key(now, asked, &cache.per), fresh: cache.fresh, rule })
}

/// The answer to the same request, while it is fresh. At another hour another rule may take that request, and it promises
/// something else.
pub fn fresh(walk: &Walk<'_>) -> Option<Again> {
    let keeps = walk.keeps.as_ref()?;
    look(walk, &keeps.key, keeps.fresh).filter(|again| again.entry.rule == keeps.rule.0)
}

/// The answer to the same request, up to an age. Any rule may have kept it, if it came from where this chain could have had it,
/// too: that is what its guarantees, the tenant's approvals and its residency were held against.
pub fn stale(walk: &Walk<'_>, asked: &Asked<'_>, up_to: Millis) -> Option<Again> {
    let divisions = &walk.now.answers.divisions;
    let mut found = divisions.iter().filter_map(|per| look(walk, &key(walk.now, asked, per), up_to));
    found.find(|again| could_have(walk, &again.entry.snapshot))
}

fn could_have(walk: &Walk<'_>, snapshot: &str) -> bool {
    let run = walk.chain.run();
    let resting = run.dropped.iter().filter(|one| one.reason.rests()).filter_map(|one| one.snapshot);
    let mut hops = run.hops.iter().map(|hop| hop.snapshot).chain(resting);
    hops.any(|id| walk.now.snapshot_text(id) == snapshot)
}

fn look(walk: &Walk<'_>, key: &Key, up_to: Millis) -> Option<Again> {
    let store = walk.now.answers.store.as_ref()?;
    let (entry, age) = store.get(key, walk.sidecar.uptime(), up_to)?;
    Some(Again { entry, age })
}

/// Keeps a complete answer, if the rule does that and nothing speaks against giving it twice. `copy` is only asked then.
pub fn keep(walk: &Walk<'_>, hop: &PlannedHop, watch: &Watch, copy: impl FnOnce() -> Bytes) {
    let (Some(keeps), Some(store)) = (&walk.keeps, &walk.now.answers.store) else { return };
    if !watch.repeatable() {
        return;
    }
    let at = walk.sidecar.uptime();
    let until = at + keeps.fresh.max(walk.now.answers.useful);
    let snapshot = walk.now.snapshot_text(hop.snapshot).into();
    store.put(keeps.key, Entry { body: copy(), snapshot, rule: keeps.rule.0, at, until });
}

const fn exact(chain: &Chain) -> Option<&Cache> {
    match &chain.extras.cache {
        Some(cache) if matches!(cache.similarity, Similarity::Exact) => Some(cache),
        _ => None,
    }
}

fn key(now: &InForce, asked: &Asked<'_>, per: &[Partition]) -> Key {
    let checked = now.policy.checked();
    // Whatever a policy says: never another tenant's answer, nor one that was made under another residency.
    let always = [Subject::Tenant, Subject::Residency];
    let divided = per.iter().map(|part| match part {
        Partition::Tenant => Subject::Tenant,
        Partition::User => Subject::User,
        Partition::Plan => Subject::Plan,
        Partition::Feature => Subject::Feature,
        Partition::Residency => Subject::Residency,
        Partition::Attribute(at) => Subject::Attribute(*at),
    });
    let tested = checked.columns.iter().filter(|column| column.class == Class::Free).map(|column| column.subject);
    let begun = KeyBuilder::new().part("policy", now.policy.hash()).part("dialect", asked.told.entrance.dialect.word());
    // Where a path says what other bodies say.
    let begun = match &asked.told.entrance.in_path {
        Some(asked) => begun.part("model", &asked.model).part("stream", if asked.stream { "yes" } else { "no" }),
        None => begun,
    };
    let parts = always.into_iter().chain(divided).chain(tested).fold(begun, |key, subject| {
        match value(checked, asked, subject) {
            Some(value) => key.part(&format!("{subject:?}"), &value),
            None => key,
        }
    });
    let body = &asked.told.body;
    ask::aside(body.len() >= LONG_HASH, || parts.body(body))
}

/// What a request has there; `None` for what its body says, which is in the key as it is.
fn value<'a>(checked: &Checked, asked: &'a Asked<'_>, subject: Subject) -> Option<Cow<'a, str>> {
    let facts = &asked.admitted.facts;
    let position = |at: Option<u16>| Cow::Owned(at.map_or_else(|| "-".to_owned(), |at| at.to_string()));
    Some(match subject {
        // In the caller's own word, because tenants without a row are one to the policy and still not each other.
        Subject::Tenant => match (facts.tenant, &asked.admitted.tenant) {
            (Some(row), _) => Cow::Owned(checked.tenants[row.index()].name.to_string()),
            (None, Some(word)) => Cow::Borrowed(word),
            (None, None) => Cow::Borrowed(""),
        },
        Subject::Plan => position(facts.plan),
        Subject::Feature | Subject::Stakes => position(facts.feature),
        Subject::User => Cow::Borrowed(&*facts.user),
        Subject::Residency => position(Some(facts.residency)),
        Subject::Priority => Cow::Borrowed(facts.priority.word()),
        Subject::Attribute(at) => Cow::Owned(format!("{:?}", facts.attributes.get(usize::from(at)))),
        _ => return None,
    })
}
