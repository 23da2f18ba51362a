//! What stands around a chain: guards, caches, shadows (sections 3.3, 6.2, 6.7).
//!
//! In: a guard's statements; `cache` and `shadow` of a rule. Out: their typed forms. Must not know: chains.

use super::super::ast::{Block, Model, Name, Setting, Value};
use super::super::checked::{
    BudgetId, Cache, GuardStep, JudgeId, OnFailure, Partition, SensitiveKind, Shadow, Side, Similarity, Step,
};
use super::super::diagnostic::{Diagnostic, R112};
use super::super::source::{Span, Spanned};
use super::Resolver;
use super::budgets::said;
use super::classifiers::is_empty;
use super::clauses::Line;
use super::header::settings;
use super::names::{Sort, unknown};
use super::values::members;
use crate::names::nearest;
use crate::units::{Millis, Share};

/// A guard's service that says nothing for this long has failed, where nothing else is written.
pub const WEBHOOK_TIMEOUT: Millis = Millis::secs(1);

impl<'a> Resolver<'a> {
    /// Fills a declared guard.
    pub(super) fn guard_body(&mut self, at: usize, body: &'a Block) {
        let mut steps: Vec<GuardStep> = Vec::new();
        for setting in settings(body) {
            match setting.key.node.as_str() {
                "redact" | "block" | "webhook" => steps.extend(self.guard_step(setting)),
                "timeout" => {
                    let value = self.desk.only(&mut Line::new(setting, "webhook NAME in both, timeout 300ms"));
                    let Some(time) = value.and_then(|value| self.desk.some_time(value, "`timeout`")) else { continue };
                    match steps.last_mut().map(|step| &mut step.step) {
                        Some(Step::Webhook { timeout, .. }) => *timeout = time,
                        _ => self.only_behind_webhook(setting),
                    }
                }
                "on" => {
                    let Some(what) = self.on_failure(setting) else { continue };
                    match steps.last_mut().map(|step| &mut step.step) {
                        Some(Step::Webhook { on_failure, .. }) => *on_failure = what,
                        _ => self.only_behind_webhook(setting),
                    }
                }
                _ => {}
            }
        }
        if is_empty(body) {
            let (name, span) = (self.out.moving.guards[at].name.clone(), self.out.moving.guards[at].span);
            let message = format!("guard `{name}` does nothing");
            let help = "add `redact [email] in request`, `block [secret] in answer` or `webhook NAME in both`";
            self.desk.report(Diagnostic::new(&super::super::diagnostic::R110, span, message).help(help));
        }
        self.out.moving.guards[at].steps = steps;
    }

    fn only_behind_webhook(&mut self, setting: &Setting) {
        let message = format!("`{}` belongs behind a `webhook`, and none is written above it", setting.key.node);
        self.misplaced(setting.span, message, "write `webhook NAME in both, timeout 300ms, on failure block`");
    }

    fn guard_step(&mut self, setting: &'a Setting) -> Option<GuardStep> {
        let form = match setting.key.node.as_str() {
            "redact" => "redact [email, phone] in request",
            "block" => "block [secret] in answer",
            _ => "webhook NAME in both",
        };
        let mut line = Line::new(setting, form);
        let value = self.desk.following(&mut line)?;
        let step = match line.key {
            "redact" => Step::Redact(self.each_of(value, "`redact`", Self::sensitive)?),
            "block" => Step::Block(self.each_of(value, "`block`", Self::sensitive)?),
            _ => {
                let name = self.desk.name(value, "`webhook`")?.into();
                Step::Webhook { name, timeout: WEBHOOK_TIMEOUT, on_failure: OnFailure::Block }
            }
        };
        self.desk.expect(&mut line, "in")?;
        let side = self.desk.only(&mut line)?;
        let known = [("request", Side::Request), ("answer", Side::Answer), ("both", Side::Both)];
        let side = self.desk.one_of(side, "the side of a guard", &known)?;
        Some(GuardStep { step, side, span: setting.span })
    }

    /// A kind, or a pattern of the runtime configuration, which nobody here knows. A name next to a kind is a misspelled kind: a
    /// guard that looks for nothing would be the worst of all silences.
    fn sensitive(&mut self, value: &'a Value) -> Option<SensitiveKind> {
        let word = self.desk.name(value, "a guard")?;
        if let Some(kind) = SensitiveKind::BUILT_IN.into_iter().find(|kind| kind.word() == word) {
            return Some(kind);
        }
        let built_in = SensitiveKind::BUILT_IN;
        let known: Vec<&str> = built_in.iter().map(SensitiveKind::word).collect();
        if !nearest(word, known.iter().copied()).is_empty() {
            let message = format!("there is no kind `{word}`");
            let finding = unknown(&R112, "kind", message, word, value.span, &known);
            self.desk
                .report(finding.note("a pattern of the runtime configuration must not be named almost like a kind"));
            return None;
        }
        Some(SensitiveKind::Pattern(word.into()))
    }

    fn on_failure(&mut self, setting: &'a Setting) -> Option<OnFailure> {
        let mut line = Line::new(setting, "on failure block");
        self.desk.expect(&mut line, "failure")?;
        let value = self.desk.only(&mut line)?;
        self.desk.one_of(value, "`on failure`", &[("block", OnFailure::Block), ("pass", OnFailure::Pass)])
    }

    /// `cache exact for 7d per [tenant, feature]`, `cache semantic 0.97 for 1h per [tenant]`
    pub(super) fn cache(
        &mut self,
        similarity: Option<&'a Value>,
        fresh: &'a Value,
        per: Option<&'a [Value]>,
        span: Span,
    ) -> Option<Cache> {
        let similarity = match similarity {
            None => Some(Similarity::Exact),
            Some(value) => self.similarity(value),
        };
        let fresh = self.desk.some_time(fresh, "`cache .. for`");
        let mut parts = Vec::new();
        for value in per.unwrap_or_default().iter().flat_map(members) {
            if let Some(part) = self.partition(value)
                && !parts.contains(&part)
            {
                parts.push(part);
            }
        }
        Some(Cache { similarity: similarity?, fresh: fresh?, per: parts, span })
    }

    fn similarity(&mut self, value: &'a Value) -> Option<Similarity> {
        let part = self.desk.ten_thousandths(value, "`cache semantic`", 10_000, &["%", ""])?;
        if part == 0 {
            let message = "a similarity of 0 makes every request the same as every other";
            self.desk.report(Diagnostic::new(&R112, value.span, message).help("write a number near 1, like `0.97`"));
            return None;
        }
        Some(Similarity::Semantic(Share(u16::try_from(part).unwrap_or(Share::WHOLE.0))))
    }

    fn partition(&mut self, value: &'a Value) -> Option<Partition> {
        const BUILT_IN: [(&str, Partition); 5] = [
            ("tenant", Partition::Tenant),
            ("user", Partition::User),
            ("plan", Partition::Plan),
            ("feature", Partition::Feature),
            ("residency", Partition::Residency),
        ];
        let word = self.desk.word(value, "`per`")?;
        if let Some((_, part)) = BUILT_IN.iter().find(|(own, _)| *own == word) {
            return Some(*part);
        }
        let built_in = BUILT_IN.map(|(own, _)| own);
        self.attribute_by_name(word, value.span, &built_in).map(Partition::Attribute)
    }

    /// `shadow 2% to M, keep 14d, budget lab, scored by answer_judge`
    pub(super) fn shadow(
        &mut self,
        (share, model): (&'a Value, &'a Model),
        keep: Option<&'a Value>,
        (budget, judge): (Option<&'a Name>, Option<&'a Name>),
        span: Span,
    ) -> Option<Shadow> {
        let share = self.desk.some_share(share, "`shadow`");
        let snapshot = Spanned { node: self.snapshot(model), span: model.span };
        let keep = keep.map(|value| self.desk.some_time(value, "`keep`"));
        let spanned = |name: Option<&Name>, at: Option<u16>| name.zip(at).map(|(name, at)| (at, name.span));
        let found = budget.and_then(|name| self.position_of(Sort::Budget, name));
        let budget = spanned(budget, found).map(|(at, span)| Spanned { node: BudgetId(at), span });
        let found = judge.and_then(|name| self.position_of(Sort::Judge, name));
        let scored_by = spanned(judge, found).map(|(at, span)| Spanned { node: JudgeId(at), span });
        let keep = match keep {
            None => None,
            Some(read) => Some(read?),
        };
        Some(Shadow { share: share?, snapshot, keep, budget, scored_by, span })
    }

    /// Whether a declaration says something, readable or not.
    pub(super) fn says(body: &Block, word: &str) -> bool {
        body.broken || said(body, word)
    }
}
