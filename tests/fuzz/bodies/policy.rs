//! What each fuzz target holds of policy text: run by `tests/fuzz`, and by `tests/language/fuzzing.rs` on mutations of real policies.

use std::sync::{Arc, OnceLock};

use wayside::catalog::Catalog;
use wayside::policy::ast::{File, ItemKind};
use wayside::policy::check::{Settings, check as check_set};
use wayside::policy::checked::Checked;
use wayside::policy::decide::{decide as by_tree, decide_linear};
use wayside::policy::diagnostic::{Diagnostic, Level};
use wayside::policy::diff::{DiffError, diff as compare};
use wayside::policy::format::{FormatError, format};
use wayside::policy::lexer::{self, TokenKind};
use wayside::policy::prove::{Options, prove};
use wayside::policy::render::human::human;
use wayside::policy::source::{Sources, Span};
use wayside::policy::syntax::{self, MAX_SYNTAX_FINDINGS};
use wayside::policy::tree::Tree;

#[path = "../../generate/mod.rs"]
mod generate;

use generate::one::One;
use generate::*;

/// Bytes to take as one policy file; more only makes a run slower.
const MAX_TEXT: usize = 16 * 1024;

/// Steps of the analysis in one run: a fuzzer likes what takes long.
const FUEL: u64 = 20_000;

type Named = (&'static str, fn(&[u8]));

/// Each target's name and what it runs on an input.
pub const TARGETS: [Named; 5] = [("parse", parse), ("fmt", fmt), ("check", check), ("decide", decide), ("diff", diff)];

/// Bytes of one policy, as the program reads a file.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_TEXT)]).into_owned()
}

/// Any bytes: read without a panic, and every finding points into the text.
pub fn parse(bytes: &[u8]) {
    let text = text(bytes);
    let (tree, findings) = read(&text);
    assert!(findings.len() <= MAX_SYNTAX_FINDINGS);
    findings.iter().for_each(|finding| points_inside(finding, &text));
    for item in &tree.items {
        assert!(inside(item.span, &text), "{item:?}");
        // What a declaration loses is always said.
        assert!(!matches!(item.kind, ItemKind::Bad) || !findings.is_empty(), "{item:?}");
    }
}

/// Any text that parses is formatted: to the same policy, with its comments in their order, and once and for all.
pub fn fmt(bytes: &[u8]) {
    let text = text(bytes);
    let formatted = match format(&text) {
        Ok(formatted) => formatted,
        Err(FormatError::DoesNotParse(findings)) => {
            return assert!(findings.iter().any(|finding| finding.level == Level::Error));
        }
        Err(FormatError::Defect(what)) => panic!("{what}: {text:?}"),
    };
    assert_eq!(format(&formatted), Ok(formatted.clone()));
    assert_eq!(comments(&text), comments(&formatted));
    let (before, after) = (read(&text).0, read(&formatted).0);
    assert_eq!(before.items.len(), after.items.len());
}

/// Any text, as a whole policy: judged twice alike, without a fault of the analysis, and what is found can be printed.
pub fn check(bytes: &[u8]) {
    let files = One(text(bytes));
    let judged = || {
        let report = check_set("one.route", &files, catalog(), &settings());
        assert!(report.fault.is_none(), "{:?}", report.fault);
        report.findings.iter().for_each(|finding| points_inside(finding, &files.0));
        let mut printed = String::new();
        let done = human(&report.findings, &report.sources, false, &|_| false, &mut printed);
        assert!(done.is_ok());
        printed
    };
    assert_eq!(judged(), judged());
}

/// A policy spelled by bytes: tree, boxes and the walk from top to bottom decide alike, as its conditions read.
pub fn decide(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let Ok(tree) = Tree::compile(Arc::new(spelled(&mut bytes))) else { return };
    let mut dice = Dice(bytes.next());
    for at in 0..40 {
        let columns = &tree.checked().columns;
        let mut value = |column: &wayside::policy::checked::Column| match at {
            0..8 => random_value(&mut bytes, &column.domain),
            _ => random_value(&mut dice, &column.domain),
        };
        let point: Vec<Value> = columns.iter().map(&mut value).collect();
        let wanted = first_rule(tree.checked(), &point);
        let (request, fixed) = as_request(&tree, &point);
        assert_eq!(decide_linear(&tree, &request, &mut fixed.clone()), wanted, "linear at {point:?}");
        let row = tree.boxes().rows.iter().find(|row| row.area.holds(|column| fixed.atoms[column.index()]));
        assert_eq!(row.map(|row| row.rule), wanted, "boxes at {point:?}");
        assert_eq!(by_tree(&tree, &request, &mut fixed.clone()), wanted, "tree at {point:?}");
    }
}

/// Two policies spelled by bytes: nothing differs from itself, and where no difference is found no request shows one.
pub fn diff(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let old = spelled(&mut bytes);
    let mut new = old.clone();
    for _ in 0..1 + bytes.below(3) {
        let (one, other) = (bytes.below(new.rules.len()), bytes.below(new.rules.len()));
        match bytes.below(4) {
            0 => new.rules.swap(one, other),
            1 => new.rules[one].outcome = new.rules[other].outcome.clone(),
            2 => new.rules[one].when = new.rules[other].when.clone(),
            _ if new.rules.len() > 1 => drop(new.rules.remove(one)),
            _ => {}
        }
    }
    assert!(compared(&old, &old).is_none_or(|equal| equal));
    if compared(&old, &new) == Some(true) {
        let mut dice = Dice(bytes.next());
        for _ in 0..40 {
            let point: Vec<Value> = old.columns.iter().map(|column| random_value(&mut dice, &column.domain)).collect();
            let outcome = |checked: &Checked| {
                first_rule(checked, &point).map(|rule| format!("{:?}", checked.rules[rule.index()].outcome))
            };
            assert_eq!(outcome(&old), outcome(&new), "at {point:?}");
        }
    }
}

/// Whether two policies decide alike; `None` when that was not settled. Witnesses prove themselves on the way.
fn compared(old: &Checked, new: &Checked) -> Option<bool> {
    let options = Options { fuel: FUEL, ..Options::default() };
    assert!(prove(new, options).is_ok());
    match compare(old, new, options) {
        Ok(diff) => Some(diff.is_equal()),
        Err(DiffError::Findings(_)) => None,
        Err(DiffError::Wrong(wrong)) => panic!("{wrong}"),
    }
}

fn catalog() -> &'static Catalog {
    static CATALOG: OnceLock<Catalog> = OnceLock::new();
    CATALOG.get_or_init(Catalog::embedded)
}

fn settings() -> Settings {
    let mut settings = Settings::on(jiff::civil::date(2026, 11, 25));
    settings.prove.fuel = FUEL;
    settings
}

fn read(text: &str) -> (File, Vec<Diagnostic>) {
    let mut sources = Sources::default();
    let id = sources.add("one.route", text);
    let mut findings = Vec::new();
    let tree = syntax::parse(id, text, &mut findings);
    (tree, findings)
}

fn comments(text: &str) -> Vec<String> {
    let mut sources = Sources::default();
    let id = sources.add("one.route", text);
    let tokens = lexer::lex(id, text, &mut Vec::new()).unwrap_or_default();
    let comments = tokens.iter().filter(|token| token.kind == TokenKind::Comment);
    comments.map(|token| token.text(text).trim_end().to_owned()).collect()
}

fn inside(span: Span, text: &str) -> bool {
    span.lo <= span.hi && text.get(span.lo as usize..span.hi as usize).is_some()
}

/// A finding is about a place in the text, and never about the parser.
fn points_inside(finding: &Diagnostic, text: &str) {
    let edits = finding.fixes.iter().flat_map(|fix| &fix.edits).map(|edit| edit.span);
    let spans = finding.labels.iter().map(|label| label.span).chain(edits);
    assert!(spans.chain([finding.span]).all(|span| inside(span, text)), "{finding:?}");
    assert!(!finding.here.contains("a defect of wayside"), "{finding:?} in {text:?}");
}
