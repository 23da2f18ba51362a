//! What a generateContent request says, found in one pass.
//!
//! In: a body, and the model and the method of its path. Out: [`Scan`], or [`BadBody`] with a message for the caller. Must not
//! know: policies, tokens.
//!
//! Only fields that a decision needs are checked. Everything else is the provider's to judge and goes through byte for byte.

use super::parts;
use super::proto::{self, Step};
use crate::dialect::bad_body::BadBody;
use crate::dialect::pass;
use crate::dialect::scan::{MAX_METADATA, MAX_METADATA_TEXT, MAX_MODEL_NAME, Modalities, Scan, Wants};
use crate::json::{Cursor, Kind, Span, Text};

/// Reads what a decision needs. `model` and `stream` are what the path says.
///
/// # Errors
/// [`BadBody`] for everything that is not one JSON object with contents of the right types.
pub fn scan(body: &[u8], model: &str, stream: bool, wants: Wants) -> Result<Scan, BadBody> {
    if model.trim().is_empty() || model.len() > MAX_MODEL_NAME || model.chars().any(char::is_control) {
        let message = format!("The model in the path must be 1 to {MAX_MODEL_NAME} bytes of printable text.");
        return Err(BadBody::at("model", "invalid_value", message));
    }
    let mut scanner = Scanner { wants, seen: 0, contents: None, scan: Scan::empty() };
    pass::whole(body, proto::NEEDS, |cursor| {
        scanner.scan.first_member = cursor.offset() + 1;
        cursor.members(|cursor, key| scanner.member(cursor, key))
    })?;
    let Scanner { seen, contents, mut scan, .. } = scanner;
    scan.messages = contents.ok_or_else(|| BadBody::missing("contents"))?;
    scan.model = model.into();
    scan.stream = stream;
    scan.include_usage = true;
    if seen & bit("generationConfig") == 0 {
        // Only an object without members would take no comma, and that one lacks its contents.
        scan.cap_frame = ("\"generationConfig\":{", "},");
    }
    Ok(scan)
}

/// Fields that are read, each in one of its two spellings and once: readers disagree on which of two counts, so a second one
/// could hide from the policy what the provider will see.
const FIELDS: [&str; 10] = [
    "contents",
    "systemInstruction",
    "tools",
    "generationConfig",
    "labels",
    "model",
    "maxOutputTokens",
    "candidateCount",
    "responseSchema",
    "responseJsonSchema",
];

fn bit(field: &str) -> u16 {
    FIELDS.iter().position(|known| *known == field).map_or(0, |place| 1 << place)
}

struct Scanner {
    wants: Wants,
    seen: u16,
    contents: Option<u64>,
    scan: Scan,
}

impl Scanner {
    fn once(&mut self, field: &str, param: &str) -> Result<(), BadBody> {
        let bit = bit(field);
        if self.seen & bit != 0 {
            let message = format!("'{param}' stands in the request body twice. Leave one of them out.");
            return Err(BadBody::at(param, "duplicate_parameter", message));
        }
        self.seen |= bit;
        Ok(())
    }

    fn member(&mut self, cursor: &mut Cursor<'_>, key: Text<'_>) -> Step {
        let param = key.decode();
        let name = proto::camel(&param);
        let kind = cursor.kind()?;
        self.once(&name, &param)?;
        match (&*name, kind) {
            ("contents", Kind::Array | Kind::Object) => self.contents(cursor),
            ("contents", _) => Err(BadBody::wrong_type(param, "an array of contents", kind).into()),
            // Its room would be needed for a cap.
            ("generationConfig", _) => self.config(cursor, &param),
            (_, Kind::Null) => proto::skip(cursor),
            ("systemInstruction", _) => self.content(cursor, &param),
            ("tools", _) => self.tools(cursor),
            ("cachedContent", _) => {
                self.scan.bound |= proto::says_something(cursor)?;
                Ok(())
            }
            ("labels", _) => self.labels(cursor, &param),
            ("model", _) => {
                let message = "The model stands in the path. Leave 'model' out of the request body.";
                Err(BadBody::at("model", "unsupported_parameter", message).into())
            }
            _ => proto::skip(cursor),
        }
    }

    fn contents(&mut self, cursor: &mut Cursor<'_>) -> Step {
        let mut count = 0;
        proto::each(cursor, |cursor, at| {
            count += 1;
            self.content(cursor, &format!("contents[{at}]"))
        })?;
        if count == 0 {
            let message = "'contents' is empty. Send at least one content.";
            return Err(BadBody::at("contents", "empty_array", message).into());
        }
        self.contents = Some(count);
        Ok(())
    }

    fn content(&mut self, cursor: &mut Cursor<'_>, param: &str) -> Step {
        proto::members(cursor, param, |cursor, name, _, key| match name {
            "parts" => proto::each(cursor, |cursor, at| self.part(cursor, &format!("{param}.{}[{at}]", key.decode()))),
            _ => proto::skip(cursor),
        })
    }

    fn part(&mut self, cursor: &mut Cursor<'_>, param: &str) -> Step {
        proto::members(cursor, param, |cursor, name, kind, _| match (name, kind) {
            ("text", Kind::String) => {
                self.scan.modalities.text = true;
                self.scan.take_text(cursor)
            }
            ("inlineData" | "fileData", Kind::Object) => self.media(cursor),
            ("functionCall" | "functionResponse", Kind::Object) => self.function(cursor),
            _ => proto::skip(cursor),
        })
    }

    fn media(&mut self, cursor: &mut Cursor<'_>) -> Step {
        let modalities = &mut self.scan.modalities;
        let bound = &mut self.scan.bound;
        let mut known = false;
        proto::members(cursor, "", |cursor, name, kind, _| {
            match (name, kind) {
                ("mimeType", Kind::String) => {
                    known = true;
                    add_modality(modalities, &cursor.string()?.decode());
                }
                ("fileUri", Kind::String) => *bound |= parts::is_googles(&cursor.string()?.decode()),
                _ => drop(cursor.skip()?),
            }
            Ok(())
        })?;
        modalities.file |= !known;
        Ok(())
    }

    fn function(&mut self, cursor: &mut Cursor<'_>) -> Step {
        proto::members(cursor, "", |cursor, name, kind, key| match (name, kind) {
            ("name", Kind::String) => self.scan.take_text(cursor),
            ("args" | "response", Kind::Object) => {
                let span = cursor.skip()?;
                self.scan.as_written(span)
            }
            ("parts", _) => proto::each(cursor, |cursor, _| self.part(cursor, &key.decode())),
            _ => proto::skip(cursor),
        })
    }

    fn tools(&mut self, cursor: &mut Cursor<'_>) -> Step {
        let start = cursor.offset();
        if proto::says_something(cursor)? {
            self.scan.tools = true;
            self.scan.as_written(Span { start, end: cursor.taken() })?;
        }
        Ok(())
    }

    fn config(&mut self, cursor: &mut Cursor<'_>, param: &str) -> Step {
        let kind = cursor.kind()?;
        if kind != Kind::Object {
            return Err(BadBody::wrong_type(param, "an object", kind).into());
        }
        self.scan.first_member = cursor.offset() + 1;
        self.scan.cap_frame = ("", "");
        cursor.members(|cursor, key| {
            self.scan.cap_frame = ("", ",");
            let param = format!("{param}.{}", key.decode());
            let decoded = key.decode();
            let name = proto::camel(&decoded);
            self.once(&name, &param)?;
            match (&*name, cursor.kind()?) {
                ("maxOutputTokens", kind) => self.scan.take_cap(cursor, kind, |cursor| proto::whole(cursor, &param)),
                (_, Kind::Null) => proto::skip(cursor),
                ("candidateCount", _) => {
                    self.scan.choices = proto::whole(cursor, &param)?.max(1);
                    Ok(())
                }
                ("responseSchema" | "responseJsonSchema", _) => {
                    self.scan.json_schema = true;
                    let span = cursor.skip()?;
                    self.scan.as_written(span)
                }
                _ => proto::skip(cursor),
            }
        })
    }

    /// What other dialects call metadata.
    fn labels(&mut self, cursor: &mut Cursor<'_>, param: &str) -> Step {
        if !self.wants.metadata {
            cursor.skip()?;
            return Ok(());
        }
        let metadata = &mut self.scan.metadata;
        proto::members(cursor, param, |cursor, _, kind, key| {
            if kind != Kind::String {
                cursor.skip()?;
                return Ok(());
            }
            let (name, value) = (key.decode(), cursor.string()?.decode());
            let (longest_key, longest_value) = MAX_METADATA_TEXT;
            let problem = if name.chars().nth(longest_key).is_some() || value.chars().nth(longest_value).is_some() {
                format!(
                    "'{param}' takes keys of at most {longest_key} characters and values of at most {longest_value}."
                )
            } else if metadata.iter().any(|(known, _)| **known == *name) {
                format!("'{param}.{name}' stands in the request body twice. Leave one of them out.")
            } else if metadata.len() == MAX_METADATA {
                format!("'{param}' has more than {MAX_METADATA} pairs.")
            } else {
                metadata.push((name.into(), value.into()));
                return Ok(());
            };
            Err(BadBody::at(param, "invalid_value", problem).into())
        })
    }
}

fn add_modality(modalities: &mut Modalities, mime: &str) {
    match mime.split('/').next().map(str::to_ascii_lowercase).as_deref() {
        Some("image") => modalities.image = true,
        Some("audio") => modalities.audio = true,
        Some("video") => modalities.video = true,
        _ => modalities.file = true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Scan, BadBody> {
        scan(body.as_bytes(), "m", true, Wants { metadata: true })
    }

    #[test]
    fn what_a_decision_needs_is_found() {
        let body = r#"{"system_instruction":{"parts":[{"text":"be"}]},"labels":{"team":"a","n":1},
            "contents":[{"role":"user","parts":[{"text":"hi"},{"inline_data":{"data":"AA==","mime_type":"image/png"}},
                {"fileData":{"fileUri":"gs://a/b"}}]},
                {"role":"model","parts":[{"functionCall":{"name":"f","args":{"x":1}}}]},
                {"parts":{"functionResponse":{"name":"f","response":{"result":"r"}}}}],
            "tools":[{"functionDeclarations":[]}],
            "generationConfig":{"maxOutputTokens":7,"candidateCount":2,"responseJsonSchema":{"a":1}}}"#;
        let scan = read(body).unwrap();
        assert_eq!((&*scan.model, scan.stream, scan.include_usage, scan.messages), ("m", true, true, 3));
        assert!(scan.tools && scan.json_schema);
        let modalities = Modalities { text: true, image: true, file: true, ..Modalities::default() };
        assert_eq!(scan.modalities, modalities);
        assert_eq!((scan.max_output, scan.choices), (Some(7), 2));
        assert!(scan.bound, "a bucket is read by Google alone");
        assert_eq!(scan.metadata, [("team".into(), "a".into())]);
        let texts: Vec<&str> = scan.text.iter().map(|text| &body[text.span.start..text.span.end]).collect();
        let tools = r#"[{"functionDeclarations":[]}]"#;
        assert_eq!(texts, ["be", "hi", "f", r#"{"x":1}"#, "f", r#"{"result":"r"}"#, tools, r#"{"a":1}"#]);
    }

    #[test]
    fn what_is_no_request_is_refused_with_its_field() {
        for (body, code, param) in [
            ("", "empty_body", None),
            ("{}", "missing_required_parameter", Some("contents")),
            (r#"{"contents":[]}"#, "empty_array", Some("contents")),
            (r#"{"contents":"hi"}"#, "invalid_type", Some("contents")),
            (r#"{"contents":["hi"]}"#, "invalid_type", Some("contents[0]")),
            (r#"{"contents":{},"generationConfig":null}"#, "invalid_type", Some("generationConfig")),
            (r#"{"contents":{},"contents":{}}"#, "duplicate_parameter", Some("contents")),
            (
                r#"{"contents":{},"generationConfig":{},"generation_config":{}}"#,
                "duplicate_parameter",
                Some("generation_config"),
            ),
            (
                r#"{"contents":{},"generationConfig":{"maxOutputTokens":1,"max_output_tokens":2}}"#,
                "duplicate_parameter",
                Some("generationConfig.max_output_tokens"),
            ),
            (
                r#"{"contents":{},"generationConfig":{"maxOutputTokens":-1}}"#,
                "invalid_value",
                Some("generationConfig.maxOutputTokens"),
            ),
            (r#"{"contents":{},"model":"models/x"}"#, "unsupported_parameter", Some("model")),
            (r#"{"contents":{}} x"#, "invalid_json", None),
        ] {
            let bad = read(body).unwrap_err();
            assert_eq!((bad.code, bad.param.as_deref()), (code, param), "{body}: {}", bad.message);
        }
        for model in ["", " ", "a\nb", &"x".repeat(MAX_MODEL_NAME + 1)] {
            assert!(scan(br#"{"contents":{}}"#, model, false, Wants::default()).is_err(), "{model}");
        }
        assert!(scan(br#"{"contents":{}}"#, &"x".repeat(MAX_MODEL_NAME), false, Wants::default()).is_ok());
    }

    #[test]
    fn what_google_keeps_binds_to_google() {
        for (body, bound) in [
            (r#"{"contents":{"parts":{"text":"x"}}}"#, false),
            (r#"{"contents":{},"cached_content":"cachedContents/1"}"#, true),
            (r#"{"contents":{},"cachedContent":""}"#, false),
            (r#"{"contents":{"parts":{"fileData":{"fileUri":"https://example.org/a.png"}}}}"#, false),
        ] {
            assert_eq!(read(body).unwrap().bound, bound, "{body}");
        }
    }

    #[cfg(feature = "serve")]
    #[test]
    fn a_cap_is_put_where_google_reads_it_and_the_model_stays_in_the_path() {
        use crate::dialect::gemini::OUTPUT_CAP;
        use crate::dialect::splice::{Change, splice};

        let change = Change { model: "another", max_output: Some(5), cap: OUTPUT_CAP };
        for (body, wanted) in [
            (r#"{"contents":{}}"#, r#"{"generationConfig":{"maxOutputTokens":5},"contents":{}}"#),
            (
                r#"{"contents":{},"generation_config":{ }}"#,
                r#"{"contents":{},"generation_config":{"maxOutputTokens":5 }}"#,
            ),
            (
                r#"{"contents":{},"generationConfig":{"seed":1}}"#,
                r#"{"contents":{},"generationConfig":{"maxOutputTokens":5,"seed":1}}"#,
            ),
            (
                r#"{"contents":{},"generationConfig":{"max_output_tokens":9}}"#,
                r#"{"contents":{},"generationConfig":{"max_output_tokens":5}}"#,
            ),
            (
                r#"{"contents":{},"generationConfig":{"maxOutputTokens":null}}"#,
                r#"{"contents":{},"generationConfig":{"maxOutputTokens":5}}"#,
            ),
            (
                r#"{"contents":{},"generationConfig":{"maxOutputTokens":3}}"#,
                r#"{"contents":{},"generationConfig":{"maxOutputTokens":3}}"#,
            ),
        ] {
            let scan = read(body).unwrap();
            let spliced = splice(&bytes::Bytes::from_static(body.as_bytes()), &scan, change).into_bytes();
            assert_eq!(std::str::from_utf8(&spliced).unwrap(), wanted);
        }
    }
}
