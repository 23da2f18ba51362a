//! The decision alone, as a diagram in which no question is asked twice or in vain.
//!
//! In: a policy. Out: a diagram of at most [`MAX_NODES`] questions. Must not know: outcomes, notations.
//!
//! A diagram of this kind can be exponentially larger than the policy (language specification, section 9.5), so it is built up to
//! a limit and never used to decide.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::super::atom_set::{AtomId, AtomSet};
use super::super::atoms::Space;
use super::super::boxes::{AtomBox, Boxes};
use super::super::checked::{Checked, ColumnId};
use super::super::diagnostic::Diagnostic;
use super::drawing::{Drawing, Shape, Tone};

/// Questions of a diagram that somebody can still use.
pub const MAX_NODES: usize = 50_000;
/// Lists of rules that are looked at on the way there.
const MAX_LISTS: usize = 20 * MAX_NODES;

/// Why there is no diagram.
#[derive(Debug)]
pub enum TooLarge {
    /// It has more than [`MAX_NODES`] questions, or takes too long to find out.
    Nodes,
    /// R411: a condition or a column is too wide.
    Findings(Vec<Diagnostic>),
}

/// A decision diagram.
#[derive(Clone, Debug)]
pub struct Diagram {
    /// The columns.
    pub space: Space,
    /// Questions; every branch leads to a later kind of question, never back.
    pub nodes: Vec<Branch>,
    /// Where it begins.
    pub start: Leaf,
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Branch {
    /// About what.
    pub column: ColumnId,
    /// By atom.
    pub children: Box<[Leaf]>,
}

/// Where an answer leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Leaf {
    /// To a question.
    Ask(u32),
    /// To a rule.
    Rule(u32),
    /// No rule matches.
    NoRule,
    /// No request is there.
    Impossible,
}

struct Builder<'a> {
    space: &'a Space,
    /// Impossible boxes, then those of rules.
    areas: Vec<&'a AtomBox>,
    ends: Vec<Leaf>,
    order: Vec<ColumnId>,
    nodes: Vec<Branch>,
    known: FxHashMap<Branch, u32>,
    memo: FxHashMap<(usize, Rc<[u32]>), Leaf>,
}

impl Diagram {
    /// Builds it, asking about columns in the order of their cost, then of the policy.
    ///
    /// # Errors
    /// When it is larger than [`MAX_NODES`].
    pub fn of(checked: &Checked) -> Result<Self, TooLarge> {
        let space = Space::of(checked).map_err(|wide| TooLarge::Findings(vec![wide.finding(checked)]))?;
        let (boxes, wide) = Boxes::of(checked, &space);
        if !wide.is_empty() {
            return Err(TooLarge::Findings(wide.iter().map(|one| one.finding(checked)).collect()));
        }
        let areas: Vec<&AtomBox> =
            boxes.invalid.iter().map(|one| &one.area).chain(boxes.rows.iter().map(|row| &row.area)).collect();
        let impossible = boxes.invalid.iter().map(|_| Leaf::Impossible);
        let ends = impossible.chain(boxes.rows.iter().map(|row| Leaf::Rule(row.rule.0))).collect();
        let mut order: Vec<ColumnId> = space.ids().collect();
        order.sort_by_key(|id| (space.column(*id).class, *id));
        let (nodes, known, memo) = (Vec::new(), FxHashMap::default(), FxHashMap::default());
        let mut builder = Builder { space: &space, areas, ends, order, nodes, known, memo };
        let all: Rc<[u32]> = (0..builder.areas.len() as u32).collect();
        let start = builder.build(0, &all).ok_or(TooLarge::Nodes)?;
        let nodes = builder.nodes;
        Ok(Self { space, nodes, start })
    }

    /// Questions and rules, drawn from the top.
    pub fn draw(&self, checked: &Checked) -> Drawing {
        let mut drawing = Drawing { title: checked.name.to_string(), down: true, ..Drawing::default() };
        for node in &self.nodes {
            drawing.node(vec![self.space.column(node.column).name.to_string()], Shape::Diamond, Tone::Plain);
        }
        let mut rules: FxHashMap<Leaf, usize> = FxHashMap::default();
        let start = drawing.node(vec!["request".to_owned()], Shape::Round, Tone::Plain);
        let mut place = |leaf: Leaf, drawing: &mut Drawing| match leaf {
            Leaf::Ask(at) => at as usize,
            _ => *rules.entry(leaf).or_insert_with(|| drawing.node(vec![name(checked, leaf)], Shape::Box, Tone::Ends)),
        };
        let first = place(self.start, &mut drawing);
        drawing.edge(start, first, "", false);
        for (at, node) in self.nodes.iter().enumerate() {
            for (leaf, words) in self.answers(node) {
                let to = place(leaf, &mut drawing);
                drawing.edge(at, to, &words, false);
            }
        }
        drawing
    }

    /// Where a question leads, with the answers in words; what no request answers is left out.
    pub fn answers(&self, node: &Branch) -> Vec<(Leaf, String)> {
        let count = self.space.count(node.column);
        let mut answers: Vec<(Leaf, AtomSet)> = Vec::new();
        for (at, leaf) in node.children.iter().enumerate().filter(|(_, leaf)| **leaf != Leaf::Impossible) {
            let atom = AtomId(at as u16);
            match answers.iter_mut().find(|(known, _)| known == leaf) {
                Some((_, set)) => set.insert(atom),
                None => answers.push((*leaf, AtomSet::one(atom, count))),
            }
        }
        answers.into_iter().map(|(leaf, set)| (leaf, self.space.shown(node.column, &set))).collect()
    }
}

/// What stands at the end of a way.
pub(super) fn name(checked: &Checked, leaf: Leaf) -> String {
    match leaf {
        Leaf::Rule(at) => checked.rules[at as usize].name.to_string(),
        Leaf::NoRule => "no rule".to_owned(),
        Leaf::Ask(_) | Leaf::Impossible => String::new(),
    }
}

impl Builder<'_> {
    /// The diagram for what is left of the boxes once the columns before `from` are known; `None` when it gets too large.
    fn build(&mut self, from: usize, list: &Rc<[u32]>) -> Option<Leaf> {
        let Some(first) = list.first() else { return Some(Leaf::NoRule) };
        let tested = |at: u32| self.order.iter().skip(from).any(|id| self.areas[at as usize].get(*id).is_some());
        if !tested(*first) {
            return Some(self.ends[*first as usize]);
        }
        // What stands behind a box that takes all that is left is never reached.
        let end = list.iter().position(|at| !tested(*at)).map_or(list.len(), |at| at + 1);
        let list: Rc<[u32]> = if end == list.len() { Rc::clone(list) } else { list[..end].into() };
        let at = (from..self.order.len())
            .find(|at| list.iter().any(|one| self.areas[*one as usize].get(self.order[*at]).is_some()))?;
        let key = (at, Rc::clone(&list));
        if let Some(known) = self.memo.get(&key) {
            return Some(*known);
        }
        if self.memo.len() >= MAX_LISTS {
            return None;
        }
        let column = self.order[at];
        let mut children = Vec::with_capacity(self.space.count(column));
        for atom in (0..self.space.count(column) as u16).map(AtomId) {
            let left: Rc<[u32]> =
                list.iter().copied().filter(|one| self.areas[*one as usize].admits(column, atom)).collect();
            children.push(self.build(at + 1, &left)?);
        }
        let leaf = self.unique(column, children)?;
        self.memo.insert(key, leaf);
        Some(leaf)
    }

    /// The question, unless every possible answer leads to the same place.
    fn unique(&mut self, column: ColumnId, children: Vec<Leaf>) -> Option<Leaf> {
        let mut possible = children.iter().filter(|leaf| **leaf != Leaf::Impossible);
        let Some(first) = possible.next() else { return Some(Leaf::Impossible) };
        if possible.all(|leaf| leaf == first) {
            return Some(*first);
        }
        let node = Branch { column, children: children.into() };
        if let Some(known) = self.known.get(&node) {
            return Some(Leaf::Ask(*known));
        }
        if self.nodes.len() >= MAX_NODES {
            return None;
        }
        let at = self.nodes.len() as u32;
        self.nodes.push(node.clone());
        self.known.insert(node, at);
        Some(Leaf::Ask(at))
    }
}
