//! One walk over trees that meets every name.
//!
//! In: trees. Out: names with what each may stand for. Must not know: which are declared. Where a declaration has settings of
//! its own, the word before a name says what the name is: `budget lab`, `never tier [small]`.

use super::symbols::Kind;
use crate::policy::ast::{
    Block, BlockStmt, Cond, CondKind, Degrade, File, GivenFact, HopRef, Item, ItemKind, Model, Name, RelationKind,
    RuleBody, RuleStmtKind, Subject, SubjectKind, Test, TestStmt, TestStmtKind, TierLine, TierName, Value, ValueKind,
};
use crate::policy::source::Span;

/// A name as it is met.
pub struct Met {
    /// What it may stand for, the likeliest first; never empty.
    pub kinds: &'static [Kind],
    /// The name.
    pub name: String,
    /// Where.
    pub span: Span,
    /// Of a declaration: its first word, and all of it.
    pub declares: Option<(&'static str, Span)>,
}

/// Every name of some files.
pub fn mentions(files: &[File]) -> Vec<Met> {
    let mut walk = Walk { met: Vec::new() };
    files.iter().flat_map(|file| &file.items).for_each(|item| walk.item(item));
    walk.met
}

/// What the word before a name says about it.
fn introduced(word: &str) -> Option<&'static [Kind]> {
    Some(match word {
        "tier" | "requested_tier" => &[Kind::Tier],
        "ladder" => &[Kind::Ladder],
        "template" => &[Kind::Template],
        "queue" => &[Kind::Queue],
        "rule" => &[Kind::Rule],
        "plan" => &[Kind::Plan],
        "feature" => &[Kind::Feature],
        "tenant" => &[Kind::Tenant],
        "residency" => &[Kind::Residency],
        "budget" => &[Kind::Budget],
        "guard" => &[Kind::Guard],
        "after" | "rollout" => &[Kind::Rollout],
        "by" => &[Kind::Judge, Kind::Subject],
        "each" | "per" | "reads" => &[Kind::Subject],
        _ => return None,
    })
}

/// Declarations of the form `kind name { .. }`.
fn declared(kind: &str) -> Option<(&'static str, &'static [Kind])> {
    Some(match kind {
        "feature" => ("feature", &[Kind::Feature]),
        "tenant" => ("tenant", &[Kind::Tenant]),
        "queue" => ("queue", &[Kind::Queue]),
        "budget" => ("budget", &[Kind::Budget]),
        "classifier" => ("classifier", &[Kind::Subject]),
        "switch" => ("switch", &[Kind::Subject]),
        "signal" => ("signal", &[Kind::Subject]),
        "judge" => ("judge", &[Kind::Judge]),
        "guard" => ("guard", &[Kind::Guard]),
        "rollout" => ("rollout", &[Kind::Rollout]),
        "drill" => ("drill", &[Kind::Drill]),
        "guarantee" => ("guarantee", &[Kind::Guarantee]),
        _ => return None,
    })
}

struct Walk {
    met: Vec<Met>,
}

impl Walk {
    fn meet(&mut self, kinds: &'static [Kind], name: &str, span: Span) {
        self.met.push(Met { kinds, name: name.to_owned(), span, declares: None });
    }

    fn name(&mut self, kinds: &'static [Kind], name: &Name) {
        self.meet(kinds, &name.node, name.span);
    }

    fn declare(&mut self, kinds: &'static [Kind], word: &'static str, name: &Name, item: &Item) {
        self.met.push(Met { kinds, name: name.node.clone(), span: name.span, declares: Some((word, item.span)) });
    }

    fn item(&mut self, item: &Item) {
        match &item.kind {
            ItemKind::Plans(values) => {
                for value in values {
                    if let ValueKind::Word(word) = &value.kind {
                        let declares = Some(("plan", value.span));
                        self.met.push(Met { kinds: &[Kind::Plan], name: word.clone(), span: value.span, declares });
                    }
                }
            }
            ItemKind::Define { name, cond } => {
                self.declare(&[Kind::Subject], "define", name, item);
                self.cond(cond);
            }
            ItemKind::Attribute(attribute) => self.declare(&[Kind::Subject], "attribute", &attribute.name, item),
            ItemKind::Group { kind, name, .. } if kind.node == "residency" => {
                self.declare(&[Kind::Residency], "residency", name, item);
            }
            ItemKind::Group { name, members, .. } => {
                self.declare(&[Kind::Group], "group", name, item);
                members.iter().for_each(|member| self.value(&[Kind::Tenant, Kind::Feature, Kind::Plan], member));
            }
            ItemKind::Tier(tier) => {
                self.declare(&[Kind::Tier], "tier", &tier.name, item);
                for line in &tier.lines {
                    if let TierLine::Member { model, .. } = line {
                        self.model(model);
                        if let Some(met) = self.met.last_mut() {
                            met.declares = Some(("snapshot", model.span));
                        }
                    }
                }
            }
            ItemKind::Template { name, .. } => self.declare(&[Kind::Template], "template", name, item),
            ItemKind::Ladder { name, body } => {
                self.declare(&[Kind::Ladder], "ladder", name, item);
                self.body(body);
            }
            ItemKind::Rule { name, body } => {
                self.declare(&[Kind::Rule], "rule", name, item);
                self.body(body);
            }
            ItemKind::Otherwise { body, .. } => self.body(body),
            ItemKind::Decl { kind, name, body } => {
                if let (Some(name), Some((word, kinds))) = (name, declared(&kind.node)) {
                    self.declare(kinds, word, name, item);
                }
                self.block(body);
            }
            ItemKind::Test { body, .. } => body.iter().for_each(|stmt| self.test(stmt)),
            ItemKind::Property { body, .. } => self.block(body),
            ItemKind::Given(fact) => self.given(fact),
            ItemKind::Version(_) | ItemKind::Use(_) | ItemKind::FactsFrom { .. } | ItemKind::Bad => {}
        }
    }

    fn model(&mut self, model: &Model) {
        self.meet(&[Kind::Model], &format!("{}/{}", model.provider, model.id), model.span);
    }

    fn body(&mut self, body: &RuleBody) {
        for stmt in &body.stmts {
            match &stmt.kind {
                RuleStmtKind::When(cond) => self.cond(cond),
                RuleStmtKind::Tier { tier: TierName::Named(name), .. } => self.name(&[Kind::Tier], name),
                RuleStmtKind::Snapshot { hop, .. } | RuleStmtKind::Fallback { hop, .. } => match hop {
                    HopRef::Tier { name, .. } => self.name(&[Kind::Tier], name),
                    HopRef::Model(model) => self.model(model),
                    HopRef::Requested(_) => {}
                },
                RuleStmtKind::Ladder(name) => self.name(&[Kind::Ladder], name),
                RuleStmtKind::Degrade(Degrade::Template(name)) => self.name(&[Kind::Template], name),
                RuleStmtKind::Degrade(Degrade::Queue { name, .. }) => self.name(&[Kind::Queue], name),
                RuleStmtKind::Shadow { model, budget, scored, .. } => {
                    self.model(model);
                    budget.iter().for_each(|name| self.name(&[Kind::Budget], name));
                    scored.iter().for_each(|name| self.name(&[Kind::Judge], name));
                }
                RuleStmtKind::Guard(values) => values.iter().for_each(|value| self.value(&[Kind::Guard], value)),
                RuleStmtKind::Cache { per: Some(per), .. } => {
                    per.iter().for_each(|value| self.value(&[Kind::Subject], value))
                }
                RuleStmtKind::Setting(setting) => self.words(&setting.key.node, &setting.values),
                _ => {}
            }
        }
    }

    fn block(&mut self, block: &Block) {
        for stmt in &block.stmts {
            match stmt {
                BlockStmt::Setting(setting) => self.words(&setting.key.node, &setting.values),
                BlockStmt::Cond { cond, .. } => self.cond(cond),
                BlockStmt::Nested { block, .. } => self.block(block),
            }
        }
    }

    /// Values behind a word, each of which may introduce the next.
    fn words(&mut self, first: &str, values: &[Value]) {
        let mut before = first;
        for value in values {
            match introduced(before) {
                Some(kinds) => self.value(kinds, value),
                None => self.models(value),
            }
            if let ValueKind::Word(word) = &value.kind {
                before = word;
            }
        }
    }

    /// A name, or a list of them.
    fn value(&mut self, kinds: &'static [Kind], value: &Value) {
        match &value.kind {
            ValueKind::Word(word) => self.meet(kinds, word, value.span),
            ValueKind::List(values) => values.iter().for_each(|value| self.value(kinds, value)),
            _ => self.models(value),
        }
    }

    fn models(&mut self, value: &Value) {
        match &value.kind {
            ValueKind::Model(model) => self.model(model),
            ValueKind::List(values) => values.iter().for_each(|value| self.models(value)),
            _ => {}
        }
    }

    fn cond(&mut self, cond: &Cond) {
        match &cond.kind {
            CondKind::Any(list) | CondKind::All(list) => list.iter().for_each(|one| self.cond(one)),
            CondKind::Not(one) | CondKind::Paren(one) => self.cond(one),
            CondKind::Test(Test { subject, relation }) => {
                self.subject(subject);
                if let Some(relation) = relation {
                    self.relation(subject, &relation.kind);
                }
            }
        }
    }

    fn subject(&mut self, subject: &Subject) {
        match &subject.kind {
            SubjectKind::Name(name) => self.meet(&[Kind::Subject], name, subject.span),
            SubjectKind::Budget(name) => self.name(&[Kind::Budget], name),
            SubjectKind::Metric { of, .. } => of.iter().for_each(|value| self.models(value)),
        }
    }

    fn relation(&mut self, subject: &Subject, relation: &RelationKind) {
        let kinds = match &subject.kind {
            SubjectKind::Name(name) => introduced(name),
            _ => None,
        };
        match relation {
            RelationKind::In { set, .. } if matches!(set.kind, ValueKind::Word(_)) => self.value(&[Kind::Group], set),
            RelationKind::Is { value, .. } | RelationKind::In { set: value, .. } | RelationKind::Has(value) => {
                match kinds {
                    Some(kinds) => self.value(kinds, value),
                    None => self.models(value),
                }
            }
            RelationKind::Like(_) | RelationKind::Compare { .. } => {}
        }
    }

    fn given(&mut self, fact: &GivenFact) {
        match fact {
            GivenFact::Rollout { name, .. } => self.name(&[Kind::Rollout], name),
            GivenFact::Is { who, .. } | GivenFact::Gives { who, .. } | GivenFact::Cuts { who, .. } => {
                self.value(&[Kind::Subject], who);
            }
            GivenFact::Reading { subject, relation } => {
                self.subject(subject);
                self.relation(subject, &relation.kind);
            }
            GivenFact::Now { .. } => {}
        }
    }

    fn test(&mut self, stmt: &TestStmt) {
        match &stmt.kind {
            TestStmtKind::Given(fact) => self.given(fact),
            TestStmtKind::Request(block) => {
                for stmt in &block.stmts {
                    if let BlockStmt::Setting(setting) = stmt {
                        self.name(&[Kind::Subject], &setting.key);
                    }
                }
                self.block(block);
            }
            TestStmtKind::Expect(values) => self.words("expect", values),
            TestStmtKind::Table { inputs, outputs, rows } => {
                inputs.iter().for_each(|name| self.name(&[Kind::Subject], name));
                for row in rows {
                    let left = inputs.iter().zip(&row.inputs);
                    for (head, cell) in left.chain(outputs.iter().zip(&row.outputs)) {
                        self.words(&head.node, std::slice::from_ref(cell));
                    }
                }
            }
        }
    }
}
