//! What could be left out: rules, alternatives and tests that change no decision: R403, R406, R407.
//!
//! In: a policy as boxes, its conditions. Out: findings. Must not know: chains.
//!
//! Where leaving something out would make a rule harder to read, nothing is said: a test that only the rules above make
//! superfluous is reported when it is a `not`, which repeats them, and not when it says whom the rule is for.

use super::super::atom_set::AtomId;
use super::super::boxes::{AtomBox, boxes_of};
use super::super::checked::{Cond, RuleId, Values};
use super::super::diagnostic::{Diagnostic, Edit, R403, R406, R407};
use super::super::fingerprint;
use super::super::source::Span;
use super::find::Found;
use super::index::Mask;
use super::{Proof, Stop};

/// Alternatives or operands of a rule above which nobody is told about single ones: each costs a normalization of the whole
/// condition.
const MAX_ALTERNATIVES: usize = 64;

/// A condition with something left out.
struct Shorter {
    /// What is left.
    cond: Cond,
    /// What was left out, as written.
    place: Option<Place>,
    /// Values of the list at that place, by name; empty for a whole operand.
    values: Vec<String>,
    /// It says what the rule is not for.
    negated: bool,
}

impl Proof<'_> {
    pub(super) fn redundant(&mut self, findings: &mut Vec<Diagnostic>) -> Result<(), Stop> {
        let outcomes: Vec<String> = self.checked.rules.iter().map(|rule| fingerprint::outcome(&rule.outcome)).collect();
        for rule in self.rules() {
            self.at = Some(rule);
            if self.dead.binary_search(&rule).is_ok() || self.is_otherwise(rule) {
                continue;
            }
            match self.changes_nothing(rule, &outcomes)? {
                true => findings.push(self.redundant_rule(rule)),
                false => {
                    self.dead_alternatives(rule, findings)?;
                    self.true_tests(rule, findings)?;
                }
            }
        }
        Ok(())
    }

    /// Whether every request of a rule would get the same from the rules below.
    fn changes_nothing(&mut self, rule: RuleId, outcomes: &[String]) -> Result<bool, Stop> {
        let impossible = self.boxes.invalid.len();
        let own = self.boxes.range(rule);
        let end = impossible + self.boxes.rows.len();
        let without_own = |mut mask: Mask| {
            own.clone().map(|row| row + impossible).for_each(|at| mask[at / 64] &= !(1 << (at % 64)));
            mask
        };
        for area in self.areas(rule) {
            let below: Vec<usize> = self.index.meeting(&area, &self.index.before(end));
            for at in below.into_iter().filter(|at| *at >= impossible + own.end) {
                let (other, part) = (self.boxes.rows[at - impossible].rule, area.and(self.area(at)));
                if outcomes[other.index()] == outcomes[rule.index()] {
                    continue;
                }
                let Some(part) = part else { continue };
                let among = without_own(self.index.before(self.above(other)));
                if matches!(self.find_among(&part, among, &[], end)?, Found::Witness(_)) {
                    return Ok(false);
                }
            }
            // Without this rule, nothing may fall through either.
            let among = without_own(self.index.before(end));
            if matches!(self.find_among(&area, among, &[], end)?, Found::Witness(_)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn redundant_rule(&self, rule: RuleId) -> Diagnostic {
        let one = &self.checked.rules[rule.index()];
        Diagnostic::new(&R403, one.span, format!("rule `{}` changes no decision", one.name))
            .here("the rules below do the same for all its requests")
            .help(format!("delete `{}`", one.name))
            .fix(true, format!("delete rule `{}`", one.name), one.whole, "")
    }

    /// R406: what an `or` or a list offers and no request needs.
    fn dead_alternatives(&mut self, rule: RuleId, findings: &mut Vec<Diagnostic>) -> Result<(), Stop> {
        let home = self.checked.rules[rule.index()].whole;
        let mut cond = self.checked.rules[rule.index()].when.clone();
        // The last of two equals goes first, and what is gone is gone for those before it.
        let mut at = alternatives(self, &cond, home).len();
        while at > 0 && at <= MAX_ALTERNATIVES {
            at -= 1;
            let mut all = alternatives(self, &cond, home);
            if at >= all.len() {
                continue;
            }
            let shorter = all.swap_remove(at);
            let (Ok(whole), Ok(less)) = (boxes_of(&self.space, &cond), boxes_of(&self.space, &shorter.cond)) else {
                continue;
            };
            if self.first_left(&whole, self.above(rule), &less.iter().collect::<Vec<_>>())?.is_some() {
                continue;
            }
            let name = &self.checked.rules[rule.index()].name;
            let place = shorter.place.map_or(self.checked.rules[rule.index()].span, |place| place.span);
            let listed = format!("`{}`", shorter.values.join("`, `"));
            let (what, help, edit) = match shorter.values.is_empty() {
                true => ("this alternative", "take it out of the `or`".to_owned(), self.operand(&shorter)),
                false => (
                    &*listed,
                    format!("take {listed} out of the list"),
                    self.text.without_values(place, &shorter.values),
                ),
            };
            let (place, edit) = edit.map_or((place, None), |(place, edit)| (place, Some(edit)));
            let found = Diagnostic::new(&R406, place, format!("{what} can never matter in rule `{name}`"));
            let found = found.here("its requests are decided without it").help(help.clone());
            findings.push(match edit {
                Some(edit) => found.fix(true, help, edit.span, edit.text),
                None => found,
            });
            cond = shorter.cond;
        }
        Ok(())
    }

    /// R407: an operand of an `and` that the rest, known facts or the rules above already imply.
    fn true_tests(&mut self, rule: RuleId, findings: &mut Vec<Diagnostic>) -> Result<(), Stop> {
        let one = &self.checked.rules[rule.index()];
        let whole = self.areas(rule);
        let whole: Vec<&AtomBox> = whole.iter().collect();
        let operands = operands(&one.when, one.whole);
        if operands.len() > MAX_ALTERNATIVES {
            return Ok(());
        }
        for shorter in operands {
            let Ok(more) = boxes_of(&self.space, &shorter.cond) else { continue };
            let by_facts = self.first_left(&more, self.boxes.invalid.len(), &whole)?.is_none();
            let implied = by_facts || shorter.negated && self.first_left(&more, self.above(rule), &whole)?.is_none();
            if !implied {
                continue;
            }
            let place = shorter.place.map_or(one.span, |place| place.span);
            let title = format!("this test is always true in rule `{}`", one.name);
            let why = if by_facts {
                "the rest of the condition and known facts imply it"
            } else {
                "the rules above imply it"
            };
            let found = Diagnostic::new(&R407, place, title).here(why).help("drop this test");
            findings.push(match self.operand(&shorter) {
                Some((_, edit)) => found.fix(true, "drop this test", edit.span, edit.text),
                None => found,
            });
            // One at a time: of two tests that imply each other only one may go.
            break;
        }
        Ok(())
    }
}

impl Proof<'_> {
    /// Where an operand stands that can go, and the edit that takes it out.
    fn operand(&self, shorter: &Shorter) -> Option<(Span, Edit)> {
        let place = shorter.place.filter(|place| place.all)?.span;
        self.text.without_operand(place).map(|edit| (place, edit))
    }
}

/// The condition without each branch of an `or` and each value of a list, where they are not under a `not`.
fn alternatives(proof: &Proof<'_>, cond: &Cond, home: Span) -> Vec<Shorter> {
    match cond {
        Cond::True | Cond::Not(_) => Vec::new(),
        Cond::All(parts) => inside(parts, &Cond::All, |part| alternatives(proof, part, home)),
        Cond::Any(parts) => {
            let without = |at: usize| Shorter {
                cond: Cond::Any(rest(parts, at)),
                place: place(&parts[at], home),
                values: Vec::new(),
                negated: false,
            };
            let mut all = inside(parts, &Cond::Any, |part| alternatives(proof, part, home));
            all.extend((0..parts.len()).filter(|_| parts.len() > 1).map(without));
            all
        }
        Cond::Test { column, values, span } => {
            let shorter = |gone: Vec<String>, values: Values| Shorter {
                cond: Cond::Test { column: *column, values, span: *span },
                place: Some(Place { span: *span, all: true }),
                values: gone,
                negated: false,
            };
            match values {
                Values::Enum(list) => {
                    // Values that share an atom matter together or not at all.
                    let atom = |value: u32| proof.space.atoms(*column).of_position(value as usize);
                    let mut groups: Vec<AtomId> = list.iter().map(|value| atom(*value)).collect();
                    groups.sort_unstable();
                    groups.dedup();
                    let without = |group: AtomId| {
                        let (gone, left): (Vec<u32>, Vec<u32>) = list.iter().partition(|value| atom(**value) == group);
                        let names = gone.iter().map(|at| proof.space.name_of(*column, *at)).collect();
                        shorter(names, Values::Enum(left))
                    };
                    groups.iter().filter(|_| groups.len() > 1).map(|group| without(*group)).collect()
                }
                Values::Text(list) if list.len() > 1 => {
                    let name = |at: usize| format!("{}{}", list[at].text, if list[at].prefix { "*" } else { "" });
                    (0..list.len()).map(|at| shorter(vec![name(at)], Values::Text(rest(list, at)))).collect()
                }
                _ => Vec::new(),
            }
        }
    }
}

/// The condition without each operand of an `and`, where it is not under a `not`.
fn operands(cond: &Cond, home: Span) -> Vec<Shorter> {
    match cond {
        Cond::True | Cond::Not(_) | Cond::Test { .. } => Vec::new(),
        Cond::Any(parts) => inside(parts, &Cond::Any, |part| operands(part, home)),
        Cond::All(parts) => {
            let without = |at: usize| Shorter {
                cond: Cond::All(rest(parts, at)),
                place: place(&parts[at], home),
                values: Vec::new(),
                negated: matches!(parts[at], Cond::Not(_)),
            };
            let mut all = inside(parts, &Cond::All, |part| operands(part, home));
            all.extend((0..parts.len()).filter(|_| parts.len() > 1).map(without));
            all
        }
    }
}

/// What can be left out of each part, with the other parts around it.
fn inside(parts: &[Cond], join: &dyn Fn(Vec<Cond>) -> Cond, of: impl Fn(&Cond) -> Vec<Shorter>) -> Vec<Shorter> {
    let each = parts.iter().enumerate().flat_map(|(at, part)| of(part).into_iter().map(move |shorter| (at, shorter)));
    let around = |(at, shorter): (usize, Shorter)| {
        let mut all = parts.to_vec();
        all[at] = shorter.cond.clone();
        Shorter { cond: join(all), ..shorter }
    };
    each.map(around).collect()
}

fn rest<T: Clone>(list: &[T], at: usize) -> Vec<T> {
    [&list[..at], &list[at + 1..]].concat()
}

/// Where what was left out stands.
#[derive(Clone, Copy)]
struct Place {
    span: Span,
    /// The span is all of it, and not only its first test.
    all: bool,
}

/// From the first test of a condition to the last. A name that stands for a condition has its tests where it is declared, outside of
/// the rule `home`; then it is the first test alone.
fn place(cond: &Cond, home: Span) -> Option<Place> {
    let tests = tests(cond);
    let (first, last) = (*tests.first()?, *tests.last()?);
    let here = |span: &Span| span.file == home.file && home.lo <= span.lo && span.hi <= home.hi;
    Some(match tests.iter().all(here) {
        true => Place { span: first.to(last), all: true },
        false => Place { span: first, all: false },
    })
}

fn tests(cond: &Cond) -> Vec<Span> {
    match cond {
        Cond::True => Vec::new(),
        Cond::Test { span, .. } => vec![*span],
        Cond::Not(inner) => tests(inner),
        Cond::All(parts) | Cond::Any(parts) => parts.iter().flat_map(tests).collect(),
    }
}
