//! What is true of every possible request: no rule is dead, nothing falls through, no chain is empty.
//!
//! In: a [`Checked`]. Out: findings R209, R310 to R314, R334, R401 to R411, R803 and R805, each that can have one with a request that shows it.
//! Must not know: files, terminals.
//!
//! Everything is asked with one query, [`find`]: is a box covered by others? The boxes of a rule are covered by those of the
//! rules above it exactly when the rule is dead; a chain can be empty exactly where the boxes of what its hops cannot serve
//! are not.

mod bills;
mod bounded;
mod budgets;
mod calls;
mod chains;
mod crossing;
pub mod find;
mod guarantees;
pub(in crate::policy) mod index;
mod limits;
mod matching;
mod neighbors;
mod properties;
mod reach;
mod redundant;
mod rollouts;
mod same;
mod signals;
mod staffing;
mod streams;
pub(in crate::policy) mod witness;

use jiff::civil::Date;

pub use self::crossing::Spoken;
use self::find::{Cover, DEFAULT_FUEL, Found, Fuel, find_in};
use self::index::{Index, Mask};
pub use self::properties::Counterexample;
pub use self::reach::{Reach, reach};
use super::atoms::{Mentions, Space};
use super::boxes::{AtomBox, Boxes};
use super::checked::{Checked, Cond, Outcome, RuleId};
use super::decide::AtomCond;
use super::diagnostic::{Diagnostic, Edit, R410};
use super::source::Span;

/// How far to go.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Steps of the search, for the whole policy. Out of fuel is R410.
    pub fuel: u64,
    /// The day that prices are those of; without one, announced changes are left out.
    pub today: Option<Date>,
}

impl Default for Options {
    fn default() -> Self {
        Self { fuel: DEFAULT_FUEL, today: None }
    }
}

/// A fault of the analysis, not of the policy: a witness did not show what it was printed for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProveError {
    /// What was claimed and what is so.
    pub what: String,
}

impl std::fmt::Display for ProveError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the analysis contradicts itself: {}", self.what)
    }
}

impl std::error::Error for ProveError {}

/// Why a question has no answer.
pub(in crate::policy) enum Stop {
    /// R410: the place in the rules that was being looked at.
    OutOfFuel,
    /// A fault.
    Wrong(ProveError),
}

impl From<ProveError> for Stop {
    fn from(error: ProveError) -> Self {
        Self::Wrong(error)
    }
}

/// The text of a policy, for who has it: what can be left out of a condition becomes an edit.
pub trait Written {
    /// These values taken out of the list of the test at a place; also where they stand.
    fn without_values(&self, test: Span, values: &[String]) -> Option<(Span, Edit)>;

    /// The operand of an `and` or `or` whose tests reach from the beginning of a place to its end, taken out.
    fn without_operand(&self, tests: Span) -> Option<Edit>;
}

/// A policy that nobody wrote.
struct Unwritten;

impl Written for Unwritten {
    fn without_values(&self, _: Span, _: &[String]) -> Option<(Span, Edit)> {
        None
    }

    fn without_operand(&self, _: Span) -> Option<Edit> {
        None
    }
}

/// All findings about matching and chains, in the order of rules.
///
/// # Errors
/// When a witness turns out wrong, which is a fault of this module.
pub fn prove(checked: &Checked, options: Options) -> Result<Vec<Diagnostic>, ProveError> {
    prove_written(checked, options, &Unwritten, &[])
}

/// The same, with edits of the text, for providers that speak as configured.
///
/// # Errors
/// Likewise.
pub fn prove_written(
    checked: &Checked,
    options: Options,
    text: &dyn Written,
    spoken: Spoken<'_>,
) -> Result<Vec<Diagnostic>, ProveError> {
    // Chains depend on facts that no condition looks at; those are columns here too.
    let wide = limits::extended(checked);
    let mut proof = match Proof::new(&wide, options) {
        Ok(proof) => proof,
        Err(findings) => return Ok(findings),
    };
    proof.text = text;
    let mut findings = Vec::new();
    match proof.all(&mut findings).and_then(|()| proof.crossings(checked, spoken, &mut findings)) {
        Ok(()) => {}
        Err(Stop::Wrong(error)) => return Err(error),
        Err(Stop::OutOfFuel) => findings.push(proof.incomplete(options.fuel)),
    }
    Ok(findings)
}

/// Most boxes that one question may be about: beyond, the analysis says that it gave up.
const MAX_PARTS: usize = 16_384;

/// What is in one of `left` and in one of `right`.
fn both(left: &[AtomBox], right: &[AtomBox]) -> Vec<AtomBox> {
    left.iter().flat_map(|one| right.iter().filter_map(|other| one.and(other))).collect()
}

/// A policy as boxes, ready to be asked.
pub(in crate::policy) struct Proof<'a> {
    checked: &'a Checked,
    space: Space,
    pub(in crate::policy) boxes: Boxes,
    linear: Vec<AtomCond>,
    /// Over impossible boxes, then the boxes of rules.
    index: Index,
    fuel: Fuel,
    /// The day that prices are those of.
    today: Date,
    text: &'a dyn Written,
    /// The rule that is being looked at.
    at: Option<RuleId>,
    /// Rules that decide nothing, once [`Self::matching`] has said so.
    dead: Vec<RuleId>,
}

impl<'a> Proof<'a> {
    fn new(checked: &'a Checked, options: Options) -> Result<Self, Vec<Diagnostic>> {
        let mut mentions = Mentions::of(checked);
        limits::mention(checked, &mut mentions);
        crossing::mention(checked, &mut mentions);
        let today = options.today.unwrap_or(Date::MIN);
        bounded::mention(checked, today, &mut mentions);
        budgets::mention(checked, today, &mut mentions);
        rollouts::mention(checked, &mut mentions);
        staffing::mention(checked, &mut mentions);
        let space = Space::build(checked.columns.clone(), &mentions).map_err(|wide| vec![wide.finding(checked)])?;
        Self::over(checked, space, options)
    }

    /// With columns that were cut before.
    ///
    /// # Errors
    /// R411, for each rule that is too wide.
    pub(in crate::policy) fn over(
        checked: &'a Checked,
        space: Space,
        options: Options,
    ) -> Result<Self, Vec<Diagnostic>> {
        let (boxes, too_wide) = Boxes::of(checked, &space);
        // Without the boxes of one rule nothing can be said about those below it.
        if !too_wide.is_empty() {
            return Err(too_wide.iter().map(|one| one.finding(checked)).collect());
        }
        let linear = checked.rules.iter().map(|rule| AtomCond::of(&space, &rule.when)).collect();
        let areas: Vec<&AtomBox> =
            boxes.invalid.iter().map(|one| &one.area).chain(boxes.rows.iter().map(|row| &row.area)).collect();
        let index = Index::new(&space, &areas);
        let today = options.today.unwrap_or(Date::MIN);
        let fuel = Fuel::new(options.fuel);
        Ok(Self { checked, space, boxes, linear, index, fuel, today, text: &Unwritten, at: None, dead: Vec::new() })
    }

    fn all(&mut self, findings: &mut Vec<Diagnostic>) -> Result<(), Stop> {
        self.matching(findings)?;
        self.redundant(findings)?;
        self.one_value_gaps(findings)?;
        self.overlapping_ranges(findings)?;
        self.chains(findings)?;
        self.streams(findings)?;
        self.guarantees(findings)?;
        self.signals(findings)?;
        self.budgets(findings)?;
        self.staffing(findings)?;
        self.moving(findings)
    }

    pub(in crate::policy) fn incomplete(&self, fuel: u64) -> Diagnostic {
        let rule = self.at.map(|id| &self.checked.rules[id.index()]);
        let title = match rule {
            Some(rule) => format!("the analysis ran out of fuel at rule `{}`", rule.name),
            None => "the analysis ran out of fuel".to_owned(),
        };
        let found = Diagnostic::new(&R410, rule.map_or(self.checked.place, |rule| rule.span), title);
        let found = found.note(format!("{fuel} steps were not enough; what follows this rule is unproven"));
        found.help(format!("split its condition, or try `--fuel {}`", fuel.saturating_mul(10)))
    }

    /// The box behind a position of the index.
    fn area(&self, at: usize) -> &AtomBox {
        let impossible = self.boxes.invalid.len();
        match at.checked_sub(impossible) {
            None => &self.boxes.invalid[at].area,
            Some(row) => &self.boxes.rows[row].area,
        }
    }

    /// The end, in the index, of impossible boxes and the boxes of rules above this one: `E(i)`.
    fn above(&self, rule: RuleId) -> usize {
        self.boxes.invalid.len() + self.boxes.range(rule).start
    }

    /// Is `area` covered by the boxes before `end` and by `more`? Positions are those of the index, then those of `more`.
    fn find(&mut self, area: &AtomBox, end: usize, more: &[&AtomBox]) -> Result<Found, Stop> {
        self.find_among(area, self.index.before(end), more, end)
    }

    /// Is `area` covered by these boxes of the index, and by `more`, whose positions begin at `end`?
    fn find_among(&mut self, area: &AtomBox, among: Mask, more: &[&AtomBox], end: usize) -> Result<Found, Stop> {
        let mut fuel = self.fuel;
        let cover = Cover { index: &self.index, among, boxed: &|at| self.area(at), more, end };
        let found = find_in(&self.space, area, cover, &mut fuel);
        self.fuel = fuel;
        if found == Found::OutOfFuel { Err(Stop::OutOfFuel) } else { Ok(found) }
    }

    /// Is any request of a box possible?
    fn find_possible(&mut self, area: &AtomBox) -> Found {
        self.find(area, self.boxes.invalid.len(), &[]).unwrap_or(Found::OutOfFuel)
    }

    /// The first request of some boxes that the boxes before `end` and `more` leave; `None` when they leave none.
    fn first_left(&mut self, areas: &[AtomBox], end: usize, more: &[&AtomBox]) -> Result<Option<AtomBox>, Stop> {
        for area in areas {
            if let Found::Witness(left) = self.find(area, end, more)? {
                return Ok(Some(left));
            }
        }
        Ok(None)
    }

    /// A request of a rule in one of some areas and in none of `except`.
    fn left_in(&mut self, rule: RuleId, inside: &[AtomBox], except: &[AtomBox]) -> Result<Option<AtomBox>, Stop> {
        let parts = both(&self.areas(rule), inside);
        if parts.len() > MAX_PARTS {
            return Err(Stop::OutOfFuel);
        }
        let except: Vec<&AtomBox> = except.iter().collect();
        self.first_left(&parts, self.above(rule), &except)
    }

    fn areas(&self, rule: RuleId) -> Vec<AtomBox> {
        self.boxes.rule(rule).iter().map(|row| row.area.clone()).collect()
    }

    fn rules(&self) -> impl Iterator<Item = RuleId> + use<> {
        (0..self.checked.rules.len() as u32).map(RuleId)
    }

    /// Whether a rule is the `otherwise` of the set.
    fn is_otherwise(&self, rule: RuleId) -> bool {
        let one = &self.checked.rules[rule.index()];
        &*one.name == "otherwise" && matches!(one.when, Cond::True)
    }

    /// What a request of a rule gets first: `openai/gpt-5.4-2026-03-05 (mid)`, `template sorry`, `a rejection with 421`.
    fn gets(&self, rule: RuleId) -> String {
        use super::checked::{Degrade, Target};
        let chain = match &self.checked.rules[rule.index()].outcome {
            Outcome::Reject { status, .. } => return format!("a rejection with {status}"),
            Outcome::Chain(chain) => chain,
        };
        match (chain.hops.first().map(|hop| hop.target), chain.degrade.first()) {
            (Some(Target::Requested), _) => "the model it asked for".to_owned(),
            (Some(Target::Snapshot(id)), _) => {
                let snapshot = &self.checked.snapshots[id.index()];
                let tier = snapshot.tier.map(|tier| &self.checked.tiers[tier.index()].name);
                tier.map_or_else(|| snapshot.model.to_string(), |tier| format!("{} ({tier})", snapshot.model))
            }
            (None, Some(Degrade::Template(id))) => {
                format!("template {}", self.checked.templates[id.index()].name)
            }
            (None, Some(Degrade::Cached { .. })) => "a cached answer".to_owned(),
            (None, Some(Degrade::Queue { name, .. })) => format!("queue {name}"),
            (None, Some(Degrade::Error { status, .. })) => format!("error {status}"),
            (None, None) => "nothing".to_owned(),
        }
    }
}
