//! A chain walked on a virtual clock, whose attempts go as the wire says.

use wayside::chain::{Chain, Start, Step};
use wayside::dialect::Dialect;
use wayside::failure::Failure;
use wayside::policy::ast::OnCut;
use wayside::policy::checked::{Hedge, Hold, Retry};
use wayside::policy::plan::{PlannedHop, Run};
use wayside::units::{Millis, Tokens};

use super::attempt::{Ask, How, Sent, Went, attempt};
use super::{Behind, Column, HEDGE};
use crate::{hop, run};

/// What one cell is about.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    pub tongues: (Dialect, Dialect),
    pub demands: bool,
    pub faulty: &'a Sent,
    pub healthy: &'a Sent,
    pub column: Column,
    pub chain: &'a str,
    pub behind: &'a [Behind],
}

/// What came of it.
pub struct Came {
    /// `ATTEMPTS OUTCOME TIME`.
    pub cell: String,
    /// How attempts failed, cuts among them.
    pub failures: Vec<Failure>,
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

/// A walk under way.
struct Walk<'a> {
    case: Case<'a>,
    hops: Vec<PlannedHop>,
    chain: Chain,
    now: u64,
    seen: String,
    flights: Vec<Flight>,
    released: Option<(u64, String)>,
    failures: Vec<Failure>,
}

fn letter(at: usize) -> char {
    char::from(b'A' + at as u8)
}

/// Walks to the end.
pub fn walk(case: Case<'_>) -> Came {
    let mut hops: Vec<_> = (0..case.behind.len())
        .map(|at| hop(at as u8 + 1, if at == 0 { Retry::DEFAULT } else { Retry::NONE }))
        .collect();
    if case.chain == "hedged" {
        hops[0].hedge = Some(Hedge { after: Some(HEDGE), legs: 1 });
        hops[0].hedge_after = Some(HEDGE);
    }
    if case.chain == "window" {
        hops[2].max_input = Tokens(200_000);
    }
    let hold = if let Column::Stream(hold) = case.column { hold } else { Hold::FirstToken };
    let on_cut = if case.chain == "resume" { OnCut::Resume } else { OnCut::Error };
    let streaming = case.column != Column::Whole;
    let chain = Chain::unlucky(Run { hold, on_cut, ..run(hops.clone()) }, streaming);
    let (now, seen, flights, released, failures) = Default::default();
    let mut walk = Walk { case, hops, chain, now, seen, flights, released, failures };
    let outcome = loop {
        if let Some(outcome) = walk.step() {
            break outcome;
        }
    };
    let first_byte = walk.released.map_or(walk.now, |(at, _)| at);
    Came { cell: format!("{} {outcome} {}", walk.seen, time(first_byte)), failures: walk.failures }
}

impl Walk<'_> {
    /// One step; the outcome, when it was the last.
    fn step(&mut self) -> Option<String> {
        let start = match self.chain.next(Millis(self.now)) {
            Step::Wait { until } => {
                self.now = until.0;
                return None;
            }
            Step::Return { .. } | Step::Degrade { .. } if self.released.is_some() => return Some("cut".to_owned()),
            Step::Return { hop, .. } => return Some(format!("said_by_{}", letter(hop))),
            Step::Degrade { .. } => return Some("degraded".to_owned()),
            Step::Attempt(start) => Some(start),
            Step::Await { hedge } => {
                let first = self.flights.iter().map(Flight::shows).min().unwrap();
                hedge.filter(|due| due.0 < first).and_then(|due| {
                    self.now = self.now.max(due.0);
                    self.chain.hedge(Millis(self.now))
                })
            }
        };
        match start {
            Some(start) => {
                self.begin(start);
                None
            }
            None => self.land(),
        }
    }

    fn begin(&mut self, start: Start) {
        self.seen.push(letter(start.hop));
        let Case { tongues, demands, faulty, healthy, column, behind, .. } = self.case;
        let before = self.released.as_ref().map(|(_, text)| &**text);
        let ask = Ask { tongues, column, demands, start, on: self.hops[start.hop].on, before };
        let sent = if behind[start.hop] == Behind::Fault { faulty } else { healthy };
        self.flights.push(Flight { hop: start.hop, began: self.now, went: attempt(sent, ask) });
    }

    /// The first of those in flight to deliver or fail does.
    fn land(&mut self) -> Option<String> {
        let first = (0..self.flights.len()).min_by_key(|at| self.flights[*at].shows()).unwrap();
        let Flight { hop, began, went } = self.flights.remove(first);
        let shown = self.released.as_ref().map(|(at, _)| *at);
        if let Some((at, text)) = went.released {
            let at = shown.unwrap_or(began + at);
            self.chain.delivered(Millis(at), hop);
            self.chain.released(Millis(at));
            self.flights.clear();
            self.released = Some((at, text));
        }
        self.now = began + went.took;
        let now = Millis(self.now);
        match went.how {
            How::Well => {
                self.chain.completed(now);
                let by = letter(hop);
                return Some(if shown.is_some() { format!("resumed_by_{by}") } else { by.to_string() });
            }
            How::Failed(error) => {
                self.failures.push(error.failure);
                self.chain.failed(now, hop, error.failure, error.retry_after);
            }
            How::Cut(failure) => {
                self.failures.push(failure);
                if !self.chain.cut(now, failure) {
                    return Some("cut".to_owned());
                }
            }
        }
        None
    }
}

fn time(millis: u64) -> String {
    if millis.is_multiple_of(1000) { format!("{}s", millis / 1000) } else { format!("{millis}ms") }
}
