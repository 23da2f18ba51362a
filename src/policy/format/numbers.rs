//! `1000` tokens are `1k`.
//!
//! In: tokens. Out: how each number is written. Must not know: layout.

use crate::policy::lexer::{Token, TokenKind};

/// How a number is written: round counts of tokens get `k` or `M`, everything else stays as it is. `near` are the significant
/// tokens of the statement, and `at` the number among them.
pub(super) fn written<'t>(text: &'t str, near: &[Token], at: usize) -> std::borrow::Cow<'t, str> {
    let number = near[at].text(text);
    let plain = near[at].kind == TokenKind::Number
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && !number.starts_with('0');
    if plain && counts_tokens(text, near, at) {
        for (zeros, unit) in [("000000", 'M'), ("000", 'k')] {
            if let Some(short) = number.strip_suffix(zeros).filter(|short| !short.is_empty()) {
                return format!("{short}{unit}").into();
            }
        }
    }
    number.into()
}

/// Whether the number there can only mean tokens.
fn counts_tokens(text: &str, near: &[Token], at: usize) -> bool {
    let word =
        |back: usize| at.checked_sub(back).and_then(|index| near.get(index)).map_or("", |token| token.text(text));
    let next = near.get(at + 1).map_or("", |token| token.text(text));
    let subject = |word: &str| matches!(word, "prompt_tokens" | "max_tokens");
    // Behind `a..`, look from the left end of the range.
    let skip = if word(1) == ".." { 2 } else { 0 };
    let reads = word(1) == "to" && word(2) == "up" && word(4) == "reads";
    next == "tokens"
        || reads
        || matches!(word(1), "max_output" | "max_prompt")
        || subject(word(1 + skip))
        || (subject(word(2 + skip)) && matches!(word(1 + skip), "<" | "<=" | ">" | ">=" | "is" | "in"))
        || (subject(word(3 + skip)) && word(2 + skip) == "not" && word(1 + skip) == "in")
}

/// The whole text with its numbers rewritten, and nothing else.
pub(super) fn rewritten(text: &str, tokens: &[Token]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    // Statements never share a number, so a line of tokens is context enough.
    let significant: Vec<Token> = tokens.iter().copied().filter(Token::is_significant).collect();
    for (at, token) in significant.iter().enumerate() {
        let start = statement_start(tokens, &significant, at);
        out.push_str(&text[from..token.lo as usize]);
        out.push_str(&written(text, &significant[start..line_end(tokens, &significant, at)], at - start));
        from = token.hi as usize;
    }
    out.push_str(&text[from..]);
    out
}

/// The first significant token of the statement `at` is in: behind a line end that is not in a list, a comma or a brace.
fn statement_start(tokens: &[Token], significant: &[Token], at: usize) -> usize {
    const FURTHEST: usize = 5;
    let mut start = at;
    while start > 0 && at - start < FURTHEST {
        let before = significant[start - 1];
        if matches!(before.kind, TokenKind::Comma | TokenKind::OpenBrace | TokenKind::CloseBrace)
            || parted(tokens, before, significant[start])
        {
            break;
        }
        start -= 1;
    }
    start
}

fn line_end(tokens: &[Token], significant: &[Token], at: usize) -> usize {
    match significant.get(at + 1) {
        Some(next) if !parted(tokens, significant[at], *next) => at + 2,
        _ => at + 1,
    }
}

/// Whether a line ends between two neighbors.
fn parted(tokens: &[Token], left: Token, right: Token) -> bool {
    let from = tokens.partition_point(|token| token.lo < left.hi);
    tokens[from..].iter().take_while(|token| token.lo < right.lo).any(|token| token.kind == TokenKind::Newline)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::source::Sources;

    fn shortened(text: &str) -> String {
        let mut sources = Sources::default();
        let id = sources.add("", text);
        rewritten(text, &crate::policy::lexer::lex(id, text, &mut vec![]).unwrap())
    }

    #[test]
    fn only_exact_counts_of_tokens_become_short() {
        assert_eq!(shortened("max_output 1000, max_prompt 1500"), "max_output 1k, max_prompt 1500");
        assert_eq!(
            shortened("when prompt_tokens in 4000..16000 and pages < 2000"),
            "when prompt_tokens in 4k..16k and pages < 2000"
        );
        assert_eq!(shortened("limit 2000000 tokens per day"), "limit 2M tokens per day");
        assert_eq!(shortened("limit 2_000_000 tokens per day"), "limit 2_000_000 tokens per day");
        assert_eq!(shortened("reads last_message up to 2000"), "reads last_message up to 2k");
        assert_eq!(shortened("limit 1000 requests per day\nmax_tokens 0"), "limit 1000 requests per day\nmax_tokens 0");
    }
}
