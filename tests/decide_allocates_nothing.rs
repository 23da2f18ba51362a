//! Deciding allocates nothing: a counting allocator watches it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

mod counting;
mod generate;

use std::hint::black_box;
use std::sync::Arc;

use counting::allocations;
use generate::*;
use wayside::policy::checked::*;
use wayside::policy::decide::{INLINE_COLUMNS, decide};
use wayside::policy::facts::Facts;
use wayside::policy::readings::Readings;
use wayside::policy::tree::Tree;

#[test]
fn a_decision_allocates_nothing() {
    assert_ne!(allocations(|| drop(black_box(Box::new(7)))), 0, "the counter counts");
    for checked in [structured(1000, 3), random(400, 28, 6, 3), narrow(2000, 28, 6, 3)] {
        let tree = Tree::compile(Arc::new(checked)).unwrap();
        let mut dice = Dice(11);
        let columns = &tree.checked().columns;
        for _ in 0..500 {
            let point: Vec<Value> = columns.iter().map(|column| random_value(&mut dice, &column.domain)).collect();
            let (request, mut fixed) = as_request(&tree, &point);
            let count = allocations(|| {
                black_box(decide(&tree, black_box(&request), &mut fixed));
            });
            assert_eq!(count, 0);
        }
    }
}

#[test]
fn facts_become_atoms_without_allocating() {
    let mut checked = structured(200, 3);
    checked.attributes = (0..columns(28, 12).len())
        .map(|at| Attribute {
            name: format!("attribute_{at}").into(),
            domain: AttributeDomain::YesOrNo,
            sources: vec![],
            default: None,
            span: span(at),
        })
        .collect();
    assert!(checked.columns.len() <= INLINE_COLUMNS);
    let tree = Tree::compile(Arc::new(checked)).unwrap();
    let facts = Facts { attributes: vec![AttributeValue::Number(3); 28], ..Facts::default() };
    let readings = Readings::civil("2026-11-23T10:00:00".parse().unwrap());
    let count = allocations(|| {
        let request = tree.request(black_box(&facts), &mut 2000u64);
        black_box(decide(&tree, &request, &mut tree.fetch(&readings)));
    });
    assert_eq!(count, 0);
}
