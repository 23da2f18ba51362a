//! Guarantees, proven for every possible request (section 6.8): R801, R802, R804.
//!
//! In: guarantees and everything the requests of each rule can reach. Out: findings, each with a request. Must not know: how
//! reaches come about, what a bound is made of.

use super::super::boxes::AtomBox;
use super::super::checked::{Chain, Degrade, Ending, Guarantee, Held, Outcome, RuleId};
use super::super::diagnostic::{Code, Diagnostic, Label, Level, R330, R801, R802, R804};
use super::super::forbidden::forbids;
use super::super::source::{Span, Spanned};
use super::calls::{Called, Via};
use super::find::Found;
use super::witness::Claim;
use super::{Proof, Stop, both, bounded};

/// Most boxes that the common area of several hops may have on the way: beyond, the analysis says that it gave up.
const MAX_COMMON: usize = 4096;

/// Most ways in which one rule breaks one clause that are told apart; the rest is counted.
const MAX_BREAKS: usize = 3;

/// A way in which requests of a rule break a clause.
pub(super) struct Break {
    /// The hop, the step or the rule that breaks it.
    pub span: Span,
    /// In words, behind the place.
    pub here: String,
    /// Only for requests in one of these.
    pub among: Vec<AtomBox>,
    /// Not for requests in one of these.
    pub except: Vec<AtomBox>,
    /// How bad.
    pub level: Level,
    /// Only because two legs of a hedge are paid for.
    pub hedged: bool,
}

impl Break {
    fn always(span: Span, here: impl Into<String>) -> Self {
        Self {
            span,
            here: here.into(),
            among: vec![AtomBox::everything()],
            except: Vec::new(),
            level: Level::Error,
            hedged: false,
        }
    }

    pub(super) fn by(called: &Called<'_>, here: impl Into<String>) -> Self {
        Self {
            span: called.call.span,
            here: here.into(),
            among: called.among.clone(),
            except: called.dropped.clone(),
            level: Level::Error,
            hedged: false,
        }
    }
}

impl Proof<'_> {
    /// Every guarantee of the policy.
    pub(super) fn guarantees(&mut self, findings: &mut Vec<Diagnostic>) -> Result<(), Stop> {
        let checked = self.checked;
        for guarantee in &checked.moving.guarantees {
            self.guarantee(guarantee, findings)?;
        }
        Ok(())
    }

    /// One guarantee, or the clauses of a property.
    pub(super) fn guarantee(&mut self, guarantee: &Guarantee, findings: &mut Vec<Diagnostic>) -> Result<(), Stop> {
        let over = self.boxes_of_clause(guarantee.over.as_ref());
        if !self.any_possible(&over)? {
            findings.push(vacuous(guarantee));
            return Ok(());
        }
        for rule in self.rules() {
            self.at = Some(rule);
            if self.dead.binary_search(&rule).is_ok() {
                continue;
            }
            for clause in &guarantee.clauses {
                findings.extend(self.clause(guarantee, &over, clause, rule)?);
            }
        }
        Ok(())
    }

    fn any_possible(&mut self, areas: &[AtomBox]) -> Result<bool, Stop> {
        for area in areas {
            match self.find(area, self.boxes.invalid.len(), &[])? {
                Found::Witness(_) => return Ok(true),
                _ => continue,
            }
        }
        Ok(false)
    }

    fn clause(
        &mut self,
        guarantee: &Guarantee,
        over: &[AtomBox],
        clause: &Spanned<Held>,
        rule: RuleId,
    ) -> Result<Option<Diagnostic>, Stop> {
        let mut found: Option<Diagnostic> = None;
        let mut told = 0;
        let mut places: Vec<(Span, String)> = Vec::new();
        for one in self.breaks(rule, over, &clause.node)? {
            if places.iter().any(|(span, here)| *span == one.span && *here == one.here) {
                continue;
            }
            let Some((left, inside)) = self.broken(rule, over, &one)? else { continue };
            places.push((one.span, one.here.clone()));
            told += 1;
            match &mut found {
                None => {
                    let claim = Claim { decided: Some(rule), inside: &inside, outside: &one.except };
                    let witness = self.witness(&left, &claim)?;
                    found = Some(self.told(guarantee, clause, rule, &one).witness(witness));
                }
                Some(finding) if told <= MAX_BREAKS => {
                    // The worst of several is what counts.
                    finding.level = finding.level.min(one.level);
                    finding.labels.push(Label { span: one.span, text: one.here });
                }
                Some(_) => {}
            }
        }
        Ok(found.map(|finding| match told - told.min(MAX_BREAKS) {
            0 => finding,
            more => finding.note(format!("and in {more} more ways")),
        }))
    }

    /// A request of the rule that the guarantee speaks of and that breaks it, and all areas such requests are in.
    fn broken(&mut self, rule: RuleId, over: &[AtomBox], one: &Break) -> Result<Option<(AtomBox, Vec<AtomBox>)>, Stop> {
        let inside = both(over, &one.among);
        let left = self.left_in(rule, &inside, &one.except)?;
        Ok(left.map(|left| (left, inside)))
    }

    fn told(&self, guarantee: &Guarantee, clause: &Spanned<Held>, rule: RuleId, one: &Break) -> Diagnostic {
        let rule = &self.checked.rules[rule.index()];
        let code: &'static Code = match clause.node {
            Held::HopsHaveZeroRetention => &R804,
            _ if one.hedged => &R330,
            _ => &R801,
        };
        let title = format!("guarantee `{}` is broken by rule `{}`", guarantee.name, rule.name);
        let mut found = Diagnostic::new(code, one.span, title).here(one.here.clone()).level(one.level);
        found = found.label(clause.span, "this is guaranteed");
        if one.span != rule.span {
            found = found.label(rule.span, "for requests of this rule");
        }
        let scope = guarantee.over.as_ref().map(|over| over.span);
        let help = match scope {
            Some(_) => "change the chain of the rule, or take such requests out of `for`",
            None => "change the chain of the rule, or say with `for` which requests are meant",
        };
        found.help(help)
    }

    /// Every way in which the outcome of a rule can break a clause, whether or not such a request exists.
    fn breaks(&mut self, rule: RuleId, over: &[AtomBox], held: &Held) -> Result<Vec<Break>, Stop> {
        let checked = self.checked;
        let one = &checked.rules[rule.index()];
        // A refusal gives no answer, so there is nothing that it could break.
        let Outcome::Chain(chain) = &one.outcome else { return Ok(Vec::new()) };
        let reaches = self.calls_of(chain);
        Ok(match held {
            Held::EndsIn(endings) => ends(chain, endings, one.span).into_iter().collect(),
            Held::NeverCached => cached(chain, one.span).into_iter().collect(),
            Held::Guarded(guard) => {
                let guarded = chain.extras.guards.iter().any(|own| own.node == *guard);
                let name = &checked.moving.guards[guard.index()].name;
                let open = !guarded && !chain.hops.is_empty();
                open.then(|| Break::always(one.span, format!("runs without guard `{name}`"))).into_iter().collect()
            }
            Held::Providers { at_least } => self.providers(chain, one.span, &reaches, *at_least)?,
            Held::SameFamily => self.families(&reaches),
            Held::WorstCost(most) => {
                let meant = both(&self.areas(rule), over);
                let largest = self.most_prompt(&meant, self.above(rule))?;
                bounded::costs(self, chain, &reaches, *most, largest)
            }
            Held::WorstTime(most) => bounded::times(self, chain, &reaches, *most, one.span),
            Held::HopsInRegion(_)
            | Held::HopsHaveZeroRetention
            | Held::NeverTier(_)
            | Held::NeverSnapshot(_)
            | Held::NeverProvider(_) => {
                let broken = |called: &Called<'_>| Some(Break::by(called, self.forbidden(held, called)?));
                reaches.iter().filter_map(broken).collect()
            }
        })
    }

    /// Why a clause about single hops forbids one.
    fn forbidden(&self, held: &Held, called: &Called<'_>) -> Option<String> {
        let checked = self.checked;
        let why = forbids(checked, held, called.call.snapshot, &called.call.hop.options.regions)?;
        Some(format!("{} {why}", called.call.shown(checked)))
    }

    /// Requests for which fewer providers are left than promised.
    fn providers(
        &mut self,
        chain: &Chain,
        rule: Span,
        reaches: &[Called<'_>],
        at_least: u64,
    ) -> Result<Vec<Break>, Stop> {
        if chain.hops.is_empty() {
            return Ok(Vec::new());
        }
        let checked = self.checked;
        let own = |called: &&Called<'_>| called.call.via == Via::Chain;
        let provider = |called: &Called<'_>| checked.snapshots[called.call.snapshot.index()].model.provider.clone();
        let mut names: Vec<_> = reaches.iter().filter(own).map(provider).collect();
        names.sort_unstable();
        names.dedup();
        let wanted = usize::try_from(at_least).unwrap_or(usize::MAX);
        let list = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        if names.len() < wanted {
            return Ok(vec![Break::always(rule, format!("its hops are {list}"))]);
        }
        // Fewer are left exactly where, of some `n - wanted + 1` providers, no hop can serve.
        let mut found = Vec::new();
        for gone in choose(&names, names.len() - wanted + 1) {
            let theirs: Vec<&Called<'_>> =
                reaches.iter().filter(own).filter(|called| gone.contains(&&provider(called))).collect();
            let mut common = vec![AtomBox::everything()];
            for called in theirs {
                common = self.unreached(&common, called)?;
            }
            let names = gone.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let here = format!("nothing of {names} can serve such a request");
            found.push(Break { among: common, ..Break::always(rule, here) });
        }
        Ok(found)
    }

    /// The parts of some areas that do not come to a call: outside `among`, or dropped.
    fn unreached(&self, areas: &[AtomBox], called: &Called<'_>) -> Result<Vec<AtomBox>, Stop> {
        let mut gaps: Vec<AtomBox> = called.dropped.clone();
        // `among` is everything, or one set of one column: its complement is one box.
        for one in &called.among {
            let inverse = one.sets().iter().filter_map(|(column, set)| {
                AtomBox::only(&self.space, *column, set.complement(self.space.count(*column)))
            });
            gaps.extend(inverse);
        }
        let pairs = areas.iter().flat_map(|area| gaps.iter().filter_map(|gap| area.and(gap)));
        let mut next: Vec<AtomBox> = pairs.collect();
        next.sort_unstable();
        next.dedup();
        if next.len() > MAX_COMMON { Err(Stop::OutOfFuel) } else { Ok(next) }
    }

    /// Hops of another family than the first one.
    fn families(&self, reaches: &[Called<'_>]) -> Vec<Break> {
        let checked = self.checked;
        let family = |called: &Called<'_>| {
            let facts = checked.snapshots[called.call.snapshot.index()].facts.as_deref();
            facts.and_then(|entry| entry.family.clone())
        };
        let own: Vec<&Called<'_>> = reaches.iter().filter(|called| called.call.via != Via::Shadow).collect();
        let mut found = Vec::new();
        for (at, first) in own.iter().enumerate() {
            for other in &own[at + 1..] {
                if family(first).is_some() && family(first) == family(other) {
                    continue;
                }
                let name =
                    |called: &Called<'_>| family(called).map_or("no known family".into(), |name| name.to_string());
                let here = format!(
                    "{} is of {}, and {} stands before it",
                    other.call.shown(checked),
                    name(other),
                    name(first)
                );
                let pairs = first.among.iter().flat_map(|a| other.among.iter().filter_map(move |b| a.and(b)));
                let except = first.dropped.iter().chain(&other.dropped).cloned().collect();
                found.push(Break { among: pairs.collect(), except, ..Break::always(other.call.span, here) });
            }
        }
        found
    }
}

/// How a chain that delivered nothing ends, where that is not promised.
fn ends(chain: &Chain, endings: &[Ending], rule: Span) -> Option<Break> {
    for step in &chain.degrade {
        let (ending, shown) = match step {
            Degrade::Template(_) => (Some(Ending::Template), "a template"),
            Degrade::Cached { .. } => (Some(Ending::Cached), "a cached answer"),
            Degrade::Queue { .. } => (Some(Ending::Queue), "a queue"),
            Degrade::Error { .. } => (None, "an error"),
        };
        if !ending.is_some_and(|one| endings.contains(&one)) {
            return Some(Break::always(rule, format!("can end in {shown}")));
        }
        // A cache may hold nothing; then the next step is the end.
        if ending != Some(Ending::Cached) {
            return None;
        }
    }
    Some(Break::always(rule, "can end in a bare 503"))
}

fn cached(chain: &Chain, rule: Span) -> Option<Break> {
    if let Some(cache) = &chain.extras.cache {
        return Some(Break::always(cache.span, "answers are kept and given again"));
    }
    let kept = chain.degrade.iter().any(|step| matches!(step, Degrade::Cached { .. }));
    kept.then(|| Break::always(rule, "can end in a cached answer"))
}

/// R802.
fn vacuous(guarantee: &Guarantee) -> Diagnostic {
    let place = guarantee.over.as_ref().map_or(guarantee.span, |over| over.span);
    let title = format!("guarantee `{}` is about no possible request", guarantee.name);
    let found = Diagnostic::new(&R802, place, title).here("holds for nothing");
    found.help("delete the guarantee, or write the `for` that was meant")
}

/// Every choice of `count` out of a few names.
fn choose<T>(names: &[T], count: usize) -> Vec<Vec<&T>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (at, first) in names.iter().enumerate() {
        for mut rest in choose(&names[at + 1..], count - 1) {
            rest.insert(0, first);
            all.push(rest);
        }
    }
    all
}
