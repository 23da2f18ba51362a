//! One statement, on one line or broken by the two rules there are: conditions before `and` and `or`, lists at their items.
//!
//! In: the tokens of a statement. Out: its lines, without the indentation of the first. Must not know: its neighbors.

use super::gaps::{Gap, GapLine};
use super::numbers;
use super::{CHAIN_WIDTH, WIDTH};
use crate::policy::lexer::{Token, TokenKind};

/// How a statement may be laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// On one line, lists apart.
    Line,
    /// Its condition may be broken before top-level `and` and `or`.
    Condition,
    /// So many words in front are padded as chain words.
    Chain(usize),
}

/// A token and what stands behind it.
struct Part<'t> {
    token: Token,
    text: String,
    gap: Gap<'t>,
    /// A top-level `and` or `or` of a condition: a line may begin with it.
    joins: bool,
    /// What stands behind it stands in a list, where line ends mean nothing.
    in_list: bool,
}

/// Lays out the statement of `tokens` between two places, at `indent` columns. Each of `options` begins behind a comma.
pub(super) fn statement(
    text: &str,
    tokens: &[Token],
    (lo, hi): (u32, u32),
    layout: Layout,
    options: &[u32],
    indent: usize,
) -> String {
    let from = tokens.partition_point(|token| token.lo < lo);
    let near: Vec<Token> =
        tokens[from..].iter().copied().take_while(|token| token.lo < hi).filter(Token::is_significant).collect();
    let mut parts = parts(text, tokens, &near, options);
    let several_lines = parts.iter().rev().skip(1).any(|part| !part.gap.same_line && !part.in_list);
    let one_line = joined(&parts, layout);
    let wide = indent + one_line.chars().count() > WIDTH;
    let commented = parts.iter().rev().skip(1).any(|part| !part.gap.is_bare());
    let breaks = wide || commented || (layout == Layout::Condition && several_lines);
    if !breaks {
        return one_line;
    }
    if layout != Layout::Condition {
        parts.iter_mut().for_each(|part| part.joins = false);
    }
    broken(&parts, layout, indent)
}

fn parts<'t>(text: &'t str, tokens: &[Token], near: &[Token], options: &[u32]) -> Vec<Part<'t>> {
    let (mut depth, mut in_list) = (0_usize, false);
    let mut parts = Vec::with_capacity(near.len());
    for (at, token) in near.iter().enumerate() {
        match token.kind {
            TokenKind::OpenBracket | TokenKind::OpenParen => depth += 1,
            TokenKind::CloseBracket | TokenKind::CloseParen => depth = depth.saturating_sub(1),
            _ => {}
        }
        in_list = match token.kind {
            TokenKind::OpenBracket => true,
            TokenKind::CloseBracket => false,
            _ => in_list,
        };
        if options.contains(&token.lo) && at > 0 && near[at - 1].kind != TokenKind::Comma {
            let comma = Token { kind: TokenKind::Comma, lo: token.lo, hi: token.lo };
            parts.push(Part {
                token: comma,
                text: ",".to_owned(),
                gap: Gap { same_line: true, ..Gap::default() },
                joins: false,
                in_list: false,
            });
        }
        let joins = depth == 0 && at > 0 && token.kind == TokenKind::Word && matches!(token.text(text), "and" | "or");
        let gap = near.get(at + 1).map_or_else(Gap::default, |next| Gap::between(text, tokens, token.hi, next.lo));
        parts.push(Part { token: *token, text: numbers::written(text, near, at).into_owned(), gap, joins, in_list });
    }
    parts
}

/// What separates two tokens on a line.
fn space(left: TokenKind, right: TokenKind) -> &'static str {
    use TokenKind::{CloseBracket, CloseParen, Comma, DotDot, OpenBracket, OpenParen};
    match (left, right) {
        (OpenBracket | OpenParen | DotDot, _) | (_, CloseBracket | CloseParen | Comma | DotDot) => "",
        _ => " ",
    }
}

/// All of it on one line. A comma at the end of a list separates nothing.
fn joined(parts: &[Part<'_>], layout: Layout) -> String {
    let mut line = String::new();
    let mut last: Option<TokenKind> = None;
    let mut list = false;
    for (at, part) in parts.iter().enumerate() {
        let next = parts.get(at + 1).map(|next| next.token.kind);
        if list
            && part.token.kind == TokenKind::Comma
            && matches!(next, Some(TokenKind::CloseBracket | TokenKind::Comma))
        {
            continue;
        }
        // Items that stood on lines of their own need a comma on one line.
        let item = list && !matches!(part.token.kind, TokenKind::CloseBracket | TokenKind::Comma | TokenKind::DotDot);
        if item && !matches!(last, Some(TokenKind::OpenBracket | TokenKind::Comma | TokenKind::DotDot)) {
            line.push(',');
        }
        if let Some(last) = last {
            line.push_str(space(last, part.token.kind));
        }
        line.push_str(&part.text);
        last = Some(part.token.kind);
        match part.token.kind {
            TokenKind::OpenBracket => list = true,
            TokenKind::CloseBracket => list = false,
            _ => {}
        }
        if let Layout::Chain(words) = layout
            && at + 1 == words
            && next.is_some()
        {
            let length = CHAIN_WIDTH.saturating_sub(chain_length(&parts[..words])).max(1);
            line.extend(std::iter::repeat_n(' ', length));
            last = None;
        }
    }
    line
}

/// Conditions before every top-level `and` and `or`, then the lists of lines that are still too wide or hold comments.
fn broken(parts: &[Part<'_>], layout: Layout, indent: usize) -> String {
    let mut starts: Vec<usize> = (0..parts.len()).filter(|at| *at == 0 || parts[*at].joins).collect();
    starts.push(parts.len());
    // The first line's indentation is not part of the answer, but of its width.
    let mut out = " ".repeat(indent);
    for pair in starts.windows(2) {
        let line = &parts[pair[0]..pair[1]];
        let first = pair[0] == 0;
        let column = if first { indent } else { indent + 2 };
        if !first {
            fresh_line(&mut out, column);
        }
        let layout = if first { layout } else { Layout::Line };
        segment(&mut out, line, layout, column);
        // Comments before the next line of the condition.
        if pair[1] < parts.len()
            && let Some(last) = line.last()
        {
            comments(&mut out, &last.gap, indent + 2);
        }
    }
    out.split_off(indent)
}

fn fresh_line(out: &mut String, column: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', column));
}

/// Writes the comments of a gap; answers whether there were any, so that the line is over.
fn comments(out: &mut String, gap: &Gap<'_>, column: usize) -> bool {
    if let Some(behind) = gap.behind {
        out.push_str("  ");
        out.push_str(behind);
    }
    for line in &gap.lines {
        if let GapLine::Comment(comment) = line {
            fresh_line(out, column);
            out.push_str(comment);
        }
    }
    !gap.is_bare()
}

/// One line of a statement. A list that would end beyond the width, or that holds a comment, goes one item a line.
fn segment(out: &mut String, parts: &[Part<'_>], layout: Layout, column: usize) {
    let mut last: Option<TokenKind> = None;
    let mut at = 0;
    while let Some(part) = parts.get(at) {
        let kind = part.token.kind;
        if let Some(last) = last {
            out.push_str(space(last, kind));
        }
        let list = list_at(parts, at);
        let inline = joined(&parts[at..=list], Layout::Line);
        let commented = parts[at..list].iter().any(|part| !part.gap.is_bare());
        // Hop options stay on the line of their hop, however long it gets; only a list that is too long by itself is broken.
        let start = if matches!(layout, Layout::Chain(_)) { 0 } else { columns(out) };
        if list > at && (commented || start + inline.chars().count() > WIDTH) {
            items(out, &parts[at..=list], column);
        } else {
            out.push_str(&inline);
        }
        at = list;
        last = Some(parts[at].token.kind);
        if let Layout::Chain(words) = layout
            && at + 1 == words
            && at + 1 < parts.len()
        {
            let length = CHAIN_WIDTH.saturating_sub(chain_length(&parts[..words])).max(1);
            out.extend(std::iter::repeat_n(' ', length));
            last = None;
        }
        // Outside lists only a parenthesis lets a comment, and so a line end, stand inside a statement.
        if at + 1 < parts.len() && comments(out, &parts[at].gap, column + 2) {
            fresh_line(out, column + 2);
            last = None;
        }
        at += 1;
    }
}

/// The end of the list that opens there; the place itself when none does.
fn list_at(parts: &[Part<'_>], at: usize) -> usize {
    if parts[at].token.kind != TokenKind::OpenBracket {
        return at;
    }
    let length = parts[at..].iter().position(|part| part.token.kind == TokenKind::CloseBracket);
    length.map_or(at, |length| at + length)
}

/// Where the line that is being written ends.
fn columns(out: &str) -> usize {
    out.rsplit('\n').next().unwrap_or_default().chars().count()
}

/// `[` to `]`, one item a line.
fn items(out: &mut String, parts: &[Part<'_>], column: usize) {
    let mut last = TokenKind::OpenBracket;
    for part in parts {
        let kind = part.token.kind;
        match (last, kind) {
            (_, TokenKind::OpenBracket) => out.push('['),
            (_, TokenKind::Comma) => {}
            (_, TokenKind::CloseBracket) => {
                fresh_line(out, column);
                out.push(']');
                return;
            }
            (TokenKind::DotDot, _) | (_, TokenKind::DotDot) => out.push_str(&part.text),
            _ => {
                fresh_line(out, column + 2);
                out.push_str(&part.text);
            }
        }
        last = kind;
        comments(out, &part.gap, column + 2);
    }
}

/// Columns the chain words take.
fn chain_length(words: &[Part<'_>]) -> usize {
    words.iter().map(|part| part.text.chars().count()).sum::<usize>() + words.len() - 1
}
