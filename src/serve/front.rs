//! The callers' listener: which path is what, and whether there is room for one more request.
//!
//! In: sessions whose head was read. Out: exchanges, documents, and errors with a hint. Must not know: policies.

use std::sync::Arc;

use async_trait::async_trait;
use http::{HeaderValue, Method};
use pingora::protocols::http::ServerSession;

use super::app::{Desk, Ended, Patience};
use super::exchange::exchange;
use super::models;
use super::reply::{self, Problem};
use super::sidecar::Sidecar;
use super::tally::Kind;
use crate::names::nearest;

/// Paths as SDKs build them; a missing or doubled `/v1` is forgiven.
const CHAT: &str = "/chat/completions";
const MODELS: &str = "/models";
/// Known to clients, and not served by this version.
const NOT_YET: [&str; 5] = ["/responses", "/messages", "/messages/count_tokens", "/embeddings", "/completions"];

/// Answers callers.
pub struct Front {
    /// What is in force, and what is in work.
    pub sidecar: Arc<Sidecar>,
}

enum Asks {
    Chat,
    Models,
    Model(String),
    Wrong(Problem, Option<&'static str>),
}

#[async_trait]
impl Desk for Front {
    async fn answer(&self, session: &mut ServerSession) -> Ended {
        // Bytes that follow a request are the next request, and not a reason to give this one up.
        session.set_pipelining_enabled(true);
        let asks = asks(&session.req_header().method, session.req_header().uri.path());
        let Some(_counted) = self.sidecar.tally.enter(Kind::Exchange) else {
            let problem =
                Problem::busy("too_many_requests_in_work", "This sidecar has too many requests in work; try again.");
            self.sidecar.refused(problem.reason());
            return reply::problem(session, &problem).await;
        };
        match asks {
            // Boxed by itself: `answer` is boxed, too, and would move these nine kilobytes three times.
            Asks::Chat => Box::pin(exchange(&self.sidecar, session)).await,
            Asks::Models => models::list(&self.sidecar.in_force(), session).await,
            Asks::Model(id) => models::one(&self.sidecar.in_force(), session, &id).await,
            Asks::Wrong(problem, allow) => {
                self.sidecar.refused(problem.reason());
                let mut headers = reply::named();
                headers.extend(allow.map(|allow| (http::header::ALLOW, HeaderValue::from_static(allow))));
                reply::problem_with(session, &problem, headers).await
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

fn asks(method: &Method, path: &str) -> Asks {
    let mut rest = path.trim_end_matches('/');
    while let Some(after) = rest.strip_prefix("/v1").filter(|after| after.is_empty() || after.starts_with('/')) {
        rest = after;
    }
    let reads = matches!(*method, Method::GET | Method::HEAD);
    match rest {
        CHAT if *method == Method::POST => Asks::Chat,
        CHAT => wrong_method(path, method, "POST"),
        MODELS if reads => Asks::Models,
        MODELS => wrong_method(path, method, "GET, HEAD"),
        _ => match rest.strip_prefix("/models/") {
            Some(id) if reads => Asks::Model(id.to_owned()),
            Some(_) => wrong_method(path, method, "GET, HEAD"),
            None => Asks::Wrong(no_such_path(path, rest), None),
        },
    }
}

fn wrong_method(path: &str, method: &Method, allow: &'static str) -> Asks {
    let message = format!("{path} does not take {}; it takes {allow}.", shown(method.as_str()));
    Asks::Wrong(Problem::caller(405, "method_not_allowed", message).unread(), Some(allow))
}

fn no_such_path(path: &str, rest: &str) -> Problem {
    let served = "POST /v1/chat/completions and GET /v1/models";
    let message = if NOT_YET.contains(&rest) {
        format!("{} is not served by this version of Wayside; it serves {served}.", shown(path))
    } else if let Some(meant) = nearest(rest, [CHAT, MODELS]).first() {
        format!("There is nothing at {}; did you mean /v1{meant}?", shown(path))
    } else {
        format!("There is nothing at {}; Wayside serves {served}.", shown(path))
    };
    Problem::caller(404, "unknown_endpoint", message).unread()
}

/// What a caller sent, short enough for a message.
fn shown(text: &str) -> &str {
    const MAX_SHOWN: usize = 80;
    let end = (0..=MAX_SHOWN.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(method: Method, path: &str) -> (u16, String) {
        match asks(&method, path) {
            Asks::Wrong(problem, _) => (problem.error.status, problem.error.message.into_owned()),
            Asks::Chat => (200, "chat".to_owned()),
            Asks::Models => (200, "models".to_owned()),
            Asks::Model(id) => (200, id),
        }
    }

    #[test]
    fn a_missing_or_doubled_v1_is_forgiven() {
        for path in ["/v1/chat/completions", "/chat/completions", "/v1/v1/chat/completions/"] {
            assert_eq!(message(Method::POST, path), (200, "chat".to_owned()), "{path}");
        }
        assert_eq!(message(Method::GET, "/v1/models/openai/gpt-5"), (200, "openai/gpt-5".to_owned()));
    }

    #[test]
    fn a_wrong_path_or_method_says_what_to_use() {
        assert_eq!(message(Method::GET, "/v1/chat/completions").0, 405);
        let (status, text) = message(Method::POST, "/v1/chat/completion");
        assert_eq!(status, 404);
        assert!(text.contains("did you mean /v1/chat/completions"), "{text}");
        assert!(message(Method::POST, "/v1/responses").1.contains("not served by this version"));
        assert!(message(Method::POST, "/v12/chat/completions").1.contains("nothing at"));
    }
}
