//! The books of one request: what it used, what that cost, one record of everything: step 14 of section 5.2.
//!
//! In: facts, decision, attempts, the answer's own words. Out: a [`Record`] for telemetry. Must not know: sockets.

use std::borrow::Cow;
use std::ops::Add;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::HeaderName;
use pingora::protocols::http::ServerSession;
use smallvec::SmallVec;

use super::app::Ended;
use super::ask::{Admitted, Told};
use super::attempt::Spent;
use super::degrade;
use super::judge::Watch;
use super::reply::{self, Headers, Problem};
use super::request_id::RequestId;
use super::sidecar::{InForce, Sidecar};
use super::walk::{Bill, Walk};
use crate::catalog::price::Terms;
use crate::chain;
use crate::policy::checked::{AttributeDomain, AttributeValue, Checked, TierId};
use crate::policy::facts::{Facts, ModalitySet, Priority};
use crate::policy::plan::{Action, Plan, PlannedHop};
use crate::policy::readings::Readings;
use crate::telemetry::{AttemptRecord, Facts as FactsRecord, HopRecord, Outcome, Record, Telemetry};
use crate::units::{Millis, Usd};
use crate::usage::Usage;

const RULE: HeaderName = HeaderName::from_static("x-wayside-rule");
const TIER: HeaderName = HeaderName::from_static("x-wayside-tier");
/// Bytes of a token, where the provider sent no usage and nobody counted; the usual figure for English prose.
const BYTES_PER_TOKEN: u64 = 4;

/// The open books of one request.
pub struct Settlement<'a> {
    sidecar: &'a Sidecar,
    /// What it is served under.
    pub now: &'a Arc<InForce>,
    request_id: RequestId,
    opened: Instant,
    opened_at: jiff::Timestamp,
    decided: Option<Decided>,
}

/// A request with everything that was found out about it.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// What the caller sent.
    pub told: &'a Told,
    /// What was made of it.
    pub admitted: &'a Admitted,
    /// Least and most that the prompt can be; equal when it was counted.
    pub prompt_tokens: (u64, u64),
}

struct Decided {
    rule: crate::policy::checked::RuleId,
    tier: Option<TierId>,
    readings: Readings,
}

/// How the answer ended.
pub struct Ending {
    /// For the record.
    pub outcome: Outcome,
    /// What the caller got; 0 for nothing.
    pub status: u16,
    /// Why, if it did not go well.
    pub reason: Option<&'static str>,
    /// Of the answer.
    pub bytes: u64,
    /// What the answer said about itself.
    pub watch: Option<Watch>,
    /// Who answered.
    pub hop: Option<PlannedHop>,
    /// From admission.
    pub first_token: Option<Millis>,
    /// Which step stood in.
    pub degraded: Option<String>,
    /// The ticket that the caller was given.
    pub ticket: Option<String>,
    /// What the cache had; a miss is known without it.
    pub cache: Option<CacheUse>,
    /// Whether the connection can go on.
    pub ended: Ended,
}

/// What a cache did for a request.
#[derive(Clone, Copy, Debug)]
pub struct CacheUse {
    /// `hit`, `miss` or `stale`.
    pub result: &'static str,
    /// Of the answer it had.
    pub age: Option<Millis>,
}

impl Ending {
    /// Nothing is known yet but what became of the connection.
    pub fn of(ended: Ended) -> Self {
        let outcome = if ended == Ended::Whole { Outcome::Failed } else { Outcome::ClientGone };
        Self {
            outcome,
            status: 0,
            reason: None,
            bytes: 0,
            watch: None,
            hop: None,
            first_token: None,
            degraded: None,
            ticket: None,
            cache: None,
            ended,
        }
    }

    /// The caller left before an answer began.
    pub fn client_gone() -> Self {
        Self::of(Ended::Broken)
    }
}

impl<'a> Settlement<'a> {
    /// For a request that begins now.
    pub fn open(sidecar: &'a Sidecar, now: &'a Arc<InForce>) -> Self {
        Self {
            sidecar,
            now,
            request_id: RequestId::new(),
            opened: Instant::now(),
            opened_at: jiff::Timestamp::now(),
            decided: None,
        }
    }

    /// As the caller sees it, to be kept.
    pub const fn id(&self) -> RequestId {
        self.request_id
    }

    /// As the caller sees it.
    pub fn request_id(&self) -> &str {
        self.request_id.as_str()
    }

    /// When it was admitted.
    pub const fn opened_at(&self) -> jiff::Timestamp {
        self.opened_at
    }

    /// Counters.
    pub fn telemetry(&self) -> &Telemetry {
        &self.sidecar.telemetry
    }

    /// The rule that decided.
    pub fn rule(&self) -> Option<&str> {
        let checked = self.now.policy.checked();
        self.decided.as_ref().map(|decided| &*checked.rules[decided.rule.index()].name)
    }

    /// What is known about a request, in words.
    pub fn words<R>(&self, asked: &Asked<'_>, tell: impl FnOnce(&FactsRecord<'_>) -> R) -> R {
        let words = Words::of(self.now.policy.checked(), asked);
        tell(&words.facts(asked, &words.attributes()))
    }

    /// Remembers the decision.
    pub fn decided(&mut self, plan: &Plan, readings: Readings) {
        let tier = match &plan.action {
            Action::Run(_) => plan.tier,
            Action::Reject { .. } => None,
        };
        self.decided = Some(Decided { rule: plan.rule, tier, readings });
    }

    /// The request's name, and the rule and tier if there are any yet. `answered` is the tier of the hop that answered.
    pub fn headers(&self, answered: Option<TierId>) -> Headers {
        let mut headers = Headers::new();
        headers.extend(reply::naming(self.request_id));
        let Some(decided) = self.decided.as_ref().filter(|_| self.now.config.answer_headers) else { return headers };
        headers.extend(self.now.rule_name(decided.rule).map(|name| (RULE, name)));
        let tier = answered.or(decided.tier).and_then(|tier| self.now.tier_name(tier));
        headers.extend(tier.map(|name| (TIER, name)));
        headers
    }

    /// Refused before any rule.
    pub async fn refuse(self, session: &mut ServerSession, problem: &Problem) -> Ended {
        let ended = reply::problem_with(session, problem, self.headers(None)).await;
        self.record_bare(Outcome::Refused, problem.error.status, Some(problem.reason()), FactsRecord::default());
        ended
    }

    /// The caller left before it was admitted.
    pub fn client_gone_early(self) -> Ended {
        self.record_bare(Outcome::ClientGone, 0, None, FactsRecord::default());
        Ended::Broken
    }

    /// A rule said no.
    pub async fn reject(self, session: &mut ServerSession, asked: &Asked<'_>, status: u16, message: String) -> Ended {
        let ended = degrade::reject(session, &self, status, message).await;
        let words = Words::of(self.now.policy.checked(), asked);
        self.record_bare(
            Outcome::Rejected,
            status,
            Some("rejected_by_policy"),
            words.facts(asked, &words.attributes()),
        );
        ended
    }

    fn record_bare(&self, outcome: Outcome, status: u16, reason: Option<&str>, request: FactsRecord<'_>) {
        let checked = self.now.policy.checked();
        let bare = Record::bare(
            (self.opened_at, self.request_id()),
            (outcome, status),
            request,
            (&checked.name, self.now.policy.hash()),
        );
        self.sidecar.telemetry.record(&Record {
            reason,
            readings: self.decided.as_ref().map(|decided| decided.readings.named(checked)),
            timezone: checked.timezone.iana_name(),
            rule: self.rule(),
            total_ms: Millis(self.opened.elapsed().as_millis() as u64),
            ..bare
        });
    }

    /// What prices depend on besides tokens. A request is billed at its end, which is so long after its beginning.
    fn terms(&self, facts: &Facts, after: Duration) -> Terms {
        let end = self.opened_at.checked_add(after).unwrap_or(self.opened_at);
        let at = jiff::tz::TimeZone::UTC.to_datetime(end);
        let minute = at.hour() as u16 * 60 + at.minute() as u16;
        Terms { day: at.date(), minute, batch: facts.priority == Priority::Batch }
    }

    /// Closes the books.
    pub fn settle(self, asked: &Asked<'_>, walk: &mut Walk<'_>, ending: Ending) -> Ended {
        ending.watch.iter().for_each(|watch| walk.paid(watch));
        let checked = self.now.policy.checked();
        let name = |snapshot: crate::policy::checked::SnapshotId| self.now.snapshot_text(snapshot);
        let tier_name = |tier: Option<TierId>| tier.map(|tier| &*checked.tiers[tier.index()].name);
        let run = walk.chain.run();
        let chain: SmallVec<[HopRecord<'_>; 4]> = run
            .hops
            .iter()
            .map(|hop| HopRecord { hop: hop.position, snapshot: name(hop.snapshot), tier: tier_name(hop.tier) })
            .collect();
        let dropped: SmallVec<[_; 4]> =
            run.dropped.iter().map(|one| (one.snapshot.map_or("requested", name), one.reason)).collect();
        let elapsed = walk.elapsed();
        let after = walk.admitted.saturating_duration_since(self.opened) + elapsed.duration();
        let bills = Bills { now: self.now, asked, terms: self.terms(&asked.admitted.facts, after) };
        let rows = walk.chain.record().attempts.iter().zip(&walk.bills);
        let attempts: SmallVec<[AttemptRecord<'_>; 4]> =
            rows.map(|(attempt, bill)| bills.row(attempt, name(attempt.snapshot), bill, elapsed)).collect();
        let words = Words::of(checked, asked);
        let attributes = words.attributes();
        let decided = self.decided.as_ref();
        let watch = ending.watch.as_ref();
        let cache = ending.cache.or(walk.keeps.map(|_| CacheUse { result: "miss", age: None }));
        self.sidecar.telemetry.record(&Record {
            time: self.opened_at,
            request_id: self.request_id(),
            outcome: ending.outcome,
            status: ending.status,
            reason: ending.reason,
            request: words.facts(asked, &attributes),
            readings: decided.map(|decided| decided.readings.named(checked)),
            policy: &checked.name,
            policy_hash: self.now.policy.hash(),
            timezone: checked.timezone.iana_name(),
            rule: self.rule(),
            tier: tier_name(decided.and_then(|decided| decided.tier)),
            chain: &chain,
            dropped: &dropped,
            attempts: &attempts,
            snapshot: ending.hop.as_ref().map(|hop| name(hop.snapshot)),
            hop: ending.hop.as_ref().map(|hop| hop.position),
            served_model: watch.and_then(Watch::model),
            drift: watch.is_some_and(Watch::drifted),
            degraded: ending.degraded.as_deref(),
            ticket: ending.ticket.as_deref(),
            cache: cache.map(|cache| cache.result),
            cache_age_ms: cache.and_then(|cache| cache.age),
            usage: attempts.iter().filter_map(|one| one.usage).fold(Usage::default(), Usage::add),
            cost_usd: sum(&attempts),
            first_token_ms: ending.first_token,
            total_ms: elapsed,
            request_bytes: asked.told.body.len() as u64,
            answer_bytes: ending.bytes,
        });
        ending.ended
    }
}

/// What attempts used, and what that costs.
struct Bills<'a> {
    now: &'a InForce,
    asked: &'a Asked<'a>,
    terms: Terms,
}

impl Bills<'_> {
    fn row<'r>(&self, attempt: &chain::Attempt, snapshot: &'r str, bill: &Bill, elapsed: Millis) -> AttemptRecord<'r> {
        // What the provider counted, else our estimate of what was read and written.
        let usage = match bill.spent {
            Spent::Nothing => None,
            Spent::Counted(usage) => Some(usage),
            Spent::Begun(content) => Some(Usage::estimate(estimated(self.asked.prompt_tokens), content)),
        };
        let entry = self.now.policy.checked().snapshots[attempt.snapshot.index()].facts.as_ref();
        let cost = usage.and_then(|usage| entry?.cost(&usage, self.terms));
        AttemptRecord {
            hop: attempt.position,
            snapshot,
            attempt: attempt.number,
            hedge: attempt.hedge,
            probe: bill.probe,
            failure: attempt.failure(),
            canceled: matches!(attempt.outcome, Some(chain::Outcome::Canceled | chain::Outcome::Diverged)),
            status: bill.status,
            started_ms: attempt.started,
            duration_ms: attempt.duration(elapsed),
            usage,
            cost_usd: cost,
        }
    }
}

/// What all of them cost; nothing where none was billed for, or the price of one is unknown.
fn sum(attempts: &[AttemptRecord<'_>]) -> Option<Usd> {
    let mut billed = attempts.iter().filter(|one| one.usage.is_some()).map(|one| one.cost_usd);
    let first = billed.next()??;
    billed.try_fold(first, |sum, one| Some(sum + one?))
}

/// Within what is known of the prompt, as near as may be to the four bytes that a token of English has.
fn estimated((least, most): (u64, u64)) -> u64 {
    (most / BYTES_PER_TOKEN).max(least)
}

/// Names behind the indices of [`Facts`].
struct Words<'a> {
    checked: &'a Checked,
    modality: Cow<'static, str>,
    attributes: Vec<(&'a str, String)>,
}

impl<'a> Words<'a> {
    fn of(checked: &'a Checked, asked: &Asked<'_>) -> Self {
        let attributes = checked.attributes.iter().zip(&asked.admitted.facts.attributes);
        let attributes = attributes.map(|(declared, value)| (&*declared.name, attribute(&declared.domain, value)));
        Self { checked, modality: modality(asked.admitted.facts.modality), attributes: attributes.collect() }
    }

    fn attributes(&self) -> SmallVec<[(&str, &str); 4]> {
        self.attributes.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }

    fn facts<'r>(&'r self, asked: &'r Asked<'_>, attributes: &'r [(&'r str, &'r str)]) -> FactsRecord<'r> {
        let (checked, facts) = (self.checked, &asked.admitted.facts);
        let row = facts.tenant.map(|tenant| &*checked.tenants[tenant.index()].name);
        FactsRecord {
            endpoint: facts.endpoint.word(),
            tenant: row.or(asked.admitted.tenant.as_deref()),
            tenant_label: row.unwrap_or("other"),
            plan: facts.plan.and_then(|at| checked.plans.get(usize::from(at))).map(|name| &**name),
            residency: checked.residencies.get(usize::from(facts.residency)).map(|one| &*one.name),
            feature: facts.feature.and_then(|at| checked.features.get(usize::from(at))).map(|one| &*one.name),
            user: Some(&*facts.user).filter(|user| !user.is_empty()),
            region: Some(&*facts.region).filter(|region| !region.is_empty()),
            requested_model: &facts.requested_model,
            prompt_tokens: asked.prompt_tokens,
            max_tokens: facts.max_tokens,
            streaming: facts.streaming,
            tools: facts.tools,
            json_schema: facts.json_schema,
            modality: &self.modality,
            priority: facts.priority.word(),
            attributes,
        }
    }
}

/// `text+image`; most have one part, and its word is there already.
fn modality(set: ModalitySet) -> Cow<'static, str> {
    let mut words = set.iter().map(crate::policy::checked::Modality::word);
    let first = Cow::Borrowed(words.next().unwrap_or_default());
    words.fold(first, |said, word| said + "+" + word)
}

fn attribute(domain: &AttributeDomain, value: &AttributeValue) -> String {
    match (domain, value) {
        (AttributeDomain::OneOf(values), AttributeValue::OneOf(at)) => {
            values.get(*at as usize).map(ToString::to_string).unwrap_or_default()
        }
        (_, AttributeValue::OneOf(at)) => at.to_string(),
        (_, AttributeValue::Number(number)) => number.to_string(),
        (_, AttributeValue::YesOrNo(yes)) => if *yes { "yes" } else { "no" }.to_owned(),
        (_, AttributeValue::Text(text)) => text.to_string(),
    }
}
