//! One layout for every policy (section 11).
//!
//! In: the text of a file that parses. Out: the same file in the one layout, or why not. Must not know: files, meaning.
//!
//! The tree says where statements begin and end, the tokens say what is written there, and nothing is printed that is not a
//! token or a comment of the file. What is printed must then parse to the same tree, with the same comments in the same
//! order, and be its own layout; otherwise the file is left alone.

mod blocks;
mod gaps;
mod numbers;
mod statements;

use super::ast::File;
use super::diagnostic::{Diagnostic, Level};
use super::lexer::{self, Token, TokenKind};
use super::source::{FileId, Sources};
use super::syntax;

/// Columns a line may take before it is broken.
pub const WIDTH: usize = 100;
/// Columns the chain words of a rule are padded to. Fixed, so that a new line never moves its neighbors.
pub const CHAIN_WIDTH: usize = 16;

/// Why a file was not formatted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FormatError {
    /// It has syntax errors, and is left alone.
    DoesNotParse(Vec<Diagnostic>),
    /// What would have been written is not the same policy. A defect of wayside; the file is left alone.
    Defect(&'static str),
}

/// The text in the one layout. Spans of the findings in an error count from the start of `text`, in file 0.
pub fn format(text: &str) -> Result<String, FormatError> {
    let read = Read::new(text)?;
    let printed = read.print();
    let again = Read::new(&printed).map_err(|_| FormatError::Defect("the formatted text does not parse"))?;
    // Rewritten numbers are the one change of content; the tree of the rewritten text is what must come out.
    let numbers = numbers::rewritten(&read.text, &read.tokens);
    let expected = Read::new(&numbers).map_err(|_| FormatError::Defect("a rewritten number does not parse"))?;
    if shape(&expected.tree) != shape(&again.tree) {
        return Err(FormatError::Defect("the formatted text is another policy"));
    }
    if read.comments() != again.comments() {
        return Err(FormatError::Defect("the formatted text has other comments"));
    }
    if again.print() != printed {
        return Err(FormatError::Defect("formatting again changes the text"));
    }
    Ok(printed)
}

/// A file as text, tokens and tree.
struct Read {
    text: String,
    tokens: Vec<Token>,
    tree: File,
}

impl Read {
    fn new(text: &str) -> Result<Self, FormatError> {
        let mut sources = Sources::default();
        let id: FileId = sources.add("", text);
        let mut findings = vec![];
        let tree = syntax::parse(id, text, &mut findings);
        if findings.iter().any(|finding| finding.level == Level::Error) {
            return Err(FormatError::DoesNotParse(findings));
        }
        let tokens = lexer::lex(id, text, &mut vec![]).unwrap_or_default();
        Ok(Self { text: text.to_owned(), tokens, tree })
    }

    fn print(&self) -> String {
        blocks::Printer::new(&self.text, &self.tokens).file(&self.tree)
    }

    fn comments(&self) -> Vec<&str> {
        let comments = self.tokens.iter().filter(|token| token.kind == TokenKind::Comment);
        comments.map(|token| token.text(&self.text).trim_end()).collect()
    }
}

/// The tree as text, without places.
fn shape(tree: &File) -> String {
    const SPAN: &str = "Span { file: ";
    let debug = format!("{tree:?}");
    let mut shape = String::with_capacity(debug.len() / 2);
    let mut rest = debug.as_str();
    while let Some(at) = rest.find(SPAN) {
        shape.push_str(&rest[..at]);
        rest = rest[at..].find('}').map_or("", |end| &rest[at + end + 1..]);
    }
    shape.push_str(rest);
    shape
}
