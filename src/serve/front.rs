//! The callers' listener: which path is what, and whether there is room for one more request.
//!
//! In: sessions whose head was read. Out: exchanges, documents, and errors with a hint. Must not know: policies.

use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderValue;
use pingora::protocols::http::ServerSession;

use super::app::{Desk, Ended, Patience};
use super::entrance::{self, Asks};
use super::exchange::exchange;
use super::reply;
use super::sidecar::Sidecar;
use super::turn::{self, Turn};
use super::{count, models};

/// Answers callers.
pub struct Front {
    /// What is in force, and what is in work.
    pub sidecar: Arc<Sidecar>,
}

#[async_trait]
impl Desk for Front {
    async fn answer(&self, session: &mut ServerSession) -> Ended {
        // Bytes that follow a request are the next request, and not a reason to give this one up.
        session.set_pipelining_enabled(true);
        let asks = entrance::asks(session);
        let Some(mut turn) = Turn::take(&self.sidecar.tally) else {
            let problem = turn::line_is_full();
            self.sidecar.refused(problem.reason());
            return Box::pin(reply::problem(session, &problem)).await;
        };
        match asks {
            // Boxed by itself, as all of these are: `answer` is boxed, too, and would move these kilobytes three times. Room is made
            // first, so that what is begun is begun there.
            Asks::Answer(entrance) => {
                Box::into_pin(Box::write(Box::new_uninit(), exchange(&self.sidecar, session, entrance, &mut turn)))
                    .await
            }
            Asks::Count(entrance) => Box::pin(count::answer(&self.sidecar, session, entrance, &mut turn)).await,
            // Too little work to wait for.
            Asks::Models(dialect) => Box::pin(models::list(&self.sidecar.in_force(), session, dialect)).await,
            Asks::Model(dialect, id) => Box::pin(models::one(&self.sidecar.in_force(), session, dialect, &id)).await,
            Asks::Wrong(problem, allow) => {
                self.sidecar.refused(problem.reason());
                let mut headers = reply::named();
                headers.extend(allow.map(|allow| (http::header::ALLOW, HeaderValue::from_static(allow))));
                Box::pin(reply::problem_with(session, &problem, headers)).await
            }
        }
    }

    fn patience(&self) -> Patience {
        let limits = &self.sidecar.in_force().config.limits;
        Patience {
            head: limits.head as usize,
            read: limits.read_timeout.duration(),
            write: limits.write_timeout.duration(),
            idle: limits.keepalive.duration(),
        }
    }
}
