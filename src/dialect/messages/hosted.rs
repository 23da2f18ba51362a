//! A Messages request for a cloud that hosts the models and names them in the path.
//!
//! In: a body as Anthropic's own API takes it. Out: the same without `model`, and with the version that Anthropic's own API has in
//! a header. Must not know: which cloud.

use std::borrow::Cow;

use crate::dialect::json::{Cursor, JsonError};

/// The body's own field for the version.
const VERSION: &str = "anthropic_version";

/// What such a cloud takes. A body that is no object, or says its version already, is left as it is in that respect.
pub fn hosted<'b>(body: &'b [u8], version: &str) -> Cow<'b, [u8]> {
    let Ok(members) = members(body) else { return Cow::Borrowed(body) };
    let mut out = Vec::with_capacity(body.len() + VERSION.len() + version.len() + 8);
    out.push(b'{');
    if members.iter().all(|(name, _)| name != VERSION) {
        crate::dialect::json::write::text(&mut out, VERSION);
        out.push(b':');
        crate::dialect::json::write::text(&mut out, version);
        out.push(b',');
    }
    for (_, member) in members.iter().filter(|(name, _)| name != "model") {
        out.extend_from_slice(member);
        out.push(b',');
    }
    // The comma behind the last member, of which there is at least the version.
    out.pop();
    out.push(b'}');
    Cow::Owned(out)
}

/// A name and its value as written.
type Member<'a> = (Cow<'a, str>, &'a [u8]);

/// Name and bytes of each member, its key included.
fn members(body: &[u8]) -> Result<Vec<Member<'_>>, JsonError> {
    let mut cursor = Cursor::new(body)?;
    let mut members = Vec::new();
    cursor.members(|cursor, key| {
        let value = cursor.skip()?;
        members.push((key.decode(), body.get(key.quoted().start..value.end).unwrap_or_default()));
        Ok::<(), JsonError>(())
    })?;
    cursor.finish()?;
    Ok(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(body: &str) -> String {
        String::from_utf8(hosted(body.as_bytes(), "vertex-2023-10-16").into_owned()).unwrap()
    }

    #[test]
    fn the_model_is_left_out_and_the_version_is_put_in() {
        assert_eq!(
            written(r#"{ "model" : "m", "max_tokens": 1, "messages" : [{"model":"x"}] , "new": {"a": 1.50} }"#),
            r#"{"anthropic_version":"vertex-2023-10-16","max_tokens": 1,"messages" : [{"model":"x"}],"new": {"a": 1.50}}"#
        );
        assert_eq!(written(r#"{"model":"m"}"#), r#"{"anthropic_version":"vertex-2023-10-16"}"#);
        assert_eq!(written(r#"{"m\u006fdel":"m","a":1}"#), r#"{"anthropic_version":"vertex-2023-10-16","a":1}"#);
        assert_eq!(written(r#"{"anthropic_version":"v","model":"m"}"#), r#"{"anthropic_version":"v"}"#);
    }

    #[test]
    fn what_is_no_object_stays() {
        for body in ["", "[]", "{", "{} {}"] {
            assert_eq!(written(body), body);
        }
    }
}
