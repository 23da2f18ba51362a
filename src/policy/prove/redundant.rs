//! What could be left out: rules, alternatives and tests that change no decision: R403, R406, R407.
//!
//! In: a policy as boxes, its conditions. Out: findings. Must not know: chains.
//!
//! Where leaving something out would make a rule harder to read, nothing is said: a test that only the rules above make
//! superfluous is reported when it is a `not`, which repeats them, and not when it says whom the rule is for.

use super::super::atom_set::AtomId;
use super::super::boxes::{AtomBox, boxes_of};
use super::super::checked::{Cond, RuleId, Values};
use super::super::diagnostic::{Diagnostic, R403, R406, R407};
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
    place: Option<Span>,
    /// One value of a list, by name.
    value: Option<String>,
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
        let mut cond = self.checked.rules[rule.index()].when.clone();
        // The last of two equals goes first, and what is gone is gone for those before it.
        let mut at = alternatives(self, &cond).len();
        while at > 0 && at <= MAX_ALTERNATIVES {
            at -= 1;
            let mut all = alternatives(self, &cond);
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
            let what = shorter.value.as_ref().map_or("this alternative".to_owned(), |value| format!("`{value}`"));
            let place = shorter.place.unwrap_or(self.checked.rules[rule.index()].span);
            let found = Diagnostic::new(&R406, place, format!("{what} can never matter in rule `{name}`"));
            let found = found.here("its requests are decided without it");
            findings.push(found.help(match &shorter.value {
                Some(value) => format!("take `{value}` out of the list"),
                None => "take it out of the `or`".to_owned(),
            }));
            cond = shorter.cond;
        }
        Ok(())
    }

    /// R407: an operand of an `and` that the rest, known facts or the rules above already imply.
    fn true_tests(&mut self, rule: RuleId, findings: &mut Vec<Diagnostic>) -> Result<(), Stop> {
        let one = &self.checked.rules[rule.index()];
        let whole = self.areas(rule);
        let whole: Vec<&AtomBox> = whole.iter().collect();
        let operands = operands(&one.when);
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
            let place = shorter.place.unwrap_or(one.span);
            let title = format!("this test is always true in rule `{}`", one.name);
            let why = if by_facts {
                "the rest of the condition and known facts imply it"
            } else {
                "the rules above imply it"
            };
            findings.push(Diagnostic::new(&R407, place, title).here(why).help("drop this test"));
            // One at a time: of two tests that imply each other only one may go.
            break;
        }
        Ok(())
    }
}

/// The condition without each branch of an `or` and each value of a list, where they are not under a `not`.
fn alternatives(proof: &Proof<'_>, cond: &Cond) -> Vec<Shorter> {
    match cond {
        Cond::True | Cond::Not(_) => Vec::new(),
        Cond::All(parts) => inside(parts, &Cond::All, |part| alternatives(proof, part)),
        Cond::Any(parts) => {
            let without = |at: usize| Shorter {
                cond: Cond::Any(rest(parts, at)),
                place: place(&parts[at]),
                value: None,
                negated: false,
            };
            let mut all = inside(parts, &Cond::Any, |part| alternatives(proof, part));
            all.extend((0..parts.len()).filter(|_| parts.len() > 1).map(without));
            all
        }
        Cond::Test { column, values, span } => {
            let shorter = |value: String, values: Values| Shorter {
                cond: Cond::Test { column: *column, values, span: *span },
                place: Some(*span),
                value: Some(value),
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
                        let names: Vec<String> = gone.iter().map(|at| proof.space.name_of(*column, *at)).collect();
                        shorter(names.join("`, `"), Values::Enum(left))
                    };
                    groups.iter().filter(|_| groups.len() > 1).map(|group| without(*group)).collect()
                }
                Values::Text(list) if list.len() > 1 => {
                    let name = |at: usize| format!("{}{}", list[at].text, if list[at].prefix { "*" } else { "" });
                    (0..list.len()).map(|at| shorter(name(at), Values::Text(rest(list, at)))).collect()
                }
                _ => Vec::new(),
            }
        }
    }
}

/// The condition without each operand of an `and`, where it is not under a `not`.
fn operands(cond: &Cond) -> Vec<Shorter> {
    match cond {
        Cond::True | Cond::Not(_) | Cond::Test { .. } => Vec::new(),
        Cond::Any(parts) => inside(parts, &Cond::Any, operands),
        Cond::All(parts) => {
            let without = |at: usize| Shorter {
                cond: Cond::All(rest(parts, at)),
                place: place(&parts[at]),
                value: None,
                negated: matches!(parts[at], Cond::Not(_)),
            };
            let mut all = inside(parts, &Cond::All, operands);
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

/// Where the first test of a condition stands.
fn place(cond: &Cond) -> Option<Span> {
    match cond {
        Cond::True => None,
        Cond::Test { span, .. } => Some(*span),
        Cond::Not(inner) => place(inner),
        Cond::All(parts) | Cond::Any(parts) => parts.iter().find_map(place),
    }
}
