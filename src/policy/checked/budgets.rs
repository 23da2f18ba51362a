//! Budgets: what is counted, how much of it there is, and for whom (sections 3.5 and 6.4).
//!
//! In: [`super::super::resolve`] builds them. Out: analysis bounds what can be spent, the ledger counts. Must not know: what was
//! spent; that is a reading.

use std::sync::Arc;

use super::Clause;
use crate::policy::source::{Span, Spanned};
use crate::units::{Share, Tokens, Usd};

/// A declared budget.
#[derive(Clone, Debug)]
pub struct Budget {
    /// Its name.
    pub name: Arc<str>,
    /// The name, where it is declared.
    pub span: Span,
    /// The whole declaration.
    pub whole: Span,
    /// Which requests it counts. Without it, it counts what names it (a shadow, a rollout, a classifier, a judge) or, if nothing
    /// does, every request.
    pub covers: Option<Clause>,
    /// How much, and in which period. After a finding it is as good as none.
    pub limit: Spanned<Limit>,
    /// One counter for each of these; one for all without it.
    pub each: Option<Spanned<Each>>,
    /// The part of the limit at which the state is `warn`; never `warn` without it.
    pub warn: Option<Spanned<Share>>,
    /// The most of an unused limit that moves into the next period.
    pub carry: Option<Spanned<Share>>,
}

/// `$120 per day`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// How much.
    pub amount: Amount,
    /// How long it must last.
    pub period: Period,
}

/// How much, in the unit that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// Money.
    Usd(Usd),
    /// Tokens, of prompts and answers together.
    Tokens(Tokens),
    /// Requests.
    Requests(u64),
}

/// A calendar period in the policy's timezone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// From midnight.
    Day,
    /// From Monday, midnight.
    Week,
    /// From the first, midnight.
    Month,
}

impl Period {
    /// Every period.
    pub const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    /// As a policy writes it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }
}

/// What has a counter of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Each {
    /// Every tenant; those without a row share one.
    Tenant,
    /// Every user of every tenant.
    User,
    /// Every feature.
    Feature,
    /// Every value of an attribute: an index into [`super::Checked::attributes`].
    Attribute(u16),
}
