//! The real binary under everything at once: 300 callers, providers that fail in every way, policies that change, a restart in the
//! middle. Nobody may be left without an answer, nobody may wait for ever, no half of an answer may look like a whole one, and
//! the process must not grow.
//!
//! `WAYSIDE_SOAK_SECONDS=3600 cargo test --test soak` for an hour instead of the usual 20 seconds.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]
#![allow(clippy::print_stdout, reason = "what was counted and measured, with --nocapture or when it fails")]

#[path = "soak/caller.rs"]
mod caller;
#[path = "soak/process.rs"]
mod process;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use caller::{Counts, Way};
use process::{Life, Sidecar};
use tokio::sync::watch;
use tokio::task::JoinSet;
use wayside::simulate;

const CALLERS: usize = 300;
const USUAL_SECONDS: u64 = 20;
/// Idle connections to providers that the sidecar may keep.
const POOL: usize = 32;

const POLICY: &str = r#"route 1
policy soak { deadline 12s }
defaults { timeout 4s, first_token 2s, idle 1s }
plans [free]
feature reply {}
feature tags {}
feature careful {}
tier mid {
  anthropic/claude-sonnet-5
  openai/gpt-5.4-2026-03-05
}
template sorry "Please try again later (edition 0)."

rule ends {
  because "Callers of this feature want an error where nothing answers."
  when feature is tags
  tier mid
  snapshot anthropic/claude-sonnet-5
  degrade error 503 "no tags today"
}
rule careful {
  because "Callers of this feature want a whole answer or another one."
  when feature is careful
  tier mid
  snapshot anthropic/claude-sonnet-5
  fallback peer openai/gpt-5.4-2026-03-05
  hold complete
  degrade template sorry
}
otherwise {
  tier mid
  snapshot anthropic/claude-sonnet-5
  fallback peer openai/gpt-5.4-2026-03-05
  degrade template sorry
}
"#;

/// What goes wrong at the first hop. Shares that differ, since a share hits every so many requests: equal ones would all hit the same.
const FIRST_HOP: [(&str, &str); 21] = [
    ("500", "1.2%"),
    ("503", "1.3%"),
    ("429;retry-after-ms=200", "1.4%"),
    ("reset", "1.5%"),
    ("hangup", "1.6%"),
    ("silence", "1.1%"),
    ("garbage", "1.7%"),
    ("stall=3", "1.8%"),
    ("cut=4", "1.9%"),
    ("close=3", "2%"),
    ("end=3", "2.1%"),
    ("malformed=2;repeat=3", "2.2%"),
    ("error-event=3", "2.3%"),
    ("slow-first-token=300ms", "2.4%"),
    ("slow-head=300ms", "2.5%"),
    ("wrong-model", "0.9%"),
    ("truncated", "1.55%"),
    ("not-json", "1.65%"),
    ("empty-body", "1.75%"),
    ("no-done", "1.85%"),
    ("delay=30ms", "1.95%"),
];
/// At the second.
const SECOND_HOP: [(&str, &str); 5] =
    [("500", "3%"), ("reset", "3.5%"), ("cut=4", "4%"), ("stall=5", "4.5%"), ("slow-first-token=500ms", "5%")];

fn faults() -> String {
    let rule = |provider: &str, (fault, share): &(&str, &str)| {
        format!("- {{provider: {provider}, fault: \"{fault}\", share: {share}}}\n")
    };
    let first = FIRST_HOP.iter().map(|fault| rule("anthropic", fault));
    first.chain(SECOND_HOP.iter().map(|fault| rule("openai", fault))).collect()
}

fn config(simulator: &simulate::Handle) -> String {
    let provider = |name| format!("  {name}: {{base_url: '{}', key: sk-soak}}\n", simulator.base_url(name));
    format!(
        "listen: [127.0.0.1:0, 'unix:way.sock']\nadmin: 127.0.0.1:0\npolicy: policy.route\nproviders:\n{}{}\
         limits: {{pool: {POOL}}}\nbreakers: {{pause: 300ms, longest_pause: 1s}}\nlog: {{requests: 'off', level: error}}\n\
         identity: {{default_plan: free}}\n",
        provider("anthropic"),
        provider("openai"),
    )
}

/// Writes a new policy now and then, and every fourth time one that is wrong.
async fn keep_changing(policy: PathBuf) {
    for edition in 1_u64.. {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let text = match edition % 4 {
            0 => "route 1\nrule broken {".to_owned(),
            _ => POLICY.replace("edition 0", &format!("edition {edition}")),
        };
        std::fs::write(&policy, text).unwrap();
    }
}

fn length() -> Duration {
    let seconds = std::env::var("WAYSIDE_SOAK_SECONDS").ok();
    Duration::from_secs(seconds.map_or(USUAL_SECONDS, |seconds| seconds.parse().expect("whole seconds")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_hung_or_cut_short() {
    let length = length();
    let simulator = simulate::start(simulate::Options { faults: faults(), ..Default::default() }).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("policy.route"), POLICY).unwrap();
    std::fs::write(directory.path().join("wayside.yaml"), config(&simulator)).unwrap();

    let sidecar = Sidecar::start(directory.path());
    let (tell, place) = watch::channel(sidecar.place.clone());
    let counts = Arc::new(Counts::default());
    let stop = Arc::new(AtomicBool::new(false));
    let mut callers = JoinSet::new();
    for number in 0..CALLERS {
        let way = Way::of(number);
        callers.spawn(caller::call_until(Arc::clone(&stop), number, way, place.clone(), Arc::clone(&counts)));
    }
    let policy = directory.path().join("policy.route");
    let changing = tokio::spawn(keep_changing(policy.clone()));

    Life::of(&sidecar, length / 2).await.is_flat();
    let before = sidecar.reloads().await;
    let (code, printed) = sidecar.terminate().await;
    assert_eq!(code, Some(0), "{printed}");
    // Nobody starts a process with a policy that is known to be wrong.
    changing.abort();
    assert!(changing.await.unwrap_err().is_cancelled());
    std::fs::write(&policy, POLICY).unwrap();
    let sidecar = Sidecar::start(directory.path());
    let changing = tokio::spawn(keep_changing(policy));
    let idle_files = sidecar.open_files();
    tell.send(sidecar.place.clone()).unwrap();
    Life::of(&sidecar, length / 2).await.is_flat();
    stop.store(true, Ordering::Relaxed);

    while let Some(caller) = callers.join_next().await {
        caller.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
    }
    changing.abort();
    let after = sidecar.reloads().await;
    let rejected = before.rejected + after.rejected;
    assert!(before.taken > 0 && after.taken > 0 && rejected > 0, "{before:?} {after:?}");
    sidecar.settle_at(idle_files + POOL + process::SLACK_FILES).await;
    assert_eq!(simulator.settled(Duration::from_secs(10)).await.in_flight, 0, "a call that nobody waits for goes on");
    let (code, printed) = sidecar.terminate().await;
    assert_eq!(code, Some(0), "{printed}");

    let count = |which: &AtomicUsize| which.load(Ordering::Relaxed);
    println!("{counts:?}");
    for (kind, seen) in [
        ("answered", &counts.answered),
        ("degraded", &counts.degraded),
        ("errors", &counts.errors),
        ("cut", &counts.cut),
        ("left", &counts.left),
    ] {
        assert!(count(seen) > 0, "{kind}: the mix has lost an ingredient: {counts:?}");
    }
    let ended = count(&counts.answered) + count(&counts.degraded) + count(&counts.errors) + count(&counts.cut);
    assert!(count(&counts.answered) * 2 > ended, "{counts:?}");
    // The restart closes connections that nothing is asked on. Whoever hears of it before asking has lost nothing (how many do
    // depends on how busy the machine is); a request that is on its way at that moment, or a connection that is just being made,
    // meets the end of it. Few do, and none whose request was read.
    assert!(count(&counts.closed_under) + count(&counts.turned_away) <= CALLERS / 50, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reload_after_reload_leaves_nothing_behind() {
    let length = length() / 2;
    let simulator = simulate::start(simulate::Options::default()).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let authority = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap().cert.pem();
    // Every edition has another policy, another key, other authorities, and a provider whose name is looked up.
    let write = |edition: u64| {
        // At once, as every tool that changes the files of a running process should.
        let put = |name: &str, text: String| {
            let (new, path) = (directory.path().join("new"), directory.path().join(name));
            std::fs::write(&new, text).unwrap();
            std::fs::rename(new, path).unwrap();
        };
        put("policy.route", POLICY.replace("edition 0", &format!("edition {edition}")));
        put("ca.pem", format!("{authority}# {edition}\n"));
        let openai = format!("'{}'", simulator.base_url("openai"));
        let openai_now = format!("'https://localhost:1/v1', ca_file: ca.pem, headers: {{x-edition: '{edition}'}}");
        put("wayside.yaml", config(&simulator).replace(&openai, &openai_now));
    };
    write(0);
    let sidecar = Sidecar::start(directory.path());
    let mut edition = 0;
    let life = {
        let mut looking = Box::pin(Life::of(&sidecar, length));
        loop {
            edition += 1;
            write(edition);
            tokio::select! {
                biased;
                life = &mut looking => break life,
                () = sidecar.reload() => {}
            }
        }
    };
    life.is_flat();
    let reloads = sidecar.reloads().await;
    println!("{edition} editions, {reloads:?}");
    // Files are written one after the other, and are watched, too: some editions are taken in two steps.
    assert!(reloads.taken > 10 && reloads.rejected == 0, "{reloads:?}");
    let (code, printed) = sidecar.terminate().await;
    assert_eq!(code, Some(0), "{printed}");
}
