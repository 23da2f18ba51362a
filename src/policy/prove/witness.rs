//! From a box of the analysis to a request that a person can paste (language specification, section 9.6).
//!
//! In: a box without impossible requests, and what is claimed of it. Out: the fewest facts that make the claim true, in the
//! syntax of `explain`; each verified with the linear walk. Must not know: messages.

use super::super::atom_set::{AtomId, AtomSet};
use super::super::atoms::Atoms;
use super::super::boxes::AtomBox;
use super::super::checked::{
    AttributeDomain, AttributeValue, Class, ColumnId, Domain, Endpoint, Modality, RuleId, Stakes, Subject, UNKNOWN,
};
use super::super::decide;
use super::super::diagnostic::Witness;
use super::super::shown::{day_of, measured, time_of};
use super::find::Found;
use super::{Proof, ProveError};
use crate::units::Tokens;

/// The prompt size a witness prefers: what a person would try first.
const USUAL_PROMPT: u64 = 2000;

/// The minute of the week a witness prefers: Monday 10:00, when somebody is there to read it.
const USUAL_MINUTE: u64 = 10 * 60;

/// What must be true of every request that a witness describes.
pub struct Claim<'a> {
    /// The rule that decides; `None` when no rule matches.
    pub decided: Option<RuleId>,
    /// The request is in one of these. Empty for no further claim.
    pub inside: &'a [AtomBox],
    /// The request is in none of these.
    pub outside: &'a [AtomBox],
}

impl Proof<'_> {
    /// Writes a witness. Every request of `area` must be possible.
    ///
    /// # Errors
    /// When the request does not show what is claimed: a fault of the analysis.
    pub fn witness(&mut self, area: &AtomBox, claim: &Claim<'_>) -> Result<Witness, ProveError> {
        let point = self.point(area);
        self.verify(&point, claim)?;
        let kept = self.fewest_facts(&point, |proof, area| proof.holds_everywhere(area, claim));
        Ok(self.words(&kept, &point))
    }

    /// The columns of a request that must be stated for something to hold of everybody who states just these.
    pub(in crate::policy) fn fewest_facts(
        &mut self,
        point: &[AtomId],
        mut holds: impl FnMut(&mut Self, &AtomBox) -> bool,
    ) -> Vec<ColumnId> {
        let mut kept: Vec<ColumnId> = self.space.ids().collect();
        let mut order = kept.clone();
        // What a request has when it says nothing goes first, then the dearest to state.
        order.sort_by_key(|column| {
            let silent = self.default_atom(*column) == Some(point[column.index()]);
            (!silent, std::cmp::Reverse((self.space.column(*column).class, *column)))
        });
        for column in order {
            let fewer: Vec<ColumnId> = kept.iter().copied().filter(|id| *id != column).collect();
            let area = self.stated(&fewer, point);
            if holds(self, &area) {
                kept = fewer;
            }
        }
        kept
    }

    /// A typical request of a box.
    pub(in crate::policy) fn point(&self, area: &AtomBox) -> Vec<AtomId> {
        let atom = |column: ColumnId| {
            let full = AtomSet::full(self.space.count(column));
            let open = area.get(column).unwrap_or(&full);
            self.preferred(column).filter(|atom| open.has(*atom)).or_else(|| open.first()).unwrap_or_default()
        };
        self.space.ids().map(atom).collect()
    }

    pub(in crate::policy) fn verify(&self, point: &[AtomId], claim: &Claim<'_>) -> Result<(), ProveError> {
        let at = |column: ColumnId| point[column.index()];
        let decided = decide::first_holding(&self.linear, at);
        let inside = claim.inside.is_empty() || claim.inside.iter().any(|area| area.holds(at));
        let possible = !self.boxes.invalid.iter().any(|one| one.area.holds(at));
        let outside = !claim.outside.iter().any(|area| area.holds(at));
        if decided == claim.decided && inside && outside && possible {
            return Ok(());
        }
        let name =
            |rule: Option<RuleId>| rule.map_or("no rule".into(), |id| self.checked.rules[id.index()].name.clone());
        Err(ProveError {
            what: format!(
                "a request said to reach {} reaches {}; possible: {possible}, in the area claimed: {}",
                name(claim.decided),
                name(decided),
                inside && outside
            ),
        })
    }

    /// The requests that somebody may mean who states only these columns: what is not stated is as it is when nobody says
    /// anything, or anything where there is no such value.
    fn stated(&self, kept: &[ColumnId], point: &[AtomId]) -> AtomBox {
        let mut stated = vec![false; point.len()];
        kept.iter().for_each(|column| stated[column.index()] = true);
        AtomBox::of_atoms(&self.space, |column| {
            if stated[column.index()] { Some(point[column.index()]) } else { self.default_atom(column) }
        })
    }

    pub(in crate::policy) fn holds_everywhere(&mut self, area: &AtomBox, claim: &Claim<'_>) -> bool {
        // Without any possible request the claim would hold for nothing.
        if !matches!(self.find_possible(area), Found::Witness(_)) {
            return false;
        }
        if !claim.inside.is_empty() && !self.within_possible(area, claim.inside) {
            return false;
        }
        let excluded: Vec<AtomBox> = claim.outside.iter().filter_map(|one| area.and(one)).collect();
        if excluded.iter().any(|part| !matches!(self.find_possible(part), Found::Covered(_))) {
            return false;
        }
        let end = claim.decided.map_or(self.boxes.rows.len(), |rule| self.boxes.range(rule).start);
        let earlier = self.index.meeting(area, &self.index.before(self.boxes.invalid.len() + end));
        let impossible = self.boxes.invalid.len();
        for row in earlier.into_iter().filter_map(|at| at.checked_sub(impossible)) {
            let part = area.and(&self.boxes.rows[row].area);
            if part.is_some_and(|part| !matches!(self.find_possible(&part), Found::Covered(_))) {
                return false;
            }
        }
        let Some(rule) = claim.decided else { return true };
        let own = self.areas(rule);
        self.within_possible(area, &own)
    }

    /// Whether every possible request of a box is in one of some boxes.
    fn within_possible(&mut self, area: &AtomBox, others: &[AtomBox]) -> bool {
        let others: Vec<&AtomBox> = others.iter().collect();
        matches!(self.find(area, self.boxes.invalid.len(), &others), Ok(Found::Covered(_)))
    }

    /// What a column has when a request says nothing about it; `None` where something must be said.
    fn default_atom(&self, column: ColumnId) -> Option<AtomId> {
        let atoms = self.space.atoms(column);
        match self.space.column(column).subject {
            Subject::Tenant => atoms.of_name("other"),
            Subject::Feature | Subject::RequestedTier => atoms.of_name("none"),
            Subject::Residency => atoms.of_name("anywhere"),
            Subject::MaxTokens => Some(atoms.of_number(0)),
            Subject::Streaming | Subject::Tools | Subject::JsonSchema => Some(AtomId(0)),
            Subject::Modality(member) => Some(AtomId(u16::from(member == Modality::Text))),
            Subject::Endpoint => {
                let first = self.checked.endpoints.first().copied().unwrap_or(Endpoint::Chat);
                let chat = self.checked.endpoints.contains(&Endpoint::Chat);
                atoms.of_name(if chat { Endpoint::Chat } else { first }.word())
            }
            Subject::Priority => atoms.of_name("interactive"),
            Subject::Attribute(at) => match self.checked.attributes.get(usize::from(at))?.default.as_ref()? {
                AttributeValue::OneOf(value) => Some(atoms.of_position(*value as usize)),
                AttributeValue::Number(value) => Some(atoms.of_number(*value)),
                AttributeValue::YesOrNo(value) => Some(AtomId(u16::from(*value))),
                AttributeValue::Text(value) => Some(atoms.of_text(value)),
            },
            _ => None,
        }
    }

    fn preferred(&self, column: ColumnId) -> Option<AtomId> {
        let atoms = self.space.atoms(column);
        self.default_atom(column).or_else(|| match self.space.column(column).subject {
            Subject::PromptTokens => Some(atoms.of_number(USUAL_PROMPT)),
            Subject::Clock => Some(atoms.of_number(USUAL_MINUTE)),
            Subject::Stakes => atoms.of_name(Stakes::Normal.word()),
            Subject::User | Subject::RequestedModel => Some(AtomId(self.space.count(column).saturating_sub(1) as u16)),
            Subject::RequestedSnapshot => atoms.of_name(""),
            Subject::Switch(at) => {
                let switch = self.checked.moving.switches.get(usize::from(at))?;
                Some(AtomId(u16::from(switch.default)))
            }
            // Nothing has been measured when nothing has happened.
            Subject::Metric(_) => Some(atoms.of_number(UNKNOWN)),
            _ => Some(AtomId(0)),
        })
    }

    /// In the syntax of `explain`; what several columns say about one input is one entry.
    pub(in crate::policy) fn words(&self, kept: &[ColumnId], point: &[AtomId]) -> Witness {
        let mut witness = Witness::default();
        let subject = |id: &ColumnId| self.space.column(*id).subject;
        for id in kept {
            let column = self.space.column(*id);
            let atom = point[id.index()];
            let list = if column.class == Class::Free { &mut witness.request } else { &mut witness.readings };
            let mut say = |name: &str, value: String| list.push((name.to_owned(), value));
            match column.subject {
                Subject::Modality(_) => {}
                Subject::Clock => {
                    let minute = self.minute(*id, atom);
                    say("time", time_of(minute));
                    say("day", day_of(minute).to_owned());
                }
                Subject::PromptTokens => say(&column.name, Tokens(self.number(*id, atom, USUAL_PROMPT)).to_string()),
                Subject::RequestedSnapshot => say("requested_model", self.value(*id, atom)),
                Subject::RequestedTier if kept.iter().any(|id| subject(id) == Subject::RequestedSnapshot) => {}
                Subject::RequestedTier => say("requested_model", self.member_of(&self.value(*id, atom))),
                Subject::Stakes if kept.iter().any(|id| subject(id) == Subject::Feature) => {}
                Subject::Stakes => say("feature", self.feature_at(&self.value(*id, atom))),
                _ => say(&column.name, self.value(*id, atom)),
            }
        }
        let is_modality = |id: &ColumnId| matches!(subject(id), Subject::Modality(_));
        if kept.iter().any(is_modality) {
            witness.request.push(("modality".to_owned(), self.modalities(point)));
        }
        witness
    }

    fn modalities(&self, point: &[AtomId]) -> String {
        let present = Modality::ALL.into_iter().filter(|member| {
            let column = self.space.find(Subject::Modality(*member));
            column.map_or(*member == Modality::Text, |id| point[id.index()] == AtomId(1))
        });
        let words: Vec<&str> = present.map(Modality::word).collect();
        // A request without any content does not exist; `[]` is how a test writes it.
        if words.is_empty() { "[]".to_owned() } else { words.join("+") }
    }

    fn member_of(&self, tier: &str) -> String {
        let tier = self.checked.tiers.iter().find(|one| &*one.name == tier);
        let member = tier.and_then(|tier| tier.members.first().or(tier.candidates.first()));
        let snapshot = member.and_then(|id| self.checked.snapshots.get(id.index()));
        snapshot.map_or_else(|| "none".to_owned(), |snapshot| snapshot.model.to_string())
    }

    fn feature_at(&self, stakes: &str) -> String {
        let feature = self.checked.features.iter().find(|feature| feature.stakes.word() == stakes);
        feature.map_or_else(|| "none".to_owned(), |feature| feature.name.to_string())
    }

    fn value(&self, id: ColumnId, atom: AtomId) -> String {
        let column = self.space.column(id);
        match (&column.domain, self.space.atoms(id)) {
            (Domain::Enum { values, .. }, atoms) => {
                let other = column.subject == Subject::Tenant && atoms.of_position(values.len()) == atom;
                let named = values.iter().enumerate().find(|(at, _)| atoms.of_position(*at) == atom);
                named.filter(|_| !other).map_or_else(|| "other".to_owned(), |(_, name)| name.to_string())
            }
            (Domain::Number { .. } | Domain::Clock, _) => self.number(id, atom, self.usual(id)).to_string(),
            (Domain::Metric(observed), atoms) => {
                // The roundest known value; the last atom is the unknown one.
                let known = atoms.bounds(atom).is_some_and(|(from, _)| from <= observed.most());
                measured(*observed, if known { self.number(id, atom, 0) } else { UNKNOWN })
            }
            (Domain::Bool, _) => self.space.yes_or_no(id, atom == AtomId(1)).to_owned(),
            (Domain::Text, Atoms::Text(text)) => format!("{:?}", text.example(atom).unwrap_or_default()),
            (Domain::Text, _) => String::new(),
        }
    }

    fn usual(&self, id: ColumnId) -> u64 {
        match self.space.column(id).subject {
            Subject::Attribute(at) => {
                match self.checked.attributes.get(usize::from(at)).map(|one| (&one.default, &one.domain)) {
                    Some((Some(AttributeValue::Number(value)), _)) => *value,
                    Some((_, AttributeDomain::Number { lo, .. })) => *lo,
                    _ => 0,
                }
            }
            _ => 0,
        }
    }

    /// A minute of an atom: at the usual hour of its first day that has it, else its first.
    fn minute(&self, id: ColumnId, atom: AtomId) -> u64 {
        let (from, to) = self.space.atoms(id).bounds(atom).unwrap_or_default();
        let usual = (0..7).map(|day| day * 1440 + USUAL_MINUTE).find(|minute| (from..=to).contains(minute));
        usual.unwrap_or(from)
    }

    /// A number of an atom: the usual one if it is inside, else the roundest, the smallest of those.
    fn number(&self, id: ColumnId, atom: AtomId, usual: u64) -> u64 {
        let Some((from, to)) = self.space.atoms(id).bounds(atom) else { return 0 };
        if (from..=to).contains(&usual) {
            return usual;
        }
        // Where an area begins is what the author wrote, unless a window made the cut.
        if from > 0 && (from < 1000 || from.is_multiple_of(1000)) {
            return from;
        }
        let powers = std::iter::successors(Some(1u64), |unit| unit.checked_mul(10));
        let round = powers.map_while(|unit| from.max(1).checked_next_multiple_of(unit).filter(|up| *up <= to));
        round.last().unwrap_or(from)
    }
}
