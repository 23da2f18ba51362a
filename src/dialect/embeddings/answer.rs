//! What an answer with embeddings says beside the vectors.
//!
//! In: the body of a 2xx. Out: [`Answer`]: who answered, what it used, how many vectors. Must not know: the vectors.

use crate::dialect::upstream_error::UpstreamError;
use crate::failure::Failure;
use crate::json::{Cursor, JsonError, Kind};
use crate::usage::Usage;

/// What an answer says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The model that answered, as it names itself.
    pub model: Option<Box<str>>,
    /// What it used, if the provider says.
    pub usage: Option<Usage>,
    /// How many there are.
    pub vectors: u64,
}

/// Reads a whole body.
///
/// # Errors
/// A body that is no JSON is [`Failure::Network`]; an error under status 200 is what it says; an answer without vectors is
/// [`Failure::ServerError`].
pub fn read(body: &[u8]) -> Result<Answer, UpstreamError> {
    let mut answer = Answer::default();
    let mut failed = false;
    let outcome = Cursor::new(body).and_then(|mut cursor| {
        cursor.members(|cursor, key| {
            match (key.raw, cursor.kind()?) {
                ("model", Kind::String) => answer.model = Some(cursor.string()?.decode().into()),
                ("usage", Kind::Object) => answer.usage = usage(cursor)?,
                ("data", Kind::Array) => cursor.items(|cursor| {
                    answer.vectors += 1;
                    cursor.skip().map(drop)
                })?,
                ("object", Kind::String) => failed |= cursor.string()?.raw == "error",
                ("error", Kind::Object | Kind::String) => {
                    cursor.skip()?;
                    failed = true;
                }
                _ => drop(cursor.skip()?),
            }
            Ok::<(), JsonError>(())
        })?;
        cursor.finish()
    });
    if let Err(error) = outcome {
        return Err(UpstreamError::no_json(error, body));
    }
    if failed {
        return Err(UpstreamError::in_band(body));
    }
    if answer.vectors == 0 {
        return Err(UpstreamError::bare(Failure::ServerError, "status 200 without embeddings"));
    }
    Ok(answer)
}

fn usage(cursor: &mut Cursor<'_>) -> Result<Option<Usage>, JsonError> {
    let (mut prompt, mut total) = (None, None);
    cursor.members(|cursor, key| {
        match key.raw {
            "prompt_tokens" => prompt = cursor.unsigned_or_skip()?,
            "total_tokens" => total = cursor.unsigned_or_skip()?,
            _ => drop(cursor.skip()?),
        }
        Ok::<(), JsonError>(())
    })?;
    Ok(prompt.or(total).map(|tokens| Usage::from_totals(tokens, 0, 0, 0, 0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_what_it_used() {
        let body = br#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":"AAAA"},{"index":1,"embedding":[0.1]}],
            "model":"text-embedding-3-small","usage":{"prompt_tokens":8,"total_tokens":8}}"#;
        let answer = read(body).unwrap();
        assert_eq!((answer.vectors, answer.model.as_deref()), (2, Some("text-embedding-3-small")));
        assert_eq!(answer.usage, Some(Usage::from_totals(8, 0, 0, 0, 0)));
    }

    #[test]
    fn what_is_no_success_has_its_word() {
        for (body, failure) in [
            (r#"{"data":["#, Failure::Network),
            (r#"{"data":[]}"#, Failure::ServerError),
            (r#"{"error":{"message":"x","code":"rate_limit_exceeded"}}"#, Failure::RateLimit),
            (r#"{"object":"error","message":"x","code":400}"#, Failure::BadRequest),
        ] {
            assert_eq!(read(body.as_bytes()).unwrap_err().failure, failure, "{body}");
        }
    }
}
