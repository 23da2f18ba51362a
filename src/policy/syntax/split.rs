//! Tokens of a file to pieces of one declaration each, with balanced braces.
//!
//! In: tokens. Out: pieces, and R003 for blocks nobody closed. Must not know: pest, the tree.
//!
//! An unclosed `{` is the one thing statement recovery cannot cure, so it is cured here: where the next declaration begins
//! at the left margin, the block before it has ended, whatever its braces say.

use crate::policy::diagnostic::{Diagnostic, R001, R003};
use crate::policy::lexer::{Token, TokenKind};
use crate::policy::source::{FileId, Span};

/// One declaration, or several that share a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// First byte of its first token.
    pub lo: u32,
    /// One past its last token.
    pub hi: u32,
    /// Closing braces to add before it can be parsed.
    pub missing: usize,
    /// What is wrong with it is already said: it is skipped.
    pub said: bool,
}

/// Cuts `tokens` of `text` into pieces.
pub(super) fn split(file: FileId, text: &str, tokens: &[Token], findings: &mut Vec<Diagnostic>) -> Vec<Piece> {
    let mut splitter = Splitter {
        file,
        text,
        open: vec![],
        brackets: 0,
        indent: 0,
        pieces: vec![],
        dubious: None,
        fresh: true,
        findings,
    };
    let significant: Vec<Token> = tokens.iter().copied().filter(Token::is_significant).collect();
    let mut starts = LineStarts::new(tokens);
    for (at, token) in significant.iter().enumerate() {
        let line = starts
            .is_first(token)
            .then(|| Line { indent: indent(text, token.lo), head: head(text, &significant[at..]) });
        splitter.token(token, line.as_ref());
    }
    splitter.end();
    splitter.pieces
}

/// Tells which tokens are the first of their line.
struct LineStarts<'t> {
    tokens: std::slice::Iter<'t, Token>,
    fresh: bool,
}

impl<'t> LineStarts<'t> {
    fn new(tokens: &'t [Token]) -> Self {
        Self { tokens: tokens.iter(), fresh: true }
    }

    fn is_first(&mut self, token: &Token) -> bool {
        for seen in self.tokens.by_ref() {
            if seen.lo == token.lo {
                return std::mem::take(&mut self.fresh);
            }
            self.fresh |= seen.kind == TokenKind::Newline;
        }
        false
    }
}

/// The beginning of a line.
struct Line {
    indent: usize,
    head: Head,
}

/// How sure it is that a line begins a declaration.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Head {
    /// It can be nothing else.
    Sure,
    /// At top level it is; inside a block it would be a statement.
    Possible,
    /// It continues what is above: `and`, `or`, a brace.
    Continues,
}

fn indent(text: &str, lo: u32) -> usize {
    let before = &text[..lo as usize];
    before.len() - before.rfind('\n').map_or(0, |at| at + 1)
}

/// Looks at the line that begins with `rest[0]`. A keyword alone is not enough: `tier mid` is a statement in a rule and
/// `tier mid {` a declaration, so what follows on the line decides.
fn head(text: &str, rest: &[Token]) -> Head {
    let first = &rest[0];
    if first.kind == TokenKind::OpenBrace {
        return Head::Continues;
    }
    if first.kind != TokenKind::Word {
        return Head::Possible;
    }
    let line_end = text[first.lo as usize..].find('\n').map_or(text.len(), |at| first.lo as usize + at) as u32;
    let line = || rest.iter().take_while(|token| token.lo < line_end);
    let has = |kind| line().any(|token| token.kind == kind);
    let second = line().nth(1).map(|token| token.kind);
    let sure = match first.text(text) {
        "and" | "or" => return Head::Continues,
        "use" | "test" | "property" | "route" => {
            matches!(second, Some(TokenKind::Text | TokenKind::UnclosedText | TokenKind::Number))
        }
        "evals" | "tenants" | "plans" | "define" | "attribute" | "template" => second.is_some(),
        "group" | "residency" => has(TokenKind::Equals),
        "rule" | "otherwise" | "policy" | "defaults" | "guarantee" | "rollout" | "drill" | "classifier" | "switch"
        | "signal" | "judge" | "queue" | "budget" | "tier" | "ladder" | "tenant" | "feature" | "guard" => {
            has(TokenKind::OpenBrace)
        }
        _ => false,
    };
    if sure { Head::Sure } else { Head::Possible }
}

/// A brace that waits for its partner.
#[derive(Clone, Copy)]
struct Opener {
    token: Token,
    indent: usize,
}

struct Splitter<'t, 'f> {
    file: FileId,
    text: &'t str,
    open: Vec<Opener>,
    brackets: usize,
    /// Of the line being read.
    indent: usize,
    pieces: Vec<Piece>,
    /// An opener whose closing brace stood further left than the line that opened it: likely the real culprit.
    dubious: Option<Opener>,
    /// The next token begins a piece wherever it stands.
    fresh: bool,
    findings: &'f mut Vec<Diagnostic>,
}

impl Splitter<'_, '_> {
    fn token(&mut self, token: &Token, line: Option<&Line>) {
        if let Some(line) = line {
            self.indent = line.indent;
            let sure = line.head == Head::Sure;
            if sure && self.open.first().is_some_and(|outer| line.indent <= outer.indent) {
                self.unclosed(Some(token));
            }
            let inside = !self.open.is_empty() || (self.brackets > 0 && !sure);
            if !inside && line.head != Head::Continues && token.kind != TokenKind::CloseBrace {
                self.begin(token.lo);
            }
        }
        if std::mem::take(&mut self.fresh)
            && self.pieces.last().is_none_or(|piece| piece.lo < token.lo)
            && token.kind != TokenKind::CloseBrace
        {
            self.begin(token.lo);
        }
        match token.kind {
            TokenKind::OpenBrace => self.open.push(Opener { token: *token, indent: self.indent }),
            TokenKind::CloseBrace => self.close(token, line),
            TokenKind::OpenBracket | TokenKind::OpenParen => self.brackets += 1,
            TokenKind::CloseBracket | TokenKind::CloseParen => self.brackets = self.brackets.saturating_sub(1),
            _ => {}
        }
        if let Some(piece) = self.pieces.last_mut() {
            piece.hi = piece.hi.max(token.hi);
        }
    }

    fn begin(&mut self, lo: u32) {
        self.brackets = 0;
        self.pieces.push(Piece { lo, hi: lo, missing: 0, said: false });
    }

    fn close(&mut self, token: &Token, line: Option<&Line>) {
        let Some(opener) = self.open.pop() else { return self.stray(token) };
        if self.open.is_empty() {
            self.brackets = 0;
            self.dubious = None;
        } else if line.is_some_and(|line| line.indent < opener.indent) {
            self.dubious = Some(opener);
        }
    }

    /// A brace that closes nothing: what stands between it and the block above was meant to be in that block.
    fn stray(&mut self, token: &Token) {
        let text = self.text;
        let closed = |piece: &Piece| text[piece.lo as usize..piece.hi as usize].ends_with('}');
        let orphans = self.pieces.iter().rev().take_while(|piece| !closed(piece)).count();
        let block =
            self.pieces.len().checked_sub(orphans + 1).and_then(|at| self.pieces.get(at)).filter(|piece| !piece.said);
        let span = Span { file: self.file, lo: token.lo, hi: token.hi };
        let mut finding = Diagnostic::new(&R001, span, "this `}` closes nothing").here("no block is open here");
        if let Some(block) = block {
            finding =
                finding.label(Span { file: self.file, lo: block.hi - 1, hi: block.hi }, "the block above ends here");
            let first = self.pieces.len() - orphans;
            let orphaned =
                |piece: &Piece| text[piece.lo as usize..piece.hi as usize].split_whitespace().next().unwrap_or("");
            if self.pieces[first..]
                .iter()
                .all(|piece| !super::statements::DECLARATIONS.contains(&orphaned(piece)) || orphaned(piece) == "tier")
            {
                self.pieces[first..].iter_mut().for_each(|piece| piece.said = true);
            }
        }
        self.findings.push(finding.help("delete it, or delete the `}` that ended the block too early"));
        self.pieces.push(Piece { lo: token.lo, hi: token.hi, missing: 0, said: true });
        self.fresh = true;
    }

    fn unclosed(&mut self, next: Option<&Token>) {
        let Some(opener) = self.dubious.take().or_else(|| self.open.last().copied()) else { return };
        let span = |token: &Token| Span { file: self.file, lo: token.lo, hi: token.hi };
        let mut finding = Diagnostic::new(&R003, span(&opener.token), "this `{` is never closed").here("opened here");
        finding = match next {
            Some(next) => finding
                .label(span(next), "the next declaration begins here")
                .help(format!("close the block with `}}` above the line of this `{}`", next.text(self.text))),
            None => finding.help("close the block with `}` at the end of the file"),
        };
        self.findings.push(finding);
        if let Some(piece) = self.pieces.last_mut() {
            piece.missing = self.open.len();
        }
        self.open.clear();
        self.brackets = 0;
    }

    fn end(&mut self) {
        if !self.open.is_empty() {
            self.unclosed(None);
        }
    }
}
