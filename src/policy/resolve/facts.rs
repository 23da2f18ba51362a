//! Facts in files beside the policy: tenants, template texts.
//!
//! In: their text. Out: rows of the same tables the policy fills; R121 with the row and the field. Must not know: the disk.

use serde::Deserialize;

use super::super::ast::{ItemKind, TemplateBody};
use super::super::checked::{Template, Tenant};
use super::super::diagnostic::{Diagnostic, R121};
use super::super::source::{Span, Spanned};
use super::Resolver;
use super::files::beside;
use super::names::Sort;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TenantsFile {
    tenants: Vec<TenantRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TenantRow {
    name: String,
    plan: Option<String>,
    residency: Option<String>,
    approved: Option<Vec<String>>,
}

impl Resolver<'_> {
    /// Every `tenants from "…"`.
    pub(super) fn tenant_files(&mut self) {
        for item in self.loaded.items() {
            let ItemKind::FactsFrom { what, path } = &item.kind else { continue };
            if what.node != "tenants" {
                continue;
            }
            for (file, text) in self.facts(path) {
                match serde_yaml::from_str::<TenantsFile>(&text) {
                    Ok(rows) => {
                        rows.tenants.into_iter().enumerate().for_each(|(at, row)| self.row(&file, path.span, at, row))
                    }
                    Err(error) => {
                        let message = format!("`{file}` cannot be read: {error}");
                        let help = "write `tenants:` and one row a line, like `- {name: harbor, plan: pro}`";
                        self.desk.report(Diagnostic::new(&R121, path.span, message).help(help));
                    }
                }
            }
        }
    }

    fn row(&mut self, file: &str, span: Span, at: usize, row: TenantRow) {
        let wrong = |field: &str, value: &str, what: &str, known: String| {
            let message =
                format!("`{file}`, row {} (`{}`), field `{field}`: there is no {what} `{value}`", at + 1, row.name);
            Diagnostic::new(&R121, span, message).note(format!("known: {known}"))
        };
        let list = |names: Vec<&str>| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let mut tenant = Tenant { name: row.name.as_str().into(), plan: None, residency: None, approved: None };
        if let Some(plan) = &row.plan {
            tenant.plan = self.out.plans.iter().position(|known| **known == **plan).map(|at| at as u16);
            if tenant.plan.is_none() {
                let known = list(self.out.plans.iter().map(|plan| &**plan).collect());
                self.desk.findings.push(wrong("plan", plan, "plan", known));
            }
        }
        if let Some(residency) = &row.residency {
            let rows = &self.out.residencies;
            tenant.residency = rows.iter().position(|known| *known.name == **residency).map(|at| at as u16);
            // A tenants file uses what it names as much as a row does.
            self.names.find(Sort::Residency, residency);
            if tenant.residency.is_none() {
                let known = list(rows.iter().map(|residency| &*residency.name).collect());
                self.desk.findings.push(wrong("residency", residency, "residency", known));
            }
        }
        if let Some(approved) = &row.approved {
            for provider in approved {
                if !self.knows_provider(provider) {
                    let known = list(self.ctx.catalog.providers());
                    self.desk.findings.push(wrong("approved", provider, "provider", known));
                }
            }
            tenant.approved = Some(approved.iter().map(|name| name.as_str().into()).collect());
        }
        if self.tenants.contains_key(&tenant.name) {
            let message = format!("`{file}`, row {}: tenant `{}` has a row already", at + 1, row.name);
            self.desk.report(Diagnostic::new(&R121, span, message).help("delete one of the two"));
            return;
        }
        self.tenants.insert(tenant.name.clone(), self.out.tenants.len() as u32);
        self.served_from_file.insert(tenant.name.clone(), file.into());
        self.out.tenants.push(tenant);
    }

    pub(super) fn templates(&mut self) {
        for (name, _, item) in self.names.all(Sort::Template) {
            let ItemKind::Template { body, .. } = &item.kind else { continue };
            let text = match body {
                TemplateBody::Text(text) => text.node.as_str().into(),
                // An unreadable text leaves the template known, so that its uses are no second finding.
                TemplateBody::File(path) => self.fact(path).map_or_else(|| "".into(), |(_, text)| text.into()),
            };
            self.out.templates.push(Template { name: name.into(), text });
        }
    }

    /// One file beside the policy.
    pub(super) fn fact(&mut self, path: &Spanned<String>) -> Option<(String, String)> {
        let from = &self.desk.sources.file(path.span.file).path;
        let problem =
            |reason: &str| Diagnostic::new(&R121, path.span, format!("`{}` cannot be read: {reason}", path.node));
        let Some(file) = beside(from, &path.node) else {
            self.desk.findings.push(problem("it is not a path relative to this file"));
            return None;
        };
        match self.ctx.files.read(&file) {
            Ok(text) => Some((file, text)),
            Err(reason) => {
                self.desk.findings.push(problem(&reason));
                None
            }
        }
    }

    /// The files a path or a pattern names; at least one, or a finding.
    pub(super) fn facts(&mut self, path: &Spanned<String>) -> Vec<(String, String)> {
        if !path.node.contains('*') {
            return self.fact(path).into_iter().collect();
        }
        let from = &self.desk.sources.file(path.span.file).path;
        let found = beside(from, &path.node).map(|pattern| self.ctx.files.glob(&pattern)).unwrap_or_default();
        if found.is_empty() {
            let message = format!("no file matches `{}`", path.node);
            self.desk.report(Diagnostic::new(&R121, path.span, message).help("write a path relative to this file"));
        }
        let mut texts = Vec::new();
        for file in found {
            match self.ctx.files.read(&file) {
                Ok(text) => texts.push((file, text)),
                Err(reason) => {
                    let message = format!("`{file}` cannot be read: {reason}");
                    self.desk.report(Diagnostic::new(&R121, path.span, message));
                }
            }
        }
        texts
    }
}
