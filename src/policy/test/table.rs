//! `table a, b -> rule { rows }`: one test a row.
//!
//! In: a table as written. Out: a case for each row. Must not know: how cells are judged.

use super::super::ast::{Name, TableRow, ValueKind};
use super::super::diagnostic::{Diagnostic, R110};
use super::super::resolve::unknown;
use super::expect::Expecting;
use super::read::{Reader, Shared};
use super::{Expectation, Input};

/// Requests that the rows of one table may stand for where `*` must hold for more than the rule: each is planned by itself.
pub const MAX_COMBINATIONS: usize = 1024;

/// Reads the rows of a table, numbered from what earlier tables of the test left.
pub(super) fn rows(
    reader: &mut Reader<'_>,
    shared: &Shared<'_>,
    inputs: &[Name],
    outputs: &[Name],
    rows: &[TableRow],
    number: &mut usize,
) {
    let before = reader.desk.count();
    for output in outputs {
        if !Expecting::CELLS.contains(&output.node.as_str()) {
            let message = format!("`{}` is no output of a table", output.node);
            reader.desk.report(unknown(&R110, "output", message, &output.node, output.span, &Expecting::CELLS));
        }
    }
    let faults = reader.desk.errors_since(before);
    let all = Shared {
        name: shared.name,
        about: shared.about.clone(),
        expects: shared.expects.clone(),
        faults: shared.faults.iter().chain(&faults).cloned().collect(),
    };
    for row in rows {
        *number += 1;
        let before = reader.desk.count();
        let cells = inputs.iter().zip(&row.inputs);
        let cells: Vec<Input> = cells
            .filter_map(|(name, value)| {
                let name = if name.node == "model" { "requested_model" } else { &name.node };
                Input::of(name, value.span, value, &mut reader.desk)
            })
            .collect();
        let mut expected = Vec::new();
        for (column, value) in outputs.iter().zip(&row.outputs) {
            if value.kind == ValueKind::Any {
                let message = "`*` stands for every value of an input, and this is what is expected";
                reader.desk.report(Diagnostic::new(&R110, value.span, message).help("write what must come out"));
                continue;
            }
            let what = reader.expecting().cell(&column.node, value, &mut reader.desk);
            expected.extend(what.map(|what| Expectation { span: value.span, what }));
        }
        let broken = reader.desk.errors_since(before);
        let shared = Shared { faults: all.faults.iter().chain(&broken).cloned().collect(), ..all.copy() };
        reader.case(&shared, Some(*number), row.span, cells, expected);
    }
}

impl Shared<'_> {
    fn copy(&self) -> Self {
        Self { name: self.name, about: self.about.clone(), expects: self.expects.clone(), faults: self.faults.clone() }
    }
}
