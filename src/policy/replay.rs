//! A request again, out of the line that the proxy logged for it.
//!
//! In: the text of one line; a policy, which need not be the one of then. Out: [`Replay`]: facts, prompt size and readings to
//! decide it with, and what has become different. Must not know: files, the proxy.
//!
//! Names are looked up anew, those of readings, too, so a line can be asked of a changed policy. A decision under the same policy hash is the same.

mod line;
mod prompt;

use std::borrow::Cow;
use std::fmt;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

pub use self::line::{Attempt, BadLine, Hop, Line, Logged, MAX_LINE, Request, SCHEMA};
pub use self::prompt::LoggedPrompt;
use super::admit::{Claims, Door, Refusal};
use super::checked::{Attribute, Checked, Endpoint, Modality, SnapshotId};
use super::decide::decide;
use super::facts::{Facts, ModalitySet};
use super::plan::{Action, DropReason, Plan, plan};
use super::readings::{Readings, Strange};
use super::tree::Tree;
use crate::names::nearest;

/// Characters of a strange value that a message repeats.
const SHOWN_VALUE: usize = 64;

/// A logged request, admitted by a policy.
#[derive(Clone, Debug)]
pub struct Replay {
    /// What can be decided on.
    pub facts: Facts,
    /// How long the prompt was, as far as that was found out.
    pub prompt: LoggedPrompt,
    /// What memory and the clock said.
    pub readings: Readings,
    /// Snapshots that only the running proxy knew not to use.
    pub unusable: Vec<(SnapshotId, DropReason)>,
}

/// Why a line cannot be decided again by a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cannot {
    /// It ended before any rule was asked.
    Undecided {
        /// What the caller got; 0 for nothing.
        status: u16,
        /// Why, in a word.
        reason: Option<String>,
    },
    /// A word of it that a request cannot have.
    Word {
        /// Which field.
        field: &'static str,
        /// What stands there.
        value: String,
        /// What could.
        instead: String,
    },
    /// This policy would not admit it.
    Refused(Refusal),
}

impl fmt::Display for Cannot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undecided { status: 0, .. } => f.write_str("the caller left before any rule was asked"),
            Self::Undecided { status, reason } => {
                let reason = reason.as_deref().map(|word| format!(" `{word}`")).unwrap_or_default();
                write!(f, "the request was refused with {status}{reason} before any rule was asked")
            }
            Self::Word { field, value, instead } => write!(f, "its `{field}` is `{value}`; {instead}"),
            Self::Refused(refusal) => {
                write!(
                    f,
                    "this policy refuses it with {} {}: {refusal}",
                    refusal.reason.status(),
                    refusal.reason.word()
                )
            }
        }
    }
}

impl std::error::Error for Cannot {}

impl Line {
    /// The request as `door`'s policy sees it.
    ///
    /// What a tenant's row states wins over the line, which does not say whether its plan and residency came from the row of
    /// then.
    ///
    /// # Errors
    /// [`Cannot`], when it never was decided, or when this policy refuses it: it lacks a name, say.
    pub fn admit(&self, door: &Door) -> Result<Replay, Cannot> {
        let (Some(_), Some(readings)) = (&self.rule, &self.readings) else {
            return Err(Cannot::Undecided { status: self.status, reason: self.reason.clone() });
        };
        let checked = &**door.checked();
        let request = &self.request;
        let row = request.tenant.as_deref().and_then(|name| checked.tenants.iter().find(|one| *one.name == *name));
        let find = |attribute: &Attribute| -> Option<Cow<'_, str>> {
            let found = request.attributes.iter().find(|(name, _)| **name == *attribute.name);
            found.map(|(_, value)| value.as_str().into())
        };
        let claims = Claims {
            endpoint: word("endpoint", &request.endpoint, &Endpoint::ALL, Endpoint::word)?,
            tenant: request.tenant.as_deref(),
            user: request.user.as_deref(),
            plan: request.plan.as_deref().filter(|_| row.is_none_or(|row| row.plan.is_none())),
            residency: request.residency.as_deref().filter(|_| row.is_none_or(|row| row.residency.is_none())),
            feature: request.feature.as_deref(),
            priority: Some(&request.priority),
            region: request.region.as_deref(),
            requested_model: &request.requested_model,
            max_tokens: request.max_tokens,
            streaming: request.streaming,
            tools: request.tools,
            json_schema: request.json_schema,
            modality: modality(&request.modality)?,
            attributes: &find,
        };
        let mut prompt = LoggedPrompt::new(request.prompt_tokens);
        let facts = door.admit(&claims, &mut prompt).map_err(Cannot::Refused)?;
        let mut admitted = self.clock(readings, checked)?;
        readings.others.fill(&mut admitted, checked).map_err(strange)?;
        Ok(Replay { facts, prompt, readings: admitted, unusable: self.unusable(checked) })
    }

    /// The readings, with the clock in the timezone of this policy.
    fn clock(&self, logged: &Logged, checked: &Checked) -> Result<Readings, Cannot> {
        let wrong = |field, value: &str, instead: &str| Cannot::Word {
            field,
            value: value.to_owned(),
            instead: instead.to_owned(),
        };
        let today: Date =
            logged.today.parse().map_err(|_| wrong("today", &logged.today, "it is a day, like 2026-11-23"))?;
        let minute = logged.minute_of_week % (24 * 60);
        let time = Time::constant((minute / 60) as i8, (minute % 60) as i8, 0, 0);
        let local = today.to_datetime(time);
        if Readings::civil(local).minute_of_week != logged.minute_of_week {
            let instead = format!("that is another weekday than {today}, its `today`");
            return Err(wrong("minute_of_week", &logged.minute_of_week.to_string(), &instead));
        }
        let Some(name) = self.timezone.as_deref().filter(|name| Some(*name) != checked.timezone.iana_name()) else {
            return Ok(Readings::civil(local));
        };
        let then = TimeZone::get(name).map_err(|_| wrong("timezone", name, "it is a name like Europe/Berlin"))?;
        // Twice a year a wall clock skips or repeats an hour; any of the two moments will do.
        let moment = then.to_timestamp(local).map_err(|_| wrong("today", &logged.today, "no clock reaches it"))?;
        Ok(Readings::at(moment, &checked.timezone))
    }

    fn unusable(&self, checked: &Checked) -> Vec<(SnapshotId, DropReason)> {
        let from_memory = [DropReason::CoolingDown, DropReason::BreakerOpen, DropReason::NotConfigured];
        let dropped = self.dropped.iter().filter_map(|(name, reason)| {
            let reason = from_memory.into_iter().find(|one| one.word() == reason)?;
            let at = checked.snapshots.iter().position(|one| one.model.to_string() == *name)?;
            Some((SnapshotId(at as u16), reason))
        });
        dropped.collect()
    }
}

/// A reading whose value this policy does not have.
fn strange(one: Strange) -> Cannot {
    let instead = instead(&one.value, one.known.iter().map(String::as_str));
    Cannot::Word { field: one.field, value: one.value.chars().take(SHOWN_VALUE).collect(), instead }
}

impl Replay {
    /// Why a snapshot could not be used then, if only the running proxy knew.
    pub fn unusable(&self, snapshot: SnapshotId) -> Option<DropReason> {
        self.unusable.iter().find(|(id, _)| *id == snapshot).map(|(_, reason)| *reason)
    }

    /// Decides and plans it. `None` when no rule matches.
    pub fn plan(&self, tree: &Tree) -> Option<Plan> {
        let mut prompt = self.prompt.clone();
        let request = tree.request(&self.facts, &mut prompt);
        let rule = decide(tree, &request, &mut tree.fetch(&self.readings))?;
        Some(plan(tree, rule, &self.facts, &mut prompt, &self.readings, &|snapshot| self.unusable(snapshot)))
    }

    /// Whether deciding it asks for more than the line says about the prompt, so that a size has to be assumed.
    pub fn guesses(&self, tree: &Tree) -> bool {
        let mut prompt = self.prompt.clone();
        let request = tree.request(&self.facts, &mut prompt);
        let rule = decide(tree, &request, &mut tree.fetch(&self.readings));
        let _ = rule.map(|rule| plan(tree, rule, &self.facts, &mut prompt, &self.readings, &|_| None));
        prompt.guessed()
    }
}

/// Something that is not as it was logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// `policy_hash`, `rule`, `tier`, `chain` or `dropped`.
    pub what: &'static str,
    /// As logged.
    pub was: String,
    /// Now.
    pub now: String,
}

impl Line {
    /// What of a decision is not as it was logged; nothing when it is the same.
    pub fn differences(&self, checked: &Checked, plan: Option<&Plan>) -> Vec<Difference> {
        let run = plan.and_then(|plan| match &plan.action {
            Action::Run(run) => Some(run),
            Action::Reject { .. } => None,
        });
        let snapshot = |id: SnapshotId| checked.snapshots[id.index()].model.to_string();
        let tier = plan.filter(|_| run.is_some()).and_then(|plan| plan.tier);
        let chain = run.iter().flat_map(|run| &run.hops).map(|hop| {
            let tier = hop.tier.map(|id| &*checked.tiers[id.index()].name);
            in_tier(&snapshot(hop.snapshot), tier)
        });
        let dropped = run.iter().flat_map(|run| &run.dropped).map(|one| {
            let name = one.snapshot.map_or_else(|| "requested".to_owned(), snapshot);
            format!("{name}: {}", one.reason.word())
        });
        let pairs = [
            ("rule", self.rule.clone(), plan.map(|plan| checked.rules[plan.rule.index()].name.to_string())),
            ("tier", self.tier.clone(), tier.map(|id| checked.tiers[id.index()].name.to_string())),
            ("chain", listed(self.chain.iter().map(|hop| in_tier(&hop.snapshot, hop.tier.as_deref()))), listed(chain)),
            ("dropped", listed(self.dropped.iter().map(|(name, reason)| format!("{name}: {reason}"))), listed(dropped)),
        ];
        let said = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
        let differ = pairs.into_iter().filter(|(_, was, now)| was != now);
        differ.map(|(what, was, now)| Difference { what, was: said(was), now: said(now) }).collect()
    }
}

fn in_tier(snapshot: &str, tier: Option<&str>) -> String {
    tier.map_or_else(|| snapshot.to_owned(), |tier| format!("{snapshot} ({tier})"))
}

fn listed(parts: impl Iterator<Item = String>) -> Option<String> {
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn modality(words: &str) -> Result<ModalitySet, Cannot> {
    let members = words.split('+').map(|one| word("modality", one, &Modality::ALL, Modality::word));
    members.into_iter().try_fold(ModalitySet::EMPTY, |set, member| Ok(set.with(member?)))
}

fn word<T: Copy>(field: &'static str, value: &str, all: &[T], word: fn(T) -> &'static str) -> Result<T, Cannot> {
    let found = all.iter().copied().find(|one| word(*one) == value);
    found.ok_or_else(|| Cannot::Word {
        field,
        value: value.chars().take(SHOWN_VALUE).collect(),
        instead: instead(value, all.iter().map(|one| word(*one))),
    })
}

fn instead<'a>(value: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    match nearest(value, known.clone()).first() {
        Some(near) => format!("the nearest is `{near}`"),
        None => format!("it is one of {}", known.collect::<Vec<_>>().join(", ")),
    }
}
