//! Budgets: `covers`, `limit`, `each`, `warn at`, `carry` (section 3.5).
//!
//! In: a budget's statements. Out: [`Budget`]'s fields. Must not know: what counts against it.

use super::super::ast::{Block, BlockStmt, Quantity, Setting, Unit, Value, ValueKind};
use super::super::checked::{Amount, Each, Limit, Period};
use super::super::diagnostic::{Diagnostic, R101, R111, R112};
use super::super::source::{Span, Spanned};
use super::Resolver;
use super::clauses::Line;
use super::names::{Sort, unknown};
use crate::units::Share;

const LIMIT: &str = "limit $120 per day";

impl<'a> Resolver<'a> {
    /// Fills a declared budget.
    pub(super) fn budget_body(&mut self, at: usize, body: &'a Block) {
        let name = self.out.moving.budgets[at].name.clone();
        let (mut covers, mut limit, mut each, mut warn, mut carry) = (None, None, None, None, None);
        for stmt in &body.stmts {
            match stmt {
                BlockStmt::Cond { key, cond } => self.put_clause(&mut covers, key, cond, &name),
                BlockStmt::Setting(setting) => match setting.key.node.as_str() {
                    "limit" => {
                        let read = self.limit(setting);
                        self.put(&mut limit, "`limit`", setting.span, read);
                    }
                    "each" => {
                        let read = self.each_counter(setting);
                        self.put(&mut each, "`each`", setting.span, read);
                    }
                    "warn" => {
                        let read = self.warn_at(setting);
                        self.put(&mut warn, "`warn`", setting.span, read);
                    }
                    "carry" => {
                        let mut line = Line::new(setting, "carry 10%");
                        let read = self.desk.only(&mut line).and_then(|value| self.desk.some_share(value, "`carry`"));
                        self.put(&mut carry, "`carry`", setting.span, read);
                    }
                    _ => {}
                },
                BlockStmt::Nested { .. } => {}
            }
        }
        let tried = body.broken || said(body, "limit");
        if limit.is_none() && !tried {
            let span = self.out.moving.budgets[at].span;
            self.missing(&format!("budget `{name}`"), span, "limit", LIMIT);
        }
        let budget = &mut self.out.moving.budgets[at];
        (budget.covers, budget.each, budget.warn, budget.carry) = (covers, each, warn, carry);
        if let Some(limit) = limit {
            budget.limit = limit;
        }
    }

    /// `$120 per day`, `3M tokens per week`, `500 requests per month`
    fn limit(&mut self, setting: &'a Setting) -> Option<Limit> {
        let mut line = Line::new(setting, LIMIT);
        let value = self.desk.following(&mut line)?;
        let amount = match value.kind {
            ValueKind::Quantity(Quantity { unit: Unit::Dollar, .. }) => Amount::Usd(self.desk.money(value, "`limit`")?),
            _ if line.skip("tokens") => Amount::Tokens(self.desk.tokens(value, "`limit`")?),
            _ if line.skip("requests") => Amount::Requests(self.desk.number(value, "`limit`", "requests")?),
            ValueKind::Quantity(_) => {
                let text = self.desk.text(value.span);
                let message = format!("`limit {text}` does not say what it counts");
                let finding =
                    Diagnostic::new(&R111, value.span, message).here("a budget counts `$`, tokens or requests");
                self.desk.report(finding.help(format!("write `{text} tokens` or `{text} requests`")));
                return None;
            }
            _ => return self.desk.mismatch(value, "`limit`", "an amount, like `$120` or `3M tokens`"),
        };
        if matches!(amount, Amount::Tokens(tokens) if tokens.0 == 0) || amount == Amount::Requests(0) {
            let finding = Diagnostic::new(&R112, value.span, "`limit` is 0, so the budget would always be spent");
            self.desk.report(finding.help("write an amount above 0, or `reject` the requests"));
            return None;
        }
        self.desk.expect(&mut line, "per")?;
        let period = self.desk.following(&mut line)?;
        let known = Period::ALL.map(|period| (period.word(), period));
        let period = self.desk.one_of(period, "the period of a limit", &known)?;
        self.desk.end(&line)?;
        Some(Limit { amount, period })
    }

    fn each_counter(&mut self, setting: &'a Setting) -> Option<Each> {
        let value = self.desk.only(&mut Line::new(setting, "each tenant"))?;
        let word = self.desk.word(value, "`each`")?;
        Some(match word {
            "tenant" => Each::Tenant,
            "user" => Each::User,
            "feature" => Each::Feature,
            _ => Each::Attribute(self.attribute_by_name(word, value.span, &["tenant", "user", "feature"])?),
        })
    }

    /// An attribute where some built-in words stand too; R101.
    pub(super) fn attribute_by_name(&mut self, word: &'a str, span: Span, built_in: &[&'static str]) -> Option<u16> {
        let at = self.out.attributes.iter().position(|attribute| *attribute.name == *word);
        if let Some(at) = at {
            self.names.find(Sort::Attribute, word);
            return Some(at as u16);
        }
        if self.names.is_broken(word) {
            return None;
        }
        let attributes = self.out.attributes.iter().map(|attribute| &*attribute.name);
        let known: Vec<&str> = built_in.iter().copied().chain(attributes).collect();
        let message = format!("there is no attribute `{word}`");
        let finding = unknown(&R101, "attribute", message, word, span, &known);
        self.desk.report(finding);
        None
    }

    fn warn_at(&mut self, setting: &'a Setting) -> Option<Share> {
        let mut line = Line::new(setting, "warn at 80%");
        self.desk.expect(&mut line, "at")?;
        let value = self.desk.only(&mut line)?;
        let share = self.desk.some_share(value, "`warn at`")?;
        if share == Share::WHOLE {
            let message = "`warn at 100%` is never seen: there the budget is spent";
            self.desk.report(Diagnostic::new(&R112, value.span, message).help("write a share below 100%, like `80%`"));
            return None;
        }
        Some(share)
    }

    /// `budget lab`, or the same behind another statement.
    pub(super) fn budget_by_name(&mut self, value: &'a Value) -> Option<super::super::checked::BudgetId> {
        let at = self.named(Sort::Budget, value)?;
        Some(super::super::checked::BudgetId(at))
    }

    /// The position of a declaration that a statement names, in its table; R107.
    pub(super) fn named(&mut self, sort: Sort, value: &'a Value) -> Option<u16> {
        let word = self.desk.name(value, &format!("`{}`", sort.word()))?;
        let name = Spanned { node: word.to_owned(), span: value.span };
        self.position_of(sort, &name)
    }

    /// The same for a name the parser has split off.
    pub(super) fn position_of(&mut self, sort: Sort, name: &Spanned<String>) -> Option<u16> {
        self.names.want(sort, name, &mut self.desk)?;
        let moving = &self.out.moving;
        let word = name.node.as_str();
        let at = match sort {
            Sort::Budget => moving.budgets.iter().position(|one| *one.name == *word),
            Sort::Judge => moving.judges.iter().position(|one| *one.name == *word),
            Sort::Guard => moving.guards.iter().position(|one| *one.name == *word),
            Sort::Rollout => moving.rollouts.iter().position(|one| *one.name == *word),
            _ => None,
        };
        at.map(|at| at as u16)
    }
}

/// Whether a block has a statement that begins with this word, readable or not.
pub(super) fn said(body: &Block, word: &str) -> bool {
    body.stmts.iter().any(|stmt| match stmt {
        BlockStmt::Setting(setting) => setting.key.node == word,
        BlockStmt::Cond { key, .. } | BlockStmt::Nested { key, .. } => key.node == word,
    })
}
