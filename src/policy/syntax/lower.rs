//! Pairs to values: the state every lowering shares, and the literals of section 2.
//!
//! In: pairs. Out: spans, names, values. Must not know: what a value means where it stands.
//!
//! `None` always means that a diagnostic was made and the statement is left out.

use std::collections::VecDeque;

use super::grammar::{Pair, Rule};
use crate::policy::ast::{CompareOp, Model, Name, Quantity, Unit, Value, ValueKind};
use crate::policy::diagnostic::{Diagnostic, R001};
use crate::policy::lexer::Token;
use crate::policy::source::{FileId, Span, Spanned};

/// Digits a number may have: all of them fit the exact decimal it becomes.
const MAX_DIGITS: usize = 18;
/// Minutes of a day; `24:00` is a right end.
const DAY: u16 = 24 * 60;

/// What lowering one piece needs and makes.
pub(super) struct Lower<'t> {
    /// Which file.
    pub file: FileId,
    /// Its whole text.
    pub text: &'t str,
    /// Its significant tokens.
    pub tokens: &'t [Token],
    /// Where characters and limits were already complained about, in order.
    pub lexical: &'t [Span],
    /// Where the parsed slice begins in the file.
    pub base: u32,
    /// Where it ends; braces that were added lie behind.
    pub limit: u32,
    /// What was found.
    pub findings: Vec<Diagnostic>,
}

impl<'t> Lower<'t> {
    /// Where a pair stands in the file, without the blanks and comments pest may leave at its end.
    pub fn span(&self, pair: &Pair<'_>) -> Span {
        let inner = pair.as_span();
        let lo = (self.base + inner.start() as u32).min(self.limit);
        let hi = (self.base + inner.end() as u32).min(self.limit);
        self.trimmed(Span { file: self.file, lo, hi })
    }

    /// The same without what is no token at its end.
    pub fn trimmed(&self, span: Span) -> Span {
        let behind = self.tokens.partition_point(|token| token.lo < span.hi);
        let last = behind.checked_sub(1).map_or(span.lo, |at| self.tokens[at].hi);
        Span { hi: last.clamp(span.lo, span.hi.max(span.lo)), ..span }
    }

    /// The text under a span.
    pub fn slice(&self, span: Span) -> &'t str {
        self.text.get(span.lo as usize..span.hi as usize).unwrap_or("")
    }

    /// The tokens inside a span.
    pub fn tokens_in(&self, span: Span) -> &'t [Token] {
        let from = self.tokens.partition_point(|token| token.lo < span.lo);
        let to = self.tokens.partition_point(|token| token.lo < span.hi);
        &self.tokens[from..to.max(from)]
    }

    /// Whether the lexer has already said what is wrong inside.
    pub fn is_said(&self, span: Span) -> bool {
        let from = self.lexical.partition_point(|said| said.hi < span.lo);
        self.lexical[from..].first().is_some_and(|said| said.lo <= span.hi)
    }

    /// Records a syntax error and answers `None`, the value of what could not be read.
    pub fn error<T>(&mut self, span: Span, message: impl Into<String>, here: impl Into<String>) -> Option<T> {
        self.findings.push(Diagnostic::new(&R001, span, message).here(here));
        None
    }

    /// A pair no rule of the grammar can put here. A defect of ours must not become a crash of the author's tool.
    pub fn bug<T>(&mut self, pair: &Pair<'_>) -> Option<T> {
        let span = self.span(pair);
        self.error(span, "this cannot be read", "a defect of wayside: please report it together with this line")
    }

    /// Runs a lowering that reads parts by position. The grammar promises them, so a missing one is a defect of ours too.
    pub fn or_bug<T>(&mut self, pair: &Pair<'_>, lower: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let before = self.findings.len();
        let lowered = lower(self);
        let silent = lowered.is_none() && self.findings.len() == before && !self.is_said(self.span(pair));
        if silent { self.bug(pair) } else { lowered }
    }

    /// A pair's text and place.
    pub fn name(&self, pair: &Pair<'_>) -> Name {
        Spanned { node: pair.as_str().to_owned(), span: self.span(pair) }
    }

    /// The first word of a statement.
    pub fn keyword(&self, span: Span) -> Span {
        let length = self
            .slice(span)
            .bytes()
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
            .count();
        Span { hi: span.lo + length as u32, ..span }
    }

    /// A whole number.
    pub fn int(&mut self, pair: &Pair<'_>) -> Option<Spanned<u32>> {
        let span = self.span(pair);
        match pair.as_str().replace('_', "").parse() {
            Ok(node) => Some(Spanned { node, span }),
            Err(_) => self.error(
                span,
                format!("the number {} is too large", pair.as_str()),
                "larger than any number used here",
            ),
        }
    }

    /// A string, unescaped.
    pub fn string(&mut self, pair: &Pair<'_>) -> Option<Spanned<String>> {
        let span = self.span(pair);
        let raw = pair.as_str();
        let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or("");
        if !inner.contains('\\') {
            return Some(Spanned { node: inner.to_owned(), span });
        }
        let mut node = String::with_capacity(inner.len());
        let mut rest = inner.char_indices();
        while let Some((at, c)) = rest.next() {
            match (c, c == '\\') {
                (_, false) => node.push(c),
                (_, true) => match rest.next().map(|(_, escaped)| escaped) {
                    Some('n') => node.push('\n'),
                    Some(escaped @ ('"' | '\\')) => node.push(escaped),
                    other => {
                        let lo = span.lo + 1 + at as u32;
                        let width = 1 + other.map_or(0, char::len_utf8) as u32;
                        let place = Span { lo, hi: lo + width, ..span };
                        let written = other.map_or(String::new(), |other| other.to_string());
                        return self.error(
                            place,
                            format!("`\\{written}` is no escape"),
                            "there are `\\\"`, `\\\\` and `\\n`",
                        );
                    }
                },
            }
        }
        Some(Spanned { node, span })
    }

    /// `provider/id`
    pub fn model(&mut self, pair: Pair<'_>) -> Option<Model> {
        let span = self.span(&pair);
        let mut inner = pair.into_inner();
        match (inner.next(), inner.next()) {
            (Some(provider), Some(id)) => {
                Some(Model { span, provider: provider.as_str().to_owned(), id: id.as_str().to_owned() })
            }
            _ => self.error(span, "a model is `provider/id`", "one side is missing"),
        }
    }

    /// A literal of section 2.
    pub fn value(&mut self, pair: Pair<'_>) -> Option<Value> {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::word | Rule::name | Rule::key | Rule::KW_DEFAULT => ValueKind::Word(pair.as_str().to_owned()),
            Rule::string => ValueKind::Str(self.string(&pair)?.node),
            Rule::model_ref => ValueKind::Model(self.model(pair)?),
            Rule::quantity => ValueKind::Quantity(self.quantity(&pair)?),
            Rule::time => ValueKind::Time(self.time(&pair)?),
            Rule::date => ValueKind::Date(self.date(&pair)?),
            Rule::range => {
                let mut ends: VecDeque<Value> = self.values(pair.into_inner())?.into();
                match (ends.pop_front(), ends.pop_front()) {
                    (Some(from), Some(to)) => ValueKind::Range(Box::new(from), Box::new(to)),
                    _ => return self.error(span, "a range has two ends", "one end is missing"),
                }
            }
            Rule::list => ValueKind::List(self.list(pair)?),
            Rule::cmp_word => ValueKind::Compare(compare(pair.as_str())),
            Rule::any_mark => ValueKind::Any,
            Rule::atom | Rule::set => return self.inner_value(pair),
            _ => return self.bug(&pair),
        };
        Some(Value { span, kind })
    }

    /// The one value inside a pair that only groups alternatives.
    pub fn inner_value(&mut self, pair: Pair<'_>) -> Option<Value> {
        match pair.clone().into_inner().next() {
            Some(inner) => self.value(inner),
            None => self.bug(&pair),
        }
    }

    /// All values, or `None` when one of them could not be read.
    pub fn values<'p>(&mut self, pairs: impl Iterator<Item = Pair<'p>>) -> Option<Vec<Value>> {
        // Not a short-circuiting collect: every value that is wrong is reported.
        let values: Vec<Option<Value>> = pairs.map(|pair| self.value(pair)).collect();
        values.into_iter().collect()
    }

    /// The items of `[..]`.
    pub fn list(&mut self, pair: Pair<'_>) -> Option<Vec<Value>> {
        self.values(pair.into_inner().filter(|pair| pair.as_rule() != Rule::close_list))
    }

    /// `a` or `[a, b]`
    pub fn names(&mut self, pair: Pair<'_>) -> Option<Vec<Value>> {
        match pair.clone().into_inner().next() {
            Some(list) if list.as_rule() == Rule::list => self.list(list),
            Some(one) => Some(vec![self.value(one)?]),
            None => self.bug(&pair),
        }
    }

    fn quantity(&mut self, pair: &Pair<'_>) -> Option<Quantity> {
        let (mut number, mut unit) = ("", Unit::None);
        for part in pair.clone().into_inner() {
            match part.as_rule() {
                Rule::money => (number, unit) = (part.as_str().trim_start_matches('$'), Unit::Dollar),
                Rule::number => number = part.as_str(),
                Rule::unit => unit = unit_of(part.as_str()),
                _ => return self.bug(&part),
            }
        }
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        let scale = number.split_once('.').map_or(0, |(_, behind)| behind.bytes().filter(u8::is_ascii_digit).count());
        match digits.parse() {
            Ok(value) if digits.len() <= MAX_DIGITS => Some(Quantity { digits: value, scale: scale as u8, unit }),
            _ => {
                let span = self.span(pair);
                self.error(
                    span,
                    format!("a number has at most {MAX_DIGITS} digits"),
                    format!("{} digits", digits.len()),
                )
            }
        }
    }

    fn time(&mut self, pair: &Pair<'_>) -> Option<u16> {
        let minutes = pair.as_str().split_once(':').and_then(|(hour, minute)| {
            let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
            (minute < 60).then_some(hour * 60 + minute).filter(|minutes| *minutes <= DAY)
        });
        match minutes {
            Some(minutes) => Some(minutes),
            None => {
                let span = self.span(pair);
                self.error(span, format!("`{}` is no time of day", pair.as_str()), "times run from `00:00` to `24:00`")
            }
        }
    }

    fn date(&mut self, pair: &Pair<'_>) -> Option<jiff::civil::Date> {
        match pair.as_str().parse() {
            Ok(date) => Some(date),
            Err(_) => {
                let span = self.span(pair);
                self.error(span, format!("`{}` is no date", pair.as_str()), "the calendar has no such day")
            }
        }
    }
}

/// `<` and its kin.
pub(super) fn compare(text: &str) -> CompareOp {
    match text {
        "<=" => CompareOp::AtMost,
        ">=" => CompareOp::AtLeast,
        ">" => CompareOp::Greater,
        _ => CompareOp::Less,
    }
}

fn unit_of(text: &str) -> Unit {
    match text {
        "%" => Unit::Percent,
        "ms" => Unit::Millisecond,
        "s" => Unit::Second,
        "m" => Unit::Minute,
        "h" => Unit::Hour,
        "d" => Unit::Day,
        "k" => Unit::Kilo,
        "M" => Unit::Mega,
        _ => Unit::None,
    }
}
