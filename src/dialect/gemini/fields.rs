//! `generationConfig`: how the answer is to be made.
//!
//! In: a caller's object. Out: its counterparts in a [`Conversation`]; what has none becomes an extra. Must not know: targets.

use super::proto::{self, Step, Stop};
use super::schema::json_schema;
use crate::dialect::bad_body::BadBody;
use crate::dialect::canonical::{Conversation, Effort, Fate, Format, Thinking};
use crate::json::{Cursor, Kind, Quoted, Raw};

/// Reads the object under `param`.
pub(super) fn generation_config<'a>(cursor: &mut Cursor<'a>, param: &str, conversation: &mut Conversation<'a>) -> Step {
    let mut shape = Shape::default();
    proto::members(cursor, param, |cursor, name, _, key| {
        let param = format!("{param}.{}", key.decode());
        let sampling = &mut conversation.sampling;
        match name {
            "temperature" => sampling.temperature = Some(proto::number(cursor, &param)?),
            "topP" => sampling.top_p = Some(proto::number(cursor, &param)?),
            "topK" => sampling.top_k = Some(proto::number(cursor, &param)?),
            "frequencyPenalty" => sampling.frequency_penalty = Some(proto::number(cursor, &param)?),
            "presencePenalty" => sampling.presence_penalty = Some(proto::number(cursor, &param)?),
            "seed" => sampling.seed = Some(proto::number(cursor, &param)?),
            "maxOutputTokens" => conversation.max_output = Some(proto::whole(cursor, &param)?),
            "candidateCount" => conversation.choices = proto::whole(cursor, &param)?.max(1),
            "stopSequences" => proto::each(cursor, |cursor, _| {
                conversation.stop.push(proto::text(cursor, &param)?);
                Ok(())
            })?,
            "responseMimeType" => {
                let mime = proto::text(cursor, &param)?;
                shape.mime = Some((mime.decode().to_ascii_lowercase(), param));
            }
            "responseSchema" => shape.google = Some(object(cursor, &param)?),
            "responseJsonSchema" => shape.json = Some(object(cursor, &param)?),
            "thinkingConfig" => thinking(cursor, &param, conversation)?,
            "responseModalities" => modalities(cursor, param, conversation)?,
            // Costs tokens, changes no meaning.
            "mediaResolution" => drop(cursor.skip()?),
            _ if proto::says_something(cursor)? => conversation.extra(param, fate(name)),
            _ => {}
        }
        Ok(())
    })?;
    shape.apply(conversation)
}

/// Of a field without a counterpart.
fn fate(name: &str) -> Fate {
    match name {
        "enableEnhancedCivicAnswers" => Fate::Dropped,
        _ => Fate::Refused,
    }
}

fn object<'a>(cursor: &mut Cursor<'a>, param: &str) -> Result<Raw<'a>, Stop> {
    match cursor.kind()? {
        Kind::Object => Ok(cursor.raw()?),
        kind => Err(BadBody::wrong_type(param, "a schema, which is an object", kind).into()),
    }
}

/// What is said about the shape of the answer, in three fields.
#[derive(Default)]
struct Shape<'a> {
    mime: Option<(String, String)>,
    google: Option<Raw<'a>>,
    json: Option<Raw<'a>>,
}

impl<'a> Shape<'a> {
    fn apply(self, conversation: &mut Conversation<'a>) -> Step {
        let mime = self.mime.as_ref().map(|(mime, _)| &**mime);
        if !matches!(mime, None | Some("application/json" | "text/plain" | "")) {
            // `text/x.enum` answers with a bare word where a schema elsewhere means a JSON string.
            if let Some((_, param)) = self.mime {
                conversation.extra(param, Fate::Refused);
            }
            return Ok(());
        }
        let schema = match (self.json, self.google) {
            (Some(schema), _) => Some(schema),
            (None, Some(google)) => Some(json_schema(&google)?),
            (None, None) => None,
        };
        conversation.format = match (schema, mime) {
            (Some(schema), _) => Some(Format::Schema { name: None, description: None, schema, strict: None }),
            (None, Some("application/json")) => Some(Format::JsonObject),
            (None, Some("text/plain")) => Some(Format::Text),
            (None, _) => None,
        };
        Ok(())
    }
}

fn modalities(cursor: &mut Cursor<'_>, param: String, conversation: &mut Conversation<'_>) -> Step {
    let mut other = false;
    proto::each(cursor, |cursor, _| {
        other |= proto::word(cursor, &param)? != "TEXT";
        Ok(())
    })?;
    if other {
        conversation.extra(param, Fate::Refused);
    }
    Ok(())
}

/// A level (Gemini 3 and later) or a budget (0 is none, -1 as much as the model likes).
fn thinking<'a>(cursor: &mut Cursor<'a>, param: &str, conversation: &mut Conversation<'a>) -> Step {
    proto::members(cursor, param, |cursor, name, _, key| {
        let param = format!("{param}.{}", key.decode());
        match name {
            "thinkingLevel" => conversation.thinking = level(&proto::text(cursor, &param)?, &param)?,
            "thinkingBudget" => conversation.thinking = Some(budget(&proto::number(cursor, &param)?, &param)?),
            // Thinking stays with the provider that did it.
            _ if proto::says_something(cursor)? => {
                let fate = if name == "includeThoughts" { Fate::Dropped } else { Fate::Refused };
                conversation.extra(param, fate);
            }
            _ => {}
        }
        Ok(())
    })
}

fn level(word: &Quoted<'_>, param: &str) -> Result<Option<Thinking>, BadBody> {
    let word = word.decode().to_ascii_lowercase();
    if word == "thinking_level_unspecified" {
        return Ok(None);
    }
    let known = Effort::from_word(&word).filter(|effort| !matches!(effort, Effort::None | Effort::Max));
    known.map(|effort| Some(Thinking::Effort(effort))).ok_or_else(|| {
        let message =
            format!("Invalid value for '{param}': expected MINIMAL, LOW, MEDIUM, HIGH or XHIGH, but got '{word}'.");
        BadBody::at(param, "invalid_value", message)
    })
}

fn budget(number: &Raw<'_>, param: &str) -> Result<Thinking, BadBody> {
    match &*number.0 {
        "-1" => Ok(Thinking::Adaptive),
        "0" => Ok(Thinking::Effort(Effort::None)),
        digits => digits.parse().map(Thinking::Budget).map_err(|_| {
            let message =
                format!("Invalid value for '{param}': expected a number of tokens, 0 for none or -1 for any.");
            BadBody::at(param, "invalid_value", message)
        }),
    }
}
