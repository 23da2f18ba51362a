//! `POST /v1/messages/count_tokens`: how long a prompt is.
//!
//! In: a request without an answer. Out: its size, counted here: no provider is asked, and no rule decides. Must not know: chains.

use pingora::protocols::http::ServerSession;

use super::app::Ended;
use super::ask::{self, Prompt};
use super::entrance::Entrance;
use super::intake::NoBody;
use super::reply;
use super::sidecar::Sidecar;
use super::turn::Turn;

/// Answers with the number of tokens.
pub async fn answer(sidecar: &Sidecar, session: &mut ServerSession, entrance: Entrance, turn: &mut Turn) -> Ended {
    let now = sidecar.in_force();
    match ask::hear(session, &now, (&sidecar.tally, turn), entrance).await {
        Ok(told) => {
            let tokens = Prompt::of(&told).count();
            reply::json(session, 200, reply::named(), format!("{{\"input_tokens\":{tokens}}}").into()).await
        }
        Err(NoBody::ClientGone) => Ended::Broken,
        Err(NoBody::Problem(problem)) => {
            sidecar.refused(problem.reason());
            reply::problem(session, &problem).await
        }
    }
}
