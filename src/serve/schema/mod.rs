//! Answers held against the schemas their callers demanded: `invalid_output` of section 5.3.
//!
//! In: a demand, what an answer says. Out: whether it has the shape. Must not know: hops, streams, what happens next.
//!
//! An application sends the same few schemas with every request, so each is compiled once. References lead nowhere but into the
//! schema itself: nothing is ever fetched. A schema that does not compile, or that takes too long, is its caller's business, and
//! nothing is held against it.

mod compile;
mod metered;

use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use lru::LruCache;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use self::compile::{Compiled, compile};
use self::metered::{Allowance, Seen, need_stack, within};
use super::ask::aside;
use crate::dialect::chat::answer::Finish;
use crate::dialect::chat::demand::Demand;
use crate::dialect::chat::output::{Choice, Output};
use crate::dialect::upstream_error::UpstreamError;
use crate::failure::Failure;

/// Largest schema that is compiled, in bytes: twice what providers take.
pub const MAX_SCHEMA: usize = 256 << 10;
/// Largest text that is held against one, in bytes. As much as of a stream is held: what is larger cannot be what was asked for.
pub const MAX_TEXT: usize = super::attempt::MAX_HELD;
/// Compiled schemas that are kept, by the bytes of their texts and of their patterns. Compiled, a text is some 20 times as large, and
/// an `enum` of objects 120 times.
pub const MAX_KEPT: usize = 2 << 20;
/// Looks at what one answer says before it is let through unjudged: a tenth of a second, and eight times what a mebibyte of numbers
/// takes that must be one of three types.
pub const MAX_LOOKS: usize = 1 << 24;
/// Stack that one answer may take before it is let through unjudged, on a thread that has twice as much. Compiling is as deep.
pub const MAX_STACK: usize = 32 << 20;
/// Looks to find the keyword that is broken: the validator describes every branch that was tried, in a kilobyte each.
const MAX_NAMING: usize = 1 << 16;
/// One judge at a time has such a thread, and one schema that is larger than [`LARGE_SCHEMA`] is compiled at a time. An answer that
/// waits longer for its turn is let through unjudged.
const MAX_WAIT: Duration = Duration::from_secs(1);
/// A schema that takes some megabytes and milliseconds to compile.
const LARGE_SCHEMA: usize = 16 << 10;
/// What a keyword takes of the stack: 300 bytes at most where it was measured, 800 without optimization.
const CALL: usize = 1 << 10;
/// Stack that can be had of the thread that is there.
const STACK_HERE: usize = 512 << 10;
/// What a schema costs beside its text.
const OVERHEAD: usize = 1 << 10;
/// Checking this much takes about a millisecond; other requests of the same thread should not wait for more.
const LONG_TEXT: usize = 64 << 10;
/// Looks that take about as long.
const LONG_LOOKS: usize = 1 << 17;

/// Every schema that was compiled lately.
pub struct Schemas {
    kept: Mutex<Kept>,
    most: usize,
    compiling: Mutex<()>,
    judging: Mutex<()>,
}

struct Kept {
    by_digest: LruCache<[u8; 32], (Known, usize)>,
    bytes: usize,
}

/// `None` for what does not compile.
type Known = Option<Arc<Compiled>>;

impl Default for Schemas {
    fn default() -> Self {
        Self::with_limit(MAX_KEPT)
    }
}

impl Schemas {
    fn with_limit(most: usize) -> Self {
        let kept = Mutex::new(Kept { by_digest: LruCache::unbounded(), bytes: 0 });
        Self { kept, most, compiling: Mutex::new(()), judging: Mutex::new(()) }
    }

    /// The compiled form of a schema.
    fn of(&self, text: &[u8]) -> Known {
        if text.len() > MAX_SCHEMA {
            return None;
        }
        let digest: [u8; 32] = Sha256::digest(text).into();
        self.known(&digest).or_else(|| aside(true, || self.compile(digest, text))).flatten()
    }

    fn known(&self, digest: &[u8; 32]) -> Option<Known> {
        self.kept.lock().by_digest.get(digest).map(|(known, _)| known.clone())
    }

    fn compile(&self, digest: [u8; 32], text: &[u8]) -> Option<Known> {
        let large = text.len() > LARGE_SCHEMA;
        let _alone = if large { Some(self.compiling.try_lock_for(MAX_WAIT)?) } else { None };
        // Whoever was there before may have come for the same one.
        if large && let Some(known) = self.known(&digest) {
            return Some(known);
        }
        let compiled = on_deep_stack(|| compile(text))?.map(Arc::new);
        let mut kept = self.kept.lock();
        let size = text.len() + OVERHEAD + compiled.as_ref().map_or(0, |compiled| compiled.patterns);
        kept.bytes += size;
        if let Some((_, size)) = kept.by_digest.put(digest, (compiled.clone(), size)) {
            kept.bytes -= size;
        }
        while kept.bytes > self.most {
            let Some((_, (_, size))) = kept.by_digest.pop_lru() else { break };
            kept.bytes -= size;
        }
        Some(compiled)
    }

    /// Does it where the stack is as large as can be asked for, once nobody else is there.
    fn deep<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Option<T> {
        aside(true, || {
            let _alone = self.judging.try_lock_for(MAX_WAIT)?;
            on_deep_stack(work)
        })
    }
}

/// `None` if the system has no thread to give.
fn on_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("schema".to_owned()).stack_size(2 * MAX_STACK);
        match thread.spawn_scoped(scope, work).ok()?.join() {
            Ok(done) => Some(done),
            Err(panic) => resume_unwind(panic),
        }
    })
}

/// What one answer must look like.
#[derive(Clone, Copy)]
pub struct Shape<'a> {
    /// What was compiled before.
    pub schemas: &'a Schemas,
    /// The request.
    pub body: &'a [u8],
    /// What it demands.
    pub demand: &'a Demand,
}

impl Shape<'_> {
    /// Whether the end must be here before anything can be said about what was said so far.
    pub fn waits(&self, output: &Output) -> bool {
        self.demand.of_every_text() || output.choices.iter().any(|choice| !choice.calls.is_empty())
    }

    /// `invalid_output` for an answer of another shape.
    ///
    /// # Errors
    /// Names the keyword that was broken, and nothing of the answer.
    pub fn check(&self, output: &Output) -> Result<(), UpstreamError> {
        let judge = || output.choices.iter().try_for_each(|choice| self.choice(choice));
        let long = output.len() >= LONG_TEXT;
        let here = Allowance { looks: if long { MAX_LOOKS } else { LONG_LOOKS }, stack: STACK_HERE };
        let all = Allowance { looks: MAX_LOOKS, stack: MAX_STACK };
        let told = aside(long, || within(here, judge)).or_else(|| self.schemas.deep(|| within(all, judge))?);
        told.unwrap_or_else(|| {
            tracing::debug!("a schema that takes too long: the answer is not checked");
            Ok(())
        })
    }

    /// One that was cut short, filtered or refused says so itself, and no other model would have had more room.
    fn choice(&self, choice: &Choice) -> Result<(), UpstreamError> {
        let short = matches!(choice.finish, Some(Finish::Length | Finish::ContentFilter | Finish::Error));
        if short || choice.refused {
            return Ok(());
        }
        for call in &choice.calls {
            metered::read(self.demand.tools_len());
            let Some(schema) = self.demand.of_call(self.body, &call.name) else { continue };
            let arguments = call.arguments.trim();
            // Some servers write nothing for a call without arguments.
            self.holds(schema, if arguments.is_empty() { "{}" } else { arguments }, "the arguments of a call")?;
        }
        match self.demand.of_text(self.body).filter(|_| choice.calls.is_empty()) {
            Some(schema) => self.holds(schema, &choice.text, "the text"),
            None => Ok(()),
        }
    }

    fn holds(&self, schema: &[u8], text: &str, what: &str) -> Result<(), UpstreamError> {
        let Some(compiled) = self.schemas.of(schema) else { return Ok(()) };
        need_stack(compiled.blind * CALL);
        if text.len() > MAX_TEXT {
            return Err(invalid(&format!("{what} is larger than {MAX_TEXT} bytes")));
        }
        let Ok(value) = serde_json::from_str(text) else { return Err(invalid(&format!("{what} is no JSON"))) };
        if compiled.validator.is_valid(Seen(&value)) {
            return Ok(());
        }
        let keyword = within(Allowance { looks: MAX_NAMING, stack: MAX_STACK }, || {
            let error = compiled.validator.validate(Seen(&value)).err()?;
            Some(error.schema_path().to_string())
        });
        Err(match keyword.flatten() {
            Some(keyword) => invalid(&format!("{what} breaks `{keyword}`")),
            None => invalid(&format!("{what} breaks its schema")),
        })
    }
}

/// An answer that cannot have the shape that was demanded.
pub fn invalid(why: &str) -> UpstreamError {
    UpstreamError { status: Some(200), ..UpstreamError::bare(Failure::InvalidOutput, why) }
}

#[cfg(test)]
mod tests {
    use super::compile::MAX_REFERENCES_LEFT_OVER;
    use super::*;
    use crate::dialect::chat::request::scan;
    use crate::dialect::scan::Wants;

    /// Compiling moves other work of the thread away, which only a runtime of several threads can do.
    fn check(schemas: &Schemas, request: &str, message: &str, finish: &str) -> Result<(), String> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],{request}}}"#).into_bytes();
        let demand = scan(&body, Wants::default()).unwrap().demand;
        let answer = format!(r#"{{"choices":[{{"message":{message},"finish_reason":"{finish}"}}]}}"#);
        let output = Output::of_answer(answer.as_bytes());
        let checked = runtime.block_on(async { Shape { schemas, body: &body, demand: &demand }.check(&output) });
        checked.map_err(|error| {
            assert_eq!(error.failure, Failure::InvalidOutput);
            error.message.to_string()
        })
    }

    fn format(schema: &str) -> String {
        format!(r#""response_format":{{"type":"json_schema","json_schema":{{"name":"n","schema":{schema}}}}}"#)
    }

    fn tool(schema: &str) -> String {
        format!(r#""tools":[{{"type":"function","function":{{"name":"f","parameters":{schema}}}}}]"#)
    }

    fn text(content: &str) -> String {
        format!(r#"{{"content":{}}}"#, serde_json::to_string(content).unwrap())
    }

    fn call(name: &str, arguments: &str) -> String {
        let arguments = serde_json::to_string(arguments).unwrap();
        format!(
            r#"{{"content":null,"tool_calls":[{{"id":"1","function":{{"name":"{name}","arguments":{arguments}}}}}]}}"#
        )
    }

    const POINT: &str =
        r#"{"type":"object","properties":{"x":{"type":"integer"}},"required":["x"],"additionalProperties":false}"#;

    #[test]
    fn an_answer_has_the_shape_or_its_failure_says_which_keyword_it_breaks() {
        let schemas = Schemas::default();
        let of = |request: &str, message: &str| check(&schemas, request, message, "stop");
        assert_eq!(of(&format(POINT), &text(" {\"x\":1}\n")), Ok(()));
        assert_eq!(of(&format(POINT), &text("{}")), Err("the text breaks `/required`".into()));
        let secret = of(&format(POINT), &text("{\"x\":\"secret\"}")).unwrap_err();
        assert_eq!(secret, "the text breaks `/properties/x/type`");
        for prose in ["", "Here you are: {\"x\":1}", "{\"x\":1} {}", "```json\n{\"x\":1}\n```"] {
            assert_eq!(of(&format(POINT), &text(prose)), Err("the text is no JSON".into()), "{prose}");
        }
        assert_eq!(of(&tool(POINT), &text("prose is fine where a tool is only offered")), Ok(()));
        assert_eq!(of(&tool(POINT), &call("f", "{\"x\":1}")), Ok(()));
        assert_eq!(of(&tool(POINT), &call("other", "nonsense")), Ok(()), "no schema, no judgment");
        assert!(of(&tool(POINT), &call("f", "{\"y\":1}")).is_err());
        assert!(of(&tool(POINT), &call("f", "")).is_err(), "nothing is an empty object");
        assert_eq!(of(&tool("{\"type\":\"object\"}"), &call("f", "")), Ok(()));
        let both = format!("{},{}", format(POINT), tool(POINT));
        assert_eq!(of(&both, &call("f", "{\"x\":1}")), Ok(()), "a call stands in for the text");
        assert_eq!(schemas.kept.lock().by_digest.len(), 2);
    }

    #[test]
    fn looking_for_tools_counts_too() {
        let filler = "x".repeat(64 << 10);
        let tool =
            format!(r#"{{"type":"function","function":{{"name":"f","description":"{filler}","parameters":{POINT}}}}}"#);
        let body =
            format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],"tools":[{tool}]}}"#).into_bytes();
        let demand = scan(&body, Wants::default()).unwrap().demand;
        let schemas = Schemas::default();
        let judged = |calls: usize, looks: usize| {
            let call = r#"{"id":"1","function":{"name":"f","arguments":"{\"x\":1}"}}"#;
            let answer = format!(r#"{{"choices":[{{"message":{{"tool_calls":[{}]}}}}]}}"#, vec![call; calls].join(","));
            let output = Output::of_answer(answer.as_bytes());
            let shape = Shape { schemas: &schemas, body: &body, demand: &demand };
            within(Allowance { looks, stack: STACK_HERE }, || shape.choice(&output.choices[0]).is_ok())
        };
        // Four thousand to find each, and a handful to judge it.
        assert_eq!(judged(2, 10_000), Some(true));
        assert_eq!(judged(3, 10_000), None);
        assert_eq!(judged(3, 15_000), Some(true));
    }

    #[test]
    fn what_ended_early_or_declined_is_not_judged() {
        let schemas = Schemas::default();
        for (message, finish) in [
            (text("{\"x\":"), "length"),
            (text("{\"x\":"), "content_filter"),
            (r#"{"content":null,"refusal":"I cannot"}"#.to_owned(), "stop"),
        ] {
            assert_eq!(check(&schemas, &format(POINT), &message, finish), Ok(()), "{message}");
        }
        assert!(check(&schemas, &format(POINT), &text("{\"x\":"), "stop").is_err());
    }

    #[test]
    fn a_schema_that_does_not_compile_judges_nothing_and_is_looked_at_once() {
        let schemas = Schemas::default();
        let bad = [
            r#"{"type":"nonsense"}"#,
            r##"{"$ref":"#/$defs/missing"}"##,
            r#"{"$ref":"https://localhost:1/schema.json"}"#,
            r#"{"$ref":"file:///etc/hosts"}"#,
            r#"{"type":"string","pattern":"(?=look)around"}"#,
            r#"{"type":"string","pattern":"(a{1000}){1000}"}"#,
        ];
        for schema in bad {
            for _ in 0..2 {
                assert_eq!(check(&schemas, &format(schema), &text("prose"), "stop"), Ok(()), "{schema}");
            }
        }
        assert_eq!(schemas.kept.lock().by_digest.len(), bad.len());
    }

    #[test]
    fn schemas_that_turn_in_circles_neither_hang_nor_overflow() {
        let schemas = Schemas::default();
        let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
        for (schema, value, holds) in [
            (r##"{"$ref":"#"}"##, "1", true),
            (r##"{"allOf":[{"$ref":"#"}]}"##, "1", true),
            (r##"{"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}},"$ref":"#/$defs/a"}"##, "1", true),
            (r##"{"anyOf":[{"type":"integer"},{"type":"array","items":{"$ref":"#"}}]}"##, &*deep, true),
            (
                r##"{"type":"string","pattern":"^(a+)+$"}"##,
                "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\"",
                false,
            ),
        ] {
            assert_eq!(check(&schemas, &format(schema), &text(value), "stop").is_ok(), holds, "{schema}");
        }
        let nested = |depth: usize| format!("{}{{}}{}", "{\"items\":".repeat(depth), "}".repeat(depth));
        assert_eq!(check(&schemas, &format(&nested(90)), &text("[]"), "stop"), Ok(()));
    }

    /// `depth` definitions, each of which says `branch` of the next, where that is `@`; the last is `end`.
    fn doubling(depth: usize, branch: &str, end: &str) -> String {
        let step = |n: usize| {
            let next = n + 1;
            format!(r##""a{n}":{},"##, branch.replace('@', &format!(r##"{{"$ref":"#/$defs/a{next}"}}"##)))
        };
        let steps: String = (0..depth).map(step).collect();
        format!(r##"{{"$defs":{{{steps}"a{depth}":{end}}},"$ref":"#/$defs/a0"}}"##)
    }

    #[test]
    fn schemas_that_double_with_each_line_judge_while_they_are_short_and_end_when_they_are_long() {
        let schemas = Schemas::default();
        for (branch, end, value) in [
            (r#"{"anyOf":[@,@]}"#, r#"{"type":"string"}"#, "1"),
            (r#"{"anyOf":[@,@]}"#, "false", "1"),
            (r#"{"oneOf":[@,@]}"#, "{}", "1"),
            (r#"{"anyOf":[@,{"not":{"not":@}}]}"#, r#"{"not":true}"#, "{}"),
            (r#"{"if":@,"then":@,"else":@}"#, "false", "1"),
        ] {
            let of = |depth| check(&schemas, &format(&doubling(depth, branch, end)), &text(value), "stop");
            assert!(of(3).is_err(), "{branch}");
            assert_eq!(of(60), Ok(()), "{branch}");
        }
    }

    #[test]
    fn schemas_that_double_by_what_they_leave_over_end() {
        let nested = |depth: usize| {
            let front = r#"{"unevaluatedProperties":false,"anyOf":["#.repeat(depth);
            format!(r#"{front}{{"properties":{{"a":true}}}}{}"#, "]}".repeat(depth))
        };
        let judged = |depth| {
            let compiled = compile(nested(depth).as_bytes()).unwrap();
            within(Allowance { looks: MAX_LOOKS, stack: STACK_HERE }, || {
                compiled.validator.is_valid(Seen(&serde_json::json!({"a":1})))
            })
        };
        assert_eq!((judged(3), judged(30)), (Some(true), None));
    }

    #[test]
    fn schemas_of_many_calls_inside_each_other_are_judged_as_far_as_the_stack_allowed_and_do_not_overflow_it() {
        let schemas = Schemas::default();
        let of = |schema: &str, value: &str| check(&schemas, &format(schema), &text(value), "stop");
        for (depth, branch) in [
            (8000, "@"),
            (5000, r#"{"anyOf":[@]}"#),
            (5000, r#"{"oneOf":[@]}"#),
            (3000, r#"{"dependentSchemas":{"k":@}}"#),
        ] {
            assert!(of(&doubling(depth, branch, "false"), r#"{"k":1}"#).is_err(), "{branch}");
        }
        let twice = doubling(3000, r#"{"not":{"not":@}}"#, "false");
        assert!(of(&twice, "1").is_err());
        let each = doubling(2000, r#"{"anyOf":[@]}"#, r##"{"type":"array","items":{"$ref":"#"}}"##);
        let nested = |depth: usize, inmost: &str| format!("{}{inmost}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(of(&each, &nested(2, "1")).is_err());
        assert_eq!(of(&each, &nested(2, "")), Ok(()));
        assert_eq!(of(&each, &nested(120, "1")), Ok(()), "not judged");
    }

    #[test]
    fn what_is_left_over_is_asked_with_so_many_references_and_not_one_more() {
        let schemas = Schemas::default();
        let branch = r#"{"unevaluatedProperties":false,"allOf":[@]}"#;
        // One leads to the first.
        let of = |references: usize| {
            let schema = doubling(references - 1, branch, r#"{"properties":{"a":true}}"#);
            check(&schemas, &format(&schema), &text(r#"{"b":1}"#), "stop")
        };
        assert!(of(MAX_REFERENCES_LEFT_OVER).is_err());
        assert_eq!(of(MAX_REFERENCES_LEFT_OVER + 1), Ok(()));
        assert_eq!(of(4000), Ok(()));
        for branch in [
            r#"{"unevaluatedProperties":false,"anyOf":[@,@]}"#,
            r#"{"unevaluatedProperties":false,"properties":{"k":false},"anyOf":[{"allOf":[@]},{"if":@,"then":@}]}"#,
            r#"{"unevaluatedItems":false,"dependentSchemas":{"a":@,"b":@}}"#,
        ] {
            assert!(compile(doubling(60, branch, "false").as_bytes()).is_none(), "{branch}");
        }
        let members = doubling(500, r#"{"unevaluatedProperties":false,"properties":{"k":@},"items":@}"#, "false");
        let members = check(&schemas, &format(&members), &text(r#"{"k":{"b":1}}"#), "stop");
        assert!(members.is_err(), "references for members and items do not count");
    }

    #[test]
    fn an_answer_that_fails_in_too_many_ways_is_judged_and_no_way_is_named() {
        let schemas = Schemas::default();
        let of = |depth| {
            let schema = doubling(depth, r#"{"anyOf":[@,@]}"#, r#"{"type":"string"}"#);
            check(&schemas, &format(&schema), &text("1"), "stop")
        };
        assert_eq!(of(3), Err("the text breaks `/$defs/a0/anyOf`".into()));
        assert_eq!(of(18), Err("the text breaks its schema".into()));
    }

    #[test]
    fn all_patterns_of_a_schema_share_one_limit() {
        let schemas = Schemas::default();
        let of = |patterns: &[&str]| {
            let all: Vec<String> = patterns.iter().map(|pattern| format!(r#"{{"pattern":"{pattern}"}}"#)).collect();
            check(&schemas, &format(&format!(r#"{{"allOf":[{}]}}"#, all.join(","))), &text("\"a\""), "stop")
        };
        assert!(of(&["[^a]{1000}"]).is_err());
        assert!(of(&["[^a]{1000}", "[^a]{1000}"]).is_err(), "the same one counts once");
        assert_eq!(of(&["[^a]{1000}", "[^a]{1000}b"]), Ok(()));
        let names = r#"{"patternProperties":{"[^a]{1000}":true,"[^a]{1000}b":true},"required":["x"]}"#;
        assert_eq!(check(&schemas, &format(names), &text("{}"), "stop"), Ok(()));
        let usual = |n: usize| format!(r#"{{"pattern":"^[a-z]{{2}}-[0-9a-f]+-{n}$"}}"#);
        let many: Vec<String> = (0..200).map(usual).collect();
        let many = format(&format!(r#"{{"allOf":[{}]}}"#, many.join(",")));
        assert!(check(&schemas, &many, &text("\"a\""), "stop").is_err(), "two hundred usual ones");
    }

    #[test]
    fn a_reference_into_data_or_to_no_schema_judges_nothing() {
        let schemas = Schemas::default();
        for (reference, judged) in [
            ("#/$defs/a", true),
            ("#/$defs/enum", true),
            ("#/properties/if", true),
            ("#/properties", false),
            ("#/$defs/b/const", false),
            ("#/$defs/b/%63onst", false),
        ] {
            let schema = format!(
                r##"{{"$defs":{{"a":false,"enum":false,"b":{{"const":{{"not":{{}}}}}}}},"properties":{{"if":false,"not":{{}}}},
                "$ref":"{reference}"}}"##
            );
            assert_eq!(check(&schemas, &format(&schema), &text("{}"), "stop").is_err(), judged, "{reference}");
        }
        let data = r#"{"const":{"anyOf":[1,2]}}"#;
        assert_eq!(
            check(&schemas, &format(data), &text(r#"{"anyOf":[1,2]}"#), "stop"),
            Ok(()),
            "data is left as it is"
        );
        assert!(check(&schemas, &format(data), &text(r#"{"anyOf":[1,3]}"#), "stop").is_err());
    }

    #[test]
    fn a_schema_is_compiled_up_to_the_limit_and_not_one_byte_above() {
        let schemas = Schemas::default();
        let of = |size: usize| {
            let front = r#"{"type":"integer","description":""#;
            format!("{front}{}\"}}", "x".repeat(size - front.len() - 2))
        };
        assert_eq!(of(MAX_SCHEMA).len(), MAX_SCHEMA);
        assert!(check(&schemas, &format(&of(MAX_SCHEMA)), &text("prose"), "stop").is_err());
        assert_eq!(check(&schemas, &format(&of(MAX_SCHEMA + 1)), &text("prose"), "stop"), Ok(()));
    }

    #[test]
    fn a_text_is_judged_up_to_the_limit_and_fails_above() {
        let schemas = Schemas::default();
        let of = |size: usize| text(&format!("{}1", " ".repeat(size - 1)));
        assert_eq!(check(&schemas, &format("{}"), &of(MAX_TEXT), "stop"), Ok(()));
        assert!(check(&schemas, &format("{}"), &of(MAX_TEXT + 1), "stop").is_err());
    }

    #[test]
    fn who_waits_too_long_for_a_turn_is_let_through_and_looked_at_again_the_next_time() {
        let schemas = Schemas::default();
        let large = format(&format!(r#"{{"type":"integer","description":"{}"}}"#, "x".repeat(LARGE_SCHEMA)));
        let deep = format(&doubling(2000, r#"{"anyOf":[@]}"#, "false"));
        let of = |schema: &str| check(&schemas, schema, &text("true"), "stop");
        let compiling = schemas.compiling.lock();
        assert_eq!(of(&large), Ok(()));
        assert!(of(&format(r#"{"type":"integer"}"#)).is_err(), "a small one does not wait");
        drop(compiling);
        assert!(of(&large).is_err());
        let judging = schemas.judging.lock();
        assert_eq!(of(&deep), Ok(()));
        drop(judging);
        assert!(of(&deep).is_err());
    }

    #[test]
    fn what_was_used_longest_ago_makes_room() {
        let schema = |n: usize| format!(r#"{{"type":"integer","maximum":{n}}}"#);
        let one = schema(1).len() + OVERHEAD;
        let schemas = Schemas::with_limit(2 * one);
        for n in [1, 2, 1, 3] {
            check(&schemas, &format(&schema(n)), &text("1"), "stop").unwrap();
        }
        let kept = schemas.kept.lock();
        let has = |n: usize| kept.by_digest.contains::<[u8; 32]>(&Sha256::digest(schema(n)).into());
        assert_eq!((has(1), has(2), has(3), kept.bytes), (true, false, true, 2 * one));
    }

    #[test]
    fn patterns_count_among_what_is_kept() {
        let schema = r#"{"allOf":[{"pattern":"^a+b$"},{"pattern":"^b+a$"},{"pattern":"^a+b$"}]}"#;
        let schemas = Schemas::default();
        check(&schemas, &format(schema), &text("\"x\""), "stop").unwrap_err();
        assert_eq!(schemas.kept.lock().bytes, schema.len() + OVERHEAD + 2 * (8 << 10));
    }
}
