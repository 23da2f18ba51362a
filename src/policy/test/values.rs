//! The values of an input that deciding or planning can tell apart.
//!
//! In: an input's name, a policy. Out: for each such value what a request says. Must not know: expectations.

use super::super::ast::Order;
use super::super::checked::{AttributeDomain, Checked, Endpoint, Modality, Outcome, Subject};
use super::super::facts::Priority;
use super::super::prove::{Options, Proof};

/// What a request says to have one value: name and value, two pairs for a moment.
pub type Said = Vec<(String, String)>;

/// One entry for each value, or for each part of an input's domain within which nothing changes. `None` where planning looks at
/// the value itself, so that no list of parts is complete.
pub(super) fn every_value(checked: &Checked, input: &str) -> Option<Vec<Said>> {
    let names = |list: Vec<String>| Some(list.into_iter().map(|value| vec![(input.to_owned(), value)]).collect());
    let words = |list: &[&str]| names(list.iter().map(ToString::to_string).collect());
    match input {
        "endpoint" => words(&Endpoint::ALL.map(Endpoint::word)),
        "priority" => words(&Priority::ALL.map(Priority::word)),
        "streaming" | "tools" | "json_schema" => words(&["no", "yes"]),
        "plan" => names(checked.plans.iter().map(ToString::to_string).collect()),
        "feature" => {
            let declared = checked.features.iter().map(|one| one.name.to_string());
            names(std::iter::once("none".to_owned()).chain(declared).collect())
        }
        "residency" => names(checked.residencies.iter().map(|one| one.name.to_string()).collect()),
        "tenant" => {
            let rows = checked.tenants.iter().map(|one| one.name.to_string());
            names(rows.chain(["other".to_owned()]).collect())
        }
        "modality" => names(modalities()),
        // A longer answer needs more room in every window; orders by cost look at the number.
        "max_tokens" | "requested_model" | "user" => None,
        "prompt_tokens" | "now" if by_cost(checked) => None,
        _ => match checked.attributes.iter().find(|one| *one.name == *input).map(|one| &one.domain) {
            Some(AttributeDomain::OneOf(values)) => names(values.iter().map(ToString::to_string).collect()),
            Some(AttributeDomain::YesOrNo) => words(&["no", "yes"]),
            _ => parts(checked, input),
        },
    }
}

/// Every prompt has some content.
fn modalities() -> Vec<String> {
    let members = Modality::ALL.map(Modality::word);
    let sets = 1..1u32 << members.len();
    let shown = sets.map(|set| {
        let chosen = members.iter().enumerate().filter(|(at, _)| set >> at & 1 == 1).map(|(_, word)| *word);
        chosen.collect::<Vec<_>>().join("+")
    });
    shown.collect()
}

/// Whether some chain is ordered by cost, which depends on every token and on the hour.
fn by_cost(checked: &Checked) -> bool {
    checked.rules.iter().any(|rule| matches!(&rule.outcome, Outcome::Chain(chain) if chain.order == Order::Cheapest))
}

/// A value in each part that conditions and the windows of hops cut a domain into; one that says nothing where nothing cuts it.
fn parts(checked: &Checked, input: &str) -> Option<Vec<Said>> {
    let wide = Proof::widened(checked);
    let proof = Proof::of_wide(&wide, Options::default())?;
    let space = proof.space();
    let named = |id: &_| match space.column(*id).subject {
        Subject::Clock => input == "now",
        _ => *space.column(*id).name == *input,
    };
    let Some(id) = space.ids().find(named) else { return Some(vec![Vec::new()]) };
    let mut values = Vec::with_capacity(space.count(id));
    let mut point = proof.typical();
    for atom in 0..space.count(id) as u16 {
        point[id.index()] = super::super::atom_set::AtomId(atom);
        let said = proof.words(&[id], &point);
        values.push(said.request.into_iter().chain(said.readings).collect());
    }
    Some(values)
}
