//! Promises of a person at an hour when nobody is there: R509.
//!
//! In: queues with their hours, chains that end in them. Out: findings. Must not know: the time.

use super::super::atoms::{Mentions, WEEK};
use super::super::boxes::AtomBox;
use super::super::checked::{Checked, ColumnId, Degrade, Outcome, Queue, Rule, RuleId, Subject, Values};
use super::super::diagnostic::{Diagnostic, R509};
use super::witness::Claim;
use super::{Proof, Stop};
use crate::units::Millis;

/// A minute in milliseconds.
const MINUTE: u64 = 60_000;

/// Minutes of the week at which nobody is there for the next `within`; half open, sorted.
fn empty_hours(queue: &Queue, within: Millis) -> Vec<(u64, u64)> {
    let length = within.0.div_ceil(MINUTE).max(1);
    let Some(((first, _), (_, last))) = queue.staffed.first().copied().zip(queue.staffed.last().copied()) else {
        return vec![(0, WEEK)];
    };
    let between = queue.staffed.windows(2).map(|pair| (pair[0].1, pair[1].0));
    // The last gap runs over the end of the week into the next.
    let gaps = between.chain([(last, first + WEEK)]);
    let moments = gaps.filter(|(from, to)| to - from >= length).map(|(from, to)| (from, to - length + 1));
    let mut ranges: Vec<(u64, u64)> = moments
        .flat_map(|(from, to)| match (from >= WEEK, to > WEEK) {
            (true, _) => vec![(from - WEEK, to - WEEK)],
            (false, true) => vec![(from, WEEK), (0, to - WEEK)],
            (false, false) => vec![(from, to)],
        })
        .collect();
    ranges.sort_unstable();
    ranges
}

/// A queue, the time it promises, and the minutes of the week at which it cannot keep that.
type Promised<'a> = (&'a Queue, Millis, Vec<(u64, u64)>);

/// The queues of a rule that promise a time, with the minutes at which they cannot keep it.
fn promises<'a>(checked: &'a Checked, rule: &'a Rule) -> Vec<Promised<'a>> {
    let Outcome::Chain(chain) = &rule.outcome else { return Vec::new() };
    let queues = chain.degrade.iter().filter_map(|step| match step {
        Degrade::Queue { name, within: Some(within) } => Some((checked.queue(name)?, *within)),
        _ => None,
    });
    let late = queues.map(|(queue, within)| (queue, within, empty_hours(queue, within)));
    late.filter(|(_, _, hours)| !hours.is_empty()).collect()
}

/// Columns that these findings look at.
pub(super) fn subjects(checked: &Checked) -> Option<Subject> {
    checked.rules.iter().any(|rule| !promises(checked, rule).is_empty()).then_some(Subject::Clock)
}

/// Cuts the clock where a promise begins to be empty.
pub(super) fn mention(checked: &Checked, mentions: &mut Mentions) {
    let Some(clock) = checked.columns.iter().position(|column| column.subject == Subject::Clock) else { return };
    for (_, _, hours) in checked.rules.iter().flat_map(|rule| promises(checked, rule)) {
        mentions.add(ColumnId(clock as u16), &Values::Ranges(hours));
    }
}

impl Proof<'_> {
    pub(super) fn staffing(&mut self, findings: &mut Vec<Diagnostic>) -> Result<(), Stop> {
        let checked = self.checked;
        let Some(clock) = self.space.find(Subject::Clock) else { return Ok(()) };
        for rule in self.rules() {
            self.at = Some(rule);
            for (queue, within, hours) in promises(checked, &checked.rules[rule.index()]) {
                let set = self.space.set(clock, &Values::Ranges(hours.clone()));
                let Some(area) = AtomBox::only(&self.space, clock, set) else { continue };
                findings.extend(self.off_hours(rule, queue, within, &area)?);
            }
        }
        Ok(())
    }

    fn off_hours(
        &mut self,
        rule: RuleId,
        queue: &Queue,
        within: Millis,
        area: &AtomBox,
    ) -> Result<Option<Diagnostic>, Stop> {
        let Some(left) = self.reached(rule, area, &[])? else { return Ok(None) };
        let claim = Claim { decided: Some(rule), inside: std::slice::from_ref(area), outside: &[] };
        let witness = self.witness(&left, &claim)?;
        let one = &self.checked.rules[rule.index()];
        let title = format!(
            "`{}` promises queue `{}` within {within}, at an hour when nobody comes by then",
            one.name, queue.name
        );
        let mut found = Diagnostic::new(&R509, one.span, title).witness(witness);
        if let Some(span) = queue.staffed_span {
            found = found.label(span, "only then somebody is there");
        }
        let longest = longest_gap(queue);
        Ok(Some(found.help(format!("write `within {}` or more, or a rule for such hours", Millis(longest * MINUTE)))))
    }
}

/// The longest time without anybody, in minutes, and one more: a promise of that is always kept.
fn longest_gap(queue: &Queue) -> u64 {
    let ends = queue.staffed.iter().map(|(_, to)| *to);
    let starts = queue.staffed.iter().skip(1).map(|(from, _)| *from);
    let first = queue.staffed.first().map_or(0, |(from, _)| from + WEEK);
    let minutes = ends.zip(starts.chain([first])).map(|(end, next)| next - end).max().unwrap_or(WEEK) + 1;
    // Whole hours read better than `3721m`.
    minutes.div_ceil(60) * 60
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::source::{FileId, Span};

    fn queue(staffed: &[(u64, u64)]) -> Queue {
        let span = Span { file: FileId(0), lo: 0, hi: 0 };
        Queue { name: "desk".into(), span, staffed: staffed.to_vec(), staffed_span: Some(span) }
    }

    #[test]
    fn a_promise_is_empty_where_the_whole_time_is_unstaffed() {
        // Monday 9:00 to 17:00 alone.
        let monday = queue(&[(540, 1020)]);
        assert_eq!(empty_hours(&monday, Millis(4 * 60 * MINUTE)), [(0, 301), (1020, WEEK)]);
        assert_eq!(empty_hours(&monday, Millis(7 * 24 * 60 * MINUTE)), []);
        assert_eq!(empty_hours(&queue(&[(0, WEEK)]), Millis(MINUTE)), []);
        assert_eq!(empty_hours(&queue(&[]), Millis(MINUTE)), [(0, WEEK)]);
        let late = queue(&[(0, 60), (120, WEEK)]);
        assert_eq!(empty_hours(&late, Millis(60 * MINUTE)), [(60, 61)]);
        assert_eq!(empty_hours(&late, Millis(61 * MINUTE)), []);
        assert_eq!(longest_gap(&late), 120);
    }
}
