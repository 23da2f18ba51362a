//! The matrix as a page: `tests/chain/README.md`.

use std::collections::BTreeMap;
use std::fmt::Write;

use wayside::dialect::Dialect;

use super::wire::{Provider, providers};
use super::{CHAINS, COLUMNS, Column, Row, cells, read, rows};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/chain/README.md");

/// What every cell says, in words.
fn words(outcome: &str) -> String {
    let mut words = outcome.split(' ');
    let (seen, outcome, time) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
    let attempts = seen.chars().map(String::from).collect::<Vec<_>>().join(" ");
    let outcome = match outcome.split_once("_by_") {
        Some(("said", by)) => format!("what {by} said"),
        Some((_, by)) => format!("answer, resumed by {by}"),
        None if outcome == "degraded" => "degrade step".to_owned(),
        None if outcome == "cut" => "**cut**".to_owned(),
        None => format!("answer of {outcome}"),
    };
    format!("{attempts}: {outcome}, {time}")
}

/// The cells of a dialect: its failure, then a row of each chain.
struct Told<'a> {
    provider: &'a Provider,
    is: Option<String>,
    lines: BTreeMap<&'static str, String>,
}

fn told<'a>(row: &Row, provider: &'a Provider) -> Told<'a> {
    // The other callers get the same; that is what the tests are for.
    let caller = if provider.dialect == Dialect::Converse { Dialect::Chat } else { provider.dialect };
    let tongues = (provider.dialect, caller);
    let listen =
        |_: &str, _: &Provider, pieces: &[Vec<u8>], clean: bool| read::hear(tongues, read::as_sent(pieces), clean);
    let came = cells(row, provider, caller, listen);
    let line = |chain: &str| {
        let cell = |(name, _): &(&str, Column)| {
            let of = came.iter().find(|(of, column, ..)| of == &chain && column == name);
            of.map_or_else(|| " — |".to_owned(), |(.., came)| format!(" {} |", words(&came.cell)))
        };
        came.iter().any(|(of, ..)| of == &chain).then(|| COLUMNS.iter().map(cell).collect())
    };
    let lines = CHAINS.iter().filter_map(|(chain, ..)| Some((*chain, line(chain)?))).collect();
    Told { provider, is: row.is(provider.key).map(str::to_owned), lines }
}

const HEAD: &str = "# What happens when a provider fails

Made by `cargo test --test chain` from `matrix.yaml` and the files of `wire/`; do not edit. Every row is something a provider does on \
the wire, every column a way to ask: without a stream, and with one at each kind of `hold`. A cell says which hops are tried, what the \
caller gets, and after how long at most it begins. Hops have `timeout 10s`, `first_token 5s`, `idle 3s`, the default retry and the \
default `on`; a healthy answer begins after 150 ms and is whole after 700 ms, as a document after 100 ms. **cut** is a stream that \
the caller saw the beginning of: it ends with an error event, never cleanly.

A row without the name of a dialect is what happens with providers of all five: Chat Completions, Messages, Responses, Gemini and \
Converse. It is the same whatever the caller speaks, however the provider words it ([below](#how-providers-say-it)) and however its \
stream is cut into chunks. Every hop of a chain speaks the same dialect here.
";

fn page() -> String {
    let (providers, rows) = (providers(), rows());
    let told: Vec<(&Row, Vec<Told<'_>>)> = rows
        .iter()
        .map(|row| {
            let of = providers.iter().filter(|provider| row.is_of(provider.key));
            (row, of.map(|provider| told(row, provider)).collect())
        })
        .collect();
    let mut page = HEAD.to_owned();
    for (chain, title, _) in CHAINS {
        let _ = write!(page, "\n## {title}\n\n");
        if chain == "resume" {
            page.push_str(
                "Between Chat Completions and Chat Completions alone; in any other pair a broken stream stays cut.\n\n",
            );
        }
        page.push_str("| what the provider does | it is |");
        for (name, column) in COLUMNS {
            let _ = match column {
                Column::Whole => write!(page, " no stream |"),
                Column::Stream(_) => write!(page, " `hold {name}` |"),
            };
        }
        page.push_str("\n|---|---|---|---|---|---|\n");
        for (row, told) in &told {
            table(&mut page, row, told, chain, providers.len());
        }
    }
    said(&mut page, &providers);
    page
}

/// The lines of one fault in one chain: one for all dialects that fare alike.
fn table(page: &mut String, row: &Row, told: &[Told<'_>], chain: &str, all: usize) {
    let mut groups: Vec<(&str, Option<&str>, Vec<&str>)> = Vec::new();
    for told in told {
        let Some(line) = told.lines.get(chain).map(String::as_str) else { continue };
        let (is, title) = (told.is.as_deref(), told.provider.title);
        match groups.iter_mut().find(|(other, word, _)| *other == line && *word == is) {
            Some((.., titles)) => titles.push(title),
            None => groups.push((line, is, vec![title])),
        }
    }
    for (line, is, titles) in groups {
        let only =
            if titles.len() == all || chain == "resume" { String::new() } else { format!(" ({})", titles.join(", ")) };
        let is = is.map_or_else(|| "no failure".to_owned(), |is| format!("`{is}`"));
        let _ = writeln!(page, "| {}{only} | {is} |{line}", row.name);
    }
}

/// The errors of `wire/`, by what they mean.
fn said(page: &mut String, providers: &[Provider]) {
    page.push_str("\n## How providers say it\n\n| |");
    providers.iter().for_each(|provider| {
        let _ = write!(page, " {} |", provider.title);
    });
    page.push_str("\n|---|---|---|---|---|---|\n");
    for (name, title) in ERRORS {
        let _ = write!(page, "| {title} |");
        for provider in providers {
            let shapes = provider.file.errors.get(name);
            let says = shapes.into_iter().flatten().map(|shape| &*shape.says).collect::<Vec<_>>().join("; ");
            let _ = write!(page, " {} |", if says.is_empty() { "—" } else { &says });
        }
        page.push('\n');
    }
}

const ERRORS: [(&str, &str); 11] = [
    ("server_error", "server error"),
    ("overloaded", "overloaded"),
    ("rate_limit", "rate limit"),
    ("rate_limit_delay", "rate limit, a wait in the body"),
    ("timeout", "the provider's own timeout"),
    ("quota", "quota used up"),
    ("key", "bad key, or no access"),
    ("model", "model retired"),
    ("too_long", "prompt too long"),
    ("prompt_filtered", "prompt filtered"),
    ("mistake", "the caller's own mistake"),
];

#[test]
fn the_page_shows_the_matrix() {
    let page = page();
    println!("{page}");
    if std::env::var_os("WAYSIDE_BLESS").is_some() {
        std::fs::write(PAGE, &page).unwrap();
    }
    for provider in providers() {
        let shown = |name: &String| ERRORS.iter().any(|(known, _)| known == name);
        assert_eq!(provider.file.errors.keys().find(|name| !shown(name)), None, "wire/{}.yaml", provider.key);
    }
    let written = std::fs::read_to_string(PAGE).unwrap_or_default();
    assert!(written == page, "tests/chain/README.md is out of date: run `WAYSIDE_BLESS=1 cargo test --test chain`");
}
