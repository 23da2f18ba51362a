//! A policy as a person would draw it: rules down the page, each with its chain to the right.
//!
//! In: a [`Checked`] and its texts, or a [`Diagram`] of its decisions. Out: DOT, Mermaid, JSON. Must not know: files, terminals.

mod dot;
mod drawing;
mod json;
mod mermaid;
mod reduced;

pub use self::drawing::{Drawing, Edge, Node, Shape, Tone};
pub use self::json::{document, reduced_document};
pub use self::reduced::{Branch, Diagram, Leaf, MAX_NODES, TooLarge};

use super::ast::Order;
use super::checked::{Chain, Checked, Claim, Degrade, Hop, Origin, Outcome, Promise, Rule, Target, TierId};
use super::source::Sources;

/// Columns of a condition before it goes on in the next line.
const CONDITION_COLUMNS: usize = 44;

/// A rule and what it does, in words.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// As written; `None` for a rule that always matches.
    pub condition: Option<String>,
    /// The reason its author gave.
    pub because: Option<String>,
    /// The tier it promises: a name, or `as requested`.
    pub tier: Option<String>,
    /// What is tried, in order.
    pub chain: Vec<Link>,
    /// What the caller gets when nothing delivered, or at once: `template sorry`, `reject 413`.
    pub ends: Vec<String>,
    /// Refuses instead of trying anything.
    pub rejects: bool,
}

/// One entry of a chain: a hop, or all hops that came out of one tier.
#[derive(Clone, Debug)]
pub struct Link {
    /// `snapshot`, `tier`, `peer`, `lower`, `higher`, `requested`.
    pub claim: &'static str,
    /// Its tier.
    pub tier: Option<TierId>,
    /// Out of a tier: how that is ordered.
    pub order: Option<&'static str>,
    /// Snapshots, first choice first.
    pub snapshots: Vec<String>,
}

/// Rules in page order.
pub fn rows(checked: &Checked, sources: &Sources) -> Vec<Row> {
    checked.rules.iter().map(|rule| row(checked, sources, rule)).collect()
}

fn row(checked: &Checked, sources: &Sources, rule: &Rule) -> Row {
    let condition = rule.when_span.map(|span| sources.text(span).split_whitespace().collect::<Vec<_>>().join(" "));
    let mut row = Row {
        name: rule.name.to_string(),
        condition,
        because: rule.because.as_deref().map(str::to_owned),
        tier: None,
        chain: Vec::new(),
        ends: Vec::new(),
        rejects: false,
    };
    match &rule.outcome {
        Outcome::Reject { status, .. } => {
            row.rejects = true;
            row.ends.push(format!("reject {status}"));
        }
        Outcome::Chain(chain) => {
            row.tier = match chain.promise {
                Promise::Nothing => None,
                Promise::AsRequested => Some("as requested".to_owned()),
                Promise::Tier(id) => Some(checked.tiers[id.index()].name.to_string()),
            };
            row.chain = links(checked, chain);
            row.ends = chain.degrade.iter().map(|step| end(checked, step)).collect();
        }
    }
    row
}

/// Hops that came out of one statement of a tier are one link.
fn links(checked: &Checked, chain: &Chain) -> Vec<Link> {
    let mut links: Vec<(Link, &Hop)> = Vec::new();
    for hop in &chain.hops {
        let name = match hop.target {
            Target::Requested => "requested".to_owned(),
            Target::Snapshot(id) => checked.snapshots[id.index()].model.to_string(),
        };
        if let (Origin::Tier(_), Some((last, first))) = (hop.origin, links.last_mut())
            && first.origin == hop.origin
            && first.span == hop.span
        {
            last.snapshots.push(name);
            continue;
        }
        links.push((link(checked, chain, hop, name), hop));
    }
    links.into_iter().map(|(link, _)| link).collect()
}

fn link(checked: &Checked, chain: &Chain, hop: &Hop, name: String) -> Link {
    let expanded = matches!(hop.origin, Origin::Tier(_));
    let claim = match (hop.claim, hop.target) {
        (_, Target::Requested) => "requested",
        (Claim::Promised, _) if expanded => "tier",
        (Claim::Promised, _) => "snapshot",
        (Claim::Fallback(intent), _) => intent.word(),
    };
    let tier = match (hop.origin, hop.target) {
        (Origin::Tier(id), _) => Some(id),
        (Origin::Written, Target::Snapshot(id)) => checked.home(id),
        (Origin::Written, Target::Requested) => None,
    };
    let order = match chain.order {
        Order::InOrder => "in order",
        Order::Cheapest => "cheapest",
        Order::Fastest => "fastest",
    };
    // A fallback to a tier is always in declared order.
    let order = expanded.then_some(if hop.claim == Claim::Promised { order } else { "in order" });
    Link { claim, tier, order, snapshots: vec![name] }
}

fn end(checked: &Checked, step: &Degrade) -> String {
    match step {
        Degrade::Template(id) => format!("template {}", checked.templates[id.index()].name),
        Degrade::Cached { up_to } => format!("cached up to {up_to}"),
        Degrade::Queue { name, within: Some(within) } => format!("queue {name} within {within}"),
        Degrade::Queue { name, within: None } => format!("queue {name}"),
        Degrade::Error { status, .. } => format!("error {status}"),
    }
}

/// The policy, drawn.
pub fn draw(checked: &Checked, sources: &Sources) -> Drawing {
    let mut drawing = Drawing { title: checked.name.to_string(), ..Drawing::default() };
    let start = drawing.node(vec!["request".to_owned()], Shape::Round, Tone::Plain);
    let mut above = (start, "");
    let mut column = vec![start];
    for row in rows(checked, sources) {
        let mut label = vec![row.name.clone()];
        label.extend(row.condition.as_deref().map(wrapped).unwrap_or_default());
        let rule = drawing.node(label, Shape::Box, Tone::Plain);
        column.push(rule);
        drawing.edge(above.0, rule, above.1, true);
        above = (rule, "else");
        let mut last = (rule, String::new());
        for link in &row.chain {
            let node = drawing.node(link_label(checked, link), Shape::Box, tone(checked, link));
            let claim = if link.claim == "tier" { "" } else { link.claim };
            drawing.edge(last.0, node, claim, false);
            last = (node, "then".to_owned());
        }
        if !row.ends.is_empty() {
            let tone = if row.rejects { Tone::Rejects } else { Tone::Ends };
            let node = drawing.node(row.ends.clone(), Shape::Round, tone);
            drawing.edge(last.0, node, &last.1, false);
        }
    }
    drawing.columns.push(column);
    drawing.legend = legend(checked);
    drawing
}

fn link_label(checked: &Checked, link: &Link) -> Vec<String> {
    let tier = link.tier.map(|id| checked.tiers[id.index()].name.to_string());
    match (link.claim, link.order, tier) {
        ("requested", ..) => vec!["the snapshot asked for".to_owned(), "then the rest of its tier".to_owned()],
        (_, Some(order), Some(tier)) => {
            let mut label = vec![format!("tier {tier}, {order}")];
            label.extend(link.snapshots.iter().cloned());
            label
        }
        (_, _, tier) => link.snapshots.iter().cloned().chain(tier).collect(),
    }
}

fn tone(checked: &Checked, link: &Link) -> Tone {
    match link.tier {
        Some(id) if checked.tiers[id.index()].specialized => Tone::Special,
        Some(id) => Tone::Tier(id.index()),
        None => Tone::Plain,
    }
}

/// Tiers from best to least, each with its color.
fn legend(checked: &Checked) -> Vec<(String, Tone)> {
    let each = checked.tiers.iter().enumerate();
    each.map(|(at, tier)| {
        let tone = if tier.specialized { Tone::Special } else { Tone::Tier(at) };
        (tier.name.to_string(), tone)
    })
    .collect()
}

/// A condition in lines, broken before `and` and `or`.
fn wrapped(condition: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in condition.split(' ') {
        match lines.last_mut() {
            Some(line)
                if line.len() + 1 + word.len() > CONDITION_COLUMNS
                    || (matches!(word, "and" | "or") && line.len() > CONDITION_COLUMNS / 2) =>
            {
                lines.push(word.to_owned());
            }
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}
