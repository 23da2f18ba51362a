//! Whether a model literal may stand where it stands: pinned, known, in service.
//!
//! In: a literal, the catalog, a day. Out: at most one finding of R106, R201, R202, R204, R205, R217, R218, R219, with what to
//! write instead. Must not know: what the literal is used for.

use std::borrow::Cow;

use jiff::civil::Date;

use super::super::ast::Model;
use super::super::diagnostic::{Diagnostic, Level, R106, R201, R202, R204, R205, R217, R218, R219};
use super::super::source::Span;
use crate::catalog::{Catalog, Entry, Pin, Resolved, Verdict};

/// Most snapshots that a finding offers.
const MAX_OFFERS: usize = 3;

/// What is wrong with a model literal, if anything is. `accepted`: the header's `accept_undated` lists it.
///
/// A fix that writes what an alias stands for today is safe: a policy with an alias is not loaded, so it decides nothing yet. Every
/// other fix is a choice of a model.
pub fn judge(catalog: &Catalog, model: &Model, today: Date, accepted: bool) -> Option<Diagnostic> {
    let name = format!("{}/{}", model.provider, model.id);
    match catalog.verdict(&model.provider, &model.id, today) {
        Verdict::Pinned { pin: Pin::UndatedUnconfirmed, entry } if !accepted => {
            Some(undated(catalog, &name, model.span, entry))
        }
        Verdict::Pinned { entry: Some(_), .. } => None,
        Verdict::Pinned { pin, entry: None } => Some(without_facts(&name, model.span, pin)),
        Verdict::Moving { by_name, candidates } => {
            let target = match catalog.get(&model.provider, &model.id).and_then(|alias| alias.points_to.as_deref()) {
                Some(target) => format!("today it stands for {target}"),
                None => "what it stands for can change any day".to_owned(),
            };
            let found = if by_name {
                Diagnostic::new(&R202, model.span, format!("{name} moves by name")).here("moving by name")
            } else {
                Diagnostic::new(&R201, model.span, format!("{name} is an alias, not a snapshot")).here("an alias")
            };
            let mut found = offer(found.note(target), model, &candidates, today);
            let stands_for = match catalog.resolve(&name) {
                Resolved::Known(entry) => Some(entry.name()),
                Resolved::Unknown => None,
            };
            for fix in &mut found.fixes {
                fix.safe = fix.edits.iter().all(|edit| Some(&edit.text) == stands_for.as_ref());
            }
            Some(found)
        }
        Verdict::Retired(entry) => Some(retired(catalog, &name, model, &entry, today)),
        Verdict::Rerouted(entry) => Some(rerouted(catalog, &name, model, &entry, today)),
        Verdict::NoRevision { tag, known } => {
            let found = match &tag {
                Some(tag) if !tag.is_empty() => {
                    let title = format!("{name} has a revision that moves");
                    Diagnostic::new(&R219, model.span, title).here(format!("`{tag}` is whatever was pushed last"))
                }
                _ => Diagnostic::new(&R219, model.span, format!("{name} has no revision")).here("no `@revision`"),
            };
            let found =
                found.note("a self-hosted model is pinned by the part after the last `@`: a commit or a digest");
            let bare = name.rsplit_once('@').map_or(&*name, |(bare, _)| bare);
            Some(match known.is_empty() {
                true => found.help(format!("write the commit it was built from, like `{bare}@sha-9f31c2a`")),
                false => offer(found, model, &known, today),
            })
        }
        Verdict::Unknown { nearest } => {
            let title = format!("{name} is in no catalog");
            let found = Diagnostic::new(&R205, model.span, title).here("nobody knows this id");
            let found = found
                .note(format!("the catalog is of {}; ids added since need a row in `catalog.yaml`", catalog.as_of()));
            Some(offer(found, model, &nearest, today))
        }
        Verdict::UnknownProvider { nearest } => {
            let found = Diagnostic::new(&R106, model.span, format!("there is no provider `{}`", model.provider));
            let found = found.here(format!("known: {}", catalog.providers().join(", ")));
            Some(match nearest.first() {
                Some(near) => {
                    let lo = model.span.lo;
                    let word = Span { hi: lo + model.provider.len() as u32, ..model.span };
                    let found = found.help(format!("write `{near}/{}`", model.id));
                    found.fix(false, format!("write `{near}`"), word, *near)
                }
                None => found.help("add the provider to `wayside.yaml`, or a row of its models to `catalog.yaml`"),
            })
        }
    }
}

/// The first of some snapshots as what to write, the others as a note.
fn offer(found: Diagnostic, model: &Model, offers: &[&Entry], today: Date) -> Diagnostic {
    let names: Vec<String> = offers.iter().take(MAX_OFFERS).map(|entry| entry.name()).collect();
    let Some((first, rest)) = names.split_first() else {
        return found.help(format!("list what {} serves: `wayside catalog show {0}`", model.provider));
    };
    let found = match rest {
        [] => found,
        rest => found.note(format!("also in service: {}", rest.join(", "))),
    };
    let ends = offers.first().and_then(|entry| entry.days_left(today).and(entry.retires_on));
    let found = match ends {
        Some(day) => found.note(format!("{first} ends on {day}")),
        None => found,
    };
    let consent = match offers.first().map(|entry| entry.pin) {
        Some(Pin::UndatedUnconfirmed) => format!(" and add `accept_undated [{first}]` to the policy header"),
        _ => String::new(),
    };
    found.help(format!("write `{first}`{consent}")).fix(false, format!("write {first}"), model.span, first.as_str())
}

fn undated(catalog: &Catalog, name: &str, span: Span, entry: Option<Cow<'_, Entry>>) -> Diagnostic {
    let found = Diagnostic::new(&R217, span, format!("{name} has no dated id, and nobody promises that it stays"));
    let found = found.here("one build is known under this name");
    let versions = entry.as_ref().map_or(&[][..], |entry| &*entry.azure_versions);
    let elsewhere =
        versions.iter().map(|version| format!("{}-{version}", name.split_once('/').map_or(name, |(_, id)| id)));
    let elsewhere = elsewhere.filter(|id| catalog.get("azure", id).is_some()).map(|id| format!("azure/{id}"));
    let found = match elsewhere.collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => found,
        some => found.note(format!("Azure dates the same model: {some}")),
    };
    found
        .note("with consent, the model named in every answer is compared with this id")
        .help(format!("add `accept_undated [{name}]` to the policy header"))
}

/// The id is pinned by its own date or revision, and nothing else is known.
fn without_facts(name: &str, span: Span, pin: Pin) -> Diagnostic {
    let what = if pin == Pin::Dated { "a date" } else { "a revision" };
    Diagnostic::new(&R205, span, format!("{name} is in no catalog"))
        .level(Level::Warning)
        .here(format!("accepted because the id carries {what}"))
        .note("its window, price, abilities and end are unknown, so none of them is checked")
        .help("check the spelling, or state its facts in `catalog.yaml`")
}

fn retired(catalog: &Catalog, name: &str, model: &Model, entry: &Entry, today: Date) -> Diagnostic {
    let title = match entry.retires_on {
        Some(day) => format!("{name} ended on {day}"),
        None => format!("{name} has ended"),
    };
    let mut found = Diagnostic::new(&R204, model.span, title).here("retired");
    if let Some(other) = elsewhere(catalog, entry, today).first() {
        found = found.note(same_model(other));
    }
    successor(catalog, found, model, entry, today)
}

fn rerouted(catalog: &Catalog, name: &str, model: &Model, entry: &Entry, today: Date) -> Diagnostic {
    let to = entry.rerouted_to.as_deref().unwrap_or("another model");
    let since = entry.rerouted_on.map(|day| format!(" since {day}")).unwrap_or_default();
    let found =
        Diagnostic::new(&R218, model.span, format!("{name} answers as {to}{since}")).here("no longer this model");
    match catalog.get(&entry.provider, to) {
        Some(target) => offer(found, model, &[target], today),
        None => offer(found, model, &[], today),
    }
}

/// What the provider names as the successor, where that is a snapshot in service.
fn successor(catalog: &Catalog, found: Diagnostic, model: &Model, entry: &Entry, today: Date) -> Diagnostic {
    let Some(id) = entry.replacement.as_deref() else { return offer(found, model, &[], today) };
    let found = found.note(format!("{} names {id} as the successor", entry.provider));
    match catalog.verdict(&entry.provider, id, today) {
        Verdict::Pinned { entry: Some(target), .. } => offer(found, model, &[&target], today),
        Verdict::Moving { candidates, .. } => offer(found, model, &candidates, today),
        _ => offer(found, model, &[], today),
    }
}

/// `bedrock/… is the same model and stays until 2027-04-08`
pub(super) fn same_model(other: &Entry) -> String {
    match other.retires_on {
        Some(day) => format!("{} is the same model and stays until {day}", other.name()),
        None => format!("{} is the same model, and no end is announced there", other.name()),
    }
}

/// The same model at other providers, in service, the one that stays longest first; without regional variants.
pub(super) fn elsewhere<'c>(catalog: &'c Catalog, entry: &Entry, today: Date) -> Vec<&'c Entry> {
    let mut found: Vec<&Entry> =
        catalog.same_model(entry).filter(|other| other.life(today) == crate::catalog::Life::Serving).collect();
    found.sort_by_key(|other| std::cmp::Reverse(other.retires_on.unwrap_or(Date::MAX)));
    found
}
