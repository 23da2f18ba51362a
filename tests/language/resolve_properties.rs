//! Policies damaged at random are judged, never crashed on, and judged the same twice.

use std::path::Path;

use proptest::prelude::*;
use wayside::catalog::Catalog;
use wayside::policy::check::{Settings, check};

use crate::generate::one::One;

/// Every policy of the repository and of the corpus, in pieces that mean something: words, signs, line ends.
fn pieces() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = vec![std::fs::read_to_string(root.join("policies/support.route")).unwrap()];
    for code in std::fs::read_dir(root.join("tests/corpus/codes")).unwrap() {
        texts.push(std::fs::read_to_string(code.unwrap().path().join("fires.route")).unwrap());
    }
    texts.sort();
    texts
}

fn words(text: &str) -> Vec<&str> {
    text.split_inclusive([' ', '\n', ',', '{', '}', '[', ']']).collect()
}

/// A text and what happens to it: at each place a word is dropped, doubled, or replaced by one from elsewhere.
fn damaged() -> impl Strategy<Value = String> {
    let texts = pieces();
    let count = texts.len();
    let edits = proptest::collection::vec((any::<prop::sample::Index>(), 0u8..4, any::<prop::sample::Index>()), 1..8);
    (0..count, 0..count, edits).prop_map(move |(one, other, edits)| {
        let (text, donor) = (words(&texts[one]), words(&texts[other]));
        let mut out: Vec<&str> = text;
        for (at, kind, from) in edits {
            let at = at.index(out.len());
            match kind {
                0 if out.len() > 1 => drop(out.remove(at)),
                1 => out.insert(at, out[at]),
                2 => out[at] = donor[from.index(donor.len())],
                _ => out.insert(at, donor[from.index(donor.len())]),
            }
        }
        out.concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn damaged_policies_are_judged_twice_alike(text in damaged()) {
        let catalog = Catalog::embedded();
        let settings = Settings::on("2026-11-22".parse().unwrap());
        let judged = || {
            let report = check("one.route", &One(text.clone()), &catalog, &settings);
            prop_assert!(report.fault.is_none(), "{:?}", report.fault);
            // A place in the text, or the renderer has nothing to point at.
            for finding in &report.findings {
                let length = report.sources.file(finding.span.file).text.len() as u32;
                prop_assert!(finding.span.lo <= finding.span.hi && finding.span.hi <= length, "{finding:?}");
            }
            Ok(format!("{:?}", report.findings))
        };
        prop_assert_eq!(judged()?, judged()?);
    }
}
