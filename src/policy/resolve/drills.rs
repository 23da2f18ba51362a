//! Drills and staffed hours: what happens on a schedule (sections 3.1, 6.3).
//!
//! In: their statements. Out: [`Drill`]s, and when queues are staffed. Must not know: the clock.

use super::super::ast::{Block, BlockStmt, CompareOp, ItemKind, Setting, Value, ValueKind};
use super::super::checked::{Drill, Expect, Pretend, Pretended, Queue, Schedule, Values, Who};
use super::super::diagnostic::{Diagnostic, R110, R112, R113, R333};
use super::super::source::{Span, Spanned};
use super::Resolver;
use super::classifiers::is_word;
use super::clauses::Line;
use super::header::settings;
use super::names::{Sort, unknown};
use super::sets::{DAYS, joined};
use super::values::members;
use crate::failure::Failure;
use crate::units::Share;

const PRETEND: &str = "pretend PROVIDER down` or `pretend PROVIDER/ID gives rate_limit";
const EVERY: &str = "every 14d at wed 10:00 for 20m";
const STAFFED: &str = "staffed [mon, tue, wed, thu, fri] 09:00..17:00` or `staffed always";

/// Milliseconds of a day.
const DAY: u64 = 86_400_000;
/// Minutes of a week.
const WEEK: u64 = 7 * 1440;

impl<'a> Resolver<'a> {
    pub(super) fn drills(&mut self) {
        for (name, span, item) in self.names.all(Sort::Drill) {
            if let ItemKind::Decl { body, .. } = &item.kind {
                self.drill(name, span, item.span, body);
            }
        }
    }

    fn drill(&mut self, name: &'a str, span: Span, whole: Span, body: &'a Block) {
        let mut pretend = Vec::new();
        let (mut within, mut share, mut schedule, mut expect) = (None, None, None, None);
        for stmt in &body.stmts {
            match stmt {
                BlockStmt::Cond { key, cond } => self.put_clause(&mut within, key, cond, name),
                BlockStmt::Setting(setting) => match setting.key.node.as_str() {
                    "pretend" => pretend.extend(self.pretend(setting)),
                    "share" => {
                        let value = self.desk.only(&mut Line::new(setting, "share 2%"));
                        let read = value.and_then(|value| self.desk.some_share(value, "`share`"));
                        self.put(&mut share, "`share`", setting.span, read);
                    }
                    "every" => {
                        let read = self.schedule(setting);
                        self.put(&mut schedule, "`every`", setting.span, read);
                    }
                    "expect" => {
                        let read = self.expectation(setting);
                        self.put(&mut expect, "`expect`", setting.span, read);
                    }
                    _ => {}
                },
                BlockStmt::Nested { .. } => {}
            }
        }
        for (word, form) in [("pretend", PRETEND), ("share", "share 2%")] {
            if !Self::says(body, word) {
                self.missing(&format!("drill `{name}`"), span, word, form);
            }
        }
        self.out.moving.drills.push(Drill {
            name: name.into(),
            span,
            whole,
            pretend,
            within,
            share: share.unwrap_or(Spanned { node: Share(0), span }),
            schedule: schedule.map(|one| one.node),
            expect: expect.map(|one| one.node),
        });
    }

    fn pretend(&mut self, setting: &'a Setting) -> Option<Pretend> {
        let mut line = Line::new(setting, PRETEND);
        let who = self.desk.following(&mut line)?;
        let who = match &who.kind {
            ValueKind::Model(model) => Who::Snapshot(self.snapshot(model)),
            _ => Who::Provider(self.providers(who).pop()?),
        };
        let what = if line.skip("down") {
            Pretended::Down
        } else {
            self.desk.expect(&mut line, "gives")?;
            Pretended::Gives(self.failure(&mut line)?)
        };
        self.desk.end(&line)?;
        Some(Pretend { who, what, span: setting.span })
    }

    fn failure(&mut self, line: &mut Line<'a>) -> Option<Failure> {
        let value = self.desk.following(line)?;
        let word = self.desk.word(value, "`gives`")?;
        let found = Failure::from_word(word);
        if found.is_none() {
            let known: Vec<&str> = Failure::ALL.iter().map(|failure| failure.word()).collect();
            let message = format!("there is no failure `{word}`");
            let mut finding = unknown(&R333, "failure", message, word, value.span, &known);
            finding.notes = vec![format!("the words are {}", known.join(", "))];
            self.desk.report(finding);
        }
        found
    }

    fn schedule(&mut self, setting: &'a Setting) -> Option<Schedule> {
        let mut line = Line::new(setting, EVERY);
        let every_value = self.desk.following(&mut line)?;
        let every = self.desk.some_time(every_value, "`every`")?;
        self.desk.expect(&mut line, "at")?;
        let mut at = self.desk.following(&mut line)?;
        let mut day = None;
        if let ValueKind::Word(_) = at.kind {
            let days: Vec<(&str, u8)> = (0..).zip(DAYS).map(|(at, day)| (day, at)).collect();
            day = Some(self.desk.one_of(at, "the day of a drill", &days)?);
            at = self.desk.following(&mut line)?;
        }
        let ValueKind::Time(minute) = at.kind else {
            return self.desk.mismatch(at, "`at`", "a day and a time, like `wed 10:00`");
        };
        self.desk.expect(&mut line, "for")?;
        let lasts_value = self.desk.only(&mut line)?;
        let lasts = self.desk.some_time(lasts_value, "`for`")?;
        let unit = if day.is_some() { 7 * DAY } else { DAY };
        if !every.0.is_multiple_of(unit) {
            let (what, like) = if day.is_some() { ("weeks", "14d") } else { ("days", "3d") };
            let message = format!("a drill comes back after whole {what}, and `{every}` is none");
            self.desk.report(Diagnostic::new(&R112, every_value.span, message).help(format!("write it like `{like}`")));
            return None;
        }
        if lasts > every {
            let message = format!("a drill of {lasts} would not be over when the next begins");
            let finding = Diagnostic::new(&R112, lasts_value.span, message).label(every_value.span, "the next begins");
            self.desk.report(finding.help(format!("write a time up to `{every}`")));
            return None;
        }
        Some(Schedule { every, day, minute: minute % 1440, lasts, span: setting.span })
    }

    fn expectation(&mut self, setting: &'a Setting) -> Option<Expect> {
        let mut line = Line::new(setting, "expect served >= 99%");
        self.desk.expect(&mut line, "served")?;
        self.at_least(&mut line)?;
        let value = self.desk.only(&mut line)?;
        let node = self.desk.share(value, "`expect served`")?;
        Some(Expect { served: Spanned { node, span: value.span } })
    }

    /// The sign `>=`; no other makes sense where it stands.
    pub(super) fn at_least(&mut self, line: &mut Line<'a>) -> Option<()> {
        self.sign(line, CompareOp::AtLeast)
    }

    /// One certain comparison; R110 for another.
    pub(super) fn sign(&mut self, line: &mut Line<'a>, wanted: CompareOp) -> Option<()> {
        let value = self.desk.following(line)?;
        match value.kind {
            ValueKind::Compare(op) if op == wanted => Some(()),
            _ => {
                let (right, text) = (super::sets::op_word(wanted), self.desk.text(value.span));
                let message = format!("`{}` is bounded with `{right}`, not `{text}`", line.key);
                let finding = Diagnostic::new(&R110, value.span, message).help(format!("write `{right}`"));
                let is_sign = matches!(value.kind, ValueKind::Compare(_));
                self.desk.report(if is_sign {
                    finding.fix(false, format!("write `{right}`"), value.span, right)
                } else {
                    finding
                });
                None
            }
        }
    }

    /// Every queue, and when somebody is there.
    pub(super) fn queues(&mut self) {
        for (name, span, item) in self.names.all(Sort::Queue) {
            let ItemKind::Decl { body, .. } = &item.kind else { continue };
            let mut staffed: Vec<(u64, u64)> = Vec::new();
            let mut place = None;
            for setting in settings(body).filter(|setting| setting.key.node == "staffed") {
                place = place.or(Some(setting.span));
                staffed.extend(self.staffed(setting).unwrap_or_default());
            }
            if place.is_none() || staffed.is_empty() {
                staffed = vec![(0, WEEK)];
            }
            let staffed = joined(staffed);
            self.out.queues.push(Queue { name: name.into(), span, staffed, staffed_span: place });
        }
    }

    /// `always`, or days and a range of the day that may run into the next.
    fn staffed(&mut self, setting: &'a Setting) -> Option<Vec<(u64, u64)>> {
        let mut line = Line::new(setting, STAFFED);
        let days_value = self.desk.following(&mut line)?;
        if is_word(days_value, "always") {
            self.desk.end(&line)?;
            return Some(vec![(0, WEEK)]);
        }
        let Values::Ranges(days) = self.days(members(days_value))? else { return None };
        let range = self.desk.only(&mut line)?;
        let (lo, hi) = self.hours(range)?;
        let mut hours = Vec::new();
        for (first, last) in days {
            for start in (first..last).step_by(1440) {
                let (from, to) = (start + lo, start + hi);
                hours.push((from, to.min(WEEK)));
                hours.push((0, to.saturating_sub(WEEK)));
            }
        }
        Some(joined(hours))
    }

    fn hours(&mut self, range: &'a Value) -> Option<(u64, u64)> {
        if let ValueKind::Range(low, high) = &range.kind
            && let (ValueKind::Time(lo), ValueKind::Time(hi)) = (&low.kind, &high.kind)
        {
            let (lo, hi) = (u64::from(*lo), u64::from(*hi));
            if lo == hi {
                let message = format!("`{}` holds nothing", self.desk.text(range.span));
                let finding = Diagnostic::new(&R113, range.span, message);
                self.desk.report(finding.help("write `00:00..24:00` for the whole day"));
                return None;
            }
            return Some((lo, if hi > lo { hi } else { hi + 1440 }));
        }
        self.desk.mismatch(range, "`staffed`", "a range of the day, like `09:00..17:00`")
    }
}
