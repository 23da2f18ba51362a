//! Which rule decides a test's request, and whether the test says enough to know.
//!
//! In: a request as understood, and which inputs were said. Out: the rule, what was read, inputs that are missing, and for `*` a
//! value with which another rule decides. Must not know: messages.
//!
//! Whether an input is missing is not guessed from names: what nobody said may be anything, and the analysis is asked whether
//! the same rule decides whatever it is.

use std::sync::Arc;

use super::super::atom_set::AtomSet;
use super::super::boxes::AtomBox;
use super::super::checked::{Class, Column, ColumnId, RuleId, Subject};
use super::super::decide::{Fetch as _, Tap, decide};
use super::super::explain::Asked;
use super::super::prove::{Options, Proof};
use super::super::tree::Tree;
use super::Input;
use super::values::{Said, every_value};
use crate::catalog::Catalog;

/// A decision, and the readings and classifiers it asked for, in that order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// `None` when no rule matches.
    pub rule: Option<RuleId>,
    /// What was read.
    pub reads: Vec<ColumnId>,
}

/// Decides as `serve` does.
pub fn decided(tree: &Tree, asked: &Asked) -> Decided {
    let mut prompt = asked.prompt_tokens;
    let request = tree.request(&asked.facts, &mut prompt);
    let mut tap = Tap::new(asked.fetch(tree));
    let rule = decide(tree, &request, &mut tap);
    Decided { rule, reads: tap.reads().collect() }
}

/// The analysis of one policy, for tests with `*` and for those that leave something out.
pub struct Prover<'a> {
    tree: &'a Tree,
    catalog: &'a Arc<Catalog>,
    proof: Proof<'a>,
}

/// The analysis gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unproven;

/// Values with which another rule decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Otherwise {
    /// Of the inputs that were asked about, in the words of `explain`.
    pub values: Vec<(String, String)>,
    /// Who decides; `None` when nobody does.
    pub rule: Option<RuleId>,
}

/// What is said about a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// One value.
    Set,
    /// `*`
    Any,
    /// Nothing.
    Unset,
}

/// A test's request as the analysis sees it.
pub struct Question<'a> {
    /// As understood; where nothing was said, with some value.
    pub asked: &'a Asked,
    /// What was said.
    pub inputs: &'a [Input],
    /// `*`
    pub any: &'a [Input],
}

impl<'a> Prover<'a> {
    /// Prepares the analysis; `None` when the policy is too wide for it, which `check` reports.
    pub fn new(tree: &'a Tree, catalog: &'a Arc<Catalog>, options: Options) -> Option<Self> {
        let proof = Proof::over(tree.checked(), tree.space().clone(), options).ok()?;
        Some(Self { tree, catalog, proof })
    }

    /// The facts behind the policy.
    pub const fn catalog(&self) -> &'a Arc<Catalog> {
        self.catalog
    }

    /// A value for each part of an input's domain that deciding or planning can tell apart; `None` where planning looks at the
    /// value itself.
    pub fn values(&self, input: &str) -> Option<Vec<Said>> {
        every_value(self.tree.checked(), input)
    }

    /// Values of the `*` inputs with which another rule than `rule` decides.
    ///
    /// # Errors
    /// When fuel runs out.
    pub fn otherwise(&mut self, question: &Question<'_>, rule: Option<RuleId>) -> Result<Option<Otherwise>, Unproven> {
        let any = self.columns(question, Standing::Any);
        let area = self.area(question.asked, &any);
        let Some(left) = self.proof.decided_otherwise(&area, rule).map_err(|_| Unproven)? else { return Ok(None) };
        let point = self.proof.point(&left);
        let witness = self.proof.words(&any, &point);
        let values = witness.request.into_iter().chain(witness.readings).collect();
        Ok(Some(Otherwise { values, rule: self.proof.decider(&point) }))
    }

    /// Whether no possible request has what the test says.
    pub fn impossible(&mut self, question: &Question<'_>) -> bool {
        let any = self.columns(question, Standing::Any);
        let area = self.area(question.asked, &any);
        matches!(self.proof.is_possible(&area), Ok(false))
    }

    /// Inputs on which the decision hangs and that the test does not say, by name. `rule` is who is said to decide.
    ///
    /// # Errors
    /// When fuel runs out.
    pub fn missing(
        &mut self,
        question: &Question<'_>,
        rule: Option<RuleId>,
        reads: &[ColumnId],
    ) -> Result<Vec<Missing>, Unproven> {
        let unset = self.columns(question, Standing::Unset);
        let mut read: Vec<ColumnId> = unset.iter().copied().filter(|id| reads.contains(id)).collect();
        let any = self.columns(question, Standing::Any);
        // With another value of `*`, readings may be asked for that were not.
        let late = |id: &ColumnId| self.tree.space().column(*id).class != Class::Free;
        let open: Vec<ColumnId> =
            unset.into_iter().filter(|id| !read.contains(id) && (!any.is_empty() || !late(id))).collect();
        if open.is_empty() || self.differs(question.asked, &any, rule)?.is_some() {
            // Wrong for a value of `*`: that is a failure of the test, not of what it says.
            return Ok(self.named(&read));
        }
        let all: Vec<ColumnId> = any.iter().chain(&open).copied().collect();
        let Some(left) = self.differs(question.asked, &all, rule)? else { return Ok(self.named(&read)) };
        let mut alone = Vec::new();
        for id in &open {
            let with: Vec<ColumnId> = any.iter().chain([id]).copied().collect();
            if self.differs(question.asked, &with, rule)?.is_some() {
                alone.push(*id);
            }
        }
        if alone.is_empty() {
            // Only together do they matter; all that differ from what was tried are named.
            let limits = |id: &ColumnId| left.get(*id).is_some();
            alone = open.iter().copied().filter(limits).collect();
        }
        read.extend(alone);
        Ok(self.named(&read))
    }

    fn differs(&mut self, asked: &Asked, open: &[ColumnId], rule: Option<RuleId>) -> Result<Option<AtomBox>, Unproven> {
        let area = self.area(asked, open);
        self.proof.decided_otherwise(&area, rule).map_err(|_| Unproven)
    }

    fn columns(&self, question: &Question<'_>, wanted: Standing) -> Vec<ColumnId> {
        let space = self.tree.space();
        space.ids().filter(|id| standing(self.tree, space.column(*id), question) == wanted).collect()
    }

    /// All requests that are as asked, but for what may be anything.
    fn area(&self, asked: &Asked, open: &[ColumnId]) -> AtomBox {
        let space = self.tree.space();
        let mut prompt = asked.prompt_tokens;
        let request = self.tree.request(&asked.facts, &mut prompt);
        let mut fetch = asked.fetch(self.tree);
        space.ids().filter(|id| !open.contains(id)).fold(AtomBox::everything(), |area, id| {
            let free = space.column(id).class == Class::Free;
            let atom = if free { request.atom(id) } else { fetch.atom(id) };
            area.with(space, id, AtomSet::one(atom, space.count(id))).unwrap_or(area)
        })
    }

    fn named(&self, columns: &[ColumnId]) -> Vec<Missing> {
        let mut missing: Vec<Missing> = Vec::new();
        for id in columns {
            let column = self.tree.space().column(*id);
            let name = input_of(column);
            if !missing.iter().any(|one| one.input == name) {
                let value = self.proof.words(&[*id], &self.proof.point(&AtomBox::everything()));
                let value = value.request.into_iter().chain(value.readings).next().map(|(_, value)| value);
                missing.push(Missing { input: name.to_owned(), subject: column.subject, example: value });
            }
        }
        missing
    }
}

/// An input that a test should say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Its name in a request or a `given`.
    pub input: String,
    /// What it is.
    pub subject: Subject,
    /// A value it can have.
    pub example: Option<String>,
}

/// Whether some of these inputs says what a column has.
pub fn says(inputs: &[Input], column: &Column) -> bool {
    let clock = column.subject == Subject::Clock;
    inputs.iter().any(|input| input.name == input_of(column) || clock && input.name == "time")
}

/// The input that says what a column has.
fn input_of(column: &Column) -> &str {
    match column.subject {
        Subject::Stakes => "feature",
        Subject::RequestedModel | Subject::RequestedSnapshot | Subject::RequestedTier => "requested_model",
        Subject::Modality(_) => "modality",
        Subject::Clock => "now",
        _ => &column.name,
    }
}

fn standing(tree: &Tree, column: &Column, question: &Question<'_>) -> Standing {
    let checked = tree.checked();
    let name = input_of(column);
    let said = |list: &[Input], name: &str| list.iter().any(|input| input.name == name);
    if said(question.any, name) {
        return Standing::Any;
    }
    if said(question.inputs, name) {
        return Standing::Set;
    }
    let row = question.asked.facts.tenant.and_then(|id| checked.tenants.get(id.index()));
    let set = match column.subject {
        Subject::Endpoint
        | Subject::Priority
        | Subject::Streaming
        | Subject::Tools
        | Subject::JsonSchema
        | Subject::Modality(_)
        | Subject::MaxTokens
        // A client that names no model is one of its own kind.
        | Subject::RequestedModel
        | Subject::RequestedSnapshot
        | Subject::RequestedTier => true,
        Subject::Plan | Subject::Residency if said(question.any, "tenant") => return Standing::Any,
        Subject::Plan => row.is_some_and(|tenant| tenant.plan.is_some()),
        Subject::Residency => row.is_some(),
        Subject::Attribute(at) => checked.attributes.get(usize::from(at)).is_some_and(|one| one.default.is_some()),
        Subject::Clock => said(question.inputs, "time") && said(question.inputs, "day"),
        _ => false,
    };
    if set { Standing::Set } else { Standing::Unset }
}
