//! Drills: failures that are pretended on purpose, on a schedule (section 6.3).
//!
//! In: [`super::super::resolve`] builds them. Out: analysis asks whether they ever run, the live part runs them. Must not know:
//! whether one runs now.

use std::sync::Arc;

use super::{Clause, SnapshotId};
use crate::failure::Failure;
use crate::names::ProviderName;
use crate::policy::source::{Span, Spanned};
use crate::units::{Millis, Share};

/// A declared drill.
#[derive(Clone, Debug)]
pub struct Drill {
    /// Its name.
    pub name: Arc<str>,
    /// The name, where it is declared.
    pub span: Span,
    /// The whole declaration.
    pub whole: Span,
    /// What is pretended, all at once.
    pub pretend: Vec<Pretend>,
    /// For which requests; every one without it. Requests of high stakes only where it says so.
    pub within: Option<Clause>,
    /// For which part of them.
    pub share: Spanned<Share>,
    /// When; only by hand without it.
    pub schedule: Option<Schedule>,
    /// What must stay true, or the drill stops itself.
    pub expect: Option<Expect>,
}

/// `anthropic down`, `M gives rate_limit`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pretend {
    /// Whose attempts fail.
    pub who: Who,
    /// How.
    pub what: Pretended,
    /// The statement.
    pub span: Span,
}

/// Whose attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Every snapshot of a provider.
    Provider(ProviderName),
    /// One snapshot.
    Snapshot(SnapshotId),
}

/// How attempts fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pretended {
    /// As if nothing answered: `network`.
    Down,
    /// With this failure.
    Gives(Failure),
}

/// `every 14d at wed 10:00 for 20m`, in the policy's timezone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// From one to the next: whole days; whole weeks where a day of the week is named.
    pub every: Millis,
    /// The day of the week, Monday is 0; any day without it.
    pub day: Option<u8>,
    /// The minute of the day.
    pub minute: u16,
    /// How long.
    pub lasts: Millis,
    /// The statement.
    pub span: Span,
}

/// `expect served >= 99%`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expect {
    /// The least part of the drilled requests that must be answered by a hop.
    pub served: Spanned<Share>,
}

impl Schedule {
    /// The minutes of the week it can run at, in some week: half-open, sorted, disjoint.
    pub fn minutes(&self) -> Vec<(u64, u64)> {
        const DAY: u64 = 1440;
        const WEEK: u64 = 7 * DAY;
        let long = self.lasts.0.div_ceil(60_000).min(WEEK);
        let days = self.day.map_or(0..7, |day| u64::from(day)..u64::from(day) + 1);
        let starts = days.map(|day| day * DAY + u64::from(self.minute));
        let mut minutes: Vec<(u64, u64)> = starts
            .flat_map(|from| [(0, (from + long).saturating_sub(WEEK)), (from, (from + long).min(WEEK))])
            .filter(|(from, to)| from < to)
            .collect();
        minutes.sort_unstable();
        minutes.dedup_by(|next, last| {
            let joins = next.0 <= last.1;
            last.1 = if joins { last.1.max(next.1) } else { last.1 };
            joins
        });
        minutes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::source::FileId;

    #[test]
    fn a_drill_over_the_end_of_the_week_begins_the_next() {
        let span = Span { file: FileId(0), lo: 0, hi: 0 };
        let at = |day, minute, minutes: u64| {
            let every = Millis(7 * 86_400_000);
            Schedule { every, day, minute, lasts: Millis(minutes * 60_000), span }
        };
        assert_eq!(at(Some(2), 600, 20).minutes(), [(3480, 3500)]);
        assert_eq!(at(Some(6), 1430, 20).minutes(), [(0, 10), (10_070, 10_080)]);
        assert_eq!(at(None, 0, 1440).minutes(), [(0, 10_080)]);
    }
}
