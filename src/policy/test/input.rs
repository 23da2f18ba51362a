//! What a test says about its request: `plan pro` in a `request`, `given economy_mode is on`, a cell of a table.
//!
//! In: settings and values as written. Out: [`Input`]s in the words of `explain`. Must not know: whether such a request exists.

use super::super::ast::{Block, BlockStmt, Setting, Value, ValueKind};
use super::super::diagnostic::{Diagnostic, R108, R110};
use super::super::resolve::Desk;
use super::super::source::{FileId, Span};

/// One thing said about a request or about what is read beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The name `explain` knows it by: `plan`, `economy_mode`, `now`.
    pub name: String,
    /// Its value, as `explain` takes it; empty for `*`.
    pub value: String,
    /// Where the name stands; in a table, where the value stands.
    pub name_span: Span,
    /// Where the value stands.
    pub value_span: Span,
    /// A default of the file, which a test may say otherwise.
    pub of_file: bool,
}

impl Input {
    /// One that stands in no file.
    pub fn said(name: &str, value: &str) -> Self {
        let nowhere = Span { file: FileId(0), lo: 0, hi: 0 };
        let (name, value) = (name.to_owned(), value.to_owned());
        Self { name, value, name_span: nowhere, value_span: nowhere, of_file: false }
    }

    /// A name and a value with one value; R110 when there is not exactly one that can be an input.
    pub(super) fn of(name: &str, name_span: Span, value: &Value, desk: &mut Desk<'_>) -> Option<Self> {
        let text = match &value.kind {
            ValueKind::Str(text) if text.is_empty() => {
                return desk.mismatch(
                    value,
                    &format!("`{name}`"),
                    "a value; leave it out where a request says nothing",
                );
            }
            ValueKind::Word(text) | ValueKind::Str(text) => text.clone(),
            ValueKind::Model(_) | ValueKind::Quantity(_) | ValueKind::List(_) | ValueKind::Time(_) => {
                desk.text(value.span).to_owned()
            }
            ValueKind::Any => String::new(),
            _ => return desk.mismatch(value, &format!("`{name}`"), "one value"),
        };
        Some(Self { name: name.to_owned(), value: text, name_span, value_span: value.span, of_file: false })
    }

    /// Whether it is `*`.
    pub fn is_any(&self) -> bool {
        self.value.is_empty()
    }

    fn of_setting(setting: &Setting, desk: &mut Desk<'_>) -> Option<Self> {
        let name = &setting.key.node;
        match setting.values.as_slice() {
            [value] => Self::of(name, setting.key.span, value, desk),
            [is, value] if matches!(&is.kind, ValueKind::Word(word) if word == "is") => {
                let message = format!("a request states its inputs without `{}`", desk.text(is.span));
                let between = Span { hi: value.span.lo, ..is.span };
                let finding = Diagnostic::new(&R110, is.span, message);
                let title = format!("write `{name} {}`", desk.text(value.span));
                desk.report(finding.help(title.clone()).fix(true, title, between, ""));
                None
            }
            _ => {
                let message = format!("`{name}` takes one value, and {} are written", setting.values.len());
                desk.report(
                    Diagnostic::new(&R110, setting.span, message).help(format!("write one, like `{name} VALUE`")),
                );
                None
            }
        }
    }
}

/// The inputs of a `request { .. }`.
pub(super) fn request(block: &Block, desk: &mut Desk<'_>) -> Vec<Input> {
    let mut inputs = Vec::new();
    for stmt in &block.stmts {
        match stmt {
            BlockStmt::Setting(setting) => inputs.extend(Input::of_setting(setting, desk)),
            BlockStmt::Cond { key, .. } | BlockStmt::Nested { key, .. } => {
                let message = format!("`{}` takes one value", key.node);
                desk.report(Diagnostic::new(&R110, key.span, message).help(format!("write `{} VALUE`", key.node)));
            }
        }
    }
    inputs
}

/// Inputs of a test over the defaults of its file. R108 for what one test says twice.
pub(super) fn over(of_file: &[Input], own: Vec<Input>, desk: &mut Desk<'_>) -> Vec<Input> {
    let mut all: Vec<Input> = Vec::with_capacity(of_file.len() + own.len());
    for input in own {
        if let Some(first) = all.iter().find(|one| one.name == input.name) {
            let message = format!("`{}` is given twice", input.name);
            let finding = Diagnostic::new(&R108, input.name_span, message).here("given again");
            desk.report(finding.label(first.name_span, "first given here").help("delete one of the two"));
        } else {
            all.push(input);
        }
    }
    let clock = all.iter().any(|one| matches!(one.name.as_str(), "time" | "day"));
    let inherited = of_file.iter().filter(|input| !all.iter().any(|one| one.name == input.name));
    let inherited: Vec<Input> = inherited.filter(|input| !(clock && input.name == "now")).cloned().collect();
    all.extend(inherited);
    all
}
