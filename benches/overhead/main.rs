//! What Wayside costs beside nothing, beside a bare pingora copy loop and, where it is installed, beside nginx: all in one run.
//!
//! `cargo bench --bench overhead` prints the table of the README. Every contender is a process of its own with one worker
//! thread, pinned to one core; the upstream and the load share the other, but in the row that has all on one. Each round begins
//! every process anew: where one happens to lie in memory is worth more than 10 %, for as long as it lives. Within a round the
//! contenders take turns of a fraction of a second, so that a machine that slows down does so for all of them. Medians are printed,
//! of ratios those within a round, and of CPU the least as well: compare the columns of one run, never two runs.
//!
//! Wayside stands there three times: with nothing on that can be left out, as it is by default, and with everything on.
//!
//! `cargo bench --bench overhead -- --rounds 9 --millis 3000` takes longer and is steadier; `--only stream` measures one row;
//! `--beside FILE` measures another build of the binary in the same run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark that cannot run must stop")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the report is the product")]

mod contenders;
mod copy;
mod load;
mod report;
mod upstream;

use std::path::Path;
use std::time::Duration;

use contenders::{Contender, Kind};
use load::{Sample, Scenario, Shape, Tally};

/// Bytes of a prompt that is below every window of the policy by its length alone.
pub const LONG_PROMPT: usize = 800 << 10;
/// Turns that each contender takes in a round.
const SLICES: u32 = 8;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("upstream") => upstream::run(),
        Some("copy-loop") => copy::run(arguments[1].parse().expect("the upstream's port")),
        _ => compare(&arguments),
    }
}

fn option(arguments: &[String], name: &str, default: u64) -> u64 {
    let at = arguments.iter().position(|argument| argument == name);
    at.and_then(|at| arguments.get(at + 1)).map_or(default, |value| value.parse().expect("a number"))
}

fn compare(arguments: &[String]) {
    let rounds = option(arguments, "--rounds", 5);
    let seconds = Duration::from_millis(option(arguments, "--millis", 1500));
    let upstream = contenders::upstream();
    let text = |name: &str| arguments.iter().position(|one| one == name).and_then(|at| arguments.get(at + 1));
    let beside = text("--beside").map(Path::new);
    let kinds = Kind::ALL.into_iter().filter(|kind| *kind != Kind::Beside || beside.is_some());
    let chat = Shape::Chat { bytes: 2 << 10 };
    let scenario = |name, shape, connections| Scenario { name, shape, connections, together: false };
    let scenarios = [
        scenario("2 KB chat, 1 connection", chat, 1),
        Scenario { name: "2 KB chat, 1 connection, one core", shape: chat, connections: 1, together: true },
        scenario("2 KB chat, 16 connections", chat, 16),
        scenario("800 KB prompt, 4 connections", Shape::Chat { bytes: LONG_PROMPT }, 4),
        scenario("100-event stream, 16 connections", Shape::Stream, 16),
        scenario("fallback after a 503, 16 connections", Shape::Fallback, 16),
    ];
    let mut report = report::Report::default();
    let only = text("--only");
    for scenario in scenarios.iter().filter(|scenario| only.is_none_or(|only| scenario.name.contains(only.as_str()))) {
        for round in 1..=rounds {
            eprint!("\r\x1b[K{} ({round}/{rounds})", scenario.name);
            let kinds = kinds.clone().filter(|kind| kind.can(scenario));
            let begun: Vec<_> = kinds.filter_map(|kind| Some((kind, kind.begin(&upstream, beside)?))).collect();
            if scenario.together {
                begun.iter().for_each(|(_, contender)| contender.join_the_load());
            }
            for (kind, sample) in take_turns(begun, scenario, seconds) {
                report.add(scenario.name, kind.name(), sample);
            }
        }
    }
    eprintln!("\r\x1b[K");
    report.print();
    report::footprint(&upstream);
}

/// What each contender shows in so much time, which it gets in slices, one after another.
fn take_turns(contenders: Vec<(Kind, Contender)>, scenario: &Scenario, time: Duration) -> Vec<(Kind, Sample)> {
    // Caches, pools and the branch predictor are cold.
    for (_, contender) in &contenders {
        load::measure(contender, scenario, time / 4, &mut Tally::default());
    }
    let mut tallies: Vec<Tally> = contenders.iter().map(|_| Tally::default()).collect();
    for _ in 0..SLICES {
        for ((_, contender), tally) in contenders.iter().zip(&mut tallies) {
            load::measure(contender, scenario, time / SLICES, tally);
        }
    }
    let both = contenders.into_iter().zip(tallies);
    both.map(|((kind, contender), tally)| (kind, tally.sample(&contender))).collect()
}
