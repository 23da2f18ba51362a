//! `GET /v1/models`: what a caller may name.
//!
//! In: the policy in force. Out: the list of models, in the caller's dialect. Must not know: requests.

use pingora::protocols::http::ServerSession;

use super::app::Ended;
use super::reply::{self, Problem};
use super::sidecar::InForce;
use crate::dialect::Dialect;
use crate::dialect::models::{self, Listed};
use crate::policy::checked::Snapshot;

/// Every snapshot of the policy.
pub async fn list(now: &InForce, session: &mut ServerSession, dialect: Dialect) -> Ended {
    let snapshots: Vec<Listed> = now.policy.checked().snapshots.iter().map(listed).collect();
    reply::json(session, 200, reply::named(), models::list(dialect, &snapshots, now.loaded_at).into()).await
}

/// One snapshot, by the name the list gives or by its bare id.
pub async fn one(now: &InForce, session: &mut ServerSession, dialect: Dialect, id: &str) -> Ended {
    let mut snapshots = now.policy.checked().snapshots.iter();
    match snapshots.find(|one| *one.model.id == *id || one.model.to_string() == id) {
        Some(snapshot) => {
            let body = models::one(dialect, &listed(snapshot), now.loaded_at);
            reply::json(session, 200, reply::named(), body.into()).await
        }
        None => {
            let message = "No snapshot of the policy has this name; GET /v1/models lists them.";
            reply::problem(session, &Problem::caller(404, "model_not_found", message)).await
        }
    }
}

fn listed(snapshot: &Snapshot) -> Listed {
    let facts = snapshot.facts.as_ref();
    Listed {
        name: snapshot.model.to_string(),
        owner: snapshot.model.provider.to_string(),
        max_input: facts.and_then(|facts| facts.max_input.or(facts.context_window)),
        max_output: facts.and_then(|facts| facts.max_output),
    }
}
