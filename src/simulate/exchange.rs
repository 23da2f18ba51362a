//! One request from head to answer.
//!
//! In: a request on a connection, the rules in force. Out: a response, or an error that makes hyper drop the connection.
//! Must not know: listeners.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Request, Response, StatusCode};
use serde_json::{Map, Value};

use super::ask::{Answer, Ask};
use super::body::Body;
use super::chat::{self, Stamp};
use super::endpoint::{self, Endpoint};
use super::error::{Complaint, Dialect};
use super::fault::{ErrorAnswer, ErrorKind, Fault, Trouble, Wait};
use super::gemini::{self, Method};
use super::hosted::{self, Cloud};
use super::rules::MODEL_MARK;
use super::script::{self, Event, Events, Role, Steps};
use super::seen::{End, Seen, Ticket};
use super::socket::Control;
use super::{State, admin, converse, embeddings, messages, models, responses};

/// Longest request body; above it the answer is 413.
pub const MAX_BODY: usize = 64 << 20;
/// The header by which a request asks for a fault.
pub const FAULT_HEADER: &str = "x-simulate";
/// What stands in for an answer that should have been JSON.
const HTML: &str = "<!doctype html><title>Bad gateway</title><h1>This is not JSON</h1>\n";

/// What an endpoint has to say when nothing goes wrong.
enum Reply {
    Json(Value),
    Stream(Events),
    Frames(Events, script::Frame),
}

/// A request under way.
struct Exchange {
    state: Arc<State>,
    control: Arc<Control>,
    ticket: Ticket,
    dialect: Dialect,
    model: String,
    fault: Fault,
    /// A stream is wanted as events, where the query says so.
    as_events: bool,
}

/// Answers one request. `port_provider` is set on ports that belong to one provider.
///
/// # Errors
/// When the connection is to be dropped: by a fault, or because the client broke off.
pub async fn answer(
    state: Arc<State>,
    port_provider: Option<Arc<str>>,
    control: Arc<Control>,
    request: Request<Incoming>,
) -> io::Result<Response<Body>> {
    let (head, incoming) = request.into_parts();
    if let Some(rest) = admin::path(head.uri.path()) {
        return admin::answer(&state, rest, &head, incoming, control).await;
    }
    let target = endpoint::of_path(head.uri.path());
    let named = target.as_ref().and_then(|(provider, _)| *provider);
    let provider = named.or(port_provider.as_deref()).unwrap_or(endpoint::DEFAULT_PROVIDER).to_owned();
    let seen = Seen {
        provider: provider.clone(),
        endpoint: target.as_ref().map_or("unknown", |(_, endpoint)| endpoint.name()),
        method: head.method.to_string(),
        path: head.uri.to_string(),
        ..Seen::default()
    };
    let ticket = state.seen.arrive(seen, &head.headers);
    let endpoint = target.map(|(_, endpoint)| endpoint);
    let dialect = dialect_of(endpoint.as_ref(), head.uri.path(), &head.headers);
    let fault = Fault::default();
    let as_events = head.uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "alt=sse"));
    let mut exchange = Exchange { state, control, ticket, dialect, model: String::new(), fault, as_events };
    let Some(endpoint) = endpoint else {
        let message = format!("Unknown request URL: {} {}", head.method, head.uri.path());
        let complaint = Complaint::invalid("", message).with(StatusCode::NOT_FOUND, "unknown_url");
        return Ok(exchange.complain(&complaint));
    };
    if head.method != endpoint.method() {
        let message = format!("Not allowed to {} here; use {}", head.method, endpoint.method());
        let complaint = Complaint::invalid("", message).with(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed");
        return Ok(exchange.complain(&complaint));
    }
    let body = match exchange.read(incoming).await? {
        Ok(body) => body,
        Err(complaint) => return Ok(exchange.complain(&complaint)),
    };
    match exchange.prepare(&endpoint, &provider, &head.headers, &body) {
        Ok(parsed) => exchange.respond(&endpoint, &parsed, &head.headers).await,
        Err(complaint) => Ok(exchange.complain(&complaint)),
    }
}

fn dialect_of(endpoint: Option<&Endpoint>, path: &str, headers: &HeaderMap) -> Dialect {
    match endpoint {
        Some(Endpoint::Responses) => Dialect::Responses,
        Some(Endpoint::Messages | Endpoint::CountTokens | Endpoint::Hosted { cloud: Cloud::Vertex, .. }) => {
            Dialect::Anthropic
        }
        Some(Endpoint::Gemini(..)) => Dialect::Google,
        Some(Endpoint::Converse { .. } | Endpoint::Hosted { cloud: Cloud::Bedrock, .. }) => Dialect::Bedrock,
        Some(Endpoint::Chat | Endpoint::Embeddings) => Dialect::OpenAi,
        Some(Endpoint::Models | Endpoint::Model(_)) | None if headers.contains_key("anthropic-version") => {
            Dialect::Anthropic
        }
        Some(Endpoint::Models | Endpoint::Model(_)) | None
            if headers.contains_key("x-goog-api-key") || path.contains("/v1beta/") =>
        {
            Dialect::Google
        }
        Some(Endpoint::Models | Endpoint::Model(_)) | None => Dialect::OpenAi,
    }
}

impl Exchange {
    /// Reads the body under its limit.
    async fn read(&mut self, incoming: Incoming) -> io::Result<Result<Bytes, Complaint>> {
        // A body that says beforehand that it is too long need not be read.
        let announced = hyper::body::Body::size_hint(&incoming).lower();
        if announced > MAX_BODY as u64 {
            return Ok(Err(too_large()));
        }
        match Limited::new(incoming, MAX_BODY).collect().await {
            Ok(collected) => {
                let body = collected.to_bytes();
                let hash = super::seen::hex_sha256(&body);
                self.ticket.note(|seen| {
                    seen.body_bytes = body.len() as u64;
                    seen.body_sha256 = hash;
                });
                Ok(Ok(body))
            }
            Err(error) if error.is::<LengthLimitError>() => Ok(Err(too_large())),
            Err(error) => Err(io::Error::other(error)),
        }
    }

    /// Parses the body and finds the fault that applies.
    fn prepare(
        &mut self,
        endpoint: &Endpoint,
        provider: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Map<String, Value>, Complaint> {
        let mut parsed = match endpoint {
            Endpoint::Models => Map::new(),
            Endpoint::Model(id) => Map::from_iter([("model".to_owned(), Value::from(id.as_str()))]),
            _ => match serde_json::from_slice(body) {
                Ok(Value::Object(object)) => object,
                Ok(_) => return Err(Complaint::invalid("", "The body must be a JSON object")),
                Err(error) => return Err(Complaint::invalid("", format!("The body is not valid JSON: {error}"))),
            },
        };
        if let Endpoint::Gemini(model, method) = endpoint {
            parsed.insert("model".to_owned(), Value::from(model.as_str()));
            parsed.insert("stream".to_owned(), Value::from(*method == Method::Stream));
        }
        if let Endpoint::Hosted { cloud, .. } = endpoint
            && let Some(odd) = hosted::in_path(*cloud).iter().find(|name| parsed.contains_key(**name))
        {
            return Err(Complaint::invalid(odd, format!("{odd}: Extra inputs are not permitted")));
        }
        if let Endpoint::Converse { model, stream } | Endpoint::Hosted { model, stream, .. } = endpoint {
            parsed.insert("model".to_owned(), Value::from(model.as_str()));
            parsed.insert("stream".to_owned(), Value::from(*stream));
        }
        self.model = parsed.get("model").and_then(Value::as_str).unwrap_or_default().to_owned();
        let streamed = parsed.get("stream") == Some(&Value::Bool(true));
        self.ticket.note(|seen| {
            seen.model.clone_from(&self.model);
            seen.stream = streamed;
        });
        let now = Instant::now();
        let by_header = headers.get(FAULT_HEADER).map(|value| value.to_str().unwrap_or("?"));
        let by_model = self.model.split_once(MODEL_MARK).map(|(_, wish)| wish);
        let fault = match by_header.or(by_model) {
            Some(text) => {
                let wish = Fault::parse(text).map_err(|error| Complaint::invalid(FAULT_HEADER, error.0))?;
                let key = format!("{provider}\n{}\n{text}", self.model);
                Some(self.state.wishes.grant(&key, wish, now))
            }
            None => self.state.rules().hit(provider, &self.model, now),
        };
        self.fault = fault.unwrap_or_default();
        let text = Some(self.fault.text.clone()).filter(|text| !text.is_empty());
        self.ticket.note(|seen| seen.fault = text);
        Ok(parsed)
    }

    /// Everything from the fault to the response.
    async fn respond(
        self,
        endpoint: &Endpoint,
        body: &Map<String, Value>,
        headers: &HeaderMap,
    ) -> io::Result<Response<Body>> {
        if let Some(wait) = self.fault.shape.slow_head {
            tokio::time::sleep(wait).await;
        }
        match self.fault.trouble.clone() {
            Some(Trouble::Reset | Trouble::Refused) => {
                self.control.reset_on_close(true);
                return self.drop_connection();
            }
            Some(Trouble::Hangup) => return self.drop_connection(),
            Some(Trouble::Silence) => loop {
                tokio::time::sleep(super::fault::MAX_WAIT).await;
            },
            Some(Trouble::Garbage) => self.control.write_garbage(),
            Some(Trouble::Error(error)) if !self.is_blocked(endpoint) => return Ok(self.fail(&error)),
            _ => {}
        }
        match self.reply(endpoint, body, headers) {
            Ok(Reply::Json(_)) if matches!(self.fault.trouble, Some(Trouble::ErrorEvent { .. })) => {
                let kind = error_kind(&self.fault);
                Ok(self.fail(&ErrorAnswer { kind, status: None, wait: None }))
            }
            Ok(reply) => Ok(self.send(reply)),
            Err(complaint) => Ok(self.complain(&complaint)),
        }
    }

    fn drop_connection(mut self) -> io::Result<Response<Body>> {
        self.ticket.end(End::Broken);
        Err(io::Error::other("dropped by a simulated fault"))
    }

    /// What the endpoint says.
    fn reply(&self, endpoint: &Endpoint, body: &Map<String, Value>, headers: &HeaderMap) -> Result<Reply, Complaint> {
        let stamp =
            |asked: &str| Stamp { number: self.ticket.number(), model: self.served(asked), created: now_secs() };
        match endpoint {
            Endpoint::Chat => {
                let ask = chat::read(body)?;
                let (stamp, answer) = (stamp(&ask.model), self.answered(&ask));
                Ok(if ask.stream {
                    Reply::Stream(chat::events(stamp, answer, ask.include_usage))
                } else {
                    Reply::Json(chat::whole(&stamp, answer))
                })
            }
            Endpoint::Responses => {
                let ask = responses::read(body)?;
                let (stamp, answer) = (stamp(&ask.model), self.answered(&ask));
                Ok(if ask.stream {
                    Reply::Stream(responses::events(stamp, body, answer))
                } else {
                    Reply::Json(responses::whole(stamp, body, answer))
                })
            }
            Endpoint::Messages => {
                let ask = messages::read(body, headers, false)?;
                let (stamp, answer) = (stamp(&ask.model), self.answered(&ask));
                Ok(if ask.stream {
                    Reply::Stream(messages::events(stamp, answer))
                } else {
                    Reply::Json(messages::whole(&stamp, answer))
                })
            }
            Endpoint::Converse { .. } => {
                converse::authorize(headers)?;
                let ask = converse::read(body)?;
                let (stamp, answer) = (stamp(&ask.model), self.answered(&ask));
                Ok(if ask.stream {
                    Reply::Frames(converse::events(stamp, answer), converse::frame)
                } else {
                    Reply::Json(converse::whole(&stamp, answer))
                })
            }
            Endpoint::Hosted { cloud, .. } => {
                let ask = hosted::read(*cloud, body, headers)?;
                let (stamp, answer) = (stamp(&hosted::own_name(&ask.model)), self.answered(&ask));
                Ok(match (ask.stream, cloud) {
                    (false, _) => Reply::Json(messages::whole(&stamp, answer)),
                    (true, Cloud::Bedrock) => Reply::Frames(messages::events(stamp, answer), hosted::frame),
                    (true, Cloud::Vertex) => Reply::Stream(messages::events(stamp, answer)),
                })
            }
            Endpoint::CountTokens => Ok(Reply::Json(messages::counted(&messages::read(body, headers, true)?))),
            Endpoint::Gemini(model, method) => {
                let ask = || gemini::read(body, model);
                let blocked = self.is_blocked(endpoint);
                match method {
                    Method::Generate => Ok(Reply::Json(gemini::whole(&stamp(model), self.answered(&ask()?), blocked))),
                    Method::Stream => {
                        let events = gemini::events(stamp(model), self.answered(&ask()?), blocked);
                        Ok(if self.as_events { Reply::Stream(events) } else { Reply::Json(gemini::as_list(events)) })
                    }
                    Method::CountTokens => Ok(Reply::Json(gemini::counted(&ask()?))),
                    Method::EmbedContent => gemini::embedded(body, false).map(Reply::Json),
                    Method::BatchEmbedContents => gemini::embedded(body, true).map(Reply::Json),
                }
            }
            Endpoint::Embeddings => embeddings::answer(body, |asked| self.served(asked)).map(Reply::Json),
            Endpoint::Models => Ok(Reply::Json(models::list(self.dialect))),
            Endpoint::Model(id) => Ok(Reply::Json(models::one(self.dialect, id))),
        }
    }

    /// Google answers with status 200 where its filter takes a prompt.
    fn is_blocked(&self, endpoint: &Endpoint) -> bool {
        let answers = matches!(endpoint, Endpoint::Gemini(_, Method::Generate | Method::Stream));
        let filter = ErrorAnswer { kind: ErrorKind::ContentFilter, status: None, wait: None };
        answers && self.fault.trouble == Some(Trouble::Error(filter))
    }

    fn answered(&self, ask: &Ask) -> Answer {
        ask.answer(&self.fault.shape, self.fault.trouble.as_ref())
    }

    /// The model the answer names.
    fn served(&self, asked: &str) -> String {
        match &self.fault.trouble {
            Some(Trouble::WrongModel(Some(other))) => other.clone(),
            Some(Trouble::WrongModel(None)) => {
                format!("{}-rerouted", asked.split(MODEL_MARK).next().unwrap_or(asked))
            }
            _ => asked.to_owned(),
        }
    }

    fn send(self, reply: Reply) -> Response<Body> {
        let trouble = self.fault.trouble.clone();
        match reply {
            _ if trouble == Some(Trouble::NotJson) => {
                let (length, steps) = script::whole(HTML.to_owned(), None);
                self.finish(StatusCode::OK, "text/html", Some(length), steps)
            }
            Reply::Json(value) => {
                let (length, steps) = script::whole(value.to_string(), trouble.as_ref());
                self.finish(StatusCode::OK, "application/json", Some(length), steps)
            }
            Reply::Stream(events) => {
                let steps = script::stream(events, &self.fault, self.error_event(), Event::sse);
                self.finish(StatusCode::OK, "text/event-stream; charset=utf-8", None, steps)
            }
            Reply::Frames(events, frame) => {
                let steps = script::stream(events, &self.fault, self.error_event(), frame);
                self.finish(StatusCode::OK, converse::MEDIA_TYPE, None, steps)
            }
        }
    }

    fn error_event(&self) -> Event {
        let error = ErrorAnswer { kind: error_kind(&self.fault), status: None, wait: None };
        let complaint = Complaint::of(self.dialect, &error, &self.model);
        if self.dialect == Dialect::Bedrock {
            return converse::exception(&complaint);
        }
        let body = match (self.dialect, &self.fault.trouble) {
            (Dialect::Responses, Some(Trouble::ErrorEvent { after, .. })) => complaint.event(*after),
            _ => complaint.body(self.dialect, &self.request_id()),
        };
        let name = (self.dialect != Dialect::OpenAi).then_some("error");
        Event { name, data: body.to_string(), role: Role::Frame }
    }

    fn fail(self, error: &ErrorAnswer) -> Response<Body> {
        let complaint = Complaint::of(self.dialect, error, &self.model);
        let mut response = self.complain(&complaint);
        let (name, value) = match error.wait {
            None => return response,
            Some(Wait::Seconds(seconds)) => ("retry-after", seconds.to_string()),
            Some(Wait::Millis(millis)) => ("retry-after-ms", millis.to_string()),
            Some(Wait::Date(seconds)) => {
                ("retry-after", httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(seconds)))
            }
        };
        insert(response.headers_mut(), name, &value);
        response
    }

    fn complain(self, complaint: &Complaint) -> Response<Body> {
        let body = complaint.body(self.dialect, &self.request_id()).to_string();
        let (length, steps) = script::whole(body, None);
        let status = StatusCode::from_u16(complaint.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let dialect = self.dialect;
        let mut response = self.finish(status, "application/json", Some(length), steps);
        if dialect == Dialect::Bedrock {
            // What the simulator finds wrong by itself has the name that the other dialects give it.
            let kind = complaint.kind.replace("invalid_request_error", "ValidationException");
            insert(response.headers_mut(), "x-amzn-errortype", &kind);
        }
        response
    }

    fn request_id(&self) -> String {
        format!("req_sim{:012x}", self.ticket.number())
    }

    fn finish(
        self,
        status: StatusCode,
        content_type: &'static str,
        length: Option<u64>,
        steps: Steps,
    ) -> Response<Body> {
        self.ticket.note(|seen| seen.status = Some(status.as_u16()));
        let id = self.request_id();
        let mut response = Response::new(Body::new(steps, length, self.ticket, self.control));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        match self.dialect {
            Dialect::OpenAi | Dialect::Responses => {
                insert(headers, "x-request-id", &id);
                insert(headers, "openai-version", "2020-10-01");
                insert(headers, "openai-processing-ms", "1");
                insert(headers, "x-ratelimit-limit-requests", "10000");
                insert(headers, "x-ratelimit-remaining-requests", "9999");
                insert(headers, "x-ratelimit-reset-requests", "6ms");
            }
            Dialect::Anthropic => {
                insert(headers, "request-id", &id);
                insert(headers, "anthropic-organization-id", "org-simulated");
                insert(headers, "anthropic-ratelimit-requests-limit", "4000");
                insert(headers, "anthropic-ratelimit-requests-remaining", "3999");
            }
            // It documents none.
            Dialect::Google => {}
            Dialect::Bedrock => insert(headers, "x-amzn-requestid", &id),
        }
        response
    }
}

fn too_large() -> Complaint {
    let complaint = Complaint::invalid("", format!("The body is larger than {MAX_BODY} bytes"));
    complaint.with(StatusCode::PAYLOAD_TOO_LARGE, "request_too_large")
}

/// What an error event is about.
fn error_kind(fault: &Fault) -> super::fault::ErrorKind {
    match fault.trouble {
        Some(Trouble::ErrorEvent { kind, .. }) => kind,
        _ => super::fault::ErrorKind::ServerError,
    }
}

fn insert(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn now_secs() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
