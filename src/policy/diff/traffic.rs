//! How many recorded requests an edit changes.
//!
//! In: a [`Diff`], both policies compiled, lines of a log. Out: a count for each group. Must not know: files. A count says what was
//! sent, never what can be sent: that is what the groups say.

use super::super::admit::Door;
use super::super::plan::{Action, Plan};
use super::super::replay::{Cannot, Line};
use super::super::tree::Tree;
use super::Diff;

/// One of the two policies, ready to decide.
#[derive(Clone, Copy)]
pub struct Decides<'a> {
    /// The policy.
    pub tree: &'a Tree,
    /// Its admission.
    pub door: &'a Door,
}

/// What a log says about an edit.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Traffic {
    /// Requests that both policies decided.
    pub requests: u64,
    /// Of those, how many are in a group.
    pub changed: u64,
    /// Requests that one of the two would not admit, or that say too little to be decided again.
    pub left_out: u64,
    /// Why the first of them is.
    pub first_left_out: Option<String>,
}

impl Diff {
    /// Asks both policies about a logged request and counts it.
    pub fn count(&mut self, number: u64, line: &Line, old: Decides<'_>, new: Decides<'_>) {
        let traffic = self.traffic.get_or_insert_with(Traffic::default);
        for group in &mut self.groups {
            group.replayed.get_or_insert(0);
        }
        match (decided(line, old), decided(line, new)) {
            (Ok(was), Ok(now)) => {
                traffic.requests += 1;
                let group = self.groups.iter_mut().find(|group| group.was == was.0 && group.now == now.0);
                if let Some(group) = group.filter(|group| !group.partial || was.1 != now.1) {
                    traffic.changed += 1;
                    group.replayed = group.replayed.map(|count| count + 1);
                }
            }
            (Err(why), _) | (_, Err(why)) => {
                traffic.left_out += 1;
                traffic.first_left_out.get_or_insert_with(|| format!("line {number}: {why}"));
            }
        }
    }
}

/// The rule that decides a line, and what it then does, as text.
fn decided(line: &Line, side: Decides<'_>) -> Result<(String, String), Cannot> {
    let plan = line.admit(side.door)?.plan(side.tree);
    let checked = side.tree.checked();
    let name = plan.as_ref().map_or(super::joint::NO_RULE, |plan| &*checked.rules[plan.rule.index()].name);
    Ok((name.to_owned(), plan.as_ref().map_or_else(String::new, |plan| shape(side.tree, plan))))
}

fn shape(tree: &Tree, plan: &Plan) -> String {
    let Action::Run(run) = &plan.action else { return String::new() };
    let hop = |hop: &super::super::plan::PlannedHop| {
        let model = &tree.checked().snapshots[hop.snapshot.index()].model;
        format!("{model} {:?} {:?}", hop.max_output, hop.timeout)
    };
    format!("{:?} {}", run.deadline, run.hops.iter().map(hop).collect::<Vec<_>>().join(", "))
}
