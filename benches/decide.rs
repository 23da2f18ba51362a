//! How long a decision takes, tree against linear walk, and how long analysis and compiling take.
//!
//! `cargo bench --no-default-features --bench decide`

#![allow(clippy::unwrap_used, reason = "a bench that cannot start should stop")]
#![allow(missing_docs, reason = "criterion's macros write undocumented items")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use wayside::policy::checked::Checked;
use wayside::policy::decide::{Request, decide, decide_linear};
use wayside::policy::prove::{Options, prove};
use wayside::policy::tree::Tree;

#[path = "../tests/generate/mod.rs"]
mod generate;

use generate::{Dice, Fixed, Value, as_request, narrow, random_value, structured};

/// Requests of one run: enough to miss the branch predictor as real traffic does.
const REQUESTS: usize = 4096;

const COLUMNS: usize = 28;

fn requests(tree: &Tree) -> Vec<(Request, Fixed)> {
    let mut dice = Dice(42);
    let columns = &tree.checked().columns;
    let mut one = || columns.iter().map(|column| random_value(&mut dice, &column.domain)).collect::<Vec<Value>>();
    (0..REQUESTS).map(|_| as_request(tree, &one())).collect()
}

fn policies() -> Vec<(&'static str, usize, Checked)> {
    let mut all = Vec::new();
    for rules in [10, 250, 1000, 1600] {
        all.push(("structured", rules, structured(rules, 5)));
    }
    for rules in [10, 250, 1600, 5000] {
        all.push(("random", rules, narrow(rules, COLUMNS, 8, 5)));
    }
    all
}

fn decisions(c: &mut Criterion) {
    for (kind, rules, checked) in policies() {
        let tree = Tree::compile(Arc::new(checked)).unwrap();
        let mut requests = requests(&tree);
        let mut group = c.benchmark_group(format!("decide/{kind}"));
        group.measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1));
        let mut at = 0;
        group.bench_function(BenchmarkId::new("tree", rules), |b| {
            b.iter(|| {
                at = (at + 1) % REQUESTS;
                let (request, fixed) = &mut requests[at];
                black_box(decide(&tree, request, fixed))
            });
        });
        group.bench_function(BenchmarkId::new("linear", rules), |b| {
            b.iter(|| {
                at = (at + 1) % REQUESTS;
                let (request, fixed) = &mut requests[at];
                black_box(decide_linear(&tree, request, fixed))
            });
        });
        group.finish();
    }
}

fn loading(c: &mut Criterion) {
    let mut group = c.benchmark_group("load");
    group.sample_size(10).measurement_time(Duration::from_secs(4));
    for (kind, rules, checked) in policies().into_iter().filter(|(_, rules, _)| *rules >= 250) {
        let checked = Arc::new(checked);
        group.bench_function(BenchmarkId::new(format!("analyze/{kind}"), rules), |b| {
            b.iter(|| black_box(prove(&checked, Options::default()).unwrap()));
        });
        group.bench_function(BenchmarkId::new(format!("compile/{kind}"), rules), |b| {
            b.iter_batched(|| checked.clone(), |checked| Tree::compile(checked).unwrap(), BatchSize::LargeInput);
        });
    }
    group.finish();
}

criterion_group!(benches, decisions, loading);
criterion_main!(benches);
