//! Messages of a request to this dialect.
//!
//! In: turns in nobody's words. Out: `system` and `messages`. Must not know: sampling, tools.
//!
//! The provider wants the results of all calls of one message together at the beginning of the next, and no empty text
//! (dialects.md, section 2.1).

use super::ids;
use crate::dialect::bad_body::BadBody;
use crate::dialect::canonical::{
    Block, CacheMark, Conversation, Field, Media, MediaKind, Notes, Part, Role, Source, Target, ToolResult, Turn,
};
use crate::json::write::{Array, Object};
use crate::json::{Quoted, Raw};

/// Marks of one prompt that the provider takes; further ones are left out.
pub(super) const MAX_CACHE_MARKS: u32 = 4;

/// What is kept in mind while one conversation is written.
pub(super) struct Turns<'w, 'a> {
    pub(super) said: &'w Conversation<'a>,
    pub(super) target: &'w Target<'w>,
    pub(super) notes: &'w mut Notes,
    pub(super) cache_marks: u32,
}

/// A call that waits for its result.
struct Waiting<'w, 'a> {
    id: &'w Quoted<'a>,
    name: &'w Quoted<'a>,
    written: String,
}

/// Neighbors with the same role.
struct Message<'w, 'a> {
    role: Role,
    turns: &'w [Turn<'a>],
}

impl<'w, 'a> Message<'w, 'a> {
    fn blocks(&self) -> impl Iterator<Item = (usize, &'w Block<'a>)> + use<'w, 'a> {
        self.turns.iter().flat_map(|turn| turn.blocks.iter().map(|block| (turn.at, block)))
    }

    fn at(&self) -> usize {
        self.turns.first().map_or(0, |turn| turn.at)
    }
}

impl<'w, 'a> Turns<'w, 'a> {
    /// `cache_control`, while there may be more.
    pub(super) fn cache(&mut self, o: &mut Object<'_>, mark: Option<CacheMark>) {
        let Some(mark) = mark.filter(|_| self.cache_marks < MAX_CACHE_MARKS) else { return };
        self.cache_marks += 1;
        o.object("cache_control", |o| {
            o.text("type", "ephemeral");
            if mark == CacheMark::Hour {
                o.text("ttl", "1h");
            }
        });
    }

    /// Instructions: one text with a blank line between its parts, or blocks where something is said about keeping them.
    pub(super) fn system(&mut self, o: &mut Object<'_>) -> Result<(), BadBody> {
        let said = self.said;
        if said.system.iter().any(|block| !matches!(block.part, Part::Text(_))) {
            return Err(said.refuse(Field::System, self.target, "takes instructions as text only"));
        }
        let texts = || {
            said.system.iter().filter_map(|block| match &block.part {
                Part::Text(text) if !blank(text) => Some((text, block.cache)),
                _ => None,
            })
        };
        if texts().next().is_none() {
            return Ok(());
        }
        if texts().any(|(_, cache)| cache.is_some()) {
            o.array("system", |list| texts().for_each(|(text, cache)| self.text(list, text, cache)));
            return Ok(());
        }
        let out = o.member("system");
        out.push(b'"');
        for (at, (text, _)) in texts().enumerate() {
            out.extend_from_slice(if at > 0 { b"\\n\\n" } else { b"" });
            out.extend_from_slice(text.written().as_bytes());
        }
        out.push(b'"');
        Ok(())
    }

    pub(super) fn messages(&mut self, list: &mut Array<'_>) -> Result<(), BadBody> {
        let said = self.said;
        let turns = &said.turns[..];
        let messages: Vec<Message<'w, 'a>> =
            turns.chunk_by(|a, b| a.role == b.role).map(|turns| Message { role: turns[0].role, turns }).collect();
        self.order(&messages)?;
        let mut waiting: Vec<Waiting<'w, 'a>> = Vec::new();
        for message in &messages {
            if message.role != Role::User
                && let Some(call) = waiting.first()
            {
                return Err(self.unanswered(message.at(), call));
            }
            self.message(list, message, &mut waiting)?;
        }
        match (messages.last(), waiting.first()) {
            (Some(last), Some(call)) => Err(self.unanswered(last.at(), call)),
            _ => Ok(()),
        }
    }

    /// Who may speak when.
    fn order(&self, messages: &[Message<'_, '_>]) -> Result<(), BadBody> {
        let refuse = |at, why| Err(self.said.refuse_in_turn(at, self.target, why));
        let able = self.target.able;
        if let Some(system) = messages.iter().find(|message| message.role == Role::System)
            && able.mid_conversation_system == Some(false)
        {
            return refuse(system.at(), "takes instructions only before the conversation");
        }
        match messages.iter().find(|message| message.role != Role::System) {
            Some(first) if first.role == Role::User => {}
            Some(first) => return refuse(first.at(), "takes a conversation that its user begins"),
            None => return Err(self.said.refuse(Field::Turns, self.target, "takes at least one message of the user")),
        }
        match messages.last() {
            Some(last) if last.role == Role::Assistant && able.assistant_prefill == Some(false) => {
                refuse(last.at(), "does not go on with a message of its own; end with one of the user")
            }
            _ => Ok(()),
        }
    }

    fn unanswered(&self, at: usize, call: &Waiting<'_, '_>) -> BadBody {
        let why = format!("takes a call only with its result in the next message, and '{}' has none", call.id.decode());
        self.said.refuse_in_turn(at, self.target, &why)
    }

    fn message(
        &mut self,
        list: &mut Array<'_>,
        message: &Message<'w, 'a>,
        waiting: &mut Vec<Waiting<'w, 'a>>,
    ) -> Result<(), BadBody> {
        // Thinking alone is no message, and nothing is missed when it is left out.
        let thought = message.blocks().all(|(_, block)| matches!(block.part, Part::Thinking(_)));
        if message.blocks().any(|(_, block)| matches!(block.part, Part::Thinking(_)))
            && !self.notes.dropped.iter().any(|named| named == "reasoning")
        {
            self.notes.dropped.push("reasoning".into());
        }
        let says = |(_, block): (usize, &Block<'_>)| match &block.part {
            Part::Text(text) | Part::Refusal(text) => !blank(text),
            Part::Thinking(_) => false,
            Part::Media(_) | Part::Call(_) | Part::Result(_) => true,
        };
        if !message.blocks().any(says) {
            if thought && message.blocks().next().is_some() {
                return Ok(());
            }
            return Err(self.said.refuse_in_turn(message.at(), self.target, "takes no message without content"));
        }
        let mut outcome = Ok(());
        list.object(|o| {
            o.text("role", role(message.role));
            if let Some(text) = only_text(message) {
                o.quoted("content", text);
                return;
            }
            o.array("content", |list| outcome = self.blocks(list, message, waiting));
        });
        outcome
    }

    /// Results first, whatever the order was.
    fn blocks(
        &mut self,
        list: &mut Array<'_>,
        message: &Message<'w, 'a>,
        waiting: &mut Vec<Waiting<'w, 'a>>,
    ) -> Result<(), BadBody> {
        for (at, block) in message.blocks() {
            if let Part::Result(result) = &block.part {
                self.result(list, at, message.role, result, block.cache, waiting)?;
            }
        }
        for (at, block) in message.blocks() {
            match &block.part {
                Part::Text(text) | Part::Refusal(text) => self.text(list, text, block.cache),
                Part::Media(media) => self.media(list, at, message.role, media, block.cache)?,
                Part::Call(call) => {
                    if message.role != Role::Assistant {
                        return Err(self.refuse(at, "takes calls only from itself"));
                    }
                    let mut written = ids::taken(&call.id).into_owned();
                    if call.id.is_empty() {
                        written = format!("toolu_{at}_{}", waiting.len());
                    }
                    list.object(|o| {
                        o.text("type", "tool_use");
                        o.text("id", &written);
                        o.quoted("name", &call.name);
                        o.raw("input", if call.arguments.0.is_empty() { &NOTHING } else { &call.arguments });
                        self.cache(o, block.cache);
                    });
                    waiting.push(Waiting { id: &call.id, name: &call.name, written });
                }
                Part::Result(_) | Part::Thinking(_) => {}
            }
        }
        Ok(())
    }

    fn refuse(&self, at: usize, why: &str) -> BadBody {
        self.said.refuse_in_turn(at, self.target, why)
    }

    fn text(&mut self, list: &mut Array<'_>, text: &Quoted<'_>, cache: Option<CacheMark>) {
        if !blank(text) {
            list.object(|o| {
                o.text("type", "text");
                o.quoted("text", text);
                self.cache(o, cache);
            });
        }
    }

    fn result(
        &mut self,
        list: &mut Array<'_>,
        at: usize,
        role: Role,
        result: &ToolResult<'a>,
        cache: Option<CacheMark>,
        waiting: &mut Vec<Waiting<'w, 'a>>,
    ) -> Result<(), BadBody> {
        if role != Role::User {
            return Err(self.refuse(at, "takes results only from the user"));
        }
        let named = |call: &Waiting<'_, '_>| result.name.as_ref().is_none_or(|name| name == call.name);
        let place = waiting.iter().position(|call| {
            if result.id.is_empty() { call.id.is_empty() && named(call) } else { *call.id == result.id }
        });
        let Some(place) = place else {
            let why =
                format!("takes results only of calls in the message before, and '{}' is none", result.id.decode());
            return Err(self.refuse(at, &why));
        };
        let call = waiting.remove(place);
        let mut outcome = Ok(());
        list.object(|o| {
            o.text("type", "tool_result");
            o.text("tool_use_id", &call.written);
            match (&result.json, &result.parts[..]) {
                (Some(Raw(json)), _) => o.text("content", json),
                (None, []) => {}
                (None, [Part::Text(text)]) => o.quoted("content", text),
                (None, parts) => o.array("content", |list| outcome = self.result_parts(list, at, parts)),
            }
            if result.error {
                o.boolean("is_error", true);
            }
            self.cache(o, cache);
        });
        outcome
    }

    fn result_parts(&mut self, list: &mut Array<'_>, at: usize, parts: &[Part<'a>]) -> Result<(), BadBody> {
        for part in parts {
            match part {
                Part::Text(text) | Part::Refusal(text) => self.text(list, text, None),
                Part::Media(media) => self.media(list, at, Role::User, media, None)?,
                Part::Call(_) | Part::Result(_) | Part::Thinking(_) => {}
            }
        }
        Ok(())
    }

    fn media(
        &mut self,
        list: &mut Array<'_>,
        at: usize,
        role: Role,
        media: &Media<'_>,
        cache: Option<CacheMark>,
    ) -> Result<(), BadBody> {
        self.check_media(at, role, media)?;
        let image = media.kind == MediaKind::Image;
        list.object(|o| {
            o.text("type", if image { "image" } else { "document" });
            o.object("source", |o| match &media.source {
                Source::Inline { mime, data } => {
                    o.text("type", "base64");
                    o.text("media_type", if mime == "image/jpg" { "image/jpeg" } else { mime });
                    o.quoted("data", data);
                }
                Source::Url(url) => {
                    o.text("type", "url");
                    o.quoted("url", url);
                }
                Source::Text(text) | Source::File(text) => {
                    o.text("type", "text");
                    o.text("media_type", "text/plain");
                    o.quoted("data", text);
                }
            });
            if let Some(name) = media.name.as_ref().filter(|name| !image && !name.is_empty()) {
                o.quoted("title", name);
            }
            self.cache(o, cache);
        });
        Ok(())
    }

    fn check_media(&self, at: usize, role: Role, media: &Media<'_>) -> Result<(), BadBody> {
        let able = self.target.able;
        if role != Role::User {
            return Err(self.refuse(at, "takes images and documents only from the user"));
        }
        let why = match (media.kind, &media.source) {
            (MediaKind::Audio, _) => "takes no audio",
            (MediaKind::Video, _) => "takes no video",
            (_, Source::File(_)) => "does not have the file, which was uploaded to another provider; send its content",
            (MediaKind::Image, _) if able.vision == Some(false) => "takes no images",
            (MediaKind::Image, Source::Inline { mime, .. }) if !IMAGES.contains(&&**mime) => {
                "takes images as JPEG, PNG, GIF and WebP only"
            }
            (MediaKind::Image, Source::Text(_)) => "takes no text as an image",
            (MediaKind::Document, Source::Inline { .. } | Source::Url(_)) if able.pdf == Some(false) => {
                "takes no PDF files"
            }
            (MediaKind::Document, Source::Inline { mime, .. }) if mime != "application/pdf" => {
                "takes files as PDF and as plain text only"
            }
            (MediaKind::Image | MediaKind::Document, _) => return Ok(()),
        };
        Err(self.refuse(at, why))
    }
}

/// What the provider takes, and a name some clients have for the first.
const IMAGES: [&str; 5] = ["image/jpeg", "image/png", "image/gif", "image/webp", "image/jpg"];

static NOTHING: Raw<'static> = Raw(std::borrow::Cow::Borrowed("{}"));

const fn role(role: Role) -> &'static str {
    match role {
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::System => "system",
    }
}

/// The one text that a message consists of, when nothing is said about keeping it.
fn only_text<'w, 'a>(message: &Message<'w, 'a>) -> Option<&'w Quoted<'a>> {
    let mut said = message.blocks().filter(|(_, block)| !matches!(block.part, Part::Thinking(_)));
    let (_, block) = said.next()?;
    match (&block.part, block.cache, said.next()) {
        (Part::Text(text), None, None) => Some(text),
        _ => None,
    }
}

/// Nothing but space, which the provider takes for no text at all.
pub(super) fn blank(text: &Quoted<'_>) -> bool {
    let mut rest = text.written();
    loop {
        rest = rest.trim_start_matches([' ', '\u{a0}']);
        let escaped = ["\\n", "\\r", "\\t"].into_iter().find_map(|space| rest.strip_prefix(space));
        match escaped {
            Some(after) => rest = after,
            None => return rest.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::read::conversation;
    use super::super::write::request;
    use super::*;
    use crate::catalog::Capabilities;
    use crate::dialect::canonical::ToolCall;

    const PLAIN: Target<'static> = Target {
        model: "m",
        max_output: None,
        model_max_output: None,
        able: Capabilities::NONE,
        output_cap: "max_tokens",
        lenient: false,
    };

    fn asked(messages: &str) -> String {
        format!(r#"{{"model":"m","max_tokens":9,"messages":[{messages}]}}"#)
    }

    /// `system` and `messages`, or why not.
    fn written(said: &Conversation<'_>, target: &Target<'_>) -> Result<String, String> {
        let written = request(said, target).map_err(|bad| bad.message)?;
        let body = String::from_utf8(written.body).unwrap();
        Ok(body.replace(r#"{"model":"m","#, "").replace(r#","max_tokens":9}"#, ""))
    }

    fn again(messages: &str) -> Result<String, String> {
        written(&conversation(asked(messages).as_bytes()).unwrap(), &PLAIN)
    }

    fn part(part: Part<'static>) -> Block<'static> {
        part.into()
    }

    fn call(id: &'static str, name: &'static str) -> Block<'static> {
        part(Part::Call(ToolCall { id: Quoted::of(id), name: Quoted::of(name), arguments: Raw("".into()) }))
    }

    fn result(id: &'static str, name: Option<&'static str>) -> Block<'static> {
        let name = name.map(Quoted::of);
        part(Part::Result(ToolResult { id: Quoted::of(id), name, parts: Vec::new(), json: None, error: false }))
    }

    /// A user says "x", then the model and the user by turns.
    fn talk(blocks: &[&[Block<'static>]]) -> Result<String, String> {
        let body = asked(r#"{"role":"user","content":"x"}"#);
        let mut said = conversation(body.as_bytes()).unwrap();
        for (at, blocks) in blocks.iter().enumerate() {
            let role = if at % 2 == 0 { Role::Assistant } else { Role::User };
            said.turns.push(Turn { role, blocks: blocks.to_vec(), at: at + 1 });
        }
        written(&said, &PLAIN).map(|text| text.replace(r#""messages":[{"role":"user","content":"x"},"#, ""))
    }

    #[test]
    fn neighbors_are_one_message_and_results_come_first() {
        let text = |words: &'static str| part(Part::Text(Quoted::of(words)));
        let two = [call("a", "f"), call("b", "g")];
        assert_eq!(
            talk(&[&two, &[text("and"), result("b", None), result("a", None)]]).unwrap(),
            concat!(
                r#"{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}},"#,
                r#"{"type":"tool_use","id":"b","name":"g","input":{}}]},"#,
                r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"b"},{"type":"tool_result","tool_use_id":"a"},"#,
                r#"{"type":"text","text":"and"}]}]"#
            )
        );
        let merged = again(r#"{"role":"user","content":"a"},{"role":"user","content":[{"type":"text","text":"b"}]}"#);
        let wanted =
            r#""messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]"#;
        assert_eq!(merged.unwrap(), wanted);
    }

    #[test]
    fn every_call_has_its_result_in_the_next_message() {
        let both = [call("a", "f"), call("b", "g")];
        for (blocks, what) in [
            (&[&both[..], &[result("a", None)]][..], "'messages[2]' cannot be sent on"),
            (&[&both[..]], "'a' has none"),
            (&[&both[..], &[result("a", None), result("c", None)]], "'c' is none"),
            (&[&both[..], &[result("a", None), result("a", None)]], "'a' is none"),
            (&[&[result("a", None)][..]], "takes results only from the user"),
        ] {
            let error = talk(blocks).unwrap_err();
            assert!(error.contains(what), "{error}");
        }
    }

    #[test]
    fn ids_are_written_in_the_letters_of_this_dialect_and_made_where_there_are_none() {
        let odd = talk(&[&[call("call.1", "f")], &[result("call.1", None)]]).unwrap();
        let id = odd.split(r#""id":""#).nth(1).unwrap().split('"').next().unwrap();
        assert!(id.starts_with("toolu_") && odd.contains(&format!(r#""tool_use_id":"{id}""#)), "{odd}");
        let none = talk(&[&[call("", "f"), call("", "g")], &[result("", Some("g")), result("", Some("f"))]]).unwrap();
        assert!(none.contains(r#""id":"toolu_1_0","name":"f""#), "{none}");
        assert!(none.ends_with(r#"[{"type":"tool_result","tool_use_id":"toolu_1_1"},{"type":"tool_result","tool_use_id":"toolu_1_0"}]}]"#), "{none}");
    }

    #[test]
    fn who_may_speak_when() {
        let refused = |messages: &str, able: Capabilities| {
            written(&conversation(asked(messages).as_bytes()).unwrap(), &Target { able, ..PLAIN }).unwrap_err()
        };
        let none = Capabilities::NONE;
        let user = r#"{"role":"user","content":"a"}"#;
        let model = r#"{"role":"assistant","content":"b"}"#;
        assert!(refused(model, none).contains("that its user begins"));
        assert!(refused(r#"{"role":"system","content":"s"}"#, none).contains("at least one message of the user"));
        let late = format!(r#"{user},{{"role":"system","content":"s"}}"#);
        assert!(again(&late).is_ok());
        let able = Capabilities { mid_conversation_system: Some(false), ..none };
        assert!(refused(&late, able).starts_with("'messages[1]' cannot be sent on"));
        let prefill = format!("{user},{model}");
        assert!(again(&prefill).is_ok());
        assert!(
            refused(&prefill, Capabilities { assistant_prefill: Some(false), ..none })
                .contains("end with one of the user")
        );
    }

    #[test]
    fn what_says_nothing_is_left_out() {
        for nothing in ["", " ", "\\n", " \\t\\r\\n "] {
            let error = again(&format!(r#"{{"role":"user","content":"{nothing}"}}"#)).unwrap_err();
            assert!(error.contains("no message without content"), "{error}");
            let beside = format!(
                r#"{{"role":"user","content":[{{"type":"text","text":"{nothing}"}},{{"type":"text","text":"n"}}]}}"#
            );
            let wanted = r#""messages":[{"role":"user","content":[{"type":"text","text":"n"}]}]"#;
            assert_eq!(again(&beside).unwrap(), wanted);
        }
        let thought = r#"{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"}]},
            {"role":"user","content":"b"}"#;
        let body = asked(thought);
        let said = conversation(body.as_bytes()).unwrap();
        let written = request(&said, &PLAIN).unwrap();
        assert_eq!(written.notes.dropped, ["reasoning"]);
        assert!(!String::from_utf8(written.body).unwrap().contains("assistant"));
    }

    #[test]
    fn instructions_are_one_text() {
        let body = r#"{"model":"m","max_tokens":9,"system":[{"type":"text","text":"A \"b\""},{"type":"text","text":""},{"type":"text","text":"C"}],
            "messages":[{"role":"user","content":"x"}]}"#;
        let written = written(&conversation(body.as_bytes()).unwrap(), &PLAIN).unwrap();
        assert_eq!(written, r#""system":"A \"b\"\n\nC","messages":[{"role":"user","content":"x"}]"#);
    }

    #[test]
    fn media_that_the_provider_does_not_take_are_refused() {
        let refused = |kind, source: Source<'static>, able: Capabilities| {
            let body = asked(r#"{"role":"user","content":"x"}"#);
            let mut said = conversation(body.as_bytes()).unwrap();
            said.turns[0].blocks.push(part(Part::Media(Media { kind, source, name: None, detail: None })));
            written(&said, &Target { able, ..PLAIN }).err().unwrap_or_default()
        };
        let inline = |mime: &'static str| Source::Inline { mime: mime.into(), data: Quoted::of("AA==") };
        let url = || Source::Url(Quoted::of("https://example.com/x"));
        let none = Capabilities::NONE;
        let blind = Capabilities { vision: Some(false), pdf: Some(false), ..none };
        for (kind, source, able, why) in [
            (MediaKind::Audio, inline("audio/wav"), none, "takes no audio"),
            (MediaKind::Video, url(), none, "takes no video"),
            (MediaKind::Image, Source::File(Quoted::of("file_1")), none, "uploaded to another provider"),
            (MediaKind::Image, inline("image/tiff"), none, "JPEG, PNG, GIF and WebP only"),
            (MediaKind::Image, inline("image/png"), blind, "takes no images"),
            (MediaKind::Document, inline("application/pdf"), blind, "takes no PDF files"),
            (MediaKind::Document, inline("text/csv"), none, "as PDF and as plain text only"),
        ] {
            let said = refused(kind, source, able);
            assert!(said.contains(why), "{said}");
        }
        for (kind, source) in [
            (MediaKind::Image, inline("image/jpg")),
            (MediaKind::Image, url()),
            (MediaKind::Document, url()),
            (MediaKind::Document, inline("application/pdf")),
            (MediaKind::Document, Source::Text(Quoted::of("words"))),
        ] {
            assert_eq!(refused(kind, source, none), "");
        }
    }

    #[test]
    fn there_are_so_many_marks_and_not_one_more() {
        let block = r#"{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}"#;
        let all = vec![block; MAX_CACHE_MARKS as usize + 1].join(",");
        let written = again(&format!(r#"{{"role":"user","content":[{all}]}}"#)).unwrap();
        assert_eq!(written.matches("cache_control").count(), MAX_CACHE_MARKS as usize);
        assert_eq!(written.matches(r#""text":"x""#).count(), MAX_CACHE_MARKS as usize + 1);
    }
}
