//! Fixes put into texts (section 8.3).
//!
//! In: findings with edits, the texts they are about. Out: other texts, and whether a policy still decides as before. Must not
//! know: files, which fixes somebody asked for.

use std::collections::BTreeMap;

use super::checked::Checked;
use super::diagnostic::{Diagnostic, Edit, Fix, Level, R901};
use super::diff::{DiffError, diff};
use super::prove::Options;
use super::source::{FileId, Sources, Span};

/// A fix, and the finding it cures.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    /// What is wrong.
    pub finding: &'a Diagnostic,
    /// The edits.
    pub fix: &'a Fix,
}

/// The fixes to apply at once, at most one a finding: in page order, each that overlaps none before it. The layout comes last,
/// because its edit covers the others.
pub fn choose<'a>(findings: &'a [Diagnostic], wanted: &dyn Fn(&Choice<'a>) -> bool) -> Vec<Choice<'a>> {
    let (layout, content): (Vec<_>, Vec<_>) = findings.iter().partition(|finding| *finding.code == R901);
    let mut taken: Vec<Span> = Vec::new();
    let mut chosen = Vec::new();
    for finding in content.into_iter().chain(layout) {
        let mut choices = finding.fixes.iter().map(|fix| Choice { finding, fix });
        let Some(choice) = choices.find(|choice| wanted(choice)) else { continue };
        let edits = &choice.fix.edits;
        if edits.iter().all(|edit| taken.iter().all(|span| !overlap(edit.span, *span))) {
            taken.extend(edits.iter().map(|edit| edit.span));
            chosen.push(choice);
        }
    }
    chosen
}

/// Whether two edits cannot both be made, or not in an order that is clear.
fn overlap(a: Span, b: Span) -> bool {
    let inside = a.lo < b.hi && b.lo < a.hi;
    let same_place = a.lo == b.lo && (a.lo == a.hi || b.lo == b.hi);
    a.file == b.file && (inside || same_place)
}

/// The texts that change.
pub fn apply(choices: &[Choice<'_>], sources: &Sources) -> BTreeMap<FileId, String> {
    let mut edits: Vec<&Edit> = choices.iter().flat_map(|choice| &choice.fix.edits).collect();
    edits.sort_by_key(|edit| std::cmp::Reverse((edit.span.file, edit.span.lo, edit.span.hi)));
    let mut texts: BTreeMap<FileId, String> = BTreeMap::new();
    for Edit { span, text } in edits {
        let file = texts.entry(span.file).or_insert_with(|| sources.file(span.file).text.to_string());
        file.replace_range(span.lo as usize..span.hi as usize, text);
    }
    texts
}

/// Why an edit is not made although its fix was marked as safe, in words; `None` when the two policies decide alike.
pub fn changes(before: &Checked, after: &Checked, options: Options) -> Option<String> {
    match diff(before, after, options) {
        Ok(same) if same.is_equal() => None,
        Ok(changed) => Some(match changed.groups.first() {
            Some(group) => format!("some requests would go from `{}` to `{}`", group.was, group.now),
            None => changed.notes.first().cloned().unwrap_or_else(|| "other requests would be admitted".to_owned()),
        }),
        Err(DiffError::Findings(_)) => Some("that it changes no decision could not be proven".to_owned()),
        Err(DiffError::Wrong(error)) => Some(format!("the comparison of decisions failed: {error}")),
    }
}

/// The first error that there are more of than before. Places and numbers in messages move with an edit, so errors are counted
/// by code.
pub fn new_error<'a>(before: &[Diagnostic], after: &'a [Diagnostic]) -> Option<&'a Diagnostic> {
    let errors = |list: &[Diagnostic], like: &Diagnostic| {
        list.iter().filter(|one| one.level == Level::Error && one.code == like.code).count()
    };
    let mut worse = after.iter().filter(|one| one.level == Level::Error);
    worse.find(|one| errors(after, one) > errors(before, one))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::diagnostic::R109;

    const TEXT: &str = "0123456789";

    fn finding(safe: bool, edits: &[(u32, u32, &str)]) -> Diagnostic {
        let span = |lo, hi| Span { file: FileId(0), lo, hi };
        let edits =
            edits.iter().map(|(lo, hi, text)| Edit { span: span(*lo, *hi), text: (*text).to_owned() }).collect();
        let mut finding = Diagnostic::new(&R109, span(0, 0), "x");
        finding.fixes.push(Fix { safe, title: "fix".to_owned(), edits });
        finding
    }

    fn applied(findings: &[Diagnostic]) -> String {
        let mut sources = Sources::default();
        let file = sources.add("a.route", TEXT);
        let chosen = choose(findings, &|choice| choice.fix.safe);
        apply(&chosen, &sources).remove(&file).unwrap_or_default()
    }

    #[test]
    fn the_first_of_two_that_overlap_wins_and_a_fix_is_made_whole_or_not() {
        let both = [finding(true, &[(2, 4, "x"), (6, 7, "y")]), finding(true, &[(3, 5, "z")])];
        assert_eq!(applied(&both), "01x45y789");
        let part = [finding(true, &[(3, 5, "z")]), finding(true, &[(2, 4, "x"), (6, 7, "y")])];
        assert_eq!(applied(&part), "012z56789");
        let beside = [finding(true, &[(3, 5, "z")]), finding(true, &[(5, 6, "x")]), finding(true, &[(5, 5, "-")])];
        assert_eq!(applied(&beside), "012zx6789");
        let inserted = [finding(true, &[(5, 5, "a")]), finding(true, &[(5, 5, "b")])];
        assert_eq!(applied(&inserted), "01234a56789");
    }

    #[test]
    fn only_wanted_fixes_are_chosen_and_the_layout_comes_last() {
        assert_eq!(applied(&[finding(false, &[(0, 1, "x")])]), "");
        let mut layout = finding(true, &[(0, 10, "laid out")]);
        layout.code = &R901;
        assert_eq!(applied(&[layout.clone()]), "laid out");
        assert_eq!(applied(&[layout, finding(true, &[(9, 10, "x")])]), "012345678x");
    }
}
