//! A request for embeddings in Gemini's words (`:batchEmbedContents`), and its answer in OpenAI's.
//!
//! In: a caller's body and what its scan found; Gemini's answer. Out: the body to send; the body to answer with. Must not know:
//! paths, credentials.
//!
//! OpenAI's vectors have length 1. Gemini's have it only at their full size, so shorter ones are brought to it here: a caller who
//! multiplies two of them would get other figures otherwise (Gemini API documentation, 2026-11-22).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::request::{Ask, Encoding};
use crate::dialect::bad_body::BadBody;
use crate::dialect::canonical::UNSUPPORTED;
use crate::dialect::upstream_error::UpstreamError;
use crate::failure::Failure;
use crate::json::write::{Array, object};
use crate::json::{Cursor, JsonError, Kind, Quoted, Raw};
use crate::usage::Usage;

/// How far from 1 a length may be and still count as 1: what rounding to the digits that are sent comes to.
const NEAR_ONE: f64 = 1e-3;

/// Where vectors are asked for, behind a base URL that ends with the version.
pub fn path(model: &str) -> String {
    super::super::gemini::path_of(model, super::super::gemini::Method::BatchEmbedContents)
}

/// The body for `models/MODEL:batchEmbedContents`.
///
/// # Errors
/// For token ids: they are numbers of one provider's tokenizer.
pub fn request(body: &[u8], ask: &Ask, model: &str) -> Result<Vec<u8>, BadBody> {
    if ask.token_ids > 0 {
        let message = format!(
            "'input' cannot be sent on: the model '{model}', which would answer, knows no token ids of another tokenizer. \
             Send the texts."
        );
        return Err(BadBody::at("input", UNSUPPORTED, message));
    }
    let name = format!("models/{model}");
    let mut out = Vec::with_capacity(body.len() + 128 * ask.scan.text.len());
    let write = |list: &mut Array<'_>, text: &Quoted<'_>| {
        list.object(|o| {
            o.text("model", &name);
            o.object("content", |o| o.array("parts", |parts| parts.object(|o| o.quoted("text", text))));
            if let Some(dimensions) = ask.dimensions {
                o.number("outputDimensionality", dimensions);
            }
        });
    };
    let mut read = Ok(());
    object(&mut out, |o| {
        o.array("requests", |list| {
            read = Cursor::new(body).and_then(|mut cursor| texts(&mut cursor, &mut |text| write(list, text)));
        });
    });
    match read {
        Ok(()) => Ok(out),
        Err(error) => Err(BadBody::not_json(error, body)),
    }
}

/// The texts of `input`, empty ones included: an answer has a vector for each.
fn texts(cursor: &mut Cursor<'_>, take: &mut dyn FnMut(&Quoted<'_>)) -> Result<(), JsonError> {
    cursor.members(|cursor, key| match (&*key.decode(), cursor.kind()?) {
        ("input", Kind::String) => {
            take(&cursor.string()?.into());
            Ok(())
        }
        ("input", Kind::Array) => cursor.items(|cursor| {
            if let Some(text) = cursor.string_or_skip()? {
                take(&text.into());
            }
            Ok(())
        }),
        _ => cursor.skip().map(drop),
    })
}

/// An answer for the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Its body.
    pub body: Vec<u8>,
    /// What it used.
    pub usage: Usage,
}

/// Gemini's answer as the caller asked for it. `prompt_tokens` is our own count of the prompt, for an answer that names none.
///
/// # Errors
/// A body that is no JSON, holds an error, or has not a vector for each input.
pub fn answer(body: &[u8], ask: &Ask, model: &str, prompt_tokens: u64) -> Result<Answered, UpstreamError> {
    let mut found = Found { vectors: Vec::new(), tokens: None, failed: false };
    let outcome = Cursor::new(body).and_then(|mut cursor| {
        cursor.members(|cursor, key| found.member(cursor, key.raw))?;
        cursor.finish()
    });
    if let Err(error) = outcome {
        return Err(UpstreamError::no_json(error, body));
    }
    if found.failed {
        return Err(UpstreamError::in_band(body));
    }
    if found.vectors.len() as u64 != ask.scan.messages {
        let message = format!("{} embeddings for {} inputs", found.vectors.len(), ask.scan.messages);
        return Err(UpstreamError::bare(Failure::ServerError, &message));
    }
    let usage = match found.tokens {
        Some(tokens) => Usage::from_totals(tokens, 0, 0, 0, 0),
        None => Usage::estimate(prompt_tokens, 0),
    };
    let mut out = Vec::with_capacity(body.len() + 256);
    object(&mut out, |o| {
        o.text("object", "list");
        o.array("data", |list| {
            for (index, vector) in found.vectors.iter().enumerate() {
                list.object(|o| {
                    o.text("object", "embedding");
                    o.number("index", index as u64);
                    write_vector(o.member("embedding"), vector, ask.encoding);
                });
            }
        });
        o.text("model", model);
        o.object("usage", |o| {
            o.number("prompt_tokens", usage.input());
            o.number("total_tokens", usage.total());
        });
    });
    Ok(Answered { body: out, usage })
}

/// What an answer holds.
struct Found<'a> {
    vectors: Vec<Raw<'a>>,
    tokens: Option<u64>,
    failed: bool,
}

impl<'a> Found<'a> {
    fn member(&mut self, cursor: &mut Cursor<'a>, key: &str) -> Result<(), JsonError> {
        match (key, cursor.kind()?) {
            ("embeddings", Kind::Array) => cursor.items(|cursor| self.embedding(cursor)),
            ("embedding", Kind::Object) => self.embedding(cursor),
            ("usageMetadata", Kind::Object) => cursor.members(|cursor, key| {
                match key.raw {
                    "promptTokenCount" => self.tokens = cursor.unsigned_or_skip()?.or(self.tokens),
                    _ => drop(cursor.skip()?),
                }
                Ok(())
            }),
            ("error", Kind::Object) => {
                self.failed = true;
                cursor.skip().map(drop)
            }
            _ => cursor.skip().map(drop),
        }
    }

    fn embedding(&mut self, cursor: &mut Cursor<'a>) -> Result<(), JsonError> {
        let mut counted = None;
        cursor.members(|cursor, key| {
            match (key.raw, cursor.kind()?) {
                ("values", Kind::Array) => self.vectors.push(cursor.raw()?),
                ("statistics", Kind::Object) => cursor.members(|cursor, key| {
                    match key.raw {
                        "tokenCount" => counted = cursor.unsigned_or_skip()?,
                        _ => drop(cursor.skip()?),
                    }
                    Ok::<(), JsonError>(())
                })?,
                _ => drop(cursor.skip()?),
            }
            Ok::<(), JsonError>(())
        })?;
        if let Some(count) = counted {
            self.tokens = Some(self.tokens.unwrap_or(0).saturating_add(count));
        }
        Ok(())
    }
}

/// The numbers of a list. What is no number of a vector counts as zero.
fn numbers(vector: &Raw<'_>) -> Vec<f64> {
    let mut numbers = Vec::new();
    // The list was taken as JSON before, so this cannot fail; what it holds until then would count.
    let _ = Cursor::new(vector.0.as_bytes()).and_then(|mut cursor| {
        cursor.items(|cursor| {
            numbers.push(cursor.raw()?.0.parse().unwrap_or(0.0));
            Ok::<(), JsonError>(())
        })
    });
    numbers
}

fn write_vector(out: &mut Vec<u8>, vector: &Raw<'_>, encoding: Encoding) {
    let mut numbers = numbers(vector);
    let length = numbers.iter().map(|number| number * number).sum::<f64>().sqrt();
    let as_it_is = length == 0.0 || (length - 1.0).abs() <= NEAR_ONE;
    if !as_it_is {
        numbers.iter_mut().for_each(|number| *number /= length);
    }
    match encoding {
        Encoding::Float if as_it_is => out.extend_from_slice(vector.0.as_bytes()),
        Encoding::Float => {
            out.push(b'[');
            for (at, number) in numbers.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                // Enough for the 32 bits that are computed with.
                out.extend_from_slice(format!("{}", *number as f32).as_bytes());
            }
            out.push(b']');
        }
        Encoding::Base64 => {
            let bytes: Vec<u8> = numbers.iter().flat_map(|number| (*number as f32).to_le_bytes()).collect();
            out.push(b'"');
            out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
            out.push(b'"');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::request::scan;
    use super::*;

    const ANSWER: &[u8] = br#"{"embeddings":[{"values":[3.0,4.0]},{"values":[0.6,-0.8]}]}"#;

    fn ask(rest: &str) -> (String, Ask) {
        let body = format!(r#"{{"input":["a\n",""],"model":"m"{rest}}}"#);
        let ask = scan(body.as_bytes()).unwrap();
        (body, ask)
    }

    fn vectors(rest: &str) -> serde_json::Value {
        let body = answer(ANSWER, &ask(rest).1, "gemini-embedding-001", 9).unwrap().body;
        serde_json::from_slice(&body).unwrap()
    }

    #[test]
    fn every_input_is_one_request() {
        let (body, ask) = ask(r#","dimensions":2"#);
        let out = request(body.as_bytes(), &ask, "gemini-embedding-001").unwrap();
        let one = |text: &str| {
            format!(
                r#"{{"model":"models/gemini-embedding-001","content":{{"parts":[{{"text":"{text}"}}]}},"outputDimensionality":2}}"#
            )
        };
        assert_eq!(String::from_utf8(out).unwrap(), format!(r#"{{"requests":[{},{}]}}"#, one("a\\n"), one("")));
        let ids = scan(br#"{"model":"m","input":[1,2]}"#).unwrap();
        assert_eq!(request(b"{}", &ids, "g").unwrap_err().code, UNSUPPORTED);
    }

    #[test]
    fn vectors_come_as_they_were_asked_for_and_have_length_one() {
        let float = vectors("");
        assert_eq!(float["data"][0]["embedding"], serde_json::json!([0.6, 0.8]));
        assert_eq!(float["data"][1]["embedding"], serde_json::json!([0.6, -0.8]));
        assert_eq!(float["usage"]["prompt_tokens"], 9);
        let base64 = vectors(r#","encoding_format":"base64""#);
        let bytes = STANDARD.decode(base64["data"][1]["embedding"].as_str().unwrap()).unwrap();
        assert_eq!(bytes, [0.6f32.to_le_bytes(), (-0.8f32).to_le_bytes()].concat());
    }

    #[test]
    fn what_is_no_answer_has_its_word() {
        let ask = ask("").1;
        for (body, failure) in [
            ("{", Failure::Network),
            (r#"{"embeddings":[{"values":[1]}]}"#, Failure::ServerError),
            (r#"{"error":{"code":429,"message":"x","status":"RESOURCE_EXHAUSTED"}}"#, Failure::RateLimit),
        ] {
            assert_eq!(answer(body.as_bytes(), &ask, "g", 1).unwrap_err().failure, failure, "{body}");
        }
    }
}
