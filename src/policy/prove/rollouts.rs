//! Rollouts, shadows, caches and drills against what requests reach (R701 to R703, R709, R712 to R716).
//!
//! In: moving parts, what requests of each rule reach. Out: findings. Must not know: stages, schedules of other machines.

use super::super::atoms::{Mentions, WEEK};
use super::super::boxes::AtomBox;
use super::super::checked::{
    Chain, Checked, Class, ColumnId, Degrade, Drill, Outcome, Rollout, RolloutId, RuleId, SnapshotId, Stakes, Subject,
    Values, Who,
};
use super::super::diagnostic::{Diagnostic, Level, R701, R702, R703, R709, R712, R713, R714, R715, R716};
use super::calls::{Called, Via};
use super::limits::{self, Limit, chain_of};
use super::witness::Claim;
use super::{Proof, Stop, both};

/// A minute in milliseconds.
const MINUTE: u64 = 60_000;

impl Proof<'_> {
    pub(super) fn moving(&mut self, findings: &mut Vec<Diagnostic>) -> Result<(), Stop> {
        let checked = self.checked;
        for (at, rollout) in checked.moving.rollouts.iter().enumerate() {
            let id = RolloutId(at as u16);
            findings.extend(self.never_applies(rollout)?);
            findings.extend(self.collides(id, rollout)?);
            findings.extend(self.weaker(id, rollout)?);
        }
        for drill in &checked.moving.drills {
            findings.extend(self.drill(drill)?);
        }
        for rule in self.rules() {
            self.at = Some(rule);
            let Outcome::Chain(chain) = &checked.rules[rule.index()].outcome else { continue };
            findings.extend(self.shadow_leaves(rule, chain)?);
            findings.extend(self.cache_on_high_stakes(rule, chain)?);
            findings.extend(self.cached_without_cache(rule, chain)?);
        }
        Ok(())
    }

    /// The first request of any rule for which something holds, with what it reaches.
    fn somewhere(
        &mut self,
        inside: &[AtomBox],
        mut wanted: impl FnMut(&Called<'_>) -> bool,
    ) -> Result<Option<(RuleId, AtomBox)>, Stop> {
        let checked = self.checked;
        for rule in self.rules() {
            let Some(chain) = chain_of(&checked.rules[rule.index()].outcome) else { continue };
            for called in self.calls_of(chain) {
                if !wanted(&called) {
                    continue;
                }
                let area = both(inside, &called.among);
                if let Some(left) = self.left_in(rule, &area, &called.dropped)? {
                    return Ok(Some((rule, left)));
                }
            }
        }
        Ok(None)
    }

    /// R701
    fn never_applies(&mut self, rollout: &Rollout) -> Result<Option<Diagnostic>, Stop> {
        let inside = self.boxes_of_clause(rollout.within.as_ref());
        let old = rollout.replace.node;
        if self.somewhere(&inside, |called| called.call.via == Via::Chain && called.call.snapshot == old)?.is_some() {
            return Ok(None);
        }
        let model = &self.checked.snapshots[old.index()].model;
        let title = format!("rollout `{}` never applies", rollout.name);
        let found = Diagnostic::new(&R701, rollout.replace.span, title);
        let found = found.here(format!("no chain of such a request has {model}"));
        let found = match &rollout.within {
            Some(within) => found.label(within.span, "these requests"),
            None => found,
        };
        Ok(Some(found.help("name a snapshot that a chain has, or widen `where`")))
    }

    /// R702: the later of two rollouts that would put something in front of the same snapshot for the same request.
    fn collides(&mut self, id: RolloutId, rollout: &Rollout) -> Result<Option<Diagnostic>, Stop> {
        let checked = self.checked;
        let mine = self.boxes_of_clause(rollout.within.as_ref());
        for other in checked.moving.rollouts.iter().take(id.index()) {
            if other.replace.node != rollout.replace.node {
                continue;
            }
            let shared = both(&mine, &self.boxes_of_clause(other.within.as_ref()));
            let old = rollout.replace.node;
            let hit = self.somewhere(&shared, |called| called.call.via == Via::Chain && called.call.snapshot == old)?;
            let Some((rule, left)) = hit else { continue };
            let witness = self.witness(&left, &Claim { decided: Some(rule), inside: &shared, outside: &[] })?;
            let model = &checked.snapshots[old.index()].model;
            let title =
                format!("rollouts `{}` and `{}` replace {model} for the same request", other.name, rollout.name);
            let found = Diagnostic::new(&R702, rollout.span, title).here("replaces it for such a request");
            let found = found.label(other.span, "and so does this").witness(witness);
            return Ok(Some(found.help("divide the requests with `where`, or finish one before the other begins")));
        }
        Ok(None)
    }

    /// R703: a request that the old snapshot serves and the new one does not.
    fn weaker(&mut self, id: RolloutId, rollout: &Rollout) -> Result<Option<Diagnostic>, Stop> {
        let checked = self.checked;
        for rule in self.rules() {
            let Some(chain) = chain_of(&checked.rules[rule.index()].outcome) else { continue };
            let reaches = self.calls_of(chain);
            for (at, new) in reaches.iter().enumerate().filter(|(_, called)| called.call.via == Via::Rollout(id)) {
                let old = reaches[at..].iter().find(|called| called.call.via == Via::Chain);
                let Some(old) = old.filter(|old| std::ptr::eq(old.call.hop, new.call.hop)) else { continue };
                let stand_in = super::super::checked::Hop {
                    target: super::super::checked::Target::Snapshot(rollout.with.node),
                    ..new.call.hop.clone()
                };
                for limit in limits::of_hop(checked, &stand_in) {
                    let Some(area) = limit.area(checked, &self.space) else { continue };
                    let inside = both(&new.among, &[area]);
                    let Some(left) = self.left_in(rule, &inside, &old.dropped)? else { continue };
                    let claim = Claim { decided: Some(rule), inside: &inside, outside: &old.dropped };
                    let witness = self.witness(&left, &claim)?;
                    return Ok(Some(weaker_finding(checked, rollout, &limit).witness(witness)));
                }
            }
        }
        Ok(None)
    }

    /// R709: where the original may not go, a copy may not either.
    fn shadow_leaves(&mut self, rule: RuleId, chain: &Chain) -> Result<Option<Diagnostic>, Stop> {
        let checked = self.checked;
        let Some(shadow) = &chain.extras.shadow else { return Ok(None) };
        let Some(hop) = chain.hops.first() else { return Ok(None) };
        let stand_in = super::super::checked::Hop {
            target: super::super::checked::Target::Snapshot(shadow.snapshot.node),
            ..hop.clone()
        };
        for limit in limits::of_hop(checked, &stand_in) {
            if !matches!(limit, Limit::Residency(_) | Limit::Tenants(_)) {
                continue;
            }
            let Some(area) = limit.area(checked, &self.space) else { continue };
            let inside = [area];
            let Some(left) = self.left_in(rule, &inside, &[])? else { continue };
            let witness = self.witness(&left, &Claim { decided: Some(rule), inside: &inside, outside: &[] })?;
            let model = &checked.snapshots[shadow.snapshot.node.index()].model;
            let title = format!(
                "the shadow of `{}` copies requests to where they may not go",
                checked.rules[rule.index()].name
            );
            let found = Diagnostic::new(&R709, shadow.snapshot.span, title);
            let found = found.here(format!("{model} {}", limit.why(checked))).witness(witness);
            return Ok(Some(found.help("shadow a snapshot that may see such requests, or keep them from the rule")));
        }
        Ok(None)
    }

    /// R712
    fn cache_on_high_stakes(&mut self, rule: RuleId, chain: &Chain) -> Result<Option<Diagnostic>, Stop> {
        let Some(cache) = &chain.extras.cache else { return Ok(None) };
        let Some(high) = self.high_stakes() else { return Ok(None) };
        if self.left_in(rule, std::slice::from_ref(&high), &[])?.is_none() {
            return Ok(None);
        }
        let title =
            format!("`{}` gives kept answers to requests of high stakes", self.checked.rules[rule.index()].name);
        let found = Diagnostic::new(&R712, cache.span, title).here("the next request may differ where it counts");
        Ok(Some(found.help("write `no cache`, or keep such requests from the rule")))
    }

    /// R713: an answer can only be kept by a rule with a cache that the same request meets at another time.
    fn cached_without_cache(&mut self, rule: RuleId, chain: &Chain) -> Result<Option<Diagnostic>, Stop> {
        let checked = self.checked;
        if !chain.degrade.iter().any(|step| matches!(step, Degrade::Cached { .. })) {
            return Ok(None);
        }
        let writes = |one: &&RuleId| match &checked.rules[one.index()].outcome {
            Outcome::Chain(chain) => chain.extras.cache.is_some(),
            Outcome::Reject { .. } => false,
        };
        let writers: Vec<RuleId> = self.rules().collect::<Vec<_>>().iter().filter(writes).copied().collect();
        let mine: Vec<AtomBox> = self.areas(rule).iter().map(|area| self.free_part(area)).collect();
        for writer in writers {
            let theirs: Vec<AtomBox> = self.areas(writer).iter().map(|area| self.free_part(area)).collect();
            let impossible = self.boxes.invalid.len();
            if self.first_left(&both(&mine, &theirs), impossible, &[])?.is_some() {
                return Ok(None);
            }
        }
        let one = &checked.rules[rule.index()];
        let title = format!("`{}` degrades to a cache that nobody fills for its requests", one.name);
        let found = Diagnostic::new(&R713, one.span, title).here("always misses");
        Ok(Some(
            found.help(
                "add `cache exact for 24h per [tenant, feature]` to the rule that answers them, or delete the step",
            ),
        ))
    }

    /// What a box says about the request alone.
    fn free_part(&self, area: &AtomBox) -> AtomBox {
        let late = |column: &ColumnId| self.space.column(*column).class != Class::Free;
        let columns: Vec<ColumnId> = area.sets().iter().map(|(column, _)| *column).filter(late).collect();
        columns.into_iter().fold(area.clone(), |area, column| area.without(column))
    }

    /// R714, R715 and R716.
    fn drill(&mut self, drill: &Drill) -> Result<Vec<Diagnostic>, Stop> {
        let checked = self.checked;
        let mut inside = self.boxes_of_clause(drill.within.as_ref());
        if let Some(slot) = self.slot(drill) {
            inside = both(&inside, &[slot]);
        }
        // Unless it says so, a drill leaves requests of high stakes alone.
        let high = self.high_stakes().filter(|_| !names_stakes(checked, drill));
        let spared: Vec<AtomBox> = high.into_iter().collect();
        let mut drilled = false;
        for rule in self.rules() {
            if chain_of(&checked.rules[rule.index()].outcome).is_some()
                && self.left_in(rule, &inside, &spared)?.is_some()
            {
                drilled = true;
                break;
            }
        }
        let name = &drill.name;
        if !drilled {
            let title = format!("drill `{name}` never runs");
            let place = drill.within.as_ref().map_or(drill.span, |within| within.span);
            let found =
                Diagnostic::new(&R714, place, title).here("no request that calls a model is in it at that time");
            return Ok(vec![found.help("widen `where`, or move the schedule")]);
        }
        let mut found = Vec::new();
        for pretend in &drill.pretend {
            let hit = |id: SnapshotId| match &pretend.who {
                Who::Provider(name) => checked.snapshots[id.index()].model.provider == *name,
                Who::Snapshot(one) => *one == id,
            };
            if self.somewhere(&inside, |called| called.call.via != Via::Shadow && hit(called.call.snapshot))?.is_none()
            {
                let title = format!("drill `{name}` pretends something that no drilled request would notice");
                let finding = Diagnostic::new(&R715, pretend.span, title).here("on no chain that it touches");
                found.push(finding.help("name a provider of those chains, or widen `where`"));
            }
            let touches = |rollout: &&Rollout| hit(rollout.with.node) || hit(rollout.replace.node);
            for rollout in checked.moving.rollouts.iter().filter(touches) {
                let shared = both(&inside, &self.boxes_of_clause(rollout.within.as_ref()));
                let impossible = self.boxes.invalid.len();
                if self.first_left(&shared, impossible, &[])?.is_some() {
                    let title = format!("drill `{name}` takes requests from rollout `{}`", rollout.name);
                    let finding = Diagnostic::new(&R716, drill.span, title).level(Level::Info);
                    found.push(finding.label(rollout.span, "gets fewer samples meanwhile"));
                }
            }
        }
        Ok(found)
    }

    /// The minutes of the week at which a drill can run.
    fn slot(&self, drill: &Drill) -> Option<AtomBox> {
        let clock = self.space.find(Subject::Clock)?;
        let set = self.space.set(clock, &Values::Ranges(minutes(drill)?));
        AtomBox::only(&self.space, clock, set)
    }
}

fn weaker_finding(checked: &Checked, rollout: &Rollout, limit: &Limit) -> Diagnostic {
    let name = |id: SnapshotId| checked.snapshots[id.index()].model.to_string();
    let title = format!("rollout `{}` gives requests to a snapshot that cannot serve them all", rollout.name);
    let found = Diagnostic::new(&R703, rollout.with.span, title);
    let found = found.here(format!("{} {}", name(rollout.with.node), limit.why(checked)));
    let found = found.label(rollout.replace.span, format!("{} serves such a request", name(rollout.replace.node)));
    found.help("leave such requests out with `where`; they stay with the old snapshot")
}

/// Whether the author thought of high stakes.
fn names_stakes(checked: &Checked, drill: &Drill) -> bool {
    fn named(checked: &Checked, cond: &super::super::checked::Cond) -> bool {
        use super::super::checked::Cond;
        match cond {
            Cond::True => false,
            Cond::Any(parts) | Cond::All(parts) => parts.iter().any(|part| named(checked, part)),
            Cond::Not(inner) => named(checked, inner),
            Cond::Test { column, .. } => checked.column(*column).is_some_and(|one| one.subject == Subject::Stakes),
        }
    }
    drill.within.as_ref().is_some_and(|within| named(checked, &within.node))
}

/// When a drill runs, in minutes of the week; `None` by hand, at any time.
fn minutes(drill: &Drill) -> Option<Vec<(u64, u64)>> {
    let schedule = drill.schedule?;
    let lasts = schedule.lasts.0.div_ceil(MINUTE).clamp(1, WEEK);
    let days: Vec<u64> = schedule.day.map_or_else(|| (0..7).collect(), |day| vec![u64::from(day)]);
    let starts = days.into_iter().map(|day| day * 1440 + u64::from(schedule.minute));
    let mut ranges: Vec<(u64, u64)> = starts
        .flat_map(|from| match from + lasts {
            to if to > WEEK => vec![(from, WEEK), (0, to - WEEK)],
            to => vec![(from, to)],
        })
        .collect();
    ranges.sort_unstable();
    Some(ranges)
}

/// Columns that these findings look at.
pub(super) fn subjects(checked: &Checked) -> Vec<Subject> {
    let stakes = checked.features.iter().any(|feature| feature.stakes == Stakes::High);
    let clock = checked.moving.drills.iter().any(|drill| drill.schedule.is_some());
    let mut wanted = Vec::new();
    wanted.extend(stakes.then_some(Subject::Stakes));
    wanted.extend(clock.then_some(Subject::Clock));
    wanted
}

/// Cuts the clock where drills begin and end.
pub(super) fn mention(checked: &Checked, mentions: &mut Mentions) {
    let Some(clock) = checked.columns.iter().position(|column| column.subject == Subject::Clock) else { return };
    for ranges in checked.moving.drills.iter().filter_map(minutes) {
        mentions.add(ColumnId(clock as u16), &Values::Ranges(ranges));
    }
}
