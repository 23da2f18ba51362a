//! A diff as people read it in a terminal, in the layout of section 9.7 of the language specification.
//!
//! In: a [`Diff`], what the two sides are called. Out: text without colors. Must not know: terminals.

use std::fmt::Write as _;

use super::super::declared::Change;
use super::super::diagnostic::Witness;
use super::super::shown::grouped;
use super::{Diff, Flag, Group, Traffic};

/// Where flags begin.
const FLAG_COLUMN: usize = 48;
/// Where a line of flags goes on in the next.
const LINE_COLUMNS: usize = 120;

/// What people call the two policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The policy file, where both sides are versions of one: `support_desk.route`.
    pub policy: Option<String>,
    /// `main 9f31c2a`, or a path.
    pub old: String,
    /// `HEAD 4be0d77`, or a path.
    pub new: String,
}

impl Diff {
    /// The whole page, ending in a newline. `all` also says what is no part of an outcome.
    pub fn text(&self, names: &Names, all: bool) -> String {
        let policy = names.policy.as_ref().map(|policy| format!("{policy}  ")).unwrap_or_default();
        let mut out = format!("{policy}{} → {}     {}\n", names.old, names.new, self.summary());
        for note in &self.notes {
            let _ = writeln!(out, " ! {note}");
        }
        for change in &self.declared {
            let _ = writeln!(out, " {}", declared(change));
        }
        let mut condition = None;
        for (at, group) in self.groups.iter().enumerate() {
            if at == 0 || condition != Some(&group.condition) {
                let _ = writeln!(out, "\n {}: {}", group.now, group.condition);
            }
            condition = Some(&group.condition);
            self.group(group, &mut out);
        }
        let shown = |name: &&String| !self.groups.iter().any(|group| group.has(Flag::DeadRule) && group.was == **name);
        for rule in self.now_dead.iter().filter(shown) {
            let _ = writeln!(out, "\n {rule} is now unreachable (R401)");
        }
        if let Some(traffic) = &self.traffic {
            let _ = writeln!(out, "\ntraffic: {}", traffic.sentence());
        }
        if !self.unchanged.is_empty() {
            let _ = writeln!(out, "\nunchanged: {}", self.unchanged.join(", "));
        }
        if all && !self.ignored.is_empty() {
            let _ = writeln!(out, "\nno part of a decision, and changed: {}", self.ignored.join(", "));
        }
        out
    }

    fn group(&self, group: &Group, out: &mut String) {
        let mut line = format!("{:<FLAG_COLUMN$}", format!(" {} {} → {}", group.sign(), group.was, group.now));
        for flag in &group.flags {
            let flag = flag.to_string();
            if line.chars().count() + 2 + flag.chars().count() > LINE_COLUMNS && line.trim_end().len() > FLAG_COLUMN {
                let _ = writeln!(out, "{}", line.trim_end());
                line = " ".repeat(FLAG_COLUMN);
            }
            let _ = write!(line, "  {flag}");
        }
        let _ = writeln!(out, "{}", line.trim_end());
        let (was, now) = (group.was_outcome.halves(), group.now_outcome.halves());
        let width = was.0.chars().count().max(now.0.chars().count());
        let line = |(tries, ends): &(String, String)| match (width, &**tries) {
            (0, _) => ends.clone(),
            (_, "") => format!("{:width$}   {ends}", ""),
            (_, tries) => format!("{tries:<width$} → {ends}"),
        };
        let _ = writeln!(out, "     was  {}", line(&was));
        let _ = writeln!(out, "     now  {}", line(&now));
        if !group.changes.is_empty() {
            let _ = writeln!(out, "     also {}", group.changes.join("; "));
        }
        let _ = writeln!(out, "     e.g. {}", words(&group.witness));
        if let Some(count) = group.replayed {
            let _ = writeln!(out, "     seen {}", requests(count));
        }
    }

    /// `+1 rule, 6 changed decisions, 1 rule now dead`.
    pub(super) fn summary(&self) -> String {
        let count = |sign: &str, number: usize, one: &str, many: &str| match number {
            0 => None,
            1 => Some(format!("{sign}1 {one}")),
            _ => Some(format!("{sign}{number} {many}")),
        };
        let parts = [
            count("+", self.added.len(), "rule", "rules"),
            count("-", self.removed.len(), "rule", "rules"),
            count("", self.groups.len(), "changed decision", "changed decisions"),
            count("", self.now_dead.len(), "rule now dead", "rules now dead"),
            count("", self.declared.len(), "declaration changed", "declarations changed"),
        ];
        let mut parts: Vec<String> = parts.into_iter().flatten().collect();
        if self.groups.is_empty() {
            parts.push("no decision changed".to_owned());
        }
        parts.join(", ")
    }
}

impl Group {
    /// Whether a flag was raised.
    pub fn has(&self, flag: Flag) -> bool {
        self.flags.iter().any(|raised| raised.flag == flag)
    }

    /// Down for less than before, up for a higher tier or price and nothing lost for it, else a wave.
    pub(super) fn sign(&self) -> char {
        let any = |flags: &[Flag]| flags.iter().any(|flag| self.has(*flag));
        let down = any(&[Flag::Downgrade, Flag::Rejected, Flag::LosesPerson]);
        let up = any(&[Flag::Upgrade, Flag::Admitted, Flag::CostUp]);
        match (down, up && !any(&[Flag::LosesFallback, Flag::BudgetBypassed])) {
            (true, _) => '▼',
            (false, true) => '▲',
            (false, false) => '~',
        }
    }
}

/// A declaration that changed, in one line: `~ budget lab: limit $60 per day → $90 per day`.
pub(super) fn declared(change: &Change) -> String {
    match change {
        Change::Added(part) => format!("+ {} {}", part.kind, part.name),
        Change::Removed(part) => format!("- {} {}", part.kind, part.name),
        Change::Changed { kind, name, clauses } => {
            let said = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
            let each = clauses.iter().map(|one| format!("{} {} → {}", one.clause, said(&one.was), said(&one.now)));
            format!("~ {kind} {name}: {}", each.collect::<Vec<_>>().join("; "))
        }
    }
}

impl Traffic {
    /// `17 of 340 requests change; 2 more cannot be replayed on both sides (line 3: …)`.
    pub(super) fn sentence(&self) -> String {
        let mut text = format!("{} of {} change", grouped(self.changed), requests(self.requests));
        if let Some(first) = &self.first_left_out {
            let _ = write!(text, "; {} more cannot be replayed on both sides ({first})", grouped(self.left_out));
        }
        text
    }
}

/// `1 request`, `2,000 requests`.
pub(super) fn requests(count: u64) -> String {
    format!("{} {}", grouped(count), if count == 1 { "request" } else { "requests" })
}

/// A request as it is pasted into a test: `plan pro, prompt_tokens 2k`.
pub(super) fn words(witness: &Witness) -> String {
    let all = witness.request.iter().chain(&witness.readings).map(|(name, value)| format!("{name} {value}"));
    let text = all.collect::<Vec<_>>().join(", ");
    if text.is_empty() { "any request".to_owned() } else { text }
}
