//! One try of one hop: everything up to the moment the caller could be shown something.
//!
//! In: an upstream, a body, limits. Out: a complete answer, a stream whose first content is here, or a failure. Must not know:
//! which hop comes next. Writes nothing to the caller.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::{Instant, sleep_until};

use super::caller::Caller;
use super::events::{Events, Next};
use super::judge::{Verdict, Watch};
use super::resume::{Seam, seam};
use super::schema::{Shape, invalid};
use super::silence::Silence;
use crate::dialect::Dialect;
use crate::dialect::canonical::Reply;
use crate::dialect::carried::Carried;
use crate::dialect::follow::Follow;
use crate::dialect::upstream_error::{MAX_ERROR_BODY, UpstreamError};
use crate::dialect::whole::{self, Vectors};
use crate::failure::{Failure, FailureSet};
use crate::policy::checked::Hold;
use crate::upstream::{Answer, Call, CallError, Reached, Upstream};
use crate::usage::Usage;

/// Bytes of an answer that is no stream.
pub const MAX_ANSWER: usize = 64 << 20;
/// Bytes of a stream that are held before it is released whatever the policy says (language specification, section 5.6).
pub const MAX_HELD: usize = 4 << 20;

/// What to call, and for how long.
pub struct Try<'a> {
    /// Whom.
    pub upstream: &'a Arc<Upstream>,
    /// What it is sent.
    pub call: Call<'a>,
    /// What the caller speaks.
    pub caller: Dialect,
    /// What the upstream speaks.
    pub dialect: Dialect,
    /// The vectors that are asked for.
    pub vectors: Option<Vectors<'a>>,
    /// What stands around an answer that is written in another dialect than it came in.
    pub reply: Reply<'a>,
    /// The model that must answer.
    pub pin: &'a str,
    /// Answers asked for (`n`).
    pub choices: u64,
    /// Failures that move on: without one of them, a refusal or a filter's verdict in a stream is its answer.
    pub on: FailureSet,
    /// What the answer must look like, where another shape moves on.
    pub shape: Option<Shape<'a>>,
    /// What it says may be taken up by another hop, and must be known.
    pub kept: bool,
    /// What the caller has seen of an answer that broke off; this one must begin with it.
    pub after: Option<&'a str>,
    /// `None` for a request that is no stream.
    pub stream: Option<StreamLimits>,
    /// The end of the attempt: until complete; for a stream, until released.
    pub until: Instant,
    /// Tokens of content so far, for who gives it up.
    pub progress: &'a AtomicU64,
}

/// Limits that only streams have.
#[derive(Clone, Copy, Debug)]
pub struct StreamLimits {
    /// The first content event must be here.
    pub first_token: Instant,
    /// Between events.
    pub idle: Duration,
    /// How much is held back.
    pub hold: Hold,
}

/// How a try ended.
pub enum Tried {
    /// A complete answer.
    Whole(Whole),
    /// A stream that may be released.
    Live(Live),
    /// It was to take up another answer, and says something else.
    Diverged(Spent),
    /// A failure.
    Failed(Failed),
    /// Nobody waits any more.
    ClientGone,
}

/// What the provider said, for failures that are answers or the caller's own mistake.
pub struct Said {
    /// HTTP status.
    pub status: u16,
    /// As it came.
    pub body: Bytes,
    /// What it says about itself.
    pub watch: Option<Watch>,
    /// Of its head.
    pub carried: Carried,
}

/// How a try failed.
pub struct Failed {
    /// In the words of section 5.3.
    pub error: UpstreamError,
    /// What the provider said, where the caller may be told.
    pub said: Option<Said>,
    /// What it may be billed for.
    pub spent: Spent,
}

impl From<UpstreamError> for Failed {
    fn from(error: UpstreamError) -> Self {
        Self { error, said: None, spent: Spent::Nothing }
    }
}

/// What is known of the tokens of an attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spent {
    /// No answer, so no bill.
    #[default]
    Nothing,
    /// As the provider counted.
    Counted(Usage),
    /// The prompt, and so many tokens of an answer that nobody counted to its end.
    Begun(u64),
}

impl Spent {
    /// By what an answer says about itself.
    pub fn of(watch: &Watch) -> Self {
        watch.usage().map_or_else(|| Self::Begun(watch.content_tokens()), Self::Counted)
    }

    /// A failure is billed for where a model gave it, and then it names one or counts what it used.
    fn of_failed(watch: &Watch) -> Self {
        if watch.model().is_some() || watch.usage().is_some() { Self::of(watch) } else { Self::Nothing }
    }
}

/// A complete answer.
pub struct Whole {
    /// As the provider sent it.
    pub body: Bytes,
    /// What it says about itself.
    pub watch: Watch,
    /// Of its head.
    pub carried: Carried,
}

/// A stream that was held, and can be released now.
pub struct Live {
    /// Every event so far.
    pub held: Vec<Bytes>,
    /// The rest.
    pub events: Events,
    /// What it says about itself.
    pub watch: Watch,
    /// Its last event is among the held ones.
    pub complete: bool,
    /// Of its head.
    pub carried: Carried,
    /// When its first content came.
    pub first_content: Instant,
}

/// Tries a hop. Ends early when the caller leaves.
pub async fn attempt(caller: &mut Caller<'_>, hop: &Try<'_>) -> Tried {
    let limit = hop.stream.map_or(hop.until, |stream| stream.first_token.min(hop.until));
    // Pinned where it is made: `select!` would move it, and it is large.
    let mut answer = pin!(async {
        let answer = hop.upstream.call(&hop.call).await.map_err(|error| broken(&error))?;
        if hop.stream.is_some() { opened(answer, hop).await } else { complete(answer, hop).await.map(Opened::Whole) }
    });
    let opened = loop {
        let turn = tokio::select! {
            biased;
            answer = &mut answer => break answer,
            turn = caller.turns() => turn,
            () = sleep_until(limit) => break Err(late(hop, "no answer within the attempt's limit")),
        };
        if !caller.answered(turn).await {
            return Tried::ClientGone;
        }
    };
    match (opened, hop.stream) {
        (Err(failed), _) => Tried::Failed(failed),
        (Ok(Opened::Whole(whole)), _) => Tried::Whole(whole),
        (Ok(Opened::Stream(events)), Some(stream)) => hold(caller, events, hop, stream).await,
        (Ok(Opened::Stream(_)), None) => {
            Tried::Failed(UpstreamError::bare(Failure::Network, "a stream nobody asked for").into())
        }
    }
}

enum Opened {
    Whole(Whole),
    Stream(Events),
}

/// The head of a stream is here.
async fn opened(answer: Answer, hop: &Try<'_>) -> Result<Opened, Failed> {
    let answer = successful(answer, hop).await?;
    let answer = match Events::of(answer, hop.dialect) {
        Ok(events) => return Ok(Opened::Stream(events)),
        Err(answer) => answer,
    };
    // Some servers report an error as a plain document with status 200.
    let body = read_up_to(answer, MAX_ERROR_BODY).await?;
    Err(UpstreamError { status: Some(200), ..UpstreamError::in_band(&body) }.into())
}

/// A whole answer is here.
async fn complete(answer: Answer, hop: &Try<'_>) -> Result<Whole, Failed> {
    let answer = successful(answer, hop).await?;
    let carried = carried(&answer, hop);
    let body = read_up_to(answer, MAX_ANSWER).await;
    // It had begun to answer.
    let body = body.map_err(|error| Failed { error, said: None, spent: Spent::Begun(0) })?;
    let whole = whole::Whole::read(hop.dialect, hop.caller, &body, hop.vectors);
    let (watch, error) = Watch::whole(hop.pin, &whole);
    let Some(error) = error else {
        if let Some(shape) = hop.shape.filter(|shape| shape.demand.of_every_text() || watch.calls()) {
            let checked = shape.check(&whole.output());
            checked.map_err(|error| Failed { error, said: None, spent: Spent::of(&watch) })?;
        }
        let body = whole.for_caller(&hop.reply).unwrap_or_default();
        return Ok(Whole { body, watch, carried });
    };
    let spent = Spent::of_failed(&watch);
    let said = whole.for_caller(&hop.reply).map(|body| Said { status: 200, body, watch: Some(watch), carried });
    Err(Failed { error: UpstreamError { status: Some(200), ..error }, said, spent })
}

/// Turns every status but 2xx into the failure it means.
async fn successful(mut answer: Answer, hop: &Try<'_>) -> Result<Answer, Failed> {
    let status = answer.status();
    if (200..300).contains(&status) {
        return Ok(answer);
    }
    let mut body = BytesMut::new();
    let mut ended = false;
    while body.len() < MAX_ERROR_BODY {
        match answer.read().await {
            Ok(Some(piece)) => body.extend_from_slice(&piece),
            Ok(None) => {
                ended = true;
                break;
            }
            // The status says enough.
            Err(_) => break,
        }
    }
    body.truncate(MAX_ERROR_BODY);
    let error = UpstreamError::from_response(status, &answer.headers(), &body, jiff::Timestamp::now());
    let carried = carried(&answer, hop);
    if ended {
        answer.finish().await;
    }
    // A cloud puts its own errors, in words of its own, in place of those of the API that it passes on.
    let own = hop.dialect == hop.caller && hop.upstream.provider.hosts(hop.dialect).is_none();
    let body = if own { body.freeze() } else { error.for_caller(status).body(hop.caller).into() };
    let said = Said { status, body, watch: None, carried };
    Err(Failed { error, said: Some(said).filter(|_| ended), spent: Spent::Nothing })
}

/// What of an answer's head the caller gets.
fn carried(answer: &Answer, hop: &Try<'_>) -> Carried {
    let headers = answer.headers().into_iter().flatten();
    let text = headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    Carried::over(hop.dialect, hop.caller, text, jiff::Timestamp::now)
}

async fn read_up_to(mut answer: Answer, limit: usize) -> Result<Bytes, UpstreamError> {
    let mut first = Bytes::new();
    let mut more = BytesMut::new();
    loop {
        let piece = answer.read().await.map_err(|error| broken(&error))?;
        let Some(piece) = piece else { break };
        if first.len() + more.len() + piece.len() > limit {
            return Err(UpstreamError::bare(Failure::Network, "an answer larger than the limit"));
        }
        if first.is_empty() && more.is_empty() {
            first = piece;
            continue;
        }
        if more.is_empty() {
            more.extend_from_slice(&first);
            first = Bytes::new();
        }
        more.extend_from_slice(&piece);
    }
    answer.finish().await;
    Ok(if more.is_empty() { first } else { more.freeze() })
}

/// Holds a stream until it may be released.
async fn hold(caller: &mut Caller<'_>, mut events: Events, hop: &Try<'_>, limits: StreamLimits) -> Tried {
    let mut held = Held::new(hop);
    let mut silence = Silence::new(limits.idle, limits.first_token.min(hop.until));
    loop {
        let next = tokio::select! {
            biased;
            next = events.next() => next,
            turn = caller.turns() => {
                if !caller.answered(turn).await {
                    return Tried::ClientGone;
                }
                continue;
            }
            () = silence.over() => {
                return Tried::Failed(late(hop, "silence, or no content within the attempt's limit"));
            }
        };
        silence.heard();
        let taken = held.take(next, hop);
        hop.progress.store(held.watch.content_tokens(), Ordering::Relaxed);
        let complete = match taken {
            Ok(complete) => complete,
            Err(NotHeld::Failed(error)) => return held.failed(error),
            Err(NotHeld::Diverged) => return Tried::Diverged(Spent::of(&held.watch)),
        };
        if held.first_content.is_some() {
            silence.extend(hop.until);
        }
        match held.released(complete, limits.hold, hop) {
            Ok(false) => {}
            Ok(true) if complete && hop.after.is_some() && held.events.is_empty() => {
                return Tried::Diverged(Spent::of(&held.watch));
            }
            Ok(true) => return Tried::Live(held.live(events, complete, hop)),
            Err(error) => return held.failed(error),
        }
    }
}

/// Why a stream is not held any longer.
enum NotHeld {
    Failed(UpstreamError),
    Diverged,
}

impl From<UpstreamError> for NotHeld {
    fn from(error: UpstreamError) -> Self {
        Self::Failed(error)
    }
}

/// A stream so far.
struct Held {
    watch: Watch,
    events: Vec<Bytes>,
    size: usize,
    first_content: Option<Instant>,
}

impl Held {
    fn new(hop: &Try<'_>) -> Self {
        let mut follow = Follow::new(hop.dialect, hop.caller, hop.choices, &hop.reply);
        // What it says is held against something, or may be taken up.
        if hop.shape.is_some() || hop.kept || hop.after.is_some() {
            follow.put_together();
        }
        // What takes up another answer is held against it to its end.
        if hop.after.is_none() {
            follow.put_off_the_end();
        }
        Self { watch: Watch::stream(hop.pin, follow), events: Vec::new(), size: 0, first_content: None }
    }

    /// Whether this was the last of it.
    fn take(&mut self, next: Next, hop: &Try<'_>) -> Result<bool, NotHeld> {
        let event = match next {
            Next::Broken(reason) => return Err(UpstreamError::bare(Failure::Network, &reason).into()),
            Next::End => return Ok(self.watch.end().map(|()| true)?),
            Next::Event(event) => event,
        };
        // What takes up another answer is held against it event by event.
        let again = hop.after.map(|seen| {
            let choice = self.watch.output().and_then(|output| output.choices.first());
            (seen, choice.map_or(0, |choice| choice.text.len()), event.clone())
        });
        let (verdict, bytes) = self.watch.event(event);
        match verdict {
            Verdict::Failed(error) => return Err(error.into()),
            Verdict::Declined(failure) if hop.on.contains(failure) => {
                return Err(UpstreamError::bare(failure, "the stream is a refusal or a filter's verdict").into());
            }
            Verdict::Drop => return Ok(false),
            Verdict::Done => return Ok(true),
            Verdict::Content | Verdict::Declined(_) => {
                self.first_content.get_or_insert_with(Instant::now);
            }
            Verdict::Quiet => {}
        }
        let bytes = match (again, self.watch.output()) {
            (Some((seen, known, event)), Some(output)) => match seam(seen, known, output, &event) {
                Seam::Follows(bytes) => bytes,
                Seam::Seen => return Ok(false),
                Seam::Differs => return Err(NotHeld::Diverged),
            },
            _ => bytes,
        };
        self.size += bytes.len();
        self.events.push(bytes);
        if self.watch.ended() { Ok(self.watch.end().map(|()| true)?) } else { Ok(false) }
    }

    /// Whether the caller may see it.
    fn released(&self, complete: bool, hold: Hold, hop: &Try<'_>) -> Result<bool, UpstreamError> {
        let checked = hop.shape.zip(self.watch.output());
        if complete {
            return checked.map_or(Ok(()), |(shape, output)| shape.check(output)).map(|()| true);
        }
        if hop.after.is_some() {
            // The caller has waited long enough: what follows goes out at once.
            return Ok(!self.events.is_empty());
        }
        if self.size > MAX_HELD {
            let waits = hold == Hold::Complete && checked.is_some_and(|(shape, output)| shape.waits(output));
            let late = "a held stream is over its limit before its schema could be checked";
            return if waits { Err(invalid(late)) } else { Ok(true) };
        }
        Ok(self.first_content.is_some()
            && match hold {
                Hold::FirstToken => true,
                Hold::Tokens(wanted) => self.watch.content_tokens() >= wanted,
                Hold::Complete => false,
            })
    }

    fn failed(&self, error: UpstreamError) -> Tried {
        Tried::Failed(Failed { error, said: None, spent: Spent::of_failed(&self.watch) })
    }

    fn live(mut self, events: Events, complete: bool, hop: &Try<'_>) -> Live {
        self.watch.release();
        if !hop.kept {
            self.watch.take_output();
        }
        let first_content = self.first_content.unwrap_or_else(Instant::now);
        let carried = carried(events.answer(), hop);
        Live { held: self.events, events, watch: self.watch, complete, carried, first_content }
    }
}

/// A call that was given up may still be answered, and billed for.
fn late(hop: &Try<'_>, why: &str) -> Failed {
    let spent = Spent::Begun(hop.progress.load(Ordering::Relaxed));
    Failed { error: timeout(why), said: None, spent }
}

fn broken(error: &CallError) -> UpstreamError {
    let failure = if error.reached == Reached::Credentials { Failure::Auth } else { Failure::Network };
    UpstreamError::bare(failure, &error.reason)
}

fn timeout(why: &str) -> UpstreamError {
    UpstreamError::bare(Failure::Timeout, why)
}
