//! Thousands of reloads under load: every request is answered, and nothing of what was in force before stays behind.
//!
//! A program of its own: what is measured is the whole process.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]
#![allow(clippy::print_stdout, reason = "what was measured, with --nocapture or when it fails")]
#![allow(dead_code, reason = "of the client and the scripts, this needs a part")]

#[path = "proxy/client.rs"]
mod client;
#[path = "proxy/scripted.rs"]
mod scripted;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use client::{Connection, chat_stream};
use scripted::{Script, says, upstream};
use wayside::serve::{Options, Origin, Reloaded, read_config, start};
use wayside::telemetry::Sink;

const RELOADS: usize = 2_000;
/// In which pools, caches and the allocator find their size.
const WARM: usize = 500;
/// Of the 1,500 behind them: one policy in force takes about a hundred kilobytes, so what is kept of each would be ten times this.
const SLACK_MEGABYTES: u64 = 16;

const POLICY: &str = r#"route 1
tier mid { anthropic/claude-sonnet-5 }
template sorry "edition 0"
otherwise {
  tier mid
  degrade template sorry
}
"#;

/// Megabytes resident, open files and threads of this process.
fn measure() -> (u64, usize, usize) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let count = |what: &str| std::fs::read_dir(format!("/proc/self/{what}")).unwrap().count();
    let kilobytes: u64 = line.split_whitespace().next().unwrap().parse().unwrap();
    (kilobytes / 1024, count("fd"), count("task"))
}

/// Another policy, another key, and a provider whose name is looked up.
fn write(directory: &Path, port: u16, edition: usize) {
    let config = format!(
        "listen: 127.0.0.1:0\nadmin: 'off'\nlimits: {{pool: 8}}\nproviders:\n  \
         anthropic: {{dialect: chat, base_url: 'http://localhost:{port}/v1', key: key-{edition}}}\n"
    );
    std::fs::write(directory.join("wayside.yaml"), config).unwrap();
    std::fs::write(directory.join("policy.route"), POLICY.replace("edition 0", &format!("edition {edition}"))).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_reloads_under_load_leave_nothing_behind() {
    let provider = upstream(vec![Script::stream(&says("claude-sonnet-5", &["hello"]))]).await;
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), provider.port(), 0);
    let config = directory.path().join("wayside.yaml");
    let options = Options {
        config: read_config(&config).unwrap(),
        origin: Origin { config: Some(config), policy: None },
        sink: Some(Sink::Off),
        watch: false,
    };
    let sidecar = start(options).unwrap_or_else(|error| panic!("{error}"));
    let (address, stop, answered) =
        (sidecar.address().unwrap(), Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let callers: Vec<_> = (0..2)
        .map(|_| {
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            tokio::spawn(async move {
                let mut connection = Connection::open(address).await;
                while !stop.load(Ordering::Relaxed) {
                    let answer = connection.post(&chat_stream("m", "x"), &[]).await;
                    assert_eq!(
                        (answer.status, answer.clean, answer.streamed()),
                        (200, true, "hello".to_owned()),
                        "{}",
                        answer.text()
                    );
                    answered.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            })
        })
        .collect();
    let begun = Instant::now();
    let place = directory.path().to_owned();
    let reloading = tokio::task::spawn_blocking(move || {
        let mut warm = None;
        for edition in 1..=RELOADS {
            write(&place, provider.port(), edition);
            assert_eq!(sidecar.reload(), Ok(Reloaded::Changed), "{edition}");
            if edition == WARM {
                warm = Some(measure());
            }
        }
        (warm.unwrap(), measure(), sidecar)
    });
    let (warm, late, sidecar) = reloading.await.unwrap();
    let took = begun.elapsed();
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }
    let answered = answered.load(Ordering::Relaxed);
    println!("{RELOADS} reloads in {took:?} beside {answered} answers; megabytes, files, threads: {warm:?}, {late:?}");
    assert!(answered > 100, "{answered} answers are no load");
    assert!(late.0 <= warm.0 + SLACK_MEGABYTES, "{warm:?} {late:?}");
    // A connection or a blocking thread more or less is chance.
    assert!(late.1 <= warm.1 + 16 && late.2 <= warm.2 + 8, "{warm:?} {late:?}");
    sidecar.stop();
}
