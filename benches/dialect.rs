//! What translating costs: one event of a stream, and a body of a megabyte, for every pair of dialects.
//!
//! `cargo bench --no-default-features --bench dialect`

#![allow(clippy::unwrap_used, reason = "a bench that cannot start should stop")]
#![allow(missing_docs, reason = "criterion's macros write undocumented items")]

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use wayside::catalog::Capabilities;
use wayside::dialect::Dialect;
use wayside::dialect::canonical::{
    Block, Conversation, Delta, Finish, Media, MediaKind, Part, Reply, Role, Source, Target, Tool, Turn,
};
use wayside::dialect::sse::{Event, Framer};
use wayside::dialect::translate::{self, StreamReader, StreamWriter};
use wayside::json::{Quoted, Raw};
use wayside::usage::Usage;

const MODEL: &str = "a-model";
/// Pieces of text in a stream, each about as long as a token; then half as many of a call's arguments.
const PIECES: usize = 1000;
/// Of text and images in a body.
const BODY: usize = 1 << 20;
const REPLY: Reply<'_> =
    Reply { id: "0123456789", model: MODEL, created: 1_790_000_000, include_usage: true, echo: None };

/// An answer of text and one call.
fn deltas(sink: &mut dyn FnMut(Delta<'_>)) {
    sink(Delta::Start { id: Some(Quoted::of("id")), model: Some(Quoted::of(MODEL)) });
    for at in 0..PIECES {
        sink(Delta::Text(Quoted::of(if at % 8 == 7 { " token.\n" } else { " token" })));
    }
    sink(Delta::Call { index: 0, id: Quoted::of("call_1"), name: Quoted::of("look_up") });
    sink(Delta::Arguments { index: 0, piece: Quoted::of("{\"city\":\"") });
    for _ in 0..PIECES / 2 {
        sink(Delta::Arguments { index: 0, piece: Quoted::of("Z\u{fc}rich ") });
    }
    sink(Delta::Arguments { index: 0, piece: Quoted::of("\"}") });
    sink(Delta::Finish { reason: Finish::Calls, stop_sequence: None });
    sink(Delta::Usage(Usage::from_totals(1000, 500, 0, 1500, 0)));
    sink(Delta::End);
}

/// The same as an upstream sends it.
fn events(upstream: Dialect) -> Vec<Event> {
    let mut body = Vec::new();
    if upstream == Dialect::Converse {
        deltas(&mut |delta| converse(&delta, &mut body));
    } else {
        let mut writer = StreamWriter::new(upstream, &REPLY);
        deltas(&mut |delta| writer.write(&delta, &mut body));
    }
    let mut framer = Framer::default();
    framer.push(Bytes::from(body));
    std::iter::from_fn(|| framer.next_event().unwrap()).collect()
}

/// Converse is not written as a stream, so its events are put together here: name and payload of each frame.
fn converse(delta: &Delta<'_>, out: &mut Vec<u8>) {
    let (name, data) = match delta {
        Delta::Start { .. } => ("messageStart", r#"{"role":"assistant"}"#.to_owned()),
        Delta::Text(text) => {
            let text = text.written();
            ("contentBlockDelta", format!(r#"{{"contentBlockIndex":0,"delta":{{"text":"{text}"}}}}"#))
        }
        Delta::Call { .. } => (
            "contentBlockStart",
            r#"{"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"call_1","name":"look_up"}}}"#.to_owned(),
        ),
        Delta::Arguments { piece, .. } => {
            let piece = piece.written();
            let data = format!(r#"{{"contentBlockIndex":1,"delta":{{"toolUse":{{"input":"{piece}"}}}}}}"#);
            ("contentBlockDelta", data)
        }
        Delta::Finish { .. } => ("messageStop", r#"{"stopReason":"tool_use"}"#.to_owned()),
        Delta::Usage(_) => {
            ("metadata", r#"{"usage":{"inputTokens":1000,"outputTokens":1500,"totalTokens":2500}}"#.to_owned())
        }
        _ => return,
    };
    out.extend_from_slice(format!("event: {name}\ndata: {data}\n\n").as_bytes());
}

/// A conversation of prose, code and images, in one dialect's words.
fn body(caller: Dialect) -> Vec<u8> {
    let prose = "The harbor of \"Genoa\" saw 1,204 ships; none came twice.\n".repeat(40);
    let code = "fn main() {\n\tprintln!(\"h\u{e9}llo\\n\");\n}\n".repeat(40);
    let picture = "iVBORw0KGgoAAAANSUhEUgAA".repeat(2000);
    let mut said = Conversation::empty(if caller == Dialect::Chat { Dialect::Responses } else { Dialect::Chat });
    let mut size = 0;
    said.model = Quoted::of(MODEL);
    said.max_output = Some(1000);
    for at in 0.. {
        if size > BODY && at % 2 == 1 {
            break;
        }
        let (role, words) = if at % 2 == 0 { (Role::User, &prose) } else { (Role::Assistant, &code) };
        let mut blocks = vec![Block::from(Part::Text(Quoted::of(words).into_owned()))];
        size += words.len();
        if at % 8 == 0 {
            let source = Source::Inline { mime: "image/png".into(), data: Quoted::of(&picture) };
            blocks.push(Part::Media(Media { kind: MediaKind::Image, source, name: None, detail: None }).into());
            size += picture.len();
        }
        said.turns.push(Turn { role, blocks, at });
    }
    let schema = Raw(r#"{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}"#.into());
    let (name, description) = (Quoted::of("look_up"), Some(Quoted::of("Looks up.")));
    said.tools.push(Tool { name, description, schema: Some(schema), strict: None, cache: None });
    translate::request(caller, &said, &target()).unwrap().body
}

const fn target() -> Target<'static> {
    Target {
        model: MODEL,
        max_output: None,
        model_max_output: None,
        able: Capabilities::NONE,
        output_cap: "max_completion_tokens",
        lenient: true,
    }
}

/// One event read and written again; the bar is 3 µs.
fn streams(c: &mut Criterion) {
    let mut group = c.benchmark_group("dialect/event");
    group.measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    for upstream in Dialect::ALL {
        let events = events(upstream);
        group.throughput(Throughput::Elements(events.len() as u64));
        for caller in Dialect::CALLERS.into_iter().filter(|caller| *caller != upstream) {
            let mut out = Vec::with_capacity(1 << 20);
            group.bench_function(BenchmarkId::new(caller.word(), upstream.word()), |b| {
                b.iter(|| {
                    let mut reader = StreamReader::new(upstream);
                    let mut writer = StreamWriter::new(caller, &REPLY);
                    out.clear();
                    for event in &events {
                        let data = event.data().unwrap_or_default();
                        reader.event(event.name(), data, &mut |delta| writer.write(&delta, &mut out)).unwrap();
                    }
                    black_box(out.len())
                });
            });
        }
    }
}

/// A request read and written again; the bar is 200 MB/s.
fn bodies(c: &mut Criterion) {
    let mut group = c.benchmark_group("dialect/body");
    group.measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    for caller in Dialect::CALLERS {
        let body = body(caller);
        group.throughput(Throughput::Bytes(body.len() as u64));
        let in_path = (caller == Dialect::Gemini).then_some((MODEL, false));
        for upstream in Dialect::ALL.into_iter().filter(|upstream| *upstream != caller) {
            group.bench_function(BenchmarkId::new(caller.word(), upstream.word()), |b| {
                b.iter(|| {
                    let said = translate::conversation(caller, &body, in_path).unwrap();
                    black_box(translate::request(upstream, &said, &target()).unwrap().body.len())
                });
            });
        }
    }
}

criterion_group!(benches, streams, bodies);
criterion_main!(benches);
