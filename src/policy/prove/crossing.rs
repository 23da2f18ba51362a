//! What is lost where a caller and a hop speak different dialects: R334.
//!
//! In: chains, what their providers speak, which requests reach them. Out: findings. Must not know: what a dialect's API has a
//! place for, which is a table of [`crate::names`].
//!
//! Planning does not drop such a hop: whether a request can be told is known when it is written. So a chain reads as if it had one
//! hop more than it has for these requests. Only contents that conditions of the policy ask for are judged: nothing in a policy
//! says that others come.

use super::super::atoms::{Mentions, Space};
use super::super::boxes::AtomBox;
use super::super::checked::{
    Chain, Checked, Domain, Endpoint, Hop, Modality, Origin, RuleId, Snapshot, Subject, Target, Values,
};
use super::super::diagnostic::{Diagnostic, R334};
use super::super::eligible;
use super::limits::{self, chain_of};
use super::witness::Claim;
use super::{Proof, Stop};
use crate::names::{Control, Dialect, Lost};

/// What configured providers speak; every other speaks what it is known for.
pub type Spoken<'a> = &'a [(String, Dialect)];

/// What a caller of an endpoint speaks, where callers converse.
const fn caller(endpoint: Endpoint) -> Option<Dialect> {
    match endpoint {
        Endpoint::Chat => Some(Dialect::Chat),
        Endpoint::Responses => Some(Dialect::Responses),
        Endpoint::Messages => Some(Dialect::Messages),
        Endpoint::Embeddings => None,
    }
}

/// Whether callers of an endpoint converse in another dialect than Messages.
fn others(endpoint: Endpoint) -> bool {
    caller(endpoint).is_some_and(|dialect| dialect != Dialect::Messages)
}

/// What requests bring that some dialect has no place for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Brought {
    Content(Modality),
    ToolsBesideSchema,
    /// From callers of Messages, in a rule that takes no others.
    Control(Control),
}

impl Brought {
    /// Those that a policy asks for.
    fn of(checked: &Checked) -> Vec<Self> {
        let asked = |subject| checked.columns.iter().any(|column| column.subject == subject);
        let contents = Modality::ALL.into_iter().filter(|content| asked(Subject::Modality(*content)));
        let both = asked(Subject::Tools) && asked(Subject::JsonSchema);
        let told_apart = asked(Subject::Endpoint) || !checked.endpoints.iter().any(|one| others(*one));
        let controls = Control::ALL.into_iter().filter(|_| told_apart).map(Self::Control);
        contents.map(Self::Content).chain(both.then_some(Self::ToolsBesideSchema)).chain(controls).collect()
    }

    fn subjects(self) -> Vec<Subject> {
        match self {
            Self::Content(content) => vec![Subject::Modality(content)],
            Self::ToolsBesideSchema => vec![Subject::Tools, Subject::JsonSchema],
            Self::Control(_) => Vec::new(),
        }
    }

    /// Whether planning keeps the hop for it: one that it drops has its own finding.
    fn planned(self, snapshot: &Snapshot) -> bool {
        let entry = snapshot.facts.as_deref();
        match self {
            Self::Content(content) => eligible::takes(entry, content),
            Self::ToolsBesideSchema => eligible::calls_tools(entry) && eligible::follows_schema(entry),
            Self::Control(_) => true,
        }
    }

    fn lost(self, caller: Dialect, hop: Dialect, snapshot: &Snapshot) -> Option<Lost> {
        match self {
            Self::Content(content) => caller.lost(hop, content),
            Self::ToolsBesideSchema => {
                (caller != hop && !hop.takes_tools_beside_schema(&snapshot.model.id)).then_some(Lost::All)
            }
            Self::Control(control) => {
                (caller == Dialect::Messages && hop != caller && !told(control, hop, snapshot)).then_some(Lost::All)
            }
        }
    }

    /// In the plural, as a title names it.
    const fn name(self) -> &'static str {
        match self {
            Self::Content(Modality::Text) => "texts",
            Self::Content(Modality::Image) => "images",
            Self::Content(Modality::Audio) => "audio",
            Self::Content(Modality::Video) => "video",
            Self::Content(Modality::File) => "files",
            Self::ToolsBesideSchema => "tools beside a schema",
            Self::Control(Control::BegunAnswer) => "begun answers",
            Self::Control(Control::CacheMarks) => "cache marks",
        }
    }
}

/// Whether a snapshot is told a control.
fn told(control: Control, dialect: Dialect, snapshot: &Snapshot) -> bool {
    let can = snapshot.facts.as_deref().map(|entry| entry.capabilities).unwrap_or_default();
    let able = match control {
        Control::BegunAnswer => can.assistant_prefill,
        Control::CacheMarks => can.prompt_caching,
    };
    dialect.tells(control, able)
}

/// Endpoints apart from each other, where a finding can hang on which one it is.
pub(super) fn mention(checked: &Checked, mentions: &mut Mentions) {
    let Some((id, column)) = limits::find(&checked.columns, Subject::Endpoint) else { return };
    let Domain::Enum { values, .. } = &column.domain else { return };
    if !Brought::of(checked).is_empty() {
        (0..values.len() as u32).for_each(|at| mentions.add(id, &Values::Enum(vec![at])));
    }
}

/// The dialect of a snapshot's provider. Google's cloud hosts others, too; what those speak there is only known where it is written.
fn speaks(snapshot: &Snapshot, spoken: Spoken<'_>) -> Option<Dialect> {
    let model = &snapshot.model;
    let written = spoken.iter().find(|(name, _)| **name == *model.provider).map(|(_, dialect)| *dialect);
    let guest = &*model.provider == "vertex" && !model.id.contains("gemini");
    written.or_else(|| (!guest).then(|| Dialect::usual(&model.provider)))
}

/// Requests that bring it to an endpoint; all endpoints, where no condition tells them apart.
fn area(space: &Space, brought: Brought, endpoint: Endpoint) -> Option<AtomBox> {
    let yes = |area: AtomBox, subject| {
        let column = space.find(subject)?;
        area.and(&AtomBox::only(space, column, space.set(column, &Values::Bool(true)))?)
    };
    let area = brought.subjects().into_iter().try_fold(AtomBox::everything(), yes)?;
    let Some(column) = space.find(Subject::Endpoint) else { return Some(area) };
    let Domain::Enum { values, .. } = &space.column(column).domain else { return Some(area) };
    let place = values.iter().position(|value| **value == *endpoint.word())? as u32;
    area.and(&AtomBox::only(space, column, space.set(column, &Values::Enum(vec![place])))?)
}

impl Proof<'_> {
    /// What the policy itself asks for is in `own`: the proof's columns are more.
    pub(super) fn crossings(
        &mut self,
        own: &Checked,
        spoken: Spoken<'_>,
        findings: &mut Vec<Diagnostic>,
    ) -> Result<(), Stop> {
        let checked = self.checked;
        let brought = Brought::of(own);
        if brought.is_empty() {
            return Ok(());
        }
        for rule in self.rules() {
            self.at = Some(rule);
            if self.dead.binary_search(&rule).is_ok() {
                continue;
            }
            let Some(chain) = chain_of(&checked.rules[rule.index()].outcome) else { continue };
            for one in &brought {
                if !self.matters(rule, chain, *one, spoken)? {
                    continue;
                }
                for hop in chain.hops.iter().filter(|hop| hop.origin == Origin::Written) {
                    findings.extend(self.crossing(rule, hop, *one, spoken)?);
                }
            }
        }
        Ok(())
    }

    /// A control is missed where all callers of the rule may send it, and another hop of the chain is told it.
    fn matters(&mut self, rule: RuleId, chain: &Chain, one: Brought, spoken: Spoken<'_>) -> Result<bool, Stop> {
        let Brought::Control(control) = one else { return Ok(true) };
        let elsewhere = chain.hops.iter().any(|hop| {
            let Target::Snapshot(id) = hop.target else { return false };
            let snapshot = &self.checked.snapshots[id.index()];
            speaks(snapshot, spoken).is_some_and(|dialect| told(control, dialect, snapshot))
        });
        if !elsewhere {
            return Ok(false);
        }
        for endpoint in self.checked.endpoints.iter().filter(|one| others(**one)) {
            if let Some(area) = area(&self.space, one, *endpoint)
                && self.reached(rule, &area, &[])?.is_some()
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn crossing(
        &mut self,
        rule: RuleId,
        hop: &Hop,
        brought: Brought,
        spoken: Spoken<'_>,
    ) -> Result<Option<Diagnostic>, Stop> {
        let Target::Snapshot(id) = hop.target else { return Ok(None) };
        let snapshot = &self.checked.snapshots[id.index()];
        if !brought.planned(snapshot) {
            return Ok(None);
        }
        let Some(dialect) = speaks(snapshot, spoken) else { return Ok(None) };
        for endpoint in &self.checked.endpoints {
            let lost = caller(*endpoint).and_then(|caller| brought.lost(caller, dialect, snapshot));
            let Some((lost, area)) = lost.zip(area(&self.space, brought, *endpoint)) else { continue };
            let Some(left) = self.reached(rule, &area, &[])? else { continue };
            let claim = Claim { decided: Some(rule), inside: std::slice::from_ref(&area), outside: &[] };
            let witness = self.witness(&left, &claim)?;
            let found = self.cannot_carry(rule, hop, brought, lost, (*endpoint, dialect));
            return Ok(Some(found.witness(witness)));
        }
        Ok(None)
    }

    fn cannot_carry(
        &self,
        rule: RuleId,
        hop: &Hop,
        brought: Brought,
        lost: Lost,
        (endpoint, dialect): (Endpoint, Dialect),
    ) -> Diagnostic {
        let rule = &self.checked.rules[rule.index()];
        let model = super::chains::model(self.checked, hop);
        let (name, api) = (brought.name(), dialect.word());
        let (title, here) = match (lost, brought) {
            (Lost::ByUrl, _) => (
                format!("{model} is never sent the {name} by URL that rule `{}` takes", rule.name),
                format!("the `{api}` API takes {name} inside the request alone"),
            ),
            (Lost::All, Brought::Content(_)) => (
                format!("{model} is never sent the {name} that rule `{}` takes", rule.name),
                format!("the `{api}` API has no place for {name}"),
            ),
            (Lost::All, Brought::ToolsBesideSchema) => (
                format!("{model} is never sent the {name} that rule `{}` takes", rule.name),
                format!("before Gemini 3, the `{api}` API takes one or the other"),
            ),
            (Lost::All, Brought::Control(_)) => (
                format!("{model} is never sent the {name} that callers of rule `{}` may send", rule.name),
                format!("the `{api}` API has no place for {name} to this model"),
            ),
        };
        let help = match (lost, brought) {
            (Lost::ByUrl, _) => format!(
                "name a model whose API reads URLs, or write `# allow cannot-carry: callers send {name} inside the request`"
            ),
            (Lost::All, Brought::Content(content)) => {
                format!(
                    "add `not modality has {}` to the condition, or name a model whose API takes {name}",
                    content.word()
                )
            }
            (Lost::All, Brought::ToolsBesideSchema) => {
                "add `not (tools and json_schema)` to the condition, or name a later model".to_owned()
            }
            (Lost::All, Brought::Control(_)) => format!(
                "name a model whose provider speaks `messages`, or write `# allow cannot-carry: callers send no {name}`"
            ),
        };
        let then = match brought {
            Brought::Control(Control::CacheMarks) => {
                "they are left out: this provider keeps what it likes by itself, and what it reads again may cost more"
                    .to_owned()
            }
            _ => format!(
                "such a request of a `{}` caller goes past this hop (`cannot_carry`), whatever else fails",
                endpoint.word()
            ),
        };
        let found = Diagnostic::new(&R334, hop.span, title).here(here);
        found.label(rule.span, "this rule takes such requests").note(then).help(help)
    }
}
