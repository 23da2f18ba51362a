//! Guarantees: for which requests, and what holds of them (section 6.8).
//!
//! In: their statements. Out: [`Guarantee`]s. Must not know: proofs. Properties of tests are read with [`Resolver::held`] too.

use super::super::ast::{Block, BlockStmt, CompareOp, ItemKind, Setting, Value, ValueKind};
use super::super::checked::{Ending, Guarantee, GuardId, Held, TierId};
use super::super::diagnostic::{Diagnostic, R110, R112};
use super::super::source::{Span, Spanned};
use super::Resolver;
use super::clauses::Line;
use super::names::Sort;
use super::values::members;

/// Providers that one request can have at most in a chain anybody would write.
const MOST_PROVIDERS: u64 = 100;

impl<'a> Resolver<'a> {
    pub(super) fn guarantees(&mut self) {
        for (name, span, item) in self.names.all(Sort::Guarantee) {
            if let ItemKind::Decl { body, .. } = &item.kind {
                self.guarantee(name, span, item.span, body);
            }
        }
    }

    fn guarantee(&mut self, name: &'a str, span: Span, whole: Span, body: &'a Block) {
        let mut over = None;
        let mut clauses: Vec<Spanned<Held>> = Vec::new();
        let mut said = body.broken;
        for stmt in &body.stmts {
            match stmt {
                BlockStmt::Cond { key, cond } => self.put_clause(&mut over, key, cond, name),
                BlockStmt::Setting(setting) => {
                    said = true;
                    let held = self.held(setting);
                    clauses.extend(held.map(|node| Spanned { node, span: setting.span }));
                }
                BlockStmt::Nested { .. } => {}
            }
        }
        if !said {
            let message = format!("guarantee `{name}` promises nothing");
            let help = "add a clause like `never tier [small]`, `ends in queue` or `worst_cost <= $0.02`";
            self.desk.report(Diagnostic::new(&R110, span, message).help(help));
        }
        self.out.moving.guarantees.push(Guarantee { name: name.into(), span, whole, over, clauses });
    }

    /// One clause; `None` after a finding, or for a word that is no clause.
    pub(super) fn held(&mut self, setting: &'a Setting) -> Option<Held> {
        match setting.key.node.as_str() {
            "every" => self.every_hop(setting),
            "never" => self.never(setting),
            "providers" => {
                let mut line = Line::new(setting, "providers >= 2");
                self.at_least(&mut line)?;
                let value = self.desk.only(&mut line)?;
                let at_least = self.desk.number(value, "`providers`", "providers")?;
                if !(1..=MOST_PROVIDERS).contains(&at_least) {
                    let message = format!("`providers >= {at_least}` says nothing, or more than any chain could keep");
                    self.desk
                        .report(Diagnostic::new(&R112, value.span, message).help("write it like `providers >= 2`"));
                    return None;
                }
                Some(Held::Providers { at_least })
            }
            "ends" => {
                let mut line = Line::new(setting, "ends in queue");
                self.desk.expect(&mut line, "in")?;
                let value = self.desk.only(&mut line)?;
                let known = Ending::ALL.map(|ending| (ending.word(), ending));
                let endings =
                    self.each_of(value, "`ends in`", |own, value| own.desk.one_of(value, "an ending", &known))?;
                Some(Held::EndsIn(endings))
            }
            "worst_cost" => {
                let mut line = Line::new(setting, "worst_cost <= $0.02");
                self.sign(&mut line, CompareOp::AtMost)?;
                let value = self.desk.only(&mut line)?;
                self.desk.money(value, "`worst_cost`").map(Held::WorstCost)
            }
            "worst_time" => {
                let mut line = Line::new(setting, "worst_time <= 20s");
                self.sign(&mut line, CompareOp::AtMost)?;
                let value = self.desk.only(&mut line)?;
                self.desk.some_time(value, "`worst_time`").map(Held::WorstTime)
            }
            "guard" => {
                let value = self.desk.only(&mut Line::new(setting, "guard NAME"))?;
                self.named(Sort::Guard, value).map(|at| Held::Guarded(GuardId(at)))
            }
            "same" => {
                let mut line = Line::new(setting, "same family");
                self.desk.expect(&mut line, "family")?;
                self.desk.end(&line)?;
                Some(Held::SameFamily)
            }
            _ => None,
        }
    }

    /// `every hop in region [..]`, `every hop has retention zero`
    fn every_hop(&mut self, setting: &'a Setting) -> Option<Held> {
        let mut line = Line::new(setting, "every hop in region [eu-west]` or `every hop has retention zero");
        self.desk.expect(&mut line, "hop")?;
        if line.skip("has") {
            self.desk.expect(&mut line, "retention")?;
            self.desk.expect(&mut line, "zero")?;
            self.desk.end(&line)?;
            return Some(Held::HopsHaveZeroRetention);
        }
        self.desk.expect(&mut line, "in")?;
        self.desk.expect(&mut line, "region")?;
        let value = self.desk.only(&mut line)?;
        let regions = self.regions(members(value));
        // One that nobody knows has its finding; a shorter list would promise something else.
        (regions.len() == members(value).len()).then_some(Held::HopsInRegion(regions))
    }

    /// `never tier [..]`, `never snapshot M`, `never provider P`, `never cached`
    fn never(&mut self, setting: &'a Setting) -> Option<Held> {
        let form = "never tier [small]`, `never snapshot PROVIDER/ID`, `never provider NAME` or `never cached";
        let mut line = Line::new(setting, form);
        if line.skip("cached") {
            self.desk.end(&line)?;
            return Some(Held::NeverCached);
        }
        if line.skip("tier") {
            let value = self.desk.only(&mut line)?;
            return self.each_of(value, "`never tier`", Self::tier_named).map(Held::NeverTier);
        }
        if line.skip("snapshot") {
            let value = self.desk.only(&mut line)?;
            let read = |own: &mut Self, value: &'a Value| own.model(value, "`never snapshot`");
            return self.each_of(value, "`never snapshot`", read).map(Held::NeverSnapshot);
        }
        self.desk.expect(&mut line, "provider")?;
        let value = self.desk.only(&mut line)?;
        let read = |own: &mut Self, value: &'a Value| own.providers(value).pop();
        self.each_of(value, "`never provider`", read).map(Held::NeverProvider)
    }

    fn tier_named(&mut self, value: &'a Value) -> Option<TierId> {
        let ValueKind::Word(word) = &value.kind else {
            return self.desk.mismatch(value, "`never tier`", "a tier or a list of tiers, like `[mid, small]`");
        };
        let name = Spanned { node: word.clone(), span: value.span };
        self.names.want(Sort::Tier, &name, &mut self.desk)?;
        self.out.tiers.iter().position(|tier| *tier.name == *word).map(|at| TierId(at as u16))
    }
}
