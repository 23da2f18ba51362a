//! Residencies, plans, features, tenants and groups: who and what exists.
//!
//! In: their declarations. Out: the tables conditions point into. Must not know: conditions.

use std::sync::Arc;

use super::super::ast::{Block, ItemKind, Setting, Value};
use super::super::checked::{Feature, Residency, Stakes, Tenant};
use super::super::diagnostic::{Diagnostic, R105, R106, R107, R112};
use super::super::source::Span;
use super::Resolver;
use super::header::settings;
use super::names::{Sort, unknown};
use super::values::members;
use crate::names::{ProviderName, nearest};

/// What the members of a group can all be.
#[derive(Clone, Debug)]
pub(super) struct Group<'a> {
    pub members: Vec<(&'a str, Span)>,
}

impl<'a> Resolver<'a> {
    pub(super) fn people(&mut self) {
        for (name, _, _) in self.names.all(Sort::Plan) {
            self.out.plans.push(name.into());
        }
        for (name, _, item) in self.names.all(Sort::Residency) {
            if let ItemKind::Group { members, .. } = &item.kind {
                let regions = self.regions(members);
                self.out.residencies.push(Residency { name: name.into(), regions });
            }
        }
        for (name, span, item) in self.names.all(Sort::Feature) {
            if let ItemKind::Decl { body, .. } = &item.kind {
                self.feature(name, span, body);
            }
        }
        for (name, _, item) in self.names.all(Sort::Tenant) {
            if let ItemKind::Decl { body, .. } = &item.kind {
                self.tenant(name, body);
            }
        }
        self.tenant_files();
        for (name, span, item) in self.names.all(Sort::Group) {
            if let ItemKind::Group { members, .. } = &item.kind {
                self.group(name, span, members);
            }
        }
    }

    /// Regions by name, each known to the catalog.
    pub(super) fn regions(&mut self, values: &[Value]) -> Vec<Arc<str>> {
        let mut regions: Vec<Arc<str>> = Vec::new();
        for value in values {
            let Some(name) = self.desk.name(value, "a region") else { continue };
            if self.known_region(name, value.span) && !regions.iter().any(|region| **region == *name) {
                regions.push(name.into());
            }
        }
        regions
    }

    /// R105, with a help for those who meant a residency.
    pub(super) fn known_region(&mut self, name: &str, span: Span) -> bool {
        let known = self.ctx.catalog.regions();
        if known.contains(&name) {
            return true;
        }
        let message = format!("region `{name}` is in no catalog entry");
        let mut finding = Diagnostic::new(&R105, span, message);
        let regions_of = |wanted: &str| self.out.residencies.iter().find(|residency| *residency.name == *wanted);
        if let Some(residency) = regions_of(name) {
            finding = finding
                .help(format!("`{name}` is a residency; write its regions: `[{}]`", residency.regions.join(", ")));
        } else if let Some(near) = nearest(name, known.iter().copied()).first() {
            finding = finding.help(format!("write `{near}`")).fix(true, format!("write `{near}`"), span, *near);
        } else {
            finding = finding.help(format!("state it in `catalog.yaml` for the models it offers: `regions: [{name}]`"));
        }
        self.desk.report(finding);
        false
    }

    /// Providers by name, each known to the catalog or the runtime configuration.
    pub(super) fn providers(&mut self, value: &Value) -> Vec<ProviderName> {
        let mut providers: Vec<ProviderName> = Vec::new();
        for value in members(value) {
            let Some(name) = self.desk.name(value, "a provider") else { continue };
            if self.knows_provider(name) {
                providers.push(name.into());
                continue;
            }
            let known = self.ctx.catalog.providers();
            let known: Vec<&str> = known.into_iter().chain(self.ctx.providers.iter().map(String::as_str)).collect();
            let message = format!("there is no provider `{name}`");
            self.desk.report(unknown(&R106, "provider", message, name, value.span, &known));
        }
        providers
    }

    pub(super) fn knows_provider(&self, name: &str) -> bool {
        self.ctx.providers.iter().any(|provider| provider == name) || self.ctx.catalog.provider_kind(name).is_some()
    }

    fn feature(&mut self, name: &'a str, span: Span, body: &'a Block) {
        let mut feature = Feature { name: name.into(), stakes: Stakes::Normal, max_output: None, deadline: None, span };
        for setting in settings(body) {
            let Some(value) = setting.values.first() else { continue };
            match setting.key.node.as_str() {
                "stakes" => feature.stakes = self.stakes(value).unwrap_or(feature.stakes),
                "max_output" => feature.max_output = self.desk.tokens(value, "`max_output`"),
                "deadline" => feature.deadline = self.desk.some_time(value, "`deadline`"),
                _ => {}
            }
        }
        self.out.features.push(feature);
    }

    fn stakes(&mut self, value: &Value) -> Option<Stakes> {
        let word = self.desk.word(value, "`stakes`")?;
        match word {
            "low" => Some(Stakes::Low),
            "normal" => Some(Stakes::Normal),
            "high" => Some(Stakes::High),
            _ => {
                let message = format!("stakes are `low`, `normal` or `high`, never `{word}`");
                self.desk.report(unknown(&R112, "stakes", message, word, value.span, &["low", "normal", "high"]));
                None
            }
        }
    }

    fn tenant(&mut self, name: &'a str, body: &'a Block) {
        let mut tenant = Tenant { name: name.into(), plan: None, residency: None, approved: None };
        for setting in settings(body) {
            let Some(value) = setting.values.first() else { continue };
            match setting.key.node.as_str() {
                "plan" => tenant.plan = self.plan(value),
                "residency" => tenant.residency = self.residency(value),
                "approved" => tenant.approved = Some(self.approved(setting)),
                _ => {}
            }
        }
        self.tenants.insert(name.into(), self.out.tenants.len() as u32);
        self.out.tenants.push(tenant);
    }

    fn approved(&mut self, setting: &Setting) -> Vec<ProviderName> {
        setting.values.iter().flat_map(|value| self.providers(value)).collect()
    }

    fn plan(&mut self, value: &'a Value) -> Option<u16> {
        let name = self.desk.name(value, "`plan`")?;
        let position = position(&self.out.plans, name);
        if position.is_none() {
            self.names.report_unknown(Sort::Plan, name, value.span, &mut self.desk);
        }
        position
    }

    fn residency(&mut self, value: &'a Value) -> Option<u16> {
        let name = self.desk.name(value, "`residency`")?;
        if name == "anywhere" {
            return Some(0);
        }
        if self.names.find(Sort::Residency, name).is_none() {
            self.names.report_unknown(Sort::Residency, name, value.span, &mut self.desk);
            return None;
        }
        self.out.residencies.iter().position(|residency| *residency.name == *name).map(|at| at as u16)
    }

    /// Every member is a tenant, a feature or a plan; which, the place of use decides.
    fn group(&mut self, name: &'a str, span: Span, values: &'a [Value]) {
        const SORTS: [Sort; 3] = [Sort::Tenant, Sort::Feature, Sort::Plan];
        if values.is_empty() {
            let message = format!("group `{name}` has no members, so nothing is ever in it");
            self.desk.report(Diagnostic::new(&R112, span, message).help("name its members, or delete it"));
        }
        for value in values {
            let Some(member) = self.desk.name(value, "a group") else { continue };
            if self.names.is_member(member) {
                continue;
            }
            if let Some(file) = self.served_from_file.get(member) {
                self.desk.report(row_wanted(member, file, value.span));
                continue;
            }
            let known: Vec<&str> =
                SORTS.into_iter().flat_map(|sort| self.names.all(sort)).map(|(name, _, _)| name).collect();
            let message = format!("`{member}` is no tenant, feature or plan");
            self.desk.report(unknown(&R107, "tenant, feature or plan", message, member, value.span, &known));
        }
    }

    /// The members of a group, for a condition.
    pub(super) fn group_members(&mut self, name: &str) -> Option<Group<'a>> {
        let item = self.names.find(Sort::Group, name)?.item;
        let ItemKind::Group { members, .. } = &item.kind else { return None };
        let members = members
            .iter()
            .filter_map(|value| match &value.kind {
                super::super::ast::ValueKind::Word(name) | super::super::ast::ValueKind::Str(name) => {
                    Some((name.as_str(), value.span))
                }
                _ => None,
            })
            .collect();
        Some(Group { members })
    }
}

/// A tenant of a file that a rule or a group names.
pub(super) fn row_wanted(name: &str, file: &str, span: Span) -> Diagnostic {
    use super::super::diagnostic::R103;
    Diagnostic::new(&R103, span, format!("tenant `{name}` has no `tenant` row in the policy"))
        .note(format!("its row is in `{file}`; only a tenant declared in the policy can be named in it"))
        .help(format!("declare it: `tenant {name} {{ .. }}`"))
}

fn position(table: &[Arc<str>], name: &str) -> Option<u16> {
    table.iter().position(|entry| **entry == *name).map(|at| at as u16)
}
