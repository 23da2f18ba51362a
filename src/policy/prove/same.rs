//! Whether one rule decides a whole area of requests, and if not, where another one does.
//!
//! In: a box, a rule. Out: a box whose requests are possible and decided otherwise, or the word that there is none. Must not know:
//! why somebody asks.

use super::super::atom_set::AtomId;
use super::super::atoms::Space;
use super::super::boxes::AtomBox;
use super::super::checked::{Checked, RuleId};
use super::super::decide;
use super::find::Found;
use super::{Options, Proof, Stop, limits};

impl Proof<'_> {
    /// A part of `area` whose requests are possible and decided by another rule than `rule`; by any, for `None`.
    ///
    /// # Errors
    /// When fuel runs out.
    pub(in crate::policy) fn decided_otherwise(
        &mut self,
        area: &AtomBox,
        rule: Option<RuleId>,
    ) -> Result<Option<AtomBox>, Stop> {
        let impossible = self.boxes.invalid.len();
        let start = rule.map_or(self.boxes.rows.len(), |rule| self.boxes.range(rule).start);
        let earlier = self.index.meeting(area, &self.index.before(impossible + start));
        for at in earlier.into_iter().filter(|at| *at >= impossible) {
            let Some(part) = area.and(self.area(at)) else { continue };
            if let Found::Witness(taken) = self.find(&part, impossible, &[])? {
                return Ok(Some(taken));
            }
        }
        let Some(rule) = rule else { return Ok(None) };
        match self.find(area, impossible + self.boxes.range(rule).end, &[])? {
            Found::Witness(left) => Ok(Some(left)),
            _ => Ok(None),
        }
    }

    /// Whether some request of `area` is possible.
    ///
    /// # Errors
    /// When fuel runs out.
    pub(in crate::policy) fn is_possible(&mut self, area: &AtomBox) -> Result<bool, Stop> {
        Ok(matches!(self.find(area, self.boxes.invalid.len(), &[])?, Found::Witness(_)))
    }

    /// The policy with columns for everything that its chains hang on.
    pub(in crate::policy) fn widened(checked: &Checked) -> Checked {
        limits::extended(checked)
    }

    /// Over a policy that was widened; `None` when it is too wide to be analyzed, which `check` reports.
    pub(in crate::policy) fn of_wide(wide: &Checked, options: Options) -> Option<Proof<'_>> {
        Proof::new(wide, options).ok()
    }

    /// Its columns.
    pub(in crate::policy) const fn space(&self) -> &Space {
        &self.space
    }

    /// A request as people make them.
    pub(in crate::policy) fn typical(&self) -> Vec<AtomId> {
        self.point(&AtomBox::everything())
    }

    /// The rule that decides a request, given as its atom in each column.
    pub(in crate::policy) fn decider(&self, point: &[AtomId]) -> Option<RuleId> {
        decide::first_holding(&self.linear, |column| point[column.index()])
    }
}
