//! Rules and `otherwise`, in page order.
//!
//! In: statements. Out: [`Rule`]s; R317, R318 and statements that stand twice. Must not know: how a tier expands.

use std::sync::Arc;

use super::super::ast::{
    self, HopOption, HopRef, Intent, ItemKind, Name, OnCut, Order, RuleBody, RuleStmt, RuleStmtKind, Setting, TierName,
    Value, ValueKind,
};
use super::super::checked::{
    Chain, ChainOrigins, Cond, Degrade, Extras, GuardId, Hold, Outcome, Rule, Scope, TemplateId, WrittenAt,
};
use super::super::diagnostic::{Diagnostic, Level, R001, R002, R108, R112, R307, R317, R318, R507};
use super::super::source::{Span, Spanned};
use super::Resolver;
use super::names::Sort;
use super::options::{Written, twice};
use super::values::members;
use crate::units::Millis;

/// Days before a rule expires at which it is warned about.
const EXPIRY_WARNING: i32 = 14;

/// `tier T, cheapest, timeout 5s`
pub(super) struct TierStmt<'a> {
    pub tier: &'a TierName,
    pub order: Option<Spanned<Order>>,
    pub options: &'a [HopOption],
    pub span: Span,
    pub keyword: Span,
}

/// `snapshot M, opts` (no intent, not a fallback) or `fallback lower M, opts`.
pub(super) struct HopStmt<'a> {
    pub fallback: bool,
    pub intent: Option<Spanned<Intent>>,
    pub hop: &'a HopRef,
    pub options: &'a [HopOption],
    pub span: Span,
    pub keyword: Span,
}

/// A rule's or a ladder's statements, sorted by what they say.
#[derive(Default)]
pub(super) struct Draft<'a> {
    pub when: Option<(&'a ast::Cond, Span)>,
    pub because: Option<(&'a str, Span)>,
    pub tier: Option<TierStmt<'a>>,
    pub hops: Vec<HopStmt<'a>>,
    pub ladder: Option<(&'a Name, Span)>,
    pub degrade: Vec<(Option<Degrade>, Span)>,
    pub reject: Option<(u16, Option<Arc<str>>, Span)>,
    pub hold: Option<(Option<Hold>, Span)>,
    pub on_cut: Option<(OnCut, Span)>,
    pub deadline: Option<(Millis, Span)>,
    pub written: Written,
    pub tags: Vec<Arc<str>>,
    pub extras: Extras,
    /// A statement did not parse: what is absent may only be unreadable.
    pub broken: bool,
}

impl<'a> Resolver<'a> {
    pub(super) fn rules(&mut self) {
        let mut otherwise: Option<Span> = None;
        for item in self.loaded.items() {
            match &item.kind {
                ItemKind::Rule { name, body } => self.rule(name, item.span, body),
                ItemKind::Otherwise { keyword, body } => {
                    if let Some(first) = otherwise {
                        let message = "a set has one `otherwise`, and this is the second";
                        let finding = Diagnostic::new(&R108, *keyword, message).label(first, "the first");
                        self.desk.report(finding.help("delete one of the two, or give it a name: `rule NAME { .. }`"));
                        continue;
                    }
                    otherwise = Some(*keyword);
                    self.otherwise(*keyword, item.span, body);
                }
                _ => {}
            }
        }
        // A ladder that no rule uses is read once, so that its findings are made.
        for (name, _, item) in self.names.all(Sort::Ladder) {
            if let ItemKind::Ladder { body, .. } = &item.kind {
                self.ladder_alone(name, body);
            }
        }
        // A ladder's line is noted for each rule that uses it; it is one construct.
        self.out.unsupported.sort_by(|a, b| (a.1.file, a.1.lo, &a.0).cmp(&(b.1.file, b.1.lo, &b.0)));
        self.out.unsupported.dedup();
    }

    fn rule(&mut self, name: &'a Name, whole: Span, body: &'a RuleBody) {
        let draft = self.draft(body, &name.node, Scope::Rule);
        let (when, when_span) = match draft.when {
            None => (Cond::True, None),
            // Without its condition a rule would take every request, so a rule with a broken one takes none.
            Some((cond, _)) => {
                let read = self.cond(cond).filter(|read| self.small_enough(read, &name.node, cond.span));
                (read.unwrap_or(Cond::Any(Vec::new())), Some(cond.span))
            }
        };
        self.finish(name.node.as_str().into(), name.span, whole, when, when_span, draft);
    }

    fn otherwise(&mut self, keyword: Span, whole: Span, body: &'a RuleBody) {
        let draft = self.draft(body, "otherwise", Scope::Rule);
        if let Some((_, span)) = draft.when {
            let message = "`otherwise` takes every request that is left, so it has no `when`";
            let finding = Diagnostic::new(&R002, span, message);
            self.desk.report(finding.help("delete `when`, or make it a rule: `rule NAME { .. }`"));
        }
        self.finish("otherwise".into(), keyword, whole, Cond::True, None, draft);
    }

    fn finish(
        &mut self,
        name: Arc<str>,
        span: Span,
        whole: Span,
        when: Cond,
        when_span: Option<Span>,
        draft: Draft<'a>,
    ) {
        self.judge_outcome(&name, span, &draft);
        let because = draft.because.map(|(text, _)| text.into());
        let tags = draft.tags.clone();
        let outcome = match &draft.reject {
            Some((status, message, _)) => Outcome::Reject { status: *status, message: message.clone() },
            None => Outcome::Chain(self.chain(&name, draft)),
        };
        self.out.rules.push(Rule { name, span, whole, because, when, when_span, outcome, tags });
    }

    /// R317 and R318.
    fn judge_outcome(&mut self, name: &str, span: Span, draft: &Draft<'a>) {
        let first = draft.tier.as_ref().map(|tier| tier.keyword);
        let hops = draft.hops.iter().map(|hop| hop.keyword);
        let mut chain: Vec<Span> = first
            .into_iter()
            .chain(hops)
            .chain(draft.ladder.map(|(_, span)| span))
            .chain(draft.degrade.iter().map(|d| d.1))
            .collect();
        chain.sort();
        if let (Some((_, _, reject)), Some(first)) = (&draft.reject, chain.first()) {
            let message = format!("`{name}` refuses the request and has a chain as well");
            let finding = Diagnostic::new(&R317, *reject, message)
                .here("refuses now")
                .label(*first, "can never run")
                .help("delete `reject`, or delete the chain");
            self.desk.report(finding);
        }
        if draft.reject.is_none() && chain.is_empty() && !draft.broken {
            let message = format!("`{name}` decides nothing");
            let help = "add `tier ..`, `ladder ..`, `degrade ..` or `reject ..`";
            self.desk.report(Diagnostic::new(&R318, span, message).help(help));
        }
    }

    fn chain(&mut self, name: &str, mut draft: Draft<'a>) -> Chain {
        let expanded = self.expanded(name, &draft);
        let mut degrade = expanded.degrade;
        degrade.extend(std::mem::take(&mut draft.degrade).into_iter().filter_map(|(step, _)| step));
        let known = |(hold, span): (Option<Hold>, Span)| Some((hold?, span));
        let hold = nearest(draft.hold.and_then(known), expanded.hold.and_then(known), self.conduct.hold);
        let on_cut = nearest(draft.on_cut, expanded.on_cut, self.conduct.on_cut);
        let (deadline, deadline_at) = self.deadline(draft.deadline);
        Chain {
            promise: expanded.promise,
            order: expanded.order,
            hops: expanded.hops,
            degrade,
            hold: hold.map_or(Hold::FirstToken, |(hold, _)| hold),
            on_cut: on_cut.map_or(OnCut::Error, |(mode, _)| mode),
            deadline,
            origins: ChainOrigins {
                hold: hold.map(|(_, at)| at),
                on_cut: on_cut.map(|(_, at)| at),
                deadline: deadline_at,
            },
            extras: draft.extras,
        }
    }

    /// The lesser of what the rule and the header say, and where it is written.
    fn deadline(&self, own: Option<(Millis, Span)>) -> (Millis, Option<WrittenAt>) {
        match own {
            Some((own, span)) if own <= self.out.deadline => (own, Some(WrittenAt { scope: Scope::Rule, span })),
            _ => (self.out.deadline, self.deadline_at.map(|span| WrittenAt { scope: Scope::Header, span })),
        }
    }

    /// Sorts statements; a statement that stands twice keeps its first.
    pub(super) fn draft(&mut self, body: &'a RuleBody, owner: &str, scope: Scope) -> Draft<'a> {
        let mut draft = Draft { broken: body.broken, ..Draft::default() };
        for stmt in &body.stmts {
            self.stmt(&mut draft, stmt, owner, scope);
        }
        draft
    }

    fn stmt(&mut self, draft: &mut Draft<'a>, stmt: &'a RuleStmt, owner: &str, scope: Scope) {
        let span = stmt.keyword;
        let whole = stmt.span;
        match &stmt.kind {
            RuleStmtKind::When(cond) => self.single(&mut draft.when, (cond, span), "`when`"),
            RuleStmtKind::Because(text) => self.single(&mut draft.because, (&*text.node, span), "`because`"),
            RuleStmtKind::Tier { tier, order, options } => {
                let line = TierStmt { tier, order: *order, options, span: whole, keyword: span };
                match &draft.tier {
                    Some(first) => self.desk.report(twice("`tier`", span, first.keyword)),
                    None => draft.tier = Some(line),
                }
            }
            RuleStmtKind::Snapshot { hop, options } => {
                let line = HopStmt { fallback: false, intent: None, hop, options, span: whole, keyword: span };
                self.hop(draft, line);
            }
            RuleStmtKind::Fallback { intent, hop, options } => {
                let line = HopStmt { fallback: true, intent: *intent, hop, options, span: whole, keyword: span };
                self.hop(draft, line);
            }
            RuleStmtKind::Ladder(name) => self.single(&mut draft.ladder, (name, span), "`ladder`"),
            RuleStmtKind::Degrade(step) => {
                let step = self.degrade(step);
                draft.degrade.push((step, span));
            }
            RuleStmtKind::Reject { status, message } => {
                let code = self.status(status);
                let message = message.as_ref().map(|message| message.node.as_str().into());
                match &draft.reject {
                    Some((_, _, first)) => self.desk.report(twice("`reject`", span, *first)),
                    None => draft.reject = Some((code, message, span)),
                }
            }
            RuleStmtKind::NoCache => draft.extras.no_cache = draft.extras.no_cache.or(Some(whole)),
            RuleStmtKind::Cache { similarity, fresh, per } => {
                if similarity.is_some() {
                    self.out.unsupported.push(("`cache semantic`".into(), whole));
                }
                let cache = self.cache(similarity.as_ref(), fresh, per.as_deref(), whole);
                self.keep(&mut draft.extras.cache, cache, "`cache`", |one| one.span);
            }
            RuleStmtKind::Shadow { share, model, keep, budget, scored } => {
                self.out.unsupported.push(("`shadow`".into(), whole));
                let pays = (budget.as_ref(), scored.as_ref());
                let shadow = self.shadow((share, model), keep.as_ref(), pays, whole);
                self.keep(&mut draft.extras.shadow, shadow, "`shadow`", |one| one.span);
            }
            RuleStmtKind::Guard(values) => self.guards(draft, values, whole),
            RuleStmtKind::Hold(hold) => {
                let hold = self.hold(hold);
                self.single(&mut draft.hold, (hold, span), "`hold`");
            }
            RuleStmtKind::OnCut(mode) => self.single(&mut draft.on_cut, (mode.node, span), "`on cut`"),
            RuleStmtKind::Setting(setting) => self.rule_setting(draft, setting, owner, scope),
        }
    }

    /// The second of two is R108.
    fn keep<T>(&mut self, slot: &mut Option<T>, value: Option<T>, what: &str, place: fn(&T) -> Span) {
        match (slot.as_ref(), &value) {
            (Some(first), Some(second)) => {
                let finding = twice(what, place(second), place(first));
                self.desk.report(finding);
            }
            (None, _) => *slot = value,
            (Some(_), None) => {}
        }
    }

    fn single<T>(&mut self, slot: &mut Option<(T, Span)>, value: (T, Span), what: &str) {
        match slot {
            Some((_, first)) => {
                let first = *first;
                let mut finding = twice(what, value.1, first);
                if what == "`when`" {
                    finding = finding.help("join the two with `and`");
                }
                self.desk.report(finding);
            }
            None => *slot = Some(value),
        }
    }

    /// R307, and hops beside a ladder.
    fn hop(&mut self, draft: &mut Draft<'a>, line: HopStmt<'a>) {
        if let Some((_, degrade)) = draft.degrade.first() {
            let text = self.desk.text(line.span).split_whitespace().collect::<Vec<_>>().join(" ");
            let finding = Diagnostic::new(&R307, line.span, "a hop behind `degrade` can never run")
                .label(*degrade, "the answer is given here")
                .help(format!("move `{text}` above `degrade`"));
            self.desk.report(finding);
        }
        if !line.fallback
            && let Some(first) = draft.hops.iter().find(|hop| !hop.fallback)
        {
            let finding = twice("`snapshot`", line.keyword, first.keyword);
            self.desk.report(finding.help("a rule has one first choice; write the other as `fallback peer ..`"));
            return;
        }
        draft.hops.push(line);
    }

    fn guards(&mut self, draft: &mut Draft<'a>, values: &'a [Value], whole: Span) {
        for value in values {
            let Some(at) = self.named(Sort::Guard, value) else { continue };
            let node = GuardId(at);
            if let Some(first) = draft.extras.guards.iter().find(|guard| guard.node == node) {
                let finding = twice("this guard", value.span, first.span);
                self.desk.report(finding);
                continue;
            }
            draft.extras.guards.push(Spanned { node, span: value.span });
        }
        self.out.unsupported.push(("`guard`".into(), whole));
    }

    fn rule_setting(&mut self, draft: &mut Draft<'a>, setting: &'a Setting, owner: &str, scope: Scope) {
        match setting.key.node.as_str() {
            "deadline" => {
                if let Some(value) = setting.values.first() {
                    draft.deadline = self.desk.some_time(value, "`deadline`").map(|time| (time, setting.span));
                }
            }
            "tag" => {
                for value in setting.values.iter().flat_map(members) {
                    if let ValueKind::Word(tag) | ValueKind::Str(tag) = &value.kind {
                        draft.tags.push(tag.as_str().into());
                    }
                }
            }
            "owner" => {
                if let Some(value) = setting.values.first() {
                    self.desk.string(value, "`owner`");
                }
            }
            "expires" => self.expires(setting, owner),
            _ => self.written_setting(&mut draft.written, setting, scope),
        }
    }

    /// The day is only judged; it never changes routing.
    fn expires(&mut self, setting: &'a Setting, owner: &str) {
        let Some(value) = setting.values.first() else { return };
        let ValueKind::Date(day) = value.kind else {
            self.desk.mismatch::<()>(value, "`expires`", "a date, like `2027-01-31`");
            return;
        };
        let left = (day - self.ctx.today).get_days();
        let days = if left.abs() == 1 { "day" } else { "days" };
        let help = "delete the rule, or write a later day";
        if left < 0 {
            let title = format!("`{owner}` expired {} {days} ago ({day})", -left);
            self.desk.report(Diagnostic::new(&R507, value.span, title).help(help));
        } else if left <= EXPIRY_WARNING {
            let title = format!("`{owner}` expires in {left} {days} ({day})");
            self.desk.report(Diagnostic::new(&R507, value.span, title).level(Level::Warning).help(help));
        }
    }

    /// R112 for statuses no caller could read as an error.
    fn status(&mut self, status: &Spanned<u32>) -> u16 {
        if (400..=599).contains(&status.node) {
            return status.node as u16;
        }
        let message = format!("`{}` is no status of an error; they run from 400 to 599", status.node);
        self.desk.report(Diagnostic::new(&R112, status.span, message).help("write a status like `403` or `503`"));
        503
    }

    fn degrade(&mut self, step: &'a ast::Degrade) -> Option<Degrade> {
        match step {
            ast::Degrade::Template(name) => {
                self.names.want(Sort::Template, name, &mut self.desk)?;
                let at = self.out.templates.iter().position(|template| *template.name == *name.node)?;
                Some(Degrade::Template(TemplateId(at as u16)))
            }
            ast::Degrade::Cached(up_to) => {
                let up_to = match up_to {
                    Some(value) => self.desk.some_time(value, "`up to`")?,
                    None => Millis::MAX,
                };
                Some(Degrade::Cached { up_to })
            }
            ast::Degrade::Queue { name, within } => {
                let known = self.names.want(Sort::Queue, name, &mut self.desk).is_some();
                let within = match within {
                    Some(value) => Some(self.desk.some_time(value, "`within`")?),
                    None => None,
                };
                if !known {
                    return None;
                }
                Some(Degrade::Queue { name: name.node.as_str().into(), within })
            }
            ast::Degrade::Error { status, message } => {
                let status = self.status(status);
                Some(Degrade::Error { status, message: message.as_ref().map(|message| message.node.as_str().into()) })
            }
        }
    }

    /// R001 for what a ladder must not have, or a rule must not have beside one.
    pub(super) fn misplaced(&mut self, span: Span, message: String, help: &str) {
        self.desk.report(Diagnostic::new(&R001, span, message).help(help));
    }
}

/// What the nearest of rule, ladder and `defaults` says, and where.
fn nearest<T>(
    rule: Option<(T, Span)>,
    ladder: Option<(T, Span)>,
    defaults: Option<(T, Span)>,
) -> Option<(T, WrittenAt)> {
    let said = [(Scope::Rule, rule), (Scope::Ladder, ladder), (Scope::Defaults, defaults)];
    said.into_iter().find_map(|(scope, said)| said.map(|(value, span)| (value, WrittenAt { scope, span })))
}
