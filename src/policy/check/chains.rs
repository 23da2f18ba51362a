//! Whether a chain is what it says it is (codes R301, R303 to R306, R308, R309, R313 and R315). What depends on how a chain is
//! written is judged where it is resolved; what depends on requests is proven.
//!
//! In: a [`Checked`], the text for places inside a statement. Out: findings. Must not know: requests.

use super::super::ast::Intent;
use super::super::checked::{
    Chain, Checked, Claim, Cond, Domain, Endpoint, Hop, Origin, Outcome, Promise, Rule, SnapshotId, Stakes, Subject,
    Target, TierId, Values,
};
use super::super::diagnostic::{Diagnostic, Level, R301, R303, R304, R305, R306, R308, R309, R313, R315};
use super::super::eligible;
use super::super::source::{Sources, Span};
use crate::units::Millis;

/// A first content event later than this is slow for a person who waits (R315).
const SLOW_FIRST_TOKEN: Millis = Millis::secs(15);

/// All findings about chains.
pub fn check(checked: &Checked, sources: &Sources, shares_fate: &[Vec<String>], findings: &mut Vec<Diagnostic>) {
    let desk = Desk { checked, sources, shares_fate };
    let from = findings.len();
    for rule in &checked.rules {
        let Outcome::Chain(chain) = &rule.outcome else { continue };
        findings.extend(desk.repeated(chain));
        findings.extend(desk.claims(chain));
        findings.extend(desk.order(chain));
        findings.extend(desk.shared_fate(chain));
        findings.extend(desk.one_provider(rule, chain));
        findings.extend(desk.no_degraded_path(rule, chain));
        findings.extend(desk.never_tried(chain));
        findings.extend(desk.slow(rule, chain));
    }
    // A ladder's line is judged for each rule that uses it; a finding that is the same for all is one.
    let mut seen: Vec<Diagnostic> = Vec::new();
    for finding in findings.drain(from..) {
        if !seen
            .iter()
            .any(|known| known.span == finding.span && known.code == finding.code && known.message == finding.message)
        {
            seen.push(finding);
        }
    }
    findings.append(&mut seen);
}

struct Desk<'a> {
    checked: &'a Checked,
    sources: &'a Sources,
    shares_fate: &'a [Vec<String>],
}

impl Desk<'_> {
    fn model(&self, id: SnapshotId) -> String {
        self.checked.snapshots[id.index()].model.to_string()
    }

    fn provider(&self, hop: &Hop) -> Option<&str> {
        match hop.target {
            Target::Snapshot(id) => Some(&self.checked.snapshots[id.index()].model.provider),
            Target::Requested => None,
        }
    }

    fn tier_name(&self, id: TierId) -> &str {
        &self.checked.tiers[id.index()].name
    }

    /// The model inside a hop's statement; for an expansion, the statement.
    fn place(&self, hop: &Hop) -> Span {
        match (hop.target, hop.origin) {
            (Target::Snapshot(id), Origin::Written) => self.inside(hop.span, &self.model(id)),
            _ => hop.span,
        }
    }

    /// Where `part` stands in a statement; the whole statement if it does not.
    fn inside(&self, span: Span, part: &str) -> Span {
        match self.sources.text(span).find(part) {
            Some(at) => {
                let lo = span.lo + at as u32;
                Span { lo, hi: lo + part.len() as u32, ..span }
            }
            None => span,
        }
    }

    /// R301
    fn repeated(&self, chain: &Chain) -> Option<Diagnostic> {
        for (at, hop) in chain.hops.iter().enumerate() {
            let Target::Snapshot(id) = hop.target else { continue };
            let Some(first) = chain.hops[..at].iter().find(|earlier| earlier.target == hop.target) else { continue };
            let title = format!("{} is in this chain twice", self.model(id));
            let help = match hop.origin {
                Origin::Written => "delete one of the two hops".to_owned(),
                Origin::Tier(tier) => {
                    format!("name the other members of `{}` one by one, or delete the hop", self.tier_name(tier))
                }
            };
            let finding = Diagnostic::new(&R301, self.place(hop), title).here("tried again, to fail the same way");
            return Some(finding.label(self.place(first), "tried here").help(help));
        }
        None
    }

    /// R304 and R305: each written `peer`, `lower` and `higher` is true.
    fn claims(&self, chain: &Chain) -> Vec<Diagnostic> {
        let mut findings = Vec::new();
        let mut said: Vec<Span> = Vec::new();
        for hop in &chain.hops {
            let Claim::Fallback(claim) = hop.claim else { continue };
            if said.contains(&hop.span) {
                continue;
            }
            if let Some(finding) = self.claim(chain, hop, claim) {
                said.push(hop.span);
                findings.push(finding);
            }
        }
        findings
    }

    fn claim(&self, chain: &Chain, hop: &Hop, claim: Intent) -> Option<Diagnostic> {
        let Target::Snapshot(id) = hop.target else { return None };
        let promised = match chain.promise {
            Promise::Tier(tier) => tier,
            Promise::AsRequested => return self.claim_for_none(hop, claim, id),
            Promise::Nothing => return None,
        };
        let inside = match hop.origin {
            Origin::Tier(tier) => tier == promised,
            Origin::Written => self.checked.tiers[promised.index()].has(id),
        };
        let own = match hop.origin {
            Origin::Tier(tier) => Some(tier),
            Origin::Written => self.checked.home(id),
        };
        let outside = |tier: TierId| self.checked.tiers[tier.index()].specialized;
        let truth = match own {
            _ if inside => Some(Intent::Peer),
            Some(tier) if !outside(tier) && !outside(promised) => {
                Some(if tier > promised { Intent::Lower } else { Intent::Higher })
            }
            _ => None,
        };
        if truth == Some(claim) {
            return None;
        }
        // Without an intent the statement is R319 already, and the word behind the claim is a guess.
        let word = self.inside(hop.span, claim.word());
        if word == hop.span {
            return None;
        }
        Some(self.wrong_claim(hop, claim, word, truth, own, promised))
    }

    fn wrong_claim(
        &self,
        hop: &Hop,
        claim: Intent,
        word: Span,
        truth: Option<Intent>,
        own: Option<TierId>,
        promised: TierId,
    ) -> Diagnostic {
        let code = if claim == Intent::Peer { &R304 } else { &R305 };
        let target = match (hop.origin, hop.target) {
            (Origin::Written, Target::Snapshot(id)) => self.model(id),
            (Origin::Tier(tier), _) => format!("tier {}", self.tier_name(tier)),
            (Origin::Written, Target::Requested) => "requested".into(),
        };
        let promise = self.tier_name(promised);
        let title = match claim {
            Intent::Peer => format!("`fallback peer` leaves tier `{promise}`"),
            Intent::Lower => format!("`fallback lower` does not go below tier `{promise}`"),
            Intent::Higher => format!("`fallback higher` does not go above tier `{promise}`"),
        };
        let finding = Diagnostic::new(code, word, title);
        let Some(own) = own else {
            let here = format!("{target} is in no tier");
            return finding.here(here).help(format!("add `{target}` to a tier, or name a member of one"));
        };
        let finding = finding
            .here(match (hop.origin, truth) {
                (Origin::Tier(_), Some(Intent::Peer)) => format!("`{promise}` itself"),
                (Origin::Tier(_), Some(truth)) => {
                    format!("`{}` is {} than `{promise}`", self.tier_name(own), truth.word())
                }
                _ => format!("{target} is in tier `{}`", self.tier_name(own)),
            })
            .label(self.checked.tiers[promised.index()].span, "the promised tier");
        match truth {
            Some(truth) => {
                let text = format!("fallback {} {target}", truth.word());
                finding.help(format!("write `{text}`")).fix(
                    true,
                    format!("write `{}`", truth.word()),
                    word,
                    truth.word(),
                )
            }
            None => {
                let outer = if self.checked.tiers[own.index()].specialized { own } else { promised };
                let note = format!("tier `{}` is specialized and stands outside the order", self.tier_name(outer));
                finding.note(note).help(format!("name another member of `{promise}`, or delete the hop"))
            }
        }
    }

    /// Clarification 10: under `tier as requested` a claim is wrong when it is true for no tier a request can ask for.
    fn claim_for_none(&self, hop: &Hop, claim: Intent, id: SnapshotId) -> Option<Diagnostic> {
        let own = match hop.origin {
            Origin::Tier(tier) => Some(tier),
            Origin::Written => self.checked.snapshots[id.index()].tier,
        };
        let ordered =
            || (0u16..).zip(&self.checked.tiers).filter(|(_, tier)| !tier.specialized).map(|(at, _)| TierId(at));
        let holds = own.is_some_and(|own| {
            !self.checked.tiers[own.index()].specialized
                && ordered().any(|asked| match claim {
                    Intent::Peer => asked == own,
                    Intent::Lower => own > asked,
                    Intent::Higher => own < asked,
                })
        });
        if holds || claim == Intent::Peer {
            return None;
        }
        let word = self.inside(hop.span, claim.word());
        let title = format!("`fallback {}` is true for no tier a request can ask for", claim.word());
        Some(Diagnostic::new(&R305, word, title).help("name a snapshot of another tier, or delete the hop"))
    }

    /// R306: after a lower tier, or in front of the first choice, a peer is a surprise.
    fn order(&self, chain: &Chain) -> Vec<Diagnostic> {
        let mut findings: Vec<Diagnostic> = Vec::new();
        for (at, hop) in chain.hops.iter().enumerate() {
            let earlier = &chain.hops[..at];
            let finding = match hop.claim {
                Claim::Fallback(Intent::Peer) => {
                    let Some(lower) = earlier.iter().find(|one| one.claim == Claim::Fallback(Intent::Lower)) else {
                        continue;
                    };
                    let title = "`fallback peer` stands behind `fallback lower`";
                    Diagnostic::new(&R306, hop.span, title)
                        .here("the better hop is tried later")
                        .label(lower.span, "the lower tier is tried here")
                        .help("move the `peer` line above the `lower` line")
                }
                Claim::Promised if hop.origin == Origin::Written => {
                    let Some(first) = earlier.iter().find(|one| one.claim != Claim::Promised) else { continue };
                    Diagnostic::new(&R306, hop.span, "`snapshot` is the first choice and stands behind a fallback")
                        .label(first.span, "tried before it")
                        .help("move the `snapshot` line to the top of the chain")
                }
                _ => continue,
            };
            if !findings.iter().any(|known| known.span == finding.span) {
                findings.push(finding);
            }
        }
        findings
    }

    /// R303
    fn shared_fate(&self, chain: &Chain) -> Vec<Diagnostic> {
        let mut findings = Vec::new();
        for (at, hop) in chain.hops.iter().enumerate() {
            if hop.claim != Claim::Fallback(Intent::Peer) || hop.origin != Origin::Written {
                continue;
            }
            let Some(provider) = self.provider(hop) else { continue };
            if chain.hops[..at].iter().any(|earlier| earlier.target == hop.target) {
                continue; // R301 says it.
            }
            let with = |one: &&Hop| self.provider(one).is_some_and(|other| self.fails_with(provider, other));
            let Some(earlier) = chain.hops[..at].iter().find(with) else { continue };
            let other = self.provider(earlier).unwrap_or_default();
            let title = if provider == other {
                format!("`fallback peer` stays with provider `{provider}`")
            } else {
                format!("`fallback peer` goes to `{provider}`, which shares its fate with `{other}`")
            };
            let finding = Diagnostic::new(&R303, self.place(hop), title)
                .here(format!("when `{other}` is down, so is this hop"))
                .label(self.place(earlier), format!("provider `{other}`"))
                .help("name a member of the tier from another provider");
            findings.push(finding);
        }
        findings
    }

    fn fails_with(&self, one: &str, other: &str) -> bool {
        let in_group = |group: &Vec<String>, name: &str| group.iter().any(|member| member == name);
        one == other || self.shares_fate.iter().any(|group| in_group(group, one) && in_group(group, other))
    }

    /// R308
    fn one_provider(&self, rule: &Rule, chain: &Chain) -> Option<Diagnostic> {
        let first = self.provider(chain.hops.first()?)?;
        if !chain.hops.iter().all(|hop| self.provider(hop) == Some(first)) || self.only_low_stakes(&rule.when) {
            return None;
        }
        let title = format!("every hop of `{}` is provider `{first}`", rule.name);
        let note = "one outage takes every hop, and the stakes are not low".to_owned();
        let finding = Diagnostic::new(&R308, self.start(chain).unwrap_or(rule.span), title).note(note);
        Some(finding.help("add `fallback peer` with a snapshot of another provider"))
    }

    /// Whether a condition lets only features of low stakes through, as far as a look at the condition alone can tell.
    fn only_low_stakes(&self, when: &Cond) -> bool {
        let low = |subject: Subject| {
            let at = self.checked.columns.iter().position(|column| column.subject == subject)?;
            let Domain::Enum { values, .. } = &self.checked.columns[at].domain else { return None };
            let allowed = allowed(when, at, values.len() as u32)?;
            Some(allowed.into_iter().all(|value| match subject {
                Subject::Stakes => value == Stakes::Low as u32,
                _ => value > 0 && self.checked.features[value as usize - 1].stakes == Stakes::Low,
            }))
        };
        low(Subject::Stakes) == Some(true) || low(Subject::Feature) == Some(true)
    }

    /// R309
    fn no_degraded_path(&self, rule: &Rule, chain: &Chain) -> Option<Diagnostic> {
        if chain.hops.is_empty() || !chain.degrade.is_empty() {
            return None;
        }
        let title = format!("`{}` has nothing to say when every hop fails", rule.name);
        let help = "add `degrade template NAME`, or `degrade error 503 \"..\"`";
        Some(Diagnostic::new(&R309, rule.span, title).here("ends as a bare 503").help(help))
    }

    /// R313, as far as it hangs on no request: a hop that serves none of the policy's endpoints.
    fn never_tried(&self, chain: &Chain) -> Vec<Diagnostic> {
        let mut findings: Vec<Diagnostic> = Vec::new();
        for hop in &chain.hops {
            let Target::Snapshot(id) = hop.target else { continue };
            let entry = self.checked.snapshots[id.index()].facts.as_deref();
            if self.checked.endpoints.iter().any(|endpoint| eligible::serves(entry, *endpoint)) {
                continue;
            }
            let words: Vec<&str> = self.checked.endpoints.iter().map(|endpoint| Endpoint::word(*endpoint)).collect();
            let title = format!("{} is never tried: it serves no endpoint of this policy", self.model(id));
            let mut finding = Diagnostic::new(&R313, self.place(hop), title)
                .note(format!("the policy serves {}", words.join(", ")))
                .help("delete the hop, or add its endpoint to `endpoints` in the policy header");
            if hop.origin != Origin::Written {
                finding = finding.level(Level::Info);
            }
            if !findings.iter().any(|known| known.message == finding.message) {
                findings.push(finding);
            }
        }
        findings
    }

    /// R315
    fn slow(&self, rule: &Rule, chain: &Chain) -> Vec<Diagnostic> {
        let mut findings: Vec<Diagnostic> = Vec::new();
        if self.never_streams(&rule.when) {
            return findings;
        }
        for hop in chain.hops.iter().filter(|hop| hop.options.first_token > SLOW_FIRST_TOKEN) {
            if findings.iter().any(|known| known.span == hop.span) {
                continue;
            }
            let title = format!("a stream can wait {} for its first word here", hop.options.first_token);
            let finding = Diagnostic::new(&R315, hop.span, title)
                .note(format!("above {SLOW_FIRST_TOKEN} people leave before the next hop is tried"))
                .help(format!("write `first_token {SLOW_FIRST_TOKEN}` or less"));
            findings.push(finding);
        }
        findings
    }

    fn never_streams(&self, when: &Cond) -> bool {
        let column = |subject: Subject| self.checked.columns.iter().position(|column| column.subject == subject);
        let none_of = |at: Option<usize>, count: u32, value: u32| {
            at.and_then(|at| allowed(when, at, count)).is_some_and(|allowed| !allowed.contains(&value))
        };
        // Yes is 1 in what `allowed` says about a boolean.
        if none_of(column(Subject::Streaming), 2, 1) {
            return true;
        }
        let endpoints = &self.checked.endpoints;
        column(Subject::Endpoint).and_then(|at| allowed(when, at, endpoints.len() as u32)).is_some_and(|allowed| {
            allowed.iter().all(|value| endpoints.get(*value as usize) == Some(&Endpoint::Embeddings))
        })
    }

    /// Where a chain begins.
    fn start(&self, chain: &Chain) -> Option<Span> {
        chain.hops.first().map(|hop| hop.span)
    }
}

/// The values of one column that a condition can let through, never too few; `None` when the condition says nothing about it.
/// A boolean has the values 0 and 1.
fn allowed(cond: &Cond, at: usize, count: u32) -> Option<Vec<u32>> {
    match cond {
        Cond::True => None,
        Cond::All(parts) => {
            let known: Vec<Vec<u32>> = parts.iter().filter_map(|part| allowed(part, at, count)).collect();
            let (first, rest) = known.split_first()?;
            Some(first.iter().copied().filter(|value| rest.iter().all(|set| set.contains(value))).collect())
        }
        Cond::Any(parts) => {
            let known: Option<Vec<Vec<u32>>> = parts.iter().map(|part| allowed(part, at, count)).collect();
            let mut all: Vec<u32> = known?.into_iter().flatten().collect();
            all.sort_unstable();
            all.dedup();
            Some(all)
        }
        Cond::Not(part) => match &**part {
            Cond::Test { column, values, .. } if column.index() == at => {
                let named = named(values)?;
                Some((0..count).filter(|value| !named.contains(value)).collect())
            }
            _ => None,
        },
        Cond::Test { column, values, .. } if column.index() == at => named(values),
        Cond::Test { .. } => None,
    }
}

fn named(values: &Values) -> Option<Vec<u32>> {
    match values {
        Values::Enum(values) => Some(values.clone()),
        Values::Bool(yes) => Some(vec![u32::from(*yes)]),
        Values::Ranges(_) | Values::Text(_) => None,
    }
}
