//! What is wrong with a policy, as a value: a code, a place, a reason and an edit.
//!
//! In: findings of every stage of the front end. Out: one type that the human renderer, JSON and editors share. Must not
//! know: terminals.

use super::source::{Sources, Span};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// Blocks `check` and loading.
    Error,
    /// Blocks with `--deny-warnings`.
    Warning,
    /// A note.
    Info,
    /// Off unless selected.
    Pedantic,
}

impl Level {
    /// As JSON and summaries write it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
            Self::Pedantic => "pedantic",
        }
    }
}

/// A second place that explains the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// Because of what; short, lower case.
    pub text: String,
}

/// A replacement of one span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// What to replace; empty to insert.
    pub span: Span,
    /// With what.
    pub text: String,
}

/// A way to cure the finding that a tool can apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// Never changes a decision.
    pub safe: bool,
    /// What applying it does.
    pub title: String,
    /// The edits, which do not overlap.
    pub edits: Vec<Edit>,
}

/// A request, and the readings beside it, that shows the finding. Both are in the syntax of `explain`: name and value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Witness {
    /// Facts of the request.
    pub request: Vec<(String, String)>,
    /// Budgets, switches, the clock.
    pub readings: Vec<(String, String)>,
}

/// One finding. Title and notes follow section 7.2 of the specification: lower case, no final period, names in backticks,
/// what is before what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The stable code and name.
    pub code: &'static Code,
    /// Usually the code's own level.
    pub level: Level,
    /// The title.
    pub message: String,
    /// Where.
    pub span: Span,
    /// What to print under the place; may be empty.
    pub here: String,
    /// Because of what.
    pub labels: Vec<Label>,
    /// More facts, numbers first.
    pub notes: Vec<String>,
    /// Something that can be typed.
    pub help: Option<String>,
    /// A request that shows it.
    pub witness: Option<Box<Witness>>,
    /// Edits.
    pub fixes: Vec<Fix>,
}

impl Diagnostic {
    /// A finding at the code's own level.
    pub fn new(code: &'static Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            level: code.level,
            message: message.into(),
            span,
            here: String::new(),
            labels: Vec::new(),
            notes: Vec::new(),
            help: None,
            witness: None,
            fixes: Vec::new(),
        }
    }

    /// Under the place.
    #[must_use]
    pub fn here(mut self, text: impl Into<String>) -> Self {
        self.here = text.into();
        self
    }

    /// Another level than the code's own.
    #[must_use]
    pub const fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// A second place.
    #[must_use]
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Another fact.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// What to type.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// A request that shows it.
    #[must_use]
    pub fn witness(mut self, witness: Witness) -> Self {
        self.witness = Some(Box::new(witness));
        self
    }

    /// A single-edit fix.
    #[must_use]
    pub fn fix(mut self, safe: bool, title: impl Into<String>, span: Span, text: impl Into<String>) -> Self {
        self.fixes.push(Fix { safe, title: title.into(), edits: vec![Edit { span, text: text.into() }] });
        self
    }
}

/// Sorts findings the way a reader meets them: by file, place, then code.
pub fn in_page_order(findings: &mut [Diagnostic], sources: &Sources) {
    findings.sort_by(|a, b| {
        let key = |d: &Diagnostic| (sources.file(d.span.file).path.clone(), d.span.lo, d.code.code);
        key(a).cmp(&key(b))
    });
}

/// A row of section 7.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// `R401`.
    pub code: &'static str,
    /// `unreachable-rule`.
    pub name: &'static str,
    /// The level when nothing changes it.
    pub level: Level,
}

macro_rules! codes {
    ($($id:ident $name:literal $level:ident,)*) => {
        $(#[doc = $name] pub static $id: Code = Code { code: stringify!($id), name: $name, level: Level::$level };)*
        /// Every code this version can report, in order. A code is never reused.
        pub static CODES: &[&Code] = &[$(&$id),*];
    };
}

codes! {
    R001 "syntax-error" Error,
    R002 "unknown-statement" Error,
    R003 "unclosed-block" Error,
    R004 "unclosed-string" Error,
    R005 "missing-version" Warning,
    R006 "unsupported-version" Error,
    R007 "nested-too-deep" Error,
    R008 "invisible-characters" Error,
    R009 "foreign-operator" Error,
    R010 "file-not-found" Error,
    R011 "use-cycle" Error,
    R012 "rules-in-several-files" Warning,

    R101 "unknown-attribute" Error,
    R102 "unknown-feature" Error,
    R103 "unknown-tenant" Error,
    R104 "unknown-plan" Error,
    R105 "unknown-region" Error,
    R106 "unknown-provider" Error,
    R107 "unknown-name" Error,
    R108 "duplicate-name" Error,
    R109 "unused-name" Warning,
    R110 "type-mismatch" Error,
    R111 "wrong-unit" Error,
    R112 "out-of-domain" Error,
    R113 "empty-range" Error,
    R114 "unknown-timezone" Error,
    R115 "minutes-or-millions" Warning,
    R116 "unknown-template-or-queue" Error,
    R117 "recursive-define" Error,
    R118 "default-off-domain" Error,
    R119 "bad-attribute-source" Error,
    R120 "untrusted-identity" Pedantic,
    R121 "unreadable-facts" Error,
    R122 "reserved-name" Error,

    R201 "unpinned-model" Error,
    R202 "alias-pin" Error,
    R203 "retires-soon" Warning,
    R204 "retired" Error,
    R205 "unknown-snapshot" Error,
    R206 "stale-catalog" Warning,
    R207 "hop-not-in-region" Error,
    R208 "empty-tier" Error,
    R209 "missing-capability" Warning,
    R210 "unpriced-model" Warning,
    R211 "not-yet-available" Error,
    R212 "alias-crosses-tier" Warning,
    R213 "last-of-kind" Warning,
    R214 "eval-missing" Error,
    R215 "eval-failing" Error,
    R216 "eval-stale" Warning,
    R217 "undated-snapshot" Error,
    R218 "rerouted" Error,
    R219 "revision-missing" Error,
    R220 "region-unstated" Warning,
    R221 "tier-differs-from-catalog" Pedantic,
    R222 "snapshot-in-two-tiers" Error,
    R223 "price-change-ahead" Info,
    R224 "unknown-capability" Info,

    R301 "repeated-snapshot" Error,
    R302 "ladder-cycle" Error,
    R303 "same-provider-fallback" Warning,
    R304 "peer-changes-tier" Error,
    R305 "lower-is-not-lower" Error,
    R306 "hop-order" Warning,
    R307 "hop-after-degrade" Error,
    R308 "single-provider" Warning,
    R309 "no-degraded-path" Warning,
    R310 "high-stakes-no-person" Error,
    R311 "hop-too-small" Warning,
    R312 "chain-can-be-empty" Error,
    R313 "hop-never-tried" Warning,
    R314 "high-stakes-downgrade" Error,
    R315 "slow-first-token" Warning,
    R316 "retry-on-timeout" Warning,
    R317 "reject-with-hops" Error,
    R318 "rule-without-outcome" Error,
    R319 "fallback-without-intent" Error,
    R320 "rule-without-tier" Error,
    R321 "order-with-snapshot" Error,
    R322 "pointless-retry" Error,
    R323 "snapshot-outside-tier" Error,
    R324 "embedding-space-change" Error,
    R325 "requested-outside-tier" Warning,
    R326 "peer-under-as-requested" Error,
    R327 "cannot-resume" Warning,
    R328 "hedge-without-hop" Error,
    R329 "hedge-crosses-tier" Warning,
    R330 "hedge-cost" Warning,
    R331 "guard-after-release" Warning,
    R332 "late-failure" Warning,
    R333 "unknown-failure" Error,
    R334 "cannot-carry" Warning,

    R401 "unreachable-rule" Error,
    R402 "contradiction" Error,
    R403 "redundant-rule" Warning,
    R404 "gap" Error,
    R405 "unreachable-otherwise" Info,
    R406 "dead-alternative" Warning,
    R407 "always-true-test" Warning,
    R408 "one-value-gap" Warning,
    R409 "overlapping-ranges" Pedantic,
    R410 "analysis-incomplete" Error,
    R411 "condition-too-wide" Error,
    R412 "mostly-shadowed" Pedantic,

    R501 "deadline-cannot-fit" Error,
    R502 "deadline-tight" Warning,
    R503 "timeout-above-deadline" Error,
    R504 "first-token-above-timeout" Error,
    R505 "backoff-dominates" Warning,
    R506 "time-window-and-dst" Warning,
    R507 "rule-expired" Error,
    R508 "slow-classifier" Warning,
    R509 "promise-off-hours" Warning,

    R601 "budget-never-read" Info,
    R602 "budget-never-binds" Warning,
    R603 "budget-covers-nothing" Error,
    R604 "warn-never-set" Error,
    R605 "costly-fallback" Warning,
    R606 "budgets-overlap" Warning,
    R607 "limit-below-one-request" Error,
    R608 "partly-budgeted-plan" Warning,
    R609 "spent-changes-nothing" Warning,

    R701 "rollout-never-applies" Error,
    R702 "rollouts-collide" Error,
    R703 "rollout-to-weaker" Warning,
    R704 "rollout-without-halt" Warning,
    R705 "big-stage" Warning,
    R706 "rollout-not-sticky" Warning,
    R707 "shadow-without-budget" Warning,
    R708 "shadow-cost" Warning,
    R709 "shadow-leaves-region" Error,
    R710 "shadow-wrong-budget" Warning,
    R711 "cache-without-tenant" Error,
    R712 "cache-on-high-stakes" Warning,
    R713 "cached-without-cache" Warning,
    R714 "drill-never-runs" Error,
    R715 "drill-pretends-nothing" Warning,
    R716 "drill-during-rollout" Info,
    R717 "fallback-never-rehearsed" Pedantic,
    R718 "rollout-changes-tier" Error,
    R719 "rollout-finished" Info,
    R720 "candidate-unused" Pedantic,
    R721 "judge-is-party" Error,

    R801 "guarantee-broken" Error,
    R802 "guarantee-vacuous" Warning,
    R803 "region-violation" Error,
    R804 "retention-violation" Error,
    R805 "provider-not-approved" Error,
    R806 "classifier-sees-private" Warning,
    R821 "raw-metric" Warning,
    R822 "signal-flaps" Error,
    R823 "signal-starves" Warning,
    R824 "unknown-reading" Warning,

    R901 "not-formatted" Warning,
    R902 "unused-allow" Warning,
    R903 "allow-without-reason" Warning,
    R904 "allow-unknown" Warning,
    R905 "rule-without-because" Pedantic,
    R906 "name-style" Pedantic,
    R908 "mixed-and-or" Warning,
    R911 "test-reads-unset" Error,
    R912 "test-unknown-rule" Error,
    R913 "untested-rule" Pedantic,
    R914 "impossible-request" Error,
    R915 "duplicate-test" Warning,
    R916 "property-vacuous" Warning,

    // Not in the specification: a construct the language has and this version of the tools does not carry out yet.
    R990 "not-supported-yet" Error,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_in_order() {
        let ids: Vec<_> = CODES.iter().map(|code| code.code).collect();
        let mut sorted = ids.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(ids, sorted);
        let mut names: Vec<_> = CODES.iter().map(|code| code.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CODES.len());
    }
}
