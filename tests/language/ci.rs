//! The files of `examples/ci`: they are YAML, and every command line in them is one that this `wayside` understands.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_yaml::Value;
use wayside::cli::understands;

/// Every text in a document, wherever it stands.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Sequence(list) => list.iter().for_each(|one| texts(one, found)),
        Value::Mapping(rows) => rows.values().for_each(|one| texts(one, found)),
        _ => {}
    }
}

/// The words of a `wayside` command up to where the shell takes over; `None` for other lines.
fn command(line: &str) -> Option<Vec<String>> {
    let line = line.trim();
    line.starts_with("wayside ").then(|| {
        let words = line.split_whitespace().take_while(|word| !matches!(*word, ">" | ">>" | "|" | "||" | "&&"));
        words.map(|word| word.trim_matches('"').to_owned()).collect()
    })
}

#[test]
fn every_command_line_is_understood() {
    let mut files = 0;
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ci")).unwrap() {
        let path = entry.unwrap().path();
        let document: Value = serde_yaml::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let mut found = Vec::new();
        texts(&document, &mut found);
        let commands: Vec<Vec<String>> = found.iter().flat_map(|text| text.lines()).filter_map(command).collect();
        assert!(!commands.is_empty(), "{}", path.display());
        let mut verbs = BTreeSet::new();
        for words in &commands {
            let understood = understands(words);
            assert_eq!(understood, Ok(()), "{}: {}", path.display(), words.join(" "));
            verbs.insert(words[1].as_str());
        }
        assert_eq!(verbs, BTreeSet::from(["check", "diff", "fmt", "test"]), "{}", path.display());
        files += 1;
    }
    assert_eq!(files, 3);
}

#[test]
fn a_command_line_of_another_version_is_seen() {
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert!(understands(&words("wayside check --format telegram")).is_err());
    assert!(understands(&words("wayside chek")).is_err());
    assert_eq!(command("  wayside check a > b"), Some(words("wayside check a")));
    assert_eq!(command("cat wayside.sarif"), None);
}
