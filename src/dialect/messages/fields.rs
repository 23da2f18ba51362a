//! Values of a request, each with its place for the one who wrote it.
//!
//! In: a cursor at a value. Out: the value, or why it is none. Must not know: what it is for.

use std::fmt;

use crate::dialect::bad_body::BadBody;
pub(super) use crate::dialect::pass::{Step, Stop, whole};
use crate::json::{Cursor, JsonError, Kind, Quoted, Raw};

/// What no request can do without.
pub(super) const NEEDS: &str = "\"model\", \"max_tokens\" and \"messages\"";

/// The next value must be of this kind.
pub(super) fn expect(cursor: &mut Cursor<'_>, kind: Kind, param: impl fmt::Display, wanted: &str) -> Step {
    let found = cursor.kind()?;
    if found == kind { Ok(()) } else { Err(BadBody::wrong_type(param, wanted, found).into()) }
}

pub(super) fn flag(cursor: &mut Cursor<'_>, param: impl fmt::Display) -> Step<bool> {
    expect(cursor, Kind::Bool, param, "a boolean")?;
    Ok(cursor.boolean()?)
}

pub(super) fn count(cursor: &mut Cursor<'_>, param: impl fmt::Display) -> Step<u64> {
    expect(cursor, Kind::Number, &param, "a whole number")?;
    cursor.unsigned_or_skip()?.ok_or_else(|| {
        let message = format!("Invalid value for '{param}': expected a whole number from 0 to {}.", u64::MAX);
        BadBody::at(param.to_string(), "invalid_value", message).into()
    })
}

pub(super) fn number<'a>(cursor: &mut Cursor<'a>, param: impl fmt::Display) -> Step<Raw<'a>> {
    expect(cursor, Kind::Number, param, "a number")?;
    Ok(cursor.raw()?)
}

pub(super) fn text<'a>(cursor: &mut Cursor<'a>, param: impl fmt::Display) -> Step<Quoted<'a>> {
    expect(cursor, Kind::String, param, "a string")?;
    Ok(cursor.string()?.into())
}

pub(super) fn object<'a>(cursor: &mut Cursor<'a>, param: impl fmt::Display) -> Step<Raw<'a>> {
    expect(cursor, Kind::Object, param, "an object")?;
    Ok(cursor.raw()?)
}

/// A word that is none of those the field takes.
pub(super) fn odd_word(param: impl fmt::Display, wanted: &str) -> Stop {
    let message = format!("Invalid value for '{param}': expected {wanted}.");
    BadBody::at(param.to_string(), "invalid_value", message).into()
}

/// The `type` of the object that comes next, which is not taken. Empty when it has none.
pub(super) fn type_ahead<'a>(cursor: &Cursor<'a>) -> Step<std::borrow::Cow<'a, str>> {
    let mut ahead = cursor.clone();
    let mut found = None;
    // Most objects begin with it; the rest is not looked at then.
    let outcome = ahead.members(|ahead, key| {
        if key.raw == "type"
            && let Some(word) = ahead.string_or_skip()?
        {
            found = Some(word.decode());
            return Err(None);
        }
        if key.raw != "type" {
            ahead.skip()?;
        }
        Ok::<(), Option<JsonError>>(())
    });
    match outcome {
        Err(Some(error)) => Err(error.into()),
        Err(None) | Ok(()) => Ok(found.unwrap_or_default()),
    }
}
