//! Every dialect behind one door.
//!
//! In: a [`Dialect`] and what its room takes. Out: what its room gives. Must not know: any provider's fields.
//!
//! Converse is never a caller's dialect: where a caller's is asked for, it stands for Chat Completions. Embeddings are no conversation:
//! what is said about them in words, errors and templates, is said as in Chat Completions.

use bytes::Bytes;

use super::bad_body::BadBody;
use super::canonical::{Completion, Conversation, Delta, Echo, Reply, Target, Written};
use super::scan::{Scan, Wants};
use super::upstream_error::UpstreamError;
use super::{Dialect, chat, converse, embeddings, gemini, messages, responses};
use crate::json::JsonError;

/// Names the version of Anthropic's API.
pub const VERSION_HEADER: &str = "anthropic-version";

/// Names features of it that are in no version.
pub const BETA_HEADER: &str = "anthropic-beta";

/// What a path says where other dialects say it in the body: the model, and whether a stream is wanted.
pub type InPath<'a> = Option<(&'a str, bool)>;

/// What a decision needs of a request.
///
/// # Errors
/// What is wrong with the body, for its sender.
pub fn scan(dialect: Dialect, body: &[u8], in_path: InPath<'_>, wants: Wants) -> Result<Scan, BadBody> {
    match dialect {
        Dialect::Chat | Dialect::Converse => chat::request::scan(body, wants),
        Dialect::Embeddings => embeddings::request::scan(body).map(|ask| ask.scan),
        Dialect::Responses => responses::request::scan(body, wants),
        Dialect::Messages => messages::request::scan(body, wants),
        Dialect::Gemini => {
            let (model, stream) = in_path.unwrap_or_default();
            gemini::request::scan(body, model, stream, wants)
        }
    }
}

/// A request, in nobody's words.
///
/// # Errors
/// What is wrong with the body, for its sender.
pub fn conversation<'a>(dialect: Dialect, body: &'a [u8], in_path: InPath<'a>) -> Result<Conversation<'a>, BadBody> {
    let conversation = match dialect {
        Dialect::Chat | Dialect::Converse => chat::read::conversation(body),
        Dialect::Embeddings => Err(embeddings::not_spoken("another dialect")),
        Dialect::Responses => responses::read::conversation(body),
        Dialect::Messages => messages::read::conversation(body),
        Dialect::Gemini => {
            let (model, stream) = in_path.unwrap_or_default();
            gemini::read::conversation(body, model, stream)
        }
    }?;
    conversation.check_open_calls()?;
    Ok(conversation)
}

/// The same request in another dialect.
///
/// # Errors
/// The field that the target cannot carry.
pub fn request(dialect: Dialect, conversation: &Conversation<'_>, target: &Target<'_>) -> Result<Written, BadBody> {
    match dialect {
        Dialect::Chat => chat::write::request(conversation, target),
        Dialect::Responses => responses::write::request(conversation, target),
        Dialect::Messages => messages::write::request(conversation, target),
        Dialect::Gemini => gemini::write::request(conversation, target),
        Dialect::Converse => converse::write::request(conversation, target),
        Dialect::Embeddings => Err(embeddings::not_spoken(target.model)),
    }
}

/// Where a model is asked, behind the base URL; `None` where that is the same for every model.
pub fn upstream_path(dialect: Dialect, model: &str, stream: bool) -> Option<String> {
    match dialect {
        Dialect::Gemini => Some(gemini::upstream_path(model, stream)),
        Dialect::Converse => Some(converse::upstream_path(model, stream)),
        Dialect::Embeddings => Some(embeddings::PATH.to_owned()),
        Dialect::Chat | Dialect::Responses | Dialect::Messages => None,
    }
}

/// A header that a request needs which is written here: name and value.
pub fn header(
    dialect: Dialect,
    conversation: &Conversation<'_>,
    target: &Target<'_>,
) -> Option<(&'static str, &'static str)> {
    (dialect == Dialect::Messages).then(|| (VERSION_HEADER, messages::write::version(conversation, target)))
}

/// Headers of a caller that go to a provider of the same dialect as they came: versions and features of the API. One that a
/// provider demands has a default.
pub const fn passed_headers(dialect: Dialect) -> &'static [(&'static str, Option<&'static str>)] {
    match dialect {
        Dialect::Chat | Dialect::Responses | Dialect::Embeddings => &[("openai-beta", None)],
        Dialect::Messages => &[(VERSION_HEADER, Some(messages::write::VERSION_WITH_SAMPLING)), (BETA_HEADER, None)],
        Dialect::Gemini | Dialect::Converse => &[],
    }
}

/// The field that caps an answer whose caller gave no cap; `of_chat` is the one that a provider of Chat Completions takes.
pub const fn cap_field(dialect: Dialect, of_chat: &str) -> &str {
    match dialect {
        Dialect::Chat | Dialect::Converse | Dialect::Embeddings => of_chat,
        Dialect::Responses => "max_output_tokens",
        Dialect::Messages => "max_tokens",
        Dialect::Gemini => gemini::OUTPUT_CAP,
    }
}

/// A whole answer.
///
/// # Errors
/// What an error document under 200 means, or [`crate::failure::Failure::Network`] for what is no JSON.
pub fn read(dialect: Dialect, body: &[u8]) -> Result<Completion<'_>, UpstreamError> {
    match dialect {
        Dialect::Chat | Dialect::Embeddings => chat::completion::read(body),
        Dialect::Responses => responses::answer::read(body),
        Dialect::Messages => messages::answer::read(body),
        Dialect::Gemini => gemini::answer::read(body),
        Dialect::Converse => converse::answer::read(body),
    }
}

/// What an answer repeats of its request, in dialects whose answers do.
pub fn echo(dialect: Dialect, body: &Bytes) -> Option<Echo> {
    (dialect == Dialect::Responses).then(|| responses::echo::of(body))
}

/// A whole answer for a caller.
pub fn write(dialect: Dialect, completion: &Completion<'_>, reply: &Reply<'_>) -> Vec<u8> {
    match dialect {
        Dialect::Chat | Dialect::Converse | Dialect::Embeddings => chat::completion::write(completion, reply),
        Dialect::Responses => responses::answer::write(completion, reply),
        Dialect::Messages => messages::answer::write(completion, reply),
        Dialect::Gemini => gemini::answer::write(completion, reply),
    }
}

/// The same as a stream whose events are all here.
pub fn stream(dialect: Dialect, completion: &Completion<'_>, reply: &Reply<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = StreamWriter::new(dialect, reply);
    completion.deltas(|delta| writer.write(&delta, &mut out));
    out
}

/// Reads a stream in one dialect.
pub enum StreamReader {
    /// Chat Completions.
    Chat(chat::reader::Reader),
    /// Responses.
    Responses(responses::reader::Reader),
    /// Messages.
    Messages(messages::reader::Reader),
    /// generateContent.
    Gemini(gemini::reader::Reader),
    /// Converse.
    Converse(converse::reader::Reader),
}

impl StreamReader {
    /// At its beginning.
    pub fn new(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Chat | Dialect::Embeddings => Self::Chat(Default::default()),
            Dialect::Responses => Self::Responses(Default::default()),
            Dialect::Messages => Self::Messages(Default::default()),
            Dialect::Gemini => Self::Gemini(Default::default()),
            Dialect::Converse => Self::Converse(Default::default()),
        }
    }

    /// Takes an event.
    ///
    /// # Errors
    /// Its data is no JSON.
    pub fn event(
        &mut self,
        name: Option<&[u8]>,
        data: &[u8],
        sink: &mut dyn FnMut(Delta<'_>),
    ) -> Result<(), JsonError> {
        match self {
            Self::Chat(reader) => reader.event(name, data, sink),
            Self::Responses(reader) => reader.event(name, data, sink),
            Self::Messages(reader) => reader.event(name, data, sink),
            Self::Gemini(reader) => reader.event(name, data, sink),
            Self::Converse(reader) => reader.event(name, data, sink),
        }
    }
}

/// Writes a stream in one dialect.
pub enum StreamWriter {
    /// Chat Completions.
    Chat(chat::writer::Writer),
    /// Responses.
    Responses(responses::writer::Writer),
    /// Messages.
    Messages(messages::writer::Writer),
    /// generateContent.
    Gemini(gemini::writer::Writer),
}

impl StreamWriter {
    /// At its beginning.
    pub fn new(dialect: Dialect, reply: &Reply<'_>) -> Self {
        match dialect {
            Dialect::Chat | Dialect::Converse | Dialect::Embeddings => Self::Chat(chat::writer::Writer::new(reply)),
            Dialect::Responses => Self::Responses(responses::writer::Writer::new(reply)),
            Dialect::Messages => Self::Messages(messages::writer::Writer::new(reply)),
            Dialect::Gemini => Self::Gemini(gemini::writer::Writer::new(reply)),
        }
    }

    /// Appends whole events.
    pub fn write(&mut self, delta: &Delta<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Chat(writer) => writer.write(delta, out),
            Self::Responses(writer) => writer.write(delta, out),
            Self::Messages(writer) => writer.write(delta, out),
            Self::Gemini(writer) => writer.write(delta, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::canonical::{CacheMark, Format, Media, MediaKind, Part, Role, Source, Tool, Turn};
    use super::*;
    use crate::catalog::Capabilities;
    use crate::json::{Quoted, Raw};
    use crate::names::{Control, Modality, Place};

    const MEDIA: [(Modality, MediaKind, &str); 4] = [
        (Modality::Image, MediaKind::Image, "image/png"),
        (Modality::Audio, MediaKind::Audio, "audio/wav"),
        (Modality::Video, MediaKind::Video, "video/mp4"),
        (Modality::File, MediaKind::Document, "application/pdf"),
    ];

    /// Whether a provider is told it by a caller of every other dialect; all must come to the same.
    fn told(to: Dialect, model: &str, change: impl Fn(&mut Conversation<'static>)) -> bool {
        let carried = Dialect::CALLERS.into_iter().filter(|from| *from != to).flat_map(|from| {
            let mut said = Conversation::empty(from);
            let part = Part::Text(Quoted::of("look")).into();
            said.turns = vec![Turn { role: Role::User, blocks: vec![part], at: 0 }];
            change(&mut said);
            let able = Capabilities::NONE;
            [false, true].map(|lenient| {
                let target =
                    Target { model, max_output: None, model_max_output: None, able, output_cap: "max_tokens", lenient };
                request(to, &said, &target).is_ok()
            })
        });
        let carried: Vec<bool> = carried.collect();
        assert!(carried.iter().all(|one| *one == carried[0]), "{to:?} {model} {carried:?}");
        carried[0]
    }

    #[test]
    fn writers_tell_the_controls_that_the_table_of_names_says() {
        for to in Dialect::ALL.into_iter().filter(|to| *to != Dialect::Embeddings) {
            for able in [None, Some(false), Some(true)] {
                let mut said = Conversation::empty(Dialect::Messages);
                let turn = |role, part: Part<'static>, at| Turn { role, blocks: vec![part.into()], at };
                said.turns = vec![turn(Role::User, Part::Text(Quoted::of("look")), 0)];
                said.turns[0].blocks[0].cache = Some(CacheMark::Short);
                let written = |said: &Conversation<'_>| {
                    let able = Capabilities { assistant_prefill: able, prompt_caching: able, ..Capabilities::NONE };
                    let output_cap = "max_tokens";
                    let (max_output, model_max_output) = (None, None);
                    let target =
                        Target { model: "a-model", max_output, model_max_output, able, output_cap, lenient: false };
                    request(to, said, &target).map(|written| String::from_utf8(written.body).unwrap())
                };
                let marked = written(&said).unwrap();
                let marks = marked.contains("cache_control") || marked.contains("cachePoint");
                assert_eq!(marks, to.tells(Control::CacheMarks, able), "{to:?} {able:?} {marked}");
                said.turns.push(turn(Role::Assistant, Part::Text(Quoted::of("I see")), 1));
                assert_eq!(written(&said).is_ok(), to.tells(Control::BegunAnswer, able), "{to:?} {able:?}");
            }
        }
    }

    #[test]
    fn writers_take_what_the_table_of_names_says() {
        for to in Dialect::ALL {
            for (content, kind, mime) in MEDIA {
                let with = |source: Source<'static>| {
                    told(to, "a-model", |said| {
                        let media = Media { kind, source: source.clone(), name: None, detail: None };
                        said.turns[0].blocks.push(Part::Media(media).into());
                    })
                };
                let inside = with(Source::Inline { mime: mime.into(), data: Quoted::of("AAAA") });
                let by_url = with(Source::Url(Quoted::of("https://example.com/a")));
                let taken = to.taken(content);
                assert_eq!((inside, by_url), (taken >= Place::Inside, taken >= Place::Anywhere), "{to:?} {content:?}");
            }
            for model in ["a-model", "gemini-2.5-flash", "gemini-3-pro"] {
                let tool = |said: &mut Conversation<'static>| {
                    let schema = Some(Raw(r#"{"type":"object"}"#.into()));
                    said.tools =
                        vec![Tool { name: Quoted::of("f"), description: None, schema, strict: None, cache: None }];
                };
                let shape = |said: &mut Conversation<'static>| {
                    let schema = Raw(r#"{"type":"object"}"#.into());
                    said.format = Some(Format::Schema { name: None, description: None, schema, strict: None });
                };
                assert!(told(to, model, |_| {}) && told(to, model, tool) && told(to, model, shape), "{to:?} {model}");
                let both = told(to, model, |said| {
                    tool(said);
                    shape(said);
                });
                assert_eq!(both, to.takes_tools_beside_schema(model), "{to:?} {model}");
            }
        }
    }

    /// A content of a caller's message, inside the request and by URL, where its API has words for that.
    fn written(caller: Dialect, content: Modality) -> [Option<&'static str>; 2] {
        match (caller, content) {
            (Dialect::Chat, Modality::Image) => [
                Some(r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}"#),
                Some(r#"{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}"#),
            ],
            (Dialect::Chat, Modality::Audio) => {
                [Some(r#"{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}"#), None]
            }
            (Dialect::Chat, Modality::Video) => [
                Some(r#"{"type":"video_url","video_url":{"url":"data:video/mp4;base64,AAAA"}}"#),
                Some(r#"{"type":"video_url","video_url":{"url":"https://example.com/a.mp4"}}"#),
            ],
            (Dialect::Chat, Modality::File) => {
                [Some(r#"{"type":"file","file":{"file_data":"data:application/pdf;base64,AAAA"}}"#), None]
            }
            (Dialect::Responses, Modality::Image) => [
                Some(r#"{"type":"input_image","image_url":"data:image/png;base64,AAAA"}"#),
                Some(r#"{"type":"input_image","image_url":"https://example.com/a.png"}"#),
            ],
            (Dialect::Responses, Modality::Audio) => {
                [Some(r#"{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}"#), None]
            }
            (Dialect::Responses, Modality::File) => [
                Some(r#"{"type":"input_file","file_data":"data:application/pdf;base64,AAAA"}"#),
                Some(r#"{"type":"input_file","file_url":"https://example.com/a.pdf"}"#),
            ],
            (Dialect::Messages, Modality::Image) => [
                Some(r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}"#),
                Some(r#"{"type":"image","source":{"type":"url","url":"https://example.com/a.png"}}"#),
            ],
            (Dialect::Messages, Modality::File) => [
                Some(r#"{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AAAA"}}"#),
                Some(r#"{"type":"document","source":{"type":"url","url":"https://example.com/a.pdf"}}"#),
            ],
            (Dialect::Gemini, Modality::Image) => [
                Some(r#"{"inlineData":{"mimeType":"image/png","data":"AAAA"}}"#),
                Some(r#"{"fileData":{"mimeType":"image/png","fileUri":"https://example.com/a"}}"#),
            ],
            (Dialect::Gemini, Modality::Audio) => [
                Some(r#"{"inlineData":{"mimeType":"audio/wav","data":"AAAA"}}"#),
                Some(r#"{"fileData":{"mimeType":"audio/wav","fileUri":"https://example.com/a"}}"#),
            ],
            (Dialect::Gemini, Modality::Video) => [
                Some(r#"{"inlineData":{"mimeType":"video/mp4","data":"AAAA"}}"#),
                Some(r#"{"fileData":{"mimeType":"video/mp4","fileUri":"https://example.com/a"}}"#),
            ],
            (Dialect::Gemini, Modality::File) => [
                Some(r#"{"inlineData":{"mimeType":"application/pdf","data":"AAAA"}}"#),
                Some(r#"{"fileData":{"mimeType":"application/pdf","fileUri":"https://example.com/a"}}"#),
            ],
            _ => [None, None],
        }
    }

    #[test]
    fn readers_take_what_the_table_of_names_says_that_callers_send() {
        for caller in Dialect::CALLERS {
            for (content, kind, _) in MEDIA {
                let place = match written(caller, content) {
                    [None, _] => Place::Nowhere,
                    [Some(_), None] => Place::Inside,
                    [Some(_), Some(_)] => Place::Anywhere,
                };
                assert_eq!(caller.sent(content), place, "{caller:?} {content:?}");
                for (part, by_url) in written(caller, content).into_iter().zip([false, true]) {
                    let Some(part) = part else { continue };
                    let body = match caller {
                        Dialect::Gemini => format!(r#"{{"contents":[{{"role":"user","parts":[{part}]}}]}}"#),
                        Dialect::Responses => {
                            format!(r#"{{"model":"m","input":[{{"role":"user","content":[{part}]}}]}}"#)
                        }
                        _ => format!(
                            r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":[{part}]}}]}}"#
                        ),
                    };
                    let said = conversation(caller, body.as_bytes(), Some(("m", false))).unwrap();
                    assert!(said.extras.is_empty(), "{caller:?} {:?}", said.extras);
                    let Part::Media(media) = &said.turns[0].blocks[0].part else { panic!("{said:?}") };
                    assert_eq!((media.kind, matches!(media.source, Source::Url(_))), (kind, by_url), "{body}");
                }
            }
        }
    }
}
