//! The cursor against serde_json: both take the same texts for JSON, and read the same strings.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

use proptest::prelude::*;
use wayside::json::{Cursor, JsonError, unescape};

fn accepts(text: &str) -> bool {
    let walk = || {
        let mut cursor = Cursor::new(text.as_bytes())?;
        cursor.skip()?;
        cursor.finish()
    };
    walk().is_ok()
}

/// As [`accepts`], entering every object and array instead of skipping it.
fn enters(text: &str) -> bool {
    fn value(cursor: &mut Cursor<'_>) -> Result<(), JsonError> {
        use wayside::json::Kind;
        match cursor.kind()? {
            Kind::Object => cursor.members(|cursor, _| value(cursor)),
            Kind::Array => cursor.items(value),
            Kind::String => cursor.string().map(|_| ()),
            Kind::Bool => cursor.boolean().map(|_| ()),
            _ => cursor.skip().map(|_| ()),
        }
    }
    let walk = || {
        let mut cursor = Cursor::new(text.as_bytes())?;
        value(&mut cursor)?;
        cursor.finish()
    };
    walk().is_ok()
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        (-1e300..1e300f64).prop_map(Into::into),
        ".{0,20}".prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            proptest::collection::hash_map(".{0,5}", inner, 0..6).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn what_serde_json_writes_is_read(value in json(), pretty in any::<bool>()) {
        let text = if pretty { format!("{value:#}") } else { value.to_string() };
        prop_assert!(accepts(&text) && enters(&text));
    }

    #[test]
    fn a_spoiled_text_is_refused_exactly_when_serde_json_refuses_it(
        value in json(), spoil in proptest::collection::vec((any::<prop::sample::Index>(), "[]{}\",:0-9eE+.tfn\\\\u a\n-]"), 1..4)
    ) {
        let mut text: Vec<char> = value.to_string().chars().collect();
        for (place, with) in spoil {
            let place = place.index(text.len());
            text.splice(place..=place, with.chars());
            if text.is_empty() {
                text.push('0');
            }
        }
        let text: String = text.into_iter().collect();
        let theirs = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok();
        prop_assert_eq!(accepts(&text), theirs, "{}", text);
        prop_assert_eq!(enters(&text), theirs, "{}", text);
    }

    #[test]
    fn strings_mean_what_serde_json_says(text in any::<String>()) {
        let written = serde_json::to_string(&text).unwrap();
        prop_assert_eq!(unescape(&written[1..written.len() - 1]), text);
    }

    #[test]
    fn no_bytes_make_the_cursor_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        let walk = || {
            let mut cursor = Cursor::new(&bytes)?;
            cursor.skip()?;
            cursor.finish()
        };
        if let Err(error) = walk() {
            let error: JsonError = error;
            prop_assert!(error.at <= bytes.len());
            prop_assert!(!error.describe(&bytes).is_empty());
        }
    }
}
