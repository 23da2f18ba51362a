//! What stands in when no hop delivered: step 13 of section 5.2.
//!
//! In: the degrade steps of a run. Out: a template in the caller's dialect, or an error. Must not know: hops.

use std::borrow::Cow;

use http::{HeaderName, HeaderValue};
use pingora::protocols::http::ServerSession;

use super::answer::fixed_stream;
use super::app::Ended;
use super::reply::{self, Problem};
use super::settle::{Ending, Settlement};
use super::walk::Walk;
use crate::chain::degrade::{StandIn, stand_ins};
use crate::dialect::chat::degraded;
use crate::dialect::chat::error::CallerError;
use crate::dialect::chat::request::Scan;
use crate::failure::Failure;
use crate::policy::checked::TemplateId;
use crate::telemetry::Outcome;

const DEGRADED: HeaderName = HeaderName::from_static("x-wayside-degraded");

/// A policy without `otherwise` met a request that it has no rule for.
pub fn no_rule() -> Problem {
    let message = "No rule of the policy covers this request, and it has no `otherwise`.";
    CallerError::new(503, message).code("no_rule").should_retry(false).into()
}

/// Answers with the first step that can be carried out.
pub async fn stand_in(
    session: &mut ServerSession,
    settlement: &Settlement<'_>,
    walk: &Walk<'_>,
    scan: &Scan,
    last: Option<Failure>,
) -> Ending {
    for step in stand_ins(&walk.chain.run().degrade, last) {
        match step {
            StandIn::Template(template) => return self::template(session, settlement, scan, template, last).await,
            StandIn::Error { status, message } => {
                let message: Cow<'static, str> =
                    message.map_or("No model could answer this request.".into(), |message| message.to_owned().into());
                let error = CallerError::new(status, message).code("degraded").should_retry(false);
                return error_answer(session, settlement, error.into(), Some("error"), last).await;
            }
            StandIn::Exhausted(last) => {
                return error_answer(session, settlement, CallerError::exhausted(last).into(), None, last).await;
            }
            // Refused at load (R990); were one here, the next step would stand in.
            StandIn::Cached { .. } | StandIn::Queue { .. } => {}
        }
    }
    error_answer(session, settlement, CallerError::exhausted(last).into(), None, last).await
}

async fn template(
    session: &mut ServerSession,
    settlement: &Settlement<'_>,
    scan: &Scan,
    template: TemplateId,
    last: Option<Failure>,
) -> Ending {
    let Some(template) = settlement.now.policy.checked().templates.get(template.index()) else {
        return error_answer(session, settlement, CallerError::exhausted(last).into(), None, last).await;
    };
    let step = format!("template {}", template.name);
    let mut headers = settlement.headers(None);
    if settlement.now.config.answer_headers
        && let Ok(value) = HeaderValue::from_str(&step)
    {
        headers.push((DEGRADED, value));
    }
    let created = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0);
    let head = degraded::Head { id: settlement.request_id(), model: &scan.model, created };
    let (bytes, ended) = if scan.stream {
        let events = degraded::stream(head, &template.text, scan.include_usage);
        (events.len(), fixed_stream(session, headers, events.into()).await)
    } else {
        let body = degraded::completion(head, &template.text);
        (body.len(), reply::json(session, 200, headers, body.into()).await)
    };
    Ending {
        outcome: Outcome::Degraded,
        status: 200,
        reason: last.map(Failure::word),
        bytes: bytes as u64,
        degraded: Some(step),
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
