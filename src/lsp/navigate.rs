//! From a name to its declaration, its uses, and a new name.
//!
//! In: a place. Out: places and edits. Must not know: messages. A name is global in a set, and a file can be in several; a
//! rename follows it through all of them, tests included, and is tried out on the checker before it is offered.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;

use gen_lsp_types::{Location, PrepareRenamePlaceholder, Range, TextEdit};

use super::diagnostics::uri_of;
use super::set::Set;
use super::state::{Spot, State};
use super::symbols::{Kind, Mention};
use crate::policy::ast::ItemKind;
use crate::policy::diagnostic::{Diagnostic, Level};
use crate::policy::lexer::{self, TokenKind};
use crate::policy::resolve::beside;
use crate::policy::source::{Sources, Span};

/// Where a name is declared, or where a used file begins.
pub fn definition(state: &State, spot: &Spot) -> Option<Location> {
    let encoding = state.documents.encoding;
    if let Some(mention) = spot.set.symbols().at(spot.file, spot.offset) {
        let declared = spot.set.symbols().declaration(mention.kind, &mention.name)?;
        return Some(located(state, &spot.set, declared.span));
    }
    let item = spot.set.item(spot.file, spot.offset)?;
    let ItemKind::Use(target) = &item.kind else { return None };
    let path = beside(&spot.set.sources.file(spot.file).path, &target.node)?;
    let file = spot.set.sources.files().find(|(_, file)| *file.path == *path)?.0;
    let start = Span { file, lo: 0, hi: 0 };
    Some(Location { uri: uri_of(state, &spot.set.path(file)), range: spot.set.range(start, encoding) })
}

fn located(state: &State, set: &Set, span: Span) -> Location {
    Location { uri: uri_of(state, &set.path(span.file)), range: set.range(span, state.documents.encoding) }
}

/// Every use of a name, in every set that has its declaration.
pub fn references(state: &mut State, spot: &Spot, declaration: bool) -> Vec<Location> {
    let Some(mention) = spot.set.symbols().at(spot.file, spot.offset).cloned() else { return Vec::new() };
    let places = everywhere(state, spot, &mention);
    let kept = places.iter().filter(|place| declaration || !place.declares);
    kept.map(|place| Location { uri: uri_of(state, &place.path), range: place.range }).collect()
}

/// Uses of a name in the document itself.
pub fn highlights(state: &State, spot: &Spot) -> Vec<Range> {
    let Some(mention) = spot.set.symbols().at(spot.file, spot.offset) else { return Vec::new() };
    let all = spot.set.symbols().all(mention.kind, &mention.name).filter(|one| one.span.file == spot.file);
    all.map(|one| spot.set.range(one.span, state.documents.encoding)).collect()
}

struct Place {
    path: PathBuf,
    span: Span,
    range: Range,
    declares: bool,
}

/// Every set in which the name at a place means the same declaration, read in full.
fn sets_with(state: &mut State, spot: &Spot, mention: &Mention) -> Vec<Rc<Set>> {
    let declared = spot.set.symbols().declaration(mention.kind, &mention.name);
    let home = declared.map_or(spot.file, |one| one.span.file);
    let path = spot.set.path(home);
    let mut sets = vec![Rc::clone(&spot.set)];
    for user in state.index.users(&path) {
        if user != spot.set.root {
            sets.extend(state.read_alone(&user));
        }
    }
    // A model may be in several tiers' sets; a name is the same only where its declaration is.
    sets.retain(|set| set.file(&path).is_some());
    sets
}

fn everywhere(state: &mut State, spot: &Spot, mention: &Mention) -> Vec<Place> {
    let encoding = state.documents.encoding;
    let mut seen = BTreeSet::new();
    let mut places = Vec::new();
    for set in sets_with(state, spot, mention) {
        for one in set.symbols().all(mention.kind, &mention.name) {
            let path = set.path(one.span.file);
            if seen.insert((path.clone(), one.span.lo)) {
                let range = set.range(one.span, encoding);
                places.push(Place { path, span: one.span, range, declares: one.declares.is_some() });
            }
        }
    }
    places
}

/// The name that a rename would begin with.
///
/// # Errors
/// Why it cannot be renamed.
pub fn prepare(state: &State, spot: &Spot) -> Result<PrepareRenamePlaceholder, String> {
    let mention = renamable(spot)?;
    Ok(PrepareRenamePlaceholder {
        range: spot.set.range(mention.span, state.documents.encoding),
        placeholder: mention.name,
    })
}

fn renamable(spot: &Spot) -> Result<Mention, String> {
    let symbols = spot.set.symbols();
    let Some(mention) = symbols.at(spot.file, spot.offset) else { return Err("there is no name here".to_owned()) };
    if mention.kind == Kind::Model {
        return Err("a model is written as its provider's API takes it and has no name of its own".to_owned());
    }
    if symbols.declaration(mention.kind, &mention.name).is_none() {
        return Err(format!("`{}` is declared in none of these files", mention.name));
    }
    Ok(mention.clone())
}

/// The edits of a rename, by file.
///
/// # Errors
/// Why the new name cannot be had.
pub fn rename(state: &mut State, spot: &Spot, new: &str) -> Result<BTreeMap<PathBuf, Vec<TextEdit>>, String> {
    let mention = renamable(spot)?;
    if !is_name(new) {
        return Err(format!(
            "`{new}` is not a name; write letters, digits, `_` and `-`, a letter first, like `{}_2`",
            mention.name
        ));
    }
    let places = everywhere(state, spot, &mention);
    let mut texts: BTreeMap<PathBuf, String> = BTreeMap::new();
    let mut edits: BTreeMap<PathBuf, Vec<TextEdit>> = BTreeMap::new();
    let sets = sets_with(state, spot, &mention);
    for place in places.iter().rev() {
        let text = texts.entry(place.path.clone()).or_insert_with(|| {
            let held = sets.iter().find_map(|set| set.file(&place.path).map(|file| set.text(file).to_owned()));
            held.unwrap_or_default()
        });
        let range = place.span.lo as usize..place.span.hi as usize;
        if text.get(range.clone()).is_some() {
            text.replace_range(range, new);
        }
        edits
            .entry(place.path.clone())
            .or_default()
            .insert(0, TextEdit { range: place.range, new_text: new.to_owned() });
    }
    for set in sets {
        try_out(state, &set, &texts, (&mention.name, new))?;
    }
    Ok(edits)
}

/// Reads a set as it would be. What is wrong then and was not before speaks against the new name.
fn try_out(
    state: &mut State,
    set: &Set,
    texts: &BTreeMap<PathBuf, String>,
    (old, new): (&str, &str),
) -> Result<(), String> {
    let Some(workspace) = state.workspace(&set.root) else { return Ok(()) };
    let nothing = BTreeMap::new();
    let errors =
        |findings: Vec<Diagnostic>| findings.into_iter().filter(|one| one.level == Level::Error).collect::<Vec<_>>();
    let before = errors(state.check_with(&workspace, &set.root, false, &nothing).findings);
    let after = errors(state.check_with(&workspace, &set.root, false, texts).findings);
    let known = |finding: &Diagnostic| {
        let same = |one: &&Diagnostic| {
            one.code == finding.code && one.message.replace(old, new) == finding.message.replace(old, new)
        };
        before.iter().filter(same).count()
            >= after.iter().filter(|one| one.code == finding.code && one.message == finding.message).count()
    };
    match after.iter().find(|finding| !known(finding)) {
        None => Ok(()),
        Some(finding) => Err(format!("`{old}` cannot become `{new}`: {} ({})", finding.message, finding.code.code)),
    }
}

fn is_name(text: &str) -> bool {
    let mut sources = Sources::default();
    let id = sources.add("", "");
    let mut findings = Vec::new();
    let tokens = lexer::lex(id, text, &mut findings).unwrap_or_default();
    let one = matches!(tokens.as_slice(), [token] if token.kind == TokenKind::Word && token.text(text) == text);
    one && findings.is_empty() && !text.contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_word_of_plain_letters() {
        for name in ["a", "mid", "snake_case", "with-dash", "a1"] {
            assert!(is_name(name), "{name}");
        }
        for other in ["", "1a", "_a", "a b", "a.b", "a/b", "ü", "\"a\"", "a\n", " a", "a,b", "#a"] {
            assert!(!is_name(other), "{other:?}");
        }
    }
}
