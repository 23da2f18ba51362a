//! Everything that moves beside the rules: one policy for each construct in `tests/corpus/moving`, one that is right and one in
//! which every line is wrong, with what is understood and what is said about it beside them.
//!
//! `WAYSIDE_BLESS=1 cargo test --test language moving` writes the expectations anew; read the difference.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use wayside::catalog::{Catalog, Overlay};
use wayside::policy::check::{Report, Settings, check};
use wayside::policy::declared::{Change, differences, parts};
use wayside::policy::diagnostic::Level;
use wayside::policy::render;
use wayside::policy::resolve::Files;

/// The built-in catalog knows no regions: where a model runs is a fact of a deployment.
const FACTS: &str = "schema: 1\nmodels:\n  - {provider: openai, id: gpt-5.4-2026-03-05, regions: [us-east, eu-west]}\n";

struct Folder(PathBuf);

impl Files for Folder {
    fn read(&self, path: &str) -> Result<String, String> {
        fs::read_to_string(self.0.join(path)).map_err(|_| "no such file".to_owned())
    }

    fn glob(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}

struct Text<'a>(&'a str);

impl Files for Text<'_> {
    fn read(&self, _: &str) -> Result<String, String> {
        Ok(self.0.to_owned())
    }

    fn glob(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/moving")
}

fn judged(name: &str, files: &dyn Files) -> Report {
    let overlay = Overlay::parse(FACTS).unwrap();
    let catalog = Catalog::embedded().with_overlay(&overlay).unwrap();
    check(name, files, &catalog, &Settings::on("2026-11-23".parse().unwrap()))
}

fn shown(report: &Report) -> String {
    let mut text = String::new();
    for part in parts(&report.checked) {
        writeln!(text, "{} {}", part.kind, part.name).unwrap();
        for (clause, said) in part.says {
            writeln!(text, "  {clause}: {said}").unwrap();
        }
    }
    for (what, _) in &report.checked.unsupported {
        writeln!(text, "not carried out: {what}").unwrap();
    }
    if !report.findings.is_empty() {
        text.push('\n');
    }
    render::human::human(&report.findings, &report.sources, false, &|_| false, &mut text).unwrap();
    text
}

#[test]
fn every_construct_is_understood_or_told_what_is_wrong() {
    let bless = std::env::var_os("WAYSIDE_BLESS").is_some();
    let mut names: Vec<String> =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.ends_with(".route"));
    names.sort();
    assert!(names.len() >= 18, "{names:?}");
    let mut wrong = Vec::new();
    for name in names {
        let report = judged(&name, &Folder(folder()));
        assert_eq!(report.fault, None, "{name}");
        let errors: Vec<&str> =
            report.findings.iter().filter(|one| one.level == Level::Error).map(|one| one.code.code).collect();
        // Whether what was understood is wise is the matter of R4 and above: these policies are about words.
        let misread = errors.iter().any(|code| *code < "R4");
        assert_eq!(misread, name.contains("_wrong"), "{name}: {}", shown(&report));
        assert_eq!(report.compiled.is_some(), errors.is_empty(), "{name}");
        let expected = folder().join(name.replace(".route", ".expect"));
        let now = shown(&report);
        if bless {
            fs::write(&expected, &now).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != now {
            wrong.push(format!("{name}: what is beside it is not what is shown now:\n{now}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn columns_of_moving_parts_are_no_columns_of_decisions() {
    let report = judged("rollouts.route", &Folder(folder()));
    let names = |columns: &[wayside::policy::checked::Column]| {
        columns.iter().map(|column| column.name.to_string()).collect::<Vec<_>>()
    };
    assert!(report.checked.columns.is_empty(), "no rule tests anything");
    let beside = names(&report.checked.beside.columns);
    let metrics = ["p95", "errors", "score"].map(|metric| format!("{metric} of rollout next_mid"));
    assert!(
        metrics.iter().chain(&["plan".to_owned(), "prompt_tokens".to_owned()]).all(|one| beside.contains(one)),
        "{beside:?}"
    );
    let wide = report.checked.widened();
    assert_eq!(names(&wide.columns), beside);
    assert!(wide.beside.columns.is_empty());
    assert_eq!(report.compiled.unwrap().space().columns().len(), 0);
}

#[test]
fn facts_hold_between_the_columns_of_rules_and_those_of_moving_parts() {
    let text = "route 1\nplans [free, pro]\ntenant acme { plan pro }\ntenant bank { plan free }\n\
                budget acme_day { covers tenant is acme and plan is pro, limit $5 per day }\n\
                rule first { when plan is free\n reject 403 }\notherwise { reject 404 }\n";
    let report = judged("one.route", &Text(text));
    assert_eq!(report.checked.columns.len(), 1);
    assert!(report.checked.implications.is_empty());
    let because: Vec<&str> = report.checked.beside.implications.iter().map(|fact| &*fact.because).collect();
    assert_eq!(because, ["tenant acme is on plan pro"]);
    assert_eq!(report.checked.widened().implications.len(), 1);
}

#[test]
fn what_differs_between_two_policies_is_told_by_declaration_and_clause() {
    let text = |limit: &str, extra: &str| {
        format!("route 1\nbudget day {{ limit {limit} per day }}\n{extra}otherwise {{ reject 404 }}\n")
    };
    let was = judged("one.route", &Text(&text("$5", "switch economy { default off }\n"))).checked;
    let now = judged("one.route", &Text(&text("$6", "guard pii { redact [email] in request }\n"))).checked;
    assert_eq!(differences(&was, &was), []);
    let told: Vec<String> = differences(&was, &now)
        .iter()
        .map(|change| match change {
            Change::Added(part) => format!("+ {} {}", part.kind, part.name),
            Change::Removed(part) => format!("- {} {}", part.kind, part.name),
            Change::Changed { kind, name, clauses } => format!("~ {kind} {name} {}", clauses[0].clause),
        })
        .collect();
    assert_eq!(told, ["~ budget day limit", "+ guard pii", "- switch economy"]);
    let owner = "switch economy { default off, owner \"somebody\" }\n";
    let owned = judged("one.route", &Text(&text("$5", owner))).checked;
    assert_eq!(differences(&was, &owned), []);
}
