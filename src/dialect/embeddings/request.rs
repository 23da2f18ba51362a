//! What a request for embeddings says, found in one pass.
//!
//! In: a body. Out: [`Ask`], or [`BadBody`] with a message for the caller. Must not know: policies, tokens.

use crate::dialect::bad_body::BadBody;
use crate::dialect::pass::{Step, expect, members, number, skip, string};
use crate::dialect::scan::Scan;
use crate::json::{Cursor, Kind};

/// Most inputs of one request, as the API allows.
pub const MAX_INPUTS: u64 = 2048;

/// Fields that are read.
const FIELDS: [&str; 5] = ["model", "input", "encoding_format", "dimensions", "user"];

/// How vectors are to be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Lists of numbers.
    #[default]
    Float,
    /// Little-endian 32-bit numbers in Base64, as the official clients ask for on their own.
    Base64,
}

/// What a request says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The model, the texts and who asks, as of every request; `messages` counts inputs.
    pub scan: Scan,
    /// Inputs that are given as numbers of a tokenizer, which means nothing to another provider: so many tokens in all.
    pub token_ids: u64,
    /// Of the answer.
    pub encoding: Encoding,
    /// Length of the vectors, if asked for.
    pub dimensions: Option<u64>,
}

/// Reads what a decision needs.
///
/// # Errors
/// [`BadBody`] for everything that is not one JSON object with a model and an input of the right types.
pub fn scan(body: &[u8]) -> Result<Ask, BadBody> {
    let mut scanner =
        Scanner { ask: Ask { scan: Scan::empty(), token_ids: 0, encoding: Encoding::Float, dimensions: None } };
    let first_member = members(body, "\"model\" and \"input\"", &FIELDS, |cursor, key, kind| {
        scanner.member(cursor, &key.decode(), kind)
    })?;
    let mut ask = scanner.ask;
    ask.scan.first_member = first_member;
    ask.scan.modalities.text = true;
    ask.scan = ask.scan.complete("input")?;
    Ok(ask)
}

struct Scanner {
    ask: Ask,
}

impl Scanner {
    fn member(&mut self, cursor: &mut Cursor<'_>, name: &str, kind: Kind) -> Step {
        if kind == Kind::Null && name != "model" && name != "input" {
            return skip(cursor);
        }
        match name {
            "model" => self.ask.scan.take_model(cursor, kind),
            "input" => self.input(cursor, kind),
            "encoding_format" => {
                self.ask.encoding = match &*string(cursor, kind, name)?.decode() {
                    "float" => Encoding::Float,
                    "base64" => Encoding::Base64,
                    _ => return Err(invalid(name, "'encoding_format' must be float or base64.")),
                };
                Ok(())
            }
            "dimensions" => {
                self.ask.dimensions = Some(number(cursor, kind, name)?);
                Ok(())
            }
            "user" => {
                let user = string(cursor, kind, name)?;
                Ok(self.ask.scan.name_user(&user.decode(), name)?)
            }
            _ => skip(cursor),
        }
    }

    /// A text, or token ids; or a list of either.
    fn input(&mut self, cursor: &mut Cursor<'_>, kind: Kind) -> Step {
        let mut inputs = 0;
        if kind == Kind::String {
            self.ask.scan.take_text(cursor)?;
            inputs = 1;
        } else {
            expect(kind, Kind::Array, "input")?;
            let mut ids = false;
            cursor.items(|cursor| {
                let kind = cursor.kind()?;
                if inputs > 0 && ids != (kind == Kind::Number) {
                    return Err(invalid("input", "'input' mixes token ids with texts. Send one or the other."));
                }
                match kind {
                    Kind::String => self.ask.scan.take_text(cursor)?,
                    Kind::Array => cursor.items(|cursor| self.token(cursor))?,
                    Kind::Number => {
                        // The whole list is one input.
                        ids = true;
                        inputs = 0;
                        self.token(cursor)?;
                    }
                    _ => return Err(BadBody::wrong_type("input", "texts or token ids", kind).into()),
                }
                inputs += 1;
                if inputs > MAX_INPUTS {
                    return Err(invalid("input", format!("'input' has more than {MAX_INPUTS} items.")));
                }
                Step::Ok(())
            })?;
        }
        if inputs == 0 {
            return Err(BadBody::at("input", "empty_array", "'input' is empty. Send at least one text.").into());
        }
        self.ask.scan.messages = inputs;
        Ok(())
    }

    fn token(&mut self, cursor: &mut Cursor<'_>) -> Step {
        let kind = cursor.kind()?;
        number(cursor, kind, "input")?;
        self.ask.token_ids += 1;
        Ok(())
    }
}

fn invalid(param: &str, message: impl Into<String>) -> crate::dialect::pass::Stop {
    BadBody::at(param, "invalid_value", message).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_input_is_counted() {
        for (input, inputs, texts, ids) in
            [(r#""a""#, 1, 1, 0), (r#"["a","","c"]"#, 3, 2, 0), ("[1,2,3]", 1, 0, 3), ("[[1,2],[3]]", 2, 0, 3)]
        {
            let body = format!(
                r#"{{"input":{input},"model":"m","encoding_format":"base64","dimensions":256,"user":"u","new":1}}"#
            );
            let ask = scan(body.as_bytes()).unwrap();
            assert_eq!((ask.scan.messages, ask.scan.text.len(), ask.token_ids), (inputs, texts, ids), "{input}");
            assert_eq!(
                (ask.encoding, ask.dimensions, ask.scan.user.as_deref()),
                (Encoding::Base64, Some(256), Some("u"))
            );
        }
        assert_eq!(scan(br#"{"model":"m","input":"a"}"#).unwrap().encoding, Encoding::Float);
    }

    #[test]
    fn what_is_no_request_is_refused_with_the_field() {
        for (fields, param) in [
            (r#""input":"a""#, "model"),
            (r#""model":"m""#, "input"),
            (r#""model":"m","input":[]"#, "input"),
            (r#""model":"m","input":null"#, "input"),
            (r#""model":"m","input":["a",1]"#, "input"),
            (r#""model":"m","input":[1,"a"]"#, "input"),
            (r#""model":"m","input":[-1]"#, "input"),
            (r#""model":"m","input":"a","encoding_format":"hex""#, "encoding_format"),
            (r#""model":"m","input":"a","dimensions":"many""#, "dimensions"),
            (r#""model":"m","model":"n","input":"a""#, "model"),
        ] {
            let bad = scan(format!("{{{fields}}}").as_bytes()).unwrap_err();
            assert_eq!(bad.param.as_deref(), Some(param), "{fields}");
        }
    }

    #[test]
    fn inputs_are_taken_to_the_limit_and_not_one_more() {
        let body = |count: u64| format!(r#"{{"model":"m","input":[{}]}}"#, vec!["\"\""; count as usize].join(","));
        assert!(scan(body(MAX_INPUTS).as_bytes()).is_ok());
        assert_eq!(scan(body(MAX_INPUTS + 1).as_bytes()).unwrap_err().code, "invalid_value");
    }
}
