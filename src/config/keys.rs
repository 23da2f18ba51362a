//! Unknown keys, with the key that was probably meant.
//!
//! In: the YAML as a tree. Out: one message for each key nobody knows. Must not know: what keys mean.
//!
//! The known keys are asked of the types in [`super::raw`], so that there is no second list to forget.

use serde::Deserialize;
use serde::de::{Deserializer, Visitor};
use serde_yaml::Value;

use super::raw::{
    Raw, RawAuth, RawBreakers, RawCache, RawCheck, RawIdentity, RawLimits, RawLog, RawProvider, RawQueue, RawSpool,
};
use crate::names::nearest;

/// A message for every unknown key, in page order.
pub fn unknown(tree: &Value, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut look = |path: &str, section: Option<&Value>, known: &[&str]| {
        let Some(Value::Mapping(rows)) = section else { return };
        for key in rows.keys() {
            let Value::String(key) = key else {
                found.push((0, format!("{path}: a key is not a word")));
                continue;
            };
            if !known.contains(&key.as_str()) {
                let line = line_of(text, key);
                found.push((line, message(path, key, line, known)));
            }
        }
    };
    look("", Some(tree), fields::<Raw>());
    look("identity.", tree.get("identity"), fields::<RawIdentity>());
    look("limits.", tree.get("limits"), fields::<RawLimits>());
    look("breakers.", tree.get("breakers"), fields::<RawBreakers>());
    look("log.", tree.get("log"), fields::<RawLog>());
    look("spool.", tree.get("spool"), fields::<RawSpool>());
    look("cache.", tree.get("cache"), fields::<RawCache>());
    look("check.", tree.get("check"), fields::<RawCheck>());
    for (section, known) in [("providers", fields::<RawProvider>()), ("queues", fields::<RawQueue>())] {
        let Some(Value::Mapping(rows)) = tree.get(section) else { continue };
        for (name, row) in rows {
            let path = format!("{section}.{}.", name.as_str().unwrap_or("?"));
            look(&path, Some(row), known);
            look(&format!("{path}auth."), row.get("auth"), fields::<RawAuth>());
        }
    }
    found.sort();
    found.into_iter().map(|(_, message)| message).collect()
}

fn message(path: &str, key: &str, line: usize, known: &[&str]) -> String {
    let meant = match nearest(key, known.iter().copied()).first() {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("known here: {}", known.join(", ")),
    };
    format!("line {line}: unknown key `{path}{key}`; {meant}")
}

/// The YAML tree has no places, so the first line that begins with the key is named.
fn line_of(text: &str, key: &str) -> usize {
    let begins = |line: &str| line.trim_start().trim_start_matches(['"', '\'', '{', ' ']).starts_with(key);
    text.lines().position(begins).map_or(1, |at| at + 1)
}

/// The field names serde derived for a struct.
fn fields<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    struct Probe<'a>(&'a mut &'static [&'static str]);

    impl<'de> Deserializer<'de> for Probe<'_> {
        type Error = serde::de::value::Error;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
            Err(serde::de::Error::custom("only structs are asked for their fields"))
        }

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, Self::Error> {
            *self.0 = fields;
            Err(serde::de::Error::custom("asked"))
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
            newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    let mut names: &'static [&'static str] = &[];
    // The probe always ends with an error; the names are what was asked for.
    let _ = T::deserialize(Probe(&mut names));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unknown_key_is_named_with_the_nearest_and_its_line() {
        let text = "listn: x\nproviders:\n  openai:\n    base_ulr: y\nlimits:\n  zzzzzzzz: 1\n";
        let tree: Value = serde_yaml::from_str(text).unwrap();
        let found = unknown(&tree, text);
        assert_eq!(found[0], "line 1: unknown key `listn`; did you mean `listen`?");
        assert_eq!(found[1], "line 4: unknown key `providers.openai.base_ulr`; did you mean `base_url`?");
        assert!(found[2].starts_with("line 6: unknown key `limits.zzzzzzzz`; known here: head, body"), "{}", found[2]);
    }

    #[test]
    fn the_example_names_every_key() {
        let example = include_str!("../../examples/wayside.yaml");
        let sections = [
            fields::<Raw>(),
            fields::<RawIdentity>(),
            fields::<RawLimits>(),
            fields::<RawLog>(),
            fields::<RawQueue>(),
            fields::<RawSpool>(),
            fields::<RawCache>(),
            fields::<RawCheck>(),
            fields::<RawProvider>(),
            fields::<RawAuth>(),
        ];
        for key in sections.concat() {
            assert!(example.contains(&format!("{key}:")), "examples/wayside.yaml lacks `{key}`");
        }
        assert_eq!(unknown(&serde_yaml::from_str(example).unwrap(), example), [""; 0]);
    }
}
