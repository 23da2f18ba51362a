//! A policy's rules, chains and tiers, or its decision diagram, as a program reads them. Changes are additive.
//!
//! In: a [`Checked`], a [`Diagram`]. Out: JSON. Must not know: layout.

use serde::Serialize;

use super::super::checked::{Checked, SnapshotId};
use super::super::fingerprint;
use super::super::render::json::{Document, Head};
use super::super::source::Sources;
use super::reduced::{Branch, Diagram, Leaf, name};
use super::{Link, Row, rows};

#[derive(Serialize)]
struct Body<'a> {
    rules: Vec<One<'a>>,
    tiers: Vec<Tier<'a>>,
}

#[derive(Serialize)]
struct One<'a> {
    rule: &'a str,
    condition: Option<&'a str>,
    because: Option<&'a str>,
    kind: &'static str,
    tier: Option<&'a str>,
    chain: Vec<Entry<'a>>,
    ends: &'a [String],
}

#[derive(Serialize)]
struct Entry<'a> {
    claim: &'static str,
    tier: Option<&'a str>,
    order: Option<&'static str>,
    snapshots: &'a [String],
}

#[derive(Serialize)]
struct Tier<'a> {
    name: &'a str,
    specialized: bool,
    members: Vec<String>,
    candidates: Vec<String>,
}

#[derive(Serialize)]
struct Reduced<'a> {
    start: Target,
    nodes: Vec<Question<'a>>,
}

#[derive(Serialize)]
struct Question<'a> {
    column: &'a str,
    answers: Vec<Answer>,
}

#[derive(Serialize)]
struct Answer {
    is: String,
    #[serde(flatten)]
    to: Target,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Target {
    /// Position in `nodes`.
    Node(u32),
    Rule(String),
}

fn head(checked: &Checked) -> Head {
    Head::of_policy("graph", &checked.name, &fingerprint::of(checked))
}

/// Rules, chains and tiers, ending in a newline.
///
/// # Errors
/// None that can happen: every part is plain data.
pub fn document(checked: &Checked, sources: &Sources) -> Result<String, serde_json::Error> {
    let rows = rows(checked, sources);
    let names = |ids: &[SnapshotId]| ids.iter().map(|id| checked.snapshots[id.index()].model.to_string()).collect();
    let tiers = checked.tiers.iter().map(|tier| Tier {
        name: &tier.name,
        specialized: tier.specialized,
        members: names(&tier.members),
        candidates: names(&tier.candidates),
    });
    let body = Body { rules: rows.iter().map(|row| one(checked, row)).collect(), tiers: tiers.collect() };
    Document::new(head(checked), body).pretty()
}

fn one<'a>(checked: &'a Checked, row: &'a Row) -> One<'a> {
    let kind = match (row.rejects, row.chain.is_empty()) {
        (true, _) => "reject",
        (false, true) => "degrade",
        (false, false) => "chain",
    };
    let entry = |link: &'a Link| Entry {
        claim: link.claim,
        tier: link.tier.map(|id| &*checked.tiers[id.index()].name),
        order: link.order,
        snapshots: &link.snapshots,
    };
    One {
        rule: &row.name,
        condition: row.condition.as_deref(),
        because: row.because.as_deref(),
        kind,
        tier: row.tier.as_deref(),
        chain: row.chain.iter().map(entry).collect(),
        ends: &row.ends,
    }
}

/// A decision diagram, ending in a newline.
///
/// # Errors
/// None that can happen: every part is plain data.
pub fn reduced_document(checked: &Checked, diagram: &Diagram) -> Result<String, serde_json::Error> {
    let target = |leaf: Leaf| match leaf {
        Leaf::Ask(at) => Target::Node(at),
        other => Target::Rule(name(checked, other)),
    };
    let question = |node: &Branch| Question {
        column: &diagram.space.column(node.column).name,
        answers: diagram.answers(node).into_iter().map(|(leaf, is)| Answer { is, to: target(leaf) }).collect(),
    };
    let nodes = diagram.nodes.iter().map(question).collect();
    let body = Reduced { start: target(diagram.start), nodes };
    Document::new(head(checked), body).pretty()
}
