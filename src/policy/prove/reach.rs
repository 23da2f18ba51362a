//! What reaches a rule: a request to show, and how large requests get there.
//!
//! In: a policy and some of its rules. Out: for each a witness and bounds, exact where the analysis is. Must not know: findings.

use super::super::atom_set::{AtomId, AtomSet};
use super::super::boxes::AtomBox;
use super::super::checked::{Checked, RuleId, Subject};
use super::super::diagnostic::Witness;
use super::witness::Claim;
use super::{Options, Proof, Stop, limits};
use crate::units::Tokens;

/// The requests that a rule decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// One of them, in the syntax of `explain`.
    pub witness: Witness,
    /// The largest prompt among them.
    pub most_prompt: Tokens,
    /// Features among them, as positions in [`Checked::features`]; `None` is a request without one.
    pub features: Vec<Option<usize>>,
}

/// What reaches each of `rules`. `None`: nothing does, or the analysis cannot say, and `check` says why.
pub fn reach(checked: &Checked, rules: &[RuleId], options: Options) -> Vec<Option<Reach>> {
    let wide = limits::extended(checked);
    let Ok(mut proof) = Proof::new(&wide, options) else { return vec![None; rules.len()] };
    rules.iter().map(|rule| proof.reach(*rule).ok().flatten()).collect()
}

impl Proof<'_> {
    fn reach(&mut self, rule: RuleId) -> Result<Option<Reach>, Stop> {
        let (areas, end) = (self.areas(rule), self.above(rule));
        let Some(left) = self.first_left(&areas, end, &[])? else { return Ok(None) };
        let witness = self.witness(&left, &Claim { decided: Some(rule), inside: &[], outside: &[] })?;
        let most_prompt = self.most_prompt(&areas, end)?;
        let features = self.features(&areas, end)?;
        Ok(Some(Reach { witness, most_prompt, features }))
    }

    /// The largest prompt of some areas that the boxes before `end` leave.
    pub(super) fn most_prompt(&mut self, areas: &[AtomBox], end: usize) -> Result<Tokens, Stop> {
        if let Some(column) = self.space.find(Subject::PromptTokens) {
            for atom in (0..self.space.count(column) as u16).rev().map(AtomId) {
                if self.reaches(areas, end, Subject::PromptTokens, atom)? {
                    let most = self.space.atoms(column).bounds(atom).map_or(self.checked.max_prompt.0, |(_, to)| to);
                    return Ok(Tokens(most));
                }
            }
        }
        Ok(self.checked.max_prompt)
    }

    fn features(&mut self, areas: &[AtomBox], end: usize) -> Result<Vec<Option<usize>>, Stop> {
        let mut found = Vec::new();
        let mut known: Vec<(AtomId, bool)> = Vec::new();
        // The domain of the column begins with `none`.
        for position in 0..=self.checked.features.len() {
            let reached = match self.space.find(Subject::Feature) {
                None => true,
                Some(column) => {
                    let atom = self.space.atoms(column).of_position(position);
                    match known.iter().find(|(one, _)| *one == atom) {
                        Some((_, reached)) => *reached,
                        None => {
                            let reached = self.reaches(areas, end, Subject::Feature, atom)?;
                            known.push((atom, reached));
                            reached
                        }
                    }
                }
            };
            if reached {
                found.push(position.checked_sub(1));
            }
        }
        Ok(found)
    }

    /// Whether some request with this value is left by the boxes before `end`.
    fn reaches(&mut self, areas: &[AtomBox], end: usize, subject: Subject, atom: AtomId) -> Result<bool, Stop> {
        let Some(column) = self.space.find(subject) else { return Ok(true) };
        let one = AtomSet::one(atom, self.space.count(column));
        let narrowed: Vec<AtomBox> = areas
            .iter()
            .filter_map(|area| area.with(&self.space, column, one.and(area.get(column).unwrap_or(&one))))
            .collect();
        Ok(self.first_left(&narrowed, end, &[])?.is_some())
    }
}
