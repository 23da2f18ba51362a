//! Every row of `matrix.yaml`: what a provider does on the wire, and what the caller gets, at every hold and in every chain, for every
//! dialect of the provider and of the caller.
//!
//! The wire is read by the code that reads it in the proxy, and the chain is the proxy's; the clock is a number. Backoffs are as
//! long as they can be, so every time is an upper bound. All hops of a chain speak the same dialect.
//!
//! *Every stream at every chunking* means: as it was sent, event by event; all at once; byte by byte; and at 32 seeded splits into
//! chunks of 1 to 80 bytes, across events. What is heard, what the caller gets and whether it is whole must be the same in all of
//! them. Beside that, `cuts` breaks a healthy stream behind each of its bytes, once by a reset and once by a clean end.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Deserialize;

use wayside::dialect::Dialect;
use wayside::policy::checked::Hold;
use wayside::units::Millis;

#[path = "matrix/attempt.rs"]
mod attempt;
#[path = "matrix/cuts.rs"]
mod cuts;
#[path = "matrix/page.rs"]
mod page;
#[path = "matrix/read.rs"]
mod read;
#[path = "matrix/walk.rs"]
mod walk;
#[path = "matrix/wire.rs"]
mod wire;

use attempt::{End, Sent, What, Wire};
use walk::{Came, Case};
use wire::Provider;

/// The model that every hop asks for.
const PIN: &str = "pinned";
/// Until the head, and the first event of a stream.
const HEAD: u64 = 100;
/// Between events.
const GAP: u64 = 50;
/// When a hedge starts.
const HEDGE: Millis = Millis(1000);

/// One fault.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    /// The only dialects that have it; empty for all.
    #[serde(default)]
    only: Vec<String>,
    /// The dialects that do not.
    #[serde(default)]
    not: Vec<String>,
    /// The request demands an object with a number `n`.
    #[serde(default)]
    demands: bool,
    /// The word for every failure that is seen.
    is: Option<String>,
    /// For both kinds of requests.
    wire: Option<Wire>,
    /// What a request that is no stream gets, where that differs from a stream.
    whole: Option<Wire>,
    stream: Option<Wire>,
    expect: Expected,
    #[serde(default)]
    but: BTreeMap<String, But>,
}

/// Where a dialect differs.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct But {
    is: Option<String>,
    whole: Option<Wire>,
    stream: Option<Wire>,
    expect: Expected,
}

/// Chain, then column, then `ATTEMPTS OUTCOME TIME`.
type Expected = BTreeMap<String, BTreeMap<String, String>>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Whole,
    Stream(Hold),
}

const COLUMNS: [(&str, Column); 4] = [
    ("whole", Column::Whole),
    ("first_token", Column::Stream(Hold::FirstToken)),
    ("20 tokens", Column::Stream(Hold::Tokens(20))),
    ("complete", Column::Stream(Hold::Complete)),
];

/// Chains, and what is behind each of their hops: the fault, or health.
const CHAINS: [(&str, &str, &[Behind]); 6] = [
    ("alone", "A alone", &[Behind::Fault]),
    ("pair", "A, then B, which is well", &[Behind::Fault, Behind::Health]),
    ("twice", "A, then B, both with the fault", &[Behind::Fault, Behind::Fault]),
    (
        "window",
        "A, then B of the same window, then C of a larger one",
        &[Behind::Fault, Behind::Health, Behind::Health],
    ),
    ("hedged", "A with `hedge after 1s up to 1`, then B, which is well", &[Behind::Fault, Behind::Health]),
    ("resume", "A, then B, which repeats A's words; `on cut resume`", &[Behind::Fault, Behind::Health]),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Behind {
    Fault,
    Health,
}

fn rows() -> Vec<Row> {
    serde_yaml::from_str(include_str!("matrix.yaml")).unwrap()
}

/// Only what is said in Chat Completions to somebody who speaks them can be held against another answer.
fn takes_part(chain: &str, tongues: (Dialect, Dialect)) -> bool {
    chain != "resume" || tongues == (Dialect::Chat, Dialect::Chat)
}

impl Row {
    fn is_of(&self, key: &str) -> bool {
        (self.only.is_empty() || self.only.iter().any(|only| only == key)) && !self.not.iter().any(|not| not == key)
    }

    /// The word for failures, for one dialect.
    fn is(&self, key: &str) -> Option<&str> {
        self.but.get(key).and_then(|but| but.is.as_deref()).or(self.is.as_deref())
    }

    /// What comes over the wire; nothing where the fault is none of such requests.
    fn wire(&self, key: &str, column: Column) -> Option<&Wire> {
        let own = self.but.get(key);
        let wire = match column {
            Column::Whole => own.and_then(|but| but.whole.as_ref()).or(self.whole.as_ref()),
            Column::Stream(_) => own.and_then(|but| but.stream.as_ref()).or(self.stream.as_ref()),
        };
        wire.or(self.wire.as_ref())
    }

    /// What is expected of one cell; nothing where the fault is not in such a chain.
    fn expected(&self, key: &str, chain: &str, column: &str) -> Option<&str> {
        let own = self.but.get(key).map(|but| &but.expect);
        own.into_iter().chain([&self.expect]).find_map(|expected| {
            let cells = expected.get(chain)?;
            cells.get(column).or_else(|| cells.get("any")).map(String::as_str)
        })
    }
}

/// What one attempt gets, for every way in which the provider says it; with the words for which.
fn sent(
    row: &Row,
    provider: &Provider,
    column: Column,
    listen: impl Fn(&str, &Provider, &[Vec<u8>], bool) -> read::Heard,
) -> Vec<(String, Sent)> {
    let Some(wire) = row.wire(provider.key, column) else { return Vec::new() };
    let Wire { headers, slow, end, .. } = wire.clone();
    let one = |what| vec![(String::new(), Sent { what, slow, end })];
    if let Some(name) = &wire.error {
        let shapes = provider.file.errors.get(name);
        let shapes = shapes.unwrap_or_else(|| panic!("wire/{}.yaml: no error is called {name}", provider.key));
        let error = |shape: &wire::Shape| {
            let mut headers = headers.clone();
            headers.extend(shape.headers.clone());
            let what = What::Error { status: shape.status, headers, body: shape.body() };
            (shape.says.clone(), Sent { what, slow, end })
        };
        return shapes.iter().map(error).collect();
    }
    let text = wire.text.clone().or_else(|| Some(provider.document(wire.document.as_deref()?)));
    match (wire.status, text, &wire.events) {
        (Some(status), Some(body), _) => one(What::Error { status, headers, body }),
        (None, Some(text), None) => one(What::Document(text.into())),
        (None, None, Some(names)) => {
            let pieces = provider.pieces(names);
            let heard = listen(&row.name, provider, &pieces, end == End::Clean);
            one(What::Stream(pieces.len(), heard))
        }
        (None, None, None) => one(What::Nothing),
        _ => panic!("{}: an answer is one thing", row.name),
    }
}

/// Health: words, and why they end.
fn healthy(provider: &Provider, tongues: (Dialect, Dialect), column: Column, demands: bool) -> Sent {
    let what = match column {
        Column::Whole => What::Document(provider.document(if demands { "object" } else { "well" }).into()),
        Column::Stream(_) => {
            let names = ["role", if demands { "object" } else { "word*10" }, "stop", "done"].map(str::to_owned);
            let pieces = provider.pieces(&names);
            What::Stream(pieces.len(), read::hear(tongues, read::as_sent(&pieces), true))
        }
    };
    Sent { what, slow: 0, end: End::Clean }
}

/// All cells of a fault, a provider's dialect and a caller's: chain, column, how the provider says it, and what came.
fn cells(
    row: &Row,
    provider: &Provider,
    caller: Dialect,
    listen: impl Fn(&str, &Provider, &[Vec<u8>], bool) -> read::Heard,
) -> Vec<(&'static str, &'static str, String, Came)> {
    let tongues = (provider.dialect, caller);
    let mut cells = Vec::new();
    for kind in [Column::Whole, Column::Stream(Hold::FirstToken)] {
        let (faulty, healthy) = (sent(row, provider, kind, &listen), healthy(provider, tongues, kind, row.demands));
        let columns = COLUMNS.iter().filter(|(_, column)| (*column == Column::Whole) == (kind == Column::Whole));
        for (name, column) in columns {
            for (chain, _, behind) in CHAINS.iter().filter(|(chain, ..)| takes_part(chain, tongues)) {
                if !row.expect.contains_key(*chain) {
                    continue;
                }
                for (says, faulty) in &faulty {
                    let (demands, healthy, column) = (row.demands, &healthy, *column);
                    let came = walk::walk(Case { tongues, demands, faulty, healthy, column, chain, behind });
                    cells.push((*chain, *name, says.clone(), came));
                }
            }
        }
    }
    cells
}

#[test]
fn every_fault_ends_as_the_matrix_says() {
    let (providers, mut wrong, mut count) = (wire::providers(), String::new(), 0);
    for row in rows() {
        for provider in providers.iter().filter(|provider| row.is_of(provider.key)) {
            let key = provider.key;
            let mut seen = false;
            for caller in Dialect::CALLERS {
                let tongues = (provider.dialect, caller);
                let listen = |name: &str, _: &Provider, pieces: &[Vec<u8>], clean: bool| {
                    read::every_chunking(name, tongues, pieces, clean)
                };
                for (chain, column, says, came) in cells(&row, provider, caller, listen) {
                    let wanted = row.expected(key, chain, column).unwrap_or("nothing");
                    let place = format!("{}, {key} {says} for {caller:?}, {chain}, {column}", row.name);
                    if wanted != came.cell {
                        let _ = writeln!(wrong, "{place}: {}, and not {wanted}", came.cell);
                    }
                    let other = came.failures.iter().find(|failure| Some(failure.word()) != row.is(key));
                    if let Some(other) = other {
                        let _ = writeln!(wrong, "{place}: {other}, and not {:?}", row.is(key));
                    }
                    seen |= !came.failures.is_empty();
                    count += 1;
                }
            }
            if seen != row.is(key).is_some() {
                let _ = writeln!(wrong, "{}, {key}: failures were seen: {seen}", row.name);
            }
        }
    }
    println!("{count} walks");
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn the_matrix_names_what_there_is() {
    let keys: Vec<&str> = wire::DIALECTS.iter().map(|(_, key, ..)| *key).collect();
    for row in rows() {
        let Row { name, only, not, but, expect, .. } = &row;
        for key in only.iter().chain(not).chain(but.keys()) {
            assert!(keys.contains(&key.as_str()), "{name}: no dialect is called {key}");
        }
        for chain in ["alone", "pair", "twice"] {
            assert!(expect.contains_key(chain), "{name}: nothing is expected of `{chain}`");
        }
        for (chain, cells) in but.values().flat_map(|but| &but.expect).chain(expect) {
            assert!(CHAINS.iter().any(|(known, ..)| known == chain), "{name}: no chain is called {chain}");
            let known = |column: &String| column == "any" || COLUMNS.iter().any(|(name, _)| name == column);
            assert_eq!(cells.keys().find(|column| !known(column)), None, "{name}");
        }
    }
}
