//! The statements of rules, ladders and tiers (sections 3.2 and 3.3).
//!
//! In: pairs of bodies. Out: [`RuleBody`], tier lines. Must not know: what tiers, hops and steps are.

use super::grammar::{Pair, Rule};
use super::lower::{Lower, compare};
use super::statements::Place;
use crate::policy::ast::{
    Degrade, Hold, HopOption, HopOptionKind, HopRef, Intent, OnCut, Order, RuleBody, RuleStmt, RuleStmtKind, TierLine,
    TierName,
};
use crate::policy::diagnostic::{Diagnostic, R001};
use crate::policy::source::{Span, Spanned};

type Parts<'p> = std::vec::IntoIter<Pair<'p>>;

/// The inside of a pair without the keywords that only hold its shape together.
fn operands(pair: Pair<'_>) -> Parts<'_> {
    let shape = |rule: Rule| {
        matches!(
            rule,
            Rule::KW_WHEN
                | Rule::KW_BECAUSE
                | Rule::KW_SNAPSHOT
                | Rule::KW_FALLBACK
                | Rule::KW_LADDER
                | Rule::KW_DEGRADE
                | Rule::KW_REJECT
                | Rule::KW_SHADOW
                | Rule::KW_GUARD
                | Rule::KW_HOLD
                | Rule::KW_CUT
                | Rule::KW_TO
                | Rule::KW_UP
                | Rule::KW_BY
                | Rule::KW_WITHIN
                | Rule::KW_FOR
                | Rule::KW_AFTER
                | Rule::KW_TOKENS
                | Rule::KW_EVAL
        )
    };
    pair.into_inner().filter(|part| !shape(part.as_rule())).collect::<Vec<_>>().into_iter()
}

impl Lower<'_> {
    /// `{ statements }` of a rule, a ladder or `otherwise`.
    pub fn rule_body(&mut self, pair: Pair<'_>) -> RuleBody {
        let mut body = RuleBody::default();
        let mut before: Option<(Place<'static>, Span)> = None;
        for part in pair.into_inner() {
            let rule = part.as_rule();
            if matches!(rule, Rule::open | Rule::close) {
                continue;
            }
            let span = self.span(&part);
            let place = self.place_behind(before, span);
            let stmt = match rule {
                Rule::bad_stmt => {
                    body.broken = true;
                    self.bad_rule_stmt(span, place)
                }
                Rule::setting => {
                    let setting = self.setting(part, place);
                    body.broken |= setting.is_none();
                    setting.map(|setting| RuleStmt {
                        span,
                        keyword: setting.key.span,
                        kind: RuleStmtKind::Setting(setting),
                    })
                }
                _ => {
                    let stmt = self.rule_stmt(part);
                    body.broken |= stmt.is_none();
                    stmt
                }
            };
            before = match rule {
                Rule::snapshot_stmt | Rule::fallback_stmt => Some((Place::Hop, span)),
                Rule::tier_stmt => Some((Place::Promise, span)),
                Rule::setting => before.map(|(kind, _)| (kind, span)),
                _ => None,
            };
            body.stmts.extend(stmt);
        }
        body
    }

    /// Behind a hop on its line, a word nobody knows was meant as an option of the hop.
    fn place_behind(&self, before: Option<(Place<'static>, Span)>, span: Span) -> Place<'static> {
        match before {
            Some((place, last)) if !self.slice(Span { lo: last.hi, hi: span.lo, ..span }).contains('\n') => place,
            _ => Place::Rule,
        }
    }

    /// One statement of section 3.3.
    pub fn rule_stmt(&mut self, pair: Pair<'_>) -> Option<RuleStmt> {
        let span = self.span(&pair);
        let kind = self.or_bug(&pair.clone(), |lower| lower.rule_stmt_kind(pair))?;
        Some(RuleStmt { span, keyword: self.keyword(span), kind })
    }

    fn rule_stmt_kind(&mut self, pair: Pair<'_>) -> Option<RuleStmtKind> {
        let rule = pair.as_rule();
        let whole = pair.clone();
        let mut parts = operands(pair);
        let kind = match rule {
            Rule::when_stmt => RuleStmtKind::When(self.cond(parts.next()?)?),
            Rule::because_stmt => RuleStmtKind::Because(self.string(&parts.next()?)?),
            Rule::tier_stmt => self.tier_stmt(parts)?,
            Rule::snapshot_stmt => {
                let hop = self.hop_ref(parts.next()?)?;
                RuleStmtKind::Snapshot { hop, options: self.hop_options(parts)? }
            }
            Rule::fallback_stmt => self.fallback(parts)?,
            Rule::ladder_stmt => RuleStmtKind::Ladder(self.name(&parts.next()?)),
            Rule::degrade_stmt => RuleStmtKind::Degrade(self.degrade(parts.next()?)?),
            Rule::reject_stmt => {
                let status = self.int(&parts.next()?)?;
                RuleStmtKind::Reject { status, message: self.optional_string(parts.next())? }
            }
            Rule::cache_stmt => self.cache(parts)?,
            Rule::shadow_stmt => self.shadow(parts)?,
            Rule::guard_stmt => RuleStmtKind::Guard(self.names(parts.next()?)?),
            Rule::hold_stmt => RuleStmtKind::Hold(match parts.next()? {
                part if part.as_rule() == Rule::KW_FIRST_TOKEN => Hold::FirstToken,
                part if part.as_rule() == Rule::KW_COMPLETE => Hold::Complete,
                part => Hold::Tokens(self.value(part)?),
            }),
            Rule::cut_stmt => {
                let word = parts.next_back()?;
                let node = if word.as_rule() == Rule::KW_RESUME { OnCut::Resume } else { OnCut::Error };
                RuleStmtKind::OnCut(Spanned { node, span: self.span(&word) })
            }
            _ => return self.bug(&whole),
        };
        Some(kind)
    }

    fn optional_string(&mut self, part: Option<Pair<'_>>) -> Option<Option<Spanned<String>>> {
        match part {
            Some(part) => self.string(&part).map(Some),
            None => Some(None),
        }
    }

    fn tier_stmt(&mut self, parts: Parts<'_>) -> Option<RuleStmtKind> {
        let (mut tier, mut order, mut options) = (None, None, vec![]);
        let mut whole = true;
        for part in parts {
            let span = self.span(&part);
            match part.as_rule() {
                Rule::KW_TIER | Rule::KW_AS => {}
                Rule::name => tier = Some(TierName::Named(self.name(&part))),
                Rule::KW_REQUESTED => tier = Some(TierName::AsRequested(span)),
                Rule::order => {
                    let node = match part.as_str().split_whitespace().next() {
                        Some("cheapest") => Order::Cheapest,
                        Some("fastest") => Order::Fastest,
                        _ => Order::InOrder,
                    };
                    if let Some(Spanned { span: first, .. }) = order {
                        let finding = Diagnostic::new(&R001, span, "a tier has one order").here("a second order");
                        self.findings.push(finding.label(first, "the first"));
                        whole = false;
                    }
                    order = Some(Spanned { node, span });
                }
                Rule::hop_opt => match self.hop_option(part) {
                    Some(option) => options.push(option),
                    None => whole = false,
                },
                _ => return self.bug(&part),
            }
        }
        let tier = tier?;
        whole.then_some(RuleStmtKind::Tier { tier, order, options })
    }

    fn fallback(&mut self, mut parts: Parts<'_>) -> Option<RuleStmtKind> {
        let mut first = parts.next()?;
        let mut intent = None;
        if first.as_rule() == Rule::intent {
            let node = match first.as_str() {
                "peer" => Intent::Peer,
                "lower" => Intent::Lower,
                _ => Intent::Higher,
            };
            intent = Some(Spanned { node, span: self.span(&first) });
            first = parts.next()?;
        }
        let hop = self.hop_ref(first)?;
        Some(RuleStmtKind::Fallback { intent, hop, options: self.hop_options(parts)? })
    }

    fn hop_ref(&mut self, pair: Pair<'_>) -> Option<HopRef> {
        let mut parts = pair.clone().into_inner();
        match (parts.next(), parts.next()) {
            (Some(keyword), Some(name)) => Some(HopRef::Tier { keyword: self.span(&keyword), name: self.name(&name) }),
            (Some(part), None) if part.as_rule() == Rule::KW_REQUESTED => Some(HopRef::Requested(self.span(&part))),
            (Some(part), None) => Some(HopRef::Model(self.model(part)?)),
            _ => self.bug(&pair),
        }
    }

    fn hop_options(&mut self, parts: Parts<'_>) -> Option<Vec<HopOption>> {
        let options: Vec<Option<HopOption>> = parts.map(|part| self.hop_option(part)).collect();
        options.into_iter().collect()
    }

    fn hop_option(&mut self, pair: Pair<'_>) -> Option<HopOption> {
        let span = self.span(&pair);
        let whole = pair.clone();
        let mut parts = operands(pair);
        let word = parts.next()?;
        let kind = match word.as_rule() {
            Rule::KW_TIMEOUT => HopOptionKind::Timeout(self.value(parts.next()?)?),
            Rule::KW_FIRST_TOKEN => HopOptionKind::FirstToken(self.value(parts.next()?)?),
            Rule::KW_IDLE => HopOptionKind::Idle(self.value(parts.next()?)?),
            Rule::KW_MAX_OUTPUT => HopOptionKind::MaxOutput(self.value(parts.next()?)?),
            Rule::KW_ON => HopOptionKind::On(self.names(parts.next()?)?),
            Rule::KW_IN => HopOptionKind::In(self.names(parts.next()?)?),
            Rule::KW_RETRY => {
                let count = self.value(parts.next()?)?;
                let (mut on, mut backoff) = (None, None);
                for part in parts {
                    match part.as_rule() {
                        Rule::names => on = Some(self.names(part)?),
                        Rule::quantity => backoff = Some(self.value(part)?),
                        _ => {}
                    }
                }
                HopOptionKind::Retry { count, on, backoff }
            }
            Rule::KW_HEDGE => {
                let after = match parts.next()? {
                    part if part.as_rule() == Rule::KW_P95 => None,
                    part => Some(self.value(part)?),
                };
                let up_to = match parts.next() {
                    Some(part) => Some(self.int(&part)?),
                    None => None,
                };
                HopOptionKind::Hedge { after, up_to }
            }
            _ => return self.bug(&whole),
        };
        Some(HopOption { span, kind })
    }

    fn degrade(&mut self, pair: Pair<'_>) -> Option<Degrade> {
        let whole = pair.clone();
        let mut parts = operands(pair);
        let word = parts.next()?;
        let step = match word.as_rule() {
            Rule::KW_TEMPLATE => Degrade::Template(self.name(&parts.next()?)),
            Rule::KW_CACHED => Degrade::Cached(match parts.next() {
                Some(part) => Some(self.value(part)?),
                None => None,
            }),
            Rule::KW_QUEUE => {
                let name = self.name(&parts.next()?);
                let within = match parts.next() {
                    Some(part) => Some(self.value(part)?),
                    None => None,
                };
                Degrade::Queue { name, within }
            }
            Rule::KW_ERROR => {
                let status = self.int(&parts.next()?)?;
                Degrade::Error { status, message: self.optional_string(parts.next())? }
            }
            _ => return self.bug(&whole),
        };
        Some(step)
    }

    fn cache(&mut self, parts: Parts<'_>) -> Option<RuleStmtKind> {
        let (mut numbers, mut per, mut semantic) = (vec![], None, false);
        for part in parts {
            match part.as_rule() {
                Rule::KW_NO => return Some(RuleStmtKind::NoCache),
                Rule::KW_SEMANTIC => semantic = true,
                Rule::quantity => numbers.push(self.value(part)?),
                Rule::names => per = Some(self.names(part)?),
                _ => {}
            }
        }
        let fresh = numbers.pop()?;
        let similarity = if semantic { numbers.pop() } else { None };
        Some(RuleStmtKind::Cache { similarity, fresh, per })
    }

    fn shadow(&mut self, mut parts: Parts<'_>) -> Option<RuleStmtKind> {
        let share = self.value(parts.next()?)?;
        let model = self.model(parts.next()?)?;
        let (mut keep, mut budget, mut scored) = (None, None, None);
        for part in parts {
            let mut option = operands(part);
            let word = option.next()?;
            let operand = option.next()?;
            match word.as_rule() {
                Rule::KW_KEEP => keep = Some(self.value(operand)?),
                Rule::KW_BUDGET => budget = Some(self.name(&operand)),
                Rule::KW_SCORED => scored = Some(self.name(&operand)),
                _ => return self.bug(&word),
            }
        }
        Some(RuleStmtKind::Shadow { share, model, keep, budget, scored })
    }

    /// `{ members and evals }` of a tier, and whether a line of it could not be read.
    pub fn tier_body(&mut self, pair: Pair<'_>) -> (Vec<TierLine>, bool) {
        let (mut lines, mut broken) = (vec![], false);
        for part in pair.into_inner() {
            let span = self.span(&part);
            let line = match part.as_rule() {
                Rule::open | Rule::close => continue,
                Rule::bad_stmt => self.bad_tier_line(span),
                Rule::member => self.or_bug(&part.clone(), |lower| lower.member(part)),
                Rule::requires_stmt => self.or_bug(&part.clone(), |lower| lower.requires(part, span)),
                Rule::setting => self.bad_tier_line(span),
                _ => self.bug(&part),
            };
            broken |= line.is_none();
            lines.extend(line);
        }
        (lines, broken)
    }

    fn member(&mut self, pair: Pair<'_>) -> Option<TierLine> {
        let (mut candidate, mut model) = (None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::KW_CANDIDATE => candidate = Some(self.span(&part)),
                _ => model = Some(self.model(part)?),
            }
        }
        Some(TierLine::Member { candidate, model: model? })
    }

    fn requires(&mut self, pair: Pair<'_>, span: Span) -> Option<TierLine> {
        let mut parts = operands(pair).filter(|part| part.as_rule() != Rule::KW_REQUIRES);
        let suite = self.string(&parts.next()?)?;
        let word = parts.next()?;
        let op = Spanned { node: compare(word.as_str()), span: self.span(&word) };
        let score = self.value(parts.next()?)?;
        let within = match parts.next() {
            Some(part) => Some(self.value(part)?),
            None => None,
        };
        Some(TierLine::Requires { span, suite, op, score, within })
    }
}
