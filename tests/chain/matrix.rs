//! Every row of `matrix.yaml`: what a provider does on the wire, and what the caller gets, at every hold and in every chain.
//!
//! The wire is read by the code that reads it in the proxy, and the chain is the proxy's; the clock is a number. Backoffs are as
//! long as they can be, so every time is an upper bound.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Deserialize;

use wayside::chain::{Chain, Start, Step};
use wayside::dialect::chat::answer::Answer;
use wayside::dialect::chat::output::Output;
use wayside::dialect::chat::stream::{StreamJudge, Verdict};
use wayside::dialect::upstream_error::UpstreamError;
use wayside::failure::{Failure, FailureSet};
use wayside::policy::ast::OnCut;
use wayside::policy::checked::{Hedge, Hold, Retry};
use wayside::policy::plan::Run;
use wayside::units::{Millis, Tokens};

use super::{hop, run};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/chain/README.md");
/// The model that every hop asks for.
const PIN: &str = "pinned";
/// Until the head, and the first event of a stream.
const HEAD: u64 = 100;
/// Between events.
const GAP: u64 = 50;
/// When a hedge starts.
const HEDGE: Millis = Millis(1000);
/// Four tokens.
const WORD: &str = "sixteen letters ";
/// Words of a whole answer.
const WORDS: usize = 10;
/// What some requests demand.
const OBJECT: &str = "{\"n\":1}";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    /// What a request that is no stream gets, where that differs from a stream.
    whole: Option<Wire>,
    stream: Option<Wire>,
    /// For both.
    wire: Option<Wire>,
    /// The request demands an object with a number `n`.
    #[serde(default)]
    demands: bool,
    /// Chain, then column, then `ATTEMPTS OUTCOME TIME`.
    expect: BTreeMap<String, BTreeMap<String, String>>,
}

/// What comes over the wire. A status is of an error; words and events are of a success.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Wire {
    status: Option<u16>,
    headers: BTreeMap<String, String>,
    body: Option<serde_json::Value>,
    events: Option<Vec<String>>,
    /// Milliseconds before the first word.
    slow: u64,
    end: End,
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum End {
    #[default]
    Clean,
    /// No connection.
    Refused,
    /// The connection breaks.
    Cut,
    /// Nothing more, for ever.
    Silence,
}

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

/// How one attempt is asked.
#[derive(Clone, Copy)]
struct Ask<'a> {
    column: Column,
    demands: bool,
    start: Start,
    on: FailureSet,
    /// What the caller has seen already, of another answer.
    before: Option<&'a str>,
}

impl Ask<'_> {
    /// Whether an answer that is whole fails the schema its caller demanded.
    fn misshapen(self, output: &Output) -> bool {
        let schema = serde_json::json!({"type": "object", "required": ["n"]});
        let fits = |text: &str| serde_json::from_str(text).is_ok_and(|value| jsonschema::is_valid(&schema, &value));
        self.demands && !output.choices.iter().all(|choice| fits(&choice.text))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Behind {
    Fault,
    Health,
}

/// How one attempt went: when it could be shown, and how it ended.
struct Went {
    took: u64,
    how: How,
    /// What the caller had seen when it ended.
    released: Option<(u64, String)>,
}

/// An attempt in flight.
struct Flight {
    hop: usize,
    began: u64,
    went: Went,
}

impl Flight {
    /// When it delivers or fails.
    fn shows(&self) -> u64 {
        self.began + self.went.released.as_ref().map_or(self.went.took, |(at, _)| *at)
    }
}

enum How {
    Well,
    Failed(UpstreamError),
    Cut(Failure),
}

fn chunk(delta: &str, finish: &str, model: &str) -> String {
    format!(r#"{{"id":"c","model":"{model}","choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]}}"#)
}

/// The data of an event, by its short name. `word*3` stands for three.
fn events(names: &[String]) -> Vec<String> {
    let one = |name: &str| match name {
        "role" => chunk(r#"{"role":"assistant","content":""}"#, "null", PIN),
        "word" => chunk(&serde_json::json!({"content": WORD}).to_string(), "null", PIN),
        "object" => chunk(&serde_json::json!({"content": OBJECT}).to_string(), "null", PIN),
        "other" => chunk(r#"{"content":"x"}"#, "null", "another-model"),
        "refusal" => chunk(r#"{"refusal":"I cannot."}"#, "null", PIN),
        "filter" => chunk("{}", "\"content_filter\"", PIN),
        "stop" => chunk("{}", "\"stop\"", PIN),
        "done" => "[DONE]".to_owned(),
        "bad" => "{\"choices\":".to_owned(),
        "error" => r#"{"error":{"message":"The server had an error","type":"server_error"}}"#.to_owned(),
        "overloaded" => r#"{"error":{"message":"Overloaded","type":"overloaded_error"}}"#.to_owned(),
        other => panic!("no event is called {other}"),
    };
    let many = |name: &String| {
        let (name, times) = name.split_once('*').map_or((&**name, 1), |(name, times)| (name, times.parse().unwrap()));
        vec![one(name); times]
    };
    names.iter().flat_map(many).collect()
}

fn healthy(ask: Ask<'_>) -> Wire {
    let content = if ask.demands { OBJECT.to_owned() } else { WORD.repeat(WORDS) };
    match ask.column {
        Column::Whole => Wire {
            body: Some(serde_json::json!({"model": PIN, "choices": [
                {"message": {"content": content}, "finish_reason": "stop"}]})),
            ..Wire::default()
        },
        Column::Stream(_) => {
            let words = if ask.demands { "object".to_owned() } else { format!("word*{WORDS}") };
            let names = ["role", &words, "stop", "done"].map(str::to_owned);
            Wire { events: Some(names.to_vec()), ..Wire::default() }
        }
    }
}

fn failed(took: u64, failure: Failure) -> Went {
    Went { took, how: How::Failed(UpstreamError::bare(failure, "")), released: None }
}

/// One attempt, held against its limits.
fn attempt(wire: &Wire, ask: Ask<'_>) -> Went {
    let limit = ask.start.limits.attempt.0;
    match wire {
        Wire { end: End::Refused, .. } => failed(0, Failure::Network),
        Wire { status: Some(status), headers, body, .. } => {
            let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (&**name, &**value)).collect();
            let body = body.as_ref().map(text).unwrap_or_default();
            let now = "2026-11-23T12:00:00Z".parse().unwrap();
            let error = UpstreamError::from_response(*status, &headers[..], body.as_bytes(), now);
            Went { took: HEAD, how: How::Failed(error), released: None }
        }
        Wire { events: Some(names), .. } => stream(wire, &events(names), ask),
        _ => {
            let silent = ask.start.limits.first_token.map_or(limit, |first| first.0.min(limit));
            let took = HEAD + wire.slow;
            match (wire.end, &wire.body) {
                (End::Cut, _) => failed(took.min(limit), Failure::Network),
                (End::Silence, _) | (_, None) => failed(silent, Failure::Timeout),
                _ if took > limit => failed(limit, Failure::Timeout),
                (_, Some(body)) => document(&text(body), took, ask),
            }
        }
    }
}

fn text(body: &serde_json::Value) -> String {
    body.as_str().map_or_else(|| body.to_string(), str::to_owned)
}

/// A body with status 200.
fn document(body: &str, took: u64, ask: Ask<'_>) -> Went {
    let answer = match Answer::read(body.as_bytes()) {
        Ok(answer) => answer,
        Err(error) => return Went { took, how: How::Failed(error), released: None },
    };
    let wrong = answer.model.as_deref().is_some_and(|model| model != PIN);
    let output = Output::of_answer(body.as_bytes());
    if let Some(error) = answer.failure() {
        return Went { took, how: How::Failed(error), released: None };
    }
    if wrong {
        return failed(took, Failure::ModelGone);
    }
    if ask.misshapen(&output) {
        return failed(took, Failure::InvalidOutput);
    }
    Went { took, how: How::Well, released: Some((took, output.choices[0].text.clone())) }
}

/// The events of a stream, one after the other.
fn stream(wire: &Wire, events: &[String], ask: Ask<'_>) -> Went {
    let Column::Stream(hold) = ask.column else { panic!("a stream nobody asked for") };
    let limits = ask.start.limits;
    let (first, idle) = (limits.first_token.unwrap().0.min(limits.attempt.0), limits.idle.unwrap().0);
    let (mut judge, mut output) = (StreamJudge::new(1), Output::default());
    let (mut now, mut spoke) = (0, false);
    let mut released: Option<(u64, String)> = None;
    // A released stream may be long; before that, the first word and the release have their limits.
    let silence = |now: u64, spoke: bool, released: bool| match (released, now, spoke) {
        (true, ..) => now + idle,
        (false, 0, _) => first,
        (false, _, true) => limits.attempt.0.min(now + idle),
        (false, _, false) => first.min(now + idle),
    };
    let lost = |released: Option<(u64, String)>, took: u64, error: UpstreamError| {
        let how = if released.is_some() { How::Cut(error.failure) } else { How::Failed(error) };
        Went { took, how, released }
    };
    let said = |output: &Output| output.choices.first().map(|choice| choice.text.clone()).unwrap_or_default();
    for (at, data) in events.iter().enumerate() {
        let pause = match at {
            0 => HEAD,
            1 => GAP + wire.slow,
            _ => GAP,
        };
        let limit = silence(now, spoke, released.is_some());
        if now + pause > limit {
            return lost(released, limit, UpstreamError::bare(Failure::Timeout, ""));
        }
        now += pause;
        match judge.event(data.as_bytes()) {
            Verdict::Failed(error) => return lost(released, now, *error),
            Verdict::Declined(failure) if released.is_none() && ask.on.contains(failure) => {
                return failed(now, failure);
            }
            Verdict::Content | Verdict::Finish | Verdict::Declined(_) => spoke = true,
            Verdict::Done => break,
            Verdict::Quiet | Verdict::Malformed => {}
        }
        output.event(data.as_bytes());
        if released.is_none() && judge.model().is_some_and(|model| model != PIN) {
            return failed(now, Failure::ModelGone);
        }
        let text = said(&output);
        let enough = match (ask.before, hold) {
            (Some(before), _) => text.len() > before.len(),
            (None, Hold::FirstToken) => spoke,
            (None, Hold::Tokens(wanted)) => spoke && judge.content_tokens() >= wanted,
            (None, Hold::Complete) => false,
        };
        if enough || released.is_some() {
            released = Some((released.map_or(now, |(at, _)| at), text));
        }
    }
    match wire.end {
        End::Clean if judge.complete() && released.is_none() && ask.misshapen(&output) => {
            failed(now, Failure::InvalidOutput)
        }
        End::Clean if judge.complete() => {
            Went { took: now, how: How::Well, released: Some((released.map_or(now, |(at, _)| at), said(&output))) }
        }
        End::Silence => {
            let limit = silence(now, spoke, released.is_some());
            lost(released, limit, UpstreamError::bare(Failure::Timeout, ""))
        }
        _ => lost(released, now, UpstreamError::bare(Failure::Network, "")),
    }
}

/// What the caller got: `ATTEMPTS OUTCOME TIME`.
fn walk(row: &Row, column: Column, chain_name: &str, behind: &[Behind]) -> String {
    let faulty = match column {
        Column::Whole => row.whole.as_ref().or(row.wire.as_ref()),
        Column::Stream(_) => row.stream.as_ref().or(row.wire.as_ref()),
    };
    let faulty = faulty.unwrap_or_else(|| panic!("{}: nothing is said about this column", row.name));
    let streaming = column != Column::Whole;
    let mut hops: Vec<_> =
        (0..behind.len()).map(|at| hop(at as u8 + 1, if at == 0 { Retry::DEFAULT } else { Retry::NONE })).collect();
    if chain_name == "hedged" {
        hops[0].hedge = Some(Hedge { after: Some(HEDGE), legs: 1 });
        hops[0].hedge_after = Some(HEDGE);
    }
    if chain_name == "window" {
        hops[2].max_input = Tokens(200_000);
    }
    let hold = if let Column::Stream(hold) = column { hold } else { Hold::FirstToken };
    let on_cut = if chain_name == "resume" { OnCut::Resume } else { OnCut::Error };
    let mut chain = Chain::unlucky(Run { hold, on_cut, ..run(hops.clone()) }, streaming);
    let (mut now, mut seen, mut flights) = (0, String::new(), Vec::<Flight>::new());
    let mut released: Option<(u64, String)> = None;
    let letter = |at: usize| char::from(b'A' + at as u8);
    let outcome = loop {
        let start = match chain.next(Millis(now)) {
            Step::Wait { until } => {
                now = until.0;
                continue;
            }
            Step::Return { .. } | Step::Degrade { .. } if released.is_some() => break "cut".to_owned(),
            Step::Return { hop, .. } => break format!("said_by_{}", letter(hop)),
            Step::Degrade { .. } => break "degraded".to_owned(),
            Step::Attempt(start) => Some(start),
            Step::Await { hedge } => {
                let first = flights.iter().map(Flight::shows).min().unwrap();
                let due = hedge.filter(|due| due.0 < first);
                due.and_then(|due| {
                    now = now.max(due.0);
                    chain.hedge(Millis(now))
                })
            }
        };
        if let Some(start) = start {
            seen.push(letter(start.hop));
            let before = released.as_ref().map(|(_, text)| &**text);
            let ask = Ask { column, demands: row.demands, start, on: hops[start.hop].on, before };
            let wire = if behind[start.hop] == Behind::Fault { faulty.clone() } else { healthy(ask) };
            flights.push(Flight { hop: start.hop, began: now, went: attempt(&wire, ask) });
            continue;
        }
        let first = (0..flights.len()).min_by_key(|at| flights[*at].shows()).unwrap();
        let Flight { hop, began, went } = flights.remove(first);
        let shown = released.as_ref().map(|(at, _)| *at);
        if let Some((at, text)) = went.released {
            let at = shown.unwrap_or(began + at);
            chain.delivered(Millis(at), hop);
            chain.released(Millis(at));
            flights.clear();
            released = Some((at, text));
        }
        now = began + went.took;
        match went.how {
            How::Well => {
                chain.completed(Millis(now));
                let by = letter(hop);
                break if shown.is_some() { format!("resumed_by_{by}") } else { by.to_string() };
            }
            How::Failed(error) => chain.failed(Millis(now), hop, error.failure, error.retry_after),
            How::Cut(failure) => {
                if !chain.cut(Millis(now), failure) {
                    break "cut".to_owned();
                }
            }
        }
    };
    let first_byte = released.map_or(now, |(at, _)| at);
    format!("{seen} {outcome} {}", time(first_byte))
}

fn time(millis: u64) -> String {
    if millis.is_multiple_of(1000) { format!("{}s", millis / 1000) } else { format!("{millis}ms") }
}

fn rows() -> Vec<Row> {
    serde_yaml::from_str(include_str!("matrix.yaml")).unwrap()
}

#[test]
fn every_fault_ends_as_the_matrix_says() {
    let mut wrong = String::new();
    for row in rows() {
        for (chain, _, behind) in CHAINS {
            let Some(expected) = row.expect.get(chain) else { continue };
            let known = |key: &&String| *key == "any" || COLUMNS.iter().any(|(name, _)| name == key);
            assert_eq!(expected.keys().find(|key| !known(key)), None, "{}", row.name);
            for (name, column) in COLUMNS {
                let is = walk(&row, column, chain, behind);
                let wanted = expected.get(name).or_else(|| expected.get("any"));
                if wanted != Some(&is) {
                    let wanted = wanted.map_or("nothing", String::as_str);
                    let _ = writeln!(wrong, "{}, {chain}, {name}: {is}, and not {wanted}", row.name);
                }
            }
        }
        for chain in ["alone", "pair", "twice"] {
            assert!(row.expect.contains_key(chain), "{}: nothing is expected of `{chain}`", row.name);
        }
        let known = |key: &&String| CHAINS.iter().any(|(name, ..)| name == key);
        assert_eq!(row.expect.keys().find(|key| !known(key)), None, "{}", row.name);
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// What every cell says, in words.
fn cell(outcome: &str) -> String {
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

fn page() -> String {
    let mut page = String::from(
        "# What happens when a provider fails\n\n\
         Made by `cargo test --test chain` from `matrix.yaml`; do not edit. Every row is something a provider does on the wire, \
         every column a way to ask: without a stream, and with one at each kind of `hold`. A cell says which hops are tried, \
         what the caller gets, and after how long at most it begins. Hops have `timeout 10s`, `first_token 5s`, `idle 3s`, the \
         default retry and the default `on`; a healthy answer begins after 150 ms and is whole after 700 ms, as a document after \
         100 ms. **cut** is a stream that the caller saw the beginning of: it ends with an error event, never cleanly.\n",
    );
    for (chain, title, behind) in CHAINS {
        let _ = write!(page, "\n## {title}\n\n| what the provider does |");
        COLUMNS.iter().for_each(|(name, column)| {
            let _ = match column {
                Column::Whole => write!(page, " no stream |"),
                Column::Stream(_) => write!(page, " `hold {name}` |"),
            };
        });
        page.push_str("\n|---|---|---|---|---|\n");
        for row in rows().iter().filter(|row| row.expect.contains_key(chain)) {
            let _ = write!(page, "| {} |", row.name);
            for (_, column) in COLUMNS {
                let _ = write!(page, " {} |", cell(&walk(row, column, chain, behind)));
            }
            page.push('\n');
        }
    }
    page
}

#[test]
fn the_page_shows_the_matrix() {
    let page = page();
    println!("{page}");
    if std::env::var_os("WAYSIDE_BLESS").is_some() {
        std::fs::write(PAGE, &page).unwrap();
    }
    let written = std::fs::read_to_string(PAGE).unwrap_or_default();
    assert!(written == page, "tests/chain/README.md is out of date: run `WAYSIDE_BLESS=1 cargo test --test chain`");
}
