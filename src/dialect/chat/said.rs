//! What a message of an answer, or a piece of one in a stream, says.
//!
//! In: the value of `message` or `delta`. Out: texts and calls where they stand. Must not know: what came before.

use smallvec::SmallVec;

use super::output::MAX_CALLS;
use crate::dialect::canonical::Finish;
use crate::json::{Cursor, JsonError, Kind, Quoted, Text};

/// One message or piece.
#[derive(Debug, Default)]
pub(super) struct Said<'a> {
    pub text: SmallVec<[Text<'a>; 1]>,
    pub thinking: SmallVec<[Text<'a>; 1]>,
    pub refusal: Option<Text<'a>>,
    pub calls: SmallVec<[Fragment<'a>; 1]>,
    /// More than [`MAX_CALLS`] at once.
    pub too_many: bool,
}

/// One call or a piece of it.
#[derive(Debug, Default)]
pub(super) struct Fragment<'a> {
    pub index: Option<u64>,
    pub id: Quoted<'a>,
    pub name: Quoted<'a>,
    /// As the inside of a JSON string.
    pub arguments: Quoted<'a>,
}

impl<'a> Said<'a> {
    /// Takes it.
    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Self, JsonError> {
        let mut said = Self::default();
        cursor.members(|cursor, key| said.member(cursor, key.raw))?;
        Ok(said)
    }

    fn member(&mut self, cursor: &mut Cursor<'a>, key: &str) -> Result<(), JsonError> {
        match (key, cursor.kind()?) {
            ("content", Kind::String) => add(&mut self.text, cursor.string()?),
            ("content", Kind::Array) => cursor.items(|cursor| self.part(cursor))?,
            // Servers that write both write the same twice.
            ("reasoning_content" | "reasoning", Kind::String) => {
                let text = cursor.string()?;
                if self.thinking.is_empty() {
                    add(&mut self.thinking, text);
                }
            }
            ("refusal", Kind::String) => self.refusal = Some(cursor.string()?).filter(|text| !text.raw.is_empty()),
            ("tool_calls", Kind::Array) => cursor.items(|cursor| self.call(cursor))?,
            ("function_call", Kind::Object) => {
                let mut fragment = Fragment { index: Some(0), ..Fragment::default() };
                fragment.function(cursor)?;
                self.add_call(fragment);
            }
            _ => drop(cursor.skip()?),
        }
        Ok(())
    }

    /// Mistral's list of parts: text, and thinking that is a list of texts itself.
    fn part(&mut self, cursor: &mut Cursor<'a>) -> Result<(), JsonError> {
        if cursor.kind()? != Kind::Object {
            return cursor.skip().map(|_| ());
        }
        cursor.members(|cursor, key| {
            match (key.raw, cursor.kind()?) {
                ("text", Kind::String) => add(&mut self.text, cursor.string()?),
                ("thinking", Kind::String) => add(&mut self.thinking, cursor.string()?),
                ("thinking", Kind::Array) => cursor.items(|cursor| match cursor.kind()? {
                    Kind::Object => cursor.members(|cursor, key| {
                        match (key.raw, cursor.kind()?) {
                            ("text", Kind::String) => add(&mut self.thinking, cursor.string()?),
                            _ => drop(cursor.skip()?),
                        }
                        Ok::<(), JsonError>(())
                    }),
                    _ => cursor.skip().map(|_| ()),
                })?,
                _ => drop(cursor.skip()?),
            }
            Ok(())
        })
    }

    fn call(&mut self, cursor: &mut Cursor<'a>) -> Result<(), JsonError> {
        if cursor.kind()? != Kind::Object {
            return cursor.skip().map(|_| ());
        }
        let mut fragment = Fragment::default();
        cursor.members(|cursor, key| {
            match (key.raw, cursor.kind()?) {
                ("index", Kind::Number) => fragment.index = cursor.unsigned_or_skip()?,
                ("id", Kind::String) => fragment.id = cursor.string()?.into(),
                ("function", Kind::Object) => fragment.function(cursor)?,
                _ => drop(cursor.skip()?),
            }
            Ok::<(), JsonError>(())
        })?;
        self.add_call(fragment);
        Ok(())
    }

    fn add_call(&mut self, fragment: Fragment<'a>) {
        if self.calls.len() == MAX_CALLS {
            self.too_many = true;
        } else {
            self.calls.push(fragment);
        }
    }
}

impl<'a> Fragment<'a> {
    fn function(&mut self, cursor: &mut Cursor<'a>) -> Result<(), JsonError> {
        cursor.members(|cursor, key| {
            match (key.raw, cursor.kind()?) {
                ("name", Kind::String) => self.name = cursor.string()?.into(),
                ("arguments", Kind::String) => self.arguments = cursor.string()?.into(),
                // Some servers write the object itself.
                ("arguments", Kind::Object) => self.arguments = Quoted::of(&cursor.raw()?.0).into_owned(),
                _ => drop(cursor.skip()?),
            }
            Ok(())
        })
    }
}

fn add<'a>(texts: &mut SmallVec<[Text<'a>; 1]>, text: Text<'a>) {
    if !text.raw.is_empty() {
        texts.push(text);
    }
}

/// Why an answer ended, from its word and what else it holds; `None` for a word that says that it did not.
pub(super) fn finish(word: &str, calls: bool, refused: bool) -> Option<Finish> {
    use super::answer::Finish as Word;
    if word.is_empty() {
        return None;
    }
    Some(match Word::from_word(word) {
        Word::Stop | Word::ToolCalls | Word::Other if refused => Finish::Refused,
        Word::ContentFilter if refused => Finish::Refused,
        // Some servers say `stop` after calls.
        Word::Stop | Word::Other if calls => Finish::Calls,
        Word::Stop | Word::Other => Finish::Stop,
        Word::Length => Finish::Length,
        Word::ToolCalls => Finish::Calls,
        Word::ContentFilter => Finish::Filtered,
        Word::Error => Finish::Error,
    })
}

/// The word for why an answer ended. An answer that says in its own words that the model declined ends as any other.
pub(super) const fn word(finish: Option<Finish>, refusal: bool) -> &'static str {
    match finish {
        None | Some(Finish::Stop | Finish::Error) => "stop",
        Some(Finish::Length) => "length",
        Some(Finish::Calls) => "tool_calls",
        Some(Finish::Refused) if refusal => "stop",
        Some(Finish::Filtered | Finish::Refused) => "content_filter",
    }
}
