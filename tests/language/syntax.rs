//! Policy text to trees and syntax errors: every file under `tests/corpus/syntax` beside what is expected of it.
//!
//! Add a case: write `NAME.route` in `valid/` or `broken/`, run `WAYSIDE_BLESS=1 cargo test --test language syntax`, and read the
//! `.expect` file it wrote.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use wayside::policy::ast::File;
use wayside::policy::diagnostic::{Diagnostic, Level};
use wayside::policy::source::{Sources, Span};
use wayside::policy::syntax;

fn parse(path: &str, text: &str) -> (Sources, File, Vec<Diagnostic>) {
    let mut sources = Sources::default();
    let id = sources.add(path, text);
    let mut findings = vec![];
    let tree = syntax::parse(id, text, &mut findings);
    (sources, tree, findings)
}

fn corpus(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/syntax").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "route"));
    files.sort();
    assert!(!files.is_empty());
    files
}

fn place(sources: &Sources, span: Span) -> String {
    let file = sources.file(span.file);
    let (from, to) = (file.place(span.lo), file.place(span.hi));
    format!("{}:{}-{}:{}", from.line, from.column, to.line, to.column)
}

/// Findings, then the tree without its spans, one declaration a line.
fn rendered(sources: &Sources, tree: &File, findings: &[Diagnostic]) -> String {
    let mut out = String::new();
    for finding in findings {
        let Diagnostic { code, message, here, .. } = finding;
        writeln!(out, "{} {} {} {message}", finding.level.word(), code.code, place(sources, finding.span)).unwrap();
        if !here.is_empty() {
            writeln!(out, "  here: {here}").unwrap();
        }
        for label in &finding.labels {
            writeln!(out, "  label {}: {}", place(sources, label.span), label.text).unwrap();
        }
        for line in finding
            .notes
            .iter()
            .map(|note| format!("note: {note}"))
            .chain(finding.help.iter().map(|help| format!("help: {help}")))
        {
            writeln!(out, "  {line}").unwrap();
        }
        for edit in finding.fixes.iter().flat_map(|fix| &fix.edits) {
            writeln!(out, "  edit {} {:?}", place(sources, edit.span), edit.text).unwrap();
        }
    }
    for item in &tree.items {
        writeln!(out, "{} {}", place(sources, item.span), without_spans(&format!("{:?}", item.kind))).unwrap();
    }
    for broken in &tree.broken {
        writeln!(out, "broken {} {}", broken.kind, broken.name.node).unwrap();
    }
    out
}

fn without_spans(debug: &str) -> String {
    let mut out = String::new();
    let mut rest = debug;
    while let Some(at) = rest.find("Span { file") {
        out.push_str(&rest[..at]);
        rest = &rest[at..][rest[at..].find('}').unwrap() + 1..];
    }
    out.push_str(rest);
    out.replace("Spanned { node: ", "")
        .replace(", span:  }", "")
        .replace(", span: }", " }")
        .replace("{ span: ", "{ ")
        .replace("span: , ", "")
        .replace("{ , ", "{ ")
        .replace("{ span:  }", "")
}

#[test]
fn every_file_of_the_corpus_reads_as_expected() {
    let bless = std::env::var_os("WAYSIDE_BLESS").is_some();
    let mut wrong = vec![];
    for path in corpus("valid").into_iter().chain(corpus("broken")) {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let (sources, tree, findings) = parse(name, &text);
        let actual = rendered(&sources, &tree, &findings);
        let expected = path.with_extension("expect");
        if bless {
            std::fs::write(&expected, &actual).unwrap();
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != actual {
            wrong.push(format!("{}:\n{actual}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}\nrun with WAYSIDE_BLESS=1 and review the difference", wrong.join("\n"));
}

#[test]
fn valid_files_have_no_finding() {
    for path in corpus("valid") {
        let (_, _, findings) = parse("x.route", &std::fs::read_to_string(&path).unwrap());
        assert_eq!(findings, [], "{}", path.display());
    }
}

#[test]
fn broken_files_have_a_finding() {
    for path in corpus("broken") {
        let (_, _, findings) = parse("x.route", &std::fs::read_to_string(&path).unwrap());
        assert!(findings.iter().any(|finding| finding.level <= Level::Warning), "{}", path.display());
    }
}
