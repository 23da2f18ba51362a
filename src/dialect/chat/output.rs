//! What an answer says and calls, put together from a document or from the events of a stream.
//!
//! In: a body, or the data of one event after the other. Out: the text and the calls of each choice. Must not know: whether that
//! is what the caller wanted.

use super::answer::Finish;
use crate::dialect::canonical::{Completion, Delta, Part};
use crate::json::{Cursor, JsonError, Kind};

/// Choices that are put together; the API allows 128.
pub const MAX_CHOICES: usize = 128;
/// Calls of one choice that are put together: as many as the API takes tools.
pub const MAX_CALLS: usize = 128;

/// What was said so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// In the order they began.
    pub choices: Vec<Choice>,
}

/// One of the answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    index: u64,
    /// Its text.
    pub text: String,
    /// What it calls.
    pub calls: Vec<Call>,
    /// It declines.
    pub refused: bool,
    /// It says something beside text, calls and refusals: thinking, sound.
    pub more: bool,
    /// Why it ended.
    pub finish: Option<Finish>,
}

/// One call of a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    index: u64,
    /// The tool.
    pub name: String,
    /// JSON, as the model wrote it.
    pub arguments: String,
}

impl Output {
    /// Of a whole answer. What is no answer says nothing.
    pub fn of_answer(body: &[u8]) -> Self {
        let mut output = Self::default();
        output.event(body);
        output
    }

    /// Adds what an event says.
    pub fn event(&mut self, data: &[u8]) {
        // What is not JSON has been judged elsewhere; nothing of it is added.
        let Ok(mut cursor) = Cursor::new(data) else { return };
        let _ = cursor.members(|cursor, key| match (key.raw, cursor.kind()?) {
            ("choices", Kind::Array) => {
                let mut position = 0;
                cursor.items(|cursor| {
                    let read = self.choice(cursor, position);
                    position += 1;
                    read
                })
            }
            _ => cursor.skip().map(drop),
        });
    }

    /// Of a whole answer in nobody's words.
    pub fn of_completion(completion: &Completion<'_>) -> Self {
        let mut choice = Choice { finish: completion.finish.map(Finish::of), ..Choice::default() };
        for part in &completion.parts {
            match part {
                Part::Text(text) => choice.text.push_str(&text.decode()),
                Part::Call(call) => choice.add_call(Call {
                    index: choice.calls.len() as u64,
                    name: call.name.decode().into_owned(),
                    arguments: call.arguments.0.to_string(),
                }),
                Part::Refusal(_) => choice.refused = true,
                Part::Thinking(_) | Part::Media(_) | Part::Result(_) => choice.more = true,
            }
        }
        Self { choices: vec![choice] }
    }

    /// Adds a piece of a stream in nobody's words.
    pub fn delta(&mut self, delta: &Delta<'_>) {
        if self.choices.is_empty() {
            self.choices.push(Choice::default());
        }
        let Some(choice) = self.choices.first_mut() else { return };
        match delta {
            Delta::Text(text) => choice.text.push_str(&text.decode()),
            Delta::Thinking(_) => choice.more = true,
            Delta::Refusal(_) => choice.refused = true,
            Delta::Call { index, name, .. } => {
                let name = name.decode().into_owned();
                choice.add_call(Call { index: u64::from(*index), name, arguments: String::new() });
            }
            Delta::Arguments { index, piece } => {
                let arguments = piece.decode().into_owned();
                choice.add_call(Call { index: u64::from(*index), name: String::new(), arguments });
            }
            Delta::Finish { reason, .. } => choice.finish = Some(Finish::of(*reason)),
            Delta::Start { .. } | Delta::Logprobs(_) | Delta::Usage(_) | Delta::End | Delta::Failed(_) => {}
        }
    }

    /// Bytes of text and arguments.
    pub fn len(&self) -> usize {
        let calls = |choice: &Choice| choice.calls.iter().map(|call| call.arguments.len()).sum::<usize>();
        self.choices.iter().map(|choice| choice.text.len() + calls(choice)).sum()
    }

    /// Nothing was said yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn choice(&mut self, cursor: &mut Cursor<'_>, position: u64) -> Result<(), JsonError> {
        let mut said = Choice { index: position, ..Choice::default() };
        cursor.members(|cursor, key| {
            match (key.raw, cursor.kind()?) {
                ("index", Kind::Number) => said.index = cursor.unsigned_or_skip()?.unwrap_or(position),
                ("message" | "delta", Kind::Object) => said.message(cursor)?,
                ("finish_reason", Kind::String) => {
                    let word = cursor.string()?;
                    said.finish = (!word.raw.is_empty()).then(|| Finish::from_word(&word.decode()));
                }
                _ => drop(cursor.skip()?),
            }
            Ok::<(), JsonError>(())
        })?;
        let room = self.choices.len() < MAX_CHOICES;
        match self.choices.iter_mut().find(|known| known.index == said.index) {
            Some(known) => known.add(said),
            None if room => self.choices.push(said),
            None => {}
        }
        Ok(())
    }
}

impl Choice {
    fn message(&mut self, cursor: &mut Cursor<'_>) -> Result<(), JsonError> {
        cursor.members(|cursor, key| {
            match (key.raw, cursor.kind()?) {
                ("content", Kind::String) => self.text.push_str(&cursor.string()?.decode()),
                ("content", Kind::Array) => cursor.items(|cursor| self.part(cursor))?,
                ("refusal", Kind::String) => self.refused |= !cursor.string()?.raw.is_empty(),
                ("tool_calls", Kind::Array) => {
                    let mut position = 0;
                    cursor.items(|cursor| {
                        let read = self.call(cursor, position);
                        position += 1;
                        read
                    })?;
                }
                ("function_call", Kind::Object) => {
                    let mut call = Call::default();
                    call.function(cursor)?;
                    self.add_call(call);
                }
                ("role" | "name" | "content" | "tool_calls" | "function_call" | "annotations", _) => {
                    cursor.skip()?;
                }
                (_, Kind::Null) => drop(cursor.skip()?),
                _ => self.more |= cursor.skip()?.len() > 2,
            }
            Ok(())
        })
    }

    /// Some servers give the text in parts, with thinking among them.
    fn part(&mut self, cursor: &mut Cursor<'_>) -> Result<(), JsonError> {
        let (mut is_text, mut text) = (true, None);
        cursor.members(|cursor, key| {
            match (key.raw, cursor.kind()?) {
                ("type", Kind::String) => is_text = cursor.string()?.decode() == "text",
                ("text", Kind::String) => text = Some(cursor.string()?.decode().into_owned()),
                _ => drop(cursor.skip()?),
            }
            Ok::<(), JsonError>(())
        })?;
        match text.filter(|_| is_text) {
            Some(text) => self.text.push_str(&text),
            None => self.more = true,
        }
        Ok(())
    }

    fn call(&mut self, cursor: &mut Cursor<'_>, position: u64) -> Result<(), JsonError> {
        let mut call = Call { index: position, ..Call::default() };
        cursor.members(|cursor, key| {
            match (key.raw, cursor.kind()?) {
                ("index", Kind::Number) => call.index = cursor.unsigned_or_skip()?.unwrap_or(position),
                ("function", Kind::Object) => call.function(cursor)?,
                _ => drop(cursor.skip()?),
            }
            Ok::<(), JsonError>(())
        })?;
        self.add_call(call);
        Ok(())
    }

    fn add(&mut self, more: Self) {
        self.text.push_str(&more.text);
        more.calls.into_iter().for_each(|call| self.add_call(call));
        self.refused |= more.refused;
        self.more |= more.more;
        self.finish = more.finish.or(self.finish);
    }

    fn add_call(&mut self, call: Call) {
        let room = self.calls.len() < MAX_CALLS;
        match self.calls.iter_mut().find(|known| known.index == call.index) {
            Some(known) => {
                known.name.push_str(&call.name);
                known.arguments.push_str(&call.arguments);
            }
            None if room => self.calls.push(call),
            None => {}
        }
    }
}

impl Call {
    fn function(&mut self, cursor: &mut Cursor<'_>) -> Result<(), JsonError> {
        cursor.members(|cursor, key| {
            match (key.raw, cursor.kind()?) {
                ("name", Kind::String) => self.name.push_str(&cursor.string()?.decode()),
                ("arguments", Kind::String) => self.arguments.push_str(&cursor.string()?.decode()),
                _ => drop(cursor.skip()?),
            }
            Ok(())
        })
    }
}

/// The same event of a stream with another text.
pub fn with_text(data: &[u8], text: &str) -> Option<String> {
    let mut event: serde_json::Value = serde_json::from_slice(data).ok()?;
    *event.pointer_mut("/choices/0/delta/content")? = text.into();
    Some(event.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_says_what_the_document_says() {
        let document = Output::of_answer(
            br#"{"choices":[{"index":0,"message":{"role":"assistant","content":"a \"b\"","refusal":null,"tool_calls":[
                {"id":"1","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},
                {"id":"2","type":"function","function":{"name":"g","arguments":""}}]},"finish_reason":"tool_calls"},
                {"index":1,"message":{"content":"c"},"finish_reason":"stop"}]}"#,
        );
        let mut stream = Output::default();
        for data in [
            r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
            r#"{"choices":[{"index":0,"delta":{"content":"a "}},{"index":1,"delta":{"content":"c"}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"content":"\"b\""},"finish_reason":""}]}"#,
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"1","function":{"name":"f","arguments":""}}]}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\""}}]}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"2","function":{"name":"g","arguments":""}}]}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}}]}"#,
            r#"{"choices":[{"index":1,"delta":{},"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
            r#"{"choices":[],"usage":{"prompt_tokens":1}}"#,
            "half of {",
        ] {
            stream.event(data.as_bytes());
        }
        assert_eq!(stream, document);
        assert_eq!(document.choices[0].text, "a \"b\"");
        assert_eq!(document.choices[0].calls[0].arguments, "{\"x\":1}");
        assert_eq!(document.len(), 5 + 7 + 1);
    }

    #[test]
    fn thinking_and_refusals_are_no_text() {
        let choice = |message: &str| {
            let body = format!(r#"{{"choices":[{{"message":{message},"finish_reason":"stop"}}]}}"#);
            Output::of_answer(body.as_bytes()).choices.remove(0)
        };
        let plain = choice(r#"{"role":"assistant","content":"x","annotations":[],"audio":null}"#);
        assert!(!plain.more && !plain.refused);
        let parts = choice(r#"{"content":[{"type":"thinking","thinking":[]},{"type":"text","text":"x"}]}"#);
        assert_eq!((&*parts.text, parts.more), ("x", true));
        assert!(choice(r#"{"content":"x","reasoning_content":"hm"}"#).more);
        assert!(choice(r#"{"content":null,"refusal":"no"}"#).refused);
    }

    #[test]
    fn more_than_the_limit_is_left_out() {
        let data = |choice: usize| format!(r#"{{"choices":[{{"index":{choice},"delta":{{"content":"x"}}}}]}}"#);
        let mut output = Output::default();
        (0..=MAX_CHOICES).for_each(|choice| output.event(data(choice).as_bytes()));
        assert_eq!(output.choices.len(), MAX_CHOICES);
        let call = |call: usize| {
            format!(r#"{{"choices":[{{"delta":{{"tool_calls":[{{"index":{call},"function":{{"name":"f"}}}}]}}}}]}}"#)
        };
        let mut output = Output::default();
        (0..=MAX_CALLS).for_each(|at| output.event(call(at).as_bytes()));
        assert_eq!(output.choices[0].calls.len(), MAX_CALLS);
    }
}
