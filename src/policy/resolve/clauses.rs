//! The statements inside a declaration's braces, read one word and one value at a time.
//!
//! In: settings as written. Out: typed values; findings for statements that do not read as their form, stand twice, or are
//! missing. Must not know: what a statement means.

use super::super::ast::{self, Quantity, Setting, Unit, Value, ValueKind};
use super::super::checked::{Clause, Cond};
use super::super::diagnostic::{Diagnostic, R001, R110, R111, R112};
use super::super::source::{Span, Spanned};
use super::options::twice;
use super::values::{kind, members};
use super::{Desk, Resolver};
use crate::names::nearest;
use crate::units::{Share, Usd};

/// One statement while it is read.
pub(in crate::policy) struct Line<'a> {
    /// Its first word.
    pub key: &'a str,
    /// All of it.
    pub span: Span,
    values: &'a [Value],
    /// How it is written.
    form: &'static str,
}

impl<'a> Line<'a> {
    pub fn new(setting: &'a Setting, form: &'static str) -> Self {
        Self { key: &setting.key.node, span: setting.span, values: &setting.values, form }
    }

    /// The next value.
    pub fn next(&mut self) -> Option<&'a Value> {
        let (first, rest) = self.values.split_first()?;
        self.values = rest;
        Some(first)
    }

    /// Takes the next value if it is this word.
    pub fn skip(&mut self, word: &str) -> bool {
        let is = self.values.first().is_some_and(|value| matches!(&value.kind, ValueKind::Word(own) if own == word));
        if is {
            self.values = &self.values[1..];
        }
        is
    }

    /// Whether nothing is left.
    pub const fn done(&self) -> bool {
        self.values.is_empty()
    }
}

impl<'a> Desk<'a> {
    /// R001 for a statement that does not read as its form.
    pub fn unread<T>(&mut self, line: &Line<'a>) -> Option<T> {
        let (place, what) = match line.values.first() {
            Some(value) => (value.span, format!("`{}` does not belong here", self.text(value.span))),
            None => (line.span, format!("`{}` ends too early", self.text(line.span).trim())),
        };
        self.report(Diagnostic::new(&R001, place, what).help(format!("write `{}`", line.form)));
        None
    }

    /// The one value of a statement that has one.
    pub fn only(&mut self, line: &mut Line<'a>) -> Option<&'a Value> {
        let Some(value) = line.next() else { return self.unread(line) };
        if line.done() { Some(value) } else { self.unread(line) }
    }

    /// The next value, or R001.
    pub fn following(&mut self, line: &mut Line<'a>) -> Option<&'a Value> {
        line.next().or_else(|| self.unread(line))
    }

    /// The word, or R001.
    pub fn expect(&mut self, line: &mut Line<'a>, word: &str) -> Option<()> {
        if line.skip(word) { Some(()) } else { self.unread(line) }
    }

    /// The end, or R001.
    pub fn end(&mut self, line: &Line<'a>) -> Option<()> {
        if line.done() { Some(()) } else { self.unread(line) }
    }

    /// A part of a whole: `2%`.
    pub fn share(&mut self, value: &Value, what: &str) -> Option<Share> {
        let part = self.ten_thousandths(value, what, 10_000, &["%"])?;
        Some(Share(u16::try_from(part).unwrap_or(Share::WHOLE.0)))
    }

    /// A part of a whole that is above zero.
    pub fn some_share(&mut self, value: &Value, what: &str) -> Option<Share> {
        let share = self.share(value, what)?;
        if share.0 == 0 {
            let message = format!("{what} is 0%, so it would never happen");
            self.report(Diagnostic::new(&R112, value.span, message).help("write a share above 0%, like `2%`"));
            return None;
        }
        Some(share)
    }

    /// A number of ten-thousandths, written as a share, or, where `""` is among the units, as a fraction like `0.97`.
    pub fn ten_thousandths(&mut self, value: &Value, what: &str, most: u64, units: &[&str]) -> Option<u64> {
        let fraction = units.contains(&"");
        let example = if fraction { "0.97" } else { "2%" };
        let ValueKind::Quantity(Quantity { digits, scale, unit }) = value.kind else {
            return self.mismatch(value, what, &format!("a share, like `{example}`"));
        };
        let factor: u128 = match unit {
            Unit::Percent => 100,
            Unit::None if fraction => 10_000,
            _ => {
                let message = format!("{what} takes a share, and `{}` is none", self.text(value.span));
                let finding = Diagnostic::new(&R111, value.span, message).help(format!("write it like `{example}`"));
                self.report(finding);
                return None;
            }
        };
        let parts = 10u128.checked_pow(u32::from(scale)).unwrap_or(u128::MAX);
        let product = u128::from(digits) * factor;
        if !product.is_multiple_of(parts) {
            let message = format!("`{}` is finer than a hundredth of a percent", self.text(value.span));
            self.report(Diagnostic::new(&R111, value.span, message).help("leave out the last digits"));
            return None;
        }
        let part = u64::try_from(product / parts).unwrap_or(u64::MAX);
        if part > most {
            let message = format!("`{}` is more than there can be", self.text(value.span));
            let all = if fraction { "1".to_owned() } else { format!("{}%", most / 100) };
            self.report(Diagnostic::new(&R112, value.span, message).help(format!("write at most `{all}`")));
            return None;
        }
        Some(part)
    }

    /// An amount of US dollars above zero.
    pub fn money(&mut self, value: &Value, what: &str) -> Option<Usd> {
        let ValueKind::Quantity(Quantity { digits, scale, unit: Unit::Dollar }) = value.kind else {
            let message = format!("{what} takes an amount of money, and `{}` is none", self.text(value.span));
            self.report(Diagnostic::new(&R111, value.span, message).help("write it like `$0.02`"));
            return None;
        };
        let parts = 10u128.checked_pow(u32::from(scale)).unwrap_or(u128::MAX);
        let amount = u128::from(digits) * 1_000_000_000_000 / parts;
        match u64::try_from(amount) {
            Ok(0) => {
                let message = format!("{what} is `{}`, which nothing fits into", self.text(value.span));
                self.report(Diagnostic::new(&R112, value.span, message).help("write an amount above $0, like `$0.02`"));
                None
            }
            Ok(amount) => Some(Usd(amount)),
            Err(_) => {
                let message = format!("`{}` is more than this language counts", self.text(value.span));
                self.report(Diagnostic::new(&R112, value.span, message).help("write at most `$18_000_000`"));
                None
            }
        }
    }

    /// A word of a closed list; R112 with the nearest.
    pub fn one_of<T: Copy>(&mut self, value: &Value, what: &str, known: &[(&str, T)]) -> Option<T> {
        let word = self.word(value, what)?;
        let found = known.iter().find(|(own, _)| *own == word).map(|(_, meant)| *meant);
        if found.is_none() {
            let words: Vec<&str> = known.iter().map(|(own, _)| *own).collect();
            let list: Vec<String> = words.iter().map(|own| format!("`{own}`")).collect();
            let message = format!("{what} is {}, never `{word}`", either(&list));
            let finding = Diagnostic::new(&R112, value.span, message);
            self.report(match nearest(word, words).first() {
                Some(near) => {
                    let title = format!("write `{near}`");
                    finding.help(title.clone()).fix(true, title, value.span, *near)
                }
                None => finding.help(format!("write {}", either(&list))),
            });
        }
        found
    }
}

/// `a, b or c`
pub(super) fn either(words: &[String]) -> String {
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

impl<'a> Resolver<'a> {
    /// Keeps what a statement says; a second one is R108.
    pub(super) fn put<T>(&mut self, slot: &mut Option<Spanned<T>>, what: &str, span: Span, value: Option<T>) {
        match (slot.as_ref(), value) {
            (Some(first), _) => {
                let finding = twice(what, span, first.span);
                self.desk.report(finding);
            }
            (None, Some(node)) => *slot = Some(Spanned { node, span }),
            (None, None) => {}
        }
    }

    /// A condition of a moving part; R411 where it grew out of hand.
    pub(super) fn clause(&mut self, cond: &'a ast::Cond, owner: &str) -> Option<Cond> {
        self.cond(cond).filter(|read| self.small_enough(read, owner, cond.span))
    }

    /// A condition and its place.
    pub(super) fn put_clause(
        &mut self,
        slot: &mut Option<Clause>,
        key: &'a ast::Name,
        cond: &'a ast::Cond,
        owner: &str,
    ) {
        let read = self.clause(cond, owner);
        self.put(slot, &format!("`{}`", key.node), key.span.to(cond.span), read);
    }

    /// R110 for a declaration that lacks a part; silent where a part of it could not be read.
    pub(super) fn missing(&mut self, what: &str, span: Span, part: &str, form: &str) {
        let message = format!("{what} has no `{part}`");
        self.desk.report(Diagnostic::new(&R110, span, message).help(format!("add `{form}`")));
    }

    /// A model, judged like a hop.
    pub(super) fn model(&mut self, value: &'a Value, what: &str) -> Option<super::super::checked::SnapshotId> {
        match &value.kind {
            ValueKind::Model(model) => Some(self.snapshot(model)),
            other => {
                let message = format!("{what} takes a model, not {}", kind(other));
                let help = "write the snapshot, like `openai/gpt-5.4-2026-03-05`";
                self.desk.report(Diagnostic::new(&R110, value.span, message).help(help));
                None
            }
        }
    }

    /// Each value of a list through one reading; those with a finding are left out.
    pub(super) fn each_of<T>(
        &mut self,
        value: &'a Value,
        what: &str,
        mut read: impl FnMut(&mut Self, &'a Value) -> Option<T>,
    ) -> Option<Vec<T>> {
        let values = members(value);
        if values.is_empty() {
            let message = format!("{what} is an empty list, which says nothing");
            self.desk.report(Diagnostic::new(&R112, value.span, message).help("name at least one, or delete the line"));
            return None;
        }
        let read: Vec<Option<T>> = values.iter().map(|value| read(self, value)).collect();
        read.into_iter().collect()
    }
}
