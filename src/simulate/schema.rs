//! A value that conforms to a JSON schema.
//!
//! In: a schema as providers take it for structured output and tools. Out: one value, the same every time. Keywords
//! that restrict text by pattern are not followed. Must not know: dialects.

use serde_json::{Map, Value, json};

use super::text::Dice;

/// Nesting past which nothing more is invented; recursive schemas end here.
pub const MAX_DEPTH: u32 = 24;
/// Values invented for one schema; references can multiply them beyond any size.
pub const MAX_NODES: u32 = 10_000;
/// Items or characters made because a schema asks for at least so many.
const MAX_AT_LEAST: u64 = 1000;

/// A conforming value, as far as depth and size allow.
pub fn conforming(schema: &Value, dice: Dice) -> Value {
    Maker { root: schema, dice, nodes: 0 }.value(schema, 0)
}

struct Maker<'a> {
    root: &'a Value,
    dice: Dice,
    nodes: u32,
}

impl<'a> Maker<'a> {
    fn value(&mut self, schema: &'a Value, depth: u32) -> Value {
        self.nodes += 1;
        if depth > MAX_DEPTH || self.nodes > MAX_NODES {
            return Value::Null;
        }
        let Some(object) = schema.as_object() else { return json!("anything") };
        if let Some(target) = object.get("$ref").and_then(Value::as_str).and_then(|path| self.resolve(path)) {
            return self.value(target, depth + 1);
        }
        if let Some(fixed) = object.get("const") {
            return fixed.clone();
        }
        if let Some(choice) = object.get("enum").and_then(Value::as_array).and_then(|options| self.one_of(options)) {
            return choice.clone();
        }
        for keyword in ["anyOf", "oneOf", "allOf"] {
            let options = object.get(keyword).and_then(Value::as_array);
            if let Some(option) = options.and_then(|options| self.simplest(options, depth)) {
                return self.value(option, depth + 1);
            }
        }
        match type_of(object) {
            "object" => self.object(object, depth),
            "array" => self.array(object, depth),
            "integer" => json!(self.number(object).ceil() as i64),
            "number" => json!(self.number(object)),
            "boolean" => json!(self.dice.below(2) == 1),
            "null" => Value::Null,
            _ => json!(self.text(object)),
        }
    }

    /// `#/$defs/Name` and the like.
    fn resolve(&self, path: &str) -> Option<&'a Value> {
        self.root.pointer(path.strip_prefix('#')?)
    }

    fn one_of<'v>(&mut self, options: &'v [Value]) -> Option<&'v Value> {
        options.get(self.dice.below(options.len() as u64) as usize)
    }

    /// The first option; deep inside, one that is neither a reference nor a container, so that recursion ends.
    fn simplest(&self, options: &'a [Value], depth: u32) -> Option<&'a Value> {
        let is_leaf = |option: &&Value| {
            option
                .as_object()
                .is_some_and(|object| !object.contains_key("$ref") && !matches!(type_of(object), "object" | "array"))
        };
        let leaf = if depth > MAX_DEPTH / 4 { options.iter().find(is_leaf) } else { None };
        leaf.or_else(|| options.first())
    }

    fn object(&mut self, schema: &'a Map<String, Value>, depth: u32) -> Value {
        let required = |name: &str| {
            let names = schema.get("required").and_then(Value::as_array);
            names.is_some_and(|names| names.iter().any(|each| each.as_str() == Some(name)))
        };
        let mut made = Map::new();
        for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            if required(name) || depth < MAX_DEPTH / 4 {
                made.insert(name.clone(), self.value(property, depth + 1));
            }
        }
        Value::Object(made)
    }

    fn array(&mut self, schema: &'a Map<String, Value>, depth: u32) -> Value {
        let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0).min(MAX_AT_LEAST);
        let most = schema.get("maxItems").and_then(Value::as_u64).unwrap_or(u64::MAX);
        let wanted = if depth < MAX_DEPTH / 4 { least.max(1).min(most) } else { least };
        let items = schema.get("items").unwrap_or(&Value::Null);
        Value::Array((0..wanted).map(|_| self.value(items, depth + 1)).collect())
    }

    fn number(&mut self, schema: &Map<String, Value>) -> f64 {
        let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
        let least = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|least| least + 1.0));
        let most = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|most| most - 1.0));
        let number = match (least, most) {
            (Some(least), Some(most)) if most >= least => {
                least + self.dice.below((most - least).min(1e9) as u64 + 1) as f64
            }
            (Some(least), _) => least + self.dice.below(10) as f64,
            (None, Some(most)) => most - self.dice.below(10) as f64,
            (None, None) => self.dice.below(100) as f64,
        };
        match bound("multipleOf") {
            Some(step) if step > 0.0 => (number / step).ceil() * step,
            _ => number,
        }
    }

    fn text(&mut self, schema: &Map<String, Value>) -> String {
        match schema.get("format").and_then(Value::as_str) {
            Some("date") => return "2026-01-15".to_owned(),
            Some("time") => return "09:30:00Z".to_owned(),
            Some("date-time") => return "2026-01-15T09:30:00Z".to_owned(),
            Some("email") => return "someone@example.com".to_owned(),
            Some("uri") => return "https://example.com/".to_owned(),
            Some("uuid") => return "00000000-0000-4000-8000-000000000000".to_owned(),
            _ => {}
        }
        const VALUES: [&str; 8] = ["harbor", "river", "lamp", "boat", "stone", "field", "song", "light"];
        let mut text = VALUES.get(self.dice.below(8) as usize).copied().unwrap_or("stone").to_owned();
        let least = schema.get("minLength").and_then(Value::as_u64).unwrap_or(0).min(MAX_AT_LEAST) as usize;
        while text.len() < least {
            text.push('x');
        }
        if let Some(most) = schema.get("maxLength").and_then(Value::as_u64) {
            text.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        }
        text
    }
}

/// The type a schema means; the first of several.
fn type_of(schema: &Map<String, Value>) -> &str {
    match schema.get("type") {
        Some(Value::String(one)) => one,
        Some(Value::Array(several)) => several.first().and_then(Value::as_str).unwrap_or("string"),
        _ if schema.contains_key("properties") => "object",
        _ if schema.contains_key("items") => "array",
        _ => "string",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_demanded_shape() {
        let schema = json!({
            "type": "object", "additionalProperties": false, "required": ["name", "age", "tags", "kind", "next"],
            "properties": {
                "name": {"type": "string", "minLength": 12}, "age": {"type": "integer", "minimum": 18, "maximum": 20},
                "tags": {"type": "array", "items": {"type": "string"}, "minItems": 2},
                "kind": {"enum": ["a", "b"]}, "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}
            }
        });
        let made = conforming(&schema, Dice::of(b"", 0));
        assert!(made["name"].as_str().unwrap().len() >= 12);
        assert!((18..=20).contains(&made["age"].as_i64().unwrap()));
        assert_eq!(made["tags"].as_array().unwrap().len(), 2);
        assert!(["a", "b"].contains(&made["kind"].as_str().unwrap()));
        assert_eq!(made["next"]["kind"].as_str().map(str::len), Some(1));
    }

    #[test]
    fn recursion_and_multiplication_end() {
        let tree = json!({"$defs": {"t": {"type": "array", "minItems": 9, "items": {"$ref": "#/$defs/t"}}}, "$ref": "#/$defs/t"});
        assert!(conforming(&tree, Dice::of(b"", 0)).is_array());
        assert!(conforming(&json!({"$ref": "#"}), Dice::of(b"", 0)).is_null());
        assert!(conforming(&json!(true), Dice::of(b"", 0)).is_string());
    }

    #[test]
    fn a_value_goes_as_deep_as_the_limit_and_no_deeper() {
        let nested = |depth: u32| {
            let wrap = |inner: Value, _| json!({"type": "object", "required": ["in"], "properties": {"in": inner}});
            conforming(&(0..depth).fold(json!({"const": "bottom"}), wrap), Dice::of(b"", 0)).to_string()
        };
        assert!(nested(MAX_DEPTH).contains("bottom"));
        assert!(!nested(MAX_DEPTH + 1).contains("bottom"));
    }

    #[test]
    fn a_value_has_as_many_parts_as_the_limit_and_then_nothing() {
        // Ten arrays of a thousand, and what holds them: the last of their items are one part too many.
        let count = |arrays: u64| {
            let array = json!({"type": "array", "minItems": 999, "items": {"const": 1}});
            let names = (0..arrays).map(|at| (format!("a{at}"), array.clone()));
            let schema = json!({"type": "object", "properties": names.collect::<Map<_, _>>()});
            let made = conforming(&schema, Dice::of(b"", 0));
            made.as_object()
                .unwrap()
                .values()
                .flat_map(|array| array.as_array().into_iter().flatten())
                .filter(|one| **one == json!(1))
                .count()
        };
        assert_eq!(count(9), 9 * 999);
        assert_eq!(count(10), MAX_NODES as usize - 11);
    }

    #[test]
    fn a_demanded_length_is_met_to_the_limit_and_not_beyond() {
        for asked in [MAX_AT_LEAST, MAX_AT_LEAST + 1] {
            let array =
                conforming(&json!({"type": "array", "minItems": asked, "items": {"const": 1}}), Dice::of(b"", 0));
            assert_eq!(array.as_array().unwrap().len() as u64, MAX_AT_LEAST);
            let text = conforming(&json!({"type": "string", "minLength": asked}), Dice::of(b"", 0));
            let length = text.as_str().unwrap().len() as u64;
            assert!((MAX_AT_LEAST..2 * MAX_AT_LEAST).contains(&length), "{length}");
        }
    }
}
