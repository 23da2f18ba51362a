//! Two and three attempts at once, with the time as an argument (section 5.7).

use proptest::prelude::*;

use wayside::chain::{Chain, Outcome, SkipReason, Start, Step};
use wayside::failure::Failure::{
    self, Auth, BadRequest, ContentFilter, ContextLength, Network, Overload, Refusal, ServerError, Timeout,
};
use wayside::failure::FailureSet;
use wayside::policy::ast::OnCut;
use wayside::policy::checked::{Hedge, Retry};
use wayside::policy::plan::Run;
use wayside::units::{Millis, Tokens};

use super::{degrade, hop, hops, run, sets};

/// Three hops of ten seconds; the first is hedged after two.
fn hedged(legs: u8) -> Run {
    let mut plan = run(vec![hop(1, Retry::DEFAULT), hop(2, Retry::NONE), hop(3, Retry::NONE)]);
    plan.hops[0].hedge = Some(Hedge { after: Some(Millis(2000)), legs });
    plan.hops[0].hedge_after = Some(Millis(2000));
    plan
}

fn chain(plan: Run) -> Chain {
    Chain::unlucky(plan, false)
}

fn begun(chain: &mut Chain, now: u64) -> usize {
    match chain.next(Millis(now)) {
        Step::Attempt(start) => start.hop,
        other => panic!("{other:?}"),
    }
}

fn due(chain: &mut Chain) -> Option<u64> {
    match chain.next(Millis(0)) {
        Step::Await { hedge } => hedge.map(|due| due.0),
        other => panic!("{other:?}"),
    }
}

fn beside(chain: &mut Chain, now: u64) -> Option<usize> {
    chain.hedge(Millis(now)).map(|start| start.hop)
}

/// `hop.number outcome`, hedges with a plus sign.
fn rows(chain: &Chain) -> Vec<String> {
    let attempts = chain.record().attempts.iter();
    let row = |one: &wayside::chain::Attempt| {
        let outcome = match one.outcome {
            None => "in flight".to_owned(),
            Some(Outcome::Failed(failure)) => failure.to_string(),
            Some(other) => format!("{other:?}").to_lowercase(),
        };
        format!("{}{}.{} {outcome}", if one.hedge { "+" } else { "" }, one.position, one.number)
    };
    attempts.map(row).collect()
}

#[test]
fn the_next_hop_starts_beside_a_slow_one_and_not_a_millisecond_earlier() {
    let mut chain = chain(hedged(1));
    assert_eq!(begun(&mut chain, 5), 0);
    assert_eq!(due(&mut chain), Some(2005));
    assert_eq!(beside(&mut chain, 2004), None);
    assert_eq!(beside(&mut chain, 2005), Some(1));
    assert_eq!((due(&mut chain), beside(&mut chain, 60_000)), (None, None), "up to 1");
    chain.delivered(Millis(3000), 1);
    chain.completed(Millis(3100));
    assert_eq!(rows(&chain), ["1.1 canceled", "+2.1 completed"]);
    let attempts = &chain.record().attempts;
    assert_eq!((attempts[0].ended, attempts[1].started), (Some(Millis(3000)), Millis(2005)));
    assert_eq!(chain.next(Millis(3100)), Step::Degrade { last: None });
}

#[test]
fn the_first_may_win_after_all() {
    let mut chain = chain(hedged(1));
    begun(&mut chain, 0);
    beside(&mut chain, 2000);
    chain.delivered(Millis(2500), 0);
    chain.released(Millis(2500));
    assert_eq!(due(&mut chain), None);
    chain.completed(Millis(4000));
    assert_eq!(rows(&chain), ["1.1 completed", "+2.1 canceled"]);
    assert_eq!(chain.record().attempts[0].released, Some(Millis(2500)));
}

#[test]
fn a_hop_that_is_not_hedged_or_whose_p95_is_unknown_runs_alone() {
    let mut plan = hedged(1);
    plan.hops[0].hedge = Some(Hedge { after: None, legs: 1 });
    plan.hops[0].hedge_after = None;
    let mut unknown = chain(plan.clone());
    begun(&mut unknown, 0);
    assert_eq!((due(&mut unknown), beside(&mut unknown, 9000)), (None, None));
    plan.hops.truncate(1);
    plan.hops[0].hedge_after = Some(Millis(2000));
    let mut last = chain(plan);
    begun(&mut last, 0);
    assert_eq!(due(&mut last), None, "nothing is behind it");
}

#[test]
fn whoever_fails_leaves_it_to_the_other_and_is_not_retried() {
    let mut plan = hedged(1);
    plan.hops[1].retry = Retry { count: 3, on: FailureSet::MOVES_ON, backoff: Millis(0) };
    let mut chain = chain(plan.clone());
    begun(&mut chain, 0);
    beside(&mut chain, 2000);
    chain.failed(Millis(2500), 0, ServerError, None);
    assert_eq!(due(&mut chain), None, "the second hop has no hedge of its own");
    chain.delivered(Millis(3000), 1);
    chain.completed(Millis(3000));
    assert_eq!(rows(&chain), ["1.1 server_error", "+2.1 completed"]);

    let mut chain = self::chain(plan);
    begun(&mut chain, 0);
    beside(&mut chain, 2000);
    chain.failed(Millis(2100), 1, Overload, Some(Millis(10)));
    assert_eq!(due(&mut chain), None, "one extra leg, and that was it");
    chain.delivered(Millis(3000), 0);
    chain.completed(Millis(3000));
    assert_eq!(rows(&chain), ["1.1 completed", "+2.1 overload"]);
}

#[test]
fn when_both_fail_the_chain_goes_on_behind_them() {
    let mut chain = chain(hedged(1));
    begun(&mut chain, 0);
    beside(&mut chain, 2000);
    chain.failed(Millis(9000), 1, Auth, None);
    chain.failed(Millis(10_000), 0, Timeout, None);
    assert_eq!(begun(&mut chain, 10_000), 2);
    chain.failed(Millis(20_000), 2, Timeout, None);
    assert_eq!(chain.next(Millis(20_000)), degrade(Timeout));
    assert_eq!(rows(&chain), ["1.1 timeout", "+2.1 auth", "3.1 timeout"]);
}

#[test]
fn alone_again_a_hop_is_retried_as_ever_without_a_second_hedge() {
    let mut chain = chain(hedged(1));
    begun(&mut chain, 0);
    beside(&mut chain, 2000);
    chain.failed(Millis(2100), 1, Network, None);
    chain.failed(Millis(3000), 0, Network, None);
    assert_eq!(chain.next(Millis(3000)), Step::Wait { until: Millis(3250) });
    assert_eq!(begun(&mut chain, 3250), 0);
    assert_eq!((due(&mut chain), beside(&mut chain, 9000)), (None, None), "its one extra leg was used");
    assert_eq!(rows(&chain), ["1.1 network", "+2.1 network", "1.2 in flight"]);
}

#[test]
fn a_second_leg_comes_after_the_same_time_again_or_at_once_when_the_first_has_failed() {
    let mut chain = chain(hedged(2));
    begun(&mut chain, 0);
    assert_eq!(beside(&mut chain, 2000), Some(1));
    assert_eq!(due(&mut chain), Some(4000));
    assert_eq!((beside(&mut chain, 3999), beside(&mut chain, 4000)), (None, Some(2)));
    chain.delivered(Millis(4500), 2);
    assert_eq!(rows(&chain), ["1.1 canceled", "+2.1 canceled", "+3.1 in flight"]);

    let mut chain = self::chain(hedged(2));
    begun(&mut chain, 0);
    beside(&mut chain, 2000);
    chain.failed(Millis(2100), 1, Network, None);
    assert_eq!(due(&mut chain), Some(2000), "it is due already");
    assert_eq!(beside(&mut chain, 2100), Some(2));
}

#[test]
fn legs_do_not_hedge_themselves_until_one_is_the_chains_hop() {
    let mut plan = hedged(1);
    for hop in &mut plan.hops {
        hop.hedge = Some(Hedge { after: Some(Millis(2000)), legs: 1 });
        hop.hedge_after = Some(Millis(2000));
    }
    let mut chain = chain(plan);
    begun(&mut chain, 0);
    beside(&mut chain, 2000);
    assert_eq!(due(&mut chain), None);
    chain.failed(Millis(3000), 0, Timeout, None);
    assert_eq!(due(&mut chain), Some(4000), "two seconds after it was started");
    assert_eq!(beside(&mut chain, 4000), Some(2));
}

#[test]
fn an_answer_that_says_no_is_an_answer_and_ends_the_others() {
    for (failure, by) in [(Refusal, 0), (ContentFilter, 1)] {
        let mut chain = chain(hedged(1));
        begun(&mut chain, 0);
        beside(&mut chain, 2000);
        chain.failed(Millis(2500), by, failure, None);
        assert_eq!(chain.next(Millis(2500)), Step::Return { failure, hop: by });
        assert_eq!(chain.record().attempts[1 - by].outcome, Some(Outcome::Canceled));
    }
    let mut plan = hedged(1);
    plan.hops[0].on = plan.hops[0].on.with(Refusal);
    let mut chain = chain(plan);
    begun(&mut chain, 0);
    beside(&mut chain, 2000);
    chain.failed(Millis(2500), 0, Refusal, None);
    assert_eq!(due(&mut chain), None, "named in `on`, it leaves it to the other");
}

#[test]
fn what_does_not_move_on_waits_for_the_others_and_ends_the_chain_when_they_fail() {
    for (failure, over) in [(BadRequest, Step::Return { failure: BadRequest, hop: 0 }), (Auth, degrade(Auth))] {
        let mut plan = hedged(1);
        plan.hops[0].on = FailureSet::EMPTY.with(Timeout);
        let mut chain = chain(plan.clone());
        begun(&mut chain, 0);
        beside(&mut chain, 2000);
        chain.failed(Millis(2500), 0, failure, None);
        assert!(matches!(chain.next(Millis(2500)), Step::Await { hedge: None }));
        chain.failed(Millis(2600), 1, Network, None);
        assert_eq!(chain.next(Millis(2600)), over, "and no third hop");

        let mut chain = self::chain(plan);
        begun(&mut chain, 0);
        beside(&mut chain, 2000);
        chain.failed(Millis(2500), 0, failure, None);
        chain.delivered(Millis(2600), 1);
        chain.completed(Millis(2600));
        assert_eq!(chain.record().attempts[1].outcome, Some(Outcome::Completed), "a complete answer is better");
    }
}

#[test]
fn a_leg_that_cannot_start_makes_room_for_the_one_behind_it() {
    let mut chain = chain(hedged(1));
    begun(&mut chain, 0);
    beside(&mut chain, 2000);
    chain.pass_over(SkipReason::BreakerOpen);
    assert_eq!(beside(&mut chain, 2000), Some(2));
    chain.pass_over(SkipReason::CoolingDown);
    assert_eq!((due(&mut chain), beside(&mut chain, 2000)), (None, None), "none is left");
    assert_eq!(rows(&chain), ["1.1 in flight"]);
    let reasons: Vec<_> = chain.record().skipped.iter().map(|one| one.reason.word()).collect();
    assert_eq!(reasons, ["breaker_open", "cooling_down"]);

    let mut late = hedged(1);
    late.hops[0].timeout = Millis::secs(60);
    late.hops[0].hedge_after = Some(Millis::secs(58));
    let mut chain = self::chain(late);
    begun(&mut chain, 0);
    assert_eq!(beside(&mut chain, 58_000), None, "1.8 s are left, and a quarter of ten are needed");
    assert_eq!(chain.record().skipped.len(), 2);
}

#[test]
fn a_hop_whose_breaker_was_open_when_its_hedge_was_due_has_its_turn_all_the_same() {
    // Nothing is behind it: without its turn, the chain would end with the first.
    let mut plan = hedged(1);
    plan.hops.truncate(2);
    let mut chain = chain(plan);
    begun(&mut chain, 0);
    beside(&mut chain, 2000);
    chain.pass_over(SkipReason::BreakerOpen);
    assert_eq!((due(&mut chain), beside(&mut chain, 2000)), (None, None));
    chain.failed(Millis(9000), 0, Timeout, None);
    assert_eq!(begun(&mut chain, 9000), 1, "by now its breaker may let a probe through");
    chain.pass_over(SkipReason::BreakerOpen);
    assert_eq!(chain.next(Millis(9000)), degrade(Timeout), "its turn was its turn");
    assert_eq!(chain.record().skipped.len(), 1, "and is told once");

    // With another leg in its place, it comes when both have failed, and before the hops behind.
    let mut plan = hedged(1);
    plan.hops.push(hop(4, Retry::NONE));
    let mut chain = self::chain(plan);
    begun(&mut chain, 0);
    beside(&mut chain, 2000);
    chain.pass_over(SkipReason::BreakerOpen);
    assert_eq!(beside(&mut chain, 2000), Some(2));
    chain.failed(Millis(2500), 0, Timeout, None);
    chain.failed(Millis(3000), 2, Overload, Some(Millis(100)));
    assert_eq!(begun(&mut chain, 3000), 1);
    chain.failed(Millis(3500), 1, Timeout, None);
    assert_eq!(begun(&mut chain, 3500), 3);
    assert_eq!(rows(&chain), ["1.1 timeout", "+3.1 overload", "2.1 timeout", "4.1 in flight"]);
}

#[test]
fn both_legs_end_with_the_deadline_and_with_the_caller() {
    let mut plan = hedged(1);
    plan.deadline = Millis::secs(8);
    let mut chain = chain(plan);
    begun(&mut chain, 0);
    let Some(Start { limits, .. }) = chain.hedge(Millis(2000)) else { panic!("due") };
    assert_eq!(limits.attempt, Millis(5800));
    chain.canceled(Millis(2500));
    assert_eq!(rows(&chain), ["1.1 canceled", "+2.1 canceled"]);
}

#[test]
fn an_answer_that_takes_up_a_broken_one_is_not_hedged() {
    let mut plan = Run { on_cut: OnCut::Resume, ..hedged(1) };
    plan.hops[1].hedge = plan.hops[0].hedge;
    plan.hops[1].hedge_after = plan.hops[0].hedge_after;
    let mut chain = Chain::unlucky(plan, true);
    begun(&mut chain, 0);
    chain.delivered(Millis(300), 0);
    chain.released(Millis(300));
    assert!(chain.cut(Millis(400), Network));
    assert_eq!(begun(&mut chain, 400), 1);
    assert_eq!(due(&mut chain), None);
}

#[test]
fn a_window_that_was_too_small_is_too_small_for_the_leg() {
    let mut plan = hedged(2);
    plan.hops[2].max_input = Tokens(200_000);
    let mut chain = chain(plan);
    begun(&mut chain, 0);
    beside(&mut chain, 2000);
    chain.failed(Millis(2100), 1, ContextLength, None);
    assert_eq!(beside(&mut chain, 2100), Some(2));
    assert_eq!(rows(&chain), ["1.1 in flight", "+2.1 context_length", "+3.1 in flight"]);
}

/// What happens next: a leg's end, or the time of a hedge.
#[derive(Clone, Debug)]
struct Event {
    after: u64,
    /// Which of those in flight.
    whose: usize,
    failure: Option<Failure>,
    passed_over: bool,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let failure = proptest::option::weighted(0.9, proptest::sample::select(Failure::ALL.to_vec()));
    let event = (0u64..9000, 0usize..3, failure, proptest::bool::weighted(0.1))
        .prop_map(|(after, whose, failure, passed_over)| Event { after, whose, failure, passed_over });
    proptest::collection::vec(event, 80)
}

proptest! {
    /// However legs end: no more than the first one's `up to` run beside it, none starts before it is due or past the deadline,
    /// no hop is started twice but for its retries, everything that was started has an end, one answer at most is the caller's.
    #[test]
    fn no_race_misbehaves(
        mut hops in proptest::collection::vec(hops(), 1..6), hedges in proptest::collection::vec((0u64..6000, 0u8..3), 6),
        moves in sets(), deadline in 0u64..120_000, events in events()
    ) {
        for (hop, (after, legs)) in hops.iter_mut().zip(hedges) {
            hop.on = hop.on.union(moves);
            hop.hedge = (legs > 0).then_some(Hedge { after: Some(Millis(after)), legs });
            hop.hedge_after = hop.hedge.and_then(|hedge| hedge.after);
        }
        let plan = Run { deadline: Millis(deadline), ..run(hops.clone()) };
        let mut chain = Chain::unlucky(plan, false);
        let (mut now, mut flying) = (Millis(0), Vec::<(Start, Millis)>::new());
        let mut started = std::collections::BTreeSet::new();
        let mut events = events.into_iter();
        let mut answers = 0;
        loop {
            let start = match chain.next(now) {
                Step::Wait { until } => { now = until; continue }
                Step::Return { .. } | Step::Degrade { .. } => break,
                Step::Attempt(start) => Some(start),
                Step::Await { hedge } => {
                    prop_assert!(!flying.is_empty());
                    let event = events.next().unwrap();
                    if let Some(due) = hedge.filter(|due| due.0 <= now.0 + event.after) {
                        if let Some(early) = due.0.checked_sub(1) {
                            prop_assert!(chain.hedge(Millis(early)).is_none());
                        }
                        now = now.max(due);
                        let start = chain.hedge(now);
                        if start.is_some() && event.passed_over {
                            chain.pass_over(SkipReason::BreakerOpen);
                            continue;
                        }
                        start
                    } else {
                        now += Millis(event.after);
                        let (start, _) = flying.remove(event.whose % flying.len());
                        match event.failure {
                            Some(failure) => chain.failed(now, start.hop, failure, None),
                            None => {
                                chain.delivered(now, start.hop);
                                chain.completed(now);
                                answers += 1;
                                flying.clear();
                            }
                        }
                        if chain.record().attempts.iter().all(|attempt| attempt.ended.is_some()) {
                            flying.clear();
                        }
                        None
                    }
                }
            };
            if let Some(start) = start {
                prop_assert!(started.insert((start.hop, start.number)), "no attempt is made twice");
                prop_assert!(now + start.limits.attempt <= Millis(deadline.saturating_sub(200)));
                flying.push((start, now));
                let most = hops[flying[0].0.hop].hedge.map_or(0, |hedge| usize::from(hedge.legs));
                prop_assert!(flying.len() <= 1 + most, "{} beside, up to {most}", flying.len() - 1);
            }
        }
        let record = chain.record();
        prop_assert!(record.attempts.iter().all(|attempt| attempt.ended.is_some()));
        let whole = record.attempts.iter().filter(|one| one.outcome == Some(Outcome::Completed)).count();
        prop_assert_eq!(whole, answers);
        prop_assert_eq!(record.attempts.len(), started.len());
    }
}
