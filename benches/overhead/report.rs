//! Tables in Markdown, as the README shows them.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::contenders::{Kind, Upstream, wayside};
use crate::load::{Sample, Shape, answer};

/// Samples by scenario and contender, in the order they came.
#[derive(Default)]
pub struct Report {
    order: Vec<(&'static str, &'static str)>,
    samples: BTreeMap<(&'static str, &'static str), Vec<Sample>>,
}

impl Report {
    pub fn add(&mut self, scenario: &'static str, contender: &'static str, sample: Sample) {
        let key = (scenario, contender);
        if !self.samples.contains_key(&key) {
            self.order.push(key);
        }
        self.samples.entry(key).or_default().push(sample);
    }

    pub fn print(&self) {
        println!(
            "| scenario | through | p50 µs | p99 µs | requests/s | CPU µs/request | copy loop = 1 | least | copy loop = 1 |"
        );
        println!("|---|---|---|---|---|---|---|---|---|");
        for key in &self.order {
            let samples = &self.samples[key];
            let micros = |pick: fn(&Sample) -> Duration| median(samples.iter().map(|s| pick(s).as_secs_f64() * 1e6));
            let own = cpu(samples);
            let base = self.samples.get(&(key.0, Kind::CopyLoop.name())).and_then(|samples| cpu(samples));
            let text =
                |value: Option<f64>, digits: usize| value.map_or_else(String::new, |value| format!("{value:.digits$}"));
            let both = own.as_ref().zip(base.as_ref());
            let pairs = both.map(|(own, base)| median(own.iter().zip(base).map(|(own, base)| own / base)));
            println!(
                "| {} | {} | {:.0} | {:.0} | {:.0} | {} | {} | {} | {} |",
                key.0,
                key.1,
                micros(|sample| sample.p50),
                micros(|sample| sample.p99),
                median(samples.iter().map(|sample| sample.per_second)),
                text(own.as_ref().map(|own| median(own.iter().copied())), 1),
                text(pairs, 2),
                text(own.as_deref().map(least), 1),
                text(both.map(|(own, base)| least(own) / least(base)), 2),
            );
        }
    }
}

/// Microseconds of each round.
fn cpu(samples: &[Sample]) -> Option<Vec<f64>> {
    samples.iter().map(|sample| sample.cpu.map(|cpu| cpu.as_secs_f64() * 1e6)).collect()
}

/// What else a machine does only adds to it: the least of several rounds has least of that.
fn least(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Start to first answer, and memory when idle.
pub fn footprint(upstream: &Upstream) {
    let mut starts = Vec::new();
    let mut idle = Vec::new();
    for _ in 0..7 {
        let since = Instant::now();
        let (process, address, _files) = wayside(upstream);
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(&Shape::Chat { bytes: 2 << 10 }.request()).unwrap();
        answer(&mut stream, &mut vec![0; 64 << 10]);
        starts.push(since.elapsed().as_secs_f64() * 1e3);
        drop(stream);
        std::thread::sleep(Duration::from_millis(200));
        let status = std::fs::read_to_string(format!("/proc/{}/status", process.0.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        let kilobytes: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        idle.push(kilobytes / 1024.0);
    }
    println!();
    println!("| wayside | |\n|---|---|");
    println!("| process start to first answered request | {:.0} ms |", median(starts.into_iter()));
    println!("| resident memory, idle after one request | {:.1} MB |", median(idle.into_iter()));
}
