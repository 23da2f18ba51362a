//! Everything that moves beside the rules: rows first, so that conditions can name them; bodies once the rules are read.
//!
//! In: their declarations. Out: the tables of [`Moving`](super::super::checked::Moving), and a note for each that `serve` of this
//! version does not carry out. Must not know: what they do at run time.

use std::sync::Arc;

use super::super::ast::{Block, BlockStmt, ItemKind, Setting};
use super::super::checked::{
    Amount, Budget, Classifier, ColumnId, Guard, Implication, Judge, Limit, Period, Signal, Switch,
};
use super::super::source::{Span, Spanned};
use super::Resolver;
use super::classifiers::{CLASSIFIER_TIMEOUT, JUDGE_TIMEOUT};
use super::clauses::Line;
use super::header::settings;
use super::names::Sort;
use crate::units::Millis;

/// What is declared like this and acts by itself.
const PARTS: [Sort; 9] = [
    Sort::Budget,
    Sort::Classifier,
    Sort::Switch,
    Sort::Signal,
    Sort::Judge,
    Sort::Guard,
    Sort::Rollout,
    Sort::Drill,
    Sort::Guarantee,
];

impl<'a> Resolver<'a> {
    /// The rows that conditions and rules point at, before any of those is read.
    pub(super) fn moving(&mut self) {
        for sort in PARTS {
            for (name, span, item) in self.names.all(sort) {
                if let ItemKind::Decl { body, .. } = &item.kind {
                    self.declare(sort, name.into(), span, item.span, body);
                }
                // A guarantee is proven before loading, and planning drops what it forbids.
                if sort != Sort::Guarantee {
                    self.out.unsupported.push((format!("{} `{name}`", sort.word()), span));
                }
            }
        }
    }

    fn declare(&mut self, sort: Sort, name: Arc<str>, span: Span, whole: Span, body: &'a Block) {
        match sort {
            Sort::Budget => {
                let node = Limit { amount: Amount::Requests(u64::MAX), period: Period::Day };
                let limit = Spanned { node, span };
                let (covers, each, warn, carry) = (None, None, None, None);
                self.out.moving.budgets.push(Budget { name, span, whole, covers, limit, each, warn, carry });
            }
            Sort::Signal => {
                let (on_after, off_after) = (Signal::ON_AFTER, Signal::OFF_AFTER);
                let signal = Signal { name, span, whole, on: None, on_after, off: None, off_after, probe: None };
                self.out.moving.signals.push(signal);
            }
            Sort::Switch => {
                let (default, owner) = self.switch(&name, span, body);
                self.out.moving.switches.push(Switch { name, default, owner, span, whole });
            }
            Sort::Classifier => {
                let labels = self.labels(&name, span, body);
                let timeout = Spanned { node: CLASSIFIER_TIMEOUT, span };
                let (asked, floor, reads, cache, budget, guard) = (None, None, Vec::new(), None, None, None);
                let row = Classifier { name, span, whole, labels, asked, timeout, floor, reads, cache, budget, guard };
                self.out.moving.classifiers.push(row);
            }
            Sort::Judge => {
                let timeout = Spanned { node: JUDGE_TIMEOUT, span };
                let sample = Self::every_pair(span);
                let judge = Judge { name, span, whole, asked: None, rubric: None, sample, timeout, budget: None };
                self.out.moving.judges.push(judge);
            }
            Sort::Guard => self.out.moving.guards.push(Guard { name, span, whole, steps: Vec::new() }),
            _ => {}
        }
    }

    /// What stands inside the braces. Columns that are made here are no columns of the rules.
    pub(super) fn moving_bodies(&mut self) {
        let known = self.out.unsupported.len();
        self.each_body(Sort::Budget, Self::budget_body);
        self.each_body(Sort::Classifier, Self::classifier_body);
        self.each_body(Sort::Signal, Self::signal_body);
        self.each_body(Sort::Judge, Self::judge_body);
        self.each_body(Sort::Guard, Self::guard_body);
        self.rollouts();
        self.drills();
        self.guarantees();
        // The declaration is noted already.
        self.out.unsupported.truncate(known);
    }

    /// Every body with the position of its row.
    fn each_body(&mut self, sort: Sort, read: fn(&mut Self, usize, &'a Block)) {
        for (at, (_, _, item)) in self.names.all(sort).into_iter().enumerate() {
            if let ItemKind::Decl { body, .. } = &item.kind {
                read(self, at, body);
            }
        }
    }

    /// Where a switch stands and who may be asked; it must say where it stands.
    fn switch(&mut self, name: &str, span: Span, body: &'a Block) -> (bool, Option<Arc<str>>) {
        let (mut default, mut owner) = (None, None);
        for setting in settings(body) {
            match setting.key.node.as_str() {
                "default" => {
                    let value = self.desk.only(&mut Line::new(setting, "default off"));
                    let known = [("on", true), ("off", false)];
                    let read = value.and_then(|value| self.desk.one_of(value, "a switch", &known));
                    self.put(&mut default, "`default`", setting.span, read);
                }
                "owner" => {
                    let value = self.desk.only(&mut Line::new(setting, "owner \"who may flip it\""));
                    let read = value.and_then(|value| self.desk.string(value, "`owner`")).map(Arc::from);
                    self.put(&mut owner, "`owner`", setting.span, read);
                }
                _ => {}
            }
        }
        if !Self::says(body, "default") {
            self.missing(&format!("switch `{name}`"), span, "default", "default off");
        }
        (default.is_some_and(|said| said.node), owner.map(|said| said.node))
    }

    fn signal_body(&mut self, at: usize, body: &'a Block) {
        let (name, span) = (self.out.moving.signals[at].name.clone(), self.out.moving.signals[at].span);
        let (mut on, mut off, mut on_after, mut off_after, mut probe) = (None, None, None, None, None);
        for stmt in &body.stmts {
            match stmt {
                BlockStmt::Cond { key, cond } if key.node == "on when" => self.put_measured(&mut on, key, cond, &name),
                BlockStmt::Cond { key, cond } => self.put_measured(&mut off, key, cond, &name),
                BlockStmt::Setting(setting) => match setting.key.node.as_str() {
                    "on" => self.put_after(&mut on_after, setting, "on after 3m"),
                    "off" => self.put_after(&mut off_after, setting, "off after 10m"),
                    "probe" => {
                        let value = self.desk.only(&mut Line::new(setting, "probe 1%"));
                        let read = value.and_then(|value| self.desk.some_share(value, "`probe`"));
                        self.put(&mut probe, "`probe`", setting.span, read);
                    }
                    _ => {}
                },
                BlockStmt::Nested { .. } => {}
            }
        }
        for (word, form) in
            [("on when", "on when p95 of PROVIDER/ID > 9s"), ("off when", "off when p95 of PROVIDER/ID < 7s")]
        {
            if !Self::says(body, word) {
                self.missing(&format!("signal `{name}`"), span, word, form);
            }
        }
        let row = &mut self.out.moving.signals[at];
        (row.on, row.off, row.probe) = (on, off, probe);
        row.on_after = on_after.map_or(row.on_after, |said| said.node);
        row.off_after = off_after.map_or(row.off_after, |said| said.node);
    }

    /// `on after 3m`
    fn put_after(&mut self, slot: &mut Option<Spanned<Millis>>, setting: &'a Setting, form: &'static str) {
        let mut line = Line::new(setting, form);
        let what = format!("`{} after`", setting.key.node);
        let read = self.desk.expect(&mut line, "after").and_then(|()| self.desk.only(&mut line));
        let read = read.and_then(|value| self.desk.some_time(value, &what));
        self.put(slot, &what, setting.span, read);
    }

    /// Moves the columns from `rules` on aside, with what else is known to hold once they are there. Rules, and so decisions, look
    /// at none of them.
    pub(super) fn set_aside(&mut self, rules: usize) {
        let own = std::mem::take(&mut self.out.implications);
        self.implications();
        let known: rustc_hash::FxHashSet<_> = own.iter().map(fact_key).collect();
        let mut all = std::mem::replace(&mut self.out.implications, own);
        all.retain(|fact| !known.contains(&fact_key(fact)));
        self.out.beside.implications = all;
        self.out.beside.columns = self.out.columns.split_off(rules);
    }
}

/// What makes two facts the same.
fn fact_key(fact: &Implication) -> (ColumnId, String, ColumnId) {
    (fact.if_column, format!("{:?} {:?}", fact.if_values, fact.then_values), fact.then_column)
}
