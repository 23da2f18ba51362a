//! Which declaration and which line a place belongs to, from tokens alone.
//!
//! In: the tokens of a file, broken or not. Out: logical lines with what they cover. Must not know: the grammar.
//!
//! A suppression covers the statement or declaration below it, and a fingerprint names the declaration and the statement a
//! finding is in. Neither may need a file that parses.

use super::diagnostic::Diagnostic;
use super::lexer::{self, Token, TokenKind};
use super::source::{FileId, SourceFile};

/// A statement or the head of a declaration, with everything it covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// First byte.
    pub lo: u32,
    /// One past its last byte; of a line that opens a block, one past the closing brace.
    pub hi: u32,
    /// One past the last byte of the line itself.
    pub end: u32,
    /// How many blocks it is in; 0 for a declaration.
    pub depth: usize,
}

/// A comment, and whether it has its line to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comment {
    /// First byte, the `#`.
    pub lo: u32,
    /// One past the last byte.
    pub hi: u32,
    /// Nothing stands before it on its line.
    pub own_line: bool,
}

/// The lines and comments of one file.
#[derive(Clone, Debug, Default)]
pub struct Outline {
    lines: Vec<Line>,
    comments: Vec<Comment>,
    tokens: Vec<Token>,
}

impl Outline {
    /// Outlines a file. A file that cannot be lexed has no lines.
    pub fn of(id: FileId, file: &SourceFile) -> Self {
        let mut ignored: Vec<Diagnostic> = vec![];
        let tokens = lexer::lex(id, &file.text, &mut ignored).unwrap_or_default();
        let mut outline = Self { tokens, ..Self::default() };
        outline.read(&file.text);
        outline
    }

    /// All comments, in page order.
    pub fn comments(&self) -> &[Comment] {
        &self.comments
    }

    /// The first line that begins at or behind a place.
    pub fn line_below(&self, at: u32) -> Option<&Line> {
        self.lines.get(self.lines.partition_point(|line| line.lo < at))
    }

    /// The line a place is on; of the lines that cover it, the innermost.
    pub fn line_at(&self, at: u32) -> Option<&Line> {
        let upto = self.lines.partition_point(|line| line.lo <= at);
        self.lines[..upto].iter().rev().find(|line| at <= line.hi)
    }

    /// The declaration a place is in.
    pub fn declaration_at(&self, at: u32) -> Option<&Line> {
        let upto = self.lines.partition_point(|line| line.lo <= at);
        self.lines[..upto].iter().rev().find(|line| line.depth == 0).filter(|line| at <= line.hi)
    }

    /// The tokens of a line, one blank between two: the same for every layout of it.
    pub fn normalized(&self, line: &Line, text: &str) -> String {
        let from = self.tokens.partition_point(|token| token.lo < line.lo);
        let words =
            self.tokens[from..].iter().take_while(|token| token.lo < line.end).filter(|token| token.is_significant());
        words.map(|token| token.text(text)).collect::<Vec<_>>().join(" ")
    }

    /// `rule enterprise`: the first two words of a declaration.
    pub fn title(&self, line: &Line, text: &str) -> String {
        let from = self.tokens.partition_point(|token| token.lo < line.lo);
        let words =
            self.tokens[from..].iter().take_while(|token| token.lo < line.end && token.kind != TokenKind::OpenBrace);
        words.filter(|token| token.is_significant()).take(2).map(|token| token.text(text)).collect::<Vec<_>>().join(" ")
    }

    fn read(&mut self, text: &str) {
        let mut open: Vec<usize> = vec![];
        let (mut brackets, mut fresh, mut blank) = (0_usize, true, true);
        for token in &self.tokens {
            match token.kind {
                TokenKind::Newline => {
                    fresh |= brackets == 0;
                    blank = true;
                    continue;
                }
                TokenKind::Comment => {
                    self.comments.push(Comment { lo: token.lo, hi: token.hi, own_line: blank });
                    continue;
                }
                _ => blank = false,
            }
            let continues = matches!(token.text(text), "and" | "or" | "}");
            if std::mem::take(&mut fresh) && (!continues || self.lines.is_empty()) {
                self.lines.push(Line { lo: token.lo, hi: token.hi, end: token.hi, depth: open.len() });
                brackets = 0;
            }
            match token.kind {
                TokenKind::OpenBrace => {
                    open.push(self.lines.len() - 1);
                    brackets = 0;
                    fresh = true;
                }
                TokenKind::CloseBrace => {
                    brackets = 0;
                    if let Some(line) = open.pop().and_then(|at| self.lines.get_mut(at)) {
                        line.hi = token.hi;
                    }
                    continue;
                }
                TokenKind::OpenBracket | TokenKind::OpenParen => brackets += 1,
                TokenKind::CloseBracket | TokenKind::CloseParen => brackets = brackets.saturating_sub(1),
                _ => {}
            }
            if let Some(line) = self.lines.last_mut() {
                line.end = token.hi;
                line.hi = line.hi.max(token.hi);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::source::Sources;

    fn outline(text: &str) -> (Outline, String) {
        let mut sources = Sources::default();
        let id = sources.add("a.route", text);
        (Outline::of(id, sources.file(id)), text.to_owned())
    }

    #[test]
    fn a_line_ends_where_its_statement_does_and_a_head_where_its_block_does() {
        let text =
            "rule a { # one\n  when x\n    and y in [a,\n      b]\n  tier mid\n}\nbudget b { limit $5 per day }\n";
        let (outline, text) = outline(text);
        let shown: Vec<_> =
            outline.lines.iter().map(|line| (line.depth, &text[line.lo as usize..line.hi as usize])).collect();
        assert_eq!(
            shown,
            [
                (0, "rule a { # one\n  when x\n    and y in [a,\n      b]\n  tier mid\n}"),
                (1, "when x\n    and y in [a,\n      b]"),
                (1, "tier mid"),
                (0, "budget b { limit $5 per day }"),
                (1, "limit $5 per day"),
            ]
        );
    }

    #[test]
    fn a_statement_reads_the_same_in_every_layout() {
        let (one, text) = outline("rule a {\n  when x   and y # why\n}\n");
        let line = one.line_at(14).unwrap();
        assert_eq!(one.normalized(line, &text), "when x and y");
        assert_eq!(one.title(one.declaration_at(14).unwrap(), &text), "rule a");
    }
}
