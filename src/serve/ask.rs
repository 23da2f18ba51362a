//! From a head and a body to facts: steps 1 and 2 of section 5.2.
//!
//! In: a session whose head was read. Out: [`Told`], then [`Admitted`], or what to tell the caller. Must not know: rules,
//! upstreams.

use std::sync::Arc;

use bytes::Bytes;
use pingora::protocols::http::ServerSession;

use super::intake::{self, NoBody};
use super::reply::Problem;
use super::sidecar::InForce;
use super::tally::{Held, Tally};
use crate::dialect::caller_error::CallerError;
use crate::dialect::chat::request;
use crate::dialect::scan::{Scan, Wants};
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
    /// Byte for byte.
    pub body: Bytes,
    /// What it says.
    pub scan: Scan,
    head: Kept,
    _held: Held,
}

/// The size of a prompt, counted so that other requests do not wait for it.
pub struct Prompt<'a>(PromptTokens<'a>);

impl<'a> Prompt<'a> {
    /// Of what was told. Counts nothing yet.
    pub fn of(told: &'a Told) -> Self {
        Self(PromptTokens::new(&told.body, &told.scan))
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
pub async fn hear(session: &mut ServerSession, now: &InForce, tally: &Arc<Tally>) -> Result<Told, NoBody> {
    let limits = &now.config.limits;
    let head = head(session, now).map_err(|problem| NoBody::Problem(problem.unread()))?.keep();
    let mut held = tally.hold();
    let body = intake::body(session, limits.body as usize, limits.read_timeout.duration(), &mut held).await?;
    let wants = Wants { metadata: now.policy.wants_metadata };
    let scan = aside(body.len() >= LONG_SCAN, || request::scan(&body, wants));
    let scan = scan.map_err(|bad| NoBody::Problem(CallerError::from(bad).into()))?;
    Ok(Told { body, scan, head, _held: held })
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
    let claims = head.claims(&told.scan, now.config.region.as_deref(), &attribute);
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
