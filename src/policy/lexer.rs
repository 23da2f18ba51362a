//! Policy text to tokens: every character is in a token or is a blank between two.
//!
//! In: the text of one file. Out: tokens with offsets, comments and line ends among them, and what only a lexer can see
//! (limits, unclosed strings, characters nobody sees). Must not know: the grammar, meaning.

use std::ops::Range;

use super::diagnostic::{Diagnostic, R001, R004, R007, R008};
use super::source::{FileId, Span};

/// Bytes a file may have; more is not read at all. A policy of 5,000 rules has 1.6 MB.
pub const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;
/// How deep brackets and `not` may nest. The parser and everything behind it recurse, so this bounds their stacks.
pub const MAX_NESTING: usize = 64;
/// How many findings of one file the lexer keeps: enough to be all of them in a file a person wrote.
pub const MAX_LEXICAL_FINDINGS: usize = 200;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A name or a keyword, `metadata.key` included.
    Word,
    /// `provider/id`
    Model,
    /// `250`, `64k`, `2%`, `$0.02`
    Number,
    /// `22:00`
    Time,
    /// `2026-12-11`
    Date,
    /// `"…"`
    Text,
    /// `"…` without an end on its line.
    UnclosedText,
    /// `{`
    OpenBrace,
    /// `}`
    CloseBrace,
    /// `[`
    OpenBracket,
    /// `]`
    CloseBracket,
    /// `(`
    OpenParen,
    /// `)`
    CloseParen,
    /// `,`
    Comma,
    /// `=`
    Equals,
    /// `->`
    Arrow,
    /// `..`
    DotDot,
    /// `<`, `<=`, `>`, `>=`
    Compare,
    /// `*`
    Star,
    /// `==`, `!=`, `!`, `&&`, `||`: the language has words for these.
    Foreign,
    /// `# …`, without its line end.
    Comment,
    /// A line end.
    Newline,
    /// A character with no place in the language.
    Unknown,
}

/// A piece of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// First byte.
    pub lo: u32,
    /// One past the last byte.
    pub hi: u32,
}

impl Token {
    /// Its text in the file it came from.
    pub fn text<'a>(&self, file: &'a str) -> &'a str {
        file.get(self.lo as usize..self.hi as usize).unwrap_or("")
    }

    /// Whether it carries meaning: no comment, no line end.
    pub const fn is_significant(&self) -> bool {
        !matches!(self.kind, TokenKind::Comment | TokenKind::Newline)
    }
}

/// Cuts `text` into tokens. `None` when the file is too large or is not text at all; what is wrong is then in `findings`.
pub fn lex(file: FileId, text: &str, findings: &mut Vec<Diagnostic>) -> Option<Vec<Token>> {
    if let Some(finding) = unreadable(file, text) {
        findings.push(finding);
        return None;
    }
    let mut lexer =
        Lexer { file, text, at: bom_length(text), tokens: Vec::with_capacity(text.len() / 5), findings: vec![] };
    while let Some(byte) = lexer.peek(0) {
        lexer.token(byte);
    }
    lexer.nesting();
    if !text.is_ascii() || text.bytes().any(|byte| byte.is_ascii_control() && !matches!(byte, b'\t' | b'\r' | b'\n')) {
        lexer.hidden_characters();
    }
    findings.append(&mut lexer.findings);
    Some(lexer.tokens)
}

fn unreadable(file: FileId, text: &str) -> Option<Diagnostic> {
    let at = |lo: usize, len: usize| Span { file, lo: lo as u32, hi: (lo + len) as u32 };
    if text.len() > MAX_FILE_BYTES {
        let message = format!("the file has {} bytes, and a policy file at most {MAX_FILE_BYTES}", text.len());
        return Some(Diagnostic::new(&R007, at(0, 0), message).help("split it, and join the parts with `use`"));
    }
    text.find('\0').map(|nul| {
        Diagnostic::new(&R001, at(nul, 1), "the file is binary: it has a zero byte")
            .here("here")
            .help("a policy is UTF-8 text")
    })
}

/// A byte order mark is allowed in front, and is nothing.
fn bom_length(text: &str) -> usize {
    if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 }
}

struct Lexer<'t> {
    file: FileId,
    text: &'t str,
    at: usize,
    tokens: Vec<Token>,
    findings: Vec<Diagnostic>,
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    fn span(&self, range: Range<usize>) -> Span {
        Span { file: self.file, lo: range.start as u32, hi: range.end as u32 }
    }

    fn report(&mut self, finding: Diagnostic) {
        if self.findings.len() < MAX_LEXICAL_FINDINGS {
            self.findings.push(finding);
        }
    }

    fn push(&mut self, kind: TokenKind, length: usize) {
        let lo = self.at;
        self.at += length;
        self.tokens.push(Token { kind, lo: lo as u32, hi: self.at as u32 });
    }

    /// How many bytes from here on satisfy `accept`.
    fn run(&self, accept: impl Fn(u8) -> bool) -> usize {
        self.text.as_bytes()[self.at..].iter().take_while(|byte| accept(**byte)).count()
    }

    fn token(&mut self, byte: u8) {
        let next = self.peek(1);
        match byte {
            b' ' | b'\t' => self.at += 1,
            b'\n' => self.push(TokenKind::Newline, 1),
            b'\r' if next == Some(b'\n') => self.push(TokenKind::Newline, 2),
            b'#' => self.comment(),
            b'"' => self.string(),
            b'{' => self.push(TokenKind::OpenBrace, 1),
            b'}' => self.push(TokenKind::CloseBrace, 1),
            b'[' => self.push(TokenKind::OpenBracket, 1),
            b']' => self.push(TokenKind::CloseBracket, 1),
            b'(' => self.push(TokenKind::OpenParen, 1),
            b')' => self.push(TokenKind::CloseParen, 1),
            b',' => self.push(TokenKind::Comma, 1),
            b'*' => self.push(TokenKind::Star, 1),
            b'-' if next == Some(b'>') => self.push(TokenKind::Arrow, 2),
            b'.' if next == Some(b'.') => self.push(TokenKind::DotDot, 2),
            b'<' | b'>' => self.push(TokenKind::Compare, if next == Some(b'=') { 2 } else { 1 }),
            b'=' if next == Some(b'=') => self.push(TokenKind::Foreign, 2),
            b'=' => self.push(TokenKind::Equals, 1),
            b'!' => self.push(TokenKind::Foreign, if next == Some(b'=') { 2 } else { 1 }),
            b'&' if next == Some(b'&') => self.push(TokenKind::Foreign, 2),
            b'|' if next == Some(b'|') => self.push(TokenKind::Foreign, 2),
            b'$' => self.push(
                TokenKind::Number,
                1 + self.text.as_bytes()[self.at + 1..]
                    .iter()
                    .take_while(|b| b.is_ascii_digit() || matches!(b, b'.' | b'_'))
                    .count(),
            ),
            b'0'..=b'9' => self.number(),
            b'a'..=b'z' | b'A'..=b'Z' => self.word(),
            _ => self.other(),
        }
    }

    fn comment(&mut self) {
        let line = self.run(|byte| byte != b'\n');
        // A carriage return belongs to the line end, if there is one.
        let cr = self.peek(line).is_some() && self.peek(line - 1) == Some(b'\r');
        self.push(TokenKind::Comment, line - usize::from(cr));
    }

    fn string(&mut self) {
        let bytes = &self.text.as_bytes()[self.at..];
        let mut end = 1;
        while end < bytes.len() && !matches!(bytes[end], b'"' | b'\n') {
            // A backslash at the end of a line escapes nothing.
            let escapes = bytes[end] == b'\\' && !matches!(bytes.get(end + 1), None | Some(b'\r' | b'\n'));
            end += if escapes { 2 } else { 1 };
        }
        let end = end.min(bytes.len());
        if bytes.get(end) == Some(&b'"') {
            return self.push(TokenKind::Text, end + 1);
        }
        let line = end - usize::from(end < bytes.len() && bytes[end - 1] == b'\r');
        let span = self.span(self.at..self.at + 1);
        self.report(
            Diagnostic::new(&R004, span, "a string is not closed on its line")
                .here("opened here")
                .help("end it with `\"`; a quote inside is written `\\\"`"),
        );
        self.push(TokenKind::UnclosedText, line);
    }

    fn number(&mut self) {
        let digits = self.run(|byte| byte.is_ascii_digit() || byte == b'_');
        let bytes = &self.text.as_bytes()[self.at..];
        let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
        if digits == 4 && bytes.get(4) == Some(&b'-') && is_digit(5) && bytes.get(7) == Some(&b'-') && is_digit(8) {
            let rest = bytes[8..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            return self.push(TokenKind::Date, 8 + rest);
        }
        if digits <= 2 && bytes.get(digits) == Some(&b':') && is_digit(digits + 1) {
            let rest = bytes[digits + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            return self.push(TokenKind::Time, digits + 1 + rest);
        }
        let mut end = digits;
        if bytes.get(end) == Some(&b'.') && is_digit(end + 1) {
            end += 1;
            end += bytes[end..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        }
        let unit = bytes[end..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'%').count();
        self.push(TokenKind::Number, end + unit);
    }

    fn word(&mut self) {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let mut end = self.run(is_part);
        let bytes = &self.text.as_bytes()[self.at..];
        let is_id =
            |byte: u8| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',' | b'[' | b']' | b'(' | b')' | b'{' | b'}');
        if bytes.get(end) == Some(&b'/') && bytes.get(end + 1).is_some_and(|byte| is_id(*byte)) {
            end += bytes[end..].iter().take_while(|byte| is_id(**byte)).count();
            return self.push(TokenKind::Model, end);
        }
        while bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_alphabetic) {
            end += 1;
            end += bytes[end..].iter().take_while(|byte| is_part(**byte)).count();
        }
        if bytes.get(end).is_some_and(|byte| !byte.is_ascii()) {
            return self.foreign_word();
        }
        // `a->b`: the arrow's first half is a character a name may have.
        if bytes[..end].ends_with(b"-") && bytes.get(end) == Some(&b'>') {
            end -= 1;
        }
        self.push(TokenKind::Word, end);
    }

    /// Anything else: one character, or a whole word when it is written in letters names cannot have.
    fn other(&mut self) {
        let Some(first) = self.text[self.at..].chars().next() else { return };
        if first.is_alphabetic() { self.foreign_word() } else { self.push(TokenKind::Unknown, first.len_utf8()) }
    }

    /// A word with a letter outside a to z. One of two scripts is a trap (R008), one of a single script is a mistake.
    fn foreign_word(&mut self) {
        let rest = &self.text[self.at..];
        let end = rest
            .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-') || is_invisible(c)))
            .unwrap_or(rest.len());
        let (lo, word) = (self.at, &rest[..end]);
        let latin: String = word.chars().filter(|c| !is_invisible(*c)).map(|c| look_alike(c).unwrap_or(c)).collect();
        let span = self.span(lo..lo + end);
        let looks_latin = word.chars().any(|c| look_alike(c).is_some());
        let clean = word.chars().filter(|c| !is_invisible(*c)).all(|c| c.is_ascii());
        if looks_latin && latin.is_ascii() {
            self.report(
                Diagnostic::new(&R008, span, "a name mixes letters of two scripts")
                    .here(format!("looks like `{latin}`, and is another word"))
                    .help(format!("write `{latin}`"))
                    .fix(true, format!("write `{latin}` in Latin letters"), span, latin),
            );
        } else if !clean {
            self.report(
                Diagnostic::new(&R001, span, format!("`{word}` is not a name"))
                    .here("names are written with a to z, A to Z, digits, `_` and `-`"),
            );
        }
        self.push(TokenKind::Unknown, end);
    }

    /// Brackets and `not` that nest too deep. Both count, because both make the parser recurse.
    fn nesting(&mut self) {
        let mut open: Vec<(TokenKind, usize)> = vec![];
        let (mut nots, mut depth, mut told) = (0, 0, false);
        let mut deep = vec![];
        for token in &self.tokens {
            match token.kind {
                TokenKind::OpenBrace | TokenKind::OpenBracket | TokenKind::OpenParen => {
                    open.push((token.kind, nots));
                    depth += 1 + nots;
                    nots = 0;
                }
                TokenKind::CloseBrace => {
                    // A brace closes what was left open inside it.
                    while let Some((kind, before)) = open.pop() {
                        depth -= 1 + before;
                        if kind == TokenKind::OpenBrace {
                            break;
                        }
                    }
                    nots = 0;
                }
                TokenKind::CloseBracket | TokenKind::CloseParen => {
                    if let Some((_, before)) = open.pop_if(|(kind, _)| *kind != TokenKind::OpenBrace) {
                        depth -= 1 + before;
                    }
                    nots = 0;
                }
                TokenKind::Word if token.text(self.text) == "not" => nots += 1,
                TokenKind::Foreign if token.text(self.text) == "!" => nots += 1,
                TokenKind::Comment | TokenKind::Newline => {}
                _ => nots = 0,
            }
            let too_deep = depth + nots > MAX_NESTING;
            if too_deep && !told {
                deep.push(*token);
            }
            told = too_deep;
        }
        for token in deep {
            let span = self.span(token.lo as usize..token.hi as usize);
            self.report(
                Diagnostic::new(&R007, span, format!("nested deeper than {MAX_NESTING} levels"))
                    .here(format!("level {}", MAX_NESTING + 1))
                    .help("name a part with `define`, and use the name here"),
            );
        }
    }

    /// Characters nobody sees, wherever they stand. Joiners between letters of other scripts are writing, not hiding.
    fn hidden_characters(&mut self) {
        let mut not_utf8 = false;
        let mut token = 0;
        for (lo, c) in self.text.char_indices().skip(usize::from(bom_length(self.text) > 0)) {
            while self.tokens.get(token).is_some_and(|token| token.hi as usize <= lo) {
                token += 1;
            }
            let span = self.span(lo..lo + c.len_utf8());
            if c == '\u{fffd}' && !not_utf8 {
                not_utf8 = true;
                self.report(
                    Diagnostic::new(&R001, span, "the file is not UTF-8 text")
                        .here("this was no character of UTF-8 when the file was read")
                        .help("save the file as UTF-8"),
                );
            }
            if !is_invisible(c) {
                continue;
            }
            let written = self.tokens.get(token).filter(|token| {
                (token.lo as usize) <= lo
                    && matches!(token.kind, TokenKind::Text | TokenKind::UnclosedText | TokenKind::Comment)
            });
            let neighbor = self.text[..lo].chars().next_back().is_some_and(|c| !c.is_ascii());
            if written.is_some() && matches!(c, '\u{200c}' | '\u{200d}') && neighbor {
                continue;
            }
            self.report(
                Diagnostic::new(&R008, span, format!("invisible character U+{:04X} ({})", c as u32, hidden_name(c)))
                    .here("nothing can be seen here")
                    .help("delete it")
                    .fix(true, "delete the invisible character", span, ""),
            );
        }
    }
}

/// Characters that change or hide text without being seen: directional controls, zero-width characters, control codes.
pub const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{0001}'..='\u{0008}' | '\u{000b}' | '\u{000c}' | '\u{000e}'..='\u{001f}' | '\u{007f}'..='\u{009f}' | '\u{00ad}'
        | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

const fn hidden_name(c: char) -> &'static str {
    match c {
        '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            "turns the reading direction"
        }
        '\u{0001}'..='\u{009f}' => "a control code",
        '\u{2028}' | '\u{2029}' => "a line end of its own kind",
        _ => "has no width",
    }
}

/// The Latin letter a letter of another script is mistaken for.
const fn look_alike(c: char) -> Option<char> {
    Some(match c {
        'а' | 'α' => 'a',
        'в' => 'b',
        'с' | 'ϲ' => 'c',
        'ԁ' => 'd',
        'е' | 'ё' => 'e',
        'һ' => 'h',
        'і' | 'ι' => 'i',
        'ј' => 'j',
        'κ' | 'к' => 'k',
        'м' => 'm',
        'п' => 'n',
        'о' | 'ο' | 'σ' => 'o',
        'р' | 'ρ' => 'p',
        'ѕ' => 's',
        'т' | 'τ' => 't',
        'υ' => 'u',
        'ν' => 'v',
        'ԝ' | 'ω' => 'w',
        'х' | 'χ' => 'x',
        'у' | 'γ' => 'y',
        'А' | 'Α' => 'A',
        'В' | 'Β' => 'B',
        'С' => 'C',
        'Е' | 'Ε' => 'E',
        'Н' | 'Η' => 'H',
        'І' | 'Ι' => 'I',
        'К' | 'Κ' => 'K',
        'М' | 'Μ' => 'M',
        'О' | 'Ο' => 'O',
        'Р' | 'Ρ' => 'P',
        'Т' | 'Τ' => 'T',
        'Х' | 'Χ' => 'X',
        '\u{ff21}'..='\u{ff3a}' | '\u{ff41}'..='\u{ff5a}' => match char::from_u32(c as u32 - 0xfee0) {
            Some(latin) => latin,
            None => return None,
        },
        _ => return None,
    })
}
