//! Single fields of a request body.
//!
//! In: a JSON object and a name. Out: the value in its type, or the provider's complaint. Must not know: which requests
//! exist.

use serde_json::{Map, Value};

use super::error::Complaint;

/// A text that must be there and not be empty.
///
/// # Errors
/// If it is missing, empty or not a text.
pub fn required_text(body: &Map<String, Value>, name: &str) -> Result<String, Complaint> {
    match body.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        Some(Value::String(_)) => Err(Complaint::invalid(name, format!("`{name}` must not be empty"))),
        Some(_) => Err(Complaint::invalid(name, format!("`{name}` must be a string"))),
        None => Err(Complaint::invalid(name, format!("`{name}` is missing"))),
    }
}

/// True or false; absent and null are false.
///
/// # Errors
/// If it is something else.
pub fn flag(body: &Map<String, Value>, name: &str) -> Result<bool, Complaint> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(Complaint::invalid(name, format!("`{name}` must be true or false"))),
    }
}

/// A whole number in bounds; absent and null are none.
///
/// # Errors
/// If it is something else or out of bounds.
pub fn count(body: &Map<String, Value>, name: &str, least: u64, most: u64) -> Result<Option<u64>, Complaint> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64() {
            Some(number) if (least..=most).contains(&number) => Ok(Some(number)),
            _ => Err(Complaint::invalid(name, format!("`{name}` must be a whole number, at least {least}"))),
        },
    }
}

/// The text of content that is a string or a list of parts.
pub fn text_of(content: Option<&Value>) -> String {
    match content {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => parts.iter().filter_map(|part| part.get("text")?.as_str()).collect(),
        _ => String::new(),
    }
}
