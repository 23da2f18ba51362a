//! Providers as far as policies are judged by them: names, kinds, and who fails together.
//!
//! In: the `providers:` section. Out: one [`Known`] a row. Must not know: keys, addresses, policies.

use std::collections::BTreeMap;

use super::raw::RawProvider;
use crate::names::nearest;

/// Whether ids carry a revision (language specification, section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderKind {
    /// Somebody else's service.
    Hosted,
    /// Our own weights; `@revision` is required.
    SelfHosted,
}

/// A provider that a policy may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// As policies write it.
    pub name: String,
    /// Hosted by somebody, or by us.
    pub kind: ProviderKind,
    /// Providers with the same word fail together.
    pub shares_fate: Option<String>,
}

/// Every row, in the order of names; what is wrong with a kind goes to `errors`.
pub(super) fn known(rows: &BTreeMap<String, RawProvider>, errors: &mut Vec<String>) -> Vec<Known> {
    let row = |(name, raw): (&String, &RawProvider)| Known {
        name: name.clone(),
        kind: kind(&format!("providers.{name}"), raw, errors),
        shares_fate: raw.shares_fate.clone(),
    };
    rows.iter().map(row).collect()
}

/// What a row says it is; hosted when it says nothing.
pub(super) fn kind(at: &str, raw: &RawProvider, errors: &mut Vec<String>) -> ProviderKind {
    match raw.kind.as_deref() {
        None | Some("hosted") => ProviderKind::Hosted,
        Some("self_hosted") => ProviderKind::SelfHosted,
        Some(other) => {
            let meant = nearest(other, ["hosted", "self_hosted"]).first().map_or("hosted", |meant| meant);
            errors.push(format!("{at}.kind: unknown kind `{other}`; write `{meant}`"));
            ProviderKind::Hosted
        }
    }
}

/// Groups of providers that fail together, by the word they share.
pub fn shared_fates(providers: &[Known]) -> Vec<Vec<String>> {
    let mut groups: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for provider in providers {
        if let Some(fate) = &provider.shares_fate {
            groups.entry(fate).or_default().push(provider.name.clone());
        }
    }
    groups.into_values().collect()
}
