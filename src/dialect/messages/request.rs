//! What a Messages request says, found in one pass.
//!
//! In: a body, of a message or of a count of its tokens. Out: [`Scan`], or [`BadBody`] with a message for the caller. Must not
//! know: policies, tokens.
//!
//! Only fields that a decision needs are checked. Everything else is the provider's to judge and goes through byte for byte; so
//! does a missing `max_tokens`, which a count does not have.

use super::fields::{NEEDS, Step, Stop, count, expect, flag};
use crate::dialect::bad_body::BadBody;
use crate::dialect::pass::{self, skip};
use crate::dialect::scan::{Scan, Wants, add_metadata, add_text};
use crate::json::{Cursor, Kind};

/// Reads what a decision needs.
///
/// # Errors
/// [`BadBody`] for everything that is not one JSON object with a model and messages of the right types.
pub fn scan(body: &[u8], wants: Wants) -> Result<Scan, BadBody> {
    let mut scanner = Scanner { wants, scan: Scan { include_usage: true, ..Scan::empty() } };
    let first_member =
        pass::members(body, NEEDS, &FIELDS, |cursor, key, kind| scanner.member(cursor, &key.decode(), kind))?;
    Scan { first_member, ..scanner.scan }.complete("messages")
}

/// Fields that are read.
const FIELDS: [&str; 8] = ["model", "stream", "messages", "system", "tools", "output_config", "max_tokens", "metadata"];

struct Scanner {
    wants: Wants,
    scan: Scan,
}

impl Scanner {
    fn member(&mut self, cursor: &mut Cursor<'_>, name: &str, kind: Kind) -> Step {
        if kind == Kind::Null && !matches!(name, "model" | "messages" | "max_tokens") {
            return skip(cursor);
        }
        match name {
            "model" => self.scan.take_model(cursor, kind),
            "messages" => self.messages(cursor),
            "stream" => flag(cursor, "stream").map(|on| self.scan.stream = on),
            "system" => self.content(cursor, &"system"),
            "tools" => self.scan.take_tools(cursor, kind, name).map(|span| self.scan.demand.functions = span),
            "output_config" => self.output_config(cursor),
            "metadata" => self.metadata(cursor),
            "max_tokens" => self.scan.take_cap(cursor, kind, |cursor| count(cursor, "max_tokens")),
            _ => skip(cursor),
        }
    }

    fn messages(&mut self, cursor: &mut Cursor<'_>) -> Step {
        expect(cursor, Kind::Array, "messages", "an array of messages")?;
        let mut at = 0;
        cursor.items(|cursor| {
            expect(cursor, Kind::Object, format_args!("messages[{at}]"), "an object")?;
            cursor.members(|cursor, key| match &*key.decode() {
                "content" => self.content(cursor, &format_args!("messages[{at}].content")),
                _ => skip(cursor),
            })?;
            at += 1;
            Ok::<(), Stop>(())
        })?;
        if at == 0 {
            let message = "'messages' is empty. Send at least one message.";
            return Err(BadBody::at("messages", "empty_array", message).into());
        }
        self.scan.messages = at;
        Ok(())
    }

    /// A text, or a list of blocks: a message, the system text, the result of a tool.
    fn content(&mut self, cursor: &mut Cursor<'_>, param: &dyn std::fmt::Display) -> Step {
        match cursor.kind()? {
            Kind::String => {
                self.scan.modalities.text = true;
                self.scan.take_text(cursor)
            }
            Kind::Array => cursor.items(|cursor| {
                expect(cursor, Kind::Object, param, "an array of objects")?;
                cursor.members(|cursor, key| self.block_member(cursor, &key.decode(), param))
            }),
            found => Err(BadBody::wrong_type(param, "a string or an array of content blocks", found).into()),
        }
    }

    fn block_member(&mut self, cursor: &mut Cursor<'_>, key: &str, param: &dyn std::fmt::Display) -> Step {
        match (key, cursor.kind()?) {
            ("text", Kind::String) => {
                self.scan.modalities.text = true;
                self.scan.take_text(cursor)
            }
            ("thinking" | "name" | "title" | "context", Kind::String) => self.scan.take_text(cursor),
            ("input", Kind::Object) => {
                let span = cursor.skip()?;
                self.scan.as_written(span)
            }
            // Of a result, a search result, or a document that is made of blocks.
            ("content", Kind::String | Kind::Array) => self.content(cursor, param),
            ("source", Kind::Object) => self.source(cursor, param),
            ("type", Kind::String) => {
                match &*cursor.string()?.decode() {
                    "image" => self.scan.modalities.image = true,
                    "document" | "container_upload" => self.scan.modalities.file = true,
                    _ => {}
                }
                Ok(())
            }
            _ => skip(cursor),
        }
    }

    /// Where an image or a document is. The text of a document that is nothing else is part of the prompt.
    fn source(&mut self, cursor: &mut Cursor<'_>, param: &dyn std::fmt::Display) -> Step {
        let (mut plain, mut data) = (false, None);
        cursor.members(|cursor, key| {
            match (&*key.decode(), cursor.kind()?) {
                ("type", Kind::String) => plain = cursor.string()?.decode() == "text",
                ("data", Kind::String) => data = Some(cursor.passage()?),
                ("content", Kind::String | Kind::Array) => self.content(cursor, param)?,
                _ => drop(cursor.skip()?),
            }
            Ok::<(), Stop>(())
        })?;
        match data {
            Some(passage) if plain => Ok(add_text(&mut self.scan.text, passage)?),
            _ => Ok(()),
        }
    }

    fn output_config(&mut self, cursor: &mut Cursor<'_>) -> Step {
        expect(cursor, Kind::Object, "output_config", "an object")?;
        cursor.members(|cursor, key| {
            let kind = cursor.kind()?;
            let span = cursor.skip()?;
            if key.decode() == "format" && kind == Kind::Object {
                self.scan.json_schema = true;
                self.scan.demand.format = Some(span);
                self.scan.as_written(span)?;
            }
            Ok(())
        })
    }

    fn metadata(&mut self, cursor: &mut Cursor<'_>) -> Step {
        expect(cursor, Kind::Object, "metadata", "an object")?;
        cursor.members(|cursor, key| {
            let Some(value) = cursor.string_or_skip()? else { return Ok(()) };
            let (name, value) = (key.decode(), value.decode());
            if name == "user_id" {
                if self.scan.user.is_some() {
                    let message = "'metadata.user_id' stands in the request body twice. Leave one of them out.";
                    return Err(BadBody::at("metadata.user_id", "duplicate_parameter", message).into());
                }
                self.scan.name_user(&value, "metadata.user_id")?;
            }
            if self.wants.metadata {
                add_metadata(&mut self.scan.metadata, &name, &value)?;
            }
            Ok::<(), Stop>(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::scan::{MAX_MODEL_NAME, MAX_USER};

    fn scanned(body: &str) -> Scan {
        scan(body.as_bytes(), Wants { metadata: true }).unwrap()
    }

    fn refused(body: &str) -> BadBody {
        scan(body.as_bytes(), Wants::default()).unwrap_err()
    }

    fn texts<'b>(scan: &Scan, body: &'b str) -> Vec<&'b str> {
        scan.text.iter().map(|passage| &body[passage.span.start..passage.span.end]).collect()
    }

    #[test]
    fn a_request_says_what_a_decision_needs() {
        let body = r#"{"model":"claude-sonnet-5","max_tokens":1024,"stream":true,"system":[{"type":"text","text":"Be brief."}],
            "messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[
                {"type":"thinking","thinking":"hm","signature":"AAAA"},{"type":"text","text":"Hello"},
                {"type":"tool_use","id":"toolu_1","name":"f","input":{"x":1}}]},
              {"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"one"}]},
                {"type":"tool_result","tool_use_id":"toolu_2","content":"two"},
                {"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}},
                {"type":"document","title":"T","source":{"type":"text","media_type":"text/plain","data":"plain words"}}]}],
            "tools":[{"name":"f","input_schema":{"type":"object"}}],
            "output_config":{"effort":"low","format":{"type":"json_schema","schema":{"type":"object"}}},
            "metadata":{"user_id":"u-1"},"unknown":{"messages":[]}}"#;
        let scan = scanned(body);
        assert_eq!((&*scan.model, scan.stream, scan.include_usage), ("claude-sonnet-5", true, true));
        assert_eq!((scan.tools, scan.json_schema, scan.max_output, scan.messages), (true, true, Some(1024), 3));
        assert_eq!(scan.user.as_deref(), Some("u-1"));
        assert_eq!(scan.metadata, [("user_id".into(), "u-1".into())]);
        let modalities = scan.modalities;
        assert!(modalities.text && modalities.image && modalities.file && !modalities.audio && !modalities.video);
        assert_eq!(
            texts(&scan, body),
            [
                "Be brief.",
                "Hi",
                "hm",
                "Hello",
                "f",
                r#"{"x":1}"#,
                "one",
                "two",
                "T",
                "plain words",
                r#"[{"name":"f","input_schema":{"type":"object"}}]"#,
                r#"{"type":"json_schema","schema":{"type":"object"}}"#,
            ]
        );
        assert_eq!(scan.model_value.of(body.as_bytes()), b"\"claude-sonnet-5\"");
        assert_eq!(scan.caps[0].span.of(body.as_bytes()), b"1024");
        assert_eq!(scan.demand.of_text(body.as_bytes()), Some(&b"{\"type\":\"object\"}"[..]));
        assert_eq!(scan.demand.of_call(body.as_bytes(), "f"), Some(&b"{\"type\":\"object\"}"[..]));
    }

    #[test]
    fn a_count_has_no_cap() {
        let scan = scanned(r#"{"model":"m","messages":[{"role":"user","content":"x"}],"system":null,"tools":[]}"#);
        assert_eq!((scan.max_output, scan.caps.len(), scan.tools, scan.stream), (None, 0, false, false));
    }

    #[test]
    fn what_is_no_request_says_why() {
        let with = |member: &str| format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],{member}}}"#);
        let cases = [
            ("".to_owned(), "empty_body", None),
            ("[]".to_owned(), "invalid_type", None),
            ("{".to_owned(), "invalid_json", None),
            (r#"{"messages":[{"content":"x"}]}"#.to_owned(), "missing_required_parameter", Some("model")),
            (r#"{"model":"m"}"#.to_owned(), "missing_required_parameter", Some("messages")),
            (r#"{"model":"m","messages":[]}"#.to_owned(), "empty_array", Some("messages")),
            (r#"{"model":" ","messages":[]}"#.to_owned(), "missing_required_parameter", Some("model")),
            (r#"{"model":"m","messages":[{"content":1}]}"#.to_owned(), "invalid_type", Some("messages[0].content")),
            (r#"{"model":"m","messages":["x"]}"#.to_owned(), "invalid_type", Some("messages[0]")),
            (with(r#""max_tokens":"1""#), "invalid_type", Some("max_tokens")),
            (with(r#""max_tokens":1.5"#), "invalid_value", Some("max_tokens")),
            (with(r#""max_tokens":1,"max_tokens":9"#), "duplicate_parameter", Some("max_tokens")),
            (with(r#""model":"n""#), "duplicate_parameter", Some("model")),
            (with(r#""metadata":{"user_id":"a","user_id":"b"}"#), "duplicate_parameter", Some("metadata.user_id")),
            (with(r#""stream":1"#), "invalid_type", Some("stream")),
            (with(r#""system":7"#), "invalid_type", Some("system")),
            (with(r#""output_config":[]"#), "invalid_type", Some("output_config")),
        ];
        for (body, code, param) in cases {
            let bad = refused(&body);
            assert_eq!((bad.code, bad.param.as_deref()), (code, param), "{body}");
        }
    }

    #[test]
    fn names_have_a_longest() {
        let body = |model: usize, user: usize| {
            let (model, user) = ("m".repeat(model), "u".repeat(user));
            format!(r#"{{"model":"{model}","messages":[{{"content":"x"}}],"metadata":{{"user_id":"{user}"}}}}"#)
        };
        assert!(scan(body(MAX_MODEL_NAME, MAX_USER).as_bytes(), Wants::default()).is_ok());
        assert_eq!(refused(&body(MAX_MODEL_NAME + 1, 1)).param.as_deref(), Some("model"));
        assert_eq!(refused(&body(1, MAX_USER + 1)).param.as_deref(), Some("metadata.user_id"));
    }
}
