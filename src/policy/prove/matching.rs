//! Dead rules, impossible conditions and gaps: R401, R402, R404, R405.
//!
//! In: a policy as boxes. Out: findings. Must not know: chains.

use super::super::boxes::AtomBox;
use super::super::checked::RuleId;
use super::super::decide;
use super::super::diagnostic::{Diagnostic, R401, R402, R404, R405};
use super::super::source::Span;
use super::find::Found;
use super::witness::Claim;
use super::{Proof, Stop};

/// Most blocking rules that one finding labels.
const MAX_LABELS: usize = 5;

impl Proof<'_> {
    pub(super) fn matching(&mut self, findings: &mut Vec<Diagnostic>) -> Result<(), Stop> {
        for rule in self.rules() {
            self.at = Some(rule);
            let dead = if self.is_otherwise(rule) { self.unreachable_otherwise(rule)? } else { self.dead_rule(rule)? };
            if let Some(finding) = dead {
                self.dead.push(rule);
                findings.push(finding);
            }
        }
        self.at = self.rules().last();
        findings.extend(self.gap()?);
        Ok(())
    }

    /// R401 and R402; `None` when the rule can decide something.
    fn dead_rule(&mut self, rule: RuleId) -> Result<Option<Diagnostic>, Stop> {
        let mut used = Vec::new();
        for area in self.areas(rule) {
            match self.find(&area, self.above(rule), &[])? {
                Found::Covered(by) => used.extend(by),
                _ => return Ok(None),
            }
        }
        let (areas, impossible) = (self.areas(rule), self.boxes.invalid.len());
        match self.first_left(&areas, impossible, &[])? {
            None => Ok(Some(self.contradiction(rule)?)),
            Some(area) => {
                let mut blockers: Vec<RuleId> =
                    used.iter().filter_map(|at| Some(self.boxes.rows[at.checked_sub(impossible)?].rule)).collect();
                blockers.sort_unstable();
                blockers.dedup();
                let blockers = self.fewest(&areas, blockers)?;
                Ok(Some(self.unreachable(rule, &area, &blockers)?))
            }
        }
    }

    /// Drops every rule without which the others still take all.
    fn fewest(&mut self, areas: &[AtomBox], mut blockers: Vec<RuleId>) -> Result<Vec<RuleId>, Stop> {
        let impossible = self.boxes.invalid.len();
        for one in blockers.clone() {
            let rest: Vec<RuleId> = blockers.iter().copied().filter(|rule| *rule != one).collect();
            let cover: Vec<AtomBox> = rest.iter().flat_map(|rule| self.areas(*rule)).collect();
            if self.first_left(areas, impossible, &cover.iter().collect::<Vec<_>>())?.is_none() {
                blockers = rest;
            }
        }
        Ok(blockers)
    }

    fn unreachable(&mut self, rule: RuleId, area: &AtomBox, blockers: &[RuleId]) -> Result<Diagnostic, Stop> {
        let checked = self.checked;
        let one = &checked.rules[rule.index()];
        let mut found =
            Diagnostic::new(&R401, one.span, format!("rule `{}` can never match", one.name)).here("unreachable");
        for blocker in blockers.iter().take(MAX_LABELS) {
            let text = match blockers.len() {
                1 => format!("takes every request `{}` wants", one.name),
                _ => format!("takes requests that `{}` wants", one.name),
            };
            found = found.label(checked.rules[blocker.index()].span, text);
        }
        if blockers.len() > MAX_LABELS {
            found = found.note(format!("{} more rules above take the rest", blockers.len() - MAX_LABELS));
        }
        let point = self.point(area);
        let decided = decide::first_holding(&self.linear, |column| point[column.index()]);
        let inside = self.areas(rule);
        found = found.witness(self.witness(area, &Claim { decided, inside: &inside, outside: &[] })?);
        if let Some(decided) = decided {
            let (instead, wanted) = (self.gets(decided), self.gets(rule));
            let name = &checked.rules[decided.index()].name;
            found = found.note(match instead == wanted {
                true => format!("it gets {instead} from `{name}`, as it would here"),
                false => format!("it gets {instead} from `{name}` instead of {wanted}"),
            });
        }
        let help = match blockers {
            [blocker] => format!("move `{}` above `{}`, or delete it", one.name, checked.rules[blocker.index()].name),
            [first, ..] => format!("move `{}` above `{}`, or delete it", one.name, checked.rules[first.index()].name),
            [] => format!("delete `{}`", one.name),
        };
        Ok(found.help(help))
    }

    /// R402: no possible request is in any box of the rule.
    fn contradiction(&mut self, rule: RuleId) -> Result<Diagnostic, Stop> {
        let checked = self.checked;
        let one = &checked.rules[rule.index()];
        let place: Span = one.when_span.unwrap_or(one.span);
        let mut found = Diagnostic::new(&R402, place, format!("the condition of rule `{}` is never true", one.name));
        let areas = self.areas(rule);
        if areas.is_empty() {
            return Ok(found.here("contradicts itself").help("one of its tests excludes another: drop or correct one"));
        }
        found = found.here("contradicts known facts");
        let mut facts = Vec::new();
        for area in &areas {
            if let Found::Covered(by) = self.find(area, self.boxes.invalid.len(), &[])? {
                facts.extend(by);
            }
        }
        facts.sort_unstable();
        facts.dedup();
        for at in facts {
            let reasons = &self.boxes.invalid[at].because;
            found = match &**reasons {
                [] => found,
                [only] => found.note(only.clone()),
                [first, ..] => found.note(format!("{first}, and {} facts like it", reasons.len() - 1)),
            };
        }
        Ok(found.help("ask for what the facts allow, or change the fact"))
    }

    /// R405.
    fn unreachable_otherwise(&mut self, rule: RuleId) -> Result<Option<Diagnostic>, Stop> {
        let end = self.above(rule);
        if let Found::Witness(_) = self.find(&AtomBox::everything(), end, &[])? {
            return Ok(None);
        }
        let title = "the rules above already cover every request";
        let found = Diagnostic::new(&R405, self.checked.rules[rule.index()].span, title).here("never reached");
        Ok(Some(found.help("keep it as a net for values added later, or delete it")))
    }

    /// R404, at the policy's header, or, without one, at the last rule.
    fn gap(&mut self) -> Result<Option<Diagnostic>, Stop> {
        let Some(last) = self.checked.rules.last() else { return Ok(None) };
        let end = self.boxes.invalid.len() + self.boxes.rows.len();
        let Found::Witness(area) = self.find(&AtomBox::everything(), end, &[])? else { return Ok(None) };
        let place = self.checked.place;
        // The name in a header is never a file's first byte.
        let place = if place.lo == 0 || place.lo == place.hi { last.span } else { place };
        let found = Diagnostic::new(&R404, place, "some requests match no rule")
            .here("no rule takes the request below")
            .witness(self.witness(&area, &Claim { decided: None, inside: &[], outside: &[] })?);
        Ok(Some(found.help("end the rules with `otherwise { … }`")))
    }
}
