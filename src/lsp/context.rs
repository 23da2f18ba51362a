//! Where in a policy somebody is typing.
//!
//! In: a text, broken as texts are while they are typed, and a place. Out: the blocks around it, the words of the statement
//! before it, and the word that is being typed. Must not know: names. Only tokens are looked at.

use crate::policy::lexer::{self, Token, TokenKind};
use crate::policy::source::FileId;

/// The surroundings of a place.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Context<'t> {
    /// First words of the blocks around, outermost first: `rule night`, `request`.
    pub blocks: Vec<Vec<&'t str>>,
    /// The statement up to the word that is being typed, without it.
    pub words: Vec<&'t str>,
    /// The word that is being typed: what a completion replaces.
    pub typed: (u32, u32),
    /// What kind of place it is.
    pub place: Place,
}

/// What kind of place somebody is typing at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// Among words.
    #[default]
    Code,
    /// In a comment.
    Comment,
    /// Between quotes.
    Text,
}

impl<'t> Context<'t> {
    /// Around a byte of a text.
    pub fn at(text: &'t str, offset: u32) -> Self {
        let tokens = lexer::lex(FileId(0), text, &mut Vec::new()).unwrap_or_default();
        let upto = tokens.partition_point(|token| token.lo < offset);
        let mut before = &tokens[..upto];
        let mut context = Self { typed: (offset, offset), ..Self::default() };
        if let Some(last) = before.last() {
            context.place = match last.kind {
                TokenKind::Comment if offset <= last.hi => Place::Comment,
                TokenKind::Text if offset < last.hi => Place::Text,
                TokenKind::UnclosedText if offset <= last.hi => Place::Text,
                _ => Place::Code,
            };
            let (taken, lo) = typed(text, before, offset);
            if taken > 0 {
                let hi = before.last().map_or(offset, |last| last.hi.max(offset));
                context.typed = if context.place == Place::Code { (lo, hi) } else { inner(text, lo, hi, offset) };
                before = &before[..before.len() - taken];
            }
        }
        context.read(text, before);
        context
    }

    /// The first word of the innermost block.
    pub fn block(&self) -> Option<&'t str> {
        self.blocks.last().and_then(|head| head.first()).copied()
    }

    fn read(&mut self, text: &'t str, tokens: &[Token]) {
        let mut brackets = 0_usize;
        let mut fresh = false;
        for token in tokens {
            let word = token.text(text);
            match token.kind {
                TokenKind::Newline => fresh |= brackets == 0,
                TokenKind::Comment => {}
                TokenKind::OpenBrace => {
                    self.blocks.push(std::mem::take(&mut self.words));
                    brackets = 0;
                    fresh = false;
                }
                TokenKind::CloseBrace => {
                    self.blocks.pop();
                    self.words.clear();
                    brackets = 0;
                    fresh = false;
                }
                kind => {
                    if std::mem::take(&mut fresh) && !matches!(word, "and" | "or") {
                        self.words.clear();
                    }
                    match kind {
                        TokenKind::OpenBracket | TokenKind::OpenParen => brackets += 1,
                        TokenKind::CloseBracket | TokenKind::CloseParen => brackets = brackets.saturating_sub(1),
                        // In a rule a comma may be followed by an option of the hop; elsewhere it ends the statement.
                        TokenKind::Comma if brackets == 0 && !self.blocks.is_empty() && !self.in_rule() => {
                            self.words.clear();
                            continue;
                        }
                        _ => {}
                    }
                    self.words.push(word);
                }
            }
        }
        if fresh {
            self.words.clear();
        }
    }

    /// Whether the innermost block is a rule, a ladder or `otherwise`.
    pub fn in_rule(&self) -> bool {
        matches!(self.block(), Some("rule" | "otherwise" | "ladder"))
    }
}

/// How many tokens in front of a place belong to the word that is being typed, and where it begins. `openai/` is not a model
/// yet: it is a word and a slash.
fn typed(text: &str, before: &[Token], offset: u32) -> (usize, u32) {
    let Some(last) = before.last().filter(|last| offset <= last.hi) else { return (0, offset) };
    match last.kind {
        TokenKind::Unknown if last.text(text) == "/" => match before.iter().rev().nth(1) {
            Some(word) if word.kind == TokenKind::Word && word.hi == last.lo => (2, word.lo),
            _ => (1, last.lo),
        },
        TokenKind::Word
        | TokenKind::Model
        | TokenKind::Number
        | TokenKind::Comment
        | TokenKind::Text
        | TokenKind::UnclosedText => (1, last.lo),
        _ => (0, offset),
    }
}

/// Of a comment the word, of a text what is between the quotes.
fn inner(text: &str, lo: u32, hi: u32, offset: u32) -> (u32, u32) {
    let whole = &text[lo as usize..hi as usize];
    if whole.starts_with('"') {
        let end = if whole.len() > 1 && whole.ends_with('"') { hi - 1 } else { hi };
        return (lo + 1, end.max(lo + 1));
    }
    let part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let head = &text[lo as usize..offset as usize];
    let start = head.rfind(|c| !part(c)).map_or(0, |at| at + head[at..].chars().next().map_or(1, char::len_utf8));
    let tail = &text[offset as usize..hi as usize];
    let end = tail.find(|c| !part(c)).unwrap_or(tail.len());
    (lo + start as u32, offset + end as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The context at `|`.
    fn at(marked: &str) -> (String, String, String, Place) {
        let offset = marked.find('|').unwrap();
        let text = marked.replacen('|', "", 1);
        let context = Context::at(&text, offset as u32);
        let blocks: Vec<String> = context.blocks.iter().map(|head| head.join(" ")).collect();
        let (lo, hi) = context.typed;
        (blocks.join(" > "), context.words.join(" "), text[lo as usize..hi as usize].to_owned(), context.place)
    }

    #[test]
    fn the_statement_the_blocks_and_the_word_are_found() {
        for (marked, blocks, words, typed) in [
            ("ru|", "", "", "ru"),
            ("rule a {\n  |", "rule a", "", ""),
            ("rule a {\n  tier mid\n  snap|shot", "rule a", "", "snapshot"),
            ("rule a {\n  snapshot openai/gp|", "rule a", "snapshot", "openai/gp"),
            ("rule a {\n  snapshot openai/|", "rule a", "snapshot", "openai/"),
            ("rule a {\n  snapshot openai/a-1, tim|", "rule a", "snapshot openai/a-1 ,", "tim"),
            ("rule a {\n  when plan is |", "rule a", "when plan is", ""),
            ("rule a {\n  when plan is free\n    and fea|", "rule a", "when plan is free and", "fea"),
            ("rule a {\n  when plan in [free, |]", "rule a", "when plan in [ free ,", ""),
            ("rule a { tier mid }\n|", "", "", ""),
            ("feature a { stakes high, max|", "feature a", "", "max"),
            ("test \"x\" {\n  request { plan |", "test \"x\" > request", "plan", ""),
            ("rule a {\n  retry 1 on [net|", "rule a", "retry 1 on [", "net"),
        ] {
            assert_eq!(at(marked), (blocks.into(), words.into(), typed.into(), Place::Code), "{marked}");
        }
    }

    #[test]
    fn comments_and_texts_are_places_of_their_own() {
        assert_eq!(at("use \"mod|els.route\""), (String::new(), "use".into(), "models.route".into(), Place::Text));
        assert_eq!(at("use \"|"), (String::new(), "use".into(), String::new(), Place::Text));
        assert_eq!(at("# allow ret|ires: ü"), (String::new(), String::new(), "retires".into(), Place::Comment));
        assert_eq!(at("# ü| x").3, Place::Comment);
    }
}
