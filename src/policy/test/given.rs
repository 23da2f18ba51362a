//! `given` statements: readings, the clock, and what providers do.
//!
//! In: a [`GivenFact`] as written, a policy. Out: an [`Input`] or a [`Spell`]. Must not know: requests.

use super::super::ast::{GivenFact, Model, Name, RelationKind, Subject, SubjectKind, Value, ValueKind};
use super::super::checked::{Checked, SnapshotId};
use super::super::diagnostic::{Diagnostic, Level, R106, R107, R110, R205, R333};
use super::super::resolve::{Desk, unknown};
use super::super::source::Span;
use super::{Does, Input, Spell, Who};
use crate::catalog::Catalog;
use crate::failure::Failure;
use crate::names::ModelRef;

/// What a `given` fixes.
pub(super) enum Given {
    /// A reading or the clock.
    Input(Input),
    /// What a provider or a snapshot does, and where it is said.
    Spell(Spell, Span),
}

/// Names that a `given` may use.
pub(super) struct Known<'a> {
    pub checked: &'a Checked,
    pub catalog: &'a Catalog,
}

impl Known<'_> {
    /// Understands one `given`; nothing when it has a finding.
    pub fn given(&self, fact: &GivenFact, span: Span, desk: &mut Desk<'_>) -> Option<Given> {
        match fact {
            GivenFact::Now { date, time } => now(date, time, desk),
            GivenFact::Rollout { name, stage } => {
                let input = Input::of(&format!("rollout {}", name.node), name.span, stage, desk)?;
                Some(Given::Input(input))
            }
            GivenFact::Gives { who, failures } => {
                let failures = failures.iter().map(|value| failure(value, desk)).collect::<Option<Vec<_>>>();
                let who = self.who(who, desk)?;
                Some(Given::Spell(Spell { who, does: Does::Fails(failures?) }, span))
            }
            GivenFact::Cuts { who, after } => {
                let tokens = desk.tokens(after, "`cuts after`")?;
                Some(Given::Spell(Spell { who: self.who(who, desk)?, does: Does::Cuts(tokens.0) }, span))
            }
            GivenFact::Is { who, state } => self.is(who, state, span, desk),
            GivenFact::Reading { subject, relation } => {
                let RelationKind::Is { negated: false, value } = &relation.kind else {
                    let message = "a `given` fixes one value";
                    let help = format!("write `given {} is VALUE`", desk.text(subject.span));
                    desk.report(Diagnostic::new(&R110, relation.span, message).help(help));
                    return None;
                };
                let (name, name_span) = reading(subject);
                Input::of(&name, name_span, value, desk).map(Given::Input)
            }
        }
    }

    /// `PROVIDER is down`, `M is slow`, `SWITCH is on`.
    fn is(&self, who: &Value, state: &Name, span: Span, desk: &mut Desk<'_>) -> Option<Given> {
        if let ValueKind::Word(word) = &who.kind
            && (self.is_reading(word) || !self.is_provider(word))
        {
            if !self.is_reading(word) {
                self.unknown_subject(word, who.span, desk);
                return None;
            }
            let value = Value { span: state.span, kind: ValueKind::Word(state.node.clone()) };
            return Input::of(word, who.span, &value, desk).map(Given::Input);
        }
        let failure = match state.node.as_str() {
            "down" => Failure::Network,
            "slow" => Failure::Timeout,
            other => {
                let message = format!("`{}` cannot be `{other}`", desk.text(who.span));
                let help = format!(
                    "write `is down` or `is slow`, or name the failure: `given {} gives overload`",
                    desk.text(who.span)
                );
                desk.report(Diagnostic::new(&R110, state.span, message).help(help));
                return None;
            }
        };
        Some(Given::Spell(Spell { who: self.who(who, desk)?, does: Does::Fails(vec![failure]) }, span))
    }

    fn readings(&self) -> impl Iterator<Item = &str> {
        let moving = &self.checked.moving;
        let switches = moving.switches.iter().map(|one| &*one.name);
        let signals = moving.signals.iter().map(|one| &*one.name);
        switches.chain(signals).chain(moving.classifiers.iter().map(|one| &*one.name))
    }

    fn is_reading(&self, word: &str) -> bool {
        self.readings().any(|name| name == word)
    }

    fn is_provider(&self, word: &str) -> bool {
        self.catalog.provider_kind(word).is_some() || self.serves_here(word)
    }

    /// Whether a snapshot of this policy is one of the provider's.
    fn serves_here(&self, word: &str) -> bool {
        self.checked.snapshots.iter().any(|one| &*one.model.provider == word)
    }

    fn unknown_subject(&self, word: &str, span: Span, desk: &mut Desk<'_>) {
        let mut known: Vec<&str> = self.readings().collect();
        known.extend(self.checked.snapshots.iter().map(|one| &*one.model.provider));
        known.sort_unstable();
        known.dedup();
        let message = format!("`{word}` is no provider, switch or signal of this policy");
        desk.report(unknown(&R107, "name", message, word, span, &known));
    }

    fn who(&self, value: &Value, desk: &mut Desk<'_>) -> Option<Who> {
        match &value.kind {
            ValueKind::Model(model) => snapshot(self.checked, model, value.span, desk).map(Who::Snapshot),
            ValueKind::Word(word) if self.is_provider(word) => {
                if !self.serves_here(word) {
                    let message = format!("no snapshot of `{word}` is in this policy, so nothing changes");
                    let finding = Diagnostic::new(&R106, value.span, message).level(Level::Warning);
                    desk.report(finding.help("delete this `given`"));
                }
                Some(Who::Provider(word.as_str().into()))
            }
            ValueKind::Word(word) => {
                let mut known: Vec<&str> = self.checked.snapshots.iter().map(|one| &*one.model.provider).collect();
                known.sort_unstable();
                known.dedup();
                let message = format!("`{word}` is no provider of this policy");
                desk.report(unknown(&R106, "provider", message, word, value.span, &known));
                None
            }
            _ => desk.mismatch(value, "`given`", "a provider or a model"),
        }
    }
}

/// The policy's snapshot of a model; R205 when it has none.
pub(super) fn snapshot(checked: &Checked, model: &Model, span: Span, desk: &mut Desk<'_>) -> Option<SnapshotId> {
    let name = ModelRef::new(&model.provider, &model.id);
    let found = checked.snapshots.iter().position(|one| one.model == name);
    if found.is_none() {
        let known: Vec<String> = checked.snapshots.iter().map(|one| one.model.to_string()).collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let message = format!("{name} is no snapshot of this policy, so nothing can reach it");
        desk.report(unknown(&R205, "snapshot", message, &name.to_string(), span, &known));
    }
    found.map(|at| SnapshotId(at as u16))
}

fn now(date: &Value, time: &Value, desk: &mut Desk<'_>) -> Option<Given> {
    let (ValueKind::Date(day), ValueKind::Time(minutes)) = (&date.kind, &time.kind) else {
        return desk.mismatch(date, "`given now`", "a date and a time, like `2026-11-23 10:30`");
    };
    if *minutes >= 24 * 60 {
        let message = "`24:00` is only the end of a range";
        let next = day.tomorrow().map(|next| format!("write `given now {next} 00:00`"));
        desk.report(Diagnostic::new(&R110, time.span, message).help(next.unwrap_or_default()));
        return None;
    }
    let value = format!("{day}T{:02}:{:02}", minutes / 60, minutes % 60);
    let span = date.span.to(time.span);
    Some(Given::Input(Input { name: "now".to_owned(), value, name_span: span, value_span: span, of_file: false }))
}

fn failure(value: &Value, desk: &mut Desk<'_>) -> Option<Failure> {
    let word = desk.word(value, "`gives`")?;
    let found = Failure::from_word(word);
    if found.is_none() {
        let known = Failure::ALL.map(Failure::word);
        let message = format!("`{word}` is no failure of an attempt");
        desk.report(unknown(&R333, "failure", message, word, value.span, &known));
    }
    found
}

fn reading(subject: &Subject) -> (String, Span) {
    match &subject.kind {
        SubjectKind::Name(name) => (name.clone(), subject.span),
        SubjectKind::Budget(name) => (name.node.clone(), name.span),
        SubjectKind::Metric { metric, of } => {
            let of = match of.as_ref().map(|value| &value.kind) {
                Some(ValueKind::Model(model)) => format!(" of {}/{}", model.provider, model.id),
                Some(ValueKind::Word(word)) => format!(" of {word}"),
                _ => String::new(),
            };
            (format!("{}{of}", metric.node), subject.span)
        }
    }
}
