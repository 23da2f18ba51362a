//! Properties of tests, proven for every possible request (section 10).
//!
//! In: a property's area and claim. Out: a request that breaks it, if there is one. Must not know: messages, results.

use super::super::boxes::{AtomBox, boxes_of};
use super::super::checked::{Checked, Clause, ColumnId, Guarantee, RuleId};
use super::super::diagnostic::Witness;
use super::super::fingerprint;
use super::super::render::witness_words;
use super::super::source::Span;
use super::super::test::Held;
use super::find::Found;
use super::{Proof, Stop, limits};

/// A request that breaks a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counterexample {
    /// In the syntax of `explain`.
    pub witness: Witness,
    /// The rule that decides it, or on the way to which it is read; `None` where no rule matches.
    pub rule: Option<RuleId>,
}

impl Proof<'_> {
    /// The policy with columns for everything that properties and chains look at.
    pub(in crate::policy) fn with_properties(checked: &Checked) -> Checked {
        let mut own = checked.clone();
        own.moving.guarantees = own.properties.iter().map(|one| one.guarantee.clone()).collect();
        limits::extended(&own)
    }

    /// The requests that a property speaks of; every one without `for`. `None` when that is too wide to say, which is R411.
    pub(in crate::policy) fn spoken_of(&self, over: Option<&Clause>) -> Option<Vec<AtomBox>> {
        match over {
            None => Some(vec![AtomBox::everything()]),
            Some(clause) => boxes_of(&self.space, &clause.node).ok(),
        }
    }

    /// A request of some areas for which a reading or a classifier is asked for.
    ///
    /// A decision asks for it exactly when, of the boxes that look at it, the first that fits in every free column and every
    /// reading asked for earlier has no box above it that the request is in.
    ///
    /// # Errors
    /// When fuel runs out.
    pub(in crate::policy) fn reads(
        &mut self,
        over: &[AtomBox],
        column: ColumnId,
    ) -> Result<Option<Counterexample>, Stop> {
        let order = |id: ColumnId, proof: &Self| (proof.space.column(id).class, id);
        let impossible = self.boxes.invalid.len();
        let asked = order(column, self);
        for row in 0..self.boxes.rows.len() {
            let area = &self.boxes.rows[row].area;
            if area.get(column).is_none() {
                continue;
            }
            let later: Vec<ColumnId> =
                area.sets().iter().map(|(id, _)| *id).filter(|id| order(*id, self) >= asked).collect();
            let fits = later.iter().fold(area.clone(), |area, id| area.without(*id));
            let rule = Some(self.boxes.rows[row].rule);
            for one in over {
                let Some(part) = fits.and(one) else { continue };
                if let Found::Witness(left) = self.find(&part, impossible + row, &[])? {
                    return Ok(Some(self.counterexample(&left, rule)));
                }
            }
        }
        Ok(None)
    }

    /// A request of some areas that gets something else than `rule` gives.
    ///
    /// # Errors
    /// When fuel runs out.
    pub(in crate::policy) fn differs_from(
        &mut self,
        over: &[AtomBox],
        rule: RuleId,
    ) -> Result<Option<Counterexample>, Stop> {
        let wanted = fingerprint::outcome(&self.checked.rules[rule.index()].outcome);
        for other in self.rules() {
            if fingerprint::outcome(&self.checked.rules[other.index()].outcome) == wanted {
                continue;
            }
            let found = self.decided_by(over, other)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        self.undecided(over)
    }

    /// A request of some areas that another rule than `rule` decides, whatever it gives.
    ///
    /// # Errors
    /// When fuel runs out.
    pub(in crate::policy) fn not_decided_by(
        &mut self,
        over: &[AtomBox],
        rule: RuleId,
    ) -> Result<Option<Counterexample>, Stop> {
        for other in self.rules().filter(|other| *other != rule) {
            let found = self.decided_by(over, other)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        self.undecided(over)
    }

    fn decided_by(&mut self, over: &[AtomBox], rule: RuleId) -> Result<Option<Counterexample>, Stop> {
        let above = self.above(rule);
        for area in self.areas(rule) {
            for one in over {
                let Some(part) = area.and(one) else { continue };
                if let Found::Witness(left) = self.find(&part, above, &[])? {
                    return Ok(Some(self.counterexample(&left, Some(rule))));
                }
            }
        }
        Ok(None)
    }

    fn undecided(&mut self, over: &[AtomBox]) -> Result<Option<Counterexample>, Stop> {
        let end = self.boxes.invalid.len() + self.boxes.rows.len();
        let left = self.first_left(over, end, &[])?;
        Ok(left.map(|left| self.counterexample(&left, None)))
    }

    /// The clauses of guarantees in a property, each with why it does not hold, proven as those of guarantees are.
    ///
    /// # Errors
    /// A sentence, when the analysis cannot say or contradicts itself.
    pub(in crate::policy) fn held(&mut self, own: &Guarantee) -> Result<Vec<Held>, String> {
        let mut found = Vec::new();
        self.guarantee(own, &mut found).map_err(|stop| match stop {
            Stop::OutOfFuel => "the analysis ran out of fuel".to_owned(),
            Stop::Wrong(error) => error.to_string(),
        })?;
        let broken = |span: Span| {
            let finding = found.iter().find(|one| one.labels.iter().any(|label| label.span == span))?;
            let by = finding.message.rsplit(" is broken by ").next().unwrap_or_default();
            let words = finding.witness.as_deref().map(witness_words).unwrap_or_default();
            Some(format!("{by}: {}, for example {words}", finding.here))
        };
        Ok(own.clauses.iter().map(|clause| Held { span: clause.span, broken: broken(clause.span) }).collect())
    }

    /// Every request of `left` breaks the claim, so what it does not limit need not be said.
    fn counterexample(&self, left: &AtomBox, rule: Option<RuleId>) -> Counterexample {
        let point = self.point(left);
        let columns: Vec<ColumnId> = left.sets().iter().map(|(id, _)| *id).collect();
        Counterexample { witness: self.words(&columns, &point), rule }
    }
}
