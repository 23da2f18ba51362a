//! Conditions (section 4.1): pairs to [`Cond`].
//!
//! In: pairs of `cond`. Out: conditions; R009 for operators of other languages, R908 for `and` beside `or`. Must not know:
//! what a subject is.

use super::grammar::{Pair, Rule};
use super::lower::{Lower, compare};
use crate::policy::ast::{Cond, CondKind, Relation, RelationKind, Subject, SubjectKind, Test};
use crate::policy::diagnostic::{Diagnostic, Edit, Fix, R009, R908};
use crate::policy::source::Span;

impl Lower<'_> {
    /// `a or b`
    pub fn cond(&mut self, pair: Pair<'_>) -> Option<Cond> {
        let span = self.span(&pair);
        let mut any = vec![];
        let mut whole = true;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::and_expr => match self.all(part) {
                    Some(cond) => any.push(cond),
                    None => whole = false,
                },
                Rule::KW_OR => {}
                Rule::foreign_or => self.foreign(&part, "or"),
                _ => return self.bug(&part),
            }
        }
        if !whole {
            return None;
        }
        if any.len() > 1 {
            self.mixed(span, &any);
        }
        Some(joined(span, any, CondKind::Any))
    }

    fn all(&mut self, pair: Pair<'_>) -> Option<Cond> {
        let span = self.span(&pair);
        let mut all = vec![];
        let mut whole = true;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::not_expr => match self.not(part) {
                    Some(cond) => all.push(cond),
                    None => whole = false,
                },
                Rule::KW_AND => {}
                Rule::foreign_and => self.foreign(&part, "and"),
                _ => return self.bug(&part),
            }
        }
        whole.then(|| joined(span, all, CondKind::All))
    }

    fn not(&mut self, pair: Pair<'_>) -> Option<Cond> {
        let span = self.span(&pair);
        let mut negated = false;
        for part in pair.clone().into_inner() {
            match part.as_rule() {
                Rule::KW_NOT => negated = true,
                Rule::foreign_not => {
                    negated = true;
                    self.foreign(&part, "not ");
                }
                Rule::not_expr => {
                    let inner = self.not(part)?;
                    return Some(if negated { Cond { span, kind: CondKind::Not(Box::new(inner)) } } else { inner });
                }
                Rule::paren => return self.paren(part),
                Rule::test => {
                    let kind = CondKind::Test(self.test(part)?);
                    return Some(Cond { span, kind });
                }
                _ => return self.bug(&part),
            }
        }
        self.bug(&pair)
    }

    fn paren(&mut self, pair: Pair<'_>) -> Option<Cond> {
        let span = self.span(&pair);
        match pair.clone().into_inner().find(|part| part.as_rule() == Rule::cond) {
            Some(cond) => {
                let inner = self.cond(cond)?;
                Some(Cond { span, kind: CondKind::Paren(Box::new(inner)) })
            }
            None => self.bug(&pair),
        }
    }

    fn test(&mut self, pair: Pair<'_>) -> Option<Test> {
        let (mut subject, mut relation) = (None, None);
        for part in pair.clone().into_inner() {
            match part.as_rule() {
                Rule::subject => subject = Some(self.subject(part)?),
                Rule::relation => relation = Some(self.relation(part)?),
                _ => return self.bug(&part),
            }
        }
        match subject {
            Some(subject) => Some(Test { subject, relation }),
            None => self.bug(&pair),
        }
    }

    /// What a test looks at.
    pub fn subject(&mut self, pair: Pair<'_>) -> Option<Subject> {
        let span = self.span(&pair);
        let mut parts = pair.clone().into_inner();
        let Some(first) = parts.next() else { return self.bug(&pair) };
        let kind = match first.as_rule() {
            Rule::name => SubjectKind::Name(first.as_str().to_owned()),
            Rule::KW_BUDGET => match parts.next() {
                Some(name) => SubjectKind::Budget(self.name(&name)),
                None => return self.bug(&pair),
            },
            Rule::KW_P95 | Rule::KW_ERRORS => {
                let of = parts.find(|part| part.as_rule() != Rule::KW_OF);
                let of = match of {
                    Some(of) => Some(self.value(of)?),
                    None => None,
                };
                SubjectKind::Metric { metric: self.name(&first), of }
            }
            _ => return self.bug(&first),
        };
        Some(Subject { span, kind })
    }

    /// How it looks at it.
    pub fn relation(&mut self, pair: Pair<'_>) -> Option<Relation> {
        let span = self.span(&pair);
        let (mut negated, mut op, mut word, mut operand) = (false, None, Rule::KW_IS, None);
        for part in pair.clone().into_inner() {
            match part.as_rule() {
                Rule::KW_NOT => negated = true,
                Rule::foreign_is => self.foreign(&part, "is"),
                Rule::foreign_is_not => {
                    negated = true;
                    self.foreign(&part, "is not");
                }
                Rule::cmp_word => op = Some(compare(part.as_str())),
                rule @ (Rule::KW_IS | Rule::KW_IN | Rule::KW_HAS | Rule::KW_LIKE) => word = rule,
                _ => operand = Some(part),
            }
        }
        let Some(operand) = operand else { return self.bug(&pair) };
        let kind = match (op, word) {
            (Some(op), _) => RelationKind::Compare { op, value: self.value(operand)? },
            (None, Rule::KW_IN) => RelationKind::In { negated, set: self.value(operand)? },
            (None, Rule::KW_HAS) => RelationKind::Has(self.value(operand)?),
            (None, Rule::KW_LIKE) => RelationKind::Like(self.string(&operand)?),
            (None, _) => RelationKind::Is { negated, value: self.value(operand)? },
        };
        Some(Relation { span, kind })
    }

    fn foreign(&mut self, pair: &Pair<'_>, word: &str) {
        let span = self.span(pair);
        self.findings.push(foreign_operator(span, pair.as_str(), word, self.text));
    }

    /// `and` binds tighter, and few readers are sure of it.
    fn mixed(&mut self, span: Span, any: &[Cond]) {
        let alls: Vec<&Cond> = any.iter().filter(|cond| matches!(cond.kind, CondKind::All(_))).collect();
        let Some(first) = alls.first() else { return };
        let edit = |at: u32, text: &str| Edit { span: Span { lo: at, hi: at, ..span }, text: text.to_owned() };
        let edits = alls.iter().flat_map(|cond| [edit(cond.span.lo, "("), edit(cond.span.hi, ")")]).collect();
        let mut finding = Diagnostic::new(&R908, span, "`and` and `or` stand side by side without parentheses")
            .here("`and` binds tighter than `or`")
            .label(first.span, "this is read as one alternative")
            .help("put each `and` group in parentheses");
        finding.fixes.push(Fix { safe: true, title: "add the parentheses it is read with".into(), edits });
        self.findings.push(finding);
    }
}

fn joined(span: Span, mut parts: Vec<Cond>, join: fn(Vec<Cond>) -> CondKind) -> Cond {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            Cond { span, kind: join(parts) }
        }
        None => Cond { span, kind: join(parts) },
    }
}

/// R009, with the word this language has for it. The edit keeps words apart that the operator did not need blanks for.
pub(super) fn foreign_operator(span: Span, written: &str, word: &str, text: &str) -> Diagnostic {
    let glued = |c: Option<char>| c.is_some_and(|c| !c.is_whitespace() && c != '(' && c != ')');
    let before = if glued(text[..span.lo as usize].chars().next_back()) { " " } else { "" };
    let after = if glued(text[span.hi as usize..].chars().next()) && !word.ends_with(' ') { " " } else { "" };
    let shown = word.trim_end();
    Diagnostic::new(&R009, span, format!("`{written}` is not an operator of this language"))
        .here(format!("here it is the word `{shown}`"))
        .help(format!("write `{shown}`"))
        .fix(true, format!("replace `{written}` by `{shown}`"), span, format!("{before}{word}{after}"))
}
