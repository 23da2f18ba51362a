//! What one dialect becomes in another, held against transcripts: `tests/wire/<from>-<to>/<case>/`.
//!
//! A case is what the official SDK sends (`request.json`) and what the provider answers (`upstream_response.json`; `.sse` for a stream
//! of lines, `.frames` for one of Amazon's frames, in the same form). Everything else is written by `WAYSIDE_BLESS=1 cargo test --test
//! wire`; read the difference. `target.json` says what is special about the model that answers: `lenient`, `max_output`,
//! `model_max_output`, `output_cap`, `able`, where `false` is what it cannot do, and `hosted`, where a cloud takes a Messages body
//! otherwise. A stream is read whole, byte by byte and in 64 random splits; all must write the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::{Value, json};
use wayside::catalog::Capabilities;
use wayside::dialect::Dialect;
use wayside::dialect::caller_error::CallerError;
use wayside::dialect::canonical::{Conversation, Notes, Reply, Target};
use wayside::dialect::messages::hosted::{Host, hosted};
use wayside::dialect::sse::Event;
use wayside::dialect::translate;
use wayside::dialect::whole::Whole;
use wayside::failure::Failure;
use wayside::usage::Usage;

#[path = "wire/framing.rs"]
mod framing;
#[path = "fuzz/bodies/stream.rs"]
mod stream;

use stream::{Stream, split};

/// Random splits of every stream, each with its own seed.
const SPLITS: u64 = 64;
/// The answer's second of birth.
const CREATED: u64 = 1_790_000_000;
/// The answer's id, before a dialect puts its prefix in front.
const REPLY_ID: &str = "0123456789abcdef";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire")
}

fn blessing() -> bool {
    std::env::var_os("WAYSIDE_BLESS").is_some()
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    found.sort();
    found
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

/// One folder, and what its files should be.
struct Case {
    path: PathBuf,
    from: Dialect,
    to: Dialect,
    /// By name; those that are not here must not be there.
    made: BTreeMap<&'static str, String>,
}

/// Every file that blessing writes.
const MADE: [&str; 8] = [
    "upstream_request.json",
    "refused.json",
    "notes.json",
    "client_response.json",
    "client_response.sse",
    "failure.json",
    "usage.json",
    "malformed.json",
];

impl Case {
    fn all() -> Vec<Self> {
        let mut cases = Vec::new();
        for pair in folders(&root()) {
            let words = name(&pair).split_once('-');
            let dialects = words.and_then(|(from, to)| Some((Dialect::from_word(from)?, Dialect::from_word(to)?)));
            let Some((from, to)) = dialects else { panic!("tests/wire/{} names no two dialects", name(&pair)) };
            cases.extend(folders(&pair).into_iter().map(|path| Self { path, from, to, made: BTreeMap::new() }));
        }
        cases
    }

    fn place(&self) -> String {
        format!("tests/wire/{}-{}/{}", self.from.word(), self.to.word(), name(&self.path))
    }

    fn given(&self, file: &str) -> Option<Vec<u8>> {
        fs::read(self.path.join(file)).ok()
    }

    /// A stream's text, and whether frames are made of it.
    fn stream(&self) -> Option<(Vec<u8>, bool)> {
        let lines = self.given("upstream_response.sse").map(|text| (text, false));
        lines.or_else(|| self.given("upstream_response.frames").map(|text| (text, true)))
    }

    fn make(&mut self, file: &'static str, text: String) {
        assert!(MADE.contains(&file));
        self.made.insert(file, text);
    }

    fn run(&mut self) {
        let body = self.given("request.json").unwrap_or_else(|| panic!("{}: no request.json", self.place()));
        let settings: Value =
            self.given("target.json").map_or_else(|| json!({}), |text| serde_json::from_slice(&text).unwrap());
        let from = self.from;
        // Gemini's path says what other dialects say in the body.
        let in_path = (from == Dialect::Gemini).then(|| (usual_model(from), self.stream().is_some()));
        let target = target(self.to, &settings);
        let written = translate::conversation(from, &body, in_path).and_then(|conversation| {
            let written = translate::request(self.to, &conversation, &target)?;
            Ok((conversation, written))
        });
        match written {
            Err(bad) => {
                let error = CallerError::from(bad);
                let shown = format!("{{\"status\":{},\"body\":{}}}", error.status, error.body(from));
                self.make("refused.json", pretty(&shown));
            }
            Ok((conversation, written)) => {
                let body = match &settings["hosted"] {
                    Value::Null => written.body,
                    host => taken(&written.body, host),
                };
                serde_json::from_slice::<Value>(&body)
                    .unwrap_or_else(|error| panic!("{}: the upstream request is no JSON: {error}", self.place()));
                self.make("upstream_request.json", pretty(std::str::from_utf8(&body).unwrap()));
                self.notes(&written.notes);
                self.answer(&conversation, model(self.to, &settings));
            }
        }
    }

    fn notes(&mut self, notes: &Notes) {
        if *notes != Notes::default() {
            let shown = json!({ "adapted": notes.adapted, "dropped": notes.dropped });
            self.make("notes.json", pretty(&shown.to_string()));
        }
    }

    fn answer(&mut self, conversation: &Conversation<'_>, model: &str) {
        let echo = self.given("request.json").and_then(|body| translate::echo(self.from, &Bytes::from(body)));
        let include_usage = conversation.include_usage;
        let reply = Reply { id: REPLY_ID, model, created: CREATED, include_usage, echo: echo.as_ref() };
        if let Some(body) = self.given("upstream_response.json") {
            assert!(!conversation.stream, "{}: a stream was asked for", self.place());
            self.whole(&Bytes::from(body), &reply);
        }
        if let Some((text, frames)) = self.stream() {
            assert!(conversation.stream, "{}: no stream was asked for", self.place());
            let body = if frames { framing::wire(&text, self.to) } else { text };
            let whole = self.follow(&reply, &[&body]);
            let singly: Vec<&[u8]> = body.chunks(1).collect();
            assert_eq!(self.follow(&reply, &singly), whole, "{} byte by byte", self.place());
            for seed in 0..SPLITS {
                let pieces = split(&body, seed);
                assert_eq!(self.follow(&reply, &pieces), whole, "{} split with seed {seed}", self.place());
            }
            if whole.malformed > 0 {
                self.make("malformed.json", format!("{}\n", whole.malformed));
            }
            self.make("client_response.sse", String::from_utf8(whole.out).unwrap());
            self.usage(whole.usage);
        }
    }

    fn whole(&mut self, body: &Bytes, reply: &Reply<'_>) {
        let whole = Whole::read(self.to, self.from, body, None);
        let (summary, failed) = whole.summary();
        if let Some(error) = &failed {
            let shown = json!({ "failure": error.failure, "message": error.message });
            self.make("failure.json", pretty(&shown.to_string()));
        }
        // A filter and a refusal are answers all the same, unless a policy moves on.
        if failed.is_none_or(|error| matches!(error.failure, Failure::ContentFilter | Failure::Refusal)) {
            let model = summary.model.as_deref().unwrap_or(reply.model);
            let written = whole.for_caller(&Reply { model, ..*reply }).unwrap();
            let back = translate::read(self.from, &written);
            assert!(back.is_ok(), "{}: the answer cannot be read back: {back:?}", self.place());
            self.make("client_response.json", pretty(std::str::from_utf8(&written).unwrap()));
        }
        self.usage(summary.usage);
    }

    /// What the caller gets of a stream that arrives in these pieces.
    fn follow(&self, reply: &Reply<'_>, pieces: &[&[u8]]) -> Stream {
        let mut framer = framing::framer(self.to, self.path.join("upstream_response.frames").exists());
        let mut events: Vec<Event> = Vec::new();
        for piece in pieces {
            framer.push(Bytes::copy_from_slice(piece));
            while let Some(event) = framer.next_event().unwrap() {
                events.push(event);
            }
        }
        events.extend(framer.finish().unwrap());
        Stream::follow(self.to, self.from, reply, events)
    }

    fn usage(&mut self, usage: Option<Usage>) {
        self.make("usage.json", pretty(&serde_json::to_string(&usage).unwrap()));
    }

    /// What differs from the files, or nothing after writing them.
    fn compare(&self) -> Option<String> {
        for file in MADE {
            let (path, made) = (self.path.join(file), self.made.get(file));
            let there = fs::read_to_string(&path).ok();
            if there.as_ref() == made {
                continue;
            }
            if blessing() {
                match made {
                    Some(text) => fs::write(&path, text).unwrap(),
                    None => fs::remove_file(&path).unwrap(),
                }
                continue;
            }
            let place = self.place();
            return Some(match (there, made) {
                (Some(there), Some(made)) => format!("{place}: {file} differs {}", first_difference(&there, made)),
                (None, Some(made)) => format!("{place}: {file} is missing; it would be\n{made}"),
                (Some(_), None) => format!("{place}: {file} is there, but the case does not come to it"),
                (None, None) => continue,
            });
        }
        None
    }
}

/// A body as a cloud takes it.
fn taken(body: &[u8], host: &Value) -> Vec<u8> {
    let list =
        |name: &str| -> Vec<&str> { host[name].as_array().into_iter().flatten().filter_map(Value::as_str).collect() };
    let (without, betas) = (list("without"), list("betas"));
    let version = host["version"].as_str().unwrap();
    hosted(body, Host { version, without: &without, betas: &betas }).into_owned()
}

fn model(to: Dialect, settings: &Value) -> &str {
    settings["model"].as_str().unwrap_or(usual_model(to))
}

/// A model that the dialect is known for.
const fn usual_model(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Chat => "gpt-5.4",
        Dialect::Responses => "gpt-6.1-sol",
        Dialect::Messages => "claude-sonnet-4-5",
        Dialect::Gemini => "gemini-3-pro",
        Dialect::Converse => "anthropic.claude-sonnet-4-5-v1:0",
        Dialect::Embeddings => "text-embedding-ada-002-v2",
    }
}

fn target<'s>(to: Dialect, settings: &'s Value) -> Target<'s> {
    let mut able = Capabilities::NONE;
    for (word, value) in settings["able"].as_object().into_iter().flatten() {
        let field = match word.as_str() {
            "vision" => &mut able.vision,
            "pdf" => &mut able.pdf,
            "audio_input" => &mut able.audio_input,
            "video_input" => &mut able.video_input,
            "tools" => &mut able.tools,
            "parallel_tools" => &mut able.parallel_tools,
            "json_schema" => &mut able.json_schema,
            "sampling_params" => &mut able.sampling_params,
            "forced_tool_choice" => &mut able.forced_tool_choice,
            "reasoning" => &mut able.reasoning,
            "adaptive_thinking" => &mut able.adaptive_thinking,
            "thinking_always_on" => &mut able.thinking_always_on,
            "assistant_prefill" => &mut able.assistant_prefill,
            "mid_conversation_system" => &mut able.mid_conversation_system,
            other => panic!("target.json: a model is not described by '{other}'"),
        };
        *field = value.as_bool();
    }
    Target {
        model: model(to, settings),
        max_output: settings["max_output"].as_u64(),
        model_max_output: settings["model_max_output"].as_u64(),
        able,
        output_cap: settings["output_cap"].as_str().unwrap_or("max_completion_tokens"),
        lenient: settings["lenient"].as_bool().unwrap_or(false),
    }
}

/// The same JSON with a member on each line, its order and its numbers as they are.
fn pretty(json: &str) -> String {
    let (mut out, mut depth, mut inside, mut escaped) = (String::new(), 0, false, false);
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    let mut characters = json.chars().peekable();
    while let Some(character) = characters.next() {
        if inside {
            out.push(character);
            inside = escaped || character != '"';
            escaped = !escaped && character == '\\';
            continue;
        }
        match character {
            '{' | '[' => {
                while characters.next_if(|next| next.is_ascii_whitespace()).is_some() {}
                out.push(character);
                if let Some(close) = characters.next_if(|next| matches!(next, '}' | ']')) {
                    out.push(close);
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth -= 1;
                line(&mut out, depth);
                out.push(character);
            }
            ',' => {
                out.push(',');
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            character if character.is_ascii_whitespace() => {}
            character => {
                inside = character == '"';
                out.push(character);
            }
        }
    }
    out.push('\n');
    out
}

/// `at line 3: …, not …`
fn first_difference(there: &str, made: &str) -> String {
    let pairs = there.lines().map(Some).chain(std::iter::repeat(None)).zip(made.lines().map(Some).chain([None]));
    let (line, (there, made)) =
        pairs.enumerate().find(|(_, (there, made))| there != made).unwrap_or((0, (Some(there), Some(made))));
    let shown = |text: Option<&str>| text.map_or("the end".to_owned(), |text| format!("`{text}`"));
    format!("at line {}:\n  the file has  {}\n  it is now     {}", line + 1, shown(there), shown(made))
}

/// What became of a feature in one pair, by the cases that are named after it: `images`, `images-stream`, `refused-images`.
type Table = BTreeMap<(Dialect, Dialect), BTreeMap<String, BTreeSet<&'static str>>>;

fn outcomes() -> Table {
    let mut table = Table::new();
    for case in Case::all() {
        let there = |file: &str| case.path.join(file).exists();
        let outcome = if there("refused.json") {
            "refused"
        } else if there("notes.json") {
            "adapted"
        } else {
            "pass"
        };
        let feature = feature(name(&case.path));
        table.entry((case.from, case.to)).or_default().entry(feature).or_default().insert(outcome);
    }
    table
}

/// Different names of the same.
const SYNONYMS: [(&str, &str); 12] = [
    ("choices", "several answers"),
    ("cut", "cut mid stream"),
    ("image by url", "images by URL"),
    ("image unable", "images unable"),
    ("n", "several answers"),
    ("thinking", "reasoning"),
    ("thinking off", "reasoning off"),
    ("tool choice any", "tool choice required"),
    ("tool choice tool", "tool choice named"),
    ("tools call", "tool calls"),
    ("tools parallel results", "parallel tools"),
    ("usage cache", "usage with cache"),
];

/// `tool-calls-stream` and `refused_tool_calls` are both about tool calls.
fn feature(case: &str) -> String {
    let words = case.replace(['-', '_'], " ").replace("midstream", "mid stream");
    let about = words.strip_prefix("refused ").unwrap_or(&words);
    let about = about.strip_suffix(" stream").filter(|about| !about.ends_with(" mid")).unwrap_or(about);
    SYNONYMS.iter().find(|(name, _)| *name == about).map_or(about, |(_, usual)| usual).to_owned()
}

const HEAD: &str = "\
# What one dialect becomes in another

Made from the cases beside this file by `cargo test --test wire`; a cell is what the case of that name comes to. *pass*: the target \
says the same. *adapted*: something was changed or left out, and response headers name it. *refused*: status 400 in the caller's \
own dialect, naming the field. In its own dialect a request passes byte for byte and is in no table.

To add a case, make a folder in `<from>-<to>/` with the `request.json` that an official SDK sends and the `upstream_response.json` \
(for a stream `.sse`, or `.frames`) that the provider documents, run `WAYSIDE_BLESS=1 cargo test --test wire`, and read what it wrote.
";

fn readme() -> String {
    let title = |dialect: Dialect| match dialect {
        Dialect::Chat => "Chat Completions",
        Dialect::Responses => "Responses",
        Dialect::Messages => "Messages",
        Dialect::Gemini => "Gemini",
        Dialect::Converse => "Bedrock Converse",
        Dialect::Embeddings => "Embeddings",
    };
    let table = outcomes();
    let mut out = HEAD.to_owned();
    for from in Dialect::ALL {
        let pairs: Vec<_> = table.iter().filter(|((caller, _), _)| *caller == from).collect();
        if pairs.is_empty() {
            continue;
        }
        write!(out, "\n## Callers of {}\n\n| |", title(from)).unwrap();
        pairs.iter().for_each(|((_, to), _)| write!(out, " {} |", title(*to)).unwrap());
        writeln!(out, "\n|---|{}", "---|".repeat(pairs.len())).unwrap();
        let features: BTreeSet<&String> = pairs.iter().flat_map(|(_, features)| features.keys()).collect();
        for feature in features {
            write!(out, "| {feature} |").unwrap();
            for (_, features) in &pairs {
                let cell: Vec<_> = features.get(feature).into_iter().flatten().copied().collect();
                write!(out, " {} |", if cell.is_empty() { "–".to_owned() } else { cell.join(", ") }).unwrap();
            }
            out.push('\n');
        }
    }
    out
}

/// One test and not two: the table is made from the files that the cases write.
#[test]
fn every_case_is_written_as_its_files_say_and_the_table_tells_of_all() {
    let mut differing = String::new();
    for mut case in Case::all() {
        case.run();
        if let Some(difference) = case.compare() {
            writeln!(differing, "{difference}\n").unwrap();
        }
    }
    let (path, made) = (root().join("README.md"), readme());
    let there = fs::read_to_string(&path).unwrap_or_default();
    if there != made {
        if blessing() {
            fs::write(path, made).unwrap();
        } else {
            writeln!(differing, "tests/wire/README.md differs {}\n", first_difference(&there, &made)).unwrap();
        }
    }
    assert!(differing.is_empty(), "{differing}WAYSIDE_BLESS=1 writes what is now; read the difference.");
}

/// What every pair has a case of; of a choice of tools, any.
const NEEDED: [&str; 15] = [
    "plain",
    "system multi turn",
    "parallel tools",
    "tool choice",
    "images",
    "json schema",
    "stop sequences",
    "reasoning",
    "refusal",
    "length",
    "content filter",
    "error mid stream",
    "usage with cache",
    "empty content",
    "unicode",
];

#[test]
fn every_pair_has_a_case_of_everything() {
    let table = outcomes();
    let mut missing = String::new();
    // Converse is never a caller's.
    let callers = Dialect::ALL.into_iter().filter(|from| *from != Dialect::Converse);
    for (from, to) in callers.flat_map(|from| Dialect::ALL.map(|to| (from, to))).filter(|(from, to)| from != to) {
        let features = table.get(&(from, to));
        let has =
            |needed: &str| features.is_some_and(|features| features.keys().any(|there| there.starts_with(needed)));
        for needed in NEEDED.into_iter().filter(|needed| !has(needed)) {
            writeln!(missing, "tests/wire/{}-{}: no case of `{needed}`", from.word(), to.word()).unwrap();
        }
    }
    assert!(missing.is_empty(), "{missing}Make a folder for each, as tests/wire/README.md says.");
}

#[test]
fn json_is_laid_out_and_nothing_else() {
    let laid_out = pretty(r#"{"a":[1.50,{}],"b":"x\\\"{,","c":[ ],"d":{"e":null}}"#);
    assert_eq!(
        laid_out,
        "{\n  \"a\": [\n    1.50,\n    {}\n  ],\n  \"b\": \"x\\\\\\\"{,\",\n  \"c\": [],\n  \"d\": {\n    \"e\": null\n  }\n}\n"
    );
}
