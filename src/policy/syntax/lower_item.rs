//! Declarations (sections 3.1, 3.2, 3.5): pairs to [`Item`]s.
//!
//! In: the pairs of one piece. Out: items, and names of what broke. Must not know: what is declared elsewhere.

use super::grammar::{Pair, Rule};
use super::lower::Lower;
use super::statements::{DECLARATIONS, NAMELESS, Place, known};
use crate::policy::ast::{
    Attribute, AttributeDomain, AttributeSource, Block, BlockStmt, BrokenDecl, File, Item, ItemKind, Name, Setting,
    TemplateBody, Tier,
};
use crate::policy::lexer::{Token, TokenKind};
use crate::policy::source::{Span, Spanned};

impl Lower<'_> {
    /// Every declaration of one piece.
    pub fn items(&mut self, piece: Pair<'_>, file: &mut File) {
        for pair in piece.into_inner() {
            let span = self.span(&pair);
            match pair.as_rule() {
                Rule::EOI => {}
                Rule::trailing => {
                    if !self.is_said(span) {
                        self.trailing(span);
                    }
                }
                Rule::bad_item => {
                    self.bad_item(span);
                    self.broken_at(span, file);
                    file.items.push(Item { span, kind: ItemKind::Bad });
                }
                _ => {
                    let kind = self.or_bug(&pair.clone(), |lower| lower.item(pair));
                    if kind.is_none() {
                        self.broken_at(span, file);
                    }
                    file.items.push(Item { span, kind: kind.unwrap_or(ItemKind::Bad) });
                }
            }
        }
    }

    /// Remembers the name a broken declaration would have declared, if its first two words say one.
    pub fn broken_at(&mut self, span: Span, file: &mut File) {
        if let [kind, name, ..] = self.tokens_in(span) {
            let text = |token: &Token| token.text(self.text).to_owned();
            let place = Span { lo: name.lo, hi: name.hi, ..span };
            if name.kind == TokenKind::Word {
                file.broken.push(BrokenDecl { kind: text(kind), name: Spanned { node: text(name), span: place } });
            }
        }
    }

    fn item(&mut self, pair: Pair<'_>) -> Option<ItemKind> {
        let rule = pair.as_rule();
        let whole = pair.clone();
        let mut parts = pair.into_inner();
        match rule {
            Rule::version => Some(ItemKind::Version(self.int(&parts.nth(1)?)?)),
            Rule::use_item => Some(ItemKind::Use(self.string(&parts.nth(1)?)?)),
            Rule::from_item => {
                let what = self.name(&parts.next()?);
                Some(ItemKind::FactsFrom { what, path: self.string(&parts.nth(1)?)? })
            }
            Rule::names_item => Some(ItemKind::Plans(self.list(parts.nth(1)?)?)),
            Rule::define_item => {
                let name = self.name(&parts.nth(1)?);
                Some(ItemKind::Define { name, cond: self.cond(parts.nth(1)?)? })
            }
            Rule::attribute_item => self.attribute(parts.skip(1)),
            Rule::group_item => {
                let (kind, name) = (self.name(&parts.next()?), self.name(&parts.next()?));
                Some(ItemKind::Group { kind, name, members: self.list(parts.nth(1)?)? })
            }
            Rule::template_item => {
                let name = self.name(&parts.nth(1)?);
                let text = parts.next()?;
                let body = match text.as_rule() {
                    Rule::KW_FROM => TemplateBody::File(self.string(&parts.next()?)?),
                    _ => TemplateBody::Text(self.string(&text)?),
                };
                Some(ItemKind::Template { name, body })
            }
            Rule::given_item => Some(ItemKind::Given(self.given(parts.nth(1)?)?)),
            _ => self.block_item(whole),
        }
    }

    /// A declaration with a body. A broken head is one diagnostic, and the body is read all the same.
    fn block_item(&mut self, pair: Pair<'_>) -> Option<ItemKind> {
        let (span, rule) = (self.span(&pair), pair.as_rule());
        let word = self.keyword(span);
        let mut head = Head::default();
        let mut kind = None;
        for part in pair.clone().into_inner() {
            match part.as_rule() {
                Rule::kind => head.kind = Some(self.name(&part)),
                Rule::name => head.name = Some(self.name(&part)),
                Rule::string => head.title = Some(self.string(&part)?),
                Rule::KW_SPECIALIZED => head.specialized = Some(self.span(&part)),
                Rule::junk => head.junk = true,
                Rule::rule_body | Rule::tier_body | Rule::block | Rule::test_body => {
                    let open = self.span(&part).lo;
                    let sound = self.head(&head, rule, Span { hi: open + 1, ..span });
                    kind = self.body(part, rule, head, word).filter(|_| sound);
                    break;
                }
                _ => {}
            }
        }
        kind
    }

    /// Judges what stands before the opening brace; `true` when it is whole.
    fn head(&mut self, head: &Head, rule: Rule, span: Span) -> bool {
        let nameless = match rule {
            Rule::otherwise_item => true,
            Rule::test_item | Rule::property_item => head.title.is_some(),
            Rule::decl_item => head.kind.as_ref().is_some_and(|kind| NAMELESS.contains(&kind.node.as_str())),
            _ => false,
        };
        if !head.junk && (nameless || head.name.is_some()) {
            return true;
        }
        let unknown = head.kind.as_ref().is_some_and(|kind| !DECLARATIONS.contains(&kind.node.as_str()));
        if !self.is_said(span) && !unknown {
            self.bad_head(span);
        }
        false
    }

    fn body(&mut self, pair: Pair<'_>, rule: Rule, head: Head, word: Span) -> Option<ItemKind> {
        let name = head.name;
        match rule {
            Rule::rule_item => {
                let body = self.rule_body(pair);
                Some(ItemKind::Rule { name: name?, body })
            }
            Rule::ladder_item => {
                let body = self.rule_body(pair);
                Some(ItemKind::Ladder { name: name?, body })
            }
            Rule::otherwise_item => Some(ItemKind::Otherwise { keyword: word, body: self.rule_body(pair) }),
            Rule::tier_item => {
                let (lines, broken) = self.tier_body(pair);
                Some(ItemKind::Tier(Tier { name: name?, specialized: head.specialized, lines, broken }))
            }
            Rule::test_item => {
                let body = self.test_body(pair);
                Some(ItemKind::Test { name: head.title?, body })
            }
            Rule::property_item => {
                let body = self.block(pair, Place::Block("property"));
                Some(ItemKind::Property { name: head.title?, body })
            }
            _ => {
                let kind = head.kind?;
                if !DECLARATIONS.contains(&kind.node.as_str()) {
                    return self.unknown(&kind, Place::File);
                }
                let body = self.block(pair, Place::Block(&kind.node));
                Some(ItemKind::Decl { kind, name, body })
            }
        }
    }

    fn attribute<'p>(&mut self, mut parts: impl Iterator<Item = Pair<'p>>) -> Option<ItemKind> {
        let name = self.name(&parts.next()?);
        let (mut domain, mut sources, mut default) = (None, vec![], None);
        for part in parts {
            match part.as_rule() {
                Rule::KW_IS => {}
                Rule::attr_type => {
                    let span = self.span(&part);
                    domain = Some(Spanned { node: self.attribute_domain(part)?, span });
                }
                Rule::attr_opt => {
                    let mut option = part.into_inner();
                    let word = option.next()?;
                    let operand = option.next()?;
                    if word.as_rule() == Rule::KW_DEFAULT {
                        default = Some(self.inner_value(operand)?);
                    } else {
                        sources.push(AttributeSource { kind: self.name(&operand), key: self.string(&option.next()?)? });
                    }
                }
                _ => return self.bug(&part),
            }
        }
        Some(ItemKind::Attribute(Attribute { name, domain: domain?, sources, default }))
    }

    fn attribute_domain(&mut self, pair: Pair<'_>) -> Option<AttributeDomain> {
        let whole = pair.clone();
        let mut parts = pair.into_inner();
        match parts.next()?.as_rule() {
            Rule::KW_ONE => Some(AttributeDomain::OneOf(self.list(parts.nth(1)?)?)),
            Rule::KW_NUMBER => Some(AttributeDomain::Number(self.value(parts.next()?)?)),
            Rule::KW_YES => Some(AttributeDomain::YesOrNo),
            Rule::KW_TEXT => Some(AttributeDomain::Text),
            _ => self.bug(&whole),
        }
    }

    /// `{ settings }`
    pub fn block(&mut self, pair: Pair<'_>, place: Place<'_>) -> Block {
        let mut block = Block { span: Some(self.span(&pair)), ..Block::default() };
        for part in pair.into_inner() {
            let span = self.span(&part);
            let stmt = match part.as_rule() {
                Rule::open | Rule::close => continue,
                Rule::bad_stmt => self.bad_block_stmt(span, place),
                Rule::setting => self.setting(part, place).map(BlockStmt::Setting),
                Rule::cond_setting => self.cond_setting(part, place),
                _ => self.bug(&part),
            };
            block.broken |= stmt.is_none();
            block.stmts.extend(stmt);
        }
        block
    }

    fn cond_setting(&mut self, pair: Pair<'_>, place: Place<'_>) -> Option<BlockStmt> {
        let mut parts = pair.into_inner();
        let key = self.name(&parts.next()?);
        // `on   when` and `on when` are the same key.
        let key = Name { node: key.node.split_whitespace().collect::<Vec<_>>().join(" "), ..key };
        let first =
            Name { node: key.node.split(' ').next().unwrap_or_default().to_owned(), span: self.keyword(key.span) };
        if !self.is_known(&first.node, place) {
            return self.unknown(&first, place);
        }
        let cond = self.cond(parts.next()?)?;
        Some(BlockStmt::Cond { key, cond })
    }

    /// `key value*`, when the key is known there and has a value.
    pub fn setting(&mut self, pair: Pair<'_>, place: Place<'_>) -> Option<Setting> {
        let span = self.span(&pair);
        let mut parts = pair.into_inner();
        let key = self.name(&parts.next()?);
        if !self.is_known(&key.node, place) {
            return self.unknown(&key, place);
        }
        if matches!(place, Place::Hop | Place::Promise) && known(Place::Hop).contains(&key.node.as_str()) {
            // It would have been an option of the hop, had it parsed as one.
            return self.bad_option(span, &key);
        }
        let values = self.values(parts)?;
        if values.is_empty() {
            return self.error(key.span, format!("`{}` has no value", key.node), "expected a value after this word");
        }
        Some(Setting { span, key, values })
    }
}

/// What stands before the opening brace.
#[derive(Default)]
struct Head {
    kind: Option<Name>,
    name: Option<Name>,
    title: Option<Spanned<String>>,
    specialized: Option<Span>,
    junk: bool,
}
