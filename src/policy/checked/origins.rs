//! Where the options in force are written.
//!
//! In: [`super::super::resolve`] notes it beside each value that is inherited. Out: `explain --effective` prints it. Must not know:
//! the values. No decision and no hash depends on it.

use super::super::source::Span;

/// How far out from a hop an option stands: the nearest that says something wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Behind the `snapshot` or `fallback` itself.
    Hop,
    /// Behind the `tier` line of the rule or the ladder.
    Tier,
    /// A statement of the ladder that the rule uses.
    Ladder,
    /// A statement of the rule.
    Rule,
    /// `defaults { … }`
    Defaults,
    /// `policy NAME { … }`
    Header,
}

impl Scope {
    /// As people and programs read it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hop => "hop",
            Self::Tier => "tier",
            Self::Ladder => "ladder",
            Self::Rule => "rule",
            Self::Defaults => "defaults",
            Self::Header => "policy",
        }
    }
}

/// Where a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenAt {
    /// In which construct.
    pub scope: Scope,
    /// The option there.
    pub span: Span,
}

/// Where each of [`super::HopOptions`] is written; `None` where nobody said anything and the language's own value holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HopOrigins {
    /// Of `timeout`, for both kinds.
    pub timeout: Option<WrittenAt>,
    /// Of `first_token`, also when it was lowered.
    pub first_token: Option<WrittenAt>,
    /// The inherited `first_token` was above the `timeout`, and was lowered to it.
    pub first_token_lowered: bool,
    /// Of `idle`.
    pub idle: Option<WrittenAt>,
    /// Of `stream_limit`.
    pub stream_limit: Option<WrittenAt>,
    /// Of `retry`.
    pub retry: Option<WrittenAt>,
    /// Of `on`.
    pub on: Option<WrittenAt>,
    /// Of `in`.
    pub regions: Option<WrittenAt>,
    /// Of `max_output`.
    pub max_output: Option<WrittenAt>,
    /// Of `hedge`.
    pub hedge: Option<WrittenAt>,
}

/// Where what holds for a chain as a whole is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChainOrigins {
    /// Of `hold`.
    pub hold: Option<WrittenAt>,
    /// Of `on cut`.
    pub on_cut: Option<WrittenAt>,
    /// Of `deadline`: the lesser of rule and header.
    pub deadline: Option<WrittenAt>,
}
