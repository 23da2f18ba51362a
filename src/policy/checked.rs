//! A policy after names, types, units and claims are settled: what was meant.
//!
//! In: [`super::resolve`] builds it from the AST and the catalog. Out: [`super::boxes`] compiles its conditions,
//! [`super::plan`] reads its chains, `explain` prints it. Must not know: syntax, HTTP.
//!
//! Everything that is used on a request is an index into a table of this type, so nothing is compared as a string past admission.

mod budgets;
mod chain;
mod classifiers;
mod drills;
mod guarantees;
mod guards;
mod moving;
mod origins;
mod properties;
mod rollouts;

use std::sync::Arc;

use serde::Serialize;

use super::source::Span;
use crate::catalog::Entry;
use crate::names::{ModelRef, ProviderName};
use crate::units::{Millis, Tokens};

pub use crate::names::Modality;
pub use budgets::{Amount, Budget, Each, Limit, Period};
pub use chain::{Chain, Claim, Degrade, Extras, Hedge, Hold, Hop, HopOptions, Origin, Promise, Retry, Target};
pub use classifiers::{Asked, Classifier, Judge, Read, Seen};
pub use drills::{Drill, Expect, Pretend, Pretended, Schedule, Who};
pub use guarantees::{Ending, Guarantee, Held};
pub use guards::{Cache, Guard, GuardStep, OnFailure, Partition, SensitiveKind, Shadow, Side, Similarity, Step};
pub use moving::{Beside, Clause, Metric, MetricOf, Moving, Observed, Queue, Signal, Switch, UNKNOWN};
pub use origins::{ChainOrigins, HopOrigins, Scope, WrittenAt};
pub use properties::{Property, Says};
pub use rollouts::{Rollout, ShadowFirst, Sticky};

macro_rules! index {
    ($($(#[$doc:meta])* $name:ident($raw:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        pub struct $name(pub $raw);
        impl $name {
            /// As a position in its table.
            pub const fn index(self) -> usize { self.0 as usize }
        }
    )*};
}

index! {
    /// A row of [`Checked::columns`].
    ColumnId(u16);
    /// A row of [`Checked::rules`].
    RuleId(u32);
    /// A row of [`Checked::tiers`].
    TierId(u16);
    /// A row of [`Checked::snapshots`].
    SnapshotId(u16);
    /// A row of [`Checked::tenants`].
    TenantId(u32);
    /// A row of [`Checked::templates`].
    TemplateId(u16);
    /// A row of [`Moving::budgets`].
    BudgetId(u16);
    /// A row of [`Moving::classifiers`].
    ClassifierId(u16);
    /// A row of [`Moving::metrics`].
    MetricId(u16);
    /// A row of [`Moving::judges`].
    JudgeId(u16);
    /// A row of [`Moving::guards`].
    GuardId(u16);
    /// A row of [`Moving::rollouts`].
    RolloutId(u16);
}

/// One policy set, resolved. It may be incomplete when a diagnostic of level error was made; then it is analyzed as far as
/// that makes sense and never compiled.
#[derive(Clone, Debug)]
pub struct Checked {
    /// From the header, else the file's stem.
    pub name: Arc<str>,
    /// Who to ask.
    pub owner: Option<Arc<str>>,
    /// Where the clock columns live.
    pub timezone: jiff::tz::TimeZone,
    /// Bounds the whole chain.
    pub deadline: Millis,
    /// The largest `prompt_tokens` admitted, inclusive.
    pub max_prompt: Tokens,
    /// API endpoints served.
    pub endpoints: Vec<Endpoint>,
    /// Declared plans.
    pub plans: Vec<Arc<str>>,
    /// Declared features.
    pub features: Vec<Feature>,
    /// Tenants with a row, in the policy or in a tenants file.
    pub tenants: Vec<Tenant>,
    /// Declared residencies; the first is always `anywhere`, with no regions.
    pub residencies: Vec<Residency>,
    /// Declared attributes.
    pub attributes: Vec<Attribute>,
    /// What conditions look at: one row for each subject that some condition of this set tests, and no other.
    pub columns: Vec<Column>,
    /// What one column says about another: `tenant acme` implies `plan enterprise`.
    pub implications: Vec<Implication>,
    /// Columns that only conditions of moving parts look at. No decision reads them; analysis does ([`Checked::widened`]).
    pub beside: Beside,
    /// Every snapshot the policy names, with its facts: members of tiers, hops, and those of classifiers, judges, rollouts,
    /// shadows and drills.
    pub snapshots: Vec<Snapshot>,
    /// Tiers, best first.
    pub tiers: Vec<Tier>,
    /// Fixed answers.
    pub templates: Vec<Template>,
    /// Where people pick work up.
    pub queues: Vec<Queue>,
    /// Rules in page order; `otherwise`, if written, is the last, and its condition is [`Cond::True`].
    pub rules: Vec<Rule>,
    /// Budgets, switches, classifiers and what else moves beside the rules.
    pub moving: Moving,
    /// What a file of tests says of all requests. No part of the policy: only tests read it.
    pub properties: Vec<Property>,
    /// Constructs that are understood and that `serve` of this version does not carry out: what, and where. It refuses to load
    /// such a policy (R990); everything else works on it.
    pub unsupported: Vec<(String, Span)>,
    /// The `policy` header's name, or the set's first byte: where findings about the whole set point.
    pub place: Span,
}

/// The API endpoints of section 4.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `/v1/chat/completions`
    Chat,
    /// `/v1/responses`
    Responses,
    /// `/v1/messages`
    Messages,
    /// `/v1/embeddings`
    Embeddings,
}

impl Endpoint {
    /// Every endpoint, in the order of the `endpoint` column.
    pub const ALL: [Self; 4] = [Self::Chat, Self::Responses, Self::Messages, Self::Embeddings];

    /// As a policy writes it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::Embeddings => "embeddings",
        }
    }
}

/// How much a wrong answer costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stakes {
    /// `low`
    Low,
    /// `normal`, the default
    Normal,
    /// `high`
    High,
}

impl Stakes {
    /// As a policy writes it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
        }
    }
}

/// A declared feature.
#[derive(Clone, Debug)]
pub struct Feature {
    /// Its name.
    pub name: Arc<str>,
    /// What a wrong answer costs.
    pub stakes: Stakes,
    /// Caps the answer.
    pub max_output: Option<Tokens>,
    /// Bounds the chain for this feature.
    pub deadline: Option<Millis>,
    /// Where it is declared.
    pub span: Span,
}

/// A tenant with a row.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Its name.
    pub name: Arc<str>,
    /// Index into [`Checked::plans`], if stated.
    pub plan: Option<u16>,
    /// Index into [`Checked::residencies`], if stated.
    pub residency: Option<u16>,
    /// Providers this tenant allows, if stated.
    pub approved: Option<Vec<ProviderName>>,
}

/// A residency and the regions that satisfy it.
#[derive(Clone, Debug)]
pub struct Residency {
    /// Its name.
    pub name: Arc<str>,
    /// Satisfying regions; empty for `anywhere`, which every region satisfies.
    pub regions: Vec<Arc<str>>,
}

/// A declared attribute.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// Its name.
    pub name: Arc<str>,
    /// What values it takes.
    pub domain: AttributeDomain,
    /// Where a value is looked for, in order.
    pub sources: Vec<AttributeSource>,
    /// The value when none is found; without one, a missing value is a 400.
    pub default: Option<AttributeValue>,
    /// Where it is declared.
    pub span: Span,
}

/// What values an attribute takes.
#[derive(Clone, Debug)]
pub enum AttributeDomain {
    /// A closed list.
    OneOf(Vec<Arc<str>>),
    /// `lo..hi`, half open.
    Number { lo: u64, hi: u64 },
    /// Yes or no.
    YesOrNo,
    /// Anything.
    Text,
}

/// A value inside its domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum AttributeValue {
    /// Index into [`AttributeDomain::OneOf`].
    OneOf(u32),
    /// A number.
    Number(u64),
    /// Yes or no.
    YesOrNo(bool),
    /// Any text.
    Text(Arc<str>),
}

/// Where an attribute's value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeSource {
    /// A request header, lower case.
    Header(Arc<str>),
    /// A key of the body's `metadata`.
    Metadata(Arc<str>),
    /// A claim of a verified token.
    Claim(Arc<str>),
}

/// What a column looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// `tenant`
    Tenant,
    /// `plan`
    Plan,
    /// `feature`; the domain's first value is `none`
    Feature,
    /// `user`
    User,
    /// `region`: where this sidecar runs
    Region,
    /// `residency`
    Residency,
    /// `requested_model` compared with a string
    RequestedModel,
    /// `requested_model` compared with a model: the snapshot it resolves to
    RequestedSnapshot,
    /// `requested_tier`; the domain's first value is `none`
    RequestedTier,
    /// `prompt_tokens`
    PromptTokens,
    /// `max_tokens`, 0 when not given
    MaxTokens,
    /// `streaming`
    Streaming,
    /// `tools`
    Tools,
    /// `json_schema`
    JsonSchema,
    /// `modality has …`, one column for each member
    Modality(Modality),
    /// `endpoint`
    Endpoint,
    /// `priority`
    Priority,
    /// `stakes`
    Stakes,
    /// Index into [`Checked::attributes`].
    Attribute(u16),
    /// `time` and `day`: the minute of the week, Monday 00:00 is 0
    Clock,
    /// Index into [`Moving::budgets`]; the domain is `ok`, `warn`, `spent`.
    Budget(u16),
    /// Index into [`Moving::switches`].
    Switch(u16),
    /// Index into [`Moving::signals`].
    Signal(u16),
    /// Index into [`Moving::classifiers`]; the domain is its labels, then `unsure`.
    Classifier(u16),
    /// Index into [`Moving::metrics`].
    Metric(u16),
}

/// What an input costs to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Part of the request.
    Free,
    /// Copied from memory once per decision.
    Reading,
    /// Costs money and time.
    Paid,
}

/// One thing conditions look at.
#[derive(Clone, Debug)]
pub struct Column {
    /// As `explain` and witnesses write it: `plan`, `prompt_tokens`, `modality has image`, `time`.
    pub name: Arc<str>,
    /// What.
    pub subject: Subject,
    /// Its values.
    pub domain: Domain,
    /// What it costs.
    pub class: Class,
}

/// The values of a column.
#[derive(Clone, Debug)]
pub enum Domain {
    /// A list; `open` when values beyond it are possible (they are one value, `other`).
    Enum { values: Vec<Arc<str>>, open: bool },
    /// Whole numbers `lo..=hi`.
    Number { lo: u64, hi: u64 },
    /// A measured number up to [`Observed::most`], or [`UNKNOWN`], which is an atom of its own and satisfies no comparison.
    Metric(Observed),
    /// Minutes of the week, 0..10,080.
    Clock,
    /// Yes or no.
    Bool,
    /// Any text.
    Text,
}

/// Values of one column that satisfy a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values {
    /// Positions in [`Domain::Enum`], sorted. `other` is never named, only reached by a complement.
    Enum(Vec<u32>),
    /// Half-open ranges of [`Domain::Number`], [`Domain::Metric`] or [`Domain::Clock`], sorted, disjoint. Of a metric,
    /// `(UNKNOWN, UNKNOWN + 1)` is the unknown value; no other range reaches it.
    Ranges(Vec<(u64, u64)>),
    /// One of the two.
    Bool(bool),
    /// Texts equal to, or beginning with, one of these.
    Text(Vec<TextPattern>),
}

/// One text, or all that begin alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TextPattern {
    /// The literal, or the part before `*`.
    pub text: Arc<str>,
    /// Whether a `*` follows.
    pub prefix: bool,
}

/// A condition over columns; defines are expanded, names are gone.
#[derive(Clone, Debug)]
pub enum Cond {
    /// Always.
    True,
    /// At least one.
    Any(Vec<Self>),
    /// Every one.
    All(Vec<Self>),
    /// Not.
    Not(Box<Self>),
    /// One column, one set; the span is the test as written.
    Test { column: ColumnId, values: Values, span: Span },
}

/// Requests with `if_column` in `if_values` always have `then_column` in `then_values`.
#[derive(Clone, Debug)]
pub struct Implication {
    /// Left.
    pub if_column: ColumnId,
    /// Left.
    pub if_values: Values,
    /// Right.
    pub then_column: ColumnId,
    /// Right.
    pub then_values: Values,
    /// As a person says it: `tenant acme is on plan enterprise`.
    pub because: String,
}

/// A model that chains can reach, and what is known about it.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Its name.
    pub model: ModelRef,
    /// Facts; `None` when the id rules accept it and the catalog has no row.
    pub facts: Option<Arc<Entry>>,
    /// The ordered tier it is in.
    pub tier: Option<TierId>,
    /// Where it is first written.
    pub span: Span,
}

/// A tier.
#[derive(Clone, Debug)]
pub struct Tier {
    /// Its name.
    pub name: Arc<str>,
    /// Stands outside the order.
    pub specialized: bool,
    /// Members of its chain, in declared order.
    pub members: Vec<SnapshotId>,
    /// Members that only rollouts, shadows and rules name.
    pub candidates: Vec<SnapshotId>,
    /// Where it is declared.
    pub span: Span,
}

impl Tier {
    /// Whether a snapshot belongs to the tier, as a member or as a candidate.
    pub fn has(&self, snapshot: SnapshotId) -> bool {
        self.members.contains(&snapshot) || self.candidates.contains(&snapshot)
    }
}

impl Checked {
    /// Where a snapshot stands: its ordered tier, else the first specialized one it is in.
    pub fn home(&self, snapshot: SnapshotId) -> Option<TierId> {
        let ordered = self.snapshots[snapshot.index()].tier;
        ordered.or_else(|| self.tiers.iter().position(|tier| tier.has(snapshot)).map(|at| TierId(at as u16)))
    }
}

/// A fixed answer.
#[derive(Clone, Debug)]
pub struct Template {
    /// Its name.
    pub name: Arc<str>,
    /// The text.
    pub text: Arc<str>,
}

/// A rule, or `otherwise`.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name; `otherwise` for the last.
    pub name: Arc<str>,
    /// The name, or the word `otherwise`.
    pub span: Span,
    /// All of it.
    pub whole: Span,
    /// The reason its author gave.
    pub because: Option<Arc<str>>,
    /// When it applies.
    pub when: Cond,
    /// The condition as written, for messages; `None` without `when`.
    pub when_span: Option<Span>,
    /// What happens.
    pub outcome: Outcome,
    /// Free words for logs.
    pub tags: Vec<Arc<str>>,
}

/// What a rule decides.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Refuse now.
    Reject { status: u16, message: Option<Arc<str>> },
    /// Try the hops, then degrade. Without hops, degrade at once.
    Chain(Chain),
}
