//! What a Responses request says, found in one pass.
//!
//! In: a body. Out: [`Scan`], or [`BadBody`] with a message for the caller. Must not know: policies, tokens.
//!
//! Only fields that a decision needs are checked. Everything else is the provider's to judge and goes through byte for byte.

use crate::dialect::bad_body::BadBody;
use crate::dialect::pass::{self, Step, expect, flag, number, skip, string};
use crate::dialect::scan::{Modalities, Scan, Wants};
use crate::json::{Cursor, Kind, Span};

/// Fields that are read.
const FIELDS: [&str; 13] = [
    "model",
    "input",
    "instructions",
    "stream",
    "tools",
    "text",
    "max_output_tokens",
    "user",
    "metadata",
    "previous_response_id",
    "conversation",
    "prompt",
    "background",
];

/// Reads what a decision needs.
///
/// # Errors
/// [`BadBody`] for everything that is not one JSON object with a model and an input of the right types.
pub fn scan(body: &[u8], wants: Wants) -> Result<Scan, BadBody> {
    let mut scanner = Scanner { wants, no_input: true, scan: Scan { include_usage: true, ..Scan::empty() } };
    let first_member =
        pass::members(body, super::NEEDS, &FIELDS, |cursor, key, kind| scanner.member(cursor, &key.decode(), kind))?;
    let scan = Scan { first_member, ..scanner.scan };
    if scan.model.is_empty() {
        return Err(BadBody::missing("model"));
    }
    // What the provider keeps may be the whole prompt.
    if scanner.no_input && !scan.bound {
        return Err(BadBody::missing("input"));
    }
    Ok(scan)
}

struct Scanner {
    wants: Wants,
    no_input: bool,
    scan: Scan,
}

impl Scanner {
    fn member(&mut self, cursor: &mut Cursor<'_>, name: &str, kind: Kind) -> Step {
        if kind == Kind::Null && !matches!(name, "model" | "max_output_tokens") {
            return skip(cursor);
        }
        match name {
            "model" => self.scan.take_model(cursor, kind),
            "input" => self.input(cursor, kind),
            "instructions" => {
                expect(kind, Kind::String, name)?;
                self.scan.take_text(cursor)
            }
            "stream" => flag(cursor, kind, name).map(|on| self.scan.stream = on),
            // A tool stands there as a function of the older form of Chat Completions does: flat.
            "tools" => self.scan.take_tools(cursor, kind, name).map(|span| self.scan.demand.functions = span),
            "text" => {
                expect(kind, Kind::Object, name)?;
                cursor.members(|cursor, key| match (&*key.decode(), cursor.kind()?) {
                    ("format", Kind::Object) => self.format(cursor),
                    _ => skip(cursor),
                })
            }
            "max_output_tokens" => self.scan.take_cap(cursor, kind, |cursor| number(cursor, kind, name)),
            "user" => {
                let user = string(cursor, kind, name)?;
                Ok(self.scan.name_user(&user.decode(), name)?)
            }
            "metadata" => self.scan.take_metadata(cursor, kind, self.wants),
            "background" => flag(cursor, kind, name).map(|on| self.scan.bound |= on),
            "previous_response_id" | "conversation" | "prompt" => {
                self.scan.bound = true;
                skip(cursor)
            }
            _ => skip(cursor),
        }
    }

    fn input(&mut self, cursor: &mut Cursor<'_>, kind: Kind) -> Step {
        let mut count = 0;
        match kind {
            Kind::String => {
                count = 1;
                self.scan.modalities.text = true;
                self.scan.take_text(cursor)?;
            }
            Kind::Array => cursor.items(|cursor| {
                let kind = cursor.kind()?;
                if kind != Kind::Object {
                    return Err(BadBody::wrong_type(format_args!("input[{count}]"), "an object", kind).into());
                }
                self.item(cursor, count)?;
                count += 1;
                Step::Ok(())
            })?,
            _ => return Err(BadBody::wrong_type("input", "a string or an array of items", kind).into()),
        }
        (self.no_input, self.scan.messages) = (false, count);
        Ok(())
    }

    fn item(&mut self, cursor: &mut Cursor<'_>, index: u64) -> Step {
        let (mut typed, mut reference) = (false, false);
        cursor.members(|cursor, key| match (&*key.decode(), cursor.kind()?) {
            ("type", Kind::String) => {
                typed = true;
                reference = cursor.string()?.decode() == "item_reference";
                Ok(())
            }
            ("role", Kind::String) => {
                typed = true;
                skip(cursor)
            }
            ("content", Kind::String) => {
                self.scan.modalities.text = true;
                self.scan.take_text(cursor)
            }
            ("name" | "arguments" | "input" | "output", Kind::String) => self.scan.take_text(cursor),
            ("content" | "output", Kind::Array) => cursor.items(|cursor| self.part(cursor, index)),
            ("content", kind @ (Kind::Number | Kind::Bool)) => {
                let param = format!("input[{index}].content");
                Err(BadBody::wrong_type(param, "a string or an array of content parts", kind).into())
            }
            _ => skip(cursor),
        })?;
        // An item without type and role is a reference, too: the API lets `type` be left out.
        self.scan.bound |= reference || !typed;
        Ok(())
    }

    fn part(&mut self, cursor: &mut Cursor<'_>, index: u64) -> Step {
        let kind = cursor.kind()?;
        if kind != Kind::Object {
            let param = format!("input[{index}].content");
            return Err(BadBody::wrong_type(param, "an array of objects", kind).into());
        }
        cursor.members(|cursor, key| match (&*key.decode(), cursor.kind()?) {
            ("text" | "refusal", Kind::String) => {
                self.scan.modalities.text = true;
                self.scan.take_text(cursor)
            }
            ("type", Kind::String) => {
                add_modality(&mut self.scan.modalities, &cursor.string()?.decode());
                Ok(())
            }
            _ => skip(cursor),
        })
    }

    fn format(&mut self, cursor: &mut Cursor<'_>) -> Step {
        let start = cursor.offset();
        cursor.members(|cursor, key| match (key.raw, cursor.kind()?) {
            ("type", Kind::String) => {
                self.scan.json_schema = cursor.string()?.decode() == "json_schema";
                Step::Ok(())
            }
            _ => skip(cursor),
        })?;
        if self.scan.json_schema {
            let span = Span { start, end: cursor.taken() };
            self.scan.demand.format = Some(span);
            self.scan.as_written(span)?;
        }
        Ok(())
    }
}

fn add_modality(modalities: &mut Modalities, word: &str) {
    match word {
        "input_text" | "output_text" | "refusal" => modalities.text = true,
        "input_image" => modalities.image = true,
        "input_audio" => modalities.audio = true,
        "input_video" => modalities.video = true,
        "input_file" => modalities.file = true,
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Scan {
        scan(body.as_bytes(), Wants { metadata: true }).unwrap()
    }

    #[test]
    fn a_decision_gets_what_it_needs() {
        let body = r#"{"model":"gpt-5.4","instructions":"Be \"brief\".","input":[
            {"role":"user","content":[{"type":"input_text","text":"look"},{"type":"input_image","image_url":"https://x/y.png"},
                {"type":"input_file","file_id":"f"}]},
            {"type":"function_call","call_id":"c","name":"f","arguments":"{}"},
            {"type":"function_call_output","call_id":"c","output":"done"}],
            "tools":[{"type":"function","name":"f","parameters":{"type":"object"}}],
            "text":{"format":{"type":"json_schema","name":"n","schema":{"type":"string"}},"verbosity":"low"},
            "max_output_tokens":50,"stream":true,"user":"u","metadata":{"team":"a"}}"#;
        let scan = read(body);
        let texts: Vec<_> =
            scan.text.iter().map(|text| std::str::from_utf8(text.span.of(body.as_bytes())).unwrap()).collect();
        assert_eq!(texts[..5], ["Be \\\"brief\\\".", "look", "f", "{}", "done"]);
        assert!(texts[5].starts_with("[{\"type\":\"function\"") && texts[6].starts_with("{\"type\":\"json_schema\""));
        assert_eq!((&*scan.model, scan.stream, scan.include_usage, scan.tools), ("gpt-5.4", true, true, true));
        assert_eq!((scan.messages, scan.max_output, scan.user.as_deref()), (3, Some(50), Some("u")));
        assert_eq!((scan.modalities.text, scan.modalities.image, scan.modalities.file), (true, true, true));
        assert_eq!(&*scan.metadata[0].1, "a");
        assert_eq!(scan.demand.of_text(body.as_bytes()), Some(&br#"{"type":"string"}"#[..]));
        assert_eq!(scan.demand.of_call(body.as_bytes(), "f"), Some(&br#"{"type":"object"}"#[..]));
        assert!(!scan.bound);
    }

    #[test]
    fn what_refers_to_state_at_the_provider_binds() {
        for field in [
            r#""previous_response_id":"resp_1""#,
            r#""conversation":{"id":"conv_1"}"#,
            r#""prompt":{"id":"pmpt_1"}"#,
            r#""background":true"#,
            r#""input":[{"type":"item_reference","id":"msg_1"}]"#,
            r#""input":[{"id":"msg_1"}]"#,
        ] {
            assert!(
                read(&format!(
                    r#"{{"model":"m",{field}{}}}"#,
                    if field.contains("input") { "" } else { r#","input":"x""# }
                ))
                .bound,
                "{field}"
            );
        }
        for field in [r#""previous_response_id":null"#, r#""background":false"#, r#""store":true"#] {
            assert!(!read(&format!(r#"{{"model":"m","input":"x",{field}}}"#)).bound, "{field}");
        }
        assert_eq!(read(r#"{"model":"m","prompt":{"id":"p"}}"#).messages, 0);
    }

    #[test]
    fn what_is_no_request_is_refused_with_the_field() {
        for (body, param, code) in [
            (r#"{"input":"x"}"#, Some("model"), "missing_required_parameter"),
            (r#"{"model":"m"}"#, Some("input"), "missing_required_parameter"),
            (r#"{"model":"m","input":7}"#, Some("input"), "invalid_type"),
            (r#"{"model":"m","input":["x"]}"#, Some("input[0]"), "invalid_type"),
            (r#"{"model":"m","input":"a","input":"b"}"#, Some("input"), "duplicate_parameter"),
            (r#"{"model":"m","input":"a","stream":"yes"}"#, Some("stream"), "invalid_type"),
            (r#"{"model":"m","input":"a","max_output_tokens":-1}"#, Some("max_output_tokens"), "invalid_value"),
            (r#"{"model":"m","input":"a""#, None, "invalid_json"),
            (" ", None, "empty_body"),
            ("[]", None, "invalid_type"),
        ] {
            let bad = scan(body.as_bytes(), Wants::default()).unwrap_err();
            assert_eq!((bad.param.as_deref(), bad.code), (param, code), "{body}");
        }
    }
}
