//! Errors in the providers' own envelopes.
//!
//! In: what went wrong. Out: status and body as the provider sends them. Status and type names follow the providers'
//! error references (OpenAI, Anthropic, Google; November 2026); the sentences are ours. Must not know: when errors happen.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::fault::{ErrorAnswer, ErrorKind};

/// Whose words are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Chat Completions, embeddings, models.
    OpenAi,
    /// Responses: the same but for errors inside a stream.
    Responses,
    /// Messages, count_tokens, models with an `anthropic-version`.
    Anthropic,
    /// generateContent, models under `/v1beta` or with an `x-goog-api-key`.
    Google,
    /// Converse.
    Bedrock,
}

/// One error, ready to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Complaint {
    /// HTTP status.
    pub status: u16,
    /// The provider's type.
    pub kind: &'static str,
    /// OpenAI's code.
    pub code: Option<&'static str>,
    /// OpenAI's parameter.
    pub param: Option<String>,
    /// For people.
    pub message: String,
}

/// Context window that a context-length error names.
const WINDOW: u64 = 128_000;

impl Complaint {
    /// A mistake of the caller's that the simulator itself found.
    pub fn invalid(param: &str, message: impl Into<String>) -> Self {
        let param = (!param.is_empty()).then(|| param.to_owned());
        Self { status: 400, kind: "invalid_request_error", code: None, param, message: message.into() }
    }

    /// The same with another status and code.
    #[must_use]
    pub fn with(mut self, status: StatusCode, code: &'static str) -> Self {
        self.status = status.as_u16();
        self.code = Some(code);
        self
    }

    /// The error a fault asks for.
    pub fn of(dialect: Dialect, answer: &ErrorAnswer, model: &str) -> Self {
        let mut complaint = match dialect {
            Dialect::OpenAi | Dialect::Responses => openai(answer.kind, model),
            Dialect::Anthropic => anthropic(answer.kind, model),
            Dialect::Google => google(answer.kind, model),
            Dialect::Bedrock => bedrock(answer.kind),
        };
        complaint.status = answer.status.unwrap_or(complaint.status);
        complaint
    }

    /// The body.
    pub fn body(&self, dialect: Dialect, request_id: &str) -> Value {
        match dialect {
            Dialect::OpenAi | Dialect::Responses => json!({"error": {
                "message": self.message, "type": self.kind, "param": self.param, "code": self.code,
            }}),
            Dialect::Anthropic => json!({
                "type": "error", "error": {"type": self.kind, "message": self.message, "details": null},
                "request_id": request_id,
            }),
            Dialect::Google => json!({"error": {
                "code": self.status, "message": self.message, "status": google_status(self.status),
            }}),
            Dialect::Bedrock => json!({"message": self.message}),
        }
    }
}

impl Complaint {
    /// The event of a Responses stream, behind so many others.
    pub fn event(&self, sequence_number: u64) -> Value {
        json!({
            "type": "error", "sequence_number": sequence_number, "code": self.code.unwrap_or(self.kind),
            "message": self.message, "param": self.param,
        })
    }
}

fn openai(kind: ErrorKind, model: &str) -> Complaint {
    let invalid = "invalid_request_error";
    let (status, kind, code, param, message) = match kind {
        ErrorKind::RateLimit => {
            (429, "requests", Some("rate_limit_exceeded"), None, format!("Rate limit reached for {model} (simulated)."))
        }
        ErrorKind::Quota => {
            let message = "The quota of this account is used up; check plan and billing (simulated).".to_owned();
            (429, "insufficient_quota", Some("insufficient_quota"), None, message)
        }
        ErrorKind::Overloaded => {
            (503, "server_error", Some("slow_down"), None, "The model is overloaded; try again (simulated).".to_owned())
        }
        ErrorKind::ServerError => (500, "server_error", None, None, "The server had an error (simulated).".to_owned()),
        ErrorKind::Timeout => (504, "timeout", None, None, "The request timed out (simulated).".to_owned()),
        ErrorKind::Auth => (401, invalid, Some("invalid_api_key"), None, "Incorrect API key (simulated).".to_owned()),
        ErrorKind::Forbidden => {
            (403, "permission_error", Some("forbidden"), None, "This key may not use the model (simulated).".to_owned())
        }
        ErrorKind::ModelNotFound => {
            let message = format!("The model `{model}` does not exist or is not open to you (simulated).");
            (404, invalid, Some("model_not_found"), Some("model"), message)
        }
        ErrorKind::ContextLength => {
            let message =
                format!("This model's maximum context length is {WINDOW} tokens; the messages are longer (simulated).");
            (400, invalid, Some("context_length_exceeded"), Some("messages"), message)
        }
        ErrorKind::ContentFilter => {
            let message = "The prompt was rejected by the content policy (simulated).".to_owned();
            (400, invalid, Some("content_policy_violation"), None, message)
        }
        ErrorKind::TooLarge => (413, invalid, None, None, "The request body is too large (simulated).".to_owned()),
        ErrorKind::Conflict => {
            (409, "conflict_error", None, None, "Another request holds the lock (simulated).".to_owned())
        }
        ErrorKind::BadRequest => (400, invalid, None, None, "The request is not valid (simulated).".to_owned()),
    };
    Complaint { status, kind, code, param: param.map(str::to_owned), message }
}

/// Google's word for a status.
const fn google_status(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        500 => "INTERNAL",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        _ => "INVALID_ARGUMENT",
    }
}

fn google(kind: ErrorKind, model: &str) -> Complaint {
    let (status, message) = match kind {
        ErrorKind::RateLimit => (429, "Resource has been exhausted (simulated).".to_owned()),
        ErrorKind::Quota => (429, "You exceeded your current quota; insufficient credit (simulated).".to_owned()),
        ErrorKind::Overloaded => (503, "The model is overloaded. Please try again later (simulated).".to_owned()),
        ErrorKind::ServerError => (500, "An internal error has occurred (simulated).".to_owned()),
        ErrorKind::Timeout => (504, "The deadline expired (simulated).".to_owned()),
        ErrorKind::Auth => (400, "API key not valid. Please pass a valid API key (simulated).".to_owned()),
        ErrorKind::Forbidden => (403, "The caller does not have permission (simulated).".to_owned()),
        ErrorKind::ModelNotFound => (404, format!("models/{model} is not found for this API version (simulated).")),
        ErrorKind::ContextLength => {
            let message = "The input token count exceeds the maximum number of tokens allowed";
            (400, format!("{message} ({WINDOW}) (simulated)."))
        }
        // Whoever sends one knows no other way: the provider takes a prompt with status 200.
        ErrorKind::ContentFilter => (400, "The prompt violates usage guidelines (simulated).".to_owned()),
        ErrorKind::TooLarge => (400, "Request payload size exceeds the limit (simulated).".to_owned()),
        ErrorKind::Conflict => (409, "The operation was aborted (simulated).".to_owned()),
        ErrorKind::BadRequest => (400, "Request contains an invalid argument (simulated).".to_owned()),
    };
    Complaint { status, kind: "", code: None, param: None, message }
}

fn anthropic(kind: ErrorKind, model: &str) -> Complaint {
    let invalid = "invalid_request_error";
    let (status, kind, message) = match kind {
        ErrorKind::RateLimit => {
            (429, "rate_limit_error", "The rate limit of this account is reached (simulated).".to_owned())
        }
        ErrorKind::Quota => (402, "billing_error", "The credit balance is too low (simulated).".to_owned()),
        ErrorKind::Overloaded => (529, "overloaded_error", "Overloaded (simulated).".to_owned()),
        ErrorKind::ServerError => (500, "api_error", "Internal server error (simulated).".to_owned()),
        ErrorKind::Timeout => (504, "timeout_error", "The request timed out (simulated).".to_owned()),
        ErrorKind::Auth => (401, "authentication_error", "invalid x-api-key (simulated)".to_owned()),
        ErrorKind::Forbidden => (403, "permission_error", "This key may not use the model (simulated).".to_owned()),
        ErrorKind::ModelNotFound => (404, "not_found_error", format!("model: {model}")),
        ErrorKind::ContextLength => {
            (400, invalid, format!("prompt is too long: {} tokens > {WINDOW} maximum", WINDOW + 1))
        }
        ErrorKind::ContentFilter => {
            (400, invalid, "The prompt was blocked by the content filtering policy (simulated).".to_owned())
        }
        ErrorKind::TooLarge => {
            (413, "request_too_large", "The request exceeds the maximum size (simulated).".to_owned())
        }
        ErrorKind::Conflict => (409, "conflict_error", "Another request holds the lock (simulated).".to_owned()),
        ErrorKind::BadRequest => (400, invalid, "The request is not valid (simulated).".to_owned()),
    };
    Complaint { status, kind, code: None, param: None, message }
}

/// What the service calls it; the name goes into the header `x-amzn-errortype`.
fn bedrock(kind: ErrorKind) -> Complaint {
    let validation = "ValidationException";
    let (status, kind, message) = match kind {
        ErrorKind::RateLimit => (429, "ThrottlingException", "Too many requests, please wait before trying again."),
        ErrorKind::Quota => (402, "ServiceQuotaExceededException", "The quota of this account is used up (simulated)."),
        ErrorKind::Overloaded => (503, "ServiceUnavailableException", "The service is overloaded (simulated)."),
        ErrorKind::ServerError => (500, "InternalServerException", "The server had an error (simulated)."),
        ErrorKind::Timeout => (408, "ModelTimeoutException", "The model took too long (simulated)."),
        ErrorKind::Auth => {
            (403, "UnrecognizedClientException", "The security token included in the request is invalid.")
        }
        ErrorKind::Forbidden => (403, "AccessDeniedException", "You don't have access to the model (simulated)."),
        ErrorKind::ModelNotFound => (404, "ResourceNotFoundException", "Could not resolve the model (simulated)."),
        ErrorKind::ContextLength => (400, validation, "Input is too long for requested model."),
        ErrorKind::ContentFilter => (400, validation, "The prompt violates usage guidelines (simulated)."),
        ErrorKind::TooLarge => (413, validation, "The request body is too large (simulated)."),
        ErrorKind::Conflict => (409, "ConflictException", "Another request holds the lock (simulated)."),
        ErrorKind::BadRequest => (400, validation, "The request is not valid (simulated)."),
    };
    Complaint { status, kind, code: None, param: None, message: message.to_owned() }
}
