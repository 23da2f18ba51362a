//! The limits of running tests: attempts of a walk, combinations behind `*`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

mod place;
mod policies;

use place::{Place, contains};
use policies::compile;
use wayside::failure::{Failure, FailureSet};
use wayside::policy::explain::explain;
use wayside::policy::plan::Action;
use wayside::policy::test::MAX_COMBINATIONS;
use wayside::rehearse::walk::{Ending, Goes, MAX_ATTEMPTS, walk};
use wayside::units::Millis;

#[test]
fn ten_thousand_attempts_are_walked_and_one_more_is_given_up() {
    let policy = compile("route 1\ntier mid { openai/gpt-5.4-2026-03-05 }\notherwise { tier mid }\n", "");
    let asked = policy.ask("prompt_tokens=1k").unwrap();
    let Action::Run(run) = explain(&policy.tree, &asked).plan.unwrap().action else { panic!("refused") };
    let walked = |attempts: usize| {
        let mut run = run.clone();
        run.hops[0].retry.count = attempts as u32 - 1;
        run.hops[0].retry.on = FailureSet::EMPTY.with(Failure::Overload);
        run.hops[0].retry.backoff = Millis(0);
        walk(run, false, |_| Goes::Fails(Failure::Overload))
    };
    let most = walked(MAX_ATTEMPTS);
    assert_eq!((most.ending, most.attempts.len()), (Ending::Degraded(Some(Failure::Overload)), MAX_ATTEMPTS));
    assert_eq!(walked(MAX_ATTEMPTS + 1).ending, Ending::Endless);
}

#[test]
fn rows_stand_for_1024_combinations_and_no_more() {
    let values = |name: &str, count: usize| {
        let list: Vec<String> = (0..count).map(|at| format!("{name}{at}")).collect();
        format!("attribute {name} is one of [{}], from header \"x-{name}\"\n", list.join(", "))
    };
    let run = |(a, b): (usize, usize)| {
        let place = Place::new();
        let policy = format!(
            "route 1\n{}{}tier mid {{ openai/gpt-5.4-2026-03-05, anthropic/claude-sonnet-5 }}\notherwise {{ tier mid }}\n",
            values("a", a),
            values("b", b)
        );
        place.file("p.route", policy);
        let table = "  table a, b -> snapshot {\n    * * -> openai/gpt-5.4-2026-03-05\n  }\n";
        place.file("p.test.route", format!("route 1\nuse \"p.route\"\ntest \"any\" {{\n  given now 2026-11-23 10:00\n  request {{ prompt_tokens 1k }}\n{table}}}\n"));
        place.run(&["test", "p.test.route"])
    };
    assert_eq!(MAX_COMBINATIONS, 32 * 32);
    let most = run((32, 32));
    assert_eq!(most.code, 0, "{}", most.out);
    // 25 × 41 is one more.
    let more = run((25, 41));
    assert_eq!(more.code, 1, "{}", more.out);
    contains(&more.out, "not proven: more than 1024 combinations of values");
}
