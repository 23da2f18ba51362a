//! What stands behind a word.
//!
//! In: a place. Out: Markdown. Must not know: messages. A model shows its row of the catalog and whether it may stand there; a
//! rule shows a request that reaches it and what happens to that, told by the same functions as `wayside explain`.

use std::fmt::Write as _;

use gen_lsp_types::{Contents, Hover, MarkupContent, MarkupKind};
use jiff::civil::Date;

use super::context::Context;
use super::diagnostics::witness_text;
use super::set::Set;
use super::state::{Spot, State};
use super::symbols::{Kind, Mention};
use crate::catalog::fields;
use crate::names::ModelRef;
use crate::policy::ast::{ItemKind, Model};
use crate::policy::check::models::judge;
use crate::policy::checked::RuleId;
use crate::policy::diagnostic::{CODES, Witness};
use crate::policy::explain::{ask, explain, pages};
use crate::policy::lexer::{self, TokenKind};
use crate::policy::source::Span;
use crate::policy::suppress::is_code;
use crate::policy::syntax::statements;

/// Lines of a declaration that are shown.
const MAX_LINES: usize = 14;

/// The card for a place.
pub fn hover(state: &State, spot: &Spot) -> Option<Hover> {
    let card = allowed_code(spot).or_else(|| rule_name(state, spot)).or_else(|| named(state, spot));
    let (span, value) = card.or_else(|| statement(spot))?;
    Some(Hover {
        contents: Contents::MarkupContent(MarkupContent { kind: MarkupKind::Markdown, value }),
        range: Some(spot.set.range(span, state.documents.encoding)),
    })
}

/// The word of a `# allow` comment under the cursor, if it is a code.
fn allowed_code(spot: &Spot) -> Option<(Span, String)> {
    let text = spot.set.text(spot.file);
    let tokens = lexer::lex(spot.file, text, &mut Vec::new())?;
    let at = tokens.partition_point(|token| token.lo <= spot.offset).checked_sub(1)?;
    let comment = tokens.get(at).filter(|token| token.kind == TokenKind::Comment && spot.offset <= token.hi)?;
    let body = comment.text(text).trim_start_matches('#').trim_start();
    if !body.starts_with("allow") {
        return None;
    }
    let (lo, hi) = Context::at(text, spot.offset).typed;
    let word = text.get(lo as usize..hi as usize)?;
    let code = CODES.iter().find(|code| is_code(code, word))?;
    let page = pages::page(code.code).map(str::to_owned);
    let value = page.unwrap_or_else(|| format!("**{} {}** ({})", code.code, code.name, code.level.word()));
    Some((Span { file: spot.file, lo, hi }, value))
}

/// A rule by its name, where it is declared or used; `otherwise` by its word.
fn rule_name(state: &State, spot: &Spot) -> Option<(Span, String)> {
    let symbols = spot.set.symbols();
    let (span, name) = match symbols.at(spot.file, spot.offset) {
        Some(mention) if mention.kind == Kind::Rule => (mention.span, mention.name.clone()),
        Some(_) => return None,
        None => match &spot.set.item(spot.file, spot.offset)?.kind {
            ItemKind::Otherwise { keyword, .. } if spot.offset <= keyword.hi => (*keyword, "otherwise".to_owned()),
            _ => return None,
        },
    };
    // A test names rules of the policy it uses, which is a set of its own.
    let declared = symbols.declaration(Kind::Rule, &name).map(|one| spot.set.path(one.span.file));
    let set = declared.and_then(|path| state.set_of(&path)).unwrap_or(&spot.set);
    let checked = set.checked.as_ref()?;
    let at = checked.rules.iter().position(|rule| *rule.name == *name)?;
    Some((span, rule_card(set, RuleId(at as u32), state.how.today)))
}

/// What a rule is for, who reaches it, and what they get.
pub fn rule_card(set: &Set, id: RuleId, today: Date) -> String {
    let mut card = String::new();
    let Some(rule) = set.checked.as_ref().and_then(|checked| checked.rules.get(id.index())) else { return card };
    let title = if &*rule.name == "otherwise" { "otherwise".to_owned() } else { format!("rule {}", rule.name) };
    let _ = writeln!(card, "**{title}**");
    if let Some(because) = &rule.because {
        let _ = writeln!(card, "\n{because}");
    }
    let wants = rule.when_span.map_or("every request that no rule above takes".to_owned(), |span| {
        format!("requests with `{}`", set.sources.text(span).split_whitespace().collect::<Vec<_>>().join(" "))
    });
    let Some(reach) = set.reach(id) else {
        let _ = writeln!(card, "\nwants {wants}; no request is known to reach it");
        return card;
    };
    let _ = writeln!(card, "\nreached by {wants}, e.g. `{}`", witness_text(&reach.witness));
    if let Some(text) = explanation(set, &reach.witness, today) {
        let _ = write!(card, "\n```text\n{}\n```\n", text.trim_end());
    }
    card
}

/// What `wayside explain` says about a witness, without the rules passed over.
pub fn explanation(set: &Set, witness: &Witness, today: Date) -> Option<String> {
    let tree = set.tree.as_ref()?;
    let pairs: Vec<(String, String)> = witness.request.iter().chain(&witness.readings).cloned().collect();
    let asked = ask(tree, &set.catalog, today, &pairs).ok()?;
    let text = explain(tree, &asked).human(&set.sources);
    Some(text.split("\npassed over").next().unwrap_or(&text).to_owned())
}

/// How the statement under its first word is written.
fn statement(spot: &Spot) -> Option<(Span, String)> {
    let text = spot.set.text(spot.file);
    let context = Context::at(text, spot.offset);
    let (lo, hi) = context.typed;
    let word = text.get(lo as usize..hi as usize).filter(|_| context.words.is_empty())?;
    let place = match context.block() {
        None => statements::Place::File,
        Some("tier") => statements::Place::Tier,
        Some("test") => statements::Place::Test,
        Some(_) if context.in_rule() => statements::Place::Rule,
        Some(kind) => statements::Place::Block(kind),
    };
    statements::known(place).iter().find(|known| **known == word)?;
    Some((Span { file: spot.file, lo, hi }, statements::form(place, word)?.to_owned()))
}

fn named(state: &State, spot: &Spot) -> Option<(Span, String)> {
    let mention = spot.set.symbols().at(spot.file, spot.offset)?;
    let value = match mention.kind {
        Kind::Model => model_card(state, &spot.set, &mention.name)?,
        _ => declaration_card(&spot.set, mention)?,
    };
    Some((mention.span, value))
}

/// The row of the catalog, and the verdict on the id.
pub fn model_card(state: &State, set: &Set, name: &str) -> Option<String> {
    let model = ModelRef::parse(name)?;
    let mut card = format!("**{name}**\n");
    let literal = Model {
        span: Span { file: crate::policy::source::FileId(0), lo: 0, hi: 0 },
        provider: model.provider.to_string(),
        id: model.id.to_string(),
    };
    let today = state.how.today;
    match judge(&set.catalog, &literal, today, true) {
        None => card.push_str("\npinned: one fixed model\n"),
        Some(found) => {
            let _ = writeln!(card, "\n{} ({})", found.message, found.code.code);
            found.notes.iter().chain(&found.help).for_each(|line| {
                let _ = writeln!(card, "\n{line}");
            });
        }
    }
    if let Some(tier) = tier_of(set, name) {
        let _ = writeln!(card, "\nin tier `{tier}`");
    }
    let Some(entry) = set.catalog.facts(&model.provider, &model.id) else { return Some(card) };
    if let Some(days) = entry.days_left(today) {
        let _ = writeln!(card, "\nends in {days} {}", if days == 1 { "day" } else { "days" });
    }
    card.push_str("\n| | |\n|---|---|\n");
    for (field, value) in fields::of(&entry) {
        let _ = writeln!(card, "| {field} | {} |", value.replace('|', "\\|"));
    }
    let _ = writeln!(card, "\nfacts of {}", set.catalog.as_of());
    Some(card)
}

/// The tier that has a model, by what is written.
pub fn tier_of<'s>(set: &'s Set, model: &str) -> Option<&'s str> {
    let declared = set.symbols().declaration(Kind::Model, model)?;
    let item = set.item(declared.span.file, declared.span.lo)?;
    match &item.kind {
        ItemKind::Tier(tier) => Some(&tier.name.node),
        _ => None,
    }
}

/// A declaration as it is written, and how often it is used.
fn declaration_card(set: &Set, mention: &Mention) -> Option<String> {
    let symbols = set.symbols();
    let declared = symbols.declaration(mention.kind, &mention.name)?;
    let (word, whole) = declared.declares?;
    let uses = symbols.all(mention.kind, &mention.name).filter(|one| one.declares.is_none()).count();
    let times = if uses == 1 { "once".to_owned() } else { format!("{uses} times") };
    let mut card = format!("**{word} {}**, used {times}\n", mention.name);
    // A plan is declared by a list; the list says nothing more than its members.
    let whole = if mention.kind == Kind::Plan { set.item(whole.file, whole.lo)?.span } else { whole };
    let text = set.sources.text(whole);
    let shown: Vec<&str> = text.lines().take(MAX_LINES).collect();
    let more = if text.lines().count() > MAX_LINES { "\n  # …" } else { "" };
    let _ = write!(card, "\n```route\n{}{more}\n```\n", shown.join("\n"));
    Some(card)
}
