//! Whether a condition of a moving part holds for one request.
//!
//! In: a condition over columns, admitted facts, readings. Out: yes or no, or the classifier that must be asked first. Must not
//! know: atoms, so that it needs no tree: moving parts look at columns that no tree has. Rules are decided by [`super::decide`].

use super::checked::{
    AttributeDomain, AttributeValue, BudgetId, Checked, ClassifierId, Column, Cond, Domain, MetricId, Subject, Values,
};
use super::facts::{Facts, PromptSize};
use super::readings::Readings;

/// One request as conditions of moving parts see it.
pub struct Seen<'a> {
    /// The policy that admitted it.
    pub checked: &'a Checked,
    /// What was admitted.
    pub facts: &'a Facts,
    /// What stood when it was decided.
    pub readings: &'a Readings,
}

/// What a condition says of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It holds.
    Yes,
    /// It does not.
    No,
    /// It hangs on this classifier, which has not been asked.
    Asks(ClassifierId),
}

impl Seen<'_> {
    /// Whether a condition holds. A classifier that was not asked is `unsure`.
    pub fn holds(&self, cond: &Cond, prompt: &mut dyn PromptSize) -> bool {
        match cond {
            Cond::True => true,
            Cond::Any(parts) => parts.iter().any(|part| self.holds(part, prompt)),
            Cond::All(parts) => parts.iter().all(|part| self.holds(part, prompt)),
            Cond::Not(part) => !self.holds(part, prompt),
            Cond::Test { column, values, .. } => {
                self.checked.column(*column).is_some_and(|column| self.passes(column, values, prompt))
            }
        }
    }

    /// The same, where classifiers that have no label yet can still be asked: `asked` says which need not be.
    pub fn answer(&self, cond: &Cond, prompt: &mut dyn PromptSize, asked: &dyn Fn(ClassifierId) -> bool) -> Answer {
        match cond {
            Cond::True => Answer::Yes,
            Cond::Any(parts) => self.first(parts, Answer::Yes, prompt, asked),
            Cond::All(parts) => self.first(parts, Answer::No, prompt, asked),
            Cond::Not(part) => match self.answer(part, prompt, asked) {
                Answer::Yes => Answer::No,
                Answer::No => Answer::Yes,
                asks @ Answer::Asks(_) => asks,
            },
            Cond::Test { column, .. } => {
                let subject = self.checked.column(*column).map(|column| column.subject);
                match subject {
                    Some(Subject::Classifier(at)) if !asked(ClassifierId(at)) => Answer::Asks(ClassifierId(at)),
                    _ if self.holds(cond, prompt) => Answer::Yes,
                    _ => Answer::No,
                }
            }
        }
    }

    /// The part that settles an `and` or an `or`, wherever it stands: a classifier is asked only if nothing else does.
    fn first(
        &self,
        parts: &[Cond],
        settles: Answer,
        prompt: &mut dyn PromptSize,
        asked: &dyn Fn(ClassifierId) -> bool,
    ) -> Answer {
        let mut open = None;
        for part in parts {
            match self.answer(part, prompt, asked) {
                Answer::Asks(classifier) => open = open.or(Some(classifier)),
                answer if answer == settles => return settles,
                _ => {}
            }
        }
        let otherwise = if settles == Answer::Yes { Answer::No } else { Answer::Yes };
        open.map_or(otherwise, Answer::Asks)
    }

    fn passes(&self, column: &Column, values: &Values, prompt: &mut dyn PromptSize) -> bool {
        match values {
            Values::Bool(wanted) => self.boolean(column.subject) == Some(*wanted),
            Values::Enum(set) => self.position(column).is_some_and(|at| set.contains(&at)),
            Values::Ranges(ranges) if column.subject == Subject::PromptTokens => {
                // As few questions about the size as the ranges have ends.
                ranges.iter().any(|(from, to)| {
                    let reaches = *from == 0 || prompt.exceeds(from - 1);
                    reaches && (*to > self.checked.max_prompt.0 || !prompt.exceeds(to - 1))
                })
            }
            Values::Ranges(ranges) => {
                self.number(column.subject).is_some_and(|at| ranges.iter().any(|(from, to)| *from <= at && at < *to))
            }
            Values::Text(patterns) => self.text(column.subject).is_some_and(|text| {
                patterns.iter().any(|one| if one.prefix { text.starts_with(&*one.text) } else { text == &*one.text })
            }),
        }
    }

    fn attribute(&self, at: u16) -> Option<&AttributeValue> {
        self.facts.attributes.get(usize::from(at))
    }

    fn boolean(&self, subject: Subject) -> Option<bool> {
        let facts = self.facts;
        Some(match subject {
            Subject::Streaming => facts.streaming,
            Subject::Tools => facts.tools,
            Subject::JsonSchema => facts.json_schema,
            Subject::Modality(member) => facts.modality.has(member),
            Subject::Switch(at) => self.readings.switch(self.checked, at),
            Subject::Signal(at) => self.readings.signal(at),
            Subject::Attribute(at) => match self.attribute(at)? {
                AttributeValue::YesOrNo(value) => *value,
                _ => return None,
            },
            _ => return None,
        })
    }

    fn number(&self, subject: Subject) -> Option<u64> {
        Some(match subject {
            Subject::MaxTokens => self.facts.max_tokens,
            Subject::Clock => self.readings.minute_of_week.into(),
            Subject::Metric(at) => self.readings.metric(MetricId(at)),
            Subject::Attribute(at) => match self.attribute(at)? {
                AttributeValue::Number(value) => *value,
                _ => return None,
            },
            _ => return None,
        })
    }

    fn text(&self, subject: Subject) -> Option<&str> {
        match subject {
            Subject::User => Some(&self.facts.user),
            Subject::RequestedModel => Some(&self.facts.requested_model),
            Subject::Attribute(at) => match self.attribute(at)? {
                AttributeValue::Text(value) => Some(value),
                _ => None,
            },
            _ => None,
        }
    }

    /// A position in the column's list; `None` where the value is none of the listed ones.
    fn position(&self, column: &Column) -> Option<u32> {
        let Domain::Enum { values, .. } = &column.domain else { return None };
        let named = |name: &str| values.iter().position(|value| **value == *name).map(|at| at as u32);
        let (checked, facts) = (self.checked, self.facts);
        match column.subject {
            Subject::Tenant => {
                named(facts.tenant.and_then(|id| checked.tenants.get(id.index())).map(|one| &*one.name)?)
            }
            Subject::Plan => named(checked.plans.get(usize::from(facts.plan?))?),
            Subject::Feature => {
                let feature = facts.feature.and_then(|at| checked.features.get(usize::from(at)));
                named(feature.map_or("none", |one| &one.name))
            }
            Subject::Region => named(&facts.region),
            Subject::Residency => named(&checked.residencies.get(usize::from(facts.residency))?.name),
            Subject::RequestedSnapshot => named(&facts.requested_snapshot.as_ref()?.to_string()),
            Subject::RequestedTier => {
                let tier = facts.requested_tier.and_then(|id| checked.tiers.get(id.index()));
                named(tier.map_or("none", |one| &one.name))
            }
            Subject::Endpoint => named(facts.endpoint.word()),
            Subject::Priority => named(facts.priority.word()),
            Subject::Stakes => named(checked.stakes(facts).word()),
            Subject::Attribute(at) => match (self.attribute(at)?, &checked.attributes.get(usize::from(at))?.domain) {
                (AttributeValue::OneOf(value), AttributeDomain::OneOf(_)) => Some(*value),
                _ => None,
            },
            Subject::Budget(at) => named(self.readings.budget(BudgetId(at)).word()),
            Subject::Classifier(at) => match self.readings.label(ClassifierId(at)) {
                Some(label) => Some(label.into()),
                None => named("unsure"),
            },
            _ => None,
        }
    }
}
