//! What conditions can look at: the built-in subjects, attributes, budgets, switches, signals, classifiers.
//!
//! In: a name. Out: a column with its domain, made on first use. Must not know: relations.

use std::sync::Arc;

use super::super::checked::{AttributeDomain, Class, Column, ColumnId, Domain, Endpoint, MetricId, Modality, Subject};
use super::Resolver;

/// Largest `max_tokens` a client may send; more is a malformed request.
pub const MAX_MAX_TOKENS: u64 = 1_000_000_000;

/// The subjects of section 4.2 that need no declaration, as written.
const BUILT_IN: [(&str, Look); 19] = [
    ("tenant", Look::Column(Subject::Tenant)),
    ("plan", Look::Column(Subject::Plan)),
    ("feature", Look::Column(Subject::Feature)),
    ("user", Look::Column(Subject::User)),
    ("region", Look::Column(Subject::Region)),
    ("residency", Look::Column(Subject::Residency)),
    ("requested_model", Look::RequestedModel),
    ("requested_tier", Look::Column(Subject::RequestedTier)),
    ("prompt_tokens", Look::Column(Subject::PromptTokens)),
    ("max_tokens", Look::Column(Subject::MaxTokens)),
    ("streaming", Look::Column(Subject::Streaming)),
    ("tools", Look::Column(Subject::Tools)),
    ("json_schema", Look::Column(Subject::JsonSchema)),
    ("modality", Look::Modality),
    ("endpoint", Look::Column(Subject::Endpoint)),
    ("priority", Look::Column(Subject::Priority)),
    ("stakes", Look::Column(Subject::Stakes)),
    ("time", Look::Time),
    ("day", Look::Day),
];

/// What a subject's word leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// One column.
    Column(Subject),
    /// Two columns: text, or the snapshot it resolves to.
    RequestedModel,
    /// One column for each member.
    Modality,
    /// The clock, by the minute of the day.
    Time,
    /// The clock, by the day.
    Day,
}

/// Whether a word is a subject without being declared.
pub(super) fn is_built_in(name: &str) -> bool {
    built_in(name).is_some()
}

/// What a built-in word looks at.
pub(super) fn built_in(name: &str) -> Option<Look> {
    BUILT_IN.iter().find(|(word, _)| *word == name).map(|(_, look)| *look)
}

/// Every built-in subject, for "did you mean" and completion.
pub fn built_in_names() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(word, _)| *word)
}

impl Resolver<'_> {
    /// The column of a subject.
    pub(super) fn column(&mut self, subject: Subject) -> ColumnId {
        if let Some(column) = self.columns.get(&subject) {
            return *column;
        }
        let (name, domain, class) = self.describe(subject);
        let id = ColumnId(self.out.columns.len() as u16);
        self.out.columns.push(Column { name, subject, domain, class });
        self.columns.insert(subject, id);
        id
    }

    /// The word, values and cost of a subject.
    fn describe(&self, subject: Subject) -> (Arc<str>, Domain, Class) {
        let moving = &self.out.moving;
        let yes = Domain::Bool;
        let (name, domain): (&str, Domain) = match subject {
            // Tenants of a tenants file are no values: a rule cannot name them, so they are all `other`.
            Subject::Tenant => ("tenant", listed(self.named_tenants(), true)),
            Subject::Plan => ("plan", listed(self.out.plans.iter().cloned(), false)),
            Subject::Feature => {
                let features = self.out.features.iter().map(|feature| feature.name.clone());
                ("feature", listed(std::iter::once("none".into()).chain(features), false))
            }
            Subject::User => ("user", Domain::Text),
            Subject::Region => ("region", listed(self.ctx.catalog.regions().into_iter().map(Into::into), true)),
            Subject::Residency => {
                ("residency", listed(self.out.residencies.iter().map(|residency| residency.name.clone()), false))
            }
            Subject::RequestedModel => ("requested_model", Domain::Text),
            Subject::RequestedSnapshot => ("requested_model", listed(std::iter::empty(), true)),
            Subject::RequestedTier => {
                let tiers = self.out.tiers.iter().map(|tier| tier.name.clone());
                ("requested_tier", listed(std::iter::once("none".into()).chain(tiers), false))
            }
            Subject::PromptTokens => ("prompt_tokens", Domain::Number { lo: 0, hi: self.out.max_prompt.0 }),
            Subject::MaxTokens => ("max_tokens", Domain::Number { lo: 0, hi: MAX_MAX_TOKENS }),
            Subject::Streaming => ("streaming", yes),
            Subject::Tools => ("tools", yes),
            Subject::JsonSchema => ("json_schema", yes),
            Subject::Modality(member) => {
                return (format!("modality has {}", member.word()).into(), yes, Class::Free);
            }
            Subject::Endpoint => {
                ("endpoint", words(self.out.endpoints.iter().map(|endpoint| Endpoint::word(*endpoint))))
            }
            Subject::Priority => ("priority", words(["interactive", "batch"])),
            Subject::Stakes => ("stakes", words(["low", "normal", "high"])),
            Subject::Attribute(at) => {
                let attribute = &self.out.attributes[at as usize];
                let domain = match &attribute.domain {
                    AttributeDomain::OneOf(values) => listed(values.iter().cloned(), false),
                    AttributeDomain::Number { lo, hi } => Domain::Number { lo: *lo, hi: hi - 1 },
                    AttributeDomain::YesOrNo => yes,
                    AttributeDomain::Text => Domain::Text,
                };
                return (attribute.name.clone(), domain, Class::Free);
            }
            Subject::Clock => return ("time".into(), Domain::Clock, Class::Reading),
            Subject::Budget(at) => {
                let name = moving.budgets[at as usize].name.clone();
                return (name, words(["ok", "warn", "spent"]), Class::Reading);
            }
            Subject::Switch(at) => return (moving.switches[at as usize].name.clone(), yes, Class::Reading),
            Subject::Signal(at) => return (moving.signals[at as usize].name.clone(), yes, Class::Reading),
            Subject::Classifier(at) => {
                let classifier = &moving.classifiers[at as usize];
                let labels = classifier.labels.iter().cloned().chain(["unsure".into()]);
                return (classifier.name.clone(), listed(labels, false), Class::Paid);
            }
            Subject::Metric(at) => return self.describe_metric(MetricId(at)),
        };
        (name.into(), domain, Class::Free)
    }

    fn describe_metric(&self, at: MetricId) -> (Arc<str>, Domain, Class) {
        let observed = self.out.moving.metrics[at.index()].observed;
        (self.out.metric_name(at).into(), Domain::Metric(observed), Class::Reading)
    }

    /// Tenants with a row in the policy, in the order of the set.
    pub(super) fn named_tenants(&self) -> impl Iterator<Item = Arc<str>> {
        let from_file = &self.served_from_file;
        self.out.tenants.iter().map(|tenant| tenant.name.clone()).filter(move |name| !from_file.contains_key(name))
    }
}

/// Members of `modality`, by word.
pub(super) fn modality(word: &str) -> Option<Modality> {
    Modality::ALL.into_iter().find(|member| member.word() == word)
}

fn listed(values: impl IntoIterator<Item = Arc<str>>, open: bool) -> Domain {
    Domain::Enum { values: values.into_iter().collect(), open }
}

fn words(values: impl IntoIterator<Item = &'static str>) -> Domain {
    listed(values.into_iter().map(Into::into), false)
}
