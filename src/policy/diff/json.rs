//! A diff as a program reads it (section 8.2 of the language specification). Changes are additive.
//!
//! In: a [`Diff`], what the two sides are called. Out: JSON. Must not know: layout.

use serde::Serialize;

use super::super::declared::Change;
use super::super::render::json::{Document, Example, Head, example};
use super::text::Names;
use super::{Diff, Does, Group, Raised, Traffic};

#[derive(Serialize)]
struct Body<'a> {
    old: Policy<'a>,
    new: Policy<'a>,
    equal: bool,
    groups: Vec<One<'a>>,
    rules: Rules<'a>,
    notes: &'a [String],
    declared: &'a [Change],
    unchanged: &'a [String],
    ignored: &'a [String],
    traffic: Option<&'a Traffic>,
}

#[derive(Serialize)]
struct Policy<'a> {
    name: &'a str,
    hash: &'a str,
}

#[derive(Serialize)]
struct Rules<'a> {
    added: &'a [String],
    removed: &'a [String],
    now_dead: &'a [String],
}

#[derive(Serialize)]
struct One<'a> {
    was: &'a str,
    now: &'a str,
    flags: Vec<String>,
    details: Vec<String>,
    condition: &'a str,
    witness: Example,
    was_outcome: &'a Does,
    now_outcome: &'a Does,
    changes: &'a [String],
    replayed: Option<u64>,
}

/// The document, ending in a newline.
///
/// # Errors
/// None that can happen: every part is plain data.
pub fn document(diff: &Diff, names: &Names, today: &str) -> Result<String, serde_json::Error> {
    let head = Head { policy: Some(diff.policy.clone()), today: Some(today.to_owned()), ..Head::of("diff") };
    let body = Body {
        old: Policy { name: &names.old, hash: &diff.old_hash },
        new: Policy { name: &names.new, hash: &diff.new_hash },
        equal: diff.is_equal(),
        groups: diff.groups.iter().map(group).collect(),
        rules: Rules { added: &diff.added, removed: &diff.removed, now_dead: &diff.now_dead },
        notes: &diff.notes,
        declared: &diff.declared,
        unchanged: &diff.unchanged,
        ignored: &diff.ignored,
        traffic: diff.traffic.as_ref(),
    };
    Document::new(head, body).pretty()
}

fn group(group: &Group) -> One<'_> {
    One {
        was: &group.was,
        now: &group.now,
        flags: group.flags.iter().map(Raised::word).collect(),
        details: group.flags.iter().map(ToString::to_string).collect(),
        condition: &group.condition,
        witness: example(&group.witness),
        was_outcome: &group.was_outcome,
        now_outcome: &group.now_outcome,
        changes: &group.changes,
        replayed: group.replayed,
    }
}
