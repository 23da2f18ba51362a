//! A diff as a comment on a pull request, in the Markdown that GitHub and GitLab share.
//!
//! In: a [`Diff`], what the two sides are called. Out: Markdown. Must not know: where it is posted. Whatever a policy's author
//! wrote is escaped, so that no name can end a table or begin a tag.

use std::fmt::Write as _;

use super::text::{Names, declared, requests, words};
use super::{Diff, Group};

impl Diff {
    /// A heading, a table with one row for each group, and behind it, folded, the outcomes.
    pub fn markdown(&self, names: &Names, all: bool) -> String {
        let policy = code(names.policy.as_deref().unwrap_or(&self.policy));
        let mut out = format!("### {policy}: {}\n\n{} → {}\n", self.summary(), code(&names.old), code(&names.new));
        for note in &self.notes {
            let _ = writeln!(out, "\n> {}", escaped(note));
        }
        if !self.declared.is_empty() {
            out.push('\n');
        }
        for change in &self.declared {
            let _ = writeln!(out, "- {}", escaped(&declared(change)));
        }
        if !self.groups.is_empty() {
            out.push_str("\n| | was | now | flags | for example |\n|---|---|---|---|---|\n");
        }
        for group in &self.groups {
            let flags: Vec<String> = group.flags.iter().map(|flag| escaped(&flag.to_string())).collect();
            let (was, now, example) = (code(&group.was), code(&group.now), code(&words(&group.witness)));
            let _ = writeln!(out, "| {} | {was} | {now} | {} | {example} |", group.sign(), flags.join("<br>"));
        }
        if !self.groups.is_empty() {
            self.outcomes(&mut out);
        }
        if !self.now_dead.is_empty() {
            let rules: Vec<String> = self.now_dead.iter().map(|rule| code(rule)).collect();
            let _ = writeln!(out, "\nNow unreachable (R401): {}", rules.join(", "));
        }
        if let Some(traffic) = &self.traffic {
            let _ = writeln!(out, "\nTraffic: {}", escaped(&traffic.sentence()));
        }
        if !self.unchanged.is_empty() {
            let _ = writeln!(out, "\nUnchanged: {}", escaped(&self.unchanged.join(", ")));
        }
        if all && !self.ignored.is_empty() {
            let _ = writeln!(out, "\nNo part of a decision, and changed: {}", escaped(&self.ignored.join(", ")));
        }
        out
    }

    fn outcomes(&self, out: &mut String) {
        out.push_str("\n<details>\n<summary>What these requests got, and what they get</summary>\n\n");
        for group in &self.groups {
            outcome(group, out);
        }
        out.push_str("\n</details>\n");
    }
}

fn outcome(group: &Group, out: &mut String) {
    let _ = writeln!(out, "- {} → {}, where {}", code(&group.was), code(&group.now), code(&group.condition));
    let _ = writeln!(out, "  - was {}", escaped(&group.was_outcome.line()));
    let _ = writeln!(out, "  - now {}", escaped(&group.now_outcome.line()));
    if let Some(count) = group.replayed {
        let _ = writeln!(out, "  - seen {}", requests(count));
    }
    if !group.changes.is_empty() {
        let _ = writeln!(out, "  - also {}", escaped(&group.changes.join("; ")));
    }
}

/// Text in which nothing is markup.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\n' | '\r' => out.push(' '),
            // An at sign would call somebody, a number sign would link an issue.
            '@' => out.push_str("&#64;"),
            '#' => out.push_str("&#35;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '!' => {
                out.push('\\');
                out.push(letter);
            }
            _ => out.push(letter),
        }
    }
    out
}

/// Text as code. Inside a table even code must escape its bars.
fn code(text: &str) -> String {
    let plain = text.replace(['\n', '\r'], " ").replace('|', "\\|");
    if !plain.contains('`') {
        return format!("`{plain}`");
    }
    // A fence of more marks than the text has in a row holds them.
    let longest = plain.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    format!("{fence} {plain} {fence}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_markup() {
        assert_eq!(escaped("a|b <b> @all #1 `x` *y*"), "a\\|b &lt;b&gt; &#64;all &#35;1 \\`x\\` \\*y\\*");
        assert_eq!(code("a|b"), "`a\\|b`");
        assert_eq!(code("a `b` ``c"), "``` a `b` ``c ```");
    }
}
