//! What one column says about another: facts become boxes that no request is ever in.
//!
//! In: the tables and the columns in use. Out: [`Implication`]s. Must not know: how they are used.

use super::super::checked::{ColumnId, Cond, Domain, Implication, Stakes, Subject, Values};
use super::Resolver;
use crate::catalog::Resolved;
use crate::names::ModelRef;

impl Resolver<'_> {
    /// Only between columns that conditions look at.
    pub(super) fn implications(&mut self) {
        self.tenant_facts();
        self.stakes_of_features();
        self.requested_names();
        self.requested_tiers();
    }

    fn existing(&self, subject: Subject) -> Option<ColumnId> {
        self.columns.get(&subject).copied()
    }

    fn imply(&mut self, left: (ColumnId, Values), right: (ColumnId, Values), because: String) {
        let ((if_column, if_values), (then_column, then_values)) = (left, right);
        self.out.implications.push(Implication { if_column, if_values, then_column, then_values, because });
    }

    /// A tenant's plan and residency. Tenants that no condition names are not told apart, so they imply nothing.
    fn tenant_facts(&mut self) {
        let Some(column) = self.existing(Subject::Tenant) else { return };
        let (plan, residency) = (self.existing(Subject::Plan), self.existing(Subject::Residency));
        let named: Vec<_> = self.named_tenants().collect();
        let mut mentioned = self.mentioned.clone();
        mentioned.sort_unstable();
        mentioned.dedup();
        for at in mentioned {
            let Some(row) = named.get(at as usize).and_then(|name| self.tenants.get(name)) else { continue };
            let tenant = self.out.tenants[*row as usize].clone();
            let left = || (column, Values::Enum(vec![at]));
            if let (Some(plan), Some(value)) = (plan, tenant.plan) {
                let because = format!("tenant {} is on plan {}", tenant.name, self.out.plans[usize::from(value)]);
                self.imply(left(), (plan, Values::Enum(vec![u32::from(value)])), because);
            }
            if let (Some(residency), Some(value)) = (residency, tenant.residency) {
                let name = &self.out.residencies[usize::from(value)].name;
                let because = format!("tenant {} has residency {name}", tenant.name);
                self.imply(left(), (residency, Values::Enum(vec![u32::from(value)])), because);
            }
        }
    }

    /// `stakes` is a function of `feature`, so a set that looks at stakes also looks at features.
    fn stakes_of_features(&mut self) {
        let Some(stakes) = self.existing(Subject::Stakes) else { return };
        let column = self.column(Subject::Feature);
        let normal = || (stakes, Values::Enum(vec![Stakes::Normal as u32]));
        self.imply((column, Values::Enum(vec![0])), normal(), "without a feature, stakes are normal".into());
        let features: Vec<_> = self.out.features.iter().map(|feature| (feature.name.clone(), feature.stakes)).collect();
        for (at, (name, level)) in (1u32..).zip(features) {
            let because = format!("feature {name} has stakes {}", level.word());
            self.imply((column, Values::Enum(vec![at])), (stakes, Values::Enum(vec![level as u32])), because);
        }
    }

    /// What a client sends says which snapshot that is, and in which tier.
    fn requested_names(&mut self) {
        let Some(column) = self.existing(Subject::RequestedModel) else { return };
        let (snapshot, tier) = (self.existing(Subject::RequestedSnapshot), self.existing(Subject::RequestedTier));
        let mut texts = Vec::new();
        let rules = self.out.rules.iter().map(|rule| &rule.when);
        let properties = self.out.properties.iter().filter_map(|one| one.guarantee.over.as_ref());
        let beside = self.out.moving.conditions().chain(properties).map(|clause| &clause.node);
        rules.chain(beside).for_each(|cond| literals(cond, column, &mut texts));
        texts.sort();
        texts.dedup();
        for pattern in texts {
            let sent = pattern.text.clone();
            let left = || (column, Values::Text(vec![pattern.clone()]));
            let found = self.resolved(&sent);
            if let (Some(snapshot), Some(name)) = (snapshot, &found) {
                let at = self.requested_value(&name.to_string());
                self.imply(left(), (snapshot, Values::Enum(vec![at])), format!("`{sent}` is {name}"));
            }
            if let Some(tier) = tier {
                let (at, word) = self.tier_of(found.as_ref());
                self.imply(left(), (tier, Values::Enum(vec![at])), format!("`{sent}` is in {word}"));
            }
        }
    }

    /// The snapshot behind what a client sends: the catalog's answer, else a snapshot of the policy by that very name.
    fn resolved(&self, sent: &str) -> Option<ModelRef> {
        match self.ctx.catalog.resolve(sent) {
            Resolved::Known(entry) => Some(ModelRef::new(&entry.provider, &entry.written_id())),
            Resolved::Unknown => {
                let written = ModelRef::parse(sent).filter(|model| self.snapshots.contains_key(model));
                written.or_else(|| {
                    // As admission does: an id without its provider counts when one provider alone has it.
                    let mut rows = self.out.snapshots.iter().map(|row| &row.model).filter(|model| *model.id == *sent);
                    let first = rows.next()?;
                    rows.next().is_none().then(|| first.clone())
                })
            }
        }
    }

    fn requested_tiers(&mut self) {
        let (Some(column), Some(tier)) =
            (self.existing(Subject::RequestedSnapshot), self.existing(Subject::RequestedTier))
        else {
            return;
        };
        let Domain::Enum { values, .. } = &self.out.columns[column.index()].domain else { return };
        for (at, name) in (0u32..).zip(values.clone()) {
            let (position, word) = self.tier_of(ModelRef::parse(&name).as_ref());
            let right = (tier, Values::Enum(vec![position]));
            self.imply((column, Values::Enum(vec![at])), right, format!("{name} is in {word}"));
        }
    }

    /// Position in the domain of `requested_tier`, and the words for it.
    fn tier_of(&self, model: Option<&ModelRef>) -> (u32, String) {
        let id = model.and_then(|model| self.snapshots.get(model));
        match id.and_then(|id| self.out.snapshots[id.index()].tier) {
            Some(tier) => (u32::from(tier.0) + 1, format!("tier {}", self.out.tiers[tier.index()].name)),
            None => (0, "no tier".into()),
        }
    }
}

/// Literals of a text column, prefixes left out: what begins alike need not resolve alike.
fn literals(cond: &Cond, column: ColumnId, into: &mut Vec<super::super::checked::TextPattern>) {
    match cond {
        Cond::True => {}
        Cond::Any(parts) | Cond::All(parts) => parts.iter().for_each(|part| literals(part, column, into)),
        Cond::Not(part) => literals(part, column, into),
        Cond::Test { column: tested, values: Values::Text(patterns), .. } if *tested == column => {
            into.extend(patterns.iter().filter(|pattern| !pattern.prefix).cloned());
        }
        Cond::Test { .. } => {}
    }
}
