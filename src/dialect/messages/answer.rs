//! A complete Messages answer, read and written.
//!
//! In: the body of a 200; an answer in nobody's words. Out: the other of the two. Must not know: what happens next.

use super::counts::Counts;
use super::ids;
use crate::dialect::canonical::{Completion, Finish, Part, Reply, ToolCall};
use crate::dialect::chat::answer::estimated_tokens;
use crate::dialect::upstream_error::UpstreamError;
use crate::failure::Failure;
use crate::json::write::{Object, object};
use crate::json::{Cursor, JsonError, Kind, Quoted, Raw};
use crate::usage::Usage;

/// Reads a whole body.
///
/// # Errors
/// A body that is no JSON is [`Failure::Network`]: it broke off, or something else than the provider answered. An error under
/// status 200 is what it says.
pub fn read(body: &[u8]) -> Result<Completion<'_>, UpstreamError> {
    let mut answer = Completion::default();
    let (mut failed, mut end, mut counts) = (false, Stopped::default(), Counts::default());
    let outcome = Cursor::new(body).and_then(|mut cursor| {
        cursor.members(|cursor, key| {
            match (key.raw, cursor.kind()?) {
                ("type", Kind::String) => failed |= cursor.string()?.raw == "error",
                ("error", Kind::Object) => failed |= cursor.skip()?.len() > 2,
                ("id", Kind::String) => answer.id = Some(cursor.string()?.into()),
                ("model", Kind::String) => answer.model = Some(cursor.string()?.into()),
                ("content", Kind::Array) => cursor.items(|cursor| block(cursor, &mut answer.parts))?,
                ("usage", Kind::Object) => counts.read(cursor)?,
                (name, _) => end.member(cursor, name)?,
            }
            Ok(())
        })?;
        cursor.finish()
    });
    if let Err(error) = outcome {
        let message = format!("status 200, but the body is no JSON object: {}", error.describe(body));
        return Err(UpstreamError::bare(Failure::Network, &message));
    }
    if failed {
        return Err(UpstreamError::in_band(body));
    }
    answer.finish = end.finish(answer.parts.iter().any(|part| !matches!(part, Part::Thinking(_))));
    if let Some(words) = end.explanation.filter(|_| answer.finish == Some(Finish::Refused)) {
        answer.parts.push(Part::Refusal(words));
    }
    answer.stop_sequence = end.sequence;
    answer.usage = counts.usage();
    Ok(answer)
}

/// One block of content. What the provider's own tools did is no content for another dialect.
fn block<'a>(cursor: &mut Cursor<'a>, parts: &mut Vec<Part<'a>>) -> Result<(), JsonError> {
    let block = BlockRead::read(cursor)?;
    match &*block.kind.unwrap_or_default().decode() {
        "text" => parts.push(Part::Text(block.text)),
        "thinking" => parts.push(Part::Thinking(block.thinking)),
        "tool_use" => {
            let arguments = block.input.unwrap_or(Raw("{}".into()));
            parts.push(Part::Call(ToolCall { id: block.id, name: block.name, arguments }));
        }
        _ => {}
    }
    Ok(())
}

/// The members of a content block that mean something, whatever its type.
#[derive(Default)]
pub(super) struct BlockRead<'a> {
    pub(super) kind: Option<Quoted<'a>>,
    pub(super) text: Quoted<'a>,
    pub(super) thinking: Quoted<'a>,
    pub(super) id: Quoted<'a>,
    pub(super) name: Quoted<'a>,
    /// An object.
    pub(super) input: Option<Raw<'a>>,
}

impl<'a> BlockRead<'a> {
    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Self, JsonError> {
        let mut block = Self::default();
        if cursor.kind()? != Kind::Object {
            cursor.skip()?;
            return Ok(block);
        }
        cursor.members(|cursor, key| {
            match (key.raw, cursor.kind()?) {
                ("type", Kind::String) => block.kind = Some(cursor.string()?.into()),
                ("text", Kind::String) => block.text = cursor.string()?.into(),
                ("thinking", Kind::String) => block.thinking = cursor.string()?.into(),
                ("id", Kind::String) => block.id = cursor.string()?.into(),
                ("name", Kind::String) => block.name = cursor.string()?.into(),
                ("input", Kind::Object) => block.input = Some(cursor.raw()?),
                _ => drop(cursor.skip()?),
            }
            Ok::<(), JsonError>(())
        })?;
        Ok(block)
    }
}

/// Why an answer ended, as a message and a `message_delta` say it.
#[derive(Default)]
pub(super) struct Stopped<'a> {
    pub(super) reason: Option<Quoted<'a>>,
    pub(super) sequence: Option<Quoted<'a>>,
    /// Of a refusal.
    pub(super) explanation: Option<Quoted<'a>>,
}

impl<'a> Stopped<'a> {
    /// Takes a member, whether it is one of these or not.
    pub(super) fn member(&mut self, cursor: &mut Cursor<'a>, name: &str) -> Result<(), JsonError> {
        match (name, cursor.kind()?) {
            ("stop_reason", Kind::String) => self.reason = Some(cursor.string()?.into()),
            ("stop_sequence", Kind::String) => self.sequence = Some(cursor.string()?.into()),
            ("stop_details", Kind::Object) => cursor.members(|cursor, key| {
                match (key.raw, cursor.kind()?) {
                    ("explanation", Kind::String) => {
                        self.explanation = Some(Quoted::from(cursor.string()?)).filter(|words| !words.is_empty());
                    }
                    _ => drop(cursor.skip()?),
                }
                Ok::<(), JsonError>(())
            })?,
            _ => drop(cursor.skip()?),
        }
        Ok(())
    }

    /// In nobody's words. `said` tells whether there is content that stands without what is missing.
    pub(super) fn finish(&self, said: bool) -> Option<Finish> {
        Some(match &*self.reason.as_ref()?.decode() {
            "max_tokens" | "model_context_window_exceeded" => Finish::Length,
            "tool_use" => Finish::Calls,
            "refusal" => Finish::Refused,
            // The provider's own tools want to go on, and nobody else can.
            "pause_turn" if !said => Finish::Error,
            // `end_turn`, `stop_sequence`, and a word this version does not know, which is an end all the same.
            _ => Finish::Stop,
        })
    }
}

/// The body of a 200.
pub fn write(completion: &Completion<'_>, reply: &Reply<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(512 + completion.content_bytes() as usize);
    let usage = completion.usage.unwrap_or_else(|| Usage::estimate(0, estimated_tokens(completion.content_bytes())));
    let refusals = completion.parts.iter().filter_map(|part| match part {
        Part::Refusal(words) if !words.is_empty() => Some(words),
        _ => None,
    });
    let explanation = refusals.fold(None, |all: Option<Quoted<'_>>, words| {
        let mut all = all.unwrap_or_default();
        all.push(words);
        Some(all)
    });
    let finish = completion.finish.map(|finish| match finish {
        Finish::Stop if explanation.is_some() => Finish::Refused,
        Finish::Stop if completion.calls() => Finish::Calls,
        other => other,
    });
    object(&mut out, |o| {
        head(o, reply);
        o.array("content", |list| {
            for (at, part) in completion.parts.iter().enumerate() {
                match part {
                    Part::Text(text) if !text.is_empty() => list.object(|o| {
                        o.text("type", "text");
                        o.quoted("text", text);
                    }),
                    Part::Call(call) => list.object(|o| {
                        o.text("type", "tool_use");
                        call_id(o, &call.id, reply.id, at);
                        o.quoted("name", &call.name);
                        let nothing = call.arguments.0.trim().is_empty();
                        o.member("input").extend_from_slice(if nothing { b"{}" } else { call.arguments.0.as_bytes() });
                    }),
                    // Thinking is signed by the provider it came from; the words of a refusal are its explanation.
                    _ => {}
                }
            }
        });
        stopped(o, finish, completion.stop_sequence.as_ref(), explanation.as_ref());
        o.object("usage", |o| write_usage(o, usage));
    });
    out
}

/// What a message begins with.
pub(super) fn head(o: &mut Object<'_>, reply: &Reply<'_>) {
    let out = o.member("id");
    out.extend_from_slice(b"\"msg_");
    crate::json::write::escape(out, reply.id);
    out.push(b'"');
    o.text("type", "message");
    o.text("role", "assistant");
    o.text("model", reply.model);
}

/// An id of a call, in the letters of this dialect; one is made where the provider gives none.
pub(super) fn call_id(o: &mut Object<'_>, id: &Quoted<'_>, reply: &str, at: usize) {
    if id.is_empty() {
        o.text("id", &ids::taken(&Quoted::of(&format!("toolu_{reply}_{at}"))));
    } else {
        o.text("id", &ids::taken(id));
    }
}

/// Why a message ended; `None` is one that begins.
pub(super) fn stopped(
    o: &mut Object<'_>,
    finish: Option<Finish>,
    sequence: Option<&Quoted<'_>>,
    explanation: Option<&Quoted<'_>>,
) {
    let sequence = sequence.filter(|_| finish == Some(Finish::Stop));
    let reason = finish.map(|finish| match finish {
        Finish::Stop if sequence.is_some() => "stop_sequence",
        Finish::Stop | Finish::Error => "end_turn",
        Finish::Length => "max_tokens",
        Finish::Calls => "tool_use",
        Finish::Filtered | Finish::Refused => "refusal",
    });
    match reason {
        Some(reason) => o.text("stop_reason", reason),
        None => o.null("stop_reason"),
    }
    match sequence {
        Some(sequence) => o.quoted("stop_sequence", sequence),
        None => o.null("stop_sequence"),
    }
    if reason != Some("refusal") {
        o.null("stop_details");
        return;
    }
    o.object("stop_details", |o| {
        o.text("type", "refusal");
        o.null("category");
        match explanation {
            Some(words) => o.quoted("explanation", words),
            None => o.null("explanation"),
        }
    });
}

pub(super) fn write_usage(o: &mut Object<'_>, usage: Usage) {
    o.number("input_tokens", usage.input_uncached);
    o.number("cache_creation_input_tokens", usage.cache_write);
    o.number("cache_read_input_tokens", usage.cache_read);
    o.number("output_tokens", usage.output);
    if usage.reasoning > 0 {
        o.object("output_tokens_details", |o| o.number("thinking_tokens", usage.reasoning));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPLY: Reply<'static> = Reply { id: "0a1b", model: "gpt-5.4", created: 0, include_usage: true, echo: None };

    fn shown(completion: &Completion<'_>) -> String {
        String::from_utf8(write(completion, &REPLY)).unwrap()
    }

    #[test]
    fn an_answer_says_everything() {
        let body = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-5","content":[
            {"type":"thinking","thinking":"hm","signature":"c2ln"},{"type":"text","text":"Hi \"you\"","citations":null},
            {"type":"server_tool_use","id":"srv","name":"web_search","input":{"query":"q"}},
            {"type":"tool_use","id":"toolu_1","name":"f","input":{"x": 1}},{"type":"tool_use","id":"toolu_2","name":"g","input":{}}],
            "stop_reason":"tool_use","stop_sequence":null,"stop_details":null,"container":null,
            "usage":{"input_tokens":10,"cache_creation_input_tokens":20,"cache_read_input_tokens":30,
              "cache_creation":{"ephemeral_5m_input_tokens":20,"ephemeral_1h_input_tokens":0},
              "output_tokens":9,"output_tokens_details":{"thinking_tokens":4},"service_tier":"standard"}}"#;
        let answer = read(body.as_bytes()).unwrap();
        assert_eq!((answer.id, answer.model), (Some(Quoted::of("msg_1")), Some(Quoted::of("claude-sonnet-5"))));
        let call = |id, name, arguments: &'static str| {
            Part::Call(ToolCall { id: Quoted::of(id), name: Quoted::of(name), arguments: Raw(arguments.into()) })
        };
        assert_eq!(
            answer.parts,
            [
                Part::Thinking(Quoted::of("hm")),
                Part::Text(Quoted::of("Hi \"you\"")),
                call("toolu_1", "f", "{\"x\": 1}"),
                call("toolu_2", "g", "{}"),
            ]
        );
        assert_eq!(answer.finish, Some(Finish::Calls));
        let usage =
            Usage { input_uncached: 10, cache_read: 30, cache_write: 20, output: 9, reasoning: 4, ..Usage::default() };
        assert_eq!(answer.usage, Some(usage));
    }

    #[test]
    fn every_reason_to_stop_is_understood() {
        let finish = |reason: &str, content: &str| {
            let body = format!(
                r#"{{"content":[{content}],"stop_reason":{reason},"stop_sequence":"END","stop_details":{{"type":"refusal","category":"bio","explanation":"no"}}}}"#
            );
            let answer = read(body.as_bytes()).unwrap();
            (answer.finish, answer.parts.len())
        };
        let text = r#"{"type":"text","text":"x"}"#;
        for (reason, wanted) in [
            ("\"end_turn\"", Some(Finish::Stop)),
            ("\"stop_sequence\"", Some(Finish::Stop)),
            ("\"max_tokens\"", Some(Finish::Length)),
            ("\"model_context_window_exceeded\"", Some(Finish::Length)),
            ("\"tool_use\"", Some(Finish::Calls)),
            ("\"pause_turn\"", Some(Finish::Stop)),
            ("\"a_new_word\"", Some(Finish::Stop)),
            ("null", None),
        ] {
            assert_eq!(finish(reason, text), (wanted, 1), "{reason}");
        }
        assert_eq!(finish("\"pause_turn\"", ""), (Some(Finish::Error), 0));
        assert_eq!(finish("\"refusal\"", text), (Some(Finish::Refused), 2), "its explanation is a refusal");
    }

    #[test]
    fn what_is_no_answer_is_a_failure() {
        let failure = |body: &str| read(body.as_bytes()).unwrap_err().failure;
        for body in ["", "<html>", "[]", r#"{"content":[{"type":"te"#, "{} {}"] {
            assert_eq!(failure(body), Failure::Network, "{body}");
        }
        let error =
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}"#;
        assert_eq!(failure(error), Failure::Overload);
        assert_eq!(failure(r#"{"error":{"type":"rate_limit_error","message":"slow"}}"#), Failure::RateLimit);
        assert_eq!(read(b"{}").unwrap().failure().unwrap().failure, Failure::ServerError);
    }

    #[test]
    fn an_answer_is_written_whole() {
        let call = ToolCall { id: Quoted::of("call_1"), name: Quoted::of("f"), arguments: Raw("".into()) };
        let completion = Completion {
            parts: vec![Part::Thinking(Quoted::of("t")), Part::Text(Quoted::of("a\"b")), Part::Call(call)],
            finish: Some(Finish::Stop),
            usage: Some(Usage::from_totals(10, 3, 2, 7, 4)),
            ..Completion::default()
        };
        assert_eq!(
            shown(&completion),
            concat!(
                r#"{"id":"msg_0a1b","type":"message","role":"assistant","model":"gpt-5.4","content":[{"type":"text","text":"a\"b"},"#,
                r#"{"type":"tool_use","id":"call_1","name":"f","input":{}}],"stop_reason":"tool_use","stop_sequence":null,"stop_details":null,"#,
                r#""usage":{"input_tokens":5,"cache_creation_input_tokens":2,"cache_read_input_tokens":3,"output_tokens":7,"output_tokens_details":{"thinking_tokens":4}}}"#
            )
        );
    }

    #[test]
    fn every_reason_to_stop_has_its_word() {
        let ended = |parts: Vec<Part<'static>>, finish, sequence: Option<&'static str>| {
            let stop_sequence = sequence.map(Quoted::of);
            let completion = Completion { parts, finish: Some(finish), stop_sequence, ..Completion::default() };
            let text = shown(&completion);
            text.split(r#""stop_reason":"#).nth(1).unwrap().split(r#","usage""#).next().unwrap().to_owned()
        };
        let plain = |reason: &str| format!(r#""{reason}","stop_sequence":null,"stop_details":null"#);
        assert_eq!(ended(vec![], Finish::Stop, None), plain("end_turn"));
        assert_eq!(ended(vec![], Finish::Length, Some("x")), plain("max_tokens"));
        assert_eq!(ended(vec![], Finish::Calls, None), plain("tool_use"));
        assert_eq!(
            ended(vec![], Finish::Stop, Some("END")),
            r#""stop_sequence","stop_sequence":"END","stop_details":null"#
        );
        let filtered =
            r#""refusal","stop_sequence":null,"stop_details":{"type":"refusal","category":null,"explanation":null}"#;
        assert_eq!(ended(vec![], Finish::Filtered, None), filtered);
        let refusal = vec![Part::Refusal(Quoted::of("I")), Part::Refusal(Quoted::of(" won't"))];
        assert_eq!(
            ended(refusal, Finish::Stop, None),
            filtered.replace(r#""explanation":null"#, r#""explanation":"I won't""#)
        );
    }

    #[test]
    fn without_a_count_the_answer_is_measured() {
        let text = shown(&Completion { parts: vec![Part::Text(Quoted::of("12345678"))], ..Completion::default() });
        assert!(text.contains(r#""input_tokens":0,"#) && text.contains(r#""output_tokens":2}"#), "{text}");
    }
}
