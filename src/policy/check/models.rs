//! What the catalog says about the snapshots of a policy: ends, prices, regions, abilities (codes R2).
//!
//! In: a [`Checked`], the catalog, a day. Out: findings R203, R206, R207, R208, R210, R211, R213, R220, R224. Must not know:
//! requests; what depends on them (R209) is proven. Literals that are not pinned are judged where they are resolved.

use jiff::civil::Date;

use super::super::checked::{
    Asked, Chain, Checked, Claim, Hop, Origin, Outcome, Rule, Snapshot, SnapshotId, Target, Tier,
};
use super::super::diagnostic::{Diagnostic, Level, R203, R206, R207, R208, R210, R211, R213, R220, R224};
use super::super::source::Span;
use super::pinning::{elsewhere, same_model};
use crate::catalog::{Catalog, Entry, Kind, Life};

pub use super::pinning::judge;

/// Days before its end at which a snapshot is warned about, unless the project says otherwise.
pub const RETIRE_WINDOW: i32 = 60;

/// Days before its end at which the warning becomes an error.
pub const RETIRE_ERROR: i32 = 7;

/// Days after which the catalog itself is stale.
pub const CATALOG_AGE: i32 = 30;

/// What a project may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Days before its end at which a snapshot is warned about.
    pub retire_window: i32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { retire_window: RETIRE_WINDOW }
    }
}

/// All findings about the facts of a policy's snapshots.
pub fn check(checked: &Checked, catalog: &Catalog, today: Date, settings: Settings, findings: &mut Vec<Diagnostic>) {
    let desk = Desk { checked, catalog, today, settings };
    findings.extend(desk.stale_catalog());
    for (at, snapshot) in checked.snapshots.iter().enumerate() {
        let id = SnapshotId(at as u16);
        if !desk.is_called(id) {
            continue;
        }
        let Some(entry) = snapshot.facts.as_deref().filter(|entry| entry.kind == Kind::Snapshot) else { continue };
        findings.extend(desk.retires_soon(id, snapshot, entry));
        findings.extend(desk.not_yet(snapshot, entry));
        findings.extend(desk.unpriced(snapshot, entry));
        findings.extend(desk.unknown_abilities(id, snapshot, entry));
    }
    for tier in &checked.tiers {
        findings.extend(desk.empty_tier(tier));
        findings.extend(desk.last_of_kind(tier));
    }
    findings.extend(desk.regions());
}

/// `1 day`, `2 days`
fn days_long(days: i32) -> String {
    if days == 1 { "1 day".to_owned() } else { format!("{days} days") }
}

struct Desk<'a> {
    checked: &'a Checked,
    catalog: &'a Catalog,
    today: Date,
    settings: Settings,
}

impl<'a> Desk<'a> {
    /// R206
    fn stale_catalog(&self) -> Option<Diagnostic> {
        let age = (self.today - self.catalog.as_of()).get_days();
        (age > CATALOG_AGE).then(|| {
            let title = format!("the catalog is {age} days old ({})", self.catalog.as_of());
            Diagnostic::new(&R206, self.checked.place, title)
                .note("prices, ends and new snapshots since then are not known")
                .help("install a newer wayside, or state the day of your own facts as `as_of` in `catalog.yaml`")
        })
    }

    /// R203: the first place is where the snapshot is declared, the others are every hop that names it.
    fn retires_soon(&self, id: SnapshotId, snapshot: &Snapshot, entry: &Entry) -> Option<Diagnostic> {
        let days = entry.days_left(self.today).filter(|days| *days <= self.settings.retire_window.max(RETIRE_ERROR))?;
        let name = &snapshot.model;
        let title = match (entry.rerouted_on, entry.rerouted_to.as_deref()) {
            (Some(day), Some(to)) if entry.retires_on.is_none_or(|end| day <= end) => {
                format!("{name} answers as {to} in {} ({day})", days_long(days))
            }
            _ => format!("{name} retires in {} ({})", days_long(days), entry.retires_on?),
        };
        let level = if days <= RETIRE_ERROR { Level::Error } else { Level::Warning };
        let mut found = Diagnostic::new(&R203, snapshot.span, title).level(level);
        for (span, text) in self.uses(id) {
            if span == snapshot.span || found.labels.iter().any(|label| label.span == span) {
                continue;
            }
            found = found.label(span, text);
        }
        let here = match snapshot.tier {
            Some(tier) => format!("in tier `{}`", self.checked.tiers[tier.index()].name),
            None => "named here".to_owned(),
        };
        found = found.here(here);
        let later =
            |other: &&&Entry| other.retires_on.is_none_or(|end| entry.retires_on.is_some_and(|mine| end > mine));
        if let Some(other) = elsewhere(self.catalog, entry, self.today).iter().find(later) {
            found = found.note(same_model(other));
        }
        if let Some(replacement) = entry.replacement.as_deref().or(entry.rerouted_to.as_deref()) {
            found = found.note(format!("{} names {replacement} as the successor", entry.provider));
        }
        Some(found.help(format!("start a rollout: `wayside catalog replace {name}`")))
    }

    /// Whether anything would ever call a snapshot. A guarantee, a drill or a metric may name one that is long gone.
    fn is_called(&self, id: SnapshotId) -> bool {
        self.checked.tiers.iter().any(|tier| tier.has(id))
            || self.chains().any(|(_, chain)| chain.hops.iter().any(|hop| hop.target == Target::Snapshot(id)))
            || !self.uses_beside(id).is_empty()
    }

    /// Every place of a moving part that calls a snapshot, and what it is there.
    fn uses_beside(&self, id: SnapshotId) -> Vec<(Span, String)> {
        let moving = &self.checked.moving;
        let classifiers = moving.classifiers.iter().map(|one| ("classifier", &one.name, &one.asked));
        let judges = moving.judges.iter().map(|one| ("judge", &one.name, &one.asked));
        let asked = classifiers.chain(judges).filter_map(|(kind, name, asked)| {
            let asked = asked.as_ref().filter(|asked| asked.node == Asked::Snapshot(id))?;
            Some((asked.span, format!("asked by {kind} `{name}`")))
        });
        let rollouts = moving.rollouts.iter().flat_map(|one| {
            let ends = [(one.replace, "replaced by"), (one.with, "brought in by")];
            let named = ends.into_iter().filter(|(end, _)| end.node == id);
            named.map(|(end, what)| (end.span, format!("{what} rollout `{}`", one.name)))
        });
        let shadows = self.chains().filter_map(|(rule, chain)| {
            let shadow = chain.extras.shadow.as_ref().filter(|shadow| shadow.snapshot.node == id)?;
            Some((shadow.snapshot.span, format!("shadow of `{}`", rule.name)))
        });
        asked.chain(rollouts).chain(shadows).collect()
    }

    /// Every place that names a snapshot in order to call it, and what it is there.
    fn uses(&self, id: SnapshotId) -> Vec<(Span, String)> {
        let mut uses = self.hops(id);
        uses.extend(self.uses_beside(id));
        uses
    }

    /// Every written hop that names a snapshot.
    fn hops(&self, id: SnapshotId) -> Vec<(Span, String)> {
        let mut uses = Vec::new();
        for (rule, chain) in self.chains() {
            let named = |hop: &&Hop| hop.target == Target::Snapshot(id) && hop.origin == Origin::Written;
            for hop in chain.hops.iter().filter(named) {
                let what = match hop.claim {
                    Claim::Promised => "first choice".to_owned(),
                    Claim::Fallback(intent) => format!("fallback {}", intent.word()),
                };
                uses.push((hop.span, format!("{what} of `{}`", rule.name)));
            }
        }
        uses
    }

    fn chains(&self) -> impl Iterator<Item = (&'a Rule, &'a Chain)> {
        self.checked.rules.iter().filter_map(|rule| match &rule.outcome {
            Outcome::Chain(chain) => Some((rule, chain)),
            Outcome::Reject { .. } => None,
        })
    }

    /// R211
    fn not_yet(&self, snapshot: &Snapshot, entry: &Entry) -> Option<Diagnostic> {
        if entry.life(self.today) != Life::NotYet {
            return None;
        }
        let name = &snapshot.model;
        let found = match entry.released.filter(|day| *day > self.today) {
            Some(day) => {
                let days = (day - self.today).get_days();
                let title = format!("{name} is not there before {day}");
                Diagnostic::new(&R211, snapshot.span, title).here(format!("{} from now", days_long(days)))
            }
            None => Diagnostic::new(&R211, snapshot.span, format!("{name} was announced and never served")),
        };
        Some(found.help(format!("name a snapshot in service: `wayside catalog show {}`", entry.provider)))
    }

    /// R210
    fn unpriced(&self, snapshot: &Snapshot, entry: &Entry) -> Option<Diagnostic> {
        if entry.price.is_some() {
            return None;
        }
        let name = &snapshot.model;
        let found = Diagnostic::new(&R210, snapshot.span, format!("the price of {name} is not known")).here("no price");
        let found = found.note("it is tried last under `cheapest`, and neither costs nor budgets can be proven");
        let row =
            format!("{{provider: {}, id: \"{}\", price: {{input: 0.15, output: 0.60}}}}", name.provider, entry.id);
        Some(found.help(format!("state it in `catalog.yaml`: `{row}`")))
    }

    /// R224, for snapshots that a rule names: nobody says whether they can do what a request may ask.
    fn unknown_abilities(&self, id: SnapshotId, snapshot: &Snapshot, entry: &Entry) -> Option<Diagnostic> {
        let embeds = entry.mode.as_deref() == Some("embedding");
        let (place, _) = self.hops(id).into_iter().next().filter(|_| !embeds)?;
        // Streaming is left out: the catalog states it for no model, and every chat model does it.
        let abilities = [
            (entry.capabilities.tools, "call tools"),
            (entry.capabilities.json_schema, "keep to a schema"),
            (entry.capabilities.vision, "take images"),
        ];
        let unknown: Vec<&str> = abilities.iter().filter(|(known, _)| known.is_none()).map(|(_, what)| *what).collect();
        let (last, rest) = unknown.split_last()?;
        let list = if rest.is_empty() { (*last).to_owned() } else { format!("{} or {last}", rest.join(", ")) };
        let found = Diagnostic::new(&R224, place, format!("nobody states whether {} can {list}", snapshot.model));
        let found = found
            .note("it is used for such requests; where it cannot serve them, the provider's refusal ends the call");
        Some(found.help("state it in `catalog.yaml` under `capabilities`"))
    }

    fn serves(&self, id: SnapshotId) -> bool {
        let facts = self.checked.snapshots[id.index()].facts.as_deref();
        facts.is_none_or(|entry| entry.life(self.today) == Life::Serving)
    }

    /// R208
    fn empty_tier(&self, tier: &Tier) -> Option<Diagnostic> {
        if tier.members.iter().any(|id| self.serves(*id)) {
            return None;
        }
        let title = format!("tier `{}` has no usable member", tier.name);
        let found = Diagnostic::new(&R208, tier.span, title);
        Some(match (tier.members.len(), tier.candidates.len()) {
            (0, 0) => found.here("empty").help("add a snapshot: `provider/id`"),
            (0, _) => {
                let found = found
                    .here("candidates only")
                    .note("a candidate is used by rollouts, shadows and rules that name it");
                found.help("delete the word `candidate` from one of them")
            }
            (_, _) => found
                .here("none of them is in service today")
                .help("add a snapshot in service: `wayside catalog show PROVIDER`"),
        })
    }

    /// R213: of a tier, or of a residency inside a tier.
    fn last_of_kind(&self, tier: &Tier) -> Vec<Diagnostic> {
        let serving: Vec<SnapshotId> = tier.members.iter().copied().filter(|id| self.serves(*id)).collect();
        let mut findings = Vec::new();
        findings.extend(self.only_one(&serving, tier, ""));
        for residency in self.checked.residencies.iter().filter(|residency| !residency.regions.is_empty()) {
            let inside: Vec<SnapshotId> =
                serving.iter().copied().filter(|id| self.runs_in(*id, &residency.regions)).collect();
            if inside.len() < serving.len() {
                findings.extend(self.only_one(&inside, tier, &format!(" in `{}`", residency.name)));
            }
        }
        findings
    }

    fn only_one(&self, members: &[SnapshotId], tier: &Tier, place: &str) -> Option<Diagnostic> {
        let [only] = members else { return None };
        let snapshot = &self.checked.snapshots[only.index()];
        let days =
            snapshot.facts.as_deref()?.days_left(self.today).filter(|days| *days <= self.settings.retire_window)?;
        let title = format!("the only member of tier `{}`{place} ends in {}", tier.name, days_long(days));
        let found = Diagnostic::new(&R213, snapshot.span, title).here("nothing is left after it");
        let found = if place.is_empty() { found.label(tier.span, "the tier") } else { found };
        Some(found.help(format!("add a second snapshot to `{}` before that", tier.name)))
    }

    fn runs_in(&self, id: SnapshotId, regions: &[std::sync::Arc<str>]) -> bool {
        let facts = self.checked.snapshots[id.index()].facts.as_deref();
        let stated = facts.and_then(|entry| entry.regions.as_ref());
        stated.is_some_and(|stated| stated.iter().any(|one| regions.iter().any(|region| **region == **one)))
    }

    /// R207 and R220, for hops with `in`.
    fn regions(&self) -> Vec<Diagnostic> {
        let mut findings: Vec<Diagnostic> = Vec::new();
        for (_, chain) in self.chains() {
            for hop in chain.hops.iter().filter(|hop| hop.origin == Origin::Written && !hop.options.regions.is_empty())
            {
                let Target::Snapshot(id) = hop.target else { continue };
                let snapshot = &self.checked.snapshots[id.index()];
                let Some(entry) = snapshot.facts.as_deref() else { continue };
                let wanted = hop.options.regions.join(", ");
                let found = match &entry.regions {
                    Some(_) if self.runs_in(id, &hop.options.regions) => continue,
                    Some(stated) => {
                        let title = format!("{} is not offered in {wanted}", snapshot.model);
                        let found =
                            Diagnostic::new(&R207, hop.span, title).here(format!("only in {}", stated.join(", ")));
                        found.help(format!(
                            "write `in {}`, or name a snapshot that runs in {wanted}",
                            stated.first().map_or("", |it| it)
                        ))
                    }
                    None => {
                        let title = format!("nobody states where {} runs", snapshot.model);
                        let found = Diagnostic::new(&R220, hop.span, title).here(format!("must run in {wanted}"));
                        let found = found.note("an unknown region satisfies no region: the hop is never used");
                        let row =
                            format!("{{provider: {}, id: \"{}\", regions: [{wanted}]}}", entry.provider, entry.id);
                        found.help(format!("state it in `catalog.yaml`: `{row}`"))
                    }
                };
                if !findings.iter().any(|known| known.span == found.span && known.message == found.message) {
                    findings.push(found);
                }
            }
        }
        findings
    }
}
