//! Who sees what, and who is believed: R120, R806.
//!
//! In: a [`Checked`]. Out: findings. Must not know: requests.

use super::super::checked::{Attribute, AttributeSource, Checked, Clause, ColumnId, Cond, Outcome, Step, Subject};
use super::super::diagnostic::{Diagnostic, R120, R806};

/// All findings about privacy and identity.
pub fn check(checked: &Checked, findings: &mut Vec<Diagnostic>) {
    for guarantee in &checked.moving.guarantees {
        let what = format!("what guarantee `{}` is for", guarantee.name);
        findings.extend(guarantee.over.as_ref().and_then(|over| untrusted(checked, over, &what)));
    }
    for budget in &checked.moving.budgets {
        let what = format!("what budget `{}` covers", budget.name);
        findings.extend(budget.covers.as_ref().and_then(|covers| untrusted(checked, covers, &what)));
    }
    sees_private(checked, findings);
}

/// R120: whoever sends the request chooses the header, and so whether the clause is about it.
fn untrusted(checked: &Checked, clause: &Clause, what: &str) -> Option<Diagnostic> {
    let attribute = columns(&clause.node).into_iter().find_map(|column| match checked.column(column)?.subject {
        Subject::Attribute(at) => checked.attributes.get(usize::from(at)).filter(|one| plain(one)),
        _ => None,
    })?;
    let title = format!("attribute `{}` decides {what}, and the caller chooses it", attribute.name);
    let found = Diagnostic::new(&R120, clause.span, title).here("a plain header or metadata is what the caller says");
    let found = found.label(attribute.span, "comes from there");
    Some(found.help("take it `from claim \"..\"`, or use `tenant`, `plan` or `residency`"))
}

/// Whether a value can come from the caller alone.
fn plain(attribute: &Attribute) -> bool {
    attribute.sources.iter().any(|source| !matches!(source, AttributeSource::Claim(_)))
}

/// R806: a classifier reads what the guard of a rule that it decides would redact.
fn sees_private(checked: &Checked, findings: &mut Vec<Diagnostic>) {
    for (at, classifier) in checked.moving.classifiers.iter().enumerate() {
        if classifier.guard.is_some() {
            continue;
        }
        let decided = checked.rules.iter().find_map(|rule| {
            let asks = columns(&rule.when)
                .into_iter()
                .any(|column| checked.column(column).is_some_and(|one| one.subject == Subject::Classifier(at as u16)));
            let Outcome::Chain(chain) = &rule.outcome else { return None };
            let hides = chain.extras.guards.iter().map(|guard| &checked.moving.guards[guard.node.index()]);
            let mut hiding = hides.filter(|guard| {
                let redacts = |step: &Step| matches!(step, Step::Redact(_) | Step::Webhook { .. });
                guard.steps.iter().any(|one| one.side.sees_requests() && redacts(&one.step))
            });
            asks.then(|| hiding.next()).flatten().map(|guard| (rule, guard))
        });
        let Some((rule, guard)) = decided else { continue };
        let title = format!("classifier `{}` reads what guard `{}` takes out of requests", classifier.name, guard.name);
        let found = Diagnostic::new(&R806, classifier.span, title).here("runs before the guards of rules");
        let found = found.label(rule.span, "it decides this rule").label(guard.span, "and this rule hides it");
        findings.push(found.help(format!("add `guard {}` to the classifier", guard.name)));
    }
}

fn columns(cond: &Cond) -> Vec<ColumnId> {
    match cond {
        Cond::True => Vec::new(),
        Cond::Any(parts) | Cond::All(parts) => parts.iter().flat_map(columns).collect(),
        Cond::Not(inner) => columns(inner),
        Cond::Test { column, .. } => vec![*column],
    }
}
