//! Load: keep-alive connections that ask, read the whole answer and ask again.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::contenders::Contender;

/// One row of the table.
pub struct Scenario {
    pub name: &'static str,
    pub shape: Shape,
    pub connections: usize,
    /// Everybody on one core: what a proxy adds, without what it takes to wake another core.
    pub together: bool,
}

/// What is asked.
#[derive(Clone, Copy, PartialEq)]
pub enum Shape {
    /// A chat request of so many bytes.
    Chat { bytes: usize },
    /// A streamed answer of 100 events.
    Stream,
    /// A chat request whose first hop answers 503.
    Fallback,
}

/// What one run showed.
#[derive(Clone, Copy)]
pub struct Sample {
    pub p50: Duration,
    pub p99: Duration,
    pub per_second: f64,
    /// Of the contender's processes, for each request.
    pub cpu: Option<Duration>,
}

impl Shape {
    /// Head and body. The upstream decides by the path, the proxy by the feature.
    pub fn request(self) -> Vec<u8> {
        let (bytes, stream, feature) = match self {
            Self::Chat { bytes } => (bytes, false, "chat"),
            Self::Stream => (2 << 10, true, "chat"),
            Self::Fallback => (2 << 10, false, "fallback"),
        };
        let frame = format!(
            r#"{{"model":"gpt-5.4","stream":{stream},"temperature":0.2,"messages":[{{"role":"system","content":"Answer briefly."}},{{"role":"user","content":""}}]}}"#
        );
        let words = "the quick brown fox jumps over the lazy dog and ".bytes().cycle();
        let prompt: Vec<u8> = words.take(bytes.saturating_sub(frame.len())).collect();
        let body =
            frame.replace(r#""content":""}"#, &format!(r#""content":"{}"}}"#, String::from_utf8(prompt).unwrap()));
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             authorization: Bearer sk-caller\r\nuser-agent: OpenAI/Python 3.54.0\r\naccept: application/json\r\n\
             x-wayside-feature: {feature}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        [head.into_bytes(), body.into_bytes()].concat()
    }
}

/// What was measured of one contender so far.
#[derive(Default)]
pub struct Tally {
    times: Vec<Duration>,
    elapsed: Duration,
    cpu: Duration,
}

/// Asks for `time` and adds how it went.
pub fn measure(contender: &Contender, scenario: &Scenario, time: Duration, tally: &mut Tally) {
    let request = Arc::new(scenario.shape.request());
    let stop = Arc::new(AtomicBool::new(false));
    let before = cpu(&contender.pids);
    let since = Instant::now();
    let clients: Vec<_> = (0..scenario.connections)
        .map(|_| {
            let (request, stop, address) = (Arc::clone(&request), Arc::clone(&stop), contender.address);
            std::thread::spawn(move || client(address, &request, &stop))
        })
        .collect();
    std::thread::sleep(time);
    stop.store(true, Ordering::Relaxed);
    tally.times.extend(clients.into_iter().flat_map(|client| client.join().expect("a client")));
    tally.elapsed += since.elapsed();
    tally.cpu += cpu(&contender.pids).saturating_sub(before);
}

impl Tally {
    pub fn sample(mut self, contender: &Contender) -> Sample {
        self.times.sort();
        let count = self.times.len();
        assert!(count > 0, "no answer from {}", contender.address);
        Sample {
            p50: self.times[count / 2],
            p99: self.times[(count * 99 / 100).min(count - 1)],
            per_second: count as f64 / self.elapsed.as_secs_f64(),
            cpu: (!contender.pids.is_empty()).then(|| self.cpu / count as u32),
        }
    }
}

fn client(address: std::net::SocketAddr, request: &[u8], stop: &AtomicBool) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut buffer = vec![0; 64 << 10];
    let mut times = Vec::with_capacity(1 << 16);
    while !stop.load(Ordering::Relaxed) {
        let since = Instant::now();
        stream.write_all(request).unwrap();
        answer(&mut stream, &mut buffer);
        times.push(since.elapsed());
    }
    times
}

/// Reads one answer, whose body has a length or is chunked, and checks its status.
pub fn answer(stream: &mut TcpStream, buffer: &mut [u8]) {
    let mut seen = Vec::new();
    let (head_end, length) = loop {
        let count = stream.read(buffer).unwrap();
        assert!(count > 0, "closed before an answer: {}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&buffer[..count]);
        if let Some(end) = find(&seen, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&seen[..end]).to_ascii_lowercase();
            assert!(head.starts_with("http/1.1 200"), "{}", String::from_utf8_lossy(&seen));
            let length =
                head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
            break (end + 4, length);
        }
    };
    let done = |seen: &[u8]| match length {
        Some(length) => seen.len() >= head_end + length,
        None => seen.ends_with(b"\r\n0\r\n\r\n"),
    };
    while !done(&seen) {
        let count = stream.read(buffer).unwrap();
        assert!(count > 0, "closed in the middle of an answer");
        seen.extend_from_slice(&buffer[..count]);
    }
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).position(|window| window == needle)
}

/// User and system time of some processes, from their clocks of threads, which count nanoseconds.
fn cpu(pids: &[u32]) -> Duration {
    let mut total = Duration::ZERO;
    for pid in pids {
        for task in std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten() {
            let text = std::fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap_or_default();
            let nanos = text.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(0);
            total += Duration::from_nanos(nanos);
        }
    }
    total
}
