//! From a head and a body to facts: steps 1 and 2 of section 5.2.
//!
//! In: a session whose head was read. Out: [`Told`], then [`Admitted`], or what to tell the caller. Must not know: rules,
//! upstreams.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use pingora::protocols::http::ServerSession;
use smallvec::SmallVec;

use super::entrance::Entrance;
use super::intake::{self, NoBody};
use super::reply::Problem;
use super::sidecar::InForce;
use super::tally::{Held, Tally};
use super::turn::Turn;
use crate::config::Provider;
use crate::dialect::bad_body::BadBody;
use crate::dialect::caller_error::CallerError;
use crate::dialect::canonical::Conversation;
use crate::dialect::embeddings::request::Ask;
use crate::dialect::scan::{Scan, Wants};
use crate::dialect::{Dialect, embeddings, translate};
use crate::facts::head::{self, BadHeader, Head, Kept};
use crate::facts::tokens::PromptTokens;
use crate::policy::admit::Refusal;
use crate::policy::facts::{Facts, PromptSize};
use crate::units::Millis;

/// Scanning a body of this size takes about half a millisecond; other requests of the same thread should not wait for more.
const LONG_SCAN: usize = 4 << 20;
/// Counting the tokens of this many bytes takes about a millisecond.
const LONG_COUNT: u64 = 64 << 10;

/// What a caller sent.
pub struct Told {
    /// The door it came through.
    pub entrance: Entrance,
    /// Headers that belong to the caller's dialect and not to the caller: versions and features of the API.
    pub betas: Betas,
    /// The caller's own key for a provider, where some provider row takes it.
    pub key: Option<CallerKey>,
    /// Byte for byte.
    pub body: Bytes,
    /// What it says.
    pub scan: Scan,
    /// The vectors it asks for, at the door for them.
    pub vectors: Option<Box<Ask>>,
    head: Kept,
    _held: Held,
}

/// A key that is nobody's here: it goes to the providers whose row says so, and nowhere else.
pub struct CallerKey(HeaderValue);

impl CallerKey {
    /// From the header that one of the official clients puts it in.
    fn of(headers: &http::HeaderMap) -> Option<Self> {
        let bare = |name: &str| headers.get(name).cloned();
        let bearer = || {
            let value = headers.get(http::header::AUTHORIZATION)?.as_bytes();
            let (scheme, key) = value.split_at_checked(7)?;
            scheme.eq_ignore_ascii_case(b"bearer ").then(|| HeaderValue::from_bytes(key).ok())?
        };
        let mut key = bare("x-api-key").or_else(|| bare("x-goog-api-key")).or_else(bearer)?;
        key.set_sensitive(true);
        Some(Self(key))
    }

    /// As `provider` wants it.
    pub fn header(&self, provider: &Provider) -> Option<(HeaderName, HeaderValue)> {
        let (name, front) = provider.key_header();
        let mut value = HeaderValue::from_bytes(&[front.as_bytes(), self.0.as_bytes()].concat()).ok()?;
        value.set_sensitive(true);
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
    }
}

/// Names and values for a provider who speaks the caller's dialect.
pub type Betas = SmallVec<[(HeaderName, HeaderValue); 2]>;

impl Told {
    /// What it says, in nobody's words.
    ///
    /// # Errors
    /// Names what is no part of the caller's dialect.
    pub fn conversation(&self) -> Result<Conversation<'_>, BadBody> {
        translate::conversation(self.entrance.dialect, &self.body, self.entrance.in_path())
    }
}

/// The size of a prompt, counted so that other requests do not wait for it.
pub struct Prompt<'a>(PromptTokens<'a>);

impl<'a> Prompt<'a> {
    /// Of what was told. Counts nothing yet.
    pub fn of(told: &'a Told) -> Self {
        Self(PromptTokens::new(&told.body, &told.scan))
    }

    /// Counts all of it.
    pub fn count(&mut self) -> u64 {
        let Self(tokens) = self;
        aside(tokens.uncounted() >= LONG_COUNT, || tokens.count())
    }

    /// Least and most that it can be, as far as it is known.
    pub fn bounds(&self) -> (u64, u64) {
        self.0.bounds()
    }
}

impl PromptSize for Prompt<'_> {
    fn exceeds(&mut self, limit: u64) -> bool {
        let Self(tokens) = self;
        tokens.settled(limit).unwrap_or_else(|| aside(tokens.uncounted() >= LONG_COUNT, || tokens.exceeds(limit)))
    }
}

/// What was admitted.
pub struct Admitted {
    /// What a decision can look at.
    pub facts: Facts,
    /// Who calls, in the caller's own word: also a tenant without a row.
    pub tenant: Option<Box<str>>,
    /// How long the caller will wait.
    pub deadline: Option<Millis>,
}

/// Reads the body and what it says. Headers are judged first: nobody should send a body to learn that a header is wrong.
pub async fn hear(
    session: &mut ServerSession,
    now: &InForce,
    (tally, turn): (&Arc<Tally>, &mut Turn),
    entrance: Entrance,
) -> Result<Box<Told>, NoBody> {
    let limits = &now.config.limits;
    let head = head(session, now).map_err(|problem| NoBody::Problem(problem.unread()))?.keep();
    let mut held = tally.hold();
    let body = intake::body(session, limits.body as usize, limits.read_timeout.duration(), &mut held).await?;
    let wait = head.head().deadline.map_or(limits.wait_timeout, |deadline| deadline.min(limits.wait_timeout));
    turn.come(session, wait.duration()).await?;
    let wants = Wants { metadata: now.policy.wants_metadata };
    let scan = aside(body.len() >= LONG_SCAN, || scan(&entrance, &body, wants));
    let (scan, vectors) = scan.map_err(|bad| NoBody::Problem(CallerError::from(bad).into()))?;
    let headers = &session.req_header().headers;
    let betas = betas(headers, entrance.dialect);
    let key = now.config.takes_caller_keys().then(|| CallerKey::of(headers)).flatten();
    // Boxed, because it is moved from future to future until the exchange has it.
    Ok(Box::new(Told { entrance, betas, key, body, scan, vectors, head, _held: held }))
}

fn scan(entrance: &Entrance, body: &[u8], wants: Wants) -> Result<(Scan, Option<Box<Ask>>), BadBody> {
    if entrance.dialect == Dialect::Embeddings {
        let ask = embeddings::request::scan(body)?;
        return Ok((ask.scan.clone(), Some(Box::new(ask))));
    }
    Ok((translate::scan(entrance.dialect, body, entrance.in_path(), wants)?, None))
}

/// Headers that go to a provider of the same dialect as they came. Nothing else of a caller's head goes anywhere: not its
/// credentials, nor what it says about itself.
fn betas(headers: &http::HeaderMap, dialect: Dialect) -> Betas {
    let passed = translate::passed_headers(dialect).iter().flat_map(|(name, usual)| {
        let usual = usual.filter(|_| !headers.contains_key(*name)).map(HeaderValue::from_static);
        let values = headers.get_all(*name).iter().cloned().chain(usual);
        values.map(|value| (HeaderName::from_static(name), value))
    });
    passed.collect()
}

/// Facts out of what was said.
pub fn admit(
    session: &ServerSession,
    now: &InForce,
    told: &Told,
    prompt: &mut Prompt<'_>,
) -> Result<Admitted, Problem> {
    let head = told.head.head();
    let headers = &session.req_header().headers;
    let attribute = |wanted: &_| head::attribute(headers, &told.scan, wanted);
    let claims = head.claims(&told.scan, told.entrance.endpoint, now.config.region.as_deref(), &attribute);
    let facts = now.policy.door.admit(&claims, prompt).map_err(refused)?;
    Ok(Admitted { facts, tenant: head.tenant.map(Into::into), deadline: head.deadline })
}

/// Does something that may take long. If it does, other requests of this thread move to another one meanwhile, which costs
/// more than a short wait.
pub fn aside<T>(long: bool, work: impl FnOnce() -> T) -> T {
    if long { tokio::task::block_in_place(work) } else { work() }
}

fn head<'h>(session: &'h ServerSession, now: &InForce) -> Result<Head<'h>, Problem> {
    let attributes = &now.policy.checked().attributes;
    Head::read(&session.req_header().headers, &now.config.identity, attributes)
        .map_err(|bad| Problem::caller(400, BadHeader::CODE, bad.message))
}

fn refused(refusal: Refusal) -> Problem {
    Problem::caller(refusal.reason.status(), refusal.reason.word(), refusal.message)
}
