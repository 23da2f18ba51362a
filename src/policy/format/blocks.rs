//! Declarations and their blocks: lines, blank lines, comments, indentation.
//!
//! In: the tree, for where statements begin and end. Out: the file. Must not know: how one statement is laid out.

use std::fmt::Write as _;

use super::WIDTH;
use super::gaps::{Gap, GapLine};
use super::statements::{Layout, statement};
use crate::policy::ast::{
    Block, BlockStmt, File, Item, ItemKind, RuleBody, RuleStmtKind, TableRow, TestStmt, TestStmtKind, TierLine,
};
use crate::policy::lexer::{Token, TokenKind};
use crate::policy::source::Span;

/// Columns a block is indented by.
const INDENT: usize = 2;
/// Columns between two cells of a table.
const CELL_GAP: usize = 2;

/// The cells of a row, left and right of its arrow.
type Cells = (Vec<String>, Vec<String>);

/// Something in a block: a statement, or a block of its own.
enum Entry<'a> {
    Statement { span: Span, layout: Layout, options: Vec<u32> },
    Block { span: Span, inner: Vec<Entry<'a>>, chain: bool },
    Table { span: Span, rows: &'a [TableRow] },
}

impl Entry<'_> {
    const fn line(span: Span) -> Self {
        Self::Statement { span, layout: Layout::Line, options: Vec::new() }
    }

    const fn span(&self) -> Span {
        match self {
            Self::Statement { span, .. } | Self::Block { span, .. } | Self::Table { span, .. } => *span,
        }
    }
}

/// Prints one file.
pub(super) struct Printer<'t> {
    text: &'t str,
    tokens: &'t [Token],
}

impl<'t> Printer<'t> {
    pub const fn new(text: &'t str, tokens: &'t [Token]) -> Self {
        Self { text, tokens }
    }

    /// The whole file.
    pub fn file(&self, file: &File) -> String {
        let mut out = String::new();
        let mut at = 0;
        let mut before_is_short = true;
        for (index, item) in file.items.iter().enumerate() {
            let printed = self.item(item);
            // A declaration without a block counts as one line, however many its condition takes.
            let short = entry_of(item).is_none() || !printed.contains('\n');
            let mut gap = self.gap(at, item.span.lo);
            gap = if index == 0 {
                gap.at_top()
            } else if short && before_is_short {
                gap
            } else {
                gap.apart()
            };
            self.write_gap(&mut out, &gap, 0, index > 0);
            out.push_str(&printed);
            at = item.span.hi;
            before_is_short = short;
        }
        let gap = self.gap(at, self.text.len() as u32).closed();
        let gap = if file.items.is_empty() { gap.at_top() } else { gap };
        self.write_gap(&mut out, &gap, 0, !file.items.is_empty());
        let mut out = out.trim_end().to_owned();
        if !out.is_empty() {
            out.push('\n');
        }
        out
    }

    fn gap(&self, from: u32, to: u32) -> Gap<'t> {
        Gap::between(self.text, self.tokens, from, to)
    }

    /// Ends the line, writes what stands in the gap, and leaves `out` where the next statement begins.
    fn write_gap(&self, out: &mut String, gap: &Gap<'_>, indent: usize, line_open: bool) {
        if let Some(behind) = gap.behind {
            if line_open {
                out.push_str("  ");
            }
            out.push_str(behind);
        }
        if line_open || gap.behind.is_some() {
            out.push('\n');
        }
        for line in &gap.lines {
            if let GapLine::Comment(comment) = line {
                let _ = write!(out, "{:indent$}{comment}", "");
            }
            out.push('\n');
        }
        let _ = write!(out, "{:indent$}", "");
    }

    fn item(&self, item: &Item) -> String {
        match entry_of(item) {
            Some(entry) => self.entry(&entry, 0),
            None => {
                let layout =
                    if matches!(item.kind, ItemKind::Define { .. }) { Layout::Condition } else { Layout::Line };
                self.with_options(item.span, layout, &self.attribute_options(item), 0)
            }
        }
    }

    fn statement(&self, span: Span, layout: Layout, indent: usize) -> String {
        self.with_options(span, layout, &[], indent)
    }

    fn with_options(&self, span: Span, layout: Layout, options: &[u32], indent: usize) -> String {
        statement(self.text, self.tokens, (span.lo, span.hi), layout, options, indent)
    }

    /// Where the options of an attribute begin: `from` and `default`, behind its domain.
    fn attribute_options(&self, item: &Item) -> Vec<u32> {
        let ItemKind::Attribute(attribute) = &item.kind else { return vec![] };
        let behind =
            self.tokens.iter().filter(|token| token.lo >= attribute.domain.span.hi && token.hi <= item.span.hi);
        behind.filter(|token| matches!(token.text(self.text), "from" | "default")).map(|token| token.lo).collect()
    }

    fn entry(&self, entry: &Entry<'_>, indent: usize) -> String {
        match entry {
            Entry::Statement { span, layout, options } => self.with_options(*span, *layout, options, indent),
            Entry::Block { span, inner, chain } => self.block(*span, inner, *chain, indent),
            Entry::Table { span, rows } => self.table(*span, rows, indent),
        }
    }

    /// The places of a block's braces: the first `{` of its span, and its last token.
    fn braces(&self, span: Span) -> (u32, u32) {
        let from = self.tokens.partition_point(|token| token.lo < span.lo);
        let open = self.tokens[from..].iter().find(|token| token.kind == TokenKind::OpenBrace);
        (open.map_or(span.lo, |token| token.lo), span.hi.saturating_sub(1))
    }

    fn block(&self, span: Span, inner: &[Entry<'_>], chain: bool, indent: usize) -> String {
        let (open, close) = self.braces(span);
        let head = self.statement(Span { hi: open, ..span }, Layout::Line, indent);
        let written = self.gap(open + 1, close);
        if inner.is_empty() && written.is_bare() {
            return format!("{head} {{}}");
        }
        if !chain && self.is_one_line(open, close) {
            let parts: Vec<String> = inner.iter().map(|entry| self.entry(entry, 0)).collect();
            let line = format!("{head} {{ {} }}", parts.join(", "));
            if indent + line.chars().count() <= WIDTH && !line.contains('\n') {
                return line;
            }
        }
        let mut out = format!("{head} {{");
        let mut at = open + 1;
        for (index, entry) in inner.iter().enumerate() {
            let gap = self.gap(at, entry.span().lo);
            let gap = if index == 0 { gap.opened() } else { gap };
            let printed = self.entry(entry, indent + INDENT);
            let joined = gap.same_line && index > 0 && self.modifies(&inner[index - 1], entry);
            let column = out.rsplit('\n').next().map_or(0, |line| line.chars().count());
            if joined && column + 2 + printed.chars().count() <= WIDTH {
                out.push_str(", ");
            } else {
                self.write_gap(&mut out, &gap, indent + INDENT, true);
            }
            out.push_str(&printed);
            at = entry.span().hi;
        }
        let gap = self.gap(at, close).closed();
        let gap = if inner.is_empty() { gap.opened() } else { gap };
        self.write_last_gap(&mut out, &gap, indent);
        out.push('}');
        out
    }

    /// The gap before a closing brace: comments stand in the block, the brace does not.
    fn write_last_gap(&self, out: &mut String, gap: &Gap<'_>, indent: usize) {
        let inside = indent + INDENT;
        if let Some(behind) = gap.behind {
            let _ = write!(out, "  {behind}");
        }
        for line in &gap.lines {
            out.push('\n');
            if let GapLine::Comment(comment) = line {
                let _ = write!(out, "{:inside$}{comment}", "");
            }
        }
        let _ = write!(out, "\n{:indent$}", "");
    }

    fn is_one_line(&self, open: u32, close: u32) -> bool {
        let from = self.tokens.partition_point(|token| token.lo < open);
        let mut inside = self.tokens[from..].iter().take_while(|token| token.lo < close);
        inside.all(Token::is_significant)
    }

    /// A setting that only modifies the one before it stays behind its comma, if it was written there:
    /// `limit 3M tokens per day, each tenant`. Nothing else shares a line.
    fn modifies(&self, before: &Entry<'_>, entry: &Entry<'_>) -> bool {
        let first = |entry: &Entry<'_>| match entry {
            Entry::Statement { span, layout: Layout::Line, .. } => {
                self.text[span.lo as usize..span.hi as usize].split_whitespace().next().unwrap_or_default()
            }
            _ => "",
        };
        matches!(
            (first(before), first(entry)),
            ("limit", "each")
                | ("webhook", "timeout" | "on")
                | ("timeout", "on")
                | ("shadow", "budget" | "keep" | "scored")
                | ("budget" | "keep", "scored")
        )
    }

    /// Rows in columns: the only thing that is aligned.
    fn table(&self, span: Span, rows: &[TableRow], indent: usize) -> String {
        let (open, close) = self.braces(span);
        let mut out = format!("{} {{", self.statement(Span { hi: open, ..span }, Layout::Line, indent));
        let cell = |span: Span| self.statement(span, Layout::Line, 0);
        let cells: Vec<Cells> = rows
            .iter()
            .map(|row| {
                (
                    row.inputs.iter().map(|value| cell(value.span)).collect(),
                    row.outputs.iter().map(|value| cell(value.span)).collect(),
                )
            })
            .collect();
        let widths = |side: fn(&Cells) -> &Vec<String>| -> Vec<usize> {
            let columns = cells.iter().map(|row| side(row).len()).max().unwrap_or(0);
            let width = |column: usize| {
                cells.iter().filter_map(|row| side(row).get(column)).map(|cell| cell.chars().count()).max()
            };
            (0..columns).map(|column| width(column).unwrap_or(0) + CELL_GAP).collect()
        };
        let (left, right) = (widths(|row| &row.0), widths(|row| &row.1));
        let mut at = open + 1;
        for (index, (row, (inputs, outputs))) in rows.iter().zip(&cells).enumerate() {
            let gap = self.gap(at, row.span.lo);
            let gap = if index == 0 { gap.opened() } else { gap };
            self.write_gap(&mut out, &gap, indent + INDENT, true);
            let mut line = String::new();
            for (cell, width) in inputs.iter().zip(&left) {
                let _ = write!(line, "{cell:<width$}");
            }
            line.push_str("->  ");
            for (cell, width) in outputs.iter().zip(&right) {
                let _ = write!(line, "{cell:<width$}");
            }
            out.push_str(line.trim_end());
            at = row.span.hi;
        }
        let gap = self.gap(at, close).closed();
        let gap = if rows.is_empty() { gap.opened() } else { gap };
        self.write_last_gap(&mut out, &gap, indent);
        out.push('}');
        out
    }
}

/// The block a declaration is, if it is one.
fn entry_of(item: &Item) -> Option<Entry<'_>> {
    let span = item.span;
    let (inner, chain) = match &item.kind {
        ItemKind::Rule { body, .. } | ItemKind::Ladder { body, .. } | ItemKind::Otherwise { body, .. } => {
            let chain = body.stmts.iter().any(|stmt| matches!(layout_of(&stmt.kind, false), Layout::Chain(_)));
            (rule_entries(body), chain)
        }
        ItemKind::Tier(tier) => (tier.lines.iter().map(tier_entry).collect(), false),
        ItemKind::Decl { body, .. } | ItemKind::Property { body, .. } => (block_entries(body), false),
        ItemKind::Test { body, .. } => (body.iter().map(test_entry).collect(), false),
        _ => return None,
    };
    Some(Entry::Block { span, inner, chain })
}

fn rule_entries(body: &RuleBody) -> Vec<Entry<'_>> {
    let entry = |stmt: &crate::policy::ast::RuleStmt| Entry::Statement {
        span: stmt.span,
        layout: layout_of(&stmt.kind, true),
        options: options_of(&stmt.kind),
    };
    body.stmts.iter().map(entry).collect()
}

/// How a statement of a rule is laid out. `padded` tells the words that are padded from those that only count as chain words.
const fn layout_of(kind: &RuleStmtKind, padded: bool) -> Layout {
    match kind {
        RuleStmtKind::When(_) => Layout::Condition,
        RuleStmtKind::Fallback { intent: Some(_), .. } => Layout::Chain(2),
        // Without a direction the word is not one of the chain words, and the line is wrong anyway.
        RuleStmtKind::Fallback { intent: None, .. } if padded => Layout::Line,
        RuleStmtKind::Tier { .. }
        | RuleStmtKind::Snapshot { .. }
        | RuleStmtKind::Fallback { .. }
        | RuleStmtKind::Ladder(_)
        | RuleStmtKind::Degrade(_)
        | RuleStmtKind::Reject { .. } => Layout::Chain(1),
        _ => Layout::Line,
    }
}

/// Where the options of a hop begin.
fn options_of(kind: &RuleStmtKind) -> Vec<u32> {
    match kind {
        RuleStmtKind::Tier { order, options, .. } => {
            let order = order.iter().map(|order| order.span.lo);
            order.chain(options.iter().map(|option| option.span.lo)).collect()
        }
        RuleStmtKind::Snapshot { options, .. } | RuleStmtKind::Fallback { options, .. } => {
            options.iter().map(|option| option.span.lo).collect()
        }
        _ => vec![],
    }
}

fn tier_entry(line: &TierLine) -> Entry<'_> {
    let span = match line {
        TierLine::Member { candidate, model } => candidate.map_or(model.span, |word| word.to(model.span)),
        TierLine::Requires { span, .. } => *span,
        TierLine::Setting(setting) => setting.span,
    };
    Entry::line(span)
}

fn block_entries(block: &Block) -> Vec<Entry<'_>> {
    let entry = |stmt: &BlockStmt| match stmt {
        BlockStmt::Setting(setting) => Entry::line(setting.span),
        BlockStmt::Cond { key, cond } => {
            Entry::Statement { span: key.span.to(cond.span), layout: Layout::Condition, options: vec![] }
        }
        BlockStmt::Nested { key, block } => Entry::line(block.span.map_or(key.span, |span| key.span.to(span))),
    };
    block.stmts.iter().map(entry).collect()
}

fn test_entry(stmt: &TestStmt) -> Entry<'_> {
    match &stmt.kind {
        TestStmtKind::Request(block) => Entry::Block { span: stmt.span, inner: block_entries(block), chain: false },
        TestStmtKind::Table { rows, .. } => Entry::Table { span: stmt.span, rows },
        TestStmtKind::Given(_) | TestStmtKind::Expect(_) => Entry::line(stmt.span),
    }
}
