//! What stands in when no hop delivered: step 13 of section 5.2.
//!
//! In: the degrade steps of a run. Out: a template or a ticket in the caller's dialect, or an error. Must not know: hops.

use std::borrow::Cow;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use pingora::protocols::http::ServerSession;

use super::answer::{self, fixed_stream};
use super::app::Ended;
use super::cached::{self, Again};
use super::entrance;
use super::reply::{self, Problem};
use super::settle::{Asked, CacheUse, Ending, Settlement};
use super::walk::Walk;
use crate::chain::degrade::{StandIn, stand_ins};
use crate::dialect::bad_body::BadBody;
use crate::dialect::caller_error::CallerError;
use crate::dialect::canonical::{Completion, Finish, Part, Reply, UNSUPPORTED};
use crate::dialect::translate;
use crate::failure::Failure;
use crate::json::Quoted;
use crate::policy::checked::TemplateId;
use crate::spool::TicketId;
use crate::telemetry::Outcome;
use crate::units::Millis;
use crate::usage::Usage;

const DEGRADED: HeaderName = HeaderName::from_static("x-wayside-degraded");
const TICKET: HeaderName = HeaderName::from_static("x-wayside-ticket");

/// A policy without `otherwise` met a request that it has no rule for.
pub fn no_rule() -> Problem {
    let message = "No rule of the policy covers this request, and it has no `otherwise`.";
    CallerError::new(503, message).code("no_rule").should_retry(false).into()
}

/// No hop of the chain has a place for something that the caller asks for, which only the caller can mend.
pub async fn cannot_carry(session: &mut ServerSession, settlement: &Settlement<'_>, refused: BadBody) -> Ending {
    let problem: Problem = CallerError::from(refused).should_retry(false).into();
    let ended = reply::problem_with(session, &problem, settlement.headers(None)).await;
    let reason = Some(UNSUPPORTED);
    Ending { outcome: Outcome::Failed, status: problem.error.status, reason, ..Ending::of(ended) }
}

/// Answers with the first step that can be carried out.
pub async fn stand_in(
    session: &mut ServerSession,
    settlement: &Settlement<'_>,
    walk: &Walk<'_>,
    asked: &Asked<'_>,
    last: Option<Failure>,
) -> Ending {
    let mut refused = None;
    for step in stand_ins(&walk.chain.run().degrade, last) {
        match step {
            StandIn::Template(template) => {
                if let Some(answer) = template_answer(settlement, template) {
                    return fixed(session, settlement, asked, answer, last).await;
                }
            }
            StandIn::Queue { name, within } => {
                match settlement.now.queues.keep(settlement, asked, (name, within), last).await {
                    Ok(ticket) => {
                        return fixed(session, settlement, asked, ticket_answer(name, within, &ticket), last).await;
                    }
                    Err(_) => refused = Some(name),
                }
            }
            StandIn::Error { status, message } => {
                let message: Cow<'static, str> =
                    message.map_or("No model could answer this request.".into(), |message| message.to_owned().into());
                let error = CallerError::new(status, message).code("degraded").should_retry(false);
                return error_answer(session, settlement, error.into(), Some("error"), last).await;
            }
            StandIn::Cached { up_to } => {
                if let Some(again) = cached::stale(walk, asked, up_to) {
                    return stale(session, settlement, asked, again, last).await;
                }
            }
            StandIn::Exhausted(_) => {}
        }
    }
    let error = exhausted(last, refused).told_in(entrance::dialect(session));
    error_answer(session, settlement, error.into(), None, last).await
}

/// What was answered before, older than the rule's cache would give it.
async fn stale(
    session: &mut ServerSession,
    settlement: &Settlement<'_>,
    asked: &Asked<'_>,
    again: Again,
    last: Option<Failure>,
) -> Ending {
    let mut headers = answer::from_before(settlement, &again);
    if settlement.now.config.answer_headers {
        headers.push((DEGRADED, HeaderValue::from_static("cached")));
    }
    let (bytes, ended) = answer::before(session, asked, headers, &again).await;
    Ending {
        outcome: Outcome::Degraded,
        status: 200,
        reason: last.map(Failure::word),
        bytes,
        degraded: Some("cached".to_owned()),
        cache: Some(CacheUse { result: "stale", age: Some(again.age) }),
        ..Ending::of(ended)
    }
}

/// The last failure, and the queue that would have helped if it took tickets.
fn exhausted(last: Option<Failure>, refused: Option<&Arc<str>>) -> CallerError {
    let mut error = CallerError::exhausted(last);
    if let Some(queue) = refused {
        error.message = format!("{} Its queue `{queue}` takes no tickets now.", error.message).into();
    }
    error
}

/// An answer that is known before the caller is looked at.
struct Fixed {
    status: u16,
    /// As `x-wayside-degraded`, the log and metrics name it.
    step: String,
    text: Cow<'static, str>,
    ticket: Option<TicketId>,
}

fn template_answer(settlement: &Settlement<'_>, template: TemplateId) -> Option<Fixed> {
    let template = settlement.now.policy.checked().templates.get(template.index())?;
    let step = format!("template {}", template.name);
    Some(Fixed { status: 200, step, text: template.text.to_string().into(), ticket: None })
}

fn ticket_answer(queue: &str, within: Option<Millis>, ticket: &TicketId) -> Fixed {
    let promise = within.map(|within| format!(", within {within}")).unwrap_or_default();
    let text = format!("No model could answer this request, so a person will{promise}. Ticket: {ticket}");
    Fixed { status: 202, step: format!("queue {queue}"), text: text.into(), ticket: Some(ticket.clone()) }
}

/// Puts a text into the caller's dialect, as a stream if one was asked for.
async fn fixed(
    session: &mut ServerSession,
    settlement: &Settlement<'_>,
    asked: &Asked<'_>,
    answer: Fixed,
    last: Option<Failure>,
) -> Ending {
    let scan = &asked.told.scan;
    let mut headers = settlement.headers(None);
    if settlement.now.config.answer_headers {
        headers.extend(HeaderValue::from_str(&answer.step).ok().map(|step| (DEGRADED, step)));
        let ticket = answer.ticket.as_ref().and_then(|ticket| HeaderValue::from_str(ticket.as_str()).ok());
        headers.extend(ticket.map(|ticket| (TICKET, ticket)));
    }
    let created = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0);
    let (id, include_usage) = (settlement.request_id(), scan.include_usage);
    let dialect = asked.told.entrance.dialect;
    let echo = translate::echo(dialect, &asked.told.body);
    let reply = Reply { id, model: &scan.model, created, include_usage, echo: echo.as_ref() };
    let completion = Completion {
        parts: vec![Part::Text(Quoted::of(&answer.text))],
        finish: Some(Finish::Stop),
        usage: Some(Usage::default()),
        ..Completion::default()
    };
    let (bytes, ended) = if scan.stream {
        let events = translate::stream(dialect, &completion, &reply);
        (events.len(), fixed_stream(session, answer.status, headers, events.into()).await)
    } else {
        let body = translate::write(dialect, &completion, &reply);
        (body.len(), reply::json(session, answer.status, headers, body.into()).await)
    };
    Ending {
        outcome: Outcome::Degraded,
        status: answer.status,
        reason: last.map(Failure::word),
        bytes: bytes as u64,
        degraded: Some(answer.step),
        ticket: answer.ticket.map(Into::into),
        ..Ending::of(ended)
    }
}

async fn error_answer(
    session: &mut ServerSession,
    settlement: &Settlement<'_>,
    problem: Problem,
    degraded: Option<&str>,
    last: Option<Failure>,
) -> Ending {
    let mut headers = settlement.headers(None);
    if settlement.now.config.answer_headers
        && let Some(Ok(value)) = degraded.map(HeaderValue::from_str)
    {
        headers.push((DEGRADED, value));
    }
    let ended = reply::problem_with(session, &problem, headers).await;
    Ending {
        outcome: if degraded.is_some() { Outcome::Degraded } else { Outcome::Failed },
        status: problem.error.status,
        reason: last.map_or(Some("no_usable_model"), |last| Some(last.word())),
        degraded: degraded.map(str::to_owned),
        ..Ending::of(ended)
    }
}

/// A rule that rejects.
pub async fn reject(session: &mut ServerSession, settlement: &Settlement<'_>, status: u16, message: String) -> Ended {
    let error = CallerError::new(status, message).code("rejected_by_policy").should_retry(false);
    reply::problem_with(session, &error.into(), settlement.headers(None)).await
}
