//! `policy NAME { … }` and `defaults { … }`.
//!
//! In: their settings. Out: the set's own limits. Must not know: rules.

use super::super::ast::{Block, BlockStmt, ItemKind, Name, Setting, Value, ValueKind};
use super::super::checked::Endpoint;
use super::super::diagnostic::{Diagnostic, Edit, Fix, R108, R110, R112, R114};
use super::super::source::Span;
use super::Resolver;
use super::names::unknown;
use super::values::members;
use crate::catalog::window;
use crate::names::{ModelRef, nearest};
use crate::units::Tokens;

/// A prompt bound for sets whose members say nothing about their windows.
const FALLBACK_MAX_PROMPT: Tokens = Tokens(128_000);

/// Where one more model is accepted without a date, and what to write around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Consent {
    at: Span,
    before: &'static str,
    after: &'static str,
}

impl<'a> Resolver<'a> {
    /// Finds both declarations, at most one each.
    pub(super) fn header(&mut self) {
        let mut seen: [Option<Span>; 2] = [None, None];
        for item in self.loaded.items() {
            let ItemKind::Decl { kind, name, body } = &item.kind else { continue };
            let slot = match kind.node.as_str() {
                "policy" => 0,
                "defaults" => 1,
                _ => continue,
            };
            let place = name.as_ref().map_or(kind.span, |name| name.span);
            if let Some(first) = seen[slot] {
                let message = format!("a set has one `{}`, and this is the second", kind.node);
                let finding =
                    Diagnostic::new(&R108, place, message).label(first, "the first").help("merge the two into one");
                self.desk.report(finding);
                continue;
            }
            seen[slot] = Some(place);
            if slot == 0 { self.policy(name.as_ref(), place, body) } else { self.read_defaults(body) }
        }
    }

    fn policy(&mut self, name: Option<&'a Name>, place: Span, body: &'a Block) {
        self.out.place = place;
        if let Some(name) = name {
            self.out.name = name.node.as_str().into();
        }
        self.consent = body.span.map(|braces| self.consent_in(braces));
        for setting in settings(body) {
            let Some(value) = setting.values.first() else { continue };
            match setting.key.node.as_str() {
                "owner" => self.out.owner = self.desk.string(value, "`owner`").map(Into::into),
                "timezone" => self.timezone(value),
                "deadline" => {
                    if let Some(time) = self.desk.some_time(value, "`deadline`") {
                        self.out.deadline = time;
                        self.deadline_at = Some(setting.span);
                    }
                }
                "max_prompt" => {
                    self.out.max_prompt = self.desk.tokens(value, "`max_prompt`").unwrap_or_default();
                    self.some_prompt(value);
                }
                "endpoints" => self.endpoints(value),
                "accept_undated" => self.accept(value),
                _ => {}
            }
        }
    }

    fn some_prompt(&mut self, value: &Value) {
        if self.out.max_prompt.0 == 0 && matches!(value.kind, ValueKind::Quantity(quantity) if quantity.digits == 0) {
            let finding = Diagnostic::new(&R112, value.span, "`max_prompt` is 0, so every request would be refused");
            self.desk.report(finding.help("write the largest prompt to admit, like `100k`"));
        }
    }

    fn timezone(&mut self, value: &Value) {
        let Some(name) = self.desk.string(value, "`timezone`") else { return };
        match jiff::tz::TimeZone::get(name) {
            Ok(zone) => self.out.timezone = zone,
            Err(_) => {
                let known: Vec<String> = jiff::tz::db().available().map(|name| name.as_str().to_owned()).collect();
                let message = format!("there is no timezone `{name}`");
                let mut finding = Diagnostic::new(&R114, value.span, message);
                finding = match nearest(name, known.iter().map(String::as_str)).first() {
                    Some(near) => finding.help(format!("write `\"{near}\"`")),
                    None => finding.help("write a name of the IANA table, like `\"Europe/Dublin\"` or `\"UTC\"`"),
                };
                self.desk.report(finding);
            }
        }
    }

    fn endpoints(&mut self, value: &Value) {
        let mut listed = Vec::new();
        for value in members(value) {
            let Some(word) = self.desk.word(value, "`endpoints`") else { continue };
            if let Some(endpoint) = Endpoint::ALL.into_iter().find(|endpoint| endpoint.word() == word) {
                if !listed.contains(&endpoint) {
                    listed.push(endpoint);
                }
            } else {
                let known: Vec<&str> = Endpoint::ALL.iter().map(|endpoint| endpoint.word()).collect();
                let message = format!("there is no endpoint `{word}`");
                self.desk.report(unknown(&R112, "endpoint", message, word, value.span, &known));
            }
        }
        if listed.is_empty() {
            return;
        }
        // The order of the column is fixed, however the header is written.
        self.out.endpoints = Endpoint::ALL.into_iter().filter(|endpoint| listed.contains(endpoint)).collect();
    }

    /// A new line, or the first words of a header on one line.
    fn consent_in(&self, braces: Span) -> Consent {
        let inside = self.desk.text(braces).trim_start_matches('{');
        let at = Span { lo: braces.lo + 1, hi: braces.lo + 1, ..braces };
        match inside.trim_start_matches([' ', '\t', '\r']).chars().next() {
            Some('\n' | '#') => Consent { at, before: "\n  accept_undated [", after: "]" },
            Some('}') => Consent { at, before: " accept_undated [", after: "] " },
            _ => Consent { at, before: " accept_undated [", after: "]," },
        }
    }

    /// The edit that adds a model to `accept_undated`; `None` where the set has no header.
    pub(super) fn consent_to(&self, name: &ModelRef) -> Option<Fix> {
        let Consent { at, before, after } = self.consent?;
        let edit = Edit { span: at, text: format!("{before}{name}{after}") };
        // It changes no decision, and it is a promise only a person can make.
        Some(Fix { safe: false, title: format!("accept {name} without a date"), edits: vec![edit] })
    }

    fn accept(&mut self, value: &'a Value) {
        if matches!(value.kind, ValueKind::List(_)) {
            // Behind the last member, wherever the bracket stands.
            let end = members(value).last().map_or(value.span.hi - 1, |last| last.span.hi);
            let before = if members(value).is_empty() { "" } else { ", " };
            self.consent = Some(Consent { at: Span { lo: end, hi: end, ..value.span }, before, after: "" });
        }
        for value in members(value) {
            match &value.kind {
                ValueKind::Model(model) => self.accepted.push(ModelRef::new(&model.provider, &model.id)),
                _ => {
                    let message = "`accept_undated` takes models, like `openai/gpt-6-sol`";
                    self.desk.report(Diagnostic::new(&R110, value.span, message));
                }
            }
        }
    }

    /// Clarification 1: without a number of its own, a set admits what some member of an ordered tier can serve.
    pub(super) fn max_prompt(&mut self) {
        if self.out.max_prompt.0 > 0 {
            return;
        }
        let cap = self.defaults.max_output.map(|written| written.value);
        let largest = |ordered: bool| {
            let members = self.out.snapshots.iter().filter(|snapshot| !ordered || snapshot.tier.is_some());
            let facts = members.filter_map(|snapshot| snapshot.facts.as_deref());
            facts.filter_map(|entry| window::largest_prompt(entry, window::room(entry, cap))).max()
        };
        self.out.max_prompt = largest(true).or_else(|| largest(false)).unwrap_or(FALLBACK_MAX_PROMPT);
    }
}

/// The settings of a block, in page order.
pub(super) fn settings(body: &Block) -> impl Iterator<Item = &Setting> {
    body.stmts.iter().filter_map(|stmt| match stmt {
        BlockStmt::Setting(setting) => Some(setting),
        _ => None,
    })
}
