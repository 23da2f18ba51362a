//! Tiers, their members, and every model the policy names.
//!
//! In: tier declarations, model literals. Out: the tables of snapshots and tiers. Must not know: rules.

use std::sync::Arc;

use super::super::ast::{self, ItemKind, TierLine};
use super::super::checked::{Outcome, Promise, Snapshot, SnapshotId, Target, Tier, TierId};
use super::super::diagnostic::{Diagnostic, R007, R108, R217, R222};
use super::super::source::Span;
use super::Resolver;
use super::names::{MAX_DECLARATIONS, Sort};
use crate::names::ModelRef;

impl<'a> Resolver<'a> {
    pub(super) fn tiers(&mut self) {
        let mut members = Vec::new();
        for (name, span, item) in self.names.all(Sort::Tier) {
            let ItemKind::Tier(written) = &item.kind else { continue };
            let id = TierId(self.out.tiers.len() as u16);
            let specialized = written.specialized.is_some();
            let tier = Tier { name: name.into(), specialized, members: Vec::new(), candidates: Vec::new(), span };
            self.out.tiers.push(tier);
            let mut listed: Vec<(SnapshotId, Span)> = Vec::new();
            for line in &written.lines {
                match line {
                    TierLine::Member { candidate, model } => self.member(id, candidate.is_some(), model, &mut listed),
                    TierLine::Requires { .. } | TierLine::Setting(_) => {}
                }
            }
            members.push((written, listed));
        }
        self.evals(&members);
    }

    fn member(&mut self, id: TierId, candidate: bool, model: &'a ast::Model, listed: &mut Vec<(SnapshotId, Span)>) {
        let snapshot = self.snapshot(model);
        let text = self.desk.text(model.span);
        if let Some((_, first)) = listed.iter().find(|(known, _)| *known == snapshot) {
            let message = format!("{text} is in tier `{}` twice", self.out.tiers[id.index()].name);
            let finding =
                Diagnostic::new(&R108, model.span, message).label(*first, "first here").help("delete one of the two");
            self.desk.report(finding);
            return;
        }
        listed.push((snapshot, model.span));
        let tier = &self.out.tiers[id.index()];
        if !tier.specialized {
            if let Some(other) = self.out.snapshots[snapshot.index()].tier {
                let there = &self.out.tiers[other.index()];
                let message =
                    format!("{text} is in tier `{}` already, and is trusted with one class of work", there.name);
                let finding = Diagnostic::new(&R222, model.span, message)
                    .label(self.out.snapshots[snapshot.index()].span, format!("in tier `{}`", there.name))
                    .help(format!("delete it from one of `{}` and `{}`", there.name, tier.name));
                self.desk.report(finding);
                return;
            }
            self.out.snapshots[snapshot.index()].tier = Some(id);
        }
        let tier = &mut self.out.tiers[id.index()];
        if candidate { tier.candidates.push(snapshot) } else { tier.members.push(snapshot) }
    }

    /// A tier is used when a chain names one of its snapshots: `lower` and `higher` are true because of it.
    pub(super) fn used_tiers(&mut self) {
        for rule in &self.out.rules {
            let Outcome::Chain(chain) = &rule.outcome else { continue };
            if chain.promise == Promise::AsRequested {
                // Any tier may be asked for.
                for tier in self.out.tiers.iter().filter(|tier| !tier.specialized) {
                    self.names.find(Sort::Tier, &tier.name);
                }
            }
            for hop in &chain.hops {
                let Target::Snapshot(id) = hop.target else { continue };
                if let Some(tier) = self.out.home(id) {
                    self.names.find(Sort::Tier, &self.out.tiers[tier.index()].name);
                }
            }
        }
    }

    /// The row of a model literal. What its id is worth is judged apart, once for each place that names it.
    pub(super) fn snapshot(&mut self, model: &ast::Model) -> SnapshotId {
        let name = ModelRef::new(&model.provider, &model.id);
        self.judge(model, &name);
        if let Some(known) = self.snapshots.get(&name) {
            return *known;
        }
        if self.out.snapshots.len() >= MAX_DECLARATIONS {
            let message = format!("a set names at most {MAX_DECLARATIONS} models, and this is one more");
            self.desk.report(Diagnostic::new(&R007, model.span, message).help("split the policy into several sets"));
            return SnapshotId(0);
        }
        let id = SnapshotId(self.out.snapshots.len() as u16);
        let facts = self.ctx.catalog.facts(&model.provider, &model.id).filter(|entry| !entry.unverified);
        let facts = facts.map(|entry| Arc::new(entry.into_owned()));
        self.out.snapshots.push(Snapshot { model: name.clone(), facts, tier: None, span: model.span });
        self.snapshots.insert(name, id);
        id
    }

    /// Judges a model that is no hop: a shadow's, a rollout's, one that a condition compares with.
    pub(super) fn judged(&mut self, model: &ast::Model) {
        self.judge(model, &ModelRef::new(&model.provider, &model.id));
    }

    fn judge(&mut self, model: &ast::Model, name: &ModelRef) {
        let accepted = self.accepted.contains(name);
        if let Some(mut finding) = super::super::check::models::judge(self.ctx.catalog, model, self.ctx.today, accepted)
        {
            if *finding.code == R217 {
                finding.fixes.extend(self.consent_to(name));
            }
            self.desk.report(finding);
        }
    }
}
