//! Tests (section 10): pairs to [`TestStmt`]s and [`GivenFact`]s.
//!
//! In: pairs of test bodies. Out: statements. Must not know: what a test proves.

use super::grammar::{Pair, Rule};
use super::lower::Lower;
use super::statements::Place;
use crate::policy::ast::{GivenFact, Name, TableRow, TestStmt, TestStmtKind};

impl Lower<'_> {
    /// `{ statements }` of a test.
    pub fn test_body(&mut self, pair: Pair<'_>) -> Vec<TestStmt> {
        let mut body = vec![];
        for part in pair.into_inner() {
            let span = self.span(&part);
            let kind = match part.as_rule() {
                Rule::open | Rule::close => None,
                Rule::bad_stmt => self.bad_test_stmt(span),
                _ => self.or_bug(&part.clone(), |lower| lower.test_stmt(part)),
            };
            body.extend(kind.map(|kind| TestStmt { span, kind }));
        }
        body
    }

    fn test_stmt(&mut self, pair: Pair<'_>) -> Option<TestStmtKind> {
        let rule = pair.as_rule();
        let whole = pair.clone();
        let mut parts = pair.into_inner();
        match rule {
            Rule::given_item => Some(TestStmtKind::Given(self.given(parts.nth(1)?)?)),
            Rule::request_stmt => Some(TestStmtKind::Request(self.block(parts.nth(1)?, Place::Request))),
            Rule::expect_stmt => Some(TestStmtKind::Expect(self.values(parts.skip(1))?)),
            Rule::table_stmt => {
                let inputs = self.columns(parts.nth(1)?);
                let outputs = self.columns(parts.nth(1)?);
                let rows = self.rows(parts.next()?, inputs.len(), outputs.len());
                Some(TestStmtKind::Table { inputs, outputs, rows })
            }
            _ => self.bug(&whole),
        }
    }

    fn columns(&mut self, pair: Pair<'_>) -> Vec<Name> {
        pair.into_inner().map(|name| self.name(&name)).collect()
    }

    fn rows(&mut self, pair: Pair<'_>, inputs: usize, outputs: usize) -> Vec<TableRow> {
        let mut rows = vec![];
        for part in pair.into_inner() {
            let span = self.span(&part);
            match part.as_rule() {
                Rule::row => {
                    let Some(row) = self.or_bug(&part.clone(), |lower| lower.row(part)) else { continue };
                    let counts = [(row.inputs.len(), inputs, "left"), (row.outputs.len(), outputs, "right")];
                    match counts.into_iter().find(|(has, wants, _)| has != wants) {
                        Some((has, wants, side)) => {
                            let message =
                                format!("this row has {has} cells {side} of `->`, and the table {wants} columns");
                            self.error::<()>(span, message, format!("expected {wants}"));
                        }
                        None => rows.push(row),
                    }
                }
                Rule::bad_stmt => self.bad_row(span),
                _ => {}
            }
        }
        rows
    }

    fn row(&mut self, pair: Pair<'_>) -> Option<TableRow> {
        let span = self.span(&pair);
        let mut parts = pair.into_inner();
        let inputs = self.values(parts.next()?.into_inner());
        let outputs = self.values(parts.nth(1)?.into_inner());
        Some(TableRow { span, inputs: inputs?, outputs: outputs? })
    }

    /// What a `given` fixes.
    pub fn given(&mut self, pair: Pair<'_>) -> Option<GivenFact> {
        let whole = pair.clone();
        let mut parts = pair.into_inner();
        let first = parts.next()?;
        match first.as_rule() {
            Rule::KW_NOW => {
                let (date, time) = (parts.next()?, parts.next()?);
                let (date, time) = (self.value(date), self.value(time));
                Some(GivenFact::Now { date: date?, time: time? })
            }
            Rule::KW_ROLLOUT => {
                let name = self.name(&parts.next()?);
                Some(GivenFact::Rollout { name, stage: self.value(parts.nth(1)?)? })
            }
            Rule::subject => {
                let subject = self.subject(first)?;
                Some(GivenFact::Reading { subject, relation: self.relation(parts.next()?)? })
            }
            Rule::model_ref | Rule::word => {
                let who = self.value(first)?;
                let word = parts.next()?;
                match word.as_rule() {
                    Rule::KW_GIVES => Some(GivenFact::Gives { who, failures: self.names(parts.next()?)? }),
                    Rule::KW_CUTS => Some(GivenFact::Cuts { who, after: self.value(parts.nth(1)?)? }),
                    Rule::KW_IS => Some(GivenFact::Is { who, state: self.name(&parts.next()?) }),
                    _ => self.bug(&word),
                }
            }
            _ => self.bug(&whole),
        }
    }
}
