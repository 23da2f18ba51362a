//! The one layout: files under `tests/corpus/format` beside how they come out, and what holds for every file.
//!
//! `WAYSIDE_BLESS=1 cargo test --test language format` writes the `.out` files anew; read the difference.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use wayside::policy::format::{FormatError, WIDTH, format};

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "route"));
    files.sort();
    assert!(!files.is_empty());
    files
}

#[test]
fn every_file_comes_out_as_expected() {
    let bless = std::env::var_os("WAYSIDE_BLESS").is_some();
    let mut wrong = vec![];
    for path in files("format") {
        let formatted = format(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let expected = path.with_extension("out");
        if bless {
            std::fs::write(&expected, &formatted).unwrap();
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != formatted {
            wrong.push(format!("{}:\n{formatted}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Policies people wrote are already in the layout, but for what the file itself says.
#[test]
fn well_kept_policies_do_not_change() {
    for path in files("syntax/valid") {
        let text = std::fs::read_to_string(&path).unwrap();
        let formatted = format(&text).unwrap_or_else(|error| panic!("{}: {error:?}", path.display()));
        let name = path.file_name().unwrap().to_str().unwrap();
        if !matches!(name, "everything.route" | "crlf.route" | "support_desk.test.route") {
            let changed: Vec<_> = text.lines().zip(formatted.lines()).filter(|(was, is)| was != is).take(3).collect();
            assert_eq!(text, formatted, "{name}: {changed:#?}");
        }
    }
}

#[test]
fn a_broken_file_is_left_alone() {
    for path in files("syntax/broken") {
        let text = std::fs::read_to_string(&path).unwrap();
        match format(&text) {
            Err(FormatError::DoesNotParse(findings)) => assert!(!findings.is_empty()),
            Err(defect) => panic!("{}: {defect:?}", path.display()),
            // Warnings do not stop it.
            Ok(_) => assert!(
                path.to_str().unwrap().contains("mixed")
                    || path.to_str().unwrap().contains("version")
                    || path.ends_with("empty.route")
            ),
        }
    }
}

/// Texts of one policy in many layouts: blanks, blank lines and comments wherever they may stand.
fn scrambled() -> impl Strategy<Value = String> {
    let everything = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/syntax/valid/everything.route"),
    )
    .unwrap();
    let lines: Vec<String> = everything.lines().map(str::to_owned).collect();
    let changes = prop::collection::vec(
        prop::sample::select(vec!["", "", "", "\n", "# c\n", "  # own\n", "\n\n\n# d\n\n", "        "]),
        lines.len(),
    );
    let ends =
        prop::collection::vec(prop::sample::select(vec!["", "", "", "  ", " # e", " # f\u{fc}r", "\t"]), lines.len());
    (changes, ends).prop_map(move |(before, behind)| {
        lines
            .iter()
            .zip(before)
            .zip(behind)
            .map(|((line, before), behind)| format!("{before}{line}{behind}\n"))
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// `format` checks itself that the tree and the comments are the same and that it is idempotent: a defect is an error.
    #[test]
    fn layout_and_comments_never_change_the_policy(text in scrambled()) {
        let formatted = format(&text);
        prop_assert!(formatted.is_ok(), "{:?}\n{}", formatted, text);
        let formatted = formatted.unwrap();
        prop_assert_eq!(format(&formatted), Ok(formatted.clone()));
        prop_assert!(!formatted.contains("\n\n\n"));
        prop_assert!(!formatted.lines().any(|line| line.ends_with(' ')));
    }

    #[test]
    fn long_conditions_and_lists_are_broken_and_stay_so(words in prop::collection::vec("[a-z]{3,18}", 1..14), joins in prop::collection::vec(any::<bool>(), 14)) {
        prop_assume!(words.iter().all(|word| !matches!(word.as_str(), "and" | "not" | "has" | "like" | "budget" | "errors")));
        let tests: Vec<String> = words.iter().map(|word| format!("{word} in [{}]", words.join(", "))).collect();
        let mut cond = tests[0].clone();
        for (test, and) in tests[1..].iter().zip(joins) {
            cond = format!("({cond}) {} {test}", if and { "and" } else { "or" });
        }
        let formatted = format(&format!("route 1\ndefine a as {cond}\nrule b {{\nwhen {cond}\n  guard [{}]\n}}\n", words.join("\n"))).unwrap();
        prop_assert_eq!(format(&formatted), Ok(formatted.clone()));
        prop_assert!(formatted.lines().all(|line| line.rfind(']').is_none_or(|end| end < WIDTH)), "{}", formatted);
    }
}
