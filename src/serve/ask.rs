//! From a head and a body to facts: steps 1 and 2 of section 5.2.
//!
//! In: a session whose head was read. Out: [`Told`], then [`Admitted`], or what to tell the caller. Must not know: rules,
//! upstreams.

use bytes::Bytes;
use pingora::protocols::http::ServerSession;

use super::intake::{self, NoBody};
use super::reply::Problem;
use super::sidecar::InForce;
use crate::dialect::chat::error::CallerError;
use crate::dialect::chat::request::{self, Scan, Wants};
use crate::facts::head::{self, BadHeader, Head};
use crate::facts::tokens::PromptTokens;
use crate::policy::admit::Refusal;
use crate::policy::facts::Facts;
use crate::units::Millis;

/// Work on a body of this size or more may take a while, and other requests on the same thread should not wait for it.
const LARGE: usize = 64 << 10;

/// What a caller sent.
pub struct Told {
    /// Byte for byte.
    pub body: Bytes,
    /// What it says.
    pub scan: Scan,
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
pub async fn hear(session: &mut ServerSession, now: &InForce) -> Result<Told, NoBody> {
    let limits = &now.config.limits;
    head(session, now).map_err(|problem| NoBody::Problem(problem.unread()))?;
    let body = intake::body(session, limits.body as usize, limits.read_timeout.duration()).await?;
    let wants = Wants { metadata: now.policy.wants_metadata };
    let scan = patiently(body.len(), || request::scan(&body, wants));
    let scan = scan.map_err(|bad| NoBody::Problem(CallerError::from(bad).into()))?;
    Ok(Told { body, scan })
}

/// Facts out of what was said.
pub fn admit(
    session: &ServerSession,
    now: &InForce,
    told: &Told,
    prompt: &mut PromptTokens<'_>,
) -> Result<Admitted, Problem> {
    let head = head(session, now)?;
    let headers = &session.req_header().headers;
    let attribute = |wanted: &_| head::attribute(headers, &told.scan, wanted);
    let claims = head.claims(&told.scan, now.config.region.as_deref(), &attribute);
    let facts = patiently(told.body.len(), || now.policy.door.admit(&claims, prompt)).map_err(refused)?;
    Ok(Admitted { facts, tenant: head.tenant.map(Into::into), deadline: head.deadline })
}

/// Does something that takes long for a large body. Other requests of this thread move to another one meanwhile.
pub fn patiently<T>(size: usize, work: impl FnOnce() -> T) -> T {
    if size < LARGE { work() } else { tokio::task::block_in_place(work) }
}

fn head<'h>(session: &'h ServerSession, now: &InForce) -> Result<Head<'h>, Problem> {
    let attributes = &now.policy.checked().attributes;
    Head::read(&session.req_header().headers, &now.config.identity, attributes)
        .map_err(|bad| Problem::caller(400, BadHeader::CODE, bad.message))
}

fn refused(refusal: Refusal) -> Problem {
    Problem::caller(refusal.reason.status(), refusal.reason.word(), refusal.message)
}
