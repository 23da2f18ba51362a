//! One request, as a person types it: `tenant=fixly feature=agent_reply prompt_tokens=2k sonnet_slow=on`.
//!
//! In: pairs of words, a policy. Out: [`Asked`], or every [`Mistake`] at once. Must not know: argument parsing, files. Witnesses
//! and tests are written in the same words.

mod metrics;

use std::borrow::Cow;
use std::sync::Arc;

use jiff::civil::{Date, DateTime, Time};

use super::super::admit::{Claims, Defaults, Door, Reason, Refusal};
use super::super::atom_set::AtomId;
use super::super::checked::{
    Attribute, AttributeDomain, BudgetId, Checked, ClassifierId, ColumnId, Domain, Endpoint, Modality, RolloutId,
    SnapshotId, Subject, TenantId,
};
use super::super::facts::{Facts, ModalitySet, Priority};
use super::super::plan::DropReason;
use super::super::readings::{BudgetState, Readings};
use super::super::tree::Tree;
use crate::catalog::Catalog;
use crate::names;

/// Tokens of a prompt that nobody described.
pub const ASSUMED_PROMPT: u64 = 1000;

/// Words that are not attributes.
const BUILT_IN: [&str; 18] = [
    "endpoint",
    "tenant",
    "user",
    "plan",
    "residency",
    "feature",
    "region",
    "requested_model",
    "prompt_tokens",
    "max_tokens",
    "streaming",
    "tools",
    "json_schema",
    "modality",
    "priority",
    "now",
    "time",
    "day",
];

/// Before the name of a rollout whose stage is given.
const ROLLOUT: &str = "rollout ";

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// A request that can be decided.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Admitted.
    pub facts: Facts,
    /// As given, or assumed.
    pub prompt_tokens: u64,
    /// The clock.
    pub readings: Readings,
    /// Every budget, switch, signal and classifier that rules look at.
    pub states: Vec<State>,
    /// Snapshots that only the proxy knew not to use; for a request that it logged.
    pub unusable: Vec<(SnapshotId, DropReason)>,
    /// What nobody said and had to be chosen, with the value chosen.
    pub assumed: Vec<(String, String)>,
}

/// A reading other than the clock.
#[derive(Clone, Debug)]
pub struct State {
    /// Which column.
    pub column: ColumnId,
    /// Its value, to decide with.
    pub atom: AtomId,
    /// Its value, to read.
    pub value: String,
}

/// What is wrong with one pair of a request, or with the request as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The pair it is about, as [`Asker`] knows it; empty for the request as a whole.
    pub key: String,
    /// Which kind.
    pub what: Wrong,
    /// One sentence.
    pub message: String,
}

/// The kinds of mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Nothing is called so; the nearest name.
    Key(Option<String>),
    /// It follows from another input, which is to be given instead.
    Derived(&'static str),
    /// Given twice, or twice in other words.
    Twice,
    /// Not of the form that is wanted.
    Form,
    /// Not one of the possible values; the nearest.
    Value(Option<String>),
    /// No such request is admitted.
    Refused(Refusal),
}

impl std::fmt::Display for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

/// Understands a request. Dates are judged on `today` unless `now` says otherwise.
///
/// # Errors
/// Every mistake, each with what could be written instead.
pub fn ask(tree: &Tree, catalog: &Arc<Catalog>, today: Date, pairs: &[(String, String)]) -> Result<Asked, Vec<String>> {
    let asker = Asker::new(tree, catalog).map_err(|refusal| vec![refusal.to_string()])?;
    asker.ask(today, pairs).map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect())
}

/// Understands many requests of one policy.
#[derive(Debug)]
pub struct Asker<'a> {
    tree: &'a Tree,
    door: Door,
}

impl<'a> Asker<'a> {
    /// For a policy, by the catalog it was checked with.
    ///
    /// # Errors
    /// None that can happen: there are no defaults to be undeclared.
    pub fn new(tree: &'a Tree, catalog: &Arc<Catalog>) -> Result<Self, Refusal> {
        Ok(Self { tree, door: Door::new(tree.checked().clone(), catalog.clone(), Defaults::default())? })
    }

    /// Understands one request. Dates are judged on `today` unless `now` says otherwise.
    ///
    /// # Errors
    /// Every mistake, each with what could be written instead.
    pub fn ask(&self, today: Date, pairs: &[(String, String)]) -> Result<Asked, Vec<Mistake>> {
        let mut reader = Reader {
            tree: self.tree,
            checked: self.tree.checked(),
            door: &self.door,
            pairs,
            errors: Vec::new(),
            assumed: Vec::new(),
        };
        reader.known_keys();
        let mut readings = reader.readings(today);
        let mut states = reader.states();
        reader.moving(&mut readings);
        states.extend(reader.metrics(&mut readings));
        let facts = reader.facts();
        let prompt_tokens = reader.number("prompt_tokens").unwrap_or_else(|| {
            reader.assume("prompt_tokens", "1k");
            ASSUMED_PROMPT
        });
        let most = self.tree.checked().max_prompt;
        if prompt_tokens > most.0 {
            reader.refused(Refusal::prompt(most));
        }
        match facts {
            Some(facts) if reader.errors.is_empty() => {
                Ok(Asked { facts, prompt_tokens, readings, states, unusable: Vec::new(), assumed: reader.assumed })
            }
            _ => Err(reader.errors),
        }
    }
}

struct Reader<'a> {
    tree: &'a Tree,
    checked: &'a Checked,
    door: &'a Door,
    pairs: &'a [(String, String)],
    errors: Vec<Mistake>,
    assumed: Vec<(String, String)>,
}

impl<'a> Reader<'a> {
    fn get(&self, key: &str) -> Option<&'a str> {
        self.pairs
            .iter()
            .find(|(name, _)| bare(name) == key)
            .map(|(_, value)| value.trim())
            .filter(|value| !value.is_empty())
    }

    fn assume(&mut self, key: &str, value: &str) {
        self.assumed.push((key.to_owned(), value.to_owned()));
    }

    fn wrong_pair(&mut self, key: &str, what: Wrong, message: String) {
        self.errors.push(Mistake { key: key.to_owned(), what, message });
    }

    fn refused(&mut self, refusal: Refusal) {
        let status = refusal.reason.status();
        let word = match refusal.reason {
            Reason::PromptTooLong => String::new(),
            reason => format!(" {}", reason.word()),
        };
        let message = format!("the request is refused with {status}{word}: {refusal}");
        self.wrong_pair(&refusal.about.clone(), Wrong::Refused(refusal), message);
    }

    /// Keys nobody knows, keys twice, keys without a value.
    fn known_keys(&mut self) {
        let moving = &self.checked.moving;
        let attributes = self.checked.attributes.iter().map(|one| &*one.name);
        let budgets = moving.budgets.iter().map(|one| &*one.name);
        let named = budgets.chain(moving.signals.iter().map(|one| &*one.name));
        let switches = moving.switches.iter().map(|one| &*one.name);
        let classifiers = moving.classifiers.iter().map(|one| &*one.name);
        let known = BUILT_IN.into_iter().chain(attributes).chain(named).chain(switches).chain(classifiers);
        let known: Vec<&str> = known.chain(metrics::names(self.tree)).collect();
        for (at, (name, value)) in self.pairs.iter().enumerate() {
            let key = bare(name);
            if let Some((_, from)) =
                [("stakes", "feature"), ("requested_tier", "requested_model")].iter().find(|(one, _)| *one == key)
            {
                let message = format!("`{key}` follows from `{from}`; give that instead");
                self.wrong_pair(key, Wrong::Derived(from), message);
            } else if !known.contains(&key) && !self.is_rollout(key) {
                let (near, message) = unknown_key(key, &known);
                self.wrong_pair(key, Wrong::Key(near), message);
            } else if self.pairs[..at].iter().any(|(earlier, _)| bare(earlier) == key) {
                self.wrong_pair(key, Wrong::Twice, format!("`{key}` is given twice"));
            } else if value.trim().is_empty() {
                self.wrong_pair(key, Wrong::Form, format!("`{key}` has no value; write `{key}=…`"));
            }
        }
    }

    fn wrong(&mut self, key: &str, value: &str, known: &[&str]) {
        let near = names::nearest(value, known.iter().copied()).first().map(ToString::to_string);
        let instead = match &near {
            Some(near) => format!("the nearest is `{near}`"),
            None => format!("it is one of {}", known.join(", ")),
        };
        self.wrong_pair(key, Wrong::Value(near), format!("`{key}` cannot be `{value}`; {instead}"));
    }

    fn number(&mut self, key: &str) -> Option<u64> {
        let text = self.get(key)?;
        let number = count(text);
        if number.is_none() {
            self.wrong_pair(key, Wrong::Form, format!("`{key}` is a number, like 250, 2k or 1M, not `{text}`"));
        }
        number
    }

    fn yes(&mut self, key: &str) -> bool {
        match self.get(key) {
            None | Some("no" | "false") => false,
            Some("yes" | "true") => true,
            Some(other) => {
                self.wrong_pair(key, Wrong::Form, format!("`{key}` is yes or no, not `{other}`"));
                false
            }
        }
    }

    fn word<T: Copy>(&mut self, key: &str, all: &[T], word: fn(T) -> &'static str, default: T) -> T {
        let Some(text) = self.get(key) else { return default };
        if let Some(found) = all.iter().find(|one| word(**one) == text) {
            return *found;
        }
        let known: Vec<&str> = all.iter().map(|one| word(*one)).collect();
        self.wrong(key, text, &known);
        default
    }

    fn modality(&mut self) -> ModalitySet {
        let Some(text) = self.get("modality") else { return ModalitySet::TEXT };
        let list = text.trim_start_matches('[').trim_end_matches(']');
        let mut set = ModalitySet::EMPTY;
        for word in list.split(['+', ',']).map(str::trim) {
            match Modality::ALL.into_iter().find(|one| one.word() == word) {
                Some(member) => set = set.with(member),
                None => self.wrong("modality", word, &Modality::ALL.map(Modality::word)),
            }
        }
        set
    }

    fn facts(&mut self) -> Option<Facts> {
        let endpoint = self.endpoint();
        let modality = self.modality();
        let priority = self.word("priority", &Priority::ALL, Priority::word, Priority::Interactive);
        let (streaming, tools, json_schema) = (self.yes("streaming"), self.yes("tools"), self.yes("json_schema"));
        let max_tokens = self.number("max_tokens").unwrap_or(0);
        let plan = self.plan();
        let attributes = self.attributes();
        let find = |attribute: &Attribute| -> Option<Cow<'_, str>> {
            attributes.iter().find(|(name, _)| *name == attribute.name).map(|(_, value)| Cow::from(value.as_str()))
        };
        let claims = Claims {
            endpoint,
            tenant: self.get("tenant").filter(|tenant| *tenant != "other"),
            user: self.get("user"),
            plan: plan.as_deref(),
            residency: self.get("residency"),
            feature: self.get("feature"),
            priority: Some(priority.word()),
            region: self.get("region"),
            requested_model: self.get("requested_model").unwrap_or_default(),
            max_tokens,
            streaming,
            tools,
            json_schema,
            modality,
            attributes: &find,
        };
        match self.door.admit(&claims, &mut 0) {
            Ok(facts) => Some(facts),
            Err(refusal) => {
                self.refused(refusal);
                None
            }
        }
    }

    fn endpoint(&mut self) -> Endpoint {
        let first = self.checked.endpoints.first().copied().unwrap_or(Endpoint::Chat);
        let default = if self.checked.endpoints.contains(&Endpoint::Chat) { Endpoint::Chat } else { first };
        if default != Endpoint::Chat && self.get("endpoint").is_none() {
            self.assume("endpoint", default.word());
        }
        self.word("endpoint", &Endpoint::ALL, Endpoint::word, default)
    }

    /// The plan as given; the first declared one when rules look at it and nobody says.
    fn plan(&mut self) -> Option<String> {
        let given = self.get("plan").map(str::to_owned);
        let tested = self.tree.needs().subject(Subject::Plan);
        if given.is_some() || !tested || self.tenant().is_some_and(|id| self.checked.tenants[id.index()].plan.is_some())
        {
            return given;
        }
        let first = self.checked.plans.first()?.to_string();
        self.assume("plan", &first);
        Some(first)
    }

    fn tenant(&self) -> Option<TenantId> {
        let name = self.get("tenant")?;
        self.checked.tenants.iter().position(|tenant| *tenant.name == *name).map(|at| TenantId(at as u32))
    }

    /// Attributes as given, in plain digits; those without a value and a default get the first value of their domain.
    fn attributes(&mut self) -> Vec<(Arc<str>, String)> {
        let checked = self.checked;
        let mut values = Vec::new();
        for attribute in &checked.attributes {
            let value = match (self.get(&attribute.name), &attribute.domain) {
                (Some(text), AttributeDomain::Number { .. }) => {
                    count(text).map_or_else(|| text.to_owned(), |n| n.to_string())
                }
                (Some(text), _) => text.to_owned(),
                (None, _) if attribute.default.is_some() => continue,
                (None, domain) => {
                    let chosen = match domain {
                        AttributeDomain::OneOf(list) => list.first().map(ToString::to_string).unwrap_or_default(),
                        AttributeDomain::Number { lo, .. } => lo.to_string(),
                        AttributeDomain::YesOrNo => "no".to_owned(),
                        AttributeDomain::Text => "text".to_owned(),
                    };
                    self.assume(&attribute.name, &chosen);
                    chosen
                }
            };
            values.push((attribute.name.clone(), value));
        }
        values
    }

    fn readings(&mut self, today: Date) -> Readings {
        let tested = self.tree.needs().subject(Subject::Clock);
        if let Some(text) = self.get("now") {
            if self.get("time").is_some() || self.get("day").is_some() {
                let message = "`now` says time and day already; leave `time` and `day` out".to_owned();
                self.wrong_pair("now", Wrong::Twice, message);
            }
            let written = text.replacen(' ', "T", 1);
            return match written.parse::<DateTime>() {
                Ok(moment) => Readings::civil(moment),
                Err(_) => {
                    let message = format!("`now` is a date and a time, like 2026-11-23T22:00, not `{text}`");
                    self.wrong_pair("now", Wrong::Form, message);
                    Readings::civil(today.at(12, 0, 0, 0))
                }
            };
        }
        let mut written = self.get("time");
        let mut day = self.get("day");
        // A witness writes both in one: `time=mon 22:00`.
        if let Some((first, rest)) = written.and_then(|text| text.split_once(' ')) {
            (day, written) = (day.or(Some(first)), Some(rest));
        }
        let time = match written {
            Some(text) => self.time(text),
            None => self.noon(tested),
        };
        let readings = Readings::civil(DateTime::from_parts(today, time));
        let Some(word) = day else {
            if tested {
                self.assume("day", DAYS[usize::from(readings.minute_of_week / 1440) % 7]);
            }
            return readings;
        };
        match DAYS.iter().position(|one| *one == word) {
            Some(at) => Readings { minute_of_week: at as u16 * 1440 + readings.minute_of_week % 1440, ..readings },
            None => {
                self.wrong("day", word, &DAYS);
                readings
            }
        }
    }

    fn noon(&mut self, tested: bool) -> Time {
        if tested {
            self.assume("time", "12:00");
        }
        Time::constant(12, 0, 0, 0)
    }

    fn time(&mut self, text: &str) -> Time {
        let parts = text.split_once(':').and_then(|(hour, minute)| Some((hour.parse().ok()?, minute.parse().ok()?)));
        match parts.and_then(|(hour, minute)| Time::new(hour, minute, 0, 0).ok()) {
            Some(time) => time,
            None => {
                let message = format!("`time` is hours and minutes, like 22:00, not `{text}`");
                self.wrong_pair("time", Wrong::Form, message);
                Time::constant(12, 0, 0, 0)
            }
        }
    }

    /// The state of everything that moves and that rules look at: given, or as it is when nothing has happened.
    fn states(&mut self) -> Vec<State> {
        let space = self.tree.space();
        let mut states = Vec::new();
        for id in space.ids() {
            let column = space.column(id);
            let moving = &self.checked.moving;
            let (name, quiet) = match column.subject {
                Subject::Budget(at) => (&moving.budgets[usize::from(at)].name, "ok"),
                Subject::Signal(at) => (&moving.signals[usize::from(at)].name, "off"),
                Subject::Classifier(at) => (&moving.classifiers[usize::from(at)].name, "unsure"),
                Subject::Switch(at) => {
                    let switch = &moving.switches[usize::from(at)];
                    (&switch.name, if switch.default { "on" } else { "off" })
                }
                _ => continue,
            };
            let value = self.get(name).unwrap_or(quiet);
            let atom = match &column.domain {
                Domain::Bool => match value {
                    "on" | "yes" | "true" => Some(AtomId(1)),
                    "off" | "no" | "false" => Some(AtomId(0)),
                    _ => None,
                },
                _ => space.atoms(id).of_name(value),
            };
            match atom {
                Some(atom) => states.push(State { column: id, atom, value: value.to_owned() }),
                None => {
                    let known: Vec<&str> = match &column.domain {
                        Domain::Enum { values, .. } => values.iter().map(|one| &**one).collect(),
                        _ => vec!["on", "off"],
                    };
                    self.wrong(name, value, &known);
                }
            }
        }
        states
    }
}

impl Reader<'_> {
    /// Whether a pair gives the stage of a rollout: `rollout NAME`.
    fn is_rollout(&self, key: &str) -> bool {
        let rollout = key.strip_prefix(ROLLOUT).unwrap_or_default();
        self.checked.moving.rollouts.iter().any(|one| *one.name == *rollout)
    }

    /// What was given of budgets, switches, signals, classifiers and rollouts, whether or not a rule looks at it: the conditions
    /// of rollouts do. Values that a column would refuse are refused with it.
    fn moving(&mut self, readings: &mut Readings) {
        let moving = &self.checked.moving;
        let on = |value: Option<&str>| value.map(|value| matches!(value, "on" | "yes" | "true"));
        for (at, one) in moving.budgets.iter().enumerate() {
            let state =
                self.get(&one.name).and_then(|value| BudgetState::ALL.into_iter().find(|own| own.word() == value));
            if let Some(state) = state {
                readings.set_budget(BudgetId(at as u16), state);
            }
        }
        for (at, one) in moving.classifiers.iter().enumerate() {
            let label = self.get(&one.name).and_then(|value| one.labels.iter().position(|own| **own == *value));
            if let Some(label) = label {
                readings.set_label(ClassifierId(at as u16), Some(label as u16));
            }
        }
        for (at, one) in moving.switches.iter().enumerate() {
            if let Some(on) = on(self.get(&one.name)) {
                readings.standing_mut().set_switch(at as u16, on);
            }
        }
        for (at, one) in moving.signals.iter().enumerate() {
            if let Some(on) = on(self.get(&one.name)) {
                readings.standing_mut().set_signal(at as u16, on);
            }
        }
        for (at, one) in moving.rollouts.iter().enumerate() {
            let key = format!("{ROLLOUT}{}", one.name);
            let Some(text) = self.get(&key) else { continue };
            match text.parse() {
                Ok(stage) => readings.standing_mut().set_stage(RolloutId(at as u16), stage),
                Err(_) => self.wrong_pair(&key, Wrong::Form, format!("`{key}` is a share, like 25%, not `{text}`")),
            }
        }
    }
}

/// `model` and `budget b` are what people type first.
fn bare(key: &str) -> &str {
    match key.trim() {
        "model" => "requested_model",
        key => key.strip_prefix("budget ").map_or(key, str::trim),
    }
}

fn unknown_key(key: &str, known: &[&str]) -> (Option<String>, String) {
    match names::nearest(key, known.iter().copied()).first() {
        Some(near) => (Some((*near).to_owned()), format!("nothing is called `{key}` here; the nearest is `{near}`")),
        None => (None, format!("nothing is called `{key}` here; this policy knows {}", known.join(", "))),
    }
}

/// `250`, `2,000`, `1_000`, `64k`, `2M`.
fn count(text: &str) -> Option<u64> {
    let (digits, unit) = match text.strip_suffix('k') {
        Some(digits) => (digits, 1000),
        None => text.strip_suffix('M').map_or((text, 1), |digits| (digits, 1_000_000)),
    };
    let digits: String = digits.chars().filter(|c| !matches!(c, ',' | '_')).collect();
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for (text, number) in [("250", 250), ("2,000", 2000), ("1_000", 1000), ("64k", 64_000), ("2M", 2_000_000)] {
            assert_eq!(count(text), Some(number), "{text}");
        }
        for wrong in ["", "k", "-1", "2 k", "1.5k", "99999999999999999999", "99999999999999999k"] {
            assert_eq!(count(wrong), None, "{wrong}");
        }
    }
}
