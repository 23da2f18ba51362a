//! The declarations of a file, what can be run beside them, and one layout.
//!
//! In: a file of a set. Out: document symbols, code lenses, edits. Must not know: messages.

use gen_lsp_types::{CodeLens, Command, DocumentSymbol, SymbolKind, TextEdit};
use serde_json::json;

use super::position::{Encoding, Lines};
use super::set::Set;
use crate::policy::ast::{Item, ItemKind, TierLine};
use crate::policy::checked::RuleId;
use crate::policy::diagnostic::Witness;
use crate::policy::format::{FormatError, format};
use crate::policy::source::{FileId, Span};

/// Declarations in page order; a tier with its members.
pub fn symbols(set: &Set, file: FileId, encoding: Encoding) -> Vec<DocumentSymbol> {
    let Some(tree) = set.files.get(usize::from(file.0)) else { return Vec::new() };
    tree.items.iter().filter_map(|item| symbol(set, item, encoding)).collect()
}

fn symbol(set: &Set, item: &Item, encoding: Encoding) -> Option<DocumentSymbol> {
    let mut children = Vec::new();
    let (word, name, place, kind) = match &item.kind {
        ItemKind::Define { name, .. } => ("define", name.node.as_str(), name.span, SymbolKind::Function),
        ItemKind::Attribute(one) => ("attribute", one.name.node.as_str(), one.name.span, SymbolKind::Property),
        ItemKind::Group { kind, name, .. } => (kind.node.as_str(), name.node.as_str(), name.span, SymbolKind::Array),
        ItemKind::Tier(tier) => {
            for line in &tier.lines {
                if let TierLine::Member { model, .. } = line {
                    let name = format!("{}/{}", model.provider, model.id);
                    children.push(one(set, &name, None, SymbolKind::Constant, (model.span, model.span), encoding));
                }
            }
            ("tier", tier.name.node.as_str(), tier.name.span, SymbolKind::Class)
        }
        ItemKind::Template { name, .. } => ("template", name.node.as_str(), name.span, SymbolKind::String),
        ItemKind::Ladder { name, .. } => ("ladder", name.node.as_str(), name.span, SymbolKind::Array),
        ItemKind::Rule { name, .. } => ("rule", name.node.as_str(), name.span, SymbolKind::Method),
        ItemKind::Otherwise { keyword, .. } => ("rule", "otherwise", *keyword, SymbolKind::Method),
        ItemKind::Decl { kind, name, .. } => match name {
            Some(name) => (kind.node.as_str(), name.node.as_str(), name.span, SymbolKind::Object),
            None => ("", kind.node.as_str(), kind.span, SymbolKind::Object),
        },
        ItemKind::Test { name, .. } => ("test", name.node.as_str(), name.span, SymbolKind::Event),
        ItemKind::Property { name, .. } => ("property", name.node.as_str(), name.span, SymbolKind::Event),
        _ => return None,
    };
    // A symbol without a name is refused by editors.
    let name = if name.is_empty() { word } else { name };
    let mut symbol = one(set, name, Some(word), kind, (item.span, place), encoding);
    symbol.children = (!children.is_empty()).then_some(children);
    Some(symbol)
}

fn one(
    set: &Set,
    name: &str,
    detail: Option<&str>,
    kind: SymbolKind,
    (whole, place): (Span, Span),
    encoding: Encoding,
) -> DocumentSymbol {
    let detail = detail.filter(|word| !word.is_empty()).map(str::to_owned);
    DocumentSymbol::new(
        name.to_owned(),
        detail,
        kind,
        None,
        None,
        set.range(whole, encoding),
        set.range(place, encoding),
        None,
    )
}

/// "run test" above tests and "explain with …" above rules, as commands for the client.
pub fn lenses(set: &Set, file: FileId, encoding: Encoding) -> Vec<CodeLens> {
    let Some(tree) = set.files.get(usize::from(file.0)) else { return Vec::new() };
    let path = set.path(file).to_string_lossy().into_owned();
    let uri = super::uri::from_path(&set.path(file));
    let mut lenses = Vec::new();
    for item in &tree.items {
        if let ItemKind::Test { name, .. } = &item.kind {
            let arguments =
                json!({"uri": uri, "path": path, "test": name.node, "line": set.range(name.span, encoding).start.line});
            lenses.push(lens(set, name.span, "run test".to_owned(), "wayside.runTest", arguments, encoding));
        }
    }
    let Some(checked) = &set.checked else { return lenses };
    let own: Vec<(RuleId, Span, &str)> = checked
        .rules
        .iter()
        .enumerate()
        .filter(|(_, rule)| rule.span.file == file)
        .map(|(at, rule)| (RuleId(at as u32), rule.span, &*rule.name))
        .collect();
    let reaches = set.reaches(&own.iter().map(|(id, ..)| *id).collect::<Vec<_>>());
    for ((_, span, rule), reach) in own.into_iter().zip(reaches) {
        let Some(reach) = reach else { continue };
        let request = pairs(&reach.witness);
        let title = format!("explain with {}", super::diagnostics::witness_text(&reach.witness));
        let policy = set.root.to_string_lossy();
        let arguments = json!({"uri": uri, "path": policy, "rule": rule, "request": request});
        lenses.push(lens(set, span, title, "wayside.explain", arguments, encoding));
    }
    lenses
}

fn lens(
    set: &Set,
    span: Span,
    title: String,
    command: &str,
    arguments: serde_json::Value,
    encoding: Encoding,
) -> CodeLens {
    let command = Command { title, tooltip: None, command: command.to_owned(), arguments: Some(vec![arguments]) };
    CodeLens { range: set.range(span, encoding), command: Some(command), data: None }
}

/// `plan=pro`, as arguments of `wayside explain`.
pub fn pairs(witness: &Witness) -> Vec<String> {
    witness.request.iter().chain(&witness.readings).map(|(name, value)| format!("{name}={value}")).collect()
}

/// The edits that lay a text out: none when it is laid out or does not parse.
///
/// # Errors
/// A defect of the formatter, which then leaves the text alone.
pub fn layout(text: &str, encoding: Encoding) -> Result<Vec<TextEdit>, String> {
    let formatted = match format(text) {
        Ok(formatted) => formatted,
        Err(FormatError::DoesNotParse(_)) => return Ok(Vec::new()),
        Err(FormatError::Defect(what)) => return Err(format!("a defect of wayside, the text is left alone: {what}")),
    };
    if formatted == text {
        return Ok(Vec::new());
    }
    // Whole lines that stay are left out, so that cursors and folds in them stay, too.
    let alike = |a: &mut dyn Iterator<Item = &str>, b: &mut dyn Iterator<Item = &str>| {
        a.zip(b).take_while(|(a, b)| a == b).map(|(a, _)| a.len()).sum::<usize>()
    };
    let head = alike(&mut text.split_inclusive('\n'), &mut formatted.split_inclusive('\n'));
    let (rest, new) = (&text[head..], &formatted[head..]);
    let tail = alike(&mut rest.split_inclusive('\n').rev(), &mut new.split_inclusive('\n').rev());
    let range = Lines::of(text).range(text, head, text.len() - tail, encoding);
    Ok(vec![TextEdit { range, new_text: new[..new.len() - tail].to_owned() }])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(text: &str) -> String {
        let mut out = text.to_owned();
        let lines = Lines::of(text);
        for edit in layout(text, Encoding::Utf16).unwrap().into_iter().rev() {
            let at = |position| lines.offset(text, position, Encoding::Utf16);
            out.replace_range(at(edit.range.start)..at(edit.range.end), &edit.new_text);
        }
        out
    }

    #[test]
    fn the_edits_give_what_the_formatter_gives() {
        for text in [
            "route 1\n\ntier mid {\n    openai/a-1\n}\n# ü𝄞\notherwise {\n  tier mid\n}\n",
            "route 1\r\ntier mid { openai/a-1 }\r\notherwise { tier mid }\r\n",
            "route 1\ntier mid { openai/a-1 }\notherwise {\n  tier            mid\n}",
            "",
        ] {
            let wanted = format(text).unwrap();
            assert_eq!(applied(text), wanted, "{text:?}");
            assert!(layout(&wanted, Encoding::Utf8).unwrap().is_empty(), "what is laid out stays");
        }
    }

    #[test]
    fn only_lines_that_change_are_replaced() {
        let text = "route 1\n\ntier mid { openai/a-1 }\n\notherwise {\n  tier mid\n  degrade error 503 \"x\"\n}\n";
        let edits = layout(text, Encoding::Utf16).unwrap();
        assert_eq!((edits[0].range.start.line, edits[0].range.end.line), (5, 7));
    }

    #[test]
    fn what_does_not_parse_is_left_alone() {
        assert_eq!(layout("rule {{{", Encoding::Utf16), Ok(Vec::new()));
    }
}
