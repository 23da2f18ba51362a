//! Rollouts: from one pinned snapshot to the next, in stages (section 6.1).
//!
//! In: [`super::super::resolve`] builds them. Out: planning rewrites chains, analysis judges both snapshots. Must not know: the
//! stage one stands at; that is a reading.

use std::sync::Arc;

use super::{BudgetId, Clause, JudgeId, RolloutId, SnapshotId};
use crate::policy::source::{Span, Spanned};
use crate::units::{Millis, Share};

/// A declared rollout. One that names no two snapshots has a finding and is not here.
#[derive(Clone, Debug)]
pub struct Rollout {
    /// Its name; part of what requests are hashed with.
    pub name: Arc<str>,
    /// The name, where it is declared.
    pub span: Span,
    /// The whole declaration.
    pub whole: Span,
    /// It waits until this one stands at its last stage.
    pub after: Option<Spanned<RolloutId>>,
    /// The snapshot that goes.
    pub replace: Spanned<SnapshotId>,
    /// The snapshot that comes.
    pub with: Spanned<SnapshotId>,
    /// Which requests it may touch; every one without it.
    pub within: Option<Clause>,
    /// What stays on one side together. Without it every request is drawn for itself (R706).
    pub by: Option<Spanned<Sticky>>,
    /// Stage zero: copies that no caller sees.
    pub shadow: Option<ShadowFirst>,
    /// Who compares answers.
    pub scored_by: Option<Spanned<JudgeId>>,
    /// Shares of requests, one after the other.
    pub stages: Vec<Spanned<Share>>,
    /// How long a stage must stand without a halt before the next.
    pub hold: Spanned<Millis>,
    /// When it goes back to nothing: a condition over metrics of this rollout.
    pub halt: Option<Clause>,
}

/// What stays together on one side of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sticky {
    /// Tenants.
    Tenant,
    /// Users of tenants.
    User,
    /// Values of an attribute: an index into [`super::Checked::attributes`].
    Attribute(u16),
}

/// `shadow first 10% for 3d, budget lab`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShadowFirst {
    /// Which part of the requests of the old snapshot is copied to the new one.
    pub share: Share,
    /// For how long, before the first stage.
    pub lasts: Millis,
    /// What copies are charged to.
    pub budget: Option<Spanned<BudgetId>>,
    /// The statement.
    pub span: Span,
}
