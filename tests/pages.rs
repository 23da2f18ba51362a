//! Every example on the page of a finding does what the page says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

mod policies;

use std::collections::BTreeMap;

use policies::{Memory, TODAY};
use wayside::catalog::{Catalog, Overlay};
use wayside::policy::check::{Report, Settings, check};
use wayside::policy::diagnostic::Level;
use wayside::policy::explain::pages::{Example, codes, examples, page};

fn report(code: &str, example: &Example) -> Report {
    let mut files = BTreeMap::from([("p.route", example.text.to_owned())]);
    let mut catalog = Catalog::embedded();
    for (name, text) in &example.beside {
        if *name == "catalog.yaml" {
            catalog = catalog.with_overlay(&Overlay::parse(text).unwrap()).unwrap();
        }
        files.insert(name, (*text).to_owned());
    }
    let first = example.text.lines().next().unwrap();
    let day = first.strip_prefix("# check: --today ").map_or(TODAY, |day| day.parse().unwrap());
    // The layout is judged for its own page alone: nobody reads another one for it.
    let settings = Settings { select: vec![code.to_owned()], layout: code == "R901", ..Settings::on(day) };
    check("p.route", &Memory(files), &catalog, &settings)
}

#[test]
fn wrong_examples_give_the_finding_and_right_ones_nothing_that_fails() {
    let mut seen = 0;
    for code in codes() {
        for example in examples(page(code).unwrap()) {
            let report = report(code, &example);
            let found: Vec<&str> = report.findings.iter().map(|one| one.code.code).collect();
            assert_eq!(found.contains(&code), example.wrong, "{code}: {found:?}\n{}", example.text);
            let others = report.findings.iter().filter(|one| one.code.code != code);
            // What follows from the mistake may be warned about; a right example is quiet.
            let fails = if example.wrong { Level::Error } else { Level::Warning };
            let failing: Vec<String> = others
                .filter(|one| one.level <= fails)
                .map(|one| format!("{}: {}", one.code.code, one.message))
                .collect();
            assert!(failing.is_empty(), "{code}: {failing:?}\n{}", example.text);
            seen += 1;
        }
    }
    assert!(seen >= 14, "{seen}");
}

#[test]
fn what_a_page_says_about_allowing_is_true() {
    for code in codes() {
        let text = page(code).unwrap();
        let wrong = examples(text).into_iter().find(|one| one.wrong).unwrap();
        let finding = report(code, &wrong).findings.into_iter().find(|one| one.code.code == code).unwrap();
        let allowed = !text.contains("It cannot be allowed");
        assert_eq!(allowed, text.contains(&format!("`# allow {}: ", finding.code.name)), "{code}");
    }
}
