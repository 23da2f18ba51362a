//! Hop options, where they are written, and what inherits them (sections 3.3, 5.4, 5.5).
//!
//! In: options of hops, `tier` lines, rules and `defaults`. Out: effective options with nothing left to inherit. Must not know:
//! which snapshots a chain has.

use std::sync::Arc;

use super::super::ast::{self, Block, BlockStmt, HopOption, HopOptionKind, OnCut, Setting, Value, ValueKind};
use super::super::checked::{Hedge, Hold, HopOptions, HopOrigins, Retry, Scope, WrittenAt};
use super::super::diagnostic::{Diagnostic, R110, R112, R316, R322, R333, R504};
use super::super::source::{Span, Spanned};
use super::Resolver;
use super::names::unknown;
use super::values::members;
use crate::failure::{Failure, FailureSet};
use crate::units::{Millis, Tokens};

/// One attempt, not streaming, when nothing is written.
pub const TIMEOUT: Millis = Millis::secs(10);
/// One attempt until released, streaming, when nothing is written.
pub const STREAM_TIMEOUT: Millis = Millis::secs(30);
/// Until the first content event, when nothing is written.
pub const FIRST_TOKEN: Millis = Millis::secs(10);
/// Between events, when nothing is written.
pub const IDLE: Millis = Millis::secs(10);
/// A released stream in total, when nothing is written.
pub const STREAM_LIMIT: Millis = Millis::secs(600);
/// More attempts on one hop than anybody should wait for.
const MAX_RETRIES: u64 = 10;

/// A value, where it is written, and how near to the hop: 0 is the hop itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<T> {
    pub value: T,
    pub at: WrittenAt,
    pub far: u8,
}

/// The options somebody wrote in one place, or inherited from a place further out.
#[derive(Clone, Debug, Default)]
pub(super) struct Written {
    /// How many places stand together here, without the nearest.
    places: u8,
    pub timeout: Option<At<Millis>>,
    pub first_token: Option<At<Millis>>,
    pub idle: Option<At<Millis>>,
    pub stream_limit: Option<At<Millis>>,
    pub max_output: Option<At<Tokens>>,
    pub retry: Option<At<Retry>>,
    pub on: Option<At<FailureSet>>,
    pub regions: Option<At<Vec<Arc<str>>>>,
    pub hedge: Option<At<Hedge>>,
}

impl Written {
    /// These options, and those of the next place further out where these say nothing.
    pub fn or(&self, outer: &Self) -> Self {
        let further = self.places.saturating_add(1);
        fn pick<T: Clone>(near: &Option<At<T>>, outer: &Option<At<T>>, further: u8) -> Option<At<T>> {
            near.clone().or_else(|| outer.clone().map(|at| At { far: at.far.saturating_add(further), ..at }))
        }
        Self {
            places: outer.places.saturating_add(further),
            timeout: pick(&self.timeout, &outer.timeout, further),
            first_token: pick(&self.first_token, &outer.first_token, further),
            idle: pick(&self.idle, &outer.idle, further),
            stream_limit: pick(&self.stream_limit, &outer.stream_limit, further),
            max_output: pick(&self.max_output, &outer.max_output, further),
            retry: pick(&self.retry, &outer.retry, further),
            on: pick(&self.on, &outer.on, further),
            regions: pick(&self.regions, &outer.regions, further),
            hedge: pick(&self.hedge, &outer.hedge, further),
        }
    }
}

/// What a rule or `defaults` says about streams as a whole.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Conduct {
    pub hold: Option<(Hold, Span)>,
    pub on_cut: Option<(OnCut, Span)>,
}

impl<'a> Resolver<'a> {
    /// The options behind one hop or `tier` line.
    pub(super) fn written(&mut self, options: &'a [HopOption], scope: Scope) -> Written {
        let mut out = Written::default();
        for option in options {
            let at = WrittenAt { scope, span: option.span };
            match &option.kind {
                HopOptionKind::Timeout(value) => self.time(&mut out.timeout, value, at, "`timeout`"),
                HopOptionKind::FirstToken(value) => self.time(&mut out.first_token, value, at, "`first_token`"),
                HopOptionKind::Idle(value) => self.time(&mut out.idle, value, at, "`idle`"),
                HopOptionKind::MaxOutput(value) => self.max_output(&mut out.max_output, value, at),
                HopOptionKind::Retry { count, on, backoff } => {
                    if let Some(retry) = self.retry(count, on.as_deref(), backoff.as_ref()) {
                        self.once(&mut out.retry, retry, at, "`retry`");
                    }
                }
                HopOptionKind::On(words) => {
                    let set = self.failures(words, FailureSet::MOVES_ON, "`on`");
                    self.once(&mut out.on, set, at, "`on`");
                }
                HopOptionKind::In(values) => {
                    let regions = self.regions(values);
                    // A list of unknown regions alone must not read as "any region".
                    if !regions.is_empty() {
                        self.once(&mut out.regions, regions, at, "`in`");
                    }
                }
                HopOptionKind::Hedge { after, up_to } => {
                    let hedge = self.hedge(after.as_ref(), up_to.as_ref());
                    self.once(&mut out.hedge, hedge, at, "`hedge`");
                }
            }
        }
        out
    }

    /// One `key value*` of `defaults` or of a rule, if it is a hop option.
    pub(super) fn written_setting(&mut self, out: &mut Written, setting: &'a Setting, scope: Scope) {
        let Some(value) = setting.values.first() else { return };
        let at = WrittenAt { scope, span: setting.span };
        match setting.key.node.as_str() {
            "timeout" => self.time(&mut out.timeout, value, at, "`timeout`"),
            "first_token" => self.time(&mut out.first_token, value, at, "`first_token`"),
            "idle" => self.time(&mut out.idle, value, at, "`idle`"),
            "stream_limit" => self.time(&mut out.stream_limit, value, at, "`stream_limit`"),
            "max_output" => self.max_output(&mut out.max_output, value, at),
            "on" => {
                let set = self.failures(members(value), FailureSet::MOVES_ON, "`on`");
                self.once(&mut out.on, set, at, "`on`");
            }
            "in" => {
                let regions = self.regions(members(value));
                if !regions.is_empty() {
                    self.once(&mut out.regions, regions, at, "`in`");
                }
            }
            "retry" => {
                let after = |word: &str| {
                    let place =
                        setting.values.iter().position(|value| matches!(&value.kind, ValueKind::Word(w) if w == word));
                    place.and_then(|at| setting.values.get(at + 1))
                };
                if let Some(retry) = self.retry(value, after("on").map(members), after("backoff")) {
                    self.once(&mut out.retry, retry, at, "`retry`");
                }
            }
            _ => {}
        }
    }

    /// `defaults { … }`
    pub(super) fn read_defaults(&mut self, body: &'a Block) {
        let mut out = Written::default();
        for stmt in &body.stmts {
            let BlockStmt::Setting(setting) = stmt else { continue };
            let span = setting.span;
            let words: Vec<&str> = setting
                .values
                .iter()
                .filter_map(|value| match &value.kind {
                    ValueKind::Word(word) => Some(word.as_str()),
                    _ => None,
                })
                .collect();
            match (setting.key.node.as_str(), words.as_slice()) {
                ("hold", ["first_token"]) => self.conduct.hold = Some((Hold::FirstToken, span)),
                ("hold", ["complete"]) => self.conduct.hold = Some((Hold::Complete, span)),
                ("hold", _) => {
                    if let Some(value) = setting.values.first() {
                        let tokens = self.desk.tokens(value, "`hold`");
                        self.conduct.hold = tokens.map(|tokens| (Hold::Tokens(tokens.0), span));
                    }
                }
                ("on", ["cut", "error"]) => self.conduct.on_cut = Some((OnCut::Error, span)),
                ("on", ["cut", "resume"]) => self.conduct.on_cut = Some((OnCut::Resume, span)),
                _ => self.written_setting(&mut out, setting, Scope::Defaults),
            }
        }
        self.defaults = out;
    }

    pub(super) fn hold(&mut self, hold: &ast::Hold) -> Option<Hold> {
        Some(match hold {
            ast::Hold::FirstToken => Hold::FirstToken,
            ast::Hold::Complete => Hold::Complete,
            ast::Hold::Tokens(value) => Hold::Tokens(self.desk.tokens(value, "`hold`")?.0),
        })
    }

    /// Effective options of one hop, from the nearest place out, and where each is written; R504.
    pub(super) fn effective(&mut self, near: &Written) -> (HopOptions, HopOrigins) {
        let all = near.or(&self.defaults);
        let timeout = all.timeout.map_or(TIMEOUT, |at| at.value);
        let stream_timeout = all.timeout.map_or(STREAM_TIMEOUT, |at| at.value);
        let first_token = self.first_token(&all, stream_timeout);
        let origins = HopOrigins {
            timeout: place(&all.timeout),
            first_token: place(&all.first_token),
            first_token_lowered: all.first_token.map_or(FIRST_TOKEN, |at| at.value) > first_token,
            idle: place(&all.idle),
            stream_limit: place(&all.stream_limit),
            retry: place(&all.retry),
            on: place(&all.on),
            regions: place(&all.regions),
            max_output: place(&all.max_output),
            hedge: place(&all.hedge),
        };
        let options = HopOptions {
            timeout,
            stream_timeout,
            first_token,
            idle: all.idle.map_or(IDLE, |at| at.value),
            stream_limit: all.stream_limit.map_or(STREAM_LIMIT, |at| at.value),
            retry: all.retry.map(|at| at.value),
            on: all.on.map_or(FailureSet::MOVES_ON, |at| at.value),
            regions: all.regions.map(|at| at.value).unwrap_or_default(),
            max_output: all.max_output.map(|at| at.value),
            hedge: all.hedge.map(|at| at.value),
        };
        (options, origins)
    }

    /// An inherited `first_token` above a nearer `timeout` is lowered to it; one written beside it, or nearer, is R504.
    fn first_token(&mut self, all: &Written, stream_timeout: Millis) -> Millis {
        let Some(first) = all.first_token else { return FIRST_TOKEN.min(stream_timeout) };
        let meant = all.timeout.is_none_or(|timeout| first.far <= timeout.far);
        if first.value > stream_timeout && meant {
            let message = format!("`first_token` is {}, above its `timeout` of {stream_timeout}", first.value);
            let mut finding =
                Diagnostic::new(&R504, first.at.span, message).here("no stream can use the time above `timeout`");
            finding = match all.timeout {
                Some(timeout) => finding.label(timeout.at.span, "ends the attempt before"),
                None => {
                    finding.note(format!("without a `timeout`, a stream has {STREAM_TIMEOUT} until it is released"))
                }
            };
            let text = format!("first_token {stream_timeout}");
            self.desk.report(finding.help(format!("write `{text}`, or raise `timeout`")));
        }
        first.value.min(stream_timeout)
    }

    fn time(&mut self, slot: &mut Option<At<Millis>>, value: &Value, at: WrittenAt, what: &str) {
        if let Some(time) = self.desk.some_time(value, what) {
            self.once(slot, time, at, what);
        }
    }

    fn max_output(&mut self, slot: &mut Option<At<Tokens>>, value: &Value, at: WrittenAt) {
        let Some(tokens) = self.desk.tokens(value, "`max_output`") else { return };
        if tokens.0 == 0 {
            let finding = Diagnostic::new(&R112, value.span, "`max_output` is 0, so no answer could have a word");
            self.desk.report(finding.help("write the most tokens an answer may have, like `1k`"));
            return;
        }
        self.once(slot, tokens, at, "`max_output`");
    }

    /// The second of two equal options on one line is R108.
    fn once<T>(&mut self, slot: &mut Option<At<T>>, value: T, at: WrittenAt, what: &str) {
        if let Some(first) = slot {
            self.desk.report(twice(what, at.span, first.at.span));
            return;
        }
        *slot = Some(At { value, at, far: 0 });
    }

    fn hedge(&mut self, after: Option<&Value>, up_to: Option<&Spanned<u32>>) -> Hedge {
        let after = after.and_then(|value| self.desk.some_time(value, "`hedge after`"));
        let legs = up_to.map_or(1, |legs| legs.node);
        if let Some(legs) = up_to.filter(|legs| !(1..=2).contains(&legs.node)) {
            let message = format!("`up to {}`: a hedge has 1 or 2 extra legs", legs.node);
            self.desk.report(Diagnostic::new(&R112, legs.span, message).help("write `up to 1`"));
        }
        Hedge { after, legs: legs.clamp(1, 2) as u8 }
    }

    fn retry(&mut self, count: &Value, on: Option<&[Value]>, backoff: Option<&Value>) -> Option<Retry> {
        let number = self.desk.number(count, "`retry`", "attempts")?;
        if number > MAX_RETRIES {
            let message = format!("`retry {number}` is more than a chain can wait for");
            self.desk
                .report(Diagnostic::new(&R112, count.span, message).help(format!("write at most `{MAX_RETRIES}`")));
            return None;
        }
        let on = match on {
            None => FailureSet::RETRIES,
            Some(words) => {
                let set = self.failures(words, FailureSet::RETRIES, "`retry`");
                self.judge_retries(words)?;
                set
            }
        };
        let backoff = match backoff {
            None => Retry::DEFAULT.backoff,
            Some(value) => self.desk.duration(value, "`backoff`")?,
        };
        if number == 0 {
            return Some(Retry::NONE);
        }
        Some(Retry { count: number as u32, on, backoff })
    }

    /// R316 and R322, word by word.
    fn judge_retries(&mut self, words: &[Value]) -> Option<()> {
        use Failure::{Auth, ContentFilter, ContextLength, ModelGone, QuotaExhausted, Refusal};
        let mut pointless = false;
        for (at, value) in words.iter().enumerate() {
            let ValueKind::Word(word) = &value.kind else { continue };
            match Failure::from_word(word) {
                Some(Failure::Timeout) => {
                    let message = "`retry` on `timeout` can be billed twice: the call that timed out may still run";
                    let help = "leave `timeout` out; the chain then moves on to the next hop";
                    self.desk.report(Diagnostic::new(&R316, value.span, message).help(help));
                }
                Some(ContextLength | Auth | QuotaExhausted | ModelGone | ContentFilter | Refusal) => {
                    pointless = true;
                    let message = format!("`retry` on `{word}` is pointless: the same call fails the same way");
                    let rest: Vec<&str> =
                        words.iter().filter(|other| *other != value).map(|other| self.desk.text(other.span)).collect();
                    let mut finding = Diagnostic::new(&R322, value.span, message);
                    if rest.is_empty() {
                        finding = finding.help("delete this `retry`, or write `retry 0`");
                    } else {
                        let (first, last) =
                            (words[at.saturating_sub(1)].span, words[(at + 1).min(words.len() - 1)].span);
                        // Takes the comma along: the one behind the word, or, for the last word, the one before it.
                        let cut = if at == 0 {
                            Span { hi: last.lo, ..value.span }
                        } else {
                            Span { lo: first.hi, ..value.span }
                        };
                        finding = finding.help(format!("write `on [{}]`", rest.join(", "))).fix(
                            true,
                            format!("take `{word}` out"),
                            cut,
                            "",
                        );
                    }
                    self.desk.report(finding);
                }
                _ => {}
            }
        }
        (!pointless).then_some(())
    }

    /// The failures a list names; R333.
    pub(super) fn failures(&mut self, words: &[Value], default: FailureSet, what: &str) -> FailureSet {
        let mut set = FailureSet::EMPTY;
        for value in words {
            let ValueKind::Word(word) = &value.kind else {
                let takes = "words for failures, like `[rate_limit, overload]`";
                self.desk.report(Diagnostic::new(&R110, value.span, format!("{what} takes {takes}")));
                continue;
            };
            match Failure::from_word(word) {
                Some(Failure::BadRequest) => {
                    let message = "`bad_request` is the caller's mistake on every model, so nothing moves on for it";
                    self.desk.report(Diagnostic::new(&R333, value.span, message).help("leave `bad_request` out"));
                }
                Some(failure) => set = set.with(failure),
                None if word == "default" => set = set.union(default),
                None => {
                    let known: Vec<&str> = Failure::ALL
                        .iter()
                        .filter(|failure| **failure != Failure::BadRequest)
                        .map(|failure| failure.word())
                        .chain(["default"])
                        .collect();
                    let message = format!("there is no failure `{word}`");
                    let mut finding = unknown(&R333, "failure", message, word, value.span, &known);
                    finding.notes = vec![format!("the words are {}", known.join(", "))];
                    self.desk.report(finding);
                }
            }
        }
        set
    }
}

/// Where an option is written.
fn place<T>(option: &Option<At<T>>) -> Option<WrittenAt> {
    option.as_ref().map(|at| at.at)
}

/// R108 for statements and options that stand twice.
pub(super) fn twice(what: &str, span: Span, first: Span) -> Diagnostic {
    use super::super::diagnostic::R108;
    Diagnostic::new(&R108, span, format!("{what} is given twice"))
        .here("given again")
        .label(first, "first given here")
        .help("delete one of the two")
}
