//! What a request demands of the shape of its answer.
//!
//! In: a body, and where its schema and its tools stand in it. Out: the schema of the answer's text, and of each tool's arguments,
//! as written. Must not know: how an answer is held against them.

use crate::json::{Cursor, JsonError, Kind, Span};

/// Where the demands stand. Nothing is read before an answer is there to be judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// `response_format.json_schema`, `text.format`: the object that holds `schema`
    pub(in crate::dialect) format: Option<Span>,
    /// `tools`
    pub(super) tools: Option<Span>,
    /// `functions`, the older form, and the tools of Responses: flat
    pub(in crate::dialect) functions: Option<Span>,
}

impl Demand {
    /// There is something that an answer can fail.
    pub const fn any(&self) -> bool {
        self.format.is_some() || self.tools.is_some() || self.functions.is_some()
    }

    /// The text itself must conform to a schema.
    pub const fn of_every_text(&self) -> bool {
        self.format.is_some()
    }

    /// The schema of the answer's text.
    pub fn of_text<'b>(&self, body: &'b [u8]) -> Option<&'b [u8]> {
        member(self.format?.of(body), "schema")
    }

    /// Bytes that are read to find the schema of a tool's arguments.
    pub fn tools_len(&self) -> usize {
        [self.tools, self.functions].into_iter().flatten().map(Span::len).sum()
    }

    /// The schema of a tool's arguments. A tool without one takes anything.
    pub fn of_call<'b>(&self, body: &'b [u8], tool: &str) -> Option<&'b [u8]> {
        let tools = self.tools.and_then(|span| parameters(span.of(body), Some("function"), tool));
        tools.or_else(|| self.functions.and_then(|span| parameters(span.of(body), None, tool)))
    }
}

/// The object under `name`, as written.
fn member<'b>(object: &'b [u8], name: &str) -> Option<&'b [u8]> {
    let mut found = None;
    let mut cursor = Cursor::new(object).ok()?;
    let read = cursor.members(|cursor, key| {
        let kind = cursor.kind()?;
        let span = cursor.skip()?;
        if kind == Kind::Object && key.decode() == name {
            found = Some(span);
        }
        Ok::<(), JsonError>(())
    });
    read.ok().and(found).map(|span| span.of(object))
}

/// `parameters` of the entry with this name; `inside` is the member that holds the two.
fn parameters<'b>(list: &'b [u8], inside: Option<&str>, tool: &str) -> Option<&'b [u8]> {
    let mut found = None;
    let mut cursor = Cursor::new(list).ok()?;
    let read = cursor.items(|cursor| {
        let item = cursor.skip()?.of(list);
        let definition = inside.map_or(Some(item), |inside| member(item, inside));
        if found.is_none()
            && let Some(definition) = definition
            && is_named(definition, tool)
        {
            // Messages has its own word.
            found = member(definition, "parameters").or_else(|| member(definition, "input_schema"));
        }
        Ok::<(), JsonError>(())
    });
    read.ok().and(found)
}

fn is_named(definition: &[u8], tool: &str) -> bool {
    let mut named = false;
    let read = Cursor::new(definition).and_then(|mut cursor| {
        cursor.members(|cursor, key| {
            let name = cursor.string_or_skip()?;
            named |= key.raw == "name" && name.is_some_and(|name| name.decode() == tool);
            Ok(())
        })
    });
    read.is_ok() && named
}

#[cfg(test)]
mod tests {
    use super::super::request::scan;
    use crate::dialect::scan::Wants;

    fn text(bytes: Option<&[u8]>) -> Option<&str> {
        bytes.map(|bytes| std::str::from_utf8(bytes).unwrap())
    }

    #[test]
    fn schemas_are_found_wherever_they_stand() {
        let body = br#"{"model":"m","messages":[{"role":"user","content":"x"}],
            "response_format":{"json_schema":{"name":"n","schema":{"type":"object"},"strict":true},"type":"json_schema"},
            "tools":[{"type":"custom","custom":{"name":"grep"}},
                {"function":{"parameters":{"a":1},"name":"one"},"type":"function"},
                {"type":"function","function":{"name":"tw\u006f","parameters":{"b":2}}},
                {"type":"function","function":{"name":"bare"}}],
            "functions":[{"name":"old","parameters":{"c":3}}]}"#;
        let demand = scan(body, Wants::default()).unwrap().demand;
        assert!(demand.any() && demand.of_every_text());
        assert_eq!(text(demand.of_text(body)), Some(r#"{"type":"object"}"#));
        for (tool, wanted) in [
            ("one", Some(r#"{"a":1}"#)),
            ("two", Some(r#"{"b":2}"#)),
            ("old", Some(r#"{"c":3}"#)),
            ("bare", None),
            ("grep", None),
            ("missing", None),
        ] {
            assert_eq!(text(demand.of_call(body, tool)), wanted, "{tool}");
        }
    }

    #[test]
    fn what_demands_nothing_has_no_schema() {
        for format in [r#"{"type":"json_object"}"#, r#"{"type":"text","json_schema":{"schema":{}}}"#, "null"] {
            let body = format!(
                r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],"tools":[],"response_format":{format}}}"#
            );
            let demand = scan(body.as_bytes(), Wants::default()).unwrap().demand;
            assert!(!demand.any(), "{format}");
            assert_eq!((demand.of_text(body.as_bytes()), demand.of_call(body.as_bytes(), "f")), (None, None));
        }
    }
}
