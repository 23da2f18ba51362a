//! Boxes and arrows, before any notation.
//!
//! In: labels and who points at whom. Out: a value that DOT and Mermaid print. Must not know: policies.

/// A drawing.
#[derive(Clone, Debug, Default)]
pub struct Drawing {
    /// What is drawn.
    pub title: String,
    /// Boxes.
    pub nodes: Vec<Node>,
    /// Arrows.
    pub edges: Vec<Edge>,
    /// Boxes that stand in one column, from the top.
    pub columns: Vec<Vec<usize>>,
    /// What colors mean.
    pub legend: Vec<(String, Tone)>,
    /// Arrows lead down, not to the right.
    pub down: bool,
}

/// A box.
#[derive(Clone, Debug)]
pub struct Node {
    /// Lines; the first is the name.
    pub label: Vec<String>,
    /// How it is framed.
    pub shape: Shape,
    /// How it is colored.
    pub tone: Tone,
}

/// An arrow.
#[derive(Clone, Debug)]
pub struct Edge {
    /// From which box.
    pub from: usize,
    /// To which box.
    pub to: usize,
    /// Beside it; may be empty.
    pub label: String,
    /// Not the way of the request, only of the question.
    pub dashed: bool,
}

/// How a box is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Corners.
    Box,
    /// Round corners.
    Round,
    /// A question.
    Diamond,
}

/// How a box is colored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Not at all.
    Plain,
    /// An ordered tier, by its place.
    Tier(usize),
    /// A specialized tier.
    Special,
    /// What the caller gets when no hop delivered.
    Ends,
    /// A refusal.
    Rejects,
}

impl Tone {
    /// The fill; legible under black text.
    pub const fn fill(self) -> &'static str {
        const TIERS: [&str; 6] = ["#bcd7f5", "#cdeac0", "#fdf3b0", "#e8d3f2", "#f8d9c0", "#c9ecec"];
        match self {
            Self::Plain => "#ffffff",
            Self::Tier(at) => TIERS[at % TIERS.len()],
            Self::Special => "#dddddd",
            Self::Ends => "#f4f4f4",
            Self::Rejects => "#f7c5c5",
        }
    }
}

impl Drawing {
    /// Adds a box.
    pub fn node(&mut self, label: Vec<String>, shape: Shape, tone: Tone) -> usize {
        self.nodes.push(Node { label, shape, tone });
        self.nodes.len() - 1
    }

    /// Adds an arrow.
    pub fn edge(&mut self, from: usize, to: usize, label: &str, dashed: bool) {
        self.edges.push(Edge { from, to, label: label.to_owned(), dashed });
    }
}
