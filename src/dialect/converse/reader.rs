//! What each event of ConverseStream means.
//!
//! In: the name and the JSON of one event after the other. Out: [`Delta`]s. Must not know: framing, time.

use smallvec::SmallVec;

use super::answer::{finish, in_string, usage};
use crate::dialect::canonical::Delta;
use crate::dialect::upstream_error::UpstreamError;
use crate::json::{Cursor, JsonError, Kind, Quoted};

/// Calls that are open at once. The provider has one; a stream that opens more and closes none loses the oldest.
const MAX_OPEN: usize = 32;

/// Follows one stream.
#[derive(Debug, Default)]
pub struct Reader {
    started: bool,
    calls: u32,
    open: SmallVec<[Open; 2]>,
}

/// A call whose block has not ended.
#[derive(Debug)]
struct Open {
    block: u64,
    index: u32,
    /// It has arguments.
    said: bool,
}

/// What a `contentBlockStart`, `contentBlockDelta` or `contentBlockStop` holds.
#[derive(Default)]
struct Block<'a> {
    index: u64,
    text: Option<Quoted<'a>>,
    thinking: Option<Quoted<'a>>,
    arguments: Option<Quoted<'a>>,
    call: Option<(Quoted<'a>, Quoted<'a>)>,
}

impl Reader {
    /// Takes an event, `name` being its `:event-type` or `:exception-type`.
    ///
    /// # Errors
    /// When the data are no JSON object.
    pub fn event(
        &mut self,
        name: Option<&[u8]>,
        data: &[u8],
        sink: &mut dyn FnMut(Delta<'_>),
    ) -> Result<(), JsonError> {
        let name = name.unwrap_or_default();
        if is_exception(name) {
            sink(Delta::Failed(Box::new(exception(name, data))));
            return Ok(());
        }
        match name {
            b"messageStart" => {
                each(data, |cursor, _| cursor.skip().map(|_| ()))?;
                self.start(sink);
            }
            b"contentBlockStart" | b"contentBlockDelta" | b"contentBlockStop" => {
                let block = Block::read(data)?;
                self.start(sink);
                self.block(block, name == b"contentBlockStop", sink);
            }
            b"messageStop" => {
                let mut reason = None;
                each(data, |cursor, key| {
                    match (key, cursor.kind()?) {
                        ("stopReason", Kind::String) => reason = Some(finish(&cursor.string()?.decode())),
                        _ => drop(cursor.skip()?),
                    }
                    Ok(())
                })?;
                if let Some(reason) = reason {
                    sink(Delta::Finish { reason, stop_sequence: None });
                }
            }
            b"metadata" => {
                let mut used = None;
                each(data, |cursor, key| {
                    match (key, cursor.kind()?) {
                        ("usage", Kind::Object) => used = usage(cursor)?,
                        _ => drop(cursor.skip()?),
                    }
                    Ok(())
                })?;
                if let Some(used) = used {
                    sink(Delta::Usage(used));
                }
                sink(Delta::End);
            }
            _ => each(data, |cursor, _| cursor.skip().map(|_| ()))?,
        }
        Ok(())
    }

    fn start(&mut self, sink: &mut dyn FnMut(Delta<'_>)) {
        if !std::mem::replace(&mut self.started, true) {
            sink(Delta::Start { id: None, model: None });
        }
    }

    fn block(&mut self, block: Block<'_>, stop: bool, sink: &mut dyn FnMut(Delta<'_>)) {
        if let Some((id, name)) = block.call {
            if self.open.len() == MAX_OPEN {
                self.open.remove(0);
            }
            self.open.push(Open { block: block.index, index: self.calls, said: false });
            sink(Delta::Call { index: self.calls, id, name });
            self.calls = self.calls.saturating_add(1);
        }
        if let Some(text) = block.thinking.filter(|text| !text.is_empty()) {
            sink(Delta::Thinking(text));
        }
        if let Some(text) = block.text.filter(|text| !text.is_empty()) {
            sink(Delta::Text(text));
        }
        let Some(at) = self.open.iter().position(|open| open.block == block.index) else { return };
        let open = &mut self.open[at];
        if let Some(piece) = block.arguments.filter(|piece| !piece.is_empty()) {
            open.said = true;
            sink(Delta::Arguments { index: open.index, piece });
        }
        if stop {
            if !open.said {
                // A function without arguments: no piece at all means an empty object.
                sink(Delta::Arguments { index: open.index, piece: Quoted::of("{}") });
            }
            self.open.remove(at);
        }
    }
}

impl<'a> Block<'a> {
    fn read(data: &'a [u8]) -> Result<Self, JsonError> {
        let mut block = Self::default();
        each(data, |cursor, key| {
            match (key, cursor.kind()?) {
                ("contentBlockIndex", Kind::Number) => block.index = cursor.unsigned_or_skip()?.unwrap_or(0),
                ("delta", Kind::Object) => cursor.members(|cursor, key| block.delta(cursor, key.raw))?,
                ("start", Kind::Object) => cursor.members(|cursor, key| block.begin(cursor, key.raw))?,
                _ => drop(cursor.skip()?),
            }
            Ok(())
        })?;
        Ok(block)
    }

    fn delta(&mut self, cursor: &mut Cursor<'a>, key: &str) -> Result<(), JsonError> {
        match (key, cursor.kind()?) {
            ("text", Kind::String) => self.text = Some(cursor.string()?.into()),
            ("toolUse", Kind::Object) => in_string(cursor, "input", |piece| self.arguments = Some(piece))?,
            ("reasoningContent", Kind::Object) => in_string(cursor, "text", |text| self.thinking = Some(text))?,
            _ => drop(cursor.skip()?),
        }
        Ok(())
    }

    fn begin(&mut self, cursor: &mut Cursor<'a>, key: &str) -> Result<(), JsonError> {
        if key != "toolUse" || cursor.kind()? != Kind::Object {
            return cursor.skip().map(|_| ());
        }
        let (mut id, mut name, mut own) = (Quoted::default(), Quoted::default(), true);
        cursor.members(|cursor, key| {
            match (key.raw, cursor.kind()?) {
                ("toolUseId", Kind::String) => id = cursor.string()?.into(),
                ("name", Kind::String) => name = cursor.string()?.into(),
                // The provider answers such a call itself.
                ("type", Kind::String) => own = cursor.string()?.raw != "server_tool_use",
                _ => drop(cursor.skip()?),
            }
            Ok::<(), JsonError>(())
        })?;
        self.call = own.then_some((id, name));
        Ok(())
    }
}

/// Visits the members of the object that `data` must be.
fn each<'a>(
    data: &'a [u8],
    mut visit: impl FnMut(&mut Cursor<'a>, &'a str) -> Result<(), JsonError>,
) -> Result<(), JsonError> {
    let mut cursor = Cursor::new(data)?;
    cursor.members(|cursor, key| visit(cursor, key.raw))?;
    cursor.finish()
}

/// `throttlingException`; what a frame of the type `error` names, too.
pub(in crate::dialect) fn is_exception(name: &[u8]) -> bool {
    [&b"Exception"[..], b"Error", b"Failure"].iter().any(|end| name.ends_with(end))
}

/// An exception means what the same one means in place of an answer; it has no status inside a stream.
fn exception(name: &[u8], data: &[u8]) -> UpstreamError {
    let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
    let status = match () {
        () if is("throttlingException") || is("modelNotReadyException") => 429,
        () if is("validationException") => 400,
        () if is("modelTimeoutException") => 408,
        () if is("serviceUnavailableException") => 503,
        () if is("accessDeniedException") => 403,
        () if is("resourceNotFoundException") => 404,
        () => 500,
    };
    let word = String::from_utf8_lossy(name);
    let headers = [("x-amzn-errortype", &*word)];
    let error = UpstreamError::from_response(status, &headers[..], data, jiff::Timestamp::UNIX_EPOCH);
    UpstreamError { status: None, ..error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Failure;

    /// The deltas of the events, shown.
    fn read(events: &[(&str, &str)]) -> Vec<String> {
        let mut reader = Reader::default();
        let mut seen = Vec::new();
        for (name, data) in events {
            let outcome = reader.event(Some(name.as_bytes()), data.as_bytes(), &mut |delta| {
                seen.push(match delta {
                    Delta::Failed(error) => format!("Failed {} {:?} {}", error.failure, error.code, error.message),
                    Delta::Usage(usage) => format!("Usage {} {}", usage.input(), usage.output),
                    other => format!("{other:?}").replace("Quoted", ""),
                });
            });
            if let Err(error) = outcome {
                seen.push(format!("{:?}", error.reason));
            }
        }
        seen
    }

    #[test]
    fn calls_are_numbered_and_always_have_arguments() {
        let seen = read(&[
            ("messageStart", r#"{"role":"assistant","p":"abcd"}"#),
            ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":""}}"#),
            ("contentBlockDelta", r#"{"delta":{"text":"a\n"},"contentBlockIndex":0}"#),
            ("contentBlockStop", r#"{"contentBlockIndex":0}"#),
            ("contentBlockStart", r#"{"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"t1","name":"f"}}}"#),
            ("contentBlockDelta", r#"{"contentBlockIndex":1,"delta":{"toolUse":{"input":""}}}"#),
            ("contentBlockDelta", r#"{"contentBlockIndex":1,"delta":{"toolUse":{"input":"{\"a\""}}}"#),
            ("contentBlockStop", r#"{"contentBlockIndex":1}"#),
            ("contentBlockStart", r#"{"contentBlockIndex":2,"start":{"toolUse":{"toolUseId":"t2","name":"g"}}}"#),
            ("contentBlockStop", r#"{"contentBlockIndex":2}"#),
            ("messageStop", r#"{"stopReason":"tool_use"}"#),
            ("aNewEvent", r#"{"x":1}"#),
            ("metadata", r#"{"usage":{"inputTokens":3,"outputTokens":4,"totalTokens":7},"metrics":{"latencyMs":1}}"#),
        ]);
        assert_eq!(
            seen,
            [
                "Start { id: None, model: None }",
                r#"Text(("a\\n"))"#,
                r#"Call { index: 0, id: ("t1"), name: ("f") }"#,
                r#"Arguments { index: 0, piece: ("{\\\"a\\\"") }"#,
                r#"Call { index: 1, id: ("t2"), name: ("g") }"#,
                r#"Arguments { index: 1, piece: ("{}") }"#,
                "Finish { reason: Calls, stop_sequence: None }",
                "Usage 3 4",
                "End",
            ]
        );
    }

    #[test]
    fn exceptions_have_their_words() {
        for (name, message, wanted) in [
            ("throttlingException", "Too many requests", Failure::RateLimit),
            ("serviceUnavailableException", "later", Failure::Overload),
            ("internalServerException", "oops", Failure::ServerError),
            ("modelStreamErrorException", "oops", Failure::ServerError),
            ("modelTimeoutException", "slow", Failure::Timeout),
            ("validationException", "Input is too long for requested model.", Failure::ContextLength),
            ("validationException", "no such field", Failure::BadRequest),
            ("InternalFailure", "oops", Failure::ServerError),
        ] {
            let seen = read(&[(name, &format!(r#"{{"message":"{message}"}}"#))]);
            let wanted = format!("Failed {wanted} Some(\"{}\") {message}", name.to_ascii_lowercase());
            assert_eq!(seen, [wanted]);
        }
        assert_eq!(read(&[("throttlingException", "")]), ["Failed rate_limit Some(\"throttlingexception\") "]);
    }

    #[test]
    fn what_is_no_object_is_an_error_and_nothing_panics() {
        for data in ["", "[]", "{", "null", "{} {}", "\"x\""] {
            for name in ["messageStart", "contentBlockDelta", "messageStop", "metadata", "other"] {
                assert_eq!(read(&[(name, data)]).len(), 1, "{name} {data}");
            }
        }
        for data in [r#"{"delta":null}"#, r#"{"contentBlockIndex":-1,"delta":{"toolUse":{"input":{}}}}"#] {
            assert_eq!(read(&[("contentBlockDelta", data)]), ["Start { id: None, model: None }"]);
        }
    }

    #[test]
    fn calls_that_never_end_are_kept_to_the_limit() {
        let mut reader = Reader::default();
        for block in 0..=MAX_OPEN {
            let data =
                format!(r#"{{"contentBlockIndex":{block},"start":{{"toolUse":{{"toolUseId":"t","name":"f"}}}}}}"#);
            reader.event(Some(b"contentBlockStart"), data.as_bytes(), &mut |_| {}).unwrap();
            assert_eq!(reader.open.len(), (block + 1).min(MAX_OPEN));
        }
    }
}
