//! Lists of models, as each dialect's clients expect them.
//!
//! In: names and what is known about them. Out: documents. Must not know: policies.
//!
//! Shapes: dialects.md of OpenAI (`GET /v1/models`), Anthropic (the same path, told apart by `anthropic-version`) and Google (`GET
//! /v1beta/models`), as the official clients of November 2026 read them. A dialect without a list of its own has OpenAI's.

use super::Dialect;
use crate::json::write::{self, Object};

/// A model that a caller may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// As a caller names it.
    pub name: String,
    /// Whose it is.
    pub owner: String,
    /// Tokens of a prompt, if known.
    pub max_input: Option<u64>,
    /// Tokens of an answer, if known.
    pub max_output: Option<u64>,
}

/// All of them; `since` is a time of creation, which clients want: that of the policy is the only honest one.
pub fn list(dialect: Dialect, models: &[Listed], since: jiff::Timestamp) -> Vec<u8> {
    let mut out = Vec::new();
    write::object(&mut out, |list| match dialect {
        Dialect::Messages => {
            list.array("data", |data| models.iter().for_each(|model| data.object(|o| messages(o, model, since))));
            list.boolean("has_more", false);
            for (key, model) in [("first_id", models.first()), ("last_id", models.last())] {
                match model {
                    Some(model) => list.text(key, &model.name),
                    None => list.null(key),
                }
            }
        }
        Dialect::Gemini => {
            list.array("models", |data| models.iter().for_each(|model| data.object(|o| gemini(o, model))));
        }
        Dialect::Chat | Dialect::Responses | Dialect::Converse | Dialect::Embeddings => {
            list.text("object", "list");
            list.array("data", |data| models.iter().for_each(|model| data.object(|o| chat(o, model, since))));
        }
    });
    out
}

/// One of them.
pub fn one(dialect: Dialect, model: &Listed, since: jiff::Timestamp) -> Vec<u8> {
    let mut out = Vec::new();
    write::object(&mut out, |o| match dialect {
        Dialect::Messages => messages(o, model, since),
        Dialect::Gemini => gemini(o, model),
        Dialect::Chat | Dialect::Responses | Dialect::Converse | Dialect::Embeddings => chat(o, model, since),
    });
    out
}

fn chat(o: &mut Object<'_>, model: &Listed, since: jiff::Timestamp) {
    o.text("id", &model.name);
    o.text("object", "model");
    o.number("created", u64::try_from(since.as_second()).unwrap_or(0));
    o.text("owned_by", &model.owner);
}

fn messages(o: &mut Object<'_>, model: &Listed, since: jiff::Timestamp) {
    o.text("type", "model");
    o.text("id", &model.name);
    o.text("display_name", &model.name);
    o.text("created_at", &format!("{since:.0}"));
    known(o, "max_input_tokens", model.max_input);
    known(o, "max_tokens", model.max_output);
}

fn gemini(o: &mut Object<'_>, model: &Listed) {
    o.text("name", &format!("models/{}", model.name));
    o.text("displayName", &model.name);
    known(o, "inputTokenLimit", model.max_input);
    known(o, "outputTokenLimit", model.max_output);
    o.array("supportedGenerationMethods", |methods| {
        methods.text("generateContent");
        methods.text("streamGenerateContent");
    });
}

fn known(o: &mut Object<'_>, name: &str, value: Option<u64>) {
    if let Some(value) = value {
        o.number(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(name: &str, max_input: Option<u64>) -> Listed {
        Listed { name: name.into(), owner: "lab".into(), max_input, max_output: None }
    }

    #[test]
    fn each_list_has_the_shape_its_clients_expect() {
        let since = jiff::Timestamp::from_second(7).unwrap();
        let models = [listed("openai/gpt-5.4", Some(9)), listed("fast", None)];
        let text = |dialect, models| String::from_utf8(list(dialect, models, since)).unwrap();
        assert_eq!(
            text(Dialect::Chat, &models),
            r#"{"object":"list","data":[{"id":"openai/gpt-5.4","object":"model","created":7,"owned_by":"lab"},{"id":"fast","object":"model","created":7,"owned_by":"lab"}]}"#
        );
        assert_eq!(text(Dialect::Chat, &[]), r#"{"object":"list","data":[]}"#);
        assert_eq!(
            text(Dialect::Messages, &models[1..]),
            r#"{"data":[{"type":"model","id":"fast","display_name":"fast","created_at":"1970-01-01T00:00:07Z"}],"has_more":false,"first_id":"fast","last_id":"fast"}"#
        );
        assert_eq!(text(Dialect::Messages, &[]), r#"{"data":[],"has_more":false,"first_id":null,"last_id":null}"#);
        assert_eq!(
            text(Dialect::Gemini, &models[..1]),
            r#"{"models":[{"name":"models/openai/gpt-5.4","displayName":"openai/gpt-5.4","inputTokenLimit":9,"supportedGenerationMethods":["generateContent","streamGenerateContent"]}]}"#
        );
        assert_eq!(
            one(Dialect::Chat, &models[1], since),
            br#"{"id":"fast","object":"model","created":7,"owned_by":"lab"}"#
        );
    }
}
