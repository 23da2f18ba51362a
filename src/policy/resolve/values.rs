//! Literals with the unit their place wants.
//!
//! In: values as written. Out: milliseconds, tokens, counts, words; R110, R111, R112 and R115. Must not know: who asks, beyond
//! a phrase for messages.

use super::super::ast::{Quantity, Unit, Value, ValueKind};
use super::super::diagnostic::{Diagnostic, R110, R111, R112, R115};
use super::super::source::Span;
use super::Desk;
use crate::units::{Millis, Tokens};

/// Longer than any limit, budget or queue is meant to run: 10 years.
pub const MAX_DURATION: Millis = Millis::secs(3650 * 86_400);
/// More than any window or quota: 10^12.
pub const MAX_COUNT: u64 = 1_000_000_000_000;

impl<'a> Desk<'a> {
    /// A span of time. `what` is the place in words: "`timeout`".
    pub fn duration(&mut self, value: &Value, what: &str) -> Option<Millis> {
        let quantity = self.quantity(value, what, "a duration, like `12s`")?;
        let factor = match quantity.unit {
            Unit::Millisecond => 1,
            Unit::Second => 1000,
            Unit::Minute => 60_000,
            Unit::Hour => 3_600_000,
            Unit::Day => 86_400_000,
            Unit::Mega => {
                self.mixed_up(value, "M", "millions", "m", "minutes");
                60_000
            }
            _ => {
                self.wrong_unit(value, what, "a duration", "`ms`, `s`, `m`, `h` or `d`", "12s");
                return None;
            }
        };
        let millis = self.scaled(value, quantity, factor, MAX_DURATION.0, "whole milliseconds")?;
        Some(Millis(millis))
    }

    /// A span of time above zero.
    pub fn some_time(&mut self, value: &Value, what: &str) -> Option<Millis> {
        let time = self.duration(value, what)?;
        if time.0 == 0 {
            let message = format!("{what} is 0, so nothing could ever finish");
            self.report(Diagnostic::new(&R112, value.span, message).help("write a time above 0, like `10s`"));
            return None;
        }
        Some(time)
    }

    /// A number of tokens.
    pub fn tokens(&mut self, value: &Value, what: &str) -> Option<Tokens> {
        self.number(value, what, "tokens").map(Tokens)
    }

    /// A whole number without a unit of its own; `unit` names what is counted.
    pub fn number(&mut self, value: &Value, what: &str, unit: &str) -> Option<u64> {
        let quantity = self.quantity(value, what, &format!("a number of {unit}, like `4k`"))?;
        let factor = match quantity.unit {
            Unit::None => 1,
            Unit::Kilo => 1000,
            Unit::Mega => 1_000_000,
            Unit::Minute => {
                self.mixed_up(value, "m", "minutes", "M", "millions");
                1_000_000
            }
            _ => {
                self.wrong_unit(value, what, &format!("a number of {unit}"), "nothing, `k` or `M`", "4k");
                return None;
            }
        };
        self.scaled(value, quantity, factor, MAX_COUNT, &format!("a whole number of {unit}"))
    }

    /// A bare word.
    pub fn word<'v>(&mut self, value: &'v Value, what: &str) -> Option<&'v str> {
        match &value.kind {
            ValueKind::Word(word) => Some(word),
            _ => self.mismatch(value, what, "a word"),
        }
    }

    /// A quoted text.
    pub fn string<'v>(&mut self, value: &'v Value, what: &str) -> Option<&'v str> {
        match &value.kind {
            ValueKind::Str(text) => Some(text),
            ValueKind::Word(word) => {
                let message = format!("{what} takes a text in quotes, and `{word}` has none");
                let text = format!("\"{word}\"");
                self.report(Diagnostic::new(&R110, value.span, message).help(format!("write `{text}`")).fix(
                    true,
                    "add quotes",
                    value.span,
                    text,
                ));
                None
            }
            _ => self.mismatch(value, what, "a text in quotes"),
        }
    }

    /// A name: a word, or a text in quotes where the name is not one.
    pub fn name<'v>(&mut self, value: &'v Value, what: &str) -> Option<&'v str> {
        match &value.kind {
            ValueKind::Word(text) | ValueKind::Str(text) => Some(text),
            _ => self.mismatch(value, what, "a name"),
        }
    }

    /// R110.
    pub fn mismatch<T>(&mut self, value: &Value, what: &str, takes: &str) -> Option<T> {
        let message = format!("{what} takes {takes}, not {}", kind(&value.kind));
        self.report(Diagnostic::new(&R110, value.span, message).here(format!("{takes} is wanted here")));
        None
    }

    fn quantity(&mut self, value: &Value, what: &str, takes: &str) -> Option<Quantity> {
        match value.kind {
            ValueKind::Quantity(quantity) => Some(quantity),
            _ => self.mismatch(value, what, takes),
        }
    }

    fn scaled(&mut self, value: &Value, quantity: Quantity, factor: u64, most: u64, whole: &str) -> Option<u64> {
        let parts = 10u128.checked_pow(u32::from(quantity.scale)).unwrap_or(u128::MAX);
        let product = u128::from(quantity.digits) * u128::from(factor);
        if !product.is_multiple_of(parts) {
            let message = format!("`{}` is not {whole}", self.text(value.span));
            self.report(Diagnostic::new(&R111, value.span, message).help("leave out the digits behind the point"));
            return None;
        }
        let number = u64::try_from(product / parts).unwrap_or(u64::MAX);
        if number > most {
            let message = format!("`{}` is more than this language counts", self.text(value.span));
            let largest = if most == MAX_DURATION.0 { "3650d" } else { "1000000M" };
            self.report(Diagnostic::new(&R112, value.span, message).help(format!("write at most `{largest}`")));
            return None;
        }
        Some(number)
    }

    fn wrong_unit(&mut self, value: &Value, what: &str, takes: &str, units: &str, example: &str) {
        let message = format!("{what} takes {takes}, and `{}` is none", self.text(value.span));
        let finding = Diagnostic::new(&R111, value.span, message)
            .here(format!("the unit is {units}"))
            .help(format!("write it like `{example}`"));
        self.report(finding);
    }

    /// R115: reads the value as what was surely meant.
    fn mixed_up(&mut self, value: &Value, wrong: &str, means: &str, right: &str, meant: &str) {
        let Some(stem) = self.text(value.span).strip_suffix(wrong) else { return };
        let text = format!("{stem}{right}");
        let unit = Span { lo: value.span.hi.saturating_sub(wrong.len() as u32), ..value.span };
        let message = format!("`{wrong}` means {means}, and {meant} are wanted here");
        self.report(Diagnostic::new(&R115, value.span, message).help(format!("write `{text}`")).fix(
            true,
            format!("write `{text}`"),
            unit,
            right,
        ));
    }
}

/// What was written, in words.
pub(super) fn kind(kind: &ValueKind) -> &'static str {
    match kind {
        ValueKind::Word(_) => "a word",
        ValueKind::Str(_) => "a text",
        ValueKind::Model(_) => "a model",
        ValueKind::Quantity(Quantity { unit: Unit::Dollar, .. }) => "an amount of money",
        ValueKind::Quantity(Quantity { unit: Unit::Percent, .. }) => "a share",
        ValueKind::Quantity(_) => "a number",
        ValueKind::Time(_) => "a time of day",
        ValueKind::Date(_) => "a date",
        ValueKind::Range(..) => "a range",
        ValueKind::List(_) => "a list",
        ValueKind::Compare(_) => "a comparison",
        ValueKind::Any => "`*`",
    }
}

/// The members of a list, or the one value alone.
pub(super) fn members(value: &Value) -> &[Value] {
    match &value.kind {
        ValueKind::List(values) => values,
        _ => std::slice::from_ref(value),
    }
}
