//! Which door a request came through: the API its path belongs to.
//!
//! In: a method, a path, headers. Out: [`Asks`], with the caller's dialect; the dialect of a caller whose request is not served.
//! Must not know: bodies, policies.

use http::Method;
use pingora::protocols::http::ServerSession;

use super::reply::Problem;
use crate::dialect::caller_error::CallerError;
use crate::dialect::translate::InPath;
use crate::dialect::{Dialect, gemini};
use crate::names::nearest;
use crate::policy::checked::Endpoint;

/// Paths as SDKs build them; a missing or doubled version is forgiven.
const CHAT: &str = "/chat/completions";
const RESPONSES: &str = "/responses";
const MESSAGES: &str = "/messages";
const COUNT: &str = "/messages/count_tokens";
const EMBEDDINGS: &str = "/embeddings";
const MODELS: &str = "/models";
const SERVED: [&str; 6] = [CHAT, RESPONSES, MESSAGES, COUNT, EMBEDDINGS, MODELS];

/// Bytes of what a caller sent that a message repeats.
const MAX_SHOWN: usize = 80;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asks {
    /// An answer of a model.
    Answer(Entrance),
    /// The size of a prompt.
    Count(Entrance),
    /// What may be named.
    Models(Dialect),
    /// One of them.
    Model(Dialect, String),
    /// Nothing that is served.
    Wrong(Problem, Option<&'static str>),
}

/// The door of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entrance {
    /// What the caller speaks.
    pub dialect: Dialect,
    /// As policies name it.
    pub endpoint: Endpoint,
    /// What the path says where other dialects say it in the body.
    pub in_path: Option<Said>,
}

/// What a path of Google's API says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The model asked for.
    pub model: Box<str>,
    /// The answer is to be a stream.
    pub stream: bool,
}

impl Entrance {
    /// The model and whether a stream is wanted, where the path says so.
    pub fn in_path(&self) -> InPath<'_> {
        self.in_path.as_ref().map(|said| (&*said.model, said.stream))
    }

    const fn of(dialect: Dialect, endpoint: Endpoint) -> Self {
        Self { dialect, endpoint, in_path: None }
    }
}

/// What a request asks for.
pub fn asks(session: &ServerSession) -> Asks {
    let head = session.req_header();
    parse(&head.method, &head.uri, speaks_messages(session))
}

/// What the caller speaks, as far as the head tells: errors are written in it.
pub fn dialect(session: &ServerSession) -> Dialect {
    if speaks_messages(session) {
        return Dialect::Messages;
    }
    match rest(session.req_header().uri.path()) {
        (_, RESPONSES) => Dialect::Responses,
        (_, MESSAGES | COUNT) => Dialect::Messages,
        (_, rest) if rest.starts_with("/models/") && rest.contains(':') => Dialect::Gemini,
        (true, _) => Dialect::Gemini,
        _ => Dialect::Chat,
    }
}

/// Anthropic's clients name a version with every request.
fn speaks_messages(session: &ServerSession) -> bool {
    session.req_header().headers.contains_key("anthropic-version")
}

/// A path without its versions, and whether one of them is Google's alone.
fn rest(path: &str) -> (bool, &str) {
    let mut rest = path.trim_end_matches('/');
    let mut beta = false;
    loop {
        let after = ["/v1beta", "/v1"].into_iter().find_map(|version| {
            let after = rest.strip_prefix(version)?;
            (after.is_empty() || after.starts_with('/')).then_some((version, after))
        });
        let Some((version, after)) = after else { return (beta, rest) };
        beta |= version == "/v1beta";
        rest = after;
    }
}

fn parse(method: &Method, uri: &http::Uri, messages: bool) -> Asks {
    let path = uri.path();
    let (beta, rest) = rest(path);
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let lists = match (beta, messages) {
        (true, _) => Dialect::Gemini,
        (false, true) => Dialect::Messages,
        (false, false) => Dialect::Chat,
    };
    let posted = match rest {
        CHAT => Asks::Answer(Entrance::of(Dialect::Chat, Endpoint::Chat)),
        RESPONSES => Asks::Answer(Entrance::of(Dialect::Responses, Endpoint::Responses)),
        MESSAGES => Asks::Answer(Entrance::of(Dialect::Messages, Endpoint::Messages)),
        EMBEDDINGS => Asks::Answer(Entrance::of(Dialect::Embeddings, Endpoint::Embeddings)),
        COUNT => Asks::Count(Entrance::of(Dialect::Messages, Endpoint::Messages)),
        MODELS if reads => return Asks::Models(lists),
        MODELS => return wrong_method(path, method, "GET, HEAD"),
        _ => match rest.strip_prefix("/models/") {
            Some(id) if reads => return Asks::Model(lists, id.to_owned()),
            Some(_) if gemini::path(path).is_some() => return of_google(method, uri),
            Some(_) => return wrong_method(path, method, "GET, HEAD"),
            None => return Asks::Wrong(no_such_path(path, rest), None),
        },
    };
    if *method == Method::POST { posted } else { wrong_method(path, method, "POST") }
}

/// Google's API names model and method in the path.
fn of_google(method: &Method, uri: &http::Uri) -> Asks {
    let Some(asked) = gemini::path(uri.path()) else { return Asks::Wrong(no_such_path(uri.path(), uri.path()), None) };
    if *method != Method::POST {
        return wrong_method(uri.path(), method, "POST");
    }
    let stream = match asked.method {
        gemini::Method::Generate => false,
        gemini::Method::Stream => true,
        other => {
            let served = "it serves generateContent and streamGenerateContent";
            let message = format!("Wayside does not serve {}; {served}.", other.word());
            return Asks::Wrong(Problem::caller(404, "unknown_endpoint", message).unread(), None);
        }
    };
    if stream && let Err(bad) = gemini::events(uri.query()) {
        return Asks::Wrong(Problem::from(CallerError::from(bad)).unread(), None);
    }
    let said = Said { model: asked.model.into(), stream };
    // A policy speaks of it as of the other chat endpoints.
    Asks::Answer(Entrance { dialect: Dialect::Gemini, endpoint: Endpoint::Chat, in_path: Some(said) })
}

fn wrong_method(path: &str, method: &Method, allow: &'static str) -> Asks {
    let message = format!("{} does not take {}; it takes {allow}.", shown(path), shown(method.as_str()));
    Asks::Wrong(Problem::caller(405, "method_not_allowed", message).unread(), Some(allow))
}

fn no_such_path(path: &str, rest: &str) -> Problem {
    let message = if rest.starts_with("/responses/") {
        format!("{} names a stored response; this sidecar keeps none, so send the whole conversation.", shown(path))
    } else if let Some(meant) = nearest(rest, SERVED).first() {
        format!("There is nothing at {}; did you mean /v1{meant}?", shown(path))
    } else {
        let served = SERVED.map(|path| format!("/v1{path}")).join(", ");
        format!("There is nothing at {}; Wayside serves {served}.", shown(path))
    };
    Problem::caller(404, "unknown_endpoint", message).unread()
}

/// What a caller sent, short enough for a message.
fn shown(text: &str) -> &str {
    let end = (0..=MAX_SHOWN.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(method: Method, path: &str) -> (u16, String) {
        match parse(&method, &path.parse().unwrap(), false) {
            Asks::Wrong(problem, _) => (problem.error.status, problem.error.message.into_owned()),
            Asks::Answer(entrance) => (200, entrance.dialect.word().to_owned()),
            Asks::Count(_) => (200, "count".to_owned()),
            Asks::Models(dialect) => (200, format!("models of {}", dialect.word())),
            Asks::Model(_, id) => (200, id),
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
    fn a_message_repeats_a_path_to_its_limit_and_no_half_of_a_letter() {
        let path = |length: usize| format!("/{}", "x".repeat(length - 1));
        assert_eq!(shown(&path(MAX_SHOWN)), path(MAX_SHOWN));
        assert_eq!(shown(&path(MAX_SHOWN + 1)), path(MAX_SHOWN));
        assert_eq!(shown(&format!("{}é", path(MAX_SHOWN - 1))), path(MAX_SHOWN - 1));
        assert!(message(Method::GET, &path(MAX_SHOWN + 1)).1.contains(&format!("nothing at {};", path(MAX_SHOWN))));
    }

    #[test]
    fn a_wrong_path_or_method_says_what_to_use() {
        assert_eq!(message(Method::GET, "/v1/chat/completions").0, 405);
        let (status, text) = message(Method::POST, "/v1/chat/completion");
        assert_eq!(status, 404);
        assert!(text.contains("did you mean /v1/chat/completions"), "{text}");
        assert!(message(Method::GET, "/v1/responses/resp_1").1.contains("keeps none"));
        assert!(message(Method::POST, "/v12/chat/completions").1.contains("nothing at"));
    }
}
