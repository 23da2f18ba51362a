//! `property "…" { for COND, … }`: what is said of every request, proven.
//!
//! In: properties as resolved, a policy. Out: for each clause whether it holds, and if not, a request that shows it. Must not
//! know: how results are shown.

use std::sync::Arc;

use super::super::ast::{Value, ValueKind};
use super::super::checked::{Class, ColumnId, RuleId, Says, Subject};
use super::super::diagnostic::{Diagnostic, Level, R107, R916};
use super::super::prove::{Counterexample, Options, Proof};
use super::super::render::witness_words;
use super::super::resolve::{Desk, unknown};
use super::super::source::{Span, Spanned};
use super::super::tree::Tree;
use super::expect::Expecting;

/// A property with its names looked up.
#[derive(Clone, Debug)]
pub struct PropertyTest {
    /// Its position in [`super::super::checked::Checked::properties`].
    pub at: usize,
    /// Its name.
    pub name: Arc<str>,
    /// The name.
    pub span: Span,
    /// Clauses that speak of decisions.
    pub claims: Vec<Spanned<Claim>>,
    /// What keeps it from being proven. Such a property has failed.
    pub faults: Vec<Diagnostic>,
}

/// A clause that speaks of decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// `never reads X`
    NeverReads(ColumnId),
    /// `same as rule N`
    SameAs(RuleId),
    /// `matches otherwise`
    Otherwise(RuleId),
}

/// What became of a clause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The clause.
    pub span: Span,
    /// Why it does not hold, with a request; `None` where it does.
    pub broken: Option<String>,
}

/// Looks up the names of all properties; R107, R912, R916.
pub(super) fn read(tree: &Tree, options: Options, desk: &mut Desk<'_>) -> Vec<PropertyTest> {
    let checked = tree.checked();
    if checked.properties.is_empty() {
        return Vec::new();
    }
    let wide = Proof::with_properties(checked);
    let mut proof = Proof::of_wide(&wide, options);
    let mut tests = Vec::new();
    for (at, property) in checked.properties.iter().enumerate() {
        let own = &property.guarantee;
        let before = desk.count();
        let mut claims = Vec::new();
        for one in &property.claims {
            let node = claim(tree, &one.node, own.span, desk);
            claims.extend(node.map(|node| Spanned { node, span: one.span }));
        }
        let possible = proof.as_mut().is_none_or(|proof| {
            let areas = proof.spoken_of(own.over.as_ref());
            areas.is_none_or(|areas| areas.iter().any(|area| proof.is_possible(area).unwrap_or(true)))
        });
        if !possible {
            let message = format!("no request is as property `{}` says, so there is nothing to prove", own.name);
            let place = own.over.as_ref().map_or(own.span, |over| over.span);
            desk.report(Diagnostic::new(&R916, place, message).here("no request is like this"));
        }
        let mut faults = desk.errors_since(before);
        if property.broken && faults.is_empty() {
            let message = "a part of the property cannot be read";
            faults.push(Diagnostic::new(&R916, own.span, message).level(Level::Error));
        }
        tests.push(PropertyTest { at, name: Arc::clone(&own.name), span: own.span, claims, faults });
    }
    tests
}

fn claim(tree: &Tree, says: &Says, place: Span, desk: &mut Desk<'_>) -> Option<Claim> {
    match says {
        Says::NeverReads(value) => reading(tree, value, desk).map(Claim::NeverReads),
        Says::SameAs(value) => Expecting { tree }.rule(value, desk).map(Claim::SameAs),
        Says::Otherwise => {
            let value = Value { span: place, kind: ValueKind::Word("otherwise".to_owned()) };
            Expecting { tree }.rule(&value, desk).map(Claim::Otherwise)
        }
    }
}

/// The column of a reading or a classifier. One that no rule looks at is never read, which says nothing: R916.
fn reading(tree: &Tree, value: &Value, desk: &mut Desk<'_>) -> Option<ColumnId> {
    let word = desk.word(value, "`never reads`")?;
    let space = tree.space();
    let late = || space.ids().filter(|id| space.column(*id).class != Class::Free);
    let named = |id: &ColumnId| {
        let column = space.column(*id);
        *column.name == *word || column.subject == Subject::Clock && matches!(word, "now" | "day")
    };
    if let Some(found) = late().find(named) {
        return Some(found);
    }
    let moving = &tree.checked().moving;
    let declared = moving.budgets.iter().map(|one| &*one.name);
    let declared = declared.chain(moving.switches.iter().map(|one| &*one.name));
    let declared = declared.chain(moving.signals.iter().map(|one| &*one.name));
    let mut declared = declared.chain(moving.classifiers.iter().map(|one| &*one.name));
    if declared.any(|name| name == word) {
        let message = format!("no rule looks at `{word}`, so there is nothing to prove");
        desk.report(Diagnostic::new(&R916, value.span, message).level(Level::Error).help("delete this line"));
    } else {
        let known: Vec<&str> = late().map(|id| &*space.column(id).name).collect();
        let message = format!("there is no reading `{word}`");
        desk.report(unknown(&R107, "reading", message, word, value.span, &known));
    }
    None
}

/// Proves every clause of every property, in order.
///
/// # Errors
/// A sentence, when the analysis cannot say or contradicts itself.
pub fn prove(tree: &Tree, tests: &[PropertyTest], options: Options) -> Result<Vec<Vec<Held>>, String> {
    let wide = Proof::with_properties(tree.checked());
    let Some(mut proof) = Proof::of_wide(&wide, options) else {
        return Err("the policy is too wide for the analysis".to_owned());
    };
    tests.iter().map(|test| one(tree, test, &mut proof)).collect()
}

fn one(tree: &Tree, test: &PropertyTest, proof: &mut Proof<'_>) -> Result<Vec<Held>, String> {
    let checked = tree.checked();
    let Some(property) = checked.properties.get(test.at) else { return Ok(Vec::new()) };
    let too_wide = || format!("the `for` of property `{}` is too wide for the analysis", test.name);
    let over = proof.spoken_of(property.guarantee.over.as_ref()).ok_or_else(too_wide)?;
    let mut held = proof.held(&property.guarantee)?;
    for claim in &test.claims {
        let found = match claim.node {
            Claim::NeverReads(column) => proof.reads(&over, column),
            Claim::SameAs(rule) => proof.differs_from(&over, rule),
            Claim::Otherwise(rule) => proof.not_decided_by(&over, rule),
        };
        let found = found.map_err(|_| "the analysis ran out of fuel".to_owned())?;
        held.push(Held { span: claim.span, broken: found.map(|found| told(tree, claim.node, &found)) });
    }
    held.sort_by_key(|one| one.span.lo);
    Ok(held)
}

fn told(tree: &Tree, claim: Claim, found: &Counterexample) -> String {
    let rule = found.rule.map(|id| format!("rule {}", tree.checked().rules[id.index()].name));
    let rule = rule.unwrap_or_else(|| "no rule".to_owned());
    let words = witness_words(&found.witness);
    let request = if words.is_empty() { "for every request".to_owned() } else { format!("for example {words}") };
    match claim {
        Claim::NeverReads(column) => {
            format!("{rule} reads {}, {request}", tree.space().column(column).name)
        }
        Claim::SameAs(_) | Claim::Otherwise(_) => format!("{rule} decides, {request}"),
    }
}
