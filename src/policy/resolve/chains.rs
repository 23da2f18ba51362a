//! From `tier`, `snapshot`, `fallback` and `ladder` lines to hops with effective options.
//!
//! In: a rule's draft. Out: promise, order and hops; R302, R319, R320, R321, R323. Must not know: conditions.

use super::super::ast::{HopRef, Intent, ItemKind, OnCut, Order, RuleBody, TierName};
use super::super::checked::{
    Claim, Degrade, Hold, Hop, HopOptions, HopOrigins, Origin, Promise, Scope, SnapshotId, Target, TierId,
};
use super::super::diagnostic::{Diagnostic, R302, R319, R320, R321, R323};
use super::super::source::{Span, Spanned};
use super::Resolver;
use super::names::Sort;
use super::options::Written;
use super::rules::{Draft, HopStmt, TierStmt};

/// Ladders that stand on ladders, at most.
const MAX_LADDERS: usize = 16;

/// The chain of a rule or a ladder.
pub(super) struct Expanded {
    pub promise: Promise,
    pub order: Order,
    pub hops: Vec<Hop>,
    pub degrade: Vec<Degrade>,
    pub hold: Option<(Option<Hold>, Span)>,
    pub on_cut: Option<(OnCut, Span)>,
}

impl Expanded {
    const NOTHING: Self = Self {
        promise: Promise::Nothing,
        order: Order::InOrder,
        hops: Vec::new(),
        degrade: Vec::new(),
        hold: None,
        on_cut: None,
    };
}

impl<'a> Resolver<'a> {
    /// The chain of a rule.
    pub(super) fn expanded(&mut self, owner: &str, draft: &Draft<'a>) -> Expanded {
        self.lines(owner, draft, &draft.written)
    }

    /// A ladder on its own, for its findings.
    pub(super) fn ladder_alone(&mut self, name: &'a str, body: &'a RuleBody) {
        self.ladders.push(name);
        let draft = self.ladder_draft(name, body);
        self.lines(name, &draft, &draft.written);
        self.ladders.pop();
    }

    fn ladder_draft(&mut self, name: &str, body: &'a RuleBody) -> Draft<'a> {
        let draft = self.draft(body, name, Scope::Ladder);
        let help = "write it in the rules that use the ladder";
        if let Some((_, span)) = draft.when {
            self.misplaced(span, format!("ladder `{name}` has a `when`, and a ladder is only a chain"), help);
        }
        if let Some((_, _, span)) = draft.reject {
            self.misplaced(span, format!("ladder `{name}` has a `reject`, and a ladder is only a chain"), help);
        }
        draft
    }

    /// A draft's lines, with `outer` as the options further out.
    fn lines(&mut self, owner: &str, draft: &Draft<'a>, outer: &Written) -> Expanded {
        if let Some((name, keyword)) = draft.ladder {
            let own = draft.tier.as_ref().map(|tier| tier.keyword).into_iter();
            if let Some(line) = own.chain(draft.hops.iter().map(|hop| hop.keyword)).min() {
                let message = format!("`{owner}` has a ladder and hops of its own");
                self.misplaced(line, message, "write the whole chain out, or leave it to the ladder");
            }
            return self.ladder(name, keyword, outer);
        }
        let promise = self.promise(owner, draft);
        let tier_options = draft.tier.as_ref().map(|tier| self.written(tier.options, Scope::Tier)).unwrap_or_default();
        let options = tier_options.or(outer);
        let order = draft.tier.as_ref().and_then(|tier| tier.order).map_or(Order::InOrder, |order| order.node);
        self.judge_order(draft);
        let mut hops = Vec::new();
        let chosen = draft.hops.iter().any(|hop| !hop.fallback);
        if let (Some(tier), false) = (&draft.tier, chosen) {
            self.start(promise, tier, &options, &mut hops);
        }
        let tier_place = draft.tier.as_ref().and_then(|tier| match tier.tier {
            TierName::Named(name) => Some(name.span),
            TierName::AsRequested(_) => None,
        });
        for line in &draft.hops {
            self.line(promise, line, tier_place, &options, &mut hops);
        }
        if order == Order::Fastest
            && let Some(order) = draft.tier.as_ref().and_then(|tier| tier.order)
        {
            self.out.unsupported.push(("order `fastest`".into(), order.span));
        }
        let degrade = Vec::new();
        Expanded { promise, order, hops, degrade, hold: None, on_cut: None }
    }

    fn ladder(&mut self, name: &'a Spanned<String>, keyword: Span, outer: &Written) -> Expanded {
        let Some(decl) = self.names.want(Sort::Ladder, name, &mut self.desk) else { return Expanded::NOTHING };
        let (name, place, item) = (decl.name, name.span, decl.item);
        let ItemKind::Ladder { body, .. } = &item.kind else { return Expanded::NOTHING };
        if let Some(start) = self.ladders.iter().position(|open| *open == name) {
            // A ring is met from each of its ladders and told once.
            let mut members: Vec<&str> = self.ladders[start..].to_vec();
            members.sort_unstable();
            if self.rings.contains(&members) {
                return Expanded::NOTHING;
            }
            self.rings.push(members);
            let ring: Vec<&str> = self.ladders[start..].iter().copied().chain([name]).collect();
            let finding = Diagnostic::new(&R302, place, format!("ladder `{name}` stands on itself"))
                .note(format!("the ring: {}", ring.join(" -> ")))
                .help("write the hops out in one of them");
            self.desk.report(finding);
            return Expanded::NOTHING;
        }
        if self.ladders.len() >= MAX_LADDERS {
            let message = format!("ladders stand on each other more than {MAX_LADDERS} deep");
            self.desk.report(Diagnostic::new(&R302, keyword, message).help("write the hops out in one ladder"));
            return Expanded::NOTHING;
        }
        self.ladders.push(name);
        let draft = self.ladder_draft(name, body);
        let options = draft.written.or(outer);
        let mut expanded = self.lines(name, &draft, &options);
        self.ladders.pop();
        expanded.degrade.extend(draft.degrade.into_iter().filter_map(|(step, _)| step));
        expanded.hold = draft.hold.or(expanded.hold);
        expanded.on_cut = draft.on_cut.or(expanded.on_cut);
        expanded
    }

    /// The promised tier; R320.
    fn promise(&mut self, owner: &str, draft: &Draft<'a>) -> Promise {
        match &draft.tier {
            Some(TierStmt { tier: TierName::AsRequested(_), .. }) => Promise::AsRequested,
            Some(TierStmt { tier: TierName::Named(name), .. }) => {
                self.tier(name).map_or(Promise::Nothing, Promise::Tier)
            }
            None => {
                if let (Some(first), false) = (draft.hops.first(), draft.broken) {
                    self.without_tier(owner, first);
                }
                Promise::Nothing
            }
        }
    }

    fn without_tier(&mut self, owner: &str, first: &HopStmt<'a>) {
        let message = format!("`{owner}` has hops and promises no tier");
        let finding = Diagnostic::new(&R320, first.keyword, message);
        let named = match first.hop {
            HopRef::Model(model) => {
                let id = self.snapshot(model);
                self.out.home(id).map(|tier| self.out.tiers[tier.index()].name.clone())
            }
            HopRef::Tier { name, .. } => Some(name.node.as_str().into()),
            HopRef::Requested(_) => None,
        };
        self.desk.report(match named {
            Some(tier) => {
                let source = self.desk.sources.file(first.span.file);
                let start = source.text[..first.span.lo as usize].rfind('\n').map_or(0, |at| at + 1);
                let before = &source.text[start..first.span.lo as usize];
                let indent = if before.trim().is_empty() { before } else { "  " };
                let at = Span { hi: first.span.lo, ..first.span };
                let text = format!("{:<16}{tier}\n{indent}", "tier");
                finding.help(format!("write `tier {tier}` above it")).fix(true, format!("promise `{tier}`"), at, text)
            }
            None => finding.help("write `tier NAME` above it: the class of work this rule promises"),
        });
    }

    pub(super) fn tier(&mut self, name: &'a Spanned<String>) -> Option<TierId> {
        self.names.want(Sort::Tier, name, &mut self.desk)?;
        self.out.tiers.iter().position(|tier| *tier.name == *name.node).map(|at| TierId(at as u16))
    }

    /// R321.
    fn judge_order(&mut self, draft: &Draft<'a>) {
        let Some(tier) = &draft.tier else { return };
        let Some(order) = tier.order.filter(|order| order.node != Order::InOrder) else { return };
        let Some(first) = draft.hops.iter().find(|hop| !hop.fallback) else { return };
        let word = self.desk.text(order.span);
        let message = format!("`{word}` orders a tier, and `snapshot` names the first choice already");
        let before = &self.desk.sources.file(order.span.file).text[..order.span.lo as usize];
        let kept = before.trim_end_matches([' ', '\t', ',']).len() as u32;
        let cut = Span { lo: kept, ..order.span };
        let finding = Diagnostic::new(&R321, order.span, message)
            .label(first.keyword, "the first choice")
            .help(format!("delete `{word}`, or delete the `snapshot` line"))
            .fix(true, format!("delete `{word}`"), cut, "");
        self.desk.report(finding);
    }

    /// A chain without `snapshot` begins with the tier itself.
    fn start(&mut self, promise: Promise, line: &TierStmt<'a>, options: &Written, hops: &mut Vec<Hop>) {
        match promise {
            Promise::Nothing => {}
            Promise::Tier(tier) => self.expand_tier(tier, Claim::Promised, options, line.span, hops),
            Promise::AsRequested => {
                let (options, origins) = self.effective(options);
                let (claim, origin) = (Claim::Promised, Origin::Written);
                hops.push(Hop { claim, origin, target: Target::Requested, options, origins, span: line.span });
            }
        }
    }

    fn expand_tier(&mut self, tier: TierId, claim: Claim, options: &Written, span: Span, hops: &mut Vec<Hop>) {
        let (options, origins) = self.effective(options);
        for member in &self.out.tiers[tier.index()].members {
            let (target, options) = (Target::Snapshot(*member), options.clone());
            hops.push(Hop { claim, origin: Origin::Tier(tier), target, options, origins, span });
        }
    }

    /// One `snapshot` or `fallback` line.
    fn line(
        &mut self,
        promise: Promise,
        line: &HopStmt<'a>,
        tier_place: Option<Span>,
        outer: &Written,
        hops: &mut Vec<Hop>,
    ) {
        let options = self.written(line.options, Scope::Hop).or(outer);
        let written = |claim, target, (options, origins): (HopOptions, HopOrigins)| Hop {
            claim,
            origin: Origin::Written,
            target,
            options,
            origins,
            span: line.span,
        };
        match line.hop {
            HopRef::Model(model) => {
                let id = self.snapshot(model);
                let claim = self.claim(promise, line, self.out.snapshots[id.index()].tier, Some(id));
                if claim == Claim::Promised {
                    self.judge_first(promise, id, model.span, tier_place);
                }
                let options = self.effective(&options);
                hops.push(written(claim, Target::Snapshot(id), options));
            }
            HopRef::Requested(_) => {
                let claim = self.claim(promise, line, None, None);
                let options = self.effective(&options);
                hops.push(written(claim, Target::Requested, options));
            }
            HopRef::Tier { name, .. } => {
                let Some(tier) = self.tier(name) else { return };
                let claim = self.claim(promise, line, Some(tier), None);
                self.expand_tier(tier, claim, &options, line.span, hops);
            }
        }
    }

    /// What the author says about a hop; R319 when a fallback says nothing.
    fn claim(&mut self, promise: Promise, line: &HopStmt<'a>, tier: Option<TierId>, id: Option<SnapshotId>) -> Claim {
        if !line.fallback {
            return Claim::Promised;
        }
        if let Some(intent) = line.intent {
            return Claim::Fallback(intent.node);
        }
        let truth = match promise {
            Promise::Tier(promised) => self.direction(promised, tier, id),
            _ => None,
        };
        let target = match line.hop {
            HopRef::Model(model) => self.desk.text(model.span).to_owned(),
            HopRef::Tier { name, .. } => format!("tier {}", name.node),
            HopRef::Requested(_) => "requested".into(),
        };
        let mut finding = Diagnostic::new(&R319, line.keyword, "`fallback` does not say in which direction");
        if let (Promise::Tier(promised), Some(tier)) = (promise, tier.or_else(|| id.and_then(|id| self.out.home(id)))) {
            let (promised, own) = (&self.out.tiers[promised.index()].name, &self.out.tiers[tier.index()].name);
            finding = finding.here(match (promised == own, line.hop, truth) {
                (true, HopRef::Tier { .. }, _) => format!("`{own}` is the tier of this rule"),
                (true, ..) => format!("{target} is in tier `{own}`, the tier of this rule"),
                (_, HopRef::Tier { .. }, Some(truth)) => {
                    format!("`{own}` is {} than `{promised}`, the tier of this rule", truth.word())
                }
                _ => format!("{target} is in tier `{own}`; this rule promises `{promised}`"),
            });
        }
        finding = match truth {
            Some(intent) => {
                let at = Span { lo: line.keyword.hi, ..line.keyword };
                let help = format!("write `fallback {} {target}`", intent.word());
                finding.help(help.clone()).fix(true, help, at, format!(" {}", intent.word()))
            }
            None => finding.help("write `fallback peer`, `fallback lower` or `fallback higher`"),
        };
        self.desk.report(finding);
        Claim::Fallback(truth.unwrap_or(Intent::Peer))
    }

    /// The word that is true of a hop under a promise, if one is.
    fn direction(&self, promised: TierId, tier: Option<TierId>, id: Option<SnapshotId>) -> Option<Intent> {
        if tier == Some(promised) || id.is_some_and(|id| self.out.tiers[promised.index()].has(id)) {
            return Some(Intent::Peer);
        }
        let tier = tier?;
        if self.out.tiers[promised.index()].specialized || self.out.tiers[tier.index()].specialized {
            return None;
        }
        Some(if tier > promised { Intent::Lower } else { Intent::Higher })
    }

    /// R323.
    fn judge_first(&mut self, promise: Promise, id: SnapshotId, place: Span, tier_place: Option<Span>) {
        let Promise::Tier(promised) = promise else { return };
        let tier = &self.out.tiers[promised.index()];
        if tier.has(id) {
            return;
        }
        let model = self.desk.text(place);
        let message = format!("{model} is not in tier `{}`, which this rule promises", tier.name);
        let finding = Diagnostic::new(&R323, place, message).label(tier.span, "the promised tier");
        self.desk.report(match self.out.home(id) {
            Some(home) => {
                let home = &self.out.tiers[home.index()].name;
                let help = format!("write `tier {home}`, or choose a member of `{}`", tier.name);
                let finding = finding.here(format!("in tier `{home}`")).help(help);
                match tier_place {
                    // The promise is what the author meant to keep, so this one is not safe.
                    Some(at) => finding.fix(false, format!("promise `{home}`"), at, &**home),
                    None => finding,
                }
            }
            None => finding
                .here("in no tier")
                .help(format!("add `{model}` to tier `{}`, or choose a member of it", tier.name)),
        });
    }
}
