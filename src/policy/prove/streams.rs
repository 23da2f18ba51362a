//! What is seen too late on a stream, and what a client may ask for beside the tier: R325, R327, R331, R332.
//!
//! In: chains, which requests reach them. Out: findings. Must not know: events.

use super::super::boxes::AtomBox;
use super::super::checked::{Chain, Checked, Hold, Hop, Promise, Rule, RuleId, Step, Subject, Target, Values};
use super::super::diagnostic::{Diagnostic, R325, R327, R331, R332};
use super::super::source::Span;
use super::limits::chain_of;
use super::witness::Claim;
use super::{Proof, Stop};
use crate::failure::{Failure, FailureSet};
use crate::policy::ast::OnCut;

/// Columns that these findings look at.
pub(super) fn subjects(checked: &Checked) -> Vec<Subject> {
    let mut wanted = Vec::new();
    for chain in checked.rules.iter().filter_map(|rule| chain_of(&rule.outcome)) {
        let fixed = matches!(chain.promise, Promise::Tier(_));
        if fixed && chain.hops.iter().any(|hop| hop.target == Target::Requested) {
            wanted.push(Subject::RequestedTier);
        }
        if chain.on_cut == OnCut::Resume {
            wanted.push(Subject::Tools);
        }
        if !chain.extras.guards.is_empty() || late_words(chain).next().is_some() {
            wanted.push(Subject::Streaming);
        }
    }
    wanted
}

impl Proof<'_> {
    pub(super) fn streams(&mut self, findings: &mut Vec<Diagnostic>) -> Result<(), Stop> {
        let checked = self.checked;
        for rule in self.rules() {
            self.at = Some(rule);
            if self.dead.binary_search(&rule).is_ok() {
                continue;
            }
            let one = &checked.rules[rule.index()];
            let Some(chain) = chain_of(&one.outcome) else { continue };
            findings.extend(self.requested_outside(rule, chain)?);
            findings.extend(self.cannot_resume(rule, one, chain)?);
            if self.takes(rule, Subject::Streaming)? {
                findings.extend(guard_after_release(checked, one, chain));
                findings.extend(late_failure(one, chain));
            }
        }
        Ok(())
    }

    /// Whether the rule decides some request that streams, or offers tools.
    fn takes(&mut self, rule: RuleId, subject: Subject) -> Result<bool, Stop> {
        let Some(column) = self.space.find(subject) else { return Ok(false) };
        let yes = self.space.set(column, &Values::Bool(true));
        let Some(area) = AtomBox::only(&self.space, column, yes) else { return Ok(false) };
        Ok(self.reached(rule, &area, &[])?.is_some())
    }

    /// R325: the client's model is of another tier, so the first hop is passed over.
    fn requested_outside(&mut self, rule: RuleId, chain: &Chain) -> Result<Option<Diagnostic>, Stop> {
        let Promise::Tier(promised) = chain.promise else { return Ok(None) };
        let Some(hop) = chain.hops.iter().find(|hop| hop.target == Target::Requested) else { return Ok(None) };
        let ids = (0..self.checked.tiers.len() as u16).map(super::super::checked::TierId);
        let ordered = ids.filter(|id| *id != promised && !self.checked.tiers[id.index()].specialized);
        let others: Vec<_> = ordered.collect();
        let Some(area) = self.asks_for(&others) else { return Ok(None) };
        let Some(left) = self.reached(rule, &area, &[])? else { return Ok(None) };
        let claim = Claim { decided: Some(rule), inside: std::slice::from_ref(&area), outside: &[] };
        let witness = self.witness(&left, &claim)?;
        let tier = &self.checked.tiers[promised.index()].name;
        let name = &self.checked.rules[rule.index()].name;
        let title = format!("`snapshot requested` of `{name}` skips models outside tier `{tier}`");
        let found = Diagnostic::new(&R325, hop.span, title).here("passed over for such a request").witness(witness);
        let help = format!("add `requested_tier is {tier}` to the condition, or write `tier as requested`");
        Ok(Some(found.help(help)))
    }

    /// R327
    fn cannot_resume(&mut self, rule: RuleId, one: &Rule, chain: &Chain) -> Result<Option<Diagnostic>, Stop> {
        if chain.on_cut != OnCut::Resume {
            return Ok(None);
        }
        let title = format!("a cut stream of `{}` cannot be resumed", one.name);
        if !followed_by_family(self.checked, chain) {
            let found = Diagnostic::new(&R327, one.span, title).here("no later hop is of the first one's family");
            return Ok(Some(found.help("add a `fallback peer` of the same family, or write `on cut error`")));
        }
        if self.takes(rule, Subject::Tools)? {
            let found = Diagnostic::new(&R327, one.span, title).here("its requests may call tools");
            let found = found.note("a tool call that was released is never taken up again");
            return Ok(Some(found.help("add `not tools` to the condition, or write `on cut error`")));
        }
        Ok(None)
    }
}

/// Whether some hop behind the first could repeat its words.
fn followed_by_family(checked: &Checked, chain: &Chain) -> bool {
    let family = |hop: &Hop| match hop.target {
        Target::Snapshot(id) => checked.snapshots[id.index()].facts.as_deref().and_then(|entry| entry.family.clone()),
        Target::Requested => None,
    };
    let Some(first) = chain.hops.first().and_then(family) else { return false };
    chain.hops[1..].iter().any(|hop| family(hop).as_ref() == Some(&first))
}

/// R331: what a guard would stop has been read by then.
fn guard_after_release(checked: &Checked, rule: &Rule, chain: &Chain) -> Option<Diagnostic> {
    if chain.hold == Hold::Complete {
        return None;
    }
    // Whatever does more than rewrite can refuse.
    let blocks = |step: &Step| !matches!(step, Step::Redact(_));
    let guards = chain.extras.guards.iter().map(|guard| (guard.span, &checked.moving.guards[guard.node.index()]));
    let mut blocking =
        guards.filter(|(_, guard)| guard.steps.iter().any(|one| one.side.sees_answers() && blocks(&one.step)));
    let (span, guard) = blocking.next()?;
    let title = format!("guard `{}` judges answers of `{}` that have gone out already", guard.name, rule.name);
    let found = Diagnostic::new(&R331, span, title).here("a stream is released before its end");
    let found = found.note("what it blocks becomes a cut in the middle of an answer");
    let after = Span { lo: span.hi, ..span };
    Some(found.help("write `hold complete`").fix(
        true,
        "hold streams until the guard has seen them",
        after,
        "\n  hold complete",
    ))
}

/// Words of `on` that an answer shows only when it is under way.
fn late_words(chain: &Chain) -> impl Iterator<Item = (Span, Failure)> + '_ {
    chain.hops.iter().flat_map(move |hop| {
        let named = |failure: Failure| {
            let written = hop.options.on != FailureSet::MOVES_ON && hop.options.on.contains(failure);
            let seen = match (failure, chain.hold) {
                (_, Hold::Complete) => true,
                // An early refusal is still held back.
                (Failure::Refusal, Hold::Tokens(_)) => true,
                _ => false,
            };
            (written && !seen).then_some((hop.span, failure))
        };
        // The default set has `invalid_output`; where it is extended, the word is not the author's own.
        let own = |failure: &Failure| *failure != Failure::InvalidOutput || !extends_default(hop.options.on);
        [Failure::Refusal, Failure::ContentFilter, Failure::InvalidOutput].into_iter().filter(own).filter_map(named)
    })
}

fn extends_default(on: FailureSet) -> bool {
    FailureSet::MOVES_ON.iter().all(|failure| on.contains(failure))
}

/// R332
fn late_failure(rule: &Rule, chain: &Chain) -> Option<Diagnostic> {
    let (span, failure) = late_words(chain).next()?;
    let word = failure.word();
    let title = format!("`{word}` moves on only while a stream of `{}` is held", rule.name);
    let found = Diagnostic::new(&R332, span, title).here("streams are released at their first words");
    let found = found.note(format!("after release a stream with `{word}` is what the caller gets"));
    Some(found.help("write `hold complete`, or keep streams away with `not streaming`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_that_names_all_defaults_extends_them() {
        assert!(extends_default(FailureSet::MOVES_ON.with(Failure::Refusal)));
        assert!(!extends_default(FailureSet::EMPTY.with(Failure::InvalidOutput)));
    }
}
