//! The policies that ship: every snapshot they name is pinned, in service and stays for a while.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

use std::fs;

use jiff::ToSpan;
use wayside::catalog::{Catalog, Life, Verdict};
use wayside::policy::check::{Settings, check};
use wayside::policy::diagnostic::Level;
use wayside::policy::render;
use wayside::policy::resolve::Files;

/// A policy somebody starts from should not warn in its first months.
const MONTHS: i64 = 3;

fn snapshots(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or(""));
    let words = lines.flat_map(|line| line.split(|c: char| c.is_whitespace() || "{},[]".contains(c)));
    let providers = Catalog::embedded().providers().into_iter().map(str::to_owned).collect::<Vec<_>>();
    let models = words.filter_map(|word| word.split_once('/'));
    let models = models.filter(|(provider, _)| providers.iter().any(|known| known == provider));
    models.map(|(provider, id)| (provider.to_owned(), id.to_owned())).collect()
}

#[test]
fn shipped_policies_name_snapshots_that_stay() {
    let catalog = Catalog::embedded();
    let later = catalog.as_of().checked_add(MONTHS.months()).unwrap();
    let mut named = 0;
    for file in fs::read_dir("policies").unwrap().map(|entry| entry.unwrap().path()) {
        if file.extension().is_none_or(|kind| kind != "route") {
            continue;
        }
        for (provider, id) in snapshots(&fs::read_to_string(&file).unwrap()) {
            let Verdict::Pinned { entry: Some(entry), .. } = catalog.verdict(&provider, &id, later) else {
                panic!("{}: {provider}/{id} is {:?}", file.display(), catalog.verdict(&provider, &id, later));
            };
            assert_eq!(entry.life(later), Life::Serving);
            assert!(entry.price.is_some() && entry.max_input.is_some(), "{provider}/{id}");
            named += 1;
        }
    }
    assert!(named > 20, "{named}");
}

struct Disk;

impl Files for Disk {
    fn read(&self, path: &str) -> Result<String, String> {
        fs::read_to_string(path).map_err(|error| error.to_string())
    }
    fn glob(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}

#[test]
fn shipped_policies_check_clean_and_compile() {
    let catalog = Catalog::embedded();
    for name in ["starter", "demo", "support"] {
        let report = check(&format!("policies/{name}.route"), &Disk, &catalog, &Settings::on(catalog.as_of()));
        let mut text = String::new();
        render::human::human(&report.findings, &report.sources, false, &|_| false, &mut text).unwrap();
        let loud = report.findings.iter().any(|finding| matches!(finding.level, Level::Error | Level::Warning));
        assert!(!loud && report.compiled.is_some(), "{text}");
    }
}
