//! Which decisions an edit changes (language specification, section 9.7).
//!
//! In: two policies. Out: every pair "was rule i, now rule j" with a request that shows it; none exactly when the two decide
//! alike. Must not know: files, git, terminals.
//!
//! Outcomes are compared by content, so renaming a rule, reordering disjoint ones and formatting come out empty.

mod aliases;
mod changes;
mod compare;
mod contexts;
mod facts;
mod flags;
mod joint;
mod json;
mod markdown;
mod outcome;
mod text;
mod traffic;
mod unchanged;

pub use self::aliases::Resolves;
pub use self::flags::{Flag, Raised, Wanted};
pub use self::json::document;
pub use self::outcome::Does;
pub use self::text::Names;
pub use self::traffic::{Decides, Traffic};
use super::checked::Checked;
use super::declared::{self, Change};
use super::diagnostic::{Diagnostic, Witness};
use super::fingerprint;
use super::prove::{Options, ProveError};
use super::source::Sources;

/// What changed between two policies.
#[derive(Clone, Debug)]
pub struct Diff {
    /// The policy's name, as the new one has it.
    pub policy: String,
    /// Hash of the old policy.
    pub old_hash: String,
    /// Hash of the new policy.
    pub new_hash: String,
    /// Changed decisions, in the order of the new rules.
    pub groups: Vec<Group>,
    /// What one of the two refuses before any rule, or reads in another way.
    pub notes: Vec<String>,
    /// Rules with a new name.
    pub added: Vec<String>,
    /// Rules whose name is gone.
    pub removed: Vec<String>,
    /// Rules that decided something and now decide nothing.
    pub now_dead: Vec<String>,
    /// Budgets, rollouts, switches, guarantees and the like that say something else.
    pub declared: Vec<Change>,
    /// Requests for which no decision changed, as conditions: `residency is eu`. Each is proven; not all that could be said is.
    pub unchanged: Vec<String>,
    /// What a log says about the edit, once there was one.
    pub traffic: Option<Traffic>,
    /// What differs and is no part of an outcome: reasons, tags, owners.
    pub ignored: Vec<String>,
}

/// All requests that one rule decided and another decides now, with another outcome.
#[derive(Clone, Debug)]
pub struct Group {
    /// The old rule.
    pub was: String,
    /// The new rule.
    pub now: String,
    /// What that means.
    pub flags: Vec<Raised>,
    /// The new rule's own condition. The group is where it holds, no rule above matches, and the old rule decided.
    pub condition: String,
    /// One of the requests.
    pub witness: Witness,
    /// What it got.
    pub was_outcome: Does,
    /// What it gets.
    pub now_outcome: Does,
    /// What else is different, in words: `hold 200 tokens → first_token`.
    pub changes: Vec<String>,
    /// The rules do the same; only facts about some of these requests differ.
    pub partial: bool,
    /// Recorded requests in the group; `None` without a log.
    pub replayed: Option<u64>,
}

/// Why two policies could not be compared.
#[derive(Debug)]
pub enum DiffError {
    /// R411, or R410 when fuel ran out: the two may differ in more than what was found.
    Findings(Vec<Diagnostic>),
    /// A fault of the comparison.
    Wrong(ProveError),
}

impl Diff {
    /// Whether the two decide alike, for every request that both admit, and admit the same, and what moves beside the rules
    /// moves alike.
    pub fn is_equal(&self) -> bool {
        self.groups.is_empty() && self.notes.is_empty() && self.declared.is_empty()
    }

    /// Whether a word of `--fail-on` applies.
    pub fn has(&self, wanted: Wanted) -> bool {
        let dead = wanted.flag == Flag::DeadRule && !self.now_dead.is_empty();
        dead || self.groups.iter().flat_map(|group| &group.flags).any(|raised| wanted.is(raised))
    }

    /// Quotes the conditions of the new rules as their author wrote them.
    pub fn quote(&mut self, new: &Checked, sources: &Sources) {
        for group in &mut self.groups {
            let rule = new.rules.iter().find(|rule| *rule.name == *group.now);
            group.condition = match rule.map(|rule| rule.when_span) {
                Some(Some(span)) => sources.text(span).split_whitespace().collect::<Vec<_>>().join(" "),
                Some(None) => "always".to_owned(),
                None => "no rule matches".to_owned(),
            };
        }
    }
}

/// Compares two policies.
///
/// # Errors
/// When a condition is too wide, fuel runs out, or a witness is wrong.
pub fn diff(old: &Checked, new: &Checked, options: Options) -> Result<Diff, DiffError> {
    let joint = joint::join(old, new);
    let (mut groups, unchanged) = compare::compare(&joint, options)?;
    let dead = |one: &Checked| dead_rules(one, options).map_err(DiffError::Wrong);
    let (was_dead, is_dead) = (dead(old)?, dead(new)?);
    let names = |checked: &Checked| checked.rules.iter().map(|rule| rule.name.to_string()).collect::<Vec<_>>();
    let (was, is) = (names(old), names(new));
    let now_dead: Vec<String> =
        is_dead.into_iter().filter(|name| was.contains(name) && !was_dead.contains(name)).collect();
    for name in &now_dead {
        // Once is enough: at the first group that shows who took its requests.
        if let Some(group) = groups.iter_mut().find(|group| group.was == *name) {
            group.flags.push(Raised::new(Flag::DeadRule, name.clone()));
        }
    }
    Ok(Diff {
        policy: new.name.to_string(),
        old_hash: fingerprint::of(old).to_string(),
        new_hash: fingerprint::of(new).to_string(),
        groups,
        notes: joint.notes,
        added: is.iter().filter(|name| !was.contains(name)).cloned().collect(),
        removed: was.iter().filter(|name| !is.contains(name)).cloned().collect(),
        now_dead,
        declared: declared::differences(old, new),
        unchanged,
        traffic: None,
        ignored: ignored(old, new),
    })
}

fn dead_rules(checked: &Checked, options: Options) -> Result<Vec<String>, ProveError> {
    let found = super::prove::prove(checked, options)?;
    let dead = found.iter().filter(|one| matches!(one.code.code, "R401" | "R402" | "R405"));
    let named = dead.filter_map(|one| {
        let inside = |rule: &&super::checked::Rule| rule.span == one.span || rule.when_span == Some(one.span);
        checked.rules.iter().find(inside).map(|rule| rule.name.to_string())
    });
    Ok(named.collect())
}

/// Reasons, tags and owners that differ (clarification 16.11).
fn ignored(old: &Checked, new: &Checked) -> Vec<String> {
    let mut list = Vec::new();
    if old.owner != new.owner {
        list.push("the owner of the policy".to_owned());
    }
    for rule in &new.rules {
        let Some(before) = old.rules.iter().find(|one| one.name == rule.name) else { continue };
        for (differs, word) in [(before.because != rule.because, "because"), (before.tags != rule.tags, "tag")] {
            list.extend(differs.then(|| format!("`{word}` of `{}`", rule.name)));
        }
    }
    list
}
