//! A policy compiled for deciding: shallow dispatch, wide leaves (language specification, section 9.3).
//!
//! In: a [`Checked`] without errors. Out: an immutable [`Tree`] that holds everything a running proxy needs of a policy. Must
//! not know: requests in flight, the parser.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::atom_set::AtomId;
use super::atoms::Space;
use super::boxes::{AtomBox, Boxes};
use super::checked::{Checked, Class, ColumnId, Cond, RuleId, Subject};
use super::decide::AtomCond;
use super::diagnostic::{Diagnostic, R411};
use super::fingerprint;
use super::request::Bridge;

/// A list of boxes this short is not split further: it is one word a column.
pub const LEAF_BOXES: usize = 64;
/// Levels of dispatch. More would copy boxes into many leaves for little gain.
pub const MAX_DEPTH: usize = 2;
/// Inner nodes of one tree; once reached, what is left becomes leaves.
pub const MAX_INNER: usize = 256;
/// Leaves of one tree. A column with more atoms than are left is not dispatched on.
pub const MAX_LEAVES: usize = 8192;
/// Words of bit rows that dispatch may reserve, 32 MB. A branch whose children could need more is a leaf instead.
pub const MAX_ROW_WORDS: usize = 4 << 20;
/// Readings and paid inputs of one policy: they are bits of one word in [`Leaf`].
pub const MAX_LATE: usize = 64;

/// A node by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NodeId(u32);

/// A point of the walk.
#[derive(Clone, Debug)]
pub enum Node {
    /// One free column, one child for each of its atoms.
    Branch { column: ColumnId, children: Box<[NodeId]> },
    /// The end of the walk.
    Leaf(u32),
}

/// Candidate boxes in page order, as bit rows.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// Words of a bit row.
    pub words: usize,
    /// A bit for each candidate.
    pub all: Box<[u64]>,
    /// Free columns that some candidate limits.
    pub free: Box<[LeafColumn]>,
    /// Readings, then paid inputs, that some candidate limits; their positions are the bits of `needs`.
    pub late: Box<[LeafColumn]>,
    /// For each column a table from atom to the row of candidates that admit it.
    pub rows: Box<[u64]>,
    /// For each candidate the late columns it limits. Empty when there are none.
    pub needs: Box<[u64]>,
    /// Whose each candidate is.
    pub rules: Box<[RuleId]>,
}

/// Where a column's table begins in [`Leaf::rows`].
#[derive(Clone, Copy, Debug)]
pub struct LeafColumn {
    /// Which.
    pub column: ColumnId,
    /// First word of atom 0.
    pub base: u32,
}

/// A compiled policy. Plain data: put it behind an [`Arc`] and swap it whole.
#[derive(Clone, Debug)]
pub struct Tree {
    checked: Arc<Checked>,
    space: Space,
    nodes: Box<[Node]>,
    leaves: Box<[Leaf]>,
    root: NodeId,
    boxes: Boxes,
    linear: Box<[AtomCond]>,
    bridge: Bridge,
    hash: Arc<str>,
}

/// What a policy looks at, so that nothing else has to be worked out for a request.
#[derive(Clone, Copy, Debug)]
pub struct Needs<'a>(&'a Tree);

impl Needs<'_> {
    /// Whether some condition looks at this.
    pub fn subject(&self, subject: Subject) -> bool {
        self.0.space.find(subject).is_some()
    }

    /// Sizes of prompt that conditions tell apart, ascending: a condition can only ask whether the prompt has at least that many
    /// tokens. Empty when no condition looks at the size. Hops have windows of their own, which planning asks for.
    pub fn prompt_cuts(&self) -> &[u64] {
        self.0.space.find(Subject::PromptTokens).map_or(&[], |column| self.0.space.atoms(column).cuts())
    }
}

impl Tree {
    /// Compiles a policy that has no findings of level error. Deterministic: the same policy gives the same tree and hash.
    ///
    /// # Errors
    /// R411, for each condition or column that is too wide.
    pub fn compile(checked: Arc<Checked>) -> Result<Self, Vec<Diagnostic>> {
        let space = Space::of(&checked).map_err(|wide| vec![wide.finding(&checked)])?;
        let late = space.columns().iter().filter(|column| column.class != Class::Free).count();
        if late > MAX_LATE {
            let title = format!("the rules look at {late} readings; {MAX_LATE} is the limit");
            return Err(vec![Diagnostic::new(&R411, checked.place, title)]);
        }
        let (boxes, too_wide) = Boxes::of(&checked, &space);
        if !too_wide.is_empty() {
            return Err(too_wide.iter().map(|one| one.finding(&checked)).collect());
        }
        let linear = checked.rules.iter().map(|rule| AtomCond::of(&space, &rule.when)).collect();
        let mut builder = Builder {
            space: &space,
            boxes: &boxes,
            nodes: vec![],
            leaves: vec![],
            shared: <_>::default(),
            reserved: 0,
        };
        let root = builder.build((0..boxes.rows.len() as u32).collect(), &[]);
        let (nodes, leaves) = (builder.nodes.into(), builder.leaves.into());
        let bridge = Bridge::new(&checked, &space);
        let hash = fingerprint::of(&checked);
        Ok(Self { checked, space, nodes, leaves, root, boxes, linear, bridge, hash })
    }

    /// The policy it was compiled from.
    pub fn checked(&self) -> &Arc<Checked> {
        &self.checked
    }

    /// `sha256:` and 64 hexadecimal digits over everything that a decision can depend on, catalog facts included; not over
    /// layout, comments, reasons or owners.
    pub fn hash(&self) -> &Arc<str> {
        &self.hash
    }

    /// What it looks at.
    pub const fn needs(&self) -> Needs<'_> {
        Needs(self)
    }

    /// Columns and their atoms.
    pub const fn space(&self) -> &Space {
        &self.space
    }

    /// Rules as boxes.
    pub const fn boxes(&self) -> &Boxes {
        &self.boxes
    }

    /// The rule's condition over atoms.
    pub(super) fn linear(&self) -> &[AtomCond] {
        &self.linear
    }

    pub(super) const fn bridge(&self) -> &Bridge {
        &self.bridge
    }

    /// Walks to the leaf of a request.
    pub(super) fn leaf(&self, atom: impl Fn(ColumnId) -> AtomId) -> &Leaf {
        let mut at = self.root;
        loop {
            match &self.nodes[at.0 as usize] {
                Node::Branch { column, children } => at = children[atom(*column).index()],
                Node::Leaf(leaf) => return &self.leaves[*leaf as usize],
            }
        }
    }

    /// How large it is, for benchmarks and people.
    pub fn size(&self) -> Size {
        let inner = self.nodes.iter().filter(|node| matches!(node, Node::Branch { .. })).count();
        let words = self.leaves.iter().map(|leaf| leaf.rows.len() + leaf.all.len() + leaf.needs.len());
        let rules = self.leaves.iter().map(|leaf| leaf.rules.len() * size_of::<RuleId>());
        let bytes = words.sum::<usize>() * size_of::<u64>() + rules.sum::<usize>();
        Size { inner, leaves: self.leaves.len(), bytes }
    }
}

/// How large a tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Branches.
    pub inner: usize,
    /// Leaves.
    pub leaves: usize,
    /// Bytes of bit rows.
    pub bytes: usize,
}

struct Builder<'a> {
    space: &'a Space,
    boxes: &'a Boxes,
    nodes: Vec<Node>,
    leaves: Vec<Leaf>,
    /// Children with the same candidates are one node.
    shared: FxHashMap<(Vec<u32>, Vec<ColumnId>), NodeId>,
    /// Words that the children of the branches so far can need at most.
    reserved: usize,
}

/// What a branch costs.
struct Cost {
    /// Boxes that a walk through it leaves: twice the average plus the greatest length of a child.
    boxes: u64,
    /// Words of bit rows if every child were a leaf.
    words: usize,
}

impl Builder<'_> {
    fn area(&self, row: u32) -> &AtomBox {
        &self.boxes.rows[row as usize].area
    }

    fn build(&mut self, list: Vec<u32>, tested: &[ColumnId]) -> NodeId {
        let key = (list, tested.to_vec());
        if let Some(node) = self.shared.get(&key) {
            return *node;
        }
        let node = match self.dispatch_column(&key.0, tested) {
            Some(column) => self.branch(&key.0, tested, column),
            None => {
                self.leaves.push(self.leaf(&key.0, tested));
                self.push(Node::Leaf(self.leaves.len() as u32 - 1))
            }
        };
        self.shared.insert(key, node);
        node
    }

    fn push(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        NodeId(self.nodes.len() as u32 - 1)
    }

    fn branch(&mut self, list: &[u32], tested: &[ColumnId], column: ColumnId) -> NodeId {
        // The place is taken first, so that the limit on inner nodes counts this one.
        let node = self.push(Node::Branch { column, children: Box::default() });
        let mut below = tested.to_vec();
        below.push(column);
        below.sort_unstable();
        let children = (0..self.space.count(column))
            .map(|atom| self.build(self.child_list(list, &below, column, AtomId(atom as u16)), &below))
            .collect();
        self.nodes[node.0 as usize] = Node::Branch { column, children };
        node
    }

    /// Candidates that admit an atom, up to the first that holds for certain.
    fn child_list(&self, list: &[u32], tested: &[ColumnId], column: ColumnId, atom: AtomId) -> Vec<u32> {
        let mut child = Vec::new();
        for row in list.iter().copied().filter(|row| self.area(*row).admits(column, atom)) {
            child.push(row);
            if self.settled(row, tested) {
                break;
            }
        }
        child
    }

    /// Whether a candidate that survived the walk over `tested` has nothing left to test.
    fn settled(&self, row: u32, tested: &[ColumnId]) -> bool {
        self.area(row).sets().iter().all(|(column, _)| tested.contains(column))
    }

    /// The column whose children are shortest; `None` when a leaf is as good, or a limit is reached.
    fn dispatch_column(&mut self, list: &[u32], tested: &[ColumnId]) -> Option<ColumnId> {
        let inner = self.nodes.len() - self.leaves.len();
        if list.len() <= LEAF_BOXES || tested.len() >= MAX_DEPTH || inner >= MAX_INNER {
            return None;
        }
        let room = MAX_LEAVES.saturating_sub(self.leaves.len());
        let candidates = self.space.ids().filter(|id| {
            let column = self.space.column(*id);
            column.class == Class::Free && !tested.contains(id) && self.space.count(*id) <= room
        });
        let rated = candidates.map(|column| (self.cost(list, tested, column), column));
        let unsplit = 3 * list.len() as u64;
        let affordable = rated.filter(|(cost, _)| cost.boxes < unsplit && self.reserved + cost.words <= MAX_ROW_WORDS);
        let (cost, column) = affordable.min_by_key(|(cost, column)| (cost.boxes, *column))?;
        self.reserved += cost.words;
        Some(column)
    }

    fn cost(&self, list: &[u32], tested: &[ColumnId], column: ColumnId) -> Cost {
        let count = self.space.count(column);
        let mut below = tested.to_vec();
        below.push(column);
        // Rows without a limit on the column are in every open child, so they are counted once.
        let mut everywhere = 0u64;
        let mut own = vec![0u64; count];
        let mut closed: Vec<Option<u64>> = vec![None; count];
        for row in list {
            let settled = self.settled(*row, &below);
            match self.area(*row).get(column) {
                None => {
                    everywhere += 1;
                    if settled {
                        break;
                    }
                }
                Some(set) => {
                    for atom in set.iter().map(AtomId::index).filter(|atom| closed[*atom].is_none()).collect::<Vec<_>>()
                    {
                        own[atom] += 1;
                        if settled {
                            closed[atom] = Some(own[atom] + everywhere);
                        }
                    }
                }
            }
        }
        let lengths = (0..count).map(|atom| closed[atom].unwrap_or(own[atom] + everywhere));
        let (sum, max) = lengths.clone().fold((0, 0), |(sum, max), len| (sum + len, len.max(max)));
        let atoms: usize = self.space.ids().map(|id| self.space.count(id)).sum();
        let words = lengths.map(|len| len.div_ceil(64) as usize * atoms).sum();
        Cost { boxes: 2 * sum / count.max(1) as u64 + max, words }
    }

    fn leaf(&self, list: &[u32], tested: &[ColumnId]) -> Leaf {
        let words = list.len().div_ceil(64);
        let mut all = vec![0u64; words];
        for at in 0..list.len() {
            all[at / 64] |= 1 << (at % 64);
        }
        let limits = |column: ColumnId| list.iter().any(|row| self.area(*row).get(column).is_some());
        let used: Vec<ColumnId> = self.space.ids().filter(|id| !tested.contains(id) && limits(*id)).collect();
        let (free, mut late): (Vec<_>, Vec<_>) =
            used.into_iter().partition(|column| self.space.column(*column).class == Class::Free);
        late.sort_by_key(|column| (self.space.column(*column).class, *column));
        let mut rows = Vec::new();
        let mut table = |column: &ColumnId| {
            let base = rows.len() as u32;
            for atom in 0..self.space.count(*column) {
                let start = rows.len();
                rows.resize(start + words, 0);
                for (at, row) in list.iter().enumerate() {
                    if self.area(*row).admits(*column, AtomId(atom as u16)) {
                        rows[start + at / 64] |= 1 << (at % 64);
                    }
                }
            }
            LeafColumn { column: *column, base }
        };
        let free = free.iter().map(&mut table).collect();
        let late_columns = late.iter().map(&mut table).collect();
        let mask = |row: &u32| {
            let bits = late.iter().enumerate().filter(|(_, column)| self.area(*row).get(**column).is_some());
            bits.fold(0, |mask, (bit, _)| mask | 1 << bit)
        };
        let needs = if late.is_empty() { Box::default() } else { list.iter().map(mask).collect() };
        let rules = list.iter().map(|row| self.boxes.rows[*row as usize].rule).collect();
        Leaf { words, all: all.into(), free, late: late_columns, rows: rows.into(), needs, rules }
    }
}

/// A leaf of conditions, for those who only have a tree.
impl Tree {
    /// The condition of a rule as resolved.
    pub fn condition(&self, rule: RuleId) -> &Cond {
        &self.checked.rules[rule.index()].when
    }
}
