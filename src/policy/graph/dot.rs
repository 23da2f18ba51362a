//! A drawing in DOT, the notation of Graphviz.
//!
//! In: a [`Drawing`]. Out: text. Must not know: policies.

use std::fmt::Write as _;

use super::drawing::{Drawing, Node, Shape};

impl Drawing {
    /// A `digraph`, ending in a newline.
    pub fn dot(&self) -> String {
        let mut out = format!("digraph {} {{\n", quoted(&self.title));
        let direction = if self.down { "TB" } else { "LR" };
        let _ = writeln!(out, "  graph [rankdir={direction}, nodesep=0.25, ranksep=0.5, fontname=\"Helvetica\"];");
        out.push_str("  node [shape=box, style=filled, fontname=\"Helvetica\", fontsize=11];\n");
        out.push_str("  edge [fontname=\"Helvetica\", fontsize=10];\n");
        for (at, node) in self.nodes.iter().enumerate() {
            let _ = writeln!(out, "  n{at} [{}];", attributes(node));
        }
        for column in &self.columns {
            let nodes: Vec<String> = column.iter().map(|at| format!("n{at};")).collect();
            let _ = writeln!(out, "  {{ rank=same; {} }}", nodes.join(" "));
        }
        for edge in &self.edges {
            let label = if edge.label.is_empty() { String::new() } else { format!("label={}", quoted(&edge.label)) };
            let style = if edge.dashed { "style=dashed" } else { "" };
            let both: Vec<&str> = [&*label, style].into_iter().filter(|part| !part.is_empty()).collect();
            let both = if both.is_empty() { String::new() } else { format!(" [{}]", both.join(", ")) };
            let _ = writeln!(out, "  n{} -> n{}{both};", edge.from, edge.to);
        }
        self.dot_legend(&mut out);
        out.push_str("}\n");
        out
    }

    fn dot_legend(&self, out: &mut String) {
        if self.legend.is_empty() {
            return;
        }
        out.push_str("  subgraph cluster_tiers {\n    label=\"tiers, best first\"; style=rounded; fontsize=11;\n");
        for (at, (name, tone)) in self.legend.iter().enumerate() {
            let _ = writeln!(out, "    t{at} [label={}, fillcolor=\"{}\"];", quoted(name), tone.fill());
        }
        out.push_str("  }\n");
    }
}

fn attributes(node: &Node) -> String {
    let shape = match node.shape {
        Shape::Box => "",
        Shape::Round => ", style=\"filled,rounded\"",
        Shape::Diamond => ", shape=diamond",
    };
    format!("label={}, fillcolor=\"{}\"{shape}", quoted(&node.label.join("\n")), node.tone.fill())
}

/// A quoted string: in DOT only the quote and the backslash are special in one, and a line ends in `\n`.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            other if other.is_control() => out.push(' '),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_label_ends_its_string() {
        assert_eq!(quoted("a \"b\" \\N\nc\t"), "\"a \\\"b\\\" \\\\N\\nc \"");
    }
}
