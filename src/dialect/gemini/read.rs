//! A caller's whole request, as everybody else's words say it.
//!
//! In: a body, and what its path says. Out: a [`Conversation`]. Must not know: targets.

use super::fields::generation_config;
use super::parts::Read;
use super::proto::{self, Step};
use super::turns::Turns;
use super::{parts, tools};
use crate::dialect::Dialect;
use crate::dialect::bad_body::BadBody;
use crate::dialect::canonical::{Block, Conversation, Fate, Part};
use crate::dialect::pass;
use crate::json::{Cursor, Quoted};

/// Reads every field. `model` and `stream` are what the path says.
///
/// # Errors
/// [`BadBody`] for what Google would not take, either.
pub fn conversation<'a>(body: &'a [u8], model: &'a str, stream: bool) -> Result<Conversation<'a>, BadBody> {
    let mut conversation = Conversation::empty(Dialect::Gemini);
    conversation.model = Quoted::of(model);
    conversation.stream = stream;
    conversation.include_usage = true;
    let mut turns = Turns::default();
    pass::whole(body, proto::NEEDS, |cursor| {
        proto::members(cursor, "body", |cursor, name, _, key| {
            member(cursor, name, key.decode().into_owned(), &mut conversation, &mut turns)
        })
    })?;
    conversation.turns = turns.turns;
    Ok(conversation)
}

fn member<'a>(
    cursor: &mut Cursor<'a>,
    name: &str,
    written: String,
    conversation: &mut Conversation<'a>,
    turns: &mut Turns<'a>,
) -> Step {
    match name {
        "contents" => proto::each(cursor, |cursor, at| turns.content(cursor, at, conversation)),
        "systemInstruction" => system(cursor, &written, conversation),
        "tools" => tools::tools(cursor, &written, conversation),
        "toolConfig" => tools::config(cursor, &written, conversation),
        "generationConfig" => generation_config(cursor, &written, conversation),
        _ => {
            if proto::says_something(cursor)? {
                conversation.extra(written, fate(name));
            }
            Ok(())
        }
    }
}

/// Of a field without a counterpart. Safety settings, guardrails, prompts that Google keeps: without them the request means
/// something else.
fn fate(name: &str) -> Fate {
    match name {
        "labels" | "serviceTier" | "store" => Fate::Dropped,
        _ => Fate::Refused,
    }
}

fn system<'a>(cursor: &mut Cursor<'a>, param: &str, conversation: &mut Conversation<'a>) -> Step {
    proto::members(cursor, param, |cursor, name, _, key| {
        let param = format!("{param}.{}", key.decode());
        match name {
            // Clients write one; it means nothing here.
            "role" => proto::skip(cursor),
            "parts" => proto::each(cursor, |cursor, at| {
                let param = format!("{param}[{at}]");
                let mut read = Read::default();
                parts::part(cursor, &param, &mut read)?;
                read.hand_over(conversation);
                for part in read.parts {
                    match part {
                        Part::Text(_) => conversation.system.push(Block::from(part)),
                        Part::Thinking(_) => {}
                        _ => conversation.extra(param.clone(), Fate::Refused),
                    }
                }
                Ok(())
            }),
            _ => {
                if proto::says_something(cursor)? {
                    conversation.extra(param, Fate::Refused);
                }
                Ok(())
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::canonical::{Effort, Format, Media, MediaKind, Role, Source, Thinking, ToolMode, ToolResult};

    fn read(body: &str) -> Conversation<'_> {
        conversation(body.as_bytes(), "m", false).unwrap()
    }

    fn refused(body: &str) -> String {
        conversation(body.as_bytes(), "m", false).unwrap_err().message
    }

    fn extras(body: &str) -> Vec<(String, Fate)> {
        read(body).extras.iter().map(|extra| (extra.param.clone().into_owned(), extra.fate)).collect()
    }

    #[test]
    fn both_spellings_and_single_values_are_read() {
        let body = r#"{"system_instruction":{"parts":{"text":"be brief"},"role":"user"},
            "contents":{"parts":{"text":"hi"}},
            "generation_config":{"top_k":40.0,"max_output_tokens":9,"stop_sequences":"x","temperature":0.50,
                "thinking_config":{"thinking_level":"LOW"},"candidate_count":1,"seed":null}}"#;
        let conversation = read(body);
        assert_eq!(conversation.system, [Block::from(Part::Text(Quoted::of("be brief")))]);
        assert_eq!((conversation.turns.len(), conversation.turns[0].role), (1, Role::User));
        assert_eq!((conversation.max_output, conversation.choices), (Some(9), 1));
        assert_eq!(&*conversation.sampling.top_k.unwrap().0, "40");
        assert_eq!(&*conversation.sampling.temperature.unwrap().0, "0.50");
        assert_eq!(conversation.stop, [Quoted::of("x")]);
        assert_eq!(conversation.thinking, Some(Thinking::Effort(Effort::Low)));
        assert!(conversation.extras.is_empty() && conversation.sampling.seed.is_none());
    }

    fn results(body: &str) -> Vec<(String, ToolResult<'_>)> {
        let mut calls = Vec::new();
        let mut results = Vec::new();
        for block in read(body).turns.into_iter().flat_map(|turn| turn.blocks) {
            match block.part {
                Part::Call(call) => calls.push(call.id.decode().into_owned()),
                Part::Result(result) => results.push((result.id.decode().into_owned(), result)),
                _ => {}
            }
        }
        let mut ids: Vec<&String> = results.iter().map(|(id, _)| id).collect();
        ids.sort();
        calls.sort();
        assert_eq!(ids, calls.iter().collect::<Vec<_>>());
        results
    }

    #[test]
    fn results_find_their_calls_by_name_and_by_id() {
        let body = r#"{"contents":[
            {"role":"model","parts":[{"functionCall":{"name":"f","args":{"x":1}}},{"functionCall":{"name":"g"}}]},
            {"role":"model","parts":[{"functionCall":{"name":"f","args":{"x":2}}},{"functionCall":{"id":"mine","name":"h"}}]},
            {"role":"function","parts":[{"functionResponse":{"name":"g","response":{"output":"G"}}},
                {"functionResponse":{"name":"f","response":{"result":[1]}}},
                {"functionResponse":{"name":"f","id":"new","response":{"error":"late"}}},
                {"functionResponse":{"name":"h","id":"mine","response":{"result":1,"more":2}}}]}]}"#;
        let found = results(body);
        let ids: Vec<&str> = found.iter().map(|(id, _)| &**id).collect();
        assert_eq!(ids, ["call_1", "call_0", "call_2", "mine"]);
        assert_eq!(found[0].1.parts, [Part::Text(Quoted::of("G"))]);
        assert_eq!(found[1].1.json.as_ref().unwrap().0, "[1]");
        assert!(found[2].1.error && found[2].1.parts == [Part::Text(Quoted::of("late"))]);
        assert_eq!(found[3].1.json.as_ref().unwrap().0, r#"{"result":1,"more":2}"#);
        let message = refused(r#"{"contents":[{"parts":[{"functionResponse":{"name":"f","response":{}}}]}]}"#);
        assert!(message.contains("contents[0]") && message.contains("'f'"), "{message}");
    }

    #[test]
    fn bytes_are_read_in_the_clients_alphabet() {
        let body = r#"{"contents":[{"parts":[{"inlineData":{"mime_type":"IMAGE/PNG; a=b","data":"-__-MQ"}},
            {"fileData":{"fileUri":"https://generativelanguage.googleapis.com/v1beta/files/a","mimeType":"video/mp4"}},
            {"fileData":{"fileUri":"https://example.org/a.JPG?x"}}]}]}"#;
        let media = |kind, source| Media { kind, source, name: None, detail: None };
        let parts: Vec<Part<'_>> = read(body).turns.remove(0).blocks.into_iter().map(|block| block.part).collect();
        let wanted = [
            media(MediaKind::Image, Source::Inline { mime: "image/png".into(), data: Quoted::of("+//+MQ==") }),
            media(
                MediaKind::Video,
                Source::File(Quoted::of("https://generativelanguage.googleapis.com/v1beta/files/a")),
            ),
            media(MediaKind::Image, Source::Url(Quoted::of("https://example.org/a.JPG?x"))),
        ];
        assert_eq!(parts, wanted.map(Part::Media));
    }

    #[test]
    fn signatures_stay_here() {
        let body = r#"{"contents":[{"role":"model","parts":[{"text":"hm","thought":true,"thoughtSignature":"AA"},
            {"text":"so","thoughtSignature":"BB"},{"text":"","thoughtSignature":"CC"}]}]}"#;
        let parts: Vec<Part<'_>> = read(body).turns.remove(0).blocks.into_iter().map(|block| block.part).collect();
        let bare = Part::Thinking(Quoted::default());
        assert_eq!(parts, [Part::Thinking(Quoted::of("hm")), bare.clone(), Part::Text(Quoted::of("so")), bare]);
    }

    #[test]
    fn what_nobody_else_has_is_named() {
        let contents = r#""contents":[{"parts":[{"text":"x"}]}]"#;
        for (field, wanted) in [
            (r#""safetySettings":[{"category":"a"}]"#, vec![("safetySettings", Fate::Refused)]),
            (r#""safetySettings":[],"labels":{},"store":false,"cachedContent":"""#, vec![]),
            (r#""cached_content":"cachedContents/1""#, vec![("cached_content", Fate::Refused)]),
            (
                r#""labels":{"a":"b"},"serviceTier":"flex""#,
                vec![("labels", Fate::Dropped), ("serviceTier", Fate::Dropped)],
            ),
            (r#""tools":[{"googleSearch":{}}]"#, vec![("tools[0].googleSearch", Fate::Refused)]),
            (r#""brandNew":1"#, vec![("brandNew", Fate::Refused)]),
            (
                r#""generationConfig":{"responseLogprobs":true,"responseModalities":["TEXT"],"thinkingConfig":{"includeThoughts":true}}"#,
                vec![
                    ("generationConfig.responseLogprobs", Fate::Refused),
                    ("generationConfig.thinkingConfig.includeThoughts", Fate::Dropped),
                ],
            ),
            (
                r#""generationConfig":{"responseModalities":["IMAGE"],"responseMimeType":"text/x.enum","responseSchema":{"type":"STRING"}}"#,
                vec![
                    ("generationConfig.responseModalities", Fate::Refused),
                    ("generationConfig.responseMimeType", Fate::Refused),
                ],
            ),
        ] {
            let wanted: Vec<_> = wanted.into_iter().map(|(param, fate)| (param.to_owned(), fate)).collect();
            assert_eq!(extras(&format!("{{{contents},{field}}}")), wanted, "{field}");
        }
        let part = r#"{"contents":[{"parts":[{"executableCode":{"code":"1"}},{"text":"x","partMetadata":{"a":1}}]}]}"#;
        assert_eq!(
            extras(part),
            [
                ("contents[0].parts[0].executableCode".to_owned(), Fate::Refused),
                ("contents[0].parts[1].partMetadata".to_owned(), Fate::Dropped)
            ]
        );
    }

    #[test]
    fn shapes_and_choices_are_read() {
        let with = |rest: &str| format!(r#"{{"contents":[{{"parts":[{{"text":"x"}}]}}],{rest}}}"#);
        let json = with(r#""generationConfig":{"responseMimeType":"application/json"}"#);
        assert_eq!(read(&json).format, Some(Format::JsonObject));
        let google =
            with(r#""generationConfig":{"responseMimeType":"application/json","responseSchema":{"type":"OBJECT"}}"#);
        let Some(Format::Schema { schema, .. }) = read(&google).format else { panic!("no schema") };
        assert_eq!(schema.0, r#"{"type":"object"}"#);
        let tools = with(
            r#""tools":[{"functionDeclarations":[{"name":"f","parameters":{"type":"OBJECT"}},{"name":"g","parameters_json_schema":{"type":"object"},"response_json_schema":{}}]}],
            "tool_config":{"function_calling_config":{"mode":"any","allowed_function_names":["f"]}}"#,
        );
        let conversation = read(&tools);
        let schemas: Vec<&str> = conversation.tools.iter().map(|tool| &*tool.schema.as_ref().unwrap().0).collect();
        assert_eq!(schemas, [r#"{"type":"object"}"#, r#"{"type":"object"}"#]);
        let choice = conversation.tool_choice.unwrap();
        assert_eq!((choice.mode, choice.only), (ToolMode::Required, vec![Quoted::of("f")]));
        let message = refused(&with(r#""toolConfig":{"functionCallingConfig":{"mode":"SOME"}}"#));
        assert!(message.contains("AUTO, ANY, VALIDATED or NONE"), "{message}");
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (body, wanted) in [
            (r#"{"contents":[{"role":"assistant","parts":[]}]}"#, "'contents[0].role': expected 'user' or 'model'"),
            (r#"{"contents":[{"parts":["x"]}]}"#, "'contents[0].parts[0]': expected an object"),
            (
                r#"{"contents":[{"parts":[{"inlineData":{"data":"AA=="}}]}]}"#,
                "'contents[0].parts[0].inlineData.mimeType'",
            ),
            (r#"{"contents":[{"parts":[{"functionCall":{"args":{}}}]}]}"#, "'contents[0].parts[0].functionCall.name'"),
            (r#"{"generationConfig":{"temperature":"hot"}}"#, "'generationConfig.temperature': expected a number"),
            (r#"{"generationConfig":{"thinkingConfig":{"thinkingBudget":-5}}}"#, "0 for none or -1 for any"),
            (
                r#"{"generationConfig":{"thinkingConfig":{"thinkingLevel":"some"}}}"#,
                "MINIMAL, LOW, MEDIUM, HIGH or XHIGH",
            ),
            ("[]", "must be a JSON object"),
            ("", "is empty"),
            ("{", "cut off"),
        ] {
            let message = refused(body);
            assert!(message.contains(wanted), "{body}: {message}");
        }
    }
}
