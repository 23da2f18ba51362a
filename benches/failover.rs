//! What a dead primary costs a caller: from the request to the first byte of the fallback's answer, with a primary that refuses
//! connections, one that answers 503 at once, and either of them left alone by its breaker. A healthy primary stands beside them.
//!
//! `cargo bench --bench failover` prints the table of the README and fails when a bar is missed: at most 5 ms at the 99th
//! percentile on top of a healthy primary (the policy says `retry 0`, so no backoff is in it), and not one question to a primary
//! whose breaker is open. Rounds are interleaved, because machines are noisy.
//!
//! `cargo bench --bench failover -- --rounds 40` takes longer and is steadier.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark that cannot run must stop")]
#![allow(clippy::print_stdout, reason = "the report is the product")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use wayside::serve::{Options, Origin, Running, read_config, start};

/// Requests of one round in each case.
const REQUESTS: usize = 100;
/// At the 99th percentile, beyond a healthy primary.
const BAR: Duration = Duration::from_millis(5);

const POLICY: &str = r#"route 1
policy failover { timezone "UTC" }
tier mid {
  anthropic/claude-sonnet-5
  openai/gpt-5.4-2026-03-05
}
template sorry "Please try again."
otherwise {
  tier            mid
  snapshot        anthropic/claude-sonnet-5, retry 0
  fallback peer   openai/gpt-5.4-2026-03-05
  degrade         template sorry
}
"#;

/// A provider that answers every request at once.
struct Provider {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Provider {
    fn answering(model: &'static str) -> Self {
        let whole = format!(
            r#"{{"id":"c","object":"chat.completion","created":1,"model":"{model}","choices":[{{"index":0,"message":{{"role":"assistant","content":"hi"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":9,"completion_tokens":1,"total_tokens":10}}}}"#
        );
        let event = |delta: &str, finish: &str| {
            format!(
                "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"{model}\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
            )
        };
        let words = event(r#"{"role":"assistant","content":"hi"}"#, "null");
        let stream = words + &event("{}", "\"stop\"") + "data: [DONE]\n\n";
        let head = |kind: &str, length: usize| {
            format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n")
        };
        let whole = head("application/json", whole.len()) + &whole;
        let stream = head("text/event-stream", stream.len()) + &stream;
        Self::with(move |request| if request.contains("\"stream\":true") { stream.clone() } else { whole.clone() })
    }

    /// Without a wish to be left alone, which every request after the first would meet.
    fn down() -> Self {
        Self::with(|_| "HTTP/1.1 503 Service Unavailable\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n".to_owned())
    }

    fn with(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, asked, answer) =
            (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)), Arc::new(answer));
        let counted = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, answer, counted) = (stream.unwrap(), Arc::clone(&answer), Arc::clone(&counted));
                stream.set_nodelay(true).unwrap();
                std::thread::spawn(move || {
                    let mut bytes = vec![0; 16 << 10];
                    // These requests are short, and come in one piece.
                    while let Ok(read @ 1..) = stream.read(&mut bytes) {
                        counted.fetch_add(1, Ordering::Relaxed);
                        let request = String::from_utf8_lossy(&bytes[..read]);
                        if stream.write_all(answer(&request).as_bytes()).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { address, asked }
    }

    fn nobody() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
    }
}

/// A sidecar in front of a primary and a fallback, with its request log on.
struct Case {
    name: &'static str,
    sidecar: Running,
    caller: TcpStream,
    whole: Vec<Duration>,
    streamed: Vec<Duration>,
    _files: tempfile::TempDir,
}

impl Case {
    fn new(name: &'static str, primary: SocketAddr, fallback: &Provider, breakers: &str) -> Self {
        let files = tempfile::tempdir().unwrap();
        let config = format!(
            "listen: 127.0.0.1:0\nadmin: 'off'\nlimits: {{threads: 1}}\nlog: {{requests: requests.log, level: error}}\n\
             breakers: {{{breakers}}}\nproviders:\n  anthropic: {{dialect: chat, base_url: 'http://{primary}/v1', key: k}}\n  \
             openai: {{base_url: 'http://{}/v1', key: k}}\n",
            fallback.address
        );
        let path = files.path().join("wayside.yaml");
        std::fs::write(&path, config).unwrap();
        std::fs::write(files.path().join("policy.route"), POLICY).unwrap();
        let origin = Origin { config: Some(path.clone()), policy: None };
        let options = Options { config: read_config(&path).unwrap(), origin, sink: None, watch: false };
        let sidecar = start(options).unwrap_or_else(|error| panic!("{error}"));
        let caller = TcpStream::connect(sidecar.address().unwrap()).unwrap();
        caller.set_nodelay(true).unwrap();
        caller.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Self { name, sidecar, caller, whole: Vec::new(), streamed: Vec::new(), _files: files }
    }

    fn ask(&mut self, stream: bool) -> Duration {
        let body =
            format!(r#"{{"model":"gpt-5.4","stream":{stream},"messages":[{{"role":"user","content":"hello"}}]}}"#);
        let request =
            format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let (mut bytes, mut seen) = ([0; 16 << 10], Vec::new());
        let since = Instant::now();
        self.caller.write_all(request.as_bytes()).unwrap();
        let first = self.caller.read(&mut bytes).unwrap();
        let took = since.elapsed();
        seen.extend_from_slice(&bytes[..first]);
        assert!(seen.starts_with(b"HTTP/1.1 200"), "{}: {}", self.name, String::from_utf8_lossy(&seen));
        while !is_whole(&seen) {
            let read = self.caller.read(&mut bytes).unwrap();
            assert!(read > 0, "{}: cut: {}", self.name, String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&bytes[..read]);
        }
        took
    }

    fn round(&mut self, keep: bool) {
        for _ in 0..REQUESTS {
            let (whole, streamed) = (self.ask(false), self.ask(true));
            if keep {
                self.whole.push(whole);
                self.streamed.push(streamed);
            }
        }
    }
}

fn is_whole(seen: &[u8]) -> bool {
    let text = String::from_utf8_lossy(seen).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    match head.split("content-length: ").nth(1) {
        Some(length) => body.len() >= length.lines().next().unwrap().trim().parse().unwrap(),
        None => body.ends_with("\r\n0\r\n\r\n"),
    }
}

/// The 50th and the 99th percentile.
fn percentiles(times: &mut [Duration]) -> [Duration; 2] {
    times.sort_unstable();
    [times[times.len() / 2], times[times.len() * 99 / 100]]
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let rounds = arguments.iter().position(|one| one == "--rounds").and_then(|at| arguments.get(at + 1));
    let rounds: usize = rounds.map_or(15, |rounds| rounds.parse().expect("a number"));
    let (healthy, fallback) = (Provider::answering("claude-sonnet-5"), Provider::answering("gpt-5.4-2026-03-05"));
    let (down, left_alone, nobody) = (Provider::down(), Provider::down(), Provider::nobody());
    const NEVER: &str = "attempts: 4000000000";
    const AT_ONCE: &str = "attempts: 1, pause: 300s";
    let mut cases = [
        Case::new("healthy", healthy.address, &fallback, NEVER),
        Case::new("refuses connections", nobody, &fallback, NEVER),
        Case::new("answers 503", down.address, &fallback, NEVER),
        Case::new("refuses connections, breaker open", nobody, &fallback, AT_ONCE),
        Case::new("answers 503, breaker open", left_alone.address, &fallback, AT_ONCE),
    ];
    for round in 0..=rounds {
        // The first round opens connections and breakers.
        cases.iter_mut().for_each(|case| case.round(round > 0));
    }
    println!("| primary | answer | p50 µs | p99 µs | p50 beyond healthy, µs | p99 beyond healthy, µs |");
    println!("|---|---|---|---|---|---|");
    let mut missed = Vec::new();
    for answer in ["whole", "stream"] {
        let mut usual = None;
        for case in &mut cases {
            let times = percentiles(if answer == "whole" { &mut case.whole } else { &mut case.streamed });
            let usual = *usual.get_or_insert(times);
            let micros = |time: Duration| time.as_secs_f64() * 1e6;
            let beyond = [0, 1].map(|at| micros(times[at]) - micros(usual[at]));
            println!(
                "| {} | {answer} | {:.0} | {:.0} | {:.0} | {:.0} |",
                case.name,
                micros(times[0]),
                micros(times[1]),
                beyond[0],
                beyond[1]
            );
            if beyond[1] > micros(BAR) {
                missed.push(format!("{}, {answer}: {:.0} µs beyond a healthy primary", case.name, beyond[1]));
            }
        }
    }
    // Whoever asked before the breaker opened was the first.
    let asked = left_alone.asked.load(Ordering::Relaxed);
    if asked > 1 {
        missed.push(format!("a primary with an open breaker was asked {asked} times"));
    }
    for case in cases {
        case.sidecar.stop();
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}
