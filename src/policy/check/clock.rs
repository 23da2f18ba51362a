//! Clocks and waits: R505, R506, R508.
//!
//! In: a [`Checked`], the day. Out: findings. Must not know: the time.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use super::super::atoms::WEEK;
use super::super::bounds::backoffs;
use super::super::checked::{Chain, Checked, Cond, Hop, Outcome, Rule, Subject, Values};
use super::super::diagnostic::{Diagnostic, R505, R506, R508};
use super::super::shown::minute_of_week;
use super::super::source::Span;
use crate::units::Millis;

/// How far ahead changes of the clock are looked at: a year has both.
const AHEAD_DAYS: i64 = 366;

/// A classifier may take this part of a deadline, one in so many.
const CLASSIFIER_SHARE: u64 = 10;

/// All findings about clocks and waits.
pub fn check(checked: &Checked, today: Date, findings: &mut Vec<Diagnostic>) {
    let shifts = shifts(checked, today);
    let mut said: Vec<(&str, Span)> = Vec::new();
    for rule in &checked.rules {
        let mut own = Vec::new();
        clock_edges(checked, rule, &shifts, &mut own);
        if let Outcome::Chain(chain) = &rule.outcome {
            own.extend(chain.hops.iter().filter_map(|hop| backoff_dominates(rule, hop)));
        }
        for finding in own {
            if !said.contains(&(finding.code.code, finding.span)) {
                said.push((finding.code.code, finding.span));
                findings.push(finding);
            }
        }
    }
    slow_classifiers(checked, findings);
}

/// R505
fn backoff_dominates(rule: &Rule, hop: &Hop) -> Option<Diagnostic> {
    let retry = hop.options.retry?;
    let waiting = backoffs(retry);
    let trying = Millis(hop.options.timeout.0.saturating_mul(u64::from(retry.count) + 1));
    if waiting <= trying {
        return None;
    }
    let title = format!("a hop of `{}` can wait {waiting} between attempts that take {trying}", rule.name);
    let found = Diagnostic::new(&R505, hop.span, title).here("longer waiting than trying");
    Some(found.help("lower `backoff` or the number of retries; the next hop is ready at once"))
}

/// An hour that the clock of the policy skips or repeats.
struct Shift {
    /// Minutes of the week between its ends.
    from: u64,
    to: u64,
    skips: bool,
    day: Date,
}

fn shifts(checked: &Checked, today: Date) -> Vec<Shift> {
    let tz = &checked.timezone;
    let Ok(start) = tz.to_timestamp(today.at(0, 0, 0, 0)) else { return Vec::new() };
    let within = |at: Timestamp| at.duration_since(start) <= SignedDuration::from_hours(24 * AHEAD_DAYS);
    let mut shifts = Vec::new();
    for change in tz.following(start).take_while(|change| within(change.timestamp())) {
        let Ok(before) = change.timestamp().checked_sub(SignedDuration::from_secs(1)) else { continue };
        let (old, new) = (tz.to_offset(before), change.offset());
        let (was, is) = (old.to_datetime(change.timestamp()), new.to_datetime(change.timestamp()));
        let minute = |at: jiff::civil::DateTime| {
            let day = at.date().weekday().to_monday_zero_offset() as u64;
            day * 1440 + at.hour() as u64 * 60 + at.minute() as u64
        };
        let skips = is > was;
        let (from, to) = if skips { (minute(was), minute(is)) } else { (minute(is), minute(was)) };
        if from < to {
            shifts.push(Shift { from, to, skips, day: was.date() });
        }
    }
    shifts
}

/// R506: strictly inside the hour; at its ends nothing flickers.
fn clock_edges(checked: &Checked, rule: &Rule, shifts: &[Shift], findings: &mut Vec<Diagnostic>) {
    for (ranges, span) in clock_tests(checked, &rule.when) {
        let mut edges = ranges.iter().flat_map(|(from, to)| [*from % WEEK, *to % WEEK]);
        let hit = edges.find_map(|edge| Some((edge, shifts.iter().find(|one| one.from < edge && edge < one.to)?)));
        let Some((edge, shift)) = hit else { continue };
        let does = if shift.skips { "skips" } else { "repeats" };
        let zone = checked.timezone.iana_name().unwrap_or("UTC");
        let title = format!("the clock of {zone} {does} {} on {}", minute_of_week(edge), shift.day);
        let here = if shift.skips { "begins or ends late on that day" } else { "switches twice on that day" };
        let found = Diagnostic::new(&R506, span, title).here(here);
        let help = format!(
            "put the edge at or before {}, or at {} or later",
            minute_of_week(shift.from),
            minute_of_week(shift.to)
        );
        findings.push(found.help(help));
    }
}

fn clock_tests<'a>(checked: &Checked, cond: &'a Cond) -> Vec<(&'a [(u64, u64)], Span)> {
    match cond {
        Cond::True => Vec::new(),
        Cond::Any(parts) | Cond::All(parts) => parts.iter().flat_map(|part| clock_tests(checked, part)).collect(),
        Cond::Not(inner) => clock_tests(checked, inner),
        Cond::Test { column, values: Values::Ranges(ranges), span } => {
            let clock = checked.column(*column).is_some_and(|one| one.subject == Subject::Clock);
            if clock { vec![(ranges, *span)] } else { Vec::new() }
        }
        Cond::Test { .. } => Vec::new(),
    }
}

/// R508: everybody whose decision needs the label waits for it first.
fn slow_classifiers(checked: &Checked, findings: &mut Vec<Diagnostic>) {
    for (at, classifier) in checked.moving.classifiers.iter().enumerate() {
        let asks = |rule: &&Rule| asks(checked, &rule.when, at as u16);
        let chains = checked.rules.iter().filter(asks).filter_map(|rule| match &rule.outcome {
            Outcome::Chain(chain) => Some((rule, chain)),
            Outcome::Reject { .. } => None,
        });
        let timeout = classifier.timeout.node;
        let over = chains.into_iter().find_map(|(rule, chain)| Some((rule, too_slow(timeout, chain)?)));
        let Some((rule, why)) = over else { continue };
        let title = format!("classifier `{}` may take {timeout}, {why} of `{}`", classifier.name, rule.name);
        let found = Diagnostic::new(&R508, classifier.timeout.span, title).here("spent before anything is asked");
        findings.push(
            found.label(rule.span, "waits for the label").help("lower its `timeout`; without a label it is `unsure`"),
        );
    }
}

fn too_slow(timeout: Millis, chain: &Chain) -> Option<String> {
    if timeout.0.saturating_mul(CLASSIFIER_SHARE) > chain.deadline.0 {
        return Some(format!("over a tenth of the {} deadline", chain.deadline));
    }
    let first = chain.hops.iter().map(|hop| hop.options.first_token).min()?;
    (timeout > first).then(|| format!("longer than the {first} `first_token`"))
}

fn asks(checked: &Checked, cond: &Cond, classifier: u16) -> bool {
    match cond {
        Cond::True => false,
        Cond::Any(parts) | Cond::All(parts) => parts.iter().any(|part| asks(checked, part, classifier)),
        Cond::Not(inner) => asks(checked, inner, classifier),
        Cond::Test { column, .. } => {
            checked.column(*column).is_some_and(|one| one.subject == Subject::Classifier(classifier))
        }
    }
}
