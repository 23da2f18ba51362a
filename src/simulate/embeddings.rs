//! OpenAI embeddings.
//!
//! In: a request body. Out: unit vectors made from the hash of each input, as floats or base64. Must not know: faults.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::ask::prompt_tokens;
use super::error::Complaint;
use super::fields;
use super::text::Dice;

/// Most inputs in one request, as at the provider.
pub const MAX_INPUTS: usize = 2048;
/// Longest vector.
pub const MAX_DIMENSIONS: u64 = 4096;

/// What one input counts as and is hashed from.
struct Input {
    bytes: Vec<u8>,
    tokens: u64,
}

/// The response body for a request.
///
/// # Errors
/// In the provider's terms, with the parameter that is wrong.
pub fn answer(body: &Map<String, Value>, served: impl Fn(&str) -> String) -> Result<Value, Complaint> {
    let model = fields::required_text(body, "model")?;
    let inputs = inputs(body.get("input"))?;
    let usual = if model.contains("large") { 3072 } else { 1536 };
    let dimensions = fields::count(body, "dimensions", 1, MAX_DIMENSIONS)?.unwrap_or(usual);
    let base64 = match body.get("encoding_format").and_then(Value::as_str) {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => return Err(Complaint::invalid("encoding_format", "`encoding_format` must be float or base64")),
    };
    let one = |(index, input): (usize, &Input)| {
        let vector = vector(&input.bytes, dimensions);
        let embedding = if base64 {
            json!(STANDARD.encode(vector.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>()))
        } else {
            json!(vector)
        };
        json!({"object": "embedding", "index": index, "embedding": embedding})
    };
    let data: Vec<_> = inputs.iter().enumerate().map(one).collect();
    let tokens: u64 = inputs.iter().map(|input| input.tokens).sum();
    let usage = json!({"prompt_tokens": tokens, "total_tokens": tokens});
    Ok(json!({"object": "list", "data": data, "model": served(&model), "usage": usage}))
}

fn inputs(input: Option<&Value>) -> Result<Vec<Input>, Complaint> {
    let wrong =
        || Complaint::invalid("input", "`input` must be a string, a list of strings, or lists of token numbers");
    let text = |text: &str| Input { bytes: text.as_bytes().to_vec(), tokens: prompt_tokens(text) };
    let tokens = |ids: &[Value]| {
        let bytes: Option<Vec<_>> = ids.iter().map(|id| id.as_u64().map(u64::to_le_bytes)).collect();
        bytes.filter(|ids| !ids.is_empty()).map(|ids| Input { tokens: ids.len() as u64, bytes: ids.concat() })
    };
    match input {
        Some(Value::String(one)) => Ok(vec![text(one)]),
        Some(Value::Array(several)) if several.first().is_some_and(Value::is_number) => {
            tokens(several).map(|input| vec![input]).ok_or_else(wrong)
        }
        Some(Value::Array(several)) if (1..=MAX_INPUTS).contains(&several.len()) => {
            let each = |input: &Value| match input {
                Value::String(one) => Ok(text(one)),
                Value::Array(ids) => tokens(ids).ok_or_else(wrong),
                _ => Err(wrong()),
            };
            several.iter().map(each).collect()
        }
        Some(Value::Array(several)) => {
            let message = format!("`input` has {} entries; it must have 1 to {MAX_INPUTS}", several.len());
            Err(Complaint::invalid("input", message))
        }
        _ => Err(wrong()),
    }
}

/// A vector of length 1 that depends on the bytes alone.
pub(super) fn vector(bytes: &[u8], dimensions: u64) -> Vec<f32> {
    let mut dice = Dice::of(bytes, 0);
    let raw: Vec<f64> = (0..dimensions).map(|_| dice.below(2_000_001) as f64 / 1e6 - 1.0).collect();
    let length = raw.iter().map(|value| value * value).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
    raw.iter().map(|value| (value / length) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(body: Value) -> Result<Value, Complaint> {
        answer(body.as_object().unwrap(), str::to_owned)
    }

    #[test]
    fn vectors_have_length_one_and_agree_in_both_encodings() {
        let floats = ask(json!({"model": "e", "input": "hello", "dimensions": 8})).unwrap();
        let vector: Vec<f32> = serde_json::from_value(floats["data"][0]["embedding"].clone()).unwrap();
        assert_eq!(vector.len(), 8);
        assert!((vector.iter().map(|value| value * value).sum::<f32>() - 1.0).abs() < 1e-5);
        let coded =
            ask(json!({"model": "e", "input": ["hello"], "dimensions": 8, "encoding_format": "base64"})).unwrap();
        let bytes = STANDARD.decode(coded["data"][0]["embedding"].as_str().unwrap()).unwrap();
        let decoded: Vec<_> = bytes.chunks(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
        assert_eq!(decoded, vector);
    }

    #[test]
    fn inputs_are_checked() {
        assert_eq!(ask(json!({"model": "e", "input": [[1, 2], [3]]})).unwrap()["usage"]["prompt_tokens"], 3);
        assert_eq!(ask(json!({"model": "e", "input": [1, 2]})).unwrap()["data"].as_array().unwrap().len(), 1);
        for input in [json!(null), json!([]), json!([null]), json!([[]]), json!(["a", 1]), json!([1, "a"])] {
            assert_eq!(ask(json!({"model": "e", "input": input})).unwrap_err().param.as_deref(), Some("input"));
        }
        let many = |count| ask(json!({"model": "e", "dimensions": 1, "input": vec!["x"; count]}));
        assert!(many(MAX_INPUTS).is_ok());
        assert!(many(MAX_INPUTS + 1).is_err());
        assert!(ask(json!({"model": "e", "input": "x", "dimensions": MAX_DIMENSIONS + 1})).is_err());
        assert!(ask(json!({"input": "x"})).is_err());
    }
}
