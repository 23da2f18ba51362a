//! An explanation as a program reads it (section 8.2).
//!
//! In: an [`Explanation`]. Out: JSON. Must not know: layout. Changes are additive.

use serde::Serialize;
use serde_json::{Value, json};

use super::super::ast::Intent;
use super::super::bounds;
use super::super::checked::{
    AttributeDomain, AttributeValue, Checked, Claim, Degrade, Extras, Hedge, Similarity, SnapshotId, Subject,
};
use super::super::eligible;
use super::super::facts::Facts;
use super::super::plan::{Action, PlannedHop, Run};
use super::super::render::json::{Document, Head, Place, place};
use super::super::shown::options as written;
use super::super::source::Sources;
use super::{Explanation, detail};
use crate::units::{Tokens, Usd};

#[derive(Serialize)]
struct Body<'a> {
    request: Ordered,
    readings: Ordered,
    assumed: Ordered,
    decision: Decision<'a>,
    reads: Vec<&'a str>,
    passed_over: Vec<Passed<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logged: Option<Value>,
}

#[derive(Serialize)]
struct Decision<'a> {
    kind: &'static str,
    rule: Option<&'a str>,
    span: Option<Place>,
    because: Option<&'a str>,
    tier: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    chain: Vec<Hop>,
    dropped: Vec<Drop>,
    degrade: Vec<Value>,
    hold: Option<String>,
    on_cut: Option<&'static str>,
    cache: Value,
    guards: Vec<String>,
    shadow: Value,
    rollouts: Vec<Rollout>,
    deadline_ms: Option<u64>,
    worst_time_ms: Option<u64>,
}

#[derive(Serialize)]
struct Hop {
    position: u8,
    claim: &'static str,
    snapshot: String,
    tier: Option<String>,
    from: &'static str,
    timeout_ms: u64,
    first_token_ms: u64,
    idle_ms: u64,
    stream_limit_ms: u64,
    retry: Retry,
    on: crate::failure::FailureSet,
    hedge: Option<Value>,
    max_output: Option<Tokens>,
    regions: Vec<String>,
    worst_cost_usd: Option<Usd>,
    retires_on: Option<String>,
}

#[derive(Serialize)]
struct Retry {
    count: u32,
    on: crate::failure::FailureSet,
    backoff_ms: u64,
}

#[derive(Serialize)]
struct Drop {
    snapshot: Option<String>,
    reason: &'static str,
    detail: String,
}

/// A rollout whose old snapshot is on the chain.
#[derive(Serialize)]
struct Rollout {
    name: String,
    replace: String,
    with: String,
    stage: String,
    /// Where the request stands, 0 to 9,999: below the stage in ten-thousandths it is inside.
    bucket: u16,
    acts: bool,
    why: &'static str,
}

#[derive(Serialize)]
struct Passed<'a> {
    rule: &'a str,
    column: &'a str,
    is: &'a str,
    wants: &'a str,
}

/// A map in the order in which it was filled.
struct Ordered(Vec<(String, Value)>);

impl Serialize for Ordered {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

impl Explanation<'_> {
    /// The document, on one line for each part, ending in a newline.
    ///
    /// # Errors
    /// None that can happen: every part is plain data.
    pub fn json(&self, sources: &Sources) -> Result<String, serde_json::Error> {
        let name = |at: super::ColumnId| &*self.tree.space().column(at).name;
        let head = Head::of_policy("explain", &self.checked().name, self.tree.hash());
        let head = Head { today: Some(self.asked.readings.today.to_string()), ..head };
        let body = Body {
            request: self.request(),
            readings: Ordered(
                self.reads.iter().map(|read| (name(read.column).to_owned(), read.value.clone().into())).collect(),
            ),
            assumed: Ordered(self.assumed().map(|(key, value)| (key.clone(), value.clone().into())).collect()),
            decision: self.decision_json(sources),
            reads: self.reads.iter().map(|read| name(read.column)).collect(),
            passed_over: self
                .passed
                .iter()
                .map(|one| Passed {
                    rule: &self.checked().rules[one.rule.index()].name,
                    column: name(one.column),
                    is: &one.is,
                    wants: &one.wants,
                })
                .collect(),
            logged: self.logged.as_ref().map(super::Compared::json),
        };
        Document::new(head, body).pretty()
    }

    fn decision_json<'a>(&'a self, sources: &Sources) -> Decision<'a> {
        let rule = self.rule();
        let mut decision = Decision {
            kind: "no_match",
            rule: rule.map(|rule| &*rule.name),
            span: rule.map(|rule| place(rule.span, sources)),
            because: rule.and_then(|rule| rule.because.as_deref()),
            tier: None,
            status: None,
            message: None,
            chain: Vec::new(),
            dropped: Vec::new(),
            degrade: Vec::new(),
            hold: None,
            on_cut: None,
            cache: Value::Null,
            guards: Vec::new(),
            shadow: Value::Null,
            rollouts: Vec::new(),
            deadline_ms: None,
            worst_time_ms: None,
        };
        let Some(plan) = &self.plan else { return decision };
        match &plan.action {
            Action::Reject { status, message } => {
                decision.kind = "reject";
                (decision.status, decision.message) = (Some(*status), Some(message.as_str()));
            }
            Action::Run(run) => {
                decision.kind = if run.hops.is_empty() { "degrade" } else { "chain" };
                decision.tier = plan.tier.map(|id| &*self.checked().tiers[id.index()].name);
                self.run_json(run, &mut decision);
            }
        }
        decision
    }

    fn run_json(&self, run: &Run, decision: &mut Decision<'_>) {
        let Some(chain) = self.chain() else { return };
        decision.chain = run.hops.iter().map(|hop| self.hop_json(hop)).collect();
        decision.dropped = run
            .dropped
            .iter()
            .map(|one| Drop {
                snapshot: one.snapshot.map(|id| self.checked().snapshots[id.index()].model.to_string()),
                reason: one.reason.word(),
                detail: detail::detail(self.checked(), chain, one, &self.asked.facts),
            })
            .collect();
        decision.degrade = run.degrade.iter().map(|step| self.degrade_json(step)).collect();
        decision.hold = Some(written::hold(run.hold));
        decision.on_cut = Some(written::on_cut(run.on_cut));
        decision.cache = cache(self.checked(), &chain.extras);
        decision.shadow = shadow(self.checked(), &chain.extras);
        let guards = &self.checked().moving.guards;
        decision.guards = chain.extras.guards.iter().map(|one| guards[one.node.index()].name.to_string()).collect();
        let model = |id: SnapshotId| self.checked().snapshots[id.index()].model.to_string();
        let rollouts = self.rollouts().into_iter().map(|met| Rollout {
            name: met.rollout.name.to_string(),
            replace: model(met.rollout.replace.node),
            with: model(met.rollout.with.node),
            stage: met.stage.to_string(),
            bucket: met.bucket,
            acts: met.acts,
            why: met.why.word(),
        });
        decision.rollouts = rollouts.collect();
        decision.deadline_ms = Some(run.deadline.0);
        let worst = bounds::worst_time(run, self.asked.facts.streaming);
        decision.worst_time_ms = Some(worst.min(run.deadline).0);
    }

    fn hop_json(&self, hop: &PlannedHop) -> Hop {
        let (asked, checked) = (self.asked, self.checked());
        let snapshot = &checked.snapshots[hop.snapshot.index()];
        let entry = snapshot.facts.as_deref();
        let longest = entry
            .and_then(|entry| eligible::longest_answer(entry, eligible::cap(hop.max_output, asked.facts.max_tokens)));
        let regions = entry.and_then(|entry| entry.regions.as_ref());
        Hop {
            position: hop.position,
            claim: match hop.claim {
                Claim::Promised => "snapshot",
                Claim::Fallback(Intent::Peer) => "peer",
                Claim::Fallback(Intent::Lower) => "lower",
                Claim::Fallback(Intent::Higher) => "higher",
            },
            snapshot: snapshot.model.to_string(),
            tier: hop.tier.map(|id| checked.tiers[id.index()].name.to_string()),
            from: if hop.expanded { "tier" } else { "written" },
            timeout_ms: hop.timeout.0,
            first_token_ms: hop.first_token.0,
            idle_ms: hop.idle.0,
            stream_limit_ms: hop.stream_limit.0,
            retry: Retry { count: hop.retry.count, on: hop.retry.on, backoff_ms: hop.retry.backoff.0 },
            on: hop.on,
            hedge: hop.hedge.map(|one| {
                let mut value = hedge(one);
                value["starts_ms"] = json!(hop.hedge_after.map(|after| after.0));
                value
            }),
            max_output: longest,
            regions: regions.map(|list| list.iter().map(ToString::to_string).collect()).unwrap_or_default(),
            worst_cost_usd: self.hop_cost(hop),
            retires_on: entry.and_then(|entry| entry.retires_on).map(|day| day.to_string()),
        }
    }

    fn degrade_json(&self, step: &Degrade) -> Value {
        match step {
            Degrade::Template(id) => json!({"kind": "template", "name": &*self.checked().templates[id.index()].name}),
            Degrade::Cached { up_to } => json!({"kind": "cached", "up_to_ms": up_to.0}),
            Degrade::Queue { name, within } => {
                json!({"kind": "queue", "name": &**name, "within_ms": within.map(|time| time.0)})
            }
            Degrade::Error { status, message } => {
                json!({"kind": "error", "status": status, "message": message.as_deref()})
            }
        }
    }

    /// The request as it was decided, in the words of the command line.
    fn request(&self) -> Ordered {
        let facts = &self.asked.facts;
        let checked = self.checked();
        let mut list: Vec<(String, Value)> = Vec::new();
        let mut put = |key: &str, value: Value| list.push((key.to_owned(), value));
        put("endpoint", facts.endpoint.word().into());
        put("tenant", facts.tenant.map_or("other", |id| &*checked.tenants[id.index()].name).into());
        if let Some(plan) = facts.plan {
            put("plan", (*checked.plans[usize::from(plan)]).into());
        }
        if !checked.features.is_empty() {
            put("feature", facts.feature.map_or("none", |at| &*checked.features[usize::from(at)].name).into());
        }
        for (key, value) in
            [("user", &facts.user), ("region", &facts.region), ("requested_model", &facts.requested_model)]
        {
            if !value.is_empty() {
                put(key, (**value).into());
            }
        }
        put("residency", (*checked.residencies[usize::from(facts.residency)].name).into());
        put("prompt_tokens", self.asked.prompt_tokens.into());
        put("max_tokens", facts.max_tokens.into());
        for (key, value) in [("streaming", facts.streaming), ("tools", facts.tools), ("json_schema", facts.json_schema)]
        {
            put(key, value.into());
        }
        put("modality", facts.modality.iter().map(|one| one.word()).collect::<Vec<_>>().into());
        put("priority", facts.priority.word().into());
        for (at, attribute) in checked.attributes.iter().enumerate() {
            put(&attribute.name, attribute_json(&attribute.domain, facts, at));
        }
        if self.tree.needs().subject(Subject::Clock) {
            let minute = u64::from(self.asked.readings.minute_of_week);
            put("time", super::super::shown::minute_of_week(minute).into());
        }
        Ordered(list)
    }
}

/// What starts beside a slow attempt, and when: `p95`, or milliseconds.
pub(super) fn hedge(hedge: Hedge) -> Value {
    let after = hedge.after.map_or(json!("p95"), |time| json!(time.0));
    json!({"after": after, "legs": hedge.legs})
}

/// The cache a rule writes and reads; null without one.
pub(super) fn cache(checked: &Checked, extras: &Extras) -> Value {
    let Some(cache) = &extras.cache else { return Value::Null };
    let (kind, least) = match cache.similarity {
        Similarity::Exact => ("exact", None),
        Similarity::Semantic(share) => ("semantic", Some(share.to_string())),
    };
    let per: Vec<&str> = cache.per.iter().map(|part| written::partition(checked, *part)).collect();
    json!({"kind": kind, "similarity": least, "for_ms": cache.fresh.0, "per": per})
}

/// The copies a rule sends out; null without any.
pub(super) fn shadow(checked: &Checked, extras: &Extras) -> Value {
    let Some(shadow) = &extras.shadow else { return Value::Null };
    let budget = shadow.budget.map(|id| &*checked.moving.budgets[id.node.index()].name);
    let judge = shadow.scored_by.map(|id| &*checked.moving.judges[id.node.index()].name);
    json!({
        "share": shadow.share.to_string(),
        "snapshot": checked.snapshots[shadow.snapshot.node.index()].model.to_string(),
        "keep_ms": shadow.keep.map(|time| time.0),
        "budget": budget,
        "scored_by": judge,
    })
}

fn attribute_json(domain: &AttributeDomain, facts: &Facts, at: usize) -> Value {
    match (facts.attributes.get(at), domain) {
        (Some(AttributeValue::OneOf(value)), AttributeDomain::OneOf(names)) => {
            names.get(*value as usize).map_or(Value::Null, |name| (**name).into())
        }
        (Some(AttributeValue::Number(number)), _) => (*number).into(),
        (Some(AttributeValue::YesOrNo(yes)), _) => (*yes).into(),
        (Some(AttributeValue::Text(text)), _) => (**text).into(),
        _ => Value::Null,
    }
}
