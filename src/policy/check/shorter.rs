//! Conditions with something left out, as edits of their text: the fixes of R406 and R407.
//!
//! In: the trees and texts of a set, the place of what can go. Out: an edit. Must not know: why it can go.

use super::super::ast::{Cond, CondKind, ItemKind, RelationKind, RuleStmtKind, Test, Value, ValueKind};
use super::super::diagnostic::Edit;
use super::super::prove::Written;
use super::super::resolve::Loaded;
use super::super::source::{Sources, Span};

impl Written for Loaded {
    fn without_values(&self, test: Span, values: &[String]) -> Option<(Span, Edit)> {
        let list = self.conditions(test).find_map(|cond| list_of(cond, test))?;
        let ValueKind::List(items) = &list.kind else { return None };
        let named = |item: &&Value| values.iter().any(|value| *value == name(item, &self.sources));
        let (gone, left): (Vec<&Value>, Vec<&Value>) = items.iter().partition(named);
        // A name may stand for several values, as a group's does; and a comment has no place in what is put back.
        if gone.len() != values.len() || left.is_empty() || self.sources.text(list.span).contains('#') {
            return None;
        }
        let left: Vec<&str> = left.iter().map(|item| self.sources.text(item.span)).collect();
        let place = if let [one] = gone[..] { one.span } else { list.span };
        Some((place, Edit { span: list.span, text: format!("[{}]", left.join(", ")) }))
    }

    fn without_operand(&self, tests: Span) -> Option<Edit> {
        let span = self.conditions(tests).find_map(|cond| cut(cond, tests))?;
        (!self.sources.text(span).contains('#')).then(|| Edit { span, text: String::new() })
    }
}

impl Loaded {
    /// The conditions of rules that a place is in.
    fn conditions(&self, place: Span) -> impl Iterator<Item = &Cond> {
        let bodies = self.items().filter_map(|item| match &item.kind {
            ItemKind::Rule { body, .. } | ItemKind::Otherwise { body, .. } => Some(body),
            _ => None,
        });
        let conditions = bodies.flat_map(|body| &body.stmts).filter_map(|stmt| match &stmt.kind {
            RuleStmtKind::When(cond) => Some(cond),
            _ => None,
        });
        conditions
            .filter(move |cond| cond.span.file == place.file && cond.span.lo <= place.lo && place.hi <= cond.span.hi)
    }
}

/// A word or a string as conditions are said.
fn name<'a>(item: &'a Value, sources: &'a Sources) -> &'a str {
    match &item.kind {
        ValueKind::Word(text) | ValueKind::Str(text) => text,
        _ => sources.text(item.span),
    }
}

fn parts(cond: &Cond) -> &[Cond] {
    match &cond.kind {
        CondKind::Any(parts) | CondKind::All(parts) => parts,
        CondKind::Not(inner) | CondKind::Paren(inner) => std::slice::from_ref(&**inner),
        CondKind::Test(_) => &[],
    }
}

/// The list of the test at a place.
fn list_of(cond: &Cond, test: Span) -> Option<&Value> {
    match &cond.kind {
        CondKind::Test(Test { relation: Some(relation), .. }) if cond.span == test => match &relation.kind {
            RelationKind::In { set, .. } => Some(set),
            _ => None,
        },
        _ => parts(cond).iter().find_map(|part| list_of(part, test)),
    }
}

/// From the first test to the last.
fn tests_of(cond: &Cond) -> Span {
    match (&cond.kind, parts(cond)) {
        (CondKind::Test(_), _) | (_, []) => cond.span,
        (_, [first, .., last]) => tests_of(first).to(tests_of(last)),
        (_, [one]) => tests_of(one),
    }
}

/// The operand whose tests are these, with the `and` or `or` that joins it to its neighbor.
fn cut(cond: &Cond, tests: Span) -> Option<Span> {
    let parts = parts(cond);
    if let (CondKind::Any(_) | CondKind::All(_), Some(at)) =
        (&cond.kind, parts.iter().position(|part| tests_of(part) == tests))
    {
        return Some(match at {
            0 => Span { hi: parts[1].span.lo, ..parts[0].span },
            _ => Span { lo: parts[at - 1].span.hi, ..parts[at].span },
        });
    }
    parts.iter().find_map(|part| cut(part, tests))
}
