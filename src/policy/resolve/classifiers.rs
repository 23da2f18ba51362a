//! Classifiers and judges: who is asked, what it sees, for how long (sections 3.5, 6.2, 6.5).
//!
//! In: their statements. Out: the fields of [`Classifier`](super::super::checked::Classifier) and
//! [`Judge`](super::super::checked::Judge). Must not know: rules.

use std::sync::Arc;

use super::super::ast::{Block, BlockStmt, Setting, Value, ValueKind};
use super::super::checked::{Asked, BudgetId, GuardId, Read, Seen};
use super::super::diagnostic::{Diagnostic, R108, R112, R122};
use super::super::source::{Span, Spanned};
use super::Resolver;
use super::budgets::said;
use super::clauses::Line;
use super::header::settings;
use super::names::{Sort, unknown};
use super::values::members;
use crate::units::{Millis, Share, Tokens};

/// A label later than this is `unsure`, where a classifier does not say.
pub const CLASSIFIER_TIMEOUT: Millis = Millis::secs(1);
/// A score later than this does not count, where a judge does not say. No caller waits for it.
pub const JUDGE_TIMEOUT: Millis = Millis::secs(60);

/// What `snapshot` and `webhook` say, of whoever is asked.
const ASKED: &str = "`snapshot` or `webhook`";

impl<'a> Resolver<'a> {
    /// The labels, which conditions need before the rest is read.
    pub(super) fn labels(&mut self, name: &str, span: Span, body: &'a Block) -> Vec<Arc<str>> {
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
        if labels.is_empty() && !body.broken {
            self.missing(&format!("classifier `{name}`"), span, "labels", "labels [refund, other]");
        }
        labels.into_iter().map(|(label, _)| label).collect()
    }

    /// Fills a declared classifier.
    pub(super) fn classifier_body(&mut self, at: usize, body: &'a Block) {
        let (name, span) = (self.out.moving.classifiers[at].name.clone(), self.out.moving.classifiers[at].span);
        let (mut asked, mut timeout, mut floor, mut cache) = (None, None, None, None);
        let (mut budget, mut guard) = (None, None);
        let mut reads: Vec<Read> = Vec::new();
        for setting in settings(body) {
            match setting.key.node.as_str() {
                "snapshot" | "webhook" => self.asked(&mut asked, setting),
                "timeout" => self.put_time(&mut timeout, setting, "timeout 400ms"),
                "floor" => {
                    let value = self.desk.only(&mut Line::new(setting, "floor 70%"));
                    let read = value.and_then(|value| self.desk.share(value, "`floor`"));
                    self.put(&mut floor, "`floor`", setting.span, read);
                }
                "reads" => self.reads(&mut reads, setting),
                "cache" => {
                    let mut line = Line::new(setting, "cache for 5m");
                    let read = self.desk.expect(&mut line, "for").and_then(|()| self.desk.only(&mut line));
                    let read = read.and_then(|value| self.desk.some_time(value, "`cache for`"));
                    self.put(&mut cache, "`cache`", setting.span, read);
                }
                "budget" => self.put_budget(&mut budget, setting),
                "guard" => {
                    let value = self.desk.only(&mut Line::new(setting, "guard NAME"));
                    let read = value.and_then(|value| self.named(Sort::Guard, value)).map(GuardId);
                    self.put(&mut guard, "`guard`", setting.span, read);
                }
                _ => {}
            }
        }
        self.asks_somebody(&format!("classifier `{name}`"), span, body);
        if reads.is_empty() && !body.broken && !said(body, "reads") {
            self.missing(&format!("classifier `{name}`"), span, "reads", "reads last_message up to 2k");
        }
        let row = &mut self.out.moving.classifiers[at];
        (row.asked, row.floor, row.reads, row.cache) = (asked, floor, reads, cache);
        (row.budget, row.guard) = (budget, guard);
        row.timeout = timeout.unwrap_or(row.timeout);
    }

    /// Fills a declared judge.
    pub(super) fn judge_body(&mut self, at: usize, body: &'a Block) {
        let (name, span) = (self.out.moving.judges[at].name.clone(), self.out.moving.judges[at].span);
        let (mut asked, mut rubric, mut sample, mut timeout, mut budget) = (None, None, None, None, None);
        for setting in settings(body) {
            match setting.key.node.as_str() {
                "snapshot" | "webhook" => self.asked(&mut asked, setting),
                "rubric" => {
                    let read = self.rubric(setting);
                    self.put(&mut rubric, "`rubric`", setting.span, read);
                }
                "sample" => {
                    let value = self.desk.only(&mut Line::new(setting, "sample 5%"));
                    let read = value.and_then(|value| self.desk.some_share(value, "`sample`"));
                    self.put(&mut sample, "`sample`", setting.span, read);
                }
                "timeout" => self.put_time(&mut timeout, setting, "timeout 20s"),
                "budget" => self.put_budget(&mut budget, setting),
                _ => {}
            }
        }
        let what = format!("judge `{name}`");
        self.asks_somebody(&what, span, body);
        let model = asked.as_ref().is_some_and(|asked: &Spanned<Asked>| matches!(asked.node, Asked::Snapshot(_)));
        if model && !body.broken && !said(body, "rubric") {
            self.missing(&what, span, "rubric", "rubric \"what a good answer is\"");
        }
        let row = &mut self.out.moving.judges[at];
        (row.asked, row.rubric, row.budget) = (asked, rubric, budget);
        row.sample = sample.unwrap_or(row.sample);
        row.timeout = timeout.unwrap_or(row.timeout);
    }

    fn asked(&mut self, slot: &mut Option<Spanned<Asked>>, setting: &'a Setting) {
        let snapshot = setting.key.node == "snapshot";
        let form = if snapshot { "snapshot PROVIDER/ID" } else { "webhook NAME" };
        let read = self.desk.only(&mut Line::new(setting, form)).and_then(|value| {
            if snapshot {
                return self.model(value, "`snapshot`").map(Asked::Snapshot);
            }
            self.desk.name(value, "`webhook`").map(|name| Asked::Webhook(name.into()))
        });
        self.put(slot, ASKED, setting.span, read);
    }

    fn asks_somebody(&mut self, what: &str, span: Span, body: &Block) {
        if !body.broken && !said(body, "snapshot") && !said(body, "webhook") {
            self.missing(what, span, "snapshot", "snapshot PROVIDER/ID` or `webhook NAME");
        }
    }

    pub(super) fn put_time(&mut self, slot: &mut Option<Spanned<Millis>>, setting: &'a Setting, form: &'static str) {
        let what = format!("`{}`", setting.key.node);
        let value = self.desk.only(&mut Line::new(setting, form));
        let read = value.and_then(|value| self.desk.some_time(value, &what));
        self.put(slot, &what, setting.span, read);
    }

    fn put_budget(&mut self, slot: &mut Option<Spanned<BudgetId>>, setting: &'a Setting) {
        let value = self.desk.only(&mut Line::new(setting, "budget NAME"));
        let read = value.and_then(|value| self.budget_by_name(value));
        self.put(slot, "`budget`", setting.span, read);
    }

    /// `last_message up to 2k`, `[system, metadata.kind] up to 500`
    fn reads(&mut self, reads: &mut Vec<Read>, setting: &'a Setting) {
        let mut line = Line::new(setting, "reads last_message up to 2k");
        let Some(what) = self.desk.following(&mut line) else { return };
        let mut up_to = None;
        if line.skip("up") {
            if self.desk.expect(&mut line, "to").is_none() {
                return;
            }
            let Some(value) = self.desk.only(&mut line) else { return };
            let Some(tokens) = self.desk.tokens(value, "`up to`") else { return };
            if tokens == Tokens(0) {
                let finding = Diagnostic::new(&R112, value.span, "`up to 0` leaves nothing to read");
                return self.desk.report(finding.help("write how many tokens it sees, like `2k`"));
            }
            up_to = Some(tokens);
        } else if self.desk.end(&line).is_none() {
            return;
        }
        for value in members(what) {
            let Some(seen) = self.seen(value) else { continue };
            if let Some(first) = reads.iter().find(|read| read.seen == seen) {
                let finding = super::options::twice("this part", value.span, first.span);
                self.desk.report(finding);
                continue;
            }
            reads.push(Read { seen, up_to, span: value.span });
        }
    }

    fn seen(&mut self, value: &'a Value) -> Option<Seen> {
        let word = self.desk.word(value, "`reads`")?;
        match word {
            "last_message" => return Some(Seen::LastMessage),
            "system" => return Some(Seen::System),
            _ => {}
        }
        if let Some(key) = word.strip_prefix("metadata.").filter(|key| !key.is_empty()) {
            return Some(Seen::Metadata(key.into()));
        }
        let known = ["last_message", "system", "metadata.KEY"];
        let message = format!("a request has no part `{word}` that a classifier could read");
        self.desk.report(unknown(&R112, "part", message, word, value.span, &known));
        None
    }

    /// `rubric "text"` or `rubric from "file"`
    fn rubric(&mut self, setting: &'a Setting) -> Option<Arc<str>> {
        let mut line = Line::new(setting, "rubric \"what a good answer is\"");
        let file = line.skip("from");
        let value = self.desk.only(&mut line)?;
        let text = self.desk.string(value, "`rubric`")?;
        if !file {
            return Some(text.into());
        }
        let path = Spanned { node: text.to_owned(), span: value.span };
        self.fact(&path).map(|(_, text)| text.into())
    }

    /// What a classifier or a judge is until its body has been read.
    pub(super) const fn every_pair(span: Span) -> Spanned<Share> {
        Spanned { node: Share::WHOLE, span }
    }
}

/// Whether a value is a word.
pub(super) fn is_word(value: &Value, word: &str) -> bool {
    matches!(&value.kind, ValueKind::Word(own) if own == word)
}

/// Whether a block has statements at all besides those that did not parse.
pub(super) fn is_empty(body: &Block) -> bool {
    !body.broken && !body.stmts.iter().any(|stmt| !matches!(stmt, BlockStmt::Nested { .. }))
}
