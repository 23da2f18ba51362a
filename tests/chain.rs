//! Walking a chain on a virtual clock: what is tried, when, and what the caller gets in the end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

#[path = "chain/hedging.rs"]
mod hedging;
#[cfg(feature = "serve")]
#[path = "chain/matrix.rs"]
mod matrix;

use proptest::prelude::*;

use wayside::chain::{Chain, DEGRADE_RESERVE, Limits, Outcome, SkipReason, Start, Step};
use wayside::failure::{Failure, FailureSet};
use wayside::policy::ast::{Intent, OnCut};
use wayside::policy::checked::{Claim, Hold, Retry, SnapshotId};
use wayside::policy::plan::{PlannedHop, Run};
use wayside::units::{Millis, Tokens};

fn hop(position: u8, retry: Retry) -> PlannedHop {
    PlannedHop {
        position,
        snapshot: SnapshotId(position.into()),
        tier: None,
        claim: if position == 1 { Claim::Promised } else { Claim::Fallback(Intent::Peer) },
        expanded: false,
        rollout: None,
        timeout: Millis::secs(10),
        first_token: Millis::secs(5),
        idle: Millis::secs(3),
        stream_limit: Millis::secs(600),
        retry,
        hedge: None,
        hedge_after: None,
        on: FailureSet::MOVES_ON,
        max_output: None,
        max_input: Tokens(100_000),
    }
}

fn run(hops: Vec<PlannedHop>) -> Run {
    Run {
        hops,
        dropped: Vec::new(),
        degrade: Vec::new(),
        hold: Hold::FirstToken,
        on_cut: OnCut::Error,
        deadline: Millis::secs(60),
        rollouts: Vec::new(),
    }
}

/// The usual chain: the first hop with the default retry, two without.
fn three() -> Run {
    run(vec![hop(1, Retry::DEFAULT), hop(2, Retry::NONE), hop(3, Retry::NONE)])
}

fn chain(run: Run) -> Chain {
    Chain::new(run, false, None, 42)
}

/// What happens to the attempts, in order: how long each takes, how it fails, what the upstream asks to wait.
type Script<'a> = &'a [(u64, Failure, Option<u64>)];

/// Walks until the script ends or the chain does. Gives `hop.attempt@start` for each attempt, and how it ended.
fn walk(chain: &mut Chain, script: Script<'_>) -> (Vec<String>, Step) {
    let (mut now, mut seen) = (Millis(0), Vec::new());
    let mut script = script.iter();
    loop {
        match chain.next(now) {
            Step::Attempt(Start { hop, number, .. }) => {
                seen.push(format!("{}.{number}@{}", hop + 1, now.0));
                let Some((takes, failure, retry_after)) = script.next() else {
                    return (seen, chain.next(now));
                };
                now += Millis(*takes);
                chain.failed(now, hop, *failure, retry_after.map(Millis));
            }
            Step::Wait { until } => {
                assert!(until > now, "a wait is never in the past");
                now = until;
            }
            over => return (seen, over),
        }
    }
}

/// As [`walk`], without times: jitter makes them uninteresting.
fn tried(chain: &mut Chain, script: Script<'_>) -> (Vec<String>, Step) {
    let (seen, over) = walk(chain, script);
    (seen.into_iter().map(|attempt| attempt.split('@').next().unwrap().to_owned()).collect(), over)
}

fn degrade(failure: Failure) -> Step {
    Step::Degrade { last: Some(failure) }
}

use Failure::{
    Auth, BadRequest, ContentFilter, ContextLength, InvalidOutput, ModelGone, Network, Overload, QuotaExhausted,
    RateLimit, Refusal, ServerError, Timeout,
};

#[test]
fn each_failure_has_its_default() {
    let moves = ["1.1", "2.1", "3.1"];
    let retries = ["1.1", "1.2", "2.1", "3.1"];
    for failure in [Timeout, QuotaExhausted, RateLimit, Overload, InvalidOutput, Auth, ModelGone] {
        assert_eq!(
            tried(&mut chain(three()), &[(10, failure, None); 9]),
            (moves.map(Into::into).into(), degrade(failure))
        );
    }
    for failure in [Network, ServerError] {
        assert_eq!(
            tried(&mut chain(three()), &[(10, failure, None); 9]),
            (retries.map(Into::into).into(), degrade(failure))
        );
    }
    for failure in [ContentFilter, Refusal, BadRequest] {
        let returned = (vec!["1.1".to_owned()], Step::Return { failure, hop: 0 });
        assert_eq!(tried(&mut chain(three()), &[(10, failure, None); 9]), returned);
    }
}

#[test]
fn the_default_retry_waits_at_most_a_quarter_second_and_happens_once() {
    for seed in 0..100 {
        let mut chain = Chain::new(three(), false, None, seed);
        chain.next(Millis(0));
        chain.failed(Millis(10), 0, Network, None);
        match chain.next(Millis(10)) {
            Step::Wait { until } => assert!(until > Millis(10) && until < Millis(260), "{until}"),
            Step::Attempt(start) => assert_eq!((start.hop, start.number), (0, 2), "no wait at all is a draw, too"),
            other => panic!("{other:?}"),
        }
        let Step::Attempt(second) = chain.next(Millis(260)) else { panic!("due") };
        assert_eq!((second.hop, second.number), (0, 2));
        chain.failed(Millis(270), 0, Network, None);
        let Step::Attempt(third) = chain.next(Millis(270)) else { panic!("moves on at once") };
        assert_eq!((third.hop, third.number), (1, 1));
    }
}

#[test]
fn context_length_goes_to_a_larger_window_only() {
    let mut plan = three();
    plan.hops[2].max_input = Tokens(200_000);
    let mut chain = chain(plan);
    assert_eq!(tried(&mut chain, &[(10, ContextLength, None)]).0, ["1.1", "3.1"]);
    assert_eq!(chain.record().skipped[0].reason, SkipReason::WindowNotLarger);
    let same = tried(&mut self::chain(three()), &[(10, ContextLength, None)]);
    assert_eq!(same, (vec!["1.1".to_owned()], degrade(ContextLength)));
}

#[test]
fn a_window_that_was_too_small_stays_too_small() {
    let mut plan = three();
    plan.hops[1].max_input = Tokens(200_000);
    plan.hops[2].max_input = Tokens(150_000);
    let over = tried(&mut chain(plan), &[(10, ContextLength, None), (10, ContextLength, None)]);
    assert_eq!(over, (vec!["1.1".to_owned(), "2.1".to_owned()], degrade(ContextLength)));
}

#[test]
fn on_replaces_what_moves_to_the_next_hop() {
    let mut plan = three();
    plan.hops[0].on = FailureSet::EMPTY.with(Refusal).with(Timeout);
    plan.hops[0].retry = Retry::NONE;
    assert_eq!(tried(&mut chain(plan.clone()), &[(10, Refusal, None)]).0, ["1.1", "2.1"]);
    let stays = tried(&mut chain(plan.clone()), &[(10, ServerError, None)]);
    assert_eq!(stays, (vec!["1.1".to_owned()], degrade(ServerError)));
    let filtered = tried(&mut chain(plan.clone()), &[(10, ContentFilter, None)]).1;
    assert_eq!(filtered, Step::Return { failure: ContentFilter, hop: 0 });
    plan.hops[0].on = plan.hops[0].on.with(BadRequest);
    plan.hops[0].retry = Retry { count: 3, on: FailureSet::EMPTY.with(BadRequest), backoff: Millis(1) };
    let mistake = tried(&mut chain(plan), &[(10, BadRequest, None)]);
    assert_eq!(mistake, (vec!["1.1".to_owned()], Step::Return { failure: BadRequest, hop: 0 }), "on every model");
}

#[test]
fn a_written_retry_replaces_the_default() {
    let retry = Retry { count: 3, on: FailureSet::EMPTY.with(RateLimit).with(ServerError), backoff: Millis(100) };
    let attempts = tried(&mut chain(run(vec![hop(1, retry), hop(2, Retry::NONE)])), &[(10, ServerError, None); 9]).0;
    assert_eq!(attempts, ["1.1", "1.2", "1.3", "1.4", "2.1"]);
    let other = tried(&mut chain(run(vec![hop(1, retry), hop(2, Retry::NONE)])), &[(10, Network, None)]).0;
    assert_eq!(other, ["1.1", "2.1"]);
    let off = tried(&mut chain(run(vec![hop(1, Retry::NONE), hop(2, Retry::NONE)])), &[(10, ServerError, None)]).0;
    assert_eq!(off, ["1.1", "2.1"]);
}

#[test]
fn retry_after_replaces_the_backoff_where_it_fits() {
    let retry = Retry { count: 2, on: FailureSet::EMPTY.with(RateLimit), backoff: Millis(100) };
    let plan = || run(vec![hop(1, retry), hop(2, Retry::NONE)]);
    let script = [(100, RateLimit, Some(3000)), (100, RateLimit, Some(0)), (100, RateLimit, None)];
    assert_eq!(walk(&mut chain(plan()), &script).0, ["1.1@0", "1.2@3100", "1.3@3200", "2.1@3300"]);
    // 60 s - 0.1 s - 0.2 s are left; 2.5 s, a quarter of the timeout, must remain.
    let fits = 60_000 - 100 - 200 - 2500;
    assert_eq!(walk(&mut chain(plan()), &[(100, RateLimit, Some(fits))]).0, ["1.1@0", "1.2@57300"]);
    assert_eq!(walk(&mut chain(plan()), &[(100, RateLimit, Some(fits + 1))]).0, ["1.1@0", "2.1@100"]);
}

#[test]
fn retry_after_is_ignored_where_another_hop_is_usable() {
    assert_eq!(walk(&mut chain(three()), &[(100, RateLimit, Some(1000))]).0, ["1.1@0", "2.1@100"]);
}

#[test]
fn the_last_usable_hop_waits_once_where_retry_after_fits() {
    for failure in [RateLimit, Overload] {
        let alone = || run(vec![hop(1, Retry::DEFAULT)]);
        let twice = [(100, failure, Some(1000)), (100, failure, Some(1000))];
        assert_eq!(walk(&mut chain(alone()), &twice), (vec!["1.1@0".into(), "1.2@1100".into()], degrade(failure)));
        assert_eq!(walk(&mut chain(alone()), &[(100, failure, None)]), (vec!["1.1@0".into()], degrade(failure)));
        let long = [(100, failure, Some(59_000))];
        assert_eq!(walk(&mut chain(alone()), &long), (vec!["1.1@0".into()], degrade(failure)));
    }
    let other = [(100, Auth, Some(1000))];
    assert_eq!(walk(&mut chain(run(vec![hop(1, Retry::DEFAULT)])), &other).0, ["1.1@0"]);
}

#[test]
fn a_hop_that_can_no_longer_start_does_not_count_as_usable() {
    let mut plan = run(vec![hop(1, Retry::NONE), hop(2, Retry::NONE)]);
    plan.hops[1].timeout = Millis::secs(400);
    assert_eq!(walk(&mut chain(plan.clone()), &[(100, RateLimit, Some(1000))]).0, ["1.1@0", "1.2@1100"]);
    plan.hops[1].timeout = Millis::secs(10);
    plan.hops[0].on = FailureSet::EMPTY;
    assert_eq!(walk(&mut chain(plan), &[(100, RateLimit, Some(1000))]).0, ["1.1@0", "1.2@1100"], "may not move on");
}

#[test]
fn limits_shrink_with_the_deadline_and_hops_that_no_longer_fit_are_skipped() {
    let mut plan = run(vec![hop(1, Retry::NONE), hop(2, Retry::NONE), hop(3, Retry::NONE)]);
    plan.deadline = Millis::secs(15);
    plan.hops[2].timeout = Millis::secs(4);
    let mut chain = chain(plan);
    let limit = |step| match step {
        Step::Attempt(Start { hop, limits, .. }) => (hop, limits.attempt.0),
        other => panic!("{other:?}"),
    };
    assert_eq!(limit(chain.next(Millis(0))), (0, 10_000));
    chain.failed(Millis(10_000), 0, Timeout, None);
    assert_eq!(limit(chain.next(Millis(10_000))), (1, 4800));
    chain.failed(Millis(12_301), 1, Timeout, None);
    assert_eq!(limit(chain.next(Millis(12_301))), (2, 2499), "2.5 s are needed by the second hop, 1 s by the third");
    chain.failed(Millis(14_800), 2, Timeout, None);
    assert_eq!(chain.next(Millis(14_800)), degrade(Timeout));

    let mut plan = three();
    plan.deadline = Millis(2700);
    let mut chain = self::chain(plan.clone());
    assert!(matches!(chain.next(Millis(0)), Step::Attempt(_)), "just fits");
    let mut chain = self::chain(plan);
    assert_eq!(chain.next(Millis(1)), Step::Degrade { last: None });
    assert_eq!(chain.record().skipped.iter().map(|skip| skip.reason).collect::<Vec<_>>(), [SkipReason::Deadline; 3]);
}

#[test]
fn a_caller_may_shorten_the_deadline_and_never_lengthen_it() {
    let deadline = |caller| Chain::new(three(), false, caller, 0).deadline();
    assert_eq!(deadline(None), Millis::secs(60));
    assert_eq!(deadline(Some(Millis(900))), Millis(900));
    assert_eq!(deadline(Some(Millis::secs(90))), Millis::secs(60));
    let mut chain = Chain::new(three(), false, Some(Millis(150)), 0);
    assert_eq!(chain.next(Millis(0)), Step::Degrade { last: None });
}

#[test]
fn streams_have_limits_of_their_own() {
    let limits = |streaming| match Chain::new(three(), streaming, None, 0).next(Millis(0)) {
        Step::Attempt(start) => start.limits,
        other => panic!("{other:?}"),
    };
    let whole = Limits { attempt: Millis::secs(10), first_token: None, idle: None, stream_limit: None };
    assert_eq!(limits(false), whole);
    let stream = Limits {
        attempt: Millis::secs(10),
        first_token: Some(Millis::secs(5)),
        idle: Some(Millis::secs(3)),
        stream_limit: Some(Millis::secs(600)),
    };
    assert_eq!(limits(true), stream);
}

#[test]
fn a_held_stream_needs_time_for_its_first_token_to_start() {
    let starts = |hold, left: u64| {
        let plan = Run { hold, ..three() };
        let mut chain = Chain::new(plan, true, Some(Millis(left) + DEGRADE_RESERVE), 0);
        matches!(chain.next(Millis(0)), Step::Attempt(_))
    };
    assert!(starts(Hold::FirstToken, 5000) && !starts(Hold::FirstToken, 4999));
    assert!(starts(Hold::Complete, 2500) && !starts(Hold::Complete, 2499));
}

#[test]
fn a_released_stream_that_breaks_ends_the_chain_or_is_resumed() {
    for (on_cut, resumes) in [(OnCut::Error, false), (OnCut::Resume, true)] {
        let mut chain = Chain::new(Run { on_cut, ..three() }, true, None, 0);
        chain.next(Millis(0));
        chain.released(Millis(300));
        assert_eq!(chain.cut(Millis(900), Network), resumes);
        let attempt = chain.record().attempts[0];
        assert_eq!((attempt.released, attempt.outcome), (Some(Millis(300)), Some(Outcome::Cut(Network))));
        let next = chain.next(Millis(900));
        assert_eq!(matches!(next, Step::Attempt(Start { hop: 1, .. })), resumes);
    }
}

#[test]
fn a_second_answer_with_other_words_leaves_the_stream_cut() {
    let mut chain = Chain::new(Run { on_cut: OnCut::Resume, ..three() }, true, None, 0);
    chain.diverged(Millis(0));
    assert!(matches!(chain.next(Millis(0)), Step::Attempt(_)), "nothing runs that could differ");
    chain.released(Millis(300));
    assert!(chain.cut(Millis(900), Network));
    assert!(matches!(chain.next(Millis(900)), Step::Attempt(Start { hop: 1, .. })));
    chain.diverged(Millis(1200));
    assert_eq!(chain.next(Millis(1200)), degrade(Network), "no third hop is asked");
    let second = chain.record().attempts[1];
    assert_eq!((second.outcome, second.failure(), second.ended), (Some(Outcome::Diverged), None, Some(Millis(1200))));
}

#[test]
fn a_hop_that_fails_while_it_resumes_leaves_it_to_the_next() {
    let mut chain = Chain::new(Run { on_cut: OnCut::Resume, ..three() }, true, None, 0);
    chain.next(Millis(0));
    chain.released(Millis(300));
    assert!(chain.cut(Millis(900), Network));
    chain.next(Millis(900));
    chain.failed(Millis(1000), 1, Overload, None);
    assert!(matches!(chain.next(Millis(1000)), Step::Attempt(Start { hop: 2, .. })));
    let late = Millis::secs(60);
    let mut chain = Chain::new(Run { on_cut: OnCut::Resume, ..three() }, true, None, 0);
    chain.next(Millis(0));
    chain.released(Millis(300));
    assert!(chain.cut(late, Network));
    assert_eq!(chain.next(late), degrade(Network), "its deadline has passed");
}

#[test]
fn the_record_says_what_was_tried() {
    let mut chain = chain(three());
    chain.next(Millis(5));
    chain.failed(Millis(105), 0, Timeout, None);
    chain.next(Millis(105));
    chain.released(Millis(400));
    chain.completed(Millis(500));
    let record = chain.record();
    let rows: Vec<_> =
        record.attempts.iter().map(|a| (a.position, a.started.0, a.duration(Millis(0)).0, a.failure())).collect();
    assert_eq!(rows, [(1, 5, 100, Some(Timeout)), (2, 105, 395, None)]);
    assert_eq!(record.attempts[1].outcome, Some(Outcome::Completed));
}

#[test]
fn a_caller_who_left_ends_everything() {
    let mut chain = chain(three());
    chain.next(Millis(0));
    chain.canceled(Millis(10));
    chain.failed(Millis(20), 0, Network, None);
    assert_eq!(chain.record().attempts.len(), 1);
    assert_eq!(chain.record().attempts[0].outcome, Some(Outcome::Canceled));
    assert!(matches!(chain.next(Millis(20)), Step::Degrade { last: None }));
}

#[test]
fn an_empty_chain_degrades_at_once() {
    assert_eq!(chain(run(Vec::new())).next(Millis(0)), Step::Degrade { last: None });
}

fn failures() -> impl Strategy<Value = Failure> {
    proptest::sample::select(Failure::ALL.to_vec())
}

fn sets() -> impl Strategy<Value = FailureSet> {
    proptest::collection::vec(failures(), 0..13)
        .prop_map(|failures| failures.into_iter().fold(FailureSet::EMPTY, FailureSet::with))
}

prop_compose! {
    fn hops()(
        timeout in 1u64..90_000, first_token in 1u64..20_000, count in 0u32..5, backoff in 0u64..5000,
        retry_on in sets(), on in sets(), window in 1u64..5
    ) -> PlannedHop {
        PlannedHop {
            timeout: Millis(timeout),
            first_token: Millis(first_token.min(timeout)),
            retry: Retry { count, on: retry_on, backoff: Millis(backoff) },
            on,
            max_input: Tokens(window),
            ..hop(1, Retry::NONE)
        }
    }
}

proptest! {
    /// Whatever fails whenever: no attempt starts or may run past the deadline less the reserve, attempts are bounded, hops
    /// are never returned to, windows only grow after `context_length`, and the chain ends.
    #[test]
    fn no_chain_misbehaves(
        hops in proptest::collection::vec(hops(), 0..6), streaming in any::<bool>(), held in any::<bool>(),
        deadline in 0u64..120_000, caller in proptest::option::of(0u64..120_000), seed in any::<u64>(),
        script in proptest::collection::vec((0u64..40_000, failures(), proptest::option::of(0u64..70_000)), 60)
    ) {
        let hold = if held { Hold::Complete } else { Hold::FirstToken };
        let plan = Run { hold, deadline: Millis(deadline), ..run(hops.clone()) };
        let most: u32 = hops.iter().map(|hop| 1 + hop.retry.count).sum::<u32>() + 1;
        let end = Millis(deadline.min(caller.unwrap_or(u64::MAX))) - DEGRADE_RESERVE;
        let mut chain = Chain::new(plan, streaming, caller.map(Millis), seed);
        let (mut now, mut attempts, mut last_hop, mut too_small) = (Millis(0), 0, 0, 0);
        let mut script = script.into_iter();
        loop {
            let step = chain.next(now);
            let again = if matches!(step, Step::Attempt(_)) { Step::Await { hedge: None } } else { step };
            prop_assert_eq!(chain.next(now), again, "an attempt is asked for once, anything else as often as wanted");
            match step {
                Step::Attempt(start) => {
                    attempts += 1;
                    prop_assert!(attempts <= most);
                    prop_assert!(start.hop >= last_hop, "never back");
                    prop_assert!(start.limits.attempt > Millis(0) && now + start.limits.attempt <= end);
                    prop_assert!(start.limits.attempt <= hops[start.hop].timeout);
                    prop_assert!(hops[start.hop].max_input.0 > too_small);
                    prop_assert_eq!(start.limits.first_token.is_some(), streaming);
                    last_hop = start.hop;
                    let (takes, failure, retry_after) = script.next().unwrap();
                    now += Millis(takes).min(start.limits.attempt);
                    if failure == ContextLength {
                        too_small = too_small.max(hops[start.hop].max_input.0);
                    }
                    chain.failed(now, start.hop, failure, retry_after.map(Millis));
                }
                Step::Await { .. } => prop_assert!(false, "nothing is in flight"),
                Step::Wait { until } => {
                    prop_assert!(until > now && until < end);
                    now = until;
                }
                Step::Return { failure, .. } => {
                    prop_assert!(matches!(failure, ContentFilter | Refusal | BadRequest));
                    break;
                }
                Step::Degrade { last } => {
                    prop_assert_eq!(last.is_some(), attempts > 0);
                    break;
                }
            }
        }
        prop_assert_eq!(chain.record().attempts.len(), attempts as usize);
        prop_assert!(chain.record().attempts.iter().all(|attempt| attempt.ended.is_some()));
    }
}
