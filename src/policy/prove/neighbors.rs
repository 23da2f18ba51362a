//! Ranges side by side: a value that neither has, and values that both have. R408, R409.
//!
//! In: a policy as boxes. Out: findings. Must not know: chains.

use rustc_hash::FxHashMap;

use super::super::atom_set::{AtomId, AtomSet};
use super::super::boxes::AtomBox;
use super::super::checked::{ColumnId, Domain, RuleId};
use super::super::diagnostic::{Diagnostic, R408, R409};
use super::super::shown::grouped;
use super::find::Found;
use super::witness::Claim;
use super::{Proof, Stop};

/// Rules above that one rule is compared with, nearest first: a page that splits a number finer is not read as neighbors.
const MAX_NEIGHBORS: usize = 16;

/// A rule, and the first and last atom of its range.
type Stretch = (RuleId, AtomId, AtomId);

impl Proof<'_> {
    /// R408: `< 4k` above `> 4k` leaves exactly 4,000.
    pub(super) fn one_value_gaps(&mut self, findings: &mut Vec<Diagnostic>) -> Result<(), Stop> {
        for column in self.space.ids() {
            for atom in (1..self.space.count(column).saturating_sub(1) as u16).map(AtomId) {
                if self.space.atoms(column).bounds(atom).is_some_and(|(from, to)| from == to) {
                    findings.extend(self.one_value_gap(column, atom)?);
                }
            }
        }
        Ok(())
    }

    fn one_value_gap(&mut self, column: ColumnId, atom: AtomId) -> Result<Option<Diagnostic>, Stop> {
        let beside = |near: AtomId| {
            let rows = self.boxes.rows.iter();
            let stops = rows.filter(move |row| row.area.get(column).is_some_and(|set| set.has(near) && !set.has(atom)));
            stops.map(|row| (row.rule, row.area.without(column))).collect::<Vec<_>>()
        };
        let (below, above) = (beside(AtomId(atom.0 - 1)), beside(AtomId(atom.0 + 1)));
        let last = self.rules().last().filter(|rule| self.is_otherwise(*rule));
        let end = last.map_or(self.boxes.invalid.len() + self.boxes.rows.len(), |rule| self.above(rule));
        let exactly = AtomSet::one(atom, self.space.count(column));
        // Beside a rule whose value others take no pair is asked about.
        let mut open: Vec<&(RuleId, AtomBox)> = Vec::new();
        for one in &below {
            let area = one.1.with(&self.space, column, exactly.clone());
            if let Some(area) = area
                && matches!(self.find(&area, end, &[])?, Found::Witness(_))
            {
                open.push(one);
            }
        }
        for ((left, x), (right, y)) in open.into_iter().flat_map(|left| above.iter().map(move |right| (left, right))) {
            let area = x.and(y).and_then(|both| both.with(&self.space, column, exactly.clone()));
            // One rule that leaves a value out means to.
            let Some(area) = area.filter(|_| left != right) else { continue };
            let Found::Witness(hole) = self.find(&area, end, &[])? else { continue };
            let checked = self.checked;
            let (one, other) = (&checked.rules[left.index()], &checked.rules[right.index()]);
            let value = self.space.atoms(column).bounds(atom).map_or(0, |(from, _)| from);
            let name = &self.space.column(column).name;
            let title =
                format!("`{name}` of exactly {} is in neither `{}` nor `{}`", grouped(value), one.name, other.name);
            let found = Diagnostic::new(&R408, one.when_span.unwrap_or(one.span), title).here("one side ends here");
            let found = found.label(other.when_span.unwrap_or(other.span), "the other begins one later");
            let witness =
                self.witness(&hole, &Claim { decided: last, inside: std::slice::from_ref(&area), outside: &[] })?;
            return Ok(Some(
                found
                    .witness(witness)
                    .help("a range includes its left end and not its right: use `<=` or `>=` on one side"),
            ));
        }
        Ok(None)
    }

    /// R409: `<= 4k` above `>= 4k`, in rules that are alike in everything else, share exactly 4,000.
    pub(super) fn overlapping_ranges(&mut self, findings: &mut Vec<Diagnostic>) -> Result<(), Stop> {
        // Rules that differ in one column alone, by that column and what they have in common.
        let mut alike: FxHashMap<(ColumnId, AtomBox), Vec<Stretch>> = FxHashMap::default();
        for row in self.boxes.rows.clone() {
            self.at = Some(row.rule);
            for (column, set) in row.area.sets() {
                let Some((first, last)) = self.range(*column, set) else { continue };
                let others = alike.entry((*column, row.area.without(*column))).or_default();
                let near: Vec<_> = others.iter().rev().take(MAX_NEIGHBORS).copied().collect();
                others.push((row.rule, first, last));
                for (above, from, to) in near.into_iter().filter(|(above, ..)| *above != row.rule) {
                    let (low, high) = (first.max(from), last.min(to));
                    // A range inside another is an exception, written on purpose above what it is an exception to.
                    let apart = low > high || (first <= from && to <= last) || (from <= first && last <= to);
                    if !apart
                        && let Some(found) =
                            self.shared((above, row.rule), last > to, *column, (low, high), &row.area)?
                    {
                        findings.push(found);
                    }
                }
            }
        }
        Ok(())
    }

    /// A set of atoms as one range of numbers.
    fn range(&self, column: ColumnId, set: &AtomSet) -> Option<(AtomId, AtomId)> {
        if !matches!(self.space.column(column).domain, Domain::Number { .. }) {
            return None;
        }
        let (first, last) = (set.first()?, set.iter().last()?);
        (usize::from(last.0 - first.0) + 1 == set.len()).then_some((first, last))
    }

    /// The finding, if a request shows it; `higher` when the rule below goes on where the one above ends.
    fn shared(
        &mut self,
        (above, below): (RuleId, RuleId),
        higher: bool,
        column: ColumnId,
        (low, high): (AtomId, AtomId),
        area: &AtomBox,
    ) -> Result<Option<Diagnostic>, Stop> {
        let mut both = AtomSet::empty(self.space.count(column));
        (low.0..=high.0).for_each(|atom| both.insert(AtomId(atom)));
        let Some(area) = area.with(&self.space, column, both) else { return Ok(None) };
        let Found::Witness(left) = self.find(&area, self.above(above), &[])? else { return Ok(None) };
        let witness =
            self.witness(&left, &Claim { decided: Some(above), inside: std::slice::from_ref(&area), outside: &[] })?;
        let checked = self.checked;
        let (one, other) = (&checked.rules[above.index()], &checked.rules[below.index()]);
        let bounds = |atom: AtomId| self.space.atoms(column).bounds(atom).unwrap_or_default();
        let ((from, _), (_, to)) = (bounds(low), bounds(high));
        let name = &self.space.column(column).name;
        let what = match from == to {
            true => format!("`{name}` of exactly {}", grouped(from)),
            false => format!("`{name}` from {} to {}", grouped(from), grouped(to)),
        };
        let found = Diagnostic::new(
            &R409,
            other.when_span.unwrap_or(other.span),
            format!("{what} is in both `{}` and `{}`", one.name, other.name),
        );
        let found = found.here(format!("never gets these: `{}` stands above", one.name));
        let found = found.label(one.when_span.unwrap_or(one.span), "decides them").witness(witness);
        Ok(Some(found.help(match higher {
            true => format!("begin at the first value behind `{}`: `{name} >= {}`", one.name, to + 1),
            false => format!("end before the first value of `{}`: `{name} < {from}`", one.name),
        })))
    }
}
