//! Every example on the page of a finding does what the page says.

use jiff::civil::{Date, date};
use wayside::catalog::{Catalog, Overlay};
use wayside::policy::check::{Settings, check, not_carried_out};
use wayside::policy::diagnostic::{Diagnostic, Level};
use wayside::policy::explain::pages::{Example, codes, examples, page};
use wayside::policy::resolve::Files;

use crate::evidence;

/// The day on which examples are judged that name none.
const TODAY: Date = date(2026, 11, 22);

/// An example and the files beside it.
struct Beside<'a>(&'a Example);

impl Files for Beside<'_> {
    fn read(&self, path: &str) -> Result<String, String> {
        let found = self.0.beside.iter().find(|(name, _)| *name == path).map(|(_, text)| *text);
        let found = found.or_else(|| (path == "p.route").then_some(self.0.text));
        found.map(str::to_owned).ok_or_else(|| "no such file".to_owned())
    }

    fn glob(&self, pattern: &str) -> Vec<String> {
        let (start, end) = pattern.split_once('*').unwrap();
        let names = self.0.beside.iter().map(|(name, _)| (*name).to_owned());
        names.filter(|name| name.starts_with(start) && name.ends_with(end)).collect()
    }
}

/// What `check` and, behind it, `serve` say.
fn findings(code: &str, example: &Example) -> Vec<Diagnostic> {
    // The layout is judged for its own page alone: nobody reads another one for it.
    let mut settings = Settings { select: vec![code.to_owned()], layout: code == "R901", ..Settings::on(TODAY) };
    let first = example.text.lines().next().unwrap().strip_prefix("# check: ").unwrap_or_default();
    match first.split_once(' ') {
        Some(("--today", day)) => settings.today = day.parse().unwrap(),
        Some(("--fuel", steps)) => settings.prove.fuel = steps.parse().unwrap(),
        _ => assert_eq!(first, "", "{code}"),
    }
    let mut catalog = Catalog::embedded();
    if let Some((_, text)) = example.beside.iter().find(|(name, _)| *name == "catalog.yaml") {
        catalog = catalog.with_overlay(&Overlay::parse(text).unwrap()).unwrap();
    }
    let report = check("p.route", &Beside(example), &catalog, &settings);
    assert_eq!(report.fault, None, "{}", example.text);
    let beside = |name: &str| example.beside.iter().find(|(one, _)| *one == name).map(|(_, text)| *text);
    // A page shows one line of a log and says that there are more like it.
    let log = beside("requests.jsonl").map(|line| line.repeat(40));
    let found = evidence::findings(&report, &catalog, code, log.as_deref(), beside("status.json"));
    found.into_iter().chain(not_carried_out(&report.checked)).collect()
}

#[test]
fn wrong_examples_give_the_finding_and_right_ones_nothing_that_fails() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for code in codes() {
        let text = page(code).unwrap();
        for example in examples(text) {
            let findings = findings(code, &example);
            let found: Vec<&str> = findings.iter().map(|one| one.code.code).collect();
            if found.contains(&code) != example.wrong {
                wrong.push(format!("{code}: {found:?}\n{}", example.text));
            }
            // What follows from the mistake may be warned about, and may fail where the page says so; a right example is quiet.
            // That `serve` does not carry a construct out yet is nobody's mistake.
            let fails = if example.wrong { Level::Error } else { Level::Warning };
            let said = |one: &&Diagnostic| example.wrong && text.contains(one.code.code);
            let others = findings.iter().filter(|one| !["R990", code].contains(&one.code.code) && !said(one));
            for other in others.filter(|one| one.level <= fails) {
                wrong.push(format!("{code}: also {}: {}\n{}", other.code.code, other.message, example.text));
            }
            seen += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen >= 200, "{seen}");
}

#[test]
fn what_a_page_says_about_allowing_is_true() {
    let mut wrong = Vec::new();
    for code in codes() {
        let text = page(code).unwrap();
        let example = examples(text).into_iter().find(|one| one.wrong).unwrap();
        let finding = findings(code, &example).into_iter().find(|one| one.code.code == code).unwrap();
        let name = finding.code.name;
        let says = text.contains(&format!("`# allow {name}: "));
        if says == text.contains("It cannot be allowed") {
            wrong.push(format!("{code} says both, or neither"));
        }
        if code == "R990" {
            continue; // `serve` alone says it
        }
        // A comment above every line covers the finding, wherever it points.
        let line = finding.span.lo as usize;
        let start = example.text.get(..line).map_or(0, |before| before.rfind('\n').map_or(0, |at| at + 1));
        let mut allowed = example.clone();
        let (before, after) = example.text.split_at(start.min(example.text.len()));
        // It stands as its line does, so that the layout stays what it was.
        let indent = &after[..after.len() - after.trim_start_matches(' ').len()];
        let commented = format!("{before}{indent}# allow {name}: a reason\n{after}");
        allowed.text = Box::leak(commented.into_boxed_str());
        let stays = findings(code, &allowed).iter().any(|one| one.code.code == code && one.message == finding.message);
        if says == stays {
            wrong.push(format!("{code}: {}", if says { "cannot be allowed" } else { "can be allowed" }));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
