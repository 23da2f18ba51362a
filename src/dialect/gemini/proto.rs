//! How Google reads JSON: names in either spelling, one value where a list may stand, words of any case.
//!
//! In: keys and values. Out: the same in one form. Must not know: which fields there are.

use std::borrow::Cow;

use crate::dialect::bad_body::BadBody;
pub(super) use crate::dialect::pass::{Step, Stop, skip};
use crate::json::{Cursor, Kind, Quoted, Raw, Text};

/// What no request can do without.
pub(super) const NEEDS: &str = "\"contents\"";

/// `generation_config` is `generationConfig`.
pub(super) fn camel(name: &str) -> Cow<'_, str> {
    if !name.contains('_') {
        return Cow::Borrowed(name);
    }
    let mut words = name.split('_');
    let mut out = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        out.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        out.push_str(letters.as_str());
    }
    Cow::Owned(out)
}

/// Takes the members of an object that say something: `null` is nothing. `visit` is given the name in one form, and as written.
pub(super) fn members<'a>(
    cursor: &mut Cursor<'a>,
    param: &str,
    mut visit: impl FnMut(&mut Cursor<'a>, &str, Kind, Text<'a>) -> Step,
) -> Step {
    let kind = cursor.kind()?;
    if kind != Kind::Object {
        return Err(BadBody::wrong_type(param, "an object", kind).into());
    }
    cursor.members(|cursor, key| match cursor.kind()? {
        Kind::Null => skip(cursor),
        kind => visit(cursor, &camel(&key.decode()), kind, key),
    })
}

/// Takes the items of a list; one value in its place is a list of it.
pub(super) fn each<'a>(cursor: &mut Cursor<'a>, mut visit: impl FnMut(&mut Cursor<'a>, usize) -> Step) -> Step {
    if cursor.kind()? != Kind::Array {
        return visit(cursor, 0);
    }
    let mut at = 0;
    cursor.items(|cursor| {
        visit(cursor, at)?;
        at += 1;
        Ok(())
    })
}

/// Takes a string.
pub(super) fn text<'a>(cursor: &mut Cursor<'a>, param: &str) -> Result<Quoted<'a>, Stop> {
    match cursor.kind()? {
        Kind::String => Ok(cursor.string()?.into()),
        kind => Err(BadBody::wrong_type(param, "a string", kind).into()),
    }
}

/// Takes one of Google's words, upper case.
pub(super) fn word(cursor: &mut Cursor<'_>, param: &str) -> Result<String, Stop> {
    Ok(text(cursor, param)?.decode().to_ascii_uppercase())
}

/// Takes a number, as written; `40.0`, as the official client writes a whole one, is `40`.
pub(super) fn number<'a>(cursor: &mut Cursor<'a>, param: &str) -> Result<Raw<'a>, Stop> {
    match cursor.kind()? {
        Kind::Number => {
            let raw = cursor.raw()?;
            Ok(match raw.0 {
                Cow::Borrowed(digits) => Raw(digits.strip_suffix(".0").unwrap_or(digits).into()),
                Cow::Owned(_) => raw,
            })
        }
        kind => Err(BadBody::wrong_type(param, "a number", kind).into()),
    }
}

/// Takes a whole number.
pub(super) fn whole(cursor: &mut Cursor<'_>, param: &str) -> Result<u64, Stop> {
    match cursor.kind()? {
        Kind::Number => cursor.unsigned_or_skip()?.ok_or_else(|| {
            let message = format!("Invalid value for '{param}': expected a whole number from 0 to {}.", u64::MAX);
            BadBody::at(param, "invalid_value", message).into()
        }),
        kind => Err(BadBody::wrong_type(param, "a whole number", kind).into()),
    }
}

/// Takes a value and tells whether it says anything: `false`, `""`, `[]` and `{}` do not.
pub(super) fn says_something(cursor: &mut Cursor<'_>) -> Result<bool, Stop> {
    match cursor.kind()? {
        Kind::Bool => Ok(cursor.boolean()?),
        Kind::Null => Ok(cursor.skip().map(|_| false)?),
        Kind::Number => Ok(cursor.skip().map(|_| true)?),
        Kind::Array => {
            let mut any = false;
            cursor.items(|cursor| {
                any = true;
                cursor.skip().map(|_| ())
            })?;
            Ok(any)
        }
        Kind::Object => {
            let mut any = false;
            cursor.members(|cursor, _| {
                any = true;
                cursor.skip().map(|_| ())
            })?;
            Ok(any)
        }
        Kind::String => Ok(!cursor.passage()?.span.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_one_name() {
        for (written, name) in [
            ("generationConfig", "generationConfig"),
            ("generation_config", "generationConfig"),
            ("response_json_schema", "responseJsonSchema"),
            ("top_k", "topK"),
            ("_a__b_", "AB"),
        ] {
            assert_eq!(camel(written), name, "{written}");
        }
    }

    #[test]
    fn what_says_nothing_is_told_from_what_does() {
        for (json, says) in [
            ("false", false),
            ("true", true),
            ("[ ]", false),
            ("{\n}", false),
            ("\"\"", false),
            ("null", false),
            ("0", true),
            ("[0]", true),
            ("{\"a\":1}", true),
        ] {
            let said = says_something(&mut Cursor::new(json.as_bytes()).unwrap());
            assert!(matches!(said, Ok(said) if said == says), "{json}");
        }
    }
}
