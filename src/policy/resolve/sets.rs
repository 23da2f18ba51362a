//! The right side of a test: from words, numbers and times to a set of values of one column.
//!
//! In: values as written, a column. Out: [`Values`], or findings R102 to R105, R107, R110 to R113. Must not know: `and` and `or`.

use super::super::ast::{CompareOp, Value, ValueKind};
use super::super::checked::{ColumnId, Domain, Endpoint, Subject, TextPattern, Values};
use super::super::diagnostic::{Code, Diagnostic, R102, R104, R107, R110, R112, R113};
use super::super::source::Span;
use super::Resolver;
use super::names::{Sort, unknown};
use super::people::row_wanted;
use super::values::members;
use crate::units::Tokens;

/// Minutes of a day.
const DAY: u64 = 1440;
/// Minutes of a week.
const WEEK: u64 = 7 * DAY;
/// As conditions write them, Monday first.
pub(super) const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// A set of values and whether the complement is meant.
pub(super) struct Chosen {
    pub values: Values,
    pub complement: bool,
}

impl From<Values> for Chosen {
    fn from(values: Values) -> Self {
        Self { values, complement: false }
    }
}

impl<'a> Resolver<'a> {
    /// `S is V` and `S in [..]`: every value of the list.
    pub(super) fn chosen(&mut self, column: ColumnId, word: &str, values: &'a [Value]) -> Option<Chosen> {
        let subject = self.out.columns[column.index()].subject;
        match &self.out.columns[column.index()].domain {
            Domain::Enum { .. } => self.positions(column, subject, word, values),
            Domain::Text => {
                let mut patterns = Vec::new();
                for value in values {
                    patterns.push(TextPattern { text: self.desk.string(value, &quoted(word))?.into(), prefix: false });
                }
                patterns.sort();
                patterns.dedup();
                Some(Values::Text(patterns).into())
            }
            Domain::Number { .. } => {
                let mut ranges = Vec::new();
                for value in values {
                    if let ValueKind::Range(..) = value.kind {
                        ranges.extend(self.number_range(column, word, value)?);
                        continue;
                    }
                    let number = self.desk.number(value, &quoted(word), unit(subject))?;
                    ranges.extend(self.within(column, word, number, number + 1, value.span)?);
                }
                Some(Values::Ranges(joined(ranges)).into())
            }
            Domain::Bool => self.yes_or_no(subject, word, values),
            // The clock is reached by `time` and `day`, and metrics by their own relations; neither comes here.
            Domain::Clock | Domain::Metric(_) => None,
        }
    }

    /// Positions of names in the domain of a column.
    fn positions(&mut self, column: ColumnId, subject: Subject, word: &str, values: &'a [Value]) -> Option<Chosen> {
        let mut positions: Vec<u32> = Vec::new();
        let (mut other, mut broken) = (false, false);
        for value in values {
            let Some(name) = self.desk.name(value, &quoted(word)) else {
                broken = true;
                continue;
            };
            if subject == Subject::Tenant && name == "other" {
                other = true;
                continue;
            }
            match self.position(column, name) {
                Some(at) => positions.push(at),
                None => {
                    broken = true;
                    self.off_domain(column, subject, word, name, value.span);
                }
            }
        }
        if broken {
            return None;
        }
        if subject == Subject::Tenant {
            self.mentioned.extend(&positions);
        }
        positions.sort_unstable();
        positions.dedup();
        if other {
            // `other` is whoever is not listed, so the set is the complement of the listed rest.
            let count = self.named_tenants().count() as u32;
            let rest: Vec<u32> = (0..count).filter(|at| !positions.contains(at)).collect();
            self.mentioned.extend(&rest);
            return Some(Chosen { values: Values::Enum(rest), complement: true });
        }
        Some(Values::Enum(positions).into())
    }

    fn position(&self, column: ColumnId, name: &str) -> Option<u32> {
        match &self.out.columns[column.index()].domain {
            Domain::Enum { values, .. } => values.iter().position(|value| **value == *name).map(|at| at as u32),
            _ => None,
        }
    }

    /// A name that is no value of this column, with the code of its kind.
    fn off_domain(&mut self, column: ColumnId, subject: Subject, word: &str, name: &str, span: Span) {
        let Domain::Enum { values, .. } = &self.out.columns[column.index()].domain else { return };
        let known: Vec<&str> = values.iter().map(|value| &**value).collect();
        let finding = match subject {
            Subject::Tenant => {
                return match self.served_from_file.get(name) {
                    Some(file) => self.desk.report(row_wanted(name, file, span)),
                    None => self.names.report_unknown(Sort::Tenant, name, span, &mut self.desk),
                };
            }
            Subject::Region => {
                self.known_region(name, span);
                return;
            }
            Subject::Feature => declared(&R102, "feature", name, span, &known, &self.out.features.is_empty()),
            Subject::Plan => declared(&R104, "plan", name, span, &known, &self.out.plans.is_empty()),
            Subject::Residency => declared(&R107, "residency", name, span, &known, &false),
            Subject::RequestedTier => declared(&R107, "tier", name, span, &known, &false),
            _ => {
                let message = format!("`{word}` is never `{name}`");
                let finding = unknown(&R112, "value", message, name, span, &known);
                if subject == Subject::Endpoint && Endpoint::ALL.iter().any(|endpoint| endpoint.word() == name) {
                    finding.help(format!("add `{name}` to `endpoints` in the policy header"))
                } else {
                    finding
                }
            }
        };
        self.desk.report(finding);
    }

    fn yes_or_no(&mut self, subject: Subject, word: &str, values: &'a [Value]) -> Option<Chosen> {
        let switched = matches!(subject, Subject::Switch(_) | Subject::Signal(_));
        let (yes, no) = if switched { ("on", "off") } else { ("yes", "no") };
        let [value] = values else {
            let span = values.first().map_or(self.out.place, |value| value.span);
            let message = format!("`{word}` is `{yes}` or `{no}`, so a list says nothing");
            self.desk.report(Diagnostic::new(&R110, span, message).help(format!("write `{word}` or `not {word}`")));
            return None;
        };
        match &value.kind {
            ValueKind::Word(said) if said == yes || said == no => Some(Values::Bool(said == yes).into()),
            _ => {
                let message = format!("`{word}` is `{yes}` or `{no}`, never `{}`", self.desk.text(value.span));
                self.desk.report(
                    Diagnostic::new(&R110, value.span, message).help(format!("write `{word}` or `not {word}`")),
                );
                None
            }
        }
    }

    /// `S in a..b` on a number.
    fn number_range(&mut self, column: ColumnId, word: &str, range: &'a Value) -> Option<Vec<(u64, u64)>> {
        let ValueKind::Range(low, high) = &range.kind else { return None };
        let unit = unit(self.out.columns[column.index()].subject);
        let lo = self.desk.number(low, &quoted(word), unit)?;
        let hi = self.desk.number(high, &quoted(word), unit)?;
        if lo >= hi {
            self.empty_range(range, low, high, lo == hi);
            return None;
        }
        self.within(column, word, lo, hi, range.span)
    }

    /// R113.
    fn empty_range(&mut self, range: &Value, low: &Value, high: &Value, equal: bool) {
        let (low, high) = (self.desk.text(low.span), self.desk.text(high.span));
        let message = format!("`{low}..{high}` holds nothing");
        let mut finding = Diagnostic::new(&R113, range.span, message);
        finding = if equal {
            finding
                .note("a range includes its left end and not its right")
                .help(format!("write `is {low}`, or another right end"))
        } else {
            let turned = format!("{high}..{low}");
            finding.help(format!("write `{turned}`")).fix(true, "swap the ends", range.span, turned)
        };
        self.desk.report(finding);
    }

    /// `lo..hi` cut to the domain; R112 when nothing of it is inside.
    fn within(&mut self, column: ColumnId, word: &str, lo: u64, hi: u64, span: Span) -> Option<Vec<(u64, u64)>> {
        let Domain::Number { lo: first, hi: last } = self.out.columns[column.index()].domain else { return None };
        let (lo, hi) = (lo.max(first), hi.min(last + 1));
        if lo < hi {
            return Some(vec![(lo, hi)]);
        }
        let message = format!("`{word}` runs from {first} to {last}, so this can never be");
        let mut finding = Diagnostic::new(&R112, span, message);
        if self.out.columns[column.index()].subject == Subject::PromptTokens {
            finding = finding
                .note("longer prompts are refused before any rule is tried")
                .help(format!("write a number up to {}, or raise `max_prompt` in the policy header", Tokens(last)));
        }
        self.desk.report(finding);
        None
    }

    /// `S < N` and the like.
    pub(super) fn compared(&mut self, column: ColumnId, word: &str, op: CompareOp, value: &'a Value) -> Option<Values> {
        let (subject, domain) = {
            let column = &self.out.columns[column.index()];
            (column.subject, &column.domain)
        };
        if !matches!(domain, Domain::Number { .. }) {
            let message = format!("`{word}` has no order, so `{}` says nothing about it", op_word(op));
            let help = format!("write `{word} is ..` or `{word} in [..]`");
            self.desk.report(Diagnostic::new(&R110, value.span, message).help(help));
            return None;
        }
        let number = self.desk.number(value, &quoted(word), unit(subject))?;
        let (lo, hi) = half_open(op, number);
        self.within(column, word, lo, hi, value.span).map(Values::Ranges)
    }

    /// `time in 22:00..06:00`, `time is 12:00`, on every day.
    pub(super) fn times(&mut self, values: &'a [Value]) -> Option<Values> {
        let mut ranges = Vec::new();
        for value in values {
            match &value.kind {
                ValueKind::Range(low, high) => {
                    let lo = self.time_of_day(low)?;
                    let hi = self.time_of_day(high)?;
                    if lo == hi {
                        self.empty_range(value, low, high, true);
                        return None;
                    }
                    ranges.push((lo % DAY, if hi > lo { hi } else { hi + DAY }));
                }
                _ => {
                    let at = self.time_of_day(value)?;
                    ranges.push((at, at + 1));
                }
            }
        }
        Some(Values::Ranges(every_day(&ranges)))
    }

    /// `time < 12:00`.
    pub(super) fn time_compared(&mut self, op: CompareOp, value: &'a Value) -> Option<Values> {
        let at = self.time_of_day(value)?;
        let (lo, hi) = half_open(op, at);
        let (lo, hi) = (lo, hi.min(DAY));
        if lo >= hi {
            let message = format!("no time of day is `{} {}`", op_word(op), self.desk.text(value.span));
            self.desk.report(Diagnostic::new(&R112, value.span, message).help("times run from 00:00 to 24:00"));
            return None;
        }
        Some(Values::Ranges(every_day(&[(lo, hi)])))
    }

    fn time_of_day(&mut self, value: &Value) -> Option<u64> {
        match value.kind {
            ValueKind::Time(minutes) => Some(u64::from(minutes)),
            _ => self.desk.mismatch(value, "`time`", "a time of day, like `22:00`"),
        }
    }

    /// `day is sat`, `day in [sat, sun]`, `day in weekend`.
    pub(super) fn days(&mut self, values: &'a [Value]) -> Option<Values> {
        let mut ranges = Vec::new();
        for value in values.iter().flat_map(members) {
            let word = self.desk.word(value, "`day`")?;
            let (first, last) = match word {
                "weekdays" => (0, 5),
                "weekend" => (5, 7),
                _ => match DAYS.iter().position(|day| *day == word) {
                    Some(at) => (at as u64, at as u64 + 1),
                    None => {
                        let known: Vec<&str> = DAYS.into_iter().chain(["weekdays", "weekend"]).collect();
                        let message = format!("`{word}` is no day");
                        let mut finding = unknown(&R112, "day", message, word, value.span, &known);
                        if let Some(short) = DAYS.iter().find(|day| word.to_lowercase().starts_with(**day)) {
                            let title = format!("write `{short}`");
                            finding = finding.help(title.clone());
                            finding.fixes.clear();
                            finding = finding.fix(true, title, value.span, *short);
                        }
                        self.desk.report(finding);
                        return None;
                    }
                },
            };
            ranges.push((first * DAY, last * DAY));
        }
        Some(Values::Ranges(joined(ranges)))
    }
}

fn declared(code: &'static Code, what: &str, name: &str, span: Span, known: &[&str], none: &bool) -> Diagnostic {
    let mut finding = unknown(code, what, format!("there is no {what} `{name}`"), name, span, known);
    if *none {
        finding.notes = vec![format!("no {what} is declared")];
    }
    finding
}

/// A subject in a message.
pub(super) fn quoted(word: &str) -> String {
    format!("`{word}`")
}

const fn unit(subject: Subject) -> &'static str {
    match subject {
        Subject::PromptTokens | Subject::MaxTokens => "tokens",
        _ => "whole units",
    }
}

/// An operator as written.
pub(super) const fn op_word(op: CompareOp) -> &'static str {
    match op {
        CompareOp::Less => "<",
        CompareOp::AtMost => "<=",
        CompareOp::Greater => ">",
        CompareOp::AtLeast => ">=",
    }
}

/// The half-open range of what compares like this with a number.
pub(super) fn half_open(op: CompareOp, number: u64) -> (u64, u64) {
    match op {
        CompareOp::Less => (0, number),
        CompareOp::AtMost => (0, number + 1),
        CompareOp::Greater => (number + 1, u64::MAX),
        CompareOp::AtLeast => (number, u64::MAX),
    }
}

/// Minutes of a day, repeated on every day of the week; what runs past Sunday begins the week.
fn every_day(ranges: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut week = Vec::new();
    for day in 0..7 {
        for (lo, hi) in ranges {
            let (lo, hi) = (lo + day * DAY, hi + day * DAY);
            week.push((lo.min(WEEK), hi.min(WEEK)));
            if hi > WEEK {
                week.push((0, hi - WEEK));
            }
        }
    }
    joined(week)
}

/// Sorted and disjoint, with neighbors merged.
pub(super) fn joined(mut ranges: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    ranges.retain(|(lo, hi)| lo < hi);
    ranges.sort_unstable();
    let mut out: Vec<(u64, u64)> = Vec::new();
    for (lo, hi) in ranges {
        match out.last_mut() {
            Some(last) if lo <= last.1 => last.1 = last.1.max(hi),
            _ => out.push((lo, hi)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_over_midnight_wraps_the_week() {
        let night = every_day(&[(22 * 60, 30 * 60)]);
        assert_eq!(night.first(), Some(&(0, 6 * 60)));
        assert_eq!(night.last(), Some(&(6 * DAY + 22 * 60, WEEK)));
        assert_eq!(night.len(), 8);
    }

    #[test]
    fn a_whole_day_every_day_is_the_week() {
        assert_eq!(every_day(&[(0, DAY)]), [(0, WEEK)]);
    }
}
