//! Chains that cannot keep what they say: R209, R310 to R314, R803, R805.
//!
//! In: a policy as boxes, and what its hops cannot serve. Out: findings. Must not know: how a hop's limits come about.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::super::ast::Intent;
use super::super::boxes::AtomBox;
use super::super::checked::{Chain, Checked, Claim as HopClaim, Degrade, Hop, Origin, Promise, RuleId, Target};
use super::super::diagnostic::{Code, Diagnostic, Level, R209, R310, R311, R312, R313, R314, R803, R805};
use super::limits::{self, Limit};
use super::witness::Claim;
use super::{Proof, Stop};

/// Most hops that one finding explains.
const MAX_REASONS: usize = 6;

/// Most boxes that the common limit of several hops may have on the way: beyond, the analysis says that it gave up.
const MAX_COMMON: usize = 4096;

/// What one hop cannot serve.
struct HopLimits {
    limits: Vec<(Limit, AtomBox)>,
}

impl HopLimits {
    fn areas(&self) -> Vec<&AtomBox> {
        self.limits.iter().map(|(_, area)| area).collect()
    }
}

impl Proof<'_> {
    pub(super) fn chains(&mut self, findings: &mut Vec<Diagnostic>) -> Result<(), Stop> {
        let checked = self.checked;
        let mut known = FxHashMap::default();
        for rule in self.rules() {
            self.at = Some(rule);
            if self.dead.binary_search(&rule).is_ok() {
                continue;
            }
            findings.extend(self.no_person(rule)?);
            let Some(chain) = limits::chain_of(&checked.rules[rule.index()].outcome) else { continue };
            let hops: Vec<Rc<HopLimits>> = chain.hops.iter().map(|hop| self.limits(hop, &mut known)).collect();
            for (at, (hop, limits)) in chain.hops.iter().zip(&hops).enumerate() {
                findings.extend(self.hop(rule, hop, limits, at == 0)?);
            }
            findings.extend(self.downgrade(rule, chain, &hops)?);
            findings.extend(self.empty_chain(rule, chain, &hops)?);
        }
        Ok(())
    }

    fn limits(&self, hop: &Hop, known: &mut FxHashMap<limits::Kind, Rc<HopLimits>>) -> Rc<HopLimits> {
        let placed = |limit: Limit| limit.area(self.checked, &self.space).map(|area| (limit, area));
        let all = || limits::of_hop(self.checked, hop).into_iter();
        let of_kind = known.entry(limits::kind(hop));
        of_kind.or_insert_with(|| Rc::new(HopLimits { limits: all().filter_map(placed).collect() })).clone()
    }

    /// A request of the rule, inside an area, that no rule above takes.
    pub(super) fn reached(
        &mut self,
        rule: RuleId,
        area: &AtomBox,
        except: &[&AtomBox],
    ) -> Result<Option<AtomBox>, Stop> {
        let parts: Vec<AtomBox> = self.areas(rule).iter().filter_map(|own| own.and(area)).collect();
        self.first_left(&parts, self.above(rule), except)
    }

    /// What a written hop claims and cannot keep, and hops that are never tried.
    fn hop(&mut self, rule: RuleId, hop: &Hop, limits: &HopLimits, first: bool) -> Result<Vec<Diagnostic>, Stop> {
        let Target::Snapshot(_) = hop.target else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        let never = self.reached(rule, &AtomBox::everything(), &limits.areas())?.is_none();
        if hop.origin == Origin::Written {
            for (limit, area) in &limits.limits {
                let (code, level) = judge(limit, first);
                if never && level != Level::Error {
                    continue;
                }
                let Some(left) = self.reached(rule, area, &[])? else { continue };
                let claim = Claim { decided: Some(rule), inside: std::slice::from_ref(area), outside: &[] };
                let witness = self.witness(&left, &claim)?;
                found.push(self.cannot_serve(rule, hop, limit, code).level(level).witness(witness));
            }
        }
        if never && found.is_empty() {
            found.push(self.never_tried(rule, hop, limits));
        }
        Ok(found)
    }

    fn cannot_serve(&self, rule: RuleId, hop: &Hop, limit: &Limit, code: &'static Code) -> Diagnostic {
        let checked = self.checked;
        let (model, name) = (model(checked, hop), &checked.rules[rule.index()].name);
        let why = limit.why(checked);
        let found = Diagnostic::new(code, hop.span, format!("{model} cannot serve every request of rule `{name}`"));
        let found = found.here(why).label(checked.rules[rule.index()].span, "this rule takes such requests");
        match limit {
            Limit::Prompt { largest, .. } => found
                .note(format!("prompts above {} tokens go past this hop", super::super::shown::grouped(largest.0)))
                .help("add a hop with a larger window, or keep long prompts away with a rule above"),
            Limit::Residency(at) => found.help(format!(
                "add `residency is not {}` to the condition, or name regions with `in`",
                checked.residencies[*at].name
            )),
            Limit::Tenants(_) => {
                found.help("keep such tenants away with a rule above, or name a provider they approve")
            }
            Limit::Endpoint(endpoint) => {
                found.help(format!("add `endpoint is not {}` to the condition", endpoint.word()))
            }
            Limit::Streaming => found.help("add `not streaming` to the condition, or name a model that streams"),
            Limit::Tools => found.help("add `not tools` to the condition, or name a model that calls tools"),
            Limit::JsonSchema => {
                found.help("add `not json_schema` to the condition, or name a model that follows schemas")
            }
            Limit::Content(content) => found.help(format!(
                "add `not modality has {0}` to the condition, or name a model that takes {0} input",
                content.word()
            )),
            Limit::NothingRequested => found,
        }
    }

    fn never_tried(&self, rule: RuleId, hop: &Hop, limits: &HopLimits) -> Diagnostic {
        let checked = self.checked;
        let (model, name) = (model(checked, hop), &checked.rules[rule.index()].name);
        let level = if hop.origin == Origin::Written { Level::Warning } else { Level::Info };
        let mut found = Diagnostic::new(&R313, hop.span, format!("{model} can serve no request of rule `{name}`"));
        for (limit, _) in limits.limits.iter().take(MAX_REASONS) {
            found = found.note(format!("it {}", limit.why(checked)));
        }
        found.here("never tried").level(level)
    }

    /// R312: a request for which every hop is dropped.
    fn empty_chain(&mut self, rule: RuleId, chain: &Chain, hops: &[Rc<HopLimits>]) -> Result<Option<Diagnostic>, Stop> {
        let as_requested = chain.promise == Promise::AsRequested;
        if as_requested && !chain.degrade.is_empty() {
            // A client that names no known model is what the degrade step is for.
            return Ok(None);
        }
        let mut common = self.areas(rule);
        for limits in hops {
            let pairs = common.iter().flat_map(|area| limits.limits.iter().map(move |(_, limit)| area.and(limit)));
            let mut next: Vec<AtomBox> = pairs.flatten().collect();
            if next.len() > MAX_COMMON {
                return Err(Stop::OutOfFuel);
            }
            next.sort_unstable();
            next.dedup();
            common = next;
        }
        let Some(left) = self.first_left(&common, self.above(rule), &[])? else { return Ok(None) };
        let witness = self.witness(&left, &Claim { decided: Some(rule), inside: &common, outside: &[] })?;
        let one = &self.checked.rules[rule.index()];
        let title = format!("rule `{}` can be left without a usable hop", one.name);
        let mut found = Diagnostic::new(&R312, one.span, title).witness(witness);
        let point = self.point(&left);
        for (hop, limits) in chain.hops.iter().zip(hops).take(MAX_REASONS) {
            let fits = |(_, area): &&(Limit, AtomBox)| area.holds(|column| point[column.index()]);
            if let Some((limit, _)) = limits.limits.iter().find(fits) {
                found = found.note(format!("{} {}", model(self.checked, hop), limit.why(self.checked)));
            }
        }
        let found = match chain.degrade.is_empty() {
            true => found.here("such a request ends in an error"),
            false => found.here("such a request is degraded at once").level(Level::Warning),
        };
        Ok(Some(found.help("add a hop that can serve it, or a rule above that takes it")))
    }

    /// R310: high stakes end with a person or a refusal.
    fn no_person(&mut self, rule: RuleId) -> Result<Option<Diagnostic>, Stop> {
        use super::super::checked::Outcome;
        let checked = self.checked;
        let one = &checked.rules[rule.index()];
        let Outcome::Chain(chain) = &one.outcome else { return Ok(None) };
        if matches!(chain.degrade.first(), Some(Degrade::Queue { .. })) {
            return Ok(None);
        }
        let Some(high) = self.high_stakes() else { return Ok(None) };
        let Some(left) = self.reached(rule, &high, &[])? else { return Ok(None) };
        let witness =
            self.witness(&left, &Claim { decided: Some(rule), inside: std::slice::from_ref(&high), outside: &[] })?;
        let end = match chain.degrade.first() {
            None => "in an error".to_owned(),
            Some(Degrade::Template(id)) => format!("with template `{}`", checked.templates[id.index()].name),
            Some(Degrade::Cached { .. }) => "with a cached answer".to_owned(),
            Some(Degrade::Error { status, .. }) => format!("with error {status}"),
            Some(Degrade::Queue { name, .. }) => format!("in queue `{name}`"),
        };
        let title = format!("a request of high stakes can end without a person in rule `{}`", one.name);
        let found = Diagnostic::new(&R310, one.span, title).here(format!("ends {end} when no hop delivers"));
        Ok(Some(
            found.witness(witness).help("make `degrade queue NAME` the first degrade step, or `reject` such requests"),
        ))
    }

    /// R314: high stakes never drop a tier.
    fn downgrade(&mut self, rule: RuleId, chain: &Chain, hops: &[Rc<HopLimits>]) -> Result<Option<Diagnostic>, Stop> {
        let Some(high) = self.high_stakes() else { return Ok(None) };
        for (hop, limits) in chain.hops.iter().zip(hops) {
            if hop.claim != HopClaim::Fallback(Intent::Lower) {
                continue;
            }
            let Some(left) = self.reached(rule, &high, &limits.areas())? else { continue };
            let witness =
                self.witness(&left, &Claim { decided: Some(rule), inside: std::slice::from_ref(&high), outside: &[] })?;
            let one = &self.checked.rules[rule.index()];
            let title = format!("a request of high stakes can reach a lower tier in rule `{}`", one.name);
            let found = Diagnostic::new(&R314, hop.span, title).here(format!("{} is lower", model(self.checked, hop)));
            let found = found.label(one.span, "this rule takes requests of high stakes").witness(witness);
            return Ok(Some(found.help("drop this hop, or add `stakes is not high` to the condition")));
        }
        Ok(None)
    }

    pub(super) fn high_stakes(&self) -> Option<AtomBox> {
        let (column, values) = limits::high_stakes(self.checked)?;
        AtomBox::only(&self.space, column, self.space.set(column, &values))
    }
}

fn judge(limit: &Limit, first: bool) -> (&'static Code, Level) {
    match limit {
        Limit::Prompt { .. } => (&R311, Level::Warning),
        Limit::Residency(_) => (&R803, Level::Error),
        Limit::Tenants(_) => (&R805, Level::Error),
        _ if first => (&R209, Level::Error),
        _ => (&R209, Level::Warning),
    }
}

pub(super) fn model(checked: &Checked, hop: &Hop) -> String {
    match hop.target {
        Target::Snapshot(id) => checked.snapshots[id.index()].model.to_string(),
        Target::Requested => "the requested model".to_owned(),
    }
}
