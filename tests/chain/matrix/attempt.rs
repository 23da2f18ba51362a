//! One attempt on a virtual clock: what comes over the wire, held against the attempt's limits.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;

use wayside::chain::Start;
use wayside::dialect::Dialect;
use wayside::dialect::chat::output::Output;
use wayside::dialect::chat::stream::Verdict;
use wayside::dialect::upstream_error::UpstreamError;
use wayside::dialect::whole;
use wayside::failure::{Failure, FailureSet};
use wayside::policy::checked::Hold;

use super::read::{Heard, REPLY, Told};
use super::{Column, GAP, HEAD, PIN};

/// What comes over the wire, as `matrix.yaml` says it.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wire {
    /// An HTTP error of the dialect's.
    pub error: Option<String>,
    /// One that says the same everywhere.
    pub status: Option<u16>,
    pub headers: BTreeMap<String, String>,
    /// A whole answer of the dialect's.
    pub document: Option<String>,
    /// One that says the same everywhere.
    pub text: Option<String>,
    pub events: Option<Vec<String>>,
    /// Milliseconds before the first word.
    pub slow: u64,
    pub end: End,
}

/// What follows.
#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum End {
    #[default]
    Clean,
    /// No connection.
    Refused,
    /// The connection breaks.
    Cut,
    /// Nothing more, for ever.
    Silence,
}

/// The same in bytes.
pub struct Sent {
    pub what: What,
    pub slow: u64,
    pub end: End,
}

pub enum What {
    Nothing,
    Error {
        status: u16,
        headers: BTreeMap<String, String>,
        body: String,
    },
    Document(Bytes),
    /// So many pieces, and what they say.
    Stream(usize, Heard),
}

/// How one attempt is asked.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    pub tongues: (Dialect, Dialect),
    pub column: Column,
    pub demands: bool,
    pub start: Start,
    pub on: FailureSet,
    /// What the caller has seen already, of another answer.
    pub before: Option<&'a str>,
}

impl Ask<'_> {
    /// Whether an answer that is whole fails the schema its caller demanded.
    fn misshapen(self, output: &Output) -> bool {
        let schema = serde_json::json!({"type": "object", "required": ["n"]});
        let fits = |text: &str| serde_json::from_str(text).is_ok_and(|value| jsonschema::is_valid(&schema, &value));
        self.demands && !output.choices.iter().all(|choice| fits(&choice.text))
    }
}

/// How one attempt went: when it could be shown, and how it ended.
pub struct Went {
    pub took: u64,
    pub how: How,
    /// What the caller had seen when it ended.
    pub released: Option<(u64, String)>,
}

pub enum How {
    Well,
    Failed(UpstreamError),
    Cut(Failure),
}

fn failed(took: u64, failure: Failure) -> Went {
    Went { took, how: How::Failed(UpstreamError::bare(failure, "")), released: None }
}

/// One attempt, held against its limits.
pub fn attempt(sent: &Sent, ask: Ask<'_>) -> Went {
    let limit = ask.start.limits.attempt.0;
    let took = HEAD + sent.slow;
    match &sent.what {
        What::Error { status, headers, body } => {
            let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (&**name, &**value)).collect();
            let now = "2026-11-23T12:00:00Z".parse().unwrap();
            let error = UpstreamError::from_response(*status, &headers[..], body.as_bytes(), now);
            Went { took: HEAD, how: How::Failed(error), released: None }
        }
        What::Stream(pieces, heard) => Stream::of(sent, *pieces, heard, ask).went(),
        What::Nothing if sent.end == End::Refused => failed(0, Failure::Network),
        What::Nothing if sent.end == End::Cut => failed(took.min(limit), Failure::Network),
        What::Nothing => {
            let silent = ask.start.limits.first_token.map_or(limit, |first| first.0.min(limit));
            failed(silent, Failure::Timeout)
        }
        What::Document(_) if took > limit => failed(limit, Failure::Timeout),
        What::Document(body) => document(body, took, ask),
    }
}

/// A body with status 200.
fn document(body: &Bytes, took: u64, ask: Ask<'_>) -> Went {
    let (upstream, caller) = ask.tongues;
    let whole = whole::Whole::read(upstream, caller, body, None);
    let (summary, error) = whole.summary();
    if let Some(error) = error {
        return Went { took, how: How::Failed(error), released: None };
    }
    if summary.model.is_some_and(|model| &*model != PIN) {
        return failed(took, Failure::ModelGone);
    }
    let output = whole.output();
    if ask.misshapen(&output) {
        return failed(took, Failure::InvalidOutput);
    }
    let told = whole.for_caller(&REPLY).expect("what is well is told");
    serde_json::from_slice::<serde_json::Value>(&told).expect("in JSON");
    Went { took, how: How::Well, released: Some((took, output.choices[0].text.clone())) }
}

/// A stream on its way.
struct Stream<'a> {
    sent: &'a Sent,
    pieces: usize,
    heard: &'a Heard,
    ask: Ask<'a>,
    now: u64,
    /// Content has come.
    spoke: bool,
    released: Option<(u64, String)>,
}

impl<'a> Stream<'a> {
    fn of(sent: &'a Sent, pieces: usize, heard: &'a Heard, ask: Ask<'a>) -> Self {
        Self { sent, pieces, heard, ask, now: 0, spoke: false, released: None }
    }

    /// When silence ends it: a released stream may be long; before that, the first word and the release have their limits.
    fn limit(&self) -> u64 {
        let limits = self.ask.start.limits;
        let (first, idle) = (limits.first_token.unwrap().0.min(limits.attempt.0), limits.idle.unwrap().0);
        match (self.released.is_some(), self.now, self.spoke) {
            (true, ..) => self.now + idle,
            (false, 0, _) => first,
            (false, _, true) => limits.attempt.0.min(self.now + idle),
            (false, _, false) => first.min(self.now + idle),
        }
    }

    fn lost(self, took: u64, error: UpstreamError) -> Went {
        let how = if self.released.is_some() { How::Cut(error.failure) } else { How::Failed(error) };
        Went { took, how, released: self.released }
    }

    fn went(mut self) -> Went {
        let mut told = self.heard.told.iter().peekable();
        for piece in 0..self.pieces.max(1) {
            let pause = match piece {
                0 => HEAD,
                1 => GAP + self.sent.slow,
                _ => GAP,
            };
            let limit = self.limit();
            // A piece without bytes is the end of a body, or nothing.
            let silent = self.sent.end == End::Silence && told.peek().is_none();
            if silent || self.now + pause > limit {
                return self.lost(limit, UpstreamError::bare(Failure::Timeout, ""));
            }
            self.now += pause;
            while let Some(told) = told.next_if(|told| told.piece == piece) {
                if let Some(error) = self.take(told) {
                    let now = self.now;
                    return self.lost(now, error);
                }
                if told.ended {
                    return self.ended();
                }
            }
        }
        match self.sent.end {
            End::Clean => self.ended(),
            End::Silence => {
                let limit = self.limit();
                self.lost(limit, UpstreamError::bare(Failure::Timeout, ""))
            }
            End::Cut | End::Refused => {
                let now = self.now;
                self.lost(now, UpstreamError::bare(Failure::Network, ""))
            }
        }
    }

    /// Takes what was heard; what makes it useless.
    fn take(&mut self, told: &Told) -> Option<UpstreamError> {
        match &told.verdict {
            Verdict::Failed(error) => return Some((**error).clone()),
            Verdict::Declined(failure) if self.released.is_none() && self.ask.on.contains(*failure) => {
                return Some(UpstreamError::bare(*failure, ""));
            }
            Verdict::Content | Verdict::Finish | Verdict::Declined(_) => self.spoke = true,
            Verdict::Done => return None,
            Verdict::Quiet | Verdict::Malformed => {}
        }
        if self.released.is_none() && told.drifted {
            return Some(UpstreamError::bare(Failure::ModelGone, ""));
        }
        let Column::Stream(hold) = self.ask.column else { panic!("a stream nobody asked for") };
        let enough = match (self.ask.before, hold) {
            (Some(before), _) => told.text > before.len(),
            (None, Hold::FirstToken) => self.spoke,
            (None, Hold::Tokens(wanted)) => self.spoke && told.tokens >= wanted,
            (None, Hold::Complete) => false,
        };
        if enough || self.released.is_some() {
            let at = self.released.take().map_or(self.now, |(at, _)| at);
            self.released = Some((at, self.said(told.text)));
        }
        None
    }

    fn said(&self, bytes: usize) -> String {
        self.heard.output.choices.first().map_or_else(String::new, |choice| choice.text[..bytes].to_owned())
    }

    /// With its terminal event, or a clean end of its body.
    fn ended(self) -> Went {
        let (now, heard) = (self.now, self.heard);
        if !heard.complete {
            return self.lost(now, UpstreamError::bare(Failure::Network, ""));
        }
        if self.released.is_none() && self.ask.misshapen(&heard.output) {
            return failed(now, Failure::InvalidOutput);
        }
        let at = self.released.as_ref().map_or(now, |(at, _)| *at);
        Went {
            took: now,
            how: How::Well,
            released: Some((at, self.said(heard.output.choices.first().map_or(0, |choice| choice.text.len())))),
        }
    }
}
