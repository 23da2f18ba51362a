//! What stands between two statements: line ends, blank lines, comments.
//!
//! In: the tokens between two places. Out: what of them is kept. Must not know: statements.

use crate::policy::lexer::{Token, TokenKind};

/// Between the end of one statement and the start of the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Gap<'t> {
    /// A comment on the line the first statement ends on.
    pub behind: Option<&'t str>,
    /// Comments on lines of their own, and blank lines between them.
    pub lines: Vec<GapLine<'t>>,
    /// The two share a line.
    pub same_line: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GapLine<'t> {
    Blank,
    Comment(&'t str),
}

impl<'t> Gap<'t> {
    /// Reads the tokens between `from` and `to`.
    pub fn between(text: &'t str, tokens: &[Token], from: u32, to: u32) -> Self {
        let first = tokens.partition_point(|token| token.lo < from);
        let mut gap = Gap { same_line: true, ..Gap::default() };
        let mut line_ends = 0;
        for token in tokens[first..].iter().take_while(|token| token.lo < to) {
            match token.kind {
                TokenKind::Newline => line_ends += 1,
                TokenKind::Comment => {
                    let comment = token.text(text).trim_end();
                    if gap.same_line && line_ends == 0 {
                        gap.behind = Some(comment);
                    } else {
                        gap.blank(line_ends);
                        gap.lines.push(GapLine::Comment(comment));
                    }
                    line_ends = 0;
                    gap.same_line = false;
                }
                _ => {}
            }
        }
        gap.blank(line_ends);
        gap.same_line &= line_ends == 0;
        gap
    }

    fn blank(&mut self, line_ends: usize) {
        if line_ends > 1 {
            self.lines.push(GapLine::Blank);
        }
    }

    /// Without blank lines at its start, as behind an opening brace.
    pub fn opened(mut self) -> Self {
        if self.lines.first() == Some(&GapLine::Blank) {
            self.lines.remove(0);
        }
        self
    }

    /// Without blank lines at its end, as before a closing brace.
    pub fn closed(mut self) -> Self {
        if self.lines.last() == Some(&GapLine::Blank) {
            self.lines.pop();
        }
        self
    }

    /// At the top of a file, where no statement stands before it.
    pub fn at_top(mut self) -> Self {
        if let Some(comment) = self.behind.take() {
            self.lines.insert(0, GapLine::Comment(comment));
        }
        self.opened()
    }

    /// With a blank line, first if it has none.
    pub fn apart(mut self) -> Self {
        if !self.lines.contains(&GapLine::Blank) {
            self.lines.insert(0, GapLine::Blank);
        }
        self
    }

    /// Whether it holds no comment.
    pub fn is_bare(&self) -> bool {
        self.behind.is_none() && !self.lines.iter().any(|line| matches!(line, GapLine::Comment(_)))
    }
}
