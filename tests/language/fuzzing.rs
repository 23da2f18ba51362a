//! The fuzz targets of `tests/fuzz` without a fuzzer: the same bodies on seeded mutations of real policies and on random bytes.
//! What a fuzzer found stands in `tests/corpus/fuzz/TARGET/` and is run again here.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

#[path = "../fuzz/bodies/policy.rs"]
mod bodies;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every policy file of the repository.
fn policies() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = ["policies", "benches", "tests/corpus"].map(|folder| root().join(folder)).into();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "route") {
                found.push(std::fs::read(path).unwrap());
            }
        }
    }
    found.sort();
    assert!(found.len() > 50, "{}", found.len());
    found
}

/// What fuzzers do: bits flipped, bytes put in and taken out, pieces copied from another file, the end cut off.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let texts = policies();
    let changes =
        prop::collection::vec((0u8..6, any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 0..12);
    (prop::sample::select(texts.clone()), prop::sample::select(texts), changes).prop_map(
        |(mut bytes, donor, changes)| {
            for (kind, at, from, byte) in changes {
                let at = at.index(bytes.len() + 1);
                let from = from.index(donor.len().max(1)).min(donor.len());
                let piece = &donor[from..donor.len().min(from + usize::from(byte))];
                match kind {
                    0 if at < bytes.len() => bytes[at] ^= 1 << (byte % 8),
                    1 => bytes.insert(at, byte),
                    2 if at < bytes.len() => drop(bytes.drain(at..bytes.len().min(at + 1 + usize::from(byte) / 8))),
                    3 => drop(bytes.splice(at..at, piece.iter().copied())),
                    4 => drop(
                        bytes.splice(at..at, b"{}[](),\"\n#=-><*".iter().copied().skip(usize::from(byte) % 15).take(1)),
                    ),
                    5 if byte < 32 => bytes.truncate(at),
                    _ => {}
                }
            }
            bytes
        },
    )
}

fn spelling() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..600)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn parse_holds_on_mutated_policies(bytes in mutated()) {
        bodies::parse(&bytes);
    }

    #[test]
    fn parse_holds_on_any_bytes(bytes in spelling()) {
        bodies::parse(&bytes);
    }

    #[test]
    fn fmt_holds_on_mutated_policies(bytes in mutated()) {
        bodies::fmt(&bytes);
    }

    #[test]
    fn check_holds_on_mutated_policies(bytes in mutated()) {
        bodies::check(&bytes);
    }

    #[test]
    fn decide_holds_on_spelled_policies(bytes in spelling()) {
        bodies::decide(&bytes);
    }

    #[test]
    fn diff_holds_on_spelled_policies(bytes in spelling()) {
        bodies::diff(&bytes);
    }
}

#[test]
fn what_a_fuzzer_found_stays_cured() {
    for (target, body) in bodies::TARGETS {
        let folder = root().join("tests/corpus/fuzz").join(target);
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        entries.for_each(|entry| body(&std::fs::read(entry.unwrap().path()).unwrap()));
    }
}

#[test]
fn the_fuzzer_stands_on_what_the_program_stands_on() {
    let packages = |lock: &str| -> Vec<String> {
        let text = std::fs::read_to_string(root().join(lock)).unwrap();
        let tables = text.split("[[package]]").skip(1);
        let line = |table: &str, key: &str| table.lines().find(|line| line.starts_with(key)).unwrap_or("").to_owned();
        tables.map(|table| line(table, "name = ") + " " + &line(table, "version = ")).collect()
    };
    let ours = packages("Cargo.lock");
    // The fuzzer itself, what it builds with, and this program as a fuzz target.
    let own = |package: &String| ["libfuzzer-sys", "arbitrary", "wayside-fuzz"].iter().any(|own| package.contains(own));
    let other: Vec<_> =
        packages("tests/fuzz/Cargo.lock").into_iter().filter(|one| !own(one) && !ours.contains(one)).collect();
    assert!(other.is_empty(), "other versions than in Cargo.lock: {other:?}");
}
