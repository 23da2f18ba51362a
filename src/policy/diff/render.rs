//! A diff for people, for a pull request, for tools.
//!
//! In: a [`Diff`]. Out: text, Markdown, JSON. Must not know: terminals.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::super::diagnostic::Witness;
use super::{Diff, Group};

impl Diff {
    /// For people.
    pub fn text(&self) -> String {
        let mut out = format!("{}     {}\n", self.policy, self.summary());
        for note in &self.notes {
            let _ = writeln!(out, " ! {note}");
        }
        if !self.groups.is_empty() {
            out.push('\n');
        }
        for group in &self.groups {
            let flags = group.flags.iter().map(|flag| flag.replace('-', " ").to_uppercase()).collect::<Vec<_>>();
            let title = format!(" {} {} → {}", sign(group), group.was, group.now);
            let _ = writeln!(out, "{title:<56}  {}", flags.join("  ").trim_end());
            let _ = writeln!(out, "     was {}", group.was_outcome.line());
            let _ = writeln!(out, "     now {}", group.now_outcome.line());
            let _ = writeln!(out, "     e.g. {}", words(&group.witness));
        }
        for rule in &self.now_dead {
            let _ = writeln!(out, " {rule} is now unreachable (R401)");
        }
        out
    }

    /// For a comment on a pull request.
    pub fn markdown(&self) -> String {
        let mut out = format!("### Policy `{}`: {}\n", self.policy, self.summary());
        for note in &self.notes {
            let _ = writeln!(out, "\n> {}", escaped(note));
        }
        if !self.groups.is_empty() {
            out.push_str("\n| | was | now | flags | for example |\n|---|---|---|---|---|\n");
        }
        for group in &self.groups {
            let _ = writeln!(
                out,
                "| {} | `{}`<br>{} | `{}`<br>{} | {} | {} |",
                sign(group),
                group.was,
                escaped(&group.was_outcome.line()),
                group.now,
                escaped(&group.now_outcome.line()),
                group.flags.join(", "),
                escaped(&words(&group.witness)),
            );
        }
        if !self.now_dead.is_empty() {
            let _ = writeln!(out, "\nNow unreachable: {}", self.now_dead.join(", "));
        }
        out
    }

    /// The document of section 8.2 of the specification, without the head that every command shares.
    pub fn json(&self) -> Value {
        let groups: Vec<Value> = self.groups.iter().map(group_json).collect();
        json!({
            "policy": self.policy,
            "old": { "hash": self.old_hash },
            "new": { "hash": self.new_hash },
            "equal": self.is_equal(),
            "groups": groups,
            "rules": { "added": self.added, "removed": self.removed, "now_dead": self.now_dead },
            "notes": self.notes,
            "traffic": null,
        })
    }

    fn summary(&self) -> String {
        if self.is_equal() {
            return "decides alike".to_owned();
        }
        let count = |number: usize, one: &str, many: &str| match number {
            0 => None,
            1 => Some(format!("1 {one}")),
            _ => Some(format!("{number} {many}")),
        };
        let parts = [
            count(self.added.len(), "rule added", "rules added"),
            count(self.removed.len(), "rule removed", "rules removed"),
            count(self.groups.len(), "changed decision", "changed decisions"),
            count(self.now_dead.len(), "rule now dead", "rules now dead"),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// Down for a lower tier, up for a higher tier or price, else a wave.
fn sign(group: &Group) -> char {
    let has = |name: &str| group.flags.iter().any(|flag| flag == name || flag.starts_with(name));
    match (has("downgrade"), has("upgrade") || has("cost-up")) {
        (true, _) => '▼',
        (false, true) => '▲',
        _ => '~',
    }
}

fn words(witness: &Witness) -> String {
    let all = witness.request.iter().chain(&witness.readings).map(|(name, value)| format!("{name} {value}"));
    let text = all.collect::<Vec<_>>().join(", ");
    if text.is_empty() { "any request".to_owned() } else { text }
}

fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}

fn group_json(group: &Group) -> Value {
    let pairs = |list: &[(String, String)]| {
        let entries = list.iter().map(|(name, value)| (name.clone(), Value::String(value.clone())));
        Value::Object(entries.collect::<Map<_, _>>())
    };
    json!({
        "was": group.was,
        "now": group.now,
        "flags": group.flags,
        "condition": group.condition,
        "witness": { "request": pairs(&group.witness.request), "readings": pairs(&group.witness.readings) },
        "was_outcome": group.was_outcome,
        "now_outcome": group.now_outcome,
        "replayed": null,
    })
}
