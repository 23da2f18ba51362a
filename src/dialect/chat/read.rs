//! A Chat Completions request, every field of it, in nobody's words.
//!
//! In: a body. Out: a [`Conversation`], or [`BadBody`] with a message for the caller. Must not know: targets.
//!
//! Fields: the types of the `openai` Python package 3.54.0, and what servers of open models add (`top_k`, `reasoning_content`,
//! `video_url`), read 2026-11-22. `null` asks for nothing.

use super::request::{NEEDS, Step, Stop, flag, number, whole};
use super::{tools, turn};
use crate::dialect::Dialect;
use crate::dialect::bad_body::BadBody;
use crate::dialect::canonical::{Conversation, Effort, Fate, Format, Logprobs, Thinking};
use crate::json::{Cursor, Kind, Quoted, Raw, Text};

/// Reads everything that a request says.
///
/// # Errors
/// [`BadBody`] for what is no request at all, and for histories that no provider could make sense of.
pub fn conversation(body: &[u8]) -> Result<Conversation<'_>, BadBody> {
    let mut reader = Reader {
        conversation: Conversation::empty(Dialect::Chat),
        seen: 0,
        calls: turn::Calls::default(),
        safety_identifier: None,
        logprobs: false,
        top_logprobs: None,
    };
    whole(body, NEEDS, |cursor| cursor.members(|cursor, key| reader.member(cursor, key)))?;
    reader.complete()
}

/// Fields that have a place in a conversation.
const FIELDS: [&str; 26] = [
    "model",
    "messages",
    "tools",
    "functions",
    "tool_choice",
    "function_call",
    "parallel_tool_calls",
    "response_format",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "top_k",
    "frequency_penalty",
    "presence_penalty",
    "seed",
    "stop",
    "n",
    "reasoning_effort",
    "verbosity",
    "logprobs",
    "top_logprobs",
    "user",
    "safety_identifier",
    "stream",
    "stream_options",
];

/// Fields that have none: what becomes of them elsewhere (dialects.md, section 7), and the values that ask for nothing.
const EXTRAS: [(&str, Fate, &[&str]); 12] = [
    ("audio", Fate::Refused, &[]),
    ("logit_bias", Fate::Dropped, &["{}"]),
    ("metadata", Fate::Silent, &[]),
    ("modalities", Fate::Refused, &["[\"text\"]"]),
    ("moderation", Fate::Refused, &[]),
    ("prediction", Fate::Dropped, &[]),
    ("prompt_cache_key", Fate::Silent, &[]),
    ("prompt_cache_options", Fate::Silent, &[]),
    ("prompt_cache_retention", Fate::Silent, &[]),
    ("service_tier", Fate::Dropped, &["\"auto\"", "\"default\""]),
    ("store", Fate::Dropped, &["false"]),
    ("web_search_options", Fate::Refused, &[]),
];

struct Reader<'a> {
    conversation: Conversation<'a>,
    seen: u32,
    calls: turn::Calls<'a>,
    safety_identifier: Option<Quoted<'a>>,
    logprobs: bool,
    top_logprobs: Option<u64>,
}

impl<'a> Reader<'a> {
    fn member(&mut self, cursor: &mut Cursor<'a>, key: Text<'a>) -> Step {
        let name = key.decode();
        let kind = cursor.kind()?;
        let Some(field) = FIELDS.iter().position(|field| **field == *name) else {
            let value = cursor.raw()?;
            if kind != Kind::Null {
                self.extra(&name, &value);
            }
            return Ok(());
        };
        if self.seen & 1 << field != 0 {
            return Err(BadBody::twice(&name).into());
        }
        self.seen |= 1 << field;
        match (kind, &*name) {
            (Kind::Null, "model" | "messages") => self.field(cursor, &name, kind),
            (Kind::Null, _) => Ok(cursor.skip().map(|_| ())?),
            _ => self.field(cursor, &name, kind),
        }
    }

    fn extra(&mut self, name: &str, value: &Raw<'_>) {
        let (fate, harmless) =
            EXTRAS.iter().find(|(known, ..)| *known == name).map_or((Fate::Refused, &[][..]), |row| (row.1, row.2));
        if !harmless.iter().any(|nothing| same(&value.0, nothing)) {
            self.conversation.extra(name.to_owned(), fate);
        }
    }

    fn field(&mut self, cursor: &mut Cursor<'a>, name: &str, kind: Kind) -> Step {
        let conversation = &mut self.conversation;
        let sampling = &mut conversation.sampling;
        match name {
            "model" => conversation.model = string(cursor, kind, name)?,
            "messages" => return self.messages(cursor, kind),
            "tools" => return tools::list(cursor, kind, conversation),
            "functions" => return tools::functions(cursor, kind, conversation),
            "tool_choice" => return tools::choice(cursor, kind, conversation),
            "function_call" => return tools::legacy_choice(cursor, kind, conversation),
            "parallel_tool_calls" => conversation.one_call = !flag(cursor, kind, name)?,
            "response_format" => return self.format(cursor, kind),
            "max_tokens" | "max_completion_tokens" => {
                let cap = number(cursor, kind, name)?;
                conversation.max_output = Some(conversation.max_output.map_or(cap, |other| other.min(cap)));
            }
            "temperature" => sampling.temperature = Some(numeral(cursor, kind, name)?),
            "top_p" => sampling.top_p = Some(numeral(cursor, kind, name)?),
            "top_k" => sampling.top_k = Some(numeral(cursor, kind, name)?),
            "frequency_penalty" => sampling.frequency_penalty = Some(numeral(cursor, kind, name)?),
            "presence_penalty" => sampling.presence_penalty = Some(numeral(cursor, kind, name)?),
            "seed" => sampling.seed = Some(numeral(cursor, kind, name)?),
            "stop" => return self.stop(cursor, kind),
            "n" => conversation.choices = number(cursor, kind, name)?.max(1),
            "reasoning_effort" => {
                let word = string(cursor, kind, name)?;
                match Effort::from_word(&word.decode()) {
                    Some(effort) => conversation.thinking = Some(Thinking::Effort(effort)),
                    None => conversation.extra(name.to_owned(), Fate::Refused),
                }
            }
            "verbosity" => conversation.verbosity = Some(string(cursor, kind, name)?),
            "logprobs" => self.logprobs = flag(cursor, kind, name)?,
            "top_logprobs" => self.top_logprobs = Some(number(cursor, kind, name)?),
            "user" => conversation.user = Some(string(cursor, kind, name)?),
            "safety_identifier" => self.safety_identifier = Some(string(cursor, kind, name)?),
            "stream" => conversation.stream = flag(cursor, kind, name)?,
            _ => return self.stream_options(cursor, kind),
        }
        Ok(())
    }

    fn messages(&mut self, cursor: &mut Cursor<'a>, kind: Kind) -> Step {
        if kind != Kind::Array {
            return Err(BadBody::wrong_type("messages", "an array of messages", kind).into());
        }
        let mut at = 0;
        cursor.items(|cursor| {
            turn::read(cursor, at, &mut self.conversation, &mut self.calls)?;
            at += 1;
            Ok::<(), Stop>(())
        })?;
        if at == 0 {
            let message = "'messages' is empty. Send at least one message.";
            return Err(BadBody::at("messages", "empty_array", message).into());
        }
        Ok(())
    }

    fn format(&mut self, cursor: &mut Cursor<'a>, kind: Kind) -> Step {
        object(kind, "response_format")?;
        let (mut word, mut shape) = (None, None);
        cursor.members::<Stop>(|cursor, key| {
            let name = key.decode();
            match (&*name, cursor.kind()?) {
                (_, Kind::Null) => drop(cursor.skip()?),
                ("type", kind) => word = Some(string(cursor, kind, "response_format.type")?.decode().into_owned()),
                ("json_schema", kind) => shape = Some(self.schema(cursor, kind)?),
                _ => {
                    cursor.skip()?;
                    self.conversation.extra(format!("response_format.{name}"), Fate::Refused);
                }
            }
            Ok(())
        })?;
        self.conversation.format = match word.as_deref() {
            None => return Err(BadBody::missing("response_format.type").into()),
            Some("text") => Some(Format::Text),
            Some("json_object") => Some(Format::JsonObject),
            Some("json_schema") => Some(shape.ok_or_else(|| BadBody::missing("response_format.json_schema"))?),
            // `grammar` and other words of single servers.
            Some(_) => {
                self.conversation.extra("response_format", Fate::Refused);
                None
            }
        };
        Ok(())
    }

    fn schema(&mut self, cursor: &mut Cursor<'a>, kind: Kind) -> Result<Format<'a>, Stop> {
        const AT: &str = "response_format.json_schema";
        object(kind, AT)?;
        let (mut name, mut description, mut strict) = (None, None, None);
        let mut schema = Raw("{}".into());
        cursor.members::<Stop>(|cursor, key| {
            let member = key.decode();
            let param = || format!("{AT}.{member}");
            match (&*member, cursor.kind()?) {
                (_, Kind::Null) => drop(cursor.skip()?),
                ("name", kind) => name = Some(string(cursor, kind, &param())?),
                ("description", kind) => description = Some(string(cursor, kind, &param())?),
                ("schema", kind) => {
                    object(kind, &param())?;
                    schema = cursor.raw()?;
                }
                ("strict", kind) => strict = Some(flag(cursor, kind, &param())?),
                _ => {
                    cursor.skip()?;
                    self.conversation.extra(param(), Fate::Refused);
                }
            }
            Ok(())
        })?;
        Ok(Format::Schema { name, description, schema, strict })
    }

    fn stop(&mut self, cursor: &mut Cursor<'a>, kind: Kind) -> Step {
        match kind {
            Kind::String => self.conversation.stop.push(cursor.string()?.into()),
            Kind::Array => cursor.items(|cursor| {
                let kind = cursor.kind()?;
                self.conversation.stop.push(string(cursor, kind, "stop")?);
                Ok::<(), Stop>(())
            })?,
            found => return Err(BadBody::wrong_type("stop", "a string or an array of strings", found).into()),
        }
        Ok(())
    }

    fn stream_options(&mut self, cursor: &mut Cursor<'a>, kind: Kind) -> Step {
        object(kind, "stream_options")?;
        cursor.members::<Stop>(|cursor, key| {
            let name = key.decode();
            match (&*name, cursor.kind()?) {
                (_, Kind::Null) => drop(cursor.skip()?),
                ("include_usage", kind) => {
                    self.conversation.include_usage = flag(cursor, kind, "stream_options.include_usage")?;
                }
                // Padding against those who measure packets: nobody has to send it.
                ("include_obfuscation", _) => drop(cursor.skip()?),
                _ => {
                    cursor.skip()?;
                    self.conversation.extra(format!("stream_options.{name}"), Fate::Refused);
                }
            }
            Ok(())
        })
    }

    fn complete(mut self) -> Result<Conversation<'a>, BadBody> {
        let has =
            |field: &str| FIELDS.iter().position(|known| *known == field).is_some_and(|at| self.seen & 1 << at != 0);
        if let Some(missing) = ["model", "messages"].into_iter().find(|field| !has(field)) {
            return Err(BadBody::missing(missing));
        }
        self.conversation.user = self.safety_identifier.or(self.conversation.user);
        let top = self.top_logprobs.filter(|top| *top > 0);
        if self.logprobs {
            self.conversation.logprobs = Some(Logprobs { param: "logprobs".into(), top });
        } else if top.is_some() {
            let message = "'top_logprobs' is of use only with 'logprobs': true.";
            return Err(BadBody::at("top_logprobs", "invalid_value", message));
        }
        Ok(self.conversation)
    }
}

/// Whether a value is written like this, space between tokens aside.
fn same(value: &str, compact: &str) -> bool {
    value.bytes().filter(|byte| !byte.is_ascii_whitespace()).eq(compact.bytes())
}

/// Takes a string; anything else is the caller's mistake.
pub(super) fn string<'a>(cursor: &mut Cursor<'a>, kind: Kind, param: &str) -> Result<Quoted<'a>, Stop> {
    if kind != Kind::String {
        return Err(BadBody::wrong_type(param, "a string", kind).into());
    }
    Ok(cursor.string()?.into())
}

/// Takes a number as it is written.
fn numeral<'a>(cursor: &mut Cursor<'a>, kind: Kind, param: &str) -> Result<Raw<'a>, Stop> {
    if kind != Kind::Number {
        return Err(BadBody::wrong_type(param, "a number", kind).into());
    }
    Ok(cursor.raw()?)
}

/// The next value must be an object.
pub(super) fn object(kind: Kind, param: &str) -> Step {
    if kind != Kind::Object {
        return Err(BadBody::wrong_type(param, "an object", kind).into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::canonical::{MediaKind, Part, Role, Source, ToolMode};

    fn read(body: &str) -> Conversation<'_> {
        conversation(body.as_bytes()).unwrap()
    }

    fn refused(members: &str) -> BadBody {
        let body = format!(r#"{{"model":"m",{members}}}"#);
        conversation(body.as_bytes()).unwrap_err()
    }

    fn extras(members: &str) -> Vec<(String, Fate)> {
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],{members}}}"#);
        read(&body).extras.into_iter().map(|extra| (extra.param.into_owned(), extra.fate)).collect()
    }

    #[test]
    fn the_older_names_of_tools_mean_the_same() {
        let conversation = read(
            r#"{"model":"m","messages":[{"role":"user","content":"x"},
                {"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{\"a\":1}"}},
                {"role":"function","name":"f","content":"2"}],
                "functions":[{"name":"f","parameters":{"type":"object"}}],"function_call":{"name":"f"}}"#,
        );
        let choice = conversation.tool_choice.unwrap();
        assert_eq!((choice.mode, choice.only), (ToolMode::Required, vec![Quoted::of("f")]));
        assert_eq!(conversation.tools[0].schema.as_ref().unwrap().0, r#"{"type":"object"}"#);
        let Part::Call(call) = &conversation.turns[1].blocks[0].part else { panic!() };
        let Part::Result(result) = &conversation.turns[2].blocks[0].part else { panic!() };
        assert_eq!((&call.id, &*call.arguments.0), (&result.id, r#"{"a":1}"#));
        assert_eq!(result.name, Some(Quoted::of("f")));
    }

    #[test]
    fn instructions_stand_before_the_first_turn_and_in_place_after_it() {
        let conversation = read(
            r#"{"model":"m","messages":[{"role":"developer","content":"a"},{"role":"system","content":[{"type":"text","text":"b"}]},
                {"role":"user","content":"x"},{"role":"system","content":"c"}]}"#,
        );
        assert_eq!(conversation.system.len(), 2);
        assert_eq!(conversation.turns.iter().map(|turn| turn.role).collect::<Vec<_>>(), [Role::User, Role::System]);
    }

    #[test]
    fn what_is_in_a_data_url_is_inline_and_a_url_is_not() {
        let conversation = read(
            r#"{"model":"m","messages":[{"role":"user","content":[
                {"type":"image_url","image_url":{"url":"data:image\/PNG;base64,AA\/B==","detail":"low"}},
                {"type":"image_url","image_url":{"url":"https://a/b.png"}},
                {"type":"input_audio","input_audio":{"data":"AA==","format":"mp3"}},
                {"type":"file","file":{"file_data":"data:application/pdf;base64,AA==","filename":"a.pdf"}},
                {"type":"file","file":{"file_id":"file-1"}}]}]}"#,
        );
        let media: Vec<_> = conversation.turns[0]
            .blocks
            .iter()
            .map(|block| match &block.part {
                Part::Media(media) => media,
                other => panic!("{other:?}"),
            })
            .collect();
        let Source::Inline { mime, data } = &media[0].source else { panic!() };
        assert_eq!(
            (&**mime, &*data.decode(), &*media[0].detail.as_ref().unwrap().decode()),
            ("image/png", "AA/B==", "low")
        );
        assert_eq!(media[1].source, Source::Url(Quoted::of("https://a/b.png")));
        assert!(matches!(&media[2].source, Source::Inline { mime, .. } if mime == "audio/mpeg"));
        assert_eq!((media[3].kind, &media[3].name), (MediaKind::Document, &Some(Quoted::of("a.pdf"))));
        assert_eq!(media[4].source, Source::File(Quoted::of("file-1")));
    }

    #[test]
    fn what_no_other_dialect_has_is_an_extra_with_its_fate() {
        assert_eq!(
            extras(
                r#""logprobs":false,"top_logprobs":0,"store":false,"verbosity":"medium","service_tier":"auto","modalities":[ "text" ],"logit_bias":{},"brand_new":null"#
            ),
            []
        );
        let one = |members: &str| extras(members).remove(0).1;
        assert_eq!(one(r#""metadata":{"a":"b"}"#), Fate::Silent);
        assert_eq!(one(r#""store":true"#), Fate::Dropped);
        assert_eq!(one(r#""modalities":["audio"]"#), Fate::Refused);
        assert_eq!(one(r#""brand_new":1"#), Fate::Refused);
        assert_eq!(one(r#""reasoning_effort":"colossal""#), Fate::Refused);
        assert_eq!(extras(r#""tools":[{"type":"custom","custom":{"name":"x"}}]"#)[0].0, "tools[0]");
        assert_eq!(extras(r#""tool_choice":{"type":"custom","custom":{"name":"x"}}"#)[0].0, "tool_choice");
    }

    #[test]
    fn a_history_that_makes_no_sense_is_refused_with_its_place() {
        let at = |members: &str| refused(members).param.unwrap();
        assert_eq!(at(r#""messages":[]"#), "messages");
        assert_eq!(at(r#""messages":[{"content":"x"}]"#), "messages[0].role");
        assert_eq!(at(r#""messages":[{"role":"robot","content":"x"}]"#), "messages[0].role");
        assert_eq!(at(r#""messages":[{"role":"tool","content":"x"}]"#), "messages[0].tool_call_id");
        assert_eq!(at(r#""messages":[{"role":"tool","tool_call_id":"a","content":"x"}]"#), "messages[0].tool_call_id");
        let call =
            r#""messages":[{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":"{"}}]}]"#;
        assert_eq!(at(call), "messages[0].tool_calls[0].function.arguments");
        assert_eq!(
            at(
                r#""messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png,abc"}}]}]"#
            ),
            "messages[0].content[0].image_url"
        );
        assert_eq!(refused(r#""messages":[{"role":"user"}],"n":1,"n":2"#).code, "duplicate_parameter");
        assert_eq!(at(r#""stream":false"#), "messages");
    }
}
