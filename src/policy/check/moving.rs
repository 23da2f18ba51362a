//! Rollouts, shadows, caches and drills as they are written (R704 to R708, R710, R711, R717, R718, R720, R721).
//!
//! In: a [`Checked`], the day. Out: findings. Must not know: requests; what depends on them is proven.

use jiff::civil::Date;

use super::super::checked::{
    Amount, Asked, Cache, Chain, Checked, Claim, JudgeId, Outcome, Partition, Pretended, Rollout, Rule, Shadow,
    SnapshotId, Target, TierId, Who,
};
use super::super::diagnostic::{Diagnostic, Level, R704, R705, R706, R707, R708, R710, R711, R717, R718, R720, R721};
use super::super::eligible;
use super::super::source::{Sources, Span, Spanned};
use crate::units::{Share, Tokens, Usd};

/// The largest first stage, and the largest step from one stage to the next, that needs no second look.
const BIG_FIRST: Share = Share(1_000);
const BIG_STEP: u16 = 10;

/// The part of its rule's own cost that a shadow may add before R708 says so.
const DEAR_SHADOW: Share = Share(2_000);

/// All findings about moving parts as they are written.
pub fn check(checked: &Checked, sources: &Sources, today: Date, findings: &mut Vec<Diagnostic>) {
    let desk = Desk { checked, sources, today };
    for rollout in &checked.moving.rollouts {
        findings.extend(desk.rollout(rollout));
    }
    for rule in &checked.rules {
        let Outcome::Chain(chain) = &rule.outcome else { continue };
        findings.extend(chain.extras.cache.as_ref().and_then(|cache| desk.cache(cache)));
        if let Some(shadow) = &chain.extras.shadow {
            findings.extend(desk.shadow(rule, chain, shadow));
        }
        findings.extend(desk.never_rehearsed(rule, chain));
    }
    findings.extend(desk.unused_candidates());
}

struct Desk<'a> {
    checked: &'a Checked,
    sources: &'a Sources,
    today: Date,
}

impl Desk<'_> {
    fn model(&self, id: SnapshotId) -> String {
        self.checked.snapshots[id.index()].model.to_string()
    }

    /// R704, R705, R706, R718 and what its judge and its shadow have.
    fn rollout(&self, rollout: &Rollout) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let name = &rollout.name;
        if rollout.halt.is_none() {
            let title = format!("rollout `{name}` goes on whatever happens");
            let finding = Diagnostic::new(&R704, rollout.span, title).here("has no `halt when`");
            found.push(finding.help("add `halt when errors > 2% or p95 > 9s`"));
        }
        if rollout.by.is_none() {
            let title = format!("rollout `{name}` draws every request by itself");
            let finding = Diagnostic::new(&R706, rollout.span, title).here("callers flip between two snapshots");
            found.push(finding.help("add `by tenant` or `by user`"));
        }
        found.extend(big_stage(rollout));
        found.extend(self.changes_tier(rollout));
        if let Some(shadow) = &rollout.shadow {
            let missing = shadow.budget.is_none();
            found.extend(missing.then(|| without_budget(&format!("rollout `{name}`"), shadow.span)));
        }
        let parties = [rollout.with.node, rollout.replace.node];
        found.extend(rollout.scored_by.as_ref().and_then(|judge| self.party(judge, &parties)));
        found
    }

    /// R718
    fn changes_tier(&self, rollout: &Rollout) -> Option<Diagnostic> {
        let (old, new) = (rollout.replace.node, rollout.with.node);
        if self.checked.tiers.iter().any(|tier| tier.has(old) && tier.has(new)) {
            return None;
        }
        let home = |id: SnapshotId| self.checked.home(id).map(|tier| self.tier(tier));
        let said = |id: SnapshotId| match home(id) {
            Some(tier) => format!("{} is in tier `{tier}`", self.model(id)),
            None => format!("{} is in no tier", self.model(id)),
        };
        let title = format!("rollout `{}` moves requests to another tier", rollout.name);
        let found = Diagnostic::new(&R718, rollout.with.span, title).here(said(new));
        let found = found.label(rollout.replace.span, said(old));
        let help = match home(old) {
            Some(tier) => format!("add `candidate {}` to tier `{tier}`", self.model(new)),
            None => format!("add {} to a tier", self.model(old)),
        };
        Some(found.help(help))
    }

    fn tier(&self, id: TierId) -> &str {
        &self.checked.tiers[id.index()].name
    }

    /// R707, R708, R710 and R721 for a shadow.
    fn shadow(&self, rule: &Rule, chain: &Chain, shadow: &Shadow) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        match &shadow.budget {
            None => found.push(without_budget(&format!("`{}`", rule.name), shadow.span)),
            Some(budget) => {
                let charged = &self.checked.moving.budgets[budget.node.index()];
                if let Some(covers) = &charged.covers {
                    let title = format!("the shadow of `{}` eats the budget of other requests", rule.name);
                    let finding = Diagnostic::new(&R710, budget.span, title).here("charged here");
                    let finding = finding.label(covers.span, "counts what callers get");
                    found.push(finding.help("declare a budget of its own, without `covers`"));
                }
                let one = self.cost(shadow.snapshot.node, chain);
                if let (Amount::Usd(limit), Some(one)) = (charged.limit.node.amount, one)
                    && one > limit
                {
                    let title = format!("one copy of the shadow of `{}` costs more than its budget", rule.name);
                    let finding = Diagnostic::new(&R708, shadow.span, title).here(format!("up to ${one}"));
                    found.push(
                        finding
                            .label(charged.limit.span, "allows less")
                            .help("raise the limit, or shadow a cheaper model"),
                    );
                }
            }
        }
        found.extend(self.dear_shadow(rule, chain, shadow));
        let mut parties = vec![shadow.snapshot.node];
        parties.extend(chain.hops.iter().filter_map(|hop| match hop.target {
            Target::Snapshot(id) => Some(id),
            Target::Requested => None,
        }));
        found.extend(shadow.scored_by.as_ref().and_then(|judge| self.party(judge, &parties)));
        found
    }

    /// R708: what the copies add to what the rule costs.
    fn dear_shadow(&self, rule: &Rule, chain: &Chain, shadow: &Shadow) -> Option<Diagnostic> {
        let first = chain.hops.iter().find_map(|hop| match hop.target {
            Target::Snapshot(id) => Some(id),
            Target::Requested => None,
        })?;
        let (own, copy) = (self.cost(first, chain)?, self.cost(shadow.snapshot.node, chain)?);
        let added = u128::from(copy.0) * u128::from(shadow.share.0);
        let allowed = u128::from(own.0) * u128::from(DEAR_SHADOW.0);
        if own == Usd::default() || added <= allowed {
            return None;
        }
        let percent = added / 100 / u128::from(own.0);
        let title = format!("the shadow of `{}` adds {percent}% to what the rule costs", rule.name);
        let found = Diagnostic::new(&R708, shadow.span, title);
        let found = found.here(format!("{} of copies at up to ${copy}", shadow.share));
        let found = found.note(format!("{} costs up to ${own} for the same request", self.model(first)));
        Some(found.help("lower the share, or shadow a cheaper model"))
    }

    /// The most that a request of a chain can cost at a snapshot.
    fn cost(&self, id: SnapshotId, chain: &Chain) -> Option<Usd> {
        let entry = self.checked.snapshots[id.index()].facts.as_deref()?;
        let cap = chain.hops.first().and_then(|hop| hop.options.max_output);
        let fits = eligible::largest_prompt(Some(entry), cap).unwrap_or(Tokens(u64::MAX));
        entry.worst_cost(fits.min(self.checked.max_prompt), eligible::longest_answer(entry, cap)?, self.today)
    }

    /// R711
    fn cache(&self, cache: &Cache) -> Option<Diagnostic> {
        if cache.per.contains(&Partition::Tenant) {
            return None;
        }
        let title = "a cache that tenants share";
        let found = Diagnostic::new(&R711, cache.span, title).here("one tenant can be given the answer of another");
        let text = self.sources.text(cache.span);
        let found = found.help("add `tenant` to `per`");
        Some(match text.rfind("per") {
            Some(at) => {
                let list = text[at + 3..].trim_start();
                let lo = cache.span.hi - list.len() as u32;
                let (hi, inside) = match list.starts_with('[') {
                    true => (lo + 1, "[tenant, ".to_owned()),
                    false => (cache.span.hi, format!("[tenant, {list}]")),
                };
                found.fix(true, "keep tenants apart", Span { lo, hi, ..cache.span }, inside)
            }
            None => {
                let end = Span { lo: cache.span.hi, ..cache.span };
                found.fix(true, "keep tenants apart", end, " per tenant")
            }
        })
    }

    /// R717: no drill pretends that everything before this hop is down.
    fn never_rehearsed(&self, rule: &Rule, chain: &Chain) -> Vec<Diagnostic> {
        let checked = self.checked;
        let down = |id: SnapshotId| {
            checked.moving.drills.iter().any(|drill| {
                drill.pretend.iter().any(|one| {
                    let moves = match one.what {
                        Pretended::Down => true,
                        Pretended::Gives(failure) => crate::failure::FailureSet::MOVES_ON.contains(failure),
                    };
                    moves
                        && match &one.who {
                            Who::Provider(name) => checked.snapshots[id.index()].model.provider == *name,
                            Who::Snapshot(snapshot) => *snapshot == id,
                        }
                })
            })
        };
        let mut found = Vec::new();
        let mut rehearsed = true;
        for hop in &chain.hops {
            let Target::Snapshot(id) = hop.target else { continue };
            if !rehearsed && matches!(hop.claim, Claim::Fallback(_)) {
                let title = format!("no drill rehearses a fallback of `{}`", rule.name);
                let finding =
                    Diagnostic::new(&R717, hop.span, title).here(format!("{} is never needed", self.model(id)));
                found.push(finding.help("declare a `drill` that pretends the hops before it are down"));
            }
            rehearsed &= down(id);
        }
        found
    }

    /// R720
    fn unused_candidates(&self) -> Vec<Diagnostic> {
        let checked = self.checked;
        let mut used: Vec<SnapshotId> = checked.moving.rollouts.iter().map(|rollout| rollout.with.node).collect();
        for rule in &checked.rules {
            let Outcome::Chain(chain) = &rule.outcome else { continue };
            used.extend(chain.extras.shadow.as_ref().map(|shadow| shadow.snapshot.node));
            used.extend(chain.hops.iter().filter_map(|hop| match hop.target {
                Target::Snapshot(id) => Some(id),
                Target::Requested => None,
            }));
        }
        let idle = checked.tiers.iter().flat_map(|tier| tier.candidates.iter().map(move |id| (tier, *id)));
        let idle = idle.filter(|(_, id)| !used.contains(id));
        idle.map(|(tier, id)| {
            let title = format!("candidate {} of tier `{}` is tried by nobody", self.model(id), tier.name);
            let found = Diagnostic::new(&R720, checked.snapshots[id.index()].span, title);
            found.help("start a rollout or a shadow with it, or delete it")
        })
        .collect()
    }

    /// R721: nobody judges its own work.
    fn party(&self, judge: &Spanned<JudgeId>, parties: &[SnapshotId]) -> Option<Diagnostic> {
        let one = &self.checked.moving.judges[judge.node.index()];
        let asked = match one.asked.as_ref()?.node {
            Asked::Snapshot(id) => id,
            Asked::Webhook(_) => return None,
        };
        let family = |id: SnapshotId| self.checked.snapshots[id.index()].facts.as_deref()?.family.clone();
        let place = one.asked.as_ref().map_or(one.span, |asked| asked.span);
        let label = |found: Diagnostic| found.label(judge.span, "compares here");
        if parties.contains(&asked) {
            let title = format!("judge `{}` compares its own answers", one.name);
            let found = Diagnostic::new(&R721, place, title).here("one of the two");
            return Some(label(found).help("let another snapshot judge"));
        }
        let relative = parties.iter().find(|party| family(**party).is_some() && family(**party) == family(asked))?;
        let title = format!("judge `{}` is of the family it judges", one.name);
        let here = format!("as is {}", self.model(*relative));
        let found = Diagnostic::new(&R721, place, title).level(Level::Warning).here(here);
        Some(label(found).help("let a snapshot of another family judge"))
    }
}

fn without_budget(what: &str, span: Span) -> Diagnostic {
    let title = format!("the shadow of {what} may spend without limit");
    let found = Diagnostic::new(&R707, span, title).here("charged to no budget");
    found.help("add `budget NAME`, with a budget that has no `covers`")
}

/// R705
fn big_stage(rollout: &Rollout) -> Option<Diagnostic> {
    let first = rollout.stages.first()?;
    let title = |text: String| Diagnostic::new(&R705, first.span, text);
    if first.node > BIG_FIRST {
        let text = format!("rollout `{}` begins with {} of its requests", rollout.name, first.node);
        return Some(title(text).here(format!("over {BIG_FIRST}")).help("begin with `1%` or `5%`"));
    }
    let big = rollout.stages.windows(2).find(|pair| pair[1].node.0 > pair[0].node.0.saturating_mul(BIG_STEP))?;
    let text = format!("rollout `{}` goes from {} to {} at once", rollout.name, big[0].node, big[1].node);
    let found = Diagnostic::new(&R705, big[1].span, text).here(format!("over {BIG_STEP} times the stage before"));
    Some(found.help("put a stage between the two"))
}
