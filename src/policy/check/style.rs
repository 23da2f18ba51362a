//! Style: the one layout (R901), a reason for every rule (R905), names in snake_case (R906).
//!
//! In: texts and trees of a set. Out: findings. Must not know: whether anybody wants them; R905 and R906 are pedantic.

use rustc_hash::FxHashMap;

use super::super::ast::{Item, ItemKind, RuleBody, RuleStmtKind};
use super::super::diagnostic::{Diagnostic, Edit, Fix, R901, R905, R906};
use super::super::format::format;
use super::super::lexer::{self, TokenKind};
use super::super::resolve::Loaded;
use super::super::source::{FileId, SourceFile, Sources, Span};

/// R905 and R906 of a set.
pub fn check(loaded: &Loaded, findings: &mut Vec<Diagnostic>) {
    for item in loaded.items() {
        if let ItemKind::Rule { name, body } = &item.kind
            && !gives_a_reason(body)
        {
            let finding = Diagnostic::new(&R905, name.span, format!("rule `{}` gives no reason", name.node));
            findings.push(finding.here("no `because`").help("write `because \"…\"` as its first line, one sentence"));
        }
    }
    let unstyled = loaded.items().filter_map(declared).filter(|(name, _)| snake_case(name) != *name);
    let unstyled: Vec<(&str, Span)> = unstyled.collect();
    if !unstyled.is_empty() {
        let words = words(&loaded.sources);
        findings.extend(unstyled.into_iter().map(|(name, span)| restyled(name, span, &words)));
    }
}

/// A rule of which a part could not be read may have its reason there.
fn gives_a_reason(body: &RuleBody) -> bool {
    body.broken || body.stmts.iter().any(|stmt| matches!(stmt.kind, RuleStmtKind::Because(_)))
}

/// The name that a declaration gives. Tenants are left out: their names are the customers' own.
fn declared(item: &Item) -> Option<(&str, Span)> {
    let name = match &item.kind {
        ItemKind::Define { name, .. }
        | ItemKind::Group { name, .. }
        | ItemKind::Template { name, .. }
        | ItemKind::Ladder { name, .. }
        | ItemKind::Rule { name, .. } => name,
        ItemKind::Attribute(attribute) => &attribute.name,
        ItemKind::Tier(tier) => &tier.name,
        ItemKind::Decl { kind, name: Some(name), .. } if kind.node != "tenant" => name,
        _ => return None,
    };
    Some((&name.node, name.span))
}

fn restyled(name: &str, span: Span, words: &FxHashMap<&str, Vec<Span>>) -> Diagnostic {
    let style = snake_case(name);
    let finding = Diagnostic::new(&R906, span, format!("`{name}` is not in snake_case"))
        .here(format!("in style: `{style}`"))
        .help(format!("write `{style}` here and wherever it is used; callers that send this name must follow"));
    let edit = |span: &Span| Edit { span: *span, text: style.clone() };
    let edits: Vec<Edit> = words.get(name).into_iter().flatten().map(edit).collect();
    // A name that stands for something already would make two things one.
    if words.contains_key(style.as_str()) || edits.is_empty() {
        return finding;
    }
    let title = format!("rename `{name}` to `{style}` in every file of the set");
    Diagnostic { fixes: vec![Fix { safe: false, title, edits }], ..finding }
}

/// Where each word of a set stands.
fn words(sources: &Sources) -> FxHashMap<&str, Vec<Span>> {
    let mut words: FxHashMap<&str, Vec<Span>> = FxHashMap::default();
    for (id, file) in sources.files() {
        let tokens = lexer::lex(id, &file.text, &mut Vec::new()).unwrap_or_default();
        for token in tokens.iter().filter(|token| token.kind == TokenKind::Word) {
            words.entry(token.text(&file.text)).or_default().push(Span { file: id, lo: token.lo, hi: token.hi });
        }
    }
    words
}

/// `SlowSonnet-2` is `slow_sonnet_2`.
fn snake_case(name: &str) -> String {
    let mut style = String::with_capacity(name.len() + 4);
    let mut before = '_';
    for c in name.chars() {
        if c.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit()) {
            style.push('_');
        }
        style.push(if c == '-' { '_' } else { c.to_ascii_lowercase() });
        before = c;
    }
    style
}

/// R901, when the formatter would change a file. A file that does not parse has other findings.
pub fn layout(id: FileId, file: &SourceFile) -> Option<Diagnostic> {
    let text = &*file.text;
    let formatted = format(text).ok().filter(|formatted| formatted != text)?;
    let (old, new): (Vec<&str>, Vec<&str>) =
        (text.split_inclusive('\n').collect(), formatted.split_inclusive('\n').collect());
    let alike = |old: &mut dyn Iterator<Item = &&str>, new: &mut dyn Iterator<Item = &&str>| {
        old.zip(new).take_while(|(old, new)| old == new).count()
    };
    let before = alike(&mut old.iter(), &mut new.iter());
    let most = old.len().min(new.len()) - before;
    let behind = alike(&mut old.iter().rev(), &mut new.iter().rev()).min(most);
    let bytes = |lines: &[&str]| lines.iter().map(|line| line.len()).sum::<usize>();
    let (lo, hi) = (bytes(&old[..before]), bytes(&old[..old.len() - behind]));
    let first = old.get(before).map_or("", |line| line.trim_end());
    let indent = first.len() - first.trim_start().len();
    let place = Span { file: id, lo: (lo + indent) as u32, hi: (lo + first.len()) as u32 };
    let changed = Span { file: id, lo: lo as u32, hi: hi as u32 };
    Some(
        Diagnostic::new(&R901, place, format!("`{}` is not in the one layout", file.path))
            .here("the first line that would change")
            .help(format!("run `wayside fmt {}`", file.path))
            .fix(true, "lay the file out", changed, new[before..new.len() - behind].concat()),
    )
}

#[cfg(test)]
mod tests {
    use super::snake_case;

    #[test]
    fn names_in_style_stay_and_others_are_split_where_they_read_so() {
        for (name, style) in [
            ("slow_sonnet_2", "slow_sonnet_2"),
            ("SlowSonnet", "slow_sonnet"),
            ("slow-sonnet", "slow_sonnet"),
            ("EU", "eu"),
            ("gpt4Mini", "gpt4_mini"),
        ] {
            assert_eq!(snake_case(name), style);
        }
    }
}
