//! What a Chat Completions request says, found in one pass.
//!
//! In: a body. Out: [`Scan`], or [`BadBody`] with a message for the caller. Must not know: policies, tokens.
//!
//! Only fields that a decision needs are checked. Everything else is the provider's to judge and goes through byte for byte.

use crate::dialect::bad_body::BadBody;
use crate::dialect::pass::{self, skip, string};
pub(super) use crate::dialect::pass::{Step, Stop, flag, number, whole};
use crate::dialect::scan::{Modalities, Scan, Wants, add_text};
use crate::json::{Cursor, Kind};

/// What no request can do without.
pub(super) const NEEDS: &str = "\"model\" and \"messages\"";

/// Reads what a decision needs.
///
/// # Errors
/// [`BadBody`] for everything that is not one JSON object with a model and messages of the right types.
pub fn scan(body: &[u8], wants: Wants) -> Result<Scan, BadBody> {
    let mut scanner = Scanner { wants, scan: Scan::empty() };
    let first_member =
        pass::members(body, NEEDS, &FIELDS, |cursor, key, kind| scanner.member(cursor, &key.decode(), kind))?;
    Scan { first_member, ..scanner.scan }.complete("messages")
}

/// Fields that are read.
const FIELDS: [&str; 12] = [
    "model",
    "stream",
    "messages",
    "stream_options",
    "tools",
    "functions",
    "response_format",
    "max_tokens",
    "max_completion_tokens",
    "n",
    "user",
    "metadata",
];

struct Scanner {
    wants: Wants,
    scan: Scan,
}

impl Scanner {
    fn member(&mut self, cursor: &mut Cursor<'_>, name: &str, kind: Kind) -> Step {
        if kind == Kind::Null && !matches!(name, "model" | "messages" | "max_tokens" | "max_completion_tokens") {
            return skip(cursor);
        }
        match name {
            "model" => self.scan.take_model(cursor, kind),
            "messages" => self.messages(cursor, kind),
            "stream" => flag(cursor, kind, name).map(|on| self.scan.stream = on),
            "stream_options" => self.stream_options(cursor, kind),
            "tools" => self.scan.take_tools(cursor, kind, name).map(|span| self.scan.demand.tools = span),
            "functions" => self.scan.take_tools(cursor, kind, name).map(|span| self.scan.demand.functions = span),
            "response_format" => self.response_format(cursor, kind),
            "n" => number(cursor, kind, name).map(|n| self.scan.choices = n.max(1)),
            "user" => {
                let user = string(cursor, kind, name)?;
                Ok(self.scan.name_user(&user.decode(), name)?)
            }
            "metadata" => self.scan.take_metadata(cursor, kind, self.wants),
            "max_tokens" | "max_completion_tokens" => {
                self.scan.take_cap(cursor, kind, |cursor| number(cursor, kind, name))
            }
            _ => skip(cursor),
        }
    }

    fn messages(&mut self, cursor: &mut Cursor<'_>, kind: Kind) -> Step {
        if kind != Kind::Array {
            return Err(BadBody::wrong_type("messages", "an array of messages", kind).into());
        }
        let mut count = 0;
        cursor.items(|cursor| {
            let kind = cursor.kind()?;
            if kind != Kind::Object {
                return Err(BadBody::wrong_type(format_args!("messages[{count}]"), "an object", kind).into());
            }
            cursor.members(|cursor, key| self.message_member(cursor, &key.decode(), count))?;
            count += 1;
            Ok::<(), Stop>(())
        })?;
        if count == 0 {
            let message = "'messages' is empty. Send at least one message.";
            return Err(BadBody::at("messages", "empty_array", message).into());
        }
        self.scan.messages = count;
        Ok(())
    }

    fn message_member(&mut self, cursor: &mut Cursor<'_>, key: &str, index: u64) -> Step {
        let kind = cursor.kind()?;
        match (key, kind) {
            ("content", Kind::String) => {
                self.scan.modalities.text = true;
                self.scan.take_text(cursor)
            }
            ("content", Kind::Array) => cursor.items(|cursor| self.part(cursor, index)),
            ("content", Kind::Null) => skip(cursor),
            ("content", found) => {
                let wanted = "a string or an array of content parts";
                Err(BadBody::wrong_type(format_args!("messages[{index}].content"), wanted, found).into())
            }
            ("name" | "refusal", Kind::String) => self.scan.take_text(cursor),
            ("tool_calls", Kind::Array) => cursor.items(|cursor| self.call(cursor)),
            ("function_call", Kind::Object) => self.function(cursor),
            _ => skip(cursor),
        }
    }

    fn part(&mut self, cursor: &mut Cursor<'_>, index: u64) -> Step {
        let kind = cursor.kind()?;
        if kind == Kind::String {
            self.scan.modalities.text = true;
            return self.scan.take_text(cursor);
        }
        if kind != Kind::Object {
            let param = format!("messages[{index}].content");
            return Err(BadBody::wrong_type(param, "an array of objects", kind).into());
        }
        let modalities = &mut self.scan.modalities;
        let text = &mut self.scan.text;
        cursor.members(|cursor, key| {
            let key = key.decode();
            match (&*key, cursor.kind()?) {
                ("text" | "refusal", Kind::String) => {
                    modalities.text = true;
                    return Ok(add_text(text, cursor.passage()?)?);
                }
                ("type", Kind::String) => add_modality(modalities, &cursor.string()?.decode()),
                (name, _) => {
                    add_modality(modalities, name);
                    cursor.skip()?;
                }
            }
            Ok::<(), Stop>(())
        })
    }

    fn call(&mut self, cursor: &mut Cursor<'_>) -> Step {
        if cursor.kind()? != Kind::Object {
            cursor.skip()?;
            return Ok(());
        }
        cursor.members(|cursor, key| match (&*key.decode(), cursor.kind()?) {
            ("function" | "custom", Kind::Object) => self.function(cursor),
            _ => skip(cursor),
        })
    }

    fn function(&mut self, cursor: &mut Cursor<'_>) -> Step {
        cursor.members(|cursor, key| match (&*key.decode(), cursor.kind()?) {
            ("name" | "arguments" | "input", Kind::String) => self.scan.take_text(cursor),
            _ => skip(cursor),
        })
    }

    fn stream_options(&mut self, cursor: &mut Cursor<'_>, kind: Kind) -> Step {
        if kind != Kind::Object {
            return Err(BadBody::wrong_type("stream_options", "an object", kind).into());
        }
        cursor.members(|cursor, key| match (&*key.decode(), cursor.kind()?) {
            ("include_usage", Kind::Null) => skip(cursor),
            ("include_usage", kind) => {
                flag(cursor, kind, "stream_options.include_usage").map(|on| self.scan.include_usage = on)
            }
            _ => skip(cursor),
        })
    }

    fn response_format(&mut self, cursor: &mut Cursor<'_>, kind: Kind) -> Step {
        if kind != Kind::Object {
            return Err(BadBody::wrong_type("response_format", "an object", kind).into());
        }
        let mut schema = None;
        cursor.members::<Stop>(|cursor, key| {
            match (&*key.decode(), cursor.kind()?) {
                ("type", Kind::String) => self.scan.json_schema |= cursor.string()?.decode() == "json_schema",
                ("json_schema", Kind::Object) => {
                    let span = cursor.skip()?;
                    schema = Some(span);
                    self.scan.as_written(span)?;
                }
                _ => {
                    cursor.skip()?;
                }
            }
            Ok(())
        })?;
        self.scan.demand.format = schema.filter(|_| self.scan.json_schema);
        Ok(())
    }
}

/// By the type of a content part, or by the field that carries its content.
fn add_modality(modalities: &mut Modalities, word: &str) {
    match word {
        "text" => modalities.text = true,
        "image_url" | "input_image" | "image" => modalities.image = true,
        "input_audio" | "audio_url" => modalities.audio = true,
        "video_url" | "input_video" => modalities.video = true,
        "file" | "input_file" => modalities.file = true,
        _ => {}
    }
}
