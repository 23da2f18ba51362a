//! The story of one request, in the order of section 5.2 of the language specification.
//!
//! In: a session whose head was read. Out: an answer, and one record of how it came about. Must not know: how anything below is
//! done; every step is one name. Whoever has to change this file for a new feature has the feature in the wrong room.

use std::time::Instant;

use pingora::protocols::http::ServerSession;

use super::app::Ended;
use super::ask::{self, Prompt};
use super::entrance::Entrance;
use super::health::Shut;
use super::intake::NoBody;
use super::request_id::RequestId;
use super::settle::{Asked, Ending, Settlement};
use super::sidecar::{InForce, Sidecar};
use super::turn::Turn;
use super::walk::{Found, Walk};
use super::{answer, cached, degrade, reply};
use crate::chain::Chain;
use crate::policy::checked::RuleId;
use crate::policy::decide::decide;
use crate::policy::facts::Facts;
use crate::policy::plan::{Action, DropReason, Plan, Run, plan};
use crate::policy::readings::Readings;

/// Serves one request from its head to its last byte.
pub async fn exchange(sidecar: &Sidecar, session: &mut ServerSession, entrance: Entrance, turn: &mut Turn) -> Ended {
    let now = sidecar.in_force();
    let mut settlement = Settlement::open(sidecar, &now);

    // 1. Admit, and 2. resolve the model that was asked for.
    let told = match ask::hear(session, &now, (&sidecar.tally, turn), entrance).await {
        Ok(told) => told,
        Err(NoBody::ClientGone) => return settlement.client_gone_early(),
        Err(NoBody::Problem(problem)) => return settlement.refuse(session, &problem).await,
    };
    let admitted_at = Instant::now();
    let mut prompt = Prompt::of(&told);
    let admitted = match ask::admit(session, &now, &told, &mut prompt) {
        Ok(admitted) => admitted,
        Err(problem) => return settlement.refuse(session, &problem).await,
    };

    // 3. Read the clock and what was measured once; everything below sees the same moment.
    let mut readings = Readings::at(jiff::Timestamp::now(), &now.policy.checked().timezone);
    readings.standing = now.measured.standing(&now, sidecar.uptime());

    // 4. Decide, and 5. to 7. expand, order and filter the chain.
    let Some(plan) = decide_and_plan(sidecar, &now, &admitted.facts, &mut prompt, &readings) else {
        return settlement.refuse(session, &degrade::no_rule()).await;
    };
    settlement.decided(&plan, readings);
    let asked = Asked { told: &told, admitted: &admitted, prompt_tokens: prompt.bounds() };

    // 8. Reject, if that is what the rule says.
    let run = match plan.action {
        Action::Reject { status, message } => return settlement.reject(session, &asked, status, message).await,
        Action::Run(run) => run,
    };

    // 10. What was answered before, if the rule has a cache and it is fresh.
    let mut walk = begin(sidecar, &now, (settlement.id(), admitted_at), &asked, (plan.rule, run));
    if let Some(again) = cached::fresh(&walk) {
        let ending = answer::again(session, &settlement, &asked, again).await;
        return settlement.settle(&asked, &mut walk, ending);
    }

    // 12. Walk the chain until a hop delivers.
    walk.alive = answer::keep_alive(session, &settlement, &walk, told.entrance.dialect);
    let found = walk.walk(session, &told).await;

    // What was found goes to the caller; 13. a degrade step stands in where nothing was.
    let mut ending = match found {
        Found::Whole(whole, hop) => answer::whole(session, &settlement, &mut walk, whole, hop).await,
        Found::Live(live, hop, start) => {
            answer::stream(session, &settlement, &mut walk, &asked, (live, hop, start)).await
        }
        Found::Said(said, hop, failure) => answer::said(session, &settlement, &walk, said, hop, failure).await,
        Found::Refused(refused) => degrade::cannot_carry(session, &settlement, refused).await,
        Found::Nothing(last) => degrade::stand_in(session, &settlement, &walk, &asked, last).await,
        Found::ClientGone => Ending::client_gone(),
    };

    if let Some(status) = reply::begun(session).filter(|_| walk.alive.is_some()) {
        // Whoever was kept waiting with comments has had the status of a stream.
        ending.status = status;
    }

    // 14. Settle: usage, cost, one record.
    settlement.settle(&asked, &mut walk, ending)
}

fn decide_and_plan(
    sidecar: &Sidecar,
    now: &InForce,
    facts: &Facts,
    prompt: &mut Prompt<'_>,
    readings: &Readings,
) -> Option<Plan> {
    let tree = &now.policy.tree;
    let uptime = sidecar.uptime();
    let avoided = |snapshot| {
        now.health(snapshot).shut(uptime).map(|shut| match shut {
            Shut::CoolingDown => DropReason::CoolingDown,
            Shut::BreakerOpen => DropReason::BreakerOpen,
        })
    };
    let usable = |snapshot| match now.upstream(snapshot) {
        None => Some(DropReason::NotConfigured),
        Some(_) => avoided(snapshot),
    };
    let request = tree.request(facts, prompt);
    let rule = decide(tree, &request, &mut tree.fetch(readings))?;
    Some(plan(tree, rule, facts, prompt, readings, &usable))
}

fn begin<'a>(
    sidecar: &'a Sidecar,
    now: &'a InForce,
    (request_id, since): (RequestId, Instant),
    asked: &Asked<'_>,
    (rule, run): (RuleId, Run),
) -> Walk<'a> {
    let admitted = asked.admitted;
    let chain = Chain::new(run, admitted.facts.streaming, admitted.deadline, fastrand::u64(..));
    let keeps = cached::keeps(now, rule, asked);
    Walk::new((sidecar, now), request_id, since, keeps, chain)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of one request in work, besides what it puts on the heap. A task of its own, or an attempt beside another, must not
    /// be part of a request that has none.
    const MOST: usize = 12 << 10;

    fn size<Fut>(
        _: impl FnOnce(&'static Sidecar, &'static mut ServerSession, Entrance, &'static mut Turn) -> Fut,
    ) -> usize {
        size_of::<Fut>()
    }

    #[test]
    fn a_request_in_work_is_small() {
        let size = size(exchange);
        println!("{size} bytes");
        assert!(size <= MOST, "{size} bytes");
    }
}
