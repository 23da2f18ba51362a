//! Where nothing changed, in conditions a person can check against what they meant: `residency is eu`.
//!
//! In: a finished comparison. Out: conditions on one column each, every one proven. Must not know: outcomes.

use super::super::atom_set::{AtomId, AtomSet};
use super::super::boxes::AtomBox;
use super::super::checked::{Class, ColumnId, Subject};
use super::compare::Comparison;

/// Pieces of a column that are asked about one by one; a column with more of them is left out.
pub const MAX_PIECES: usize = 64;

/// Of each column the values for which no decision changed, where some changed and some did not.
pub fn conditions(comparison: &mut Comparison<'_>) -> Vec<String> {
    if comparison.changed.is_empty() {
        return Vec::new();
    }
    let columns: Vec<ColumnId> = comparison.space.ids().filter(|id| is_told(comparison, *id)).collect();
    columns.into_iter().filter_map(|column| of_column(comparison, column)).collect()
}

/// Whether people know a request by this column. Readings are not the request's, and what a client sends as text has no end.
fn is_told(comparison: &Comparison<'_>, id: ColumnId) -> bool {
    let column = comparison.space.column(id);
    let features = comparison.space.find(Subject::Feature).is_some();
    let text = matches!(column.subject, Subject::User | Subject::RequestedModel);
    let said = column.subject == Subject::Stakes && features;
    column.class == Class::Free && !text && !said && (2..=MAX_PIECES).contains(&comparison.space.count(id))
}

fn of_column(comparison: &mut Comparison<'_>, column: ColumnId) -> Option<String> {
    let count = comparison.space.count(column);
    let mut same = AtomSet::empty(count);
    for atom in (0..count as u16).map(AtomId) {
        // A request of a group with this value answers without a search.
        if comparison.changed.iter().any(|one| one.point[column.index()] == atom) {
            continue;
        }
        let area = AtomBox::only(&comparison.space, column, AtomSet::one(atom, count))?;
        if comparison.is_unchanged(&area) == Some(true) {
            same.insert(atom);
        }
    }
    (!same.is_empty()).then(|| comparison.space.test(column, &same))
}
