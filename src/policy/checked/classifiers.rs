//! Models that are asked about requests and answers instead of answering them: classifiers and judges (sections 3.5, 6.2, 6.5).
//!
//! In: [`super::super::resolve`] builds them. Out: analysis judges their snapshots, the live parts ask them. Must not know: what
//! they said; a label is a reading.

use std::sync::Arc;

use super::{BudgetId, GuardId, SnapshotId};
use crate::policy::source::{Span, Spanned};
use crate::units::{Millis, Share, Tokens};

/// A declared classifier: an enumeration of its labels and `unsure`.
#[derive(Clone, Debug)]
pub struct Classifier {
    /// Its name.
    pub name: Arc<str>,
    /// The name, where it is declared.
    pub span: Span,
    /// The whole declaration.
    pub whole: Span,
    /// Its labels, without `unsure`.
    pub labels: Vec<Arc<str>>,
    /// Who says the label; `None` after a finding.
    pub asked: Option<Spanned<Asked>>,
    /// After this it is `unsure`.
    pub timeout: Spanned<Millis>,
    /// Below this confidence it is `unsure`.
    pub floor: Option<Spanned<Share>>,
    /// All that it sees of a request.
    pub reads: Vec<Read>,
    /// How long a label is kept for a tenant and a text; without it, for one request.
    pub cache: Option<Spanned<Millis>>,
    /// What its calls are charged to.
    pub budget: Option<Spanned<BudgetId>>,
    /// It sees what this guard leaves.
    pub guard: Option<Spanned<GuardId>>,
}

/// A declared judge: it compares pairs of answers for rollouts and shadows.
#[derive(Clone, Debug)]
pub struct Judge {
    /// Its name.
    pub name: Arc<str>,
    /// The name, where it is declared.
    pub span: Span,
    /// The whole declaration.
    pub whole: Span,
    /// Who gives the score; `None` after a finding.
    pub asked: Option<Spanned<Asked>>,
    /// What a good answer is, in words for the judge. A webhook may know by itself.
    pub rubric: Option<Spanned<Arc<str>>>,
    /// Which part of the pairs it sees.
    pub sample: Spanned<Share>,
    /// After this the pair has no score.
    pub timeout: Spanned<Millis>,
    /// What its calls are charged to.
    pub budget: Option<Spanned<BudgetId>>,
}

/// Who answers a question of the policy's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A pinned model.
    Snapshot(SnapshotId),
    /// A service that the runtime configuration has under this name.
    Webhook(Arc<str>),
}

/// A part of a request that a classifier sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// Which part.
    pub seen: Seen,
    /// No more of it than this, counted from its end.
    pub up_to: Option<Tokens>,
    /// Where it is written.
    pub span: Span,
}

/// Parts of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// `last_message`: the last thing the user said.
    LastMessage,
    /// `system`: the instructions above the conversation.
    System,
    /// `metadata.key`
    Metadata(Arc<str>),
}
