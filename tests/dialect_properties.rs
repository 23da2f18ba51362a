//! What holds for every dialect: what is written is read back as it was meant, whole and streamed, and nothing that arrives makes
//! a reader panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

use std::fs;
use std::path::Path;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::select;
use wayside::catalog::Capabilities;
use wayside::dialect::Dialect;
use wayside::dialect::canonical::{
    Block, Completion, Conversation, Delta, Finish, Media, MediaKind, Part, Role, Source, Target, Tool, ToolCall,
    ToolChoice, ToolMode, ToolResult, Turn,
};
use wayside::dialect::scan::Wants;
use wayside::dialect::sse::Framer;
use wayside::dialect::translate::{self, StreamReader, StreamWriter};
use wayside::json::{MAX_NESTING, Quoted, Raw};
use wayside::usage::Usage;

#[cfg(feature = "serve")]
#[path = "fuzz/bodies/frames.rs"]
mod frames;
#[path = "fuzz/bodies/stream.rs"]
mod stream;
#[path = "fuzz/bodies/wire.rs"]
mod wire;

#[cfg(feature = "serve")]
use wayside::dialect::event_stream;

use wire::{MODEL, REPLY};

/// Bytes of a hostile value.
const HOSTILE: usize = 16 * 1024;
/// Damaged copies of each transcript.
const COPIES: usize = 4;

fn quoted(text: &str) -> Quoted<'static> {
    Quoted::of(text).into_owned()
}

fn text() -> impl Strategy<Value = Quoted<'static>> {
    let odd = select(vec!["\"", "\\", "\n", "\u{1}", "é", "中", "😀", "data: ", "\u{2028}", "{}", "</a>"]);
    let pieces =
        prop::collection::vec(prop_oneof![3 => "[a-z ]{1,12}".boxed(), 1 => odd.prop_map(str::to_owned).boxed()], 0..6);
    // Never empty and never blank: some dialects have no words for nothing.
    pieces.prop_map(|pieces| quoted(&format!("x{}x", pieces.concat())))
}

fn object() -> impl Strategy<Value = Raw<'static>> {
    prop::collection::vec(("[a-z]{1,5}", text()), 0..3).prop_map(|members| {
        let named =
            |(at, (name, value)): (usize, &(String, Quoted<'_>))| format!("\"{name}{at}\":\"{}\"", value.written());
        let members: Vec<_> = members.iter().enumerate().map(named).collect();
        Raw(format!("{{{}}}", members.join(",")).into())
    })
}

fn image() -> Part<'static> {
    let source = Source::Inline { mime: "image/png".into(), data: quoted("iVBORw0KGgo=") };
    Part::Media(Media { kind: MediaKind::Image, source, name: None, detail: None })
}

/// Where two of them part, if they do.
fn difference(there: &str, wanted: &str) -> Option<String> {
    let (there, wanted): (Vec<_>, Vec<_>) = (there.lines().collect(), wanted.lines().collect());
    let at = (0..there.len().max(wanted.len())).find(|at| there.get(*at) != wanted.get(*at))?;
    let shown = |lines: &[&str]| lines.get(at.saturating_sub(6)..(at + 6).min(lines.len())).unwrap_or(&[]).join("\n");
    Some(format!("read back:\n{}\nmeant:\n{}", shown(&there), shown(&wanted)))
}

fn turn(role: Role, parts: Vec<Part<'static>>) -> Turn<'static> {
    Turn { role, blocks: parts.into_iter().map(Block::from).collect(), at: 0 }
}

/// What is said back and forth: text, images, calls and their results.
fn turns() -> impl Strategy<Value = Vec<Turn<'static>>> {
    let round = (text(), any::<bool>(), prop::option::of(text()), prop::collection::vec((object(), text()), 0..3));
    (prop::collection::vec(round, 0..3), text()).prop_map(|(rounds, last)| {
        let mut turns = Vec::new();
        for (at, (asked, seen, said, calls)) in rounds.into_iter().enumerate() {
            let mut parts = vec![Part::Text(asked)];
            parts.extend(seen.then(image));
            turns.push(turn(Role::User, parts));
            let id = |number: usize| quoted(&format!("call_{at}{number}"));
            let name = |number: usize| quoted(&format!("f{number}"));
            let said = said.or_else(|| calls.is_empty().then(|| quoted("well")));
            let mut parts: Vec<_> = said.map(Part::Text).into_iter().collect();
            for (number, (arguments, _)) in calls.iter().enumerate() {
                parts.push(Part::Call(ToolCall { id: id(number), name: name(number), arguments: arguments.clone() }));
            }
            turns.push(turn(Role::Assistant, parts));
            let result = |(number, (_, said))| {
                let (id, name) = (id(number), Some(name(number)));
                Part::Result(ToolResult { id, name, parts: vec![Part::Text(said)], json: None, error: false })
            };
            let results: Vec<_> = calls.into_iter().enumerate().map(result).collect();
            if !results.is_empty() {
                turns.push(turn(Role::User, results));
                turns.push(turn(Role::Assistant, vec![Part::Text(quoted("so"))]));
            }
        }
        turns.push(turn(Role::User, vec![Part::Text(last)]));
        turns
    })
}

/// What every dialect can say.
fn conversation() -> impl Strategy<Value = Conversation<'static>> {
    let tool = |(number, (description, properties)): (usize, (Quoted<'static>, usize))| {
        let members: Vec<_> = (0..properties).map(|at| format!(r#""p{at}":{{"type":"string"}}"#)).collect();
        let schema = format!(r#"{{"type":"object","properties":{{{}}}}}"#, members.join(","));
        let (name, schema) = (quoted(&format!("f{number}")), Some(Raw(schema.into())));
        Tool { name, description: Some(description), schema, strict: None, cache: None }
    };
    let tools = prop::collection::vec((text(), 0..3usize), 3..5)
        .prop_map(move |tools| tools.into_iter().enumerate().map(tool).collect::<Vec<_>>());
    let choice = select(vec![
        None,
        Some((ToolMode::Auto, None)),
        Some((ToolMode::Required, None)),
        Some((ToolMode::Required, Some("f1"))),
    ]);
    let numbers = (1..5000u64, prop::option::of(select(vec!["0", "0.50"])), any::<bool>());
    (prop::option::of(text()), turns(), tools, choice, numbers).prop_map(
        |(system, turns, tools, choice, (cap, temperature, stream))| {
            let mut said = Conversation::empty(Dialect::Chat);
            said.model = quoted(MODEL);
            said.system.extend(system.map(|text| Block::from(Part::Text(text))));
            said.turns = turns;
            said.tools = tools;
            let only = |only: Option<&str>| only.into_iter().map(quoted).collect();
            said.tool_choice = choice.map(|(mode, name)| ToolChoice { mode, only: only(name) });
            said.max_output = Some(cap);
            said.sampling.temperature = temperature.map(|number| Raw(number.into()));
            said.stream = stream;
            said
        },
    )
}

/// The same object without the choices of who wrote it.
fn object_meant(json: &Raw<'_>) -> Raw<'static> {
    let value: serde_json::Value = serde_json::from_str(&json.0).unwrap();
    Raw(value.to_string().into())
}

/// The meaning: neighbors of one role are one turn, and how a dialect pairs calls with results is its own affair.
fn meaning(mut said: Conversation<'_>, dialect: Dialect) -> String {
    let mut turns: Vec<Turn<'_>> = Vec::new();
    for mut turn in std::mem::take(&mut said.turns) {
        turn.at = 0;
        // Where a signature stands for thinking that nobody has.
        turn.blocks.retain(|block| !matches!(block.part, Part::Thinking(_)));
        for block in &mut turn.blocks {
            match &mut block.part {
                Part::Call(call) => {
                    call.arguments = object_meant(&call.arguments);
                    if dialect == Dialect::Gemini {
                        call.id = Quoted::default();
                    }
                }
                Part::Media(media) => media.detail = media.detail.take().filter(|detail| detail.written() != "auto"),
                Part::Result(result) => {
                    // What a function returned as an object that holds one text is that text.
                    if let Some(json) = result.json.take() {
                        let value: serde_json::Value = serde_json::from_str(&json.0).unwrap();
                        result.parts = vec![Part::Text(quoted(value["result"].as_str().unwrap()))];
                    }
                    result.name = None;
                    if dialect == Dialect::Gemini {
                        result.id = Quoted::default();
                    }
                }
                _ => {}
            }
        }
        match turns.last_mut() {
            Some(last) if last.role == turn.role => last.blocks.append(&mut turn.blocks),
            _ => turns.push(turn),
        }
    }
    said.turns = turns;
    // Nothing said, and the usual said in words.
    said.tool_choice = said.tool_choice.filter(|choice| choice.mode != ToolMode::Auto || !choice.only.is_empty());
    said.tools.iter_mut().for_each(|tool| tool.strict = tool.strict.filter(|strict| *strict));
    said.from = Dialect::Chat;
    said.include_usage = false;
    format!("{said:#?}")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_request_is_read_back_as_it_was_meant(said in conversation()) {
        for dialect in Dialect::CALLERS {
            let mut said = said.clone();
            // Its fields are named as another dialect names them: nobody writes what came in the same dialect.
            said.from = if dialect == Dialect::Chat { Dialect::Responses } else { Dialect::Chat };
            let target = Target {
                model: MODEL,
                max_output: None,
                model_max_output: None,
                able: Capabilities::NONE,
                output_cap: "max_completion_tokens",
                lenient: false,
            };
            let written = translate::request(dialect, &said, &target).unwrap();
            let in_path = (dialect == Dialect::Gemini).then_some((MODEL, said.stream));
            let back = translate::conversation(dialect, &written.body, in_path).unwrap();
            let body = String::from_utf8_lossy(&written.body);
            prop_assert_eq!(difference(&meaning(back, dialect), &meaning(said, dialect)), None, "{:?}: {}", dialect, body);
            prop_assert!(translate::scan(dialect, &written.body, in_path, Wants::default()).is_ok());
        }
    }

    #[test]
    fn an_answer_is_read_back_as_it_was_meant(answer in completion()) {
        for dialect in Dialect::CALLERS {
            let body = translate::write(dialect, &answer, &REPLY);
            let back = translate::read(dialect, &body).unwrap();
            prop_assert_eq!(difference(&said(&back, dialect), &said(&answer, dialect)), None, "{:?}: {}", dialect, String::from_utf8_lossy(&body));
        }
    }

    #[test]
    fn a_stream_is_read_back_as_it_was_meant(answer in completion(), cut in 1..20usize) {
        for dialect in Dialect::CALLERS {
            let mut writer = StreamWriter::new(dialect, &REPLY);
            let mut out = Vec::new();
            pieces(&answer, cut, &mut |delta| writer.write(&delta, &mut out));
            let mut framer = Framer::default();
            framer.push(Bytes::from(out.clone()));
            let (mut reader, mut heard) = (StreamReader::new(dialect), Heard::default());
            while let Some(event) = framer.next_event().unwrap() {
                if let Some(data) = event.data() {
                    reader.event(event.name(), data, &mut |delta| heard.take(delta)).unwrap();
                }
            }
            prop_assert_eq!(framer.pending(), 0);
            prop_assert_eq!(difference(&said(&heard.complete(), dialect), &said(&answer, dialect)), None, "{:?}: {}", dialect, String::from_utf8_lossy(&out));
        }
    }

    #[test]
    fn every_body_holds_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        bodies().for_each(|(_, body)| body(&bytes));
    }
}

fn completion() -> impl Strategy<Value = Completion<'static>> {
    let ends = select(vec![Finish::Stop, Finish::Length]);
    let usage = (0..1000u64, 0..1000u64, 1..1000u64, any::<bool>());
    (prop::option::of(text()), prop::collection::vec(object(), 0..3), ends, usage).prop_map(
        |(text, calls, end, (input, cached, output, thought))| {
            let text = text.or_else(|| calls.is_empty().then(|| quoted("well")));
            let mut parts: Vec<_> = text.map(Part::Text).into_iter().collect();
            let finish = if calls.is_empty() { end } else { Finish::Calls };
            for (number, arguments) in calls.into_iter().enumerate() {
                let (id, name) = (quoted(&format!("call_{number}")), quoted(&format!("f{number}")));
                parts.push(Part::Call(ToolCall { id, name, arguments }));
            }
            let reasoning = if thought { output / 2 } else { 0 };
            let usage = Some(Usage::from_totals(input + cached, cached, 0, output, reasoning));
            Completion { model: Some(quoted(MODEL)), parts, finish: Some(finish), usage, ..Completion::default() }
        },
    )
}

/// The same as it comes in a stream: every text in pieces of so many characters.
fn pieces(answer: &Completion<'_>, cut: usize, sink: &mut dyn FnMut(Delta<'_>)) {
    let cuts = |text: &str| -> Vec<String> {
        let characters: Vec<char> = text.chars().collect();
        characters.chunks(cut).map(|piece| piece.iter().collect()).collect()
    };
    sink(Delta::Start { id: None, model: answer.model.clone() });
    let mut index = 0;
    for part in &answer.parts {
        match part {
            Part::Text(text) => cuts(&text.decode()).iter().for_each(|piece| sink(Delta::Text(Quoted::of(piece)))),
            Part::Call(call) => {
                sink(Delta::Call { index, id: call.id.clone(), name: call.name.clone() });
                for piece in cuts(&call.arguments.0) {
                    sink(Delta::Arguments { index, piece: Quoted::of(&piece) });
                }
                index += 1;
            }
            _ => {}
        }
    }
    sink(Delta::Finish { reason: answer.finish.unwrap(), stop_sequence: None });
    answer.usage.into_iter().for_each(|usage| sink(Delta::Usage(usage)));
    sink(Delta::End);
}

/// A stream, put together again.
#[derive(Default)]
struct Heard {
    text: String,
    calls: Vec<(String, String, String)>,
    finish: Option<Finish>,
    usage: Option<Usage>,
    model: Option<String>,
}

impl Heard {
    fn take(&mut self, delta: Delta<'_>) {
        match delta {
            Delta::Start { model, .. } => self.model = model.map(|model| model.decode().into_owned()),
            Delta::Text(piece) => self.text.push_str(&piece.decode()),
            Delta::Call { index, id, name } => {
                assert_eq!(index as usize, self.calls.len(), "calls are numbered in order");
                self.calls.push((id.decode().into(), name.decode().into(), String::new()));
            }
            Delta::Arguments { index, piece } => self.calls[index as usize].2.push_str(&piece.decode()),
            Delta::Usage(usage) => self.usage = Some(usage),
            Delta::Finish { reason, .. } => self.finish = Some(reason),
            Delta::Thinking(_) | Delta::Refusal(_) | Delta::Logprobs(_) | Delta::End => {}
            Delta::Failed(error) => panic!("{error:?}"),
        }
    }

    fn complete(self) -> Completion<'static> {
        let text = (!self.text.is_empty()).then(|| Part::Text(quoted(&self.text)));
        let call = |(id, name, arguments): (String, String, String)| {
            let arguments = if arguments.is_empty() { "{}".to_owned() } else { arguments };
            Part::Call(ToolCall { id: quoted(&id), name: quoted(&name), arguments: Raw(arguments.into()) })
        };
        Completion {
            model: self.model.map(|model| quoted(&model)),
            parts: text.into_iter().chain(self.calls.into_iter().map(call)).collect(),
            finish: self.finish,
            usage: self.usage,
            ..Completion::default()
        }
    }
}

/// What an answer says, whoever wrote it.
fn said(answer: &Completion<'_>, dialect: Dialect) -> String {
    let mut answer = answer.clone();
    answer.id = None;
    for part in &mut answer.parts {
        match part {
            Part::Text(text) => *text = quoted(&text.decode()),
            Part::Call(call) => {
                call.arguments = object_meant(&call.arguments);
                if dialect == Dialect::Gemini {
                    call.id = Quoted::default();
                }
            }
            _ => {}
        }
    }
    format!("{answer:#?}")
}

/// Each body that reads bytes of callers and providers, by its target's name.
fn bodies() -> impl Iterator<Item = (&'static str, fn(&[u8]))> {
    let bodies = wire::TARGETS.into_iter();
    #[cfg(feature = "serve")]
    let bodies = bodies.chain(frames::TARGETS);
    bodies
}

/// Every file that a transcript begins with, and the target that takes it.
fn transcripts(dir: &Path, found: &mut Vec<(&'static str, Vec<u8>)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let target = match path.file_name().unwrap().to_str().unwrap() {
            _ if path.is_dir() => {
                transcripts(&path, found);
                continue;
            }
            "request.json" => "requests",
            "upstream_response.json" => "answers",
            "upstream_response.sse" => "streams",
            _ => continue,
        };
        found.push((target, fs::read(path).unwrap()));
    }
}

fn damaged(whole: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut damaged = whole.to_vec();
    for _ in 0..random.usize(1..4) {
        if damaged.is_empty() {
            break;
        }
        let at = random.usize(0..damaged.len());
        match random.u8(0..4) {
            0 => damaged.truncate(at + 1),
            1 => damaged[at] = *random.choice(b"{}[]\",:\\0nt-\n \xff").unwrap(),
            2 => drop(damaged.remove(at)),
            _ => damaged.insert(at, *random.choice(b"{}[]\",:\\0nt-\n ").unwrap()),
        }
    }
    damaged
}

#[test]
fn every_body_holds_on_whole_and_damaged_transcripts() {
    let mut all = Vec::new();
    transcripts(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire"), &mut all);
    assert!(all.len() > 500, "{}", all.len());
    let mut random = fastrand::Rng::with_seed(11);
    for (at, (target, whole)) in all.iter().enumerate() {
        let (_, own) = bodies().find(|(name, _)| name == target).unwrap();
        own(whole);
        for _ in 0..COPIES {
            own(&damaged(whole, &mut random));
        }
        // A body of another kind is damage, too.
        let (_, other) = bodies().nth(at % bodies().count()).unwrap();
        other(whole);
    }
}

/// Values that are larger or deeper than anybody sends.
fn hostile() -> Vec<String> {
    let nested = |open: &str, close: &str, depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
    let deepest = MAX_NESTING as usize;
    let call =
        r#"{"index":0,"id":"i","name":"f","type":"tool_use","functionCall":{"name":"f"},"function":{"name":"f"}},"#;
    vec![
        nested("[", "]", deepest - 8),
        nested("{\"a\":", "}", deepest - 8),
        nested("[", "]", HOSTILE),
        "[".repeat(HOSTILE),
        format!("\"{}\"", "\\u00e9\\ud83d\\ude00".repeat(HOSTILE / 18)),
        format!("[{}1]", "1,".repeat(HOSTILE / 2)),
        format!("[{}{{}}]", call.repeat(HOSTILE / call.len())),
        "9".repeat(HOSTILE),
    ]
}

#[test]
fn every_body_holds_on_hostile_sizes_and_nesting() {
    let requests = [
        r#"{"model":"m","max_tokens":1,"messages":@}"#,
        r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":@}]}"#,
        r#"{"model":"m","max_tokens":1,"tools":@,"messages":[{"role":"user","content":"x"}]}"#,
        r#"{"model":"m","metadata":@,"input":@}"#,
        r#"{"contents":[{"parts":@}],"tools":[{"functionDeclarations":@}]}"#,
    ];
    let answers = [
        r#"{"choices":[{"index":0,"message":{"content":@,"tool_calls":@},"delta":{"content":@,"tool_calls":@},"finish_reason":"stop"}]}"#,
        r#"{"type":"message","role":"assistant","content":@,"stop_reason":"end_turn"}"#,
        r#"{"status":"completed","output":@}"#,
        r#"{"candidates":[{"content":{"parts":@},"finishReason":"STOP"}]}"#,
        r#"{"output":{"message":{"content":@}},"stopReason":"end_turn"}"#,
        r#"{"error":{"message":@,"code":@}}"#,
    ];
    for value in hostile() {
        requests.iter().for_each(|body| wire::requests(body.replace('@', &value).as_bytes()));
        for body in answers {
            let body = body.replace('@', &value);
            wire::answers(body.as_bytes());
            wire::streams(format!("data: {body}\n\n").as_bytes());
        }
        wire::sse(value.as_bytes());
    }
}

#[test]
fn what_a_fuzzer_found_stays_cured() {
    for (target, body) in bodies() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/fuzz").join(target);
        let Ok(entries) = fs::read_dir(folder) else { continue };
        entries.for_each(|entry| body(&fs::read(entry.unwrap().path()).unwrap()));
    }
}
