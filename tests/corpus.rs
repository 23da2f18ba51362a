//! One folder for each diagnostic in `tests/corpus/codes`: a policy that has it, one that is close and has not, and what is printed.
//!
//! The first line of a policy may say how it is checked: `# check: --today 2026-11-24 --catalog catalog.yaml`, the file beside it.
//! What is found in `NAME.jsonl`, a request log, and in `NAME.json`, the answer of a proxy to `GET /status`, is printed with it.
//! `WAYSIDE_BLESS=1 cargo test --test corpus` writes the expectations anew; read the difference.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

mod evidence;

use std::fs;
use std::path::{Path, PathBuf};

use jiff::civil::{Date, date};
use wayside::catalog::{Catalog, Overlay};
use wayside::policy::check::{Report, Settings, check};
use wayside::policy::diagnostic::{CODES, Diagnostic, Fix};
use wayside::policy::render;
use wayside::policy::resolve::Files;
use wayside::policy::source::Sources;

/// The day on which policies are judged unless they say otherwise.
const TODAY: Date = date(2026, 11, 23);

/// One folder, with one file perhaps replaced by another text.
struct Folder {
    path: PathBuf,
    instead: Option<(String, String)>,
}

impl Files for Folder {
    fn read(&self, path: &str) -> Result<String, String> {
        match &self.instead {
            Some((name, text)) if name == path => Ok(text.clone()),
            _ => fs::read_to_string(self.path.join(path)).map_err(|_| "no such file".to_owned()),
        }
    }

    fn glob(&self, pattern: &str) -> Vec<String> {
        let (start, end) = pattern.split_once('*').unwrap_or((pattern, ""));
        let files = fs::read_dir(&self.path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = files.filter(|name| name.starts_with(start) && name.ends_with(end)).collect();
        names.sort();
        names
    }
}

fn checked(folder: &Folder, name: &str) -> Report {
    let text = folder.read(name).unwrap();
    let first = text.lines().next().unwrap_or("");
    let options: Vec<&str> = first.strip_prefix("# check: ").unwrap_or("").split_whitespace().collect();
    let mut settings = Settings::on(TODAY);
    let mut catalog = Catalog::embedded();
    for pair in options.chunks(2) {
        match pair {
            ["--select", code] => settings.select.push((*code).to_owned()),
            ["--fuel", steps] => settings.prove.fuel = steps.parse().unwrap(),
            ["--today", day] => settings.today = day.parse().unwrap(),
            ["--layout", "judged"] => settings.layout = true,
            ["--catalog", file] => {
                let overlay = Overlay::parse(&folder.read(file).unwrap()).unwrap();
                catalog = catalog.with_overlay(&overlay).unwrap();
            }
            other => panic!("{}: what is {other:?}?", folder.path.display()),
        }
    }
    // A pedantic code is off unless it is asked for; its folder asks.
    settings.select = vec![code(&folder.path).to_owned()];
    let mut report = check(name, folder, &catalog, &settings);
    let beside = |end: &str| folder.read(&name.replace(".route", end)).ok();
    let (log, status) = (beside(".jsonl"), beside(".json"));
    report.findings = evidence::findings(&report, &catalog, code(&folder.path), log.as_deref(), status.as_deref());
    report
}

fn printed(report: &Report) -> String {
    let mut text = String::new();
    render::human::human(&report.findings, &report.sources, false, &|_| false, &mut text).unwrap();
    text
}

/// A text after the edits of one fix that lie in the set's first file.
fn repaired(sources: &Sources, fix: &Fix) -> Option<String> {
    let (root, source) = sources.files().next()?;
    let mut edits: Vec<_> = fix.edits.iter().filter(|edit| edit.span.file == root).collect();
    edits.sort_by_key(|edit| std::cmp::Reverse(edit.span.lo));
    let mut text = source.text.to_string();
    for edit in edits {
        text.replace_range(edit.span.lo as usize..edit.span.hi as usize, &edit.text);
    }
    Some(text)
}

fn folders() -> Vec<PathBuf> {
    let codes = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/codes")).unwrap();
    let mut folders: Vec<PathBuf> = codes.map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders
}

fn code(folder: &Path) -> &str {
    folder.file_name().unwrap().to_str().unwrap()
}

#[test]
fn every_code_fires_where_it_should_and_prints_what_is_expected() {
    let bless = std::env::var_os("WAYSIDE_BLESS").is_some();
    let mut wrong = Vec::new();
    for path in folders() {
        let code = code(&path).to_owned();
        assert!(CODES.iter().any(|known| known.code == code), "{code} is no code");
        let folder = Folder { path, instead: None };
        for (name, fires) in [("fires", true), ("quiet", false)] {
            let report = checked(&folder, &format!("{name}.route"));
            assert_eq!(report.fault, None, "{code}/{name}");
            let fired = report.findings.iter().any(|finding| finding.code.code == code);
            if fired != fires {
                wrong.push(format!(
                    "{code}/{name}.route: {code} {}",
                    if fires { "is not reported" } else { "is reported" }
                ));
            }
            let expected = folder.path.join(format!("{name}.stderr"));
            let now = printed(&report);
            if bless {
                fs::write(&expected, &now).unwrap();
            } else if fs::read_to_string(&expected).unwrap_or_default() != now {
                wrong.push(format!("{code}/{name}.stderr is not what is printed now:\n{now}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_fix_cures_its_finding() {
    let mut cured = 0;
    for path in folders() {
        let folder = Folder { path, instead: None };
        let report = checked(&folder, "fires.route");
        for finding in &report.findings {
            for fix in &finding.fixes {
                let Some(text) = repaired(&report.sources, fix) else { continue };
                let after =
                    Folder { path: folder.path.clone(), instead: Some(("fires.route".to_owned(), text.clone())) };
                let left = checked(&after, "fires.route").findings;
                // Two findings may read alike, so the cure is one less.
                let same = |findings: &[Diagnostic]| {
                    let alike = |one: &&Diagnostic| one.code == finding.code && one.message == finding.message;
                    findings.iter().filter(alike).count()
                };
                let cures = same(&left) < same(&report.findings);
                assert!(cures, "{}: `{}` leaves {}\n{text}", code(&folder.path), fix.title, finding.message);
                let broken = left.iter().find(|one| one.code.code.starts_with("R00"));
                assert!(broken.is_none(), "{}: `{}` gives {broken:?}\n{text}", code(&folder.path), fix.title);
                cured += 1;
            }
        }
    }
    assert!(cured > 5, "{cured}");
}

#[test]
fn every_code_has_a_folder() {
    let have = folders();
    // R990 is said by `serve` alone; tests/resolve_moving.rs and the example of its page hold it.
    let codes = CODES.iter().map(|code| code.code).filter(|code| *code != "R990");
    let missing: Vec<&str> = codes.filter(|known| !have.iter().any(|folder| code(folder) == *known)).collect();
    assert!(missing.is_empty(), "no folder in tests/corpus/codes for {missing:?}");
}
