//! What is known about one request once it is admitted: typed facts, and nothing compared as a string that need not be.
//!
//! In: whoever admits a request fills [`Facts`]. Out: [`super::tree::Tree::request`] turns them into atoms, planning filters hops
//! with them. Must not know: headers, bodies, HTTP.

use std::sync::Arc;

use serde::Serialize;

use super::checked::{AttributeValue, Endpoint, Modality, TenantId, TierId};
use crate::names::ModelRef;

/// An admitted request. Every index is into the [`super::checked::Checked`] of the policy that admitted it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Which API endpoint was called; one of the policy's own, else the request was a 404.
    pub endpoint: Endpoint,
    /// `None` is `other`: a tenant without a row.
    pub tenant: Option<TenantId>,
    /// Index into `plans`; `None` only where the policy declares none.
    pub plan: Option<u16>,
    /// Index into `features`; `None` is `none`.
    pub feature: Option<u16>,
    /// Who inside the tenant; empty when nobody said.
    pub user: Arc<str>,
    /// Where this sidecar runs; empty when unknown.
    pub region: Arc<str>,
    /// Index into `residencies`; 0 is `anywhere`.
    pub residency: u16,
    /// The model as the client sent it.
    pub requested_model: Arc<str>,
    /// What that resolves to through the catalog's aliases; `None` when unknown.
    pub requested_snapshot: Option<ModelRef>,
    /// The ordered tier that snapshot is in.
    pub requested_tier: Option<TierId>,
    /// The caller's own cap on the answer; 0 when not given.
    pub max_tokens: u64,
    /// The caller wants a stream.
    pub streaming: bool,
    /// The caller offers tools.
    pub tools: bool,
    /// The caller demands schema-conforming output.
    pub json_schema: bool,
    /// What the prompt contains.
    pub modality: ModalitySet,
    /// How urgent.
    pub priority: Priority,
    /// One value for each row of `attributes`, in that order, inside its domain.
    pub attributes: Vec<AttributeValue>,
}

impl Default for Facts {
    /// What a request has when it says nothing: chat, interactive, text alone.
    fn default() -> Self {
        Self {
            endpoint: Endpoint::Chat,
            tenant: None,
            plan: None,
            feature: None,
            user: Arc::from(""),
            region: Arc::from(""),
            residency: 0,
            requested_model: Arc::from(""),
            requested_snapshot: None,
            requested_tier: None,
            max_tokens: 0,
            streaming: false,
            tools: false,
            json_schema: false,
            modality: ModalitySet::TEXT,
            priority: Priority::Interactive,
            attributes: Vec::new(),
        }
    }
}

/// How urgent a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Somebody waits.
    Interactive,
    /// Nobody waits.
    Batch,
}

impl Priority {
    /// Both, in the order of the `priority` column.
    pub const ALL: [Self; 2] = [Self::Interactive, Self::Batch];

    /// As a policy writes it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Interactive => "interactive",
            Self::Batch => "batch",
        }
    }
}

/// Which kinds of content a prompt has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ModalitySet(u8);

impl ModalitySet {
    /// Nothing.
    pub const EMPTY: Self = Self(0);
    /// Text alone.
    pub const TEXT: Self = Self(1 << Modality::Text as u8);

    /// With one more member.
    #[must_use]
    pub const fn with(self, member: Modality) -> Self {
        Self(self.0 | 1 << member as u8)
    }

    /// Whether a member is in it.
    pub const fn has(self, member: Modality) -> bool {
        self.0 >> member as u8 & 1 == 1
    }

    /// Members in the order of [`Modality::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Modality> {
        Modality::ALL.into_iter().filter(move |member| self.has(*member))
    }
}

/// How long a prompt is, asked only as far as needed: a proxy can often answer from the byte count and need not count tokens.
pub trait PromptSize {
    /// Whether the prompt has more than this many tokens.
    fn exceeds(&mut self, tokens: u64) -> bool;

    /// How many tokens the prompt has, where a number is needed: to order hops by cost. Above `most` it answers `most`.
    fn count(&mut self, most: u64) -> u64 {
        let (mut low, mut high) = (0, most);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.exceeds(middle) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

/// A count that is known.
impl PromptSize for u64 {
    fn exceeds(&mut self, tokens: u64) -> bool {
        *self > tokens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_counted_by_asking() {
        for tokens in [0u64, 1, 999, 1000] {
            assert_eq!({ tokens }.count(1000), tokens);
        }
        assert_eq!(5000u64.count(1000), 1000);
    }

    #[test]
    fn a_modality_set_lists_its_members_in_order() {
        let set = ModalitySet::TEXT.with(Modality::File).with(Modality::Image);
        assert_eq!(set.iter().map(Modality::word).collect::<Vec<_>>(), ["text", "image", "file"]);
        assert!(!set.has(Modality::Audio));
    }
}
