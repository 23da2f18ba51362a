//! How long it takes from policy text to a tree that decides: reading, resolving, proving, compiling; and `wayside check` of
//! the support desk's policies as a whole process; and how long an author waits for `wayside lsp` after a keystroke.
//!
//! `cargo bench --no-default-features --bench load`, or a part of it: `.. --bench load -- keystroke`

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a bench that cannot start should stop")]
#![allow(clippy::print_stdout, reason = "it prints a table")]
#![allow(missing_docs, reason = "criterion's macros write undocumented items")]

use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use wayside::catalog::Catalog;
use wayside::policy::check::{Report, Settings, check};
use wayside::policy::prove::{Options, prove};
use wayside::policy::resolve::{Context, load, resolve};
use wayside::policy::source::Sources;
use wayside::policy::syntax;
use wayside::policy::tree::Tree;

#[path = "../tests/generate/mod.rs"]
mod generate;
mod keystroke;

use generate::one::One;
use generate::text;

fn settings() -> Settings {
    Settings::on("2026-11-25".parse().unwrap())
}

fn policies() -> [(&'static str, usize, String); 4] {
    [
        ("structured", 250, text::structured(250, 5)),
        ("structured", 1000, text::structured(1000, 5)),
        ("random", 250, text::random(250, 5)),
        ("random", 1600, text::random(1600, 5)),
    ]
}

/// The whole program: what an editor or a CI job waits for.
fn processes(c: &mut Criterion) {
    let mut group = c.benchmark_group("process");
    let set = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/support_desk");
    group.bench_function("check/support_desk", |b| {
        b.iter(|| {
            let mut wayside = Command::new(env!("CARGO_BIN_EXE_wayside"));
            wayside.current_dir(&set).args(["check", "--today", "2026-11-25", "--exit-zero", "support_desk.route"]);
            let done = wayside.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
            assert!(done.success());
        });
    });
    group.finish();
}

fn parsing(c: &mut Criterion) {
    let mut group = c.benchmark_group("parse");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    let desk =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/support_desk/support_desk.route"));
    for (name, text) in [("support_desk", desk.unwrap()), ("5000_rules", text::long_rules(5000))] {
        let mut sources = Sources::default();
        let id = sources.add("x.route", &text);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut findings = Vec::new();
                let tree = syntax::parse(id, &text, &mut findings);
                assert!(findings.is_empty());
                tree
            });
        });
    }
    group.finish();
}

fn stages(c: &mut Criterion) {
    let mut group = c.benchmark_group("stage");
    group.sample_size(10).measurement_time(Duration::from_secs(4));
    let (catalog, settings) = (Catalog::embedded(), settings());
    for (kind, rules, text) in policies() {
        let files = One(text);
        let report: Report = check("one.route", &files, &catalog, &settings);
        // Random conditions may contradict each other; that is a finding, and work like any other.
        assert!(report.checked.rules.len() >= rules, "{:?}", report.findings.first());
        group.bench_function(BenchmarkId::new(format!("load/{kind}"), rules), |b| {
            b.iter(|| load("one.route", &files));
        });
        let loaded = load("one.route", &files);
        group.bench_function(BenchmarkId::new(format!("resolve/{kind}"), rules), |b| {
            b.iter(|| {
                let context =
                    Context { catalog: &catalog, files: &files, today: settings.today, providers: &settings.providers };
                resolve(&loaded, &context, &mut Vec::new())
            });
        });
        group.bench_function(BenchmarkId::new(format!("prove/{kind}"), rules), |b| {
            b.iter(|| black_box(prove(&report.checked, Options::default()).unwrap()));
        });
        group.bench_function(BenchmarkId::new(format!("compile/{kind}"), rules), |b| {
            b.iter(|| Tree::compile(Arc::clone(&report.checked)).unwrap());
        });
        group.bench_function(BenchmarkId::new(format!("check/{kind}"), rules), |b| {
            b.iter(|| check("one.route", &files, &catalog, &settings));
        });
    }
    group.finish();
}

/// Criterion knows no percentiles, so this table is our own; it obeys the filter that criterion reads.
fn keystrokes(_: &mut Criterion) {
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    if filter.is_none_or(|filter| "keystroke".contains(&filter)) {
        keystroke::measure();
    }
}

criterion_group!(benches, processes, parsing, stages, keystrokes);
criterion_main!(benches);
