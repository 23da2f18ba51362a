//! A caller's schema, made ready to judge with.
//!
//! In: its text. Out: a validator, or nothing. Must not know: answers.
//!
//! What all patterns take together is bounded here, and steps that do not look at the answer, which [`metered`](super::metered)
//! cannot count.

use std::collections::BTreeSet;

use jsonschema::{PatternOptions, ValidationError, Validator};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::metered::Metered;

/// Compiled size of all patterns of a schema.
pub const MAX_PATTERNS: usize = 1 << 20;
/// References for the same value in a schema that also says what may be left over. For each such keyword the library follows all of
/// them again, those that branch in twice as many ways: 28 take ten seconds. A reference for a member or an item costs nothing.
pub const MAX_REFERENCES_LEFT_OVER: usize = 20;
/// What most patterns take at most: those of mail addresses, identifiers, dates.
const USUAL_PATTERN: usize = 8 << 10;
/// States that a match may keep, in sizes of its pattern.
const STATES: usize = 8;

/// Keywords that hold schemas for the same value, and how many.
const IN_PLACE: [(&str, usize); 11] = [
    ("allOf", 2),
    ("anyOf", 2),
    ("oneOf", 2),
    ("$ref", 1),
    ("$dynamicRef", 1),
    ("$recursiveRef", 1),
    ("not", 1),
    ("if", 1),
    ("then", 1),
    ("else", 1),
    ("dependentSchemas", 1),
];
/// Keywords that name a schema.
const REFERENCES: [&str; 3] = ["$ref", "$dynamicRef", "$recursiveRef"];
/// Keywords whose members the author names.
const NAMED: [&str; 6] =
    ["$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"];
/// Keywords about what no other keyword of the same value has looked at.
const LEFT_OVER: [&str; 2] = ["unevaluatedItems", "unevaluatedProperties"];
/// Keywords that hold data.
const DATA: [&str; 2] = ["const", "enum"];

/// One that compiles.
pub struct Compiled {
    /// Does not look at more than it may.
    pub validator: Validator<Metered>,
    /// Bytes that its patterns take at most.
    pub patterns: usize,
    /// Calls inside each other that may come between two looks at an answer.
    pub blind: usize,
}

/// What is to be known of a schema before it is compiled.
#[derive(Default)]
struct Found {
    patterns: BTreeSet<String>,
    in_place: usize,
    references: usize,
    left_over: bool,
}

/// Compiles one.
pub fn compile(text: &[u8]) -> Option<Compiled> {
    let mut schema = serde_json::from_slice(text).ok()?;
    let mut found = Found::default();
    if !found.bound(&mut schema, true) {
        tracing::debug!("a schema with a reference to what is no schema: its answers are not checked");
        return None;
    }
    if found.left_over && found.references > MAX_REFERENCES_LEFT_OVER {
        tracing::debug!("a schema that would take too long to compile: its answers are not checked");
        return None;
    }
    let count = found.patterns.len();
    let most = MAX_PATTERNS / count.max(1);
    let build = |each| Ok((build(&schema, each)?, each));
    match build(most.min(USUAL_PATTERN)).or_else(|_| build(most)) {
        Ok((validator, each)) => Some(Compiled { validator, patterns: count * each, blind: found.in_place }),
        Err::<_, ValidationError<'_>>(error) => {
            tracing::debug!(at = %error.schema_path(), "a schema that does not compile: its answers are not checked");
            None
        }
    }
}

fn build(schema: &Value, pattern: usize) -> Result<Validator<Metered>, ValidationError<'static>> {
    // The engine without look-around takes linear time on every text.
    let patterns = PatternOptions::regex().size_limit(pattern).dfa_size_limit(STATES * pattern);
    jsonschema::options_for::<Metered>().offline().with_pattern_options(patterns).build(schema)
}

impl Found {
    /// Lets each schema that branches look at its value before it does: `true`, `false` and `{}` never do, and may be reached in more
    /// ways than anybody waits for. `false` if a reference leads where no look was put. `same`: the schema is for the value that the
    /// one around it is for, or a reference may make it so.
    fn bound(&mut self, schema: &mut Value, same: bool) -> bool {
        match schema {
            Value::Array(schemas) => schemas.iter_mut().all(|schema| self.bound(schema, same)),
            Value::Object(members) => {
                let all = members.iter_mut().all(|(keyword, value)| self.member(keyword, value));
                let here = IN_PLACE.iter().filter(|(keyword, _)| members.contains_key(*keyword));
                let (keywords, schemas) =
                    here.fold((0, 0), |(keywords, sum), (_, schemas)| (keywords + 1, sum + schemas));
                self.in_place += keywords;
                if same || schemas > 1 {
                    self.references += REFERENCES.iter().filter(|keyword| members.contains_key(**keyword)).count();
                }
                if schemas > 1 {
                    members.entry("type").or_insert_with(any_type);
                }
                all
            }
            _ => true,
        }
    }

    fn member(&mut self, keyword: &str, value: &mut Value) -> bool {
        match value {
            Value::String(pattern) if keyword == "pattern" => {
                self.patterns.insert(pattern.clone());
                true
            }
            Value::String(reference) if REFERENCES.contains(&keyword) => leads_to_schema(reference),
            Value::Object(named) if NAMED.contains(&keyword) => {
                if keyword == "patternProperties" {
                    self.patterns.extend(named.keys().cloned());
                }
                let same = !["patternProperties", "properties"].contains(&keyword);
                named.values_mut().all(|schema| self.bound(schema, same))
            }
            _ => {
                self.left_over |= LEFT_OVER.contains(&keyword);
                let same = IN_PLACE.iter().any(|(known, _)| *known == keyword);
                DATA.contains(&keyword) || self.bound(value, same)
            }
        }
    }
}

/// What every value is.
fn any_type() -> Value {
    json!(["array", "boolean", "null", "number", "object", "string"])
}

/// Whether a reference does not lead into data, and not to a set of schemas. Names lead to schemas always.
fn leads_to_schema(reference: &str) -> bool {
    let fragment = reference.split_once('#').map_or("", |(_, fragment)| fragment);
    let pointer = percent_decode_str(fragment).decode_utf8_lossy();
    let mut steps = pointer.split('/').skip(1);
    while let Some(step) = steps.next() {
        if DATA.contains(&step) || NAMED.contains(&step) && steps.next().is_none() {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::metered::{Allowance, Seen, within};
    use super::*;
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;
    use proptest::sample::select;

    fn value() -> impl Strategy<Value = Value> {
        let scalar =
            prop_oneof![Just(json!(null)), Just(json!(true)), Just(json!(1)), Just(json!("a")), Just(json!("bb"))];
        scalar.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..3).prop_map(Value::from),
                btree_map("[ab]", inner, 0..3).prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// Of every keyword that holds schemas, and of some that do not.
    fn schema() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::Bool),
            Just(json!({})),
            select(&["#", "#/$defs/a", "#/$defs/b", "#/$defs/b/anyOf/0", "#name"][..])
                .prop_map(|to| json!({"$ref": to})),
            Just(json!({"$dynamicRef": "#name"})),
            select(&["string", "integer", "array", "object"][..]).prop_map(|kind| json!({"type": kind})),
            value().prop_map(|value| json!({"const": value})),
            Just(json!({"enum": [1, "a", {"anyOf": [1]}]})),
            Just(json!({"pattern": "^b+$"})),
            Just(json!({"required": ["a"]})),
            Just(json!({"uniqueItems": true})),
        ];
        leaf.prop_recursive(4, 24, 3, |inner| {
            let several = (select(&["allOf", "anyOf", "oneOf"][..]), vec(inner.clone(), 1..3));
            let one = select(
                &[
                    "not",
                    "items",
                    "contains",
                    "additionalProperties",
                    "propertyNames",
                    "unevaluatedProperties",
                    "unevaluatedItems",
                ][..],
            );
            let named = select(&["properties", "patternProperties", "dependentSchemas"][..]);
            prop_oneof![
                several.prop_map(|(keyword, schemas)| json!({keyword: schemas})),
                (one, inner.clone()).prop_map(|(keyword, schema)| json!({keyword: schema})),
                (named, btree_map("[ab]", inner.clone(), 1..3))
                    .prop_map(|(keyword, schemas)| json!({keyword: schemas})),
                (inner.clone(), inner.clone(), inner.clone())
                    .prop_map(|(a, b, c)| json!({"if": a, "then": b, "else": c})),
                (inner.clone(), inner).prop_map(|(a, b)| match (a, b) {
                    (Value::Object(a), Value::Object(b)) => Value::Object(a.into_iter().chain(b).collect()),
                    (a, _) => a,
                }),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

        #[test]
        fn what_is_bounded_judges_as_the_library_does(
            (root, a, b) in (schema(), schema(), schema()),
            dialect in select(&["https://json-schema.org/draft/2020-12/schema", "http://json-schema.org/draft-07/schema#"][..]),
            values in vec(value(), 4),
        ) {
            let mut whole = json!({"$schema": dialect, "$defs": {"a": a, "b": b, "c": {"$dynamicAnchor": "name"}}});
            if let (Value::Object(whole), Value::Object(root)) = (&mut whole, root) {
                whole.extend(root);
            }
            let bounded = compile(whole.to_string().as_bytes());
            let plain = jsonschema::options().offline().build(&whole);
            prop_assert!(bounded.is_none() || plain.is_ok());
            if let (Some(bounded), Ok(plain)) = (bounded, plain) {
                for value in &values {
                    let told = within(Allowance { looks: 1 << 20, stack: 1 << 20 }, || bounded.validator.is_valid(Seen(value)));
                    prop_assert_eq!(told, Some(plain.is_valid(value)), "{} of {}", whole, value);
                }
            }
        }
    }
}
