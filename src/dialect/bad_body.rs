//! Why a body is no request, in words its sender can act on.
//!
//! In: what was found and where. Out: [`BadBody`]. Must not know: envelopes.

use std::fmt;

use crate::json::{JsonError, Kind, Reason};

/// A body that cannot be a request. The caller's mistake: status 400, never sent to a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadBody {
    /// For the caller: where, why, and what to write instead.
    pub message: String,
    /// The field at fault.
    pub param: Option<String>,
    /// A stable word for programs.
    pub code: &'static str,
}

impl BadBody {
    pub(in crate::dialect) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { message: message.into(), param: None, code }
    }

    pub(in crate::dialect) fn at(param: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self { message: message.into(), param: Some(param.into()), code }
    }

    pub(in crate::dialect) fn missing(param: &str) -> Self {
        Self::at(param, "missing_required_parameter", format!("Missing required parameter: '{param}'."))
    }

    /// Readers disagree on which of two members of one name counts.
    pub(in crate::dialect) fn twice(param: &str) -> Self {
        let message = format!("'{param}' stands in the request body twice. Leave one of them out.");
        Self::at(param, "duplicate_parameter", message)
    }

    pub(in crate::dialect) fn wrong_type(param: impl fmt::Display, wanted: &str, found: Kind) -> Self {
        let message = format!("Invalid type for '{param}': expected {wanted}, but got {found} instead.");
        Self::at(param.to_string(), "invalid_type", message)
    }

    pub(in crate::dialect) fn not_json(error: JsonError, body: &[u8]) -> Self {
        let place = error.describe(body);
        match error.reason {
            Reason::Truncated => {
                Self::new("invalid_json", format!("The request body was cut off: {place}. Send the whole JSON object."))
            }
            Reason::Trailing => Self::new(
                "invalid_json",
                format!("The request body goes on after its JSON object: {place}. Send one object and nothing else."),
            ),
            Reason::Nesting => Self::new("too_deeply_nested", format!("The request body is refused: {place}.")),
            _ => Self::new("invalid_json", format!("The request body is not valid JSON: {place}.")),
        }
    }
}
