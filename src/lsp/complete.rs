//! Completion: what may be typed, looked up in the set.
//!
//! In: a place. Out: items that replace the word being typed. Must not know: messages. Of models only pinned snapshots that
//! serve today are offered, with tier, price and days to their end: what somebody needs to know to choose one.

use std::path::Path;

use gen_lsp_types::{CompletionItem, CompletionItemKind, CompletionItemTextEdit, CompletionList, Range, TextEdit};
use jiff::civil::Date;

use super::context::Context;
use super::hover::tier_of;
use super::offers::{Offer, offers};
use super::set::Set;
use super::state::{Spot, State};
use super::symbols::Kind;
use crate::catalog::{Entry, Kind as ModelKind, Life, Pin};
use crate::failure::Failure;
use crate::files;
use crate::policy::ast::{AttributeDomain, BlockStmt, Item, ItemKind, RuleStmtKind, TierName, Value, ValueKind};
use crate::policy::checked::{Endpoint, Modality, Stakes};
use crate::policy::diagnostic::CODES;
use crate::policy::lexer::MAX_FILE_BYTES;
use crate::policy::resolve::built_in_names;
use crate::policy::syntax::statements;

/// Items of one answer; with more, the editor asks again as the word gets longer.
pub const MAX_ITEMS: usize = 200;

/// What may be typed at a place.
pub fn complete(state: &State, spot: &Spot) -> CompletionList {
    let text = spot.set.text(spot.file);
    let context = Context::at(text, spot.offset);
    let (lo, hi) = context.typed;
    let encoding = state.documents.encoding;
    let range = spot.set.lines(spot.file).range(text, lo as usize, hi as usize, encoding);
    let typed = text.get(lo as usize..spot.offset as usize).unwrap_or("").to_lowercase();
    let mut desk = Desk { spot, today: state.how.today, typed: &typed, range, items: Vec::new() };
    for offer in offers(&context) {
        desk.offer(offer);
    }
    let is_incomplete = desk.items.len() > MAX_ITEMS;
    desk.items.truncate(MAX_ITEMS);
    CompletionList { is_incomplete, items: desk.items, ..CompletionList::default() }
}

struct Desk<'a> {
    spot: &'a Spot,
    today: Date,
    /// The word so far, lower case.
    typed: &'a str,
    range: Range,
    items: Vec<CompletionItem>,
}

impl Desk<'_> {
    fn set(&self) -> &Set {
        &self.spot.set
    }

    fn add(&mut self, label: &str, kind: CompletionItemKind, detail: Option<String>) {
        if !label.to_lowercase().contains(self.typed) || self.items.iter().any(|item| item.label == label) {
            return;
        }
        let edit = TextEdit { range: self.range, new_text: label.to_owned() };
        self.items.push(CompletionItem {
            label: label.to_owned(),
            kind: Some(kind),
            detail,
            sort_text: Some(format!("{:04}", self.items.len())),
            filter_text: Some(label.to_owned()),
            text_edit: Some(CompletionItemTextEdit::TextEdit(edit)),
            ..CompletionItem::default()
        });
    }

    fn words(&mut self, words: &[&str], kind: CompletionItemKind) {
        words.iter().for_each(|word| self.add(word, kind, None));
    }

    fn offer(&mut self, offer: Offer<'_>) {
        match offer {
            Offer::Words(words) => self.words(words, CompletionItemKind::Keyword),
            Offer::Statements(place) => self.statements(place),
            Offer::Names(kind) => self.names(kind),
            Offer::Models => self.models(),
            Offer::Subjects => {
                self.names(Kind::Subject);
                built_in_names()
                    .for_each(|name| self.add(name, CompletionItemKind::Property, Some("of every request".to_owned())));
            }
            Offer::Values(subject) => self.values(subject),
            Offer::Failures => {
                let words = Failure::ALL
                    .iter()
                    .filter(|failure| **failure != Failure::BadRequest)
                    .map(|failure| failure.word());
                self.words(&words.collect::<Vec<_>>(), CompletionItemKind::EnumMember);
            }
            Offer::Regions => {
                let catalog = std::sync::Arc::clone(&self.spot.set.catalog);
                self.words(&catalog.regions(), CompletionItemKind::EnumMember);
            }
            Offer::Providers => {
                let catalog = std::sync::Arc::clone(&self.spot.set.catalog);
                self.words(&catalog.providers(), CompletionItemKind::Module);
            }
            Offer::Files => self.files(),
            Offer::Codes => {
                CODES
                    .iter()
                    .for_each(|code| self.add(code.name, CompletionItemKind::EnumMember, Some(code.code.to_owned())));
            }
        }
    }

    fn statements(&mut self, place: statements::Place<'_>) {
        for word in statements::known(place) {
            self.add(
                word,
                CompletionItemKind::Keyword,
                statements::form(place, word).map(|form| form.replace('`', "")),
            );
        }
    }

    fn names(&mut self, kind: Kind) {
        let set = std::rc::Rc::clone(&self.spot.set);
        for one in set.symbols().declared(kind) {
            let detail = one.declares.map(|(word, _)| word.to_owned());
            self.add(&one.name, CompletionItemKind::Variable, detail);
        }
    }

    /// Pinned snapshots in service: those of the rule's own tier first, then those of other tiers, then the rest.
    fn models(&mut self) {
        let set = std::rc::Rc::clone(&self.spot.set);
        let promised = promised(&set, self.spot);
        let usable = |entry: &&Entry| {
            let pinned = entry.kind == ModelKind::Snapshot && entry.pin != Pin::Moving && !entry.unverified;
            pinned && entry.life(self.today) == Life::Serving
        };
        let mut rows: Vec<(usize, String, String)> = Vec::new();
        for entry in set.catalog.entries().filter(usable) {
            let name = entry.name();
            if !name.to_lowercase().contains(self.typed) {
                continue;
            }
            let tier = tier_of(&set, &name);
            let rank = match tier {
                Some(tier) if Some(tier) == promised => 0,
                Some(_) => 1,
                None => 2,
            };
            rows.push((rank, card_line(entry, tier, self.today), name));
        }
        rows.sort_by(|a, b| (a.0, &a.2).cmp(&(b.0, &b.2)));
        rows.truncate(MAX_ITEMS + 1);
        for (_, detail, name) in rows {
            self.add(&name, CompletionItemKind::Constant, Some(detail));
        }
    }

    fn values(&mut self, subject: &str) {
        let member = CompletionItemKind::EnumMember;
        match subject {
            "plan" => self.names(Kind::Plan),
            "feature" => self.names(Kind::Feature),
            "tenant" => {
                self.names(Kind::Tenant);
                self.words(&["other"], member);
            }
            "residency" => {
                self.names(Kind::Residency);
                self.words(&["anywhere"], member);
            }
            "requested_tier" => {
                self.names(Kind::Tier);
                self.words(&["none"], member);
            }
            "requested_model" => self.models(),
            "region" => self.offer(Offer::Regions),
            "endpoint" => self.words(&Endpoint::ALL.map(Endpoint::word), member),
            "modality" => self.words(&Modality::ALL.map(Modality::word), member),
            "stakes" => self.words(&[Stakes::Low, Stakes::Normal, Stakes::High].map(Stakes::word), member),
            "priority" => self.words(&["interactive", "batch"], member),
            "day" => self.words(&["mon", "tue", "wed", "thu", "fri", "sat", "sun", "weekdays", "weekend"], member),
            _ => self.declared_values(subject),
        }
    }

    /// Values that a declaration lists: of an attribute, a classifier, a budget.
    fn declared_values(&mut self, subject: &str) {
        let member = CompletionItemKind::EnumMember;
        let set = std::rc::Rc::clone(&self.spot.set);
        let item = |kind| set.symbols().declaration(kind, subject).and_then(|one| set.item(one.span.file, one.span.lo));
        match item(Kind::Subject).map(|item| &item.kind) {
            Some(ItemKind::Attribute(attribute)) => match &attribute.domain.node {
                AttributeDomain::OneOf(values) => self.words(&words_of(values), member),
                AttributeDomain::YesOrNo => self.words(&["yes", "no"], member),
                _ => {}
            },
            Some(ItemKind::Decl { kind, body, .. }) if kind.node == "classifier" => {
                for stmt in &body.stmts {
                    if let BlockStmt::Setting(setting) = stmt
                        && setting.key.node == "labels"
                    {
                        self.words(&words_of(&setting.values), member);
                    }
                }
                self.words(&["unsure"], member);
            }
            Some(ItemKind::Decl { .. }) => self.words(&["on", "off"], member),
            _ if item(Kind::Budget).is_some() => self.words(&["ok", "warn", "spent"], member),
            _ if built_in_names().any(|name| name == subject) => self.words(&["yes", "no"], member),
            _ => {}
        }
    }

    /// Policies beside the document, as it would write them.
    fn files(&mut self) {
        let own = self.set().path(self.spot.file);
        if !own.is_absolute() {
            return;
        }
        let dir = files::directory(&own).to_owned();
        for path in files::policies_under(&dir).into_iter().filter(|path| *path != own).take(MAX_ITEMS) {
            let shown = files::shown(path.strip_prefix(&dir).unwrap_or(Path::new("")));
            let size = std::fs::metadata(&path).map_or(0, |meta| meta.len());
            if size <= MAX_FILE_BYTES as u64 && !shown.ends_with(".test.route") {
                self.add(&shown, CompletionItemKind::File, None);
            }
        }
    }
}

/// Words of a list, and of lists in it.
fn words_of(values: &[Value]) -> Vec<&str> {
    let words = values.iter().flat_map(|value| match &value.kind {
        ValueKind::Word(word) => vec![word.as_str()],
        ValueKind::List(values) => words_of(values),
        _ => Vec::new(),
    });
    words.collect()
}

/// The tier that the rule around a place promises.
fn promised<'s>(set: &'s Set, spot: &Spot) -> Option<&'s str> {
    let item: &Item = set.item(spot.file, spot.offset)?;
    let body = match &item.kind {
        ItemKind::Rule { body, .. } | ItemKind::Otherwise { body, .. } | ItemKind::Ladder { body, .. } => body,
        ItemKind::Tier(tier) => return Some(&tier.name.node),
        _ => return None,
    };
    body.stmts.iter().find_map(|stmt| match &stmt.kind {
        RuleStmtKind::Tier { tier: TierName::Named(name), .. } => Some(name.node.as_str()),
        _ => None,
    })
}

/// `tier mid · $2.5 in, $15 out per million · ends in 100 days`
fn card_line(entry: &Entry, tier: Option<&str>, today: Date) -> String {
    let mut parts = Vec::new();
    match (tier, entry.tier.as_deref()) {
        (Some(tier), _) => parts.push(format!("tier {tier}")),
        (None, Some(suggested)) => parts.push(format!("in no tier, the catalog suggests {suggested}")),
        (None, None) => parts.push("in no tier".to_owned()),
    }
    match entry.price_on(today) {
        Some((input, output)) => parts.push(format!("${input} in, ${output} out per million tokens")),
        None => parts.push("no price known".to_owned()),
    }
    match entry.days_left(today) {
        Some(1) => parts.push("ends in 1 day".to_owned()),
        Some(days) => parts.push(format!("ends in {days} days")),
        None => parts.push("no end announced".to_owned()),
    }
    if entry.pin == Pin::UndatedUnconfirmed {
        parts.push("needs accept_undated".to_owned());
    }
    parts.join(" · ")
}
