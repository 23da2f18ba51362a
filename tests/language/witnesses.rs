//! A request that a finding shows can be asked: no witness is refused at admission.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::{Date, date};
use proptest::prelude::*;
use wayside::catalog::Catalog;
use wayside::policy::checked::Checked;
use wayside::policy::diagnostic::Diagnostic;
use wayside::policy::explain::Asker;
use wayside::policy::tree::Tree;
use wayside::workspace::{How, Workspace};

use crate::{generate, policies};

const TODAY: Date = date(2026, 11, 23);

/// How many witnesses were asked, and those that were refused, with why.
fn asked(checked: &Arc<Checked>, catalog: &Arc<Catalog>, findings: &[Diagnostic], wrong: &mut Vec<String>) -> usize {
    let Ok(tree) = Tree::compile(Arc::clone(checked)) else { return 0 };
    let asker = Asker::new(&tree, catalog).unwrap();
    let shown = findings.iter().filter_map(|finding| Some((finding.code.code, finding.witness.as_ref()?)));
    let mut count = 0;
    for (code, witness) in shown {
        let pairs: Vec<(String, String)> = witness.request.iter().chain(&witness.readings).cloned().collect();
        if let Err(mistakes) = asker.ask(TODAY, &pairs) {
            wrong.push(format!("{code} {pairs:?}: {}", mistakes[0]));
        }
        count += 1;
    }
    count
}

fn policies_of(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.extension().is_some_and(|end| end == "route") => found.push(path),
                false => {}
            }
        }
    }
    found.sort();
    found
}

#[test]
fn witnesses_of_the_corpus_can_be_asked() {
    let how = How { today: TODAY, catalog: None, fuel: None };
    let (mut wrong, mut count) = (Vec::new(), 0);
    for path in policies_of("tests/corpus/codes").into_iter().chain(policies_of("tests/corpus/test")) {
        let verdict = Workspace::without_settings(&path, &how).unwrap().check(&path);
        let Some(checked) = &verdict.checked else { continue };
        let before = wrong.len();
        count += asked(checked, &verdict.catalog, &verdict.everything, &mut wrong);
        wrong[before..].iter_mut().for_each(|text| *text = format!("{}: {text}", path.display()));
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 80, "{count}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn witnesses_of_generated_policies_can_be_asked(rules in 2usize..12, seed: u64, structured: bool) {
        let text = if structured { generate::text::structured(rules, seed) } else { generate::text::random(rules, seed) };
        let report = policies::report(&text);
        let mut wrong = Vec::new();
        asked(&report.checked, &Arc::new(Catalog::embedded()), &report.everything, &mut wrong);
        prop_assert!(wrong.is_empty(), "{}\n{text}", wrong.join("\n"));
    }
}
