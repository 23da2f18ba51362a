//! Budgets, switches, signals, classifiers and the rest that moves beside the rules.
//!
//! In: their declarations. Out: the tables conditions point into, the names they use, and a note for each that this version
//! does not carry out. Must not know: what they do at run time.

use std::sync::Arc;

use super::super::ast::{Block, BlockStmt, ItemKind, Name, Setting, Value, ValueKind};
use super::super::checked::{Classifier, Named, Switch};
use super::super::diagnostic::{Diagnostic, R108, R110, R122};
use super::super::source::Span;
use super::Resolver;
use super::header::settings;
use super::names::Sort;
use super::values::members;

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
    /// The tables, before any condition is read.
    pub(super) fn moving(&mut self) {
        for sort in PARTS {
            for (name, span, item) in self.names.all(sort) {
                let ItemKind::Decl { body, .. } = &item.kind else { continue };
                let named = || Named { name: name.into(), span };
                match sort {
                    Sort::Budget => self.out.moving.budgets.push(named()),
                    Sort::Signal => self.out.moving.signals.push(named()),
                    Sort::Switch => {
                        let default = self.switch_default(body);
                        self.out.moving.switches.push(Switch { name: name.into(), default, span });
                    }
                    Sort::Classifier => {
                        let labels = self.labels(body);
                        self.out.moving.classifiers.push(Classifier { name: name.into(), labels, span });
                    }
                    _ => {}
                }
                self.out.unsupported.push((format!("{} `{name}`", sort.word()), span));
            }
        }
    }

    fn switch_default(&mut self, body: &'a Block) -> bool {
        let Some(value) = settings(body).find(|setting| setting.key.node == "default").and_then(|s| s.values.first())
        else {
            return false;
        };
        match &value.kind {
            ValueKind::Word(word) if word == "on" || word == "off" => word == "on",
            _ => {
                let message = format!("a switch is `on` or `off`, never `{}`", self.desk.text(value.span));
                self.desk.report(Diagnostic::new(&R110, value.span, message).help("write `default off`"));
                false
            }
        }
    }

    fn labels(&mut self, body: &'a Block) -> Vec<Arc<str>> {
        let mut labels: Vec<(Arc<str>, Span)> = Vec::new();
        let values = settings(body).filter(|setting| setting.key.node == "labels").flat_map(|setting| &setting.values);
        for value in values.flat_map(members) {
            let Some(word) = self.desk.name(value, "`labels`") else { continue };
            if word == "unsure" {
                let message = "`unsure` is what a classifier says when it cannot tell, so it is no label";
                self.desk.report(Diagnostic::new(&R122, value.span, message).help("leave `unsure` out"));
            } else if let Some((_, first)) = labels.iter().find(|(label, _)| **label == *word) {
                let message = format!("label `{word}` is listed twice");
                self.desk.report(Diagnostic::new(&R108, value.span, message).label(*first, "first listed here"));
            } else {
                labels.push((word.into(), value.span));
            }
        }
        labels.into_iter().map(|(label, _)| label).collect()
    }

    /// Conditions and names inside the bodies. Their columns are no columns of the rules, so this runs where columns are
    /// dropped again.
    pub(super) fn moving_bodies(&mut self) {
        let known = self.out.unsupported.len();
        for sort in PARTS {
            for (_, _, item) in self.names.all(sort) {
                if let ItemKind::Decl { body, .. } = &item.kind {
                    self.moving_body(body);
                }
            }
        }
        // The declaration is noted already.
        self.out.unsupported.truncate(known);
    }

    fn moving_body(&mut self, body: &'a Block) {
        for stmt in &body.stmts {
            match stmt {
                // The metrics of `halt when`, `on when` and `off when` are no subjects of rules.
                BlockStmt::Cond { key, cond } if matches!(key.node.as_str(), "covers" | "where" | "for") => {
                    self.cond(cond);
                }
                BlockStmt::Cond { .. } => {}
                BlockStmt::Nested { block, .. } => self.moving_body(block),
                BlockStmt::Setting(setting) => self.moving_setting(setting),
            }
        }
    }

    /// `budget lab`, `guard pii`, `after first_rollout`, `scored by answer_judge`, `never tier [small]`, and models anywhere.
    fn moving_setting(&mut self, setting: &'a Setting) {
        let key = &setting.key;
        for value in setting.values.iter().flat_map(members) {
            if let ValueKind::Model(model) = &value.kind {
                self.judged(model);
            }
        }
        match key.node.as_str() {
            "budget" => self.moving_name(Sort::Budget, setting.values.first()),
            "guard" => self.moving_name(Sort::Guard, setting.values.first()),
            "after" => self.moving_name(Sort::Rollout, setting.values.first()),
            _ => {}
        }
        let mut words: Vec<(&str, Span)> = vec![(key.node.as_str(), key.span)];
        words.extend(setting.values.iter().map(|value| match &value.kind {
            ValueKind::Word(word) => (word.as_str(), value.span),
            _ => ("", value.span),
        }));
        for (at, value) in setting.values.iter().enumerate() {
            match (words[at].0, at) {
                ("tier", _) => members(value).iter().for_each(|value| self.moving_name(Sort::Tier, Some(value))),
                ("by", _) if at > 0 && words[at - 1].0 == "scored" => self.moving_name(Sort::Judge, Some(value)),
                ("budget", 1..) => self.moving_name(Sort::Budget, Some(value)),
                _ => {}
            }
        }
    }

    fn moving_name(&mut self, sort: Sort, value: Option<&'a Value>) {
        if let Some(value) = value
            && let ValueKind::Word(word) = &value.kind
        {
            let name = Name { node: word.clone(), span: value.span };
            self.names.want(sort, &name, &mut self.desk);
        }
    }
}
