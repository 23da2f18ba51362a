//! A drawing in Mermaid, which GitHub and GitLab draw inside Markdown.
//!
//! In: a [`Drawing`]. Out: text. Must not know: policies.

use std::fmt::Write as _;

use super::drawing::{Drawing, Shape, Tone};

impl Drawing {
    /// A `flowchart`, ending in a newline.
    pub fn mermaid(&self) -> String {
        let direction = if self.down { "TD" } else { "LR" };
        let mut out = format!("%% {}\nflowchart {direction}\n", self.title.replace(['\n', '\r', '{', '}'], " "));
        for (at, node) in self.nodes.iter().enumerate() {
            let label = node.label.iter().map(|line| escaped(line)).collect::<Vec<_>>().join("<br/>");
            let (open, close) = match node.shape {
                Shape::Box => ("[", "]"),
                Shape::Round => ("([", "])"),
                Shape::Diamond => ("{", "}"),
            };
            let class = class(node.tone).map(|class| format!(":::{class}")).unwrap_or_default();
            let _ = writeln!(out, "  n{at}{open}\"{label}\"{close}{class}");
        }
        for edge in &self.edges {
            let arrow = if edge.dashed { "-.->" } else { "-->" };
            let label = if edge.label.is_empty() { String::new() } else { format!("|\"{}\"|", escaped(&edge.label)) };
            let _ = writeln!(out, "  n{} {arrow}{label} n{}", edge.from, edge.to);
        }
        if !self.legend.is_empty() {
            out.push_str("  subgraph tiers[\"tiers, best first\"]\n");
            for (at, (name, tone)) in self.legend.iter().enumerate() {
                let class = class(*tone).map(|class| format!(":::{class}")).unwrap_or_default();
                let _ = writeln!(out, "    t{at}[\"{}\"]{class}", escaped(name));
            }
            out.push_str("  end\n");
        }
        for tone in self.tones() {
            if let Some(class) = class(tone) {
                let _ = writeln!(out, "  classDef {class} fill:{},stroke:#555555,color:#000000", tone.fill());
            }
        }
        out
    }

    /// Every tone that is used, in the order of their names.
    fn tones(&self) -> Vec<Tone> {
        let all = self.nodes.iter().map(|node| node.tone).chain(self.legend.iter().map(|(_, tone)| *tone));
        let mut tones: Vec<Tone> = Vec::new();
        for tone in all {
            if !tones.contains(&tone) {
                tones.push(tone);
            }
        }
        tones.sort_by_key(|tone| class(*tone));
        tones
    }
}

fn class(tone: Tone) -> Option<String> {
    match tone {
        Tone::Plain => None,
        Tone::Tier(at) => Some(format!("tier{at}")),
        Tone::Special => Some("special".to_owned()),
        Tone::Ends => Some("ends".to_owned()),
        Tone::Rejects => Some("rejects".to_owned()),
    }
}

/// Inside quotes only the quote ends a label; markup and entities are written as entities, so that they stay text.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("#quot;"),
            '#' => out.push_str("#35;"),
            '<' => out.push_str("#lt;"),
            '>' => out.push_str("#gt;"),
            '&' => out.push_str("#amp;"),
            '`' => out.push_str("#96;"),
            '\\' => out.push_str("#92;"),
            '*' => out.push_str("#42;"),
            '_' => out.push_str("#95;"),
            other if other.is_control() => out.push(' '),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_label_ends_its_quotes_or_is_markup() {
        assert_eq!(escaped("a \"b\" <c> #1 like \"x*\""), "a #quot;b#quot; #lt;c#gt; #35;1 like #quot;x#42;#quot;");
    }
}
