//! The policies that ship: every snapshot they name is pinned, in service and stays for a while.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::ToSpan;
use wayside::catalog::{Catalog, Life, Overlay, Verdict};
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
    for file in policies().into_iter().chain(tests()) {
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

/// Policies and their tests, in every folder.
fn routes() -> Vec<PathBuf> {
    let mut folders = vec![PathBuf::from("policies")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            match path.extension().and_then(|kind| kind.to_str()) {
                _ if path.is_dir() => folders.push(path),
                Some("route") => found.push(path),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

fn is_test(path: &Path) -> bool {
    path.to_string_lossy().ends_with(".test.route")
}

fn policies() -> Vec<PathBuf> {
    routes().into_iter().filter(|path| !is_test(path)).collect()
}

fn tests() -> Vec<PathBuf> {
    routes().into_iter().filter(|path| is_test(path)).collect()
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
    assert_eq!(policies().len(), 8);
    for path in policies() {
        let mut catalog = Catalog::embedded();
        if let Ok(facts) = fs::read_to_string(path.with_file_name("catalog.yaml")) {
            catalog = catalog.with_overlay(&Overlay::parse(&facts).unwrap()).unwrap();
        }
        let report = check(path.to_str().unwrap(), &Disk, &catalog, &Settings::on(catalog.as_of()));
        let mut text = String::new();
        render::human::human(&report.findings, &report.sources, false, &|_| false, &mut text).unwrap();
        let loud = report.findings.iter().any(|finding| matches!(finding.level, Level::Error | Level::Warning));
        assert!(!loud && report.compiled.is_some(), "{text}");
    }
}
