//! Answers held against the schemas their callers demanded: `invalid_output` of section 5.3.
//!
//! In: a demand, what an answer says. Out: whether it has the shape. Must not know: hops, streams, what happens next.
//!
//! An application sends the same few schemas with every request, so each is compiled once. References lead nowhere but into the
//! schema itself: nothing is ever fetched. A schema that does not compile is its caller's business, and nothing is held
//! against it.

use std::sync::Arc;

use jsonschema::{PatternOptions, Validator};
use lru::LruCache;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

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
/// Compiled schemas that are kept, by the bytes of their text; compiled, each is a few times as large.
pub const MAX_KEPT: usize = 2 << 20;
/// Compiled size of one `pattern`.
const MAX_PATTERN: usize = 1 << 20;
/// What a schema costs beside its text.
const OVERHEAD: usize = 1 << 10;
/// Checking this much takes about a millisecond; other requests of the same thread should not wait for more.
const LONG_TEXT: usize = 64 << 10;

/// Every schema that was compiled lately.
pub struct Schemas {
    kept: Mutex<Kept>,
    most: usize,
}

struct Kept {
    by_digest: LruCache<[u8; 32], (Compiled, usize)>,
    bytes: usize,
}

/// `None` for what does not compile.
type Compiled = Option<Arc<Validator>>;

impl Default for Schemas {
    fn default() -> Self {
        Self::with_limit(MAX_KEPT)
    }
}

impl Schemas {
    fn with_limit(most: usize) -> Self {
        Self { kept: Mutex::new(Kept { by_digest: LruCache::unbounded(), bytes: 0 }), most }
    }

    /// The compiled form of a schema.
    fn of(&self, text: &[u8]) -> Compiled {
        if text.len() > MAX_SCHEMA {
            return None;
        }
        let digest: [u8; 32] = Sha256::digest(text).into();
        if let Some((known, _)) = self.kept.lock().by_digest.get(&digest) {
            return known.clone();
        }
        let compiled = aside(true, || compile(text));
        let mut kept = self.kept.lock();
        let size = text.len() + OVERHEAD;
        kept.bytes += size;
        if let Some((_, size)) = kept.by_digest.put(digest, (compiled.clone(), size)) {
            kept.bytes -= size;
        }
        while kept.bytes > self.most {
            let Some((_, (_, size))) = kept.by_digest.pop_lru() else { break };
            kept.bytes -= size;
        }
        compiled
    }
}

fn compile(text: &[u8]) -> Compiled {
    let schema = serde_json::from_slice(text).ok()?;
    // The engine without look-around takes linear time on every text.
    let patterns = PatternOptions::regex().size_limit(MAX_PATTERN);
    match jsonschema::options().offline().with_pattern_options(patterns).build(&schema) {
        Ok(validator) => Some(Arc::new(validator)),
        Err(error) => {
            tracing::debug!(at = %error.schema_path(), "a schema that does not compile: its answers are not checked");
            None
        }
    }
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
        aside(output.len() >= LONG_TEXT, || output.choices.iter().try_for_each(|choice| self.choice(choice)))
    }

    /// One that was cut short, filtered or refused says so itself, and no other model would have had more room.
    fn choice(&self, choice: &Choice) -> Result<(), UpstreamError> {
        let short = matches!(choice.finish, Some(Finish::Length | Finish::ContentFilter | Finish::Error));
        if short || choice.refused {
            return Ok(());
        }
        for call in &choice.calls {
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
        let Some(validator) = self.schemas.of(schema) else { return Ok(()) };
        if text.len() > MAX_TEXT {
            return Err(invalid(&format!("{what} is larger than {MAX_TEXT} bytes")));
        }
        let Ok(value) = serde_json::from_str(text) else { return Err(invalid(&format!("{what} is no JSON"))) };
        validator.validate(&value).map_err(|error| invalid(&format!("{what} breaks `{}`", error.schema_path())))
    }
}

/// An answer that cannot have the shape that was demanded.
pub fn invalid(why: &str) -> UpstreamError {
    UpstreamError { status: Some(200), ..UpstreamError::bare(Failure::InvalidOutput, why) }
}

#[cfg(test)]
mod tests {
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
}
