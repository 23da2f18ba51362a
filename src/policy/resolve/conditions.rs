//! Conditions: from words to columns and sets; defines are expanded.
//!
//! In: a condition as written. Out: [`Cond`], or nothing when a part of it has a finding. Must not know: rules.

use super::super::ast::{self, CondKind, ItemKind, Name, Relation, RelationKind, SubjectKind, Test, Value, ValueKind};
use super::super::checked::{ColumnId, Cond, Domain, Subject, TextPattern, Values};
use super::super::diagnostic::{Diagnostic, R007, R101, R110, R112, R117, R411};
use super::super::source::{Span, Spanned};
use super::Resolver;
use super::names::{Sort, unknown};
use super::sets::Chosen;
use super::subjects::{self, Look, built_in, built_in_names};
use super::values::{kind, members};

/// Defines that stand in each other, at most; the limit on parentheses.
pub const MAX_DEFINE_DEPTH: usize = 64;
/// Tests in one condition with its defines written out. A define that stands twice in the next one doubles it, so a few lines
/// could otherwise fill the memory.
pub const MAX_CONDITION_TESTS: usize = 4096;

/// What is known about a define.
#[derive(Clone, Debug)]
pub(super) enum Define {
    /// Its condition is being read; meeting it again is a ring.
    Open,
    /// Read; `None` after a finding.
    Done(Option<Cond>),
}

/// What a bare word or the left side of a relation stands for.
enum Left<'a> {
    Look(Look),
    Define(&'a str),
}

impl<'a> Resolver<'a> {
    /// A whole condition.
    pub(super) fn cond(&mut self, cond: &'a ast::Cond) -> Option<Cond> {
        match &cond.kind {
            CondKind::Any(parts) => self.each(parts).map(Cond::Any),
            CondKind::All(parts) => self.each(parts).map(Cond::All),
            CondKind::Not(part) => self.cond(part).map(|part| Cond::Not(Box::new(part))),
            CondKind::Paren(part) => self.cond(part),
            CondKind::Test(test) => self.test(test, cond.span),
        }
    }

    /// Reads every part before giving up, so that each finding is made.
    fn each(&mut self, parts: &'a [ast::Cond]) -> Option<Vec<Cond>> {
        let read: Vec<Option<Cond>> = parts.iter().map(|part| self.cond(part)).collect();
        read.into_iter().collect()
    }

    fn test(&mut self, test: &'a Test, span: Span) -> Option<Cond> {
        let relation = test.relation.as_ref();
        let word = match &test.subject.kind {
            SubjectKind::Name(name) => name.as_str(),
            SubjectKind::Budget(name) => return self.budget(name, relation, span),
            SubjectKind::Metric { metric, of } => {
                let what = format!("`{}` in a condition", metric.node);
                self.out.unsupported.push((what, test.subject.span));
                return self.metric(metric, of.as_ref(), relation, span);
            }
        };
        if let Some(score) = self.score(word, relation, span) {
            return score;
        }
        match (self.left(word, test.subject.span)?, &test.relation) {
            (Left::Define(name), None) => self.expand(name, test.subject.span),
            (Left::Define(name), Some(relation)) => {
                let message = format!("`{name}` is a condition already and takes no relation");
                let finding = Diagnostic::new(&R110, relation.span, message);
                self.desk.report(finding.help(format!("write `{name}` or `not {name}`")));
                None
            }
            (Left::Look(look), None) => self.bare(look, word, span),
            (Left::Look(look), Some(relation)) => self.related(look, word, relation, span),
        }
    }

    /// What a subject's word stands for; R101.
    fn left(&mut self, word: &str, span: Span) -> Option<Left<'a>> {
        if let Some(look) = built_in(word) {
            return Some(Left::Look(look));
        }
        if let Some(decl) = self.names.find(Sort::Attribute, word) {
            let (sort, name) = (decl.sort, decl.name);
            if sort == Sort::Define {
                return Some(Left::Define(name));
            }
            return self.declared(sort, name).map(|subject| Left::Look(Look::Column(subject)));
        }
        if self.names.knows(Sort::Budget, word) {
            let message = format!("`{word}` is a budget, and a budget is read with its kind");
            let text = format!("budget {word}");
            let finding = Diagnostic::new(&R101, span, message).help(format!("write `{text} is spent`"));
            self.desk.report(finding.fix(true, format!("write `{text}`"), span, text));
            return None;
        }
        let sorts = [Sort::Attribute, Sort::Define, Sort::Switch, Sort::Signal, Sort::Classifier];
        let mut known: Vec<&str> = sorts.into_iter().flat_map(|sort| self.names.all(sort)).map(|row| row.0).collect();
        for name in built_in_names() {
            known.push(name);
        }
        if self.names.is_broken(word) {
            return None;
        }
        self.names.meant(&sorts, word);
        let message = format!("nothing called `{word}` can be tested");
        self.desk.report(unknown(&R101, "subject", message, word, span, &known));
        None
    }

    fn declared(&self, sort: Sort, name: &str) -> Option<Subject> {
        let moving = &self.out.moving;
        let at = |found: Option<usize>| found.map(|at| at as u16);
        Some(match sort {
            Sort::Attribute => Subject::Attribute(at(self.out.attributes.iter().position(|row| *row.name == *name))?),
            Sort::Switch => Subject::Switch(at(moving.switches.iter().position(|row| *row.name == *name))?),
            Sort::Signal => Subject::Signal(at(moving.signals.iter().position(|row| *row.name == *name))?),
            Sort::Classifier => Subject::Classifier(at(moving.classifiers.iter().position(|row| *row.name == *name))?),
            _ => return None,
        })
    }

    /// A subject without a relation: a boolean.
    fn bare(&mut self, look: Look, word: &str, span: Span) -> Option<Cond> {
        if let Look::Column(subject) = look {
            let column = self.column(subject);
            if let Domain::Bool = self.out.columns[column.index()].domain {
                return Some(Cond::Test { column, values: Values::Bool(true), span });
            }
        }
        let message = format!("`{word}` is not yes or no, so it needs a relation");
        let help = match look {
            Look::Modality => format!("write `{word} has image`"),
            Look::Time => format!("write `{word} in 22:00..06:00`"),
            Look::Day => format!("write `{word} in weekend`"),
            Look::RequestedModel => format!("write `{word} is \"..\"`"),
            Look::Column(_) => format!("write `{word} is ..`"),
        };
        self.desk.report(Diagnostic::new(&R110, span, message).help(help));
        None
    }

    fn related(&mut self, look: Look, word: &'a str, relation: &'a Relation, span: Span) -> Option<Cond> {
        if let RelationKind::Has(value) = &relation.kind {
            return self.has(look, word, value, relation.span, span);
        }
        match look {
            Look::Modality => self.modality_without_has(relation),
            Look::Time | Look::Day => self.clock(look, word, relation, span),
            Look::RequestedModel => self.requested_model(word, relation, span),
            Look::Column(subject) => {
                let column = self.column(subject);
                self.on_column(column, word, relation, span)
            }
        }
    }

    fn on_column(&mut self, column: ColumnId, word: &'a str, relation: &'a Relation, span: Span) -> Option<Cond> {
        match &relation.kind {
            RelationKind::Is { negated, value } => {
                if let ValueKind::Range(..) | ValueKind::List(_) = value.kind {
                    let text = format!("in {}", self.desk.text(value.span));
                    return self.desk.mismatch(value, "`is`", &format!("one value; write `{text}`"));
                }
                let chosen = self.chosen(column, word, std::slice::from_ref(value))?;
                Some(tested(column, chosen, *negated, span))
            }
            RelationKind::In { negated, set } => {
                let chosen = match &set.kind {
                    ValueKind::Word(group) => self.in_group(column, word, group, set)?,
                    _ => {
                        self.some_members(set)?;
                        self.chosen(column, word, members(set))?
                    }
                };
                Some(tested(column, chosen, *negated, span))
            }
            RelationKind::Like(pattern) => {
                let values = self.like(column, word, pattern)?;
                Some(Cond::Test { column, values, span })
            }
            RelationKind::Compare { op, value } => {
                let values = self.compared(column, word, *op, value)?;
                Some(Cond::Test { column, values, span })
            }
            RelationKind::Has(_) => None,
        }
    }

    /// R112 for `in []`.
    fn some_members(&mut self, set: &Value) -> Option<()> {
        if !members(set).is_empty() {
            return Some(());
        }
        self.desk.report(Diagnostic::new(&R112, set.span, "an empty list holds nothing, so this can never be"));
        None
    }

    /// `tenant in regulated`.
    fn in_group(&mut self, column: ColumnId, word: &str, group: &'a str, set: &'a Value) -> Option<Chosen> {
        let subject = self.out.columns[column.index()].subject;
        let Some(found) = self.names.knows(Sort::Group, group).then(|| self.group_members(group)).flatten() else {
            // `plan in free` is `plan is free` to everybody who writes it.
            if let Domain::Enum { values, .. } = &self.out.columns[column.index()].domain
                && values.iter().any(|value| **value == *group)
            {
                let message = format!("`in` takes a group or a list, and `{group}` is one value");
                let finding = Diagnostic::new(&R110, set.span, message).help(format!("write `{word} is {group}`"));
                self.desk.report(finding);
                return None;
            }
            self.names.report_unknown(Sort::Group, group, set.span, &mut self.desk);
            return None;
        };
        let Domain::Enum { values, .. } = &self.out.columns[column.index()].domain else {
            let message = format!("`{word}` takes no group; groups hold tenants, features or plans");
            self.desk.report(Diagnostic::new(&R110, set.span, message));
            return None;
        };
        let mut positions = Vec::new();
        for (member, place) in found.members {
            match values.iter().position(|value| **value == *member) {
                Some(at) => positions.push(at as u32),
                // Neither tenant nor feature nor plan: the group's own finding.
                None if !self.names.is_member(member) => return None,
                None => {
                    let message = format!("group `{group}` does not hold values of `{word}`");
                    let finding = Diagnostic::new(&R110, set.span, message);
                    self.desk.report(finding.label(place, format!("`{member}` is none")));
                    return None;
                }
            }
        }
        if subject == Subject::Tenant {
            self.mentioned.extend(&positions);
        }
        positions.sort_unstable();
        positions.dedup();
        Some(Values::Enum(positions).into())
    }

    /// `S like "x*"`.
    fn like(&mut self, column: ColumnId, word: &str, pattern: &Spanned<String>) -> Option<Values> {
        let row = &self.out.columns[column.index()];
        let (start, prefix) = match pattern.node.strip_suffix('*') {
            Some(start) => (start, true),
            None => (pattern.node.as_str(), false),
        };
        if start.contains('*') {
            let message = format!("`like` takes one `*`, at the end; `\"{}\"` has another", pattern.node);
            self.desk.report(Diagnostic::new(&R110, pattern.span, message).help("write the beginning and one `*`"));
            return None;
        }
        match &row.domain {
            Domain::Text => Some(Values::Text(vec![TextPattern { text: start.into(), prefix }])),
            Domain::Enum { values, open } if !open => {
                let matching = |value: &str| if prefix { value.starts_with(start) } else { value == start };
                let found: Vec<u32> =
                    (0u32..).zip(values).filter(|(_, value)| matching(value)).map(|(at, _)| at).collect();
                if found.is_empty() {
                    let message = format!("no value of `{word}` is like `\"{}\"`", pattern.node);
                    self.desk.report(Diagnostic::new(&R112, pattern.span, message));
                    return None;
                }
                Some(Values::Enum(found))
            }
            _ => {
                let message = format!("`{word}` is no text, so `like` says nothing about it");
                self.desk.report(Diagnostic::new(&R110, pattern.span, message).help(format!("write `{word} is ..`")));
                None
            }
        }
    }

    fn has(&mut self, look: Look, word: &str, value: &Value, relation: Span, span: Span) -> Option<Cond> {
        if look != Look::Modality {
            let message = format!("`{word}` is one value, and `has` asks a set");
            let text = self.desk.text(value.span);
            self.desk.report(Diagnostic::new(&R110, relation, message).help(format!("write `{word} is {text}`")));
            return None;
        }
        let member = self.desk.word(value, "`has`")?;
        let Some(found) = subjects::modality(member) else {
            let known: Vec<&str> = super::super::checked::Modality::ALL.iter().map(|member| member.word()).collect();
            let message = format!("`modality` never has `{member}`");
            self.desk.report(unknown(&R112, "modality", message, member, value.span, &known));
            return None;
        };
        let column = self.column(Subject::Modality(found));
        Some(Cond::Test { column, values: Values::Bool(true), span })
    }

    fn modality_without_has(&mut self, relation: &Relation) -> Option<Cond> {
        let message = "`modality` is a set, so it is asked with `has`";
        let finding = Diagnostic::new(&R110, relation.span, message);
        let one = match &relation.kind {
            RelationKind::Is { negated: false, value } => Some(self.desk.text(value.span)),
            _ => None,
        };
        self.desk.report(match one {
            Some(member) => {
                let text = format!("has {member}");
                finding.help(format!("write `modality {text}`")).fix(
                    true,
                    format!("write `{text}`"),
                    relation.span,
                    text,
                )
            }
            None => finding.help("write `modality has image`"),
        });
        None
    }

    fn clock(&mut self, look: Look, word: &str, relation: &'a Relation, span: Span) -> Option<Cond> {
        let (values, negated) = match (&relation.kind, look) {
            (RelationKind::Is { negated, value }, Look::Time) => (self.times(std::slice::from_ref(value))?, *negated),
            (RelationKind::Is { negated, value }, _) => (self.days(std::slice::from_ref(value))?, *negated),
            (RelationKind::In { negated, set }, Look::Time) => {
                self.some_members(set)?;
                (self.times(members(set))?, *negated)
            }
            (RelationKind::In { negated, set }, _) => {
                self.some_members(set)?;
                (self.days(members(set))?, *negated)
            }
            (RelationKind::Compare { op, value }, Look::Time) => (self.time_compared(*op, value)?, false),
            _ => {
                let example = if look == Look::Time { "time in 22:00..06:00" } else { "day in weekend" };
                let message = format!("`{word}` cannot be asked this way");
                self.desk.report(Diagnostic::new(&R110, relation.span, message).help(format!("write `{example}`")));
                return None;
            }
        };
        let column = self.column(Subject::Clock);
        Some(tested(column, values.into(), negated, span))
    }

    /// `requested_model`: with a text, what the client sent; with a model, the snapshot that resolves to.
    fn requested_model(&mut self, word: &'a str, relation: &'a Relation, span: Span) -> Option<Cond> {
        let (negated, values) = match &relation.kind {
            RelationKind::Is { negated, value } => (*negated, std::slice::from_ref(value)),
            RelationKind::In { negated, set } => {
                self.some_members(set)?;
                (*negated, members(set))
            }
            _ => {
                let column = self.column(Subject::RequestedModel);
                return self.on_column(column, word, relation, span);
            }
        };
        let (mut texts, mut snapshots) = (Vec::new(), Vec::new());
        for value in values {
            match &value.kind {
                ValueKind::Str(text) => texts.push(TextPattern { text: text.as_str().into(), prefix: false }),
                ValueKind::Model(model) => snapshots.push(self.requested_snapshot(model)),
                other => {
                    let message = format!("`{word}` takes a text in quotes or a model, not {}", kind(other));
                    let help =
                        "write what the client sends, `\"gpt-5.4\"`, or the snapshot, `openai/gpt-5.4-2026-03-05`";
                    self.desk.report(Diagnostic::new(&R110, value.span, message).help(help));
                    return None;
                }
            }
        }
        let mut parts = Vec::new();
        if !texts.is_empty() {
            texts.sort();
            texts.dedup();
            let column = self.column(Subject::RequestedModel);
            parts.push(Cond::Test { column, values: Values::Text(texts), span });
        }
        if !snapshots.is_empty() {
            snapshots.sort_unstable();
            snapshots.dedup();
            let column = self.column(Subject::RequestedSnapshot);
            parts.push(Cond::Test { column, values: Values::Enum(snapshots), span });
        }
        let found = if parts.len() == 1 { parts.pop()? } else { Cond::Any(parts) };
        Some(if negated { Cond::Not(Box::new(found)) } else { found })
    }

    /// The position of a model in the domain of the requested snapshot, which grows with what conditions name.
    fn requested_snapshot(&mut self, model: &ast::Model) -> u32 {
        self.judged(model);
        self.requested_value(&format!("{}/{}", model.provider, model.id))
    }

    pub(super) fn requested_value(&mut self, name: &str) -> u32 {
        let column = self.column(Subject::RequestedSnapshot);
        let Domain::Enum { values, .. } = &mut self.out.columns[column.index()].domain else { return 0 };
        if let Some(at) = values.iter().position(|value| **value == *name) {
            return at as u32;
        }
        values.push(name.into());
        values.len() as u32 - 1
    }

    fn budget(&mut self, name: &'a Name, relation: Option<&'a Relation>, span: Span) -> Option<Cond> {
        let at = self.out.moving.budgets.iter().position(|budget| *budget.name == *name.node);
        self.names.want(Sort::Budget, name, &mut self.desk)?;
        let Some(relation) = relation else {
            let message = format!("`budget {}` is not yes or no, so it needs a relation", name.node);
            let help = format!("write `budget {} is spent`", name.node);
            self.desk.report(Diagnostic::new(&R110, span, message).help(help));
            return None;
        };
        let column = self.column(Subject::Budget(at? as u16));
        self.on_column(column, &name.node, relation, span)
    }

    /// A define by name; R117 when it reaches itself.
    fn expand(&mut self, name: &'a str, span: Span) -> Option<Cond> {
        match self.defines.get(name) {
            Some(Define::Done(cond)) => return cond.clone(),
            Some(Define::Open) => {
                let message = format!("define `{name}` reaches itself");
                let finding = Diagnostic::new(&R117, span, message).here("used inside its own meaning");
                self.desk.report(finding.help(format!("write the condition out, or name the part without `{name}`")));
                return None;
            }
            None => {}
        }
        let item = self.names.item(Sort::Define, name)?;
        let ItemKind::Define { cond, .. } = &item.kind else { return None };
        if self.define_depth >= MAX_DEFINE_DEPTH {
            let message = format!("defines stand in each other more than {MAX_DEFINE_DEPTH} deep");
            self.desk.report(Diagnostic::new(&R007, span, message).help("write some of the conditions out"));
            return None;
        }
        self.defines.insert(name, Define::Open);
        self.define_depth += 1;
        let read = self.cond(cond).filter(|cond| self.small_enough(cond, name, item.span));
        self.define_depth -= 1;
        self.defines.insert(name, Define::Done(read.clone()));
        read
    }

    /// R411 for a condition that grew out of hand.
    pub(super) fn small_enough(&mut self, cond: &Cond, name: &str, span: Span) -> bool {
        if tests(cond) <= MAX_CONDITION_TESTS {
            return true;
        }
        let message = format!("`{name}` has more than {MAX_CONDITION_TESTS} tests with its defines written out");
        self.desk.report(Diagnostic::new(&R411, span, message).help("split it into several rules"));
        false
    }

    /// Defines no rule reached: their names and types are judged all the same.
    pub(super) fn unused_defines(&mut self) {
        for (name, _, item) in self.names.all(Sort::Define) {
            if self.defines.contains_key(name) {
                continue;
            }
            self.expand(name, item.span);
        }
    }
}

fn tested(column: ColumnId, chosen: Chosen, negated: bool, span: Span) -> Cond {
    let test = Cond::Test { column, values: chosen.values, span };
    if chosen.complement == negated { test } else { Cond::Not(Box::new(test)) }
}

fn tests(cond: &Cond) -> usize {
    match cond {
        Cond::True => 0,
        Cond::Any(parts) | Cond::All(parts) => parts.iter().map(tests).fold(0, usize::saturating_add),
        Cond::Not(part) => tests(part),
        Cond::Test { .. } => 1,
    }
}
