//! `GET /v1/models`: what a caller may name.
//!
//! In: the policy in force. Out: OpenAI's list of models. Must not know: requests.

use pingora::protocols::http::ServerSession;

use super::app::Ended;
use super::reply::{self, Problem};
use super::sidecar::InForce;
use crate::dialect::chat::degraded;

/// Every snapshot of the policy.
pub async fn list(now: &InForce, session: &mut ServerSession) -> Ended {
    let names: Vec<(String, &str)> = now
        .policy
        .checked()
        .snapshots
        .iter()
        .map(|snapshot| (snapshot.model.to_string(), &*snapshot.model.provider))
        .collect();
    let body = degraded::models(names.iter().map(|(name, owner)| (name.as_str(), *owner)), since(now));
    reply::json(session, 200, reply::named(), body.into()).await
}

/// One snapshot, by the name the list gives or by its bare id.
pub async fn one(now: &InForce, session: &mut ServerSession, id: &str) -> Ended {
    let mut snapshots = now.policy.checked().snapshots.iter();
    match snapshots.find(|one| *one.model.id == *id || one.model.to_string() == id) {
        Some(snapshot) => {
            let body = degraded::model(&snapshot.model.to_string(), &snapshot.model.provider, since(now));
            reply::json(session, 200, reply::named(), body.into()).await
        }
        None => {
            let message = "No snapshot of the policy has this name; GET /v1/models lists them.";
            reply::problem(session, &Problem::caller(404, "model_not_found", message)).await
        }
    }
}

/// Clients want a time of creation; the policy's is the only honest one.
fn since(now: &InForce) -> u64 {
    u64::try_from(now.loaded_at.as_second()).unwrap_or(0)
}
