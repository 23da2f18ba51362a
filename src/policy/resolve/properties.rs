//! Properties of a file of tests: for which requests, and what holds of them (section 10).
//!
//! In: their statements. Out: [`Property`]s. Must not know: proofs. Clauses of guarantees are read where guarantees are.

use super::super::ast::{Block, BlockStmt, ItemKind, Setting, ValueKind};
use super::super::checked::{Guarantee, Held, Property, Says};
use super::super::diagnostic::{Diagnostic, R110};
use super::super::source::{FileId, Span, Spanned};
use super::Resolver;

impl<'a> Resolver<'a> {
    /// Those of the set's first file. Columns that are made here are no columns of the rules.
    pub(super) fn properties(&mut self) {
        let loaded = self.loaded;
        for item in loaded.items().filter(|item| item.span.file == FileId(0)) {
            if let ItemKind::Property { name, body } = &item.kind {
                self.property(name, item.span, body);
            }
        }
    }

    fn property(&mut self, name: &'a Spanned<String>, whole: Span, body: &'a Block) {
        let before = self.desk.count();
        let (mut over, mut clauses, mut claims) = (None, Vec::<Spanned<Held>>::new(), Vec::new());
        for stmt in &body.stmts {
            match stmt {
                BlockStmt::Cond { key, cond } => self.put_clause(&mut over, key, cond, &name.node),
                BlockStmt::Setting(setting) => match says(setting) {
                    Some(node) => claims.push(Spanned { node, span: setting.span }),
                    None => {
                        let held = self.held(setting);
                        clauses.extend(held.map(|node| Spanned { node, span: setting.span }));
                    }
                },
                BlockStmt::Nested { .. } => {}
            }
        }
        let mut broken = body.broken || !self.desk.errors_since(before).is_empty();
        if !broken && clauses.is_empty() && claims.is_empty() {
            let message = format!("property `{}` says nothing of its requests", name.node);
            let help = "add a clause like `never reads NAME`, `same as rule NAME` or `every hop in region [eu-west]`";
            self.desk.report(Diagnostic::new(&R110, name.span, message).help(help));
            broken = true;
        }
        let guarantee = Guarantee { name: name.node.as_str().into(), span: name.span, whole, over, clauses };
        self.out.properties.push(Property { guarantee, claims, broken });
    }
}

/// A clause that only properties have.
fn says(setting: &Setting) -> Option<Says> {
    let is = |at: usize, word: &str| matches!(setting.values.get(at).map(|value| &value.kind), Some(ValueKind::Word(own)) if own == word);
    match (setting.key.node.as_str(), setting.values.as_slice()) {
        ("never", [_, name]) if is(0, "reads") => Some(Says::NeverReads(name.clone())),
        ("same", [_, _, name]) if is(0, "as") && is(1, "rule") => Some(Says::SameAs(name.clone())),
        ("matches", [_]) if is(0, "otherwise") => Some(Says::Otherwise),
        _ => None,
    }
}
