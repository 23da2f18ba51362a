//! Providers as far as policies are judged by them: names, kinds, and who fails together.
//!
//! In: the `providers:` section. Out: one [`Known`] a row. Must not know: keys, addresses, policies.

use std::collections::BTreeMap;

use super::raw::RawProvider;
use crate::names::{Dialect, nearest};

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
    /// What its API is spoken in.
    pub dialect: Dialect,
    /// Providers with the same word fail together.
    pub shares_fate: Option<String>,
}

/// Every row, in the order of names; what is wrong with a kind goes to `errors`.
pub(super) fn known(rows: &BTreeMap<String, RawProvider>, errors: &mut Vec<String>) -> Vec<Known> {
    let row = |(name, raw): (&String, &RawProvider)| Known {
        name: name.clone(),
        kind: kind(&format!("providers.{name}"), raw, errors),
        dialect: dialect(&format!("providers.{name}"), name, raw, errors),
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

/// What a row says its API is spoken in; what the provider of that name is known to speak when it says nothing.
pub(super) fn dialect(at: &str, name: &str, raw: &RawProvider, errors: &mut Vec<String>) -> Dialect {
    let usual = Dialect::usual(name);
    let Some(written) = raw.dialect.as_deref() else { return usual };
    Dialect::from_word(written).unwrap_or_else(|| {
        let words = Dialect::ALL.map(Dialect::word);
        let meant = nearest(written, words).first().map_or(usual.word(), |meant| meant);
        errors.push(format!("{at}.dialect: unknown dialect `{written}`; write `{meant}`"));
        usual
    })
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
