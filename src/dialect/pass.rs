//! One pass over a request's body, and why it stops.
//!
//! In: a body. Out: its members and values, or [`BadBody`] for its sender. Must not know: any provider's fields.

use super::bad_body::BadBody;
use crate::json::{Cursor, JsonError, Kind, Text};

/// What ends a pass; the body is needed to say where.
pub(in crate::dialect) enum Stop {
    Json(JsonError),
    Bad(BadBody),
}

impl From<JsonError> for Stop {
    fn from(error: JsonError) -> Self {
        Self::Json(error)
    }
}

impl From<BadBody> for Stop {
    fn from(error: BadBody) -> Self {
        Self::Bad(error)
    }
}

/// One step of a pass.
pub(in crate::dialect) type Step<T = ()> = Result<T, Stop>;

/// Takes a whole body, which is one object and nothing else; `needs` names the members that an empty one lacks.
pub(in crate::dialect) fn whole<'a>(
    body: &'a [u8],
    needs: &str,
    read: impl FnOnce(&mut Cursor<'a>) -> Step,
) -> Result<(), BadBody> {
    let outcome = Cursor::new(body).map_err(Stop::Json).and_then(|mut cursor| {
        let kind = cursor.kind()?;
        if kind != Kind::Object {
            let message = format!("The request body must be a JSON object, but it is {kind}.");
            return Err(BadBody::new("invalid_type", message).into());
        }
        read(&mut cursor)?;
        Ok(cursor.finish()?)
    });
    outcome.map_err(|stop| match stop {
        Stop::Bad(bad) => bad,
        Stop::Json(_) if body.iter().all(u8::is_ascii_whitespace) => {
            BadBody::new("empty_body", format!("The request body is empty. Send a JSON object with {needs}."))
        }
        Stop::Json(error) => BadBody::not_json(error, body),
    })
}

/// Takes a whole body, member by member. Each of `fields` may stand in it once: readers disagree on which of two counts, so a
/// second one could hide from the policy what the provider will see. Returns where the first member begins.
pub(in crate::dialect) fn members<'a>(
    body: &'a [u8],
    needs: &str,
    fields: &[&str],
    mut visit: impl FnMut(&mut Cursor<'a>, Text<'a>, Kind) -> Step,
) -> Result<usize, BadBody> {
    let (mut seen, mut first_member) = (0u64, 0);
    whole(body, needs, |cursor| {
        first_member = cursor.offset() + 1;
        cursor.members(|cursor, key| {
            let name = key.decode();
            if let Some(field) = fields.iter().position(|field| **field == *name) {
                if seen & 1 << field != 0 {
                    return Err(BadBody::twice(&name).into());
                }
                seen |= 1 << field;
            }
            let kind = cursor.kind()?;
            visit(cursor, key, kind)
        })
    })?;
    Ok(first_member)
}

/// Takes any value and forgets it.
pub(in crate::dialect) fn skip(cursor: &mut Cursor<'_>) -> Step {
    cursor.skip()?;
    Ok(())
}

pub(in crate::dialect) fn flag(cursor: &mut Cursor<'_>, kind: Kind, name: &str) -> Step<bool> {
    if kind != Kind::Bool {
        return Err(BadBody::wrong_type(name, "a boolean", kind).into());
    }
    Ok(cursor.boolean()?)
}

pub(in crate::dialect) fn number(cursor: &mut Cursor<'_>, kind: Kind, name: &str) -> Step<u64> {
    if kind != Kind::Number {
        return Err(BadBody::wrong_type(name, "a whole number", kind).into());
    }
    cursor.unsigned_or_skip()?.ok_or_else(|| {
        let message = format!("Invalid value for '{name}': expected a whole number from 0 to {}.", u64::MAX);
        BadBody::at(name, "invalid_value", message).into()
    })
}

pub(in crate::dialect) fn string<'a>(cursor: &mut Cursor<'a>, kind: Kind, name: &str) -> Step<Text<'a>> {
    if kind != Kind::String {
        return Err(BadBody::wrong_type(name, "a string", kind).into());
    }
    Ok(cursor.string()?)
}

/// An object or an array, by `kind`; an error that names both for anything else.
pub(in crate::dialect) fn expect(kind: Kind, wanted: Kind, name: &str) -> Step {
    if kind == wanted {
        return Ok(());
    }
    Err(BadBody::wrong_type(name, &wanted.to_string(), kind).into())
}
