//! Policies held in memory, compiled as `check` would.
#![allow(dead_code, reason = "every test file uses a part of it")]

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::{Date, date};
use wayside::catalog::{Catalog, Overlay};
use wayside::policy::check::{Report, Settings, check};
use wayside::policy::explain::{Asked, ask};
use wayside::policy::resolve::Files;
use wayside::policy::source::Sources;
use wayside::policy::tree::Tree;

/// The day on which tests judge dates.
pub const TODAY: Date = date(2026, 11, 22);

/// Files by path.
pub struct Memory(pub BTreeMap<&'static str, String>);

impl Files for Memory {
    fn read(&self, path: &str) -> Result<String, String> {
        self.0.get(path).cloned().ok_or_else(|| "no such file".to_owned())
    }

    fn glob(&self, _: &str) -> Vec<String> {
        self.0.keys().map(ToString::to_string).collect()
    }
}

/// A policy that was resolved.
pub struct Policy {
    pub tree: Tree,
    pub sources: Sources,
    pub catalog: Arc<Catalog>,
}

/// The answer of `check` on [`TODAY`], by the built-in catalog, pedantic findings about decisions among it.
pub fn report(text: &str) -> Report {
    let files = Memory(BTreeMap::from([("p.route", text.to_owned())]));
    let select = (1..=8).map(|family| format!("R{family}")).collect();
    check("p.route", &files, &Catalog::embedded(), &Settings { select, ..Settings::on(TODAY) })
}

/// Compiles a policy with an overlay, findings of the analysis or not: planning must hold for every tree.
pub fn compile(text: &str, overlay: &str) -> Policy {
    let catalog = match overlay {
        "" => Catalog::embedded(),
        text => Catalog::embedded().with_overlay(&Overlay::parse(text).unwrap()).unwrap(),
    };
    let files = Memory(BTreeMap::from([("p.route", text.to_owned())]));
    let report = check("p.route", &files, &catalog, &Settings::on(TODAY));
    let errors: Vec<String> = report.findings.iter().map(|one| format!("{}: {}", one.code.code, one.message)).collect();
    let Ok(tree) = Tree::compile(report.checked) else { panic!("not compiled: {errors:#?}") };
    Policy { tree, sources: report.sources, catalog: Arc::new(catalog) }
}

impl Policy {
    /// A request as `explain` takes it: `plan=pro prompt_tokens=2k`.
    pub fn ask(&self, request: &str) -> Result<Asked, Vec<String>> {
        let pairs = request.split_whitespace().map(|pair| pair.split_once('=').unwrap());
        let pairs: Vec<(String, String)> = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        ask(&self.tree, &self.catalog, TODAY, &pairs)
    }
}
