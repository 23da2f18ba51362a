//! Cases that are files: what is asked in the first line, and what is printed below it.

use std::fs;
use std::path::Path;

use crate::place::{Ran, run_in};

/// Holds every `.txt` and `.json` file of a folder to what stands below its first line, of which there are `at_least` so many.
/// `answer` makes it of the case and the words of the line. `WAYSIDE_BLESS=1` writes what is answered instead.
pub fn hold(folder: &Path, at_least: usize, answer: impl Fn(&Path, &[&str]) -> String) {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "txt" || end == "json")).collect();
    cases.sort();
    assert!(cases.len() >= at_least, "{}", cases.len());
    let mut wrong = Vec::new();
    for case in cases {
        let text = fs::read_to_string(&case).unwrap();
        let (line, expected) = text.split_once('\n').unwrap();
        let words = words(line.trim_start_matches("// "));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let actual = without_hashes(&answer(&case, &words));
        if std::env::var_os("WAYSIDE_BLESS").is_some() {
            fs::write(&case, format!("{line}\n{actual}")).unwrap();
        } else if actual != expected {
            wrong.push(format!("{}\n--- expected\n{expected}--- actual\n{actual}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a command prints, and how it ends.
pub fn printed(dir: &Path, verb: &[&str], words: &[&str]) -> String {
    let Ran { code, out, err } = run_in(dir, &[verb, words].concat());
    format!("{out}{err}exit code {code}\n")
}

/// Words as a shell takes them, which may stand in single quotes.
fn words(line: &str) -> Vec<String> {
    let parts =
        line.split('\'').enumerate().map(|(at, part)| if at % 2 == 0 { part.replace(' ', "\n") } else { part.into() });
    parts.collect::<String>().lines().filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Hashes change with every fact of the catalog.
fn without_hashes(text: &str) -> String {
    let mut parts = text.split("sha256:");
    let mut out = parts.next().unwrap_or("").to_owned();
    for part in parts {
        out.push_str("sha256:...");
        out.push_str(part.trim_start_matches(|c: char| c.is_ascii_hexdigit()));
    }
    out
}
