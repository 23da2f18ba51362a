//! The bridge from admitted facts and readings to atoms.
//!
//! In: [`Facts`], [`Readings`]. Out: a [`Request`] for [`super::decide`], and the values behind it for people. Must not know:
//! rules.

use super::atom_set::AtomId;
use super::atoms::Space;
use super::checked::{AttributeValue, BudgetId, Checked, ClassifierId, ColumnId, Endpoint, MetricId, Stakes, Subject};
use super::decide::Request;
use super::facts::{Facts, Priority, PromptSize};
use super::readings::Readings;
use super::shown::{grouped, measured, minute_of_week};
use super::tree::Tree;

/// Positions in the tables of [`Checked`] to atoms, for the columns that need it. The last entry stands for "none" or "other".
#[derive(Clone, Debug)]
pub struct Bridge {
    tables: Box<[Box<[AtomId]>]>,
    needs_prompt: Option<ColumnId>,
}

impl Bridge {
    /// Looks every name up once, so that no request has to.
    pub fn new(checked: &Checked, space: &Space) -> Self {
        let tables = space.ids().map(|id| table(checked, space, id)).collect();
        Self { tables, needs_prompt: space.find(Subject::PromptTokens) }
    }

    fn atom(&self, column: ColumnId, position: Option<usize>) -> AtomId {
        let table = &self.tables[column.index()];
        let entry = position.and_then(|at| table.get(at)).or(table.last());
        entry.copied().unwrap_or_default()
    }
}

fn table(checked: &Checked, space: &Space, column: ColumnId) -> Box<[AtomId]> {
    let atoms = space.atoms(column);
    // A name outside a closed list is refused at admission; the first atom stands for it.
    let look = |name: &str| atoms.of_name(name).unwrap_or_default();
    let with_last = |names: Vec<&str>, last: &str| {
        let rest = atoms.of_name(last).unwrap_or_default();
        names.into_iter().map(look).chain([rest]).collect::<Box<[_]>>()
    };
    match space.column(column).subject {
        // No tenant is called `other`, so looking it up finds the rest.
        Subject::Tenant => with_last(checked.tenants.iter().map(|one| &*one.name).collect(), "other"),
        Subject::Plan => checked.plans.iter().map(|name| look(name)).collect(),
        Subject::Feature => with_last(checked.features.iter().map(|one| &*one.name).collect(), "none"),
        Subject::Residency => checked.residencies.iter().map(|one| look(&one.name)).collect(),
        Subject::RequestedTier => with_last(checked.tiers.iter().map(|one| &*one.name).collect(), "none"),
        Subject::Endpoint => Endpoint::ALL.iter().map(|one| look(one.word())).collect(),
        Subject::Priority => Priority::ALL.iter().map(|one| look(one.word())).collect(),
        Subject::Stakes => [Stakes::Low, Stakes::Normal, Stakes::High].iter().map(|one| look(one.word())).collect(),
        Subject::Attribute(_) => (0..atoms.positions()).map(|at| atoms.of_position(at)).collect(),
        _ => Box::default(),
    }
}

impl Tree {
    /// The atoms of a request. The size of the prompt is asked for only where a condition looks at it, and only as far as needed.
    pub fn request(&self, facts: &Facts, prompt: &mut dyn PromptSize) -> Request {
        let columns = self.space().ids();
        Request { atoms: columns.map(|column| self.fact(column, facts, prompt)).collect() }
    }

    fn fact(&self, column: ColumnId, facts: &Facts, prompt: &mut dyn PromptSize) -> AtomId {
        let atoms = self.space().atoms(column);
        let listed = |position: Option<usize>| self.bridge().atom(column, position);
        let yes = |holds: bool| AtomId(u16::from(holds));
        match self.space().column(column).subject {
            Subject::Tenant => listed(facts.tenant.map(|tenant| tenant.index())),
            Subject::Plan => listed(facts.plan.map(usize::from)),
            Subject::Feature => listed(facts.feature.map(usize::from)),
            Subject::User => atoms.of_text(&facts.user),
            Subject::Region => atoms.of_name(&facts.region).unwrap_or_default(),
            Subject::Residency => listed(Some(facts.residency.into())),
            Subject::RequestedModel => atoms.of_text(&facts.requested_model),
            Subject::RequestedSnapshot => {
                let name = facts.requested_snapshot.as_ref().map(ToString::to_string).unwrap_or_default();
                atoms.of_name(&name).unwrap_or_default()
            }
            Subject::RequestedTier => listed(facts.requested_tier.map(|tier| tier.index())),
            Subject::PromptTokens => prompt_atom(atoms.cuts(), prompt),
            Subject::MaxTokens => atoms.of_number(facts.max_tokens),
            Subject::Streaming => yes(facts.streaming),
            Subject::Tools => yes(facts.tools),
            Subject::JsonSchema => yes(facts.json_schema),
            Subject::Modality(member) => yes(facts.modality.has(member)),
            Subject::Endpoint => listed(Endpoint::ALL.iter().position(|one| *one == facts.endpoint)),
            Subject::Priority => listed(Priority::ALL.iter().position(|one| *one == facts.priority)),
            Subject::Stakes => listed(Some(self.stakes(facts) as usize)),
            Subject::Attribute(at) => match facts.attributes.get(usize::from(at)) {
                Some(AttributeValue::OneOf(value)) => listed(Some(*value as usize)),
                Some(AttributeValue::Number(value)) => atoms.of_number(*value),
                Some(AttributeValue::YesOrNo(value)) => yes(*value),
                Some(AttributeValue::Text(value)) => atoms.of_text(value),
                None => AtomId::default(),
            },
            // Fetched, never part of the request.
            Subject::Clock
            | Subject::Budget(_)
            | Subject::Switch(_)
            | Subject::Signal(_)
            | Subject::Classifier(_)
            | Subject::Metric(_) => AtomId::default(),
        }
    }

    /// What a wrong answer costs: the feature's stakes, `normal` without one.
    pub fn stakes(&self, facts: &Facts) -> Stakes {
        self.checked().stakes(facts)
    }

    /// The atom of a reading; what nobody set is as it stands when nothing has happened.
    pub(super) fn reading(&self, column: ColumnId, readings: &Readings) -> AtomId {
        let atoms = self.space().atoms(column);
        match self.space().column(column).subject {
            Subject::Clock => atoms.of_number(readings.minute_of_week.into()),
            Subject::Budget(at) => atoms.of_position(readings.budget(BudgetId(at)) as usize),
            Subject::Switch(at) => AtomId(u16::from(readings.switch(self.checked(), at))),
            Subject::Signal(at) => AtomId(u16::from(readings.signal(at))),
            Subject::Metric(at) => atoms.of_number(readings.metric(MetricId(at))),
            Subject::Classifier(at) => match readings.label(ClassifierId(at)) {
                Some(label) => atoms.of_position(label.into()),
                None => atoms.of_name("unsure").unwrap_or_default(),
            },
            _ => AtomId::default(),
        }
    }

    /// Whether deciding needs the size of prompts.
    pub const fn needs_prompt(&self) -> bool {
        self.bridge().needs_prompt.is_some()
    }
}

impl Checked {
    /// What a wrong answer to a request costs: the feature's stakes, `normal` without one.
    pub fn stakes(&self, facts: &Facts) -> Stakes {
        let feature = facts.feature.and_then(|at| self.features.get(usize::from(at)));
        feature.map_or(Stakes::Normal, |feature| feature.stakes)
    }
}

/// Binary search with the fewest questions: atom `k` begins at `cuts[k - 1]`, and a prompt is past a cut if it exceeds the
/// number below it. Cuts are never 0.
fn prompt_atom(cuts: &[u64], prompt: &mut dyn PromptSize) -> AtomId {
    AtomId(cuts.partition_point(|cut| prompt.exceeds(cut - 1)) as u16)
}

/// The values behind a request, for explanations.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    /// The admitted facts.
    pub facts: &'a Facts,
    /// The size of the prompt, if it was counted.
    pub prompt_tokens: Option<u64>,
    /// The readings, if they were given.
    pub readings: Option<&'a Readings>,
}

impl Values<'_> {
    /// A column's value as a person writes it: `chat`, `2,000`, `mon 22:00`. `None` when only the atom is known.
    pub fn show(&self, tree: &Tree, column: ColumnId) -> Option<String> {
        let checked = tree.checked();
        let facts = self.facts;
        let yes = |holds: bool| Some(if holds { "yes" } else { "no" }.to_owned());
        let on = |on: bool| if on { "on" } else { "off" }.to_owned();
        let name = |list: Option<&str>, else_: &str| Some(list.unwrap_or(else_).to_owned());
        match tree.space().column(column).subject {
            Subject::Tenant => {
                name(facts.tenant.and_then(|id| checked.tenants.get(id.index())).map(|one| &*one.name), "other")
            }
            Subject::Plan => Some(checked.plans.get(usize::from(facts.plan?))?.to_string()),
            Subject::Feature => {
                name(facts.feature.and_then(|at| checked.features.get(usize::from(at))).map(|one| &*one.name), "none")
            }
            Subject::User => Some(facts.user.to_string()),
            Subject::Region => Some(facts.region.to_string()),
            Subject::Residency => Some(checked.residencies.get(usize::from(facts.residency))?.name.to_string()),
            Subject::RequestedModel => Some(facts.requested_model.to_string()),
            Subject::RequestedSnapshot => Some(match &facts.requested_snapshot {
                Some(model) => model.to_string(),
                None => facts.requested_model.to_string(),
            }),
            Subject::RequestedTier => {
                name(facts.requested_tier.and_then(|id| checked.tiers.get(id.index())).map(|one| &*one.name), "none")
            }
            Subject::PromptTokens => self.prompt_tokens.map(grouped),
            Subject::MaxTokens => Some(grouped(facts.max_tokens)),
            Subject::Streaming => yes(facts.streaming),
            Subject::Tools => yes(facts.tools),
            Subject::JsonSchema => yes(facts.json_schema),
            Subject::Modality(member) => yes(facts.modality.has(member)),
            Subject::Endpoint => Some(facts.endpoint.word().to_owned()),
            Subject::Priority => Some(facts.priority.word().to_owned()),
            Subject::Stakes => Some(tree.stakes(facts).word().to_owned()),
            Subject::Attribute(at) => match facts.attributes.get(usize::from(at))? {
                AttributeValue::OneOf(value) => match &checked.attributes.get(usize::from(at))?.domain {
                    super::checked::AttributeDomain::OneOf(values) => Some(values.get(*value as usize)?.to_string()),
                    _ => None,
                },
                AttributeValue::Number(value) => Some(grouped(*value)),
                AttributeValue::YesOrNo(value) => yes(*value),
                AttributeValue::Text(value) => Some(value.to_string()),
            },
            Subject::Clock => self.readings.map(|readings| minute_of_week(readings.minute_of_week.into())),
            Subject::Budget(at) => Some(self.readings?.budget(BudgetId(at)).word().to_owned()),
            Subject::Switch(at) => Some(on(self.readings?.switch(checked, at))),
            Subject::Signal(at) => Some(on(self.readings?.signal(at))),
            Subject::Metric(at) => {
                let observed = checked.moving.metrics.get(usize::from(at))?.observed;
                Some(measured(observed, self.readings?.metric(MetricId(at))))
            }
            Subject::Classifier(at) => {
                let labels = &checked.moving.classifiers.get(usize::from(at))?.labels;
                let said = self.readings?.label(ClassifierId(at)).and_then(|label| labels.get(usize::from(label)));
                Some(said.map_or_else(|| "unsure".to_owned(), ToString::to_string))
            }
        }
    }
}
