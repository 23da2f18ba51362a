//! What stands around a chain: guards, caches and shadows (sections 3.3, 6.2, 6.7).
//!
//! In: [`super::super::resolve`] builds them. Out: analysis judges them, the live parts run them. Must not know: texts.

use std::sync::Arc;

use super::{BudgetId, JudgeId, SnapshotId};
use crate::policy::source::{Span, Spanned};
use crate::units::{Millis, Share};

/// A declared guard.
#[derive(Clone, Debug)]
pub struct Guard {
    /// Its name.
    pub name: Arc<str>,
    /// The name, where it is declared.
    pub span: Span,
    /// The whole declaration.
    pub whole: Span,
    /// What it does, in the order written.
    pub steps: Vec<GuardStep>,
}

/// One line of a guard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardStep {
    /// What it does.
    pub step: Step,
    /// To what.
    pub side: Side,
    /// The line.
    pub span: Span,
}

/// What a guard does to a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Puts `[kind]` where something of a kind stood.
    Redact(Vec<SensitiveKind>),
    /// Refuses a text with something of a kind: 403 for a request, `content_filter` that never moves on for an answer.
    Block(Vec<SensitiveKind>),
    /// Asks a service that the runtime configuration has under this name; it may allow, block, or return another text.
    Webhook { name: Arc<str>, timeout: Millis, on_failure: OnFailure },
}

/// What is guarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// `request`
    Request,
    /// `answer`
    Answer,
    /// `both`
    Both,
}

impl Side {
    /// Whether requests pass through it.
    pub const fn sees_requests(self) -> bool {
        matches!(self, Self::Request | Self::Both)
    }

    /// Whether answers pass through it.
    pub const fn sees_answers(self) -> bool {
        matches!(self, Self::Answer | Self::Both)
    }
}

/// What a service that does not answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// The text is refused; the default.
    Block,
    /// The text goes on as it is.
    Pass,
}

/// What a guard looks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SensitiveKind {
    /// `email`
    Email,
    /// `phone`
    Phone,
    /// `card`
    Card,
    /// `iban`
    Iban,
    /// `ip`
    Ip,
    /// `secret`
    Secret,
    /// `url`
    Url,
    /// A pattern that the runtime configuration has under this name.
    Pattern(Arc<str>),
}

impl SensitiveKind {
    /// The built-in kinds.
    pub const BUILT_IN: [Self; 7] =
        [Self::Email, Self::Phone, Self::Card, Self::Iban, Self::Ip, Self::Secret, Self::Url];

    /// As a policy writes it.
    pub fn word(&self) -> &str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Card => "card",
            Self::Iban => "iban",
            Self::Ip => "ip",
            Self::Secret => "secret",
            Self::Url => "url",
            Self::Pattern(name) => name,
        }
    }
}

/// `cache exact for 7d per [tenant, feature]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// What counts as the same request.
    pub similarity: Similarity,
    /// How long an entry is fresh. It is kept as long as the longest `degrade cached up to` needs.
    pub fresh: Millis,
    /// What the key is divided by. `tenant` must be in it (R711).
    pub per: Vec<Partition>,
    /// The statement.
    pub span: Span,
}

/// What counts as the same request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Similarity {
    /// Byte for byte, once canonical.
    Exact,
    /// At least this near.
    Semantic(Share),
}

/// What a cache's key is divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partition {
    /// `tenant`
    Tenant,
    /// `user`
    User,
    /// `plan`
    Plan,
    /// `feature`
    Feature,
    /// `residency`
    Residency,
    /// An index into [`super::Checked::attributes`].
    Attribute(u16),
}

/// `shadow 2% to M, keep 14d, budget lab, scored by answer_judge`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shadow {
    /// Which part of the answered requests is copied.
    pub share: Share,
    /// Where the copy goes.
    pub snapshot: Spanned<SnapshotId>,
    /// How long both answers are kept; without it, until they are compared.
    pub keep: Option<Millis>,
    /// What copies are charged to.
    pub budget: Option<Spanned<BudgetId>>,
    /// Who compares the answers.
    pub scored_by: Option<Spanned<JudgeId>>,
    /// The statement.
    pub span: Span,
}
