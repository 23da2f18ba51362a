//! Policy text to a tree that says what was written.
//!
//! In: the text of one file. Out: [`ast::File`](super::ast::File), and every syntax error of it at once (R001 to R009, R908).
//! Must not know: names, models, meaning. pest is named in this folder alone.
//!
//! Parsing never stops at an error. The lexer checks limits and characters; the splitter cuts the tokens into declarations
//! with balanced braces; the grammar accepts more than the language and marks what is left over; `recover` explains that in
//! the author's words. One broken statement costs one diagnostic, and everything else reaches the tree.

mod grammar;
mod lower;
mod lower_cond;
mod lower_item;
mod lower_rule;
mod lower_test;
mod recover;
mod split;
pub mod statements;
mod words;

use pest::Parser;

use super::ast::{File, Item, ItemKind};
use super::diagnostic::{Diagnostic, R001, R005, R006, R007};
use super::lexer::{self, Token};
use super::source::{FileId, Span};
use grammar::{RouteParser, Rule};
use lower::Lower;
use split::Piece;

/// The language version this parser reads.
pub const VERSION: u32 = 1;
/// How many syntax errors of one file are reported. A file with more was not written as a policy.
pub const MAX_SYNTAX_FINDINGS: usize = 200;

/// Parses one file. Whatever the text is, the answer is a tree of what could be read; everything else is in `findings`,
/// in page order. Never panics; takes time linear in the text.
pub fn parse(file: FileId, text: &str, findings: &mut Vec<Diagnostic>) -> File {
    let mut tree = File { id: file, items: vec![], broken: vec![] };
    let mut found = vec![];
    if let Some(mut tokens) = lexer::lex(file, text, &mut found) {
        found.sort_by_key(|finding| finding.span.lo);
        let lexical: Vec<Span> = found.iter().map(|finding| finding.span).collect();
        let deep: Vec<Span> =
            found.iter().filter(|finding| *finding.code == R007).map(|finding| finding.span).collect();
        let pieces = split::split(file, text, &tokens, &mut found);
        tokens.retain(Token::is_significant);
        for piece in pieces {
            if found.len() >= MAX_SYNTAX_FINDINGS {
                break;
            }
            parse_piece(&mut tree, text, &tokens, (&lexical, &deep), &piece, &mut found);
        }
        version(&tree, text, &mut found);
    }
    found.sort_by_key(|finding| finding.span.lo);
    if found.len() >= MAX_SYNTAX_FINDINGS {
        found.truncate(MAX_SYNTAX_FINDINGS);
        if let Some(last) = found.last_mut() {
            last.notes.push(format!("reading stops after {MAX_SYNTAX_FINDINGS} syntax errors"));
        }
    }
    findings.append(&mut found);
    tree
}

fn parse_piece(
    tree: &mut File,
    text: &str,
    tokens: &[Token],
    (lexical, deep): (&[Span], &[Span]),
    piece: &Piece,
    found: &mut Vec<Diagnostic>,
) {
    let span = Span { file: tree.id, lo: piece.lo, hi: piece.hi };
    let mut lower = Lower {
        file: tree.id,
        text,
        tokens,
        lexical,
        base: piece.lo,
        limit: piece.hi,
        findings: std::mem::take(found),
    };
    if piece.said || deep.iter().any(|deep| deep.lo >= piece.lo && deep.hi <= piece.hi) {
        lower.broken_at(span, tree);
        tree.items.push(Item { span, kind: ItemKind::Bad });
    } else {
        let closed;
        let mut source = &text[piece.lo as usize..piece.hi as usize];
        if piece.missing > 0 {
            closed = format!("{source}\n{}", "\n}".repeat(piece.missing));
            source = &closed;
        }
        match RouteParser::parse(Rule::piece, source) {
            Ok(pairs) => pairs.for_each(|pair| lower.items(pair, tree)),
            Err(_) => {
                let first = Span { hi: piece.lo, ..span };
                lower.findings.push(
                    Diagnostic::new(&R001, first, "this declaration cannot be read")
                        .here("a defect of wayside: please report it together with this declaration"),
                );
            }
        }
    }
    *found = lower.findings;
}

/// `route 1` comes first, once, and is a version this parser knows.
fn version(tree: &File, text: &str, found: &mut Vec<Diagnostic>) {
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() as u32 } else { 0 };
    let top = Span { file: tree.id, lo: start, hi: start };
    let mut versions = tree.items.iter().filter_map(|item| match &item.kind {
        ItemKind::Version(version) => Some((item, version)),
        _ => None,
    });
    let Some((first, number)) = versions.next() else {
        // A version line that did not parse has its own error.
        let attempted = found.iter().any(|finding| text[finding.span.lo as usize..].starts_with("route"))
            || broken_version(tree, text);
        if !attempted {
            found.push(
                Diagnostic::new(&R005, top, "the file does not say which language version it is written in")
                    .help(format!("begin it with `route {VERSION}`"))
                    .fix(true, format!("insert `route {VERSION}`"), top, format!("route {VERSION}\n")),
            );
        }
        return;
    };
    if number.node != VERSION {
        found.push(
            Diagnostic::new(&R006, number.span, format!("language version {} is not known", number.node))
                .here(format!("this wayside reads version {VERSION}"))
                .help(format!("write `route {VERSION}`, or use a newer wayside")),
        );
    }
    if tree.items.first().is_some_and(|item| item.span.lo < first.span.lo) {
        found.push(
            Diagnostic::new(&R005, first.span, "the language version does not stand first")
                .here("declarations above this line were read without it")
                .help("move it to the first line"),
        );
    }
    for (again, _) in versions {
        found.push(
            Diagnostic::new(&R001, again.span, "the language version is given twice")
                .here("again")
                .label(first.span, "first here")
                .help("delete this line"),
        );
    }
}

fn broken_version(tree: &File, text: &str) -> bool {
    let is_version = |item: &Item| text[item.span.lo as usize..item.span.hi as usize].starts_with("route");
    tree.items.iter().any(|item| matches!(item.kind, ItemKind::Bad) && is_version(item))
}
