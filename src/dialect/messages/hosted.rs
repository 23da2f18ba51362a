//! A Messages request for a cloud that hosts the models and names them in the path.
//!
//! In: a body as Anthropic's own API takes it. Out: the same without what the cloud has elsewhere, and with what Anthropic's own API
//! has in headers. Must not know: which cloud.

use std::borrow::Cow;

use crate::json::write::object;
use crate::json::{Cursor, JsonError, Raw};

/// The body's own field for the version.
const VERSION: &str = "anthropic_version";
/// The body's own field for features that are not in the version.
const BETAS: &str = "anthropic_beta";

/// What such a cloud wants otherwise.
#[derive(Clone, Copy, Debug)]
pub struct Host<'h> {
    /// The version that stands in the body.
    pub version: &'h str,
    /// Members that it refuses: what they say is in the path.
    pub without: &'h [&'h str],
    /// Values of the header for features, which it takes in the body.
    pub betas: &'h [&'h str],
}

/// What such a cloud takes. A body that is no object is left as it is, and one that says its version or its features already, in
/// that respect.
pub fn hosted<'b>(body: &'b [u8], host: Host<'_>) -> Cow<'b, [u8]> {
    let Ok(members) = members(body) else { return Cow::Borrowed(body) };
    let says = |wanted: &str| members.iter().any(|(name, _)| name == wanted);
    let mut out = Vec::with_capacity(body.len() + VERSION.len() + host.version.len() + 8);
    object(&mut out, |o| {
        if !says(VERSION) {
            o.text(VERSION, host.version);
        }
        let betas: Vec<&str> = host.betas.iter().flat_map(|list| list.split(',')).map(str::trim).collect();
        if !says(BETAS) && betas.iter().any(|beta| !beta.is_empty()) {
            o.array(BETAS, |list| betas.iter().filter(|beta| !beta.is_empty()).for_each(|beta| list.text(beta)));
        }
        for (name, value) in members.iter().filter(|(name, _)| !host.without.contains(&&**name)) {
            let mut key = Vec::new();
            crate::json::write::escape(&mut key, name);
            o.raw(std::str::from_utf8(&key).unwrap_or_default(), value);
        }
    });
    Cow::Owned(out)
}

/// A name and its value as written.
type Member<'a> = (Cow<'a, str>, Raw<'a>);

fn members(body: &[u8]) -> Result<Vec<Member<'_>>, JsonError> {
    let mut cursor = Cursor::new(body)?;
    let mut members = Vec::new();
    cursor.members(|cursor, key| {
        let name = key.decode();
        members.push((name, cursor.raw()?));
        Ok::<(), JsonError>(())
    })?;
    cursor.finish()?;
    Ok(members)
}

/// The name that an answer has for a model, of the name that a cloud has for it: `eu.anthropic.claude-sonnet-4-5-20250929-v1:0` and
/// `claude-haiku-4-5@20251001` are `claude-sonnet-4-5-20250929` and `claude-haiku-4-5-20251001`. `None` where the cloud's does
/// not say.
pub fn own_name(model: &str) -> Option<Cow<'_, str>> {
    let (_, name) =
        model.rsplit_once("claude-").filter(|(front, _)| front.is_empty() || front.ends_with("anthropic."))?;
    let name = &model[model.len() - name.len() - "claude-".len()..];
    if name.contains('@') {
        return Some(name.replace('@', "-").into());
    }
    // `-v1:0`, `-v1`: a revision of the cloud's.
    let name = name.split_once(':').map_or(name, |(name, _)| name);
    let revised = name.rsplit_once("-v").filter(|(_, tail)| tail.bytes().all(|byte| byte.is_ascii_digit()));
    Some(revised.map_or(name, |(name, _)| name).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERTEX: Host<'static> = Host { version: "vertex-2023-10-16", without: &["model"], betas: &[] };

    fn written(body: &str, host: Host<'_>) -> String {
        String::from_utf8(hosted(body.as_bytes(), host).into_owned()).unwrap()
    }

    #[test]
    fn the_model_is_left_out_and_the_version_is_put_in() {
        let written = |body| written(body, VERTEX);
        assert_eq!(
            written(r#"{ "model" : "m", "max_tokens": 1, "messages" : [{"model":"x"}] , "new": {"a": 1.50} }"#),
            r#"{"anthropic_version":"vertex-2023-10-16","max_tokens":1,"messages":[{"model":"x"}],"new":{"a": 1.50}}"#
        );
        assert_eq!(written(r#"{"model":"m"}"#), r#"{"anthropic_version":"vertex-2023-10-16"}"#);
        assert_eq!(written(r#"{"m\u006fdel":"m","a":1}"#), r#"{"anthropic_version":"vertex-2023-10-16","a":1}"#);
        assert_eq!(written(r#"{"anthropic_version":"v","model":"m"}"#), r#"{"anthropic_version":"v"}"#);
        assert_eq!(written(r#"{"a\"\u00e4":1}"#), r#"{"anthropic_version":"vertex-2023-10-16","a\"ä":1}"#);
    }

    #[test]
    fn features_move_from_the_header_into_the_body() {
        let host = Host { version: "bedrock-2023-05-31", without: &["model", "stream"], betas: &["a-1, b-2", "c-3,"] };
        assert_eq!(
            written(r#"{"model":"m","stream":true,"max_tokens":1}"#, host),
            r#"{"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["a-1","b-2","c-3"],"max_tokens":1}"#
        );
        let own = r#"{"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["d"]}"#;
        assert_eq!(written(r#"{"anthropic_beta":["d"]}"#, host), own);
        let none = Host { betas: &["", " , "], ..host };
        assert_eq!(written("{}", none), r#"{"anthropic_version":"bedrock-2023-05-31"}"#);
    }

    #[test]
    fn what_is_no_object_stays() {
        for body in ["", "[]", "{", "{} {}"] {
            assert_eq!(written(body, VERTEX), body);
        }
    }

    #[test]
    fn a_clouds_name_for_a_model_is_known_by_the_models_own() {
        for (cloud, own) in [
            ("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", Some("claude-sonnet-4-5-20250929")),
            ("anthropic.claude-opus-4-6-v1", Some("claude-opus-4-6")),
            ("anthropic.claude-opus-4-7", Some("claude-opus-4-7")),
            (
                "arn:aws:bedrock:eu-central-1::foundation-model/anthropic.claude-haiku-4-5-20251001-v1:0",
                Some("claude-haiku-4-5-20251001"),
            ),
            ("claude-haiku-4-5@20251001", Some("claude-haiku-4-5-20251001")),
            ("claude-opus-4-7", Some("claude-opus-4-7")),
            ("arn:aws:bedrock:eu-central-1:1:application-inference-profile/x1", None),
            ("my-claude-x", None),
        ] {
            assert_eq!(own_name(cloud).as_deref(), own, "{cloud}");
        }
    }
}
