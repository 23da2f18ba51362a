//! What was wrong with a statement, in its author's words.
//!
//! In: the span of a statement or declaration that did not parse. Out: one diagnostic, and what can be saved of it. Must not
//! know: meaning. The slice is parsed again with the strict form of the statement its first word announces; where that stops,
//! and what it would have taken there, is the message.

use pest::Parser;
use pest::error::{ErrorVariant, InputLocation};

use super::grammar::{RouteParser, Rule};
use super::lower::Lower;
use super::lower_cond::foreign_operator;
use super::statements::{self, Ours, Place};
use super::words;
use crate::names::nearest;
use crate::policy::ast::{BlockStmt, Name, RuleStmt, RuleStmtKind, TestStmtKind, TierLine};
use crate::policy::diagnostic::{Diagnostic, R001, R002, R009};
use crate::policy::lexer::{Token, TokenKind};
use crate::policy::source::{Span, Spanned};

impl Lower<'_> {
    /// Whether a statement may begin with `word` there.
    pub fn is_known(&self, word: &str, place: Place<'_>) -> bool {
        let known = statements::known(place);
        let also = matches!(place, Place::Hop | Place::Promise) && statements::known(Place::Rule).contains(&word);
        known.is_empty() || known.contains(&word) || also
    }

    fn first_word(&self, span: Span) -> Option<Name> {
        let token = self.tokens_in(span).first().filter(|token| token.kind == TokenKind::Word)?;
        Some(Spanned { node: token.text(self.text).to_owned(), span: Span { lo: token.lo, hi: token.hi, ..span } })
    }

    /// R002, with what was meant if that can be told.
    pub fn unknown<T>(&mut self, word: &Name, place: Place<'_>) -> Option<T> {
        if self.is_said(word.span) {
            return None;
        }
        let message = match place {
            Place::File => format!("`{}` begins no declaration", word.node),
            Place::Rule => format!("`{}` begins no statement of a rule", word.node),
            Place::Hop => format!("`{}` is no option of a hop", word.node),
            Place::Promise => format!("`{}` is no option of a tier", word.node),
            Place::Tier => format!("`{}` is no line of a tier", word.node),
            Place::Test | Place::Request => format!("`{}` begins no statement of a test", word.node),
            Place::Block(kind) => format!("`{kind}` has no `{}`", word.node),
        };
        let finding = Diagnostic::new(&R002, word.span, message);
        let replace = |finding: Diagnostic, with: &str| {
            finding.here(format!("did you mean `{with}`?")).help(format!("write `{with}`")).fix(
                true,
                format!("replace `{}` by `{with}`", word.node),
                word.span,
                with,
            )
        };
        let known = statements::known(place);
        let also = if matches!(place, Place::Hop | Place::Promise) { statements::known(Place::Rule) } else { &[] };
        let near = nearest(&word.node, known.iter().chain(also).copied());
        let finding = match (statements::of_other_tools(place, &word.node), near.first()) {
            (Some(Ours::Word(ours)), _) => replace(finding, ours),
            (Some(Ours::Advice(advice)), _) => finding.here("not a word of this language").help(advice),
            (None, Some(near)) => replace(finding, near),
            (None, None) if place == Place::Rule && statements::known(Place::Hop).contains(&word.node.as_str()) => {
                finding
                    .here("an option of a hop")
                    .help(format!("write it behind a hop: `snapshot PROVIDER/ID, {} …`", word.node))
            }
            (None, None) if place != Place::File && statements::DECLARATIONS.contains(&word.node.as_str()) => {
                finding.here("a declaration").help("move it out of this block")
            }
            (None, None) => finding.here("unknown here").help(format!("known here: {}", known.join(", "))),
        };
        self.findings.push(finding);
        None
    }

    /// A statement of a rule that did not parse. What is returned is the part of it that did.
    pub fn bad_rule_stmt(&mut self, span: Span, place: Place<'_>) -> Option<RuleStmt> {
        let Some(word) = self.first_word(span) else { return self.no_word(span, place) };
        let Some(strict) = rule_form(&word.node) else {
            return match place {
                Place::Hop | Place::Promise if statements::known(Place::Hop).contains(&word.node.as_str()) => {
                    self.bad_option(span, &word)
                }
                _ if self.is_known(&word.node, place) => self.explain(span, Rule::strict_setting, &word.node, place),
                _ => self.unknown(&word, place),
            };
        };
        self.explain::<()>(span, strict, &word.node, Place::Rule);
        self.salvage(span)
    }

    /// The longest prefix of a bad hop, so that its names are checked too. A condition is kept only when it ends before a
    /// dangling `and` or `or`: any other prefix says something its author did not.
    fn salvage(&mut self, span: Span) -> Option<RuleStmt> {
        let pair = RouteParser::parse(Rule::prefix_stmt, self.slice(span)).ok()?.next()?.into_inner().next()?;
        let (base, limit) = (self.base, self.limit);
        (self.base, self.limit) = (span.lo, span.hi);
        let end = self.span(&pair).hi;
        let next = self.tokens_in(Span { lo: end, ..span }).first().map(|token| token.text(self.text));
        let keep = match pair.as_rule() {
            Rule::snapshot_stmt | Rule::fallback_stmt | Rule::tier_stmt => true,
            Rule::when_stmt => matches!(next, Some("and" | "or")),
            _ => false,
        };
        let findings = self.findings.len();
        let saved = keep.then(|| self.rule_stmt(pair)).flatten();
        self.findings.truncate(findings);
        (self.base, self.limit) = (base, limit);
        saved.filter(|stmt| !matches!(stmt.kind, RuleStmtKind::Setting(_)))
    }

    /// An option of a hop that did not parse.
    pub fn bad_option<T>(&mut self, span: Span, word: &Name) -> Option<T> {
        self.explain(span, Rule::strict_hop_opt, &word.node, Place::Hop)
    }

    /// A line of a tier that did not parse, or is no member.
    pub fn bad_tier_line(&mut self, span: Span) -> Option<TierLine> {
        let first = self.tokens_in(span).first().map(|token| token.kind);
        let Some(word) = self.first_word(span) else {
            let what = if first == Some(TokenKind::Model) { "a member" } else { "this line" };
            return self.explain(span, Rule::strict_member, what, Place::Tier);
        };
        match word.node.as_str() {
            "candidate" => self.explain(span, Rule::strict_member, "candidate", Place::Tier),
            "requires" => self.explain(span, Rule::strict_requires, "requires", Place::Tier),
            _ if self.tokens_in(span).len() == 1 && !self.is_said(span) => {
                let finding = Diagnostic::new(&R001, span, format!("`{}` is no model", word.node))
                    .here("a model is written `provider/id`")
                    .help(format!("write the provider in front: `PROVIDER/{}`", word.node));
                self.findings.push(finding);
                None
            }
            _ => self.unknown(&word, Place::Tier),
        }
    }

    /// A statement of any other block that did not parse.
    pub fn bad_block_stmt(&mut self, span: Span, place: Place<'_>) -> Option<BlockStmt> {
        let Some(word) = self.first_word(span) else { return self.no_word(span, place) };
        if !self.is_known(&word.node, place) {
            return self.unknown(&word, place);
        }
        let second = self.tokens_in(span).get(1).map(|token| token.text(self.text));
        let strict = match (word.node.as_str(), second) {
            ("covers" | "where" | "for", _) | ("halt" | "on" | "off", Some("when")) => Rule::strict_cond_setting,
            _ => Rule::strict_setting,
        };
        self.explain(span, strict, &word.node, place)
    }

    /// A statement of a test that did not parse.
    pub fn bad_test_stmt(&mut self, span: Span) -> Option<TestStmtKind> {
        let Some(word) = self.first_word(span) else { return self.no_word(span, Place::Test) };
        let strict = match word.node.as_str() {
            "given" => Rule::strict_given,
            "request" => Rule::strict_request,
            "expect" => Rule::strict_expect,
            "table" => Rule::strict_table,
            _ => return self.unknown(&word, Place::Test),
        };
        self.explain(span, strict, &word.node, Place::Test)
    }

    /// A row of a table that did not parse.
    pub fn bad_row(&mut self, span: Span) {
        self.explain::<()>(span, Rule::strict_row, "a row", Place::Test);
    }

    /// A declaration that did not parse.
    pub fn bad_item(&mut self, span: Span) {
        let Some(word) = self.first_word(span) else {
            self.no_word::<()>(span, Place::File);
            return;
        };
        let option = matches!(word.node.as_str(), "from" | "default") && self.is_behind_comma(span);
        match item_form(&word.node) {
            None if option => self.explain::<()>(span, Rule::strict_attr_opt, &word.node, Place::File),
            Some(strict) => self.explain::<()>(span, strict, &word.node, Place::File),
            None => self.unknown(&word, Place::File),
        };
    }

    /// Whether what stands there continues a line.
    fn is_behind_comma(&self, span: Span) -> bool {
        let line = self.text[..span.lo as usize].rfind('\n').map_or(0, |at| at + 1);
        self.text[line..span.lo as usize].trim_end().ends_with(',')
    }

    /// A declaration whose first line is wrong up to its brace.
    pub fn bad_head(&mut self, span: Span) {
        let word = self.slice(self.keyword(span)).to_owned();
        let strict = item_form(&word).unwrap_or(Rule::strict_decl);
        self.explain::<()>(span, strict, &word, Place::File);
    }

    /// Text behind a closing brace.
    pub fn trailing(&mut self, span: Span) {
        let finding = Diagnostic::new(&R001, span, "unexpected text behind `}`")
            .here("a declaration ends at its closing brace")
            .help("begin it on a line of its own");
        self.findings.push(finding);
    }

    fn no_word<T>(&mut self, span: Span, place: Place<'_>) -> Option<T> {
        if self.is_said(span) {
            return None;
        }
        let Some(token) = self.tokens_in(span).first().copied() else {
            return self.error(span, "nothing is written here", "");
        };
        let what = if place == Place::File { "a declaration" } else { "a statement" };
        let at = Span { lo: token.lo, hi: token.hi, ..span };
        let message = format!("{what} cannot begin with {}", shown(&token, self.text));
        self.error(at, message, format!("{what} begins with a word that says what it is"))
    }

    /// Parses the slice strictly, and says where that stopped.
    fn explain<T>(&mut self, span: Span, strict: Rule, what: &str, place: Place<'_>) -> Option<T> {
        if self.is_said(span) {
            return None;
        }
        let (at, rules) = match RouteParser::parse(strict, self.slice(span)) {
            Ok(pairs) => (pairs.as_str().len() as u32, vec![Rule::EOI]),
            Err(error) => {
                let at = match error.location {
                    InputLocation::Pos(at) | InputLocation::Span((at, _)) => at as u32,
                };
                match error.variant {
                    ErrorVariant::ParsingError { positives, .. } => (at, positives),
                    ErrorVariant::CustomError { .. } => (at, vec![]),
                }
            }
        };
        let found = self.tokens_in(span).iter().find(|token| token.hi > span.lo + at).copied();
        let what = if what.contains(' ') { what.to_owned() } else { format!("`{what}`") };
        let marks = strict != Rule::strict_group;
        if let Some(finding) = found.filter(|_| marks).and_then(|found| self.punctuation(&found, span)) {
            self.findings.push(finding);
            return None;
        }
        let (message, here) = match found {
            Some(found) => (
                format!("{what} does not go on with {}", shown(&found, self.text)),
                Span { lo: found.lo, hi: found.hi, ..span },
            ),
            None => (format!("{what} ends too early"), Span { lo: span.hi, ..span }),
        };
        let upto = Span { hi: (span.lo + at).max(span.lo), ..span };
        let before = self.tokens_in(upto).last().map_or("", |token| token.text(self.text));
        let offered = match (strict, rules.as_slice()) {
            (Rule::strict_attribute, [Rule::unit]) => "a range such as `0..100`".to_owned(),
            (_, rules) => words::expected(rules, before),
        };
        let mut finding = Diagnostic::new(&R001, here, message);
        if !offered.is_empty() {
            finding = finding.here(format!("expected {offered}"));
        }
        let word = what.trim_matches('`');
        if let Some(form) = statements::form(place, word) {
            finding = finding.help(format!("the form is {form}"));
        }
        self.findings.push(finding);
        None
    }

    /// Marks other languages write here.
    fn punctuation(&self, found: &Token, statement: Span) -> Option<Diagnostic> {
        let span = Span { lo: found.lo, hi: found.hi, ..statement };
        let text = found.text(self.text);
        let delete = |finding: Diagnostic| finding.fix(true, format!("delete `{text}`"), span, "");
        match (found.kind, text) {
            (TokenKind::Equals, _) => Some(delete(
                Diagnostic::new(&R009, span, "`=` is not an operator of this language")
                    .here("a word and its value stand side by side")
                    .help("delete `=`"),
            )),
            (TokenKind::Foreign, "==") => Some(foreign_operator(span, text, "is", self.text)),
            (TokenKind::Foreign, "!=") => Some(foreign_operator(span, text, "is not", self.text)),
            (TokenKind::Foreign, "&&") => Some(foreign_operator(span, text, "and", self.text)),
            (TokenKind::Foreign, "||") => Some(foreign_operator(span, text, "or", self.text)),
            (TokenKind::Foreign, _) => Some(foreign_operator(span, text, "not", self.text)),
            (TokenKind::Unknown, ";") => Some(delete(
                Diagnostic::new(&R001, span, "there are no semicolons")
                    .here("a statement ends with its line")
                    .help("delete `;`"),
            )),
            (TokenKind::Unknown, ":") => Some(delete(
                Diagnostic::new(&R001, span, "there are no colons")
                    .here("a word and its value stand side by side")
                    .help("delete `:`"),
            )),
            (TokenKind::Time, _) if text.len() < 5 => {
                let (hour, minute) = text.split_once(':').unwrap_or((text, "00"));
                let full = format!("{hour:0>2}:{minute:0>2}");
                Some(
                    Diagnostic::new(&R001, span, format!("`{text}` is no time of day"))
                        .here("a time has two digits on each side")
                        .help(format!("write `{full}`"))
                        .fix(true, format!("replace `{text}` by `{full}`"), span, full),
                )
            }
            (TokenKind::Unknown, "\r") => Some(
                Diagnostic::new(&R001, span, "a carriage return without a line feed")
                    .here("lines end in a line feed, with or without a carriage return before it")
                    .help("save the file with line ends of the kind LF"),
            ),
            _ => None,
        }
    }
}

/// A token as a message shows it.
fn shown(token: &Token, text: &str) -> String {
    const LONGEST: usize = 32;
    let text = token.text(text);
    match token.kind {
        TokenKind::Text | TokenKind::UnclosedText if text.chars().count() > LONGEST => "this text".to_owned(),
        _ if text.chars().count() > LONGEST => format!("`{}…`", text.chars().take(LONGEST).collect::<String>()),
        _ if text.chars().any(|c| c.is_control()) => format!("`{}`", text.escape_debug()),
        _ => format!("`{text}`"),
    }
}

/// The strict form of the statement a word begins in a rule.
fn rule_form(word: &str) -> Option<Rule> {
    Some(match word {
        "when" => Rule::strict_when,
        "because" => Rule::strict_because,
        "tier" => Rule::strict_tier_stmt,
        "snapshot" => Rule::strict_snapshot,
        "fallback" => Rule::strict_fallback,
        "ladder" => Rule::strict_ladder_stmt,
        "degrade" => Rule::strict_degrade,
        "reject" => Rule::strict_reject,
        "cache" | "no" => Rule::strict_cache,
        "shadow" => Rule::strict_shadow,
        "guard" => Rule::strict_guard,
        "hold" => Rule::strict_hold,
        "on" => Rule::strict_cut,
        _ => return None,
    })
}

/// The strict form of the declaration a word begins.
fn item_form(word: &str) -> Option<Rule> {
    Some(match word {
        "route" => Rule::strict_version,
        "use" => Rule::strict_use,
        "evals" | "tenants" => Rule::strict_from,
        "plans" => Rule::strict_names,
        "define" => Rule::strict_define,
        "attribute" => Rule::strict_attribute,
        "group" | "residency" => Rule::strict_group,
        "template" => Rule::strict_template,
        "given" => Rule::strict_given,
        "tier" => Rule::strict_tier,
        "ladder" => Rule::strict_ladder,
        "rule" => Rule::strict_rule,
        "otherwise" => Rule::strict_otherwise,
        "test" => Rule::strict_test,
        "property" => Rule::strict_property,
        _ if statements::NAMELESS.contains(&word) => Rule::strict_nameless,
        _ if statements::DECLARATIONS.contains(&word) => Rule::strict_decl,
        _ => return None,
    })
}
