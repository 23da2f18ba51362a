//! What a Chat Completions request says, found in one pass.
//!
//! In: a body. Out: [`Scan`], or [`BadBody`] with a message for the caller. Must not know: policies, tokens.
//!
//! Only fields that a decision needs are checked. Everything else is the provider's to judge and goes through byte for byte.

use crate::dialect::bad_body::BadBody;
use crate::dialect::json::{Cursor, Kind, Passage, Span, Text};
pub(super) use crate::dialect::pass::{Step, Stop, flag, number, whole};
use crate::dialect::scan::{Cap, MAX_USER, Modalities, Scan, Wants, add_metadata, add_text, model_name};

/// What no request can do without.
pub(super) const NEEDS: &str = "\"model\" and \"messages\"";

/// Reads what a decision needs.
///
/// # Errors
/// [`BadBody`] for everything that is not one JSON object with a model and messages of the right types.
pub fn scan(body: &[u8], wants: Wants) -> Result<Scan, BadBody> {
    let mut scanner = Scanner::new(wants);
    whole(body, NEEDS, |cursor| {
        scanner.scan.first_member = cursor.offset() + 1;
        cursor.members(|cursor, key| scanner.member(cursor, key))
    })?;
    scanner.complete()
}

/// Fields that are read. Each may stand in the body once: readers disagree on which of two counts, so a second one could
/// hide from the policy what the provider will see.
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
    seen: u16,
    model: Option<(Box<str>, Span)>,
    messages: Option<u64>,
    scan: Scan,
}

impl Scanner {
    fn new(wants: Wants) -> Self {
        Self { wants, seen: 0, model: None, messages: None, scan: Scan::empty() }
    }

    fn complete(self) -> Result<Scan, BadBody> {
        let Some((model, model_value)) = self.model else {
            return Err(BadBody::missing("model"));
        };
        let messages = self.messages.ok_or_else(|| BadBody::missing("messages"))?;
        let max_output = self.scan.caps.iter().filter_map(|cap| cap.value).min();
        Ok(Scan { model, model_value, messages, max_output, ..self.scan })
    }

    fn member(&mut self, cursor: &mut Cursor<'_>, key: Text<'_>) -> Step {
        let name = key.decode();
        let Some(field) = FIELDS.iter().position(|field| **field == *name) else {
            cursor.skip()?;
            return Ok(());
        };
        if self.seen & 1 << field != 0 {
            return Err(BadBody::twice(&name).into());
        }
        self.seen |= 1 << field;
        let kind = cursor.kind()?;
        if kind == Kind::Null && !matches!(&*name, "model" | "messages" | "max_tokens" | "max_completion_tokens") {
            cursor.skip()?;
            return Ok(());
        }
        match &*name {
            "model" => self.model(cursor, kind),
            "messages" => self.messages(cursor, kind),
            "stream" => flag(cursor, kind, "stream").map(|on| self.scan.stream = on),
            "stream_options" => self.stream_options(cursor, kind),
            "tools" | "functions" => self.tools(cursor, kind, &name),
            "response_format" => self.response_format(cursor, kind),
            "n" => number(cursor, kind, "n").map(|n| self.scan.choices = n.max(1)),
            "user" => self.user(cursor, kind),
            "metadata" => self.metadata(cursor, kind),
            cap => self.cap(cursor, kind, cap),
        }
    }

    fn model(&mut self, cursor: &mut Cursor<'_>, kind: Kind) -> Step {
        if kind != Kind::String {
            return Err(BadBody::wrong_type("model", "a string", kind).into());
        }
        let text = cursor.string()?;
        self.model = Some((model_name(&text.decode())?, text.quoted()));
        Ok(())
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
        self.messages = Some(count);
        Ok(())
    }

    fn message_member(&mut self, cursor: &mut Cursor<'_>, key: &str, index: u64) -> Step {
        let kind = cursor.kind()?;
        match (key, kind) {
            ("content", Kind::String) => {
                self.scan.modalities.text = true;
                self.passage(cursor)
            }
            ("content", Kind::Array) => cursor.items(|cursor| self.part(cursor, index)),
            ("content", Kind::Null) => Ok(cursor.skip().map(|_| ())?),
            ("content", found) => {
                let wanted = "a string or an array of content parts";
                Err(BadBody::wrong_type(format_args!("messages[{index}].content"), wanted, found).into())
            }
            ("name" | "refusal", Kind::String) => self.passage(cursor),
            ("tool_calls", Kind::Array) => cursor.items(|cursor| self.call(cursor)),
            ("function_call", Kind::Object) => self.function(cursor),
            _ => Ok(cursor.skip().map(|_| ())?),
        }
    }

    fn part(&mut self, cursor: &mut Cursor<'_>, index: u64) -> Step {
        let kind = cursor.kind()?;
        if kind == Kind::String {
            self.scan.modalities.text = true;
            return self.passage(cursor);
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
            _ => Ok(cursor.skip().map(|_| ())?),
        })
    }

    fn function(&mut self, cursor: &mut Cursor<'_>) -> Step {
        cursor.members(|cursor, key| match (&*key.decode(), cursor.kind()?) {
            ("name" | "arguments" | "input", Kind::String) => self.passage(cursor),
            _ => Ok(cursor.skip().map(|_| ())?),
        })
    }

    fn passage(&mut self, cursor: &mut Cursor<'_>) -> Step {
        Ok(add_text(&mut self.scan.text, cursor.passage()?)?)
    }

    fn stream_options(&mut self, cursor: &mut Cursor<'_>, kind: Kind) -> Step {
        if kind != Kind::Object {
            return Err(BadBody::wrong_type("stream_options", "an object", kind).into());
        }
        cursor.members(|cursor, key| match (&*key.decode(), cursor.kind()?) {
            ("include_usage", Kind::Null) => Ok(cursor.skip().map(|_| ())?),
            ("include_usage", kind) => {
                flag(cursor, kind, "stream_options.include_usage").map(|on| self.scan.include_usage = on)
            }
            _ => Ok(cursor.skip().map(|_| ())?),
        })
    }

    fn tools(&mut self, cursor: &mut Cursor<'_>, kind: Kind, name: &str) -> Step {
        if kind != Kind::Array {
            return Err(BadBody::wrong_type(name, "an array", kind).into());
        }
        let start = cursor.offset();
        let mut any = false;
        cursor.items(|cursor| {
            any = true;
            cursor.skip().map(|_| ())
        })?;
        if any {
            self.scan.tools = true;
            let span = Span { start, end: cursor.taken() };
            let demand = &mut self.scan.demand;
            *(if name == "tools" { &mut demand.tools } else { &mut demand.functions }) = Some(span);
            self.as_written(span)?;
        }
        Ok(())
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
                    self.as_written(span)?;
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

    /// Definitions reach the model in a form that providers do not document; their JSON is the nearest thing there is.
    fn as_written(&mut self, span: Span) -> Result<(), BadBody> {
        add_text(&mut self.scan.text, Passage { span, escaped: false })
    }

    fn cap(&mut self, cursor: &mut Cursor<'_>, kind: Kind, name: &str) -> Step {
        let start = cursor.offset();
        let value = match kind {
            Kind::Null => cursor.skip().map(|_| None)?,
            _ => Some(number(cursor, kind, name)?),
        };
        self.scan.caps.push(Cap { value, span: Span { start, end: cursor.taken() } });
        Ok(())
    }

    fn user(&mut self, cursor: &mut Cursor<'_>, kind: Kind) -> Step {
        if kind != Kind::String {
            return Err(BadBody::wrong_type("user", "a string", kind).into());
        }
        let user = cursor.string()?.decode();
        if user.len() > MAX_USER {
            let message = format!("'user' must be at most {MAX_USER} bytes long.");
            return Err(BadBody::at("user", "invalid_value", message).into());
        }
        self.scan.user = Some(user.into());
        Ok(())
    }

    fn metadata(&mut self, cursor: &mut Cursor<'_>, kind: Kind) -> Step {
        if !self.wants.metadata {
            cursor.skip()?;
            return Ok(());
        }
        if kind != Kind::Object {
            return Err(BadBody::wrong_type("metadata", "an object", kind).into());
        }
        let metadata = &mut self.scan.metadata;
        cursor.members(|cursor, key| {
            let Some(value) = cursor.string_or_skip()? else { return Ok(()) };
            add_metadata(metadata, &key.decode(), &value.decode())?;
            Ok::<(), Stop>(())
        })
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
