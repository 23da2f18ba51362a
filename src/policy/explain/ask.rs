//! One request, as a person types it: `tenant=fixly feature=agent_reply prompt_tokens=2k sonnet_slow=on`.
//!
//! In: pairs of words, a policy. Out: [`Asked`], or every [`Mistake`] at once. Must not know: argument parsing, files. Witnesses
//! and tests are written in the same words.

mod moving;
pub(super) mod words;

use std::borrow::Cow;
use std::sync::Arc;

use jiff::civil::{Date, DateTime, Time};

use self::words::{Meant, Word, Words};
use super::super::admit::{Claims, Defaults, Door, Reason, Refusal};
use super::super::checked::{Attribute, AttributeDomain, Checked, Endpoint, Modality, SnapshotId, Subject, TenantId};
use super::super::facts::{Facts, ModalitySet, Priority};
use super::super::plan::DropReason;
use super::super::readings::Readings;
use super::super::tree::Tree;
use crate::catalog::Catalog;
use crate::names;

/// Tokens of a prompt that nobody described.
pub const ASSUMED_PROMPT: u64 = 1000;

/// Words of conditions that no request says, and what they follow from.
const DERIVED: [(&str, &str); 2] = [("stakes", "feature"), ("requested_tier", "requested_model")];

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// A request that can be decided.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Admitted.
    pub facts: Facts,
    /// As given, or assumed.
    pub prompt_tokens: u64,
    /// The clock, and what stands beside it.
    pub readings: Readings,
    /// Snapshots that only the proxy knew not to use; for a request that it logged.
    pub unusable: Vec<(SnapshotId, DropReason)>,
    /// What nobody said and had to be chosen, with the value chosen.
    pub assumed: Vec<(String, String)>,
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
    /// How the nearest is written on the command line: `plan=pro`.
    pub example: Option<String>,
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
        f.write_str(&self.message)?;
        self.example.as_ref().map_or(Ok(()), |example| write!(f, ", written `{example}`"))
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
    words: Words,
}

impl<'a> Asker<'a> {
    /// For a policy, by the catalog it was checked with.
    ///
    /// # Errors
    /// None that can happen: there are no defaults to be undeclared.
    pub fn new(tree: &'a Tree, catalog: &Arc<Catalog>) -> Result<Self, Refusal> {
        let door = Door::new(tree.checked().clone(), catalog.clone(), Defaults::default())?;
        Ok(Self { tree, door, words: Words::of(tree.checked()) })
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
            words: &self.words,
            said: Vec::new(),
            errors: Vec::new(),
            assumed: Vec::new(),
        };
        reader.understand(pairs);
        let mut readings = reader.readings(today);
        reader.moving(&mut readings);
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
                Ok(Asked { facts, prompt_tokens, readings, unusable: Vec::new(), assumed: reader.assumed })
            }
            _ => Err(reader.errors),
        }
    }
}

struct Reader<'a> {
    tree: &'a Tree,
    checked: &'a Checked,
    door: &'a Door,
    words: &'a Words,
    said: Vec<Said<'a>>,
    errors: Vec<Mistake>,
    assumed: Vec<(String, String)>,
}

/// A pair whose name is understood.
struct Said<'a> {
    /// The one name of what it is about.
    name: &'a str,
    /// As typed.
    typed: &'a str,
    value: &'a str,
}

impl<'a> Reader<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        let said = self.said.iter().find(|one| one.name == name);
        said.map(|one| one.value).filter(|value| !value.is_empty())
    }

    /// A name as it was typed.
    fn typed(&self, name: &str) -> String {
        self.said.iter().find(|one| one.name == name).map_or(name, |one| one.typed).to_owned()
    }

    fn assume(&mut self, key: &str, value: &str) {
        self.assumed.push((key.to_owned(), value.to_owned()));
    }

    fn wrong_pair(&mut self, name: &str, what: Wrong, message: String) {
        self.errors.push(Mistake { key: self.typed(name), what, message, example: None });
    }

    fn refused(&mut self, refusal: Refusal) {
        let status = refusal.reason.status();
        let word = match refusal.reason {
            Reason::PromptTooLong => String::new(),
            reason => format!(" {}", reason.word()),
        };
        let message = format!("the request is refused with {status}{word}: {refusal}");
        let (about, key) = (&refusal.about, self.typed(&refusal.about));
        let near = self.nearest_declared(&refusal);
        let example = near.and_then(|near| Some(self.words.named(about)?.with(near)));
        self.errors.push(Mistake { key, what: Wrong::Refused(refusal), message, example });
    }

    /// The declared name nearest to one that is not declared.
    fn nearest_declared(&self, refusal: &Refusal) -> Option<&'a str> {
        let value = self.get(&refusal.about)?;
        let known: Vec<&str> = match refusal.reason {
            Reason::UnknownPlan => self.checked.plans.iter().map(|one| &**one).collect(),
            Reason::UnknownFeature => self.checked.features.iter().map(|one| &*one.name).collect(),
            Reason::UnknownResidency => self.checked.residencies.iter().map(|one| &*one.name).collect(),
            _ => return None,
        };
        names::nearest(value, known).first().copied()
    }

    /// Finds out what each pair is about: names nobody knows, names twice, names without a value.
    fn understand(&mut self, pairs: &'a [(String, String)]) {
        for (typed, value) in pairs {
            let (typed, value) = (typed.trim(), value.trim());
            if let Some((_, from)) = DERIVED.iter().find(|(one, _)| *one == typed) {
                let message = format!("`{typed}` follows from `{from}`; give that instead");
                self.wrong_pair(typed, Wrong::Derived(from), message);
                continue;
            }
            let word = match self.words.meant(typed) {
                Meant::One(word) => word,
                Meant::Several(words) => {
                    let all: Vec<String> = words.iter().map(|word| format!("`{}`", word.name)).collect();
                    let message = format!("`{typed}` means several things here; write {}", all.join(" or "));
                    self.wrong_pair(typed, Wrong::Key(None), message);
                    continue;
                }
                Meant::Nothing(near) => {
                    self.unknown(typed, near);
                    continue;
                }
            };
            if self.said.iter().any(|one| one.name == word.name) {
                self.wrong_pair(typed, Wrong::Twice, format!("`{typed}` is given twice"));
            } else if value.is_empty() {
                let message = format!("`{typed}` has no value; write it like `{}`", word.example());
                self.wrong_pair(typed, Wrong::Form, message);
            } else {
                self.said.push(Said { name: &word.name, typed, value });
            }
        }
    }

    fn unknown(&mut self, typed: &str, near: Option<&Word>) {
        let message = match near {
            Some(near) => format!("nothing is called `{typed}` here; the nearest is `{}`", near.typed()),
            None => format!("nothing is called `{typed}` here; this policy knows {}", self.words.list()),
        };
        let what = Wrong::Key(near.map(|near| near.typed().to_owned()));
        self.errors.push(Mistake { key: typed.to_owned(), what, message, example: near.map(Word::example) });
    }

    fn wrong(&mut self, name: &str, value: &str, known: &[&str]) {
        let near = names::nearest(value, known.iter().copied()).first().map(ToString::to_string);
        let instead = match &near {
            Some(near) => format!("the nearest is `{near}`"),
            None => format!("it is one of {}", known.join(", ")),
        };
        let key = self.typed(name);
        let message = format!("`{key}` cannot be `{value}`; {instead}");
        // In a list the nearest is one of several.
        let whole = self.get(name) == Some(value);
        let word = self.words.named(name).filter(|_| whole);
        let example = near.as_ref().and_then(|near| Some(word?.with(near)));
        self.errors.push(Mistake { key, what: Wrong::Value(near), message, example });
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
        let mut set = ModalitySet::EMPTY;
        for word in list(text).flat_map(|part| part.split('+')).map(str::trim) {
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
}

/// The members of `[a, b]`, with or without its brackets; none of `[]`.
fn list(text: &str) -> impl Iterator<Item = &str> {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    inner.split(',').map(str::trim).filter(|word| !word.is_empty())
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
